"""An occurrence whose turn it is: whoever claims it makes of it a post, a slot given, or a miss."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    func,
    not_,
    or_,
    select,
    update,
)

from bot import compose, lease, naming, templates
from bot.catalog import NOT_DRAFTED
from bot.db import approvals, items, occurrences, posts, sources, units
from bot.deliver import holds
from bot.deliver.rhythm import within
from bot.errors import Conflict, GongkaiError
from bot.language import Say
from bot.model import MACHINE, Entry, ItemState, PostKind, PostState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.schedule.files import Schedule, Stage, load
from bot.schedule.planning import MISSED, PLANNED

AGAIN = timedelta(minutes=1)  # until a file that was wrong may have been mended
DONE, EMPTY = "done", "empty"
NO_POST = Say("到点没有已签发的材料")


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
                    update(occurrences).where(mine).values(**_missed(office, conn, now, left, said))
                )
    return len(rows)


def _fire(office: Office, conn: Connection, now: datetime, row: RowMapping) -> None:
    """A file or template that is wrong may be mended until its time comes."""
    file = office.config.place(office.config.schedules) / f"{row['schedule']}.toml"
    due = None
    try:
        with conn.begin_nested():
            values, due = _fired(office, conn, now, load(office, file), row)
    except (GongkaiError, OSError, UnicodeDecodeError) as error:
        said = error.say if isinstance(error, GongkaiError) else Say("读不到日程文件")
        if now + AGAIN < row["at"]:
            values, due = {"reason": said.json()}, now + AGAIN
        else:
            values = _missed(office, conn, now, row, said)
    if not lease.settle(conn, occurrences, row, due, **values):
        raise Conflict("日程 {key} 的这一期已由别处处理", key=row["schedule"])


def _missed(
    office: Office, conn: Connection, now: datetime, row: RowMapping, why: Say
) -> dict[str, Any]:
    """One notice for a schedule that misses its times, until one of them goes well again."""
    name = naming.of_schedule(office.config, row["schedule"])
    said = Say("日程 {key} 错过了一期：{why}", key=name, why=why)
    open_notice(conn, now, f"schedule:{row['schedule']}", said, None, "/calendar/schedules")
    return {"state": MISSED, "reason": why.json()}


def _fired(
    office: Office, conn: Connection, now: datetime, schedule: Schedule, row: RowMapping
) -> tuple[dict[str, Any], datetime | None]:
    """What the row becomes, and when to look at it again, if ever."""
    latest = row["at"] + schedule.lateness
    if now > latest:
        late = NO_POST if row["reason"] else Say("到点时系统没有运行，已过最迟时限")
        return _missed(office, conn, now, row, late), None
    step = schedule.step_at(row["at"])
    if schedule.composes(row["at"]):
        values = _composed(office, conn, now, schedule, step, row["at"], latest)
    else:
        values = _slot(conn, schedule, step, row["at"], latest)
    if step is not None and values["state"] == EMPTY:
        return _unready(office, conn, now, row, latest)
    close_notice(conn, now, f"schedule:{row['schedule']}")
    return values, None


def _unready(
    office: Office, conn: Connection, now: datetime, row: RowMapping, latest: datetime
) -> tuple[dict[str, Any], datetime | None]:
    """A step without a signed post waits for one as long as it may, then it is missed."""
    if now + AGAIN <= latest:
        return {"reason": NO_POST.json()}, now + AGAIN
    return _missed(office, conn, now, row, NO_POST), None


def _unit(conn: Connection, schedule: Schedule) -> int:
    query = select(units.c.id).where(units.c.key == schedule.unit)
    return int(conn.execute(query).scalar_one())


def _slot(
    conn: Connection, schedule: Schedule, step: Stage | None, at: datetime, latest: datetime
) -> dict[str, Any]:
    """Give this slot to an approved post of the unit that waits for one and was signed for that time:
    the one that may wait the shortest, then the one that has waited longest. Within 肃穆模式 only to one
    that passes it by name, for any other would be stopped; but a step of a series keeps its day."""
    signed = approvals.c.revision_id == posts.c.revision_id, approvals.c.voided_at.is_(None)
    waiting = (
        select(posts.c.id, posts.c.title, posts.c.unit_id, posts.c.latest_at, approvals.c.ends)
        .join(approvals, and_(*signed))
        .where(
            posts.c.unit_id == _unit(conn, schedule),
            posts.c.state == PostState.APPROVED,
            posts.c.slot == schedule.key,
        )
    )
    _tell_too_late(conn, schedule, at, waiting)
    until = func.coalesce(approvals.c.ends, posts.c.latest_at)
    fits = or_(approvals.c.begins.is_(None), approvals.c.begins <= at), *_open(at)
    if step is None:
        fits += tuple(posts.c.id.in_(row["passes"] or ()) for row in _silences(conn, schedule, at))
    order = until.nulls_last(), posts.c.changed_at, posts.c.id
    first = waiting.where(*fits).order_by(*order).limit(1)
    post = conn.execute(first.with_for_update(skip_locked=True, of=posts)).mappings().first()
    if post is None:
        return {"state": EMPTY}
    latest = min(latest, post["latest_at"] or latest)
    values = {"go_at": at, "latest_at": latest, "due_at": at, "slot": ""}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    return {"state": DONE, "post_id": post["id"]}


def _silences(conn: Connection, schedule: Schedule, at: datetime) -> list[RowMapping]:
    """The periods of 肃穆模式 over the schedule's unit that `at` lies in."""
    found = holds.silences(conn, [_unit(conn, schedule)])
    return [row for row in found if within(at, [row])]


def _open(at: datetime) -> list[ColumnElement[bool]]:
    """Neither the sign-off nor the post's own latest moment is over at `at`."""
    ends = (approvals.c.ends, posts.c.latest_at)
    return [or_(end.is_(None), end > at) for end in ends]


def _tell_too_late(
    conn: Connection, schedule: Schedule, at: datetime, waiting: Select[Any]
) -> None:
    """Posts whose time went by without a slot are a person's to decide on."""
    for post in conn.execute(waiting.where(not_(and_(*_open(at))))).mappings():
        said = Say(
            "稿件“{title}”签发的时段已过，没有等到日程 {key} 的时段；请改期，重新审签",
            title=post["title"],
            key=schedule.name,
        )
        key, link = f"post:{post['id']}", f"/posts/{post['id']}"
        open_notice(conn, at, key, said, post["unit_id"], link)


def _composed(
    office: Office,
    conn: Connection,
    now: datetime,
    schedule: Schedule,
    step: Stage | None,
    at: datetime,
    latest: datetime,
) -> dict[str, Any]:
    """One post of what the rule picks, or of what the step says; empty when there is nothing to say."""
    picked = _picked(conn, schedule, at) if schedule.items else []
    if not picked and not (step and (step.text or step.template)):
        return {"state": EMPTY}
    body, made_of = _body(office, conn, schedule, step, at, picked)
    post_id = compose.create(
        office,
        conn,
        now,
        MACHINE,
        unit_id=_unit(conn, schedule),
        keys=schedule.accounts,
        body=body,
        go_at=at,
        latest_at=latest,
        from_items=[row["id"] for row in picked] or None,
        **made_of,
    )
    left = [row["id"] for row in picked if row["waits"]]  # of the others a post is made as ever
    made = {"state": ItemState.COMPOSED, "post_id": post_id, "waits": None}
    conn.execute(update(items).where(items.c.id.in_(left)).values(**made))
    return {"state": DONE, "post_id": post_id}


def _body(
    office: Office,
    conn: Connection,
    schedule: Schedule,
    step: Stage | None,
    at: datetime,
    picked: list[RowMapping],
) -> tuple[compose.Body, dict[str, Any]]:
    """The words, and what they were made of; a step's own text needs no template."""
    if step is not None and not step.template and not schedule.items:
        return compose.Body(step.text, step.title), {"kind": PostKind.NOTICE}
    name = (step and step.template) or schedule.template
    template = templates.load(office.config.place(office.config.templates), name)
    fields: dict[str, Any] = {
        "entries": [compose.fields_of(office, Entry.of(row["entry"])) for row in picked],
        "title": step.title if step else schedule.name,
        "day": at.astimezone(office.config.tz),
    }
    if step is not None:
        number = schedule.step.index(step) + 1
        fields |= {"name": schedule.name, "text": step.text}
        fields |= {"number": number, "of": len(schedule.step)}
    body = compose.body_from(office, conn, template, fields, schedule.accounts)
    made_of = {"kind": template.front.kind, "template": name, "template_digest": template.digest}
    return body, made_of


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
    if schedule.items.within is not None:
        query = query.where(items.c.seen_at > schedule.due(at) - schedule.items.within)
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
