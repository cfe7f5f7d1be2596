"""人员、单位与来源: who is where and may do what, and how each catalogue reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from bot import people, roster, shapes
from bot.errors import NotFound
from bot.model import Right
from bot.web import staff
from bot.web.api.door import Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Paged, Words, cut
from bot.web.sources import source_for

router = APIRouter(route_class=Route, default_response_class=Json)
Name = Annotated[str, Path(max_length=100)]


class PeopleAsked(Paged):
    unit: Annotated[Words, Query(description="with a role at the unit of this key")] = ""


@router.get("/people")
def people_list(call: Reads, asked: Annotated[PeopleAsked, Query()]) -> Response:
    """Who has a role at the reader's units; to who administers all, those without one, too."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        every = not asked.unit and people.everywhere(conn, call.actor, Right.ADMIN)
        if asked.unit:
            scope &= {people.unit_of(conn, asked.unit)["id"]}
        everybody = roster.persons(conn)
    rows = [p for p in everybody if roster.within(p, scope) or (every and not p["roles"])]
    return Json(cut("people", map(shapes.person, rows), asked))


@router.get("/people/{login}")
def person(call: Reads, login: Name) -> Response:
    """One with his delegations; to who may change him, with his sessions, tokens, last login."""
    found = staff.data_for_person(call.office, call.actor, login)
    lent = [shapes.picked(row, shapes.DELEGATION) for row in found["delegations"]]
    whole = shapes.person(found["one"]) | {"delegations": lent}
    if found["may"]:
        signed_in = [dict(row) for row in found["sessions"]]
        more = {
            "tokens": found["tokens"],
            "last_login": found["last"],
            "owes_factor": found["owes"],
        }
        whole |= {"sessions": signed_in, **more, "must_change": bool(found["one"]["must_change"])}
    return Json(whole)


@router.get("/units/{key}")
def unit(call: Reads, key: Name) -> Response:
    """A unit with its steps and who can pass each; `enough`: another person for each, and a writer."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        rows = [row for row in shapes.staffed(call.office, conn) if row["id"] in scope]
    found = next((row for row in rows if row["key"] == key), None)
    if found is None:
        raise NotFound("没有单位 {key}", key=key)
    return Json(found)


@router.get("/sources/{key}")
def source(call: Reads, key: Name) -> Response:
    """A source whole: how it reads, its entries by state, its settings."""
    with call.office.db.read() as conn:
        return Json(shapes.source(call.office, conn, source_for(conn, call.actor, key)))
