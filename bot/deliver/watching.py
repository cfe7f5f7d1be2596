"""A sent post is watched for replies from the moment it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from bot.db import insert_missing, watches
from bot.model import Act, Capabilities, RepliesBy, WatchState


def worth_watching(act: str, capabilities: Capabilities) -> bool:
    """Is it a post, on a platform whose replies can be read?"""
    return act == Act.PUBLISH and capabilities.replies is not RepliesBy.NONE


def open_watches(conn: Connection, now: datetime, sent: Sequence[RowMapping]) -> None:
    """Open a watch under each of these deliveries."""
    rows = [
        {
            "account_id": row["account_id"],
            "delivery_id": row["id"],
            "state": WatchState.OPEN,
            "opened_at": now,
            "due_at": now,
        }
        for row in sent
    ]
    insert_missing(conn, watches, rows)
