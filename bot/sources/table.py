"""Tables: a catalogue kept as CSV, TSV, XLSX, JSON, JSON Lines, a page's table, XML or a dump (SQL).

Which column is which the options tell (`columns = { title = "信息名称" }`), else the headings
themselves; how they were understood stands in `Reading.meta["columns"]`, and what was guessed is a
problem until the options say it. A row is an entry. It is known again by its own number (编号, 索引号,
发文字号) or its link, else by title and date. Where a row holds a document's page, what the page's own
table says counts before the other columns: these are what a program made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import escape
from typing import Any, ClassVar

from pydantic import Field, field_validator

from bot.errors import SourceError
from bot.language import Say
from bot.model import Attachment, Problem, Reading, canonical
from bot.sources.base import Options, Origin, Source
from bot.sources.dates import read_date
from bot.sources.decode import LIMIT, unpack
from bot.sources.draft import Channel, Draft, bracketed, first, reading_of
from bot.sources.fetch import read_whole
from bot.sources.headings import NAMES, Columns, find, normal
from bot.sources.packed import WORKBOOK, holds
from bot.sources.plain import is_address, line, looks_marked_up, words
from bot.sources.rows import Rows, tables

_NONE = frozenset(("无", "暂无", "/", "-", "—", "——", "null", "none", "n/a", "nan"))
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.\d+)?")  # days since 1899-12-30, from 1954 to 2119
_LINKS = re.compile(r"https?://[^\s；;，,、]+", re.I)
_SHORT = ("index_number", "document_number", "publisher", "column", "topic", "language")


class TableOptions(Options):
    columns: Mapping[str, str] = Field(default_factory=dict)  # field → heading
    sheet: str = ""  # of a workbook; empty: the one whose headings are understood best
    list: str = ""  # where in a JSON document the entries stand: data.rows
    max_bytes: int = LIMIT
    timeout: float = 30  # seconds, redirects included

    @field_validator("columns")
    @classmethod
    def _fields(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if strange := sorted(value.keys() - NAMES.keys()):
            known = "、".join(NAMES)
            raise ValueError(str(Say("没有字段 {name}，有：{known}", name=strange[0], known=known)))
        return value


@dataclass(frozen=True)
class _Table:
    rows: Rows
    columns: Columns

    @property
    def fitness(self) -> tuple[int, int]:
        return len(self.columns.of) - len(self.columns.guessed), len(self.rows.rows)


class Table(Source):
    """One table, in whichever of the formats it is."""

    kind: ClassVar[str] = "table"
    options_model: ClassVar[type[Options]] = TableOptions
    options: TableOptions

    async def read(self, origin: Origin) -> Reading:
        return await read_whole(self, origin, self.options.max_bytes, self.options.timeout)

    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        parts, others = self._tables(unpack(body, self.options.max_bytes), content_type)
        table = parts[0]
        told = [*table.rows.problems, *_told(table, others)]
        drafts: list[Draft] = []
        for part in parts:
            rows, aside = _entries(part)
            drafts += [_draft(part, n, origin) for n in rows]
            told += _passed_over(part, aside)
        reading = reading_of(Channel(tuple(drafts), problems=tuple(told)), origin)
        sheets = "、".join(part.rows.sheet for part in parts if part.rows.sheet)
        meta = {**reading.meta, "columns": table.columns.shown(), "sheet": sheets}
        return replace(reading, meta=meta, whole=table.rows.whole)

    def _tables(self, body: bytes, content_type: str) -> tuple[list[_Table], list[_Table]]:
        """The one whose headings are understood best with those of its very headings, in order: a
        workbook may have a sheet for each month; and the others that could be tables, too. Raises
        SourceError."""
        found, empty, why = [], None, SourceError("目录是空的，没有任何内容")
        for rows in tables(body, content_type, self.options.sheet, self.options.list):
            if rows.rows == [[]]:  # an empty list of JSON
                empty = _Table(rows, Columns(0, 1, (), {}))
                continue
            try:
                found.append(_Table(rows, find(rows.rows, self.options.columns)))
            except SourceError as error:
                why = error
        if not found and not empty:
            raise why
        best = max(found, key=lambda one: one.fitness) if found else empty
        assert best is not None
        if not best.rows.sheet:
            return [best], []
        same = [one for one in found if one.columns.names == best.columns.names]
        others = [one for one in found if one not in same and len(one.columns.of) > 1]
        return same or [best], others

    @classmethod
    def recognises(cls, body: bytes, content_type: str) -> bool:
        try:
            body = unpack(body)
            if holds(body, WORKBOOK):
                return True
            found = tables(body, content_type)
            return any(len(find(one.rows, {}).of) > 1 for one in found if one.rows)
        except SourceError:
            return False


# ---------------------------------------------------------------- what people must look over


def _told(table: _Table, others: Sequence[_Table]) -> Iterator[Problem]:
    columns, place = table.columns, str(Say("表头"))
    if columns.guessed:
        guesses = {name: field for field, name in columns.shown().items()}
        pairs = (f"{name}={guesses.get(name, '')}" for name in columns.guessed)
        said = Say("列名是猜的：{pairs}；猜错了请在 options.columns 写明", pairs="，".join(pairs))
        yield Problem(place, str(said))
    for name in columns.twice:
        said = Say("有两列都叫“{name}”，先取左边一列，空着才取右边", name=name)
        yield Problem(place, str(said))
    if others:
        names = "、".join(other.rows.sheet for other in others)
        said = Say("另有工作表也像目录，没有读：{names}；可用 sheet 选项指明要哪一张", names=names)
        yield Problem(str(Say("全文")), str(said))


# ---------------------------------------------------------------- rows as drafts


_SUM = re.compile(r"(?:合|总|小|共)\s*计|总\s*数")
_WIDE = 4  # headings of a table in which a row of one cell is no entry


def _entries(table: _Table) -> tuple[list[int], list[int]]:
    """The rows that are entries, and those that are a part's heading, a note or a sum."""
    columns = table.columns
    heads = [name for name in columns.names if name]
    rows: list[int] = []
    aside: list[int] = []
    for n in range(columns.first, len(table.rows.rows)):
        said = [cell for cell in table.rows.rows[n] if cell]
        if not said or said == heads:  # headings come again on each page
            continue
        lonely = len(said) == 1 and len(heads) >= _WIDE
        (aside if lonely or _SUM.fullmatch(said[0]) else rows).append(n)
    return (rows, aside) if rows else (aside, [])


def _passed_over(table: _Table, aside: Sequence[int]) -> Iterator[Problem]:
    if aside:
        first = next(cell for cell in table.rows.rows[aside[0]] if cell)
        said = Say(
            "有 {n} 行只写了一格或是合计，当作小标题或说明，已略去：{first}",
            n=len(aside),
            first=first[:30],
        )
        yield Problem(table.rows.sheet or str(Say("全文")), str(said))


def _borne(table: _Table, place: int) -> tuple[str, ...]:
    """The addresses that a row's cells bear as links, those of link and title."""
    of, links = table.columns.of, table.rows.links
    cells = (*of.get("link", ()), *of.get("title", ())) if links else ()
    return tuple(links[place, n] for n in cells if (place, n) in links)


def _draft(table: _Table, n: int, origin: Origin) -> Draft:
    row, places, columns = table.rows.rows[n], table.rows.places, table.columns
    place = places[n] if places else 0
    said = {field: _cells(row, where) for field, where in columns.of.items()}
    short: dict[str, Any] = {name: words(_first(said, name)) for name in _SHORT}
    numbers = (short["index_number"], bracketed(short["document_number"]))
    draft = Draft(
        title=line(_first(said, "title")),
        ids=tuple(filter(None, (_first(said, "id"), *numbers))),
        links=(
            *filter(is_address, said.get("link", ())),
            *_borne(table, place),
            *said.get("link", ()),
        ),
        published=tuple(map(_date, said.get("published", ()))),
        formed=tuple(map(_date, said.get("formed", ()))),
        summary=_marked(_first(said, "summary")),
        body=_marked(_first(said, "body")),
        attachments=tuple(_attachments(said.get("attachments", ()))),
        raw=canonical(list(row)).encode(),
        place=Say("第 {n} 行", n=place) if place else None,
        **short,
    )
    return _as_page_says(draft, said.get("body", ()), origin)


# ---------------------------------------------------------------- a document's page in a row

_A_DOCUMENT = re.compile(r"索\s*引\s*号|发文字号|成文日期")
_SAID = ("title", "index_number", "document_number", "publisher", "topic", "published", "formed")


def _as_page_says(draft: Draft, cells: Sequence[str], origin: Origin) -> Draft:
    """With what the table on a document's page says, if a cell is one."""
    for cell in cells:
        page = _page(cell, first(draft.links), origin) if _A_DOCUMENT.search(cell) else None
        if page:
            own = {name: getattr(page, name) for name in _SAID if getattr(page, name)}
            own |= {"body": page.body, "attachments": page.attachments or draft.attachments}
            return replace(draft, **own, notes=(*draft.notes, *_differing(draft, page, origin)))
    return draft


def _page(markup: str, url: str, origin: Origin) -> Draft | None:
    from bot.sources.page_article import read_article
    from bot.sources.page_meta import read_tags
    from bot.sources.page_tree import looks_like_html, open_page

    if not looks_like_html(markup):
        return None
    try:
        page = open_page(markup, url)
    except SourceError:  # a cell that was cut: the columns have to do
        return None
    article = read_article(page, read_tags(page.markup), origin.zone)
    return article.draft if article.table else None


def _differing(draft: Draft, page: Draft, origin: Origin) -> Iterator[Say]:
    for name, label in (("published", Say("发布日期")), ("formed", Say("成文日期"))):
        ours, theirs = (_day(getattr(one, name), origin) for one in (draft, page))
        if ours and theirs and ours != theirs:
            yield Say(
                "{label}：列里是 {column}，页面里是 {page}，以页面为准",
                label=label, column=ours, page=theirs,
            )  # fmt: skip


def _day(texts: Sequence[str], origin: Origin) -> str:
    read = (read_date(text, origin.zone, chinese=True) for text in texts)
    at = next(filter(None, read), None)
    return at.astimezone(origin.zone).date().isoformat() if at else ""


def _cells(row: Sequence[str], where: Sequence[int]) -> list[str]:
    cells = (row[n] for n in where if n < len(row))
    return [cell for cell in cells if cell and cell.lower() not in _NONE]


def _first(said: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(said.get(name, ())), "")


def _date(cell: str) -> str:
    """A spreadsheet's day number as the day it is."""
    if not _SERIAL.fullmatch(cell):
        return cell
    return (date(1899, 12, 30) + timedelta(days=int(float(cell)))).isoformat()


def _marked(text: str) -> str:
    return text if looks_marked_up(text) else escape(text, quote=False)


def _attachments(cells: Sequence[str]) -> Iterator[Attachment]:
    for cell in cells:
        if cell.startswith(("[", "{")):
            yield from _listed(cell)
        else:
            yield from (Attachment(url) for url in _LINKS.findall(cell))


def _listed(cell: str) -> Iterator[Attachment]:
    """Objects with an address and a name, as systems export them."""
    try:
        found: Any = json.loads(cell)
    except json.JSONDecodeError:
        return
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            known = {normal(str(key)): str(value) for key, value in one.items() if value}
            url = next((v for k, v in known.items() if k in ("url", "link", "href", "链接")), "")
            name = next((v for k, v in known.items() if k in ("name", "title", "名称")), "")
            if is_address(url):
                yield Attachment(url, words(name))
