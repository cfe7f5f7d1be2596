"""When the watches of an account with a small quota of calls are read (Capabilities.calls_per_day).

Half of the quota is for the account's own watch, which hears of all its posts. A post's watch is then
only for its counts and for what was deleted: first after a while, then the older, the rarer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import RowMapping

from bot.config import CollectPart


def every(config: CollectPart, row: RowMapping, now: datetime) -> timedelta | None:
    """How long until it is read again; None where the account has no such quota."""
    calls: int | None = row["calls_per_day"]
    if not calls:
        return None
    if row["delivery_id"] is None:
        return max(config.every, timedelta(days=2) / calls)
    opened: datetime = row["opened_at"]
    return max(config.full_every, (now - opened) / 2)


def first(config: CollectPart, row: RowMapping, now: datetime) -> datetime | None:
    """When a new post of such an account is read first, if that is not yet."""
    at: datetime = row["opened_at"] + config.full_every
    young = row["delivery_id"] is not None and row["walk_began"] is None
    return at if row["calls_per_day"] and young and now < at else None
