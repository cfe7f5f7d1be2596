"""Tokens: what a program shows in place of a person, at the office's API.

A token is its person's, never more than he: his rights are asked at every act, and its scopes bound
it besides. It is shown once, when it is made; the store holds its SHA-256. Only the person himself
makes one, so that nobody signs in another's name. It ends by its date, by revocation, when its
person is disabled, his password changes or his second factor is reset; and none outlives a restore, since who revoked what
since the backup is not known then.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select, update

from bot import audit, people
from bot.db import insert_id, tokens
from bot.db import people as persons
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right, Scope

SCOPE_WORDS: dict[Scope, Say] = {
    Scope.READ: Say("查看"),
    Scope.WRITE: Say("拟稿与报送"),
    Scope.SIGN: Say("审签"),
    Scope.HOLD: Say("停发"),
    Scope.ADMIN: Say("管理人员、账号与模板"),
}
MARK = "gk_"  # by which a scanner for leaked secrets knows one
LONGEST = timedelta(days=366)
MOST = 50  # that stand at once, of one person
SEEN = timedelta(minutes=1)  # how exactly the last use is remembered


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    conn: Connection,
    now: datetime,
    actor: Actor,
    name: str,
    scopes: Sequence[Scope],
    ends_at: datetime,
) -> tuple[int, str]:
    """A new token of the actor's own; give its id and itself, which is kept nowhere here.

    Raises NotAllowed for the machine, Invalid.
    """
    if actor.person is None:
        raise NotAllowed("令牌由本人建立，请用 --as 登录名")
    if not name.strip() or not scopes:
        raise Invalid("请写明令牌的用途和范围")
    if not now < ends_at <= now + LONGEST:
        raise Invalid("令牌的截止时间须在现在之后，最长 {n} 天", n=LONGEST.days)
    if len([row for row in listing(conn, actor) if stands(row, now)]) >= MOST:
        raise Conflict("有效的令牌已有 {n} 个，请先撤销不用的", n=MOST)
    token = MARK + secrets.token_urlsafe(32)
    words = {"name": name.strip(), "scopes": sorted(set(scopes)), "digest": digest(token)}
    times = {"created_at": now, "ends_at": ends_at}
    made = insert_id(conn, tokens, {"person_id": actor.person, **words, **times})
    subject = f"person:{actor.person}"
    audit.write(conn, now, actor, "token.create", subject, token=made, scopes=words["scopes"])
    return made, token


def stands(row: RowMapping, now: datetime) -> bool:
    return state(row, now) == "active"


def state(row: RowMapping, now: datetime) -> str:
    """active, ended or revoked."""
    if row["revoked_at"] is not None:
        return "revoked"
    return "active" if now < row["ends_at"] else "ended"


def listing(conn: Connection, actor: Actor, *, everyone: bool = False) -> list[RowMapping]:
    """A person's own tokens, the newest first; all of them to the machine's own shell.

    `everyone`: also those of the people he administers, whose he may end.
    """
    shown = [c for c in tokens.c if c.name != "digest"]
    query = select(*shown, persons.c.login, persons.c.name.label("who"))
    query = query.join(persons, persons.c.id == tokens.c.person_id)
    if actor.person is not None and not everyone:
        query = query.where(tokens.c.person_id == actor.person)
    rows = conn.execute(query.order_by(tokens.c.id.desc())).mappings().all()
    his: dict[int, bool] = {}
    for one in {row["person_id"] for row in rows}:
        his[one] = actor.person in (None, one) or people.administers(conn, actor, one)
    return [row for row in rows if his[row["person_id"]]]


def revoke(conn: Connection, now: datetime, actor: Actor, token_id: int) -> None:
    """End a token: its person, who administers him, or the machine's own shell.

    Raises NotFound, also for another's where the actor administers nobody.
    """
    row = conn.execute(select(tokens).where(tokens.c.id == token_id)).mappings().first()
    if row is None or not (
        actor.person in (None, row["person_id"]) or people.unit_ids(conn, actor, Right.ADMIN)
    ):
        raise NotFound("没有编号 {id} 的令牌", id=token_id)
    if actor.person != row["person_id"]:
        people.admin_of(conn, actor, row["person_id"])
    if row["revoked_at"] is None:
        conn.execute(update(tokens).where(tokens.c.id == token_id).values(revoked_at=now))
        audit.write(conn, now, actor, "token.revoke", f"person:{row['person_id']}", token=token_id)


def find(conn: Connection, now: datetime, token: str) -> RowMapping | None:
    """The token with its person, where both stand; None for any other."""
    query = (
        select(tokens, persons.c.login, persons.c.name.label("who"), persons.c.must_change)
        .add_columns(persons.c.totp_at)
        .join(persons, persons.c.id == tokens.c.person_id)
        .where(tokens.c.digest == digest(token), persons.c.disabled.is_(False))
    )
    row = conn.execute(query).mappings().first()
    return row if row is not None and stands(row, now) else None


def used(conn: Connection, now: datetime, token_id: int) -> None:
    conn.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=now))
