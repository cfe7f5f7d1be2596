"""Who calls: a token in the Authorization header, and nothing else; a cookie opens nothing here.

It is asked before anything of the call is read. Wrong tokens are counted by address, apart from the
console's logins: a program with a token that has ended must not keep its neighbours from signing
in. A right one is let in whatever others at its address try: nobody guesses 256 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from sqlalchemy import Connection, RowMapping, delete, select
from starlette.concurrency import run_in_threadpool

from bot import second, tokens
from bot.db import api_writes, insert_id, lock, logins
from bot.model import Actor, Scope
from bot.office import Office
from bot.web import session
from bot.web.problems import Problem, read_up_to
from bot.web.visit import SAFE, origin

MOST = 1024 * 1024  # of a body
FREE = 20  # wrong tokens of an address before it must wait
KEPT = timedelta(hours=24)  # how long an Idempotency-Key holds
BEARER = Security(HTTPBearer(auto_error=False, description="gongkai token create"))


@dataclass(frozen=True)
class Call:
    """One call of a person's program. Of a write: its key, and a digest of the whole of it."""

    office: Office
    actor: Actor
    token: RowMapping
    key: str = ""
    digest: str = ""


class Bounded(Request):
    """A request whose body is read no further than `most`."""

    most = MOST

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_up_to(self, self.most)
        return self._body


class Route(APIRoute):
    """A route behind a token."""

    most = MOST

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            request.state.token = await run_in_threadpool(admitted, request)
            bounded = Bounded(request.scope, request.receive)
            bounded.most = self.most
            await bounded.body()  # here, since a parser would hide what is wrong with its size
            return await handle(bounded)

        return handler


def admitted(request: Request) -> RowMapping:
    """The token that was shown, with its person. Raises Problem."""
    office: Office = request.app.state.office
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem(401, "no-token", "请在 Authorization 头里给出令牌：Bearer 令牌")
    with office.db.read() as conn:
        now = office.db.now(conn)
        row = tokens.find(conn, now, token.strip())
        if row is not None:
            _refuse_unready(office, conn, row)
    if row is None:
        raise _unknown(office, origin(request))
    if row["used_at"] is None or now - row["used_at"] > tokens.SEEN:
        _remember(office, row["id"])
    return row


def _refuse_unready(office: Office, conn: Connection, row: RowMapping) -> None:
    """Who must see to his own access first, may no more by token than at the console."""
    if row["must_change"]:
        raise Problem(
            403, "one-time-password", "{who}的密码是一次性的，请先登录控制台改掉", who=row["who"]
        )
    if row["totp_at"] is None and second.wanted(conn, office.config, row["person_id"]):
        raise Problem(403, "second-factor", "{who}须先在控制台“我的”页设置动态口令", who=row["who"])


def _unknown(office: Office, address: str) -> Problem:
    """Book a wrong token; the refusal for it."""
    where = f"api:{address}"
    with office.db.read() as conn:
        wait = _waiting(conn, office.db.now(conn), where)
    if wait > 0:
        return Problem(429, "too-often", "不对的令牌太多，请 {n} 秒后再试", n=wait, after=wait)
    with office.db.write() as conn:
        row = {"login": "", "origin": where, "at": office.db.now(conn), "ok": False}
        insert_id(conn, logins, row)
    return Problem(401, "no-token", "令牌不对、已过期或已撤销")


def _waiting(conn: Connection, now: datetime, where: str) -> int:
    mine = (logins.c.at > now - session.RECENT, logins.c.origin == where)
    return session.wait_after(conn, now, FREE, *mine)


def _remember(office: Office, token_id: int) -> None:
    """When it was last used; and keys of writes that hold no longer are forgotten."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        tokens.used(conn, now, token_id)
        over = select(api_writes.c.id).where(api_writes.c.at <= now - KEPT).limit(500)
        ids = list(conn.execute(over).scalars())
        lock(conn, api_writes, ids)
        conn.execute(delete(api_writes).where(api_writes.c.id.in_(ids)))


def _of(request: Request, scope: Scope, **more: Any) -> Call:
    row = request.state.token
    if scope not in row["scopes"]:
        raise Problem(
            403, "no-scope", "这个令牌没有“{scope}”的范围", scope=tokens.SCOPE_WORDS[scope]
        )
    actor = Actor(row["person_id"], row["who"], f"api:{origin(request)}")
    return Call(request.app.state.office, actor, row, **more)


def asking(scope: Scope) -> Callable[..., Call]:
    """The dependency of what changes nothing."""

    def asked(request: Request) -> Call:
        return _of(request, scope)

    return asked


Key = Annotated[str, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


def doing(scope: Scope) -> Callable[..., Awaitable[Call]]:
    """The dependency of a write."""

    async def done(request: Request, idempotency_key: Key) -> Call:
        assert request.method not in SAFE
        head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
        whole = hashlib.sha256(head + await request.body()).hexdigest()
        return _of(request, scope, key=idempotency_key, digest=whole)

    return done


Reads = Annotated[Call, Depends(asking(Scope.READ))]
Sends = Annotated[Call, Depends(asking(Scope.WRITE))]  # a write that needs no key
Writes = Annotated[Call, Depends(doing(Scope.WRITE))]
Signs = Annotated[Call, Depends(doing(Scope.SIGN))]
Stops = Annotated[Call, Depends(doing(Scope.HOLD))]
Administers = Annotated[Call, Depends(doing(Scope.ADMIN))]
Tries = Annotated[Call, Depends(asking(Scope.ADMIN))]  # keeps nothing, so it needs no key
