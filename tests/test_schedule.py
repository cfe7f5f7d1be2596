"""排期: when it fires, once, in the office's zone; and what it makes of what was read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import RowMapping, select, update

from bot import catalog, compose, lease, review, schedule, workdays
from bot.db import (
    approvals,
    deliveries,
    holds,
    insert_id,
    items,
    occurrences,
    posts,
    renditions,
    sources,
)
from bot.db import offices as offices_table
from bot.deliver import plan
from bot.deliver.holds import declare
from bot.errors import ConfigError, Conflict, Invalid
from bot.language import Say
from bot.model import Entry, HoldScope, ItemState, PostState, Window
from bot.office import Office
from bot.schedule import DONE, EMPTY, MISSED, PLANNED, SKIPPED, firing
from bot.workdays import FixedClock, UnknownYear
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

SHANGHAI = ZoneInfo("Asia/Shanghai")
MORE = """
[sources.notices]
unit = "county"
url = "feed.xml"
draft = false
accounts = ["hand"]
"""
DIGEST = """
name = "今日公开"
unit = "county"
accounts = ["hand"]
lead = "2h"
lateness = "90m"
{more}
[items]
sources = ["notices"]
[[when]]
hour = "17"
minute = "30"
"""
SLOTS = """
name = "晨间"
unit = "county"
accounts = ["hand"]
[[when]]
hour = "8"
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(office: Office) -> Desk:
    return Desk(offices.declared(office, MORE + offices.HAND.format(key="hand")))


class Desk:
    """An office with a folder of schedules."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.folder = office.config.path.parent / "schedules"
        self.folder.mkdir(exist_ok=True)

    def write(self, key: str, text: str) -> Path:
        file = self.folder / f"{key}.toml"
        file.write_text(text, "utf-8")
        return file

    def rule(self, when: str, **more: Any) -> schedule.Schedule:
        """A schedule of slots by these [[when]] lines."""
        lines = "".join(f"{k} = {str(v).lower()}\n" for k, v in more.items())
        text = f'name = "x"\nunit = "county"\naccounts = ["hand"]\n{lines}[[when]]\n{when}\n'
        return schedule.load(self.office, self.write("x", text))

    def next(self, when: str, n: int = 5, after: datetime | None = None, **more: Any) -> list[str]:
        """Its times as the office's clock shows them."""
        zone = self.office.config.tz
        found = schedule.times(self.office, self.rule(when, **more), after or self.now())
        return [f"{at.astimezone(zone):%m-%d %H:%M}" for at in islice(found, n)]

    def now(self) -> datetime:
        return self.office.db.clock.now()

    def plan(self) -> list[str]:
        return [str(error) for error in schedule.plan_ahead(self.office)]

    def rows(self) -> list[RowMapping]:
        return rows(self.office, occurrences)

    def states(self) -> list[tuple[str, str]]:
        """(day and hour at the office, state), in time."""
        found = sorted(self.rows(), key=lambda row: row["at"])
        return [(f"{row['at'].astimezone(SHANGHAI):%d %H:%M}", row["state"]) for row in found]

    def seen(self, title: str, **more: Any) -> int:
        """An entry of the source was first seen just now."""
        entry = Entry(key=title, title=title, published=self.now(), column=more.pop("column", ""))
        with self.office.db.write() as conn:
            source = conn.execute(select(sources.c.id)).scalar_one()
            row = {"source_id": source, "key": title, "title": title, "state": ItemState.NEW}
            stored = {"digest": entry.digest, "entry": entry.json(), "revision": 1}
            times = {"seen_at": self.now(), "published": entry.published, "column": entry.column}
            waits = {"waits": catalog.NOT_DRAFTED.json()}
            return insert_id(conn, items, {**row, **stored, **times, **waits, **more})

    def fire(self) -> int:
        return schedule.fire_due(self.office)

    def texts(self) -> list[str]:
        return [row["payload"]["text"] for row in rows(self.office, renditions)]


def office_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


# ---------------------------------------------------------------- the calendar


@pytest.mark.parametrize(
    ("when", "times"),
    [
        ('hour = "17"\nminute = "30"', ["11-24 17:30", "11-25 17:30", "11-26 17:30"]),
        ('hour = "8,20"', ["11-24 20:00", "11-25 08:00", "11-25 20:00"]),
        ('hour = "9"', ["11-25 09:00", "11-26 09:00", "11-27 09:00"]),
        ('minute = "*/20"', ["11-24 09:20", "11-24 09:40", "11-24 10:00"]),
        ('hour = "9"\nday = "1"', ["12-01 09:00", "01-01 09:00", "02-01 09:00"]),
        ('hour = "9"\nday = "last"', ["11-30 09:00", "12-31 09:00", "01-31 09:00"]),
        ("at = 2026-11-25T09:30:00", ["11-25 09:30"]),
        ("at = 2026-11-25T09:30:00Z", ["11-25 17:30"]),
        ("at = 2026-11-24T08:59:00", []),
        ('hour = "9"\nday = "30"\nmonth = "2"', []),
    ],
)
def test_rules_are_read_on_the_office_s_clock(desk: Desk, when: str, times: list[str]) -> None:
    assert desk.next(when, 3) == times


@pytest.mark.parametrize(
    ("days", "times"),
    [
        ("1-5", ["24 17:00", "25 17:00", "26 17:00", "27 17:00", "30 17:00"]),
        ("0", ["29 17:00", "06 17:00", "13 17:00", "20 17:00", "27 17:00"]),
        ("7", ["29 17:00", "06 17:00", "13 17:00", "20 17:00", "27 17:00"]),
        ("mon,wed", ["25 17:00", "30 17:00", "02 17:00", "07 17:00", "09 17:00"]),
        ("2,4", ["24 17:00", "26 17:00", "01 17:00", "03 17:00", "08 17:00"]),
    ],
)
def test_days_of_the_week_are_numbered_as_cron_numbers_them(
    desk: Desk, days: str, times: list[str]
) -> None:
    found = desk.next(f'hour = "17"\nday_of_week = "{days}"')
    assert [at.partition("-")[2] for at in found] == times


def test_several_rules_are_one_row_of_times(desk: Desk) -> None:
    two = 'hour = "17"\n[[when]]\nhour = "12"\n[[when]]\nhour = "12"\n[[when]]\nat = 2026-11-24T15:00:00'
    assert desk.next(two, 4) == ["11-24 12:00", "11-24 15:00", "11-24 17:00", "11-25 12:00"]


def test_working_days_follow_the_announced_exchange_of_days(desk: Desk) -> None:
    """2026: 1 to 7 October off, Saturday the 10th worked in exchange."""
    after = office_time("2026-09-29T18:00")
    found = desk.next('hour = "17"', 6, after, days='"workdays"')
    assert found == [
        "09-30 17:00",
        "10-08 17:00",
        "10-09 17:00",
        "10-10 17:00",
        "10-12 17:00",
        "10-13 17:00",
    ]
    assert date(2026, 10, 10).weekday() == 5


def test_a_year_nobody_announced_is_an_error_and_no_guess(desk: Desk) -> None:
    rule = desk.rule('hour = "17"', days='"workdays"')
    found = schedule.times(desk.office, rule, office_time("2031-03-03T18:00"))
    with pytest.raises(UnknownYear, match="2031"):
        next(found)
    assert desk.next('hour = "17"', 1, office_time("2031-03-03T18:00")) == ["03-04 17:00"]


def test_upcoming_times_say_why_they_are_fewer(desk: Desk) -> None:
    last = max(_announced()) + 1
    eve = office_time(f"{last - 1}-12-29T18:00")
    rule = desk.rule('hour = "17"', days='"workdays"')
    found, why = schedule.upcoming(desk.office, rule, eve)
    assert len(found) < 5
    assert str(last) in str(why)
    full, nothing = schedule.upcoming(desk.office, rule, desk.now())
    assert (len(full), nothing) == (5, None)


def _announced() -> range:
    return workdays._announced()[0]


@pytest.mark.parametrize(
    ("zone", "after", "when", "times"),
    [
        (
            "Europe/Berlin",
            "2026-03-28T10:00",
            'hour = "9"',
            ["03-29 09:00", "03-30 09:00", "03-31 09:00"],
        ),
        (
            "Europe/Berlin",
            "2026-10-24T10:00",
            'hour = "2"\nminute = "30"',
            ["10-25 02:30", "10-26 02:30", "10-27 02:30"],
        ),
        (
            "Europe/Berlin",
            "2026-10-24T23:59",
            'minute = "30"',
            ["10-25 02:30", "10-25 02:30", "10-25 03:30"],
        ),
        (
            "America/New_York",
            "2026-10-31T12:00",
            'hour = "9"',
            ["10-31 09:00", "11-01 09:00", "11-02 09:00"],
        ),
    ],
)
def test_hours_do_not_drift_when_clocks_change(
    office: Office, zone: str, after: str, when: str, times: list[str]
) -> None:
    units = f'zone = "{zone}"\n' + builders.CONFIG
    desk = Desk(offices.declared(office, MORE + offices.HAND.format(key="hand"), units))
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert desk.next(when, 3, start) == times


def test_a_time_that_a_clock_change_leaves_out_fires_once_all_the_same(office: Office) -> None:
    units = 'zone = "Europe/Berlin"\n' + builders.CONFIG
    desk = Desk(offices.declared(office, MORE + offices.HAND.format(key="hand"), units))
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    found = desk.next('hour = "2"\nminute = "30"', 3, start)
    assert [at[:5] for at in found] == ["03-29", "03-30", "03-31"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('hour = "25"', "第 5 行"),
        ('minute = "often"', "第 5 行"),
        ('our = "9"', "hour"),
        ("at = 2026-13-01T00:00:00", "x.toml"),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_line(desk: Desk, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        desk.rule(text)
    assert "x.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ('unit = "country"', "county"),
        ('accounts = ["hands"]', "hand"),
        ('[items]\nsources = ["notice"]', "notices"),
        ('template = "digset"\n[items]\nsources = ["notices"]', "digset"),
        ('lateness = "0s"', "lateness"),
        ('leed = "2h"', "lead"),
    ],
)
def test_a_schedule_that_names_what_is_not_there_is_refused(
    desk: Desk, wrong: str, near: str
) -> None:
    key = wrong.partition(" ")[0]
    lines = [line for line in SLOTS.splitlines() if not line.startswith(f"{key} =")]
    head, when = "\n".join(lines).split("[[when]]")
    file = desk.write("x", f"{head}\n{wrong}\n[[when]]{when}")
    with pytest.raises(ConfigError, match=near):
        schedule.load(desk.office, file)


def test_a_schedule_needs_a_time(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="when"):
        schedule.load(desk.office, desk.write("x", SLOTS.split("[[when]]")[0] + "when = []"))


def test_the_shipped_schedules_are_read(office: Office) -> None:
    whole = (offices.ROOT / "config.toml").read_text("utf-8")
    made = offices.declared(office, "", whole)
    for file in sorted((offices.ROOT / "schedules").glob("*.toml")):
        found, why = schedule.upcoming(made, schedule.load(made, file), builders.NOW)
        assert (len(found), why) == (5, None)


# ---------------------------------------------------------------- planned ahead


def test_the_coming_days_are_rows_due_ahead_of_their_time(desk: Desk) -> None:
    desk.write("daily", DIGEST.format(more=""))
    desk.write("slots", SLOTS)
    assert desk.plan() == []
    found = {(row["schedule"], row["at"]): row["due_at"] for row in desk.rows()}
    assert {at - due for (key, at), due in found.items() if key == "daily"} == {2 * HOUR}
    assert {at - due for (key, at), due in found.items() if key == "slots"} == {0 * HOUR}
    assert [at for at, state in desk.states()] == ["24 17:30", "25 08:00", "25 17:30", "26 08:00"]
    before = desk.rows()
    assert desk.plan() == []
    assert desk.rows() == before, "planning again changes nothing"


def test_a_lead_longer_than_the_horizon_is_kept(desk: Desk) -> None:
    desk.write(
        "weekly",
        DIGEST.format(more="")
        .replace('"2h"', '"4d"')
        .replace("[[when]]", '[[when]]\nday_of_week = "sun"'),
    )
    desk.plan()
    (row,) = desk.rows()
    assert row["at"] - row["due_at"] == timedelta(days=4)


def test_what_is_once_is_planned_once(desk: Desk, clock: FixedClock) -> None:
    desk.write("once", SLOTS.replace('hour = "8"', "at = 2026-11-24T10:00:00"))
    for _ in range(3):
        assert desk.plan() == []
        desk.fire()
        clock.move(3600)
    assert desk.states() == [("24 10:00", EMPTY)]


def test_a_changed_file_is_taken_up_without_a_restart(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    desk.write("slots", SLOTS.replace('"8"', '"10"'))
    desk.plan()
    assert desk.states() == [
        ("24 10:00", PLANNED),
        ("25 08:00", SKIPPED),
        ("25 10:00", PLANNED),
        ("26 08:00", SKIPPED),
    ]


def test_a_changed_lead_moves_what_is_due(desk: Desk) -> None:
    desk.write("daily", DIGEST.format(more=""))
    desk.plan()
    desk.write("daily", DIGEST.format(more="").replace('"2h"', '"3h"'))
    desk.plan()
    assert {row["at"] - row["due_at"] for row in desk.rows()} == {3 * HOUR}


@both
def test_paused_and_going_on_again_skips_nothing_to_come(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    desk.write("slots", "paused = true\n" + SLOTS)
    desk.plan()
    assert {state for _, state in desk.states()} == {SKIPPED}
    desk.write("slots", SLOTS)
    desk.plan()
    assert {state for _, state in desk.states()} == {PLANNED}
    assert all(row["due_at"] == row["at"] for row in desk.rows())


@both
def test_one_occurrence_more_at_the_very_same_moment_is_refused_in_words(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    run = partial(schedule.run, desk.office)
    with desk.office.db.write() as conn:
        run(conn, desk.now(), builders.actor(conn, "lin"), "slots")
    with pytest.raises(Conflict, match="刚刚已加发"), desk.office.db.write() as conn:
        run(conn, desk.now(), builders.actor(conn, "lin"), "slots")
    assert len(desk.rows()) == 1


@both
def test_a_file_that_was_taken_away_asks_for_nothing(desk: Desk, clock: FixedClock) -> None:
    file = desk.write("slots", SLOTS)
    desk.plan()
    file.unlink()
    desk.plan()
    clock.move(2 * 86400)
    assert desk.fire() == 0
    assert told(desk.office) == []


def test_a_file_with_a_mistake_stops_no_other(desk: Desk) -> None:
    desk.write("a", "name = ")
    desk.write("b", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    (desk.folder / "c.toml").write_bytes(b"\xff\xfe")
    desk.write("slots", SLOTS)
    wrong = desk.plan()
    assert len(wrong) == 3
    assert "a.toml" in wrong[0]
    assert len(desk.rows()) == 2


def test_an_unannounced_year_stops_only_what_lies_in_it(desk: Desk, clock: FixedClock) -> None:
    last = max(_announced())
    clock.set(office_time(f"{last}-12-30T09:00"))
    desk.write("slots", SLOTS.replace('"8"', '"17"') + "\n")
    desk.write("work", 'days = "workdays"\n' + SLOTS.replace('"8"', '"17"'))
    worked = [d for d in (30, 31) if desk.office.calendar.is_workday(date(last, 12, d))]
    clock.set(office_time(f"{last}-12-31T09:00"))
    (said,) = desk.plan()
    assert str(last + 1) in said
    by_key = [row["at"] for row in desk.rows() if row["schedule"] == "work"]
    assert len(by_key) == (31 in worked)


def test_the_last_occurrence_of_an_announced_year_still_takes_place(
    desk: Desk, clock: FixedClock
) -> None:
    last = max(_announced())
    eve = max(d for d in range(20, 32) if desk.office.calendar.is_workday(date(last, 12, d)))
    clock.set(office_time(f"{last}-12-{eve}T16:00"))
    desk.write("work", 'days = "workdays"\n' + SLOTS.replace('"8"', '"17"'))
    desk.plan()
    clock.move(3600)
    assert desk.fire() == 1
    assert desk.rows()[0]["state"] == EMPTY


# ---------------------------------------------------------------- fired


def digested(desk: Desk, *titles: str, more: str = "") -> None:
    """Planned at 09:00; entries seen at 10:00; then 15:30, two hours before."""
    desk.write("daily", DIGEST.format(more=more))
    desk.plan()
    _move(desk, "2026-11-24T10:00")
    for title in titles:
        desk.seen(title)
    _move(desk, "2026-11-24T15:30")


def _move(desk: Desk, to: str) -> None:
    clock = desk.office.db.clock
    assert isinstance(clock, FixedClock)
    clock.set(office_time(to))


def test_a_digest_is_made_ahead_of_its_time_so_that_it_can_be_signed(desk: Desk) -> None:
    digested(desk, "停水通知", "停电通知")
    assert desk.fire() == 1
    (post,) = rows(desk.office, posts)
    assert (post["title"], post["author_id"]) == ("今日公开（2026年11月24日）", None)
    assert post["go_at"] == office_time("2026-11-24T17:30")
    assert post["latest_at"] == office_time("2026-11-24T19:00")
    (text,) = desk.texts()
    assert text.startswith("【2026年11月24日　今日公开】共 2 条")
    assert "停水通知" in text
    assert "停电通知" in text
    (row, _) = desk.rows()
    assert (row["state"], row["post_id"]) == (DONE, post["id"])
    review.take_drafts(desk.office)
    (post,) = rows(desk.office, posts)
    assert post["state"] == PostState.IN_REVIEW
    builders.sign(desk.office, post["id"])
    plan.plan_due(desk.office)
    delivery = builders.only(desk.office, post["id"])
    assert (delivery["go_at"], delivery["latest_at"]) == (post["go_at"], post["latest_at"])


def test_with_nothing_to_say_nothing_is_said(desk: Desk) -> None:
    digested(desk)
    desk.fire()
    assert rows(desk.office, posts) == []
    assert desk.rows()[0]["state"] == EMPTY


def test_a_baseline_a_flood_and_what_was_passed_over_are_in_no_digest(desk: Desk) -> None:
    digested(desk, "可以公开的")
    _move(desk, "2026-11-24T15:00")
    desk.seen("基线里的", state=ItemState.SKIPPED, waits=None)
    desk.seen("等人确认的", waits={"text": "一次多出的条目过多", "values": {}})
    desk.seen("撤下的", gone_at=desk.now())
    _move(desk, "2026-11-24T15:30")
    desk.fire()
    (text,) = desk.texts()
    assert "共 1 条" in text
    assert "可以公开的" in text


def test_only_its_columns_and_the_newest_of_them(desk: Desk) -> None:
    desk.write(
        "daily", DIGEST.format(more="").replace("[items]", '[items]\nmost = 2\ncolumns = ["政策"]')
    )
    desk.plan()
    for n in range(4):
        _move(desk, f"2026-11-24T1{n}:00")
        desk.seen(f"第{n}号", column="政策" if n else "活动")
    _move(desk, "2026-11-24T15:30")
    desk.fire()
    (post,) = rows(desk.office, posts)
    by_id = {row["id"]: row["title"] for row in rows(desk.office, items)}
    assert [by_id[n] for n in post["from_items"]] == ["第3号", "第2号"]


@both
def test_an_entry_stands_in_one_digest_of_a_schedule_even_when_one_was_late(desk: Desk) -> None:
    digested(desk, "甲")
    _move(desk, "2026-11-24T17:00")  # the worker was down until half an hour before
    desk.seen("乙")
    desk.fire()
    _move(desk, "2026-11-25T10:00")
    desk.plan()
    desk.seen("丙")
    _move(desk, "2026-11-25T15:30")
    desk.fire()
    first, second = desk.texts()
    assert "共 2 条" in first
    assert "共 1 条" in second
    assert "丙" in second


def test_what_a_missed_occurrence_would_have_said_is_in_the_next(desk: Desk) -> None:
    digested(desk, "甲")
    _move(desk, "2026-11-24T20:00")
    desk.fire()
    _move(desk, "2026-11-25T15:30")
    desk.plan()
    desk.fire()
    assert [state for _, state in desk.states()][:2] == [MISSED, DONE]
    (text,) = desk.texts()
    assert "甲" in text


def test_entries_that_get_a_post_of_their_own_still_get_it(desk: Desk) -> None:
    digested(desk)
    own = desk.seen("自动成稿的", waits=None, due_at=desk.now())
    other = desk.seen("只入汇总的")
    desk.fire()
    by_id = {row["id"]: row for row in rows(desk.office, items)}
    assert (by_id[own]["state"], by_id[own]["post_id"]) == (ItemState.NEW, None)
    assert by_id[other]["state"] == ItemState.COMPOSED


def test_an_entry_that_changes_holds_the_digest_it_stands_in(desk: Desk) -> None:
    digested(desk, "甲", "乙")
    desk.fire()
    review.take_drafts(desk.office)
    first, *_ = rows(desk.office, items)
    with desk.office.db.write() as conn:
        catalog.intake._hold(conn, desk.now(), first["id"], Say("来源条目改到第 {n} 版", n=2))
    (hold,) = rows(desk.office, holds)
    (post,) = rows(desk.office, posts)
    assert (hold["scope"], hold["target_id"]) == (HoldScope.POST, post["id"])


@both
def test_an_occurrence_in_an_outage_is_missed_and_told_of_once(desk: Desk) -> None:
    desk.write("hourly", SLOTS.replace('hour = "8"', 'minute = "0"'))
    desk.plan()
    _move(desk, "2026-11-25T09:30")
    while desk.fire():
        pass
    states = [state for _, state in desk.states()]
    assert states.count(MISSED) == 22
    assert states.count(EMPTY) == 2, "those whose lateness has not passed"
    assert told(desk.office) == [], "one of its times has gone well since"


def test_a_miss_is_told_until_the_schedule_works_again(desk: Desk) -> None:
    digested(desk, "甲")
    _move(desk, "2026-11-24T20:00")
    desk.fire()
    (said,) = told(desk.office)
    assert "今日公开" in said
    assert "没有运行" in said


@both
def test_times_of_an_outage_longer_than_anything_was_planned_are_missed_too(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    desk.write("fresh", SLOTS)
    _move(desk, "2026-11-30T09:30")
    desk.plan()
    while desk.fire():
        pass
    past = [row for row in desk.rows() if row["schedule"] == "slots" and row["at"] < desk.now()]
    known = sorted((row["at"].day, row["state"]) for row in past)
    assert known == [*((day, MISSED) for day in range(25, 30)), (30, EMPTY)]
    began = [row["at"] for row in desk.rows() if row["schedule"] == "fresh"]
    assert min(began) > desk.now(), "what was first planned today missed nothing"


def test_a_schedule_changed_while_the_office_works_missed_nothing(desk: Desk) -> None:
    file = desk.write("weekly", SLOTS + 'day_of_week = "sun"\n')
    for day in range(24, 28):
        _move(desk, f"2026-11-{day}T09:30")
        desk.plan()
    file.write_text(SLOTS + 'day_of_week = "mon-fri"\n', "utf-8")
    desk.plan()
    assert [at for at, _ in desk.states() if at < "27 09:30"] == []


def test_after_a_restore_none_of_them_is_made_again(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    _move(desk, "2026-11-30T09:30")
    with desk.office.db.write() as conn:
        conn.execute(update(offices_table).values(restored_at=desk.now()))
    desk.plan()
    desk.fire()
    past = [row for row in desk.rows() if row["at"] < desk.now()]
    assert (len(past), {row["state"] for row in past}) == (6, {MISSED})


def test_a_very_long_outage_is_recorded_for_a_month_of_it(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    _move(desk, "2027-02-24T09:30")
    desk.plan()
    past = [row["at"] for row in desk.rows() if row["at"] <= desk.now()]
    assert len(past) == 2 + 31


def test_a_mistake_may_be_mended_until_its_time_comes(desk: Desk) -> None:
    digested(desk, "甲")
    file = desk.office.config.path.parent / "templates" / "digest.txt"
    right = file.read_text("utf-8")
    file.write_text("{{ nonsense }}", "utf-8")
    desk.fire()
    row = desk.rows()[0]
    assert (row["state"], row["due_at"] - desk.now()) == (PLANNED, timedelta(minutes=1))
    assert "nonsense" in str(row["reason"])
    desk.plan()
    assert desk.rows()[0]["due_at"] == row["due_at"], "planning does not hurry it"
    file.write_text(right, "utf-8")
    _move(desk, "2026-11-24T15:31")
    desk.fire()
    assert desk.rows()[0]["state"] == DONE


def test_a_mistake_that_stays_is_a_miss(desk: Desk) -> None:
    digested(desk, "甲")
    file = desk.office.config.path.parent / "templates" / "digest.txt"
    file.write_text("{{ nonsense }}", "utf-8")
    _move(desk, "2026-11-24T17:30")
    desk.fire()
    assert desk.rows()[0]["state"] == MISSED
    assert "digest.txt 第 1 行" in told(desk.office)[0]
    assert rows(desk.office, posts) == []


# ---------------------------------------------------------------- slots


def waiting(desk: Desk, text: str = "云澜县今日供水正常。") -> int:
    """A signed post that waits for a slot."""
    post = builders.draft(desk.office, ["hand"], text, slot="slots")
    builders.sign(desk.office, post)
    return post


@both
def test_an_approved_post_waits_for_its_slot_and_goes_then(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    first, second = waiting(desk, "甲。"), waiting(desk, "乙。")
    assert plan.plan_due(desk.office) == 0
    _move(desk, "2026-11-25T08:00")
    desk.fire()
    assert plan.plan_due(desk.office) == 1
    (row,) = rows(desk.office, deliveries)
    assert (row["post_id"], row["go_at"]) == (first, office_time("2026-11-25T08:00"))
    assert row["latest_at"] == office_time("2026-11-25T10:00")
    desk.plan()
    _move(desk, "2026-11-26T08:00")
    desk.fire()
    plan.plan_due(desk.office)
    assert rows(desk.office, deliveries)[-1]["post_id"] == second


@both
def test_a_slot_within_a_declared_period_is_given_to_nobody_but_whom_it_lets_through(
    desk: Desk,
) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    first, named = waiting(desk, "甲。"), waiting(desk, "讣告。")
    span = office_time("2026-11-25T00:00"), office_time("2026-11-26T00:00")
    with desk.office.db.write() as conn:
        who, now = builders.actor(conn, "lin"), desk.now()
        declare(conn, now, who, HoldScope.ALL, None, "全国哀悼日", *span, [named])
    given = []
    for day in ("2026-11-25T08:00", "2026-11-26T08:00"):
        desk.plan()
        _move(desk, day)
        desk.fire()
        plan.plan_due(desk.office)
        given.append(rows(desk.office, deliveries)[-1]["post_id"])
    assert given == [named, first]


@both
def test_a_slot_is_given_only_to_a_post_that_was_signed_for_that_time(desk: Desk) -> None:
    """Promise 1: whoever signed until Tuesday evening did not sign for Wednesday's slot."""
    desk.write("slots", SLOTS)
    desk.plan()
    tuesday, thursday, any_day = (
        builders.draft(desk.office, ["hand"], words, slot="slots")
        for words in ("甲。", "乙。", "丙。")
    )
    builders.sign(desk.office, tuesday, window=Window(ends=office_time("2026-11-24T18:00")))
    builders.sign(desk.office, thursday, window=Window(office_time("2026-11-26T07:00")))
    builders.sign(desk.office, any_day)
    _move(desk, "2026-11-25T08:00")
    desk.fire()
    plan.plan_due(desk.office)
    assert [row["post_id"] for row in rows(desk.office, deliveries)] == [any_day]
    assert ["稿件“甲。”签发的时段已过" in words for words in told(desk.office)] == [True]
    with desk.office.db.read() as conn:
        why = review.why(desk.office, conn, compose.one(conn, tuesday))
    assert str(why) == "签发的时段已过，没有等到日程 晨间 的时段；请改期，重新审签"
    desk.plan()
    _move(desk, "2026-11-26T08:00")
    desk.fire()
    plan.plan_due(desk.office)
    assert rows(desk.office, deliveries)[-1]["post_id"] == thursday


def test_a_slot_stretches_no_latest_moment(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    latest = office_time("2026-11-25T09:00")
    post = builders.draft(desk.office, ["hand"], slot="slots", latest_at=latest)
    builders.sign(desk.office, post)
    _move(desk, "2026-11-25T08:00")
    desk.fire()
    plan.plan_due(desk.office)
    assert rows(desk.office, posts)[0]["latest_at"] == latest
    assert builders.only(desk.office, post)["latest_at"] == latest


@pytest.mark.parametrize(
    ("signed_for", "ends"),
    [("any", None), ("day", "2026-11-26T00:00"), ("slot", "2026-11-25T10:00")],
)
def test_what_a_sign_off_for_a_slot_binds_to_is_the_office_s_choice(
    office: Office, signed_for: str, ends: str | None
) -> None:
    config = f'[deliver]\nslot_signed_for = "{signed_for}"\n'
    desk = Desk(offices.declared(office, config + MORE + offices.HAND.format(key="hand")))
    desk.write("slots", SLOTS)
    post = builders.draft(desk.office, ["hand"], slot="slots")
    if ends:
        with pytest.raises(Invalid, match="请写明“不晚于”"):
            builders.sign(desk.office, post)
    desk.plan()
    builders.sign(desk.office, post)
    with desk.office.db.read() as conn:
        approved = conn.execute(select(approvals)).mappings().one()
    assert approved["ends"] == (office_time(ends) if ends else None)


def test_a_slot_nobody_waits_for_is_empty(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    builders.draft(desk.office, ["hand"], slot="slots")
    _move(desk, "2026-11-25T08:00")
    desk.fire()
    assert desk.states()[0] == ("25 08:00", EMPTY)


# ---------------------------------------------------------------- two workers


@both
def test_two_workers_plan_and_fire_an_occurrence_once(desk: Desk) -> None:
    digested(desk, "甲")
    with desk.office.db.write() as conn:
        now = desk.now()
        (slow,) = lease.claim(conn, occurrences, now, 1)
    assert desk.fire() == 0, "the other has it"
    desk.office.db.clock.move(180)  # type: ignore[attr-defined]
    assert desk.fire() == 1
    with (
        desk.office.db.write() as conn,
        pytest.raises(Conflict, match="别处"),
        conn.begin_nested(),
    ):
        firing._fire(desk.office, conn, desk.now(), slow)
    assert len(rows(desk.office, posts)) == 1
