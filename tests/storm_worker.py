"""The storm's workers: real processes, forked from one that has imported everything, killed at will.

`python -m tests.storm_worker` is the nursery: it reads one order a line, as JSON, forks a worker for
it and prints its process id. A worker is what `gongkai run` starts, in a process of its own. Where an
order says so it dies by its own hand at a named point, or works slower than its lease; that is done
by wrapping functions in this process alone.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot.adapters.mastodon import Mastodon
from bot.config import load
from bot.db import Database
from bot.deliver import settling, taking
from bot.deliver.engine import Engine
from bot.deliver.ledger import Begun
from bot.deliver.settling import Settled
from bot.office import Office
from bot.worker import Worker


@dataclass(frozen=True)
class Order:
    """How a worker is to live and die."""

    config: str
    die: str = ""  # one of POINTS
    after: int = 1  # at the so-manieth time it gets there
    slow: float = 0.0  # seconds it stands still now and then, at once with all it does
    host: str = ""  # as if on another machine: nobody there knows that it died
    synced: str = ""  # a file that gets the size of SQLite's log after each commit, one a line


# ---------------------------------------------------------------- dying at a named point


def _at(
    owner: Any, name: str, *, then: bool, worth: Callable[[Any], Any] = bool
) -> Callable[[int], None]:
    """Kill this process around the n-th call of `owner.name` that matters."""

    def arm(n: int) -> None:
        original, left = getattr(owner, name), [n]

        def wrapped(*args: Any, **more: Any) -> Any:
            if not then:
                _count(left)
                return original(*args, **more)
            result = original(*args, **more)
            if worth(result):
                _count(left)
            return result

        setattr(owner, name, wrapped)

    return arm


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


POINTS: dict[str, Callable[[int], None]] = {
    "before the attempt's commit": _at(taking, "_begin", then=True),
    "after the attempt's commit": _at(Engine, "_turn", then=True, worth=lambda turn: turn.begun),
    "before settle": _at(settling, "settle", then=False),
    "before settle's commit": _at(settling, "settle", then=True, worth=lambda _: True),
    "after settle": _at(Engine, "_turn", then=True, worth=lambda turn: turn.written),
    "before the look-up's result": _at(Engine, "_looked", then=True),
}


def _slow(seconds: float) -> None:
    """Now and then it stands still before a call, or keeps a result longer than its lease."""
    called, calls = Engine._called, itertools.count(1)

    async def crawl(self: Engine, adapter: Any, begun: Begun) -> Settled:
        n = next(calls)
        if n % 40 == 10:
            time.sleep(seconds)  # the whole process, as under SIGSTOP
        settled = await called(self, adapter, begun)
        if n % 10 == 5:
            await asyncio.sleep(seconds)
        return settled

    Engine._called = crawl  # type: ignore[method-assign]


def _record(file: str, database: Database) -> None:
    """After each commit, which SQLite ends with an fsync, how long its log is then."""
    log, write = Path(f"{database.url.database}-wal"), database.write
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @contextmanager
    def recorded() -> Iterator[Connection]:
        with write() as conn:
            yield conn
        os.write(out, b"%d\n" % log.stat().st_size)

    database.write = recorded  # type: ignore[method-assign]


# ---------------------------------------------------------------- living


def work(order: Order) -> None:
    """Be a worker until SIGTERM."""
    if order.die:
        POINTS[order.die](order.after)
    if order.slow:
        _slow(order.slow)
    if order.host:
        socket.gethostname = lambda: order.host
    Mastodon.client_options = {"headers": {"X-Process": str(os.getpid())}}
    config = load(Path(order.config))
    with closing(Database(config.database_url)) as database:
        if order.synced:
            _record(order.synced, database)
        asyncio.run(_run(Office(config, database)))


async def _run(office: Office) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Worker(office).run(stop)


def _child(order: Order) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(
        Path(order.config).with_name("workers.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND
    )
    for standard in (0, 1):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    os.dup2(log, 2)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(process)d %(name)s %(message)s"
    )
    code = 1
    try:
        work(order)
        code = 0
    finally:
        os._exit(code)


def nursery() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not left as zombies
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if not pid:
            _child(order)
        print(pid, flush=True)


class Nursery:
    """The other end: starts workers, knows who lives, ends them all."""

    def __init__(self) -> None:
        import subprocess

        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storm_worker"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.workers: set[int] = set()

    def start(self, order: Order) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self.workers.add(pid)
        return pid

    def living(self) -> set[int]:
        self.workers = {pid for pid in self.workers if _lives(pid)}
        return self.workers

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask every worker to end, and wait until it has."""
        for pid in self.living():
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        until = time.monotonic() + 20
        while self.living() and time.monotonic() < until:
            time.sleep(0.02)

    def close(self) -> None:
        self.end(signal.SIGKILL)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    nursery()
