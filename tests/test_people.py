"""Who may do what where."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from bot import people
from bot.db import Database, audits, grants, sessions, units
from bot.db import people as persons
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.model import MACHINE, Actor, Right, Role
from bot.office import Office
from tests import builders
from tests.builders import NOW, actor

# Every role against every right, written down apart from the program: a change shows here.
TABLE = """
                read submit write review sign record schedule stop reply admin
contributor     -    x      -     -      -    -      -        -    -     -
editor          x    x      x     -      -    -      x        x    -     -
reviewer        x    -      -     x      -    -      -        x    -     -
signer          x    -      -     x      x    -      x        x    -     -
responder       x    -      x     -      -    -      -        -    x     -
supervisor      x    -      -     -      -    -      -        -    -     -
administrator   x    -      -     -      -    x      x        x    -     x
"""
COLUMNS = [Right(word) for word in TABLE.split("\n")[1].split()]
ROLES = [line.split() for line in TABLE.strip().split("\n")[1:]]
CELLS = [
    (Role(name), right, mark == "x")
    for name, *marks in ROLES
    for right, mark in zip(COLUMNS, marks, strict=True)
]
LEVELS = ("province", "city", "county", "town")


@pytest.fixture
def tree(database: Database) -> Database:
    """province > city > county > town, and another county beside; a person for each role, at city."""
    with database.write() as conn:
        above = None
        for key in LEVELS:
            above = builders.unit(conn, key, above)
        builders.unit(conn, "beside", people.unit_of(conn, "city")["id"])
        for role in Role:
            builders.person(conn, role, f"某{role}", role, "city")
    return database


def at(conn: Connection, key: str) -> int:
    return int(people.unit_of(conn, key)["id"])


# ---------------------------------------------------------------- roles and rights


def test_the_table_names_every_role_and_every_right() -> None:
    assert {role for role, _, _ in CELLS} == set(Role)
    assert set(COLUMNS) == set(Right) == set(people.WORDS)
    assert set(people.ROLE_WORDS) == set(Role)


def test_every_role_has_the_rights_of_the_table_and_no_others(tree: Database) -> None:
    with tree.read() as conn:
        city = at(conn, "city")
        has = {
            (role, right): people.may(conn, actor(conn, role), right, city)
            for role, right, _ in CELLS
        }
        able = {right: set(people.able(conn, right, city)) for right in Right}
        ids = {role: people.by_login(conn, role)["id"] for role in Role}
    assert has == {(role, right): wanted for role, right, wanted in CELLS}
    for right in Right:
        assert able[right] == {ids[role] for role, r, wanted in CELLS if r is right and wanted}


def test_a_role_holds_below_its_unit_and_nowhere_else(tree: Database) -> None:
    with tree.read() as conn:
        signer = actor(conn, Role.SIGNER)
        may = {k: people.may(conn, signer, Right.SIGN, at(conn, k)) for k in (*LEVELS, "beside")}
        mine = people.unit_ids(conn, signer, Right.SIGN)
        below = people.below(conn, at(conn, "city"))
        names = {key: at(conn, key) for key in may}
    assert may == {"province": False, "city": True, "county": True, "town": True, "beside": True}
    assert mine == below == {names[key] for key, ok in may.items() if ok}


def test_roles_at_several_units_add_up(tree: Database) -> None:
    with tree.write() as conn:
        builders.grant(conn, people.by_login(conn, Role.SUPERVISOR)["id"], Role.EDITOR, "town")
        supervisor = actor(conn, Role.SUPERVISOR)
        assert Right.WRITE in people.rights(conn, supervisor, at(conn, "town"))
        assert people.rights(conn, supervisor, at(conn, "county")) == {Right.READ}
        assert people.unit_ids(conn, supervisor, Right.WRITE) == {at(conn, "town")}


def test_units_that_stand_above_each_other_end_no_question(tree: Database) -> None:
    with tree.write() as conn:
        top = update(units).where(units.c.key == "province")
        conn.execute(top.values(parent_id=at(conn, "town")))
        assert set(people.ancestry(conn, at(conn, "city"))) >= {at(conn, "town")}
        people.unit_ids(conn, actor(conn, Role.EDITOR))


def test_the_machine_and_strangers_have_no_right(tree: Database) -> None:
    with tree.read() as conn:
        for nobody in (MACHINE, Actor(4040, "过客", "10.0.0.1")):
            assert people.rights(conn, nobody, at(conn, "city")) == frozenset()
            assert people.unit_ids(conn, nobody) == set()


def test_a_refusal_says_who_may(office: Office) -> None:
    with office.db.read() as conn:
        people.require(conn, actor(conn, "lin"), Right.SIGN, at(conn, "county"))
        with pytest.raises(NotAllowed) as refused:
            people.require(conn, actor(conn, "zhou"), Right.SIGN, at(conn, "county"))
    assert str(refused.value) == "周文没有“签发”的权限；请由签发人办理"


# ---------------------------------------------------------------- disabled


def test_a_disabled_person_may_nothing(tree: Database) -> None:
    with tree.write() as conn:
        conn.execute(update(persons).values(disabled=True))
    with tree.read() as conn:
        for role, right, _ in CELLS:
            assert not people.may(conn, actor(conn, role), right, at(conn, "city"))
            assert people.unit_ids(conn, actor(conn, role), right) == set()
            assert people.able(conn, right, at(conn, "city")) == []


def test_disabling_ends_the_sessions_and_can_be_undone(office: Office) -> None:
    with office.db.write() as conn:
        gu, zhou = actor(conn, "gu"), actor(conn, "zhou")
        session = {"id": "s", "person_id": zhou.person, "created_at": NOW, "seen_at": NOW}
        conn.execute(insert(sessions).values(**session, ends_at=NOW))
        people.disable(conn, NOW, gu, "zhou")
        assert conn.execute(select(sessions)).first() is None
        assert not people.may(conn, zhou, Right.WRITE, at(conn, "county"))
        people.disable(conn, NOW, gu, "zhou", disabled=False)
        assert people.may(conn, zhou, Right.WRITE, at(conn, "county"))
        verbs = conn.execute(select(audits.c.verb).order_by(audits.c.id)).scalars().all()
    assert verbs == ["person.disable", "person.enable"]


# ---------------------------------------------------------------- making and changing people


def test_the_first_person_is_made_with_a_password_shown_once(database: Database) -> None:
    with database.write() as conn:
        builders.unit(conn, "county")
        password = people.add(conn, NOW, MACHINE, "gu", "顾明", "county", Role.ADMINISTRATOR)
        row = people.by_login(conn, "gu")
        assert len(password) >= 12
        assert row["must_change"]
        assert row["password"].startswith("$argon2id$")
        assert people.matches(row, password)
        assert not people.matches(row, password + "x")
        assert password not in str(conn.execute(select(audits)).all())


def test_an_administrator_makes_the_others(office: Office) -> None:
    with office.db.write() as conn:
        gu = actor(conn, "gu")
        people.add(conn, NOW, gu, "han", "韩梅", "county", Role.REVIEWER)
        assert people.may(conn, actor(conn, "han"), Right.REVIEW, at(conn, "county"))
        with pytest.raises(Conflict, match="登录名"):
            people.add(conn, NOW, gu, "han", "韩雪", "county", Role.EDITOR)
        with pytest.raises(NotFound):
            people.add(conn, NOW, gu, "xu", "徐立", "nowhere", Role.EDITOR)


def test_granting_twice_is_once_and_revoking_takes_it_back(office: Office) -> None:
    with office.db.write() as conn:
        gu, zhou = actor(conn, "gu"), actor(conn, "zhou")
        for _ in range(2):
            people.grant(conn, NOW, gu, "zhou", "county", Role.SIGNER)
        assert people.may(conn, zhou, Right.SIGN, at(conn, "county"))
        people.revoke(conn, NOW, gu, "zhou", "county", Role.SIGNER)
        assert not people.may(conn, zhou, Right.SIGN, at(conn, "county"))
        assert people.may(conn, zhou, Right.WRITE, at(conn, "county"))
        verbs = conn.execute(select(audits.c.verb).order_by(audits.c.id)).scalars().all()
    assert verbs == ["person.grant", "person.revoke"]


ACTS: dict[str, Any] = {
    "add": lambda conn, who: people.add(conn, NOW, who, "xu", "徐立", "county", Role.SIGNER),
    "grant": lambda conn, who: people.grant(conn, NOW, who, "zhou", "county", Role.SIGNER),
    "revoke": lambda conn, who: people.revoke(conn, NOW, who, "lin", "county", Role.SIGNER),
    "disable": lambda conn, who: people.disable(conn, NOW, who, "lin"),
    "disable one without a role": lambda conn, who: people.disable(conn, NOW, who, "bare"),
    "password": lambda conn, who: people.set_password(conn, NOW, who, "lin", "x" * 12),
    "password of one without a role": lambda conn, who: people.set_password(
        conn, NOW, who, "bare", "x" * 12
    ),
}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("act", ACTS)
def test_only_an_administrator_of_all_that_is_touched_may(office: Office, act: str) -> None:
    with office.db.write() as conn:
        county = at(conn, "county")
        builders.person(conn, "bare", "白丁")
        builders.unit(conn, "town", county)
        builders.person(conn, "below", "下属", Role.ADMINISTRATOR, "town")
        for login in ("zhou", "below"):
            with pytest.raises(NotAllowed):
                ACTS[act](conn, actor(conn, login))
        assert conn.execute(select(audits)).first() is None
        ACTS[act](conn, actor(conn, "gu"))
        assert conn.execute(select(audits)).first()


# ---------------------------------------------------------------- passwords


def test_anyone_sets_his_own_password_and_his_sessions_end(office: Office) -> None:
    with office.db.write() as conn:
        zhou = actor(conn, "zhou")
        session = {"id": "s", "person_id": zhou.person, "created_at": NOW, "seen_at": NOW}
        conn.execute(insert(sessions).values(**session, ends_at=NOW))
        people.set_password(conn, NOW, zhou, "zhou", "another-one")
        row = people.by_login(conn, "zhou")
        assert people.matches(row, "another-one")
        assert not people.matches(row, builders.PASSWORD)
        assert not row["must_change"]
        assert conn.execute(select(sessions)).first() is None
        with pytest.raises(Invalid, match="10"):
            people.set_password(conn, NOW, zhou, "zhou", "x" * 9)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_who_has_no_password_cannot_come_in(office: Office) -> None:
    with office.db.write() as conn:
        conn.execute(update(persons).values(password=""))
        for attempt in ("", "x"):
            assert not people.matches(people.by_login(conn, "zhou"), attempt)


def test_a_role_needs_a_person_and_a_unit(office: Office) -> None:
    with office.db.write() as conn:
        gu = actor(conn, "gu")
        with pytest.raises(NotFound, match="nobody"):
            people.grant(conn, NOW, gu, "nobody", "county", Role.EDITOR)
        with pytest.raises(NotFound, match="nowhere"):
            people.grant(conn, NOW, gu, "zhou", "nowhere", Role.EDITOR)
        assert len(conn.execute(select(grants)).all()) == 3
