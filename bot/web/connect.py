"""连接账号, step by step: to the platform, back, whose it is, kept (bot.deliver.connecting)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from starlette.responses import Response

from bot import people
from bot.deliver import accounts as stage
from bot.deliver import connecting
from bot.errors import AdapterError, GongkaiError, Invalid
from bot.model import Actor, Right
from bot.office import Office
from bot.web.accounts import listed
from bot.web.faults import status_of
from bot.web.lists import account
from bot.web.visit import Signed, Visit, go

router = APIRouter()
BACK = "/account/return"


def data_for_connecting(office: Office, actor: Actor, key: str, session: str) -> dict[str, Any]:
    """The account, what connecting it takes, and how far this session is. Raises NotFound,
    NotAllowed."""
    with office.db.read() as conn:
        row = stage.by_key(conn, key)
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
        need = connecting.need(office, row)
        here = need not in connecting.NOT_HERE
        path = connecting.standing(office, conn, actor, key, session) if here else None
        options = row["options"] or {}
        return {
            "a": {name: row[name] for name in ("key", "state", "identity", "identity_name")},
            "square": account(row),
            "need": need,
            "not_here": connecting.NOT_HERE.get(need),
            "way": path,
            "ends": _instant(path.found["token_ends"]) if path and path.found else None,
            "registered": options.get("redirect_uri", ""),
        }


def _instant(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def back_of(visit: Visit) -> str:
    """Our address for the platform to send the browser to: of the host that it came to."""
    console, request = visit.office.config.console_url, visit.request
    same = urlsplit(console).netloc == request.url.netloc  # a proxy may hide that it is https
    return f"{console if same else str(request.base_url).rstrip('/')}{BACK}"


def _guided(visit: Visit, key: str, error: GongkaiError | None = None) -> Response:
    found = data_for_connecting(visit.office, visit.actor, key, visit.session.id)
    status = 200 if error is None else status_of(error)
    raw = error.raw if isinstance(error, AdapterError) else ""
    minutes = connecting.SPAN.seconds // 60
    more = {"error": str(error or ""), "raw": raw, "back": back_of(visit), "minutes": minutes}
    return visit.page("connect.html", status, **found, **more)


@router.get("/accounts/{key}/connect")
def connect_page(visit: Signed, key: str) -> Response:
    return _guided(visit, key)


def _begin(visit: Visit, key: str, session: str) -> None:
    there = connecting.begin(visit.office, visit.actor, key, session, back_of(visit))
    asyncio.run(there)


def _code(visit: Visit, key: str, session: str) -> None:
    said = visit.field("code")
    asyncio.run(connecting.brought(visit.office, visit.actor, key, session, said))


def _token(visit: Visit, key: str, session: str) -> None:
    said = visit.field("token")
    asyncio.run(connecting.handed(visit.office, visit.actor, key, session, said))


def _keep(visit: Visit, key: str, session: str) -> None:
    another = bool(visit.field("another"))
    asyncio.run(connecting.keep(visit.office, visit.actor, key, session, another=another))


def _drop(visit: Visit, key: str, session: str) -> None:
    connecting.drop(visit.office, visit.actor, key, session)


ACTS: dict[str, Callable[[Visit, str, str], None]] = {
    "begin": _begin,
    "code": _code,
    "token": _token,
    "keep": _keep,
    "drop": _drop,
}


@router.post("/accounts/{key}/connect")
def step(visit: Signed, key: str) -> Response:
    """begin, code, token, keep or drop; what is wrong is told on the page itself."""
    name = visit.field("act")
    if name not in ACTS:
        raise Invalid("请从页面上的按钮办理")
    try:
        ACTS[name](visit, key, visit.session.id)
    except GongkaiError as error:
        return _guided(visit, key, error)
    if name == "keep":
        return go(f"/accounts/{quote(key)}?done=connect")
    return go(f"/accounts/{quote(key)}/connect")


@router.get(BACK)
def returned(visit: Signed) -> Response:
    """The platform sent the browser back. A state that is not ours is told as what it is."""
    office, actor, session = visit.office, visit.actor, visit.session.id
    try:
        key = asyncio.run(connecting.returned(office, actor, session, visit.params))
    except GongkaiError as error:
        key = connecting.key_of(office, actor, session, visit.params.get("state", ""))
        return _guided(visit, key, error) if key else listed(visit, error)
    return go(f"/accounts/{quote(key)}/connect")  # the code stands in no address any longer
