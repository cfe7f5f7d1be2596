"""An invented county's office on an ordinary Tuesday, full of rows: for pictures, and for looking at pages.

Posts are written, handed in, signed and planned by the stages themselves; what platforms and the
public do is written as collecting and delivering leave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update

from bot import catalog, compose, db, demo, people, review
from bot.adapters.base import adapter_class
from bot.collect.intake import Scope, take_in
from bot.compose import Body
from bot.config import load
from bot.db import Database
from bot.deliver import holds, plan
from bot.language import Say
from bot.model import (
    Actor,
    DeliveryState,
    HoldScope,
    RemoteReply,
    Role,
    Verdict,
    Window,
)
from bot.notices import open_notice
from bot.office import Office
from bot.review import Decision
from bot.web.board import store
from bot.web.board.content import Content
from tests import builders, offices
from tests.web import scene

UNITS = """
[board]
title = "云澜县政务公开栏"
moderate = true
[units.county]
name = "云澜县人民政府办公室"
steps = [{ name = "初审", right = "review" }, { name = "签发", right = "sign" }]
[units.water]
name = "云澜县水务局"
parent = "county"
"""
MORE = """
[sources.catalogue]
unit = "county"
name = "县政府公开目录"
kind = "feed"
url = "catalogue.xml"
first_poll = "latest:6"
template = "notice"
accounts = ["lan", "weibo"]
[accounts.lan]
unit = "county"
adapter = "board"
name = "公开栏"
[accounts.social]
unit = "county"
adapter = "mastodon"
name = "云澜发布"
[accounts.social.options]
url = "https://social.yunlan.example"
[accounts.weibo]
unit = "county"
adapter = "byhand"
name = "云澜发布"
[accounts.weibo.options]
platform = "微博"
text_limit = 140
over_limit = "shorten"
"""
KEYS = ("lan", "social", "weibo")
DAILY = """name = "每日办事提醒"
unit = "county"
accounts = ["lan", "social"]
days = "workdays"
[[when]]
hour = "9"
minute = "30"
"""
EDITOR, REVIEWER, SIGNER, RESPONDER, READER = "zhouhe", "guyan", "linlan", "heqing", "qinyue"
PEOPLE = (
    (EDITOR, "周禾", Role.EDITOR),
    (REVIEWER, "顾言", Role.REVIEWER),
    (SIGNER, "林岚", Role.SIGNER),
    (RESPONDER, "何晴", Role.RESPONDER),
    (READER, "秦越", Role.ADMINISTRATOR),  # and every other role
)
S = DeliveryState
SHANGHAI = ZoneInfo("Asia/Shanghai")
WATER = "望江路片区计划停水公告"
_WATER = (
    "因城区供水管网检修，定于11月25日22时至26日6时对望江路、云中路、学府巷片区计划停水。"
    "请提前储水。恢复供水初期水质可能短时发黄，请放水至清澈后使用。服务热线：12345。"
)
TEXTS = {
    WATER: _WATER,
    "公交6路临时绕行通告": "因望江桥桥面维修，公交6路自11月25日起绕行滨江大道，暂停县医院、图书馆两站。",
    "城乡居民医保集中缴费提醒": "2027年度城乡居民医保集中缴费12月31日截止，可在手机、银行网点和村居代办点办理。",
    "冬季专场招聘会公告": "“就业在云澜”冬季专场招聘会11月28日9时在县体育馆举行，60家企业到场。",
    "流感疫苗接种通知": "全县各接种门诊11月起为6月龄至18岁儿童接种流感疫苗，接种前请预约。",
    "森林防火期禁火通告": "11月1日至次年5月31日为森林防火期，林区及林缘100米内禁止一切野外用火。",
    "高龄津贴线上认证开通": "80周岁以上老人可由家人在手机上办理高龄津贴年度认证，不必到场。",
    "食品抽检结果通告（第11期）": "抽检粮油、乳制品、蔬菜等120批次，合格118批次，不合格产品已下架。",
}
TITLES = tuple(TEXTS)


def opened(folder: Path, database: Database) -> Office:
    """A new office in a folder, on a migrated store that is empty."""
    file = folder / "config.toml"
    file.write_text(UNITS, "utf-8")
    with database.write() as conn:
        top = builders.unit(conn, "county")
        builders.unit(conn, "water", top)
        conn.execute(update(db.units).values(name="云澜县水务局"))
        named = update(db.units).where(db.units.c.id == top)
        conn.execute(named.values(name="云澜县人民政府办公室"))
    return furnished(Office(load(file), database), UNITS, MORE)


def furnished(office: Office, units: str, more: str) -> Office:
    """The same office with all of it; give it with its new config."""
    folder = office.config.path.parent
    demo.write(folder / "catalogue.xml", builders.NOW, office.config.tz)
    office = offices.declared(office, more, units)
    (folder / "schedules").mkdir(exist_ok=True)
    (folder / "schedules" / "reminder.toml").write_text(DAILY, "utf-8")
    scene.worker(office)
    _staff(office)
    _connected(office)
    _catalogue(office)
    sent = _published(office)
    _in_review(office)
    _planned(office)
    _troubled(office)
    _said(office, sent)
    _board(office)
    catalog.check(office)
    return office


def _staff(office: Office) -> None:
    with office.db.write() as conn:
        for login, name, role in PEOPLE:
            builders.person(conn, login, name, role)
        reader = builders.actor(conn, READER).person or 0
        for role in set(Role) - {Role.ADMINISTRATOR}:
            builders.grant(conn, reader, role, "county")


def _connected(office: Office) -> None:
    with office.db.write() as conn:
        for key in KEYS:
            mine = db.accounts.c.key == key
            adapter = conn.execute(select(db.accounts.c.adapter).where(mine)).scalar_one()
            able = adapter_class(adapter).capabilities.json()
            values = {"state": "active", "identity": f"id-{key}", "identity_name": "@云澜发布"}
            conn.execute(
                update(db.accounts).where(mine).values(**values, capabilities=able, host=key)
            )
        hours = {"slots": ["09:30", "17:30"], "quiet": "22:00-07:00", "daily_most": 20}
        conn.execute(
            update(db.accounts)
            .where(db.accounts.c.key == "weibo")
            .values(rhythm={**hours, "zone": "Asia/Shanghai"})
        )


def _catalogue(office: Office) -> None:
    """What the source brought, and what the machine made of it."""
    with ThreadPoolExecutor(1) as pool:  # playwright's loop runs in a test's own thread
        pool.submit(lambda: asyncio.run(catalog.poll_due(office))).result()
    compose.compose_due(office)
    with office.db.write() as conn:
        waits = Say("发布日期较早（2026-09-01），请决定是否成稿").json()
        newest = select(db.items.c.id).order_by(db.items.c.id).limit(3)
        conn.execute(
            update(db.items)
            .where(db.items.c.id.in_(newest))
            .values(waits=waits, state="new", post_id=None, due_at=None)
        )


# ---------------------------------------------------------------- posts


def hour(words: str) -> datetime:
    """ "24 09:30" of November in the county."""
    return datetime.strptime(f"2026-11-{words}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


def draft(office: Office, title: str, keys: Sequence[str] = KEYS, **more: Any) -> int:
    with office.db.write() as conn:
        unit = people.unit_of(conn, "county")["id"]
        body = Body(more.pop("text", "") or TEXTS.get(title, f"{title}。"), title=title)
        now, who = office.db.now(conn), builders.actor(conn, EDITOR)
        return compose.create(office, conn, now, who, unit_id=unit, keys=keys, body=body, **more)


def handed_in(office: Office, title: str, *signers: str, **more: Any) -> int:
    """In review, and passed by some."""
    window = more.pop("window", Window())
    made = draft(office, title, **more)
    with office.db.write() as conn:
        review.submit(office, conn, office.db.now(conn), builders.actor(conn, EDITOR), made)
        for login in signers:
            word = Decision(Verdict.PASS, scene.digest(conn, made), window=window)
            who = builders.actor(conn, login)
            review.decide(office, conn, office.db.now(conn), who, made, word)
    return made


def signed(office: Office, title: str, **more: Any) -> int:
    made = handed_in(office, title, REVIEWER, SIGNER, **more)
    plan.plan_due(office)
    return made


def _published(office: Office) -> list[int]:
    """What went out in the days before, one a morning."""
    made = []
    for n, title in enumerate(TITLES):
        at = hour("24 08:30") - timedelta(days=n // 2, hours=3 * (n % 2))
        one = signed(office, title)
        _sent(office, one, at)
        made.append(one)
    return made


def _sent(office: Office, post: int, at: datetime) -> None:
    with office.db.write() as conn:
        mine = db.deliveries.c.post_id == post
        for row in conn.execute(select(db.deliveries).where(mine)).mappings().all():
            name = f"{post}0{row['account_id']}"
            values = {"state": S.SENT, "go_at": at, "sent_at": at, "due_at": None}
            where = {"remote_id": name, "url": f"https://social.yunlan.example/{name}"}
            one = update(db.deliveries).where(db.deliveries.c.id == row["id"])
            conn.execute(one.values(**values, **where))
            attempt = {"delivery_id": row["id"], "begun_at": at, "ended_at": at, "worker": "w"}
            conn.execute(insert(db.attempts).values(**attempt, outcome="sent"))
            watch = {"account_id": row["account_id"], "delivery_id": row["id"], "state": "open"}
            more = {"opened_at": at, "ok_at": builders.NOW, "polled_at": builders.NOW, "total": 6}
            conn.execute(insert(db.watches).values(**watch, **more, walked_at=builders.NOW))
            for later, likes in ((1, 12), (6, 31), (12, 48)):
                when = at + timedelta(hours=later)
                count = {"delivery_id": row["id"], "at": when, "likes": likes, "replies": later}
                conn.execute(insert(db.counts).values(**count, reposts=likes // 4))
        conn.execute(update(db.posts).where(db.posts.c.id == post).values(go_at=at))


def _in_review(office: Office) -> None:
    """One at each step, one with findings, one urgent, one returned, one being written."""
    more = {"go_at": hour("24 17:30"), "window": Window(hour("24 17:00"), hour("25 12:00"))}
    handed_in(office, "冬春困难群众生活保障问答", REVIEWER, text=_ASKED, **more)
    handed_in(office, "老旧小区改造政策解读", text="改造怎么改、谁来定、谁出钱，一图读懂。")
    called = "元旦期间户政窗口照常办理，预约请拨 13800138000，地点在政务服务大厅2楼。"
    handed_in(office, "元旦户政窗口安排", text=called)
    fire = "截至11月24日8时40分，江北街道仓库明火已扑灭，无人员伤亡，请绕行江北路。"
    handed_in(office, "江北街道仓库火情通报", text=fire, emergency=True)
    back = handed_in(office, "早夜市布点征求意见")
    with office.db.write() as conn:
        word = Decision(Verdict.RETURN, scene.digest(conn, back), note="第二段缺截止日期，请补")
        who = builders.actor(conn, REVIEWER)
        review.decide(office, conn, office.db.now(conn), who, back, word)
    draft(office, "学前教育普惠发展意见解读", text="新建、改扩建公办园6所，增加学位1620个。")


_ASKED = (
    "【谁能申请】本县户籍的低保对象、特困人员，以及因灾、因病造成基本生活困难的家庭。\n"
    "【怎样申请】向户籍所在村（社区）提出，乡镇10个工作日内办结。\n"
    "【发放时间】冬春救助资金12月10日前发放到户，取暖补助每户不低于600元。\n咨询电话：12345。"
)


def _planned(office: Office) -> None:
    """The days to come."""
    for n in range(16):
        at = hour("24 15:30") + timedelta(days=1 + n % 13, hours=(n * 2) % 4, minutes=20 * (n % 3))
        title, keys = TITLES[(n * 3) % len(TITLES)], (KEYS, KEYS[:1], KEYS[:2])[n % 3]
        if n % 4 == 3:
            handed_in(office, title, keys=keys, go_at=at)
        else:
            signed(office, title, keys=keys, go_at=at)


def _troubled(office: Office) -> None:
    """One of each that waits for a person, and a stop on a post."""
    why = Say("请求已送出，平台没有回音：{why}", why="ReadTimeout").json()
    refused = Say("平台拒绝：内容与上一条完全相同，改稿后重新送审").json()
    late = Say("最迟 {at} 前未能发出，已错过", at="08:00").json()
    cases = (
        ("县道X104路段养护通告", "social", S.UNCERTAIN, why, "unknown"),
        ("冬季供暖报修电话一览", "social", S.FAILED, refused, "refused"),
        ("晨间道路结冰提醒", "lan", S.MISSED, late, ""),
        ("早高峰公交加密班次提示", "weibo", S.SENDING, None, None),
    )
    for title, key, state, reason, outcome in cases:
        post = signed(office, title, keys=(key,), text=f"{title}：请各单位和居民留意。")
        values = {"due_at": None, "lease": None, "go_at": hour("24 08:20")}
        one = scene.delivery(office, post, state=state, reason=reason, **values)
        if outcome != "":
            ended = {"ended_at": builders.NOW, "outcome": outcome} if outcome else {}
            scene.attempt(office, one, said=reason, **ended)
    with office.db.write() as conn:
        now = office.db.now(conn)
        unit = people.unit_of(conn, "county")["id"]
        held = signed_id(conn, "县道X104路段养护通告")
        who = builders.actor(conn, SIGNER)
        holds.hold(conn, now, who, HoldScope.POST, held, "交通运输局复核路段起止")
        open_notice(conn, now, "worker:gk-1", Say("磁盘剩余不足 10%，请清理"), unit, "/trail")


def signed_id(conn: Any, title: str) -> int:
    rows = select(db.posts.c.id).where(db.posts.c.title == title)
    return int(conn.execute(rows.order_by(db.posts.c.id).limit(1)).scalar_one())


# ---------------------------------------------------------------- what the public says

TALK = (
    ("r1", "望江居民", "停水几个小时？家里有老人，能提前送水吗？", ""),
    ("r2", "学府巷小李", "学府巷是整条巷子都停吗", ""),
    ("r3", "老茶馆", "检修完水黄要放多久", ""),
    ("r4", "望江居民", "谢谢，已经看到送水电话了", "a1"),
    ("r5", "云中路商户", "白天能不能错开营业时间", ""),
    ("r6", "路过", "6路绕行以后去县医院怎么坐车", ""),
    ("r7", "新市民", "招聘会需要带学历证吗", ""),
    ("r8", "退休教师", "认证打不开，一直转圈", ""),
)


def _said(office: Office, sent: Sequence[int]) -> None:
    """Replies under what was published: a thread with our answer, one edited, one deleted."""
    with office.db.write() as conn:
        account = conn.execute(select(db.accounts.c.id).where(db.accounts.c.key == "social"))
        one = account.scalar_one()
        at = builders.NOW - timedelta(minutes=40)
        for n, post in enumerate(sent[:4]):
            root = f"{post}0{one}"
            lines = TALK[:5] if n == 0 else TALK[4 + n : 5 + n]
            page = [_reply(root, *line, at + timedelta(minutes=k)) for k, line in enumerate(lines)]
            if n == 0:
                ours = "停水时段为25日22时至26日6时。行动不便的老人可拨12345预约送水。"
                page.append(_reply(root, "a1", "云澜发布", ours, "r1", at + timedelta(minutes=9)))
            take_in(conn, builders.NOW, Scope(one, "id-social", root), page)
        edited = _reply("", "r2", "学府巷小李", "学府巷是整条巷子都停吗？从几号门牌算", "", at)
        take_in(conn, builders.NOW, Scope(one, "id-social", ""), [edited])
        gone = {"state": "removed", "removed_at": builders.NOW, "removed_why": "absent"}
        conn.execute(update(db.replies).where(db.replies.c.remote_id == "r5").values(**gone))


def _reply(root: str, name: str, who: str, text: str, to: str, at: datetime) -> RemoteReply:
    author = "id-social" if name == "a1" else f"u-{who}"
    url = f"https://social.yunlan.example/{name}"
    return RemoteReply(name, author, who, text, at, to or root, root, url=url)


def _board(office: Office) -> None:
    """What stands on the board, with visitors under it; one waits for a moderator."""
    with office.db.write() as conn:
        store.ensure_board(conn, builders.NOW)
        for n, title in enumerate(reversed(TITLES)):
            at = builders.NOW - timedelta(hours=9 * (len(TITLES) - n))
            content = Content(title=title, text=TEXTS[title])
            post, _ = store.publish(conn, at, f"show-{n}", content)
        asked = ("望江居民", "请问停水期间消防栓用水会不会受影响？"), ("学府巷", "谢谢提醒。")
        for n, (name, text) in enumerate((*asked, ("路人", "几号楼停水？"))):
            words = store.Draft(name, text, "", f"once-{n}", "127.0.0.1")
            shown = n < len(asked)
            store.add_reply(conn, builders.NOW, post, words, moderated=not shown, hourly=10)


def reader(office: Office) -> Actor:
    with office.db.read() as conn:
        return builders.actor(conn, READER)
