"""Markup as plain text: what a person would read of it, paragraphs as newlines.

Tags are taken out by pattern, not by building a tree: the result is text and never markup again,
and it is twice as fast. Every pattern stops at the next `<`, so hostile input costs linear time.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

# Elements that begin and end a line, the usual ones first; and those that do not.
_BLOCK_NAMES = (
    "p br div li tr ul ol h1 h2 h3 h4 h5 h6 hr table tbody thead tfoot dl dt dd pre center section "
    "address article aside blockquote fieldset figcaption figure footer form header main nav option"
)
_INLINE_NAMES = (
    "a abbr acronym applet area audio b base basefont bdo big blink body button canvas caption cite "
    "code col colgroup data del details dfn em embed font frame frameset head html i iframe img "
    "input ins kbd label legend link map mark marquee meta nobr object param q rp rt ruby s samp "
    "script select small source span strike strong style sub summary sup svg td textarea th time "
    "title tt u var video wbr"
)
_BLOCKS = dict.fromkeys(_BLOCK_NAMES.split())
_KNOWN = _BLOCKS.keys() | _INLINE_NAMES.split()
_REST = r"""(?:[^<>"']*+(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*+)*+>|[^<>]*>)"""
# Spelled out in each case, a third of the time of a pattern that ignores case; the usual inline
# tags (a, i, img, span, strong) are turned away before the list is tried.
_CASES = "|".join(case(name) for case in (str.lower, str.upper, str.title) for name in _BLOCKS)
_NOT_INLINE = "(?![iI]|[aA](?![rsdRSD])|[sS](?![eE]))"
_BREAK = re.compile(rf"</?{_NOT_INLINE}(?:{_CASES})(?![\w:-]){_REST}")
_CELL = re.compile(r"</[tT][dDhH]\s*>")
_TAG = re.compile(rf"<[A-Za-z/!?]{_REST}")
_NAMED_TAG = re.compile(rf"</?([A-Za-z][\w:-]*){_REST}|<[/!?]{_REST}")
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b[^<>]*(?<!/)>.*?(?:</\1\s*>|\Z)", re.S | re.I
)
_MAY_HIDE = re.compile("<(?:!--|[sS][cCtT][rRyY])")
_CUT_TAG = re.compile(r"<(?:/[a-zA-Z]*|[a-zA-Z]+\s[^<>]*=[^<>]*)\Z")
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60"
_IS_WIDE = re.compile(f"[{_WIDE}]")
# Joiners are kept where they belong (emoji, Arabic), taken out beside Chinese.
_UNSEEN = re.compile(
    "[\x80-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    f"|(?<=[{_WIDE}])[\u200c\u200d]|[\u200c\u200d](?=[{_WIDE}])"
)
_SPACE = re.compile(r"[^\S\u3000]+")
_MARKUP = re.compile(r"</(\w+)\s*>|<(br|hr|img|p)\b[^<>]*>|&(?:#\d+|nbsp);", re.I)


def plain(markup: str) -> str:
    """An HTML fragment as text; a line is a paragraph. Text without markup keeps its lines."""
    if "<" not in markup:
        text = _characters(markup)
        return _lines((text.replace("\r", "\n") if "\r" in text else text).split("\n"))
    if _MAY_HIDE.search(markup):
        markup = _HIDDEN.sub("", markup)
    if "</t" in markup or "</T" in markup:
        markup = _CELL.sub("\u00a0", markup)  # a space that no wrapped line swallows
    text = _TAG.sub("", _BREAK.sub("\x1e", markup))
    if "<" in text:
        text = _CUT_TAG.sub("", text)
    return _lines(_characters(text).split("\x1e"))


def line(markup: str) -> str:
    """HTML as one line, for titles. `<某某办法>` and `<CRS>` are words, not tags, and stay."""
    if "<" in markup:
        markup = _NAMED_TAG.sub(_nothing_if_known, _HIDDEN.sub("", markup))
    return words(_characters(markup))


def words(text: str) -> str:
    """Plain text as one line: single spaces, nothing invisible; a wrap inside Chinese is none.

    `isprintable` tells quickly that there is nothing but words and single spaces to think of.
    """
    text = text.strip()
    if text.isprintable() and "  " not in text:
        return text
    text = _UNSEEN.sub(_shown, _unwrapped(text))
    return (_SPACE.sub(" ", text) if "\u3000" in text else " ".join(text.split())).strip()


def _lines(parts: list[str]) -> str:
    return "\n".join([clean for part in parts if (clean := words(part))])


def looks_marked_up(text: str) -> bool:
    """Whether text that calls itself plain holds HTML all the same."""
    found = _MARKUP.search(text) if "<" in text or "&" in text else None
    return found is not None and (found[1] or "p").lower() in _KNOWN


def is_address(text: str) -> bool:
    return text[:4] in ("http", "HTTP", "Http") and "://" in text[4:8]


def joined(base: str, link: str) -> str:
    """`link` from `base` on; `base` where it is no address at all (http://[)."""
    try:
        whole = urljoin(base, link)
        urlsplit(whole)
    except ValueError:
        return base
    return whole


def is_chinese(text: str) -> bool:
    return bool(_HAN.search(text))


_HAN = re.compile("[\u3400-\u9fff]")


def _nothing_if_known(tag: re.Match[str]) -> str:
    name = (tag[1] or "").lower()
    return "" if name in _KNOWN or not name else tag[0]


def _characters(text: str) -> str:
    """With entities as the characters they are."""
    if "&" not in text:
        return text
    return unescape(text.replace("&nbsp;", " "))


def _unwrapped(text: str) -> str:
    """Line breaks as spaces; between two Chinese characters they stand for nothing."""
    if "\n" not in text:
        return text
    parts = [bare for part in text.split("\n") if (bare := part.strip(" \t\r"))]
    joined = parts[:1]
    for left, right in pairwise(parts):
        chinese = _IS_WIDE.match(left[-1]) and _IS_WIDE.match(right)
        joined += ("" if chinese else " ", right)
    return "".join(joined)


def _shown(match: re.Match[str]) -> str:
    """Nothing; but where C1 controls stand, windows-1252 was meant (a dash, a quotation mark)."""
    return bytes([ord(match[0])]).decode("cp1252", "ignore") if match[0] < "\xa0" else ""
