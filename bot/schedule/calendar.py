"""When a schedule fires. Calendar rules in the office's zone (APScheduler's CronTrigger: DST-safe, no
drift), over them the days that are worked and off as they are announced; a year that is not is an
error, never a guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from bot.config import line_of
from bot.errors import ConfigError
from bot.language import Say
from bot.office import Office
from bot.schedule.files import Rule, Schedule, instant
from bot.workdays import UnknownYear, office_day

_JUST_AFTER = timedelta(microseconds=1)
_NEVER = datetime.max.replace(tzinfo=UTC)
LONGEST = timedelta(days=20)  # that a row of days off may last
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = {  # what cron's fields may be
    "minute": Say("0–59、*、*/5、0,30"),
    "hour": Say("0–23、*、*/2、9-17"),
    "day": Say("1–31、*、last、last fri"),
    "day_of_week": Say("0–7（0 和 7 是周日）、mon–sun、1-5"),
    "month": Say("1–12、*、jan–dec"),
}
Firing = Callable[[datetime], datetime | None]  # the first time after a moment, both in UTC


def times(
    office: Office, schedule: Schedule, after: datetime, until: datetime | None = None
) -> Iterator[datetime]:
    """Its times after `after`, up to `until`, in order, in UTC.

    Raises UnknownYear where it asks which days are worked and the year is not announced.
    """
    last = None
    for at in _fires(office, schedule, after, until or _NEVER):
        if at > (until or _NEVER):
            return
        if schedule.end is not None and office_day(at, office.config.tz) > schedule.end:
            return
        if at != last:
            last = at
            yield at


def _fires(
    office: Office, schedule: Schedule, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Days beyond `until` are not looked at: their year may not be announced yet."""
    if schedule.step:
        yield from (step.at for step in schedule.step if step.at > after)
        return
    begins = after - LONGEST if schedule.roll else after
    for at in takewhile(lambda at: at <= until, _by_rules(office, schedule, begins)):
        moved = _rolled(office, at) if schedule.roll else at
        if moved > after and _on_its_days(office, schedule, moved):
            yield moved


def _by_rules(office: Office, schedule: Schedule, at: datetime) -> Iterator[datetime]:
    firings = [_firing(office, rule) for rule in schedule.when]
    while fires := [fire for firing in firings if (fire := firing(at)) is not None]:
        at = min(fires)
        yield at


def _rolled(office: Office, at: datetime) -> datetime:
    """At the same hour of the next working day, where this is none."""
    here = at.astimezone(office.config.tz)
    day = here.date()
    while not office.calendar.is_workday(day):
        day += timedelta(days=1)
    return here.replace(year=day.year, month=day.month, day=day.day).astimezone(UTC)


def _on_its_days(office: Office, schedule: Schedule, at: datetime) -> bool:
    if schedule.days == "all":
        return True
    day = office_day(at, office.config.tz)
    if schedule.days == "holidays":
        return office.calendar.name_of(day) is not None
    return office.calendar.is_workday(day) == (schedule.days == "workdays")


def check_rules(office: Office, made: Schedule, file: Path, source: str) -> None:
    """Raises ConfigError for a rule that is none, naming its key."""
    for n, rule in enumerate(made.when):
        try:
            _firing(office, rule)
        except ValueError:
            raise _mistaken(office, rule, n, file, source) from None


def _mistaken(office: Office, rule: Rule, n: int, file: Path, source: str) -> ConfigError:
    """The first of its fields that is none by itself; else the rule as a whole."""
    for key in FIELDS:
        said = getattr(rule, key)
        try:
            _firing(office, Rule(**{key: said}))
        except ValueError:
            line = line_of(source, ["when", str(n), key])
            return ConfigError(
                "{file} 第 {line} 行：时间规则有误：{key} 不能是“{said}”，可写 {range}",
                file=file.name,
                line=line,
                key=key,
                said=said,
                range=FIELDS[key],
            )
    line = line_of(source, ["when", str(n)])
    return ConfigError("{file} 第 {line} 行：时间规则有误", file=file.name, line=line)


def _firing(office: Office, rule: Rule) -> Firing:
    """Raises ValueError for a rule that is none."""
    from apscheduler.triggers.cron import CronTrigger

    if rule.at is not None:
        once = instant(office, rule.at)
        return lambda after: once if once > after else None
    fields = rule.model_dump(exclude={"at"})
    fields["day_of_week"] = re.sub(r"(?<![/\w])[0-7](?!\w)", _weekday, rule.day_of_week)
    trigger = CronTrigger(**fields, second="0", timezone=office.config.tz)

    def _next(after: datetime) -> datetime | None:
        fire: datetime | None = trigger.get_next_fire_time(None, after + _JUST_AFTER)
        if fire is None:
            return None
        at = fire.astimezone(UTC)
        # An hour that clocks show twice is one hour, unless every hour is meant.
        return _next(at) if fire.fold and "*" not in rule.hour else at

    return _next


def _weekday(number: re.Match[str]) -> str:
    """cron counts from Sunday, APScheduler from Monday: by name they agree."""
    return WEEKDAYS[int(number[0]) % 7]


def upcoming(
    office: Office, schedule: Schedule, now: datetime, n: int = 5
) -> tuple[list[datetime], UnknownYear | None]:
    """Its next `n` times, and why they are fewer, where the calendar is not announced that far."""
    found: list[datetime] = []
    try:
        for at in times(office, schedule, now):
            found.append(at)
            if len(found) == n:
                break
    except UnknownYear as error:
        return found, error
    return found, None
