"""The occurrences of the coming days are rows, unique by (schedule, time)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, select, true, update

from bot.db import insert_missing, notices, occurrences, posts, schedules
from bot.errors import ConfigError, GongkaiError
from bot.language import Say
from bot.model import PostState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.schedule.calendar import times
from bot.schedule.files import Schedule, Stage, files, load
from bot.workdays import UnknownYear

HORIZON = timedelta(days=2)  # occurrences are rows this long before anything is due of them
PLANNED, SKIPPED, OFF = "planned", "skipped", "off"  # off: a person called it off
CHANGED, PAUSED = Say("日程已改"), Say("日程已暂停")


def plan_ahead(office: Office) -> list[GongkaiError]:
    """Make the rows of the coming days; give what is wrong with files that could not be read."""
    wrong: list[GongkaiError] = []
    found = files(office)
    for file in found:
        try:
            _plan_one(office, load(office, file))
        except (GongkaiError, OSError, UnicodeDecodeError) as error:
            wrong.append(error if isinstance(error, GongkaiError) else ConfigError(str(error)))
    _forget(office, [file.stem for file in found])
    return wrong


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
    """Rows that nobody asks for any more; None: all that are planned."""
    mine = occurrences.c.schedule == key, occurrences.c.state == PLANNED
    which = true() if at is None else occurrences.c.at.in_(at)
    values = {"state": SKIPPED, "due_at": None, "reason": why.json()}
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
            open_notice(conn, now, key, wanted[key], None, "/posts")
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
