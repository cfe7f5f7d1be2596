"""The board as feeds: Atom (RFC 4287, deletions by RFC 6721) and JSON Feed 1.1."""

from __future__ import annotations

import json
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from bot.web.board.words import headline

ATOM = "http://www.w3.org/2005/Atom"
GONE = "http://purl.org/atompub/tombstones/1.0"
ET.register_namespace("", ATOM)
ET.register_namespace("at", GONE)


def entry_id(board: RowMapping, post: RowMapping) -> str:
    """Names a post for ever, wherever the board moves."""
    return uuid.uuid5(uuid.UUID(board["identity"]), post["public_id"]).urn


def changed(post: RowMapping) -> datetime:
    at: datetime = post["withdrawn_at"] or post["edited_at"] or post["at"]
    return at


def atom(board: RowMapping, title: str, base: str, posts: Sequence[RowMapping]) -> bytes:
    """`posts` newest first; a withdrawn one is a tombstone."""
    feed = ET.Element(f"{{{ATOM}}}feed", {"xml:lang": "zh-CN"})
    _add(feed, "id", uuid.UUID(board["identity"]).urn)
    _add(feed, "title", title)
    _add(feed, "updated", _rfc3339(max(map(changed, posts), default=board["created_at"])))
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feed.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=base)
    _add(_add(feed, "author"), "name", title)
    for post in posts:
        if post["withdrawn_at"]:
            when = _rfc3339(post["withdrawn_at"])
            ET.SubElement(feed, f"{{{GONE}}}deleted-entry", ref=entry_id(board, post), when=when)
        else:
            _entry(feed, board, base, post)
    made: bytes = ET.tostring(feed, "utf-8", xml_declaration=True)
    return made


def _entry(feed: ET.Element, board: RowMapping, base: str, post: RowMapping) -> None:
    entry = _add(feed, "entry")
    entry.set("xml:lang", post["payload"]["language"])
    _add(entry, "id", entry_id(board, post))
    _add(entry, "title", headline(post))
    _add(entry, "published", _rfc3339(post["at"]))
    _add(entry, "updated", _rfc3339(changed(post)))
    _add(entry, "link", rel="alternate", type="text/html", href=f"{base}/p/{post['public_id']}")
    if post["payload"]["link"]:
        _add(entry, "link", rel="via", href=post["payload"]["link"])
    for picture in post["payload"]["media"]:
        more = {"type": picture["kind"], "length": str(picture["size"])}
        _add(entry, "link", rel="enclosure", href=_picture(base, post, picture), **more)
    _add(entry, "content", post["text"], type="text")


def _add(parent: ET.Element, name: str, text: str = "", /, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    made.text = text or None
    return made


def json_feed(board: RowMapping, title: str, base: str, posts: Sequence[RowMapping]) -> bytes:
    """`posts` newest first; withdrawn ones are left out."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "home_page_url": base,
        "feed_url": f"{base}/feed.json",
        "language": "zh-CN",
        "items": [_item(board, base, post) for post in posts if not post["withdrawn_at"]],
    }
    return json.dumps(feed, ensure_ascii=False).encode()


def _item(board: RowMapping, base: str, post: RowMapping) -> dict[str, Any]:
    payload = post["payload"]
    item: dict[str, Any] = {
        "id": entry_id(board, post),
        "url": f"{base}/p/{post['public_id']}",
        "title": headline(post),
        "content_text": post["text"],
        "date_published": _rfc3339(post["at"]),
        "date_modified": _rfc3339(changed(post)),
        "language": payload["language"],
    }
    if payload["link"]:
        item["external_url"] = payload["link"]
    if payload["media"]:
        item["attachments"] = [
            {
                "url": _picture(base, post, picture),
                "mime_type": picture["kind"],
                "title": picture["alt"],
                "size_in_bytes": picture["size"],
            }
            for picture in payload["media"]
        ]
    return item


def _picture(base: str, post: RowMapping, picture: dict[str, Any]) -> str:
    return f"{base}/p/{post['public_id']}/media/{picture['sha256']}"


def _rfc3339(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
