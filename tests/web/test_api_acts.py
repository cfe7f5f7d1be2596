"""/api/v1 does what the console does: times moved, schedules, deputies, reposts, the board; each once."""

# ruff: noqa: F811 - fixtures of a neighbour
from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from bot import compose, db
from bot.cli import main
from bot.compose.writings import NEW, Place
from bot.model import Role, Scope
from bot.office import Office
from tests import builders
from tests.offices import both, pytest_generate_tests, url  # noqa: F401
from tests.web import scene
from tests.web.test_api import Api, api, base, count, kind, staffed  # noqa: F401

DAILY = """
name = "日报"
unit = "county"
accounts = []
days = "all"
[[when]]
hour = "9"
minute = "30"
"""
LENT: dict[str, Any] = {"taker": "lin", "unit": "county", "steps": ["签发"], "reason": "开会"}


@pytest.fixture
def daily(staffed: Office) -> Path:
    folder = staffed.config.place(staffed.config.schedules)
    folder.mkdir(exist_ok=True)
    (folder / "daily.toml").write_text(DAILY, "utf-8")
    return folder


def test_a_time_outside_of_what_was_signed_is_foreseen_refused_and_signed_anew_when_agreed(
    staffed: Office,
    api: Api,
) -> None:
    post, zhou = scene.signed(staffed), api("zhou")
    with staffed.db.write() as conn:
        ends = builders.NOW + timedelta(hours=1)
        conn.execute(update(db.approvals).values(begins=builders.NOW, ends=ends))
    late = "2027-01-05T10:00"
    told = zhou.get(f"/posts/{post}/move", at=late).json()
    assert told["kind"] == "again"
    assert kind(zhou.send(f"/posts/{post}/move", at=late)) == "conflict"
    assert scene.state_of(staffed, db.posts, post) == "approved"
    assert kind(zhou.send(f"/posts/{post}/move", at=late, version=99, agreed=True)) == "conflict"
    moved = zhou.send(f"/posts/{post}/move", at=late, version=told["version"], agreed=True)
    assert moved.json()["kind"] == "again"
    assert scene.state_of(staffed, db.posts, post) == "in_review"


@both
def test_the_calendars_pages_stand_still_where_many_stand_at_one_time(
    staffed: Office,
    api: Api,
) -> None:
    at = builders.NOW + timedelta(days=1)
    made = [scene.post(staffed, title=f"甲{n}", go_at=at) for n in range(5)]
    zhou, span = api("zhou"), {"begins": "2026-11-01", "limit": 2}
    page = zhou.get("/calendar", **span).json()
    seen = [row["post"] for row in page["rows"]]
    while page["next"]:
        scene.post(staffed, title="早的", go_at=at - timedelta(hours=1))
        page = zhou.get("/calendar", **span, cursor=page["next"]).json()
        seen += [row["post"] for row in page["rows"]]
    assert seen == made
    assert kind(zhou.get("/calendar", begins="2026-01-01", ends="2026-12-31")) == "invalid"


@pytest.mark.parametrize(
    "list_", ["calendar", "people", "delegations", "board/replies", "writings"]
)
def test_a_cursor_of_another_list_is_refused(api: Api, list_: str) -> None:
    for cursor in ("x", "aXRlbXM6MQ", "aXRlbXM6MTox"):
        assert kind(api("lin").get(f"/{list_}", cursor=cursor)) == "bad-cursor"


def test_a_schedule_is_run_once_under_its_key_skipped_and_paused(
    staffed: Office,
    daily: Path,
    api: Api,
) -> None:
    zhou, ma = api("zhou"), api("ma")
    first = zhou.send("/schedules/daily/run", "again").json()
    assert "occurrence" in first, first
    assert zhou.send("/schedules/daily/run", "again").json() == first
    assert count(staffed, db.occurrences) == 1
    (day, *_) = zhou.get("/schedules/foreseen", schedule="daily").json()["rows"]
    assert zhou.send("/schedules/daily/skip", at=day["at"]).json() == {"schedule": "daily"}
    assert kind(zhou.send("/schedules/daily/skip", at=day["at"])) == "conflict"
    assert zhou.send("/schedules/daily/unskip", at=day["at"]).is_success
    assert zhou.send("/schedules/daily/pause", reason="停办").is_success
    assert zhou.get("/schedules").json()["rows"][0]["paused"]
    assert zhou.send("/schedules/daily/resume").is_success
    for path in ("run", "resume"):
        assert kind(ma.send(f"/schedules/daily/{path}")) == "not-found", "another unit's"
    assert kind(zhou.send("/schedules/..%2Fdaily/run")) == "not-found"


def test_a_deputy_is_named_once_by_a_token_that_signs_and_ended(
    staffed: Office,
    api: Api,
) -> None:
    with staffed.db.write() as conn:
        builders.person(conn, "wen", "文签", Role.SIGNER)
    wen, away = api("wen"), {**LENT, "ends": "2026-12-20T18:00"}
    assert kind(api("wen", Scope.READ, Scope.WRITE).send("/delegations", **away)) == "no-scope"
    made = wen.send("/delegations", "one", **away).json()
    assert wen.send("/delegations", "one", **away).json() == made
    (row,) = wen.get("/delegations").json()["rows"]
    assert (row["id"], row["taker"], row["steps"]) == (made["delegation"], "lin", ["签发"])
    assert row["id"] in {one["id"] for one in api("lin").get("/delegations").json()["rows"]}
    assert wen.send(f"/delegations/{row['id']}/end").is_success
    assert kind(wen.send(f"/delegations/{row['id']}/end")) == "conflict"


def test_what_one_types_and_does_not_save_is_his_alone(
    staffed: Office,
    api: Api,
) -> None:
    with staffed.db.write() as conn:
        who, now = builders.actor(conn, "zhou"), staffed.db.now(conn)
        compose.keep_writing(conn, now, who, NEW, [("text", "未定之事")], Place("k", "w"))
    (row,) = api("zhou").get("/writings").json()["rows"]
    assert row["fields"] == [{"name": "text", "value": "未定之事"}]
    with staffed.db.write() as conn:
        builders.person(conn, "root", "管员", Role.ADMINISTRATOR)
    for other in ("lin", "root"):
        assert "未定之事" not in api(other).get("/writings").text


def test_sessions_are_told_to_administrators_alone(
    staffed: Office,
    base: str,
    api: Api,
) -> None:
    with staffed.db.write() as conn:
        builders.person(conn, "root", "管员", Role.ADMINISTRATOR)
    scene.Reader(base, "zhou").close()
    whole = api("root").get("/people/zhou").json()
    assert len(whole["sessions"]) == 1
    seen = api("lin").get("/people/zhou").json()
    assert "sessions" not in seen
    assert seen["roles"] == whole["roles"]
    assert kind(api("ma").get("/people/zhou")) == "not-found"
    assert kind(api("ma").get("/units/county")) == "not-found"


def test_the_json_of_these_is_the_command_lines_too(
    staffed: Office,
    daily: Path,
    api: Api,
) -> None:
    post, item = scene.signed(staffed), scene.item(staffed)
    config = str(staffed.config.path)
    text = builders.CONFIG + f'\n[database]\nurl = "{staffed.db.url}"\n'
    staffed.config.path.write_text(text, "utf-8")

    def cli(*words: object) -> Any:
        found = CliRunner().invoke(main, ["--config", config, *map(str, words), "--json"])
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    lin = api("lin")
    with staffed.db.read() as conn:
        key = conn.execute(select(db.sources.c.key).order_by(db.sources.c.id)).scalars().first()
    assert lin.get(f"/posts/{post}/revisions").json()["rows"] == cli("post", "revisions", post)
    one = cli("post", "revisions", post, 1)
    assert lin.get(f"/posts/{post}/revisions/1").json() == one
    assert one["renditions"][0]["payload"]["text"]
    history = lin.get(f"/items/{item}/history").json()
    assert history.items() <= cli("item", "show", item).items()
    assert lin.get(f"/sources/{key}").json() == cli("source", "show", key)
    assert lin.get("/sources").json()["rows"] == cli("source", "list")
    assert [lin.get("/units/county").json()] == cli("user", "units")
    assert lin.get("/board/replies").json()["rows"] == cli("board", "list")
    days = {"begins": "2026-12-01", "ends": "2026-12-05"}
    span = ("--from", days["begins"], "--to", days["ends"])
    assert lin.get("/calendar/days", **days).json()["rows"] == cli("calendar", "days", *span)
    assert lin.get("/calendar", **days).json()["rows"] == cli("calendar", *span)


def test_a_day_is_written_as_a_day(api: Api) -> None:
    lin = api("lin")
    for said in ("0", "1764000000", "2026-12-01T00:00", "2026-02-30"):
        assert kind(lin.get("/duty", first=said)) == "invalid"
        assert kind(lin.send("/duty", unit="county", days={said: "lin"})) == "invalid"
    assert lin.get("/duty", first="2026-12-01", last="2026-12-02").json()["rows"] == []
