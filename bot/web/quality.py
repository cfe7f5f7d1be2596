"""目录质量: of each source what is missing, late or due, every figure leading to its rows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import export, people
from bot.catalog.kept import Figures, figures, groups, rows
from bot.catalog.quality import HEADS, QUIET, RULES
from bot.db import sources, units
from bot.errors import NotFound
from bot.model import Actor
from bot.naming import source_name
from bot.office import Office
from bot.web.lists import SIZE, page_of
from bot.web.visit import Signed, download

router = APIRouter()


def data_for_quality(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """The figures of the reader's units as last looked, and the rows of one: filters unit, source,
    rule, page. Raises NotFound."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        found = _figures(conn, scope, params)
        of = groups(found, params.get("rule", ""))
        page = page_of(params, sum(n for *_, n in of))
        keys = select(sources.c.key, source_name).where(sources.c.unit_id.in_(scope))
        own = select(units.c.key).where(units.c.id.in_(scope)).order_by(units.c.id)
        return {
            "figures": found,
            "rows": rows(conn, of, SIZE, page.offset),
            "page": page,
            "at": min((one.at for one in found), default=None),
            "rules": RULES,
            "quiet": QUIET,
            "names": dict(conn.execute(select(units.c.key, units.c.name)).all()),
            "sources": dict(conn.execute(keys.order_by(sources.c.id)).all()),
            "units": list(conn.execute(own).scalars()),
            "terms": office.config.quality,
            "said": {name: params.get(name, "") for name in ("unit", "source", "rule")},
        }


def _figures(conn: Connection, scope: set[int], params: Mapping[str, str]) -> list[Figures]:
    """Of the units and the source the address names. Raises NotFound."""
    said = {name: params.get(name, "") for name in ("unit", "source")}
    return figures(conn, scope, **said)


@router.get("/quality")
def quality_page(visit: Signed) -> Response:
    return visit.page("quality.html", **data_for_quality(visit.office, visit.actor, visit.params))


@router.get("/quality/export.{kind}")
def exported(visit: Signed, kind: str) -> Response:
    """The rows the page shows, all of them: xlsx, csv or jsonl."""
    if kind not in export.KINDS:
        raise NotFound("没有 {kind} 这种导出", kind=kind[:20])
    with visit.office.db.read() as conn:
        found = _figures(conn, people.unit_ids(conn, visit.actor), visit.params)
        return filed(conn, groups(found, visit.params.get("rule", "")), kind)


def filed(conn: Connection, of: Sequence[tuple[Figures, str, int]], kind: str) -> Response:
    """The rows under some figures as one of bot.export.KINDS."""
    shown = rows(conn, of)
    out = io.BytesIO()
    export.write(out, kind, HEADS, (row.json() for row in shown))
    out.seek(0)
    return download(out, "quality", kind)
