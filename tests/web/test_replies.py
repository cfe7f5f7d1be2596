"""评论: the log, its search, threads, versions, coverage, exports; moderation of the board."""

from __future__ import annotations

import io
from datetime import timedelta

import openpyxl
import pytest
from sqlalchemy import insert, select

from bot import db
from bot.model import DeliveryState
from bot.office import Office
from bot.web.board import store
from bot.web.board.content import Content
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter


@pytest.fixture
def posted(staffed: Office) -> int:
    """A sent post of the county's."""
    post = scene.signed(staffed, title="公交绕行")
    sent = {"state": DeliveryState.SENT, "remote_id": "p1", "sent_at": builders.NOW}
    scene.delivery(staffed, post, **sent, due_at=None)
    return post


def test_the_log_is_searched_and_the_words_are_marked(
    staffed: Office, enter: Enter, posted: int
) -> None:
    scene.reply(staffed, "望江桥修到几号", post_id=posted)
    scene.reply(staffed, "公交几点停", post_id=posted)
    reader = enter("zhou")
    page = reader.get("/replies?q=望江桥 几号")
    assert [m.text for m in page.all("//mark[@class='hit']")] == ["望江桥", "几号"]
    assert len(page.all("//article")) == 1
    assert "没有找到“路灯”" in reader.get("/replies?q=路灯").words()
    assert len(reader.get("/replies").all("//article")) == 2


def test_a_search_is_paged_to_its_end_and_shows_no_other_unit_s(
    staffed: Office, enter: Enter, posted: int
) -> None:
    for n in range(53):
        scene.reply(staffed, f"望江路第{n}盏路灯", post_id=posted)
    with staffed.db.write() as conn:
        fire = builders.unit(conn, "fire")
        own = scene.account(conn, "fire", "board", unit_id=fire)
    scene.reply(staffed, "望江路失火", account_id=own)
    reader = enter("zhou")
    first = reader.get("/replies?q=望江")
    second = reader.get(first.all("//a[@rel='next']/@href")[0])
    assert [len(page.all("//article")) for page in (first, second)] == [50, 3]
    assert "共 53 条" in first.words("//nav[@class='pager']")
    assert "第2盏" in second.words("//article[1]")
    assert not second.all("//a[@rel='next']")


def test_replies_are_narrowed_by_post_account_and_state(
    staffed: Office, enter: Enter, posted: int
) -> None:
    other = scene.signed(staffed, title="另一篇")
    scene.reply(staffed, "这篇的", post_id=posted)
    scene.reply(staffed, "删掉的", post_id=posted, state="removed", removed_why="absent")
    scene.reply(staffed, "那篇的", post_id=other)
    reader = enter("zhou")
    page = reader.get(f"/replies?post={posted}&state=removed")
    assert page.words("//article/div[@class='reply']") == "删掉的"
    assert "连续两次完整采集未见" in page.words("//article")
    assert "稿件：公交绕行" in page.words("//a[@class='pill'][@aria-current]")
    assert len(reader.get("/replies?account=1").all("//article")) == 3
    assert len(reader.get("/replies?account=2").all("//article")) == 0


def test_replies_are_narrowed_to_days_to_whose_they_are_and_to_what_nobody_answered(
    staffed: Office, enter: Enter, posted: int
) -> None:
    old = builders.NOW - timedelta(days=9)
    scene.reply(staffed, "上周的", post_id=posted, at=old)
    scene.reply(staffed, "本单位的", post_id=posted, own=True, parent="r-上周的")
    scene.reply(staffed, "今天的", post_id=posted)
    reader = enter("zhou")

    def texts(asked: str) -> list[str]:
        page = reader.get(f"/replies?{asked}")
        return [node.text_content() for node in page.all("//article/div[@class='reply']")]

    assert texts("unanswered=1") == ["今天的"]
    assert texts("whose=own") == ["本单位的"]
    assert texts("since=2026-11-10&until=2026-11-15") == ["上周的"]
    assert texts("since=2026-11-24&whose=public") == ["今天的"]
    link = reader.get("/replies?whose=own").all("//a[contains(@href, 'export.jsonl')]/@href")[0]
    taken = reader.get(link).answer.text
    assert ("本单位的" in taken, "今天的" in taken) == (True, False)


def test_with_days_the_latest_said_comes_first_and_paging_misses_none(
    staffed: Office, enter: Enter, posted: int
) -> None:
    for n in range(60):  # taken in the other way round, several in one minute
        at = builders.NOW - timedelta(minutes=n // 3)
        scene.reply(staffed, f"第{n}条", post_id=posted, at=at)
    reader = enter("zhou")
    first = reader.get("/replies?since=2026-11-01")
    second = reader.get(first.all("//a[@rel='next']/@href")[0])
    shown = [
        int(node.text_content()[1:-1])
        for page in (first, second)
        for node in page.all("//article/div[@class='reply']")
    ]
    assert sorted(shown) == list(range(60))
    assert [n // 3 for n in shown] == sorted(n // 3 for n in shown)


def test_earlier_wordings_stand_under_the_one_that_stands_now(
    staffed: Office, enter: Enter, posted: int
) -> None:
    made = scene.reply(
        staffed, "改过的话", post_id=posted, state="edited", version=2, edited_at=builders.NOW
    )
    with staffed.db.write() as conn:
        row = {"reply_id": made, "number": 1, "text": "原来的话", "at": builders.NOW}
        conn.execute(insert(db.reply_versions).values(**row))
    page = enter("zhou").get("/replies")
    assert "以前的 1 版" in page.words("//article//details")
    assert "原来的话" in page.words("//article//details")
    assert page.all("//article//span[contains(@class, 'chip attention')]")


def test_a_thread_opens_in_place(staffed: Office, enter: Enter, posted: int) -> None:
    top = scene.reply(staffed, "最上面", post_id=posted)
    scene.reply(staffed, "第二层", post_id=posted, parent="r-最上面")
    scene.reply(staffed, "第三层", post_id=posted, parent="r-第二层")
    reader = enter("zhou")
    page = reader.get("/replies")
    assert "答 路人：“最上面”" in page.words("//article[2]")
    page = reader.get(page.all(f"//article[@id='r{top}']//a[contains(., '展开')]/@href")[0])
    thread = page.words("//div[@class='thread']")
    assert "第二层" in thread
    assert "第三层" in thread


def test_a_circle_of_answers_ends(staffed: Office, enter: Enter, posted: int) -> None:
    top = scene.reply(staffed, "甲", post_id=posted, parent="r-乙")
    scene.reply(staffed, "乙", post_id=posted, parent="r-甲")
    page = enter("zhou").get(f"/replies?thread={top}")
    assert page.words("//div[@class='thread']").count("乙") == 1


def test_a_reply_has_a_page_with_its_thread_and_every_wording(
    staffed: Office, enter: Enter, posted: int
) -> None:
    scene.reply(staffed, "最上面", post_id=posted)
    edited = {"state": "edited", "version": 2, "edited_at": builders.NOW}
    made = scene.reply(staffed, "路灯亮了", post_id=posted, parent="r-最上面", **edited)
    scene.reply(staffed, "已转路灯所", post_id=posted, parent="r-路灯亮了", own=True)
    with staffed.db.write() as conn:
        row = {"reply_id": made, "number": 1, "text": "路灯不亮", "at": builders.NOW}
        conn.execute(insert(db.reply_versions).values(**row))
    reader = enter("zhou")
    page = reader.get(f"/replies/{made}")
    shown = page.words()
    assert shown.index("最上面") < shown.index("路灯亮了") < shown.index("已转路灯所")
    assert "本单位" in page.words("//div[@class='thread']")
    assert (page.all("//del")[0].text, page.all("//ins")[0].text) == ("不", "了")
    assert reader.get("/replies/999").status == 404


def test_words_are_erased_with_a_reason_and_it_is_said_where_they_still_stand(
    staffed: Office, enter: Enter, posted: int
) -> None:
    url = "https://weibo.example/1"
    said = {"post_id": posted, "url": url, "salt": "s", "remote_id": "r1"}
    made = scene.reply(staffed, "我叫张三丰", **said)
    assert not enter("zhou").get(f"/replies/{made}").all("//form[contains(@action, 'erase')]")
    assert enter("zhou").post(f"/replies/{made}/erase", reason="申请").status == 403
    reader = enter("he")
    assert "请写明抹除的依据" in reader.post(f"/replies/{made}/erase", reason=" ").words()
    page = reader.post(f"/replies/{made}/erase", reason="当事人申请")
    assert f"原文还在平台上，请到那里处理： {url}" in page.words()
    assert "内容已抹除" in page.words("//article")
    assert "张三丰" not in page.text
    assert not page.all("//form[contains(@action, 'erase')]")


def test_counts_over_time_are_drawn_and_stand_as_a_table(
    staffed: Office, enter: Enter, posted: int
) -> None:
    with staffed.db.write() as conn:
        delivery = conn.execute(select(db.deliveries.c.id)).scalar_one()
        for hours, likes in ((5, 3), (1, 12)):
            at = builders.NOW - timedelta(hours=hours)
            row = {"delivery_id": delivery, "at": at, "likes": likes, "replies": hours}
            conn.execute(insert(db.counts).values(**row))
    page = enter("zhou").get(f"/replies?post={posted}")
    assert page.all("//*[name()='polyline'][@class='likes']/@points") == ["0.0,67.5 300.0,0.0"]
    rows = page.all("//details//tbody/tr")
    assert [[td.text_content() for td in row][1:] for row in rows] == [
        ["12", "—", "1"],
        ["3", "—", "5"],
    ]


def test_coverage_says_how_many_of_the_platforms_and_why_not_all(
    staffed: Office, enter: Enter, posted: int
) -> None:
    with staffed.db.write() as conn:
        delivery = conn.execute(select(db.deliveries.c.id)).scalar_one()
        row = {"account_id": 1, "delivery_id": delivery, "state": "open", "total": 7}
        times = {"opened_at": builders.NOW, "ok_at": builders.NOW - timedelta(minutes=2)}
        conn.execute(insert(db.watches).values(**row, **times))
    scene.reply(staffed, "一条", post_id=posted, delivery_id=delivery)
    shown = enter("zhou").get(f"/replies?post={posted}").words("//div[@class='coverage']")
    assert "采到 1，平台计 7" in shown
    assert "还没有完整采集过一遍" in shown
    assert "2 分前" in shown


def test_an_answer_is_a_draft_that_is_signed_like_any_other(
    staffed: Office, enter: Enter, posted: int
) -> None:
    folder = staffed.config.place(staffed.config.templates)
    folder.mkdir()
    (folder / "response.txt").write_text("{{ text }}", "utf-8")
    made = scene.reply(staffed, "几点来水", post_id=posted)
    reader = enter("zhou")
    assert reader.post(f"/replies/{made}/answer", text=" ").status == 422
    page = reader.post(f"/replies/{made}/answer", text="明早 6 时。")
    assert page.place == f"/posts/{posted + 1}/edit?done=saved"
    with staffed.db.read() as conn:
        row = conn.execute(select(db.posts).where(db.posts.c.id == posted + 1)).mappings().one()
    assert (row["kind"], row["state"], row["answers_id"]) == ("response", "draft", made)
    assert "看答复稿" in reader.get("/replies").words("//article")


def test_the_log_leaves_as_a_file_with_the_same_filters_and_is_on_record(
    staffed: Office, enter: Enter, posted: int
) -> None:
    scene.reply(staffed, "望江桥", post_id=posted)
    scene.reply(staffed, "=1+1", post_id=posted)
    reader = enter("zhou")
    link = reader.get("/replies?q=望江桥").all("//a[contains(@href, 'export.csv')]/@href")[0]
    answer = reader.get(link).answer
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].endswith('-0900.csv"')
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert ("望江桥" in answer.text, "1+1" in answer.text) == (True, False)
    sheet = openpyxl.load_workbook(io.BytesIO(reader.get("/replies/export.xlsx").answer.content))
    cells = [str(cell.value) for row in sheet.active.iter_rows() for cell in row]  # type: ignore[union-attr]
    assert "'=1+1" in cells
    assert scene.trail(staffed)[-2:] == ["reply.export", "reply.export"]


def test_new_replies_wait_behind_a_link_and_the_list_stays(
    staffed: Office, enter: Enter, posted: int
) -> None:
    scene.reply(staffed, "望江桥", post_id=posted)
    reader = enter("zhou")
    page = reader.get("/replies?q=望江")
    asked = page.all("//*[contains(@hx-get, '/replies/news')]/@hx-get")[0]
    assert reader.get(asked).status == 204
    scene.reply(staffed, "望江路", post_id=posted)
    scene.reply(staffed, "公交", post_id=posted)
    link = scene.Page(reader.get(asked).answer)
    assert link.words("//a") == "有 1 条新的，显示"
    assert len(reader.get(link.all("//a/@href")[0]).all("//article")) == 2


# ---------------------------------------------------------------- from elsewhere

TABLE = "工单编号,来电时间,诉求内容,联系电话,处理科室\n{rows}"
ROWS = "1,2026-11-20 09:00,路灯不亮,13800138000,路灯所\n2,2026-11-21 10:00,井盖松动,,养护科\n"


def upload(reader: scene.Reader, rows: str, account: str = "hand") -> scene.Page:
    file = {"file": ("12345 十一月.csv", TABLE.format(rows=rows).encode("gb18030"))}
    return reader.post("/replies/import", files=file, account=account)


def test_a_table_is_looked_at_its_columns_changed_and_then_taken_in(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("he")
    page = upload(reader, ROWS)
    guessed = {
        select.get("name"): [o.text for o in select if o.get("selected") is not None]
        for select in page.all("//select")
    }
    assert guessed["column-text"] == ["诉求内容"]
    assert guessed["column-id"] == ["工单编号"]
    assert guessed["column-author"] == []
    assert "12345 十一月.csv，2 条" in page.words()
    chosen = {"column-text": "诉求内容", "column-at": "来电时间", "column-title": "处理科室"}
    page = reader.post(page.place, **chosen)
    assert "读到 2 条，新增 2 条" in page.words()
    shown = reader.get("/replies?q=路灯").words("//article")
    assert "路灯所 路灯不亮" in shown
    assert "13800138000" not in reader.get("/replies").text
    assert not list((staffed.config.place(staffed.config.data) / "uploads").iterdir())


def test_a_table_with_a_mistake_is_taken_in_not_at_all_and_may_be_mended(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("he")
    page = upload(reader, ROWS + "3,去年,停电,,\n")
    place = page.place
    chosen = {"column-text": "诉求内容", "column-at": "来电时间"}
    page = reader.post(place, **chosen)
    assert page.status == 422
    assert "第 4 行“来电时间”不是时间：去年" in page.words()
    assert "请选定哪一列是“时间”" in reader.post(place, **{"column-text": "诉求内容"}).words()
    assert not reader.get("/replies").all("//article")
    assert enter("gu").get(place).status == 404, "somebody else's file"
    reader.post(place, act="drop")
    assert reader.get(place).status == 404
    assert upload(reader, ROWS, "board").status == 422


def test_one_message_is_typed_in_and_a_slip_loses_nothing(staffed: Office, enter: Enter) -> None:
    reader = enter("he")
    page = reader.post("/replies/enter", account="hand", text="井盖松动", at="2027-01-01T09:00")
    assert (page.status, "井盖松动" in page.text) == (422, True)
    page = reader.post("/replies/enter", account="hand", text="井盖松动", author="陈女士")
    assert "已登记" in page.words()
    assert "井盖松动" in page.words("//article")
    assert enter("xu").get("/replies/import").status == 403


# ---------------------------------------------------------------- the board


def waiting(office: Office, text: str, hourly: int = 10) -> int:
    """A visitor's reply under a post of the board, not yet shown."""
    with office.db.write() as conn:
        store.ensure_board(conn, builders.NOW)
        row, _ = store.publish(conn, builders.NOW, f"key-{text}", Content(text="公交绕行公告"))
        draft = store.Draft("路人", text, "", "once", "127.0.0.1")
        made, _ = store.add_reply(conn, builders.NOW, row, draft, moderated=True, hourly=hourly)
        return int(made["id"])


def board_state(office: Office, reply: int) -> str:
    return scene.state_of(office, db.board_replies, reply)


def test_what_waits_on_the_board_is_paged(staffed: Office, enter: Enter) -> None:
    for n in range(53):
        waiting(staffed, f"第{n}条", hourly=99)
    reader = enter("he")
    first = reader.get("/replies/board")
    assert "第 1 至 50 条，共 53 条" in first.words()
    (more,) = first.all("//a[@rel='next']/@href")
    assert (
        len(reader.get("/replies/board" + more.removeprefix("/replies/board")).all("//article"))
        == 3
    )


def test_a_reply_waits_until_a_responder_lets_it_be_seen(staffed: Office, enter: Enter) -> None:
    one, two = waiting(staffed, "北口没有标志"), waiting(staffed, "骂人的话")
    reader = enter("he")
    assert "公开栏待审 2" in reader.get("/replies").words()
    page = reader.get("/replies/board")
    assert "北口没有标志" in page.words("//article[1]")
    reader.post(f"/replies/board/{one}", act="show")
    page = reader.post(f"/replies/board/{two}", act="hide")
    assert [board_state(staffed, r) for r in (one, two)] == ["shown", "hidden"]
    assert "没有待审的留言" in page.words()
    assert scene.trail(staffed)[-2:] == ["board.show", "board.hide"]


def test_an_edit_is_shown_as_a_difference_and_may_be_left_out(
    staffed: Office, enter: Enter
) -> None:
    one = waiting(staffed, "原话")
    with staffed.db.write() as conn:
        values = {"state": "shown", "pending": "改话"}
        mine = db.board_replies.c.id == one
        conn.execute(db.board_replies.update().where(mine).values(**values))
    reader = enter("he")
    page = reader.get("/replies/board")
    assert (page.all("//del")[0].text, page.all("//ins")[0].text) == ("原", "改")
    reader.post(f"/replies/board/{one}", act="keep")
    with staffed.db.read() as conn:
        row = conn.execute(select(db.board_replies)).mappings().one()
    assert (row["text"], row["pending"], row["state"]) == ("原话", None, "shown")


def test_only_a_responder_moderates(staffed: Office, enter: Enter) -> None:
    one = waiting(staffed, "北口没有标志")
    for login in ("zhou", "lin", "xu"):
        reader = enter(login)
        assert not reader.get("/replies/board").all("//main//form")
        assert reader.post(f"/replies/board/{one}", act="show").status == 403
    assert board_state(staffed, one) == "waiting"
    assert enter("he").post(f"/replies/board/{one}", act="burn").status == 422
