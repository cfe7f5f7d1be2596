"""Each format of a feed keeps the contract; what each says beyond it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import pytest

from bot.errors import SourceError
from bot.model import Attachment, Entry, Reading
from bot.sources.base import Origin
from bot.sources.feed import Feed, FeedOptions
from tests.sources.contract import ZONE, Kind, Notice, SourceContract

AT = "http://www.yunlan.example/rss.xml"


def parse(body: str | bytes, content_type: str = "", url: str = AT, **more: Any) -> Reading:
    raw = body.encode() if isinstance(body, str) else body
    return Feed(FeedOptions()).parse(raw, content_type, Origin(url, ZONE, **more))


def rss(items: str, channel: str = "", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" {attributes}><channel>'
        f"<title>云澜县人民政府</title><link>http://www.yunlan.example/</link>{channel}{items}"
        "</channel></rss>"
    )


def one(items: str, **more: Any) -> Entry:
    (entry,) = parse(rss(items, **more)).entries
    return entry


def tag(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


# ---------------------------------------------------------------- the contract, per format


def write_rss(notices: Sequence[Notice]) -> bytes:
    items = (
        f"<item>{tag('title', n.title)}{tag('link', n.link)}{tag('guid', n.id)}"
        f"{tag('description', n.text)}{tag('pubDate', n.published)}</item>"
        for n in notices
    )
    return rss("".join(items)).encode()


def write_rdf(notices: Sequence[Notice]) -> bytes:
    items = (
        f'<item rdf:about="{n.id}">{tag("title", n.title)}{tag("link", n.link)}'
        f"{tag('description', n.text)}{tag('dc:date', n.published)}</item>"
        for n in notices
    )
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<channel><title>云澜</title><link>http://www.yunlan.example/</link></channel>"
        f"{''.join(items)}</rdf:RDF>"
    ).encode()


def _atom(notices: Sequence[Notice], space: str, published: str, text: str) -> bytes:
    entries = (
        f'<entry>{tag("title", n.title)}<link href="{n.link}"/>{tag("id", n.id)}'
        f"{tag(text, n.text)}{tag(published, n.published)}</entry>"
        for n in notices
    )
    return f'<feed xmlns="{space}"><title>云澜</title>{"".join(entries)}</feed>'.encode()


def write_atom(notices: Sequence[Notice]) -> bytes:
    return _atom(notices, "http://www.w3.org/2005/Atom", "published", "summary")


def write_atom03(notices: Sequence[Notice]) -> bytes:
    return _atom(notices, "http://purl.org/atom/ns#", "issued", "content")


def write_json(notices: Sequence[Notice]) -> bytes:
    items = [
        {
            "id": n.id,
            "url": n.link,
            "title": n.title,
            "content_text": n.text,
            "date_published": n.published,
        }
        for n in notices
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "云澜", "items": items}
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def write_rss_json(notices: Sequence[Notice]) -> bytes:
    items = [
        {
            "title": n.title,
            "link": n.link,
            "guid": {"isPermaLink": "false", "#value": n.id},
            "description": n.text,
            **({"pubDate": n.published} if n.published else {}),
        }
        for n in notices
    ]
    channel = {"title": "云澜", "link": "http://www.yunlan.example/", "item": items}
    return json.dumps({"rss": {"version": "2.0", "channel": channel}}, indent=1).encode()


class TestRss(SourceContract):
    kind = Kind("feed", write_rss, "application/rss+xml")


class TestRssInGbk(SourceContract):
    kind = Kind(
        "feed",
        lambda notices: write_rss(notices).decode().replace("UTF-8", "gb2312").encode("gb18030"),
        "text/xml",
    )


class TestRdf(SourceContract):
    kind = Kind("feed", write_rdf, "application/rdf+xml")


class TestAtom(SourceContract):
    kind = Kind("feed", write_atom, "application/atom+xml")


class TestAtom03(SourceContract):
    kind = Kind("feed", write_atom03, "application/xml")


class TestJsonFeed(SourceContract):
    kind = Kind("feed", write_json, "application/feed+json")


class TestRssInJson(SourceContract):
    kind = Kind("feed", write_rss_json, "application/json")
