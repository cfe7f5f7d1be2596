"""常设签发: which stand, what each is bound to, what it signed and did not; granting and ending one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from bot import naming, people, review
from bot.errors import GongkaiError, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web.lists import page_of
from bot.web.visit import Id, Signed, Visit, go
from bot.workdays import instant

router = APIRouter()
DONE = {
    "grant": Say("常设签发已授予，范围之内的由系统以您的名义签发"),
    "end": Say("常设签发已终止，已签的不受影响"),
    "wake": Say("常设签发已恢复"),
}
TYPED = ("source", "ends", "daily_max", "note")


def data_for_standings(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Those of the reader's units; the sources he may grant for, and the chosen one (`source`)."""
    with office.db.read() as conn:
        offered = review.grantable(office, conn, actor)
        key = params.get("source", "")
        chosen = key if key in offered else next(iter(offered), "")
        scope, now = people.unit_ids(conn, actor), office.db.now(conn)
        rows = review.standing_list(conn, now, scope)
        page = page_of(params, len(rows))
        shown = {"standings": rows[page.offset : page.last], "page": page, "offered": offered}
        shown |= {"chosen": chosen}
        return {**shown, "called": naming.of_sources(conn)}


def standing_for(office: Office, conn: Connection, actor: Actor, row_id: int) -> dict[str, Any]:
    """One of the reader's units. Raises NotFound."""
    found = review.standing_one(office, conn, office.db.now(conn), row_id)
    if found["unit_id"] not in people.unit_ids(conn, actor):
        raise NotFound("没有编号 {id} 的常设签发", id=row_id)
    return found


def _page(visit: Visit, status: int = 200, error: str = "") -> Response:
    params = {**visit.params, "source": visit.field("source") or visit.params.get("source", "")}
    found = data_for_standings(visit.office, visit.actor, params)
    typed: dict[str, Any] = {name: visit.field(name) for name in TYPED}
    typed["columns"] = visit.fields("columns")
    more = {"typed": typed, "error": error, "done": visit.done(DONE)}
    return visit.page("standings.html", status, **found, **more)


@router.get("/standings")
def standings_page(visit: Signed) -> Response:
    return _page(visit)


@router.get("/standings/{standing_id}")
def standing_page(visit: Signed, standing_id: Id) -> Response:
    with visit.office.db.read() as conn:
        found = standing_for(visit.office, conn, visit.actor, standing_id)
        may = people.may(conn, visit.actor, Right.SIGN, found["unit_id"])
    return visit.page("standing.html", s=found, may=may, done=visit.done(DONE))


@router.post("/standings")
def grant(visit: Signed) -> Response:
    """Grant one. What was typed stays when it cannot be taken."""
    try:
        made = _granted(visit)
    except GongkaiError as error:
        return _page(visit, 403 if isinstance(error, NotAllowed) else 422, str(error))
    return go(f"/standings/{made}?done=grant")


def _granted(visit: Visit) -> int:
    office, need = visit.office, visit.field
    ends = instant(need("ends", need=str(Say("截止时间"))), office.config.tz)
    most = need("daily_max", need=str(Say("每日上限")))
    if ends is None or not (most.isascii() and most.isdigit() and len(most) < 6):
        raise Invalid("常设签发须有将来的截止日期和每日上限")
    bounds: dict[str, Any] = {"ends": ends, "daily_max": int(most), "note": need("note")}
    bounds["columns"] = visit.fields("columns")
    with office.db.write() as conn:
        now, source = office.db.now(conn), need("source", need=str(Say("来源")))
        return review.grant_standing(office, conn, now, visit.actor, source, **bounds)


@router.post("/standings/{standing_id}")
def act(visit: Signed, standing_id: Id) -> Response:
    """`act`: end it, or wake it after a restore."""
    name = visit.field("act")
    acts = {"end": review.end_standing, "wake": review.wake_standing}
    if name not in acts:
        raise Invalid("请选要办的事")
    with visit.office.db.write() as conn:
        acts[name](conn, visit.office.db.now(conn), visit.actor, standing_id)
    return go(f"/standings/{standing_id}?done={name}")
