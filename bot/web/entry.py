"""手工录入与上报: an entry typed in, handed in to another unit, or amended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from bot import catalog, people
from bot.db import units
from bot.errors import GongkaiError, Invalid
from bot.model import Entry, Right
from bot.web.faults import status_of
from bot.web.items import item_for
from bot.web.visit import Id, Signed, Visit, go

router = APIRouter()
TYPED = (
    *("title", "document_number", "index_number", "publisher", "column", "topic"),
    *("formed", "published", "link", "summary", "body"),
)


@router.get("/items/new")
def new_page(visit: Signed) -> Response:
    return _page(visit, dict.fromkeys(TYPED, ""))


@router.post("/items/new")
def new(visit: Signed) -> Response:
    """Into the unit's own catalogue; with `to`, into another unit's."""
    said = {name: visit.field(name) for name in TYPED}
    unit, to = visit.field("unit"), visit.field("to")
    try:
        entries = catalog.entries_of(visit.office, [said])
        with visit.office.db.write() as conn:
            now = visit.office.db.now(conn)
            if to:
                (made,) = catalog.submit(conn, now, visit.actor, unit, to, entries)
            else:
                (made,) = catalog.add(conn, now, visit.actor, unit, entries)
    except GongkaiError as error:
        return _page(visit, said, status_of(error), problem=error.say, unit=unit, to=to)
    return go(f"/items/{made}?done={'submitted' if to else 'added'}")


@router.get("/items/{item_id:int}/amend")
def amend_page(visit: Signed, item_id: Id) -> Response:
    """The entry as it stands, to be changed. Raises NotFound, Invalid."""
    with visit.office.db.read() as conn:
        row = item_for(conn, visit.actor, item_id)
    if not row["source_key"].startswith(f"{catalog.HAND}:"):
        raise Invalid("只有手工录入的条目能在这里改；其他条目请在来源处改")
    return _page(visit, _said(visit, Entry.of(row["entry"])), item=row)


@router.post("/items/{item_id:int}/amend")
def amend(visit: Signed, item_id: Id) -> Response:
    """What is sent is the whole entry; material that was given back is handed in again by this."""
    said = {name: visit.field(name) for name in TYPED}
    with visit.office.db.read() as conn:
        row = item_for(conn, visit.actor, item_id)
    try:
        (entry,) = catalog.entries_of(visit.office, [said])
        with visit.office.db.write() as conn:
            catalog.amend(conn, visit.office.db.now(conn), visit.actor, item_id, entry)
    except GongkaiError as error:
        return _page(visit, said, status_of(error), problem=error.say, item=row)
    return go(f"/items/{item_id}?done={'submitted' if row['returned'] else 'amended'}")


def _said(visit: Visit, entry: Entry) -> dict[str, str]:
    """An entry as the form shows it: dates in the office's zone; no summary that is but the body's
    beginning, for it would stay when the body changes."""
    said = {name: getattr(entry, name) or "" for name in TYPED}
    if "".join(entry.body.split()).startswith("".join(entry.summary.rstrip("….").split())):
        said["summary"] = ""
    for name in ("formed", "published"):
        at = getattr(entry, name)
        said[name] = f"{at.astimezone(visit.office.config.tz):%Y-%m-%d}" if at else ""
    return said


def _page(visit: Visit, said: Mapping[str, str], status: int = 200, **more: Any) -> Response:
    handing = bool(more.get("to")) or visit.params.get("to") == "other"
    with visit.office.db.read() as conn:
        mine = _mine(conn, visit, Right.SUBMIT if handing else Right.WRITE)
        everyone = list(conn.execute(select(units).order_by(units.c.id)).mappings())
    values = {"problem": None, "item": None, "unit": "", "to": "", **more}
    if handing:
        own = {row["key"] for row in mine} if len(mine) == 1 else set()
        everyone = [row for row in everyone if row["key"] not in own]
    return visit.page(
        "entry.html", status, said=said, mine=mine, units=everyone, handing=handing, **values
    )


def _mine(conn: Connection, visit: Visit, right: Right) -> list[RowMapping]:
    """The units he may do this for."""
    ids = people.unit_ids(conn, visit.actor, right)
    query = select(units).where(units.c.id.in_(ids)).order_by(units.c.id)
    return list(conn.execute(query).mappings())
