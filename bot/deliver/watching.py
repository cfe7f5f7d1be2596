"""A sent post is watched for replies from the moment it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from bot.db import accounts, insert_missing, watches
from bot.model import Act, RepliesBy, WatchState


def open_watches(conn: Connection, now: datetime, sent: Sequence[RowMapping]) -> None:
    """Open a watch under each published delivery whose platform has replies to read."""
    published = [row for row in sent if row["act"] == Act.PUBLISH]
    if not published:
        return
    stored = conn.execute(
        select(accounts.c.id, accounts.c.capabilities).where(
            accounts.c.id.in_({row["account_id"] for row in published})
        )
    )
    pollable = {a for a, c in stored if c and c["replies"] != RepliesBy.NONE}
    insert_missing(
        conn,
        watches,
        [
            {
                "account_id": row["account_id"],
                "delivery_id": row["id"],
                "state": WatchState.OPEN,
                "opened_at": now,
                "due_at": now,
            }
            for row in published
            if row["account_id"] in pollable
        ],
    )
