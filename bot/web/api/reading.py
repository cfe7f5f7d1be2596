"""Who asks, what he has, how it stands: his units, their accounts and sources, tokens, today, the search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Table, select
from starlette.responses import Response

from bot import (
    finding,
    people,
    roster,
    shapes,
    tokens,
)
from bot.db import accounts, sources, units
from bot.model import (
    AccountState,
    SourceState,
)
from bot.web import counts, figures
from bot.web.account import readable_account
from bot.web.api.door import Call, Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Words

router = APIRouter(route_class=Route, default_response_class=Json)


class SearchAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: Words
    of: Literal["", "numbers", "posts", "items", "replies", "accounts", "people", "sources"] = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    lang: Literal["zh", "en"] | None = None


class AccountsAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal[""] | AccountState = ""


class SourcesAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal[""] | SourceState = ""
    failing: bool = False


class TokensAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    everyone: bool = False


@router.get("/today")
def today(call: Reads) -> Response:
    """What waits for him and how the lists of his units stand: figures, each with where its rows are;
    who is on duty, what day it is, whether the machine runs."""
    office = call.office
    with office.db.read() as conn:
        now, scope = office.db.now(conn), people.unit_ids(conn, call.actor)
        return Json(figures.today(office, conn, now, call.actor, scope))


@router.get("/me")
def me(call: Reads) -> Response:
    """Whose token this is, what it is for, what he may do where, where he is signed in."""
    with call.office.db.read() as conn:
        own = int(call.actor.person or 0)
        sessions = [dict(row) for row in roster.open_sessions(conn, call.office.db.now(conn), own)]
        factor = roster.factor(conn, own)
        rows = conn.execute(select(units).order_by(units.c.id)).mappings().all()
        at = [(row, people.rights(conn, call.actor, row["id"])) for row in rows]
    mine = [{"key": row["key"], "name": row["name"], "rights": may} for row, may in at if may]
    token = shapes.picked(call.token, "id name scopes ends_at")
    said = {"login": call.token["login"], "name": call.actor.name, "token": token, "units": mine}
    return Json(said | {"sessions": sessions, "factor": factor})


@router.get("/units")
def units_list(call: Reads) -> Response:
    """The units he reads."""
    return _table(call, units, units.c.id, "id key name parent_id")


@router.get("/accounts")
def accounts_list(call: Reads, asked: Annotated[AccountsAsked, Query()]) -> Response:
    """Their accounts: state, identity, what each can do."""
    chosen = (accounts.c.state == asked.state,) if asked.state else ()
    return _table(call, accounts, accounts.c.unit_id, shapes.ACCOUNT, *chosen)


@router.get("/accounts/{key}")
def account(call: Reads, key: str) -> Response:
    """One account whole: credential's life, hours, holds, what is queued, how it was filed."""
    with call.office.db.read() as conn:
        row, scope = readable_account(conn, call.actor, key)
        return Json(shapes.account(call.office, conn, row, scope))


@router.get("/tokens")
def tokens_list(call: Reads, asked: Annotated[TokensAsked, Query()]) -> Response:
    """One's own tokens, without themselves; `everyone`: also of the people he administers."""
    with call.office.db.read() as conn:
        now = call.office.db.now(conn)
        found = tokens.listing(conn, call.actor, everyone=asked.everyone)
    return Json({"rows": [shapes.token(row, now) for row in found], "next": None})


@router.get("/sources")
def sources_list(call: Reads, asked: Annotated[SourcesAsked, Query()]) -> Response:
    """Their sources: when each was read, and why it failed."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        mine = [sources.c.unit_id.in_(scope)] + [counts.failing(scope)] * asked.failing
        mine += [sources.c.state == asked.state] if asked.state else []
        rows = conn.execute(select(sources).where(*mine).order_by(sources.c.id)).mappings().all()
    return Json({"rows": [shapes.source_row(row) for row in rows], "next": None})


def _table(call: Call, of: Table, unit: Any, names: str, *chosen: ColumnElement[bool]) -> Response:
    """The rows of the reader's units, all in one page: an office has few."""
    with call.office.db.read() as conn:
        mine = select(of).where(unit.in_(people.unit_ids(conn, call.actor)), *chosen)
        rows = conn.execute(mine.order_by(of.c.id)).mappings().all()
    return Json({"rows": [shapes.picked(row, names) for row in rows], "next": None})


@router.get("/search")
def search_everything(call: Reads, asked: Annotated[SearchAsked, Query()]) -> Response:
    """Posts, entries, replies, accounts, people and sources that hold some words, kind by kind;
    `place`: the page of what the words name exactly."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        place = finding.straight(conn, scope, asked.q)
        groups = finding.find(conn, scope, asked.q, most=asked.limit, of=asked.of)
    return Json(shapes.found(place, groups))
