"""评论: what the public said, searched and read in place, taken out as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, func, select
from starlette.responses import Response

from bot import people
from bot.collect import exporting, importing, log
from bot.db import posts, replies
from bot.errors import NotFound
from bot.export import KINDS
from bot.model import Actor, ReplyState, Right
from bot.office import Office
from bot.web import counts, gathered, render, spoken
from bot.web.lists import SIZE, Account, chosen, dated, squares
from bot.web.reply import HANDED_IN
from bot.web.visit import Signed, download

router = APIRouter()
WHOSE = {"public": False, "own": True}
KEPT = ("q", "post", "delivery", "account", "state", "whose", "unanswered", "since", "until")


# ---------------------------------------------------------------- reading


def data_for_replies(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Replies of the reader's units, the latest taken in first; with dates, the latest said first.

    Filters: KEPT (q: words that all occur). `before` is the id the page before ended with; `thread`
    opens one reply's answers.
    """
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        filters = filters_of(params)
        asked = narrowing(filters, office.config.tz)
        before = chosen(params, "before")
        most = SIZE + 1 if before else counts.CAP
        found = log.numbers(conn, scope, **asked, words=filters["q"], limit=most, before=before)
        rows, more = log.rows(conn, found[:SIZE]), len(found) > SIZE
        shown = squares(conn)
        return {
            **_beside(conn, actor, scope, filters["post"]),
            "replies": spoken.lines(conn, shown, rows, filters["q"]),
            "thread": _thread(conn, shown, scope, chosen(params, "thread"), filters["q"]),
            "filters": filters,
            "filtered": any(filters.values()),
            "before": before,
            "older": rows[-1]["id"] if more else None,
            "total": None if before else len(found),
            "cap": counts.CAP,
            "most": spoken.THREAD,
            "accounts": list(squares(conn, scope).values()),
            "board": counts.waiting_replies(conn, actor),
            "seen": conn.execute(select(func.max(replies.c.id))).scalar() or 0,
        }


def _beside(conn: Connection, actor: Actor, scope: set[int], post: int | None) -> dict[str, Any]:
    """How whole the log is, over time too, and what the reader may do."""
    return {
        "post": _post(conn, scope, post),
        "coverage": gathered.coverage(conn, scope, post),
        "counted": gathered.counted(conn, scope, post),
        "may_answer": people.unit_ids(conn, actor, Right.WRITE),
        "may_enter": bool(importing.by_hand(conn, actor)),
    }


def filters_of(params: Mapping[str, str]) -> dict[str, Any]:
    """What an address asks for; what cannot be read asks for nothing."""
    state, whose = params.get("state", ""), params.get("whose", "")
    return {
        "q": params.get("q", "").strip()[:100],
        "post": chosen(params, "post"),
        "delivery": chosen(params, "delivery"),
        "account": chosen(params, "account"),
        "state": state if state in (*ReplyState, log.PRESENT) else "",
        "whose": whose if whose in WHOSE else "",
        "unanswered": params.get("unanswered") == "1",
        "since": dated(params, "since"),
        "until": dated(params, "until"),
    }


def narrowing(filters: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The filters beside the words, as collect.listing takes them."""
    same = {name: filters[name] for name in ("post", "delivery", "account", "state")}
    own, unanswered = WHOSE.get(filters["whose"]), filters["unanswered"] or None
    when = log.days(filters["since"], filters["until"], zone)
    return {**same, "own": own, "unanswered": unanswered, **when}


def _thread(
    conn: Connection,
    shown: Mapping[int, Account],
    scope: set[int],
    reply_id: int | None,
    wanted: str,
) -> dict[str, Any] | None:
    """One reply's answers, in place."""
    top = conn.execute(log.query().where(replies.c.id == reply_id)).mappings().first()
    if top is None or top["unit_id"] not in scope:
        return None
    return {"of": top["id"], "lines": spoken.lines(conn, shown, spoken.below(conn, top), wanted)}


def _post(conn: Connection, scope: set[int], post_id: int | None) -> RowMapping | None:
    mine = posts.c.id == post_id, posts.c.unit_id.in_(scope)
    query = select(posts.c.id, posts.c.title).where(*mine)
    return conn.execute(query).mappings().first() if post_id is not None else None


# ---------------------------------------------------------------- pages and acts


@router.get("/replies")
def replies_page(visit: Signed) -> Response:
    found = data_for_replies(visit.office, visit.actor, visit.params)
    return visit.page("replies.html", **found, done=visit.done({"answered": HANDED_IN}))


@router.get("/replies/news")
def news(visit: Signed) -> Response:
    """How many replies were taken in since the list was drawn (`seen`: the newest id then)."""
    with visit.office.db.read() as conn:
        scope, filters = people.unit_ids(conn, visit.actor), filters_of(visit.params)
        asked = narrowing(filters, visit.office.config.tz)
        seen = chosen(visit.params, "seen") or 0
        fresh = log.numbers(conn, scope, **asked, words=filters["q"], limit=SIZE, after=seen)
        again = render.query(visit.params, seen="", thread="", before="")
        return visit.news(len(fresh), f"/replies{again}")


@router.get("/replies/export.{kind}")
def export_file(visit: Signed, kind: str) -> Response:
    """What the filters show, all of it, as a file; that it was taken out is on record."""
    if kind not in KINDS:
        raise NotFound("没有这种导出格式")
    office, filters = visit.office, filters_of(visit.params)
    asked = narrowing(filters, office.config.tz) | {"words": filters["q"]}
    with office.db.read() as conn:
        scope = people.unit_ids(conn, visit.actor)
    out = exporting.taken_out(office, visit.actor, kind, scope, **asked)
    at = f"{office.db.now().astimezone(office.config.tz):%Y%m%d-%H%M}"
    return download(out, f"replies-{at}", kind)
