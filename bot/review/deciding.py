"""Handed in, then passed, returned or referred step by step; and taken back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping, select, update

from bot import audit, people
from bot.config import Step
from bot.db import approvals, posts, signoffs
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.model import (
    MACHINE,
    Actor,
    PostKind,
    PostState,
    Right,
    SignOffKind,
    Verdict,
    Window,
    digest_of,
)
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.review.signing import (
    Decision,
    approve,
    locked,
    record,
    refuse_blocked,
    revision_of,
    window_of,
)
from bot.review.steps import steps_of
from bot.review.turns import Behalf, in_name, require_signer


def submit(office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """Hand a draft in for review.

    Raises Conflict for one with a blocking finding, or whose sign-off was taken back as it stands.
    """
    post = locked(conn, post_id)
    if actor != MACHINE:
        people.require(conn, actor, Right.WRITE, _asking(conn, post))
    if post["state"] != PostState.DRAFT:
        raise Conflict("只有草稿可以送审")
    refuse_blocked(revision_of(conn, post))
    signed = select(approvals.c.revision_id).where(approvals.c.revision_id == post["revision_id"])
    if conn.execute(signed).first():
        raise Conflict("这一版的签发已撤销；请改出新版本再送审")
    values = {"state": PostState.IN_REVIEW, "step": 0, "returned": None, "changed_at": now}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    close_notice(conn, now, f"returned:{post_id}")
    audit.write(conn, now, actor, "post.submit", f"post:{post_id}")


def _asking(conn: Connection, post: RowMapping) -> int:
    """The unit whose word hands a post in: of a repost the one that asks for it."""
    of = post["about_id"] if post["kind"] == PostKind.REPOST else post["id"]
    return int(conn.execute(select(posts.c.unit_id).where(posts.c.id == of)).scalar_one())


def decide(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, word: Decision
) -> PostState:
    """Pass, return or refer the step that waits; give the state the post is in then.

    Raises NotAllowed (no right, the author, a second step, no delegation), Conflict (another revision by now, not
    in review), Invalid (return and refer need a note; a window that is past).
    """
    post = locked(conn, post_id)
    revision = revision_of(conn, post)
    if post["state"] != PostState.IN_REVIEW:
        raise Conflict("这篇稿件不在审签中")
    if revision["digest"] != word.digest or digest_of(revision["manifest"]) != word.digest:
        raise Conflict("稿件已有新版本，您看到的不是当前这一版，请重新打开")
    if word.step is not None and word.step != post["step"]:
        raise Conflict("这一步已由他人办理，现在等的是另一步；请重新打开再办")
    turn, behalf = require_signer(office, conn, actor, post, word.behalf)
    step = (turn.number, turn.step)
    if word.verdict is not Verdict.PASS:
        return _not_passed(conn, now, actor, behalf, post, revision, step, word)
    refuse_blocked(revision)
    _refuse_after_refer(conn, revision, word)
    last = turn.number == len(steps_of(office, conn, post)) - 1
    window = window_of(office, conn, now, post, word.window, last=last)
    kind = SignOffKind.EMERGENCY if post["emergency"] else SignOffKind.PERSON
    record(conn, now, actor, post, revision, step, word, kind, window, behalf)
    return _onward(office, conn, now, post, revision)


def _not_passed(
    conn: Connection,
    now: datetime,
    actor: Actor,
    behalf: Behalf | None,
    post: RowMapping,
    revision: RowMapping,
    step: tuple[int, Step],
    word: Decision,
) -> PostState:
    """Returned to its author, or referred to the competent authority (条例 art. 17) and waiting."""
    if not word.note.strip():
        raise Invalid("退回和报请确定须写明意见")
    record(conn, now, actor, post, revision, step, word, SignOffKind.PERSON, Window(), behalf)
    who = in_name(actor, behalf)
    if word.verdict is Verdict.REFER:
        said = Say("{who}报请确定：{note}", who=who, note=word.note)
        open_notice(
            conn, now, f"refer:{post['id']}", said, post["unit_id"], f"/review/{post['id']}"
        )
        return PostState.IN_REVIEW
    said = Say("{who}退回：{note}", who=who, note=word.note)
    values = {"state": PostState.DRAFT, "step": 0, "returned": said.json(), "changed_at": now}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    close_notice(conn, now, f"refer:{post['id']}")
    open_notice(conn, now, f"returned:{post['id']}", said, post["unit_id"], f"/posts/{post['id']}")
    return PostState.DRAFT


def _refuse_after_refer(conn: Connection, revision: RowMapping, word: Decision) -> None:
    """Once referred, a pass says on whose answer it rests."""
    referred = select(signoffs.c.id).where(
        signoffs.c.post_id == revision["post_id"], signoffs.c.verdict == Verdict.REFER
    )
    if conn.execute(referred).first() and not word.note.strip():
        raise Invalid("这篇稿件已报请确定；通过时请写明答复的单位和意见")


def _onward(
    office: Office, conn: Connection, now: datetime, post: RowMapping, revision: RowMapping
) -> PostState:
    """To the next step, or, after the last, approved: deliver plans it from here on."""
    step = post["step"] + 1
    if step < len(steps_of(office, conn, post)):
        conn.execute(
            update(posts).where(posts.c.id == post["id"]).values(step=step, changed_at=now)
        )
        return PostState.IN_REVIEW
    return approve(conn, now, post, revision)


def revoke(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, reason: str
) -> None:
    """Take a sign-off back before it has gone: whoever may sign may do this. The post is a draft."""
    post = locked(conn, post_id)
    people.require(conn, actor, Right.SIGN, post["unit_id"])
    if post["state"] not in (PostState.APPROVED, PostState.IN_REVIEW):
        raise Conflict("这篇稿件没有可撤销的审签")
    if not reason.strip():
        raise Invalid("请写明撤销审签的理由")
    said = Say("{who}撤销签发：{note}", who=actor.name, note=reason)
    standing = approvals.c.post_id == post_id, approvals.c.voided_at.is_(None)
    conn.execute(update(approvals).where(*standing).values(voided_at=now, voided=said.json()))
    _returned(office, conn, now, actor, post, said)
    values = {"state": PostState.DRAFT, "step": 0, "returned": said.json(), "due_at": None}
    conn.execute(update(posts).where(posts.c.id == post_id).values(changed_at=now, **values))
    close_notice(conn, now, f"refer:{post_id}")
    open_notice(conn, now, f"returned:{post_id}", said, post["unit_id"], f"/posts/{post_id}")
    audit.write(conn, now, actor, "post.revoke", f"post:{post_id}")


def _returned(
    office: Office, conn: Connection, now: datetime, actor: Actor, post: RowMapping, said: Say
) -> None:
    """A return on record: the steps begin anew, and the same people may pass them again."""
    revision = revision_of(conn, post)
    steps = steps_of(office, conn, post)
    number = min(post["step"], len(steps) - 1)
    word = Decision(Verdict.RETURN, revision["digest"], str(said))
    step = (number, steps[number])
    record(conn, now, actor, post, revision, step, word, SignOffKind.PERSON, Window())
