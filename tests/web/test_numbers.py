"""Every number that is a link leads to its rows: as many as it says, with paging counted.

The pages are found by their links, so that a new figure is followed without a word here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import select, update

from bot import db
from bot.db import Database
from bot.deliver import holds
from bot.language import Say
from bot.model import HoldScope, Role
from bot.office import Office
from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders
from tests.web import scene, serving, showcase
from tests.web.scene import Page, Reader

# What a figure reads like: 待发 24, 停住 3 条, 采到 1, 3 个条目等人决定是否成稿, 4 需要人定.
FIGURE = re.compile(r"^(?:[^\d:：《%]*?(\d[\d,]*)(?: ?[条篇个人处]\D*)?|(\d+) \D+)$")
LISTS = re.compile(
    r"/(queue|posts|review|items|replies|replies/board|accounts|sources|people|trail|quality|stop|calendar)$"
)
NO_FIGURE = re.compile(r"subject=|open=|#hold-|[?&]page=|[?&]before=|/export")
LEAVES = re.compile(r"/logout|/media/|/static/|/export|/board(/p|$|\?|\.)|/docs/|/language")
FIRST = ("/", "/search?q=公交", "/calendar?view=week")
ROWS = {  # where the rows are no data-row of the whole page
    "/stop": "//*[starts-with(@id, 'hold-')]",
    "/people": "//*[@id='here']//*[@data-row]",
}


@pytest.fixture
def busy(migrated: Path, tmp_path: Path) -> Iterator[Office]:
    """The furnished office with more amiss: broken, unread, held twice, an hour too full for its cell."""
    (tmp_path / "data").mkdir()
    store = tmp_path / "data" / "gongkai.db"
    store.write_bytes(migrated.read_bytes())
    with closing(Database(str(store), FixedClock(builders.NOW))) as database:
        office = showcase.opened(tmp_path, database)
        why = Say("凭据已失效：{raw}", raw="401").json()
        with office.db.write() as conn:
            broken = update(db.accounts).where(db.accounts.c.key == "social")
            conn.execute(broken.values(state="broken", broken=why))
            conn.execute(update(db.sources).values(error=why, failures=3))
            who = builders.actor(conn, showcase.SIGNER)
            account = db.accounts.c.key == "lan"
            lan = conn.execute(select(db.accounts.c.id).where(account)).scalar_one()
            holds.hold(conn, builders.NOW, who, HoldScope.ACCOUNT, lan, "核对栏目")
            builders.person(conn, "xin", "信息员", Role.CONTRIBUTOR)
            builders.unit(conn, "fire")
            builders.person(conn, "huo", "霍明", Role.SIGNER, "fire")
        for n in range(6):
            at = builders.NOW + timedelta(hours=2, minutes=n)
            showcase.signed(office, f"第{n}期简报", keys=("social",), go_at=at)
        yield office


def _links(page: Page) -> Iterator[tuple[str, str]]:
    """The links of a page: where they lead, and their words."""
    for link in page.all("//a[@href]"):
        place = urljoin(page.place, link.get("href"))
        if place.startswith("/") and not LEAVES.search(place):
            yield place, " ".join(link.text_content().split())


def _shape(place: str) -> tuple[str, ...]:
    """What pages of one kind have in common."""
    parts = urlsplit(place)
    names = sorted(each.partition("=")[0] for each in parts.query.split("&"))
    return (re.sub(r"\d+", "0", parts.path), *names)


def _said(place: str, words: str) -> int | None:
    """The figure a link says; None where it is no figure of rows."""
    found = FIGURE.match(words)
    if not found or not LISTS.search(urlsplit(place).path) or NO_FIGURE.search(place):
        return None
    dated = "on=" in place and "条" not in words and "失败" not in words
    return None if dated else int((found[1] or found[2]).replace(",", ""))


def _rows(page: Page, place: str) -> int:
    parts = urlsplit(place)
    if "thread=" in parts.query:
        return len(page.all(f"//*[@id='{parts.fragment}']//div[@class='thread']/div"))
    if parts.fragment and page.all(f"//section[@id='{parts.fragment}']"):
        within = f"//section[@id='{parts.fragment}']"
        if not page.all(f"{within}//nav[@class='pager']"):
            return len(page.all(f"{within}//*[@data-row]"))
    if total := re.search(r"共 (\d+) 条", page.words("//nav[@class='pager']/span")):
        return int(total[1])
    return len(page.all(ROWS.get(parts.path, "//main//*[@data-row]")))


def _walk(reader: Reader) -> tuple[int, list[str]]:
    """How many figures were followed, and those that lead to another number of rows."""
    seen, asked, todo, wrong = set[tuple[str, ...]](), set[tuple[str, str]](), deque(FIRST), []
    while todo:
        place = todo.popleft()
        if _shape(place) in seen:
            continue
        seen.add(_shape(place))
        page = reader.get(place)
        if page.status != 200 or "html" not in page.answer.headers["content-type"]:
            continue
        for to, words in list(_links(page)):
            todo.append(to)
            said = _said(to, words)
            if said is None or (to, words) in asked:
                continue
            asked.add((to, words))
            if (rows := _rows(reader.get(to), to)) != said:
                wrong.append(f"{place}: “{words}” → {to}: {rows} rows")
    return len(asked), wrong


@pytest.mark.parametrize("login", [showcase.READER, showcase.EDITOR, "huo", "xin"])
def test_every_number_leads_to_its_rows(busy: Office, login: str) -> None:
    with (
        serving.listening() as taken,
        serving.serving(build(busy), taken),
        closing(scene.Reader(serving.address(taken), login)) as reader,
    ):
        followed, wrong = _walk(reader)
    assert wrong == []
    assert followed > {showcase.READER: 60, showcase.EDITOR: 50}.get(login, -1)
