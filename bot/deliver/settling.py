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


def settle(conn: Connection, now: datetime, done: Sequence[Settled]) -> list[Settled]:
    """Write results; give those whose lease was lost, of which nothing was written."""
    mine = _still_mine(conn, done)
    good = _without_doubled_receipts(conn, [s for s in done if s.row["id"] in mine])
    if good:
        conn.execute(_settlement(), [_settled_values(now, one) for one in good])
    _end_attempts(conn, now, good)
    _keep_waiting(conn, {s.row["account_id"]: s.account_free for s in good if s.account_free})
    _after_effects(conn, now, good)
    return [s for s in done if s.row["id"] not in mine]


def _still_mine(conn: Connection, done: Sequence[Settled]) -> set[int]:
    held = {s.row["id"]: s.row["lease"] for s in done}
    rows = conn.execute(_leases(), {"ids": list(held)})
    return {row for row, token in rows if token is not None and token == held[row]}


@lru_cache(maxsize=1)
def _leases() -> Any:
    return (
        select(deliveries.c.id, deliveries.c.lease)
        .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
        .order_by(deliveries.c.id)
        .with_for_update()
    )


def _without_doubled_receipts(conn: Connection, done: Sequence[Settled]) -> list[Settled]:
    """A remote id that another delivery of the account holds proves nothing for this one."""
    claims = [(one, _claimed(one)) for one in done]
    holders = _holders(conn, {claim for _, claim in claims if claim})
    checked = []
    for one, claim in claims:
        free = claim is None or holders.setdefault(claim, one.row["id"]) == one.row["id"]
        checked.append(one if free else _doubtful(one))
    return checked


def _claimed(one: Settled) -> tuple[int, str] | None:
    """The receipt a settlement would take: (account, remote id)."""
    if one.state is not S.SENT or one.receipt is None or one.row["act"] != Act.PUBLISH:
        return None
    return one.row["account_id"], one.receipt.remote_id


def _holders(conn: Connection, claims: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Which delivery holds each receipt already."""
    if not claims:
        return {}
    asked = {"accounts": list({a for a, _ in claims}), "remotes": list({r for _, r in claims})}
    rows = conn.execute(_held_by(), asked)
    return {(account, remote): holder for account, remote, holder in rows if remote}


@lru_cache(maxsize=1)
def _held_by() -> Any:
    return select(deliveries.c.account_id, deliveries.c.remote_id, deliveries.c.id).where(
        deliveries.c.account_id.in_(bindparam("accounts", expanding=True)),
        deliveries.c.remote_id.in_(bindparam("remotes", expanding=True)),
        deliveries.c.act == Act.PUBLISH,
    )


def _doubtful(one: Settled) -> Settled:
    assert one.receipt is not None
    said = Say("平台回的编号 {id} 已属于另一条投递，结果不明", id=one.receipt.remote_id)
    raw = one.receipt.raw
    return Settled(one.row, one.attempt, Outcome.UNKNOWN, S.UNCERTAIN, None, said, raw=raw)


_SETTLED = ("state", "due_at", "reason", "remote_id", "url", "sent_at", "waits", "looks", "absents")


@lru_cache(maxsize=1)
def _settlement() -> Any:
    return (
        update(deliveries)
        .where(deliveries.c.id == bindparam("row"))
        .values(
            lease=None,
            leased_until=None,
            tries=0,
            changed_at=bindparam("now"),
            **{name: bindparam(f"to_{name}") for name in _SETTLED},
        )
    )


def _settled_values(now: datetime, one: Settled) -> dict[str, Any]:
    """What the row becomes; what the outcome does not touch stays as it was."""
    values: dict[str, Any] = {name: one.row[name] for name in _SETTLED} | dict(one.extra or {})
    values |= {"state": one.state, "due_at": one.due}
    values["reason"] = one.said.json() if one.said else None
    if one.receipt is not None and one.state is S.SENT:
        values |= {"remote_id": one.receipt.remote_id, "url": one.receipt.url}
        values |= {"sent_at": one.receipt.at or now, "waits": 0}
    return {"row": one.row["id"], "now": now, **{f"to_{k}": v for k, v in values.items()}}


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
    if over := [f"delivery:{s.row['id']}" for s in done if s.state is S.SENT]:
        close_notice(conn, now, *over)
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
