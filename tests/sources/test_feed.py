"""Each format of a feed keeps the contract; what each says beyond it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import pytest

from bot.errors import SourceError
from bot.model import Attachment, Entry, Reading
from bot.sources.base import Origin
from bot.sources.feed import Feed, FeedOptions
from tests.sources.contract import ZONE, Kind, Notice, SourceContract

AT = "http://www.yunlan.example/rss.xml"


def parse(body: str | bytes, content_type: str = "", url: str = AT, **more: Any) -> Reading:
    raw = body.encode() if isinstance(body, str) else body
    return Feed(FeedOptions()).parse(raw, content_type, Origin(url, ZONE, **more))


def rss(items: str, channel: str = "", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" {attributes}><channel>'
        f"<title>云澜县人民政府</title><link>http://www.yunlan.example/</link>{channel}{items}"
        "</channel></rss>"
    )


def one(items: str, **more: Any) -> Entry:
    (entry,) = parse(rss(items, **more)).entries
    return entry


def tag(name: str, text: str | None) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


# ---------------------------------------------------------------- the contract, per format


def write_rss(notices: Sequence[Notice]) -> bytes:
    items = (
        f"<item>{tag('title', n.title)}{tag('link', n.link)}{tag('guid', n.id)}"
        f"{tag('description', n.text)}{tag('pubDate', n.published)}</item>"
        for n in notices
    )
    return rss("".join(items)).encode()


def write_rdf(notices: Sequence[Notice]) -> bytes:
    items = (
        f'<item rdf:about="{n.id}">{tag("title", n.title)}{tag("link", n.link)}'
        f"{tag('description', n.text)}{tag('dc:date', n.published)}</item>"
        for n in notices
    )
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<channel><title>云澜</title><link>http://www.yunlan.example/</link></channel>"
        f"{''.join(items)}</rdf:RDF>"
    ).encode()


def _atom(notices: Sequence[Notice], space: str, published: str, text: str) -> bytes:
    entries = (
        f'<entry>{tag("title", n.title)}<link href="{n.link}"/>{tag("id", n.id)}'
        f"{tag(text, n.text)}{tag(published, n.published)}</entry>"
        for n in notices
    )
    return f'<feed xmlns="{space}"><title>云澜</title>{"".join(entries)}</feed>'.encode()


def write_atom(notices: Sequence[Notice]) -> bytes:
    return _atom(notices, "http://www.w3.org/2005/Atom", "published", "summary")


def write_atom03(notices: Sequence[Notice]) -> bytes:
    return _atom(notices, "http://purl.org/atom/ns#", "issued", "content")


def write_json(notices: Sequence[Notice]) -> bytes:
    items = [
        {
            "id": n.id,
            "url": n.link,
            "title": n.title,
            "content_text": n.text,
            "date_published": n.published,
        }
        for n in notices
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "云澜", "items": items}
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def write_rss_json(notices: Sequence[Notice]) -> bytes:
    items = [
        {
            "title": n.title,
            "link": n.link,
            "guid": {"isPermaLink": "false", "#value": n.id},
            "description": n.text,
            **({"pubDate": n.published} if n.published else {}),
        }
        for n in notices
    ]
    channel = {"title": "云澜", "link": "http://www.yunlan.example/", "item": items}
    return json.dumps({"rss": {"version": "2.0", "channel": channel}}, indent=1).encode()


class TestRss(SourceContract):
    kind = Kind("feed", write_rss, "application/rss+xml")


class TestRssInGbk(SourceContract):
    kind = Kind(
        "feed",
        lambda notices: write_rss(notices).decode().replace("UTF-8", "gb2312").encode("gb18030"),
        "text/xml",
    )


class TestRdf(SourceContract):
    kind = Kind("feed", write_rdf, "application/rdf+xml")


class TestAtom(SourceContract):
    kind = Kind("feed", write_atom, "application/atom+xml")


class TestAtom03(SourceContract):
    kind = Kind("feed", write_atom03, "application/xml")


class TestJsonFeed(SourceContract):
    kind = Kind("feed", write_json, "application/feed+json")


class TestRssInJson(SourceContract):
    kind = Kind("feed", write_rss_json, "application/json")


# ---------------------------------------------------------------- what formats say beyond it


def test_our_own_extension_gives_every_field_of_the_catalogue() -> None:
    entry = one(
        "<item><title>通知</title><guid>1</guid><gk:index_number>000014349/2018-00222</gk:index_number>"
        "<gk:document_number>云政办发[2026]12号</gk:document_number><gk:formed>2026年9月1日</gk:formed>"
        "<gk:publisher>云澜县民政局</gk:publisher><gk:column>通知公告</gk:column>"
        "<gk:topic>综合政务\\政务公开</gk:topic><gk:language>zh</gk:language></item>",
        attributes='xmlns:gk="https://gongkai.example/ns/1"',
    )
    assert entry.index_number == "000014349/2018-00222"
    assert entry.document_number == "云政办发〔2026〕12号"
    assert entry.formed
    assert entry.formed.astimezone(ZONE).isoformat() == "2026-09-01T00:00:00+08:00"
    assert (entry.publisher, entry.column) == ("云澜县民政局", "通知公告")
    assert (entry.topic, entry.language) == ("综合政务\\政务公开", "zh")


def test_elements_with_chinese_names_are_read() -> None:
    entry = one(
        "<item><title>通知</title><索引号>A1</索引号><发文字号>云政发〔2026〕3号</发文字号></item>"
    )
    assert (entry.index_number, entry.document_number) == ("A1", "云政发〔2026〕3号")


def test_a_json_feed_has_the_same_extension() -> None:
    item = {"id": "1", "title": "通知", "_gongkai": {"index_number": "A1", "formed": "2026-09-01"}}
    (entry,) = parse(json.dumps({"items": [item]})).entries
    assert entry.index_number == "A1"
    assert entry.formed


@pytest.mark.parametrize(
    ("title", "text", "number"),
    [
        ("关于开展检查的通知（云政办发〔2026〕12号）", "", "云政办发〔2026〕12号"),
        ("关于开展检查的通知(云政办发[2026]12号)", "", "云政办发〔2026〕12号"),
        ("中华人民共和国政府信息公开条例（国令第711号）", "", "国令第711号"),
        ("关于开展检查的通知", "云政办发〔2026〕12号\n各乡镇人民政府：", "云政办发〔2026〕12号"),
        (
            "关于开展检查的通知",
            "发文字号：云政办发〔2026〕12号 成文日期：2026-09-01",
            "云政办发〔2026〕12号",
        ),
        ("关于开展检查的通知", "根据《办法》（工信部企业〔2026〕2号）要求，现通知如下", ""),
        ("《关于开展检查的通知》解读（云政办发〔2026〕12号）", "", ""),
        ("批准文号说明", "批准文号：国药准字Z1", ""),
    ],
)
def test_a_document_number_is_the_documents_own_or_none(title: str, text: str, number: str) -> None:
    entry = one(f"<item><title>{title}</title><description>{text}</description></item>")
    assert entry.document_number == number


def test_labelled_lines_at_the_top_of_a_text_are_fields() -> None:
    entry = one(
        "<item><title>通知</title><description>&lt;p&gt;索引号：000014349/2018-00222&lt;/p&gt;"
        "&lt;p&gt;发文机关：国务院办公厅&lt;/p&gt;&lt;p&gt;成文日期：2018年12月07日&lt;/p&gt;</description></item>"
    )
    assert entry.index_number == "000014349/2018-00222"
    assert entry.publisher == "国务院办公厅"
    assert entry.formed
    assert entry.formed.astimezone(ZONE).day == 7


def test_gaps_are_filled_from_config_before_the_channels_title() -> None:
    item = "<item><title>通知</title><author>news@yunlan.example</author></item>"
    assert one(item).publisher == "云澜县人民政府"
    (entry,) = parse(rss(item), fill=(("publisher", "云澜县民政局"), ("topic", "其他"))).entries
    assert (entry.publisher, entry.topic) == ("云澜县民政局", "其他")


@pytest.mark.parametrize(
    ("said", "publisher"),
    [
        ("<source>市科技局</source><author>甲</author>", "市科技局"),
        ("<author>news@x.example (市科技局)</author>", "市科技局"),
        ("<author>市科技局 &lt;news@x.example&gt;</author>", "市科技局"),
        ("<dc:creator>市科技局</dc:creator>", "市科技局"),
    ],
)
def test_the_publisher_is_whoever_the_item_names(said: str, publisher: str) -> None:
    assert one(f"<item><title>通知</title>{said}</item>").publisher == publisher


def test_the_title_is_one_line_of_plain_text() -> None:
    entry = one(
        "<item><title><![CDATA[\n关于印发\n<b>云澜县</b> 《办法》的&nbsp;通知 ]]></title></item>"
    )
    assert entry.title == "关于印发云澜县 《办法》的 通知"


def test_half_width_angle_brackets_in_a_title_are_no_tags() -> None:
    entry = one("<item><title>关于印发&lt;云澜县停车管理办法&gt;及&lt;CRS&gt;的通知</title></item>")
    assert entry.title == "关于印发<云澜县停车管理办法>及<CRS>的通知"


def test_summary_and_body_are_told_apart_and_the_summary_is_never_lost() -> None:
    both = one(
        "<item><title>t</title><description>摘要</description>"
        "<content:encoded><![CDATA[<p>全文一</p><p>全文二</p>]]></content:encoded></item>",
        attributes='xmlns:content="http://purl.org/rss/1.0/modules/content/"',
    )
    assert (both.summary, both.body) == ("摘要", "全文一\n全文二")
    (only,) = parse(write_atom03([Notice("t", text="全文")])).entries
    assert (only.summary, only.body) == ("全文", "全文")


@pytest.mark.parametrize(
    ("link", "whole"),
    [
        ("/zwgk/1.html", "http://www.yunlan.example/zwgk/1.html"),
        ("./t2026.html", "http://www.yunlan.example/t2026.html"),
        ("//other.example/1.html", "http://other.example/1.html"),
        (" http://a.example/中文 1.html\n", "http://a.example/中文%201.html"),
        (
            "https://www.google.com/url?sa=t&amp;url=https://a.example/1%3Fb&amp;ct=ga",
            "https://a.example/1?b",
        ),
    ],
)
def test_links_are_whole(link: str, whole: str) -> None:
    assert one(f"<item><title>t</title><link>{link}</link></item>").link == whole


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://", "http://a[.example/"])
def test_what_is_no_web_address_is_left_out_and_told(link: str) -> None:
    reading = parse(rss(f"<item><title>t</title><link>{link}</link></item>"))
    assert reading.entries[0].link == ""
    assert any("网址" in problem.what for problem in reading.problems)


def test_xml_base_goes_before_the_channels_page() -> None:
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://a.example/x/" xml:lang="de">'
        '<link href="http://b.example/"/><entry><title>t</title><link href="1.html"/></entry></feed>'
    )
    (entry,) = parse(feed).entries
    assert (entry.link, entry.language) == ("http://a.example/x/1.html", "de")


def test_a_saved_feeds_links_begin_where_it_says_that_it_stands() -> None:
    own = '<link rel="self" href="http://www.yunlan.example/rss/a.xml"/>'
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom">{own}<entry><title>甲</title><link href="../1.html"/></entry></feed>'
    assert parse(atom, url="a.xml").entries[0].link == "http://www.yunlan.example/1.html"
    assert parse(atom, url="http://b.example/x/").entries[0].link == "http://b.example/1.html"
    member = {
        "feed_url": "http://www.yunlan.example/f/",
        "items": [{"title": "甲", "url": "1.html"}],
    }
    link = parse(json.dumps(member), url="a.json").entries[0].link
    assert link == "http://www.yunlan.example/f/1.html"


@pytest.mark.parametrize("base", ["http://[", "http://]["])
def test_a_base_that_is_no_address_does_no_harm(base: str) -> None:
    entry = f'<entry xml:base="{base}"><title>甲</title><link href="/1.html"/></entry>'
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><link href="{base}"/>{entry}</feed>'
    assert parse(atom, url="http://b.example/x/").entries[0].link == "http://b.example/1.html"


def test_entries_without_a_title_are_told_apart_by_what_they_say() -> None:
    item = "<item><link>http://www.yunlan.example/day/</link><description>{}</description></item>"
    said = parse(rss("".join(map(item.format, ("停水", "停电", "停水"))))).entries
    assert [entry.summary for entry in said] == ["停水", "停电"]
    assert len({entry.key for entry in said}) == 2


def test_the_guid_is_the_link_where_none_is_given_unless_it_says_it_is_none() -> None:
    item = "<item><title>t</title><guid {}>http://a.example/1</guid></item>"
    assert one(item.format("")).link == "http://a.example/1"
    assert one(item.format('isPermaLink="false"')).link == ""


def test_attachments_are_enclosures_and_documents_the_text_links_to() -> None:
    entry = one(
        '<item><title>t</title><enclosure url="/a.pdf" length="9" type="application/pdf"/>'
        "<description><![CDATA[<p><a class='x' href='/b.docx'>附件<b>2</b></a> <a href=\"/a.pdf\">附件1</a>"
        '<a href="/page.html">别的</a></p>]]></description></item>'
    )
    assert entry.attachments == (
        Attachment("http://www.yunlan.example/a.pdf", "", "application/pdf", 9),
        Attachment("http://www.yunlan.example/b.docx", "附件2"),
    )


@pytest.mark.parametrize(
    ("kind", "text", "title"),
    [
        ('type="html"', "a &lt;b&gt;b&lt;/b&gt; &amp;amp; c", "a b & c"),
        ('type="text"', "a &lt;b&gt;b&lt;/b&gt;", "a <b>b</b>"),
        ('type="xhtml"', '<div xmlns="http://www.w3.org/1999/xhtml">a <b>b</b></div>', "a b"),
        ("", "a &lt;b&gt;b&lt;/b&gt;", "a b"),
        ("", "1 &lt; 2", "1 < 2"),
        ('mode="base64" type="text/html"', "YSA8Yj5iPC9iPg==", "a b"),
    ],
)
def test_atom_says_what_its_texts_are(kind: str, text: str, title: str) -> None:
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><title {kind}>{text}</title></entry></feed>'
    assert parse(feed).entries[0].title == title


def test_an_atom_entry_without_a_publication_date_has_that_of_its_update() -> None:
    feed = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>t</title><updated>{}</updated></entry></feed>'
    assert parse(feed.format("2026-09-22T00:00:00Z")).entries[0].published


def test_a_prefix_or_a_namespace_of_its_own_changes_nothing() -> None:
    plain = one("<item><title>t</title><link>http://a.example/1</link></item>")
    prefixed = parse(
        '<r:rss xmlns:r="http://backend.userland.com/rss2"><r:channel><r:item><r:title>t</r:title>'
        "<r:link>http://a.example/1</r:link></r:item></r:channel></r:rss>"
    ).entries[0]
    assert (prefixed.title, prefixed.link) == (plain.title, plain.link)


def test_a_strangers_element_is_not_the_items_own() -> None:
    entry = one(
        "<item><media:title>图</media:title><x:title>别的</x:title><title>通知</title></item>",
        attributes='xmlns:media="http://search.yahoo.com/mrss/" xmlns:x="http://x.example/"',
    )
    assert entry.title == "通知"


def test_markup_alone_is_no_change() -> None:
    item = "<item><title>t</title><guid>1</guid><description><![CDATA[{}]]></description></item>"
    first = one(item.format("<p>第一段</p>\n<p>第二段&nbsp;</p>"))
    again = one(item.format('<div style="a">第一<b>段</b></div><!-- x --><div>第二段</div>'))
    assert first.raw_digest != again.raw_digest
    assert first.digest == again.digest


def test_a_number_longer_than_any_is_refused_in_words() -> None:
    with pytest.raises(SourceError, match="过长的数字"):
        parse('{"items": [{"id": %s, "title": "甲"}]}' % ("9" * 5000))


def test_odd_members_of_a_json_feed_do_no_harm() -> None:
    feed = {
        "items": [
            {"id": 7, "title": "a\x00b\ud800", "authors": "x", "tags": [1], "attachments": {}},
            "stray",
            {"id": None, "url": ["x"], "title": None, "content_html": "<p>正文</p>"},
        ]
    }
    reading = parse(json.dumps(feed))
    first, second = reading.entries
    assert (first.key, first.title, first.summary) == ("7", "ab", "")
    assert second.summary == "正文"
    assert any("不是条目" in problem.what for problem in reading.problems)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<!DOCTYPE html><html><body>x</body></html>", "这是网页"),
        (
            '<html><head><link rel="alternate" type="application/rss+xml" href="/rss.xml"></head></html>',
            "/rss.xml",
        ),
        ("<opml><body/></opml>", "opml"),
        ("BEGIN:VCALENDAR", "BEGIN:VCALENDAR"),
        ('{"docs": []}', "items"),
        ('{"items": [{"name": "x"}]}', "items"),
        ('{"items": [', "第 1 行"),
        ("", "空"),
    ],
)
def test_what_is_no_feed_is_refused_in_words_that_help(body: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(body)
    assert words in str(caught.value)
