"""What a broken feed costs: only what is broken, told; and an attack costs nothing."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from bot.errors import SourceError
from bot.model import Entry
from tests.sources.test_feed import parse, rss

GOOD = "<item><title>好</title><link>http://a.example/{}</link><description>文</description></item>"


def between(broken: str) -> tuple[Entry, ...]:
    reading = parse(rss(GOOD.format(1) + broken + GOOD.format(3)))
    assert reading.problems
    assert [e.link for e in (reading.entries[0], reading.entries[-1])] == [
        "http://a.example/1",
        "http://a.example/3",
    ]
    return reading.entries


@pytest.mark.parametrize(
    ("broken", "title", "summary"),
    [
        ("<item><title>a & b</title><description>文</description></item>", "a & b", "文"),
        ("<item><title>a&nbsp;b&hellip;</title><description>文</description></item>", "a b…", "文"),
        (
            "<item><title>坏</title><description>一<br>二<p>三</description></item>",
            "坏",
            "一\n二\n三",
        ),
        ("<item><title>坏</title><description><b>一</description></b></item>", "坏", "一"),
        ("<item><title>坏</title><description>文</description>", "坏", "文"),
        ("<item><title>坏&#0;&#x1F;</title><description>文</description></item>", "坏", "文"),
        (
            "<item><title><![CDATA[坏</title><description><![CDATA[文]]></description></item>",
            "坏",
            "文",
        ),
        ("<item><title>坏</title><description>a < b</description></item>", "坏", "a < b"),
        ("<item><title>坏</title><description>文</description><x:y>z</q></item>", "坏", "文"),
    ],
)
def test_a_broken_item_leaves_its_neighbours_alone(broken: str, title: str, summary: str) -> None:
    entries = between(broken)
    assert len(entries) == 3
    assert (entries[1].title, entries[1].summary) == (title, summary)


def test_a_mended_link_is_the_link() -> None:
    link = "http://a.example/x?foo=1&bar=2&copy=3"
    entries = between(f"<item><title>坏</title><link>{link}</link></item>")
    assert entries[1].link == link


def test_an_undeclared_prefix_counts_as_the_usual_one() -> None:
    entry = parse(rss("<item><title>t</title><dc:creator>某局</dc:creator></item>")).entries[0]
    assert entry.publisher == "某局"


@pytest.mark.parametrize(
    "before", ["\n\n", "<b>Warning</b>: mysql in /x.php\n", "\ufeff\n", "<!-- x --> "]
)
def test_what_stands_before_the_feed_is_passed_over(before: str) -> None:
    body = rss(GOOD.format(1)).removeprefix('<?xml version="1.0" encoding="UTF-8"?>')
    assert len(parse(before + body).entries) == 1


def test_what_stands_after_the_feed_is_passed_over() -> None:
    assert len(parse(rss(GOOD.format(1)) + "<script>x</script>").entries) == 1


@pytest.mark.parametrize("end", ["</channel>", "</channel></rss", "</channel>\n<!-- made by x -->"])
def test_only_the_last_end_tag_may_be_missing(end: str) -> None:
    body = rss(GOOD.format(1)).removesuffix("</channel></rss>")
    assert len(parse(body + end).entries) == 1
    with pytest.raises(SourceError, match="第 1 条之后断开"):
        parse(body)


def test_a_cut_is_told_with_its_place() -> None:
    body = rss(GOOD.format(1) + "\n" + GOOD.format(2))
    with pytest.raises(SourceError, match="到第 2 行在第 2 条中间断开"):
        parse(body[: body.rindex("</link>")])


def test_a_nested_item_with_something_to_say_is_an_item() -> None:
    nested = rss(f"<item><title>外</title>{GOOD.format(2)}</item>")
    assert {e.title for e in parse(nested).entries} == {"外", "好"}


# ---------------------------------------------------------------- attacks


def test_entities_that_refer_to_one_another_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(SourceError, match="实体"):
        parse(bomb + rss("<item><title>&b;</title></item>"))


def test_an_entity_used_without_end_is_refused() -> None:
    long = f'<!DOCTYPE x [<!ENTITY a "{"b" * 10_000}">]>'
    with pytest.raises(SourceError, match="展开"):
        parse(long + rss(f"<item><title>{'&a;' * 10_000}</title></item>"))


def test_an_external_entity_is_never_looked_up() -> None:
    outside = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname"><!ENTITY own "自己">]>'
    (entry,) = parse(outside + rss("<item><title>a&f;b&own;</title></item>")).entries
    assert entry.title == "a&f;b自己"


N = 30_000
ATTACKS = {
    "comments": rss("<!--" * N),
    "cdata": rss("<![CDATA[" * N),
    "depth": rss("<item>" + "<a>" * N + "</a>" * N + "</item>"),
    "titles": rss("<item>" + "<title>" * N + "</item>"),
    "ampersands": rss(f"<item><title>t</title><description>{'&a' * N}</description></item>"),
    "tags": rss(f"<item><description><![CDATA[{'<a ' * N}]]></description></item>"),
    "quotes": rss(f"<item><description><![CDATA[{'<a x=' + chr(34) * N}]]></description></item>"),
    "scripts": rss(f"<item><description><![CDATA[{'<script>' * N}]]></description></item>"),
    "author": rss(f"<item><title>t</title><author>{'a@(' * N}</author></item>"),
    "numbers": rss(f"<item><title>{'国〔2026〕' * N}）</title></item>"),
    "dates": rss(f"<item><title>t</title><pubDate>{'1 Jan ' * N}</pubDate></item>"),
    "json": '{"items":' * N,
    "items": rss("<item/>" * N),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_input_costs_little(name: str) -> None:
    began = time.process_time()
    with suppress(SourceError):
        parse(ATTACKS[name])
    assert time.process_time() - began < 5
