"""A platform served by hand: tasks, the account as the options say, links looked at as an outsider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from bot.adapters.base import Adapter
from bot.adapters.byhand import ByHand, ByHandOptions
from bot.model import Outgoing, Receipt, Staged, Task, Unit, Unknown, Visible
from tests.adapters.contract import NONE_TAKEN, TEXT, Contract, Post, Rig
from tests.fakes.server import Request, Response, Server, page


def article(request: Request) -> Response:
    if request.path == "/gone":
        return page("gone", 404)
    if request.path == "/taken-down":
        return page("<p>该内容已被发布者删除</p>")
    return page("<p>通知</p>", 200 if request.path == "/s" else 403)


class ByHandRig(Rig):
    calls: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, server: Server) -> None:
        self.server = server

    def options(self) -> ByHandOptions:
        return ByHandOptions(
            platform="微信公众号",
            account="云澜发布",
            url=f"{self.server.url}/home",
            text_limit=20000,
            unit=Unit.WEIBO,
            title=True,
            steps=("进入“新的创作”。",),
        )

    def credential(self) -> str:
        return ""

    def posts(self) -> list[Post]:
        return []

    def kill_credential(self) -> None:
        raise NotImplementedError


@pytest.fixture
def rig() -> Iterator[ByHandRig]:
    with Server(article) as server:
        yield ByHandRig(server)


class TestContract(Contract):
    kind = ByHand

    @pytest.fixture
    def rig(self, rig: Rig) -> Rig:
        return rig


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def adapter(rig: Rig) -> AsyncIterator[Adapter]:
    async with rig.adapter(ByHand) as adapter:
        yield adapter


async def test_the_account_is_who_the_options_say(adapter: Adapter, rig: ByHandRig) -> None:
    checked = await adapter.check()
    assert (checked.identity.id, checked.identity.name) == ("微信公众号/云澜发布", "云澜发布")
    assert checked.capabilities == ByHand.capabilities_of(rig.options())
    assert (checked.capabilities.text_limit, checked.capabilities.unit) == (20000, Unit.WEIBO)
    assert checked.capabilities.by_hand


async def test_every_act_tells_the_person_where_and_what(adapter: Adapter, rig: Rig) -> None:
    there = Receipt("1", "https://mp.example/s/abc")
    tasks = [
        await adapter.publish(Outgoing(TEXT, title="防汛通知"), Staged(), "k"),
        await adapter.edit(there, Outgoing("改正后的全文"), Staged(), "k"),
        await adapter.withdraw(there, "k"),
        await adapter.repost("https://mp.example/s/xyz", "k"),
    ]
    words = [task.instructions for task in tasks if isinstance(task, Task)]
    assert len(words) == 4
    assert all("微信公众号" in w and "云澜发布" in w and "进入“新的创作”。" in w for w in words)
    assert "标题：防汛通知" in words[0]
    assert f"\n{TEXT}\n" in words[0]
    assert there.url in words[1]
    assert "改正后的全文" in words[1]
    assert there.url in words[2]
    assert "https://mp.example/s/xyz" in words[3]


async def test_nobody_can_be_asked_whether_it_stands(adapter: Adapter) -> None:
    looked = await adapter.find(Outgoing(TEXT), "k", datetime.now(UTC), NONE_TAKEN)
    assert isinstance(looked, Unknown)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/s", Visible.YES),
        ("/gone", Visible.NO),
        ("/taken-down", Visible.NO),
        ("/login", Visible.CANNOT_TELL),
    ],
)
async def test_a_receipts_link_is_looked_at(
    adapter: Adapter, rig: Rig, path: str, seen: Visible
) -> None:
    assert await adapter.visible(Receipt("1", f"{rig.server.url}{path}")) is seen


async def test_a_link_elsewhere_is_never_asked_for(adapter: Adapter, rig: Rig) -> None:
    with Server(article) as elsewhere:
        for url in (f"{elsewhere.url}/s", "file:///etc/passwd", "", "javascript:alert(1)"):
            assert await adapter.visible(Receipt("1", url)) is Visible.CANNOT_TELL
        assert elsewhere.requests == 0


async def test_options_that_are_wrong_are_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        ByHandOptions(platform="微博", url="weibo.com")
