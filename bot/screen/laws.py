"""Names of laws in 《》: one that is none, but nearly one in force; one that was repealed.

words/laws.txt is the list. A name that is near to none of it is a new law's, a book's, a place's, and
is left alone, but for one in full form (中华人民共和国…法); so is a repealed one where the text speaks of its time (as of an organ's; see former.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from bot.language import Say
from bot.model import Severity
from bot.screen import former
from bot.screen.base import Context, Hit, late

_NAMED = late(
    r"《(中华人民共和国)?([\u4e00-\u9fff]{1,30}?(?:法|通则|总则|条例))(?:（[^（）》]*）)?》"
)
_NOT_LAWS = late(r"[办方做书兵语看想说手]法$|实施条例$|暂行条例$")
_NONE_SAID = Say("没有这个名称的法律。请核对名称").text
_REPEALED_SAID = Say("该法已经废止。请改引现行的法律").text
LONGEST_COMMON = 9  # a shorter name of a 条例 may be a place's own
_LONG = 6  # a name so long is told by one character more or less; a short one only in full form


class Law(NamedTuple):
    until: date | None = None
    now: str = ""


def names(text: str, context: Context) -> Iterator[Hit]:
    """《未成年保护法》, 《中华人民共和国残疾人保护法》, 《中华人民共和国婚姻法》 of today."""
    for match in _NAMED.finditer(text):
        full, name = match.groups()
        law = _laws().get(name)
        if law is None:
            right = "" if _NOT_LAWS.search(name) else _nearly(name, bool(full))
            if right or (full and name[-1] == "法" and not _NOT_LAWS.search(name)):
                yield Hit("law-name", Severity.WARN, *match.span(2), _NONE_SAID, right)
        elif law.until and former.told(text, *match.span(), law.until, context.on):
            yield Hit("law-name", Severity.WARN, *match.span(2), _REPEALED_SAID, law.now)


@cache
def _laws() -> dict[str, Law]:
    laws = {}
    for line in (Path(__file__).parent / "words" / "laws.txt").read_text("utf-8").splitlines():
        name, *end = line.split("\t")
        if not line.startswith("#"):
            laws[name] = Law(date.fromisoformat(f"{end[0]}-01"), end[1]) if end else Law()
    return laws


@lru_cache(maxsize=1000)  # of names that texts bring
def _nearly(name: str, full: bool) -> str:
    """The law in force that `name` was meant for. As a 条例 only in its full form: 中华人民共和国…."""
    if name.endswith("条例"):
        law = name.removesuffix("条例") + "法"
        if full and law in _laws():
            return law
        turned = [
            one for one in _laws() if len(one) == len(name) > _LONG and _near(name, one, full)
        ]
        if turned and turned[0].endswith("条例"):
            return turned[0]
        return next((one for one in _laws() if one[-2:] == "条例" and _in(name, one, full)), "")
    near = [law for law, end in _laws().items() if not end.until and _near(name, law, full)]
    return near[0] if near else ""


def _in(said: str, right: str, full: bool) -> bool:
    """Is one the other with two characters more: 保障农民工工资支付管理条例?"""
    longer, shorter = sorted((said, right), key=len, reverse=True)
    if len(longer) - len(shorter) > 2 or (not full and len(right) < LONGEST_COMMON):
        return False
    before = ".{0,2}" if full else ""
    return bool(re.fullmatch(before + ".{0,2}".join(shorter), longer))


def _near(said: str, right: str, full: bool) -> bool:
    if len(said) == len(right):
        off = sum(a != b for a, b in zip(said, right, strict=True))
        return len(right) > 4 and (off <= 1 + (len(right) > _LONG) or sorted(said) == sorted(right))
    longer, shorter = sorted((said, right), key=len, reverse=True)
    apart = len(longer) - len(shorter)
    close = apart <= 2 if full else apart == 1 and len(right) >= _LONG
    close |= apart == 2 and shorter == said and len(said) > _LONG
    return close and bool(re.fullmatch(f".{{0,{apart}}}".join(shorter), longer))
