"""队列: why something has not gone yet, and what a person may do about it; each touches one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import compose, review
from bot.compose import Body
from bot.db import accounts, attempts, audits, deliveries, hosts, posts, watches, workers
from bot.deliver import holds, ledger, plan, queue, settling
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say, speaking
from bot.model import Act, Actor, DeliveryState, HoldScope, Outcome, OverLimit, Role, Window
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
HOUR = timedelta(hours=1)
WEB = "https://weibo.example/1/AbC"


@pytest.fixture
def desk(office: Office) -> Office:
    """Accounts `a1` and `a2`, and `hand`, which people serve; a worker whose heart beats."""
    made = offices.declared(office, offices.HAND.format(key="hand"))
    builders.account(made, "a1", "http://x.example", 1)
    builders.account(made, "a2", "http://x.example", 2)
    beat(made)
    return made


def beat(office: Office, **more: Any) -> None:
    with office.db.write() as conn:
        now = office.db.now(conn)
        row = {"id": "w", "host": "gk", "pid": 1, "started_at": now, "beat_at": now}
        conn.execute(insert(workers).values(**{**row, **more}))


def change(office: Office, delivery: int, **values: Any) -> None:
    with office.db.write() as conn:
        conn.execute(update(deliveries).where(deliveries.c.id == delivery).values(**values))


def one(office: Office, delivery: int) -> RowMapping:
    with office.db.read() as conn:
        return queue.one(conn, delivery)


def why(office: Office, delivery: int) -> str:
    with office.db.read() as conn:
        return str(queue.why(conn, office.db.now(conn), queue.one(conn, delivery)) or "")


def act(
    office: Office, does: Callable[..., Any], *args: Any, by: str = "zhou", **more: Any
) -> None:
    """One of queue's acts, as a person."""
    with office.db.write() as conn:
        now, who = office.db.now(conn), builders.actor(conn, by)
        first = (office,) if does in (queue.retry, queue.confirm_absent) else ()
        does(*first, conn, now, who, *args, **more)


def signed(office: Office, *keys: str, **more: Any) -> list[int]:
    """The deliveries of a post signed and planned."""
    post = builders.signed(office, list(keys or ("a1",)), **more)
    return [row["id"] for row in builders.sent_to(office, post)]


# ---------------------------------------------------------------- why not yet

Stage = Callable[[Office, Connection], None]


def _update(table: Any, **values: Any) -> Stage:
    def _updated(office: Office, conn: Connection) -> None:
        conn.execute(update(table).values(**values))

    return _updated


def _hold(office: Office, conn: Connection) -> None:
    holds.hold(conn, office.db.now(conn), Actor(None, "x"), HoldScope.ALL, None, "核实")


def _pace(office: Office, conn: Connection) -> None:
    conn.execute(update(accounts).values(free_at=office.db.now(conn) + HOUR))


def _host(office: Office, conn: Connection) -> None:
    row = {"host": "a1", "free_at": office.db.now(conn) + HOUR}
    conn.execute(insert(hosts).values(**row))


def _postponed(office: Office, conn: Connection) -> None:
    said = Say("平台限流：{raw}", raw="Too many requests").json()
    conn.execute(update(deliveries).values(due_at=office.db.now(conn) + HOUR, reason=said))


def _silent(office: Office, conn: Connection) -> None:
    conn.execute(update(workers).values(beat_at=office.db.now(conn) - timedelta(seconds=31)))


def _revised(office: Office, conn: Connection) -> None:
    row = conn.execute(select(posts)).mappings().one()
    zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
    compose.revise(office, conn, now, zhou, row["id"], row["version"], Body("改。"), ["a1"])


def _stuck(office: Office, conn: Connection) -> None:
    said = Say("账号现在的身份与签发时不同，须重新审签").json()
    conn.execute(update(deliveries).values(due_at=None, reason=said))


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (lambda office, conn: None, "即将发送"),
        (_hold, "已停发"),
        (_update(accounts, state="broken"), "已断开"),
        (_update(accounts, state="paused"), "已暂停"),
        (_silent, "没有运行中的工作进程"),
        (_update(workers, stopped_at=builders.NOW), "没有运行中的工作进程"),
        (_pace, "发送间隔"),
        (_host, "全站稍候"),
        (_postponed, "Too many requests"),
        (_revised, "重新签发"),
        (_stuck, "身份与签发时不同"),
        (_update(deliveries, state=S.FAILED, reason=Say("平台拒绝").json()), "平台拒绝"),
        (_update(deliveries, state=S.MISSED, reason=Say("已过最迟时限").json()), "最迟时限"),
        (_update(deliveries, state=S.UNCERTAIN, reason=Say("结果不明").json()), "结果不明"),
        (_update(deliveries, state=S.SENT), ""),
    ],
)
def test_every_delivery_says_why_it_has_not_gone(desk: Office, stage: Stage, said: str) -> None:
    (delivery,) = signed(desk)
    with desk.db.write() as conn:
        stage(desk, conn)
    assert said in why(desk, delivery)
    assert bool(why(desk, delivery)) is bool(said)


@both
def test_it_waits_for_its_hour_for_the_part_before_and_for_an_unclear_neighbour(
    desk: Office,
) -> None:
    (later,) = signed(desk, go_at=desk.db.now() + HOUR)
    assert why(desk, later) == "等到计划时间"
    long = Body("停水通知。" * 150, over_limit=OverLimit.THREAD)
    first, second = signed(desk, body=long)
    assert why(desk, second) == "等前一条发出"
    change(desk, first, state=S.SENT)
    assert why(desk, second) == "即将发送"
    with desk.db.write() as conn:
        able = conn.execute(select(accounts.c.capabilities).where(accounts.c.key == "a1")).scalar()
        conn.execute(update(accounts).values(capabilities={**(able or {}), "listing_depth": 5}))
    change(desk, first, state=S.UNCERTAIN)
    (ordinary,) = signed(desk)
    assert "只放行紧急信息" in why(desk, ordinary)
    change(desk, ordinary, emergency=True)
    assert why(desk, ordinary) == "即将发送"


@both
def test_what_a_person_must_do_comes_first_in_the_queue(desk: Office, clock: FixedClock) -> None:
    ready, failed, stuck, missed, task, unclear, sent = (signed(desk)[0] for _ in range(7))
    change(desk, failed, state=S.FAILED)
    change(desk, missed, state=S.MISSED)
    change(desk, stuck, due_at=None)
    change(desk, task, state=S.SENDING, lease=None)
    change(desk, unclear, state=S.UNCERTAIN, due_at=None)
    change(desk, sent, state=S.SENT, due_at=None)
    with desk.db.read() as conn:
        order = [row["id"] for row in queue.listing(conn, {1})]
        mine = {row["id"] for row in queue.listing(conn, {1}, state="person")}
        counted = queue.counts(conn, {1})
        assert queue.listing(conn, {2}) == []
        assert [r["id"] for r in queue.listing(conn, {1}, limit=2, offset=1)] == order[1:3]
        (found,) = queue.listing(conn, {1}, post=one(desk, ready)["post_id"])
    assert set(order[:5]) == mine == {failed, stuck, missed, task, unclear}
    assert found["id"] == ready
    assert counted == {
        "ready": 2,
        "failed": 1,
        "missed": 1,
        "sending": 1,
        "uncertain": 1,
        "sent": 1,
        "person": 5,
        "held": 0,
    }


# ---------------------------------------------------------------- cancel, retry


@pytest.mark.parametrize("state", [S.READY, S.FAILED, S.MISSED])
def test_what_has_not_gone_is_cancelled_alone(desk: Office, state: S) -> None:
    first, second = signed(desk, "a1", "a2")
    change(desk, first, state=state)
    before = one(desk, second)
    act(desk, queue.cancel, first)
    row = one(desk, first)
    assert (row["state"], row["due_at"]) == (S.CANCELLED, None)
    assert str(Say.of(row["reason"])) == "周文取消"
    assert one(desk, second) == before
    assert rows(desk, audits)[-1]["verb"] == "delivery.cancel"


@pytest.mark.parametrize("state", [S.SENDING, S.SENT, S.UNCERTAIN, S.CANCELLED])
def test_what_is_under_way_or_over_is_not_cancelled(desk: Office, state: S) -> None:
    (delivery,) = signed(desk)
    change(desk, delivery, state=state)
    with pytest.raises(Conflict, match="刷新"):
        act(desk, queue.cancel, delivery)


@pytest.mark.parametrize("state", [S.FAILED, S.MISSED, S.CANCELLED, S.READY])
def test_a_retry_touches_only_the_account_that_failed(
    desk: Office, clock: FixedClock, state: S
) -> None:
    first, second = signed(desk, "a1", "a2")
    change(desk, second, state=S.SENT, due_at=None, remote_id="r")
    stale = {"tries": 5, "waits": 3, "looks": 2, "absents": 1, "was_held": True}
    change(desk, first, state=state, due_at=None, reason=Say("x").json(), **stale)
    before = one(desk, second)
    clock.move(600)
    beat(desk, id="w2")
    act(desk, queue.retry, first)
    row = one(desk, first)
    assert (row["state"], row["go_at"], row["due_at"]) == (S.READY, clock.now(), clock.now())
    assert [row[k] for k in stale] == [0, 0, 0, 0, False]
    assert row["key"]
    assert one(desk, second) == before
    assert why(desk, first) == "即将发送"


@pytest.mark.parametrize("state", [S.SENDING, S.SENT, S.UNCERTAIN])
def test_what_may_stand_already_is_not_retried(desk: Office, state: S) -> None:
    (delivery,) = signed(desk)
    change(desk, delivery, state=state)
    with pytest.raises(Conflict):
        act(desk, queue.retry, delivery)


def test_a_retry_stays_within_what_was_signed(desk: Office, clock: FixedClock) -> None:
    now = clock.now()
    (delivery,) = signed(desk, window=Window(now + HOUR, now + 3 * HOUR))
    change(desk, delivery, state=S.FAILED)
    for at in (None, now + 4 * HOUR):
        with pytest.raises(Conflict, match="时段"):
            act(desk, queue.retry, delivery, at)
    act(desk, queue.retry, delivery, now + 2 * HOUR)
    row = one(desk, delivery)
    assert (row["go_at"], row["latest_at"]) == (now + 2 * HOUR, now + 3 * HOUR)
    change(desk, delivery, state=S.MISSED)
    clock.move(3 * 3600 + 1)
    with pytest.raises(Conflict, match="重新审签"):
        act(desk, queue.retry, delivery)


def test_a_retry_of_what_is_no_longer_signed_is_refused(desk: Office) -> None:
    (delivery,) = signed(desk)
    with desk.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), desk.db.now(conn)
        review.revoke(desk, conn, now, lin, one(desk, delivery)["post_id"], "口径有变")
    change(desk, delivery, state=S.FAILED)
    with pytest.raises(Conflict, match="失效"):
        act(desk, queue.retry, delivery)


def test_a_retry_under_a_hold_stays_held(desk: Office) -> None:
    (delivery,) = signed(desk)
    with desk.db.write() as conn:
        _hold(desk, conn)
    change(desk, delivery, state=S.FAILED)
    act(desk, queue.retry, delivery)
    assert "已停发" in why(desk, delivery)


def test_a_decision_on_what_changed_meanwhile_is_refused(desk: Office) -> None:
    (delivery,) = signed(desk)
    with desk.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), desk.db.now(conn)
        seen = queue.one(conn, delivery)
        conn.execute(update(deliveries).values(state=S.SENDING))
        with pytest.raises(Conflict, match="刚被改动"):
            queue._set(conn, now, zhou, seen, "delivery.cancel", due_at=None)


@both
def test_a_worker_s_late_result_does_not_undo_a_decision(desk: Office) -> None:
    """Its pictures were being uploaded when a person cancelled it."""
    (delivery,) = signed(desk)
    change(desk, delivery, lease="token", leased_until=desk.db.now() + HOUR)
    held = one(desk, delivery)
    act(desk, queue.cancel, delivery)
    with desk.db.write() as conn:
        late = settling.Settled(held, None, Outcome.LATER, S.READY, desk.db.now(conn))
        assert not settling.settle_one(conn, desk.db.now(conn), late)
    assert one(desk, delivery)["state"] == S.CANCELLED


# ---------------------------------------------------------------- uncertain


@pytest.fixture
def unclear(desk: Office) -> int:
    """A delivery whose outcome nobody knows, with its attempt and its notice."""
    (delivery,) = signed(desk)
    why = Say("回查 3 次仍不能断定")
    change(desk, delivery, state=S.UNCERTAIN, due_at=None, reason=why.json(), looks=3)
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        row = {"delivery_id": delivery, "begun_at": now, "ended_at": now, "worker": "w"}
        conn.execute(insert(attempts).values(**row, outcome=Outcome.UNKNOWN))
        ledger.tell(conn, now, [(queue.one(conn, delivery), why)])
    return delivery


def attempt(office: Office) -> RowMapping:
    (row,) = rows(office, attempts)
    return row


@both
def test_a_person_vouches_that_it_stands(desk: Office, unclear: int) -> None:
    act(desk, queue.confirm_sent, unclear, "https://x.example/@office1/4711?lang=zh#top")
    row = one(desk, unclear)
    assert (row["state"], row["remote_id"]) == (S.SENT, "4711")
    assert row["due_at"] == desk.db.now(), "it is read back"
    assert (attempt(desk)["outcome"], attempt(desk)["remote_id"]) == (Outcome.SENT, "4711")
    assert "周文核对确认已发出" in str(Say.of(attempt(desk)["said"]))
    assert told(desk) == []
    assert [w["delivery_id"] for w in rows(desk, watches)] == [unclear], "its replies are collected"


def test_proof_lies_on_the_accounts_own_platform(desk: Office, unclear: int) -> None:
    with desk.db.write() as conn:
        conn.execute(update(accounts).values(identity_url="https://x.example/@office1"))
    with pytest.raises(Invalid, match="不在该账号的平台上"):
        act(desk, queue.confirm_sent, unclear, "https://evil.test/@office1/4711")
    assert one(desk, unclear)["state"] == S.UNCERTAIN
    act(desk, queue.confirm_sent, unclear, "https://m.x.example/@office1/4711")
    assert one(desk, unclear)["state"] == S.SENT


def test_a_person_vouches_that_it_never_arrived(
    desk: Office, unclear: int, clock: FixedClock
) -> None:
    key = one(desk, unclear)["key"]
    clock.move(600)
    act(desk, queue.confirm_absent, unclear)
    row = one(desk, unclear)
    assert (row["state"], row["due_at"], row["key"]) == (S.READY, clock.now(), key)
    assert attempt(desk)["outcome"] == Outcome.ABSENT
    assert told(desk) == []


def test_what_never_arrived_goes_again_only_within_its_window(
    desk: Office, unclear: int, clock: FixedClock
) -> None:
    clock.move(3 * 3600)
    with pytest.raises(Conflict, match="时段"):
        act(desk, queue.confirm_absent, unclear)
    assert (one(desk, unclear)["state"], attempt(desk)["outcome"]) == (S.UNCERTAIN, "unknown")


def test_a_person_lets_it_be(desk: Office, unclear: int) -> None:
    act(desk, queue.drop, unclear)
    assert one(desk, unclear)["state"] == S.CANCELLED
    assert attempt(desk)["outcome"] == Outcome.DROPPED
    assert told(desk) == []


def test_a_person_has_it_looked_up_once_more(desk: Office, unclear: int) -> None:
    act(desk, queue.look_again, unclear)
    row = one(desk, unclear)
    assert (row["state"], row["due_at"], row["looks"]) == (S.UNCERTAIN, desk.db.now(), 0)


@pytest.mark.parametrize("link", ["", "4711", "ftp://x.example/1", "javascript:alert(1)"])
def test_a_receipt_is_an_address(desk: Office, unclear: int, link: str) -> None:
    with pytest.raises(Invalid, match="网址"):
        act(desk, queue.confirm_sent, unclear, link)


def test_a_receipt_that_another_post_holds_is_refused(desk: Office, unclear: int) -> None:
    (other,) = signed(desk)
    change(desk, other, state=S.SENT, remote_id="4711")
    with pytest.raises(Invalid, match="已登记"):
        act(desk, queue.confirm_sent, unclear, "https://x.example/@office1/4711")


@pytest.mark.parametrize("does", [queue.confirm_absent, queue.drop, queue.look_again])
@pytest.mark.parametrize("state", [S.READY, S.SENT, S.FAILED, S.SENDING])
def test_only_what_is_unclear_is_resolved(
    desk: Office, unclear: int, does: Callable[..., Any], state: S
) -> None:
    change(desk, unclear, state=state, lease="token" if state is S.SENDING else None)
    with pytest.raises(Conflict):
        act(desk, does, unclear)


# ---------------------------------------------------------------- by hand


@pytest.fixture
def task(desk: Office) -> int:
    """A task that waits for a person's receipt."""
    (delivery,) = signed(desk, "hand")
    builders.work(desk)
    return delivery


def test_a_task_waits_for_its_receipt_and_is_nobody_s_lease(desk: Office, task: int) -> None:
    row = one(desk, task)
    assert (row["state"], row["lease"]) == (S.SENDING, None)
    assert "登记链接" in why(desk, task)
    assert attempt(desk)["ended_at"] is None
    act(desk, queue.confirm_sent, task, f"  {WEB}\n")
    row = one(desk, task)
    assert (row["state"], row["remote_id"], row["url"]) == (S.SENT, WEB, WEB)
    assert attempt(desk)["outcome"] == Outcome.SENT
    assert rows(desk, watches) == [], "its replies cannot be read"


def test_a_task_tells_step_by_step_what_to_do_while_it_waits(desk: Office, task: int) -> None:
    def _told() -> str:
        with desk.db.read() as conn:
            return queue.task(conn, task)

    assert "登录微博" in _told()
    assert "────────\n云澜县今日供水正常。\n────────" in _told()
    with speaking("en"):
        assert "登录" not in _told()
    act(desk, queue.confirm_sent, task, WEB)
    assert _told() == ""


def test_a_task_nobody_will_do_is_let_be(desk: Office, task: int) -> None:
    act(desk, queue.drop, task)
    assert (one(desk, task)["state"], attempt(desk)["outcome"]) == (S.CANCELLED, Outcome.DROPPED)


def test_a_task_past_its_latest_moment_is_unclear(
    desk: Office, task: int, clock: FixedClock
) -> None:
    clock.move(2 * 3600 + 1)
    beat(desk, id="w2")
    builders.work(desk)
    assert one(desk, task)["state"] == S.UNCERTAIN
    assert "回执" in told(desk)[0]
    act(desk, queue.confirm_sent, task, WEB)
    assert one(desk, task)["state"] == S.SENT
    assert told(desk) == []


@both
def test_an_edit_and_a_withdrawal_by_hand_happen_where_the_post_stands(
    desk: Office, task: int
) -> None:
    act(desk, queue.confirm_sent, task, WEB)
    post = one(desk, task)["post_id"]
    with desk.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), desk.db.now(conn)
        compose.revise(desk, conn, now, zhou, post, 1, Body("二稿。"), ["hand"])
    builders.sign(desk, post)
    plan.plan_due(desk)
    builders.work(desk)
    (edit,) = (r["id"] for r in builders.sent_to(desk, post) if r["act"] == Act.EDIT)
    with desk.db.read() as conn:
        assert f"把已发的这条改成以下内容：{WEB}" in queue.task(conn, edit)
    act(desk, queue.confirm_sent, edit, WEB)
    assert one(desk, edit)["state"] == S.SENT
    with desk.db.write() as conn:
        made = compose.withdrawal(desk, conn, now, zhou, post, "有误")
    builders.sign(desk, made)
    plan.plan_due(desk)
    builders.work(desk)
    taken_down = builders.only(desk, made)["id"]
    act(desk, queue.confirm_sent, taken_down, WEB)
    assert one(desk, taken_down)["state"] == S.SENT


def test_what_a_worker_is_sending_is_nobody_s_to_resolve(desk: Office) -> None:
    (delivery,) = signed(desk)
    change(desk, delivery, state=S.SENDING, lease="token", leased_until=desk.db.now() + HOUR)
    for does, more in ((queue.confirm_sent, (WEB,)), (queue.drop, ())):
        with pytest.raises(Conflict, match="正在发送"):
            act(desk, does, delivery, *more)


# ---------------------------------------------------------------- reading


def test_what_is_not_there_is_not_found(desk: Office) -> None:
    with pytest.raises(NotFound):
        one(desk, 99)
    with pytest.raises(NotFound):
        act(desk, queue.cancel, 99)


def test_attempts_are_given_oldest_first(desk: Office, unclear: int) -> None:
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        conn.execute(insert(attempts).values(delivery_id=unclear, begun_at=now, worker="w2"))
    with desk.db.read() as conn:
        assert [row["worker"] for row in queue.attempts_of(conn, unclear)] == ["w", "w2"]


def test_without_the_right_nothing_is_done(desk: Office, unclear: int) -> None:
    with desk.db.write() as conn:
        builders.person(conn, "he", "何答", Role.RESPONDER)
    for does, more in (
        (queue.cancel, ()),
        (queue.retry, ()),
        (queue.look_again, ()),
        (queue.confirm_sent, (WEB,)),
        (queue.confirm_absent, ()),
        (queue.drop, ()),
    ):
        with pytest.raises(NotAllowed, match="处理队列"):
            act(desk, does, unclear, *more, by="he")
