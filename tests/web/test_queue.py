"""队列: why each has not gone, and what a person decides about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import db
from bot.deliver import holds
from bot.language import Say
from bot.model import DeliveryState, HoldScope
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter

S = DeliveryState


def test_each_row_says_its_state_why_and_what_next(staffed: Office, enter: Enter) -> None:
    scene.worker(staffed)
    later = builders.NOW + timedelta(hours=5)
    scene.signed(staffed, title="医保缴费", go_at=later)
    page = enter("zhou").get("/queue")
    row = page.words("//tr[@data-row]")
    for said in ("医保缴费", "公开栏", "待发", "等到计划时间", "14:00", "最迟 16:00"):
        assert said in row


def test_without_a_worker_the_row_says_so(staffed: Office, enter: Enter) -> None:
    scene.signed(staffed)
    assert "没有运行中的工作进程" in enter("zhou").get("/queue").words("//tr[@data-row]")


def test_what_needs_a_person_stands_first_and_every_pill_counts_its_rows(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed, title="待发的", go_at=builders.NOW + timedelta(hours=1))
    scene.unclear(staffed, scene.signed(staffed, title="不明的"))
    failed = scene.signed(staffed, title="失败的")
    said = Say("平台拒绝：{raw}", raw="内容重复").json()
    scene.delivery(staffed, failed, state=S.FAILED, due_at=None, reason=said)
    reader = enter("zhou")
    page = reader.get("/queue")
    groups = [" ".join(g.text_content().split()) for g in page.all("//tr[@class='group']")]
    assert groups == ["需要人定 · 2", "接下来 · 1"]
    for pill in page.all("//a[@class='pill']"):
        count = int(pill.xpath("./b")[0].text_content())
        rows = reader.get(f"{pill.get('href')}").all("//tr[@data-row]")
        assert len(rows) == count, pill.text_content()


def test_an_uncertain_one_is_violet_never_a_plain_retry(staffed: Office, enter: Enter) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    page = enter("zhou").get(f"/queue?open={one}")
    assert page.all(f"//tr[@id='d{one}']//span[contains(@class, 'chip unknown')]")
    row = page.all(f"//tr[@id='d{one}']")[0].text_content()
    assert "不会自动重发" in row
    assert "重试" not in row
    opened = page.words("//tr[@class='opened']")
    for said in ("ReadTimeout", "确已发出", "确未发出", "不再发布", "望江路明日停水"):
        assert said in opened


def test_sent_needs_a_link_and_then_stands(staffed: Office, enter: Enter) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    reader = enter("zhou")
    page = reader.post(f"/queue/{one}", act="sent", link=" ")
    assert (page.status, "这条内容的地址" in page.text) == (422, True)
    page = reader.post(f"/queue/{one}", act="sent", link="not an address")
    assert (page.status, scene.state_of(staffed, db.deliveries, one)) == (422, "uncertain")
    page = reader.post(f"/queue/{one}", act="sent", link="https://example.cn/p/123")
    assert "已记录：确已发出" in page.words()
    assert page.all("//a[@href='https://example.cn/p/123']")
    assert scene.state_of(staffed, db.deliveries, one) == "sent"
    assert scene.trail(staffed)[-1] == "delivery.confirm"


def test_a_proof_that_is_none_comes_back_with_its_form_and_the_reason_beside_the_field(
    staffed: Office, enter: Enter
) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    page = enter("zhou").post(f"/queue/{one}", act="sent", link="微博第三条", at="2026-11-25T09:00")
    assert page.status == 422
    (link,) = page.all("//input[@name='link']")
    assert (link.get("value"), link.get("aria-invalid")) == ("微博第三条", "true")
    assert "完整网址" in page.words(f"//*[@id='{link.get('aria-describedby')}']")
    assert page.all(f"//*[@role='alert']//a[@href='#{link.get('id')}']")
    assert page.all("//input[@name='at']/@value") == ["2026-11-25T09:00"]
    assert page.all("//input[@type='radio'][@checked]/@value") == ["sent"]
    none = enter("zhou").post(f"/queue/{one}", link="https://example.cn/p/1")
    assert (none.status, "请选一个结论" in none.words("//form")) == (422, True)
    assert none.all("//input[@name='link']/@value") == ["https://example.cn/p/1"]


def test_what_was_typed_for_one_that_went_on_meanwhile_is_still_told(
    staffed: Office, enter: Enter
) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    scene.delivery(staffed, 1, state=S.SENT, due_at=None)
    page = enter("zhou").post(f"/queue/{one}", act="sent", link="https://example.cn/p/1")
    assert page.status == 409
    assert "https://example.cn/p/1" in page.words()


def test_acts_on_many_keep_the_choice_when_a_time_is_missing(staffed: Office, enter: Enter) -> None:
    one = scene.delivery(staffed, scene.signed(staffed), state=S.MISSED, due_at=None)
    page = enter("zhou").post("/queue", act="move", ids=[one])
    assert (page.status, "请填写改到什么时间" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//input[@name='ids'][@checked]/@value") == [str(one)]


def test_not_sent_goes_again_at_the_time_said_in_the_offices_zone(
    staffed: Office, enter: Enter
) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    reader = enter("zhou")
    page = reader.post(f"/queue/{one}", act="absent", at="2026-11-24T10:30")
    assert "确未发出" in page.words()
    with staffed.db.read() as conn:
        row = conn.execute(select(db.deliveries).where(db.deliveries.c.id == one)).mappings().one()
    assert (row["state"], row["go_at"]) == ("ready", builders.NOW + timedelta(minutes=90))


def test_a_time_outside_what_was_signed_is_refused(staffed: Office, enter: Enter) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    page = enter("zhou").post(f"/queue/{one}", act="absent", at="2026-11-25T10:30")
    assert (page.status, "须重新审签" in page.text) == (409, True)
    page = enter("zhou").post(f"/queue/{one}", act="absent", at="明天")
    assert (page.status, "看不懂时间" in page.text) == (422, True)


def test_dropped_looked_up_cancelled_and_retried(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    one = scene.unclear(staffed, scene.signed(staffed))
    reader.post(f"/queue/{one}", act="look")
    assert scene.state_of(staffed, db.deliveries, one) == "uncertain"
    reader.post(f"/queue/{one}", act="drop")
    assert scene.state_of(staffed, db.deliveries, one) == "cancelled"
    two = scene.delivery(staffed, scene.signed(staffed), state=S.MISSED, due_at=None)
    reader.post(f"/queue/{two}", act="retry")
    assert scene.state_of(staffed, db.deliveries, two) == "ready"
    reader.post(f"/queue/{two}", act="cancel")
    assert scene.state_of(staffed, db.deliveries, two) == "cancelled"
    verbs = ["delivery.look", "delivery.drop", "delivery.retry", "delivery.cancel"]
    assert [verb for verb in scene.trail(staffed) if verb in verbs] == verbs


def test_a_decision_on_a_row_that_moved_on_is_refused(staffed: Office, enter: Enter) -> None:
    one = scene.delivery(staffed, scene.signed(staffed), state=S.SENT)
    page = enter("zhou").post(f"/queue/{one}", act="cancel")
    assert (page.status, "请刷新后再办" in page.text) == (409, True)
    assert enter("zhou").post(f"/queue/{one}", act="explode").status == 422


def test_a_task_by_hand_shows_what_to_publish_and_takes_the_receipt(
    staffed: Office, enter: Enter
) -> None:
    post = scene.signed(staffed, keys=("hand",), text="【停水】望江路明日停水。")
    said = Say("请在平台上人工发布，再登记链接").json()
    one = scene.delivery(staffed, post, state=S.SENDING, lease=None, reason=said)
    scene.attempt(staffed, one)
    reader = enter("zhou")
    assert "待人工发布" in reader.get("/queue?state=person").words("//tr[@data-row]")
    page = reader.get(f"/queue/{one}")
    assert "【停水】望江路明日停水。" in page.words("//*[contains(@class, 'text')]")
    assert "复制链接，回到任务页登记" in page.text
    page = reader.post(f"/queue/{one}", act="sent", link="https://weibo.example/1/abc")
    assert scene.state_of(staffed, db.deliveries, one) == "sent"


def test_only_who_handles_the_queue_sees_its_buttons_or_may_press_them(
    staffed: Office, enter: Enter
) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    reader = enter("xu")
    page = reader.get(f"/queue/{one}")
    assert not page.all("//main//form")
    page = reader.post(f"/queue/{one}", act="drop")
    assert (page.status, "由编辑、签发人、管理员办理" in page.text) == (403, True)
    assert scene.state_of(staffed, db.deliveries, one) == "uncertain"


def test_acts_on_many_stand_only_where_a_row_may_be_chosen(staffed: Office, enter: Enter) -> None:
    """Of an uncertain one a person decides alone; a supervisor chooses nothing at all."""
    scene.unclear(staffed, scene.signed(staffed))
    assert not enter("zhou").get("/queue").all("//form[@id='bulk']")
    scene.signed(staffed, title="另一篇")
    assert enter("zhou").get("/queue").all("//form[@id='bulk']//button[@value='cancel']")
    assert not enter("xu").get("/queue").all("//form[@id='bulk']")


def test_no_conclusion_is_chosen_before_the_person_chooses(staffed: Office, enter: Enter) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    page = enter("zhou").get(f"/queue/{one}")
    assert page.all("//input[@name='act' and @value='sent' and @required]")
    assert not page.all("//input[@name='act' and @checked]")


def test_many_are_cancelled_at_once_and_each_refusal_is_named(
    staffed: Office, enter: Enter
) -> None:
    good = scene.delivery(staffed, scene.signed(staffed, title="可取消"))
    gone = scene.delivery(staffed, scene.signed(staffed, title="已发出"), state=S.SENT)
    reader = enter("zhou")
    page = reader.post("/queue", act="cancel", ids=[str(good), str(gone)])
    assert scene.state_of(staffed, db.deliveries, good) == "cancelled"
    assert scene.state_of(staffed, db.deliveries, gone) == "sent"
    assert f"投递 {gone}" in page.words("//div[@role='alert']")
    assert reader.post("/queue", act="cancel").status == 422


def test_held_ones_are_red_and_wait_for_a_decision_after_the_lifting(
    staffed: Office, enter: Enter
) -> None:
    one = scene.delivery(staffed, scene.signed(staffed))
    with staffed.db.write() as conn:
        lin = builders.actor(conn, "lin")
        held = holds.hold(conn, staffed.db.now(conn), lin, HoldScope.ALL, None, "核实")
    reader = enter("lin")
    assert "已停发" in reader.get("/queue?state=held").words(f"//tr[@id='d{one}']")
    page = reader.post(f"/stop/{held}/lift")
    assert page.place.startswith(f"/queue?hold={held}")
    assert "待复核" in page.words(f"//tr[@id='d{one}']")
    reader.post(f"/queue/{one}", act="retry")
    assert "待发" in reader.get("/queue").words(f"//tr[@id='d{one}']")


@pytest.mark.parametrize("rows", [51])
def test_fifty_rows_a_page_and_the_address_keeps_the_filter(
    staffed: Office, enter: Enter, rows: int
) -> None:
    for n in range(rows):
        scene.signed(staffed, title=f"第 {n} 篇")
    reader = enter("zhou")
    page = reader.get("/queue?state=ready")
    assert len(page.all("//tr[@data-row]")) == 50
    assert "第 1 至 50 条，共 51 条" in page.words("//nav[@class='pager']")
    following = page.all("//a[@rel='next']/@href")[0]
    page = reader.get(f"/queue{following}")
    assert (len(page.all("//tr[@data-row]")), "state=ready" in following) == (1, True)
    account = page.all("//select[@id='account']/option[2]/@value")[0]
    page = reader.get(f"/queue?account={account}&page=2")
    assert "共 51 条" in page.words("//nav[@class='pager']")


def test_what_changed_meanwhile_is_told_and_the_list_stays(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    one = scene.delivery(staffed, scene.signed(staffed))
    reader = enter("zhou")
    page = reader.get("/queue?state=ready")
    asked = page.all("//*[contains(@hx-get, '/queue/news')]/@hx-get")[0]
    clock.move(5)
    assert reader.get(asked).status == 204
    reader.post(f"/queue/{one}", act="cancel")
    told = reader.get(asked)
    assert told.words("//a") == "有 1 条新的，显示"
    assert told.all("//a/@href") == ["/queue?state=ready"]
    for odd in ("", "x", "9" * 18, "9" * 30):
        assert reader.get(f"/queue/news?seen={odd}").status in (200, 204)
