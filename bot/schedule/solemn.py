"""What a 肃穆模式 of a period would keep: said before it is declared; nothing is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, RowMapping, exists, or_, select

from bot import people
from bot.db import accounts, among, deliveries, posts, units
from bot.deliver import holds, rhythm
from bot.model import Actor, DeliveryState, HoldScope, PostState
from bot.office import Office
from bot.schedule.acts import coming
from bot.schedule.files import Schedule

SLOTS = 100  # of an account, at most
P = PostState


@dataclass(frozen=True)
class Kept:
    """Each in the order of its time."""

    begins: datetime
    until: datetime
    deliveries: Sequence[RowMapping]
    posts: Sequence[RowMapping]  # planned for then, and not signed or not queued yet
    occurrences: Sequence[tuple[datetime, Schedule]]
    slots: Sequence[tuple[datetime, RowMapping]]  # free ones, with their account
    names: Sequence[RowMapping]  # the posts that may be let through by name, emergencies first

    def json(self) -> dict[str, Any]:
        """For the command line and the API."""
        return {
            "begins": self.begins,
            "until": self.until,
            "deliveries": [dict(row) for row in self.deliveries],
            "posts": [dict(row) for row in self.posts],
            "occurrences": [{"at": at, "schedule": one.key} for at, one in self.occurrences],
            "slots": [{"at": at, "account": row["key"]} for at, row in self.slots],
        }


def foresee(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    scope: HoldScope,
    target: int | None,
    begins: datetime | None,
    until: datetime | None,
    passes: Sequence[int] = (),
) -> Kept:
    """What falls due in the period and would be kept. Raises what `holds.declare` raises."""
    holds.require(conn, actor, scope, target)
    span = holds.period(now, scope, begins, until)
    every = select(units.c.id)
    whom = people.below(conn, target) if target is not None else conn.execute(every).scalars()
    ids = set(whom)
    return Kept(
        *span,
        _deliveries(conn, scope, target, passes, *span),
        _posts(conn, ids, passes, *span),
        _occurrences(office, conn, ids, *span),
        _slots(conn, ids, *span),
        _names(conn, scope, target, *span),
    )


def _deliveries(
    conn: Connection,
    scope: HoldScope,
    target: int | None,
    passes: Sequence[int],
    begins: datetime,
    until: datetime,
) -> list[RowMapping]:
    columns = (deliveries.c.id, deliveries.c.post_id, posts.c.title, deliveries.c.go_at)
    query = holds.joined(select(*columns, accounts.c.key.label("account"), accounts.c.name))
    ready = deliveries.c.state == DeliveryState.READY, deliveries.c.due_at.is_not(None)
    within = deliveries.c.go_at >= begins, deliveries.c.go_at < until
    stopped = holds.would_stop(conn, scope, target, passes)
    found = query.where(*ready, *within, stopped).order_by(deliveries.c.go_at, deliveries.c.id)
    return list(conn.execute(found).mappings())


def _names(
    conn: Connection, scope: HoldScope, target: int | None, begins: datetime, until: datetime
) -> list[RowMapping]:
    """What falls due then, whether it is named already or not."""
    due = {row["post_id"] for row in _deliveries(conn, scope, target, (), begins, until)}
    query = select(posts.c.id, posts.c.title, posts.c.emergency, posts.c.go_at)
    found = query.where(among(posts.c.id, "ids")).order_by(
        posts.c.emergency.desc(), posts.c.go_at, posts.c.id
    )
    return list(conn.execute(found, {"ids": list(due)}).mappings())


def _posts(
    conn: Connection, ids: set[int], passes: Sequence[int], begins: datetime, until: datetime
) -> list[RowMapping]:
    fresh = ~exists().where(deliveries.c.post_id == posts.c.id)
    waits = or_(posts.c.state.in_((P.DRAFT, P.IN_REVIEW)), fresh & (posts.c.state == P.APPROVED))
    within = posts.c.go_at >= begins, posts.c.go_at < until
    mine = posts.c.unit_id.in_(ids), posts.c.id.not_in(passes)
    query = select(posts.c.id, posts.c.title, posts.c.state, posts.c.go_at)
    found = query.where(waits, *within, *mine).order_by(posts.c.go_at, posts.c.id)
    return list(conn.execute(found).mappings())


def _occurrences(
    office: Office, conn: Connection, ids: set[int], begins: datetime, until: datetime
) -> list[tuple[datetime, Schedule]]:
    keys = set(conn.execute(select(units.c.key).where(units.c.id.in_(ids))).scalars())
    return [one for one in coming(office, conn, begins, until) if one[1].unit in keys]


def _slots(
    conn: Connection, ids: set[int], begins: datetime, until: datetime
) -> list[tuple[datetime, RowMapping]]:
    rows = conn.execute(select(accounts).where(accounts.c.unit_id.in_(ids))).mappings().all()
    found = [
        (at, row)
        for row in rows
        for at in takewhile(lambda at: at < until, rhythm.next_slots(conn, row, begins, SLOTS))
    ]
    return sorted(found, key=lambda one: (one[0], one[1]["id"]))
