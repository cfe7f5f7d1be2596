"""Promise 5: what was collected is known, though the platform tears answers and workers die."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.db import replies, reply_versions, watches
from bot.model import ReplyState
from bot.office import Office
from tests import builders, storm
from tests.fakes.mastodon import Mastodon
from tests.storm import Weather
from tests.storm_worker import Nursery, Order

COLLECT = """
[collect]
every = "1s"
fresh = "1s"
full_every = "1s"
"""
TORN = {"cut_before": 0.08, "half": 0.08, "html_502": 0.08, "error_500": 0.04, "delay:0.2": 0.1}


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_every_reply_edit_and_removal_is_known_in_the_end(tmp_path: Path) -> None:
    dice = random.Random(5)
    with (
        storm.office_at(f"sqlite:///{tmp_path / 'gongkai.db'}", tmp_path, COLLECT) as office,
        storm.platform(1) as (fake, weather, server),
    ):
        builders.account(office, "a1", server.url, 1)
        builders.signed(office, ["a1"], "征求意见。")
        builders.work(office)
        weather.random(TORN, 5, method="GET")
        nursery = Nursery()
        try:
            _answer_and_kill(office, fake, nursery, dice)
            _until(lambda: _hurried(office) and _known(office) == _shown(fake), 60)
            _hold_against_each_other(office, fake, weather)
        finally:
            nursery.close()


def _answer_and_kill(office: Office, fake: Mastodon, nursery: Nursery, dice: random.Random) -> None:
    """Ninety replies, ten of them edited, ten removed, while the worker is killed six times."""
    (post,) = fake.posts()
    made: list[str] = []
    for n in range(90):
        under = dice.choice([post["id"], *made[-3:]]) if made else post["id"]
        made.append(fake.answer(under, f"意见 {n}。"))
        if n % 15 == 0:
            nursery.end(signal.SIGKILL)
            nursery.start(Order(str(office.config.path)))
        time.sleep(0.05)
    leaves = [i for i in made if not fake.statuses[i].children]
    _until(lambda: _hurried(office) and len(_known(office)) == 90, 60)
    for i in leaves[:10]:
        fake.rewrite(i, f"改：{fake.statuses[i].text}")
    for i in leaves[-10:]:
        fake.remove(i)


def _hurried(office: Office) -> bool:
    """Time compressed: polls that failed in a row are put off by minutes, which nobody waits out here."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        put_off = watches.c.lease.is_(None), watches.c.due_at > now + timedelta(seconds=2)
        conn.execute(update(watches).where(*put_off).values(due_at=now))
    return True


def _until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def _known(office: Office) -> dict[str, str]:
    """What the store shows as standing: remote id → text."""
    query = select(replies.c.remote_id, replies.c.text).where(
        replies.c.state != ReplyState.REMOVED, replies.c.own.is_(False)
    )
    with office.db.read() as conn:
        return dict(conn.execute(query).all())


def _shown(fake: Mastodon) -> dict[str, str]:
    return {s.id: s.text for s in fake.statuses.values() if s.account.name == "citizen"}


def _hold_against_each_other(office: Office, fake: Mastodon, weather: Weather) -> None:
    removed = {s.id: s.text for s in fake.log if s.gone}
    with office.db.read() as conn:
        gone = dict(
            conn.execute(
                select(replies.c.remote_id, replies.c.text).where(
                    replies.c.state == ReplyState.REMOVED
                )
            ).all()
        )
        edited = conn.execute(
            select(reply_versions.c.text).where(reply_versions.c.text.like("意见 %"))
        ).scalars()
        watch = conn.execute(select(watches)).mappings().one()
    assert gone == removed, "marked removed without a reason, or their words were lost"
    kept = set(edited)
    assert {s.text.removeprefix("改：") for s in fake.log if s.text.startswith("改：")} <= kept
    assert watch["seen"] >= watch["total"] == 80
