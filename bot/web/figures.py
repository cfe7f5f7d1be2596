"""The figures of 今日 and of the lists, for a program: each with where the API gives the rows it counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, func, select

from bot import review, shapes
from bot.collect import log
from bot.db import aside, posts, sources
from bot.deliver import queue
from bot.model import Actor
from bot.office import Office
from bot.web import counts, items, shell
from bot.web import posts as written
from bot.web.duty import today_on_duty

DRAFTS = {"returned": "?returned=true", "draft": "?state=draft&returned=false"}


@dataclass(frozen=True)
class Figure:
    """How many rows `of` a list there are under a name; `rows`: below /api/v1, they themselves."""

    of: str
    name: str
    count: int
    rows: str


def figures(
    office: Office, conn: Connection, now: datetime, actor: Actor, scope: set[int]
) -> list[Figure]:
    """What waits for this person, and how the lists of these units stand."""
    mine = aside(posts.c.unit_id).in_(scope)
    own = select(func.count()).where(mine, counts.returned(actor))
    failing = select(func.count()).select_from(sources).where(counts.failing(scope))
    return [
        Figure("sign", "mine", len(review.waiting(office, conn, actor)), "/sign"),
        Figure("posts", "mine", conn.execute(own).scalar_one(), "/posts?returned=true&mine=true"),
        *(
            Figure("posts", name, n, _posts(name))
            for name, n in written.counted(conn, mine).items()
        ),
        *_stated("items", items.counted(conn, scope, {})),
        *_stated("queue", queue.counts(conn, scope)),
        _said(office, conn, now, scope),
        Figure("replies", "board", counts.waiting_replies(conn, actor), "/board/replies"),
        Figure("accounts", "broken", counts.broken_count(conn, scope), "/accounts?state=broken"),
        Figure("sources", "failing", conn.execute(failing).scalar_one(), "/sources?failing=true"),
    ]


def _said(office: Office, conn: Connection, now: datetime, scope: set[int]) -> Figure:
    """What the public said since yesterday, all of it: the page stops at counts.CAP."""
    first = counts.yesterday(office, now)
    since = log.days(first, None, office.config.tz)["since"]
    chosen = log.chosen(scope, own=False, since=since).subquery()
    n = conn.execute(select(func.count()).select_from(chosen)).scalar_one()
    asked = urlencode({"whose": "public", "since": first.isoformat()})
    return Figure("replies", "since_yesterday", n, f"/replies?{asked}")


def today(
    office: Office, conn: Connection, now: datetime, actor: Actor, scope: set[int]
) -> dict[str, Any]:
    """The figures with what stands above them: the day, who is on duty, whether the machine runs."""
    day = shell.clock(office, now)
    on_duty = today_on_duty(office, conn, scope)
    return {
        "at": now.astimezone(office.config.tz),
        "day": {"name": str(day["word"]), "off": day["off"]},
        "duty": [shapes.picked(row, shapes.DUTY) for row in on_duty],
        "workers": shell.heart(conn, now),
        "figures": [asdict(one) for one in figures(office, conn, now, actor, scope)],
    }


def _posts(name: str) -> str:
    return f"/posts{DRAFTS.get(name, '' if name == 'all' else f'?state={name}')}"


def _stated(of: str, found: dict[str, int]) -> list[Figure]:
    """By state; `all` is the list itself."""
    asked = {name: "" if name == "all" else f"?state={name}" for name in found}
    return [Figure(of, name, n, f"/{of}{asked[name]}") for name, n in found.items()]
