"""How many rows wait for a person: the figures of the rail, of 今日, and of filter pills.

Each figure has the very condition its list is filtered with, so that a number and the rows behind
it cannot disagree.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from bot import review
from bot.db import accounts, board_replies, moderators_turn
from bot.deliver import queue
from bot.model import AccountState, Actor
from bot.office import Office


def badges(conn: Connection, office: Office, actor: Actor, scope: set[int]) -> dict[str, int]:
    """The rail's figures for this reader."""
    return {
        "review": len(review.waiting(office, conn, actor)),
        "undecided": undecided_count(conn, scope),
        "replies": waiting_replies(conn),
        "broken": broken_count(conn, scope),
    }


def undecided_count(conn: Connection, scope: set[int]) -> int:
    """Deliveries that wait for a person: what the queue shows under 需要人定."""
    return queue.total(conn, scope, state="person")


# ---------------------------------------------------------------- replies, accounts


def waiting_replies(conn: Connection) -> int:
    """Replies on the board, and edits of replies, that wait for a person to let them be seen."""
    query = select(func.count()).select_from(board_replies).where(moderators_turn)
    return int(conn.execute(query).scalar_one())


def broken_count(conn: Connection, scope: set[int]) -> int:
    query = select(func.count()).select_from(accounts).where(accounts.c.unit_id.in_(scope))
    return conn.execute(query.where(accounts.c.state == AccountState.BROKEN)).scalar_one()
