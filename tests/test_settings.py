"""What config.toml rules is shown with its line, and never a secret; how the office stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot import audit, settings
from bot.config import load
from bot.office import Office
from bot.screen import RULES
from bot.screen.about import ABOUT
from tests import builders
from tests.offices import pytest_generate_tests, url  # noqa: F401
from tests.web import scene

FILE = """
zone = "Asia/Shanghai"
[units.county]
name = "县府办"
[units.fire]
name = "消防"
[deliver]
lateness = "90m"
[fetch]
proxy = "http://lian:s3cret-proxy@10.1.2.3:3128"
[notices.duty]
url = "https://hook.example/s3cret-hook"
[accounts.weibo]
unit = "county"
adapter = "byhand"
quiet = "22:00-07:00"
slots = ["09:00"]
[accounts.weibo.options]
app_secret = "s3cret-app"
app_secret_file = "keys/weibo.secret"
[accounts.siren]
unit = "fire"
adapter = "byhand"
[database]
url = "postgresql://gk:s3cret-db@db/gongkai"
[workdays]
2027-01-01 = "休 元旦"
"""


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, dict[str, settings.Setting]]:
    file = tmp_path / "config.toml"
    file.write_text(FILE, "utf-8")
    found = settings.sections(load(file), {"county"})
    return {table.name: {one.key: one for one in table.settings} for table in found}


def test_every_setting_says_where_it_is_written(
    shown: dict[str, dict[str, settings.Setting]],
) -> None:
    lines = FILE.split("\n")
    for table, key, value in (
        ("deliver", "lateness", "90m"),
        ("", "zone", '"Asia/Shanghai"'),
        ("accounts.weibo", "quiet", '"22:00-07:00"'),
        ("accounts.weibo", "slots", '["09:00"]'),
        ("workdays", "2027-01-01", '"休 元旦"'),
    ):
        one = shown[table][key]
        assert one.value == value
        assert lines[one.line - 1].startswith(key)
    assert shown["deliver"]["spread"] == settings.Setting("spread", "3d", 0)
    assert shown["deliver"]["looks"].value == "[30s, 2m, 10m]"


def test_no_secret_is_shown_but_which_file_holds_one_is(
    shown: dict[str, dict[str, settings.Setting]],
) -> None:
    whole = str(shown)
    assert "s3cret" not in whole
    assert "keys/weibo.secret" in whole
    assert "10.1.2.3:3128" in whole
    assert "@db/gongkai" in whole


def test_other_units_are_not_shown(shown: dict[str, dict[str, settings.Setting]]) -> None:
    assert "accounts.weibo" in shown
    assert not {"accounts.siren", "units.fire"} & set(shown)


def test_how_the_office_stands_is_told_as_it_is(office: Office) -> None:
    scene.worker(office)
    with office.db.write() as conn:
        now = office.db.now(conn)
        audit.write(conn, now, builders.actor(conn, "gu"), "office.backup", "office:1")
        audit.seal(conn)
        audit.anchor(conn, office.anchor, now)
    with office.db.read() as conn:
        found = settings.state(office, conn)
    assert found["backup"] == {"at": now, "actor": "顾明"}
    assert (found["trail"]["sealed"], found["trail"]["anchored"]) == (1, 1)
    assert [worker["alive"] for worker in found["workers"]] == [True]
    assert found["database"]["schema"] == found["database"]["newest"]
    assert found["disk"]["free"] > 0
    assert json.dumps(found, default=str)


def test_every_rule_says_what_it_looks_for_and_is_described_at_length() -> None:
    assert set(ABOUT) == set(RULES)
    described = (settings.documents() / "screening.md").read_text("utf-8")
    assert [rule for rule in RULES if f"### `{rule}`" not in described] == []
