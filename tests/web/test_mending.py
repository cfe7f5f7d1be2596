"""A finding is mended with one press, or let stand with a reason those who sign can read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from bot import db
from bot.office import Office
from bot.web import mending
from tests import offices
from tests.test_cards import needs_font
from tests.web import scene
from tests.web.conftest import Enter

FORM: dict[str, Any] = {"title": "通知", "keys": ["board"], "act": "preview"}
WORDS = '[screening]\nlists = ["words.txt"]\n'
TEXT = "😀云澜老县通知：11月25日（星期四）、11月26日（星期五）停水。云澜老县国土资源部提示。"


@pytest.fixture
def office(office: Office, tmp_path: Any) -> Office:
    (tmp_path / "words.txt").write_text("云澜老县\tblock\t云澜县\n", "utf-8")
    return offices.declared(office, WORDS)


def text(page: scene.Page, field: str = "text") -> str:
    return str(page.all(f"//textarea[@name='{field}']")[0].text or "")


def buttons(page: scene.Page, says: str) -> list[str]:
    return [str(v) for v in page.all(f"//button[contains(., '{says}')]/@value")]


def test_a_button_puts_the_suggestion_in_the_place_of_the_words(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    page = reader.post("/posts/new", **FORM, text=TEXT)
    second = buttons(page, "改为“云澜县”")[1]
    page = reader.post("/posts/new", **{**FORM, "act": second}, text=TEXT)
    assert text(page) == TEXT.replace("停水。云澜老县", "停水。云澜县")
    assert len(buttons(page, "改为“云澜县”")) == 1


def test_all_of_a_rule_are_taken_at_once_and_others_stay(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    page = reader.post("/posts/new", **FORM, text=TEXT)
    weekdays = buttons(page, "这类 2 处都改")
    assert "mend-all:weekday" in weekdays
    page = reader.post("/posts/new", **{**FORM, "act": "mend-all:weekday"}, text=TEXT)
    assert text(page) == TEXT.replace("星期四", "星期三").replace("星期五", "星期四")


def test_what_is_no_longer_there_is_not_mended_elsewhere(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    button = buttons(reader.post("/posts/new", **FORM, text=TEXT), "改为“云澜县”")[0]
    other = f"改了开头。{TEXT}"
    for act in (button, "mend:0:x", "mend-all:nothing", "mend:"):
        page = reader.post("/posts/new", **{**FORM, "act": act}, text=other)
        assert "已经不在正文里了" in page.words("//*[@role='alert']")
        assert text(page) == other


def test_an_account_s_own_text_is_mended_where_it_stands(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    form = {**FORM, "keys": ["board", "masto"], "variant-masto": "云澜老县短讯", "text": "全文。"}
    page = reader.post("/posts/new", **form)
    page = reader.post("/posts/new", **{**form, "act": buttons(page, "改为“云澜县”")[0]})
    assert (text(page), text(page, "variant-masto")) == ("全文。", "云澜县短讯")


def test_the_same_words_in_a_text_cut_short_are_found_where_they_were_typed() -> None:
    class Account:
        key = "masto"

    finding = {"text": "甲", "nth": 1, "start": 4, "end": 5, "accounts": [Account()]}
    assert mending.placed({"text": "甲乙丁甲丙戊"}, finding) == mending.Place("text", 3, 4)
    assert mending.placed({"text": "没有"}, finding) is None
    assert mending.Place("text", 1, 2).units("😀甲") == (2, 3)


def test_what_several_accounts_and_parts_of_a_thread_show_is_one_place(
    staffed: Office, enter: Enter
) -> None:
    words = "11月25日（星期四）停水，请提前储水，给您带来不便，敬请谅解。" * 20
    form = {**FORM, "keys": ["board", "masto"], "over_limit": "thread", "text": words}
    reader = enter("zhou")
    page = reader.post("/posts/new", **form)
    assert len(page.all("//article")) > 2
    assert len(buttons(page, "改为“星期三”")) == 20
    assert len(buttons(page, "这类 20 处都改")) == 1
    last = buttons(page, "改为“星期三”")[-1]
    page = reader.post("/posts/new", **{**form, "act": last})
    assert text(page) == "星期三".join(words.rsplit("星期四", 1))
    page = reader.post("/posts/new", **{**form, "act": "mend-all:weekday"})
    assert text(page) == words.replace("星期四", "星期三")


@needs_font
def test_what_stands_on_the_card_too_is_told_once(staffed: Office, enter: Enter) -> None:
    words = "云澜老县通知。" + "请提前储水。" * 200
    form = {**FORM, "keys": ["masto"], "over_limit": "shorten", "text": words}
    page = enter("zhou").post("/posts/new", **form, card="1", card_asked="1")
    assert page.all("//a[starts-with(@class, 'card-shown')]")
    said = [each.text_content() for each in page.all("//*[@id='findings']//*[@id]")]
    assert len([each for each in said if "云澜老县" in each]) == 1


@pytest.mark.parametrize(
    ("rule", "suggestion", "found"),
    [
        ("weekday", "星期三", ["星期三"]),
        ("former-organ", "国家铁路局、交通运输部", ["国家铁路局", "交通运输部"]),
        ("organ-name", "科学技术部（简称科技部）", ["科学技术部"]),
        ("leader-order", "县委书记、县长张三", ["县委书记、县长张三"]),
        ("address", "", []),
    ],
)
def test_a_suggestion_is_taken_without_its_note_and_one_of_several(
    rule: str, suggestion: str, found: list[str]
) -> None:
    assert mending.choices(rule, suggestion) == found


def test_a_reason_stays_with_the_version_and_those_who_sign_read_it(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    form = {**FORM, "act": "save", "text": "请拨 13800138000 预约。"}
    because = {"because-mobile:13800138000": "窗口公布的值班电话"}
    reader.post("/posts/new", **form, **because)
    with staffed.db.read() as conn:
        found = conn.execute(select(db.revisions.c.findings)).scalar_one()
    assert [f["because"] for f in found if f["rule"] == "mobile"] == ["窗口公布的值班电话"]
    assert [f["severity"] for f in found if f["rule"] == "mobile"] == ["warn"], "it stays a warning"
    reader.post("/posts/1", act="submit")
    assert "起草人说明：“窗口公布的值班电话”" in enter("lin").get("/review/1").words()
    page = reader.get("/posts/1/edit")
    assert page.all("//input[@name='because-mobile:13800138000']/@value") == ["窗口公布的值班电话"]
    reader.post("/posts/1/edit", **form, version=page.all("//input[@name='version']/@value")[0])
    assert "窗口公布" in reader.get("/posts/1").words(), "what has no field keeps its value"


def test_a_block_is_let_by_no_reason(staffed: Office, enter: Enter) -> None:
    form = {**FORM, "act": "submit", "text": "云澜老县通知。", "because-term:云澜老县": "就要这样"}
    page = enter("zhou").post("/posts/new", **form)
    assert page.status == 409
    assert not page.all("//input[@name='because-term:云澜老县']")
    with staffed.db.read() as conn:
        assert conn.execute(select(db.revisions.c.id)).first() is None
