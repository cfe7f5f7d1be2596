"""Promise 6: the stop switch stops, at once, whatever is on its way; and lifting it is no burst."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from bot import catalog, people
from bot.db import accounts, attempts, deliveries, insert_id, items, posts, sources, units
from bot.deliver import holds, queue, taking
from bot.errors import Invalid, NotAllowed
from bot.language import Say
from bot.model import DeliveryState, HoldScope, ItemState, Role, SourceState, Staged
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import FAULTS, Server

S = DeliveryState
Platform = tuple[Mastodon, Server]
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
there = pytest.mark.parametrize(
    "url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def fake(office: Office, platform: Platform) -> Mastodon:
    fake, server = platform
    for n in (1, 2):
        builders.account(office, f"a{n}", server.url, n)
    return fake


def texts(fake: Mastodon) -> list[str]:
    return [p["text"] for p in fake.posts()]


@pytest.fixture
def post(office: Office, fake: Mastodon) -> int:
    """A signed post of an item of a source, its unit under another, due now."""
    made = builders.signed(office, ["a1"], "将被叫停。")
    with office.db.write() as conn:
        above = builders.unit(conn, "city")
        builders.grant(conn, builders.actor(conn, "lin").person or 0, Role.SIGNER, "city")
        conn.execute(update(units).where(units.c.key == "county").values(parent_id=above))
        unit = people.unit_of(conn, "county")["id"]
        source = insert_id(
            conn, sources, {"key": "web", "unit_id": unit, "state": SourceState.ACTIVE}
        )
        item = insert_id(
            conn,
            items,
            {
                "source_id": source,
                "key": "1",
                "state": ItemState.COMPOSED,
                "seen_at": office.db.now(conn),
            },
        )
        conn.execute(update(posts).values(source_id=source, item_id=item))
    return made


SCOPES = ["all", "unit", "above", "account", "source", "item", "post"]


def target(office: Office, scope: str, post: int) -> tuple[HoldScope, int | None]:
    with office.db.read() as conn:
        row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
        account = conn.execute(select(accounts.c.id).where(accounts.c.key == "a1")).scalar_one()
        above = people.unit_of(conn, "city")["id"]
    found: dict[str, tuple[HoldScope, int | None]] = {
        "all": (HoldScope.ALL, None),
        "unit": (HoldScope.UNIT, row["unit_id"]),
        "above": (HoldScope.UNIT, above),
        "account": (HoldScope.ACCOUNT, account),
        "source": (HoldScope.SOURCE, row["source_id"]),
        "item": (HoldScope.ITEM, row["item_id"]),
        "post": (HoldScope.POST, post),
    }
    return found[scope]


def press(office: Office, scope: str, post: int, **more: Any) -> int:
    kind, row = target(office, scope, post)
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        return holds.hold(conn, office.db.now(conn), lin, kind, row, "演练", **more)


def lift(office: Office, hold: int) -> int:
    with office.db.write() as conn:
        return holds.resume(conn, office.db.now(conn), builders.actor(conn, "lin"), hold)


# ---------------------------------------------------------------- it stops, and lifting is no burst


@both
@pytest.mark.parametrize("scope", SCOPES)
def test_nothing_goes_while_held_and_what_fell_due_waits_for_a_person(
    office: Office, fake: Mastodon, clock: FixedClock, post: int, scope: str
) -> None:
    hold = press(office, scope, post)
    builders.work(office)
    clock.move(600)
    builders.work(office)
    assert texts(fake) == []
    assert lift(office, hold) == 1
    builders.work(office)
    assert texts(fake) == []
    row = builders.only(office, post)
    assert (row["state"], row["due_at"]) == (S.READY, None)
    with office.db.write() as conn:
        queue.retry(office, conn, clock.now(), builders.actor(conn, "lin"), row["id"])
    builders.work(office)
    assert texts(fake) == ["将被叫停。"]


@here
def test_what_is_due_after_the_lifting_goes_by_itself(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    later = clock.now() + timedelta(minutes=10)
    builders.signed(office, ["a1"], "解除之后。", go_at=later)
    hold = _press_all(office)
    clock.move(300)
    assert lift(office, hold) == 0
    clock.move(301)
    builders.work(office)
    assert texts(fake) == ["解除之后。"]


def _press_all(office: Office, **more: Any) -> int:
    with office.db.write() as conn:
        now, lin = office.db.now(conn), builders.actor(conn, "lin")
        return holds.hold(conn, now, lin, HoldScope.ALL, None, "演练", **more)


@here
def test_a_hold_whose_end_has_come_lifts_without_a_burst(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "到点。")
    _press_all(office, until=clock.now() + timedelta(minutes=5))
    clock.move(299)
    builders.work(office)
    clock.move(2)
    builders.work(office)
    assert texts(fake) == []
    assert builders.only(office, post)["due_at"] is None


@here
def test_only_what_is_named_passes(office: Office, fake: Mastodon) -> None:
    named = builders.signed(office, ["a1"], "放行的紧急信息。")
    builders.signed(office, ["a1"], "不放行。")
    _press_all(office, passes=[named])
    builders.work(office)
    assert texts(fake) == ["放行的紧急信息。"]


@here
def test_one_hold_lifted_leaves_the_other_standing(
    office: Office, fake: Mastodon, post: int
) -> None:
    first, second = press(office, "account", post), press(office, "post", post)
    lift(office, first)
    with office.db.write() as conn:
        row = builders.only(office, post)
        queue.retry(office, conn, office.db.now(conn), builders.actor(conn, "lin"), row["id"])
    builders.work(office)
    assert texts(fake) == []
    lift(office, second)


@here
def test_what_is_in_flight_is_listed_and_seen_through(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    builders.signed(office, ["a1"], "已在途。")
    with office.db.write() as conn:
        _, begun = taking.take(conn, clock.now(), 10, "one")
        assert len(begun) == 1
    _press_all(office)
    with office.db.read() as conn:
        assert holds.in_flight(conn, range(99)) == 1


@here
def test_an_uncertain_one_found_absent_under_a_hold_does_not_go(
    office: Office, fake: Mastodon, platform: Platform, clock: FixedClock
) -> None:
    platform[1].faults.script(FAULTS["cut_before"], method="POST", path="/statuses")
    builders.signed(office, ["a1"], "查无此条。")
    builders.work(office)
    _press_all(office)
    for _ in range(20):
        clock.move(30)
        builders.work(office)
    assert texts(fake) == []


@here
def test_an_upload_under_way_when_the_switch_is_pressed_is_not_followed_by_a_post(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "上传中。")
    row = _claimed(office)
    hold = _press_all(office)
    assert _begun(office, row) == []
    lift(office, hold)
    assert _begun(office, row) == []
    assert builders.only(office, post)["due_at"] is None
    other = builders.signed(office, ["a1"], "后来的照常。")
    builders.work(office)
    assert builders.only(office, other)["state"] == S.SENT


@here
def test_an_upload_under_way_over_press_and_lifting_is_not_followed_by_a_post(
    office: Office, fake: Mastodon
) -> None:
    builders.signed(office, ["a1"], "上传中。")
    row = _claimed(office)
    lift(office, _press_all(office))
    assert _begun(office, row) == []


def _claimed(office: Office) -> Any:
    with office.db.write() as conn:
        now = office.db.now(conn)
        (ready,) = taking._checked(conn, now, taking._claim(conn, now, 10, now, taking.STAGING))
        return ready.row


def _begun(office: Office, row: Any) -> list[Any]:
    with office.db.write() as conn:
        return taking.begin_staged(conn, office.db.now(conn), [(row, Staged())], "test")


@here
def test_a_stop_without_a_reason_or_a_right_is_refused(office: Office, fake: Mastodon) -> None:
    with office.db.write() as conn:
        builders.person(conn, "wu", "吴敏", Role.CONTRIBUTOR)
        now, lin, wu = office.db.now(conn), *(builders.actor(conn, w) for w in ("lin", "wu"))
        with pytest.raises(Invalid, match="事由"):
            holds.hold(conn, now, lin, HoldScope.ALL, None, " ")
        with pytest.raises(NotAllowed):
            holds.hold(conn, now, wu, HoldScope.ALL, None, "想停")


# ---------------------------------------------------------------- switch against attempt


@there
@pytest.mark.parametrize("scope", SCOPES)
def test_a_switch_waits_for_the_attempt_that_was_first(
    office: Office, fake: Mastodon, post: int, scope: str
) -> None:
    """An attempt not yet committed: the switch's commit comes after it, so it shows in flight."""
    pressed = threading.Thread(target=press, args=(office, scope, post))
    with office.db.write() as conn:
        _, begun = taking.take(conn, office.db.now(conn), 10, "one")
        assert len(begun) == 1
        pressed.start()
        pressed.join(0.3)
        assert pressed.is_alive(), "the switch did not wait for the attempt"
    pressed.join(10)
    assert not pressed.is_alive()


@there
@pytest.mark.parametrize("scope", SCOPES)
def test_an_attempt_waits_for_the_switch_that_was_first(
    office: Office, fake: Mastodon, post: int, scope: str
) -> None:
    """A switch not yet committed: no attempt begins beside it."""
    got: list[Any] = []
    kind, row = target(office, scope, post)
    taking = threading.Thread(target=lambda: got.extend(_taken(office)))
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        holds.hold(conn, office.db.now(conn), lin, kind, row, "演练")
        taking.start()
        taking.join(0.3)
    taking.join(10)
    assert got == []
    with office.db.read() as conn:
        assert conn.execute(select(attempts.c.id)).all() == []


def _taken(office: Office) -> list[Any]:
    with office.db.write() as conn:
        return taking.take(conn, office.db.now(conn), 10, "one")[1]


@there
@pytest.mark.parametrize("scope", ["all", "unit", "post"])
def test_lifting_and_claiming_at_once_never_lock_each_other_out(
    office: Office, fake: Mastodon, post: int, scope: str
) -> None:
    """The lifting locks its scope, then the deliveries; so must the claim."""
    failed: list[BaseException] = []
    over = threading.Event()

    def claiming() -> None:
        while not over.is_set():
            _guard(failed, lambda: _claim_and_undo(office))

    workers = [threading.Thread(target=claiming) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(15):
        _guard(failed, lambda: lift(office, press(office, scope, post)))
        with office.db.write() as conn:
            fresh = {"was_held": False, "due_at": office.db.now(conn)}
            conn.execute(update(deliveries).values(**fresh))
    over.set()
    for worker in workers:
        worker.join(20)
    assert failed == []


def _guard(failed: list[BaseException], act: Callable[[], object]) -> None:
    try:
        act()
    except DBAPIError as error:
        failed.append(error)


class _Undone(Exception):
    pass


def _claim_and_undo(office: Office) -> None:
    with suppress(_Undone), office.db.write() as conn:
        taking.take(conn, office.db.now(conn), 10, "one")
        raise _Undone


@both
def test_a_changed_entry_holds_what_came_of_it(office: Office, fake: Mastodon, post: int) -> None:
    """As catalog does when a source's entry changes while its post is queued."""
    with office.db.write() as conn:
        item = conn.execute(select(posts.c.item_id)).scalar_one()
        catalog.intake._hold(conn, office.db.now(conn), item, Say("来源条目改到第 {n} 版", n=2))
    builders.work(office)
    assert texts(fake) == []
