"""Slips that neighbours tell, names of laws, periods, figures of one sentence: and what only looks so."""

from __future__ import annotations

from datetime import date

import pytest

from bot.model import Severity
from bot.screen import Context, Rules, screen
from bot.screen.terms import of, read

READ = Context(on=date(2026, 11, 24))


def told(text: str, context: Context = READ) -> list[tuple[str, str, str]]:
    hits = screen(text, context=context)
    return [(h.rule, h.text, h.suggestion) for h in hits if h.severity is not Severity.NOTE]


@pytest.mark.parametrize(
    ("text", "slip", "right"),
    [
        ("全市高标准农田建设项目以经完成投资2.3亿元。", "以经", "已经"),
        ("要进一步建全长效管护机制。", "建全", "健全"),
        ("法院作出判绝，双方服从。", "判绝", "判决"),
        ("城管执法人员当场责今改正。", "责今", "责令"),
        ("公安机关打击合同诈篇犯罪。", "诈篇", "诈骗"),
        ("专家的讲解令人茅塞盾开。", "茅塞盾开", "茅塞顿开"),
        ("为全市120名名残疾人免费配发轮椅。", "名名", "名"),
        ("欢迎广大市民市民前来观展。", "市民市民", "市民"),
        ("新录用公务员请于9月1日到县委组织部报道，并携带身份证。", "报道", "报到"),
        ("请登陆市政府网站查询。", "登陆", "登录"),
        ("全市新增绿道15公理。", "公理", "公里"),
        ("预计过程最大雨量80—120厘米。", "厘米", "毫米"),
    ],
)
def test_a_slip_is_told_with_the_word_that_was_meant(text: str, slip: str, right: str) -> None:
    assert ("typo", slip, right) in told(text)


@pytest.mark.parametrize(
    "text",
    [
        "坚持以经济建设为中心，建全国一流的营商环境。",  # a neighbour makes a word of it
        "局长李建全、王判绝出席。",  # names
        "清政办发〔2026〕31号、宁财建〔2026〕7号",  # signs of offices
        "请署真实姓名，并留联系方式。",  # 真名实姓 with two words of its own
        "一步一步走，一批批优秀青年成长起来，讨论讨论再说。",
        "工作目的的实现有赖于3家家庭农场、5名名师。",
        "台风登陆后请登录平台填报；本报记者到县委组织部采访报道。",
    ],
)
def test_what_only_looks_like_a_slip_is_left_alone(text: str) -> None:
    assert [hit for hit in told(text) if hit[0] == "typo"] == []


@pytest.mark.parametrize(
    ("text", "name", "right"),
    [
        ("依据《未成年保护法》要求退款。", "未成年保护法", "未成年人保护法"),
        ("根据《中华人民共和国道路安全交通法》处罚。", "道路安全交通法", "道路交通安全法"),
        ("按照《中华人民共和国劳动合同条例》支付。", "劳动合同条例", "劳动合同法"),
        ("按照《中华人民共和国婚姻法》申请离婚。", "婚姻法", "民法典"),
        ("按照《中华人民共和国物业管理法》办理。", "物业管理法", ""),
    ],
)
def test_a_law_that_is_none_or_no_more_is_told(text: str, name: str, right: str) -> None:
    assert ("law-name", name, right) in told(text)


@pytest.mark.parametrize(
    "text",
    [
        "依照《中华人民共和国民法典》《劳动合同法》《中华人民共和国劳动合同法实施条例》办理。",
        "读《孙子兵法》，学《行政执法办法》《云澜市停车管理条例》。",
        "2019年，法院依照《中华人民共和国婚姻法》判决。",
        "《出入境管理法》《海上渔业促进与养护法》",  # short, and new to us
    ],
)
def test_laws_books_and_regulations_are_left_alone(text: str) -> None:
    assert [hit for hit in told(text) if hit[0] == "law-name"] == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("公示期：2026年8月12日至2026年8月5日。", "period"),
        ("报名时间：8月12日9:00至5日17:00。", "period"),
        ("博物馆开放时间调整为17:00—9:00。", "period"),
        ("非常满意占62%，满意占31%，基本满意占8%，不满意占3%。", "sum"),
        ("推出便民三项措施：一是延长服务时间，二是增设母婴室。", "sum"),
        ("“四项行动”：整治环境卫生、规范停车秩序、治理飞线充电，集中开展。", "sum"),
        ("四个坚持：坚持居民主体、坚持因地制宜、坚持建管并重", "sum"),
        ("中标金额：人民币叁拾捌万伍仟元整（¥358000.00）", "sum"),
        ("抽检食品60批次，合格57批次，不合格5批次。", "sum"),
        ("森林面积由2020年的41.2万亩增至2025年的43.6万亩，净增3.4万亩。", "sum"),
        ("共有18个乡镇，已有21个乡镇建成智慧养老服务中心。", "sum"),
        ("送审造价1280万元，审定1196万元，核减86万元。", "sum"),
        ("下载：https://pan.baidu.com/s/1xK9qLmT2 提取码：7h2d", "net-disk"),
        ("请登录htttp://www.qinghe.gov.cn/tzgg/1.html查看", "broken-link"),
        ("今年#全国科普月# #系列活动将在全区举办", "topic"),
        ("#   #防灾减灾知识课堂开讲啦", "topic"),
        ("道路结冰，自2026年14月起调整标准。", "impossible-date"),
        ("2026年上半年测试定于2月29日举行。", "impossible-date"),
        ("文号：宁环审2026-45号", "document-number"),
        ("人社部发2025〔19〕号明确", "document-number"),
    ],
)
def test_a_contradiction_is_told(text: str, rule: str) -> None:
    assert rule in {hit[0] for hit in told(text)}


@pytest.mark.parametrize(
    "text",
    [
        "供暖期为11月15日至3月15日；2026年11月15日至2027年3月15日。",
        "夜间施工22:00—6:00；酒吧营业至次日，18:00-2:00（次日）。",
        "男性占52%，女性占48%；本科占60%，党员占45%。",
        "三项措施：一是延长时间，二是增设窗口，三是一次办结。",
        "三项行动：整治环境卫生、规范停车秩序、治理飞线充电，集中开展。",
        "中标金额：人民币叁拾捌万伍仟元整（¥385000.00），大写贰佰零叁万元整，¥2030000。",
        "抽检食品60批次，合格57批次，不合格3批次。",
        "由41.2万亩增至43.6万亩，净增2.4万亩。",
        "全县共有18个乡镇，已有12个乡镇建成。",
        "#平安云澜#全民反诈#平安校园#，C#课程，颜色#ff0000;",
        "出生14月龄的幼儿；2024年2月29日。",
        "详见https://www.yunlan.gov.cn/a/1.html，信箱xw@yunlan.gov.cn",
    ],
)
def test_what_agrees_is_left_alone(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "slip", "right"),
    [
        (
            "农机部门组织技术人员下乡开展计术推广。",
            "计术",
            "技术",
        ),  # 开展 and 推广 stand for themselves
        ("坚决守住粮食安全低线，严革落实各项措施。", "严革", "严格"),
        ("市民可通过手机察询公交车到站信息。", "察询", "查询"),
        ("犯罪嫌疑入被依法逮捕。", "嫌疑入", "嫌疑人"),
        ("未成年入应当在监护人陪同下参加。", "未成年入", "未成年人"),
        ("路面采用混泥土浇筑，厚度20厘米。", "混泥土", "混凝土"),
        ("确保居民温暧过冬。", "温暧", "温暖"),  # 温 begins names too
    ],
)
def test_a_slip_is_told_where_the_right_word_reads_likelier(
    text: str, slip: str, right: str
) -> None:
    assert any(
        said in slip and meant in right for rule, said, meant in told(text) if rule == "typo"
    )


@pytest.mark.parametrize(
    "text",
    [
        "没有他们，现在连合同也不会有。",  # 连合 for 联合
        "身份证件到所在街道领取。",
        "请自愿者到窗口登记。",
        "宋新启家里来了客人。",
        "以经济建设为中心，管理士兵。",
        "泥土松软，混合泥土后使用。",
    ],
)
def test_what_reads_as_well_as_it_stands_is_left_alone(text: str) -> None:
    assert [hit for hit in told(text) if hit[0] == "typo"] == []


def test_an_offices_exception_holds_for_slips_too() -> None:
    rules = Rules(terms=of(read("!建全合作社\n", "words.txt")))
    text = "建全合作社与建全长效机制"
    hits = [(h.start, h.text) for h in screen(text, rules=rules, context=READ)]
    assert hits == [(6, "建全")]
