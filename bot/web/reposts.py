"""请求转发: whom a unit asked to repost a post of its, who has, and asking more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from bot import compose, people, review
from bot.errors import GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, PostState, Right
from bot.office import Office
from bot.web.review import post_for
from bot.web.visit import Id, Signed, Visit, go
from bot.workdays import instant

router = APIRouter()
DONE = {
    "ask": Say("已请求转发，已送各单位审签"),
    "off": Say("请求已收回"),
}


def data_for_reposts(office: Office, actor: Actor, post_id: int) -> dict[str, Any]:
    """A post with what was asked of whom, and, for who may ask, the accounts that could repost it.

    Raises NotFound.
    """
    with office.db.read() as conn:
        post, now = post_for(conn, actor, post_id), office.db.now(conn)
        rows = compose.reposts_of(conn, post_id)
        may = people.may(conn, actor, Right.WRITE, post["unit_id"])
        return {
            "post": post,
            "reposts": [_row(row, now) for row in rows],
            "sent": sum(row["delivery_state"] == DeliveryState.SENT for row in rows),
            "may": may,
            "candidates": compose.candidates(conn, post_id) if may else [],
        }


def _row(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """`shown`: kind and name of its chip; `late`: its time has passed, nobody refused and it is not out."""
    returned = row["state"] == PostState.DRAFT and row["returned"]
    shown = ("post", "returned" if returned else row["state"])
    if row["delivery_state"]:
        shown = ("delivery", row["delivery_state"])
    out = row["delivery_state"] == DeliveryState.SENT
    passed = row["latest_at"] is not None and row["latest_at"] < now
    late = passed and not (out or returned or row["over"])
    open_ = row["state"] in (PostState.DRAFT, PostState.IN_REVIEW)
    return {**row, "shown": shown, "late": late, "open": open_}


@router.get("/posts/{post_id:int}/reposts")
def reposts_page(visit: Signed, post_id: Id) -> Response:
    return _page(visit, post_id)


def _page(visit: Visit, post_id: int, status: int = 200, error: str = "") -> Response:
    found = data_for_reposts(visit.office, visit.actor, post_id)
    typed = {"keys": visit.fields("keys"), "by": visit.field("by")}
    done = visit.done(DONE)
    return visit.page("reposts.html", status, **found, typed=typed, error=error, done=done)


@router.post("/posts/{post_id:int}/reposts")
def act(visit: Signed, post_id: Id) -> Response:
    """Ask accounts to repost (`ask`: keys, by), or take one request back (`off`: repost)."""
    name = visit.field("act")
    try:
        if name == "ask":
            _ask(visit, post_id)
        elif name == "off":
            _off(visit, post_id)
        else:
            raise Invalid("请从页面上的按钮办理")
    except NotFound:
        raise
    except GongkaiError as error:
        return _page(visit, post_id, 422, str(error))
    return go(f"/posts/{post_id}/reposts?done={name}")


def _ask(visit: Visit, post_id: int) -> None:
    office, actor = visit.office, visit.actor
    by = instant(visit.field("by"), office.config.tz)
    with office.db.write() as conn:
        post_for(conn, actor, post_id)
        now = office.db.now(conn)
        for made in compose.ask_reposts(
            office, conn, now, actor, post_id, visit.fields("keys"), by
        ):
            review.submit(office, conn, now, actor, made)


def _off(visit: Visit, post_id: int) -> None:
    with visit.office.db.write() as conn:
        post_for(conn, visit.actor, post_id)
        asked = {row["id"] for row in compose.reposts_of(conn, post_id)}
        if visit.number("repost") not in asked:
            raise NotFound("没有这个转发请求")
        now = visit.office.db.now(conn)
        compose.call_off_repost(conn, now, visit.actor, visit.number("repost"))
