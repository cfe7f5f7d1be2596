"""Promise 7: the trail holds. Every act has its entry, whatever kills the worker that wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from bot import audit
from bot.db import audits, deliveries, revisions, signoffs
from bot.model import DeliveryState
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import FAULTS, Server

S = DeliveryState
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
WORDS = "云澜河水位今晨超过警戒线。"


@pytest.fixture
def worked(office: Office, platform: tuple[Mastodon, Server], clock: FixedClock) -> Office:
    """Posts drafted, signed, sent, one of them looked up, one missed; all of it sealed."""
    builders.account(office, "a1", platform[1].url, 1)
    platform[1].faults.script(FAULTS["cut_after"], method="POST", path="/statuses")
    for n in range(3):
        builders.signed(office, ["a1"], f"{WORDS}{n}")
    builders.work(office)
    clock.move(60)
    builders.work(office)
    builders.signed(office, ["a1"], f"{WORDS}迟")
    clock.move(3 * 3600)
    builders.work(office)
    with office.db.write() as conn:
        audit.seal(conn)
    return office


def entries(office: Office, verb: str) -> list[str]:
    with office.db.read() as conn:
        query = select(audits.c.subject).where(audits.c.verb == verb).order_by(audits.c.id)
        return list(conn.execute(query).scalars())


@here
def test_each_act_has_its_entry_with_its_revision(worked: Office) -> None:
    with worked.db.read() as conn:
        sent = (
            conn.execute(select(deliveries.c.id).where(deliveries.c.state == S.SENT))
            .scalars()
            .all()
        )
        missed = conn.execute(
            select(deliveries.c.id).where(deliveries.c.state == S.MISSED)
        ).scalars()
        signed = conn.execute(select(signoffs.c.revision_id)).scalars().all()
        passes = conn.execute(select(audits.c.data).where(audits.c.verb == "post.pass")).scalars()
        assert sorted(d["revision"] for d in passes) == sorted(signed)
        assert entries(worked, "delivery.missed") == [f"delivery:{i}" for i in missed]
    assert sorted(entries(worked, "delivery.sent")) == sorted(f"delivery:{i}" for i in sent)
    assert len(entries(worked, "delivery.uncertain")) == 1


@here
def test_the_trail_holds_ids_and_digests_and_no_words(worked: Office) -> None:
    with worked.db.read() as conn:
        kept = json.dumps([dict(r) for r in conn.execute(select(audits)).mappings()], default=str)
        digests = set(conn.execute(select(revisions.c.digest)).scalars())
    assert WORDS not in kept
    assert WORDS.encode("unicode_escape").decode() not in kept
    assert all(digest in kept for digest in digests)


@here
@pytest.mark.parametrize("forgery", ["changed", "gone", "swapped"])
def test_a_hand_in_the_store_shows(worked: Office, tmp_path: Path, forgery: str) -> None:
    with worked.db.read() as conn:
        assert audit.verify(conn).faults == ()
        middle = conn.execute(select(func.max(audits.c.id))).scalar_one() // 2
    with worked.db.write() as conn:
        if forgery == "changed":
            conn.execute(update(audits).where(audits.c.id == middle).values(person_id=999))
        elif forgery == "gone":
            conn.execute(delete(audits).where(audits.c.id == middle))
        else:
            at = dict(conn.execute(select(audits.c.id, audits.c.number)).all())
            for one, number in ((middle, -1), (middle + 1, at[middle]), (middle, at[middle + 1])):
                conn.execute(update(audits).where(audits.c.id == one).values(number=number))
    with worked.db.read() as conn:
        assert audit.verify(conn).faults
