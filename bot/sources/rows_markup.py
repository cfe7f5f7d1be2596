"""Tables in markup: those of a web page (which many an .xls is), a spreadsheet's XML, XML records.

Each is a grid of strings. A page that was cut off, or XML that is not well-formed, is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from bot.errors import SourceError
from bot.sources.page_tree import Node, attribute, looks_like_html, open_page, text_of
from bot.sources.plain import is_address, words

_SPREADSHEET = "{urn:schemas-microsoft-com:office:spreadsheet}"
_DECLARED = re.compile(r"^\s*(?:<\?[^<>]*\?>\s*)*(?:<!DOCTYPE[^<>\[]*>)?", re.I)
_TOP = 2_000  # characters in which a document says what it is
_WIDEST = 100  # columns
_LONGEST_SPAN = 1_000  # rows that one cell may stand for


@dataclass(frozen=True)
class Grid:
    """`places`: the rows' numbers as people count them; `links`: of cells, by place and column."""

    rows: list[list[str]]
    places: Sequence[int] = ()
    name: str = ""
    links: dict[tuple[int, int], str] = field(default_factory=dict)


def grids(text: str) -> list[Grid]:
    """The tables in a page or in XML. Raises SourceError where there is none."""
    sheet = _SPREADSHEET.strip("{}") in text[:_TOP] and not re.search("<html", text[:_TOP], re.I)
    found = _of_xml(text) if sheet or not looks_like_html(text) else _of_page(text)
    if not found:
        raise SourceError("是网页或 XML，里面没有表格")
    return found


# ---------------------------------------------------------------- pages


def _of_page(text: str) -> list[Grid]:
    page = open_page(text, "")
    innermost = [t for t in page.tree.css("table") if len(t.css("table")) == 1]
    return [grid for table in innermost if len((grid := _grid(table)).rows) > 1]


def _grid(table: Node) -> Grid:
    """Row by row; a cell that spans several stands in each of them."""
    rows: list[list[str]] = []
    links: dict[tuple[int, int], str] = {}
    below: dict[int, tuple[int, str]] = {}  # column → rows still to fill, with what
    for n, row in enumerate(table.css("tr"), 1):
        cells: list[str] = []
        for cell in (one for one in row.iter() if one.tag in ("td", "th")):
            _fill(cells, below)
            if len(cells) >= _WIDEST:
                break
            link = cell.css_first("a[href]")
            if link is not None and is_address(attribute(link, "href")):
                links[n, len(cells)] = attribute(link, "href")
            _put(cells, below, cell)
        _fill(cells, below)
        rows.append(cells[:_WIDEST])
    return Grid(rows, range(1, len(rows) + 1), links=links)


def _fill(cells: list[str], below: dict[int, tuple[int, str]]) -> None:
    while len(cells) < _WIDEST and below.get(len(cells), (0, ""))[0]:
        left, text = below[len(cells)]
        below[len(cells)] = (left - 1, text)
        cells.append(text)


def _put(cells: list[str], below: dict[int, tuple[int, str]], cell: Node) -> None:
    text = text_of(cell)
    down, across = (_span(cell, name) for name in ("rowspan", "colspan"))
    for n in range(across):
        below[len(cells)] = (down - 1, text)
        cells.append("" if n else text)


def _span(cell: Node, name: str) -> int:
    value = attribute(cell, name)
    most = _LONGEST_SPAN if name == "rowspan" else _WIDEST
    return min(max(int(value), 1), most) if value.isdecimal() else 1


# ---------------------------------------------------------------- XML


def _of_xml(text: str) -> list[Grid]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root: Any = etree.fromstring(_DECLARED.sub("", text, count=1).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise SourceError("XML 有误或不完整：{raw}", raw=str(error)[:100]) from error
    sheets = list(root.iter(f"{_SPREADSHEET}Worksheet"))
    return [_sheet(one) for one in sheets] if sheets else [*_records(root)]


def _sheet(sheet: Any) -> Grid:
    rows: list[list[str]] = []
    for row in sheet.iter(f"{_SPREADSHEET}Row"):
        cells: list[str] = []
        for cell in row.iter(f"{_SPREADSHEET}Cell"):
            index = cell.get(f"{_SPREADSHEET}Index", "")
            if index.isdecimal() and int(index) <= _WIDEST:
                cells += [""] * (int(index) - 1 - len(cells))
            cells.append(words("".join(cell.itertext())))
        rows.append(cells[:_WIDEST])
    return Grid(rows, range(1, len(rows) + 1), sheet.get(f"{_SPREADSHEET}Name", ""))


def _records(root: Any) -> Iterator[Grid]:
    """Elements of one name beside each other that have fields in them."""
    for parent in root.iter(etree.Element):
        names = Counter(child.tag for child in parent if len(child) or child.attrib)
        for name, count in names.items():
            if count > 1 or (count == len(parent) and parent is root):
                yield _table([_fields(child) for child in parent if child.tag == name])


def _fields(record: Any) -> dict[str, str]:
    said = {_local(child.tag): words("".join(child.itertext())) for child in record}
    return {**record.attrib, **said}


def _table(records: list[dict[str, str]]) -> Grid:
    heads = list(dict.fromkeys(key for one in records for key in one))[:_WIDEST]
    return Grid([heads, *([one.get(head, "") for head in heads] for one in records)])


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
