"""代签: whom one named to act in one's place, by whom one was named."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from bot import people, review, shapes
from bot.model import Right
from bot.web.api import bodies
from bot.web.api.door import Reads, Route, Signs
from bot.web.api.once import Done, Json, once
from bot.web.api.paging import Paged, Words, cut
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


class TakersAsked(Paged):
    unit: Annotated[Words, Query(description="its key")]


@router.get("/delegations")
def delegations_list(call: Reads, asked: Annotated[Paged, Query()]) -> Response:
    """Those he made or was named in; of others, GET people/{login}."""
    with call.office.db.read() as conn:
        rows = review.delegations_of(conn, call.office.db.now(conn), call.actor.person)
    shown = [shapes.picked(row, shapes.DELEGATION) for row in rows]
    return Json(cut("delegations", shown, asked))


@router.get("/delegations/takers")
def takers(call: Reads, asked: Annotated[TakersAsked, Query()]) -> Response:
    """Whom he may name for a unit, and (`steps`) for what."""
    with call.office.db.read() as conn:
        unit = people.unit_of(conn, asked.unit)["id"]
        people.require(conn, call.actor, Right.REVIEW, unit)
        rows = [dict(row) for row in review.takers(conn, call.actor, unit)]
        steps = review.delegable(call.office, conn, call.actor, unit)
    return Json(cut("takers", rows, asked) | {"steps": steps})


@router.post("/delegations", status_code=201)
def delegate(call: Signs, said: bodies.Delegated) -> Response:
    """Name somebody for some steps of a unit's posts, until a time."""
    zone = call.office.config.tz
    more: dict[str, Any] = {"unit": said.unit, "steps": said.steps, "reason": said.reason}
    more |= {name: instant(getattr(said, name) or "", zone) for name in ("begins", "ends")}

    def act(conn: Connection, now: datetime) -> Done:
        made = review.delegate(call.office, conn, now, call.actor, said.taker, **more)
        return {"delegation": made}

    return once(call, act, 201)


@router.post("/delegations/{delegation_id:int}/end")
def end(call: Signs, delegation_id: Id) -> Response:
    """Before its time, also by who made it or was named; what was signed by it stands."""

    def act(conn: Connection, now: datetime) -> Done:
        review.end_delegation(conn, now, call.actor, delegation_id)
        return {"delegation": delegation_id}

    return once(call, act)
