"""Entries and posts: typed in, handed in, drafted, changed, handed to review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, RowMapping, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bot import catalog, compose, media, people, review, shapes
from bot.db import media as pictures
from bot.errors import NotFound
from bot.media import MAX_BYTES
from bot.model import Media, OverLimit, Right
from bot.web.account import readable_account
from bot.web.api import bodies
from bot.web.api.bodies import Digest
from bot.web.api.door import Call, Reads, Route, Sends, Signs, Writes
from bot.web.api.once import Done, Json, once
from bot.web.api.paging import Words
from bot.web.items import item_for
from bot.web.media import shown
from bot.web.reply import readable
from bot.web.review import post_for
from bot.web.visit import Id
from bot.workdays import instant

router = APIRouter(route_class=Route, default_response_class=Json)


# ---------------------------------------------------------------- entries


@router.post("/items", status_code=201)
def add(call: Writes, said: bodies.Typed) -> Response:
    """Type entries in, or hand them in to another unit (`to`). All or none."""
    entries = catalog.entries_of(call.office, [one.model_dump() for one in said.entries])

    def act(conn: Connection, now: datetime) -> Done:
        if said.to is None:
            return {"items": catalog.add(conn, now, call.actor, said.unit, entries)}
        return {"items": catalog.submit(conn, now, call.actor, said.unit, said.to, entries)}

    return once(call, act, 201)


@router.put("/items/{item_id:int}")
def amend(call: Writes, item_id: Id, said: bodies.Entry) -> Response:
    """Change an entry kept by hand: what is sent is the whole of it."""
    (entry,) = catalog.entries_of(call.office, [said.model_dump()])

    def act(conn: Connection, now: datetime) -> Done:
        item_for(conn, call.actor, item_id)
        catalog.amend(conn, now, call.actor, item_id, entry)
        return {"item": item_id}

    return once(call, act)


@router.post("/items/{item_id:int}/return")
def give_back(call: Writes, item_id: Id, said: bodies.Reason) -> Response:
    """Give material back to the unit it came from."""

    def act(conn: Connection, now: datetime) -> Done:
        item_for(conn, call.actor, item_id)
        catalog.give_back(conn, now, call.actor, item_id, said.reason)
        return {"item": item_id}

    return once(call, act)


@router.post("/items/{item_id:int}/post", status_code=201)
def compose_from(call: Writes, item_id: Id, said: bodies.Composed) -> Response:
    """A draft of an entry, by a template."""

    def act(conn: Connection, now: datetime) -> Done:
        item_for(conn, call.actor, item_id)
        words = said.template, said.accounts, said.fields
        made = compose.from_item(
            call.office, conn, now, call.actor, item_id, *words, assisted=said.assisted
        )
        return {"post": made}

    return once(call, act, 201)


# ---------------------------------------------------------------- posts


@router.post("/posts", status_code=201)
def new(call: Writes, said: bodies.NewPost) -> Response:
    """A draft."""
    times = _times(call, said)
    body = replace(compose.Body(""), **_written(call, said))
    _fitted(call, body, said.accounts)

    def act(conn: Connection, now: datetime) -> Done:
        made = compose.create(
            call.office,
            conn,
            now,
            call.actor,
            unit_id=people.unit_of(conn, said.unit)["id"],
            keys=said.accounts,
            body=body,
            emergency=said.emergency,
            **times,
        )
        return {"post": made}

    return once(call, act, 201)


@router.put("/posts/{post_id:int}")
def revise(call: Writes, post_id: Id, said: bodies.Revised) -> Response:
    """A new revision; the sign-off of the one before is void."""
    times, words = _times(call, said), _written(call, said)

    def act(conn: Connection, now: datetime) -> Done:
        post = post_for(conn, call.actor, post_id)
        before = compose.Body.of(compose.current(conn, post)["body"])
        version = compose.revise(
            call.office,
            conn,
            now,
            call.actor,
            post_id,
            said.version,
            replace(before, **words),
            said.accounts,
            emergency=said.emergency,
            **times,
        )
        return {"post": post_id, "version": version}

    return once(call, act)


def _times(call: Call, said: bodies.Written) -> dict[str, Any]:
    zone = call.office.config.tz
    return {name: instant(getattr(said, name) or "", zone) for name in ("go_at", "latest_at")}


def _written(call: Call, said: bodies.Written) -> dict[str, Any]:
    """The fields of a compose.Body."""
    plain = ("title", "link", "language", "visibility", "warning", "variants", "assisted")
    return {
        **{name: getattr(said, name) for name in plain},
        "text": said.text.strip(),
        "over_limit": OverLimit(said.over_limit) if said.over_limit else None,
        "media": _pictures(call, said.media),
    }


def _pictures(call: Call, said: Sequence[bodies.Picture]) -> tuple[Media, ...]:
    """Pictures that were sent in before. Raises NotFound."""
    query = select(pictures).where(
        pictures.c.sha256.in_([one.sha256 for one in said]), pictures.c.kind.startswith("image/")
    )
    with call.office.db.read() as conn:
        there = {row["sha256"]: row for row in conn.execute(query).mappings()}
    if missing := [one.sha256 for one in said if one.sha256 not in there]:
        raise NotFound("没有图片 {sha256}，请先上传", sha256=missing[0])
    return tuple(_picture(there[one.sha256], one.alt) for one in said)


def _picture(row: RowMapping, alt: str) -> Media:
    return Media(row["sha256"], row["kind"], row["size"], row["width"], row["height"], alt)


@router.post("/posts/preview")
def preview(call: Sends, said: bodies.Previewed) -> Response:
    """What would be sent on each account, counted and screened; nothing is kept, so it takes no
    Idempotency-Key."""
    body, at = replace(compose.Body(""), **_written(call, said)), _times(call, said)["go_at"]
    with call.office.db.read() as conn:
        people.require_anywhere(conn, call.actor, Right.WRITE)
        for key in said.accounts:
            readable_account(conn, call.actor, key)
        post = None if said.post is None else post_for(conn, call.actor, said.post)
        found = compose.preview(call.office, conn, body, said.accounts, go_at=at, post=post)
    return Json({"parts": [shapes.part(one) for one in found]})


def _fitted(call: Call, body: compose.Body, keys: Sequence[str]) -> None:
    """Large pictures are made to fit before others must wait."""
    if body.media:
        with call.office.db.read() as conn:
            compose.preview(call.office, conn, body, keys)


@router.post("/posts/{post_id:int}/withdraw", status_code=201)
def withdraw(call: Writes, post_id: Id, said: bodies.Reason) -> Response:
    """A decision to take a sent post down, itself to be signed; give the post it is."""

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        made = compose.withdrawal(call.office, conn, now, call.actor, post_id, said.reason)
        return {"post": made}

    return once(call, act, 201)


@router.post("/posts/{post_id:int}/correct", status_code=201)
def correct(call: Writes, post_id: Id, said: bodies.Corrected) -> Response:
    """A post that says what was wrong in a sent one, itself to be signed; give the post it is."""
    words = said.wrong, said.right, said.reason

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        return {"post": compose.correction(call.office, conn, now, call.actor, post_id, *words)}

    return once(call, act, 201)


@router.post("/replies/{reply_id:int}/answer", status_code=201)
def answer(call: Writes, reply_id: Id, said: bodies.Answer) -> Response:
    """A draft that answers a public reply."""

    def act(conn: Connection, now: datetime) -> Done:
        readable(conn, call.actor, reply_id)
        more = {"assisted": said.assisted}
        made = compose.answer(call.office, conn, now, call.actor, reply_id, said.text, **more)
        return {"post": made}

    return once(call, act, 201)


# ---------------------------------------------------------------- pictures


class Large(Route):
    """Pictures are larger than words."""

    most = MAX_BYTES


uploads = APIRouter(route_class=Large, default_response_class=Json)


BYTES = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}


@uploads.post("/media", status_code=201, openapi_extra={"requestBody": {"required": True, **BYTES}})
async def picture(request: Request, call: Sends, name: Words = "") -> Response:
    """A picture's bytes; give what a post names it by. The same again is the same picture."""
    content = await request.body()
    return await run_in_threadpool(_taken_in, call, content, name)


PICTURE = {
    kind: {"schema": {"type": "string", "format": "binary"}, "example": "…"}
    for kind in (*media.KINDS.values(), "application/pdf")
}


@router.get(
    "/media/{sha256}",
    response_class=Response,
    responses={200: {"description": "The bytes", "content": PICTURE}},
)
def picture_of(call: Reads, sha256: Annotated[Digest, Path()]) -> Response:
    """The bytes of a picture, or of a sheet signed on paper."""
    return shown(call.office, call.actor, sha256)


class Sheet(BaseModel):
    """`signed_by`: who signed on paper; `digest`: of the revision that was read."""

    model_config = ConfigDict(extra="forbid")

    signed_by: Annotated[Words, Query(min_length=1)]
    digest: Digest
    name: Annotated[Words, Query(description="of the file")] = ""


@uploads.post(
    "/posts/{post_id:int}/offline", openapi_extra={"requestBody": {"required": True, **BYTES}}
)
async def offline(
    request: Request, call: Signs, post_id: Id, asked: Annotated[Sheet, Query()]
) -> Response:
    """The bytes of a sheet signed on paper (PDF or picture), for all the steps that wait."""
    content = await request.body()
    words = asked.digest, asked.signed_by, content, asked.name

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        state = review.record_offline(call.office, conn, now, call.actor, post_id, *words)
        return {"post": post_id, "state": state}

    return await run_in_threadpool(once, call, act)


def _taken_in(call: Call, content: bytes, name: str) -> Response:
    office = call.office
    with office.db.write() as conn:
        people.require_anywhere(conn, call.actor, Right.WRITE)
        made = media.take_picture(office.media, conn, office.db.now(conn), content, name)
    names = ("sha256", "kind", "size", "width", "height")
    return Json({name: getattr(made, name) for name in names}, 201)
