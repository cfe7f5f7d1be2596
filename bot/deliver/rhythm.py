"""When of the day an account speaks: its slots, its most a day, its quiet hours.

A post without a time of its own takes the next free slot, one post a slot, no more than the most of a
day, and none within a declared 肃穆模式 that would stop it. One with a time keeps it. What falls in quiet hours goes at the next slot, or when they are over.
Emergencies, withdrawals and edits pass; so does what a person sent off by his own word. None of this
ever leads out of what was signed: who asks compares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, and_, exists, or_, select

from bot.config import AccountPart
from bot.db import accounts, deliveries, posts
from bot.deliver import holds
from bot.model import Act, DeliveryState, PostKind, PostState
from bot.workdays import Hours, clock_time, office_day

S = DeliveryState
DAYS = 60  # ahead; what finds no room until then waits for a person
COUNTS = (S.READY, S.SENDING, S.SENT, S.UNCERTAIN)


@dataclass(frozen=True)
class Rhythm:
    """As `stored` in the account's row."""

    slots: tuple[time, ...]
    daily_most: int
    quiet: Hours | None
    zone: ZoneInfo

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Rhythm:
        quiet = Hours.of(stored["quiet"]) if stored["quiet"] else None
        slots = tuple(clock_time(one) for one in stored["slots"])
        return cls(slots, stored["daily_most"], quiet, ZoneInfo(stored["zone"]))

    def open_from(self, at: datetime) -> datetime:
        """`at`, or when the quiet hours it falls in are over."""
        return self.quiet.over(at, self.zone) if self.quiet else at

    def times(self, begins: datetime) -> Iterator[datetime]:
        """What a post without a time may go at, from `begins` on: each slot, else one time a day."""
        here = begins.astimezone(self.zone)
        of_day = self.slots or (self.open_from(begins).astimezone(self.zone).time(),)
        for n in range(DAYS + 1):
            day = here.date() + timedelta(days=n)
            for one in of_day:
                at = datetime.combine(day, one, self.zone).astimezone(UTC)
                if at >= begins and self.open_from(at) == at:
                    yield at


def stored(part: AccountPart, zone: str) -> dict[str, Any] | None:
    """What the file says of an account's day; None where nothing."""
    if not (part.slots or part.daily_most or part.quiet):
        return None
    quiet = f"{part.quiet.begins:%H:%M}-{part.quiet.ends:%H:%M}" if part.quiet else ""
    slots = [f"{one:%H:%M}" for one in part.slots]
    return {"slots": slots, "daily_most": part.daily_most, "quiet": quiet, "zone": zone}


def place(
    conn: Connection, rhythm: Rhythm, account_id: int, post: RowMapping, go_at: datetime
) -> datetime | None:
    """When a post that might go at `go_at` goes on this account; None: no room for weeks."""
    if post["emergency"]:
        return go_at
    its_own = post["go_at"] is not None
    at = rhythm.open_from(go_at)
    if post["kind"] != PostKind.NOTICE or (its_own and (at == go_at or not rhythm.slots)):
        return at
    taken = _taken(conn, rhythm, account_id, post["id"], go_at)
    taken += _promised(conn, account_id, post["id"], go_at)
    of_day = Counter(office_day(one, rhythm.zone) for one in taken)
    silent = _silences(conn, account_id, post["id"])
    for one in rhythm.times(at):
        full = rhythm.daily_most and of_day[office_day(one, rhythm.zone)] >= rhythm.daily_most
        if (
            not full
            and not (rhythm.slots and one in taken)
            and not (one > go_at and within(one, silent))
        ):
            return one
    return None


def _silences(conn: Connection, account_id: int, post_id: int) -> list[RowMapping]:
    """The periods of 肃穆模式 that stop a post on this account."""
    owners = select(accounts.c.unit_id).where(accounts.c.id == account_id)
    authors = select(posts.c.unit_id).where(posts.c.id == post_id)
    found = holds.silences(conn, conn.execute(owners.union(authors)).scalars().all())
    return [row for row in found if post_id not in (row["passes"] or ())]


def within(at: datetime, periods: Iterable[RowMapping]) -> bool:
    """Does an instant lie in one of these holds' periods?"""
    return any(row["since"] <= at < row["until"] for row in periods)


def _taken(
    conn: Connection, rhythm: Rhythm, account_id: int, post_id: int, since: datetime
) -> list[datetime]:
    """The times that other posts' deliveries have on this account, from that day on."""
    day = datetime.combine(office_day(since, rhythm.zone), time(), rhythm.zone)
    query = (
        select(deliveries.c.go_at)
        .join(posts, posts.c.id == deliveries.c.post_id)
        .where(
            deliveries.c.account_id == account_id,
            deliveries.c.post_id != post_id,
            deliveries.c.act == Act.PUBLISH,
            deliveries.c.part == 0,
            deliveries.c.state.in_(COUNTS),
            deliveries.c.go_at >= day.astimezone(UTC),
            posts.c.kind == PostKind.NOTICE,
        )
    )
    return list(conn.execute(query).scalars())


def next_slots(
    conn: Connection, row: RowMapping, now: datetime, n: int = 6, post_id: int = 0
) -> list[datetime]:
    """The next `n` free slots of an account (a row of accounts) for a post; none where it has none.

    Taken is what a delivery has, and what a draft or a post in review is planned for; what lies in a
    declared 肃穆模式 is not free.
    """
    if not row["rhythm"] or not (rhythm := Rhythm.of(row["rhythm"])).slots:
        return []
    taken = _taken(conn, rhythm, row["id"], post_id, now)
    taken += _promised(conn, row["id"], post_id, now)
    of_day = Counter(office_day(one, rhythm.zone) for one in taken)
    most = rhythm.daily_most or len(taken) + n
    silent = _silences(conn, row["id"], post_id)
    free = (at for at in rhythm.times(now) if at not in taken and not within(at, silent))
    return list(islice((at for at in free if of_day[office_day(at, rhythm.zone)] < most), n))


def _promised(conn: Connection, account_id: int, post_id: int, since: datetime) -> list[datetime]:
    """The times chosen on this account for posts that nobody has signed, or that are just being planned."""
    unsigned = posts.c.state.in_((PostState.DRAFT, PostState.IN_REVIEW))
    unplanned = and_(
        posts.c.state == PostState.APPROVED,
        posts.c.due_at.is_not(None),
        ~exists().where(deliveries.c.post_id == posts.c.id),
    )
    mine = or_(unsigned, unplanned), posts.c.id != post_id, posts.c.kind == PostKind.NOTICE
    query = select(posts.c.go_at, posts.c.accounts).where(posts.c.go_at >= since, *mine)
    return [at for at, ids in conn.execute(query) if account_id in (ids or ())]


def quiet_until(row: RowMapping, now: datetime) -> datetime | None:
    """Until when a delivery that would begin now must wait, if it must.

    A thread that has begun is gone on with.
    """
    passes = row["emergency"] or row["insists"] or row["after_id"] is not None
    if passes or not row["rhythm"] or row["act"] not in (Act.PUBLISH, Act.REPOST):
        return None
    until = Rhythm.of(row["rhythm"]).open_from(now)
    return until if until > now else None
