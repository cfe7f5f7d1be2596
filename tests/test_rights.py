"""Every act of the stages asks for its right: each function by each role, at each place."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, select, update

from bot import catalog, compose, people, review, second
from bot.compose import Body
from bot.compose.writings import Place
from bot.db import deliveries, insert_id, items, posts, replies, revisions, sources
from bot.db import people as persons
from bot.deliver import accounts, holds, plan, queue
from bot.errors import Invalid, NotAllowed
from bot.model import (
    Actor,
    DeliveryState,
    Entry,
    HoldScope,
    ItemState,
    Right,
    Role,
    Verdict,
)
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, url  # noqa: F401

R = Right
UNITS = """
[units.county]
name = "县府办"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
[units.health]
name = "卫健局"
parent = "county"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
[units.fire]
name = "消防"
"""
MORE = """
[screening]
lists = ["words.txt"]
leaders = "leaders.txt"
[sources.notices]
unit = "health"
url = "feed.xml"
accounts = ["hand"]
""" + offices.HAND.format(key="hand").replace('"county"', '"health"')


@dataclass
class World:
    """One of everything at the unit `health`, each in the state in which acts on it are possible."""

    office: Office
    conn: Connection
    now: datetime
    who: Actor
    unit: int
    draft: int = 0
    waiting: int = 0
    last_step: int = 0
    signed: int = 0
    failed: int = 0
    unclear: int = 0
    urgent: int = 0
    item: int = 0
    skipped: int = 0
    reply: int = 0
    standing: int = 0
    hold: int = 0
    lent: int = 0

    @property
    def first(self) -> tuple[Connection, datetime, Actor]:
        return self.conn, self.now, self.who

    def digest(self, post: int) -> str:
        query = select(revisions.c.digest).join(posts, posts.c.revision_id == revisions.c.id)
        return str(self.conn.execute(query.where(posts.c.id == post)).scalar_one())

    def decide(self, post: int) -> Any:
        word = review.Decision(Verdict.PASS, self.digest(post))
        return review.decide(self.office, *self.first, post, word)


def _sheet() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    return out.getvalue()


def _asked(w: World) -> None:
    """No other account can: told only to who may ask."""
    with suppress(Invalid):
        by = w.now + timedelta(1)
        compose.ask_reposts(w.office, *w.first, w.urgent, ["hand"], by)


SAID = {"at": "2026-11-24 09:30", "what": "明火已扑灭", "advice": "绕行"}
WEB = "https://weibo.example/1/AbC"
ACTS: dict[str, tuple[Right, Callable[[World], Any]]] = {
    "catalog.take": (R.WRITE, lambda w: catalog.take(*w.first, w.item)),
    "catalog.skip": (R.WRITE, lambda w: catalog.skip(*w.first, w.item)),
    "catalog.bring_back": (R.WRITE, lambda w: catalog.bring_back(*w.first, w.skipped)),
    "catalog.poll_now": (R.WRITE, lambda w: catalog.poll_now(*w.first, "notices")),
    "catalog.pause": (R.ADMIN, lambda w: catalog.pause(*w.first, "notices", True)),
    "compose.create": (
        R.WRITE,
        lambda w: compose.create(
            w.office, *w.first, unit_id=w.unit, keys=["hand"], body=Body("文")
        ),
    ),
    "compose.revise": (
        R.WRITE,
        lambda w: compose.revise(w.office, *w.first, w.draft, 1, Body("改"), ["hand"]),
    ),
    "compose.drop_card": (R.WRITE, lambda w: compose.drop_card(w.office, *w.first, w.draft)),
    "compose.keep_writing": (
        R.WRITE,
        lambda w: compose.keep_writing(*w.first, w.draft, [("text", "文")], Place()),
    ),
    "compose.open_writing": (R.WRITE, lambda w: compose.open_writing(*w.first, w.draft)),
    "compose.drop_writing": (
        R.WRITE,
        lambda w: compose.drop_writing(w.first[0], w.first[2], w.draft),
    ),
    "compose.close": (R.WRITE, lambda w: compose.close(*w.first, w.draft)),
    "compose.from_item": (R.WRITE, lambda w: compose.from_item(w.office, *w.first, w.item)),
    "compose.from_template": (
        R.WRITE,
        lambda w: compose.from_template(
            w.office,
            *w.first,
            unit_id=w.unit,
            template="notice",
            keys=["hand"],
            said={"title": "文"},
        ),
    ),
    "compose.follow_up": (R.WRITE, lambda w: compose.follow_up(w.office, *w.first, w.urgent, SAID)),
    "compose.correction": (
        R.WRITE,
        lambda w: compose.correction(w.office, *w.first, w.urgent, "甲", "乙"),
    ),
    "compose.answer": (R.WRITE, lambda w: compose.answer(w.office, *w.first, w.reply, "答")),
    "compose.withdrawal": (
        R.WRITE,
        lambda w: compose.withdrawal(w.office, *w.first, w.signed, "误"),
    ),
    "compose.ask_reposts": (R.WRITE, lambda w: _asked(w)),
    "review.delegate": (
        R.REVIEW,
        lambda w: review.delegate(
            w.office,
            *w.first,
            "supervisor@county",
            unit="health",
            steps=["初审"],
            begins=None,
            ends=w.now + timedelta(1),
            reason="开会",
        ),
    ),
    "review.end_delegation": (R.ADMIN, lambda w: review.end_delegation(*w.first, w.lent)),
    "review.submit": (R.WRITE, lambda w: review.submit(w.office, *w.first, w.draft)),
    "review.decide, first step": (R.REVIEW, lambda w: w.decide(w.waiting)),
    "review.decide, last step": (R.SIGN, lambda w: w.decide(w.last_step)),
    "review.revoke": (R.SIGN, lambda w: review.revoke(w.office, *w.first, w.signed, "误")),
    "review.record_offline": (
        R.RECORD,
        lambda w: review.record_offline(
            w.office, *w.first, w.waiting, w.digest(w.waiting), "李明", _sheet(), "a.png"
        ),
    ),
    "review.grant_standing": (
        R.SIGN,
        lambda w: review.grant_standing(
            w.office, *w.first, "notices", ends=w.now + timedelta(1), daily_max=1, note="已审"
        ),
    ),
    "review.end_standing": (R.SIGN, lambda w: review.end_standing(*w.first, w.standing)),
    "review.wake_standing": (R.SIGN, lambda w: review.wake_standing(*w.first, w.standing)),
    "queue.cancel": (R.SCHEDULE, lambda w: queue.cancel(*w.first, w.failed)),
    "queue.retry": (R.SCHEDULE, lambda w: queue.retry(w.office, *w.first, w.failed)),
    "queue.look_again": (R.SCHEDULE, lambda w: queue.look_again(*w.first, w.unclear)),
    "queue.confirm_sent": (R.SCHEDULE, lambda w: queue.confirm_sent(*w.first, w.unclear, WEB)),
    "queue.confirm_absent": (
        R.SCHEDULE,
        lambda w: queue.confirm_absent(w.office, *w.first, w.unclear),
    ),
    "queue.drop": (R.SCHEDULE, lambda w: queue.drop(*w.first, w.unclear)),
    "holds.hold": (R.STOP, lambda w: holds.hold(*w.first, HoldScope.UNIT, w.unit, "核实")),
    "holds.declare": (
        R.STOP,
        lambda w: holds.declare(
            *w.first, HoldScope.UNIT, w.unit, "哀悼", None, w.first[1] + timedelta(hours=1)
        ),
    ),
    "holds.let_through": (R.STOP, lambda w: holds.let_through(*w.first, w.hold, w.draft)),
    "holds.resume": (R.STOP, lambda w: holds.resume(*w.first, w.hold)),
    "accounts.pause": (R.ADMIN, lambda w: accounts.pause(*w.first, "hand", True)),
    "accounts.ask_check": (R.ADMIN, lambda w: accounts.ask_check(*w.first, "hand")),
    "people.add": (
        R.ADMIN,
        lambda w: people.add(*w.first, "new", "新人", "health", Role.EDITOR),
    ),
    "people.grant": (R.ADMIN, lambda w: people.grant(*w.first, "zhou", "health", Role.EDITOR)),
    "people.revoke": (R.ADMIN, lambda w: people.revoke(*w.first, "wei", "health", Role.EDITOR)),
    "people.disable": (R.ADMIN, lambda w: people.disable(*w.first, "wei")),
    "people.readmit": (R.ADMIN, lambda w: people.readmit(*w.first, "asleep")),
    "people.reissue": (R.ADMIN, lambda w: people.reissue(*w.first, "wei")),
    "people.sign_out": (R.ADMIN, lambda w: people.sign_out(*w.first, "wei")),
    "second.reset": (R.ADMIN, lambda w: second.reset(*w.first, "wei")),
}


@pytest.fixture
def world(office: Office) -> World:
    for name in ("words.txt", "leaders.txt"):
        (office.config.path.parent / name).write_text("旧称\n", "utf-8")
    made = offices.declared(office, MORE, UNITS)
    with made.db.write() as conn:
        now, unit = made.db.now(conn), people.unit_of(conn, "health")["id"]
        builders.person(conn, "wei", "卫编", Role.EDITOR, "health")
        conn.execute(update(persons).where(persons.c.login == "wei").values(totp="sealed"))
        builders.person(conn, "shen", "沈棠", Role.REVIEWER, "health")
        for role in Role:
            for place in ("health", "county", "fire"):
                builders.person(conn, f"{role}@{place}", f"{role}在{place}", role, place)
        builders.person(conn, "asleep", "未核准", Role.EDITOR, "health")
        asleep = persons.c.login == "asleep"
        conn.execute(update(persons).where(asleep).values(disabled=True, asleep=True))
        wei, shen, lin = (builders.actor(conn, who) for who in ("wei", "shen", "lin"))
        w = World(made, conn, now, wei, unit)
        w.draft, w.waiting, w.last_step, w.signed = (_post(w) for _ in range(4))
        for post in (w.waiting, w.last_step, w.signed):
            review.submit(made, *w.first, post)
        w.who = shen
        for post in (w.last_step, w.signed):
            w.decide(post)
        w.who = lin
        w.decide(w.signed)
        w.standing = review.grant_standing(
            made, *w.first, "notices", ends=now + timedelta(1), daily_max=1, note="已审"
        )
        away: dict[str, Any] = {
            "unit": "health",
            "steps": ["签发"],
            "begins": None,
            "ends": now + timedelta(9),
        }
        w.lent = review.delegate(made, *w.first, "administrator@county", reason="开会", **away)
        w.hold = holds.hold(*w.first, HoldScope.POST, w.draft, "核实")
        w.item = _item(w)
        w.skipped = _item(w, key="2", state=ItemState.SKIPPED)
        w.who = wei
        w.urgent = _post(w, emergency=True)
    plan.plan_due(made)
    with made.db.write() as conn:
        row = conn.execute(select(deliveries)).mappings().one()
        w.failed = row["id"]
        conn.execute(update(deliveries).values(state=DeliveryState.FAILED))
        copy = {k: v for k, v in row.items() if k != "id"}
        more = {"part": 1, "key": "k", "state": DeliveryState.UNCERTAIN, "due_at": None}
        w.unclear = insert_id(conn, deliveries, {**copy, **more})
        out = {"post_id": w.urgent, "state": DeliveryState.SENT, "sent_at": now, "key": "u"}
        insert_id(conn, deliveries, {**copy, **out, "due_at": None})
        reply = {
            "account_id": row["account_id"],
            "remote_id": "r",
            "text": "问",
            "state": "visible",
        }
        times = {"at": now, "seen_at": now, "last_seen": now}
        w.reply = insert_id(conn, replies, {**reply, **times})
    return w


def _post(w: World, **more: Any) -> int:
    body = Body("通知。", "通知")
    return compose.create(w.office, *w.first, unit_id=w.unit, keys=["hand"], body=body, **more)


def _item(w: World, **more: Any) -> int:
    entry = Entry(key="1", title="停水")
    source = w.conn.execute(select(sources.c.id)).scalar_one()
    row = {"source_id": source, "key": "1", "state": ItemState.NEW, "title": "停水"}
    stored = {"digest": entry.digest, "entry": entry.json(), "revision": 1, "seen_at": w.now}
    return insert_id(w.conn, items, {**row, **stored, **more})


class _Undo(Exception):
    pass


def allowed(world: World, act: Callable[[World], Any], login: str) -> bool:
    """Does it go through? Whatever it did is undone."""
    try:
        with world.office.db.write() as world.conn:
            world.who = builders.actor(world.conn, login)
            act(world)
            raise _Undo
    except NotAllowed:
        return False
    except _Undo:
        return True


@pytest.mark.parametrize("name", ACTS)
def test_each_act_is_for_those_who_have_its_right_there(world: World, name: str) -> None:
    right, act = ACTS[name]
    may = {role for role in Role if right in people.RIGHTS[role]}
    assert may
    assert may != set(Role)
    for place in ("health", "county"):
        got = {role for role in Role if allowed(world, act, f"{role}@{place}")}
        assert got == may, f"a role at {place}"
    assert not any(allowed(world, act, f"{role}@fire") for role in Role), "elsewhere it is nothing"
    some = f"{next(iter(may))}@health"
    with world.office.db.write() as conn:
        conn.execute(update(persons).values(disabled=True))
    assert not allowed(world, act, some), "who is barred may nothing"


@both
def test_the_machine_s_own_shell_does_only_what_says_so(world: World) -> None:
    """The machine's own shell runs the machine: it writes, signs and sends nothing."""
    shell = Actor(None, "shell:root", "cli")
    may = set()
    for name, (_, act) in ACTS.items():
        try:
            with world.office.db.write() as world.conn:
                world.who = shell
                act(world)
                raise _Undo
        except NotAllowed:
            pass
        except _Undo:
            may.add(name)
    assert may == {
        "catalog.pause",
        "catalog.poll_now",
        "holds.hold",
        "holds.declare",
        "holds.let_through",
        "holds.resume",
        "accounts.pause",
        "accounts.ask_check",
        "people.add",
        "people.grant",
        "people.revoke",
        "people.disable",
        "people.readmit",
        "people.reissue",
        "people.sign_out",
        "review.end_delegation",
        "second.reset",
    }


def test_connecting_is_for_administrators(world: World) -> None:
    async def _connect(login: str) -> bool:
        with world.office.db.read() as conn:
            who = builders.actor(conn, login)
        try:
            await accounts.connect(world.office, who, "hand", "")
        except NotAllowed:
            return False
        return True

    async def _all() -> set[Role]:
        return {role for role in Role if await _connect(f"{role}@health")}

    assert asyncio.run(_all()) == {Role.ADMINISTRATOR}


def test_a_post_of_another_unit_is_not_seen_to_by_way_of_its_account(world: World) -> None:
    """An account of health, a post of the county on it: health's people do not write there."""
    with world.office.db.write() as world.conn:
        builders.person(world.conn, "bian", "县编", Role.EDITOR, "county")
        world.who = builders.actor(world.conn, "bian")
        unit = people.unit_of(world.conn, "county")["id"]
        post = compose.create(
            world.office, *world.first, unit_id=unit, keys=["hand"], body=Body("通知。")
        )
    assert not allowed(world, lambda w: review.submit(w.office, *w.first, post), "editor@health")
    assert allowed(world, lambda w: review.submit(w.office, *w.first, post), "editor@county")
