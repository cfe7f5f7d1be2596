"""Rows of deliveries as planning makes, finds and calls off: what plan and about share."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot.db import deliveries, insert_id
from bot.language import Say
from bot.model import Act, DeliveryState
from bot.notices import close_notice

S = DeliveryState
UNSENT = (S.READY, S.FAILED, S.MISSED, S.CANCELLED)
UNCLEAR = (S.SENDING, S.UNCERTAIN)


def stand(
    conn: Connection, post_id: int
) -> tuple[dict[tuple[int, int], RowMapping], list[RowMapping]]:
    """A post's publishing deliveries by (account, part), and its edits that were not made yet."""
    found = conn.execute(select(deliveries).where(deliveries.c.post_id == post_id)).mappings().all()
    published = {(r["account_id"], r["part"]): r for r in found if r["act"] == Act.PUBLISH}
    over = (S.SENT, S.CANCELLED)
    return published, [r for r in found if r["act"] == Act.EDIT and r["state"] not in over]


def pointed(
    now: datetime,
    post: RowMapping,
    rendition: RowMapping,
    times: dict[str, Any],
    after: int | None,
) -> dict[str, Any]:
    return {
        "post_id": post["id"],
        "post_unit_id": post["unit_id"],
        "revision_id": rendition["revision_id"],
        "rendition_id": rendition["id"],
        "account_id": rendition["account_id"],
        "part": rendition["part"],
        "after_id": after,
        "state": S.READY,
        "emergency": post["emergency"],
        "staged": None,
        "reason": None,
        "was_held": False,
        "insists": False,
        "tries": 0,
        "waits": 0,
        "looks": 0,
        "absents": 0,
        "changed_at": now,
        "lease": None,  # an upload of what stood here before ends unheard
        "leased_until": None,
        "go_at": times["go_at"],
        "latest_at": times["latest_at"],
    }


def insert(conn: Connection, act: Act, values: dict[str, Any]) -> int:
    return insert_id(conn, deliveries, {**values, "act": act, "key": secrets.token_hex(16)})


def drop(conn: Connection, now: datetime, rows: Sequence[RowMapping], said: Say) -> None:
    """Call off those of the rows that have not gone."""
    values = {"state": S.CANCELLED, "due_at": None, "reason": said.json(), "changed_at": now}
    free = {"lease": None, "leased_until": None}
    for row in rows:
        if row["state"] in UNSENT and row["state"] != S.CANCELLED:
            mine = deliveries.c.id == row["id"], deliveries.c.state.in_(UNSENT)  # still
            if conn.execute(update(deliveries).where(*mine).values(**values, **free)).rowcount:
                close_notice(conn, now, f"delivery:{row['id']}")
