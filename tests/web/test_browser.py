"""The console in a real browser: keys, no scripts at all, small screens, print, a quiet console."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from os import geteuid
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot import db
from bot.model import Role
from bot.office import Office
from tests import builders, offices
from tests.web import scene
from tests.web.test_connecting import Desk, desk  # noqa: F401

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]
Open = Callable[..., Any]
DESK, PHONE = (1280, 800), (390, 844)
WORDS = '[screening]\nlists = ["words.txt"]\nleaders = "leaders.txt"\n'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as running:
        args = ["--no-sandbox"] if geteuid() == 0 else []
        made = running.chromium.launch(executable_path=CHROMIUM, args=args)
        yield made
        made.close()


@contextmanager
def context(chromium: Any, base: str, size: tuple[int, int], **more: Any) -> Iterator[Any]:
    width, height = size
    made = chromium.new_context(
        base_url=base, viewport={"width": width, "height": height}, locale="zh-CN", **more
    )
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def sit(chromium: Any, base: str, staffed: Office) -> Iterator[Open]:
    """Open a page as somebody, on a screen of some size."""
    with ExitStack() as stack:

        def opened(login: str, size: tuple[int, int] = DESK, **more: Any) -> Any:
            page = stack.enter_context(context(chromium, base, size, **more)).new_page()
            enter(page, base, login)
            return page

        yield opened


def enter(page: Any, base: str, login: str) -> None:
    page.goto("/login")
    page.fill("#login", login)
    page.fill("#password", builders.PASSWORD)
    page.click("button.primary")
    page.wait_for_url(f"{base}/")


@pytest.fixture
def office(office: Office, tmp_path: Path) -> Office:
    """With templates, and words of its own."""
    (tmp_path / "words.txt").write_text("云澜老县\tblock\t云澜县\n", "utf-8")
    (tmp_path / "leaders.txt").write_text("张三\t县委书记\n", "utf-8")
    return offices.declared(office, WORDS)


@pytest.fixture
def rows(staffed: Office) -> Office:
    """Something on every page."""
    scene.worker(staffed)
    with staffed.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "zhou").person or 0, Role.RESPONDER, "county")
    urgent = {"title": "城区供水管网检修公告", "keys": ("board", "masto", "hand")}
    scene.unclear(staffed, scene.signed(staffed, **urgent))
    later = builders.NOW + timedelta(hours=3)
    scene.signed(staffed, title="医保缴费提醒", keys=("board", "masto"), go_at=later)
    scene.submitted(staffed, title="元旦办事提醒", text="请拨 13800138000 预约。", go_at=later)
    scene.item(staffed, waits={"text": "发布日期较早", "values": {}})
    scene.reply(staffed, "望江桥修到几号", post_id=1)
    return staffed


PAGES = (
    *("/", "/posts", "/posts/1", "/posts/3/edit", "/items", "/review", "/review/3"),
    *("/replies/1", "/replies/import", "/board", "/board/search?q=停水", "/board/screen"),
    *("/calendar", "/calendar?view=week", "/calendar?view=day", "/calendar/move/2"),
    "/calendar/schedules",
    *("/queue?open=1", "/queue/1", "/replies", "/accounts", "/stop", "/me", "/posts/new"),
    *(
        "/people",
        "/people/zhou",
        "/me/code",
        "/me/tokens",
        "/me/delegation",
        "/posts/1/reposts",
        "/accounts/masto",
    ),
    *("/items/1", "/items/new", "/quality", "/sources", "/sources/catalogue"),
    *("/settings", "/settings/templates", "/settings/templates/policy", "/settings/rules"),
    *("/settings/words", "/settings/docs/screening"),
)


def test_no_page_breaks_its_own_policy_or_spills_over_the_screen(rows: Office, sit: Open) -> None:
    for size, language in ((DESK, "zh"), (PHONE, "zh"), ((320, 640), "zh"), (PHONE, "en")):
        page = sit("zhou", size)
        speak = {"name": "gongkai_language", "value": language, "url": page.url}
        page.context.add_cookies([speak])
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        for path in PAGES:
            page.goto(path)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, (path, size, over)
        assert said == [], size


def test_the_top_bar_fits_every_width_and_search_is_always_in_it(rows: Office, sit: Open) -> None:
    with rows.db.write() as conn:
        person = builders.actor(conn, "zhou").person or 0
        for role in set(Role) - {Role.EDITOR, Role.RESPONDER}:
            builders.grant(conn, person, role, "county")
    for language in ("zh", "en"):
        page = sit("zhou")
        speak = {"name": "gongkai_language", "value": language, "url": page.url}
        page.context.add_cookies([speak])
        for width in (320, 640, 720, 721, 860, 861, 1000, 1100, 1101, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            page.goto("/posts")
            over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(over) <= 0, (language, width)
            box, link = page.locator(".top .find input"), page.locator(".seek")
            assert box.is_visible() != link.is_visible(), (language, width)
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.closest('form').action").endswith("/search")


def test_the_first_tab_skips_to_the_text_and_focus_is_seen(rows: Office, sit: Open) -> None:
    page = sit("zhou")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_keys_lead_to_pages_and_p_moves_to_the_button_but_never_signs(
    rows: Office, sit: Open
) -> None:
    page = sit("lin")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/review")
    page.keyboard.press("j")
    assert "元旦办事提醒" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("p")
    assert page.evaluate("document.activeElement.value") == "pass"
    assert scene.state_of(rows, db.posts, 3) == "in_review"
    page.keyboard.press("Enter")
    page.wait_for_url("**/review?done=approved")
    assert scene.state_of(rows, db.posts, 3) == "approved"
    page.keyboard.press("Shift+S")
    page.wait_for_url("**/stop#reason")


def test_keys_sleep_in_fields_and_where_they_were_switched_off(rows: Office, sit: Open) -> None:
    page = sit("zhou")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("grs")
    assert page.input_value(".find input") == "grs"
    page.goto("/me")
    page.check("#keys-off")
    page.goto("/posts")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_timeout(200)
    assert page.url.endswith("/posts")


def test_without_scripts_a_post_is_written_signed_and_its_delivery_decided(
    staffed: Office, sit: Open
) -> None:
    page = sit("zhou", java_script_enabled=False)
    page.goto("/posts/new")
    page.fill("#title", "停水通知")
    page.fill("#text", "望江路明日停水。")
    page.check("input[value=board]")
    page.click("button[value=submit]")
    assert "已送审" in page.inner_text("main")
    signer = sit("lin", java_script_enabled=False)
    signer.goto("/review")
    signer.click("button[value=return]")
    assert "须写明意见" in signer.inner_text("[role=alert]")
    signer.fill("#note", "同意")
    signer.click("button[value=pass]")
    assert scene.state_of(staffed, db.posts, 1) == "approved"


def test_the_stop_button_says_what_the_chosen_scope_stops(rows: Office, sit: Open) -> None:
    page = sit("lin")
    page.goto("/stop")
    button = page.locator("button.danger")
    assert button.inner_text() == "立即停发，停住 4 条"
    page.select_option("select[name=account]", label="Mastodon 云澜 · 停住 2 条")
    assert button.inner_text() == "立即停发，停住 2 条"
    assert page.is_checked("input[value=account]")
    page.fill("#reason", "账号疑似被盗")
    button.click()
    page.wait_for_url("**/stop#hold-1")
    assert "停发中 1" in page.inner_text("header.top")


def test_the_top_bar_changes_by_itself_when_the_worker_stops(
    rows: Office, sit: Open, clock: Any
) -> None:
    page = sit("zhou")
    assert "运行正常" in page.inner_text("#pulse")
    clock.move(60)
    page.evaluate("htmx.trigger('#pulse', 'htmx:abort')")
    page.evaluate(
        "htmx.ajax('GET', document.getElementById('pulse').getAttribute('hx-get'),"
        " {target: '#pulse', swap: 'outerHTML'})"
    )
    page.wait_for_selector("#pulse .dead")


def test_on_a_phone_every_target_is_large_and_the_act_stays_in_sight(
    rows: Office, sit: Open
) -> None:
    page = sit("lin", PHONE)
    for path in ("/", "/queue", "/review/3", "/stop", "/posts"):
        page.goto(path)
        small = page.evaluate(
            "[...document.querySelectorAll('main .btn, .tabs a, .tabs summary')]"
            ".filter(b => b.offsetParent && getComputedStyle(b).pointerEvents != 'none')"
            ".filter(b => b.getBoundingClientRect().height < 44)"
            ".map(b => b.textContent.trim())"
        )
        assert small == [], path
    page.goto("/review/3")
    for name in ("pass", "return", "refer"):
        box = page.locator(f"button[value={name}]").bounding_box()
        assert box["y"] + box["height"] <= 844 - 60
    assert "文本 1 份" in page.inner_text(".covers")
    page.click(".tabs summary")
    page.click(".more a[href='/accounts']")
    page.wait_for_url("**/accounts")


def test_on_paper_there_is_only_the_sheet(rows: Office, sit: Open) -> None:
    page = sit("lin")
    page.goto("/review/3/sheet")
    page.emulate_media(media="print")
    for part in (".rail", ".top", ".noprint"):
        assert not page.is_visible(part)
    assert page.is_visible("main table")
    page.goto("/review/1/sheet")  # signed, on three accounts
    assert page.pdf(format="A4").count(b"/Type /Page\n") == 1


def test_errors_get_the_focus(rows: Office, sit: Open) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.fill("#text", "字")
    page.click("button[value=save]")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    assert page.input_value("#text") == "字"


def test_dragged_in_the_calendar_a_post_says_what_that_means_before_it_is_let_go(
    rows: Office, sit: Open
) -> None:
    page = sit("zhou")
    page.goto("/calendar?view=week")
    post = page.locator("[data-post='2']")
    other = page.locator("td[data-day='2026-11-27'][data-hour='12']")
    post.hover()
    page.mouse.down()
    other.hover()
    other.hover()
    note = page.inner_text("#move-note")
    assert note.startswith("2026-11-27 12:00 · 超出签发的时段")
    page.mouse.up()
    page.wait_for_url("**/calendar/move/2")
    assert "改期并退回审签" in page.inner_text("main")
    assert scene.state_of(rows, db.posts, 2) == "approved"
    page.click("button.primary")
    page.wait_for_url("**/calendar?view=day&on=2026-11-27&done=again")
    assert scene.state_of(rows, db.posts, 2) == "in_review"


def test_m_asks_for_a_time_and_without_scripts_a_form_does(rows: Office, sit: Open) -> None:
    page = sit("zhou")
    page.goto("/calendar")
    page.focus("[data-post='3']")
    page.keyboard.press("m")
    page.wait_for_url("**/calendar/move/3")
    plain = sit("zhou", java_script_enabled=False)
    plain.goto("/calendar?view=day")
    plain.click("a[href='/calendar/move/2']")
    plain.fill("#at", "2026-11-24T12:30")
    plain.click("main button.primary")
    assert "已改期，签发继续有效" in plain.inner_text("main")
    assert plain.is_hidden("#move")


def test_an_account_is_connected_on_the_platform_s_page_without_scripts(
    chromium: Any,
    desk: Desk,  # noqa: F811
) -> None:
    """Across two sites, as a browser does it: its cookies and our policy let it come back."""
    elsewhere = desk.base.replace("127.0.0.1", "localhost")  # to a browser, another site
    for key, size, base in (("w", DESK, desk.base), ("m", PHONE, elsewhere)):
        with context(chromium, base, size, java_script_enabled=False) as made:
            page = made.new_page()
            said: list[str] = []
            page.on("console", lambda message, said=said: said.append(message.text))
            enter(page, base, "gu")
            page.goto("/accounts")
            page.click(f"a[href='/accounts/{key}/connect']")
            page.click("button[value=begin]")
            page.click("main a.primary")
            page.click("text=token-1")
            page.wait_for_url(f"{base}/accounts/{key}/connect")
            page.click("button[value=keep]")
            assert "已连接" in page.inner_text("main")
            assert not [one for one in said if "Policy" in one]
    assert desk.secret("w") == desk.secret("m") == "token-1"


def test_a_template_is_seen_on_an_entry_while_it_is_typed_and_saved_without_scripts(
    rows: Office, sit: Open
) -> None:
    page = sit("gu")
    page.goto("/settings/templates/policy")
    page.fill("#text", "【试排】{{ title }}")
    page.wait_for_selector("#preview .text:has-text('【试排】关于放假的通知')")
    page.fill("#text", "{{ titel }}")
    page.wait_for_selector("#preview .note:has-text('是不是 title')")
    assert page.input_value("#text") == "{{ titel }}"
    assert page.evaluate("document.activeElement.id") == "text", "typing goes on"
    plain = sit("gu", java_script_enabled=False)
    plain.goto("/settings/templates/policy")
    plain.fill("#text", "【改】{{ title }}")
    plain.click("button[value=preview]")
    assert "【改】关于放假的通知" in plain.inner_text("#preview")
    plain.click("button[value=save]")
    assert "已保存" in plain.inner_text("main")
    file = rows.config.place("templates") / "policy.txt"
    assert file.read_text("utf-8") == "【改】{{ title }}\n"


def test_a_word_is_added_and_found_in_a_text_as_it_is_typed(rows: Office, sit: Open) -> None:
    page = sit("gu")
    page.goto("/settings/words")
    page.fill("#words", "旧称")
    page.select_option("#severity", "block")
    page.click("#add button")
    page.wait_for_selector("tr#line-2")
    page.goto("/settings/rules")
    page.type("#text", "旧称不用。")
    page.wait_for_selector("#tried mark.block:has-text('旧称')")
    page.goto("/settings/words")
    page.click("tr#line-2 summary")
    page.click("tr#line-2 button[value=drop]")
    page.wait_for_selector("[role=status]:has-text('已删去')")
    assert rows.config.place("words.txt").read_text("utf-8") == "云澜老县\tblock\t云澜县\n"


def dropped(page: Any, picture: bytes) -> None:
    """A file let go over the text."""
    carried = page.evaluate_handle(
        """bytes => { const carried = new DataTransfer();
        carried.items.add(new File([new Uint8Array(bytes)], "map.png", {type: "image/png"}));
        return carried; }""",
        list(picture),
    )
    page.locator("#text").dispatch_event("drop", {"dataTransfer": carried})


def test_a_post_is_seen_screened_and_kept_as_one_types(rows: Office, sit: Open) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.check("[name=keys][value=board]")
    page.fill("#text", "望江路停水。")
    page.type("#text", "云澜老县通知。")
    page.wait_for_selector("#preview .text:has-text('云澜老县')")
    page.wait_for_selector("#mirror mark.block:has-text('云澜老县')")
    page.keyboard.press("F8")
    assert page.evaluate("getSelection().toString()") == "云澜老县"
    page.wait_for_selector("#kept-at:has-text('已自动保存')")
    page.reload()
    assert "云澜老县" in page.input_value("#text"), "the address names what is kept"
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    dropped(page, out.getvalue())
    page.fill("#pictures input[name^=alt-]", "停水范围图")
    assert not page.is_visible("#kept-here"), "nothing typed is missing"
    page.click("button[value=save]")
    page.wait_for_url("**/edit?done=saved")
    page.goto("/posts/new")
    assert not page.is_visible("#kept-here"), "saved, so no longer kept beside"
    assert page.locator("a:has-text('接着写')").count() == 0
