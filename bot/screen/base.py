"""What the rules share: the text as they read it, what they know beside it, what they say of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from bot.model import Capabilities, LinkLook, Media, Severity


class Hit(NamedTuple):
    """One finding in a folded text: `start` and `end` are places in what the rule was given."""

    rule: str
    severity: Severity
    start: int
    end: int
    message: str
    suggestion: str = ""


@dataclass(frozen=True)
class Context:
    """What is known beside the text. Each default means: not known, so nothing is said of it."""

    on: date | None = None  # the day it will be read; a date without a year is near to it
    scheduled: bool = False  # it is read on another day than it is written
    capabilities: Capabilities | None = None  # of the account it would stand on
    media: Sequence[Media] | None = None  # that stand under the text; () is none
    earlier: Sequence[str] = ()  # what the account has sent
    alt_required: bool = False  # the account lets no picture through without words
    part: bool = False  # a piece of a longer text: what opens here may close elsewhere
    links: Mapping[str, LinkLook] = field(default_factory=dict)  # addresses that were looked up


Check = Callable[[str, Context], Iterator[Hit]]

# Figures and letters in full width, the blanks, and the roman ten that stands in for X.
_FOLD = {0xFF01 + i: 0x21 + i for i in range(0x5E) if chr(0x21 + i).isalnum()}
_FOLD |= dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], 0x20)
_FOLD |= {0x2169: ord("X"), 0x2179: ord("x")}
# The traditional forms in the words that rules look for: a mark is one in either hand.
_FOLD |= str.maketrans("機祕絕級內資參閱臺灣總統國獨號碼證", "机秘绝级内资参阅台湾总统国独号码证")
_FOLDABLE = re.compile(
    "[０-９Ａ-Ｚａ-ｚⅩⅹ\u00a0\u2000-\u200a\u202f\u205f\u3000機祕絕級內資參閱臺灣總統國獨號碼證]"
)
_UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0f\ufeff]")
_SPACED = re.compile(" [\u4e00-\u9fff] ")
_SPREAD = re.compile(
    "(?<![\u4e00-\u9fff])[\u4e00-\u9fff](?: [\u4e00-\u9fff](?![\u4e00-\u9fff])){2,}"
)


def fold(text: str) -> tuple[str, list[int] | None]:
    """`text` with half-width figures and letters, without invisible characters, and with the
    blanks taken out of words that are spread (内 部 资 料, three letters or more).

    With it, where any was left out, the place in `text` of each character that stayed.
    """
    if _FOLDABLE.search(text):
        text = text.translate(_FOLD)
    spaced = _SPACED.search(text)
    if text.isascii() or not (spaced or _UNSEEN.search(text)):
        return text, None
    out = {m.start() + 1 + 2 * i for m in _SPREAD.finditer(text) for i in range(len(m[0]) // 2)}
    places = [i for i, c in enumerate(text) if i not in out and not _UNSEEN.match(c)]
    return "".join([text[i] for i in places]), places
