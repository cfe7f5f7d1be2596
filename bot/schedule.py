"""排期: one schedule a file in schedules/*.toml; an occurrence of it is a row.

A schedule either composes (`items`: at each occurrence one post of the items its rule picks, made
`lead` before its time so that it can be signed) or gives slots (`slots`: approved posts that wait
for a slot get its time). Rules are calendar rules in the office's zone (APScheduler's CronTrigger:
DST-safe, no drift). A firing is unique by (schedule, time): whoever inserts it first has it. Files
are read again when they change; nothing needs a restart.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from sqlalchemy import Connection, RowMapping, func, select, update

from bot import compose, lease, templates
from bot.config import Part, Span, check
from bot.db import insert_missing, items, occurrences, posts, sources, units
from bot.errors import ConfigError, GongkaiError
from bot.language import Say
from bot.model import MACHINE, Entry, ItemState, PostState
from bot.notices import open_notice
from bot.office import Office
from bot.workdays import UnknownYear, office_day

HORIZON = timedelta(days=2)  # occurrences are rows this far ahead
DONE, PLANNED, MISSED, SKIPPED, EMPTY = "done", "planned", "missed", "skipped", "empty"


class Rule(Part):
    """Calendar fields as cron writes them; or `at`: once, at an office time."""

    minute: str = "0"
    hour: str = "*"
    day: str = "*"
    day_of_week: str = "*"
    month: str = "*"
    at: datetime | None = None


class Picks(Part):
    """Which items an occurrence is made of: those first seen since the one before."""

    sources: tuple[str, ...]
    columns: tuple[str, ...] = ()
    most: int = Field(10, ge=1)


class Schedule(Part):
    """One file of schedules/."""

    key: str = ""
    name: str
    unit: str
    accounts: tuple[str, ...]
    when: tuple[Rule, ...]
    workdays_only: bool = False
    template: str = "digest"
    items: Picks | None = None  # composes; None: slots for approved posts
    lead: Span = timedelta(hours=2)
    lateness: Span = timedelta(hours=2)  # the latest moment after its time
    paused: bool = False

    @field_validator("when")
    @classmethod
    def _some(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if not value:
            raise ValueError(str(Say("至少写一条 [[when]]")))
        return value


# ---------------------------------------------------------------- reading the files


def load_all(office: Office) -> list[Schedule]:
    """Every schedule of the folder. Raises ConfigError for the first that is wrong."""
    folder = office.config.place(office.config.schedules)
    return [load(office, file) for file in sorted(folder.glob("*.toml"))]


def load(office: Office, file: Path) -> Schedule:
    """One schedule. Raises ConfigError naming file, line and key."""
    source = file.read_text("utf-8")
    try:
        values = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("{file} 写法有误：{why}", file=file.name, why=str(error)) from None
    made = check(Schedule, values, file, source, key=file.stem)
    _references(office, made, file, source)
    return made


def _references(office: Office, made: Schedule, file: Path, source: str) -> None:
    from bot.config import unknown

    config = office.config
    wanted: list[tuple[str, str, Any]] = [("unit", made.unit, config.units)]
    wanted += [("accounts", key, config.accounts) for key in made.accounts]
    if made.items:
        wanted += [("sources", key, config.sources) for key in made.items.sources]
        templates.load(config.place(config.templates), made.template)
    for field, key, there in wanted:
        if key not in there:
            raise unknown(file, source, [field], key, there)
    try:
        next(times(office, made, datetime.now(UTC)), None)
    except (ValueError, UnknownYear) as error:
        raise ConfigError("{file}：时间规则有误：{why}", file=file.name, why=str(error)) from None


# ---------------------------------------------------------------- calendar


def times(office: Office, schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Its times after `after`, in order, in UTC.

    Raises UnknownYear where only working days count and the year is not announced.
    """
    triggers = [_trigger(office, rule) for rule in schedule.when]
    at = after
    while True:
        just_after = at + timedelta(microseconds=1)
        fires = [trigger.get_next_fire_time(None, just_after) for trigger in triggers]
        nexts: list[datetime] = [fire for fire in fires if fire is not None]
        if not nexts:
            return
        at = min(nexts)
        day = office_day(at, office.config.tz)
        if not schedule.workdays_only or office.calendar.is_workday(day):
            yield at.astimezone(UTC)


def _trigger(office: Office, rule: Rule) -> Any:
    from apscheduler.triggers.cron import CronTrigger
    from apscheduler.triggers.date import DateTrigger

    if rule.at is not None:
        return DateTrigger(rule.at, timezone=office.config.tz)
    fields = rule.model_dump(exclude={"at"})
    return CronTrigger(**fields, second="0", timezone=office.config.tz)


def upcoming(office: Office, schedule: Schedule, now: datetime, n: int = 5) -> list[datetime]:
    """Its next `n` times; fewer where the calendar is not announced that far."""
    found: list[datetime] = []
    try:
        for at in times(office, schedule, now):
            found.append(at)
            if len(found) == n:
                break
    except UnknownYear:
        pass
    return found


# ---------------------------------------------------------------- occurrences


def plan_ahead(office: Office) -> list[GongkaiError]:
    """Make the rows of the coming days; give what is wrong with files that could not be read."""
    wrong: list[GongkaiError] = []
    folder = office.config.place(office.config.schedules)
    for file in sorted(folder.glob("*.toml")):
        try:
            _plan_one(office, load(office, file))
        except (GongkaiError, OSError, UnicodeDecodeError) as error:
            wrong.append(error if isinstance(error, GongkaiError) else ConfigError(str(error)))
    return wrong


def _plan_one(office: Office, schedule: Schedule) -> None:
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows: list[dict[str, Any]] = []
        if not schedule.paused:
            for at in times(office, schedule, now):
                if at > now + HORIZON:
                    break
                due = max(now, at - schedule.lead) if schedule.items else at
                rows.append({"schedule": schedule.key, "at": at, "state": PLANNED, "due_at": due})
        _forget(conn, now, schedule.key, [row["at"] for row in rows])
        insert_missing(conn, occurrences, rows)


def _forget(conn: Connection, now: datetime, key: str, wanted: list[datetime]) -> None:
    """Future rows that the file no longer asks for."""
    stale = (
        update(occurrences)
        .where(
            occurrences.c.schedule == key,
            occurrences.c.state == PLANNED,
            occurrences.c.at > now,
            occurrences.c.at.not_in(wanted),
        )
        .values(state=SKIPPED, due_at=None, reason=Say("日程已改").json())
    )
    conn.execute(stale)


def fire_due(office: Office, n: int = 20) -> int:
    """Work the occurrences whose turn it is; give how many."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows = lease.claim(conn, occurrences, now, n, occurrences.c.state == PLANNED)
    for row in rows:
        _fire(office, row)
    return len(rows)


def _fire(office: Office, row: RowMapping) -> None:
    file = office.config.place(office.config.schedules) / f"{row['schedule']}.toml"
    with office.db.write() as conn:
        now = office.db.now(conn)
        try:
            values = _fired(office, conn, now, load(office, file), row)
        except (GongkaiError, OSError) as error:
            said = error.say if isinstance(error, GongkaiError) else Say("日程文件已不在")
            values = {"state": MISSED, "reason": said.json()}
            open_notice(conn, now, f"occurrence:{row['id']}", said, None, "/today")
        lease.settle(conn, occurrences, row, None, **values)


def _fired(
    office: Office, conn: Connection, now: datetime, schedule: Schedule, row: RowMapping
) -> dict[str, Any]:
    latest = row["at"] + schedule.lateness
    if now > latest:
        said = Say("到点时系统没有运行，已过最迟时限")
        open_notice(conn, now, f"occurrence:{row['id']}", said, None, "/today")
        return {"state": MISSED, "reason": said.json()}
    if schedule.items is None:
        return _slot(conn, schedule, row["at"], latest)
    post_id = _compose(office, conn, now, schedule, row["at"], latest)
    return {"state": DONE if post_id else EMPTY, "post_id": post_id}


def _slot(conn: Connection, schedule: Schedule, at: datetime, latest: datetime) -> dict[str, Any]:
    """Give this slot to the first approved post of the unit that waits for one."""
    unit = conn.execute(select(units.c.id).where(units.c.key == schedule.unit)).scalar_one()
    waiting = select(posts.c.id).where(
        posts.c.unit_id == unit, posts.c.state == PostState.APPROVED, posts.c.slot == schedule.key
    )
    post_id = conn.execute(waiting.order_by(posts.c.changed_at, posts.c.id).limit(1)).scalar()
    if post_id is None:
        return {"state": EMPTY}
    values = {"go_at": at, "latest_at": latest, "due_at": at, "slot": ""}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    return {"state": DONE, "post_id": post_id}


def _compose(
    office: Office,
    conn: Connection,
    now: datetime,
    schedule: Schedule,
    at: datetime,
    latest: datetime,
) -> int | None:
    """One post of what the rule picks; None when there is nothing to say."""
    picked = _picked(conn, schedule, at)
    if not picked:
        return None
    template = templates.load(office.config.place(office.config.templates), schedule.template)
    entries = [compose.fields_of(office, Entry.of(row["entry"])) for row in picked]
    fields = {"entries": entries, "title": schedule.name, "day": at.astimezone(office.config.tz)}
    body = compose.body_from(office, conn, template, fields, schedule.accounts)
    unit = conn.execute(select(units.c.id).where(units.c.key == schedule.unit)).scalar_one()
    post_id = compose.create(
        office,
        conn,
        now,
        MACHINE,
        unit_id=unit,
        keys=schedule.accounts,
        body=body,
        kind=template.front.kind,
        go_at=at,
        latest_at=latest,
        template=schedule.template,
        template_digest=template.digest,
    )
    ids = [row["id"] for row in picked]
    made = {"state": ItemState.COMPOSED, "post_id": post_id, "due_at": None}
    conn.execute(update(items).where(items.c.id.in_(ids)).values(**made))
    return post_id


def _picked(conn: Connection, schedule: Schedule, at: datetime) -> list[RowMapping]:
    """Items of its sources first seen since the occurrence before this one."""
    assert schedule.items is not None
    before = conn.execute(
        select(func.max(occurrences.c.at)).where(
            occurrences.c.schedule == schedule.key, occurrences.c.at < at
        )
    ).scalar() or at - timedelta(days=1)
    query = (
        select(items)
        .join(sources, sources.c.id == items.c.source_id)
        .where(
            sources.c.key.in_(schedule.items.sources),
            items.c.seen_at > before - schedule.lead,
            items.c.gone_at.is_(None),
        )
        .order_by(items.c.published.desc().nulls_last(), items.c.id)
        .limit(schedule.items.most)
    )
    if schedule.items.columns:
        query = query.where(items.c.column.in_(schedule.items.columns))
    return list(conn.execute(query).mappings())
