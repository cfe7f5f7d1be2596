"""The suite that every adapter passes; it tells an outsider when a new one is right.

An adapter adds one fixture (docs/adapters.md):

    class TestMine(Contract):
        kind = Mine

        @pytest.fixture
        def rig(self) -> Iterator[Rig]:
            with ...:  # a platform on a real socket
                yield MyRig(...)

What the class declares false is not skipped but tested to raise; what it declares true is tested to
work, and to end in the right error under every fault. `needs` says which of the two a test is for.
"""

from __future__ import annotations

import json
import logging
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, TypeVar

import pytest

from bot import text
from bot.adapters.base import Adapter, Client, Options, adapter_class, names
from bot.errors import AccountBroken, AdapterError, Later, Refused, Uncertain, Unsupported
from bot.model import (
    Absent,
    Act,
    Capabilities,
    Found,
    Idempotency,
    Media,
    Outgoing,
    Receipt,
    RemoteReply,
    RepliesBy,
    Staged,
    Task,
    Visible,
)
from tests.fakes.server import (
    BUSY_503,
    CUT_AFTER,
    CUT_BEFORE,
    EMPTY,
    EMPTY_500,
    ERROR_500,
    HALF,
    HTML_200,
    HTML_502,
    NONSENSE,
    WAIT_FORMS,
    Fault,
    Server,
    limited,
    reply,
)

# ---------------------------------------------------------------- what a fixture brings


@dataclass(frozen=True)
class Post:
    """A post that stands on the platform."""

    remote_id: str
    text: str
    alts: tuple[str, ...] = ()  # one a picture; "" where it has none
    in_reply_to: str = ""


class Rig(ABC):
    """A platform on a socket, seen from behind, and one account on it."""

    server: Server  # what the adapter talks to; a real platform stands behind fakes.server.Forward
    calls: ClassVar[
        Mapping[str, tuple[str, str]]
    ]  # act → method and path of its request, as a pattern

    @abstractmethod
    def options(self) -> Options: ...

    @abstractmethod
    def credential(self) -> str: ...

    @abstractmethod
    def posts(self) -> list[Post]:
        """Everything that stands, oldest first."""

    @abstractmethod
    def kill_credential(self) -> None: ...

    def ignore_keys(self) -> None:
        """From now on the platform forgets idempotency keys, if it is of the kind that may."""
        pytest.skip("this platform always keeps its keys")

    def answer(self, to: str, text: str) -> str:
        """A second visitor answers a post, or a reply; gives the reply's id."""
        raise NotImplementedError

    def rewrite(self, reply_id: str, text: str) -> None:
        """That visitor changes it."""
        pytest.skip("replies cannot be changed on this platform")

    def remove(self, reply_id: str) -> None:
        """That visitor, or the platform, takes it down."""
        raise NotImplementedError

    def fault(self, act: str, fault: Fault) -> None:
        """The next such request goes wrong."""
        self.server.faults.script(fault, *self.calls[act])

    def always(self, act: str, fault: Fault) -> None:
        """Every such request goes wrong, until the faults are cleared: reads are asked again."""
        self.server.faults.script(fault, *self.calls[act], times=1000)

    @asynccontextmanager
    async def adapter(self, kind: type[Adapter], timeout: float = 5) -> AsyncIterator[Adapter]:
        client = Client(timeout=timeout, **{"trust_env": False, **kind.client_options})
        try:
            yield kind(self.options(), self.credential(), client)
        finally:
            await client.aclose()


# ---------------------------------------------------------------- which test is for whom

F = TypeVar("F", bound=Callable[..., Any])


def needs(able: Callable[[Capabilities], bool]) -> Callable[[F], F]:
    """The test is for adapters whose capabilities satisfy `able`; others do not see it."""

    def mark(test: F) -> F:
        test.needs = able  # type: ignore[attr-defined]
        return test

    return mark


sends = needs(lambda able: not able.by_hand)
edits = needs(lambda able: able.edit and not able.by_hand)
withdraws = needs(lambda able: able.withdraw and not able.by_hand)
attaches = needs(lambda able: able.media_count > 0 and not able.by_hand)
uploads = needs(lambda able: able.media_count > 0 and not able.by_hand and not able.media_inline)
answers = needs(lambda able: able.answer and not able.by_hand)
collects = needs(lambda able: able.replies is RepliesBy.POLL)
limits = needs(lambda able: able.text_limit > 0 and not able.by_hand)
finds = needs(lambda able: not able.by_hand and able.idempotency is not Idempotency.NONE)

UNCLEAR = {
    "cut": CUT_AFTER,
    "half": HALF,
    "empty": EMPTY,
    "html-200": HTML_200,
    "html-502": HTML_502,
    "json-500": ERROR_500,
    "empty-500": EMPTY_500,
    "busy-503": BUSY_503,
    "nonsense": NONSENSE,
}


# once for each answer that leaves open whether the request was taken
unclear = pytest.mark.parametrize("fault", UNCLEAR.values(), ids=UNCLEAR)


# ---------------------------------------------------------------- material

LINK = "https://www.example.gov.cn/zwgk/2026-09/22/content_1234567.htm?from=board&id=7"
TEXT = f"关于做好汛期安全工作的通知。请各单位认真执行，详见 {LINK} 云澜县人民政府办公室"


def picture(shade: int = 0) -> bytes:
    """A whole PNG of one grey pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return len(body).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    head = chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes([0, shade])))
        + chunk(b"IEND", b"")
    )


def pictured(words: str, *alts: str) -> tuple[Outgoing, dict[str, bytes]]:
    """A post with one picture for each alternative text, and the files."""
    made = {sha256(p).hexdigest(): p for p in map(picture, range(len(alts)))}
    media = tuple(
        Media(digest, "image/png", len(p), 1, 1, alt)
        for (digest, p), alt in zip(made.items(), alts, strict=True)
    )
    return Outgoing(words, media), made


async def sent(adapter: Adapter, words: str | Outgoing, key: str = "key-1") -> Receipt:
    """Publish what has no pictures."""
    outgoing = Outgoing(words) if isinstance(words, str) else words
    receipt = await adapter.publish(outgoing, Staged(), key)
    assert isinstance(receipt, Receipt)
    return receipt


async def all_replies(
    adapter: Adapter, of: Receipt | None, cursor: str | None = None
) -> tuple[list[RemoteReply], str | None]:
    """A whole walk, which must end and say that it is complete; and where to resume."""
    found: list[RemoteReply] = []
    for _ in range(100):
        page = await adapter.replies(of, cursor)
        found += page.replies
        cursor = page.cursor
        if cursor is None:
            assert page.complete, page.why_partial
            return found, page.resume
    raise AssertionError("the walk does not end")


NONE_TAKEN: frozenset[str] = frozenset()

# ---------------------------------------------------------------- the suite


class Contract:
    kind: ClassVar[type[Adapter]]
    pytestmark = pytest.mark.anyio

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name in dir(Contract):
            able = getattr(getattr(Contract, name), "needs", None)
            if able and not able(cls.kind.capabilities):
                setattr(cls, name, None)

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        raise NotImplementedError("the adapter's own fixture")

    @pytest.fixture
    async def adapter(self, rig: Rig) -> AsyncIterator[Adapter]:
        async with rig.adapter(self.kind) as adapter:
            yield adapter

    @pytest.fixture
    def began(self) -> datetime:
        """The moment before the attempt."""
        return datetime.now(UTC)

    # ------------------------------------------------------------ itself

    async def test_it_is_found_by_its_name(self) -> None:
        assert self.kind.name in names()
        assert adapter_class(self.kind.name) is self.kind
        assert len(self.kind.letter) == 1
        assert self.kind.label

    async def test_checking_tells_who_we_are_and_changes_nothing(
        self, rig: Rig, adapter: Adapter
    ) -> None:
        first, second = await adapter.check(), await adapter.check()
        assert first == second
        assert first.identity.id
        assert first.identity.name
        assert rig.posts() == []

    async def test_capabilities_survive_being_stored(self, adapter: Adapter) -> None:
        able = (await adapter.check()).capabilities
        assert Capabilities.of(json.loads(json.dumps(able.json()))) == able

    async def test_what_it_declares_false_it_refuses(self, adapter: Adapter) -> None:
        able, there = self.kind.capabilities, Receipt("1", "")
        calls: dict[str, tuple[bool, Callable[[], Awaitable[Any]]]] = {
            "edit": (able.edit, lambda: adapter.edit(there, Outgoing("甲"), Staged(), "k")),
            "withdraw": (able.withdraw, lambda: adapter.withdraw(there, "k")),
            "repost": (able.repost, lambda: adapter.repost("1", "k")),
            "replies": (able.replies is not RepliesBy.NONE, lambda: adapter.replies(there, None)),
            "mentions": (able.mentions, lambda: adapter.replies(None, None)),
        }
        for declared, call in calls.values():
            if not declared:
                with pytest.raises(Unsupported):
                    await call()

    # ------------------------------------------------------------ publishing

    @sends
    async def test_a_post_stands_once_and_is_seen(self, rig: Rig, adapter: Adapter) -> None:
        receipt = await sent(adapter, TEXT)
        assert [p.text for p in rig.posts()] == [TEXT]
        assert rig.posts()[0].remote_id == receipt.remote_id
        assert receipt.url.startswith("http")
        assert receipt.raw == "" or "平台" not in receipt.raw
        assert await adapter.visible(receipt) is Visible.YES

    @attaches
    async def test_staging_is_invisible_repeatable_and_kept_in_order(
        self, rig: Rig, adapter: Adapter
    ) -> None:
        alts = ("汛期值班表", "")[: self.kind.capabilities.media_count]
        outgoing, files = pictured("带图", *alts)
        staged = await adapter.stage(outgoing, files)
        assert rig.posts() == []
        staged = await adapter.stage(outgoing, files)
        assert len(staged.media) == len(alts)
        stored = Staged.of(json.loads(json.dumps(staged.json())))
        if self.kind.capabilities.media_inline:  # handed over anew at the call
            stored = replace(stored, files=files)
        await adapter.publish(outgoing, stored, "key-1")
        assert rig.posts()[0].alts == (
            alts if self.kind.capabilities.alt_text else ("",) * len(alts)
        )

    @uploads
    async def test_an_upload_that_was_cut_is_tried_later(self, rig: Rig, adapter: Adapter) -> None:
        outgoing, files = pictured("带图", "")
        for fault in (CUT_AFTER, CUT_BEFORE, ERROR_500, HTML_502, HALF):
            rig.always("stage", fault)
            with pytest.raises(Later):
                await adapter.stage(outgoing, files)
            rig.server.faults.clear()
        assert (await adapter.stage(outgoing, files)).media

    @limits
    async def test_the_limit_is_the_platforms_own(self, rig: Rig, adapter: Adapter) -> None:
        able = (await adapter.check()).capabilities
        full = "政" * able.text_limit
        linked = full[: able.text_limit - 1 - text.count(LINK, able.unit, able.link_weight)]
        for key, words in enumerate((full, f"{linked} {LINK}")):
            assert text.over(words, able) == 0
            await sent(adapter, words, f"key-{key}")
        for words in (f"{full}务", f"{linked}务务 {LINK}"):
            assert text.over(words, able) > 0
            with pytest.raises(Refused):
                await sent(adapter, words, "key-over")
        assert len(rig.posts()) == 2

    @answers
    async def test_an_answer_stands_under_what_it_answers(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        question = rig.answer(root.remote_id, "值班电话是多少")
        await sent(adapter, Outgoing("已在文末列出", in_reply_to=question), "key-2")
        assert [p.in_reply_to for p in rig.posts()] == ["", question]

    @answers
    async def test_an_answer_to_what_is_gone_is_refused(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        question = rig.answer(root.remote_id, "值班电话是多少")
        rig.remove(question)
        with pytest.raises(Refused):
            await sent(adapter, Outgoing("已在文末列出", in_reply_to=question), "key-2")
        assert len(rig.posts()) == 1

    # ------------------------------------------------------------ what can go wrong

    @sends
    @pytest.mark.parametrize("form", WAIT_FORMS)
    async def test_a_limited_rate_is_waited_out(
        self, rig: Rig, adapter: Adapter, form: str
    ) -> None:
        rig.fault("publish", limited(form, 90))
        with pytest.raises(Later) as caught:
            await sent(adapter, TEXT)
        after = caught.value.after
        if form == "none":
            assert after is None
        else:
            assert after is not None
            assert 85 <= after.total_seconds() <= 91
        assert rig.posts() == []
        await sent(adapter, TEXT)
        assert len(rig.posts()) == 1

    @sends
    async def test_no_connection_means_nothing_was_taken(self, rig: Rig, adapter: Adapter) -> None:
        rig.server.stop()
        with pytest.raises(Later):
            await sent(adapter, TEXT)

    @sends
    async def test_a_dead_credential_breaks_the_account(self, rig: Rig, adapter: Adapter) -> None:
        receipt = await sent(adapter, TEXT)
        outgoing, files = pictured("带图", "")
        rig.kill_credential()
        calls: list[Callable[[], Awaitable[Any]]] = [
            adapter.check,
            lambda: sent(adapter, "又一条", "key-2"),
            lambda: adapter.find(Outgoing("又一条"), "key-2", datetime.now(UTC), NONE_TAKEN),
        ]
        able = self.kind.capabilities
        if able.media_count and not able.media_inline:
            calls.append(lambda: adapter.stage(outgoing, files))
        if able.edit:
            calls.append(lambda: adapter.edit(receipt, Outgoing("改"), Staged(), "k"))
        if able.withdraw:
            calls.append(lambda: adapter.withdraw(receipt, "k"))
        if able.replies is RepliesBy.POLL:
            calls.append(lambda: adapter.replies(receipt, None))
        for call in calls:
            with pytest.raises(AccountBroken):
                await call()
        assert len(rig.posts()) == 1

    @finds
    @unclear
    async def test_an_unclear_answer_is_uncertain_then_found(
        self, rig: Rig, adapter: Adapter, began: datetime, fault: Fault
    ) -> None:
        rig.fault("publish", fault)
        with pytest.raises(Uncertain):
            await sent(adapter, TEXT)
        looked = await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN)
        assert isinstance(looked, Found)
        assert [p.remote_id for p in rig.posts()] == [looked.receipt.remote_id]

    @finds
    @unclear
    async def test_an_unclear_answer_is_uncertain_then_absent(
        self, rig: Rig, adapter: Adapter, began: datetime, fault: Fault
    ) -> None:
        await sent(adapter, "早先的一条", "key-0")
        rig.fault("publish", CUT_BEFORE if fault.response is None else fault.untaken)
        with pytest.raises(Uncertain):
            await sent(adapter, TEXT)
        looked = await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN)
        assert looked == Absent()
        await sent(adapter, TEXT)
        assert [p.text for p in rig.posts()] == ["早先的一条", TEXT]

    @sends
    async def test_silence_beyond_the_timeout_is_uncertain(self, rig: Rig) -> None:
        rig.fault("publish", Fault(True, delay=2))
        async with rig.adapter(self.kind, timeout=1) as hurried:
            with pytest.raises(Uncertain):
                await sent(hurried, TEXT)

    @finds
    async def test_what_is_taken_is_not_found_again(
        self, rig: Rig, adapter: Adapter, began: datetime
    ) -> None:
        receipt = await sent(adapter, TEXT)
        outgoing, taken = Outgoing(TEXT), frozenset([receipt.remote_id])
        looked = await adapter.find(outgoing, "key-2", began, taken)
        assert looked == Absent()

    @finds
    @attaches
    async def test_a_post_with_pictures_is_found(
        self, rig: Rig, adapter: Adapter, began: datetime
    ) -> None:
        outgoing, files = pictured("带图的通知", "汛期值班表")
        staged = await adapter.stage(outgoing, files)
        rig.fault("publish", CUT_AFTER)
        with pytest.raises(Uncertain):
            await adapter.publish(outgoing, staged, "key-1")
        assert isinstance(await adapter.find(outgoing, "key-1", began, NONE_TAKEN), Found)

    @needs(lambda able: able.idempotency in (Idempotency.KEY, Idempotency.CLIENT_ID))
    async def test_the_same_key_again_is_the_same_post(self, rig: Rig, adapter: Adapter) -> None:
        first, second = await sent(adapter, TEXT), await sent(adapter, TEXT)
        assert first.remote_id == second.remote_id
        assert len(rig.posts()) == 1

    @finds
    async def test_a_platform_that_forgets_keys_is_survived(
        self, rig: Rig, adapter: Adapter, began: datetime
    ) -> None:
        rig.ignore_keys()
        rig.fault("publish", CUT_AFTER)
        with pytest.raises(Uncertain):
            await sent(adapter, TEXT)
        assert isinstance(await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN), Found)
        assert len(rig.posts()) == 1

    @finds
    async def test_a_failing_listing_is_no_proof_of_absence(
        self, rig: Rig, adapter: Adapter, began: datetime
    ) -> None:
        await sent(adapter, TEXT)
        for fault in (CUT_AFTER, HALF, HTML_200, HTML_502, ERROR_500, NONSENSE, EMPTY):
            rig.always("find", fault)
            with pytest.raises(Later):
                await adapter.find(Outgoing(TEXT), "key-1", began, NONE_TAKEN)
            rig.server.faults.clear()

    # ------------------------------------------------------------ edit, withdraw

    @edits
    async def test_an_edit_replaces_what_stands(self, rig: Rig, adapter: Adapter) -> None:
        receipt = await sent(adapter, TEXT)
        edited = await adapter.edit(receipt, Outgoing("改正：九月二十三日"), Staged(), "key-2")
        assert isinstance(edited, Receipt)
        assert [p.text for p in rig.posts()] == ["改正：九月二十三日"]
        assert isinstance(
            await adapter.applied(Act.EDIT, edited, Outgoing("改正：九月二十三日")), Found
        )

    @edits
    @unclear
    async def test_an_unclear_edit_is_looked_up(
        self, rig: Rig, adapter: Adapter, fault: Fault
    ) -> None:
        receipt, new = await sent(adapter, TEXT), Outgoing("改正：九月二十三日")
        rig.fault("edit", CUT_BEFORE if fault.response is None else fault.untaken)
        with pytest.raises(Uncertain):
            await adapter.edit(receipt, new, Staged(), "key-2")
        assert await adapter.applied(Act.EDIT, receipt, new) == Absent()
        rig.fault("edit", fault)
        with pytest.raises(Uncertain):
            await adapter.edit(receipt, new, Staged(), "key-2")
        assert isinstance(await adapter.applied(Act.EDIT, receipt, new), Found)

    @withdraws
    async def test_withdrawn_is_out_of_sight_and_again_is_success(
        self, rig: Rig, adapter: Adapter
    ) -> None:
        receipt = await sent(adapter, TEXT)
        assert await adapter.applied(Act.WITHDRAW, receipt, None) == Absent()
        for _ in range(2):
            assert isinstance(await adapter.withdraw(receipt, "key-2"), Receipt)
            assert rig.posts() == []
        assert await adapter.visible(receipt) is Visible.NO
        assert isinstance(await adapter.applied(Act.WITHDRAW, receipt, None), Found)

    @withdraws
    @pytest.mark.parametrize("fault", [CUT_AFTER, ERROR_500, HTML_502, HALF])
    async def test_an_unclear_withdrawal_is_looked_up(
        self, rig: Rig, adapter: Adapter, fault: Fault
    ) -> None:
        receipt = await sent(adapter, TEXT)
        rig.fault("withdraw", CUT_BEFORE if fault.response is None else fault.untaken)
        with pytest.raises(Uncertain):
            await adapter.withdraw(receipt, "key-2")
        assert await adapter.applied(Act.WITHDRAW, receipt, None) == Absent()
        rig.fault("withdraw", fault)
        with pytest.raises(Uncertain):
            await adapter.withdraw(receipt, "key-2")
        assert isinstance(await adapter.applied(Act.WITHDRAW, receipt, None), Found)

    # ------------------------------------------------------------ replies

    @collects
    async def test_replies_are_complete_ordered_and_nested(
        self, rig: Rig, adapter: Adapter
    ) -> None:
        root = await sent(adapter, TEXT)
        there = {rig.answer(root.remote_id, f"第 {i} 条意见"): root.remote_id for i in range(60)}
        nested = {rig.answer(parent, f"同意 {i}"): parent for i, parent in enumerate([*there][:5])}
        found, _ = await all_replies(adapter, root)
        assert {r.remote_id: r.parent_id for r in found} == there | nested
        assert len(found) == 65
        assert [r.at for r in found] == sorted(r.at for r in found)
        assert {r.root_id for r in found} == {root.remote_id}
        assert {r.text for r in found if r.parent_id == root.remote_id} == {
            f"第 {i} 条意见" for i in range(60)
        }
        assert not any(r.edited or r.removed for r in found)
        assert (await adapter.replies(root, None)).total == 65

    @collects
    async def test_the_same_walk_gives_the_same_replies(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        assert (await all_replies(adapter, root))[0] == []
        for i in range(3):
            rig.answer(root.remote_id, f"第 {i} 条")
        first, resume = await all_replies(adapter, root)
        assert (await all_replies(adapter, root))[0] == first
        new = rig.answer(root.remote_id, "后来的一条")
        if resume is not None:
            page = await adapter.replies(root, resume)
            assert new in {r.remote_id for r in page.replies}
        assert new in {r.remote_id for r in (await all_replies(adapter, root))[0]}

    @collects
    async def test_a_changed_reply_says_so(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        said = rig.answer(root.remote_id, "写错了")
        rig.rewrite(said, "改好了")
        [found] = (await all_replies(adapter, root))[0]
        assert (found.text, found.edited) == ("改好了", True)

    @collects
    async def test_a_deleted_reply_goes_as_declared(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        kept, gone = rig.answer(root.remote_id, "留着"), rig.answer(root.remote_id, "删掉")
        rig.remove(gone)
        found = {r.remote_id: r.removed for r in (await all_replies(adapter, root))[0]}
        if self.kind.capabilities.deletions_visible:
            assert found == {kept: False, gone: True}
        else:
            assert found == {kept: False}

    @collects
    async def test_a_torn_page_of_replies_is_read_again_later(
        self, rig: Rig, adapter: Adapter
    ) -> None:
        root = await sent(adapter, TEXT)
        rig.answer(root.remote_id, "意见")
        for fault in (CUT_AFTER, HALF, HTML_200, HTML_502, ERROR_500, NONSENSE, EMPTY, limited()):
            rig.always("replies", fault)
            with pytest.raises(Later):
                await adapter.replies(root, None)
            rig.server.faults.clear()

    @needs(lambda able: able.mentions)
    async def test_mentions_are_walked_whole_and_resumed(self, rig: Rig, adapter: Adapter) -> None:
        root = await sent(adapter, TEXT)
        there = {rig.answer(root.remote_id, f"第 {i} 条") for i in range(90)}
        found, resume = await all_replies(adapter, None)
        assert {r.remote_id for r in found} == there
        assert len(found) == 90
        assert {r.root_id for r in found} == {root.remote_id}
        assert resume is not None
        new = {rig.answer(root.remote_id, f"新 {i}") for i in range(45)}
        found, _ = await all_replies(adapter, None, resume)
        assert new <= {r.remote_id for r in found}

    # ------------------------------------------------------------ secrets

    @sends
    async def test_the_credential_is_nowhere_to_be_read(
        self, rig: Rig, adapter: Adapter, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        secret = rig.credential()
        echo = {"error": f"bad header Authorization: Bearer {secret}", "detail": secret}
        shown = [repr(adapter), str(adapter), repr(adapter.client)]
        for status in (400, 401, 403, 404, 418, 422, 429, 500):
            rig.fault("publish", Fault(False, reply(echo, status)))
            with pytest.raises(AdapterError) as caught:
                await sent(adapter, TEXT)
            error = caught.value
            shown += [str(error), repr(error), error.raw, json.dumps(error.say.json())]
        receipt = await sent(adapter, TEXT)
        shown += [repr(receipt), repr(await adapter.check()), caplog.text]
        assert not [words for words in shown if secret in words]
        assert TEXT[:20] not in caplog.text

    @sends
    async def test_a_credential_no_header_can_carry_does_no_harm(self, rig: Rig) -> None:
        async with rig.adapter(self.kind) as adapter:
            adapter.credential = "秘密\n令牌"
            with pytest.raises(AdapterError) as caught:
                await adapter.check()
        assert "秘密" not in str(caught.value) + caught.value.raw

    # ------------------------------------------------------------ by hand

    @needs(lambda able: able.by_hand)
    async def test_a_persons_task_holds_everything_he_needs(self, adapter: Adapter) -> None:
        outgoing, _ = pictured(TEXT, "汛期值班表")
        task = await adapter.publish(replace(outgoing, title="标题"), Staged(), "key-1")
        assert isinstance(task, Task)
        assert TEXT in task.instructions
        assert "汛期值班表" in task.instructions
