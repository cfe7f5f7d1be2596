"""`make bench`: our figure, the peer's or the floor's, and the ratio, from one run.

Each figure is printed as it comes. Ratios are to be quoted, not absolute numbers: the machine drifts.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
from sqlalchemy import select

from bot.adapters import base
from bot.adapters.base import ssl_context
from bot.config import load
from bot.db import Database, deliveries
from bot.deliver.engine import Engine
from bot.migrations import upgrade
from bot.model import DeliveryState
from bot.office import Office
from tests import builders, loads, noop

base.ADAPTERS["noop"] = "tests.noop:Noop"


def row(what: str, ours: str, peer: str = "", ratio: str = "", budget: str = "") -> None:
    print(f"{what:<46} {ours:>16} {peer:>22} {ratio:>8}   {budget}", flush=True)


@contextmanager
def an_office(more: str = "") -> Iterator[Office]:
    """A new office on SQLite in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(builders.CONFIG + more, "utf-8")
        config = load(file)
        with closing(Database(config.database_url)) as db:
            upgrade(db)
            with db.write() as conn:
                builders.unit(conn, "county")
            yield Office(config, db)


# ---------------------------------------------------------------- reading and screening


def bench_reading() -> None:
    from tests import bench_reading as reading

    found = reading.bench()
    ours, peer = f"{found['ms']} ms", f"feedparser {found['feedparser_ms']} ms"
    row(found["what"], ours, peer, f"{found['ratio']}", "≥ 10")


NOTICE = (
    "【停水通知】云澜县水务局通告：因城区主管网检修，11月26日（星期四）8:30至18:00，东街、西街等路段计划停水，"
    "请市民提前储水。依据《云澜县供水管理办法》（云政办发〔2026〕12号）和有关规定，停水期间消防用水由应急水源保障。"
    "如有疑问，请拨打供水服务热线0550-12345678或12345政务服务便民热线。详情见 "
    "https://www.yunlan.example.cn/art/2026/11/24/art_123.html #云澜发布#"
)


def bench_screening(terms: int = 50_000, times: int = 300) -> None:
    """A post with dates, a link, a topic, a document's number, against an office's long list."""
    from bot.model import Capabilities, Topics, Unit
    from bot.screen import Context, Rules, screen
    from bot.screen import terms as lists

    words = tuple(lists.Term("term", word) for word in _words(terms))
    able = Capabilities(text_limit=2000, unit=Unit.WEIBO, alt_text=True, topic_form=Topics.AROUND)
    rules = Rules(terms=lists.of(words))
    context = Context(on=date(2026, 11, 24), capabilities=able, media=())
    posts = [(f"第{i}号：{NOTICE}" + "请相互转告，做好储水准备。" * 20)[:300] for i in range(50)]
    took = min(_seconds(lambda: [screen(p, rules=rules, context=context) for p in posts], times // 50)
               for _ in range(5)) / len(posts)  # fmt: skip
    row(
        f"a 300-character post, {terms} terms, all rules", f"{took * 1e6:.0f} µs", "", "", "≤ 80 µs"
    )
    rate = sum(len(p.encode()) for p in posts) / len(posts) / took / 1e6
    plain = [("云澜县全面推进乡村振兴，加快农业农村现代化，持续改善人居环境。" * 10)[:300]] * 50
    bulk = min(_seconds(lambda: [screen(p, rules=rules, context=context) for p in plain], times // 50)
               for _ in range(5))  # fmt: skip
    prose = sum(len(p.encode()) for p in plain) / bulk / 1e6
    row(
        "screening in bulk: such notices / prose",
        f"{rate:.1f} / {prose:.1f} MB/s",
        "",
        "",
        "≥ 10 MB/s",
    )


def _words(n: int) -> list[str]:
    """Different words of three to six frequent characters that stand in no text."""
    signs, some = (
        "云澜县水务局通告检修停计划请市民提前储依据供管理办法规定期间消防用应急源保障",
        random.Random(7),
    )
    made: dict[str, None] = {}
    while len(made) < n:
        made["".join(some.choices(signs, k=some.randint(3, 6))) + "龘"] = None
    return list(made)


def _seconds(act: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - began) / times


# ---------------------------------------------------------------- delivery


class Counting(Engine):
    """Tells when `n` results were written."""

    def __init__(self, office: Office, n: int) -> None:
        super().__init__(office, "bench")
        self.left, self.done = n, asyncio.Event()

    def _written(self, n: int) -> None:
        super()._written(n)
        self.left -= n
        if self.left <= 0:
            self.done.set()


async def deliver_all(office: Office, n: int) -> float:
    """Seconds until `n` due deliveries have gone and their results stand in the store."""
    engine, began = Counting(office, n), time.perf_counter()
    going = asyncio.create_task(engine.step())
    await engine.done.wait()
    took = time.perf_counter() - began
    await going  # reading back, which bare posting does not do
    await engine.aclose()
    assert _all_sent(office)
    return took


def _all_sent(office: Office) -> bool:
    unsent = (DeliveryState.READY, DeliveryState.SENDING, DeliveryState.UNCERTAIN)
    with office.db.read() as conn:
        found = conn.execute(select(deliveries.c.id).where(deliveries.c.state.in_(unsent)).limit(1))
        return found.first() is None


async def post_bare(url: str, n: int, accounts: int) -> float:
    """Seconds in which bare httpx posts the same, one client an account, a connection a post."""
    limits = httpx.Limits(max_keepalive_connections=0)
    ssl_context()  # what is made once a process is made before the clock starts
    began = time.perf_counter()
    clients = [
        httpx.AsyncClient(verify=ssl_context(), limits=limits, trust_env=False)
        for _ in range(accounts)
    ]

    async def one_account(client: httpx.AsyncClient, account: int) -> None:
        headers = {"Authorization": f"Bearer token-{account + 1}"}
        for i in range(n // accounts):
            data = {"status": f"第 {i} 号公告：今日供水正常。", "visibility": "public"}
            key = {"Idempotency-Key": f"bare-{account}-{i}"}
            answer = await client.post(f"{url}/api/v1/statuses", headers=headers | key, json=data)
            answer.raise_for_status()

    await asyncio.gather(*(one_account(c, a) for a, c in enumerate(clients)))
    took = time.perf_counter() - began
    for client in clients:
        await client.aclose()
    return took


def _as_a_worker_starts() -> None:
    """What was made before is not searched for garbage again: so the worker begins, and both sides."""
    gc.collect()
    gc.freeze()


def bench_delivery(n: int = 2000, accounts: int = 100, rounds: int = 3) -> None:
    from bot.adapters.mastodon import Mastodon
    from tests.fakes import mastodon as fake

    ratios, ours_all, bare_all = [], [], []
    for _ in range(rounds):
        with fake.spawned(accounts=accounts) as server, an_office() as office:
            options = Mastodon.options_model.model_validate({"url": server.url})
            with office.db.write() as conn:
                now = office.db.now(conn)
                ids = loads.add_accounts(
                    office,
                    conn,
                    accounts,
                    "mastodon",
                    Mastodon.capabilities,
                    options.model_dump(mode="json"),
                    lambda i: f"token-{i + 1}",
                )
                loads.add_posts(conn, now, ids, [now] * n)
            _as_a_worker_starts()
            bare = n / asyncio.run(post_bare(server.url, n, accounts))
            _as_a_worker_starts()
            ours = n / asyncio.run(deliver_all(office, n))
            stored = len(server.posts())
            assert stored == 2 * n, f"{stored} posts stand, {2 * n} were sent"
        ours_all.append(ours)
        bare_all.append(bare)
        ratios.append(ours / bare)
    row(
        f"deliveries through HTTP, {accounts} accounts",
        f"{statistics.median(ours_all):.0f}/s",
        f"bare httpx {statistics.median(bare_all):.0f}/s",
        f"{statistics.median(ratios):.2f}",
        "≥ 0.8",
    )


def bench_lateness(n: int = 10_000, accounts: int = 10_000) -> None:
    """Due within one second, an adapter that does nothing: how late is each call?"""
    noop.calls.clear()
    with an_office("\n[deliver]\nconcurrency = 1000\n") as office:
        with office.db.write() as conn:
            now = office.db.now(conn)
            ids = loads.add_accounts(
                office, conn, accounts, "noop", noop.Noop.capabilities, {}, lambda i: ""
            )
            start = now + timedelta(seconds=n / 1000)
            loads.add_posts(conn, now, ids, [start + timedelta(seconds=i / n) for i in range(n)])
        asyncio.run(_until_called(office, n))
    due = [start.timestamp() + i / n for i in range(n)]
    late = sorted(at - was for at, was in zip(sorted(noop.calls), due, strict=True))
    row(
        f"{n} due in one second: lateness p50 / p99",
        f"{late[n // 2] * 1e3:.0f} / {late[int(n * 0.99)] * 1e3:.0f} ms",
        "rival 374 / 746 s*",
        "",
        "p99 ≤ 200 ms",
    )


async def _until_called(office: Office, n: int) -> None:
    """The whole worker, until all its calls were made and written."""
    from bot.worker import Worker

    stop = asyncio.Event()
    task = asyncio.create_task(Worker(office).run(stop))
    while not (len(noop.calls) >= n and _all_sent(office)):
        await asyncio.sleep(0.5)
    stop.set()
    await task


def bench_single(times: int = 15) -> None:
    """One staged post due on an idle machine: how long after its second does the call leave?"""
    from bot.worker import Worker

    noop.calls.clear()
    with an_office() as office:
        with office.db.write() as conn:
            now = office.db.now(conn)
            ids = loads.add_accounts(
                office, conn, times, "noop", noop.Noop.capabilities, {}, lambda i: ""
            )
            due = [now + timedelta(seconds=3 + i * 0.7) for i in range(times)]
            loads.add_posts(conn, now, ids, due)

        async def run() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(Worker(office).run(stop))
            await asyncio.sleep(3 + times * 0.7 + 1)
            stop.set()
            await task

        asyncio.run(run())
    late = sorted(at - was.timestamp() for at, was in zip(sorted(noop.calls), due, strict=True))
    row(
        "a single staged post due, idle: p50 / worst",
        f"{late[times // 2] * 1e3:.0f} / {late[-1] * 1e3:.0f} ms",
        "",
        "",
        "≤ 250 ms",
    )


# ---------------------------------------------------------------- footprint and start


# As on an office's machine, where a second start finds what the first one compiled.
PLAIN = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def bench_start() -> None:
    command = [sys.executable, "-m", "bot", "--help"]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=PLAIN)
        took.append(time.perf_counter() - began)
    row("gongkai --help", f"{statistics.median(took) * 1e3:.0f} ms", "", "", "≤ 200 ms")
    with tempfile.TemporaryDirectory() as folder:
        _bench_whole(Path(folder))


def _bench_whole(folder: Path) -> None:
    """The whole office in one process: when it answers, and what it weighs when idle."""
    subprocess.run([sys.executable, "-m", "bot", "init", str(folder)], check=True)
    port = _free_port()
    command = [sys.executable, "-m", "bot", "--config", str(folder / "config.toml"), "run"]
    for first, budget in ((True, ""), (False, "≤ 2 s")):
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.DEVNULL, env=PLAIN
        ) as process:
            try:
                took = _until_answered(f"http://127.0.0.1:{port}", began)
                what = (
                    "first start, schema and demo made" if first else "console answers after start"
                )
                row(what, f"{took:.2f} s", "" if first else "rival 1.33 s", "", budget)
                time.sleep(15)
                mib = _resident(process.pid)
            finally:
                process.terminate()
                process.wait(30)
    row(
        "resident, everything in one process, idle",
        f"{mib:.0f} MiB",
        "rival 306 + PG",
        "",
        "≤ 130 MiB",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_answered(base: str, began: float) -> float:
    while True:
        try:
            httpx.get(f"{base}/login", trust_env=False).raise_for_status()
            return time.perf_counter() - began
        except httpx.TransportError:
            time.sleep(0.02)


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    row("what", "ours", "peer or floor", "ratio", "budget")
    from tests import bench_replies

    bench_reading()
    bench_screening()
    bench_delivery()
    bench_lateness()
    bench_single()
    bench_replies.main()
    bench_start()


if __name__ == "__main__":
    main()
