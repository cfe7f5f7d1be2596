"""搜索: the box in the top bar, and the page of what it found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from bot import finding, people
from bot.shown import of_posts
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
FEW = ("accounts", "people", "sources")  # an office has few: all of these are shown


@router.get("/search")
def search_page(visit: Signed) -> Response:
    """`q`: words, or a number that is gone straight to; `of`: one kind alone, at more length."""
    words, of = visit.params.get("q", "").strip()[:100], visit.params.get("of", "")
    of = of if of in finding.LOOKS else ""
    with visit.office.db.read() as conn:
        scope = people.unit_ids(conn, visit.actor)
        if not of and (place := finding.straight(conn, scope, words)):
            return go(place)
        most = finding.CAP if of in FEW else SIZE if of else 5
        groups = finding.find(conn, scope, words, most=most, of=of)
        hits = [hit for group in groups for hit in group.hits]
        states = of_posts(conn, [int(hit.id) for hit in hits if hit.of == "posts"])
    values: dict[str, Any] = {
        "groups": groups,
        "states": states,
        "chips": CHIPS,
        "cap": finding.CAP,
    }
    return visit.page("search.html", q=words, of=of, names=finding.NAMES, **values)
