"""The frame around every page: rail, top bar, red band. One read of the store a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from bot import naming, people
from bot.db import clock_of, grants, holds, units, workers
from bot.db import people as persons
from bot.deliver.holds import ahead, stands
from bot.language import Say
from bot.model import Actor, HoldScope, Right, Role
from bot.office import Office
from bot.settings import STALE
from bot.web import counts
from bot.workdays import UnknownYear


@dataclass(frozen=True)
class Entry:
    """One entry of the rail."""

    href: str
    word: Say
    icon: str
    rights: frozenset[Right]  # any of these shows it; none: everybody's
    badge: str = ""  # key of bot.web.counts
    key: str = ""  # after G
    rows: str = ""  # what the badge counts, where that is not the page itself


READ = frozenset({Right.READ})
RAIL = (
    Entry("/", Say("今日"), "home", frozenset(), key="t"),
    Entry("/posts", Say("稿件"), "file-text", READ, key="w"),
    Entry("/review", Say("审签"), "rubber-stamp", READ, "review", "r"),
    Entry("/calendar", Say("排期"), "calendar-time", READ, key="c"),
    Entry("/queue", Say("队列"), "send", READ, "undecided", "q", "/queue?state=person"),
    Entry("/items", Say("目录"), "folder", READ | {Right.SUBMIT}),
    Entry("/replies", Say("评论"), "message-circle", READ, "replies", "p", "/replies/board"),
    Entry("/accounts", Say("账号"), "plug", READ, "broken", "a", "/accounts?state=bad#accounts"),
    Entry("/people", Say("人员"), "users", READ),
    Entry("/trail", Say("留痕"), "fingerprint", READ, key="l"),
    Entry("/settings", Say("设置"), "settings", READ),
)


def frame(office: Office, actor: Actor, path: str) -> dict[str, Any]:
    """What templates/frame.html draws around a page."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        scope = people.unit_ids(conn, actor)
        stopped, trail = standing(conn, scope), people.reads_trail(conn, actor)
        rights = all_rights(conn, actor)
        shown = (e for e in RAIL if not e.rights or e.rights & rights)
        return {
            "entries": [(e, on(e, path)) for e in shown if e.href != "/trail" or trail],
            "trail": trail,
            "counts": counts.badges(conn, office, actor, scope),
            "unit": unit_name(conn, actor),
            "roles": roles(conn, actor),
            "rights": rights,
            "clock": clock(office, now),
            "heart": heart(conn, now),
            "holds": stopped,
            "band": [h for h in stopped if h["scope"] in (HoldScope.ALL, HoldScope.UNIT)],
        }


def on(entry: Entry, path: str) -> bool:
    return path == "/" if entry.href == "/" else path.startswith(entry.href)


# ---------------------------------------------------------------- heartbeat


def heart(conn: Connection, now: datetime) -> dict[str, Any]:
    """Do workers run? `alive` is how many beat lately, `last` the latest beat there ever was."""
    last = conn.execute(select(func.max(workers.c.beat_at))).scalar()
    running = (workers.c.stopped_at.is_(None), workers.c.beat_at > now - STALE)
    count = select(func.count()).select_from(workers).where(*running)
    return {"alive": conn.execute(count).scalar_one(), "last": last}


# ---------------------------------------------------------------- holds


def standing(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    """The holds that stand and concern the reader's units, the widest first."""
    order = list(HoldScope)
    seen = _concerning(conn, scope, stands(clock_of(conn)))
    return sorted(seen, key=lambda h: order.index(HoldScope(h["scope"])))


def declared(conn: Connection, scope: set[int]) -> list[dict[str, Any]]:
    """Those of 肃穆模式 whose start is to come, the earliest first."""
    return _concerning(conn, scope, ahead(clock_of(conn)))


def _concerning(
    conn: Connection, scope: set[int], which: ColumnElement[bool]
) -> list[dict[str, Any]]:
    rows = conn.execute(select(holds).where(which).order_by(holds.c.since)).mappings()
    named = [named_hold(conn, row) for row in rows]
    return [h for h in named if h["unit_id"] is None or h["unit_id"] in scope]


def named_hold(conn: Connection, row: RowMapping) -> dict[str, Any]:
    """A hold with the name of what it stops and of who stopped it."""
    name, unit_id = naming.of_hold(conn, row["scope"], row["target_id"])
    who = select(persons.c.name).where(persons.c.id == row["person_id"])
    return {**row, "name": name, "unit_id": unit_id, "who": conn.execute(who).scalar() or ""}


# ---------------------------------------------------------------- who and when


def unit_name(conn: Connection, actor: Actor) -> str:
    """The highest unit the reader belongs to."""
    mine = select(units.c.name).join(grants, grants.c.unit_id == units.c.id)
    query = mine.where(grants.c.person_id == actor.person).order_by(units.c.parent_id, units.c.id)
    return conn.execute(query.limit(1)).scalar() or ""


def roles(conn: Connection, actor: Actor) -> list[Say]:
    rows = conn.execute(select(grants.c.role).where(grants.c.person_id == actor.person)).scalars()
    held = set(rows)
    return [people.ROLE_WORDS[role] for role in Role if role in held]


def all_rights(conn: Connection, actor: Actor) -> frozenset[Right]:
    """What the reader may do somewhere: only for what to show, never for what to allow."""
    rows = conn.execute(select(grants.c.role).where(grants.c.person_id == actor.person)).scalars()
    return frozenset().union(*(people.RIGHTS[Role(role)] for role in rows))


def clock(office: Office, now: datetime) -> dict[str, Any]:
    """The office's hour, and whether today is worked: 工作日, 放假, or the holiday's name."""
    local = now.astimezone(office.config.tz)
    try:
        worked = office.calendar.is_workday(local.date())
        name = office.calendar.name_of(local.date())
    except UnknownYear:
        return {"now": now, "word": Say("放假安排未录入"), "off": True}
    if worked:
        swapped = local.weekday() >= 5
        return {"now": now, "word": Say("调休上班") if swapped else Say("工作日"), "off": False}
    return {"now": now, "word": Say("{name}放假", name=name) if name else Say("周末"), "off": True}
