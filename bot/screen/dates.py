"""Days and hours: a weekday that is another day's, what no calendar has, words that age."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit

# ---------------------------------------------------------------- figures

_FIGURE = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0}
_HAN_N = "[〇○零一二三四五六七八九十]"


def _number(written: str) -> int:
    """12, 十二, 二十四, 二〇二六 → the number; 0 for what is none, such as 十十."""
    if written.isdigit():
        return int(written)
    tens, ten, ones = written.partition("十")
    if not ten:
        return int("".join(str(_FIGURE[c]) for c in written))
    return 10 * _FIGURE.get(tens or "一", 0) + _FIGURE.get(ones or "零", 0)


_NOT_IN_NUMBER = "(?<![0-9〇○零一二三四五六七八九十历])"
_YEAR = "([0-9]{4}|[〇○零一二三四五六七八九]{4}) ?年 ?"
_MONTH = rf"([0-9]{{1,2}}|{_HAN_N}{{1,3}}) ?月 ?"
_OF_MONTH = rf"([0-9]{{1,2}}|{_HAN_N}{{1,3}}) ?[日号]"
_DAY = re.compile(
    rf"{_NOT_IN_NUMBER}(?:{_YEAR})?{_MONTH}{_OF_MONTH}"
    r"|(?<![0-9./-])((?:19|20)[0-9]{2})([-/])([0-9]{1,2})\5([0-9]{1,2})(?![0-9./-])"
)


class Written(NamedTuple):
    """A date as a text has it; `year` 0: not said."""

    year: int
    month: int
    day: int


def _written(match: re.Match[str]) -> Written:
    year, month, day, iso_year, _, iso_month, iso_day = match.groups()
    if iso_year:
        return Written(int(iso_year), int(iso_month), int(iso_day))
    return Written(_number(year) if year else 0, _number(month), _number(day))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# ---------------------------------------------------------------- weekday

_NAMES = "一二三四五六日"
_WEEK = "(?:星期|礼拜|周)([一二三四五六日天])"
_JOIN = "[ ]?(?:、|，|和|至|到|[-—~～－]+)[ ]?"
_LATER = re.compile(rf"{_JOIN}(?:{_MONTH})?{_OF_MONTH}")
_NAMED = re.compile(
    r"[ ]?(?:上午|下午|早上|晚上|早|晚)?[ ，,]{0,2}[（(【\[]?(?:[^（）()\n，。；、]{1,10}[，,、 ])?"
    rf"({_WEEK}(?:{_JOIN}{_WEEK})*)[ ]?[）)】\]]?"
)
_WEEKDAY_SAID = Say("星期与日期不符。请核对是日期错还是星期错").text


def weekdays(text: str, context: Context) -> Iterator[Hit]:
    """11月24日（星期一） where the 24th is no Monday.

    A date without a year is the one nearest to the day it is read, or of a year that the text says
    with a date or a holiday; without either nothing is said.
    """
    if not any(word in text for word in ("星期", "周", "礼拜")):
        return
    end = 0
    for match in _DAY.finditer(text):
        if match.start() < end:
            continue
        days, end = [_written(match)], match.end()
        while days:
            while more := _LATER.match(text, end):
                days.append(_after(days[-1], more))
                end = more.end()
            if named := _NAMED.match(text, end):
                yield from _compared(text, days, named, context)
                end = named.end()
            more = _LATER.match(text, end) if named else None
            days = [_after(days[-1], more)] if more else []
            end = more.end() if more else end


def _after(before: Written, more: re.Match[str]) -> Written:
    """The 27th of 11月24日至27日."""
    return Written(before.year, _number(more[1]) if more[1] else before.month, _number(more[2]))


def _compared(
    text: str, days: list[Written], named: re.Match[str], context: Context
) -> Iterator[Hit]:
    said = [_NAMES.index(m[1].replace("天", "日")) for m in re.finditer(_WEEK, named[1])]
    if len(said) != len(days):  # what belongs together cannot be told, but for the one before it
        days, said = days[-1:], said[:1]
    years = _years(text, days[0], context)
    for day, week in zip(days, said, strict=True):
        may = [found for year in years if (found := _day(year, day.month, day.day))]
        if may and all(one.weekday() != week for one in may):
            right = f"星期{_NAMES[may[0].weekday()]}"
            yield Hit("weekday", Severity.WARN, *named.span(1), _WEEKDAY_SAID, right)
            return


_HOLIDAY = "部分节假日|元旦|春节|清明|劳动节|五一|端午|中秋|国庆"
_GOVERNS = re.compile(
    rf"((?:19|20)[0-9]{{2}})(?: ?年?(?: ?[0-9]{{1,2}} ?月|{_HOLIDAY})|[-./][0-9]{{1,2}}[-./])"
    r"|[〔\[（(]((?:19|20)[0-9]{2})[〕\]）)]"
)


def _years(text: str, day: Written, context: Context) -> list[int]:
    """The years a date may be of, the likeliest first."""
    if day.year:
        return [day.year]
    years = []
    if context.on:
        near = [d for y in (-1, 0, 1) if (d := _day(context.on.year + y, day.month, day.day))]
        years = [d.year for d in near if abs(d - context.on) <= timedelta(183)]
    said = [int(m[1] or m[2]) for m in _GOVERNS.finditer(text)]
    return list(dict.fromkeys([*years, *said]))


# ---------------------------------------------------------------- impossible-date

_MONTH_NAMED = re.compile(
    r"(?<![0-9.])([0-9]{1,2}) ?月(?:份|底|初|中旬|上旬|下旬|末|[0-9]{1,2} ?[日号])"
)
_CLOCK = re.compile(
    r"(?<![0-9:：/.])(?P<h>[0-9]{1,2})[:：](?P<m>[0-9]{2})(?:[:：](?P<s>[0-9]{2}))?(?![0-9:：%％/.])"
    r"|(?<![0-9.])(?P<hh>[0-9]{1,2}) ?[时点](?P<mm>[0-9]{1,2}) ?分(?!之|钟|[数值制])"
    r"|(?<=[日号午晚晨间早至于]) ?(?P<hhh>[0-9]{1,2}) ?[时点](?![0-9间段长候效代])"
)
_IMPOSSIBLE_SAID = Say("没有这一天。请核对日期").text
_TIME_SAID = Say("没有这个时刻。请核对时间").text


def impossible(text: str, context: Context) -> Iterator[Hit]:
    """30 February, a 13th month, 24:60."""
    if "月" in text or "-" in text or "/" in text or "." in text:
        yield from _no_day(text)
    if ":" in text or "：" in text or "时" in text or "点" in text:
        yield from _no_time(text)


def _no_day(text: str) -> Iterator[Hit]:
    end = -1
    for match in _DAY.finditer(text):
        found = _written(match)
        known = 1 <= found.month <= 12
        longest = calendar.monthrange(found.year or 2000, found.month)[1] if known else 0
        if not 1 <= found.day <= longest:
            end = match.end()
            yield Hit("impossible-date", Severity.WARN, *match.span(), _IMPOSSIBLE_SAID)
    for match in _MONTH_NAMED.finditer(text):
        if not 1 <= int(match[1]) <= 12 and match.end() > end:
            yield Hit("impossible-date", Severity.WARN, *match.span(), _IMPOSSIBLE_SAID)


_TIMELY = re.compile(r"(?:[日号午晚晨间早夜至到期时刻分起自于]|截止|[0-9]{2} |[-—~～－] ?)[：: ]?$")


def _no_time(text: str) -> Iterator[Hit]:
    for match in _CLOCK.finditer(text):
        hour = int(match["h"] or match["hh"] or match["hhh"])
        minutes = [int(match[g]) for g in ("m", "s", "mm") if match[g]]
        if hour < 24 and all(m < 60 for m in minutes):
            continue
        if hour == 24 and not any(minutes):
            continue
        timely = _TIMELY.search(text, max(0, match.start() - 4), match.start())
        ratio = match["h"] and (hour + minutes[0] == 100 or not (timely or hour == 24))
        if not ratio:
            yield Hit("impossible-date", Severity.WARN, *match.span(), _TIME_SAID)


# ---------------------------------------------------------------- relative-time

_RELATIVE = re.compile(
    r"今[天日早晚晨夜](?!头条|说法|后我|话题)|明[天日早晚晨](?!会更|之星|确)|昨[天日晚夜]|前天(?!津)|后天(?!性|的努力)|大后天"
    r"|[本这上下]周(?:[一二三四五六日]|末)?(?!刊|边|围|转|期|年|长|报)|[上下]个?月(?!刊|球|[0-9])|本月(?!刊)"
)
_RELATIVE_SAID = Say("定时发布的文字里有“今天”一类说法，到时可能已不对。请写明日期").text


def relative(text: str, context: Context) -> Iterator[Hit]:
    """今天, 明日, 下周一 in a post that goes out on another day than it is written."""
    if context.scheduled:
        for match in _RELATIVE.finditer(text):
            yield Hit("relative-time", Severity.WARN, *match.span(), _RELATIVE_SAID)
