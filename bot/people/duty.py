"""值班: who is on duty, per unit and day. A unit without its own is covered by the one above."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, RowMapping, delete, select

from bot import audit
from bot.db import duties, insert_missing, people, units
from bot.errors import Invalid
from bot.model import Actor, Right
from bot.people.roles import able, ancestry, require

_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_SPLIT = re.compile(r"[\t,，;；]+|\s{1,}")


def put(
    conn: Connection, now: datetime, actor: Actor, unit_id: int, said: Mapping[date, str]
) -> int:
    """On these days these people, by login or name; nobody where none is given. Give how many changed.

    Raises NotAllowed, Invalid: nobody of that name may read there.
    """
    require(conn, actor, Right.SCHEDULE, unit_id)
    known, stands = _known(conn, unit_id), _standing(conn, unit_id, said)
    changed = {
        on: _person(known, who) if who.strip() else None
        for on, who in said.items()
        if who.strip() not in stands.get(on.isoformat(), {""})
    }
    days = [on.isoformat() for on in changed]
    conn.execute(delete(duties).where(duties.c.unit_id == unit_id, duties.c.day.in_(days)))
    rows = [(on.isoformat(), who) for on, who in sorted(changed.items()) if who is not None]
    made = [{"unit_id": unit_id, "day": day, "person_id": who} for day, who in rows]
    insert_missing(conn, duties, made)
    if changed:
        told = {on.isoformat(): who for on, who in sorted(changed.items())}
        audit.write(conn, now, actor, "duty.put", f"unit:{unit_id}", days=told)
    return len(changed)


def read(text: str) -> dict[date, str]:
    """A pasted table: a day and a person a line; a line of headings is left out. Raises Invalid."""
    found: dict[date, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell for cell in _SPLIT.split(line.strip(" \t\ufeff")) if cell]
        if not cells:
            continue
        on = _day(cells[0])
        if on is None and not found and number == 1:
            continue  # headings
        if on is None or len(cells) < 2:
            raise Invalid("第 {n} 行看不懂：每行一个日期、一个人，如 2026-12-01 林岚", n=number)
        if found.setdefault(on, cells[1]) != cells[1]:
            raise Invalid("第 {n} 行：{day} 已排了别人", n=number, day=on.isoformat())
    if not found:
        raise Invalid("没有读到值班：每行一个日期、一个人，如 2026-12-01 林岚")
    return found


def _day(said: str) -> date | None:
    found = _DATE.fullmatch(said)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _known(conn: Connection, unit_id: int) -> Sequence[RowMapping]:
    """Who may be on duty: whoever reads there."""
    query = select(people).where(people.c.id.in_(able(conn, Right.READ, unit_id)))
    return conn.execute(query.order_by(people.c.name, people.c.id)).mappings().all()


def candidates(conn: Connection, unit_id: int) -> list[RowMapping]:
    """Who may be put on duty at a unit."""
    return list(_known(conn, unit_id))


def _person(known: Sequence[RowMapping], said: str) -> int:
    said = said.strip()
    found = [row["id"] for row in known if row["login"] == said]
    found = found or [row["id"] for row in known if row["name"] == said]
    if not found:
        raise Invalid("{who}不是能在这个单位值班的人：须能登录、能看稿", who=said)
    if len(found) > 1:
        raise Invalid("有几个人叫{who}，请写登录名", who=said)
    return int(found[0])


# ---------------------------------------------------------------- reading


def on_duty(conn: Connection, unit_id: int | None, on: date) -> list[RowMapping]:
    """Who is on duty for a unit: its own, else that of the nearest above. None: of the highest units.

    Whoever is barred is not.
    """
    if unit_id is None:
        roots = conn.execute(select(units.c.id).where(units.c.parent_id.is_(None))).scalars()
        return listing(conn, list(roots), on, on)
    for one in ancestry(conn, unit_id):
        if found := listing(conn, [one], on, on):
            return found
    return []


def listing(conn: Connection, unit_ids: Iterable[int], first: date, last: date) -> list[RowMapping]:
    """Units' duties of these days, by day; those of people who are barred left out."""
    query = (
        select(
            duties,
            people.c.login,
            people.c.name,
            units.c.key.label("unit"),
            units.c.name.label("unit_name"),
        )
        .join(people, people.c.id == duties.c.person_id)
        .join(units, units.c.id == duties.c.unit_id)
        .where(duties.c.unit_id.in_(set(unit_ids)), people.c.disabled.is_(False))
        .where(duties.c.day >= first.isoformat(), duties.c.day <= last.isoformat())
    )
    return list(conn.execute(query.order_by(duties.c.day, duties.c.unit_id)).mappings())


def _standing(conn: Connection, unit_id: int, days: Iterable[date]) -> dict[str, set[str]]:
    """Who is put there, by day: what he may be called. He is left, though he may go by now."""
    rows = select(duties.c.day, people.c.login, people.c.name).join(people)
    mine = duties.c.unit_id == unit_id, duties.c.day.in_([on.isoformat() for on in days])
    return {row.day: {row.login, row.name} for row in conn.execute(rows.where(*mine))}
