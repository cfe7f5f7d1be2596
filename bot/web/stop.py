"""停发: one page, one press. What it would stop, live; what stands; lifting leads to a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, func, select
from starlette.responses import Response

from bot import people
from bot.db import accounts, aside, deliveries, posts, units
from bot.db import holds as table
from bot.deliver import holds, queue
from bot.errors import Invalid
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, PostState, Right
from bot.office import Office
from bot.web import shell
from bot.web.duty import today_on_duty
from bot.web.lists import squares
from bot.web.visit import Id, Signed, Visit, go, whole
from bot.workdays import instant

router = APIRouter()
PASSABLE = 30  # posts offered to be let through
DONE = {
    "lifted": Say("停发已解除。停发期间没有到点的投递，其余照常按计划发出。"),
    "declared": Say("肃穆模式已宣布，到时自行开始和结束；开始前可以收回"),
    "withdrawn": Say("肃穆模式已收回，没有停住任何投递"),
    "let": Say("已点名放行，记入留痕"),
}


def data_for_stop(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """What each scope would stop, what stands and what it stops, what was lifted lately."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        may = people.unit_ids(conn, actor, Right.STOP)
        figures = _figures(conn)
        return {
            "all": sum(n for *_, n in figures) if everywhere(conn, may) else None,
            "units": [(u, name, _of_unit(conn, figures, u)) for u, name in units_of(conn, may)],
            "accounts": [
                (a, sum(n for account, *_, n in figures if account == a.id))
                for a in squares(conn, may).values()
            ],
            "next": _next(conn, scope),
            "passable": passable(conn, scope),
            "reads": scope,
            "most": PASSABLE,
            "whole": scope >= _roots(conn),
            "in_flight": holds.in_flight(conn, scope),
            "declared": [
                {**h, "may": _may_lift(h, may, conn)} for h in shell.declared(conn, scope)
            ],
            "standing": [
                {**h, "stops": _stops(conn, scope, h["id"]), "may": _may_lift(h, may, conn)}
                for h in shell.standing(conn, scope)
            ],
            "lifted": lifted(conn, scope),
            "duty": today_on_duty(office, conn, scope),
        }


def _stops(conn: Connection, scope: set[int], hold: int) -> int:
    """What a hold stops of what the reader sees, as the queue lists it."""
    return queue.total(conn, scope, state=DeliveryState.READY, hold=hold)


def everywhere(conn: Connection, may: set[int]) -> bool:
    """Is this all there is to stop?"""
    return bool(may) and may >= _roots(conn)


def _roots(conn: Connection) -> set[int]:
    return set(conn.execute(select(units.c.id).where(units.c.parent_id.is_(None))).scalars())


def units_of(conn: Connection, ids: set[int]) -> list[tuple[int, str]]:
    """These units with their names."""
    query = select(units.c.id, units.c.name).where(units.c.id.in_(ids)).order_by(units.c.id)
    return list(conn.execute(query))


def _figures(conn: Connection) -> list[tuple[int, int, int, int]]:
    """Unsent deliveries: account, its unit, the post's unit, how many."""
    where = (accounts.c.id, accounts.c.unit_id, deliveries.c.post_unit_id)
    query = select(*where, func.count()).select_from(deliveries)
    query = query.join(accounts, accounts.c.id == deliveries.c.account_id)
    ready = query.where(deliveries.c.state == DeliveryState.READY).group_by(*where)
    return list(conn.execute(ready))


def _of_unit(conn: Connection, figures: list[tuple[int, int, int, int]], unit: int) -> int:
    below = people.below(conn, unit)
    return sum(n for _, owner, author, n in figures if owner in below or author in below)


def _next(conn: Connection, scope: set[int]) -> list[RowMapping]:
    """The next to go, which a stop would keep."""
    query = holds.joined(
        select(deliveries.c.id, deliveries.c.go_at, deliveries.c.account_id, posts.c.title, posts.c.id.label("post_id"), accounts.c.name)
    )  # fmt: skip
    ready = query.where(
        deliveries.c.state == DeliveryState.READY, deliveries.c.post_unit_id.in_(scope)
    )
    return list(conn.execute(ready.order_by(deliveries.c.go_at).limit(6)).mappings())


def passable(conn: Connection, scope: set[int]) -> list[RowMapping]:
    """Signed posts that have not gone, emergencies first: these may be let through by name."""
    unsent = select(deliveries.c.post_id).where(deliveries.c.state == DeliveryState.READY)
    query = (
        select(posts)
        .where(
            aside(posts.c.state) == PostState.APPROVED,
            posts.c.id.in_(unsent),
            posts.c.unit_id.in_(scope),
        )
        .order_by(posts.c.emergency.desc(), posts.c.go_at, posts.c.id)
    )
    return list(conn.execute(query.limit(PASSABLE)).mappings())


def _may_lift(hold: Mapping[str, Any], may: set[int], conn: Connection) -> bool:
    return _roots(conn) <= may if hold["unit_id"] is None else hold["unit_id"] in may


def lifted(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    query = select(table).where(table.c.lifted_at.is_not(None)).order_by(table.c.lifted_at.desc())
    named = [shell.named_hold(conn, row) for row in conn.execute(query.limit(20)).mappings()]
    return [h for h in named if h["unit_id"] is None or h["unit_id"] in scope][:5]


# ---------------------------------------------------------------- page and acts


def _page(visit: Visit, status: int = 200, **more: Any) -> Response:
    found = data_for_stop(visit.office, visit.actor, visit.params)
    names = ("scope", "unit", "account", "target", "reason", "until")
    values = {name: visit.field(name) for name in names}
    return visit.page(
        "stop.html", status, **found, **{"error": "", "done": None, **more}, typed=values
    )


@router.get("/stop")
def stop_page(visit: Signed) -> Response:
    return _page(visit, done=visit.done(DONE))


@router.post("/stop")
def press(visit: Signed) -> Response:
    """Stop, at once. What was typed stays when it cannot be taken."""
    try:
        made = _pressed(visit)
    except Invalid as error:
        return _page(visit, 422, error=str(error))
    return go(f"/stop#hold-{made}")


def _pressed(visit: Visit) -> int:
    try:
        scope = HoldScope(visit.field("scope"))
    except ValueError:
        raise Invalid("请选停哪些") from None
    target = None if scope is HoldScope.ALL else whole(visit.field(scope) or visit.field("target"))
    until = instant(visit.field("until"), visit.office.config.tz)
    passes = [whole(each) for each in visit.fields("passes")]
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        if until and until <= now:
            raise Invalid("自动解除的时间已过，请改到现在以后，或留空")
        reason = visit.field("reason", need=str(Say("事由")))
        return holds.hold(conn, now, visit.actor, scope, target, reason, passes, until)


@router.post("/stop/{hold_id}/lift")
def lift(visit: Signed, hold_id: Id) -> Response:
    """Lift; to the list of what fell due meanwhile, never a burst."""
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        early = conn.execute(select(table.c.since).where(table.c.id == hold_id)).scalar()
        waiting = holds.resume(conn, now, visit.actor, hold_id)
        solemn = holds.left(conn, hold_id)
    if waiting or solemn:
        return go(f"/queue?hold={hold_id}&done=lifted")
    return go(f"/stop?done={'withdrawn' if early and early > now else 'lifted'}")
