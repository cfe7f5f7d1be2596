"""逐段公开 in dated steps, working and other days, and what people do with schedules."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot import lease, review, schedule
from bot.cli import main
from bot.db import deliveries, occurrences, posts
from bot.deliver import plan
from bot.errors import ConfigError, Conflict, Invalid, NotAllowed
from bot.language import Say
from bot.model import Actor, PostState
from bot.office import Office
from bot.schedule import DONE, MISSED, OFF, PLANNED, SKIPPED, firing, planning
from bot.schedule.files import named
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401
from tests.test_schedule import DIGEST, MORE, SLOTS, Desk, _move, office_time

SERIES = """
name = "老旧小区改造进展"
unit = "county"
accounts = ["hand"]
lead = "1d"
lateness = "2h"
end = 2026-12-31
[[step]]
at = 2026-11-26
title = "方案公示"
text = "云澜县老旧小区改造方案今起公示。"
[[step]]
at = 2026-12-01T10:00:00
title = "开工"
[[step]]
at = 2026-12-20T10:00:00
title = "竣工"
"""


@pytest.fixture
def desk(office: Office) -> Desk:
    return Desk(offices.declared(office, MORE + offices.HAND.format(key="hand")))


def actor(desk: Desk, login: str) -> Actor:
    with desk.office.db.read() as conn:
        return builders.actor(conn, login)


# ---------------------------------------------------------------- steps


@both
def test_a_step_with_its_words_becomes_a_post_ahead_of_its_day(desk: Desk) -> None:
    desk.write("series", SERIES)
    desk.plan()
    _move(desk, "2026-11-25T09:00")
    assert desk.fire() == 1
    (post,) = rows(desk.office, posts)
    assert (post["title"], post["go_at"]) == ("方案公示", office_time("2026-11-26T09:00"))
    assert desk.texts() == ["云澜县老旧小区改造方案今起公示。"]
    review.take_drafts(desk.office)
    assert rows(desk.office, posts)[0]["state"] == PostState.IN_REVIEW


def test_missing_material_is_asked_for_ahead_until_somebody_hands_it_in(desk: Desk) -> None:
    desk.write("series", SERIES)
    desk.plan()
    assert told(desk.office) == []
    _move(desk, "2026-11-28T10:00")
    desk.plan()
    said = "“老旧小区改造进展”的“开工”定于 12-01 10:00 发布，还没有材料：拟稿时选时段 series"
    assert told(desk.office) == [said]
    builders.draft(desk.office, ["hand"], "今日开工。", slot="series")
    desk.plan()
    assert told(desk.office) == []


@both
def test_a_step_takes_the_post_that_was_handed_in(desk: Desk) -> None:
    desk.write("series", SERIES)
    _move(desk, "2026-11-30T10:00")
    desk.plan()
    post = builders.draft(desk.office, ["hand"], "今日开工。", slot="series")
    builders.sign(desk.office, post)
    _move(desk, "2026-12-01T10:00")
    desk.fire()
    plan.plan_due(desk.office)
    (row,) = rows(desk.office, deliveries)
    assert (row["post_id"], row["go_at"]) == (post, office_time("2026-12-01T10:00"))


def test_a_step_waits_for_its_post_as_long_as_it_may_then_it_is_missed(desk: Desk) -> None:
    desk.write("series", SERIES)
    _move(desk, "2026-11-30T10:00")
    desk.plan()
    _move(desk, "2026-12-01T10:00")
    desk.fire()
    assert [row["state"] for row in desk.rows()] == [PLANNED]
    _move(desk, "2026-12-01T12:01")
    desk.fire()
    assert [row["state"] for row in desk.rows()] == [MISSED]
    assert any("没有已签发的材料" in said for said in told(desk.office))


def test_a_late_post_still_takes_its_step(desk: Desk) -> None:
    desk.write("series", SERIES)
    _move(desk, "2026-11-30T10:00")
    desk.plan()
    _move(desk, "2026-12-01T10:00")
    desk.fire()
    builders.sign(desk.office, builders.draft(desk.office, ["hand"], "开工。", slot="series"))
    _move(desk, "2026-12-01T11:00")
    desk.fire()
    assert [row["state"] for row in desk.rows()] == [DONE]


def test_a_template_makes_a_step_s_words(desk: Desk) -> None:
    words = '+++\nname = "进展"\n+++\n{{ name }}（{{ number }}/{{ of }}）：{{ title }}'
    (desk.office.config.path.parent / "templates" / "stage.txt").write_text(words, "utf-8")
    first = '\ntext = "云澜县老旧小区改造方案今起公示。"'
    desk.write("series", SERIES.replace(first, '\ntemplate = "stage"'))
    desk.plan()
    _move(desk, "2026-11-25T09:00")
    desk.fire()
    assert desk.texts() == ["老旧小区改造进展（1/3）：方案公示"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2026-12-20T10:00:00", "2026-11-20T10:00:00", "先后"),
        ("end = 2026-12-31", "end = 2026-12-01", "早于最后一步"),
        (
            "[[step]]\nat = 2026-11-26",
            '[[when]]\nhour = "9"\n[[step]]\nat = 2026-11-26',
            "二者取一",
        ),
        ('text = "云澜县', 'template = "nothing"\ntext = "云澜县', "nothing"),
    ],
)
def test_a_mistake_in_a_series_is_told(desk: Desk, old: str, new: str, said: str) -> None:
    text = SERIES.replace(old, new)
    if said == "早于最后一步":  # keys above are read before those they depend on
        text = text.replace(new + "\n", "").replace('lead = "1d"', f'{new}\nlead = "1d"')
    with pytest.raises(ConfigError, match=said):
        schedule.load(desk.office, desk.write("series", text))


# ---------------------------------------------------------------- days


def test_holidays_have_schedules_of_their_own(desk: Desk) -> None:
    after = office_time("2026-09-30T12:00")
    found = desk.next('hour = "9"', 7, after, days='"holidays"')
    assert found == [f"10-0{n} 09:00" for n in range(1, 8)]
    rest = desk.next('hour = "9"', 3, office_time("2026-10-08T12:00"), days='"restdays"')
    assert rest == ["10-11 09:00", "10-17 09:00", "10-18 09:00"], "the 10th is worked"


def test_a_time_on_a_day_off_may_roll_to_the_next_working_day(desk: Desk) -> None:
    after = office_time("2026-09-15T12:00")
    found = desk.next('hour = "9"\nday = "1,2"', 4, after, roll="true")
    assert found == ["10-08 09:00", "11-02 09:00", "12-01 09:00", "12-02 09:00"], "once, not twice"
    inside = desk.next('hour = "9"\nday = "1"', 1, office_time("2026-10-03T12:00"), roll="true")
    assert inside == ["10-08 09:00"], "one that is just being waited for"


def test_after_its_end_it_is_over(desk: Desk) -> None:
    assert desk.next('hour = "9"', 5, end="2026-11-26") == ["11-25 09:00", "11-26 09:00"]


def test_a_digest_may_look_back_no_longer_than_it_says(desk: Desk) -> None:
    desk.write("daily", DIGEST.format(more="").replace("[items]", '[items]\nwithin = "1d"'))
    desk.plan()
    desk.seen("旧的")
    _move(desk, "2026-11-26T10:00")
    desk.plan()
    desk.seen("新的")
    _move(desk, "2026-11-26T15:30")
    while desk.fire():
        pass
    (text,) = desk.texts()[-1:]
    assert "新的" in text
    assert "旧的" not in text


# ---------------------------------------------------------------- what if


def test_what_if_lists_times_and_what_stands_in_the_way(office: Office) -> None:
    hand = offices.HAND.format(key="hand")
    hand = hand.replace("[accounts.hand]\n", '[accounts.hand]\nquiet = "22:00-07:00"\n')
    desk = Desk(offices.declared(office, MORE + hand))
    rule = desk.rule('hour = "8,21,23"\nday = "1"')
    begins, ends = office_time("2026-09-30T00:00"), office_time("2026-10-02T00:00")
    found, unknown = schedule.what_if(desk.office, rule, begins, ends)
    assert unknown is None
    assert [(row["day"], row["remarks"]) for row in found] == [
        ("国庆节", []),
        ("国庆节", []),
        ("国庆节", ["账号 云澜发布 的静默时段，过后已超出最迟时限，发不出"]),
    ]
    assert desk.rows() == [], "nothing was planned"


def test_what_became_of_past_times_and_of_steps_that_were_past_when_written(desk: Desk) -> None:
    late = SERIES.replace("2026-11-26\n", "2026-11-20\n")
    desk.write("series", SERIES)
    desk.plan()
    _move(desk, "2026-11-25T09:00")
    desk.fire()
    _move(desk, "2026-11-27T09:00")
    desk.write("late", late)
    desk.plan()
    begins, ends = office_time("2026-11-01T00:00"), office_time("2026-12-02T00:00")
    found, _ = schedule.what_if(desk.office, named(desk.office, "series"), begins, ends)
    assert [row["remarks"] for row in found] == [["已办"], ["须有人交材料"]]
    found, _ = schedule.what_if(desk.office, named(desk.office, "late"), begins, ends)
    assert [row["remarks"] for row in found] == [["已经过去，不会补办"], ["须有人交材料"]]
    checked = CliRunner().invoke(main, ["--config", str(desk.office.config.path), "check"])
    gone = (
        "* 日程 late 的“方案公示”（2026-11-20 09:00）已经过去，不会补办；还要发的请改日期或另行拟稿"
    )
    assert gone in checked.output.splitlines()
    assert "* 日程 series" not in checked.output


def test_a_holiday_schedule_asks_for_next_year_only_when_it_comes_near(desk: Desk) -> None:
    desk.write("holidays", 'days = "holidays"' + SLOTS)
    assert planning.plan_ahead(desk.office) == [], (
        "no holiday is left this year; that is no mistake"
    )
    checked = CliRunner().invoke(main, ["--config", str(desk.office.config.path), "check"])
    assert "! 日程 holidays：2027 年的放假调休安排尚未录入" in checked.output
    _move(desk, "2026-12-30T09:00")
    (wrong,) = planning.plan_ahead(desk.office)
    assert str(wrong).startswith("日程 holidays：2027 年的放假调休安排尚未录入")


# ---------------------------------------------------------------- acts


def skip(desk: Desk, words: str, *, undo: bool = False, by: str = "lin") -> None:
    who = actor(desk, by)
    with desk.office.db.write() as conn:
        schedule.skip(desk.office, conn, desk.now(), who, "slots", office_time(words), undo=undo)


@both
def test_a_time_called_off_stays_so_until_it_is_not(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    skip(desk, "2026-11-25T08:00")
    skip(desk, "2026-11-30T08:00")
    desk.plan()
    assert desk.states() == [("25 08:00", OFF), ("26 08:00", PLANNED), ("30 08:00", OFF)]
    skip(desk, "2026-11-25T08:00", undo=True)
    desk.plan()
    assert desk.states()[0] == ("25 08:00", PLANNED)
    with pytest.raises(Invalid, match="没有这个时间"):
        skip(desk, "2026-11-25T09:00")
    with pytest.raises(Conflict, match="过点"):
        skip(desk, "2026-11-23T08:00")
    with pytest.raises(NotAllowed):
        skip(desk, "2026-11-25T08:00", by="stranger")


def test_a_time_far_ahead_is_looked_up_and_not_counted_to(desk: Desk) -> None:
    """The store is being written to meanwhile: the stop switch would wait for it."""
    desk.write("slots", SLOTS.replace('hour = "8"', 'hour = "*"\nminute = "*"'))
    began = time.monotonic()
    skip(desk, "2027-11-25T08:00")
    assert time.monotonic() - began < 1
    assert desk.states() == [("25 08:00", OFF)]


@pytest.fixture(autouse=True)
def _a_stranger(office: Office) -> None:
    with office.db.write() as conn:
        builders.person(conn, "stranger", "路人")


@both
def test_paused_at_its_very_second_gives_no_slot(desk: Desk) -> None:
    """The machine has the occurrence in hand: who pauses is told that it is paused."""
    desk.write("slots", SLOTS)
    desk.plan()
    lin = actor(desk, "lin")
    with desk.office.db.write() as conn:
        (claimed, *_) = lease.claim(conn, occurrences, desk.rows()[0]["at"], 1)
        schedule.pause(desk.office, conn, desk.now(), lin, "slots", "哀悼日")
    with desk.office.db.write() as conn, pytest.raises(Conflict), conn.begin_nested():
        firing._fire(desk.office, conn, claimed["at"], claimed)
    assert {row["state"] for row in desk.rows()} == {SKIPPED}


@both
def test_paused_by_a_person_until_he_lets_it_go_on(desk: Desk) -> None:
    desk.write("slots", SLOTS)
    desk.plan()
    lin = actor(desk, "lin")
    with desk.office.db.write() as conn:
        schedule.pause(desk.office, conn, desk.now(), lin, "slots", "哀悼日")
    assert {row["state"] for row in desk.rows()} == {SKIPPED}
    assert str(Say.of(desk.rows()[0]["reason"])) == str(planning.PAUSED)
    desk.plan()
    assert {row["state"] for row in desk.rows()} == {SKIPPED}
    with desk.office.db.write() as conn:
        schedule.pause(desk.office, conn, desk.now(), lin, "slots", "", undo=True)
    desk.plan()
    assert {row["state"] for row in desk.rows()} == {PLANNED}


def test_steps_of_an_outage_are_missed_and_those_of_a_pause_are_not(desk: Desk) -> None:
    desk.write("series", SERIES)
    desk.write("slots", SLOTS)
    desk.plan()
    lin = actor(desk, "lin")
    with desk.office.db.write() as conn:
        schedule.pause(desk.office, conn, desk.now(), lin, "slots", "哀悼日")
    _move(desk, "2026-12-05T09:30")
    desk.plan()
    while desk.fire():
        pass
    past = [row for row in desk.rows() if row["at"] < desk.now()]
    steps = {row["state"] for row in past if row["schedule"] == "series"}
    assert (len(past), steps) == (2 + 2, {MISSED})
    assert {row["state"] for row in past if row["schedule"] == "slots"} == {SKIPPED}


def test_one_more_now(desk: Desk) -> None:
    desk.write("daily", DIGEST.format(more=""))
    desk.plan()
    desk.office.db.clock.move(3600)  # type: ignore[attr-defined]
    desk.seen("甲")
    with desk.office.db.write() as conn:
        made = schedule.run(desk.office, conn, desk.now(), builders.actor(conn, "lin"), "daily")
    desk.fire()
    (row,) = (one for one in rows(desk.office, occurrences) if one["id"] == made)
    assert row["state"] == DONE
    _move(desk, "2026-11-24T15:30")
    desk.fire()
    assert len(rows(desk.office, posts)) == 1, "what was said already is not said again"


def test_a_series_is_not_run_out_of_turn_and_a_name_is_not_a_path(desk: Desk) -> None:
    desk.write("series", SERIES)
    with desk.office.db.write() as conn, pytest.raises(Conflict, match="各步的日期"):
        schedule.run(desk.office, conn, desk.now(), builders.actor(conn, "lin"), "series")
    with pytest.raises(ConfigError, match=r"没有日程 \.\./x；有：series"):
        named(desk.office, "../x")


def test_the_command_lists_imagines_and_acts(desk: Desk, tmp_path: Path) -> None:
    def _run(*words: str, code: int = 0) -> str:
        found = CliRunner().invoke(main, ["--config", str(desk.office.config.path), *words])
        assert found.exit_code == code, found.output
        return found.stdout

    desk.write("series", SERIES)
    desk.write("wrong", "name =")
    listed = json.loads(_run("schedule", "--json"))
    assert [row["key"] for row in listed] == ["series", "wrong"]
    assert "wrong.toml" in listed[1]["error"]
    assert "方案" not in _run("schedule")
    file = tmp_path / "draft.toml"
    file.write_text(SERIES, "utf-8")
    found = json.loads(
        _run(
            "schedule", "whatif", str(file), "--from", "2026-11-25", "--to", "2026-12-02", "--json"
        )
    )
    assert [(row["title"], row["remarks"]) for row in found] == [
        ("方案公示", []),
        ("开工", ["须有人交材料"]),
    ]
    soon = desk.now() + timedelta(days=3650)
    _run("schedule", "pause", "series", "--reason", "改期")
    assert json.loads(_run("schedule", "--json"))[0]["paused"]
    desk.write("work", SLOTS.replace("[[when]]", 'days = "workdays"\n[[when]]'))
    _run("schedule", "whatif", "work", "--to", f"{soon:%F}", code=1)
