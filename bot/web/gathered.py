"""How whole the log of a post is, and what its platforms count under it over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import collect
from bot.collect import log
from bot.db import aside, deliveries, posts
from bot.language import Say
from bot.model import Act, DeliveryState

LATELY = 5  # posts shown where none is chosen
WIDTH, HEIGHT = 300, 90  # of a drawing
SERIES = (("likes", Say("赞")), ("reposts", Say("转")), ("replies", Say("评")))


def coverage(conn: Connection, scope: set[int], post_id: int | None) -> list[dict[str, Any]]:
    """What was seen of the platform's own count, and why they may differ: of one post, else of the
    posts sent last."""
    ids = [post_id] if post_id is not None else _sent_last(conn, scope)
    titles = select(posts.c.id, posts.c.title).where(posts.c.id.in_(ids))
    mine = titles.where(posts.c.unit_id.in_(scope))
    named = {row.id: row.title for row in conn.execute(mine)}
    return [
        {"post": one, "title": named[one], "seen_part": _part(each), "of": each}
        for one in ids
        if one in named
        for each in log.coverage(conn, one)
    ]


def _sent_last(conn: Connection, scope: set[int]) -> list[int]:
    """From the newest on, as far as it takes: a post stands there once for each account and part."""
    # Nothing is added to the state, but that keeps SQLite off its index: nearly all are sent.
    sent = (aside(deliveries.c.state) == DeliveryState.SENT, deliveries.c.act == Act.PUBLISH)
    dated = deliveries.c.sent_at.is_not(None)
    mine = select(posts.c.id).where(posts.c.id == deliveries.c.post_id, posts.c.unit_id.in_(scope))
    query = select(deliveries.c.post_id).where(*sent, dated, mine.exists())
    rows = conn.execute(query.order_by(deliveries.c.sent_at.desc()).limit(LATELY * 40)).scalars()
    return list(dict.fromkeys(rows))[:LATELY]


def _part(of: log.Coverage) -> int:
    """Per cent seen; all of it where the platform gives no figure."""
    return min(100, of.seen * 100 // of.total) if of.total else 100


# ---------------------------------------------------------------- over time


def counted(conn: Connection, scope: set[int], post_id: int | None) -> list[dict[str, Any]]:
    """Of each account a post stands on: its counts over time, and the lines that draw them."""
    rows = collect.over_time(conn, post_id, scope) if post_id is not None else []
    made = []
    for _, some in groupby(rows, key=lambda row: row["delivery_id"]):
        points = list(some)
        made.append(
            {
                "account": points[0]["name"] or points[0]["account"],
                "rows": points,
                "lines": _lines(points),
            }
        )
    return made


def _lines(rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """A line for each count that is said, all on one scale; none where there is one moment only."""
    most = max((row[name] or 0 for row in rows for name, _ in SERIES), default=0) or 1
    begins, ends = rows[0]["at"], rows[-1]["at"]
    span = (ends - begins).total_seconds()
    if not span:
        return []
    lines = []
    for name, word in SERIES:
        said = [(row["at"], row[name]) for row in rows if row[name] is not None]
        if said:
            points = [
                (WIDTH * (at - begins).total_seconds() / span, HEIGHT - HEIGHT * n / most)
                for at, n in said
            ]
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            lines.append({"name": name, "word": word, "points": drawn, "last": said[-1][1]})
    return lines
