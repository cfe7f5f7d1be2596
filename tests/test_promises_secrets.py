"""Promise 8: secrets stay secret, also where the platform itself says them back."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.db import accounts
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, storm
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Fault, Response, Server, page, reply
from tests.storm_worker import Nursery, Order

SECRET = "gk-7f3a9c5e1b2d4f60"
SAID_BACK = {
    "refused": reply({"error": f"Invalid token {SECRET}"}, 422),
    "a page": page(f"<h1>500</h1><pre>Authorization: Bearer {SECRET}</pre>", 500),
    "nonsense": reply({"you_sent": {"authorization": f"Bearer {SECRET}"}}),
    "plain": Response(503, f"denied for {SECRET}".encode(), {"content-type": "text/plain"}),
    "limited": reply({"error": f"{SECRET} too often"}, 429, {"retry-after": "1"}),
    "moved": Response(302, b"", {"location": f"https://elsewhere.example/?token={SECRET}"}),
    "forbidden": reply({"error": SECRET}, 403),
}


def _secretive(office: Office, fake: Mastodon, server: Server) -> None:
    builders.account(office, "a1", server.url, 1)
    fake.tokens[SECRET] = fake.tokens.pop("token-1")
    with office.db.write() as conn:
        conn.execute(update(accounts).values(credential=office.secrets.seal(SECRET)))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("answer", SAID_BACK)
def test_what_the_platform_says_back_is_not_kept_or_logged(
    office: Office,
    platform: tuple[Mastodon, Server],
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
    answer: str,
) -> None:
    fake, server = platform
    _secretive(office, fake, server)
    caplog.set_level(logging.INFO)
    builders.signed(office, ["a1"], "照常发布。")
    server.faults.script(Fault(False, SAID_BACK[answer]), method="POST", path="/statuses")
    for _ in range(20):
        builders.work(office)
        clock.move(30)
    assert SECRET not in caplog.text
    assert SECRET.encode() not in _everything(office)


def _everything(office: Office) -> bytes:
    file = Path(str(office.db.url.database))
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


@pytest.mark.storm
@pytest.mark.xdist_group("storm")
def test_a_working_process_shows_no_secret(tmp_path: Path) -> None:
    """Not in its arguments, its environment, its log or anything it leaves on the disk."""
    with (
        storm.office_at(f"sqlite:///{tmp_path / 'gongkai.db'}", tmp_path) as office,
        storm.platform(2) as (fake, _, server),
    ):
        _secretive(office, fake, server)
        builders.signed(office, ["a1"], "照常发布。")
        nursery = Nursery()
        try:
            pid = nursery.start(Order(str(office.config.path)))
            end = time.monotonic() + 20
            while not fake.posts() and time.monotonic() < end:
                time.sleep(0.05)
            shown = b"".join(
                Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")
            )
            nursery.end()
        finally:
            nursery.close()
        assert len(fake.posts()) == 1
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        for kept in [shown, *(path.read_bytes() for path in files)]:
            assert SECRET.encode() not in kept
