"""Promise 2: never twice without a person's decision. Each test loses an answer on purpose."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from bot import compose
from bot.compose import Body
from bot.db import accounts, attempts, deliveries, notices, posts, renditions, revisions
from bot.deliver import plan, queue, sweeping, taking
from bot.deliver.engine import Engine
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.model import DeliveryState, Outcome, OverLimit, Role
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import FAULTS, Fault, Server, reply

S = DeliveryState
Platform = tuple[Mastodon, Server]
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def fake(office: Office, platform: Platform) -> Mastodon:
    fake, server = platform
    for n in (1, 2, 3):
        builders.account(office, f"a{n}", server.url, n)
    return fake


@pytest.fixture
def server(platform: Platform) -> Server:
    return platform[1]


def strike(server: Server, fault: Fault) -> None:
    """The next publishing goes wrong in this way."""
    server.faults.script(fault, method="POST", path="/statuses")


def texts(fake: Mastodon) -> list[str]:
    return [p["text"] for p in fake.posts()]


def on(office: Office, clock: FixedClock, seconds: float, step: float = 15) -> None:
    """Work through a while, turn by turn."""
    for _ in range(int(seconds / step)):
        clock.move(step)
        builders.work(office)


def outcomes(office: Office, post_id: int) -> list[str]:
    return [
        a["outcome"] for a in builders.attempts_at(office, builders.only(office, post_id)["id"])
    ]


def needs_person(office: Office) -> int:
    with office.db.read() as conn:
        return queue.counts(conn, {1})["person"]


def told(office: Office) -> list[str]:
    """The notices that stand."""
    with office.db.read() as conn:
        rows = conn.execute(select(notices.c.say).where(notices.c.closed_at.is_(None)))
        return [str(Say.of(say)) for say in rows.scalars()]


# ---------------------------------------------------------------- the answer is lost


@here
@pytest.mark.parametrize("fault", [n for n in FAULTS if not n.endswith("_before")])
def test_whatever_the_answer_was_it_stands_once(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, fault: str
) -> None:
    post = builders.signed(office, ["a1"], "只此一条。")
    strike(server, FAULTS[fault])
    builders.work(office)
    assert builders.only(office, post)["state"] == S.UNCERTAIN
    on(office, clock, 240)
    assert texts(fake) == ["只此一条。"]
    row = builders.only(office, post)
    assert (row["state"], row["remote_id"]) == (S.SENT, fake.posts()[0]["id"])
    assert told(office) == []


@here
@pytest.mark.parametrize("fault", [n for n in FAULTS if n.endswith("_before")])
def test_what_never_arrived_goes_again_once_that_is_sure(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, fault: str
) -> None:
    post = builders.signed(office, ["a1"], "没有收到。")
    strike(server, FAULTS[fault])
    builders.work(office)
    on(office, clock, 240)
    assert texts(fake) == ["没有收到。"]
    assert outcomes(office, post) == [Outcome.ABSENT, Outcome.SENT]
    assert len({p["key"] for p in fake.posts()}) == 1


@here
def test_what_cannot_be_known_waits_for_a_person_and_is_counted(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    for n in range(8):
        builders.signed(office, ["a1"], f"第 {n} 条。")
    builders.work(office)
    fake.manners.latest = 2  # the listing shows its newest two only
    post = builders.signed(office, ["a1"], "不知下落。")
    strike(server, FAULTS["cut_before"])
    builders.work(office)
    on(office, clock, 3600, 60)
    row = builders.only(office, post)
    assert (row["state"], row["due_at"]) == (S.UNCERTAIN, None)
    assert needs_person(office) == 1
    assert any("人工核对" in words for words in told(office))
    assert "不知下落。" not in texts(fake)
    with office.db.write() as conn:
        queue.confirm_absent(office, conn, clock.now(), builders.actor(conn, "lin"), row["id"])
    builders.work(office)
    assert texts(fake).count("不知下落。") == 1
    assert (needs_person(office), told(office)) == (0, [])


@here
def test_a_person_who_saw_it_stand_ends_it(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    fake.manners.latest = 1
    builders.signed(office, ["a1"], "前一条。")
    builders.work(office)
    post = builders.signed(office, ["a1"], "有人看见。")
    strike(server, FAULTS["cut_after"])
    builders.work(office)
    standing = fake.posts()[-1]["id"]
    row = builders.only(office, post)
    with office.db.write() as conn:
        lin, link = builders.actor(conn, "lin"), f"https://fake.invalid/@office1/{standing}"
        queue.confirm_sent(conn, clock.now(), lin, row["id"], link)
    on(office, clock, 1200, 60)
    assert texts(fake).count("有人看见。") == 1
    assert builders.only(office, post)["remote_id"] == standing


@here
def test_one_link_does_not_vouch_for_two(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    builders.signed(office, ["a1"], "早先一条。")
    builders.work(office)
    post = builders.signed(office, ["a1"], "后来一条。")
    strike(server, FAULTS["cut_before"])
    builders.work(office)
    link = f"https://fake.invalid/@office1/{fake.posts()[0]['id']}"
    row = builders.only(office, post)
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        with pytest.raises(Invalid, match="已登记"):
            queue.confirm_sent(conn, clock.now(), lin, row["id"], link)


# ---------------------------------------------------------------- the platform shows late


@both
def test_a_platform_that_shows_late_is_not_asked_too_early(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, monkeypatch: Any
) -> None:
    """Killed after the request's last byte; the listing shows it 100 seconds later."""
    _shows_late(office, fake, clock, monkeypatch, shown_after=100, declared=120)
    post = builders.signed(office, ["a1"], "慢一拍。")
    _killed_after_the_call(office)
    on(office, clock, 600, 10)
    assert texts(fake) == ["慢一拍。"]
    assert builders.only(office, post)["state"] == S.SENT


@here
def test_an_answer_cut_on_a_platform_that_shows_late_is_no_second_post(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, monkeypatch: Any
) -> None:
    _shows_late(office, fake, clock, monkeypatch, shown_after=100, declared=120)
    builders.signed(office, ["a1"], "慢一拍。")
    strike(server, FAULTS["cut_after"])
    builders.work(office)
    on(office, clock, 600, 10)
    assert texts(fake) == ["慢一拍。"]


def _shows_late(
    office: Office,
    fake: Mastodon,
    clock: FixedClock,
    monkeypatch: Any,
    *,
    shown_after: int,
    declared: int,
) -> None:
    class Ticking:
        time = staticmethod(lambda: clock.now().timestamp())

    monkeypatch.setattr("tests.fakes.mastodon.time", Ticking)
    fake.manners.lag = shown_after
    with office.db.write() as conn:
        able = conn.execute(select(accounts.c.capabilities).limit(1)).scalar_one()
        values = {"capabilities": able | {"listing_lag_seconds": declared}}
        conn.execute(update(accounts).values(**values))


def _killed_after_the_call(office: Office) -> None:
    """A worker that dies between the platform's taking it and its own writing that down."""

    async def scene() -> None:
        engine = Engine(office, "dead")
        await engine.start_due()
        await asyncio.wait(engine._running)
        assert engine._results, "the platform has answered"
        engine._results.clear()
        await engine.aclose()

    asyncio.run(scene())
    with office.db.write() as conn:
        sweeping.recover(conn, office.db.now(conn), ["dead"])


# ---------------------------------------------------------------- workers that die or fall asleep


@both
def test_a_worker_killed_before_the_call_leaves_one_post(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "进程中断。")
    _begin_and_die(office)
    assert texts(fake) == []
    on(office, clock, 300)
    assert texts(fake) == ["进程中断。"]
    assert outcomes(office, post) == [Outcome.ABSENT, Outcome.SENT]


def _begin_and_die(office: Office) -> None:
    with office.db.write() as conn:
        _, begun = taking.take(conn, office.db.now(conn), 10, "dead")
        assert begun
    with office.db.write() as conn:
        sweeping.recover(conn, office.db.now(conn), ["dead"])


@both
def test_a_worker_stopped_before_its_call_does_not_call_any_more(
    office: Office, platform: Platform
) -> None:
    """SIGSTOP between commit and call: by the time it wakes, others may have looked it up."""
    fake, server = platform
    builders.account(office, "a1", server.url, 1, timeout_seconds=0.05)
    post = builders.signed(office, ["a1"], "迟到。")

    async def scene() -> None:
        engine = Engine(office, "slow")
        (job,) = engine._jobs(await engine._in_store(engine._turn, (), 10))
        time.sleep(0.1)
        await job
        await engine.aclose()

    asyncio.run(scene())
    assert texts(fake) == []
    assert outcomes(office, post) == [Outcome.LATER]


@both
def test_a_result_that_comes_after_the_lease_is_not_written(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1"], "慢进程。")

    async def scene() -> None:
        slow = Engine(office, "slow")
        (job,) = slow._jobs(await slow._in_store(slow._turn, (), 10))
        clock.move(10)  # beyond three times the two seconds of a call
        await slow._in_store(_swept, office)
        await job  # the call is made and answered all the same
        await slow.aclose()

    asyncio.run(scene())
    assert builders.only(office, post)["state"] == S.UNCERTAIN
    on(office, clock, 60)
    assert texts(fake) == ["慢进程。"]
    assert outcomes(office, post) == [Outcome.SENT]


def _swept(office: Office) -> None:
    with office.db.write() as conn:
        rules = office.config.deliver
        sweeping.sweep(conn, office.db.now(conn), rules.looks[0], rules.outage)


# ---------------------------------------------------------------- receipts


@both
def test_two_alike_with_one_on_the_platform_become_two(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    """Both look at the same listing at the same moment; one receipt serves one delivery."""
    twins = [builders.signed(office, ["a1"], "例行提醒：节约用水。") for _ in range(2)]
    strike(server, FAULTS["cut_after"])
    builders.work(office)
    strike(server, FAULTS["cut_before"])
    builders.work(office)
    on(office, clock, 900)
    assert len(texts(fake)) == 2
    rows = [builders.only(office, post) for post in twins]
    assert {row["state"] for row in rows} == {S.SENT}
    assert {row["remote_id"] for row in rows} == {p["id"] for p in fake.posts()}


@here
def test_an_answer_that_names_anothers_post_proves_nothing(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    first = builders.signed(office, ["a1"], "第一条。")
    builders.work(office)
    standing = builders.only(office, first)["remote_id"]
    wrong = {"id": standing, "uri": "x", "url": "x", "content": "", "media_attachments": []}
    post = builders.signed(office, ["a1"], "第二条。")
    strike(server, Fault(True, reply(wrong)))
    builders.work(office)
    assert builders.only(office, post)["state"] == S.UNCERTAIN
    on(office, clock, 900)
    assert texts(fake) == ["第一条。", "第二条。"]
    assert builders.only(office, post)["remote_id"] != standing


# ---------------------------------------------------------------- one of several accounts


@both
def test_one_of_three_accounts_fails_and_the_retry_touches_only_it(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    post = builders.signed(office, ["a1", "a2", "a3"], "发往三处。")
    strike(server, Fault(False, reply({"error": "no"}, 422)))
    builders.work(office)
    rows = builders.sent_to(office, post)
    assert sorted(row["state"] for row in rows) == [S.FAILED, S.SENT, S.SENT]
    failed = next(row for row in rows if row["state"] == S.FAILED)
    server.requests = 0
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        queue.retry(office, conn, clock.now(), lin, failed["id"])
    builders.work(office)
    assert sorted(p["account"] for p in fake.posts()) == ["office1", "office2", "office3"]
    assert server.requests == 1
    assert {row["state"] for row in builders.sent_to(office, post)} == {S.SENT}


@here
def test_what_was_sent_cannot_be_retried(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "已发。")
    builders.work(office)
    row = builders.only(office, post)
    with office.db.write() as conn:
        now, lin = office.db.now(conn), builders.actor(conn, "lin")
        with pytest.raises(Conflict):
            queue.retry(office, conn, now, lin, row["id"])
    with office.db.write() as conn:  # nor by planning it again
        conn.execute(update(posts).values(due_at=office.db.now(conn)))
    plan.plan_due(office)
    builders.work(office)
    assert texts(fake) == ["已发。"]


@here
def test_a_dead_token_breaks_the_account_and_keeps_its_queue(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    made = [builders.signed(office, ["a1"], f"第 {n} 条。") for n in range(3)]
    fake.dead.add("token-1")
    builders.work(office)
    on(office, clock, 120)
    assert texts(fake) == []
    assert {builders.only(office, post)["state"] for post in made} == {S.READY}
    assert any("已断开" in words for words in told(office))


# ---------------------------------------------------------------- threads


@pytest.fixture
def thread(office: Office, fake: Mastodon) -> int:
    words = "\n\n".join(f"第{n}段。" + f"{n}" * 400 for n in (1, 2, 3))
    return builders.signed(office, ["a1"], body=Body(words, over_limit=OverLimit.THREAD))


def signed_parts(office: Office, post: int) -> list[str]:
    query = select(renditions.c.payload).join(revisions).where(revisions.c.post_id == post)
    with office.db.read() as conn:
        found = conn.execute(query.order_by(renditions.c.part)).scalars().all()
    assert len(found) == 3
    return [payload["text"] for payload in found]


@both
def test_the_parts_of_a_thread_go_in_order_each_under_the_one_before(
    office: Office, fake: Mastodon, thread: int
) -> None:
    builders.work(office)
    stand = fake.posts()
    assert [p["text"] for p in stand] == signed_parts(office, thread)
    assert [p["reply_to"] for p in stand] == ["", stand[0]["id"], stand[1]["id"]]


@here
def test_a_failed_middle_part_keeps_what_follows_back(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, thread: int
) -> None:
    strike(server, Fault(True))
    strike(server, Fault(False, reply({"error": "no"}, 422)))
    builders.work(office)
    on(office, clock, 300, 60)
    rows = builders.sent_to(office, thread)
    assert [row["state"] for row in rows] == [S.SENT, S.FAILED, S.READY]
    assert len(texts(fake)) == 1
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        queue.retry(office, conn, clock.now(), lin, rows[1]["id"])
    builders.work(office)
    stand = fake.posts()
    assert [p["text"] for p in stand] == signed_parts(office, thread)
    assert [p["reply_to"] for p in stand] == ["", stand[0]["id"], stand[1]["id"]]


@both
@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_a_middle_part_whose_answer_is_lost_keeps_the_thread_whole(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, thread: int, fault: str
) -> None:
    strike(server, Fault(True))
    strike(server, FAULTS[fault])
    builders.work(office)
    assert len(builders.sent_to(office, thread)) == 3
    on(office, clock, 300)
    stand = fake.posts()
    assert [p["text"] for p in stand] == signed_parts(office, thread)
    assert [p["reply_to"] for p in stand] == ["", stand[0]["id"], stand[1]["id"]]


# ---------------------------------------------------------------- edits and withdrawals


def _revised(office: Office, post: int, text: str) -> None:
    with office.db.write() as conn:
        row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        compose.revise(office, conn, now, zhou, post, row["version"], Body(text), ["a1"])
    builders.sign(office, post)
    plan.plan_due(office)


def _withdrawn(office: Office, post: int) -> int:
    with office.db.write() as conn:
        now, zhou = office.db.now(conn), builders.actor(conn, "zhou")
        made = compose.withdrawal(office, conn, now, zhou, post, "有误")
    builders.sign(office, made)
    plan.plan_due(office)
    return made


@here
@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_an_edit_whose_answer_is_lost_is_found_or_made_again(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, fault: str
) -> None:
    post = builders.signed(office, ["a1"], "原文。")
    builders.work(office)
    server.faults.script(FAULTS[fault], method="PUT")
    _revised(office, post, "更正后。")
    builders.work(office)
    on(office, clock, 300)
    assert texts(fake) == ["更正后。"]
    assert {row["state"] for row in builders.sent_to(office, post)} == {S.SENT}


@here
@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_a_withdrawal_whose_answer_is_lost_is_found_or_made_again(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, fault: str
) -> None:
    post = builders.signed(office, ["a1"], "将撤回。")
    builders.work(office)
    server.faults.script(FAULTS[fault], method="DELETE")
    made = _withdrawn(office, post)
    builders.work(office)
    on(office, clock, 300)
    assert texts(fake) == []
    assert builders.only(office, made)["state"] == S.SENT


@both
@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_withdrawing_what_is_uncertain_takes_it_down_once_it_is_clear(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, fault: str
) -> None:
    post = builders.signed(office, ["a1"], "发了吗。")
    strike(server, FAULTS[fault])
    builders.work(office)
    _withdrawn(office, post)
    for _ in range(20):
        plan.plan_due(office)
        on(office, clock, 30)
    assert texts(fake) == []
    assert "发了吗。" in {s.text for s in fake.log} or fault == "cut_before"


@here
def test_a_withdrawal_takes_down_every_part_and_account_that_was_sent(
    office: Office, fake: Mastodon, thread: int
) -> None:
    """Though the newest draft has one part and another account."""
    builders.work(office)
    assert len(texts(fake)) == 3
    with office.db.write() as conn:
        row = conn.execute(select(posts).where(posts.c.id == thread)).mappings().one()
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        compose.revise(office, conn, now, zhou, thread, row["version"], Body("短。"), ["a2"])
    _withdrawn(office, thread)
    builders.work(office)
    assert texts(fake) == []


@here
def test_what_is_withdrawn_before_it_went_never_goes(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    go_at = clock.now() + timedelta(minutes=30)
    post = builders.signed(office, ["a1"], "尚未发出。", go_at=go_at)
    _withdrawn(office, post)
    on(office, clock, 3600, 60)
    assert texts(fake) == []
    assert builders.only(office, post)["state"] == S.CANCELLED


# ---------------------------------------------------------------- a shallow listing


@both
def test_while_one_is_uncertain_a_shallow_account_sends_only_emergencies(
    office: Office, platform: Platform, clock: FixedClock
) -> None:
    fake, server = platform
    builders.account(office, "a1", server.url, 1, listing_depth=5)
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    fake.manners.latest = 5
    strike(server, FAULTS["cut_after"])
    builders.signed(office, ["a1"], "不明的一条。")
    builders.work(office)
    waiting = builders.signed(office, ["a1"], "普通一条。")
    urgent = builders.draft(office, ["a1"], "紧急：停水。", emergency=True)
    for who in ("lin", "he"):
        builders.sign(office, urgent, by=who)
    plan.plan_due(office)
    builders.work(office)
    assert texts(fake) == ["不明的一条。", "紧急：停水。"]
    assert builders.only(office, waiting)["state"] == S.READY
    on(office, clock, 120)
    assert texts(fake) == ["不明的一条。", "紧急：停水。", "普通一条。"]


# ---------------------------------------------------------------- the store says no


@here
def test_no_delivery_has_two_open_attempts(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"])
    with office.db.write() as conn:
        taking.take(conn, office.db.now(conn), 10, "one")
    row = builders.only(office, post)
    values = {"delivery_id": row["id"], "begun_at": office.db.now()}
    with office.db.write() as conn:
        with pytest.raises(IntegrityError):
            conn.execute(attempts.insert().values(**values))
        conn.rollback()


@here
def test_after_a_restore_what_was_never_tried_can_be_looked_up(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Uncertain without an attempt: the backup is older than its sending."""
    post = builders.signed(office, ["a1"], "备份之前。")
    row = builders.only(office, post)
    with office.db.write() as conn:
        values = {"state": S.UNCERTAIN, "due_at": clock.now()}
        conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(**values))
    other = builders.signed(office, ["a1"], "照常。")
    on(office, clock, 300)
    assert builders.only(office, other)["state"] == S.SENT
    assert sorted(texts(fake)) == ["备份之前。", "照常。"]
