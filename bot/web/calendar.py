"""排期: month, week and day of what is planned, due, sent, held or missed."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from bot import people, schedule
from bot.db import accounts, micros, units
from bot.deliver import rhythm
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office
from bot.schedule import agenda
from bot.web import schedules
from bot.web.lists import SIZE, Account, account, chosen, dated, page_of, squares
from bot.web.visit import Signed

router = APIRouter()
VIEWS = ("month", "week", "day")
IN_CELL = 3  # lines of a day of the month, and of an hour of the week
IN_DAY = 4  # lines of a day of the week on a small screen
FULL = 250  # lines of a week from which on it is shown in short
TROUBLE = ("uncertain", "failed", "missed", "held")
FIRST_HOUR, LAST_HOUR = 7, 21  # of a week that has nothing before or after
DONE = {
    "free": Say("已改期，签发继续有效"),
    "again": Say("已改期，新版本已退回审签"),
    "draft": Say("已改计划时间"),
}


# ---------------------------------------------------------------- reading


def data_for_calendar(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """What one page of the calendar shows; filters: view, on, account, state, page."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        today = now.astimezone(office.config.tz).date()
        view, on = params.get("view", "month"), dated(params, "on") or today
        view = view if view in VIEWS else "month"
        scope = people.unit_ids(conn, actor)
        shown = squares(conn, scope)
        state = params.get("state", "") if params.get("state") in agenda.STATES else ""
        asked = agenda.View(frozenset(scope), chosen(params, "account"), state)
        read = {"month": _month, "week": _week, "day": _one_day}[view]
        return {
            "view": view, "on": on, "today": today, "state": state, "filters": asked,
            "accounts": list(shown.values()), "squares": squares(conn),
            "hours": _hours(conn, asked, shown), "may": people.unit_ids(conn, actor, Right.SCHEDULE),
            "writes": people.unit_ids(conn, actor, Right.WRITE), "states": tuple(agenda.STATES),
            **read(office, conn, asked, on, params),
        }  # fmt: skip


def _hours(
    conn: Connection, asked: agenda.View, shown: Mapping[int, Account]
) -> list[tuple[Account, Mapping[str, Any]]]:
    """The slots and quiet hours of the accounts looked at."""
    ids = [one for one in shown if asked.account in (None, one)]
    return [(shown[one], said) for one, said in agenda.rhythms(conn, ids).items()]


def _month(
    office: Office, conn: Connection, asked: agenda.View, on: date, _params: Mapping[str, str]
) -> dict[str, Any]:
    """Whole weeks; each day its first lines, how many there are, and what of them needs a person."""
    first = on.replace(day=1)
    next_month = (first + timedelta(days=31)).replace(day=1)
    begins, ends = monday(first), monday(next_month - timedelta(days=1)) + timedelta(days=6)
    days = agenda.days_of(office, begins, ends)
    rows = agenda.outline(conn, asked, days[0].begins, days[-1].ends)
    parts = _by_day(rows, days)
    lines = _detailed(conn, [row for part in parts for row in part[:IN_CELL]], days)
    cells = [_cell(day, part, lines) for day, part in zip(days, parts, strict=True)]
    return {
        "solemn": agenda.solemn_days(conn, asked, days),
        "weeks": [cells[n : n + 7] for n in range(0, len(cells), 7)],
        "total": sum(cell["total"] for cell in cells),
        "before": (first - timedelta(days=1)).replace(day=1),
        "after": next_month,
    }


def monday(day: date) -> date:
    """Of its week."""
    return day - timedelta(days=day.weekday())


def _by_day(rows: Sequence[agenda.Row], days: Sequence[agenda.Day]) -> list[Sequence[agenda.Row]]:
    """The rows of each day; they stand in time's order."""
    edges = [bisect_left(rows, micros(day.begins), key=lambda row: row.micros) for day in days]
    return [rows[a:b] for a, b in zip(edges, [*edges[1:], len(rows)], strict=True)]


def _detailed(
    conn: Connection, rows: Sequence[agenda.Row], days: Sequence[agenda.Day]
) -> dict[int, agenda.Line]:
    """Lines by post: each stands on one day of a span."""
    found = agenda.detailed(conn, rows, days[0].begins, days[-1].ends)
    return {line.post_id: line for line in found}


def _cell(
    day: agenda.Day, rows: Sequence[agenda.Row], lines: Mapping[int, agenda.Line]
) -> dict[str, Any]:
    """A day of the month."""
    return {"day": day, "total": len(rows), **_head(rows, lines)}


def _head(
    rows: Sequence[agenda.Row], lines: Mapping[int, agenda.Line], room: int = IN_CELL
) -> dict[str, Any]:
    """What there is room for; where that is not all, how many there are and what needs a person."""
    states = Counter(row.state for row in rows)
    hidden = len(rows) > room
    return {
        "lines": [lines[row.post_id] for row in rows[:room]],
        "all": len(rows) if hidden else 0,
        "trouble": [(state, states[state]) for state in TROUBLE if hidden and states[state]],
    }


def _week(
    office: Office, conn: Connection, asked: agenda.View, on: date, _params: Mapping[str, str]
) -> dict[str, Any]:
    """Seven days by hours, and for a small screen day by day."""
    first = monday(on)
    days = agenda.days_of(office, first, first + timedelta(days=6))
    rows = agenda.outline(conn, asked, days[0].begins, days[-1].ends)
    parts = _by_day(rows, days)
    slots = _slots(office, conn, asked, days)
    plans = _plans(office, conn, asked, days)
    return {
        "days": days,
        "lanes": _lanes(office, conn, asked, days, parts, slots, plans),
        "full": len(rows) > FULL,
        "agenda": _agenda(conn, days, parts, slots, plans),
        "totals": [len(part) for part in parts],
        "total": len(rows),
        "before": first - timedelta(days=7),
        "after": first + timedelta(days=7),
        "solemn": agenda.solemn_days(conn, asked, days),
        "worked": sum(day.mark in ("", "swapped") for day in days),
    }


def _lanes(
    office: Office,
    conn: Connection,
    asked: agenda.View,
    days: Sequence[agenda.Day],
    parts: Sequence[Sequence[agenda.Row]],
    slots: Mapping[tuple[int, int], Sequence[Any]],
    plans: Mapping[tuple[int, int], Sequence[Any]],
) -> list[tuple[int, list[dict[str, Any]]]]:
    """The week by hours; those of the night only where something stands in them. A full week shows one
    line an hour, so that the page stays light."""
    by_hour: dict[tuple[int, int], list[agenda.Row]] = {}
    for n, part in enumerate(parts):
        for row in part:
            by_hour.setdefault((n, row.at.astimezone(office.config.tz).hour), []).append(row)
    room = 1 if sum(map(len, parts)) > FULL else IN_CELL
    lines = _detailed(conn, [row for part in by_hour.values() for row in part[:room]], days)
    hours = [FIRST_HOUR, LAST_HOUR, *(hour for _, hour in (*by_hour, *slots, *plans))]
    silent = _silent(conn, asked)

    def _cell_at(n: int, hour: int) -> dict[str, Any]:
        quiet = bool(silent) and all(_covers(one, hour) for one in silent)
        head = _head(by_hour.get((n, hour), []), lines, room)
        more = {"slots": slots.get((n, hour), []), "plans": plans.get((n, hour), [])}
        return {**head, **more, "quiet": quiet}

    span = range(min(hours), max(hours) + 1)
    return [(hour, [_cell_at(n, hour) for n in range(7)]) for hour in span]


def _agenda(
    conn: Connection,
    days: Sequence[agenda.Day],
    parts: Sequence[Sequence[agenda.Row]],
    slots: Mapping[tuple[int, int], Sequence[Any]],
    plans: Mapping[tuple[int, int], Sequence[Any]],
) -> list[dict[str, Any]]:
    """The first of each day and its free slots."""
    lines = _detailed(conn, [row for part in parts for row in part[:IN_DAY]], days)

    def _of(found: Mapping[tuple[int, int], Sequence[Any]], n: int) -> list[Any]:
        return [one for (at, _), every in found.items() if at == n for one in every]

    return [
        {
            "day": day,
            "slots": _of(slots, n),
            "plans": _of(plans, n),
            **_head(parts[n], lines, IN_DAY),
        }
        for n, day in enumerate(days)
    ]


def _covers(one: rhythm.Rhythm, hour: int) -> bool:
    if one.quiet is None:
        return False
    noon = datetime(2026, 1, 1, hour, tzinfo=one.zone)
    ends = noon + timedelta(minutes=59)
    return one.quiet.hold(noon, one.zone) and one.quiet.hold(ends, one.zone)


def _silent(conn: Connection, asked: agenda.View) -> list[rhythm.Rhythm]:
    """The hours of the accounts looked at, where each of them has quiet ones."""
    rows = _accounts(conn, asked)
    found = [rhythm.Rhythm.of(row["rhythm"]) for row in rows if row["rhythm"]]
    return found if len(found) == len(rows) else []


def _accounts(conn: Connection, asked: agenda.View) -> list[RowMapping]:
    query = select(accounts).where(accounts.c.unit_id.in_(asked.units))
    if asked.account is not None:
        query = query.where(accounts.c.id == asked.account)
    return list(conn.execute(query.order_by(accounts.c.id)).mappings())


def _slots(
    office: Office, conn: Connection, asked: agenda.View, days: Sequence[agenda.Day]
) -> dict[tuple[int, int], list[tuple[datetime, Account]]]:
    """Free slots of these days by day and hour."""
    since = max(office.db.now(conn), days[0].begins)
    found: dict[tuple[int, int], list[tuple[datetime, Account]]] = {}
    for row in _accounts(conn, asked) if since < days[-1].ends else ():
        for at in rhythm.next_slots(conn, row, since, 60):
            local = at.astimezone(office.config.tz)
            n = (local.date() - days[0].on).days
            if n < len(days):
                found.setdefault((n, local.hour), []).append((at, account(row)))
    return found


def _plans(
    office: Office, conn: Connection, asked: agenda.View, days: Sequence[agenda.Day]
) -> dict[tuple[int, int], list[tuple[datetime, schedule.Schedule]]]:
    """When schedules will fire in these days, by day and hour; once an hour each."""
    mine = set(conn.execute(select(units.c.key).where(units.c.id.in_(asked.units))).scalars())
    keys = {row["key"] for row in _accounts(conn, asked)}
    since = max(office.db.now(conn), days[0].begins)
    found: dict[tuple[int, int], list[tuple[datetime, schedule.Schedule]]] = {}
    for at, one in schedule.coming(office, conn, since, days[-1].ends):
        local = at.astimezone(office.config.tz)
        here = found.setdefault(((local.date() - days[0].on).days, local.hour), [])
        told = asked.account is None or not keys.isdisjoint(one.accounts)
        if told and one.unit in mine and one.key not in {other.key for _, other in here}:
            here.append((at, one))
    return found


def _one_day(
    office: Office, conn: Connection, asked: agenda.View, on: date, params: Mapping[str, str]
) -> dict[str, Any]:
    """All of a day, or of an hour of it (`hour`), fifty a page."""
    day, hour = agenda.day_of(office, on), chosen(params, "hour")
    begins, ends = _span(office, day, hour)
    counts = agenda.counts(conn, asked, begins, ends)
    every = agenda.counts(conn, agenda.View(asked.units, asked.account), begins, ends)
    page = page_of(params, sum(counts.values()))
    slots, plans = _slots(office, conn, asked, [day]), _plans(office, conn, asked, [day])
    return {
        "day": day, "solemn": agenda.solemn_days(conn, asked, [day]), "page": page, "counts": every, "total": page.total,
        "lines": agenda.lines(conn, asked, begins, ends, SIZE, page.offset),
        "hour": (begins, ends) if (begins, ends) != (day.begins, day.ends) else None,
        "slots": [one for _, found in sorted(slots.items()) for one in found],
        "plans": [one for _, found in sorted(plans.items()) for one in found],
        "before": on - timedelta(days=1), "after": on + timedelta(days=1),
    }  # fmt: skip


def _span(office: Office, day: agenda.Day, hour: int | None) -> tuple[datetime, datetime]:
    """A day's, or that of one of its hours."""
    if hour is None or hour > 23:
        return day.begins, day.ends
    begins = datetime.combine(day.on, time(hour), office.config.tz)
    return begins, begins + timedelta(hours=1)


@router.get("/calendar")
def calendar_page(visit: Signed) -> Response:
    found = data_for_calendar(visit.office, visit.actor, visit.params)
    done = visit.done(DONE)
    with visit.office.db.read() as conn:
        listed = schedules.listed(visit.office, conn, visit.actor, 1)
    return visit.page("calendar.html", **found, done=done, listed=listed)
