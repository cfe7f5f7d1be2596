"""What a sign-off is made of: the revision it binds to, its window, its row, and the approval that
stands once the last step is passed: the one thing deliver believes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import audit
from bot.config import Step
from bot.db import accounts, approvals, lock, posts, revisions, signoffs
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, PostState, Severity, SignOffKind, Verdict, Window
from bot.notices import close_notice
from bot.office import Office
from bot.review.steps import passes


@dataclass(frozen=True)
class Decision:
    """One person's word. `digest` is of the revision he had in front of him."""

    verdict: Verdict
    digest: str
    note: str = ""
    window: Window = field(default_factory=Window)


def locked(conn: Connection, post_id: int) -> RowMapping:
    lock(conn, posts, [post_id])
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


def window_of(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    asked: Window,
    *,
    last: bool = True,
) -> Window:
    """The span this sign-off lets it go out in; by default its planned time and its lateness.

    Lateness runs from the last sign-off: an earlier one sets no end unless its signer did, and one
    of a post that waits for a slot of a schedule leaves that to the slot.
    """
    begins = asked.begins or post["go_at"]
    start = max(begins or now, now)
    lateness = start + patience(office, conn, post) if last and not post["slot"] else None
    ends = asked.ends or post["latest_at"] or lateness
    if ends is not None and ends <= start:
        raise Invalid("签发时段已过或没有长度；请改时间后再签")
    return Window(begins, ends)


def patience(office: Office, conn: Connection, post: RowMapping) -> timedelta:
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
    **more: Any,
) -> None:
    """One sign-off of one step, and its entry in the trail. `more`: what its kind adds."""
    number, stated = step
    what = {"post_id": post["id"], "revision_id": revision["id"], "digest": revision["digest"]}
    which = {"step": number, "step_name": stated.name, "kind": kind}
    said = {"person_id": actor.person, "verdict": word.verdict, "note": word.note.strip()}
    when = {"begins": window.begins, "ends": window.ends, "at": now}
    conn.execute(insert(signoffs).values(**what, **which, **said, **when, **more))
    data = {"revision": revision["id"], "digest": revision["digest"], "step": stated.name}
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
