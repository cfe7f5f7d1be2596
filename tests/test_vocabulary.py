"""The office's own words: changed line by line, on record, and counted by the next screening."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from bot import files, screen, vocabulary
from bot.db import audits
from bot.errors import ConfigError, Conflict, Invalid, NotAllowed, NotFound
from bot.model import Severity
from bot.office import Office
from bot.vocabulary import Line
from bot.wordlists import rules_of
from tests import builders, offices
from tests.offices import pytest_generate_tests, url  # noqa: F401

MORE = '[screening]\nlists = ["words.txt", "more.txt"]\nleaders = "leaders.txt"\n'
TEXT = "# 本单位\n云澜老县\tblock\t云澜县\n\n临时工\tnote\n!临时工程\n"
S = Severity


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Office:
    (tmp_path / "words.txt").write_text(TEXT, "utf-8")
    (tmp_path / "leaders.txt").write_text("张三\t县委书记\n李四\t县长\n", "utf-8")
    (tmp_path / "more.txt").write_text("", "utf-8")
    return offices.declared(office, MORE)


def text(office: Office, name: str = "words.txt") -> str:
    return office.config.place(name).read_text("utf-8")


def act(office: Office, what: str, *more: object, who: str = "gu", digest: str = "") -> object:
    there = vocabulary.word_list(office.config)
    with office.db.write() as conn:
        first = (office, conn, office.db.now(conn), builders.actor(conn, who))
        known = (there.name, digest or there.digest)
        return getattr(vocabulary, what)(*first, *known, *more)


def told(office: Office, words: str) -> list[tuple[str, Severity, str]]:
    found = screen.screen(words, rules=rules_of(office.config))
    return [(f.text, f.severity, f.suggestion) for f in found if f.rule == "term"]


def test_a_term_counts_as_soon_as_it_is_added(desk: Office) -> None:
    assert told(desk, "老街道办") == []
    act(desk, "put", Line(0, " 老街道办 ", S.NOTE, "江北街道"))
    assert told(desk, "老街道办") == [("老街道办", S.NOTE, "江北街道")]
    assert text(desk) == TEXT + "老街道办\tnote\t江北街道\n", "what stood there stands"
    act(desk, "put", Line(6, "老街道办", S.BLOCK, ""))
    assert told(desk, "老街道办") == [("老街道办", S.BLOCK, "")]
    act(desk, "put", Line(0, "老街道办事处", exception=True))
    assert told(desk, "老街道办事处") == []
    act(desk, "drop", 7)
    act(desk, "drop", 6)
    assert text(desk) == TEXT
    with desk.db.read() as conn:
        said = conn.execute(select(audits.c.verb, audits.c.subject, audits.c.data)).all()
    assert [row[:2] for row in said] == [("words.save", "words:words.txt")] * 5
    assert "老街道办" not in str(said), "the trail has digests"


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        (Line(0, "云澜老县"), Conflict, "已在词表里"),
        (Line(0, "  "), Invalid, "不能是空的"),
        (Line(0, "#甲"), Invalid, "开头"),
        (Line(0, "甲\t乙"), Invalid, "制表符"),
        (Line(0, "甲", suggestion="乙\n丙"), Invalid, "换行"),
        (Line(1, "甲"), NotFound, "第 1 行没有词语"),
        (Line(99, "甲"), NotFound, "第 99 行"),
    ],
)
def test_what_no_line_can_hold_is_not_written(
    desk: Office, line: Line, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        act(desk, "put", line)
    assert text(desk) == TEXT


def test_a_paste_is_taken_whole_or_not_at_all(desk: Office) -> None:
    made = act(
        desk, "take_in", "老河沿\t阻止\t新河沿\n云澜老县\twarn\n\n!老河沿公园\n老河沿\tnote\n"
    )
    assert isinstance(made, vocabulary.Imported)
    assert (made.added, made.known) == (2, 2)
    assert text(desk) == TEXT + "老河沿\tblock\t新河沿\n!老河沿公园\n"
    with pytest.raises(Invalid, match="第 2 行：级别只能是"):
        act(desk, "take_in", "甲乙\n丙丁\t很重\n")
    with pytest.raises(Invalid, match="没有可导入的"):
        act(desk, "take_in", "# 说明\n")
    assert "甲乙" not in text(desk)


def test_a_list_with_a_mistake_is_shown_and_mended_as_a_whole(desk: Office) -> None:
    desk.config.place("words.txt").write_text("甲\n乙\t很重\n", "utf-8")
    there = vocabulary.word_list(desk.config)
    assert "words.txt 第 2 行" in str(there.wrong)
    with pytest.raises(ConfigError, match="第 2 行"):
        act(desk, "put", Line(0, "丙"))
    with pytest.raises(ConfigError, match="第 1 行"):
        act(desk, "rewrite", "乙\t很重\n")
    act(desk, "rewrite", "甲\n乙\tblock\r\n")
    assert told(desk, "乙") == [("乙", S.BLOCK, "")]


def test_two_people_do_not_overwrite_each_other(desk: Office) -> None:
    read = vocabulary.word_list(desk.config).digest
    act(desk, "put", Line(0, "甲组"))
    for what, more in (("put", Line(2, "乙")), ("drop", 2), ("take_in", "乙组"), ("rewrite", "乙")):
        with pytest.raises(files.Changed, match=r"words\.txt 刚被别人改过"):
            act(desk, what, more, digest=read)
    assert text(desk) == TEXT + "甲组\twarn\n"


def test_only_who_administers_every_unit_changes_words(desk: Office) -> None:
    for what, more in (("put", Line(0, "甲")), ("drop", 2), ("take_in", "乙"), ("rewrite", "乙")):
        with pytest.raises(NotAllowed):
            act(desk, what, more, who="zhou")
    with desk.db.write() as conn:
        first = (desk, conn, desk.db.now(conn), builders.actor(conn, "zhou"))
        with pytest.raises(NotAllowed):
            vocabulary.save_leaders(*first, "", "张三\n")


def test_leaders_are_kept_in_order(desk: Office) -> None:
    file, order, wrong = vocabulary.leaders_file(desk.config)
    assert file is not None
    assert order is not None
    assert (list(order.titles), wrong) == (["张三", "李四"], None)
    with desk.db.write() as conn:
        first = (desk, conn, desk.db.now(conn), builders.actor(conn, "gu"))
        with pytest.raises(ConfigError, match="第 2 行：张三 写了两次"):
            vocabulary.save_leaders(*first, file.digest, "张三\n张三\n")
        vocabulary.save_leaders(*first, file.digest, "李四\t县长\n张三\t县委书记\n")
    found = screen.screen("张三、李四出席。", rules=rules_of(desk.config))
    assert [(f.rule, f.text) for f in found] == [("leader-order", "李四")]


def test_lists_are_searched_and_named(desk: Office) -> None:
    lines = vocabulary.word_list(desk.config).lines
    assert [one.words for one in vocabulary.found(lines, "云澜县")] == ["云澜老县"]
    assert [one.words for one in vocabulary.found(lines, "", "exception")] == ["临时工程"]
    assert vocabulary.word_list(desk.config, "more.txt").lines == ()
    with pytest.raises(NotFound, match=r"words\.txt、more\.txt"):
        vocabulary.word_list(desk.config, "other.txt")
    (row,) = vocabulary.shown(vocabulary.word_list(desk.config), lines[:1])["rows"]
    assert (row["line"], row["severity"], row["suggestion"]) == (2, "block", "云澜县")
