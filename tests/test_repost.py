"""请求转发: one unit asks; each unit asked signs for its own account, or does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot import compose, people, review
from bot.db import accounts, posts
from bot.deliver import holds, plan, queue
from bot.errors import Conflict, Invalid, NotAllowed
from bot.model import DeliveryState, HoldScope, PostState, Role, Verdict
from bot.office import Office
from bot.review import Decision
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import CUT_AFTER, Server
from tests.offices import both, pytest_generate_tests, told, url  # noqa: F401

UNITS = (
    builders.CONFIG
    + """
[units.health]
name = "卫健局"
parent = "county"
steps = [{ name = "签发", right = "sign" }]
"""
)
HAND = offices.HAND.format(key="hand").replace('"county"', '"health"')
S = DeliveryState
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(office: Office, platform: tuple[Mastodon, Server]) -> Office:
    """`main` of the county; `clinic` of health on the same server, `far` on another, `hand` by hand."""
    made = offices.declared(office, HAND, UNITS)
    _, server = platform
    for n, key in enumerate(("main", "clinic", "far"), 1):
        builders.account(made, key, server.url, n)
    with made.db.write() as conn:
        unit = people.unit_of(conn, "health")["id"]
        for key, host in (("main", "m.example"), ("clinic", "m.example"), ("far", "f.example")):
            mine = update(accounts).where(accounts.c.key == key)
            conn.execute(mine.values(host=host, **({} if key == "main" else {"unit_id": unit})))
        builders.person(conn, "jian", "简医", Role.SIGNER, "health")
        builders.person(conn, "wei", "卫编", Role.EDITOR, "health")
    return made


@pytest.fixture
def post(desk: Office) -> int:
    """A post of the county's that is out on `main`."""
    made = builders.signed(desk, ["main"], "全县医保缴费开始了。")
    builders.work(desk)
    assert builders.only(desk, made)["state"] == S.SENT
    return made


def ask(
    office: Office, post: int, *keys: str, by: str = "zhou", until: datetime | None = None
) -> int:
    with office.db.write() as conn:
        now, who = office.db.now(conn), builders.actor(conn, by)
        made = compose.ask_reposts(office, conn, now, who, post, keys, until or now + 3 * HOUR)
        for one in made:
            review.submit(office, conn, now, who, one)
        return made[0]


def sign(office: Office, post: int, by: str = "jian") -> PostState:
    with office.db.write() as conn:
        digest = compose.current(conn, compose.locked(conn, post))["digest"]
        word = Decision(Verdict.PASS, digest)
        now = office.db.now(conn)
        return review.decide(office, conn, now, builders.actor(conn, by), post, word)


def asked(office: Office, post: int) -> list[dict[str, Any]]:
    with office.db.read() as conn:
        return compose.reposts_of(conn, post)


@both
def test_the_unit_asked_signs_and_its_account_reposts_and_the_asker_sees_it(
    desk: Office, post: int, platform: tuple[Mastodon, Server]
) -> None:
    repost = ask(desk, post, "clinic")
    with desk.db.read() as conn:
        rows = review.waiting_for(desk, conn, builders.actor(conn, "jian"))
        (shown,) = review.shown(conn, compose.one(conn, repost))
    assert [row["id"] for row in rows] == [repost]
    assert shown["payload"]["text"] == "全县医保缴费开始了。", "he sees what he signs"
    plan.plan_due(desk)
    builders.work(desk)
    assert builders.sent_to(desk, repost) == [], "nothing goes before his word"
    assert sign(desk, repost) is PostState.APPROVED
    plan.plan_due(desk)
    builders.work(desk)
    delivery = builders.only(desk, repost)
    assert (delivery["act"], delivery["state"]) == ("repost", S.SENT)
    boosts = [each["reblog"] for each in platform[0].posts() if each["reblog"]]
    assert boosts == [builders.only(desk, post)["remote_id"]]
    (row,) = asked(desk, post)
    assert (row["account"], row["unit"], row["delivery_state"]) == ("clinic", "卫健局", "sent")
    assert [each["name"] for each in row["signed"]] == ["简医"]
    assert row["delivery_sent_at"] is not None


def test_who_asked_signs_none_of_it_though_he_may_sign_there(desk: Office, post: int) -> None:
    with desk.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "zhou").person or 0, Role.SIGNER, "county")
    repost = ask(desk, post, "clinic")
    with pytest.raises(NotAllowed, match="拟稿人"):
        sign(desk, repost, "zhou")
    with pytest.raises(NotAllowed, match="权限"):
        sign(desk, repost, "wei")


@pytest.mark.parametrize(
    ("keys", "more", "error"),
    [
        (("far",), {}, Invalid),
        (("hand",), {}, Invalid),
        (("clinic", "far"), {}, Invalid),
        ((), {}, Invalid),
        (("clinic",), {"until": builders.NOW}, Invalid),
        (("clinic",), {"by": "wei"}, NotAllowed),
        (("clinic",), {"by": "jian"}, NotAllowed),
    ],
)
def test_what_cannot_be_asked_makes_nothing(
    desk: Office, post: int, keys: tuple[str, ...], more: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(desk, post, *keys, **more)
    assert asked(desk, post) == []


def test_words_of_another_unit_are_screened_as_they_stand(desk: Office) -> None:
    post = builders.signed(desk, ["main"], "请拨 13800138000 预约。")
    builders.work(desk)
    repost = ask(desk, post, "clinic")
    with desk.db.read() as conn:
        findings = compose.current(conn, compose.one(conn, repost))["findings"]
    assert [(f["account"], f["text"]) for f in findings] == [("clinic", "13800138000")]


def test_an_account_is_asked_once_until_it_came_to_nothing(desk: Office, post: int) -> None:
    first = ask(desk, post, "clinic")
    with pytest.raises(Conflict, match="没有了结"):
        ask(desk, post, "clinic")
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        with pytest.raises(NotAllowed):
            compose.call_off_repost(conn, now, builders.actor(conn, "wei"), first)
        compose.call_off_repost(conn, now, builders.actor(conn, "zhou"), first)
    with pytest.raises(Conflict):
        sign(desk, first)
    assert [row["over"] for row in asked(desk, post)] == [True]
    ask(desk, post, "clinic")


def test_past_its_time_it_is_neither_signed_nor_sent(
    desk: Office, post: int, clock: FixedClock
) -> None:
    late = ask(desk, post, "clinic")
    clock.move(4 * 3600)
    with pytest.raises(Invalid, match="时段已过"):
        sign(desk, late)


def test_a_repost_whose_answer_is_lost_is_looked_up_and_not_made_again(
    desk: Office, post: int, platform: tuple[Mastodon, Server], clock: FixedClock
) -> None:
    fake, server = platform
    repost = ask(desk, post, "clinic")
    sign(desk, repost)
    plan.plan_due(desk)
    server.faults.script(CUT_AFTER, "POST", "reblog")
    before = len(builders.attempts_at(desk, builders.only(desk, post)["id"]))
    builders.work(desk)
    delivery = builders.only(desk, repost)
    assert delivery["state"] == S.UNCERTAIN
    for _ in range(4):
        clock.move(60)
        builders.work(desk)
    assert builders.only(desk, repost)["state"] == S.SENT
    assert len(builders.attempts_at(desk, delivery["id"])) == before == 1
    assert len([each for each in fake.posts() if each["reblog"]]) == 1


def test_what_is_taken_down_meanwhile_is_not_reposted(desk: Office, post: int) -> None:
    """Signed before the withdrawal is, and after it."""
    with desk.db.write() as conn:
        copy = dict(
            conn.execute(select(accounts).where(accounts.c.key == "clinic")).mappings().one()
        )
        more = {"id": 99, "key": "clinic2", "identity": "fake/100009", "state": "paused"}
        conn.execute(accounts.insert().values(**copy | more))
    early, late = ask(desk, post, "clinic2"), ask(desk, post, "clinic")
    sign(desk, early)
    plan.plan_due(desk)
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        taken = compose.withdrawal(desk, conn, now, builders.actor(conn, "zhou"), post, "有误")
    builders.sign(desk, taken)
    plan.plan_due(desk)
    assert builders.only(desk, early)["state"] == S.CANCELLED
    sign(desk, late)
    plan.plan_due(desk)
    assert builders.sent_to(desk, late) == []
    with desk.db.read() as conn:
        state = select(posts.c.state).where(posts.c.id == late)
        assert conn.execute(state).scalar_one() == PostState.CLOSED
    with pytest.raises(Invalid, match="转不了"):
        ask(desk, post, "clinic")


@both
def test_a_stop_on_the_original_stops_its_reposts(desk: Office, post: int) -> None:
    repost = ask(desk, post, "clinic")
    sign(desk, repost)
    plan.plan_due(desk)
    with desk.db.write() as conn:
        now, lin = desk.db.now(conn), builders.actor(conn, "lin")
        hold = holds.hold(conn, now, lin, HoldScope.POST, post, "核实")
    builders.work(desk)
    assert builders.only(desk, repost)["state"] == S.READY
    with desk.db.write() as conn:
        holds.resume(conn, desk.db.now(conn), builders.actor(conn, "lin"), hold)
    assert builders.only(desk, repost)["was_held"], "and a person decides"


def test_by_hand_a_person_is_given_the_address_and_his_receipt_ends_it(office: Office) -> None:
    hands = offices.HAND.format(key="main") + HAND
    made = offices.declared(office, hands, UNITS)
    with made.db.write() as conn:
        builders.person(conn, "jian", "简医", Role.SIGNER, "health")
        conn.execute(update(accounts).values(state="active", identity=accounts.c.key))
    post = builders.signed(made, ["main"], "全县医保缴费开始了。")
    builders.work(made)
    with made.db.write() as conn:
        one, lin = builders.only(made, post)["id"], builders.actor(conn, "lin")
        queue.confirm_sent(conn, made.db.now(conn), lin, one, "https://weibo.example/1/AbC")
    repost = ask(made, post, "hand")
    sign(made, repost)
    plan.plan_due(made)
    builders.work(made)
    with made.db.write() as conn:
        one = builders.only(made, repost)["id"]
        task = queue.task(conn, one)
        assert "转发这条：https://weibo.example/1/AbC" in str(task)
        who, now = builders.actor(conn, "jian"), made.db.now(conn)
        queue.confirm_sent(conn, now, who, one, "https://weibo.example/2/XyZ")
    assert [row["delivery_state"] for row in asked(made, post)] == [S.SENT]
    assert told(made) == []
