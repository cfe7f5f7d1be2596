"""What people do with schedules: look at them, ask what if, run one now, skip a time, pause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot import audit, people
from bot.db import insert_id, insert_missing, occurrences, schedules
from bot.errors import Conflict, GongkaiError, Invalid
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.schedule.calendar import times, upcoming
from bot.schedule.files import Schedule, files, load, named
from bot.schedule.firing import DONE, EMPTY
from bot.schedule.planning import (
    MISSED,
    OFF,
    PAUSED,
    PLANNED,
    SKIPPED,
    is_paused,
    skip_rows,
)
from bot.workdays import UnknownYear, office_day

MOST = 1000  # lines of a what-if
GONE_BY = Say("已经过去，不会补办")
MET = {  # what became of a time that is past
    PLANNED: Say("待办"),
    DONE: Say("已办"),
    EMPTY: Say("没有内容"),
    MISSED: Say("已错过"),
    SKIPPED: Say("未办"),
    OFF: Say("已跳过"),
}


def listing(office: Office, conn: Connection, now: datetime, n: int = 5) -> list[dict[str, Any]]:
    """Every schedule: its kind, next times, last occurrence; a file with a mistake says which."""
    found = []
    for file in files(office):
        try:
            found.append(_line(office, conn, now, load(office, file), n))
        except (GongkaiError, OSError, UnicodeDecodeError) as error:
            found.append({"key": file.stem, "error": str(error)})
    return found


def _line(
    office: Office, conn: Connection, now: datetime, schedule: Schedule, n: int
) -> dict[str, Any]:
    coming, unknown = upcoming(office, schedule, now, n)
    paused = schedule.paused or is_paused(conn, schedule.key)
    last = _last(conn, schedule.key, now)
    return {
        "key": schedule.key,
        "name": schedule.name,
        "unit": schedule.unit,
        "kind": _kind(schedule),
        "paused": paused,
        "ended": not coming and unknown is None,
        "next": coming,
        "off": _off(conn, schedule.key, now),
        "last": dict(last) if last else None,
        "error": str(unknown) if unknown else "",
    }


def _kind(schedule: Schedule) -> str:
    if schedule.step:
        return "steps"
    return "items" if schedule.items else "slots"


def _off(conn: Connection, key: str, now: datetime) -> list[datetime]:
    """Times still to come that a person called off."""
    mine = occurrences.c.schedule == key, occurrences.c.state == OFF, occurrences.c.at > now
    query = select(occurrences.c.at).where(*mine).order_by(occurrences.c.at)
    return list(conn.execute(query).scalars())


def _last(conn: Connection, key: str, now: datetime) -> RowMapping | None:
    columns = (occurrences.c[name] for name in ("id", "at", "state", "reason", "post_id"))
    mine = occurrences.c.schedule == key, occurrences.c.at <= now
    query = select(*columns).where(*mine).order_by(occurrences.c.at.desc()).limit(1)
    return conn.execute(query).mappings().first()


def coming(
    office: Office, conn: Connection, begins: datetime, ends: datetime, most: int = 50
) -> list[tuple[datetime, Schedule]]:
    """The times of a span that schedules will fire at, the first of each; nothing called off or paused."""
    found: list[tuple[datetime, Schedule]] = []
    for file in files(office):
        with suppress(GongkaiError, OSError, UnicodeDecodeError):
            schedule = load(office, file)
            off = set(_off(conn, schedule.key, begins))
            if not (schedule.paused or is_paused(conn, schedule.key)):
                fires = islice(times(office, schedule, begins, ends), most)
                found.extend((at, schedule) for at in fires if at < ends and at not in off)
    return sorted(found, key=lambda one: one[0])


# ---------------------------------------------------------------- what if


def what_if(
    office: Office, schedule: Schedule, begins: datetime, ends: datetime
) -> tuple[list[dict[str, Any]], UnknownYear | None]:
    """When it would fire in a span of time, and what stands in the way there; nothing is changed.

    With why the list ends early, where the calendar is not announced that far.
    """
    if ends <= begins:
        raise Invalid("结束的时间须晚于开始的时间")
    with office.db.read() as conn:
        now, met = office.db.now(conn), _met(conn, schedule.key, begins, ends)
    found: list[dict[str, Any]] = []
    try:
        for at in islice(times(office, schedule, begins, ends), MOST):
            past = met.get(at, GONE_BY if schedule.step else None) if at <= now else None
            found.append(_imagined(office, schedule, at, past))
    except UnknownYear as error:
        return found, error
    return found, None


def _met(conn: Connection, key: str, begins: datetime, ends: datetime) -> dict[datetime, Say]:
    """What became of a schedule's times, as far as it is known."""
    span = occurrences.c.at >= begins, occurrences.c.at <= ends
    query = select(occurrences.c.at, occurrences.c.state).where(
        occurrences.c.schedule == key, *span
    )
    return {at: MET.get(state, GONE_BY) for at, state in conn.execute(query)}


def passed_by(office: Office, conn: Connection, now: datetime, schedule: Schedule) -> list[Say]:
    """For `gongkai check`: steps that were past before their file was read; nothing makes up for them."""
    if not schedule.step:
        return []
    met = _met(conn, schedule.key, schedule.step[0].at, now)
    gone = [step for step in schedule.step if step.at <= now and step.at not in met]
    return [
        Say(
            "日程 {key} 的“{title}”（{at}）已经过去，不会补办；还要发的请改日期或另行拟稿",
            key=schedule.key,
            title=step.title,
            at=f"{step.at.astimezone(office.config.tz):%Y-%m-%d %H:%M}",
        )
        for step in gone
    ]


def _imagined(office: Office, schedule: Schedule, at: datetime, past: Say | None) -> dict[str, Any]:
    step = schedule.step_at(at)
    remarks = [past] if past is not None else _remarks(office, schedule, at)
    return {
        "at": at,
        "due": schedule.due(at),
        "latest": at + schedule.lateness,
        "day": str(_day(office, at)),
        "title": step.title if step else schedule.name,
        "remarks": [str(say) for say in remarks],
    }


def _day(office: Office, at: datetime) -> Say:
    """Worked, off, or a holiday's name; an unannounced year is told where it matters."""
    day = office_day(at, office.config.tz)
    try:
        worked, name = office.calendar.is_workday(day), office.calendar.name_of(day)
    except UnknownYear as error:
        return Say("{year} 年未公布", year=error.year)
    if name:
        return Say("{name}", name=name)
    return Say("工作日") if worked else Say("休息日")


def _remarks(office: Office, schedule: Schedule, at: datetime) -> Iterator[Say]:
    for key in schedule.accounts:
        part = office.config.accounts[key]
        quiet, name = part.quiet, part.name or key
        if quiet is not None and quiet.hold(at, office.config.tz):
            over = quiet.over(at, office.config.tz)
            if over > at + schedule.lateness:
                yield Say("账号 {key} 的静默时段，过后已超出最迟时限，发不出", key=name)
            else:
                yield Say("账号 {key} 的静默时段，会推后", key=name)
    step = schedule.step_at(at)
    if step is not None and not schedule.composes(at):
        yield Say("须有人交材料")


# ---------------------------------------------------------------- acts


def _for(office: Office, conn: Connection, actor: Actor, key: str) -> Schedule:
    """Whoever runs the queue of its unit; the machine's own shell may. Raises NotAllowed."""
    schedule = named(office, key)
    if actor.person is not None:
        unit = people.unit_of(conn, schedule.unit)["id"]
        people.require(conn, actor, Right.SCHEDULE, unit)
    return schedule


def run(office: Office, conn: Connection, now: datetime, actor: Actor, key: str) -> int:
    """One occurrence more, now; what it makes is signed as ever. Gives its id.

    Raises ConfigError, NotAllowed, Conflict for a series of steps (its dates are its file's), and where
    one stands at this very moment.
    """
    schedule = _for(office, conn, actor, key)
    if schedule.step:
        raise Conflict("逐段公开的日程按各步的日期办；要提前，请改文件里的日期")
    values = {"schedule": key, "at": now, "state": PLANNED, "due_at": now}
    try:
        made = insert_id(conn, occurrences, values)
    except IntegrityError:  # pressed twice at once: one is enough
        raise Conflict("日程 {key} 刚刚已加发了一期；确要再加一期，请再办一次", key=key) from None
    audit.write(conn, now, actor, "schedule.run", f"schedule:{key}", occurrence=made)
    return made


def skip(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    key: str,
    at: datetime,
    *,
    undo: bool = False,
) -> None:
    """Call off one time of a schedule; or not, after all.

    Raises ConfigError, NotAllowed, Invalid for a time it has not, Conflict for one that is past.
    """
    schedule = _for(office, conn, actor, key)
    if at <= now:
        raise Conflict("已经过点，不能再跳过或恢复")
    if at not in times(office, schedule, at - timedelta(microseconds=1), at):
        raise Invalid("日程 {key} 没有这个时间；用 gongkai schedule whatif {key} 查看", key=key)
    row = {"schedule": key, "at": at, "state": SKIPPED}
    insert_missing(conn, occurrences, [row])  # it may lie beyond what is planned
    said = Say("{who}跳过这一期", who=actor.name)
    values: dict[str, Any] = {"state": SKIPPED if undo else OFF, "due_at": None}
    values |= {"reason": None if undo else said.json(), "lease": None, "leased_until": None}
    open_ = (OFF,) if undo else (PLANNED, SKIPPED)
    mine = occurrences.c.schedule == key, occurrences.c.at == at, occurrences.c.state.in_(open_)
    if conn.execute(update(occurrences).where(*mine).values(**values)).rowcount != 1:
        raise Conflict("这一期已经成稿或已是所要的状态")
    verb = "schedule.unskip" if undo else "schedule.skip"
    audit.write(conn, now, actor, verb, f"schedule:{key}", at=at.isoformat())


def pause(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    key: str,
    reason: str,
    *,
    undo: bool = False,
) -> None:
    """Stop a schedule until it is let go on; what was planned of it is skipped, what was made stays.

    Raises ConfigError, NotAllowed, Invalid without a reason, Conflict where its file says paused.
    """
    schedule = _for(office, conn, actor, key)
    if schedule.paused:
        raise Conflict("文件里写着 paused = true，请改文件")
    if not undo and not reason.strip():
        raise Invalid("请写明暂停的理由")
    values: dict[str, Any] = {"paused_at": None if undo else now, "person_id": actor.person}
    values["reason"] = "" if undo else reason.strip()
    if conn.execute(select(schedules.c.key).where(schedules.c.key == key)).first():
        conn.execute(update(schedules).where(schedules.c.key == key).values(**values))
    else:
        conn.execute(insert(schedules).values(key=key, **values))
    if not undo:
        skip_rows(conn, key, None, PAUSED)
    verb = "schedule.resume" if undo else "schedule.pause"
    audit.write(conn, now, actor, verb, f"schedule:{key}")
