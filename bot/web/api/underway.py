"""What is on its way: entries, posts, what waits for a signature, the queue, what is stopped."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from bot import (
    catalog,
    collect,
    compose,
    people,
    review,
    shapes,
)
from bot.deliver import holds, queue
from bot.model import (
    DeliveryState,
    HoldScope,
    ItemState,
    PostState,
)
from bot.schedule import solemn
from bot.web import shell
from bot.web.api.door import Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Number, Paged, Words, before, cursor_at, page
from bot.web.items import item_for, scope_of
from bot.web.queue import delivery_for
from bot.web.review import post_for
from bot.web.standings import standing_for
from bot.web.stop import lifted
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


class ItemsAsked(Paged):
    state: Literal["", "waiting"] | ItemState = ""
    source: Words = ""
    q: Words = ""
    handed_in: Annotated[Words, Query(description="by the unit of this key")] = ""


class PostsAsked(Paged):
    state: Literal[""] | PostState = ""
    returned: Annotated[bool | None, Query(description="came back from review, or not")] = None
    mine: bool = False
    q: Annotated[Words, Query(description="in the title")] = ""


class QueueAsked(Paged):
    state: Literal["", "person", "held"] | DeliveryState = ""
    post: Number | None = None
    account: Number | None = None
    hold: Annotated[Number | None, Query(description="fell due under it, undecided")] = None


class PeriodAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scope: Literal["all", "unit"] = "all"
    target: Words = ""
    begins: Words = ""
    until: Words
    passes: Annotated[list[Number], Query()] = []


@router.get("/items")
def items_list(call: Reads, asked: Annotated[ItemsAsked, Query()]) -> Response:
    """Entries of the catalogues; `handed_in`: what a unit handed in to others."""
    with call.office.db.read() as conn:
        if asked.handed_in:
            people.unit_of(conn, asked.handed_in)
        scope = scope_of(conn, call.actor, asked.handed_in)
        words: dict[str, Any] = {"state": asked.state, "source": asked.source, "words": asked.q}
        more: dict[str, Any] = {"limit": asked.limit + 1, "before": before("items", asked.cursor)}
        rows = catalog.listing(conn, scope, handed_in=asked.handed_in, **words, **more)
    return Json(page("items", [shapes.row(row) for row in rows], asked.limit))


@router.get("/items/{item_id:int}")
def item(call: Reads, item_id: Id) -> Response:
    """One entry."""
    with call.office.db.read() as conn:
        return Json(shapes.row(item_for(conn, call.actor, item_id)))


@router.get("/posts")
def posts_list(call: Reads, asked: Annotated[PostsAsked, Query()]) -> Response:
    """Posts, each in its state."""
    with call.office.db.read() as conn:
        scope, below = people.unit_ids(conn, call.actor), before("posts", asked.cursor)
        more: dict[str, Any] = {"limit": asked.limit + 1, "before": below, "words": asked.q.strip()}
        more |= {"author": call.actor.person if asked.mine else None, "returned": asked.returned}
        found = shapes.posts(conn, compose.listing(conn, scope, state=asked.state, **more))
    return Json(page("posts", found, asked.limit))


@router.get("/posts/{post_id:int}")
def post(call: Reads, post_id: Id) -> Response:
    """One post whole: what would be sent, its digest to be signed, sign-offs, deliveries."""
    with call.office.db.read() as conn:
        post_for(conn, call.actor, post_id)
        return Json(shapes.post(call.office, conn, post_id))


@router.get("/posts/{post_id:int}/coverage")
def coverage(call: Reads, post_id: Id) -> Response:
    """How much of what the public answered was collected, and why it may differ."""
    with call.office.db.read() as conn:
        post_for(conn, call.actor, post_id)
        found = collect.coverage(conn, post_id)
    rows = [asdict(each) | {"why": [str(why) for why in each.why]} for each in found]
    return Json({"rows": rows, "next": None})


@router.get("/posts/{post_id:int}/counts")
def counted(call: Reads, post_id: Id) -> Response:
    """Likes, reposts and replies of a post over time, on each account, oldest first."""
    with call.office.db.read() as conn:
        post_for(conn, call.actor, post_id)
        found = collect.over_time(conn, post_id, people.unit_ids(conn, call.actor))
    return Json({"rows": [shapes.row(each) for each in found], "next": None})


@router.get("/sign")
def waiting(call: Reads) -> Response:
    """The posts that wait for this person's sign-off, those due soonest first."""
    with call.office.db.read() as conn:
        rows = review.waiting_for(call.office, conn, call.actor)
        found = shapes.waiting(call.office, conn, rows)
    return Json({"rows": found, "next": None})


@router.get("/signed")
def signed(call: Reads, asked: Annotated[Paged, Query()]) -> Response:
    """The posts he signed, or somebody in his place, those signed last first; of his units."""
    below = before("signed", asked.cursor)
    with call.office.db.read() as conn:
        rows = review.signed(conn, call.actor, asked.limit + 1, below)
        mine = people.unit_ids(conn, call.actor)
        shown = [row for row in rows[: asked.limit] if row["unit_id"] in mine]
        found = shapes.posts(conn, shown)
    more = cursor_at("signed", rows[asked.limit - 1]["signed"]) if len(rows) > asked.limit else None
    return Json({"rows": found, "next": more})


@router.get("/standings")
def standings_list(call: Reads) -> Response:
    """The standing sign-offs of the reader's units: which stand, sleep, have ended."""
    with call.office.db.read() as conn:
        now, scope = call.office.db.now(conn), people.unit_ids(conn, call.actor)
        rows = review.standing_list(conn, now, scope)
    names = "id state source signer template accounts columns begins ends daily_max note"
    return Json({"rows": [shapes.picked(row, names) for row in rows], "next": None})


@router.get("/standings/{standing_id:int}")
def standing(call: Reads, standing_id: Id) -> Response:
    """One whole: its bounds, today's use, what it signed, what it did not cover and why."""
    with call.office.db.read() as conn:
        return Json(shapes.standing(standing_for(call.office, conn, call.actor, standing_id)))


@router.get("/queue")
def queue_list(call: Reads, asked: Annotated[QueueAsked, Query()]) -> Response:
    """Deliveries, and why each has not gone yet."""
    with call.office.db.read() as conn:
        scope, reasons = (
            people.unit_ids(conn, call.actor),
            queue.Reasons(conn, call.office.db.now(conn)),
        )
        what: dict[str, Any] = {"state": asked.state, "post": asked.post, "account": asked.account}
        what |= {"hold": asked.hold}
        more: dict[str, Any] = {"limit": asked.limit + 1, "before": before("queue", asked.cursor)}
        rows = queue.listing(conn, scope, **what, **more)
        found = [shapes.delivery(row, reasons) for row in rows]
    return Json(page("queue", found, asked.limit))


@router.get("/queue/{delivery_id:int}")
def delivery(call: Reads, delivery_id: Id) -> Response:
    """One delivery with its attempts, the platform's own words, and what to do by hand."""
    with call.office.db.read() as conn:
        row = delivery_for(conn, call.actor, delivery_id)
        found = shapes.delivery(row, queue.Reasons(conn, call.office.db.now(conn)))
        tried = [dict(each) for each in queue.attempts_of(conn, delivery_id)]
        return Json(found | {"attempts": tried, "task": queue.task(conn, delivery_id)})


@router.get("/holds")
def holds_list(call: Reads) -> Response:
    """The holds that stand and concern the reader's units, and those declared (`ahead`);
    `stops`: how many deliveries of these units each stops; how many of theirs are under way and
    cannot be called back; those `lifted` lately."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        mine = {row["id"] for row in (*shell.standing(conn, scope), *shell.declared(conn, scope))}
        every = holds.listing(conn, call.office.db.now(conn), scope)
        rows = [row for row in every if row["id"] in mine]
        more = {"in_flight": holds.in_flight(conn, scope), "lifted": lifted(conn, scope)}
    return Json({"rows": rows, "next": None} | more)


@router.get("/holds/foreseen")
def foreseen(call: Reads, asked: Annotated[PeriodAsked, Query()]) -> Response:
    """What a 肃穆模式 of a period would keep: deliveries, unsigned posts, occurrences, free slots."""
    zone, scope = call.office.config.tz, HoldScope(asked.scope)
    span = instant(asked.begins, zone), instant(asked.until, zone)
    with call.office.db.read() as conn:
        now, target = call.office.db.now(conn), holds.target_of(conn, scope, asked.target)
        what = (call.actor, scope, target, *span, asked.passes)
        return Json(solemn.foresee(call.office, conn, now, *what).json())
