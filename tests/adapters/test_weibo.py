"""Weibo passes the contract, by `share` and by the business API, and survives its particulars."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from bot.adapters.base import Adapter, Client
from bot.adapters.weibo import Weibo
from bot.adapters.weibo.answers import mid62, until_reset
from bot.adapters.weibo.options import OFFICIAL, WeiboOptions
from bot.errors import AccountBroken, AdapterError, Later, Refused, Uncertain, Unsupported
from bot.model import (
    Absent,
    Act,
    Found,
    Outgoing,
    Receipt,
    ReplyPage,
    Staged,
    Unknown,
    Visible,
)
from tests.adapters.contract import (
    NONE_TAKEN,
    Contract,
    Post,
    Rig,
    all_replies,
    pictured,
    sent,
)
from tests.fakes import weibo as fakes
from tests.fakes.server import CUT_AFTER, EMPTY, HTML_502, Fault, Response, Server, page, reply
from tests.fakes.weibo import Comment, Manners


class WeiboRig(Rig):
    """Lenient where the contract's texts are not of Weibo's kind: they hold no link."""

    calls: ClassVar[Mapping[str, tuple[str, str]]] = {
        "publish": ("POST", "/2/statuses/share.json$"),
        "find": ("GET", "/2/statuses/user_timeline.json$"),
        "replies": ("GET", "/2/comments/show.json$"),
    }
    more: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, fake: fakes.Weibo, server: Server, **more: Any) -> None:
        self.fake, self.server, self.chosen = fake, server, {**self.more, **more}

    def options(self) -> WeiboOptions:
        return WeiboOptions(
            url=self.server.url, app_key=fakes.APP_KEY, rip="211.156.0.1", **self.chosen
        )

    def credential(self) -> str:
        return "token-1"

    def posts(self) -> list[Post]:
        def standing(one: fakes.Status | Comment) -> bool:
            return one.id in self.fake.comments or one.id in self.fake.statuses

        return [_told(one) for one in self.fake.log if standing(one)]

    def kill_credential(self) -> None:
        self.fake.dead["token-1"] = 21327

    def answer(self, to: str, text: str) -> str:
        return self.fake.answer(to, text)

    def remove(self, reply_id: str) -> None:
        self.fake.remove(reply_id)


def _told(one: fakes.Status | Comment) -> Post:
    if isinstance(one, Comment):
        return Post(one.id, one.text, (), one.parent.id if one.parent else one.status.id)
    return Post(one.id, one.sent, ("",) * len(one.pictures))


class BusinessRig(WeiboRig):
    calls: ClassVar[Mapping[str, tuple[str, str]]] = {
        "publish": ("POST", "/2/statuses/(update|upload_url_text)/biz.json$"),
        "withdraw": ("POST", "/2/statuses/destroy/biz.json$"),
        "stage": ("POST", "/2/statuses/upload_pic/biz.json$"),
        "find": ("GET", "/2/statuses/user_timeline/biz.json$"),
        "replies": ("GET", "/2/comments/show.json$"),
    }
    more: ClassVar[Mapping[str, Any]] = {"access": "business"}


class TestShare(Contract):
    kind = Weibo

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with fakes.running(manners=Manners(wants_link=False)) as (fake, server):
            yield WeiboRig(fake, server)


class TestBusiness(Contract):
    kind = Weibo

    # What only a business application may do; the class, an ordinary one, declares it false.
    test_withdrawn = Contract.test_withdrawn_is_out_of_sight_and_again_is_success
    test_an_unclear_one = Contract.test_an_unclear_withdrawal_is_looked_up
    test_a_cut_upload = Contract.test_an_upload_that_was_cut_is_tried_later

    async def test_what_it_declares_false_it_refuses(self, adapter: Adapter) -> None:
        with pytest.raises(Unsupported):
            await adapter.edit(Receipt("1"), Outgoing("甲"), Staged(), "k")

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with fakes.running(manners=Manners(business=True)) as (fake, server):
            yield BusinessRig(fake, server)


# ---------------------------------------------------------------- Weibo's own manners

MARK = "gk=0123456789"
LINK = f"https://www.example.gov.cn/zwgk/1.htm?{MARK}"
TEXT = f"汛期安全提示：请远离河道。详见 {LINK} "
FIVE = ("一", "二", "三", "四", "五")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def rig() -> Iterator[WeiboRig]:
    with fakes.running() as (fake, server):
        yield WeiboRig(fake, server, safe_domains=("www.example.gov.cn",))


@pytest.fixture
async def adapter(rig: WeiboRig) -> AsyncIterator[Adapter]:
    async with rig.adapter(Weibo) as adapter:
        yield adapter


pytestmark = pytest.mark.anyio


@pytest.fixture
def began() -> datetime:
    return datetime.now(UTC)


def behave(rig: WeiboRig, **manners: Any) -> None:
    rig.fake.manners = Manners(**manners)


def says(code: int | str, words: str = "no", status: int = 400) -> Fault:
    """Refused with a code, nothing taken."""
    body = {"request": "/2/x.json", "error_code": code, "error": words}
    return Fault(False, reply(body, status))


# ---------------------------------------------------------------- what the codes mean

MEANINGS: Mapping[str, tuple[type[AdapterError], type[AdapterError], tuple[int, ...]]] = {
    # on a post, on a read
    "before": (Later, Later, (10002, 10009, 20014, 21331)),
    "retry": (Uncertain, Later, (10001, 10003, 10010, 10011, 10025)),
    "accepted": (Uncertain, Later, (20032, 20044)),
    "rate": (Later, Later, (10022, 10023, 10024, 20016)),
    "token": (
        AccountBroken,
        AccountBroken,
        (10032, 21301, 21314, 21315, 21316, 21317, 21318, 21319, 21321, 21327, 21330, 21332, 21399),
    ),
    "blocked": (AccountBroken, AccountBroken, (10013, 20015, 20022, 20023, 20031, 20033, 21334)),
    "application": (AccountBroken, AccountBroken, (21304, 21313, 21320, 21322, 21324, 21333)),
    "not granted": (AccountBroken, Refused, (10004, 10005, 10014, 10020, 10026, 21337)),
    "content": (
        Refused,
        Refused,
        (10018, 20005, 20006, 20008, 20012, 20013, 20018, 20020, 20021, 20049, 20104, 20202, 21602),
    ),
    "repetition": (Refused, Refused, (20017, 20019, 20038, 20111)),
    "not found": (Refused, Refused, (20003, 20101, 20112, 20132, 20135, 20201)),
    "ours": (Refused, Refused, (10007, 10008, 10012, 10016, 10021, 20102, 21335, 50000)),
}
CODES = [(code, *means[:2]) for means in MEANINGS.values() for code in means[2]]


@pytest.mark.parametrize(("code", "posting", "reading"), CODES, ids=[str(c[0]) for c in CODES])
async def test_every_code_means_what_the_table_says(
    rig: WeiboRig,
    adapter: Adapter,
    code: int,
    posting: type[AdapterError],
    reading: type[AdapterError],
) -> None:
    rig.fault("publish", says(code, "the platform's words"))
    with pytest.raises(posting) as caught:
        await sent(adapter, TEXT)
    assert "the platform's words" in caught.value.raw
    rig.fault("find", says(str(code)))  # live answers give a number, the documents a string
    with pytest.raises(reading):
        await adapter.find(Outgoing(TEXT), "k", datetime.now(UTC), NONE_TAKEN)
    assert rig.posts() == []


@pytest.mark.parametrize(
    ("fault", "error", "scope"),
    [
        (says(10999, status=500), Uncertain, ""),
        (says(10999), Refused, ""),
        (says(29999), Refused, ""),
        (Fault(False, Response(413)), Refused, ""),
        (Fault(False, Response(404)), AccountBroken, ""),
        (Fault(False, page("<h1>405 Not Allowed</h1>", 405)), AccountBroken, ""),
        (Fault(False, Response(302, headers={"location": "https://x.example"})), AccountBroken, ""),
        (Fault(False, page("<h1>403 Forbidden</h1>", 403)), Refused, ""),
        (says(10006), AccountBroken, ""),
    ],
)
async def test_what_no_table_lists_is_told_by_its_kind(
    rig: WeiboRig, adapter: Adapter, fault: Fault, error: type[AdapterError], scope: str
) -> None:
    rig.fault("publish", fault)
    with pytest.raises(error):
        await sent(adapter, TEXT)


async def test_a_gateway_that_turns_everything_away_is_waited_for_by_all_accounts(
    rig: WeiboRig, adapter: Adapter
) -> None:
    rig.server.faults.script(Fault(False, page("<h1>403 Forbidden</h1>", 403)), times=2)
    with pytest.raises(Later) as caught:
        await sent(adapter, TEXT)
    assert caught.value.scope == "host"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Appkey not bind domain!", AccountBroken),
        ("text not find domain!", Refused),
        ("value invalid", Refused),
    ],
)
async def test_one_code_with_three_meanings_is_told_by_its_words(
    rig: WeiboRig, adapter: Adapter, words: str, error: type[AdapterError]
) -> None:
    rig.fault("publish", says(10017, words))
    with pytest.raises(error):
        await sent(adapter, TEXT)


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (10017, "text not find domain!", "安全域名"),
        (10017, "appkey not bind domain!", "没有登记安全域名"),
        (10016, "miss required parameter (rip)", "rip"),
        (20021, "content is illegal!", "请改稿"),
        (20112, "privacy", "原微博不让看"),
        (21315, "Token expired", "请重新连接账号"),
        (21321, "unaudited use restrictions!", "授权已被解除"),
        (20015, "account, ip or app is illegal", "请用该账号登录"),
        (29999, "never heard of", "请管理员核对"),
    ],
)
async def test_an_officer_is_told_in_his_language_what_to_do(
    rig: WeiboRig, adapter: Adapter, code: int, words: str, told: str
) -> None:
    rig.fault("publish", says(code, words))
    with pytest.raises((Refused, AccountBroken)) as caught:
        await sent(adapter, TEXT)
    assert told in str(caught.value)
    assert words in str(caught.value)


async def test_answers_without_a_word_are_told_for_what_they_may_be(
    rig: WeiboRig, adapter: Adapter
) -> None:
    """Weibo answers nothing at all to those it has blacklisted."""
    root = await sent(adapter, TEXT)
    rig.answer(root.remote_id, "问")
    rig.fault("replies", EMPTY)
    with pytest.raises(Later, match="黑名单"):
        await adapter.replies(root, None)


async def test_a_call_that_was_not_granted_stops_posts_but_not_the_account_for_an_answer(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    question = rig.answer(root.remote_id, "问")
    rig.server.faults.script(says(10014), "POST", "comments/reply")
    with pytest.raises(Refused):
        await sent(adapter, Outgoing("答", in_reply_to=question))
    rig.fault("publish", says(10014))
    with pytest.raises(AccountBroken):
        await sent(adapter, f"又一条 {LINK}")


async def test_a_part_of_a_thread_waits_for_the_one_before_it_to_be_listed(
    rig: WeiboRig, adapter: Adapter
) -> None:
    """What is not there yet was not removed; an answer to what is gone is refused at once."""
    behave(rig, lag=90)
    root = await sent(adapter, TEXT)
    part = Outgoing("第二条。（2/2）", in_reply_to=root.remote_id, continues=True)
    with pytest.raises(Later) as caught:
        await sent(adapter, part)
    assert (caught.value.scope, caught.value.after) == ("delivery", timedelta(minutes=1))
    with pytest.raises(Refused):
        await sent(adapter, Outgoing("答", in_reply_to=root.remote_id))
    rig.fake.ahead = 100
    await sent(adapter, part)
    rig.remove(root.remote_id)
    rig.fake.ahead = 3600
    older = str(int(root.remote_id) - (3600 << 22))
    with pytest.raises(Refused):
        await sent(adapter, Outgoing("第三条", in_reply_to=older, continues=True))


# ---------------------------------------------------------------- finding a post again


@pytest.mark.parametrize(
    "manners",
    [
        {},
        {"tells_links": False},
        {"tells_links": False, "expands": False},
        {"rewrites": False},
    ],
    ids=["url_objects", "expand", "words", "as sent"],
)
async def test_a_post_is_found_though_its_link_was_rewritten(
    rig: WeiboRig, adapter: Adapter, began: datetime, manners: dict[str, Any]
) -> None:
    behave(rig, **manners)
    rig.fault("publish", CUT_AFTER)
    with pytest.raises(Uncertain):
        await sent(adapter, TEXT)
    looked = await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN)
    assert isinstance(looked, Found)
    assert [looked.receipt.remote_id] == [p.remote_id for p in rig.posts()]
    assert looked.receipt.url.endswith(f"/2000000001/{mid62(looked.receipt.remote_id)}")


async def test_a_new_post_whose_link_cannot_be_read_may_be_ours_whatever_its_words(
    rig: WeiboRig, adapter: Adapter, began: datetime
) -> None:
    behave(rig, tells_links=False, expands=False)
    rig.fake.post("另一句话 https://www.yunlan.example/t1.html?gk=abcdefabcd")
    looked = await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN)
    assert isinstance(looked, Unknown)
    assert "链接" in looked.why
    behave(rig, tells_links=False, expands=True)
    assert await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN) == Absent()


async def test_another_post_with_the_same_words_is_not_taken_for_it(
    rig: WeiboRig, adapter: Adapter, began: datetime
) -> None:
    for rewrites in (True, False):
        behave(rig, rewrites=rewrites)
        rig.fake.post(TEXT.replace(MARK, "gk=abcdefabcd"))
        rig.fake.post(TEXT.replace(f"?{MARK}", ""))
        for tells in (True, False):
            behave(rig, tells_links=tells)
            assert await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN) == Absent()


async def test_the_same_words_of_an_earlier_day_are_another_post(
    rig: WeiboRig, began: datetime
) -> None:
    behave(rig, business=True)
    async with BusinessRig(rig.fake, rig.server).adapter(Weibo) as adapter:
        rig.fake.ahead = -86400
        rig.fake.post("今日供水正常")
        rig.fake.ahead = 0
        assert await adapter.find(Outgoing("今日供水正常"), "k", began, NONE_TAKEN) == Absent()
        rig.fake.post("今日供水正常")
        looked = await adapter.find(Outgoing("今日供水正常"), "k", began, NONE_TAKEN)
        assert isinstance(looked, Found)


async def test_five_newer_posts_hide_it_and_nothing_is_claimed(
    rig: WeiboRig, adapter: Adapter, began: datetime
) -> None:
    rig.fault("publish", CUT_AFTER)
    with pytest.raises(Uncertain):
        await sent(adapter, TEXT)
    for words in FIVE:
        rig.fake.post(words)
    assert isinstance(await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN), Unknown)


async def test_five_posts_that_reach_back_before_the_attempt_prove_absence(
    rig: WeiboRig, adapter: Adapter, began: datetime
) -> None:
    for words in (*FIVE, "六"):
        rig.fake.ahead = -7200 + 1200 * len(rig.fake.statuses)
        rig.fake.post(words)
    rig.fake.ahead = 0
    assert await adapter.find(Outgoing(TEXT), "k", began, NONE_TAKEN) == Absent()
    long_ago = began - timedelta(hours=3)
    assert isinstance(await adapter.find(Outgoing(TEXT), "k", long_ago, NONE_TAKEN), Unknown)


async def test_a_business_listing_is_read_as_far_back_as_it_must(
    rig: WeiboRig, began: datetime
) -> None:
    behave(rig, business=True)
    async with BusinessRig(rig.fake, rig.server).adapter(Weibo) as adapter:
        rig.fault("publish", CUT_AFTER)
        await sent(adapter, "没有链接的一条")
        for n in range(230):
            rig.fake.post(f"手机上第 {n} 条")
        looked = await adapter.find(Outgoing("没有链接的一条"), "k", began, NONE_TAKEN)
        assert isinstance(looked, Found)
        assert await adapter.find(Outgoing("没有发的"), "k", began, NONE_TAKEN) == Absent()


async def test_a_repetition_that_is_ours_is_a_receipt(rig: WeiboRig, adapter: Adapter) -> None:
    first = await sent(adapter, TEXT)
    assert (await sent(adapter, TEXT)).remote_id == first.remote_id
    rig.fault("find", HTML_502)
    with pytest.raises(Uncertain):
        await sent(adapter, TEXT)
    for words in FIVE:
        rig.fake.post(words)
    rig.fault("publish", says(20019, "repeat content!"))
    with pytest.raises(Refused, match="重复"):
        await sent(adapter, TEXT)


async def test_a_long_text_is_found_by_its_beginning(rig: WeiboRig, began: datetime) -> None:
    behave(rig, business=True)
    words = "云澜县防汛抗旱指挥部发布第十二号通告，请沿河各村做好转移准备。" * 8
    more = {"grants": ("long_text",)}
    async with BusinessRig(rig.fake, rig.server, **more).adapter(Weibo) as adapter:
        await sent(adapter, words)
        assert isinstance(await adapter.find(Outgoing(words), "k", began, NONE_TAKEN), Found)
        other = Outgoing(f"另一份{words}")
        assert await adapter.find(other, "k", began, NONE_TAKEN) == Absent()


async def test_an_answer_is_found_among_what_we_commented(
    rig: WeiboRig, adapter: Adapter, began: datetime
) -> None:
    root = await sent(adapter, TEXT)
    first, second = (rig.answer(root.remote_id, f"问 {n}") for n in "甲乙")
    outgoing = Outgoing("已在文末列出", in_reply_to=first)
    assert await adapter.find(outgoing, "k", began, NONE_TAKEN) == Absent()
    rig.server.faults.script(CUT_AFTER, "POST", "comments/reply")
    with pytest.raises(Uncertain):
        await sent(adapter, outgoing)
    looked = await adapter.find(outgoing, "k", began, NONE_TAKEN)
    assert isinstance(looked, Found)
    assert await adapter.visible(looked.receipt) is Visible.YES
    elsewhere = Outgoing("已在文末列出", in_reply_to=second)
    assert await adapter.find(elsewhere, "k", began, NONE_TAKEN) == Absent()
    assert isinstance(await adapter.withdraw(looked.receipt, "k"), Receipt)
    assert await adapter.visible(looked.receipt) is Visible.NO


# ---------------------------------------------------------------- what is sent


async def test_what_is_sent_is_a_form_encoded_once(rig: WeiboRig, adapter: Adapter) -> None:
    words = f"100% 准确 & 及时 {LINK} "
    await sent(adapter, words)
    assert rig.fake.calls("share.json") == [{"status": words, "rip": "211.156.0.1"}]
    outgoing, files = pictured(f"带图 {LINK} ", "")
    await adapter.publish(outgoing, await adapter.stage(outgoing, files), "k")
    assert rig.fake.calls("share.json")[1]["pic"] == f"<{len(next(iter(files.values())))} bytes>"
    assert rig.posts()[1].alts == ("",)


async def test_a_text_without_a_link_is_refused_by_the_platforms_words(
    rig: WeiboRig, adapter: Adapter
) -> None:
    with pytest.raises(Refused, match="text not find domain"):
        await sent(adapter, "没有链接")


async def test_several_pictures_go_where_that_was_granted(rig: WeiboRig) -> None:
    behave(rig, grants=("upload_pic", "upload_url_text", "update"))
    more = {"grants": ("upload_url_text", "update")}
    async with WeiboRig(rig.fake, rig.server, **more).adapter(Weibo) as adapter:
        outgoing, files = pictured("没有链接，三张图", "", "", "")
        staged = await adapter.stage(outgoing, files)
        await adapter.publish(outgoing, staged, "k")
        await sent(adapter, "没有链接，没有图")
    assert [len(p.alts) for p in rig.posts()] == [3, 0]
    assert rig.fake.calls("upload_url_text.json")[0]["pic_id"] == "pic0,pic1,pic2"


async def test_an_answer_carries_the_signed_words_and_no_more(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    question = rig.answer(root.remote_id, "问")
    await sent(adapter, Outgoing("@网友 已在文末列出", in_reply_to=question))
    assert rig.posts()[1].text == "@网友 已在文末列出"
    named = rig.fake.mention("请看")
    await sent(adapter, Outgoing("看到了", in_reply_to=named))
    assert rig.posts()[2].in_reply_to == named


async def test_a_repost_is_looked_up(rig: WeiboRig) -> None:
    behave(rig, business=True)
    other = rig.fake.post("值得转发", by="网友")
    wanted = Outgoing("", in_reply_to=other)
    async with BusinessRig(rig.fake, rig.server).adapter(Weibo) as adapter:
        assert await adapter.applied(Act.REPOST, Receipt(""), wanted) == Absent()
        rig.server.faults.script(CUT_AFTER, "POST", "/repost/")
        with pytest.raises(Uncertain):
            await adapter.repost(other, "k")
        assert isinstance(await adapter.applied(Act.REPOST, Receipt(""), wanted), Found)


async def test_what_was_not_granted_is_for_a_person(rig: WeiboRig, adapter: Adapter) -> None:
    receipt = await sent(adapter, TEXT)
    with pytest.raises(Unsupported, match="手机"):
        await adapter.withdraw(receipt, "k")
    with pytest.raises(Unsupported):
        await adapter.repost(receipt.remote_id, "k")
    assert len(rig.posts()) == 1


async def test_a_post_shown_to_few_is_not_visible(rig: WeiboRig, adapter: Adapter) -> None:
    receipt = await sent(adapter, TEXT)
    rig.fake.statuses[receipt.remote_id].kind = 1
    assert await adapter.visible(receipt) is Visible.NO


# ---------------------------------------------------------------- the quota


async def test_replies_stop_where_the_quota_is_for_publishing(
    rig: WeiboRig, adapter: Adapter
) -> None:
    behave(rig, user_limit=10)
    receipt = await sent(adapter, TEXT)
    for _ in range(4):
        await adapter.replies(receipt, None)
    with pytest.raises(Later) as caught:
        await adapter.replies(receipt, None)
    assert (caught.value.scope, caught.value.after) == ("delivery", timedelta(seconds=1234))
    for _ in range(3):  # what is said to the account matters more
        await adapter.replies(None, None)
    with pytest.raises(Later) as caught:
        await adapter.replies(None, None)
    assert caught.value.scope == "account"
    await sent(adapter, f"还能发 {LINK}")


@pytest.mark.parametrize(
    ("code", "scope", "least"),
    [(10022, "host", 1234), (10023, "account", 1234), (20016, "account", 3600)],
)
async def test_a_limit_is_waited_out_as_long_as_the_platform_says(
    rig: WeiboRig, adapter: Adapter, code: int, scope: str, least: int
) -> None:
    rig.fault("publish", says(code, "out of rate limit", 403))
    with pytest.raises(Later) as caught:
        await sent(adapter, TEXT)
    assert (caught.value.scope, caught.value.after) == (scope, timedelta(seconds=least))
    rig.fault("publish", says(code))
    rig.server.faults.script(EMPTY, "GET", "rate_limit_status")
    with pytest.raises(Later) as caught:
        await sent(adapter, TEXT)
    assert caught.value.after is not None
    assert timedelta(0) < caught.value.after <= timedelta(hours=1)


def test_when_the_quota_is_reset_is_read_in_every_form() -> None:
    now = datetime.now(UTC)
    beijing = f"{now + timedelta(hours=10):%F %T}"  # two hours from now
    epoch = str(int(now.timestamp()) + 7200)
    for told in ({"reset_time_in_seconds": "7200"}, {"reset_time_in_seconds": epoch}):
        assert abs(until_reset(told).total_seconds() - 7200) < 3
    assert abs(until_reset({"reset_time": beijing}).total_seconds() - 7200) < 3
    assert timedelta(0) < until_reset({"reset_time": "soon"}) <= timedelta(hours=1)


# ---------------------------------------------------------------- replies


async def test_a_post_nobody_answered_costs_one_call_and_tells_how_it_fared(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    read = await adapter.replies(root, None)
    assert (read.total, read.likes, read.reposts, read.complete) == (0, 3, 0, True)
    assert rig.fake.calls("comments/show.json") == []
    rig.answer(root.remote_id, "意见")
    read = await adapter.replies(root, None)
    assert (read.total, read.likes, len(read.replies)) == (1, 3, 1)


async def test_every_walk_tells_how_a_post_fares(rig: WeiboRig, adapter: Adapter) -> None:
    root = await sent(adapter, TEXT)
    rig.answer(root.remote_id, "意见")
    first = await adapter.replies(root, None)
    later = await adapter.replies(root, first.resume)
    assert (first.likes, later.likes, later.reposts) == (3, 3, 0)
    assert len(rig.fake.calls("count.json")) == 2


async def test_comments_that_are_hidden_are_told_in_the_coverage(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    ids = [rig.answer(root.remote_id, f"第 {n} 条") for n in range(5)]
    for one in ids[:3]:
        rig.fake.comments[one].hidden = True
    walked = await adapter.replies(root, None)
    assert {r.remote_id for r in walked.replies} == set(ids[3:])
    assert walked.total == 5
    assert "只列出 2 条" in walked.why_partial


@pytest.mark.parametrize(("hidden", "gives_up"), [(range(80, 200), False), (range(450), True)])
async def test_pages_emptied_by_the_filter_do_not_end_a_walk_that_new_comments_disturb(
    rig: WeiboRig, adapter: Adapter, hidden: range, gives_up: bool
) -> None:
    root = await sent(adapter, TEXT)
    ids = [rig.answer(root.remote_id, f"第 {n} 条") for n in range(460)]
    for n in hidden:
        rig.fake.comments[ids[n]].hidden = True
    walked = await adapter.replies(root, None)
    found = {r.remote_id for r in walked.replies}
    while walked.cursor is not None:
        for _ in range(60):
            rig.answer(root.remote_id, "正在翻页时来的")
        walked = await adapter.replies(root, walked.cursor)
        found |= {r.remote_id for r in walked.replies}
    assert found == {one for n, one in enumerate(ids) if n not in hidden}
    assert walked.complete is not gives_up
    assert bool(walked.why_partial) is gives_up


async def test_a_page_smaller_than_any_book_says_is_no_end(rig: WeiboRig, adapter: Adapter) -> None:
    behave(rig, cap=7)
    root = await sent(adapter, TEXT)
    there = {rig.answer(root.remote_id, f"第 {n} 条") for n in range(65)}
    assert {r.remote_id for r in (await all_replies(adapter, root))[0]} == there
    assert {r.remote_id for r in (await all_replies(adapter, None))[0]} == there


async def test_what_we_said_ourselves_is_known_by_its_author(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    question = rig.answer(root.remote_id, "问")
    ours = await sent(adapter, Outgoing("答", in_reply_to=question))
    found, _ = await all_replies(adapter, root)
    me = (await adapter.check()).identity.id
    assert {r.remote_id: r.author_id == me for r in found} == {
        question: False,
        ours.remote_id: True,
    }
    assert [r.parent_id for r in found] == [root.remote_id, question]
    with pytest.raises(Unsupported):
        await adapter.replies(ours, None)


async def test_the_account_is_asked_only_when_a_counter_rose(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    rig.answer(root.remote_id, "第一条")
    _, resume = await all_replies(adapter, None)

    async def reading() -> tuple[set[str], list[str]]:
        nonlocal resume
        before = len(rig.fake.asked)
        found, resume = await all_replies(adapter, None, resume)
        free = ("unread_count.json", "rate_limit_status.json")
        asked = [path for _, path, _ in rig.fake.asked[before:] if not path.endswith(free)]
        return {r.text for r in found}, asked

    assert await reading() == (set(), [])
    rig.answer(root.remote_id, "第二条")
    texts, asked = await reading()
    assert "第二条" in texts
    assert set(asked) == {"/2/comments/to_me.json"}
    named = rig.fake.mention("转发看看", of=root.remote_id)
    texts, asked = await reading()
    assert set(asked) == {"/2/statuses/mentions.json"}
    rig.server.faults.script(HTML_502, "GET", "unread_count")
    assert len(set((await reading())[1])) == 3  # where the counter cannot be had, all is asked
    [reposted] = [r for r in (await all_replies(adapter, None))[0] if r.remote_id == named]
    assert reposted.root_id == root.remote_id


async def test_a_counter_that_was_set_back_and_rose_again_is_heard(
    rig: WeiboRig, adapter: Adapter
) -> None:
    """Somebody read them on his phone; fewer than before came since."""
    root, [user] = await sent(adapter, TEXT), list(rig.fake.users.values())[:1]
    for n in range(3):
        rig.answer(root.remote_id, f"第 {n} 条")
    _, resume = await all_replies(adapter, None)
    user.unread["cmt"] = 0
    rig.answer(root.remote_id, "后来的")
    found, resume = await all_replies(adapter, None, resume)
    assert "后来的" in {r.text for r in found}
    user.unread["cmt"] = 0
    asked = len(rig.fake.calls("to_me.json"))
    await all_replies(adapter, None, resume)
    assert len(rig.fake.calls("to_me.json")) == asked


async def test_a_walk_of_the_account_looks_back_so_far_and_says_so(
    rig: WeiboRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    for n in range(260):
        rig.answer(root.remote_id, f"第 {n} 条")
    pages: list[ReplyPage] = [await adapter.replies(None, None)]
    while (cursor := pages[-1].cursor) is not None:
        pages.append(await adapter.replies(None, cursor))
    assert sum(len(p.replies) for p in pages) == 200
    assert not pages[-1].complete
    assert "200" in pages[-1].why_partial
    rig.answer(root.remote_id, "新的")
    found = await adapter.replies(None, pages[-1].resume)
    assert "新的" in {r.text for r in found.replies}


async def test_a_stream_that_was_not_granted_is_left_out_and_told(
    rig: WeiboRig, adapter: Adapter
) -> None:
    rig.server.faults.script(says(10014, status=403), "GET", "comments/mentions")
    rig.server.faults.script(says(10032, status=403), "GET", "statuses/mentions")
    walked: ReplyPage = await adapter.replies(None, None)
    while walked.cursor is not None:
        walked = await adapter.replies(None, walked.cursor)
    assert "权限" in walked.why_partial


# ---------------------------------------------------------------- the token, the application


async def test_a_check_tells_who_we_are_and_how_long_the_token_lives(
    rig: WeiboRig, adapter: Adapter
) -> None:
    checked = await adapter.check()
    assert checked.identity.name == "2000000001"
    rig.fake.post("手机上发的")
    await sent(adapter, TEXT)
    checked = await adapter.check()
    assert checked.identity.name == "云澜发布1"
    assert [p.text for p in checked.posted] == ["手机上发的"]
    assert checked.token_ends is not None
    left = checked.token_ends - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30, minutes=1)
    rig.fake.ahead = 31 * 86400
    with pytest.raises(AccountBroken):
        await adapter.check()


async def test_a_token_of_another_application_breaks_the_account(rig: WeiboRig) -> None:
    async with rig.adapter(Weibo) as adapter:
        adapter.options = adapter.options.model_copy(update={"app_key": "42"})
        with pytest.raises(AccountBroken, match=fakes.APP_KEY):
            await adapter.check()


@pytest.fixture
def app(rig: WeiboRig, tmp_path: Path) -> WeiboOptions:
    secret = tmp_path / "weibo.secret"
    secret.write_text(f"{fakes.APP_SECRET}\n")
    more = {"app_secret_file": str(secret), "redirect_uri": fakes.CALLBACK}
    return rig.options().model_copy(update=more)


async def test_a_person_lets_us_speak_for_the_account(rig: WeiboRig, app: WeiboOptions) -> None:
    client = Client(trust_env=False)
    begun = await Weibo.connect_begin(app, client, "state-1", fakes.CALLBACK)
    asked = {k: v[0] for k, v in parse_qs(urlsplit(begun.url).query).items()}
    assert begun.url.startswith(f"{rig.server.url}/oauth2/authorize?")
    assert asked["client_id"] == fakes.APP_KEY
    assert (asked["redirect_uri"], asked["state"]) == (fakes.CALLBACK, "state-1")
    assert asked["forcelogin"] == "true"
    assert begun.returns
    elsewhere = await Weibo.connect_begin(app, client, "state-1", "https://gk.example.gov.cn/")
    assert (elsewhere.url, elsewhere.returns) == (begun.url, False), "as registered, or not at all"
    assert await Weibo.connect_finish(app, client, begun, " token-1 ") == "token-1"
    with pytest.raises(Refused) as caught:
        await Weibo.connect_finish(app, client, begun, "old-code")
    assert fakes.APP_SECRET not in f"{caught.value} {caught.value.raw}"
    await client.aclose()


async def test_what_the_application_lacks_is_told_before_a_person_is_sent_away(
    app: WeiboOptions,
) -> None:
    client = Client(trust_env=False)
    for lacks in ({"app_key": ""}, {"app_secret_file": "/no/such/file"}):
        with pytest.raises(Refused):
            await Weibo.connect_begin(app.model_copy(update=lacks), client, "s")
    await client.aclose()


@pytest.mark.parametrize(
    "given",
    [
        {"url": "http://api.weibo.example"},
        {"rip": "10.0.0"},
        {"safe_domains": ("https://www.example.gov.cn",)},
        {"grants": ("everything",)},
    ],
)
def test_an_option_that_cannot_be_is_told(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WeiboOptions(**given)


async def test_each_call_goes_to_the_host_the_platform_names() -> None:
    client = Client(trust_env=False)
    ordinary = Weibo(WeiboOptions(), "t", client)
    business = Weibo(WeiboOptions(access="business"), "t", client)
    assert ordinary._url("statuses/share") == f"{OFFICIAL}/2/statuses/share.json"
    assert ordinary._url("statuses/upload").startswith("https://upload.api.weibo.com/2/")
    assert ordinary.options.host("remind_url") == "https://rm.api.weibo.com"
    assert business._url("statuses/update") == "https://c.api.weibo.com/2/statuses/update/biz.json"
    assert business._url("comments/show") == f"{OFFICIAL}/2/comments/show.json"
    await client.aclose()


@pytest.mark.parametrize(
    ("mid", "said"), [("4559512851192225", "JoYct509r"), ("3501756485200075", "z0JH2lOMb")]
)
def test_an_id_stands_in_an_address_as_the_platform_writes_it(mid: str, said: str) -> None:
    assert mid62(mid) == said
    for link in (f"weibo.com/2000000001/{said}?from=x", f"m.weibo.cn/status/{said}#comment"):
        assert Weibo.id_in(f"https://{link}") == mid
    assert Weibo.id_in(f"https://m.weibo.cn/detail/{mid}") == mid


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (140, 1, True, True, False, False)),
        ({"access": "business"}, (140, 9, False, False, True, True)),
        ({"access": "business", "grants": ("long_text",)}, (2000, 9, False, False, True, True)),
        ({"grants": ("update", "destroy"), "reserve": 10}, (130, 1, True, True, True, False)),
        ({"grants": ("update", "upload")}, (140, 1, True, False, False, False)),
        ({"grants": ("update", "upload", "long_text")}, (140, 1, True, False, False, False)),
        ({"grants": ("long_text",)}, (140, 1, True, True, False, False)),
    ],
)
def test_what_an_application_can_do_follows_from_what_it_was_granted(
    given: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    able = Weibo.capabilities_of(WeiboOptions(**given))
    told = (able.text_limit, able.media_count, able.media_inline, able.link_required)
    assert (*told, able.withdraw, able.repost) == expected
    assert Weibo.capabilities_of(WeiboOptions()) == Weibo.capabilities


async def test_odd_types_are_read_all_the_same(rig: WeiboRig, adapter: Adapter) -> None:
    lossy = {
        "id": 3504803600500000,
        "mid": "3504803600502730",
        "text": "测试",
        "created_at": "not a date",
        "user": {"id": "2000000001"},
    }
    rig.fault("publish", Fault(True, reply(lossy)))
    receipt = await sent(adapter, TEXT)
    assert receipt.remote_id == "3504803600502730"
    assert receipt.at == datetime(2012, 10, 24, 15, 49, 17, tzinfo=UTC)
