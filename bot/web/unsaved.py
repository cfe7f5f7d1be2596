"""What is typed in 写稿 is kept on the server before it is saved, and who else writes there is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from bot import compose
from bot.compose.writings import NEW, OPEN, Place, mark
from bot.language import Say
from bot.model import Actor
from bot.web.render import Times, lapse
from bot.web.review import author_name, post_for
from bot.web.visit import Id, Signed, Visit, bare, go, plain, whole

router = APIRouter()
OURS = ("csrf", "window", "seen", "turn", "base", "act")  # of the page, not of the text


def place_of(visit: Visit, post_id: int, row: RowMapping | None) -> Place:
    """The form's own, or of a page just opened: on what was kept (`row`), or from nothing."""
    named = visit.field("key") or (row["key"] if row else token_hex(8))
    seen = visit.field("seen") or (str(mark(row)) if row else "0")
    window, turn = visit.field("window") or token_hex(8), whole(visit.field("turn") or "0")
    return Place(named if post_id == NEW else "", window, whole(seen), turn)


def as_typed(visit: Visit, row: RowMapping) -> Visit:
    """The visit as if its form were what was kept."""
    return replace(visit, form=FormData([(k, v) for k, v in row["fields"]]))


def beginnings(conn: Connection, visit: Visit) -> list[dict[str, Any]]:
    """New ones he left: their key, when, and what he would know them by."""
    return [
        {"key": row["key"], "at": row["at"], "words": _known_by(dict(row["fields"]))}
        for row in compose.new_writings(conn, visit.actor)
    ]


def _known_by(fields: dict[str, str]) -> str:
    words = fields.get("title", "").strip() or fields.get("text", "").strip()
    return words[:30] + ("……" if len(words) > 30 else "")


@router.post("/posts/new/keep")
def keep_new(visit: Signed) -> Response:
    return _kept(visit, NEW)


@router.post("/posts/{post_id:int}/keep")
def keep(visit: Signed, post_id: Id) -> Response:
    return _kept(visit, post_id)


def _kept(visit: Visit, post_id: int) -> Response:
    """The form as it stands; answers with the time it was kept at."""
    office, pairs = visit.office, visit.form.multi_items()
    fields = [(k, plain(v)) for k, v in pairs if isinstance(v, str) and k not in OURS]
    place = place_of(visit, post_id, None)
    with office.db.write() as conn:
        if post_id:
            post_for(conn, visit.actor, post_id)
        now = office.db.now(conn)
        compose.keep_writing(conn, now, visit.actor, post_id, fields, place)
    return JSONResponse({"at": f"{Times(office).local(now):%H:%M:%S}"})


@router.post("/posts/new/leave")
def leave_new(visit: Signed) -> Response:
    return _left(visit, NEW, "/posts/new")


@router.post("/posts/{post_id:int}/leave")
def leave(visit: Signed, post_id: Id) -> Response:
    return _left(visit, post_id, f"/posts/{post_id}/edit")


def _left(visit: Visit, post_id: int, place: str) -> Response:
    """What he typed and did not save is let go: his own alone."""
    with visit.office.db.write() as conn:
        if post_id:
            post_for(conn, visit.actor, post_id)
        compose.drop_writing(conn, visit.actor, post_id, visit.field("key"))
    return go(place)


# ---------------------------------------------------------------- who else


@router.get("/writing/beside")
def beside_page(visit: Signed) -> Response:
    """Asked by an open form, which says so that it is open: who else is at the post, what changed."""
    post_id, number = (whole(visit.params.get(name, "0")) for name in ("post", "number"))
    with visit.office.db.write() as conn:
        post = post_for(conn, visit.actor, post_id)
        now = visit.office.db.now(conn)
        compose.open_writing(conn, now, visit.actor, post_id)
        found = beside(conn, now, visit.actor, post, number)
    return bare(visit.request, "beside.html", **found)


def beside(
    conn: Connection, now: datetime, actor: Actor, post: RowMapping, number: int
) -> dict[str, Any]:
    """Who else is at the post, in sentences; the revision made since `number`, and by whom."""
    found = compose.others_writing(conn, now, actor, post["id"])
    newest = compose.current(conn, post)
    newer = newest if newest["number"] > number else None
    by = author_name(conn, newer["author_id"], post["kind"]) if newer else ""
    return {"others": [_said(now, row) for row in found], "newer": newer, "by": by}


def _said(now: datetime, row: RowMapping) -> Say:
    if row["at"] is None:
        return Say("{name} 正在看这篇", name=row["name"])
    if now - row["at"] <= OPEN:
        return Say("{name} 正在改这篇", name=row["name"])
    return Say("{name} {ago}改过这篇，还没有存", name=row["name"], ago=str(lapse(now - row["at"])))
