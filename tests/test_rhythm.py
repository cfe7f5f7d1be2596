"""The hours of an account: slots, the most of a day, quiet hours; and what passes them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import RowMapping

from bot.db import accounts
from bot.deliver import holds, plan, queue, rhythm
from bot.errors import ConfigError
from bot.language import Say
from bot.model import DeliveryState, HoldScope, PostKind, Window
from bot.office import Office
from bot.workdays import FixedClock, Hours
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, told, url  # noqa: F401

S = DeliveryState
SHANGHAI = ZoneInfo("Asia/Shanghai")
SLOTS = 'slots = ["09:30", "17:30", "12:00"]\n'


def office_with(office: Office, lines: str) -> Office:
    hand = offices.HAND.format(key="hand")
    return offices.declared(office, hand.replace("[accounts.hand]\n", f"[accounts.hand]\n{lines}"))


def at(words: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{words}").replace(tzinfo=SHANGHAI)


def went(office: Office, post: int) -> str:
    return f"{builders.only(office, post)['go_at'].astimezone(SHANGHAI):%d %H:%M}"


def why(office: Office, row: RowMapping) -> str:
    with office.db.read() as conn:
        return str(queue.why(conn, office.db.now(conn), queue.one(conn, row["id"])))


# ---------------------------------------------------------------- slots


@both
def test_posts_without_a_time_take_the_next_free_slot_one_each(office: Office) -> None:
    desk = office_with(office, SLOTS)
    found = [went(desk, builders.signed(desk, ["hand"], f"第{n}号。")) for n in range(4)]
    assert found == ["24 09:30", "24 12:00", "24 17:30", "25 09:30"]
    row = builders.only(desk, 1)
    assert row["latest_at"] - row["go_at"] == desk.config.deliver.lateness


def test_why_it_has_not_gone_names_its_slot(office: Office) -> None:
    desk = office_with(office, SLOTS)
    with desk.db.write() as conn:
        from bot.db import workers

        beat = {"id": "w", "pid": 1, "started_at": builders.NOW, "beat_at": builders.NOW}
        conn.execute(workers.insert().values(**beat))
    post = builders.signed(desk, ["hand"])
    assert why(desk, builders.only(desk, post)) == "排到账号的发布时段 11-24 09:30"


def test_a_time_of_its_own_stands_and_takes_no_slot(office: Office) -> None:
    desk = office_with(office, SLOTS)
    own = builders.signed(desk, ["hand"], go_at=at("24T10:10"))
    assert went(desk, own) == "24 10:10"
    assert went(desk, builders.signed(desk, ["hand"], "另一条。")) == "24 09:30"


@both
def test_a_slot_that_somebody_chose_is_left_to_him(office: Office) -> None:
    """In the composer a draft is given a slot; a post without a time that is signed first is not."""
    desk = office_with(office, SLOTS)
    chosen = builders.draft(desk, ["hand"], "选定的。", go_at=at("24T09:30"))
    signed = builders.draft(desk, ["hand"], "已签的。", go_at=at("24T12:00"))
    builders.sign(desk, signed)  # and not planned yet
    loose = builders.draft(desk, ["hand"], "不限时间。")
    builders.sign(desk, loose)
    plan.plan_due(desk)
    assert went(desk, loose) == "24 17:30"
    assert went(desk, signed) == "24 12:00"
    builders.sign(desk, chosen)
    plan.plan_due(desk)
    assert went(desk, chosen) == "24 09:30"


def test_no_more_than_the_most_of_a_day(office: Office) -> None:
    desk = office_with(office, SLOTS + "daily_most = 2\n")
    found = [went(desk, builders.signed(desk, ["hand"], f"第{n}号。")) for n in range(3)]
    assert found == ["24 09:30", "24 12:00", "25 09:30"]


def test_the_most_of_a_day_without_slots_leaves_the_rest_to_the_next_days(office: Office) -> None:
    desk = office_with(office, "daily_most = 1\n")
    found = [went(desk, builders.signed(desk, ["hand"], f"第{n}号。")) for n in range(3)]
    assert found == ["24 09:00", "25 09:00", "26 09:00"]


def test_a_slot_that_was_called_off_is_free_again(office: Office) -> None:
    desk = office_with(office, SLOTS)
    first = builders.only(desk, builders.signed(desk, ["hand"], "甲。"))
    with desk.db.write() as conn:
        queue.cancel(conn, desk.db.now(conn), builders.actor(conn, "lin"), first["id"])
    assert went(desk, builders.signed(desk, ["hand"], "乙。")) == "24 09:30"


# ---------------------------------------------------------------- a declared 肃穆模式


def solemn(office: Office, begins: str, until: str, *passes: int, unit: int | None = None) -> int:
    scope = HoldScope.ALL if unit is None else HoldScope.UNIT
    with office.db.write() as conn:
        who, now = builders.actor(conn, "lin"), office.db.now(conn)
        span = at(begins), at(until)
        return holds.declare(conn, now, who, scope, unit, "全国哀悼日", *span, passes)


def free(office: Office) -> list[str]:
    """The next free slots that people are offered."""
    (row,) = [one for one in offices.rows(office, accounts) if one["key"] == "hand"]
    with office.db.read() as conn:
        found = rhythm.next_slots(conn, row, office.db.now(conn), 3)
    return [f"{one.astimezone(SHANGHAI):%d %H:%M}" for one in found]


@both
@pytest.mark.parametrize("unit", [None, 1])
def test_no_slot_is_given_or_offered_within_a_declared_period(
    office: Office, unit: int | None
) -> None:
    desk = office_with(office, SLOTS)
    hold = solemn(desk, "24T11:00", "25T12:00", unit=unit)
    assert free(desk) == ["24 09:30", "25 12:00", "25 17:30"]
    found = [went(desk, builders.signed(desk, ["hand"], f"第{n}号。")) for n in range(3)]
    assert found == ["24 09:30", "25 12:00", "25 17:30"]
    with desk.db.write() as conn:
        holds.resume(conn, desk.db.now(conn), builders.actor(conn, "lin"), hold)
    assert free(desk)[0] == "24 12:00", "taken back, they are free again"


@both
def test_a_post_that_passes_by_name_takes_a_slot_within_the_period(office: Office) -> None:
    desk = office_with(office, SLOTS)
    named = builders.draft(desk, ["hand"], "讣告。")
    solemn(desk, "24T09:10", "25T12:00", named)
    builders.sign(desk, named)
    plan.plan_due(desk)
    assert went(desk, named) == "24 09:30"
    assert went(desk, builders.signed(desk, ["hand"], "别的。")) == "25 12:00"


def test_a_time_chosen_within_the_period_stands_and_is_stopped_then(office: Office) -> None:
    """A person's own time is kept; the period's list has it, and a person decides."""
    desk = office_with(office, SLOTS)
    solemn(desk, "24T11:00", "25T12:00")
    assert went(desk, builders.signed(desk, ["hand"], go_at=at("24T12:00"))) == "24 12:00"


# ---------------------------------------------------------------- quiet hours


def test_what_falls_in_quiet_hours_goes_at_the_next_slot(office: Office) -> None:
    desk = office_with(office, SLOTS + 'quiet = "22:00-07:00"\n')
    late = builders.signed(desk, ["hand"], go_at=at("24T22:30"), latest_at=at("25T12:00"))
    assert went(desk, late) == "25 09:30"
    answer = builders.signed(desk, ["hand"], "答复。", kind=PostKind.RESPONSE, go_at=at("24T23:00"))
    assert went(desk, answer) == "25 07:00", "an answer waits for the morning, for no slot"


@both
def test_never_outside_of_what_was_signed(office: Office) -> None:
    """The next slot lies past the signed window: a person is told, and nothing is planned."""
    desk = office_with(office, SLOTS + 'quiet = "22:00-07:00"\n')
    window = Window(at("24T22:30"), at("24T23:30"))
    post = builders.signed(desk, ["hand"], go_at=at("24T22:30"), window=window)
    row = builders.only(desk, post)
    assert (row["due_at"], row["latest_at"]) == (None, at("24T23:30"))
    assert told(desk) == [str(Say.of(row["reason"]))]


def test_emergencies_pass(office: Office) -> None:
    desk = office_with(office, SLOTS + 'quiet = "00:00-23:59"\n')
    with desk.db.write() as conn:
        from bot.model import Role

        builders.person(conn, "shen", "沈签", Role.SIGNER)
    post = builders.draft(desk, ["hand"], emergency=True)
    builders.sign(desk, post)
    builders.sign(desk, post, by="shen")
    plan.plan_due(desk)
    builders.work(desk)
    assert builders.only(desk, post)["state"] == S.SENDING, "its task is out"


@both
def test_what_was_put_off_into_the_quiet_hours_waits_until_they_are_over(
    office: Office, clock: FixedClock
) -> None:
    desk = office_with(office, 'quiet = "10:00-11:00"\n')
    post = builders.signed(desk, ["hand"])
    clock.set(at("24T10:05"))
    builders.work(desk)
    row = builders.only(desk, post)
    assert (row["state"], row["due_at"]) == (S.READY, at("24T11:00"))
    assert "静默时段" in str(Say.of(row["reason"]))
    clock.set(at("24T10:50"))  # no latest moment is stretched
    assert row["latest_at"] == at("24T11:00")
    clock.set(at("24T11:00"))
    builders.work(desk)
    assert builders.only(desk, post)["state"] == S.SENDING


def test_a_person_s_word_passes_quiet_hours(office: Office, clock: FixedClock) -> None:
    desk = office_with(office, 'quiet = "10:00-12:00"\n')
    post = builders.signed(desk, ["hand"])
    clock.set(at("24T10:05"))
    with desk.db.write() as conn:
        now, lin = desk.db.now(conn), builders.actor(conn, "lin")
        queue.retry(desk, conn, now, lin, builders.only(desk, post)["id"])
    builders.work(desk)
    assert builders.only(desk, post)["state"] == S.SENDING


# ---------------------------------------------------------------- the hours themselves


@pytest.mark.parametrize(
    ("span", "now", "over"),
    [
        ("22:00-07:00", "24T21:59", "24T21:59"),
        ("22:00-07:00", "24T22:00", "25T07:00"),
        ("22:00-07:00", "25T06:59", "25T07:00"),
        ("22:00-07:00", "25T07:00", "25T07:00"),
        ("12:00–13:30", "24T13:00", "24T13:30"),
    ],
)
def test_hours_may_span_midnight(span: str, now: str, over: str) -> None:
    assert Hours.of(span).over(at(now), SHANGHAI) == at(over)


def test_hours_on_a_day_whose_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)  # 23:00; at 02:00 clocks go on to 03:00
    assert Hours(time(22), time(7)).over(night, berlin) - night == timedelta(hours=7)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('slots = ["9.30"]\n', "钟点写作 09:00"),
        ('quiet = "22:00"\n', "时段写作 22:00-07:00"),
        ("daily_most = -1\n", "不能小于 0"),
    ],
)
def test_a_mistake_says_what_to_write(office: Office, lines: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        office_with(office, lines)
