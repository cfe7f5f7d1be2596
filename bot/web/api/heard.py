"""What the public said, what was done, what people were told of: replies, the trail, notices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from bot import (
    audit,
    notices,
    people,
    shapes,
    trail,
)
from bot.collect import exporting, log
from bot.model import (
    ReplyState,
)
from bot.web import spoken
from bot.web.api import bodies
from bot.web.api.door import Call, Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Number, Paged, Words, before, page
from bot.web.replies import WHOSE
from bot.web.reply import readable
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


class RepliesAsked(Paged):
    state: Literal[""] | ReplyState = ""
    post: Number | None = None
    account: Number | None = None
    whose: Annotated[
        Literal["", "public", "own"], Query(description="the public's, or our own")
    ] = ""
    unanswered: bool = False
    since: Annotated[Words, Query(description="said from then on; then the latest said first")] = ""
    until: Annotated[Words, Query(description="said before")] = ""
    q: Words = ""


class NoticesAsked(Paged):
    ended: bool = False


class TrailAsked(Paged):
    subject: Words = ""
    verb: Words = ""
    who: Words = ""


@router.get("/replies")
def replies_list(call: Reads, asked: Annotated[RepliesAsked, Query()]) -> Response:
    """What the public said, the latest taken in first; `q`: words that all occur."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        below = before("replies", asked.cursor) if asked.cursor else None
        more: dict[str, Any] = {"limit": asked.limit + 1, "before": below}
        chosen = log.listing(conn, scope, **narrowed(call, asked), **more)
        rows = list(exporting.shaped(call.office, conn, chosen))
    return Json(page("replies", rows, asked.limit))


def narrowed(call: Call, asked: RepliesAsked | bodies.Exported) -> dict[str, Any]:
    """Which replies are asked for, as collect.log takes it. Raises Invalid."""
    zone = call.office.config.tz
    same = {name: getattr(asked, name) for name in ("state", "post", "account")}
    span = {name: instant(getattr(asked, name) or "", zone) for name in ("since", "until")}
    own, unanswered = WHOSE.get(asked.whose), asked.unanswered or None
    return {**same, **span, "words": asked.q.strip(), "own": own, "unanswered": unanswered}


@router.get("/replies/{reply_id:int}")
def reply(call: Reads, reply_id: Id) -> Response:
    """One reply with every wording it had; `above`: what it answers, `below`: what answers it."""
    with call.office.db.read() as conn:
        row = readable(conn, call.actor, reply_id)
        (shown,) = exporting.shaped(call.office, conn, [row])
        worded = [asdict(each) for each in log.versions(conn, reply_id)]
        thread = {"above": spoken.above(conn, row), "below": spoken.below(conn, row)}
        said = {at: list(exporting.shaped(call.office, conn, rows)) for at, rows in thread.items()}
    return Json(shown | {"versions": worded} | said)


@router.get("/trail")
def trail_list(call: Reads, asked: Annotated[TrailAsked, Query()]) -> Response:
    """Who did what, when, from where: for those who answer for an office."""
    filters = {"subject": asked.subject, "verb": asked.verb, "who": asked.who}
    with call.office.db.read() as conn:
        trail.require(conn, call.actor)
        below = before("trail", asked.cursor)
        rows = trail.listing(conn, filters, asked.limit + 1, before=below)
    return Json(page("trail", [dict(row) for row in rows], asked.limit))


@router.get("/trail/verify")
def trail_verify(call: Reads) -> Response:
    """Walk the whole chain now, and hold it against the anchors: whether it holds, what was checked
    and what could not be."""
    with call.office.db.read() as conn:
        trail.require(conn, call.actor)
        found = audit.verify(conn, audit.anchors(call.office.anchor))
    said = map(str, (found.verdict(), *found.says(call.office.config.tz)))
    return Json(found.json() | {"whole": found.whole, "says": list(said)})


@router.get("/notices")
def notices_list(call: Reads, asked: Annotated[NoticesAsked, Query()]) -> Response:
    """Incidents that stand, and how many were told of each."""
    with call.office.db.read() as conn:
        scope, below = people.unit_ids(conn, call.actor), before("notices", asked.cursor)
        more: dict[str, Any] = {"ended": asked.ended, "limit": asked.limit + 1, "before": below}
        rows = notices.listing(conn, scope, **more) if scope else []
        found = shapes.notices(conn, rows)
    return Json(page("notices", found, asked.limit))
