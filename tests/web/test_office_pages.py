"""今日, 账号与来源, 留痕: what waits, what works, who did what."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

import bot
from bot import audit, db, review
from bot.language import Say
from bot.model import MACHINE, Actor, DeliveryState, Role, Verdict
from bot.notices import open_notice
from bot.office import Office
from bot.web import words
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


# ---------------------------------------------------------------- today


def test_every_figure_of_today_leads_to_that_many_rows(staffed: Office, enter: Enter) -> None:
    scene.submitted(staffed, title="等我签")
    scene.unclear(staffed, scene.signed(staffed, title="不明"))
    missed = scene.signed(staffed, title="错过")
    scene.delivery(staffed, missed, state=DeliveryState.MISSED, due_at=None)
    reader = enter("lin")
    page = reader.get("/")
    tiles = {t.get("href"): int(t.xpath("./b")[0].text) for t in page.all("//nav//a[./b]")}
    assert tiles["/review"] == 1 == len(reader.get("/review").all("//a[@class='it']"))
    assert tiles["/queue?state=person"] == 2
    assert len(reader.get("/queue?state=person").all("//tr[@data-row]")) == 2
    assert tiles["/replies/board"] == 0
    assert "结果不明 1，已错过 1" in page.words("//nav[contains(@class, 'wait')]")


def test_the_strip_shows_each_account_its_next_hours_in_order(
    staffed: Office, enter: Enter
) -> None:
    now = builders.NOW
    scene.signed(staffed, title="下午的", keys=("board", "masto"), go_at=now + hours(6))
    scene.signed(staffed, title="上午的", keys=("board",), go_at=now + hours(1))
    scene.submitted(staffed, title="没签的", keys=("board",), go_at=now + hours(2))
    scene.signed(staffed, title="后天的", keys=("board",), go_at=now + hours(48))
    page = enter("zhou").get("/")
    lanes = page.all("//div[@class='strip']//tbody/tr")
    assert [lane.xpath("./th")[0].text_content().split()[-1] for lane in lanes] == [
        "公开栏",
        "云澜",
    ]
    titles = [b.text for b in lanes[0].xpath(".//a/b")]
    assert titles == ["上午的", "没签的", "下午的"]
    for lane in lanes:
        assert sum(int(cell.get("colspan")) for cell in lane.xpath("./td")) == 24
    coming = page.words("//section[contains(@class, 'phone')]")
    assert coming.index("上午的") < coming.index("没签的") < coming.index("下午的")


def test_a_full_hour_counts_what_it_has_no_room_for(staffed: Office, enter: Enter) -> None:
    for n in range(5):
        at = builders.NOW + hours(2) + timedelta(minutes=n)
        scene.signed(staffed, title=f"第{n}篇", keys=("board",), go_at=at)
    (more,) = enter("zhou").get("/").all("//div[@class='strip']//details")
    (said,) = more.xpath("./summary")
    assert (said.xpath("./span")[0].text, said.get("title")) == ("+2", "另 2 条")
    assert [each.text for each in more.xpath("./a/b")] == ["第3篇", "第4篇"]


def test_a_contributor_is_told_what_to_do_and_shown_no_figures_of_others(
    staffed: Office, enter: Enter
) -> None:
    scene.signed(staffed)
    with staffed.db.write() as conn:
        builders.person(conn, "xin", "信息员", Role.CONTRIBUTOR)
    page = enter("xin").get("/")
    assert page.all("//main//a[@href='/items/new?to=other']")
    assert not page.all("//nav[contains(@class, 'wait')]")
    assert "您可以上报材料" in page.words()


def test_a_task_by_hand_offers_nothing_to_who_may_not_do_it(staffed: Office, enter: Enter) -> None:
    post = scene.signed(staffed, title="人工发", keys=("hand",))
    scene.delivery(staffed, post, state=DeliveryState.SENDING, due_at=None, lease=None)
    assert "去发布并登记" in enter("zhou").get("/").words()
    assert "去发布并登记" not in enter("xu").get("/").words()


def test_what_is_broken_and_every_standing_notice_is_told(staffed: Office, enter: Enter) -> None:
    why = Say("凭据已失效：{raw}", raw="401").json()
    with staffed.db.write() as conn:
        broken = update(db.accounts).where(db.accounts.c.key == "masto")
        conn.execute(broken.values(state="broken", broken=why))
        open_notice(conn, builders.NOW, "account:2", Say("账号已断开"), None, "/accounts")
    page = enter("zhou").get("/")
    assert "账号断开 1" in page.words("//nav[contains(@class, 'wait')]")
    assert "凭据已失效：401" in page.words()
    assert page.all("//a[@href='/accounts' and text()='账号已断开']")


def test_an_empty_office_says_what_will_come_here(office: Office, enter: Enter) -> None:
    shown = enter("zhou").get("/").words()
    for said in ("接下来 24 小时没有要发的", "没有结果不明、失败或错过的投递", "还没有账号和来源"):
        assert said in shown


# ---------------------------------------------------------------- accounts and sources


def test_an_account_is_paused_activated_and_checked_by_its_administrator(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("gu")
    page = reader.post("/accounts/board", act="pause")
    assert "已暂停" in page.words("//tr[@id='account-1']")
    assert "正常" in reader.post("/accounts/board", act="activate").words("//tr[@id='account-1']")
    reader.post("/accounts/board", act="check")
    with staffed.db.read() as conn:
        due = conn.execute(select(db.accounts.c.due_at).where(db.accounts.c.id == 1)).scalar_one()
    assert due == builders.NOW
    verbs = scene.trail(staffed)[-3:]
    assert verbs == ["account.pause", "account.activate", "account.check"]
    for login in ("zhou", "xu"):
        assert enter(login).post("/accounts/board", act="pause").status == 403
        assert not enter(login).get("/accounts").all("//form[@action='/accounts/board']")
    assert reader.post("/accounts/none", act="pause").status == 404
    assert reader.post("/accounts/board", act="melt").status == 422


def test_a_credential_is_on_no_page(staffed: Office, enter: Enter) -> None:
    with staffed.db.write() as conn:
        conn.execute(update(db.accounts).values(credential=staffed.secrets.seal("tok-123")))
        sealed = conn.execute(select(db.accounts.c.credential)).scalars().first()
    page = enter("gu").get("/accounts")
    assert "tok-123" not in page.text
    assert str(sealed) not in page.text


def test_a_failing_source_says_since_when_how_often_and_why(staffed: Office, enter: Enter) -> None:
    scene.item(staffed)
    failing = {"failures": 3, "error": Say("来源连接超时").json(), "polled_at": builders.NOW}
    with staffed.db.write() as conn:
        since = {"ok_at": builders.NOW - hours(3)}
        conn.execute(update(db.sources).values(**failing, **since))
    row = enter("zhou").get("/accounts").words("//tr[@id='source-1']")
    for said in ("连续 3 次读不到：来源连接超时", "上次读成 3 小时前", "新到 1"):
        assert said in row


def test_a_source_is_read_now_by_an_editor_and_paused_by_an_administrator(
    staffed: Office, enter: Enter
) -> None:
    scene.item(staffed)
    assert enter("zhou").post("/sources/catalogue", act="poll").status == 200
    assert enter("zhou").post("/sources/catalogue", act="pause").status == 403
    page = enter("gu").post("/sources/catalogue", act="pause")
    assert "已暂停" in page.words("//tr[@id='source-1']")


# ---------------------------------------------------------------- the trail


def test_the_trail_lists_who_did_what_from_where_newest_first(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    page = enter("xu").get(f"/trail?subject=post:{post}")
    rows = [" ".join(r.text_content().split()) for r in page.all("//tr[@data-row]")]
    assert ["送审" in rows[0], "成稿" in rows[1]] == [True, True]
    assert "周文" in rows[0]
    assert page.all(f"//a[@href='/posts/{post}']")
    assert len(enter("xu").get("/trail?verb=post.").all("//tr[@data-row]")) == 2
    assert "没有这样的留痕" in enter("xu").get("/trail?who=无人").words()


def test_the_trail_is_not_for_everybody(staffed: Office, enter: Enter) -> None:
    page = enter("zhou").get("/trail")
    assert (page.status, "签发人、监督员和管理员" in page.text) == (403, True)
    assert not enter("zhou").get("/").all("//nav//a[@href='/trail']"), (
        "no way is shown that is shut"
    )
    assert enter("xu").get("/").all("//nav//a[@href='/trail']")


def test_verifying_says_what_was_checked_and_what_could_not_be(
    staffed: Office, enter: Enter
) -> None:
    """A chain is whole only where every entry was numbered, and an anchor vouches for the last."""
    scene.submitted(staffed)
    reader, said = enter("xu"), "//div[@role='status']"
    with staffed.db.write() as conn:
        conn.execute(update(db.audits).values(number=None, digest=None, previous=None))
        there = len(conn.execute(select(db.audits.c.id)).all())
    none = reader.post("/trail").words(said)
    assert "全链完好" not in none
    assert "还没有一条编号成链" in none
    assert f"共 {there} 条：0 条已编号" in none
    with staffed.db.write() as conn:
        audit.seal(conn)
    part = reader.post("/trail").words(said)
    assert "全链完好" not in part
    assert "没有相符的库外存证" in part
    with staffed.db.write() as conn:
        audit.anchor(conn, staffed.anchor, builders.NOW)
    whole = reader.post("/trail").words(said)
    assert f"全链完好：{there} 条" in whole
    assert f"证到第 {there} 条；其后 0 条" in whole
    assert "最新一处存于 2026-11-24" in whole
    scene.submitted(staffed)
    with staffed.db.write() as conn:
        audit.seal(conn)
    later = reader.post("/trail").words(said)
    assert "全链完好" not in later
    assert f"证到第 {there} 条；其后 2 条" in later
    with staffed.db.write() as conn:
        conn.execute(update(db.audits).where(db.audits.c.number == 1).values(actor="别人"))
    assert "第 1 条与链不符" in reader.post("/trail").words(said)


def test_details_of_the_trail_are_words_with_ways_to_what_they_name(
    staffed: Office, enter: Enter
) -> None:
    """Names of fields, people and posts; a change as before → after; no raw key."""
    post = scene.submitted(staffed)
    with staffed.db.write() as conn:
        lin = builders.actor(conn, "lin")
        word = review.Decision(Verdict.PASS, scene.digest(conn, post))
        review.decide(staffed, conn, builders.NOW, lin, post, word)
        times = {"before": "", "to": "2026-11-25T01:30:00+00:00"}
        audit.write(conn, builders.NOW, lin, "post.move", f"post:{post}", **times)
        person = lin.person or 0
        audit.write(conn, builders.NOW, lin, "duty.put", "unit:1", days={"2026-11-25": person})
    page = enter("xu").get("/trail")
    rows = [" ".join(r.text_content().split()) for r in page.all("//tr[@data-row]")][1:]
    assert "值班：2026-11-25：林岚" in rows[0]
    assert page.all(f"//tr[@data-row][2]//a[@href='/people/by-id/{person}']")
    assert "时间：未定 → 2026-11-25 09:30" in rows[1]
    assert f"稿件：{post} 停水通知" in rows[1]
    assert ["方式：本人审签" in rows[2], "审次：签发" in rows[2], "版本：第 1 版" in rows[2]] == [
        True
    ] * 3
    assert page.all(f"//a[@href='/posts/{post}/revisions/1']")


def test_titles_of_a_unit_one_does_not_read_are_numbers_in_the_trail(
    staffed: Office, enter: Enter
) -> None:
    scene.submitted(staffed, title="未公开的稿件")
    with staffed.db.write() as conn:
        builders.unit(conn, "fire")
        builders.person(conn, "huo", "霍明", Role.SIGNER, "fire")
    reader = enter("huo")
    page = reader.get("/trail?verb=post.")
    assert "送审" in page.words()
    assert "未公开的稿件" not in page.text
    assert not page.all("//td//a[starts-with(@href, '/posts/')]")
    assert "未公开的稿件" not in reader.get("/trail/export.csv").text


def test_whatever_stands_in_an_entry_its_row_is_shown(staffed: Office, enter: Enter) -> None:
    """A row that was forged, or written by a later version, breaks no page."""
    odd: list[dict[str, Any]] = [
        {"unit": None, "days": 3, "at": 5, "post": {"x": 1}, "steps": "初审", "role": 7},
        {"post": "12", "person": 1, "by": [], "to": "昨天", "before": {}, "filters": "x"},
        {"post": 10**14, "hold": "a/b", "accounts": [None, "nobody"], "verdict": ["pass"]},
    ]
    with staffed.db.write() as conn:
        for n, data in enumerate(odd):
            audit.write(conn, builders.NOW, MACHINE, "odd.verb", f"post:{n}x", **data)
        audit.write(conn, builders.NOW, MACHINE, "odd.verb", f"post:{'9' * 30}")
        audit.write(conn, builders.NOW, MACHINE, "odd.verb", "")
        conn.execute(update(db.audits).where(db.audits.c.subject == "post:2x").values(data=[1, 2]))
    assert len(enter("xu").get("/trail?verb=odd").all("//tr[@data-row]")) == 5


def test_the_trail_is_taken_out_as_the_filter_shows_it_and_that_is_on_record(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    scene.submitted(staffed, title="别的稿件")
    with staffed.db.write() as conn:
        who = Actor(None, "=cmd|' /C calc'!A0", "@10.0.0.9")
        audit.write(conn, builders.NOW, who, "post.revise", f"post:{post}", number=2)
        audit.seal(conn)
    reader = enter("xu")
    page = reader.get(f"/trail?subject=post:{post}")
    (csv_at,) = page.all("//a[contains(@href, '/trail/export.csv')]/@href")
    rows = list(csv.DictReader(reader.get(csv_at).text.lstrip("\ufeff").splitlines()))
    assert len(rows) == len(page.all("//tr[@data-row]")) == 3
    assert [rows[0]["谁"][:2], rows[0]["从何处"][:2]] == ["'=", "'@"], "no formula"
    assert [rows[0]["动作"], rows[0]["详情"]] == ["改稿", "版本：第 2 版"]
    assert scene.trail(staffed)[-1] == "trail.export"
    assert reader.get("/trail/export.exe").status == 404
    assert enter("zhou").get("/trail/export.csv").status == 403


def test_the_digests_of_the_trail_can_be_worked_out_from_its_json(
    staffed: Office, enter: Enter
) -> None:
    scene.submitted(staffed)
    with staffed.db.write() as conn:
        audit.seal(conn)
    lines = enter("xu").get("/trail/export.jsonl").text.splitlines()
    rows: list[Any] = [json.loads(line) for line in lines]
    for row in (row for row in rows if row["number"]):
        again: Any = {**row, "at": datetime.fromisoformat(row["at"])}
        assert audit.chained(row["previous"], row["number"], again) == row["digest"]
    assert len(rows) == 3


def test_rows_of_the_trail_that_were_never_sealed_say_so(staffed: Office, enter: Enter) -> None:
    with staffed.db.write() as conn:
        row = audit.entry(builders.NOW, builders.actor(conn, "lin"), "odd.verb", "odd:1", x=1)
        conn.execute(insert(db.audits).values(**row))
    shown = enter("xu").get("/trail?verb=odd").words("//tr[@data-row]")
    assert "待编号" in shown
    assert "odd.verb" in shown


def test_every_act_on_record_has_its_words() -> None:
    act = re.compile(r'(?:audit\.(?:write|entry)|_record|_decided)\([^"]*"([a-z]+\.[a-z_-]+)"')
    sources = (file.read_text("utf-8") for file in Path(bot.__file__).parent.rglob("*.py"))
    found = {verb for source in sources for verb in act.findall(source)}
    assert len(found) > 30
    assert found - set(words.VERBS) == set()


# ---------------------------------------------------------------- settings of an office that set none


def test_an_office_that_declared_nothing_is_told_how_to_begin(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("gu")
    for path in ("", "/templates", "/rules", "/words"):
        assert reader.get(f"/settings{path}").status == 200, path
    assert "还没有词表" in reader.get("/settings/words").words()
