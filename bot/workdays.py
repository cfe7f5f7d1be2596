"""Chinese working days with 调休, deadline arithmetic, the office's day, and the one clock.

What is off and what is worked is announced year by year (国务院办公厅's notice, usually in November
for the year after). A year nobody has entered raises `UnknownYear`: counting Monday to Friday
instead would be wrong, and silently so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.errors import ConfigError, GongkaiError, Invalid
from bot.language import Say

# Days that differ from their weekday: worked or not, or that and the holiday's name.
WEEKDAYS = (
    Say("周一"),
    Say("周二"),
    Say("周三"),
    Say("周四"),
    Say("周五"),
    Say("周六"),
    Say("周日"),
)


def zone_name(zone: str) -> Say:
    """What people call the clock that times are shown on."""
    return Say("北京时间") if zone == "Asia/Shanghai" else Say("{zone}", zone=zone)


Days = Mapping[date, bool | tuple[bool, str]]


class UnknownYear(GongkaiError):
    """Neither the shipped data nor the office's table knows the holidays of `year`."""

    def __init__(self, year: int) -> None:
        super().__init__(
            "{year} 年的放假调休安排尚未录入，无法推算工作日。请按国务院办公厅的通知，"
            "在 config.toml 的 [workdays] 表中录入该年全部放假日和调休上班日"
            "（至少含元旦、劳动节、国庆节）",
            year=year,
        )
        self.year = year


class Calendar:
    """Which days are worked: the shipped announcements, and over them the office's `table`.

    The table may correct single days of a known year, or bring a new year. It brings one only when
    1 January, 1 May and 1 October of it stand there as days off, as in every notice: an office's
    own closing day must not make a whole year look announced.
    """

    def __init__(self, table: Days | None = None) -> None:
        self._table = {
            day: said if isinstance(said, tuple) else (said, "放假")
            for day, said in (table or {}).items()
        }

    def is_workday(self, day: date) -> bool:
        """Is `day` worked? Raises UnknownYear."""
        worked, _ = self._look(day)
        return worked

    def name_of(self, day: date) -> str | None:
        """The holiday `day` is off for, 国庆节; None for a working day or plain weekend.

        Raises UnknownYear.
        """
        worked, name = self._look(day)
        return None if worked else name or None

    def add(self, day: date, n: int) -> date:
        """The `n`th working day after `day`, which is itself not counted (民法典 art. 201).

        `n` = 0 is `day`. Raises UnknownYear, and ValueError for a negative `n`.
        """
        if n < 0:
            raise ValueError(f"negative number of working days: {n}")
        while n:
            day += timedelta(days=1)
            n -= self.is_workday(day)
        return day

    def count(self, start: date, end: date) -> int:
        """Working days after `start` up to and with `end`, so that count(d, add(d, n)) = n.

        Negative when `end` is the earlier one. Raises UnknownYear.
        """
        if end < start:
            return -self.count(end, start)
        days = (start + timedelta(days=i) for i in range(1, (end - start).days + 1))
        return sum(map(self.is_workday, days))

    def _look(self, day: date) -> tuple[bool, str]:
        if isinstance(day, datetime):
            raise TypeError("a moment has no day without a zone: use office_day() first")
        if found := self._table.get(day):
            return found
        if day.year not in _announced()[0] and not self._brings(day.year):
            raise UnknownYear(day.year)
        return _announced()[1].get(day) or (day.weekday() < 5, "")

    def _brings(self, year: int) -> bool:
        fixed = (date(year, month, 1) for month in (1, 5, 10))
        return all(self._table.get(day, (True, ""))[0] is False for day in fixed)


@cache
def _announced() -> tuple[range, dict[date, tuple[bool, str]]]:
    """The years chinesecalendar knows, and their days that differ from their weekday."""
    from chinese_calendar.constants import Holiday, holidays, workdays

    short = {"清明", "端午", "中秋"}
    names = {h.value: h.chinese + "节" * (h.chinese in short) for h in Holiday}
    off = {day: (False, names[h]) for day, h in holidays.items()}
    worked = {day: (True, names[h]) for day, h in workdays.items()}
    return range(min(off).year, max(off).year + 1), off | worked


# ---------------------------------------------------------------- the clock


class Clock:
    """The one source of the present moment. Code takes a Clock and asks it; nothing else does."""

    def now(self) -> datetime:
        """This moment, aware, in UTC."""
        return datetime.now(UTC)


CLOCK = Clock()


class FixedClock(Clock):
    """A clock that stands still until it is moved: for dry runs and tests."""

    def __init__(self, at: datetime) -> None:
        self.set(at)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Stand at `at`. Raises ValueError for a moment without a zone."""
        self._at = _aware(at).astimezone(UTC)

    def move(self, seconds: float) -> None:
        """Go `seconds` forward, or back when negative."""
        self._at += timedelta(seconds=seconds)


def instant(words: str, zone: tzinfo) -> datetime | None:
    """A time as people write it, on the office's clock where it names no zone; empty is None.

    Raises Invalid.
    """
    said = words.strip()
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise Invalid("看不懂时间“{value}”，例：2026-09-22T15:00", value=said[:30]) from None
    if not 2000 <= at.year <= 2200:  # beyond, no calendar can be asked
        raise Invalid("时间须在 2000 年到 2200 年之间，不是“{value}”", value=said[:30])
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def office_day(at: datetime, zone: tzinfo) -> date:
    """The office's calendar day at the moment `at`. Raises ValueError for one without a zone."""
    return _aware(at).astimezone(zone).date()


@dataclass(frozen=True)
class Hours:
    """Hours of every day on the office's clock, `ends` not included; they may span midnight."""

    begins: time
    ends: time

    @classmethod
    def of(cls, words: str) -> Hours:
        """ "22:00-07:00". Raises ValueError."""
        match = re.fullmatch(r"(\d{1,2}:\d\d)\s*[-–—~至]\s*(\d{1,2}:\d\d)", words.strip())
        if not match:
            raise ValueError(words)
        made = cls(clock_time(match[1]), clock_time(match[2]))
        if made.begins == made.ends:
            raise ValueError(words)
        return made

    def hold(self, at: datetime, zone: tzinfo) -> bool:
        """Is the moment `at` in them?"""
        now = _aware(at).astimezone(zone).time()
        if self.begins < self.ends:
            return self.begins <= now < self.ends
        return now >= self.begins or now < self.ends

    def over(self, at: datetime, zone: tzinfo) -> datetime:
        """When they are over next: `at` itself outside of them."""
        if not self.hold(at, zone):
            return at
        here = _aware(at).astimezone(zone)
        day = here.date() + timedelta(days=here.time() >= self.ends)
        return datetime.combine(day, self.ends, zone).astimezone(UTC)


def clock_time(words: str) -> time:
    """ "9:00" or "17:30" as a time of the day. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", words.strip())
    if not match:
        raise ValueError(words)
    return time(int(match[1]), int(match[2]))


def zone_check(name: str) -> ZoneInfo:
    """The zone called `name` (an IANA name). Raises ConfigError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            "没有名为“{name}”的时区。请写 IANA 时区名，例如 Asia/Shanghai", name=name
        ) from error


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"a moment without a zone: {at}")
    return at
