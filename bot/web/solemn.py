"""肃穆模式: what a period would keep, then its declaration; a post let through by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from bot import people
from bot.deliver import holds
from bot.errors import GongkaiError, Invalid
from bot.language import Say
from bot.model import HoldScope, Right
from bot.schedule import solemn
from bot.web import stop
from bot.web.lists import SIZE, page_of
from bot.web.visit import Id, Signed, Visit, go, whole
from bot.workdays import instant

router = APIRouter()
TYPED = ("scope", "unit", "begins", "until", "reason")


@router.get("/stop/solemn")
def solemn_page(visit: Signed) -> Response:
    """A form that asks for the period; with `until`, what it would keep, and the button."""
    names = visit.request.query_params.getlist("passes")
    typed: dict[str, Any] = {name: visit.params.get(name, "") for name in TYPED}
    return _page(visit, typed | {"passes": names})


def _page(visit: Visit, typed: Mapping[str, Any], error: str = "") -> Response:
    office, kept, refused = visit.office, None, error
    with office.db.read() as conn:
        now, may = office.db.now(conn), people.unit_ids(conn, visit.actor, Right.STOP)
        if typed["until"]:
            try:
                what = _asked(visit, typed)
                kept = solemn.foresee(office, conn, now, visit.actor, *what)
            except GongkaiError as wrong:
                refused = error or str(wrong)
        return visit.page(
            "solemn.html",
            422 if refused else 200,
            typed=typed,
            kept=kept,
            page=page_of(visit.params, len(kept.deliveries) if kept else 0),
            size=SIZE,
            error=refused,
            units=stop.units_of(conn, may),
            all=stop.everywhere(conn, may),
            named=_named(kept, typed["passes"]),
        )


def _named(kept: solemn.Kept | None, passes: list[str]) -> list[int]:
    """Of the posts that may be let through those that were ticked: other dates have others."""
    return [row["id"] for row in kept.names if str(row["id"]) in passes] if kept else []


def _asked(visit: Visit, typed: Mapping[str, Any]) -> tuple[Any, ...]:
    """Scope, target, begins, until, passes, as the form has them. Raises Invalid."""
    zone = visit.office.config.tz
    if typed["scope"] not in (HoldScope.ALL, HoldScope.UNIT):
        raise Invalid("请选停哪些")
    scope = HoldScope(typed["scope"])
    target = whole(typed["unit"]) if scope is HoldScope.UNIT else None
    span = instant(typed["begins"], zone), instant(typed["until"], zone)
    return scope, target, *span, [whole(one) for one in typed["passes"]]


@router.post("/stop/solemn")
def declare(visit: Signed) -> Response:
    """Declare it. What was typed stays when it cannot be taken."""
    typed: dict[str, Any] = {name: visit.field(name) for name in TYPED}
    typed["passes"] = visit.fields("passes")
    try:
        scope, target, begins, until, passes = _asked(visit, typed)
        reason = visit.field("reason", need=str(Say("事由")))
        with visit.office.db.write() as conn:
            now, who = visit.office.db.now(conn), (visit.actor, scope, target, reason)
            made = holds.declare(conn, now, *who, begins, until, passes)
    except Invalid as error:
        return _page(visit, typed, str(error))
    return go(f"/stop?done=declared#hold-{made}")


@router.post("/stop/{hold_id}/let")
def let(visit: Signed, hold_id: Id) -> Response:
    """One more post passes by its name."""
    with visit.office.db.write() as conn:
        now, post = visit.office.db.now(conn), visit.number("post")
        holds.let_through(conn, now, visit.actor, hold_id, post)
    return go(f"/stop?done=let#hold-{hold_id}")
