"""Promise 1, trust in a source: a standing sign-off goes no further than it was given."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot import review
from bot.db import posts, standings
from bot.deliver import accounts as account_stage
from bot.deliver import plan
from bot.model import PostState
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.test_review import composed, grant

both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
SOURCE = """
[sources.notices]
unit = "county"
url = "feed.xml"
accounts = ["m"]

[accounts.m]
unit = "county"
adapter = "mastodon"
[accounts.m.options]
url = "{url}"
"""


@pytest.fixture
def trusting(office: Office, clock: FixedClock, platform: tuple[Mastodon, Server]) -> Office:
    """lin lets the source out by himself, three a day; its account is connected as office1."""
    made = offices.declared(office, SOURCE.format(url=platform[1].url))
    with made.db.write() as conn:
        gu = builders.actor(conn, "gu")
    asyncio.run(account_stage.connect(made, gu, "m", "token-1"))
    grant(made, ends=clock.now() + timedelta(days=90), daily_max=3)
    return made


def approved(office: Office) -> int:
    with office.db.read() as conn:
        signed = select(func.count()).where(posts.c.state == PostState.APPROVED)
        return int(conn.execute(signed).scalar_one())


@both
def test_two_workers_at_once_do_not_sign_more_than_a_day_allows(trusting: Office) -> None:
    for n in range(9):
        composed(trusting, key=str(n))
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def worker() -> None:
        together.wait()
        try:
            while review.take_drafts(trusting, 1):
                pass
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert approved(trusting) == 3
    with trusting.db.read() as conn:
        assert conn.execute(select(standings.c.used)).scalar_one() == 3


@here
def test_another_identity_behind_the_account_ends_the_trust(
    trusting: Office, platform: tuple[Mastodon, Server]
) -> None:
    before = composed(trusting, key="1")
    review.take_drafts(trusting)
    plan.plan_due(trusting)
    with trusting.db.write() as conn:
        gu = builders.actor(conn, "gu")
    asyncio.run(account_stage.connect(trusting, gu, "m", "token-2", another=True))
    builders.work(trusting)
    assert platform[0].posts() == []
    assert builders.only(trusting, before)["due_at"] is None
    composed(trusting, key="2")
    review.take_drafts(trusting)
    assert approved(trusting) == 1


@here
def test_an_account_that_moved_to_another_host_sends_nothing_until_connected_anew(
    trusting: Office, platform: tuple[Mastodon, Server]
) -> None:
    """What was signed for the old host does not go to the new one, nor does the token."""
    composed(trusting, key="1")
    review.take_drafts(trusting)
    plan.plan_due(trusting)
    moved = SOURCE.format(url=platform[1].url.replace("127.0.0.1", "localhost"))
    elsewhere = offices.declared(trusting, moved)
    platform[1].requests = 0
    builders.work(elsewhere)
    assert platform[0].posts() == []
    assert platform[1].requests == 0
