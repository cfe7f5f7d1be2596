"""Is it alive, and can it do its work? For supervisors and load balancers; no login."""

from __future__ import annotations

import shutil

from fastapi import APIRouter, Request
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse, Response

from bot.db import metadata
from bot.language import Say
from bot.office import Office
from bot.web import shell

router = APIRouter(prefix="/health")
ROOM = 200 * 1024 * 1024  # bytes that must be free where data lies


@router.get("/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/ready")
def ready(request: Request) -> Response:
    """200 when posts can go out: the store answers, its schema is whole, a worker beats, there is room."""
    reasons = unready(request.app.state.office)
    body = {"ready": not reasons, "reasons": [str(reason) for reason in reasons]}
    return JSONResponse(body, 503 if reasons else 200)


def unready(office: Office) -> list[Say]:
    """Every reason why not."""
    reasons = [*_store(office)]
    place = office.config.place(office.config.data)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < ROOM:
        reasons.append(Say("数据盘只剩 {n} MB", n=free >> 20))
    return reasons


def _store(office: Office) -> list[Say]:
    try:
        with office.db.read() as conn:
            missing = _missing(conn)
            if missing:
                return [Say("数据库结构不全：缺 {names}", names="、".join(sorted(missing)))]
            heart = shell.heart(conn, office.db.now(conn))
    except DBAPIError as error:
        return [Say("数据库没有应答：{why}", why=type(error.orig).__name__)]
    return [] if heart["alive"] else [Say("没有工作进程在运行，到时的稿件不会发出")]


def _missing(conn: Connection) -> set[str]:
    """Tables and columns the program needs and the store lacks."""
    there = inspect(conn)
    names = set(there.get_table_names())
    lacking = set(metadata.tables) - names
    for name in set(metadata.tables) & names:
        columns = {column["name"] for column in there.get_columns(name)}
        lacking |= {f"{name}.{c.name}" for c in metadata.tables[name].c if c.name not in columns}
    return lacking
