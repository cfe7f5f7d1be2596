"""Who is at the door: logins, their throttling, and sessions.

A session's cookie holds a random token; the store holds its SHA-256 only. Signing in always makes
a new session and ends the one the browser came with. A session ends after IDLE without a request,
and at the office's absolute end (`[web] session`) whatever happens.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import ceil
from typing import cast

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from bot import audit, people
from bot.config import Config
from bot.db import insert_id, logins, sessions
from bot.db import people as persons
from bot.errors import GongkaiError, Invalid, NotAllowed
from bot.model import Actor
from bot.office import Office

IDLE = timedelta(hours=2)
SEEN = timedelta(minutes=1)  # how exactly the last request is remembered
RECENT = timedelta(hours=1)  # failures older than this are forgiven
LONGEST = 900  # seconds


class Throttled(GongkaiError):
    """Too many failures. `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__("登录失败次数过多，请 {n} 秒后再试", n=seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Session:
    """An open session and whose it is. `id` is the stored digest, never the token."""

    id: str
    csrf: str
    person: int
    login: str
    name: str
    must_change: bool

    def actor(self, origin: str) -> Actor:
        return Actor(self.person, self.name, origin)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def secure(config: Config) -> bool:
    """Are cookies sent over https only?"""
    said = config.web.secure_cookies
    return config.public_url.startswith("https:") if said is None else said


def cookie_name(config: Config) -> str:
    return "__Host-gongkai" if secure(config) else "gongkai"


# ---------------------------------------------------------------- signing in


def attempt(office: Office, login: str, origin: str) -> tuple[int, RowMapping | None]:
    """Book an attempt as failed before the password is looked at; give its id and the person.

    Booked first, so that many at once cannot outrun the throttle. Raises Throttled.
    """
    with office.db.write() as conn:
        now = office.db.now(conn)
        wait = waiting(conn, now, login, origin)
        if wait > 0:
            raise Throttled(wait)
        row = {"login": login[:100], "origin": origin, "at": now, "ok": False}
        booked = insert_id(conn, logins, row)
        person = conn.execute(select(persons).where(persons.c.login == login)).mappings().first()
        return booked, person


def waiting(conn: Connection, now: datetime, login: str, origin: str) -> int:
    """Seconds until this login, from this address, may try again.

    A login's failures count since its last success, an address's all (its owner could otherwise
    forgive himself with an account of his own).
    """
    recent = logins.c.at > now - RECENT
    good = select(func.max(logins.c.id)).where(logins.c.login == login[:100], logins.c.ok)
    since = conn.execute(good).scalar() or 0
    return max(
        wait_after(conn, now, 5, recent, logins.c.login == login[:100], logins.c.id > since),
        wait_after(conn, now, 20, recent, logins.c.origin == origin),
    )


def wait_after(conn: Connection, now: datetime, free: int, *where: ColumnElement[bool]) -> int:
    """Seconds to wait since the last failure: none for the first `free`, then doubling from 5."""
    failed = select(func.count(), func.max(logins.c.at)).where(logins.c.ok.is_(False), *where)
    count, last = conn.execute(failed).one()
    if count < free or last is None:
        return 0
    wait = timedelta(seconds=min(5 * 2 ** min(count - free, 10), LONGEST))
    left: timedelta = last + wait - now
    return ceil(left.total_seconds())


def proven(person: RowMapping | None, password: str) -> bool:
    """Is this the person's password? Takes as long where there is no such person."""
    known = person is not None and not person["disabled"]
    row = person if person is not None else cast(RowMapping, {"password": _decoy()})
    return people.matches(row, password) and known


@cache
def _decoy() -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(secrets.token_hex())


def admit(office: Office, booked: int, person: RowMapping, origin: str, before: str) -> str:
    """The password was right: end the session the browser came with, open a new one."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        conn.execute(update(logins).where(logins.c.id == booked).values(ok=True))
        if before:
            conn.execute(delete(sessions).where(sessions.c.id == digest(before)))
        conn.execute(delete(sessions).where(sessions.c.ends_at <= now))
        actor = people.actor(person, origin)
        audit.write(conn, now, actor, "session.open", f"person:{person['id']}")
        return begin(conn, now, office.config, person["id"], origin)


def begin(conn: Connection, now: datetime, config: Config, person: int, origin: str) -> str:
    """A new session; give its token, which is kept nowhere here."""
    token = secrets.token_urlsafe(32)
    row = {
        "id": digest(token),
        "person_id": person,
        "csrf": secrets.token_urlsafe(24),
        "origin": origin,
        "created_at": now,
        "seen_at": now,
        "ends_at": now + config.web.session,
    }
    conn.execute(insert(sessions).values(**row))
    return token


# ---------------------------------------------------------------- afterwards


def find(office: Office, token: str, by_person: bool = True) -> Session | None:
    """The session this token opens, where it still stands.

    Its last request is remembered, if a person made it and not the page by itself.
    """
    mine = sessions.c.id == digest(token)
    with office.db.read() as conn:
        now = office.db.now(conn)
        row = (
            conn.execute(
                select(sessions, persons.c.login, persons.c.name, persons.c.must_change)
                .join(persons, persons.c.id == sessions.c.person_id)
                .where(mine, persons.c.disabled.is_(False))
                .where(sessions.c.ends_at > now, sessions.c.seen_at > now - IDLE)
            )
            .mappings()
            .first()
        )
    if row is None:
        return None
    if by_person and now - row["seen_at"] > SEEN:
        with office.db.write() as conn:
            conn.execute(update(sessions).where(mine).values(seen_at=now))
    whose = (row["person_id"], row["login"], row["name"], row["must_change"])
    return Session(row["id"], row["csrf"], *whose)


def own(conn: Connection, now: datetime, person: int) -> list[RowMapping]:
    """A person's open sessions, the latest used first."""
    rows = select(sessions).where(
        sessions.c.person_id == person,
        sessions.c.ends_at > now,
        sessions.c.seen_at > now - IDLE,
    )
    return list(conn.execute(rows.order_by(sessions.c.seen_at.desc())).mappings())


def end(conn: Connection, now: datetime, actor: Actor, session: str) -> None:
    """End one of the actor's own sessions."""
    mine = (sessions.c.id == session, sessions.c.person_id == actor.person)
    if conn.execute(delete(sessions).where(*mine)).rowcount:
        audit.write(conn, now, actor, "session.end", f"person:{actor.person}")


def change_password(
    office: Office, session: Session, origin: str, old: str, new: str, again: str
) -> str:
    """A person's own new password; all his sessions end, a new one opens. Gives its token.

    A wrong old one counts as a failed login. Raises NotAllowed for it, Throttled, Invalid for a
    new one that cannot be taken.
    """
    booked, row = attempt(office, session.login, origin)
    if row is None or not people.matches(row, old):
        raise NotAllowed("现在的密码不对，密码没有改")
    with office.db.write() as conn:
        conn.execute(update(logins).where(logins.c.id == booked).values(ok=True))
    if new != again:
        raise Invalid("两次填写的新密码不一致，密码没有改")
    if new == old:
        raise Invalid("新密码与现在的相同，请换一个")
    with office.db.write() as conn:
        now = office.db.now(conn)
        people.set_password(conn, now, session.actor(origin), session.login, new)
        return begin(conn, now, office.config, session.person, origin)
