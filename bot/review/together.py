"""Signing several at once: each by itself, as it was seen, and only what screening let pass.

Whatever changed since, waits no more, or has a finding at warn or above is left out, with the reason;
the others are signed all the same. Each is a sign-off like any other, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.errors import Conflict, GongkaiError, NotAllowed
from bot.language import Say
from bot.model import Actor, PostState, Verdict
from bot.office import Office
from bot.review.deciding import decide
from bot.review.signing import Decision, doubtful, locked, post_of, revision_of
from bot.review.turns import names_for, why_not


@dataclass(frozen=True)
class Ticked:
    """One of several: the post, the digest and the step that were seen, whose place it is signed in."""

    post: int
    digest: str
    behalf: str = ""
    step: int | None = None  # None: whichever waits


def refusal(office: Office, conn: Connection, actor: Actor, one: Ticked) -> Say | None:
    """Why one cannot be signed together with others; None where it can."""
    try:
        _refuse(office, conn, actor, one)
    except GongkaiError as error:
        return error.say
    post = post_of(conn, one.post)
    if one.behalf not in {n.login if n else "" for n in names_for(office, conn, actor, post)}:
        return Say("不在您名下，或代签已终止；请单独审签")
    return None


def _refuse(office: Office, conn: Connection, actor: Actor, one: Ticked) -> None:
    """What decide does not ask. Raises Conflict, NotAllowed."""
    post = post_of(conn, one.post)
    if post["state"] != PostState.IN_REVIEW:
        raise Conflict("这篇稿件不在审签中")
    if one.step is not None and one.step != post["step"]:
        raise Conflict("这一步已由他人办理，现在等的是另一步；请重新打开再办")
    if not names_for(office, conn, actor, post):
        raise NotAllowed(why_not(office, conn, actor, post) or Say("没有可办理的审次"))
    revision = revision_of(conn, post)
    if revision["digest"] != one.digest:
        raise Conflict("稿件在您看过之后有了新版本，没有签；请重新看过再签")
    if doubtful(revision):
        raise Conflict("审查有疑点，须单独审签")


def sign_together(
    office: Office, actor: Actor, several: Sequence[Ticked]
) -> Mapping[int, PostState | Say]:
    """Pass the waiting step of each; give the state each is in then, or why it was left out."""
    each = {one.post: one for one in reversed(several)}  # twice is once, as it was first said
    return {one.post: _signed(office, actor, one) for one in reversed(each.values())}


def _signed(office: Office, actor: Actor, one: Ticked) -> PostState | Say:
    word = Decision(Verdict.PASS, one.digest, behalf=one.behalf, step=one.step)
    try:
        with office.db.write() as conn:
            now = office.db.now(conn)
            locked(conn, one.post)
            _refuse(office, conn, actor, one)
            return decide(office, conn, now, actor, one.post, word)
    except GongkaiError as error:
        return error.say
