"""值班: who is on duty, per unit and day; what he is told that nobody else is, or that cannot wait."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from bot import people
from bot.db import audits, duties, grants, notices, tellings
from bot.db import people as persons
from bot.errors import Invalid, NotAllowed
from bot.language import Say
from bot.model import Role
from bot.notices import open_notice
from bot.office import Office
from bot.people import duty
from bot.telling.planning import plan
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, url  # noqa: F401

TODAY = date(2026, 11, 24)
ADDRESSES = """
[notices.lin]
url = "json://127.0.0.1:9"
person = "lin"
kinds = ["review"]
[notices.zhou]
url = "json://127.0.0.1:9"
person = "zhou"
kinds = ["disk"]
"""
MATRIX = (
    builders.CONFIG
    + """
[units.health]
name = "卫健局"
parent = "county"
steps = [{ name = "签发", right = "sign" }]
"""
)


def put(office: Office, said: dict[date, str], unit: str = "county", by: str = "zhou") -> int:
    with office.db.write() as conn:
        who, place = builders.actor(conn, by), people.unit_of(conn, unit)["id"]
        return duty.put(conn, office.db.now(conn), who, place, said)


def who(office: Office, unit: str, on: date = TODAY) -> list[str]:
    with office.db.read() as conn:
        return [one["login"] for one in duty.on_duty(conn, people.unit_of(conn, unit)["id"], on)]


@both
def test_a_day_has_one_person_who_is_put_replaced_and_cleared(office: Office) -> None:
    tomorrow = TODAY + timedelta(1)
    assert put(office, {TODAY: "lin", tomorrow: "周文"}) == 2
    assert put(office, {TODAY: "lin", tomorrow: "lin"}) == 1
    assert put(office, {TODAY: ""}) == 1
    assert [(r["day"], r["unit_id"]) for r in rows(office, duties)] == [("2026-11-25", 1)]
    assert who(office, "county", tomorrow) == ["lin"]
    assert [r["verb"] for r in rows(office, audits)].count("duty.put") == 3


def test_a_unit_without_its_own_is_covered_by_the_one_above(office: Office) -> None:
    office = offices.declared(office, "", MATRIX)
    put(office, {TODAY: "lin", TODAY + timedelta(1): "lin"})
    put(office, {TODAY: "zhou"}, "health")
    assert who(office, "health") == ["zhou"]
    assert who(office, "health", TODAY + timedelta(1)) == ["lin"]
    assert who(office, "county") == ["lin"]
    with office.db.read() as conn:
        assert [r["login"] for r in duty.on_duty(conn, None, TODAY)] == ["lin"]


def test_only_whoever_reads_there_is_put_on_duty_by_whoever_runs_the_queue(office: Office) -> None:
    with office.db.write() as conn:
        builders.person(conn, "out", "外人")
        builders.person(conn, "twin", "周文", Role.RESPONDER)
        builders.person(conn, "he", "何答", Role.RESPONDER)
    for name, said in (("外人", "须能登录"), ("没有的", "须能登录"), ("周文", "请写登录名")):
        with pytest.raises(Invalid, match=said):
            put(office, {TODAY: name})
    with pytest.raises(NotAllowed):
        put(office, {TODAY: "lin"}, by="he")
    assert rows(office, duties) == []


def test_who_is_barred_is_not_on_duty(office: Office) -> None:
    put(office, {TODAY: "lin"})
    with office.db.write() as conn:
        conn.execute(persons.update().values(disabled=True))
    assert who(office, "county") == []


def test_who_may_not_go_on_duty_any_more_keeps_no_month_from_being_kept(office: Office) -> None:
    put(office, {TODAY: "lin"})
    with office.db.write() as conn:
        conn.execute(
            grants.delete().where(grants.c.person_id == builders.actor(conn, "lin").person)
        )
    assert put(office, {TODAY: "林岚", TODAY + timedelta(1): "zhou"}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "日期\t值班人\n2026-12-01\t林岚\n2026-12-02\tzhou\n",
        "日期,值班人\r\n2026/12/1,林岚\r\n2026年12月2日,zhou\r\n",
        "\ufeff2026-12-01 林岚 备注\n\n2026.12.02；zhou",
    ],
)
def test_a_pasted_table_is_read(text: str) -> None:
    assert duty.read(text) == {date(2026, 12, 1): "林岚", date(2026, 12, 2): "zhou"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "没有读到"),
        ("日期,值班人", "没有读到"),
        ("2026-12-01 林岚\n2026-13-02 周文", "第 2 行"),
        ("2026-12-01 林岚\n2026-12-02", "第 2 行"),
        ("2026-12-01 林岚\n2026-12-01 周文", "已排了别人"),
    ],
)
def test_a_table_with_a_line_nobody_understands_is_not_taken(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        duty.read(text)


# ---------------------------------------------------------------- what he is told


def _told(office: Office, key: str) -> set[str]:
    with office.db.write() as conn:
        now = office.db.now(conn)
        open_notice(conn, now, key, Say("出事了"), 1, "/")
        plan(office, conn, now)
    with office.db.read() as conn:
        of = select(tellings.c.address).join(notices, notices.c.id == tellings.c.notice_id)
        return set(conn.execute(of.where(notices.c.key == key)).scalars())


def test_who_is_on_duty_is_told_of_what_nobody_else_is_or_what_failed(office: Office) -> None:
    office = offices.declared(office, ADDRESSES)
    assert _told(office, "account:1") == set()
    assert _told(office, "disk") == {"zhou"}
    put(office, {TODAY: "lin"})
    assert _told(office, "account:2") == {"lin"}, "nobody else has it"
    assert _told(office, "delivery:1") == {"lin"}


def test_what_somebody_else_is_told_and_can_wait_is_not_told_twice(
    office: Office, clock: FixedClock
) -> None:
    office = offices.declared(office, ADDRESSES.replace('"disk"', '"disk", "delivery"'))
    put(office, {TODAY: "lin"})
    assert _told(office, "disk") == {"zhou"}
    assert _told(office, "delivery:1") == {"zhou", "lin"}
    clock.move(24 * 3600)
    assert _told(office, "delivery:2") == {"zhou"}, "yesterday's duty is over"


def test_the_office_may_leave_duty_out_of_it(office: Office) -> None:
    office = offices.declared(office, ADDRESSES + "[alarm]\nduty = false\n")
    put(office, {TODAY: "lin"})
    assert _told(office, "delivery:1") == set()
