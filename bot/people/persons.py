"""People: made, given roles, barred, let in again; their passwords. Each act is on record."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from bot import audit
from bot.db import grants, insert_id, people, recoveries, sessions, tokens
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right, Role
from bot.people.roles import parents_of, require, unit_of

if TYPE_CHECKING:
    from argon2 import PasswordHasher

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is read or heard for another
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def words_aloud() -> str:
    """74 random bits that one person can tell another: k7m2p-…"""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(3))


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


def add(
    conn: Connection, now: datetime, actor: Actor, login: str, name: str, unit: str, role: Role
) -> str:
    """Make a person with one role; give the one-time password, shown once and changed at login.

    The very first person of an office may be made by the machine; after that an administrator is
    asked. Raises Conflict for a login that stands, Invalid for one that cannot be typed or no name.
    """
    unit_id = unit_of(conn, unit)["id"]
    if not LOGIN.fullmatch(login):
        raise Invalid(
            "登录名用字母、数字和 . _ -，以字母或数字开头，最多 40 个，不是“{login}”", login=login
        )
    if not name.strip():
        raise Invalid("请填写“{label}”", label=Say("姓名"))
    if conn.execute(select(func.count()).select_from(people)).scalar_one():
        _admin(conn, actor, unit_id)
    if conn.execute(select(people.c.id).where(people.c.login == login)).first():
        raise Conflict("登录名 {login} 已经有人用", login=login)
    password = words_aloud()
    values = {"login": login, "name": name.strip(), "password": _hasher().hash(password)}
    person = insert_id(conn, people, {**values, "must_change": True, "created_at": now})
    conn.execute(insert(grants).values(person_id=person, unit_id=unit_id, role=role))
    audit.write(conn, now, actor, "person.add", f"person:{person}", role=role, unit=unit)
    return password


def _admin(conn: Connection, actor: Actor, unit_id: int) -> None:
    """The machine's own shell may administer; a person needs the right."""
    if actor.person is not None:
        require(conn, actor, Right.ADMIN, unit_id)


def admin_of(conn: Connection, actor: Actor, person: int) -> None:
    """Whoever changes a person administers all units he has a role at; if he has none, all units."""
    at = conn.execute(select(grants.c.unit_id).where(grants.c.person_id == person)).scalars()
    for unit_id in set(at) or parents_of(conn):
        _admin(conn, actor, unit_id)


def administers(conn: Connection, actor: Actor, person: int) -> bool:
    """May `actor` change this person?"""
    try:
        admin_of(conn, actor, person)
    except NotAllowed:
        return False
    return True


def administered(conn: Connection, actor: Actor, login: str) -> RowMapping:
    """A person `actor` may change. Raises NotFound, NotAllowed."""
    person = by_login(conn, login)
    admin_of(conn, actor, person["id"])
    return person


def another(conn: Connection, actor: Actor, login: str) -> RowMapping:
    """Likewise, and not `actor` himself: no act leaves an office without an administrator, and
    whoever finds his console open cannot do without his password."""
    person = administered(conn, actor, login)
    _not_himself(actor, person)
    return person


def _not_himself(actor: Actor, person: RowMapping) -> None:
    if actor.person == person["id"]:
        raise Conflict(
            "这一项不能对自己办理，请由另一名管理员办理；自己的密码和动态口令在“我的”页改"
        )


def grant(conn: Connection, now: datetime, actor: Actor, login: str, unit: str, role: Role) -> None:
    """Give a role at a unit. Raises NotFound."""
    unit_id, person = unit_of(conn, unit)["id"], by_login(conn, login)
    _admin(conn, actor, unit_id)
    where = (grants.c.person_id == person["id"], grants.c.unit_id == unit_id, grants.c.role == role)
    if not conn.execute(select(grants).where(*where)).first():
        conn.execute(insert(grants).values(person_id=person["id"], unit_id=unit_id, role=role))
        audit.write(
            conn, now, actor, "person.grant", f"person:{person['id']}", role=role, unit=unit
        )


def revoke(
    conn: Connection, now: datetime, actor: Actor, login: str, unit: str, role: Role
) -> None:
    """Take a role away. Raises NotFound, Conflict (an administrator's own)."""
    unit_id, person = unit_of(conn, unit)["id"], by_login(conn, login)
    _admin(conn, actor, unit_id)
    if role is Role.ADMINISTRATOR:
        _not_himself(actor, person)
    where = (grants.c.person_id == person["id"], grants.c.unit_id == unit_id, grants.c.role == role)
    if conn.execute(delete(grants).where(*where)).rowcount:
        audit.write(
            conn, now, actor, "person.revoke", f"person:{person['id']}", role=role, unit=unit
        )


def shut_out(conn: Connection, now: datetime, person: int) -> None:
    """His sessions and his tokens end."""
    conn.execute(delete(sessions).where(sessions.c.person_id == person))
    mine = tokens.c.person_id == person, tokens.c.revoked_at.is_(None)
    conn.execute(update(tokens).where(*mine).values(revoked_at=now))


def disable(
    conn: Connection, now: datetime, actor: Actor, login: str, disabled: bool = True
) -> None:
    """Bar a person from everything, or let him in again.

    Raises Conflict for one who must be readmitted after a restore, and for oneself.
    """
    person = another(conn, actor, login)
    if person["asleep"] and not disabled:
        raise Conflict(
            "恢复备份以来 {login} 还没有重新核准，请用 gongkai user readmit {login}", login=login
        )
    values = {"disabled": disabled, "asleep": False}
    conn.execute(update(people).where(people.c.id == person["id"]).values(**values))
    shut_out(conn, now, person["id"])
    verb = "person.disable" if disabled else "person.enable"
    audit.write(conn, now, actor, verb, f"person:{person['id']}")


def put_to_sleep(conn: Connection) -> int:
    """After a restore: who was disabled, lost a role or changed a password since the backup is not
    known here, nor which codes were used. Nobody is let in, and no password nor second factor
    holds, until he is readmitted; give how many."""
    asleep = {"disabled": True, "asleep": True, "must_change": True}
    n = conn.execute(update(people).where(people.c.disabled.is_(False)).values(**asleep)).rowcount
    conn.execute(update(people).values(password="", totp="", totp_at=None))
    conn.execute(delete(recoveries))
    return n


def readmit(conn: Connection, now: datetime, actor: Actor, login: str) -> str:
    """Let a person in again after a restore, with the roles he has now; give a one-time password.

    Raises Conflict for one who is not asleep, NotFound, NotAllowed.
    """
    person = administered(conn, actor, login)
    if not person["asleep"]:
        raise Conflict("{login} 不在待核准之列", login=login)
    password = words_aloud()
    values = {"disabled": False, "asleep": False, "must_change": True}
    mine = update(people).where(people.c.id == person["id"])
    conn.execute(mine.values(password=_hasher().hash(password), **values))
    audit.write(conn, now, actor, "person.readmit", f"person:{person['id']}")
    return password


def reissue(conn: Connection, now: datetime, actor: Actor, login: str) -> str:
    """A new one-time password for who has lost his; his sessions and tokens end.

    Raises Conflict for one who is disabled and for oneself, NotFound, NotAllowed.
    """
    person = another(conn, actor, login)
    if person["disabled"]:
        raise Conflict("{login} 已停用，请先恢复", login=login)
    password = words_aloud()
    mine = update(people).where(people.c.id == person["id"])
    conn.execute(mine.values(password=_hasher().hash(password), must_change=True))
    shut_out(conn, now, person["id"])
    audit.write(conn, now, actor, "person.reissue", f"person:{person['id']}")
    return password


def sign_out(conn: Connection, now: datetime, actor: Actor, login: str, session: str = "") -> int:
    """End a person's sessions, or one of them; give how many. Raises NotFound, NotAllowed."""
    person = administered(conn, actor, login)
    where = [sessions.c.person_id == person["id"]]
    if session:
        where.append(sessions.c.id == session)
    ended = conn.execute(delete(sessions).where(*where)).rowcount
    if ended:
        audit.write(conn, now, actor, "session.end", f"person:{person['id']}", ended=ended)
    return ended


def by_login(conn: Connection, login: str) -> RowMapping:
    row = conn.execute(select(people).where(people.c.login == login)).mappings().first()
    if row is None:
        raise NotFound("没有登录名 {login}", login=login)
    return row


def actor(row: RowMapping | dict[str, Any], origin: str) -> Actor:
    """The actor a row of people is, acting from `origin` (an address, or "cli")."""
    return Actor(row["id"], row["name"], origin)


def matches(row: RowMapping, password: str) -> bool:
    """Is this the person's password? Takes as long for a wrong one."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(row["password"], password)
    except (InvalidHashError, VerificationError):  # the former: none was ever set
        return False


def set_password(conn: Connection, now: datetime, actor: Actor, login: str, password: str) -> None:
    """A person's new password, at least 10 characters. His other sessions end, and his tokens."""
    if len(password) < 10:
        raise Invalid("密码至少 10 个字符")
    person = by_login(conn, login)
    if actor.person != person["id"]:
        admin_of(conn, actor, person["id"])
    values = {"password": _hasher().hash(password), "must_change": False}
    conn.execute(update(people).where(people.c.id == person["id"]).values(**values))
    shut_out(conn, now, person["id"])
    audit.write(conn, now, actor, "person.password", f"person:{person['id']}")
