"""What the public says elsewhere: tables and single messages, taken in whole or not at all."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from openpyxl import Workbook

from bot import collect
from bot.cli import main
from bot.collect import tables
from bot.collect.importing import Imported
from bot.db import audits, posts, replies, reply_versions
from bot.errors import Invalid, NotAllowed, NotFound
from bot.model import Role
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, url  # noqa: F401

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOTLINE = """工单编号,来电人,联系电话,来电时间,诉求内容
1001,张女士,13800000000,2026-11-20 09:15,城南路路灯不亮
1002,李先生,13900000000,2026年11月21日 16时05分,"公交站牌倒了，
没人管"
"""


@pytest.fixture
def desk(office: Office) -> Office:
    with office.db.write() as conn:
        builders.person(conn, "fang", "方答", Role.RESPONDER)
    hand = offices.HAND.format(key="hotline").replace("微博", "12345")
    board = '[accounts.board]\nunit = "county"\nadapter = "board"\n'
    return offices.declared(office, hand + board)


def file_of(office: Office, text: str | bytes, name: str = "hotline.csv") -> Path:
    file = office.config.path.parent / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def sheet_of(office: Office, lines: list[list[Any]]) -> Path:
    book = Workbook()
    for line in lines:
        book.active.append(line)  # type: ignore[union-attr]
    file = office.config.path.parent / "letters.xlsx"
    book.save(file)
    return file


def take(
    office: Office, file: Path, by: str = "fang", key: str = "hotline", **told: str
) -> Imported:
    with office.db.write() as conn:
        who = builders.actor(conn, by)
        return collect.import_file(office, conn, office.db.now(conn), who, key, file, told)


def said(office: Office) -> list[tuple[str, str, str]]:
    """(remote id, author, text) in the order of time."""
    found = sorted(rows(office, replies), key=lambda row: row["at"])
    return [(row["remote_id"], row["author_name"], row["text"]) for row in found]


# ---------------------------------------------------------------- a table


@both
def test_a_hotline_s_table_comes_into_the_log_without_what_it_does_not_need(desk: Office) -> None:
    made = take(desk, file_of(desk, HOTLINE))
    assert (made.rows, made.new, made.changed) == (2, 2, 0)
    assert made.names == {
        "text": "诉求内容",
        "at": "来电时间",
        "id": "工单编号",
        "author": "来电人",
    }
    assert made.unused == ("联系电话",)
    assert said(desk) == [
        ("1001", "张女士", "城南路路灯不亮"),
        ("1002", "李先生", "公交站牌倒了，\n没人管"),
    ]
    assert rows(desk, replies)[1]["at"] == datetime(2026, 11, 21, 16, 5, tzinfo=SHANGHAI)
    with desk.db.read() as conn:
        (found,) = collect.listing(conn, {1}, words="路灯")
    assert found["account_key"] == "hotline"
    (entry,) = (row for row in rows(desk, audits) if row["verb"] == "reply.import")
    assert "路灯" not in str(dict(entry)), "the trail holds no citizen's words"


@both
def test_the_same_file_twice_adds_nothing_and_a_changed_word_keeps_both(desk: Office) -> None:
    take(desk, file_of(desk, HOTLINE))
    again = take(desk, file_of(desk, HOTLINE))
    assert (again.new, again.changed, len(rows(desk, replies))) == (0, 0, 2)
    more = HOTLINE.replace("路灯不亮", "路灯还是不亮") + "1003,王,,2026-11-22 08:00,井盖丢了\n"
    third = take(desk, file_of(desk, more))
    assert (third.new, third.changed) == (1, 1)
    assert [row["text"] for row in rows(desk, reply_versions)] == ["城南路路灯不亮"]


def test_messages_without_a_number_are_known_by_who_said_what_when(desk: Office) -> None:
    text = "日期,姓名,内容\n2026/11/20,张,停水了\n2026/11/20,张,停水了\n2026/11/21,张,停水了\n"
    assert take(desk, file_of(desk, text)).new == 2
    assert take(desk, file_of(desk, text)).new == 0


def test_a_sheet_with_a_title_above_its_headings(desk: Office) -> None:
    lines: list[list[Any]] = [
        ["县长信箱 2026 年 11 月"],
        [],
        ["序号", "信件编号", "来信主题", "来信内容（全文）", "来信日期", "稿件编号"],
        [1, 77, "集中供热", "何时供暖？", datetime(2026, 11, 20, 8, 30), None],
        [2, 78.0, "公交", "公交改线了吗？", datetime(2026, 11, 21), 1],
        [None, None, None, None, None, None],
    ]
    builders.draft(desk, ["hotline"])
    assert take(desk, sheet_of(desk, lines)).new == 2
    assert said(desk) == [("77", "", "集中供热\n何时供暖？"), ("78", "", "公交改线了吗？")]
    assert [row["post_id"] for row in rows(desk, replies)] == [None, 1]
    assert rows(desk, replies)[1]["at"] == datetime(2026, 11, 21, tzinfo=SHANGHAI)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_whatever_a_spreadsheet_writes(desk: Office, encoding: str) -> None:
    text = HOTLINE.replace(",", "\t") if encoding == "utf-16" else HOTLINE
    assert take(desk, file_of(desk, text.encode(encoding))).new == 2
    assert said(desk)[0] == ("1001", "张女士", "城南路路灯不亮")


def test_a_column_may_be_told(desk: Office) -> None:
    text = HOTLINE.replace("诉求内容", "备注").replace("来电时间", "何时")
    with pytest.raises(Invalid, match="--column text=列名 指明；有：工单编号、来电人"):
        take(desk, file_of(desk, text))
    assert take(desk, file_of(desk, text), text="备注", at="何时").new == 2


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("2026-11-20 09:15", "昨天", "第 2 行“来电时间”不是时间：昨天"),
        ("2026-11-20 09:15", "2026-13-01", "第 2 行“来电时间”不是时间"),
        ("2026-11-20 09:15", "2036-11-20", "第 2 行“来电时间”晚于现在"),
        ("2026-11-20 09:15", "0001-01-01", "第 2 行“来电时间”不是时间：0001-01-01"),
        ("1001", "1" * 3000, "第 2 行“工单编号”超过 200 字"),
        ("城南路路灯不亮", " ", "第 2 行“诉求内容”是空的"),
        ("1002", "1001", "第 3 行的编号 1001 与前面重复，内容不同"),
    ],
)
def test_one_mistake_and_nothing_is_taken(desk: Office, old: str, new: str, why: str) -> None:
    with pytest.raises(Invalid, match="有 1 处不对，什么都没有导入") as found:
        take(desk, file_of(desk, HOTLINE.replace(old, new)))
    assert why in str(found.value)
    assert rows(desk, replies) == []


@pytest.mark.parametrize("name", ["broken.xlsx", "broken.csv"])
def test_a_file_that_is_no_table_is_refused(desk: Office, name: str) -> None:
    for content in (b"", b"\x00\xff\xfe\x81", b"PK\x03\x04junk"):
        with pytest.raises(Invalid):
            take(desk, file_of(desk, content, name))


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(desk: Office) -> None:
    """It would take the memory of the process that sends."""
    sheet = sheet_of(desk, [["时间", "内容"], ["2026-11-20", "停水了"]])
    with ZipFile(sheet, "a", ZIP_DEFLATED) as book, book.open("xl/media/big", "w") as part:
        for _ in range(tables.UNPACKED // 1_000_000 + 1):
            part.write(bytes(1_000_000))
    assert sheet.stat().st_size < 1_000_000
    with pytest.raises(Invalid, match="解压后超过"):
        take(desk, sheet)


def test_only_into_an_account_served_by_hand_and_only_by_who_handles_replies(desk: Office) -> None:
    file = file_of(desk, HOTLINE)
    with pytest.raises(Invalid, match="由系统采集"):
        take(desk, file, key="board")
    with pytest.raises(NotFound):
        take(desk, file, key="nobody")
    with pytest.raises(NotAllowed):
        take(desk, file, by="lin")


def test_nothing_is_filed_under_another_unit_s_post(desk: Office) -> None:
    with desk.db.write() as conn:
        other = builders.unit(conn, "health")
    post = builders.draft(desk, ["hotline"])
    with desk.db.write() as conn:
        conn.execute(posts.update().values(unit_id=other))
    text = f"日期,内容,稿件\n2026-11-20,停水了,{post}\n"
    with pytest.raises(Invalid, match="第 2 行“稿件”没有这篇稿件：1"):
        take(desk, file_of(desk, text))


def test_erased_words_do_not_come_back_with_the_file(desk: Office) -> None:
    take(desk, file_of(desk, HOTLINE))
    with desk.db.write() as conn:
        now, gu = desk.db.now(conn), builders.actor(conn, "gu")
        collect.erase(desk, conn, now, gu, 1, "本人申请")
    assert take(desk, file_of(desk, HOTLINE)).changed == 0
    assert rows(desk, replies)[0]["text"] == ""


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("2026-11-20", "2026-11-20T00:00:00+08:00"),
        ("２０２６．１１．２０　９：０５", "2026-11-20T09:05:00+08:00"),
        ("2026年11月20日9时", "2026-11-20T09:00:00+08:00"),
        ("2026-11-20T01:15:30Z", "2026-11-20T01:15:30+00:00"),
        ("2026/1/2 23:59:59", "2026-01-02T23:59:59+08:00"),
    ],
)
def test_times_as_people_write_them(cell: str, at: str) -> None:
    assert tables.moment(cell, SHANGHAI) == datetime.fromisoformat(at)


# ---------------------------------------------------------------- by hand, and by the command


def test_one_message_is_entered_and_the_file_imported_by_command(desk: Office) -> None:
    def _run(*words: str, code: int = 0) -> str:
        found = CliRunner().invoke(main, ["--config", str(desk.config.path), *words])
        assert found.exit_code == code, found.output
        return found.stdout

    words = ("replies", "add", "--account", "hotline", "--text", "电梯停运", "--author", "赵")
    first = json.loads(_run(*words, "--at", "2026-11-23 10:00", "--json"))
    assert json.loads(_run(*words, "--at", "2026-11-23 10:00", "--json")) == first
    file = str(file_of(desk, HOTLINE))
    made = json.loads(_run("replies", "import", file, "--account", "hotline", "--json"))
    assert (made["new"], made["unused"]) == (2, ["联系电话"])
    assert "新增 0 条" in _run("replies", "import", file, "--account", "hotline")
    listed = json.loads(_run("replies", "--account", "hotline", "--json"))
    assert {row["text"] for row in listed} >= {"电梯停运", "城南路路灯不亮"}
    _run("replies", "import", file, "--account", "hotline", "--column", "text", code=2)


def test_a_message_typed_in_with_a_bad_time_is_told_by_its_field(desk: Office) -> None:
    add = {"text": "路灯不亮", "at": "前天"}
    with desk.db.write() as conn, pytest.raises(Invalid) as told:
        collect.add(desk, conn, desk.db.now(conn), builders.actor(conn, "fang"), "hotline", **add)
    assert str(told.value) == "“时间”不是时间：前天"
