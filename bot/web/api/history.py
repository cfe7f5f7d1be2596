"""What was before: earlier revisions of posts and entries; and what one typed and has not saved yet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from bot import compose, people, shapes
from bot.web.api.door import Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Paged, cut
from bot.web.items import item_for
from bot.web.review import post_for
from bot.web.visit import Id

router = APIRouter(route_class=Route, default_response_class=Json)


@router.get("/posts/{post_id:int}/revisions")
def revisions(call: Reads, post_id: Id, asked: Annotated[Paged, Query()]) -> Response:
    """The revisions of a post, by whom and when."""
    with call.office.db.read() as conn:
        post_for(conn, call.actor, post_id)
        rows = compose.revisions_of(conn, post_id)
    return Json(cut("revisions", map(dict, rows), asked))


@router.get("/posts/{post_id:int}/revisions/{number:int}")
def revision(call: Reads, post_id: Id, number: Id) -> Response:
    """One as it stood: its words, what would have been sent, what screening said."""
    with call.office.db.read() as conn:
        post = post_for(conn, call.actor, post_id)
        return Json(shapes.revision(conn, post, number))


@router.get("/items/{item_id:int}/history")
def item_history(call: Reads, item_id: Id) -> Response:
    """What an entry said before, and the posts made of it (to its unit's readers)."""
    with call.office.db.read() as conn:
        row = item_for(conn, call.actor, item_id)
        found = shapes.entry_history(conn, item_id)
        if row["unit_id"] not in people.unit_ids(conn, call.actor):
            found["posts"] = []
    return Json(found)


@router.get("/writings")
def writings(call: Reads, asked: Annotated[Paged, Query()]) -> Response:
    """What he is typing on the console and has not saved: his own alone. `post` 0: a new one."""
    with call.office.db.read() as conn:
        rows = [shapes.writing(row) for row in compose.writings_of(conn, call.actor)]
    return Json(cut("writings", rows, asked))
