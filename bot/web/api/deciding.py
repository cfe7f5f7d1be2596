"""Review, the queue, the stop switch, and taking replies out as a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from bot import people, review, trail
from bot.collect import exporting
from bot.deliver import holds, queue
from bot.model import HoldScope, Verdict, Window
from bot.web.api import bodies
from bot.web.api.door import Call, Reads, Route, Signs, Stops, Writes
from bot.web.api.heard import narrowed
from bot.web.api.once import Done, Json, once
from bot.web.queue import delivery_for
from bot.web.review import post_for
from bot.web.visit import AS_FILE, Id, download
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


@router.post("/posts/{post_id:int}/sign")
def decide(call: Signs, post_id: Id, said: bodies.Decided) -> Response:
    """Pass, return or refer the step that waits."""
    zone = call.office.config.tz
    window = Window(instant(said.begins or "", zone), instant(said.ends or "", zone))
    word = review.Decision(Verdict(said.verdict), said.digest, said.note, window, said.behalf)

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        state = review.decide(call.office, conn, now, call.actor, post_id, word)
        return {"post": post_id, "state": state}

    return once(call, act)


@router.post("/posts/{post_id:int}/revoke")
def revoke(call: Signs, post_id: Id, said: bodies.Reason) -> Response:
    """Take a sign-off back; what has not gone does not go."""

    def act(conn: Connection, now: datetime) -> Done:
        post = post_for(conn, call.actor, post_id)
        review.revoke(call.office, conn, now, call.actor, post["id"], said.reason)
        return {"post": post_id, "state": "draft"}

    return once(call, act)


@router.post("/standings", status_code=201)
def grant(call: Signs, said: bodies.Granted) -> Response:
    """A standing sign-off for a source, by the signer himself."""
    bounds: dict[str, Any] = {"daily_max": said.daily_max, "columns": said.columns}
    bounds |= {"note": said.note, "ends": instant(said.ends, call.office.config.tz)}

    def act(conn: Connection, now: datetime) -> Done:
        who = (call.actor, said.source)
        return {"standing": review.grant_standing(call.office, conn, now, *who, **bounds)}

    return once(call, act, 201)


@router.post("/queue/{delivery_id:int}/retry")
def retry(call: Writes, delivery_id: Id, said: bodies.At) -> Response:
    """Let it go, within the window that was signed."""
    at = instant(said.at or "", call.office.config.tz)
    return _on_delivery(call, delivery_id, partial(queue.retry, call.office), at)


@router.post("/queue/{delivery_id:int}/resolve")
def resolve(call: Writes, delivery_id: Id, said: bodies.Resolved) -> Response:
    """A person's word on an uncertain one, or a receipt of what was done by hand."""
    if said.word == "sent":
        return _on_delivery(call, delivery_id, queue.confirm_sent, said.link)
    if said.word == "drop":
        return _on_delivery(call, delivery_id, queue.drop)
    at = instant(said.at or "", call.office.config.tz)
    return _on_delivery(call, delivery_id, partial(queue.confirm_absent, call.office), at)


def _on_delivery(call: Call, delivery_id: int, stage: Callable[..., None], *more: Any) -> Response:
    def act(conn: Connection, now: datetime) -> Done:
        delivery_for(conn, call.actor, delivery_id)
        stage(conn, now, call.actor, delivery_id, *more)
        return {"delivery": delivery_id, "state": queue.one(conn, delivery_id)["state"]}

    return once(call, act)


@router.post("/holds", status_code=201)
def hold(call: Stops, said: bodies.Held) -> Response:
    """Stop, at once; `in_flight`: how many of the units one reads were begun before and cannot be
    called back."""
    scope, until = HoldScope(said.scope), instant(said.until or "", call.office.config.tz)

    def act(conn: Connection, now: datetime) -> Done:
        target = holds.target_of(conn, scope, said.target)
        what = (scope, target, said.reason, said.passes, until)
        made = holds.hold(conn, now, call.actor, *what)
        return {"hold": made, "in_flight": holds.in_flight(conn, people.unit_ids(conn, call.actor))}

    return once(call, act, 201)


@router.post("/holds/declare", status_code=201)
def declare(call: Stops, said: bodies.Declared) -> Response:
    """肃穆模式: a hold of all or of a unit, declared with its start and its end."""

    def act(conn: Connection, now: datetime) -> Done:
        zone, scope = call.office.config.tz, HoldScope(said.scope)
        who = (call.actor, scope, holds.target_of(conn, scope, said.target), said.reason)
        span = instant(said.begins or "", zone), instant(said.until, zone)
        return {"hold": holds.declare(conn, now, *who, *span, said.passes)}

    return once(call, act, 201)


@router.post("/holds/{hold_id:int}/let")
def let(call: Stops, hold_id: Id, said: bodies.Let) -> Response:
    """Let one more post pass a hold by its number."""

    def act(conn: Connection, now: datetime) -> Done:
        holds.let_through(conn, now, call.actor, hold_id, said.post)
        return {"hold": hold_id, "post": said.post}

    return once(call, act)


@router.post("/holds/{hold_id:int}/lift")
def lift(call: Stops, hold_id: Id) -> Response:
    """Lift a hold; `waiting`: how many fell due under it and now wait for a person."""

    def act(conn: Connection, now: datetime) -> Done:
        return {"waiting": holds.resume(conn, now, call.actor, hold_id)}

    return once(call, act)


@router.post(
    "/replies/export",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": AS_FILE}},
)
def export(call: Reads, said: bodies.Exported) -> Response:
    """What the filters find, all of it, as a file. Each time is on record; nothing is kept, so it
    takes no Idempotency-Key."""
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
    asked = narrowed(call, said)
    out = exporting.taken_out(call.office, call.actor, said.kind, scope, **asked)
    return download(out, "replies", said.kind)


@router.post(
    "/trail/export",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": AS_FILE}},
)
def export_trail(call: Reads, said: bodies.TrailExported) -> Response:
    """What the filters find of the trail, all of it, as a file. Each time is on record itself."""
    filters = {"subject": said.subject, "verb": said.verb, "who": said.who}
    return download(
        trail.taken_out(call.office, call.actor, said.kind, filters), "trail", said.kind
    )
