"""Following a list's links: politely, only what changed, and what a page that is gone means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.errors import SourceError
from bot.model import Reading
from bot.sources import page_follow
from bot.sources.base import Origin
from bot.sources.page import PageOptions, WebPage
from bot.sources.reading import attempt
from tests.sources.contract import ZONE
from tests.sources.serving import Answer, Served, serving
from tests.sources.test_page import page


def article(n: int, text: str = "") -> Answer:
    title = f"关于第{n}项工作的通知"
    tags = f'<meta name="ArticleTitle" content="{title}"><meta name="PubDate" content="2026-09-0{n} 09:3{n}">'
    body = f'<div id="zoom"><p>{title}</p><p>{text or "现将有关事项通知如下。"}</p></div>'
    head = f"<html><head>{tags}</head><body>"
    return Answer(
        page(body, head), headers={"Content-Type": "text/html", "ETag": f'"{n}-{len(text)}"'}
    )


@dataclass
class Site:
    """A list of some articles; `pages` answer by path, `robots` and `rows` as they are set."""

    rows: list[int]
    pages: dict[str, Answer] = field(default_factory=dict)
    robots: Answer = field(default_factory=lambda: Answer(status=404))
    served: Served = field(default_factory=lambda: Served(0))

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        if path == "/robots.txt":
            return self.robots
        if path == "/list/":
            return self.same(Answer(self.listing(), headers={"ETag": f'"{self.rows}"'}), headers)
        n = int("0" + "".join(filter(str.isdecimal, path)))
        return self.same(self.pages.get(path) or article(n), headers)

    def same(self, answer: Answer, headers: Mapping[str, str]) -> Answer:
        mark = answer.headers.get("ETag", "-")
        return Answer(status=304) if headers.get("if-none-match") == mark else answer

    def listing(self) -> bytes:
        rows = (
            f'<li><a href="/a/{n}.html">关于第{n}项工作的通…</a><i>2026-09-0{n}</i></li>'
            for n in self.rows
        )
        return page(f"<ul class=list>{''.join(rows)}</ul>")

    def poll(self, last: Reading | None = None, **options: Any) -> Reading:
        self.served.asked.clear()
        known = {"etag": last.etag, "memo": json.loads(json.dumps(dict(last.memo)))} if last else {}
        origin = Origin(self.served.url("/list/"), ZONE, private=True, **known)
        source = WebPage(PageOptions(**{"pace": 0, "recheck": 0, **options}))
        reading = asyncio.run(source.read(origin))
        return replace(reading, memo=dict(reading.memo))

    @property
    def asked(self) -> list[str]:
        return [path for path, _ in self.served.asked]


@pytest.fixture
def site() -> Any:
    made = Site([3, 2, 1])
    with serving(made.answer) as served:
        made.served = served
        yield made


def test_an_articles_page_fills_its_entry(site: Site) -> None:
    reading = site.poll()
    assert site.asked == ["/list/", "/robots.txt", "/a/3.html", "/a/2.html", "/a/1.html"]
    first = reading.entries[0]
    assert first.title == "关于第3项工作的通知"
    assert first.published
    assert first.published.astimezone(ZONE).strftime("%d %H:%M") == "03 09:33"
    assert first.body == "关于第3项工作的通知\n现将有关事项通知如下。"
    assert first.column == "通知公告"
    assert first.link == site.served.url("/a/3.html")
    assert not [p for p in reading.problems if p.where == first.title]


def test_the_article_s_own_column_goes_before_the_list_s(site: Site) -> None:
    site.listing = lambda: Site.listing(site).replace(  # type: ignore[method-assign]
        b"<head>", "<head><meta name=ColumnName content=通知公告>".encode()
    )
    own = article(3).body.replace(
        b"<head>", "<head><meta name=ColumnName content=政策文件>".encode()
    )
    site.pages["/a/3.html"] = replace(article(3), body=own)
    assert [entry.column for entry in site.poll().entries] == ["政策文件", "通知公告", "通知公告"]


def test_nothing_changed_nothing_fetched(site: Site) -> None:
    first = site.poll()
    again = site.poll(first)
    assert site.asked == ["/list/"]
    assert (again.unchanged, again.memo) == (True, first.memo)


def test_only_a_new_entrys_page_is_fetched_and_the_others_say_what_they_said(site: Site) -> None:
    first = site.poll()
    site.rows = [4, 3, 2, 1]
    second = site.poll(first)
    assert site.asked == ["/list/", "/robots.txt", "/a/4.html"]
    assert second.entries[1:] == first.entries


def test_a_failing_page_leaves_the_lists_word_and_is_tried_again(site: Site) -> None:
    site.pages["/a/3.html"] = Answer(status=500)
    first = site.poll()
    assert (first.entries[0].title, first.entries[0].body) == ("关于第3项工作的通…", "")
    assert [p.what for p in first.problems if "500" in p.what]
    site.pages.clear()
    second = site.poll(first)
    assert site.asked == ["/list/", "/robots.txt", "/a/3.html"]
    assert second.entries[0].body
    assert [e.key for e in second.entries] == [e.key for e in first.entries]
    assert second.entries[1:] == first.entries[1:]


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_no_more_makes_its_entry_gone(site: Site, status: int) -> None:
    first = site.poll()
    site.pages["/a/2.html"] = Answer(status=status)
    second = site.poll(first, recheck=3)
    assert second.gone == (first.entries[1].key,)
    assert [e.key for e in second.entries] == [first.entries[0].key, first.entries[2].key]


def test_a_changed_page_is_noticed_though_the_list_is_not(site: Site) -> None:
    first = site.poll()
    site.pages["/a/1.html"] = article(1, "更正：时间改为十月。")
    second = site.poll(first, recheck=3)
    assert not second.unchanged
    assert second.entries[2].body.endswith("更正：时间改为十月。")
    assert second.entries[:2] == first.entries[:2]
    assert site.poll(second, recheck=3).unchanged


def test_what_robots_txt_forbids_is_left(site: Site) -> None:
    site.robots = Answer(b"User-agent: *\nDisallow: /a/2\n")
    reading = site.poll()
    assert "/a/2.html" not in site.asked
    assert reading.entries[1].title.endswith("…")
    assert [p.what for p in reading.problems if "robots.txt" in p.what]
    assert site.poll(reading).unchanged


def test_robots_txt_that_cannot_be_read_now_allows_nothing_now(site: Site) -> None:
    site.robots = Answer(status=503)
    reading = site.poll()
    assert site.asked == ["/list/", "/robots.txt"]
    site.robots = Answer(status=403)
    assert len({e.body for e in site.poll(reading).entries}) == 3


def test_no_more_pages_in_one_poll_than_config_says_and_the_rest_in_the_next(site: Site) -> None:
    first = site.poll(most=2)
    assert [bool(e.body) for e in first.entries] == [True, True, False]
    second = site.poll(first, most=2)
    assert all(e.body for e in second.entries)
    assert "/a/3.html" not in site.asked


def test_requests_to_a_host_keep_the_pace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    page_follow._free_at.clear()
    began = time.monotonic()
    site.poll(pace=0.1)
    assert time.monotonic() - began >= 0.3
    monkeypatch.setattr(page_follow, "SECONDS", 0.15)
    late = site.poll(pace=0.1)
    assert [bool(e.body) for e in late.entries].count(True) < 3


def test_other_hosts_only_where_config_names_them(site: Site) -> None:
    away = site.served.url("/a/9.html", host="localhost")
    site.pages["/list/"] = Answer()
    body = page(
        f'<ul class=list><li><a href="{away}">关于第9项工作的通知</a><i>2026-09-09</i></li>'
        '<li><a href="/a/1.html">关于第1项工作的通知</a><i>2026-09-01</i></li></ul>'
    )
    site.listing = lambda: body  # type: ignore[method-assign]
    assert [bool(e.body) for e in site.poll().entries] == [False, True]
    named = site.poll(hosts=["localhost"])
    assert [p.what for p in named.problems if "公网" in p.what or "robots" in p.what]


def test_a_site_in_trouble_does_not_overwrite_its_entries(site: Site) -> None:
    excuse = (
        "<div id=zoom>"
        + "系统正在维护，请您稍后再来访问本站，给您带来不便敬请谅解。" * 3
        + "</div>"
    )
    site.pages["/a/3.html"] = Answer(page(excuse, "<html><head><title>维护</title></head><body>"))
    reading = site.poll()
    assert reading.entries[0].title == "关于第3项工作的通…"
    assert reading.memo["pending"] == 1


def test_links_that_are_documents_or_shared_are_not_followed(site: Site) -> None:
    body = page(
        '<ul class=list><li><a href="/a/1.pdf">关于第1项工作的通知</a><i>2026-09-03</i></li>'
        '<li><a href="/a/">关于第2项工作的通知</a><i>2026-09-02</i></li>'
        '<li><a href="/a/">关于第3项工作的通知</a><i>2026-09-01</i></li></ul>'
    )
    site.listing = lambda: body  # type: ignore[method-assign]
    assert len(site.poll().entries) == 3
    assert site.asked == ["/list/"]


def test_a_redesigned_list_is_an_error_and_not_an_empty_one(site: Site) -> None:
    first = site.poll()
    site.rows = []
    with pytest.raises(SourceError, match="改版"):
        site.poll(first)


def test_other_options_read_list_and_pages_anew_and_meanwhile_nothing_is_lost(site: Site) -> None:
    first = site.poll()
    second = site.poll(first, body="body", most=1)
    assert site.asked == ["/list/", "/robots.txt", "/a/3.html"]
    assert second.entries[0].body != first.entries[0].body
    assert second.entries[1:] == first.entries[1:]
    assert site.poll(second, body="body").memo["pending"] == 0


@pytest.mark.parametrize(("rows", "whole"), [([3, 2, 1], True), ([1, 3, 2], False)])
def test_a_pinned_row_makes_what_is_missing_no_proof(
    site: Site, rows: list[int], whole: bool
) -> None:
    site.rows = rows
    assert site.poll().whole is whole


def test_trying_a_list_reads_one_article_to_see_that_it_can(site: Site) -> None:
    kind, reading = asyncio.run(attempt(site.served.url("/list/"), ZONE, private=True))
    assert (kind, reading.meta["options"]) == ("page", {"rows": "ul.list > li"})
    assert [bool(e.body) for e in reading.entries] == [True, False, False]
    assert [path for path in site.asked if path.startswith("/a/")] == ["/a/3.html"]
