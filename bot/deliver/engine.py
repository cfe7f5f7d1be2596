"""The calls between the transactions, side by side: one coroutine a delivery, one thread for the store.

`start_due` is one turn, a transaction: results written, what may start begun. `step` does everything
that is due now and ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot import lease
from bot.adapters.base import Adapter
from bot.db import EPOCH, deliveries, store_away
from bot.deliver import ledger, looking, outcomes, settling, sweeping, taking
from bot.deliver.ledger import Begun, Ready
from bot.deliver.settling import Settled
from bot.errors import (
    AdapterError,
    GongkaiError,
    Invalid,
    Later,
    NotFound,
    Refused,
)
from bot.language import Say
from bot.model import (
    Act,
    DeliveryState,
    Looked,
    Receipt,
    Staged,
    Task,
    Visible,
)
from bot.office import Office
from bot.speaking import Adapters

S = DeliveryState
R = TypeVar("R")
log = logging.getLogger("gongkai.deliver")
SWEEP = timedelta(milliseconds=500)  # while busy; idle turns always look
VIEWS = 10
MOST = 500  # results, or deliveries armed, in one transaction: it must not hold others up
GATHER = (0.005, 0.025)  # seconds results are let gather while calls are under way
SOON = timedelta(milliseconds=50)  # armed deliveries due within this go before all else,
SELDOM = 1.0  # seconds; and others are looked for less often
PATIENCE = 1.0  # seconds; results wait no longer for them
SETTLING = (0.1, 0.3, 1, 3, 5, 10, 10, 10)  # seconds between tries to write results at the end


Part = Callable[[], AbstractContextManager[Connection]]


@dataclass
class Turn:
    """What a turn's transactions gave: how many results they wrote, and what is to be called now."""

    armed: list[Ready]  # by their second
    now: datetime = EPOCH
    written: int = 0
    begun: list[Begun] = field(default_factory=list)
    ready: list[Ready] = field(default_factory=list)  # to upload for
    looks: list[Any] = field(default_factory=list)
    views: list[Any] = field(default_factory=list)
    more: bool = False  # to be armed

    @property
    def alarm(self) -> float | None:
        """Seconds until the next armed second; one that is past waits for room, which wakes too."""
        coming = (_second(r) for r in self.armed if _second(r) > self.now)
        at = min(coming, default=None)
        return None if at is None else (at - self.now).total_seconds()


class Engine:
    """Sends. Any number of these may run on PostgreSQL, one on SQLite.

    Its turns are transactions in one thread: results written, what may start now begun. `ahead`: how
    long before its second a delivery is claimed and checked, so that then only its attempt is left
    to commit; 0 for turns that end when nothing is due.
    """

    def __init__(self, office: Office, worker: str, ahead: timedelta = timedelta(0)) -> None:
        self.office, self.worker, self.ahead = office, worker, ahead
        self.adapters = Adapters(office)
        self.wake = asyncio.Event()
        self._looks = office.config.deliver.looks
        self._store = ThreadPoolExecutor(1, "gongkai-store")
        self._running: set[asyncio.Task[None]] = set()
        self._results: list[Settled] = []
        self._oldest = 0.0  # since when the first of them waits
        self._armed: list[Ready] = []  # by their second
        self._swept, self._taken = EPOCH, 0.0
        self._ours_behind = timedelta(0)  # this machine's clock, behind the store's
        self._alarm: asyncio.TimerHandle | None = None
        self._last_turn = 0.0

    async def aclose(self) -> None:
        """Lets calls under way end, writes what they brought, then closes the clients."""
        if self._armed:
            await self._in_store(self._disarm)
        while self._running or self._results:
            if self._running:
                await asyncio.wait(self._running)
            for wait in SETTLING:
                try:
                    await self._in_store(self._settle, self._results)
                    break
                except DBAPIError as error:
                    log.warning("results wait for the store: %s", type(error).__name__)
                    await asyncio.sleep(wait)
            self._results = []
        await self.adapters.aclose()
        self._store.shutdown()

    # ------------------------------------------------------------ the loop

    async def step(self) -> int:
        """Start everything that may start now and see it through; give how many were started."""
        done = 0
        while (started := await self.start_due()) or self._running or self._results:
            done += started
            self.wake.clear()
            if not started and not self._results:
                await self.wake.wait()
        return done

    async def start_due(self) -> int:
        """One turn: start what may start now, as far as there is room; give how many."""
        await self._gather()
        done = self._results[:MOST]
        room = self.office.config.deliver.concurrency - len(self._running)
        began = time.monotonic()
        turn = await self._in_store(self._turn, done, room)
        self._last_turn = time.monotonic() - began
        self._written(turn.written)
        self._set_alarm(turn.alarm)
        if turn.more or (turn.written and self._results):
            self.wake.set()
        jobs = self._jobs(turn)
        for job in jobs:
            task = asyncio.create_task(job)
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(jobs)

    def _written(self, n: int) -> None:
        if n:
            self._results, self._oldest = self._results[n:], time.monotonic()

    def _set_alarm(self, seconds: float | None) -> None:
        """Wake for the next armed delivery, to the moment."""
        if self._alarm is not None:
            self._alarm.cancel()
        at = asyncio.get_running_loop()
        self._alarm = None if seconds is None else at.call_later(max(0.0, seconds), self.wake.set)

    async def _gather(self) -> None:
        """While calls are under way their results are let gather, so that turns stay few."""
        if self._running:
            await asyncio.sleep(min(max(self._last_turn * 3, GATHER[0]), GATHER[1]))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery task failed: %s", type(error).__name__, exc_info=error)

    async def _in_store(self, act: Callable[..., R], *args: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._store, act, *args)

    def _brought(self, settled: Settled) -> None:
        """To be written with the next turn. Until then its lease stands: nobody repeats it."""
        if not self._results:
            self._oldest = time.monotonic()
        self._results.append(settled)
        self.wake.set()

    # ------------------------------------------------------------ a turn

    def _turn(self, done: Sequence[Settled], room: int) -> Turn:
        """A fault in one result, or in taking, keeps no other result from being written."""
        try:
            return self._together(done, room)
        except Exception as error:
            if not done or (
                isinstance(error, DBAPIError) and not isinstance(error, IntegrityError)
            ):
                raise
        self._settle(done)
        return Turn(written=len(done), armed=self._armed)

    def _together(self, done: Sequence[Settled], room: int) -> Turn:
        """Results written, what is due begun, what is due soon armed. What was committed is kept."""
        turn = Turn(armed=self._armed)
        try:
            with self.office.db.parts() as part:
                self._parts(part, turn, done, room)
        except Exception as error:
            if self.office.db.one_writer or not (turn.written or turn.begun or turn.ready):
                raise
            log.warning("the rest of a turn waits for the next: %s", type(error).__name__)
        self._armed = sorted(turn.armed, key=_second)
        return turn

    def _parts(self, part: Part, turn: Turn, done: Sequence[Settled], room: int) -> None:
        with part() as conn:
            now = turn.now = self.office.db.now(conn)
            self._ours_behind = now - self.office.db.clock.now()
            pressed = bool(self._armed) and _second(self._armed[0]) <= now + SOON
            if pressed and time.monotonic() - self._oldest < PATIENCE:
                done = ()  # what is due goes first
            if done:
                settling.settle(conn, now, done)
        turn.written = len(done)
        due = min(bisect_right(self._armed, now, key=_second), max(room, 0))
        with part() as conn:
            begun = taking.begin_armed(conn, now, self._armed[:due], self.worker)
        turn.begun, turn.armed = begun, self._armed[due:]
        if not pressed or time.monotonic() - self._taken > SELDOM:
            self._take(part, turn, room - due)
        with part() as conn:
            looks, views = self._lookups(conn, now, room, bool(turn.begun))
        turn.looks, turn.views = looks, views

    def _take(self, part: Part, turn: Turn, room: int) -> None:
        """What is due; and only when nothing more is, what is due soon.

        At most half of what may run at once, so that the calls of one half go on while the store
        sees to the other.
        """
        n = min(room, (self.office.config.deliver.concurrency + 1) // 2)
        self._taken = time.monotonic()
        with part() as conn:
            ready, begun = taking.take(conn, turn.now, n, self.worker) if n > 0 else ([], [])
        turn.ready, turn.begun = ready, turn.begun + begun
        if not self.ahead or len(ready) + len(begun) >= n:
            return
        with part() as conn:
            soon = taking.arm(conn, turn.now, MOST, turn.now + self.ahead)
        self.adapters.prepare([r.row for r in soon])
        turn.more = len(soon) == MOST
        turn.ready += [r for r in soon if taking.needs_staging(r.row, turn.now)]
        turn.armed = turn.armed + [r for r in soon if not taking.needs_staging(r.row, turn.now)]

    def _lookups(
        self, conn: Connection, now: datetime, room: int, begun: bool
    ) -> tuple[list[Any], list[Any]]:
        """Sweep now and then; what is to be looked up, and what to be read back."""
        looks: list[Any] = []
        views: list[Any] = []
        at_it = abs(now - self._swept) >= SWEEP
        if at_it:
            self._swept = now
            sweeping.sweep(conn, now, self._looks[0], self.office.config.deliver.outage)
        if (at_it or not begun) and room > 0:
            looks = looking.take_lookups(conn, now, room, S.UNCERTAIN)
        if not begun and len(self._running) < VIEWS:  # reading back never delays a sending
            views = looking.take_lookups(conn, now, VIEWS, S.SENT)
        return looks, views

    def _jobs(self, turn: Turn) -> list[Coroutine[Any, Any, None]]:
        return [
            *(self._guarded(self._send(b), b) for b in turn.begun),
            *(self._guarded(self._stage(r), r) for r in turn.ready),
            *(self._guarded(self._look(*one), one[0]) for one in turn.looks),
            *(self._guarded(self._view(row), row) for row, _, _ in turn.views),
        ]

    def _settle(self, done: Sequence[Settled]) -> None:
        """Each by itself: one that cannot be written stays open, and is looked up."""
        for one in done:
            try:
                with self.office.db.write() as conn:
                    kept = settling.settle_one(conn, self.office.db.now(conn), one)
                if not kept:
                    log.warning("delivery %s: its lease was lost, nothing written", one.row["id"])
            except Exception as error:
                if store_away(error):
                    raise
                log.exception("result of delivery %s", one.row["id"])

    def _disarm(self) -> None:
        with self.office.db.write() as conn:
            taking.disarm(conn, self._armed)
        self._armed = []

    async def _guarded(
        self, job: Coroutine[Any, Any, None], about: Begun | Ready | RowMapping
    ) -> None:
        """A fault of ours in one row never blocks its neighbours, and never repeats a send."""
        try:
            await job
        except Exception as error:
            row = about.row if isinstance(about, Begun | Ready) else about
            log.error("delivery %s", row["id"], exc_info=None if store_away(error) else error)
            if not store_away(error):
                await self._in_store(self._postpone, row, isinstance(about, Begun))

    def _postpone(self, row: RowMapping, was_begun: bool) -> None:
        if was_begun:
            return  # its attempt stays open: the lease runs out and it is looked up
        limit = self.office.config.deliver.tries
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            again = lease.postpone(conn, deliveries, row, now, limit)
            if not again and row["tries"] + 1 >= limit:
                said = Say("系统内部出错 {n} 次，已停下，请管理员查看日志", n=limit)
                ledger.leave_to_person(conn, now, row, said)

    # ------------------------------------------------------------ sending

    async def _send(self, begun: Begun) -> None:
        """The one outward change, then what it brought."""
        try:
            adapter = await self.adapters.speaking(begun.row["account_id"], begun.row)
        except (GongkaiError, ValueError, KeyError) as error:  # its secret, options, adapter
            settled = outcomes.broken(begun.row, begun.attempt, error)
        except Exception as error:
            log.exception("adapter of delivery %s", begun.row["id"])
            said = Say(
                "系统一时打不开账号（{kind}），没有发出，稍后再发", kind=type(error).__name__
            )
            at = self.now() + outcomes.backoff(begun.row["waits"])
            settled = outcomes.later(begun, Later(said, scope="delivery"), at)
        else:
            settled = await self._called(adapter, begun)
        self._brought(settled)

    async def _called(self, adapter: Adapter, begun: Begun) -> Settled:
        timeout = begun.capabilities.timeout_seconds
        if begun.capabilities.media_inline and begun.outgoing.media:
            try:
                begun = await asyncio.to_thread(self._with_files, begun)
            except (NotFound, Invalid) as error:  # of ours: nothing was sent
                return outcomes.failed(begun, Refused(error.say), self.now(), self._looks[0])
        if begun.waited > timeout:  # the lease must outlast the call: others may be looking already
            stalled = Later("工作进程停顿，没有发出，稍后再发", scope="delivery")
            return outcomes.later(begun, stalled, self.now())
        try:
            async with asyncio.timeout(timeout):
                brought = await _call(adapter, begun)
            return outcomes.sent(begun, brought, self.now())
        except AdapterError as error:
            return outcomes.failed(begun, error, self.now(), self._looks[0])
        except TimeoutError:
            said = Say("平台 {n} 秒没有回音，结果不明，正在回查", n=timeout)
        except Exception as error:
            log.exception("adapter of delivery %s", begun.row["id"])
            said = Say("适配器出错（{kind}），结果不明，正在回查", kind=type(error).__name__)
        return outcomes.uncertain(begun, said, self.now(), self._looks[0])

    def _with_files(self, begun: Begun) -> Begun:
        """Raises NotFound, Invalid: a picture that is no longer in the store as it was signed."""
        files = {m.sha256: self.office.media.read(m.sha256) for m in begun.outgoing.media}
        return replace(begun, staged=replace(begun.staged, files=files))

    def now(self) -> datetime:
        """The store's clock: on PostgreSQL the database's, which this machine's may differ from."""
        return self.office.db.clock.now() + self._ours_behind

    # ------------------------------------------------------------ staging

    async def _stage(self, ready: Ready) -> None:
        """Upload ahead of the hour; then begin if the hour has come."""
        row = ready.row
        try:
            files = {m.sha256: self.office.media.read(m.sha256) for m in ready.outgoing.media}
            adapter = await self.adapters.speaking(row["account_id"], row)
            async with asyncio.timeout(ready.capabilities.timeout_seconds):
                staged = await adapter.stage(ready.outgoing, files)
        except (GongkaiError, TimeoutError) as error:
            self._brought(outcomes.not_staged(row, error, self.now()))
            return
        for begun in await self._in_store(self._begin_staged, row, staged):
            await self._send(begun)

    def _begin_staged(self, row: RowMapping, staged: Staged) -> list[Begun]:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            return taking.begin_staged(conn, now, [(row, staged)], self.worker)

    # ------------------------------------------------------------ looking up

    async def _look(self, row: RowMapping, began: datetime, taken: frozenset[str]) -> None:
        """Did the uncertain one arrive?"""
        adapter = await self.adapters.speaking(row["account_id"], row)
        try:
            async with asyncio.timeout(ledger.able(row).timeout_seconds):
                looked = await _find(adapter, row, began, taken)
            attempt = await self._in_store(self._last_attempt, row)
            settled = outcomes.looked(row, attempt, looked, self.now(), self._looks)
        except (AdapterError, TimeoutError) as error:
            settled = outcomes.not_looked(row, error, self.now(), self._looks)
        self._brought(settled)

    def _last_attempt(self, row: RowMapping) -> int | None:
        with self.office.db.read() as conn:
            return ledger.last_attempt(conn, row["id"])

    async def _view(self, row: RowMapping) -> None:
        """Read back what was sent, as an outsider sees it."""
        adapter = await self.adapters.speaking(row["account_id"], row)
        receipt = Receipt(row["remote_id"] or "", row["url"])
        try:
            async with asyncio.timeout(ledger.able(row).timeout_seconds):
                seen = await adapter.visible(receipt)
        except (AdapterError, TimeoutError):
            seen = Visible.CANNOT_TELL
        await self._in_store(self._viewed, row, seen)

    def _viewed(self, row: RowMapping, seen: Visible) -> None:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            lease.settle(conn, deliveries, row, None, visible=seen, visible_at=now)
            if seen is Visible.NO and looking.should_stand(conn, row):
                said = Say("平台确认已发出，但公众看不到，请核对")
                ledger.tell(conn, now, [(row, said)])


# ---------------------------------------------------------------- one call


async def _call(adapter: Adapter, begun: Begun) -> Receipt | Task:
    act, key = Act(begun.row["act"]), begun.row["key"]
    if act is Act.PUBLISH:
        return await adapter.publish(begun.outgoing, begun.staged, key)
    if act is Act.REPOST:
        return await adapter.repost(begun.outgoing.in_reply_to, key)
    target = begun.target or Receipt("")
    if act is Act.EDIT:
        return await adapter.edit(target, begun.outgoing, begun.staged, key)
    return await adapter.withdraw(target, key)


async def _find(
    adapter: Adapter, row: RowMapping, began: datetime, taken: frozenset[str]
) -> Looked:
    outgoing = ledger.outgoing_of(row)
    if row["act"] == Act.PUBLISH:
        return await adapter.find(outgoing, row["key"], began, taken)
    target = Receipt(row["target_remote_id"] or "", row["target_url"] or "")
    return await adapter.applied(row["act"], target, outgoing)


def _second(ready: Ready) -> datetime:
    at: datetime = ready.row["due_at"]
    return at
