"""A table of messages as an office keeps or gets one: CSV or XLSX, with a row of headings somewhere
at its top. Which column is which is guessed by its heading, or told."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from bot.errors import Invalid, reason_of
from bot.language import Say
from bot.text import decoded

MOST = 50 * 1024 * 1024  # bytes
UNPACKED = 200_000_000  # bytes of all parts of an XLSX
ROWS = 100_000
TOP = 10  # rows among which the headings are looked for
HEADS: Mapping[str, tuple[str, ...]] = {  # what each column is called, the surest first
    "text": ("诉求内容", "来信内容", "留言内容", "反映内容", "信件内容", "问题描述", "内容", "正文",
             "text", "content", "message"),
    "at": ("来电时间", "来信时间", "留言时间", "诉求时间", "提交时间", "受理时间", "登记时间",
           "来信日期", "受理日期", "登记日期", "时间", "日期", "at", "time", "date"),
    "id": ("工单编号", "工单号", "受理编号", "受理号", "信件编号", "件号", "编号", "id", "number"),
    "title": ("诉求标题", "信件标题", "来信主题", "标题", "主题", "title", "subject"),
    "author": ("诉求人", "来信人", "留言人", "来电人", "反映人", "姓名", "昵称", "称呼", "author", "name"),
    "url": ("链接", "网址", "url", "link"),
    "post": ("稿件编号", "稿件", "post"),
}  # fmt: skip
NEEDED = {"text": Say("留言内容"), "at": Say("留言时间")}


@dataclass(frozen=True)
class Row:
    """One message; `number` as a spreadsheet counts rows. Values as they stand, by HEADS."""

    number: int
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if isinstance(value, float) and value.is_integer():  # 12.0: a spreadsheet's way to say 12
            value = int(value)
        return "" if value is None else str(value).strip()


@dataclass(frozen=True)
class Table:
    """`names`: what each column used is called in the file; `unused`: the headings left aside."""

    rows: tuple[Row, ...]
    names: Mapping[str, str]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """A table before it is taken in: its headings, what each column is guessed to be, its top."""

    heads: tuple[str, ...]
    names: Mapping[str, str]
    top: tuple[tuple[str, ...], ...]
    rows: int


def read(file: Path, told: Mapping[str, str]) -> Table:
    """`told`: headings by HEADS' names, where guessing is not wanted; empty: no column is it.

    Raises Invalid.
    """
    cells = _cells(file)
    top = _top(cells, told)
    heads = cells[top] if cells else []
    columns = _columns(heads, told)
    _all_there(file, heads, columns, told)
    rows = tuple(
        Row(n, {name: _at(line, where) for name, where in columns.items()})
        for n, line in _filled(cells, top)
    )
    used = set(columns.values())
    unused = [
        str(head) for n, head in enumerate(heads) if n not in used and str(head or "").strip()
    ]
    return Table(rows, _names(heads, columns), tuple(unused))


def preview(file: Path, n: int = 5) -> Preview:
    """A table to be looked at, with its first `n` rows. Raises Invalid for what is no table."""
    cells = _cells(file)
    top = _top(cells, {})
    heads = cells[top] if cells else []
    lines = [[_shown(_at(line, n)) for n in range(len(heads))] for _, line in _filled(cells, top)]
    names = _names(heads, _columns(heads, {}))
    plain = tuple(_shown(head) for head in heads)
    return Preview(plain, names, tuple(map(tuple, lines[:n])), len(lines))


def texts(file: Path) -> list[list[str]]:
    """Every cell of a table as text, row by row. Raises as `read`."""
    return [[_shown(cell) for cell in line] for line in _cells(file)]


def _cells(file: Path) -> list[list[Any]]:
    try:
        if file.stat().st_size > MOST:
            raise Invalid("文件超过 {n} MB", n=MOST >> 20)
        lines = _sheet(file) if file.suffix.lower() in (".xlsx", ".xlsm") else _csv(file)
        cells = [list(line) for line in islice(lines, ROWS + 1)]
    except OSError as error:
        raise Invalid("读不到 {file}：{why}", file=file.name, why=reason_of(error)) from None
    except (BadZipFile, KeyError, ValueError, EOFError, SyntaxError, csv.Error):
        raise Invalid("{file} 不是完好的 CSV 或 XLSX 表格", file=file.name) from None
    if len(cells) > ROWS:
        raise Invalid("{file} 超过 {n} 行，请分成几份", file=file.name, n=ROWS)
    return cells


def _top(cells: Sequence[Sequence[Any]], told: Mapping[str, str]) -> int:
    """The row of headings: of the first ones, that in which most columns are known."""
    return max(range(min(TOP, len(cells))), key=lambda n: len(_columns(cells[n], told)), default=0)


def _filled(cells: Sequence[Sequence[Any]], top: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows below the headings that hold anything, as a spreadsheet numbers them."""
    for number, line in enumerate(cells[top + 1 :], top + 2):
        if any(str(cell or "").strip() for cell in line):
            yield number, line


def _names(heads: Sequence[Any], columns: Mapping[str, int]) -> dict[str, str]:
    return {name: str(heads[where]).strip() for name, where in columns.items()}


def _shown(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _at(line: Sequence[Any], where: int) -> Any:
    return line[where] if where < len(line) else None


def _all_there(
    file: Path, heads: Sequence[Any], columns: Mapping[str, int], told: Mapping[str, str]
) -> None:
    """Raises Invalid naming what is not found, and what is."""
    there = "、".join(str(head) for head in heads if str(head or "").strip()) or "—"
    for name, head in told.items():
        if name not in HEADS:
            raise Invalid("--column 的名字只能是 {names}", names="、".join(HEADS))
        if head and name not in columns:
            raise Invalid(
                "{file} 没有“{head}”一列；有：{there}", file=file.name, head=head, there=there
            )
    for name, what in NEEDED.items():
        if name not in columns:
            raise Invalid(
                "{file} 认不出哪一列是{what}；用 --column {name}=列名 指明；有：{there}",
                file=file.name,
                what=what,
                name=name,
                there=there,
            )


def _columns(heads: Sequence[Any], told: Mapping[str, str]) -> dict[str, int]:
    """Which column is which: as told, else by its whole heading, else by a part of it."""
    plain = [_plain(head) for head in heads]
    named = {name: _plain(head) for name, head in told.items() if head}
    found = {name: plain.index(head) for name, head in named.items() if head in plain}
    for whole in (True, False):
        for name, words in HEADS.items():
            if name not in found and name not in told:
                free = [(n, head) for n, head in enumerate(plain) if n not in found.values()]
                where = next(
                    (n for word in words for n, head in free if _is(head, word, whole)), None
                )
                if where is not None:
                    found[name] = where
    return found


def _is(head: str, word: str, whole: bool) -> bool:
    return head == word if whole else len(word) > 1 and not word.isascii() and word in head


def _plain(head: Any) -> str:
    """Without brackets and what stands in them, blanks, marks and case."""
    text = unicodedata.normalize("NFKC", str(head or "")).lower()
    return re.sub(r"[\s*:：]", "", re.sub(r"[(（【\[].*?[)）】\]]", "", text))


def _sheet(file: Path) -> Iterator[Sequence[Any]]:
    """The first sheet."""
    from openpyxl import load_workbook

    _refuse_bomb(file)
    book = load_workbook(file, read_only=True, data_only=True)
    try:
        yield from book.worksheets[0].iter_rows(values_only=True)
    finally:
        book.close()


def _refuse_bomb(file: Path) -> None:
    """What the header of a part promises is all that is ever unpacked of it."""
    with ZipFile(file) as book:
        if sum(part.file_size for part in book.infolist()) > UNPACKED:
            raise Invalid("{file} 解压后超过 {n} MB，不予读取", file=file.name, n=UNPACKED // 10**6)


def _csv(file: Path) -> Iterator[Sequence[Any]]:
    text = decoded(file.read_bytes())
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = max(",;\t，", key=first.count)
    yield from csv.reader(io.StringIO(text, newline=""), delimiter=mark)


# ---------------------------------------------------------------- times

_TIME = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"(?:[\sT]*(\d{1,2})\s*[:：时点]\s*(\d{1,2})?\s*分?(?:\s*[:：]?\s*(\d{1,2})(?:\.\d+)?\s*秒?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)


def moment(value: Any, zone: tzinfo) -> datetime | None:
    """A cell as an instant, on the office's clock where it names no zone; None for one that is none.

    A day without an hour begins it: what is not known is not made up.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        return _in_utc(value if value.tzinfo else value.replace(tzinfo=zone))
    match = _TIME.fullmatch(unicodedata.normalize("NFKC", str(value or "")).strip())
    if not match:
        return None
    parts = [int(part or 0) for part in match.groups()[:6]]
    try:
        at = datetime(*parts).replace(tzinfo=zone)  # type: ignore[arg-type]
        stated = match[7]
        return _in_utc(datetime.fromisoformat(f"{at:%Y-%m-%dT%H:%M:%S}{stated}") if stated else at)
    except ValueError:
        return None


def _in_utc(at: datetime) -> datetime | None:
    """None at the very ends of the calendar, where another zone has no such day."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return None
