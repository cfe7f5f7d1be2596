"""What a workbook says beside its cells' values: the links they bear, and which are merged.

Where a title is a link, its address stands in no cell; of merged cells only the first has a value.
The library that reads the cells one after the other tells neither; they stand in parts of their own
(ECMA-376 part 1, §18.3.1.47 and .55), which are small and are read here.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from itertools import islice
from zipfile import BadZipFile, ZipFile

from bot.sources.decode import LIMIT

_ELEMENT = r"<(?:\w+:)?{}\b([^<>]*)>"
_LINK, _SHEET, _RELATION, _MERGED = (
    re.compile(_ELEMENT.format(n)) for n in ("hyperlink", "sheet", "Relationship", "mergeCell")
)
_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})\b")
_SPAN = re.compile(r"([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})")
_MANY = 20_000  # merged cells of a sheet


@dataclass(frozen=True)
class Beside:
    """Rows are counted as they are shown, columns from 0."""

    links: dict[tuple[int, int], str] = field(default_factory=dict)
    spans: dict[tuple[int, int], int] = field(default_factory=dict)  # first cell → last row


def beside(body: bytes) -> dict[str, Beside]:
    """By sheet; none of a sheet whose parts are broken or large."""
    try:
        with ZipFile(io.BytesIO(body)) as archive:
            return dict(_sheets(archive))
    except (BadZipFile, KeyError, OSError, ValueError, NotImplementedError):
        return {}


def _sheets(archive: ZipFile) -> Iterator[tuple[str, Beside]]:
    paths = _relations(archive, "xl/workbook.xml")
    for sheet in _attributes(_SHEET, _text(archive, "xl/workbook.xml")):
        if path := paths.get(_last(sheet, "id"), ""):
            text, targets = _text(archive, path), _relations(archive, path)
            links = dict(_cells(text, targets)) if targets else {}
            yield sheet.get("name", ""), Beside(links, dict(_spans(text)))


def _spans(sheet: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Cells that are merged with those below them."""
    merged = _attributes(_MERGED, sheet[max(sheet.rfind("</sheetData>"), 0) :])
    for span in islice(merged, _MANY):
        found = _SPAN.fullmatch(span.get("ref", ""))
        if found and int(found[3]) > int(found[2]):
            yield (int(found[2]), _column(found[1])), int(found[3])


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
