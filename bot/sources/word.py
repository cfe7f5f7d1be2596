"""DOCX as lines: what a reader of the printed page sees, in order.

Text boxes (where the 发文机关标志 often stands) come first, tables row by row. Left out is what a page
does not show: deleted passages, hidden text, comments. Numbers that Word itself puts before
paragraphs are not in the text and are told.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from bot.errors import SourceError
from bot.language import Say
from bot.sources.document import Line
from bot.sources.packed import DOCUMENT, checked

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_UNSEEN = {f"{_W}del", f"{_W}moveFrom", f"{_W}txbxContent", f"{_W}instrText", _FALLBACK}
_GAPS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_OFF = ("0", "false", "off", "none")


def read_word(body: bytes) -> tuple[list[Line], tuple[Say, ...]]:
    """The lines and what was odd. Raises SourceError."""
    checked(body, DOCUMENT)
    try:
        from docx import Document

        root: Any = Document(io.BytesIO(body)).element.body
        lines = [*_boxes(root), *_lines(root)]
    except SourceError:
        raise
    except Exception as error:  # what a broken or hostile file makes the library raise is anything
        kind = type(error).__name__
        raise SourceError("文档已损坏，读不了（{kind}）", kind=kind) from error
    return lines, tuple(_odd(root))


def _boxes(root: Any) -> Iterator[Line]:
    for box in root.iter(f"{_W}txbxContent"):
        if not any(above.tag == _FALLBACK for above in box.iterancestors()):
            yield from _lines(box)


def _lines(parent: Any) -> Iterator[Line]:
    """The paragraphs of a body or a cell; a row of a table is one line."""
    for child in parent:
        if child.tag == f"{_W}p":
            yield from _paragraph(child)
        elif child.tag == f"{_W}tbl":
            yield from filter(lambda line: line.text, map(_row, child.iter(f"{_W}tr")))
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _lines(child)


def _row(row: Any) -> Line:
    cells = (" ".join(line.text for line in _lines(cell)) for cell in row.iter(f"{_W}tc"))
    return Line("　".join(text for text in cells if text))


def _paragraph(paragraph: Any) -> Iterator[Line]:
    set_as = paragraph.find(f"{_W}pPr/{_W}jc")
    how = set_as.get(f"{_W}val") if set_as is not None else ""
    for text in _seen(paragraph).split("\n"):
        if text.strip():
            yield Line(text.strip(), how == "center", how in ("right", "end"))


def _seen(node: Any) -> str:
    if node.tag in _UNSEEN or (node.tag == f"{_W}r" and _hidden(node)):
        return ""
    if node.tag == f"{_W}t":
        return node.text or ""
    return _GAPS.get(node.tag, "") + "".join(map(_seen, node))


def _hidden(run: Any) -> bool:
    mark = run.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(f"{_W}val", "true") not in _OFF


def _odd(root: Any) -> Iterator[Say]:
    if next(root.iter(f"{_W}ins", f"{_W}del"), None) is not None:
        yield Say("文档里有未接受的修订，已按全部接受读取；请定稿后再放入")
    if any(map(_hidden, root.iter(f"{_W}r"))):
        yield Say("文档里有隐藏文字，未予读取")
    if next(root.iter(f"{_W}numPr"), None) is not None:
        yield Say("文档用了自动编号，读出的正文里没有这些序号")
