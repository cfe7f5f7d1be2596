"""写稿 in a real browser: kept as one types, cut and put in order, mended with one press."""

from __future__ import annotations

import threading
from typing import Any

import uvicorn
from sqlalchemy import select

from bot import db
from bot.model import Role
from bot.office import Office
from bot.web.app import build
from tests import builders
from tests.web import scene, serving
from tests.web.test_browser import (  # noqa: F401
    PHONE,
    Open,
    chromium,
    context,
    enter,
    office,
    pytestmark,
    sit,
)


def words(office: Office) -> list[str]:  # noqa: F811
    """What is kept, unsaved."""
    with office.db.read() as conn:
        rows = conn.execute(select(db.writings.c.fields).order_by(db.writings.c.id)).scalars()
        return [dict(fields)["text"] for fields in rows if fields]


def kept(page: Any) -> None:
    page.wait_for_selector("#kept-at:has-text('已自动保存')")


def test_typing_survives_a_closed_page_and_is_gone_once_saved(staffed: Office, sit: Open) -> None:  # noqa: F811
    post = scene.post(staffed)
    page = sit("zhou")
    page.goto(f"/posts/{post}/edit")
    page.fill("#text", "望江路后日停水。")
    page.goto("/posts")  # at once: nothing had time to be kept but on leaving
    other = sit("zhou")
    other.goto(f"/posts/{post}/edit")
    assert other.input_value("#text") == "望江路后日停水。"
    other.type("#text", "改")
    other.click("button[value=save]")  # while the keeping is still to come
    other.wait_for_url("**/edit?done=saved")
    other.wait_for_timeout(1500)
    assert words(staffed) == []


def test_two_at_one_post_see_each_other_and_neither_overwrites(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    with staffed.db.write() as conn:
        builders.person(conn, "wang", "王丽", Role.EDITOR)
    post = scene.post(staffed, text="第一版。")
    zhou, wang = sit("zhou"), sit("wang")
    for page in (zhou, wang):
        page.goto(f"/posts/{post}/edit")
    wang.fill("#text", "王丽那版。")
    kept(wang)
    ask = "htmx.ajax('GET', document.querySelector('.beside').getAttribute('hx-get'), '.beside')"
    zhou.evaluate(ask)
    zhou.wait_for_selector(".beside:has-text('王丽 正在改这篇')")
    wang.click("button[value=save]")
    wang.wait_for_url("**/edit?done=saved")
    zhou.evaluate(ask)
    zhou.wait_for_selector(".beside:has-text('王丽 又存了版本 2')")
    zhou.fill("#text", "周禾那版。")
    zhou.click("button[value=save]")
    zhou.wait_for_selector("[role=alert]")
    assert zhou.input_value("#text") == "周禾那版。"
    assert zhou.inner_text("details del") == "王丽"
    assert zhou.inner_text("details ins") == "周禾"


def test_offline_it_stays_on_this_computer_and_goes_up_when_the_line_is_back(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.context.set_offline(True)
    page.fill("#text", "断网时写的。")
    page.wait_for_selector("#kept-at:has-text('已留在这台电脑')")
    assert words(staffed) == []
    page.context.set_offline(False)
    kept(page)
    assert words(staffed) == ["断网时写的。"]
    left = page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('writing:'))")
    assert left == [], "the server has it: nothing stays on a shared computer"


def test_the_server_may_die_while_one_types(
    staffed: Office,
    chromium: Any,  # noqa: F811
) -> None:
    with serving.listening() as taken:
        base, app = serving.address(taken), build(staffed)
        with context(chromium, base, (1280, 800)) as made:
            page = made.new_page()
            stop, first = running(app, taken)
            enter(page, base, "zhou")
            page.goto("/posts/new")
            page.fill("#text", "写到一半")
            kept(page)
            stop.should_exit = True  # its port takes connections still, and nobody answers
            first.join(10)
            page.type("#text", "，服务器停了")
            page.wait_for_selector("#kept-at:has-text('已留在这台电脑')", timeout=20_000)
            stop, again = running(app, taken)
            page.wait_for_selector("#kept-at:has-text('已自动保存')", timeout=20_000)
            stop.should_exit = True
            again.join(10)
    assert words(staffed) == ["写到一半，服务器停了"]


def running(app: Any, taken: Any) -> tuple[uvicorn.Server, threading.Thread]:
    """A server on a copy of the socket, so that it may be stopped and another take its place."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken.dup()]})
    thread.start()
    while not server.started:
        thread.join(0.01)
    return server, thread


def test_an_ended_session_is_said_and_what_is_typed_goes_on_after_another_login(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.fill("#text", "写着写着登录过期了")
    page.wait_for_selector("#kept-at:has-text('登录已过期')")
    page.context.add_cookies(cookies)
    page.type("#text", "。")
    kept(page)
    assert words(staffed) == ["写着写着登录过期了。"]
