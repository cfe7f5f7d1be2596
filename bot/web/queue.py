"""队列: every delivery with its state, why it has not gone yet, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, func, select
from starlette.responses import Response

from bot import people
from bot.db import EPOCH, deliveries, micros
from bot.db import holds as hold_rows
from bot.deliver import queue
from bot.errors import Conflict, GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, Right
from bot.office import Office
from bot.schedule import retiming
from bot.web import render, shell
from bot.web.faults import status_of
from bot.web.lists import SIZE, Row, chosen, page_of, squares
from bot.web.visit import Id, Signed, Visit, go, whole
from bot.workdays import instant

router = APIRouter()
S = DeliveryState

FILTERS = (
    "person",
    "uncertain",
    "failed",
    "missed",
    "held",
    "ready",
    "sending",
    "sent",
    "cancelled",
)
GROUPS = {"person": Say("需要人定"), "next": Say("接下来"), "past": Say("已办")}
DONE = {
    "cancel": Say("已取消，不会发出"),
    "retry": Say("已放回队列，按计划时间发出"),
    "move": Say("已改期"),
    "back": Say("已送回审签，重新签发后才发"),
    "look": Say("已安排再查一次，结果会显示在这里"),
    "sent": Say("已记录：确已发出"),
    "absent": Say("已记录：确未发出，已放回队列"),
    "drop": Say("已记录：不再发布"),
    "bulk": Say("已办，未办成的列在下面"),
    "lifted": Say("停发已解除。停发期间到点的不会自动补发，请逐条决定照发或取消"),
}


# ---------------------------------------------------------------- reading


def data_for_queue(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Deliveries of the reader's units; filters: state, account, post, page, open."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        scope = people.unit_ids(conn, actor)
        state = params.get("state", "") if params.get("state") in FILTERS else ""
        filters: dict[str, Any] = {
            "state": state,
            "account": chosen(params, "account"),
            "post": chosen(params, "post"),
            "hold": chosen(params, "hold"),
        }
        narrowed = {name: value for name, value in filters.items() if name != "state"}
        counts = queue.counts(conn, scope, **narrowed)
        page = page_of(params, _total(counts, state))
        rows = queue.listing(conn, scope, **filters, limit=SIZE, offset=page.offset)
        view = View(office, conn, now, actor)
        opened = chosen(params, "open")
        return {
            "groups": _grouped([view.row(row, row["id"] == opened) for row in rows]),
            "counts": counts,
            "state": state,
            "filters": filters,
            "page": page,
            "accounts": list(squares(conn, scope).values()),
            "held": _named(conn, filters["hold"], scope),
            "seen": micros(now),
        }


def _named(conn: Connection, hold: int | None, scope: set[int]) -> dict[str, Any] | None:
    """The hold whose leavings are listed, where it concerns the reader."""
    row = conn.execute(select(hold_rows).where(hold_rows.c.id == hold)).mappings().first()
    found = shell.named_hold(conn, row) if row else None
    return found if found and (found["unit_id"] is None or found["unit_id"] in scope) else None


def _total(counts: Mapping[str, int], state: str) -> int:
    """How many rows of a state, or of all."""
    every = sum(n for state, n in counts.items() if state not in ("person", "held"))
    return counts.get(state, 0) if state else every


def data_for_delivery(office: Office, actor: Actor, delivery_id: int) -> dict[str, Any]:
    """One delivery, opened. Raises NotFound, also for one of another's unit."""
    with office.db.read() as conn:
        row = delivery_for(conn, actor, delivery_id)
        return {"row": View(office, conn, office.db.now(conn), actor).row(row, True)}


def delivery_for(conn: Connection, actor: Actor, delivery_id: int) -> RowMapping:
    """A delivery of the reader's units. Raises NotFound."""
    row = queue.one(conn, delivery_id)
    if row["post_unit_id"] not in people.unit_ids(conn, actor):
        raise NotFound("没有编号 {id} 的投递", id=delivery_id)
    return row


class View:
    """Rows of the queue as the page shows them."""

    def __init__(self, office: Office, conn: Connection, now: datetime, actor: Actor) -> None:
        self.office, self.conn, self.actor = office, conn, actor
        self.reasons = queue.Reasons(conn, now)
        self.accounts = squares(conn)
        self.may = people.unit_ids(conn, actor, Right.SCHEDULE)

    def row(self, row: RowMapping, opened: bool = False) -> dict[str, Any]:
        shown, waits = self.reasons.shown(row), _waits(row)
        return {
            **row,
            "account": self.accounts[row["account_id"]],
            "shown": shown,
            "group": "person"
            if waits
            else "past"
            if row["state"] in (S.SENT, S.CANCELLED)
            else "next",
            "why": self.reasons.why(row),
            "acts": _acts(row, waits) if row["post_unit_id"] in self.may else (),
            "opened": opened,
            "attempts": queue.attempts_of(self.conn, row["id"]) if opened else [],
            "task": queue.task(self.conn, row["id"]) if opened else "",
        }


def _waits(row: Row) -> bool:
    """bot.deliver.queue.needs_person, asked of one row."""
    if row["state"] in (S.READY, S.UNCERTAIN):
        return row["due_at"] is None
    by_hand = row["state"] == S.SENDING and row["lease"] is None
    return row["state"] in queue.NEEDS_PERSON or by_hand


def _acts(row: Row, waits: bool) -> tuple[str, ...]:
    """What may be done with it now, the likeliest first."""
    if row["state"] == S.UNCERTAIN:
        return ("decide", "look")
    if row["state"] == S.SENDING:
        return ("receipt", "drop") if row["lease"] is None else ()
    if row["state"] == S.READY:
        return ("retry", "back", "cancel") if waits else ("cancel",)
    return {
        S.FAILED: ("retry", "back", "cancel", "vouch"),
        S.MISSED: ("retry", "back", "cancel"),
        S.CANCELLED: ("retry",),
    }.get(row["state"], ())


def _grouped(rows: list[dict[str, Any]]) -> list[tuple[Say, list[dict[str, Any]]]]:
    groups = [(word, [r for r in rows if r["group"] == key]) for key, word in GROUPS.items()]
    return [(word, found) for word, found in groups if found]


# ---------------------------------------------------------------- pages


@router.get("/queue")
def queue_page(visit: Signed) -> Response:
    found = data_for_queue(visit.office, visit.actor, visit.params)
    return visit.page("queue.html", **found, done=visit.done(DONE))


@router.get("/queue/news")
def news(visit: Signed) -> Response:
    """How many deliveries changed since the list was drawn (`seen`, in microseconds)."""
    said = chosen(visit.params, "seen") or 0
    seen = EPOCH + timedelta(microseconds=min(said, 10**16))
    with visit.office.db.read() as conn:
        mine = deliveries.c.post_unit_id.in_(people.unit_ids(conn, visit.actor))
        query = select(func.count()).where(mine, deliveries.c.changed_at > seen)
        return visit.news(conn.execute(query).scalar_one(), f"/queue{query_of(visit.params)}")


def query_of(params: Mapping[str, str]) -> str:
    """The list's own address again, from the beginning."""
    return render.query(params, seen="", open="", done="")


@router.get("/queue/{delivery_id}")
def delivery_page(visit: Signed, delivery_id: Id) -> Response:
    found = data_for_delivery(visit.office, visit.actor, delivery_id)
    return visit.page("delivery.html", **found, done=visit.done(DONE))


# ---------------------------------------------------------------- acts


def _cancel(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    queue.cancel(conn, now, visit.actor, one)


def _retry(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    queue.retry(visit.office, conn, now, visit.actor, one, _time(visit))


def _back(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    retiming.send_back(visit.office, conn, now, visit.actor, one)


def _move(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    """Its post, to `at`; where that is outside of what was signed, it is signed anew."""
    at = _time(visit)
    if at is None:
        raise Invalid("请填写改到什么时间")
    post = queue.one(conn, one)["post_id"]
    retiming.move(visit.office, conn, now, visit.actor, post, at, agreed=True)


def _look(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    queue.look_again(conn, now, visit.actor, one)


def _sent(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    link = visit.field("link", need=str(Say("这条内容的地址")))
    queue.confirm_sent(conn, now, visit.actor, one, link)


def _absent(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    queue.confirm_absent(visit.office, conn, now, visit.actor, one, _time(visit))


def _drop(visit: Visit, conn: Connection, now: datetime, one: int) -> None:
    queue.drop(conn, now, visit.actor, one)


ACTS: dict[str, Callable[[Visit, Connection, datetime, int], None]] = {
    "cancel": _cancel,
    "retry": _retry,
    "back": _back,
    "move": _move,
    "look": _look,
    "sent": _sent,
    "absent": _absent,
    "drop": _drop,
}


def _time(visit: Visit) -> datetime | None:
    return instant(visit.field("at"), visit.office.config.tz)


@router.post("/queue/{delivery_id}")
def act(visit: Signed, delivery_id: Id) -> Response:
    """One act on one delivery: `act`, with `link` or `at` where it needs them. What was typed stays on
    the page when it cannot be taken."""
    name = visit.field("act")
    try:
        _acted(visit, name, delivery_id)
    except (Invalid, Conflict) as error:
        found = data_for_delivery(visit.office, visit.actor, delivery_id)
        return visit.page(
            "delivery.html", status_of(error), **found, done=None, amiss=visit.amiss(error)
        )
    return go(f"/queue/{delivery_id}?done={name}")


def _acted(visit: Visit, name: str, delivery_id: int) -> None:
    if name not in ACTS:
        raise Invalid("请选一个结论：确已发出、确未发出，或不再发布")
    with visit.office.db.write() as conn:
        ACTS[name](visit, conn, visit.office.db.now(conn), delivery_id)


@router.post("/queue")
def bulk(visit: Signed) -> Response:
    """Cancel, retry, move (`at`) or send back the chosen ones; each by itself, so that one refusal stops
    no other."""
    name = visit.field("act")
    ids = [whole(each) for each in visit.fields("ids")]
    if name in ("back", "move"):
        ids = _one_a_post(visit, ids)
    found = partial(data_for_queue, visit.office, visit.actor, visit.params)
    try:
        _refuse_unmeant(visit, name, ids)
    except Invalid as error:
        return visit.page(
            "queue.html", 422, **found(), done=None, amiss=visit.amiss(error), ids=ids
        )
    refused = [r for one in ids if (r := _tried(visit, name, one))]
    return visit.page("queue.html", **found(), done=DONE["bulk"], refused=refused, tried=len(ids))


def _refuse_unmeant(visit: Visit, name: str, ids: list[int]) -> None:
    if name not in ("cancel", "retry", "move", "back") or not ids:
        raise Invalid("请先选中投递，再按要办的事")
    if name == "move" and _time(visit) is None:
        raise Invalid("请填写改到什么时间")


def _one_a_post(visit: Visit, ids: list[int]) -> list[int]:
    """Posts are moved and sent back, each once."""
    with visit.office.db.read() as conn:
        first = select(func.min(deliveries.c.id)).where(deliveries.c.id.in_(ids))
        return list(conn.execute(first.group_by(deliveries.c.post_id)).scalars())


def _tried(visit: Visit, name: str, one: int) -> tuple[int, str] | None:
    try:
        with visit.office.db.write() as conn:
            ACTS[name](visit, conn, visit.office.db.now(conn), one)
    except GongkaiError as error:
        return one, str(error)
    return None
