"""Lists that a page keeps as JSON in a script and shows only where scripts run.

Records that have a title, an address and a date are made the rows of a list, as if they stood in the
page; names may lack their quotation marks, as scripts allow. What is made up by calls is left alone.
The other way about, an answer in JSON may hold a piece of a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from html import escape
from typing import Any

from bot.errors import SourceError
from bot.sources.headings import find
from bot.sources.page_tree import RECORD

_SCRIPT = re.compile(r"<script\b[^<>]*>(.*?)</script\s*>", re.S | re.I)
_RECORDS = re.compile(r"\[\s*(?=\{\s*[\"'A-Za-z_])")
_LITERAL = re.compile(
    r"""'((?:[^'\\\n]|\\.)*)'|"(?:[^"\\\n]|\\.)*"|(?<![\w$])([A-Za-z_$][\w$]*)(?=\s*:)"""
)  # a script's strings, and names without quotation marks
_LINKED = re.compile(r"""(?:url|link|href)["']?\s*:""", re.I)
_FIRST = 500  # characters of a list in which its first record tells where it leads
_LONGEST = 200_000  # characters of a list that is no JSON
_TRAILING = re.compile(r",(\s*[\]}])")  # a comma that scripts allow and JSON does not
_STRING = re.compile(
    r"""(?P<joined>\+\s{0,20})?(?:'((?:[^'\\\n]|\\.)*+)'|"((?:[^"\\\n]|\\.)*+)")"""
)
_PLUS = re.compile(r"\s*\+")
_LINK = re.compile(r"<a\b[^<>]*\bhref\s*=[^<>]*>", re.I)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_FAR = 2_000  # characters of a script in which it shows whether it holds such an answer
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
            with suppress(ValueError, RecursionError):
                value, at = _decoded(code, begin.start())
                yield value


def _decoded(code: str, begin: int) -> tuple[Any, int]:
    """The value that begins there, and where it ends. Raises ValueError where none does."""
    if code[begin + 1 :].lstrip()[1:].lstrip()[:1] == '"':
        return _DECODER.raw_decode(code, begin)
    if not _LINKED.search(code, begin, begin + _FIRST):
        raise ValueError
    loose = _LITERAL.sub(_quoted, code[begin : begin + _LONGEST])
    return _DECODER.raw_decode(loose)[0], begin + 1


def _quoted(part: re.Match[str]) -> str:
    if part[2]:
        return f'"{part[2]}"'
    return part[0] if part[1] is None else json.dumps(re.sub(r"\\(.)", r"\1", part[1]))


def strings_of(text: str) -> str:
    """The markup that scripts put into the page as it stands: the rows of 大汉's answers, strings
    that hold whole links. What a string is put together with is not known, so such are left out."""
    found: list[str] = []
    for script in _SCRIPT.finditer(text):
        code = script[1]
        if "<datastore" in code[:_FAR] or "<record>" in code[:_FAR]:
            found += RECORD.findall(_unescaped(code) if "\\" in code else code)
        elif "<a" in code or "<A" in code:
            found += filter(_has_link, map(_unescaped, _whole_strings(code)))
    return "".join(found)


def _has_link(text: str) -> bool:
    """Whether a link stands whole in it."""
    begun = _LINK.search(text)
    return begun is not None and "</a" in text[begun.end() :].lower()


def _whole_strings(code: str) -> Iterator[str]:
    """Strings that no other is put before or behind; `s += '…'` is none of these."""
    for part in _STRING.finditer(code):
        if not part["joined"] and not _PLUS.match(code, part.end()):
            yield part[2] if part[2] is not None else part[3]


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(escape: re.Match[str]) -> str:
    if len(escape[1]) == 5:
        return chr(int(escape[1][1:], 16))
    return " " if escape[1] in "nrt" else escape[1]


def markup_in(text: str) -> str:
    """The page that an answer in JSON holds, where it holds no records; else the text itself."""
    if text.lstrip()[:1] != "{" or "<" not in text:
        return text
    try:
        held = [*_pieces(json.loads(text))]
    except (ValueError, RecursionError):
        return text
    longest = max(held, key=len, default="") if all(held) else ""
    return longest if "<a" in longest else text


def _pieces(value: Mapping[str, Any]) -> Iterator[str]:
    """The markup in an object and in those within; nothing as one for records."""
    for inner in value.values():
        if isinstance(inner, dict):
            yield from _pieces(inner)
        elif isinstance(inner, list) and any(isinstance(one, dict) for one in inner):
            yield ""
        elif isinstance(inner, str) and inner.lstrip()[:1] == "<":
            yield inner


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
