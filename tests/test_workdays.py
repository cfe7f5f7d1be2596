"""Working days, the office's day and the clock. Worked examples: the project's norms, §2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigError, GongkaiError
from bot.workdays import CLOCK, Calendar, FixedClock, UnknownYear, office_day, zone_check

SAMPLES = Path(__file__).resolve().parents[1] / "../shared/samples/calendar"
CALENDAR = Calendar()
SHANGHAI = ZoneInfo("Asia/Shanghai")


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("formed", "n", "due"),
    [
        ("2026-02-10", 20, "2026-03-16"),
        ("2026-09-18", 20, "2026-10-22"),
        ("2026-04-27", 20, "2026-05-27"),
        ("2025-12-25", 20, "2026-01-23"),
        ("2025-09-25", 20, "2025-10-29"),
        ("2026-09-30", 5, "2026-10-13"),
        ("2026-09-24", 3, "2026-09-30"),
        ("2026-09-24", 15, "2026-10-22"),
        ("2018-12-07", 20, "2019-01-07"),
    ],
)
def test_worked_examples(formed: str, n: int, due: str) -> None:
    assert CALENDAR.add(day(formed), n) == day(due)
    assert CALENDAR.count(day(formed), day(due)) == n


def test_2026_has_248_working_days_and_six_that_are_swapped() -> None:
    year = [date(2026, 1, 1) + timedelta(days=i) for i in range(365)]
    worked = [d for d in year if CALENDAR.is_workday(d)]
    assert len(worked) == 248
    assert [d.strftime("%m-%d") for d in worked if d.weekday() >= 5] == [
        "01-04",
        "02-14",
        "02-28",
        "05-09",
        "09-20",
        "10-10",
    ]


def announced(year: int) -> Iterator[tuple[date, bool, str]]:
    path = SAMPLES / f"holiday-cn-{year}.json"
    if not path.exists():
        pytest.skip("the shared samples are not here")
    for entry in json.loads(path.read_text("utf-8"))["days"]:
        yield day(entry["date"]), entry["isOffDay"], entry["name"]


@pytest.mark.parametrize(("year", "off", "swapped"), [(2025, 28, 5), (2026, 33, 6)])
def test_agrees_with_an_independent_copy_of_the_notice(year: int, off: int, swapped: int) -> None:
    seen = list(announced(year))
    assert [sum(o for _, o, _ in seen), sum(not o for _, o, _ in seen)] == [off, swapped]
    for when, is_off, name in seen:
        assert CALENDAR.is_workday(when) is not is_off, when
        ours = CALENDAR.name_of(when)
        # 2025's copy calls the joint holiday 国庆节、中秋节; we name each day by one of them
        assert ours in name.split("、") if is_off else ours is None, (when, name)


def test_names_nothing_on_a_plain_weekend_or_a_working_day() -> None:
    assert CALENDAR.name_of(date(2026, 3, 7)) is None
    assert CALENDAR.name_of(date(2026, 3, 9)) is None
    assert CALENDAR.name_of(date(2026, 10, 1)) == "国庆节"


def test_a_year_nobody_announced_is_refused_in_chinese() -> None:
    with pytest.raises(UnknownYear, match="2027 年的放假调休安排尚未录入") as caught:
        CALENDAR.is_workday(date(2027, 1, 4))
    assert isinstance(caught.value, GongkaiError)
    assert caught.value.year == 2027
    assert "[workdays]" in str(caught.value)


@pytest.mark.parametrize("ask", [CALENDAR.is_workday, CALENDAR.name_of])
@pytest.mark.parametrize("year", [1999, 2003, 2027, 2100])
def test_no_weekend_of_an_unknown_year_is_guessed(ask: object, year: int) -> None:
    assert callable(ask)
    with pytest.raises(UnknownYear):
        ask(date(year, 6, 5))


def test_a_term_that_crosses_into_an_unknown_year_is_refused() -> None:
    assert CALENDAR.add(date(2026, 12, 25), 4) == date(2026, 12, 31)
    with pytest.raises(UnknownYear):
        CALENDAR.add(date(2026, 12, 25), 5)
    with pytest.raises(UnknownYear):
        CALENDAR.count(date(2026, 12, 25), date(2027, 1, 5))


def test_the_office_adds_a_year() -> None:
    table = {
        date(2027, 1, 1): (False, "元旦"),
        date(2027, 1, 2): (False, "元旦"),
        date(2027, 1, 3): (False, "元旦"),
        date(2027, 1, 9): (True, "元旦"),
        date(2027, 5, 1): (False, "劳动节"),
        date(2027, 10, 1): (False, "国庆节"),
    }
    calendar = Calendar(table)
    assert calendar.add(date(2026, 12, 31), 6) == date(2027, 1, 9)
    assert calendar.name_of(date(2027, 1, 2)) == "元旦"
    assert calendar.name_of(date(2027, 1, 9)) is None
    assert calendar.name_of(date(2027, 1, 10)) is None


def test_a_few_local_days_do_not_make_a_year() -> None:
    calendar = Calendar(
        {date(2027, 1, 1): (False, "元旦"), date(2027, 3, 3): (False, "本市三月三")}
    )
    assert calendar.is_workday(date(2027, 3, 3)) is False
    with pytest.raises(UnknownYear):
        calendar.is_workday(date(2027, 3, 4))


def test_the_office_corrects_single_days_of_a_known_year() -> None:
    calendar = Calendar({date(2026, 3, 4): (False, "台风停工"), date(2026, 3, 7): (True, "")})
    assert calendar.name_of(date(2026, 3, 4)) == "台风停工"
    assert calendar.add(date(2026, 3, 3), 3) == date(2026, 3, 7)
    assert calendar.is_workday(date(2026, 3, 5))


def test_the_office_may_leave_the_names_out() -> None:
    calendar = Calendar({date(2026, 3, 4): False, date(2026, 3, 7): True})
    assert [calendar.is_workday(date(2026, 3, d)) for d in (4, 5, 7)] == [False, True, True]
    assert calendar.name_of(date(2026, 3, 4)) == "放假"
    assert calendar.name_of(date(2026, 3, 7)) is None
    year = dict.fromkeys((date(2027, 1, 1), date(2027, 5, 1), date(2027, 10, 1)), False)
    assert Calendar(year).is_workday(date(2027, 6, 1))


def test_a_moment_is_not_taken_for_a_day() -> None:
    with pytest.raises(TypeError):
        CALENDAR.is_workday(datetime(2026, 10, 1, tzinfo=UTC))


def test_a_negative_term_is_refused() -> None:
    with pytest.raises(ValueError):
        CALENDAR.add(date(2026, 3, 3), -1)


DATES = st.dates(date(2004, 1, 1), date(2026, 6, 30))


@given(DATES, st.integers(0, 80))
def test_add_and_count_undo_each_other(start: date, n: int) -> None:
    due = CALENDAR.add(start, n)
    assert CALENDAR.count(start, due) == n
    assert CALENDAR.count(due, start) == -n
    assert n == 0 or CALENDAR.is_workday(due)


@given(DATES, st.integers(0, 30), st.integers(0, 30))
def test_terms_add_up(start: date, n: int, more: int) -> None:
    assert CALENDAR.add(CALENDAR.add(start, n), more) == CALENDAR.add(start, n + more)


# ---------------------------------------------------------------- clock and zone


def test_the_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = CLOCK.now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


def test_a_fixed_clock_stands_still_until_it_is_moved() -> None:
    clock = FixedClock(datetime(2026, 9, 22, 9, 0, tzinfo=SHANGHAI))
    assert clock.now() == clock.now() == datetime(2026, 9, 22, 1, 0, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.move(90)
    assert clock.now() == datetime(2026, 9, 22, 1, 1, 30, tzinfo=UTC)
    clock.move(-90.5)
    assert clock.now() == datetime(2026, 9, 22, 0, 59, 59, 500_000, tzinfo=UTC)
    clock.set(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5))))
    assert clock.now() == datetime(2026, 1, 1, 5, tzinfo=UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 9, 22, 9, 0)
    with pytest.raises(ValueError):
        FixedClock(naive)
    with pytest.raises(ValueError):
        office_day(naive, SHANGHAI)


def test_the_office_day_begins_at_its_own_midnight() -> None:
    assert office_day(datetime(2026, 9, 22, 15, 59, 59, tzinfo=UTC), SHANGHAI) == date(2026, 9, 22)
    assert office_day(datetime(2026, 9, 22, 16, tzinfo=UTC), SHANGHAI) == date(2026, 9, 23)
    assert office_day(datetime(2026, 9, 22, 16, tzinfo=UTC), UTC) == date(2026, 9, 22)


def test_a_zone_is_found_by_name() -> None:
    assert zone_check("Asia/Urumqi").key == "Asia/Urumqi"


@pytest.mark.parametrize("name", ["Asia/Beijing", "北京", "", "../etc/passwd", "/etc", "Asia"])
def test_a_wrong_zone_says_what_to_write(name: str) -> None:
    with pytest.raises(ConfigError, match="Asia/Shanghai"):
        zone_check(name)
