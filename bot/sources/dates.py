"""Dates as catalogues write them.

Read are ISO 8601, RFC 822 in its broken forms (no space before the zone, two-digit years, missing
weekday), asctime, Java's and .NET's `toString`, Chinese (2026年9月22日 下午3:05; in
figures as documents before 2012 have them: 二〇二六年九月二十二日) and compact digits. A date is only
taken where year, month and day stand in it: what is unclear stays unread.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_ENGLISH = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_CHINESE = [
    f"{n}月" for n in ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
]
_FIGURED = [f"{n}月" for n in range(1, 13)]  # as Java writes "MMM" for China: 06 5月 2024
_MONTHS = {name: n for names in (_ENGLISH, _CHINESE, _FIGURED) for n, name in enumerate(names, 1)}
# RFC 822 §5.1, and those that are seen beside it. Hours east of Greenwich.
_ZONES = dict.fromkeys(("", "z", "ut", "utc", "gmt", "wet"), 0) | dict(
    est=-5, edt=-4, cst=-6, cdt=-5, mst=-7, mdt=-6, pst=-8, pdt=-7,
    bst=1, cet=1, cest=2, eet=2, eest=3, msk=3, hkt=8, sgt=8, bjt=8, cct=8, jst=9, kst=9,
)  # fmt: skip
_NAME = rf"(?P<month>(?i:{'|'.join(_ENGLISH)})[a-z]*|十[一二]月|[一二三四五六七八九十]月|1[0-2]月|[1-9]月)\.?"
_CLOCK = r"(?P<hour>\d{1,2})[:：时点](?P<minute>\d{1,2})(?:[:：分](?P<second>\d{1,2})(?:[.,]\d+)?)?"
_AREA = r"(?P<area>(?:GMT|UTC)?[+−-]\d{1,2}(?::?\d{2})?|[A-Za-z]{1,5}\b)?"
_TIME = re.compile(
    rf"(?P<before>上午|下午|晚上|中午|凌晨|[AaPp][Mm]\b)?\s*{_CLOCK}秒?\s*"
    rf"(?P<after>[AaPp]\.?[Mm]\b\.?)?\s*{_AREA}"
)
_LONGEST = 80  # characters of a date
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d\d?) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) ?([+-]\d{4}|GMT)"
)
_JOIN = r"\s*[-/.年月—–]{1,2}\s*"
_DATES = [
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<year>\d{{4}}){_JOIN}(?P<month>\d{{1,2}}){_JOIN}(?P<day>\d{{1,2}})(?=\D|$)[日Tt]?",
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+{_NAME}[\s,-]+(?P<year>\d{{2,4}})(?!\d|:)",
        rf"{_NAME}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?!\d|:)",
        rf"{_NAME}\s+(?P<day>\d{{1,2}})\s.*?(?<![+−-])\b(?P<year>\d{{4}})$",
        r"^(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})(?=.*[AaPp][Mm])",
    )
]

_FIGURES = {figure: n for n, figure in enumerate("〇一二三四五六七八九")}
_ONES = "[一二三四五六七八九]"
_WRITTEN = re.compile(
    rf"([一二][〇零○ＯOo0一二三四五六七八九]{{3}})年(十[一二]?|{_ONES})月"
    rf"(三十一?|二?十{_ONES}?|{_ONES})日"
)


def read_date(text: str, zone: tzinfo, *, chinese: bool = False) -> datetime | None:
    """The instant `text` names, in UTC; None where it names none or one out of 1900–2200.

    A date without a zone is read in `zone`, one without a time at its midnight. CST is the
    Chinese hour in a `chinese` entry, the American one (RFC 822) otherwise.
    """
    return _read(text.strip()[:_LONGEST], zone, chinese)


@lru_cache(maxsize=1024)  # catalogues that give days without hours repeat themselves
def _read(text: str, zone: tzinfo, chinese: bool) -> datetime | None:
    try:
        if text.isdecimal():
            return _number(text, zone)
        return _plain(text, zone) or _loose(text, zone, chinese) or _written(text, zone)
    except (ValueError, OverflowError):
        return None


def _plain(text: str, zone: tzinfo) -> datetime | None:
    """The two usual forms, the quick way: RFC 822 (through ISO) and ISO 8601.

    ISO's weeks and ordinal days are not seen in catalogues.
    """
    usual = _USUAL.fullmatch(text)
    if usual:
        day, month, year, clock, area = usual.groups()
        area = area.replace("GMT", "+0000")
        text = f"{year}-{_month(month):02}-{day:0>2}T{clock}{area}"
    elif (text[4:5], text[7:8]) != ("-", "-") and text[8:9] != "T":
        return None
    try:
        return _utc(datetime.fromisoformat(text), zone)
    except ValueError:
        return None


def _loose(text: str, zone: tzinfo, chinese: bool) -> datetime | None:
    found = next((m for m in (pattern.search(text) for pattern in _DATES) if m), None)
    if found is None:
        return None
    day = datetime(_year(found["year"]), _month(found["month"]), int(found["day"]))
    clock = _TIME.search(text, found.end()) or _TIME.search(text)
    if clock is None:
        return _utc(day, zone)
    return _utc(day + _since_midnight(clock), _zone(clock["area"], zone, chinese))


def _written(text: str, zone: tzinfo) -> datetime | None:
    """A day in Chinese figures; a letter O or a circle often stands for the zero."""
    found = _WRITTEN.search("".join(text.split()))
    if found is None:
        return None
    year = int("".join(str(_FIGURES.get(figure, 0)) for figure in found[1]))
    return _utc(datetime(year, _figures(found[2]), _figures(found[3])), zone)


def _figures(number: str) -> int:
    """一 to 三十一."""
    tens, ten, ones = number.rpartition("十")
    return _FIGURES.get(tens, len(ten)) * 10 + _FIGURES.get(ones, 0)


def _number(text: str, zone: tzinfo) -> datetime | None:
    """YYYYMMDD, YYYYMMDDhhmm[ss]; ten or thirteen digits from 2001 to 2033 are Unix time."""
    if len(text) == 8:
        return _utc(datetime.strptime(text, "%Y%m%d"), zone)
    if len(text) in (10, 13) and text[0] == "1":
        return datetime.fromtimestamp(int(text[:10]), UTC)
    if len(text) in (12, 14):
        return _utc(datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S"), zone)
    return None


def _year(digits: str) -> int:
    """Two digits as RFC 2822 §4.3 has it: up to 49 is this century."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)


def _month(name: str) -> int:
    if name.isdecimal():
        return int(name)
    month = _MONTHS.get(name) or _MONTHS.get(name[:3].lower())
    if month is None:
        raise ValueError(name)
    return month


def _since_midnight(clock: re.Match[str]) -> timedelta:
    """Adding a span instead of setting fields lets 24:00 and a leap second be what they are."""
    hour, minute, second = (int(clock[part] or 0) for part in ("hour", "minute", "second"))
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError(clock[0])
    half = (clock["before"] or clock["after"] or "").lower().replace(".", "")
    if half in ("pm", "下午", "晚上") and hour < 12:
        hour += 12
    elif half in ("am", "上午", "凌晨") and hour == 12:
        hour = 0
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _zone(area: str | None, zone: tzinfo, chinese: bool) -> tzinfo:
    """The zone named; the office's where none is; UTC for an unknown name (RFC 2822 §4.3)."""
    if not area:
        return zone
    name = area.lower().replace("−", "-")
    digits = re.search(r"([+-])(\d{1,2}):?(\d{2})?$", name)
    if digits:
        span = timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))
        return timezone(-span if digits[1] == "-" else span)
    if name == "cst" and chinese:
        return timezone(timedelta(hours=8))
    return timezone(timedelta(hours=_ZONES.get(name, 0)))


def _utc(at: datetime, zone: tzinfo) -> datetime | None:
    if not 1900 <= at.year <= 2200:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
