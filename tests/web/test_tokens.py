"""令牌: made by oneself, shown once, ended by oneself or who administers one; ended with one's access."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from bot import db, people, second, tokens
from bot.model import Actor, Role, Scope
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.web import scene
from tests.web.conftest import Enter
from tests.web.scene import Page, Reader
from tests.web.test_api import Program

TOKEN = re.compile(r"gk_[\w-]{43}")


def make(reader: Reader, **form: object) -> Page:
    said = {"name": "日报", "scope": ["read"], "days": "30", "proof": builders.PASSWORD, **form}
    return reader.post("/me/tokens", **said)


def shown(page: Page) -> str:
    (found,) = TOKEN.findall(page.text)
    return str(found)


def given(office: Office, login: str, name: str = "日报") -> int:
    with office.db.write() as conn:
        now = office.db.now(conn)
        ends = now + timedelta(days=30)
        return tokens.create(conn, now, builders.actor(conn, login), name, [Scope.READ], ends)[0]


def test_a_token_is_made_shown_once_used_and_ended(
    staffed: Office, enter: Enter, base: str, clock: FixedClock
) -> None:
    reader = enter("zhou")
    assert "还没有令牌" in reader.get("/me/tokens").words()
    token = shown(make(reader, name="每日通报", scope=["read", "write"]))
    page = reader.get("/me/tokens")
    assert token not in page.text
    row = page.words("//tr[@id='token-1']")
    assert all(word in row for word in ("每日通报", "有效", "查看、拟稿与报送", "还有 30 天"))
    clock.move(60)
    with closing(Program(base, token).client) as client:
        assert client.get("/me").json()["token"]["name"] == "每日通报"
        assert "刚刚" in reader.get("/me/tokens").words("//tr[@id='token-1']")
        assert "已撤销" in reader.post("/me/tokens/1/end").words("//tr[@id='token-1']")
        assert client.get("/me").status_code == 401
    assert scene.trail(staffed)[-2:] == ["token.create", "token.revoke"]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"proof": "wrong"}, "密码不对"),
        ({"name": " "}, "用途"),
        ({"scope": []}, "至少一项"),
        ({"scope": ["everything"]}, "至少一项"),
        ({"days": "367"}, "最长 366 天"),
        ({"days": "0"}, "在现在之后"),
    ],
)
def test_what_cannot_be_taken_is_told_and_what_was_typed_stays(
    staffed: Office, enter: Enter, form: dict[str, object], why: str
) -> None:
    page = make(enter("zhou"), **form)
    assert page.status in (403, 422)
    assert why in page.words("//*[@role='alert']")
    assert not TOKEN.search(page.text)
    assert page.all("//input[@name='name']/@value") == [str(form.get("name", "日报")).strip()]
    assert offices.rows(staffed, db.tokens) == []


def test_with_a_second_factor_a_code_makes_it(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    with staffed.db.write() as conn:
        who, now = builders.actor(conn, "zhou"), staffed.db.now(conn)
        second.begin(conn, staffed.secrets, who)
        key = second.waiting(conn, staffed.secrets, who)
        said = second.code(key, second.step_of(now))
        conn.execute(update(db.people).values(totp_at=now))
    assert "动态口令不对" in make(reader).words("//*[@role='alert']"), "the password is not enough"
    assert shown(make(reader, proof=said))


def test_an_administrator_sees_and_ends_his_people_s_and_nobody_else_does(
    staffed: Office, enter: Enter
) -> None:
    with staffed.db.write() as conn:
        top = people.unit_of(conn, "county")["id"]
        builders.unit(conn, "fire", top)
        builders.person(conn, "huo", "火管", Role.ADMINISTRATOR, "fire")
        builders.person(conn, "yuan", "火员", Role.EDITOR, "fire")
    of_zhou, of_yuan = given(staffed, "zhou"), given(staffed, "yuan", "火情")
    fire, top_man = enter("huo"), enter("gu")
    page = fire.get("/me/tokens")
    assert page.all("//tr[@data-row]/@id") == [f"token-{of_yuan}"]
    assert fire.post(f"/me/tokens/{of_zhou}/end").status == 403
    assert enter("shen").post(f"/me/tokens/{of_zhou}/end").status == 404
    assert not enter("shen").get("/me/tokens").all("//section[@id='others']")
    assert len(top_man.get("/me/tokens").all("//section[@id='others']//tr[@data-row]")) == 2
    linked = top_man.get("/people/yuan").all("//a[contains(@href, '/me/tokens')]/@href")
    page = top_man.get(linked[0])
    assert page.all("//tr[@data-row]/@id") == [f"token-{of_yuan}"]
    back = "/me/tokens?who=yuan&done=end"
    page = top_man.post(f"/me/tokens/{of_yuan}/end", back=back)
    assert (page.place, "已撤销" in page.words("//tr[@data-row]")) == (back, True)
    with staffed.db.read() as conn:
        found = tokens.listing(conn, builders.actor(conn, "huo"), everyone=True)
    assert [row["id"] for row in found] == [of_yuan]


def _reset(conn: Connection, office: Office, gu: Actor) -> None:
    second.reset(conn, office.db.now(conn), gu, "zhou")


def _disable(conn: Connection, office: Office, gu: Actor) -> None:
    people.disable(conn, office.db.now(conn), gu, "zhou")


@pytest.mark.parametrize("act", [_reset, _disable])
def test_who_loses_his_second_factor_or_is_disabled_loses_his_tokens(
    staffed: Office, base: str, act: Callable[[Connection, Office, Actor], None]
) -> None:
    kept = given(staffed, "shen")
    with staffed.db.write() as conn:
        now = staffed.db.now(conn)
        who, ends = builders.actor(conn, "zhou"), now + timedelta(days=30)
        _, token = tokens.create(conn, now, who, "日报", [Scope.READ], ends)
        conn.execute(update(db.people).values(totp=staffed.secrets.seal("x"), totp_at=now))
    with closing(Program(base, token).client) as client:
        assert client.get("/me").status_code == 200
        with staffed.db.write() as conn:
            act(conn, staffed, builders.actor(conn, "gu"))
        assert client.get("/me").status_code == 401
    with staffed.db.read() as conn:
        stand = tokens.listing(conn, builders.actor(conn, "shen"))
    assert [(row["id"], row["revoked_at"]) for row in stand] == [(kept, None)], "his alone"
