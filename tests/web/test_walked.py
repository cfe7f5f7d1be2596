"""Paths that people walk at the console from end to end, in a real browser, several people at a time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from PIL import Image
from sqlalchemy import select

from bot import catalog, collect, compose, db, review
from bot.deliver import accounts, plan
from bot.model import Role, Window
from bot.office import Office
from bot.speaking import Adapters
from bot.web.app import build
from bot.web.board import store
from bot.web.board.content import Content
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes import mastodon, weibo
from tests.web import scene, serving
from tests.web.test_browser import (  # noqa: F401
    DESK,
    PAGES,
    PHONE,
    Open,
    chromium,
    context,
    enter,
    office,
    pytestmark,
    rows,
    sit,
)
from tests.web.test_connecting import Desk, desk  # noqa: F401
from tests.web.test_reposts import matrix

# ruff: noqa: F811
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def apart(work: Callable[[], object]) -> None:
    """The machine's turn: playwright's loop runs in a test's own thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def alert(page: Any) -> str:
    return str(page.inner_text("main [role=alert]"))


# ---------------------------------------------------------------- accounts


class Desks:
    """Several people at their own browsers in front of one console."""

    def __init__(self, chromium: Any, base: str, office: Office, stack: ExitStack) -> None:
        self.chromium, self.base, self.office, self.stack = chromium, base, office, stack

    def sit(self, login: str, size: tuple[int, int] = DESK) -> Any:
        page = self.stack.enter_context(context(self.chromium, self.base, size)).new_page()
        enter(page, self.base, login)
        return page

    def work(self) -> None:
        apart(lambda: plan.plan_due(self.office))
        apart(lambda: builders.work(self.office))


@pytest.fixture
def people(chromium: Any, desk: Desk) -> Iterator[Desks]:
    with ExitStack() as stack:
        yield Desks(chromium, desk.base, desk.office, stack)


def granted(page: Any, key: str, answer: str) -> None:
    """From the account's page to the platform's, and back with what is answered there."""
    page.goto(f"/accounts/{key}")
    page.click(f"main a[href='/accounts/{key}/connect']")
    page.click("button[value=begin]")
    page.click("main a.primary")
    page.click(f"text={answer}")


def written(page: Any, key: str) -> None:
    page.goto("/posts/new")
    page.fill("#title", "停水公告")
    page.fill("#text", "望江路明日停水，详见 https://www.example.gov.cn/1")
    page.check(f"input[name=keys][value={key}]")
    page.click("button[value=submit]")
    page.wait_for_url("**?done=submit")


def passed(page: Any, title: str, done: str = "approved") -> None:
    """From 今日, one post of many."""
    page.goto("/")
    page.click(f"main a:has-text('{title}')")
    page.wait_for_url("**/review/*")
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review?done={done}")


@pytest.mark.parametrize(("key", "size"), [("w", DESK), ("m", PHONE)])
def test_an_account_is_connected_through_every_refusal_and_a_post_stands_through_it(
    people: Desks, desk: Desk, key: str, size: tuple[int, int]
) -> None:
    page = people.sit("gu", size)
    granted(page, key, "拒绝")
    assert "授权页没有给授权" in alert(page)
    page.goto("/account/return?state=forged&code=token-1")
    assert "不是您在这次登录里发起的" in alert(page)
    assert desk.secret(key) == ""
    granted(page, key, "token-1")
    page.click("button[value=keep]")
    page.wait_for_url("**?done=connect")
    granted(page, key, "token-2")
    assert "这不是原来的" in page.inner_text("main")
    page.click("button[value=keep]")
    assert "账号原是" in alert(page)
    page.click("button[value=drop]")
    assert desk.secret(key) == "token-1"
    assert page.evaluate(OVER) <= 0
    editor, signer = people.sit("zhou", size), people.sit("lin", size)
    written(editor, key)
    passed(signer, "停水公告")
    people.work()
    editor.goto("/queue")
    assert "已发出" in editor.inner_text("tr[data-row], .cards [data-row]")
    log = desk.sina.log if key == "w" else desk.fake.posts("office1")
    assert len(log) == 1


def test_while_a_token_is_dead_posts_wait_and_go_once_when_it_is_connected_again(
    people: Desks, desk: Desk
) -> None:
    admin, editor, signer = people.sit("gu"), people.sit("zhou"), people.sit("lin")
    granted(admin, "w", "token-1")
    admin.click("button[value=keep]")
    admin.wait_for_url("**?done=connect")
    desk.sina.dead["token-1"] = 21327
    written(editor, "w")
    passed(signer, "停水公告")
    people.work()
    editor.goto("/queue")
    row = editor.inner_text("tr[data-row]")
    assert "待发" in row, row
    admin.goto("/")
    assert "账号断开 1" in admin.inner_text("nav.wait").replace("\xa0", " ")
    admin.goto("/accounts/w")
    assert "已断开" in admin.inner_text("main")
    desk.sina.dead.clear()  # the platform gives another token, under the same name here
    granted(admin, "w", "token-1")
    assert "相同" in admin.inner_text("main")
    admin.click("button[value=keep]")
    admin.wait_for_url("**?done=connect")
    people.work()
    editor.goto("/queue")
    assert "已发出" in editor.inner_text("tr[data-row]")
    assert len(desk.sina.log) == 1


def test_an_account_nobody_connected_is_not_called_broken(people: Desks, desk: Desk) -> None:
    async def checked() -> None:
        adapters = Adapters(desk.office)
        await accounts.check_due(desk.office, adapters)
        await adapters.aclose()

    apart(lambda: asyncio.run(checked()))
    states = {r["key"]: r["state"] for r in offices.rows(desk.office, db.accounts)}
    assert states["m"] == states["w"] == "active"
    assert offices.told(desk.office) == []
    page = people.sit("gu")
    assert "账号断开 0" in page.inner_text("nav.wait").replace("\xa0", " ")
    page.click("main a[href='/accounts/w/connect']:has-text('去连接')")
    page.wait_for_url("**/accounts/w/connect")
    writer = people.sit("zhou")
    assert "由管理员连接" in writer.inner_text("main")
    writer.goto("/posts/new")
    assert "尚未连接" in writer.inner_text("#keys")


# ---------------------------------------------------------------- reposts


def test_a_request_to_repost_says_who_asks_by_when_and_the_asker_sees_who_is_late(
    staffed: Office, sit: Open, clock: FixedClock
) -> None:
    post = matrix(staffed)
    asker = sit("zhou")
    asker.goto(f"/posts/{post}")
    asker.click("text=请别的账号转发")
    for key in ("hand0", "hand1"):
        asker.check(f"input[value={key}]")
    asker.fill("#by", "2026-11-24T09:30")
    asker.click("button[value=ask]")
    assert "已请求转发" in asker.inner_text("main [role=status]")
    asked = sit("jian", PHONE)
    assert "最迟 09:30" in asked.inner_text("main")
    asked.click("main a:has-text('转发：医保缴费提醒')")
    asked.wait_for_url("**/review/*")
    assert "请你们转发这一条，最迟 09:30" in asked.inner_text("#post")
    asked.fill("#note", "与我局无关，不转")
    asked.click("button[value=return]")
    asked.wait_for_url("**?done=return")
    clock.move(3600)
    asker.goto("/")
    late = asker.locator("section:has(h2:text-is('过了时间还没签'))")
    assert "最迟 09:30 已过" in late.inner_text()
    late.locator("a").click()
    asker.wait_for_url(f"**/posts/{post}/reposts")
    shown = asker.locator("tr[data-row]").all_inner_texts()
    assert "简医退回：与我局无关，不转" in shown[0]
    assert "已过时限" in shown[1]
    with staffed.db.write() as conn:
        builders.person(conn, "huo", "霍签", Role.SIGNER, "fire")
    other = sit("huo")
    other.goto("/review")
    assert "已过，签了也不会发" in other.inner_text("#post")


# ---------------------------------------------------------------- answers


def test_a_reply_is_answered_and_handed_in_by_one_press_and_stands_nowhere_else(
    staffed: Office, sit: Open
) -> None:
    scene.reply(staffed, "几点来水")
    scene.reply(staffed, "停几天")
    page = sit("he")
    page.goto("/replies?unanswered=1")
    page.click("article >> nth=0 >> summary:text-is('答复')")
    box = page.locator("textarea:visible")
    assert box.bounding_box()["width"] > 500, "room to write"
    box.fill("明早 6 时。")
    box.press("Control+Enter")
    page.wait_for_url("**/replies?unanswered=1&done=answered")
    assert "答复已送审" in page.inner_text("main [role=status]")
    assert scene.state_of(staffed, db.posts, 1) == "in_review"
    page.click("summary:text-is('答复')")
    page.locator("textarea:visible").fill("云澜老县内停一天。")  # a word of the office's own list
    page.locator("button:visible:has-text('答复并送审')").click()
    page.wait_for_url("**/posts/2/edit?done=saved")
    assert "云澜老县" in page.inner_text("#findings"), "what hinders it stands there"
    assert scene.state_of(staffed, db.posts, 2) == "draft"
    assert page.locator("input[type=checkbox][name=keys]").count() == 0
    page.click(".fix")
    page.wait_for_selector("#findings:has-text('没有发现疑点')")
    page.locator("#text").press("Control+Enter")
    page.wait_for_url("**?done=submit")
    with staffed.db.read() as conn:
        query = select(db.posts.c.accounts).where(db.posts.c.id == 2)
        assert len(conn.execute(query).scalar_one()) == 1


# ---------------------------------------------------------------- composing


def test_what_was_handed_in_is_not_offered_again_in_another_window(
    staffed: Office, sit: Open
) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.fill("#text", "望江路明日停水。")
    page.check("input[value=board]")
    page.click("button[value=submit]")
    page.wait_for_url("**?done=submit")
    other = page.context.new_page()
    other.goto("/posts/new")
    assert not other.is_visible("#kept-here")
    assert other.input_value("#text") == ""


def test_only_chosen_accounts_are_offered_a_text_of_their_own(staffed: Office, sit: Open) -> None:
    page = sit("zhou")
    page.goto("/posts/new")
    page.click("summary:has-text('某个账号另写')")
    assert not page.is_visible("#variant-masto")
    page.check("input[value=masto]")
    assert page.is_visible("#variant-masto")
    assert not page.is_visible("#variant-board")
    page.fill("#variant-masto", "短的一版")
    page.uncheck("input[value=masto]")
    assert page.is_visible("#variant-masto"), "nothing that was typed is hidden"
    plain = sit("zhou", java_script_enabled=False)
    plain.goto("/posts/new")
    plain.click("summary:has-text('某个账号另写')")
    assert plain.is_visible("#variant-board")


def table(*lines: tuple[str | None, ...]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    for line in lines:
        sheet.append(line)
    book.save(out)
    return out.getvalue()


def test_a_table_of_words_is_taken_in_and_found_in_what_another_writes(
    staffed: Office, sit: Open
) -> None:
    writer = sit("zhou")
    writer.goto("/posts/new")
    writer.check("input[value=board]")
    writer.fill("#text", "旧县名今日供水正常，旧县名考一书出版。")
    writer.wait_for_selector("#findings:has-text('没有发现疑点')")
    keeper, late = sit("gu"), sit("gu", PHONE)
    late.goto("/settings/words")
    keeper.goto("/settings/words")
    bad = table(("词语", "级别", "建议写作"), ("旧县名", "很严重", "云澜县"))
    sheet = table(("词语", "级别", "建议写作"), ("旧县名", "阻止", "云澜县"), ("旧县名考", "例外"))
    for content, said in ((bad, "第 2 行"), (sheet, "已导入 2 个词语")):
        file = {"name": "words.xlsx", "mimeType": "application/x", "buffer": content}
        keeper.set_input_files("#table", files=[file])
        keeper.click("#import button")
        keeper.wait_for_selector(f"main .note:has-text('{said}')")
    writer.type("#text", "。")
    writer.wait_for_selector("#mirror mark.block:text-is('旧县名')")
    assert writer.locator("#mirror mark").count() == 1, "the exception is left alone"
    late.fill("#words", "旧称")
    late.click("#add button")
    assert "刚被别人改过" in alert(late)
    assert late.input_value("#words") == "旧称"
    late.click("#add button")
    late.wait_for_selector("[role=status]")
    kept = staffed.config.place("words.txt").read_text("utf-8").splitlines()
    assert kept[1:] == ["旧县名\tblock\t云澜县", "!旧县名考", "旧称\twarn"]


# ---------------------------------------------------------------- the calendar


@pytest.fixture
def planned(staffed: Office) -> Office:
    """A post signed for two days from Thursday on."""
    go_at = builders.NOW + timedelta(days=2)
    made = scene.post(staffed, title="供暖报修电话", go_at=go_at)
    builders.sign(staffed, made, window=Window(go_at, go_at + timedelta(days=2)))
    plan.plan_due(staffed)
    return staffed


def planned_day(office: Office) -> str:
    with office.db.read() as conn:
        at = conn.execute(select(db.posts.c.go_at).where(db.posts.c.id == 1)).scalar_one()
    return f"{at.astimezone(office.config.tz):%m-%d %H:%M}"


def test_in_the_month_a_post_is_dragged_within_its_window_at_once_and_never_into_the_past(
    planned: Office, sit: Open
) -> None:
    page = sit("zhou")
    page.goto("/calendar")
    for day, said in (("23", "这个时间已过"), ("27", "在签发的时段内，放下即改期")):
        cell = page.locator(f"td[data-day='2026-11-{day}']")
        page.locator("[data-post='1']").hover()
        page.mouse.down()
        cell.hover()
        cell.hover()
        assert said in page.inner_text("#move-note")
        page.mouse.up()
    page.wait_for_url("**done=free")
    assert (planned_day(planned), scene.state_of(planned, db.posts, 1)) == (
        "11-27 09:00",
        "approved",
    )


def test_with_keys_alone_a_post_is_moved(planned: Office, sit: Open) -> None:
    page = sit("zhou")
    page.goto("/calendar?view=week")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.post") == "1":
            break
    page.keyboard.press("m")
    page.wait_for_url("**/calendar/move/1")
    page.fill("#at", "2026-11-27T10:30")
    page.locator("#at").press("Enter")
    page.wait_for_url("**done=free")
    assert planned_day(planned) == "11-27 10:30"


def test_on_a_phone_without_scripts_a_post_is_moved_from_every_view(
    planned: Office, sit: Open
) -> None:
    page = sit("zhou", PHONE, java_script_enabled=False, has_touch=True)
    for view in ("month", "week", "day&on=2026-11-26"):
        page.goto(f"/calendar?view={view}")
        assert page.evaluate(OVER) <= 0, view
        if view.startswith("day"):
            page.tap("main a[href='/calendar/move/1']")
        else:
            page.tap(".ev[href='/posts/1']:visible")
            page.tap("main a[href='/calendar/move/1']")
        page.wait_for_url("**/calendar/move/1")
        small = page.locator("main button.primary").bounding_box()
        assert small["height"] >= 44
    page.fill("#at", "2026-12-05T10:00")  # outside what was signed
    page.tap("main button.primary")
    page.wait_for_selector("main:has-text('改期并退回审签')")
    assert planned_day(planned) == "11-26 09:00", "said before it is done"
    page.tap("main button.primary")
    page.wait_for_url("**done=again")
    assert scene.state_of(planned, db.posts, 1) == "in_review"


# ---------------------------------------------------------------- holding everything


def test_everything_is_stopped_from_any_page_without_the_mouse(rows: Office, sit: Open) -> None:
    page = sit("lin")
    page.goto("/calendar")
    page.keyboard.press("Shift+S")
    page.wait_for_url("**/stop#reason")
    page.keyboard.type("核实情况")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/stop#hold-1")
    assert "停发中 1" in page.inner_text("header.top")


# ---------------------------------------------------------------- closed networks, citizens


def test_no_page_asks_anything_of_another_host(rows: Office, sit: Open, base: str) -> None:
    page = sit("zhou")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in (*PAGES, "/board", "/board/feed.atom"):
        page.goto(path) if not path.endswith(".atom") else page.request.get(path)
    outside = [url for url in asked if not url.startswith((f"{base}/", "data:"))]
    assert outside == []
    assert len(asked) > len(PAGES), "what the pages ask for is heard"


def test_a_citizen_with_a_phone_and_no_scripts_asks_and_reads_the_answer(
    staffed: Office, sit: Open, chromium: Any, base: str
) -> None:
    with staffed.db.write() as conn:
        store.ensure_board(conn, builders.NOW)
        content = Content(title="停水公告", text="望江路明日停水。")
        post, _ = store.publish(conn, builders.NOW, "k-1", content)
        store.edit(
            conn,
            builders.NOW,
            post["public_id"],
            Content(title="停水公告", text="望江路后日停水。"),
        )
    with context(chromium, base, PHONE, java_script_enabled=False) as made:
        page = made.new_page()
        page.goto("/board")
        page.click("text=停水公告")
        assert "望江路明日停水" in page.text_content("main"), "what was corrected is still told"
        trap = page.locator("#website").bounding_box()
        assert trap["x"] + trap["width"] < 0, "people do not see it"
        page.fill("#website", "http://spam.example", force=True)
        page.fill("#text", "老人怎么办？")
        page.click("button:has-text('提交留言')")
        assert "请再提交一次" in page.inner_text("main")
        assert page.input_value("#text") == "老人怎么办？"
        page.click("button:has-text('提交留言')")
        assert "审核后公开" in page.inner_text("main")
        moderator = sit("he", PHONE)
        moderator.goto("/")
        moderator.click("main a:has-text('留言待审')")
        moderator.click("button[value=show]")
        page.goto(f"/board/p/{post['public_id']}")
        assert "老人怎么办？" in page.inner_text("main")
        assert made.cookies() == []
        for width in (640, 320, 195):  # 1280 and 640 at 200 %, and a phone at 200 %
            page.set_viewport_size({"width": width, "height": 500})
            for path in ("/board", f"/board/p/{post['public_id']}", "/board/search?q=停水"):
                page.goto(path)
                assert page.evaluate(OVER) <= 0, (width, path)


# ---------------------------------------------------------------- a day

STEPS = """
[screening]
lists = ["words.txt"]
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
"""
MORE = """
[sources.catalogue]
unit = "county"
kind = "feed"
url = "feed.xml"
first_poll = "latest:1"
template = "notice"
accounts = ["m"]
[accounts.m]
unit = "county"
adapter = "mastodon"
name = "云澜发布"
[accounts.m.options]
url = "{url}"
"""


@pytest.fixture
def county(staffed: Office) -> Iterator[Desk]:
    """Two steps of review, a catalogue with one entry, an account on a platform, a word list."""
    root = staffed.config.root
    said = "云澜老县城区供水管网检修，望江路11月25日22时至26日6时停水。"
    (root / "words.txt").write_text("云澜老县\tblock\t云澜县\n", "utf-8")
    entry = offices.Notice("望江路停水公告", at=builders.NOW, text=said, column="通知公告")
    (root / "feed.xml").write_text(offices.rss([entry]), "utf-8")
    with (
        mastodon.running(accounts=2) as (fake, server),
        weibo.running() as (sina, _),
        serving.listening() as taken,
    ):
        made = offices.declared(staffed, MORE.format(url=server.url), STEPS)
        base = serving.address(taken)
        with serving.serving(build(made), taken), closing(Desk(made, base, fake, sina)) as desk:
            yield desk


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), "teal").save(out, "PNG")
    return out.getvalue()


def turned(desk: Desk, clock: FixedClock) -> None:
    """A machine's round: what is due is read, composed, planned, sent and collected."""

    async def _round() -> None:
        adapters = Adapters(desk.office)
        await catalog.poll_due(desk.office)
        for act in (compose.compose_due, review.take_drafts, plan.plan_due):
            act(desk.office)
        await asyncio.to_thread(builders.work, desk.office)
        await collect.collect_due(desk.office, adapters)
        await adapters.aclose()

    clock.move(120)
    apart(lambda: asyncio.run(_round()))


def test_a_day_of_five_people_from_the_entry_to_the_answer_and_its_sheet(
    chromium: Any, county: Desk, clock: FixedClock
) -> None:
    with ExitStack() as stack:
        people = Desks(chromium, county.base, county.office, stack)
        admin = people.sit("gu")
        granted(admin, "m", "token-1")
        admin.click("button[value=keep]")
        admin.wait_for_url("**?done=connect")
        turned(county, clock)

        editor = people.sit("zhou")
        made = editor.locator("section:has(h2:text-is('系统成的稿，等人改'))")
        assert "有阻止的疑点" in made.inner_text(), "nobody else would tell him"
        made.locator("a").click()
        editor.click(".fix")
        editor.wait_for_selector("#findings:has-text('没有发现疑点')")
        file = {"name": "map.png", "mimeType": "image/png", "buffer": picture()}
        editor.set_input_files("#picture", files=[file])
        editor.fill("#pictures input[name^=alt-]", "停水范围图")
        editor.click("#pictures summary:has-text('裁剪')")
        editor.check("#pictures input[value='16:9']")
        editor.click("#pictures button:has-text('裁好')")
        editor.wait_for_selector("#pictures:has-text('800×450')")
        editor.locator("#text").press("Control+Enter")
        editor.wait_for_url("**?done=submit")

        reviewer, signer = people.sit("shen", PHONE), people.sit("lin")
        passed(reviewer, "望江路停水公告", "pass")
        passed(signer, "望江路停水公告")
        turned(county, clock)
        editor.goto("/queue")
        assert "已发出" in editor.inner_text("tr[data-row]")
        [post] = county.fake.posts("office1")
        assert "云澜县城区" in post["text"]
        assert post["media"] == ["停水范围图"]

        asked = county.fake.answer(post["id"], "老人怎么办")
        turned(county, clock)
        responder = people.sit("he", PHONE)
        assert "昨天以来新评论 1" in responder.inner_text("nav.wait").replace("\xa0", " ")
        responder.goto("/replies?unanswered=1")
        responder.click("summary:text-is('答复')")
        responder.locator("textarea:visible").fill("可拨 12345 预约送水。")
        responder.click("button:visible:has-text('答复并送审')")
        responder.wait_for_url("**done=answered")
        passed(reviewer, "答复：老人怎么办", "pass")
        passed(signer, "答复：老人怎么办")
        turned(county, clock)
        answer = county.fake.posts("office1")[-1]
        assert ("预约送水" in answer["text"], answer["reply_to"]) == (True, asked)

        signer.goto("/review/1/sheet")
        sheet = signer.inner_text("main")
        assert all(name in sheet for name in ("沈棠", "林岚", "初审", "签发"))
        signer.emulate_media(media="print")
        assert signer.pdf(format="A4").count(b"/Type /Page\n") == 1
