"""评论: what the public said, searched and read in place; how much was collected; answering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, Select, and_, func, select
from starlette.responses import Response, StreamingResponse

from bot import compose, people, search
from bot.collect import exporting, log
from bot.db import deliveries, posts, replies, reply_versions
from bot.errors import NotFound
from bot.export import KINDS
from bot.language import Say
from bot.model import Act, Actor, DeliveryState, ReplyState, Right
from bot.office import Office
from bot.web import counts, render
from bot.web.lists import SIZE, Account, chosen, page_of, squares
from bot.web.marks import hits
from bot.web.visit import Id, Signed, go

router = APIRouter()
# Beyond so many the exact figure helps nobody and costs a scan.
CAP, CAP_SEARCHED = 10_000, 1_000
THREAD = 100  # answers shown in place
STATES = tuple(ReplyState)


# ---------------------------------------------------------------- reading


def data_for_replies(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Replies of the reader's units, the latest taken in first.

    Filters: q (words that all occur), post, account, state, page; `thread` opens one reply's answers.
    """
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        filters = filters_of(params)
        cap = CAP_SEARCHED if filters["q"] else CAP
        page = page_of(params, _total(conn, chosen_replies(conn, scope, filters), cap))
        asked = _narrowing(filters) | {"words": filters["q"]}
        rows = log.listing(conn, scope, **asked, limit=page.offset + SIZE)[page.offset :]
        shown = squares(conn)
        return {
            "replies": _lines(conn, shown, rows, filters["q"]),
            "thread": _thread(conn, shown, scope, chosen(params, "thread"), filters["q"]),
            "filters": filters,
            "page": page,
            "capped": page.total >= cap,
            "accounts": list(squares(conn, scope).values()),
            "post": _post(conn, filters["post"]),
            "coverage": coverage(conn, scope, filters["post"]),
            "board": counts.waiting_replies(conn),
            "seen": conn.execute(select(func.max(replies.c.id))).scalar() or 0,
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
    }


def chosen_replies(conn: Connection, scope: set[int], filters: Mapping[str, Any]) -> Select[Any]:
    """What collect.listing finds with these filters, to be counted."""
    return search.narrowed(conn, log.chosen(scope, **_narrowing(filters)), filters["q"])


def _narrowing(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters beside the words, as collect.listing takes them."""
    return {name: filters[name] for name in ("post", "account", "state")}


def _total(conn: Connection, query: Select[Any], cap: int) -> int:
    some = query.with_only_columns(replies.c.id).order_by(None).limit(cap).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


def _lines(
    conn: Connection, shown: Mapping[int, Account], rows: Sequence[RowMapping], wanted: str
) -> list[dict[str, Any]]:
    """Rows as the page shows them, with what they answer, earlier versions and answers to them."""
    ids = [row["id"] for row in rows]
    quoted, children = _quoted(conn, rows), _children(conn, rows)
    versions, answered = _versions(conn, ids), _answered(conn, ids)
    return [
        {
            **row,
            "account": shown[row["account_id"]],
            "marked": hits(row["text"], wanted),
            "title": row["post_title"] or "",
            "why": exporting.WHY.get(row["removed_why"], row["removed_why"]),
            "quoted": quoted.get((row["account_id"], row["parent"])),
            "children": children.get((row["account_id"], row["remote_id"]), 0),
            "versions": versions.get(row["id"], []),
            "answer": answered.get(row["id"]),
        }
        for row in rows
    ]


def _quoted(conn: Connection, rows: Sequence[RowMapping]) -> dict[tuple[int, str], RowMapping]:
    """The replies these answer, by account and remote id."""
    parents = {row["parent"] for row in rows if row["parent"]}
    query = select(replies).where(replies.c.remote_id.in_(parents))
    found = conn.execute(query).mappings() if parents else ()
    return {(row["account_id"], row["remote_id"]): row for row in found}


def _children(conn: Connection, rows: Sequence[RowMapping]) -> dict[tuple[int, str], int]:
    """How many replies answer each of these."""
    key = (replies.c.account_id, replies.c.parent)
    query = select(*key, func.count()).where(
        replies.c.account_id.in_({row["account_id"] for row in rows}),
        replies.c.parent.in_([row["remote_id"] for row in rows]),
    )
    return {(a, parent): n for a, parent, n in conn.execute(query.group_by(*key))}


def _versions(conn: Connection, ids: list[int]) -> dict[int, list[RowMapping]]:
    """Earlier wordings, oldest first; the one that stands is the reply's own."""
    query = select(reply_versions).where(reply_versions.c.reply_id.in_(ids))
    found: dict[int, list[RowMapping]] = {}
    for row in conn.execute(query.order_by(reply_versions.c.number)).mappings():
        found.setdefault(row["reply_id"], []).append(row)
    return found


def _answered(conn: Connection, ids: list[int]) -> dict[int, RowMapping]:
    query = select(posts.c.id, posts.c.state, posts.c.answers_id).where(posts.c.answers_id.in_(ids))
    return {row["answers_id"]: row for row in conn.execute(query).mappings()}


def _thread(
    conn: Connection,
    shown: Mapping[int, Account],
    scope: set[int],
    reply_id: int | None,
    wanted: str,
) -> dict[str, Any] | None:
    """What answers one reply, its answers' answers too, in time's order."""
    if reply_id is None:
        return None
    top = log.one(conn, reply_id)
    if top["unit_id"] not in scope:
        return None
    found: dict[int, RowMapping] = {}
    level = [top["remote_id"]]
    while level and len(found) < THREAD:
        mine = and_(replies.c.account_id == top["account_id"], replies.c.parent.in_(level))
        rows = conn.execute(log.query().where(mine).limit(THREAD)).mappings().all()
        fresh = [row for row in rows if row["id"] not in found and row["id"] != reply_id]
        found |= {row["id"]: row for row in fresh}
        level = [row["remote_id"] for row in fresh]
    ordered = sorted(found.values(), key=lambda row: (row["at"], row["id"]))
    return {"of": reply_id, "lines": _lines(conn, shown, ordered, wanted)}


def _post(conn: Connection, post_id: int | None) -> RowMapping | None:
    query = select(posts.c.id, posts.c.title).where(posts.c.id == post_id)
    return conn.execute(query).mappings().first() if post_id is not None else None


# ---------------------------------------------------------------- how much was collected


def coverage(conn: Connection, scope: set[int], post_id: int | None) -> list[dict[str, Any]]:
    """What was seen of the platform's own count, and why they may differ: of one post, else of the
    posts sent last."""
    ids = [post_id] if post_id is not None else _sent_last(conn, scope)
    titles = select(posts.c.id, posts.c.title).where(posts.c.id.in_(ids))
    named = {row.id: row.title for row in conn.execute(titles)}
    return [
        {"post": one, "title": named[one], "seen_part": _part(each), "of": each}
        for one in ids
        if one in named
        for each in log.coverage(conn, one)
    ]


def _sent_last(conn: Connection, scope: set[int]) -> list[int]:
    sent = (deliveries.c.state == DeliveryState.SENT, deliveries.c.act == Act.PUBLISH)
    query = select(posts.c.id).join(deliveries).where(posts.c.unit_id.in_(scope), *sent)
    newest = query.group_by(posts.c.id).order_by(func.max(deliveries.c.sent_at).desc())
    return list(conn.execute(newest.limit(5)).scalars())


def _part(of: log.Coverage) -> int:
    """Per cent seen; all of it where the platform gives no figure."""
    return min(100, of.seen * 100 // of.total) if of.total else 100


# ---------------------------------------------------------------- pages and acts


@router.get("/replies")
def replies_page(visit: Signed) -> Response:
    return visit.page("replies.html", **data_for_replies(visit.office, visit.actor, visit.params))


@router.get("/replies/news")
def news(visit: Signed) -> Response:
    """How many replies were taken in since the list was drawn (`seen`: the newest id then)."""
    with visit.office.db.read() as conn:
        scope, filters = people.unit_ids(conn, visit.actor), filters_of(visit.params)
        wanted = chosen_replies(conn, scope, filters)
        fresh = wanted.where(replies.c.id > (chosen(visit.params, "seen") or 0))
        return visit.news(
            _total(conn, fresh, SIZE), f"/replies{render.query(visit.params, seen='', thread='')}"
        )


@router.post("/replies/{reply_id:int}/answer")
def answer(visit: Signed, reply_id: Id) -> Response:
    """A draft that answers this reply; it is signed like any other before it goes."""
    words = visit.field("text", need=str(Say("答复")))
    office = visit.office
    with office.db.write() as conn:
        readable(conn, visit.actor, reply_id)
        now = office.db.now(conn)
        post = compose.answer(office, conn, now, visit.actor, reply_id, words)
    return go(f"/posts/{post}/edit?done=saved")


def readable(conn: Connection, actor: Actor, reply_id: int) -> RowMapping:
    """A reply to the reader's units. Raises NotFound."""
    row = log.one(conn, reply_id)
    if row["unit_id"] not in people.unit_ids(conn, actor):
        raise NotFound("没有编号 {id} 的评论", id=reply_id)
    return row


@router.get("/replies/export.{kind}")
def export_file(visit: Signed, kind: str) -> Response:
    """What the filters show, all of it, as a file; that it was taken out is on record."""
    if kind not in KINDS:
        raise NotFound("没有这种导出格式")
    office, filters = visit.office, filters_of(visit.params)
    asked = _narrowing(filters) | {"words": filters["q"]}
    with office.db.read() as conn:
        scope = people.unit_ids(conn, visit.actor)
    out = exporting.taken_out(office, visit.actor, kind, scope, **asked)
    name = f"replies-{office.db.now().astimezone(office.config.tz):%Y%m%d-%H%M}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks(out), media_type=KINDS[kind], headers=headers)


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(64 * 1024):
            yield chunk
