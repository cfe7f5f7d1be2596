"""The transactions of sending. Promises 1, 2, 4 and 6 of the design are kept here.

take     claim what may start now and, in the same transaction, begin its attempts: sign-off, window,
         digest, identity and holds are checked again under the locks that holds and edits take
settle   write what the calls brought, only where the lease still stands
sweep    what no claim finds: too late → missed; worker lost → uncertain; by-hand past its time

Nothing here calls a platform, nothing spans a call.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
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
    approvals,
    attempts,
    deliveries,
    hosts,
    insert_missing,
    items,
    lock,
    offices,
    one_writer,
    posts,
    renditions,
    revisions,
    sources,
    units,
    workers,
)
from bot.deliver import holds
from bot.errors import GongkaiError
from bot.language import Say
from bot.model import (
    MACHINE,
    PREVIOUS_PART,
    AccountState,
    Act,
    Capabilities,
    DeliveryState,
    Outcome,
    Outgoing,
    PostState,
    Receipt,
    Staged,
    digest_of,
)
from bot.notices import close_notice, open_notices
from bot.speaking import mark_broken

S = DeliveryState
CLOCK_SLACK = timedelta(seconds=5)
STAGING = timedelta(seconds=90)  # the lease of uploads: three times an adapter's usual budget


class ClockBehind(GongkaiError):
    """The clock is behind the last attempt on record: nothing is sent."""


@dataclass(frozen=True)
class Begun:
    """A delivery with its attempt committed: it may, and must, be called now."""

    row: RowMapping
    attempt: int
    outgoing: Outgoing
    staged: Staged
    target: Receipt | None  # what is edited or withdrawn
    capabilities: Capabilities
    at: tuple[float, float] = field(default_factory=lambda: (time.monotonic(), time.time()))

    @property
    def waited(self) -> float:
        """Seconds since it was begun, by whichever clock went further (a process may be stopped)."""
        return max(time.monotonic() - self.at[0], time.time() - self.at[1])


@dataclass(frozen=True)
class Ready:
    """A delivery that was claimed and must be staged first."""

    row: RowMapping
    outgoing: Outgoing
    capabilities: Capabilities


# ---------------------------------------------------------------- take


def take(conn: Connection, now: datetime, n: int, worker: str) -> tuple[list[Ready], list[Begun]]:
    """Claim up to `n` deliveries, at most one an account; begin those that need no staging.

    Raises ClockBehind.
    """
    check_clock(conn, now)
    checked = _startable(conn, now, n)
    to_stage = [r for r in checked if needs_staging(r.row, now)]
    go = [r for r in checked if not needs_staging(r.row, now)]
    return to_stage, _begin(conn, now, go, worker)


def needs_staging(row: RowMapping, now: datetime) -> bool:
    """Has it uploads that were not made yet, or that the platform has forgotten since?"""
    if not row["payload"]["media"]:
        return False
    if row["staged"] is None:
        return True
    until = Staged.of(row["staged"]).until
    return until is not None and until <= now


def _startable(conn: Connection, now: datetime, n: int) -> list[Ready]:
    """Claimed and checked. What fails its check is out of the way of the next of its account."""
    for _ in range(100):
        rows = _claim(conn, now, n)
        checked = _checked(conn, now, rows)
        if checked or not rows:
            return checked
    return []


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


def check_clock(conn: Connection, now: datetime) -> None:
    """A clock set back would send too early, or twice by mistake: stop instead."""
    begun = select(attempts.c.begun_at).order_by(attempts.c.begun_at.desc()).limit(1)
    alive = select(func.max(workers.c.beat_at)).where(workers.c.stopped_at.is_(None))
    known = [conn.execute(query).scalar() for query in (begun, alive)]
    last = max((at for at in known if at), default=None)
    if last and now < last - CLOCK_SLACK:
        raise ClockBehind(
            "时钟落后：现在 {now}，而上次记到 {last}；校准时钟后自动恢复",
            now=f"{now:%F %T}Z",
            last=f"{last:%F %T}Z",
        )


def _claim(conn: Connection, now: datetime, n: int) -> list[RowMapping]:
    """The first delivery that may start now of each idle account whose pace is open.

    What was picked is asked again as it is claimed: on PostgreSQL the picking may have seen an older
    picture than the locks it then got.
    """
    picked = conn.execute(_pick(holds.standing(conn)), {"now": now, "n": n}).all()
    if not picked:
        return []
    ids = [delivery for _, delivery in picked]
    _lock_scopes(conn, ids)
    taken = conn.execute(
        update(deliveries)
        .where(
            deliveries.c.id.in_(ids),
            deliveries.c.state == S.READY,
            lease.free(deliveries, now),
            deliveries.c.account_id.not_in(_busy(now)),
        )
        .values(lease=lease.token(), leased_until=now + STAGING)
        .returning(deliveries.c.id, deliveries.c.lease, deliveries.c.due_at)
    )
    return sorted(taken.mappings().all(), key=lambda row: (row["due_at"], row["id"]))


@lru_cache(maxsize=8)  # putting the statement together costs more than running it
def _pick(standing: holds.Standing) -> Any:
    """Of each idle account, its earliest delivery that nothing stands in the way of.

    Asked with `now` and `n`. The account's row is locked on PostgreSQL, so no two workers pick of it.
    """
    now = bindparam("now", type_=Instant())
    # Emergencies first; asked apart so that each is read off an index in its order.
    urgent, usual = (_first_of_account(now, standing, emergency=e) for e in (True, False))
    first = func.coalesce(urgent, usual)
    idle = or_(accounts.c.free_at.is_(None), accounts.c.free_at <= now)
    waiting = select(hosts.c.host).where(hosts.c.host == accounts.c.host, hosts.c.free_at > now)
    return (
        select(accounts.c.id, first.label("delivery"))
        .where(
            accounts.c.state == AccountState.ACTIVE,
            idle,
            accounts.c.id.not_in(_busy(now)),
            ~waiting.exists(),
            first.is_not(None),
        )
        .limit(bindparam("n", type_=Integer()))
        .with_for_update(skip_locked=True, of=accounts)
    )


def _busy(now: Any) -> Any:
    """Accounts with a call of ours under way: a sending until it is settled or swept, a staging."""
    flying = deliveries.alias("flying")
    staging = and_(flying.c.state == S.READY, flying.c.leased_until > now)
    return select(flying.c.account_id).where(
        flying.c.leased_until.is_not(None), or_(flying.c.state == S.SENDING, staging)
    )


def _first_of_account(now: Any, standing: holds.Standing, *, emergency: bool) -> Any:
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
            lease.free(deliveries, now),
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


def _keep_waiting(conn: Connection, at: Mapping[int, datetime]) -> None:
    """Nothing goes on these accounts before; a longer wait that stands already is kept."""
    if at:
        mine = update(accounts).where(
            accounts.c.id == bindparam("account"),
            or_(accounts.c.free_at.is_(None), accounts.c.free_at < bindparam("at")),
        )
        rows = [{"account": a, "at": t} for a, t in sorted(at.items())]
        conn.execute(mine.values(free_at=bindparam("at")), rows)


# ---------------------------------------------------------------- begin


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
        stop = _stands_in_the_way(row, now, standing)
        if stop is None:
            good.append(Ready(row, outgoing_of(row), Capabilities.of(row["capabilities"])))
        else:
            _let_go(conn, now, row, stop)
    return good


def outgoing_of(row: RowMapping) -> Outgoing:
    """What is sent: the signed payload, a later part of a thread hung under the one before it."""
    outgoing = Outgoing.of(row["payload"])
    if outgoing.in_reply_to == PREVIOUS_PART:
        return replace(outgoing, in_reply_to=row["before_remote_id"] or "")
    return outgoing


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
            posts.c.unit_id.label("post_unit_id"),
            posts.c.source_id,
            posts.c.item_id,
        )
    ).where(deliveries.c.id.in_(bindparam("ids", expanding=True)))


def context(conn: Connection, ids: list[int]) -> dict[int, RowMapping]:
    """Everything the checks and the calls ask of a delivery, in one row each, by id."""
    return {row["id"]: row for row in conn.execute(_context(), {"ids": ids}).mappings()}


@lru_cache(maxsize=1)
def _context() -> Any:
    target, before = deliveries.alias("target"), deliveries.alias("before")
    return (
        select(
            *deliveries.c,
            accounts.c.unit_id,
            accounts.c.adapter,
            accounts.c.options,
            accounts.c.credential,
            accounts.c.state.label("account_state"),
            accounts.c.identity.label("account_identity"),
            accounts.c.capabilities,
            accounts.c.gap_ms,
            accounts.c.host,
            posts.c.unit_id.label("post_unit_id"),
            posts.c.source_id,
            posts.c.item_id,
            posts.c.state.label("post_state"),
            posts.c.revision_id.label("current_revision"),
            posts.c.title,
            revisions.c.digest.label("revision_digest"),
            revisions.c.manifest,
            renditions.c.payload,
            renditions.c.digest.label("rendition_digest"),
            renditions.c.identity,
            approvals.c.digest.label("signed_digest"),
            approvals.c.begins,
            approvals.c.ends,
            approvals.c.voided_at,
            approvals.c.voided,
            target.c.remote_id.label("target_remote_id"),
            target.c.url.label("target_url"),
            before.c.remote_id.label("before_remote_id"),
        )
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .join(posts, posts.c.id == deliveries.c.post_id)
        .join(revisions, revisions.c.id == deliveries.c.revision_id)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .outerjoin(approvals, approvals.c.revision_id == deliveries.c.revision_id)
        .outerjoin(target, target.c.id == deliveries.c.target_id)
        .outerjoin(before, before.c.id == deliveries.c.after_id)
        .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    )


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
    if stop.tell and stop.why is not None:
        tell(conn, now, [(row, stop.why)])


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
    made = conn.execute(insert(attempts).returning(attempts.c.id, attempts.c.delivery_id), rows)
    ids = {delivery: attempt for attempt, delivery in made}
    conn.execute(
        update(deliveries)
        .where(deliveries.c.id == bindparam("row"))
        .values(state=S.SENDING, leased_until=bindparam("until"), changed_at=now),
        [
            {
                "row": r.row["id"],
                "until": now + 3 * _budget(r.row),
            }
            for r in ready
        ],
    )
    return [_begun(r, ids[r.row["id"]]) for r in ready]


def _begun(ready: Ready, attempt: int) -> Begun:
    row = ready.row
    staged = Staged.of(row["staged"]) if row["staged"] else Staged()
    target = Receipt(row["target_remote_id"], row["target_url"]) if row["target_id"] else None
    return Begun(row, attempt, ready.outgoing, staged, target, ready.capabilities)


# ---------------------------------------------------------------- settle


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
    rows = conn.execute(
        select(deliveries.c.id, deliveries.c.lease)
        .where(deliveries.c.id.in_(list(held)))
        .order_by(deliveries.c.id)
        .with_for_update()
    )
    return {row for row, token in rows if token is not None and token == held[row]}


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
    rows = conn.execute(
        select(deliveries.c.account_id, deliveries.c.remote_id, deliveries.c.id).where(
            deliveries.c.account_id.in_({account for account, _ in claims}),
            deliveries.c.remote_id.in_({remote for _, remote in claims}),
            deliveries.c.act == Act.PUBLISH,
        )
    )
    return {(account, remote): holder for account, remote, holder in rows if remote}


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
            "outcome_is": s.outcome,
            "remote": s.receipt.remote_id if s.receipt else None,
            "sentence": s.said.json() if s.said else None,
            "words": (s.receipt.raw if s.receipt else s.raw)[:1000] or None,
        }
        for s in done
        if s.attempt is not None and not s.keep_attempt_open
    ]
    if rows:
        conn.execute(
            update(attempts)
            .where(attempts.c.id == bindparam("attempt"))
            .values(
                ended_at=now,
                outcome=bindparam("outcome_is"),
                remote_id=bindparam("remote"),
                said=bindparam("sentence"),
                raw=func.coalesce(bindparam("words"), attempts.c.raw),  # a look-up adds none
            ),
            rows,
        )


def _after_effects(conn: Connection, now: datetime, done: Sequence[Settled]) -> None:
    """Watches, the trail, notices, broken accounts, hosts that must be left alone."""
    from bot.deliver.watching import open_watches

    open_watches(conn, now, [s.row for s in done if s.watch and s.state is S.SENT])
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


def leave_to_person(conn: Connection, now: datetime, row: RowMapping, why: Say) -> None:
    """The machine gives up on it: the reason stands on the row and in a notice."""
    reason = {"reason": why.json(), "changed_at": now}
    conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(**reason))
    tell(conn, now, [(row, why)])


def tell(conn: Connection, now: datetime, said: Sequence[tuple[RowMapping, Say]]) -> None:
    open_notices(
        conn,
        [(now, f"delivery:{row['id']}", why, None, f"/queue/{row['id']}") for row, why in said],
    )


# ---------------------------------------------------------------- sweep


def sweep(conn: Connection, now: datetime, first_look: timedelta, outage: timedelta) -> None:
    """What no claim finds. `first_look`: how long a request cut off may still be in the making.

    `outage`: how long nobody may have worked before what is overdue waits for a person.
    """
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
    late = and_(
        deliveries.c.state == S.READY,
        deliveries.c.latest_at < now,
        or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until <= now),
    )
    why = Say("已过最迟时限，未发；按“宁可不发”处理")
    rows = _become(conn, now, late, S.MISSED, due_at=None, reason=why.json())
    tell(conn, now, [(row, why) for row in rows])
    audit.write_many(
        conn,
        [audit.entry(now, MACHINE, "delivery.missed", f"delivery:{row['id']}") for row in rows],
    )


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
        due = now + max(first_look, timedelta(seconds=row["capabilities"]["listing_lag_seconds"]))
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


# ---------------------------------------------------------------- looking up


def take_lookups(
    conn: Connection, now: datetime, n: int, state: DeliveryState
) -> list[tuple[RowMapping, datetime, frozenset[str]]]:
    """Claim deliveries whose outcome (uncertain) or visibility (sent) is to be looked up.

    Each with since when it may stand and the account's remote ids already taken. An account or a
    host that was asked to wait is not asked either.
    """
    waiting = select(hosts.c.host).where(hosts.c.host == accounts.c.host, hosts.c.free_at > now)
    usable = select(accounts.c.id).where(
        accounts.c.state == AccountState.ACTIVE,
        or_(accounts.c.free_at.is_(None), accounts.c.free_at <= now),
        ~waiting.exists(),
    )
    mine = deliveries.c.state == state, deliveries.c.account_id.in_(usable)
    rows = lease.claim(conn, deliveries, now, n, *mine)
    found = context(conn, [row["id"] for row in rows]) if rows else {}
    _hold_for_the_call(conn, now, list(found.values()))
    return [_lookup(conn, found[row["id"]]) for row in rows]


def _hold_for_the_call(conn: Connection, now: datetime, rows: Sequence[RowMapping]) -> None:
    """A lease lasts three times what its call may take, so that a dead worker's soon ends."""
    if rows:
        mine = update(deliveries).where(deliveries.c.id == bindparam("row"))
        conn.execute(
            mine.values(leased_until=bindparam("until")),
            [{"row": row["id"], "until": now + 3 * _budget(row)} for row in rows],
        )


def _budget(row: RowMapping) -> timedelta:
    """The whole of one call."""
    return timedelta(seconds=row["capabilities"]["timeout_seconds"])


def _lookup(conn: Connection, row: RowMapping) -> tuple[RowMapping, datetime, frozenset[str]]:
    began = _may_have_gone(conn, row)
    if row["state"] == S.SENT:  # its own receipt is known; nothing is searched
        return row, began, frozenset()
    taken = conn.execute(
        select(deliveries.c.remote_id).where(
            deliveries.c.account_id == row["account_id"],
            deliveries.c.remote_id.is_not(None),
            deliveries.c.act == Act.PUBLISH,
            deliveries.c.sent_at >= began - timedelta(days=1),
        )
    ).scalars()
    return row, began, frozenset(taken)


def _may_have_gone(conn: Connection, row: RowMapping) -> datetime:
    """Since when it may stand: its first attempt that can have arrived, else when it was due."""
    nothing_taken = (Outcome.LATER, Outcome.REFUSED, Outcome.BROKEN)
    first: datetime | None = conn.execute(
        select(func.min(attempts.c.begun_at)).where(
            attempts.c.delivery_id == row["id"], attempts.c.outcome.not_in(nothing_taken)
        )
    ).scalar()
    due: datetime = row["go_at"]
    return first or due


def last_attempt(conn: Connection, delivery_id: int) -> int | None:
    """The id of a delivery's newest attempt."""
    newest = select(func.max(attempts.c.id)).where(attempts.c.delivery_id == delivery_id)
    return conn.execute(newest).scalar()
