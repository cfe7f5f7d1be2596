"""账号与来源: do they work, until when, what went wrong last, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from bot import people, settings, shapes
from bot.db import accounts, deliveries, posts, units
from bot.deliver import accounts as stage
from bot.deliver import connecting
from bot.errors import GongkaiError, Invalid
from bot.language import Say
from bot.model import Actor, DeliveryState, Right
from bot.office import Office
from bot.web import counts
from bot.web.faults import status_of
from bot.web.lists import account
from bot.web.sources import sources_of
from bot.web.visit import Signed, Visit

router = APIRouter()
DONE = {
    "pause": Say("已暂停，队列保留"),
    "activate": Say("已恢复"),
    "check": Say("已安排检查，稍后刷新看结果"),
}


def data_for_accounts(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Accounts and sources of the reader's units, and the workers; `state` bad: only those that are
    broken or cannot be read."""
    bad = params.get("state") == "bad"
    with office.db.read() as conn:
        now = office.db.now(conn)
        scope = people.unit_ids(conn, actor)
        every, read = _accounts(office, conn, now, scope), sources_of(office, conn, scope)
        return {
            "accounts": [one for one in every if not bad or counts.is_broken(one)],
            "sources": [one for one in read if not bad or counts.is_unread(one)],
            "bad": bad,
            "total": len(every) + len(read),
            "wrong": sum(map(counts.is_broken, every)) + sum(map(counts.is_unread, read)),
            "workers": settings.beats(conn, now),
            "admin": people.unit_ids(conn, actor, Right.ADMIN),
            "write": people.unit_ids(conn, actor, Right.WRITE),
        }


def _accounts(
    office: Office, conn: Connection, now: datetime, scope: set[int]
) -> list[dict[str, Any]]:
    """`queued`: of the posts the reader sees, as the queue lists them."""
    waiting = (
        select(deliveries.c.account_id, func.count())
        .join(posts, posts.c.id == deliveries.c.post_id)
        .where(deliveries.c.state == DeliveryState.READY, posts.c.unit_id.in_(scope))
    )
    queued: dict[int, int] = dict(conn.execute(waiting.group_by(deliveries.c.account_id)).all())
    query = select(accounts, units.c.name.label("unit")).join(
        units, units.c.id == accounts.c.unit_id
    )
    rows = conn.execute(
        query.where(accounts.c.unit_id.in_(scope)).order_by(accounts.c.id)
    ).mappings()
    hidden = ("credential",)  # encrypted, and no page's business all the same
    return [
        {k: v for k, v in row.items() if k not in hidden}
        | {
            "square": account(row),
            "queued": queued.get(row["id"], 0),
            "connecting": connecting.need(office, row),
            "token_days": shapes.days_left(row["token_ends"], now),
        }
        for row in rows
    ]


@router.get("/accounts")
def accounts_page(visit: Signed) -> Response:
    return listed(visit)


def listed(visit: Visit, error: GongkaiError | None = None) -> Response:
    """The list, with what went wrong on the way to it."""
    found = data_for_accounts(visit.office, visit.actor, visit.params)
    status = 200 if error is None else status_of(error)
    said = {"error": str(error or ""), "done": visit.done(DONE)}
    return visit.page("accounts.html", status, **found, **said)


@router.post("/accounts/{key}")
def act_on_account(visit: Signed, key: str) -> Response:
    """pause, activate, or check (which the worker does at once)."""
    name = visit.field("act")
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        if name in ("pause", "activate"):
            stage.pause(conn, now, visit.actor, key, name == "pause")
        elif name == "check":
            stage.ask_check(conn, now, visit.actor, key)
        else:
            raise Invalid("请从页面上的按钮办理")
    return visit.back(f"/accounts?done={name}")
