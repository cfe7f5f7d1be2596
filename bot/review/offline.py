"""登记线下签批: what was signed on paper, entered by a recorder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from bot import media, people
from bot.errors import Conflict, Invalid, NotAllowed
from bot.language import Say
from bot.model import Actor, PostState, Right, SignOffKind, Verdict, Window
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
from bot.review.steps import steps_of, units_of
from bot.review.turns import authors


def record_offline(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    digest: str,
    signed_by: str,
    sheet: bytes,
    sheet_name: str,
) -> PostState:
    """登记线下签批: a recorder enters the signed sheet for all the steps that wait.

    Marked as such wherever the sign-off is shown. The recorder is not the author. Raises NotAllowed,
    Conflict, Invalid.
    """
    post = locked(conn, post_id)
    revision = revision_of(conn, post)
    for unit in units_of(conn, post):
        people.require(conn, actor, Right.RECORD, unit)
    if post["state"] != PostState.IN_REVIEW or revision["digest"] != digest:
        raise Conflict("签批单对应的不是当前送审的版本")
    if actor.person in authors(conn, [revision["id"]]).get(revision["id"], ()):
        raise NotAllowed("拟稿人不能登记自己稿件的线下签批")
    _refuse(revision, signed_by)
    stored = media.take_sheet(office.media, conn, now, sheet, sheet_name)
    window = window_of(office, conn, now, post, Window())
    word = Decision(Verdict.PASS, digest, str(Say("线下签批，{who}登记", who=actor.name)))
    more: dict[str, Any] = {"signed_by": signed_by.strip(), "sheet": stored}
    for at in list(enumerate(steps_of(office, conn, post)))[post["step"] :]:
        record(conn, now, actor, post, revision, at, word, SignOffKind.OFFLINE, window, **more)
    return approve(conn, now, post, revision)


def _refuse(revision: RowMapping, signed_by: str) -> None:
    if not signed_by.strip():
        raise Invalid("请写明签批单上签字的人")
    refuse_blocked(revision)
