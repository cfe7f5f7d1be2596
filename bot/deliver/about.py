"""From an approved post about another: what takes it down, and what reposts it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot.db import deliveries, lock, posts
from bot.deliver.rows import UNCLEAR, UNSENT, S, drop, insert, pointed, stand
from bot.language import Say
from bot.model import Act, PostKind, PostState
from bot.office import Office


def plan_withdrawal(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    wanted: Sequence[RowMapping],
    times: dict[str, Any],
) -> datetime | None:
    """Take down what stands, call off what has not gone, come back for what is not clear yet."""
    lock(conn, posts, [post["about_id"]])
    published, edits = stand(conn, post["about_id"])
    mine = deliveries.c.post_id == post["id"], deliveries.c.act == Act.WITHDRAW
    asked = set(conn.execute(select(deliveries.c.target_id).where(*mine)).scalars())
    for rendition in wanted:
        row = published.get((rendition["account_id"], rendition["part"]))
        if row is not None and row["state"] == S.SENT and row["id"] not in asked:
            values = pointed(now, post, rendition, times, None)
            due = {"due_at": times["go_at"], "target_id": row["id"]}
            insert(conn, Act.WITHDRAW, values | due)
    rows = [*published.values(), *edits]
    drop(conn, now, rows, Say("已决定撤回，不再发"))
    drop(conn, now, _reposts_of(conn, post["about_id"]), Say("原文已决定撤回，不再转发"))
    # Closed, it is neither planned again nor sent when an unclear one turns out not to have gone.
    over = {"state": PostState.CLOSED, "due_at": None, "changed_at": now}
    conn.execute(update(posts).where(posts.c.id == post["about_id"]).values(**over))
    unclear = any(row["state"] in UNCLEAR for row in rows)
    return now + office.config.deliver.looks[0] if unclear else None


def _reposts_of(conn: Connection, post_id: int) -> list[RowMapping]:
    """What other units' accounts were to repost of a post."""
    query = select(deliveries).join(posts, posts.c.id == deliveries.c.post_id)
    mine = posts.c.about_id == post_id, deliveries.c.act == Act.REPOST
    return list(conn.execute(query.where(*mine)).mappings())


def plan_repost(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    wanted: Sequence[RowMapping],
    times: dict[str, Any],
) -> datetime | None:
    """Repost what stands; nothing of what is taken down, or about to be."""
    lock(conn, posts, [post["about_id"]])
    mine = deliveries.c.post_id == post["id"], deliveries.c.act == Act.REPOST
    rows = conn.execute(select(deliveries).where(*mine)).mappings().all()
    gone = select(posts.c.id).where(
        posts.c.id == post["about_id"], posts.c.state == PostState.CLOSED,
        posts.c.kind != PostKind.ELSEWHERE,
    )  # fmt: skip
    if conn.execute(gone).first():
        said = Say("原文已撤下或已结束，不再转发")
        drop(conn, now, rows, said)
        over = {"state": PostState.CLOSED, "returned": said.json(), "changed_at": now}
        conn.execute(update(posts).where(posts.c.id == post["id"]).values(**over))
        return None
    there = {row["account_id"]: row for row in rows}
    for rendition in wanted:
        row = there.get(rendition["account_id"])
        values = pointed(now, post, rendition, times, None) | {"due_at": times["go_at"]}
        if row is None:
            insert(conn, Act.REPOST, values)
        elif row["state"] in UNSENT and row["revision_id"] != rendition["revision_id"]:
            conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(**values))
    unclear = any(row["state"] in UNCLEAR for row in rows)
    return now + office.config.deliver.looks[0] if unclear else None
