"""Tables in the forms that systems give them: dumps, scripts, parts, pages and XML, merged cells."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SourceError
from bot.model import Reading
from bot.sources.reading import read
from tests.sources.contract import ZONE
from tests.sources.test_page import day
from tests.sources.test_table import parse, workbook

# ---------------------------------------------------------------- dumps

DUMP = r"""INSERT INTO `docs` (`title`, `release_time`, `html`, `url`) VALUES
('关于\'两节\'值班的通知（\\试行）', '2026-02-20 10:00:00', NULL, 'https://a.example/1'),
('关于停水的''通告''', '2026-01-31', '第一行\n第二行', 'https://a.example/2');
"""


@pytest.mark.parametrize("start", ["", "-- MySQL dump\n", "/* 导出 */\nSET NAMES utf8;\n"])
def test_a_database_dump_is_read_as_the_rows_it_inserts(start: str) -> None:
    one, two = parse(start + DUMP).entries
    assert (one.title, one.link) == ("关于'两节'值班的通知（\\试行）", "https://a.example/1")
    assert (two.title, two.body) == ("关于停水的'通告'", "第一行\n第二行")
    assert [day(e.published) for e in (one, two)] == ["2026-02-20 10:00", "2026-01-31"]


def test_a_dump_takes_its_columns_from_create_table_where_insert_names_none() -> None:
    made = "CREATE TABLE `docs` (\n  `id` int,\n  `title` text,\n  PRIMARY KEY (`id`)\n);\n"
    (entry,) = parse(f"{made}INSERT INTO `docs` VALUES (7,'关于停水的通告');\n").entries
    assert (entry.key, entry.title) == ("7", "关于停水的通告")


@pytest.mark.parametrize("end", [75, 90, 150, len(DUMP) - 4])
def test_a_dump_that_breaks_off_is_refused(end: int) -> None:
    with pytest.raises(SourceError, match="SQL"):
        parse(DUMP[:end])


def test_many_comments_before_what_is_no_dump_cost_no_time() -> None:
    begun = time.process_time()
    with pytest.raises(SourceError):
        parse("/* 版权所有 */\n" * 200 + "function show() {}\n")
    assert time.process_time() - begun < 1


def test_instructions_and_entities_between_the_records_of_xml_are_passed_over() -> None:
    records = (
        "<list><?php run ?><item>&x;<?php run ?><title>关于停水的通告</title><date>2026-01-31</date></item>"
        "<item><title>关于供暖的通告</title><date>2026-02-01</date></item></list>"
    )
    reading = parse(f'<?xml version="1.0"?><!DOCTYPE list [<!ENTITY x "甲">]>{records}')
    assert [entry.title for entry in reading.entries] == ["关于停水的通告", "关于供暖的通告"]


PAGE = (
    "<table><tr><td>索 引 号：</td><td>YL/2026-1</td><td>发文字号：</td><td>云政发〔2026〕1号</td></tr>"
    "<tr><td>成文日期：</td><td>2026年1月8日</td><td>发布日期：</td><td>2026年1月20日</td></tr></table>"
    "<div>各乡镇人民政府：现将有关事项通知如下，请认真执行，遇有情况及时报告。</div>"
)


def test_what_a_documents_page_says_counts_before_the_columns_and_is_told() -> None:
    row = f'通知,https://a.example/1,2026-02-20,"{PAGE}"'
    reading = parse(f"title,url,release_time,html\n{row}\n")
    (entry,) = reading.entries
    assert (entry.index_number, entry.document_number) == ("YL/2026-1", "云政发〔2026〕1号")
    assert (day(entry.published), day(entry.formed)) == ("2026-01-20", "2026-01-08")
    assert entry.body.startswith("各乡镇人民政府")
    assert any("2026-02-20" in p.what and "以页面为准" in p.what for p in reading.problems)


# ---------------------------------------------------------------- JSON


SCRIPTS = [("jQuery12_3(", ");"), ("/**/cb(", ")"), ("var list = ", ";")]


@pytest.mark.parametrize(("start", "end"), SCRIPTS)
def test_json_that_a_page_fetches_as_a_script_is_read(start: str, end: str) -> None:
    (entry,) = parse(f'{start}{{"data":[{{"title":"关于停水的通告"}}]}}{end}').entries
    assert entry.title == "关于停水的通告"


def test_lists_of_one_name_are_one_catalogue_in_parts() -> None:
    parts = {"a": {"listVO": [{"title": "甲通知"}]}, "b": {"listVO": [{"title": "乙通知"}]}}
    assert [e.title for e in parse(json.dumps({"map": parts})).entries] == ["甲通知", "乙通知"]


# ---------------------------------------------------------------- workbooks


def titles(reading: Reading) -> list[str]:
    return [entry.title for entry in reading.entries]


def told(reading: Reading) -> str:
    return "\n".join(problem.what for problem in reading.problems)


def test_a_sheet_for_each_month_is_read_whole_and_another_is_told() -> None:
    heads = ["标题", "发布日期"]
    months = [[heads, ["甲通知", "2026-01-01"]], [heads, ["乙通知", "2026-02-01"]]]
    other = [["名称", "文号", "备注"], ["附表", "云政发〔2026〕1号", ""]]
    reading = parse(workbook(*months, other))
    assert titles(reading) == ["甲通知", "乙通知"]
    assert "没有读" in told(reading)


def test_cells_merged_downwards_count_for_every_row() -> None:
    rows = [["发布机构", "标题"], ["县政府办", "甲通知"], [None, "乙通知"], ["县财政局", "丙通知"]]
    reading = parse(workbook(rows, merge="A2:A3"))
    assert [e.publisher for e in reading.entries] == ["县政府办", "县政府办", "县财政局"]


def test_headings_of_parts_notes_and_sums_are_no_entries_and_are_told() -> None:
    rows = [["标题", "文号", "发布机构", "发布日期"], ["一、县政府"]]
    rows += [["甲通知", "", "县政府办", "2026-01-01"], ["合 计", "1"], ["注：本表每季度更新"]]
    reading = parse(workbook(rows))
    assert titles(reading) == ["甲通知"]
    assert "有 3 行" in told(reading)


def test_a_table_of_titles_alone_keeps_its_rows() -> None:
    rows = [["标题", "文号", "发布机构", "发布日期"], ["甲通知"], ["乙通知"]]
    assert titles(parse(workbook(rows))) == ["甲通知", "乙通知"]


# ---------------------------------------------------------------- markup


def test_a_page_that_calls_itself_xls_is_a_table_whose_cells_may_span_rows() -> None:
    rows = (
        "<tr><th>发布机构</th><th>标题</th><th>发布日期</th></tr>"
        "<tr><td rowspan=2>县政府办</td><td>甲通知</td><td>2026-01-01</td></tr>"
        "<tr><td>乙通知</td><td>2026-01-02</td></tr>"
    )
    whole = f"<html><body><table>{rows}</table></body></html>"
    reading = parse(whole)
    assert [(e.publisher, e.title, day(e.published)) for e in reading.entries] == [
        ("县政府办", "甲通知", "2026-01-01"),
        ("县政府办", "乙通知", "2026-01-02"),
    ]
    with pytest.raises(SourceError, match="不完整"):
        parse(whole[:-20])


def test_cells_that_claim_to_span_everything_cost_little() -> None:
    wide = "<tr><td rowspan=1000 colspan=100>某</td></tr>" * 2000
    heads = "<tr><th>标题</th><th>发布日期</th></tr><tr><td>甲通知</td><td>2026-01-01</td></tr>"
    begun = time.process_time()
    assert titles(parse(f"<html><body><table>{heads}{wide}</table></body></html>"))[0] == "甲通知"
    assert time.process_time() - begun < 5


def test_a_spreadsheets_own_xml_is_a_table() -> None:
    row = "<Row><Cell><Data>{}</Data></Cell><Cell ss:Index='3'><Data>{}</Data></Cell></Row>"
    rows = row.format("标题", "发布日期") + row.format("乙通知", "2026-01-02")
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    sheet = f"<Worksheet ss:Name='一月'><Table>{rows}</Table></Worksheet>"
    whole = f'<?xml version="1.0"?><Workbook xmlns="{space}" xmlns:ss="{space}">{sheet}</Workbook>'
    (entry,) = parse(whole).entries
    assert (entry.title, day(entry.published)) == ("乙通知", "2026-01-02")


def test_records_in_xml_are_a_table_and_a_cut_one_is_refused() -> None:
    body = "<list><row><title>甲通知</title></row><row><title>乙通知</title></row></list>"
    assert titles(parse(body)) == ["甲通知", "乙通知"]
    with pytest.raises(SourceError, match="XML"):
        parse(body[:-9])


# ---------------------------------------------------------------- what is none of them


FILES: dict[str, Any] = {
    "a.pdf": (b"%PDF-1.4\n", "PDF"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(40), "图片"),
    "a.rar": (b"Rar!\x1a\x07\x00", "压缩包"),
    "a.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "docx"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_catalogue_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    body, said = FILES[name]
    (tmp_path / name).write_bytes(body)
    with pytest.raises(SourceError, match=said):
        asyncio.run(read(str(tmp_path / name), ZONE))


def test_a_text_that_is_no_table_is_read_as_a_document(tmp_path: Path) -> None:
    file = tmp_path / "通告.txt"
    file.write_text(
        "关于停水的通告\n各用户：\n　　今晚停水。\n云澜县水务局\n2026年9月18日\n", "utf-8"
    )
    (entry,) = asyncio.run(read(str(file), ZONE)).entries
    assert (entry.title, entry.publisher) == ("关于停水的通告", "云澜县水务局")


def test_an_answer_of_one_page_says_so_and_proves_no_absence() -> None:
    answer = {"meta": {"totalElements": 30}, "data": [{"id": "1", "title": "甲通知"}]}
    reading = parse(json.dumps(answer))
    assert "共有 30 条" in told(reading)
    assert not reading.whole


def test_a_records_list_of_labels_and_values_is_its_fields() -> None:
    told = [
        {"key": "wh", "name": "文号", "value": "云政发〔2026〕7号"},
        {"name": "索引号", "value": "YL/2026-7"},
    ]
    record = {
        "title": "关于值班的通知",
        "url": "https://a.example/1",
        "publishedTimeStr": "2026-05-10 09:12:00",
        "domainMetaList": [{"resultList": [*told, {"name": "废止日期", "value": "null"}]}],
    }
    (entry,) = parse(json.dumps({"data": {"results": [record]}})).entries
    assert (entry.document_number, entry.index_number) == ("云政发〔2026〕7号", "YL/2026-7")


NAMES = [
    ("DOCTITLE", "DOCPUBURL", "DOCPUBTIME"),
    ("title", "linkurl", "showTime"),
    ("policyName", "policyUrl", "issueDate"),
    ("newsTitle", "HTML_URL", "createTime"),
    ("biaoti", "lianjie", "fabushijian"),
]


@pytest.mark.parametrize("names", NAMES)
def test_the_names_that_systems_make_up_are_known_by_what_they_end_in(
    names: tuple[str, ...],
) -> None:
    values = ("关于值班的通知", "https://a.example/1", "2026-05-10 09:12:00")
    record = dict(zip(names, values, strict=True)) | {"imgUrl": "https://a.example/1.jpg"}
    (entry,) = parse(json.dumps({"data": {"list": [record]}})).entries
    assert (entry.title, entry.link) == values[:2]
    assert entry.published is not None
