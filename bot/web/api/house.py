"""What the office writes itself and is set to: templates, rules, columns, words, settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from bot import people, settings, shapes, vocabulary
from bot.model import Right
from bot.web.api.door import Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Words
from bot.web.templating import readable_units

router = APIRouter(route_class=Route, default_response_class=Json)


class WordsAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    list: Annotated[Words, Query(description="a file of [screening] lists; the first without")] = ""
    q: Words = ""


@router.get("/templates")
def templates_list(call: Reads) -> Response:
    """Every template: its forms and fields, what of the reader's units uses it, what is wrong."""
    with call.office.db.read() as conn:
        rows = shapes.templates(call.office, readable_units(conn, call.actor))
    return Json({"rows": rows, "next": None})


@router.get("/templates/{key}")
def template(call: Reads, key: Annotated[str, Path(max_length=100)]) -> Response:
    """One with its text, who changed it when, and the standing sign-offs bound to it."""
    with call.office.db.read() as conn:
        mine = readable_units(conn, call.actor)
        return Json(shapes.template_whole(call.office, conn, key, mine))


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
    """The office's own words: one of its lists, line by line."""
    with call.office.db.read() as conn:
        readable_units(conn, call.actor)
    there = vocabulary.word_list(call.office.config, asked.list)
    return Json(vocabulary.shown(there, vocabulary.found(there.lines, asked.q)))


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
