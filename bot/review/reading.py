"""What the pages ask: what waits for whom, what was signed, why a post has not gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select

from bot import naming
from bot.db import approvals, posts, renditions, revisions, signoffs
from bot.db import people as persons
from bot.language import Say
from bot.model import Actor, PostState
from bot.office import Office
from bot.review.steps import waits_at
from bot.review.turns import waiting


def waiting_for(office: Office, conn: Connection, actor: Actor) -> list[dict[str, Any]]:
    """The posts whose next step this person may sign now, those due soonest first.

    `behalf`: the logins of those he can only sign it for; empty: it is his own to sign.
    """
    names = waiting(office, conn, actor)
    query = (
        select(posts, revisions.c.number, revisions.c.digest, revisions.c.findings)
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .where(posts.c.id.in_(names))
    )
    rows = {row["id"]: row for row in conn.execute(query).mappings()}
    return [
        {**rows[post], "behalf": [b.login for b in each if b] if None not in each else []}
        for post, each in names.items()
    ]


def all_waiting(conn: Connection, units: set[int]) -> list[RowMapping]:
    """All posts of these units that wait for a sign-off, whosever turn it is, those due soonest first."""
    query = (
        select(posts, revisions.c.number, revisions.c.digest, revisions.c.findings)
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .where(posts.c.state == PostState.IN_REVIEW, posts.c.unit_id.in_(units))
        .order_by(posts.c.emergency.desc(), func.coalesce(posts.c.go_at, posts.c.changed_at))
    )
    return list(conn.execute(query).mappings())


def signed(
    conn: Connection, actor: Actor, limit: int | None = None, before: int | None = None
) -> list[RowMapping]:
    """The posts signed by this person, or by somebody in his place, those signed last first.

    `signed`: the number of that sign-off; `before`: from below it on.
    """
    mine = or_(signoffs.c.person_id == actor.person, signoffs.c.behalf_id == actor.person)
    last = select(signoffs.c.post_id, func.max(signoffs.c.id).label("signed")).where(mine)
    at = last.group_by(signoffs.c.post_id).subquery()
    query = select(posts, at.c.signed).join(at, at.c.post_id == posts.c.id)
    if before is not None:
        query = query.where(at.c.signed < before)
    return list(conn.execute(query.order_by(at.c.signed.desc()).limit(limit)).mappings())


def trail(conn: Connection, post_id: int) -> list[RowMapping]:
    """Every sign-off of a post, oldest first, with the revision's number, the signer's name and
    whom he signed for (`behalf`)."""
    giver = persons.alias("giver")
    query = (
        select(signoffs, revisions.c.number, persons.c.name, giver.c.name.label("behalf"))
        .join(revisions, revisions.c.id == signoffs.c.revision_id)
        .outerjoin(persons, persons.c.id == signoffs.c.person_id)
        .outerjoin(giver, giver.c.id == signoffs.c.behalf_id)
        .where(signoffs.c.post_id == post_id)
    )
    return list(conn.execute(query.order_by(signoffs.c.id)).mappings())


def why(office: Office, conn: Connection, post: RowMapping) -> Say | None:
    """Why a post of which no delivery stands has not gone yet; None for one that is put away."""
    if post["state"] == PostState.DRAFT:
        return Say.of(post["returned"]) if post["returned"] else Say("草稿，还没有送审")
    if post["state"] == PostState.IN_REVIEW:
        return Say("等待审次：{step}", step=waits_at(office, conn, post).name)
    if post["state"] == PostState.APPROVED and post["slot"]:
        name = naming.of_schedule(office.config, post["slot"])
        if _over(office, conn, post):
            return Say("签发的时段已过，没有等到日程 {key} 的时段；请改期，重新审签", key=name)
        return Say("已签发，等日程 {key} 的下一个时段", key=name)
    if post["state"] == PostState.APPROVED:
        return (
            Say("已签发，正在排入队列") if post["due_at"] else Say("没能排入队列，请管理员查看日志")
        )
    return None


def _over(office: Office, conn: Connection, post: RowMapping) -> bool:
    """Is the time over for which it was signed?"""
    query = select(approvals.c.ends).where(approvals.c.revision_id == post["revision_id"])
    ends = [at for at in (conn.execute(query).scalar(), post["latest_at"]) if at]
    return bool(ends) and min(ends) <= office.db.now(conn)


def shown(conn: Connection, post: RowMapping) -> Iterable[RowMapping]:
    """The renditions of a post's current revision: what a signature covers."""
    query = (
        select(renditions)
        .where(renditions.c.revision_id == post["revision_id"])
        .order_by(renditions.c.account_id, renditions.c.part)
    )
    return conn.execute(query).mappings().all()
