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
    first, second = (reader.get(f"/replies?q=望江&page={n}").all("//article") for n in (1, 2))
    assert (len(first), len(second)) == (50, 3)
    assert "第2盏" in reader.get("/replies?q=望江&page=2").words("//article[1]")


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
    assert "稿件：公交绕行" in page.words("//form[@role='search']")
    assert len(reader.get("/replies?account=1").all("//article")) == 3
    assert len(reader.get("/replies?account=2").all("//article")) == 0


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
    assert "1 / 7" in shown
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


# ---------------------------------------------------------------- the board


def waiting(office: Office, text: str) -> int:
    """A visitor's reply under a post of the board, not yet shown."""
    with office.db.write() as conn:
        store.ensure_board(conn, builders.NOW)
        row, _ = store.publish(conn, builders.NOW, f"key-{text}", Content(text="公交绕行公告"))
        draft = store.Draft("路人", text, "", "once", "127.0.0.1")
        made, _ = store.add_reply(conn, builders.NOW, row, draft, moderated=True, hourly=10)
        return int(made["id"])


def board_state(office: Office, reply: int) -> str:
    return scene.state_of(office, db.board_replies, reply)


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
