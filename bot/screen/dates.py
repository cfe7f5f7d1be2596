"""Days and hours: a weekday that is another day's, what no calendar has, words that age."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

# ---------------------------------------------------------------- figures

_FIGURE = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0}


def _number(written: str) -> int:
    """12, 十二, 二十四, 二〇二六 → the number; 0 for what is none, such as 十十."""
    if written.isdigit():
        return int(written)
    tens, ten, ones = written.partition("十")
    if not ten:
        return int("".join(str(_FIGURE[c]) for c in written))
    return 10 * _FIGURE.get(tens or "一", 0) + _FIGURE.get(ones or "零", 0)


_N2 = "([0-9]{1,2}|[一二三四五六七八九]?十[一二三四五六七八九]?|[一二三四五六七八九])"
_MONTH_N = "([0-9]{1,2}|十[一二三四五六七八九]?|[一二三四五六七八九])"  # 九十月 is two months
_OF_MONTH = rf"{_N2} ?[日号]"
_UNTIL_MONTH = late(
    rf"(?:([0-9]{{4}}|[〇○零一二三四五六七八九]{{4}}) ?年 ?)?(?<![0-9〇○零一二三四五六七八九十历.]){_MONTH_N} ?$"
)
_FROM_MONTH = late(rf" ?{_OF_MONTH}|()(?=份|底|初|中旬|上旬|下旬|末)")
_ISO = late(
    r"(?:19|20)(?<![0-9./-]..)([0-9]{2})([-/.－])([0-9]{1,2})\2([0-9]{1,2})(?![0-9./－-]|号)"
)


class Written(NamedTuple):
    """A date as a text has it; `year` 0: not said."""

    year: int
    month: int
    day: int


class Place(NamedTuple):
    start: int
    end: int
    date: Written


def _places(text: str) -> list[Place]:
    """The dates of a text. They are looked for around each 月: far cheaper than at each letter."""
    found = []
    at = text.find("月")
    while at >= 0:
        after = _FROM_MONTH.match(text, at + 1)
        before = _UNTIL_MONTH.search(text, max(0, at - 10), at) if after else None
        if before and after:
            year, month = (_number(part) if part else 0 for part in before.groups())
            day = _number(after[1]) if after[1] else 1  # 13月份: the month alone
            found.append(Place(before.start(), after.end(), Written(year, month, day)))
        at = text.find("月", at + 1)
    if "-" in text or "/" in text or "." in text or "－" in text:
        for iso in _ISO.finditer(text):
            written = Written(int(iso[0][:4]), int(iso[3]), int(iso[4]))
            found.append(Place(*iso.span(), written))
        found.sort()
    return found


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# ---------------------------------------------------------------- weekday

_NAMES = "一二三四五六日"
_WEEK = "(?:星期|礼拜|周) ?([一二三四五六日天])"
_WEEKS = late(_WEEK)
_JOIN = "[ ]?(?:、|，|和|至|到|[-—~～－]+)[ ]?"
_HOUR = "(?:[0-9]{1,2}(?:[:：][0-9]{2}|[时点](?:[0-9]{1,2}分|半)?))"
_LATER = late(rf"(?: ?(?:上午|下午|早上|晚上|早|晚)?{_HOUR})?{_JOIN}(?:{_N2} ?月 ?)?{_OF_MONTH}")
_NAMED = late(
    rf"[ ]?(?:上午|下午|早上|晚上|早|晚)?{_HOUR}?[ ，,]{{0,2}}"
    rf"(?:[（(【\[［](?:[^（）()\n，。；、]{{1,10}}[，,、 ])?)?[本这下上]?({_WEEK}(?:{_JOIN}{_WEEK})*)[ ]?[）)】\]］]?"
)
_BEFORE = late(rf"[本这下上]?({_WEEK})(?:[（(]|(?<=[本这下上]周.)[，,])$")  # 星期一（11月24日）
_SHORT = late(r"(?<![0-9./-])([0-9]{1,2})[/.]([0-9]{1,2}) ?$")  # 11/24（周一）
_IN_BRACKETS = late(rf"[（(【\[［]({_WEEK})")
# 24日（周一）, 周一（24日）: no month
_BARE = late(
    rf"(?<![0-9、，和及至到月—~～-])([0-9]{{1,2}})[日号] ?[（(]({_WEEK})"
    rf"|({_WEEK}) ?[（(]([0-9]{{1,2}})[日号][）)]"
)
_NO_MONTH = late(
    "(?<![0-9])(?:19|20)[0-9]{2} ?年 ?(?:1[3-9]|[2-9][0-9]|0) ?月(?=起|前|后|至|到|之|开|，|、|正|全)"
)
_WEEKDAY_SAID = Say("星期与日期不符。请核对是日期错还是星期错").text


DAY_SIGNS = ("月", "星期", "周", "礼拜", "19", "20")


def days(text: str, context: Context) -> Iterator[Hit]:
    """impossible-date: 30 February, a 13th month. weekday: 11月24日（星期一） that is no Monday.

    A date without a year is the one nearest to the day it is read, or of a year that the text says
    with a date or a holiday; without either nothing is said.
    """
    if _plainly_right(text, context):
        return
    places = _places(text)
    for start, end, (year, month, day) in places:
        if not 1 <= day <= 28 or not 1 <= month <= 12:
            year = year or _leap_or_not(text, month)
            longest = calendar.monthrange(year, month)[1] if 1 <= month <= 12 else 0
            if 1 <= day <= longest:
                continue
            yield Hit("impossible-date", Severity.WARN, start, end, _IMPOSSIBLE_SAID)
    for match in _NO_MONTH.finditer(text) if "年" in text else ():
        yield Hit("impossible-date", Severity.WARN, *match.span(), _IMPOSSIBLE_SAID)
    if "星期" in text or "周" in text or "礼拜" in text:
        yield from _weekdays(text, places, context)
        if not places and context.on:
            yield from _without_month(text, context.on)


_PLAIN = late(
    "月(?:(?<=(?<![0-9])[0-9]月)|(?<=(?<![0-9])1[0-2]月))([0-9]{1,2})日"  # 月 first: looked for fastest
    "(?:[（(](?:星期|周|礼拜)([一二三四五六日天])[）)])?"
)


def _plainly_right(text: str, context: Context) -> bool:
    """Is each date written as 11月26日（星期四）, without a year, and right? Most are, told at once."""
    plain = list(_PLAIN.finditer(text))
    weeks = text.count("周") + text.count("星期") + text.count("礼拜")
    named = sum(bool(match[2]) for match in plain)
    if len(plain) != text.count("月") or named != weeks or "年" in text or _ISO.search(text):
        return False
    return all(_right(text, match, context) for match in plain)


def _right(text: str, plain: re.Match[str], context: Context) -> bool:
    month = text[max(0, plain.start() - 2) : plain.start()]
    day = Written(0, int(month if month.isdigit() else month[-1]), int(plain[1]))
    near = _near(day, context)
    week = (plain[2] or "").replace("天", "日")
    return bool(near) and (not week or near[0].weekday() == _NAMES.index(week))


_SAID_YEAR = late("(?<![0-9])(?:19|20)[0-9]{2}(?= ?年)")


def _leap_or_not(text: str, month: int) -> int:
    """The year of a date without one: for 2月29日 one that the text says."""
    years = [int(m[0]) for m in _SAID_YEAR.finditer(text)] if month == 2 else []
    return next(filter(calendar.isleap, years), years[0] if years else 2000)


_ENGLISH = late(
    r"\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? (January|February|March|April|May|June|July|August"
    r"|September|October|November|December) ([0-9]{1,2}),? ([0-9]{4})"
)
_ENGLISH_DAYS = ("Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun")


def english(text: str, context: Context) -> Iterator[Hit]:
    """Friday, December 12, 2026, which is a Saturday."""
    for match in _ENGLISH.finditer(text):
        month = [*calendar.month_name].index(match[2])
        day = _day(int(match[4]), month, int(match[3]))
        if day and _ENGLISH_DAYS[day.weekday()] != match[1]:
            right = f"{_ENGLISH_DAYS[day.weekday()]}day"
            yield Hit("weekday", Severity.WARN, *match.span(), _WEEKDAY_SAID, right)


def _without_month(text: str, on: date) -> Iterator[Hit]:
    """24日（星期一）: of this month, or of the one it would be near."""
    for match in _BARE.finditer(text):
        n, said = int(match[1] or match[6]), 2 if match[2] else 4
        wrap = on.month % 12 + 1 if n < on.day else (on.month - 2) % 12 + 1
        days = [day for m in (on.month, wrap) if (day := _day(_year(on, m), m, n))]
        week = _NAMES.index(match[said + 1].replace("天", "日"))
        if days and all(day.weekday() != week for day in days):
            right = f"星期{_NAMES[days[0].weekday()]}"
            yield Hit("weekday", Severity.WARN, *match.span(said), _WEEKDAY_SAID, right)


def _year(on: date, month: int) -> int:
    """The year of a month next to the one of `on`."""
    return on.year + (month - on.month < -6) - (month - on.month > 6)


def _weekdays(text: str, places: list[Place], context: Context) -> Iterator[Hit]:
    yield from _other_forms(text, places, context)
    end = 0
    for place in places:
        if place.start < end:
            continue
        days, end = [place.date], place.end
        while days:
            while more := _LATER.match(text, end):
                days.append(_after(days[-1], more))
                end = more.end()
            named = _NAMED.match(text, end)
            if named and not _another(text, named):
                yield from _compared(text, days, named, context)
                end = named.end()
            more = _LATER.match(text, end) if named else None
            days = [_after(days[-1], more)] if more else []
            end = more.end() if more else end


def _another(text: str, named: re.Match[str]) -> bool:
    """Does the weekday after a comma begin a clause of its own (11月24日发布，周五截止)?"""
    between = text[named.start() : named.start(1)]
    if "，" not in between and "," not in between:
        return False
    bracket = any(mark in between for mark in "（(【[［")
    return not bracket and bool(_OWN_CLAUSE.match(text, named.end(1)))


_OWN_CLAUSE = late("[的前截起]")


def _other_forms(text: str, places: list[Place], context: Context) -> Iterator[Hit]:
    """星期一（11月24日） and 11/24（周一）."""
    for place in places:
        if before := _BEFORE.search(text, max(0, place.start - 6), place.start):
            yield from _compared(text, [place.date], before, context)
    for week in _IN_BRACKETS.finditer(text):
        if short := _SHORT.search(text, max(0, week.start() - 7), week.start()):
            day = Written(0, int(short[1]), int(short[2]))
            yield from _compared(text, [day], week, context)


def _after(before: Written, more: re.Match[str]) -> Written:
    """The 27th of 11月24日至27日."""
    return Written(before.year, _number(more[1]) if more[1] else before.month, _number(more[2]))


def _compared(
    text: str, days: list[Written], named: re.Match[str], context: Context
) -> Iterator[Hit]:
    said = [_NAMES.index(m[1].replace("天", "日")) for m in _WEEKS.finditer(named[1])]
    if len(said) != len(days):  # what belongs together cannot be told, but for the one before it
        days, said = days[-1:], said[:1]
    for day, week in zip(days, said, strict=True):
        near = _near(day, context)
        if near and near[0].weekday() == week:  # most are right, and told so at once
            continue
        may = near + ([] if day.year else _governed(text, day))
        if may and all(one.weekday() != week for one in may):
            right = f"星期{_NAMES[may[0].weekday()]}"
            yield Hit("weekday", Severity.WARN, *named.span(1), _WEEKDAY_SAID, right)
            return


_HOLIDAY = "部分节假日|元旦|春节|清明|劳动节|五一|端午|中秋|国庆"
_GOVERNS = late(
    rf"((?:19|20)[0-9]{{2}})(?: ?年?(?: ?[0-9]{{1,2}} ?月|{_HOLIDAY})|[-./][0-9]{{1,2}}[-./])"
    r"|[〔\[（(]((?:19|20)[0-9]{2})[〕\]）)]"
)


def _near(day: Written, context: Context) -> list[date]:
    """The day as it is written; without a year the one nearest to the day it is read."""
    if day.year:
        return [found] if (found := _day(*day)) else []
    if context.on is None:
        return []
    if day.month == context.on.month and (near := _day(context.on.year, day.month, day.day)):
        return [near]
    years = range(context.on.year - 1, context.on.year + 2)
    days = [found for year in years if (found := _day(year, day.month, day.day))]
    return sorted(days, key=lambda one: abs(one - (context.on or one)))[:1]


def _governed(text: str, day: Written) -> list[date]:
    """The day in each year that the text says with a date, a holiday or a document's number."""
    years = {int(m[1] or m[2]) for m in _GOVERNS.finditer(text)}
    return [found for year in sorted(years) if (found := _day(year, day.month, day.day))]


# ---------------------------------------------------------------- impossible-date, the hour

# Looked for from the colon, not from each figure: a text has more figures than colons.
_RIGHT = r"(?:(?<=(?<![0-9])[0-9].)|(?<=(?<![0-9])[01][0-9].)|(?<=(?<![0-9])2[0-3].))[0-5][0-9](?![0-9:：])"
_COLON = late(rf"[:：](?<=[0-9].)(?!{_RIGHT})([0-9]+)(?:[:：]([0-9]+))?")
_HOUR_BEFORE = late("[0-9]+$")
_SPOKEN = late(
    "[时点](?<=[0-9一二三四五六七八九十][时点])(?: ?([0-9]+|[二三四五六七八九]?十[一二三四五六七八九]?) ?分(?![之钟数值制]))?"
)
_HOURS = late("[0-9]+$|(?<![一二三四五六七八九十百千])[二三]?十?[一二三四五六七八九]$|二?十$")
_SAYS_WHEN = late(
    r"(?:[日号午晚晨间早夜至到期时刻起自于]|[早晚]上|时间|截止|(?<!比)分|[0-9]{2} |[-—~～－] ?)[：: ]?$"
    r"|(?:时间|班车?|航班)[\u4e00-\u9fff]{0,4}[为到]$"
)
_LASTS = late("[间段长候效代0-9]")
_FIGURE_BEFORE, _JOINED_ON = re.compile("[0-9/.]$|[0-9][:：]$"), frozenset("0123456789:：/%％")
_RANGE_ON = late(
    " ?(?:至|到|[-—~～－]) ?[0-9]{1,2}[:：][0-5][0-9]| ?(?:开始|准时|停止|截止|开馆|闭馆|入馆|开放|集合|发车|起飞|起(?!点))"
)
_WRONG_HALF = late(r"(?:上午|早上|早晨|清晨|凌晨) ?(?:1[3-9]|2[0-3])(?:[:：][0-5][0-9]|[时点])")
_IMPOSSIBLE_SAID = Say("没有这一天。请核对日期").text
_TIME_SAID = Say("没有这个时刻。请核对时间").text


def times(text: str, context: Context) -> Iterator[Hit]:
    """24:60, 25时, 9时70分: where the words around say that it is a time, and no score or ratio."""
    for match in _WRONG_HALF.finditer(text) if "上" in text or "晨" in text else ():
        yield Hit("impossible-date", Severity.WARN, *match.span(), _TIME_SAID)
    for match in _COLON.finditer(text) if ":" in text or "：" in text else ():
        hour = _HOUR_BEFORE.search(text, max(0, match.start() - 4), match.start())
        yield from _told(text, hour, match)
    for match in _SPOKEN.finditer(text) if "时" in text or "点" in text else ():
        if match[1] or not _LASTS.match(text, match.end()):
            hour = _HOURS.search(text, max(0, match.start() - 4), match.start())
            yield from _told(text, hour, match)


def _told(text: str, hour: re.Match[str] | None, match: re.Match[str]) -> Iterator[Hit]:
    parts = [hour[0], *filter(None, match.groups())] if hour else []
    if hour and _no_such(text, hour.start(), match.end(), parts):
        span = hour.start(), match.end()
        yield Hit("impossible-date", Severity.WARN, *span, _TIME_SAID)


def _no_such(text: str, start: int, end: int, parts: list[str]) -> bool:
    if any(len(part) > 2 and part.isdigit() for part in parts):
        return False
    hour, *minutes = map(_number, parts)
    if (hour < 24 or (hour == 24 and not any(minutes))) and all(m < 60 for m in minutes):
        return False
    if _FIGURE_BEFORE.search(text, max(0, start - 2), start) or text[end : end + 1] in _JOINED_ON:
        return False  # a piece of a longer figure, a path, a percentage
    says = _SAYS_WHEN.search(text, max(0, start - 8), start) or _RANGE_ON.match(text, end)
    if ":" in text[start:end] or "：" in text[start:end]:
        return hour + minutes[0] != 100 and bool(says or hour == 24)
    return bool(says or minutes)


# ---------------------------------------------------------------- relative-time

_RELATIVE = late(
    r"(?<![《亮暖抱惜造握创])今 ?(?:[天日早晚晨夜儿]|[上下]午|起(?!草|点))(?!头条|说法|后我|话题|的(?:幸福|成就|美好|生活|中国))|(?<![《亮暖抱惜造握创])明 ?(?:[天日早晚晨儿]|起(?!来))(?!会更|之星|确|的(?:美好|希望|太阳|蓝图|中国)|更)"
    r"|(?<!《)昨 ?[天日晚夜儿](?!之日)|[今明昨][明后前]两[天日]|今明两|前天(?!津)|(?<![目日当此生产提])前日(?![均常本式产照期程])|再过[0-9一二三两几]{1,2}[天日]|(?:半|[0-9一二三两几])个?(?:小时|多小时)前|[0-9十几]{1,3}分钟前|(?<![《“])刚刚(?!好|够)|刚才|(?:近|这|最近)(?:[一两二三几][天日]|几天)|眼下|后天(?!性|的努力)|大后天|一会儿|(?:(?<=[。！】\n])|^)[一二三两四五六七八九十0-9]{1,2}[天日]后[，,]"
    r"|[本这上下]周(?:[一二三四五六日]|末)?(?!刊|边|围|转|期|年|长|报)|[本这上下]个?(?:星期|礼拜)[一二三四五六日天]?(?!刊)|[上下这]个?月(?!刊|球|[0-9])|本月(?!刊)"
)
_RELATIVE_SAID = Say("定时发布的文字里有“今天”一类说法，到时可能已不对。请写明日期").text


def relative(text: str, context: Context) -> Iterator[Hit]:
    """今天, 明日, 下周一 in a post that goes out on another day than it is written."""
    if context.scheduled:
        for match in _RELATIVE.finditer(text):
            yield Hit("relative-time", Severity.WARN, *match.span(), _RELATIVE_SAID)
