"""What the office writes itself and is set to: templates, rules, columns, words, settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection
from starlette.responses import Response

from bot import compose, files, people, settings, shapes, vocabulary
from bot.model import Right
from bot.people import duty
from bot.web.api import bodies
from bot.web.api.door import Reads, Route, Writes
from bot.web.api.once import Done, Json, once
from bot.web.api.paging import Paged, Words, after, cursor_at
from bot.web.templating import readable_units
from bot.workdays import office_day

router = APIRouter(route_class=Route, default_response_class=Json)


class WordsAsked(Paged):
    list: Annotated[Words, Query(description="a file of [screening] lists; the first without")] = ""
    severity: Literal["", "block", "warn", "note", "exception"] = ""
    q: Words = ""


class TemplateAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[Words, Query(description="digest of one in its trail: `earlier`")] = ""


class DutyAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: Annotated[bodies.Day | None, Query(description="today without")] = None
    last: Annotated[bodies.Day | None, Query(description="30 days on without")] = None


@router.get("/duty")
def duty_list(call: Reads, asked: Annotated[DutyAsked, Query()]) -> Response:
    """Who is on duty at the reader's units, by day."""
    with call.office.db.read() as conn:
        first = asked.first or office_day(call.office.db.now(conn), call.office.config.tz)
        last = asked.last or first + timedelta(days=30)
        rows = duty.listing(conn, people.unit_ids(conn, call.actor), first, last)
    return Json({"rows": [shapes.picked(row, shapes.DUTY) for row in rows], "next": None})


@router.post("/duty")
def put_duty(call: Writes, said: bodies.OnDuty) -> Response:
    """A unit's duty on some days, by login or name; an empty one clears a day."""

    def act(conn: Connection, now: datetime) -> Done:
        unit = people.unit_of(conn, said.unit)["id"]
        return {"changed": duty.put(conn, now, call.actor, unit, said.days)}

    return once(call, act)


@router.get("/templates")
def templates_list(call: Reads) -> Response:
    """Every template: its forms and fields, what of the reader's units uses it, what is wrong."""
    with call.office.db.read() as conn:
        rows = shapes.templates(call.office, readable_units(conn, call.actor))
    return Json({"rows": rows, "next": None})


@router.get("/templates/{key}")
def template(
    call: Reads,
    key: Annotated[str, Path(max_length=100)],
    asked: Annotated[TemplateAsked, Query()],
) -> Response:
    """One with its text, who changed it when, and the standing sign-offs bound to it."""
    with call.office.db.read() as conn:
        mine = readable_units(conn, call.actor)
        found = shapes.template_whole(call.office, conn, key, mine)
        subject, version = compose.subject_of(key), asked.version
        was = files.earlier(call.office, conn, subject, version) if version else None
    return Json(found | {"earlier": was})


@router.get("/rules")
def rules(call: Reads) -> Response:
    """The rules of screening as they are set here."""
    with call.office.db.read() as conn:
        readable_units(conn, call.actor)
    return Json({"rows": shapes.rules(call.office), "next": None})


@router.get("/columns")
def columns(call: Reads) -> Response:
    """What is done with each source's columns, and who signs, as config.toml says."""
    with call.office.db.read() as conn:
        rows = shapes.columns(call.office, conn, readable_units(conn, call.actor))
    return Json({"rows": rows, "next": None})


@router.get("/words")
def words(call: Reads, asked: Annotated[WordsAsked, Query()]) -> Response:
    """The office's own words: one of its lists, line by line; `lists`: all of them; its trail."""
    above, config = after("words", asked.cursor), call.office.config
    there = vocabulary.word_list(config, asked.list)
    with call.office.db.read() as conn:
        readable_units(conn, call.actor)
        trail = [dict(row) for row in files.history(conn, f"words:{there.name}")]
    found = vocabulary.found(there.lines, asked.q, asked.severity)
    left = [line for line in found if line.number > above]
    shown = left[: asked.limit]
    following = cursor_at("words", shown[-1].number) if len(left) > asked.limit else None
    more = {"next": following, "lists": config.screening.lists, "trail": trail}
    return Json(vocabulary.shown(there, shown) | more)


@router.get("/settings")
def office_settings(call: Reads) -> Response:
    """How the office stands; to administrators, config.toml too, as far as it is their units'."""
    with call.office.db.read() as conn:
        readable_units(conn, call.actor)
        found = {"state": settings.state(call.office, conn)}
        ids = people.unit_ids(conn, call.actor, Right.ADMIN)
        mine = settings.units_of(conn, ids)
    tables = settings.sections(call.office.config, mine) if ids else []
    return Json(found | ({"config": [one.json() for one in tables]} if ids else {}))
