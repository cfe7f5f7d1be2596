"""When a watch is read next: by its age, by how lively it is, and within what the account may ask.

A young post is read often. Later one under which something was just said is too; the longer nothing
is said, the rarer it is read. Where the account's reads an hour are bounded, all its watches slow down
alike.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, select

from bot.config import CollectPart
from bot.db import watches
from bot.model import WatchState

SHARE = 36  # quiet for a day: read every 40 minutes
HEADROOM = 0.8  # of the bound; walks of several pages, answers and look-ups need the rest


def wish(config: CollectPart, row: RowMapping, lively: datetime | None, now: datetime) -> timedelta:
    """How soon it would be read again if nothing bounded it. `lively`: when something new came last."""
    quiet = now - (lively or row["opened_at"])
    young = row["delivery_id"] is not None and now < row["opened_at"] + config.fresh_for
    if young or (lively is not None and quiet < config.every):
        return config.fresh
    if row["delivery_id"] is None:  # an account's own watch hears of what nobody waits for
        return config.every
    return min(max(config.every, quiet / SHARE), max(config.every, config.rare))


def within(conn: Connection, row: RowMapping, wished: timedelta, bound: int) -> timedelta:
    """The same, where its account may be asked `bound` times an hour (0: no bound is known)."""
    if not bound:
        return wished
    others = select(func.sum(3600.0 / watches.c.pace)).where(
        watches.c.account_id == row["account_id"],
        watches.c.id != row["id"],
        watches.c.state == WatchState.OPEN,
        watches.c.pace > 0,
    )
    asked = float(conn.execute(others).scalar() or 0) + timedelta(hours=1) / wished
    return wished * max(1.0, asked / (bound * HEADROOM))


def ends(config: CollectPart, row: RowMapping) -> datetime | None:
    """When a watch under a delivery is over; one of an account has no end."""
    if row["delivery_id"] is None:
        return None
    end: datetime = row["closes_at"] or row["opened_at"] + timedelta(days=config.days)
    return end
