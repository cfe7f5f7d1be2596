"""The door: signing in, throttling, sessions, forged forms, languages."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from bot import db
from bot.config import WebPart
from bot.office import Office
from bot.web import session
from bot.web.app import build
from bot.web.visit import local
from bot.workdays import FixedClock
from tests import builders
from tests.web import scene, serving
from tests.web.conftest import Enter


def sessions(office: Office) -> list[str]:
    with office.db.read() as conn:
        return list(conn.execute(select(db.sessions.c.id)).scalars())


def test_a_stranger_is_sent_to_the_login_and_then_where_he_wanted(
    office: Office, enter: Enter
) -> None:
    reader = enter()
    page = reader.get("/queue?state=person")
    assert page.place == "/login?next=/queue%3Fstate%3Dperson"
    page = reader.enter("zhou", next="/queue?state=person")
    assert (page.status, page.place) == (200, "/queue?state=person")


@pytest.mark.parametrize(
    ("login", "password"), [("zhou", "wrong-password"), ("nobody", builders.PASSWORD), ("zhou", "")]
)
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(
    office: Office, enter: Enter, login: str, password: str
) -> None:
    page = enter().enter(login, password or " ")
    assert page.status == 403
    assert "登录名或密码不对" in page.text
    assert not sessions(office)


def test_after_five_failures_even_the_right_password_waits_and_the_wait_doubles(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter()
    assert [reader.enter("zhou", "wrong").status for _ in range(5)] == [403] * 5
    page = reader.enter("zhou")
    assert (page.status, page.answer.headers["retry-after"]) == (429, "5")
    assert "请 5 秒后再试" in page.text
    clock.move(5)
    assert reader.enter("zhou", "wrong").status == 403
    assert reader.enter("zhou").answer.headers["retry-after"] == "10"
    clock.move(10)
    assert reader.enter("zhou").status == 200
    assert reader.enter("zhou", "wrong").status == 403, "a success forgives what was before"


def test_another_person_is_not_kept_out_by_one_persons_failures(
    office: Office, enter: Enter
) -> None:
    reader = enter()
    for _ in range(6):
        reader.enter("zhou", "wrong")
    assert reader.enter("lin").status == 200


def test_an_address_that_tries_many_names_waits_though_it_signs_in_between(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter()
    for n in range(19):
        assert reader.enter(f"guess{n}", "wrong").status == 403
    assert reader.enter("zhou").status == 200
    assert reader.enter("guess", "wrong").status == 403
    assert reader.enter("lin").status == 429


def test_the_cookie_is_out_of_scripts_reach_and_the_store_holds_only_its_digest(
    office: Office, enter: Enter
) -> None:
    reader = enter()
    form = {"login": "zhou", "password": builders.PASSWORD}
    answer = reader.client.post("/login", data=form, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    token = answer.cookies["gongkai"]
    assert sessions(office) == [session.digest(token)]
    assert token not in str(sessions(office))


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(office: Office) -> None:
    web = WebPart(public_url="https://gk.example.cn")
    config = office.config.model_copy(update={"web": web})
    app = build(Office(config, office.db))
    form = {"login": "zhou", "password": builders.PASSWORD}
    with serving.listening() as taken, serving.serving(app, taken):
        headers = {"x-forwarded-proto": "https", "origin": "https://gk.example.cn"}
        answer = httpx.post(
            f"{serving.address(taken)}/login", data=form, headers=headers, trust_env=False
        )
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-gongkai=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age=" in answer.headers["strict-transport-security"]


def test_signing_in_ends_the_session_the_browser_came_with(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    before = sessions(office)
    reader.enter("zhou")
    assert len(sessions(office)) == 1
    assert sessions(office) != before


def test_a_planted_cookie_opens_nothing(office: Office, enter: Enter) -> None:
    reader = enter()
    reader.client.cookies.set("gongkai", "planted")
    reader.enter("zhou")
    assert session.digest("planted") not in sessions(office)
    reader.client.cookies.clear()
    reader.client.cookies.set("gongkai", "planted")
    assert reader.get("/").place.startswith("/login")


def test_a_session_ends_after_two_idle_hours_and_at_its_absolute_end(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    for _ in range(6):
        clock.move(1.9 * 3600)
        assert reader.get("/me").place == "/me", "used within two hours"
    clock.move(0.7 * 3600)
    assert reader.get("/me").place.startswith("/login"), "twelve hours are over"
    reader.enter("zhou")
    clock.move(2 * 3600 + 1)
    assert reader.get("/me").place.startswith("/login"), "two hours idle"


def test_logging_out_ends_the_session_in_the_store(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    token = reader.client.cookies["gongkai"]
    assert reader.post("/logout").place == "/login"
    assert not sessions(office)
    reader.client.cookies.set("gongkai", token)
    assert reader.get("/").place.startswith("/login")


def test_a_disabled_person_is_out_at_once_and_stays_out(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    with office.db.write() as conn:
        conn.execute(update(db.people).where(db.people.c.login == "zhou").values(disabled=True))
    assert reader.get("/").place.startswith("/login")
    assert reader.enter("zhou").status == 403


def test_a_one_time_password_leads_to_nothing_but_its_change(office: Office, enter: Enter) -> None:
    with office.db.write() as conn:
        conn.execute(update(db.people).where(db.people.c.login == "zhou").values(must_change=True))
    reader = enter()
    assert reader.enter("zhou").place == "/password"
    assert reader.get("/queue").place == "/password"
    page = Form(reader).change(builders.PASSWORD, "short", "short")
    assert (page.status, "密码至少 10 个字符" in page.text) == (422, True)
    page = Form(reader).change(builders.PASSWORD, "a-new-password", "another-password")
    assert "两次填写的新密码不一致" in page.text
    page = Form(reader).change("not-mine-at-all", "a-new-password", "a-new-password")
    assert "现在的密码不对" in page.text
    page = Form(reader).change(builders.PASSWORD, "a-new-password", "a-new-password")
    assert (page.status, page.place) == (200, "/")
    assert enter().enter("zhou", "a-new-password").place == "/"


class Form:
    """The page that changes a password, filled in."""

    def __init__(self, reader: scene.Reader) -> None:
        self.reader = reader
        self.csrf = reader.get("/password").all("//input[@name='csrf']/@value")[0]

    def change(self, old: str, new: str, again: str) -> scene.Page:
        form = {"csrf": self.csrf, "old": old, "new": new, "again": again}
        return scene.Page(self.reader.client.post("/password", data=form))


def test_a_new_password_ends_every_other_session(office: Office, enter: Enter) -> None:
    mine, elsewhere = enter("zhou"), enter("zhou")
    page = Form(mine).change(builders.PASSWORD, "a-new-password", "a-new-password")
    assert page.place == "/"
    assert elsewhere.get("/").place.startswith("/login")
    assert mine.get("/me").status == 200


def test_the_old_password_cannot_be_guessed_from_an_open_session(
    office: Office, enter: Enter
) -> None:
    form = Form(enter("zhou"))
    said = [form.change(f"guess-{n}", "a-new-password", "a-new-password").text for n in range(6)]
    assert ["不对" in text for text in said] == [True] * 5 + [False]
    assert "登录失败次数过多" in said[5]


def test_own_sessions_are_listed_and_can_be_ended_but_not_anothers(
    office: Office, enter: Enter
) -> None:
    mine, elsewhere, other = enter("zhou"), enter("zhou"), enter("lin")
    page = mine.get("/me")
    assert len(page.all("//table//tbody/tr")) == 2
    theirs = session.digest(other.client.cookies["gongkai"])
    mine.post("/me/sessions/end", session=theirs)
    assert other.get("/me").place == "/me", "not his to end"
    mine.post("/me/sessions/end", others="1")
    assert elsewhere.get("/me").place.startswith("/login")
    assert mine.get("/me").place == "/me"
    assert "session.end" in scene.trail(office)


# ---------------------------------------------------------------- forged forms


def test_a_form_without_the_sessions_token_changes_nothing(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for form in ({}, {"csrf": "guess"}, {"csrf": enter("lin").csrf}):
        answer = reader.client.post("/logout", data=form)
        assert answer.status_code == 403
        assert "没有办理" in answer.text
    assert reader.get("/me").place == "/me"


def test_what_was_typed_before_a_new_login_is_shown_and_sent_again_by_one_press(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    typed = {"csrf": reader.csrf, "title": "停水", "text": "“望江路”明日停水，请提前储水。" * 2}
    reader.enter("zhou")
    answer = reader.client.post("/posts/new", data={**typed, "keys": "board", "act": "save"})
    page = scene.Page(answer)
    assert (page.status, scene.trail(staffed)[-1]) == (403, "session.open")
    assert typed["text"] in page.words()
    form = page.all("//form[.//button]")[0]
    fields = [(f.get("name"), f.get("value")) for f in form.xpath(".//input")]
    again = scene.Page(reader.client.post(form.get("action"), data=dict(fields)))
    assert again.place == "/posts/1/edit?done=saved"
    assert again.all("//textarea[@name='text']")[0].text == typed["text"]


def test_what_was_typed_when_the_session_had_ended_goes_through_the_login(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    typed = {"csrf": reader.csrf, "title": "停水", "text": "望江路明日停水，请提前储水，勿慌。"}
    clock.move(3 * 3600)
    answer = reader.client.post("/posts/new", data={**typed, "keys": "board", "act": "save"})
    page = scene.Page(answer)
    assert (page.status, "登录已过期" in page.words()) == (401, True)
    kept = page.all("//input[@name='kept']/@value")[0]
    page = reader.enter("zhou", "wrong", kept=kept)
    assert page.all("//input[@name='kept']/@value") == [kept], "a slip does not lose it"
    page = reader.enter("zhou", kept=kept)
    assert "请再提交一次" in page.words("//h1")
    fields = {f.get("name"): f.get("value") for f in page.all("//form[.//button]//input")}
    assert fields["text"] == typed["text"]
    assert fields["csrf"] == reader.csrf
    assert scene.Page(reader.client.post("/posts/new", data=fields)).place.startswith("/posts/1/")


@pytest.mark.parametrize("kept", ["", "{}", "[1, 2]", '["https://evil.example/", []]', "[", "null"])
def test_a_kept_form_that_is_none_leads_to_the_page_asked_for(
    office: Office, enter: Enter, kept: str
) -> None:
    assert enter().enter("zhou", kept=kept, next="/queue").place == "/queue"


def test_the_page_itself_keeps_no_session_alive_and_says_when_it_has_ended(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    for _ in range(5):
        clock.move(1500)
        page = reader.get("/pulse")
    assert "登录已过期" in page.text
    assert page.place == "/pulse"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"referer": "https://evil.example/page"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_the_token(
    office: Office, enter: Enter, headers: dict[str, str]
) -> None:
    reader = enter("zhou")
    answer = reader.client.post("/logout", data={"csrf": reader.csrf}, headers=headers)
    assert answer.status_code == 403
    form = {"login": "lin", "password": builders.PASSWORD}
    assert reader.client.post("/login", data=form, headers=headers).status_code == 403


def test_our_own_pages_forms_are_taken_with_every_browsers_headers(
    office: Office, enter: Enter
) -> None:
    for headers in ({"origin": "OWN"}, {"sec-fetch-site": "same-origin"}):
        reader = enter("zhou")
        headers = {k: v.replace("OWN", reader.base) for k, v in headers.items()}
        answer = reader.client.post("/logout", data={"csrf": reader.csrf}, headers=headers)
        assert answer.url.path == "/login"


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "http:/evil.example",
        "evil.example",
        "",
    ],
)
def test_the_login_leads_to_our_own_pages_only(office: Office, enter: Enter, place: str) -> None:
    assert local(place) == ""
    assert enter().enter("zhou", next=place).place == "/"


def test_nothing_that_changes_answers_a_get(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path in ("/logout", "/me/sessions/end", "/language"):
        assert reader.get(path).status == 405


# ---------------------------------------------------------------- languages


def test_chinese_first_english_by_choice_and_the_choice_stays(office: Office, enter: Enter) -> None:
    reader = enter("zhou")
    assert reader.get("/", **{"accept-language": "en"}).all("//html/@lang") == ["zh-CN"]
    assert reader.get("/?lang=en").all("//html/@lang") == ["en"]
    assert reader.get("/").all("//html/@lang") == ["zh-CN"], "an address chooses for itself only"
    reader.post("/language", language="en", back="/me")
    page = reader.get("/")
    assert page.all("//html/@lang") == ["en"]
    assert "Today" in page.words("//h1")
    reader.post("/language", language="xx")
    assert reader.get("/").all("//html/@lang") == ["en"]


def test_a_session_is_kept_fresh_without_a_write_on_every_request(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    with office.db.read() as conn:
        first = conn.execute(select(db.sessions.c.seen_at)).scalar_one()
    clock.move(30)
    reader.get("/me")
    with office.db.read() as conn:
        assert conn.execute(select(db.sessions.c.seen_at)).scalar_one() == first
    clock.move(60)
    reader.get("/me")
    with office.db.read() as conn:
        assert conn.execute(select(db.sessions.c.seen_at)).scalar_one() == first + timedelta(
            seconds=90
        )


def test_old_failures_are_forgiven_after_an_hour(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    row = {"login": "zhou", "origin": "127.0.0.1", "at": builders.NOW, "ok": False}
    with office.db.write() as conn:
        conn.execute(insert(db.logins), [row] * 30)
        assert conn.execute(select(func.count()).select_from(db.logins)).scalar() == 30
    assert enter().enter("zhou").status == 429
    clock.move(3601)
    assert enter().enter("zhou").place == "/"


def test_who_comes_back_after_his_session_ended_is_told_so_and_nobody_else_is(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    assert "登录已到期" not in reader.get("/login").text
    assert "登录已到期" not in enter().get("/posts").text
    clock.move(3 * 3600)
    page = reader.get("/posts")
    assert page.place.startswith("/login?next=/posts")
    assert "登录已到期，或在别处被结束" in page.words("//*[@role='status']")
