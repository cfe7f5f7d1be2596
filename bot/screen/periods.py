"""Periods that end before they begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

_TIME = r"(?:[（(][^（）()\n]{1,8}[）)])?(?: ?[上中下]午| ?[早晚]上?)? ?(?:[0-9]{1,2}[:：时点][0-9]{0,2}分?)?"
# Looked for from the 月 and the colon, not from each figure: a text has more figures.
_DAYS = late(
    rf"月 ?([0-9]{{1,2}}) ?[日号]{_TIME} ?(?:起|开始)? ?(?:至|到|[-—－~～]{{1,2}})"
    r" ?(?:([0-9]{4}) ?年 ?)?(?:([0-9]{1,2}) ?月 ?)?([0-9]{1,2}) ?[日号]"
)
_MONTH = late(r"(?:([0-9]{4}) ?年 ?)?(?<![0-9])([0-9]{1,2}) ?$")
_HOURS = late(
    r"[:：](?<=[0-9].)([0-5][0-9]) ?(?:至|到|[-—－~～]{1,2}) ?([0-9]{1,2})[:：]([0-5][0-9])(?![0-9:：])"
)
_HOUR = late(r"(?<![0-9:：])[0-9]{1,2}$")
_OPEN = late("开放|开馆|办公|受理|办理|服务|咨询|报名|上班|接待|工作时间|营业")
_NIGHT = late("夜|晚|通宵|凌晨|次日|翌日|第二天|施工|封闭|限行|作业|停[水电气]")
_LASTS = late(
    r"[日号]?(?:止)?[，,（(]? ?(?:共|为期|共计|公示期|历时|期限为?)(?:计)? ?([0-9]{1,3}) ?(?:天|日)(?!历)"
)
_MONTHS = late(
    r"[日号]?(?:止)?[，,（(]? ?(?:共|为期|历时|期限为?|时间)(?:计)? ?([0-9]{1,2}|[一二两三四五六七八九十])个月"
)
_MANY = {c: n for n, c in enumerate("一二三四五六七八九十", 1)} | {"两": 2}
_ENDS_SAID = Say("起止时间颠倒：结束早于开始。请核对").text
_LENGTH_SAID = Say("天数与起止日期不符。请核对").text
EVENING = 17
WEEK = 8


SIGNS = ("至", "到", "-", "—", "－", "~", "～")


def reversed_(text: str, context: Context) -> Iterator[Hit]:
    """2026年8月12日至2026年8月5日; 开放时间17:00—9:00.

    Without years a period may run over New Year's, and hours may run over midnight: only one that can
    do neither is told.
    """
    for match in _DAYS.finditer(text):
        if month := _MONTH.search(text, max(0, match.start() - 9), match.start()):
            yield from _days(text, month, match)
    for match in _HOURS.finditer(text):
        if hour := _HOUR.search(text, max(0, match.start() - 3), match.start()):
            yield from _hours(text, hour, match)


def _days(text: str, month: re.Match[str], match: re.Match[str]) -> Iterator[Hit]:
    y1, m1 = (int(part or 0) for part in month.groups())
    d1, y2, m2, d2 = (int(part or 0) for part in match.groups())
    year = y2 or y1 or 2001
    try:
        begins, ends = date(y1 or year, m1, d1), date(year, m2 or m1, d2)
    except ValueError:  # told as a day that no calendar has
        return
    if ends < begins and (y1 or y2 or (m2 or m1) == m1):
        yield Hit("period", Severity.WARN, month.start(), match.end(), _ENDS_SAID)
    months = _MONTHS.match(text, match.end())
    if months and ends > begins and not _as_long(begins, ends, months[1]):
        yield Hit("period", Severity.WARN, *months.span(), _LENGTH_SAID)
    said = _LASTS.match(text, match.end())
    days = (ends - begins).days
    if said and days > 0 and int(said[1]) not in (days, days + 1):
        yield Hit("period", Severity.WARN, *said.span(), _LENGTH_SAID)


def _as_long(begins: date, ends: date, said: str) -> bool:
    """Are two days so many months apart, give or take a week?"""
    many = _MANY.get(said) or int(said)
    days = (ends - begins).days + 1
    return abs(days - many * 30.44) < WEEK or days < WEEK


def _hours(text: str, first: re.Match[str], match: re.Match[str]) -> Iterator[Hit]:
    hour, minute, to, until = (int(part) for part in (first[0], *match.groups()))
    around = text[max(0, first.start() - 16) : match.end() + 8]
    overnight = hour >= EVENING and not _OPEN.search(around)
    if (to, until) < (hour, minute) and not overnight and not _NIGHT.search(around):
        yield Hit("period", Severity.WARN, first.start(), match.end(), _ENDS_SAID)
