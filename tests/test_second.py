"""The second factor: RFC vectors, a code once, recovery codes, who may take it away."""

from __future__ import annotations

import threading
from base64 import b32encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from sqlalchemy import Connection, insert, select

from bot import people, second
from bot.config.parts import PeoplePart
from bot.db import audits, recoveries, sessions
from bot.db import people as persons
from bot.errors import Conflict, Invalid, NotAllowed
from bot.model import Actor, Role
from bot.office import Office
from tests import builders
from tests.builders import NOW, actor

RFC = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "whole"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, whole: str) -> None:
    """Appendix B, SHA-1; its codes have 8 digits, ours are their last 6."""
    at = datetime.fromtimestamp(seconds, UTC)
    assert second.code(RFC, second.step_of(at)) == whole[-6:]


def test_an_authenticator_reads_the_address() -> None:
    parts = urlsplit(second.uri(RFC, "云澜县 公开栏", "zhou"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/云澜县 公开栏:zhou"
    assert parse_qs(parts.query) == {"secret": [RFC], "issuer": ["云澜县 公开栏"]}
    assert "+" not in parts.query, "authenticators show it as it stands"


class Holder:
    """Zhou with an authenticator in his hand."""

    def __init__(self, office: Office, conn: Connection) -> None:
        self.office, self.conn = office, conn
        self.who = actor(conn, "zhou")
        second.begin(conn, office.secrets, self.who)
        self.secret = second.waiting(conn, office.secrets, self.who)

    def code(self, at: datetime = NOW) -> str:
        return second.code(self.secret, second.step_of(at))

    def confirm(self) -> list[str]:
        return second.confirm(self.conn, self.office.secrets, NOW, self.who, self.code())

    def gives(self, said: str, at: datetime = NOW) -> bool:
        row = people.by_login(self.conn, "zhou")
        return second.redeem(self.conn, self.office.secrets, at, row, said, "10.0.0.1")


@pytest.fixture
def holder(office: Office) -> Iterator[Holder]:
    with office.db.write() as conn:
        yield Holder(office, conn)


def test_a_secret_counts_once_a_code_of_it_was_given(holder: Holder) -> None:
    conn = holder.conn
    second.begin(conn, holder.office.secrets, holder.who)
    assert second.waiting(conn, holder.office.secrets, holder.who) == holder.secret, "not another"
    for wrong in ("", "000000", holder.code(NOW + timedelta(hours=1)), "１２３４５６"):
        with pytest.raises(Invalid, match="动态口令不对"):
            second.confirm(conn, holder.office.secrets, NOW, holder.who, wrong)
    assert people.by_login(conn, "zhou")["totp_at"] is None
    assert len(set(holder.confirm())) == second.RECOVERIES
    assert people.by_login(conn, "zhou")["totp_at"] == NOW
    assert second.waiting(conn, holder.office.secrets, holder.who) == "", "shown no more"
    with pytest.raises(Conflict):
        second.begin(conn, holder.office.secrets, holder.who)
    with pytest.raises(Conflict):
        holder.confirm()


def test_a_code_is_taken_once_and_none_before_it(holder: Holder) -> None:
    holder.confirm()
    assert not holder.gives(holder.code()), "the one it was confirmed with"
    later = NOW + timedelta(seconds=60)
    before, now = holder.code(later - timedelta(seconds=30)), holder.code(later)
    assert holder.gives(f"{now[:3]} {now[3:]}", later), "as it is shown, with a space"
    assert not holder.gives(now, later)
    assert not holder.gives(before, later)
    at = NOW + timedelta(minutes=10)
    assert not holder.gives(holder.code(at - timedelta(seconds=60)), at), "two steps off"
    assert holder.gives(holder.code(at + timedelta(seconds=30)), at), "a clock a little fast"


def test_a_recovery_code_stands_for_one_and_new_ones_end_the_old(holder: Holder) -> None:
    codes = holder.confirm()
    assert holder.gives(codes[0].upper().replace("-", " "))
    assert not holder.gives(codes[0])
    assert not holder.gives("")
    new = second.renew(holder.conn, NOW, holder.who)
    assert not holder.gives(codes[1])
    assert holder.gives(new[1])


def test_of_two_at_once_with_one_code_only_one_comes_in(office: Office) -> None:
    with office.db.write() as conn:
        holder = Holder(office, conn)
        codes = holder.confirm()
    later = NOW + timedelta(minutes=5)
    for said in (holder.code(later), codes[0]):
        with office.db.read() as conn:
            row = people.by_login(conn, "zhou")
        came: list[bool] = []
        ready = threading.Barrier(4)

        def _try(said: str = said, row: Any = row, ready: Any = ready, came: Any = came) -> None:
            ready.wait()
            with office.db.write() as conn:
                came.append(second.redeem(conn, office.secrets, later, row, said, "x"))

        threads = [threading.Thread(target=_try) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(came) == [False] * 3 + [True]


def test_neither_store_nor_trail_holds_what_a_person_holds(holder: Holder) -> None:
    codes = holder.confirm()
    holder.gives(codes[0])
    second.renew(holder.conn, NOW, holder.who)
    second.drop(holder.conn, NOW, holder.office.config, holder.who)
    rows = [holder.conn.execute(select(table)).all() for table in (persons, recoveries, audits)]
    for secret in (holder.secret, holder.code(), *codes, codes[0].replace("-", "")):
        assert secret not in str(rows)
    verbs = holder.conn.execute(select(audits.c.verb).order_by(audits.c.id)).scalars().all()
    ways = ["totp", "recovery", "recoveries", "totp-reset"]
    assert verbs == [f"person.{way}" for way in ways]


def test_confirming_ends_the_sessions_that_came_in_without_it(holder: Holder) -> None:
    row = {"person_id": holder.who.person, "created_at": NOW, "seen_at": NOW, "ends_at": NOW}
    holder.conn.execute(insert(sessions), [{"id": "this", **row}, {"id": "other", **row}])
    vault = holder.office.secrets
    second.confirm(holder.conn, vault, NOW, holder.who, holder.code(), "this")
    assert holder.conn.execute(select(sessions.c.id)).scalars().all() == ["this"]


def test_only_another_who_administers_takes_it_away(holder: Holder) -> None:
    conn = holder.conn
    holder.confirm()
    builders.unit(conn, "town", people.unit_of(conn, "county")["id"])
    builders.person(conn, "below", "下属", Role.ADMINISTRATOR, "town")
    for login in ("lin", "below", "zhou"):
        with pytest.raises(NotAllowed):
            second.reset(conn, NOW, actor(conn, login), "zhou")
    second.reset(conn, NOW, actor(conn, "gu"), "zhou")
    row = people.by_login(conn, "zhou")
    assert (row["totp"], row["totp_at"]) == ("", None)
    assert conn.execute(select(recoveries)).first() is None
    with pytest.raises(Conflict):
        second.reset(conn, NOW, actor(conn, "gu"), "zhou")
    with pytest.raises(Conflict, match="另一名管理员"):
        second.reset(conn, NOW, actor(conn, "gu"), "gu")
    second.begin(conn, holder.office.secrets, holder.who)
    assert second.waiting(conn, holder.office.secrets, holder.who) != holder.secret
    second.reset(conn, NOW, Actor(None, "shell:root", "cli"), "zhou")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_who_must_have_one_does_not_do_without(office: Office) -> None:
    def under(rule: str) -> Office:
        part = PeoplePart.model_validate({"totp": rule})
        return Office(office.config.model_copy(update={"people": part}), office.db)

    with office.db.write() as conn:
        builders.unit(conn, "town", people.unit_of(conn, "county")["id"])
        builders.person(conn, "han", "韩梅", Role.SIGNER, "town")
        builders.person(conn, "bare", "白丁")
        logins = ("gu", "zhou", "lin", "han", "bare")
        ids = {login: people.by_login(conn, login)["id"] for login in logins}
        must = {
            rule: {one for one in logins if second.wanted(conn, under(rule).config, ids[one])}
            for rule in ("optional", "signers", "all")
        }
        assert must == {"optional": set(), "signers": {"lin", "han"}, "all": set(logins)}
        with pytest.raises(Conflict, match="不能停用"):
            second.drop(conn, NOW, under("all").config, actor(conn, "zhou"))


def test_after_a_restore_no_second_factor_holds(holder: Holder) -> None:
    conn = holder.conn
    holder.confirm()
    people.put_to_sleep(conn)
    assert people.by_login(conn, "zhou")["totp_at"] is None
    assert conn.execute(select(recoveries)).first() is None
