"""What a board of this very store was just told need not wait for the next round of polling.

The door that took a visitor's reply says so in the same transaction: the watch under that post falls
due, at most once in APART however many reply. A board on another machine is polled as ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select, update

from bot.db import accounts, boards, deliveries, watches
from bot.model import WatchState

APART = timedelta(seconds=10)  # two readings of one post
TOGETHER = timedelta(seconds=1)  # what is said within it is read together


def hear(conn: Connection, now: datetime, public_id: str) -> None:
    """Something changed under the board's post `public_id`: read it soon.

    To be called before the board's own rows are locked: a poll locks in this order too.
    """
    here = select(boards.c.identity).scalar_subquery()
    of_post = (
        select(deliveries.c.id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(accounts.c.adapter == "board", accounts.c.identity == here)
        .where(deliveries.c.remote_id == public_id)
    )
    mine = watches.c.delivery_id.in_(of_post), watches.c.state == WatchState.OPEN
    polled = select(watches.c.id, watches.c.polled_at).where(*mine)
    for watch, at in conn.execute(polled).all():
        soon = max(now + TOGETHER, at + APART) if at else now + TOGETHER
        # One that is being read may be past that page: its walk ends with the earlier time.
        reading = and_(watches.c.leased_until > now, watches.c.due_at <= now)
        later = or_(watches.c.due_at > soon, reading)
        due = update(watches).where(watches.c.id == watch, later)
        conn.execute(due.values(due_at=soon))


def asked(
    conn: Connection, now: datetime, watch: int, claimed: datetime, due: datetime
) -> datetime:
    """When a watch whose walk ends now is due again: at `due`, or sooner where somebody asked for it
    since it was claimed, its time being `claimed` then."""
    stands = conn.execute(select(watches.c.due_at).where(watches.c.id == watch)).scalar()
    return due if stands is None or stands == claimed else min(due, now + APART)
