"""Collecting: what the public answers is taken in once, whole, with its history, whatever happens."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from bot import audit, collect, search, speaking
from bot.backup import backup, restore
from bot.collect import log, polling
from bot.collect.intake import Scope, miss, take_in
from bot.db import (
    Database,
    accounts,
    board_replies,
    boards,
    posts,
    replies,
    reply_versions,
    watches,
)
from bot.errors import Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import AccountState, Outgoing, Receipt, RemoteReply, Role, Staged, WatchState
from bot.office import Office
from bot.speaking import Adapters
from bot.web.board import store
from bot.workdays import FixedClock
from tests import builders
from tests.fakes import mastodon
from tests.fakes.server import HTML_502, Fault, Response, Server, limited
from tests.fakes.thread import Thread
from tests.scenes import Scene, Square, Village, said, scene
from tests.web.serving import make_app, make_token, staging

GONE = Fault(False, Response(404, b'{"type": "urn:gongkai:board:not-found", "detail": "x"}'))


# Where nothing hangs on the database, one is enough.
once = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

# ---------------------------------------------------------------- the scene


@pytest.fixture
def village(office: Office, clock: FixedClock) -> Iterator[Village]:
    with mastodon.running() as (fake, server):
        ours = f"{server.url.removeprefix('http://')}/{fake.tokens['token-1'].id}"
        made = scene(office, clock, "mastodon", server.url, ours)
        yield Village(made.office, made.clock, made.account, fake, server)


@pytest.fixture
def square(office: Office, clock: FixedClock) -> Iterator[Square]:
    thread = Thread()
    with Server(thread) as server:
        made = scene(office, clock, "board", server.url)
        yield Square(made.office, made.clock, made.account, thread, server)


# ---------------------------------------------------------------- new, edited, removed


def test_replies_are_taken_in_under_their_post_and_once(village: Village) -> None:
    post = village.post(root := village.publish())
    first = village.fake.answer(root, "路灯不亮")
    second = village.fake.answer(first, "同问")
    assert village.poll() == 1
    assert village.texts(post) == {first: "路灯不亮", second: "同问"}
    rows = village.said()
    assert [rows[i]["parent"] for i in (first, second)] == [root, first]
    assert all(
        r["state"] == "visible" and r["version"] == 1 and not r["own"] for r in rows.values()
    )
    assert len({r["salt"] for r in rows.values()}) == 2
    village.poll(60)
    assert village.said().keys() == {first, second}
    assert village.wordings(first) == ["路灯不亮"]


def test_an_edit_keeps_the_earlier_wording(village: Village) -> None:
    post = village.post(root := village.publish())
    said = village.fake.answer(root, "路灯不亮")
    village.poll()
    for text in ("路灯不亮，三天了", "路灯不亮", "路灯修好了"):
        village.fake.rewrite(said, text)
        village.poll(60)
    assert village.texts(post) == {said: "路灯修好了"}
    assert village.wordings(said) == ["路灯不亮", "路灯不亮，三天了", "路灯不亮", "路灯修好了"]
    row = village.said()[said]
    assert (row["state"], row["edited_at"]) == ("edited", village.clock.now())
    assert village.found("修好") == {said}
    assert village.found("不亮") == set()
    assert len({e["data"]["digest"] for e in village.trail("reply.edited")}) == 3
    assert "路灯" not in str([dict(e) for e in village.trail("reply.edited")])


@once
def test_another_display_name_is_no_edit(village: Village) -> None:
    village.post(root := village.publish())
    said = village.fake.answer(root, "路灯不亮")
    village.poll()
    village.fake.citizens["citizen"].name = "Somebody Else"
    village.poll(60)
    assert village.said()[said]["state"] == "visible"
    assert village.wordings(said) == ["路灯不亮"]


@once
def test_a_reply_first_seen_after_its_edit_is_marked_and_has_one_wording(village: Village) -> None:
    village.post(root := village.publish())
    said = village.fake.answer(root, "路灯不亮")
    village.fake.rewrite(said, "路灯还是不亮")
    village.poll()
    assert village.said()[said]["state"] == "edited"
    assert village.wordings(said) == ["路灯还是不亮"]


def test_absent_from_two_whole_walks_is_removed_and_seen_again_is_back(village: Village) -> None:
    post = village.post(root := village.publish())
    said = village.fake.answer(root, "路灯不亮")
    stays = village.fake.answer(root, "已经修好")
    village.poll()
    status = village.fake.statuses[said]
    village.fake.remove(said)
    village.poll(60)
    assert village.said()[said]["state"] == "visible"
    village.poll(60)
    row = village.said()[said]
    assert (row["state"], row["removed_why"], row["text"]) == ("removed", "absent", "路灯不亮")
    assert row["removed_at"] == village.clock.now()
    assert village.texts(post) == {stays: "已经修好"}
    village.fake.statuses[said], status.gone = status, False
    village.fake.statuses[root].children.append(status)
    village.poll(60)
    row = village.said()[said]
    assert (row["state"], row["removed_at"], row["removed_why"]) == ("visible", None, "")
    assert [len(village.trail(f"reply.{verb}")) for verb in ("removed", "returned")] == [1, 1]


@once
def test_once_absent_then_seen_starts_the_count_anew(village: Village) -> None:
    village.post(root := village.publish())
    said = village.fake.answer(root, "路灯不亮")
    village.poll()
    children = village.fake.statuses[root].children
    for _ in range(3):
        hidden = children.pop()
        village.poll(60)
        children.append(hidden)
        village.poll(60)
    assert village.said()[said]["state"] == "visible"


def test_removed_on_the_platforms_word_at_once_with_the_text_kept(square: Square) -> None:
    square.post("p1")
    square.thread.say("p1", "r1", "路灯不亮")
    square.poll()
    square.thread.remove("p1", "r1")
    square.poll(60)
    row = square.said()["r1"]
    assert (row["state"], row["removed_why"], row["text"]) == ("removed", "platform", "路灯不亮")
    assert row["version"] == 1
    square.clock.move(60)
    square.scan()
    assert square.said()["r1"]["removed_at"] == row["removed_at"]
    assert [e["data"]["why"] for e in square.trail("reply.removed")] == ["platform"]
    square.thread.say("p1", "r1", "路灯还是不亮")
    square.poll(60)
    assert square.said()["r1"]["state"] == "edited"
    assert square.wordings("r1") == ["路灯不亮", "路灯还是不亮"]


@once
def test_what_was_removed_before_it_was_ever_seen_is_not_made_up(square: Square) -> None:
    square.post("p1")
    square.thread.remove("p1", "r1")
    square.poll()
    assert square.said() == {}


def test_a_text_no_database_can_keep_is_taken_in_all_the_same(square: Square) -> None:
    square.post("p1")
    square.thread.say("p1", "r1", "路灯\0不亮\ud800", name="\0", url="javascript:alert(1)")
    square.poll()
    row = square.said()["r1"]
    assert (row["text"], row["author_name"], row["url"]) == ("路灯\ufffd不亮\ufffd", "\ufffd", "")
    square.poll(60)
    assert square.wordings("r1") == ["路灯\ufffd不亮\ufffd"]


def test_one_page_writes_one_version_of_a_reply_however_often_it_lists_it(
    database: Database, office: Office, clock: FixedClock
) -> None:
    made = scene(office, clock, "board", "http://127.0.0.1:1")
    page = [said("r", f"第 {n} 种说法", clock.now()) for n in range(50)]
    with database.write() as conn:
        assert take_in(conn, clock.now(), Scope(made.account, ""), page) == 1
        take_in(conn, clock.now(), Scope(made.account, ""), page[:20])
    assert made.wordings("r") == ["第 49 种说法", "第 19 种说法"]


# ---------------------------------------------------------------- on the board itself


async def _published(made: Scene) -> str:
    adapters = Adapters(made.office)
    try:
        board = await adapters.of(made.account)
        receipt = await board.publish(Outgoing("今日停水通知"), Staged(), "key-1")
        assert isinstance(receipt, Receipt)
        return receipt.remote_id
    finally:
        await adapters.aclose()


def test_a_visitors_reply_is_collected_from_when_it_is_shown_to_when_it_is_deleted(
    office: Office, clock: FixedClock
) -> None:
    token = make_token(office)
    with staging() as stage:
        stage.app = make_app(office)
        made = scene(office, clock, "board", stage.url, token=token)
        made.post(public := asyncio.run(_published(made)))
        with office.db.write() as conn:
            under = store.by_id(conn, public)
            draft = store.Draft("李四", "路灯不亮", "", "1", "192.0.2.1")
            row, key = store.add_reply(conn, clock.now(), under, draft, moderated=True, hourly=10)
        made.poll()
        assert made.said() == {}, "nobody has let it through"
        _let(made, row["id"])
        made.poll(60)
        name = row["public_id"]
        assert [r["text"] for r in made.said().values()] == ["路灯不亮"]
        with office.db.write() as conn:
            store.edit_own(conn, clock.now(), name, key, "路灯亮了", moderated=True)
        made.poll(60)
        assert made.wordings(name) == ["路灯不亮"]
        _let(made, row["id"])
        made.poll(60)
        assert made.wordings(name) == ["路灯不亮", "路灯亮了"]
        with office.db.write() as conn:
            store.delete_own(conn, clock.now(), name, key, erasures=office.erasures)
        made.poll(60)
        assert made.said()[name]["removed_why"] == "erased", "he was promised that nothing is kept"
        assert made.said()[name]["text"] == ""
        assert made.found("路灯") == set()


@dataclass
class OwnBoard:
    """A board in this very store, its replies shown at once, collected by the office."""

    made: Scene
    post: str
    keys: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> str:
        with self.made.office.db.write() as conn:
            now, under = self.made.clock.now(), store.by_id(conn, self.post)
            draft = store.Draft("李四", text, "", text, "192.0.2.1")
            row, key = store.add_reply(conn, now, under, draft, moderated=False, hourly=50)
        self.keys[row["public_id"]] = key
        return str(row["public_id"])

    def moderate(self, name: str, state: str) -> None:
        with self.made.office.db.write() as conn:
            row = store.reply_of(conn, board_replies.c.public_id == name)
            log = self.made.office.erasures
            store.moderate(conn, self.made.clock.now(), row["id"], state, erasures=log)

    def delete(self, name: str) -> None:
        with self.made.office.db.write() as conn:
            now, log = self.made.clock.now(), self.made.office.erasures
            store.delete_own(conn, now, name, self.keys[name], erasures=log)

    def stands(self) -> dict[str, tuple[str, str, str]]:
        """What the board holds: state, words and name by public id."""
        columns = (board_replies.c[n] for n in ("public_id", "state", "text", "author_name"))
        with self.made.office.db.read() as conn:
            found = conn.execute(select(*columns)).all()
        return {name: (state, words, who) for name, state, words, who in found}


@pytest.fixture
def own_board(office: Office, clock: FixedClock) -> Iterator[OwnBoard]:
    token = make_token(office)
    with staging() as stage:
        stage.app = make_app(office)
        made = scene(office, clock, "board", stage.url, token=token)
        with office.db.write() as conn:
            identity = conn.execute(select(boards.c.identity)).scalar_one()
            conn.execute(update(accounts).values(identity=identity))
        made.post(public := asyncio.run(_published(made)))
        yield OwnBoard(made, public)


@once
def test_what_is_erased_goes_from_our_own_board_too(own_board: OwnBoard) -> None:
    name, other = own_board.say("我叫张三丰"), own_board.say("路灯不亮")
    own_board.made.poll()
    assert erase(own_board.made, name, "gu") == ""  # it stands nowhere else
    assert own_board.stands()[name] == ("deleted", "", "")
    assert own_board.stands()[other] == ("shown", "路灯不亮", "李四")
    own_board.made.poll(60)
    assert own_board.made.said()[name]["removed_why"] == "erased"
    assert len(own_board.made.trail("reply.erase")) == 1


def test_what_left_the_board_since_a_backup_stays_away_after_the_restore(
    own_board: OwnBoard, tmp_path: Path
) -> None:
    office = own_board.made.office
    erased, deleted, hidden, again = map(own_board.say, ("甲", "乙", "丙", "丁"))
    own_board.made.poll()
    saved = backup(office, tmp_path / "a.tar.gz").path
    erase(own_board.made, erased, "gu")
    own_board.delete(deleted)
    for name in (hidden, again):
        own_board.moderate(name, "hidden")
    own_board.moderate(again, "shown")
    told = str(restore(office, saved, replace=True))
    assert own_board.stands() == {
        erased: ("deleted", "", ""),
        deleted: ("deleted", "", ""),
        hidden: ("hidden", "丙", "李四"),
        again: ("shown", "丁", "李四"),
    }
    assert "公开栏删除或隐藏的 2 条" in told
    assert "请核对" not in told.split("公开栏")[-1]
    for words in "甲乙丙丁":
        assert words not in office.erasures.read_text("utf-8")


def test_what_is_said_on_our_own_board_is_read_within_ten_seconds(own_board: OwnBoard) -> None:
    made = own_board.made
    made.poll()
    for n in range(20):  # a storm of replies is one reading
        name = own_board.say(f"留言{n}")
    assert made.watched()["due_at"] == made.clock.now() + timedelta(seconds=10)
    assert made.poll(9) == 0
    assert made.poll(1) == 1
    assert len(made.said()) == 20
    made.clock.move(30)
    own_board.delete(name)
    assert made.watched()["due_at"] == made.clock.now() + timedelta(seconds=1)
    made.poll(1)
    assert made.said()[name]["removed_why"] == "erased"


@once
def test_what_is_said_while_the_post_is_being_read_is_not_forgotten(own_board: OwnBoard) -> None:
    made = own_board.made
    made.poll()
    made.clock.move(60)
    turn = polling._Turn(made.office, Adapters(made.office))
    now, (row,) = polling._claim(made.office, 1)
    page = asyncio.run(_page(made, row["remote_id"], row["resume"]))
    name = own_board.say("正读着的时候说的")
    turn._take(row, polling._walk_of(made.office.config.collect, row, now), page, False)
    assert made.watched()["due_at"] == made.clock.now() + timedelta(seconds=10)
    made.poll(10)
    assert name in made.said()


async def _page(made: Scene, remote_id: str, cursor: str | None) -> Any:
    adapters = Adapters(made.office)
    try:
        board = await adapters.of(made.account)
        return await board.replies(Receipt(remote_id, ""), cursor)
    finally:
        await adapters.aclose()


def _let(made: Scene, reply: int) -> None:
    with made.office.db.write() as conn:
        store.moderate(conn, made.clock.now(), reply, store.SHOWN, erasures=made.office.erasures)


# ---------------------------------------------------------------- any history whatever

STATES = st.one_of(st.none(), st.just(False), st.sampled_from(["甲", "乙", "丙丁"]))
HISTORY = st.lists(st.lists(STATES, min_size=3, max_size=3), min_size=1, max_size=7)
_worlds = itertools.count()


@dataclass
class Model:
    """One reply as the log must have it: None never seen, False removed by word."""

    wordings: list[str]
    state: str = "visible"
    why: str = ""
    missed: int = 0

    def now(self, state: str | bool | None) -> None:
        if state is False:
            self.state, self.why = "removed", "platform"
        elif state is None and self.state != "removed":
            self.missed += 1
            if self.missed == 2:
                self.state, self.why = "removed", "absent"
        elif state:
            self.missed, self.why = 0, ""
            if self.wordings[-1] != state:
                self.wordings.append(str(state))
            self.state = "edited" if len(self.wordings) > 1 else "visible"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=HISTORY)
def test_any_history_of_the_platform_ends_as_the_log_with_every_wording(
    office: Office, clock: FixedClock, history: Sequence[Sequence[str | bool | None]]
) -> None:
    world, database = f"w{next(_worlds)}-", office.db
    with database.read() as conn:
        account = conn.execute(select(accounts.c.id)).scalar()
    account = account or scene(office, clock, "board", "http://127.0.0.1:1").account
    models: dict[str, Model] = {}
    home = replies.c.remote_id.startswith(world)
    for step in history:
        clock.move(60)
        listed = {f"{world}{n}": state for n, state in enumerate(step)}
        for name, state in listed.items():
            if name in models:
                models[name].now(state)
            elif state:
                models[name] = Model([str(state)])
        page = [
            said(name, str(state or ""), clock.now(), removed=not state)
            for name, state in listed.items()
            if state is not None
        ]
        with database.write() as conn:
            take_in(conn, clock.now(), Scope(account, ""), page)
            miss(conn, clock.now(), home, clock.now())
    with database.read() as conn:
        rows = conn.execute(select(replies).where(home)).mappings().all()
        stands = {
            r["remote_id"]: Model(
                [v.text for v in collect.versions(conn, r["id"])],
                r["state"],
                r["removed_why"],
                r["missed"],
            )
            for r in rows
        }
        alive = collect.listing(conn, {1}, words="丙丁", limit=1000)
    assert stands == models
    wanted = {name for name, m in models.items() if m.wordings[-1] == "丙丁"}
    assert {r["remote_id"] for r in alive if r["remote_id"].startswith(world)} == wanted


# ---------------------------------------------------------------- walks


def test_a_walk_goes_through_all_pages_and_later_ones_begin_where_it_ended(square: Square) -> None:
    post = square.post("p1")
    for n in range(7):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.poll()
    assert square.thread.asked == ["", "2", "4", "6"]
    assert len(square.texts(post)) == 7
    square.thread.say("p1", "r7", "第 7 条")
    square.poll(60)
    assert square.thread.asked[4:] == ["7"]
    assert len(square.texts(post)) == 8
    watch = square.watched()
    assert (watch["seen"], watch["total"], watch["walks"]) == (8, 8, 1)


@once
def test_a_long_walk_lets_others_in_and_goes_on(
    square: Square, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "PAGES", 2)
    post = square.post("p1")
    for n in range(7):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.poll()
    assert square.watched()["cursor"] == "4"
    assert square.watched()["due_at"] == square.clock.now()
    square.poll()
    assert square.thread.asked == ["", "2", "4", "6"]
    assert len(square.texts(post)) == 7


def test_a_walk_cut_in_the_middle_goes_on_from_there(square: Square) -> None:
    post = square.post("p1")
    for n in range(7):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.thread.failing = {"4"}
    square.poll()
    assert len(square.texts(post)) == 4
    assert (square.watched()["cursor"], square.watched()["failures"]) == ("4", 1)
    square.thread.failing = set()
    square.poll(30)
    assert square.thread.asked == ["", "2", "4", "4", "6"]
    assert len(square.texts(post)) == 7


KILLED = """
import asyncio, sys
from pathlib import Path
from bot.collect import collect_due
from bot.config import load
from bot.db import Database
from bot.office import Office
from bot.speaking import Adapters
from bot.web.board import store
from bot.workdays import FixedClock
from tests import builders
office = Office(load(Path(sys.argv[1])), Database(sys.argv[2], FixedClock(builders.NOW)))
asyncio.run(collect_due(office, Adapters(office)))
"""


def test_killed_in_the_middle_of_a_walk_it_goes_on_when_the_lease_has_ended(
    square: Square, url: str
) -> None:
    post = square.post("p1")
    for n in range(9):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.server.faults.script(Fault(True, delay=0.2), path="replies", times=99)
    command = [sys.executable, "-c", KILLED, str(square.office.config.path), url]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as worker:
        while len(square.thread.asked) < 3 and worker.poll() is None:
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
    square.server.faults.clear()
    half = len(square.texts(post))
    assert 2 <= half < 9
    before = len(square.thread.asked)
    assert square.poll() == 0, "its lease still stands"
    square.poll(polling.HOLD.total_seconds() + 1)
    assert len(square.texts(post)) == 9
    assert "" not in square.thread.asked[before:]
    assert all(r["version"] == 1 for r in square.said().values())


@once
def test_a_page_that_leads_to_itself_ends_the_walk_without_counting_anything_missing(
    square: Square,
) -> None:
    square.post("p1")
    for n in range(5):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.poll()
    square.thread.stuck = True
    for _ in range(3):
        square.clock.move(60)
        square.scan()
    assert {r["state"] for r in square.said().values()} == {"visible"}
    assert square.watched()["partial"] == "平台没有列全"


@once
def test_what_was_let_through_late_below_the_watermark_is_found_by_the_full_walk(
    square: Square,
) -> None:
    post = square.post("p1")
    square.thread.say("p1", "r1", "先来的")
    square.thread.say("p1", "r2", "后来的")
    square.poll()
    square.thread.say("p1", "r0", "补放出来的", change=1)
    square.poll(60)
    assert "r0" not in square.texts(post)
    square.poll(square.office.config.collect.full_every.total_seconds())
    assert square.texts(post)["r0"] == "补放出来的"


@once
def test_partial_walks_never_say_that_something_is_removed(village: Village) -> None:
    village.mentions()
    root = village.publish()
    for n in range(45):
        village.fake.answer(root, f"第 {n} 条")
    village.poll()
    assert len(village.said()) == 45
    village.fake.manners = replace(village.fake.manners, pages=False)
    for _ in range(3):
        village.clock.move(60)
        village.scan()
    assert {r["state"] for r in village.said().values()} == {"visible"}
    assert village.watched()["partial"] == "平台的提及列表翻不了页"
    village.fake.manners = replace(village.fake.manners, pages=True)
    village.clock.move(60)
    village.scan()
    assert village.watched()["partial"] == ""


# ---------------------------------------------------------------- when


def due(made: Scene) -> timedelta:
    at = made.watched()["due_at"]
    assert isinstance(at, datetime)
    return at - made.clock.now()


@once
def test_a_fresh_post_is_read_often_then_less_then_a_last_time(square: Square) -> None:
    square.post("p1")
    config = square.office.config.collect
    square.poll()
    assert due(square) == config.fresh
    square.poll(config.fresh_for.total_seconds())
    assert due(square) == config.every
    square.poll((timedelta(days=config.days) - config.fresh_for).total_seconds() - 3600)
    square.thread.asked.clear()
    square.thread.say("p1", "r1", "最后一刻")
    square.poll(3600)
    assert square.thread.asked == [""]
    assert "r1" in square.said()
    assert (square.watched()["state"], square.watched()["due_at"]) == ("closed", None)
    assert square.poll(86400) == 0


@once
def test_full_walks_come_at_their_own_pace(square: Square) -> None:
    square.post("p1")
    square.thread.say("p1", "r1", "路灯不亮")
    square.poll()
    for _ in range(4):
        square.poll(3600)
    assert square.thread.asked == ["", "1", "1", "1", "1"]
    square.poll(2 * 3600)
    assert square.thread.asked[-1] == ""


@once
def test_the_watch_of_an_account_has_no_end(village: Village) -> None:
    village.mentions()
    village.poll()
    village.poll(86400 * 365)
    assert village.watched()["state"] == "open"
    assert due(village) == village.office.config.collect.every


def test_a_platform_that_says_later_is_left_alone_with_all_of_the_account(square: Square) -> None:
    for name in ("p1", "p2", "p3"):
        square.post(name)
    with square.office.db.write() as conn:
        soon = square.clock.now() + timedelta(seconds=30)
        conn.execute(update(watches).where(watches.c.id == 3).values(due_at=soon))
    square.server.faults.script(limited("seconds", 900), path="replies")
    assert square.poll() == 2
    assert square.server.requests == 1
    with square.office.db.read() as conn:
        times = set(conn.execute(select(watches.c.due_at)).scalars())
    assert times == {square.clock.now() + timedelta(seconds=900)}
    assert square.poll(899) == 0
    assert square.poll(1) == 3
    assert len(square.thread.asked) == 3


@once
def test_silence_is_told_once_and_ends_with_the_first_answer(square: Square) -> None:
    square.post("p1")
    square.server.faults.script(HTML_502.untaken, path="replies", times=5)
    for _ in range(2):
        square.poll(3600)
    assert square.notices() == []
    for _ in range(3):
        square.poll(3600)
    (notice,) = square.notices()
    assert notice.startswith("微博的评论连续 5 次没有采到：公开栏的回答不完整")
    assert square.watched()["failures"] == 5
    square.poll(3600)
    assert square.notices() == []
    assert (square.watched()["failures"], square.watched()["error"]) == (0, None)


@once
def test_a_post_that_alone_is_silent_has_its_own_notice(square: Square) -> None:
    square.post("p1")
    square.post("gone")
    square.server.faults.script(GONE, path="/gone/", times=9)
    for _ in range(4):
        square.poll(3600)
    (notice,) = square.notices()
    assert notice.startswith("“公告 2”在微博的评论连续 4 次没有采到")


@once
def test_a_dead_credential_breaks_the_account_and_collecting_goes_on_once_mended(
    village: Village,
) -> None:
    post = village.post(root := village.publish())
    village.fake.answer(root, "路灯不亮")
    village.fake.dead.add("token-1")
    village.fake.manners = replace(village.fake.manners, reading_needs_token=True)
    village.poll()
    with village.office.db.read() as conn:
        assert speaking.by_id(conn, village.account)["state"] == AccountState.BROKEN
    assert village.poll(3600) == 0
    assert "已断开" in village.notices()[0]
    village.fake.dead.clear()
    with village.office.db.write() as conn:
        conn.execute(update(accounts).values(state=AccountState.ACTIVE))
    village.poll()
    assert len(village.texts(post)) == 1


def test_a_fault_of_ours_in_one_watch_blocks_no_other_and_is_tried_again(
    square: Square, caplog: pytest.LogCaptureFixture
) -> None:
    post = square.post("p1")
    square.thread.say("p1", "r1", "路灯不亮")
    with square.office.db.write() as conn:
        other = {"key": "z", "unit_id": 1, "adapter": "uninstalled", "state": AccountState.ACTIVE}
        account = conn.execute(
            insert(accounts).values(**other).returning(accounts.c.id)
        ).scalar_one()
        row = {"account_id": account, "state": WatchState.OPEN, "opened_at": square.clock.now()}
        conn.execute(insert(watches).values(**row, due_at=square.clock.now()))
    assert square.poll() == 2
    assert len(square.texts(post)) == 1
    with square.office.db.read() as conn:
        row = dict(
            conn.execute(select(watches).order_by(watches.c.id.desc())).mappings().first() or {}
        )
    assert str(Say.of(row["error"])) == "采集出错（KeyError）"
    assert row["due_at"] > square.clock.now()
    assert "watch" in caplog.text


@once
def test_what_is_gone_there_is_asked_for_until_its_days_are_over(square: Square) -> None:
    square.post("gone")
    square.server.faults.script(GONE, path="/gone/", times=99)
    square.poll()
    assert square.watched()["state"] == "open"
    for _ in range(4):
        square.poll(86400 * 10)
    assert square.watched()["state"] == "closed"


# ---------------------------------------------------------------- two at once


def test_two_workers_share_the_watches_and_double_nothing(square: Square) -> None:
    made = [square.post(f"p{n}") for n in range(6)]
    for n in range(6):
        for m in range(5):
            square.thread.say(f"p{n}", f"r{n}-{m}", f"第 {n}-{m} 条")
    counts: list[int] = []
    work = [threading.Thread(target=lambda: counts.append(square.poll())) for _ in range(2)]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert sum(counts) == 6
    assert [len(square.texts(post)) for post in made] == [5] * 6
    assert all(r["version"] == 1 for r in square.said().values())


def test_one_reply_in_two_pages_at_once_is_one_row(office: Office, clock: FixedClock) -> None:
    made = scene(office, clock, "board", "http://127.0.0.1:1")
    page = [said(f"r{n}", f"第{n}条", clock.now()) for n in range(200)]
    ready = threading.Barrier(3)
    new: list[int] = []

    def take(listed: list[RemoteReply]) -> None:
        ready.wait()
        with office.db.write() as conn:
            new.append(take_in(conn, clock.now(), Scope(made.account, ""), listed))

    work = [threading.Thread(target=take, args=(order,)) for order in (page, page[::-1], page[50:])]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert sum(new) == 200
    assert len(made.said()) == 200
    assert made.found("第7条") == {"r7"}


def test_a_page_that_had_to_wait_for_another_still_keeps_its_own_wording(
    office: Office, clock: FixedClock
) -> None:
    made = scene(office, clock, "board", "http://127.0.0.1:1")

    def take(text: str) -> None:
        with office.db.write() as conn:
            take_in(conn, clock.now(), Scope(made.account, ""), [said("r", text, clock.now())])

    with office.db.write() as conn:
        take_in(conn, clock.now(), Scope(made.account, ""), [said("r", "先", clock.now())])
        second = threading.Thread(target=take, args=("后",))
        second.start()
        second.join(0.5)
        assert second.is_alive(), "it waits for the first"
    second.join()
    assert made.wordings("r") == ["先", "后"]


def test_a_worker_that_lost_its_lease_writes_nothing(square: Square) -> None:
    square.post("p1")
    square.thread.say("p1", "r1", "路灯不亮")
    square.server.faults.script(Fault(True, delay=0.5), path="replies")

    def take_over() -> None:
        while not square.thread.asked:
            time.sleep(0.005)
        with square.office.db.write() as conn:
            conn.execute(update(watches).values(lease="another"))

    other = threading.Thread(target=take_over)
    other.start()
    square.poll()
    other.join()
    assert square.said() == {}
    assert square.watched()["lease"] == "another"


# ---------------------------------------------------------------- whose, and where


@once
def test_our_own_answers_are_marked_as_our_own(village: Village) -> None:
    village.post(root := village.publish())
    asked = village.fake.answer(root, "路灯不亮")
    ours = village.publish("已派人去修", to=asked)
    village.poll()
    rows = village.said()
    assert (rows[asked]["own"], rows[ours]["own"]) == (False, True)


@once
def test_a_receipt_of_ours_is_our_own_even_where_the_platform_names_no_author(
    square: Square,
) -> None:
    square.post("p1")
    square.thread.say("p1", "a1", "已派人去修")
    square.poll()
    assert square.said()["a1"]["own"] is False
    square.post("a1")
    square.poll(60)
    square.clock.move(60)
    square.scan()
    assert square.said()["a1"]["own"] is True


def test_mentions_find_their_post_by_what_they_answer(village: Village) -> None:
    post = village.post(root := village.publish())
    with village.office.db.write() as conn:
        conn.execute(update(watches).values(state=WatchState.CLOSED))
    village.mentions()
    asked = village.fake.answer(root, "路灯不亮")
    ours = village.publish("已派人去修", to=asked)
    strange = village.publish("别处的话", by="token-2")
    shout = village.fake.answer(strange, "@office1 管不管")
    village.fake.tokens["token-1"].notifications.append(
        (village.fake._id(), village.fake.statuses[shout])
    )
    village.poll()
    thanks = village.fake.answer(ours, "谢谢")
    more = village.fake.answer(asked, "也问一声")
    village.fake.tokens["token-1"].notifications.append(
        (village.fake._id(), village.fake.statuses[more])
    )
    village.poll(3600)
    rows = village.said()
    assert {i: rows[i]["post_id"] for i in (asked, shout, more)} == {
        asked: post,
        shout: None,
        more: post,
    }
    assert rows[thanks]["post_id"] is None, "what it answers was never collected"


@once
def test_a_mention_that_names_its_root_belongs_there_whatever_it_answers(square: Square) -> None:
    post, at = square.post("p1"), square.clock.now()
    page = [said("r1", "路灯不亮", at, root_id="p1", parent_id="never seen")]
    page += [said("r2", "同问", at, parent_id="r1"), said("r3", "别处", at, root_id="p9")]
    with square.office.db.write() as conn:
        take_in(conn, at, Scope(square.account, "x"), page)
    assert {name: r["post_id"] for name, r in square.said().items()} == {
        "r1": post,
        "r2": post,
        "r3": None,
    }


@once
def test_a_mention_learns_its_post_when_the_thread_is_read(village: Village) -> None:
    root = village.publish()
    village.mentions()
    asked = village.fake.answer(root, "路灯不亮")
    village.poll()
    assert village.said()[asked]["post_id"] is None
    post = village.post(root)
    village.poll(60)
    assert village.said()[asked]["post_id"] == post


def test_one_reply_seen_by_two_watches_is_one_row(village: Village) -> None:
    post = village.post(root := village.publish())
    village.mentions()
    asked = village.fake.answer(root, "路灯不亮")
    assert village.poll() == 2
    village.fake.rewrite(asked, "路灯还不亮")
    village.clock.move(60)
    village.scan()
    assert village.texts(post) == {asked: "路灯还不亮"}
    assert village.wordings(asked) == ["路灯不亮", "路灯还不亮"]


def test_what_answers_our_answer_belongs_to_the_thread_it_stands_in(village: Village) -> None:
    post = village.post(root := village.publish())
    asked = village.fake.answer(root, "路灯不亮")
    village.poll()
    response = village.post(ours := village.publish("已派人去修", to=asked))
    with village.office.db.write() as conn:
        answers = update(posts).where(posts.c.id == response)
        conn.execute(answers.values(answers_id=village.said()[asked]["id"]))
    thanks = village.fake.answer(ours, "谢谢")
    village.poll(60)
    assert village.texts(post).keys() == {asked, ours, thanks}
    assert village.texts(response) == {}
    with village.office.db.read() as conn:
        tree = [(depth, row["remote_id"]) for depth, row in collect.thread(conn, post)]
    assert tree == [(0, asked), (1, ours), (2, thanks)]


@once
def test_a_thread_shows_every_reply_even_those_that_answer_in_a_circle(square: Square) -> None:
    post = square.post("p1")
    square.thread.say("p1", "r1", "甲", parent="r2")
    square.thread.say("p1", "r2", "乙", parent="r1")
    square.thread.say("p1", "r3", "丙", parent="unknown")
    square.thread.say("p1", "r4", "丁")
    square.thread.say("p1", "r5", "戊", parent="r3")
    square.poll()
    with square.office.db.read() as conn:
        tree = [(depth, row["remote_id"]) for depth, row in collect.thread(conn, post)]
    assert tree == [(0, "r3"), (1, "r5"), (0, "r4"), (0, "r1"), (1, "r2")]


# ---------------------------------------------------------------- the log


def test_the_list_is_of_ones_own_units_the_latest_first_page_by_page(square: Square) -> None:
    post, other = square.post("p1"), square.post("p2")
    for n in range(5):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.thread.say("p2", "s0", "别的稿件下")
    square.poll()
    square.thread.say("p1", "r1", "改过的")
    square.thread.remove("p1", "r2")
    square.poll(60)
    with square.office.db.read() as conn:

        def names(**filters: Any) -> list[str]:
            return [r["remote_id"] for r in collect.listing(conn, {1}, **filters)]

        assert names(post=post) == ["r4", "r3", "r2", "r1", "r0"]
        assert names(post=post, limit=2) == ["r4", "r3"]
        last = collect.listing(conn, {1}, post=post, limit=2)[-1]["id"]
        assert names(post=post, limit=2, before=last) == ["r2", "r1"]
        assert names(state="edited") == ["r1"]
        assert names(state="removed") == ["r2"]
        assert names(post=other, account=square.account) == ["s0"]
        assert names(account=square.account + 1) == names(own=True) == []
        assert names(words="改过", post=post, state="edited", own=False) == ["r1"]
        assert collect.listing(conn, {99}) == collect.listing(conn, set(), words="改过") == []
        row = collect.listing(conn, {1}, words="改过")[0]
    assert (row["post_title"], row["account_name"], row["unit_id"]) == ("公告 1", "微博", 1)


def test_the_list_narrows_to_days_to_whose_and_to_what_is_unanswered(square: Square) -> None:
    start = square.clock.now()
    for name in ("r0", "r1", "r2", "r3"):
        with square.office.db.write() as conn:
            page = [said(name, name, square.clock.now())]
            take_in(conn, square.clock.now(), Scope(square.account, ""), page)
        square.clock.move(86400)
    with square.office.db.write() as conn:
        answered = {"own": True, "parent": "r0"}
        conn.execute(update(replies).where(replies.c.remote_id == "r3").values(**answered))

    def names(**filters: Any) -> list[str]:
        with square.office.db.read() as conn:
            return [row["remote_id"] for row in collect.listing(conn, {1}, **filters)]

    one, two = (start + timedelta(days=n) for n in (1, 2))
    assert names(since=one) == ["r3", "r2", "r1"]
    assert names(since=one, until=two) == ["r1"]
    assert names(since=one, before=square.said()["r3"]["id"], limit=1) == ["r2"]
    assert names(since=one, words="r2") == ["r2"]
    assert (
        names(**log.days(None, date.max, square.office.config.tz)) == names()
    )  # to the end of time
    assert names(unanswered=True) == ["r2", "r1"]
    assert names(own=True) == ["r3"]


def test_what_was_answered_from_here_is_answered_before_our_answer_is_read(square: Square) -> None:
    post = square.post("p1")
    for name in ("r1", "r2"):
        square.thread.say("p1", name, name)
    square.poll()
    answer = square.post("a1")
    with square.office.db.write() as conn:
        answers = update(posts).where(posts.c.id == answer)
        conn.execute(answers.values(answers_id=square.said()["r1"]["id"]))
    with square.office.db.read() as conn:
        left = collect.listing(conn, {1}, unanswered=True)
        assert collect.listing(conn, {1}, unanswered=True, post=post) == left
    assert [row["remote_id"] for row in left] == ["r2"]


def test_coverage_says_how_many_of_how_many_and_why_they_differ(square: Square) -> None:
    post = square.post("p1")
    with square.office.db.read() as conn:
        (before,) = collect.coverage(conn, post)
    assert (before.seen, before.total) == (0, None)
    assert [str(why) for why in before.why] == ["还没有完整采集过一遍"]
    for n in range(5):
        square.thread.say("p1", f"r{n}", f"第 {n} 条")
    square.poll()
    square.thread.remove("p1", "r0")
    square.poll(60)
    with square.office.db.read() as conn:
        (after,) = collect.coverage(conn, post)
    assert (after.seen, after.total, after.removed, after.own, after.why) == (4, 4, 1, 0, ())
    assert after.walked_at == builders.NOW
    assert after.ok_at == square.clock.now()
    square.thread.lose("p1", "r1")
    square.server.faults.script(HTML_502.untaken, path="replies")
    square.poll(60)
    with square.office.db.read() as conn:
        (silent,) = collect.coverage(conn, post)
    assert silent.failures == 1
    assert "最近 1 次没有采到" in str(silent.why[0])


@once
def test_coverage_names_a_platform_without_replies(square: Square) -> None:
    post = square.post("p1")
    with square.office.db.write() as conn:
        conn.execute(watches.delete())
    with square.office.db.read() as conn:
        (found,) = collect.coverage(conn, post)
        assert collect.coverage(conn, post + 1) == []
    assert found.state is None
    assert str(found.why[0]) == "该平台不提供评论，无法采集"


def test_the_heartbeat_tells_which_accounts_are_silent(square: Square) -> None:
    square.post("p1")
    square.post("gone")
    square.server.faults.script(GONE, path="/gone/", times=9)
    for _ in range(4):
        square.poll(3600)
    with square.office.db.read() as conn:
        (beat,) = collect.heartbeat(conn, {1})
        assert collect.heartbeat(conn, {2}) == []
    assert (beat["open"], beat["silent"], beat["ok_at"]) == (2, 1, square.clock.now())


# ---------------------------------------------------------------- erasing


def erase(made: Scene, remote_id: str, login: str = "he", reason: str = "当事人申请") -> str:
    with made.office.db.write() as conn:
        who, one = builders.actor(conn, login), made.said()[remote_id]["id"]
        return collect.erase(made.office, conn, made.clock.now(), who, one, reason)


@pytest.fixture
def spoken(square: Square) -> Square:
    """A board with one reply, edited once, and its responder `he`."""
    with square.office.db.write() as conn:
        builders.person(conn, "he", "何宁", Role.RESPONDER)
    square.post("p1")
    square.thread.say("p1", "r1", "我叫张三丰")
    square.thread.say("p1", "r2", "路灯不亮")
    square.poll()
    square.thread.say("p1", "r1", "我是张三丰")
    square.poll(60)
    return square


def test_erased_words_are_gone_everywhere_and_the_row_and_trail_stay(spoken: Square) -> None:
    there = spoken.said()["r1"]["url"]
    assert erase(spoken, "r1") == there != ""  # no platform of ours: somebody has to go there
    row = spoken.said()["r1"]
    assert (row["state"], row["removed_why"]) == ("removed", "erased")
    assert [row[c] for c in ("text", "author", "author_name", "url", "salt")] == [""] * 5
    assert spoken.found("张三丰") == set()
    assert spoken.found("路灯") == {"r2"}
    with spoken.office.db.read() as conn:
        assert conn.execute(select(reply_versions)).all() == []
    (entry,) = spoken.trail("reply.erase")
    assert (entry["actor"], entry["data"]) == ("何宁", {"reason": "当事人申请"})
    file = spoken.office.erasures.read_text("utf-8")
    assert "r1" in file
    assert "张三丰" not in file + str(spoken.trail("reply.edited"))
    with spoken.office.db.write() as conn:
        audit.seal(conn)
        assert audit.verify(conn).faults == ()


@once
def test_collecting_does_not_bring_erased_words_back(spoken: Square) -> None:
    erase(spoken, "r1")
    spoken.thread.say("p1", "r1", "我还是张三丰")
    spoken.clock.move(60)
    spoken.scan()
    assert spoken.said()["r1"]["text"] == ""
    assert spoken.found("张三丰") == set()


@once
def test_erasing_twice_is_once(spoken: Square) -> None:
    erase(spoken, "r1")
    erase(spoken, "r1")
    assert len(spoken.trail("reply.erase")) == 1
    assert len(spoken.office.erasures.read_text("utf-8").splitlines()) == 1


@once
def test_only_who_answers_or_administers_may_erase_and_says_why(spoken: Square) -> None:
    with pytest.raises(NotAllowed):
        erase(spoken, "r1", "lin")
    with pytest.raises(Invalid):
        erase(spoken, "r1", reason="  ")
    assert spoken.said()["r1"]["text"] == "我是张三丰"
    assert not spoken.office.erasures.exists()
    erase(spoken, "r1", "gu")
    with spoken.office.db.read() as conn, pytest.raises(NotFound):
        collect.versions(conn, 999)


def test_a_restore_erases_again_what_came_back_and_what_would(spoken: Square) -> None:
    before = dict(spoken.said()["r1"])
    erase(spoken, "r1")
    erase(spoken, "r2")
    with spoken.office.erasures.open("a") as file:
        file.write('{"torn')
    with spoken.office.db.write() as conn:  # a backup from before r2 was collected
        conn.execute(replies.delete())
        conn.execute(insert(replies).values(**before))
        search.rebuild(conn)
        assert collect.replay_erasures(spoken.office, conn, spoken.clock.now()) == 1
    rows = spoken.said()
    assert [(rows[i]["text"], rows[i]["removed_why"]) for i in ("r1", "r2")] == [("", "erased")] * 2
    spoken.clock.move(60)
    spoken.scan()
    assert spoken.said()["r2"]["text"] == ""
    assert spoken.found("张三丰") == spoken.found("路灯") == set()
    erase_after = spoken.office.erasures.read_text("utf-8").splitlines()
    assert len(erase_after) == 3
