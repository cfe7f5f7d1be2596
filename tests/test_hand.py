"""By hand: entries typed in, and material handed in to another unit, taken over or given back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import RowMapping

from bot import catalog, compose, lease
from bot.cli import main
from bot.compose import catalogue
from bot.db import audits, items, posts, sources
from bot.errors import Conflict, Invalid, NotAllowed
from bot.model import Entry, ItemState, Role, SourceState
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, told, url  # noqa: F401

UNITS = (
    builders.CONFIG
    + """
[units.health]
name = "云澜县卫生健康局"
parent = "county"
"""
)
FIELDS = {"标题": "关于开展义诊的通知", "成文日期": "2026年11月20日", "文号": "云卫发〔2026〕8号"}


@dataclass
class Desk:
    office: Office

    def act(self, function: Any, who: str, *args: Any) -> Any:
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            return function(conn, now, builders.actor(conn, who), *args)

    def entries(self, **more: str) -> list[Entry]:
        return catalog.entries_of(self.office, [{**FIELDS, **more}])

    def submitted(self, who: str = "wu") -> int:
        (made,) = self.act(catalog.submit, who, "health", "county", self.entries())
        return int(made)

    def row(self, item_id: int) -> RowMapping:
        return next(row for row in offices.rows(self.office, items) if row["id"] == item_id)


@pytest.fixture
def desk(office: Office) -> Desk:
    made = Desk(offices.declared(office, offices.HAND.format(key="hand"), UNITS))
    with made.office.db.write() as conn:
        builders.person(conn, "wu", "吴敏", Role.CONTRIBUTOR, "health")
    return made


def test_material_is_its_giver_s_unless_it_names_another_publisher(desk: Desk) -> None:
    handed = desk.submitted()
    (typed,) = desk.act(catalog.add, "zhou", "county", desk.entries(标题="关于停水的通告"))
    (named,) = desk.act(
        catalog.submit, "wu", "health", "county", desk.entries(标题="通知", 发布机构="县医保局")
    )
    publishers = [desk.row(made)["entry"]["publisher"] for made in (handed, typed, named)]
    assert publishers == ["云澜县卫生健康局", "云澜县人民政府办公室", "县医保局"]
    desk.act(catalog.amend, "zhou", handed, *desk.entries(标题="关于开展大型义诊的通知"))
    assert desk.row(handed)["entry"]["publisher"] == "云澜县卫生健康局"


@both
def test_an_entry_is_typed_in_and_becomes_a_post(desk: Desk) -> None:
    (made,) = desk.act(catalog.add, "zhou", "county", desk.entries())
    row = desk.row(made)
    entry = Entry.of(row["entry"])
    assert (entry.title, entry.document_number) == (FIELDS["标题"], FIELDS["文号"])
    assert (row["state"], row["due_at"]) == (ItemState.NEW, None)
    with desk.office.db.write() as conn:
        who, now = builders.actor(conn, "zhou"), desk.office.db.now(conn)
        compose.from_item(desk.office, conn, now, who, made, keys=["hand"])
    (post,) = offices.rows(desk.office, posts)
    assert (post["title"], post["item_id"]) == (FIELDS["标题"], made)


@both
def test_without_accounts_named_a_draft_goes_to_those_of_its_unit(desk: Desk) -> None:
    (made,) = desk.act(catalog.add, "zhou", "county", desk.entries())
    with desk.office.db.write() as conn:
        now = desk.office.db.now(conn)
        compose.from_item(desk.office, conn, now, builders.actor(conn, "zhou"), made)
    (post,) = offices.rows(desk.office, posts)
    assert len(post["accounts"]) == 1


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([{"文号": "云卫发〔2026〕8号"}], "标题"),
        ([{"标题": ""}], "标题"),
        ([{"标题": "甲", "成文日期": "去年秋天"}], "第 1 条：日期“去年秋天”读不懂"),
        ([{"标题": "甲", "网址": "ftp://a"}], "链接"),
        ([{"标题": "甲"}, {"标题": "甲"}], "重复"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(
    desk: Desk, records: list[dict[str, str]], why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        catalog.entries_of(desk.office, records)


def test_the_same_document_is_not_typed_in_twice(desk: Desk) -> None:
    desk.act(catalog.add, "zhou", "county", desk.entries())
    with pytest.raises(Conflict, match="同名同文号"):
        desk.act(catalog.add, "zhou", "county", [*desk.entries(标题="另一件"), *desk.entries()])
    assert len(offices.rows(desk.office, items)) == 1
    desk.act(catalog.add, "zhou", "county", desk.entries(文号="云卫发〔2026〕9号"))


@both
def test_material_is_handed_in_given_back_mended_and_taken_over(desk: Desk) -> None:
    made = desk.submitted()
    assert told(desk.office) == ["云澜县卫生健康局报送“关于开展义诊的通知”，请成稿或退回"]
    desk.act(catalog.give_back, "zhou", made, "请补上地点")
    assert told(desk.office) == ["报送的“关于开展义诊的通知”被退回：请补上地点"]
    with desk.office.db.read() as conn:
        all_units = {1, 2}
        (listed,) = catalog.listing(conn, all_units, handed_in="health")
        assert not catalog.listing(conn, all_units, handed_in="county")
    assert (listed["from_unit"], listed["returned"]) == ("云澜县卫生健康局", "请补上地点")
    mended = desk.entries(正文="地点：县医院。")[0]
    desk.act(catalog.amend, "wu", made, mended)
    row = desk.row(made)
    assert (row["state"], row["revision"], row["returned"]) == (ItemState.NEW, 2, "")
    with desk.office.db.write() as conn:
        who, now = builders.actor(conn, "zhou"), desk.office.db.now(conn)
        compose.from_item(desk.office, conn, now, who, made, keys=["hand"])
    assert told(desk.office) == []
    with pytest.raises(Conflict):
        desk.act(catalog.give_back, "zhou", made, "太晚")
    with pytest.raises(Conflict, match="云澜县人民政府办公室"):
        desk.act(catalog.call_back, "wu", made)
    verbs = [row["verb"] for row in offices.rows(desk.office, audits) if "item." in row["verb"]]
    assert verbs == ["item.submit", "item.return", "item.amend"]


@both
def test_what_is_called_back_while_the_machine_drafts_it_becomes_no_post(desk: Desk) -> None:
    made = desk.submitted()
    desk.act(catalog.take, "zhou", made)
    with desk.office.db.write() as conn:
        (claimed,) = lease.claim(conn, items, desk.office.db.now(conn), 1)
    desk.act(catalog.call_back, "wu", made)
    with desk.office.db.write() as conn, pytest.raises(Conflict), conn.begin_nested():
        catalogue._compose_claimed(desk.office, conn, desk.office.db.now(conn), claimed)
    assert offices.rows(desk.office, posts) == []
    assert desk.row(made)["state"] == ItemState.SKIPPED


def test_a_contributor_hands_in_for_his_own_unit_and_decides_nothing(desk: Desk) -> None:
    entries = desk.entries()
    refused: list[tuple[Any, ...]] = [
        (catalog.add, "wu", "health", entries),
        (catalog.submit, "wu", "county", "health", entries),
        (catalog.submit, "lin", "health", "county", entries),
    ]
    for act in refused:
        with pytest.raises(NotAllowed):
            desk.act(*act)
    made = desk.submitted()
    for act in (
        (catalog.give_back, "wu", made, "不要了"),
        (catalog.amend, "wu", made, entries[0]),
        (catalog.call_back, "lin", made),
    ):
        with pytest.raises(NotAllowed):
            desk.act(*act)
    desk.act(catalog.call_back, "wu", made)
    assert desk.row(made)["gone_at"]
    assert told(desk.office) == []


def test_a_source_kept_by_hand_is_never_polled_nor_paused(desk: Desk) -> None:
    desk.submitted()
    offices.declared(desk.office, offices.HAND.format(key="hand"), UNITS)
    (row,) = offices.rows(desk.office, sources)
    assert (row["key"], row["state"], row["due_at"]) == ("hand:county", SourceState.ACTIVE, None)


def test_only_what_was_handed_in_can_be_given_back(desk: Desk) -> None:
    (made,) = desk.act(catalog.add, "zhou", "county", desk.entries())
    with pytest.raises(Invalid, match="不是报送来的"):
        desk.act(catalog.give_back, "zhou", made, "退")
    (other,) = desk.act(catalog.submit, "wu", "health", "county", desk.entries(标题="另一件"))
    with pytest.raises(Invalid, match="理由"):
        desk.act(catalog.give_back, "zhou", other, " ")


def test_the_command_line_takes_options_or_json(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONGKAI_PASSWORD", builders.PASSWORD)
    config = str(desk.office.config.path)
    text = desk.office.config.path.read_text("utf-8")
    there = desk.office.db.url.render_as_string(hide_password=False)
    desk.office.config.path.write_text(f'{text}\n[database]\nurl = "{there}"\n', "utf-8")

    def run(*args: str, stdin: str = "") -> Any:
        return CliRunner().invoke(main, ["--config", config, "item", *args], input=stdin)

    made = run("add", "--unit", "county", "--title", "甲", "--formed", "2026-11-20", "--as", "zhou")
    assert (made.exit_code, made.output) == (0, "#1\n")
    two = json.dumps([{"title": "乙"}, {"名称": "丙"}])
    made = run(
        "submit", "--unit", "health", "--to", "county", "--stdin", "--as", "wu", "--json", stdin=two
    )
    assert json.loads(made.output) == {"items": [2, 3]}
    assert run("return", "3", "--reason", "重复", "--as", "zhou").exit_code == 0
    listed = json.loads(run("list", "--from", "health", "--json").output)
    assert {row["title"]: row["returned"] for row in listed} == {"乙": "", "丙": "重复"}
    assert "JSON" in run("add", "--unit", "county", "--stdin", "--as", "zhou", stdin="{").output


@both
def test_a_catalogue_by_hand_is_called_by_its_unit_s_name_of_today(desk: Desk) -> None:
    desk.act(catalog.add, "zhou", "county", desk.entries())
    renamed = UNITS.replace("云澜县人民政府办公室", "云澜县政府办")
    assert renamed != UNITS
    office = offices.declared(desk.office, offices.HAND.format(key="hand"), renamed)
    (row,) = [one for one in offices.rows(office, sources) if one["kind"] == catalog.HAND]
    assert row["title"] == "云澜县政府办手工目录"
