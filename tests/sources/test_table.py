"""Each format of a table keeps the contract; headings are understood as offices write them."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from bot.errors import SourceError
from bot.model import Attachment, Entry, Reading
from bot.sources import packed
from bot.sources.base import Origin
from bot.sources.table import Table, TableOptions
from tests.sources.contract import FIVE, ZONE, Kind, Notice, SourceContract

HEADS = ("链接", "信息编号", "标题", "内容概述", "发布日期")
SHEET_1 = "xl/worksheets/sheet1.xml"


def cells(notice: Notice) -> list[str]:
    text = notice.text if notice.text.strip() else ""
    return [notice.link, notice.id, notice.title, text, notice.published or ""]


def write_csv(notices: Sequence[Notice], mark: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([HEADS, *map(cells, notices)])
    return out.getvalue().encode("utf-8-sig")


def write_tsv(notices: Sequence[Notice]) -> bytes:
    return write_csv(notices, "\t").decode("utf-8-sig").encode("gb18030")


def workbook(*sheets: Sequence[Any], merge: str = "") -> bytes:
    book = Workbook()
    for n, rows in enumerate(sheets):
        sheet = book.active if n == 0 else book.create_sheet()
        assert sheet is not None
        for row in rows:
            sheet.append(list(row))
        if merge:
            sheet.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def write_xlsx(notices: Sequence[Notice]) -> bytes:
    return workbook([HEADS, *map(cells, notices)])


def write_json(notices: Sequence[Notice]) -> bytes:
    rows = [dict(zip(HEADS, cells(n), strict=True)) for n in notices]
    return json.dumps({"code": 0, "data": {"rows": rows}}, ensure_ascii=False).encode()


def write_lines(notices: Sequence[Notice]) -> bytes:
    rows = (dict(zip(HEADS, cells(n), strict=True)) for n in notices)
    uneven = (json.dumps(row) + " " * n + "\n" for n, row in enumerate(rows))
    return "".join(uneven).encode()  # a cut at a line's very end cannot be seen


class TestCsv(SourceContract):
    kind = Kind("table", write_csv, "text/csv")


class TestTsvInGbk(SourceContract):
    kind = Kind("table", write_tsv, "text/tab-separated-values")


class TestXlsx(SourceContract):
    kind = Kind("table", write_xlsx, "application/octet-stream")


class TestJson(SourceContract):
    kind = Kind("table", write_json, "application/json")


class TestLines(SourceContract):
    kind = Kind("table", write_lines, "application/x-ndjson")

    def test_a_catalogue_without_entries_is_read_and_told(self) -> None:
        """No line at all is no document: it is refused like an empty file."""
        with pytest.raises(SourceError, match="空"):
            self.read([])


# ---------------------------------------------------------------- headings


def parse(body: str | bytes, **options: Any) -> Reading:
    raw = body.encode() if isinstance(body, str) else body
    return Table(TableOptions(**options)).parse(raw, "", Origin("table.csv", ZONE))


def one(body: str | bytes, **options: Any) -> Entry:
    (entry,) = parse(body, **options).entries
    return entry


def told(reading: Reading) -> str:
    return "\n".join(f"{p.where}：{p.what}" for p in reading.problems)


def day(year: int, month: int, on: int) -> datetime:
    return datetime(year, month, on, tzinfo=ZONE).astimezone(UTC)


FULL = {
    "序号": "1",
    "索引号": "YL001/2026-00012",
    "信息名称": "关于做好防汛工作的通知",
    "发文字号": "云政发[2026]12号",
    "发布机构": "云澜县水利局",
    "成文日期": "2026年9月18日",
    "公开日期": "2026/9/22",
    "主题分类": "农业、林业、水利",
    "栏目": "通知公告",
    "摘要": "做好今年汛期<各项>工作",
    "正文": "第一段。\n第二段。",
    "网址": "http://www.yunlan.example/1.html",
    "语种": "zh",
    "附件": "http://www.yunlan.example/1.pdf；http://www.yunlan.example/2.xlsx",
    "备注": "",
}


def test_every_field_is_read_by_the_names_offices_use() -> None:
    out = io.StringIO()
    csv.writer(out).writerows([FULL.keys(), FULL.values()])
    entry = one(out.getvalue())
    assert entry.index_number == "YL001/2026-00012"
    assert entry.title == "关于做好防汛工作的通知"
    assert entry.document_number == "云政发〔2026〕12号"
    assert entry.publisher == "云澜县水利局"
    assert (entry.formed, entry.published) == (day(2026, 9, 18), day(2026, 9, 22))
    assert (entry.topic, entry.column) == ("农业、林业、水利", "通知公告")
    assert entry.summary == "做好今年汛期<各项>工作"
    assert entry.body == "第一段。\n第二段。"
    assert (entry.link, entry.language) == ("http://www.yunlan.example/1.html", "zh")
    assert [a.url[-5:] for a in entry.attachments] == ["1.pdf", ".xlsx"]


def test_the_headings_need_not_stand_first_and_may_span_columns_and_rows() -> None:
    rows = [
        ["云澜县2026年主动公开目录"],
        [],
        ["填报单位：云澜县财政局", None, None, "填报日期：2026-09-30"],
        ["序号", "信息名称（必填）", "日　期", None, "文 号"],
        [None, None, "成文日期", "发布日期", None],
        [1, "部门预算", date(2026, 1, 20), datetime(2026, 2, 2, 9, 30), "无"],
        [],
        ["序号", "信息名称（必填）", "成文日期", "发布日期", "文 号"],
        [2, "“三公”经费", 46042, "2026.2.3", "云财〔2026〕3号"],
    ]
    reading = parse(workbook(rows, merge="C4:D4"))
    budget, three = reading.entries
    assert (budget.title, budget.document_number) == ("部门预算", "")
    assert budget.formed == day(2026, 1, 20)
    assert budget.published == datetime(2026, 2, 2, 1, 30, tzinfo=UTC)
    assert (three.formed, three.published) == (day(2026, 1, 20), day(2026, 2, 3))
    assert three.document_number == "云财〔2026〕3号"
    assert reading.meta["columns"]["formed"] == "成文日期"


def test_the_sheet_is_the_one_that_is_understood_or_the_one_named() -> None:
    notes = [["填写说明"], ["请勿改动表头"]]
    first, second = [["标题", "发布日期"], ["甲", "2026-1-1"]], [["标题"], ["乙"]]
    body = workbook(notes, first, second)
    assert one(body).title == "甲"
    assert one(body, sheet="Sheet2").title == "乙"
    with pytest.raises(SourceError, match="有：Sheet、Sheet1、Sheet2"):
        parse(body, sheet="目录")


def test_the_options_name_columns_and_a_missing_one_is_refused() -> None:
    body = "事由,标题,何时\n关于供水的通告,草稿,2026-09-22\n"
    entry = one(body, columns={"title": "事由", "published": "何时"})
    assert (entry.title, entry.published) == ("关于供水的通告", day(2026, 9, 22))
    with pytest.raises(SourceError, match=r"“文号”.*现有的列：事由、标题、何时"):
        parse(body, columns={"title": "事由", "document_number": "文号"})
    with pytest.raises(ValidationError, match="没有字段 titel"):
        TableOptions(columns={"titel": "标题"})


def test_what_was_guessed_and_what_stands_twice_is_told() -> None:
    said = told(parse("采购项目名称,发布日期,发布日期\n办公用品采购,,2026-09-22\n"))
    assert "采购项目名称=title" in said
    assert "“发布日期”" in said
    assert one("标题,标题\n,右边\n").title == "右边"


@pytest.mark.parametrize("body", ["姓名,电话\n张三,0000\n", "只有一行字\n", '[{"a": 1}]'])
def test_a_table_without_a_title_says_what_it_has(body: str) -> None:
    with pytest.raises(SourceError, match="找不到表头"):
        parse(body)


def test_a_problem_names_its_row() -> None:
    reading = parse("标题,发布日期\n甲,2026-09-01\n\n乙,择日\n")
    assert "第 4 行：日期“择日”读不懂" in told(reading)


# ---------------------------------------------------------------- formats


def test_json_under_a_key_or_one_level_down_and_where_the_options_say() -> None:
    record: dict[str, Any] = {
        "title": "甲",
        "meta": {"发布日期": "2026-09-22", "栏目": {"id": 1, "name": "公告"}},
    }
    record |= {"attachments": [{"name": "表", "url": "http://a.example/1.xls"}]}
    both = {"ads": [{"title": "广告"}], "result": {"rows": [record]}}
    entry = one(json.dumps(both), list="result.rows")
    assert (entry.title, entry.published, entry.column) == ("甲", day(2026, 9, 22), "公告")
    assert entry.attachments == (Attachment("http://a.example/1.xls", "表"),)
    assert one(json.dumps(record)).title == "甲"
    with pytest.raises(SourceError, match=r"JSON 里没有 data\.rows"):
        parse("{}", list="data.rows")


def test_the_names_that_systems_export_are_guessed_and_told() -> None:
    row = {
        "DOCTITLE": "甲",
        "DOCPUBURL": "http://a.example/1",
        "DOCRELTIME": "2026-09-22",
        "FILENUM": "云政〔2026〕1号",
    }
    reading = parse(json.dumps({"page": {"content": [row]}}, ensure_ascii=False))
    (entry,) = reading.entries
    assert (entry.title, entry.link, entry.published) == ("甲", row["DOCPUBURL"], day(2026, 9, 22))
    assert (entry.document_number, "DOCTITLE=title" in told(reading)) == ("云政〔2026〕1号", True)


def test_a_titles_own_link_in_a_workbook_is_the_entrys() -> None:
    book = Workbook()
    page = book.worksheets[0]
    for row in (
        ["目录"],
        ["标题", "网址"],
        ["甲", "查看"],
        ["乙", "http://a.example/own"],
        ["丙", ""],
    ):
        page.append(row)
    for place, link in (
        ("B3", "http://a.example/1?a=1&b=2"),
        ("A4", "http://a.example/2"),
        ("A5", "#目录!A1"),
    ):
        page[place].hyperlink = link
    out = io.BytesIO()
    book.save(out)
    links = [entry.link for entry in parse(out.getvalue()).entries]
    assert links == ["http://a.example/1?a=1&b=2", "http://a.example/own", ""]


def test_columns_without_end_cost_nothing() -> None:
    began = time.process_time()
    wide = ",".join(["标题", *(f"列{n}" for n in range(30_000))])
    assert parse(f"{wide}\n甲{',x' * 30_000}\n").entries[0].title == "甲"
    assert time.process_time() - began < 3


def test_markup_in_a_cell_is_read_and_other_brackets_stay() -> None:
    entry = one("标题,正文\n关于<某某办法>的说明,<p>一段</p><p>二段 &amp; 三</p>\n")
    assert (entry.title, entry.body) == ("关于<某某办法>的说明", "一段\n二段 & 三")


def test_a_quotation_mark_out_of_place_loses_no_row() -> None:
    reading = parse('标题,发布日期\n"关于"开门红"的通知",2026-09-01\n乙,2026-09-02\n')
    assert [e.published for e in reading.entries] == [day(2026, 9, 1), day(2026, 9, 2)]
    assert "引号" in told(reading)


def test_a_row_without_its_line_end_is_read_but_proves_no_absence() -> None:
    reading = parse("标题,发布日期\n甲,2026-09-01")
    assert (len(reading.entries), reading.whole) == (1, False)
    assert "没有换行" in told(reading)


@pytest.mark.parametrize("columns", [{"title": "标题"}, {}])
def test_an_entry_is_known_by_its_numbers_when_its_title_is_edited(
    columns: Mapping[str, str],
) -> None:
    first = one("标题,索引号\n甲,YL1\n", columns=columns)
    again = one("标题,索引号\n甲（更正）,YL1\n", columns=columns)
    assert first.key == again.key


# ---------------------------------------------------------------- hostile files


def rezipped(body: bytes, part: str, content: bytes) -> bytes:
    """The same workbook with another content in one of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


def sheet(rows: str) -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_formulas_are_never_evaluated() -> None:
    head = f'<row r="1">{text_cell("A1", "标题")}</row>'
    row = '<row r="2"><c r="A2" t="str"><f>HYPERLINK("http://evil.example")</f><v>甲</v></c></row>'
    body = rezipped(write_xlsx(FIVE), SHEET_1, sheet(head + row))
    assert one(body).title == "甲"
    assert one('标题\n"=HYPERLINK(""x"")"\n').title == '=HYPERLINK("x")'


BOMB = b"<!DOCTYPE a [<!ENTITY a0 'haha'>" + b"".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>".encode() for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (SHEET_1, sheet('<row r="99999999999"><c r="A1"/></row>')),
        (SHEET_1, BOMB + b"]>" + sheet(f'<row r="1">{text_cell("A1", "&a11;")}</row>')),
        (SHEET_1, b"<worksheet"),
        ("xl/workbook.xml", b"<workbook/>"),
    ],
)
def test_a_hostile_workbook_is_refused_at_once(part: str, content: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError):
        parse(rezipped(write_xlsx(FIVE), part, content))
    assert time.monotonic() - began < 5


def test_a_bomb_is_told_by_what_it_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "UNPACKED", 1_000_000)
    with pytest.raises(SourceError, match="解压后超过"):
        parse(rezipped(write_xlsx(FIVE), SHEET_1, b" " * 1_000_001))


def test_a_cell_far_to_the_right_costs_nothing() -> None:
    rows = "".join(
        f'<row r="{n}">{text_cell(f"A{n}", "标题" if n == 1 else f"第{n}号")}<c r="XFD{n}"/></row>'
        for n in range(1, 200)
    )
    assert len(parse(rezipped(write_xlsx(FIVE), SHEET_1, sheet(rows))).entries) == 198


def test_old_and_protected_workbooks_say_what_to_do() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
    with pytest.raises(SourceError, match="另存为"):
        parse(old)
    with pytest.raises(SourceError, match="密码"):
        parse(old + "EncryptedPackage".encode("utf-16-le"))


def test_more_rows_than_any_office_has_are_refused() -> None:
    with pytest.raises(SourceError, match="10000"):
        parse("标题\n" + "甲\n" * 10_050)


# ---------------------------------------------------------------- a real export


SAMPLE = Path(__file__).resolve().parents[2] / "../shared/samples/microblog"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the samples are not here")
def test_a_real_csv_whose_headings_mean_nothing_to_us_is_read_as_told() -> None:
    body = (SAMPLE / "cctvnews-weibo-posts-2020-01.csv").read_bytes()
    with pytest.raises(SourceError, match="找不到表头"):
        parse(body)
    heads = next(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    text = next(name for name in heads if "text" in name.lower() or "content" in name.lower())
    assert len(parse(body, columns={"title": text}).entries) > 100
