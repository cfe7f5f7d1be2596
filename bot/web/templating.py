"""模板: each with what uses it and what is wrong; one as it is edited, tried on real entries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from bot import compose, files, naming, people, review, shapes, templates
from bot.db import items, sources, units
from bot.errors import ConfigError, Conflict, GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.web import content
from bot.web.faults import status_of
from bot.web.items import FIELDS, item_for
from bot.web.lists import chosen, squares
from bot.web.marks import differences
from bot.web.visit import Signed, Visit, go, plain
from bot.web.words import OVER, USES

router = APIRouter()
PLACE = "/settings/templates"
DONE = {"saved": Say("已保存，下一次成稿即用；已成的稿件不变")}
FORMS = {
    "one": Say("一种"),
    "long": Say("长文"),
    "short": Say("微博体"),
    "card": Say("长图"),
}
MOST = 30  # entries to choose from


# ---------------------------------------------------------------- all of them


def readable_units(conn: Connection, actor: Actor) -> set[str]:
    """The keys of the reader's units. Raises NotAllowed for who reads nowhere."""
    people.require_anywhere(conn, actor, Right.READ)
    mine = units.c.id.in_(people.unit_ids(conn, actor))
    return set(conn.execute(select(units.c.key).where(mine)).scalars())


@router.get(PLACE)
def templates_page(visit: Signed) -> Response:
    with visit.office.db.read() as conn:
        mine = readable_units(conn, visit.actor)
        found: dict[str, Any] = {
            "rows": shapes.templates(visit.office, mine),
            "called": naming.of_sources(conn),
            "may": people.everywhere(conn, visit.actor, Right.ADMIN),
        }
    folder = visit.office.config.templates
    words: dict[str, Any] = {"forms": FORMS, "over": OVER, "uses": USES, "folder": folder}
    if key := visit.params.get("key", ""):
        return go(f"{PLACE}/{_new_key(key)}?{urlencode({'from': visit.params.get('from', '')})}")
    return visit.page("settings_templates.html", **found, **words)


def _new_key(key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", key):
        raise Invalid("模板的键用字母、数字和 - _，例：policy-short")
    return key


# ---------------------------------------------------------------- one, as it is worked at


@dataclass
class Form:
    """What stands in the fields: the text, and what it is tried on."""

    key: str
    text: str
    digest: str  # of what was read
    item: int | None = None
    keys: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)


@router.get(PLACE + "/{key}")
def template_page(visit: Signed, key: str) -> Response:
    """The file as it stands; `version`: as it stood; `from`: a new one, begun as a copy of another."""
    office = visit.office
    with office.db.read() as conn:
        readable_units(conn, visit.actor)
        file, begun = compose.template_file(office, key), visit.params.get("from")
        if not file.digest and begun is None:
            raise NotFound("没有模板 {file}", file=f"{office.config.templates}/{key}.txt")
        text = file.text
        if not file.digest:
            people.require_everywhere(conn, visit.actor, Right.ADMIN)
            _new_key(key)
            text = compose.template_file(office, begun).text if begun else ""
        elif version := visit.params.get("version", ""):
            text = files.earlier(office, conn, compose.subject_of(key), version)
        item, keys = _first(conn, visit, key)
    form = Form(key, text, file.digest, chosen(visit.params, "item") or item, keys)
    return _shown(visit, form, done=visit.done(DONE))


@router.post(PLACE + "/{key}")
def edit_template(visit: Signed, key: str) -> Response:
    """`act`: preview shows what it would give, save keeps it. `digest`: of what was read."""
    form = _typed(visit, key)
    if visit.field("act") != "save":
        return _shown(visit, form)
    try:
        compose.save_template(visit.office, visit.actor, key, form.text, form.digest)
    except (ConfigError, Invalid, Conflict) as error:
        return _shown(visit, form, status_of(error), error=error)
    return go(f"{PLACE}/{key}?done=saved{f'&item={form.item}' if form.item else ''}")


def _typed(visit: Visit, key: str) -> Form:
    text = visit.form.get("text", "")
    text = plain(text).replace("\r\n", "\n") if isinstance(text, str) else ""
    said = {
        name.removeprefix("said-"): plain(value)
        for name, value in visit.form.items()
        if name.startswith("said-") and isinstance(value, str)
    }
    item = visit.field("item")
    number = int(item) if item.isascii() and item.isdigit() and len(item) < 16 else None
    return Form(key, text, visit.field("digest"), number, tuple(visit.fields("keys")), said)


def _shown(
    visit: Visit,
    form: Form,
    status: int = 200,
    *,
    error: GongkaiError | None = None,
    done: Say | None = None,
) -> Response:
    office = visit.office
    with office.db.read() as conn:
        mine = readable_units(conn, visit.actor)
        file = compose.template_file(office, form.key)
        accounts = list(squares(conn, people.unit_ids(conn, visit.actor)).values())
        form.keys = tuple(a.key for a in accounts if a.key in form.keys)
        tried = _tried(visit, conn, form)
        theirs = file if isinstance(error, files.Changed) else None
        values = {
            "file": file,
            "theirs": theirs,
            "difference": differences(theirs.text, form.text) if theirs else None,
            "may": people.everywhere(conn, visit.actor, Right.ADMIN),
            "uses": shapes.template_uses(office, mine).get(form.key, []),
            "called": naming.of_sources(conn),
            "voided": review.bound_to(conn, office.db.now(conn), form.key),
            "history": files.history(conn, compose.subject_of(form.key)),
            "choices": _entries(conn, visit, form.key, form.item),
            "accounts": accounts,
        }
    if theirs:
        form.digest = theirs.digest
    wrong = {"error": error, "line": _line(form.text, error) if error else ""}
    front = _front(office, form)
    words = {
        "words_of_use": USES,
        "entry": {name: FIELDS[name] for name in templates.ENTRY},
        "added": sorted(templates.ADDED),
    }
    return visit.page(
        "settings_template.html", status, form=form, **values, **wrong, **tried, **words,
        front=front, done=done, version=visit.params.get("version", ""),
    )  # fmt: skip


def _front(office: Office, form: Form) -> Any:
    """Its front matter, as far as it can be read."""
    folder = office.config.place(office.config.templates)
    for text in (form.text, compose.template_file(office, form.key).text):
        try:
            return templates.parse(folder, form.key, text).front
        except ConfigError:
            continue
    return None


def _line(text: str, error: GongkaiError) -> str:
    """The line of the text a mistake is told of, to be read beside it."""
    lines, n = text.split("\n"), compose.line_in(error.say)
    return lines[n - 1].strip() if 0 < n <= len(lines) else ""


# ---------------------------------------------------------------- tried on an entry


def _tried(visit: Visit, conn: Connection, form: Form) -> dict[str, Any]:
    """What it would give: parts and findings; or why it gives none."""
    office = visit.office
    found: dict[str, Any] = {"parts": [], "findings": [], "refused": None, "why": ""}
    if form.item is not None:
        item_for(conn, visit.actor, form.item)
    try:
        now = office.db.now(conn)
        words = (form.key, form.text, form.keys, form.said, form.item)
        body = compose.rehearse(office, conn, now, visit.actor, *words)
        rendered = compose.preview(office, conn, body, form.keys)
    except (ConfigError, Invalid) as error:
        return {**found, "refused": error, "why": _line(form.text, error)}
    parts = content.alike(
        [content.part(r.account, r.part, r.outgoing.json(), r.digest) for r in rendered]
    )
    said = [
        f.json() | {"account": r.account["key"], "part": r.part}
        for r in rendered
        for f in r.findings
    ]
    return {**found, "parts": parts, "findings": content.with_findings(parts, said)}


def _first(conn: Connection, visit: Visit, key: str) -> tuple[int | None, tuple[str, ...]]:
    """What a template is tried on first: the newest entry of a source that uses it, there."""
    rows = _entries(conn, visit, key)
    mine = squares(conn, people.unit_ids(conn, visit.actor))
    every = tuple(a.key for a in mine.values())
    if not rows:
        return None, every
    part = visit.office.config.sources.get(rows[0]["source"])
    return rows[0]["id"], (part.of_column(rows[0]["column"]).accounts if part else ()) or every


def _entries(
    conn: Connection, visit: Visit, key: str, also: int | None = None
) -> Sequence[RowMapping]:
    """Entries of the reader's units to try it on: those it is used for first, the newest first."""
    parts = visit.office.config.sources
    using = [name for name, part in parts.items() if key in _templates(part)]
    picked = (items.c.id, items.c.title, items.c.column, sources.c.key.label("source"))
    query = (
        select(*picked)
        .join(sources)
        .where(sources.c.unit_id.in_(people.unit_ids(conn, visit.actor)), items.c.gone_at.is_(None))
    )
    first = sources.c.key.in_(using).desc(), items.c.id.desc()
    rows = conn.execute(query.order_by(*first).limit(MOST)).mappings().all()
    if also is None or also in {row["id"] for row in rows}:
        return rows
    return [*conn.execute(query.where(items.c.id == also)).mappings(), *rows]


def _templates(part: Any) -> Mapping[str, None]:
    return dict.fromkeys([part.template, *(rule.template for rule in part.rules)])
