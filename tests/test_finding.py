"""One box finds everything there is in the units that are read, and goes straight to what is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from bot import db, finding, people
from bot.db import Database
from bot.model import Role
from bot.office import Office
from bot.text import document_key
from tests import builders
from tests.web import scene, serving, showcase

NUMBER = "云政发〔2026〕5号"


@pytest.fixture
def furnished(database: Database, tmp_path: Path) -> Office:
    office = showcase.opened(tmp_path, database)
    with database.write() as conn:
        first = db.items.select().order_by(db.items.c.id).limit(1)
        item = conn.execute(first).mappings().one()["id"]
        numbered = update(db.items).where(db.items.c.id == item)
        conn.execute(numbered.values(document_number=document_key(NUMBER)))
        builders.person(conn, "shuiwu", "水务员", Role.EDITOR, "water")
    return office


def groups(
    office: Office, words: str, login: str = showcase.READER, **more: object
) -> dict[str, finding.Group]:
    with office.db.read() as conn:
        scope = people.unit_ids(conn, builders.actor(conn, login))
        return {g.of: g for g in finding.find(conn, scope, words, **more)}  # type: ignore[arg-type]


def straight(office: Office, words: str, login: str = showcase.READER) -> str:
    with office.db.read() as conn:
        return finding.straight(conn, people.unit_ids(conn, builders.actor(conn, login)), words)


def test_posts_entries_replies_accounts_people_and_sources_are_found(furnished: Office) -> None:
    assert (
        groups(furnished, "停水")["posts"].count
        == groups(furnished, "停水", most=50)["posts"].count
    )
    assert {"posts", "replies"} <= groups(furnished, "停水").keys()
    assert groups(furnished, "云澜发布")["accounts"].count == 3
    assert groups(furnished, "林岚")["people"].hits[0].place == "/people/linlan"
    assert groups(furnished, "公开目录")["sources"].hits[0].id == "catalogue"
    assert groups(furnished, "没有这样的词") == {}


def test_a_single_character_is_found_in_every_kind(furnished: Office) -> None:
    found = groups(furnished, "水")
    assert found["posts"].count > 0
    assert found["replies"].hits


def test_another_units_things_are_not_found_by_words_or_by_number(furnished: Office) -> None:
    seen = groups(furnished, "水", "shuiwu")
    assert seen.keys() <= {"people"}, "only those whose roles hold at the unit"
    assert straight(furnished, "1", "shuiwu") == ""
    assert straight(furnished, NUMBER, "shuiwu") == ""


def test_an_exact_number_goes_straight_there(furnished: Office) -> None:
    assert straight(furnished, NUMBER).startswith("/items/")
    assert straight(furnished, " 云政发 [2026] 第 5 号 ") == straight(furnished, NUMBER)
    assert straight(furnished, "#2") == straight(furnished, "稿件2") == "/posts/2"
    assert straight(furnished, "投递 3") == straight(furnished, "delivery 3") == "/queue/3"
    assert straight(furnished, "2") == "", "a post and a delivery bear it"
    assert [hit.place for hit in groups(furnished, "2")["numbers"].hits] == ["/posts/2", "/queue/2"]
    assert straight(furnished, "999999") == ""
    assert straight(furnished, "9" * 30) == ""


def test_a_figure_and_the_list_behind_it_agree(furnished: Office, base: str) -> None:
    with closing(scene.Reader(base, showcase.READER)) as reader:
        page = reader.get("/search?q=停水")
        for of in ("posts", "replies"):
            place = str(page.all(f"//section[@id='{of}']//a[@class='end']/@href")[0])
            listed = reader.get(place)
            n = groups(furnished, "停水")[of].count
            assert f"共 {n} 条" in page.words(f"//section[@id='{of}']/header")
            assert str(n) in listed.words(), of
        assert reader.get(f"/search?q={NUMBER}").place.startswith("/items/")
        assert NUMBER[:3] not in reader.get("/items?q=没有").text
        assert len(reader.get(f"/items?q={NUMBER}").all("//tbody/tr")) == 1


@pytest.fixture
def base(furnished: Office) -> Iterator[str]:
    from bot.web.app import build

    with serving.listening() as taken, serving.serving(build(furnished), taken):
        yield serving.address(taken)


@pytest.mark.parametrize("words", ["%", "_", "'", '"', "\\", "*", "停水 OR 1", "(", "  ", "\u3000"])
def test_strange_words_break_nothing_and_find_no_more_than_they_say(
    furnished: Office, words: str
) -> None:
    for group in groups(furnished, words).values():
        for hit in group.hits:
            assert words.strip().split()[0].lower() in f"{hit.title} {hit.note} {hit.id}".lower()
