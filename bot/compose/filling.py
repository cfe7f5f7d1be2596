"""A template filled with an entry's fields, once for each account: a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping

from bot import templates
from bot.compose.body import Body
from bot.compose.reading import accounts_of
from bot.model import Entry
from bot.office import Office


def body_of(
    office: Office,
    conn: Connection,
    template: templates.Template,
    entry: Entry,
    keys: Sequence[str],
) -> Body:
    """The template rendered for each account; the first one's text stands for all that agree."""
    body = body_from(office, conn, template, fields_of(office, entry), keys)
    return replace(body, link=entry.link, language=entry.language[:2] or "zh")


def body_from(
    office: Office,
    conn: Connection,
    template: templates.Template,
    fields: Mapping[str, Any],
    keys: Sequence[str],
) -> Body:
    """A template rendered with `fields` for each account. Raises ConfigError, NotFound."""
    rows = accounts_of(conn, keys)
    texts = {row["key"]: template.render({**fields, "account": facts(row)}) for row in rows}
    common = next(iter(texts.values()), "")
    return Body(
        text=common,
        title=template.title(fields),
        visibility=template.front.visibility,
        warning=template.front.warning,
        over_limit=template.front.over_limit,
        variants={key: words for key, words in texts.items() if words != common},
    )


def fields_of(office: Office, entry: Entry) -> dict[str, Any]:
    """What a template may name: the entry's fields, dates on the office's clock."""
    fields = entry.json() | {"attachments": entry.attachments}
    for name in ("published", "formed"):
        fields[name] = templates.fields_of_day(getattr(entry, name), office.config.tz)
    return fields


def facts(account: RowMapping) -> dict[str, Any]:
    """What a template may ask of the account it is filled for."""
    able = account["capabilities"]
    known = {"key": account["key"], "adapter": account["adapter"], "name": account["name"]}
    return known | {"limit": able["text_limit"], "title": able["title"]}
