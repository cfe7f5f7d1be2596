"""Search finds exactly what is there: every place a term occurs, and nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from bot import collect, search
from bot.collect import log
from bot.db import Database
from bot.office import Office
from bot.workdays import FixedClock
from tests.scenes import Scene, scene

only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def made(office: Office, clock: FixedClock) -> Scene:
    return scene(office, clock, "board", "http://127.0.0.1:1")


# ---------------------------------------------------------------- what is found

LETTERS = st.text(alphabet="路灯不亮，。！“\"ABab12'%_\\&|:*-( \n", max_size=12)
_worlds = itertools.count()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=st.lists(LETTERS, min_size=1, max_size=6), asked=LETTERS)
def test_all_and_only_the_replies_in_which_every_term_stands(
    made: Scene, said: list[str], asked: str
) -> None:
    made.take(*said)
    wanted = {
        f"r{n}"
        for n, words in enumerate(said)
        if all(term.lower() in words.lower() for term in asked.split())
    }
    ours = {f"r{n}" for n in range(len(said))}
    assert made.found(asked) & ours == wanted


def test_capitals_width_and_invisible_marks_make_no_difference(made: Scene) -> None:
    made.take("请拨ＡＢＣ１２３４５", "abc12345", "路\u200b灯\ufe0f不亮", "完全无关")
    assert made.found("Abc12345") == {"r0", "r1"}
    assert made.found("ａｂｃ") == {"r0", "r1"}
    assert made.found("路灯") == {"r2"}


def test_a_term_does_not_run_over_a_blank_but_takes_marks_as_they_are(made: Scene) -> None:
    made.take("路灯 不亮", "路灯不亮", "路灯，不亮", "路灯_不亮")
    assert made.found("路灯不亮") == {"r1"}
    assert made.found("灯，不") == {"r2"}
    assert made.found("灯_不") == made.found("_") == {"r3"}
    assert made.found("不亮 路灯") == {"r0", "r1", "r2", "r3"}


def test_what_means_something_to_a_search_engine_is_only_text(made: Scene) -> None:
    special = ['"', '""', "NEAR(", "AND", "r* OR", "'", "\\'", "%", "_x", "--", "&!", "<->"]
    made.take(*(f"说了{asked}这句话" for asked in special))
    for asked in special:
        alike = {f"r{n}" for n, other in enumerate(special) if asked in other}
        assert made.found(asked) == alike


def test_one_character_and_none(made: Scene) -> None:
    made.take("好", "不好", "差")
    assert made.found("好") == {"r0", "r1"}
    assert made.found("不 好") == {"r1"}
    assert made.found("  ") == {"r0", "r1", "r2"}


def test_a_long_text_is_searched_to_its_depth(made: Scene) -> None:
    made.take("长" * (search.DEPTH - 10) + "路灯不亮" + "长" * 5000 + "井盖丢失")
    assert made.found("灯不亮") == {"r0"}
    assert made.found("井盖") == set()


def test_only_the_wording_that_stands_is_found(made: Scene) -> None:
    made.take("路灯不亮", "井盖丢失")
    made.take("路灯亮了", "井盖丢失")
    assert made.found("不亮") == set()
    assert made.found("亮了") == {"r0"}
    assert made.found("井盖") == {"r1"}


def test_the_latest_come_first_and_a_page_follows_the_one_before(made: Scene) -> None:
    made.take(*(f"第{n}盏路灯" for n in range(7)))
    with made.office.db.read() as conn:
        found = collect.listing(conn, {1}, words="路灯", limit=3)
        assert [r["remote_id"] for r in found] == ["r6", "r5", "r4"]
        found = collect.listing(conn, {1}, words="路灯", limit=3, before=found[-1]["id"])
        assert [r["remote_id"] for r in found] == ["r3", "r2", "r1"]


# ---------------------------------------------------------------- the index


def test_an_index_made_anew_finds_the_same(made: Scene) -> None:
    made.take("路灯不亮", "井盖丢失", "x")
    with made.office.db.write() as conn:
        search.prepare(conn)
        search.rebuild(conn)
    assert made.found("路灯") == {"r0"}
    made.take("路灯亮了", "井盖找到")
    assert made.found("不亮") == set()
    assert made.found("找到") == {"r1"}


def test_what_failed_to_be_written_is_not_found(made: Scene) -> None:
    def fail() -> None:
        with made.office.db.write() as conn:
            search.add(conn, [(1, "路灯不亮")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    made.take("井盖丢失")
    assert made.found("路灯") == set()


def plan(database: Database, query: Any) -> str:
    words = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with database.read() as conn:
        rows = conn.execute(text("explain query plan " + re.sub(r"(?<!:):(?=\w)", r"\\:", words)))
        return "\n".join(row[3] for row in rows)


def narrow(words: str) -> Callable[[Database], Any]:
    def made(database: Database) -> Any:
        wanted = log.chosen({1}, unanswered=True)
        with database.read() as conn:
            return search.narrowed(conn, wanted, words, 99).limit(50)

    return made


@only_sqlite
@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("路灯 不亮", "SCAN reply_words VIRTUAL TABLE"),
        ("灯", "SCAN reply_words VIRTUAL TABLE"),
        ("", "SEARCH replies USING INTEGER PRIMARY KEY"),
    ],
)
def test_sqlite_reads_in_the_order_asked_for_and_never_sorts(
    database: Database, words: str, first: str
) -> None:
    found = plan(database, narrow(words)(database))
    assert found.startswith(first)
    assert "TEMP B-TREE" not in found
    assert "SCAN" not in found.partition("\n")[2]
