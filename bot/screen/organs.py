"""Names of organs that are nearly right: 国家金融监管管理总局, 退伍军人事务局.

The right names are those that words/organ-name.txt advises; one letter off any of them is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from typing import Any

from bot.language import Say
from bot.model import Severity
from bot.screen import terms
from bot.screen.base import Context, Hit, finder, found

_SAID = Say("机构、会议名称或固定提法疑有误。请按建议核对").text
_PART = 4  # letters that stand as they should, at the head or the end of a name
_FULL = re.compile("[\u4e00-\u9fff]{6,}")  # a shorter name is one letter off too many others
# 市政府常务会议 and 区政府常务会议, 主席 and 副主席, 中级 and 高级人民法院 are as right as each other.
_MANY = re.compile(
    "^[省市县区州镇乡]|[一二三四五六七八九十]"
    "|级人民法院|特色社会主义|伟大复兴|机关工委|监管分局|^工商业"
    "|(?:主席|总理|委员长|主任|书记|行长|院长|检察长|代表|委员|秘书|部厅|部局|部部|委厅|委局|委部)$"
)
_NATIONAL = re.compile("国家|全国|中国|中央|最高|国务院|中华")


@cache
def _names() -> frozenset[str]:
    advised = {t.suggestion for t in terms.built_in() if t.rule == "organ-name"}
    return frozenset(name for name in advised if _FULL.fullmatch(name) and not _MANY.search(name))


@cache
def _parts() -> tuple[Any, list[tuple[list[str], list[str]]]]:
    """What finds four letters of a name; of each four the names that begin, that end with them."""
    parts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in sorted(_names()):
        parts[name[:_PART]][0].append(name)
        parts[name[-_PART:]][1].append(name)
    return finder([*parts]), [*parts.values()]


SIGNS = (
    *(
        "国家",
        "全国",
        "国务院",
        "最高",
        "中华",
        "中国",
        "中央",
        "人大",
        "人民",
        "委员会",
        "联合会",
        "协会",
    ),
    *("局", "厅", "部", "会议", "主义", "共同体", "部队"),
)


def nearly(text: str, context: Context) -> Iterator[Hit]:
    """A name that is one letter off a right one."""
    finder_, names = _parts()
    told = 0
    for n, start, end in found(finder_, text):
        begin_with, end_with = names[n]
        if any(text.startswith(name, start) for name in begin_with):
            continue
        if any(text.endswith(name, 0, end) for name in end_with):
            continue
        may = [(start, start + length, name) for name in begin_with for length in _lengths(name)]
        may += [(end - length, end, name) for name in end_with for length in _lengths(name)]
        for at, stop, name in may:
            if at >= told and _one_off(text[at:stop], name):
                told = stop
                yield Hit("organ-name", Severity.WARN, at, stop, _SAID, name)


def _lengths(name: str) -> tuple[int, ...]:
    """How long a slip of it may be: 监督管理分局 is right beside 局, but no organ of the state has one."""
    many = len(name)
    return (many, many + 1, many - 1) if _NATIONAL.match(name) else (many,)


def _one_off(said: str, name: str) -> bool:
    """Is `said` the name with one letter changed, added or left out, and its last one right?"""
    if said[-1:] != name[-1] or any(right in said for right in _names()):
        return False
    alike = len([*takewhile(lambda pair: pair[0] == pair[1], zip(said, name, strict=False))])
    rest, right = said[alike:], name[alike:]
    by = len(said) - len(name)
    return rest[1 if by >= 0 else 0 :] == right[1 if by <= 0 else 0 :]
