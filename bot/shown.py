"""How a post stands, as people are told it: by its deliveries once there are some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot.db import aside, deliveries, posts
from bot.model import Act, DeliveryState, PostKind, PostState

P, D = PostState, DeliveryState
WORST = (D.UNCERTAIN, D.FAILED, D.MISSED, D.SENDING, D.READY, D.SENT, D.CANCELLED)
Row = RowMapping | Mapping[str, Any]


def of_posts(conn: Connection, ids: list[int]) -> dict[int, tuple[str, str, str]]:
    """The chip of each of some posts: what became of its deliveries."""
    rows = conn.execute(select(posts).where(posts.c.id.in_(ids))).mappings().all()
    states = delivered(conn, [row["id"] for row in rows])
    return {row["id"]: shown_state(row, states.get(row["id"], {})) for row in rows}


def delivered(conn: Connection, ids: list[int]) -> dict[int, dict[str, int]]:
    """For each post how many of its deliveries are in each state; "withdrawn" among them."""
    mine = select(deliveries.c.id, deliveries.c.post_id, deliveries.c.state)
    rows = conn.execute(mine.where(deliveries.c.post_id.in_(ids))).all()
    taken = select(deliveries.c.target_id).where(
        deliveries.c.act == Act.WITHDRAW,
        aside(deliveries.c.state) == D.SENT,
        deliveries.c.target_id.in_([row.id for row in rows]),
    )
    withdrawn = set(conn.execute(taken).scalars())
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        states = found.setdefault(row.post_id, {})
        name = "withdrawn" if row.id in withdrawn else row.state
        states[name] = states.get(name, 0) + 1
    return found


def shown_state(post: Row, states: Mapping[str, int]) -> tuple[str, str, str]:
    """Kind and name of the chip, and “1/3” where only some deliveries are in that state."""
    if post["state"] == P.DRAFT and post["returned"]:
        return "post", "returned", ""
    here = (
        post["state"] == P.APPROVED or post["kind"] == PostKind.ELSEWHERE or "withdrawn" in states
    )
    if not here or not states:
        return "post", str(post["state"]), ""
    total = sum(states.values())
    worst = next((s for s in WORST if s in states), "withdrawn")
    more = "" if states[worst] == total else f"{states[worst]}/{total}"
    sent = "withdrawn" if post["kind"] == PostKind.WITHDRAWAL else "published"
    names = {D.SENT: sent, D.READY: "queued", "withdrawn": "withdrawn"}
    if worst in names:
        return "post", names[worst], more
    return "delivery", str(worst), more
