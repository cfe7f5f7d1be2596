"""目录质量: what is wanting in the catalogues as of the last look: figures, the rows they count, a file."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from bot import people
from bot.catalog import kept
from bot.catalog.kept import Figures
from bot.db import micros
from bot.web.api.door import Call, Reads, Route
from bot.web.api.once import Json
from bot.web.api.paging import Paged, Words, cursor_at, place, stale
from bot.web.quality import filed
from bot.web.visit import AS_FILE

router = APIRouter(route_class=Route, default_response_class=Json)


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    unit: Annotated[Words, Query(description="its key: of it and of those below")] = ""
    source: Words = ""
    rule: Annotated[Words, Query(description="one check; without, those to be seen to")] = ""
    lang: Literal["zh", "en"] | None = None


class RowsAsked(Paged, Asked):
    pass


class FileAsked(Asked):
    kind: Literal["csv", "xlsx", "jsonl"] = "csv"


def _figures(call: Call, conn: Connection, asked: Asked) -> list[Figures]:
    scope = people.unit_ids(conn, call.actor)
    return kept.figures(conn, scope, unit=asked.unit, source=asked.source)


@router.get("/quality")
def wanting(call: Reads, asked: Annotated[Asked, Query()]) -> Response:
    """What is wanting in the catalogues as of the last look, by source and check: how many."""
    with call.office.db.read() as conn:
        return Json(kept.told(_figures(call, conn, asked), asked.rule))


@router.get("/quality/rows")
def rows(call: Reads, asked: Annotated[RowsAsked, Query()]) -> Response:
    """The entries a figure counts (`source`, `rule`), or all that somebody should see to. A page of
    an earlier look has no page after it: begin again."""
    with call.office.db.read() as conn:
        found = _figures(call, conn, asked)
        look = max((micros(one.at) for one in found), default=0)
        of, start = kept.groups(found, asked.rule), 0
        if asked.cursor:
            start, when = place("quality", asked.cursor, 2)
            if when != look:
                raise stale()
        shown = [row.json() for row in kept.rows(conn, of, asked.limit + 1, start)]
    more = cursor_at("quality", start + asked.limit, look) if len(shown) > asked.limit else None
    return Json({"rows": shown[: asked.limit], "next": more})


@router.get(
    "/quality/export",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": AS_FILE}},
)
def export(call: Reads, asked: Annotated[FileAsked, Query()]) -> Response:
    """Those entries as a file, all of them."""
    with call.office.db.read() as conn:
        return filed(conn, kept.groups(_figures(call, conn, asked), asked.rule), asked.kind)
