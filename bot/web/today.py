"""今日: what waits for me, what goes out next, and whether the machine runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, and_, func, or_, select
from starlette.responses import Response

from bot import people, review
from bot.catalog import HAND
from bot.db import accounts, deliveries, notices, posts, sources, units
from bot.deliver import holds, queue
from bot.model import (
    Act,
    Actor,
    DeliveryState,
    PostKind,
    PostState,
    Right,
)
from bot.naming import source_name
from bot.notices import concerns, no_turn, sentence, subjects_of
from bot.office import Office
from bot.web import counts, shell
from bot.web.duty import today_on_duty
from bot.web.lists import Account, squares
from bot.web.queue import View
from bot.web.render import Times
from bot.web.review import lines
from bot.web.visit import Signed

router = APIRouter()
HOURS = 24
BEFORE = 2  # hours of the strip that are past
SPAN = 3  # hours an event may spread over, until the next one


def data_for_today(office: Office, actor: Actor) -> dict[str, Any]:
    """The figures, the strip, and the first rows of each list behind them."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        scope = people.unit_ids(conn, actor)
        mine = list(review.waiting(office, conn, actor))
        by_state = queue.counts(conn, scope)
        yesterday = counts.yesterday(office, now)
        return {
            "mine": mine,
            "to_sign": lines(office, conn, mine[:5]),
            "returned": _returned(conn, actor, scope),
            "made": _made(conn, people.unit_ids(conn, actor, Right.WRITE)),
            "late": _late(conn, now, scope),
            "undecided": _undecided(office, conn, now, actor, scope, by_state),
            "by_state": by_state,
            "yesterday": yesterday,
            "replies": counts.new_replies(office, conn, scope, yesterday),
            "board": counts.waiting_replies(conn, actor),
            "items": counts.waiting_items(conn, scope),
            "accounts": _accounts(conn, scope),
            "sources": _sources(conn, scope),
            "strip": strip(office, conn, now, scope),
            "notices": _notices(conn, scope),
            "declared": shell.declared(conn, scope),
            "lent": _lent(conn, now, actor),
            "duty": today_on_duty(office, conn, scope),
        }


def _returned(conn: Connection, actor: Actor, scope: set[int]) -> dict[str, Any]:
    """The reader's own drafts that came back: how many, and why the newest did."""
    own = counts.returned(actor), posts.c.unit_id.in_(scope)
    total = conn.execute(select(func.count()).where(*own)).scalar_one()
    newest = select(posts.c.returned).where(*own).order_by(posts.c.changed_at.desc())
    return {"total": total, "why": conn.execute(newest.limit(1)).scalar()}


def _made(conn: Connection, scope: set[int]) -> list[RowMapping]:
    """What the machine composed and could not hand in: a finding blocks it, so a writer must."""
    mine = (posts.c.author_id.is_(None), posts.c.due_at.is_(None), posts.c.unit_id.in_(scope))
    query = select(posts, units.c.name.label("unit")).join(units)
    query = query.where(posts.c.state == PostState.DRAFT, *mine)
    return list(conn.execute(query.order_by(posts.c.id.desc()).limit(20)).mappings())


def _late(conn: Connection, now: datetime, scope: set[int]) -> list[RowMapping]:
    """In review past its time: of these units, and what they asked others to repost (`asked`)."""
    about = posts.alias("about")
    asked = (posts.c.kind == PostKind.REPOST) & about.c.unit_id.in_(scope)
    query = (
        select(posts, units.c.name.label("unit"), asked.label("asked"))
        .join(units, units.c.id == posts.c.unit_id)
        .outerjoin(about, about.c.id == posts.c.about_id)
        .where(posts.c.state == PostState.IN_REVIEW, posts.c.unit_id.in_(scope) | asked)
        .where(func.coalesce(posts.c.latest_at, posts.c.go_at) < now)
    )
    return list(conn.execute(query.order_by(posts.c.id).limit(20)).mappings())


def _lent(conn: Connection, now: datetime, actor: Actor) -> list[dict[str, Any]]:
    """Where the reader acts for another, or will; and what was taken back since yesterday."""
    mine = [
        d for d in review.delegations_of(conn, now, actor.person) if d["taker_id"] == actor.person
    ]
    return [
        d
        for d in mine
        if d["state"] in ("open", "planned")
        or (d["state"] == "ended" and now - d["ended_at"] < timedelta(days=1))
    ]


def _undecided(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    scope: set[int],
    by_state: Mapping[str, int],
) -> dict[str, Any]:
    view = View(office, conn, now, actor)
    rows = queue.listing(conn, scope, state="person", limit=5)
    parts = [(s, n) for s in ("uncertain", "failed", "missed") if (n := by_state.get(s))]
    shown = [view.row(row) for row in rows]
    return {"total": by_state["person"], "parts": parts, "rows": shown}


def _accounts(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    shown = squares(conn, scope)
    rows = conn.execute(select(accounts).where(accounts.c.id.in_(shown))).mappings()
    return [
        {"square": shown[r["id"]], "broken": r["broken"], "checked_at": r["checked_at"],
         "bad": counts.is_broken(r)}
        for r in rows
    ]  # fmt: skip


def _sources(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    polled = sources.c.unit_id.in_(scope), sources.c.kind != HAND
    named = select(sources, source_name.label("called")).where(*polled)
    rows = conn.execute(named).mappings()
    return [{**r, "bad": counts.is_unread(r)} for r in rows]


def _notices(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    """Incidents that stand, the newest first, up to a hundred."""
    stand = notices.c.closed_at.is_(None), concerns(scope), no_turn()
    query = select(notices).where(*stand).order_by(notices.c.opened_at.desc()).limit(100)
    rows = conn.execute(query).mappings().all()
    of = subjects_of(conn, rows)
    return [{**row, "say": sentence(row, of)} for row in rows]


# ---------------------------------------------------------------- the strip


def strip(office: Office, conn: Connection, now: datetime, scope: set[int]) -> dict[str, Any]:
    """24 hours of each account as cells of a table, and the same as a list in time's order."""
    times = Times(office)
    start = times.local(now).replace(minute=0, second=0, microsecond=0) - timedelta(hours=BEFORE)
    end = start + timedelta(hours=HOURS)
    events = _events(conn, start, end, scope) + _unsigned(conn, start, end, scope)
    shown = squares(conn, scope)
    lanes = []
    for account in shown.values():
        mine = [e for e in events if e["account_id"] == account.id]
        if mine:
            lanes.append((account, _cells(mine, start)))
    coming = sorted((e for e in events if e["at"] >= now), key=lambda e: (e["at"], e["post_id"]))
    return {
        "hours": [start + timedelta(hours=n) for n in range(HOURS)],
        "now": BEFORE,
        "lanes": lanes,
        "coming": _merged(coming, shown)[:8],
    }


def _events(
    conn: Connection, start: datetime, end: datetime, scope: set[int]
) -> list[dict[str, Any]]:
    """Deliveries of these hours. Only the first part of a thread stands for it."""
    went, due = deliveries.c.sent_at, deliveries.c.go_at
    here = or_(
        and_(went >= start, went < end), and_(went.is_(None), due >= start, due < end)
    )  # fmt: skip
    query = holds.joined(
        select(*deliveries.c, posts.c.title, posts.c.source_id, posts.c.item_id, accounts.c.unit_id)
    ).where(here, deliveries.c.part == 0, accounts.c.unit_id.in_(scope))
    shown = deliveries.c.state != DeliveryState.CANCELLED
    rows = conn.execute(query.where(shown, deliveries.c.act == Act.PUBLISH).limit(500)).mappings()
    standing = holds.standing(conn)
    return [
        {
            "at": r["sent_at"] or r["go_at"], "account_id": r["account_id"], "post_id": r["post_id"],
            "title": r["title"], "kind": "delivery", "href": f"/queue/{r['id']}",
            "state": "held" if r["state"] == DeliveryState.READY and standing.stops(r) else r["state"],
        }
        for r in rows
    ]  # fmt: skip


def _unsigned(
    conn: Connection, start: datetime, end: datetime, scope: set[int]
) -> list[dict[str, Any]]:
    """Posts planned for these hours that nobody has signed yet."""
    query = select(posts).where(
        and_(posts.c.state == PostState.IN_REVIEW, posts.c.go_at >= start, posts.c.go_at < end),
        posts.c.unit_id.in_(scope),
    )
    return [
        {"at": r["go_at"], "account_id": account, "post_id": r["id"], "title": r["title"],
         "kind": "post", "state": r["state"], "href": f"/review/{r['id']}"}
        for r in conn.execute(query).mappings()
        for account in r["accounts"] or ()
    ]  # fmt: skip


def _cells(events: Sequence[dict[str, Any]], start: datetime) -> list[tuple[int, list[Any]]]:
    """A lane as cells: how many hours each spans, and what begins in it."""
    by_hour: dict[int, list[Any]] = {}
    for event in sorted(events, key=lambda e: e["at"]):
        hour = int((event["at"] - start).total_seconds() // 3600)
        by_hour.setdefault(hour, []).append(event)
    cells: list[tuple[int, list[Any]]] = []
    hour = 0
    while hour < HOURS:
        nearest = min((h for h in by_hour if h > hour), default=HOURS)
        span = min(SPAN, nearest - hour) if hour in by_hour else 1
        cells.append((span, by_hour.get(hour, [])))
        hour += span
    return cells


def _merged(events: Sequence[dict[str, Any]], shown: dict[int, Account]) -> list[dict[str, Any]]:
    """One line a post and moment, with its accounts."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for event in events:
        key = (event["at"], event["post_id"], event["state"])
        line = merged.setdefault(key, {**event, "accounts": []})
        line["accounts"].append(shown[event["account_id"]])
    return list(merged.values())


# ---------------------------------------------------------------- pages


@router.get("/")
def today_page(visit: Signed) -> Response:
    return visit.page("today.html", **data_for_today(visit.office, visit.actor))


@router.get("/pulse")
def pulse(visit: Signed) -> Response:
    """The top bar's live part; nothing where nothing changed since `seen`."""
    answer = visit.page("pulse_part.html")
    if f'data-seen="{visit.params.get("seen", "")}"'.encode() in bytes(answer.body):
        return Response(status_code=204)
    return answer
