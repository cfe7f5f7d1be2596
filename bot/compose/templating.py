"""A template as its writer works at it: tried on real entries, and kept only when it renders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import files, people, templates
from bot.compose.body import Body
from bot.compose.catalogue import named
from bot.compose.filling import (
    NOTHING,
    WHOLE,
    body_of,
    document_of,
    facts,
    fields_of,
    setting,
)
from bot.compose.reading import accounts_of, item_of
from bot.db import accounts, items, sources
from bot.errors import ConfigError, Invalid
from bot.language import Say
from bot.model import Actor, Entry, PostKind, Right
from bot.office import Office

TRIALS = 20  # entries a template is held to before it is kept
DAY = "2026-11-24T09:30"  # of a field that somebody must fill in: any will do to see the text


def subject_of(key: str) -> str:
    """A template's name in the trail."""
    return f"template:{key}"


def template_file(office: Office, key: str) -> files.File:
    """Its file, which need not be there yet. Raises ConfigError."""
    return files.read(templates.path_of(office.config.place(office.config.templates), key))


def rehearse(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    key: str,
    text: str,
    keys: Sequence[str],
    said: Mapping[str, str],
    item_id: int | None = None,
) -> Body:
    """What a template of these words would give, of an entry or of none; nothing is kept.

    Fields that must be filled in and are not have a sample. Words that do not stand in the file are
    run only for who may change it. Raises NotAllowed, ConfigError, Invalid, NotFound.
    """
    text = files.tidied(text)
    if text != files.tidied(template_file(office, key).text):
        people.require_everywhere(conn, actor, Right.ADMIN)
    made = templates.parse(office.config.place(office.config.templates), key, text)
    if not keys:
        raise Invalid("请至少选一个账号")
    entry, unit_id = Entry("", ""), accounts_of(conn, keys)[0]["unit_id"]
    if item_id is not None:
        item = item_of(conn, item_id)
        entry, unit_id = Entry.of(item["entry"]), item["unit_id"]
    more = setting(office, conn, now, unit_id)
    more |= _stand_ins(office, conn, made, entry, now)
    spoken = _samples(made, {**fields_of(office, entry), **more}) | {
        name: words for name, words in said.items() if words.strip() and name in made.front.fields
    }
    return body_of(office, conn, made, entry, keys, spoken, more)


def save_template(office: Office, actor: Actor, key: str, text: str, digest: str) -> str:
    """Keep a template in its file, if it renders; give its digest.

    `digest`: of what its writer read, "" where there was none. It is tried before anything is locked:
    one that takes its time keeps nobody waiting. Raises NotAllowed, ConfigError naming file, line,
    field and entry, files.Changed, Conflict, Invalid.
    """
    prove_template(office, actor, key, text)
    with office.db.write() as conn:
        return keep_template(office, conn, office.db.now(conn), actor, key, text, digest)


def prove_template(office: Office, actor: Actor, key: str, text: str) -> None:
    """Does it render? Raises NotAllowed, ConfigError naming file, line, field and entry."""
    with office.db.read() as conn:
        people.require_everywhere(conn, actor, Right.ADMIN)
        folder = office.config.place(office.config.templates)
        made = templates.parse(folder, key, files.tidied(text))
        _prove(office, conn, office.db.now(conn), made)


def keep_template(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    key: str,
    text: str,
    digest: str,
) -> str:
    """Put one that was proved into its file; give its digest. Raises as files.change."""
    path = templates.path_of(office.config.place(office.config.templates), key)
    return files.change(office, conn, now, actor, subject_of(key), path, text, digest)


def _prove(office: Office, conn: Connection, now: datetime, made: templates.Template) -> None:
    """Each name is one that something is given under, and the newest entries of the sources that use
    it come out on each account. What it refuses by its own fail("…") is right."""
    if strangers := made.strangers():
        raise strangers[0]
    trials = list(_trials(office, conn, made.key))
    everywhere = conn.execute(select(accounts).order_by(accounts.c.id)).mappings().all()
    for item, keys in trials:
        rows = [row for row in everywhere if row["key"] in keys] or everywhere
        try:
            with named(item["id"], item["title"]):
                _render(office, conn, now, made, Entry.of(item["entry"]), rows)
        except templates.Withheld:
            continue
    if not trials:
        try:
            _render(office, conn, now, made, Entry("", str(Say("示例标题"))), everywhere)
        except templates.Withheld:
            return


def _trials(
    office: Office, conn: Connection, key: str
) -> Iterator[tuple[RowMapping, Sequence[str]]]:
    """The newest entries it would be used for, else the newest there are; and their accounts."""
    parts = office.config.sources
    using = [
        name
        for name, part in parts.items()
        if key in (part.template, *(rule.template for rule in part.rules))
    ]
    query = select(*items.c, sources.c.key.label("source_key")).join(sources)
    newest = query.where(items.c.gone_at.is_(None)).order_by(items.c.id.desc()).limit(TRIALS)
    found = conn.execute(newest.where(sources.c.key.in_(using))).mappings().all()
    for item in found or conn.execute(newest).mappings():
        part = parts.get(item["source_key"])
        part = part and part.of_column(item["column"])
        if not using or part is None or part.template == key:
            yield item, part.accounts if part else ()


def _render(
    office: Office,
    conn: Connection,
    now: datetime,
    made: templates.Template,
    entry: Entry,
    rows: Sequence[RowMapping],
) -> None:
    have = {"unit": "", "day": now.astimezone(office.config.tz), **fields_of(office, entry)}
    have |= _stand_ins(office, conn, made, entry, now)
    fields = {**NOTHING, **have, **made.given(_samples(made, have), office.config.tz, have)}
    if "document" in made.names:
        fields["document"] = document_of(office, conn, entry)
    made.title(fields)
    for account in (WHOLE, *map(facts, rows)):
        made.render({**fields, "account": account})


def _samples(made: templates.Template, have: Mapping[str, Any]) -> dict[str, str]:
    """What somebody must say and nobody has yet."""
    return {
        name: str(Say("（{name}）", name=field.name))
        if field.kind == "text"
        else DAY[: _LENGTH[field.kind]]
        for name, field in made.front.fields.items()
        if field.required and not have.get(name)
    }


_LENGTH = {"date": 10, "time": 16}


def _stand_ins(
    office: Office, conn: Connection, made: templates.Template, entry: Entry, now: datetime
) -> dict[str, Any]:
    """What the stages would give beside an entry, for the names this template asks for."""
    at = now.astimezone(office.config.tz)
    title = entry.title or str(Say("示例标题"))
    words = {"text": str(Say("示例正文。")), "author": "", "mention": "", "name": title}
    given: dict[str, Any] = {"title": title, **words, "number": 1, "of": 3}
    if made.front.kind is PostKind.CORRECTION:
        given["earlier"] = {"title": title, "at": at, "url": entry.link}
    if "entries" in made.names:
        newest = select(items.c.entry).where(items.c.gone_at.is_(None)).order_by(items.c.id.desc())
        rows = conn.execute(newest.limit(3)).scalars()
        given["entries"] = [fields_of(office, Entry.of(row)) for row in rows]
    return {name: value for name, value in given.items() if name in made.names}


def line_in(error: ConfigError | Say) -> int:
    """The line a mistake is told of, wherever in the sentence it stands; 0: none."""
    say = error.say if isinstance(error, ConfigError) else error
    if "line" in say.values:
        return int(say.values["line"])
    return next((line_in(v) for v in say.values.values() if isinstance(v, Say)), 0)
