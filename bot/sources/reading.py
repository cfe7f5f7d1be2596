"""Reading a catalogue without storing it: what `gongkai read` does."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from bot.errors import Invalid, SourceError
from bot.model import Entry, Reading
from bot.sources.base import Origin, Source, kinds, source_class
from bot.sources.decode import decode, unpack
from bot.sources.fetch import fetch, is_remote
from bot.sources.packed import is_old, is_zip, no_text

FIELDS = (
    *("key", "title", "link", "published", "formed", "index_number", "document_number"),
    *("publisher", "column", "topic", "summary", "body", "language", "attachments"),
)


_PROSE = re.compile(
    r"\s*[^\s{\[<][^<\n\t,，]*[,，]?[^<\n\t,，]*(?:\n|\Z)"
)  # its first line is no row


async def read(target: str, zone: tzinfo, *, kind: str = "", private: bool = False) -> Reading:
    """The catalogue at an address or in a file, read whole.

    Without a `kind` the first that recognises the document and can read it does. `private`: the
    address may be on our own network. Raises SourceError where it cannot be read whole, Invalid
    for an unknown kind.
    """
    if kind and target.strip():
        loose = not is_remote(target)
        return await reader(kind).read(Origin(target, zone, private=private, as_they_stand=loose))
    return (await recognised(target, zone, private=private))[1]


async def recognised(target: str, zone: tzinfo, *, private: bool = False) -> tuple[str, Reading]:
    """Which kind of catalogue stands there, and what it says. Raises SourceError."""
    if not target.strip():
        raise Invalid("请给出网址或文件")
    origin = Origin(target, zone, private=private)
    if not is_remote(target) and Path(target).is_dir():
        return "folder", await reader("folder").read(origin)
    body = await fetch(origin)
    told = (reader(name) for name in kinds())
    able = [s for s in told if s.recognises(body.data, body.content_type)]
    if not able:
        nearest = _nearest(body.data, body.content_type)
        prose = target.lower().endswith(".txt") and _PROSE.match(decode(body.data).text)
        able = [reader("folder" if prose and not is_remote(target) else nearest)]
    at = Origin(body.url, zone, private=private, as_they_stand=not is_remote(target))
    for source in able[:-1]:
        with suppress(SourceError):
            return source.kind, source.parse(body.data, body.content_type, at)
    return able[-1].kind, able[-1].parse(body.data, body.content_type, at)


def _nearest(body: bytes, content_type: str) -> str:
    """Whose reason is told where nobody can read it: the kind that it looks most like. Raises
    SourceError for what is none of them."""
    from bot.sources.page_tree import looks_like_html

    body = unpack(body)
    if kind := no_text(body):
        raise SourceError("{kind}读不了；公文请用 .docx，表格请用 .xlsx 或 .csv", kind=kind)
    if is_zip(body) or is_old(body):
        return "table"
    text = decode(body, content_type).text.lstrip()
    if looks_like_html(text):
        return "page"
    return "table" if re.match(r"[{\[]|--|/\*|[^<\n]*[,\t，]", text) else "feed"


async def attempt(
    target: str, zone: tzinfo, *, kind: str = "", private: bool = False
) -> tuple[str, Reading]:
    """The same before a source is declared: of a list page on the web one article is read, too, to
    see that its links can be followed. Raises SourceError, Invalid."""
    if not kind or not target.strip():
        kind, reading = await recognised(target, zone, private=private)
        if kind != "page" or not is_remote(target):
            return kind, reading
    sparing = {"most": 1, "recheck": 0} if kind == "page" else {}
    return kind, await reader(kind, **sparing).read(Origin(target, zone, private=private))


def reader(kind: str, **options: Any) -> Source:
    """A reader of `kind`; its options are the defaults but for these. Raises Invalid."""
    try:
        found = source_class(kind)
    except KeyError as error:
        known = "、".join(kinds())
        raise Invalid("没有 {kind} 这种来源，有：{known}", kind=kind, known=known) from error
    return found(found.options_model(**options))


def as_json(reading: Reading, zone: tzinfo) -> dict[str, Any]:
    """What `gongkai read --json` prints: items in the catalogue's order, times in `zone`."""
    printed = {
        "items": [_item(entry, zone) for entry in reading.entries],
        "problems": [{"where": p.where, "what": p.what} for p in reading.problems],
        "meta": dict(reading.meta),
    }
    columns = reading.meta.get("columns")  # a table's: field → heading
    return {**printed, "columns": columns} if columns else printed


def _item(entry: Entry, zone: tzinfo) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in FIELDS}
    for name in ("published", "formed"):
        at: datetime | None = values[name]
        values[name] = at.astimezone(zone).isoformat() if at else None
    values["attachments"] = [asdict(one) for one in entry.attachments]
    return values
