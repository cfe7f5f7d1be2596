"""审签: who may let what out, in which order, for how long; and what ends a trust once given.

What tries to get past a signature altogether is attacked in test_promises_signed.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, delete, select, update

from bot import compose, people, review
from bot.compose import Body
from bot.db import (
    approvals,
    grants,
    insert_id,
    items,
    posts,
    revisions,
    signoffs,
    sources,
    standings,
    units,
)
from bot.db import people as persons
from bot.deliver import plan
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.model import (
    MACHINE,
    Actor,
    Entry,
    ItemState,
    PostState,
    Role,
    SignOffKind,
    Verdict,
    Window,
)
from bot.office import Office
from bot.review import Decision
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

TWO_STEPS = """
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
"""
HAND = offices.HAND.format(key="hand")
DAY = timedelta(days=1)


@pytest.fixture
def one_step(office: Office) -> Office:
    return offices.declared(office, HAND)


@pytest.fixture
def two_steps(office: Office) -> Office:
    """初审 by the reviewer `shen`, 签发 by the signer `lin`."""
    with office.db.write() as conn:
        builders.person(conn, "shen", "沈棠", Role.REVIEWER)
    return offices.declared(office, HAND, TWO_STEPS)


def submitted(office: Office, **more: Any) -> int:
    post = builders.draft(office, ["hand"], **more)
    with office.db.write() as conn:
        review.submit(office, conn, office.db.now(conn), builders.actor(conn, "zhou"), post)
    return post


def decide(
    office: Office, post: int, by: str, verdict: Verdict = Verdict.PASS, note: str = "", **more: Any
) -> PostState:
    with office.db.write() as conn:
        query = select(revisions.c.digest).join(posts, posts.c.revision_id == revisions.c.id)
        digest = conn.execute(query.where(posts.c.id == post)).scalar_one()
        word = Decision(verdict, digest, note, Window(*more.pop("window", ())))
        who = builders.actor(conn, by)
        return review.decide(office, conn, office.db.now(conn), who, post, word)


def state(office: Office, post: int) -> str:
    (row,) = (row for row in rows(office, posts) if row["id"] == post)
    return str(row["state"])


def approval(office: Office) -> Window:
    with office.db.read() as conn:
        row = conn.execute(select(approvals)).mappings().one()
    return Window(row["begins"], row["ends"])


# ---------------------------------------------------------------- steps


def test_each_step_is_passed_by_another_in_order(two_steps: Office) -> None:
    post = submitted(two_steps)
    assert decide(two_steps, post, "shen") is PostState.IN_REVIEW
    with pytest.raises(NotAllowed, match="权限"):
        decide(two_steps, post, "shen")
    assert decide(two_steps, post, "lin") is PostState.APPROVED
    found = [(r["step"], r["step_name"], r["kind"]) for r in rows(two_steps, signoffs)]
    assert found == [(0, "初审", "person"), (1, "签发", "person")]
    with pytest.raises(Conflict, match="不在审签中"):
        decide(two_steps, post, "lin")


def test_a_signer_who_passed_the_first_step_leaves_the_last_to_another(two_steps: Office) -> None:
    post = submitted(two_steps)
    decide(two_steps, post, "lin")
    with pytest.raises(NotAllowed, match="前一步"):
        decide(two_steps, post, "lin")


def test_a_draft_is_not_signed_before_it_is_handed_in(one_step: Office) -> None:
    post = builders.draft(one_step, ["hand"])
    with pytest.raises(Conflict, match="不在审签中"):
        decide(one_step, post, "lin")
    with pytest.raises(NotFound):
        decide_on(one_step, 99)


def decide_on(office: Office, post: int) -> None:
    with office.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), office.db.now(conn)
        review.decide(office, conn, now, lin, post, Decision(Verdict.PASS, "x"))


@both
def test_what_waits_is_shown_to_whoever_may_sign_it_most_urgent_first(
    two_steps: Office, clock: FixedClock
) -> None:
    later = submitted(two_steps, go_at=clock.now() + DAY)
    sooner = submitted(two_steps, go_at=clock.now() + timedelta(hours=1))
    urgent = submitted(two_steps, emergency=True)
    decide(two_steps, later, "shen")
    with two_steps.db.read() as conn:
        waiting = {
            who: [r["id"] for r in review.waiting_for(two_steps, conn, builders.actor(conn, who))]
            for who in ("shen", "lin", "zhou", "gu")
        }
        shell = review.waiting_for(two_steps, conn, Actor(None, "shell", "cli"))
    assert waiting == {
        "shen": [urgent, sooner],
        "lin": [urgent, sooner, later],
        "zhou": [],
        "gu": [],
    }
    assert shell == []


def test_rights_reach_down_the_tree_and_not_across(office: Office) -> None:
    units = (
        TWO_STEPS + '[units.health]\nname="卫健局"\nparent="county"\n[units.fire]\nname="消防"\n'
    )
    made = offices.declared(office, HAND, units)
    with made.db.write() as conn:
        builders.person(conn, "wei", "卫生", Role.EDITOR, "health")
        builders.person(conn, "huo", "火", Role.SIGNER, "fire")
        now, unit = made.db.now(conn), people.unit_of(conn, "health")["id"]
        wei = builders.actor(conn, "wei")
        post = compose.create(
            made, conn, now, wei, unit_id=unit, keys=["hand"], body=Body("疫苗接种通知。")
        )
        review.submit(made, conn, now, wei, post)
        for outsider in ("huo", "wei", "gu"):
            assert not review.may_sign(
                made, conn, builders.actor(conn, outsider), compose.locked(conn, post)
            )
    with pytest.raises(NotAllowed, match="签发"):
        decide(made, post, "huo")
    assert decide(made, post, "lin") is PostState.APPROVED


@both
def test_nobody_signs_for_the_account_of_a_unit_he_does_not_sign_for(office: Office) -> None:
    """卫健局 drafts for the county's account: the county's signer lets it out, not its own."""
    units = builders.CONFIG + '[units.health]\nname="卫健局"\nparent="county"\n'
    made = offices.declared(office, HAND, units)
    with made.db.write() as conn:
        builders.person(conn, "wei", "卫编", Role.EDITOR, "health")
        builders.person(conn, "jian", "卫签", Role.SIGNER, "health")
        builders.person(conn, "guan", "卫管", Role.ADMINISTRATOR, "health")
        now, unit = made.db.now(conn), people.unit_of(conn, "health")["id"]
        wei = builders.actor(conn, "wei")
        body = Body("疫苗接种通知。")
        post = compose.create(made, conn, now, wei, unit_id=unit, keys=["hand"], body=body)
        review.submit(made, conn, now, wei, post)
        assert review.waiting_for(made, conn, builders.actor(conn, "jian")) == []
    with pytest.raises(NotAllowed):
        decide(made, post, "jian")
    with pytest.raises(NotAllowed):
        record(made, post, by="guan")
    assert decide(made, post, "lin") is PostState.APPROVED


def test_who_is_barred_signs_nothing(one_step: Office) -> None:
    post = submitted(one_step)
    with one_step.db.write() as conn:
        people.disable(conn, one_step.db.now(conn), builders.actor(conn, "gu"), "lin")
    with pytest.raises(NotAllowed):
        decide(one_step, post, "lin")


# ---------------------------------------------------------------- return, refer


@pytest.mark.parametrize("verdict", [Verdict.RETURN, Verdict.REFER])
def test_a_return_and_a_referral_need_a_note(one_step: Office, verdict: Verdict) -> None:
    post = submitted(one_step)
    with pytest.raises(Invalid, match="写明"):
        decide(one_step, post, "lin", verdict, "  ")
    assert rows(one_step, signoffs) == []


def test_a_returned_post_is_a_draft_with_the_words_of_who_returned_it(one_step: Office) -> None:
    post = submitted(one_step)
    assert decide(one_step, post, "lin", Verdict.RETURN, "请核对时间") is PostState.DRAFT
    (said,) = told(one_step)
    assert said == "林岚退回：请核对时间"
    assert "请核对时间" in str(rows(one_step, posts)[0]["returned"])
    with one_step.db.write() as conn:
        now = one_step.db.now(conn)
        review.submit(one_step, conn, now, builders.actor(conn, "zhou"), post)
    assert told(one_step) == []
    assert decide(one_step, post, "lin") is PostState.APPROVED


def test_after_a_referral_a_pass_says_on_whose_answer_it_rests(two_steps: Office) -> None:
    post = submitted(two_steps)
    assert (
        decide(two_steps, post, "shen", Verdict.REFER, "是否涉密，报保密局") is PostState.IN_REVIEW
    )
    assert told(two_steps) == ["沈棠报请确定：是否涉密，报保密局"]
    with pytest.raises(Invalid, match="答复"):
        decide(two_steps, post, "shen")
    decide(two_steps, post, "shen", note="保密局 11 月 24 日答复：可以公开")
    decide(two_steps, post, "lin", note="同上")
    assert state(two_steps, post) == PostState.APPROVED
    assert told(two_steps) == []


def test_an_edited_comma_does_not_forget_the_referral(one_step: Office) -> None:
    post = submitted(one_step)
    decide(one_step, post, "lin", Verdict.REFER, "报保密局")
    with one_step.db.write() as conn:
        now, zhou = one_step.db.now(conn), builders.actor(conn, "zhou")
        compose.revise(one_step, conn, now, zhou, post, 1, Body("改，逗号。"), ["hand"])
        review.submit(one_step, conn, now, zhou, post)
    with pytest.raises(Invalid, match="报请确定"):
        decide(one_step, post, "lin")


# ---------------------------------------------------------------- windows


def test_without_a_word_on_it_a_post_may_go_within_the_lateness_from_its_hour(
    one_step: Office, clock: FixedClock
) -> None:
    at = clock.now() + timedelta(hours=5)
    decide(one_step, submitted(one_step, go_at=at), "lin")
    assert approval(one_step) == Window(at, at + timedelta(hours=2))


@both
def test_steps_a_day_apart_still_leave_the_lateness(two_steps: Office, clock: FixedClock) -> None:
    post = submitted(two_steps)
    decide(two_steps, post, "shen")
    clock.move(86400)
    decide(two_steps, post, "lin")
    assert approval(two_steps).ends == clock.now() + timedelta(hours=2)
    plan.plan_due(two_steps)
    assert builders.only(two_steps, post)["latest_at"] == clock.now() + timedelta(hours=2)


def test_what_is_signed_after_its_hour_may_go_at_once(one_step: Office, clock: FixedClock) -> None:
    post = submitted(one_step, go_at=clock.now())
    clock.move(3 * 3600)
    decide(one_step, post, "lin")
    plan.plan_due(one_step)
    assert builders.only(one_step, post)["latest_at"] == clock.now() + timedelta(hours=2)


def test_the_window_is_what_all_steps_let_through(two_steps: Office, clock: FixedClock) -> None:
    now = clock.now()
    post = submitted(two_steps)
    decide(two_steps, post, "shen", window=(now + timedelta(hours=1), now + timedelta(hours=5)))
    decide(two_steps, post, "lin", window=(now, now + timedelta(hours=3)))
    assert approval(two_steps) == Window(now + timedelta(hours=1), now + timedelta(hours=3))


def test_windows_with_nothing_in_common_are_refused(two_steps: Office, clock: FixedClock) -> None:
    now = clock.now()
    post = submitted(two_steps)
    decide(two_steps, post, "shen", window=(now, now + timedelta(hours=1)))
    clock.move(2 * 3600)
    with pytest.raises(Conflict, match="时段"):
        decide(two_steps, post, "lin")
    decide(two_steps, post, "lin", Verdict.RETURN, "时段已过")
    with two_steps.db.write() as conn:
        review.submit(two_steps, conn, clock.now(), builders.actor(conn, "zhou"), post)
    decide(two_steps, post, "shen")
    assert decide(two_steps, post, "lin") is PostState.APPROVED


def test_a_window_that_is_over_is_refused(one_step: Office, clock: FixedClock) -> None:
    post = submitted(one_step, latest_at=clock.now() + timedelta(hours=1))
    clock.move(3601)
    with pytest.raises(Invalid, match="时段"):
        decide(one_step, post, "lin")


# ---------------------------------------------------------------- emergencies


def test_an_emergency_takes_two_people_beside_its_author_whatever_the_unit_s_steps(
    two_steps: Office,
) -> None:
    post = submitted(two_steps, emergency=True)
    with pytest.raises(NotAllowed):
        decide(two_steps, post, "zhou")
    decide(two_steps, post, "lin")
    with pytest.raises(NotAllowed):
        decide(two_steps, post, "shen")
    with two_steps.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    decide(two_steps, post, "he")
    found = [(r["step_name"], r["kind"]) for r in rows(two_steps, signoffs)]
    assert found == [("紧急复核", SignOffKind.EMERGENCY), ("紧急签发", SignOffKind.EMERGENCY)]


# ---------------------------------------------------------------- taken back


@both
def test_a_sign_off_taken_back_in_the_middle_lets_the_steps_begin_anew(two_steps: Office) -> None:
    post = submitted(two_steps)
    decide(two_steps, post, "shen")
    revoke(two_steps, post, "口径未定")
    assert state(two_steps, post) == PostState.DRAFT
    with two_steps.db.write() as conn:
        now = two_steps.db.now(conn)
        review.submit(two_steps, conn, now, builders.actor(conn, "zhou"), post)
    decide(two_steps, post, "shen")
    assert decide(two_steps, post, "lin") is PostState.APPROVED


def revoke(office: Office, post: int, reason: str, by: str = "lin") -> None:
    with office.db.write() as conn:
        review.revoke(office, conn, office.db.now(conn), builders.actor(conn, by), post, reason)


def test_a_sign_off_is_taken_back_with_a_reason_by_whoever_may_sign(one_step: Office) -> None:
    post = submitted(one_step)
    decide(one_step, post, "lin")
    with pytest.raises(Invalid, match="理由"):
        revoke(one_step, post, " ")
    with pytest.raises(NotAllowed):
        revoke(one_step, post, "口径有变", by="zhou")
    revoke(one_step, post, "口径有变")
    with one_step.db.read() as conn:
        assert conn.execute(select(approvals.c.voided_at)).scalar_one()
        last = review.trail(conn, post)[-1]
    assert (last["verdict"], last["name"], last["number"]) == (Verdict.RETURN, "林岚", 1)
    assert "口径有变" in last["note"]
    with pytest.raises(Conflict, match="没有可撤销"):
        revoke(one_step, post, "再撤")


# ---------------------------------------------------------------- offline


def sheet() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "white").save(out, "PNG")
    return out.getvalue()


def record(
    office: Office,
    post: int,
    by: str = "gu",
    signed_by: str = "县长李明",
    content: bytes | None = None,
    digest: str = "",
) -> PostState:
    with office.db.write() as conn:
        query = select(revisions.c.digest).order_by(revisions.c.id.desc()).limit(1)
        digest = digest or conn.execute(query).scalar_one()
        now, who = office.db.now(conn), builders.actor(conn, by)
        paper = sheet() if content is None else content
        return review.record_offline(
            office, conn, now, who, post, digest, signed_by, paper, "a.png"
        )


def test_a_sheet_signed_on_paper_passes_the_steps_that_wait_and_is_marked(
    two_steps: Office,
) -> None:
    post = submitted(two_steps)
    decide(two_steps, post, "shen")
    assert record(two_steps, post) is PostState.APPROVED
    row = rows(two_steps, signoffs)[-1]
    assert (row["step_name"], row["kind"], row["signed_by"]) == ("签发", "offline", "县长李明")
    assert "顾明登记" in row["note"]
    with two_steps.db.read() as conn:
        gu = builders.actor(conn, "gu")
    assert row["person_id"] == gu.person
    assert two_steps.media.read(row["sheet"])


def test_an_offline_sign_off_needs_its_sheet_its_signer_and_the_version_it_was_for(
    one_step: Office,
) -> None:
    post = submitted(one_step)
    for wrong, error in (
        ({"signed_by": " "}, Invalid),
        ({"content": b"no picture"}, Invalid),
        ({"content": b""}, Invalid),
        ({"digest": "of another version"}, Conflict),
        ({"by": "zhou"}, NotAllowed),
        ({"by": "lin"}, NotAllowed),
    ):
        with pytest.raises(error):
            record(one_step, post, **wrong)
    assert state(one_step, post) == PostState.IN_REVIEW


def test_who_wrote_it_does_not_record_its_paper(one_step: Office) -> None:
    with one_step.db.write() as conn:
        gu = builders.actor(conn, "gu")
        builders.grant(conn, gu.person or 0, Role.EDITOR, "county")
    post = builders.draft(one_step, ["hand"], by="gu")
    with one_step.db.write() as conn:
        review.submit(one_step, conn, one_step.db.now(conn), builders.actor(conn, "zhou"), post)
    with pytest.raises(NotAllowed, match="拟稿人"):
        record(one_step, post)


# ---------------------------------------------------------------- standing

SOURCE = """
[sources.notices]
unit = "county"
url = "feed.xml"
accounts = ["hand"]
"""


@pytest.fixture
def trusting(office: Office, clock: FixedClock) -> Office:
    """lin lets the source's 通知公告 out by himself, two a day, for ninety days."""
    made = offices.declared(office, SOURCE + HAND)
    grant(made, columns=["通知公告"], ends=clock.now() + 90 * DAY, daily_max=2)
    return made


def grant(office: Office, by: str = "lin", **more: Any) -> int:
    with office.db.write() as conn:
        now, who = office.db.now(conn), builders.actor(conn, by)
        return review.grant_standing(office, conn, now, who, "notices", **more)


def composed(office: Office, key: str = "1", **more: Any) -> int:
    """What the machine makes of an entry of the source."""
    entry = replace(
        Entry(key=key, title="停水通知", column="通知公告", summary="明日停水。"), **more
    )
    with office.db.write() as conn:
        now, source = office.db.now(conn), conn.execute(select(sources.c.id)).scalar_one()
        row = {"source_id": source, "key": key, "state": ItemState.NEW, "title": entry.title}
        more = {"digest": entry.digest, "entry": entry.json(), "revision": 1, "seen_at": now}
        insert_id(conn, items, {**row, **more, "column": entry.column, "due_at": now})
    compose.compose_due(office)
    with office.db.read() as conn:
        return int(
            conn.execute(select(posts.c.id).order_by(posts.c.id.desc())).scalars().first() or 0
        )


def test_what_a_standing_sign_off_covers_goes_out_by_itself_in_one_name(
    trusting: Office, clock: FixedClock
) -> None:
    post = composed(trusting)
    assert review.take_drafts(trusting) == 1
    assert state(trusting, post) == PostState.APPROVED
    (row,) = rows(trusting, signoffs)
    with trusting.db.read() as conn:
        lin = builders.actor(conn, "lin")
    (standing,) = rows(trusting, standings)
    assert (row["kind"], row["person_id"], row["standing_id"]) == (
        SignOffKind.STANDING,
        lin.person,
        standing["id"],
    )
    assert plan.plan_due(trusting) == 1
    assert builders.only(trusting, post)["latest_at"] == clock.now() + timedelta(hours=2)


def _edit_template(office: Office, conn: Connection) -> None:
    file = office.config.path.parent / "templates" / "notice.txt"
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")


def _other_account(office: Office, conn: Connection) -> None:
    conn.execute(update(standings).values(accounts=["hand", "weibo"]))


def _lost_right(office: Office, conn: Connection) -> None:
    lin = builders.actor(conn, "lin").person
    conn.execute(delete(grants).where(grants.c.person_id == lin))


def _barred(office: Office, conn: Connection) -> None:
    conn.execute(update(persons).where(persons.c.login == "lin").values(disabled=True))


def _asleep(office: Office, conn: Connection) -> None:
    conn.execute(update(standings).values(asleep=True))


def _ended(office: Office, conn: Connection) -> None:
    lin, now = builders.actor(conn, "lin"), office.db.now(conn)
    review.end_standing(conn, now, lin, 1)


def _over(office: Office, conn: Connection) -> None:
    conn.execute(update(standings).values(ends=office.db.now(conn)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_edit_template, "模板已改动"),
        (_other_account, "账号已变动"),
        (_lost_right, "无签发权"),
        (_barred, "无签发权"),
        (_asleep, ""),
        (_ended, ""),
        (_over, ""),
    ],
)
def test_a_standing_sign_off_ends_with_what_it_was_given_for(
    trusting: Office, change: Callable[[Office, Connection], None], why: str
) -> None:
    with trusting.db.write() as conn:
        change(trusting, conn)
    post = composed(trusting)
    review.take_drafts(trusting)
    assert state(trusting, post) == PostState.IN_REVIEW, "it is handed in like any other"
    assert why in str(rows(trusting, posts)[0]["returned"] or "")
    assert rows(trusting, signoffs) == []


def test_another_column_or_a_finding_needs_a_person(trusting: Office) -> None:
    composed(trusting, "1", column="人事任免")
    composed(trusting, "2", summary="联系人手机 13800138000。")
    review.take_drafts(trusting)
    said = [(row["state"], str(row["returned"])) for row in rows(trusting, posts)]
    assert [state for state, _ in said] == [PostState.IN_REVIEW] * 2
    assert "栏目" in said[0][1]
    assert "疑点" in said[1][1]


def test_what_is_blocked_stays_a_draft(trusting: Office) -> None:
    post = composed(trusting, summary="身份证 11010519491231002X。")
    review.take_drafts(trusting)
    assert state(trusting, post) == PostState.DRAFT
    assert "疑点" in str(rows(trusting, posts)[0]["returned"])


def test_an_entry_that_moved_on_is_not_signed_by_trust(trusting: Office) -> None:
    post = composed(trusting)
    with trusting.db.write() as conn:
        conn.execute(update(items).values(revision=2))
    review.take_drafts(trusting)
    assert state(trusting, post) == PostState.IN_REVIEW


@both
def test_the_daily_maximum_is_of_the_office_s_day(trusting: Office, clock: FixedClock) -> None:
    made = [composed(trusting, str(n)) for n in range(3)]
    review.take_drafts(trusting)
    approved = [PostState.APPROVED] * 2
    assert [state(trusting, p) for p in made] == [*approved, PostState.IN_REVIEW]
    clock.move(14 * 3600)  # 23:00 in Shanghai
    made.append(composed(trusting, "3"))
    review.take_drafts(trusting)
    assert state(trusting, made[-1]) == PostState.IN_REVIEW
    clock.move(3600)
    made.append(composed(trusting, "4"))
    review.take_drafts(trusting)
    assert state(trusting, made[-1]) == PostState.APPROVED


def test_standing_sign_offs_are_listed_with_what_has_become_of_them(
    trusting: Office, clock: FixedClock
) -> None:
    grant(trusting, columns=["政策文件"], ends=clock.now() + DAY, daily_max=1)
    with trusting.db.write() as conn:
        now, every = trusting.db.now(conn), set(conn.execute(select(units.c.id)).scalars())
        conn.execute(update(standings).where(standings.c.id == 1).values(asleep=True))
        listed = review.standing_list(conn, now, every)
        later = review.standing_list(conn, now + 2 * DAY, every)
        assert review.standing_list(conn, now, set()) == []
    assert [(one["id"], one["state"]) for one in listed] == [(2, "active"), (1, "asleep")]
    assert [(one["id"], one["state"]) for one in later] == [(2, "ended"), (1, "asleep")]
    assert (listed[0]["source"], listed[0]["signer"]) == ("notices", "林岚")


def test_one_standing_sign_off_tells_its_use_what_it_signed_and_what_it_did_not_and_why(
    trusting: Office, clock: FixedClock
) -> None:
    signed = composed(trusting)
    other = composed(trusting, "2", column="人事任免")
    doubtful = composed(trusting, "3", summary="联系人手机 13800138000。")
    review.take_drafts(trusting)
    with trusting.db.read() as conn:
        found = review.standing_one(trusting, conn, clock.now(), 1)
        later = review.standing_one(trusting, conn, clock.now() + DAY, 1)
        with pytest.raises(NotFound):
            review.standing_one(trusting, conn, clock.now(), 99)
    assert (found["used_today"], later["used_today"], found["daily_max"]) == (1, 0, 2)
    assert [row["id"] for row in found["signed"]] == [signed]
    left = {row["id"]: str(row["why"]) for row in found["not_covered"]}
    assert left == {other: "栏目不在范围内", doubtful: "审查有疑点"}


def test_what_may_be_granted_is_of_the_sources_where_one_signs(trusting: Office) -> None:
    with trusting.db.read() as conn:
        offered = review.grantable(trusting, conn, builders.actor(conn, "lin"))
        assert review.grantable(trusting, conn, builders.actor(conn, "zhou")) == {}
    assert (offered["notices"]["template"], offered["notices"]["accounts"]) == ("notice", ("hand",))


def test_a_standing_sign_off_wakes_when_a_signer_says_so(trusting: Office) -> None:
    with trusting.db.write() as conn:
        conn.execute(update(standings).values(asleep=True))
        now = trusting.db.now(conn)
        with pytest.raises(NotAllowed):
            review.wake_standing(conn, now, builders.actor(conn, "zhou"), 1)
        review.wake_standing(conn, now, builders.actor(conn, "lin"), 1)
        with pytest.raises(NotFound):
            review.wake_standing(conn, now, builders.actor(conn, "lin"), 99)
    post = composed(trusting)
    review.take_drafts(trusting)
    assert state(trusting, post) == PostState.APPROVED


def test_a_standing_sign_off_is_given_by_a_signer_with_an_end_and_a_maximum(
    office: Office, clock: FixedClock
) -> None:
    made = offices.declared(office, SOURCE + HAND)
    soon = clock.now() + DAY
    with pytest.raises(NotAllowed):
        grant(made, by="zhou", ends=soon, daily_max=1)
    for ends, most in ((clock.now(), 1), (soon, 0)):
        with pytest.raises(Invalid):
            grant(made, ends=ends, daily_max=most)
    assert grant(made, ends=soon, daily_max=1)


def test_where_steps_are_waived_the_signer_says_why(office: Office, clock: FixedClock) -> None:
    made = offices.declared(office, SOURCE + HAND, TWO_STEPS)
    soon = clock.now() + DAY
    with pytest.raises(Invalid, match="免去"):
        grant(made, ends=soon, daily_max=1)
    grant(made, ends=soon, daily_max=1, note="县政府网站已审")
    post = composed(made)
    review.take_drafts(made)
    assert state(made, post) == PostState.APPROVED
    assert [row["step_name"] for row in rows(made, signoffs)] == ["初审", "签发"]


# ---------------------------------------------------------------- what the machine made


def test_what_the_machine_made_is_handed_in_unless_the_source_says_otherwise(
    office: Office,
) -> None:
    made = offices.declared(office, SOURCE + "submit = false\n" + HAND)
    post = composed(made)
    review.take_drafts(made)
    assert state(made, post) == PostState.DRAFT


def test_what_belongs_to_no_source_is_handed_in_too(one_step: Office) -> None:
    """A schedule's digest is of many entries: it waits for a signature like the rest."""
    with one_step.db.write() as conn:
        now, unit = one_step.db.now(conn), people.unit_of(conn, "county")["id"]
        body = Body("今日公开 3 条。")
        post = compose.create(one_step, conn, now, MACHINE, unit_id=unit, keys=["hand"], body=body)
    review.take_drafts(one_step)
    assert state(one_step, post) == PostState.IN_REVIEW


def test_a_draft_a_person_wrote_is_left_to_him(one_step: Office) -> None:
    post = builders.draft(one_step, ["hand"])
    assert review.take_drafts(one_step) == 0
    assert state(one_step, post) == PostState.DRAFT


# ---------------------------------------------------------------- can the steps be filled


@pytest.mark.parametrize(
    ("crew", "fine"),
    [
        ([Role.EDITOR, Role.REVIEWER, Role.SIGNER], True),
        ([Role.EDITOR, Role.SIGNER, Role.SIGNER], True),
        ([Role.EDITOR, Role.SIGNER], False),
        ([Role.EDITOR, Role.REVIEWER, Role.REVIEWER], False),
        ([Role.REVIEWER, Role.SIGNER], False),
        ([Role.SIGNER, Role.SIGNER, Role.ADMINISTRATOR, Role.SUPERVISOR], False),
        ([*[Role.REVIEWER] * 15, Role.EDITOR, Role.SIGNER], True),
        ([*[Role.EDITOR] * 15, Role.REVIEWER, Role.SIGNER], True),
    ],
    ids=lambda v: f"{len(v)} people" if isinstance(v, list) else str(v),
)
def test_a_unit_whose_steps_its_people_cannot_fill_is_told(
    office: Office, crew: list[Role], fine: bool
) -> None:
    made = offices.declared(office, "", TWO_STEPS)
    with made.db.write() as conn:
        conn.execute(delete(grants))
        for n, role in enumerate(crew):
            builders.person(conn, f"p{n}", f"人{n}", role)
        found = review.unfillable(conn, made.config)
    assert [str(say).startswith("单位 云澜县人民政府办公室") for say in found] == [True] * (
        not fine
    )


def test_one_person_in_two_roles_counts_once(office: Office) -> None:
    made = offices.declared(office, "", builders.CONFIG)
    with made.db.write() as conn:
        conn.execute(delete(grants))
        both = builders.person(conn, "all", "一人", Role.EDITOR)
        builders.grant(conn, both, Role.SIGNER, "county")
        assert review.unfillable(conn, made.config)
        builders.person(conn, "other", "另一人", Role.EDITOR)
        assert review.unfillable(conn, made.config) == []


def test_those_above_fill_the_steps_of_those_below(office: Office) -> None:
    units = builders.CONFIG + '[units.health]\nname = "卫健局"\nparent = "county"\n'
    made = offices.declared(office, "", units)
    with made.db.read() as conn:
        assert review.unfillable(conn, made.config) == []


def test_who_saw_another_step_waiting_passes_none(two_steps: Office) -> None:
    """lin may pass either: what he read as 初审 does not become his 签发."""
    post = submitted(two_steps)
    decide(two_steps, post, "shen")
    with two_steps.db.write() as conn:
        digest = compose.current(conn, compose.locked(conn, post))["digest"]
        word, lin = Decision(Verdict.PASS, digest, step=0), builders.actor(conn, "lin")
        with pytest.raises(Conflict, match="另一步"):
            review.decide(two_steps, conn, two_steps.db.now(conn), lin, post, word)
    once = review.Ticked(post, digest, step=0)
    again = review.Ticked(post, digest, step=1)
    (why,) = review.sign_together(two_steps, lin, [once, again]).values()
    assert "另一步" in str(why), "what is said first of a post counts"
    assert review.sign_together(two_steps, lin, [again, once]) == {post: PostState.APPROVED}


# ---------------------------------------------------------------- several at once


@both
def test_several_are_signed_at_once_each_as_it_was_seen_or_left_out_with_a_reason(
    two_steps: Office,
) -> None:
    """One changed since, one with a finding, one's own, one signed by another meanwhile."""
    with two_steps.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "lin").person or 0, Role.EDITOR, "county")
    plain, changed, taken, other = (submitted(two_steps) for _ in range(4))
    doubtful = submitted(two_steps, text="请拨 13800138000 联系。")
    with two_steps.db.read() as conn:
        query = select(posts.c.id, revisions.c.digest).join(
            revisions, posts.c.revision_id == revisions.c.id
        )
        seen = dict(conn.execute(query).all())
    with two_steps.db.write() as conn:
        lin, now = builders.actor(conn, "lin"), two_steps.db.now(conn)
        compose.revise(two_steps, conn, now, lin, changed, 1, Body("改过的。"), ["hand"])
        review.submit(two_steps, conn, now, lin, changed)
    decide(two_steps, taken, "shen")
    several = [review.Ticked(post, digest) for post, digest in seen.items()]
    with two_steps.db.read() as conn:
        shen = builders.actor(conn, "shen")
        told = {t.post: review.refusal(two_steps, conn, shen, t) for t in several}
    got = review.sign_together(two_steps, shen, several)
    assert {post for post, why in told.items() if why is None} == {plain, other}
    assert {post for post, word in got.items() if word == PostState.IN_REVIEW} == {plain, other}
    assert "新版本" in str(got[changed])
    assert "疑点" in str(got[doubtful])
    assert "权限" in str(got[taken])
    assert {post: str(told[post]) for post in (changed, doubtful, taken)} == {
        post: str(got[post]) for post in (changed, doubtful, taken)
    }
    bound = [(row["post_id"], row["digest"]) for row in rows(two_steps, signoffs)]
    assert bound == [(taken, seen[taken]), (plain, seen[plain]), (other, seen[other])]
