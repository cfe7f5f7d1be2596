"""Units in a tree, the roles people have there, and what a role may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection, RowMapping, select

from bot.db import grants, people, units
from bot.errors import NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, Right, Role

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
    return _chain(parents_of(conn), unit_id)


def below(conn: Connection, unit_id: int) -> set[int]:
    """The unit and all under it."""
    return _under(conn, {unit_id})


def _under(conn: Connection, tops: set[int]) -> set[int]:
    parents = parents_of(conn)
    return {unit for unit in parents if not tops.isdisjoint(_chain(parents, unit))}


def parents_of(conn: Connection) -> dict[int, int | None]:
    """Every unit with the one above it."""
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
        raise NotAllowed(lacking(actor.name, right), right=right, unit=unit_id or None)


def lacking(who: str, right: Right) -> Say:
    """That `who` has not this right, and which roles have it."""
    return Say(
        "{who}没有“{what}”的权限；请由{roles}办理",
        who=who,
        what=WORDS[right],
        roles="、".join(str(ROLE_WORDS[r]) for r in Role if right in RIGHTS[r]),
    )


def require_anywhere(conn: Connection, actor: Actor, right: Right) -> None:
    """Raises NotAllowed for who has `right` at no unit."""
    if not unit_ids(conn, actor, right):
        require(conn, actor, right, 0)


def everywhere(conn: Connection, actor: Actor, right: Right) -> bool:
    """Has `actor` the right at every unit there is?"""
    return set(parents_of(conn)) <= unit_ids(conn, actor, right)


def require_everywhere(conn: Connection, actor: Actor, right: Right) -> None:
    """For what all units share, as templates are. Raises NotAllowed."""
    if not everywhere(conn, actor, right):
        raise NotAllowed(
            "这是各单位共用的；{who}须在每个单位都有“{what}”的权限，请由最上级单位的{roles}办理",
            who=actor.name,
            what=WORDS[right],
            roles="、".join(str(ROLE_WORDS[r]) for r in Role if right in RIGHTS[r]),
            right=right,
            unit=next((unit for unit, above in parents_of(conn).items() if above is None), None),
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


def reads_trail(conn: Connection, actor: Actor) -> bool:
    """The trail names people of every unit: for those who answer for an office, not for each reader."""
    if any(unit_ids(conn, actor, right) for right in (R.ADMIN, R.SIGN)):
        return True
    held = select(grants.c.role).where(grants.c.person_id == actor.person)
    return Role.SUPERVISOR in conn.execute(held).scalars()


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


def named(conn: Connection, right: Right, unit_ids: Iterable[int]) -> list[RowMapping]:
    """Those who have `right` at one of some units: number, login and name."""
    ids = {person for unit in unit_ids for person in able(conn, right, unit)}
    rows = select(people.c.id, people.c.login, people.c.name).where(people.c.id.in_(ids))
    return list(conn.execute(rows.order_by(people.c.id)).mappings())


def everyone(conn: Connection) -> Callable[[Right, int], list[int]]:
    """`able` for many units: two statements, however often it is asked."""
    parents = parents_of(conn)
    held: dict[int, list[tuple[int, Role]]] = {}
    standing = select(grants).join(people, people.c.id == grants.c.person_id)
    rows = conn.execute(standing.where(people.c.disabled.is_(False)).order_by(people.c.id))
    for person, unit, role in rows:
        held.setdefault(unit, []).append((person, Role(role)))

    def _able(right: Right, unit_id: int) -> list[int]:
        there = [one for unit in _chain(parents, unit_id) for one in held.get(unit, ())]
        return sorted({person for person, role in there if right in RIGHTS[role]})

    return _able
