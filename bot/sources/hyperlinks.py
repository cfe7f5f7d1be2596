"""The links that a workbook's cells bear: where a title is a link, its address stands in no cell.

The library that reads the cells one after the other does not tell them; they stand in parts of their
own (ECMA-376 part 1, §18.3.1.47), which are small and are read here.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator
from html import unescape
from zipfile import BadZipFile, ZipFile

from bot.sources.decode import LIMIT

_ELEMENT = r"<(?:\w+:)?{}\b([^<>]*)>"
_LINK, _SHEET, _RELATION = (
    re.compile(_ELEMENT.format(n)) for n in ("hyperlink", "sheet", "Relationship")
)
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})\b")
Cells = dict[tuple[int, int], str]  # row as it is shown, column from 0 → address


def hyperlinks(body: bytes) -> dict[str, Cells]:
    """By sheet; none of a sheet whose parts are broken or large."""
    try:
        with ZipFile(io.BytesIO(body)) as archive:
            return {title: cells for title, cells in _sheets(archive) if cells}
    except (BadZipFile, KeyError, OSError, ValueError, NotImplementedError):
        return {}


def _sheets(archive: ZipFile) -> Iterator[tuple[str, Cells]]:
    paths = _relations(archive, "xl/workbook.xml")
    for sheet in _attributes(_SHEET, _text(archive, "xl/workbook.xml")):
        path = paths.get(_last(sheet, "id"), "")
        targets = _relations(archive, path) if path else {}
        if targets:
            yield sheet.get("name", ""), dict(_cells(_text(archive, path), targets))


def _cells(sheet: str, targets: dict[str, str]) -> Iterator[tuple[tuple[int, int], str]]:
    begin = sheet.rfind("hyperlinks>", 0, sheet.rfind("hyperlinks>"))
    for link in _attributes(_LINK, sheet[max(begin, 0) :]):
        at, address = _CELL.match(link.get("ref", "")), targets.get(_last(link, "id"), "")
        if at and address.startswith(("http://", "https://")):
            yield (int(at[2]), _column(at[1])), address


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _relations(archive: ZipFile, path: str) -> dict[str, str]:
    """Of a part: identifier → address, or path where it is a part of this file."""
    folder, name = posixpath.split(path)
    part = f"{folder}/_rels/{name}.rels"
    if part not in archive.NameToInfo:
        return {}
    found = _attributes(_RELATION, _text(archive, part))
    return {
        one.get("Id", ""): one.get("Target", "")
        if one.get("TargetMode") == "External"
        else posixpath.normpath(posixpath.join(f"/{folder}", one.get("Target", ""))).lstrip("/")
        for one in found
    }


def _text(archive: ZipFile, part: str) -> str:
    if archive.getinfo(part).file_size > LIMIT:
        return ""
    return archive.read(part).decode("utf-8", "replace")


def _attributes(element: re.Pattern[str], text: str) -> Iterator[dict[str, str]]:
    for found in element.finditer(text):
        pairs = _ATTRIBUTE.findall(found[1])
        yield {name: unescape(double or single) for name, double, single in pairs}


def _last(attributes: dict[str, str], name: str) -> str:
    """An attribute that stands in a namespace, whatever its prefix."""
    return next((v for k, v in attributes.items() if k.endswith(f":{name}")), "")
