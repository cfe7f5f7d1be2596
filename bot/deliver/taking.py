"""Claim, check, begin: from a due row to a committed attempt.

take          what may start now: claimed, checked and begun in one transaction
arm           what falls due within moments: claimed and checked ahead, so that at its second only
              what can have changed since is asked again
begin_armed   that second
begin_staged  the same after uploads
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from bot import audit, lease, people
from bot.db import (
    Instant,
    accounts,
    among,
    approvals,
    attempts,
    deliveries,
    hosts,
    items,
    lock,
    offices,
    one_writer,
    posts,
    sources,
    units,
    workers,
)
from bot.deliver import holds
from bot.deliver.ledger import Begun, Ready, able, budget, context, outgoing_of, tell
from bot.deliver.rhythm import quiet_until
from bot.errors import GongkaiError
from bot.language import Say
from bot.model import (
    MACHINE,
    AccountState,
    Act,
    DeliveryState,
    PostState,
    Receipt,
    Staged,
    digest_of,
)

S = DeliveryState
CLOCK_SLACK = timedelta(seconds=5)
STAGING = timedelta(seconds=90)  # the lease of uploads: three times an adapter's usual budget
ARMED = timedelta(seconds=10)  # how long after its second an armed one is let to others


class ClockBehind(GongkaiError):
    """The clock is behind the last attempt on record: nothing is sent."""


def take(conn: Connection, now: datetime, n: int, worker: str) -> tuple[list[Ready], list[Begun]]:
    """Claim up to `n` deliveries, at most one an account; begin those that need no staging.

    Raises ClockBehind.
    """
    check_clock(conn, now)
    checked = _startable(conn, now, n)
    to_stage = [r for r in checked if needs_staging(r.row, now)]
    go = [r for r in checked if not needs_staging(r.row, now)]
    return to_stage, _begin(conn, now, go, worker)


def arm(conn: Connection, now: datetime, n: int, until: datetime) -> list[Ready]:
    """Claim and check up to `n` that fall due by `until`. Raises ClockBehind."""
    check_clock(conn, now)
    return _checked(conn, now, _claim(conn, now, n, until, until - now + ARMED))


def begin_armed(
    conn: Connection, now: datetime, ready: Sequence[Ready], worker: str
) -> list[Begun]:
    """Their second has come: begin those of which nothing has changed; check the others anew."""
    if not ready:
        return []
    ids = [r.row["id"] for r in ready]
    _lock_scopes(conn, ids)
    lock(conn, deliveries, ids)  # who cancels or moves one locks it alone
    standing = holds.standing(conn)
    seen = {row[0]: tuple(row) for row in conn.execute(_glance(), {"ids": ids})}
    same: list[Ready] = []
    changed: list[Ready] = []
    for one in ready:
        as_it_was = seen.get(one.row["id"]) == _glimpse(one.row)
        (same if as_it_was and _in_time(one.row, now, standing) else changed).append(one)
    return _begin(conn, now, same + _checked(conn, now, [r.row for r in changed]), worker)


def disarm(conn: Connection, ready: Sequence[Ready]) -> None:
    """Let go what was armed; others may have it at its hour."""
    for one in ready:
        lease.settle(conn, deliveries, one.row, one.row["due_at"], tries=one.row["tries"])


def begin_staged(
    conn: Connection, now: datetime, rows: Sequence[tuple[RowMapping, Staged]], worker: str
) -> list[Begun]:
    """After staging: keep what it left, begin those whose hour has come; the others wait for it."""
    early = [(row, staged) for row, staged in rows if row["go_at"] > now]
    for row, staged in early:
        lease.settle(conn, deliveries, row, row["go_at"], staged=staged.json(), changed_at=now)
    due = {row["id"]: (row, staged) for row, staged in rows if row["go_at"] <= now}
    _lock_scopes(conn, list(due))
    for row, staged in due.values():
        mine = deliveries.c.id == row["id"], deliveries.c.lease == row["lease"]
        conn.execute(update(deliveries).where(*mine).values(staged=staged.json()))
    return _begin(conn, now, _checked(conn, now, [row for row, _ in due.values()]), worker)


def needs_staging(row: RowMapping, now: datetime) -> bool:
    """Has it uploads that were not made yet, or that the platform has forgotten since?"""
    if row["act"] not in (Act.PUBLISH, Act.EDIT) or not row["payload"]["media"]:
        return False
    if row["staged"] is None:
        return True
    until = Staged.of(row["staged"]).until
    return until is not None and until <= now


# ---------------------------------------------------------------- claim


def _startable(conn: Connection, now: datetime, n: int) -> list[Ready]:
    """Claimed and checked. What fails its check is out of the way of the next of its account."""
    for _ in range(100):
        rows = _claim(conn, now, n, now, STAGING)
        checked = _checked(conn, now, rows)
        if checked or not rows:
            return checked
    return []


def check_clock(conn: Connection, now: datetime) -> None:
    """A clock set back would send too early, or twice by mistake: stop instead."""
    last = max(
        (at for query in _last_known() if (at := conn.execute(query).scalar())), default=None
    )
    if last and now < last - CLOCK_SLACK:
        raise ClockBehind(
            "时钟落后：现在 {now}，而上次记到 {last}；校准时钟后自动恢复",
            now=f"{now:%F %T}Z",
            last=f"{last:%F %T}Z",
        )


@lru_cache(maxsize=1)
def _last_known() -> tuple[Any, Any]:
    begun = select(attempts.c.begun_at).order_by(attempts.c.begun_at.desc()).limit(1)
    return begun, select(func.max(workers.c.beat_at)).where(workers.c.stopped_at.is_(None))


def _claim(
    conn: Connection, now: datetime, n: int, until: datetime, hold: timedelta
) -> list[RowMapping]:
    """The first delivery due by `until` of each idle account whose pace is open.

    What was picked is asked again as it is claimed: on PostgreSQL the picking may have seen an older
    picture than the locks it then got.
    """
    asked = {"now": now, "until": until, "n": n}
    picked = conn.execute(_pick(holds.standing(conn)), asked).all()
    if not picked:
        return []
    ids = [delivery for _, delivery in picked]
    _lock_scopes(conn, ids)
    asked = {"ids": ids, "now": now, "until": until, "mark": lease.token(), "end": now + hold}
    taken = conn.execute(_claiming(), asked).mappings().all()
    return sorted(taken, key=itemgetter("due_at", "id"))


@lru_cache(maxsize=1)
def _claiming() -> Any:
    now, until = _asked("now"), _asked("until")
    return (
        update(deliveries)
        .where(
            among(deliveries.c.id, "ids"),
            deliveries.c.state == S.READY,
            _free(deliveries.c, now, until),
            deliveries.c.account_id.not_in(_busy(now)),
        )
        .values(lease=bindparam("mark"), leased_until=_asked("end"))
        .returning(deliveries.c.id, deliveries.c.lease, deliveries.c.due_at)
    )


def _asked(name: str) -> Any:
    return bindparam(name, type_=Instant())


def _free(of: Any, now: Any, until: Any) -> Any:
    """Due by `until`, and nobody holds it now."""
    return and_(of.due_at <= until, or_(of.leased_until.is_(None), of.leased_until <= now))


@lru_cache(maxsize=8)  # putting the statement together costs more than running it
def _pick(standing: holds.Standing) -> Any:
    """Of each idle account, its earliest delivery that nothing stands in the way of.

    Asked with `now`, `until` and `n`. The account's row is locked on PostgreSQL, so no two workers
    pick of it; a revision that names it need not wait.
    """
    now, until = _asked("now"), _asked("until")
    # Emergencies first; asked apart so that each is read off an index in its order.
    urgent, usual = (_first_of_account(now, until, standing, emergency=e) for e in (True, False))
    first = func.coalesce(urgent, usual)
    idle = or_(accounts.c.free_at.is_(None), accounts.c.free_at <= now)
    waiting = select(hosts.c.host).where(hosts.c.host == accounts.c.host, hosts.c.free_at > now)
    due = deliveries.alias("due")
    asking = select(due.c.account_id).where(due.c.state == S.READY, _free(due.c, now, until))
    return (
        select(accounts.c.id, first.label("delivery"))
        .where(
            accounts.c.id.in_(asking.distinct()),  # of many accounts few have anything due
            accounts.c.state == AccountState.ACTIVE,
            idle,
            accounts.c.id.not_in(_busy(now)),
            ~waiting.exists(),
            first.is_not(None),
        )
        .limit(bindparam("n", type_=Integer()))
        .with_for_update(skip_locked=True, key_share=True, of=accounts)
    )


def _busy(now: Any) -> Any:
    """Accounts with a call of ours under way: a sending until it is settled or swept, a staging."""
    flying = deliveries.alias("flying")
    staging = and_(flying.c.state == S.READY, flying.c.leased_until > now)
    return select(flying.c.account_id).where(
        flying.c.leased_until.is_not(None), or_(flying.c.state == S.SENDING, staging)
    )


def _first_of_account(now: Any, until: Any, standing: holds.Standing, *, emergency: bool) -> Any:
    """As a scalar subquery over accounts."""
    before = deliveries.alias("before")
    pending = deliveries.alias("pending")
    sent_before = select(before.c.id).where(
        before.c.id == deliveries.c.after_id, before.c.state == S.SENT
    )
    unclear = select(pending.c.id).where(
        pending.c.account_id == accounts.c.id, pending.c.state == S.UNCERTAIN
    )
    depth = accounts.c.capabilities["listing_depth"].as_integer()
    return (
        select(deliveries.c.id)
        .join(posts, posts.c.id == deliveries.c.post_id)
        .where(
            deliveries.c.account_id == accounts.c.id,
            deliveries.c.state == S.READY,
            deliveries.c.emergency.is_(emergency),
            _free(deliveries.c, now, until),
            or_(deliveries.c.after_id.is_(None), sent_before.exists()),
            ~standing.clause(),
            # Newer posts would push the evidence of an uncertain one out of a shallow listing.
            true() if emergency else or_(depth == 0, ~unclear.exists()),
        )
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(1)
        .correlate(accounts)
        .scalar_subquery()
    )


# ---------------------------------------------------------------- check


def _checked(conn: Connection, now: datetime, rows: Sequence[RowMapping]) -> list[Ready]:
    """Of claimed rows, those that may still go; each of the others is let go with its reason."""
    if not rows:
        return []
    standing = holds.standing(conn)
    found = context(conn, [row["id"] for row in rows])
    good = []
    for claimed in rows:
        row = found[claimed["id"]]
        if row["lease"] != claimed["lease"] or row["state"] != S.READY:
            continue
        stop = _stands_in_the_way(row, max(now, row["due_at"] or now), standing)
        if stop is None:
            good.append(Ready(row, outgoing_of(row), able(row)))
        else:
            _let_go(conn, now, row, stop)
    return good


def _lock_scopes(conn: Connection, ids: Sequence[int]) -> None:
    """Office, units, accounts, sources, items, posts of deliveries, for share and in that order.

    Holds and edits lock the same rows for update, and only then touch deliveries: so do we.
    """
    if not ids or one_writer(conn):
        return
    lock(conn, offices, [1], share=True)
    rows = conn.execute(_scopes(), {"ids": ids}).mappings().all()
    owners = {row[name] for row in rows for name in ("unit_id", "post_unit_id")}
    lock(conn, units, [u for owner in owners for u in people.ancestry(conn, owner)], share=True)
    for table, name in ((accounts, "account_id"), (sources, "source_id"), (items, "item_id")):
        lock(conn, table, [row[name] for row in rows if row[name] is not None], share=True)
    lock(conn, posts, [row["post_id"] for row in rows], share=True)


@lru_cache(maxsize=1)
def _scopes() -> Any:
    return holds.joined(
        select(
            deliveries.c.post_id,
            deliveries.c.account_id,
            accounts.c.unit_id,
            deliveries.c.post_unit_id,
            posts.c.source_id,
            posts.c.item_id,
        )
    ).where(among(deliveries.c.id, "ids"))


# All that a moment can change of a delivery found in order, by its name in `context`.
_GLANCE = {
    "id": deliveries.c.id,
    "lease": deliveries.c.lease,
    "state": deliveries.c.state,
    "was_held": deliveries.c.was_held,
    "latest_at": deliveries.c.latest_at,
    "revision_id": deliveries.c.revision_id,
    "rendition_id": deliveries.c.rendition_id,
    "account_state": accounts.c.state,
    "account_identity": accounts.c.identity,
    "credential": accounts.c.credential,
    "post_state": posts.c.state,
    "current_revision": posts.c.revision_id,
    "signed_digest": approvals.c.digest,
    "voided_at": approvals.c.voided_at,
    "begins": approvals.c.begins,
    "ends": approvals.c.ends,
}


@lru_cache(maxsize=1)
def _glance() -> Any:
    return (
        holds.joined(select(*_GLANCE.values()))
        .outerjoin(approvals, approvals.c.revision_id == deliveries.c.revision_id)
        .where(among(deliveries.c.id, "ids"))
    )


def _glimpse(row: RowMapping) -> tuple[Any, ...]:
    return tuple(row[name] for name in _GLANCE)


def _in_time(row: RowMapping, now: datetime, standing: holds.Standing) -> bool:
    begun = row["begins"] is None or row["begins"] <= now
    stopped = _too_late(row, now) or standing.stops(row) or quiet_until(row, now) is not None
    return begun and not stopped


@dataclass(frozen=True)
class Stop:
    """Why a claimed delivery may not go now: when to look again (None: a person), as what."""

    why: Say | None
    due: datetime | None
    state: DeliveryState = S.READY
    tell: bool = False


def _stands_in_the_way(row: RowMapping, now: datetime, standing: holds.Standing) -> Stop | None:
    if row["was_held"]:
        return Stop(None, None)
    if standing.stops(row) or row["account_state"] != AccountState.ACTIVE:
        return Stop(None, row["due_at"])
    if row["post_state"] != PostState.APPROVED or (unsigned := _unsigned(row)):
        why = Say("稿件不在已签发状态") if row["post_state"] != PostState.APPROVED else unsigned
        return Stop(why, None, tell=True)
    if row["identity"] != row["account_identity"]:
        return Stop(Say("账号现在的身份与签发时不同，须重新审签"), None, tell=True)
    if row["begins"] and now < row["begins"] and not needs_staging(row, now):
        return Stop(Say("未到签发的时段"), row["begins"])
    if _too_late(row, now):
        return Stop(Say("已过最迟时限"), None, S.MISSED, tell=True)
    if (until := quiet_until(row, now)) and not needs_staging(row, now):
        return Stop(Say("账号的静默时段，过后再发"), until)
    return None


def _unsigned(row: RowMapping) -> Say | None:
    """None if exactly what would be sent was signed; digests are computed anew, not believed."""
    if row["signed_digest"] is None:
        return Say("这一版没有签发")
    if row["voided_at"] is not None:
        return Say("签发已失效：{why}", why=Say.of(row["voided"]) if row["voided"] else "")
    if row["revision_id"] != row["current_revision"]:
        return Say("稿件已有新版本，这一版不再发")
    if digest_of(row["manifest"]) != row["signed_digest"]:
        return Say("内容与签发时不符，已拦下")
    if row["manifest"]["post"] != row["post_id"]:
        return Say("内容与签发时不符，已拦下")
    act = Act.PUBLISH if row["act"] == Act.EDIT else row["act"]
    mine = [row["account_id"], row["part"], digest_of(row["payload"]), row["identity"], act]
    if mine not in row["manifest"]["renditions"]:
        return Say("内容与签发时不符，已拦下")
    return None


def _too_late(row: RowMapping, now: datetime) -> bool:
    ends = [at for at in (row["ends"], row["latest_at"]) if at]
    return any(now > at for at in ends)


def _let_go(conn: Connection, now: datetime, row: RowMapping, stop: Stop) -> None:
    values: dict[str, Any] = {"state": stop.state, "changed_at": now}
    if stop.why is not None:
        values["reason"] = stop.why.json()
    lease.settle(conn, deliveries, row, stop.due, **values)
    if stop.state is S.MISSED:
        audit.write(conn, now, MACHINE, "delivery.missed", f"delivery:{row['id']}")
    if stop.tell and stop.why is not None:
        tell(conn, now, [(row, stop.why)])


# ---------------------------------------------------------------- begin


def _begin(conn: Connection, now: datetime, ready: Sequence[Ready], worker: str) -> list[Begun]:
    """Commit the attempts before any call. The lease covers three times the adapter's whole budget."""
    if not ready:
        return []
    rows = [
        {
            "delivery_id": r.row["id"],
            "begun_at": now,
            "digest": r.row["revision_digest"],
            "worker": worker,
        }
        for r in ready
    ]
    ids = {delivery: attempt for attempt, delivery in conn.execute(_beginning(), rows)}
    by_budget: dict[timedelta, list[int]] = {}
    for r in ready:
        by_budget.setdefault(budget(r.row), []).append(r.row["id"])
    for whole, sending in by_budget.items():
        conn.execute(_sending(), {"ids": sending, "end": now + 3 * whole, "now": now})
    return [_begun(r, ids[r.row["id"]]) for r in ready]


@lru_cache(maxsize=1)
def _beginning() -> Any:
    return insert(attempts).returning(attempts.c.id, attempts.c.delivery_id)


@lru_cache(maxsize=1)
def _sending() -> Any:
    mine = among(deliveries.c.id, "ids")
    values = {"state": S.SENDING, "leased_until": _asked("end"), "changed_at": _asked("now")}
    return update(deliveries).where(mine).values(**values)


def _begun(ready: Ready, attempt: int) -> Begun:
    row = ready.row
    staged = Staged.of(row["staged"]) if row["staged"] else Staged()
    target = Receipt(row["target_remote_id"], row["target_url"]) if row["target_id"] else None
    return Begun(row, attempt, ready.outgoing, staged, target, ready.capabilities)
