"""Real pages, read as their description says (../shared/samples/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.model import Entry, Reading
from bot.sources.base import Origin
from bot.sources.page import PageOptions, WebPage
from bot.sources.reading import as_json
from bot.sources.table import Table, TableOptions
from tests.sources.contract import ZONE

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


def parse(body: bytes, url: str = "page") -> Reading:
    return WebPage(PageOptions()).parse(body, "", Origin(url, ZONE))


def sample(name: str, url: str = "page") -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """Its one item, problems and metadata, as `gongkai read --json` prints them."""
    body = (SAMPLES / "pages" / name).read_bytes()
    assert WebPage.recognises(body, "")
    printed = as_json(parse(body, url), ZONE)
    (item,) = printed["items"]
    return item, [problem["what"] for problem in printed["problems"]], printed["meta"]


SHANXI = "http://www.shanxi.gov.cn/yw/sxyw/201909/t20190918_693227.shtml"


def test_a_provincial_page_with_its_tags_twice() -> None:
    item, problems, meta = sample("shanxi-gov-news.html", SHANXI)
    assert meta["site_name"] == "山西省人民政府门户网站"
    assert meta["site_domain"] == "www.shanxi.gov.cn"
    assert (meta["site_id_code"], meta["column_name"]) == ("1400000045", "山西要闻")
    assert meta["title"] == item["title"] == "山西品牌丝路行（南美站）正式启动"
    assert meta["published"] == item["published"] == "2019-09-18T06:23:00+08:00"
    assert meta["source"] == "山西日报"
    assert (meta["keywords"], meta["author"], meta["description"]) == ("", "", "")
    assert meta["url"] == item["link"] == SHANXI
    assert meta["image"].endswith("/yw/sxyw/201909/W020190918266010069764.jpg")
    assert any("ColumnType" in what for what in problems)
    assert item["body"].endswith("南美站活动将先后在巴西、乌拉圭、阿根廷举行。（张巨峰）")
    assert item["body"].startswith("图为山西品牌丝路行")
    assert len(item["body"].split("\n")) == 9


def test_addresses_stay_relative_where_the_pages_own_is_not_known() -> None:
    _, _, meta = sample("shanxi-gov-news.html")
    assert meta["url"] == "./t20190918_693227.shtml"


def test_a_gazette_without_standard_tags_and_a_title_broken_up() -> None:
    item, problems, meta = sample("govcn-gazette-2007-23.html")
    title = (
        "全国人民代表大会常务委员会关于批准财政部发行特别国债购买外汇及"
        "调整2007年末国债余额限额的决议"
    )
    assert item["title"] == meta["title"] == title
    assert meta["published"] == item["published"] == "2007-08-20T23:59:59+08:00"
    assert any("ArticleTitle" in what for what in problems)


def test_utf8_that_says_it_is_gb2312() -> None:
    item, problems, meta = sample("people-says-gb2312-is-utf8.html")
    assert item["title"] == "女儿出嫁，郑板桥画了几笔兰花当嫁妆"
    assert item["published"] == "2019-06-15T08:18:00+08:00"
    assert meta["source"] == "人民网-文化频道"
    assert any("gb18030" in what for what in problems)


def test_gb_bytes_that_nobody_declared() -> None:
    item, _, _ = sample("gb18030-no-declaration.html")
    assert item["title"] == "中国制造的领军者3名"
    assert item["body"].startswith("中国制造的领军者3名；")


# ---------------------------------------------------------------- 15 papers of the State Council

INSERT = re.compile(
    r"VALUES \((\d+), '([^']*)', '[^']*', '([^']*)', '([^']*)', '([^']*)', '([^']*)', null,"
)


def papers() -> Iterator[tuple[str, tuple[str, ...], Entry]]:
    """Of each row of the dump its page read, beside what its columns say of it."""
    dump = (SAMPLES / "catalogue/govcn-policy-export.mysql.sql").read_text("utf-8")
    for row in dump.split("INSERT INTO ")[1:]:
        found = INSERT.search(row)
        assert found
        markup = row[row.rindex("'未处理', '") + len("'未处理', '") : row.rindex("', 'HTML')")]
        page = markup.replace("\\'", "'").replace("\\\\", "\\")
        (entry,) = parse(page.encode(), found[2]).entries
        yield page, found.groups()[1:], entry


def test_the_papers_of_the_state_council_are_read_from_their_table() -> None:
    read = [*papers()]
    assert len(read) == 15
    for page, (url, index, title, publisher, number), entry in read:
        assert (entry.index_number, entry.title, entry.link) == (index, title, url)
        assert (entry.publisher, entry.document_number) == (publisher, number)
        topic, formed, published = (
            _cell(page, label) for label in ("主题分类", "成文日期", "发布日期")
        )
        assert entry.topic == topic
        assert [_day(entry.formed), _day(entry.published)] == [_date(formed), _date(published)]
        assert entry.body.count("\n") > 5
        assert "主题分类" not in entry.body


def test_the_trap_of_the_dump_its_own_dates_are_a_month_late() -> None:
    _, second, *others = (entry for _, _, entry in papers())
    assert (_day(second.formed), _day(second.published)) == (date(2018, 12, 7), date(2018, 12, 27))
    assert (second.document_number, second.topic) == ("国办发〔2018〕123号", "综合政务\\政务公开")
    assert {_day(e.published) for e in others[1:]} == {date(2018, 12, 24)}
    assert max(_day(e.formed) for e in others[1:]) < date(2007, 1, 1)


def test_the_dump_itself_is_read_and_its_own_dates_are_told_to_be_wrong() -> None:
    dump = (SAMPLES / "catalogue/govcn-policy-export.mysql.sql").read_bytes()
    reading = Table(TableOptions()).parse(dump, "", Origin("export.sql", ZONE))
    pages = [entry for _, _, entry in papers()]
    for entry, page in zip(reading.entries, pages, strict=True):
        assert (entry.index_number, entry.title, entry.link) == (
            page.index_number,
            page.title,
            page.link,
        )
        assert (entry.published, entry.formed) == (page.published, page.formed)
        assert (entry.document_number, entry.topic) == (page.document_number, page.topic)
        assert entry.body == page.body
    assert sum("以页面为准" in problem.what for problem in reading.problems) == 15


def _cell(page: str, label: str) -> str:
    found = re.search(rf"{label}：</b></td>\s*<td[^>]*>(.*?)</td>", page)
    assert found
    return found[1]


def _date(text: str) -> date:
    return date(*map(int, re.findall(r"\d+", text)))


def _day(at: Any) -> date:
    assert at
    found: date = at.astimezone(ZONE).date()
    return found


# ---------------------------------------------------------------- answers of APIs


def test_answers_of_apis_are_read_with_their_dates_and_what_was_not_read_is_told() -> None:
    files = sorted((SAMPLES / "api").glob("*.json"))
    readings = [
        Table(TableOptions()).parse(f.read_bytes(), "", Origin(f.name, ZONE)) for f in files
    ]
    outcome, dockets = readings[0], readings[-1]
    assert [len(reading.entries) for reading in readings] == [1, 1, 1, 10]
    assert outcome.entries[0].published == datetime(2016, 4, 22, 11, tzinfo=UTC)
    assert dockets.entries[0].key == "ED-2021-SCC-0032"
    assert dockets.entries[0].published == datetime(2021, 5, 10, 7, 48, 24, tzinfo=UTC)
    assert any("2028" in problem.what for problem in dockets.problems)
