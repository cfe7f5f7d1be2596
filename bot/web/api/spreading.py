"""After a post is out: others asked to repost it, and what the public says on the office's own board."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from bot import collect, compose, people, review, shapes
from bot.errors import NotFound
from bot.model import Right
from bot.web import board, counts, moderation
from bot.web.api import bodies
from bot.web.api.door import Reads, Route, Writes
from bot.web.api.once import Done, Json, once
from bot.web.api.paging import Paged, after, cut, page
from bot.web.review import post_for
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


# ---------------------------------------------------------------- reposts


@router.get("/posts/{post_id:int}/reposts")
def reposts(call: Reads, post_id: Id, asked: Annotated[Paged, Query()]) -> Response:
    """Who was asked to repost it, how far each is; `candidates`: who else could, for who may ask."""
    with call.office.db.read() as conn:
        post = post_for(conn, call.actor, post_id)
        rows = compose.reposts_of(conn, post_id)
        may = people.may(conn, call.actor, Right.WRITE, post["unit_id"])
        others = compose.candidates(conn, post_id) if may else []
    return Json(cut("reposts", rows, asked) | {"candidates": others})


@router.post("/posts/{post_id:int}/reposts", status_code=201)
def ask(call: Writes, post_id: Id, said: bodies.Reposted) -> Response:
    """Ask accounts to repost it: for each a post, handed in for review at its own unit."""
    by = instant(said.by, call.office.config.tz)

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        asked = (call.actor, post_id, said.accounts, by)
        made = compose.ask_reposts(call.office, conn, now, *asked)
        for each in made:
            review.submit(call.office, conn, now, call.actor, each)
        return {"posts": made}

    return once(call, act, 201)


@router.post("/posts/{post_id:int}/reposts/{repost_id:int}/call-off")
def call_off(call: Writes, post_id: Id, repost_id: Id) -> Response:
    """Take one request back while it is not signed."""

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        if repost_id not in {row["id"] for row in compose.reposts_of(conn, post_id)}:
            raise NotFound("没有这个转发请求")
        compose.call_off_repost(conn, now, call.actor, repost_id)
        return {"post": repost_id, "state": compose.one(conn, repost_id)["state"]}

    return once(call, act)


# ---------------------------------------------------------------- the board, and what came elsewhere


@router.get("/board/replies")
def board_waiting(call: Reads, asked: Annotated[Paged, Query()]) -> Response:
    """Replies on the board, and edits of them (`pending`), that wait for a person; the oldest first."""
    above = after("board", asked.cursor)
    with call.office.db.read() as conn:
        may = counts.moderators(conn, call.actor, Right.READ)
        found = board.waiting(conn, asked.limit + 1, above) if may else []
        rows = [shapes.picked(row, shapes.BOARD_REPLY) for row in found]
    return Json(page("board", rows, asked.limit))


@router.post("/board/replies/{reply_id:int}/decide")
def moderate(call: Writes, reply_id: Id, said: bodies.Moderated) -> Response:
    """Show it, hide it, or keep its earlier text and drop the edit."""

    def act(conn: Connection, now: datetime) -> Done:
        moderation.decide(call.office, conn, now, call.actor, reply_id, said.word)
        return {"reply": reply_id, "word": said.word}

    return once(call, act)


@router.post("/replies", status_code=201)
def enter(call: Writes, said: bodies.Entered) -> Response:
    """A message that came elsewhere (a hotline, a letter), under a by-hand account; twice is once."""
    given: dict[str, Any] = said.model_dump(exclude={"account", "at"})
    given["at"] = instant(said.at or "", call.office.config.tz)

    def act(conn: Connection, now: datetime) -> Done:
        return {"reply": collect.add(call.office, conn, now, call.actor, said.account, **given)}

    return once(call, act, 201)
