"""A signed post at another time, inside what was signed; what has gone or is going is left alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot import audit, people
from bot.db import accounts, approvals, deliveries, posts, renditions
from bot.deliver.plan import first_due, times_of
from bot.deliver.rhythm import Rhythm
from bot.deliver.rows import UNCLEAR, drop
from bot.errors import Conflict
from bot.language import Say
from bot.model import Act, Actor, DeliveryState, PostKind, Right
from bot.notices import close_notice
from bot.office import Office

S = DeliveryState
MOVES = (S.READY, S.FAILED, S.MISSED)
Times = dict[str, datetime]


def to_move(conn: Connection, post_id: int) -> list[RowMapping]:
    """A post's publishing deliveries that have not gone. Raises Conflict where there is none left, or
    the outcome of one is open: it may stand already."""
    query = (
        select(deliveries, renditions.c.payload, accounts.c.rhythm, accounts.c.name)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(deliveries.c.post_id == post_id, deliveries.c.act == Act.PUBLISH)
        .order_by(deliveries.c.id)
    )
    rows = conn.execute(query).mappings().all()
    if any(row["state"] in UNCLEAR for row in rows):
        raise Conflict("正在发送或结果不明，不能改期；请等它有结果，在队列里核定")
    found = [row for row in rows if row["state"] in MOVES]
    if rows and not found:
        raise Conflict("已经发出或取消，不能改期")
    return found


def set_aside(conn: Connection, now: datetime, rows: Sequence[RowMapping]) -> None:
    """What waits for the sign-off anew waits for nobody at the queue; planning brings it back."""
    drop(conn, now, rows, Say("稿件送回审签，重新签发后才发"))


def signed_for(conn: Connection, post: RowMapping) -> RowMapping | None:
    """The sign-off that stands for the current revision of a post."""
    mine = approvals.c.revision_id == post["revision_id"], approvals.c.voided_at.is_(None)
    return conn.execute(select(approvals).where(*mine)).mappings().first()


def times_at(
    office: Office,
    now: datetime,
    post: RowMapping,
    signed: RowMapping,
    rows: Sequence[RowMapping],
    at: datetime,
) -> list[Times] | None:
    """When each delivery would go if its post were to go at `at`: after its account's quiet hours.

    None: one would be outside of what was signed. A post without any yet has its time all the same.
    """
    wanted = [spoken_from(post, row, at) for row in rows] or [at]
    found = [_within(office, now, post, signed, go_at) for go_at in wanted]
    whole = [times for times in found if times is not None]
    return whole if len(whole) == len(found) else None


def spoken_from(post: RowMapping, row: RowMapping, at: datetime) -> datetime:
    """`at`, or when the quiet hours of the delivery's account are over then."""
    return at if post["emergency"] or not row["rhythm"] else Rhythm.of(row["rhythm"]).open_from(at)


def _within(
    office: Office, now: datetime, post: RowMapping, signed: RowMapping, go_at: datetime
) -> Times | None:
    found = times_of(office, now, {**post, "go_at": go_at}, signed)
    late = found["ends"] is not None and go_at >= found["ends"]
    if late or (signed["begins"] and go_at < signed["begins"]):
        return None
    return {"go_at": go_at, "latest_at": found["latest_at"]}


def move(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    at: datetime,
    seen: Collection[int] | None,
) -> None:
    """Everything of a signed post that has not gone, to `at`; `post` is locked.

    `seen`: the deliveries its mover had in front of him. Raises NotAllowed, Conflict (outside of what
    was signed, or something has gone meanwhile).
    """
    people.require(conn, actor, Right.SCHEDULE, post["unit_id"])
    signed, rows = signed_for(conn, post), to_move(conn, post["id"])
    if seen is not None and set(seen) != {row["id"] for row in rows}:
        raise Conflict("这篇稿件的投递刚有变化，没有改期；请看过现在的情形再办")
    found = times_at(office, now, post, signed, rows, at) if signed else None
    if found is None or post["kind"] == PostKind.WITHDRAWAL:
        raise Conflict("所选时间不在签发的时段内，须重新审签")
    for row, times in zip(rows, found, strict=False):
        _moved(office, conn, now, row, times)
    unplanned = {} if rows else {"due_at": now, "slot": ""}
    values = {"go_at": at, "changed_at": now, "version": posts.c.version + 1, **unplanned}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    before = post["go_at"].isoformat() if post["go_at"] else ""
    more = {"before": before, "to": at.isoformat()}
    audit.write(conn, now, actor, "post.move", f"post:{post['id']}", **more)


def _moved(office: Office, conn: Connection, now: datetime, row: RowMapping, times: Times) -> None:
    """The lease goes with it: what a worker armed or uploads just now is refused."""
    values: dict[str, Any] = {"state": S.READY, "reason": None, "was_held": False, "staged": None}
    values |= dict.fromkeys(("tries", "waits", "looks", "absents"), 0) | {"insists": False, **times}
    values |= {"lease": None, "leased_until": None, "changed_at": now}
    values["due_at"] = first_due(office, row, times["go_at"])
    as_seen = deliveries.c.id == row["id"], deliveries.c.state == row["state"]
    if conn.execute(update(deliveries).where(*as_seen).values(**values)).rowcount != 1:
        raise Conflict("这条投递刚被改动，请刷新后再办")
    close_notice(conn, now, f"delivery:{row['id']}")
