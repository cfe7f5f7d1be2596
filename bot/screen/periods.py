"""Periods that end before they begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

_TIME = r"(?:[（(][^（）()\n]{1,8}[）)])?(?: ?[上中下]午| ?[早晚]上?)? ?(?:[0-9]{1,2}[:：时点][0-9]{0,2}分?)?"
_DAYS = late(
    rf"(?:([0-9]{{4}}) ?年 ?)?([0-9]{{1,2}}) ?月 ?([0-9]{{1,2}}) ?[日号]{_TIME} ?(?:起|开始)?"
    r" ?(?:至|到|[-—－~～]{1,2})"
    r" ?(?:([0-9]{4}) ?年 ?)?(?:([0-9]{1,2}) ?月 ?)?([0-9]{1,2}) ?[日号]"
)
_UNTIL = late("[日号时分0-9）)起始][ ]?(?:至|到|[-—－~～])")
_HOURS = late(
    r"(?<![0-9:：])([0-9]{1,2})[:：]([0-5][0-9]) ?(?:至|到|[-—－~～]{1,2}) ?([0-9]{1,2})[:：]([0-5][0-9])(?![0-9:：])"
)
_OPEN = late("开放|开馆|办公|受理|办理|服务|咨询|报名|上班|接待|工作时间|营业")
_NIGHT = late("夜|晚|通宵|凌晨|次日|翌日|第二天|施工|封闭|限行|作业|停[水电气]")
_ENDS_SAID = Say("起止时间颠倒：结束早于开始。请核对").text
_LENGTH_SAID = Say("天数与起止日期不符。请核对").text
EVENING = 17


def reversed_(text: str, context: Context) -> Iterator[Hit]:
    """2026年8月12日至2026年8月5日; 开放时间17:00—9:00.

    Without years a period may run over New Year's, and hours may run over midnight: only one that can
    do neither is told.
    """
    if "月" in text and _UNTIL.search(text):
        for match in _DAYS.finditer(text):
            if _days_reversed(*(int(part) if part else 0 for part in match.groups())):
                yield Hit("period", Severity.WARN, *match.span(), _ENDS_SAID)
            elif other := _other_length(text, match):
                yield Hit("period", Severity.WARN, *other.span(), _LENGTH_SAID)
    if (":" in text or "：" in text) and _UNTIL.search(text):
        for match in _HOURS.finditer(text):
            hour, minute, to, until = map(int, match.groups())
            around = text[max(0, match.start() - 16) : match.end() + 8]
            overnight = hour >= EVENING and not _OPEN.search(around)
            if (to, until) < (hour, minute) and not overnight and not _NIGHT.search(around):
                yield Hit("period", Severity.WARN, *match.span(), _ENDS_SAID)


_LASTS = late(
    r"[日号]?(?:止)?[，,（(]? ?(?:共|为期|共计|公示期|历时|期限为?)(?:计)? ?([0-9]{1,3}) ?(?:天|日)(?!历)"
)


def _other_length(text: str, match: re.Match[str]) -> re.Match[str] | None:
    """2026年11月25日至12月4日，共30天: the length that follows, if it is another."""
    said = _LASTS.match(text, match.end())
    y1, m1, d1, y2, m2, d2 = (int(part) if part else 0 for part in match.groups())
    try:
        days = (date(y2 or y1 or 2001, m2 or m1, d2) - date(y1 or y2 or 2001, m1, d1)).days
    except ValueError:
        return None
    return said if said and days > 0 and int(said[1]) not in (days, days + 1) else None


def _days_reversed(y1: int, m1: int, d1: int, y2: int, m2: int, d2: int) -> bool:
    year, month = y2 or y1 or 2000, m2 or m1
    try:
        begins, ends = date(y1 or year, m1, d1), date(year, month, d2)
    except ValueError:  # told as a day that no calendar has
        return False
    return ends < begins and (bool(y1) or bool(y2) or m1 == month)
