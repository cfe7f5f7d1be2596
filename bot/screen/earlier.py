"""What the account has said before: the same, or nearly the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit

_LINK = re.compile(r"https?://\S+")
_NO_WORD = re.compile(r"[\W_]+")
_SAME_SAID = Say("该账号发过同样的内容。请核对是否重复").text
_LIKE_SAID = Say("该账号发过几乎一样的内容。请核对是否重复").text
SHINGLE = 3
ALIKE = 0.8
SHORTEST = 12  # words of courtesy are alike and mean nothing


def repeated(text: str, context: Context) -> Iterator[Hit]:
    """Warn for what the account has sent in the same words, note for what is nearly the same.

    Marks, blanks and links do not count. Nearly: four fifths of all three-letter pieces are common.
    """
    if not context.earlier or not text.strip():
        return
    mine = _plain(text)
    if any(_plain(other) == mine for other in context.earlier):
        yield Hit("repeated-post", Severity.WARN, 0, 0, _SAME_SAID)
    elif len(mine) >= SHORTEST and any(_alike(mine, _plain(other)) for other in context.earlier):
        yield Hit("repeated-post", Severity.NOTE, 0, 0, _LIKE_SAID)


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return _NO_WORD.sub("", _LINK.sub("", text)).casefold()


@lru_cache(maxsize=1024)
def _shingles(plain: str) -> frozenset[str]:
    return frozenset(plain[i : i + SHINGLE] for i in range(len(plain) - SHINGLE + 1))


def _alike(one: str, other: str) -> bool:
    """Is their Jaccard similarity ALIKE? One much shorter than the other needs no counting."""
    if min(len(one), len(other)) < ALIKE * max(len(one), len(other)) * 0.9:
        return False
    a, b = _shingles(one), _shingles(other)
    common = len(a & b)
    return common >= ALIKE * (len(a) + len(b) - common)
