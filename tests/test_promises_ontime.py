"""Promise 4: on time or not at all; and no sooner than a platform said."""

from __future__ import annotations

import asyncio
import io
from datetime import datetime, timedelta

import pytest
from PIL import Image
from sqlalchemy import insert, select, update

from bot import media
from bot.adapters.byhand import ByHand
from bot.compose import Body
from bot.config import duration
from bot.db import accounts, deliveries, hosts, notices, workers
from bot.deliver import plan, queue, settling, taking
from bot.deliver.taking import ClockBehind
from bot.errors import Conflict
from bot.language import Say
from bot.model import DeliveryState, Outcome, PostState, Role, Window
from bot.office import Office
from bot.workdays import FixedClock
from bot.worker import Worker
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import FAULTS, WAIT_FORMS, Fault, Server, limited

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


def texts(fake: Mastodon, account: str = "") -> list[str]:
    return [p["text"] for p in fake.posts(account)]


def told(office: Office) -> list[str]:
    with office.db.read() as conn:
        rows = conn.execute(select(notices.c.say).where(notices.c.closed_at.is_(None)))
        return [str(Say.of(say)) for say in rows.scalars()]


def on(office: Office, clock: FixedClock, seconds: float, step: float = 15) -> None:
    for _ in range(int(seconds / step)):
        clock.move(step)
        builders.work(office)


def strike(server: Server, fault: Fault, times: int = 1) -> None:
    server.faults.script(fault, method="POST", path="/statuses", times=times)


# ---------------------------------------------------------------- too late is missed


@both
def test_past_its_latest_moment_it_is_missed_and_told(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    post = builders.signed(
        office,
        ["a1"],
        "过时不发。",
        go_at=now + timedelta(minutes=5),
        latest_at=now + timedelta(minutes=10),
    )
    clock.move(11 * 60)
    builders.work(office)
    assert texts(fake) == []
    assert builders.only(office, post)["state"] == S.MISSED
    assert any("最迟时限" in words for words in told(office))


@here
def test_what_was_missed_goes_only_by_a_persons_word_and_within_what_was_signed(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    now = clock.now()
    window = Window(None, now + timedelta(minutes=30))
    post = builders.signed(office, ["a1"], "补发。", window=window)
    with office.db.write() as conn:
        conn.execute(update(deliveries).values(latest_at=now + timedelta(minutes=10)))
    on(office, clock, 0)
    clock.move(11 * 60)
    builders.work(office)
    row = builders.only(office, post)
    assert row["state"] == S.MISSED
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        late = now + timedelta(minutes=40)
        with pytest.raises(Conflict, match="时段"):
            queue.retry(office, conn, clock.now(), lin, row["id"], late)
        queue.retry(office, conn, clock.now(), lin, row["id"])
    builders.work(office)
    assert texts(fake) == ["补发。"]


@here
def test_one_that_is_looked_up_too_long_does_not_go_late(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    """Found absent after its latest moment: missed, not sent again."""
    latest = clock.now() + timedelta(seconds=40)
    post = builders.signed(office, ["a1"], "片刻有效。", latest_at=latest)
    strike(server, FAULTS["cut_before"])
    builders.work(office)
    on(office, clock, 300)
    assert texts(fake) == []
    assert builders.only(office, post)["state"] == S.MISSED


# ---------------------------------------------------------------- no burst


@both
def test_after_half_an_hour_without_a_worker_a_person_decides(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    go_at = clock.now() + timedelta(seconds=30)
    made = [builders.signed(office, ["a1"], f"第 {n} 条。", go_at=go_at) for n in range(6)]
    _lived_until(office, clock.now())
    clock.move(30 * 60)
    _work_as_a_worker(office)
    assert texts(fake) == []
    rows = [builders.only(office, post) for post in made]
    assert {(row["state"], row["due_at"]) for row in rows} == {(S.READY, None)}
    assert sum("停机" in words for words in told(office)) == 6
    fresh = builders.signed(office, ["a1"], "停机之后签发。")
    with office.db.write() as conn:
        queue.retry(office, conn, clock.now(), builders.actor(conn, "lin"), rows[0]["id"])
    builders.work(office)
    assert sorted(texts(fake)) == ["停机之后签发。", "第 0 条。"]
    assert builders.only(office, fresh)["state"] == S.SENT


def _lived_until(office: Office, at: datetime) -> None:
    values = {"id": "before", "host": "here", "pid": 1, "started_at": at, "beat_at": at}
    with office.db.write() as conn:
        conn.execute(insert(workers).values(**values, stopped_at=at))


def _work_as_a_worker(office: Office) -> None:
    async def scene() -> None:
        worker, stop = Worker(office), asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        await asyncio.sleep(0.4)
        stop.set()
        await running

    asyncio.run(scene())


@here
def test_a_short_break_delays_and_loses_nothing(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    go_at = clock.now() + timedelta(seconds=30)
    post = builders.signed(office, ["a1"], "五分钟之后。", go_at=go_at)
    _lived_until(office, clock.now())
    clock.move(5 * 60)
    _work_as_a_worker(office)
    assert builders.only(office, post)["state"] == S.SENT


@here
def test_run_once_is_rare_by_design_and_sends_what_is_due(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    post = builders.signed(
        office, ["a1"], "每半小时一次。", go_at=clock.now() + timedelta(minutes=1)
    )
    _lived_until(office, clock.now())
    clock.move(30 * 60)
    asyncio.run(Worker(office).once())
    assert builders.only(office, post)["state"] == S.SENT


# ---------------------------------------------------------------- the platform says wait


@here
@pytest.mark.parametrize("form", [form for form in WAIT_FORMS if form != "none"])
def test_the_platforms_wait_is_obeyed_to_the_second_in_each_form(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock, form: str
) -> None:
    for n in range(3):
        builders.signed(office, ["a1"], f"第 {n} 条。")
    builders.signed(office, ["a2"], "别的账号。")
    strike(server, limited(form, 120))
    builders.work(office)
    # Of the two accounts whichever was asked first was told to wait; the other sends all it has.
    waiting, free, has = "office1", "office2", 1
    if texts(fake, "office1"):
        waiting, free, has = "office2", "office1", 3
    assert (texts(fake, waiting), len(texts(fake, free))) == ([], has)
    on(office, clock, 115, 23)
    assert texts(fake, waiting) == []
    clock.move(10)
    builders.work(office)
    assert len(texts(fake)) == 4


@here
def test_without_a_stated_wait_the_account_waits_longer_each_time(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    builders.signed(office, ["a1"], "稍后。")
    strike(server, limited("none"), times=3)
    builders.work(office)
    waits, last = [], clock.now()
    while not texts(fake):
        clock.move(5)
        before = server.requests
        builders.work(office)
        if server.requests > before:
            waits.append((clock.now() - last).total_seconds())
            last = clock.now()
    assert waits == [15, 60, 300]


@both
def test_a_look_up_beside_it_does_not_shorten_the_wait(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    """One of the account is uncertain, the next is told to wait: the look-up must change nothing."""
    strike(server, FAULTS["cut_after"])
    builders.signed(office, ["a1"], "不明。")
    builders.work(office)
    strike(server, limited("seconds", 300))
    for n in (1, 2):
        builders.signed(office, ["a1"], f"排队 {n}。")
    builders.work(office)
    before = server.requests
    on(office, clock, 285, 15)
    assert texts(fake) == ["不明。"]
    assert server.requests == before, "asked, though told to wait"
    clock.move(20)
    builders.work(office)
    assert sorted(texts(fake)) == ["不明。", "排队 1。", "排队 2。"]


@here
def test_an_upload_that_is_told_to_wait_keeps_the_whole_account_waiting(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "PNG")
    with office.db.write() as conn:
        picture = media.take_picture(office.media, conn, clock.now(), out.getvalue(), "a.png", "图")
    server.faults.script(limited("seconds", 120), method="POST", path="/media")
    builders.signed(office, ["a1"], body=Body("带图。", media=(picture,)))
    builders.signed(office, ["a1"], "不带图。")
    builders.work(office)
    on(office, clock, 105, 15)
    assert texts(fake) == []
    on(office, clock, 30, 15)
    assert sorted(texts(fake)) == ["不带图。", "带图。"]


@here
def test_a_shorter_wait_of_the_host_does_not_cut_a_longer_one(
    office: Office, clock: FixedClock
) -> None:
    with office.db.write() as conn:
        now = clock.now()
        settling._free_host(conn, "m.example", now + timedelta(seconds=300))
        settling._free_host(conn, "m.example", now + timedelta(seconds=5))
        stands = conn.execute(select(hosts.c.free_at)).scalar_one()
    assert stands == now + timedelta(seconds=300)


# ---------------------------------------------------------------- pace and order


@both
def test_an_account_keeps_its_pace(office: Office, fake: Mastodon, clock: FixedClock) -> None:
    with office.db.write() as conn:
        conn.execute(update(accounts).where(accounts.c.key == "a1").values(gap_ms=60_000))
    for n in range(3):
        builders.signed(office, ["a1"], f"第 {n} 条。")
    builders.work(office)
    assert len(texts(fake)) == 1
    on(office, clock, 45)
    assert len(texts(fake)) == 1
    on(office, clock, 30)
    assert len(texts(fake)) == 2


@here
def test_an_emergency_goes_before_what_waits_already(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
        conn.execute(update(accounts).where(accounts.c.key == "a1").values(gap_ms=60_000))
    for n in range(3):
        builders.signed(office, ["a1"], f"第 {n} 条。")
    urgent = builders.draft(office, ["a1"], "紧急：停水。", emergency=True)
    assert builders.sign(office, urgent, by="lin") is PostState.IN_REVIEW
    assert builders.sign(office, urgent, by="he") is PostState.APPROVED
    plan.plan_due(office)
    builders.work(office)
    assert texts(fake) == ["紧急：停水。"]


@here
def test_two_calls_of_one_account_never_overlap(
    office: Office, fake: Mastodon, server: Server, clock: FixedClock
) -> None:
    """Though its lease outlasts any fixed time: sixty seconds a call."""
    with office.db.write() as conn:
        able = conn.execute(select(accounts.c.capabilities).limit(1)).scalar_one()
        conn.execute(update(accounts).values(capabilities=able | {"timeout_seconds": 60}))
        now = clock.now()
    for n in range(2):
        builders.signed(office, ["a1"], f"第 {n} 条。")
    with office.db.write() as conn:
        _, begun = taking.take(conn, now, 10, "one")
        assert len(begun) == 1
    clock.move(100)
    with office.db.write() as conn:
        _, begun = taking.take(conn, clock.now(), 10, "two")
        assert begun == []


# ---------------------------------------------------------------- an outage of the platform


@here
@pytest.mark.parametrize("how", ["busy_503_before", "cut_before", "refused"])
def test_three_minutes_without_the_platform_lose_nothing(
    office: Office, platform: Platform, clock: FixedClock, how: str
) -> None:
    fake, server = platform
    away = Server(fake)  # an address where nobody listens
    away.start()
    away.stop()
    address = away.url if how == "refused" else server.url
    ids = [builders.account(office, f"a{n}", address, n) for n in (1, 2, 3)]
    made = [builders.signed(office, [f"a{n % 3 + 1}"], f"第 {n} 条。") for n in range(30)]
    if how != "refused":
        server.faults.random({how: 1.0}, path="/statuses")
    builders.work(office)
    on(office, clock, 180, 15)
    assert texts(fake) == []
    server.faults.clear()
    with office.db.write() as conn:
        conn.execute(
            update(accounts).where(accounts.c.id.in_(ids)).values(options={"url": server.url})
        )
    on(office, clock, 3600, 30)
    assert sorted(texts(fake)) == sorted(f"第 {n} 条。" for n in range(30))
    assert {builders.only(office, post)["state"] for post in made} == {S.SENT}


# ---------------------------------------------------------------- the clock


@both
def test_a_clock_set_back_stops_sending_until_it_is_right(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    builders.signed(office, ["a1"], "此前。")
    builders.work(office)
    builders.signed(office, ["a1"], "此后。")
    clock.move(-60)
    with pytest.raises(ClockBehind, match="时钟落后"):
        builders.work(office)
    assert texts(fake) == ["此前。"]
    clock.move(70)
    builders.work(office)
    assert texts(fake) == ["此前。", "此后。"]


@here
def test_a_clock_set_back_is_seen_by_the_beats_of_an_idle_worker(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """Nothing was sent for an hour: late by the true time, it would go as if it were on time."""
    worker = Worker(office)
    worker._enter()
    clock.move(3600)
    worker._beat()
    builders.signed(office, ["a1"], "一小时后。")
    clock.move(-1800)
    worker._beat()
    with pytest.raises(ClockBehind):
        builders.work(office)
    clock.move(1801)
    builders.work(office)
    assert texts(fake) == ["一小时后。"]


# ---------------------------------------------------------------- a review that takes its time


@here
def test_lateness_runs_from_the_last_sign_off(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    """The first reader signed in the morning, the last signer in the afternoon."""
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    post = builders.draft(office, ["a1"], "一天里审完。", emergency=True)
    builders.sign(office, post, by="lin")
    clock.move(6 * 3600)
    builders.sign(office, post, by="he")
    plan.plan_due(office)
    builders.work(office)
    assert texts(fake) == ["一天里审完。"]


@here
def test_windows_that_do_not_meet_are_told_to_the_last_signer(
    office: Office, fake: Mastodon, clock: FixedClock
) -> None:
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    post = builders.draft(office, ["a1"], "时段不合。", emergency=True)
    builders.sign(office, post, by="lin", window=Window(None, clock.now() + timedelta(hours=1)))
    clock.move(2 * 3600)
    with pytest.raises(Conflict, match="共同"):
        builders.sign(office, post, by="he")


# ---------------------------------------------------------------- by hand


@pytest.fixture
def by_hand(office: Office, fake: Mastodon, clock: FixedClock) -> int:
    """A signed post whose account is served by a person, begun; its latest moment in an hour."""
    with office.db.write() as conn:
        able = {**ByHand.capabilities.json(), "by_hand": True}
        values = {"adapter": "byhand", "options": {"platform": "微博"}, "capabilities": able}
        conn.execute(update(accounts).where(accounts.c.key == "a1").values(identity="", **values))
    post = builders.signed(office, ["a1"], "人工发布。", latest_at=clock.now() + timedelta(hours=1))
    builders.work(office)
    return post


@here
def test_what_a_person_must_do_by_hand_is_told_and_counted_at_once(
    office: Office, by_hand: int, clock: FixedClock
) -> None:
    row = builders.only(office, by_hand)
    assert (row["state"], row["lease"]) == (S.SENDING, None)
    assert any("人工发布" in words for words in told(office))
    with office.db.write() as conn:
        assert queue.counts(conn, {1})["person"] == 1
        lin, link = builders.actor(conn, "lin"), "https://weibo.example/1"
        queue.confirm_sent(conn, clock.now(), lin, row["id"], link)
        assert queue.counts(conn, {1})["person"] == 0
    assert told(office) == []
    (attempt,) = builders.attempts_at(office, row["id"])
    assert attempt["outcome"] == Outcome.SENT


@here
def test_a_task_nobody_did_in_time_is_uncertain_and_goes_to_no_machine(
    office: Office, by_hand: int, clock: FixedClock
) -> None:
    on(office, clock, 2 * 3600, 600)
    row = builders.only(office, by_hand)
    assert (row["state"], row["due_at"]) == (S.UNCERTAIN, None)
    assert len(builders.attempts_at(office, row["id"])) == 1
    assert told(office)


def test_a_duration_may_be_told_in_milliseconds() -> None:
    assert duration("200ms") == timedelta(milliseconds=200)
