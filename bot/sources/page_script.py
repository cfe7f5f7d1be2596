"""Lists that a page keeps as JSON in a script and shows only where scripts run.

Records that have a title, an address and a date are made the rows of a list, as if they stood in the
page. What is no JSON (names without quotation marks, calls) is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from bot.errors import SourceError
from bot.sources.headings import find

_SCRIPT = re.compile(r"<script\b[^<>]*>(.*?)</script\s*>", re.S | re.I)
_RECORDS = re.compile(r"\[\s*(?=\{\s*\")")
_TRAILING = re.compile(r",(\s*[\]}])")  # a comma that scripts allow and JSON does not
_MOST = 20  # places in a page that could be records
_FEW = 2  # records that are a list
_DECODER = json.JSONDecoder()


def rows_of(text: str) -> str:
    """The rows as markup, of the longest list; empty where there is none."""
    lists = [list(_rows(found)) for found in _found(text)]
    longest = max(lists, key=len, default=[])
    return "".join(longest) if len(longest) >= _FEW else ""


def _found(text: str) -> Iterator[list[Any]]:
    tried = 0
    for script in _SCRIPT.finditer(text):
        code, at = _TRAILING.sub(r"\1", script[1]), 0
        while tried < _MOST and (begin := _RECORDS.search(code, at)):
            tried, at = tried + 1, begin.end()
            try:
                value, at = _DECODER.raw_decode(code, begin.start())
            except (ValueError, RecursionError):
                continue
            yield value


def _rows(records: list[Any]) -> Iterator[str]:
    whole = [one for one in records if isinstance(one, dict)]
    heads = list(dict.fromkeys(str(key) for one in whole for key in one))
    try:
        of = find([heads], {}).of
    except SourceError:
        return
    names = {
        field: [heads[n] for n in of.get(field, ())] for field in ("title", "link", "published")
    }
    for record in whole:
        title, link, date = (_first(record, names[field]) for field in names)
        if title and link and date:
            yield f'<li><a href="{escape(link)}">{escape(title)}</a><span>{escape(date)}</span></li>'


def _first(record: Mapping[str, Any], names: list[str]) -> str:
    values = (record.get(name) for name in names)
    return next((str(value).strip() for value in values if isinstance(value, str) and value), "")
