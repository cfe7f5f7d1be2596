"""What a sign-off is made of: the revision it binds to, its window, its row, and the approval that
stands once the last step is passed: the one thing deliver believes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from bot import audit, naming
from bot.config import Step
from bot.db import accounts, approvals, lock, occurrences, posts, revisions, signoffs
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, PostState, Severity, SignOffKind, Verdict, Window
from bot.notices import close_notice
from bot.office import Office
from bot.review.steps import passes
from bot.review.turns import Behalf
from bot.workdays import office_day


@dataclass(frozen=True)
class Decision:
    """One person's word. `digest` is of the revision he had in front of him.

    `behalf`: the login of who named him to act in his place; empty: it is his own. `step`: the one
    he saw waiting; None: whichever waits.
    """

    verdict: Verdict
    digest: str
    note: str = ""
    window: Window = field(default_factory=Window)
    behalf: str = ""
    step: int | None = None


def locked(conn: Connection, post_id: int) -> RowMapping:
    lock(conn, posts, [post_id])
    return post_of(conn, post_id)


def post_of(conn: Connection, post_id: int) -> RowMapping:
    row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的稿件", id=post_id)
    return row


def revision_of(conn: Connection, post: RowMapping) -> RowMapping:
    query = select(revisions).where(revisions.c.id == post["revision_id"])
    return conn.execute(query).mappings().one()


def refuse_blocked(revision: RowMapping) -> None:
    blocks = [f for f in revision["findings"] or () if f["severity"] == Severity.BLOCK]
    if blocks:
        raise Conflict("有 {n} 处须先改：{first}", n=len(blocks), first=Say(blocks[0]["message"]))


def doubtful(revision: RowMapping) -> bool:
    """Has screening found more than a note in it?"""
    return any(f["severity"] != Severity.NOTE for f in revision["findings"] or ())


def window_of(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    asked: Window,
    *,
    last: bool = True,
) -> Window:
    """The span this sign-off lets it go out in: what its signer asked for, else the usual one.

    Raises Invalid for one that is over, and where the office wants an end and none is known.
    """
    begins = asked.begins or post["go_at"]
    usual = usual_window(office, conn, now, {**post, "go_at": begins}, last=last)
    ends = asked.ends or usual.ends
    if ends is not None and ends <= max(begins or now, now):
        raise Invalid("签发时段已过或没有长度；请改时间后再签")
    if ends is None and last and post["slot"] and office.config.deliver.slot_signed_for != "any":
        name = naming.of_schedule(office.config, post["slot"])
        raise Invalid("日程 {key} 近日没有时段，不知道签到何时；请写明“不晚于”", key=name)
    return Window(begins, ends)


def usual_window(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping | Mapping[str, Any],
    *,
    last: bool = True,
) -> Window:
    """What a sign-off without times of its own lets it go out in: its planned time and its lateness.

    Lateness runs from the last sign-off: an earlier one sets no end. A post that waits for a slot of a
    schedule may have any, or those of the next one's day, or that alone, as the office chose.
    """
    start = max(post["go_at"] or now, now)
    ends = post["latest_at"]
    if ends is None and last and post["slot"]:
        ends = _slot_ends(office, conn, start, post["slot"])
    elif ends is None and last:
        ends = start + patience(office, conn, post)
    return Window(post["go_at"], ends)


def _slot_ends(office: Office, conn: Connection, start: datetime, key: str) -> datetime | None:
    """The last moment of the next slot or of its day; None: any slot, or none is planned yet."""
    signed_for, zone = office.config.deliver.slot_signed_for, office.config.tz
    coming = occurrences.c.at >= start, occurrences.c.due_at.is_not(None)
    query = select(func.min(occurrences.c.at)).where(occurrences.c.schedule == key, *coming)
    at: datetime | None = conn.execute(query).scalar()
    if signed_for == "any" or at is None:
        return None
    if signed_for == "slot":
        return at + office.config.deliver.lateness
    return datetime.combine(office_day(at, zone) + timedelta(days=1), time(), zone).astimezone(UTC)


def patience(office: Office, conn: Connection, post: RowMapping | Mapping[str, Any]) -> timedelta:
    """How long after its hour a post may go, by default: longer where an account has its own hours."""
    hours = accounts.c.id.in_(post["accounts"] or []), accounts.c.rhythm.is_not(None)
    waits = conn.execute(select(accounts.c.id).where(*hours).limit(1)).first()
    return office.config.deliver.spread if waits else office.config.deliver.lateness


def record(
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    revision: RowMapping,
    step: tuple[int, Step],
    word: Decision,
    kind: SignOffKind,
    window: Window,
    behalf: Behalf | None = None,
    **more: Any,
) -> None:
    """One sign-off of one step, and its entry in the trail. `more`: what its kind adds."""
    number, stated = step
    what = {"post_id": post["id"], "revision_id": revision["id"], "digest": revision["digest"]}
    which = {"step": number, "step_name": stated.name, "kind": kind}
    said = {"person_id": actor.person, "verdict": word.verdict, "note": word.note.strip()}
    when = {"begins": window.begins, "ends": window.ends, "at": now}
    data = {"revision": revision["id"], "digest": revision["digest"], "step": stated.name}
    if behalf is not None:
        more |= {"behalf_id": behalf.giver, "delegation_id": behalf.delegation}
        used = {"post": post["id"], "verdict": word.verdict, "giver": behalf.giver, **data}
        audit.write(conn, now, actor, "delegation.use", f"delegation:{behalf.delegation}", **used)
        data |= {"behalf": behalf.giver, "delegation": behalf.delegation}
    conn.execute(insert(signoffs).values(**what, **which, **said, **when, **more))
    audit.write(conn, now, actor, f"post.{word.verdict}", f"post:{post['id']}", kind=kind, **data)


def approve(conn: Connection, now: datetime, post: RowMapping, revision: RowMapping) -> PostState:
    window = Window()
    for passed in conn.execute(passes(revision["id"])).mappings():
        window = window.meet(Window(passed["begins"], passed["ends"]))
    if window.ends is not None and window.ends <= max(window.begins or now, now):
        raise Conflict("各审次签的时段没有共同的部分，或已过；请退回，改时间后重新送审")
    conn.execute(
        insert(approvals).values(
            revision_id=revision["id"],
            post_id=post["id"],
            digest=revision["digest"],
            begins=window.begins,
            ends=window.ends,
            at=now,
        )
    )
    values = {"state": PostState.APPROVED, "changed_at": now, "due_at": now, "tries": 0}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    close_notice(conn, now, f"refer:{post['id']}", f"returned:{post['id']}")
    return PostState.APPROVED
