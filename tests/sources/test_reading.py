"""Reading without storing: what `gongkai read` prints."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.errors import Invalid, SourceError
from bot.sources.reading import FIELDS, as_json, read
from tests.sources.contract import FIVE, ZONE
from tests.sources.serving import Answer, serving
from tests.sources.test_feed import write_json, write_rss


def test_the_kind_is_found_out_and_every_field_printed(tmp_path: Path) -> None:
    file = tmp_path / "feed"
    file.write_bytes(write_json(FIVE))
    reading = asyncio.run(read(str(file), ZONE))
    printed = json.loads(json.dumps(as_json(reading, ZONE)))
    assert [item["title"] for item in printed["items"]] == [notice.title for notice in FIVE]
    assert tuple(printed["items"][0]) == FIELDS
    assert printed["items"][0]["published"] == "2026-09-05T08:30:00+08:00"
    assert printed["problems"] == []


def test_problems_stand_beside_the_items(tmp_path: Path) -> None:
    file = tmp_path / "feed"
    file.write_bytes(b"<rss><channel><item><title>a & b</title></item></channel></rss>")
    printed = as_json(asyncio.run(read(str(file), ZONE, kind="feed")), ZONE)
    assert printed["items"][0]["title"] == "a & b"
    assert all(problem["where"] and problem["what"] for problem in printed["problems"])


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("a.csv", '标题,日期\n"甲,2026-09-22\n', "引号没有合上"),
        ("a.jsonl", '{"title":"甲"}\n{"title":"乙', "第 2 行"),
        ("a.html", "<html><body><ul><li><a href=/1>甲甲甲甲甲</a>2026-09-22</li>", "网页不完整"),
        ("a.xml", "<rss><channel><item><description>&lt;p&gt;<p>甲</p>", "目录不完整"),
        ("a.xlsx", "PK\x03\x04甲", "不完整或已损坏"),
        (
            "a.sql",
            "INSERT INTO a (b, c) VALUES (1, '<table><tr><td>索引号</td>",
            "SQL",
        ),
    ],
)
def test_what_is_not_whole_is_told_by_the_kind_it_is(
    tmp_path: Path, name: str, body: str, why: str
) -> None:
    file = tmp_path / name
    file.write_text(body)
    with pytest.raises(SourceError, match=why):
        asyncio.run(read(str(file), ZONE))


def test_an_address_on_our_own_network_must_be_named_as_such() -> None:
    with serving(lambda *_: Answer(write_rss(FIVE))) as served:
        with pytest.raises(SourceError, match="公网"):
            asyncio.run(read(served.url(), ZONE))
        assert len(asyncio.run(read(served.url(), ZONE, private=True)).entries) == 5


def test_an_unknown_kind_is_told_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="feed"):
        asyncio.run(read("x", ZONE, kind="telegram"))
