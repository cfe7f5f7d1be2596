"""Rules of a source for some of its columns: template, accounts, drafts, and who signs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot import catalog, compose, review
from bot.db import accounts, items, posts
from bot.errors import ConfigError, Invalid
from bot.language import Say
from bot.model import ItemState, PostState
from bot.office import Office
from tests import builders, offices
from tests.offices import Notice, pytest_generate_tests, rows, url  # noqa: F401

SOURCE = """
[sources.notices]
unit = "county"
url = "feed.xml"
first_poll = "all"
accounts = ["hand"]
[[sources.notices.rules]]
columns = ["人事任免", "公示公告"]
accounts = ["hand", "other"]
trust = false
[[sources.notices.rules]]
columns = ["工作动态"]
draft = false
[[sources.notices.rules]]
columns = ["政策文件"]
template = "policy"
submit = false
"""
COLUMNS = ("通知公告", "人事任免", "工作动态", "政策文件")


@pytest.fixture
def desk(office: Office) -> Office:
    """A feed with an entry of each column, read and composed; lin trusts the source."""
    hands = offices.HAND.format(key="hand") + offices.HAND.format(key="other")
    desk = offices.declared(office, SOURCE + hands)
    folder = desk.config.path.parent
    now = desk.db.clock.now()
    feed = [Notice(f"{c}一则", now - timedelta(hours=1), column=c) for c in COLUMNS]
    (folder / "feed.xml").write_text(offices.rss(feed), "utf-8")
    policy = '+++\nname = "政策"\n+++\n【政策速递】{{ title }}\n{{ link }}\n'
    (folder / "templates" / "policy.txt").write_text(policy, "utf-8")
    with desk.db.write() as conn:
        lin, soon = builders.actor(conn, "lin"), now + timedelta(days=9)
        review.grant_standing(desk, conn, now, lin, "notices", ends=soon, daily_max=9)
    asyncio.run(catalog.poll_due(desk))
    compose.compose_due(desk)
    review.take_drafts(desk)
    return desk


def test_a_column_has_its_own_template_accounts_and_way_to_a_signature(desk: Office) -> None:
    by_id = {row["id"]: row["key"] for row in rows(desk, accounts)}
    made = {}
    for post in rows(desk, posts):
        keys = [by_id[one] for one in post["accounts"]]
        made[post["title"][:4]] = (keys, post["template"], post["state"])
    assert made == {
        "通知公告": (["hand"], "notice", PostState.APPROVED),
        "人事任免": (["hand", "other"], "notice", PostState.IN_REVIEW),
        "政策文件": (["hand"], "policy", PostState.DRAFT),
    }
    left = [row["title"] for row in rows(desk, items) if row["state"] == ItemState.NEW]
    assert left == ["工作动态一则"], "no draft by itself; a person may still make one"


def test_why_a_trusted_source_s_post_waits_all_the_same(desk: Office) -> None:
    """The accounts differ, and the column is signed post by post whatever was granted."""
    (post,) = (row for row in rows(desk, posts) if row["title"].startswith("人事"))
    assert "账号已变动" in str(Say.of(post["returned"]))


def test_trust_is_not_granted_where_each_post_is_to_be_signed(desk: Office) -> None:
    with desk.db.write() as conn:
        now, lin = desk.db.now(conn), builders.actor(conn, "lin")
        grant: Any = {"ends": now + timedelta(days=9), "daily_max": 9}
        with pytest.raises(Invalid, match="逐篇审签"):
            review.grant_standing(desk, conn, now, lin, "notices", columns=["人事任免"], **grant)
        with pytest.raises(Invalid, match="分别授予"):
            review.grant_standing(
                desk, conn, now, lin, "notices", columns=["政策文件", "通知公告"], **grant
            )
        review.grant_standing(desk, conn, now, lin, "notices", columns=["政策文件"], **grant)


def test_a_rule_names_accounts_that_are_there(office: Office) -> None:
    with pytest.raises(ConfigError, match="是不是 hand"):
        offices.declared(
            office, SOURCE.replace('"other"]', '"hnad"]') + offices.HAND.format(key="hand")
        )
