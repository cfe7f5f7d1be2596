"""People read names; keys are for files and commands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from bot import catalog, naming
from bot.db import notices, sources
from bot.language import Say
from bot.office import Office
from tests import builders, offices

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

FEED = (
    '<rss version="2.0"><channel><title>{}</title><item><title>公告</title></item></channel></rss>'
)
SOURCE = '[sources.a]\nunit = "county"\nurl = "feed.xml"\naccounts = []\n'


@pytest.fixture
def fed(office: Office, tmp_path: Path) -> Office:
    (tmp_path / "feed.xml").write_text(FEED.format("云澜县公开目录"), "utf-8")
    return offices.declared(office, SOURCE)


def name(office: Office, key: str = "a") -> str:
    with office.db.read() as conn:
        return naming.of_sources(conn)[key]


def test_a_source_is_called_by_its_key_till_its_catalogue_says_a_title(fed: Office) -> None:
    assert name(fed) == "a"
    asyncio.run(catalog.poll_due(fed))
    assert name(fed) == "云澜县公开目录"


def test_the_offices_own_name_comes_first_and_may_be_taken_back(fed: Office) -> None:
    asyncio.run(catalog.poll_due(fed))
    named = offices.declared(fed, SOURCE + 'name = "县公开目录"\n')
    assert name(named) == "县公开目录"
    assert name(offices.declared(named, SOURCE)) == "云澜县公开目录"


def test_a_notice_and_the_api_name_it(fed: Office, tmp_path: Path) -> None:
    named = offices.declared(fed, SOURCE + 'name = "县公开目录"\n')
    (tmp_path / "feed.xml").unlink()
    for _ in range(3):
        with named.db.write() as conn:
            conn.execute(sources.update().values(due_at=builders.NOW))
        asyncio.run(catalog.poll_due(named))
    with named.db.read() as conn:
        said = conn.execute(select(notices.c.say)).scalar_one()
        row = conn.execute(select(sources)).mappings().one()
    assert str(Say.of(said)).startswith("来源 县公开目录 连续 3 次读不到")
    assert naming.called(row) == "县公开目录"


def test_schedules_and_templates_are_called_as_their_files_say(office: Office) -> None:
    config = office.config
    for folder, file, text in (
        ("schedules", "daily.toml", 'name = "每日提醒"\n'),
        ("schedules", "torn.toml", "name = \n"),
        ("templates", "notice.txt", '+++\nname = "通知公告"\n+++\n{{ title }}\n'),
        ("templates", "bare.txt", "{{ title }}\n"),
    ):
        config.place(folder).mkdir(exist_ok=True)
        (config.place(folder) / file).write_text(text, "utf-8")
    assert [naming.of_schedule(config, key) for key in ("daily", "torn", "none")] == [
        *("每日提醒", "torn", "none")
    ]
    assert naming.of_templates(config)["notice"] == "通知公告"
    assert naming.of_templates(config)["bare"] == "bare"


def test_an_unknown_key_is_still_told_with_the_near_one(fed: Office) -> None:
    with pytest.raises(Exception, match="nmae") as told:
        offices.declared(fed, SOURCE + 'nmae = "县公开目录"\n')
    assert "name" in json.dumps(str(told.value), ensure_ascii=False).replace("nmae", "")
