"""What an item of a catalogue says in its own strings, and the entry made of it.

Every kind of source gives `Draft`s; here their dates are read, markup becomes text, links become
absolute, the numbers of a document are found, gaps are filled from config, and each gets its key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin

from bot.language import Say
from bot.model import Attachment, Entry, Problem, Reading
from bot.sources.base import Origin
from bot.sources.dates import read_date
from bot.sources.identity import Claim, keys
from bot.sources.plain import is_chinese, plain, words

TOLD = 20  # problems told one by one; of the rest only the number


@dataclass(frozen=True)
class Draft:
    """An item's own strings. Markup stands as markup in `summary` and `body`, nowhere else."""

    title: str = ""
    ids: tuple[str, ...] = ()  # its own identifiers, best first
    links: tuple[str, ...] = ()  # best first
    base: str = ""  # where its relative links start, if it says so
    published: tuple[str, ...] = ()  # best first; the first that can be read counts
    formed: tuple[str, ...] = ()
    publisher: str = ""
    column: str = ""
    topic: str = ""
    index_number: str = ""
    document_number: str = ""
    language: str = ""
    summary: str = ""
    body: str = ""
    attachments: tuple[Attachment, ...] = ()
    raw: bytes = b""
    notes: tuple[Say, ...] = ()  # what was odd about it


@dataclass(frozen=True)
class Channel:
    """The catalogue itself. `publisher` and `language` hold for items that name none."""

    drafts: tuple[Draft, ...]
    title: str = ""
    link: str = ""
    publisher: str = ""
    language: str = ""
    problems: tuple[Problem, ...] = ()


def first(values: Iterable[str]) -> str:
    """The first that is not empty."""
    return next((value for value in values if value), "")


def is_address(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))


def reading_of(channel: Channel, origin: Origin) -> Reading:
    """The whole catalogue as a reading, entries in its own order, the same entry only once."""
    made: list[dict[str, Any]] = []
    claims: list[Claim] = []
    problems = [*channel.problems]
    for n, draft in enumerate(channel.drafts, 1):
        said: list[Say] = []
        if values := _entry(draft, channel, origin, said):
            made.append(values)
            claims.append(_claim(draft, values))
        problems += [Problem(str(Say("第 {n} 条", n=n)), str(say)) for say in said]
    places = {channel.link, origin.url} - {""}
    names, memo = keys(claims, places, origin.memo)
    entries: dict[str, Entry] = {}
    for key, values in zip(names, made, strict=True):
        entries.setdefault(key, Entry(key=key, **values))
    problems += _overall(len(made), entries.values())
    about = {"title": channel.title, "link": channel.link, "language": channel.language}
    return Reading(tuple(entries.values()), tuple(_shortened(problems)), meta=about, memo=memo)


def _overall(made: int, entries: Collection[Entry]) -> Iterator[Problem]:
    undated = sum(entry.published is None for entry in entries)
    untitled = sum(not entry.title for entry in entries)
    for n, text in (
        (undated, "有 {n} 条没有发布日期"),
        (untitled, "有 {n} 条没有标题"),
        (made - len(entries), "有 {n} 条与别的条目完全相同，只取一条"),
        (not made, "目录里没有条目"),
    ):
        if n:
            yield Problem(str(Say("全文")), str(Say(text, n=n)))


def _shortened(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= TOLD:
        return problems
    rest = Say("另有 {n} 个问题", n=len(problems) - TOLD)
    return [*problems[:TOLD], Problem(str(Say("全文")), str(rest))]


# ---------------------------------------------------------------- one entry


def _entry(draft: Draft, channel: Channel, origin: Origin, said: list[Say]) -> dict[str, Any]:
    """An Entry's values but its key; empty where the draft says nothing at all."""
    said += draft.notes
    if not (draft.title or any(draft.links) or any(draft.ids) or draft.summary or draft.body):
        said.append(Say("条目是空的，已略去"))
        return {}
    base = _base(draft, channel, origin)
    body = plain(draft.body)
    summary = plain(draft.summary) or body
    values = {
        "title": draft.title,
        "link": _link(draft.links, base, said),
        "summary": summary,
        "body": body,
        "attachments": _attachments(draft, base),
        "raw_digest": hashlib.sha256(draft.raw).hexdigest(),
        **{name: getattr(draft, name) for name in _PLAIN},
    }
    found = _labelled(summary)
    formed = (*draft.formed, found.pop("formed", ""))
    _fill(values, found)
    _fill(values, {"document_number": own_number(draft.title, summary)})
    _fill(values, dict(origin.fill))
    _fill(values, {"publisher": channel.publisher or channel.title, "language": channel.language})
    values["document_number"] = _bracketed(values["document_number"])
    chinese = is_chinese(draft.title)
    values["published"] = _date(draft.published, origin.zone, chinese, said)
    values["formed"] = _date(formed, origin.zone, chinese, said)
    return values


_PLAIN = ("publisher", "column", "topic", "index_number", "document_number", "language")


def _fill(values: dict[str, Any], more: Mapping[str, str]) -> None:
    """Put in what is still missing."""
    for name in _PLAIN:
        if not values[name]:
            values[name] = more.get(name, "")


def _claim(draft: Draft, values: Mapping[str, Any]) -> Claim:
    published = values["published"]
    return Claim(
        (*draft.ids, values["link"]),
        values["title"],
        published.isoformat() if published else "",
        hashlib.sha256(f"{values['summary']}\n{values['body']}".encode()).hexdigest(),
    )


def _date(texts: Sequence[str], zone: tzinfo, chinese: bool, said: list[Say]) -> datetime | None:
    for text in texts:
        if text and (at := read_date(text, zone, chinese=chinese)):
            return at
    if unread := next(filter(None, texts), ""):
        said.append(Say("日期“{text}”读不懂，按没有日期处理", text=unread[:60]))
    return None


# ---------------------------------------------------------------- links

_ABSOLUTE = re.compile(r"https?://[^/\s?#]", re.I)
_RELAY = re.compile(r"https?://(?:www\.)?google\.[a-z.]{2,6}/url\?(.*)", re.I)
_DOCUMENT = re.compile(
    r"""<a\s[^<>]*?href\s*=\s*["']?([^"'<>\s]+\.(?:pdf|docx?|xlsx?|pptx?|wps|et|ofd|zip|rar))"""
    r"""["'\s>][^<>]*>?(.{0,200}?)</a""",
    re.I | re.S,
)


def _base(draft: Draft, channel: Channel, origin: Origin) -> str:
    """Where relative links start: xml:base, else the channel's page, else the feed's address."""
    start = origin.url if _ABSOLUTE.match(origin.url) else ""
    return urljoin(urljoin(start, channel.link), draft.base)


def _link(links: Sequence[str], base: str, said: list[Say]) -> str:
    """The first that is an address of the web, whole, and past a search engine's relay."""
    for link in links:
        if address := _address(link, base):
            relay = _RELAY.match(address)
            targets = parse_qs(relay[1]) if relay else {}
            return next((t[0] for t in (targets.get("url"), targets.get("q")) if t), address)
    if wrong := next(filter(None, links), ""):
        said.append(Say("链接“{link}”不是完整的网址，已略去", link=wrong.strip()[:100]))
    return ""


def _address(link: str, base: str) -> str:
    link = link.strip()
    if not link.isprintable() or " " in link:
        link = re.sub(r"[\x00-\x1f\x7f]+", "", link).replace(" ", "%20")
    if link and not _ABSOLUTE.match(link):
        try:
            link = urljoin(base or "https:", link)
        except ValueError:
            return ""
    return link if _ABSOLUTE.match(link) else ""


def _attachments(draft: Draft, base: str) -> tuple[Attachment, ...]:
    """Those the item names, then documents that its text links to; each address once."""
    named = [*draft.attachments]
    for markup in (draft.body, draft.summary):
        if "href" in markup:
            named += [
                Attachment(unescape(m[1]), words(plain(m[2]))) for m in _DOCUMENT.finditer(markup)
            ]
    found: dict[str, Attachment] = {}
    for one in named:
        if address := _address(one.url, base):
            found.setdefault(address, replace(one, url=address))
    return tuple(found.values())


# ---------------------------------------------------------------- numbers and labels

_HAN = "\u4e00-\u9fff"
_SERIAL = r"(?:19|20)\d\d"
_NUMBER = (
    rf"(?:[{_HAN}]{{1,15}} ?[〔\[［(（【] ?{_SERIAL} ?[〕\]］)）】] ?第?\d{{1,5}}号"
    rf"|[{_HAN}]{{0,15}}令第\d{{1,4}}号)"
)
_AT_THE_END = re.compile(rf"[(（]({_NUMBER})[)）]\s*\Z")
_ALONE = re.compile(rf"^\s*({_NUMBER})\s*$", re.M)
_PARTS = re.compile(rf"(.+?) ?[〔\[［(（【] ?({_SERIAL}) ?[〕\]］)）】] ?(第?\d+号)")
_ABOUT_ANOTHER = re.compile("解读|图解|问答|一图")
_LABELS = {
    "索引号": "index_number",
    "发文字号": "document_number",
    "文号": "document_number",
    "成文日期": "formed",
    "生成日期": "formed",
    "发布机构": "publisher",
    "发文机关": "publisher",
    "发文单位": "publisher",
    "主题分类": "topic",
}
_LABEL = re.compile(rf"(?<![{_HAN}])({'|'.join(_LABELS)}) ?[:：] ?([^\s，。；;|]+)")
_TOP = 500  # characters of a text in which labels are looked for


def _labelled(text: str) -> dict[str, str]:
    """Fields that the top of a text names with their labels; the first of each counts."""
    top = text[:_TOP]
    if ":" not in top and "：" not in top:
        return {}
    return {_LABELS[m[1]]: m[2] for m in reversed(list(_LABEL.finditer(top)))}


def own_number(title: str, text: str) -> str:
    """The 发文字号 of the document itself (GB/T 9704): never one that it cites.

    In brackets at the end of the title, unless that is an interpretation of another document, or
    alone on a line at the top of the text.
    """
    if "号" in title and not _ABOUT_ANOTHER.search(title) and (found := _AT_THE_END.search(title)):
        return found[1]
    top = text[:_TOP]
    alone = _ALONE.search(top) if "号" in top else None
    return alone[1] if alone else ""


def _bracketed(number: str) -> str:
    """With the brackets the standard asks for: 国办发〔2018〕123号."""
    parts = _PARTS.fullmatch(number)
    return f"{parts[1]}〔{parts[2]}〕{parts[3]}" if parts else number
