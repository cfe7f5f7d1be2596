"""排期: every post of a busy day can be reached, moving says what it means first, slots, schedules."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from bot import db
from bot.model import DeliveryState, Window
from bot.office import Office
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURS = {"slots": ["09:30", "17:30"], "quiet": "22:00-07:00", "daily_most": 2}
DAILY = """name = "每日摘要"
unit = "county"
accounts = []
days = "workdays"
[[when]]
hour = "9"
minute = "30"
"""


def at(words: str) -> datetime:
    return datetime.fromisoformat(f"2026-{words}").replace(tzinfo=SHANGHAI)


def signed(office: Office, title: str, go_at: datetime, ends: datetime) -> int:
    """Signed for a window from its hour on."""
    made = scene.post(office, title=title, go_at=go_at)
    builders.sign(office, made, window=Window(go_at, ends))
    from bot.deliver import plan

    plan.plan_due(office)
    return made


def with_hours(office: Office) -> None:
    with office.db.write() as conn:
        mine = update(db.accounts).where(db.accounts.c.key == "hand")
        conn.execute(mine.values(rhythm={**HOURS, "zone": "Asia/Shanghai"}))


def with_schedule(office: Office, text: str = DAILY, name: str = "daily") -> None:
    folder = office.config.place(office.config.schedules)
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text, "utf-8")


def test_a_busy_day_says_how_many_there_are_and_leads_to_all_of_them(
    staffed: Office, enter: Enter
) -> None:
    for n in range(60):
        scene.post(staffed, title=f"第{n}号", go_at=at("11-26T10:00") + timedelta(minutes=n))
    failed = scene.signed(staffed, title="末条", go_at=at("11-26T18:00"))
    scene.delivery(staffed, failed, state=DeliveryState.FAILED, due_at=None)
    zhou = enter("zhou")
    month = zhou.get("/calendar?on=2026-11-01")
    cell = "//td[@data-day='2026-11-26']"
    assert len(month.all(f"{cell}/a[contains(@class, 'ev')]")) == 3
    assert month.words(f"{cell}/div[@class='more-of']") == "共 61 条 失败 1"
    day = zhou.get(month.all(f"{cell}/div[@class='more-of']/a/@href")[0])
    assert "第 1 至 50 条，共 61 条" in day.words()
    last = zhou.get("/calendar" + day.all("//a[@rel='next' and contains(@href, 'page')]/@href")[0])
    assert "末条" in last.words()
    assert "第59号" in last.words()
    only = zhou.get("/calendar?view=day&on=2026-11-26&state=failed")
    assert [row.text for row in only.all("//tbody//a/b")] == ["末条"]
    week = zhou.get("/calendar?view=week&on=2026-11-26").words("//tfoot")
    assert "61 条" in week


def test_however_many_posts_a_page_stays_light(staffed: Office, enter: Enter) -> None:
    made = scene.signed(staffed, keys=("board",), title="供水管网检修公告")
    with staffed.db.write() as conn:
        post, sent = (
            dict(conn.execute(select(table).where(column == made)).mappings().one())
            for table, column in (
                (db.posts, db.posts.c.id),
                (db.deliveries, db.deliveries.c.post_id),
            )
        )
        hours = [at("11-02T00:00") + timedelta(minutes=20 * n) for n in range(2000)]
        many = [{**post, "id": 100 + n, "go_at": one} for n, one in enumerate(hours)]
        conn.execute(db.posts.insert(), many)
        sent.pop("id")
        rows = [
            {**sent, "post_id": 100 + n, "go_at": one, "key": f"k{n}"}
            for n, one in enumerate(hours)
        ]
        conn.execute(db.deliveries.insert(), rows)
    zhou = enter("zhou")
    for view in ("month", "week", "day"):
        page = zhou.get(f"/calendar?view={view}&on=2026-11-12")
        assert len(page.text.encode()) < 120_000, view
        assert page.words("//h1/following-sibling::span").find(" 条") > 0
    assert "2001 条" in zhou.get("/calendar?on=2026-11-12").words()


def test_holidays_swapped_days_slots_and_quiet_hours_are_marked(
    staffed: Office, enter: Enter, clock: object
) -> None:
    with_hours(staffed)
    zhou = enter("zhou")
    september = zhou.get("/calendar?on=2026-09-01")
    assert september.words("//td[@data-day='2026-09-25']") == "25周五中秋节休"
    assert september.words("//td[@data-day='2026-09-20']") == "20周日调休班"
    assert "发布时段 09:30 17:30 · 静默 22:00-07:00 · 每日至多 2 条" in september.words()
    assert "放假安排未录入" in zhou.get("/calendar?on=2035-01-01").words()
    hand = zhou.get("/calendar?view=week&on=2026-11-24&account=3")
    slots = hand.all("//a[@class='slot']/@href")
    assert slots[0] == "/posts/new?go_at=2026-11-24T09:30&account=hand"
    late = zhou.get("/calendar?view=week&on=2026-11-24&account=3").all("//tr[th='22:00']")
    assert late == [], "an empty night is folded"
    scene.post(staffed, keys=("hand",), go_at=at("11-25T22:30"))
    hushed = zhou.get("/calendar?view=week&on=2026-11-24&account=3")
    assert "静默" in hushed.words("//td[@data-day='2026-11-26'][@data-hour='22']")


def test_a_move_inside_what_was_signed_is_done_outside_it_is_said_before(
    staffed: Office, enter: Enter
) -> None:
    made = signed(staffed, "供水检修", at("11-26T10:00"), at("11-26T18:00"))
    zhou = enter("zhou")
    done = zhou.post(f"/calendar/move/{made}", at="2026-11-26T15:00")
    assert "已改期，签发继续有效" in done.words()
    assert done.words("//td[1]") == "15:00"
    asked = zhou.post(f"/calendar/move/{made}", at="2026-11-28T15:00")
    assert "退回审签" in asked.words("//form//*[@role='status']")
    assert "这天是休息日" in asked.words("//form//*[@role='status']")
    assert scene.state_of(staffed, db.posts, made) == "approved", "nothing is done yet"
    form = {n.get("name"): n.get("value") for n in asked.all("//main//form//input")}
    went = zhou.post(f"/calendar/move/{made}", **form)
    assert "新版本已退回审签" in went.words()
    assert scene.state_of(staffed, db.posts, made) == "in_review"
    stale = zhou.post(f"/calendar/move/{made}", **form)
    assert stale.status == 409
    assert "刚被别人改过" in stale.words("//*[@role='alert']")
    assert "post.move" in scene.trail(staffed)


def test_who_may_not_move_is_told_who_does(staffed: Office, enter: Enter) -> None:
    made = signed(staffed, "供水检修", at("11-26T10:00"), at("11-26T18:00"))
    refused = enter("xu").post(f"/calendar/move/{made}", at="2026-11-26T15:00")
    assert "处理队列" in refused.words("//*[@role='alert']")
    assert enter("xu").get("/calendar?on=2026-11-26").all("//*[@draggable]") == []
    outside = enter("lin").post(f"/calendar/move/{made}", at="2026-11-28T15:00")
    assert "拟稿" in outside.words("//*[@role='alert']")


def test_a_slot_is_chosen_in_the_composer_and_only_once(staffed: Office, enter: Enter) -> None:
    with_hours(staffed)
    zhou = enter("zhou")
    form = zhou.get("/posts/new?go_at=2026-11-25T17:30&account=hand")
    assert form.all("//input[@id='go_at']/@value") == ["2026-11-25T17:30"]
    assert form.all("//input[@name='keys'][@checked]/@value") == ["hand"]
    free = form.all("//select[@id='pick']//option/@value")
    assert free[:3] == ["", "hand|2026-11-24T09:30", "hand|2026-11-24T17:30"]
    typed = {"title": "停水", "text": "望江路停水。", "keys": "hand", "act": "save", "version": "0"}
    kept = zhou.post("/posts/new", **typed, pick=free[1])
    assert kept.all("//input[@id='go_at']/@value") == ["2026-11-24T09:30"]
    again = zhou.post("/posts/new", **typed, pick=free[1])
    assert "刚被占用" in again.words("//*[@role='alert']")
    moved = zhou.post("/calendar/move/1", pick="hand|2026-11-25T09:30")
    assert "已改计划时间" in moved.words()


def test_schedules_show_their_times_and_are_run_skipped_and_paused(
    staffed: Office, enter: Enter
) -> None:
    with_schedule(staffed)
    with_schedule(staffed, 'name = "坏"\nunit = "nowhere"\n', "bad")
    lin, page = enter("lin"), "/calendar/schedules"
    shown = lin.get(page)
    times = shown.words("//*[@id='s-daily']//dd[1]").split(" · ")
    assert len(times) == 5
    assert times[0] == "11月24日 09:30 周二"
    assert "每日摘要下次 09:30" in lin.get("/calendar").words()
    assert "bad.toml" in shown.words("//*[@id='s-bad']")
    assert "已加办" in lin.post(page, act="run", key="daily").words()
    lin.post(page, act="skip", key="daily", at="2026-11-25T09:30:00+08:00")
    assert lin.get(page).words("//*[@id='s-daily']//del") == "11月25日 09:30"
    week = lin.get("/calendar?view=week&on=2026-11-24")
    plans = [a.text_content().strip() for a in week.all("//table//a[contains(@href, '#s-daily')]")]
    assert plans == ["09:30 每日摘要"] * 3, "Tuesday, Thursday, Friday: not the one called off"
    lin.post(page, act="unskip", key="daily", at="2026-11-25T09:30:00+08:00")
    assert lin.get(page).all("//del") == []
    refused = lin.post(page, act="pause", key="daily")
    assert "理由" in refused.words("//*[@role='alert']")
    lin.post(page, act="pause", key="daily", reason="春节")
    assert "已暂停" in lin.get(page).words("//*[@id='s-daily']")
    lin.post(page, act="resume", key="daily")
    assert scene.trail(staffed)[-5:] == [
        *("schedule.run", "schedule.skip", "schedule.unskip", "schedule.pause", "schedule.resume")
    ]
    xu = enter("xu")
    assert xu.get(page).all("//button[@value='run']") == []
    assert "处理队列" in xu.post(page, act="run", key="daily").words("//*[@role='alert']")


def test_what_if_gives_times_or_mistakes_by_line_and_changes_nothing(
    staffed: Office, enter: Enter
) -> None:
    xu, page = enter("xu"), "/calendar/schedules"
    more = {"act": "whatif", "begins": "2026-09-21T00:00", "ends": "2026-09-29T00:00"}
    rule = xu.post(page, text="30 9 * * 1-5", **more)
    assert "会有 6 次" in rule.words("//*[@id='whatif']")
    assert "中秋节" in rule.words("//*[@id='whatif']//tbody")
    file = xu.post(page, text=DAILY, **more)
    assert "会有 5 次" in file.words("//*[@id='whatif']"), "the holiday is left out"
    wrong = xu.post(page, text=DAILY.replace('"9"', '"29"'), **more)
    assert wrong.status == 422
    told = "试排 第 6 行：时间规则有误：hour 不能是“29”，可写 0–23"
    assert told in wrong.words("//*[@id='text-error']")
    assert wrong.all("//textarea[@id='text']")[0].text.count("29") == 1, "what was typed stays"
    short = xu.post(page, text="30 29 * * *", **more)
    assert "试排 第 1 行：时间规则有误：hour" in short.words("//*[@id='text-error']")
    deep = xu.post(page, text="a = " + "[" * 20_000, **more)
    assert (deep.status, "写法有误" in deep.words("//*[@id='text-error']")) == (422, True)
    unknown = xu.post(page, text=DAILY + "colour = 1\n", **more)
    assert "colour" in unknown.words("//*[@id='text-error']")
    with staffed.db.read() as conn:
        assert conn.execute(select(db.occurrences)).all() == []
