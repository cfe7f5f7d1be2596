"""目录质量: of each source what is missing, late or due, every figure leading to its rows."""

from __future__ import annotations

import io
from collections import Counter
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
        keys = select(sources.c.key).where(sources.c.unit_id.in_(scope)).order_by(sources.c.key)
        own = select(units.c.key).where(units.c.id.in_(scope)).order_by(units.c.id)
        choices = list(conn.execute(keys).scalars()), list(conn.execute(own).scalars())
    rows = shown(whole, params)
    page = page_of(params, len(rows))
    return {
        "figures": _figures(whole),
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
    if unit := params.get("unit"):
        scope = scope & people.below(conn, people.unit_of(conn, unit)["id"])
    source = params.get("source", "")
    return catalog.report(office, conn, office.db.now(conn), scope, source)


def shown(found: Report, params: Mapping[str, str]) -> list[Any]:
    """The rows of one rule; without one, those that somebody should see to. Raises NotFound."""
    rule = params.get("rule", "")
    if rule and rule not in RULES:
        raise NotFound("没有检查项 {rule}，有：{known}", rule=rule, known="、".join(RULES))
    return [row for row in found.rows if (row.rule == rule if rule else row.rule not in QUIET)]


def _figures(found: Report) -> list[dict[str, Any]]:
    """Of each source how many rows each rule has, in the order of RULES."""
    counts = Counter((row.unit, row.source, row.rule) for row in found.rows)
    places = sorted({(row.unit, row.source) for row in found.rows} | set(found.items))
    return [
        {
            "unit": unit,
            "source": source,
            "items": found.items.get((unit, source), 0),
            "checks": [(r, counts[unit, source, r]) for r in RULES if counts[unit, source, r]],
        }
        for unit, source in places
    ]


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
    export.write(out, kind, HEADS, (row.json() for row in shown(found, visit.params)))
    out.seek(0)
    return download(out, "quality", kind)
