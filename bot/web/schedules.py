"""日程: each with its next times and its last; run, skip, pause; and what a rule would mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import people, schedule
from bot.db import units
from bot.errors import GongkaiError, Invalid
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web import words
from bot.web.visit import Signed, Visit, go
from bot.workdays import instant

router = APIRouter()
DONE = {
    "run": Say("已加办一期；成稿的照常审签"),
    "skip": Say("已跳过这一期"),
    "unskip": Say("已恢复这一期"),
    "pause": Say("已暂停，已成的稿件不受影响"),
    "resume": Say("已恢复"),
}
SAMPLE = """name = "每日摘要"
unit = "{unit}"
accounts = {accounts}
days = "workdays"

[[when]]
hour = "9"
minute = "30"
"""


def listed(office: Office, conn: Connection, actor: Actor, n: int = 5) -> list[dict[str, Any]]:
    """The schedules of the reader's units, and the files nobody can read; `may`: run and pause."""
    mine, may = (people.unit_ids(conn, actor, right) for right in (Right.READ, Right.SCHEDULE))
    named = {row.key: row for row in conn.execute(select(units))}
    found = []
    for row in schedule.listing(office, conn, office.db.now(conn), n):
        unit = named.get(row.get("unit", ""))
        if unit is None or unit.id in mine:
            shown = {"unit_name": unit.name if unit else "", "may": bool(unit and unit.id in may)}
            found.append({"name": row["key"], "paused": False, **row, **shown})
    return found


@router.get("/calendar/schedules")
def schedules_page(visit: Signed) -> Response:
    return _shown(visit, visit.done(DONE))


def _shown(visit: Visit, done: Say | None = None, status: int = 200, **more: Any) -> Response:
    office = visit.office
    with office.db.read() as conn:
        rows = listed(office, conn, visit.actor)
    asked: dict[str, Any] = {"text": _sample(office), "begins": "", "ends": ""}
    said = {"asked": asked, "imagined": None, "unknown": "", "wrong": "", **more}
    return visit.page("schedules.html", status, rows=rows, kinds=words.SCHEDULES, done=done, **said)


def _sample(office: Office) -> str:
    accounts = json.dumps([*office.config.accounts][:1])
    return SAMPLE.format(unit=next(iter(office.config.units)), accounts=accounts)


@router.post("/calendar/schedules")
def act(visit: Signed) -> Response:
    """`act` on the schedule `key`: run, skip and unskip (`at`), pause (`reason`), resume; or whatif
    (`text`, `begins`, `ends`), which changes nothing."""
    name = visit.field("act")
    if name == "whatif":
        return _what_if(visit)
    try:
        with visit.office.db.write() as conn:
            _acted(visit, conn, visit.office.db.now(conn), name, visit.field("key"))
    except GongkaiError as error:
        return _shown(visit, status=422, amiss=visit.amiss(error))
    return go(f"/calendar/schedules?done={name}")


def _acted(visit: Visit, conn: Connection, now: datetime, name: str, key: str) -> None:
    of = (visit.office, conn, now, visit.actor, key)
    if name == "run":
        schedule.run(*of)
    elif name in ("skip", "unskip"):
        at = instant(visit.field("at", need=str(Say("哪一期"))), visit.office.config.tz)
        assert at is not None
        schedule.skip(*of, at, undo=name == "unskip")
    elif name in ("pause", "resume"):
        schedule.pause(*of, visit.field("reason"), undo=name == "resume")
    else:
        raise Invalid("请从页面上的按钮办理")


def _what_if(visit: Visit) -> Response:
    """Its next times, or its mistakes, as the file's."""
    office, form = visit.office, visit.form
    text = form.get("text", "")
    asked = {"text": text, **{n: visit.field(n) for n in ("begins", "ends")}}
    try:
        rows, unknown = _imagined(office, asked)
    except GongkaiError as error:
        return _shown(visit, status=422, asked=asked, wrong=str(error))
    return _shown(visit, asked=asked, imagined=rows, unknown=str(unknown or ""))


def _imagined(office: Office, asked: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Any]:
    text = asked["text"] if isinstance(asked["text"], str) else ""
    made = schedule.read(office, text)
    begins = instant(asked["begins"], office.config.tz) or office.db.now()
    ends = instant(asked["ends"], office.config.tz) or begins + timedelta(days=31)
    return schedule.what_if(office, made, begins, ends)
