"""Mastodon passes the contract, and survives the manners of the servers that speak its API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.base import Adapter
from bot.adapters.mastodon import Mastodon, MastodonOptions
from bot.adapters.mastodon.texts import essence, plain
from bot.errors import AccountBroken, Later, Refused, Uncertain
from bot.model import Absent, Act, Found, Outgoing, Receipt, Unknown, Visible
from tests.adapters.contract import (
    LINK,
    NONE_TAKEN,
    TEXT,
    Contract,
    Post,
    Rig,
    all_replies,
    pictured,
    sent,
)
from tests.fakes import mastodon as fakes
from tests.fakes.mastodon import Manners
from tests.fakes.server import CUT_AFTER, HTML_502, Fault, Request, Response, Server, reply


class MastodonRig(Rig):
    calls: ClassVar[Mapping[str, tuple[str, str]]] = {
        "publish": ("POST", "/api/v1/statuses$"),
        "edit": ("PUT", "/api/v1/statuses/"),
        "withdraw": ("DELETE", "/api/v1/statuses/"),
        "stage": ("POST", "/api/v2/media$"),
        "find": ("GET", "/api/v1/accounts/[0-9]+/statuses$"),
        "replies": ("GET", "/context$"),
    }

    def __init__(self, fake: fakes.Mastodon, server: Server) -> None:
        self.fake, self.server = fake, server

    def options(self) -> MastodonOptions:
        return MastodonOptions(url=self.server.url)

    def credential(self) -> str:
        return "token-1"

    def posts(self) -> list[Post]:
        return [
            Post(p["id"], p["text"], tuple(p["media"]), p["reply_to"])
            for p in self.fake.posts("office1")
        ]

    def kill_credential(self) -> None:
        self.fake.dead.add("token-1")

    def ignore_keys(self) -> None:
        self.fake.manners.honour_key = False

    def answer(self, to: str, text: str) -> str:
        return self.fake.answer(to, text)

    def rewrite(self, reply_id: str, text: str) -> None:
        self.fake.rewrite(reply_id, text)

    def remove(self, reply_id: str) -> None:
        self.fake.remove(reply_id)


class TestContract(Contract):
    kind = Mastodon

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        with fakes.running() as (fake, server):
            yield MastodonRig(fake, server)


# ---------------------------------------------------------------- other servers' manners


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def rig() -> Iterator[MastodonRig]:
    with fakes.running() as (fake, server):
        yield MastodonRig(fake, server)


@pytest.fixture
async def adapter(rig: MastodonRig) -> AsyncIterator[Adapter]:
    async with rig.adapter(Mastodon) as adapter:
        yield adapter


pytestmark = pytest.mark.anyio


@pytest.fixture
def began() -> datetime:
    return datetime.now(UTC)


def behave(rig: MastodonRig, **manners: Any) -> None:
    rig.fake.manners = Manners(**manners)


@pytest.mark.parametrize(
    ("instance", "limit"), [("v2", 700), ("v1", 700), ("none", 500), ("broken", 500)]
)
async def test_capabilities_are_the_instances_own_where_it_tells_them(
    rig: MastodonRig, adapter: Adapter, instance: str, limit: int
) -> None:
    behave(rig, instance=instance, limit=700)
    able = (await adapter.check()).capabilities
    assert able.text_limit == limit
    if limit == 700:
        assert able.media_kinds == ("image/png", "image/jpeg")
        assert able.media_bytes == 1_000_000


@pytest.mark.parametrize("style", ["401", "plain", "empty"])
async def test_a_dead_token_is_told_in_three_ways(
    rig: MastodonRig, adapter: Adapter, style: str
) -> None:
    behave(rig, bad_token=style)
    rig.kill_credential()
    with pytest.raises(AccountBroken):
        await adapter.check()
    with pytest.raises(AccountBroken):
        await sent(adapter, TEXT)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_a_refusal_that_looks_like_a_dead_token_is_none_while_the_token_lives(
    rig: MastodonRig, adapter: Adapter, status: int
) -> None:
    rig.fault("publish", Fault(False, Response(status)))
    with pytest.raises(Refused):
        await sent(adapter, TEXT)


async def test_a_token_without_the_right_to_write_breaks_the_account(
    rig: MastodonRig, adapter: Adapter
) -> None:
    told = {"www-authenticate": 'Bearer realm="Doorkeeper", error="insufficient_scope"'}
    rig.fault("publish", Fault(False, reply({"error": "outside the scopes"}, 403, told)))
    with pytest.raises(AccountBroken):
        await sent(adapter, TEXT)


async def test_a_refusal_waits_when_nobody_can_say_whether_the_token_lives(
    rig: MastodonRig, adapter: Adapter
) -> None:
    rig.fault("publish", Fault(False, Response(403)))
    rig.server.faults.script(HTML_502, "GET", "verify_credentials")
    with pytest.raises(Later):
        await sent(adapter, TEXT)


async def test_a_moved_instance_breaks_the_account_and_names_the_new_address(
    rig: MastodonRig, adapter: Adapter
) -> None:
    moved = Response(301, headers={"location": "https://new.example/api?token=x"})
    rig.fault("publish", Fault(False, moved))
    with pytest.raises(AccountBroken, match=r"https://new\.example/api") as caught:
        await sent(adapter, TEXT)
    assert "token=x" not in str(caught.value)


async def test_the_platforms_own_reason_reaches_the_officer(
    rig: MastodonRig, adapter: Adapter
) -> None:
    with pytest.raises(Refused, match="character limit of 500 exceeded"):
        await sent(adapter, "政" * 501)


async def test_a_scheduled_status_is_not_out(rig: MastodonRig, adapter: Adapter) -> None:
    scheduled = {"id": "3221", "scheduled_at": "2026-12-05T12:33:01.000Z", "params": {}}
    rig.fault("publish", Fault(False, reply(scheduled)))
    with pytest.raises(Uncertain):
        await sent(adapter, TEXT)


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_where_reading_wants_a_token_the_page_itself_is_asked(
    rig: MastodonRig, adapter: Adapter, visibility: str
) -> None:
    behave(rig, reading_needs_token=True)
    receipt = await sent(adapter, Outgoing(TEXT, visibility=visibility))
    expected = Visible.YES if visibility == "public" else Visible.NO
    assert await adapter.visible(receipt) is expected
    rig.server.faults.script(HTML_502, "GET", "^/@")
    assert await adapter.visible(receipt) is Visible.CANNOT_TELL


async def test_an_answer_that_lost_its_thread_is_sent_and_says_so(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    behave(rig, threads=False)
    root = await sent(adapter, TEXT)
    outgoing = Outgoing("答复", in_reply_to=rig.answer(root.remote_id, "问"))
    receipt = await sent(adapter, outgoing, "key-2")
    assert "没有把答复挂到原评论下" in receipt.raw
    assert isinstance(await adapter.find(outgoing, "key-2", began, NONE_TAKEN), Found)


async def test_an_answer_to_what_is_gone_is_not_sent_to_a_server_that_would_take_it(
    rig: MastodonRig, adapter: Adapter
) -> None:
    behave(rig, checks_parent=False)
    root = await sent(adapter, TEXT)
    question = rig.answer(root.remote_id, "问")
    rig.remove(question)
    with pytest.raises(Refused):
        await sent(adapter, Outgoing("答复", in_reply_to=question), "key-2")
    assert len(rig.posts()) == 1


async def test_a_warning_a_language_and_a_visibility_arrive(
    rig: MastodonRig, adapter: Adapter
) -> None:
    await sent(adapter, Outgoing("正文", language="en", visibility="unlisted", warning="事故现场"))
    await sent(adapter, Outgoing("正文", language="", visibility=""), "key-2")
    shown = [
        (p["language"], p["visibility"], p["warning"], p["sensitive"]) for p in rig.fake.posts()
    ]
    assert shown == [("en", "unlisted", "事故现场", True), ("zh", "public", "", False)]


async def test_the_same_number_on_another_instance_is_another_identity(
    rig: MastodonRig, adapter: Adapter
) -> None:
    with fakes.running() as (fake, server):
        async with MastodonRig(fake, server).adapter(Mastodon) as elsewhere:
            there = (await elsewhere.check()).identity
    here = (await adapter.check()).identity
    assert here.name == there.name
    assert here.id != there.id


async def test_a_dropped_picture_is_sent_and_says_so(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    behave(rig, keeps_media=False)
    outgoing, files = pictured("带图", "图", "表")
    receipt = await adapter.publish(outgoing, await adapter.stage(outgoing, files), "key-1")
    assert isinstance(receipt, Receipt)
    assert "2 张图只挂上 0 张" in receipt.raw
    assert isinstance(await adapter.find(outgoing, "key-1", began, NONE_TAKEN), Found)


async def test_a_picture_still_processed_is_waited_for(rig: MastodonRig, adapter: Adapter) -> None:
    behave(rig, processing=2)
    outgoing, files = pictured("带图", "图")
    staged = await adapter.stage(outgoing, files)
    with pytest.raises(Later) as caught:
        await adapter.publish(outgoing, staged, "key-1")
    assert (caught.value.after, caught.value.scope) == (timedelta(seconds=2), "delivery")
    await adapter.publish(outgoing, staged, "key-1")
    assert len(rig.posts()) == 1


async def test_an_old_server_takes_uploads_at_the_old_address(
    rig: MastodonRig, adapter: Adapter
) -> None:
    behave(rig, media_v2=False)
    outgoing, files = pictured("带图", "图")
    await adapter.publish(outgoing, await adapter.stage(outgoing, files), "key-1")
    assert rig.posts()[0].alts == ("图",)


async def test_a_picture_the_server_cannot_read_is_refused(
    rig: MastodonRig, adapter: Adapter
) -> None:
    outgoing, files = pictured("带图", "图")
    with pytest.raises(Refused):
        await adapter.stage(outgoing, dict.fromkeys(files, b"no picture"))
    unread = {"id": "1", "meta": {"original": {"size": "0x0"}}}
    rig.fault("stage", Fault(False, reply(unread)))
    with pytest.raises(Refused):
        await adapter.stage(outgoing, files)


async def test_a_server_without_delete_sends_a_person(rig: MastodonRig, adapter: Adapter) -> None:
    behave(rig, deletes=False)
    receipt = await sent(adapter, TEXT)
    with pytest.raises(Refused, match="手工删除"):
        await adapter.withdraw(receipt, "key-2")
    assert await adapter.visible(receipt) is Visible.YES


async def test_a_tombstone_is_gone(rig: MastodonRig, adapter: Adapter) -> None:
    receipt = await sent(adapter, TEXT)
    rig.server.faults.script(Fault(False, reply({"id": "1", "content": ""})), "GET", times=2)
    assert isinstance(await adapter.applied(Act.WITHDRAW, receipt, None), Found)
    assert await adapter.visible(receipt) is Visible.NO


async def test_a_key_that_is_honoured_gives_the_same_post(
    rig: MastodonRig, adapter: Adapter
) -> None:
    behave(rig, honour_key=True)
    first, second = await sent(adapter, TEXT), await sent(adapter, TEXT)
    assert first.remote_id == second.remote_id


async def test_a_repost_is_looked_up_in_the_own_listing(rig: MastodonRig, adapter: Adapter) -> None:
    other = rig.answer((await sent(adapter, TEXT)).remote_id, "值得转发")
    wanted = Outgoing("", in_reply_to=other)
    assert await adapter.applied(Act.REPOST, Receipt(""), wanted) == Absent()
    rig.server.faults.script(CUT_AFTER, "POST", "/reblog$")
    with pytest.raises(Uncertain):
        await adapter.repost(other, "key-2")
    looked = await adapter.applied(Act.REPOST, Receipt(""), wanted)
    again = await adapter.repost(other, "key-2")
    assert isinstance(again, Receipt)
    assert looked == Found(Receipt(again.remote_id, again.url, again.at))


async def test_a_repost_the_listing_does_not_show_is_known_by_its_mark(
    rig: MastodonRig, adapter: Adapter
) -> None:
    other = rig.answer((await sent(adapter, TEXT)).remote_id, "值得转发")
    await adapter.repost(other, "key-2")
    own = rig.fake.tokens["token-1"].statuses
    rig.fault(
        "find", Fault(False, reply([{"id": own[0].id, "created_at": "2026-01-01T00:00:00Z"}]))
    )
    looked = await adapter.applied(Act.REPOST, Receipt(""), Outgoing("", in_reply_to=other))
    assert isinstance(looked, Found)


async def test_a_private_post_not_listed_may_stand_all_the_same(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    looked = await adapter.find(Outgoing(TEXT, visibility="private"), "k", began, NONE_TAKEN)
    assert isinstance(looked, Unknown)


async def test_without_permission_to_repost_it_is_refused(
    rig: MastodonRig, adapter: Adapter
) -> None:
    with pytest.raises(Refused):
        await adapter.repost("404", "key-1")


async def test_an_edit_of_a_pictures_words_is_told_from_none(
    rig: MastodonRig, adapter: Adapter
) -> None:
    old, files = pictured("带图", "旧说明")
    new, _ = pictured("带图", "新说明")
    receipt = await adapter.publish(old, await adapter.stage(old, files), "key-1")
    assert isinstance(receipt, Receipt)
    assert await adapter.applied(Act.EDIT, receipt, new) == Absent()
    await adapter.edit(receipt, new, await adapter.stage(new, files), "key-2")
    assert isinstance(await adapter.applied(Act.EDIT, receipt, new), Found)


# ---------------------------------------------------------------- looking through the listing


async def test_an_older_twin_is_not_taken_for_the_new_post(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    await sent(adapter, TEXT)
    rig.fake.log[-1].at -= timedelta(hours=1)
    assert await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN) == Absent()


async def test_a_server_whose_clock_is_behind_is_believed_about_itself(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    await sent(adapter, TEXT)
    rig.fake.log[-1].at -= timedelta(hours=2)
    behind = {"date": format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True)}
    listing = rig.fake(Request("GET", "/api/v1/accounts/100001/statuses", "", HEADERS, b""))
    rig.fault("find", Fault(False, Response(200, listing.body, behind)))
    assert isinstance(await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN), Found)


HEADERS = {"authorization": "Bearer token-1"}


async def test_the_listing_is_read_back_page_by_page(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    receipt = await sent(adapter, TEXT)
    for i in range(90):
        await sent(adapter, f"后来的第 {i} 条", f"key-{i}")
    looked = await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN)
    assert isinstance(looked, Found)
    assert looked.receipt.remote_id == receipt.remote_id


@pytest.mark.parametrize(
    "manners", [{"latest": 3}, {"pages": False}, {"lag": 60.0}], ids=["shallow", "one page", "late"]
)
async def test_a_listing_that_does_not_reach_back_proves_nothing(
    rig: MastodonRig, adapter: Adapter, began: datetime, manners: dict[str, Any]
) -> None:
    for i in range(50):
        await sent(adapter, f"第 {i} 条", f"key-{i}")
    behave(rig, **manners)
    looked = await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN)
    assert isinstance(looked, Unknown)
    assert looked.why


async def test_a_listing_out_of_order_is_read_to_its_end(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    await sent(adapter, TEXT)
    for i in range(45):
        await sent(adapter, f"第 {i} 条", f"key-{i}")
    rig.fake.log[-1].at += timedelta(minutes=1)
    rig.fake.log[-20].at -= timedelta(days=3)
    rig.fake.log[6].at -= timedelta(days=3)
    assert isinstance(await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN), Found)


async def test_the_same_words_to_two_people_are_two_answers(
    rig: MastodonRig, adapter: Adapter, began: datetime
) -> None:
    root = await sent(adapter, TEXT)
    first, second = (rig.answer(root.remote_id, f"问题 {i}") for i in range(2))
    await sent(adapter, Outgoing("已转办，谢谢", in_reply_to=first), "key-1")
    wanted = Outgoing("已转办，谢谢", in_reply_to=second)
    assert await adapter.find(wanted, "key-2", began, NONE_TAKEN) == Absent()


GLYPHS = "https://www.example.gov.cn/政策/解读?id=1&x=二"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("第一段\n\n第二段\n又一行", "<p>第一段</p><p>第二段<br />又一行</p>"),
        ("第一段\n\n第二段", "第一段<br><br>第二段<br>"),  # snac
        ("见 " + LINK, f'<p>见 <a href="{LINK.replace("&", "&amp;")}">{LINK[8:38]}…</a></p>'),
        ("见 " + LINK + " 。", f'<p>见 <a href="{LINK}">{LINK.replace("&", "&amp;")}</a> 。</p>'),
        ("见 " + GLYPHS, f'<p>见 <a href="{quote(GLYPHS, safe=":/?=&")}">{GLYPHS}</a></p>'),
        ("@office@gov.example 好", '<p>@<a href="https://gov.example/@office">office</a> 好</p>'),
        (
            "@citizen 好",
            '<a href="http://x:8001/citizen">@citizen@127.0.0.1:8001</a> 好<br>',
        ),  # snac
        ("http://x.example/?a=1&copy=2", '<a href="http://x.example/?a=1&copy=2">x.example</a>'),
        ("http://x.example/?a=1&copy=2", "<p>http://x.example/?a=1&amp;copy=2</p>"),
        ("#政务公开 好", '<p><a href="/tags/x" class="hashtag">#<span>政务公开</span></a> 好</p>'),
        ("**加粗** _斜体_ `码`", "<p><b>加粗</b> <i>斜体</i> <code>码</code></p>"),  # snac
        ("[办事指南](https://a.example/b)", '<p><a href="https://a.example/b">办事指南</a></p>'),
        ("A&B <C> “引”", "<p>A&amp;B &lt;C&gt; “引”</p>"),
        ("全角１２３ＡＢＣ", "<p>全角１２３ＡＢＣ</p>"),
        ("好👍", '<p>好<img class="emoji" alt="👍" src="x"></p>'),
        ("👍", "<p>👍</p>"),
        ("ཀཁག ئۇيغۇرچە", "<p>ཀཁག ئۇيغۇرچە</p>"),
    ],
)
async def test_a_text_is_known_again_however_a_server_shows_it(
    rig: MastodonRig, adapter: Adapter, began: datetime, written: str, shown: str
) -> None:
    status = {"id": "1", "created_at": began.isoformat(), "url": "https://x/1", "content": shown}
    rig.server.faults.script(Fault(False, reply([status])), "GET", "/statuses$")
    assert isinstance(await adapter.find(Outgoing(written), "key-1", began, NONE_TAKEN), Found)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("第1期", "<p>第17期</p>"),
        ("见 " + LINK, "<p>见</p>"),
        ("好👍", "<p>坏👍</p>"),
        ("👍", "<p>👎</p>"),
    ],
)
async def test_another_text_is_not_taken_for_it(
    rig: MastodonRig, adapter: Adapter, began: datetime, written: str, shown: str
) -> None:
    status = {"id": "1", "created_at": began.isoformat(), "url": "https://x/1", "content": shown}
    rig.server.faults.script(Fault(False, reply([status])), "GET", "/statuses$")
    assert await adapter.find(Outgoing(written), "key-1", began, NONE_TAKEN) == Absent()


WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from([LINK, "http://a.example/?q=%E6%94%BF&copy=1", "@office@gov.example", "@a"]),
    st.sampled_from(["#政务公开", "\n", "\n\n", "<b>", "&amp;", "👨‍👩‍👧", "（一）", "……", "１２"]),
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_text_is_known_again_as_mastodon_shows_it(text: str) -> None:
    shown = fakes.content(text)
    assert essence(plain(shown)) == essence(text)


# ---------------------------------------------------------------- replies


async def test_our_own_answers_can_be_told_by_their_author(
    rig: MastodonRig, adapter: Adapter
) -> None:
    root = await sent(adapter, TEXT)
    question = rig.answer(root.remote_id, "问")
    await sent(adapter, Outgoing("答", in_reply_to=question), "key-2")
    me = (await adapter.check()).identity.id
    found = (await adapter.replies(root, None)).replies
    assert [(r.author_id == me, r.parent_id) for r in found] == [
        (False, root.remote_id),
        (True, question),
    ]


async def test_a_replys_text_isplain(rig: MastodonRig, adapter: Adapter) -> None:
    root = await sent(adapter, TEXT)
    rig.answer(root.remote_id, f"第一段\n\n第二段 <b> & {LINK}")
    [found] = (await adapter.replies(root, None)).replies
    assert found.text == f"第一段\n\n第二段 <b> & {LINK}"


async def test_a_thread_listed_flat_is_walked_to_its_ends(
    rig: MastodonRig, adapter: Adapter
) -> None:
    behave(rig, nests=False)
    root = await sent(adapter, TEXT)
    there = {rig.answer(root.remote_id, f"第 {i} 条"): root.remote_id for i in range(30)}
    for _ in range(3):
        there |= {rig.answer(parent, "接着说"): parent for parent in [*there][-30:]}
    found, _ = await all_replies(adapter, root)
    assert {r.remote_id: r.parent_id for r in found} == there
    assert len(found) == 120
    assert {r.root_id for r in found} == {root.remote_id}


async def test_replies_under_what_is_gone_cannot_be_had(rig: MastodonRig, adapter: Adapter) -> None:
    root = await sent(adapter, TEXT)
    await adapter.withdraw(root, "key-2")
    with pytest.raises(Refused):
        await adapter.replies(root, None)


async def test_mentions_that_cannot_be_paged_are_said_to_be_partial(
    rig: MastodonRig, adapter: Adapter
) -> None:
    behave(rig, pages=False)
    root = await sent(adapter, TEXT)
    for i in range(50):
        rig.answer(root.remote_id, f"第 {i} 条")
    page = await adapter.replies(None, None)
    page = await adapter.replies(None, page.cursor)
    assert (page.cursor, page.complete) == (None, False)
    assert page.why_partial


# ---------------------------------------------------------------- options, granting access


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://M.Example.gov.cn/", "https://m.example.gov.cn"),
        ("http://10.0.0.5:8080", "http://10.0.0.5:8080"),
        ("m.example.gov.cn", None),
        ("https://user:secret@m.example.gov.cn", None),
        ("ftp://m.example.gov.cn", None),
    ],
)
async def test_an_instance_is_named_by_its_address(written: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(ValueError, match="要写实例的地址"):
            MastodonOptions(url=written)
    else:
        assert MastodonOptions(url=written).url == kept


async def test_a_person_grants_access_with_a_code(rig: MastodonRig, adapter: Adapter) -> None:
    begun = await Mastodon.connect_begin(rig.options(), adapter.client, "s1")
    assert not begun.returns
    assert begun.url.startswith(f"{rig.server.url}/oauth/authorize?client_id=app&")
    assert "app-secret" not in begun.url + repr(begun)
    token = await Mastodon.connect_finish(rig.options(), adapter.client, begun, " token-2\n")
    assert token == "token-2"
    with pytest.raises(Refused):
        await Mastodon.connect_finish(rig.options(), adapter.client, begun, "no-code")
    rig.server.faults.script(HTML_502, "POST", "/oauth/token")
    with pytest.raises(Later):
        await Mastodon.connect_finish(rig.options(), adapter.client, begun, "token-2")
