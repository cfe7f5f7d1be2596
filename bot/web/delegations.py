"""代签: whom I named to act in my place and who named me; naming somebody, and ending it early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from bot import people, review, roster
from bot.errors import GongkaiError
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web.visit import Signed, Visit, go, local
from bot.workdays import instant

router = APIRouter()
DONE = {"make": Say("已委托代签，到时自行开始和结束"), "end": Say("代签已终止，已签的不受影响")}


def data_for_delegations(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """The reader's delegations; the units he may name somebody for, and for the chosen one
    (`unit`) the steps and the people."""
    with office.db.read() as conn:
        passing = people.unit_ids(conn, actor, Right.REVIEW)
        units = [unit for unit in roster.tree(conn) if unit["id"] in passing]
        chosen = next(
            (u for u in units if u["key"] == params.get("unit")), units[0] if units else None
        )
        return {
            "delegations": review.delegations_of(conn, office.db.now(conn), actor.person),
            "units": units,
            "unit": chosen,
            "steps": review.delegable(office, conn, actor, chosen["id"]) if chosen else [],
            "takers": review.takers(conn, actor, chosen["id"]) if chosen else [],
        }


def _page(visit: Visit, status: int = 200, error: str = "") -> Response:
    params = {"unit": visit.field("unit") or visit.params.get("unit", "")}
    found = data_for_delegations(visit.office, visit.actor, params)
    typed: dict[str, Any] = {n: visit.field(n) for n in ("taker", "begins", "ends", "reason")}
    typed["steps"] = visit.fields("steps")
    return visit.page(
        "delegation.html", status, **found, typed=typed, error=error, done=visit.done(DONE)
    )


@router.get("/me/delegation")
def delegations_page(visit: Signed) -> Response:
    return _page(visit)


@router.post("/me/delegation")
def act(visit: Signed) -> Response:
    """Name somebody (`make`), or end one early (`end`), also an administrator from a person's page."""
    if visit.field("act") == "end":
        _end(visit)
        return go(f"{local(visit.field('back')) or '/me/delegation'}?done=end")
    try:
        _make(visit)
    except GongkaiError as error:
        return _page(visit, 422, str(error))
    return go("/me/delegation?done=make")


def _make(visit: Visit) -> None:
    zone, need = visit.office.config.tz, visit.field
    more: dict[str, Any] = {"unit": need("unit"), "steps": visit.fields("steps")}
    more |= {name: instant(need(name), zone) for name in ("begins", "ends")}
    taker, reason = need("taker", need=str(Say("代签人"))), need("reason")
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        review.delegate(visit.office, conn, now, visit.actor, taker, reason=reason, **more)


def _end(visit: Visit) -> None:
    with visit.office.db.write() as conn:
        review.end_delegation(
            conn, visit.office.db.now(conn), visit.actor, visit.number("delegation")
        )
