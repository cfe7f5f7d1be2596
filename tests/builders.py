"""Rows for tests, made in one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from sqlalchemy import Connection, insert

from bot import people
from bot.db import grants, insert_id, units
from bot.db import people as persons
from bot.model import Actor, Role

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
