"""The Mastodon adapter against real servers, faults between them: `pytest --run-real tests/real`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from bot.adapters.base import Client
from bot.adapters.mastodon import Mastodon, MastodonOptions
from bot.errors import AccountBroken, Refused, Uncertain
from bot.model import Absent, Act, Found, Outgoing, Receipt, Staged, Unknown, Visible
from tests.adapters.contract import LINK, NONE_TAKEN, all_replies, pictured
from tests.fakes.server import CUT_AFTER, CUT_BEFORE, HALF, Fault, Forward, Server
from tests.real import servers
from tests.real.servers import Real, Unavailable

pytestmark = [pytest.mark.real, pytest.mark.anyio]

STARTS = {"mastodon_mock": servers.mastodon_mock, "snac": servers.snac}
TEXT = f"关于做好汛期安全工作的通知（一）\n\n请各单位认真执行，详见 {LINK} 。\n#政务公开 **重点**"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=STARTS)
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(STARTS[request.param]())
        except Unavailable as why:
            pytest.skip(f"{request.param}: {why}")
        yield server


@pytest.fixture
def front(real: Real) -> Iterator[Server]:
    """Where faults strike, between the adapter and the server."""
    with Server(Forward(real.url)) as front:
        yield front


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Mastodon]:
    client = Client(timeout=10, trust_env=False)
    try:
        yield Mastodon(MastodonOptions(url=url), token, client)
    finally:
        await client.aclose()


@pytest.fixture
async def office(front: Server, real: Real) -> AsyncIterator[Mastodon]:
    async with connected(front.url, real.office) as office:
        yield office


@pytest.fixture
async def citizen(real: Real) -> AsyncIterator[Mastodon]:
    async with connected(real.url, real.citizen) as citizen:
        yield citizen


@pytest.fixture
def began() -> datetime:
    return datetime.now(UTC)


async def until(seconds: float, look: Callable[[], Awaitable[bool]]) -> bool:
    """Look once a second until it is so."""
    end = time.monotonic() + seconds
    while not (seen := await look()) and time.monotonic() < end:
        await asyncio.sleep(1)
    return seen


async def test_checking_names_the_account_and_its_limits(office: Mastodon) -> None:
    checked = await office.check()
    assert checked.identity.name.startswith("office")
    assert checked.capabilities.text_limit >= 500
    assert "image/png" in checked.capabilities.media_kinds


async def test_a_post_with_a_picture_stands_and_is_found(office: Mastodon, began: datetime) -> None:
    outgoing, files = pictured(TEXT, "汛期值班表")
    receipt = await office.publish(outgoing, await office.stage(outgoing, files), "key-picture")
    assert receipt.raw == ""
    assert receipt.url.startswith("http")
    assert await office.visible(receipt) is Visible.YES
    looked = await office.find(outgoing, "key-picture", began, NONE_TAKEN)
    assert isinstance(looked, Found)
    assert looked.receipt.remote_id == receipt.remote_id


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [(CUT_AFTER, True), (HALF, True), (CUT_BEFORE, False)],
    ids=["cut", "half", "lost"],
)
async def test_a_lost_answer_is_cleared_up(
    office: Mastodon, front: Server, real: Real, began: datetime, fault: Fault, arrives: bool
) -> None:
    outgoing = Outgoing(f"{TEXT} {FAULT_NAMES[fault.sent, fault.taken]}")
    front.faults.script(fault, "POST", "/statuses$")
    with pytest.raises(Uncertain):
        await office.publish(outgoing, Staged(), f"key-{fault.sent}")
    looked = await office.find(outgoing, "", began, NONE_TAKEN)
    unseen = Absent if real.lists_back else Unknown  # the account is too young to tell
    assert isinstance(looked, Found if arrives else unseen)


FAULT_NAMES = {("none", True): "切断", ("half", True): "半截", ("none", False): "丢失"}


async def test_a_citizens_reply_is_collected_answered_and_reposted(
    office: Mastodon, citizen: Mastodon, real: Real, began: datetime
) -> None:
    root = await office.publish(Outgoing("欢迎提出意见"), Staged(), "key-root")
    said = Outgoing("@office 值班电话是多少", in_reply_to=root.remote_id)
    question = await citizen.publish(said, Staged(), "key-question")

    async def collected() -> bool:
        return bool((await office.replies(root, None)).replies)

    assert await until(real.patience, collected)
    page = await office.replies(root, None)
    assert page.complete
    assert page.cursor is None
    [reply] = page.replies
    assert reply.remote_id == question.remote_id
    assert reply.parent_id == root.remote_id
    assert "值班电话是多少" in reply.text
    assert reply.author_id != (await office.check()).identity.id
    assert reply.at >= began.replace(microsecond=0)

    answer = Outgoing("@citizen 已在文末列出", in_reply_to=reply.remote_id)
    answered = await office.publish(answer, Staged(), "key-answer")
    assert answered.raw == ""
    assert isinstance(await office.find(answer, "key-answer", began, NONE_TAKEN), Found)
    mine = (await office.check()).identity.id
    found, _ = await all_replies(office, root)
    assert [r.author_id == mine for r in found] == [False, True]

    wanted = Outgoing("", in_reply_to=question.remote_id)
    unseen = Absent if real.lists_back else Unknown
    assert isinstance(await office.applied(Act.REPOST, Receipt(""), wanted), unseen)
    await office.repost(question.remote_id, "key-repost")
    assert isinstance(await office.applied(Act.REPOST, Receipt(""), wanted), Found)

    async def mentioned() -> bool:
        page = await office.replies(None, None)
        return question.remote_id in {r.remote_id for r in page.replies}

    assert await until(real.patience, mentioned)
    _, resume = await all_replies(office, None)
    assert resume
    assert await all_replies(office, None, resume) == ([], resume)


async def test_an_edit_takes_effect(office: Mastodon, front: Server) -> None:
    receipt = await office.publish(Outgoing("九月二十二日停水"), Staged(), "key-edit")
    new = Outgoing("更正：九月二十三日停水")
    assert await office.applied(Act.EDIT, receipt, new) == Absent()
    front.faults.script(CUT_AFTER, "PUT")
    with pytest.raises(Uncertain):
        await office.edit(receipt, new, Staged(), "key-2")
    looked = await office.applied(Act.EDIT, receipt, new)
    assert isinstance(looked, Found)
    again = await office.edit(looked.receipt, new, Staged(), "key-2")
    assert await office.visible(again) is Visible.YES


async def test_a_withdrawal_takes_effect_or_sends_a_person(office: Mastodon, real: Real) -> None:
    receipt = await office.publish(Outgoing("这条要撤回"), Staged(), "key-withdraw")
    if real.deletes:
        assert await office.withdraw(receipt, "key-2") == receipt
        assert await office.withdraw(receipt, "key-2") == receipt
        assert await office.visible(receipt) is Visible.NO
        assert isinstance(await office.applied(Act.WITHDRAW, receipt, None), Found)
    else:
        with pytest.raises(Refused, match="手工删除"):
            await office.withdraw(receipt, "key-2")
        assert await office.visible(receipt) is Visible.YES
        assert await office.applied(Act.WITHDRAW, receipt, None) == Absent()


async def test_a_thread_is_kept_together(office: Mastodon) -> None:
    first = await office.publish(Outgoing("第一部分（1/2）"), Staged(), "key-1of2")
    second = Outgoing("第二部分（2/2）", in_reply_to=first.remote_id)
    receipt = await office.publish(second, Staged(), "key-2of2")
    assert receipt.raw == ""
    assert [r.remote_id for r in (await office.replies(first, None)).replies] == [receipt.remote_id]


async def test_a_dead_token_breaks_the_account(front: Server) -> None:
    async with connected(front.url, "0123456789abcdef") as stranger:
        with pytest.raises(AccountBroken):
            await stranger.check()
        with pytest.raises(AccountBroken):
            await stranger.publish(Outgoing("不该出现"), Staged(), "key-dead")
