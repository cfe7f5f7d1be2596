"""代签: whom somebody names to act in his place while he is away, for which steps, until when.

Only what one holds by an own role can be named, so that nobody hands on what was lent to him. What
a delegation allows is looked at anew whenever it is used (turns).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select, update

from bot import audit, people
from bot.db import delegations, grants, insert_id, lock, units
from bot.db import people as persons
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.model import Actor, Right
from bot.office import Office
from bot.review.steps import EMERGENCY_STEPS, LAST
from bot.review.turns import in_force

LONGEST = timedelta(days=183)  # for longer an administrator grants the role


def delegate(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    taker: str,
    *,
    unit: str,
    steps: Sequence[str],
    begins: datetime | None,
    ends: datetime | None,
    reason: str,
) -> int:
    """Name login `taker` to pass these steps of a unit's posts, and of those below, in one's place.

    He is of a unit where one holds the right by a role of one's own, or of one above. Raises
    NotAllowed, Invalid, Conflict, NotFound.
    """
    unit_id = people.unit_of(conn, unit)["id"]
    offered = delegable(office, conn, actor, unit_id)
    _refuse_lent(conn, now, actor, unit_id, offered)
    begins = begins or now
    _refuse_times(now, begins, ends)
    wanted = [name for name in offered if name in steps]
    if not wanted or set(steps) - set(wanted):
        raise Invalid("请选代签的审次：{steps}", steps="、".join(offered))
    if not reason.strip():
        raise Invalid("请写明代签的事由")
    person = people.by_login(conn, taker)
    if person["id"] not in {one["id"] for one in takers(conn, actor, unit_id)}:
        raise NotAllowed("代签人须是本单位或上级单位能登录、能看稿的他人，{who}不是", who=taker)
    _refuse_same(conn, now, actor, person, wanted, unit_id)
    who = {"giver_id": actor.person, "taker_id": person["id"], "unit_id": unit_id}
    values = {"steps": wanted, "begins": begins, "ends": ends, "reason": reason.strip()}
    made = insert_id(conn, delegations, {**who, **values, "created_at": now})
    span = {"begins": begins.isoformat(), "ends": ends.isoformat() if ends else ""}
    data = {"taker": person["id"], "unit": unit_id, "steps": wanted, **span}
    audit.write(conn, now, actor, "delegation.make", f"delegation:{made}", **data)
    return made


def _refuse_lent(
    conn: Connection, now: datetime, actor: Actor, unit_id: int, offered: Sequence[str]
) -> None:
    if offered:
        return
    lent = select(delegations.c.id).where(delegations.c.taker_id == actor.person, *in_force(now))
    if conn.execute(lent).first():
        raise NotAllowed("别人委托您代签的，不能再委托给他人")
    people.require(conn, actor, Right.REVIEW, unit_id)
    raise NotAllowed("这个单位没有您能委托他人代签的审次")


def _refuse_times(now: datetime, begins: datetime, ends: datetime | None) -> None:
    if ends is None or ends <= max(begins, now):
        raise Invalid("请写明代签到何时为止，须在开始之后、现在之后")
    if ends - begins > LONGEST:
        raise Invalid("一次代签最长 {n} 天；更久的，请管理员授予角色", n=LONGEST.days)


def _refuse_same(
    conn: Connection,
    now: datetime,
    actor: Actor,
    person: RowMapping,
    steps: Iterable[str],
    unit_id: int,
) -> None:
    """A form sent twice makes one."""
    mine = delegations.c.giver_id == actor.person, delegations.c.taker_id == person["id"]
    live = delegations.c.unit_id == unit_id, delegations.c.ended_at.is_(None)
    rows = conn.execute(select(delegations.c.steps).where(*mine, *live, delegations.c.ends > now))
    if any(set(steps) & set(there) for there in rows.scalars()):
        raise Conflict("您已委托{who}代签其中的审次；要改，请先终止那一次", who=person["name"])


def delegable(office: Office, conn: Connection, actor: Actor, unit_id: int) -> list[str]:
    """The names of the steps at a unit and below that one may have passed in one's place."""
    held = people.rights(conn, actor, unit_id)
    below = select(units.c.key).where(units.c.id.in_(people.below(conn, unit_id)))
    parts = [office.config.units.get(key) for key in conn.execute(below).scalars()]
    there = [step for part in parts for step in (part.steps if part else LAST)]
    return list(dict.fromkeys(s.name for s in (*there, *EMERGENCY_STEPS) if s.right in held))


def takers(conn: Connection, actor: Actor, unit_id: int) -> list[RowMapping]:
    """Who may be named for a unit: of the units where one's own role lies, or of those above."""
    roles = [role for role, has in people.RIGHTS.items() if has & {Right.REVIEW, Right.SIGN}]
    own = select(grants.c.unit_id).where(
        grants.c.person_id == actor.person,
        grants.c.role.in_(roles),
        grants.c.unit_id.in_(people.ancestry(conn, unit_id)),
    )
    homes = set(conn.execute(own).scalars())
    ids = {one for home in homes for one in people.able(conn, Right.READ, home)}
    query = select(persons.c.id, persons.c.login, persons.c.name)
    others = query.where(persons.c.id.in_(ids - {actor.person}))
    return list(conn.execute(others.order_by(persons.c.name, persons.c.id)).mappings())


def end_delegation(conn: Connection, now: datetime, actor: Actor, delegation_id: int) -> None:
    """End one before its time: who made it, who was named, an administrator, the machine's shell.

    What was signed by it stands. Raises NotFound, NotAllowed, Conflict.
    """
    lock(conn, delegations, [delegation_id])
    query = select(delegations).where(delegations.c.id == delegation_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的代签", id=delegation_id)
    if actor.person is not None and actor.person not in (row["giver_id"], row["taker_id"]):
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
    if row["ended_at"] is not None or row["ends"] <= now:
        raise Conflict("这次代签已经结束")
    values = {"ended_at": now, "ended_by": actor.person}
    conn.execute(update(delegations).where(delegations.c.id == delegation_id).values(**values))
    audit.write(conn, now, actor, "delegation.end", f"delegation:{delegation_id}")


def delegations_of(
    conn: Connection, now: datetime, person: int | None = None
) -> list[dict[str, Any]]:
    """Those a person made or was named in, or all, the newest first; `state`: planned, open, over
    (its time has passed), ended (before it)."""
    giver, taker = persons.alias("giver"), persons.alias("taker")
    query = (
        select(
            delegations,
            units.c.key.label("unit"),
            units.c.name.label("unit_name"),
            *(one.c[name].label(f"{who}{said}") for who, one in (("giver", giver), ("taker", taker))
              for name, said in (("login", ""), ("name", "_name"))),
        )
        .join(units, units.c.id == delegations.c.unit_id)
        .join(giver, giver.c.id == delegations.c.giver_id)
        .join(taker, taker.c.id == delegations.c.taker_id)
    )  # fmt: skip
    if person is not None:
        his = or_(delegations.c.giver_id == person, delegations.c.taker_id == person)
        query = query.where(his)
    rows = conn.execute(query.order_by(delegations.c.id.desc())).mappings()
    return [{**row, "state": _state(row, now)} for row in rows]


def _state(row: RowMapping, now: datetime) -> str:
    if row["ended_at"] is not None:
        return "ended"
    if row["ends"] <= now:
        return "over"
    return "planned" if row["begins"] > now else "open"


def end_all(conn: Connection, now: datetime) -> int:
    """After a restore: which were ended since the backup is not known here. Give how many."""
    live = delegations.c.ended_at.is_(None), delegations.c.ends > now
    return conn.execute(update(delegations).where(*live).values(ended_at=now)).rowcount
