"""目录质量: of each source what is missing, late or due, every figure leading to its rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import catalog, export, people
from bot.catalog.quality import HEADS, QUIET, RULES, Report
from bot.db import sources, units
from bot.errors import NotFound
from bot.model import Actor
from bot.naming import source_name
from bot.office import Office
from bot.web.lists import page_of
from bot.web.visit import Signed, download

router = APIRouter()


def data_for_quality(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """The figures of the reader's units, and the rows of one: filters unit, source, rule, page."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        names = dict(conn.execute(select(units.c.key, units.c.name)).all())
        whole = _report(office, conn, scope, params)
        keys = select(sources.c.key, source_name).where(sources.c.unit_id.in_(scope))
        own = select(units.c.key).where(units.c.id.in_(scope)).order_by(units.c.id)
        choices = (
            dict(conn.execute(keys.order_by(sources.c.id)).all()),
            list(conn.execute(own).scalars()),
        )
    rows = shown(whole, params)
    page = page_of(params, len(rows))
    return {
        "figures": whole.sources(),
        "rows": rows[page.offset : page.last],
        "page": page,
        "rules": RULES,
        "quiet": QUIET,
        "names": names,
        "sources": choices[0],
        "units": choices[1],
        "terms": office.config.quality,
        "said": {name: params.get(name, "") for name in ("unit", "source", "rule")},
    }


def _report(office: Office, conn: Connection, scope: set[int], params: Mapping[str, str]) -> Report:
    """Of the units and the source the address names. Raises NotFound."""
    said = {name: params.get(name, "") for name in ("unit", "source")}
    return catalog.report(office, conn, office.db.now(conn), scope, **said)


def shown(found: Report, params: Mapping[str, str]) -> list[Any]:
    """The rows of one rule; without one, those that somebody should see to. Raises NotFound."""
    rule = params.get("rule", "")
    return [row for row in found.only(rule).rows if rule or row.rule not in QUIET]


@router.get("/quality")
def quality_page(visit: Signed) -> Response:
    return visit.page("quality.html", **data_for_quality(visit.office, visit.actor, visit.params))


@router.get("/quality/export.{kind}")
def exported(visit: Signed, kind: str) -> Response:
    """The rows the page shows, all of them: xlsx, csv or jsonl."""
    if kind not in export.KINDS:
        raise NotFound("没有 {kind} 这种导出", kind=kind[:20])
    with visit.office.db.read() as conn:
        scope = people.unit_ids(conn, visit.actor)
        found = _report(visit.office, conn, scope, visit.params)
    out = io.BytesIO()
    export.write(out, kind, HEADS, (found.json_of(row) for row in shown(found, visit.params)))
    out.seek(0)
    return download(out, "quality", kind)
