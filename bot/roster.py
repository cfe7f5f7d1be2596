"""Who is where, for reading: the tree of units, the people of some, the sessions that are open.

No password, secret or digest is among what is given here, but the sessions' own ids, by which one
is ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from bot.db import grants, logins, people, recoveries, sessions, units
from bot.model import Role

IDLE = timedelta(hours=2)  # a session ends after so long without a request


def tree(conn: Connection) -> list[dict[str, Any]]:
    """Every unit, those below under the one above; `depth` says how far down it stands."""
    rows = conn.execute(select(units).order_by(units.c.id)).mappings().all()
    under: dict[int | None, list[RowMapping]] = {}
    for row in rows:
        under.setdefault(row["parent_id"], []).append(row)

    def _walk(above: int | None, depth: int) -> Iterator[dict[str, Any]]:
        for row in under.get(above, ()):
            yield {**row, "depth": depth}
            yield from _walk(row["id"], depth + 1)

    return list(_walk(None, 0))


def within(person: Mapping[str, Any], unit_ids: Collection[int]) -> bool:
    """Has he a role at one of these units? Then who reads there may open his page."""
    return any(role["unit_id"] in unit_ids for role in person["roles"])


def persons(conn: Connection) -> list[dict[str, Any]]:
    """Everybody with his roles, by name of login; `state`: active, disabled or asleep."""
    query = select(
        people.c.id,
        people.c.login,
        people.c.name,
        people.c.disabled,
        people.c.asleep,
        people.c.must_change,
        people.c.totp_at,
        people.c.created_at,
    )
    held = roles(conn)
    return [
        {**row, "state": _state(row), "roles": held.get(row["id"], [])}
        for row in conn.execute(query.order_by(people.c.login)).mappings()
    ]


def _state(row: RowMapping) -> str:
    return "asleep" if row["asleep"] else "disabled" if row["disabled"] else "active"


def roles(conn: Connection) -> dict[int, list[dict[str, Any]]]:
    """What each person holds where, in the order of roles."""
    query = select(
        grants.c.person_id,
        grants.c.role,
        units.c.id.label("unit_id"),
        units.c.key.label("unit"),
        units.c.name.label("unit_name"),
    ).join(units, units.c.id == grants.c.unit_id)
    order = list(Role)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(
        conn.execute(query.order_by(units.c.id)).mappings(), key=lambda r: order.index(r["role"])
    ):
        found.setdefault(row["person_id"], []).append(
            {k: v for k, v in row.items() if k != "person_id"}
        )
    return found


def open_sessions(conn: Connection, now: datetime, person: int) -> list[RowMapping]:
    """A person's open sessions, the latest used first."""
    query = select(
        sessions.c.id,
        sessions.c.origin,
        sessions.c.created_at,
        sessions.c.seen_at,
        sessions.c.ends_at,
    ).where(sessions.c.person_id == person, sessions.c.half_id.is_(None), *standing(now))
    return list(conn.execute(query.order_by(sessions.c.seen_at.desc())).mappings())


def standing(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which rows of sessions have not ended."""
    return sessions.c.ends_at > now, sessions.c.seen_at > now - IDLE


def last_login(conn: Connection, login: str) -> datetime | None:
    """When he last came in."""
    query = select(func.max(logins.c.at)).where(logins.c.login == login, logins.c.ok)
    found: datetime | None = conn.execute(query).scalar()
    return found


def factor(conn: Connection, person: int) -> dict[str, Any]:
    """Since when a person has a second factor (None: not), and how many recovery codes are left."""
    since = conn.execute(select(people.c.totp_at).where(people.c.id == person)).scalar()
    count = select(func.count()).select_from(recoveries).where(recoveries.c.person_id == person)
    return {"since": since, "left": conn.execute(count).scalar_one()}
