"""Promise 3: nothing is lost. Workers killed at each named point, a full disk, a torn log, a store
that restarts: afterwards every post is where it was, or further on.

The disk is full by a limit on file sizes set on the running worker (RLIMIT_FSIZE): SQLite's writes
fail as they do on a full one. A power cut is simulated by cutting and spoiling SQLite's log beyond
the last commit that had returned.
"""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bot.config import load
from bot.db import attempts, deliveries, notices, renditions
from bot.deliver import plan
from bot.language import Say
from bot.model import DeliveryState, Outcome
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, postgres, storm
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.storm import Reckoning, Spec, Storm, Weather
from tests.storm_worker import POINTS, Order

S = DeliveryState
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
CALM = Spec(posts=0, accounts=8, kills=0, late=0, disturb=False, lag=0)


class Scene:
    """An office, a platform in good order, workers at hand."""

    def __init__(self, office: Office, fake: Mastodon, weather: Weather, server: Server) -> None:
        self.office, self.fake, self.weather = office, fake, weather
        self.to = storm.connect(office, CALM.accounts, server.url)
        self.storm = Storm(office, CALM, fake, weather, "scene")
        self.nursery = self.storm.nursery

    def posts(self, n: int, spread: float = 0.0) -> None:
        """`n` signed posts, due over `spread` seconds from now."""
        now = self.office.db.now()
        at = [now + timedelta(seconds=spread * i / n) for i in range(n)]
        for post in storm.add(self.office, self.to, at):
            self.storm.texts[post] = f"第 {post} 号公告：今日供水正常。"

    def worker(self, **how: Any) -> int:
        return self.nursery.start(Order(str(self.office.config.path), **how))

    def count(self, state: DeliveryState) -> int:
        with self.office.db.read() as conn:
            many = select(func.count()).where(deliveries.c.state == state)
            return int(conn.execute(many).scalar_one())

    def reckon(self) -> list[str]:
        """Once all are sent and the workers have ended: what is wrong."""
        until(lambda: self.count(S.SENT) == len(self.storm.texts), 60)
        self.nursery.end()
        Reckoning(self.storm).make()
        return self.storm.tally.faults


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.03)


@contextmanager
def scene_at(url: str, home: Path) -> Iterator[Scene]:
    with (
        storm.office_at(url, home) as office,
        storm.platform(CALM.accounts) as (fake, weather, server),
    ):
        made = Scene(office, fake, weather, server)
        try:
            yield made
        finally:
            made.nursery.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with scene_at(f"sqlite:///{tmp_path / 'gongkai.db'}", tmp_path) as made:
        yield made


# ---------------------------------------------------------------- kill -9


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_killed_once_at_every_named_point_nothing_is_lost_or_doubled(scene: Scene) -> None:
    scene.posts(120, spread=4)
    for point in [*POINTS, "before settle", "after the attempt's commit"]:
        worker = scene.worker(die=point)
        until(lambda: worker not in scene.nursery.living())  # noqa: B023
    for name in ("kill_at_last_byte", "kill_after_storing"):
        worker = scene.worker()
        setattr(scene.weather, name, 1)
        until(lambda: worker not in scene.nursery.living())  # noqa: B023
    scene.worker()
    assert scene.reckon() == []


# ---------------------------------------------------------------- the disk is full


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_a_full_disk_stops_the_work_and_loses_nothing(scene: Scene) -> None:
    scene.posts(150, spread=5)
    worker = scene.worker()
    until(lambda: len(scene.weather.arrivals) > 20)
    log = Path(f"{scene.office.db.url.database}-wal").stat().st_size
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (log, resource.RLIM_INFINITY))
    time.sleep(1.5)
    stuck = len(scene.weather.arrivals)
    time.sleep(0.5)
    assert len(scene.weather.arrivals) == stuck, "it calls though nothing can be written"
    assert worker in scene.nursery.living()
    resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
    assert scene.reckon() == []
    with scene.office.db.read() as conn:
        outcomes = set(conn.execute(select(attempts.c.outcome)).scalars())
    assert outcomes <= {Outcome.SENT, Outcome.LATER}, "a result was dropped as the disk was full"


# ---------------------------------------------------------------- the power is cut


HEADER, FRAME = 32, 24  # bytes, of SQLite's log and of each frame in it


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_whatever_a_power_cut_leaves_of_the_log_each_call_had_its_attempt(
    scene: Scene, tmp_path: Path
) -> None:
    scene.posts(80, spread=2)
    synced = tmp_path / "synced"
    worker = scene.worker(synced=str(synced))
    until(lambda: len(scene.weather.arrivals) > 30)
    scene.weather.kill_at_last_byte = 1
    until(lambda: worker not in scene.nursery.living())
    called = {arrival.key for arrival in scene.weather.arrivals}
    file = Path(str(scene.office.db.url.database))
    whole = Path(f"{file}-wal").read_bytes()
    commits = [int(line) for line in synced.read_text().split()]
    for n, left in enumerate(_leftovers(whole, commits[-1])):
        copy = tmp_path / "cut" / f"{n}.db"
        assert called <= _attempted(file, left, copy), f"cut {n}"
    earlier = [size for size in sorted(set(commits)) if size < commits[-1]]
    before = _attempted(file, whole[: earlier[len(earlier) // 2]], tmp_path / "cut" / "early.db")
    assert not called <= before, "the test would not see a lost commit"


def _leftovers(whole: bytes, synced: int) -> Iterator[bytes]:
    """What may be on the disk after the cut: all that was synced, of the rest any part, or nonsense."""
    page = struct.unpack(">I", whole[8:12])[0]
    assert (synced - HEADER) % (page + FRAME) == 0
    rest = whole[synced:] + whole[HEADER : HEADER + 3 * (page + FRAME)]  # old frames: wrong salts
    yield whole[:synced]
    for boundary in range(0, len(rest), page + FRAME):
        for cut in (boundary, boundary + FRAME, boundary + FRAME + page // 2):
            yield whole[:synced] + rest[:cut]
    yield whole[:synced] + bytes(page)
    yield whole[:synced] + b"\xff" * (page + FRAME)


def _attempted(file: Path, log: bytes, copy: Path) -> set[str]:
    """The keys of the deliveries with an attempt, in a copy of the store with this log."""
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(file, copy)
    Path(f"{copy}-wal").write_bytes(log)
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
        rows = conn.execute(
            "select key from deliveries d join attempts a on a.delivery_id = d.id"
        ).fetchall()
    return {key for (key,) in rows}


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_after_a_power_cut_the_store_goes_on_to_the_end(scene: Scene, tmp_path: Path) -> None:
    scene.posts(60, spread=1)
    synced = tmp_path / "synced"
    worker = scene.worker(synced=str(synced))
    until(lambda: len(scene.weather.arrivals) > 25)
    scene.weather.kill_after_storing = 1
    until(lambda: worker not in scene.nursery.living())
    file, size = Path(str(scene.office.db.url.database)), int(synced.read_text().split()[-1])
    log = Path(f"{file}-wal")
    left = {file: file.read_bytes(), log: log.read_bytes()[:size] + b"\0" * 1000}
    scene.office.db.close()  # which tidies the log away
    for path, content in left.items():
        path.write_bytes(content)
    scene.worker()
    assert scene.reckon() == []


# ---------------------------------------------------------------- the database restarts


@pytest.mark.storm
@pytest.mark.postgres
@pytest.mark.xdist_group("storm")
def test_a_restart_of_the_database_loses_nothing(tmp_path: Path) -> None:
    try:
        with postgres.cluster(fsync=True) as cluster:
            _restarted(cluster, tmp_path, signal.SIGKILL)
    except postgres.Unavailable as why:
        pytest.skip(f"no PostgreSQL: {why}")


def _restarted(cluster: postgres.Cluster, home: Path, how: signal.Signals) -> None:
    with scene_at(cluster.url(), home) as scene:
        scene.posts(100, spread=3)
        for n in (1, 2):
            scene.worker(host=f"machine-{n}")
        until(lambda: len(scene.weather.arrivals) > 30)
        cluster.stop(how)
        time.sleep(0.5)
        cluster.start()
        assert scene.reckon() == []


# ---------------------------------------------------------------- one bad row


@here
def test_a_post_that_cannot_be_planned_stops_no_other_and_is_told(
    office: Office, platform: tuple[Mastodon, Server], clock: FixedClock
) -> None:
    builders.account(office, "a1", platform[1].url, 1)
    bad, good = (
        builders.draft(office, ["a1"], "坏的一篇。"),
        builders.draft(office, ["a1"], "好的一篇。"),
    )
    for post in (bad, good):
        builders.sign(office, post)
    with office.db.write() as conn:
        first = select(func.min(renditions.c.id)).scalar_subquery()
        conn.execute(update(renditions).where(renditions.c.id == first).values(payload=None))
    plan.plan_due(office)
    builders.work(office)
    assert [p["text"] for p in platform[0].posts()] == ["好的一篇。"]
    for _ in range(5):
        clock.move(3600)
        plan.plan_due(office)
    with office.db.read() as conn:
        said = [str(Say.of(s)) for s in conn.execute(select(notices.c.say)).scalars()]
    assert any("内部出错" in words for words in said)


@here
def test_an_account_whose_secret_cannot_be_opened_breaks_with_nothing_called(
    office: Office, platform: tuple[Mastodon, Server], clock: FixedClock
) -> None:
    """The key file is another than the one it was sealed with."""
    server = platform[1]
    builders.account(office, "a1", server.url, 1)
    post = builders.signed(office, ["a1"], "密钥不符。")
    office.config.place(office.config.secret_key_file).unlink()
    elsewhere = Office(load(office.config.path), office.db)
    elsewhere.secrets.seal("makes another key")
    builders.work(elsewhere)
    row = builders.only(office, post)
    assert (row["state"], server.requests) == (S.READY, 0)
    assert [a["outcome"] for a in builders.attempts_at(office, row["id"])] == [Outcome.BROKEN]
    assert "密钥" in str(Say.of(row["reason"]))
