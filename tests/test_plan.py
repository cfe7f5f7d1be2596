"""From a signed revision to deliveries: re-pointed, edited, called off; never twice, never by the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import RowMapping, select, update

from bot import compose
from bot.compose import Body
from bot.db import accounts, deliveries, posts, renditions
from bot.deliver import ledger, plan
from bot.language import Say
from bot.model import Act, DeliveryState, OverLimit, PostState, Window
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(office: Office) -> Office:
    """Two accounts that can edit, `a1` and `a2`, and one that cannot, `c`."""
    made = offices.declared(office, "")
    for n, key in enumerate(("a1", "a2", "c"), 1):
        builders.account(made, key, "http://x.example", n, edit=key != "c", text_limit=100)
    return made


def signed(office: Office, text: str = "一稿。", *keys: str, **more: Any) -> int:
    return builders.signed(office, list(keys or ("a1", "a2")), text, **more)


def revise(office: Office, post: int, text: str, *keys: str, **more: Any) -> None:
    """A new revision, signed and planned."""
    with office.db.write() as conn:
        row = compose.locked(conn, post)
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        body = Body(text, over_limit=OverLimit.THREAD)
        to = list(keys or ("a1", "a2"))
        compose.revise(office, conn, now, zhou, post, row["version"], body, to, **more)
    builders.sign(office, post)
    plan.plan_due(office)


def withdraw(office: Office, post: int) -> int:
    with office.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        made = compose.withdrawal(office, conn, now, zhou, post, "有误")
    builders.sign(office, made)
    plan.plan_due(office)
    return made


def become(office: Office, state: S, *keys: str, **more: Any) -> None:
    """Deliveries of some accounts, or all, come to a state."""
    with office.db.write() as conn:
        mine = select(accounts.c.id).where(accounts.c.key.in_(keys or ("a1", "a2", "c")))
        of = update(deliveries).where(deliveries.c.account_id.in_(mine))
        conn.execute(of.values(state=state, due_at=None, **more))


def sent(office: Office, *keys: str) -> None:
    """As a worker leaves them."""
    for row in rows(office, deliveries):
        with office.db.write() as conn:
            key = conn.execute(
                select(accounts.c.key).where(accounts.c.id == row["account_id"])
            ).scalar_one()
            if not keys or key in keys:
                values = {"state": S.SENT, "due_at": None, "remote_id": f"r{row['id']}"}
                conn.execute(
                    update(deliveries).where(deliveries.c.id == row["id"]).values(**values)
                )


def shown(office: Office, post: int) -> list[tuple[str, str, int, str, str]]:
    """(account, act, part, state, text) of a post's deliveries, in the order they were made."""
    query = (
        select(deliveries, accounts.c.key.label("account"), renditions.c.payload)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .where(deliveries.c.post_id == post)
        .order_by(deliveries.c.id)
    )
    with office.db.read() as conn:
        found = conn.execute(query).mappings().all()
    return [(r["account"], r["act"], r["part"], r["state"], r["payload"]["text"]) for r in found]


def reason(row: RowMapping) -> str:
    return str(Say.of(row["reason"])) if row["reason"] else ""


# ---------------------------------------------------------------- first


def test_one_delivery_an_account_and_part_each_behind_the_one_before(desk: Office) -> None:
    long = "停水通知。" * 30
    post = signed(desk, "", "a1", "a2", body=Body(long, over_limit=OverLimit.THREAD))
    found = rows(desk, deliveries)
    assert [(r["account_id"], r["part"]) for r in found] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert [r["after_id"] for r in found] == [None, found[0]["id"], None, found[2]["id"]]
    assert len({r["key"] for r in found}) == 4
    assert {r["state"] for r in found} == {S.READY}
    assert [r["post_id"] for r in found] == [post] * 4
    assert plan.plan_due(desk) == 0


@pytest.mark.parametrize(
    ("go", "latest", "window", "expected"),
    [
        (None, None, Window(), (0, 2)),
        (3, None, Window(), (3, 5)),
        (3, 4, Window(), (3, 4)),
        (None, 9, Window(), (0, 2)),
        (3, None, Window(None, None), (3, 5)),
    ],
)
def test_it_goes_at_its_hour_and_no_later_than_anybody_said(
    desk: Office,
    clock: FixedClock,
    go: int | None,
    latest: int | None,
    window: Window,
    expected: tuple[int, int],
) -> None:
    now = clock.now()
    times = {
        "go_at": now + go * HOUR if go else None,
        "latest_at": now + latest * HOUR if latest else None,
    }
    signed(desk, "定时。", "a1", window=window, **times)
    (row,) = rows(desk, deliveries)
    assert (row["go_at"], row["latest_at"]) == tuple(now + n * HOUR for n in expected)
    assert row["due_at"] == row["go_at"]


def test_the_window_of_the_sign_off_binds_it(desk: Office, clock: FixedClock) -> None:
    now = clock.now()
    window = Window(now + HOUR, now + 90 * timedelta(minutes=1))
    signed(desk, "定时。", "a1", window=window, latest_at=now + 5 * HOUR)
    (row,) = rows(desk, deliveries)
    assert (row["go_at"], row["latest_at"]) == (window.begins, window.ends)


# ---------------------------------------------------------------- a later revision


@pytest.mark.parametrize("state", [S.READY, S.FAILED, S.MISSED])
def test_a_later_revision_re_points_what_is_unsent_and_keeps_its_key(
    desk: Office, state: S
) -> None:
    post = signed(desk)
    before = rows(desk, deliveries)
    stale = {"reason": Say("旧").json(), "staged": {"media": ["x"], "until": None}, "tries": 4}
    become(desk, state, **stale, waits=3, looks=2, absents=1, was_held=True)
    revise(desk, post, "二稿。")
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, S.READY, "二稿。"),
        ("a2", Act.PUBLISH, 0, S.READY, "二稿。"),
    ]
    after = rows(desk, deliveries)
    assert [r["key"] for r in after] == [r["key"] for r in before]
    for row in after:
        fresh = [row[k] for k in ("reason", "staged", "tries", "waits", "looks", "absents")]
        assert fresh == [None, None, 0, 0, 0, 0]
        assert not row["was_held"]
        assert row["due_at"] == row["go_at"]


def test_a_later_revision_edits_what_is_sent(desk: Office) -> None:
    post = signed(desk)
    sent(desk, "a1")
    revise(desk, post, "二稿。")
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, S.SENT, "一稿。"),
        ("a2", Act.PUBLISH, 0, S.READY, "二稿。"),
        ("a1", Act.EDIT, 0, S.READY, "二稿。"),
    ]
    edit = rows(desk, deliveries)[-1]
    assert (edit["target_id"], edit["after_id"]) == (rows(desk, deliveries)[0]["id"], None)


def test_the_same_words_again_are_no_edit(desk: Office) -> None:
    post = signed(desk)
    sent(desk)
    revise(desk, post, "一稿。", go_at=desk.db.now() + HOUR)
    assert [act for _, act, *_ in shown(desk, post)] == [Act.PUBLISH] * 2


def test_where_a_platform_cannot_edit_a_person_is_told(desk: Office) -> None:
    post = signed(desk, "一稿。", "c")
    sent(desk)
    revise(desk, post, "二稿。", "c")
    assert shown(desk, post)[-1][1:4] == (Act.EDIT, 0, S.FAILED)
    assert "不支持修改" in reason(rows(desk, deliveries)[-1])


@both
def test_an_edit_that_was_not_made_yet_gives_way_to_a_newer_one(desk: Office) -> None:
    post = signed(desk, "一稿。", "a1")
    sent(desk)
    revise(desk, post, "二稿。", "a1")
    revise(desk, post, "三稿。", "a1")
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, S.SENT, "一稿。"),
        ("a1", Act.EDIT, 0, S.CANCELLED, "二稿。"),
        ("a1", Act.EDIT, 0, S.READY, "三稿。"),
    ]


def test_going_back_before_the_edit_was_made_needs_no_edit(desk: Office) -> None:
    post = signed(desk, "一稿。", "a1")
    sent(desk)
    revise(desk, post, "二稿。", "a1")
    revise(desk, post, "一稿。", "a1")
    assert [(act, state) for _, act, _, state, _ in shown(desk, post)] == [
        (Act.PUBLISH, S.SENT),
        (Act.EDIT, S.CANCELLED),
    ]


@both
@pytest.mark.parametrize("state", [S.SENDING, S.UNCERTAIN])
def test_an_account_where_something_is_not_clear_waits_and_no_other(
    desk: Office, clock: FixedClock, state: S
) -> None:
    post = signed(desk)
    become(desk, state, "a1")
    revise(desk, post, "二稿。")
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, state, "一稿。"),
        ("a2", Act.PUBLISH, 0, S.READY, "二稿。"),
    ]
    (row,) = rows(desk, posts)
    assert row["due_at"] - clock.now() == timedelta(seconds=30)
    become(desk, S.FAILED, "a2")  # read and refused: planning again must not send it again
    clock.move(31)
    assert plan.plan_due(desk) == 1
    assert shown(desk, post)[1][3] == S.FAILED
    sent(desk, "a1")
    clock.move(31)
    plan.plan_due(desk)
    plan.plan_due(desk)
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, S.SENT, "一稿。"),
        ("a2", Act.PUBLISH, 0, S.FAILED, "二稿。"),
        ("a1", Act.EDIT, 0, S.READY, "二稿。"),
    ]
    assert rows(desk, posts)[0]["due_at"] is None


def test_an_edit_under_way_keeps_its_account_waiting(desk: Office, clock: FixedClock) -> None:
    post = signed(desk, "一稿。", "a1")
    sent(desk)
    revise(desk, post, "二稿。", "a1")
    with desk.db.write() as conn:
        edit = update(deliveries).where(deliveries.c.act == Act.EDIT)
        conn.execute(edit.values(state=S.UNCERTAIN, due_at=None))
    revise(desk, post, "三稿。", "a1")
    assert len(shown(desk, post)) == 2
    with desk.db.write() as conn:
        conn.execute(edit.values(state=S.SENT))
    clock.move(31)
    plan.plan_due(desk)
    assert shown(desk, post)[-1][1:] == (Act.EDIT, 0, S.READY, "三稿。")


def test_a_shorter_thread_calls_off_the_parts_it_no_longer_has(desk: Office) -> None:
    post = signed(desk, "", "a1", body=Body("停水通知。" * 50, over_limit=OverLimit.THREAD))
    assert len(shown(desk, post)) == 3
    revise(desk, post, "短。", "a1")
    assert [(part, state) for _, _, part, state, _ in shown(desk, post)] == [
        (0, S.READY),
        (1, S.CANCELLED),
        (2, S.CANCELLED),
    ]
    assert "不再包含" in reason(rows(desk, deliveries)[-1])
    revise(desk, post, "停水通知。" * 50, "a1")
    assert [state for *_, state, _ in shown(desk, post)] == [S.READY] * 3


def test_a_longer_thread_goes_on_behind_what_was_sent(desk: Office) -> None:
    post = signed(desk, "短。", "a1")
    sent(desk)
    revise(desk, post, "停水通知。" * 30, "a1")
    first, *more = rows(desk, deliveries)
    assert [(r["act"], r["part"], r["after_id"], r["target_id"]) for r in more] == [
        (Act.EDIT, 0, None, first["id"]),
        (Act.PUBLISH, 1, first["id"], None),
    ]


def test_an_account_left_out_is_called_off_and_what_it_sent_stands_and_is_told(
    desk: Office,
) -> None:
    post = signed(desk)
    sent(desk, "a1")
    revise(desk, post, "二稿。", "c")
    assert shown(desk, post) == [
        ("a1", Act.PUBLISH, 0, S.SENT, "一稿。"),
        ("a2", Act.PUBLISH, 0, S.CANCELLED, "一稿。"),
        ("c", Act.PUBLISH, 0, S.READY, "二稿。"),
    ]
    (said,) = told(desk)
    assert "撤回" in said


def test_a_notice_of_a_failure_ends_when_a_new_revision_takes_its_place(desk: Office) -> None:
    post = signed(desk, "一稿。", "a1")
    become(desk, S.FAILED)
    with desk.db.write() as conn:
        row = conn.execute(select(deliveries)).mappings().one()
        ledger.tell(conn, desk.db.now(conn), [(row, Say("平台拒绝"))])
    revise(desk, post, "二稿。", "a1")
    assert told(desk) == []


# ---------------------------------------------------------------- a withdrawal


def test_a_withdrawal_takes_down_what_stands_and_calls_off_the_rest(desk: Office) -> None:
    post = signed(desk)
    sent(desk, "a1")
    made = withdraw(desk, post)
    assert shown(desk, made) == [("a1", Act.WITHDRAW, 0, S.READY, "一稿。")]
    assert shown(desk, post)[1][3] == S.CANCELLED
    assert "撤回" in reason(builders.sent_to(desk, post)[1])
    assert rows(desk, posts)[0]["state"] == PostState.CLOSED


def test_a_withdrawal_calls_off_an_edit_that_was_not_made_yet(desk: Office) -> None:
    post = signed(desk, "一稿。", "a1")
    sent(desk)
    revise(desk, post, "二稿。", "a1")
    withdraw(desk, post)
    assert [state for *_, state, _ in shown(desk, post)] == [S.SENT, S.CANCELLED]


@both
def test_a_withdrawal_comes_back_for_what_was_not_clear(desk: Office, clock: FixedClock) -> None:
    post = signed(desk)
    sent(desk, "a1")
    become(desk, S.UNCERTAIN, "a2")
    made = withdraw(desk, post)
    assert [account for account, *_ in shown(desk, made)] == ["a1"]
    for _ in range(2):
        clock.move(31)
        plan.plan_due(desk)
    assert [account for account, *_ in shown(desk, made)] == ["a1"]
    with desk.db.write() as conn:
        unclear = deliveries.c.state == S.UNCERTAIN
        conn.execute(update(deliveries).where(unclear).values(state=S.SENT))
    clock.move(31)
    plan.plan_due(desk)
    clock.move(31)
    plan.plan_due(desk)
    assert [account for account, *_ in shown(desk, made)] == ["a1", "a2"]


@both
def test_one_post_that_cannot_be_planned_stops_no_other(desk: Office) -> None:
    bad, good = (builders.draft(desk, ["a1"]) for _ in range(2))
    for post in (bad, good):
        builders.sign(desk, post)
    with desk.db.write() as conn:
        mine = renditions.c.revision_id == 1
        conn.execute(update(renditions).where(mine).values(payload={"nothing": 1}))
    plan.plan_due(desk)
    assert shown_states(desk, good) == [S.READY]
    assert builders.sent_to(desk, bad) == []


def shown_states(office: Office, post: int) -> list[str]:
    return [row["state"] for row in builders.sent_to(office, post)]
