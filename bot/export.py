"""Rows to files that people open: JSON lines, CSV, XLSX.

What a stranger wrote must not work as a formula in a spreadsheet: a cell that begins with = + - @
(their full-width forms too), a tab or a line break gets an apostrophe before it. Instants are
written in the zone they are in.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, BinaryIO

from bot.language import Say

KINDS: Mapping[str, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Rows = Iterable[Mapping[str, Any]]

CELL = 32_767  # of UTF-16 a cell of XLSX holds
SHEET = 1_048_576  # rows a sheet holds
CUT = "……（过长，已截断）"
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(out: BinaryIO, kind: str, heads: Mapping[str, Say], rows: Rows) -> None:
    """Write `rows` as one of KINDS; in tables, the columns of `heads` under their names."""
    if kind == "jsonl":
        _lines(out, rows)
    elif kind == "csv":
        _csv(out, heads, rows)
    else:
        _xlsx(out, heads, rows)


def _lines(out: BinaryIO, rows: Rows) -> None:
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, default=str_of).encode() + b"\n")


def str_of(value: Any) -> str:
    """As a file says it: an instant as ISO 8601 with its zone."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _csv(out: BinaryIO, heads: Mapping[str, Say], rows: Rows) -> None:
    text = io.TextIOWrapper(out, "utf-8-sig", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow(str(head) for head in heads.values())
        writer.writerows([cell(row[key]) for key in heads] for row in rows)
    finally:
        text.detach()


def _xlsx(out: BinaryIO, heads: Mapping[str, Say], rows: Rows) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet, count = None, 0
    for row in rows:
        if sheet is None or count == SHEET:
            sheet, count = _sheet(book, heads), 1
        sheet.append([_forced(sheet, cell(row[key])) for key in heads])
        count += 1
    if sheet is None:
        _sheet(book, heads)
    book.save(out)


def _sheet(book: Any, heads: Mapping[str, Say]) -> Any:
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    sheet.append([_forced(sheet, str(head)) for head in heads.values()])
    return sheet


def _forced(sheet: Any, text: str) -> Any:
    """A cell that is text whatever it looks like."""
    from openpyxl.cell import WriteOnlyCell

    made = WriteOnlyCell(sheet, _cut(_NOT_XML.sub("", text)))
    made.data_type = "s"
    return made


def _cut(text: str) -> str:
    if len(text) <= CELL // 2 or len(wide := text.encode("utf-16-le")) <= 2 * CELL:
        return text
    return wide[: 2 * (CELL - len(CUT))].decode("utf-16-le", "ignore") + CUT


def cell(value: Any) -> str:
    """A value as a cell of a table: yes or nothing, several one under the other, never a formula."""
    if isinstance(value, bool):
        return str(Say("是")) if value else ""
    if isinstance(value, tuple | list):
        value = "\n".join(map(str_of, value))
    text = "" if value is None else str_of(value)
    return f"'{text}" if _FORMULA.match(text) else text
