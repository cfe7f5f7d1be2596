"""Who holds a row: claims, settlements, and real processes that are slow or killed."""

from __future__ import annotations

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import RowMapping, insert, select, update

from bot import lease
from bot.db import Database, items, occurrences
from tests.builders import NOW
from tests.processes import together

MINUTE = timedelta(minutes=1)


def put(database: Database, *dues: datetime | None, **values: Any) -> None:
    """Occurrences due then."""
    with database.write() as conn:
        for n, due in enumerate(dues):
            row = {"schedule": f"s{n}", "at": NOW, "due_at": due, "state": "ready", **values}
            conn.execute(insert(occurrences).values(**row))


def claim(database: Database, now: datetime = NOW, n: int = 10, **more: Any) -> list[RowMapping]:
    with database.write() as conn:
        return lease.claim(conn, occurrences, now, n, **more)


def settle(
    database: Database, row: RowMapping, due_at: datetime | None = None, **values: Any
) -> bool:
    with database.write() as conn:
        return lease.settle(conn, occurrences, row, due_at, **values)


def rows(database: Database) -> list[RowMapping]:
    with database.read() as conn:
        return list(conn.execute(select(occurrences).order_by(occurrences.c.id)).mappings())


# ---------------------------------------------------------------- claiming


def test_the_oldest_due_come_first_and_no_more_than_asked(database: Database) -> None:
    put(database, NOW, NOW - 2 * MINUTE, NOW + MINUTE, None, NOW - MINUTE, NOW - MINUTE)
    taken = claim(database, n=3)
    assert [row["schedule"] for row in taken] == ["s1", "s4", "s5"]
    assert [row["schedule"] for row in claim(database)] == ["s0"]
    assert claim(database) == []


def test_a_claimed_row_carries_its_token_and_everything_else(database: Database) -> None:
    put(database, NOW, reason={"text": "原因", "values": {}})
    (row,) = claim(database, hold=5 * MINUTE)
    assert row["leased_until"] == NOW + 5 * MINUTE
    assert row["reason"]["text"] == "原因"
    assert row["lease"] == rows(database)[0]["lease"]
    assert row["tries"] == 0


def test_a_claim_takes_only_what_it_is_told_to(database: Database) -> None:
    put(database, NOW, NOW)
    with database.write() as conn:
        taken = lease.claim(conn, occurrences, NOW, 10, occurrences.c.schedule == "s1")
    assert [row["schedule"] for row in taken] == ["s1"]


def test_a_held_row_is_free_again_when_its_lease_ends(database: Database) -> None:
    put(database, NOW)
    (first,) = claim(database, hold=MINUTE)
    assert claim(database, NOW + MINUTE - timedelta(microseconds=1)) == []
    (second,) = claim(database, NOW + MINUTE)
    assert second["lease"] != first["lease"]


def test_two_claims_at_once_share_no_row(database: Database) -> None:
    put(database, *[NOW] * 40)
    with ThreadPoolExecutor(4) as pool:
        batches = [pool.submit(claim, database, NOW, 7) for _ in range(12)]
        taken = [row["id"] for batch in batches for row in batch.result(30)]
    assert len(taken) == len(set(taken)) == 40


@pytest.mark.parametrize(
    "url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_a_claim_waits_for_no_other(database: Database) -> None:
    put(database, NOW, NOW + timedelta(microseconds=1))
    with database.write() as conn, ThreadPoolExecutor(1) as other:
        (mine,) = lease.claim(conn, occurrences, NOW + MINUTE, 1)
        theirs = other.submit(claim, database, NOW + MINUTE, 2).result(5)
    assert (mine["schedule"], [row["schedule"] for row in theirs]) == ("s0", ["s1"])


# ---------------------------------------------------------------- settling


def test_settling_writes_the_result_and_lets_go(database: Database) -> None:
    put(database, NOW)
    (row,) = claim(database)
    assert settle(database, row, NOW + MINUTE, state="done")
    (after,) = rows(database)
    assert (after["state"], after["due_at"]) == ("done", NOW + MINUTE)
    assert (after["lease"], after["leased_until"], after["tries"]) == (None, None, 0)


def test_whoever_lost_his_lease_changes_nothing(database: Database) -> None:
    put(database, NOW)
    (slow,) = claim(database, hold=MINUTE)
    (quick,) = claim(database, NOW + MINUTE)
    assert not settle(database, slow, state="slow")
    assert rows(database)[0]["state"] == "ready"
    assert settle(database, quick, state="quick")
    assert not settle(database, quick, state="again")
    assert not settle(database, slow, state="slow")
    assert rows(database)[0]["state"] == "quick"


def test_a_lease_that_ended_but_was_taken_by_nobody_may_still_be_settled(
    database: Database,
) -> None:
    put(database, NOW)
    (row,) = claim(database, hold=MINUTE)
    assert settle(database, row, state="late")


def test_a_row_that_was_taken_out_of_a_workers_hands_is_lost_to_it(database: Database) -> None:
    put(database, NOW)
    (row,) = claim(database)
    with database.write() as conn:
        conn.execute(update(occurrences).values(lease=None, leased_until=None, state="stopped"))
    assert not settle(database, row, state="done")
    assert rows(database)[0]["state"] == "stopped"


# ---------------------------------------------------------------- handlers that raise


def test_a_row_that_raises_waits_longer_each_time_then_for_a_person(database: Database) -> None:
    put(database, NOW)
    now, waits = NOW, []
    for _ in range(9):
        (row,) = claim(database, now)
        with database.write() as conn:
            again = lease.postpone(conn, occurrences, row, now, limit=9)
        due = rows(database)[0]["due_at"]
        if due is None:
            break
        assert again
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [5, 30, 120, 600, 1800, 3600, 3600, 3600]
    assert not again
    (row,) = rows(database)
    assert (row["tries"], row["lease"], row["due_at"]) == (9, None, None)


def test_success_forgets_the_tries(database: Database) -> None:
    put(database, NOW, tries=3)
    (row,) = claim(database)
    settle(database, row, NOW)
    assert rows(database)[0]["tries"] == 0


def test_waiting_for_its_time_is_no_try(database: Database) -> None:
    put(database, NOW, tries=2)
    (row,) = claim(database)
    settle(database, row, NOW + MINUTE, tries=row["tries"])
    assert rows(database)[0]["tries"] == 2


def test_postponing_a_lost_row_does_nothing(database: Database) -> None:
    put(database, NOW)
    (slow,) = claim(database, hold=MINUTE)
    claim(database, NOW + MINUTE)
    with database.write() as conn:
        assert not lease.postpone(conn, occurrences, slow, NOW, limit=5)
    assert rows(database)[0]["tries"] == 0


# ---------------------------------------------------------------- until when a worker may sleep


def next_due(database: Database, now: datetime = NOW) -> datetime | None:
    with database.read() as conn:
        return lease.look(conn, now, {occurrences: now, items: now})[0]


def test_a_worker_sleeps_until_the_next_row_or_the_end_of_a_lease(database: Database) -> None:
    assert next_due(database) is None
    put(database, None, NOW + 3 * MINUTE, NOW + 2 * MINUTE)
    assert next_due(database) == NOW + 2 * MINUTE
    claim(database, NOW + 2 * MINUTE, n=1, hold=30 * MINUTE)
    assert next_due(database) == NOW + 3 * MINUTE
    claim(database, NOW + 3 * MINUTE, n=1, hold=MINUTE)
    assert next_due(database) == NOW + 4 * MINUTE


def test_what_is_due_already_and_could_not_start_keeps_no_worker_awake(database: Database) -> None:
    put(database, NOW - MINUTE, NOW)
    assert next_due(database) is None


def test_what_is_due_next_is_found_without_reading_the_table(database: Database) -> None:
    query = select(occurrences.c.due_at).where(lease.free(occurrences, NOW))
    with database.read() as conn:
        if not database.sqlite:
            conn.exec_driver_sql("set local enable_seqscan = off")
        words = "explain query plan" if database.sqlite else "explain"
        plan = str(conn.exec_driver_sql(f"{words} {_literal(query, conn)}").all())
        held = select(occurrences.c.id).where(occurrences.c.leased_until > NOW)
        plan += str(conn.exec_driver_sql(f"{words} {_literal(held, conn)}").all())
    assert "ix_occurrences_due_at" in plan
    assert "ix_occurrences_leased_until" in plan


def _literal(query: Any, conn: Any) -> str:
    return str(query.compile(conn, compile_kwargs={"literal_binds": True}))


# ---------------------------------------------------------------- real processes

# Each takes ten rows at a time for half a second; a slow one sleeps through its first lease. What
# came of a row is said on a line of its own.
WORKER = """
import sys, time
from datetime import timedelta
from bot import lease
from bot.db import Database, occurrences as table

database, slow, idle = Database(sys.argv[1]), sys.argv[2] == "slow", 0
BEGIN
while idle < 20:
    with database.write() as conn:
        batch = lease.claim(conn, table, database.now(conn), 10, hold=timedelta(seconds=0.5))
    idle = 0 if batch else idle + 1
    time.sleep(1.2 if slow and batch else 0 if batch else 0.05)
    slow = slow and not batch
    for row in batch:
        time.sleep(0.005)
        with database.write() as conn:
            done = lease.settle(conn, table, row, None, state="done")
        print("settled" if done else "lost", row["id"], flush=True)
"""


def told(worker: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """What it said of which row, to its end."""
    assert worker.stdout
    return [(word, row) for word, row in map(str.split, worker.stdout)]


def test_a_slow_worker_settles_nothing_that_another_did(database: Database, url: str) -> None:
    put(database, *[NOW] * 60)
    with together(WORKER, (url, "slow"), (url, "quick")) as (slow, quick):
        by_quick, said = told(quick), told(slow)
    lost = [row for word, row in said if word == "lost"]
    settled = [row for word, row in by_quick + said if word == "settled"]
    assert lost, "no lease was outlived: nothing was shown"
    assert len(settled) == len(set(settled)) == 60
    assert {row["state"] for row in rows(database)} == {"done"}


def test_killed_workers_leave_their_rows_to_others(database: Database, url: str) -> None:
    put(database, *[NOW] * 80)
    with together(WORKER, (url, "quick"), (url, "quick")) as (victim, survivor):
        assert victim.stdout
        before = [victim.stdout.readline().split()[1] for _ in range(5)]
        victim.send_signal(signal.SIGKILL)
        settled = before + [row for _, row in told(victim) + told(survivor)]
    assert len(settled) == len(set(settled))
    assert len(settled) >= 79  # it may have died between a settlement and saying so
    assert {(row["state"], row["lease"]) for row in rows(database)} == {("done", None)}
