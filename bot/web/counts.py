"""How many rows wait for a person: the figures of the rail, of 今日, and of filter pills.

Each figure has the very condition its list is filtered with, so that a number and the rows behind
it cannot disagree.
"""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, and_, func, select

from bot import people
from bot.db import accounts, board_replies, moderators_turn, posts, revisions, signoffs, units
from bot.deliver import queue
from bot.model import AccountState, Actor, PostState, Right, Verdict
from bot.office import Office
from bot.review import EMERGENCY_STEPS


def badges(conn: Connection, office: Office, actor: Actor, scope: set[int]) -> dict[str, int]:
    """The rail's figures for this reader."""
    return {
        "review": len(mine_to_sign(conn, office, actor, scope)),
        "undecided": undecided_count(conn, scope),
        "replies": waiting_replies(conn),
        "broken": broken_count(conn, scope),
    }


# ---------------------------------------------------------------- review


def mine_to_sign(conn: Connection, office: Office, actor: Actor, scope: set[int]) -> list[int]:
    """The posts bot.review.waiting_for gives, in its order, without asking the store row by row."""
    names = ("id", "unit_id", "step", "emergency", "revision_id", "accounts")
    rows = conn.execute(
        select(*(posts.c[name] for name in names))
        .add_columns(units.c.key)
        .join(units, units.c.id == posts.c.unit_id)
        .where(posts.c.state == PostState.IN_REVIEW, posts.c.unit_id.in_(scope))
        .order_by(posts.c.emergency.desc(), func.coalesce(posts.c.go_at, posts.c.changed_at))
    ).mappings()
    owners = {
        row.id: row.unit_id for row in conn.execute(select(accounts.c.id, accounts.c.unit_id))
    }
    barred = _passed(conn, actor) | _wrote(conn, actor)
    rights = {unit: people.rights(conn, actor, unit) for unit in {*scope, *owners.values()}}
    return [
        row["id"]
        for row in rows
        if row["revision_id"] not in barred
        and all(_step_right(office, row) in rights[unit] for unit in _speaks_for(row, owners))
    ]


def _passed(conn: Connection, actor: Actor) -> set[int]:
    """Revisions this person passed a step of since they were last returned."""
    returned = signoffs.alias("returned")
    since = select(func.coalesce(func.max(returned.c.id), 0)).where(
        returned.c.revision_id == signoffs.c.revision_id, returned.c.verdict == Verdict.RETURN
    )
    passes = select(signoffs.c.revision_id).where(
        signoffs.c.person_id == actor.person,
        signoffs.c.verdict == Verdict.PASS,
        signoffs.c.revision_id.in_(
            select(posts.c.revision_id).where(posts.c.state == PostState.IN_REVIEW)
        ),
        signoffs.c.id > since.scalar_subquery(),
    )
    return set(conn.execute(passes).scalars())


def _wrote(conn: Connection, actor: Actor) -> set[int]:
    """Revisions in review of which this person wrote what would be sent (bot.review's authors_of)."""
    own = revisions.alias("own")
    alike = and_(own.c.post_id == posts.c.id, own.c.digest == revisions.c.digest)
    query = select(posts.c.revision_id).join(revisions, revisions.c.id == posts.c.revision_id)
    mine = posts.c.state == PostState.IN_REVIEW, own.c.author_id == actor.person
    return set(conn.execute(query.join(own, alike).where(*mine)).scalars())


def _speaks_for(row: RowMapping, owners: dict[int, int]) -> set[int]:
    """The post's unit, and those whose accounts it goes to."""
    return {row["unit_id"], *(owners[one] for one in row["accounts"] or () if one in owners)}


def _step_right(office: Office, row: RowMapping) -> Right:
    """What the waiting step asks for (bot.review.steps_of, for a row that carries its unit's key)."""
    part = office.config.units.get(row["key"])
    steps = EMERGENCY_STEPS if row["emergency"] else part.steps if part else ()
    return steps[min(row["step"], len(steps) - 1)].right if steps else Right.SIGN


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
