"""Pages as the makers of government sites lay them out: labels, lists, and what stands in scripts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import SourceError
from bot.model import Entry, Reading
from bot.sources.base import Origin
from bot.sources.page import PageOptions, WebPage
from bot.sources.reading import read
from tests.sources.contract import ZONE
from tests.sources.test_page import day, parse

TITLE = "云澜县人民政府关于做好汛期值班工作的通知"
TEXT = (
    "<p>各乡镇人民政府，县政府各部门：</p><p>为做好汛期值班工作，现将有关事项通知如下，请认真执行。</p>"
    "<p>一、各单位要落实领导带班制度，确保信息畅通，遇有重要情况及时报告。</p>"
)
NUMBER, INDEX, OFFICE = "云政发〔2026〕12号", "YL0033/2026-00012", "云澜县人民政府"


def html(body: str, head: str = "") -> bytes:
    nav = '<div class="nav"><a href="/">首页</a> <a href="/zwgk/">政务公开</a></div>'
    foot = "<div>主办：云澜县人民政府办公室　ICP备00000000号</div>"
    whole = f"<html><head><title>{TITLE}</title>{head}</head><body>{nav}{body}{foot}</body></html>"
    return whole.encode()


def article(above: str, head: str = "", heading: str = f"<h1>{TITLE}</h1>") -> Entry:
    reading = parse(html(f'{above}{heading}<div class="con">{TEXT}</div>', head))
    (entry,) = reading.entries
    return entry


def pairs(form: str, between: str = "") -> str:
    told = {
        "索引号": INDEX, "发文字号": NUMBER, "发文机关": OFFICE, "成文日期": "2026-05-06",
        "发布日期": "2026-05-10",
    }  # fmt: skip
    return between.join(form.format(label=label, value=value) for label, value in told.items())


LAYOUTS = {
    "a table": f"<table><tr>{pairs('<td>{label}：</td><td>{value}</td>')}</tr></table>",
    "labels over values": "<table><tr><th>索引号</th><th>发文字号</th><th>发文机关</th><th>成文日期</th>"
    f"<th>发布日期</th></tr><tr><td>{INDEX}</td><td>{NUMBER}</td><td>{OFFICE}</td>"
    "<td>2026-05-06</td><td>2026-05-10</td></tr></table>",
    "label and value in a cell": f"<table><tr>{pairs('<td><b>{label}:</b> <span>{value}</span></td>')}</tr></table>",
    "definitions": f"<dl>{pairs('<dt>{label}</dt><dd>{value}</dd>')}</dl>",
    "items": f"<ul>{pairs('<li><span>{label}：</span><span>{value}</span></li>')}</ul>",
    "blocks without a colon": f"<div>{pairs('<div><div>{label}</div><div>{value}</div></div>')}</div>",
    "lines": f"<p>{pairs('{label}：{value}', '　　')}</p>",
    "columns": f"<div>{pairs('<div class=col><label>{label}：</label><span>{value}</span></div>')}</div>",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_documents_fields_are_read_in_every_layout(name: str) -> None:
    entry = article(LAYOUTS[name])
    assert (entry.title, entry.index_number, entry.document_number) == (TITLE, INDEX, NUMBER)
    assert entry.publisher == OFFICE
    assert (day(entry.formed), day(entry.published)) == ("2026-05-06", "2026-05-10")
    assert entry.body.startswith("各乡镇人民政府")


def test_a_label_that_is_not_known_ends_the_value_before_it() -> None:
    entry = article(f"<p>索引号：{INDEX} 服务热线：0000 成文日期：2026-05-06 密级：无</p>")
    assert (entry.index_number, day(entry.formed)) == (INDEX, "2026-05-06")


def test_a_dash_for_a_value_is_none() -> None:
    above = f"<table><tr><td>索引号</td><td>{INDEX}</td><td>文号</td><td>—&nbsp;—</td></tr></table>"
    assert article(above).document_number == ""


def test_an_index_number_in_place_of_the_documents_own_is_none() -> None:
    entry = article(f"<p>索引号：{INDEX}　发文字号：{INDEX}　发布日期：2026-05-10</p>")
    assert (entry.index_number, entry.document_number) == (INDEX, "")


@pytest.mark.parametrize(
    "line",
    ["2026-05-10 09:12县政府办", "云澜发布　2026年05月10日 09:12", "2026-05-10 09:12　点击 33"],
)
def test_a_date_among_other_words_between_title_and_text_is_read(line: str) -> None:
    assert (
        day(article("", heading=f"<h1>{TITLE}</h1><p>{line}</p>").published) == "2026-05-10 09:12"
    )


def test_a_number_beneath_a_title_of_two_lines_is_the_documents_own() -> None:
    heading = (
        f"<h1>云澜县人民政府<br>关于做好汛期值班工作的通知</h1><h2>{NUMBER}</h2><p>2026-05-10</p>"
    )
    entry = article("", heading=heading)
    assert (entry.document_number, day(entry.published)) == (NUMBER, "2026-05-10")


def test_a_description_that_only_names_the_site_is_no_summary() -> None:
    head = '<meta name="keywords" content="云澜,政务"><meta name="description" content="云澜,政务">'
    assert article("", head).summary.startswith("各乡镇人民政府")


def test_a_file_that_a_system_hands_out_by_number_is_attached_by_its_name() -> None:
    link = '<ul><li>附件【<a href="/download.jsp?id=33">值班表.docx</a>】</li></ul>'
    body = f'<h1>{TITLE}</h1><div id="vsb_content">{TEXT}</div>{link}'
    (entry,) = parse(html(body)).entries
    assert [(one.name, one.kind) for one in entry.attachments] == [("值班表.docx", "docx")]


def test_the_column_is_the_last_step_though_each_step_has_a_cell() -> None:
    steps = "<td> &gt;<a href='/a'>政务公开</a></td><td> &gt;<a href='/b'>通知公告</a></td>"
    place = f"<table><tr><td>当前位置：</td><td>首页</td><td><table><tr>{steps}</tr></table></td></tr></table>"
    assert article(place).column == "通知公告"


# ---------------------------------------------------------------- lists

NOTICES = ["关于印发年度工作要点的通知", "关于公开征求意见的公告", "关于专项资金安排情况的公示"]
DAYS = ["2026-06-18", "2026-06-12", "2026-05-31"]


def page_of(row: str, around: str = "<ul>{}</ul>") -> bytes:
    rows = [
        row.format(
            n=n, title=title, day=at, y=at[:4], m=at[5:7], d=at[8:], ym=at[:7], im=int(at[5:7])
        )
        for n, (title, at) in enumerate(zip(NOTICES, DAYS, strict=True))
    ]
    return html(around.format("".join(rows)))


def listed(row: str, around: str = "<ul>{}</ul>", **more: Any) -> Reading:
    return parse(page_of(row, around), **more)


def again(row: str, before: Reading) -> Reading:
    """Read once more, with what was left of the reading before."""
    origin = Origin("https://a.example/list/", ZONE, memo=before.memo)
    return WebPage(PageOptions()).parse(page_of(row), "", origin)


ROWS = {
    "the year in the link": '<li><span>({m}-{d})</span><a href="/art/{y}/{im}/1/{n}.html">{title}</a></li>',
    "day and year apart": '<li><b>{m}-{d}</b><i>{y}</i><p><a href="/a/{n}.html">{title}</a></p></li>',
    "opened by a script": '<li><a href="javascript:void(0)" onclick="open(\'/a/{n}.html\')">{title}</a>'
    "<i>{day}</i></li>",
    "without an address": "<li><a onclick=\"location.href='/a/{n}.html'\">{title}</a><i>{day}</i></li>",
    "written by a script": '<script>document.write("<li><a href=\\"/a/{n}.html\\">{title}<\\/a>'
    '<i>{day}</i></li>");</script>',
    "picture, title, summary and more": '<div class="item"><a href="/a/{n}.html"><img src="/{n}.jpg"></a>'
    '<h3><a href="/a/{n}.html">{title}</a></h3><p>这是一段介绍这条消息主要内容的摘要文字，供读者参考，'
    '详见正文，欢迎阅读，也欢迎转发。<a href="/a/{n}.html">[详情]</a></p><i>{day}</i></div>',
    "a table of its own": '<tr><td><table><tr><td>·<a href="/a/{n}.html">{title}</a></td><td>{day}&nbsp;</td>'
    "</tr></table></td></tr>",
    "figures without marks": '<li><a href="/a/{n}.html">{title}</a><i>{y}{m}{d}</i></li>',
    "the year's last figures": '<li><a href="/a/{n}.html">{title}</a><i>26-{m}-{d}</i></li>',
    "fields beneath": '<div><h5><a href="/a/{n}.html">{title}</a></h5><p>索引号：YL/2026-{n}　'
    "发布机构：县政府办　发布日期：{day}</p></div>",
    "fields side by side": '<dl><dt><a href="/a/{n}.html">{title}</a></dt><dd><span>索引号：YL/2026-{n}</span>'
    "<span>成文日期：2026年1月{n}日</span><span>发布日期：{day}</span></dd></dl>",
}


AROUND = {"a table of its own": "<table>{}</table>"}


@pytest.mark.parametrize("name", ROWS)
def test_a_list_is_read_in_every_layout(name: str) -> None:
    reading = listed(
        ROWS[name],
        "<div>{}</div>" if name.startswith(("pict", "field")) else AROUND.get(name, "<ul>{}</ul>"),
    )
    assert [entry.title for entry in reading.entries] == NOTICES
    assert [day(entry.published) for entry in reading.entries] == DAYS
    assert all(entry.link.endswith(f"/{n}.html") for n, entry in enumerate(reading.entries))
    if name.startswith("field"):
        assert [e.index_number for e in reading.entries] == ["YL/2026-0", "YL/2026-1", "YL/2026-2"]


def test_a_day_counts_for_all_that_stands_under_it() -> None:
    row = '<h4>{day}</h4><ul><li><a href="/a/{n}.html">{title}</a></li><li><a href="/b/{n}.html">解读：{title}</a></li></ul>'
    reading = listed(row, "<div>{}</div>")
    assert [entry.title[:3] for entry in reading.entries] == [
        start for title in NOTICES for start in (title[:3], "解读：")
    ]
    assert [day(e.published) for e in reading.entries] == [at for at in DAYS for _ in range(2)]


def test_a_column_of_each_kind_of_date_keeps_both_though_they_are_the_same_day() -> None:
    heads = "<tr><th>信息名称</th><th>生成日期</th><th>发布日期</th></tr>"
    row = '<tr><td><a href="/a/{n}.html">{title}</a></td><td>{day}</td><td>{day}</td></tr>'
    reading = listed(row, f"<table>{heads}{{}}</table>")
    assert [day(e.published) for e in reading.entries] == DAYS
    assert [day(e.formed) for e in reading.entries] == DAYS


UNDATED = '<li><a href="./{ym}/t{y}{m}{d}_{n}.html">{title}</a></li>'


def test_a_list_without_dates_is_known_by_its_addresses_whose_days_are_not_taken() -> None:
    reading = listed(UNDATED, url="https://a.example/list/")
    assert [entry.title for entry in reading.entries] == NOTICES
    assert not any(entry.published for entry in reading.entries)


def test_a_list_that_had_dates_and_lost_them_is_a_redesign() -> None:
    with pytest.raises(SourceError, match="改版"):
        again(UNDATED, listed(ROWS["the year in the link"]))
    assert len(again(UNDATED, listed(UNDATED)).entries) == 3


def test_figures_with_a_point_are_no_dates() -> None:
    quote = '<div><a href="/q/{n}">某某股份{n}</a><span>35.1{n}</span></div>'
    with pytest.raises(SourceError, match="没有找到"):
        listed(quote, "<div>{}</div>")


def test_a_link_to_the_text_is_neither_column_nor_summary() -> None:
    entry = listed(ROWS["picture, title, summary and more"], "<div>{}</div>").entries[0]
    assert entry.column == ""
    assert entry.summary.endswith("也欢迎转发。")


def test_a_script_that_makes_up_what_it_writes_is_left_alone() -> None:
    row = '<script>document.write("<li>" + title + "<a href=/a/{n}.html>{title}</a>{day}</li>");</script>'
    with pytest.raises(SourceError, match="没有找到"):
        listed(row)


def test_hanwebs_answer_is_a_list_by_itself() -> None:
    rows = "".join(
        f'<record><![CDATA[<li><a href="/art/{n}.html">{title}</a><span>{at}</span></li>]]></record>'
        for n, (title, at) in enumerate(zip(NOTICES, DAYS, strict=True))
    )
    reading = parse(f"<datastore><recordset>{rows}</recordset></datastore>".encode())
    assert [day(entry.published) for entry in reading.entries] == DAYS


# ---------------------------------------------------------------- saved pages


def saved(folder: Path, body: bytes) -> Reading:
    file = folder / "page.html"
    file.write_bytes(body)
    return asyncio.run(read(str(file), ZONE))


LIST = "".join(
    f'<li><a href="./{n}.html">{t}</a>{d}</li>'
    for n, (t, d) in enumerate(zip(NOTICES, DAYS, strict=True))
)


def test_a_saved_page_keeps_its_relative_links_and_says_so(tmp_path: Path) -> None:
    reading = saved(tmp_path, html(f"<ul>{LIST}</ul>"))
    assert [entry.link for entry in reading.entries] == ["./0.html", "./1.html", "./2.html"]
    assert any("相对地址" in problem.what for problem in reading.problems)


def test_a_saved_pages_site_is_the_one_its_tags_name(tmp_path: Path) -> None:
    head = '<meta name="SiteDomain" content="www.yunlan.example,yunlan.example">'
    reading = saved(tmp_path, html(f"<ul>{LIST.replace('./', '/a/')}</ul>", head))
    assert reading.entries[0].link == "http://www.yunlan.example/a/0.html"


def test_a_link_that_is_none_is_not_kept_where_entries_are_stored() -> None:
    assert parse(html(f"<ul>{LIST}</ul>"), url="").entries[0].link == ""


def test_a_page_that_is_neither_says_so_and_not_that_it_is_no_feed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="没有找到带日期的列表"):
        saved(tmp_path, html("<div id=app></div>"))
    link = '<link rel="alternate" type="application/rss+xml" href="/rss.xml">'
    with pytest.raises(SourceError, match=r"/rss\.xml"):
        saved(tmp_path, html("<div id=app></div>", link))


def test_an_element_whose_name_no_selector_can_say_is_no_matter() -> None:
    reading = parse(html(f"<ul\u00a5!>{LIST}</ul\u00a5!>"))
    assert [entry.title for entry in reading.entries] == NOTICES


def test_a_page_nested_without_end_is_refused() -> None:
    with pytest.raises(SourceError, match="嵌套过深"):
        parse(html("<div>" * 50_000 + "</div>" * 50_000))


def test_rows_that_a_script_has_as_json_are_a_list() -> None:
    record = '{{"title":"{title}","url":"/a/{n}.html","pubDate":"{day} 09:00:00","n":{n}}},'
    around = 'var menu = [{{"a":1}}]; var list = {{"rows":[{}null]}};'
    reading = listed(record, f"<div id=app></div><script>{around}</script>")
    assert [entry.title for entry in reading.entries] == NOTICES
    assert [day(e.published)[:10] for e in reading.entries] == DAYS
    assert reading.entries[0].link == "http://www.yunlan.example/a/0.html"


def test_a_list_whose_template_carries_an_articles_tags_is_a_list() -> None:
    head = (
        '<meta name="ColumnName" content="通知公告"><meta name="ArticleTitle" content="通知公告">'
    )
    page = html(f"<ul>{LIST}</ul>", f'{head}<meta name="PubDate" content="2026-06-18 10:00">')
    assert [entry.title for entry in parse(page).entries] == NOTICES


# ---------------------------------------------------------------- forms seen on real pages


def test_a_date_before_the_title_in_its_link_is_no_part_of_it() -> None:
    reading = listed('<li><a href="/a/{n}.html"><span>{day}</span><em>{title}</em></a></li>')
    assert [entry.title for entry in reading.entries] == NOTICES
    assert [day(entry.published) for entry in reading.entries] == DAYS


def test_a_mark_that_a_row_is_pinned_is_no_part_of_its_title() -> None:
    reading = listed('<li><a href="/a/{n}.html">【置顶】{title}</a><i>{day}</i></li>')
    assert [entry.title for entry in reading.entries] == NOTICES


def test_a_date_that_only_the_links_title_tells_is_the_entrys() -> None:
    reading = listed('<li><a href="/a/{n}.html" title="{title}\n发布时间：{day}">{title}</a></li>')
    assert [day(entry.published) for entry in reading.entries] == DAYS


def test_a_date_with_which_a_sentence_begins_makes_no_row() -> None:
    text = "".join(
        f"<p>2020年{n}月5日，县城防洪堤第{n}段完工，通过<a href=/x/{n}.html>专家验收</a>。</p>"
        for n in range(1, 6)
    )
    reading = parse(html(f"<h1>{TITLE}</h1><p>2026-05-10　来源：县水务局</p><div>{text}</div>"))
    assert reading.entries[0].body.endswith("通过专家验收。")


def test_a_documents_number_by_itself_in_a_row_is_the_entrys() -> None:
    row = '<li><a href="/a/{n}.html">{title}</a><b>云政发〔2026〕{n}号</b><i>{day}</i></li>'
    assert listed(row).entries[2].document_number == "云政发〔2026〕2号"


def test_two_entries_may_stand_in_a_row() -> None:
    row = '<tr><td><a href="/a/{n}.html">{title}</a></td><td>{day}</td><td><a href="/b/{n}.html">解读：{title}</a></td><td>{day}</td></tr>'
    reading = listed(row, "<table>{}</table>")
    assert [entry.title for entry in reading.entries] == [
        title for notice in NOTICES for title in (notice, f"解读：{notice}")
    ]


def test_the_list_that_goes_on_on_other_pages_is_the_pages_own() -> None:
    hot = "".join(
        f'<li><a href="/h/{n}.html">云澜县深入推进第{n}轮营商环境提升行动</a>2026-07-0{n}</li>'
        for n in range(1, 5)
    )
    around = f'<div><ul>{hot}</ul></div><div><ul>{{}}</ul><p><a href="2.html">下一页</a></p></div>'
    reading = listed('<li><a href="/a/{n}.html">{title}</a><i>{day}</i></li>', around)
    assert [entry.title for entry in reading.entries] == NOTICES


def test_a_scripts_list_without_quotation_marks_around_its_names_is_read() -> None:
    around = "<script>var list = [{}]; show(list);</script>"
    reading = listed("{{title:'{title}',url:'/a/{n}.html',time:'{day}'}},", around)
    assert [entry.title for entry in reading.entries] == NOTICES
    with pytest.raises(SourceError, match="没有找到"):
        listed("{{title:'{title}',url:go({n}),time:'{day}'}},", around)


WRITTEN = {
    "strings of a list": ("'{}',", "var rows=[{}]; $('#l').html(rows.join(''));"),
    "one string after the other": ("str+='{}';\n", "var str='';{}$('#l').html(str);"),
    "an answer of 大汉's": (
        "<record><![CDATA[{}]]></record>",
        "$('#l').jpage({{dataStore:'<datastore><recordset>{}</recordset></datastore>'}});",
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_that_a_script_holds_as_markup_are_a_list(name: str) -> None:
    each, around = WRITTEN[name]
    row = each.format('<li><a href="/a/{n}.html">{title}<\\/a><i>{day}</i></li>')
    reading = listed(row, f"<ul id=l></ul><script>{around}</script>")
    assert [entry.title for entry in reading.entries] == NOTICES
    assert [day(entry.published) for entry in reading.entries] == DAYS


def test_an_answer_in_json_that_holds_a_piece_of_a_page_is_its_list(tmp_path: Path) -> None:
    rows = page_of('<li><a href="/a/{n}.html">{title}</a><i>{day}</i></li>').decode()
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"code": 200, "data": {"html": rows[rows.index("<ul>") :]}}))
    reading = asyncio.run(read(str(file), ZONE))
    assert [entry.title for entry in reading.entries] == NOTICES
