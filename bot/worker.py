"""The worker: one loop a stage, each sleeping to its next due time; APScheduler gives the ticks.

Any number of workers may run on PostgreSQL, one on SQLite; none is the leader. `once` does all that
is due, follow-on work included, and ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select, update

from bot import audit, catalog, collect, compose, lease, review, schedule
from bot.db import (
    accounts,
    deliveries,
    disk_full,
    insert_missing,
    items,
    metadata,
    occurrences,
    posts,
    sources,
    watches,
    workers,
)
from bot.deliver import accounts as account_stage
from bot.deliver import ledger, plan
from bot.deliver.engine import Engine, sleep_until
from bot.errors import GongkaiError
from bot.language import Say
from bot.notices import close_notice, open_notice
from bot.office import Office

log = logging.getLogger("gongkai")
BEAT = 5
QUIET = 5
_LIVING: set[str] = set()  # the workers of this very process


class Worker:
    """Everything that happens in time."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        lease.holder = self.id
        self.engine = Engine(office, self.id)
        self._wakes: list[asyncio.Event] = [self.engine.wake]
        self._troubles: set[str] = set()  # the notices we opened and have not ended

    # ------------------------------------------------------------ for ever

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then let calls under way end."""
        await self._thread(self._after_silence)
        await self._thread(self._enter)
        ticks = self._ticks()
        loops = [asyncio.create_task(loop) for loop in self._loops(stop)]
        try:
            await stop.wait()
        finally:
            for wake in self._wakes:
                wake.set()
            await asyncio.gather(*loops)
            ticks.shutdown(wait=False)
            await self.engine.aclose()
            await self._thread(self._leave)

    def _loops(self, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        n = 50
        stages: list[tuple[Callable[[], Awaitable[int]], Sequence[Table]]] = [
            (self.engine.start_due, [deliveries]),
            (lambda: catalog.poll_due(self.office), [sources]),
            (self._flow, [items, posts, occurrences]),
            (lambda: collect.collect_due(self.office, self.engine.adapters, n), [watches]),
            (self._check_accounts, [accounts]),
        ]
        return [self._loop(stop, act, tables) for act, tables in stages]

    async def _loop(
        self, stop: asyncio.Event, act: Callable[[], Awaitable[int]], tables: Sequence[Table]
    ) -> None:
        wake = self.engine.wake if tables == [deliveries] else asyncio.Event()
        self._wakes.append(wake)
        while not stop.is_set():
            if await self._turn(act):
                self._wake_all()
            else:
                await self._sleep(stop, wake, tables)

    async def _turn(self, act: Callable[[], Awaitable[int]]) -> int:
        """One bad turn never ends the loop."""
        try:
            done = await act()
            if self._troubles:
                await self._thread(self._trouble_is_over)
            return done
        except Exception as error:
            await self._trouble(error)
            return 0

    def _wake_all(self) -> None:
        for wake in self._wakes:
            wake.set()

    async def _sleep(
        self, stop: asyncio.Event, wake: asyncio.Event, tables: Sequence[Table]
    ) -> None:
        """To the next due time, with a look every second for what others made due meanwhile.

        Looking is a read; a turn writes. After QUIET seconds there is a turn all the same: it sweeps.
        """
        quiet = time.monotonic() + QUIET
        try:
            while time.monotonic() < quiet and not stop.is_set():
                now, due = await self._thread(self._next, tables)
                await sleep_until(wake, due, now, longest=1)
                if await self._thread(self._anything, tables):
                    return
        except Exception as error:
            await self._trouble(error)

    def _anything(self, tables: Sequence[Table]) -> bool:
        with self.office.db.read() as conn:
            now = self.office.db.now(conn)
            return any(
                conn.execute(select(t.c.id).where(lease.free(t, now)).limit(1)).first()
                for t in tables
            )

    def _next(self, tables: Sequence[Table]) -> tuple[Any, Any]:
        with self.office.db.read() as conn:
            now = self.office.db.now(conn)
            due = lease.next_due(conn, now, tables)
            if deliveries in tables:
                pace = select(func.min(accounts.c.free_at)).where(accounts.c.free_at > now)
                due = min((t for t in (due, conn.execute(pace).scalar()) if t), default=None)
        return now, due

    async def _trouble(self, error: Exception) -> None:
        """Say it once where people look, wait a little, go on."""
        if isinstance(error, GongkaiError):
            log.warning("%s", error)
        else:
            log.error("turn failed", exc_info=None if disk_full(error) else error)
        said = error.say if isinstance(error, GongkaiError) else _explained(error)
        try:
            await self._thread(self._tell, said)
        except Exception:
            log.warning("%s", said)
        await asyncio.sleep(2)

    def _tell(self, said: Say) -> None:
        key = f"worker:{said.text[:20]}"
        with self.office.db.write() as conn:
            open_notice(conn, self.office.db.now(conn), key, said)
        self._troubles.add(key)

    def _trouble_is_over(self) -> None:
        with self.office.db.write() as conn:
            close_notice(conn, self.office.db.now(conn), *self._troubles)
        self._troubles.clear()

    async def _thread(self, act: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(act, *args)

    # ------------------------------------------------------------ the stages' turns

    async def _flow(self) -> int:
        """Rows that need no network: occurrences, drafts, standing sign-offs, plans."""
        acts = (schedule.fire_due, compose.compose_due, review.take_drafts, plan.plan_due)
        return sum([await self._thread(act, self.office) for act in acts])

    async def _check_accounts(self) -> int:
        return await account_stage.check_due(self.office, self.engine.adapters)

    # ------------------------------------------------------------ ticks

    def _ticks(self) -> Any:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        ticks = AsyncIOScheduler(timezone=self.office.config.tz)
        often = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        ticks.add_job(self._tick, "interval", [self._beat], seconds=BEAT, **often)
        ticks.add_job(self._tick, "interval", [self._seal], seconds=1, **often)
        ticks.add_job(self._tick, "interval", [self._plan_schedules], seconds=10, **often)
        ticks.add_job(self._tick, "cron", [self._anchor], hour=0, minute=5, **often)
        ticks.start()
        return ticks

    async def _tick(self, act: Callable[[], None]) -> None:
        try:
            await self._thread(act)
        except Exception as error:
            await self._trouble(error)

    def _beat(self) -> None:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            mine = workers.c.id == self.id, workers.c.beat_at <= now  # a clock set back shows
            conn.execute(update(workers).where(*mine).values(beat_at=now, stopped_at=None))

    def _seal(self) -> None:
        with self.office.db.read() as conn:
            if not audit.unsealed(conn):
                return
        with self.office.db.write() as conn:
            audit.seal(conn)

    def _anchor(self) -> None:
        with self.office.db.read() as conn:
            audit.anchor(conn, self.office.anchor, self.office.db.now(conn))

    def _plan_schedules(self) -> None:
        wrong = schedule.plan_ahead(self.office)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            for error in wrong:
                open_notice(conn, now, "schedules", error.say, None, "/today")
            if not wrong:
                close_notice(conn, now, "schedules")

    # ------------------------------------------------------------ coming and going

    def _after_silence(self) -> None:
        """What fell due while nobody worked does not go in one burst; `once` is meant to be rare."""
        with self.office.db.write() as conn:
            ledger.after_silence(conn, self.office.db.now(conn), self.office.config.deliver.outage)

    def _enter(self) -> None:
        """Say we are here, and let go what a dead worker of this machine had begun."""
        _LIVING.add(self.id)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            dead = _dead(conn)
            ledger.recover(conn, now, dead)
            lease.let_go(conn, [t for t in metadata.tables.values() if "lease" in t.c], now, dead)
            conn.execute(update(workers).where(workers.c.id.in_(dead)).values(stopped_at=now))
            row = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid()}
            insert_missing(conn, workers, [{**row, "started_at": now, "beat_at": now}])
        self._plan_schedules()

    def _leave(self) -> None:
        _LIVING.discard(self.id)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            conn.execute(update(workers).where(workers.c.id == self.id).values(stopped_at=now))
        self._seal()
        self._anchor()

    # ------------------------------------------------------------ once

    async def once(self) -> None:
        """Everything that is due, and what follows from it, then end."""
        await self._thread(self._enter)
        acts: list[Callable[[], Awaitable[int]]] = [
            self._check_accounts,
            lambda: catalog.poll_due(self.office, 100),
            self._flow,
            self.engine.step,
            lambda: collect.collect_due(self.office, self.engine.adapters, 100),
        ]
        try:
            while sum([await act() for act in acts]):
                pass
        finally:
            await self.engine.aclose()
            await self._thread(self._leave)


def _explained(error: Exception) -> Say:
    if disk_full(error):
        return Say("磁盘已满，暂停工作；腾出空间后自动恢复，什么都没有丢")
    return Say("工作进程遇到内部错误（{kind}），已跳过这一轮并会重试", kind=type(error).__name__)


def _dead(conn: Connection) -> list[str]:
    """Workers of this machine whose process is no more."""
    here = select(workers.c.id, workers.c.pid).where(
        workers.c.host == socket.gethostname(), workers.c.stopped_at.is_(None)
    )
    return [w for w, pid in conn.execute(here) if not _alive(w, pid)]


def _alive(worker: str, pid: int) -> bool:
    if pid == os.getpid():  # a container's process often restarts under the same number
        return worker in _LIVING
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
