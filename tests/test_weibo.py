"""An office on Weibo, from the signature to the public's answers: once each, or a person decides."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from sqlalchemy import RowMapping, Table, select, update

from bot import collect, compose, media
from bot.adapters.weibo.answers import mid62
from bot.cli import main
from bot.collect.polling import collect_due
from bot.compose import Body
from bot.db import accounts, deliveries, posts, renditions, replies, watches
from bot.deliver import accounts as stage
from bot.deliver import plan, queue
from bot.deliver.engine import Engine
from bot.language import use
from bot.model import Act, DeliveryState, Media, Outcome, Outgoing, OverLimit, PostKind, Visible
from bot.office import Office
from bot.shown import shown_state
from bot.speaking import Adapters
from bot.web.posts import data_for_post
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes import weibo
from tests.fakes.server import CUT_AFTER, CUT_BEFORE, HTML_502, Server
from tests.fakes.weibo import Manners
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
PART = """
[accounts.w]
unit = "county"
adapter = "weibo"
[accounts.w.options]
url = "{url}"
app_key = "{key}"
app_secret_file = "keys/weibo.secret"
redirect_uri = "{back}"
rip = "211.156.0.1"
safe_domains = ["www.example.gov.cn"]
"""
LINK = "https://www.example.gov.cn/zwgk/2026-11/24/1.htm"


@dataclass
class Desk:
    """An office with one account on a Weibo whose clock is the office's."""

    office: Office
    fake: weibo.Weibo
    server: Server
    clock: FixedClock

    def later(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.fake.ahead = self.clock.now().timestamp() - time.time()

    def on(self, seconds: float, step: float = 60) -> None:
        for _ in range(int(seconds / step)):
            self.later(step)
            builders.work(self.office)

    def sign(self, words: str = "今日供水正常", media: tuple[Media, ...] = (), **more: Any) -> int:
        body = Body(f"{words}，详见 {LINK} 。", title=words, link=LINK, media=media)
        return builders.signed(self.office, ["w"], body=body, **more)

    def picture(self) -> Media:
        out = io.BytesIO()
        Image.new("RGB", (3, 2), "teal").save(out, "PNG")
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            return media.take_picture(self.office.media, conn, now, out.getvalue(), "a.png", "图")

    def armed(self, seconds: float, change: Callable[[], object] = lambda: None) -> None:
        """Claimed and checked ahead of its second; then the change; then its second comes."""

        async def scene() -> None:
            engine = Engine(self.office, "armed", timedelta(seconds=seconds + 1))
            while not engine._armed:
                await engine.start_due()  # uploads come first
            assert self.sent() == []
            change()
            self.later(seconds)
            await engine.step()
            await engine.aclose()

        asyncio.run(scene())

    def sent(self) -> list[str]:
        """What stands there of what we sent, in our own words."""
        standing = self.fake.statuses.values()
        return [one.sent for one in standing if not one.sent.startswith("手机")]

    def state(self, post: int) -> str:
        return str(builders.only(self.office, post)["state"])

    def through(self, act: Callable[[Office, Adapters], Awaitable[int]]) -> None:
        async def _through() -> None:
            adapters = Adapters(self.office)
            try:
                await act(self.office, adapters)
            finally:
                await adapters.aclose()

        asyncio.run(_through())

    def check(self) -> None:
        with self.office.db.write() as conn:
            conn.execute(update(accounts).values(due_at=self.clock.now()))
        self.through(stage.check_due)

    def collect(self) -> None:
        self.through(collect_due)

    def row(self, table: Table) -> RowMapping:
        return rows(self.office, table)[-1]


@pytest.fixture
def desk(office: Office, clock: FixedClock) -> Iterator[Desk]:
    clock.set(datetime.now(UTC))
    with weibo.running() as (fake, server):
        (office.config.root / "keys").mkdir(exist_ok=True)
        (office.config.root / "keys" / "weibo.secret").write_text(weibo.APP_SECRET)
        part = PART.format(url=server.url, key=weibo.APP_KEY, back=weibo.CALLBACK)
        made = Desk(offices.declared(office, part), fake, server, clock)
        words = ["--config", str(made.office.config.path), "account", "connect", "w", "--as", "gu"]
        env = {"GONGKAI_PASSWORD": builders.PASSWORD}
        found = CliRunner().invoke(main, words, input="token-1\n", env=env)
        use("zh")
        assert found.exit_code == 0, found.output
        assert f"{server.url}/oauth2/authorize?client_id={weibo.APP_KEY}" in found.output
        yield made


# ---------------------------------------------------------------- connecting


def test_a_code_opens_the_account_and_no_secret_stays_readable(desk: Desk) -> None:
    row = desk.row(accounts)
    assert (row["identity"], row["identity_name"]) == ("2000000001", "2000000001")
    assert desk.office.secrets.open(row["credential"]) == "token-1"
    assert row["options"]["app_secret_file"].endswith("/keys/weibo.secret")
    assert weibo.APP_SECRET not in str(dict(row))
    assert row["token_ends"] - desk.clock.now() > timedelta(days=29)
    assert row["capabilities"]["link_domains"] == ["www.example.gov.cn"]


# ---------------------------------------------------------------- once each


@both
def test_what_was_cut_is_found_by_its_parameter_once_the_listing_caught_up(desk: Desk) -> None:
    desk.fake.manners = Manners(lag=90)
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    assert desk.state(post) == S.UNCERTAIN
    desk.on(60)
    assert not desk.fake.calls("user_timeline.json")[1:]  # not asked before it can show
    desk.on(120)
    assert desk.state(post) == S.SENT
    [words] = desk.sent()
    signed = Outgoing.of(desk.row(renditions)["payload"])
    assert words == signed.text
    assert "?gk=" in words
    assert len(builders.attempts_at(desk.office, builders.only(desk.office, post)["id"])) == 1


def test_what_never_arrived_goes_again_where_the_listing_reaches_back(desk: Desk) -> None:
    desk.fake.post("手机上早先发的")
    desk.later(3600)
    desk.server.faults.script(CUT_BEFORE, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    desk.on(600)
    assert desk.state(post) == S.SENT
    assert len(desk.sent()) == 1
    attempts = builders.attempts_at(desk.office, builders.only(desk.office, post)["id"])
    assert [one["outcome"] for one in attempts] == [Outcome.ABSENT, Outcome.SENT]


def test_what_newer_posts_hide_waits_for_a_person(desk: Desk) -> None:
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    for n in range(6):
        desk.fake.post(f"手机上第 {n} 条")
    waiting = desk.sign("另一条")
    desk.on(3600)
    row = builders.only(desk.office, post)
    assert (row["state"], row["due_at"]) == (S.UNCERTAIN, None)
    assert desk.state(waiting) == S.READY  # it would hide the evidence
    assert len(desk.sent()) == 1
    assert any("人工核对" in words for words in told(desk.office))
    standing = f"https://weibo.com/2000000001/{mid62(desk.fake.log[0].id)}"
    with desk.office.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), desk.office.db.now(conn)
        queue.confirm_sent(conn, now, lin, row["id"], standing)
    builders.work(desk.office)
    assert (desk.state(post), desk.state(waiting)) == (S.SENT, S.SENT)
    assert builders.only(desk.office, post)["remote_id"] == desk.fake.log[0].id


def test_a_listing_later_than_anybody_thought_gives_no_second_post(desk: Desk) -> None:
    """Weibo refuses the repetition; who looks at his timeline then says that it stands."""
    desk.fake.post("手机上早先发的")
    desk.later(3600)
    desk.fake.manners = Manners(lag=1800)
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    desk.on(600)
    row = builders.only(desk.office, post)
    assert (row["state"], len(desk.sent())) == (S.FAILED, 1)
    assert any("可能已经发出" in words for words in told(desk.office))
    standing = desk.fake.log[-1].id
    with desk.office.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), desk.office.db.now(conn)
        address = f"https://m.weibo.cn/detail/{standing}"
        queue.confirm_sent(conn, now, lin, row["id"], address)
    row = builders.only(desk.office, post)
    assert (row["state"], row["remote_id"], told(desk.office)) == (S.SENT, standing, [])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_under_faults_and_lag_each_stands_once_or_waits_for_a_person(desk: Desk, seed: int) -> None:
    desk.fake.manners = Manners(lag=100)
    struck = ("cut_after", "cut_before", "html_502", "half", "empty", "error_500_before")
    rates = dict.fromkeys(struck, 0.08)
    desk.server.faults.random(rates, seed, "POST", "share")
    desk.server.faults.random(dict.fromkeys(struck, 0.05), seed, "GET", "")
    now = desk.clock.now()
    made = [desk.sign(f"第 {n} 号通告", go_at=now + timedelta(minutes=7 * n)) for n in range(12)]
    desk.on(4 * 3600, 120)
    states = [desk.state(post) for post in made]
    standing = desk.sent()
    assert len(standing) == len(set(standing))
    for n, state in enumerate(states):
        there = sum(f"第 {n} 号" in words for words in standing)
        assert there == 1 if state == S.SENT else there <= 1
    assert states.count(S.SENT) >= 6


def test_a_picture_rides_along_from_the_store(desk: Desk) -> None:
    taken = desk.picture()
    post = desk.sign("停水范围见图", (taken,))
    builders.work(desk.office)
    assert desk.state(post) == S.SENT
    [stored] = desk.fake.pictures.values()
    assert stored == desk.office.media.read(taken.sha256)


@both
def test_armed_ahead_of_its_second_it_goes_with_its_picture_and_is_found_when_torn(
    desk: Desk,
) -> None:
    desk.fake.manners = Manners(lag=90)
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    go_at = desk.clock.now() + timedelta(seconds=2)
    taken = desk.picture()
    post = desk.sign("停水范围见图", (taken,), go_at=go_at)
    desk.armed(2)
    row = builders.only(desk.office, post)
    assert row["state"] == S.UNCERTAIN
    assert row["due_at"] - go_at >= timedelta(seconds=120)  # not before the listing can show it
    desk.on(180)
    assert desk.state(post) == S.SENT
    [words], [stored] = desk.sent(), desk.fake.pictures.values()
    assert words == Outgoing.of(desk.row(renditions)["payload"]).text
    assert stored == desk.office.media.read(taken.sha256)
    [attempt] = builders.attempts_at(desk.office, row["id"])
    assert (attempt["begun_at"], attempt["outcome"]) == (go_at, Outcome.SENT)


def test_a_picture_lost_from_the_store_is_told_and_nothing_goes(desk: Desk) -> None:
    taken = desk.picture()
    post = desk.sign("停水范围见图", (taken,), go_at=desk.clock.now() + timedelta(seconds=2))
    desk.armed(2, desk.office.media.path(taken.sha256).unlink)
    assert (desk.state(post), desk.sent()) == (S.FAILED, [])
    assert any(taken.sha256[:12] in words for words in told(desk.office))


# ---------------------------------------------------------------- taken down


def test_what_was_taken_down_is_not_told_as_unseen(desk: Desk) -> None:
    """Whoever withdrew it knows; what was told of it before ends with the withdrawal."""
    desk.fake.manners = Manners(grants=("destroy",))
    part = desk.office.config.path.read_text("utf-8").partition("[accounts.w]")
    more = f"[accounts.w]{part[2]}".replace("rip =", 'grants = ["destroy"]\nrip =')
    desk = replace(desk, office=offices.declared(desk.office, more))
    desk.check()
    post = desk.sign()
    builders.work(desk.office)
    desk.later(60)
    desk.server.faults.script(HTML_502, "POST", "destroy")
    with desk.office.db.write() as conn:
        now, zhou = desk.office.db.now(conn), builders.actor(conn, "zhou")
        down = compose.withdrawal(desk.office, conn, now, zhou, post, "内容有误")
    builders.sign(desk.office, down)
    plan.plan_due(desk.office)
    builders.work(desk.office)
    desk.fake.remove(builders.only(desk.office, post)["remote_id"])
    desk.later(61)
    builders.work(desk.office)
    assert rows(desk.office, deliveries)[0]["visible"] == Visible.NO
    assert told(desk.office) == []
    desk.on(600)
    sent = rows(desk.office, deliveries)
    assert [(row["act"], row["state"]) for row in sent] == [
        (Act.PUBLISH, S.SENT),
        (Act.WITHDRAW, S.SENT),
    ]
    assert told(desk.office) == []


# ---------------------------------------------------------------- the public's answers


def test_comments_come_in_by_the_account_and_an_answer_goes_back(desk: Desk) -> None:
    post = desk.sign()
    builders.work(desk.office)
    there = next(iter(desk.fake.statuses))
    question = desk.fake.answer(there, "停水到几点？")
    desk.later(60)
    desk.collect()
    [asked] = rows(desk.office, replies)
    assert (asked["remote_id"], asked["post_id"]) == (question, post)
    with desk.office.db.write() as conn:
        now, zhou = desk.office.db.now(conn), builders.actor(conn, "zhou")
        made = compose.answer(desk.office, conn, now, zhou, asked["id"], "到 18 时")
    builders.sign(desk.office, made)
    plan.plan_due(desk.office)
    builders.work(desk.office)
    assert desk.state(made) == S.SENT
    ours = desk.fake.comments[builders.only(desk.office, made)["remote_id"]]
    assert (ours.text, ours.parent and ours.parent.id) == ("@网友 到 18 时", question)
    desk.later(7 * 3600)
    desk.collect()
    own = {row["remote_id"]: row["own"] for row in rows(desk.office, replies)}
    assert own == {question: False, ours.id: True}
    closed = {row["delivery_id"]: row["state"] for row in rows(desk.office, watches)}
    assert closed[builders.only(desk.office, made)["id"]] == "closed"


def test_a_small_quota_is_spent_sparingly(desk: Desk) -> None:
    """Half-hourly for the account, and no call where nobody said anything; a post ever more rarely."""
    desk.sign()
    builders.work(desk.office)
    used = desk.fake.users["token-1"].used
    for _ in range(24 * 12):
        desk.later(300)
        desk.collect()
    assert len(desk.fake.calls("unread_count.json")) > 40
    assert desk.fake.users["token-1"].used - used < 30
    with desk.office.db.read() as conn:
        [covered] = collect.coverage(conn, 1)
    assert covered.walked_at is not None
    assert covered.total == 0


def test_a_busy_day_on_a_hundred_calls_publishes_everything(desk: Desk) -> None:
    desk.fake.manners = Manners(user_limit=100)
    now = desk.clock.now()
    made = [desk.sign(f"第 {n} 号", go_at=now + timedelta(minutes=50 * n)) for n in range(27)]
    for n in range(72):
        desk.later(1200)
        builders.work(desk.office)
        if n % 3 == 0:
            desk.fake.answer(next(reversed(desk.fake.statuses)), f"第 {n} 问")
        desk.collect()
    assert {desk.state(post) for post in made} == {S.SENT}
    assert len(desk.sent()) == 27
    assert len(rows(desk.office, replies)) >= 15  # the rest when the quota is reset
    desk.fake.users["token-1"].used = 0
    desk.later(3600)
    desk.collect()
    assert len(rows(desk.office, replies)) == 24


def test_a_thread_goes_out_whole_though_weibo_lists_its_beginning_late(desk: Desk) -> None:
    desk.fake.manners = Manners(lag=90)
    words = "".join(
        f"第{n}条，进入林区的人员和车辆应当接受防火检查，不得携带火种。" for n in range(1, 11)
    )
    body = Body(f"森林防火通告。\n{LINK}\n{words}", link=LINK, over_limit=OverLimit.THREAD)
    post = builders.signed(desk.office, ["w"], body=body)
    desk.on(600)
    parts = builders.sent_to(desk.office, post)
    assert len(parts) > 2
    assert {part["state"] for part in parts} == {S.SENT}
    assert len(desk.sent()) == 1
    said = [c.text[-5:] for c in desk.fake.comments.values()]
    assert said == [f"（{n}/{len(parts)}）" for n in range(2, len(parts) + 1)]


# ---------------------------------------------------------------- made elsewhere


@both
def test_a_post_made_on_a_phone_is_adopted_watched_and_never_called_ours(desk: Desk) -> None:
    post = desk.sign()
    builders.work(desk.office)
    there = desk.fake.post("手机上发的：汛情已解除")
    for _ in range(2):
        desk.later(60)
        desk.check()
    [adopted] = [row for row in rows(desk.office, posts) if row["kind"] == PostKind.ELSEWHERE]
    assert (adopted["title"], adopted["state"]) == ("手机上发的：汛情已解除", "closed")
    [delivery] = builders.sent_to(desk.office, adopted["id"])
    assert (delivery["remote_id"], delivery["state"]) == (there, S.SENT)
    assert builders.attempts_at(desk.office, delivery["id"]) == []
    desk.fake.answer(there, "辛苦了")
    desk.later(60)
    desk.collect()
    assert [row["post_id"] for row in rows(desk.office, replies)] == [adopted["id"]]
    assert desk.state(post) == S.SENT
    assert len(rows(desk.office, deliveries)) == 2


def on_the_phone(desk: Desk, n: int) -> None:
    for one in range(n):
        desk.later(60)
        desk.fake.post(f"手机上发的第{one}条")
    desk.later(600)


def gaps(desk: Desk) -> list[str]:
    return [words for words in told(desk.office) if "没有看到" in words]


@both
def test_what_went_by_between_two_looks_is_told_once_with_how_many(desk: Desk) -> None:
    """Weibo lists five: of seven two are gone by the next look."""
    desk.check()
    on_the_phone(desk, 7)
    desk.check()
    adopted = [row for row in rows(desk.office, posts) if row["kind"] == PostKind.ELSEWHERE]
    assert len(adopted) == 5
    [words] = gaps(desk)
    assert re.fullmatch(
        r"账号 新浪微博 在 \d\d-\d\d \d\d:\d\d 至 \d\d-\d\d \d\d:\d\d 之间约有 2 条直接在平台上发的"
        "没有看到（平台只列最近几条），它们的评论没有采集",
        words,
    )
    desk.check()
    desk.later(6 * 3600)
    desk.check()
    assert len(gaps(desk)) == 1


def test_nothing_went_by_where_the_listing_joins_or_all_between_is_ours(desk: Desk) -> None:
    desk.check()
    on_the_phone(desk, 4)
    desk.check()
    for n in range(7):
        desk.sign(f"第{n}件")
        desk.on(240, 120)
    desk.check()
    assert len(desk.sent()) == 7
    assert gaps(desk) == []


def test_where_weibo_does_not_count_it_is_told_that_something_may_have_gone_by(desk: Desk) -> None:
    desk.fake.manners = Manners(counts=False)
    desk.check()
    on_the_phone(desk, 6)
    desk.check()
    assert ["可能有直接在平台上发的没有看到" in words for words in gaps(desk)] == [True]


def test_while_an_outcome_is_not_known_the_look_back_waits(desk: Desk) -> None:
    """What went unseen meanwhile is told afterwards; what was ours is not called a phone's."""
    desk.check()
    desk.later(3600)
    desk.fake.manners = Manners(lag=600)
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    on_the_phone(desk, 7)
    desk.check()
    assert gaps(desk) == []
    assert desk.state(post) == S.UNCERTAIN
    with desk.office.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), desk.clock.now()
        row = builders.only(desk.office, post)
        link = f"https://weibo.com/1/{mid62(next(iter(desk.fake.statuses)))}"
        queue.confirm_sent(conn, now, lin, row["id"], link)
    desk.check()
    assert ["约有 2 条" in words for words in gaps(desk)] == [True]


def test_what_may_be_ours_is_not_adopted(desk: Desk) -> None:
    """Else the look-up would pass it over, and it would be sent a second time."""
    desk.fake.manners = Manners(tells_links=False)
    desk.later(3600)
    desk.server.faults.script(CUT_AFTER, "POST", "share")
    post = desk.sign()
    builders.work(desk.office)
    desk.check()
    assert [row["kind"] for row in rows(desk.office, posts)] == [PostKind.NOTICE]
    desk.on(600)
    assert desk.state(post) == S.SENT
    assert len(desk.sent()) == 1


def test_what_an_edit_of_ours_made_is_not_adopted(desk: Desk) -> None:
    """A platform may show what was edited under another id: that is ours, made under a sign-off."""
    post = desk.sign()
    builders.work(desk.office)
    there = desk.fake.post("改后的一条")
    with desk.office.db.write() as conn:
        row = conn.execute(select(deliveries).where(deliveries.c.post_id == post)).mappings().one()
        edit = {k: v for k, v in row.items() if k not in ("id", "key")}
        edit |= {"act": Act.EDIT, "key": "edit", "target_id": row["id"], "remote_id": there}
        conn.execute(deliveries.insert().values(**edit))
    desk.later(60)
    desk.check()
    assert [row["kind"] for row in rows(desk.office, posts)] == [PostKind.NOTICE]


def test_an_edit_that_never_began_hides_no_post_made_elsewhere(desk: Desk) -> None:
    """Weibo has no edit: what fails before any attempt cannot be what stands there."""
    post = desk.sign()
    builders.work(desk.office)
    with desk.office.db.write() as conn:
        row = compose.locked(conn, post)
        body = replace(
            Body.of(compose.current(conn, row)["body"]),
            title="改了题目",
            text="改了。https://www.example.gov.cn/b",
        )
        zhou, now = builders.actor(conn, "zhou"), desk.clock.now()
        compose.revise(desk.office, conn, now, zhou, post, row["version"], body, ["w"])
    builders.sign(desk.office, post)
    plan.plan_due(desk.office)
    assert [row["state"] for row in builders.sent_to(desk.office, post)] == [S.SENT, S.FAILED]
    desk.later(60)
    desk.fake.post("手机上发的：汛情已解除")
    desk.later(60)
    desk.check()
    assert PostKind.ELSEWHERE in [row["kind"] for row in rows(desk.office, posts)]


def test_an_adopted_post_can_be_seen_with_where_it_came_from(desk: Desk) -> None:
    desk.fake.post("手机上发的")
    desk.check()
    with desk.office.db.read() as conn:
        zhou = builders.actor(conn, "zhou")
        [post] = conn.execute(select(posts)).mappings()
    page = data_for_post(desk.office, zhou, post["id"])
    assert page["author"] == "不经本系统发布"
    assert shown_state(post, {S.SENT: 1}) == ("post", "published", "")
