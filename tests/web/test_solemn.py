"""肃穆模式 on the console: what it would keep, its declaration, where it is seen, what it leaves."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from bot import db
from bot.deliver import holds, sweeping
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders
from tests.offices import rows
from tests.web import scene
from tests.web.conftest import Enter

PERIOD = {"scope": "all", "begins": "2026-11-25T00:00", "until": "2026-11-26T00:00"}
SAID = {**PERIOD, "reason": "全国哀悼日"}
WITHIN = builders.NOW + timedelta(days=1)


def standing(office: Office) -> list[dict[str, object]]:
    with office.db.read() as conn:
        rows = conn.execute(select(db.holds).where(db.holds.c.lifted_at.is_(None))).mappings()
        return [dict(row) for row in rows]


def sweep(office: Office) -> None:
    with office.db.write() as conn:
        sweeping.sweep(conn, office.db.now(conn), timedelta(seconds=1), timedelta(days=9))


def test_before_it_is_declared_the_page_lists_what_it_would_keep(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed, title="期间的", go_at=WITHIN)
    scene.signed(staffed, title="之前的", go_at=builders.NOW + timedelta(hours=1))
    scene.post(staffed, title="还没签的", go_at=WITHIN)
    reader = enter("lin")
    page = reader.get("/stop/solemn?" + "&".join(f"{k}={v}" for k, v in SAID.items()))
    lists = page.words("//main//table[1]"), page.words("//main")
    assert "期间的" in lists[0]
    assert "之前的" not in page.words("(//main//section[.//table])[1]")
    assert "还没签的" in lists[1]
    assert "会停住 1 条" in page.words("//form[@method='post']//button[contains(@class, 'big')]")
    assert standing(staffed) == [], "looking declares nothing"


def test_only_what_falls_due_in_the_period_may_be_named(staffed: Office, enter: Enter) -> None:
    scene.signed(staffed, title="期间的", go_at=WITHIN)
    other = scene.signed(staffed, title="之前的", go_at=builders.NOW + timedelta(hours=1))
    reader = enter("lin")
    names = "//input[@name='passes'][@type='checkbox']"
    assert not reader.get("/stop/solemn").all(names)
    asked = "&".join(f"{k}={v}" for k, v in SAID.items())
    page = reader.get(f"/stop/solemn?{asked}&passes={other}")
    assert "期间的" in page.words(f"({names}/..)[1]")
    assert len(page.all(names)) == 1
    assert not page.all(f"{names}[@checked]"), "ticked for other dates"
    assert page.all(f"//form[@method='post']{names}"), "one press declares what is ticked"


def test_it_is_declared_seen_everywhere_begins_and_leaves_a_list(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    kept = scene.delivery(staffed, scene.signed(staffed, title="期间的", go_at=WITHIN))
    reader = enter("lin")
    page = reader.post("/stop/solemn", **SAID)
    assert "肃穆模式已宣布" in page.words("//*[@role='status']")
    assert "将进入肃穆模式" in reader.get("/").words("//main")
    month = reader.get("/calendar?view=month&on=2026-11-25")
    assert "肃穆" in month.words("//td[@data-day='2026-11-25']")
    assert "肃穆" not in month.words("//td[@data-day='2026-11-26']")
    assert "肃穆" in reader.get("/calendar?view=week&on=2026-11-25").words("//thead")
    assert "肃穆" in reader.get("/calendar?view=day&on=2026-11-25").words("//h2/..")
    clock.move(26 * 3600)
    sweep(staffed)
    reader = enter("lin")
    assert "肃穆模式" in reader.get("/").words("//*[contains(@class, 'band')]")
    assert "肃穆模式；结束后由人复核" in reader.get("/queue").words(f"//tr[@id='d{kept}']")
    clock.move(24 * 3600)
    sweep(staffed)
    (hold,) = rows(staffed, db.holds)
    page = enter("lin").get(f"/queue?hold={hold['id']}")
    assert "肃穆模式（全国哀悼日）期间到点、还没有定的 · 1" in page.words("//main")
    assert page.all(f"//tr[@id='d{kept}']")
    assert scene.trail(staffed)[-3:].count("resume") == 1


def test_several_are_sent_back_to_review_or_moved_at_once(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    posts = [scene.signed(staffed, title=f"第{n}条", go_at=WITHIN) for n in range(4)]
    ids = [scene.delivery(staffed, one) for one in posts]
    enter("lin").post("/stop/solemn", **SAID)
    clock.move(48 * 3600)
    sweep(staffed)
    reader = enter("zhou")
    page = reader.post("/queue?hold=1", act="back", ids=[str(one) for one in ids[:2]])
    assert "没有办成" not in page.words("//main")
    later = {"act": "move", "at": "2026-11-26T15:00", "ids": [str(ids[2])]}
    page = reader.post("/queue?hold=1", **later)
    assert [bool(page.all(f"//tr[@id='d{one}']")) for one in ids] == [False, False, False, True]
    with staffed.db.read() as conn:
        states = dict(conn.execute(select(db.posts.c.id, db.posts.c.state)).all())
    assert [states[one] for one in posts] == ["in_review"] * 3 + ["approved"]


def test_what_cannot_be_declared_keeps_what_was_typed(staffed: Office, enter: Enter) -> None:
    page = enter("lin").post("/stop/solemn", **{**SAID, "until": "2026-11-24T00:00"})
    assert page.status == 422
    assert "须在开始之后" in page.words("//*[@role='alert']")
    assert "全国哀悼日" in page.words("//textarea")
    page = enter("lin").post("/stop/solemn", **{**SAID, "reason": ""})
    assert (page.status, standing(staffed)) == (422, [])
    assert enter("xu").post("/stop/solemn", **SAID).status == 403


def test_it_is_taken_back_and_an_urgent_post_is_named_while_it_stands(
    staffed: Office, enter: Enter
) -> None:
    urgent = scene.signed(staffed, title="暴雨预警", go_at=WITHIN)
    reader = enter("lin")
    reader.post("/stop/solemn", **SAID)
    page = reader.post("/stop/1/let", post=str(urgent))
    assert "已点名放行" in page.words("//*[@role='status']")
    assert standing(staffed)[0]["passes"] == [urgent]
    page = reader.post("/stop/1/lift")
    assert "肃穆模式已收回" in page.words("//*[@role='status']")
    with staffed.db.read() as conn:
        assert not holds.declared(conn, builders.NOW, builders.NOW + timedelta(days=9))


def test_the_public_board_is_grey_while_it_stands_for_everything(
    staffed: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("lin")
    reader.post("/stop/solemn", **SAID)
    assert not reader.get("/board").all("//html[@class='grey']")
    clock.move(24 * 3600)
    assert reader.get("/board").all("//html[@class='grey']")
    clock.move(24 * 3600)
    sweep(staffed)
    assert not reader.get("/board").all("//html[@class='grey']")
