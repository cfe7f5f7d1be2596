"""How often replies are read: by age and liveliness, within what an account may ask; and counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import RowMapping

from bot import collect
from bot.config import load
from bot.db import accounts, counts, watches
from bot.office import Office
from bot.workdays import FixedClock
from tests.fakes import mastodon
from tests.fakes.server import Server
from tests.fakes.thread import Thread
from tests.offices import both, pytest_generate_tests, rows, url  # noqa: F401
from tests.scenes import Scene, Square, Village, scene

HOUR = timedelta(hours=1)


@pytest.fixture
def square(office: Office, clock: FixedClock) -> Iterator[Square]:
    thread = Thread()
    with Server(thread) as server:
        made = scene(office, clock, "board", server.url)
        yield Square(made.office, made.clock, made.account, thread, server)


def waits(made: Scene) -> list[timedelta]:
    return [row["due_at"] - made.clock.now() for row in rows(made.office, watches)]


def test_the_longer_nothing_is_said_the_rarer_it_is_read(square: Square) -> None:
    square.post("p1")
    square.poll()
    square.clock.move(square.office.config.collect.fresh_for.total_seconds())
    found = []
    for _ in range(200):
        square.poll()
        (wait,) = waits(square)
        found.append(wait)
        square.clock.move(wait.total_seconds())
        if square.watched()["opened_at"] + 12 * 24 * HOUR < square.clock.now():
            break
    assert found[0] == square.office.config.collect.every
    assert all(a <= b for a, b in pairwise(found))
    assert found[-1] == square.office.config.collect.rare


def test_where_something_was_just_said_it_is_read_often(square: Square) -> None:
    square.post("p1")
    square.poll()
    square.poll(5 * 86400)
    assert waits(square)[0] > 3 * HOUR
    square.thread.say("p1", "r1", "怎么还没修好")
    square.poll(4 * 3600)
    assert waits(square) == [square.office.config.collect.fresh]
    square.poll(11 * 60)
    assert waits(square) == [square.office.config.collect.every]


@both
def test_all_watches_of_an_account_slow_down_to_what_it_may_ask(square: Square) -> None:
    for name in ("p1", "p2", "p3", "p4"):
        square.post(name)
    key = next(iter(_keys(square)))
    file = square.office.config.path
    text = f'[accounts.{key}]\nunit = "county"\nadapter = "board"\nreads_per_hour = 30\n'
    file.write_text(file.read_text("utf-8") + text, "utf-8")
    square.office = Office(load(file), square.office.db)
    square.poll()
    square.poll(3600)
    for wait in waits(square):
        assert wait == timedelta(minutes=1) * (4 * 60 / (30 * 0.8))


def _keys(square: Square) -> set[str]:
    return {row["key"] for row in rows(square.office, accounts)}


# ---------------------------------------------------------------- counts


@both
def test_likes_reposts_and_replies_are_kept_over_time(
    office: Office, platform: tuple[mastodon.Mastodon, Server], clock: FixedClock
) -> None:
    fake, server = platform
    ours = f"{server.url.removeprefix('http://')}/{fake.tokens['token-1'].id}"
    made = scene(office, clock, "mastodon", server.url, ours)
    village = Village(made.office, made.clock, made.account, fake, server)
    post = village.post(root := village.publish())
    village.poll()
    status = fake.statuses[root]
    for likes in (3, 3, 8):
        status.likes, status.reposts = likes, 1
        village.poll(1200)
    village.poll(2 * 86400)
    kept = rows_of(office)
    assert [(row["likes"], row["reposts"], row["replies"]) for row in kept] == [
        (0, 0, 0),
        (3, 1, 0),
        (8, 1, 0),
        (8, 1, 0),
    ], "where something changed, and once a day"
    with office.db.read() as conn:
        assert len(collect.over_time(conn, post, {1})) == 4
        assert collect.over_time(conn, post, {2}) == []


def rows_of(office: Office) -> list[RowMapping]:
    with office.db.read() as conn:
        return list(conn.execute(counts.select().order_by(counts.c.at)).mappings())
