"""What the office writes itself, tried and changed: templates, word lists, leaders, texts held to the rules.

Whoever changes a file names the `digest` of what he read: another by now is 409.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.responses import Response

from bot import compose, shapes, vocabulary
from bot.model import Severity
from bot.web.account import readable_account
from bot.web.api import bodies
from bot.web.api.door import Administers, Call, Reads, Route
from bot.web.api.once import Done, Json, once
from bot.web.items import item_for
from bot.web.rules import screened
from bot.web.templating import readable_units

router = APIRouter(route_class=Route, default_response_class=Json)
Key = Annotated[str, Path(max_length=100)]


def _readable(conn: Connection, call: Call, keys: Sequence[str]) -> None:
    """Accounts of the reader's units. Raises NotAllowed for who reads nowhere, NotFound."""
    readable_units(conn, call.actor)
    for key in keys:
        readable_account(conn, call.actor, key)


# ---------------------------------------------------------------- templates


@router.put("/templates/{key}")
def save(call: Administers, key: Key, said: bodies.Rewritten) -> Response:
    """Keep a template, if it renders on the newest entries; `digest` "" for a new one."""
    office = call.office

    def act(conn: Connection, now: datetime) -> Done:
        words = call.actor, key, said.text, said.digest
        return {"template": key, "digest": compose.keep_template(office, conn, now, *words)}

    return once(call, act, first=lambda: compose.prove_template(office, call.actor, key, said.text))


@router.post("/templates/{key}/preview")
def preview(call: Reads, key: Key, said: bodies.Rehearsed) -> Response:
    """What it would say of an entry, on each account; of other words (`text`) to who may keep them.
    Nothing is kept, so it takes no Idempotency-Key."""
    office = call.office
    with office.db.read() as conn:
        _readable(conn, call, said.accounts)
        if said.item is not None:
            item_for(conn, call.actor, said.item)
        text = compose.template_file(office, key).text if said.text is None else said.text
        words = key, text, said.accounts, said.fields, said.item
        body = compose.rehearse(office, conn, office.db.now(conn), call.actor, *words)
        parts = [shapes.part(one) for one in compose.preview(office, conn, body, said.accounts)]
    return Json({"title": body.title, "parts": parts})


# ---------------------------------------------------------------- screening


@router.post("/rules/try")
def try_text(call: Reads, said: bodies.Screened) -> Response:
    """A text held to the rules, as on an account; takes no Idempotency-Key, as nothing is kept."""
    with call.office.db.read() as conn:
        _readable(conn, call, [said.account] if said.account else [])
        found = screened(call.office, conn, said.text, said.account, said.scheduled)
    return Json(shapes.findings(found))


@router.post("/words")
def put(call: Administers, said: bodies.Term) -> Response:
    """A term, in the place of a line or, without one, at the end."""
    line = vocabulary.Line(
        said.line, said.words, Severity(said.severity), said.suggestion, said.exception
    )

    def act(conn: Connection, now: datetime) -> Done:
        what = call.actor, said.list, said.digest, line
        return {"digest": vocabulary.put(call.office, conn, now, *what)}

    return once(call, act)


@router.post("/words/drop")
def drop(call: Administers, said: bodies.Dropped) -> Response:
    """Take a line out."""

    def act(conn: Connection, now: datetime) -> Done:
        what = call.actor, said.list, said.digest, said.line
        return {"digest": vocabulary.drop(call.office, conn, now, *what)}

    return once(call, act)


@router.post("/words/import")
def take_in(call: Administers, said: bodies.Pasted) -> Response:
    """Add lines, as in the file or out of a spreadsheet: all or none."""

    def act(conn: Connection, now: datetime) -> Done:
        what = call.actor, said.list, said.digest, said.pasted
        return vocabulary.take_in(call.office, conn, now, *what)._asdict()

    return once(call, act)


@router.get("/leaders")
def leaders(call: Reads) -> Response:
    """The office's leaders, in order; `text` is the file's."""
    with call.office.db.read() as conn:
        readable_units(conn, call.actor)
    return Json(vocabulary.leaders_shown(call.office.config))


@router.put("/leaders")
def save_leaders(call: Administers, said: bodies.Rewritten) -> Response:
    """The list anew, in order."""

    def act(conn: Connection, now: datetime) -> Done:
        what = call.actor, said.digest, said.text
        return {"digest": vocabulary.save_leaders(call.office, conn, now, *what)}

    return once(call, act)
