"""账号 on the console: connected step by step, by whoever began it, once; the account's own page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import RowMapping, update

from bot import db
from bot.deliver import connecting, holds
from bot.model import HoldScope, Role
from bot.office import Office
from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes import mastodon, weibo
from tests.web import scene, serving
from tests.web.scene import Page, Reader

CONFIG = """
[accounts.m]
unit = "county"
adapter = "mastodon"
name = "云澜发布"
slots = ["09:00", "15:00"]
quiet = "22:00-07:00"
gap = "30s"
[accounts.m.filing]
registrar = "云澜县人民政府办公室"
number = "云新媒备〔2026〕7号"
[accounts.m.options]
url = "{mastodon}"

[accounts.w]
unit = "county"
adapter = "weibo"
[accounts.w.options]
url = "{weibo}"
app_key = "{key}"
app_secret_file = "weibo.secret"
redirect_uri = "{back}"

[accounts.hand]
unit = "county"
adapter = "byhand"
[accounts.hand.options]
platform = "微博"

[accounts.filed]
unit = "county"
adapter = "mastodon"
token_file = "token"
[accounts.filed.options]
url = "{mastodon}"
"""


class Desk:
    """An office whose accounts are declared and not connected, and its console."""

    def __init__(self, office: Office, base: str, fake: mastodon.Mastodon, sina: weibo.Weibo):
        self.office, self.base, self.fake, self.sina = office, base, fake, sina
        self._stack = ExitStack()

    def sit(self, login: str = "gu") -> Reader:
        return self._stack.enter_context(closing(Reader(self.base, login)))

    def close(self) -> None:
        self._stack.close()

    def row(self, key: str) -> RowMapping:
        return next(r for r in offices.rows(self.office, db.accounts) if r["key"] == key)

    def secret(self, key: str) -> str:
        return self.office.secrets.open(self.row(key)["credential"])

    def hold(self, reason: str) -> None:
        with self.office.db.write() as conn:
            who, now = builders.actor(conn, "lin"), self.office.db.now(conn)
            target = self.row("m")["id"]
            holds.hold(conn, now, who, HoldScope.ACCOUNT, target, reason)


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    root = office.config.root
    (root / "weibo.secret").write_text(weibo.APP_SECRET)
    (root / "token").write_text("token-1")
    with (
        mastodon.running(accounts=3) as (fake, server),
        weibo.running() as (sina, sina_server),
        serving.listening() as taken,
    ):
        base = serving.address(taken)
        sina.callback = f"{base}/account/return"
        urls = {"mastodon": server.url, "weibo": sina_server.url}
        more = CONFIG.format(key=weibo.APP_KEY, back=sina.callback, **urls)
        made = offices.declared(office, more)
        with serving.serving(build(made), taken), closing(Desk(made, base, fake, sina)) as desk:
            yield desk


def begun(reader: Reader, key: str = "m") -> str:
    """The platform's page that the console leads to."""
    page = reader.post(f"/accounts/{key}/connect", act="begin")
    (address,) = page.all("//a[contains(@class, 'primary')]/@href")
    return str(address)


def granted(address: str, account: int = 1) -> str:
    """Somebody agrees there; where his browser is sent to."""
    there = Page(httpx.get(address, trust_env=False))
    return str(there.all(f"//a[text()='token-{account}']/@href")[0])


def back(reader: Reader, address: str) -> Page:
    return Page(reader.client.get(address))


def kept(reader: Reader, key: str = "m", **form: str) -> Page:
    return reader.post(f"/accounts/{key}/connect", act="keep", **form)


# ---------------------------------------------------------------- the path


@pytest.mark.parametrize(("key", "name"), [("m", "office1"), ("w", "2000000001")])
def test_an_account_is_connected_by_going_there_and_back_and_saying_it_is_he(
    desk: Desk, key: str, name: str
) -> None:
    reader = desk.sit()
    assert reader.get("/accounts").all(f"//a[@href='/accounts/{key}/connect']")
    page = back(reader, granted(begun(reader, key)))
    assert page.place == f"/accounts/{key}/connect", "the code stands in no address"
    assert name in page.words()
    assert desk.row(key)["identity"] == "", "shown before it is kept"
    assert scene.trail(desk.office) == ["session.open"]
    page = kept(reader, key)
    assert (page.place, page.status) == (f"/accounts/{key}?done=connect", 200)
    row = desk.row(key)
    assert (row["identity_name"], row["state"], desk.secret(key)) == (name, "active", "token-1")
    assert scene.trail(desk.office)[-1] == "account.connect"
    assert offices.rows(desk.office, db.connectings) == []
    for shown in (page, reader.get("/accounts"), reader.get(f"/accounts/{key}/connect")):
        assert "token-1" not in shown.text


def test_where_a_server_takes_no_address_the_person_brings_the_code(desk: Desk) -> None:
    desk.fake.manners.takes_backs = False
    reader = desk.sit()
    address = begun(reader)
    assert "token-1" in httpx.get(address, trust_env=False).text
    wrong = reader.post("/accounts/m/connect", act="code", code="nonsense")
    assert (wrong.status, "没有授权" in wrong.words("//*[@role='alert']")) == (502, True)
    again = reader.post("/accounts/m/connect", act="code", code="token-1")
    assert "重新开始" in again.words("//*[@role='alert']"), "a path is gone through once"
    begun(reader)
    assert "office1" in reader.post("/accounts/m/connect", act="code", code=" token-1 ").words()
    kept(reader)
    assert desk.row("m")["identity_name"] == "office1"


def test_a_whole_address_may_be_brought_and_only_its_own(desk: Desk) -> None:
    reader = desk.sit()
    first = granted(begun(reader))
    second = granted(begun(reader))
    page = reader.post("/accounts/m/connect", act="code", code=first)
    assert "不属于刚才打开的授权页" in page.words("//*[@role='alert']")
    assert "office1" in reader.post("/accounts/m/connect", act="code", code=second).words()


def test_where_the_application_names_another_address_it_says_so_and_takes_the_one_pasted(
    desk: Desk,
) -> None:
    by_name = Reader(desk.base.replace("127.0.0.1", "localhost"), "gu")
    with closing(by_name):
        words = by_name.get("/accounts/w/connect").words()
        assert f"授权回调页登记为 {by_name.base}/account/return" in words
        gone_to = granted(begun(by_name, "w"))
        assert gone_to.startswith(desk.base), "as registered"
        page = by_name.post("/accounts/w/connect", act="code", code=gone_to)
        assert "2000000001" in page.words()


def test_a_token_at_hand_is_proven_and_shown_like_any_other(desk: Desk) -> None:
    reader = desk.sit()
    page = reader.post("/accounts/m/connect", act="token", token="nonsense")
    assert page.status == 502
    assert "请填写令牌" in reader.post("/accounts/m/connect", act="token", token="").words()
    assert "office2" in reader.post("/accounts/m/connect", act="token", token="token-2").words()
    left = reader.post("/accounts/m/connect", act="drop")
    assert "office2" not in left.words()
    assert "没有等着保存的身份" in kept(reader).words("//*[@role='alert']")
    assert desk.row("m")["credential"] == ""


# ---------------------------------------------------------------- whose the state is


def changed(address: str, **query: str | None) -> str:
    given = dict(parse_qsl(urlsplit(address).query)) | query
    said = urlencode({k: v for k, v in given.items() if v is not None})
    return f"{address.partition('?')[0]}?{said}"


def refused(page: Page, why: str) -> None:
    said = page.words("//*[@role='alert']")
    assert page.status == 422
    assert why in said
    assert "重新" in said, "what to do"


def test_a_state_that_is_missing_forged_another_s_or_used_is_refused(
    desk: Desk, clock: FixedClock
) -> None:
    with desk.office.db.write() as conn:
        builders.person(conn, "guan", "管理", Role.ADMINISTRATOR)
    reader, other, elsewhere = desk.sit(), desk.sit("guan"), desk.sit()
    good = granted(begun(reader))
    refused(back(reader, changed(good, state=None)), "没有核验码")
    refused(back(reader, changed(good, state="forged")), "不是您在这次登录里发起的")
    for somebody in (other, elsewhere):
        refused(back(somebody, good), "不是您在这次登录里发起的")
    assert "office1" in back(reader, good).words(), "nobody else has used it up"
    refused(back(reader, good), "已经用过")
    kept(reader)
    late = granted(begun(reader))
    clock.move(connecting.SPAN.total_seconds())
    refused(back(reader, late), "已作废")
    assert [e["verb"] for e in offices.rows(desk.office, db.audits)].count("account.connect") == 1


def test_who_is_no_longer_signed_in_signs_in_and_begins_anew(desk: Desk) -> None:
    reader = desk.sit()
    good = granted(begun(reader))
    reader.post("/logout")
    assert back(reader, good).place.startswith("/login?next=/account/return")
    reader.enter("gu")
    refused(back(reader, good), "不是您在这次登录里发起的")


def test_a_refusal_on_the_platform_is_told_and_spends_the_path(desk: Desk) -> None:
    reader = desk.sit()
    good = granted(begun(reader))
    no = changed(good, code=None, error="access_denied", error_description="用户拒绝")
    page = back(reader, no)
    assert "用户拒绝" in page.words("//*[@role='alert']")
    assert page.all("//button[@value='begin']")
    refused(back(reader, good), "已经用过")


def test_what_nobody_went_through_with_is_forgotten(desk: Desk, clock: FixedClock) -> None:
    reader = desk.sit()
    back(reader, granted(begun(reader)))
    (path,) = offices.rows(desk.office, db.connectings)
    assert "token-1" not in str(dict(path))
    clock.move(connecting.SPAN.total_seconds())
    assert "没有等着保存的身份" in kept(reader).words("//*[@role='alert']")
    connecting.forget(desk.office)
    assert offices.rows(desk.office, db.connectings) == []


# ---------------------------------------------------------------- once more, and another


def test_reconnecting_keeps_the_old_until_the_new_works_and_another_needs_a_word(
    desk: Desk,
) -> None:
    reader = desk.sit()
    back(reader, granted(begun(reader)))
    kept(reader)
    page = back(reader, granted(begun(reader), 2))
    assert "这不是原来的 office1" in page.words()
    assert desk.secret("m") == "token-1"
    assert "office2" in kept(reader).words("//*[@role='alert']")
    assert desk.secret("m") == "token-1", "not without the word"
    desk.fake.dead.add("token-2")
    assert kept(reader, another="1").status == 502
    assert desk.secret("m") == "token-1", "it must work when it is kept"
    desk.fake.dead.clear()
    kept(reader, another="1")
    assert (desk.secret("m"), desk.row("m")["identity_name"]) == ("token-2", "office2")


def test_only_administrators_connect_and_some_accounts_are_not_connected_here(desk: Desk) -> None:
    editor = desk.sit("zhou")
    assert not editor.get("/accounts").all("//a[contains(@href, '/connect')]")
    assert editor.get("/accounts/m/connect").status == 403
    for act in ("begin", "code", "token", "keep", "drop"):
        assert editor.post("/accounts/m/connect", act=act, token="token-1").status == 403
    reader = desk.sit()
    assert "不需要凭据" in reader.get("/accounts/hand/connect").words()
    assert "token_file" in reader.get("/accounts/filed/connect").words()
    assert reader.post("/accounts/filed/connect", act="begin").status == 422
    assert reader.get("/accounts/none/connect").status == 404
    assert reader.post("/accounts/m/connect", act="melt").status == 422


def test_rights_lost_on_the_way_end_it(desk: Desk) -> None:
    reader = desk.sit()
    good = granted(begun(reader))
    with desk.office.db.write() as conn:
        conn.execute(
            update(db.grants).where(db.grants.c.role == Role.ADMINISTRATOR).values(role="editor")
        )
    assert back(reader, good).status == 403
    assert desk.row("m")["identity"] == ""


# ---------------------------------------------------------------- the account's own page


def facts(page: Page, title: str) -> dict[str, str]:
    cells = page.all(f"//section[.//h2[text()='{title}']]//dl/*")
    words = [" ".join(cell.text_content().split()) for cell in cells]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_an_account_s_page_tells_its_life_hours_holds_queue_and_filing(
    desk: Desk, clock: FixedClock
) -> None:
    reader = desk.sit()
    back(reader, granted(begun(reader)))
    kept(reader)
    post = scene.signed(desk.office, keys=("m",))
    desk.hold("核实身份")
    ends = clock.now() + timedelta(days=3, hours=1)
    with desk.office.db.write() as conn:
        conn.execute(update(db.accounts).values(token_ends=ends))
    page = reader.get("/accounts/m")
    assert "还有 3 天" in facts(page, "身份与令牌")["令牌期限"]
    assert facts(page, "发布时间")["时段"] == "09:00、15:00"
    assert facts(page, "发布时间")["静默时段"] == "22:00-07:00"
    assert facts(page, "能力与限制")["正文"] == "最多 500 字"
    assert facts(page, "账号备案") == {
        "登记单位": "云澜县人民政府办公室",
        "备案编号": "云新媒备〔2026〕7号",
        "主管单位": "未填写",
        "联系人": "未填写",
    }
    assert "核实身份" in page.words()
    links = {a.get("href"): a.text_content().split() for a in page.all("//a[@class='pill']")}
    for state in ("ready", "held"):
        href = f"/queue?account=1&state={state}"
        assert links[href][-1] == "1" == str(len(reader.get(href).all("//tr[@data-row]"))), state
    assert "还有 3 天" in reader.get("/accounts").words("//tr[@id='account-1']")
    with desk.office.db.write() as conn:
        conn.execute(update(db.accounts).values(token_ends=clock.now() - timedelta(hours=1)))
    assert "到期，请重新连接" in facts(reader.get("/accounts/m"), "身份与令牌")["令牌期限"]
    assert post


def test_check_now_from_the_account_s_page_comes_back_to_it(desk: Desk) -> None:
    reader = desk.sit()
    page = reader.post("/accounts/m", act="check", back="/accounts/m?done=check")
    assert (page.place, "已安排检查" in page.words()) == ("/accounts/m?done=check", True)
