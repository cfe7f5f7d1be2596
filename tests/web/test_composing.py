"""写稿 in a real browser: kept as one types, cut and put in order, mended with one press."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
import uvicorn
from PIL import Image
from sqlalchemy import select

from bot import db
from bot.model import Role
from bot.office import Office
from bot.web.app import build
from tests import builders
from tests.web import scene, serving
from tests.web.test_browser import (  # noqa: F401
    DESK,
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
    zhou.type("#text", "再写")
    kept(zhou)
    zhou.goto(f"/posts/{post}/edit")
    assert zhou.inner_text("details del") == "王丽", "compared until he saves"
    zhou.click("button.primary[value=save]")
    zhou.wait_for_url("**/edit?done=saved")


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
    page.context.clear_cookies()
    page.fill("#text", "写着写着登录过期了")
    page.wait_for_selector("#kept-at:has-text('登录已过期')")
    somebody = page.context.new_page()
    enter(somebody, page.url.split("/posts")[0], "gu")
    page.type("#text", "。")
    page.wait_for_timeout(2500)
    assert words(staffed) == [], (
        "another person's session: nothing of his is written under that name"
    )
    somebody.context.clear_cookies()
    enter(somebody, page.url.split("/posts")[0], "zhou")
    page.type("#text", "接着写")
    kept(page)
    assert words(staffed) == ["写着写着登录过期了。接着写"]


# ---------------------------------------------------------------- pictures


def png(colour: str, size: tuple[int, int] = (160, 90)) -> dict[str, Any]:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": out.getvalue()}


def numbers(page: Any) -> list[int]:
    sides = ("left", "top", "width", "height")
    return [int(page.input_value(f".pic:first-of-type input[name^={side}-]")) for side in sides]


def test_a_picture_is_cut_with_mouse_and_keys_and_the_text_typed_meanwhile_stays(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.check("[name=keys][value=board]")
    page.set_input_files("#picture", png("teal", (400, 300)))
    page.wait_for_selector("#pictures input[name^=alt-]")
    page.fill("#text", "望江路停水。")
    page.focus("#pictures input[name^=alt-]")
    for part in ("停水", "范围图"):
        page.keyboard.type(part)
        page.evaluate(
            "document.querySelector('.pic button[value^=cut]')?.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
        )
        page.wait_for_timeout(700)  # the pictures are put anew meanwhile
    assert page.input_value("#pictures input[name^=alt-]") == "停水范围图"
    page.click(".pic details summary")
    page.click(".pic input[value='1:1']")
    assert numbers(page) == [50, 0, 300, 300]
    frame = page.locator(".cut")
    frame.press("ArrowRight")
    assert numbers(page) == [58, 0, 300, 300]
    frame.press("Shift+ArrowLeft")
    assert numbers(page) == [58, 0, 292, 292], "the ratio holds"
    box = frame.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    left, top, width, height = numbers(page)
    assert (left, top, width) == (58, 0, height)
    assert 140 < width < 160
    assert page.is_checked(".pic input[value='1:1']")
    page.click("button:has-text('裁好')")
    page.wait_for_selector(".pic label:has-text('裁自 400×300')")
    assert page.input_value("#text") == "望江路停水。"
    page.wait_for_selector(f"#preview .shots img[width='{width}']")
    page.click("button[value=save]")
    page.wait_for_url("**/edit?done=saved")
    with staffed.db.read() as conn:
        body = conn.execute(select(db.revisions.c.body)).scalar_one()
    assert [(m["width"], m["height"]) for m in body["media"]] == [(width, width)]


def test_pictures_are_put_in_order_by_dragging_and_by_buttons_that_keep_the_focus(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.set_input_files("#picture", [png("teal"), png("navy"), png("olive")])
    page.wait_for_selector(".pic:nth-of-type(3)")
    order = "[...document.querySelectorAll('[name=media]')].map(e => e.value)"
    a, b, c = page.evaluate(order)
    page.locator(".pic").nth(0).locator("button:has-text('后移')").focus()
    page.keyboard.press("Enter")
    first = ".pic:first-of-type [name=media][value='{}']"
    page.wait_for_selector(first.format(b), state="attached")
    assert page.evaluate("document.activeElement.id") == f"down-{a}"
    page.locator(".grip").nth(2).drag_to(
        page.locator(".pic").nth(0), target_position={"x": 9, "y": 2}
    )
    page.wait_for_selector(first.format(c), state="attached")
    kept(page)
    page.reload()
    assert page.evaluate(order) == [c, b, a], "kept as they lie"


def test_a_file_that_is_no_picture_is_refused_beside_the_pictures(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.fill("#text", "望江路停水。")
    page.set_input_files("#picture", {**png("teal"), "buffer": b"MZ no picture"})
    page.wait_for_selector("#pictures [role=alert]:has-text('不是能读的图片')")
    assert page.input_value("#text") == "望江路停水。"


def test_on_a_phone_a_frame_is_dragged_by_touch(staffed: Office, sit: Open) -> None:  # noqa: F811
    page = sit("zhou", PHONE, has_touch=True)
    page.goto("/posts/new")
    page.set_input_files("#picture", png("teal", (400, 300)))
    page.wait_for_selector("#pictures input[name^=alt-]")
    page.tap(".pic details summary")
    page.tap(".pic input[value='1:1']")
    page.locator(".cut").scroll_into_view_if_needed()
    box = page.locator(".cut").bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    for n in range(4):
        point = {**at, "x": at["x"] + 8 * n}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert numbers(page)[0] > 60
    assert numbers(page)[1:] == [0, 300, 300]


# ---------------------------------------------------------------- findings


def test_a_press_mends_the_text_as_if_typed_and_a_reason_is_written_undisturbed(
    staffed: Office,
    sit: Open,  # noqa: F811
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.check("[name=keys][value=board]")
    page.fill("#text", "😀11月25日（星期四）、11月26日（星期五）停水，请拨 13800138000。")
    page.click(".fix:has-text('改为“星期三”')")
    assert "11月25日（星期三）" in page.input_value("#text")
    page.keyboard.press("Control+z")
    assert "11月25日（星期四）" in page.input_value("#text"), "undone as if typed"
    page.click(".fix-all:has-text('这类 2 处都改')")
    assert "（星期三）、11月26日（星期四）" in page.input_value("#text")
    page.wait_for_selector("#findings:not(:has-text('星期'))")
    page.click(".because summary")
    page.focus(".because input")
    for part in ("值班", "电话", "，", "已核"):
        page.keyboard.type(part, delay=60)
        page.wait_for_timeout(700)  # a preview comes and goes
    assert page.input_value(".because input") == "值班电话，已核"
    kept(page)
    page.focus("#title")
    page.keyboard.press("Enter")  # as ever: it saves, whatever buttons stand before
    page.wait_for_url("**/edit?done=saved")
    assert page.input_value(".because input") == "值班电话，已核"


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_with_all_that_can_stand_there_a_form_has_no_grave_fault_and_spills_nowhere(
    staffed: Office,
    sit: Open,  # noqa: F811
    size: tuple[int, int],
) -> None:
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    from tests.web.test_each_page import FAULTS, SPILLS

    page = sit("zhou", size)
    page.goto("/posts/new")
    for key in ("board", "masto", "hand"):
        page.check(f"[name=keys][value={key}]")
    page.fill("#text", "11月25日（星期四）停水，请拨 13800138000，见 https://a.example/b 。" * 12)
    page.check("[name=card]")
    page.set_input_files("#picture", [png("teal"), png("navy", (60, 300))])
    page.wait_for_selector(".pic:nth-of-type(2)")
    page.locator(".pic details summary").first.click()
    page.locator(".because summary").first.click()
    page.wait_for_selector("#preview .chained, #preview .look.weibo")
    page.evaluate(axe.AXE_SCRIPT)
    assert page.evaluate(FAULTS) == []
    assert page.evaluate(SPILLS) == []
    if size == PHONE:
        small = "[...document.querySelectorAll('main .btn')].filter(b => b.offsetParent)"
        assert page.evaluate(f"{small}.every(b => b.getBoundingClientRect().height >= 44)")
