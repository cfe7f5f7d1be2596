"""The board passes the contract, over a real server of its own with faults between."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from bot.adapters.base import Adapter, Client
from bot.adapters.board import Board, BoardOptions
from bot.db import board_posts
from bot.errors import AccountBroken, Refused, Uncertain, Unsupported
from bot.model import Absent, Act, Found, Outgoing, Receipt, Staged, Visible
from bot.office import Office
from bot.web import board
from bot.web.board import store, views
from tests.adapters.contract import Contract, Post, Rig, all_replies, pictured, sent
from tests.fakes.server import Fault, Forward, Server, page, reply
from tests.web.serving import Stage, make_app, make_office, make_token, staging

NONE_TAKEN: frozenset[str] = frozenset()


CALLS = {
    "publish": ("POST", "/board/api/v1/posts$"),
    "edit": ("PUT", "/posts/"),
    "withdraw": ("DELETE", "/posts/"),
    "stage": ("PUT", "/media/"),
    "find": ("GET", "/posts/by-key/"),
    "replies": ("GET", "/replies$"),
    "visible": ("GET", "/board/p/"),
}


class BoardRig(Rig):
    calls = CALLS

    def __init__(self, office: Office, server: Server) -> None:
        self.office, self.server = office, server
        self.token = make_token(office)
        self.keys: dict[str, str] = {}

    def options(self) -> BoardOptions:
        return BoardOptions(url=self.server.url)

    def credential(self) -> str:
        return self.token

    def posts(self) -> list[Post]:
        standing = select(board_posts).where(board_posts.c.withdrawn_at.is_(None))
        with self.office.db.read() as conn:
            rows = conn.execute(standing.order_by(board_posts.c.id)).mappings().all()
        return [
            Post(
                row["public_id"],
                row["text"],
                tuple(picture["alt"] for picture in row["payload"]["media"]),
                row["in_reply_to"],
            )
            for row in rows
        ]

    def kill_credential(self) -> None:
        with self.office.db.write() as conn:
            board.renew_token(conn)

    def answer(self, to: str, text: str) -> str:
        with self.office.db.write() as conn:
            thread = to if to.startswith("g") else self._thread(to)
            post = views.thread_root(conn, thread)
            draft = store.Draft("望江路晨跑", text, to, "", "127.0.0.1")
            row, key = store.add_reply(
                conn, self.office.db.now(conn), post, draft, moderated=False, hourly=999
            )
        self.keys[row["public_id"]] = key
        return str(row["public_id"])

    def _thread(self, reply_id: str) -> str:
        with self.office.db.read() as conn:
            row = store.own_reply(conn, reply_id, self.keys[reply_id])
            return str(views.post_of(conn, row)["public_id"])

    def rewrite(self, reply_id: str, text: str) -> None:
        with self.office.db.write() as conn:
            later = self.office.db.now(conn) + timedelta(minutes=1)
            store.edit_own(conn, later, reply_id, self.keys[reply_id], text, moderated=False)

    def remove(self, reply_id: str) -> None:
        with self.office.db.write() as conn:
            now, log = self.office.db.now(conn), self.office.erasures
            store.delete_own(conn, now, reply_id, self.keys[reply_id], erasures=log)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@contextmanager
def running(root: Path, migrated: Path, stage: Stage) -> Iterator[BoardRig]:
    """A board with nothing on it, behind a server that can be made to go wrong."""
    with Server(Forward(stage.url)) as server:
        office = make_office(root, migrated, server.url)
        with closing(office.db):
            stage.app = make_app(office)
            yield BoardRig(office, server)


@pytest.fixture
def rig(tmp_path: Path, migrated: Path, stage: Stage) -> Iterator[BoardRig]:
    with running(tmp_path, migrated, stage) as made:
        yield made


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def adapter(rig: BoardRig) -> AsyncIterator[Adapter]:
    async with rig.adapter(Board) as made:
        yield made


class TestContract(Contract):
    kind = Board

    @pytest.fixture
    def rig(self, tmp_path: Path, migrated: Path, stage: Stage) -> Iterator[BoardRig]:
        with running(tmp_path, migrated, stage) as made:
            yield made


@pytest.mark.anyio
class TestBoard:
    """What the board promises beyond the contract."""

    async def test_its_client_knows_no_proxy(
        self, rig: BoardRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        client = Client(timeout=5, **Board.client_options)
        adapter = Board(rig.options(), rig.credential(), client)
        assert (await adapter.check()).identity.name == "云澜县政务公开栏"
        await client.aclose()

    async def test_its_identity_is_no_address(self, rig: BoardRig, adapter: Adapter) -> None:
        identity = (await adapter.check()).identity
        assert "127.0.0.1" not in identity.id
        assert identity.url == f"{rig.server.url}/board"

    async def test_the_pictures_that_stand_are_those_that_were_signed(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        outgoing, files = pictured("带图", "汛期值班表")
        staged = await adapter.stage(outgoing, files)
        await adapter.publish(outgoing, staged, "key-1")
        kept = rig.office.media.read(outgoing.media[0].sha256)
        assert hashlib.sha256(kept).hexdigest() == outgoing.media[0].sha256
        with pytest.raises(Refused):
            await adapter.stage(outgoing, {name: b"damaged" for name in files})

    async def test_other_content_under_a_taken_key_is_looked_up(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        receipt = await sent(adapter, "第一版", "key-1")
        with pytest.raises(Uncertain):
            await sent(adapter, "第二版", "key-1")
        looked = await adapter.find(Outgoing("第二版"), "key-1", receipt.at, NONE_TAKEN)  # type: ignore[arg-type]
        assert isinstance(looked, Found)
        assert looked.receipt.remote_id == receipt.remote_id
        assert [p.text for p in rig.posts()] == ["第一版"]

    async def test_keys_of_any_shape_are_found(self, adapter: Adapter) -> None:
        for key in ("a/b?c#d", "k%2F", "2026-09-22T08:00:00+08:00 1"):
            receipt = await sent(adapter, f"以 {key} 发布", key)
            looked = await adapter.find(Outgoing(""), key, receipt.at, NONE_TAKEN)  # type: ignore[arg-type]
            assert isinstance(looked, Found)
            assert looked.receipt.remote_id == receipt.remote_id

    async def test_an_edit_with_new_words_for_a_picture_is_told_apart(
        self, adapter: Adapter
    ) -> None:
        outgoing, files = pictured("带图", "旧说明")
        receipt = await adapter.publish(outgoing, await adapter.stage(outgoing, files), "key-1")
        assert isinstance(receipt, Receipt)
        new, _ = pictured("带图", "新说明")
        assert await adapter.applied(Act.EDIT, receipt, new) == Absent()
        await adapter.edit(receipt, new, Staged(), "key-2")
        assert isinstance(await adapter.applied(Act.EDIT, receipt, new), Found)

    async def test_an_answer_is_seen_and_its_own_followers_collected(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        root = await sent(adapter, "通告")
        question = rig.answer(root.remote_id, "何时完工")
        answer = await sent(adapter, Outgoing("下月", in_reply_to=question), "key-2")
        more = rig.answer(answer.remote_id, "哪一天")
        assert await adapter.visible(answer) is Visible.YES
        [found] = (await all_replies(adapter, answer))[0]
        assert (found.remote_id, found.parent_id, found.root_id) == (
            more,
            answer.remote_id,
            root.remote_id,
        )
        await adapter.withdraw(answer, "key-3")
        assert await adapter.visible(answer) is Visible.NO

    async def test_an_incremental_walk_tells_edits_and_deletions(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        root = await sent(adapter, "通告")
        kept, changed, gone = (rig.answer(root.remote_id, text) for text in "甲乙丙")
        _, resume = await all_replies(adapter, root)
        assert (await all_replies(adapter, root, resume))[0] == []
        rig.rewrite(changed, "乙改")
        rig.remove(gone)
        found, _ = await all_replies(adapter, root, resume)
        assert [(r.remote_id, r.text, r.edited, r.removed) for r in found] == [
            (changed, "乙改", True, False),
            (gone, "", False, True),
        ]
        assert kept not in {r.remote_id for r in found}

    async def test_an_outsider_who_is_shown_another_page_cannot_tell(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        receipt = await sent(adapter, "通告")
        rig.fault("visible", Fault(True, page("<html>登录网络</html>")))
        assert await adapter.visible(receipt) is Visible.CANNOT_TELL
        rig.always("visible", Fault(True, sent="none"))
        assert await adapter.visible(receipt) is Visible.CANNOT_TELL

    async def test_a_strange_address_breaks_the_account_and_sends_nothing(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        for answer in (
            reply({"error": "no"}, 404),
            page("<html>moved</html>", 301),
            page("<html>no</html>", 405),
        ):
            rig.fault("publish", Fault(False, answer))
            with pytest.raises(AccountBroken):
                await sent(adapter, "通告")
        rig.fault("publish", Fault(False, page("too large", 413)))
        with pytest.raises(Refused):
            await sent(adapter, "通告")

    async def test_what_the_board_has_no_place_for_is_not_sent(
        self, rig: BoardRig, adapter: Adapter
    ) -> None:
        for outgoing in (Outgoing("一", warning="慎看"), Outgoing("一", visibility="private")):
            with pytest.raises(Unsupported):
                await sent(adapter, outgoing)
        assert rig.posts() == []

    async def test_without_an_address_or_a_token_it_says_what_to_do(self, rig: BoardRig) -> None:
        async with rig.adapter(Board) as adapter:
            for broken in (
                Board(BoardOptions(), rig.credential(), adapter.client),
                Board(rig.options(), "", adapter.client),
            ):
                with pytest.raises(AccountBroken):
                    await broken.check()


def test_an_address_is_taken_with_or_without_its_last_part() -> None:
    for url in ("https://b.example.cn", "https://b.example.cn/", "https://b.example.cn/board"):
        assert BoardOptions(url=url).url == "https://b.example.cn"
    for url in ("b.example.cn", "ftp://b.example.cn", "https://"):
        with pytest.raises(ValidationError):
            BoardOptions(url=url)
