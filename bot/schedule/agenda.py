"""排期: what goes out when, a line a post: its deliveries by planned time, and what nobody has signed yet.

A post stands where its earliest delivery of that span does, in the state of the one that needs a
person most. A month is counted and shown without its rows being read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
)

from bot import people
from bot.db import EPOCH, accounts, approvals, aside, deliveries, posts, renditions
from bot.deliver import holds
from bot.deliver.moving import MOVES
from bot.model import Act, DeliveryState, PostState
from bot.office import Office
from bot.workdays import UnknownYear

D, P = DeliveryState, PostState
HELD = "held"
# The likeliest to need a person first: what the line of a post says of all its deliveries.
ORDER = (
    *(("delivery", s) for s in (D.UNCERTAIN, D.FAILED, D.MISSED, HELD, D.SENDING)),
    *(("post", s) for s in (P.IN_REVIEW, P.DRAFT, P.APPROVED)),
    *(("delivery", s) for s in (D.READY, D.SENT, D.CANCELLED)),
)
UNCLEAR = frozenset((D.SENDING, D.UNCERTAIN))
STATES = {str(state): kind for kind, state in ORDER}
_RANK = {pair: rank for rank, pair in enumerate(ORDER)}


@dataclass(frozen=True)
class View:
    """What is looked at: units, and perhaps one account and one state. Called off is left out,
    unless it is asked for."""

    units: frozenset[int]
    account: int | None = None
    state: str = ""


class Row(NamedTuple):
    """A line of an outline: there are many, so its time stays as it is stored."""

    post_id: int
    micros: int
    rank: int

    @property
    def at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.micros)

    @property
    def state(self) -> str:
        return str(ORDER[self.rank][1])


@dataclass(frozen=True)
class Line:
    """A post in a span of time."""

    post_id: int
    title: str
    at: datetime  # when it is planned
    sent_at: datetime | None
    kind: str  # of its chip: delivery or post
    state: str
    states: Mapping[str, int]  # of its deliveries
    accounts: tuple[int, ...]
    begins: datetime | None  # what was signed
    ends: datetime | None
    movable: bool
    moving: tuple[int, ...]  # the deliveries that would move
    unit_id: int
    version: int


def counts(conn: Connection, view: View, begins: datetime, ends: datetime) -> dict[str, int]:
    """How many posts of a span, by the state of their line."""
    found = _asked(conn, view, begins, ends).subquery()
    query = select(found.c.rank, func.count()).group_by(found.c.rank)
    return {str(ORDER[rank][1]): n for rank, n in conn.execute(query)}


def lines(
    conn: Connection,
    view: View,
    begins: datetime,
    ends: datetime,
    limit: int = 50,
    offset: int = 0,
) -> list[Line]:
    """The posts of a span of time in its order."""
    rows = outline(conn, view, begins, ends, limit, offset)
    return detailed(conn, rows, begins, ends)


def outline(
    conn: Connection,
    view: View,
    begins: datetime,
    ends: datetime,
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    """The posts of a span in its order, as little of each as tells where it stands."""
    found = _asked(conn, view, begins, ends).subquery()
    at = type_coerce(found.c.at, BigInteger)
    query = select(found.c.post_id, at, found.c.rank).order_by(at, found.c.post_id)
    if limit is not None:
        query = query.limit(limit).offset(offset)
    return [Row(*row) for row in conn.execute(query)]


def detailed(conn: Connection, rows: Sequence[Row], begins: datetime, ends: datetime) -> list[Line]:
    """These rows of an outline of a span, whole."""
    more = _more(conn, [row.post_id for row in rows])
    return [
        _line(row, *more[row.post_id], _deliveries_in(more[row.post_id][1], row, begins, ends))
        for row in rows
    ]


def _asked(conn: Connection, view: View, begins: datetime, ends: datetime) -> Any:
    """post_id, at and rank of each post of the view."""
    mine = [
        row.id
        for row in conn.execute(select(accounts.c.id).where(accounts.c.unit_id.in_(view.units)))
        if view.account in (None, row.id)
    ]
    found = union_all(
        _delivered(holds.standing(conn), mine, view, begins, ends),
        _unsigned(view, begins, ends),
    ).subquery()
    rank = found.c.rank
    if view.state in STATES:
        return select(found).where(rank == _RANK[STATES[view.state], view.state])
    return select(found).where(rank != _RANK["delivery", D.CANCELLED])


def _delivered(
    standing: holds.Standing, mine: Sequence[int], view: View, begins: datetime, ends: datetime
) -> Any:
    state: Any = deliveries.c.state
    whens = [(state == s, _RANK[kind, s]) for kind, s in ORDER if kind == "delivery" and s != HELD]
    if standing.groups:
        held = and_(state == D.READY, standing.clause())
        whens.insert(0, (held, _RANK["delivery", HELD]))
    rank = func.min(case(*whens, else_=len(ORDER) - 1))
    query = select(
        deliveries.c.post_id, func.min(deliveries.c.go_at).label("at"), rank.label("rank")
    )
    if standing.groups:
        query = holds.joined(query)
    # What is written anew is shown once, as the draft it is.
    draft = posts.c.state.in_((P.DRAFT, P.IN_REVIEW))
    anew = draft if standing.groups else exists().where(posts.c.id == deliveries.c.post_id, draft)
    unsent = state.in_((D.READY, D.FAILED, D.MISSED))
    here = deliveries.c.go_at >= begins, deliveries.c.go_at < ends, deliveries.c.act != Act.EDIT
    # Aside: by the span of time, whatever accounts and states are asked for; below too.
    of_these = aside(deliveries.c.account_id).in_(mine)
    return query.where(*here, of_these, or_(~unsent, ~anew)).group_by(deliveries.c.post_id)


def _unsigned(view: View, begins: datetime, ends: datetime) -> Any:
    """Posts with a time of their own that have no deliveries, or whose sign-off is to be had anew."""
    fresh = ~exists().where(deliveries.c.post_id == posts.c.id)
    state = aside(posts.c.state)
    signed = and_(state == P.APPROVED, fresh)
    which: list[ColumnElement[bool]] = [or_(state.in_((P.DRAFT, P.IN_REVIEW)), signed)]
    if view.account is not None:
        theirs = renditions.c.revision_id == posts.c.revision_id
        which.append(exists().where(theirs, renditions.c.account_id == view.account))
    rank = case(
        *((posts.c.state == s, _RANK[kind, s]) for kind, s in ORDER if kind == "post"),
        else_=literal(len(ORDER) - 1),
    )
    query = select(posts.c.id.label("post_id"), posts.c.go_at.label("at"), rank.label("rank"))
    here = posts.c.go_at >= begins, posts.c.go_at < ends, aside(posts.c.unit_id).in_(view.units)
    return query.where(*here, *which)


# ---------------------------------------------------------------- lines


def _more(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[Any, list[Any]]]:
    """The posts with their sign-off, and their deliveries."""
    stands = and_(approvals.c.revision_id == posts.c.revision_id, approvals.c.voided_at.is_(None))
    columns = (posts.c.id, posts.c.title, posts.c.state, posts.c.accounts, posts.c.unit_id)
    of = select(*columns, posts.c.version, approvals.c.begins, approvals.c.ends)
    query = of.outerjoin(approvals, stands).where(posts.c.id.in_(ids))
    found: dict[int, tuple[Any, list[Any]]] = {row.id: (row, []) for row in conn.execute(query)}
    names = ("id", "post_id", "account_id", "state", "go_at", "sent_at", "act")
    sent = select(*(deliveries.c[name] for name in names)).where(deliveries.c.post_id.in_(ids))
    for row in conn.execute(sent.order_by(deliveries.c.id)):
        found[row.post_id][1].append(row)
    return found


def _deliveries_in(rows: Sequence[Any], line: Any, begins: datetime, ends: datetime) -> list[Any]:
    if ORDER[line.rank][0] == "post":
        return []
    return [r for r in rows if begins <= r.go_at < ends and r.act != Act.EDIT]


def _line(found: Any, post: Any, every: Sequence[Any], here: Sequence[Any]) -> Line:
    kind, state = ORDER[found.rank]
    states: dict[str, int] = {}
    for row in here:
        states[row.state] = states.get(row.state, 0) + 1
    going = {row.id: row.state for row in every if row.act == Act.PUBLISH}
    moving = tuple(one for one, state in going.items() if state in MOVES)
    stuck = not UNCLEAR.isdisjoint(going.values())
    return Line(
        post_id=found.post_id, title=post.title, at=found.at, kind=kind, state=str(state),
        sent_at=min((r.sent_at for r in here if r.sent_at), default=None), states=states,
        accounts=tuple(dict.fromkeys(r.account_id for r in here)) or tuple(post.accounts or ()),
        begins=post.begins, ends=post.ends, unit_id=post.unit_id, version=post.version,
        moving=moving,
        movable=post.state != P.CLOSED and not stuck and bool(moving or not going),
    )  # fmt: skip


# ---------------------------------------------------------------- days


@dataclass(frozen=True)
class Day:
    """A day of the office's: its bounds, and what it is."""

    on: date
    begins: datetime
    ends: datetime
    name: str  # of a holiday
    mark: str  # off: 休, a day off the notice names; swapped: 班; weekend; unknown; or nothing


def day_of(office: Office, on: date) -> Day:
    zone = office.config.tz
    begins = datetime.combine(on, time(), zone)
    ends = datetime.combine(on + timedelta(days=1), time(), zone)
    try:
        worked, name = office.calendar.is_workday(on), office.calendar.name_of(on) or ""
    except UnknownYear:
        return Day(on, begins, ends, "", "unknown")
    if worked:
        return Day(on, begins, ends, "", "swapped" if on.weekday() >= 5 else "")
    return Day(on, begins, ends, name, "off" if name else "weekend")


def days_of(office: Office, first: date, last: date) -> list[Day]:
    """From the first to the last, both with."""
    return [day_of(office, first + timedelta(days=n)) for n in range((last - first).days + 1)]


def solemn_days(conn: Connection, view: View, days: Sequence[Day]) -> dict[date, str]:
    """The days that a 肃穆模式 of these units touches, with its reason."""
    rows = holds.declared(conn, days[0].begins, days[-1].ends)
    mine = [row for row in rows if row["target_id"] is None or _touches(conn, row, view.units)]
    return {
        day.on: row["reason"]
        for row in mine
        for day in days
        if row["since"] < day.ends and (row["lifted_at"] or row["until"]) > day.begins
    }


def _touches(conn: Connection, row: RowMapping, units: Collection[int]) -> bool:
    return not people.below(conn, row["target_id"]).isdisjoint(units)


def rhythms(conn: Connection, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The hours of those accounts that have some, as stored."""
    query = select(accounts.c.id, accounts.c.rhythm).where(accounts.c.id.in_(ids))
    return {row.id: row.rhythm for row in conn.execute(query) if row.rhythm}
