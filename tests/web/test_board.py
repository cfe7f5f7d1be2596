"""The board's API, its public pages and what visitors may do there, over real sockets."""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest
from PIL import Image
from sqlalchemy import event, select

from bot.adapters.base import ssl_context
from bot.db import Database, board_replies, boards
from bot.errors import Conflict, NotFound
from bot.office import Office
from bot.web import board
from bot.web.board import store, views
from bot.web.board.content import Content
from bot.web.board.words import clipped
from bot.web.problems import Problem
from bot.workdays import FixedClock
from tests import needs, postgres
from tests.web.serving import Stage, make_app, make_office, make_token, staging

API = "/board/api/v1"
START = datetime(2026, 9, 16, 2, 0, tzinfo=UTC)  # ten in the morning in Beijing


@dataclass(frozen=True)
class Served:
    """A board that answers, with a client that holds its token and one that holds nothing."""

    office: Office
    clock: FixedClock
    api: httpx.Client
    web: httpx.Client

    def publish(self, text: str = "正文", key: str = "", **more: Any) -> dict[str, Any]:
        key = key or hashlib.sha256(f"{text}{more}".encode()).hexdigest()
        answer = self.api.post(
            "/posts", json={"text": text, **more}, headers={"Idempotency-Key": key}
        )
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    def say(self, post: Mapping[str, Any], text: str = "留言", **form: str) -> httpx.Response:
        return self.web.post(f"/board/p/{post['id']}/replies", data={"text": text, **form})

    def said(self, post: Mapping[str, Any], text: str = "留言", **form: str) -> tuple[str, str]:
        """A visitor's reply, taken in: its id and key."""
        answer = self.say(post, text, **form)
        assert answer.status_code == 303, answer.text
        _, _, _, public_id, key = answer.headers["location"].split("?")[0].split("/")
        return public_id, key

    def moderate(self, public_id: str, state: str, **more: Any) -> None:
        with self.office.db.write() as conn:
            row = store.reply_of(conn, board_replies.c.public_id == public_id)
            log = self.office.erasures
            board.moderate(conn, self.office.db.now(conn), row["id"], state, erasures=log, **more)

    def page(self, path: str) -> str:
        answer = self.web.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def replies(self, post: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        answer = self.api.get(f"/posts/{post['id']}/replies", params=query)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made


def _served(root: Path, migrated: Path, stage: Stage, stack: ExitStack, **rules: Any) -> Served:
    clock = FixedClock(START)
    office = make_office(root, migrated, stage.url, clock, **rules)
    stack.callback(office.db.close)
    bearer = {"Authorization": f"Bearer {make_token(office)}"}
    stage.app = make_app(office)
    clients = (
        httpx.Client(
            base_url=f"{stage.url}{API}", headers=bearer, trust_env=False, verify=ssl_context()
        ),
        httpx.Client(base_url=stage.url, trust_env=False, verify=ssl_context()),
    )
    for client in clients:
        stack.enter_context(client)
    return Served(office, clock, *clients)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@pytest.fixture
def served(tmp_path: Path, migrated: Path, stage: Stage) -> Iterator[Served]:
    """A board on which replies wait for a person."""
    with ExitStack() as stack:
        yield _served(tmp_path, migrated, stage, stack)


@pytest.fixture
def open_board(tmp_path: Path, migrated: Path, stage: Stage) -> Iterator[Served]:
    """A board on which replies are shown at once."""
    with ExitStack() as stack:
        yield _served(tmp_path, migrated, stage, stack, moderate=False, replies_per_hour=1000)


def picture(colour: str = "teal", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, kind)
    return out.getvalue()


def upload(served: Served, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    answer = served.api.put(f"/media/{sha256}", content=content)
    assert answer.status_code in (200, 201), answer.text
    return sha256


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and kind of an error, which is RFC 9457's throughout."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("urn:gongkai:board:")


class Seen(HTMLParser):
    """Elements of a page: (tag, attributes) in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


# ---------------------------------------------------------------- the token and the identity


def test_the_token_is_given_once_and_only_its_digest_is_kept(
    tmp_path: Path, migrated: Path
) -> None:
    office = make_office(tmp_path, migrated)
    token = make_token(office)
    with office.db.write() as conn:
        assert board.ensure_board(conn, office.db.now(conn)) is None
        assert token not in str(conn.execute(select(boards)).all())
    office.db.close()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_the_api_answers_nobody_without_the_token(served: Served, header: str) -> None:
    token = served.api.headers["authorization"].removeprefix("Bearer ")
    for method, path in (("GET", "/identity"), ("GET", "/posts"), ("POST", "/posts")):
        answer = served.web.request(
            method, f"{API}{path}", headers={"Authorization": header.format(token=token)}
        )
        assert problem(answer) == (401, "no-token")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_renewed_token_replaces_the_old_one_and_the_identity_stays(served: Served) -> None:
    before = served.api.get("/identity").json()
    with served.office.db.write() as conn:
        fresh = board.renew_token(conn)
    assert served.api.get("/identity").status_code == 401
    after = served.api.get("/identity", headers={"Authorization": f"Bearer {fresh}"}).json()
    assert after == before
    assert served.office.config.public_url not in before["id"]


def test_a_board_that_was_never_made_says_so(tmp_path: Path, migrated: Path) -> None:
    office = make_office(tmp_path, migrated)
    with office.db.read() as conn, pytest.raises(Problem) as said:
        store.board(conn)
    assert said.value.status == 503
    office.db.close()


# ---------------------------------------------------------------- publishing


def test_what_was_given_stands_to_the_letter(served: Served) -> None:
    text = "　　第一段。\r\n\n  第二段 <b>&amp;</b>\t👨‍👩‍👧 。"
    made = served.publish(text, title="标题", link="https://www.example.cn/a", language="zh")
    content = served.api.get(f"/posts/{made['id']}").json()["content"]
    assert content["text"] == text
    assert (content["title"], content["link"]) == ("标题", "https://www.example.cn/a")


def test_the_same_key_gives_the_same_post_for_ever(served: Served) -> None:
    headers = {"Idempotency-Key": "a/b c"}
    first = served.api.post("/posts", json={"text": "一"}, headers=headers)
    served.clock.move(10 * 365 * 86400)
    again = served.api.post("/posts", json={"text": "一"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == served.api.get("/posts/by-key/a%2Fb%20c").json()


def test_the_same_key_holds_after_an_edit_and_a_withdrawal(served: Served) -> None:
    made = served.publish("一", key="k")
    served.api.put(f"/posts/{made['id']}", json={"text": "二"})
    assert served.publish("一", key="k")["id"] == made["id"]
    served.api.delete(f"/posts/{made['id']}")
    again = served.publish("一", key="k")
    assert again["id"] == made["id"]
    assert again["withdrawn_at"]


def test_a_key_is_not_lent_to_other_content(served: Served) -> None:
    served.publish("一", key="k")
    answer = served.api.post("/posts", json={"text": "二"}, headers={"Idempotency-Key": "k"})
    assert problem(answer) == (422, "key-reused")


def test_concurrent_requests_with_one_key_make_one_post(served: Served) -> None:
    def publish(_: int) -> httpx.Response:
        return served.api.post("/posts", json={"text": "一"}, headers={"Idempotency-Key": "k"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(publish, range(24)))
    assert sorted(a.status_code for a in answers) == [200] * 23 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(served.api.get("/posts").json()["posts"]) == 1


def test_a_post_needs_a_key(served: Served) -> None:
    assert problem(served.api.post("/posts", json={"text": "一"})) == (400, "no-key")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "invalid"),
        (b'{"text": ""}', "invalid"),
        (b'{"text": " \\n "}', "invalid"),
        (b'{"text": "\\u0007"}', "invalid"),
        (b'{"text": "\\ud800"}', "invalid"),
        (b'{"text": "a", "visibility": "private"}', "invalid"),
        (b'{"text": "a", "link": "javascript:alert(1)"}', "invalid"),
        (b'{"text": "a", "language": "zh\\"><script>"}', "invalid"),
        (b'{"text": "a", "media": [{"sha256": "../../etc/passwd"}]}', "invalid"),
        (b'{"text": "a", "title": "' + b"t" * 201 + b'"}', "too-long"),
    ],
)
def test_content_that_cannot_stand_is_refused(served: Served, body: bytes, kind: str) -> None:
    answer = served.api.post("/posts", content=body, headers={"Idempotency-Key": "k"})
    assert problem(answer) == (422, kind)
    assert served.api.get("/posts").json() == {"posts": [], "before": None}


def test_the_limit_is_counted_in_characters_and_the_excess_is_named(served: Served) -> None:
    assert served.publish("汉" * 4999 + "👍", key="fits")
    answer = served.api.post(
        "/posts", json={"text": "汉" * 5012}, headers={"Idempotency-Key": "over"}
    )
    assert problem(answer) == (422, "too-long")
    assert "超出 12 字" in answer.json()["detail"]


def test_a_body_without_end_is_not_read(served: Served) -> None:
    answer = served.api.post("/posts", content=b" " * (300 << 10), headers={"Idempotency-Key": "k"})
    assert problem(answer) == (413, "too-large")


def test_own_posts_are_listed_newest_first_page_by_page(served: Served) -> None:
    made = [served.publish(f"第 {n} 条")["id"] for n in range(5)]
    first = served.api.get("/posts", params={"limit": 3}).json()
    second = served.api.get("/posts", params={"limit": 3, "before": first["before"]}).json()
    assert [p["id"] for p in first["posts"] + second["posts"]] == made[::-1]
    assert second["before"] is None
    assert problem(served.api.get("/posts/by-key/none")) == (404, "not-found")
    assert problem(served.api.get("/posts/none")) == (404, "not-found")


# ---------------------------------------------------------------- editing and withdrawing


def test_an_edit_keeps_what_stood_before_and_says_when(served: Served) -> None:
    made = served.publish("预计 10月10日完工。", title="绕行公告")
    served.clock.move(3600)
    edited = served.api.put(
        f"/posts/{made['id']}", json={"text": "预计 10月15日完工。", "title": "绕行公告"}
    ).json()
    assert (edited["versions"], edited["at"]) == (2, made["at"])
    assert edited["edited_at"] == (START + timedelta(hours=1)).isoformat()
    page = served.page(f"/board/p/{made['id']}")
    assert "预计 10月15日完工。" in page
    assert "预计 10月10日完工。" in page  # in the history
    assert "2026年9月16日 11:00</time> 修改前" in page


def test_the_same_content_again_is_no_edit(served: Served) -> None:
    made = served.publish("一")
    for _ in range(2):
        edited = served.api.put(f"/posts/{made['id']}", json={"text": "二"}).json()
    assert edited["versions"] == 2


def test_a_withdrawn_post_leaves_a_tombstone_with_the_time_and_nothing_else(
    served: Served,
) -> None:
    sha256 = upload(served, picture())
    made = served.publish("不该公开的话", title="不该公开", media=[{"sha256": sha256}])
    shown = f"/board/p/{made['id']}/media/{sha256}"
    assert served.web.get(shown).content == picture()
    served.clock.move(3600)
    first = served.api.delete(f"/posts/{made['id']}")
    served.clock.move(3600)
    assert served.api.delete(f"/posts/{made['id']}").json() == first.json()
    gone = served.web.get(f"/board/p/{made['id']}")
    assert gone.status_code == 410
    assert "2026年9月16日 11:00</time> 撤回" in gone.text
    for page in (gone.text, served.page("/board"), served.page("/board/feed.atom")):
        assert "不该公开" not in page
    assert made["id"] in served.page("/board")
    assert served.web.get(shown).status_code == 404
    edit = served.api.put(f"/posts/{made['id']}", json={"text": "二"})
    assert problem(edit) == (410, "withdrawn")
    assert served.say(made).status_code == 410


def test_a_post_names_what_was_published_later_and_leads_to_it(served: Served) -> None:
    wrong = served.publish("22 时起停水", title="停水公告")
    other = served.publish("路灯检修", title="路灯通告")
    right = served.publish(f"“22 时”应为“23 时”，原文：{wrong['url']}", title="更正：停水公告")
    first = served.page(f"/board/p/{wrong['id']}")
    assert f"/board/p/{right['id']}" in first
    assert "更正：停水公告" in first
    for one in (other, right):
        assert "后来又发布" not in served.page(f"/board/p/{one['id']}")
    served.api.delete(f"/posts/{right['id']}")
    assert "后来又发布" not in served.page(f"/board/p/{wrong['id']}"), "taken down again"


# ---------------------------------------------------------------- pictures


def test_a_picture_is_kept_to_the_bit_and_shown_with_its_alt(served: Served) -> None:
    content = picture(kind="JPEG")
    sha256 = upload(served, content)
    assert upload(served, content) == sha256
    made = served.publish("看图", media=[{"sha256": sha256, "alt": '示意图 "一"'}])
    image = Seen(served.page(f"/board/p/{made['id']}")).all("img")[0]
    assert (image["alt"], image["width"], image["height"]) == ('示意图 "一"', "40", "30")
    shown = served.web.get(image["src"])
    assert shown.content == content
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"


def test_a_picture_that_was_edited_away_is_no_longer_served(served: Served) -> None:
    sha256 = upload(served, picture())
    made = served.publish("看图", media=[{"sha256": sha256}])
    served.api.put(f"/posts/{made['id']}", json={"text": "看图"})
    assert served.web.get(f"/board/p/{made['id']}/media/{sha256}").status_code == 404


def test_a_damaged_or_strange_file_is_refused(served: Served) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    named = hashlib.sha256(svg).hexdigest()
    assert problem(served.api.put(f"/media/{named}", content=svg)) == (422, "invalid")
    damaged = served.api.put(f"/media/{named}", content=picture())
    assert problem(damaged) == (422, "media-damaged")
    body = {"text": "看图", "media": [{"sha256": named}]}
    answer = served.api.post("/posts", json=body, headers={"Idempotency-Key": "k"})
    assert problem(answer) == (422, "media-missing")


# ---------------------------------------------------------------- replies, as the office collects them


def test_a_reply_is_seen_by_nobody_until_a_person_lets_it(served: Served) -> None:
    made = served.publish("一")
    public_id, _ = served.said(made, "何时完工？", name="望江路晨跑")
    assert "何时完工" not in served.page(f"/board/p/{made['id']}")
    assert served.replies(made) == {"replies": [], "cursor": None, "resume": "0", "total": 0}
    with served.office.db.read() as conn:
        assert [row["public_id"] for row in board.waiting(conn)] == [public_id]
    served.moderate(public_id, "shown")
    reply = served.replies(made)["replies"][0]
    assert (reply["id"], reply["name"], reply["text"]) == (public_id, "望江路晨跑", "何时完工？")
    assert (reply["parent"], reply["edited"], reply["removed"]) == (made["id"], False, False)
    assert "何时完工" in served.page(reply["url"].split("#")[0])


def test_a_refused_reply_never_was_public(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made, "广告")
    served.moderate(public_id, "hidden")
    assert served.replies(made)["replies"] == []
    page = served.page(f"/board/r/{public_id}/{key}")
    assert "未予公开" in page
    assert public_id not in served.page(f"/board/p/{made['id']}")


def test_a_walk_pages_to_the_end_and_a_later_one_sees_only_what_changed(
    open_board: Served,
) -> None:
    made = open_board.publish("一")
    said = [open_board.said(made, f"第 {n} 条") for n in range(5)]
    seen, cursor = [], ""
    while True:
        page = open_board.replies(made, cursor=cursor, limit=2)
        seen += [reply["id"] for reply in page["replies"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]
    assert seen == [public_id for public_id, _ in said]
    assert page["total"] == 5
    assert open_board.replies(made, cursor=page["resume"])["replies"] == []

    open_board.clock.move(60)
    (deleted, key), (edited, edit_key) = said[0], said[1]
    open_board.web.post(f"/board/r/{edited}/{edit_key}", data={"text": "改过", "act": "edit"})
    open_board.web.post(f"/board/r/{deleted}/{key}", data={"act": "delete"})
    open_board.moderate(said[2][0], "hidden")
    later = open_board.replies(made, cursor=page["resume"])
    told = [(r["id"], r["text"], r["edited"], r["removed"], r["why"]) for r in later["replies"]]
    assert told == [
        (edited, "改过", True, False, ""),
        (deleted, "", False, True, "deleted"),
        (said[2][0], "", False, True, "hidden"),
    ]
    assert later["total"] == 3
    whole = open_board.replies(made)
    assert {r["id"] for r in whole["replies"]} == {public_id for public_id, _ in said}


def test_the_order_of_changes_does_not_hang_on_the_clock(open_board: Served) -> None:
    made = open_board.publish("一")
    open_board.said(made, "先")
    resume = open_board.replies(made)["resume"]
    open_board.clock.move(-86400)  # set back
    later, _ = open_board.said(made, "后")
    assert [r["id"] for r in open_board.replies(made, cursor=resume)["replies"]] == [later]


def test_a_cursor_from_before_a_restored_backup_begins_anew(open_board: Served) -> None:
    made = open_board.publish("一")
    public_id, _ = open_board.said(made)
    page = open_board.replies(made, cursor="999")
    assert [r["id"] for r in page["replies"]] == [public_id]
    answer = open_board.api.get(f"/posts/{made['id']}/replies", params={"cursor": "x"})
    assert problem(answer) == (422, "invalid")


@pytest.mark.postgres
def test_no_change_becomes_visible_behind_a_reader_on_postgres() -> None:
    """The second change waits for the first one's commit, so numbers appear in their order."""
    try:
        with postgres.database() as url:
            _overtaking(Database(url, FixedClock(START)))
    except postgres.Unavailable as why:
        pytest.skip(str(why))


def _overtaking(database: Database) -> None:
    with database.write() as conn:
        board.ensure_board(conn, START)
        post, _ = store.publish(conn, START, "k", Content(text="一"))

    def say(name: str) -> None:
        with database.write() as conn:
            draft = store.Draft(name, "留言", "", "", "127.0.0.1")
            store.add_reply(conn, START, post, draft, moderated=False, hourly=9)

    with database.write() as slow:
        draft = store.Draft("慢", "留言", "", "", "127.0.0.1")
        store.add_reply(slow, START, post, draft, moderated=False, hourly=9)
        quick = threading.Thread(target=say, args=["快"])
        quick.start()
        quick.join(0.3)
        assert quick.is_alive()
        with database.read() as reader:
            assert store.replies_after(reader, post, 0, 9) == []
    quick.join(10)
    with database.read() as reader:
        names = [row["author_name"] for row in store.replies_after(reader, post, 0, 9)]
    database.close()
    assert names == ["慢", "快"]


# ---------------------------------------------------------------- answers of the office


def test_an_answer_stands_marked_in_the_thread_and_has_its_own_address(
    open_board: Served,
) -> None:
    made = open_board.publish("一", title="绕行公告")
    public_id, _ = open_board.said(made, "何时完工？")
    answer = open_board.publish("您好，10月15日完工。", in_reply_to=public_id)
    own = open_board.page(f"/board/p/{answer['id']}")
    for page in (open_board.page(f"/board/p/{made['id']}"), own, open_board.page("/board")):
        assert "答复</b>" in page
        assert page.index("何时完工？") < page.index("您好，10月15日完工。")
    assert f'<div class="answer here" id="{answer["id"]}">' in own
    assert f'href="{open_board.office.config.public_url}/board/p/{made["id"]}"' in own
    assert "留言 1 条，已答复 1 条" in open_board.page("/board")
    assert open_board.page("/board").count("<article") == 1  # the answer is no post of its own


def test_what_answers_an_answer_is_collected_under_both(open_board: Served) -> None:
    made = open_board.publish("一")
    first, _ = open_board.said(made, "问")
    answer = open_board.publish("答", in_reply_to=first)
    second, _ = open_board.said(made, "追问", to=answer["id"])
    under_answer = open_board.replies(answer)
    assert [(r["id"], r["parent"]) for r in under_answer["replies"]] == [(second, answer["id"])]
    assert under_answer["total"] == 1
    assert [r["id"] for r in open_board.replies(made)["replies"]] == [first, second]
    again = open_board.publish("再答", in_reply_to=answer["id"])
    page = open_board.page(f"/board/p/{made['id']}")
    assert page.index('id="' + again["id"]) < page.index("追问")  # after the answer it goes on from


def test_an_answer_needs_something_that_stands(served: Served) -> None:
    made = served.publish("一")
    waiting, _ = served.said(made)
    withdrawn = served.publish("二")
    served.api.delete(f"/posts/{withdrawn['id']}")
    for target in ("none", waiting, withdrawn["id"]):
        answer = served.api.post(
            "/posts",
            json={"text": "答", "in_reply_to": target},
            headers={"Idempotency-Key": target},
        )
        assert problem(answer) == (422, "nothing-to-answer")
    answer = served.api.put(f"/posts/{made['id']}", json={"text": "一", "in_reply_to": waiting})
    assert problem(answer) == (422, "invalid")


def test_a_withdrawn_answer_is_marked_in_the_thread(open_board: Served) -> None:
    made = open_board.publish("一")
    public_id, _ = open_board.said(made)
    answer = open_board.publish("答错了", in_reply_to=public_id)
    open_board.api.delete(f"/posts/{answer['id']}")
    page = open_board.page(f"/board/p/{made['id']}")
    assert "本栏的一条答复已撤回" in page
    assert "答错了" not in page
    gone = open_board.web.get(f"/board/p/{answer['id']}")
    assert gone.status_code == 410
    assert f"/board/p/{made['id']}" in gone.text


# ---------------------------------------------------------------- what visitors may do


def test_a_visitor_gets_a_link_that_changes_and_deletes_his_reply_alone(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made, "写错了")
    answer = served.web.get(f"/board/r/{public_id}/{key}")
    assert "凭此链接可修改或删除" in answer.text
    assert f"/board/r/{public_id}/{key}" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert served.web.get(f"/board/r/{public_id}/{'x' * 32}").status_code == 404
    wrong = served.web.post(f"/board/r/{public_id}/{'x' * 32}", data={"act": "delete"})
    assert wrong.status_code == 404
    with served.office.db.read() as conn:
        row = store.reply_of(conn, board_replies.c.public_id == public_id)
    assert key not in str(dict(row))


def test_an_edit_waits_like_a_reply_and_what_stood_stands_meanwhile(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made, "原话")
    served.moderate(public_id, "shown")
    resume = served.replies(made)["resume"]
    served.clock.move(60)
    served.web.post(f"/board/r/{public_id}/{key}", data={"text": "改话", "act": "edit"})
    assert "原话" in served.page(f"/board/p/{made['id']}")
    assert served.replies(made, cursor=resume)["replies"] == []
    with served.office.db.read() as conn:
        assert [row["pending"] for row in board.waiting(conn)] == ["改话"]
    served.moderate(public_id, "shown")
    assert "留言者修改于" in served.page(f"/board/p/{made['id']}")
    assert [r["text"] for r in served.replies(made, cursor=resume)["replies"]] == ["改话"]


def test_a_moderator_may_drop_an_edit_and_let_the_reply_stand(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made, "原话")
    served.moderate(public_id, "shown")
    served.clock.move(60)
    served.web.post(f"/board/r/{public_id}/{key}", data={"text": "改话", "act": "edit"})
    served.moderate(public_id, "shown", with_edit=False)
    reply = served.replies(made)["replies"][0]
    assert (reply["text"], reply["edited"]) == ("原话", False)


def test_a_deleted_reply_loses_its_words_and_cannot_come_back(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made, "要删的话", name="某人")
    served.moderate(public_id, "shown")
    served.web.post(f"/board/r/{public_id}/{key}", data={"act": "delete"})
    with served.office.db.read() as conn:
        row = store.reply_of(conn, board_replies.c.public_id == public_id)
    assert (row["text"], row["author_name"], row["state"]) == ("", "", "deleted")
    assert "留言者删除了这条留言" in served.page(f"/board/p/{made['id']}")
    with pytest.raises(Conflict):
        served.moderate(public_id, "shown")
    again = served.web.post(f"/board/r/{public_id}/{key}", data={"text": "又来", "act": "edit"})
    assert again.status_code == 410


def test_a_reply_deleted_before_it_was_shown_leaves_no_mark(served: Served) -> None:
    made = served.publish("一")
    public_id, key = served.said(made)
    served.web.post(f"/board/r/{public_id}/{key}", data={"act": "delete"})
    assert served.replies(made)["replies"] == []
    assert "删除了" not in served.page(f"/board/p/{made['id']}")


def test_moderating_knows_only_its_two_states(served: Served) -> None:
    with served.office.db.write() as conn:
        with pytest.raises(NotFound):
            board.moderate(conn, START, 99, "shown", erasures=served.office.erasures)
        with pytest.raises(ValueError):
            board.moderate(conn, START, 99, "deleted", erasures=served.office.erasures)


def test_the_same_form_sent_twice_is_one_reply(served: Served) -> None:
    made = served.publish("一")
    form = next(
        field["value"]
        for field in Seen(served.page(f"/board/p/{made['id']}")).all("input")
        if field["name"] == "once"
    )
    with ThreadPoolExecutor(4) as pool:
        twice = [pool.submit(served.said, made, "点了两下", once=form) for _ in range(4)]
    assert len({sent.result() for sent in twice}) == 1
    assert served.said(made, "另一句", once=form) != twice[0].result()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"text": ""}, "请写下留言内容"),
        ({"text": " \r\n　"}, "请写下留言内容"),
        ({"text": "长" * 2003}, "留言最多 2000 字，现超出 3 字"),
        ({"text": "留言", "name": "名" * 31}, "称呼最多 30 字"),
        ({"text": "留言", "name": "云澜县 人民政府办公室"}, "这个称呼留给主办单位"),
        ({"text": "留言", "website": "http://spam.example"}, "请再提交一次"),
        ({"text": "留言", "to": "rnone"}, "您要回应的留言已不在"),
    ],
)
def test_a_form_that_cannot_be_taken_says_why_and_loses_nothing(
    served: Served, form: dict[str, str], said: str
) -> None:
    made = served.publish("一")
    answer = served.web.post(f"/board/p/{made['id']}/replies", data=form)
    assert answer.status_code == 422
    assert said in answer.text
    assert "<title>有误：" in answer.text
    assert 'role="alert"' in answer.text
    assert f">{form['text'].strip()}</textarea>" in answer.text
    with served.office.db.read() as conn:
        assert board.waiting(conn) == []


def test_exactly_two_thousand_characters_are_taken(open_board: Served) -> None:
    made = open_board.publish("一")
    text = "长" * 998 + "\r\n" + "👍" * 1001  # a browser sends line ends as two characters
    open_board.said(made, text)
    assert open_board.replies(made)["replies"][0]["text"] == text.replace("\r\n", "\n")


def test_words_that_would_turn_the_page_around_are_cleaned(open_board: Served) -> None:
    made = open_board.publish("一")
    open_board.said(made, "正\u202e反\x00\x1b[31m。\n\n\n\n完", name="甲\n\u2066乙")
    reply = open_board.replies(made)["replies"][0]
    assert (reply["text"], reply["name"]) == ("正反[31m。\n\n完", "甲 乙")


def test_another_sites_form_is_turned_away(served: Served) -> None:
    made = served.publish("一")
    answer = served.web.post(
        f"/board/p/{made['id']}/replies",
        data={"text": "留言"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_one_address_may_say_so_much_an_hour_and_no_more(served: Served) -> None:
    made = served.publish("一")
    hourly = served.office.config.board.replies_per_hour
    for n in range(hourly):
        public_id, key = served.said(made, f"第 {n} 条")
    served.web.post(f"/board/r/{public_id}/{key}", data={"act": "delete"})  # buys nothing back
    answer = served.say(made, "再一条")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 3601
    assert "再一条</textarea>" in answer.text
    served.clock.move(3601)
    served.said(made, "再一条")


def test_addresses_are_kept_as_salted_digests_for_a_day(served: Served) -> None:
    made = served.publish("一")
    served.said(made, "甲")
    with served.office.db.read() as conn:
        kept = conn.execute(select(board_replies.c.origin)).scalar_one()
    assert re.fullmatch("[0-9a-f]{64}", kept)
    assert kept != hashlib.sha256(b"127.0.0.1").hexdigest()
    served.clock.move(86401)
    served.said(made, "乙")
    with served.office.db.read() as conn:
        origins = conn.execute(select(board_replies.c.origin).order_by(board_replies.c.id))
        assert [bool(origin) for origin in origins.scalars()] == [False, True]


def test_a_household_of_ipv6_addresses_counts_as_one(served: Served) -> None:
    made = served.publish("一")
    with served.office.db.write() as conn:
        post = store.by_id(conn, made["id"])
        for tail in (":1", "2:3:4:5", "ffff::1"):
            draft = store.Draft("", tail, "", "", f"2001:db8:1:2:{tail}")
            store.add_reply(conn, START, post, draft, moderated=True, hourly=9)
    with served.office.db.read() as conn:
        assert len(set(conn.execute(select(board_replies.c.origin)).scalars())) == 1


def test_edits_come_no_faster_than_people_write(open_board: Served) -> None:
    made = open_board.publish("一")
    public_id, key = open_board.said(made, "原话")
    answer = open_board.web.post(
        f"/board/r/{public_id}/{key}", data={"text": "改话", "act": "edit"}
    )
    assert answer.status_code == 429
    assert "改话</textarea>" in answer.text


def test_a_board_that_takes_no_replies_shows_no_form(
    tmp_path: Path, migrated: Path, stage: Stage
) -> None:
    with ExitStack() as stack:
        served = _served(tmp_path, migrated, stage, stack, replies=False)
        made = served.publish("一")
        assert 'method="post"' not in served.page(f"/board/p/{made['id']}")
        assert "我要留言" not in served.page("/board")
        assert served.say(made).status_code == 403


# ---------------------------------------------------------------- the pages


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7777}}"


def test_nothing_written_becomes_markup(open_board: Served) -> None:
    made = open_board.publish(EVIL, title=EVIL)
    open_board.said(made, EVIL, name=EVIL[:30])
    open_board.api.put(f"/posts/{made['id']}", json={"text": "改" + EVIL, "title": "改" + EVIL})
    for path in ("/board", f"/board/p/{made['id']}"):
        seen = Seen(open_board.page(path))
        assert all("onerror" not in attributes for _, attributes in seen.elements)
        assert all(script.get("src", "").startswith("/static/") for script in seen.all("script"))
        assert "54439" not in open_board.page(path)


def test_links_of_the_office_can_be_followed_and_visitors_cannot(open_board: Served) -> None:
    text = "见 https://www.example.cn/a?b=1&c=2。又 javascript:alert(1) 和 http://x.cn/（附）"
    made = open_board.publish(text)
    open_board.said(made, "请点 https://spam.example/")
    links = Seen(open_board.page(f"/board/p/{made['id']}")).all("a")
    outward = [link for link in links if "://" in link["href"]]
    assert [link["href"] for link in outward] == [
        "https://www.example.cn/a?b=1&c=2",
        "http://x.cn/",
    ]
    assert all(link["rel"] == "nofollow noopener" for link in outward)


def test_every_page_is_safe_without_cookies_inline_code_or_other_hosts(open_board: Served) -> None:
    made = open_board.publish("一", title="题")
    public_id, key = open_board.said(made)
    paths = ["/board", f"/board/p/{made['id']}", f"/board/r/{public_id}/{key}", "/board/p/none"]
    for path in paths:
        answer = open_board.web.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "set-cookie" not in answer.headers
        for tag, attributes in Seen(answer.text).elements:
            assert tag not in ("style", "iframe")
            assert "style" not in attributes
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "action"):
                assert not attributes.get(name, "/").startswith(("http", "//"))
    assert all(open_board.web.head(path).status_code == 200 for path in paths[:3])


def test_a_page_says_its_zone_once_and_its_times_in_it(served: Served) -> None:
    made = served.publish("一")
    page = served.page(f"/board/p/{made['id']}")
    assert page.count("北京时间") == 1
    assert '<time datetime="2026-09-16T10:00:00+08:00">2026年9月16日 10:00</time>' in page
    tags = {meta.get("name"): meta.get("content") for meta in Seen(page).all("meta")}
    assert tags["PubDate"] == "2026-09-16 10:00"  # 国办发〔2017〕47号
    assert tags["SiteName"] == "云澜县政务公开栏"


def test_english_is_kept_from_page_to_page(served: Served) -> None:
    made = served.publish("正文", title="题")
    page = served.page("/board?lang=en")
    assert '<html lang="en">' in page
    assert "16 September 2026, 10:00" in page
    assert f'href="/board/p/{made["id"]}?lang=en"' in page
    sent = served.web.post(
        f"/board/p/{made['id']}/replies", params={"lang": "en"}, data={"text": "When?"}
    )
    assert sent.headers["location"].endswith("?lang=en")
    assert '<html lang="zh-CN">' in served.page("/board")


def test_a_page_has_one_main_heading_and_labels_for_its_fields(served: Served) -> None:
    made = served.publish("没有标题的短讯")
    for path in ("/board", f"/board/p/{made['id']}", "/board?lang=en"):
        seen = Seen(served.page(path))
        assert len(seen.all("h1")) == 1
        labelled = {label["for"] for label in seen.all("label")}
        fields = [f for tag in ("input", "textarea") for f in seen.all(tag)]
        assert {f["id"] for f in fields if f.get("type") != "hidden"} <= labelled
        ids = [a["id"] for _, a in seen.elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_posts_are_paged_and_none_is_missed(served: Served) -> None:
    made = [served.publish(f"第 {n} 条")["id"] for n in range(45)]
    seen: list[str] = []
    path = "/board"
    while path:
        links = Seen(served.page(path))
        seen += [a["id"] for a in links.all("article")]
        path = next((a["href"] for a in links.all("a") if a.get("rel") == "next"), "")
    assert seen == made[::-1]


def test_a_long_thread_is_paged_and_a_reply_finds_its_page(open_board: Served) -> None:
    made = open_board.publish("一")
    with open_board.office.db.write() as conn:
        post = store.by_id(conn, made["id"])
        for n in range(120):
            draft = store.Draft("", f"第 {n} 条", "", "", "127.0.0.1")
            row, _ = store.add_reply(conn, START, post, draft, moderated=False, hourly=999)
    page = open_board.page(f"/board/p/{made['id']}?at={row['public_id']}")
    assert row["public_id"] in page
    assert "第 3 页，共 3 页" in page
    for strange in ("0", "99", "x", "9" * 30):
        assert "共 3 页" in open_board.page(f"/board/p/{made['id']}?page={strange}")
    answer = open_board.publish("答", in_reply_to=row["public_id"])
    assert answer["id"] in open_board.page(f"/board/p/{answer['id']}")


def test_a_full_front_page_takes_a_handful_of_queries(open_board: Served) -> None:
    with open_board.office.db.write() as conn:
        for n in range(20):
            post, _ = store.publish(conn, START, f"k{n}", Content(text=f"第 {n} 条"))
            for m in range(5):
                draft = store.Draft("", f"留言 {m}", "", "", "127.0.0.1")
                row, _ = store.add_reply(conn, START, post, draft, moderated=False, hourly=999)
            answer = Content(text="答", in_reply_to=row["public_id"])
            store.publish(conn, START, f"a{n}", answer)
    asked: list[str] = []

    @event.listens_for(open_board.office.db.engine, "before_cursor_execute")
    def count(conn: Any, cursor: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    with open_board.office.db.read() as conn:
        front = views.front(conn, "")
    assert [(p.replies, p.answered, len(p.latest)) for p in front.posts] == [(5, 1, 2)] * 20
    assert len([statement for statement in asked if statement.startswith("SELECT")]) <= 8


@pytest.mark.browser
def test_every_page_fits_a_narrow_screen_and_runs_no_foul_of_its_own_policy(
    open_board: Served,
) -> None:
    browser = needs.browser()
    if browser is None:
        pytest.skip("no Chromium")
    sha256 = upload(open_board, picture())
    made = open_board.publish(
        "见 https://www.example.cn/" + "a" * 200, title="长" * 90, media=[{"sha256": sha256}]
    )
    public_id, key = open_board.said(made, "w" * 500, name="n" * 30)
    paths = ("/board", f"/board/p/{made['id']}", f"/board/r/{public_id}/{key}", "/board?lang=en")
    with looking(browser, 320) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        for path in paths:
            page.goto(f"{open_board.web.base_url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        page.goto(f"{open_board.web.base_url}/board/p/{made['id']}")
        page.fill("#text", "👍" * 2001)
        assert page.inner_text(".count") == "超出 1 字"
        assert said == []


@contextmanager
def looking(browser: str, width: int) -> Iterator[Any]:
    """A page of a real browser, `width` pixels wide."""
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=quiet)
        yield running.new_page(viewport={"width": width, "height": 800})
        running.close()


# ---------------------------------------------------------------- feeds


def test_the_atom_feed_is_well_formed_and_names_posts_for_ever(served: Served) -> None:
    sha256 = upload(served, picture())
    made = served.publish(
        f"正文 & {EVIL}", title="题 <b>", link="https://www.example.cn/", media=[{"sha256": sha256}]
    )
    gone = served.publish("将撤回")
    served.api.delete(f"/posts/{gone['id']}")
    answer = served.web.get("/board/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo
    assert [entry.link for entry in feed.entries] == [made["url"]]
    assert feed.entries[0].content[0].value == f"正文 & {EVIL}"
    assert feed.entries[0].enclosures[0].type == "image/png"
    assert b"deleted-entry" in answer.content
    served.api.put(f"/posts/{made['id']}", json={"text": "改"})
    again = feedparser.parse(served.web.get("/board/feed.atom").content)
    assert again.entries[0].id == feed.entries[0].id


def test_the_json_feed_says_the_same(served: Served) -> None:
    made = served.publish("没有标题的一条短讯，" * 9, link="https://www.example.cn/")
    answer = served.web.get("/board/feed.json")
    feed = answer.json()
    assert answer.headers["content-type"].startswith("application/feed+json")
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    item = feed["items"][0]
    assert (item["url"], item["external_url"]) == (made["url"], "https://www.example.cn/")
    assert item["title"].endswith("……")
    assert item["content_text"] == made["content"]["text"]


def test_a_feed_that_did_not_change_is_not_sent_again(served: Served) -> None:
    served.publish("一")
    for path in ("/board/feed.atom", "/board/feed.json"):
        first = served.web.get(path)
        known = {"If-None-Match": first.headers["etag"]}
        again = served.web.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
    served.publish("二")
    assert served.web.get(path, headers=known).status_code == 200


def test_an_addition_stands_under_its_post_and_not_beside_it(served: Served) -> None:
    made = served.publish("一")
    served.publish("候车亭已设好。", in_reply_to=made["id"])
    page = served.page("/board")
    assert page.count("<article") == 1
    thread = served.page(f"/board/p/{made['id']}")
    assert "补充</b>" in thread
    assert "候车亭已设好。" in thread


# ---------------------------------------------------------------- found, and on a wall


def test_words_are_found_in_posts_answers_and_shown_replies_and_lead_there(
    open_board: Served,
) -> None:
    served = open_board
    post = served.publish(
        "因望江桥维修，公交绕行。" + "很长的正文" * 60 + "增停滨江站。", title="公交绕行"
    )
    gone = served.publish("滨江站的旧公告")
    served.api.delete(f"/posts/{gone['id']}")
    reply, _ = served.said(post, "滨江站在哪里")
    hidden, _ = served.said(post, "滨江站骂人的话")
    served.moderate(hidden, "hidden")
    answer = served.publish("滨江站在桥南", in_reply_to=reply)
    page = served.page("/board/search?q=滨江站")
    links = [link["href"] for link in Seen(page).all("a")]
    assert f"/board/p/{post['id']}" in links
    assert f"/board/p/{answer['id']}#{answer['id']}" in links
    assert f"/board/p/{post['id']}?at={reply}#{reply}" in links
    assert page.count("<mark") == 3
    assert "骂人" not in page
    assert "旧公告" not in page
    assert "没有找到" in served.page("/board/search?q=滨江站 地铁")
    assert "<script>" not in served.page("/board/search?q=<script>")
    assert "没有找到" in served.page("/board/search?q=%25")
    for path in ("/board/search?q=桥", "/board/screen"):
        assert "set-cookie" not in served.web.get(path).headers


def test_every_reply_and_answer_has_its_own_address(open_board: Served) -> None:
    served = open_board
    post = served.publish()
    names = [served.said(post, f"第{n}条")[0] for n in range(views.REPLIES + 1)]
    answer = served.publish("收到", in_reply_to=names[0])
    address = f"/board/p/{post['id']}?at={names[-1]}"
    assert f"{address}#{names[-1]}" in [a["href"] for a in Seen(served.page(address)).all("a")]
    page = served.page(f"/board/p/{answer['id']}")
    assert f'id="{answer["id"]}"' in page
    assert "第0条" in page


def test_a_lobbys_screen_turns_by_itself_through_what_stands_and_may_be_stopped(
    open_board: Served,
) -> None:
    served = open_board
    assert "尚未发布" in served.page("/board/screen")
    first = served.publish("第一则" + "长" * 400)
    served.publish("第二则")
    down = served.publish("撤下的")
    served.api.delete(f"/posts/{down['id']}")
    reply, _ = served.said(first, "何时完工")
    served.publish("下月完工", in_reply_to=reply)
    shown, addresses = [], []
    address = "/board/screen"
    for _ in range(3):
        page = served.page(address)
        (refresh,) = [m for m in Seen(page).all("meta") if m.get("http-equiv") == "refresh"]
        seconds, _, address = refresh["content"].partition("; url=")
        assert 15 <= int(seconds) <= 45
        shown.append("第一则" if "第一则" in page else "第二则" if "第二则" in page else "")
        addresses.append(address)
    assert shown == ["第二则", "第一则", "第二则"]
    assert addresses == [f"/board/screen?n={n}" for n in (2, 1, 2)]
    page = served.page("/board/screen?n=2&stay=1")
    assert 'http-equiv="refresh"' not in page
    assert "<script" not in page
    assert ("何时完工" in page, "下月完工" in page, "长……" in page) == (True, True, True)


def test_a_text_that_is_cut_ends_neither_within_a_link_nor_on_what_leads_to_it() -> None:
    link = "https://www.example.cn/xxgk/1.html"
    for text, shown in (
        (f"检修公告。\n原文：{link}", "检修公告。……"),
        (f"检修公告，见 {link} 。", "检修公告，见……"),
        (f"原文：{link}", "……"),
        ("检修公告。" * 9, "检修公告。" * 4 + "……"),
    ):
        assert clipped(text, 20) == shown


@pytest.mark.browser
def test_a_lobbys_screen_keeps_what_it_shows_and_its_hour_while_the_server_is_away(
    open_board: Served,
) -> None:
    browser = needs.browser()
    if browser is None:
        pytest.skip("no Chromium")
    for words in ("第一则", "第二则"):
        open_board.publish(words)
    with looking(browser, 1280) as page:
        page.clock.install(time=open_board.office.db.now())
        page.goto(f"{open_board.web.base_url}/board/screen")
        assert "第二则" in page.inner_text("main")
        page.clock.run_for(50_000)
        page.wait_for_selector("main:has-text('第一则')")
        page.context.set_offline(True)
        page.clock.run_for(50_000)
        page.wait_for_selector("#as-of:not([hidden])")
        assert "第一则" in page.inner_text("main")
        told = page.inner_text("header")
        assert re.search(r"内容截至 \d\d:\d\d（UTC\+8）", told)
        assert "北京时间" not in told, "a clock that stands is no clock"
        page.context.set_offline(False)
        page.clock.run_for(50_000)
        page.wait_for_selector("main:has-text('第二则')")
        assert page.is_hidden("#as-of")
