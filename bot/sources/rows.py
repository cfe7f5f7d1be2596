"""A table's bytes as rows of strings: CSV, TSV, XLSX, JSON, JSON Lines, a page's table, XML, SQL.

Formulas are never evaluated: an XLSX gives the values its program last stored. What shows that the
table was cut short (an open quotation, a last row that is too short, JSON that breaks off) is refused.
"""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from bot.errors import SourceError
from bot.language import Say
from bot.model import Problem
from bot.sources.decode import ITEMS, LIMIT, decode
from bot.sources.headings import LOOKED_AT, NAMES, normal
from bot.sources.packed import WORKBOOK, checked, is_old, is_zip
from bot.sources.plain import words
from bot.sources.rows_markup import grids
from bot.sources.rows_sql import is_sql, statements
from bot.sources.workbook import Beside, beside

COLUMNS = 100  # of a sheet or text
SHEET_ROWS = 1_048_576  # of XLSX; a row numbered higher is no spreadsheet program's
_MOST = ITEMS + LOOKED_AT + 1
_ERRORS = frozenset(("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "######"))
_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.I)
# JSON that a page fetches as a script: a call of a function, or a variable.
_SCRIPTED = re.compile(
    r"\s*(?:/\*.{0,100}?\*/\s*)?(?:typeof [\w.$ =!'\"&|]+)?"
    r"(?:[\w.$]+\s*\(|(?:(?:var|let|const)\s+)?[\w.$]+\s*=)\s*(?=[\[{])(?P<json>.*[\]}])\s*\)?\s*;?\s*",
    re.S,
)
csv.field_size_limit(LIMIT)


@dataclass(frozen=True)
class Rows:
    """`places`: the rows' numbers as a spreadsheet shows them; JSON has none.

    `whole`: it surely was read to its end.
    """

    rows: list[list[str]]
    places: Sequence[int] = ()
    sheet: str = ""
    whole: bool = True
    problems: tuple[Problem, ...] = ()
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)  # of cells, by place


def tables(body: bytes, content_type: str, sheet: str = "", at: str = "") -> list[Rows]:
    """What may be the table: the sheets of a workbook, a text by each separator, lists of JSON.

    `sheet` and `at` (a path in JSON, a.b.c) name the one. Raises SourceError.
    """
    if is_zip(body) or is_old(body):
        return _workbook(body, sheet)
    decoded = decode(body, content_type)
    text, problems = decoded.text, decoded.problems
    if decoded.encoding == "gb18030" and "\ufffd" not in text:
        problems = ()  # a CSV has no way to declare it
    if not text.strip():
        raise SourceError("目录是空的，没有任何内容")
    if is_sql(text):
        return [Rows(rows, sheet=name, problems=problems) for name, rows in statements(text)]
    if scripted := _SCRIPTED.fullmatch(text):
        text = scripted["json"]
    if text.lstrip()[0] in "{[":
        value = _json(text)
        return [_of_page(_records(found, problems), value) for found in _lists(value, at)]
    if text.lstrip()[0] == "<":
        return [
            Rows(g.rows, g.places, g.name, links=g.links, problems=problems) for g in grids(text)
        ]
    return _separated(text, problems)


# ---------------------------------------------------------------- text


def _separated(text: str, problems: tuple[Problem, ...]) -> list[Rows]:
    if told := _SEPARATOR.match(text):
        return [_csv(text[told.end() :], told[1], problems)]
    head = text[:20_000]
    likely = [mark for mark in "\t,;，|" if mark in head] or [","]
    return [_csv(text, mark, problems) for mark in likely]


def _csv(text: str, mark: str, problems: tuple[Problem, ...]) -> Rows:
    rows, places = _strictly(text, mark)
    if rows is None:
        rows, places = _split(text, mark, strict=False)
        said = Say("引号用法不合规，按最可能的意思读取，请核对")
        problems = (*problems, Problem(str(Say("全文")), str(said)))
    ended = text.endswith(("\n", "\r"))
    _refuse_cut(text, rows, ended)
    if not ended:
        said = Say("最后一行没有换行，可能没有写完；这次不据此判断条目是否撤下")
        problems = (*problems, Problem(str(Say("全文")), str(said)))
    return Rows(rows, places, "", ended, problems)


def _strictly(text: str, mark: str) -> tuple[list[list[str]] | None, list[int]]:
    try:
        return _split(text, mark, strict=True)
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise SourceError("表格不完整：最后一格的引号没有合上") from error
        return None, []


def _split(text: str, mark: str, *, strict: bool) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=strict)
    rows: list[list[str]] = []
    places: list[int] = []
    for row in islice(reader, _MOST):
        rows.append([cell.strip() for cell in row[:COLUMNS]])
        places.append(reader.line_num)
    if next(reader, None) is not None:
        raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    return rows, places


def _refuse_cut(text: str, rows: Sequence[Sequence[str]], ended: bool) -> None:
    """A last row without a line's end is whole only where it is as long as the one before."""
    filled = [len(row) for row in rows if any(row)]
    short = len(filled) > 1 and filled[-1] < filled[-2]
    if not ended and (short or text.endswith("\ufffd")):
        raise SourceError("表格不完整：最后一行只有 {n} 格", n=filled[-1])


# ---------------------------------------------------------------- workbooks


def _workbook(body: bytes, sheet: str) -> list[Rows]:
    """Its visible sheets, or the one named."""
    checked(body, WORKBOOK)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that hold no data
            return list(_sheets(body, sheet))
    except SourceError:
        raise
    except Exception as error:  # what a broken or hostile file makes the library raise is anything
        kind = type(error).__name__
        raise SourceError("工作簿已损坏，读不了（{kind}）", kind=kind) from error


def _sheets(body: bytes, wanted: str) -> Iterator[Rows]:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
    names = [one.title for one in book.worksheets]
    if wanted and wanted not in names:
        there = "、".join(names)
        raise SourceError("工作簿里没有工作表“{name}”，有：{there}", name=wanted, there=there)
    told = beside(body)
    for one in book.worksheets:
        if one.title == wanted or (not wanted and one.sheet_state == "visible"):
            one.reset_dimensions()  # which may be wrong, or a lie
            rows = _sheet(one.title, one.iter_rows(max_col=COLUMNS, values_only=True))
            yield _whole(rows, told.get(one.title, Beside()))


def _whole(rows: Rows, told: Beside) -> Rows:
    """With its links, and in each cell what one that is merged with it says."""
    at = {place: n for n, place in enumerate(rows.places)}
    for (first, column), last in told.spans.items():
        top = rows.rows[at[first]] if first in at else []
        if column >= len(top) or not top[column]:
            continue
        for row in (rows.rows[at[n]] for n in range(first + 1, last + 1) if n in at):
            row += [""] * (column + 1 - len(row))
            row[column] = row[column] or top[column]
    return replace(rows, links=told.links)


def _sheet(title: str, values: Iterable[Sequence[Any]]) -> Rows:
    rows: list[list[str]] = []
    places: list[int] = []
    for n, row in enumerate(values, 1):
        if n > SHEET_ROWS or len(rows) > _MOST:
            raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
        if row.count(None) == len(row):
            continue
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append(cells)
            places.append(n)
    return Rows(rows, places, title)


def _cell(value: Any) -> str:
    """A cell as it reads: days as ISO 8601, whole numbers without a point, errors as nothing."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        return str(int(value))
    text = str(value).strip()
    return "" if text in _ERRORS else text


# ---------------------------------------------------------------- JSON


def _json(text: str) -> Any:
    """A document, or one record a line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _broken(error, error.lineno) from error
    except RecursionError as error:
        raise SourceError("JSON 嵌套过深，不予读取") from error
    except ValueError as error:  # Python converts no number of more than 4300 digits
        raise SourceError("JSON 里有过长的数字，不予读取") from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > ITEMS:
        raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    return [_line(n, line) for n, line in lines]


def _line(n: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise _broken(error, n) from error
    except RecursionError as error:
        raise SourceError("JSON 嵌套过深，不予读取") from error
    except ValueError as error:  # Python converts no number of more than 4300 digits
        raise SourceError("JSON 里有过长的数字，不予读取") from error


def _broken(error: json.JSONDecodeError, line: int) -> SourceError:
    return SourceError(
        "JSON 有误或不完整：第 {line} 行第 {column} 列",
        line=line,
        column=error.colno,
    )


def _lists(value: Any, at: str) -> list[list[Any]]:
    """The lists that may be the catalogue: the value itself, or under keys, three deep."""
    for key in filter(None, at.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            raise SourceError("JSON 里没有 {at}", at=at)
    if isinstance(value, list):
        return [value]
    found: dict[str, list[Any]] = {}
    for name, inner in _inner(value, 3) if isinstance(value, dict) else ():
        found[name] = [*found.get(name, ()), *inner]
    if isinstance(value, dict) and (not found or _is_record(value)):
        found[""] = [value]
    return list(found.values())


def _inner(value: Mapping[str, Any], depth: int) -> Iterator[tuple[str, list[Any]]]:
    """Lists and their names; those of one name are a catalogue in parts."""
    for name, inner in value.items():
        if isinstance(inner, list) and all(isinstance(one, dict) for one in inner):
            yield name, inner
        elif isinstance(inner, dict) and depth:
            yield from _inner(inner, depth - 1)


def _of_page(rows: Rows, value: Any) -> Rows:
    """Told where the answer says that there is more of it on other pages."""
    there = len(rows.rows) - 1
    total = max((n for n in _totals(value, 3)), default=0)
    if total <= there or not there:
        return rows
    said = Say("只读了这一页的 {n} 条，系统说共有 {total} 条", n=there, total=total)
    problems = (*rows.problems, Problem(str(Say("全文")), str(said)))
    return replace(rows, whole=False, problems=problems)


def _totals(value: Any, depth: int) -> Iterator[int]:
    """How many entries an answer says there are."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        if normal(str(name)) in _TOTAL and str(inner).isdecimal():
            yield int(str(inner)[:9])
        elif isinstance(inner, dict) and depth:
            yield from _totals(inner, depth - 1)


_TOTAL = frozenset(
    ["total", "totalcount", "totalelements", "totalrecords", "totalrecord", "totalnum", "totalsize"]
)


def _is_record(value: Mapping[str, Any]) -> bool:
    titles = NAMES["title"].split()
    return any(normal(key) in titles and isinstance(v, str) for key, v in value.items())


def _records(found: Sequence[Any], problems: tuple[Problem, ...]) -> Rows:
    """Records as rows under the keys that any of them has."""
    if len(found) > ITEMS:
        raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    flat = [_flat(one) if isinstance(one, dict) else {} for one in found]
    heads = list(dict.fromkeys(key for one in flat for key in one))[:COLUMNS]
    if strays := sum(not isinstance(one, dict) for one in found):
        said = Say("有 {n} 个成员不是条目，已略去", n=strays)
        problems = (*problems, Problem(str(Say("全文")), str(said)))
    rows = [heads, *([one.get(head, "") for head in heads] for one in flat)]
    return Rows(rows, problems=problems)


def _flat(record: Mapping[str, Any]) -> dict[str, str]:
    """A record's members, and those of members that are objects, which never cover its own."""
    own: dict[str, str] = {}
    inner: dict[str, str] = {}
    for key, value in record.items():
        inner |= dict(_labelled(value)) if isinstance(value, list) else {}
        if not isinstance(value, dict) or normal(str(key)) in NAMES["attachments"].split():
            own[str(key)] = _said(value)
        elif name := _named(value):
            own[str(key)] = name
        else:
            inner |= {str(k): _said(v) for k, v in value.items()}
    return inner | own


def _labelled(value: list[Any]) -> Iterator[tuple[str, str]]:
    """What a record's list of labels and values says, though the list is in another's member:
    [{"resultList": [{"key": "wh", "name": "文号", "value": "国发〔2026〕1号"}]}]."""
    for one in (one for one in value if isinstance(one, dict)):
        label = next((one[k] for k in ("name", "label", "key") if isinstance(one.get(k), str)), "")
        if label and isinstance(one.get("value"), str):
            yield label, _said(one["value"])
        for inner in one.values():
            yield from _labelled(inner) if isinstance(inner, list) else ()


def _named(value: Mapping[str, Any]) -> str:
    """What an object says that merely names something: {"id": 3, "name": "政务公开"}."""
    if not value.keys() <= {"id", "code", "name", "label", "value", "text"}:
        return ""
    return next((_said(value[k]) for k in ("name", "label", "text", "value") if value.get(k)), "")


def _said(value: Any) -> str:
    """A member as a string; attachments and the like stay JSON, for who knows them."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return words(value) if "\n" not in value else value.strip()
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return "\n".join(map(str, value))
    if isinstance(value, list | dict):
        return (_named(value) if isinstance(value, dict) else "") or json.dumps(
            value, ensure_ascii=False
        )
    return str(value)
