"""停发: what each scope stops, what passes by name, and what happens when it is lifted.

That no attempt begins under a hold, in a storm too, is attacked in test_promises_*.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot import compose, people
from bot.compose import Body
from bot.db import accounts, audits, deliveries, insert_id, items, posts, sources, units
from bot.db import holds as hold_rows
from bot.deliver import holds, plan, queue, taking
from bot.errors import Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, ItemState, Right, Role
from bot.notices import open_notice
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
SHELL = Actor(None, "shell", "cli")
UNITS = (
    builders.CONFIG
    + """
[units.health]
name = "卫健局"
parent = "county"
[units.clinic]
name = "疾控中心"
parent = "health"
[units.fire]
name = "消防救援大队"
"""
)


class Matrix:
    """Four units in a tree and one beside it, a post and an account at each."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.posts: dict[str, int] = {}
        for n, unit in enumerate(("county", "health", "clinic", "fire"), 1):
            builders.account(office, unit, "http://x.example", n)
            with office.db.write() as conn:
                mine = update(accounts).where(accounts.c.key == unit)
                conn.execute(mine.values(unit_id=people.unit_of(conn, unit)["id"]))
            self.posts[unit] = self.post(unit, unit)

    def post(self, unit: str, account: str, **more: Any) -> int:
        """A post of one unit on an account, due now."""
        with self.office.db.write() as conn:
            zhou = builders.actor(conn, "zhou")
            for there in ("county", "fire"):
                if not people.may(conn, zhou, Right.WRITE, people.unit_of(conn, there)["id"]):
                    builders.grant(conn, zhou.person or 0, Role.EDITOR, there)
                    builders.grant(
                        conn, builders.actor(conn, "lin").person or 0, Role.SIGNER, there
                    )
            made = compose.create(
                self.office,
                conn,
                self.office.db.now(conn),
                zhou,
                unit_id=people.unit_of(conn, unit)["id"],
                keys=[account],
                body=Body(f"{unit}的通知。"),
                **more,
            )
        builders.sign(self.office, made)
        plan.plan_due(self.office)
        return made

    def id_of(self, table: Any, key: str) -> int:
        with self.office.db.read() as conn:
            return int(conn.execute(select(table.c.id).where(table.c.key == key)).scalar_one())

    def stopped(self) -> set[str]:
        """The units whose post stands still, as Python and as SQL see it."""
        with self.office.db.read() as conn:
            standing = holds.standing(conn)
            every = queue.listing(conn, set(range(1, 9)), state="ready", limit=99)
            seen = {row["id"] for row in every if standing.stops(row)}
            ready = deliveries.c.state == S.READY
            found = holds.joined(select(deliveries.c.id)).where(ready, standing.clause())
            assert set(conn.execute(found).scalars()) == seen
            assert {
                row["id"] for row in queue.listing(conn, set(range(1, 9)), state="held")
            } == seen
            posts_of = {row["id"]: row["post_id"] for row in every}
        names = {post: unit for unit, post in self.posts.items()}
        return {names[posts_of[one]] for one in seen}

    def hold(self, scope: HoldScope, target: int | None = None, **more: Any) -> int:
        who = more.pop("by", SHELL)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            if isinstance(who, str):
                who = builders.actor(conn, who)
            return holds.hold(conn, now, who, scope, target, more.pop("reason", "核实"), **more)

    def resume(self, hold: int, by: Actor | str = SHELL) -> int:
        with self.office.db.write() as conn:
            who = builders.actor(conn, by) if isinstance(by, str) else by
            return holds.resume(conn, self.office.db.now(conn), who, hold)


@pytest.fixture
def matrix(office: Office) -> Matrix:
    return Matrix(offices.declared(office, "", UNITS))


EVERY = {"county", "health", "clinic", "fire"}


# ---------------------------------------------------------------- what is stopped


def test_all_stops_all(matrix: Matrix) -> None:
    assert matrix.stopped() == set()
    matrix.hold(HoldScope.ALL)
    assert matrix.stopped() == EVERY


@pytest.mark.parametrize(
    ("unit", "stopped"),
    [
        ("county", {"county", "health", "clinic"}),
        ("health", {"health", "clinic"}),
        ("clinic", {"clinic"}),
        ("fire", {"fire"}),
    ],
)
def test_a_unit_stops_with_all_below_it(matrix: Matrix, unit: str, stopped: set[str]) -> None:
    matrix.hold(HoldScope.UNIT, matrix.id_of(units, unit))
    assert matrix.stopped() == stopped


def test_a_unit_stops_what_it_writes_on_others_accounts_and_what_others_write_on_its_own(
    matrix: Matrix,
) -> None:
    matrix.posts = {
        "on its account": matrix.post("county", "health"),
        "by its people": matrix.post("health", "county"),
        "neither": matrix.post("county", "county"),
    }
    with matrix.office.db.write() as conn:
        early = deliveries.c.post_id.not_in(matrix.posts.values())
        conn.execute(update(deliveries).where(early).values(state=S.SENT))
    matrix.hold(HoldScope.UNIT, matrix.id_of(units, "health"))
    assert matrix.stopped() == {"on its account", "by its people"}


def test_an_account_and_a_post_stop_alone(matrix: Matrix) -> None:
    matrix.hold(HoldScope.ACCOUNT, matrix.id_of(accounts, "clinic"))
    assert matrix.stopped() == {"clinic"}
    matrix.hold(HoldScope.POST, matrix.posts["fire"])
    assert matrix.stopped() == {"clinic", "fire"}


@both
def test_a_source_and_an_item_stop_what_came_of_them(matrix: Matrix) -> None:
    source, item = entry(matrix)
    with matrix.office.db.write() as conn:
        for unit, values in (
            ("health", {"source_id": source, "item_id": item}),
            ("clinic", {"source_id": source}),
        ):
            mine = update(posts).where(posts.c.id == matrix.posts[unit])
            conn.execute(mine.values(**values))
    on_item = matrix.hold(HoldScope.ITEM, item)
    assert matrix.stopped() == {"health"}
    matrix.hold(HoldScope.SOURCE, source)
    assert matrix.stopped() == {"health", "clinic"}
    matrix.resume(on_item)
    assert matrix.stopped() == {"health", "clinic"}


def entry(matrix: Matrix) -> tuple[int, int]:
    with matrix.office.db.write() as conn:
        now, unit = matrix.office.db.now(conn), people.unit_of(conn, "county")["id"]
        row = {"key": "s", "unit_id": unit, "kind": "feed", "url": "x", "state": "active"}
        source = insert_id(conn, sources, row)
        row = {"source_id": source, "key": "1", "state": ItemState.COMPOSED, "seen_at": now}
        return source, insert_id(conn, items, row)


@both
def test_a_post_let_through_by_name_passes_that_hold_and_no_other(matrix: Matrix) -> None:
    matrix.hold(HoldScope.ALL, passes=[matrix.posts["fire"], matrix.posts["clinic"]])
    assert matrix.stopped() == {"county", "health"}
    matrix.hold(HoldScope.ACCOUNT, matrix.id_of(accounts, "clinic"), reason="账号被盗")
    assert matrix.stopped() == {"county", "health", "clinic"}
    matrix.hold(HoldScope.POST, matrix.posts["fire"], reason="这一篇有误")
    assert matrix.stopped() == EVERY


# ---------------------------------------------------------------- pressing


def test_a_stop_needs_a_reason_a_target_that_is_there_and_an_end_to_come(
    matrix: Matrix, clock: FixedClock
) -> None:
    for scope, target, more, error in (
        (HoldScope.ALL, None, {"reason": "  "}, Invalid),
        (HoldScope.ALL, 1, {}, Invalid),
        (HoldScope.UNIT, None, {}, Invalid),
        (HoldScope.UNIT, 99, {}, NotFound),
        (HoldScope.ALL, None, {"until": clock.now()}, Invalid),
    ):
        with pytest.raises(error):
            matrix.hold(scope, target, **more)
    assert rows(matrix.office, hold_rows) == []


def test_whoever_may_stop_at_a_unit_stops_there_and_below(matrix: Matrix) -> None:
    with matrix.office.db.write() as conn:
        builders.person(conn, "wei", "卫生", Role.EDITOR, "health")
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    matrix.hold(HoldScope.UNIT, matrix.id_of(units, "clinic"), by="wei")
    matrix.hold(HoldScope.POST, matrix.posts["health"], by="wei")
    matrix.hold(HoldScope.ACCOUNT, matrix.id_of(accounts, "clinic"), by="wei")
    for scope, target in (
        (HoldScope.ALL, None),
        (HoldScope.UNIT, matrix.id_of(units, "county")),
        (HoldScope.POST, matrix.posts["county"]),
        (HoldScope.ACCOUNT, matrix.id_of(accounts, "fire")),
    ):
        with pytest.raises(NotAllowed):
            matrix.hold(scope, target, by="wei")
    with pytest.raises(NotAllowed):
        matrix.hold(HoldScope.UNIT, matrix.id_of(units, "clinic"), by="xu")
    for n in range(1, 4):
        with pytest.raises(NotAllowed):
            matrix.resume(n, by="xu")


def test_everything_is_stopped_by_whoever_may_at_every_root(matrix: Matrix) -> None:
    """`zhou` edits for both trees; `gu` administers one of them."""
    with pytest.raises(NotAllowed):
        matrix.hold(HoldScope.ALL, by="gu")
    matrix.hold(HoldScope.ALL, by="zhou")


def test_pressing_and_lifting_are_on_the_trail_with_the_reason_s_hold(matrix: Matrix) -> None:
    made = matrix.hold(HoldScope.ALL, by="zhou")
    matrix.resume(made, by="zhou")
    acts = [(r["verb"], r["actor"], r["subject"]) for r in rows(matrix.office, audits)[-2:]]
    assert acts == [("hold", "周文", "all:"), ("resume", "周文", f"hold:{made}")]


# ---------------------------------------------------------------- lifting


@both
def test_what_fell_due_under_a_hold_waits_for_a_person_and_the_rest_goes_on(
    matrix: Matrix, clock: FixedClock
) -> None:
    later = matrix.post("county", "county", go_at=clock.now() + timedelta(hours=1))
    made = matrix.hold(HoldScope.ALL)
    clock.move(60)
    assert matrix.resume(made) == 4
    with matrix.office.db.read() as conn:
        found = {r["post_id"]: r for r in queue.listing(conn, set(range(1, 9)))}
        assert queue.counts(conn, set(range(1, 9)))["person"] == 4
    for post in matrix.posts.values():
        assert (found[post]["was_held"], found[post]["due_at"]) == (True, None)
        assert "停发期间到点" in str(Say.of(found[post]["reason"]))
    assert found[later]["due_at"] == found[later]["go_at"]
    with pytest.raises(NotFound, match="已解除"):
        matrix.resume(made)


def test_what_waited_for_a_person_before_keeps_its_reason(matrix: Matrix) -> None:
    with matrix.office.db.write() as conn:
        said = Say("签发已失效：{why}", why="撤销").json()
        conn.execute(update(deliveries).values(due_at=None, reason=said))
    assert matrix.resume(matrix.hold(HoldScope.ALL)) == 0
    assert {row["reason"]["text"] for row in rows(matrix.office, deliveries)} == {
        "签发已失效：{why}"
    }


def test_lifting_one_of_two_holds_releases_nothing(matrix: Matrix) -> None:
    first = matrix.hold(HoldScope.ALL)
    matrix.hold(HoldScope.POST, matrix.posts["fire"])
    matrix.resume(first)
    assert matrix.stopped() == {"fire"}


def test_what_passed_by_name_is_not_touched_by_the_lifting(matrix: Matrix) -> None:
    made = matrix.hold(HoldScope.ALL, passes=[matrix.posts["fire"]])
    assert matrix.resume(made) == 3
    assert builders.only(matrix.office, matrix.posts["fire"])["due_at"] is not None


@both
def test_a_hold_ends_by_itself_at_its_end_and_releases_nothing_by_that(
    matrix: Matrix, clock: FixedClock
) -> None:
    matrix.hold(HoldScope.ALL, until=clock.now() + timedelta(hours=1))
    clock.move(3599)
    _sweep(matrix.office)
    assert matrix.stopped() == EVERY
    clock.move(1)
    assert matrix.stopped() == EVERY, "it stands until the sweep has lifted it"
    _sweep(matrix.office)
    assert matrix.stopped() == set()
    (row,) = rows(matrix.office, hold_rows)
    assert (row["lifted_at"], row["lifted_by"]) == (clock.now(), None)
    assert {row["was_held"] for row in rows(matrix.office, deliveries)} == {True}


def _sweep(office: Office) -> None:
    with office.db.write() as conn:
        holds.expire(conn, office.db.now(conn))


def test_a_lifted_hold_ends_its_notice(matrix: Matrix) -> None:
    made = matrix.hold(HoldScope.POST, matrix.posts["fire"])
    with matrix.office.db.write() as conn:
        open_notice(conn, matrix.office.db.now(conn), f"hold:{made}", Say("来源条目已撤下"))
    matrix.resume(made)
    assert told(matrix.office) == []


def test_the_holds_that_stand_are_listed_with_what_each_stops(matrix: Matrix) -> None:
    matrix.hold(HoldScope.UNIT, matrix.id_of(units, "health"))
    matrix.hold(HoldScope.ALL, passes=[matrix.posts["fire"]])
    matrix.resume(matrix.hold(HoldScope.POST, matrix.posts["fire"]))
    with matrix.office.db.read() as conn:
        found = holds.listing(conn, matrix.office.db.now(conn))
    assert [(row["scope"], row["stops"]) for row in found] == [("unit", 2), ("all", 3)]


def test_what_is_in_flight_when_the_switch_is_pressed_is_counted(matrix: Matrix) -> None:
    with matrix.office.db.write() as conn:
        taking.take(conn, matrix.office.db.now(conn), 2, "w")
        assert holds.in_flight(conn, range(99)) == 2
        assert holds.in_flight(conn, ()) == 0
