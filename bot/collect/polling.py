"""Polling: which watches are due, and the pages of their walks.

A walk goes from page to page. A full one begins at the start and, where the platform listed all
there is, is whole: only that one tells what is missing. Between full walks a walk begins where the
last ended. The page that comes next is in the row, so a kill in the middle goes on from there.
Of one account the watches are read one after another, accounts side by side.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, select, update

from bot import lease
from bot.collect import counting, faults, hearing, pace, sparing
from bot.collect.erasing import erase_taken_back
from bot.collect.intake import Scope, miss, take_in
from bot.collect.log import SILENT
from bot.config import CollectPart
from bot.db import accounts, deliveries, posts, replies, store_away, watches
from bot.errors import AccountBroken, AdapterError, Refused, Unsupported
from bot.language import Say
from bot.model import AccountState, Receipt, ReplyPage, WatchState
from bot.notices import close_notice
from bot.office import Office
from bot.speaking import Adapters, mark_broken

R = TypeVar("R")
log = logging.getLogger("gongkai.collect")
PAGES = 20  # of one watch in one turn
TURN = 20  # seconds; then other watches are let in
HOLD = timedelta(minutes=5)


class Kind(StrEnum):
    """Of a walk."""

    FULL = "full"
    PART = "part"  # a full one of which some page was not all
    SINCE = "since"  # from where the last one ended


@dataclass(frozen=True)
class Walk:
    """A walk under way and the page that comes next."""

    kind: Kind
    began: datetime
    cursor: str | None


class LeaseLost(Exception):
    """Another worker has the watch by now: nothing was written."""


async def collect_due(office: Office, adapters: Adapters, n: int = 50) -> int:
    """Poll up to `n` watches whose time has come; give how many."""
    turn = _Turn(office, adapters)
    now, rows = await turn.store(_claim, office, n)
    of_account = defaultdict(list)
    for row in rows:
        of_account[row["account_id"]].append(row)
    polls = (turn.poll(mine, now) for mine in of_account.values())
    for end in await asyncio.gather(*polls, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end
    return len(rows)


def _claim(office: Office, n: int) -> tuple[datetime, list[RowMapping]]:
    """The due watches of working accounts, each with what polling it asks of its neighbours."""
    usable = select(accounts.c.id).where(accounts.c.state == AccountState.ACTIVE)
    mine = watches.c.state == WatchState.OPEN, watches.c.account_id.in_(usable)
    with office.db.write() as conn:
        now = office.db.now(conn)
        ids = [row["id"] for row in lease.claim(conn, watches, now, n, *mine, hold=HOLD)]
        found = {row["id"]: row for row in conn.execute(_context(ids)).mappings()}
    return now, [found[one] for one in ids]


def _context(ids: Sequence[int]) -> Any:
    return (
        select(
            *watches.c,
            deliveries.c.remote_id,
            deliveries.c.url,
            deliveries.c.post_id,
            posts.c.title,
            posts.c.kind,
            accounts.c.identity,
            accounts.c.key.label("account_key"),
            accounts.c.unit_id,
            accounts.c.name,
            accounts.c.host,
            accounts.c.capabilities["timeout_seconds"].as_integer().label("timeout"),
            accounts.c.capabilities["calls_per_day"].as_integer().label("calls_per_day"),
        )
        .join(accounts, accounts.c.id == watches.c.account_id)
        .outerjoin(deliveries, deliveries.c.id == watches.c.delivery_id)
        .outerjoin(posts, posts.c.id == deliveries.c.post_id)
        .where(watches.c.id.in_(ids))
    )


class _Turn:
    """One turn of collecting: its end, and one transaction at a time."""

    def __init__(self, office: Office, adapters: Adapters) -> None:
        self.office, self.adapters = office, adapters
        self._lock = asyncio.Lock()
        self._ends = time.monotonic() + TURN

    async def store(self, act: Callable[..., R], *args: Any) -> R:
        async with self._lock:
            return await asyncio.to_thread(act, *args)

    @property
    def _late(self) -> bool:
        return time.monotonic() > self._ends

    # ------------------------------------------------------------ the calls

    async def poll(self, rows: Sequence[RowMapping], now: datetime) -> None:
        """The watches of one account; where it must wait, all of them do."""
        for done, row in enumerate(rows):
            wait = now if self._late else await self._one(row, now)
            if wait is not None:
                await self.store(self._put_off, rows[done:], wait)
                return

    async def _one(self, row: RowMapping, now: datetime) -> datetime | None:
        """Until when the whole account must wait, if it must."""
        if at := sparing.first(self.office.config.collect, row, now):
            await self.store(self._put_off, [row], at)
            return None
        try:
            await self._walk(row, _walk_of(self.office.config.collect, row, now))
        except LeaseLost:
            log.warning("watch %s: its lease was lost, nothing written", row["id"])
        except Exception as error:
            if not isinstance(error, AdapterError | TimeoutError):
                log.error("watch %s", row["id"], exc_info=None if store_away(error) else error)
            if not store_away(error):  # else its lease runs out, and it goes on
                return await self.store(self._failed, row, error)
        return None

    async def _walk(self, row: RowMapping, walk: Walk) -> None:
        adapter = await self.adapters.of(row["account_id"])
        receipt = Receipt(row["remote_id"] or "", row["url"]) if row["delivery_id"] else None
        for page in range(1, PAGES + 1):
            async with asyncio.timeout(row["timeout"] or 30):
                read = await adapter.replies(receipt, walk.cursor)
            pause = page == PAGES or self._late
            onward = await self.store(self._take, row, walk, read, pause)
            if onward is None:
                return
            walk = onward

    # ------------------------------------------------------------ a page

    def _take(self, row: RowMapping, walk: Walk, page: ReplyPage, pause: bool) -> Walk | None:
        """Take a page in and keep where the walk stands; what comes next, None to leave it there.

        Raises LeaseLost.
        """
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            _still_ours(conn, row, now)
            scope = Scope(row["account_id"], row["identity"], row["remote_id"] or "")
            new = take_in(conn, now, scope, page.replies)
            erase_taken_back(self.office, conn, now, scope, page.replies)
            counting.keep(conn, now, row["delivery_id"], page)
            values = _seen(now, page) | {"seen": watches.c.seen + new}
            if new:
                values["lively_at"] = now
            kind = Kind.PART if walk.kind is Kind.FULL and page.why_partial else walk.kind
            if page.cursor is None or page.cursor == walk.cursor:
                self._end(conn, now, row, Walk(kind, walk.began, walk.cursor), page, values)
                return None
            onward = Walk(kind, walk.began, page.cursor)
            values |= _kept(onward)
            if pause:
                lease.settle(conn, watches, row, now, **values)
                return None
            conn.execute(update(watches).where(_mine(row)).values(**values))
            return onward

    def _end(
        self,
        conn: Connection,
        now: datetime,
        row: RowMapping,
        walk: Walk,
        page: ReplyPage,
        values: dict[str, Any],
    ) -> None:
        """The walk is over: what it missed, when the next one begins, or that it was the last."""
        values |= {"cursor": None, "walk": "", "resume": page.resume}
        if walk.kind is Kind.FULL and page.complete and page.cursor is None:
            miss(conn, now, _home(row), walk.began)
            values |= {"walked_at": now, "walks": watches.c.walks + 1, "partial": ""}
        elif walk.kind is Kind.FULL:
            values["partial"] = str(Say("平台没有列全"))
        if walk.kind is not Kind.SINCE:
            values["walk_began"] = walk.began
        config = self.office.config.collect
        due: datetime | None = hearing.asked(
            conn, now, row["id"], row["due_at"], self._next(conn, now, row, values)
        )
        if walk.kind is not Kind.SINCE and _over(config, row, walk.began):
            values["state"], due = WatchState.CLOSED, None
        lease.settle(conn, watches, row, due, **values)
        close_notice(conn, now, f"watch:{row['id']}", f"collect:{row['account_id']}")

    def _next(
        self, conn: Connection, now: datetime, row: RowMapping, values: dict[str, Any]
    ) -> datetime:
        """When it is read next; a last time when its days are over."""
        config = self.office.config
        part = config.accounts.get(row["account_key"])
        lively = values.get("lively_at") or self._lively(conn, row)
        spare = sparing.every(config.collect, row, now)
        wished = spare or pace.wish(config.collect, row, lively, now)
        values["pace"] = max(1, int(wished.total_seconds()))
        at = now + pace.within(conn, row, wished, part.reads_per_hour if part else 0)
        end = pace.ends(config.collect, row)
        return at if end is None or now >= end else min(at, end)

    def _lively(self, conn: Connection, row: RowMapping) -> datetime | None:
        """Kept by an earlier page of this walk, or by an earlier walk."""
        query = select(watches.c.lively_at).where(watches.c.id == row["id"])
        return conn.execute(query).scalar()

    # ------------------------------------------------------------ what went wrong

    def _failed(self, row: RowMapping, error: Exception) -> datetime | None:
        """Note it and look again later; until when the whole account must wait, if it must."""
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            _still_ours(conn, row, now)
            count = select(watches.c.failures).where(watches.c.id == row["id"])
            failures = conn.execute(count).scalar_one() + 1
            at, said = now + faults.wait(error, failures), faults.said(error, row)
            values = {"failures": failures, "error": said.json(), "polled_at": now}
            if isinstance(error, Refused):  # perhaps the cursor: begin anew
                values |= {"cursor": None, "walk": ""}
            over = _over(self.office.config.collect, row, now) and failures >= SILENT
            if over or isinstance(error, Unsupported):
                lease.settle(conn, watches, row, None, state=WatchState.CLOSED, **values)
                return None
            lease.settle(conn, watches, row, at, **values)
            if isinstance(error, AccountBroken):
                mark_broken(conn, now, row["account_id"], said)
                return now
            if failures >= SILENT:
                faults.tell(conn, now, row, failures, said)
            return faults.spread(conn, row, error, at)

    def _put_off(self, rows: Sequence[RowMapping], until: datetime) -> None:
        with self.office.db.write() as conn:
            for row in rows:
                lease.settle(conn, watches, row, max(row["due_at"], until), tries=row["tries"])


# ---------------------------------------------------------------- a watch's row


def _mine(row: RowMapping) -> ColumnElement[bool]:
    return and_(watches.c.id == row["id"], watches.c.lease == row["lease"])


def _still_ours(conn: Connection, row: RowMapping, now: datetime) -> None:
    """Raises LeaseLost; holds the watch for longer."""
    held = update(watches).where(_mine(row)).values(leased_until=now + HOLD)
    if conn.execute(held).rowcount != 1:
        raise LeaseLost


def _seen(now: datetime, page: ReplyPage) -> dict[str, Any]:
    values: dict[str, Any] = {"polled_at": now, "ok_at": now, "failures": 0, "error": None}
    if page.total is not None:
        values["total"] = page.total
    if page.why_partial:
        values["partial"] = page.why_partial
    return values


def _kept(walk: Walk) -> dict[str, Any]:
    began = {} if walk.kind is Kind.SINCE else {"walk_began": walk.began}
    return {"cursor": walk.cursor, "walk": walk.kind, **began}


def _home(row: RowMapping) -> ColumnElement[bool]:
    """The replies that a whole walk of this watch must list."""
    if row["delivery_id"] is not None:
        return and_(replies.c.delivery_id == row["delivery_id"])
    return and_(replies.c.account_id == row["account_id"], replies.c.delivery_id.is_(None))


# ---------------------------------------------------------------- when


def _walk_of(config: CollectPart, row: RowMapping, now: datetime) -> Walk:
    """The walk under way goes on; else a full one where it is time for it, else from the last end."""
    began = row["walk_began"]
    if row["cursor"] is not None:
        return Walk(Kind(row["walk"]), began or now, row["cursor"])
    fresh = row["resume"] is not None and began is not None and now < began + config.full_every
    if fresh and not _over(config, row, now):
        return Walk(Kind.SINCE, now, row["resume"])
    return Walk(Kind.FULL, now, None)


def _over(config: CollectPart, row: RowMapping, at: datetime) -> bool:
    """Is a watch under a delivery past its days?"""
    end = pace.ends(config, row)
    return end is not None and at >= end
