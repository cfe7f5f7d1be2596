"""The shipped templates on a board, on Mastodon and on a platform that counts as Weibo does.

What is published must stand by itself: within the limit, its link whole, what the law asks of its
kind said, and nothing left of a field that was empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from bot import compose, templates
from bot.adapters.board import Board
from bot.adapters.mastodon import Mastodon
from bot.compose import Body, Rendered, filling
from bot.compose.filling import body_of, setting
from bot.config import load
from bot.db import accounts, deliveries, insert_id, items, posts, revisions, sources
from bot.deliver import plan
from bot.errors import ConfigError, Conflict, Invalid
from bot.model import (
    MACHINE,
    Attachment,
    Capabilities,
    DeliveryState,
    Entry,
    ItemState,
    OverLimit,
    PostKind,
    Role,
    Severity,
    Topics,
    Unit,
)
from bot.office import Office
from bot.sources.base import Origin
from bot.sources.feed import Feed, FeedOptions
from bot.templates.filters import parties
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import ROOT, both, pytest_generate_tests, rows, url  # noqa: F401

LINK = "https://yunlan.example.cn/zwgk/2026/11/24/content_10086.html"
DOCUMENT = "https://yunlan.example.cn/zwgk/2026/11/20/content_10031.html"
WEIBO = Capabilities(
    text_limit=140,
    unit=Unit.WEIBO,
    over_limit=OverLimit.SHORTEN,
    topic_form=Topics.AROUND,
    media_count=9,
    media_kinds=("image/jpeg", "image/png", "image/gif"),
    media_bytes=5 * 1024 * 1024,
)
PLATFORMS = {"board": Board.capabilities, "toots": Mastodon.capabilities, "weibo": WEIBO}
AT = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
PLAIN = Entry("1", "关于调整城区公交线路的通告", LINK)
WHOLE = Entry(
    "2",
    "关于印发《云澜县政务新媒体管理办法》的通知",
    LINK,
    published=AT,
    formed=datetime(2026, 11, 19, 16, 0, tzinfo=UTC),
    index_number="000014349/2026-00218",
    document_number="云政办〔2026〕12号",
    publisher="云澜县人民政府办公室",
    column="政策文件",
    summary="办法对政务新媒体的开设、内容审核、互动回应和安全管理作出规定，自2027年1月1日起施行。"
    * 4,
    body="各镇人民政府，县政府各部门：\n\n　　现将《云澜县政务新媒体管理办法》印发给你们，请认真贯彻执行。\n"
    + "　　第一条　为规范政务新媒体管理，制定本办法。\n" * 20,
    attachments=(Attachment("https://yunlan.example.cn/a.docx", "政务新媒体备案表.docx"),),
)
ABOUT = replace(WHOLE, document_number="", index_number="", attachments=(), formed=None)


@dataclass(frozen=True)
class Case:
    """A template, what it is filled with, and what must be read wherever it is published."""

    template: str
    entry: Entry
    said: Mapping[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.template}-{len(self.said) or ('whole' if self.entry.body else 'bare')}"


CASES = [
    Case("notice", PLAIN, says=("关于调整城区公交线路的通告",)),
    Case("notice", WHOLE, says=("云政办〔2026〕12号",)),
    Case("policy", PLAIN, says=("云澜县人民政府办公室",)),
    Case("policy", WHOLE, says=("云澜县人民政府办公室", "云政办〔2026〕12号")),
    Case(
        "interpretation",
        replace(ABOUT, title="《云澜县政务新媒体管理办法》政策解读"),
        says=("云澜县政务新媒体管理办法》", "云政办〔2026〕12号", DOCUMENT),
    ),
    Case("interpretation", replace(PLAIN, title="公交线路调整问答")),
    Case(
        "interpretation",
        replace(ABOUT, title="一图读懂新媒体管理"),
        {"document_title": "云澜县政务新媒体管理办法", "document_link": DOCUMENT},
        ("《云澜县政务新媒体管理办法》", DOCUMENT),
    ),
    Case("appointment", replace(PLAIN, title="关于周文等同志职务任免的通知")),
    Case(
        "appointment",
        replace(
            ABOUT,
            title="关于周文等同志职务任免的通知",
            document_number="云政人〔2026〕7号",
            body="县政府决定：\n" + "任命周文同志为云澜县水务局副局长（试用期一年）；\n" * 9,
        ),
        says=("云政人〔2026〕7号",),
    ),
    Case("consultation", replace(PLAIN, title="关于《云澜县养犬管理办法（征求意见稿）》公开征求意见的公告"), says=("原文",)),
    Case(
        "consultation",
        replace(ABOUT, title="关于《云澜县养犬管理办法（征求意见稿）》公开征求意见的公告"),
        {"opens": "2026-11-24", "closes": "2026-12-10", "ways": "信箱 yj@yunlan.example.cn，电话0571-87650000",
         "shorter": "办法须与县人大决定同日施行"},
        ("2026年11月24日至", "12月10日", "yj@yunlan.example.cn", "不足30日的理由：办法须与"),
    ),
    Case("recruitment", replace(PLAIN, title="云澜县2027年公开招聘中小学教师公告"), says=("原文",)),
    Case(
        "recruitment",
        replace(ABOUT, title="云澜县2027年公开招聘中小学教师公告"),
        {"places": "中小学教师62名", "opens": "2026-12-01 09:00", "closes": "2026-12-07 17:00",
         "ways": "县人事考试网", "phone": "0571-87650011"},
        ("62名", "12月7日17时", "县人事考试网", "0571-87650011"),
    ),
    Case("penalty", replace(PLAIN, title="云澜县市场监督管理局行政处罚信息")),
    Case(
        "penalty",
        replace(ABOUT, title="行政处罚决定公示", publisher="云澜县市场监督管理局",
                document_number="云市监罚〔2026〕35号", body="", summary=""),
        {"party": "王小明", "cause": "销售过期食品", "decision": "罚款5000元，没收违法所得120元"},
        ("王**", "罚款5000元", "云澜县市场监督管理局", "云市监罚〔2026〕35号"),
    ),
    Case(
        "emergency",
        Entry("", ""),
        {"title": "江北街道仓库火情通报", "at": "2026-11-24 09:30", "what": "江北街道一仓库8时12分起火，明火已扑灭，无人员伤亡",
         "measures": "消防、应急、公安到场处置，周边道路临时管制", "advice": "请绕行江北路，勿围观",
         "source": "云澜县应急管理局", "next": "2026-11-24 11:00", "phone": "0571-87650119"},
        ("第1报", "11月24日9时30分", "8时12分起火", "绕行江北路", "云澜县应急管理局", "11月24日11时"),
    ),
    Case("warning", replace(PLAIN, title="云澜县气象台发布暴雨橙色预警信号", publisher="云澜县气象台",
                            published=AT, summary="预计未来6小时城区降水将达50毫米以上，请注意防范。"),
         says=("暴雨橙色预警", "云澜县气象台", "11月24日8时30分", "50毫米")),
    Case("warning", replace(PLAIN, title="云澜县气象台解除暴雨橙色预警信号", publisher="云澜县气象台",
                            summary="降水已经减弱，暴雨橙色预警信号解除。"), says=("解除",)),
    Case(
        "warning",
        replace(PLAIN, title="暴雨预警", publisher="云澜县气象台", published=AT),
        {"signal": "暴雨橙色预警", "area": "城区和江北五镇", "begins": "2026-11-24 09:00", "ends": "2026-11-25 08:00",
         "effect": "将有50毫米以上强降水，可能引发积水和山洪", "advice": "减少外出，远离河道和低洼处"},
        ("暴雨橙色预警", "城区和江北五镇", "11月24日9时至", "11月25日8时", "云澜县气象台", "远离河道"),
    ),
]  # fmt: skip


@pytest.fixture
def furnished(office: Office) -> Office:
    """With the shipped templates, an account on each platform, and the document in a catalogue."""
    made = offices.declared(office, SOURCE)
    for number, (key, able) in enumerate(PLATFORMS.items(), 1):
        builders.account(made, key, "http://x.example", number, **able.json())
    entered(made, replace(WHOLE, key="document", link=DOCUMENT))
    return made


SOURCE = '[sources.notices]\nunit = "county"\nurl = "feed.xml"\n'


def entered(office: Office, entry: Entry) -> int:
    with office.db.write() as conn:
        source = conn.execute(sources.select()).mappings().one()
        row = {"source_id": source["id"], "key": entry.key, "state": ItemState.NEW}
        said = {"title": entry.title, "digest": entry.digest, "entry": entry.json()}
        times = {"seen_at": office.db.now(conn), "published": entry.published}
        return insert_id(conn, items, {**row, **said, **times, "revision": 1})


def filled(office: Office, case: Case) -> tuple[Body, dict[str, list[Rendered]]]:
    """The body, and by account what would be sent."""
    with office.db.read() as conn:
        made = filling.load(office, case.template)
        unit_id = conn.execute(sources.select()).mappings().one()["unit_id"]
        more = setting(office, conn, office.db.now(conn), unit_id)
        body = body_of(office, conn, made, case.entry, list(PLATFORMS), case.said, more)
        found: dict[str, list[Rendered]] = {}
        for part in compose.preview(office, conn, body, list(PLATFORMS)):
            found.setdefault(part.account["key"], []).append(part)
    return body, found


LONG = (
    "云澜县财政局 云澜县人力资源和社会保障局关于转发《" + "促进残疾人就业行动方案" * 8 + "》的通知"
)
NUMBERED = replace(
    PLAIN, title="关于公布清理结果的通知（云政发〔2026〕9号）", document_number="云政发〔2026〕9号"
)
BARE_WARNING = replace(PLAIN, title="云澜县气象台发布暴雨橙色预警信号", published=AT)
TOLD = replace(
    BARE_WARNING, summary="云澜县气象台2026年11月24日8时20分发布暴雨橙色预警信号：请注意防范。"
)


@pytest.mark.parametrize(
    ("case", "never"),
    [
        (Case("policy", replace(PLAIN, link="")), r"全文"),
        (Case("interpretation", replace(PLAIN, link="")), r"解读：\s*$"),
        (Case("notice", NUMBERED), r"9号.*\n*.*（云政发〔2026〕9号）（"),
        (Case("notice", replace(PLAIN, column="首页/政务公开/通知公告")), r"首页"),
        (Case("notice", replace(PLAIN, title="【转发】停水通知")), r"】【"),
        (Case("policy", replace(NUMBERED, publisher="云澜县财政局 云澜县教育局")), r"局 云澜县教育局发布"),
        (Case("policy", replace(PLAIN, title="云澜县财政局关于收费的通知")), r"办公室发布"),
        (Case("policy", replace(PLAIN, title=LONG)), r"《[^》]*……(?!》)"),
        (Case("penalty", replace(PLAIN, title="行政处罚信息公示")), r"办公室"),
        (Case("warning", BARE_WARNING), r"办公室"),
        (Case("warning", TOLD), r"8时30分发布。\n云澜县气象台"),
        (Case("warning", replace(PLAIN, title="大风蓝色预警")), r"发布"),
        (Case("correction", PLAIN, {"wrong": "甲", "right": "乙"}), r"(?:^|】)发布的"),
        (Case("appointment", replace(PLAIN, body="各镇，县政府各部门：\n　　任命周文。\n")), r"【人事任免】[^\n]*\n各镇"),
        (Case("recruitment", PLAIN, {"opens": "2026-12-28 09:00", "closes": "2027-01-04 17:00"}), r"至1月4日"),
        (Case("recruitment", replace(PLAIN, link="")), r"原文"),
    ],
    ids=lambda one: one.template if isinstance(one, Case) else "",
)  # fmt: skip
def test_what_an_entry_lacks_or_says_itself_leaves_no_stump_and_stands_once(
    furnished: Office, case: Case, never: str
) -> None:
    body, found = filled(furnished, case)
    assert not body.title.endswith("：")
    for key, parts in found.items():
        words = "\n".join(part.outgoing.text for part in parts)
        assert re.search(never, words) is None, (key, words)
        assert re.sub("#.*", "", words).count(case.entry.title) <= 1, (key, words)
        assert faults(words, case.entry.link or "-") == [], (key, words)


def test_a_consultation_without_original_must_say_how_and_how_long(furnished: Office) -> None:
    entry = replace(PLAIN, title="公开征求意见", link="")
    with pytest.raises(ConfigError, match="没有原文链接，请填写截止日期和提意见的途径"):
        filled(furnished, Case("consultation", entry))
    _, found = filled(
        furnished, Case("consultation", entry, {"closes": "2026-12-25", "ways": "信箱"})
    )
    assert not [p for parts in found.values() for p in parts if "草案及说明" in p.outgoing.text]


EMPTY = re.compile(
    r"（\s*）|【\s*】|《\s*》|〔\s*〕|\(\s*\)|“\s*”|＃|##|[：，；]\s*[。；]|。。|\s。"
)
LEFT = re.compile(r"{{|{%|%}|}}|None|ndefined|\bFalse\b|\bTrue\b")


def faults(text: str, link: str) -> list[str]:
    """What a reader would stumble over."""
    lines = text.split("\n")
    labels = [line for line in lines if re.fullmatch(r"[一-鿿]{2,12}：", line.strip())]
    return [
        *(f"empty {m[0]!r}" for m in EMPTY.finditer(text.replace(link, ""))),
        *(f"left {m[0]!r}" for m in LEFT.finditer(text)),
        *(
            f"a label with nothing {line!r}"
            for line in labels
            if not line.startswith(("各镇", "县政府"))
        ),
        *(f"blank at the end of {line!r}" for line in lines if line != line.rstrip()),
        *(["two blank lines"] if "\n\n\n" in text else []),
        *(["blanks"] if re.search(r"(?<!\n)  ", text) else []),
        *(["not trimmed"] if text != text.strip() else []),
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_shipped_template_reads_well_on_every_platform(furnished: Office, case: Case) -> None:
    body, found = filled(furnished, case)
    assert set(found) == set(PLATFORMS)
    assert body.title
    for key, parts in found.items():
        words = [part.outgoing.text for part in parts]
        whole = "\n".join(words)
        over = [f for part in parts for f in part.findings if f.severity is Severity.BLOCK]
        assert over == [], (key, over)
        assert all(part.count <= part.limit for part in parts), key
        assert any(case.entry.link in one for one in words), (key, words)
        assert [fault for one in words for fault in faults(one, case.entry.link)] == [], (
            key,
            whole,
        )
        missing = [one for one in case.says if one not in body.title + whole]
        assert missing == [], (key, whole)


def test_no_shipped_template_is_left_out_of_these_tests() -> None:
    tested = {case.template for case in CASES} | {"digest", "response", "correction"}
    assert set(templates.keys(ROOT / "templates")) == tested


def test_the_board_gets_the_whole_document_and_a_microblog_its_summary(furnished: Office) -> None:
    _, found = filled(furnished, Case("policy", WHOLE))
    (board,), (toot,), (weibo,) = (found[key] for key in ("board", "toots", "weibo"))
    assert board.outgoing.text.startswith(
        "发文机关：云澜县人民政府办公室\n发文字号：云政办〔2026〕12号\n"
    )
    assert "附件：政务新媒体备案表.docx" in board.outgoing.text
    assert "成文日期：2026年11月20日" in board.outgoing.text
    assert toot.outgoing.text.endswith(LINK)
    assert weibo.outgoing.text.endswith(f"…… {LINK}")
    assert "《关于印发〈云澜县政务新媒体管理办法〉的通知》" in weibo.outgoing.text


def test_a_topic_is_written_as_the_platform_writes_it(furnished: Office) -> None:
    (case,) = (c for c in CASES if c.template == "warning" and "ends" in c.said)
    _, found = filled(furnished, case)
    tags = {key: re.findall(r"#\S+", parts[-1].outgoing.text) for key, parts in found.items()}
    assert tags == {"board": [], "toots": ["#暴雨橙色预警"], "weibo": ["#暴雨橙色预警#"]}


def test_a_digest_says_each_entry_with_its_link_in_order(furnished: Office) -> None:
    entries = [replace(WHOLE, title=f"第{n}件通知", link=f"{LINK}?n={n}") for n in range(1, 9)]
    with furnished.db.read() as conn:
        made = filling.load(furnished, "digest")
        fields: dict[str, Any] = {
            "entries": [compose.fields_of(furnished, one) for one in entries],
            "title": "每日公开",
            "day": AT.astimezone(furnished.config.tz),
        }
        body = compose.body_from(furnished, conn, made, fields, list(PLATFORMS))
        for key in PLATFORMS:
            parts = compose.preview(furnished, conn, body, [key])
            whole = "\n".join(part.outgoing.text for part in parts)
            places = [whole.index(f"{one.title}") for one in entries]
            assert places == sorted(places)
            assert all(part.count <= part.limit for part in parts)
            assert all(f"{one.link}" in whole for one in entries)
            assert [f for part in parts for f in faults(part.outgoing.text, LINK)] == []
    assert body.title == "每日公开（2026年11月24日）"


# ---------------------------------------------------------------- what a person says


@pytest.mark.parametrize(
    ("template", "said", "what"),
    [
        (
            "emergency",
            {"title": "火情", "what": "起火"},
            r"emergency\.txt 第 10 行：字段 at（截至时间）须填写",
        ),
        ("consultation", {"closes": "明天"}, r"consultation\.txt 第 9 行：字段 closes.*2026-11-25"),
        ("consultation", {"close": "2026-12-10"}, r"没有字段 close，是不是 closes"),
    ],
)
def test_a_field_that_is_missing_wrong_or_unknown_is_named(
    furnished: Office, template: str, said: dict[str, str], what: str
) -> None:
    with pytest.raises(Invalid, match=what):
        filled(furnished, Case(template, Entry("", ""), said))


@pytest.mark.parametrize(
    ("party", "title", "shown"),
    [
        ("王小明", "关于王小明销售过期食品的处罚决定", "关于王**销售过期食品的处罚决定"),
        ("王小明、欧阳一鸣（店主）", "王小明、欧阳一鸣违法经营案", "王**、欧阳**违法经营案"),
        ("云澜县惠民粮店", "关于云澜县惠民粮店的处罚决定", "关于云澜县惠民粮店的处罚决定"),
        ("", "关于某人的处罚决定", "关于某人的处罚决定"),
        ("", "对王小明销售过期食品的处罚决定", "对王**销售过期食品的处罚决定"),
        ("", "当事人：王小明、欧阳一鸣，违法经营", "当事人：王**、欧阳**，违法经营"),
        ("", "当事人于海波（身份证号略）违法经营", "当事人于**（身份证号略）违法经营"),
        ("", "对云澜县惠民粮店无照经营的处罚决定", "对云澜县惠民粮店无照经营的处罚决定"),
    ],
)
def test_a_penalised_person_s_name_is_hidden_wherever_it_stands(
    furnished: Office, party: str, title: str, shown: str
) -> None:
    said = {"party": party, "decision": "罚款二百元"} if party else {}
    entry = replace(PLAIN, title=title, summary="", body=f"{title}。")
    body, found = filled(furnished, Case("penalty", entry, said))
    assert body.title == shown
    assert all(shown in "".join(p.outgoing.text for p in parts) for parts in found.values())
    names = ("王小明", "欧阳一鸣")
    assert not [p for parts in found.values() for p in parts for n in names if n in p.outgoing.text]


@pytest.mark.parametrize(
    "words",
    [
        "对石油销售的规定",
        "关于方案未公开",
        "关于金融违法行为",
        "对江北区未落实",
        "当事人未取得许可",
        "当事人于当日",
    ],
)
def test_no_word_is_taken_for_a_person_s_name(words: str) -> None:
    assert parties(words) == ""


def test_a_document_s_own_name_says_who_issued_it(furnished: Office) -> None:
    title = "云澜县人民政府关于印发《云澜县供水管理办法》的通知"
    entry = replace(ABOUT, title=title, publisher="云澜县人民政府")
    _, found = filled(furnished, Case("policy", entry))
    short = min((parts[0].outgoing.text for parts in found.values()), key=len)
    assert "【政策文件】《云澜县人民政府关于印发〈云澜县供水管理办法〉的通知》" in short


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"closes": "2026-12-25"}, "提意见的途径"),
        ({"ways": "信箱"}, "期限"),
        ({}, "期限和提意见的途径"),
    ],
)
def test_only_what_is_not_said_is_left_to_the_original(
    furnished: Office, said: dict[str, str], left: str
) -> None:
    _, found = filled(furnished, Case("consultation", replace(PLAIN, title="公开征求意见"), said))
    texts = ["".join(part.outgoing.text for part in parts) for parts in found.values()]
    assert all(f"\n{left}见原文。" in text or f"{left}，以原文所载为准" in text for text in texts)


def test_a_short_period_for_comments_needs_its_reason(furnished: Office) -> None:
    """《重大行政决策程序暂行条例》, art. 15: 30 days in general; shorter only with a stated reason."""
    said = {"opens": "2026-11-24", "closes": "2026-12-23", "ways": "信箱"}
    entry = replace(PLAIN, title="公开征求意见")
    with pytest.raises(ConfigError, match=r"consultation\.txt 第 \d+ 行：期限不足30日"):
        filled(furnished, Case("consultation", entry, said))
    filled(furnished, Case("consultation", entry, said | {"closes": "2026-12-24"}))
    filled(furnished, Case("consultation", entry, said | {"shorter": "与上级同步施行"}))


def test_a_mistake_names_file_line_field_and_entry(furnished: Office) -> None:
    file = furnished.config.path.parent / "templates" / "policy.txt"
    file.write_text('+++\nname = "错"\n+++\n{{ title }}\n{{ publishr }}', "utf-8")
    item = entered(furnished, PLAIN)
    with furnished.db.write() as conn:
        zhou = builders.actor(conn, "zhou")
        with pytest.raises(ConfigError) as caught:
            compose.from_item(furnished, conn, AT, zhou, item, "policy", ["board"])
    assert str(caught.value) == (
        f"条目 {item}“{PLAIN.title}”：模板 policy.txt 第 5 行：没有字段 publishr，是不是 publisher"
    )


def test_what_a_person_says_stands_over_what_the_entry_says(furnished: Office) -> None:
    said = {"summary": "另拟的概述。", "link": DOCUMENT}
    body, found = filled(furnished, Case("notice", WHOLE, said))
    assert found["toots"][0].outgoing.text.endswith(f"\n另拟的概述。\n{DOCUMENT}")
    assert body.link == DOCUMENT


# ---------------------------------------------------------------- an emergency and its updates


SAID = {"at": "2026-11-24 09:30", "what": "明火已扑灭", "advice": "绕行江北路"}


def written(office: Office, **more: Any) -> int:
    with office.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        unit = conn.execute(sources.select()).mappings().one()["unit_id"]
        said = {**SAID, "title": "江北街道仓库火情通报"}
        return compose.from_template(
            office, conn, now, zhou, unit_id=unit, template="emergency",
            keys=list(PLATFORMS), said=said, **more,
        )  # fmt: skip


def updated(office: Office, post: int) -> int:
    with office.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        return compose.follow_up(office, conn, now, zhou, post, SAID)


def corrected(office: Office, post: int, **more: Any) -> int:
    with office.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        return compose.correction(office, conn, now, zhou, post, "无人员伤亡", "一人轻伤", **more)


def sent(office: Office, post: int) -> None:
    """As if it had gone out everywhere but on the account that people serve."""
    for by in ("wu", "lin") if _urgent(office, post) else ("lin",):
        builders.sign(office, post, by=by)
    plan.plan_due(office)
    with office.db.write() as conn:
        out = {"state": DeliveryState.SENT, "sent_at": office.db.now(conn), "due_at": None}
        mine = deliveries.c.post_id == post
        conn.execute(update(deliveries).where(mine).values(**out, url=f"https://x.example/{post}"))


def _urgent(office: Office, post: int) -> bool:
    return any(row["emergency"] for row in rows(office, posts) if row["id"] == post)


def texts(office: Office, post: int) -> dict[str, str]:
    with office.db.read() as conn:
        row = compose.one(conn, post)
        body = Body.of(compose.current(conn, row)["body"])
        parts = compose.preview(office, conn, body, list(PLATFORMS))
    found: dict[str, str] = {}
    for part in parts:
        key = part.account["key"]
        found[key] = found.get(key, "") + part.outgoing.text + "\n"
    return found


@pytest.fixture
def urgent(furnished: Office) -> Office:
    """With a second person who may look: an emergency takes two."""
    with furnished.db.write() as conn:
        builders.person(conn, "wu", "吴越", Role.REVIEWER)
    return furnished


@both
def test_each_update_of_an_emergency_has_its_number_and_links_the_one_before(
    urgent: Office, clock: FixedClock
) -> None:
    first = written(urgent)
    with pytest.raises(Conflict, match="还没有发出"):
        updated(urgent, first)
    sent(urgent, first)
    clock.move(5400)
    second = updated(urgent, first)
    sent(urgent, second)
    third = updated(urgent, second)
    by_id = {row["id"]: row for row in rows(urgent, posts)}
    assert [by_id[n]["title"] for n in (first, second, third)] == [
        "江北街道仓库火情通报",
        "江北街道仓库火情通报（第2报）",
        "江北街道仓库火情通报（第3报）",
    ]
    assert [by_id[n]["about_id"] for n in (first, second, third)] == [None, first, second]
    assert {(row["kind"], row["emergency"]) for row in by_id.values()} == {
        (PostKind.EMERGENCY, True)
    }
    for key, words in texts(urgent, second).items():
        assert f"https://x.example/{first}" in words, key
        assert "11月24日9时" in words
        assert "第2报" in words
        assert faults(words.strip(), "") == []
    with pytest.raises(Conflict, match=f"#{second}"):
        updated(urgent, first)


def test_an_ordinary_post_has_no_updates(urgent: Office) -> None:
    post = builders.signed(urgent, ["board"])
    with pytest.raises(Invalid, match="应急"):
        updated(urgent, post)


def test_the_machine_makes_no_emergency_of_an_entry(urgent: Office) -> None:
    """A standing sign-off could cover its two steps in one name."""
    item = entered(urgent, replace(PLAIN, title="暴雨预警"))
    made = filling.load(urgent, "emergency")
    assert filling.of_template(made, MACHINE)["emergency"] is False
    with urgent.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), urgent.db.now(conn)
        post = compose.from_item(urgent, conn, now, zhou, item, "emergency", list(PLATFORMS), SAID)
        assert compose.one(conn, post)["emergency"] is True


# ---------------------------------------------------------------- corrections


def test_a_correction_says_what_was_wrong_and_what_is_right_and_links_it(urgent: Office) -> None:
    post = builders.draft(urgent, list(PLATFORMS), body=Body("无人员伤亡。", "火情通报", link=LINK))
    with pytest.raises(Conflict, match="还没有发出"):
        corrected(urgent, post)
    sent(urgent, post)
    made = corrected(urgent, post, reason="初报时核对不够")
    row = next(row for row in rows(urgent, posts) if row["id"] == made)
    assert (row["kind"], row["about_id"], row["title"]) == (
        PostKind.CORRECTION, post, "更正：火情通报",
    )  # fmt: skip
    for key, words in texts(urgent, made).items():
        assert (
            "发布的《火情通报》中，“无人员伤亡”有误，应为“一人轻伤”。初报时核对不够。" in words
        ), key
        assert f"原文：https://x.example/{post}" in words
        assert faults(words.strip(), "") == []


# ---------------------------------------------------------------- what a model helped to draft


LABEL = "（含人工智能生成内容）"
LONG = "云澜县自来水公司将对望江路主管道进行检修。" * 30


@pytest.mark.parametrize("rule", [None, *OverLimit])
def test_the_label_stands_under_every_form_and_is_never_cut(
    furnished: Office, rule: OverLimit | None
) -> None:
    with furnished.db.read() as conn:
        for words in ("短讯。", f"{LONG}{LINK}", f"抄来的{LABEL}{LONG}"):
            body = Body(words, link=LINK, over_limit=rule, assisted=True)
            for key in PLATFORMS:
                parts = compose.preview(furnished, conn, body, [key])
                for part in parts:  # each is read and handed on by itself
                    assert part.outgoing.text.endswith(f"\n{LABEL}")
                    assert part.outgoing.text.count(LABEL) == 1
                blocked = {f.rule for part in parts for f in part.findings}
                assert blocked <= ({"over-limit"} if part_refuses(rule, key, words) else set())


@pytest.mark.parametrize("length", range(130, 300, 17))
def test_the_label_has_room_where_a_further_part_is_an_answer_with_a_limit_of_its_own(
    furnished: Office, length: int
) -> None:
    """As on Weibo, whose further parts are comments."""
    able = replace(WEIBO, answer=True, answer_limit=140)
    with furnished.db.write() as conn:
        mine = accounts.c.key == "weibo"
        conn.execute(update(accounts).where(mine).values(capabilities=able.json()))
    body = Body("供" * length, over_limit=OverLimit.THREAD, assisted=True)
    with furnished.db.read() as conn:
        parts = compose.preview(furnished, conn, body, ["weibo"])
    assert len(parts) > 1
    assert all(part.count <= part.limit and LABEL in part.outgoing.text for part in parts)
    assert [f for part in parts for f in part.findings if f.severity is Severity.BLOCK] == []


def part_refuses(rule: OverLimit | None, key: str, words: str) -> bool:
    effective = rule or PLATFORMS[key].over_limit
    return effective is OverLimit.REFUSE and key != "board" and len(words) > 100


def test_the_flag_stays_for_every_later_revision(furnished: Office) -> None:
    post = builders.draft(furnished, ["board"], "模型起草的。", assisted=True)
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        compose.revise(furnished, conn, now, zhou, post, 1, Body("人改过的。"), ["board"])
    assert [row["body"]["assisted"] for row in rows(furnished, revisions)] == [True, True]
    assert texts(furnished, post)["board"] == f"人改过的。\n{LABEL}\n"


@pytest.mark.parametrize("label", ["", "（机器参与）", "AI 辅助"])
def test_a_label_without_the_words_the_rule_asks_for_is_refused(
    furnished: Office, label: str
) -> None:
    file = furnished.config.path
    file.write_text(f'{file.read_text("utf-8")}\n[compose]\nassisted_label = "{label}"\n', "utf-8")
    with pytest.raises(ConfigError, match="人工智能"):
        load(file)


SAMPLE = ROOT / "../shared/samples/feeds/sz-policy.rss2.utf8.xml"
OF_ENTRIES = "notice policy interpretation appointment consultation recruitment penalty warning"


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the samples are not here")
@pytest.mark.parametrize("template", OF_ENTRIES.split())
def test_real_notices_leave_no_template_with_a_fault(furnished: Office, template: str) -> None:
    """166 of nine bodies, by every template that the machine may fill by itself."""
    reading = Feed(FeedOptions()).parse(
        SAMPLE.read_bytes(), "", Origin("feed", furnished.config.tz, memo={})
    )
    wrong = []
    for entry in reading.entries[::4]:
        body, found = filled(furnished, Case(template, entry))
        for key, parts in found.items():
            words = [part.outgoing.text for part in parts]
            mine = [fault for one in words for fault in faults(one, entry.link)]
            mine += [] if any(entry.link in one for one in words) else ["its link is lost"]
            over = {"over-limit"} & {f.rule for part in parts for f in part.findings}
            wrong += [(key, fault, body.title, words) for fault in (*mine, *over)]
    assert wrong == []
