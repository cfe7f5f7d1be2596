"""人员与单位: the tree, who can fill the steps, and every act on a person."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot import db, people
from bot.config import load
from bot.model import Role
from bot.office import Office
from tests import builders
from tests.offices import pytest_generate_tests, url  # noqa: F401
from tests.web import scene
from tests.web.conftest import Enter

STEPS = """
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
[units.health]
name = "卫健局"
parent = "county"
"""


@pytest.fixture
def staffed(office: Office, tmp_path: Path) -> Office:
    """Two units; an administrator `fang` and an editor `wei` of the lower one."""
    with office.db.write() as conn:
        county = people.unit_of(conn, "county")["id"]
        builders.unit(conn, "health", county)
        conn.execute(update(db.units).where(db.units.c.key == "health").values(name="卫健局"))
        builders.person(conn, "fang", "方管", Role.ADMINISTRATOR, "health")
        builders.person(conn, "wei", "卫编", Role.EDITOR, "health")
    return office


@pytest.fixture
def office(office: Office, tmp_path: Path) -> Office:
    """With steps that somebody must fill."""
    file = tmp_path / "steps.toml"
    file.write_text(STEPS, "utf-8")
    return Office(load(file), office.db)


def once(page: scene.Page) -> str:
    """The one-time password an answer shows."""
    return page.words("//code[@class='once']")


def test_the_tree_says_which_steps_nobody_can_fill_and_whose_rule_that_is(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("gu")
    page = reader.get("/people")
    leaves = [a.text_content() for a in page.all("//nav[@class='tree']/a")]
    assert leaves == ["云澜县county审次配不齐人3", "卫健局2"]
    assert "[units.county]" in page.words()
    assert "初审 审核人、签发人1 人林岚" in page.words("//ol[@class='steps']")
    with staffed.db.write() as conn:
        builders.person(conn, "shen", "沈棠", Role.REVIEWER)
    assert "配不齐" not in reader.get("/people").words()
    below = reader.get("/people?unit=health")
    assert "方管fang" in below.words("//section[contains(., '本单位人员')]")
    assert "林岚" in below.words("//section[contains(., '上级单位的人')]")
    assert reader.get("/people?unit=nowhere").status == 404


def test_a_new_person_comes_in_with_the_password_shown_once(staffed: Office, enter: Enter) -> None:
    form = {"unit": "county", "login": "han", "name": "韩梅", "role": "reviewer"}
    page = enter("gu").post("/people", **form)
    password = once(page)
    assert "只显示这一次" in page.words()
    assert password not in enter("gu").get("/people/han").text
    assert enter().enter("han", password).place == "/password"
    with staffed.db.read() as conn:
        assert password not in str(conn.execute(select(db.audits)).all())


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"login": "韩梅"}, "登录名用字母"),
        ({"login": "zhou"}, "已经有人用"),
        ({"name": " "}, "请填写“姓名”"),
        ({"role": "king"}, "请选角色"),
    ],
)
def test_what_was_typed_stays_when_nobody_can_be_made_of_it(
    staffed: Office, enter: Enter, form: dict[str, str], said: str
) -> None:
    whole = {"unit": "county", "login": "han", "name": "韩梅", "role": "reviewer", **form}
    page = enter("gu").post("/people", **whole)
    assert (page.status, page.all("//input[@id='login']/@value")) == (422, [whole["login"]])
    assert said in page.words("//*[@role='alert']")


def test_roles_are_granted_and_taken_and_hold_at_once(staffed: Office, enter: Enter) -> None:
    gu, wei = enter("gu"), enter("wei")
    role = {"unit": "health", "role": "signer"}
    page = gu.post("/people/wei", act="grant", **role)
    assert "角色已授予" in page.words()
    assert "签发人" in wei.get("/me").words("//main")
    page = gu.post("/people/wei", act="revoke", **role)
    assert "角色已收回" in page.words()
    assert "签发人" not in gu.get("/people/wei").words("//table[1]")
    assert "角色已授予" in gu.post("/people", act="grant", login="wei", **role).words()
    assert "没有登录名" in gu.post("/people", act="grant", login="x", **role).words()
    gu.post("/people/wei", act="revoke", **role)
    assert scene.trail(staffed)[-1] == "person.revoke"


def test_who_is_disabled_is_out_and_comes_back_with_his_roles(
    staffed: Office, enter: Enter
) -> None:
    gu, wei = enter("gu"), enter("wei")
    gu.post("/people/wei", act="disable")
    assert wei.get("/").place.startswith("/login")
    assert "已停用" in gu.get("/people/wei").words("//h1/..")
    gu.post("/people/wei", act="enable")
    assert wei.enter("wei").place == "/"


def test_a_lost_password_is_replaced_and_a_restored_person_readmitted(
    staffed: Office, enter: Enter
) -> None:
    gu, wei = enter("gu"), enter("wei")
    password = once(gu.post("/people/wei", act="reissue"))
    assert wei.get("/").place.startswith("/login"), "whoever sat there is out"
    assert wei.enter("wei").status == 403
    assert wei.enter("wei", password).place == "/password"
    with staffed.db.write() as conn:
        asleep = update(db.people).where(db.people.c.login == "wei")
        conn.execute(asleep.values(disabled=True, asleep=True))
    assert gu.post("/people/wei", act="enable").status == 409
    password = once(gu.post("/people/wei", act="readmit"))
    assert wei.enter("wei", password).place == "/password"


def test_an_administrator_sees_and_ends_anothers_sessions(staffed: Office, enter: Enter) -> None:
    gu, wei, again = enter("gu"), enter("wei"), enter("wei")
    page = gu.get("/people/wei")
    ids = page.all("//input[@name='session']/@value")
    assert len(ids) == 2
    gu.post("/people/wei", act="sign-out", session=ids[0])
    assert sorted(r.get("/me").place.startswith("/login") for r in (wei, again)) == [False, True]
    gu.post("/people/wei", act="sign-out")
    assert all(r.get("/me").place.startswith("/login") for r in (wei, again))
    assert scene.trail(staffed).count("session.end") == 2


@pytest.mark.parametrize("act", ["disable", "reissue", "totp", "revoke"])
def test_nobody_does_to_himself_what_would_leave_no_administrator(
    staffed: Office, enter: Enter, act: str
) -> None:
    gu = enter("gu")
    page = gu.post("/people/gu", act=act, unit="county", role="administrator")
    assert (page.status, "另一名管理员" in page.text) == (409, True)
    assert not gu.get("/people/gu").all(f"//main//button[@value='{act}']")


def test_an_administrator_below_touches_nobody_above(staffed: Office, enter: Enter) -> None:
    fang = enter("fang")
    with staffed.db.write() as conn:
        builders.grant(conn, people.by_login(conn, "wei")["id"], Role.EDITOR, "county")
    assert fang.get("/people/zhou").status == 404
    for act in ("disable", "reissue", "totp", "sign-out", "readmit"):
        assert fang.post("/people/wei", act=act).status == 403, act
    page = fang.get("/people/wei")
    assert not page.all("//button[@value='disable' or @value='sign-out']")
    assert page.all("//button[@value='revoke']"), "the role of his own unit"
    form = {"login": "x", "name": "甲", "role": "signer"}
    assert fang.post("/people", unit="county", **form).status == 403
    assert once(fang.post("/people", unit="health", **form))


def test_readers_see_whom_to_ask_and_neither_buttons_nor_sessions(
    staffed: Office, enter: Enter
) -> None:
    zhou = enter("zhou")
    page = zhou.get("/people")
    assert "林岚" in page.words()
    assert not page.all("//main//form")
    assert "动态口令" not in page.words(), "whose door is weaker is no reader's business"
    page = zhou.get("/people/lin")
    assert not page.all("//main//form")
    assert not re.search("127.0.0.1|动态口令|密码", page.words("//main"))


def test_the_trail_leads_to_the_person(staffed: Office, enter: Enter) -> None:
    gu = enter("gu")
    gu.post("/people/wei", act="disable")
    subject = gu.get("/trail").all("//td//a/@href")[0]
    assert re.fullmatch(r"/people/by-id/\d+", subject)
    assert gu.get(subject).place == "/people/wei"
    assert enter("fang").get("/people/by-id/1").status == 404
