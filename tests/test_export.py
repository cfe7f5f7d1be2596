"""Exports open in a spreadsheet as what they are: text, with every mark."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from bot import collect, export
from bot.collect import exporting
from bot.collect.intake import Scope, take_in
from bot.language import Say
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.scenes import Scene, said, scene

HEADS = {"a": Say("甲"), "b": Say("乙")}
EVIL = [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =cmd|' /C calc'!A0",
    "＝1+1",
    "＠x",
    "\u3000=1",
]


def written(kind: str, rows: list[dict[str, Any]], heads: Any = HEADS) -> bytes:
    out = io.BytesIO()
    export.write(out, kind, heads, rows)
    return out.getvalue()


def table(content: bytes, kind: str) -> list[list[str]]:
    if kind == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return [[str(v or "") for v in row] for row in sheet.iter_rows(values_only=True)]


# ---------------------------------------------------------------- the formats


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("evil", EVIL)
def test_what_a_stranger_wrote_is_never_a_formula(kind: str, evil: str) -> None:
    rows = table(written(kind, [{"a": evil, "b": "常"}]), kind)
    assert rows[1][0].startswith("'")
    assert rows[1][0].replace("\r", "").strip("'\t\n \u3000") == evil.strip("\t\r\n \u3000")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_has_its_heads_and_says_yes_nothing_and_one_under_the_other(kind: str) -> None:
    content = written(kind, [{"a": True, "b": ["一", "二"]}, {"a": False, "b": None}])
    assert table(content, kind) == [["甲", "乙"], ["是", "一\n二"], ["", ""]]


def test_a_csv_opens_in_excel_as_utf_8() -> None:
    assert written("csv", []).startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_without_rows_has_its_heads(kind: str) -> None:
    assert table(written(kind, []), kind) == [["甲", "乙"]]


def test_every_cell_of_a_workbook_is_text() -> None:
    rows = [{"a": "1234567890123456", "b": "2026-01-01"}, {"a": "#N/A", "b": "TRUE"}]
    book = load_workbook(io.BytesIO(written("xlsx", rows)))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert cells[2].value == "1234567890123456"


def test_a_workbook_drops_what_xml_cannot_hold() -> None:
    content = written("xlsx", [{"a": "路\x00灯\x0b\x1b\ufffe", "b": "😀"}])
    assert table(content, "xlsx")[1] == ["路灯", "😀"]


def test_a_cell_that_is_too_long_is_cut_with_a_mark() -> None:
    content = written("xlsx", [{"a": "😀" * 20_000, "b": "长" * 32_767}])
    long, whole = table(content, "xlsx")[1]
    assert long.endswith(export.CUT)
    assert len(long.encode("utf-16-le")) // 2 <= export.CELL
    assert long.startswith("😀" * 16_000)
    assert whole == "长" * 32_767


def test_a_workbook_goes_on_on_the_next_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SHEET", 3)
    content = written("xlsx", [{"a": str(n), "b": ""} for n in range(5)])
    book = load_workbook(io.BytesIO(content))
    assert [[c[0] for c in s.iter_rows(values_only=True)] for s in book.worksheets] == [
        ["甲", "0", "1"],
        ["甲", "2", "3"],
        ["甲", "4"],
    ]
    with ZipFile(io.BytesIO(content)) as parts:
        assert "<f>" not in parts.read("xl/worksheets/sheet1.xml").decode()


def test_lines_are_whole_whatever_stands_in_them() -> None:
    rows = [{"a": "=1\n路灯\u2028", "b": builders.NOW}, {"a": True, "b": ["一"]}]
    lines = written("jsonl", rows).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"a": "=1\n路灯\u2028", "b": "2026-11-24T01:00:00+00:00"},
        {"a": True, "b": ["一"]},
    ]


# ---------------------------------------------------------------- replies


@pytest.fixture
def log(office: Office, clock: FixedClock) -> Scene:
    """r0 edited, r1 removed, r2 edited and removed, r3 erased, r4 as it was, a formula."""
    made = scene(office, clock, "board", "http://127.0.0.1:1")
    made.take("路灯不亮", "井盖丢失", "水压太低", "我叫张三丰", "=HYPERLINK(1)")
    clock.move(3600)
    made.take("路灯亮了", "井盖丢失", "水压正常")
    with office.db.write() as conn:
        gone = [said(f"r{n}", "", clock.now(), removed=True) for n in (1, 2)]
        take_in(conn, clock.now(), Scope(made.account, ""), gone)
        admin = builders.actor(conn, "gu")
        collect.erase(office, conn, clock.now(), admin, made.said()["r3"]["id"], "申请")
    return made


def exported(made: Scene, kind: str, **filters: Any) -> bytes:
    out = io.BytesIO()
    with made.office.db.read() as conn:
        exporting.write(made.office, conn, out, kind, {1}, **filters)
    return out.getvalue()


def test_every_row_of_replies_has_its_state_and_both_marks(log: Scene) -> None:
    lines = [json.loads(line) for line in exported(log, "jsonl").splitlines()]
    rows = {row["reply"]: row for row in lines}
    marks = {
        name: (r["state"], r["edited"], r["removed"], r["removed_why"]) for name, r in rows.items()
    }
    assert marks == {
        "r0": ("edited", True, False, ""),
        "r1": ("removed", False, True, "platform"),
        "r2": ("removed", True, True, "platform"),
        "r3": ("removed", False, True, "erased"),
        "r4": ("visible", False, False, ""),
    }
    assert rows["r0"]["earlier"] == ["路灯不亮"]
    assert rows["r0"]["edited_at"] == "2026-11-24T10:00:00+08:00"
    assert rows["r0"]["at"] == "2026-11-24T09:00:00+08:00"
    assert rows["r2"]["text"] == "水压正常"
    assert (rows["r3"]["text"], rows["r3"]["author"]) == ("", "")
    assert list(rows["r0"]) == list(exporting.HEADS)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_of_replies_speaks_in_words(log: Scene, kind: str) -> None:
    head, *rows = table(exported(log, kind), kind)
    found = {row[head.index("平台编号")]: dict(zip(head, row, strict=True)) for row in rows}
    assert found["r2"]["状态"] == "已删除"
    assert [found["r2"][name] for name in ("已修改", "已删除", "删除依据")] == [
        "是",
        "是",
        "平台标明",
    ]
    assert found["r2"]["修改前内容"] == "水压太低"
    assert found["r3"]["删除依据"] == "依申请抹除"
    assert found["r4"]["内容"] == "'=HYPERLINK(1)"
    assert found["r0"]["评论时间"] == "2026-11-24T09:00:00+08:00"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_is_taken_out_is_in_the_trail_without_the_words_searched_for(log: Scene) -> None:
    with log.office.db.read() as conn:
        who = builders.actor(conn, "gu")
    filters = {"words": "路灯", "state": "", "post": None, "account": log.account}
    for kind in ("csv", "xlsx", "jsonl"):
        with exporting.taken_out(log.office, who, kind, {1}, **filters) as file:
            assert "路灯".encode() in file.read() or kind == "xlsx"
    entries = log.trail("reply.export")
    assert [e["data"]["kind"] for e in entries] == ["csv", "xlsx", "jsonl"]
    assert {(e["actor"], e["data"]["rows"]) for e in entries} == {("顾明", 1)}
    assert {frozenset(e["data"]["filters"]) for e in entries} == {frozenset({"words", "account"})}
    assert "路灯" not in str([e["data"] for e in entries])


def test_an_export_follows_the_filters_and_pages_through_all(log: Scene) -> None:
    log.take(*(f"第{n}盏路灯" for n in range(2105)))
    assert len(exported(log, "jsonl", words="盏路灯").splitlines()) == 2104, "one is erased"
    assert len(exported(log, "jsonl", state="removed").splitlines()) == 1
    assert exported(log, "jsonl", account=99) == b""
