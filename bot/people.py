"""Units in a tree, people, their roles there, and what a role may do.

Every stage function asks `require` before it changes anything; pages and commands only ask
`may` to know what to show. A role granted at a unit holds for the units below it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from bot import audit
from bot.db import grants, insert_id, people, recoveries, units
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right, Role

if TYPE_CHECKING:
    from argon2 import PasswordHasher

R = Right
RIGHTS: dict[Role, frozenset[Right]] = {
    Role.CONTRIBUTOR: frozenset({R.SUBMIT}),
    Role.EDITOR: frozenset({R.READ, R.SUBMIT, R.WRITE, R.SCHEDULE, R.STOP}),
    Role.REVIEWER: frozenset({R.READ, R.REVIEW, R.STOP}),
    Role.SIGNER: frozenset({R.READ, R.REVIEW, R.SIGN, R.STOP, R.SCHEDULE}),
    Role.RESPONDER: frozenset({R.READ, R.REPLY, R.WRITE}),
    Role.SUPERVISOR: frozenset({R.READ}),
    Role.ADMINISTRATOR: frozenset({R.READ, R.ADMIN, R.STOP, R.RECORD, R.SCHEDULE}),
}
WORDS: dict[Right, Say] = {
    R.READ: Say("查看"),
    R.SUBMIT: Say("报送材料"),
    R.WRITE: Say("拟稿"),
    R.REVIEW: Say("审核"),
    R.SIGN: Say("签发"),
    R.RECORD: Say("登记线下签批"),
    R.SCHEDULE: Say("处理队列"),
    R.STOP: Say("停发与解除"),
    R.REPLY: Say("处理评论"),
    R.ADMIN: Say("管理账号、来源与人员"),
}


# ---------------------------------------------------------------- units


def unit_of(conn: Connection, key: str) -> RowMapping:
    """The unit called `key`. Raises NotFound."""
    row = conn.execute(select(units).where(units.c.key == key)).mappings().first()
    if row is None:
        raise NotFound("没有单位 {key}", key=key)
    return row


def ancestry(conn: Connection, unit_id: int) -> list[int]:
    """The unit and those above it, nearest first."""
    return _chain(_parents(conn), unit_id)


def below(conn: Connection, unit_id: int) -> set[int]:
    """The unit and all under it."""
    return _under(conn, {unit_id})


def _under(conn: Connection, tops: set[int]) -> set[int]:
    parents = _parents(conn)
    return {unit for unit in parents if not tops.isdisjoint(_chain(parents, unit))}


def _parents(conn: Connection) -> dict[int, int | None]:
    return dict(conn.execute(select(units.c.id, units.c.parent_id)).all())


def _chain(parents: Mapping[int, int | None], unit_id: int) -> list[int]:
    chain: list[int] = []
    at: int | None = unit_id
    while at is not None and at not in chain:
        chain.append(at)
        at = parents.get(at)
    return chain


# ---------------------------------------------------------------- rights


def rights(conn: Connection, actor: Actor, unit_id: int) -> frozenset[Right]:
    """What `actor` may do at a unit. The machine has none: it acts only where a stage says so."""
    if actor.person is None:
        return frozenset()
    rows = conn.execute(
        select(grants.c.role)
        .join(people, people.c.id == grants.c.person_id)
        .where(
            grants.c.person_id == actor.person,
            grants.c.unit_id.in_(ancestry(conn, unit_id)),
            people.c.disabled.is_(False),
        )
    ).scalars()
    return frozenset().union(*(RIGHTS[Role(role)] for role in rows))


def may(conn: Connection, actor: Actor, right: Right, unit_id: int) -> bool:
    return right in rights(conn, actor, unit_id)


def require(conn: Connection, actor: Actor, right: Right, unit_id: int) -> None:
    """Raises NotAllowed, saying who may."""
    if not may(conn, actor, right, unit_id):
        raise NotAllowed(
            "{who}没有“{what}”的权限；请由{roles}办理",
            who=actor.name,
            what=WORDS[right],
            roles="、".join(str(ROLE_WORDS[r]) for r in Role if right in RIGHTS[r]),
        )


ROLE_WORDS: dict[Role, Say] = {
    Role.CONTRIBUTOR: Say("信息员"),
    Role.EDITOR: Say("编辑"),
    Role.REVIEWER: Say("审核人"),
    Role.SIGNER: Say("签发人"),
    Role.RESPONDER: Say("答复人"),
    Role.SUPERVISOR: Say("监督员"),
    Role.ADMINISTRATOR: Say("管理员"),
}


def unit_ids(conn: Connection, actor: Actor, right: Right = Right.READ) -> set[int]:
    """The units at which `actor` has `right`."""
    roles = [role for role in Role if right in RIGHTS[role]]
    rows = conn.execute(
        select(grants.c.unit_id)
        .join(people, people.c.id == grants.c.person_id)
        .where(
            grants.c.person_id == actor.person,
            grants.c.role.in_(roles),
            people.c.disabled.is_(False),
        )
    )
    return _under(conn, set(rows.scalars()))


def able(conn: Connection, right: Right, unit_id: int) -> list[int]:
    """The people who have `right` at a unit."""
    roles = [role for role in Role if right in RIGHTS[role]]
    rows = conn.execute(
        select(grants.c.person_id)
        .join(people, people.c.id == grants.c.person_id)
        .where(
            grants.c.unit_id.in_(ancestry(conn, unit_id)),
            grants.c.role.in_(roles),
            people.c.disabled.is_(False),
        )
        .distinct()
    )
    return list(rows.scalars())


def everyone(conn: Connection) -> Callable[[Right, int], list[int]]:
    """`able` for many units: two statements, however often it is asked."""
    parents = _parents(conn)
    held: dict[int, list[tuple[int, Role]]] = {}
    standing = select(grants).join(people, people.c.id == grants.c.person_id)
    rows = conn.execute(standing.where(people.c.disabled.is_(False)).order_by(people.c.id))
    for person, unit, role in rows:
        held.setdefault(unit, []).append((person, Role(role)))

    def _able(right: Right, unit_id: int) -> list[int]:
        there = [one for unit in _chain(parents, unit_id) for one in held.get(unit, ())]
        return sorted({person for person, role in there if right in RIGHTS[role]})

    return _able


# ---------------------------------------------------------------- people

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
    for unit_id in set(at) or _parents(conn):
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


def _shut_out(conn: Connection, now: datetime, person: int) -> None:
    """His sessions and his tokens end."""
    from bot.db import sessions, tokens

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
    _shut_out(conn, now, person["id"])
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
    """A new one-time password for who has lost his; his sessions end.

    Raises Conflict for one who is disabled and for oneself, NotFound, NotAllowed.
    """
    from bot.db import sessions

    person = another(conn, actor, login)
    if person["disabled"]:
        raise Conflict("{login} 已停用，请先恢复", login=login)
    password = words_aloud()
    mine = update(people).where(people.c.id == person["id"])
    conn.execute(mine.values(password=_hasher().hash(password), must_change=True))
    conn.execute(delete(sessions).where(sessions.c.person_id == person["id"]))
    audit.write(conn, now, actor, "person.reissue", f"person:{person['id']}")
    return password


def sign_out(conn: Connection, now: datetime, actor: Actor, login: str, session: str = "") -> int:
    """End a person's sessions, or one of them; give how many. Raises NotFound, NotAllowed."""
    from bot.db import sessions

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
    _shut_out(conn, now, person["id"])
    audit.write(conn, now, actor, "person.password", f"person:{person['id']}")
