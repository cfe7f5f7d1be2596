"""One mechanism for all work in time: who holds a row, and when it is looked at again.

Four columns on every table whose rows have work: `due_at` (when the machine should look; None: a
person's turn, or finished), `leased_until`, `lease` (a random token, the fence) and `tries`
(handlers that raised, in a row, and nothing else). `claim` takes due rows and sets a token;
the work runs outside any transaction; `settle` writes its result only where the token still stands.
A worker that outlived its lease finds its settlement refused, drops everything, and says so.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from bot.db import Instant

log = logging.getLogger("gongkai")
holder = ""  # the worker of this process: what it held is let go at once when it is known dead
BACKOFF = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600)]


def claim(
    conn: Connection,
    table: Table,
    now: datetime,
    n: int,
    *where: ColumnElement[bool],
    hold: timedelta = timedelta(minutes=2),
) -> list[RowMapping]:
    """Take up to `n` due rows that nobody holds, oldest first; each carries its new `lease`.

    One statement: on PostgreSQL rows another worker is just taking are skipped.
    """
    pick = (
        select(table.c.id)
        .where(free(table, now), *where)
        .order_by(table.c.due_at, table.c.id)
        .limit(n)
        .with_for_update(skip_locked=True, of=table)
        .cte("pick")
    )
    taken = conn.execute(
        update(table)
        .where(table.c.id.in_(select(pick.c.id)))
        .values(lease=token(), leased_until=now + hold)
        .returning(*table.c)
    )
    return sorted(taken.mappings(), key=lambda row: (row["due_at"], row["id"]))


def token() -> str:
    """Random, and led by who holds it."""
    return f"{holder}/{secrets.token_hex(8)}"


def let_go(conn: Connection, tables: Iterable[Table], now: datetime, dead: Iterable[str]) -> None:
    """End the leases of workers that are known to be dead, without waiting for their time."""
    for table in tables:
        for worker in dead:
            theirs = (
                table.c.leased_until > now,
                table.c.lease.startswith(f"{worker}/", autoescape=True),
            )
            conn.execute(update(table).where(*theirs).values(leased_until=now))


def free(table: Table, now: Any) -> ColumnElement[bool]:
    """Due, and nobody holds it."""
    unheld = or_(table.c.leased_until.is_(None), table.c.leased_until <= now)
    return and_(table.c.due_at <= now, unheld)


def settle(
    conn: Connection, table: Table, row: RowMapping, due_at: datetime | None, **values: Any
) -> bool:
    """Write a result and let go, only where the lease still stands. False: it was lost."""
    done = conn.execute(
        update(table)
        .where(table.c.id == row["id"], table.c.lease == row["lease"])
        .values(lease=None, leased_until=None, due_at=due_at, **{"tries": 0, **values})
    )
    return done.rowcount == 1


def postpone(conn: Connection, table: Table, row: RowMapping, now: datetime, limit: int) -> bool:
    """A handler raised: look again after a growing while; after `limit` tries leave it to a person.

    False when it was left to a person (due_at None) or the lease was lost.
    """
    tries = row["tries"] + 1
    wait = BACKOFF[min(tries, len(BACKOFF)) - 1]
    due = now + wait if tries < limit else None
    return settle(conn, table, row, due, tries=tries) and due is not None


def see_to(
    conn: Connection,
    table: Table,
    rows: Sequence[RowMapping],
    now: datetime,
    act: Callable[[RowMapping], object],
    limit: int = 5,
) -> list[RowMapping]:
    """Handle claimed rows one by one; what raises undoes only its own work and is postponed.

    Gives those that raised once too often: they wait for a person, who must be told.
    """
    left = []
    for row in rows:
        try:
            with conn.begin_nested():
                act(row)
        except Exception:
            log.exception("%s %s", table.name, row["id"])
            if not postpone(conn, table, row, now, limit) and row["tries"] + 1 >= limit:
                left.append(row)
    return left


def look(
    conn: Connection, now: datetime, tables: Mapping[Table, datetime]
) -> tuple[datetime | None, set[Table]]:
    """The earliest time after `now` at which any row falls due or its lease ends; and the tables
    that have a row due, by the time given with each, and free.

    What was due already and could not start waits for something else than the clock. One statement:
    it is asked every second.
    """
    asked = {"now": now, **{f"by_{table.name}": by for table, by in tables.items()}}
    found = conn.execute(_looking(tuple(tables)), asked).all()
    times = [at for _, due, ends, _ in found for at in (due, ends) if at is not None]
    busy = {name for name, _, _, anything in found if anything is not None}
    return min(times, default=None), {table for table in tables if table.name in busy}


@lru_cache(maxsize=8)
def _looking(tables: tuple[Table, ...]) -> Any:
    now = bindparam("now", type_=Instant())
    parts = []
    for table in tables:
        waiting = select(table.c.due_at).where(table.c.due_at > now, table.c.lease.is_(None))
        held = select(func.min(table.c.leased_until)).where(table.c.leased_until > now)
        anything = select(table.c.id).where(
            free(table, bindparam(f"by_{table.name}", type_=Instant()))
        )
        first = waiting.order_by(table.c.due_at).limit(1).scalar_subquery()
        ends, any_id = held.scalar_subquery(), anything.limit(1).scalar_subquery()
        parts.append(select(literal(table.name), first, ends, any_id))
    return union_all(*parts)
