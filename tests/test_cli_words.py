"""The command line in one language, as an office clerk reads it: help, slips, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from bot.cli.speech import BAR
from bot.language import use
from bot.workdays import WEEKDAYS
from tests import tour

CHINESE = re.compile("[\u4e00-\u9fff]")
NAMES = "中文公开备案签发休班诉求详情"  # words of the matter in English help
Run = Callable[..., Result]


def commands(of: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, of
    if isinstance(of, click.Group):
        for name, below in of.commands.items():
            yield from commands(below, *path, name)


ALL = list(commands(main))


@pytest.fixture(autouse=True)
def _chinese_again() -> Iterator[None]:
    yield
    use("zh")


def asked(*words: str, lang: str = "") -> Result:
    return CliRunner().invoke(main, [*(("--lang", lang) if lang else ()), *words])


# ---------------------------------------------------------------- help


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_help_stands_in_both_languages(path: tuple[str, ...], command: click.Command) -> None:
    options = [p for p in command.params if isinstance(p, click.Option)]
    for text in (command.help, *(one.help for one in options)):
        chinese, bar, english = (text or "").partition(BAR)
        assert bar, (path, text)
        assert CHINESE.search(chinese), (path, text)
        assert not set(CHINESE.findall(english)) - set(NAMES), (path, text)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("path", [(), ("post",), ("post", "new"), ("queue",), ("item", "add")])
def test_help_is_in_the_language_asked_for(path: tuple[str, ...], lang: str) -> None:
    for words in ((*path, "--help"), (*path, "-h")):
        told = asked(*words, lang=lang)
        assert told.exit_code == 0
        assert BAR not in told.output
        assert bool(CHINESE.search(told.output)) is (lang == "zh")
        assert ("Show this message" in told.output) is (lang == "en")


def test_without_an_office_help_is_in_both(tmp_path: Path) -> None:
    told = asked("--config", str(tmp_path / "none.toml"), "--help").output
    assert "稿件 | posts" in told


@pytest.mark.parametrize(
    "rest",
    ['[units\n"', "[web]\nport = 'x'\n", "[wbe]\n", "zone = 1\n", "= 3\n", '[a]\nb = "\n', "\x00"],
    ids=lambda rest: repr(rest),
)
def test_a_file_that_cannot_be_read_is_told_in_the_language_it_names(
    tmp_path: Path, rest: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'# 一个办公室\nlanguage = "en"\n{rest}', "utf-8")
    told = asked("--config", str(file), "post", "list")
    assert told.exit_code == 2
    assert "config.toml" in told.stderr
    assert not CHINESE.search(told.stderr)
    assert "Traceback" not in told.output


def test_a_language_below_a_table_is_not_the_office_s(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[notices.mail]\nlanguage = "en"\n', "utf-8")
    assert "用法" in asked("--config", str(file), "--help").output


@pytest.mark.parametrize(
    "words", [("nosuch",), ("post", "show"), ("post", "show", "x"), ("--foo",)]
)
def test_a_slip_in_english_is_wholly_english(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "config.toml"
    file.write_text('language = "en"\n', "utf-8")
    told = asked("--config", str(file), *words)
    assert told.exit_code == 2
    assert not CHINESE.search(told.output)
    assert CHINESE.search(asked("--config", str(file), *words, lang="zh").output)


# ---------------------------------------------------------------- tables

LISTS = (
    "account list",
    "account show weibo",
    "audit list",
    "board list",
    "calendar",
    "calendar days",
    "calendar slots lan",
    "duty list",
    "item list",
    "item show 1",
    "item quality",
    "notices",
    "post list",
    "post show 7",
    "post show 37",
    "post revisions 7",
    "post reposts 7",
    "queue",
    "queue attempts 1",
    "queue attempts 49",
    "replies",
    "resume",
    "rules",
    "schedule",
    "schedule whatif reminder --to 2026-12-05",
    "search 停水",
    "settings --state",
    "sign list",
    "sign standings",
    "source list",
    "source show catalogue",
    "template list",
    "token list",
    "user list",
    "user units",
    "user delegate list",
    "user sessions zhouhe",
)
# What rows keep, and a clerk should not have to read.
KEYS = re.compile(
    r"\b(ready|sending|sent|uncertain|failed|cancelled|missed|held|publish|withdraw|draft|in_review"
    r"|approved|closed|queued|pending|notice|emergency|new|composed|skipped|visible|edited|removed"
    r"|active|paused|broken|feed|mastodon|byhand|block|warn|note|editor|reviewer|signer|shorten|thread"
    r"|refuse|weekend|post\.\w+|None|True|False|datetime)\b|PT\d|\{'"
)
FILES = {"rules", "settings --state", "source show catalogue", "template list"}  # name files' keys


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office")
    with tour.office(folder):
        pass
    (folder / "data").mkdir()
    (folder / "gongkai.db").rename(folder / "data" / "gongkai.db")
    return folder / "config.toml"


@pytest.mark.parametrize("words", [one for one in LISTS if one not in FILES])
def test_a_clerk_reads_words(furnished: Path, words: str) -> None:
    told = asked("--config", str(furnished), *words.split())
    assert told.exit_code == 0, told.output
    said = re.sub(
        r"https?://\S+|（.*?，.*?）", "", told.output
    )  # addresses, and keys beside a name
    assert not KEYS.search(said), said


@pytest.mark.parametrize("words", LISTS)
def test_a_table_in_english_has_english_heads_and_states(furnished: Path, words: str) -> None:
    """What people wrote stays as they wrote it: titles, names, reasons."""
    told = asked("--config", str(furnished), *words.split(), lang="en")
    assert told.exit_code == 0, told.output
    head = told.output.splitlines()[0]
    written = {"post show 7", "post show 37", "settings --state"}
    assert words in written or not CHINESE.search(head), head
    states = "待发|已发出|草稿|审签中|已签发|结果不明|失败|可见|新到|不发|正常|编辑|审核人|时间均为"
    assert not re.search(rf"(?<=\s)({states})(?=\s)", told.output), told.output


def test_json_keeps_the_keys(furnished: Path) -> None:
    for words, key in (
        ("post list", '"in_review"'),
        ("queue", '"uncertain"'),
        ("source list", '"feed"'),
        ("audit list", '"post.pass"'),
        ("user list", '"signer"'),
    ):
        assert key in asked("--config", str(furnished), *words.split(), "--json").stdout


def test_times_name_their_clock_once(furnished: Path) -> None:
    told = asked("--config", str(furnished), "queue").stdout
    assert told.count("时间均为北京时间") == 1
    assert told.endswith("时间均为北京时间\n")


def test_what_is_read_can_be_asked_for(furnished: Path) -> None:
    for words in (
        ("queue", "--state", "结果不明"),
        ("queue", "--state", "uncertain"),
        ("queue", "--state", "需要人定"),
        ("post", "list", "--state", "审签中"),
        ("item", "list", "--state", "新到"),
        ("calendar", "--state", "待发"),
        ("replies", "--state", "已删除"),
    ):
        told = asked("--config", str(furnished), *words)
        assert told.exit_code == 0
        assert len(told.stdout.splitlines()) > 1, told.stdout


@pytest.mark.parametrize("command", ["queue", "post list", "item list", "calendar", "replies"])
def test_a_state_there_is_none_of_is_refused_with_those_there_are(
    furnished: Path, command: str
) -> None:
    told = asked("--config", str(furnished), *command.split(), "--state", "nosuch")
    assert told.exit_code == 2
    assert "没有状态 nosuch，有：" in told.stderr


def test_a_days_list_names_the_day(furnished: Path) -> None:
    told = asked("--config", str(furnished), "calendar", "days", "--from", "2026-11-28")
    assert f"2026-11-28  {WEEKDAYS[5]}        周末" in told.stdout
