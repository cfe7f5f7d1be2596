"""目录条目: what the sources brought, what was made of it, and what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from bot import catalog, compose, people
from bot.db import items, sources
from bot.errors import Invalid, NotFound
from bot.model import Actor, ItemState, Right
from bot.office import Office
from bot.web.lists import SIZE, page_of
from bot.web.visit import Id, Signed, Visit, go

router = APIRouter()
FILTERS = ("waiting", *ItemState)


def data_for_items(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Items of the reader's units, newest first; filters: state, source, q, page."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        filters: dict[str, Any] = {
            "state": params.get("state", "") if params.get("state") in FILTERS else "",
            "source": params.get("source", ""),
            "words": params.get("q", "").strip(),
        }
        counts = _counts(conn, scope, filters["source"], filters["words"])
        page = page_of(params, counts[filters["state"] or "all"])
        return {
            "items": catalog.listing(conn, scope, **filters, limit=SIZE, offset=page.offset),
            "filters": filters,
            "counts": counts,
            "page": page,
            "sources": _keys(conn, scope),
            "write": people.unit_ids(conn, actor, Right.WRITE),
        }


def _keys(conn: Connection, scope: set[int]) -> list[str]:
    query = select(sources.c.key).where(sources.c.unit_id.in_(scope)).order_by(sources.c.key)
    return list(conn.execute(query).scalars())


def _counts(conn: Connection, scope: set[int], source: str, words: str) -> dict[str, int]:
    query = select(items.c.state, items.c.waits.is_not(None), func.count()).join(sources)
    query = query.where(sources.c.unit_id.in_(scope))
    if source:
        query = query.where(sources.c.key == source)
    if words:
        query = query.where(items.c.title.contains(words, autoescape=True))
    counts = dict.fromkeys(("all", *FILTERS), 0)
    for state, waits, n in conn.execute(query.group_by(items.c.state, items.c.waits.is_not(None))):
        counts["all"] += n
        counts[state] += n
        counts["waiting"] += n if waits and state == ItemState.NEW else 0
    return counts


@router.get("/items")
def items_page(visit: Signed) -> Response:
    return visit.page("items.html", **data_for_items(visit.office, visit.actor, visit.params))


@router.post("/items/{item_id:int}")
def act(visit: Signed, item_id: Id) -> Response:
    """compose (to the form), take (let the machine draft it) or skip."""
    name = visit.field("act")
    office = visit.office
    with office.db.write() as conn:
        now = office.db.now(conn)
        if name == "compose":
            return go(f"/posts/{_composed(visit, conn, item_id)}/edit")
        if name == "take":
            catalog.take(conn, now, visit.actor, item_id)
        elif name == "skip":
            catalog.skip(conn, now, visit.actor, item_id)
        else:
            raise Invalid("请从页面上的按钮办理")
    return visit.back("/items")


def _composed(visit: Visit, conn: Connection, item_id: int) -> int:
    """The draft made of an item; the one that stands where there is one."""
    row = compose.item_of(conn, item_id)
    if row["unit_id"] not in people.unit_ids(conn, visit.actor):
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    if row["post_id"]:
        return int(row["post_id"])
    now = visit.office.db.now(conn)
    return compose.from_item(visit.office, conn, now, visit.actor, item_id)
