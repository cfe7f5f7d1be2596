"""Tables: a catalogue kept as CSV, TSV, XLSX, JSON or JSON Lines.

Which column is which the options tell (`columns = { title = "信息名称" }`), else the headings
themselves; how they were understood stands in `Reading.meta["columns"]`, and what was guessed is a
problem until the options say it. A row is an entry. It is known again by its own number (编号, 索引号,
发文字号) or its link, else by title and date.
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
from bot.sources.decode import LIMIT, unpack
from bot.sources.draft import Channel, Draft, bracketed, reading_of
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
        table = self._table(unpack(body, self.options.max_bytes), content_type)
        told = (*table.rows.problems, *_told(table, self.options.columns))
        channel = Channel(tuple(_drafts(table)), problems=told)
        reading = reading_of(channel, origin)
        meta = {**reading.meta, "columns": table.columns.shown(), "sheet": table.rows.sheet}
        return replace(reading, meta=meta, whole=table.rows.whole)

    def _table(self, body: bytes, content_type: str) -> _Table:
        """The one whose headings are understood best. Raises SourceError."""
        found, empty, why = [], None, SourceError("目录是空的，没有任何内容")
        for rows in tables(body, content_type, self.options.sheet, self.options.list):
            if rows.rows == [[]]:  # an empty list of JSON
                empty = _Table(rows, Columns(0, 1, (), {}))
                continue
            try:
                found.append(_Table(rows, find(rows.rows, self.options.columns)))
            except SourceError as error:
                why = error
        if found:
            return max(found, key=lambda one: one.fitness)
        if empty:
            return empty
        raise why

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


def _told(table: _Table, told: Mapping[str, str]) -> Iterator[Problem]:
    columns, place = table.columns, str(Say("表头"))
    if columns.guessed:
        guesses = {name: field for field, name in columns.shown().items()}
        pairs = (f"{name}={guesses.get(name, '')}" for name in columns.guessed)
        said = Say("列名是猜的：{pairs}；猜错了请在 options.columns 写明", pairs="，".join(pairs))
        yield Problem(place, str(said))
    for name in columns.twice:
        said = Say("有两列都叫“{name}”，先取左边一列，空着才取右边", name=name)
        yield Problem(place, str(said))
    if not table.rows.whole:
        said = Say("最后一行没有换行，可能没有写完；这次不据此判断条目是否撤下")
        yield Problem(str(Say("全文")), str(said))


# ---------------------------------------------------------------- rows as drafts


def _drafts(table: _Table) -> Iterator[Draft]:
    columns = table.columns
    heads = [name for name in columns.names if name]
    for n, row in enumerate(table.rows.rows[columns.first :], columns.first):
        if any(row) and [cell for cell in row if cell] != heads:  # headings come again on each page
            places = table.rows.places
            place = places[n] if places else 0
            yield _draft(row, columns, place, _borne(table, place))


def _borne(table: _Table, place: int) -> tuple[str, ...]:
    """The addresses that a row's cells bear as links, those of link and title."""
    of, links = table.columns.of, table.rows.links
    cells = (*of.get("link", ()), *of.get("title", ())) if links else ()
    return tuple(links[place, n] for n in cells if (place, n) in links)


def _draft(row: Sequence[str], columns: Columns, place: int, borne: tuple[str, ...]) -> Draft:
    said = {field: _cells(row, where) for field, where in columns.of.items()}
    short: dict[str, Any] = {name: words(_first(said, name)) for name in _SHORT}
    numbers = (short["index_number"], bracketed(short["document_number"]))
    return Draft(
        title=line(_first(said, "title")),
        ids=tuple(filter(None, (_first(said, "id"), *numbers))),
        links=(*filter(is_address, said.get("link", ())), *borne, *said.get("link", ())),
        published=tuple(map(_date, said.get("published", ()))),
        formed=tuple(map(_date, said.get("formed", ()))),
        summary=_marked(_first(said, "summary")),
        body=_marked(_first(said, "body")),
        attachments=tuple(_attachments(said.get("attachments", ()))),
        raw=canonical(list(row)).encode(),
        place=Say("第 {n} 行", n=place) if place else None,
        **short,
    )


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
