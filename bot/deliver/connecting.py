"""Connecting an account by a guided path: to the platform, back, whose it is, kept.

begin     a state is made; where a person goes, and what comes back with him
returned  the browser came back by itself: its state is taken, once, and the code changed
brought   a person brought the code, or the whole address he was sent to
handed    a person has a credential already
keep      he has seen whose it is, and says so: only now the account has it

A path is of the person and the session that began it, of one account, and ends after SPAN. Until
`keep` the account stays as it was, old credential and all; `accounts.connect` proves the new one
once more and refuses another identity that was not meant. What lies here meanwhile is sealed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select, update

from bot import people
from bot.adapters.base import Connecting, adapter_class
from bot.db import accounts, connectings
from bot.deliver.accounts import by_key, connect
from bot.errors import Conflict, Invalid, Refused
from bot.language import Say
from bot.model import Actor, Checked, Right
from bot.office import Office
from bot.speaking import build

SPAN = timedelta(minutes=15)
Need = Literal["page", "token", "none", "file", "gone"]


@dataclass(frozen=True)
class Path:
    """How far somebody is with an account. `found`: whose the credential is; None: not back yet."""

    url: str
    returns: bool
    ends_at: datetime
    found: Mapping[str, Any] | None


def need(office: Office, row: RowMapping) -> Need:
    """What connecting an account takes: a page of the platform's, a token, nothing.

    Or it cannot be done here: a credential that config.toml has in a "file" is read there at every
    start, and an account that is "gone" from config.toml is paused.
    """
    part = office.config.accounts.get(row["key"])
    if part is None:
        return "gone"
    if part.token_file:
        return "file"
    if row["adapter"] == "board" and not part.options.get("url"):
        return "none"
    return adapter_class(row["adapter"]).grant


def asked_for(office: Office, conn: Connection, actor: Actor, key: str) -> RowMapping:
    """The account that `actor` may connect. Raises NotFound, NotAllowed, Invalid."""
    row = by_key(conn, key)
    if actor.person is not None:
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
    if (wanted := need(office, row)) in NOT_HERE:
        raise Invalid(NOT_HERE[wanted])
    return row


NOT_HERE: dict[str, Say] = {
    "file": Say("凭据在 config.toml 的 token_file 所指的文件里：请换那个文件的内容，再重启"),
    "none": Say("这个账号不需要凭据，启动后自动可用"),
    "gone": Say("config.toml 里已没有这个账号，不能连接"),
}


def code_in(said: str, state: str) -> str:
    """The code in what a person brought: the code alone, or the address he was sent to.

    Raises Refused where the platform said no, or the address is of another path.
    """
    if "=" not in said:
        return said.strip()
    query = dict(parse_qsl(urlsplit(said.strip()).query or said.strip()))
    _refuse_denied(query)
    if not compare_digest(query.get("state", "").encode(), state.encode()):
        raise Refused("这个地址不属于刚才打开的授权页，请从头再来")
    return query.get("code", "")


def _refuse_denied(query: Mapping[str, str]) -> None:
    if words := query.get("error_description") or query.get("error"):
        raise Refused(
            "授权页没有给授权：{words}。要连接请重新开始，并在授权页上同意", words=words[:200]
        )


# ---------------------------------------------------------------- there


async def begin(office: Office, actor: Actor, key: str, session: str, back: str = "") -> Path:
    """Where to go. `back`: our address that the platform may send the browser to.

    Raises NotFound, NotAllowed, Invalid, and what the adapter raises.
    """
    row = await asyncio.to_thread(_account, office, actor, key)
    adapter, state = build(office, row, ""), secrets.token_urlsafe(32)
    try:
        begun = await adapter.connect_begin(adapter.options, adapter.client, state, back)
    finally:
        await adapter.client.aclose()
    going = {"url": begun.url, "secret": begun.secret, "returns": begun.returns, "state": state}
    values = {"state": _digest(state), "sealed": office.secrets.seal(json.dumps(going))}
    return await asyncio.to_thread(_written, office, actor, row, session, values)


def _account(office: Office, actor: Actor, key: str) -> RowMapping:
    with office.db.read() as conn:
        return asked_for(office, conn, actor, key)


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _written(
    office: Office, actor: Actor, row: RowMapping, session: str, values: Mapping[str, Any]
) -> Path:
    """A new path; what this session had begun with the account before is no more."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        mine = (connectings.c.account_id == row["id"]) & (connectings.c.session == session)
        conn.execute(delete(connectings).where(or_(mine, connectings.c.ends_at <= now)))
        whose = {"account_id": row["id"], "person_id": actor.person, "session": session}
        conn.execute(insert(connectings).values(**whose, ends_at=now + SPAN, **values))
        made = _mine(conn, now, actor, session, row["id"])
        assert made is not None
        return _path(office, made)


def standing(office: Office, conn: Connection, actor: Actor, key: str, session: str) -> Path | None:
    """How far this session is with an account. Raises NotFound, NotAllowed, Invalid."""
    row = asked_for(office, conn, actor, key)
    found = _mine(conn, office.db.now(conn), actor, session, row["id"])
    spent = found is not None and found["spent_at"] is not None and found["found"] is None
    return None if found is None or spent else _path(office, found)


def _mine(
    conn: Connection, now: datetime, actor: Actor, session: str, account_id: int
) -> RowMapping | None:
    query = select(connectings).where(
        connectings.c.account_id == account_id,
        connectings.c.session == session,
        connectings.c.person_id.is_not_distinct_from(actor.person),
        connectings.c.ends_at > now,
    )
    return conn.execute(query.order_by(connectings.c.id.desc())).mappings().first()


def _path(office: Office, row: RowMapping) -> Path:
    going = json.loads(office.secrets.open(row["sealed"])) if row["found"] is None else {}
    where = going.get("url", ""), going.get("returns", False)
    return Path(*where, row["ends_at"], row["found"])


# ---------------------------------------------------------------- and back


def key_of(office: Office, actor: Actor, session: str, state: str) -> str:
    """The account a state of this session's is about; empty for any other. Changes nothing."""
    with office.db.read() as conn:
        query = (
            select(accounts.c.key)
            .join(connectings)
            .where(
                connectings.c.state == _digest(state),
                connectings.c.session == session,
                connectings.c.person_id.is_not_distinct_from(actor.person),
            )
        )
        return conn.execute(query).scalar() or ""


async def returned(office: Office, actor: Actor, session: str, query: Mapping[str, str]) -> str:
    """The browser is back, with what the platform sent along; give the account's key.

    The state is taken by this, whatever comes of it. Raises Invalid for one that is missing, forged,
    another session's, taken before or over; NotAllowed, Refused, Later, AccountBroken.
    """
    row = await asyncio.to_thread(_taken, office, actor, session, query.get("state", ""))
    _refuse_denied(query)
    await _changed(office, actor, row, query.get("code", ""))
    return str(row["key"])


async def brought(office: Office, actor: Actor, key: str, session: str, said: str) -> None:
    """Likewise, by hand. Raises the same."""
    state = await asyncio.to_thread(_begun, office, actor, key, session)
    code = code_in(said, state)
    row = await asyncio.to_thread(_taken, office, actor, session, state)
    await _changed(office, actor, row, code)


def _begun(office: Office, actor: Actor, key: str, session: str) -> str:
    """The state of the path that is under way."""
    with office.db.read() as conn:
        row = asked_for(office, conn, actor, key)
        mine = _mine(conn, office.db.now(conn), actor, session, row["id"])
        if mine is None or mine["spent_at"] is not None:
            raise Invalid("没有正在进行的授权，或已经过期。请重新开始")
        return str(json.loads(office.secrets.open(mine["sealed"]))["state"])


def _taken(office: Office, actor: Actor, session: str, state: str) -> RowMapping:
    """The path a state is of, with its account's key; nobody takes it again."""
    if not state:
        raise Invalid("送回的地址里没有核验码，没有连接。请到账号页重新点“连接”，走完授权")
    with office.db.write() as conn:
        now = office.db.now(conn)
        mine = connectings.c.state == _digest(state)
        query = select(connectings, accounts.c.key).join(accounts).where(mine)
        row = conn.execute(query).mappings().first()
        if row is None or row["session"] != session or row["person_id"] != actor.person:
            raise Invalid(
                "这次授权不是您在这次登录里发起的，没有连接。请到账号页重新点“连接”，在同一个浏览器里走完"
            )
        asked_for(office, conn, actor, row["key"])
        if row["ends_at"] <= now:
            raise Invalid("授权超过 {n} 分钟没有走完，已作废。请重新点“连接”", n=SPAN.seconds // 60)
        spent = update(connectings).where(mine, connectings.c.spent_at.is_(None))
        if not conn.execute(spent.values(spent_at=now)).rowcount:
            raise Invalid("这次授权已经用过，没有再办。账号若还没有连上，请重新点“连接”")
        return row


async def _changed(office: Office, actor: Actor, path: RowMapping, code: str) -> None:
    """The code for a credential, which is proven and waits to be kept."""
    row = await asyncio.to_thread(_account, office, actor, path["key"])
    going = json.loads(office.secrets.open(path["sealed"]))
    adapter = build(office, row, "")
    begun = Connecting(going["url"], going["secret"], going["returns"])
    try:
        credential = await adapter.connect_finish(adapter.options, adapter.client, begun, code)
    finally:
        await adapter.client.aclose()
    proven = await _proven(office, row, credential)
    await asyncio.to_thread(_shown, office, path["id"], proven)


async def handed(office: Office, actor: Actor, key: str, session: str, credential: str) -> None:
    """A credential that a person has already is proven and waits. Raises what `begin` raises."""
    row = await asyncio.to_thread(_account, office, actor, key)
    if not credential:
        raise Invalid("请填写令牌")
    proven = await _proven(office, row, credential)
    values = {"state": _digest(secrets.token_urlsafe(32)), **proven}
    await asyncio.to_thread(_written, office, actor, row, session, values)


async def _proven(office: Office, row: RowMapping, credential: str) -> dict[str, Any]:
    """What is kept of a credential that works: itself, sealed, and whose it is.

    Raises AccountBroken, Later.
    """
    adapter = build(office, row, credential)
    try:
        checked = await adapter.check()
    finally:
        await adapter.client.aclose()
    who, ends = checked.identity, checked.token_ends
    found = {"id": who.id, "name": who.name, "url": who.url}
    told = found | {"token_ends": ends.isoformat() if ends else None}
    return {"sealed": office.secrets.seal(credential), "found": told}


def _shown(office: Office, path_id: int, proven: Mapping[str, Any]) -> None:
    with office.db.write() as conn:
        ends = office.db.now(conn) + SPAN
        mine = update(connectings).where(connectings.c.id == path_id)
        conn.execute(mine.values(**proven, ends_at=ends))


# ---------------------------------------------------------------- kept, or not


async def keep(
    office: Office, actor: Actor, key: str, session: str, *, another: bool = False
) -> Checked:
    """The account has the credential from now on. `another`: a different identity is meant.

    Raises Conflict where nothing waits, or for another identity than the account had; AccountBroken
    and Later leave all as it was.
    """
    path = await asyncio.to_thread(_waiting, office, actor, key, session)
    credential, shown = office.secrets.open(path["sealed"]), path["found"]["id"]
    checked = await connect(office, actor, key, credential, another=another, shown=shown)
    await asyncio.to_thread(_gone, office, path["id"])
    return checked


def _waiting(office: Office, actor: Actor, key: str, session: str) -> RowMapping:
    with office.db.read() as conn:
        row = asked_for(office, conn, actor, key)
        path = _mine(conn, office.db.now(conn), actor, session, row["id"])
    if path is None or path["found"] is None:
        raise Conflict("没有等着保存的身份，或已经过期。请重新授权")
    return path


def _gone(office: Office, path_id: int) -> None:
    with office.db.write() as conn:
        conn.execute(delete(connectings).where(connectings.c.id == path_id))


def drop(office: Office, actor: Actor, key: str, session: str) -> None:
    """Leave it: the account stays as it was. Raises NotFound, NotAllowed."""
    with office.db.write() as conn:
        row = by_key(conn, key)
        if actor.person is not None:
            people.require(conn, actor, Right.ADMIN, row["unit_id"])
        path = _mine(conn, office.db.now(conn), actor, session, row["id"])
        if path is not None:
            conn.execute(delete(connectings).where(connectings.c.id == path["id"]))


def forget(office: Office) -> None:
    """What nobody went through with is gone, credentials and all."""
    with office.db.write() as conn:
        over = connectings.c.ends_at <= office.db.now(conn)
        conn.execute(delete(connectings).where(over))
