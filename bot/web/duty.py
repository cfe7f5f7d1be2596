"""值班: a unit's month, day by day; filled in by hand or from a pasted table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from bot import people, roster
from bot.errors import GongkaiError, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.people import duty
from bot.schedule import agenda
from bot.web.calendar import monday
from bot.web.lists import dated
from bot.web.visit import Signed, Visit, go
from bot.workdays import office_day

router = APIRouter()
DONE = {"put": Say("值班表已存，记入留痕")}
DAY = "day-"


def data_for_duty(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """The month (`on`) of one of the reader's units (`unit`), and who may be put there."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        units = [unit for unit in roster.tree(conn) if unit["id"] in scope]
        unit = _chosen(units, params.get("unit", ""))
        today = office_day(office.db.now(conn), office.config.tz)
        first = (dated(params, "on") or today).replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
        last = after - timedelta(days=1)
        begins, ends = monday(first), monday(last) + timedelta(days=6)
        days = agenda.days_of(office, begins, ends)
        ids = [unit["id"]] if unit else []
        rows = duty.listing(conn, ids, begins, ends)
        may = bool(unit) and people.may(conn, actor, Right.SCHEDULE, unit["id"])
        able = duty.candidates(conn, unit["id"]) if may else []
        return {
            "units": units, "unit": unit, "weeks": [days[n : n + 7] for n in range(0, len(days), 7)], "today": today, "first": first,
            "before": (first - timedelta(days=1)).replace(day=1), "after": after,
            "who": {row["day"]: row for row in rows}, "filled": _filled(rows, first), "may": may,
            "candidates": able, "names": Counter(one["name"] for one in able),
        }  # fmt: skip


def _filled(rows: list[RowMapping], first: date) -> int:
    return sum(row["day"].startswith(f"{first:%Y-%m}") for row in rows)


def _chosen(units: list[dict[str, Any]], key: str) -> dict[str, Any]:
    found = next((unit for unit in units if unit["key"] == key), None)
    if key and found is None:
        raise NotFound("没有单位 {key}", key=key)
    return found or (units[0] if units else {})


def today_on_duty(office: Office, conn: Connection, scope: set[int]) -> list[Any]:
    """Who is on duty today at the reader's units, the highest first."""
    today = office_day(office.db.now(conn), office.config.tz)
    return list(duty.listing(conn, scope, today, today))


def _page(visit: Visit, status: int = 200, error: str = "") -> Response:
    params = {n: visit.field(n) or visit.params.get(n, "") for n in ("unit", "on")}
    found = data_for_duty(visit.office, visit.actor, params)
    typed = {k.removeprefix(DAY): str(v) for k, v in visit.form.items() if k.startswith(DAY)}
    more = {"typed": typed, "pasted": visit.field("pasted"), "done": visit.done(DONE)}
    return visit.page("duty.html", status, **found, **more, error=error)


@router.get("/duty")
def duty_page(visit: Signed) -> Response:
    return _page(visit)


@router.post("/duty")
def put(visit: Signed) -> Response:
    """Keep a month as its form has it, or (`act` paste) what a table says. What was typed stays."""
    try:
        _put(visit)
    except GongkaiError as error:
        return _page(visit, 403 if isinstance(error, NotAllowed) else 422, str(error))
    on = dated({"on": visit.field("on")}, "on")
    return go(f"/duty?unit={quote(visit.field('unit'))}&on={on or ''}&done=put")


def _put(visit: Visit) -> None:
    if visit.field("act") == "paste":
        said = duty.read(visit.field("pasted"))
    else:
        said = {
            on: visit.field(name)
            for name in visit.form
            if name.startswith(DAY) and (on := dated({"on": name.removeprefix(DAY)}, "on"))
        }
    with visit.office.db.write() as conn:
        now, unit = visit.office.db.now(conn), people.unit_of(conn, visit.field("unit"))
        duty.put(conn, now, visit.actor, unit["id"], said)
