"""设置, 模板, 审查规则, 词表: what is shown, tried and changed at the console."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot import review
from bot.office import Office
from bot.web.settings import DOCS
from tests import builders, offices
from tests.web import scene
from tests.web.conftest import Enter

MORE = """
[screening]
severities = { mobile = "block", plate = "off" }
lists = ["words.txt"]
leaders = "leaders.txt"
[sources.catalogue]
unit = "county"
url = "feed.xml"
template = "policy"
accounts = ["hand"]
[[sources.catalogue.rules]]
columns = ["行政处罚"]
template = "penalty"
trust = false
""" + offices.HAND.format(key="hand")
PLACE = "/settings/templates/policy"


@pytest.fixture
def office(office: Office, tmp_path: Path) -> Office:
    """With a source whose template is `policy`, one entry of it, words and leaders."""
    (tmp_path / "words.txt").write_text("云澜老县\tblock\t云澜县\n", "utf-8")
    (tmp_path / "leaders.txt").write_text("张三\t县委书记\n", "utf-8")
    made = offices.declared(office, MORE)
    scene.item(made, "关于供暖的通知")
    return made


def file_of(office: Office, key: str = "policy") -> Path:
    return office.config.place("templates") / f"{key}.txt"


def read(page: scene.Page, name: str = "digest") -> str:
    return str(page.all(f"//input[@name='{name}']/@value")[0])


def area(page: scene.Page) -> str:
    """What stands in the text field; a browser drops the line end after its mark."""
    return str(page.all("//textarea[@id='text']")[0].text_content().removeprefix("\n"))


# ---------------------------------------------------------------- templates


def test_the_list_says_who_uses_a_template_and_what_is_wrong_with_it(
    office: Office, enter: Enter
) -> None:
    file_of(office, "broken").write_text("一\n{{ titel }}\n", "utf-8")
    file_of(office, "torn").write_text("{% if %}\n", "utf-8")
    page = enter("zhou").get("/settings/templates")
    rows = {r.xpath(".//a/@href")[0].rpartition("/")[2]: r for r in page.all("//tr[@data-row]")}
    said = {key: " ".join(row.text_content().split()) for key, row in rows.items()}
    assert "来源 catalogue" in said["policy"]
    assert "来源 catalogue 行政处罚" in said["penalty"]
    assert "broken.txt 第 2 行：没有字段 titel，是不是 title" in said["broken"]
    assert "torn.txt 第 1 行" in said["torn"]
    assert "长文、微博体" in said["policy"]
    assert not page.all("//form[@action='/settings/templates']"), "an editor makes none"


def test_what_is_typed_is_shown_as_it_would_be_sent_and_nothing_is_kept(
    office: Office, enter: Enter
) -> None:
    before = file_of(office).read_text("utf-8")
    reader = enter("gu")
    form = {"act": "preview", "digest": "x", "item": "1", "keys": "hand"}
    page = reader.post(PLACE, text="【试】{{ title }}，拨 13800138000", **form)
    shown = page.words("//section[@id='preview']")
    assert "【试】关于供暖的通知" in shown
    assert "阻止" in shown
    assert " / 140" in shown
    page = reader.post(PLACE, text="一\n{{ titel }}", **form)
    wrong = page.words("//section[@id='preview']")
    assert (page.status, "第 2 行：没有字段 titel" in wrong) == (200, True)
    assert "{{ titel }}" in page.words("//section[@id='preview']//pre")
    page = reader.post(PLACE, text="字" * 150 + "{{ title }}", **form)
    assert page.all("//section[@id='preview']//*[contains(@class, 'meter')]")
    assert file_of(office).read_text("utf-8") == before


def test_before_it_is_saved_the_page_says_which_sign_offs_end_with_it(
    office: Office, enter: Enter
) -> None:
    with office.db.write() as conn:
        now, lin = office.db.now(conn), builders.actor(conn, "lin")
        ends = now + timedelta(30)
        review.grant_standing(office, conn, now, lin, "catalogue", ends=ends, daily_max=5)
    reader = enter("gu")
    page = reader.get(PLACE)
    assert "1 份常设签发不再适用" in page.words("//*[@id='voids']")
    assert "第 1 号：来源 catalogue，林岚签" in page.words("//*[@id='voids']")
    assert not enter("zhou").get(PLACE).all("//*[@id='voids']")


def test_a_saved_template_is_on_record_and_its_earlier_text_comes_back(
    office: Office, enter: Enter
) -> None:
    before, reader = file_of(office).read_text("utf-8"), enter("gu")
    text = "【{{ column }}】{{ title }}\r\n{{ link }}"
    page = reader.post(PLACE, act="save", digest=read(reader.get(PLACE)), text=text)
    assert "已保存" in page.words("//*[@role='status']")
    assert file_of(office).read_text("utf-8") == "【{{ column }}】{{ title }}\n{{ link }}\n"
    old = page.all("//a[contains(@href, 'version=')]/@href")[1]
    page = reader.get(old)
    assert "旧版" in page.words()
    assert area(page) == before
    reader.post(PLACE, act="save", digest=read(page), text=area(page))
    assert file_of(office).read_text("utf-8") == before
    assert scene.trail(office)[-2:] == ["template.save", "template.save"]
    links = reader.get("/trail").all("//td//a[starts-with(@href, '/settings')]/@href")
    assert links[:2] == ["/settings/templates/policy"] * 2


def test_a_mistake_keeps_what_was_typed_and_names_its_place(office: Office, enter: Enter) -> None:
    reader = enter("gu")
    page = reader.post(PLACE, act="save", digest=read(reader.get(PLACE)), text="甲\n{{ titel }}")
    assert page.status == 409
    assert "policy.txt 第 2 行：没有字段 titel" in page.words("//*[@role='alert']")
    assert area(page) == "甲\n{{ titel }}"


def test_who_saves_later_sees_both_texts(office: Office, enter: Enter) -> None:
    reader = enter("gu")
    digest = read(reader.get(PLACE))
    reader.post(PLACE, act="save", digest=digest, text="先存的 {{ title }}")
    page = reader.post(PLACE, act="save", digest=digest, text="后存的 {{ title }}")
    assert (page.status, "刚被别人改过" in page.words("//*[@role='alert']")) == (409, True)
    assert area(page) == "后存的 {{ title }}"
    assert "先存的" in page.words("//main//pre")
    assert "先存的" in file_of(office).read_text("utf-8")
    reader.post(PLACE, act="save", digest=read(page), text="后存的 {{ title }}")
    assert "后存的" in file_of(office).read_text("utf-8")


def test_a_new_one_begins_as_a_copy(office: Office, enter: Enter) -> None:
    reader = enter("gu")
    page = reader.get("/settings/templates?key=policy-short&from=policy")
    assert page.place == "/settings/templates/policy-short?from=policy"
    assert "还没有存" in page.words()
    text = area(page)
    page = reader.post("/settings/templates/policy-short", act="save", digest="", text=text)
    assert file_of(office, "policy-short").exists()
    assert reader.get("/settings/templates?key=../x&from=policy").status == 422
    assert reader.get("/settings/templates/nowhere").status == 404
    assert enter("zhou").get("/settings/templates/mine?from=policy").status == 403


def test_a_reader_tries_a_template_and_changes_nothing(office: Office, enter: Enter) -> None:
    words = file_of(office).read_text("utf-8").rstrip("\n")
    file_of(office).write_bytes(("\ufeff" + words.replace("\n", "\r\n")).encode())
    reader = enter("zhou")
    page = reader.get(PLACE)
    assert "由最上级单位的管理员修改" in page.words()
    assert page.all("//textarea/@readonly")
    assert not page.all("//button[@value='save']")
    assert "关于供暖的通知" in page.words("//section[@id='preview']")
    text = file_of(office).read_text("utf-8")
    for act, typed, status in (("preview", text, 200), ("preview", "{{ title }}", 403)):
        assert reader.post(PLACE, act=act, text=typed, keys="hand").status == status
    assert reader.post(PLACE, act="save", text=text, digest=read(page)).status == 403


# ---------------------------------------------------------------- rules and words


def test_every_rule_stands_as_it_is_set_and_leads_to_its_description(
    office: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    page = reader.get("/settings/rules")
    assert "阻止config.toml 第" in page.words("//tr[@id='rule-mobile']")
    assert "不查" in page.words("//tr[@id='rule-plate']")
    place = page.all("//tr[@id='rule-mobile']//a/@href")[0]
    assert place == "/settings/docs/screening#mobile"
    assert reader.get(place).all("//*[@id='mobile']")
    rows = page.words("//section[@id='columns']")
    assert "[[sources.catalogue.rules]]" in rows
    assert "须逐篇审签" in rows


def test_a_text_is_tried_against_rules_and_words_and_marked(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    page = reader.post("/settings/rules", text="云澜老县定于<b>2月30日</b>开会。")
    marks = [mark.text for mark in page.all("//div[@id='tried']//mark")]
    assert marks == ["云澜老县", "2月30日"]
    assert "建议：云澜县" in page.words("//div[@id='tried']")
    assert "&lt;b&gt;" in page.text


def test_a_word_is_added_changed_and_taken_out_at_the_console(office: Office, enter: Enter) -> None:
    reader, place = enter("gu"), "/settings/words"
    digest = read(reader.get(place))
    form = {"list": "words.txt", "digest": digest, "line": "0", "severity": "note"}
    page = reader.post(place, act="put", words="临时工", suggestion="编外人员", **form)
    assert "下一次审查即用" in page.words()
    assert "提示" in page.words("//tr[@id='line-2']")
    tried = reader.post("/settings/rules", text="招临时工")
    assert "建议：编外人员" in tried.words("//div[@id='tried']")
    page = reader.post(place, act="put", words="街道老名", **form)
    assert (page.status, "刚被别人改过" in page.words("//*[@role='alert']")) == (409, True)
    assert page.all("//input[@id='words']/@value") == ["街道老名"]
    form["digest"] = read(page)
    page = reader.post(place, act="import", pasted="甲\t阻止\n乙\n", **form)
    assert "已导入 2 个词语" in page.words()
    page = reader.post(place, act="drop", **{**form, "digest": read(page), "line": "2"})
    assert "临时工" not in page.words("//table")
    assert reader.get(f"{place}?q=云澜县").all("//tr[@data-row]/@id")[0] == "line-1"
    assert scene.trail(office)[-3:] == ["words.save"] * 3


def test_leaders_are_put_in_order_and_a_mistake_names_its_line(
    office: Office, enter: Enter
) -> None:
    reader, place = enter("gu"), "/settings/words"
    page = reader.get(place)
    digest = page.all("//section[@id='leaders']//input[@name='digest']/@value")[0]
    page = reader.post(place, act="leaders", digest=digest, text="李四\t县长\n李四")
    assert "第 2 行：李四 写了两次" in page.words("//*[@role='alert']")
    reader.post(place, act="leaders", digest=digest, text="李四\t县长\n张三\t县委书记")
    assert office.config.place("leaders.txt").read_text("utf-8") == "李四\t县长\n张三\t县委书记\n"


# ---------------------------------------------------------------- settings


def test_settings_say_how_it_stands_and_the_file_is_for_administrators(
    office: Office, enter: Enter
) -> None:
    page = enter("zhou").get("/settings")
    assert "还没有备份过" in page.words()
    assert not page.all("//section[@id='config']")
    page = enter("gu").get("/settings")
    table = page.words("//details[@id='t-screening']")
    assert re.search(r"severities.*第 \d+ 行", table)
    assert page.all("//details[@id='t-sources.catalogue']")
    assert [a for a in page.all("//main//a/@href") if a == "/settings/templates"]


def test_the_documents_are_at_hand_and_lead_to_each_other(enter: Enter) -> None:
    reader = enter("zhou")
    for name in DOCS:
        page = reader.get(f"/settings/docs/{name}")
        assert page.status == 200
        for place in set(page.all("//main//div[@lang='en']//a/@href")):
            there, _, part = place.partition("#")
            other = reader.get(there) if there else page
            assert other.all(f"//*[@id='{part}']") or not part, (name, place)
    page = reader.get("/settings/docs/operating")
    assert "`" not in page.words("//main//table")
    assert "|---" not in page.words()
    assert page.all("//main//td/code[text()='language']")
    assert reader.get("/settings/docs/nothing").status == 404
