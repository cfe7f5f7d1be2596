"""What pages ask of tables that grow for years is found in an index: no list reads a whole table.

SQLite says how it means to go about a statement, without counts of rows and so always alike;
`python -m tests.bench_pages` measures both databases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from bot import catalog
from bot.collect import log
from bot.db import Database, holds, insert_id
from bot.deliver import queue
from bot.model import HoldScope
from bot.schedule import agenda
from tests import builders

GROWING = "posts|deliveries|replies|items|revisions|renditions|attempts|watches|audits|notices"
UNITS = {1, 2}
WEEK = (builders.NOW, builders.NOW + timedelta(days=7))
VIEW = agenda.View(frozenset(UNITS))

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def replies(**asked: Any) -> Callable[[Connection], object]:
    return lambda conn: log.numbers(conn, UNITS, limit=1000, **asked)


def deliveries(**asked: Any) -> Callable[[Connection], object]:
    return lambda conn: queue.listing(conn, UNITS, **asked)


def entries(**asked: Any) -> Callable[[Connection], object]:
    return lambda conn: catalog.listing(conn, UNITS, **asked)


@contextmanager
def listened(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed meanwhile."""
    said: list[tuple[str, Any]] = []

    def hear(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def plans(database: Database, ask: Callable[[Connection], object]) -> Iterator[str]:
    with database.read() as conn:
        with listened(database) as said:
            ask(conn)
        for statement, parameters in said:
            found = conn.exec_driver_sql(f"explain query plan {statement}", parameters)
            yield "\n".join(row[3] for row in found)


@pytest.mark.parametrize(
    "ask",
    [
        deliveries(),
        deliveries(offset=5000),
        *(deliveries(state=state) for state in ("person", "held", *queue.STATES)),
        deliveries(account=1),
        deliveries(account=1, state="failed"),
        deliveries(post=1),
        lambda conn: queue.counts(conn, UNITS),
        lambda conn: queue.counts(conn, UNITS, account=1),
        replies(state="removed"),
        replies(own=True, account=1),
        replies(own=True, words="的"),
        replies(state="edited", unanswered=True),
        replies(state="removed", since=WEEK[0]),
        replies(account=1),
        replies(post=1),
        replies(since=WEEK[0], until=WEEK[1], account=1),
        replies(words="龘"),
        replies(words="北京 的", unanswered=True),
        entries(),
        entries(state="waiting"),
        entries(source="s"),
        lambda conn: agenda.counts(conn, VIEW, *WEEK),
        lambda conn: agenda.lines(conn, VIEW, *WEEK),
    ],
)
def test_no_list_reads_a_whole_table(
    database: Database, ask: Callable[[Connection], object]
) -> None:
    for plan in plans(database, ask):
        assert_no_scan(plan)


def assert_no_scan(plan: str) -> None:
    assert not re.search(rf"^SCAN ({GROWING})\b(?! USING)", plan, re.MULTILINE), plan


@pytest.mark.parametrize("lifted", [None, WEEK[1]])
def test_what_fell_due_under_a_hold_is_found_among_what_is_unsent(
    database: Database, lifted: datetime | None
) -> None:
    with database.write() as conn:
        of = {"scope": HoldScope.ALL, "reason": "公祭", "passes": [1], "lifted_at": lifted}
        made = insert_id(conn, holds, {**of, "since": WEEK[0], "begun_at": WEEK[0], "solemn": True})
    for ask in (deliveries(hold=made), lambda conn: queue.total(conn, UNITS, hold=made)):
        for plan in plans(database, ask):
            assert_no_scan(plan)


@pytest.mark.parametrize(
    "ask",
    [
        deliveries(state="sent"),
        entries(),
        replies(account=1),
        replies(since=WEEK[0]),
        replies(words="的"),
    ],
)
def test_a_common_list_is_walked_in_its_order(
    database: Database, ask: Callable[[Connection], object]
) -> None:
    first = next(plans(database, ask))
    assert "TEMP B-TREE FOR ORDER BY" not in first, first
