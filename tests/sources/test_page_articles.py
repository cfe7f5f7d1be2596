"""Articles as sites lay them out: where the tags, the date, the title and the text may stand."""

from __future__ import annotations

import pytest

from bot.errors import SourceError
from bot.model import Entry, Reading
from bot.sources.page_meta import read_tags
from tests.sources.test_page import day, parse
from tests.sources.test_page_layouts import TEXT, TITLE, html

WHEN = "2026-05-10 09:12"
SENTENCE = "为做好汛期值班工作，现将有关事项通知如下，请认真执行。"


def reading_of(body: str, head: str = "") -> Reading:
    return parse(html(body, head))


def entry_of(body: str, head: str = "") -> Entry:
    (entry,) = reading_of(body, head).entries
    return entry


# ---------------------------------------------------------------- tags


TAGS = {
    "a mark inside the value": ('content="关于"两节"值班的通知"', '关于"两节"值班的通知'),
    "markup inside it": ('content="<b>关于值班</b>的通知"', "关于值班的通知"),
    "markup as entities": ('content="&lt;p&gt;关于值班的通知&lt;/p&gt;"', "关于值班的通知"),
    "entities escaped twice": (
        'content="关于&amp;ldquo;两节&amp;rdquo;的通知"',
        "关于“两节”的通知",
    ),
    "no marks": ("content=关于值班的通知", "关于值班的通知"),
    "marks that do not match": ("content=\"关于值班的通知'", "关于值班的通知"),
    "not filled in": ('content="{{title}}"', ""),
    "a program's word for none": ('content="null"', ""),
}


@pytest.mark.parametrize("name", TAGS)
def test_a_tags_value_is_read_however_it_is_written(name: str) -> None:
    written, value = TAGS[name]
    assert read_tags(f'<meta name="ArticleTitle" {written}>').get("title") == value


@pytest.mark.parametrize("attribute", ["name", "property", "itemprop", "http-equiv", "NAME "])
def test_a_tags_name_may_stand_in_any_attribute(attribute: str) -> None:
    tags = read_tags(f'<meta content="{WHEN}" {attribute}= "PubDate" />')
    assert tags.get("published") == WHEN


# ---------------------------------------------------------------- date and source


INFO = f"发布时间：{WHEN}　来源：云澜日报　字体：【大 中 小】"
PLACES = {
    "over the title": f"<div>时间 : &nbsp;{WHEN}:33　来源 : 云澜日报</div><h3>{TITLE}</h3><div>{TEXT}</div>",
    "in the title's element": f"<h2>{TITLE}<small>({WHEN})</small></h2><p>来源：云澜日报</p><div>{TEXT}</div>",
    "in elements of their own": f"<h1>{TITLE}</h1><div><em>2026-05-10</em><em>09:12:33</em>"
    f"<em>作者：顾明</em><em>来源：云澜日报</em></div><div>{TEXT}</div>",
    "in the text's element": f"<div><h1>{TITLE}</h1><div>{INFO}</div>{TEXT}</div>",
    "in the text's element, as paragraphs": f"<div><p>{TITLE}</p><p>{INFO}</p>{TEXT}</div>",
    "beside a button": f"<h1>{TITLE}</h1><div>{WHEN} 来源：<a href='/x'>云澜日报</a> <a>举报</a></div><div>{TEXT}</div>",
}


@pytest.mark.parametrize("name", PLACES)
def test_date_and_source_are_read_wherever_they_stand_and_are_no_text(name: str) -> None:
    entry = entry_of(PLACES[name])
    assert (entry.title, entry.publisher) == (TITLE, "云澜日报")
    assert day(entry.published) == WHEN
    assert entry.body.startswith("各乡镇人民政府")


def test_a_date_by_the_title_counts_before_those_behind_the_text() -> None:
    more = "<ul><li>2026-06-01 12:00</li><li>2026-06-02 12:00</li></ul>"
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN} 县政府办</p><div class=con>{TEXT}</div>{more}")
    assert day(entry.published) == WHEN


def test_the_day_a_document_was_formed_or_ends_is_not_when_it_was_published() -> None:
    above = "<p>[成文日期] 2026-05-06　[废止日期] 2031-05-06　[发布日期] 2026-05-10</p>"
    entry = entry_of(f"{above}<h1>{TITLE}</h1><div class=con>{TEXT}</div>")
    assert (day(entry.formed), day(entry.published)) == ("2026-05-06", "2026-05-10")


def test_labels_in_brackets_are_a_documents_fields() -> None:
    told = {"发文机构": "县政府办", "发文字号": "云政办发〔2026〕7号", "成文日期": "2026-05-06"}
    items = "".join(f"<li><b>[{name}]</b><span>{value}</span></li>" for name, value in told.items())
    entry = entry_of(f"<ol>{items}</ol><h1>{TITLE}</h1><div>{TEXT}</div>")
    assert (entry.publisher, entry.document_number) == ("县政府办", "云政办发〔2026〕7号")


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("云澜县税务局公告2026年第7号（关于办税时间的公告）", "云澜县税务局公告2026年第7号"),
        (
            "关于办税时间的公告（县财政局 县税务局公告2026年第3号）",
            "县财政局 县税务局公告2026年第3号",
        ),
        ("云政办发〔2026〕7号 关于值班工作的通知", "云政办发〔2026〕7号"),
        ("云政办发〔2026〕7号（解读）", ""),
    ],
)
def test_a_number_in_the_title_is_the_documents_unless_it_is_about_another(
    title: str, number: str
) -> None:
    head = f'<meta name="ArticleTitle" content="{title}">'
    assert entry_of(f"<div>{TEXT}</div>", head).document_number == number


# ---------------------------------------------------------------- title


def test_a_title_with_a_mark_that_parts_others_is_whole_where_a_heading_is() -> None:
    whole = "问答|汛期值班工作的若干问题"
    page = f"<html><head><title>{whole}_政策解读_云澜县</title></head><body><p>政策解读</p><h1>{whole}</h1>"
    (entry,) = parse(f"{page}<div>{TEXT}</div></body></html>".encode()).entries
    assert entry.title == whole


def test_the_sites_name_behind_the_title_tag_is_no_part_of_it() -> None:
    head = '<meta name="SiteName" content="云澜县人民政府"><meta name="ArticleTitle" content="停水通告_云澜县人民政府">'
    assert entry_of(f"<div>{TEXT}</div>", head).title == "停水通告"


def test_the_pages_one_heading_is_the_title_where_its_title_tag_is_not_shown() -> None:
    page = f"<html><head><title>意见征集</title></head><body><h1>{TITLE}</h1><div>{TEXT}</div></body></html>"
    assert parse(page.encode()).entries[0].title == TITLE


# ---------------------------------------------------------------- text


def test_a_short_notice_below_the_heading_is_the_text_and_not_a_long_one_above() -> None:
    side = f"<div><p>云澜县位于南方，物产丰富，人民勤劳，{SENTENCE}</p></div>"
    entry = entry_of(f"{side}<div><h1>{TITLE}</h1><p>{WHEN}</p><div><p>{SENTENCE}</p></div></div>")
    assert entry.body == SENTENCE


def test_a_text_of_blocks_is_whole_and_a_footer_is_none() -> None:
    blocks = "".join(f"<div><span>第{n}项：{SENTENCE}</span></div>" for n in range(3))
    foot = (
        f"<div><p>主办：云澜县人民政府办公室　{SENTENCE}</p><p>版权所有：{SENTENCE * 9}</p></div>"
    )
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{blocks}</div>{foot}")
    assert [line[:3] for line in entry.body.split("\n")] == ["第0项", "第1项", "第2项"]


def test_what_stands_below_a_text_is_none_of_it() -> None:
    below = (
        "<p>相关链接：</p><p><a href='/1'>一图读懂</a></p>"
        "<p>上一篇：<a href='/2'>关于停水的通告</a></p><p>【打印】【关闭】</p>"
    )
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{TEXT}<p>（编辑：顾明）</p>{below}</div>")
    assert entry.body.endswith("（编辑：顾明）")


def test_a_source_in_a_caption_is_part_of_the_text() -> None:
    caption = "<p>县城防汛值班室（来源：云澜日报）</p>"
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{caption}{TEXT}</div>")
    assert entry.body.startswith("县城防汛值班室")


def test_a_documents_labels_over_its_text_in_one_element_are_no_text() -> None:
    labels = "<div><b>发文机关：</b>县政府办</div><div><b>发文字号：</b>云政办发〔2026〕7号</div>"
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{labels}{TEXT}</div>")
    assert entry.document_number == "云政办发〔2026〕7号"
    assert entry.body.startswith("各乡镇人民政府")


def test_a_document_in_place_of_a_text_is_an_article() -> None:
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div><a href='/u/1.pdf'>{TITLE}.pdf</a></div>")
    assert [one.name for one in entry.attachments] == [f"{TITLE}.pdf"]


def test_a_page_that_lacks_its_end_in_the_middle_of_a_heading_is_cut() -> None:
    whole = html(f"<div>{INFO}</div><h3>{TITLE}</h3><div>{TEXT}</div>").decode()
    with pytest.raises(SourceError, match="不完整"):
        parse(whole[: whole.index(f"{TITLE}</h3>") + 5].encode())


def test_a_saved_pages_relative_addresses_begin_where_its_url_says_it_stands() -> None:
    head = (
        f'<meta name="ArticleTitle" content="{TITLE}"><meta name="Image" content="./1.jpg">'
        '<meta name="Url" content="http://www.yunlan.example/a/b/1.html">'
    )
    body = f'<div>{TEXT}<a href="../值班表.docx">值班表</a></div>'
    reading = parse(html(body, head), url="page")
    assert reading.meta["image"] == "http://www.yunlan.example/a/b/1.jpg"
    assert reading.entries[0].attachments[0].url == "http://www.yunlan.example/a/值班表.docx"


# ---------------------------------------------------------------- an article among lists


SIDE = "<div><h2>热点推荐</h2><ul>{}</ul></div>".format(
    "".join(
        f'<li><a href="/hot/{n}.html">云澜县召开第{n}次重点项目建设推进会议并部署工作</a><span>2026-04-{n:02}</span></li>'
        for n in range(1, 9)
    )
)
SHORT = "<p>因管道检修，定于五月十二日停水八小时，请提前储水。</p>"


@pytest.mark.parametrize("info", [f"{WHEN}　县水务局", f"发布人：顾明　发布时间：{WHEN}", ""])
def test_a_short_notice_beside_a_dated_list_is_an_article(info: str) -> None:
    text = SHORT if info else TEXT
    page = f"<table><tr><td>{SIDE}</td><td><h2>{TITLE}</h2><p>{info}</p><div>{text}</div></td></tr></table>"
    entry = entry_of(page, '<meta name="ColumnName" content="通知公告">' if info else "")
    assert entry.title == TITLE
    assert "热点" not in entry.body


def test_a_list_with_much_else_on_its_page_stays_a_list() -> None:
    rows = SIDE.replace("热点推荐", "通知公告").replace("<h2>", f"<p>{SENTENCE}</p><h2>")
    assert len(reading_of(rows, "<!---->").entries) == 8


def test_a_date_on_a_rows_line_is_not_the_pages() -> None:
    row = "<div><a href='/{n}.html'><h4>云澜县第{n}次会议召开</h4></a><p>发布于 2026-05-0{n} | 来源：县府办</p></div>"
    rows = "".join(row.format(n=n) for n in range(1, 5))
    assert len(reading_of(f"<div>{rows}</div>").entries) == 4


# ---------------------------------------------------------------- forms seen on real pages


def test_a_table_of_short_cells_is_the_text_whole() -> None:
    cells = "<tr><td>采购单位</td><td>县水务局</td></tr><tr><td>金额</td><td>三十万元</td></tr>"
    body = f"<div><p>财政部门指定的信息发布媒体，面向全国。</p></div><h2>{TITLE}</h2><p>{WHEN}</p>"
    entry = entry_of(f"{body}<div class=t><table>{cells * 9}</table></div>")
    assert entry.body.startswith("采购单位 县水务局")
    assert "媒体" not in entry.body


def test_a_date_inside_the_text_does_not_cut_what_stands_before_it() -> None:
    body = "<p>一、项目编号：YL-1</p><p>二、采购公告发布日期：2026-05-01</p><p>三、名称：水泵</p>"
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{body}{TEXT}</div>")
    assert entry.body.startswith("一、项目编号")
    named = "<p>名称：云澜水泵厂</p><p>地址：东街一号</p>"
    assert entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{named}{TEXT}</div>").body.startswith(
        "名称"
    )


def test_day_of_publication_goes_before_that_of_an_update() -> None:
    above = f"<p>更新时间：2026-06-01 08:00　发布时间：{WHEN}　来源：云澜日报</p>"
    assert day(entry_of(f"<h1>{TITLE}</h1>{above}<div>{TEXT}</div>").published) == WHEN
    only = "<p>更新时间：2026-06-01 08:00</p>"
    assert day(entry_of(f"<h1>{TITLE}</h1>{only}<div>{TEXT}</div>").published).startswith(
        "2026-06-01"
    )


SOURCES = {
    "in brackets": ("<p>【来源：云澜日报】【时间：2026-05-10】</p>", ""),
    "below the text": (f"<p>{WHEN}</p>", "<p>（来源：云澜日报）</p>"),
    "without a colon": (f"<p><b>发布时间</b><i>{WHEN}</i><b>信息来源</b><i>云澜日报</i></p>", ""),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_read_in_any_frame(name: str) -> None:
    above, below = SOURCES[name]
    assert entry_of(f"<h1>{TITLE}</h1>{above}<div>{TEXT}{below}</div>").publisher == "云澜日报"


def test_figures_of_full_width_are_a_date() -> None:
    above = "<p>发布时间：２０２６年５月１０日　０９：１２</p>"
    assert day(entry_of(f"<h1>{TITLE}</h1>{above}<div>{TEXT}</div>").published) == WHEN


PLACES_OF_COLUMNS = [
    "您的位置：<a href=/>首页</a> - <a href=/a>政务公开</a> - 通知公告",
    "当前位置：<a href=/>首页</a>-<a href=/a>政务公开</a>-<a href=/b>通知公告</a>-正文",
    "<ul><li>当前位置：</li><li>首页</li><li>&gt;</li><li>政务公开</li><li>&gt;</li><li>通知公告</li></ul>",
    "您现在的位置是：首页 &gt;&gt; 政务公开 &gt;&gt; 通知公告",
]


@pytest.mark.parametrize("place", PLACES_OF_COLUMNS)
def test_the_column_is_the_last_step_behind_any_mark(place: str) -> None:
    assert (
        entry_of(f"<div>{place}</div><h1>{TITLE}</h1><p>{WHEN}</p><div>{TEXT}</div>").column
        == "通知公告"
    )


TITLES = {
    "云澜县人民政府 通知公告 关于做好汛期值班工作的通知": "关于做好汛期值班工作的通知",
    "县水务局 关于做好汛期值班工作的通知": "县水务局关于做好汛期值班工作的通知",
}


@pytest.mark.parametrize("whole", TITLES)
def test_site_and_column_before_the_title_are_no_part_of_it(whole: str) -> None:
    shown = "<div class=tit>关于做好汛期值班工作的通知</div>"
    above = "<div class=tit>县水务局</div>" if whole.startswith("县水务局") else ""
    page = f"<html><head><title>{whole}</title></head><body>{above}{shown}<p>{WHEN}</p><div>{TEXT}</div></body></html>"
    assert parse(page.encode()).entries[0].title == TITLES[whole]


def test_a_subtitle_on_a_line_of_its_own_is_part_of_the_title() -> None:
    whole = "守望江河——云澜县防汛纪实"
    page = f"<html><head><title>{whole}-云澜县人民政府</title></head><body><h1>守望江河</h1><h2>——云澜县防汛纪实</h2>"
    (entry,) = parse(f"{page}<p>{WHEN}</p><div>{TEXT}</div></body></html>".encode()).entries
    assert entry.title == whole


def test_a_title_that_only_the_text_shows_is_the_page_s() -> None:
    side = "<div><a href='/p/1.html'><h4>云澜县举行丰收节活动</h4></a></div>"
    page = (
        f"<html><head><title>{TITLE}--云澜县</title></head><body>{side}<p>{WHEN} 来源：县府办</p>"
    )
    (entry,) = parse(
        f"{page}<div id=zoom><p>{TITLE}</p>{TEXT}</div></body></html>".encode()
    ).entries
    assert entry.title == TITLE


FILES = {
    "in a frame": "<iframe src='/u/1.pdf'></iframe>",
    "in a viewer": "<iframe src='/js/viewer.html?file=%2Fu%2F1.pdf&z=1'></iframe>",
    "in another's viewer": "<iframe src='https://v.example/e?src=http://www.yunlan.example/u/1.pdf'></iframe>",
    "by a player": "<div class=player pdfsrc='/u/1.pdf'></div>",
    "opened by a script": "<a href='javascript:void(0)' onclick=\"down('/u/1.pdf')\">值班表.pdf</a>",
    "as an object": "<object data='/u/1.pdf'><p>请安装阅读器</p></object>",
}


@pytest.mark.parametrize("name", FILES)
def test_a_document_that_the_page_shows_is_attached(name: str) -> None:
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{TEXT}{FILES[name]}</div>")
    assert [one.url for one in entry.attachments] == ["http://www.yunlan.example/u/1.pdf"]
    assert "阅读器" not in entry.body


def test_a_file_behind_the_text_s_own_frames_is_attached() -> None:
    text = f"<form><div><div class=v_news_content>{TEXT}</div></div><p>附件【<a href='/down?id=7'>表.xlsx</a>】</p></form>"
    assert [one.name for one in entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p>{text}").attachments] == [
        "表.xlsx"
    ]


def test_a_picture_that_comes_when_scrolled_to_is_where_it_will_be() -> None:
    pictures = "<img src='/i/loading.gif' data-original='/u/1.jpg'><img src='data:image/gif;base64,R0' data-src='/u/2.jpg'>"
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{TEXT}<p>{pictures}</p></div>")
    assert [one.url[-8:] for one in entry.attachments] == ["/u/1.jpg", "/u/2.jpg"]


@pytest.mark.parametrize(
    "below", ["浏览次数：33", "责任编辑：顾明　审核：陆舟", "分享到：微信微博", "分享至： QQ空间"]
)
def test_what_a_page_adds_below_is_no_text(below: str) -> None:
    entry = entry_of(f"<h1>{TITLE}</h1><p>{WHEN}</p><div>{TEXT}<p>{below}</p><p>【打印】</p></div>")
    assert entry.body.endswith("及时报告。")


def test_a_title_of_two_lines_without_a_title_tag_is_whole() -> None:
    page = "<html><body><div class=bt>县水务局<br>关于停水检修的通知</div>"
    (entry,) = parse(f"{page}<p>时间：{WHEN}</p><div>{TEXT}</div></body></html>".encode()).entries
    assert entry.title == "县水务局关于停水检修的通知"


def test_a_table_of_a_few_cells_is_the_text_and_not_the_whole_page() -> None:
    cells = "<tr><td>序号</td><td>药品名称</td></tr><tr><td>1</td><td>云澜注射液</td></tr>"
    above = (
        f"<div>热门搜索：<a href=/s>公积金</a></div>{SIDE}<h2>{TITLE}</h2><p>发布时间：{WHEN}</p>"
    )
    assert entry_of(f"{above}<div><table>{cells * 3}</table></div>").body.startswith(
        "序号 药品名称"
    )
