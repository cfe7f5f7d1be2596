"""How many rows wait for a person: the figures of the rail, of 今日, and of filter pills.

Each figure has the very condition its list is filtered with, so that a number and the rows behind
it cannot disagree.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from bot import catalog, compose, people, review
from bot.collect import log
from bot.db import accounts, board_replies, items, moderators_turn, posts, sources
from bot.deliver import queue
from bot.model import AccountState, Actor, Right, SourceState
from bot.office import Office
from bot.web.lists import Row

DAY = timedelta(days=1)
CAP = 1000  # of replies: beyond so many the exact figure helps nobody and costs a scan


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


# ---------------------------------------------------------------- posts, items


def returned(actor: Actor) -> ColumnElement[bool]:
    """The reader's own drafts that came back."""
    return and_(compose.came_back(), posts.c.author_id == actor.person)


def waiting_items(conn: Connection, scope: set[int]) -> int:
    """Entries that a person must let become posts."""
    return _number(conn, catalog.narrowed(select(items.c.id), scope, state="waiting"))


# ---------------------------------------------------------------- replies, accounts, sources


def waiting_replies(conn: Connection, actor: Actor) -> int:
    """Replies on the board, and edits of replies, that wait for a person to let them be seen; none
    for who does not read there."""
    if not moderators(conn, actor, Right.READ):
        return 0
    return _number(conn, select(board_replies.c.id).where(moderators_turn))


def yesterday(office: Office, now: datetime) -> date:
    """The day since which 今日 counts what is new."""
    return now.astimezone(office.config.tz).date() - DAY


def new_replies(office: Office, conn: Connection, scope: set[int], first: date) -> int:
    """The public's replies said since a day, as the log lists them; CAP stands for more."""
    when: dict[str, Any] = log.days(first, None, office.config.tz)
    return len(log.numbers(conn, scope, own=False, limit=CAP, **when))


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
    mine = accounts.c.unit_id.in_(scope), accounts.c.state == AccountState.BROKEN
    return _number(conn, select(accounts.c.id).where(*mine))


def failing(scope: set[int]) -> ColumnElement[bool]:
    """Sources of some units that are polled and could not be read."""
    polled = sources.c.kind != catalog.HAND, sources.c.state == SourceState.ACTIVE
    return and_(sources.c.unit_id.in_(scope), *polled, sources.c.error.is_not(None))


def _number(conn: Connection, rows: Select[Any]) -> int:
    return int(conn.execute(select(func.count()).select_from(rows.subquery())).scalar_one())
