"""Links that do not open: looked up over real sockets, told as findings, never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from bot import lease, linking, links, review, shapes
from bot.cli import main
from bot.compose import preview
from bot.compose.body import Body
from bot.db import Database, posts
from bot.db import links as links_table
from bot.errors import Conflict
from bot.language import use
from bot.model import Capabilities, LinkLook, LinkState, PostState, Severity
from bot.office import Office
from bot.screen import Context, Rules, screen
from bot.sources.probe import Probed, probe
from bot.workdays import FixedClock
from bot.worker import Worker
from tests import builders, offices
from tests.fakes.server import Request, Response, Server
from tests.offices import both, pytest_generate_tests, told, url  # noqa: F401
from tests.test_review import composed, grant, state

HOST, INTRA = "www.yunlan.example.cn", "intra.yunlan.example.cn"
HOUR = timedelta(hours=1)
ON = f'[screening]\ndead_links = true\ninner_hosts = ["{HOST}"]\n'
SOURCE = '[sources.notices]\nunit = "county"\nurl = "feed.xml"\naccounts = ["hand"]\n'


@dataclass
class Site:
    """The public's web site: 200 for every page but those told otherwise."""

    pages: dict[str, int | str] = field(default_factory=dict)  # a status, or where it redirects to
    heads: dict[str, int] = field(default_factory=dict)  # what HEAD answers, where another
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    port: int = 0

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        self.asked.append((request.method, request.path, time.monotonic()))
        said = self.pages.get(request.path, 200)
        if said == 0:
            return self._never()
        if isinstance(said, str):
            return Response(302, headers={"location": said})
        return Response(self.heads.get(request.path, said) if request.method == "HEAD" else said)

    async def _never(self) -> Response:
        await asyncio.sleep(60)
        return Response()

    def url(self, path: str, host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A public name and one of our own network, both led to this machine; a name that is none is none."""
    real = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in (HOST, INTRA) else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    made = Site()
    with Server(made) as server:
        made.port = server._port
        yield made


@pytest.fixture
def desk(office: Office) -> Office:
    return offices.declared(office, ON + SOURCE + offices.HAND.format(key="hand"))


def look(office: Office) -> int:
    return asyncio.run(links.look_up_due(office, pause=0))


def findings(office: Office, post: int) -> list[tuple[str, str, str]]:
    """Of a post as the command line and the API show it."""
    with office.db.read() as conn:
        found = shapes.post(office, conn, post)["findings"]
    return [(f["rule"], f["severity"], f["text"]) for f in found]


def of_row(office: Office) -> Any:
    (row,) = offices.rows(office, links_table)
    return row


# ---------------------------------------------------------------- the rule: a pure function


def test_what_was_looked_up_is_a_finding_where_the_link_stands() -> None:
    able = Capabilities(link_parameter="gk")
    base = "https://www.gov.example"
    text = f"详见{base}/a?x=1&gk=9f，{base}/b，{base}/c，{base}/d#附件，http://oa.local/e。"
    known = {
        f"{base}/a?x=1": LinkLook(LinkState.DEAD, 404),
        f"{base}/b": LinkLook(LinkState.ALIVE, 200),
        f"{base}/d": LinkLook(LinkState.UNREACHABLE, 503),
        "http://oa.local/e": LinkLook(LinkState.UNREACHABLE),
    }
    found = screen(text, context=Context(capabilities=able, links=known))
    said = [(f.rule, f.severity, f.text) for f in found]
    assert said == [
        ("dead-link", Severity.WARN, f"{base}/a?x=1&gk=9f"),
        ("unclear-link", Severity.NOTE, f"{base}/d#附件".removesuffix("附件")),
        ("private-link", Severity.WARN, "http://oa.local/e"),
    ]
    off = Rules({"dead-link": Severity.BLOCK, "unclear-link": None})
    found = screen(text, rules=off, context=Context(capabilities=able, links=known))
    assert [(f.rule, f.severity) for f in found][:1] == [("dead-link", Severity.BLOCK)]
    assert "unclear-link" not in {f.rule for f in found}


# ---------------------------------------------------------------- one address


def asked(site: Site, path: str, seconds: float = 15) -> Probed:
    return asyncio.run(probe(site.url(path), inner=(HOST,), seconds=seconds))


@pytest.mark.parametrize(
    ("page", "head", "state"),
    [
        (200, 200, LinkState.ALIVE),
        (200, 405, LinkState.ALIVE),  # no HEAD there
        (200, 404, LinkState.ALIVE),  # nor there, and it says so wrongly
        (404, 404, LinkState.DEAD),
        (410, 410, LinkState.DEAD),
        (403, 403, LinkState.UNREACHABLE),
        (503, 503, LinkState.UNREACHABLE),
    ],
)
def test_only_a_page_s_own_word_is_death(
    site: Site, page: int, head: int, state: LinkState
) -> None:
    site.pages, site.heads = {"/a.html": page}, {"/a.html": head}
    found = asked(site, "/a.html")
    assert (found.state, found.status) == (state, page)
    assert [method for method, *_ in site.asked] == ["HEAD", "GET"][: 1 + (head != 200)]


def test_redirects_are_followed_but_not_into_a_network_nobody_named(site: Site) -> None:
    site.pages = {"/old": "/new", "/in": site.url("/x", INTRA), "/round": "/round"}
    assert asked(site, "/old").state is LinkState.ALIVE
    before = len(site.asked)
    found = asked(site, "/in")
    assert found.state is LinkState.UNREACHABLE
    assert "不是公网地址" in str(found.words)
    assert {path for _, path, _ in site.asked[before:]} == {"/in"}
    assert asked(site, "/round").state is LinkState.UNREACHABLE


def test_a_host_that_never_answers_and_a_name_that_does_not_exist(site: Site) -> None:
    site.pages = {"/slow": 0}
    began = time.monotonic()
    found = asked(site, "/slow", 0.6)
    assert (found.state, str(found.words)) == (LinkState.UNREACHABLE, "0.6 秒内没有应答")
    assert time.monotonic() - began < 30
    found = asyncio.run(probe("http://no-such-host.invalid/", seconds=10))
    assert (found.state, found.status) == (LinkState.DEAD, 0)
    found = asyncio.run(probe(site.url("/a"), seconds=1))
    assert found.state is LinkState.UNREACHABLE, "a private address that nobody named"


# ---------------------------------------------------------------- a post's links


@both
def test_a_dead_link_is_told_until_it_opens(desk: Office, site: Site, clock: FixedClock) -> None:
    site.pages = {"/a.html": 404}
    link = site.url("/a.html")
    post = builders.draft(desk, ["hand"], f"云澜县停水通知，详见{link}。")
    assert findings(desk, post) == []
    assert look(desk) == 1
    assert findings(desk, post) == [("dead-link", "warn", link)]
    row = of_row(desk)
    assert (row["state"], row["status"], row["looks"]) == (LinkState.DEAD, 404, 1)
    with desk.db.read() as conn:
        (part,) = preview(desk, conn, Body(f"又及{link}#top"), ["hand"])  # what the composer shows
    assert [f.rule for f in part.findings] == ["dead-link"]
    site.pages = {}
    assert look(desk) == 0, "not yet"
    clock.set(row["due_at"])
    assert look(desk) == 1
    assert findings(desk, post) == []
    assert of_row(desk)["due_at"] is None


def test_off_no_address_is_kept_and_nobody_is_asked(office: Office, site: Site) -> None:
    desk = offices.declared(office, offices.HAND.format(key="hand"))
    builders.draft(desk, ["hand"], f"详见{site.url('/a')}。")
    assert offices.rows(desk, links_table) == []


def test_what_a_severity_of_the_office_s_blocks_is_not_signed(office: Office, site: Site) -> None:
    strict = ON + '[screening.severities]\ndead-link = "block"\n'
    desk = offices.declared(office, strict + offices.HAND.format(key="hand"))
    site.pages = {"/a.html": 410}
    post = builders.draft(desk, ["hand"], f"详见{site.url('/a.html')}。")
    look(desk)
    with pytest.raises(Conflict, match="对方说没有这一页"):
        builders.sign(desk, post)


def test_before_its_hour_and_while_it_waits_it_is_asked_again(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    hour = clock.now() + timedelta(hours=30)
    post = builders.draft(desk, ["hand"], f"详见{site.url('/a')}。", go_at=hour)
    with desk.db.write() as conn:
        review.submit(desk, conn, clock.now(), builders.actor(conn, "zhou"), post)
    assert [look(desk), look(desk)] == [1, 0]
    clock.move(25 * 3600)
    assert [look(desk), look(desk)] == [1, 0], "known for a day"
    clock.set(hour - HOUR / 2)
    site.pages = {"/a": 404}
    assert [look(desk), look(desk)] == [1, 0], "its last hour"
    assert [rule for rule, *_ in findings(desk, post)] == ["dead-link"]


# ---------------------------------------------------------------- signed


@both
def test_a_standing_sign_off_waits_for_the_look_and_is_void_where_it_finds_nothing(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    grant(desk, ends=clock.now() + timedelta(days=9), daily_max=9)
    site.pages = {"/a": 404}
    dead = composed(desk, "1", link=site.url("/a"))
    fine = composed(desk, "2", link=site.url("/b"))
    review.take_drafts(desk)
    assert (state(desk, dead), state(desk, fine)) == (PostState.DRAFT, PostState.DRAFT)
    look(desk)
    review.take_drafts(desk)
    assert (state(desk, dead), state(desk, fine)) == (PostState.IN_REVIEW, PostState.APPROVED)


def test_a_standing_sign_off_does_not_wait_for_ever(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    grant(desk, ends=clock.now() + timedelta(days=9), daily_max=9)
    post = composed(desk, link=site.url("/a"))
    review.take_drafts(desk)
    clock.move(linking.PATIENCE.total_seconds())
    review.take_drafts(desk)
    assert state(desk, post) == PostState.APPROVED


@both
def test_what_a_person_signed_is_not_stopped_a_notice_tells_of_it(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    link = site.url("/a")
    post = builders.signed(desk, ["hand"], f"详见{link}。", go_at=clock.now() + 3 * HOUR)
    site.pages = {"/a": 404}
    look(desk)
    assert findings(desk, post) == [], "what was signed had none"
    (notice,) = told(desk)
    assert link in notice
    site.pages = {}
    clock.set(of_row(desk)["due_at"])
    look(desk)
    assert told(desk) == []
    site.pages = {"/a": 404}
    clock.set(clock.now() + 3 * HOUR)
    builders.work(desk)
    assert builders.only(desk, post)["state"] == "sending", "it goes all the same"


# ---------------------------------------------------------------- the work itself

KILLED = """
import asyncio, socket, sys
from datetime import datetime
from bot import lease, links
from bot.config import load
from bot.db import Database
from bot.office import Office
from bot.workdays import FixedClock
from pathlib import Path
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *a, **k: real("127.0.0.1" if "yunlan" in str(host) else host, *a, **k)
config, url, now = sys.argv[1:]
lease.holder = "dead:1"
office = Office(load(Path(config)), Database(url, FixedClock(datetime.fromisoformat(now))))
asyncio.run(links.look_up_due(office, seconds=60))
"""


@both
def test_a_look_up_killed_in_the_middle_is_made_again(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    site.pages = {"/a": 0}
    builders.draft(desk, ["hand"], f"详见{site.url('/a')}。")
    where = desk.db.url.render_as_string(hide_password=False)
    words = (str(desk.config.path), where, clock.now().isoformat())
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words])
    wait_for(lambda: bool(site.asked))
    process.kill()
    process.wait(30)
    row = of_row(desk)
    assert (row["state"], row["lease"].split("/")[0]) == (LinkState.UNKNOWN, "dead:1")
    site.pages = {}
    assert look(desk) == 0, "it is held"
    with desk.db.write() as conn:
        lease.let_go(conn, [links_table], clock.now(), ["dead:1"])
    assert look(desk) == 1
    assert of_row(desk)["state"] == LinkState.ALIVE


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_of_one_host_one_at_a_time_and_none_waits_for_another_host(
    desk: Office, site: Site
) -> None:
    other = f"http://127.0.0.1:{site.port}/other"  # private: not asked, but done with at once
    builders.draft(desk, ["hand"], f"{site.url('/1')} {site.url('/2')} {other}")
    builders.draft(desk, ["hand"], f"另见{site.url('/3')}")
    asyncio.run(links.look_up_due(desk, pause=0.3))
    times = [at for _, _, at in site.asked]
    assert len(times) == 3
    assert all(b - a >= 0.29 for a, b in pairwise(times))
    states = {row["address"]: row["state"] for row in offices.rows(desk, links_table)}
    assert states.pop(other) == LinkState.UNREACHABLE
    assert set(states.values()) == {LinkState.ALIVE}


@both
def test_two_workers_never_ask_one_host_at_once(
    desk: Office, site: Site, clock: FixedClock
) -> None:
    builders.draft(desk, ["hand"], f"{site.url('/1')} {site.url('/2')} http://no-such.invalid/")
    here = links_table.c.host == f"{HOST}:{site.port}"
    with desk.db.write() as conn:
        assert len(lease.claim(conn, links_table, clock.now(), 1, here)) == 1  # another's
    assert look(desk) == 1, "the other host's alone"
    assert site.asked == []
    clock.move(links.HOLD.total_seconds())
    assert look(desk) == 2


def test_an_address_in_two_posts_is_asked_for_once(desk: Office, site: Site) -> None:
    for n in range(2):
        builders.draft(desk, ["hand"], f"第{n}号，详见{site.url('/a')}。")
    assert look(desk) == 1
    assert len(site.asked) == 1


def test_a_worker_looks_links_up_where_the_office_wants_it(
    desk: Office, site: Site, database: Database
) -> None:
    post = builders.draft(desk, ["hand"], "详见http://no-such-host.invalid/a。")
    asyncio.run(Worker(desk).once())
    assert [rule for rule, *_ in findings(desk, post)] == ["dead-link"]
    with database.read() as conn:
        assert conn.execute(select(posts.c.state)).scalar_one() == PostState.DRAFT


def test_screen_asks_at_once_with_links(site: Site, desk: Office) -> None:
    site.pages = {"/a": 404}
    path = str(desk.config.path)
    given = f"详见{site.url('/a')}。"
    for more, rules in (((), []), (("--links",), ["dead-link"])):
        done = CliRunner().invoke(main, ["--config", path, "screen", "-", "--json", *more], given)
        assert done.exit_code == 0, done.output
        assert [f["rule"] for f in json.loads(done.stdout)["findings"]] == rules
    use("zh")
