"""What is typed is kept before it is saved: his alone, never over what was typed since."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot import db
from bot.model import Role
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter

TYPED: dict[str, Any] = {"title": "停水通知", "text": "望江路明日停", "keys": ["board"]}


def kept(office: Office) -> list[Any]:
    with office.db.read() as conn:
        return list(conn.execute(select(db.writings).order_by(db.writings.c.id)).mappings())


def text(page: scene.Page) -> str:
    return str(page.all("//textarea[@name='text']")[0].text or "")


@pytest.fixture
def two(staffed: Office) -> Office:
    with staffed.db.write() as conn:
        builders.person(conn, "wang", "王丽", Role.EDITOR)
    return staffed


def test_what_was_typed_is_there_on_another_computer_until_it_is_saved(
    two: Office, enter: Enter
) -> None:
    post = scene.post(two)
    here = enter("zhou")
    opened = here.get(f"/posts/{post}/edit")
    version = opened.all("//input[@name='version']/@value")[0]
    answer = here.post(f"/posts/{post}/keep", **TYPED, version=version, window="a", seen="0")
    assert answer.answer.json()["at"]
    there = enter("zhou").get(f"/posts/{post}/edit")
    assert text(there) == "望江路明日停"
    assert "没有存下的改动，已接上" in there.words()
    assert "没有存下" not in enter("wang").get(f"/posts/{post}/edit").words(), "his alone"
    here.post(f"/posts/{post}/edit", **TYPED, act="save", version=version)
    assert kept(two) == []
    assert "没有存下的改动" not in here.get(f"/posts/{post}/edit").words()


def test_new_ones_are_listed_gone_on_with_and_let_go(two: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for key in ("aa", "bb"):
        reader.post("/posts/new/keep", **{**TYPED, "title": f"第{key}份"}, key=key, window=key)
    page = reader.get("/posts/new")
    assert "第aa份" in page.words()
    assert not text(page)
    page = reader.get("/posts/new?draft=aa")
    assert page.all("//input[@name='title']/@value") == ["第aa份"]
    assert "第bb份" in page.words(), "the other one is still offered"
    reader.post("/posts/new", **TYPED, act="save", key="aa")
    assert [row["key"] for row in kept(two)] == ["bb"]
    reader.post("/posts/new/leave", key="bb")
    assert kept(two) == []
    assert "第aa份" not in enter("wang").get("/posts/new").words()


def test_a_forgotten_window_never_writes_over_what_was_typed_since(
    two: Office, enter: Enter, clock: FixedClock
) -> None:
    post = scene.post(two)
    reader, path = enter("zhou"), f"/posts/{post}/keep"
    one = {**TYPED, "window": "one", "seen": "0"}
    assert reader.post(path, **one).status == 200
    clock.move(5)
    assert reader.post(path, **one, turn="2").status == 200, "its own, though it has not seen it"
    late = {**one, "text": "早发晚到的", "turn": "1"}
    assert reader.post(path, **late).status == 200
    assert dict(kept(two)[0]["fields"])["text"] == TYPED["text"]
    opened = reader.get(f"/posts/{post}/edit")
    seen = opened.all("//input[@name='seen']/@value")[0]
    clock.move(5)
    two_ = {**TYPED, "text": "在家里写的", "window": "two", "seen": seen}
    assert reader.post(path, **two_).status == 200
    refused = reader.client.post(
        path, data={"csrf": reader.csrf, **one}, headers={"accept": "application/json"}
    )
    assert refused.status_code == 409
    assert "另一台电脑" in refused.json()["error"]["message"]
    assert dict(kept(two)[0]["fields"])["text"] == "在家里写的"


def test_what_was_typed_on_an_older_version_comes_back_beside_the_newer_one(
    two: Office, enter: Enter
) -> None:
    post = scene.post(two, text="第一版。")
    zhou, wang = enter("zhou"), enter("wang")
    zhou.post(f"/posts/{post}/keep", **{**TYPED, "text": "我写到一半。"}, version="1", window="a")
    wang.post(f"/posts/{post}/edit", **{**TYPED, "text": "王丽那版。"}, act="save", version="1")
    page = zhou.get(f"/posts/{post}/edit")
    assert text(page) == "我写到一半。"
    assert "王丽那版。" in page.words("//*[contains(@class, 'note')]")
    assert page.all("//details//del")
    stale = zhou.post(f"/posts/{post}/edit", **TYPED, act="save", version="1")
    assert stale.status == 409, "saving over it is still impossible"
    assert kept(two), "and nothing he typed is let go"


def test_who_else_is_at_the_post_is_shown_and_what_he_typed_is_not(
    two: Office, enter: Enter, clock: FixedClock
) -> None:
    post = scene.post(two)
    zhou, wang = enter("zhou"), enter("wang")
    beside = f"/writing/beside?post={post}&number=1"
    assert "<span" not in wang.get(beside).text
    assert "王丽 正在看这篇" in zhou.get(beside).text
    wang.post(f"/posts/{post}/keep", **{**TYPED, "text": "不给人看的半句"}, version="1")
    shown = zhou.get(f"/posts/{post}/edit").text
    assert "王丽 正在改这篇" in shown
    assert "不给人看的半句" not in shown
    clock.move(120)
    assert "王丽 2 分前改过这篇，还没有存" in zhou.get(beside).text
    wang.post(f"/posts/{post}/edit", **TYPED, act="save", version="1")
    shown = zhou.get(beside).text
    assert "王丽 又存了版本 2" in shown
    assert "还没有存" not in shown
    clock.move(61)
    assert "王丽 正在" not in zhou.get(beside).text


def test_too_long_foreign_or_without_the_right_nothing_is_kept(two: Office, enter: Enter) -> None:
    post = scene.post(two)
    reader = enter("zhou")
    assert reader.post("/posts/new/keep", **{**TYPED, "text": "长" * 100_001}).status == 422
    assert reader.client.post("/posts/new/keep", data=TYPED).status_code == 403, "no token"
    looker = enter("lin")
    assert looker.post("/posts/new/keep", **TYPED).status == 403
    assert looker.post(f"/posts/{post}/keep", **TYPED).status == 403
    assert looker.get(f"/writing/beside?post={post}&number=1").status == 403
    assert kept(two) == []


def test_what_nobody_came_back_to_for_months_goes(
    two: Office, enter: Enter, clock: FixedClock
) -> None:
    enter("zhou").post("/posts/new/keep", **TYPED, key="aa")
    clock.move(timedelta(days=91).total_seconds())
    enter("zhou").post("/posts/new/keep", **TYPED, key="bb")
    assert [row["key"] for row in kept(two)] == ["bb"]
