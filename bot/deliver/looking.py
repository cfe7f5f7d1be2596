"""Claim what must be looked up: unknown outcomes, and whether the public sees what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, bindparam, exists, func, or_, select, update

from bot import lease
from bot.db import accounts, attempts, deliveries, hosts
from bot.deliver.ledger import budget, context
from bot.model import AccountState, Act, DeliveryState, Outcome

S = DeliveryState


def take_lookups(
    conn: Connection, now: datetime, n: int, state: DeliveryState
) -> list[tuple[RowMapping, datetime, frozenset[str]]]:
    """Claim deliveries whose outcome (uncertain) or visibility (sent) is to be looked up.

    Each with since when it may stand and the account's remote ids already taken. An account or a
    host that was asked to wait is not asked either.
    """
    waiting = select(hosts.c.host).where(hosts.c.host == accounts.c.host, hosts.c.free_at > now)
    usable = select(accounts.c.id).where(
        accounts.c.state == AccountState.ACTIVE,
        or_(accounts.c.free_at.is_(None), accounts.c.free_at <= now),
        ~waiting.exists(),
    )
    mine = deliveries.c.state == state, deliveries.c.account_id.in_(usable)
    rows = lease.claim(conn, deliveries, now, n, *mine)
    found = context(conn, [row["id"] for row in rows]) if rows else {}
    _hold_for_the_call(conn, now, list(found.values()))
    return [_lookup(conn, found[row["id"]]) for row in rows]


def _hold_for_the_call(conn: Connection, now: datetime, rows: Sequence[RowMapping]) -> None:
    """A lease lasts three times what its call may take, so that a dead worker's soon ends."""
    if rows:
        mine = update(deliveries).where(deliveries.c.id == bindparam("row"))
        conn.execute(
            mine.values(leased_until=bindparam("until")),
            [{"row": row["id"], "until": now + 3 * budget(row)} for row in rows],
        )


def _lookup(conn: Connection, row: RowMapping) -> tuple[RowMapping, datetime, frozenset[str]]:
    began = _may_have_gone(conn, row)
    if row["state"] == S.SENT:  # its own receipt is known; nothing is searched
        return row, began, frozenset()
    taken = conn.execute(
        select(deliveries.c.remote_id).where(
            deliveries.c.account_id == row["account_id"],
            deliveries.c.remote_id.is_not(None),
            deliveries.c.act == Act.PUBLISH,
            deliveries.c.sent_at >= began - timedelta(days=1),
        )
    ).scalars()
    return row, began, frozenset(taken)


def _may_have_gone(conn: Connection, row: RowMapping) -> datetime:
    """Since when it may stand: its first attempt that can have arrived, else when it was due."""
    nothing_taken = (Outcome.LATER, Outcome.REFUSED, Outcome.BROKEN)
    first: datetime | None = conn.execute(
        select(func.min(attempts.c.begun_at)).where(
            attempts.c.delivery_id == row["id"], attempts.c.outcome.not_in(nothing_taken)
        )
    ).scalar()
    due: datetime = row["go_at"]
    return first or due


def should_stand(conn: Connection, row: RowMapping) -> bool:
    """Is it a post that nobody is taking down, or has taken down, by this system?"""
    begun = deliveries.c.state.in_((S.SENDING, S.UNCERTAIN, S.SENT))
    down = deliveries.c.act == Act.WITHDRAW, deliveries.c.target_id == row["id"], begun
    return row["act"] == Act.PUBLISH and not conn.execute(select(exists().where(*down))).scalar()
