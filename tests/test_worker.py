"""The worker: everything that is due and what follows from it; a bad turn ends nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from bot import audit, lease, review
from bot import worker as worker_module
from bot.config import load
from bot.db import (
    accounts,
    attempts,
    audits,
    deliveries,
    insert_id,
    items,
    notices,
    occurrences,
    posts,
    sources,
    workers,
)
from bot.language import Say
from bot.model import DeliveryState, ItemState, Outcome, PostState
from bot.notices import open_notice
from bot.office import Office
from bot.workdays import FixedClock
from bot.worker import Worker
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.fakes.smtp import Smtp
from tests.offices import Notice, both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
MORE = """
[sources.notices]
unit = "county"
url = "feed.xml"
first_poll = "all"
accounts = ["m"]
[accounts.m]
unit = "county"
adapter = "mastodon"
[accounts.m.options]
url = "{url}"
"""


def once(office: Office) -> None:
    asyncio.run(Worker(office).once())


@pytest.fixture
def desk(office: Office, platform: tuple[Mastodon, Server], clock: FixedClock) -> Office:
    """A feed of two notices, an account on a platform, a signer who trusts the source."""
    _, server = platform
    made = offices.declared(office, MORE.format(url=server.url))
    feed = made.config.path.parent / "feed.xml"
    two = [Notice(f"第{n}号", clock.now() - timedelta(hours=n)) for n in (1, 2)]
    feed.write_text(offices.rss(two), "utf-8")
    with made.db.write() as conn:
        conn.execute(update(accounts).values(credential=made.secrets.seal("token-1")))
        lin, soon = builders.actor(conn, "lin"), clock.now() + timedelta(days=1)
        review.grant_standing(made, conn, clock.now(), lin, "notices", ends=soon, daily_max=9)
    return made


@contextmanager
def stuck(office: Office, *tables: str) -> Iterator[None]:
    """The store refuses every change of these tables' rows while the block lasts."""
    for table in tables:
        refuse = f"create trigger stuck_{table} before update on {table} begin {{}} end"
        with office.db.write() as conn:
            conn.exec_driver_sql(refuse.format("select raise(abort, 'stuck');"))
    yield
    with office.db.write() as conn:
        for table in tables:
            conn.exec_driver_sql(f"drop trigger stuck_{table}")


# ---------------------------------------------------------------- once


@both
def test_once_does_all_that_is_due_and_what_follows_from_it(
    desk: Office, platform: tuple[Mastodon, Server]
) -> None:
    """Account checked, feed read, drafts made and signed by trust, planned, sent, put on record."""
    once(desk)
    fake, _ = platform
    assert {p["text"].partition("】")[2][:3] for p in fake.posts()} == {"第1号", "第2号"}
    assert {row["state"] for row in rows(desk, items)} == {ItemState.COMPOSED}
    assert {row["state"] for row in rows(desk, posts)} == {PostState.APPROVED}
    assert {row["state"] for row in rows(desk, deliveries)} == {S.SENT}
    assert all(row["number"] for row in rows(desk, audits)), "sealed"
    assert audit.anchors(desk.anchor)[-1]["number"] == len(rows(desk, audits))
    assert told(desk) == []


def test_once_more_does_nothing_more(desk: Office, platform: tuple[Mastodon, Server]) -> None:
    once(desk)
    fake, _ = platform
    before = len(fake.posts()), len(rows(desk, attempts))
    once(desk)
    assert (len(fake.posts()), len(rows(desk, attempts))) == before


def test_once_leaves_the_others_their_turn_when_one_stage_cannot_work(
    desk: Office, platform: tuple[Mastodon, Server]
) -> None:
    with desk.db.write() as conn:
        row = {"schedule": "x", "at": desk.db.now(conn), "state": "planned"}
        conn.execute(insert(occurrences).values(**row, due_at=desk.db.now(conn)))
    with stuck(desk, "occurrences", "watches"):
        once(desk)
    fake, _ = platform
    assert len(fake.posts()) == 2
    assert any("内部错误" in said for said in told(desk))


# ---------------------------------------------------------------- for ever


async def running(
    office: Office, *until: Callable[[], bool], then: Callable[[], Awaitable[None]]
) -> None:
    """A worker, until all these are true in turn, a minute at most; after the first, `then`."""
    stop = asyncio.Event()
    work = asyncio.create_task(Worker(office).run(stop))
    try:
        async with asyncio.timeout(60):
            for n, condition in enumerate(until):
                while not await asyncio.to_thread(condition):
                    await asyncio.sleep(0.05)
                    office.db.clock.move(0.2)  # type: ignore[attr-defined]
                if n == 0:
                    await then()
    finally:
        stop.set()
        await work


@both
def test_a_running_worker_takes_up_what_others_write(
    desk: Office, platform: tuple[Mastodon, Server]
) -> None:
    """Somebody signs at the console while the worker sleeps."""
    fake, _ = platform
    post: list[int] = []

    async def _sign() -> None:
        post.append(await asyncio.to_thread(_signed))

    def _signed() -> int:
        made = builders.draft(desk, ["m"], "刚签的。")
        builders.sign(desk, made)
        return made

    asyncio.run(
        running(
            desk,
            lambda: len(fake.posts()) == 2,
            lambda: any(p["text"] == "刚签的。" for p in fake.posts()),
            then=_sign,
        )
    )
    assert builders.only(desk, post[0])["state"] == S.SENT


def test_a_schedule_is_picked_up_without_a_restart(desk: Office) -> None:
    worker = Worker(desk)
    worker._plan_schedules()
    assert rows(desk, occurrences) == []
    folder = desk.config.path.parent / "schedules"
    folder.mkdir()
    (folder / "daily.toml").write_text(
        'name = "晨间"\nunit = "county"\naccounts = ["m"]\n[[when]]\nhour = "8"\n', "utf-8"
    )
    worker._plan_schedules()
    assert len(rows(desk, occurrences)) == 2
    (folder / "wrong.toml").write_text("name = ", "utf-8")
    for _ in range(2):
        worker._plan_schedules()
    assert ["wrong.toml" in said for said in told(desk)] == [True]
    (folder / "wrong.toml").unlink()
    worker._plan_schedules()
    assert told(desk) == []
    asyncio.run(worker.engine.aclose())


def test_a_bad_turn_is_told_once_stops_no_other_and_ends_when_it_goes_well(
    desk: Office, platform: tuple[Mastodon, Server]
) -> None:
    fake, _ = platform

    def _trouble() -> bool:
        return any("内部错误" in said for said in told(desk))

    with ExitStack() as held:
        held.enter_context(stuck(desk, "watches", "sources"))

        async def _mend() -> None:
            await asyncio.sleep(2.5)
            assert _trouble(), "other stages have had good turns: it stands all the same"
            await asyncio.to_thread(held.close)

        well = (_trouble, lambda: not _trouble(), lambda: len(fake.posts()) == 2)
        asyncio.run(running(desk, *well, then=_mend))
    assert len([row for row in rows(desk, notices) if row["key"].startswith("worker:")]) == 1


def test_what_lasts_is_logged_once_and_again_when_it_comes_back(
    desk: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that stays full is met at every turn: its log must not fill what is left of it."""
    worker = Worker(desk)

    async def _turns() -> None:
        for _ in range(3):
            await worker._trouble(worker._beat, OSError(errno.ENOSPC, "No space left"), 0)
        await worker._over(worker._beat)
        await worker._trouble(worker._beat, OSError(errno.ENOSPC, "No space left"), 0)
        await worker.engine.aclose()

    asyncio.run(_turns())
    assert ["磁盘已满" in said for said in caplog.messages] == [True, True]


def test_people_are_told_past_a_store_that_takes_nothing_and_of_its_end(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full before anybody was warned: its notice cannot be written down."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(worker_module, "MUTE", 1)
    full = "begin select raise(fail, 'database or disk is full'); end"
    with desk.db.write() as conn:
        conn.exec_driver_sql(f"create trigger full before insert on notices {full}")
    with Smtp() as smtp:
        lines = '\n[notices.{key}]\nto = "{key}@yunlan.example.cn"\nserver = "127.0.0.1:{port}"\n'
        file = desk.config.path
        more = "".join(lines.format(key=key, port=smtp.port) for key in ("duty", "other"))
        file.write_text(file.read_text("utf-8") + more + 'kinds = ["review"]\n', "utf-8")
        worker = Worker(Office(load(file), desk.db))

        async def _turns() -> None:
            for pause in (0.0, 1.1, 0.0, 0.0):
                await worker._trouble(worker._seal, OSError(errno.ENOSPC, "No space left"), pause)
            await worker._over(worker._seal)  # which may have had nothing to write
            assert len(smtp.mails) == 1
            await worker._over(worker._beat)
            await worker.engine.aclose()

        asyncio.run(_turns())
        assert {mail.to for mail in smtp.mails} == {("duty@yunlan.example.cn",)}
        subjects = [mail.subject for mail in smtp.mails]
    said = "磁盘已满，暂停工作；腾出空间后自动恢复，什么都没有丢"
    assert subjects == [f"【公开提醒】{said}", f"【公开提醒】已结束：{said}"]


def test_a_worker_that_starts_begins_with_no_trouble(desk: Office) -> None:
    with desk.db.write() as conn:
        open_notice(conn, desk.db.now(conn), "worker:磁盘已满", Say("磁盘已满"))
    once(desk)
    assert told(desk) == []


# ---------------------------------------------------------------- coming and going


def test_a_worker_says_that_it_lives(desk: Office, clock: FixedClock) -> None:
    worker = Worker(desk)
    worker._enter()
    (row,) = rows(desk, workers)
    assert (row["id"], row["host"], row["pid"]) == (worker.id, socket.gethostname(), os.getpid())
    assert (row["beat_at"], row["stopped_at"]) == (clock.now(), None)
    clock.move(30)
    worker._beat()
    (row,) = rows(desk, workers)
    assert row["beat_at"] == clock.now()
    assert row["started_at"] < row["beat_at"]
    worker._leave()
    assert rows(desk, workers)[0]["stopped_at"] == clock.now()
    asyncio.run(worker.engine.aclose())


def _ended() -> int:
    """The number of a process that is no more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def _worker(office: Office, name: str, pid: int, host: str = "") -> None:
    with office.db.write() as conn:
        now = office.db.now(conn)
        row = {"id": name, "host": host or socket.gethostname(), "pid": pid}
        conn.execute(insert(workers).values(**row, started_at=now, beat_at=now))


def _sending(office: Office, worker: str, until: datetime) -> int:
    """A delivery that a worker has begun to send."""
    post = builders.signed(office, ["m"])
    delivery = int(builders.only(office, post)["id"])
    with office.db.write() as conn:
        row = {"delivery_id": delivery, "begun_at": office.db.now(conn), "worker": worker}
        conn.execute(insert(attempts).values(**row))
        mine = update(deliveries).where(deliveries.c.id == delivery)
        conn.execute(mine.values(state=S.SENDING, lease=f"{worker}/x", leased_until=until))
    return delivery


@both
def test_what_a_dead_worker_of_this_machine_had_begun_is_let_go_at_once(
    desk: Office, clock: FixedClock
) -> None:
    later = clock.now() + timedelta(hours=1)
    with desk.db.write() as conn:
        conn.execute(update(accounts).values(identity="x/1", due_at=None))
    _worker(desk, "dead", _ended())
    _worker(desk, "alive", os.getppid())
    _worker(desk, "elsewhere", _ended(), host="another machine")
    begun = {name: _sending(desk, name, later) for name in ("dead", "alive", "elsewhere")}
    with desk.db.write() as conn:
        source = conn.execute(sources.select()).mappings().one()["id"]
        held = {"lease": "dead/y", "leased_until": later}
        row = {"source_id": source, "key": "k", "state": ItemState.NEW, "due_at": clock.now()}
        item = insert_id(conn, items, {**row, **held, "seen_at": clock.now()})
    worker = Worker(desk)
    worker._enter()
    asyncio.run(worker.engine.start_due())
    asyncio.run(worker.engine.aclose())
    by_id = {row["id"]: row for row in rows(desk, deliveries)}
    states = {name: by_id[one]["state"] for name, one in begun.items()}
    assert states == {"dead": S.UNCERTAIN, "alive": S.SENDING, "elsewhere": S.SENDING}
    (attempt,) = (r for r in rows(desk, attempts) if r["delivery_id"] == begun["dead"])
    assert attempt["outcome"] == Outcome.UNKNOWN
    with desk.db.write() as conn:
        now = clock.now() + timedelta(seconds=1)
        assert [r["id"] for r in lease.claim(conn, items, now, 9)] == [item]
    by_worker = {row["id"]: row["stopped_at"] for row in rows(desk, workers)}
    assert by_worker["dead"] == clock.now()
    assert by_worker["alive"] is by_worker["elsewhere"] is None


def test_a_process_that_restarts_under_the_same_number_is_not_taken_for_the_one_before(
    desk: Office, clock: FixedClock
) -> None:
    """In a container the worker is always process 1."""
    _worker(desk, "before", os.getpid())
    worker = Worker(desk)
    worker._enter()
    by_worker = {row["id"]: row["stopped_at"] for row in rows(desk, workers)}
    assert by_worker == {"before": clock.now(), worker.id: None}
    asyncio.run(worker.engine.aclose())
