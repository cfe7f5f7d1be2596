"""The page of an error: in the console's frame for who is signed in, bare for a stranger, the board's
own for the public. It says what happened, who may do it, and what to do next.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import Request
from sqlalchemy import Connection, select
from starlette.datastructures import FormData
from starlette.responses import Response

from bot import people
from bot.db import grants, units
from bot.errors import AdapterError, GongkaiError, NotAllowed
from bot.language import Say
from bot.model import Actor
from bot.web.problems import Problem
from bot.web.visit import Visit, bare, local, opened

UNANSWERED = (503, 507)  # the store is not asked again for a frame
MANY = 8  # names of those who may
NEXT = {
    403: Say("要自己办，请管理员在“人员”页授予角色。"),
    404: Say("可能已改地址，或属于别的单位。请从导航进入，或在上方搜索。"),
    409: Say("返回上一页，看过现在的样子再定。"),
    413: Say("什么都没有存下。返回上一页，换一个小些的文件。"),
    422: Say("什么都没有改动。返回上一页，改好后再提交。"),
    429: Say("等一会儿再试，不必反复点。"),
    500: Say("别处照常可用。返回上一页再试一次；还不行，请管理员按编号查服务器日志。"),
    502: Say("平台没有收下，本系统里的内容都在。可以稍后再试。"),
}
FOR_PUBLIC = {  # in place of what an officer is told
    404: Say("没有这个页面，可能已改地址。可在上方搜索，或看最新发布"),
    413: Say("提交的内容太大，没有收下。请缩短后再提交"),
}

log = logging.getLogger("gongkai.web")


def page(
    request: Request, status: int, title: str, sentence: str, error: GongkaiError | None = None
) -> Response:
    """The console's page."""
    values: dict[str, Any] = {
        "title": title,
        "sentence": sentence,
        "raw": error.raw if isinstance(error, AdapterError) else "",
        "then": NEXT.get(status),
        "back": _back(request),
    }
    if visit := _visit(request, status):
        try:
            able = _able(visit, error)
            return visit.page("error.html", status, layout="frame.html", able=able, **values)
        except Exception:  # what broke the page may break the frame too
            log.exception("no frame around an error at %s", request.url.path)
    return bare(request, "error.html", status, layout="bare.html", able=(), **values)


def of_board(request: Request) -> bool:
    """Was a page of the public's asked for?"""
    return f"{request.url.path}/".startswith("/board/")


def for_public(
    request: Request, status: int, title: str, sentence: str, error: GongkaiError | None = None
) -> Response:
    """The board's page: nothing of the console's stands on it."""
    said = Say("{said}", said=FOR_PUBLIC.get(status, sentence))
    answer: Response = request.app.state.public_problem(request, Problem(status, "page", said))
    return answer


def _visit(request: Request, status: int) -> Visit | None:
    """Who is signed in, where a frame can be drawn."""
    if status in UNANSWERED:
        return None
    try:
        session = opened(request)
    except Exception:
        log.exception("no session for an error at %s", request.url.path)
        return None
    return Visit(request.app.state.office, request, session, FormData()) if session else None


def _able(visit: Visit, error: GongkaiError | None) -> list[dict[str, Any]]:
    """The people who may do what was refused, at its unit, else at the reader's own; `open`: he may
    look at their page."""
    if not isinstance(error, NotAllowed) or error.right is None:
        return []
    with visit.office.db.read() as conn:
        at = {error.unit} if error.unit else _own_units(conn, visit.actor)
        here = grants.c.unit_id.in_(people.unit_ids(conn, visit.actor))
        near = set(conn.execute(select(grants.c.person_id).where(here)).scalars())
        found = people.named(conn, error.right, at)[:MANY]
    return [{**one, "open": one["id"] in near} for one in found]


def _own_units(conn: Connection, actor: Actor) -> set[int]:
    mine = select(grants.c.unit_id).join(units).where(grants.c.person_id == actor.person)
    return set(conn.execute(mine).scalars())


def _back(request: Request) -> str:
    """The page the reader came from, where it is one of ours."""
    return local(request.headers.get("referer", "").removeprefix(str(request.base_url)[:-1]))
