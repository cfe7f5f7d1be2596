"""What people do wrong at the command line, and what files, pipes and stores do to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from bot.cli import main
from bot.db import trouble
from bot.language import use
from bot.model import Role
from bot.office import Office
from tests import builders, offices
from tests.test_cli_words import furnished  # noqa: F401

ENGLISH = re.compile(r"\b[a-z]{3,} [a-z]{2,} [a-z]{2,}\b")
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _chinese_again() -> Iterator[None]:
    yield
    use("zh")


@pytest.fixture
def run(furnished: Path) -> Run:  # noqa: F811
    def _run(*words: object, code: int = 2, given: str | bytes | None = None) -> Result:
        found = CliRunner().invoke(main, ["--config", str(furnished), *map(str, words)], given)
        assert found.exit_code == code, found.output
        return found

    return _run


# ---------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("pots", "没有命令 'pots'。 是不是 'post'"),
        ("post shwo 1", "是不是 'show'"),
        ("post list --sate x", "是不是 '--state'"),
        ("post show 999", "没有编号 999 的稿件"),
        ("post show 0", "'POST_ID'"),
        ("post show 99999999999999999999", "'POST_ID'"),
        ("item show 999", "没有编号 999 的条目"),
        ("queue attempts 999", "没有编号 999 的投递"),
        ("queue task 999", "没有编号 999 的投递"),
        ("replies --post 999 --coverage", "没有编号 999 的稿件"),
        ("replies --post 999 --counts", "没有编号 999 的稿件"),
        ("account show nix", "没有账号 nix；账号在 config.toml"),
        ("calendar slots nix", "没有账号 nix；账号在 config.toml"),
        ("source show nix", "没有来源 nix，有：catalogue"),
        ("item list --source nix", "没有来源 nix，有：catalogue"),
        ("schedule run nix", "没有日程 nix；有：reminder"),
        ("schedule whatif nix.toml", "没有日程 nix；有：reminder"),
        ("template show nix", "没有模板 templates/nix.txt"),
        ("hold post abc --reason x", "没有稿件 abc"),
        ("hold unit nix --reason x", "没有单位 nix"),
        ("hold item 999 --reason x", "没有条目 999"),
        ("screen 没有.txt", "读不到 没有.txt：没有这个文件或文件夹"),
        ("screen .", "读不到 .：是文件夹，不是文件"),
        ("read 没有.xml", "没有文件 没有.xml"),
        ("template save notice 没有.txt", "读不到 没有.txt：没有这个文件"),
        ("item quality --xlsx 没有/a.xlsx", "没有/a.xlsx：没有这个文件或文件夹"),
        ("replies --csv 没有/a.csv", "没有/a.csv：没有这个文件或文件夹"),
        ("post move 7 25-11-2026", "看不懂时间“25-11-2026”，例：2026-09-22T15:00"),
        ("duty put county 2026-13-01", "日期写作 2026-11-24，不是 2026-13-01"),
        ("run --port 99999", "'--port'"),
        ("item list --limit 0", "'--limit'"),
        ("search  ", "缺少参数 'WORDS'"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(run: Run, words: str, told: str) -> None:
    found = run(*words.split())
    assert found.stdout == ""
    assert told in found.stderr
    assert "内部错误" not in found.stderr
    assert not ENGLISH.search(re.sub(r"(?m)^用法.*$", "", found.stderr)), found.stderr


def test_an_empty_search_asks_for_words(run: Run) -> None:
    assert "请写要找的词语或编号" in run("search", " ").stderr


def test_who_may_not_is_told_to_say_who_he_is(run: Run) -> None:
    assert "加 --as 登录名" in run("post", "submit", 5).stderr


# ---------------------------------------------------------------- stores


def spoilt(furnished: Path, folder: Path, words: str) -> Path:  # noqa: F811
    """The same office with a store that something happened to; the path of its file."""
    shutil.copytree(furnished.parent, folder / "office")
    store = folder / "office" / "data" / "gongkai.db"
    for beside in store.parent.glob("gongkai.db-*"):
        beside.unlink()
    if words == "no store":
        store.write_bytes(b"Dear archive, " * 500)
    elif words:
        with sqlite3.connect(store) as conn:
            conn.execute(words)
        conn.close()
    return folder / "office" / "config.toml"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("update alembic_version set version_num = '0099'", "请改用较新的程序"),
        ("no store", "数据库文件损坏，或不是数据库；请用最近的备份恢复"),
    ],
)
def test_a_store_that_cannot_be_used_says_what_to_do(
    furnished: Path,  # noqa: F811
    tmp_path: Path,
    words: str,
    told: str,
) -> None:
    file = spoilt(furnished, tmp_path, words)
    found = CliRunner().invoke(main, ["--config", str(file), "post", "list"])
    assert found.exit_code == 2
    assert told in found.stderr
    assert "SQL" not in found.stderr


def test_a_store_another_writes_to_is_busy_not_broken(tmp_path: Path) -> None:
    """Of SQLite: PostgreSQL lets several write."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", connect_args={"timeout": 0})
    with engine.connect() as one, engine.connect() as other:
        one.exec_driver_sql("begin immediate")
        with pytest.raises(OperationalError) as refused:
            other.exec_driver_sql("begin immediate")
    engine.dispose()
    assert "数据库正忙" in str(trouble(refused.value))


# ---------------------------------------------------------------- files and pipes


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Run:
    with office.db.write() as conn:
        builders.person(conn, "he", "何晴", Role.RESPONDER)
    made = offices.declared(office, offices.HAND.format(key="hand"))
    monkeypatch.setenv("GONGKAI_PASSWORD", builders.PASSWORD)

    def _run(*words: object, code: int = 0, given: str | bytes | None = None) -> Result:
        path = ["--config", str(made.config.path)]
        found = CliRunner().invoke(main, [*path, *map(str, words)], given)
        assert found.exit_code == code, found.output
        return found

    return _run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_from_an_office_s_computer_is_read_in_any_of_its_encodings(
    desk: Run, tmp_path: Path, encoding: str
) -> None:
    text = "供水检修\r\n定于明日停水。".encode(encoding)
    new = ("post", "new", "--unit", "county", "--account", "hand", "--as", "zhou")
    assert desk(*new, "--text", "-", given=text).stdout == "#1\n"
    assert "供水检修\n定于明日停水。" in desk("post", "show", 1).stdout
    file = tmp_path / "值 班 表.csv"
    file.write_bytes("2026-12-01,lin\r\n2026-12-02,zhou\r\n".encode(encoding))
    assert desk("duty", "import", "county", file, "--as", "gu").stdout == "已排 2 天\n"
    messages = tmp_path / "来 信.csv"
    messages.write_bytes(
        "诉求内容,姓名,时间\r\n路灯不亮,张三,2026-11-20 09:00\r\n".encode(encoding)
    )
    imported = desk("replies", "import", messages, "--account", "hand", "--as", "he")
    assert "新增 1 条" in imported.stdout
    assert "路灯不亮" in desk("replies").stdout


def test_what_is_no_text_is_refused(desk: Run, tmp_path: Path) -> None:
    picture = tmp_path / "图.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    for words in (("screen", picture), ("duty", "import", "county", picture)):
        assert "不是文字文件" in desk(*words, code=2).stderr


def test_a_password_file_may_begin_with_a_mark(desk: Run, tmp_path: Path) -> None:
    """As Notepad saves it."""
    file = tmp_path / "密 码.txt"
    file.write_text(f"{builders.PASSWORD}\r\n", "utf-8-sig")
    new = ("post", "new", "--unit", "county", "--account", "hand", "--text", "停水。")
    assert desk(*new, "--as", "zhou", "--password-file", file).stdout == "#1\n"


def test_exports_go_to_any_name_and_come_back(furnished: Path, tmp_path: Path) -> None:  # noqa: F811
    command = ["--config", str(furnished)]
    for kind in ("csv", "xlsx", "jsonl"):
        file = tmp_path / f"评 论（导出）.{kind}"
        made = CliRunner().invoke(main, [*command, "replies", f"--{kind}", str(file)])
        assert made.exit_code == 0
        assert made.stdout.strip() == str(file)
        assert file.stat().st_size > 100
    read = CliRunner().invoke(
        main, ["read", str(tmp_path / "评 论（导出）.csv"), "--kind", "table"]
    )
    assert read.exit_code in (0, 2)
    assert "内部错误" not in read.stderr


def in_a_shell(furnished: Path, line: str, **env: str) -> subprocess.CompletedProcess[bytes]:  # noqa: F811
    root = str(Path(main.callback.__code__.co_filename).parents[2])  # type: ignore[union-attr]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": root, "GONGKAI_CONFIG": str(furnished)}
    gongkai = f'gongkai() {{ {sys.executable} -m bot "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", gongkai + line], env=bare | env, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("line", ["gongkai queue", "gongkai item list --json", "gongkai rules"])
def test_a_reader_that_leaves_early_is_no_fault(furnished: Path, line: str) -> None:  # noqa: F811
    found = in_a_shell(furnished, f"{line} | head -1")
    assert len(found.stdout.splitlines()) == 1
    assert found.stderr == b""
    assert in_a_shell(furnished, f"{line} | true").stderr == b""


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
)
def test_a_terminal_without_unicode_breaks_nothing(furnished: Path, env: dict[str, str]) -> None:  # noqa: F811
    found = in_a_shell(furnished, "gongkai post list --limit 3", **env)
    assert (found.returncode, found.stderr) == (0, b"")
    assert "早高峰公交" in found.stdout.decode("utf-8")
    refused = in_a_shell(furnished, "gongkai post show 999", **env)
    assert refused.returncode == 2
    assert b"Traceback" not in refused.stderr


def test_json_goes_through_a_pipe_into_another_command(furnished: Path) -> None:  # noqa: F811
    found = in_a_shell(furnished, "gongkai post show 7 --json | python3 -m json.tool | tail -1")
    assert found.stdout.strip() == b"}"
    text = "printf '机密★10年' | gongkai screen - --json | python3 -m json.tool > /dev/null"
    assert in_a_shell(furnished, text).returncode == 1  # as screening found, not the pipe


def test_json_beside_a_file_is_json_alone(run: Run, tmp_path: Path) -> None:
    for words in (("item", "quality", "--xlsx"), ("replies", "--csv")):
        file = tmp_path / f"{words[0]}.out"
        found = run(*words, file, "--json", code=0)
        assert json.loads(found.stdout)
        assert found.stderr.strip() == str(file)


def test_a_full_disk_is_said_in_a_sentence(furnished: Path) -> None:  # noqa: F811
    found = in_a_shell(furnished, "gongkai rules > /dev/full")
    assert found.returncode == 2
    assert "磁盘已满" in found.stderr.decode("utf-8")
    assert b"Traceback" not in found.stderr
