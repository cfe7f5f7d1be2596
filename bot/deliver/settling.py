"""Write what the calls brought, only where the lease still stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, or_, select, update

from bot import audit
from bot.db import Instant, accounts, attempts, deliveries, hosts, insert_missing
from bot.deliver.ledger import able, tell
from bot.deliver.watching import open_watches, worth_watching
from bot.language import Say
from bot.model import MACHINE, Act, DeliveryState, Outcome, Receipt
from bot.notices import close_notice
from bot.speaking import mark_broken

S = DeliveryState


@dataclass(frozen=True)
class Settled:
    """What a call brought: the outcome, in a sentence, and what the row becomes."""

    row: RowMapping
    attempt: int | None  # None: staging or a look-up, which is no attempt
    outcome: Outcome
    state: DeliveryState
    due: datetime | None
    said: Say | None = None
    receipt: Receipt | None = None
    raw: str = ""
    account_free: datetime | None = None
    host_free: datetime | None = None
    broken: bool = False
    watch: bool = False
    keep_attempt_open: bool = False
    tell: bool = False  # people too, though the machine goes on
    extra: Mapping[str, Any] | None = None


class Lost(Exception):
    """Somebody else has the delivery by now: its result is not ours to write."""


def settle(conn: Connection, now: datetime, done: Sequence[Settled]) -> None:
    """Write results, where every lease stands and no remote id is another delivery's already.

    Raises Lost or IntegrityError where not: nothing of it may be kept, and `settle_one` sees to each.
    """
    done = sorted(done, key=lambda one: one.row["id"])  # the order in which rows are locked
    written = _write(conn, _sent(), [_sent_values(now, s) for s in done if s.state is S.SENT])
    rest = [_unsent_values(now, s) for s in done if s.state is not S.SENT]
    if written + _write(conn, _unsent(), rest) != len(done):
        raise Lost
    _end_attempts(conn, now, done)
    _keep_waiting(conn, {s.row["account_id"]: s.account_free for s in done if s.account_free})
    _after_effects(conn, now, done)


def settle_one(conn: Connection, now: datetime, one: Settled) -> bool:
    """The same; False, and nothing written, where its lease was lost.

    A remote id that another delivery of the account holds proves nothing for this one.
    """
    try:
        settle(conn, now, [_doubtful(one) if _is_taken(conn, one) else one])
    except Lost:
        return False
    return True


def _is_taken(conn: Connection, one: Settled) -> bool:
    if one.state is not S.SENT or one.receipt is None or one.row["act"] != Act.PUBLISH:
        return False
    holder = select(deliveries.c.id).where(
        deliveries.c.account_id == one.row["account_id"],
        deliveries.c.remote_id == one.receipt.remote_id,
        deliveries.c.act == Act.PUBLISH,
        deliveries.c.id != one.row["id"],
    )
    return conn.execute(holder).first() is not None


def _doubtful(one: Settled) -> Settled:
    assert one.receipt is not None
    said = Say("平台回的编号 {id} 已属于另一条投递，结果不明", id=one.receipt.remote_id)
    raw = one.receipt.raw
    return Settled(one.row, one.attempt, Outcome.UNKNOWN, S.UNCERTAIN, None, said, raw=raw)


def _write(conn: Connection, statement: Any, rows: list[dict[str, Any]]) -> int:
    return conn.execute(statement, rows).rowcount if rows else 0


@lru_cache(maxsize=1)
def _sent() -> Any:
    receipt: dict[str, Any] = {
        name: bindparam(f"to_{name}") for name in ("remote_id", "url", "sent_at")
    }
    return _released().values(state=S.SENT, waits=0, looks=0, absents=0, **receipt)


@lru_cache(maxsize=1)
def _unsent() -> Any:
    counted = ("waits", "looks", "absents")
    counts: dict[str, Any] = {name: bindparam(f"to_{name}") for name in counted}
    return _released().values(state=bindparam("to_state"), **counts)


def _released() -> Any:
    return (
        update(deliveries)
        .where(deliveries.c.id == bindparam("row"), deliveries.c.lease == bindparam("held"))
        .values(
            lease=None,
            leased_until=None,
            tries=0,
            changed_at=bindparam("now"),
            due_at=bindparam("due"),
            reason=bindparam("to_reason"),
        )
    )


def _sent_values(now: datetime, one: Settled) -> dict[str, Any]:
    assert one.receipt is not None
    receipt = one.receipt
    given = {"to_remote_id": receipt.remote_id, "to_url": receipt.url}
    return _values(now, one) | given | {"to_sent_at": receipt.at or now}


def _unsent_values(now: datetime, one: Settled) -> dict[str, Any]:
    counts = {name: one.row[name] for name in ("waits", "looks", "absents")} | dict(one.extra or {})
    counted = {f"to_{name}": n for name, n in counts.items()}
    return _values(now, one) | counted | {"to_state": one.state}


def _values(now: datetime, one: Settled) -> dict[str, Any]:
    return {
        "row": one.row["id"],
        "held": one.row["lease"],
        "now": now,
        "due": one.due,
        "to_reason": one.said.json() if one.said else None,
    }


def _end_attempts(conn: Connection, now: datetime, done: Iterable[Settled]) -> None:
    rows = [
        {
            "attempt": s.attempt,
            "now": now,
            "outcome_is": s.outcome,
            "remote": s.receipt.remote_id if s.receipt else None,
            "sentence": s.said.json() if s.said else None,
            "words": (s.receipt.raw if s.receipt else s.raw)[:1000] or None,
        }
        for s in done
        if s.attempt is not None and not s.keep_attempt_open
    ]
    if rows:
        conn.execute(_ending(), rows)


@lru_cache(maxsize=1)
def _ending() -> Any:
    return (
        update(attempts)
        .where(attempts.c.id == bindparam("attempt"))
        .values(
            ended_at=bindparam("now", type_=Instant()),
            outcome=bindparam("outcome_is"),
            remote_id=bindparam("remote"),
            said=bindparam("sentence"),
            raw=func.coalesce(bindparam("words"), attempts.c.raw),  # a look-up adds none
        )
    )


def _after_effects(conn: Connection, now: datetime, done: Sequence[Settled]) -> None:
    """Watches, the trail, notices, broken accounts, hosts that must be left alone."""
    sent = [s.row for s in done if s.watch and s.state is S.SENT]
    open_watches(conn, now, [row for row in sent if worth_watching(row["act"], able(row))])
    _follow_edits(conn, [s for s in done if s.row["act"] == Act.EDIT and s.state is S.SENT])
    for one in done:
        if one.broken:
            mark_broken(conn, now, one.row["account_id"], one.said or Say("账号不可用"))
        if one.host_free and one.row["host"]:
            _free_host(conn, one.row["host"], one.host_free)
    audit.write_many(conn, [e for s in done for e in _entries(now, s)])
    if over := [s.row for s in done if s.state is S.SENT]:
        gone = [row["target_id"] for row in over if row["act"] == Act.WITHDRAW]
        close_notice(conn, now, *(f"delivery:{n}" for n in [row["id"] for row in over] + gone))
    tell(
        conn,
        now,
        [
            (s.row, s.said)
            for s in done
            if s.said
            and (s.tell or s.state is S.FAILED or (s.due is None and s.state is S.UNCERTAIN))
        ],
    )


def _follow_edits(conn: Connection, edits: Sequence[Settled]) -> None:
    """Some platforms give a post another id when it is edited: later acts must name the new one."""
    for one in edits:
        if one.receipt and one.receipt.remote_id != one.row["target_remote_id"]:
            values = {"remote_id": one.receipt.remote_id, "url": one.receipt.url}
            target = deliveries.c.id == one.row["target_id"]
            conn.execute(update(deliveries).where(target).values(**values))


def _entries(now: datetime, one: Settled) -> list[dict[str, Any]]:
    if one.attempt is None and one.state is not S.SENT:
        return []
    data = {"attempt": one.attempt, "outcome": one.outcome, "revision": one.row["revision_id"]}
    if one.receipt:
        data["remote_id"] = one.receipt.remote_id
    verb = f"delivery.{one.state}"
    return [audit.entry(now, MACHINE, verb, f"delivery:{one.row['id']}", **data)]


def _free_host(conn: Connection, host: str, at: datetime) -> None:
    insert_missing(conn, hosts, [{"host": host, "free_at": at}])
    longer = hosts.c.host == host, hosts.c.free_at < at
    conn.execute(update(hosts).where(*longer).values(free_at=at))


def _keep_waiting(conn: Connection, at: Mapping[int, datetime]) -> None:
    """Nothing goes on these accounts before; a longer wait that stands already is kept."""
    if at:
        mine = update(accounts).where(
            accounts.c.id == bindparam("account"),
            or_(accounts.c.free_at.is_(None), accounts.c.free_at < bindparam("at")),
        )
        rows = [{"account": a, "at": t} for a, t in sorted(at.items())]
        conn.execute(mine.values(free_at=bindparam("at")), rows)
