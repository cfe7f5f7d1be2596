"""肃穆模式: declared ahead, it stands from its second, lifts at its end, and releases nothing by that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.db import attempts, audits, deliveries, lock, notices, offices, posts, units, workers
from bot.db import holds as hold_rows
from bot.deliver import holds, plan, queue, sweeping
from bot.deliver.engine import Engine
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, PostState, Role
from bot.office import Office
from bot.schedule import retiming
from bot.telling import look_around
from bot.workdays import FixedClock
from tests import builders, loads
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.offices import rows, told
from tests.test_arming import between

S = DeliveryState
HOUR = timedelta(hours=1)
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
there = pytest.mark.parametrize("url", ["postgres"], indirect=True)


@pytest.fixture
def fake(office: Office, platform: tuple[Mastodon, Server]) -> Mastodon:
    builders.account(office, "a1", platform[1].url, 1)
    return platform[0]


def declare(
    office: Office,
    begins: datetime | None,
    until: datetime | None,
    scope: HoldScope = HoldScope.ALL,
    target: int | None = None,
    by: str = "lin",
    **more: Any,
) -> int:
    with office.db.write() as conn:
        who = builders.actor(conn, by)
        now = office.db.now(conn)
        return holds.declare(conn, now, who, scope, target, "全国哀悼日", begins, until, **more)


def _hold(office: Office, made: int) -> Any:
    return next(row for row in rows(office, hold_rows) if row["id"] == made)


def _sweep(office: Office) -> None:
    with office.db.write() as conn:
        now = office.db.now(conn)
        sweeping.sweep(conn, now, timedelta(seconds=1), timedelta(hours=9))


def _texts(fake: Mastodon) -> list[str]:
    return [p["text"] for p in fake.posts()]


# ---------------------------------------------------------------- from its start to its end


@both
def test_before_its_start_all_goes_from_its_start_nothing_and_after_its_end_what_is_due_then(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    declare(office, now + HOUR, now + 3 * HOUR)
    for text, at in (("之前。", now), ("期间。", now + 2 * HOUR), ("之后。", now + 4 * HOUR)):
        builders.signed(office, ["a1"], text, go_at=at)
    for hours in range(5):
        builders.work(office)
        assert ("期间。" in _texts(fake)) is False, hours
        clock.move(3600)
    assert _texts(fake) == ["之前。", "之后。"]


@here
def test_what_fell_due_in_it_waits_and_is_told_once_with_how_many(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    early: dict[str, Any] = {"go_at": now + HOUR, "latest_at": now + 2 * HOUR}
    late = builders.signed(office, ["a1"], "早的。", **early)
    last = builders.signed(office, ["a1"], "末了。", go_at=now + 3 * HOUR - timedelta(minutes=1))
    made = declare(office, now + timedelta(minutes=30), now + 3 * HOUR)
    assert told(office) == []
    clock.move(1800)
    _sweep(office)
    assert told(office) == ["肃穆模式：只发点名放行的稿件；事由：全国哀悼日"]
    clock.move(2 * 3600 + 1800)
    _sweep(office)
    assert told(office) == [
        "肃穆模式已结束，2 条到点未发：请逐条送回审签、改期或取消；事由：全国哀悼日"
    ]
    found = builders.only(office, late), builders.only(office, last)
    assert [row["state"] for row in found] == [S.MISSED, S.READY]
    assert [row["due_at"] for row in found] == [None, None]
    assert {str(Say.of(row["reason"])) for row in found} == {str(holds.HELD_SOLEMNLY)}
    with office.db.read() as conn:
        listed = queue.listing(conn, {1}, hold=made)
    assert {row["id"] for row in listed} == {row["id"] for row in found}
    builders.work(office)
    assert fake.posts() == []


@here
def test_its_declaration_start_and_end_are_on_the_trail(office: Office, clock: FixedClock) -> None:
    now = clock.now()
    made = declare(office, now + HOUR, now + 2 * HOUR)
    for _ in range(3):
        _sweep(office)
        clock.move(3600)
    acts = [(r["verb"], r["actor"], r["subject"]) for r in rows(office, audits)]
    mine = [act for act in acts if act[0] in ("hold.declare", "hold.begin", "resume")]
    assert mine == [
        ("hold.declare", "林岚", "all:"),
        ("hold.begin", "gongkai", f"hold:{made}"),
        ("resume", "gongkai", f"hold:{made}"),
    ]


@here
def test_the_notice_of_what_waits_ends_when_the_last_is_decided(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    moved, again, off = (
        builders.signed(office, ["a1"], f"第{n}条。", go_at=now + HOUR) for n in range(3)
    )
    declare(office, now, now + HOUR + timedelta(minutes=5))
    clock.move(3600 + 300)
    _sweep(office)
    look_around(office)
    assert len(told(office)) == 1
    with office.db.write() as conn:
        at, lin = clock.now(), builders.actor(conn, "lin")
        ids = [builders.only(office, post)["id"] for post in (moved, again, off)]
        queue.retry(office, conn, at, lin, ids[0], at + HOUR)
        retiming.send_back(office, conn, at, builders.actor(conn, "zhou"), ids[1])
    look_around(office)
    assert len(told(office)) == 1
    with office.db.write() as conn:
        queue.cancel(conn, clock.now(), builders.actor(conn, "lin"), ids[2])
    look_around(office)
    assert told(office) == []
    builders.work(office)
    assert fake.posts() == []
    clock.move(3600)
    builders.sign(office, again)
    plan.plan_due(office)
    builders.work(office)
    assert sorted(_texts(fake)) == ["第0条。", "第1条。"]


@here
def test_what_is_sent_back_is_unsigned_until_it_is_signed_anew(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "送回。", go_at=clock.now() + HOUR)
    row = builders.only(office, post)["id"]
    with office.db.write() as conn:
        retiming.send_back(office, conn, clock.now(), builders.actor(conn, "zhou"), row)
        with pytest.raises(Conflict):
            retiming.send_back(office, conn, clock.now(), builders.actor(conn, "zhou"), row)
    clock.move(2 * 3600)
    builders.work(office)
    assert fake.posts() == []
    (found,) = rows(office, posts)
    assert (found["state"], found["go_at"]) == (PostState.IN_REVIEW, None)
    with office.db.read() as conn:
        assert queue.counts(conn, {1})["person"] == 0, "it waits at review"
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    assert _texts(fake) == ["送回。"]


@here
def test_what_is_named_passes_also_when_it_is_named_later(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    first = builders.signed(office, ["a1"], "点名的预警。")
    made = declare(office, now, now + HOUR, passes=[first])
    builders.work(office)
    later = builders.signed(office, ["a1"], "期间写的预警。")
    builders.signed(office, ["a1"], "平常的。")
    builders.work(office)
    assert _texts(fake) == ["点名的预警。"]
    with office.db.write() as conn:
        at = clock.now()
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
        with pytest.raises(NotAllowed):
            holds.let_through(conn, at, builders.actor(conn, "xu"), made, later)
        with pytest.raises(NotFound):
            holds.let_through(conn, at, builders.actor(conn, "lin"), made, 999)
        holds.let_through(conn, at, builders.actor(conn, "lin"), made, later)
    builders.work(office)
    assert _texts(fake) == ["点名的预警。", "期间写的预警。"]


@here
def test_a_period_needs_an_end_an_office_or_a_unit_and_a_reason(
    office: Office, clock: FixedClock
) -> None:
    now = clock.now()
    wrong: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
        (now + HOUR, None, {}),
        (now + HOUR, now + HOUR, {}),
        (None, now, {}),
        (now, now + HOUR, {"scope": HoldScope.POST, "target": 1}),
    )
    for begins, until, more in wrong:
        with pytest.raises(Invalid):
            declare(office, begins, until, **more)
    with office.db.write() as conn:
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    with pytest.raises(NotAllowed):
        declare(office, now, now + HOUR, by="xu")
    assert rows(office, hold_rows) == []


@here
def test_taken_back_before_its_start_it_never_was(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    builders.signed(office, ["a1"], "照常。")
    made = declare(office, now + HOUR, now + 2 * HOUR)
    with office.db.write() as conn:
        assert holds.resume(conn, now, builders.actor(conn, "lin"), made) == 0
        assert holds.declared(conn, now, now + 9 * HOUR) == []
    builders.work(office)
    assert _texts(fake) == ["照常。"]
    clock.move(3600)
    _sweep(office)
    assert rows(office, notices) == []


# ---------------------------------------------------------------- races, clocks, deaths


@both
def test_a_start_that_passes_between_claim_and_commit_stops_the_attempt(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "准点。", go_at=clock.now() + timedelta(seconds=2))
    declare(office, clock.now() + timedelta(seconds=1), clock.now() + HOUR)
    between(office, clock, lambda: None)
    row = builders.only(office, post)
    assert (fake.posts(), row["state"]) == ([], S.READY)
    assert builders.attempts_at(office, row["id"]) == []


@both
def test_at_the_very_second_of_its_start_nothing_begins(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    at = clock.now() + timedelta(seconds=2)
    post = builders.signed(office, ["a1"], "同一秒。", go_at=at)
    declare(office, at, at + HOUR)
    between(office, clock, lambda: None)
    assert builders.attempts_at(office, builders.only(office, post)["id"]) == []


@there
def test_an_attempt_that_waits_for_a_lock_over_the_start_does_not_begin(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Its turn looked at the clock before it waited."""
    post = builders.signed(office, ["a1"], "等锁。")
    declare(office, clock.now() + timedelta(seconds=5), clock.now() + HOUR)

    async def scene() -> None:
        engine = Engine(office, "waits")
        with office.db.write() as other:
            lock(other, offices, [1])
            turn = asyncio.create_task(engine.start_due())
            while not _somebody_waits(office):
                await asyncio.sleep(0.02)
            clock.move(6)
        await turn
        await engine.step()
        await engine.aclose()

    asyncio.run(scene())
    assert fake.posts() == []
    assert builders.attempts_at(office, builders.only(office, post)["id"]) == []


def _somebody_waits(office: Office) -> bool:
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    with office.db.read() as conn:
        return bool(conn.exec_driver_sql(waiting).scalar())


@both
def test_a_clock_set_back_after_the_start_lifts_nothing(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    declare(office, now + HOUR, now + 3 * HOUR)
    clock.move(2 * 3600)
    _sweep(office)
    clock.move(-90 * 60)
    builders.signed(office, ["a1"], "钟拨回。")
    builders.work(office)
    assert fake.posts() == []


@here
def test_workers_dead_over_the_whole_period_come_back_to_a_list_not_a_burst(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """The start was never on record and the end is past: all that was due waits."""
    now = clock.now()
    for n in range(5):
        builders.signed(office, ["a1"], f"第{n}条。", go_at=now + HOUR + timedelta(minutes=n))
    made = declare(office, now + timedelta(minutes=30), now + 90 * timedelta(minutes=1))
    with office.db.write() as conn:
        conn.execute(update(deliveries).values(latest_at=now + 9 * HOUR))
    clock.move(2 * 3600)
    builders.work(office)
    assert fake.posts() == []
    assert {row["due_at"] for row in rows(office, deliveries)} == {None}
    assert _hold(office, made)["begun_at"] is not None
    with office.db.read() as conn:
        assert holds.left(conn, made) == 5


@here
def test_a_worker_killed_as_it_lifts_leaves_the_hold_standing(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Lifting and what it takes are one transaction."""
    now = clock.now()
    builders.signed(office, ["a1"], "到点。", go_at=now + timedelta(minutes=50))
    made = declare(office, now, now + HOUR)
    clock.move(3600)

    def killed() -> None:
        with office.db.write() as conn:
            holds.expire(conn, clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        killed()
    assert _hold(office, made)["lifted_at"] is None
    with office.db.read() as conn:
        assert holds.standing(conn).groups
    builders.work(office)
    assert fake.posts() == []
    assert _hold(office, made)["lifted_at"] == clock.now()


@here
def test_of_two_periods_that_overlap_the_end_of_one_frees_nothing(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    county = rows(office, units)[0]["id"]
    declare(office, now, now + HOUR)
    declare(office, now + timedelta(minutes=30), now + 2 * HOUR, HoldScope.UNIT, county)
    builders.signed(office, ["a1"], "夹在中间。", go_at=now + 90 * timedelta(minutes=1))
    clock.move(3600)
    builders.work(office)
    clock.move(1800)
    builders.work(office)
    assert fake.posts() == []
    with office.db.read() as conn:
        assert conn.execute(select(attempts.c.id)).first() is None


@here
def test_a_stop_pressed_by_hand_is_no_period(office: Office, clock: FixedClock) -> None:
    with office.db.write() as conn:
        holds.hold(conn, clock.now(), Actor(None, "x"), HoldScope.ALL, None, "核实")
        assert not holds.standing(conn, solemn=True).groups
        assert holds.declared(conn, clock.now(), clock.now() + HOUR) == []
    _sweep(office)
    assert told(office) == []
    assert rows(office, workers) == []


# ---------------------------------------------------------------- real workers, killed at its end

WORKER = """
import asyncio, sys
from pathlib import Path
from bot.config import load
from bot.db import Database
from bot.office import Office
from bot.worker import Worker
path, url = sys.argv[1:]
asyncio.run(Worker(Office(load(Path(path)), Database(url))).run(asyncio.Event()))
"""


@both
def test_real_workers_killed_as_it_ends_begin_nothing_within_it(
    office: Office, platform: tuple[Mastodon, Server]
) -> None:
    """Posts fall due all the time, on three accounts; the worker dies by SIGKILL at the end's second."""
    accounts = [builders.account(office, f"a{n}", platform[1].url, n) for n in (1, 2, 3)]
    first = _worker(office)
    _wait_for(lambda: rows(office, workers))
    now = datetime.now(UTC) + timedelta(seconds=1)
    _due(office, accounts, [now + timedelta(milliseconds=150 * n) for n in range(40)])
    begins, until = now + timedelta(seconds=2), now + timedelta(seconds=4)
    made = declare(office, begins, until)
    time.sleep((until - datetime.now(UTC)).total_seconds())
    first.kill()
    first.wait()
    second = _worker(office)
    _wait_for(lambda: _hold(office, made)["lifted_at"])
    last = _due(office, accounts, [datetime.now(UTC) + timedelta(seconds=1)])
    _wait_for(lambda: last <= {a["delivery_id"] for a in rows(office, attempts)})
    second.kill()
    second.wait()
    lifted, begun = _hold(office, made)["lifted_at"], rows(office, attempts)
    assert [a for a in begun if begins <= a["begun_at"] < lifted] == []
    assert [a for a in begun if a["begun_at"] < begins]
    kept = [r for r in rows(office, deliveries) if begins <= r["go_at"] <= lifted]
    assert len(kept) >= 3 * 13
    assert not {a["delivery_id"] for a in begun} & {row["id"] for row in kept}
    assert {(row["state"], row["due_at"]) for row in kept} == {(S.READY, None)}


def _worker(office: Office) -> subprocess.Popen[bytes]:
    url = office.db.url.render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-c", WORKER, str(office.config.path), url])


def _due(office: Office, accounts: list[int], times: list[datetime]) -> set[int]:
    """Signed posts on each of these accounts; give the deliveries."""
    before = {row["id"] for row in rows(office, deliveries)}
    with office.db.write() as conn:
        for one in accounts:
            loads.add_posts(conn, times[0], [one] * len(times), times)
    return {row["id"] for row in rows(office, deliveries)} - before


def _wait_for(seen: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < ends
        time.sleep(0.1)
