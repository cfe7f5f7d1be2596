"""Pages of government sites: the contract, lists of every layout, articles, and how links are
followed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from html import escape
from typing import Any

import pytest
from pydantic import ValidationError

from bot.errors import SourceError
from bot.model import Reading
from bot.sources.base import Origin
from bot.sources.page import PageOptions, WebPage
from tests.sources.contract import FIVE, ZONE, Kind, Notice, SourceContract

HEAD = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>通知公告_云澜县人民政府</title>'
    '<meta name="SiteName" content="云澜县人民政府"><meta name="SiteDomain" content="www.yunlan.example">'
    '<meta name="SiteIDCode" content="5399990001"><meta name="ColumnName" content="通知公告">'
    '<meta name="ColumnDescription" content="县政府发布的通知公告">'
    '<meta name="ColumnKeywords" content="通知,公告"><meta name="ColumnType" content="通知公告"></head>'
    '<body><ul class="nav"><li><a href="/">首页</a></li><li><a href="/zwgk/">政务公开</a></li></ul>'
)
FOOT = '<div class="footer"><p>主办：云澜县人民政府办公室</p></div></body></html>\n'


def page(body: str, head: str = HEAD) -> bytes:
    return f"{head}{body}{FOOT}".encode()


def write(notices: Sequence[Notice]) -> bytes:
    return page(f'<ul class="list">{"".join(map(_row, notices))}</ul>')


def _row(notice: Notice) -> str:
    date = f'<span class="date">{notice.published}</span>' if notice.published is not None else ""
    title = escape(notice.title)
    text = f"<p>{escape(notice.text)}</p>" if notice.text else ""
    return f'<li><a href="{escape(notice.link)}" title="{title}">{title}</a>{date}{text}</li>\n'


class TestPage(SourceContract):
    kind = Kind("page", write, "text/html; charset=utf-8", {"rows": "ul.list > li"})


def parse(
    body: bytes, url: str = "http://www.yunlan.example/zwgk/tzgg/", **options: Any
) -> Reading:
    return WebPage(PageOptions(**options)).parse(body, "", Origin(url, ZONE))


def day(at: datetime | None) -> str:
    return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00") if at else ""


# ---------------------------------------------------------------- lists, found by themselves

TITLES = [f"关于第{n}项工作有关事项的通知" for n in range(1, 5)]
LAYOUTS = {
    "ul": (
        "<ul class=news>{}</ul>",
        '<li><a href="a/{n}.html">{t}</a><span>2026-09-0{n}</span></li>',
    ),
    "date first": ("<ul>{}</ul>", '<li><i>[2026-09-0{n}]</i><a href="a/{n}.html">·{t}</a></li>'),
    "date in the link": (
        "<ul>{}</ul>",
        '<li><a href="a/{n}.html"><p>{t}</p><span>2026年9月{n}日</span></a></li>',
    ),
    "cut, whole in @title": (
        "<ul>{}</ul>",
        '<li><a href="a/{n}.html" title="{t}">关于第{n}项工作…</a> 2026/9/{n}</li>',
    ),
    "@title that says more": (
        "<table>{}</table>",
        '<tr><td><a href="a/{n}.html" title="标题：{t}&#10;点击数：3">关于第{n}项...</a></td>'
        "<td>(2026.9.{n})</td></tr><tr><td colspan=2><hr></td></tr>",
    ),
    "table": (
        "<table><tr><th>序号</th><th>名称</th><th>发布日期</th></tr>{}</table>",
        '<tr><td>{n}</td><td><a href="a/{n}.html">{t}</a></td><td>2026-09-0{n}</td></tr>',
    ),
    "dl": ("<dl>{}</dl>", '<dt><a href="a/{n}.html">{t}</a></dt><dd>2026-09-0{n}</dd>'),
    "each its own list": (
        "<div>{}</div>",
        '<ul class=x><li><a href="a/{n}.html">{t}</a><em>2026-09-0{n}</em></li></ul>',
    ),
    "in a row": ("<div>{}</div>", '<a href="a/{n}.html">{t}</a> <b>2026-09-0{n}</b><br>'),
    "in a cell": (
        "<table><tr><td>{}</td></tr></table>",
        '<a href="a/{n}.html">{t}</a> (2026-09-0{n})<br>',
    ),
    "in a row, date first": ("<div>{}</div>", '2026-09-0{n} <a href="a/{n}.html">{t}</a><br>'),
    "day and month apart": (
        "<ul>{}</ul>",
        '<li><div><b>0{n}</b><i>2026-09</i></div><h3><a href="a/{n}.html">{t}</a></h3></li>',
    ),
    "month over day": (
        "<div>{}</div>",
        '<div class=it><a href="a/{n}.html"><i>2026.09</i><b>{n}</b><h4>{t}</h4></a></div>',
    ),
    "year in the link": ("<ul>{}</ul>", '<li><a href="a/202609/t{n}.html">{t}</a>09-0{n}</li>'),
    "大汉": (
        '<script type="text/xml"><datastore><recordset>{}</recordset></datastore></script>',
        "<record><![CDATA[<li><a title='{t}' href='a/{n}.html'>{t}</a><b>2026-09-0{n}</b></li>]]></record>",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_list_of_any_layout_is_found(layout: str) -> None:
    frame, row = LAYOUTS[layout]
    rows = "".join(row.format(n=n, t=t) for n, t in enumerate(TITLES, 1))
    paging = '<div class=page><a href="index_1.html">下一页</a> <a href="index_9.html">尾页</a> 1/10</div>'
    reading = parse(page(frame.format(rows) + paging))
    assert [e.title for e in reading.entries] == TITLES
    assert [day(e.published) for e in reading.entries] == [f"2026-09-0{n}" for n in range(1, 5)]
    assert reading.entries[0].link.startswith("http://www.yunlan.example/zwgk/tzgg/a/")
    assert {e.publisher for e in reading.entries} == {"云澜县人民政府"}
    assert not reading.problems
    options = reading.meta["options"]
    if options:  # what was found is found again by the selector that is written to config
        assert parse(page(frame.format(rows) + paging), **options).entries == reading.entries


def rows(*cells: str, frame: str = "<ul class=news>{}</ul>") -> bytes:
    return page(frame.format("".join(f"<li>{cell}</li>" for cell in cells)))


def test_the_list_that_says_most_is_taken_and_the_others_are_told() -> None:
    hot = '<ul class=hot><li><a href="/h/1">热点一</a>2026-01-01</li><li><a href="/h/2">热点二</a>2026-01-02</li></ul>'
    body = rows(*(f'<a href="/a/{n}">{t}</a>2026-09-0{n}' for n, t in enumerate(TITLES, 1)))
    reading = parse(body.replace(b"<body>", f"<body>{hot}".encode()))
    assert [e.title for e in reading.entries] == TITLES
    assert any("另有 1 处" in p.what for p in reading.problems)


def test_what_is_hidden_or_a_script_is_no_entry() -> None:
    old = "".join(
        f'<li><a href="/old/{n}">很早以前的旧通知，早已经过期了</a>2016-01-0{n}</li>'
        for n in range(1, 9)
    )
    script = '<a href="javascript:void(0)">脚本里的链接，不是条目</a>2026-09-09'
    body = rows(script, *(f'<a href="/a/{n}">{t}</a>2026-09-0{n}' for n, t in enumerate(TITLES, 1)))
    hidden = f'<ul class=news style="DISPLAY : none">{old}</ul><!--<ul class=news>{old}</ul>-->'
    reading = parse(body.replace(b'<ul class="nav">', f'{hidden}<ul class="nav">'.encode()))
    assert [e.title for e in reading.entries] == TITLES


def test_a_pinned_row_without_a_date_stays_and_is_told() -> None:
    pinned = '<a href="/a/9">云澜县政务服务事项清单（长期有效）</a>'
    reading = parse(
        rows(pinned, *(f'<a href="/a/{n}">{t}</a>2026-09-0{n}' for n, t in enumerate(TITLES, 1)))
    )
    assert reading.entries[0].title == "云澜县政务服务事项清单（长期有效）"
    assert reading.entries[0].published is None
    assert any("没有发布日期" in p.what for p in reading.problems)


def test_what_else_a_row_says_is_read() -> None:
    row = (
        '[<a href="/c/">政策解读</a>] <a href="/a/{n}">第{n}项政策的解读</a>'
        "<em>2026-09-0{n} 08:30</em> <span>来源：县教育局</span><p>第{n}项政策讲什么，一看就懂。</p>"
    )
    first = parse(rows(row.format(n=1), row.format(n=2))).entries[0]
    assert (first.title, first.column, first.publisher) == (
        "第1项政策的解读",
        "政策解读",
        "县教育局",
    )
    assert (first.summary, day(first.published)) == (
        "第1项政策讲什么，一看就懂。",
        "2026-09-01 08:30",
    )


def test_a_rows_own_link_stands_before_what_is_about_it() -> None:
    row = (
        '<a href="/c">[解读]</a><a href="/a/{n}">关于第{n}项规划的通知</a><i>2026-09-0{n}</i>'
        '<p><a href="/b/{n}">一图读懂：关于第{n}项规划的通知究竟讲了什么</a></p>'
    )
    reading = parse(rows(row.format(n=1), row.format(n=2)))
    assert [e.link.rpartition("example")[2] for e in reading.entries] == ["/a/1", "/a/2"]


def test_a_tables_headings_tell_what_its_cells_are() -> None:
    table = (
        "<table><tr><th>名称</th><th>索引号</th><th>发布机构</th><th>成文日期</th><th>发布日期</th></tr>"
        '<tr><td><a href="/a/1">关于第1项工作的通知</a></td><td>000014348/2026-1</td>'
        "<td>云澜县教育局</td><td>2026-08-30</td><td>2026-09-01</td></tr></table>"
    )
    (only,) = parse(page(table)).entries
    assert (only.index_number, only.publisher) == ("000014348/2026-1", "云澜县教育局")
    assert (day(only.formed), day(only.published)) == ("2026-08-30", "2026-09-01")


def test_config_may_name_what_stands_where() -> None:
    block = (
        '<div class=b><a href="/i/{n}"><img src=x></a><u>第{n}期</u><a class=go href="/a/{n}">详情</a>'
        "<s>26 年 9 月 {n} 日</s></div>"
    )
    body = page(block.format(n=1) + block.format(n=2))
    named = {"rows": "div.b", "link": "a.go", "title": "u", "date": "s"}
    reading = parse(body, **named)
    assert [(e.title, e.link[-4:]) for e in reading.entries] == [
        ("第1期", "/a/1"),
        ("第2期", "/a/2"),
    ]
    assert any("26 年 9 月 1 日" in p.what for p in reading.problems)


def test_a_selector_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="选择器"):
        PageOptions(rows="li >>> a")


# ---------------------------------------------------------------- articles

TITLE = "云澜县人民政府办公室关于做好防汛工作的通知"
TEXT = (
    "<p>　　为做好全县防汛工作，现将有关事项通知如下，请各乡镇、各部门认真贯彻落实。</p>"
    "<p>　　一、提高认识，加强领导，落实责任，确保人民群众生命财产安全和社会稳定。</p>"
)
RELATED = "".join(f'<li><a href="/a/{n}">{t}</a>2026-01-0{n}</li>' for n, t in enumerate(TITLES, 1))


def article(head: str, body: str, url: str = "http://www.yunlan.example/a/b.html") -> Reading:
    markup = f"<html><head>{head}</head><body>{body}<ul class=rel>{RELATED}</ul></body></html>"
    reading = parse(markup.encode(), url)
    assert reading.meta["as"] == "article"
    return reading


def test_tags_in_any_case_with_any_quotes_and_twice() -> None:
    head = (
        f"<META CONTENT='{TITLE}' NAME=meta-articletitle><meta name='PubDate' content=''>"
        '<meta name=\'PubDate" content="2017——04——12 21:37"><meta name=contentSource content=县府办>'
        '<meta name="ArticleTitle" content=""><meta name="description" content="为做好全县防汛工作">'
        '<meta name="keywords" content="云澜县政府门户网站"><meta name="author" content="104363">'
        '<meta name="Image" content="./w.jpg"><!--<meta name="SiteIDCode" content="旧">-->'
    )
    meta = article(head, f'<div class="TRS_Editor">{TEXT}</div>').meta
    assert (meta["title"], meta["published"]) == (TITLE, "2017-04-12T21:37:00+08:00")
    assert (meta["source"], meta["description"]) == ("县府办", "为做好全县防汛工作")
    assert (meta["keywords"], meta["author"], meta["site_id_code"]) == ("", "", "")
    assert meta["image"] == "http://www.yunlan.example/a/w.jpg"


def test_which_mandatory_tags_are_missing_or_empty_is_told() -> None:
    tags = '<meta name="ArticleTitle" content="标题"><meta name="SiteIDCode" content=" ">'
    said = [p.what for p in article(tags, f"<div id=zoom>{TEXT}</div>").problems]
    assert any("缺少" in what and "PubDate" in what and "ColumnType" in what for what in said)
    assert any("没有内容" in what and "SiteIDCode" in what for what in said)
    assert not any("ArticleTitle" in what or "Keywords、" in what for what in said[1:])


TABLES = {
    "table": "<table><tr><td>索 引 号：</td><td>11/2026-1</td><td>主题分类：</td><td>水利\\防汛</td></tr>"
    "<tr><td>发文机关：</td><td>县府办</td><td>成文日期：</td><td>2026年9月1日</td></tr>"
    "<tr><td>发文字号：</td><td>云政办发[2026]5号</td>\n<td>发布日期：</td>\n<td>2026年9月10日</td></tr></table>",
    "no colons": "<table><tr><th>索引号</th><td>11/2026-1</td><th>主题分类</th><td>水利\\防汛</td></tr>"
    "<tr><th>发布机构</th><td>县府办</td><th>成文日期</th><td>2026-09-01</td></tr>"
    "<tr><th>文号</th><td>云政办发〔2026〕5号</td><th>发布日期</th><td>2026-09-10</td></tr></table>",
    "li": "<ul><li><b>索引号：</b>11/2026-1</li><li>主题分类：水利\\防汛</li><li>发文机关：县府办</li>"
    "<li>成文日期：2026年9月1日</li><li>文号：云政办发〔2026〕5号 有效性：有效</li><li>发布日期：2026-09-10</li></ul>",
    "lines": "<div>索引号：</div><div>11/2026-1</div><div>主题分类：</div><div>水利\\防汛</div><div>发布机构：</div>"
    "<div>县府办</div><div>生成日期：</div><div>2026-09-01</div><div>名　　称：</div><div></div><div>文　　号：</div>"
    "<div>云政办发〔2026〕5号</div><div>发布日期：</div><div>2026-09-10</div>",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_documents_table_is_read_in_any_frame(table: str) -> None:
    reading = article(
        f"<title>{TITLE}_云澜县人民政府</title>", f"{TABLES[table]}<div id=zoom>{TEXT}</div>"
    )
    (entry,) = reading.entries
    assert (entry.title, entry.index_number, entry.topic) == (TITLE, "11/2026-1", "水利\\防汛")
    assert (entry.publisher, entry.document_number) == ("县府办", "云政办发〔2026〕5号")
    assert (day(entry.formed), day(entry.published)) == ("2026-09-01", "2026-09-10")


def test_without_tags_date_source_column_and_text_are_where_a_reader_sees_them() -> None:
    body = (
        "<div>今天是2026年11月24日 星期二</div>"
        '<div>当前位置：<a href="/">首页</a> &gt; <a href="/t/">通知公告</a> &gt; 正文</div>'
        f'<div class=tt>{TITLE}</div><div><span alt="时间：2017-11-08 20:26">时间：</span>'
        "2026-09-18 16:05 <em>来源：\n县应急局</em> 作者：张三 字号：[大 中 小]</div>"
        f"<div class=wz>{TEXT * 2}</div>"
    )
    (entry,) = article(f"<title>{TITLE} - 云澜县人民政府</title>", body).entries
    assert (entry.title, entry.column, entry.publisher) == (TITLE, "通知公告", "县应急局")
    assert day(entry.published) == "2026-09-18 16:05"
    assert entry.body.startswith("为做好全县防汛工作")
    assert entry.body.count("\n") == 3


@pytest.mark.parametrize(
    ("title", "shown", "wanted"),
    [
        ("监察法-纪检", "<p>监察法</p>", "监察法"),
        (
            "新闻动态--某学会官网",
            "<h5>本会2026年年会在云澜成功举行</h5>",
            "本会2026年年会在云澜成功举行",
        ),
        ("关于2025-2026年度计划的通知", "", "关于2025-2026年度计划的通知"),
        ("云澜县人民政府_关于停水的通知", "<h1>关于停水的通知</h1>", "关于停水的通知"),
        ("关于做好2026　年工作的通知__政府公报", "<b>关于做好<br>2026年工作的通知</b>", None),
    ],
)
def test_a_title_is_the_one_a_reader_sees(title: str, shown: str, wanted: str | None) -> None:
    told = f"{shown}<div>发布时间：2026-09-18 来源：县府办</div><div id=zoom>{TEXT}</div>"
    (entry,) = article(f"<title>{title}</title>", told).entries
    assert entry.title == (wanted or "关于做好2026年工作的通知")


@pytest.mark.parametrize(
    ("tag", "shown", "wanted"),
    [
        ("2026-09-18", "2026年09月18日 16:05", "2026-09-18 16:05"),
        ("2026-09-18 04:05", "2026-09-18 16:05", "2026-09-18 16:05"),
        ("2026-09-18 12:05", "2026-09-18 00:05", "2026-09-18 00:05"),
        ("2026-09-18 08:30:59", "2026-09-17 16:05", "2026-09-18 08:30"),
        ("近日", "2026-09-18 16:05", "2026-09-18 16:05"),
    ],
)
def test_the_hour_is_taken_from_where_it_stands(tag: str, shown: str, wanted: str) -> None:
    tags = f'<meta name="ArticleTitle" content="{TITLE}"><meta name="PubDate" content="{tag}">'
    body = f"<h1>{TITLE}</h1><p>发布时间：{shown}</p><div id=zoom>{TEXT}</div>"
    reading = article(tags, body)
    at = reading.entries[0].published
    assert at
    assert at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M") == wanted
    assert reading.meta["published"] == at.astimezone(ZONE).isoformat()


def test_attachments_and_pictures_hang_on_the_entry() -> None:
    body = (
        f'<div class="TRS_Editor">{TEXT}<img src="./w.jpg" alt="现场"><img src="/images/icon_doc.gif"></div>'
        '<div class="fj_list">附件：<a href="./P1.docx" title="申报表">1</a><a href="x.html">无关</a></div>'
    )
    (entry,) = article(f'<meta name="ArticleTitle" content="{TITLE}">', body).entries
    found = {(a.url.rpartition("/")[2], a.name, a.kind) for a in entry.attachments}
    assert found == {("P1.docx", "申报表", "docx"), ("w.jpg", "现场", "image")}


def test_where_a_saved_page_came_from_it_says_itself() -> None:
    for origin in (
        "<!-- saved from url=(0040)http://www.yunlan.example/a/b.html -->",
        '<link rel="canonical" href="http://www.yunlan.example/a/b.html">',
    ):
        markup = f"{origin}<html><head><title>{TITLE}</title></head><body><div id=zoom>{TEXT}<a href=c.pdf>件</a></div></body></html>"
        (entry,) = parse(markup.encode(), "saved.html").entries
        assert entry.link == "http://www.yunlan.example/a/b.html"
        assert entry.attachments[0].url == "http://www.yunlan.example/a/c.pdf"


# ---------------------------------------------------------------- damage and attacks


def test_a_part_of_a_list_is_never_taken_for_the_whole() -> None:
    body = write(FIVE)
    whole = [e.key for e in parse(body).entries]
    for size in range(1, len(body)):
        try:
            keys = [e.key for e in parse(body[:size]).entries]
        except SourceError:
            continue
        assert keys == whole, body[:size][-60:]


N = 20_000
ATTACKS = {
    "depth": "<div>" * N + "2026-09-01<a href=/a>关于某事</a>" * 100,
    "inline": "<b>" * N + "2026-09-01 <i>x</i>" * 100,
    "named": '<div class="article fj">汉' * N,
    "hidden": '<div style="display:none">' * N + "x",
    "links": "<a href=/a>关于某事的通知</a> 2026-09-01<br>" * N,
    "tables": "<table><tr><td>索引号：" * 2000,
    "comments": "<!--" * N,
    "metas": '<meta name=\'ArticleTitle" content="' * N,
    "scripts": "<script>" * N,
    "labels": "<p>" + "索引号：" * N + "</p>",
    "titles": f"<title>{'关 ' * N}</title>",
    "numbers": "<p>" + "2026-09 " * N + "</p>",
    "days": "<h1>关于某事的通知</h1><p>" + "2026-09-01 " * N + "</p>",
    "records": "<datastore>" + "<record><![CDATA[" * N + "</datastore>",
    "strings": "<script>'" + "<a href=x>" * N + "'</script>",
    "literals": "<script>var l=[" + "{title:'x',url:'y'}," * N + "!]</script>",
    "frames": "<iframe src=" * N,
    "steps": "<p>当前位置：&gt;</p>" * N,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_pages_cost_little(name: str) -> None:
    began = time.process_time()
    with suppress(SourceError):
        parse(f"<html><body>{ATTACKS[name]}</body></html>".encode())
    assert time.process_time() - began < 5
