"""The documents that come with the program as pages: of Markdown as much as they are written in."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

from markupsafe import Markup

_PIECE = re.compile(
    r"^```\w*\n(?P<code>.*?)^```[ ]*$"
    r"|^(?P<level>\#{1,4})[ ]+(?P<title>[^\n]+)$"
    r"|(?P<table>(?:^\|[^\n]*(?:\n|\Z))+)",
    re.M | re.S,
)
_FOLD = re.compile(r"(?<!\n)\n[ \t]*(?![\s\-*>|]|\d+\. )")  # a line broken for the file's width
_SPAN = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*"
    r"|\[(?P<word>[^\]]+)\]\((?:(?P<doc>[a-z]+)\.md)?(?P<part>#[\w-]+)?\)"
)
_CELL = re.compile(r"(?<!\\)\|")


def parts(text: str, known: Container[str]) -> list[dict[str, Any]]:
    """What stands under each heading: text, code and tables; headings keep the names links use.

    `known`: the documents that can be linked to.
    """
    found: list[dict[str, Any]] = [{"level": 0, "title": "", "id": "", "pieces": []}]
    at = 0
    for piece in _PIECE.finditer(text):
        found[-1]["pieces"] += _prose(text[at : piece.start()], known)
        at = piece.end()
        if piece["title"]:
            title = piece["title"].replace("`", "")
            found.append(
                {"level": len(piece["level"]), "title": title, "id": _slug(title), "pieces": []}
            )
        elif piece["table"]:
            found[-1]["pieces"].append({"rows": _rows(piece["table"], known)})
        else:
            found[-1]["pieces"].append({"code": piece["code"].rstrip()})
    found[-1]["pieces"] += _prose(text[at:], known)
    return found


def _prose(text: str, known: Container[str]) -> Iterator[dict[str, Any]]:
    if text := text.strip("\n"):
        yield {"text": _spans(_FOLD.sub(" ", text), known)}


def _rows(table: str, known: Container[str]) -> list[list[Markup]]:
    """The cells of each row, the headings first; the rule beneath them is left out."""
    lines = [line.strip()[1:].removesuffix("|") for line in table.strip().splitlines()]
    return [
        [_spans(cell.strip().replace(r"\|", "|"), known) for cell in _CELL.split(line)]
        for line in lines
        if line.strip("-:| ")
    ]


def _spans(text: str, known: Container[str]) -> Markup:
    """Code, weight and the links between the documents; everything else as it is written."""
    out, at = Markup(""), 0
    for span in _SPAN.finditer(text):
        out += text[at : span.start()]
        at = span.end()
        place = (f"/settings/docs/{span['doc']}" if span["doc"] in known else "") + (
            span["part"] or ""
        )
        if span["code"]:
            out += Markup("<code>{}</code>").format(span["code"])
        elif span["bold"]:
            out += Markup("<b>{}</b>").format(_spans(span["bold"], known))
        else:
            out += Markup('<a href="{}">{}</a>').format(place, span["word"]) if place else span[0]
    return out + text[at:]


def _slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
