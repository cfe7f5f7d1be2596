"""来源: does each catalogue still read, what it brought last, and a new one tried first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, func, select
from starlette.responses import Response

from bot import catalog, people
from bot.db import items, notices, sources, units
from bot.errors import GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Right
from bot.naming import source_name
from bot.office import Office
from bot.settings import address
from bot.web import spool
from bot.web.faults import status_of
from bot.web.visit import Signed, Visit

router = APIRouter()
SHOWN = 20
DONE = {
    "pause": Say("已暂停，不再读取；已有条目不受影响"),
    "activate": Say("已恢复"),
    "poll": Say("已安排读取，稍后刷新看结果"),
}


def sources_of(office: Office, conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    """The sources of some units with their figures, and what config.toml says of each."""
    query = select(sources, units.c.name.label("unit"), source_name.label("called")).join(
        units, units.c.id == sources.c.unit_id
    )
    mine = query.where(sources.c.unit_id.in_(scope), sources.c.kind != catalog.HAND)
    rows = conn.execute(mine.order_by(sources.c.id)).mappings().all()
    figures = select(items.c.source_id, items.c.state, func.count(), func.max(items.c.seen_at))
    counts: dict[int, dict[str, int]] = {}
    newest: dict[int, Any] = {}
    ids = [row["id"] for row in rows]
    grouped = figures.where(items.c.source_id.in_(ids)).group_by(items.c.source_id, items.c.state)
    for source, state, n, seen in conn.execute(grouped):
        counts.setdefault(source, {})[state] = n
        newest[source] = max(seen, newest.get(source, seen))
    floods = _floods(conn)
    return [
        {
            **row,
            "url": address(row["url"]),
            "counts": counts.get(row["id"], {}),
            "newest": newest.get(row["id"]),
            "flood": floods.get(f"flood:{row['id']}"),
            "part": office.config.sources.get(row["key"]),  # None: its key is gone from there
        }
        for row in rows
    ]


def _floods(conn: Connection) -> dict[str, Any]:
    """What stands of readings that brought too much at once, by the notice's key."""
    standing = notices.c.closed_at.is_(None), notices.c.key.startswith("flood:")
    query = select(notices.c.key, notices.c.say).where(*standing)
    return dict(conn.execute(query).all())


def data_for_sources(office: Office, actor: Actor) -> dict[str, Any]:
    with office.db.read() as conn:
        return {
            "sources": sources_of(office, conn, people.unit_ids(conn, actor)),
            "admin": people.unit_ids(conn, actor, Right.ADMIN),
            "write": people.unit_ids(conn, actor, Right.WRITE),
        }


def source_for(conn: Connection, actor: Actor, key: str) -> RowMapping:
    """A source of the reader's units. Raises NotFound."""
    mine = sources.c.key == key, sources.c.unit_id.in_(people.unit_ids(conn, actor))
    row = conn.execute(select(sources).where(*mine)).mappings().first()
    if row is None:
        raise NotFound("没有来源 {key}", key=key)
    return row


def data_for_source(office: Office, actor: Actor, key: str) -> dict[str, Any]:
    """One source: health, settings, problems, its last entries. Raises NotFound."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        found = next((s for s in sources_of(office, conn, scope) if s["key"] == key), None)
        if found is None:
            raise NotFound("没有来源 {key}", key=key)
        newest = select(items).where(items.c.source_id == found["id"])
        rows = conn.execute(newest.order_by(items.c.id.desc()).limit(SHOWN)).mappings().all()
        rights = people.rights(conn, actor, found["unit_id"])
    said = found["part"].model_dump() | {"url": found["url"]} if found["part"] else {}
    settings = {name: _written(value) for name, value in said.items()}
    return {"source": found, "items": rows, "settings": settings, "rights": rights}


def _written(value: Any) -> Any:
    """A setting as config.toml writes it: a period as 15m, 6h or 7d."""
    if not isinstance(value, timedelta):
        return value
    seconds = int(value.total_seconds())
    sizes = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    unit, size = next(each for each in sizes if seconds % each[1] == 0)
    return f"{seconds // size}{unit}"


@router.get("/sources")
def sources_page(visit: Signed) -> Response:
    found = data_for_sources(visit.office, visit.actor)
    return visit.page("sources.html", **found, done=visit.done(DONE))


@router.get("/sources/{key}")
def source_page(visit: Signed, key: str) -> Response:
    found = data_for_source(visit.office, visit.actor, key)
    return visit.page("source.html", **found, done=visit.done(DONE))


@router.post("/sources/{key}")
def act_on_source(visit: Signed, key: str) -> Response:
    """pause, activate or poll (which the worker does at once)."""
    name = visit.field("act")
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        if name in ("pause", "activate"):
            catalog.pause(conn, now, visit.actor, key, name == "pause")
        elif name == "poll":
            catalog.poll_now(conn, now, visit.actor, key)
        else:
            raise Invalid("请从页面上的按钮办理")
    return visit.back(f"/sources?done={name}")


# ---------------------------------------------------------------- tried before it is declared


@router.get("/source/try")
def try_page(visit: Signed) -> Response:
    return _tried(visit, {"unit": "", "target": "", "kind": ""})


@router.post("/source/try")
def attempt(visit: Signed) -> Response:
    """What a reader gets at an address or in an uploaded file; nothing is kept of it."""
    said = {name: visit.field(name) for name in ("unit", "target", "kind")}
    try:
        found = _read(visit, said)
    except GongkaiError as error:
        return _tried(visit, said, status_of(error), problem=error.say)
    return _tried(visit, said, found=found.json(visit.office), options=found.reading.meta)


def _read(visit: Visit, said: Mapping[str, str]) -> catalog.Tried:
    upload = visit.file("file")
    if upload is None and not said["target"]:
        raise Invalid("请填网址，或选一个文件")
    office, actor, unit = visit.office, visit.actor, said["unit"]
    if upload is None:
        return asyncio.run(catalog.attempt(office, actor, unit, said["target"], kind=said["kind"]))
    with office.db.read() as conn:  # before anything of a stranger's lies on the disk
        people.require(conn, actor, Right.ADMIN, people.unit_of(conn, unit)["id"])
    file = spool.find(
        office, visit.session.person, spool.keep(office, visit.session.person, upload)
    )
    try:
        words = {"kind": said["kind"], "file": str(file)}
        return asyncio.run(catalog.attempt(office, actor, unit, file.name, **words))
    finally:
        spool.drop(file)


def _tried(visit: Visit, said: Mapping[str, str], status: int = 200, **more: Any) -> Response:
    values = {"problem": None, "found": None, "options": {}, **more}
    with visit.office.db.read() as conn:
        mine = _administered(conn, visit)
    return visit.page("try.html", status, said=said, units=mine, kinds=catalog.kinds(), **values)


def _administered(conn: Connection, visit: Visit) -> list[RowMapping]:
    """The units whose sources he may declare. Raises NotAllowed where there is none."""
    ids = people.unit_ids(conn, visit.actor, Right.ADMIN)
    if not ids:
        people.require(conn, visit.actor, Right.ADMIN, 0)
    query = select(units).where(units.c.id.in_(ids)).order_by(units.c.parent_id, units.c.id)
    return list(conn.execute(query).mappings())
