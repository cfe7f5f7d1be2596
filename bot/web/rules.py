"""审查规则: what each says and how grave it is here; a text tried against them; what columns are dealt with."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import people, screen, shapes
from bot.config import stands_at
from bot.db import accounts, units
from bot.errors import ConfigError
from bot.files import read_or_say
from bot.model import Capabilities, Finding
from bot.office import Office
from bot.screen.about import ABOUT
from bot.web.lists import squares
from bot.web.marks import marked
from bot.web.templating import readable_units
from bot.web.visit import Signed, Visit, plain
from bot.wordlists import rules_of

router = APIRouter()
PLACE = "/settings/rules"


@router.get(PLACE)
def rules_page(visit: Signed) -> Response:
    return _shown(visit)


@router.post(PLACE)
def try_text(visit: Signed) -> Response:
    """`text` held to the rules, as on `account` where one is named; nothing is kept."""
    text = visit.form.get("text", "")
    text = plain(text).replace("\r\n", "\n") if isinstance(text, str) else ""
    return _shown(visit, text, visit.field("account"), bool(visit.field("scheduled")))


def _shown(visit: Visit, text: str = "", account: str = "", scheduled: bool = False) -> Response:
    office = visit.office
    with office.db.read() as conn:
        mine = readable_units(conn, visit.actor)
        own = list(squares(conn, people.unit_ids(conn, visit.actor)).values())
        key = account if account in {a.key for a in own} else ""
        tried = _tried(office, conn, text, key, scheduled) if text.strip() else None
        values: dict[str, Any] = {
            "columns": shapes.columns(office, conn, mine),
            "names": dict(conn.execute(select(units.c.key, units.c.name)).all()),
            "accounts": own,
        }
    asked = {"text": text, "account": key, "scheduled": scheduled}
    return visit.page(
        "settings_rules.html", **values, rules=_rules(office), asked=asked, tried=tried,
        file=office.config.path.name,
    )  # fmt: skip


def _rules(office: Office) -> list[dict[str, Any]]:
    """Each with the office's choice and the line it is made on."""
    file, _ = read_or_say(office.config.path)
    source, chosen = file.text if file else "", office.config.screening.severities
    line = stands_at(source, ["screening", "severities"])
    return [
        {
            "rule": rule,
            "about": about,
            "chosen": chosen.get(rule),
            "line": stands_at(source, ["screening", "severities", rule]) or line,
        }
        for rule, about in ABOUT.items()
    ]


def _tried(
    office: Office, conn: Connection, text: str, key: str, scheduled: bool
) -> dict[str, Any]:
    """The text with its findings marked; `wrong`: a mistake in the office's lists."""
    try:
        found = screened(office, conn, text, key, scheduled)
    except ConfigError as error:
        return {"wrong": error, "findings": [], "marked": text}
    said = [f.json() | {"number": n, "accounts": []} for n, f in enumerate(found, 1)]
    return {"wrong": None, "findings": said, "marked": marked(text, said)}


def screened(
    office: Office, conn: Connection, text: str, key: str, scheduled: bool
) -> list[Finding]:
    """A text held to the rules today, as on the account of this key. Raises ConfigError."""
    able = conn.execute(select(accounts.c.capabilities).where(accounts.c.key == key)).scalar()
    context = screen.Context(
        on=office.db.now(conn).astimezone(office.config.tz).date(),
        scheduled=scheduled,
        capabilities=Capabilities.of(able) if able else None,
    )
    return screen.screen(text, rules=rules_of(office.config), context=context)
