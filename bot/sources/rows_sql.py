"""The rows of a database's dump: what its INSERT statements say, under the columns they name.

Strings are read as MySQL writes them, whose dumps are those that are seen: a backslash makes the next
character another, a doubled quotation mark is one. A dump that breaks off inside a row is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.errors import SourceError

_BEGIN = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/;?)*(?:INSERT\s+INTO|CREATE\s+(?:TABLE|DATABASE)|DROP\s+TABLE|LOCK\s+TABLES"
    r"|SET\s+(?:NAMES|FOREIGN|SQL|@)|USE\s+`|BEGIN\b|START\s+TRANSACTION)",
    re.S | re.I,
)
_NAME = r"[`\"\[]?[\w.$]+[`\"\]]?(?:\.[`\"\[]?[\w$]+[`\"\]]?)?"
_INSERT = re.compile(
    rf"^[ \t]*INSERT\s+(?:IGNORE\s+)?INTO\s+(?P<table>{_NAME})\s*(?:\((?P<columns>[^()']*)\))?\s*VALUES\s*",
    re.I | re.M,
)
_CREATE = re.compile(
    rf"^[ \t]*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<table>{_NAME})\s*\(", re.I | re.M
)
_COLUMN = re.compile(r"^\s*[`\"\[](\w+)[`\"\]]\s+\w", re.M)
_STRING = r"(?:N|_\w+ )?'(?P<string>(?:[^'\\]|\\.|'')*+)'"
_VALUE = re.compile(rf"\s*(?:{_STRING}|(?P<bare>[^\s,()']+(?:\([^()']*\))?))\s*(?P<end>[,)])", re.S)
_ESCAPE = re.compile(r"\\(.)|''", re.S)
_MEANS = {"n": "\n", "r": "\r", "t": "\t", "0": "", "b": "", "Z": ""}


def is_sql(text: str) -> bool:
    return bool(_BEGIN.match(text))


def statements(text: str) -> list[tuple[str, list[list[str]]]]:
    """Each table's name and its rows, its columns' names the first. Raises SourceError."""
    found: dict[str, list[list[str]]] = {}
    at = 0
    while insert := _INSERT.search(text, at):
        table = insert["table"].strip('`"[]')
        heads = _names(insert["columns"]) if insert["columns"] else _created(text, table)
        rows = found.setdefault(table, [heads])
        at = insert.end()
        while text[at : at + 1] == "(":
            row, at = _row(text, at + 1)
            rows.append(row)
            at = _behind(text, at)
    if not found:
        raise SourceError("SQL 导出里没有数据（没有 INSERT 语句）")
    return list(found.items())


def _row(text: str, at: int) -> tuple[list[str], int]:
    """The values of one row, and where the next would begin."""
    row: list[str] = []
    while value := _VALUE.match(text, at):
        row.append(_said(value))
        at = value.end()
        if value["end"] == ")":
            return row, at
    line = text.count("\n", 0, at) + 1
    raise SourceError("SQL 导出不完整或有误：第 {line} 行", line=line)


def _said(value: re.Match[str]) -> str:
    if value["string"] is not None:
        return _ESCAPE.sub(_meant, value["string"]).strip()
    return "" if value["bare"].lower() == "null" else value["bare"]


def _meant(escape: re.Match[str]) -> str:
    return _MEANS.get(escape[1], escape[1]) if escape[1] else "'"


def _behind(text: str, at: int) -> int:
    """Past the comma between two rows."""
    comma = re.compile(r"\s*,\s*").match(text, at)
    return comma.end() if comma else at


def _names(columns: str) -> list[str]:
    return [name.strip().strip('`"[]') for name in columns.split(",")]


def _created(text: str, table: str) -> list[str]:
    """The columns that CREATE TABLE names, where INSERT names none."""
    for create in _CREATE.finditer(text):
        if create["table"].strip('`"[]') == table:
            return list(_columns(text[create.end() : create.end() + 20_000].partition(";")[0]))
    return []


def _columns(definition: str) -> Iterator[str]:
    for found in _COLUMN.finditer(definition):
        yield found[1]
