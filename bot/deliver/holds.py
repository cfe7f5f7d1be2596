"""停发: a stop on everything, a unit, an account, a source, an item or a post; and its lifting.

A hold locks the row of its scope for update, an attempt locks the same rows for share: once the
hold is committed no attempt begins under it. What fell due while held never goes by itself when the
hold is lifted: a person goes through it.

肃穆模式 is a hold declared ahead, with a start and an end (`declare`). From its start, told by the
clock of whoever asks, it stands like any other; the sweep puts the start on record (`begin_due`),
after which no clock set back can lift it, and lifts it at its end (`expire`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    case,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from bot import audit, people
from bot.db import (
    accounts,
    clock_of,
    deliveries,
    holds,
    insert_id,
    items,
    lock,
    offices,
    posts,
    sources,
    units,
)
from bot.errors import Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import MACHINE, Actor, DeliveryState, HoldScope, PostKind, PostState, Right
from bot.notices import close_notice, open_notice

SOLEMN = (HoldScope.ALL, HoldScope.UNIT)  # what 肃穆模式 is declared for
HELD_SOLEMNLY = Say("肃穆模式期间到点，没有发；请送回审签、改期或取消")
SCOPES: dict[str, Say] = {
    "all": Say("全部账号"),
    "unit": Say("单位"),
    "account": Say("账号"),
    "source": Say("来源"),
    "item": Say("条目"),
    "post": Say("稿件"),
}
_TABLES = {
    HoldScope.ALL: offices,
    HoldScope.UNIT: units,
    HoldScope.ACCOUNT: accounts,
    HoldScope.SOURCE: sources,
    HoldScope.ITEM: items,
    HoldScope.POST: posts,
}
# The widest first: as an attempt locks office, unit, account and post.
_WIDEST = case({scope: n for n, scope in enumerate(_TABLES)}, value=holds.c.scope)
_LOCKED_IN_TURN = _WIDEST, holds.c.id


@dataclass(frozen=True)
class Group:
    """Holds that let the same posts through, as sets: cheap to ask of any delivery."""

    everything: bool = False
    units: frozenset[int] = frozenset()  # with those below them
    accounts: frozenset[int] = frozenset()
    sources: frozenset[int] = frozenset()
    items: frozenset[int] = frozenset()
    posts: frozenset[int] = frozenset()
    passes: frozenset[int] = frozenset()  # posts let through by name

    def stops(self, delivery: RowMapping) -> bool:
        """Asked of a row with post_id, account_id, unit_id, post_unit_id, source_id, item_id."""
        if delivery["post_id"] in self.passes:
            return False
        return (
            self.everything
            or delivery["unit_id"] in self.units
            or delivery["post_unit_id"] in self.units
            or delivery["account_id"] in self.accounts
            or delivery["source_id"] in self.sources
            or delivery["item_id"] in self.items
            or delivery["post_id"] in self.posts
        )

    def clause(self) -> ColumnElement[bool]:
        """The same, in SQL, over deliveries joined with posts and accounts."""
        if self.everything:
            stopped: ColumnElement[bool] = posts.c.id.is_not(None)
        else:
            parts = [
                (accounts.c.unit_id, self.units),
                (posts.c.unit_id, self.units),
                (deliveries.c.account_id, self.accounts),
                (posts.c.source_id, self.sources),
                (posts.c.item_id, self.items),
                (posts.c.id, self.posts),
            ]
            # A missing source or item must not make the whole condition unknown.
            stopped = or_(false(), *(and_(c.is_not(None), c.in_(ids)) for c, ids in parts if ids))
        return and_(stopped, posts.c.id.not_in(self.passes)) if self.passes else stopped


@dataclass(frozen=True)
class Standing:
    """Every hold that stands. What one lets through by name another may still stop."""

    groups: tuple[Group, ...] = ()

    def stops(self, delivery: RowMapping) -> bool:
        return any(group.stops(delivery) for group in self.groups)

    def clause(self) -> ColumnElement[bool]:
        return or_(false(), *(group.clause() for group in self.groups))


def standing(conn: Connection, *, solemn: bool = False) -> Standing:
    """Every hold that stands now; `solemn`: of them those of 肃穆模式.

    A start not on record is held to the clock, looked at here: whoever asks may have waited for locks.
    """
    by_passes: dict[frozenset[int], list[RowMapping]] = {}
    rows = conn.execute(_not_lifted()).mappings().all()
    now = clock_of(conn) if any(row["begun_at"] is None for row in rows) else None
    for row in rows:
        ahead = now is not None and _ahead(row, now)
        if not ahead and (row["solemn"] or not solemn):
            by_passes.setdefault(frozenset(row["passes"] or ()), []).append(row)
    return Standing(tuple(_group(conn, rows, passes) for passes, rows in by_passes.items()))


@lru_cache(maxsize=1)
def _not_lifted() -> Any:
    return select(holds).where(holds.c.lifted_at.is_(None)).order_by(holds.c.id)


def _ahead(row: RowMapping, now: datetime) -> bool:
    """Declared, and its start has not come."""
    return row["begun_at"] is None and row["since"] > now


def _group(conn: Connection, rows: Sequence[Mapping[Any, Any]], passes: frozenset[int]) -> Group:
    targets: dict[str, set[int]] = {scope: set() for scope in HoldScope}
    for row in rows:
        targets[row["scope"]].add(row["target_id"])
    targets[HoldScope.POST] |= _reposts_of(conn, targets[HoldScope.POST])
    return Group(
        everything=bool(targets[HoldScope.ALL]),
        units=frozenset(u for unit in targets[HoldScope.UNIT] for u in people.below(conn, unit)),
        accounts=frozenset(targets[HoldScope.ACCOUNT]),
        sources=frozenset(targets[HoldScope.SOURCE]),
        items=frozenset(targets[HoldScope.ITEM]),
        posts=frozenset(targets[HoldScope.POST]),
        passes=passes,
    )


def _reposts_of(conn: Connection, ids: set[int]) -> set[int]:
    """What reposts these posts: it stops with them."""
    if not ids:
        return set()
    mine = posts.c.kind == PostKind.REPOST, posts.c.about_id.in_(ids)
    return set(conn.execute(select(posts.c.id).where(*mine)).scalars())


def stands(now: datetime) -> ColumnElement[bool]:
    """Begun and not lifted. One whose end has come stands until the sweep lifts it with all it takes."""
    begun = or_(holds.c.begun_at.is_not(None), holds.c.since <= now)
    return and_(holds.c.lifted_at.is_(None), begun)


def ahead(now: datetime) -> ColumnElement[bool]:
    """Declared, its start still to come."""
    return and_(holds.c.lifted_at.is_(None), holds.c.begun_at.is_(None), holds.c.since > now)


# ---------------------------------------------------------------- pressing and lifting


def hold(
    conn: Connection,
    now: datetime,
    actor: Actor,
    scope: HoldScope,
    target: int | None,
    reason: str,
    passes: Sequence[int] = (),
    until: datetime | None = None,
) -> int:
    """Stop, at once. `target` is None for all. Raises Invalid, NotFound, NotAllowed."""
    if until is not None and until <= now:
        raise Invalid("停发的截止时间须在现在之后")
    values = {"since": now, "begun_at": now, "until": until, "passes": list(passes)}
    made = _pressed(conn, actor, scope, target, reason, values)
    audit.write(conn, now, actor, "hold", f"{scope}:{target or ''}", hold=made)
    return made


def declare(
    conn: Connection,
    now: datetime,
    actor: Actor,
    scope: HoldScope,
    target: int | None,
    reason: str,
    begins: datetime | None,
    until: datetime | None,
    passes: Sequence[int] = (),
) -> int:
    """肃穆模式: stop all, or a unit, from `begins` (now where it is past or None) until `until`.

    Raises what `hold` raises.
    """
    begins, until = period(now, scope, begins, until)
    span = {"since": begins, "until": until, "solemn": True, "passes": list(passes)}
    made = _pressed(conn, actor, scope, target, reason, span)
    data = {"hold": made, "begins": begins.isoformat(), "until": until.isoformat()}
    audit.write(conn, now, actor, "hold.declare", f"{scope}:{target or ''}", **data)
    _begin_due(conn, now, holds.c.id == made)
    return made


def period(
    now: datetime, scope: HoldScope, begins: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """A period as it would be declared. Raises Invalid."""
    begins = max(begins or now, now)
    if until is None or until <= begins:
        raise Invalid("请写明肃穆模式到何时为止，须在开始之后")
    if scope not in SOLEMN:
        raise Invalid("肃穆模式须指全部账号，或一个单位")
    return begins, until


def _pressed(
    conn: Connection,
    actor: Actor,
    scope: HoldScope,
    target: int | None,
    reason: str,
    values: Mapping[str, Any],
) -> int:
    if not reason.strip():
        raise Invalid("请写明停发事由")
    if (target is None) != (scope is HoldScope.ALL):
        raise Invalid("停发须指明对象；全部停发不指对象")
    require(conn, actor, scope, target)
    row_id = target if target is not None else 1
    others = _reposts_of(conn, {row_id}) if scope is HoldScope.POST else ()
    lock(conn, _TABLES[scope], [row_id, *others])
    if not conn.execute(select(_TABLES[scope].c.id).where(_TABLES[scope].c.id == row_id)).first():
        raise NotFound("没有{scope} {target}", scope=SCOPES[scope], target=target)
    of = {"scope": scope, "target_id": target, "reason": reason.strip()}
    return insert_id(conn, holds, {**of, **values, "person_id": actor.person})


def let_through(conn: Connection, now: datetime, actor: Actor, hold_id: int, post_id: int) -> None:
    """Let one more post pass a hold by its name. Raises NotFound, NotAllowed."""
    row = _standing_or_ahead(conn, hold_id)
    require(conn, actor, HoldScope(row["scope"]), row["target_id"])
    if not conn.execute(select(posts.c.id).where(posts.c.id == post_id)).first():
        raise NotFound("没有编号 {id} 的稿件", id=post_id)
    lock(conn, holds, [hold_id])
    stored = conn.execute(select(holds.c.passes).where(holds.c.id == hold_id)).scalar()
    passes = sorted({*(stored or ()), post_id})
    conn.execute(update(holds).where(holds.c.id == hold_id).values(passes=passes))
    audit.write(conn, now, actor, "hold.let", f"hold:{hold_id}", post=post_id)


def require(conn: Connection, actor: Actor, scope: HoldScope, target: int | None) -> None:
    """Whoever may stop at the owning unit; for everything, at every unit's root."""
    if actor.person is None:
        return
    units_at = _owners(conn, scope, target)
    for unit in units_at:
        people.require(conn, actor, Right.STOP, unit)
    if not units_at:
        raise NotAllowed("没有可停发的单位")


def _owners(conn: Connection, scope: HoldScope, target: int | None) -> list[int]:
    if scope is HoldScope.ALL:
        return list(conn.execute(select(units.c.id).where(units.c.parent_id.is_(None))).scalars())
    if scope is HoldScope.UNIT:
        return [target] if target is not None else []
    if scope is HoldScope.ITEM:
        query = select(sources.c.unit_id).join(items, items.c.source_id == sources.c.id)
        return list(conn.execute(query.where(items.c.id == target)).scalars())
    table = _TABLES[scope]
    return list(conn.execute(select(table.c.unit_id).where(table.c.id == target)).scalars())


def target_of(conn: Connection, scope: HoldScope, named: str) -> int | None:
    """The row that is meant: a unit, account or source by its key, an item or post by its number."""
    if scope is HoldScope.ALL:
        return None
    if scope in (HoldScope.ITEM, HoldScope.POST):
        found = int(named) if named.isascii() and named.isdigit() and len(named) < 16 else None
    else:
        table = _TABLES[scope]
        found = conn.execute(select(table.c.id).where(table.c.key == named)).scalar()
    if found is None:
        raise NotFound("没有{scope} {target}", scope=SCOPES[scope], target=named)
    return int(found)


def resume(conn: Connection, now: datetime, actor: Actor, hold_id: int) -> int:
    """Lift a hold; give how many deliveries fell due under it and now wait for a person.

    One whose start is still to come is taken back. Raises NotFound, NotAllowed.
    """
    row = _standing_or_ahead(conn, hold_id)
    require(conn, actor, HoldScope(row["scope"]), row["target_id"])
    return _lift(conn, now, actor, row)


def _standing_or_ahead(conn: Connection, hold_id: int) -> RowMapping:
    row = conn.execute(select(holds).where(holds.c.id == hold_id)).mappings().first()
    if row is None or row["lifted_at"] is not None:
        raise NotFound("没有编号 {id} 的停发，或已解除", id=hold_id)
    return row


def begin_due(conn: Connection, now: datetime) -> None:
    """Put the starts that have come on record, and tell of them. They stood from their second on."""
    _begin_due(conn, now, true())


def _begin_due(conn: Connection, now: datetime, which: ColumnElement[bool]) -> None:
    come = select(holds).where(which, stands(now), holds.c.solemn, holds.c.begun_at.is_(None))
    for row in conn.execute(come.order_by(*_LOCKED_IN_TURN)).mappings().all():
        lock(conn, _TABLES[HoldScope(row["scope"])], [row["target_id"] or 1])
        mine = holds.c.id == row["id"], holds.c.begun_at.is_(None), holds.c.lifted_at.is_(None)
        if conn.execute(update(holds).where(*mine).values(begun_at=now)).rowcount:
            audit.write(conn, now, MACHINE, "hold.begin", f"hold:{row['id']}")
            said = Say("肃穆模式：只发点名放行的稿件；事由：{why}", why=row["reason"])
            open_notice(conn, now, f"hold:{row['id']}", said, _unit(row), f"/stop#hold-{row['id']}")


def _unit(row: RowMapping) -> int | None:
    """Whom a hold of 肃穆模式 concerns; None: everybody."""
    return row["target_id"] if row["scope"] == HoldScope.UNIT else None


def expire(conn: Connection, now: datetime) -> None:
    """Lift the holds whose own end has come; what fell due under them waits for a person too."""
    over = select(holds).where(stands(now), holds.c.until <= now)
    for row in conn.execute(over.order_by(*_LOCKED_IN_TURN)).mappings().all():
        _lift(conn, now, MACHINE, row)


def _lift(conn: Connection, now: datetime, actor: Actor, row: RowMapping) -> int:
    scope = HoldScope(row["scope"])
    lock(conn, _TABLES[scope], [row["target_id"] or 1])
    if conn.execute(select(holds.c.lifted_at).where(holds.c.id == row["id"])).scalar():
        return 0  # another was quicker
    early = _ahead(row, now)
    waiting = 0 if early else _fell_due(conn, now, row)
    conn.execute(
        update(holds).where(holds.c.id == row["id"]).values(lifted_at=now, lifted_by=actor.person)
    )
    close_notice(conn, now, f"hold:{row['id']}")
    verb = "hold.withdraw" if early else "resume"
    audit.write(conn, now, actor, verb, f"hold:{row['id']}", waiting=waiting)
    if row["solemn"] and not early:
        _tell_what_waits(conn, now, row)
    return waiting


def _tell_what_waits(conn: Connection, now: datetime, row: RowMapping) -> None:
    if n := left(conn, row["id"]):
        said = Say(
            "肃穆模式已结束，{n} 条到点未发：请逐条送回审签、改期或取消；事由：{why}",
            n=n,
            why=row["reason"],
        )
        link = f"/queue?hold={row['id']}"
        open_notice(conn, now, f"held:{row['id']}", said, _unit(row), link)


def left(conn: Connection, hold_id: int) -> int:
    """How many that fell due under a hold nobody has decided on since."""
    return int(conn.execute(joined(select(func.count())).where(kept(conn, hold_id))).scalar_one())


def kept(conn: Connection, hold_id: int) -> ColumnElement[bool]:
    """These, over `joined`."""
    row = conn.execute(select(holds).where(holds.c.id == hold_id)).mappings().first()
    if row is None:
        return false()
    alone = _group(conn, [row], frozenset(row["passes"] or ()))
    held = deliveries.c.was_held if row["lifted_at"] else true()
    ready = and_(deliveries.c.state == DeliveryState.READY, held)
    missed = and_(deliveries.c.state == DeliveryState.MISSED, deliveries.c.go_at >= row["since"])
    fell_due = true() if row["lifted_at"] is None else deliveries.c.go_at <= row["lifted_at"]
    signed = posts.c.state == PostState.APPROVED  # what was sent back waits at review
    return and_(signed, alone.clause(), or_(ready, missed), fell_due)


def _fell_due(conn: Connection, now: datetime, hold_row: RowMapping) -> int:
    """What this hold stopped and is now past its hour: no burst, a person's turn."""
    ids = _due_under(conn, now, hold_row)
    said = HELD_SOLEMNLY if hold_row["solemn"] else Say("停发期间到点，解除后由人逐条决定是否补发")
    for start in range(0, len(ids), 500):
        conn.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(ids[start : start + 500]))
            .values(
                was_held=True,
                due_at=None,
                lease=None,  # an upload under way ends here
                leased_until=None,
                reason=said.json(),
                changed_at=now,
            )
        )
    return len(ids)


def _due_under(conn: Connection, now: datetime, hold_row: RowMapping) -> list[int]:
    """The unsent deliveries one hold stops whose hour has passed; what waits for a person already
    keeps the reason it has."""
    alone = _group(conn, [hold_row], frozenset(hold_row["passes"] or ()))
    waiting = deliveries.c.was_held.is_(False), deliveries.c.due_at.is_not(None)
    mine = deliveries.c.state == DeliveryState.READY, alone.clause(), deliveries.c.go_at <= now
    return list(conn.execute(joined(select(deliveries.c.id)).where(*mine, *waiting)).scalars())


def would_stop(
    conn: Connection, scope: HoldScope, target: int | None, passes: Sequence[int] = ()
) -> ColumnElement[bool]:
    """Over `joined`: what a hold would stop, were it there."""
    row = {"scope": scope, "target_id": target}
    return _group(conn, [row], frozenset(passes)).clause()


def joined(query: Any) -> Any:
    """Deliveries with their post and account: what `Standing.clause` is asked over."""
    return (
        query.select_from(deliveries)
        .join(posts, posts.c.id == deliveries.c.post_id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
    )


def listing(
    conn: Connection, now: datetime, unit_ids: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """The holds that stand, each with how many unsent deliveries it stops, all or those of some units'
    posts; those declared, with 0."""
    found = conn.execute(_not_lifted()).mappings().all()
    return [{**row, "stops": 0 if _ahead(row, now) else _stops(conn, row, unit_ids),
             "ahead": _ahead(row, now)} for row in found]  # fmt: skip


def _stops(conn: Connection, row: RowMapping, unit_ids: Collection[int] | None) -> int:
    alone = _group(conn, [row], frozenset(row["passes"] or ()))
    stopped = deliveries.c.state == DeliveryState.READY, alone.clause()
    seen = true() if unit_ids is None else deliveries.c.post_unit_id.in_(unit_ids)
    return int(conn.execute(joined(select(func.count())).where(*stopped, seen)).scalar_one())


def declared(conn: Connection, begins: datetime, ends: datetime) -> list[RowMapping]:
    """The periods of 肃穆模式 that touch a span of time, those over too; none that was taken back."""
    over = func.coalesce(holds.c.lifted_at, holds.c.until)
    here = holds.c.solemn, holds.c.since < ends, over > begins, over > holds.c.since
    return list(conn.execute(select(holds).where(*here).order_by(holds.c.since)).mappings())


def silences(conn: Connection, unit_ids: Collection[int]) -> list[RowMapping]:
    """The periods of 肃穆模式, under way or ahead, that stop what one of these units sends."""
    above = {one for unit in unit_ids for one in people.ancestry(conn, unit)}
    whole = or_(holds.c.scope == HoldScope.ALL, holds.c.target_id.in_(above))
    query = select(holds).where(holds.c.solemn, holds.c.lifted_at.is_(None), whole)
    return list(conn.execute(query.order_by(holds.c.since)).mappings())


def on_account(conn: Connection, row: RowMapping) -> list[RowMapping]:
    """The holds that stand and stop all that an account (a row of accounts) sends."""
    above = people.ancestry(conn, row["unit_id"])
    whole = or_(
        holds.c.scope == HoldScope.ALL,
        and_(holds.c.scope == HoldScope.UNIT, holds.c.target_id.in_(above)),
        and_(holds.c.scope == HoldScope.ACCOUNT, holds.c.target_id == row["id"]),
    )
    found = conn.execute(select(holds).where(stands(clock_of(conn)), whole).order_by(holds.c.id))
    return list(found.mappings())


def in_flight(conn: Connection, unit_ids: Collection[int]) -> int:
    """Deliveries of some units' posts whose attempt is open: begun before the switch, they cannot be
    called back."""
    mine = deliveries.c.post_unit_id.in_(unit_ids)
    sending = select(func.count()).where(deliveries.c.state == DeliveryState.SENDING, mine)
    return int(conn.execute(sending).scalar_one())
