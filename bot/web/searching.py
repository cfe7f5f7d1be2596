"""搜索: the box in the top bar, and the page of what it found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import finding, people
from bot.db import posts
from bot.shown import delivered, shown_state
from bot.web.lists import SIZE
from bot.web.visit import Signed, go

router = APIRouter()
CHIPS = {
    "posts": "post",
    "deliveries": "delivery",
    "items": "item",
    "accounts": "account",
    "people": "person",
    "sources": "source",
    "replies": "reply",
}


@router.get("/search")
def search_page(visit: Signed) -> Response:
    """`q`: words, or a number that is gone straight to; `of`: one kind alone, at more length."""
    words, of = visit.params.get("q", "").strip()[:100], visit.params.get("of", "")
    of = of if of in finding.LOOKS else ""
    with visit.office.db.read() as conn:
        scope = people.unit_ids(conn, visit.actor)
        if not of and (place := finding.straight(conn, scope, words)):
            return go(place)
        most = SIZE if of else 5
        groups = finding.find(conn, scope, words, most=most, of=of)
        states = _states(conn, groups)
    values: dict[str, Any] = {
        "groups": groups,
        "states": states,
        "chips": CHIPS,
        "cap": finding.CAP,
    }
    return visit.page("search.html", q=words, of=of, names=finding.NAMES, **values)


def _states(conn: Connection, groups: list[finding.Group]) -> dict[int, tuple[str, str, str]]:
    """The chip of each post found: what became of its deliveries."""
    ids = [hit.id for group in groups for hit in group.hits if hit.of == "posts"]
    rows = conn.execute(select(posts).where(posts.c.id.in_(ids))).mappings().all()
    states = delivered(conn, [row["id"] for row in rows])
    return {row["id"]: shown_state(row, states.get(row["id"], {})) for row in rows}
