"""停发: what it would stop, pressing it, who is let through, lifting it."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import insert, select

from bot import db, people
from bot.deliver import holds
from bot.model import DeliveryState, HoldScope, Role
from bot.office import Office
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter

S = DeliveryState


def standing(office: Office) -> list[dict[str, object]]:
    with office.db.read() as conn:
        rows = conn.execute(select(db.holds).where(db.holds.c.lifted_at.is_(None))).mappings()
        return [dict(row) for row in rows]


def test_the_button_says_how_many_it_stops_and_each_scope_counts(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed, keys=("board", "masto"))
    scene.signed(staffed, keys=("board",))
    page = enter("lin").get("/stop")
    assert page.words("//button[contains(@class, 'danger')]") == "立即停发，停住 3 条"
    options = [o.text_content() for o in page.all("//select[@name='account']/option")]
    assert options == [
        "公开栏 · 停住 2 条",
        "Mastodon 云澜 · 停住 1 条",
        "微博 云澜发布 · 停住 0 条",
    ]


def test_one_press_stops_everything_with_its_reason_and_its_passes(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed, title="普通的")
    urgent = scene.signed(staffed, title="大风预警")
    reader = enter("lin")
    assert "大风预警" in reader.get("/stop").words("//fieldset[last()]")
    page = reader.post("/stop", scope="all", reason="上级要求核实", passes=str(urgent))
    assert "全部账号停发中" in page.words("//main")
    assert "停住 1 条" in page.words("//section[starts-with(@id, 'hold-')]")
    held = standing(staffed)
    assert [(h["scope"], h["reason"], h["passes"]) for h in held] == [
        ("all", "上级要求核实", [urgent])
    ]
    assert scene.trail(staffed)[-1] == "hold"


def test_without_a_reason_nothing_is_stopped_and_the_choice_stays(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed)
    page = enter("lin").post("/stop", scope="account", account="1", reason=" ")
    assert page.status == 422
    assert "事由" in page.words("//*[@role='alert']")
    assert page.all("//input[@value='account' and @checked]")
    assert not standing(staffed)
    past = {"scope": "all", "reason": "核实", "until": "2026-11-24T08:00"}
    assert "自动解除的时间已过" in enter("lin").post("/stop", **past).words("//*[@role='alert']")
    assert enter("lin").post("/stop", scope="moon", reason="核实").status == 422


def test_a_stop_of_one_account_with_an_end_and_its_lifting(staffed: Office, enter: Enter) -> None:
    scene.signed(staffed, go_at=builders.NOW + timedelta(hours=1))
    reader = enter("zhou")
    reader.post("/stop", scope="account", account="1", reason="密码泄露", until="2026-11-24T18:00")
    held = standing(staffed)[0]
    assert (held["target_id"], held["until"]) == (1, builders.NOW + timedelta(hours=9))
    page = reader.post(f"/stop/{held['id']}/lift")
    assert "停发期间没有到点的投递" in page.words()
    assert not standing(staffed)
    assert "密码泄露" in page.words("//aside | //main")
    assert reader.post(f"/stop/{held['id']}/lift").status == 404


def test_who_may_not_stop_sees_whom_to_call(staffed: Office, enter: Enter) -> None:
    reader = enter("xu")
    assert "请立即电话联系" in reader.get("/stop").words()
    page = reader.post("/stop", scope="all", reason="我想停")
    assert (page.status, standing(staffed)) == (403, [])


def test_a_unit_below_stops_itself_but_not_everything(staffed: Office, enter: Enter) -> None:
    with staffed.db.write() as conn:
        county = conn.execute(select(db.units.c.id)).scalar_one()
        unit = builders.unit(conn, "health", county)
        person = builders.person(conn, "wei", "卫生")
        row = {"person_id": person, "unit_id": unit, "role": "editor"}
        conn.execute(insert(db.grants).values(**row))
    reader = enter("wei")
    assert not reader.get("/stop").all("//input[@value='all']")
    assert reader.post("/stop", scope="all", reason="全停").status == 403
    reader.post("/stop", scope="unit", unit=str(unit), reason="自查")
    assert [h["target_id"] for h in standing(staffed)] == [unit]


def test_what_a_changed_source_stopped_is_listed_and_lifted_here_too(
    staffed: Office, enter: Enter
) -> None:
    item = scene.item(staffed)
    with staffed.db.write() as conn:
        lin = builders.actor(conn, "lin")
        made = holds.hold(conn, builders.NOW, lin, HoldScope.ITEM, item, "来源条目改到第 2 版")
    reader = enter("lin")
    card = reader.get("/stop").words(f"//section[@id='hold-{made}']")
    assert "条目停发中：关于放假的通知" in card
    reader.post(f"/stop/{made}/lift")
    assert not standing(staffed)


def test_one_post_is_stopped_from_its_own_page(staffed: Office, enter: Enter) -> None:
    post = scene.signed(staffed, title="有疑问的")
    reader = enter("zhou")
    form = reader.get(f"/posts/{post}").all("//form[@action='/stop']")[0]
    fields = {f.get("name"): f.get("value", "") for f in form.xpath(".//input")}
    reader.post("/stop", **{**fields, "reason": "数字待核"})
    assert [(h["scope"], h["target_id"]) for h in standing(staffed)] == [("post", post)]
    assert "稿件停发中：有疑问的" in reader.get("/stop").words()


def test_the_figures_are_of_what_the_reader_sees_and_lead_to_it(
    staffed: Office, enter: Enter
) -> None:
    """A contributor sees no figure of others; a unit's editor those of his unit, and says whose."""
    scene.signed(staffed, title="县里的")
    scene.delivery(staffed, scene.signed(staffed, title="在途的"), state=S.SENDING, due_at=None)
    with staffed.db.write() as conn:
        lin = builders.actor(conn, "lin")
        made = holds.hold(conn, builders.NOW, lin, HoldScope.ALL, None, "核实")
        builders.person(conn, "xin", "信息员", Role.CONTRIBUTOR)
        builders.unit(conn, "water", people.unit_of(conn, "county")["id"])
        builders.person(conn, "shui", "水编", Role.EDITOR, "water")
    whole = enter("lin").get("/stop")
    assert "停住 1 条" in whole.words(f"//*[@id='hold-{made}']")
    (way,) = whole.all(f"//*[@id='hold-{made}']//a[contains(@href, '/queue')]/@href")
    assert len(enter("lin").get(way).all("//tr[@data-row]")) == 1
    assert "正在发送的 1 条" in whole.words()
    below = enter("shui").get("/stop")
    assert "停住您单位的 0 条" in below.words(f"//*[@id='hold-{made}']")
    assert "您单位正在发送的 0 条" in below.words()
    none = enter("xin").get("/stop").words()
    assert "核实" in none
    assert not re.search(r"\d+ 条", none)


def test_a_post_s_own_stop_keeps_its_post_when_the_reason_is_missing(
    staffed: Office, enter: Enter
) -> None:
    post = scene.signed(staffed)
    reader = enter("lin")
    page = reader.post("/stop", scope="post", target=str(post), reason=" ")
    assert page.status == 422
    form = {e.get("name"): e.get("value") for e in page.all("//form[@action='/stop']//input")}
    (chosen,) = page.all("//input[@name='scope'][@checked]/@value")
    assert (chosen, form["target"]) == ("post", str(post))
