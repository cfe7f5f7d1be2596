"""What was found in the catalogues, as it is kept: figures, and the rows under each.

Every figure is the number of the rows under it. To look through fifty thousand entries takes seconds:
`check` does it beside the work and keeps what it found, `figures` and `rows` show it with its hour.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from bot import people
from bot.catalog.quality import QUIET, RULES, Row, look
from bot.db import insert_missing, items, lock, quality, quality_checks, sources, units
from bot.errors import NotFound
from bot.language import Say
from bot.naming import source_name
from bot.office import Office


@dataclass(frozen=True)
class Figures:
    """Of one source, as of `at`: how many entries stand, and by rule how many rows there are."""

    id: int
    unit: str
    source: str
    name: str
    items: int
    at: datetime
    checks: Mapping[str, int]


def figures(
    conn: Connection, unit_ids: set[int], *, unit: str = "", source: str = ""
) -> list[Figures]:
    """Of the sources of some units; of those, only what lies at or below `unit`, or one source.

    As the last check found it. Raises NotFound.
    """
    if unit:
        unit_ids = unit_ids & people.below(conn, people.unit_of(conn, unit)["id"])
    query = (
        select(quality_checks, sources.c.key, source_name.label("name"), units.c.key.label("unit"))
        .join(sources, sources.c.id == quality_checks.c.source_id)
        .join(units, units.c.id == sources.c.unit_id)
        .where(sources.c.unit_id.in_(unit_ids), quality_checks.c.at.is_not(None))
    )
    if source:
        query = query.where(sources.c.key == source)
    checks: dict[int, dict[str, int]] = defaultdict(dict)
    counted = select(quality.c.source_id, quality.c.rule, func.count())
    for one, rule, n in conn.execute(counted.group_by(quality.c.source_id, quality.c.rule)):
        checks[one][rule] = n
    found = [
        Figures(
            row["source_id"], row["unit"], row["key"], row["name"], row["standing"], row["at"],
            {r: checks[row["source_id"]][r] for r in RULES if r in checks[row["source_id"]]},
        )
        for row in conn.execute(query).mappings()
    ]  # fmt: skip
    return sorted((f for f in found if f.items or f.checks), key=lambda f: (f.unit, f.source))


def groups(found: Sequence[Figures], rule: str = "") -> list[tuple[Figures, str, int]]:
    """The figures with rows of one rule; without one, of those that somebody should see to.

    Raises NotFound.
    """
    if rule and rule not in RULES:
        raise NotFound("没有检查项 {rule}，有：{known}", rule=rule, known="、".join(RULES))
    wanted = [rule] if rule else [name for name in RULES if name not in QUIET]
    return [(f, name, f.checks[name]) for f in found for name in wanted if name in f.checks]


def rows(
    conn: Connection,
    of: Sequence[tuple[Figures, str, int]],
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    """The rows under some figures, in their order."""
    made: list[Row] = []
    for figure, rule, n in of:
        left = n if limit is None else limit - len(made)
        if offset < n and left > 0:
            made += _rows(conn, figure, rule, left, offset)
        offset = max(0, offset - n)
    return made


def _rows(conn: Connection, of: Figures, rule: str, limit: int, offset: int) -> list[Row]:
    mine = select(quality, items.c.title).outerjoin(items, items.c.id == quality.c.item_id)
    mine = mine.where(quality.c.source_id == of.id, quality.c.rule == rule)
    found = conn.execute(mine.order_by(quality.c.item_id, quality.c.id).limit(limit).offset(offset))
    return [
        Row(
            rule, of.unit, of.source, Say.of(row["said"]), row["item_id"], row["title"] or "",
            row["column"], _date(row["formed"]), _date(row["public"]), _date(row["deadline"]),
            of.name,
        )
        for row in found.mappings()
    ]  # fmt: skip


def _date(words: str) -> date | None:
    return date.fromisoformat(words) if words else None


def report(conn: Connection, found: Sequence[Figures], rule: str = "") -> dict[str, Any]:
    """Each source with its figures, and under each figure the rows it counts. Raises NotFound."""
    made = told(found, rule)
    for of, one in zip(found, made["sources"], strict=True):
        for check in one["checks"]:
            counted = [(of, check["rule"], check["count"])]
            check["rows"] = [row.json() for row in rows(conn, counted)]
    return made


def told(found: Sequence[Figures], rule: str = "") -> dict[str, Any]:
    """Each source with its figures, of one rule or of all. Raises NotFound."""
    groups(found, rule)
    return {
        "sources": [
            {
                "unit": of.unit,
                "source": of.source,
                "name": of.name,
                "items": of.items,
                "checked_at": of.at.isoformat(),
                "checks": [
                    {"rule": name, "name": str(RULES[name]), "count": n}
                    for name, n in of.checks.items()
                    if rule in ("", name)
                ],
            }
            for of in found
        ]
    }


# ---------------------------------------------------------------- keeping


def check(office: Office) -> None:
    """Look through every catalogue and keep what is found; what did not change is not written."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        found, standing = look(office, conn, now)
        ids = dict(conn.execute(select(sources.c.key, sources.c.id)).all())
        known = set(conn.execute(select(quality_checks.c.source_id)).scalars())
    if fresh := set(ids.values()) - known:
        with office.db.write() as conn:
            insert_missing(conn, quality_checks, [{"source_id": one} for one in fresh])
    for key, one in ids.items():
        wanted = {_values(row): row for row in found.get(key, ())}
        with office.db.read() as conn:
            same = _kept(conn, one).keys() == wanted.keys()
        if not same:
            with office.db.write() as conn:
                _keep(conn, one, wanted)
    with office.db.write() as conn:
        for key, one in sorted(ids.items()):
            mine = quality_checks.c.source_id == one
            conn.execute(update(quality_checks).where(mine).values(at=now, standing=standing[key]))


def _keep(conn: Connection, source: int, wanted: Mapping[Any, Row]) -> None:
    of = select(quality_checks.c.id).where(quality_checks.c.source_id == source)
    lock(conn, quality_checks, [conn.execute(of).scalar_one()])  # another worker may look, too
    kept = _kept(conn, source)
    gone = [one for values, one in kept.items() if values not in wanted]
    for start in range(0, len(gone), 500):
        conn.execute(delete(quality).where(quality.c.id.in_(gone[start : start + 500])))
    names = ("rule", "item_id", "column", "formed", "public", "deadline")
    fresh = [
        {**dict(zip(names, values, strict=False)), "said": row.said.json(), "source_id": source}
        for values, row in wanted.items()
        if values not in kept
    ]
    if fresh:
        conn.execute(insert(quality), fresh)


def _kept(conn: Connection, source: int) -> dict[tuple[Any, ...], int]:
    """What stands of a source, each row by all that it says."""
    query = select(quality).where(quality.c.source_id == source)
    return {
        (
            row.rule, row.item_id, row.column, row.formed, row.public, row.deadline,
            json.dumps(row.said, sort_keys=True),
        ): row.id
        for row in conn.execute(query)
    }  # fmt: skip


def _values(row: Row) -> tuple[Any, ...]:
    days = (day.isoformat() if day else "" for day in (row.formed, row.public, row.deadline))
    return row.rule, row.item, row.column, *days, json.dumps(row.said.json(), sort_keys=True)
