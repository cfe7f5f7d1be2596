"""Who is at the door: logins, their throttling, and sessions.

A session's cookie holds a random token; the store holds its SHA-256 only. Signing in always makes
a new session and ends the one the browser came with. A session ends after IDLE without a request,
and at the office's absolute end (`[web] session`) whatever happens. Where a second factor is asked,
the password opens half a session, good for the page of the code alone; the code makes it whole.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import ceil
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from bot import audit, people, roster, second
from bot.config import Config
from bot.db import insert_id, logins, sessions
from bot.db import people as persons
from bot.errors import Conflict, GongkaiError, Invalid, NotAllowed
from bot.language import Say
from bot.model import Actor
from bot.office import Office

HALF = timedelta(minutes=10)  # to give the code in
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
    must_change: bool  # a one-time password stands
    must_enrol: bool  # the office demands a second factor, and there is none
    half: int | None  # the login whose code is still owed

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


def attempt(office: Office, login: str, origin: str, but: int = 0) -> tuple[int, RowMapping | None]:
    """Book an attempt as failed before the password is looked at; give its id and the person.

    Booked first, so that many at once cannot outrun the throttle. `but`: an earlier one that does
    not count. Raises Throttled.
    """
    with office.db.write() as conn:
        now = office.db.now(conn)
        wait = waiting(conn, now, login, origin, but)
        if wait > 0:
            raise Throttled(wait)
        row = {"login": login[:100], "origin": origin, "at": now, "ok": False}
        booked = insert_id(conn, logins, row)
        person = conn.execute(select(persons).where(persons.c.login == login)).mappings().first()
        return booked, person


def waiting(conn: Connection, now: datetime, login: str, origin: str, but: int = 0) -> int:
    """Seconds until this login, from this address, may try again.

    A login's failures count since its last success, an address's all (its owner could otherwise
    forgive himself with an account of his own).
    """
    recent = and_(logins.c.at > now - RECENT, logins.c.id != but)
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
    """The password was right: end the session the browser came with, open a new one.

    Half a one where a code is owed: the attempt stays booked as failed until it is given, or the
    password would forgive the guesses at the code.
    """
    with office.db.write() as conn:
        now = office.db.now(conn)
        if before:
            conn.execute(delete(sessions).where(sessions.c.id == digest(before)))
        conn.execute(delete(sessions).where(sessions.c.ends_at <= now))
        if person["totp_at"]:
            return begin(conn, now, office.config, person["id"], origin, half=booked)
        return _opened(office, conn, now, person, origin, (booked,))


def _opened(
    office: Office,
    conn: Connection,
    now: datetime,
    person: RowMapping,
    origin: str,
    booked: Sequence[int],
) -> str:
    conn.execute(update(logins).where(logins.c.id.in_(booked)).values(ok=True))
    actor = people.actor(person, origin)
    audit.write(conn, now, actor, "session.open", f"person:{person['id']}")
    return begin(conn, now, office.config, person["id"], origin)


def complete(office: Office, half: Session, origin: str, said: str) -> str:
    """The code of half a session; a whole one takes its place. Gives the new token.

    The password's own booking does not keep the code waiting: only guesses at the code do. Raises
    Throttled, NotAllowed for a wrong code, one used before, and a session that has ended.
    """
    booked, person = attempt(office, half.login, origin, half.half or 0)
    with office.db.write() as conn:
        now = office.db.now(conn)
        ended = conn.execute(delete(sessions).where(sessions.c.id == half.id)).rowcount == 0
        if ended or person is None or person["disabled"] or not person["totp_at"]:
            raise NotAllowed("登录已过期，请重新登录")
        if not second.redeem(conn, office.secrets, now, person, said, origin):
            raise NotAllowed(WRONG)
        return _opened(office, conn, now, person, origin, (booked, half.half or booked))


WRONG = Say("动态口令不对，或已经用过。请等手机上换一个新的再填；也可以填一个备用码")


def prove(office: Office, session: Session, origin: str, said: str) -> None:
    """A code once more, before the second factor itself is changed. Raises NotAllowed, Throttled."""
    booked, person = attempt(office, session.login, origin)
    with office.db.write() as conn:
        now = office.db.now(conn)
        if person is None or not person["totp_at"]:
            raise Conflict("还没有登记动态口令")
        if not second.redeem(conn, office.secrets, now, person, said, origin):
            raise NotAllowed(WRONG)
        conn.execute(update(logins).where(logins.c.id == booked).values(ok=True))


def prove_password(office: Office, session: Session, origin: str, said: str) -> None:
    """The password once more. A wrong one counts as a failed login. Raises NotAllowed, Throttled."""
    booked, row = attempt(office, session.login, origin)
    if row is None or not people.matches(row, said):
        raise NotAllowed("现在的密码不对，没有办理")
    with office.db.write() as conn:
        conn.execute(update(logins).where(logins.c.id == booked).values(ok=True))


def begin(
    conn: Connection,
    now: datetime,
    config: Config,
    person: int,
    origin: str,
    half: int | None = None,
) -> str:
    """A new session, or half a one; give its token, which is kept nowhere here."""
    token = secrets.token_urlsafe(32)
    row = {
        "id": digest(token),
        "person_id": person,
        "csrf": secrets.token_urlsafe(24),
        "origin": origin,
        "created_at": now,
        "seen_at": now,
        "ends_at": now + (config.web.session if half is None else HALF),
        "half_id": half,
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
        standing = mine, persons.c.disabled.is_(False), *roster.standing(now)
        row = conn.execute(_WITH_PERSON.where(*standing)).mappings().first()
        if row is None:
            return None
        enrol = not row["totp_at"] and second.wanted(conn, office.config, row["person_id"])
    if by_person and now - row["seen_at"] > SEEN:
        with office.db.write() as conn:
            conn.execute(update(sessions).where(mine).values(seen_at=now))
    whose = (row["person_id"], row["login"], row["name"], row["must_change"])
    return Session(row["id"], row["csrf"], *whose, enrol, row["half_id"])


_WITH_PERSON = select(
    sessions, *(persons.c[name] for name in ("login", "name", "must_change", "totp_at"))
).join(persons, persons.c.id == sessions.c.person_id)


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
    prove_password(office, session, origin, old)
    if new != again:
        raise Invalid("两次填写的新密码不一致，密码没有改")
    if new == old:
        raise Invalid("新密码与现在的相同，请换一个")
    with office.db.write() as conn:
        now = office.db.now(conn)
        people.set_password(conn, now, session.actor(origin), session.login, new)
        return begin(conn, now, office.config, session.person, origin)
