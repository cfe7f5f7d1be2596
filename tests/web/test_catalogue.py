"""目录: an entry's own page, what a person does with it, what is typed in and handed in."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot import catalog, db
from bot.model import Role
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, url  # noqa: F401
from tests.web import scene
from tests.web.conftest import Enter

UNITS = builders.CONFIG + '\n[units.health]\nname = "云澜县卫生健康局"\nparent = "county"\n'


@pytest.fixture
def office(office: Office) -> Office:
    made = offices.declared(office, "", UNITS)
    scene.accounts(made)
    with made.db.write() as conn:
        builders.person(conn, "wu", "吴敏", Role.CONTRIBUTOR, "health")
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    return made


def typed(reader: scene.Reader, title: str = "义诊通知", **more: str) -> scene.Page:
    said = {"unit": "county", "title": title, "body": "周六上午，县医院。", **more}
    return reader.post("/items/new", **said)


@both
def test_what_is_typed_in_becomes_a_draft_for_the_accounts_chosen(
    office: Office, enter: Enter
) -> None:
    zhou = enter("zhou")
    page = typed(zhou, formed="2026-11-20", document_number="云卫发〔2026〕8号")
    assert "云卫发〔2026〕8号" in page.words("//dl")
    item = page.place.partition("?")[0]
    assert len(page.all("//input[@name='keys' and @checked]")) == 3
    assert "请至少选一个账号" in zhou.post(item, act="compose", chosen="1").text
    made = zhou.post(item, act="compose", chosen="1", template="notice", keys=["board"])
    assert made.place.endswith("/edit")
    with office.db.read() as conn:
        (chosen,) = conn.execute(select(db.posts.c.accounts)).scalars()
    assert len(chosen) == 1
    shown = zhou.get(item)
    assert shown.all("//a[starts-with(@href, '/posts/')]")
    assert not shown.all("//button[@value='compose']")


def test_a_mistake_comes_back_with_what_was_typed(office: Office, enter: Enter) -> None:
    page = typed(enter("zhou"), formed="去年秋天")
    assert (page.status, "读不懂" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//input[@id='title']/@value") == ["义诊通知"]
    assert typed(enter("xu")).status == 403


def test_material_goes_to_another_unit_and_comes_back(office: Office, enter: Enter) -> None:
    wu, zhou = enter("wu"), enter("zhou")
    item = typed(wu, unit="health", to="county").place.partition("?")[0]
    assert "云澜县卫生健康局报送" in zhou.get("/items?state=waiting").words()
    zhou.post(item, act="return", reason="请补上地点")
    assert "请补上地点" in wu.get("/items?from=health").words("//tr[@data-row]")
    assert "义诊通知" in wu.get("/items").words("//tr[@data-row]")
    wu.post(f"{item}/amend", title="义诊通知", body="地点：县医院门诊楼。")
    shown = zhou.get(item)
    assert "门诊楼" in shown.words("//ins")
    assert "县医院" in shown.words("//div[@id='revision-2']")
    wu.post(item, act="call_back")
    assert "已收回" not in zhou.get(item).words()
    assert zhou.post(item, act="bring_back").status == 409
    verbs = [verb for verb in scene.trail(office) if verb.startswith("item.")]
    assert verbs == ["item.submit", "item.return", "item.amend", "item.call_back"]


@both
def test_what_was_skipped_is_brought_back_to_wait(office: Office, enter: Enter) -> None:
    item, zhou = scene.item(office), enter("zhou")
    zhou.post(f"/items/{item}", act="skip")
    assert "由人取回" in zhou.post(f"/items/{item}", act="bring_back").words()
    assert scene.state_of(office, db.items, item) == "new"
    assert zhou.post(f"/items/{item}", act="bring_back").status == 409
    assert enter("xu").post(f"/items/{item}", act="bring_back").status == 403
    verbs = [verb for verb in scene.trail(office) if verb.startswith("item.")]
    assert verbs == ["item.skip", "item.bring_back"]


def test_an_entry_is_shown_to_its_units_only(office: Office, enter: Enter) -> None:
    item = scene.item(office)
    assert enter("wu").get(f"/items/{item}").status == 404
    assert enter("xu").get(f"/items/{item}").status == 200


# ---------------------------------------------------------------- quality


@both
def test_each_figure_of_the_quality_leads_to_that_many_rows(office: Office, enter: Enter) -> None:
    zhou = enter("zhou")
    typed(zhou, formed="2026-10-01", column="通知公告")
    typed(zhou, title="没有日期的")
    catalog.check(office)
    page = zhou.get("/quality")
    assert "截至" in page.words()
    assert "20 个工作日内公开" in page.words()
    for pill in page.all("//section[1]//a[@class='pill']"):
        n = int(pill.xpath("./b")[0].text)
        rows = zhou.get(pill.get("href").partition("#")[0]).all("//tr[@data-row]")
        assert len(rows) == n, pill.get("href")
    overdue = zhou.get("/quality?rule=overdue")
    assert "期限已过" in overdue.words("//tr[@data-row]")
    assert zhou.get("/quality?rule=none").status == 404
    assert not enter("wu").get("/quality").all("//tr[@data-row]")


def test_the_rows_that_are_shown_are_exported(office: Office, enter: Enter) -> None:
    zhou = enter("zhou")
    typed(zhou, title="没有日期的")
    catalog.check(office)
    lines = zhou.get("/quality/export.csv?rule=undated").text.splitlines()
    assert len(lines) == 2
    assert "没有日期的" in lines[1]
    assert zhou.get("/quality/export.xlsx").text.startswith("PK")
    assert zhou.get("/quality/export.exe").status == 404
