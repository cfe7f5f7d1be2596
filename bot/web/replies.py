"""评论: what the public said, searched and read in place; how much was collected; answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, Select, and_, func, select
from starlette.responses import Response

from bot import compose, people, search
from bot.db import accounts, deliveries, posts, replies, reply_versions, watches
from bot.errors import NotFound
from bot.language import Say
from bot.model import Actor, ReplyState, Right, WatchState
from bot.office import Office
from bot.web import counts
from bot.web.lists import SIZE, Account, chosen, page_of, squares
from bot.web.marks import hits
from bot.web.visit import Signed, go

router = APIRouter()
CAP = 10_000  # beyond this many the exact figure helps nobody and costs a scan
THREAD = 100  # answers shown in place
STATES = tuple(ReplyState)


# ---------------------------------------------------------------- reading


def data_for_replies(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Replies of the reader's units; filters: q, post, account, state, days, thread, page."""
    with office.db.read() as conn:
        shown = squares(conn, people.unit_ids(conn, actor))
        filters = filters_of(params)
        now = office.db.now(conn)
        page = page_of(params, _total(conn, chosen_replies(conn, now, shown, filters)))
        query = chosen_replies(conn, now, shown, filters, *replies.c)
        rows = conn.execute(query.limit(SIZE).offset(page.offset)).mappings().all()
        return {
            "replies": _lines(conn, shown, rows, filters["q"]),
            "thread": _thread(conn, shown, chosen(params, "thread"), filters["q"]),
            "filters": filters,
            "page": page,
            "capped": page.total >= CAP,
            "accounts": list(shown.values()),
            "post": _post(conn, filters["post"]),
            "coverage": coverage(conn, shown, filters["post"]),
            "board": counts.waiting_replies(conn),
            "may_answer": people.unit_ids(conn, actor, Right.WRITE),
        }


def filters_of(params: Mapping[str, str]) -> dict[str, Any]:
    """What an address asks for; what cannot be read asks for nothing."""
    state = params.get("state", "")
    return {
        "q": params.get("q", "").strip()[:100],
        "post": chosen(params, "post"),
        "account": chosen(params, "account"),
        "state": state if state in STATES else "",
        "days": chosen(params, "days"),
    }


def chosen_replies(
    conn: Connection,
    now: Any,
    shown: Mapping[int, Account],
    filters: Mapping[str, Any],
    *columns: Any,
) -> Select[Any]:
    """The replies asked for, the newest first."""
    where = [replies.c.account_id.in_(list(shown))]
    ids = [(replies.c[f"{name}_id"], filters[name]) for name in ("post", "account")]
    where += [column == wanted for column, wanted in ids if wanted is not None]
    if filters["state"]:
        where.append(replies.c.state == filters["state"])
    if filters["days"]:
        where.append(replies.c.at > now - timedelta(days=min(filters["days"], 3650)))
    query = select(*(columns or (replies.c.id,))).select_from(replies).where(*where)
    if filters["q"]:
        return search.narrowed(conn, query, filters["q"])
    return query.order_by(replies.c.at.desc(), replies.c.id.desc())


def _total(conn: Connection, query: Select[Any]) -> int:
    some = query.limit(CAP).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


def _lines(
    conn: Connection, shown: Mapping[int, Account], rows: Sequence[RowMapping], wanted: str
) -> list[dict[str, Any]]:
    """Rows as the page shows them, with what they answer, earlier versions and answers to them."""
    ids = [row["id"] for row in rows]
    titles = _titles(conn, {row["post_id"] for row in rows})
    quoted, children = _quoted(conn, rows), _children(conn, rows)
    versions, answered = _versions(conn, ids), _answered(conn, ids)
    return [
        {
            **row,
            "account": shown[row["account_id"]],
            "marked": hits(row["text"], wanted),
            "title": titles.get(row["post_id"], ""),
            "quoted": quoted.get((row["account_id"], row["parent"])),
            "children": children.get((row["account_id"], row["remote_id"]), 0),
            "versions": versions.get(row["id"], []),
            "answer": answered.get(row["id"]),
        }
        for row in rows
    ]


def _titles(conn: Connection, ids: set[int | None]) -> dict[int, str]:
    query = select(posts.c.id, posts.c.title).where(posts.c.id.in_([i for i in ids if i]))
    return {row.id: row.title for row in conn.execute(query)}


def _quoted(conn: Connection, rows: Sequence[RowMapping]) -> dict[tuple[int, str], RowMapping]:
    """The replies these answer, by account and remote id."""
    parents = {row["parent"] for row in rows if row["parent"]}
    query = select(replies).where(replies.c.remote_id.in_(parents))
    found = conn.execute(query).mappings() if parents else ()
    return {(row["account_id"], row["remote_id"]): row for row in found}


def _children(conn: Connection, rows: Sequence[RowMapping]) -> dict[tuple[int, str], int]:
    """How many replies answer each of these."""
    key = (replies.c.account_id, replies.c.parent)
    query = select(*key, func.count()).where(replies.c.parent.in_([r["remote_id"] for r in rows]))
    return {(a, parent): n for a, parent, n in conn.execute(query.group_by(*key))}


def _versions(conn: Connection, ids: list[int]) -> dict[int, list[RowMapping]]:
    """Earlier texts, oldest first; the current one is left out."""
    query = select(reply_versions).where(reply_versions.c.reply_id.in_(ids))
    found: dict[int, list[RowMapping]] = {}
    for row in conn.execute(query.order_by(reply_versions.c.number)).mappings():
        found.setdefault(row["reply_id"], []).append(row)
    return {reply: versions[:-1] for reply, versions in found.items()}


def _answered(conn: Connection, ids: list[int]) -> dict[int, RowMapping]:
    query = select(posts.c.id, posts.c.state, posts.c.answers_id).where(posts.c.answers_id.in_(ids))
    return {row["answers_id"]: row for row in conn.execute(query).mappings()}


def _thread(
    conn: Connection, shown: Mapping[int, Account], reply_id: int | None, wanted: str
) -> dict[str, Any] | None:
    """What answers one reply, its answers' answers too, in time's order."""
    if reply_id is None:
        return None
    top = conn.execute(select(replies).where(replies.c.id == reply_id)).mappings().first()
    if top is None or top["account_id"] not in shown:
        return None
    found: list[RowMapping] = []
    level = [top["remote_id"]]
    while level and len(found) < THREAD:
        mine = and_(replies.c.account_id == top["account_id"], replies.c.parent.in_(level))
        query = select(replies).where(mine, replies.c.id.not_in([r["id"] for r in found] or [0]))
        rows = conn.execute(query.limit(THREAD - len(found))).mappings().all()
        found += rows
        level = [row["remote_id"] for row in rows]
    ordered = sorted(found, key=lambda row: (row["at"], row["id"]))
    return {"of": reply_id, "lines": _lines(conn, shown, ordered, wanted)}


def _post(conn: Connection, post_id: int | None) -> RowMapping | None:
    query = select(posts.c.id, posts.c.title).where(posts.c.id == post_id)
    return conn.execute(query).mappings().first() if post_id is not None else None


# ---------------------------------------------------------------- how much was collected


def coverage(
    conn: Connection, shown: Mapping[int, Account], post_id: int | None
) -> list[dict[str, Any]]:
    """Watches with what was seen of the platform's own count: of one post, else the latest ones."""
    query = (
        select(watches, deliveries.c.post_id, posts.c.title)
        .outerjoin(deliveries, deliveries.c.id == watches.c.delivery_id)
        .outerjoin(posts, posts.c.id == deliveries.c.post_id)
        .where(watches.c.account_id.in_(list(shown)))
    )
    if post_id is not None:
        query = query.where(deliveries.c.post_id == post_id)
    else:
        query = query.where(watches.c.state == WatchState.OPEN)
    rows = conn.execute(query.order_by(watches.c.id.desc()).limit(8)).mappings()
    return [{**row, "account": shown[row["account_id"]], "part": _part(row)} for row in rows]


def _part(row: RowMapping) -> int:
    """Per cent seen; all of it where the platform gives no figure."""
    return min(100, row["seen"] * 100 // row["total"]) if row["total"] else 100


# ---------------------------------------------------------------- pages and acts


@router.get("/replies")
def replies_page(visit: Signed) -> Response:
    if visit.params.get("view") == "board":
        return go("/replies/board")
    return visit.page("replies.html", **data_for_replies(visit.office, visit.actor, visit.params))


@router.post("/replies/{reply_id:int}/answer")
def answer(visit: Signed, reply_id: int) -> Response:
    """A draft that answers this reply; it is signed like any other before it goes."""
    words = visit.field("text", need=str(Say("答复")))
    office = visit.office
    with office.db.write() as conn:
        _readable(conn, visit.actor, reply_id)
        now = office.db.now(conn)
        post = compose.answer(office, conn, now, visit.actor, reply_id, words)
    return go(f"/posts/{post}/edit?done=saved")


def _readable(conn: Connection, actor: Actor, reply_id: int) -> None:
    """Raises NotFound for a reply on another unit's account."""
    query = select(accounts.c.unit_id).join(replies).where(replies.c.id == reply_id)
    if conn.execute(query).scalar() not in people.unit_ids(conn, actor):
        raise NotFound("没有编号 {id} 的评论", id=reply_id)
