"""Each platform's own look: its words are those that are sent, only their dress changes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import html

from bot.office import Office
from bot.web import looks
from bot.web.marks import marked
from tests.web import scene
from tests.web.conftest import Enter

LINK = "https://www.yunlan.example/notices/2026/11/25/water?id=1"
TEXT = f"#停水# 详见 {LINK} @云澜水务 <b>提前</b>储水"


def shown(look: str, text: str, **finding: Any) -> Any:
    found = [{"severity": "warn", "number": 1, **finding}] if finding else []
    return html.fromstring(f"<div>{marked(text, found, looks.drawing(look, text))}</div>")


def coloured(look: str, text: str) -> list[str]:
    return [each.text_content() for each in shown(look, text).xpath("//*[@class='web']")]


def test_weibo_says_that_a_link_is_one_and_where_it_leads_is_listed_beside_it() -> None:
    assert coloured(looks.WEIBO, TEXT) == ["#停水#", "网页链接", "@云澜水务"]
    assert looks.addresses(looks.WEIBO, TEXT) == [LINK]


def test_mastodon_shows_the_beginning_of_a_link_and_topics_without_a_second_mark() -> None:
    assert coloured(looks.MASTODON, TEXT) == [
        "#停水",
        "yunlan.example/notices/2026/11…",
        "@云澜水务",
    ]


@pytest.mark.parametrize("look", [looks.BOARD, looks.PLAIN])
def test_elsewhere_the_words_stand_whole(look: str) -> None:
    assert shown(look, TEXT).text_content() == TEXT
    assert looks.addresses(look, TEXT) == []


@pytest.mark.parametrize("look", [looks.WEIBO, looks.MASTODON, looks.BOARD, looks.PLAIN])
def test_no_word_of_the_author_s_becomes_a_part_of_the_page(look: str) -> None:
    drawn = shown(look, TEXT)
    assert drawn.xpath("//b") == []
    assert "<b>提前</b>" in drawn.text_content()


def test_a_finding_within_a_link_is_marked_on_the_link_as_it_stands() -> None:
    at = TEXT.index("water")
    drawn = shown(looks.WEIBO, TEXT, start=at, end=at + 5)
    assert drawn.xpath("//mark")[0].text_content() == "water1"
    assert drawn.text_content().replace("1 @", " @").startswith("#停水# 详见 https://www")
    whole = TEXT.index(LINK), TEXT.index(LINK) + len(LINK)
    drawn = shown(looks.WEIBO, TEXT, start=whole[0], end=whole[1])
    assert drawn.xpath("//mark")[0].text_content() == "网页链接1"


def test_the_same_look_stands_where_it_is_written_read_and_signed(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed, text=TEXT, keys=("hand", "masto", "board"))
    written = enter("zhou").get(f"/posts/{post}/edit")
    signed, read = enter("lin").get(f"/review/{post}"), enter("zhou").get(f"/posts/{post}")
    for page in (written, signed, read):
        found = {each.split()[1] for each in page.all("//*[starts-with(@class, 'look ')]/@class")}
        assert found == {"weibo", "mastodon", "board"}
        assert LINK in page.words("//article//code")
    assert "签后即发" in signed.words("//article[1]")


def test_parts_of_a_thread_hang_in_a_chain(staffed: Office, enter: Enter) -> None:
    form = {"text": "水管检修。" * 150, "keys": "masto", "over_limit": "thread", "act": "preview"}
    page = enter("zhou").post("/posts/new", **form)
    classes = page.all("//article/@class")
    assert classes[0] == "rendition"
    assert set(classes[1:]) == {"rendition chained"}


def test_no_mark_of_a_platform_is_shipped() -> None:
    names = re.compile(r"weibo|sina|mastodon|bluesky|wechat", re.I)
    from bot.web.render import HERE, ICONS

    assert not names.search((HERE / "static" / ICONS).read_text("utf-8"))
