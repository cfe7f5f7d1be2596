"""The worker: one loop a stage, each sleeping to its next due time; APScheduler gives the ticks.

Any number of workers may run on PostgreSQL, one on SQLite; none is the leader. `once` does all that
is due, follow-on work included, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select, update

from bot import audit, catalog, collect, compose, lease, review, schedule, telling
from bot.db import (
    Instant,
    accounts,
    deliveries,
    disk_full,
    insert_missing,
    items,
    links,
    metadata,
    notices,
    occurrences,
    posts,
    sources,
    store_away,
    tellings,
    watches,
    workers,
)
from bot.deliver import accounts as account_stage
from bot.deliver import connecting, plan, sweeping
from bot.deliver.engine import Engine
from bot.errors import GongkaiError
from bot.language import Say
from bot.links import look_up_due
from bot.model import NoticeKind
from bot.notices import close_kind, close_notice, open_notice
from bot.office import Office

log = logging.getLogger("gongkai")
BEAT = 5
AHEAD = timedelta(seconds=3)  # how early deliveries are claimed and checked
QUIET = 10
MUTE = 60  # seconds without a store that takes a write, until people are told past it
_LIVING: set[str] = set()  # the workers of this very process


@dataclass(frozen=True)
class Stage:
    """One kind of work: its turn (gives how much it did), and the tables whose rows ask for one."""

    act: Callable[[], Awaitable[int]]
    tables: set[Table]
    feeds: bool = True  # what it does makes work for others
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """Everything that happens in time."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        lease.holder = self.id
        self.engine = Engine(office, self.id, AHEAD)
        self._every = self._stages()
        self._troubles: dict[Any, str] = {}  # whose turn fails: the notice of it, not ended yet
        self._logged = set[str]()  # what the log has, until a write goes well again
        self._mute_since: float | None = None  # nothing could be written down since
        self._shouted: Say | None = None  # what people were told past the store
        self._schedules_told = True  # a notice of an earlier worker's may stand
        self._checked_until = 0.0

    # ------------------------------------------------------------ for ever

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then let calls under way end."""
        await self._thread(self._after_silence)
        await self._thread(self._enter)
        gc.freeze()  # what starting left stays: looking through it again stops all calls for 0.1 s
        ticks = self._ticks()
        loops = [self._loop(stop, stage) for stage in self._every]
        tasks = [asyncio.create_task(loop) for loop in (*loops, self._watch(stop))]
        try:
            await stop.wait()
        finally:
            self._wake_all()
            await asyncio.gather(*tasks)
            ticks.shutdown(wait=False)
            await self.engine.aclose()
            await self._thread(self._leave)

    def _stages(self) -> list[Stage]:
        n = 50
        return [
            Stage(self.engine.start_due, {deliveries, accounts}, False, self.engine.wake),
            Stage(lambda: catalog.poll_due(self.office), {sources}),
            Stage(self._flow, {items, posts, occurrences}),
            Stage(lambda: collect.collect_due(self.office, self.engine.adapters, n), {watches}),
            Stage(self._check_accounts, {accounts}),
            Stage(self._tell_people, {notices, tellings}),
            *self._looking_up(),
        ]

    def _looking_up(self) -> list[Stage]:
        """Only where the office wants it: a closed network would find every link dead."""
        wanted = self.office.config.screening.dead_links
        return [Stage(lambda: look_up_due(self.office), {links})] if wanted else []

    async def _loop(self, stop: asyncio.Event, stage: Stage) -> None:
        """Turns while there is work; then asleep until the watch or another stage wakes it."""
        while not stop.is_set():
            if not await self._turn(stage.act):
                await stage.wake.wait()
            elif stage.feeds:
                self._wake_all()
            stage.wake.clear()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Wakes the stages whose rows fall due, to the moment; every second it looks for what other
        processes made due; after QUIET seconds every stage has a turn all the same: it sweeps.

        Looking is one read; turns write.
        """
        quiet = 0.0
        while not stop.is_set():
            try:
                now, due, busy = await self._thread(self._look)
                await self._over(self._look)
            except Exception as error:
                await self._trouble(self._look, error)
                continue
            rested = time.monotonic() >= quiet
            quiet = time.monotonic() + QUIET if rested else quiet
            for stage in self._every:
                if rested or stage.tables & busy:
                    stage.wake.set()
            wait = 1.0 if due is None else min(1.0, max(0.0, (due - now).total_seconds()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)

    def _look(self) -> tuple[datetime, datetime | None, set[Table]]:
        """Now, when the next row falls due, and the tables that have one due already."""
        with self.office.db.read() as conn:
            now = self.office.db.now(conn)
            tables = [table for stage in self._every for table in stage.tables]
            # Deliveries are claimed ahead of their second.
            by = {table: now + AHEAD if table is deliveries else now for table in tables}
            due, busy = lease.look(conn, now, by)
            pace = conn.execute(_PACE, {"now": now}).scalar()
        return now, min((at for at in (due, pace) if at), default=None), busy

    async def _turn(self, act: Callable[[], Awaitable[int]], pause: float = 2) -> int:
        """One bad turn never ends the loop; there is a pause after it."""
        try:
            done = await act()
            await self._over(act)
            return done
        except Exception as error:
            await self._trouble(act, error, pause)
            return 0

    def _wake_all(self) -> None:
        for stage in self._every:
            stage.wake.set()

    async def _trouble(self, whose: Any, error: Exception, pause: float = 2) -> None:
        """Say it once where people look and in the log, wait a little, go on."""
        said = error.say if isinstance(error, GongkaiError) else _explained(error)
        if said.text not in self._logged:  # a full disk is met some thousand times an hour
            if isinstance(error, GongkaiError) or store_away(error):
                log.warning("%s", said)
            else:
                log.error("turn failed", exc_info=error)
            self._logged.add(said.text)
        try:
            await self._thread(self._tell, whose, said)
        except Exception:  # the log has it
            await self._shout(said)
        await asyncio.sleep(pause)

    async def _shout(self, said: Say) -> None:
        """Straight to people, once, where nothing can be written down for longer than MUTE."""
        if self._mute_since is None:
            self._mute_since = time.monotonic()
        if self._shouted is None and time.monotonic() - self._mute_since >= MUTE:
            self._shouted = said
            await self._thread(telling.tell_now, self.office, said)

    async def _written(self) -> None:
        """A write went well: what was told past the store is over, and may be told again."""
        self._logged.clear()
        shouted, self._shouted, self._mute_since = self._shouted, None, None
        if shouted is not None:
            over = Say("已结束：{said}", said=shouted)
            await self._thread(telling.tell_now, self.office, over)

    def _tell(self, whose: Any, said: Say) -> None:
        key = f"worker:{said.text[:20]}"
        with self.office.db.write() as conn:
            open_notice(conn, self.office.db.now(conn), key, said)
        self._troubles[whose] = key

    async def _over(self, whose: Any) -> None:
        """What failed goes well again: its notice ends, unless another fails of the same."""
        key = self._troubles.get(whose)
        if key is not None and list(self._troubles.values()).count(key) == 1:
            await self._thread(self._close, key)
        self._troubles.pop(whose, None)
        if whose == self._beat:  # others may have had nothing to write
            await self._written()

    def _close(self, key: str) -> None:
        with self.office.db.write() as conn:
            close_notice(conn, self.office.db.now(conn), key)

    async def _thread(self, act: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(act, *args)

    # ------------------------------------------------------------ the stages' turns

    async def _flow(self) -> int:
        """Rows that need no network: occurrences, drafts, standing sign-offs, plans.

        Each has its turn, whatever became of the one before.
        """
        acts = (schedule.fire_due, compose.compose_due, review.take_drafts, plan.plan_due)
        done, wrong = 0, None
        for act in acts:
            try:
                done += await self._thread(act, self.office)
            except Exception as error:
                wrong = wrong or error
        if wrong is not None:
            raise wrong
        return done

    async def _check_accounts(self) -> int:
        return await account_stage.check_due(self.office, self.engine.adapters)

    async def _tell_people(self, gather: timedelta = telling.GATHER) -> int:
        await self._thread(telling.look_at_turns, self.office)
        return await telling.tell_due(self.office, gather)

    # ------------------------------------------------------------ ticks

    def _ticks(self) -> Any:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        ticks = AsyncIOScheduler(timezone=self.office.config.tz)
        often = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        ticks.add_job(self._tick, "interval", [self._beat], seconds=BEAT, **often)
        ticks.add_job(self._tick, "interval", [self._seal], seconds=1, **often)
        ticks.add_job(self._tick, "interval", [self._plan_schedules], seconds=10, **often)
        ticks.add_job(self._tick, "interval", [self._remind], hours=1, **often)
        ticks.add_job(self._tick, "interval", [self._look_around], seconds=60, **often)
        now = datetime.now(self.office.config.tz)
        ticks.add_job(
            self._tick, "interval", [self._check_catalogue], seconds=60, next_run_time=now, **often
        )
        ticks.add_job(self._tick, "cron", [self._anchor], hour=0, minute=5, **often)
        ticks.start()
        return ticks

    async def _tick(self, act: Callable[[], None]) -> None:
        try:
            await self._thread(act)
            await self._over(act)
        except asyncio.CancelledError:
            return  # we are leaving; its thread sees its transaction through
        except Exception as error:
            await self._trouble(act, error, pause=0)  # a tick comes again by itself

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

    def _remind(self) -> None:
        catalog.remind(self.office)
        connecting.forget(self.office)

    def _check_catalogue(self) -> None:
        """Each minute; where it takes long, so seldom that it takes a two-hundredth of the time."""
        began = time.monotonic()
        if began >= self._checked_until:
            catalog.check(self.office)
            self._checked_until = began + 200 * (time.monotonic() - began)

    def _look_around(self) -> None:
        telling.look_around(self.office)

    def _plan_schedules(self) -> None:
        wrong = schedule.plan_ahead(self.office)
        if not wrong and not self._schedules_told:
            return
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            for error in wrong:
                open_notice(conn, now, "schedules", error.say, None, "/calendar/schedules")
            if not wrong:
                close_notice(conn, now, "schedules")
        self._schedules_told = bool(wrong)

    # ------------------------------------------------------------ coming and going

    def _after_silence(self) -> None:
        """What fell due while nobody worked does not go in one burst; `once` is meant to be rare."""
        with self.office.db.write() as conn:
            sweeping.after_silence(
                conn, self.office.db.now(conn), self.office.config.deliver.outage
            )

    def _enter(self) -> None:
        """Say we are here, and let go what a dead worker of this machine had begun."""
        _LIVING.add(self.id)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            dead = _dead(conn)
            sweeping.recover(conn, now, dead)
            lease.let_go(conn, [t for t in metadata.tables.values() if "lease" in t.c], now, dead)
            conn.execute(update(workers).where(workers.c.id.in_(dead)).values(stopped_at=now))
            close_kind(conn, now, NoticeKind.WORKER)  # told anew, if it lasts
            row = {"id": self.id, "host": socket.gethostname(), "pid": os.getpid()}
            insert_missing(conn, workers, [{**row, "started_at": now, "beat_at": now}])
        self._plan_schedules()
        self._remind()
        self._look_around()

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
            *(stage.act for stage in self._looking_up()),
            lambda: self._tell_people(timedelta(0)),
        ]
        try:
            while sum([await self._turn(act, 0) for act in acts]):
                pass
            await self._tick(self._check_catalogue)
        finally:
            await self.engine.aclose()
            await self._thread(self._leave)


_PACE = select(func.min(accounts.c.free_at)).where(
    accounts.c.free_at > bindparam("now", type_=Instant())
)


def _explained(error: Exception) -> Say:
    if disk_full(error):
        return Say("磁盘已满，暂停工作；腾出空间后自动恢复，什么都没有丢")
    if store_away(error):
        return Say("数据库连不上，暂停工作；恢复后自动继续，什么都没有丢")
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
