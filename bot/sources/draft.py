"""What an item of a catalogue says in its own strings, and the entry made of it.

Every kind of source gives `Draft`s; here their dates are read, markup becomes text, links become
absolute, the numbers of a document are found, gaps are filled from config, and each gets its key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin

from bot.errors import SourceError
from bot.language import Say
from bot.model import Attachment, Entry, Problem, Reading
from bot.sources.base import Origin
from bot.sources.dates import read_date
from bot.sources.decode import ITEMS
from bot.sources.identity import Claim, keys
from bot.sources.plain import is_address, is_chinese, joined, plain, words

TOLD = 20  # problems told one by one; of the rest only the number


@dataclass(slots=True)
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
    place: Say | None = None  # where in the catalogue it stands; None: by its number

    def says_anything(self) -> bool:
        plain_fields = (
            self.title,
            self.summary,
            self.body,
            self.publisher,
            self.column,
            self.topic,
        )
        more = (self.published, self.formed, self.attachments, self.index_number)
        return any((*plain_fields, *self.links, *self.ids, *more, self.document_number))


@dataclass(frozen=True)
class Channel:
    """The catalogue itself. `publisher` and `language` hold for items that name none."""

    drafts: tuple[Draft, ...]
    title: str = ""
    link: str = ""
    own: str = ""  # where it says that it stands itself
    publisher: str = ""
    language: str = ""
    problems: tuple[Problem, ...] = ()


def first(values: Iterable[str]) -> str:
    """The first that is not empty."""
    return next((value for value in values if value), "")


def reading_of(channel: Channel, origin: Origin) -> Reading:
    """The whole catalogue as a reading, entries in its own order, the same entry only once.

    Raises SourceError for a catalogue of more entries than any office's.
    """
    if len(channel.drafts) > ITEMS:
        raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    setting = _Setting.of(channel, origin)
    made: list[dict[str, Any]] = []
    claims: list[Claim] = []
    odd: list[tuple[Say, Say]] = []
    for n, draft in enumerate(channel.drafts, 1):
        said: list[Say] = []
        if values := _entry(draft, setting, said):
            made.append(values)
            claims.append(_claim(draft, values))
        odd += [(draft.place or Say("第 {n} 条", n=n), say) for say in said]
    names, memo = keys(claims, {channel.link, origin.url} - {""}, origin.memo)
    entries: dict[str, Entry] = {}
    for key, values in zip(names, made, strict=True):
        if key not in entries:
            entries[key] = Entry(key=key, **values)
    problems = (*channel.problems, *_told(odd), *_overall(len(made), entries.values()))
    about = {"title": channel.title, "link": channel.link, "language": channel.language}
    return Reading(tuple(entries.values()), problems, meta=about, memo=memo)


def _overall(made: int, entries: Collection[Entry]) -> Iterator[Problem]:
    undated = sum(entry.published is None for entry in entries)
    untitled = sum(not entry.title for entry in entries)
    twins = made - len(entries)
    relative = sum(bool(entry.link) and not is_address(entry.link) for entry in entries)
    for n, say in (
        (undated, Say("有 {n} 条没有发布日期", n=undated)),
        (untitled, Say("有 {n} 条没有标题", n=untitled)),
        (twins, Say("有 {n} 条重复，已略去", n=twins)),
        (relative, Say("有 {n} 条的链接是相对地址，不知道网站在哪里，照原样列出", n=relative)),
        (not made, Say("目录里没有条目")),
    ):
        if n:
            yield Problem(str(Say("全文")), str(say))


def _told(odd: Sequence[tuple[Say, Say]]) -> Iterator[Problem]:
    for place, say in odd[:TOLD]:
        yield Problem(str(place), str(say))
    if len(odd) > TOLD:
        yield Problem(str(Say("全文")), str(Say("条目里另有 {n} 个问题", n=len(odd) - TOLD)))


# ---------------------------------------------------------------- one entry


@dataclass(frozen=True)
class _Setting:
    """What all entries of a catalogue have in common."""

    zone: tzinfo
    start: str  # where relative links start
    as_they_stand: bool
    fill: Mapping[str, str]  # for fields that an item lacks: config's word, then the catalogue's

    @classmethod
    def of(cls, channel: Channel, origin: Origin) -> _Setting:
        publisher = channel.publisher or channel.title
        fill = {"publisher": publisher, "language": channel.language, **dict(origin.fill)}
        return cls(origin.zone, _start(channel, origin), origin.as_they_stand, fill)


def _entry(draft: Draft, setting: _Setting, said: list[Say]) -> dict[str, Any]:
    """An Entry's values but its key; empty where the draft says nothing at all."""
    said += draft.notes
    if not draft.says_anything():
        said.append(Say("条目是空的，已略去"))
        return {}
    base = joined(setting.start, draft.base) if draft.base else setting.start
    body = plain(draft.body) if draft.body else ""
    summary = plain(draft.summary) or body
    labelled = _labelled(summary)
    chinese = is_chinese(draft.title)
    formed = (*draft.formed, labelled["formed"]) if "formed" in labelled else draft.formed
    values: dict[str, Any] = {
        "title": draft.title,
        "link": _link(draft.links, base, said, setting.as_they_stand and not base),
        "published": _date(draft.published, setting.zone, chinese, said),
        "formed": _date(formed, setting.zone, chinese, said),
        "index_number": draft.index_number,
        "document_number": draft.document_number or own_number(draft.title, summary),
        "publisher": draft.publisher,
        "column": draft.column,
        "topic": draft.topic,
        "language": draft.language,
        "summary": summary,
        "body": body,
        "attachments": _attachments(draft, base, setting.as_they_stand and not base),
        "raw_digest": hashlib.sha256(draft.raw).hexdigest(),
    }
    for name in _FILLED:
        if not values[name]:
            values[name] = labelled.get(name) or setting.fill.get(name, "")
    values["document_number"] = bracketed(values["document_number"])
    return values


_FILLED = ("index_number", "document_number", "publisher", "column", "topic", "language")


def _claim(draft: Draft, values: Mapping[str, Any]) -> Claim:
    ids = (*draft.ids, values["link"])
    return Claim(ids, values["title"], values["published"], values["summary"] + values["body"])


def _date(texts: Sequence[str], zone: tzinfo, chinese: bool, said: list[Say]) -> datetime | None:
    for text in texts:
        if text and (at := read_date(text, zone, chinese=chinese)):
            return at
    if unread := next(filter(None, texts), ""):
        said.append(Say("日期“{text}”读不懂，按没有日期处理", text=unread[:60]))
    return None


# ---------------------------------------------------------------- links

_ABSOLUTE = re.compile(r"https?://[^/\s?#]", re.I)
_SITE = re.compile(r"https?://[^/\s?#]+", re.I)
_RELATIVE = re.compile(r"(?![A-Za-z][\w+.-]*:|#)[^\s<>]+")
_RELAY = re.compile(r"https?://(?:www\.)?google\.[a-z.]{2,6}/url\?(.*)", re.I)
_DOCUMENT = re.compile(
    r"""<a\s[^<>]*?href\s*=\s*["']?([^"'<>\s]+\.(?:pdf|docx?|xlsx?|pptx?|wps|et|ofd|zip|rar))"""
    r"""["'\s>][^<>]*>?(.{0,200}?)</a""",
    re.I | re.S,
)


def _start(channel: Channel, origin: Origin) -> str:
    """Where relative links start, unless xml:base says otherwise: at the channel's page, else at
    the feed's own address."""
    own = origin.url if _ABSOLUTE.match(origin.url) else channel.own
    return joined(own, channel.link)


def _link(links: Sequence[str], base: str, said: list[Say], as_it_stands: bool) -> str:
    """The first that is an address of the web, whole, and past a search engine's relay."""
    for link in links:
        if address := _address(link, base):
            return _target(address) if "/url?" in address else address
    if as_it_stands and (relative := first(link for link in links if _RELATIVE.fullmatch(link))):
        return relative
    if wrong := first(links):
        said.append(Say("链接“{link}”不是完整的网址，已略去", link=wrong.strip()[:100]))
    return ""


def _target(address: str) -> str:
    relay = _RELAY.match(address)
    targets = parse_qs(relay[1]) if relay else {}
    return first((*targets.get("url", ()), *targets.get("q", ()), address))


def _address(link: str, base: str) -> str:
    """`link` as an absolute http(s) address; empty where it cannot be one."""
    link = link.strip()
    if not link.isprintable() or " " in link:
        link = re.sub(r"[\x00-\x1f\x7f]+", "", link).replace(" ", "%20")
    if "[" not in link and _ABSOLUTE.match(link):
        return link
    if link[:1] == "/" and link[1:2] not in ("/", "") and "/." not in link:
        site = _SITE.match(base)
        return f"{site[0]}{link}" if site else ""
    try:
        whole = "" if is_address(link) else urljoin(base or "https:", link)
    except ValueError:
        return ""
    return whole if link and _ABSOLUTE.match(whole) else ""


def _attachments(draft: Draft, base: str, as_it_stands: bool) -> tuple[Attachment, ...]:
    """Those the item names, then documents that its text links to; each address once.

    One that is named and has no address is kept by its name: it lies beside a file, say.
    """
    named = [(one.url, one.name, one.kind, one.size) for one in draft.attachments]
    for markup in (draft.body, draft.summary):
        if "href" in markup:
            found = _DOCUMENT.finditer(markup)
            named += [(unescape(m[1]), words(plain(m[2])), "", None) for m in found]
    whole: dict[str, Attachment] = {}
    for url, name, kind, size in named:
        address = _address(url, base)
        if as_it_stands and not address and _RELATIVE.fullmatch(url):
            address = url
        if address or (name and not url):
            whole.setdefault(address or name, Attachment(address, name, kind, size))
    return tuple(whole.values())


# ---------------------------------------------------------------- numbers and labels

_HAN = "\u4e00-\u9fff"
_SERIAL = r"(?:19|20)\d\d"
_OPENS, _CLOSES = r"〔\[［(（【﹝〈《", r"〕\]］)）】﹞〉》"  # the first of each is the standard's
_NUMBER = (
    rf"(?:[{_HAN}]{{1,15}} ?[{_OPENS}] ?{_SERIAL} ?[{_CLOSES}] ?第?\d{{1,5}} ?号"
    rf"|[{_HAN}]{{0,20}}令[ 　]?第 ?\d{{1,4}} ?号"
    rf"|[{_HAN}]{{2,15}}(?: [{_HAN}]{{2,15}}){{0,4}}公告 ?{_SERIAL}年第\d{{1,4}}号)"
)
_AT_THE_START = re.compile(rf"({_NUMBER})[ 　(（]")
_AT_THE_END = re.compile(rf"[(（]({_NUMBER})[)）]\s*\Z")
_ALONE = re.compile(rf"^\s*({_NUMBER})\s*$", re.M)
_PARTS = re.compile(rf"(.+?) ?[{_OPENS}] ?({_SERIAL}) ?[{_CLOSES}] ?(第?\d+号)")
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
_LABEL = re.compile(rf"({'|'.join(_LABELS)}) ?[:：] ?([^\s，。；;|]+)")
_LABEL_ENDS = re.compile(f"[{''.join({label[-1] for label in _LABELS})}] ?[:：]")
_TOP = 500  # characters of a text in which labels are looked for


def _labelled(text: str) -> dict[str, str]:
    """Fields that the top of a text names with their labels; the first of each counts."""
    top = text[:_TOP]
    if not _LABEL_ENDS.search(top):
        return {}
    found = [m for m in _LABEL.finditer(top) if not is_chinese(top[m.start() - 1 : m.start()])]
    return {_LABELS[m[1]]: m[2] for m in reversed(found)}


def own_number(title: str, text: str) -> str:
    """The 发文字号 of the document itself (GB/T 9704): never one that it cites.

    In brackets at the end of the title or before it, unless that is an interpretation of another
    document, or alone on a line at the top of the text.
    """
    closed = title.endswith((")", "）")) and _AT_THE_END.search(title)
    if found := closed or ("号" in title and _AT_THE_START.match(title)):
        return "" if _ABOUT_ANOTHER.search(title) else _closed_up(found[1])
    top = f"{text[:_TOP]}\n"
    alone = _ALONE.search(top) if "号\n" in top else None
    return _closed_up(alone[1]) if alone else ""


def _closed_up(number: str) -> str:
    """Without spaces, but for those between organs."""
    return number if "公告" in number else "".join(number.split())


def bracketed(number: str) -> str:
    """With the brackets the standard asks for: 国办发〔2018〕123号."""
    if not number or ("〔" in number and " " not in number):
        return number
    parts = _PARTS.fullmatch(number)
    return f"{parts[1]}〔{parts[2]}〕{parts[3]}" if parts else number
