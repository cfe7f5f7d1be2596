"""A template filled with an entry's fields, once for each account: a body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import templates
from bot.compose.body import Body, Card
from bot.compose.reading import accounts_of, item_of
from bot.compose.rendering import is_long
from bot.db import items, units
from bot.model import MACHINE, Actor, Capabilities, Entry, PostKind, Topics, Unit
from bot.office import Office
from bot.text import chinese_date, encoded

NOTHING = {"update": 1, "earlier": None, "document": None, "day": None, "unit": ""}
WHOLE = {  # a picture: an account without limits that shows the title by itself
    "key": "",
    "adapter": "",
    "name": "",
    "limit": 0,
    "unit": Unit.NONE,
    "link_weight": 0,
    "title": True,
    "topic_form": Topics.NONE,
    "long": True,
}
EXPLAINS = ("解读", "图解", "问答")
_QUOTED = re.compile("《(.+)》")

Facts = Callable[[RowMapping], Mapping[str, Any]]  # what differs from account to account


def load(office: Office, name: str) -> templates.Template:
    """A template of the office's. Raises ConfigError."""
    return templates.load(office.config.place(office.config.templates), name)


def of_template(made: templates.Template, actor: Actor) -> dict[str, Any]:
    """What a post remembers of its template.

    What a person writes as an emergency takes the emergency's steps; what the machine makes of an
    entry takes the unit's, for a standing sign-off may cover it in one name.
    """
    urgent = made.front.kind is PostKind.EMERGENCY and actor != MACHINE
    by = {"template": made.key, "template_digest": made.digest}
    return {**by, "kind": made.front.kind, "emergency": urgent}


def body_of(
    office: Office,
    conn: Connection,
    template: templates.Template,
    entry: Entry,
    keys: Sequence[str],
    said: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
    differing: Facts | None = None,
) -> Body:
    """The template rendered for each account; the first one's text stands for all that agree.

    `said`: what a person says for this post, over what the entry says. `more`, `differing`: what
    else the template may name, alike for all accounts and not. Raises ConfigError, Invalid, NotFound.
    """
    have = {**fields_of(office, entry), **(more or {})}
    fields = {**have, **template.given(said or {}, office.config.tz, have)}
    if "document" in template.names:
        fields["document"] = document_of(office, conn, entry)
    body = body_from(office, conn, template, fields, keys, differing)
    return replace(body, link=fields["link"], language=entry.language[:2] or "zh")


def tried(
    office: Office,
    conn: Connection,
    now: datetime,
    template: str,
    keys: Sequence[str],
    said: Mapping[str, str],
    item_id: int | None = None,
) -> Body:
    """The body a template would give, of an entry or of none, for the unit of the first account.

    Raises ConfigError, Invalid, NotFound.
    """
    entry, unit_id = Entry("", ""), accounts_of(conn, keys)[0]["unit_id"]
    if item_id is not None:
        item = item_of(conn, item_id)
        entry, unit_id = Entry.of(item["entry"]), item["unit_id"]
    more = setting(office, conn, now, unit_id)
    return body_of(office, conn, load(office, template), entry, keys, said, more)


def body_from(
    office: Office,
    conn: Connection,
    template: templates.Template,
    fields: Mapping[str, Any],
    keys: Sequence[str],
    differing: Facts | None = None,
) -> Body:
    """A template rendered with `fields` for each account. Raises ConfigError, NotFound."""
    fields, texts = {**NOTHING, **fields}, {}
    for row in accounts_of(conn, keys):
        own = differing(row) if differing else {}
        texts[row["key"]] = template.render({**fields, **own, "account": facts(row)})
    common = next(iter(texts.values()), "")
    return Body(
        text=common,
        title=template.title(fields),
        visibility=template.front.visibility,
        warning=template.front.warning,
        over_limit=template.front.over_limit,
        variants={key: words for key, words in texts.items() if words != common},
        card=_card(template, fields) if template.front.card else None,
    )


def _card(template: templates.Template, fields: Mapping[str, Any]) -> Card:
    """The long form as a picture's text; its link stands under it."""
    at = fields.get("published") or fields["day"]
    return Card(
        title=template.title(fields),
        text=template.render({**fields, "link": "", "account": WHOLE}),
        publisher=fields.get("publisher") or fields["unit"],
        day=chinese_date(at) if at else "",
        source=fields.get("link") or "",
    )


def fields_of(office: Office, entry: Entry) -> dict[str, Any]:
    """What a template may name: the entry's fields, dates on the office's clock."""
    fields = entry.json() | {"attachments": entry.attachments, "link": encoded(entry.link)}
    for name in ("published", "formed"):
        fields[name] = templates.fields_of_day(getattr(entry, name), office.config.tz)
    return fields


def setting(office: Office, conn: Connection, now: datetime, unit_id: int) -> dict[str, Any]:
    """Where and when it is written: the unit's name, the office's day and hour."""
    name = conn.execute(select(units.c.name).where(units.c.id == unit_id)).scalar_one()
    return {"unit": name, "day": now.astimezone(office.config.tz)}


def document_of(office: Office, conn: Connection, entry: Entry) -> dict[str, Any] | None:
    """The document an interpretation is of: the newest entry with the title it quotes in 《》."""
    quoted = _QUOTED.search(entry.title)
    if quoted is None or len(quoted[1]) < 4:
        return None
    query = select(items.c.entry).where(
        items.c.title.contains(quoted[1], autoescape=True),
        items.c.title != entry.title,
        *(~items.c.title.contains(word) for word in EXPLAINS),
        items.c.gone_at.is_(None),
    )
    newest = query.order_by(items.c.published.desc().nulls_last(), items.c.id.desc()).limit(1)
    found = conn.execute(newest).scalar()
    return fields_of(office, Entry.of(found)) if found else None


def facts(account: RowMapping) -> dict[str, Any]:
    """What a template may ask of the account it is filled for.

    `long`: its text is the whole document, not a summary.
    """
    able = Capabilities.of(account["capabilities"])
    known = {"key": account["key"], "adapter": account["adapter"], "name": account["name"]}
    counts = {"limit": able.text_limit, "unit": able.unit, "link_weight": able.link_weight}
    long = is_long(able)
    return {**known, **counts, "title": able.title, "topic_form": able.topic_form, "long": long}
