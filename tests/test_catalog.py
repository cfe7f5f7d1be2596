"""目录: what a poll makes of a catalogue, and what it must never make of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import RowMapping, update

from bot import catalog, compose, people, review
from bot.db import audits, deliveries, holds, item_revisions, items, posts, sources, units
from bot.deliver import plan
from bot.errors import ConfigError, Conflict, NotFound
from bot.language import Say
from bot.model import DeliveryState, HoldScope, ItemState, Reading
from bot.office import Office
from bot.sources.base import SOURCES, Origin, Source
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes.server import Request, Response, Server
from tests.offices import Notice, both, pytest_generate_tests, told, url  # noqa: F401
from tests.sources.serving import Answer, serving
from tests.sources.test_page_follow import Site

SOURCE = """
[sources.notices]
unit = "county"
url = "feed.xml"
accounts = ["hand"]
"""
PAGE = """
[sources.page]
unit = "county"
kind = "page"
url = "{url}"
private = true

[sources.page.options]
pace = 0
recheck = 3
"""
N = ItemState.NEW
SKIPPED = ItemState.SKIPPED


class Desk:
    """An office that polls one feed in a file."""

    def __init__(self, office: Office, clock: FixedClock, more: str = "") -> None:
        self.clock = clock
        self.office = offices.declared(office, SOURCE + more + offices.HAND.format(key="hand"))
        self.file = office.config.path.parent / "feed.xml"

    def shows(self, *entries: Notice) -> None:
        self.file.write_text(offices.rss(entries), "utf-8")

    def poll(self, later: timedelta = timedelta(hours=12)) -> int:
        self.clock.move(later.total_seconds())
        return asyncio.run(catalog.poll_due(self.office))

    def reads(self, *entries: Notice) -> None:
        """One poll of these, newest first."""
        self.shows(*entries)
        assert self.poll() == 1

    @property
    def source(self) -> RowMapping:
        (row,) = offices.rows(self.office, sources)
        return row

    @property
    def items(self) -> dict[str, RowMapping]:
        return {row["title"]: row for row in offices.rows(self.office, items)}

    @property
    def states(self) -> dict[str, str]:
        return {title: row["state"] for title, row in self.items.items()}

    @property
    def gone(self) -> set[str]:
        return {title for title, row in self.items.items() if row["gone_at"]}

    def holds(self) -> list[RowMapping]:
        return [row for row in offices.rows(self.office, holds) if row["lifted_at"] is None]

    def at(self, days: float) -> Any:
        """So many days before now."""
        return self.clock.now() - timedelta(days=days)

    def notice(self, title: str, days: float = 1, **more: Any) -> Notice:
        return Notice(title, self.at(days), **more)


@pytest.fixture
def desk(office: Office, clock: FixedClock) -> Desk:
    return Desk(office, clock)


def numbered(desk: Desk, first: int, last: int) -> list[Notice]:
    """Notices last … first, the newest first; the higher the number the newer."""
    return [desk.notice(f"第{n}号", days=5 - n / 10) for n in range(last, first - 1, -1)]


# ---------------------------------------------------------------- the first poll


@pytest.mark.parametrize(
    ("rule", "new"),
    [("seen", 0), ("latest:2", 2), ("latest:0", 0), ("latest:99", 6), ("all", 6)],
)
def test_the_first_poll_is_the_baseline(
    office: Office, clock: FixedClock, rule: str, new: int
) -> None:
    desk = Desk(office, clock, f'first_poll = "{rule}"\nmax_new = 3\n')
    desk.reads(*numbered(desk, 1, 6))
    chosen = [title for title, state in desk.states.items() if state == N]
    assert chosen == [f"第{n}号" for n in range(6, 6 - new, -1)]
    assert all(
        row["due_at"] and not row["waits"] for row in desk.items.values() if row["state"] == N
    )
    assert told(desk.office) == []


def test_the_latest_are_the_latest_by_date_wherever_they_stand(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, 'first_poll = "latest:2"\n')
    desk.reads(*reversed(numbered(desk, 1, 4)), Notice("无日期"))
    assert [title for title, state in desk.states.items() if state == N] == ["第3号", "第4号"]


def test_the_latest_are_counted_among_the_columns_that_are_drafted(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, 'first_poll = "latest:1"\ncolumns = ["通知公告"]\n')
    desk.reads(
        desk.notice("领导活动", 1, column="领导活动"), desk.notice("通知", 2, column="通知公告")
    )
    assert desk.states == {"领导活动": SKIPPED, "通知": N}


def test_a_first_poll_that_fails_is_no_baseline(desk: Desk) -> None:
    desk.poll()
    assert desk.source["failures"] == 1
    assert desk.source["baseline_at"] is None
    desk.reads(*numbered(desk, 1, 3))
    assert set(desk.states.values()) == {SKIPPED}


# ---------------------------------------------------------------- later polls


@both
def test_the_same_feed_twice_adds_nothing(desk: Desk) -> None:
    desk.reads(*numbered(desk, 1, 3))
    before = desk.items
    desk.reads(*numbered_as(desk, before))
    assert len(offices.rows(desk.office, item_revisions)) == 3
    assert desk.items == before


def numbered_as(desk: Desk, known: dict[str, RowMapping]) -> list[Notice]:
    """The entries once more, with the dates they had."""
    return [Notice(title, row["published"]) for title, row in known.items()]


def test_what_is_new_is_drafted(desk: Desk) -> None:
    old = numbered(desk, 1, 2)
    desk.reads(*old)
    desk.reads(desk.notice("第3号", 0.1), *old)
    assert desk.states == {"第2号": SKIPPED, "第1号": SKIPPED, "第3号": N}
    assert compose.compose_due(desk.office) == 1
    assert desk.states["第3号"] == ItemState.COMPOSED


def test_ten_entries_that_share_a_link_and_a_guid_are_ten_items(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, 'first_poll = "all"\n')
    column = "https://yunlan.example.cn/tzgg/"
    ten = [replace(n, link=column, guid=column) for n in numbered(desk, 1, 10)]
    desk.reads(*ten)
    desk.reads(*ten)
    assert len(desk.items) == 10


def test_entries_that_share_a_link_stay_the_same_when_all_but_one_have_left_the_feed(
    office: Office, clock: FixedClock
) -> None:
    """What was once shared stays shared: an entry is not posted again because its likes are gone."""
    desk = Desk(office, clock, 'first_poll = "all"\n')
    column = "https://yunlan.example.cn/tzgg/"
    ten = [replace(n, link=column, guid=column) for n in numbered(desk, 1, 10)]
    desk.reads(*ten)
    desk.reads(ten[0])
    assert len(offices.rows(desk.office, items)) == 10


def test_an_entry_given_twice_in_one_feed_is_one_item(office: Office, clock: FixedClock) -> None:
    desk = Desk(office, clock, 'first_poll = "all"\n')
    one = desk.notice("停水通知")
    desk.reads(one, one)
    assert len(offices.rows(desk.office, items)) == 1


@pytest.mark.parametrize(("more", "waiting"), [(3, 0), (4, 4)])
def test_more_than_max_new_wait_for_a_person(
    office: Office, clock: FixedClock, more: int, waiting: int
) -> None:
    desk = Desk(office, clock, "max_new = 3\n")
    old = numbered(desk, 1, 2)
    desk.reads(*old)
    desk.reads(*numbered(desk, 3, 2 + more), *old)
    waits = [row for row in desk.items.values() if row["waits"]]
    assert len(waits) == waiting
    assert all(row["state"] == N and row["due_at"] is None for row in waits)
    assert compose.compose_due(desk.office) == more - waiting
    assert [f"多出 {more} 条" in said for said in told(desk.office)] == [True] * bool(waiting)


@both
def test_a_flood_is_over_when_a_person_has_been_through_it(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, "max_new = 1\n")
    desk.reads(desk.notice("旧"))
    desk.reads(desk.notice("甲", 0.1), desk.notice("乙", 0.2), desk.notice("旧"))
    with office.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), clock.now()
        catalog.take(conn, now, zhou, desk.items["甲"]["id"])
    assert len(told(desk.office)) == 1
    with office.db.write() as conn:
        catalog.skip(conn, now, zhou, desk.items["乙"]["id"])
    assert told(desk.office) == []
    compose.compose_due(desk.office)
    assert desk.states == {"旧": SKIPPED, "甲": ItemState.COMPOSED, "乙": SKIPPED}


def test_what_is_older_than_max_age_waits_for_a_person(desk: Desk) -> None:
    desk.reads(desk.notice("旧"))
    desk.reads(desk.notice("补录", 8), desk.notice("新", 6), Notice("无日期"), desk.notice("旧"))
    waits = {title: bool(row["waits"]) for title, row in desk.items.items()}
    assert waits == {"旧": False, "补录": True, "新": False, "无日期": False}
    assert desk.items["无日期"]["published"] is None


def test_a_source_that_does_not_draft_keeps_its_entries_for_a_person(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, 'draft = false\nfirst_poll = "all"\n')
    desk.reads(desk.notice("通知"))
    assert compose.compose_due(desk.office) == 0
    with office.db.read() as conn:
        assert [r["title"] for r in catalog.listing(conn, {1}, state="waiting")] == ["通知"]


def test_after_a_restore_the_next_poll_drafts_nothing_whatever_the_rule(
    office: Office, clock: FixedClock
) -> None:
    desk = Desk(office, clock, 'first_poll = "all"\n')
    desk.reads(desk.notice("旧"))
    with office.db.write() as conn:
        conn.execute(update(sources).values(baseline_at=None, baseline_only=True))
    desk.reads(desk.notice("可能已发", 0.1), desk.notice("旧"))
    assert desk.states["可能已发"] == SKIPPED
    assert "可能已发" not in told(desk.office)
    assert any("恢复备份" in said for said in told(desk.office))
    desk.reads(desk.notice("新", 0.1), desk.notice("可能已发", 0.6), desk.notice("旧", 2))
    assert desk.states["新"] == N


# ---------------------------------------------------------------- it changes


def test_a_changed_text_is_a_new_revision_and_no_new_entry(desk: Desk) -> None:
    one = desk.notice("停水通知", text="明日停水。")
    desk.reads(one)
    desk.reads(replace(one, text="后日停水。"))
    (item,) = desk.items.values()
    assert (item["revision"], item["state"]) == (2, SKIPPED)
    history = offices.rows(desk.office, item_revisions)
    assert [(r["number"], r["entry"]["summary"]) for r in history] == [
        (1, "明日停水。"),
        (2, "后日停水。"),
    ]


def test_a_change_of_markup_alone_is_none(desk: Desk) -> None:
    one = desk.notice("停水通知", text="<p>明日停水。</p>")
    desk.reads(one)
    desk.reads(replace(one, text="<div><span>明日停水。</span></div>"))
    assert desk.items["停水通知"]["revision"] == 1


def drafted(desk: Desk, *notices: Notice) -> list[int]:
    """Posts of these, handed in; first an older entry is read, as baseline."""
    desk.reads(desk.notice("旧", 3))
    desk.reads(*notices, desk.notice("旧", 3.5))
    compose.compose_due(desk.office)
    review.take_drafts(desk.office)
    return [row["id"] for row in offices.rows(desk.office, posts)]


def signed(desk: Desk, *notices: Notice) -> list[int]:
    made = drafted(desk, *notices)
    for post in made:
        builders.sign(desk.office, post)
    plan.plan_due(desk.office)
    return made


@both
@pytest.mark.parametrize("stage", [drafted, signed], ids=["in review", "queued"])
def test_a_changed_entry_holds_what_came_of_it_and_has_not_gone(desk: Desk, stage: Any) -> None:
    one, other = desk.notice("停水通知", 1), desk.notice("停电通知", 1)
    stage(desk, one, other)
    desk.reads(replace(one, text="改了。"), other, desk.notice("旧", 4))
    (hold,) = desk.holds()
    assert (hold["scope"], hold["target_id"]) == (HoldScope.ITEM, desk.items["停水通知"]["id"])
    assert any("改到第 2 版" in said for said in told(desk.office))
    desk.reads(replace(one, text="又改了。"), other, desk.notice("旧", 4.5))
    assert len(desk.holds()) == 1, "one incident, one hold"


def test_what_has_gone_is_not_held_by_a_later_typo_fix(desk: Desk) -> None:
    one = desk.notice("停水通知", 1)
    signed(desk, one)
    with desk.office.db.write() as conn:
        conn.execute(update(deliveries).values(state=DeliveryState.SENT, due_at=None))
    desk.reads(replace(one, text="改了。"), desk.notice("旧", 4))
    assert desk.items["停水通知"]["revision"] == 2
    assert desk.holds() == []


@pytest.mark.parametrize(
    "state", [DeliveryState.UNCERTAIN, DeliveryState.SENDING, DeliveryState.FAILED]
)
def test_what_may_yet_go_again_is_held_by_a_change_too(desk: Desk, state: DeliveryState) -> None:
    one = desk.notice("停水通知", 1)
    signed(desk, one)
    with desk.office.db.write() as conn:
        conn.execute(update(deliveries).values(state=state))
    desk.reads(replace(one, text="改了。"), desk.notice("旧", 4))
    assert len(desk.holds()) == 1


# ---------------------------------------------------------------- it disappears


def test_gone_is_missing_from_two_whole_reads_while_an_older_entry_stands(desk: Desk) -> None:
    old, one, new = desk.notice("旧", 3), desk.notice("撤下的", 2), desk.notice("新", 1)
    desk.reads(new, one, old)
    desk.reads(new, old)
    assert desk.gone == set()
    desk.reads(new, old)
    assert desk.gone == {"撤下的"}


def test_an_entry_whose_page_is_no_more_is_gone_at_once(office: Office, clock: FixedClock) -> None:
    site = Site([3, 2, 1])
    with serving(site.answer) as served:
        desk = offices.declared(office, PAGE.format(url=served.url("/list/")))

        def polled() -> dict[str, bool]:
            clock.move(3600)
            assert asyncio.run(catalog.poll_due(desk)) == 1
            return {row["title"][3:5]: bool(row["gone_at"]) for row in offices.rows(desk, items)}

        assert polled() == {"3项": False, "2项": False, "1项": False}
        site.pages["/a/2.html"] = Answer(status=404)
        assert polled() == {"3项": False, "2项": True, "1项": False}
        site.pages.clear()
        site.rows = [4, 3, 2, 1]
        assert polled() == {"4项": False, "3项": False, "2项": False, "1项": False}
        assert {row["revision"] for row in offices.rows(desk, items)} == {1}


def test_an_entry_that_comes_back_is_not_gone(desk: Desk) -> None:
    old, one = desk.notice("旧", 3), desk.notice("时有时无", 2)
    for listed in ([one, old], [old], [one, old], [old], [one, old]):
        desk.reads(*listed)
    assert desk.gone == set()
    desk.reads(old)
    desk.reads(old)
    assert desk.gone == {"时有时无"}
    desk.reads(one, old)
    assert desk.gone == set()


@both
@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("newest_first", [True, False], ids=["newest first", "oldest first"])
def test_a_feed_that_moves_on_takes_nothing_down(
    desk: Desk, newest_first: bool, dated: bool
) -> None:
    """It shows its latest five; whatever falls off its end is still public."""
    every = [desk.notice(f"第{n}号", days=3 - n / 10) for n in range(12)]
    every = every if dated else [replace(n, at=None) for n in every]
    for shown in range(5, 13):
        window = every[shown - 5 : shown]
        desk.reads(*(reversed(window) if newest_first else window))
    assert desk.gone == set()


@both
@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
@pytest.mark.parametrize("pinned", [1, 2])
def test_an_old_entry_pinned_above_the_newest_proves_nothing(
    desk: Desk, dated: bool, pinned: int
) -> None:
    top = [desk.notice(f"置顶{n}", days=900 + n) for n in range(pinned)]
    every = [desk.notice(f"第{n}号", days=3 - n / 10) for n in range(12)]
    if not dated:
        top, every = ([replace(n, at=None) for n in some] for some in (top, every))
    desk.reads(*top)
    for shown in range(1, 12):
        desk.reads(*top, *reversed(every[max(0, shown - 4) : shown]))
    assert desk.gone == set()
    for _ in range(2):
        desk.reads(*top, every[10], every[8], every[7])
    assert desk.gone == {"第9号"}


def test_the_oldest_first_shows_what_is_gone_too(desk: Desk) -> None:
    every = [desk.notice(f"第{n}号", days=5 - n) for n in range(4)]
    desk.reads(*every)
    for _ in range(2):
        desk.reads(every[0], every[1], every[3])
    assert desk.gone == {"第2号"}


def test_an_empty_catalogue_takes_nothing_down(desk: Desk) -> None:
    desk.reads(*numbered(desk, 1, 3))
    for _ in range(3):
        desk.reads()
    assert desk.gone == set()


def test_an_entry_that_is_gone_holds_what_came_of_it(desk: Desk) -> None:
    signed(desk, desk.notice("撤下的", 1))
    for _ in range(2):
        desk.reads(desk.notice("旧", 4))
    assert desk.gone == {"撤下的"}
    (hold,) = desk.holds()
    assert hold["reason"] == "来源条目已撤下"


def test_a_hold_says_the_latest_of_its_entry(desk: Desk) -> None:
    one = desk.notice("停水通知", 1)
    signed(desk, one)
    desk.reads(replace(one, text="改了。"), desk.notice("旧", 4))
    for _ in range(2):
        desk.reads(desk.notice("旧", 4))
    (hold,) = desk.holds()
    assert hold["reason"] == "来源条目已撤下"
    assert ["来源条目已撤下" in said for said in told(desk.office)] == [True]


# ---------------------------------------------------------------- it cannot be read


def test_a_source_that_fails_is_asked_less_and_less_and_told_of_once(desk: Desk) -> None:
    waits = []
    for _ in range(9):
        desk.poll(timedelta(hours=7))
        waits.append(desk.source["due_at"] - desk.clock.now())
    minutes = [w.total_seconds() / 60 for w in waits]
    assert minutes == [30, 60, 120, 240, 360, 360, 360, 360, 360]
    (said,) = told(desk.office)
    assert "notices" in said
    assert "feed.xml" in str(desk.source["error"])
    desk.reads(desk.notice("恢复"))
    assert told(desk.office) == []
    assert (desk.source["failures"], desk.source["error"]) == (0, None)


def test_a_source_that_fails_now_and_then_is_nobodys_business(desk: Desk) -> None:
    for _ in range(3):
        desk.poll()
        desk.poll()
        desk.reads(desk.notice("通知"))
        desk.file.unlink()
    assert told(desk.office) == []


class Faulty(Source):
    """A reader with a mistake in it."""

    kind = "faulty"

    async def read(self, origin: Origin) -> Reading:
        raise KeyError("a slip of ours")

    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        raise NotImplementedError


def test_a_reader_with_a_mistake_stops_no_other_source(
    desk: Desk, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, "faulty", f"{__name__}:Faulty")
    more = '\n[sources.another]\nunit = "county"\nkind = "faulty"\nurl = "x"\n'
    office = offices.declared(desk.office, SOURCE + more + offices.HAND.format(key="hand"))
    desk.office = office
    desk.shows(desk.notice("通知"))
    for _ in range(3):
        clock.move(12 * 3600)
        assert asyncio.run(catalog.poll_due(office)) == 2
    by_key = {row["key"]: row for row in offices.rows(office, sources)}
    assert by_key["notices"]["ok_at"] == clock.now()
    assert by_key["another"]["failures"] == 3
    (said,) = told(office)
    assert "another" in said
    assert "KeyError" in said


def test_a_page_that_says_410_is_told_of_at_once(office: Office, clock: FixedClock) -> None:
    with Server(lambda request: Response(410)) as server:
        more = f'[sources.notices]\nunit = "county"\nurl = "{server.url}/f"\nprivate = true\n'
        made = offices.declared(office, more)
        asyncio.run(catalog.poll_due(made))
        assert len(told(made)) == 1


def test_an_unchanged_catalogue_is_asked_for_conditionally(
    office: Office, clock: FixedClock
) -> None:
    asked: list[str] = []

    def _serve(request: Request) -> Response:
        asked.append(request.headers.get("if-none-match", ""))
        if asked[-1]:
            return Response(304)
        feed = offices.rss([Notice("通知", clock.now())])
        return Response(200, feed.encode(), {"etag": '"1"', "content-type": "text/xml"})

    with Server(_serve) as server:
        more = f'[sources.notices]\nunit = "county"\nurl = "{server.url}/f"\nprivate = true\n'
        made = offices.declared(office, more)
        for _ in range(3):
            asyncio.run(catalog.poll_due(made))
            clock.move(3600)
    assert asked == ["", '"1"', '"1"']
    assert len(offices.rows(made, items)) == 1
    (source,) = offices.rows(made, sources)
    assert source["ok_at"] == clock.now() - timedelta(hours=1)


@both
def test_a_reading_whose_lease_was_lost_is_not_taken_in(desk: Desk) -> None:
    """A worker slower than its lease: another has read meanwhile."""
    desk.shows(desk.notice("通知"))
    slow = catalog.polling._claim(desk.office, 4)
    desk.clock.move(180)
    desk.reads(desk.notice("通知"))
    part = desk.office.config.sources["notices"]
    asyncio.run(catalog.polling._poll(desk.office, slow[0], part))
    assert len(offices.rows(desk.office, items)) == 1


# ---------------------------------------------------------------- the file


def test_a_unit_that_vanished_from_the_file_is_stopped_until_a_person_says_otherwise(
    office: Office, clock: FixedClock
) -> None:
    health = '[units.health]\nname = "云澜县卫生健康局"\nparent = "county"\n'
    made = offices.declared(office, offices.HAND.format(key="hand"), builders.CONFIG + health)
    with made.db.write() as conn:
        unit, zhou = people.unit_of(conn, "health")["id"], builders.actor(conn, "zhou")
        body = compose.Body("接种通知。")
        post = compose.create(made, conn, clock.now(), zhou, unit_id=unit, keys=["hand"], body=body)
    builders.sign(made, post)
    plan.plan_due(made)
    for _ in range(2):
        made = offices.declared(made, offices.HAND.format(key="hand"))
    builders.work(made)
    assert builders.only(made, post)["state"] == DeliveryState.READY
    (hold,) = offices.rows(made, holds)
    assert (hold["scope"], hold["target_id"]) == (HoldScope.UNIT, unit)
    assert "不再有单位 health" in hold["reason"]
    assert told(made) == [hold["reason"]]


def test_a_key_that_vanished_from_the_file_pauses(desk: Desk) -> None:
    made = offices.declared(desk.office, "")
    assert desk.source["state"] == "paused"
    assert asyncio.run(catalog.poll_due(made)) == 0
    with made.db.write() as conn:  # somebody activates it all the same: there is nothing to read
        conn.execute(update(sources).values(state="active"))
    assert asyncio.run(catalog.poll_due(made)) == 0


def test_another_address_is_read_whole_and_at_once(desk: Desk) -> None:
    desk.reads(desk.notice("通知"))
    with desk.office.db.write() as conn:
        conn.execute(update(sources).values(etag='"1"'))
    moved = SOURCE.replace("feed.xml", "other.xml") + offices.HAND.format(key="hand")
    offices.declared(desk.office, moved)
    assert (desk.source["etag"], desk.source["due_at"]) == ("", desk.clock.now())


def test_units_get_the_parents_the_file_gives_them(office: Office) -> None:
    health = '\n[units.health]\nname = "卫健局"\nparent = "county"\n'
    offices.declared(office, health)
    by_key = {row["key"]: row for row in offices.rows(office, units)}
    assert by_key["health"]["parent_id"] == by_key["county"]["id"]
    offices.declared(office, health.replace('parent = "county"', ""))
    by_key = {row["key"]: row for row in offices.rows(office, units)}
    assert by_key["health"]["parent_id"] is None


@pytest.mark.parametrize(
    ("line", "near"),
    [('kind = "fede"', "feed"), ("[sources.notices.options]\nmax_byte = 1", "max_bytes")],
)
def test_a_mistake_in_a_source_names_the_near_word(office: Office, line: str, near: str) -> None:
    with pytest.raises(ConfigError, match=near) as caught:
        offices.declared(office, SOURCE + line + offices.HAND.format(key="hand"))
    assert "config.toml" in str(caught.value)


# ---------------------------------------------------------------- people's acts


def test_what_is_composed_is_neither_taken_nor_skipped(desk: Desk) -> None:
    drafted(desk, desk.notice("通知"))
    with desk.office.db.write() as conn:
        zhou, item = builders.actor(conn, "zhou"), desk.items["通知"]["id"]
        for act in (catalog.take, catalog.skip):
            with pytest.raises(Conflict, match="已经成稿"):
                act(conn, desk.clock.now(), zhou, item)
        with pytest.raises(NotFound):
            catalog.take(conn, desk.clock.now(), zhou, 999)


def test_a_paused_source_is_not_polled(desk: Desk) -> None:
    with desk.office.db.write() as conn:
        gu = builders.actor(conn, "gu")
        catalog.pause(conn, desk.clock.now(), gu, "notices", True)
    assert desk.poll() == 0
    with desk.office.db.write() as conn:
        catalog.pause(conn, desk.clock.now(), gu, "notices", False)
    assert desk.poll(timedelta(0)) == 1


def test_an_editor_may_have_it_read_now(desk: Desk) -> None:
    desk.reads(desk.notice("通知"))
    assert desk.poll(timedelta(minutes=1)) == 0
    with desk.office.db.write() as conn:
        catalog.poll_now(conn, desk.clock.now(), builders.actor(conn, "zhou"), "notices")
    assert desk.poll(timedelta(0)) == 1


def test_each_act_is_on_the_trail(desk: Desk) -> None:
    desk.reads(desk.notice("甲"), desk.notice("乙"))
    with desk.office.db.write() as conn:
        now, zhou, gu = desk.clock.now(), *(builders.actor(conn, w) for w in ("zhou", "gu"))
        catalog.take(conn, now, zhou, desk.items["甲"]["id"])
        catalog.skip(conn, now, zhou, desk.items["乙"]["id"])
        catalog.pause(conn, now, gu, "notices", True)
        catalog.pause(conn, now, gu, "notices", False)
    verbs = [row["verb"] for row in offices.rows(desk.office, audits)]
    assert verbs == ["item.take", "item.skip", "source.pause", "source.activate"]


@both
def test_items_are_found_by_state_source_and_words(desk: Desk) -> None:
    desk.reads(desk.notice("停水 50% 通知", 1), desk.notice("停电通知", 2), Notice("无日期"))
    with desk.office.db.read() as conn:
        found = [
            [r["title"] for r in catalog.listing(conn, {1}, **asked)]
            for asked in ({}, {"words": "%"}, {"source": "x"}, {"state": "new"}, {"limit": 1})
        ]
        assert catalog.listing(conn, set()) == []
    assert found == [
        ["停水 50% 通知", "停电通知", "无日期"],
        ["停水 50% 通知"],
        [],
        [],
        ["停水 50% 通知"],
    ]


def test_a_marked_document_in_a_folder_is_told_until_it_is_gone(
    office: Office, clock: FixedClock
) -> None:
    inbox = office.config.path.with_name("inbox")
    inbox.mkdir()
    marked, plain = inbox / "某事项.txt", inbox / "停水.txt"
    marked.write_text("机密★10年\n关于某事项的通知\n内容。\n", "utf-8")
    plain.write_text("停水\n\n明日停水。\n", "utf-8")
    folder = '\n[sources.inbox]\nunit = "county"\nkind = "folder"\nurl = "inbox"\n'
    made = offices.declared(office, folder)
    asyncio.run(catalog.poll_due(made))
    said = "来源 inbox 里有 1 个文件标有密级，没有读：某事项.txt；请立即移出"
    assert told(made) == [said]
    marked.unlink()
    clock.move(3600)
    asyncio.run(catalog.poll_due(made))
    assert told(made) == []


def test_an_entry_that_is_nothing_but_a_title_waits_for_a_person(
    office: Office, clock: FixedClock
) -> None:
    inbox = office.config.path.with_name("inbox")
    inbox.mkdir()
    (inbox / "公告.pdf").write_bytes(b"%PDF-1.4\n")
    folder = (
        '\n[sources.inbox]\nunit = "county"\nkind = "folder"\nurl = "inbox"\nfirst_poll = "all"\n'
    )
    made = offices.declared(office, folder)
    asyncio.run(catalog.poll_due(made))
    (row,) = offices.rows(made, items)
    assert (row["title"], row["due_at"]) == ("公告", None)
    assert str(Say.of(row["waits"])) == "只有标题，没有摘要、正文和链接"
