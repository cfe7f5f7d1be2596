"""How many rows wait for a person: the figures of the rail, of 今日, and of filter pills.

Each figure has the very condition its list is filtered with, so that a number and the rows behind
it cannot disagree.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from bot.db import accounts, board_replies, posts, revisions, units
from bot.deliver import queue
from bot.model import AccountState, Actor, PostState
from bot.office import Office


def badges(
    conn: Connection, office: Office, actor: Actor, scope: set[int], now: datetime
) -> dict[str, int]:
    """The rail's figures for this reader."""
    return {
        "review": len(mine_to_sign(conn, actor, scope)),
        "undecided": queue.counts(conn, scope)["person"],
        "replies": waiting_replies(conn),
        "broken": broken_count(conn, scope),
    }


# ---------------------------------------------------------------- review


def mine_to_sign(conn: Connection, actor: Actor, scope: set[int]) -> list[int]:
    """Posts whose waiting step this reader may sign, the one that goes first on top."""
    from bot import people

    rows = conn.execute(
        select(posts.c.id, posts.c.unit_id, posts.c.step, units.c.steps, revisions.c.author_id)
        .join(units, units.c.id == posts.c.unit_id)
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .where(posts.c.state == PostState.IN_REVIEW, posts.c.unit_id.in_(scope))
        .order_by(posts.c.emergency.desc(), func.coalesce(posts.c.go_at, 0), posts.c.id)
    ).mappings()
    rights = {unit: people.rights(conn, actor, unit) for unit in scope}
    mine = []
    for row in rows:
        step = (row["steps"] or [])[row["step"] : row["step"] + 1]
        if step and step[0]["right"] in rights[row["unit_id"]] and row["author_id"] != actor.person:
            mine.append(row["id"])
    return mine


# ---------------------------------------------------------------- replies, accounts


def waiting_replies(conn: Connection) -> int:
    """Replies on the board that wait for a person to let them be seen."""
    query = select(func.count()).select_from(board_replies)
    return conn.execute(query.where(board_replies.c.state == "waiting")).scalar_one()


def broken_count(conn: Connection, scope: set[int]) -> int:
    query = select(func.count()).select_from(accounts).where(accounts.c.unit_id.in_(scope))
    return conn.execute(query.where(accounts.c.state == AccountState.BROKEN)).scalar_one()
