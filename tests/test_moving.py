"""A post at another time: inside what was signed, outside of it, by two at once, while it goes out;
and the calendar it is seen in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from bot import review
from bot.db import accounts, audits, deliveries, posts
from bot.deliver import holds, plan, rhythm, taking
from bot.errors import Conflict, GongkaiError, Invalid, NotAllowed
from bot.model import DeliveryState, HoldScope, PostState, Role, Window
from bot.office import Office
from bot.schedule import agenda, retiming
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, url  # noqa: F401

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(words: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{words}").replace(tzinfo=SHANGHAI)


DAY = Window(at("24T10:00"), at("24T18:00"))


def desk_of(office: Office, lines: str = "") -> Office:
    hand = offices.HAND.format(key="hand")
    return offices.declared(office, hand.replace("[accounts.hand]\n", f"[accounts.hand]\n{lines}"))


def move(office: Office, post: int, to: datetime, by: str = "zhou", **more: object) -> str:
    with office.db.write() as conn:
        who = builders.actor(conn, by)
        made = retiming.move(office, conn, office.db.now(conn), who, post, to, **more)  # type: ignore[arg-type]
        return made.kind


def post_of(office: Office, post: int) -> tuple[str, str, int]:
    with office.db.read() as conn:
        row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
    return row["state"], f"{row['go_at'].astimezone(SHANGHAI):%d %H:%M}", row["version"]


def spans(office: Office, *, state: str = "", account: int | None = None) -> list[tuple[int, str]]:
    with office.db.read() as conn:
        units = frozenset({1})
        view = agenda.View(units, account, state)
        found = agenda.lines(conn, view, at("23T00:00"), at("28T00:00"))
        counted = agenda.counts(conn, view, at("23T00:00"), at("28T00:00"))
    assert sum(counted.values()) == len(found)
    return [(line.post_id, line.state) for line in found]


@both
def test_inside_what_was_signed_it_moves_and_stays_signed(office: Office) -> None:
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    assert move(desk, post, at("24T15:30"), by="lin") == retiming.FREE
    row = builders.only(desk, post)
    assert (row["go_at"], row["due_at"], row["state"]) == (at("24T15:30"),) * 2 + ("ready",)
    assert row["latest_at"] <= DAY.ends
    assert post_of(desk, post)[:2] == (PostState.APPROVED, "24 15:30")
    with desk.db.read() as conn:
        noted = select(audits.c.data).where(audits.c.verb == "post.move")
        assert "2026-11-24T15:30" in str(conn.execute(noted).scalar_one())


@both
def test_a_time_within_a_declared_period_is_said(office: Office) -> None:
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T12:00"), window=DAY)
    with desk.db.write() as conn:
        who, now = builders.actor(conn, "lin"), desk.db.now(conn)
        span = at("24T14:00"), at("24T16:00")
        holds.declare(conn, now, who, HoldScope.ALL, None, "全国哀悼日", *span)
        found = [
            retiming.foresee(desk, conn, now, who, post, at(t)) for t in ("24T15:00", "24T16:00")
        ]
    said = ["那时在肃穆模式之内（至 11-24 16:00），到点停住" in map(str, one.says) for one in found]
    assert said == [True, False]


def test_outside_it_says_so_first_and_is_signed_anew(office: Office) -> None:
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    with desk.db.read() as conn:
        zhou = builders.actor(conn, "zhou")
        told = retiming.foresee(desk, conn, desk.db.now(conn), zhou, post, at("28T10:00"))
    assert told.kind == retiming.AGAIN
    said = [str(one) for one in told.says]
    assert "退回审签" in said[0]
    assert "11-24 18:00" in said[1]
    assert said[2] == "这天是休息日"
    with pytest.raises(Conflict, match="没有改期"):
        move(desk, post, at("28T10:00"))
    assert post_of(desk, post)[:2] == (PostState.APPROVED, "24 10:00")
    assert move(desk, post, at("28T10:00"), agreed=True) == retiming.AGAIN
    assert post_of(desk, post)[:2] == (PostState.IN_REVIEW, "28 10:00")
    builders.work(desk)
    assert builders.only(desk, post)["state"] == "ready", "what was planned does not go unsigned"
    builders.sign(desk, post)
    plan.plan_due(desk)
    assert builders.only(desk, post)["go_at"] == at("28T10:00")


@both
def test_who_wrote_it_does_not_sign_it_because_another_moved_it(office: Office) -> None:
    """Moving changes nothing of what would be sent: its author stays who he is."""
    desk = desk_of(office)
    with desk.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "lin").person or 0, Role.EDITOR, "county")
        builders.person(conn, "shi", "石青", Role.SIGNER)
    post = builders.draft(desk, ["hand"], by="lin", go_at=at("24T10:00"))
    assert move(desk, post, at("24T12:00"), by="zhou") == retiming.FREE
    with pytest.raises(NotAllowed, match="拟稿人不能审签自己的稿件"):
        builders.sign(desk, post, by="lin")
    with desk.db.write() as conn:
        lin, shi = builders.actor(conn, "lin"), builders.actor(conn, "shi")
        review.submit(desk, conn, desk.db.now(conn), lin, post)
        assert [list(review.waiting(desk, conn, who)) for who in (lin, shi)] == [[], [post]]
    assert builders.sign(desk, post, by="shi") == PostState.APPROVED


@both
def test_of_two_who_move_it_at_once_one_is_refused(office: Office) -> None:
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    version = post_of(desk, post)[2]

    def _tried(hour: int) -> str:
        try:
            return move(desk, post, at(f"24T{hour}:00"), version=version)
        except GongkaiError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        got = sorted(pool.map(_tried, (12, 13)))
    assert got[0] == "free"
    assert "刚被别人改过" in got[1]


@both
def test_what_went_or_goes_out_meanwhile_is_not_moved(office: Office, clock) -> None:  # type: ignore[no-untyped-def]
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    seen = [builders.only(desk, post)["id"]]
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(state=DeliveryState.SENDING, lease="w/1"))
    with pytest.raises(Conflict, match="正在发送或结果不明"):
        move(desk, post, at("24T12:00"), seen=seen)
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(state=DeliveryState.SENT, sent_at=builders.NOW))
    with pytest.raises(Conflict, match="已经发出"):
        move(desk, post, at("24T12:00"), seen=seen)


@both
def test_one_of_several_that_went_meanwhile_refuses_the_move_of_the_others(office: Office) -> None:
    both_hands = offices.HAND.format(key="hand") + offices.HAND.format(key="other")
    desk = offices.declared(office, both_hands)
    post = builders.signed(desk, ["hand", "other"], go_at=at("24T10:00"), window=DAY)
    seen = [row["id"] for row in builders.sent_to(desk, post)]
    with desk.db.write() as conn:
        gone = update(deliveries).where(deliveries.c.id == seen[0])
        conn.execute(gone.values(state=DeliveryState.SENT, sent_at=builders.NOW))
    with pytest.raises(Conflict, match="刚有变化"):
        move(desk, post, at("24T12:00"), seen=seen)
    assert move(desk, post, at("24T12:00"), seen=seen[1:]) == retiming.FREE
    assert [row["go_at"] for row in builders.sent_to(desk, post)] == [
        at("24T10:00"),
        at("24T12:00"),
    ]


@both
def test_what_a_worker_armed_does_not_go_once_it_was_moved(office: Office, clock) -> None:  # type: ignore[no-untyped-def]
    desk = desk_of(office)
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    clock.set(at("24T09:59:58"))
    with desk.db.write() as conn:
        armed = taking.arm(conn, desk.db.now(conn), 10, at("24T10:00"))
    assert len(armed) == 1
    move(desk, post, at("24T12:00"))
    clock.set(at("24T10:00"))
    with desk.db.write() as conn:
        assert taking.begin_armed(conn, desk.db.now(conn), armed, "w") == []


def test_who_may_and_what_time_may_be(office: Office) -> None:
    desk = desk_of(office)
    with desk.db.write() as conn:
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    draft = builders.draft(desk, ["hand"], go_at=at("24T10:00"))
    with pytest.raises(NotAllowed, match="拟稿"):
        move(desk, draft, at("24T12:00"), by="xu")
    with pytest.raises(Invalid, match="已过"):
        move(desk, draft, at("24T08:00"))
    assert move(desk, draft, at("25T12:00")) == retiming.FREE
    assert post_of(desk, draft)[:2] == (PostState.DRAFT, "25 12:00")


def test_in_quiet_hours_it_is_told_when_it_goes(office: Office) -> None:
    desk = desk_of(office, 'quiet = "12:00-13:30"\n')
    post = builders.signed(desk, ["hand"], go_at=at("24T10:00"), window=DAY)
    with desk.db.read() as conn:
        lin = builders.actor(conn, "lin")
        told = retiming.foresee(desk, conn, desk.db.now(conn), lin, post, at("24T12:30"))
    assert "云澜发布 那时静默，11-24 13:30 才发" in str(told.says[-1])
    move(desk, post, at("24T12:30"))
    assert builders.only(desk, post)["go_at"] == at("24T13:30")


# ---------------------------------------------------------------- slots


@both
def test_a_free_slot_is_one_no_delivery_and_no_draft_has(office: Office) -> None:
    desk = desk_of(office, 'slots = ["09:30", "12:00", "17:30"]\ndaily_most = 3\n')
    builders.signed(desk, ["hand"])
    builders.draft(desk, ["hand"], go_at=at("24T17:30"))
    with desk.db.read() as conn:
        row = conn.execute(select(accounts)).mappings().one()
        found = rhythm.next_slots(conn, row, desk.db.now(conn), 2)
    assert found == [at("24T12:00"), at("25T09:30")]


# ---------------------------------------------------------------- the calendar


@both
def test_the_calendar_shows_each_post_once_by_what_needs_a_person_most(office: Office) -> None:
    both_hands = offices.HAND.format(key="hand") + offices.HAND.format(key="other")
    desk = offices.declared(office, both_hands)
    two = builders.signed(desk, ["hand", "other"], "甲。", go_at=at("24T10:00"), window=DAY)
    draft = builders.draft(desk, ["other"], "乙。", go_at=at("24T11:00"))
    one = builders.signed(desk, ["hand"], "丙。", go_at=at("25T10:00"))
    anew = builders.signed(desk, ["hand"], "丁。", go_at=at("26T10:00"))
    move(desk, anew, at("27T10:00"), agreed=True)
    assert spans(desk) == [(two, "ready"), (draft, "draft"), (one, "ready"), (anew, "in_review")]
    first = builders.sent_to(desk, two)[0]
    with desk.db.write() as conn:
        gone = update(deliveries).where(deliveries.c.id == first["id"])
        conn.execute(gone.values(state=DeliveryState.MISSED, due_at=None))
        other = conn.execute(select(accounts.c.id).where(accounts.c.key == "other")).scalar_one()
    assert spans(desk)[0] == (two, "missed")
    assert spans(desk, account=other) == [(two, "ready"), (draft, "draft")]
    assert spans(desk, state="draft") == [(draft, "draft")]
    with desk.db.write() as conn:
        lin = builders.actor(conn, "lin")
        holds.hold(conn, desk.db.now(conn), lin, HoldScope.ALL, None, "演练")
    assert spans(desk, state="held") == [(one, "held")]


def test_days_are_marked_as_they_were_announced(office: Office) -> None:
    marks = {
        str(day.on)[5:]: (day.mark, day.name)
        for day in agenda.days_of(office, date(2026, 9, 19), date(2026, 9, 26))
    }
    assert marks["09-19"] == ("weekend", "")
    assert marks["09-20"] == ("swapped", "")
    assert marks["09-25"] == ("off", "中秋节")
    assert marks["09-22"] == ("", "")
    assert agenda.day_of(office, date(2035, 1, 1)).mark == "unknown"
