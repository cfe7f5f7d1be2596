"""One reply: its thread, its wordings, what is known of it; answering and erasing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from bot import collect, compose, people, review
from bot.collect import log
from bot.collect.intake import ERASED
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web import spoken
from bot.web.faults import status_of
from bot.web.lists import squares
from bot.web.marks import differences
from bot.web.visit import Id, Signed, go

router = APIRouter()
HANDED_IN = Say("答复已送审，签发后发到原评论下面")
DONE = {"entered": Say("已登记，和采到的评论列在一起"), "answered": HANDED_IN}


def data_for_reply(office: Office, actor: Actor, reply_id: int) -> dict[str, Any]:
    """A reply with what it answers and what answers it. Raises NotFound, for another unit's too."""
    with office.db.read() as conn:
        row, shown = readable(conn, actor, reply_id), squares(conn)
        thread = [*spoken.above(conn, row), row, *spoken.below(conn, row)]
        lines = spoken.lines(conn, shown, thread)
        at = next(n for n, line in enumerate(lines) if line["id"] == reply_id)
        unit = row["unit_id"]
        return {
            "line": lines[at],
            "above": lines[:at],
            "below": lines[at + 1 :],
            "wordings": _wordings(conn, reply_id),
            "erased": row["removed_why"] == ERASED,
            "may_answer": people.may(conn, actor, Right.WRITE, unit),
            "may_erase": any(people.may(conn, actor, r, unit) for r in (Right.ADMIN, Right.REPLY)),
        }


def _wordings(conn: Connection, reply_id: int) -> list[dict[str, Any]]:
    """Every wording, the newest first, each with what it changed in the one before."""
    found = log.versions(conn, reply_id)
    before = ["", *(version.text for version in found)]
    marked = [
        {"number": v.number, "at": v.at, "marked": differences(old, v.text) if old else v.text}
        for old, v in zip(before, found, strict=False)
    ]
    return marked[::-1]


def readable(conn: Connection, actor: Actor, reply_id: int) -> RowMapping:
    """Raises NotFound for a reply to another unit."""
    row = log.one(conn, reply_id)
    if row["unit_id"] not in people.unit_ids(conn, actor):
        raise NotFound("没有编号 {id} 的评论", id=reply_id)
    return row


@router.get("/replies/{reply_id:int}")
def reply_page(visit: Signed, reply_id: Id) -> Response:
    return _page(visit, reply_id, done=visit.done(DONE))


def _page(visit: Signed, reply_id: int, status: int = 200, **said: Any) -> Response:
    values = {"done": None, "problem": None, "stands": "", "reason": "", **said}
    found = data_for_reply(visit.office, visit.actor, reply_id)
    return visit.page("reply.html", status, **found, **values)


@router.post("/replies/{reply_id:int}/answer")
def answer(visit: Signed, reply_id: Id) -> Response:
    """A post that answers this reply; it is signed like any other before it goes. `act`: draft, which
    is gone on with, or submit, which hands it in as it is; what cannot be handed in stays a draft, and
    what was typed stays on the page where nothing could be made of it."""
    office = visit.office
    try:
        words = visit.field("text", need=str(Say("答复")))
        with office.db.write() as conn:
            readable(conn, visit.actor, reply_id)
            now = office.db.now(conn)
            post = compose.answer(office, conn, now, visit.actor, reply_id, words)
    except (Invalid, Conflict) as error:
        return _page(visit, reply_id, status_of(error), amiss=visit.amiss(error))
    if visit.field("act") == "submit" and _handed_in(visit, post):
        return visit.back(f"/replies/{reply_id}?done=answered")
    return go(f"/posts/{post}/edit?done=saved")


def _handed_in(visit: Signed, post_id: int) -> bool:
    """Whether it is in review now; why not stands on its own page, among the findings."""
    try:
        with visit.office.db.write() as conn:
            now = visit.office.db.now(conn)
            review.submit(visit.office, conn, now, visit.actor, post_id)
    except Conflict:
        return False
    return True


@router.post("/replies/{reply_id:int}/erase")
def erase(visit: Signed, reply_id: Id) -> Response:
    """Erase the words for good; says where they still stand. A missing reason loses nothing."""
    office, reason = visit.office, visit.field("reason")
    try:
        with office.db.write() as conn:
            readable(conn, visit.actor, reply_id)
            now = office.db.now(conn)
            stands = collect.erase(office, conn, now, visit.actor, reply_id, reason)
    except Invalid as error:
        return _page(visit, reply_id, status_of(error), problem=error, reason=reason)
    return _page(visit, reply_id, done=Say("已抹除，备份恢复后也不会回来"), stands=stands)
