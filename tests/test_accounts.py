"""Accounts: taken from the file, connected by proof, checked now and then; a secret goes nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import RowMapping, update

from bot.db import accounts, audits, deliveries, standings, watches
from bot.deliver import accounts as stage
from bot.deliver import connecting
from bot.errors import AccountBroken, ConfigError, Conflict, Invalid, Later, NotAllowed, NotFound
from bot.language import Say
from bot.model import AccountState, Checked, DeliveryState
from bot.office import Office
from bot.speaking import Adapters
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.mastodon import running as microblog
from tests.fakes.server import Fault, Request, Response, Server, limited, named
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
PART = """
[accounts.{key}]
unit = "county"
adapter = "mastodon"
gap = "2s"
[accounts.{key}.options]
url = "{url}"
"""


class Desk:
    """An office with the account `m` of one microblog server."""

    def __init__(self, office: Office, fake: Mastodon, server: Server) -> None:
        self.fake, self.server = fake, server
        self.office = offices.declared(office, PART.format(key="m", url=server.url))

    def connect(self, credential: str = "token-1", by: str = "gu", **more: Any) -> Checked:
        with self.office.db.read() as conn:
            who = builders.actor(conn, by)
        return asyncio.run(stage.connect(self.office, who, "m", credential, **more))

    def check(self, later: float = 0) -> int:
        """The accounts whose time has come."""
        self.office.db.clock.move(later)  # type: ignore[attr-defined]
        return asyncio.run(_check_due(self.office))

    @property
    def row(self) -> RowMapping:
        return next(row for row in rows(self.office, accounts) if row["key"] == "m")

    @property
    def secret(self) -> str:
        return self.office.secrets.open(self.row["credential"])

    def verbs(self) -> list[str]:
        return [row["verb"] for row in rows(self.office, audits)]


async def _check_due(office: Office) -> int:
    adapters = Adapters(office)
    try:
        return await stage.check_due(office, adapters)
    finally:
        await adapters.aclose()


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with microblog(accounts=3) as (fake, server):
        yield Desk(office, fake, server)


# ---------------------------------------------------------------- the file


def test_what_the_file_says_is_taken_in(desk: Desk) -> None:
    row = desk.row
    assert (row["state"], row["name"], row["gap_ms"]) == ("active", "Mastodon", 2000)
    assert (row["host"], row["identity"], row["credential"]) == ("127.0.0.1", "", "")
    assert row["capabilities"]["text_limit"] == 500


@both
def test_what_the_platform_said_of_itself_outlives_the_next_start(desk: Desk) -> None:
    desk.fake.manners.limit = 1234
    desk.connect()
    assert desk.row["capabilities"]["text_limit"] == 1234
    before = desk.row
    offices.declared(desk.office, PART.format(key="m", url=desk.server.url))
    assert desk.row == before
    faster = PART.format(key="m", url=desk.server.url).replace("2s", "5s")
    offices.declared(desk.office, faster)
    assert (desk.row["gap_ms"], desk.row["capabilities"]["text_limit"]) == (5000, 1234)


def test_a_key_that_vanished_pauses_and_keeps_its_queue(desk: Desk) -> None:
    desk.connect()
    post = builders.signed(desk.office, ["m"])
    made = offices.declared(desk.office, "")
    assert desk.row["state"] == AccountState.PAUSED
    builders.work(made)
    assert builders.only(made, post)["state"] == S.READY
    assert desk.fake.posts() == []


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ('adapter = "mastodno"', "mastodon"),
        ('adapter = "mastodon"\n[accounts.m.options]\nurk = "x"', "url"),
        ('adapter = "mastodon"\n[accounts.m.options]\nurl = "ftp://x"', "https://"),
        ('adapter = "mastodon"', "url"),
    ],
)
def test_a_mistake_in_an_account_is_named_with_its_line(
    office: Office, wrong: str, near: str
) -> None:
    with pytest.raises(ConfigError, match=near) as caught:
        offices.declared(office, f'[accounts.m]\nunit = "county"\n{wrong}\n')
    assert "config.toml 第" in str(caught.value)


def test_a_token_in_a_file_is_the_account_s_credential(desk: Desk) -> None:
    file = desk.office.config.path.parent / "token"
    part = PART.format(key="m", url=desk.server.url)
    part = part.replace('gap = "2s"', 'token_file = "token"')
    with pytest.raises(ConfigError, match=r"第 \d+ 行：读不到凭据文件 token"):
        offices.declared(desk.office, part)
    file.write_text("token-1\n", "utf-8")
    desk.office = offices.declared(desk.office, part)
    assert desk.check() == 1
    assert (desk.row["identity_name"], desk.secret) == ("office1", "token-1")
    desk.office = offices.declared(desk.office, part)
    assert desk.check() == 0, "nothing new"
    file.write_text("token-2\n", "utf-8")
    desk.office = offices.declared(desk.office, part)
    desk.check()
    assert desk.row["state"] == AccountState.BROKEN, "another identity is a person's to confirm"


# ---------------------------------------------------------------- connecting


def test_a_credential_is_kept_once_it_has_worked(desk: Desk) -> None:
    found = desk.connect()
    assert found.identity.name == "office1"
    row = desk.row
    assert row["identity"].endswith("/100001")
    assert (row["state"], row["broken"], desk.secret) == ("active", None, "token-1")
    assert "token-1" not in str(dict(row))
    assert desk.verbs() == ["account.connect"]
    assert "token-1" not in str(rows(desk.office, audits))
    assert [w["delivery_id"] for w in rows(desk.office, watches)] == [None], (
        "mentions are collected"
    )
    desk.connect()
    assert len(rows(desk.office, watches)) == 1


@pytest.mark.parametrize("bad", ["nonsense", ""])
def test_a_credential_that_does_not_work_leaves_the_old_one(desk: Desk, bad: str) -> None:
    desk.connect()
    before = desk.row
    with pytest.raises(AccountBroken):
        desk.connect(bad)
    assert desk.row == before


@pytest.mark.parametrize("fault", [limited(), named("cut_before"), named("html_502")])
def test_a_platform_that_does_not_answer_leaves_the_old_one(desk: Desk, fault: Fault) -> None:
    desk.connect()
    before = desk.row
    desk.server.faults.script(fault, times=9)
    with pytest.raises(Later):
        desk.connect("token-1")
    assert desk.row == before


@both
def test_a_guided_path_is_gone_through_once_by_whoever_began_it(desk: Desk) -> None:
    with desk.office.db.read() as conn:
        who, editor = builders.actor(conn, "gu"), builders.actor(conn, "zhou")
    office, back = desk.office, "https://gk.example.cn/account/return"
    with pytest.raises(NotAllowed):
        asyncio.run(connecting.begin(office, editor, "m", "s1", back))
    for session in ("s1", "s2"):  # each has its own
        path = asyncio.run(connecting.begin(office, who, "m", session, back))
    assert (path.returns, path.found) == (True, None)
    said = dict(parse_qsl(urlsplit(path.url).query))
    query = {"state": said["state"], "code": "token-1"}
    with pytest.raises(Invalid, match="在同一个浏览器里"):
        asyncio.run(connecting.returned(office, who, "s1", query))
    assert asyncio.run(connecting.returned(office, who, "s2", query)) == "m"
    with pytest.raises(Invalid, match="已经用过"):
        asyncio.run(connecting.returned(office, who, "s2", query))
    with office.db.read() as conn:
        waits = connecting.standing(office, conn, who, "m", "s2")
    assert waits is not None
    assert waits.found is not None
    assert waits.found["name"] == "office1"
    assert desk.row["credential"] == ""
    asyncio.run(connecting.keep(office, who, "m", "s2"))
    assert desk.secret == "token-1"
    with pytest.raises(Conflict, match="没有等着保存"):
        asyncio.run(connecting.keep(office, who, "m", "s2"))


def test_what_is_kept_is_what_was_shown(desk: Desk) -> None:
    with desk.office.db.read() as conn:
        who = builders.actor(conn, "gu")
    asyncio.run(connecting.handed(desk.office, who, "m", "s1", "token-1"))
    desk.fake.tokens["token-1"] = desk.fake.tokens["token-2"]
    with pytest.raises(Conflict, match="与刚才显示的不同"):
        asyncio.run(connecting.keep(desk.office, who, "m", "s1"))
    assert desk.row["credential"] == ""


def test_another_identity_is_refused_unless_it_is_meant(desk: Desk) -> None:
    desk.connect()
    before = desk.row
    with pytest.raises(Conflict, match=r"office2.*office1"):
        desk.connect("token-2")
    assert desk.row == before
    desk.connect("token-2", another=True)
    assert (desk.row["identity_name"], desk.secret) == ("office2", "token-2")
    what = rows(desk.office, audits)[-1]["data"]
    assert (what["instead_of"], what["identity"]) == (before["identity"], desk.row["identity"])


def test_another_identity_sends_nothing_signed_for_the_old_and_ends_trust_in_it(
    desk: Desk, clock: FixedClock
) -> None:
    desk.connect()
    post = builders.signed(desk.office, ["m"])
    with desk.office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        conn.exec_driver_sql(
            "insert into sources (id, key, unit_id) select 1, 's', id from units limit 1"
        )
        row = {"unit_id": 1, "source_id": 1, "signer_id": lin.person, "daily_max": 1}
        times = {"begins": clock.now(), "ends": clock.now() + timedelta(days=1)}
        conn.execute(standings.insert().values(**row, **times, accounts=["m"]))
    desk.connect("token-2", another=True)
    builders.work(desk.office)
    assert desk.fake.posts() == []
    assert "身份" in str(Say.of(builders.only(desk.office, post)["reason"]))
    assert rows(desk.office, standings)[0]["ended_at"] == clock.now()


@both
def test_a_broken_account_works_again_and_its_queue_with_it(desk: Desk) -> None:
    desk.connect()
    post = builders.signed(desk.office, ["m"])
    desk.fake.dead.add("token-1")
    builders.work(desk.office)
    assert desk.row["state"] == AccountState.BROKEN
    assert builders.only(desk.office, post)["state"] == S.READY
    (said,) = told(desk.office)
    assert "队列保留" in said
    desk.fake.dead.clear()
    desk.connect()
    assert told(desk.office) == []
    builders.work(desk.office)
    assert builders.only(desk.office, post)["state"] == S.SENT


def test_only_a_person_lets_a_broken_account_work_again(desk: Desk) -> None:
    desk.connect()
    post = builders.signed(desk.office, ["m"])
    desk.fake.dead.add("token-1")
    builders.work(desk.office)
    desk.fake.dead.clear()
    for _ in range(2):
        desk.check(6 * 3600)
        assert desk.row["state"] == AccountState.BROKEN
        assert "平台现在又认" in str(Say.of(desk.row["broken"]))
    assert len(told(desk.office)) == 1
    with desk.office.db.write() as conn:
        now = desk.office.db.now(conn)
        with pytest.raises(NotAllowed):
            stage.ask_check(conn, now, builders.actor(conn, "lin"), "m")
        stage.ask_check(conn, now, builders.actor(conn, "gu"), "m")
    assert desk.check() == 1
    assert (desk.row["state"], desk.row["broken"], told(desk.office)) == ("active", None, [])
    assert builders.only(desk.office, post)["state"] == S.READY


def test_options_that_were_mended_in_the_file_are_a_person_s_deed(desk: Desk) -> None:
    desk.connect()
    right = desk.server.url
    for address, state in ((f"{right}/nowhere", "broken"), (right, "active")):
        desk.office = offices.declared(desk.office, PART.format(key="m", url=address))
        desk.check()
        assert desk.row["state"] == state


def test_a_new_token_s_file_is_a_person_s_deed(desk: Desk) -> None:
    file = desk.office.config.path.parent / "token"
    part = PART.format(key="m", url=desk.server.url)
    part = part.replace('gap = "2s"', 'token_file = "token"')
    file.write_text("token-0\n", "utf-8")
    for token, state in (("token-0", "broken"), ("token-1", "active")):
        file.write_text(token, "utf-8")
        desk.office = offices.declared(desk.office, part)
        desk.check()
        assert desk.row["state"] == state


def test_what_is_not_declared_is_not_connected(desk: Desk) -> None:
    with desk.office.db.read() as conn:
        gu = builders.actor(conn, "gu")
    with pytest.raises(NotFound, match=r"config\.toml"):
        asyncio.run(stage.connect(desk.office, gu, "nosuch", "token-1"))


# ---------------------------------------------------------------- checking


def test_an_account_is_checked_every_six_hours(desk: Desk, clock: FixedClock) -> None:
    desk.connect()
    assert desk.row["due_at"] - clock.now() == timedelta(hours=6)
    assert desk.check(3600) == 0
    desk.fake.manners.limit = 777
    assert desk.check(5 * 3600) == 1
    assert desk.row["capabilities"]["text_limit"] == 777
    assert (desk.row["checked_at"], desk.row["lease"]) == (clock.now(), None)


def test_a_dead_token_breaks_the_account_and_is_told_once(desk: Desk, clock: FixedClock) -> None:
    desk.connect()
    desk.fake.dead.add("token-1")
    for _ in range(4):
        assert desk.check(6 * 3600) == 1
    assert (desk.row["state"], len(told(desk.office))) == (AccountState.BROKEN, 1)
    assert desk.verbs().count("account.broken") == 1
    assert desk.row["due_at"] - clock.now() == timedelta(minutes=10)


def test_an_identity_that_changed_by_itself_breaks_the_account(desk: Desk) -> None:
    desk.connect()
    with desk.office.db.write() as conn:
        conn.execute(update(accounts).values(credential=desk.office.secrets.seal("token-2")))
    desk.check(6 * 3600)
    assert desk.row["state"] == AccountState.BROKEN
    assert desk.row["identity"].endswith("/100001")
    assert "office2" in told(desk.office)[0]


def test_a_platform_that_is_down_breaks_nothing(desk: Desk, clock: FixedClock) -> None:
    desk.connect()
    desk.server.faults.script(named("html_502"), times=99)
    desk.check(6 * 3600)
    assert desk.row["state"] == AccountState.ACTIVE
    assert desk.row["due_at"] - clock.now() == timedelta(minutes=10)
    assert told(desk.office) == []


def test_a_check_under_way_while_another_credential_is_connected_breaks_nothing(
    desk: Desk,
) -> None:
    desk.connect()

    async def _scene() -> None:
        adapters = Adapters(desk.office)
        old = await adapters.of(desk.row["id"])
        await asyncio.to_thread(desk.connect, "token-2", another=True)
        assert await stage.check(desk.office, old, desk.row["id"]) is None
        await adapters.aclose()

    asyncio.run(_scene())
    assert (desk.row["state"], desk.row["identity_name"]) == (AccountState.ACTIVE, "office2")


@both
def test_an_account_that_cannot_even_be_asked_keeps_no_other_waiting(
    desk: Desk, clock: FixedClock
) -> None:
    """Its options are of an older version; the next one's secret cannot be opened."""
    more = "".join(PART.format(key=k, url=desk.server.url) for k in ("a", "b", "m"))
    desk.office = offices.declared(desk.office, more)
    desk.connect()
    with desk.office.db.write() as conn:
        for key, values in (("a", {"options": {"of": "old"}}), ("b", {"credential": "torn"})):
            conn.execute(update(accounts).where(accounts.c.key == key).values(**values))
        conn.execute(update(accounts).values(due_at=clock.now()))
    clock.move(1)
    assert desk.check() == 3
    assert desk.row["checked_at"] == clock.now()
    by_key = {row["key"]: row for row in rows(desk.office, accounts)}
    for key in ("a", "b"):
        assert by_key[key]["broken"]
        assert by_key[key]["lease"] is None
        assert by_key[key]["due_at"] - clock.now() == timedelta(minutes=10)


def test_a_secret_is_never_sent_to_another_host(desk: Desk, clock: FixedClock) -> None:
    """config.toml now names another server: its check must not hand over the old token."""
    desk.connect()
    seen: list[str] = []

    def _note(request: Request) -> Response:
        seen.append(request.headers.get("authorization", ""))
        return Response(401)

    with Server(_note) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        desk.office = offices.declared(desk.office, PART.format(key="m", url=elsewhere))
        for _ in range(3):
            desk.check(6 * 3600)
        assert desk.row["state"] == AccountState.BROKEN
        assert "重新连接" in told(desk.office)[0]
    assert not [header for header in seen if "token-1" in header]


# ---------------------------------------------------------------- pausing


def test_a_paused_account_sends_nothing_is_not_checked_and_keeps_its_queue(desk: Desk) -> None:
    desk.connect()
    post = builders.signed(desk.office, ["m"])
    _pause(desk, True)
    builders.work(desk.office)
    assert desk.check(7 * 3600) == 0
    assert builders.only(desk.office, post)["state"] == S.READY
    with desk.office.db.write() as conn:
        soon = desk.office.db.now(conn) + timedelta(hours=1)
        conn.execute(update(deliveries).values(latest_at=soon))
    _pause(desk, False)
    assert desk.check() == 1
    assert desk.verbs()[-2:] == ["account.pause", "account.activate"]


def _pause(desk: Desk, paused: bool) -> None:
    with desk.office.db.write() as conn:
        now, gu = desk.office.db.now(conn), builders.actor(conn, "gu")
        stage.pause(conn, now, gu, "m", paused)


def test_a_broken_account_is_connected_not_activated(desk: Desk) -> None:
    with desk.office.db.write() as conn:
        conn.execute(update(accounts).values(state=AccountState.BROKEN))
    for paused in (True, False):
        with pytest.raises(Conflict, match="重新连接"):
            _pause(desk, paused)
