"""排期: one schedule a file in schedules/*.toml; an occurrence of it is a row.

A schedule either composes (`items`: at each occurrence one post of the items its rule picks, made
`lead` before its time so that it can be signed) or gives slots (approved posts that wait for a slot
get its time). Rules are calendar rules in the office's zone (APScheduler's CronTrigger: DST-safe, no
drift). A firing is unique by (schedule, time): whoever inserts it first has it. Files are read again
every few seconds; nothing needs a restart.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from sqlalchemy import Connection, RowMapping, func, or_, select, update

from bot import compose, lease, templates
from bot.catalog import NOT_DRAFTED
from bot.config import Part, Period, Span, check, line_of, unknown
from bot.db import insert_missing, items, occurrences, offices, posts, sources, units
from bot.errors import ConfigError, Conflict, GongkaiError
from bot.language import Say
from bot.model import MACHINE, Entry, ItemState, PostState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.workdays import UnknownYear, office_day

HORIZON = timedelta(days=2)  # occurrences are rows this long before anything is due of them
LOOK_BACK = timedelta(days=31)  # after an outage longer than that, this much of it is recorded
_NOTED = timedelta(hours=1)  # how far behind the note of the last planning may be
_JUST_AFTER = timedelta(microseconds=1)
AGAIN = timedelta(minutes=1)  # until a file that was wrong may have been mended
DONE, PLANNED, MISSED, SKIPPED, EMPTY = "done", "planned", "missed", "skipped", "empty"
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
Firing = Callable[[datetime], datetime | None]  # the first time after a moment, both in UTC


class Rule(Part):
    """Calendar fields as cron writes them (0 and 7 are Sunday); or `at`: once, at an office time."""

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
    lateness: Period = timedelta(hours=2)  # the latest moment after its time
    paused: bool = False

    @field_validator("when")
    @classmethod
    def _some(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if not value:
            raise ValueError(str(Say("至少写一条 [[when]]")))
        return value

    def due(self, at: datetime) -> datetime:
        """When the work of an occurrence begins."""
        return at - self.lead if self.items else at


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
    """What it names must be there, and its rules must be rules."""
    config = office.config
    wanted: list[tuple[str, str, Any]] = [("unit", made.unit, config.units)]
    wanted += [("accounts", key, config.accounts) for key in made.accounts]
    if made.items:
        wanted += [("sources", key, config.sources) for key in made.items.sources]
        templates.load(config.place(config.templates), made.template)
    for field, key, there in wanted:
        if key not in there:
            raise unknown(file, source, [field], key, there)
    for n, rule in enumerate(made.when):
        try:
            _firing(office, rule)
        except ValueError as error:
            where = {"file": file.name, "line": line_of(source, ["when", str(n)])}
            raise ConfigError(
                "{file} 第 {line} 行：时间规则有误：{why}", why=str(error), **where
            ) from None


# ---------------------------------------------------------------- calendar


def times(
    office: Office, schedule: Schedule, after: datetime, until: datetime | None = None
) -> Iterator[datetime]:
    """Its times after `after`, up to `until`, in order, in UTC.

    Raises UnknownYear where only working days count and the year is not announced.
    """
    firings = [_firing(office, rule) for rule in schedule.when]
    at = after
    while fires := [fire for firing in firings if (fire := firing(at)) is not None]:
        at = min(fires)
        if until is not None and at > until:
            return
        if not schedule.workdays_only or _worked(office, at):
            yield at


def _worked(office: Office, at: datetime) -> bool:
    return office.calendar.is_workday(office_day(at, office.config.tz))


def _firing(office: Office, rule: Rule) -> Firing:
    """Raises ValueError for a rule that is none."""
    from apscheduler.triggers.cron import CronTrigger

    zone = office.config.tz
    if rule.at is not None:
        once = (rule.at if rule.at.tzinfo else rule.at.replace(tzinfo=zone)).astimezone(UTC)
        return lambda after: once if once > after else None
    fields = rule.model_dump(exclude={"at"})
    fields["day_of_week"] = re.sub(r"(?<![/\w])[0-7](?!\w)", _weekday, rule.day_of_week)
    trigger = CronTrigger(**fields, second="0", timezone=zone)

    def _next(after: datetime) -> datetime | None:
        fire: datetime | None = trigger.get_next_fire_time(None, after + _JUST_AFTER)
        if fire is None:
            return None
        at = fire.astimezone(UTC)
        # An hour that clocks show twice is one hour, unless every hour is meant.
        return _next(at) if fire.fold and "*" not in rule.hour else at

    return _next


def _weekday(number: re.Match[str]) -> str:
    """cron counts from Sunday, APScheduler from Monday: by name they agree."""
    return WEEKDAYS[int(number[0]) % 7]


def upcoming(
    office: Office, schedule: Schedule, now: datetime, n: int = 5
) -> tuple[list[datetime], UnknownYear | None]:
    """Its next `n` times, and why they are fewer, where the calendar is not announced that far."""
    found: list[datetime] = []
    try:
        for at in times(office, schedule, now):
            found.append(at)
            if len(found) == n:
                break
    except UnknownYear as error:
        return found, error
    return found, None


# ---------------------------------------------------------------- occurrences


def plan_ahead(office: Office) -> list[GongkaiError]:
    """Make the rows of the coming days, and of the time nobody planned; give what is wrong with
    files that could not be read."""
    wrong: list[GongkaiError] = []
    folder = office.config.place(office.config.schedules)
    files = sorted(folder.glob("*.toml"))
    silence = _silence(office)
    for file in files:
        try:
            schedule = load(office, file)
            _plan_past(office, schedule, silence)
            _plan_one(office, schedule)
        except (GongkaiError, OSError, UnicodeDecodeError) as error:
            wrong.append(error if isinstance(error, GongkaiError) else ConfigError(str(error)))
    _forget(office, [file.stem for file in files])
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

    A schedule that was never planned before began after the outage.
    """
    if silence.begins == silence.ends or schedule.paused:
        return
    found: list[datetime] = []
    with suppress(UnknownYear):
        found.extend(times(office, schedule, silence.begins, silence.ends))
    before = select(occurrences.c.id).where(occurrences.c.schedule == schedule.key).limit(1)
    with office.db.write() as conn:
        if conn.execute(before).first():
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
        stand = _standing(conn, schedule.key, now)
    wanted, unannounced = _wanted(office, schedule, now)
    due = {at: schedule.due(at) for at in wanted}
    again = [at for at in wanted if at in stand and _differs(stand[at], due[at])]
    stale = [at for at, row in stand.items() if row["state"] == PLANNED and at not in due]
    if stale or again or due.keys() - stand.keys():
        with office.db.write() as conn:
            _skip(conn, schedule.key, stale)
            _plan(conn, schedule.key, {at: due[at] for at in again})
            fresh = {"schedule": schedule.key, "state": PLANNED}
            insert_missing(
                conn, occurrences, [{**fresh, "at": at, "due_at": due[at]} for at in wanted]
            )
    if unannounced is not None:
        raise unannounced


def _wanted(
    office: Office, schedule: Schedule, now: datetime
) -> tuple[list[datetime], UnknownYear | None]:
    found: list[datetime] = []
    until = now + HORIZON + (now - schedule.due(now))
    try:
        found.extend(() if schedule.paused else times(office, schedule, now, until))
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


def _skip(conn: Connection, key: str, at: Collection[datetime]) -> None:
    """Rows that the file no longer asks for."""
    mine = (
        occurrences.c.schedule == key,
        occurrences.c.at.in_(at),
        occurrences.c.state == PLANNED,
    )
    values = {"state": SKIPPED, "due_at": None, "reason": Say("日程已改").json()}
    conn.execute(update(occurrences).where(*mine).values(**values))


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
                _skip(conn, key, [at])


def fire_due(office: Office, n: int = 20) -> int:
    """Work the occurrences whose turn it is; give how many."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows = lease.claim(conn, occurrences, now, n, occurrences.c.state == PLANNED)
    for row in rows:
        with office.db.write() as conn:
            now = office.db.now(conn)
            for left in lease.see_to(
                conn, occurrences, [row], now, partial(_fire, office, conn, now)
            ):
                said = Say("内部出错，已停下，请管理员查看日志")
                mine = occurrences.c.id == left["id"]
                conn.execute(
                    update(occurrences).where(mine).values(**_missed(conn, now, left, said))
                )
    return len(rows)


def _fire(office: Office, conn: Connection, now: datetime, row: RowMapping) -> None:
    """A file or template that is wrong may be mended until its time comes."""
    file = office.config.place(office.config.schedules) / f"{row['schedule']}.toml"
    due = None
    try:
        with conn.begin_nested():
            values = _fired(office, conn, now, load(office, file), row)
    except (GongkaiError, OSError, UnicodeDecodeError) as error:
        said = error.say if isinstance(error, GongkaiError) else Say("读不到日程文件")
        if now + AGAIN < row["at"]:
            values, due = {"reason": said.json()}, now + AGAIN
        else:
            values = _missed(conn, now, row, said)
    if not lease.settle(conn, occurrences, row, due, **values):
        raise Conflict("日程 {key} 的这一期已由别处处理", key=row["schedule"])


def _missed(conn: Connection, now: datetime, row: RowMapping, why: Say) -> dict[str, Any]:
    """One notice for a schedule that misses its times, until one of them goes well again."""
    said = Say("日程 {key} 错过了一期：{why}", key=row["schedule"], why=why)
    open_notice(conn, now, f"schedule:{row['schedule']}", said, None, "/today")
    return {"state": MISSED, "reason": why.json()}


def _fired(
    office: Office, conn: Connection, now: datetime, schedule: Schedule, row: RowMapping
) -> dict[str, Any]:
    latest = row["at"] + schedule.lateness
    if now > latest:
        return _missed(conn, now, row, Say("到点时系统没有运行，已过最迟时限"))
    close_notice(conn, now, f"schedule:{row['schedule']}")
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
    first = waiting.order_by(posts.c.changed_at, posts.c.id).limit(1)
    post_id = conn.execute(first.with_for_update(skip_locked=True)).scalar()
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
        from_items=[row["id"] for row in picked],
    )
    left = [row["id"] for row in picked if row["waits"]]  # of the others a post is made as ever
    made = {"state": ItemState.COMPOSED, "post_id": post_id, "waits": None}
    conn.execute(update(items).where(items.c.id.in_(left)).values(**made))
    return post_id


def _picked(conn: Connection, schedule: Schedule, at: datetime) -> list[RowMapping]:
    """Items of its sources first seen since the occurrence before this one, the newest first.

    Nothing that was passed over (a baseline, or a person's word), and nothing that waits for one.
    """
    assert schedule.items is not None
    since, had = _before(conn, schedule, at)
    query = (
        select(items)
        .join(sources, sources.c.id == items.c.source_id)
        .where(
            sources.c.key.in_(schedule.items.sources),
            items.c.state != ItemState.SKIPPED,
            items.c.seen_at > since,
            items.c.gone_at.is_(None),
            items.c.id.not_in(had),
        )
        .order_by(items.c.published.desc().nulls_last(), items.c.id)
    )
    if schedule.items.columns:
        query = query.where(items.c.column.in_(schedule.items.columns))
    free = (None, NOT_DRAFTED.json())
    found = [row for row in conn.execute(query).mappings() if row["waits"] in free]
    return found[: schedule.items.most]


def _before(conn: Connection, schedule: Schedule, at: datetime) -> tuple[datetime, list[int]]:
    """Since when items count, and which the last post of this schedule had already.

    Since the last occurrence that took place: what was missed or paused lost nothing.
    """
    last = (
        conn.execute(
            select(occurrences.c.at, posts.c.from_items)
            .outerjoin(posts, posts.c.id == occurrences.c.post_id)
            .where(
                occurrences.c.schedule == schedule.key,
                occurrences.c.at < at,
                occurrences.c.state.in_((DONE, EMPTY)),
            )
            .order_by(occurrences.c.at.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if last is not None:
        return schedule.due(last["at"]), last["from_items"] or []
    first = conn.execute(
        select(func.min(occurrences.c.at)).where(occurrences.c.schedule == schedule.key)
    ).scalar()
    return schedule.due(min(first or at, at)) - timedelta(days=1), []
