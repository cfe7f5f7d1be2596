"""How the posts of an account fare by its platform's own count: some at a time, now and then."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update

from bot.db import deliveries, watches
from bot.model import Counts, WatchState
from bot.office import Office


def countable(office: Office, account_id: int, n: int) -> dict[str, int]:
    """The posts whose counts are oldest, or were never asked for: remote id → watch.

    None while others were asked for lately: one call tells of many.
    """
    with office.db.read() as conn:
        old = office.db.now(conn) - office.config.collect.full_every
        lately = watches.c.account_id == account_id, watches.c.counted_at > old
        if conn.execute(select(watches.c.id).where(*lately).limit(1)).first():
            return {}
        mine = (
            select(deliveries.c.remote_id, watches.c.id)
            .join(watches, watches.c.delivery_id == deliveries.c.id)
            .where(
                watches.c.account_id == account_id,
                watches.c.state == WatchState.OPEN,
                deliveries.c.remote_id.is_not(None),
            )
            .order_by(watches.c.counted_at.is_not(None), watches.c.counted_at, watches.c.id.desc())
        )
        return {str(remote): one for remote, one in conn.execute(mine.limit(n))}


def keep(office: Office, asked: Mapping[str, int], told: Mapping[str, Counts]) -> None:
    """Keep what was told; of a post the platform says nothing of, the last word stands."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        of = watches.c.id.in_(list(asked.values()))
        conn.execute(update(watches).where(of).values(counted_at=now))
        for remote_id, counts in told.items():
            if remote_id in asked:
                mine = update(watches).where(watches.c.id == asked[remote_id])
                conn.execute(mine.values(counts=counts.json()))
