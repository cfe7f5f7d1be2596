"""代签: acting in the place of who is away; and everything that must not be got by it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from bot import compose, people, review
from bot import notices as incidents
from bot.backup import aftermath
from bot.compose import Body
from bot.config.parts import PeoplePart
from bot.db import audits, delegations, notices, posts, revisions, signoffs, tellings
from bot.db import people as persons
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, PostState, Role, Verdict
from bot.office import Office
from bot.people import duty
from bot.review import Decision
from bot.telling import look_around
from bot.telling.planning import plan
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, url  # noqa: F401

UNITS = """
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
[units.health]
name = "卫健局"
parent = "county"
steps = [{ name = "科室核稿", right = "review" }, { name = "签发", right = "sign" }]
[units.fire]
name = "消防"
"""
HAND = offices.HAND.format(key="hand")
DAY = timedelta(days=1)


@pytest.fixture
def desk(office: Office) -> Office:
    """初审 by `shen`, 签发 by `lin`; `fu` is an editor, `zheng` of fire, `jian` of health below."""
    made = offices.declared(office, HAND, UNITS)
    with made.db.write() as conn:
        builders.person(conn, "shen", "沈棠", Role.REVIEWER)
        builders.person(conn, "fu", "傅言", Role.EDITOR)
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
        builders.person(conn, "zheng", "郑消", Role.EDITOR, "fire")
        builders.person(conn, "jian", "简医", Role.EDITOR, "health")
        builders.person(conn, "bao", "鲍信", Role.CONTRIBUTOR)
    return made


def named(
    office: Office,
    giver: str = "lin",
    taker: str = "fu",
    steps: Sequence[str] = ("签发",),
    *,
    unit: str = "county",
    begins: datetime | None = None,
    ends: datetime | None = None,
    reason: str = "赴省开会",
) -> int:
    with office.db.write() as conn:
        now = office.db.now(conn)
        return review.delegate(
            office, conn, now, builders.actor(conn, giver), taker, unit=unit, steps=steps,
            begins=begins, ends=ends or now + 3 * DAY, reason=reason,
        )  # fmt: skip


def submitted(office: Office, by: str = "zhou", **more: Any) -> int:
    post = builders.draft(office, ["hand"], by=by, **more)
    with office.db.write() as conn:
        review.submit(office, conn, office.db.now(conn), builders.actor(conn, by), post)
    return post


def decide(
    office: Office, post: int, by: str, behalf: str = "", verdict: Verdict = Verdict.PASS
) -> PostState:
    with office.db.write() as conn:
        query = select(revisions.c.digest).join(posts, posts.c.revision_id == revisions.c.id)
        digest = conn.execute(query.where(posts.c.id == post)).scalar_one()
        word = Decision(verdict, digest, "请核", behalf=behalf)
        who = builders.actor(conn, by)
        return review.decide(office, conn, office.db.now(conn), who, post, word)


def waiting(office: Office, login: str) -> list[tuple[int, list[str]]]:
    with office.db.read() as conn:
        found = review.waiting_for(office, conn, builders.actor(conn, login))
        return [(row["id"], row["behalf"]) for row in found]


def verbs(office: Office, subject: str) -> list[str]:
    with office.db.read() as conn:
        query = select(audits.c.verb).where(audits.c.subject == subject).order_by(audits.c.id)
        return list(conn.execute(query).scalars())


# ---------------------------------------------------------------- what it gives


@both
def test_who_was_named_signs_in_the_place_of_who_named_him_and_it_says_so(desk: Office) -> None:
    one = named(desk)
    post = submitted(desk)
    decide(desk, post, "shen")
    assert waiting(desk, "fu") == [(post, ["lin"])]
    assert decide(desk, post, "fu", "lin") is PostState.APPROVED
    with desk.db.read() as conn:
        last = review.trail(conn, post)[-1]
    assert (last["step_name"], last["name"], last["behalf"]) == ("签发", "傅言", "林岚")
    assert last["delegation_id"] == one
    assert verbs(desk, f"delegation:{one}") == ["delegation.make", "delegation.use"]
    (passed,) = (
        r for r in rows(desk, audits) if r["verb"] == "post.pass" and "behalf" in r["data"]
    )
    assert (passed["actor"], passed["data"]["delegation"]) == ("傅言", one)


def test_it_begins_and_ends_by_itself_and_voids_nothing(desk: Office, clock: FixedClock) -> None:
    now = clock.now()
    named(desk, begins=now + DAY, ends=now + 2 * DAY)
    first, second, third = (submitted(desk) for _ in range(3))
    for post in (first, second, third):
        decide(desk, post, "shen")
    with pytest.raises(NotAllowed, match="没有委托您代签"):
        decide(desk, first, "fu", "lin")
    clock.move(DAY.total_seconds())
    assert decide(desk, first, "fu", "lin") is PostState.APPROVED
    clock.move(DAY.total_seconds())
    with pytest.raises(NotAllowed, match="已到期"):
        decide(desk, second, "fu", "lin")
    assert waiting(desk, "fu") == []
    with desk.db.read() as conn:
        state = select(posts.c.state).where(posts.c.id == first)
        assert conn.execute(state).scalar_one() == PostState.APPROVED


def test_a_return_in_another_s_place_names_both(desk: Office) -> None:
    named(desk)
    post = submitted(desk)
    decide(desk, post, "shen")
    decide(desk, post, "fu", "lin", Verdict.RETURN)
    assert [str(Say.of(rows(desk, posts)[0]["returned"]))] == ["傅言 代 林岚退回：请核"]


@both
def test_it_is_ended_early_by_either_or_an_administrator_and_by_nobody_else(desk: Office) -> None:
    for who in ("lin", "fu", "gu"):
        one = named(desk)
        with desk.db.write() as conn:
            with pytest.raises(NotAllowed):
                review.end_delegation(conn, desk.db.now(conn), builders.actor(conn, "shen"), one)
            review.end_delegation(conn, desk.db.now(conn), builders.actor(conn, who), one)
            with pytest.raises(Conflict, match="已经结束"):
                review.end_delegation(conn, desk.db.now(conn), builders.actor(conn, who), one)
        assert verbs(desk, f"delegation:{one}")[-1] == "delegation.end"
    post = submitted(desk)
    decide(desk, post, "shen")
    with pytest.raises(NotAllowed, match="已终止"):
        decide(desk, post, "fu", "lin")
    with desk.db.write() as conn, pytest.raises(NotFound):
        review.end_delegation(conn, desk.db.now(conn), builders.actor(conn, "gu"), 99)


@both
def test_an_end_that_was_first_is_waited_for(desk: Office) -> None:
    """Ended and not yet committed: who signs meanwhile finds it ended."""
    one, post = named(desk), submitted(desk)
    decide(desk, post, "shen")
    with ThreadPoolExecutor(1) as other:
        with desk.db.write() as conn:
            review.end_delegation(conn, desk.db.now(conn), builders.actor(conn, "lin"), one)
            signing = other.submit(decide, desk, post, "fu", "lin")
            with pytest.raises(TimeoutError):
                signing.result(0.3)
        with pytest.raises(NotAllowed, match="已终止"):
            signing.result(10)


def test_emergencies_are_passed_by_it_where_it_names_their_steps(desk: Office) -> None:
    named(desk, steps=("紧急签发",))
    post = submitted(desk, emergency=True)
    decide(desk, post, "shen")
    assert decide(desk, post, "fu", "lin") is PostState.APPROVED
    assert [r["kind"] for r in rows(desk, signoffs)] == ["emergency", "emergency"]


# ---------------------------------------------------------------- what cannot be got by it


def test_another_s_name_is_never_taken_by_itself_nor_without_his_word(desk: Office) -> None:
    named(desk)
    post = submitted(desk)
    decide(desk, post, "shen")
    with pytest.raises(NotAllowed, match="只能代林岚办理"):
        decide(desk, post, "fu")
    for forged in ("gu", "shen", "nobody", "fu", "林岚"):
        with pytest.raises(NotAllowed, match="没有委托您代签"):
            decide(desk, post, "fu", forged)
    with pytest.raises(NotAllowed, match="没有委托您代签"):
        decide(desk, post, "xu", "lin")


@both
@pytest.mark.parametrize("author", ["lin", "fu"])
def test_neither_who_signs_nor_whom_he_signs_for_wrote_it(desk: Office, author: str) -> None:
    with desk.db.write() as conn:
        who = builders.actor(conn, author).person or 0
        if author == "lin":
            builders.grant(conn, who, Role.EDITOR, "county")
    named(desk)
    post = submitted(desk, by=author)
    decide(desk, post, "shen")
    assert waiting(desk, "fu") == []
    with pytest.raises(NotAllowed, match="拟稿人"):
        decide(desk, post, "fu", "lin")


def test_a_revision_that_changes_nothing_has_both_its_authors(desk: Office) -> None:
    """lin changes the hour of zhou's post: fu cannot sign what lin handed in."""
    with desk.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "lin").person or 0, Role.EDITOR, "county")
    named(desk)
    post = builders.draft(desk, ["hand"], "云澜县今日供水正常。")
    with desk.db.write() as conn:
        now, lin = desk.db.now(conn), builders.actor(conn, "lin")
        body = Body("云澜县今日供水正常。", title="云澜县今日供水正常。")
        compose.revise(desk, conn, now, lin, post, 1, body, ["hand"], go_at=now + DAY)
        review.submit(desk, conn, now, lin, post)
    decide(desk, post, "shen")
    with pytest.raises(NotAllowed, match="拟稿人"):
        decide(desk, post, "fu", "lin")


@both
def test_nobody_passes_two_steps_neither_in_person_nor_through_another(desk: Office) -> None:
    """Each way round: whoever acted or was acted for once is out for the other steps."""
    named(desk, "lin", "fu", ("初审", "签发"))
    named(desk, "lin", "gu", ("初审", "签发"))
    named(desk, "shen", "lin", ("初审",))
    named(desk, "shen", "gu", ("初审",))
    with desk.db.write() as conn:
        builders.person(conn, "ren", "任远", Role.SIGNER)
    named(desk, "ren", "fu", ("签发",))
    twice = [
        (("lin", ""), ("fu", "lin")),  # he did, now through another
        (("fu", "lin"), ("lin", "")),  # through another, now himself
        (("fu", "lin"), ("gu", "lin")),  # through two
        (("fu", "lin"), ("fu", "ren")),  # one hand, two names
        (("gu", "shen"), ("gu", "lin")),
    ]
    for first, second in twice:
        post = submitted(desk)
        decide(desk, post, *first)
        with pytest.raises(NotAllowed, match="前一步"):
            decide(desk, post, *second)
        assert post not in dict(waiting(desk, second[0])) or second[1] not in dict(
            waiting(desk, second[0])
        ).get(post, [])
    post = submitted(desk)
    decide(desk, post, "fu", "lin")
    assert decide(desk, post, "ren") is PostState.APPROVED


def _no_role(conn: Connection) -> None:
    people.revoke(conn, builders.NOW, builders.actor(conn, "gu"), "lin", "county", Role.SIGNER)


def _barred(conn: Connection, login: str) -> None:
    people.disable(conn, builders.NOW, builders.actor(conn, "gu"), login)


def _gone(conn: Connection) -> None:
    people.revoke(conn, builders.NOW, builders.actor(conn, "gu"), "fu", "county", Role.EDITOR)


@both
@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (_no_role, "林岚已没有“签发”的权限"),
        (lambda conn: _barred(conn, "lin"), "林岚已没有“签发”的权限"),
        (_gone, "傅言没有“查看”的权限"),
        (lambda conn: _barred(conn, "fu"), "傅言没有“查看”的权限"),
    ],
)
def test_what_either_lost_since_is_lost(desk: Office, lost: Any, said: str) -> None:
    named(desk)
    post = submitted(desk)
    decide(desk, post, "shen")
    with desk.db.write() as conn:
        lost(conn)
    assert waiting(desk, "fu") == []
    with pytest.raises(NotAllowed, match=said):
        decide(desk, post, "fu", "lin")


def test_only_the_steps_named_of_the_units_named(desk: Office) -> None:
    named(desk, unit="health")
    post = submitted(desk)
    decide(desk, post, "shen")
    with pytest.raises(NotAllowed, match="不在林岚委托您代签的范围内"):
        decide(desk, post, "fu", "lin")
    named(desk, steps=("初审",))
    with pytest.raises(NotAllowed, match="不在林岚委托您代签的范围内"):
        decide(desk, post, "fu", "lin")


def test_what_was_lent_is_not_handed_on(desk: Office) -> None:
    named(desk)
    with pytest.raises(NotAllowed, match="不能再委托给他人"):
        named(desk, "fu", "gu")
    with desk.db.write() as conn:  # a row put there by hand gives nothing either
        ids = [people.by_login(conn, who)["id"] for who in ("fu", "xu")]
        copy = dict(conn.execute(select(delegations)).mappings().one())
        copy |= {"id": 99, "giver_id": ids[0], "taker_id": ids[1]}
        conn.execute(insert(delegations).values(**copy))
    post = submitted(desk)
    decide(desk, post, "shen")
    for behalf in ("fu", "lin"):
        with pytest.raises(NotAllowed):
            decide(desk, post, "xu", behalf)


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"giver": "zhou"}, NotAllowed, "权限"),
        ({"giver": "shen", "steps": ("签发",)}, Invalid, "初审"),
        ({"steps": ()}, Invalid, "审次"),
        ({"steps": ("签发", "会签")}, Invalid, "审次"),
        ({"taker": "lin"}, NotAllowed, "他人"),
        ({"taker": "zheng"}, NotAllowed, "上级单位"),
        ({"taker": "jian"}, NotAllowed, "上级单位"),
        ({"taker": "jian", "unit": "health"}, NotAllowed, "上级单位"),
        ({"taker": "bao"}, NotAllowed, "看稿"),
        ({"taker": "none"}, NotFound, "没有登录名"),
        ({"unit": "none"}, NotFound, "没有单位"),
        ({"unit": "fire"}, NotAllowed, "权限"),
        ({"reason": " "}, Invalid, "事由"),
        ({"ends": builders.NOW - DAY}, Invalid, "何时为止"),
        ({"begins": builders.NOW + 5 * DAY}, Invalid, "何时为止"),
        ({"ends": builders.NOW + 400 * DAY}, Invalid, "最长 183 天"),
    ],
)
def test_what_is_no_delegation_makes_none(
    desk: Office, said: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        named(desk, **said)
    assert rows(desk, delegations) == []


def test_the_same_twice_is_one_and_the_machine_names_nobody(desk: Office) -> None:
    named(desk)
    with pytest.raises(Conflict, match="先终止"):
        named(desk, steps=("签发", "初审"))
    with desk.db.write() as conn:
        shell, now = Actor(None, "shell", "cli"), desk.db.now(conn)
        more: dict[str, Any] = {"begins": None, "ends": now + DAY, "reason": "x"}
        with pytest.raises(NotAllowed):
            review.delegate(desk, conn, now, shell, "fu", unit="county", steps=["签发"], **more)


def test_where_signers_need_a_second_factor_so_does_who_signs_for_one(desk: Office) -> None:
    named(desk)
    post = submitted(desk)
    decide(desk, post, "shen")
    config = desk.config.model_copy(update={"people": PeoplePart(totp="signers")})
    strict = Office(config, desk.db)
    with pytest.raises(NotAllowed, match="动态口令"):
        decide(strict, post, "fu", "lin")
    with desk.db.write() as conn:
        conn.execute(update(persons).where(persons.c.login == "fu").values(totp_at=builders.NOW))
    assert decide(strict, post, "fu", "lin") is PostState.APPROVED


def test_after_a_restore_every_delegation_is_over(desk: Office) -> None:
    named(desk)
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        said = aftermath.hold_back(desk, conn, now, now - DAY, "shell:root")
        (one,) = review.delegations_of(conn, now)
    assert one["state"] == "ended"
    assert any("代签已终止" in str(each) for each in said)


# ---------------------------------------------------------------- who is told

TOLD = "".join(
    f'[notices.{who}]\nurl = "json://127.0.0.1:9"\nperson = "{who}"\n'
    for who in ("fu", "lin", "xu")
)


def heard(office: Office) -> dict[str, list[str]]:
    """What was planned to be told since, by address."""
    look_around(office)
    with office.db.write() as conn:
        plan(office, conn, office.db.now(conn))
        query = select(tellings.c.id, tellings.c.address, notices.c.say).join(
            notices, notices.c.id == tellings.c.notice_id
        )
        found: dict[str, list[str]] = {}
        for row in conn.execute(query.order_by(tellings.c.id)).all():
            found.setdefault(row.address, []).append(str(Say.of(row.say)))
        conn.execute(delete(tellings))
    return found


@pytest.fixture
def told(desk: Office) -> Office:
    return offices.declared(desk, HAND + TOLD, UNITS)


def test_who_is_named_alone_is_told_then_a_day_before_its_end_then_no_more(
    told: Office, clock: FixedClock
) -> None:
    named(told)
    assert heard(told) == {
        "fu": ["林岚委托傅言代签（签发），11-24 09:00 至 11-27 09:00；事由：赴省开会"]
    }
    clock.move(47 * 3600)
    assert heard(told) == {}
    clock.move(2 * 3600)
    assert heard(told) == {"fu": ["傅言代林岚的代签（签发）11-27 09:00 到期，此后不能再代签"]}
    clock.move(24 * 3600)
    assert heard(told) == {}
    assert [row for row in rows(told, notices) if row["closed_at"] is None] == []


def test_who_was_named_is_told_when_it_is_taken_back_but_not_of_his_own_ending(
    told: Office, clock: FixedClock
) -> None:
    first, second = named(told), named(told, steps=("初审",))
    heard(told)
    with told.db.write() as conn:
        review.end_delegation(conn, clock.now(), builders.actor(conn, "lin"), first)
        review.end_delegation(conn, clock.now(), builders.actor(conn, "fu"), second)
    assert heard(told) == {"fu": ["傅言代林岚的代签（签发）已提前终止，已签的不受影响"]}
    clock.move(25 * 3600)
    assert heard(told) == {}


def test_a_delegation_is_no_incident_and_no_duty_s(told: Office) -> None:
    with told.db.write() as conn:
        unit, today = people.unit_of(conn, "county")["id"], clock_day(told)
        duty.put(conn, told.db.now(conn), builders.actor(conn, "lin"), unit, {today: "xu"})
        listed = incidents.listing(conn, {unit})
    named(told, taker="zhou")
    assert heard(told) == {}, "zhou has no address, and nobody else is told in his place"
    assert listed == []


def clock_day(office: Office) -> date:
    return office.db.now().astimezone(office.config.tz).date()
