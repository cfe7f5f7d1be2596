"""写稿: a post's form. What was typed is never lost; what would be sent is shown by the sender's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter
from markupsafe import Markup
from sqlalchemy import Connection, RowMapping, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bot import compose, people, review
from bot.compose import Body
from bot.compose.writings import NEW
from bot.db import units
from bot.errors import ConfigError, Conflict, GongkaiError, Invalid, NotAllowed
from bot.model import Actor, PostState, Right
from bot.office import Office
from bot.web import content, mending, pictures, unsaved
from bot.web.form import Form, stored, typed
from bot.web.lists import Account, squares
from bot.web.marks import differences, marked
from bot.web.moving import picked, slots_for
from bot.web.render import Times
from bot.web.review import post_for, source_of
from bot.web.visit import Id, Signed, Visit, go
from bot.workdays import instant

router = APIRouter()
# Buttons of one picture (“up:” and its digest) or finding (bot.web.mending), which save nothing.
SHOWS = ("up", "down", "cut", "mend", "mend-all")


# ---------------------------------------------------------------- showing it


def shown(
    visit: Visit,
    form: Form,
    post: RowMapping | None,
    *,
    errors: Sequence[tuple[str, str]] = (),
    theirs: Form | None = None,
    status: int = 200,
    row: RowMapping | None = None,
) -> Response:
    """The form with its preview: each account's text, counted and screened as it would be sent.

    `theirs`: what was saved while this was written. `row`: the writing the form was taken from.
    """
    with visit.office.db.read() as conn:
        choices = _choices(conn, visit.actor, form.keys)
        if form.in_reply_to:  # an answer stands under what it answers, and nowhere else
            choices = [one for one in choices if one.key in form.in_reply_to]
        try:
            found = _preview(visit.office, conn, form, post)
        except (ConfigError, Invalid) as error:  # the office's word list or font; a card too long
            found = {"parts": [], "findings": [], "card": None}
            errors = [*errors, ("preview", str(error))]
        images = pictures.shown(conn, form.media, form.cuts)
        limits = pictures.limits(conn, form.keys)
        around = (
            _beside_it(visit, post, row)
            if visit.swaps
            else _around(conn, visit, post, row, choices)
        )
    return (visit.pieces if visit.swaps else visit.page)(
        "writing.html", status, mirror=_mirror(form.text, found["findings"]), form=form, post=post,
        choices=choices, **found, errors=list(errors), theirs=theirs, images=images, limits=limits, aspects=pictures.ASPECTS,
        saved=visit.params.get("done") == "saved", posted=visit.request.method == "POST", at=_readable(form.go_at, visit.office),
        difference=differences(theirs.text, form.text) if theirs else "", unsaved=row, **around,
        picture_alt=_alt_left(visit, errors),
    )  # fmt: skip


def _alt_left(visit: Visit, errors: Sequence[tuple[str, str]]) -> str:
    """What was typed for a picture, unless a picture has it now."""
    refused = any(place == "picture" for place, _ in errors)
    return visit.field("picture_alt") if refused or not visit.files("picture") else ""


def _beside_it(visit: Visit, post: RowMapping | None, row: RowMapping | None) -> dict[str, Any]:
    """Of `_around` what a preview that is swapped in needs: nothing is asked of the store."""
    place = unsaved.place_of(visit, post["id"] if post else NEW, row)
    none: dict[str, Any] = dict.fromkeys(("slots", "unit_names", "left", "others"), ())
    return {**none, "place": place, "number": 0, "newer": None, "source": None}


def _around(
    conn: Connection,
    visit: Visit,
    post: RowMapping | None,
    row: RowMapping | None,
    choices: Sequence[Account],
) -> dict[str, Any]:
    """What stands around the form: its times and units, which writing it is, others at the post or
    other new ones, the entry it was made of."""
    now, ids = visit.office.db.now(conn), [one.id for one in choices]
    place = unsaved.place_of(visit, post["id"] if post else NEW, row)
    slots = slots_for(conn, now, ids, post["id"] if post else 0)
    found = {"place": place, "slots": slots, "unit_names": people_units(conn, visit.actor)}
    if post is None:
        left = [one for one in unsaved.beginnings(conn, visit) if one["key"] != place.key]
        alone = {"left": left, "number": 0, "others": [], "newer": None, "source": None}
        return found | alone
    number = compose.current(conn, post)["number"]
    here = unsaved.beside(conn, now, visit.actor, post, number)
    return {**found, "left": [], "number": number, "source": source_of(conn, post), **here}


def _choices(conn: Connection, actor: Actor, keys: Sequence[str] = ()) -> list[Account]:
    """The accounts of the units this person writes for, and those already chosen."""
    mine = people.unit_ids(conn, actor, Right.WRITE)
    return [a for a in squares(conn).values() if a.unit_id in mine or a.key in keys]


def people_units(conn: Connection, actor: Actor) -> list[tuple[int, str]]:
    """The units this person may write for."""
    mine = people.unit_ids(conn, actor, Right.WRITE)
    rows = conn.execute(select(units.c.id, units.c.name).where(units.c.id.in_(mine)))
    return list(rows)


def _preview(
    office: Office, conn: Connection, form: Form, post: RowMapping | None
) -> dict[str, Any]:
    """The parts as they would be sent, what screening says of them, and the card where one goes."""
    if not form.keys:
        return {"parts": [], "findings": [], "card": None}
    body = _body(office, conn, form, post)
    body = compose.kept(_before(conn, post) or body, body)
    at = _readable(form.go_at, office)
    rendered = compose.preview(office, conn, body, form.keys, go_at=at, post=post)
    parts = content.alike(
        [content.part(r.account, r.part, r.outgoing.json(), r.digest) for r in rendered]
    )
    content.from_pictures(parts, [vars(m) for m in body.media])
    found = [
        body.told(f) | {"account": r.account["key"], "part": r.part}
        for r in rendered
        for f in r.findings
    ]
    listed = content.with_findings(parts, found, partial(mending.placed, form.fields))
    mending.with_fixes(form.fields, listed)
    return {"parts": parts, "findings": listed, "card": _card(parts, len(body.media))}


def _before(conn: Connection, post: RowMapping | None) -> Body | None:
    return Body.of(compose.current(conn, post)["body"]) if post else None


def _body(office: Office, conn: Connection, form: Form, post: RowMapping | None) -> Body:
    """What the form says. A card stays while its words are the same, else it is drawn anew."""
    body, before = form.body, _before(conn, post)
    had = before.card if before else None
    if not form.card:
        return replace(body, card=compose.NO_CARD if had else None)
    if before and had and compose.same_words(before, body):
        return replace(body, card=had)
    of = (post["unit_id"], post["item_id"]) if post else (form.unit, None)
    card = compose.card_for(office, conn, office.db.now(conn), of, body)
    return replace(body, card=card)


def _card(parts: Sequence[dict[str, Any]], own: int) -> dict[str, Any] | None:
    """The card's picture and the accounts it goes to: it stands behind the author's own pictures."""
    shows = [p for p in parts if p["number"] == 0 and len(p["payload"]["media"]) > own]
    if not shows:
        return None
    return {
        "media": shows[0]["payload"]["media"][-1],
        "accounts": [a for p in shows for a in p["accounts"]],
    }


def _mirror(text: str, findings: Sequence[dict[str, Any]]) -> Markup:
    """What was typed with the findings marked, also where an account gets it cut or framed."""
    places = [(each, each["place"]) for each in findings]
    here = [(each, at) for each, at in places if at and at.field == mending.TEXT]
    return marked(text, [{**each, "start": at.start, "end": at.end} for each, at in here])


def _readable(typed: str, office: Office) -> datetime | None:
    """The time in the field; one that cannot be read is told when it is kept, not here."""
    try:
        return instant(typed, office.config.tz)
    except Invalid:
        return None


@router.get("/posts/new")
def new_page(visit: Signed) -> Response:
    """An empty form, one begun at a free slot (`go_at`, `account`), or one left unsaved (`draft`).
    The reader must be able to write somewhere."""
    with visit.office.db.read() as conn:
        choices, mine = _choices(conn, visit.actor), people_units(conn, visit.actor)
        row = compose.writing(conn, visit.actor, NEW, visit.params.get("draft", ""))
    if not mine:
        raise NotAllowed("写稿由编辑办理；您可以查看稿件", right=Right.WRITE)
    wanted = visit.params.get("account")
    keys = tuple(a.key for a in choices if wanted == a.key or len(choices) == 1)
    go_at = Times(visit.office).entry(_asked(visit, "go_at"))
    form, errors = Form(unit=mine[0][0], keys=keys, go_at=go_at), list[tuple[str, str]]()
    if row is not None:
        form, errors = _restored(visit, row, form)
    return shown(visit, form, None, row=row, errors=errors)


def _asked(visit: Visit, name: str) -> datetime | None:
    """A time the address names; what is none is left out."""
    try:
        return instant(visit.params.get(name, ""), visit.office.config.tz)
    except Invalid:
        return None


@router.get("/posts/{post_id:int}/edit")
def edit_page(visit: Signed, post_id: Id) -> Response:
    with visit.office.db.read() as conn:
        post = post_for(conn, visit.actor, post_id)
        people.require(conn, visit.actor, Right.WRITE, post["unit_id"])
        saved = stored(visit.office, conn, post)
        row = compose.writing(conn, visit.actor, post_id)
    form, errors = _restored(visit, row, saved) if row else (saved, [])
    if row is None or (replace(form, version=saved.version) == saved and not errors):
        return shown(visit, saved, post)
    theirs = saved if form.version != saved.version else None
    return shown(visit, form, post, row=row, theirs=theirs, errors=errors)


def _restored(visit: Visit, row: RowMapping, base: Form) -> tuple[Form, list[tuple[str, str]]]:
    """The form that was kept unsaved; with what cannot be done to its pictures, which stay as they were."""
    before = unsaved.as_typed(visit, row)
    form = typed(before, base)
    try:
        form.media, form.cuts = pictures.arranged(before, form.media, form.cuts)
    except GongkaiError as error:
        return form, [("picture", str(error))]
    return form, []


# ---------------------------------------------------------------- saving it


@router.post("/posts/new")
async def create(visit: Signed) -> Response:
    return await _taken(visit, None)


@router.post("/posts/{post_id:int}/edit")
async def edit(visit: Signed, post_id: Id) -> Response:
    return await _taken(visit, post_id)


async def _taken(visit: Visit, post_id: int | None) -> Response:
    """The pictures are read whole before the store is touched."""
    chosen = [(await each.read(), each.filename or "") for each in visit.files("picture")]
    return await run_in_threadpool(_worked, visit, post_id, chosen)


def _worked(visit: Visit, post_id: int | None, chosen: Sequence[tuple[bytes, str]]) -> Response:
    """`act`: preview shows, save keeps, submit keeps and hands in."""
    with visit.office.db.read() as conn:
        post = post_for(conn, visit.actor, post_id) if post_id else None
        before = stored(visit.office, conn, post) if post else Form()
    form, act = typed(visit, before), visit.field("act")
    try:
        _with_pictures(visit, form, chosen)
    except GongkaiError as error:
        return shown(visit, form, post, errors=[("picture", str(error))], status=422)
    try:
        if act.startswith("mend"):
            _mend(visit, form, post, act)
        if act == "preview" or act.partition(":")[0] in SHOWS:
            return shown(visit, form, post)
        return _kept(visit, form, post, before)
    except Conflict as error:
        changed = before if post and form.version != before.version else None
        return shown(visit, form, post, errors=[("", str(error))], theirs=changed, status=409)
    except GongkaiError as error:
        return shown(visit, form, post, errors=[(_place(form), str(error))], status=422)


def _with_pictures(visit: Visit, form: Form, chosen: Sequence[tuple[bytes, str]]) -> None:
    """New ones taken in, all cut and ordered as the form says."""
    form.media, form.cuts = pictures.arranged(visit, form.media, form.cuts)
    for each in chosen:
        taken = pictures.take_in(visit, *each)
        form.media = (*(m for m in form.media if m.sha256 != taken.sha256), taken)


def _mend(visit: Visit, form: Form, post: RowMapping | None, act: str) -> None:
    """What a finding's button chose, put into the form."""
    with visit.office.db.read() as conn:
        found = _preview(visit.office, conn, form, post)
    fields = mending.mended(form.fields, found["findings"], act)
    form.text = fields.pop("text")
    form.variants = {name.removeprefix("variant-"): own for name, own in fields.items()}


def _place(form: Form) -> str:
    """The field an error most likely means."""
    return "keys" if not form.keys else "text" if not form.text else ""


def _kept(visit: Visit, form: Form, post: RowMapping | None, before: Form) -> Response:
    """Kept and handed in in one transaction: what cannot be handed in leaves no half-way post."""
    office, submit = visit.office, visit.field("act") == "submit"
    if not (form.text or form.media):
        raise Invalid("正文还是空的")
    zone = office.config.tz
    times = {name: instant(getattr(form, name), zone) for name in ("go_at", "latest_at")}
    with office.db.write() as conn:
        now = office.db.now(conn)
        if slot := picked(visit, conn, now, post["id"] if post else 0):
            form.go_at, times["go_at"] = Times(office).entry(slot), slot
        if post is None:
            post_id = _created(office, conn, now, visit.actor, form, times)
        else:
            post_id = post["id"]
            _revised(office, conn, now, visit.actor, form, post, before, times)
        if submit:
            _refuse_late(now, times["go_at"])
            review.submit(office, conn, now, visit.actor, post_id)
        compose.drop_writing(conn, visit.actor, post["id"] if post else NEW, visit.field("key"))
    return go(f"/posts/{post_id}?done=submit" if submit else f"/posts/{post_id}/edit?done=saved")


def _refuse_late(now: datetime, go_at: datetime | None) -> None:
    if go_at and go_at < now:
        raise Invalid("计划时间已过，请改到现在以后，或留空（签后即发）")


def _created(
    office: Office, conn: Connection, now: datetime, actor: Actor, form: Form, times: dict[str, Any]
) -> int:
    form.unit = form.unit or next((u for u, _ in people_units(conn, actor)), 0)
    body = _body(office, conn, form, None)
    return compose.create(
        office, conn, now, actor, unit_id=form.unit, keys=form.keys, body=body,
        emergency=form.emergency, **times,
    )  # fmt: skip


def _revised(
    office: Office, conn: Connection, now: datetime, actor: Actor, form: Form,
    post: RowMapping, before: Form, times: dict[str, Any],
) -> None:  # fmt: skip
    """A new revision, unless nothing was changed on a draft."""
    if post["state"] == PostState.DRAFT and form == before:
        return
    compose.revise(
        office, conn, now, actor, post["id"], form.version, _body(office, conn, form, post), form.keys,
        emergency=form.emergency, **times,
    )  # fmt: skip
