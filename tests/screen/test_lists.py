"""The office's own lists: what a line means, mistakes in it, and that an edit counts at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.config import Config, load
from bot.errors import ConfigError
from bot.model import Severity
from bot.screen import RULES, Rules, screen, terms
from bot.screen.wording import read_leaders
from bot.wordlists import rules_of

BLOCK, WARN, NOTE = Severity.BLOCK, Severity.WARN, Severity.NOTE
ROOT = Path(__file__).resolve().parents[2]


def listed(source: str, text: str) -> list[tuple[str, Severity, str]]:
    rules = Rules(terms=terms.of(terms.read(source, "words.txt")))
    return [(f.text, f.severity, f.suggestion) for f in screen(text, rules=rules)]


def test_a_line_is_a_term_a_severity_and_a_suggestion() -> None:
    source = "# 备注\n\n云澜老县\tblock\t云澜县\n临时工\n编外人员\tnote\n"
    text = "云澜老县招聘临时工和编外人员"
    assert listed(source, text) == [
        ("云澜老县", BLOCK, "云澜县"),
        ("临时工", WARN, ""),
        ("编外人员", NOTE, ""),
    ]


def test_terms_that_overlap_are_each_told() -> None:
    found = listed("云澜市长\n市长大桥\n长大桥\n", "云澜市长大桥通车")
    assert [text for text, *_ in found] == ["云澜市长", "市长大桥", "长大桥"]


def test_an_exception_hides_what_lies_in_it_and_nothing_else() -> None:
    source = "招聘\n!招聘公告\n！招聘会\n"
    assert listed(source, "招聘公告、招聘会") == []
    assert [text for text, *_ in listed(source, "招聘公告：招聘两人")] == ["招聘"]


def test_an_office_s_exception_and_severity_stand_over_the_built_in_lists() -> None:
    assert screen("截止目前")[0].severity is WARN
    assert listed("截止目前\tnote\t", "截止目前") == [("截止目前", NOTE, "")]
    assert listed("!截止目前", "截止目前") == []


def test_width_case_and_invisible_letters_do_not_hide_a_term() -> None:
    for written in ("app下载", "ＡＰＰ下载", "A\u200bPP下\u200b载"):
        assert listed("App下载", f"请{written}。") == [(written, WARN, "")]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("好\n坏\tstop\n", "words.txt 第 2 行：级别只能是 block、warn 或 note，不是 stop"),
        ("# 备注\n\tblock\n", "words.txt 第 2 行：没有词语"),
        ("!\n", "words.txt 第 1 行：没有词语"),
        ("词\twarn\t改\t多\n", "words.txt 第 1 行：最多三栏"),
    ],
)
def test_a_mistake_in_a_list_names_file_and_line(source: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        terms.read(source, "words.txt")
    assert str(error.value).startswith(said)


def test_leaders_stand_in_the_order_the_office_keeps() -> None:
    kept = read_leaders("# 县\n张三\t县委书记\n李四\t县长、县委副书记\n王五\n", "leaders.txt")
    rules = Rules(leaders=kept)

    def said(text: str) -> list[tuple[str, str]]:
        hits = screen(text, rules=rules)
        return [(f.text, f.suggestion) for f in hits if f.rule == "leader-order"]

    assert said("张三、李四、王五出席。") == []
    assert said("李四出席。张三讲话。") == []  # two sentences
    assert said("李四、张三、王五出席。") == [("张三", "")]
    assert said("县委书记张三、县长李四出席。") == []
    assert said("县委书记李四出席。") == [("县委书记李四", "县长、县委副书记李四")]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("张三\t县长\n张三\n", "leaders.txt 第 2 行：张三 写了两次"),
        ("\t县长\n", "leaders.txt 第 1 行：写作 姓名、制表符、职务"),
    ],
)
def test_a_mistake_among_the_leaders_names_file_and_line(source: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_leaders(source, "leaders.txt")
    assert str(error.value).startswith(said)


# ---------------------------------------------------------------- from config.toml


def config_of(folder: Path, screening: str) -> Config:
    file = folder / "config.toml"
    file.write_text(f"[screening]\n{screening}\n", "utf-8")
    return load(file)


def test_an_edited_list_counts_for_the_next_text(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    config = config_of(tmp_path, 'lists = ["words.txt"]\nseverities = { mobile = "off" }')
    words.write_text("停水\n", "utf-8-sig")
    assert [f.text for f in screen("停水停电13812345678", rules=rules_of(config))] == ["停水"]
    assert rules_of(config).terms is rules_of(config).terms  # not built twice
    words.write_text("停电\tblock\n", "utf-8")
    os.utime(words, ns=(1, 1))  # a clock that stood still is no excuse
    found = screen("停水停电", rules=rules_of(config))
    assert [(f.text, f.severity) for f in found] == [("停电", BLOCK)]


def test_lists_that_cannot_be_read_are_told_by_name(tmp_path: Path) -> None:
    config = config_of(tmp_path, 'lists = ["words.txt"]')
    with pytest.raises(ConfigError, match=r"words\.txt"):
        rules_of(config)
    (tmp_path / "words.txt").write_bytes("招聘公告".encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        rules_of(config)


def test_a_rule_that_is_none_is_refused_with_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mobil.*mobile"):
        config_of(tmp_path, 'severities = { mobil = "off" }')


# ---------------------------------------------------------------- what comes with the program


def test_the_built_in_lists_can_be_read_and_hold_each_term_once() -> None:
    kept = [t for t in terms.built_in() if not t.exception]
    assert len(kept) > 2500
    assert {t.rule for t in kept} == set(terms.RULES) - {"term"}
    words = [(t.rule, t.words) for t in kept]
    assert len(words) == len(set(words))


def test_what_a_list_suggests_is_no_fault_in_its_own_eyes() -> None:
    """A suggestion that another line calls wrong would go in circles."""
    typos = [t for t in terms.built_in() if t.rule == "typo" and not t.exception]
    wrong = [t.words for t in typos if any(f.rule == "typo" for f in screen(t.suggestion))]
    assert wrong == []


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs/screening.md").read_text("utf-8")
    assert [rule for rule in RULES if f"### `{rule}`" not in page] == []
