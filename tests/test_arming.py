"""Deliveries are claimed and checked moments ahead of their second: what changes in those moments counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import compose
from bot.compose import Body
from bot.db import accounts, approvals, attempts, deliveries, lock, offices, posts, renditions
from bot.deliver import holds, queue
from bot.deliver.engine import Engine
from bot.deliver.taking import ClockBehind
from bot.language import Say
from bot.model import AccountState, DeliveryState, HoldScope, PostState, Window
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server

S = DeliveryState
AHEAD = timedelta(seconds=3)
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def fake(office: Office, platform: tuple[Mastodon, Server]) -> Mastodon:
    builders.account(office, "a1", platform[1].url, 1)
    return platform[0]


def _due_soon(office: Office, clock: FixedClock, **more: object) -> int:
    return builders.signed(office, ["a1"], "准点。", go_at=clock.now() + AHEAD * 2 / 3, **more)  # type: ignore[arg-type]


def between(office: Office, clock: FixedClock, change: Callable[[], object]) -> None:
    """Arm what is due soon; then the change; then its second comes."""

    async def scene() -> None:
        engine = Engine(office, "armed", AHEAD)
        assert await engine.start_due() == 0
        assert len(engine._armed) == 1
        change()
        clock.move(2)
        await engine.step()
        await engine.aclose()

    asyncio.run(scene())


def _set(office: Office, table: object, **values: object) -> None:
    with office.db.write() as conn:
        conn.execute(update(table).values(**values))  # type: ignore[arg-type]


def _state(office: Office, post: int) -> str:
    return str(builders.only(office, post)["state"])


@both
def test_at_its_second_it_goes(office: Office, fake: Mastodon, clock: FixedClock) -> None:
    post = _due_soon(office, clock)
    between(office, clock, lambda: None)
    assert [p["text"] for p in fake.posts()] == ["准点。"]
    assert _state(office, post) == S.SENT
    with office.db.read() as conn:
        (begun,) = conn.execute(select(attempts.c.begun_at)).scalars()
    assert begun == builders.only(office, post)["go_at"]


@both
def test_the_stop_switch_stops_what_was_armed(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = _due_soon(office, clock)

    def press() -> None:
        with office.db.write() as conn:
            who = builders.actor(conn, "lin")
            holds.hold(conn, clock.now(), who, HoldScope.ALL, None, "演练")

    between(office, clock, press)
    assert (fake.posts(), _state(office, post)) == ([], S.READY)


@both
def test_a_revision_made_in_between_is_not_sent_unsigned(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = _due_soon(office, clock)

    def revise() -> None:
        with office.db.write() as conn:
            row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
            zhou = builders.actor(conn, "zhou")
            compose.revise(
                office, conn, clock.now(), zhou, post, row["version"], Body("改过。"), ["a1"]
            )

    between(office, clock, revise)
    assert fake.posts() == []


@pytest.mark.parametrize("what", ["paused", "identity", "voided", "digest", "post", "window"])
@here
def test_whatever_else_changed_in_between_stops_it(
    office: Office, fake: Mastodon, clock: FixedClock, what: str
) -> None:
    post = _due_soon(office, clock)
    changes: dict[str, Callable[[], None]] = {
        "paused": lambda: _set(office, accounts, state=AccountState.PAUSED),
        "identity": lambda: _set(office, accounts, identity="fake/100002"),
        "voided": lambda: _set(office, approvals, voided_at=clock.now()),
        "digest": lambda: _set(office, approvals, digest="0" * 64),
        "post": lambda: _set(office, posts, state=PostState.IN_REVIEW),
        "window": lambda: _set(office, approvals, ends=clock.now()),
    }
    between(office, clock, changes[what])
    assert fake.posts() == []
    assert _state(office, post) == (S.MISSED if what == "window" else S.READY)


@here
def test_a_new_credential_is_used_at_once(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """The old one would break an account that was just mended."""
    with office.db.write() as conn:
        sealed = office.secrets.seal("withdrawn")
        conn.execute(update(accounts).values(credential=sealed))
    post = _due_soon(office, clock)
    between(
        office, clock, lambda: _set(office, accounts, credential=office.secrets.seal("token-1"))
    )
    assert _state(office, post) == S.SENT


@here
def test_what_a_person_cancels_in_between_is_cancelled(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = _due_soon(office, clock)

    def cancel() -> None:
        with office.db.write() as conn:
            who, row = builders.actor(conn, "lin"), builders.only(office, post)
            queue.cancel(conn, clock.now(), who, row["id"])

    between(office, clock, cancel)
    assert (fake.posts(), _state(office, post)) == ([], S.CANCELLED)


@here
def test_a_window_that_opens_at_its_second_is_open(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    window = Window(clock.now() + AHEAD * 2 / 3, clock.now() + timedelta(hours=1))
    post = builders.signed(office, ["a1"], "开窗。", window=window, go_at=window.begins)
    between(office, clock, lambda: None)
    assert _state(office, post) == S.SENT


@here
def test_nothing_armed_goes_after_the_clock_was_set_back(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    builders.signed(office, ["a1"], "先一条。")
    builders.work(office)
    _due_soon(office, clock)

    async def scene() -> None:
        engine = Engine(office, "armed", AHEAD)
        await engine.start_due()
        clock.move(-60)
        with pytest.raises(ClockBehind):
            await engine.start_due()
        clock.move(61)
        await engine.aclose()

    asyncio.run(scene())
    assert [p["text"] for p in fake.posts()] == ["先一条。"]


@both
def test_what_a_worker_armed_and_left_another_sends(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """It leaves in order, or dies: then its lease ends soon after the second."""
    post = _due_soon(office, clock)

    async def arm(leave: bool) -> None:
        engine = Engine(office, "gone", AHEAD)
        await engine.start_due()
        if leave:
            await engine.aclose()

    asyncio.run(arm(leave=True))
    with office.db.read() as conn:
        assert conn.execute(select(deliveries.c.lease)).scalar_one() is None
    asyncio.run(arm(leave=False))
    clock.move(2)
    builders.work(office)
    assert _state(office, post) == S.READY, "the dead one's lease still stands"
    clock.move(15)
    builders.work(office)
    assert (_state(office, post), len(fake.posts())) == (S.SENT, 1)


@both
def test_a_damaged_row_keeps_neither_armed_nor_due_ones_waiting(
    office: Office, platform: tuple[Mastodon, Server], fake: Mastodon, clock: FixedClock
) -> None:
    for n in (2, 3):
        builders.account(office, f"a{n}", platform[1].url, n)
    armed = _due_soon(office, clock)
    bad, good = (
        builders.signed(office, [key], text, go_at=clock.now() + AHEAD * 2)
        for key, text in (("a2", "坏的。"), ("a3", "好的。"))
    )

    def damage() -> None:
        clock.move(5)
        with office.db.write() as conn:
            mine = renditions.c.id == builders.only(office, bad)["rendition_id"]
            conn.execute(update(renditions).where(mine).values(payload=None))

    between(office, clock, damage)
    assert sorted(p["text"] for p in fake.posts()) == ["准点。", "好的。"]
    assert {_state(office, one) for one in (armed, good)} == {S.SENT}
    row = builders.only(office, bad)
    assert (row["state"], row["due_at"], row["lease"]) == (S.READY, None, None)
    assert "不符" in str(Say.of(row["reason"]))


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_turn_that_waits_for_the_stop_switch_holds_no_delivery_the_switch_needs(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Results are committed before what may start is claimed: else each would wait for the other."""
    first = builders.signed(office, ["a1"], "先发的。")
    sent = builders.only(office, first)["id"]

    async def scene() -> None:
        engine = Engine(office, "first")
        assert await engine.start_due() == 1
        await asyncio.wait(engine._running)
        builders.signed(office, ["a1"], "后发的。")
        with office.db.write() as switch:
            lock(switch, offices, [1])
            turn = asyncio.create_task(engine.start_due())
            while not _somebody_waits(office):
                await asyncio.sleep(0.02)
            switch.exec_driver_sql("set local lock_timeout = '2s'")
            lock(switch, deliveries, [sent])
        await turn
        await engine.step()
        await engine.aclose()

    asyncio.run(scene())
    assert [p["text"] for p in fake.posts()] == ["先发的。", "后发的。"]


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_what_is_being_cancelled_at_its_very_second_does_not_go(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Who cancels is told that it is called off: then nothing of it may begin."""
    post = _due_soon(office, clock)
    row = builders.only(office, post)["id"]

    async def scene() -> None:
        engine = Engine(office, "armed", AHEAD)
        await engine.start_due()
        assert len(engine._armed) == 1
        clock.move(2)
        with office.db.write() as conn:
            queue.cancel(conn, clock.now(), builders.actor(conn, "lin"), row)
            turn = asyncio.create_task(engine.step())
            while not _somebody_waits(office):
                await asyncio.sleep(0.02)
        await turn
        await engine.aclose()

    asyncio.run(scene())
    assert (fake.posts(), _state(office, post)) == ([], S.CANCELLED)
    assert builders.attempts_at(office, row) == []


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_revision_and_the_turn_that_picks_its_account_do_not_wait_for_each_other(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """The turn holds the account and waits for the post; the revision names that account."""
    post = builders.signed(office, ["a1"], "旧的。")

    async def scene() -> None:
        engine = Engine(office, "first")
        with office.db.write() as conn:
            version = compose.locked(conn, post)["version"]
            turn = asyncio.create_task(engine.start_due())
            while not _somebody_waits(office):
                await asyncio.sleep(0.02)
            conn.exec_driver_sql("set local lock_timeout = '500ms'")
            who = builders.actor(conn, "zhou")
            compose.revise(office, conn, clock.now(), who, post, version, Body("新的。"), ["a1"])
        await turn
        await engine.step()
        await engine.aclose()

    asyncio.run(scene())
    assert fake.posts() == []


def _somebody_waits(office: Office) -> bool:
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    with office.db.read() as conn:
        return bool(conn.exec_driver_sql(waiting).scalar())
