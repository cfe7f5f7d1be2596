"""A status's HTML as the text that a reader sees, and texts held to one another."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote


def essence(text: str) -> str:
    """Letters and digits alone, in one form: what no server changes when it shows a text."""
    text = unquote(unicodedata.normalize("NFKC", unescape(text))).casefold()  # snac escapes nothing
    text = re.sub(r"(@[\w.-]+)@[\w.-]+(?::\d+)?", r"\1", text)  # a mention may lose its host
    return re.sub(r"[\W_]+", "", text) or "".join(text.split())


def plain(content: str) -> str:
    """HTML as plain text: paragraphs as blank lines, links whole, mentions and tags as shown."""
    reader = _Reader()
    reader.feed(content)
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.parts)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._link: tuple[int, str] | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            self._link = (len(self.parts), values.get("href") or "")
        elif tag == "img":
            self.parts.append(values.get("alt") or "")
        elif tag in ("br", "li", "div"):
            self.parts.append("\n")
        elif tag in ("p", "blockquote", "pre", "ul", "ol"):
            self.parts.append("\n\n")
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0
        if tag == "a" and self._link:
            start, href = self._link
            before, shown = "".join(self.parts[start - 1 : start]), "".join(self.parts[start:])
            written = shown if before.endswith(("@", "#")) else _link(shown, href)
            self.parts[start:] = [written]
            self._link = None

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _link(shown: str, href: str) -> str:
    """A link as it was written: whole where its text is a piece of it, else text and link."""
    if shown.startswith(("@", "#", "＃")) or not href.startswith(("http://", "https://")):
        return shown
    pieces = re.split("…|\\.{3}", shown.strip())
    if all(unquote(piece) in unquote(href) for piece in pieces):
        return href
    return f"{shown} {href}"
