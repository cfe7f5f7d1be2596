"""公开栏留言审核: replies on the board, and edits of them, that wait for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import audit, people
from bot.db import accounts
from bot.errors import Invalid
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web import board
from bot.web.counts import moderators, waiting_replies
from bot.web.lists import SIZE, page_of
from bot.web.marks import differences
from bot.web.visit import Id, Signed, go

router = APIRouter()
DONE = {"show": Say("已公开"), "hide": Say("已不公开"), "keep": Say("已保留原文，改动不公开")}


def data_for_moderation(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """What waits, the oldest first, for who may read at the board's unit; an edit with its
    difference. Filter: page."""
    with office.db.read() as conn:
        may, page = moderators(conn, actor), page_of(params, waiting_replies(conn, actor))
        rows = board.waiting(conn, SIZE, offset=page.offset) if page.total else ()
        marked = [{**row, "marked": _marked(row)} for row in rows]
        return {"rows": marked, "may": may, "page": page}


def _marked(row: Any) -> Any:
    return row["text"] if row["pending"] is None else differences(row["text"], row["pending"])


@router.get("/replies/board")
def board_page(visit: Signed) -> Response:
    found = data_for_moderation(visit.office, visit.actor, visit.params)
    return visit.page("moderation.html", **found, done=visit.done(DONE))


@router.post("/replies/board/{reply_id:int}")
def moderate(visit: Signed, reply_id: Id) -> Response:
    """show, hide, or keep (the earlier text stands, the edit is dropped)."""
    name = visit.field("act")
    with visit.office.db.write() as conn:
        decide(visit.office, conn, visit.office.db.now(conn), visit.actor, reply_id, name)
    return go(f"/replies/board?done={name}")


def decide(
    office: Office, conn: Connection, now: datetime, actor: Actor, reply_id: int, word: str
) -> None:
    """A moderator's word (one of DONE); the machine's own shell may. Raises Invalid, NotAllowed,
    NotFound, Conflict."""
    if word not in DONE:
        raise Invalid("请选择公开或不公开")
    _require(conn, actor)
    state, log = "hidden" if word == "hide" else "shown", office.erasures
    board.moderate(conn, now, reply_id, state, erasures=log, with_edit=word != "keep")
    audit.write(conn, now, actor, f"board.{word}", f"board_reply:{reply_id}")


def _require(conn: Connection, actor: Actor) -> None:
    """Raises NotAllowed, naming who may."""
    if actor.person is not None and not moderators(conn, actor):
        owner = conn.execute(select(accounts.c.unit_id).where(accounts.c.adapter == "board"))
        people.require(conn, actor, Right.REPLY, owner.scalars().first() or 0)
