"""The nearest rival's measured rows, done to us: our figure beside his.

His figures are of one day on this kind of machine (shared/rival-measured.md); ours are of this run.
Real worker processes with the settings an office starts with, unless a row says what was compressed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from unittest.mock import patch

from sqlalchemy import func, insert, select

from bot.config import load
from bot.db import Database, deliveries, workers
from bot.deliver import queue
from bot.model import DeliveryState
from bot.office import Office
from bot.workdays import FixedClock
from bot.worker import Worker
from tests import builders, storm
from tests.fakes import mastodon
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server, limited
from tests.storm import Weather
from tests.storm_worker import Nursery, Order

S = DeliveryState
ACCOUNTS = 5


def row(what: str, ours: str, rival: str) -> None:
    print(f"{what:<52} {ours:<58} {rival}", flush=True)


@dataclass
class Bench:
    """An office with five accounts on a platform, and a worker's nursery."""

    office: Office
    fake: Mastodon
    weather: Weather
    server: Server
    to: list[int]
    nursery: Nursery

    def add(self, n: int, at: datetime) -> None:
        storm.add(self.office, self.to, [at] * n)

    def worker(self) -> int:
        return self.nursery.start(Order(str(self.office.config.path)))

    def states(self) -> Counter[str]:
        with self.office.db.read() as conn:
            query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            return Counter(dict(conn.execute(query).all()))

    def until_all_sent(self, n: int, seconds: float) -> float:
        """How long it took; gives up after `seconds`."""
        began = time.monotonic()
        while self.states()[S.SENT] < n and time.monotonic() - began < seconds:
            time.sleep(0.2)
        return time.monotonic() - began

    def doubled(self) -> int:
        return sum(n > 1 for n in Counter(p["text"] for p in self.fake.posts()).values())

    def for_a_person(self) -> int:
        with self.office.db.read() as conn:
            return queue.counts(conn, {1})["person"]


@contextmanager
def bench() -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="gongkai-rival-") as folder,
        storm.office_at(f"sqlite:///{folder}/gongkai.db", Path(folder), "") as office,
        storm.platform(ACCOUNTS) as (fake, weather, server),
    ):
        to = storm.connect(office, ACCOUNTS, server.url, timeout_seconds=30, listing_lag_seconds=5)
        nursery = Nursery()
        try:
            yield Bench(office, fake, weather, server, to, nursery)
        finally:
            nursery.close()


# ---------------------------------------------------------------- rows of real processes


def many_at_once(n: int = 500) -> None:
    """All due in the same second, 100 ms a post."""
    with bench() as b:
        b.weather.random({"delay:0.1": 1.0}, path="/statuses$")
        pid = b.worker()
        time.sleep(1)
        before = _cpu(pid)
        due = datetime.now(UTC) + timedelta(seconds=2)
        b.add(n, due)
        b.until_all_sent(n, 120)
        spent = _cpu(pid) - before
        late = sorted(arrival.at - due.timestamp() for arrival in b.weather.arrivals)
        p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
        row(
            f"{n} due at once, lateness p50 / p99",
            f"{p50:.1f} / {p99:.1f} s (5 accounts, one call each at a time)",
            "374 / 746 s",
        )
        row("CPU per post", f"{spent / n * 1000:.1f} ms", "47 ms")


def _cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def killed_in_flight(n: int = 300, kills: int = 10) -> None:
    """kill -9 while a request is under way, started again at once; 300 ms a post."""
    with bench() as b:
        b.weather.random({"delay:0.3": 1.0}, path="/statuses$")
        b.add(n, datetime.now(UTC))
        back = []
        for _ in range(kills):
            pid = b.worker()
            calls = len(b.weather.arrivals)
            _until(lambda: len(b.weather.arrivals) > calls + 8)  # noqa: B023
            b.weather.kill_at_last_byte = 1
            _until(lambda: pid not in b.nursery.living())  # noqa: B023
            began, calls = time.monotonic(), len(b.weather.arrivals)
            pid = b.worker()
            _until(lambda: len(b.weather.arrivals) > calls)  # noqa: B023
            back.append(time.monotonic() - began)
            b.nursery.end(signal.SIGTERM)
        b.worker()
        took = b.until_all_sent(n, 240)
        lost = n - len({p["text"] for p in b.fake.posts()})
        row(
            f"kill -9 ×{kills} in flight, {n} posts: stuck / doubled / lost",
            f"{n - b.states()[S.SENT]} / {b.doubled()} / {lost}; sending again after "
            f"{median(back):.1f} s (worst {max(back):.1f}), all clear {took:.0f} s after the last",
            "40 / 0 / 2, halted up to 60 min each",
        )


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def cut_after_storing(n: int = 300) -> None:
    with bench() as b:
        b.weather.random({"cut_after": 0.1}, seed=7, path="/statuses$")
        b.add(n, datetime.now(UTC))
        b.worker()
        took = b.until_all_sent(n, 240)
        row(
            f"cut after it was stored, 10 % of {n}: doubled",
            f"{b.doubled()} (all known to stand after {took:.0f} s)",
            "32",
        )


def told_to_wait(n: int = 20, seconds: int = 12) -> None:
    """Every call of one account answered 429 while its wait lasts; others go on."""
    with bench() as b:
        b.weather.script(limited("seconds", seconds), method="POST", path="/statuses$")
        b.add(n, datetime.now(UTC))
        b.worker()
        b.until_all_sent(n, 60)
        first = b.weather.arrivals[0]
        early = [
            a
            for a in b.weather.arrivals[1:]
            if a.token == first.token and a.at < first.at + seconds
        ]
        others = [a for a in b.weather.arrivals if a.token != first.token]
        failed = n - b.states()[S.SENT]
        row(
            f"Retry-After {seconds} (scaled from 120), {n} posts: obeyed, failed",
            f"{len(early)} calls too early, {failed} failed; other accounts' "
            f"{len(others)} done in {max(a.at for a in others) - first.at:.1f} s",
            "not obeyed, 20 of 20 failed",
        )


# ---------------------------------------------------------------- rows with the clock moved by hand


@contextmanager
def compressed() -> Iterator[tuple[Bench, FixedClock]]:
    """In this process, on a clock that is moved: minutes pass in no time."""
    clock = FixedClock(datetime.now(UTC))
    with bench() as b, patch.object(mastodon, "_now", clock.now):
        database = Database(b.office.db.url, clock)
        b.office = Office(load(b.office.config.path), database)
        try:
            yield b, clock
        finally:
            database.close()


def outage(n: int = 60) -> None:
    with compressed() as (b, clock):
        b.weather.random({"busy_503_before": 1.0}, path="/statuses$")
        b.add(n, clock.now())
        for passed in range(0, 3600, 15):
            if passed == 180:
                b.weather.clear()
                missing = clock.now()
            clock.move(15)
            builders.work(b.office)
            if b.states()[S.SENT] == n:
                break
        failed = n - b.states()[S.SENT]
        after = (clock.now() - missing).total_seconds()
        row(
            f"503 for 180 s, {n} posts: failed for good",
            f"{failed}; all out {after:.0f} s after its end, {b.doubled()} doubled (time compressed)",
            "19 of 60",
        )


def half_an_hour_late(n: int = 60) -> None:
    with compressed() as (b, clock):
        b.add(n, clock.now() + timedelta(minutes=1))
        beat = {"id": "gone", "host": "x", "pid": 1}
        with b.office.db.write() as conn:
            times = {"started_at": clock.now(), "beat_at": clock.now(), "stopped_at": clock.now()}
            conn.execute(insert(workers).values(**beat, **times))
        clock.move(31 * 60)
        asyncio.run(_briefly(Worker(b.office)))
        row(
            f"worker off until 30 min late, {n} posts",
            f"{len(b.fake.posts())} sent unasked, {b.for_a_person()} wait for a person (time compressed)",
            "burst, unasked",
        )


async def _briefly(worker: Worker) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(1)
    stop.set()
    await running


def main() -> None:
    print("against the rival (row, ours, his)")
    many_at_once()
    killed_in_flight()
    cut_after_storing()
    told_to_wait()
    outage()
    half_an_hour_late()


if __name__ == "__main__":
    main()
