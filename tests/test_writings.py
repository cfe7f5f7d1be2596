"""What is typed and not saved, on both databases: one row each, whoever comes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot import compose, db
from bot.compose.writings import NEW, Place
from bot.errors import Conflict
from bot.model import Actor, Role
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.offices import both, pytest_generate_tests, url  # noqa: F401
from tests.web import scene


@pytest.fixture
def post(office: Office) -> int:
    with office.db.write() as conn:
        scene.account(conn, "board", "board", name="公开栏")
        builders.person(conn, "wang", "王丽", Role.EDITOR)
    return scene.post(office)


def who(office: Office, login: str) -> Actor:
    with office.db.read() as conn:
        return builders.actor(conn, login)


def keep(office: Office, actor: Actor, post: int, text: str, place: Place) -> None:
    with office.db.write() as conn:
        compose.keep_writing(conn, office.db.now(conn), actor, post, [("text", text)], place)


@both
def test_many_windows_at_once_leave_one_row_and_only_one_of_them_goes_on(
    office: Office, post: int
) -> None:
    zhou = who(office, "zhou")

    def one(n: int) -> bool:
        try:
            keep(office, zhou, post, f"第{n}个窗口", Place(window=str(n)))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        went = list(pool.map(one, range(4)))
    with office.db.read() as conn:
        assert conn.execute(select(func.count()).select_from(db.writings)).scalar_one() == 1
        row = compose.writing(conn, zhou, post)
    assert row is not None
    assert went[int(row["window"])]
    assert dict(row["fields"])["text"] == f"第{row['window']}个窗口"


@both
def test_others_are_told_who_is_there_and_what_was_left_is_found_and_dropped(
    office: Office, post: int, clock: FixedClock
) -> None:
    zhou, wang = who(office, "zhou"), who(office, "wang")
    keep(office, zhou, post, "半句", Place(window="a"))
    keep(office, zhou, NEW, "新的半句", Place(key="k", window="b"))
    with office.db.write() as conn:
        compose.open_writing(conn, office.db.now(conn), wang, post)
    clock.move(30)
    with office.db.write() as conn:
        now = office.db.now(conn)
        assert [r["name"] for r in compose.others_writing(conn, now, wang, post)] == ["周文"]
        assert [r["name"] for r in compose.others_writing(conn, now, zhou, post)] == ["王丽"]
        assert [r["key"] for r in compose.new_writings(conn, zhou)] == ["k"]
        compose.drop_writing(conn, zhou, NEW, "k")
        compose.drop_writing(conn, zhou, post)
        assert compose.new_writings(conn, zhou) == []
    clock.move(timedelta(minutes=1).total_seconds())
    with office.db.read() as conn:
        assert compose.others_writing(conn, office.db.now(conn), zhou, post) == []
