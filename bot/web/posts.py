"""稿件: the list, one post with all that came of it, and what may be done with the whole of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select
from starlette.responses import Response

from bot import compose, people, review
from bot.db import aside, posts, units
from bot.db import people as persons
from bot.db import replies as replies_table
from bot.deliver import queue
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.model import Actor, DeliveryState, PostKind, PostState, Right
from bot.office import Office
from bot.shown import delivered, shown_state
from bot.web import content
from bot.web.faults import status_of
from bot.web.lists import SIZE, Row, page_of, squares
from bot.web.queue import View
from bot.web.review import author_name, post_for, source_of
from bot.web.visit import Id, Signed, Visit, go

router = APIRouter()
P, D = PostState, DeliveryState
MOVES = {D.READY, D.FAILED, D.MISSED}
DONE = {
    "submit": Say("已送审"),
    "close": Say("已结束，不再发布"),
    "revoke": Say("已撤销签发，稿件退回草稿"),
    "withdraw": Say("撤回稿已建立，送审签发后执行"),
    "correct": Say("更正稿已建立，请核对后送审"),
    "saved": Say("已保存"),
}


# ---------------------------------------------------------------- the list


def data_for_posts(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Posts of the reader's units, the newest first; filters: state, q, mine, page."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        mine: ColumnElement[bool] = aside(posts.c.unit_id).in_(scope)  # nearly all: no way in
        words = params.get("q", "").strip()
        if words:
            mine = and_(mine, posts.c.title.contains(words, autoescape=True))
        if params.get("mine"):
            mine = and_(mine, posts.c.author_id == actor.person)
        clauses, counts = _states(), counted(conn, mine)
        state = params.get("state", "") if params.get("state") in clauses else ""
        page = page_of(params, counts[state or "all"])
        found = and_(mine, clauses[state]) if state else mine
        return {
            "posts": _rows(conn, found, page.offset) if page.total else [],
            "state": state,
            "q": words,
            "mine": bool(params.get("mine")),
            "counts": counts,
            "page": page,
            "may_write": bool(people.unit_ids(conn, actor, Right.WRITE)),
        }


def _states() -> dict[str, ColumnElement[bool]]:
    """The filters, each as a condition on posts."""
    fresh = and_(posts.c.state == P.DRAFT, posts.c.returned.is_(None))
    reviewed = {"in_review": posts.c.state == P.IN_REVIEW, "closed": posts.c.state == P.CLOSED}
    # Nearly all are approved: these are walked in the order asked for.
    return {
        "draft": fresh,
        "returned": compose.came_back(),
        "approved": aside(posts.c.state) == P.APPROVED,
    } | reviewed


def counted(conn: Connection, mine: ColumnElement[bool]) -> dict[str, int]:
    """How many there are under each filter."""
    by_state = select(posts.c.state, func.count()).where(mine).group_by(posts.c.state)
    n: dict[str, int] = dict(conn.execute(by_state).all())
    returned = select(func.count()).where(mine, _states()["returned"])
    back = int(conn.execute(returned).scalar_one())
    states = {
        name: n.get(state, 0)
        for name, state in (
            ("in_review", P.IN_REVIEW),
            ("approved", P.APPROVED),
            ("closed", P.CLOSED),
        )
    }
    return {**states, "draft": n.get(P.DRAFT, 0) - back, "returned": back, "all": sum(n.values())}


def _rows(conn: Connection, where: ColumnElement[bool], offset: int) -> list[dict[str, Any]]:
    query = (
        select(posts, units.c.name.label("unit"), persons.c.name.label("author"))
        .join(units, units.c.id == posts.c.unit_id)
        .outerjoin(persons, persons.c.id == posts.c.author_id)
        .where(where)
        .order_by(posts.c.changed_at.desc(), posts.c.id.desc())
        .limit(SIZE)
        .offset(offset)
    )
    rows = conn.execute(query).mappings().all()
    states, shown = delivered(conn, [row["id"] for row in rows]), squares(conn)
    return [
        {
            **row,
            "accounts": [shown[one] for one in row["accounts"] or ()],
            "shown": shown_state(row, states.get(row["id"], {})),
        }
        for row in rows
    ]


# ---------------------------------------------------------------- one post


def data_for_post(office: Office, actor: Actor, post_id: int) -> dict[str, Any]:
    """One post: content, revisions, sign-offs, deliveries with attempts, replies. Raises NotFound."""
    with office.db.read() as conn:
        post = post_for(conn, actor, post_id)
        revision = content.revision_of(conn, post["revision_id"])
        parts = content.parts_of(conn, revision["id"])
        states = delivered(conn, [post_id]).get(post_id, {})
        steps = review.steps_of(office, conn, post)
        return {
            "post": post,
            "author": author_name(conn, revision["author_id"], post["kind"]),
            "shown": shown_state(post, states),
            "why": None if states else review.why(office, conn, post),
            "revision": revision,
            "revisions": compose.revisions_of(conn, post_id),
            "parts": parts,
            "findings": content.with_findings(parts, revision["findings"] or ()),
            "steps": steps,
            "trail": review.trail(conn, post_id),
            "source": source_of(conn, post),
            "deliveries": _deliveries(office, conn, actor, post),
            "replies": _replies(conn, post_id),
            "rights": people.rights(conn, actor, post["unit_id"]),
            "sent": bool(states.get(D.SENT)),
            "reposts": compose.reposts_of(conn, post_id),
            "about": _about(conn, actor, post),
            "movable": post["state"] != P.CLOSED and (not states or bool(MOVES & states.keys())),
        }


def _about(conn: Connection, actor: Actor, post: Row) -> list[dict[str, Any]]:
    """The post this one corrects or takes down, and those that correct this one or take it down."""
    near = or_(posts.c.id == post["about_id"], posts.c.about_id == post["id"])
    mine = posts.c.unit_id.in_(people.unit_ids(conn, actor)), posts.c.kind != PostKind.REPOST
    rows = conn.execute(select(posts).where(near, *mine).order_by(posts.c.id)).mappings().all()
    states = delivered(conn, [row["id"] for row in rows])
    return [{**row, "shown": shown_state(row, states.get(row["id"], {}))} for row in rows]


def _deliveries(
    office: Office, conn: Connection, actor: Actor, post: RowMapping
) -> list[dict[str, Any]]:
    rows = queue.listing(conn, {post["unit_id"]}, post=post["id"], limit=200)
    view = View(office, conn, office.db.now(conn), actor)
    return sorted((view.row(row, True) for row in rows), key=lambda r: int(r["id"]))


def _replies(conn: Connection, post_id: int) -> list[RowMapping]:
    """The replies taken in last, our own left out."""
    mine = and_(replies_table.c.post_id == post_id, replies_table.c.own.is_(False))
    newest = select(replies_table).where(mine).order_by(replies_table.c.id.desc()).limit(5)
    return list(conn.execute(newest).mappings())


# ---------------------------------------------------------------- pages and acts


@router.get("/posts")
def posts_page(visit: Signed) -> Response:
    return visit.page("posts.html", **data_for_posts(visit.office, visit.actor, visit.params))


@router.get("/posts/{post_id:int}")
def post_page(visit: Signed, post_id: Id) -> Response:
    found = data_for_post(visit.office, visit.actor, post_id)
    return visit.page("post.html", **found, done=visit.done(DONE))


@router.get("/posts/{post_id:int}/revisions/{number:int}")
def revision_page(visit: Signed, post_id: Id, number: Id) -> Response:
    """An earlier revision as it stood, beside its difference from the one before."""
    with visit.office.db.read() as conn:
        post = post_for(conn, visit.actor, post_id)
        found = compose.numbered(conn, post_id, number)
        before = compose.numbered(conn, post_id, number - 1) if number > 1 else None
        parts = content.parts_of(conn, found["id"])
        findings = content.with_findings(parts, found["findings"] or ())
        if before is not None and visit.params.get("diff"):
            content.compared(conn, parts, before)
        author = author_name(conn, found["author_id"])
    shown: dict[str, Any] = {"post": post, "revision": found, "before": before, "parts": parts}
    diff = bool(before is not None and visit.params.get("diff"))
    return visit.page("revision.html", **shown, findings=findings, author=author, diff=diff)


@router.post("/posts/{post_id:int}")
def act(visit: Signed, post_id: Id) -> Response:
    """submit, close, revoke (`reason`), withdraw (`reason`) or correct (`wrong`, `right`, `reason`).
    What was typed stays on the page when it cannot be taken."""
    name = visit.field("act")
    try:
        place = _acted(visit, name, post_id)
    except (Invalid, Conflict) as error:
        found = data_for_post(visit.office, visit.actor, post_id)
        return visit.page(
            "post.html", status_of(error), **found, done=None, amiss=visit.amiss(error)
        )
    return go(f"/posts/{place}?done={name}")


def _acted(visit: Visit, name: str, post_id: int) -> int:
    """Do it; give the post to go to."""
    office, actor, reason = visit.office, visit.actor, visit.field("reason")
    with office.db.write() as conn:
        post_for(conn, actor, post_id)
        now = office.db.now(conn)
        if name == "submit":
            review.submit(office, conn, now, actor, post_id)
        elif name == "close":
            compose.close(conn, now, actor, post_id)
        elif name == "revoke":
            review.revoke(office, conn, now, actor, post_id, reason)
        elif name == "withdraw":
            return compose.withdrawal(office, conn, now, actor, post_id, reason)
        elif name == "correct":
            words = visit.field("wrong"), visit.field("right"), reason
            return compose.correction(office, conn, now, actor, post_id, *words)
        else:
            raise Invalid("请从页面上的按钮办理")
    return post_id
