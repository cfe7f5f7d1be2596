"""告知: who is told of what, once; its end; when; and what happens when it does not arrive."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

import bot
from bot import catalog, people, review, shapes, telling
from bot.courier import without_secrets
from bot.db import accounts, deliveries, holds, insert_id, notices, tellings
from bot.errors import ConfigError, Conflict, Invalid, NotAllowed
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, NoticeKind, Role, Verdict
from bot.notices import close_notice, finish, kind_of, listing, open_notice
from bot.office import Office
from bot.review import Decision
from bot.speaking import mark_broken
from bot.workdays import FixedClock
from bot.worker import Worker
from tests import builders, offices
from tests.fakes.server import Response, Server
from tests.fakes.smtp import Smtp
from tests.offices import both, pytest_generate_tests, rows, told, url  # noqa: F401

PASSWORD = "p@ss/word-2026"
MAIL = """
[notices.duty]
to = "zhiban@yunlan.example.cn"
server = "127.0.0.1:{port}"
password_file = "mail.password"
"""
MINUTE = timedelta(minutes=1)
BROKEN = Say("账号已断开：{why}", why="令牌失效")


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Smtp]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Smtp(("zhiban@yunlan.example.cn", PASSWORD)) as server:
        yield server


class Desk:
    """An office that tells people, and what reaches them."""

    def __init__(self, office: Office, smtp: Smtp, more: str = "") -> None:
        office.config.path.with_name("mail.password").write_text(PASSWORD, "utf-8")
        text = MAIL.format(port=smtp.port) + more + offices.HAND.format(key="hand")
        self.office, self.smtp = offices.declared(office, text), smtp
        assert isinstance(office.db.clock, FixedClock)
        self.clock = office.db.clock

    def open(self, key: str, say: Say = BROKEN, link: str = "/accounts") -> None:
        with self.office.db.write() as conn:
            open_notice(conn, self.clock.now(), key, say, 1, link)

    def close(self, key: str) -> None:
        with self.office.db.write() as conn:
            close_notice(conn, self.clock.now(), key)

    def tell(self, later: timedelta = timedelta(0)) -> int:
        """A turn, and after a while another."""
        done = asyncio.run(telling.tell_due(self.office))
        self.clock.move(later.total_seconds())
        return done + (asyncio.run(telling.tell_due(self.office)) if later else 0)

    def subjects(self) -> list[str]:
        return [mail.subject for mail in self.smtp.mails]

    def states(self) -> list[tuple[str, str, str]]:
        return [(r["address"], r["kind"], r["state"]) for r in rows(self.office, tellings)]


@pytest.fixture
def desk(office: Office, smtp: Smtp) -> Desk:
    return Desk(office, smtp)


# ---------------------------------------------------------------- a message


@both
def test_mail_says_which_post_on_which_account_is_in_trouble(desk: Desk) -> None:
    builders.signed(desk.office, ["hand"], "停水通知。")
    desk.open("delivery:1", Say("平台确认已发出，但公众看不到，请核对"))
    desk.tell(MINUTE)
    (mail,) = desk.smtp.mails
    of = "“停水通知。”在云澜发布，等人决定：平台确认已发出，但公众看不到，请核对"
    assert mail.subject == f"【公开提醒】{of}"
    assert mail.text.startswith(f"{of}\n怎么办：在投递页决定现在发还是不发\n2026-11-24 09:00")


@pytest.mark.parametrize(
    ("state", "stands", "first"),
    [
        (DeliveryState.UNCERTAIN, "结果不明", "先到账号上看这一条在不在"),
        (DeliveryState.FAILED, "没有发出", "按平台所说改稿重新送审"),
        (DeliveryState.MISSED, "已错过", "仍要发的，在签发时段内可在投递页补发"),
    ],
)
def test_mail_says_how_a_delivery_stands_and_what_to_do(
    desk: Desk, state: DeliveryState, stands: str, first: str
) -> None:
    builders.signed(desk.office, ["hand"], "停水通知。")
    with desk.office.db.write() as conn:
        conn.execute(update(deliveries).values(state=state, due_at=None))
    desk.open("delivery:1", Say("平台一时不能应答"))
    desk.open("flood:1", Say("一次多出 99 条"))
    desk.tell(MINUTE)
    (mail,) = desk.smtp.mails
    of = f"“停水通知。”在云澜发布，{stands}：平台一时不能应答"
    assert mail.subject == f"【公开提醒】2 件：{of} …"
    assert mail.text.startswith(f"{of}\n怎么办：{first}")
    with desk.office.db.read() as conn:
        rows = shapes.notices(conn, listing(conn, {1}))
    assert of in [row["say"] for row in rows]


@both
def test_a_notice_names_what_it_is_of_and_nothing_twice(desk: Desk) -> None:
    post = builders.signed(desk.office, ["hand"], "停水通知。")
    entries = catalog.entries_of(desk.office, [{"title": "关于停水的通告"}])
    with desk.office.db.write() as conn:
        zhou = builders.actor(conn, "zhou")
        (item,) = catalog.add(conn, desk.clock.now(), zhou, "county", entries)
        held = {"scope": HoldScope.ITEM, "target_id": item, "reason": "改", "passes": []}
        hold = insert_id(conn, holds, {**held, "since": desk.clock.now()})
    desk.open(f"returned:{post}", Say("{who}退回：{note}", who="林岚", note="写明范围"))
    desk.open(f"post:{post}", Say("稿件“{title}”签发的时段已过", title="停水通知。"))
    desk.open(f"hold:{hold}", Say("来源条目改到第 {n} 版", n=2))
    desk.open(f"item:{item}", Say("没能成稿：{why}", why="没有链接"))
    with desk.office.db.read() as conn:
        found = [row["say"] for row in shapes.notices(conn, listing(conn, {1}))]
    assert found == [
        "“关于停水的通告”：没能成稿：没有链接",
        "“关于停水的通告”：来源条目改到第 2 版",
        "稿件“停水通知。”签发的时段已过",
        "“停水通知。”：林岚退回：写明范围",
    ]


@both
def test_another_unit_neither_sees_nor_ends_what_a_delivery_of_ours_met(
    office: Office, smtp: Smtp
) -> None:
    desk = Desk(office, smtp, '[units.health]\nname = "云澜县卫生健康局"\nparent = "county"\n')
    builders.signed(desk.office, ["hand"], "停水通知。")
    with desk.office.db.write() as conn:
        builders.person(conn, "wu", "吴敏", Role.EDITOR, "health")
        now, wu = desk.clock.now(), builders.actor(conn, "wu")
        open_notice(conn, now, "delivery:1", Say("平台一时不能应答"), None, "/queue/1")
        open_notice(conn, now, "disk", Say("数据盘只剩 9 MB"), None, "/")
        seen = listing(conn, people.unit_ids(conn, wu))
        assert [row["key"] for row in seen] == ["disk"]
        assert len(listing(conn, {1})) == 2
        (of,) = (row["id"] for row in listing(conn, {1}) if row["key"] == "delivery:1")
        with pytest.raises(NotAllowed):
            finish(conn, now, wu, of)


def test_every_notice_leads_to_a_page_that_is_there(office: Office) -> None:
    """The links are paths in the source; a route must take each."""
    from starlette.routing import Match

    from bot.web.app import build

    written = re.compile(r"\"(/(?:[a-z-]+(?:/[a-z{][^\"]*)?)?(?:\?[^\"]*)?(?:#[^\"]*)?)\"")
    opens = re.compile(r"open_notices?\(|Seen\(|link = f?\"/")
    paths = set()
    for file in Path(bot.__file__).parent.rglob("*.py"):
        text = file.read_text("utf-8")
        if "web" in file.parts or not opens.search(text):
            continue
        for at in opens.finditer(text):
            paths |= set(written.findall(text[at.start() : at.start() + 260]))
    assert {"/queue/{row['id']}", "/calendar/schedules", "/items/{item_id}"} <= paths
    app = build(office)
    for path in paths:
        plain = re.sub(r"\{[^}]*\}", "1", re.split(r"[?#]", path)[0])
        scope = {"type": "http", "method": "GET", "path": plain}
        assert any(route.matches(scope)[0] is Match.FULL for route in app.routes), path


@both
def test_mail_goes_by_four_lines_of_config(desk: Desk) -> None:
    desk.open("account:1")
    desk.tell(MINUTE)
    (mail,) = desk.smtp.mails
    assert (mail.sender, mail.to) == ("zhiban@yunlan.example.cn", ("zhiban@yunlan.example.cn",))
    assert mail.subject == "【公开提醒】账号已断开：令牌失效"
    assert mail.text.split("\n")[:3] == [
        "账号已断开：令牌失效",
        "2026-11-24 09:00 (Asia/Shanghai)",
        "http://127.0.0.1:8000/accounts",
    ]
    assert desk.tell(timedelta(hours=1)) == 0, "once"


@both
def test_workers_at_once_tell_once(desk: Desk) -> None:
    desk.open("account:1")
    desk.tell()
    desk.clock.move(60)

    async def _three() -> None:
        await asyncio.gather(*(telling.tell_due(desk.office) for _ in range(3)))

    asyncio.run(_three())
    assert len(desk.smtp.mails) == 1


def test_a_run_to_the_end_tells_at_once(desk: Desk) -> None:
    desk.open("baseline:1")
    asyncio.run(Worker(desk.office).once())
    assert [state for _, _, state in desk.states()] == ["told"]
    assert len(desk.smtp.mails) == 1


def test_what_comes_within_a_minute_is_one_message(desk: Desk) -> None:
    for n in (1, 2, 3):
        desk.open(f"delivery:{n}", Say("第 {n} 条错过", n=n))
        desk.tell()
        desk.clock.move(10)
    desk.tell(MINUTE)
    assert desk.subjects() == ["【公开提醒】3 件：第 1 条错过 …"]
    assert [f"第 {n} 条错过" in desk.smtp.mails[0].text for n in (1, 2, 3)] == [True] * 3


def test_the_end_is_told_to_whoever_was_told_of_the_beginning(desk: Desk) -> None:
    desk.open("account:1")
    desk.tell(MINUTE)
    desk.close("account:1")
    desk.tell(MINUTE)
    assert desk.subjects()[1] == "【公开提醒】已结束：账号已断开：令牌失效"


def test_what_was_over_before_anybody_was_told_is_not_told(desk: Desk) -> None:
    desk.open("account:1")
    desk.tell()
    desk.close("account:1")
    desk.tell(MINUTE)
    assert (desk.subjects(), desk.states()) == ([], [("duty", "opened", "dropped")])


@both
def test_another_sentence_while_it_stands_is_shown_and_not_told_again(desk: Desk) -> None:
    desk.open("source:1", Say("连续 {n} 次读不到", n=3))
    desk.tell(MINUTE)
    desk.open("source:1", Say("连续 {n} 次读不到", n=9))
    desk.tell(MINUTE)
    assert told(desk.office) == ["连续 9 次读不到"]
    assert len(desk.smtp.mails) == 1


def test_a_webhook_gets_it_in_its_own_language(office: Office, smtp: Smtp) -> None:
    taken: list[dict[str, Any]] = []

    def _take(request: Any) -> Response:
        taken.append(request.json)
        return Response(200)

    with Server(_take) as hook:
        there = hook.url.replace("http", "json")
        address = f'[notices.bot]\nurl = "{there}/"\nlanguage = "en"\n'
        desk = Desk(office, smtp, address)
        desk.open("disk", Say("账号已暂停"))
        desk.tell(MINUTE)
    assert [one["message"].split("\n")[0] for one in taken] == [str(_english("账号已暂停"))]
    assert len(smtp.mails) == 1, "and the other address its mail"


def _english(text: str) -> str:
    from bot.language import speaking

    with speaking("en"):
        return str(Say(text))


# ---------------------------------------------------------------- who, and when


def test_an_address_is_told_its_kinds_and_units_only(office: Office, smtp: Smtp) -> None:
    desk = Desk(office, smtp, 'kinds = ["account"]\nunits = ["county"]\n')
    with office.db.write() as conn:
        builders.unit(conn, "health")
        open_notice(conn, desk.clock.now(), "account:7", Say("别的单位"), 2)
    desk.open("source:1")
    desk.open("account:1")
    desk.tell(MINUTE)
    assert desk.subjects() == ["【公开提醒】账号已断开：令牌失效"]


def test_what_can_wait_does_at_quiet_hours(office: Office, smtp: Smtp) -> None:
    desk = Desk(office, smtp, 'quiet = "22:00-07:00"\n')
    desk.clock.set(datetime(2026, 11, 24, 15, 30, tzinfo=UTC))  # 23:30
    desk.open("flood:1", Say("一次多出 99 条"))
    desk.open("delivery:1", Say("已错过"))
    desk.tell(MINUTE)
    assert desk.subjects() == ["【公开提醒】已错过"]
    desk.tell(timedelta(hours=7))
    desk.tell(timedelta(hours=1))
    assert desk.subjects()[1:] == ["【公开提醒】一次多出 99 条"]
    assert smtp.mails[1].text.split("\n")[2].startswith("2026-11-24 23:30"), "when it happened"


def turn(desk: Desk) -> None:
    telling.look_at_turns(desk.office)
    desk.tell(MINUTE)


def test_whose_turn_it_is_is_told_and_whose_post_came_back(office: Office, smtp: Smtp) -> None:
    """The signer hears of what waits for him, its author of what he returned; nobody of the rest."""
    steps = '{ name = "初审", right = "review" }, { name = "签发", right = "sign" }'
    units = builders.CONFIG.replace('{ name = "签发", right = "sign" }', steps)
    with office.db.write() as conn:
        builders.person(conn, "shen", "沈初", Role.REVIEWER)
    hook = "".join(
        f'[notices.{who}]\nto = "{who}@yunlan.example.cn"\nserver = "127.0.0.1:{smtp.port}"\n'
        f'login = "zhiban@yunlan.example.cn"\npassword_file = "mail.password"\nperson = "{who}"\n'
        for who in ("shen", "lin", "zhou")
    )
    desk = Desk(office, smtp, hook)
    desk.office = offices.declared(office, hook + offices.HAND.format(key="hand"), units)
    post = builders.draft(desk.office, ["hand"], "停水通知。")
    with desk.office.db.write() as conn:
        review.submit(desk.office, conn, desk.clock.now(), builders.actor(conn, "zhou"), post)
    turn(desk)
    builders.sign(desk.office, post, by="shen")
    turn(desk)
    with desk.office.db.write() as conn:
        digest = review.waiting_for(desk.office, conn, builders.actor(conn, "lin"))[0]["digest"]
        word = Decision(Verdict.RETURN, digest, "时间有误")
        lin = builders.actor(conn, "lin")
        review.decide(desk.office, conn, desk.clock.now(), lin, post, word)
    turn(desk)
    found = [
        (m.to[0].partition("@")[0], m.subject.removeprefix("【公开提醒】")) for m in smtp.mails
    ]
    # A signer may pass the first step too.
    assert sorted(found[:2]) == [
        ("lin", "“停水通知。”等待审签：初审"),
        ("shen", "“停水通知。”等待审签：初审"),
    ]
    assert found[2:] == [
        ("lin", "“停水通知。”等待审签：签发"),
        ("zhou", "“停水通知。”：林岚退回：时间有误"),
    ]


def test_a_post_whose_time_passed_unsigned_is_told_once_to_signer_and_author(
    office: Office, smtp: Smtp
) -> None:
    hook = "".join(
        f'[notices.{who}]\nto = "{who}@yunlan.example.cn"\nserver = "127.0.0.1:{smtp.port}"\n'
        f'login = "zhiban@yunlan.example.cn"\npassword_file = "mail.password"\nperson = "{who}"\n'
        for who in ("lin", "zhou")
    )
    desk = Desk(office, smtp, hook)
    desk.office = offices.declared(office, hook + offices.HAND.format(key="hand"), builders.CONFIG)
    due = desk.clock.now() + timedelta(hours=1)
    post = builders.draft(desk.office, ["hand"], "停水通知。", go_at=due)
    with desk.office.db.write() as conn:
        review.submit(desk.office, conn, desk.clock.now(), builders.actor(conn, "zhou"), post)
    turn(desk)
    assert len(smtp.mails) == 1, "the signer's turn"
    desk.clock.set(due + MINUTE)
    turn(desk)
    turn(desk)
    late = [m for m in smtp.mails if "至今没有签发" in m.subject + m.text]
    assert sorted(m.to[0].partition("@")[0] for m in late) == ["lin", "zhou"]


def test_a_response_that_waits_is_told_without_the_words_it_answers(desk: Desk) -> None:
    post = builders.draft(desk.office, ["hand"], "答复：我家停水了", kind="response")
    with desk.office.db.write() as conn:
        review.submit(desk.office, conn, desk.clock.now(), builders.actor(conn, "zhou"), post)
    turn(desk)
    assert desk.subjects() == [f"【公开提醒】答复稿 {post}等待审签：签发"]
    assert "停水" not in desk.smtp.mails[0].text


# ---------------------------------------------------------------- what does not arrive


def test_what_does_not_arrive_is_tried_again_and_the_console_says_so(desk: Desk) -> None:
    desk.smtp.refuses = True
    desk.open("account:1")
    for _ in range(4):
        desk.tell(timedelta(hours=1))
    waits = [row for row in rows(desk.office, tellings) if row["state"] == "waiting"]
    assert [row["address"] for row in waits] == ["duty"]
    (said,) = (one for one in told(desk.office) if "发不到" in one)
    assert PASSWORD not in said
    desk.smtp.refuses = False
    desk.tell(timedelta(hours=2))
    assert desk.subjects() == ["【公开提醒】账号已断开：令牌失效"]
    assert not any("发不到" in one for one in told(desk.office))


def test_a_wrong_password_is_told_and_is_in_no_message(desk: Desk) -> None:
    desk.office.config.path.with_name("mail.password").write_text("another-Secret9", "utf-8")
    with pytest.raises(Invalid) as found:
        telling.try_out(desk.office, "duty")
    assert "试发没有成功" in str(found.value)
    assert "another-Secret9" not in str(found.value)


def test_an_address_is_in_no_error_and_no_repr(office: Office) -> None:
    secret = "sk7-very-secret"
    desk = offices.declared(
        office, f'[notices.x]\nurl = "json://u:{secret}@127.0.0.1:1/{secret}"\n'
    )
    assert secret not in repr(desk.config)
    with pytest.raises(Invalid) as found:
        telling.try_out(desk, "x")
    assert secret not in str(found.value)
    words = f"POST http://u:{secret}@hook.example/{secret}?k={secret} failed: {secret}"
    assert secret not in without_secrets(
        words, f"json://u:{secret}@hook.example/{secret}?k={secret}"
    )


def test_a_trial_says_that_messages_arrive(desk: Desk) -> None:
    telling.try_out(desk.office, "duty")
    assert desk.subjects() == ["【公开提醒】试发"]
    with pytest.raises(Invalid, match="没有 nobody；有：duty"):
        telling.try_out(desk.office, "nobody")


def test_an_address_that_was_taken_away_is_told_no_more(desk: Desk) -> None:
    desk.open("account:1")
    desk.tell()
    desk.office = offices.declared(desk.office, "")
    desk.tell(MINUTE)
    assert desk.states() == [("duty", "opened", "dropped")]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('to = "a@b.cn"\n', "还须写 server"),
        ('url = "json://x"\nurl_file = "y"\n', "三者写一个"),
        ('url = "json://x"\nkinds = ["acount"]\n', "只能是"),
        ('url = "json://x"\nquiet = "night"\n', "时段写作 22:00-07:00"),
        ('url = "json://x"\nunits = ["conty"]\n', "是不是 county"),
    ],
)
def test_a_mistake_in_an_address_says_what_to_write(office: Office, lines: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        offices.declared(office, "[notices.x]\n" + lines)


# ---------------------------------------------------------------- what is seen by looking


def look(desk: Desk, days: float = 0) -> list[str]:
    desk.clock.move(days * 86400)
    telling.look_around(desk.office)
    return told(desk.office)


@both
def test_a_credential_that_ends_is_told_at_seven_three_and_one_days(desk: Desk) -> None:
    with desk.office.db.write() as conn:
        ends = desk.clock.now() + timedelta(days=8)
        conn.execute(update(accounts).values(token_ends=ends))
    found = [len(look(desk, 0.5)) for _ in range(15)]
    assert (found[0], found[-1]) == (0, 1)
    keys = [row["key"].rpartition(":")[2] for row in rows(desk.office, notices)]
    assert keys == ["7", "3", "1"], "each once"
    with desk.office.db.write() as conn:
        conn.execute(update(accounts).values(token_ends=ends + timedelta(days=90)))
    assert look(desk) == []


def mailed(desk: Desk, smtp: Smtp) -> list[str]:
    """What was mailed of what stands and ended till now."""
    before = len(smtp.mails)
    desk.tell(MINUTE)
    return [mail.subject for mail in smtp.mails[before:]]


def test_a_credential_is_told_thrice_and_its_end_once_when_it_is_renewed(
    desk: Desk, smtp: Smtp
) -> None:
    said = []
    with desk.office.db.write() as conn:
        ends = desk.clock.now() + timedelta(days=8)
        conn.execute(update(accounts).values(token_ends=ends))
    for _ in range(15):
        look(desk, 0.5)
        said += mailed(desk, smtp)
    assert ["已结束" in one for one in said] == [False] * 3
    with desk.office.db.write() as conn:
        conn.execute(update(accounts).values(token_ends=ends + timedelta(days=90)))
    look(desk)
    assert ["已结束" in one for one in mailed(desk, smtp)] == [True]


def test_a_credential_that_did_end_is_not_called_over(desk: Desk, smtp: Smtp) -> None:
    with desk.office.db.write() as conn:
        ends = desk.clock.now() + timedelta(hours=1)
        conn.execute(update(accounts).values(token_ends=ends))
    look(desk)
    mailed(desk, smtp)
    with desk.office.db.write() as conn:
        (account,) = conn.execute(select(accounts.c.id)).scalars()
        mark_broken(conn, desk.clock.now(), account, Say("微博的授权已过期"))
    look(desk)
    [subject] = mailed(desk, smtp)
    assert "已结束" not in subject
    assert "已断开" in subject


def test_a_warning_that_becomes_a_failure_is_not_called_over(desk: Desk, smtp: Smtp) -> None:
    look(desk, 10)
    assert ["满 14 天即不合格" in one for one in mailed(desk, smtp)] == [True]
    look(desk, 4)
    assert ["已结束" in one for one in mailed(desk, smtp)] == [False]


def test_an_account_that_is_not_kept_up_warns_at_ten_days_and_fails_at_fourteen(desk: Desk) -> None:
    assert look(desk, 9) == []
    assert look(desk, 1) == ["账号 云澜发布 自 2026-11-24 起没有更新，已满 10 天；满 14 天即不合格"]
    with desk.office.db.read() as conn:
        assert len(telling.idle(desk.office, conn, desk.clock.now())) == 1
    assert look(desk, 4) == [
        "账号 云澜发布 自 2026-11-24 起没有更新，已满 14 天，按政务新媒体检查指标为不合格"
    ]
    sent = builders.signed(desk.office, ["hand"])
    with desk.office.db.write() as conn:
        values = {"state": DeliveryState.SENT, "sent_at": desk.clock.now()}
        conn.execute(update(deliveries).where(deliveries.c.post_id == sent).values(**values))
    assert look(desk) == []


def test_a_disk_that_fills_is_told(desk: Desk) -> None:
    with_more = 'password_file = "mail.password"\n[alarm]\ndisk = 99999999\n'
    desk.office = offices.declared(
        desk.office, MAIL.format(port=1).replace('password_file = "mail.password"\n', with_more)
    )
    (said,) = look(desk)
    assert said.startswith("数据盘只剩")


# ---------------------------------------------------------------- a person's word


def test_every_notice_the_program_opens_is_of_a_kind() -> None:
    opened = re.compile(r'\(\s*(?:conn, )?now,\s*f?"([a-z][a-z-]+)[:"]')
    texts = [file.read_text("utf-8") for file in Path(bot.__file__).parent.rglob("*.py")]
    words = {word for text in texts for word in opened.findall(text)}
    assert {"account", "given-back", "take-down"} <= words
    assert {w for w in words if kind_of(f"{w}:1") is NoticeKind.OTHER} == set()


@both
def test_a_person_ends_what_no_machine_ends_and_nothing_else(desk: Desk) -> None:
    with desk.office.db.write() as conn:
        now, gu = desk.clock.now(), builders.actor(conn, "gu")
        open_notice(conn, now, "baseline:1", Say("请核对是否已发"))
        open_notice(conn, now, "account:1", BROKEN)
        (base, broken) = (row["id"] for row in conn.execute(notices.select()).mappings())
        finish(conn, now, gu, base)
        with pytest.raises(Conflict, match="办好后自动结束"):
            finish(conn, now, gu, broken)
        with pytest.raises(NotAllowed):
            finish(conn, now, Actor(99, "过路人", "test"), broken)
    assert told(desk.office) == ["账号已断开：令牌失效"]


def test_the_command_lists_tells_and_ends(desk: Desk) -> None:
    from click.testing import CliRunner

    from bot.cli import main

    def _run(*words: str) -> str:
        found = CliRunner().invoke(main, ["--config", str(desk.office.config.path), *words])
        assert found.exit_code == 0, found.output
        return found.stdout

    desk.open("baseline:1", Say("请核对是否已发"))
    (row,) = json.loads(_run("notices", "--json"))
    assert (row["kind"], row["say"], row["told"]) == ("baseline", "请核对是否已发", 0)
    _run("notices", "test", "duty")
    _run("notices", "done", str(row["id"]))
    assert json.loads(_run("notices", "--json")) == []
    assert len(desk.smtp.mails) == 1
