"""留痕: who did what, when, from where; and whether the chain holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from bot import audit, people
from bot.db import audits
from bot.errors import NotAllowed
from bot.model import Actor, Right, Role
from bot.office import Office
from bot.web.lists import SIZE, page_of
from bot.web.visit import Signed

router = APIRouter()


def data_for_trail(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Entries, the newest first; filters: subject ("post:12"), verb, who, page."""
    with office.db.read() as conn:
        _require_reader(conn, actor)
        filters = {name: params.get(name, "").strip() for name in ("subject", "verb", "who")}
        where = [
            audits.c.subject == filters["subject"] if filters["subject"] else None,
            audits.c.verb.startswith(filters["verb"], autoescape=True) if filters["verb"] else None,
            audits.c.actor == filters["who"] if filters["who"] else None,
        ]
        chosen = [clause for clause in where if clause is not None]
        total = conn.execute(select(func.count()).select_from(audits).where(*chosen)).scalar_one()
        page = page_of(params, total)
        query = select(audits).where(*chosen).order_by(audits.c.id.desc())
        rows = conn.execute(query.limit(SIZE).offset(page.offset)).mappings().all()
        return {"entries": list(rows), "filters": filters, "page": page}


def _require_reader(conn: Connection, actor: Actor) -> None:
    """The trail names people of every unit: for those who answer for an office, not for each reader."""
    readers = (Role.SUPERVISOR, Role.ADMINISTRATOR, Role.SIGNER)
    for right in (Right.ADMIN, Right.SIGN):
        if people.unit_ids(conn, actor, right):
            return
    from bot.db import grants

    held = select(grants.c.role).where(grants.c.person_id == actor.person)
    if not set(conn.execute(held).scalars()) & set(readers):
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
    config = visit.office.config
    with visit.office.db.read() as conn:
        anchors = audit.anchors(config.place(config.audit.anchor))
        verified = audit.verify(conn, anchors)
    return visit.page("trail.html", **found, verified=verified)
