"""The store: one text for two databases, and what a transaction promises."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from bot import db
from bot.db import EPOCH, Database, Instant, hosts, insert_id, insert_missing, micros, units
from bot.migrations import upgrade
from bot.workdays import Clock
from tests import builders, postgres
from tests.processes import together

ONLY_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
ONLY_POSTGRES = pytest.mark.parametrize(
    "url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def count(database: Database, table: Table) -> int:
    with database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


# ---------------------------------------------------------------- instants

SINCE_1970 = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(SINCE_1970)
def test_an_instant_is_kept_to_the_microsecond(at: datetime) -> None:
    assert EPOCH + timedelta(microseconds=micros(at)) == at


def test_an_instant_is_the_same_in_every_zone(database: Database) -> None:
    at = datetime(2026, 11, 24, 9, 0, 0, 1, timezone(timedelta(hours=8)))
    with database.write() as conn:
        conn.execute(insert(hosts).values(host="a", free_at=at))
    with database.read() as conn:
        back = conn.execute(select(hosts.c.free_at)).scalar_one()
        assert back == at
        assert back.utcoffset() == timedelta(0)
        assert conn.execute(text("select free_at from hosts")).scalar_one() == micros(at)
        assert conn.execute(select(hosts).where(hosts.c.free_at == at)).first()


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with database.write() as conn, pytest.raises(StatementError, match="offset-naive"):
        conn.execute(insert(hosts).values(host="a", free_at=datetime(2026, 11, 24)))


def test_every_instant_of_the_schema_has_the_one_column_type() -> None:
    named = [
        column
        for table in db.metadata.tables.values()
        for column in table.c
        if column.name == "at" or column.name.endswith(("_at", "_until"))
    ]
    assert len(named) > 50
    assert [str(column) for column in named if not isinstance(column.type, Instant)] == []


# ---------------------------------------------------------------- transactions


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    def halfway() -> None:
        with database.write() as conn:
            conn.execute(insert(hosts).values(host="a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        halfway()
    assert count(database, hosts) == 0


def test_a_reading_block_sees_one_picture(database: Database) -> None:
    def write(host: str) -> None:
        with database.write() as conn:
            conn.execute(insert(hosts).values(host=host))

    write("before")
    with database.read() as conn, ThreadPoolExecutor(1) as other:
        seen = conn.execute(select(func.count()).select_from(hosts)).scalar_one()
        other.submit(write, "meanwhile").result(10)  # and the reader keeps no writer waiting
        assert conn.execute(select(func.count()).select_from(hosts)).scalar_one() == seen == 1
    assert count(database, hosts) == 2


@ONLY_POSTGRES
def test_a_reading_block_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only"), database.read() as conn:
        conn.execute(insert(hosts).values(host="a"))
    with database.write() as conn:  # and the connection comes back as it was
        conn.execute(insert(hosts).values(host="a"))


def test_writers_side_by_side_lose_nothing(database: Database) -> None:
    """8 threads whose transactions read and add one: no lock error, no lost update.

    400 rounds each were tried too (3 s on SQLite, 4 s on PostgreSQL).
    """
    with database.write() as conn:
        unit = builders.unit(conn, "county")
        conn.execute(insert(db.audit_heads).values(id=2, number=0, digest=""))
    head = db.audit_heads.c

    def adds(rounds: int) -> None:
        for _ in range(rounds):
            with database.write() as conn:
                db.lock(conn, units, [unit])
                number = conn.execute(select(head.number).where(head.id == 2)).scalar_one()
                conn.execute(update(db.audit_heads).where(head.id == 2).values(number=number + 1))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(adds, 50) for _ in range(8)]:
            done.result(60)
    with database.read() as conn:
        assert conn.execute(select(head.number).where(head.id == 2)).scalar_one() == 400


@ONLY_SQLITE
def test_every_connection_is_durable_and_keeps_keys(database: Database) -> None:
    def pragmas(_: int) -> tuple[object, ...]:
        with database.read() as conn:
            barrier.wait(10)
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            return tuple(conn.execute(text(f"pragma {name}")).scalar_one() for name in names)

    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(pragmas, range(4))) == {("wal", 2, 1, 30000)}


def test_a_row_cannot_name_one_that_is_not_there(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as conn:
        insert_id(conn, units, {"key": "lost", "parent_id": 404})


WRITER = """
import sys
from sqlalchemy import insert
from bot.db import Database, hosts
database = Database(sys.argv[1])
for n in range(100_000):
    with database.write() as conn:
        conn.execute(insert(hosts).values(host=str(n)))
    print(n, flush=True)
"""


def test_what_was_committed_survives_a_kill(database: Database, url: str) -> None:
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for _ in range(50):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        told = 50 + len(writer.stdout.read().splitlines())
    assert told <= count(database, hosts) <= told + 1


# ---------------------------------------------------------------- opening


def test_a_bare_path_is_an_sqlite_file_and_its_folder_is_made(tmp_path: Path) -> None:
    with closing(Database((tmp_path / "deep" / "in.db").as_posix())) as made:
        assert made.sqlite
        upgrade(made)
    assert (tmp_path / "deep" / "in.db").stat().st_size > 0


def test_postgresql_is_spoken_to_through_psycopg() -> None:
    with closing(Database("postgresql://office:pw@db.invalid/gongkai")) as made:
        assert made.url.drivername == "postgresql+psycopg"
        assert not made.sqlite
        assert "pw" not in repr(made.url)


OPENER = """
import sys
from bot.db import Database, hosts
from sqlalchemy import insert
BEGIN
database = Database(sys.argv[1])
with database.write() as conn:
    conn.exec_driver_sql("create table if not exists hosts (host text, free_at integer)")
    conn.execute(insert(hosts).values(host=sys.argv[2]))
"""


def test_several_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    file = (tmp_path / "new.db").as_posix()
    with together(OPENER, *((file, str(n)) for n in range(4))) as openers:
        pass
    assert [opener.returncode for opener in openers] == [0] * 4
    with closing(Database(file)) as database:
        assert count(database, hosts) == 4


@pytest.mark.postgres
def test_a_restart_of_the_server_is_survived() -> None:
    try:
        with postgres.cluster(fsync=True) as server:
            database = Database(server.url())
            with closing(database):
                upgrade(database)
                with database.write() as conn:
                    conn.execute(insert(hosts).values(host="a"))
                server.stop(signal.SIGQUIT)
                with pytest.raises(DBAPIError), database.write():
                    pass
                server.start()
                assert count(database, hosts) == 1
    except postgres.Unavailable as why:
        pytest.skip(f"no PostgreSQL: {why}")


# ---------------------------------------------------------------- the clock


def test_a_fixed_clock_rules_on_either_database(database: Database) -> None:
    with database.read() as conn:
        assert database.now(conn) == database.now() == builders.NOW


class Slow(Clock):
    """A machine whose clock is ten minutes behind."""

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(minutes=10)


def test_on_postgresql_the_database_says_what_time_it_is(url: str) -> None:
    with closing(Database(url, Slow())) as database, database.read() as conn:
        first, behind = database.now(conn), datetime.now(UTC) - timedelta(minutes=5)
        assert (first < behind) is database.sqlite
        assert first.tzinfo is UTC
        time.sleep(0.01)
        assert database.now(conn) > first  # also within one transaction


# ---------------------------------------------------------------- small tools


def test_insert_missing_leaves_what_stands(database: Database) -> None:
    with database.write() as conn:
        insert_missing(conn, hosts, [{"host": "a", "free_at": EPOCH}])
        insert_missing(conn, hosts, [{"host": h, "free_at": None} for h in ("a", "b")])
        insert_missing(conn, hosts, [])
    with database.read() as conn:
        rows = conn.execute(select(hosts).order_by(hosts.c.host)).all()
    assert rows == [("a", EPOCH), ("b", None)]


@ONLY_POSTGRES
def test_locked_rows_are_kept_from_the_other_side(database: Database) -> None:
    with database.write() as conn:
        unit = builders.unit(conn, "county")

    def waits(share: bool) -> bool:
        with database.write() as conn:
            conn.execute(text("set local lock_timeout = '50ms'"))
            try:
                db.lock(conn, units, [unit], share=share)
            except DBAPIError:
                return True
            return False

    def beside(mine: bool, theirs: bool) -> bool:
        with database.write() as conn, ThreadPoolExecutor(1) as other:
            db.lock(conn, units, [unit], share=mine)
            return other.submit(waits, theirs).result(10)

    kinds: list[tuple[bool, bool]] = [(True, True), (True, False), (False, True), (False, False)]
    assert [beside(*kind) for kind in kinds] == [False, True, True, True]


@ONLY_SQLITE
def test_a_full_disk_is_known_for_what_it_is(database: Database) -> None:
    def fill() -> None:
        with database.write() as conn:
            pages = conn.execute(text("pragma page_count")).scalar_one()
            conn.execute(text(f"pragma max_page_count={pages}"))
            conn.execute(insert(hosts).values(host="长" * 1_000_000))

    with pytest.raises(DBAPIError) as full:
        fill()
    assert db.disk_full(full.value)
    assert not db.disk_full(ValueError("disk is full"))
    assert db.disk_full(OSError(28, "No space left on device"))


def test_nothing_is_written_twice_under_a_unique_key(database: Database) -> None:
    def again(write: Callable[[], None]) -> bool:
        try:
            write()
        except IntegrityError:
            return False
        return True

    def write() -> None:
        with database.write() as conn:
            builders.unit(conn, "county")

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(again, [write] * 4)) == 1
