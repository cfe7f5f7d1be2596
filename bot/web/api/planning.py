"""排期与日程: what goes out when, a post moved to another time, schedules run, skipped, paused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select
from starlette.responses import Response

from bot import people, schedule, shapes
from bot.db import accounts
from bot.deliver import rhythm
from bot.errors import Invalid, NotFound
from bot.model import Actor
from bot.office import Office
from bot.schedule import agenda, retiming
from bot.schedule.files import files, named
from bot.web.account import readable_account
from bot.web.api import bodies
from bot.web.api.door import Call, Reads, Route, Writes
from bot.web.api.once import Done, Json, once
from bot.web.api.paging import Paged, Words, cursor_at, place
from bot.web.review import post_for
from bot.web.schedules import listed
from bot.web.templating import readable_units
from bot.web.visit import Id
from bot.workdays import instant, office_day

router = APIRouter(route_class=Route, default_response_class=Json)
MOST = timedelta(days=100)  # of a span
SPAN = timedelta(days=31)
Name = Annotated[str, Path(max_length=100)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    begins: Annotated[Words, Query(description="now without")] = ""
    ends: Annotated[Words, Query(description="31 days on without; 100 at most")] = ""


class CalendarAsked(Paged, Asked):
    account: Annotated[Words, Query(description="its key")] = ""
    state: Literal["", "draft", "in_review", "approved", "ready", "sending", "sent", "held",
                   "missed", "failed", "uncertain", "cancelled"] = ""  # fmt: skip


class SlotsAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: Annotated[Words, Query(description="its key")]


class ForeseenAsked(Asked):
    schedule: Annotated[Words, Query(description="its key")] = ""
    text: Annotated[str, Query(max_length=5000, description="a file's text or a rule of cron")] = ""


class MoveAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: Annotated[Words, Query(min_length=1)]


def _span(call: Call, asked: Asked) -> tuple[datetime, datetime]:
    """Raises Invalid."""
    zone = call.office.config.tz
    begins = instant(asked.begins, zone) or call.office.db.now()
    ends = instant(asked.ends, zone) or begins + SPAN
    if not begins < ends <= begins + MOST:
        raise Invalid("起止时间须先后相接，最长 {n} 天", n=MOST.days)
    return begins, ends


# ---------------------------------------------------------------- the calendar


@router.get("/calendar")
def calendar(call: Reads, asked: Annotated[CalendarAsked, Query()]) -> Response:
    """What goes out when, a line a post, in time's order."""
    begins, ends = _span(call, asked)
    past = place("calendar", asked.cursor, 2) if asked.cursor else ()
    with call.office.db.read() as conn:
        one = readable_account(conn, call.actor, asked.account)[0] if asked.account else None
        scope = frozenset(people.unit_ids(conn, call.actor))
        view = agenda.View(scope, one["id"] if one else None, asked.state)
        left = [r for r in agenda.outline(conn, view, begins, ends) if (r.micros, r.post_id) > past]
        shown = agenda.detailed(conn, left[: asked.limit], begins, ends)
        keys = dict(conn.execute(select(accounts.c.id, accounts.c.key)).all())
    more = left[asked.limit - 1] if len(left) > asked.limit else None
    following = cursor_at("calendar", more.micros, more.post_id) if more else None
    return Json({"rows": [shapes.line(line, keys) for line in shown], "next": following})


@router.get("/calendar/days")
def days(call: Reads, asked: Annotated[Asked, Query()]) -> Response:
    """Each day of a span: how many posts, in which states, and whether it is worked."""
    begins, ends = (office_day(at, call.office.config.tz) for at in _span(call, asked))
    with call.office.db.read() as conn:
        scope = people.unit_ids(conn, call.actor)
        rows = shapes.days(call.office, conn, scope, (begins, ends))
    return Json({"rows": rows, "next": None})


@router.get("/calendar/slots")
def slots(call: Reads, asked: Annotated[SlotsAsked, Query()]) -> Response:
    """The next free slots of an account."""
    with call.office.db.read() as conn:
        row, _ = readable_account(conn, call.actor, asked.account)
        free = rhythm.next_slots(conn, row, call.office.db.now(conn))
    return Json({"rows": [{"account": row["key"], "at": at} for at in free], "next": None})


@router.get("/posts/{post_id:int}/move")
def foreseen_move(call: Reads, post_id: Id, asked: Annotated[MoveAsked, Query()]) -> Response:
    """What moving a post to `at` would do; `kind` again: it is signed anew."""
    at = _at(call, asked.at)
    with call.office.db.read() as conn:
        post_for(conn, call.actor, post_id)
        now = call.office.db.now(conn)
        found = retiming.foresee(call.office, conn, now, call.actor, post_id, at)
    return Json(found.json())


@router.post("/posts/{post_id:int}/move")
def move(call: Writes, post_id: Id, said: bodies.Moved) -> Response:
    """A post to another time. Outside of what was signed it needs `agreed`, and is signed anew."""
    at = _at(call, said.at)
    more: dict[str, Any] = {"version": said.version, "agreed": said.agreed}

    def act(conn: Connection, now: datetime) -> Done:
        post_for(conn, call.actor, post_id)
        who = (call.actor, post_id, at)
        return retiming.move(call.office, conn, now, *who, seen=said.deliveries, **more).json()

    return once(call, act)


def _at(call: Call, said: str) -> datetime:
    """Raises Invalid."""
    at = instant(said, call.office.config.tz)
    if at is None:
        raise Invalid("请填写时间")
    return at


# ---------------------------------------------------------------- schedules


@router.get("/schedules")
def schedules(call: Reads) -> Response:
    """The schedules of the reader's units: next times, last occurrence; files nobody can read, too."""
    with call.office.db.read() as conn:
        found = listed(call.office, conn, call.actor)
    return Json({"rows": found, "next": None})


@router.get("/schedules/foreseen")
def foreseen(call: Reads, asked: Annotated[ForeseenAsked, Query()]) -> Response:
    """When a schedule (`schedule`), or a file or rule that is none yet (`text`), would fire, and what
    stands in the way; `unknown`: why it ends early."""
    span = _span(call, asked)
    with call.office.db.read() as conn:
        if asked.schedule:
            one = _readable(call.office, conn, call.actor, asked.schedule)
        else:
            readable_units(conn, call.actor)
            one = schedule.read(call.office, asked.text)
    rows, unknown = schedule.what_if(call.office, one, *span)
    return Json({"rows": rows, "next": None, "unknown": str(unknown or "")})


def _readable(office: Office, conn: Connection, actor: Actor, key: str) -> schedule.Schedule:
    """A schedule of the reader's units. Raises NotFound, ConfigError."""
    if key in {file.stem for file in files(office)}:
        one = named(office, key)
        if one.unit in readable_units(conn, actor):
            return one
    raise NotFound("没有日程 {key}", key=key)


@router.post("/schedules/{key}/run")
def run(call: Writes, key: Name) -> Response:
    """One occurrence more, now; what it makes is signed as ever."""

    def act(conn: Connection, now: datetime) -> Done:
        _readable(call.office, conn, call.actor, key)
        return {"occurrence": schedule.run(call.office, conn, now, call.actor, key)}

    return once(call, act)


@router.post("/schedules/{key}/skip")
def skip(call: Writes, key: Name, said: bodies.Occurring) -> Response:
    """Call off one time of it."""
    return _on_schedule(call, key, schedule.skip, _at(call, said.at))


@router.post("/schedules/{key}/unskip")
def unskip(call: Writes, key: Name, said: bodies.Occurring) -> Response:
    """Not, after all."""
    return _on_schedule(call, key, schedule.skip, _at(call, said.at), undo=True)


@router.post("/schedules/{key}/pause")
def pause(call: Writes, key: Name, said: bodies.Reason) -> Response:
    """Stop it until it is let go on; what was made stays."""
    return _on_schedule(call, key, schedule.pause, said.reason)


@router.post("/schedules/{key}/resume")
def resume(call: Writes, key: Name) -> Response:
    """Let it go on."""
    return _on_schedule(call, key, schedule.pause, "", undo=True)


def _on_schedule(
    call: Call, key: str, stage: Callable[..., None], *what: Any, undo: bool = False
) -> Response:
    def act(conn: Connection, now: datetime) -> Done:
        _readable(call.office, conn, call.actor, key)
        stage(call.office, conn, now, call.actor, key, *what, undo=undo)
        return {"schedule": key}

    return once(call, act)
