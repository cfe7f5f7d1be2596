"""What no claim finds: too late → missed; a worker lost → uncertain; by-hand past its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select, true, update

from bot import audit
from bot.db import attempts, deliveries, workers
from bot.deliver import holds
from bot.deliver.ledger import able, context, tell
from bot.language import Say
from bot.model import MACHINE, DeliveryState, Outcome
from bot.notices import close_notice

S = DeliveryState


def sweep(conn: Connection, now: datetime, first_look: timedelta, outage: timedelta) -> None:
    """What no claim finds. `first_look`: how long a request cut off may still be in the making.

    `outage`: how long nobody may have worked before what is overdue waits for a person.
    """
    holds.begin_due(conn, now)
    _miss_held(conn, now)
    holds.expire(conn, now)
    after_silence(conn, now, outage)
    _miss(conn, now)
    _lose(conn, now, first_look)
    _hand_over(conn, now)


def _become(
    conn: Connection, now: datetime, where: ColumnElement[bool], state: DeliveryState, **values: Any
) -> Sequence[RowMapping]:
    changed = conn.execute(
        update(deliveries)
        .where(where)
        .values(state=state, lease=None, leased_until=None, changed_at=now, **values)
        .returning(*deliveries.c)
    )
    return changed.mappings().all()


def _miss(conn: Connection, now: datetime) -> None:
    """On time or not at all; held, unsigned or unlucky alike."""
    why = Say("已过最迟时限，未发；按“宁可不发”处理")
    tell(conn, now, [(row, why) for row in _missed(conn, now, why, true())])


def _miss_held(conn: Connection, now: datetime) -> None:
    """Under 肃穆模式 nobody is told of each: its own notice tells, and its end, what waits."""
    solemn = holds.standing(conn, solemn=True)
    if solemn.groups:
        under = holds.joined(select(deliveries.c.id)).where(solemn.clause())
        _missed(conn, now, holds.HELD_SOLEMNLY, deliveries.c.id.in_(under))


def _missed(
    conn: Connection, now: datetime, why: Say, which: ColumnElement[bool]
) -> Sequence[RowMapping]:
    late = and_(
        deliveries.c.state == S.READY,
        deliveries.c.latest_at < now,
        or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= now),
        which,
    )
    rows = _become(conn, now, late, S.MISSED, due_at=None, reason=why.json())
    audit.write_many(
        conn,
        [audit.entry(now, MACHINE, "delivery.missed", f"delivery:{row['id']}") for row in rows],
    )
    return rows


def after_silence(conn: Connection, now: datetime, outage: timedelta) -> None:
    """No burst after an outage, ours or the store's: what fell due in it waits for a person."""
    last = conn.execute(select(func.max(workers.c.beat_at))).scalar()
    if last is None or now - last <= outage:
        return
    overdue = and_(
        deliveries.c.state == S.READY,
        deliveries.c.due_at <= now - outage,
        or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= now),
    )
    minutes = int((now - last).total_seconds() // 60)
    why = Say("停机 {n} 分钟期间到点，没有发；由人决定是否补发", n=minutes)
    values = {"due_at": None, "reason": why.json(), "was_held": True}
    rows = _become(conn, now, overdue, S.READY, **values)
    tell(conn, now, [(row, why) for row in rows])
    audit.write_many(
        conn,
        [audit.entry(now, MACHINE, "delivery.overdue", f"delivery:{row['id']}") for row in rows],
    )


def _lose(conn: Connection, now: datetime, first_look: timedelta) -> None:
    """A worker that vanished with an open attempt: nobody knows what the platform took.

    Looked up only when the platform is sure to show what it may have taken last.
    """
    lost = and_(deliveries.c.state == S.SENDING, deliveries.c.leased_until <= now)
    why = Say("发送途中进程中断，结果不明，正在回查")
    rows = _become(conn, now, lost, S.UNCERTAIN, due_at=None, reason=why.json())
    for row in context(conn, [row["id"] for row in rows]).values() if rows else ():
        due = now + max(first_look, timedelta(seconds=able(row).listing_lag_seconds))
        conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(due_at=due))
    _unknown(conn, now, rows, why)


def recover(conn: Connection, now: datetime, dead: Sequence[str]) -> int:
    """Let go what workers known to be dead had begun, without waiting for their leases to end."""
    if not dead:
        return 0
    open_attempts = select(attempts.c.delivery_id).where(
        attempts.c.worker.in_(dead), attempts.c.ended_at.is_(None)
    )
    rows = conn.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(open_attempts), deliveries.c.lease.is_not(None))
        .values(leased_until=now)
    )
    return rows.rowcount


def _hand_over(conn: Connection, now: datetime) -> None:
    """A by-hand task whose latest moment passed without a receipt."""
    overdue = and_(
        deliveries.c.state == S.SENDING,
        deliveries.c.lease.is_(None),
        deliveries.c.latest_at < now,
    )
    why = Say("已过最迟时限，没有人工发布的回执；请核对是否已发")
    rows = _become(conn, now, overdue, S.UNCERTAIN, due_at=None, reason=why.json())
    _unknown(conn, now, rows, why)
    close_notice(conn, now, *(f"delivery:{row['id']}" for row in rows))  # of what was to be done
    tell(conn, now, [(row, why) for row in rows])


def _unknown(conn: Connection, now: datetime, rows: Sequence[RowMapping], why: Say) -> None:
    ids = [row["id"] for row in rows]
    if ids:
        conn.execute(
            update(attempts)
            .where(attempts.c.delivery_id.in_(ids), attempts.c.ended_at.is_(None))
            .values(ended_at=now, outcome=Outcome.UNKNOWN, said=why.json())
        )
        audit.write_many(
            conn,
            [audit.entry(now, MACHINE, "delivery.uncertain", f"delivery:{i}") for i in ids],
        )
