"""What the platform counts under a post, over time: likes, reposts, replies; what it does not say is
left out. A row where something changed, and one a day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select

from bot.db import accounts, counts, deliveries, insert_missing
from bot.model import ReplyPage

LEAST = timedelta(minutes=10)  # between two rows
DAILY = timedelta(days=1)


def keep(conn: Connection, now: datetime, delivery_id: int | None, page: ReplyPage) -> None:
    """Keep what a page says of the counts, unless that stands already."""
    said = {"likes": page.likes, "reposts": page.reposts, "replies": page.total}
    if delivery_id is None or all(value is None for value in said.values()):
        return
    mine = select(counts).where(counts.c.delivery_id == delivery_id)
    last = conn.execute(mine.order_by(counts.c.at.desc()).limit(1)).mappings().first()
    if last is not None:
        said = {name: last[name] if value is None else value for name, value in said.items()}
        same = all(last[name] == value for name, value in said.items())
        if now - last["at"] < (DAILY if same else LEAST):
            return
    insert_missing(conn, counts, [{"delivery_id": delivery_id, "at": now, **said}])


def over_time(conn: Connection, post_id: int, unit_ids: Collection[int]) -> list[RowMapping]:
    """The counts of a post's deliveries, oldest first; of accounts of these units."""
    query = (
        select(*counts.c, accounts.c.key.label("account"), accounts.c.name)
        .join(deliveries, deliveries.c.id == counts.c.delivery_id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(deliveries.c.post_id == post_id, accounts.c.unit_id.in_(unit_ids))
    )
    return list(conn.execute(query.order_by(counts.c.delivery_id, counts.c.at)).mappings())
