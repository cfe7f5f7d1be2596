"""The calls between the transactions, side by side: one coroutine a delivery, one thread for the store.

`step` does everything that is due now and ends; `run` does it for ever, sleeping to the next due
time. Settlements are gathered for a few milliseconds and committed together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import RowMapping
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot import lease
from bot.adapters.base import Adapter
from bot.db import EPOCH, deliveries, store_away
from bot.deliver import ledger
from bot.deliver.ledger import Begun, Ready, Settled
from bot.errors import (
    AccountBroken,
    AdapterError,
    GongkaiError,
    Invalid,
    Later,
    NotFound,
    Refused,
    Uncertain,
    Unsupported,
)
from bot.language import Say
from bot.model import (
    Absent,
    Act,
    DeliveryState,
    Found,
    Idempotency,
    Looked,
    Outcome,
    Receipt,
    Staged,
    Task,
    Visible,
)
from bot.office import Office
from bot.speaking import Adapters

S = DeliveryState
T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger("gongkai.deliver")
SWEEP = timedelta(milliseconds=200)  # while busy; idle turns always look
VIEWS = 10
SETTLING = (0.1, 0.3, 1, 3, 5, 10, 10, 10)  # seconds between tries to write a result
WAITS = [timedelta(seconds=s) for s in (15, 60, 300, 900, 1800)]


class Group(Generic[T]):
    """Gathers what comes within a few milliseconds and hands it over as one list."""

    def __init__(self, act: Callable[[list[T]], Awaitable[None]], pause: float = 0.005) -> None:
        self._act, self._pause = act, pause
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, one: T) -> None:
        """Returns when `one` was handed over with the others; raises what the act raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._pause)
            batch, self._waiting = self._waiting, []
            try:
                await self._act([one for one, _ in batch])
            except Exception as error:
                for _, done in batch:
                    done.set_exception(error)
            else:
                for _, done in batch:
                    done.set_result(None)


class Engine:
    """Sends. Any number of these may run on PostgreSQL, one on SQLite."""

    def __init__(self, office: Office, worker: str) -> None:
        self.office, self.worker = office, worker
        self.adapters = Adapters(office)
        self.wake = asyncio.Event()
        self._store = ThreadPoolExecutor(1, "gongkai-store")
        self._settling = Group(self._settle)
        self._running: set[asyncio.Task[None]] = set()
        self._swept = EPOCH
        self._ahead = timedelta(0)

    async def aclose(self) -> None:
        """Lets calls under way end, then closes the clients."""
        if self._running:
            await asyncio.wait(self._running)
        await self.adapters.aclose()
        self._store.shutdown()

    # ------------------------------------------------------------ the loop

    async def step(self) -> int:
        """Start everything that may start now and see it through; give how many were started."""
        done = 0
        while started := await self.start_due():
            done += started
            if self._running:
                await asyncio.wait(self._running)
        return done

    async def start_due(self) -> int:
        """Start what may start now, as far as there is room; give how many."""
        room = self.office.config.deliver.concurrency - len(self._running)
        if room <= 0:
            return 0
        jobs = await self._in_store(self._take, room)
        for job in jobs:
            task = asyncio.create_task(job)
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(jobs)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery task failed: %s", type(error).__name__, exc_info=error)

    async def _in_store(self, act: Callable[..., R], *args: Any) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._store, act, *args)

    def _take(self, room: int) -> list[Coroutine[Any, Any, None]]:
        """One transaction: what may start now, as coroutines not yet running."""
        db = self.office.db
        lookups: list[Any] = []
        views: list[Any] = []
        with db.write() as conn:
            now = db.now(conn)
            self._ahead = now - db.clock.now()
            sweeping = abs(now - self._swept) >= SWEEP
            if sweeping:
                self._swept = now
                rules = self.office.config.deliver
                ledger.sweep(conn, now, rules.looks[0], rules.outage)
            ready, begun = ledger.take(conn, now, room, self.worker)
            if sweeping or not begun:
                lookups = ledger.take_lookups(conn, now, room, S.UNCERTAIN)
            if not begun and len(self._running) < VIEWS:  # reading back never delays a sending
                views = ledger.take_lookups(conn, now, VIEWS, S.SENT)
        return [
            *(self._guarded(self._send(b), b) for b in begun),
            *(self._guarded(self._stage(r), r) for r in ready),
            *(self._guarded(self._look(*one), one[0]) for one in lookups),
            *(self._guarded(self._view(row), row) for row, _, _ in views),
        ]

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
            settled = _broken(begun.row, begun.attempt, error)
        except Exception as error:
            log.exception("adapter of delivery %s", begun.row["id"])
            said = Say(
                "系统一时打不开账号（{kind}），没有发出，稍后再发", kind=type(error).__name__
            )
            at = self.now() + _backoff(begun.row["waits"])
            settled = self._later(begun, Later(said, scope="delivery"), at)
        else:
            settled = await self._called(adapter, begun)
        await self._settling.submit(settled)

    async def _called(self, adapter: Adapter, begun: Begun) -> Settled:
        timeout = begun.capabilities.timeout_seconds
        if begun.waited > timeout:  # the lease must outlast the call: others may be looking already
            return self._later(
                begun, Later("工作进程停顿，没有发出，稍后再发", scope="delivery"), self.now()
            )
        try:
            async with asyncio.timeout(timeout):
                brought = await _call(adapter, begun)
            return _sent(begun, brought, self.now())
        except AdapterError as error:
            return self._failed(begun, error)
        except TimeoutError:
            said = Say("平台 {n} 秒没有回音，结果不明，正在回查", n=timeout)
        except Exception as error:
            log.exception("adapter of delivery %s", begun.row["id"])
            said = Say("适配器出错（{kind}），结果不明，正在回查", kind=type(error).__name__)
        return self._uncertain(begun, said)

    def now(self) -> datetime:
        """The store's clock: on PostgreSQL the database's, which this machine's may differ from."""
        return self.office.db.clock.now() + self._ahead

    def _failed(self, begun: Begun, error: AdapterError) -> Settled:
        """What each of the adapter's errors makes of the row."""
        row, now = begun.row, self.now()
        if isinstance(error, Uncertain):
            return self._uncertain(begun, error.say, error.raw)
        if isinstance(error, Refused | Unsupported):
            return Settled(
                row, begun.attempt, Outcome.REFUSED, S.FAILED, None, error.say, raw=error.raw
            )
        if isinstance(error, AccountBroken):
            return _broken(row, begun.attempt, error)
        after = error.after if isinstance(error, Later) else None
        return self._later(begun, error, now + (after or _backoff(row["waits"])))

    def _later(self, begun: Begun, error: AdapterError, at: datetime) -> Settled:
        return Settled(
            begun.row,
            begun.attempt,
            Outcome.LATER,
            S.READY,
            at,
            error.say,
            raw=error.raw,
            extra={"waits": begun.row["waits"] + 1},
            **_wait(error, at),
        )

    def _uncertain(self, begun: Begun, said: Say, raw: str = "") -> Settled:
        lag = timedelta(seconds=begun.capabilities.listing_lag_seconds)
        due = self.now() + max(lag, self.office.config.deliver.looks[0])
        extra = {"looks": 0, "absents": 0}
        return Settled(
            begun.row,
            begun.attempt,
            Outcome.UNKNOWN,
            S.UNCERTAIN,
            due,
            said,
            raw=raw,
            extra=extra,
        )

    async def _settle(self, done: list[Settled]) -> None:
        """A result is kept while the store cannot be written (restarting, full), as leases last."""
        for wait in SETTLING:
            try:
                return await self._in_store(self._write_settled, done)
            except DBAPIError as error:
                log.warning("results wait for the store: %s", type(error).__name__)
                await asyncio.sleep(wait)
        await self._in_store(self._write_settled, done)

    def _write_settled(self, done: Sequence[Settled]) -> None:
        try:
            self._write_together(done)
        except IntegrityError:  # another worker took a receipt since ours were looked at
            for one in done:
                self._write_together([one])

    def _write_together(self, done: Sequence[Settled]) -> None:
        with self.office.db.write() as conn:
            lost = ledger.settle(conn, self.office.db.now(conn), done)
        for one in lost:
            log.warning("delivery %s: its lease was lost, nothing written", one.row["id"])

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
            await self._settling.submit(self._not_staged(row, error))
            return
        for begun in await self._in_store(self._begin_staged, row, staged):
            await self._send(begun)

    def _not_staged(self, row: RowMapping, error: Exception) -> Settled:
        """Nothing public happened: a refusal fails, a dead account breaks, all else waits."""
        said = error.say if isinstance(error, GongkaiError) else Say("上传素材超时")
        after = error.after if isinstance(error, Later) else None
        at = self.now() + (after or _backoff(row["waits"]))
        extra = {"waits": row["waits"] + 1}
        if isinstance(
            error, Refused | Unsupported | NotFound | Invalid
        ):  # of the platform, of ours
            return Settled(row, None, Outcome.REFUSED, S.FAILED, None, said)
        if isinstance(error, Later | TimeoutError | Uncertain):
            waits = _wait(error, at) if after else {}
            return Settled(row, None, Outcome.LATER, S.READY, at, said, extra=extra, **waits)
        return _broken(row, None, error)

    def _begin_staged(self, row: RowMapping, staged: Staged) -> list[Begun]:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            return ledger.begin_staged(conn, now, [(row, staged)], self.worker)

    # ------------------------------------------------------------ looking up

    async def _look(self, row: RowMapping, began: datetime, taken: frozenset[str]) -> None:
        """Did the uncertain one arrive?"""
        adapter = await self.adapters.speaking(row["account_id"], row)
        try:
            async with asyncio.timeout(row["capabilities"]["timeout_seconds"]):
                looked = await _find(adapter, row, began, taken)
            settled = await self._in_store(self._looked, row, looked)
        except (AdapterError, TimeoutError) as error:
            settled = self._not_looked(row, error)
        await self._settling.submit(settled)

    def _looked(self, row: RowMapping, looked: Looked) -> Settled:
        with self.office.db.read() as conn:
            attempt = ledger.last_attempt(conn, row["id"])
        if isinstance(looked, Found):
            said = Say("平台没有回音，回查确认已发出")
            return _found(row, attempt, looked.receipt, said, self.now())
        if isinstance(looked, Absent):
            return self._absent(row, attempt)
        return self._unknown(row, looked.why)

    def _absent(self, row: RowMapping, attempt: int | None) -> Settled:
        """Twice not there, a while apart, is not there; where we chose the id once is enough."""
        enough = 1 if row["capabilities"]["idempotency"] == Idempotency.CLIENT_ID else 2
        count = row["absents"] + 1
        if count >= enough:
            said = Say("回查确认平台没有收到，再发")
            extra = {"looks": 0, "absents": 0}
            due = self.now()
            return Settled(row, attempt, Outcome.ABSENT, S.READY, due, said, extra=extra)
        extra = {"looks": row["looks"] + 1, "absents": count}
        said = Say("回查未见，稍后再查一次才作数")
        due = self._next_look(row["looks"])
        return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, due, said, extra=extra)

    def _unknown(self, row: RowMapping, why: str) -> Settled:
        """Look a few times; then a person decides, with what is known in front of him."""
        looks = row["looks"] + 1
        extra = {"looks": looks, "absents": 0}
        if looks >= len(self.office.config.deliver.looks):
            said = Say("回查 {n} 次仍不能断定，请人工核对；不会自动重发。{why}", n=looks, why=why)
            return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, None, said, extra=extra)
        said = Say("回查不能断定，稍后再查。{why}", why=why)
        due = self._next_look(looks)
        return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, due, said, extra=extra)

    def _next_look(self, looks: int) -> datetime:
        waits = self.office.config.deliver.looks
        return self.now() + waits[min(looks, len(waits) - 1)]

    def _not_looked(self, row: RowMapping, error: Exception) -> Settled:
        """The platform could not be asked: that proves nothing, and is asked again."""
        said = error.say if isinstance(error, AdapterError) else Say("回查超时，稍后再查")
        after = error.after if isinstance(error, Later) else None
        due = self.now() + after if after else self._next_look(row["looks"])
        looks = row["looks"] + 1
        return Settled(
            row,
            None,
            Outcome.UNKNOWN,
            S.UNCERTAIN,
            due,
            said,
            broken=isinstance(error, AccountBroken),
            tell=looks >= len(self.office.config.deliver.looks),  # and go on looking
            extra={"looks": looks},
            **(_wait(error, due) if after else {}),
        )

    async def _view(self, row: RowMapping) -> None:
        """Read back what was sent, as an outsider sees it."""
        adapter = await self.adapters.speaking(row["account_id"], row)
        receipt = Receipt(row["remote_id"] or "", row["url"])
        try:
            async with asyncio.timeout(row["capabilities"]["timeout_seconds"]):
                seen = await adapter.visible(receipt)
        except (AdapterError, TimeoutError):
            seen = Visible.CANNOT_TELL
        await self._in_store(self._viewed, row, seen)

    def _viewed(self, row: RowMapping, seen: Visible) -> None:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            lease.settle(conn, deliveries, row, None, visible=seen, visible_at=now)
            if seen is Visible.NO and row["act"] == Act.PUBLISH:
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


def _sent(begun: Begun, brought: Receipt | Task, now: datetime) -> Settled:
    row = begun.row
    if isinstance(brought, Task):
        said = Say("请在平台上人工发布，再登记链接")
        return Settled(
            row,
            begun.attempt,
            Outcome.SENT,
            S.SENDING,
            row["latest_at"],
            said,
            keep_attempt_open=True,
            tell=True,
        )
    return _found(row, begun.attempt, brought, None, now)


def _broken(row: RowMapping, attempt: int | None, error: Exception) -> Settled:
    """The account cannot be used: nothing was taken, its queue waits for a person."""
    fault = Say("账号的设置或凭据打不开（{kind}）", kind=type(error).__name__)
    said = error.say if isinstance(error, GongkaiError) else fault
    raw = error.raw if isinstance(error, AdapterError) else ""
    due = row["go_at"]
    return Settled(row, attempt, Outcome.BROKEN, S.READY, due, said, raw=raw, broken=True)


def _wait(error: Exception, at: datetime) -> dict[str, Any]:
    """Who else than the delivery itself waits until `at`."""
    scope = error.scope if isinstance(error, Later) else "account"
    return {f"{scope}_free": at} if scope in ("account", "host") else {}


def _found(
    row: RowMapping, attempt: int | None, receipt: Receipt, said: Say | None, now: datetime
) -> Settled:
    """It stands. Read back a while later; the account's pace begins now."""
    lag = row["capabilities"]["listing_lag_seconds"]
    return Settled(
        row,
        attempt,
        Outcome.SENT,
        S.SENT,
        now + timedelta(seconds=max(lag, 5)),
        said,
        receipt,
        account_free=now + timedelta(milliseconds=row["gap_ms"]) if row["gap_ms"] else None,
        watch=True,
        extra={"looks": 0, "absents": 0},
    )


def _backoff(waits: int) -> timedelta:
    return WAITS[min(waits, len(WAITS) - 1)]
