"""What an officer, a stranger and the public see when something cannot be done; and no link leads there."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from bot.db import Database
from bot.model import Role
from bot.office import Office
from bot.web.app import build
from tests import builders
from tests.web import scene, serving, showcase
from tests.web.conftest import Enter
from tests.web.test_each_page import _shape


@pytest.fixture
def fair(database: Database, tmp_path: Path) -> Iterator[str]:
    """The address of a furnished office with somebody in each role, and one who has none."""
    office = showcase.opened(tmp_path, database)
    with database.write() as conn:
        builders.person(conn, "xinxi", "向欣", Role.CONTRIBUTOR)
        builders.person(conn, "jiandu", "简度", Role.SUPERVISOR)
        builders.person(conn, "guanli", "管理", Role.ADMINISTRATOR)
        builders.person(conn, "wuyi", "吴一", None)
        builders.person(conn, "shui", "水务", Role.EDITOR, "water")
    with serving.listening() as taken, serving.serving(build(office), taken):
        yield serving.address(taken)


def test_what_is_refused_keeps_the_navigation_and_names_who_may(
    staffed: Office, enter: Enter
) -> None:
    page = enter("xu").get("/posts/new")
    assert page.status == 403
    assert page.all("//nav[@class='rail']//a[@href='/posts'][@aria-current]")
    assert "写稿由编辑办理" in page.words("//*[@role='alert']")
    assert page.all("//main//a[@href='/people/zhou']")
    assert "管理员" in page.words()


def test_each_refusal_says_what_to_do_next_in_either_language(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    made = scene.post(staffed)
    for path, status, zh, en in (
        ("/nowhere", 404, "从导航进入", "navigation"),
        ("/posts/999", 404, "属于别的单位", "navigation"),
        ("/queue/abc", 404, "从导航进入", "navigation"),
    ):
        page = reader.get(path)
        assert (page.status, zh in page.words()) == (status, True), path
        assert page.all("//nav[@class='rail']"), path
        assert en in reader.get(path, cookie="gongkai_language=en; " + _cookies(reader)).words()
    page = reader.post(f"/posts/{made}", act="close")
    page = reader.post(f"/posts/{made}", act="submit")
    assert (page.status, bool(page.all("//nav[@class='rail']"))) == (409, True)
    assert "下面是现在的样子，看过再定" in page.words()


def _cookies(reader: scene.Reader) -> str:
    return "; ".join(f"{one.name}={one.value}" for one in reader.client.cookies.jar)


def test_an_unforeseen_error_keeps_the_navigation_where_it_can_still_be_drawn(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    with staffed.db.write() as conn:
        conn.exec_driver_sql("alter table items rename to mislaid")
    page = reader.get("/items")
    assert (page.status, bool(page.all("//nav[@class='rail']"))) == (500, True)
    assert re.search("编号 [0-9a-f]{8}", page.words())
    with staffed.db.write() as conn:
        conn.exec_driver_sql("alter table sessions rename to lost")
    page = reader.get("/items")
    assert (page.status, bool(page.all("//nav[@class='rail']"))) == (500, False)
    assert re.search("编号 [0-9a-f]{8}", page.words())


def test_a_stranger_sees_no_frame_and_half_a_login_none_either(
    staffed: Office, enter: Enter
) -> None:
    page = enter().get("/nowhere")
    assert page.status == 404
    assert not page.all("//nav")
    with staffed.db.write() as conn:
        conn.exec_driver_sql("update people set must_change = 1 where login = 'zhou'")
    reader = enter()
    reader.enter("zhou")
    assert not reader.get("/nowhere").all("//nav")


def test_the_public_is_shown_the_boards_own_page(staffed: Office, enter: Enter) -> None:
    from bot.web import board

    with staffed.db.write() as conn:
        board.ensure_board(conn, builders.NOW)
    reader = enter("zhou")
    for path in ("/board/nowhere", "/board/p/none", "/board/p/none/nowhere"):
        page = reader.get(path)
        assert page.status == 404
        assert page.all("//header[@class='head']//input[@name='q']"), path
        assert page.all("//h1"), path
        assert page.answer.headers["referrer-policy"] == "no-referrer"
        assert not page.all("//a[@href='/'] | //nav"), path
        assert "周文" not in page.text, path
    assert "No such page" in reader.get("/board/nowhere?lang=en").words("//h1")
    answer = reader.get("/board/api/v1/nowhere").answer
    assert answer.json()["type"] == "urn:gongkai:board:not-found"
    with staffed.db.write() as conn:
        conn.exec_driver_sql("alter table board_posts rename to mislaid")
    page = reader.get("/board")
    assert page.status == 500
    assert page.all("//header[@class='head']")
    assert re.search("编号 [0-9a-f]{8}", page.words())


# ---------------------------------------------------------------- no link leads to a refusal


STAFF = (*(login for login, *_ in showcase.PEOPLE), "xinxi", "jiandu", "guanli", "wuyi", "shui")


def test_no_link_leads_to_what_its_reader_may_not_see(fair: str) -> None:
    dead = []
    for login in STAFF:
        with closing(scene.Reader(fair)) as reader:
            reader.enter(login)
            dead += [f"{login}: {one}" for one in _dead(reader)]
    assert dead == []


def _dead(reader: scene.Reader) -> Iterator[str]:
    """Every link, from wherever it stands, that answers with a refusal."""
    waiting, seen = deque([("", "/"), ("", "/me")]), set()
    while waiting:
        from_, path = waiting.popleft()
        if (shape := _shape(path)) in seen or urlsplit(path).path in ("/logout", "/pulse"):
            continue
        seen.add(shape)
        answer = reader.client.get(path)
        if answer.status_code >= 400 and from_:
            yield f"{from_} → {path}: {answer.status_code}"
        if answer.text.lstrip().startswith("<!doctype html") and answer.status_code < 400:
            waiting.extend((path, one) for one in _links(answer.text, path))


def _links(text: str, path: str) -> Iterator[str]:
    for href in re.findall(r'<a [^>]*href="([^"#]*)', text):
        address = urljoin(path, href.replace("&amp;", "&"))
        if address.startswith("/") and not address.startswith(("//", "/board")):
            yield address
