"""Rows for tests, made in one line each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from bot import compose, people, review
from bot.adapters.base import adapter_class
from bot.compose import Body
from bot.db import accounts, attempts, deliveries, grants, insert_id, posts, revisions, units
from bot.db import people as persons
from bot.deliver import plan
from bot.deliver.engine import Engine
from bot.model import AccountState, Actor, PostState, Role, Verdict, Window
from bot.office import Office
from bot.review import Decision

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
PASSWORD = "yunlan-2026"
CONFIG = """
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "签发", right = "sign" }]
"""


def unit(conn: Connection, key: str, parent: int | None = None) -> int:
    steps = [{"name": "签发", "right": "sign"}]
    values = {"key": key, "name": f"云澜县{key}", "parent_id": parent, "steps": steps}
    return insert_id(conn, units, values)


def person(
    conn: Connection, login: str, name: str, role: Role | None = None, at: str = "county"
) -> int:
    """A person with PASSWORD and, at a unit, a role."""
    values = {"login": login, "name": name, "password": _hash(), "created_at": NOW}
    made = insert_id(conn, persons, values)
    if role:
        grant(conn, made, role, at)
    return made


def grant(conn: Connection, person_id: int, role: Role, at: str) -> None:
    unit_id = people.unit_of(conn, at)["id"]
    conn.execute(insert(grants).values(person_id=person_id, unit_id=unit_id, role=role))


def actor(conn: Connection, login: str) -> Actor:
    """The person acting, from a test."""
    return people.actor(people.by_login(conn, login), "test")


@cache
def _hash() -> str:
    """Argon2 at its least: as true, and quick."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


# ---------------------------------------------------------------- sending


def account(office: Office, key: str, url: str, number: int = 1, **able: Any) -> int:
    """A connected account on a fake Mastodon at `url`; `able` changes its capabilities."""
    stored = adapter_class("mastodon").capabilities.json()
    values = {
        "key": key,
        "adapter": "mastodon",
        "name": f"云澜发布{number}",
        "options": {"url": url},
        "state": AccountState.ACTIVE,
        "identity": f"fake/{100000 + number}",
        "capabilities": stored | {"timeout_seconds": 2, "listing_lag_seconds": 0} | able,
        "credential": office.secrets.seal(f"token-{number}"),
        "host": key,
    }
    with office.db.write() as conn:
        values["unit_id"] = people.unit_of(conn, "county")["id"]
        return insert_id(conn, accounts, values)


def draft(
    office: Office,
    keys: Sequence[str],
    text: str = "云澜县今日供水正常。",
    *,
    by: str = "zhou",
    body: Body | None = None,
    **values: Any,
) -> int:
    """A post of one editor's, not yet handed in; give its id."""
    with office.db.write() as conn:
        now, who = office.db.now(conn), actor(conn, by)
        unit_id = people.unit_of(conn, "county")["id"]
        words = body or Body(text, title=text[:20])
        return compose.create(
            office, conn, now, who, unit_id=unit_id, keys=keys, body=words, **values
        )


def sign(
    office: Office, post_id: int, *, by: str = "lin", window: Window | None = None
) -> PostState:
    """Hand a draft in, where it is one, and pass its next step as one person."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().one()
        if row["state"] == PostState.DRAFT:
            review.submit(office, conn, now, actor(conn, "zhou"), post_id)
        query = select(revisions.c.digest).where(revisions.c.id == row["revision_id"])
        word = Decision(Verdict.PASS, conn.execute(query).scalar_one(), window=window or Window())
        return review.decide(office, conn, now, actor(conn, by), post_id, word)


def signed(
    office: Office,
    keys: Sequence[str],
    text: str = "云澜县今日供水正常。",
    *,
    window: Window | None = None,
    **values: Any,
) -> int:
    """A post drafted by zhou, signed by lin and planned; give its id."""
    post_id = draft(office, keys, text, **values)
    sign(office, post_id, window=window)
    plan.plan_due(office)
    return post_id


def work(office: Office, worker: str = "test") -> None:
    """Everything that is due now, seen through by one engine."""

    async def _step() -> None:
        engine = Engine(office, worker)
        try:
            await engine.step()
        finally:
            await engine.aclose()

    asyncio.run(_step())


def sent_to(office: Office, post_id: int) -> list[RowMapping]:
    """The deliveries of a post, by account and part."""
    query = select(deliveries).where(deliveries.c.post_id == post_id)
    with office.db.read() as conn:
        order = (deliveries.c.account_id, deliveries.c.part, deliveries.c.id)
        return list(conn.execute(query.order_by(*order)).mappings())


def only(office: Office, post_id: int) -> RowMapping:
    """The one delivery of a post."""
    (row,) = sent_to(office, post_id)
    return row


def attempts_at(office: Office, delivery_id: int) -> list[RowMapping]:
    """The attempts of a delivery, oldest first."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id)
    with office.db.read() as conn:
        return list(conn.execute(query.order_by(attempts.c.id)).mappings())
