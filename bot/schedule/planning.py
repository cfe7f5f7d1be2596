"""The occurrences of the coming days are rows, unique by (schedule, time)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, true, update

from bot.db import insert_missing, notices, occurrences, offices, posts, schedules
from bot.errors import ConfigError, GongkaiError
from bot.language import Say
from bot.model import PostState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.schedule.calendar import times
from bot.schedule.files import Schedule, Stage, files, load
from bot.workdays import UnknownYear

HORIZON = timedelta(days=2)  # occurrences are rows this long before anything is due of them
LOOK_BACK = timedelta(days=31)  # after an outage longer than that, this much of it is recorded
_NOTED = timedelta(hours=1)  # how far behind the note of the last planning may be
PLANNED, MISSED, SKIPPED, OFF = "planned", "missed", "skipped", "off"  # off: by a person's word
CHANGED, PAUSED = Say("日程已改"), Say("日程已暂停")


def plan_ahead(office: Office) -> list[GongkaiError]:
    """Make the rows of the coming days, and of the time nobody planned; give what is wrong with
    files that could not be read."""
    wrong: list[GongkaiError] = []
    found = files(office)
    silence = _silence(office)
    for file in found:
        try:
            schedule = load(office, file)
            _plan_past(office, schedule, silence)
            _plan_one(office, schedule)
        except UnknownYear as error:
            wrong.append(ConfigError("日程 {key}：{why}", key=file.stem, why=error.say))
        except (GongkaiError, OSError, UnicodeDecodeError) as error:
            wrong.append(error if isinstance(error, GongkaiError) else ConfigError(str(error)))
    _forget(office, [file.stem for file in found])
    _planned(office, silence.ends)
    return wrong


@dataclass(frozen=True)
class _Silence:
    """The time whose occurrences nobody made rows of: empty unless an outage outlasted HORIZON."""

    begins: datetime
    ends: datetime
    restored: datetime | None  # what was due before may have been made and gone, unknown here


def _silence(office: Office) -> _Silence:
    with office.db.read() as conn:
        now = office.db.now(conn)
        planned, restored = conn.execute(select(offices.c.planned_at, offices.c.restored_at)).one()
    begins = now if planned is None else max(planned + HORIZON, now - LOOK_BACK)
    return _Silence(min(begins, now), now, restored)


def _plan_past(office: Office, schedule: Schedule, silence: _Silence) -> None:
    """Rows as they would have been made in time: their turn finds them missed, or not too late.

    A schedule that was never planned before began after the outage; one that is paused asked for nothing.
    """
    if silence.begins == silence.ends or schedule.paused:
        return
    found: list[datetime] = []
    with suppress(UnknownYear):
        found.extend(times(office, schedule, silence.begins, silence.ends))
    before = select(occurrences.c.id).where(occurrences.c.schedule == schedule.key).limit(1)
    with office.db.write() as conn:
        if conn.execute(before).first() and not is_paused(conn, schedule.key):
            insert_missing(conn, occurrences, [_past(schedule, silence, at) for at in found])


def _past(schedule: Schedule, silence: _Silence, at: datetime) -> dict[str, Any]:
    row = {"schedule": schedule.key, "at": at}
    if silence.restored is not None and at <= silence.restored:
        why = Say("恢复备份：在备份之后到点")
        return {**row, "state": MISSED, "reason": why.json(), "due_at": None}
    return {**row, "state": PLANNED, "reason": None, "due_at": schedule.due(at)}


def _planned(office: Office, now: datetime) -> None:
    """Note it, seldom: what lies within HORIZON of it are rows all the same."""
    late = or_(offices.c.planned_at.is_(None), offices.c.planned_at <= now - _NOTED)
    with office.db.read() as conn:
        if not conn.execute(select(offices.c.id).where(late)).first():
            return
    with office.db.write() as conn:
        conn.execute(update(offices).where(late).values(planned_at=now))


def _plan_one(office: Office, schedule: Schedule) -> None:
    """Writes only where something differs. Raises UnknownYear, after what is known was planned."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        paused = schedule.paused or is_paused(conn, schedule.key)
        stand = _standing(conn, schedule.key, now)
    wanted, unannounced = ([], None) if paused else _wanted(office, schedule, now)
    due = {at: schedule.due(at) for at in wanted}
    again = [at for at in wanted if at in stand and _differs(stand[at], due[at])]
    stale = [at for at, row in stand.items() if row["state"] == PLANNED and at not in due]
    if stale or again or due.keys() - stand.keys():
        with office.db.write() as conn:
            skip_rows(conn, schedule.key, stale, PAUSED if paused else CHANGED)
            _plan(conn, schedule.key, {at: due[at] for at in again})
            fresh = {"schedule": schedule.key, "state": PLANNED}
            insert_missing(
                conn, occurrences, [{**fresh, "at": at, "due_at": due[at]} for at in wanted]
            )
    _ask_for_material(office, schedule, paused=paused)
    if unannounced is not None:
        raise unannounced


def is_paused(conn: Connection, key: str) -> bool:
    """By a person's word; the file may say so too."""
    mine = schedules.c.key == key, schedules.c.paused_at.is_not(None)
    return conn.execute(select(schedules.c.key).where(*mine)).first() is not None


def _wanted(
    office: Office, schedule: Schedule, now: datetime
) -> tuple[list[datetime], UnknownYear | None]:
    found: list[datetime] = []
    until = now + HORIZON + schedule.lead
    try:
        coming = times(office, schedule, now, until)
        found.extend(at for at in coming if schedule.due(at) <= now + HORIZON)
    except UnknownYear as error:
        return found, error
    return found, None


def _standing(conn: Connection, key: str, now: datetime) -> dict[datetime, RowMapping]:
    """The rows still to come."""
    query = select(occurrences).where(occurrences.c.schedule == key, occurrences.c.at > now)
    return {row["at"]: row for row in conn.execute(query).mappings()}


def _differs(row: RowMapping, due: datetime) -> bool:
    """Skipped while the file did not ask for it; or due at another time, and nothing tried yet."""
    untouched = row["state"] == PLANNED and row["reason"] is None and row["lease"] is None
    return row["state"] == SKIPPED or (untouched and row["due_at"] != due)


def _plan(conn: Connection, key: str, due: Mapping[datetime, datetime]) -> None:
    for at, when in due.items():
        mine = occurrences.c.schedule == key, occurrences.c.at == at
        values = {"state": PLANNED, "due_at": when, "reason": None}
        conn.execute(update(occurrences).where(*mine).values(**values))


def skip_rows(conn: Connection, key: str, at: Collection[datetime] | None, why: Say) -> None:
    """Rows that nobody asks for any more; None: all that are planned. What is at work on one ends
    unheard."""
    mine = occurrences.c.schedule == key, occurrences.c.state == PLANNED
    which = true() if at is None else occurrences.c.at.in_(at)
    values = {"state": SKIPPED, "due_at": None, "reason": why.json()}
    values |= {"lease": None, "leased_until": None}
    conn.execute(update(occurrences).where(*mine, which).values(**values))


def _forget(office: Office, keys: Sequence[str]) -> None:
    """A file that was taken away asks for nothing more."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        to_come = occurrences.c.state == PLANNED, occurrences.c.at > now
        gone = select(occurrences.c.schedule, occurrences.c.at).where(
            *to_come, occurrences.c.schedule.not_in(keys)
        )
        stale = conn.execute(gone).all()
    if stale:
        with office.db.write() as conn:
            for key, at in stale:
                skip_rows(conn, key, [at], CHANGED)


# ---------------------------------------------------------------- steps without material


def _ask_for_material(office: Office, schedule: Schedule, *, paused: bool) -> None:
    """One notice for a step that comes soon and has no post; over when it has one, or is past."""
    if not schedule.step:
        return
    with office.db.read() as conn:
        now = office.db.now(conn)
        wanted = {} if paused else dict(_missing(office, conn, schedule, now))
        mine = notices.c.key.startswith(f"schedule:{schedule.key}:step:", autoescape=True)
        stand = select(notices.c.key).where(mine, notices.c.closed_at.is_(None))
        standing = set(conn.execute(stand).scalars())
    if wanted.keys() == standing:
        return
    with office.db.write() as conn:
        for key in sorted(wanted.keys() - standing):
            open_notice(conn, now, key, wanted[key], None, "/calendar/schedules")
        close_notice(conn, now, *sorted(standing - wanted.keys()))


def _missing(
    office: Office, conn: Connection, schedule: Schedule, now: datetime
) -> Iterator[tuple[str, Say]]:
    """Posts that wait for this schedule are taken in order, one a step."""
    query = select(func.count()).where(
        posts.c.slot == schedule.key, posts.c.state != PostState.CLOSED
    )
    ready = conn.execute(query).scalar_one()
    for step in _waiting_steps(schedule, now):
        if ready:
            ready -= 1
        elif step.at - schedule.remind <= now:
            at = f"{step.at.astimezone(office.config.tz):%m-%d %H:%M}"
            said = Say(
                "“{name}”的“{title}”定于 {at} 发布，还没有材料：拟稿时选时段 {key}",
                name=schedule.name,
                title=step.title,
                at=at,
                key=schedule.key,
            )
            yield f"schedule:{schedule.key}:step:{step.at:%Y%m%d%H%M}", said


def _waiting_steps(schedule: Schedule, now: datetime) -> list[Stage]:
    """Those to come that wait for a person's post."""
    return [s for s in schedule.step if s.at > now and not schedule.composes(s.at)]
