"""What can be read: the lists of the console, each in the JSON of the command line's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Table, select
from starlette.responses import Response

from bot import (
    audit,
    catalog,
    collect,
    compose,
    finding,
    notices,
    people,
    review,
    roster,
    shapes,
    tokens,
    trail,
)
from bot.collect import exporting, log
from bot.db import accounts, sources, units
from bot.deliver import holds, queue
from bot.model import (
    AccountState,
    DeliveryState,
    HoldScope,
    ItemState,
    PostState,
    ReplyState,
    SourceState,
)
from bot.schedule import solemn
from bot.web import counts, figures, shell, spoken
from bot.web.account import readable_account
from bot.web.api import bodies
from bot.web.api.door import Call, Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Number, Paged, Words, before, cursor_at, page
from bot.web.items import item_for, scope_of
from bot.web.queue import delivery_for
from bot.web.replies import WHOSE
from bot.web.reply import readable
from bot.web.review import post_for
from bot.web.schedules import listed
from bot.web.standings import standing_for
from bot.web.stop import lifted
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


class SearchAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: Words
    of: Literal["", "numbers", "posts", "items", "replies", "accounts", "people", "sources"] = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 5
    lang: Literal["zh", "en"] | None = None


class ItemsAsked(Paged):
    state: Literal["", "waiting"] | ItemState = ""
    source: Words = ""
    q: Words = ""
    handed_in: Annotated[Words, Query(description="by the unit of this key")] = ""


class AccountsAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal[""] | AccountState = ""


class SourcesAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: Literal[""] | SourceState = ""
    failing: bool = False


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


class TokensAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    everyone: bool = False


class TrailAsked(Paged):
    subject: Words = ""
    verb: Words = ""
    who: Words = ""


# ---------------------------------------------------------------- who, and with what


@router.get("/today")
def today(call: Reads) -> Response:
    """What waits for him and how the lists of his units stand: figures, each with where its rows are;
    who is on duty, what day it is, whether the machine runs."""
    office = call.office
    with office.db.read() as conn:
        now, scope = office.db.now(conn), people.unit_ids(conn, call.actor)
        return Json(figures.today(office, conn, now, call.actor, scope))


@router.get("/me")
def me(call: Reads) -> Response:
    """Whose token this is, what it is for, what he may do where, where he is signed in."""
    with call.office.db.read() as conn:
        own = int(call.actor.person or 0)
        sessions = [dict(row) for row in roster.open_sessions(conn, call.office.db.now(conn), own)]
        factor = roster.factor(conn, own)
        rows = conn.execute(select(units).order_by(units.c.id)).mappings().all()
        at = [(row, people.rights(conn, call.actor, row["id"])) for row in rows]
    mine = [{"key": row["key"], "name": row["name"], "rights": may} for row, may in at if may]
    token = shapes.picked(call.token, "id name scopes ends_at")
    said = {"login": call.token["login"], "name": call.actor.name, "token": token, "units": mine}
    return Json(said | {"sessions": sessions, "factor": factor})


@router.get("/units")
def units_list(call: Reads) -> Response:
    """The units he reads."""
    return _table(call, units, units.c.id, "id key name parent_id")


@router.get("/accounts")
def accounts_list(call: Reads, asked: Annotated[AccountsAsked, Query()]) -> Response:
    """Their accounts: state, identity, what each can do."""
    chosen = (accounts.c.state == asked.state,) if asked.state else ()
    return _table(call, accounts, accounts.c.unit_id, shapes.ACCOUNT, *chosen)


@router.get("/accounts/{key}")
def account(call: Reads, key: str) -> Response:
    """One account whole: credential's life, hours, holds, what is queued, how it was filed."""
    with call.office.db.read() as conn:
        row, scope = readable_account(conn, call.actor, key)
        return Json(shapes.account(call.office, conn, row, scope))


@router.get("/tokens")
def tokens_list(call: Reads, asked: Annotated[TokensAsked, Query()]) -> Response:
    """One's own tokens, without themselves; `everyone`: also of the people he administers."""
    with call.office.db.read() as conn:
        now = call.office.db.now(conn)
        found = tokens.listing(conn, call.actor, everyone=asked.everyone)
    return Json({"rows": [shapes.token(row, now) for row in found], "next": None})


@router.get("/sources")
def sources_list(call: Reads, asked: Annotated[SourcesAsked, Query()]) -> Response:
    """Their sources: when each was read, and why it failed."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        mine = [sources.c.unit_id.in_(scope)] + [counts.failing(scope)] * asked.failing
        mine += [sources.c.state == asked.state] if asked.state else []
        rows = conn.execute(select(sources).where(*mine).order_by(sources.c.id)).mappings().all()
    return Json({"rows": [shapes.source_row(row) for row in rows], "next": None})


def _table(call: Call, of: Table, unit: Any, names: str, *chosen: ColumnElement[bool]) -> Response:
    """The rows of the reader's units, all in one page: an office has few."""
    with call.office.db.read() as conn:
        mine = select(of).where(unit.in_(people.unit_ids(conn, call.actor)), *chosen)
        rows = conn.execute(mine.order_by(of.c.id)).mappings().all()
    return Json({"rows": [shapes.picked(row, names) for row in rows], "next": None})


@router.get("/search")
def search_everything(call: Reads, asked: Annotated[SearchAsked, Query()]) -> Response:
    """Posts, entries, replies, accounts, people and sources that hold some words, kind by kind;
    `place`: the page of what the words name exactly."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        place = finding.straight(conn, scope, asked.q)
        groups = finding.find(conn, scope, asked.q, most=asked.limit, of=asked.of)
    return Json(shapes.found(place, groups))


# ---------------------------------------------------------------- entries and posts


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


# ---------------------------------------------------------------- review, queue, holds


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


# ---------------------------------------------------------------- replies, trail


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


# ---------------------------------------------------------------- what needs attention


@router.get("/notices")
def notices_list(call: Reads, asked: Annotated[NoticesAsked, Query()]) -> Response:
    """Incidents that stand, and how many were told of each."""
    with call.office.db.read() as conn:
        scope, below = people.unit_ids(conn, call.actor), before("notices", asked.cursor)
        more: dict[str, Any] = {"ended": asked.ended, "limit": asked.limit + 1, "before": below}
        rows = notices.listing(conn, scope, **more) if scope else []
        found = shapes.notices(conn, rows)
    return Json(page("notices", found, asked.limit))


@router.get("/schedules")
def schedules(call: Reads) -> Response:
    """The schedules of the reader's units: next times, last occurrence; files nobody can read, too."""
    with call.office.db.read() as conn:
        found = listed(call.office, conn, call.actor)
    return Json({"rows": found, "next": None})
