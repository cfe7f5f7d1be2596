"""The second factor at the door: enrolling, giving codes, guessing them, doing without."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import db, second
from bot.config.parts import PeoplePart
from bot.office import Office
from bot.web.render import qr
from bot.workdays import FixedClock
from tests import builders
from tests.offices import pytest_generate_tests, url  # noqa: F401
from tests.web import scene
from tests.web.conftest import Enter


@pytest.fixture
def office(office: Office, request: pytest.FixtureRequest) -> Office:
    """With the rule the test asks for."""
    rule = getattr(request, "param", "optional")
    part = PeoplePart.model_validate({"totp": rule})
    return Office(office.config.model_copy(update={"people": part}), office.db)


demanding = pytest.mark.parametrize("office", ["signers"], indirect=True)


class Holder:
    """Somebody at the console with an authenticator in his hand."""

    def __init__(self, office: Office, reader: scene.Reader) -> None:
        self.office, self.reader = office, reader
        self.csrf = self.hidden(self.get(), "csrf")
        page = self.act("begin")
        self.secret = page.words("//code[@class='once']").replace(" ", "")

    def get(self) -> scene.Page:
        return self.reader.get("/me/code")

    def hidden(self, page: scene.Page, name: str) -> str:
        return str(page.all(f"//input[@name='{name}']/@value")[0])

    def act(self, name: str, **form: str) -> scene.Page:
        form = {"csrf": self.csrf, "act": name, **form}
        return scene.Page(self.reader.client.post("/me/code", data=form))

    @property
    def code(self) -> str:
        return second.code(self.secret, second.step_of(self.office.db.now()))

    def enrol(self) -> list[str]:
        page = self.act("confirm", code=self.code)
        return [node.text for node in page.all("//ul[@class='codes']//code")]


def give(reader: scene.Reader, code: str, **form: str) -> scene.Page:
    return scene.Page(reader.client.post("/login/code", data={"code": code, **form}))


def test_from_enrolling_to_the_next_login(office: Office, enter: Enter, clock: FixedClock) -> None:
    holder = Holder(office, enter("zhou"))
    assert holder.secret in holder.get().all("//a[starts-with(@href, 'otpauth:')]/@href")[0]
    assert "动态口令不对" in holder.act("confirm", code="000000").words("//*[@role='alert']")
    assert len(holder.enrol()) == 10
    page = holder.get()
    assert holder.secret not in page.text
    assert "备用码还有 10 个" in page.words()
    clock.move(60)
    reader = enter()
    page = reader.enter("zhou", next="/queue")
    assert "动态口令" in page.words("//h1")
    for closed in ("/", "/me", "/me/code", "/password", "/stop"):
        assert reader.get(closed).place == "/login/code", "half a session opens nothing"
    assert (
        reader.client.post("/logout", follow_redirects=False).headers["location"] == "/login/code"
    )
    assert give(reader, "123456").status == 403
    assert give(reader, holder.code, next="/queue").place == "/queue"
    assert scene.trail(office)[-2:] == ["person.totp", "session.open"]


def test_the_key_is_a_picture_till_it_is_confirmed_and_stands_at_no_address(
    office: Office, enter: Enter
) -> None:
    holder = Holder(office, enter("zhou"))
    page = holder.get()
    (picture,) = page.all("//*[@class='qr'][@role='img']")
    (uri,) = page.all("//a[starts-with(@href, 'otpauth:')]/@href")
    assert str(qr(uri)) in page.text
    assert "密钥" in picture.get("aria-label")
    assert not [place for place in page.all("//@src | //@action") if holder.secret in place]
    assert page.answer.headers["cache-control"] == "no-store"
    holder.enrol()
    assert not holder.get().all("//*[@class='qr']")


def test_a_code_seen_over_the_shoulder_is_worth_nothing(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    holder = Holder(office, enter("zhou"))
    holder.enrol()
    clock.move(60)
    first, thief = enter(), enter()
    for reader in (first, thief):
        reader.enter("zhou")
    code = holder.code
    assert give(first, code).place == "/"
    page = give(thief, code)
    assert (page.status, "已经用过" in page.text) == (403, True)


def test_knowing_the_password_forgives_no_guess_at_the_code(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    holder = Holder(office, enter("zhou"))
    holder.enrol()
    clock.move(60)
    thief = enter()
    said = []
    for n in range(6):
        said.append(thief.enter("zhou").status)
        said.append(give(thief, f"{n:06}").status)
    assert said == [200, 403] * 3 + [429] * 6
    clock.move(900)
    owner = enter()
    owner.enter("zhou")
    clock.move(900)
    assert owner.get("/login/code").place == "/login", "half a session stands ten minutes"
    owner.enter("zhou")
    assert give(owner, holder.code).place == "/"
    with office.db.read() as conn:
        recent = select(db.logins.c.ok).order_by(db.logins.c.id.desc()).limit(2)
        assert list(conn.execute(recent).scalars()) == [True, True], "both steps of it are forgiven"


def test_a_recovery_code_lets_in_once_and_a_reset_ends_it_all(office: Office, enter: Enter) -> None:
    holder = Holder(office, enter("zhou"))
    codes = holder.enrol()
    for n in range(2):
        reader = enter()
        reader.enter("zhou")
        page = give(reader, codes[0])
        assert (page.place, page.status) == (("/", 200), ("/login/code", 403))[n]
    gu = enter("gu")
    assert "已登记" in gu.get("/people/zhou").words()
    gu.post("/people/zhou", act="totp")
    assert holder.get().place.startswith("/login"), "his sessions have ended"
    assert reader.get("/").place.startswith("/login"), "and half ones"
    assert enter().enter("zhou").place == "/"


def test_changing_it_takes_a_code_of_its_own(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    holder = Holder(office, enter("zhou"))
    codes = holder.enrol()
    for act in ("renew", "drop"):
        assert holder.act(act, code="123456").status == 403
    assert "备用码还有 10 个" in holder.get().words()
    page = holder.act("renew", code=codes[0])
    assert len(page.all("//ul[@class='codes']/li")) == 10
    clock.move(60)
    holder.act("drop", code=holder.code)
    assert "开始登记" in holder.get().words()
    assert enter().enter("zhou").place == "/"


@demanding
def test_a_signer_without_one_enrols_before_anything_else(
    office: Office, enter: Enter, clock: FixedClock
) -> None:
    assert enter("zhou").get("/queue").place == "/queue", "no signer"
    reader = enter()
    assert reader.enter("lin", next="/review").place == "/me/code"
    for closed in ("/", "/review", "/me", "/password", "/stop"):
        assert reader.get(closed).place == "/me/code"
    holder = Holder(office, reader)
    assert "须用动态口令" in holder.get().words()
    holder.enrol()
    assert reader.get("/review").place == "/review"
    clock.move(60)
    page = holder.act("drop", code=holder.code)
    assert (page.status, "不能停用" in page.text) == (409, True)
    enter("gu").post("/people/lin", act="totp")
    assert enter().enter("lin").place == "/me/code"


@demanding
def test_a_one_time_password_comes_before_the_second_factor(office: Office, enter: Enter) -> None:
    with office.db.write() as conn:
        conn.execute(db.people.update().where(db.people.c.login == "lin").values(must_change=True))
    reader = enter()
    assert reader.enter("lin").place == "/password"
    form = {
        "csrf": scene.Page(reader.client.get("/password")).all("//input[@name='csrf']/@value")[0]
    }
    new = {"old": builders.PASSWORD, "new": "a-new-password", "again": "a-new-password"}
    assert scene.Page(reader.client.post("/password", data={**form, **new})).place == "/me/code"


def test_what_was_typed_before_the_session_ended_comes_through_both_steps(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    holder = Holder(staffed, reader)
    holder.enrol()
    typed = {"csrf": reader.csrf, "title": "停水", "text": "“望江路”明日停水，请提前储水。" * 2}
    clock.move(3 * 3600)
    page = scene.Page(
        reader.client.post("/posts/new", data={**typed, "keys": "board", "act": "save"})
    )
    page = reader.enter("zhou", kept=page.all("//input[@name='kept']/@value")[0])
    kept = page.all("//input[@name='kept']/@value")[0]
    page = give(reader, "000000", kept=kept)
    assert page.all("//input[@name='kept']/@value") == [kept], "a slip does not lose it"
    page = give(reader, holder.code, kept=kept)
    assert "请再提交一次" in page.words("//h1")
    assert typed["text"] in page.words()


def test_a_form_of_secrets_is_not_kept(office: Office, enter: Enter, clock: FixedClock) -> None:
    reader = enter("zhou")
    holder = Holder(office, reader)
    clock.move(timedelta(hours=3).total_seconds())
    page = holder.act("confirm", code="654321")
    assert page.status == 401
    assert "654321" not in page.text


def test_a_code_from_another_site_is_refused(office: Office, enter: Enter) -> None:
    holder = Holder(office, enter("zhou"))
    codes = holder.enrol()
    reader = enter()
    reader.enter("zhou")
    answer = reader.client.post(
        "/login/code", data={"code": codes[0]}, headers={"origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert give(reader, codes[0]).place == "/"
