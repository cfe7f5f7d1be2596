"""How many rows wait for a person: the figures of the rail, of 今日, and of filter pills.

Each figure has the very condition its list is filtered with, so that a number and the rows behind
it cannot disagree.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from bot import people, review
from bot.db import accounts, board_replies, moderators_turn
from bot.deliver import queue
from bot.model import AccountState, Actor, Right, SourceState
from bot.office import Office
from bot.web.lists import Row


def badges(conn: Connection, office: Office, actor: Actor, scope: set[int]) -> dict[str, int]:
    """The rail's figures for this reader."""
    return {
        "review": len(review.waiting(office, conn, actor)),
        "undecided": undecided_count(conn, scope),
        "replies": waiting_replies(conn, actor),
        "broken": broken_count(conn, scope),
    }


def undecided_count(conn: Connection, scope: set[int]) -> int:
    """Deliveries that wait for a person: what the queue shows under 需要人定."""
    return queue.total(conn, scope, state="person")


# ---------------------------------------------------------------- replies, accounts


def waiting_replies(conn: Connection, actor: Actor) -> int:
    """Replies on the board, and edits of replies, that wait for a person to let them be seen; none
    for who does not read there."""
    if not moderators(conn, actor, Right.READ):
        return 0
    query = select(func.count()).select_from(board_replies).where(moderators_turn)
    return int(conn.execute(query).scalar_one())


def moderators(conn: Connection, actor: Actor, right: Right = Right.REPLY) -> bool:
    """Has this reader a right at the unit that owns the board's account? With REPLY: to decide."""
    owners = select(accounts.c.unit_id).where(accounts.c.adapter == "board")
    return bool(set(conn.execute(owners).scalars()) & people.unit_ids(conn, actor, right))


def is_broken(account: Row) -> bool:
    return bool(account["state"] == AccountState.BROKEN)


def is_unread(source: Row) -> bool:
    """Is it read, and cannot be?"""
    return bool(source["error"]) and source["state"] == SourceState.ACTIVE


def broken_count(conn: Connection, scope: set[int]) -> int:
    query = select(func.count()).select_from(accounts).where(accounts.c.unit_id.in_(scope))
    return conn.execute(query.where(accounts.c.state == AccountState.BROKEN)).scalar_one()
