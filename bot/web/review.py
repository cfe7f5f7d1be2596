"""审签: what waits for my signature, exactly what it would cover, and giving it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from bot import compose, people, review
from bot.db import items, posts, revisions, signoffs, sources, units
from bot.db import people as persons
from bot.errors import Conflict, GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, PostKind, PostState, Right, Verdict, Window
from bot.naming import source_name
from bot.office import Office
from bot.web import content
from bot.web.lists import SIZE, Account, page_of, squares
from bot.web.visit import Amiss, Id, Signed, Visit, go, whole
from bot.workdays import instant

router = APIRouter()
DONE = {
    "pass": Say("已通过，转下一审次"),
    "approved": Say("已签发，按签发的时段发出"),
    "return": Say("已退回拟稿人，意见已写明"),
    "refer": Say("已报请确定，等候答复"),
    "offline": Say("已登记线下签批"),
}


# ---------------------------------------------------------------- the list


def data_for_review(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Posts in review: `view` is mine (may sign now), all (of my units) or signed (by me)."""
    view = params.get("view") if params.get("view") in ("all", "signed") else "mine"
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        mine = review.waiting(office, conn, actor)
        views: dict[str, Callable[[], list[int]]] = {
            "mine": lambda: list(mine),
            "all": lambda: _in_review(conn, scope),
            "signed": lambda: [row["id"] for row in review.signed(conn, actor)],
        }
        ids = views[str(view)]()
        page = page_of(params, len(ids))
        shown = ids[page.offset : page.offset + SIZE]
        listed = lines(office, conn, shown)
        return {
            "view": view,
            "page": page,
            "ticks": _ticks(listed, mine) if view == "mine" else {},
            "counts": {"mine": len(mine), "all": len(_in_review(conn, scope))},
            "posts": listed,
            "names": mine,
            "lent": review.behalves(conn, office.db.now(conn), actor),
        }


def _ticks(listed: list[dict[str, Any]], mine: Mapping[int, review.Names]) -> dict[int, str]:
    """What may be signed together with others, by post: as bot.web.together takes it."""
    plain = [one for one in listed if not {"block", "warn"} & one["severities"].keys()]
    names = {one["id"]: mine[one["id"]] for one in plain}
    own = {
        post: "" if None in each or each[0] is None else each[0].login
        for post, each in names.items()
    }
    return {
        one["id"]: f"{one['id']}:{one['step']}:{one['digest']}:{own[one['id']]}" for one in plain
    }


def _in_review(conn: Connection, scope: set[int]) -> list[int]:
    query = select(posts.c.id).where(
        posts.c.state == PostState.IN_REVIEW, posts.c.unit_id.in_(scope)
    )
    return list(conn.execute(query.order_by(posts.c.changed_at.desc())).scalars())


def lines(office: Office, conn: Connection, ids: list[int]) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(posts, revisions.c.findings, revisions.c.digest, units.c.name.label("unit"))
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .join(units, units.c.id == posts.c.unit_id)
        .where(posts.c.id.in_(ids))
    ).mappings()
    shown = squares(conn)
    lines = {row["id"]: _line(office, conn, row, shown) for row in rows}
    return [lines[one] for one in ids if one in lines]


def _line(
    office: Office, conn: Connection, row: RowMapping, shown: Mapping[int, Account]
) -> dict[str, Any]:
    steps = review.steps_of(office, conn, row)
    severities = [f["severity"] for f in row["findings"] or ()]
    return {
        **row,
        "accounts": [shown[one] for one in row["accounts"] or ()],
        "step_name": steps[min(row["step"], len(steps) - 1)].name,
        "severities": {
            s: severities.count(s) for s in ("block", "warn", "note") if s in severities
        },
    }


# ---------------------------------------------------------------- one post


def data_for_signing(
    office: Office, actor: Actor, post_id: int, params: Mapping[str, str]
) -> dict[str, Any]:
    """A post as its signature covers it. Raises NotFound, also for another unit's."""
    with office.db.read() as conn:
        post = post_for(conn, actor, post_id)
        revision = content.revision_of(conn, post["revision_id"])
        parts = content.parts_of(conn, revision["id"])
        findings = content.with_findings(parts, revision["findings"] or ())
        before = _seen_before(conn, actor, revision)
        if before is not None and params.get("diff"):
            content.compared(conn, parts, before)
        steps = review.steps_of(office, conn, post)
        last, now = post["step"] >= len(steps) - 1, office.db.now(conn)
        return {
            "post": post,
            "asker": _asker(conn, post),
            "late": bool(post["latest_at"] and post["latest_at"] <= now),
            "revision": revision,
            "author": author_name(conn, revision["author_id"], post["kind"]),
            "parts": parts,
            "findings": findings,
            "before": before,
            "diff": bool(before is not None and params.get("diff")),
            "covers": content.covers(parts),
            "steps": steps,
            "step": steps[min(post["step"], len(steps) - 1)],
            "last": last,
            "window": review.usual_window(office, conn, now, post, last=last),
            "trail": review.trail(conn, post_id),
            "refusal": _refusal(office, conn, actor, post),
            "names": review.names_for(office, conn, actor, post),
            "may_record": people.may(conn, actor, Right.RECORD, post["unit_id"])
            and actor.person not in review.authors(conn, [revision["id"]]).get(revision["id"], ()),
            "source": source_of(conn, post),
        }


def post_for(conn: Connection, actor: Actor, post_id: int) -> RowMapping:
    """A post of the reader's units, or a repost they asked for, with its unit's name. Raises NotFound."""
    query = select(posts, units.c.name.label("unit")).join(units, units.c.id == posts.c.unit_id)
    row = conn.execute(query.where(posts.c.id == post_id)).mappings().first()
    if row is None or people.unit_ids(conn, actor).isdisjoint(_readers_at(conn, row)):
        raise NotFound("没有编号 {id} 的稿件，或不在您的单位", id=post_id)
    return row


def _readers_at(conn: Connection, post: RowMapping) -> set[int]:
    """The units whose readers may see a post: its own, and of a repost the one that asked."""
    asked = select(posts.c.unit_id).where(posts.c.id == post["about_id"])
    asking = conn.execute(asked).scalars() if post["kind"] == PostKind.REPOST else ()
    return {post["unit_id"], *asking}


def _asker(conn: Connection, post: RowMapping) -> str:
    """The unit that asked for a repost; empty where it is no repost."""
    if post["kind"] != PostKind.REPOST:
        return ""
    query = select(units.c.name).join(posts, posts.c.unit_id == units.c.id)
    return str(conn.execute(query.where(posts.c.id == post["about_id"])).scalar_one())


def author_name(conn: Connection, person: int | None, kind: str = "") -> str:
    """A person's name; the machine's where none wrote it, and nobody known for what was adopted."""
    if kind == PostKind.ELSEWHERE:
        return str(Say("不经本系统发布"))
    if person is None:
        return str(Say("系统按模板成稿"))
    return conn.execute(select(persons.c.name).where(persons.c.id == person)).scalar() or ""


def _seen_before(conn: Connection, actor: Actor, revision: RowMapping) -> RowMapping | None:
    """The earlier revision this reader decided on last, else the one just before."""
    earlier = (revisions.c.post_id == revision["post_id"], revisions.c.number < revision["number"])
    mine = select(signoffs.c.revision_id).where(signoffs.c.person_id == actor.person)
    order = (revisions.c.id.in_(mine).desc(), revisions.c.number.desc())
    return conn.execute(select(revisions).where(*earlier).order_by(*order)).mappings().first()


def _refusal(office: Office, conn: Connection, actor: Actor, post: RowMapping) -> str:
    """Why this reader cannot decide; empty where he can."""
    if post["state"] != PostState.IN_REVIEW:
        return str(Say("这篇稿件不在审签中"))
    return str(review.why_not(office, conn, actor, post) or "")


def source_of(conn: Connection, post: RowMapping) -> dict[str, Any] | None:
    """The catalogue entry a post was made of, and whether it changed since."""
    if post["item_id"] is None:
        return None
    query = select(items, source_name.label("source_name")).join(sources)
    row = conn.execute(query.where(items.c.id == post["item_id"])).mappings().first()
    if row is None:
        return None
    return {**row, "moved": compose.source_moved(conn, post)}


# ---------------------------------------------------------------- pages


@router.get("/review")
def review_page(visit: Signed) -> Response:
    listed = data_for_review(visit.office, visit.actor, visit.params)
    first = listed["posts"][0]["id"] if listed["posts"] else None
    return _page(visit, listed, first, alone=False)


@router.get("/review/{post_id}")
def signing_page(visit: Signed, post_id: Id) -> Response:
    return _page(visit, data_for_review(visit.office, visit.actor, visit.params), post_id)


def _page(
    visit: Visit,
    listed: dict[str, Any],
    post_id: int | None,
    *,
    alone: bool = True,
    offline_error: str = "",
    status: int = 200,
    amiss: Amiss | None = None,
) -> Response:
    one = data_for_signing(visit.office, visit.actor, post_id, visit.params) if post_id else None
    done = visit.done(DONE)
    return visit.page(
        "review.html", status, **listed, one=one, alone=alone, done=done, amiss=amiss,
        offline_error=offline_error, signed_by=visit.field("signed_by"),
        note=visit.field("note"), behalf=visit.field("behalf"),
    )  # fmt: skip


# ---------------------------------------------------------------- acts


@router.post("/review/{post_id}")
def decide(visit: Signed, post_id: Id) -> Response:
    """Pass, return or refer: what was typed stays on the page when it cannot be taken."""
    try:
        state = _decided(visit, post_id)
    except GongkaiError as error:
        listed = data_for_review(visit.office, visit.actor, visit.params)
        return _page(visit, listed, post_id, status=422, amiss=visit.amiss(error))
    done = "approved" if state is PostState.APPROVED else visit.field("verdict")
    return go(f"/review?done={done}")


def _decided(visit: Visit, post_id: int) -> PostState:
    try:
        verdict = Verdict(visit.field("verdict"))
    except ValueError:
        raise Invalid("请选择通过、退回或报请确定") from None
    zone = visit.office.config.tz
    window = Window(instant(visit.field("begins"), zone), instant(visit.field("ends"), zone))
    note, behalf = visit.field("note"), visit.field("behalf")
    step = whole(visit.field("step")) if visit.field("step") else None
    word = review.Decision(verdict, visit.field("digest"), note, window, behalf, step)
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        return review.decide(visit.office, conn, now, visit.actor, post_id, word)


@router.post("/review/{post_id}/offline")
async def offline(visit: Signed, post_id: Id) -> Response:
    """登记线下签批: the signed sheet, read whole before the store is touched."""
    from starlette.concurrency import run_in_threadpool

    sheet = visit.file("sheet")
    content_read = await sheet.read() if sheet is not None else b""
    name = sheet.filename or "" if sheet is not None else ""
    return await run_in_threadpool(_offline, visit, post_id, content_read, name)


def _offline(visit: Visit, post_id: int, sheet: bytes, name: str) -> Response:
    """What was typed stays on the page when it cannot be taken; a file is chosen anew."""
    try:
        if not sheet:
            raise Invalid("请附上签批单（PDF 或照片）")
        _recorded(visit, post_id, sheet, name)
    except (Invalid, Conflict) as error:
        listed = data_for_review(visit.office, visit.actor, visit.params)
        return _page(visit, listed, post_id, offline_error=str(error), status=422)
    return go("/review?done=offline")


def _recorded(visit: Visit, post_id: int, sheet: bytes, name: str) -> None:
    by, digest = visit.field("signed_by"), visit.field("digest")
    with visit.office.db.write() as conn:
        now, office = visit.office.db.now(conn), visit.office
        review.record_offline(office, conn, now, visit.actor, post_id, digest, by, sheet, name)
