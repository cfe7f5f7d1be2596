"""留痕: who did what, when, from where; and whether the chain holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import ColumnElement, Connection, func, select
from starlette.responses import Response

from bot import audit, people
from bot.db import audits
from bot.errors import NotAllowed
from bot.model import Actor
from bot.office import Office
from bot.web.lists import SIZE, page_of
from bot.web.visit import Signed

router = APIRouter()
MANY = 1000


def data_for_trail(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Entries, the newest first; filters: subject ("post:12"), verb, who, page."""
    with office.db.read() as conn:
        require_reader(conn, actor)
        filters = {name: params.get(name, "").strip() for name in ("subject", "verb", "who")}
        chosen = audit.chosen(**filters)
        some = select(audits.c.id).where(*chosen).order_by(audits.c.id.desc()).limit(MANY)
        ids = list(conn.execute(some).scalars())
        page = page_of(params, _count(conn, chosen) if len(ids) == MANY else len(ids))
        if page.total < MANY:  # few are walked to once
            mine = audits.c.id.in_(ids[page.offset : page.last])
            query = select(audits).where(mine).order_by(audits.c.id.desc())
            rows = list(conn.execute(query).mappings())
        else:
            rows = audit.entries(conn, chosen, SIZE, offset=page.offset)
        return {"entries": rows, "filters": filters, "page": page}


def _count(conn: Connection, chosen: list[ColumnElement[bool]]) -> int:
    query = select(func.count()).select_from(audits).where(*chosen)
    return int(conn.execute(query).scalar_one())


def require_reader(conn: Connection, actor: Actor) -> None:
    """Raises NotAllowed."""
    if not people.reads_trail(conn, actor):
        raise NotAllowed("留痕由签发人、监督员和管理员查看")


@router.get("/trail")
def trail_page(visit: Signed) -> Response:
    return visit.page(
        "trail.html", **data_for_trail(visit.office, visit.actor, visit.params), verified=None
    )


@router.post("/trail")
def verify(visit: Signed) -> Response:
    """Walk the whole chain now and hold it against the anchors outside the store."""
    found = data_for_trail(visit.office, visit.actor, visit.params)
    with visit.office.db.read() as conn:
        return visit.page("trail.html", **found, verified=verified(visit.office, conn))


def verified(office: Office, conn: Connection) -> audit.Verified:
    """The whole chain, held against the anchors outside the store."""
    return audit.verify(conn, audit.anchors(office.config.place(office.config.audit.anchor)))
