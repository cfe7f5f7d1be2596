"""Administration: people and their roles, a source tried before it is declared.

What gives somebody a proof of being himself (passwords, second factors, tokens, an account's
credential) or undoes what cannot be made again is not here: it is done where a person shows who he is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.responses import Response

from bot import catalog, people
from bot.errors import Invalid, SourceError
from bot.model import Role
from bot.web.api import bodies
from bot.web.api.door import Administers, Call, Route, Tries
from bot.web.api.once import Done, Json, once
from bot.web.staff import person_for

router = APIRouter(route_class=Route, default_response_class=Json)
Name = Annotated[str, Path(max_length=100)]


@router.post("/people", status_code=201)
def add(call: Administers, said: bodies.Person) -> Response:
    """Somebody new, with one role. Nobody knows his password: one is issued on the console."""

    def act(conn: Connection, now: datetime) -> Done:
        words = said.login, said.name, said.unit, Role(said.role)
        people.add(conn, now, call.actor, *words)
        return {"person": said.login}

    return once(call, act, 201)


@router.post("/people/{login}/grant")
def grant(call: Administers, login: Name, said: bodies.RoleAt) -> Response:
    """A role at a unit, at once."""
    return _role(call, login, said, people.grant)


@router.post("/people/{login}/revoke")
def revoke(call: Administers, login: Name, said: bodies.RoleAt) -> Response:
    """Take it away, at once."""
    return _role(call, login, said, people.revoke)


def _role(call: Call, login: str, said: bodies.RoleAt, stage: Callable[..., None]) -> Response:
    def act(conn: Connection, now: datetime) -> Done:
        stage(conn, now, call.actor, login, said.unit, Role(said.role))
        return {"person": login, "unit": said.unit, "role": said.role}

    return once(call, act)


@router.post("/people/{login}/sign-out")
def sign_out(call: Administers, login: Name, said: bodies.Session) -> Response:
    """End his sessions, or one of them (GET people/{login})."""

    def act(conn: Connection, now: datetime) -> Done:
        person_for(conn, call.actor, login)
        return {"ended": people.sign_out(conn, now, call.actor, login, said.session)}

    return once(call, act)


@router.post("/source/try")
def attempt(call: Tries, said: bodies.Tried) -> Response:
    """What a reader gets at an address, and the text that declares it in config.toml. Nothing is
    kept but that it was tried, so it takes no Idempotency-Key."""
    what = call.office, call.actor, said.unit, said.target
    try:
        found = asyncio.run(catalog.attempt(*what, kind=said.kind))
    except SourceError as error:
        raise Invalid(error.say) from None
    return Json(found.json(call.office))
