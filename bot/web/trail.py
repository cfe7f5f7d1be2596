"""留痕: who did what, when, from where; whether the chain holds; taken out as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from starlette.responses import Response

from bot import audit, trail
from bot.db import audits
from bot.errors import NotFound
from bot.export import KINDS
from bot.model import Actor
from bot.office import Office
from bot.web.lists import SIZE, page_of
from bot.web.visit import Signed, Visit, download

router = APIRouter()
MANY = 1000


def data_for_trail(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Entries, the newest first; filters: subject ("post:12"), verb, who, page."""
    with office.db.read() as conn:
        trail.require(conn, actor)
        filters = filters_of(params)
        ids = trail.numbers(conn, filters, MANY)
        page = page_of(params, trail.count(conn, filters) if len(ids) == MANY else len(ids))
        if page.total < MANY:  # few are walked to once
            mine = audits.c.id.in_(ids[page.offset : page.last])
            query = select(audits).where(mine).order_by(audits.c.id.desc())
            rows = list(conn.execute(query).mappings())
        else:
            rows = trail.listing(conn, filters, SIZE, offset=page.offset)
        entries = trail.in_words(office, conn, actor, rows)
        return {"entries": entries, "filters": filters, "page": page}


def filters_of(params: Mapping[str, str]) -> dict[str, str]:
    return {name: params.get(name, "").strip() for name in trail.FILTERS}


@router.get("/trail")
def trail_page(visit: Signed) -> Response:
    return _page(visit)


@router.post("/trail")
def verify(visit: Signed) -> Response:
    """Walk the whole chain now and hold it against the anchors outside the store."""
    with visit.office.db.read() as conn:
        trail.require(conn, visit.actor)
        verified = audit.verify(conn, audit.anchors(visit.office.anchor))
    return _page(visit, verified)


@router.get("/trail/export.{kind}")
def export_file(visit: Signed, kind: str) -> Response:
    """What the filters show, all of it, as a file; that it was taken out is on record."""
    if kind not in KINDS:
        raise NotFound("没有这种导出格式")
    office = visit.office
    out = trail.taken_out(office, visit.actor, kind, filters_of(visit.params))
    at = f"{office.db.now().astimezone(office.config.tz):%Y%m%d-%H%M}"
    return download(out, f"trail-{at}", kind)


def _page(visit: Visit, verified: audit.Verified | None = None) -> Response:
    found = data_for_trail(visit.office, visit.actor, visit.params)
    says = verified.says(visit.office.config.tz) if verified else ()
    return visit.page("trail.html", **found, verified=verified, says=says)
