"""Each rule: what it must find, however it is written, and the look-alikes it must leave alone."""

from __future__ import annotations

import time
from datetime import date
from urllib.parse import unquote

import pytest

from bot.model import Capabilities, Finding, Media, Severity, Topics, Unit
from bot.screen import Context, screen

TUESDAY = date(2026, 11, 24)
READ = Context(on=TUESDAY)
LATER = Context(on=TUESDAY, scheduled=True)
WEIBO = Context(
    on=TUESDAY,
    capabilities=Capabilities(unit=Unit.WEIBO, alt_text=True, topic_form=Topics.AROUND),
    media=(),
)
TAGS = Context(
    on=TUESDAY,
    capabilities=Capabilities(unit=Unit.CHARACTERS, topic_form=Topics.BEFORE),
    media=(),
)
BLOCK, WARN, NOTE = Severity.BLOCK, Severity.WARN, Severity.NOTE


def found(text: str, context: Context = READ) -> list[tuple[str, Severity, str]]:
    hits = screen(text, context=context)
    assert all(text[f.start : f.end] == f.text for f in hits)
    return [(f.rule, f.severity, f.text) for f in hits]


def one(text: str, rule: str, context: Context = READ) -> Finding:
    (hit,) = [f for f in screen(text, context=context) if f.rule == rule]
    return hit


# ---------------------------------------------------------------- marks


@pytest.mark.parametrize(
    "mark",
    [
        "机密★10年",
        "秘密★1年",
        "绝密★30年",
        "绝密★长期",
        "秘密★6个月",
        "机密★会议开始前",
        "绝密★启用前",
        "机密★",
        "秘密☆5年",
        "机密*3年",
        "机 密 ★ 10 年",
        "机密★１０年",
        "绝密级★20年",
        "机\u200b密★10年",
        "秘密★2027年1月1日前",
    ],
)
@pytest.mark.parametrize(
    ("before", "after"), [("", "\n关于××工作的通知"), ("000123\n", "\n特急"), ("密级：", "")]
)
def test_a_mark_of_secrecy_is_blocked(mark: str, before: str, after: str) -> None:
    assert ("secrecy-mark", BLOCK) in [h[:2] for h in found(before + mark + after)]


@pytest.mark.parametrize(
    "text",
    [
        "保守国家秘密是公民的义务。",
        "涉及国家秘密、商业秘密、个人隐私的信息不予公开。",
        "绝密级国家秘密保密期限不超过三十年，机密级不超过二十年，秘密级不超过十年。",
        "★保守国家秘密★人人有责",
        "**商业秘密**保护指南",
        "机密级文件应当在符合要求的场所保存。",
        "国家档案馆开放一批绝密档案，揭开绝密工程的面纱。",
        "绝密档案（全三册）",
    ],
)
def test_what_only_speaks_of_secrets_is_none(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("工作秘密★3年\n关于", "work-secret"),
        ("【工作秘密】关于", "work-secret"),
        ("工作秘密 不得外传\n关于", "work-secret"),
        ("内部资料 注意保存\n关于", "internal-mark"),
        ("内部资料，请勿外传。\n关于", "internal-mark"),
        ("（内部文件 不得外传）", "internal-mark"),
        ("【内部使用】\n值班安排", "internal-mark"),
        ("仅供内部参考\n一、", "internal-mark"),
        ("内部刊物　注意保管\n第3期", "internal-mark"),
        ("关于××的通知（征求意见稿，请勿外传）", "internal-mark"),
        ("（此件不公开）", "not-public"),
        ("（此件依申请公开）", "not-public"),
        ("公开属性：不予公开\n", "not-public"),
    ],
)
def test_marks_of_inner_papers_are_blocked(text: str, rule: str) -> None:
    assert [h[:2] for h in found(text)] == [(rule, BLOCK)]


@pytest.mark.parametrize(
    "text",
    [
        "（此件公开发布）",
        "此件主动公开",
        "内部资料性出版物管理办法",
        "各单位要加强内部管理和内部审计。",
        "工作人员不得泄露工作秘密。",
        "对内部文件的管理，由各部门负责。",
        "依申请公开\n政府信息公开指南",
        "请妥善保管好个人物品。",
        "标注“此件不公开”的，应当说明理由。",
    ],
)
def test_what_only_speaks_of_inner_papers_is_none(text: str) -> None:
    assert found(text) == []


# ---------------------------------------------------------------- papers, cards, plates, addresses


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("护照号码：E12345678", "E12345678"),
        ("护照号EA1234567，", "EA1234567"),
        ("护照（Ｅ１２３４５６７８）", "Ｅ１２３４５６７８"),
        ("持e12345678号护照入境", "e12345678"),
        ("往来港澳通行证 C12345678", "C12345678"),
        ("港澳居民来往内地通行证号：H1234567890", "H1234567890"),
        ("回乡证M12345678", "M12345678"),
        ("台胞证号码为12345678", "12345678"),
        ("台湾居民来往大陆通行证：12345678", "12345678"),
        ("军官证：南字第1234567号", "南字第1234567"),
    ],
)
def test_papers_are_found_beside_their_name(text: str, number: str) -> None:
    assert found(text) == [("travel-document", BLOCK, number)]


@pytest.mark.parametrize(
    "text",
    [
        "申请护照须提交照片2张，费用120元。",
        "护照号码E1****678",
        "货号E12345678",
        "办理护照业务咨询电话：0550-12345678",
        "全年签发护照12345本、往来港澳通行证23456本。",
    ],
)
def test_papers_without_a_number_and_numbers_without_a_paper(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("银行卡号6222021234567890128", BLOCK),
        ("卡号：6222 0212 3456 7890 128", BLOCK),
        ("账号：4000000000000002", BLOCK),
        ("工资卡６２２２０２１２３４５６７８９０１２８", BLOCK),
        ("转入6222021234567890128即可", WARN),
    ],
)
def test_a_bank_card(text: str, severity: Severity) -> None:
    assert [h[:2] for h in found(text)] == [("bank-card", severity)]
    assert one(text, "bank-card").suggestion.endswith(text.translate(WIDE).rstrip("即可")[-2:])


WIDE = {ord("０") + i: str(i) for i in range(10)}


@pytest.mark.parametrize(
    "text",
    [
        "卡号：6222021234567890123",  # no Luhn
        "卡号：6222 **** **** 0128",
        "对公账号：34050165880800000123",
        "统一社会信用代码：91330100799655058B",
    ],
)
def test_what_is_no_bank_card(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "plate",
    [
        "苏A12345",
        "苏A·12345",
        "苏A 12345",
        "京AD12345",
        "沪A12345D",
        "皖M1234学",
        "粤Z1234港",
        "苏Ａ１２３４５",
    ],
)
def test_a_plate(plate: str) -> None:
    assert found(f"车牌号{plate}的车主") == [("plate", WARN, plate)]


@pytest.mark.parametrize(
    "text",
    [
        "苏A***45",
        "苏S（2023）8号",
        "京ICP备12345678号",
        "京B2-20200012",
        "国药准字H20180123",
        "云AI大模型",
    ],
)
def test_what_is_no_plate(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "家住阳光小区3号楼2单元501室",
        "住址：云澜县城关镇李家村3组15号",
        "户籍地址云澜县东街12号",
        "李四，女，住云澜县东风路12号",
        "现住云澜县城南街道和平路8号5栋302室",
        "阳光小区3号楼2单元501室",
        "家庭住址：幸福里二号楼三单元402",
    ],
)
def test_where_somebody_lives(text: str) -> None:
    assert [h[:2] for h in found(f"{text}。")] == [("address", WARN)]


@pytest.mark.parametrize(
    "text",
    [
        "办公地址：云澜县东街1号政务服务中心3楼301室",
        "户籍所在地公安机关凭居民身份证受理。",
        "居住地：城南街道",
        "住房和城乡建设局地址：和平路8号",
        "家住城关镇的张先生",
        "患者住院费用按5号文执行。",
    ],
)
def test_where_an_office_is_and_what_stays_general(text: str) -> None:
    assert found(text) == []


# ---------------------------------------------------------------- days and hours


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("11月24日（星期一）", "星期二"),
        ("11月24日(周三)", "星期二"),
        ("11月24日星期日", "星期二"),
        ("11月24日上午（星期五）", "星期二"),
        ("2026年11月24日，星期一", "星期二"),
        ("2026-11-24（周一）", "星期二"),
        ("十一月二十四日（星期一）", "星期二"),
        ("１１月２４日（星期一）", "星期二"),
        ("11月24日（农历十月十六，星期一）", "星期二"),
        ("1月5日（星期一）", "星期二"),  # the nearest is next year's
        ("11月24日至27日（星期二至星期四）", "星期五"),
        ("11月24日（周二）至26日（周五）", "星期四"),
        ("11月24日、25日（周二、周四）", "星期三"),
        ("2025年11月24日（星期二）", "星期一"),
    ],
)
def test_a_weekday_that_is_another_day_s(text: str, right: str) -> None:
    hit = one(f"会议于{text}举行。", "weekday")
    assert (hit.severity, hit.suggestion) == (WARN, right)


@pytest.mark.parametrize(
    "text",
    [
        "11月24日（星期二）",
        "11月24日至27日（星期二至星期五）",
        "11月24日（周二）至26日（周四）",
        "每周一至周五，11月24日起实行",
        "国办发明电〔2018〕15号：2019年元旦放假，1月1日（星期二）休息，12月29日（星期六）上班",
        "2018年9月24日（星期一）",
        "本周一、11月24日各一次",
    ],
)
def test_a_weekday_that_is_right(text: str) -> None:
    assert found(text) == []


def test_without_a_day_to_go_by_a_date_without_a_year_is_left_alone() -> None:
    assert found("11月24日（星期一）", Context()) == []
    assert found("2026年11月24日（星期一）", Context()) == [("weekday", WARN, "星期一")]


@pytest.mark.parametrize(
    "text",
    [
        "2月30日",
        "4月31日",
        "2026年2月29日",
        "13月5日",
        "2026年13月",
        "8月32日",
        "二月三十日",
        "2026-02-30",
        "2026/13/01",
        "11月24日24:60",
        "上午9:75",
        "18:30-25:00",
        "会议于25时开始",
        "上午9时70分",
    ],
)
def test_what_no_calendar_and_no_clock_has(text: str) -> None:
    text = f"{text}份" if text.endswith("13月") else text
    assert [h[:2] for h in found(f"时间：{text}。")] == [("impossible-date", WARN)]


@pytest.mark.parametrize(
    "text",
    [
        "2024年2月29日",
        "2月29日",
        "12月31日24:00",
        "农历二月三十日",
        "七八月份",
        "历时13个月",
        "混凝土配比25:75",
        "比分3:97",
        "48学时",
        "同时段",
        "000014349/2018-00222",
        "GB/T 9704-2012",
        "3.15消费者权益日",
    ],
)
def test_days_hours_and_ratios_that_are(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "word", ["今天", "今日", "明天", "昨日", "今晚", "明早", "本周五", "下周", "上月"]
)
def test_words_that_age_are_told_where_a_post_waits(word: str) -> None:
    assert found(f"{word}起停水", LATER) == [
        ("relative-time", WARN, word[:3] if "周五" in word else word)
    ]
    assert found(f"{word}起停水") == []


def test_names_with_such_words_do_not_age() -> None:
    assert found("今日头条号“明天会更好”", LATER) == []


# ---------------------------------------------------------------- form


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("国办发[2018]123号", "国办发〔2018〕123号"),
        ("国办发［2018］123号", "国办发〔2018〕123号"),
        ("国办发【2018】123号", "国办发〔2018〕123号"),
        ("国办发(2018)123号", "国办发〔2018〕123号"),
        ("国办发（2018）123号", "国办发〔2018〕123号"),
        ("国办发〔2018]123号", "国办发〔2018〕123号"),
        ("国办发〔2018〕第123号", "国办发〔2018〕123号"),
        ("国办发〔18〕123号", "国办发〔2018〕123号"),
        ("云政办发〔2026〕012号", "云政办发〔2026〕12号"),
        ("云卫健函[２０２６]5号", "云卫健函〔2026〕5号"),
        ("国办发2018年123号", "国办发〔2018〕123号"),
    ],
)
def test_a_document_number_in_another_form(text: str, right: str) -> None:
    hit = one(f"根据《通知》（{text}）要求", "document-number")
    assert (hit.severity, hit.text, hit.suggestion) == (WARN, text, right)


@pytest.mark.parametrize(
    "text",
    [
        "国办发〔2018〕123号",
        "国令第707号",
        "财政部公告2018年第12号",
        "审图号：GS（2019）1822号",
        "（2018）京01民初123号",
        "苏械注准(2018)123号",
        "东街(2018)12号楼",
        "国发〔2018〕43、44号",
        "印发2018年5号文",
    ],
)
def test_numbers_of_documents_and_of_other_things(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("《关于印发方案的通知", "《"),
        ("关于印发方案》的通知", "》"),
        ("他说“很好。", "“"),
        ("按时缴费（含滞纳金。", "（"),
        ("按时缴费含滞纳金）。", "）"),
        ("【停水通知 东街停水", "【"),
        ("《关于“放管服》改革的意见”", "“"),
        ("“一窗通办“", "“"),
    ],
)
def test_what_is_not_paired(text: str, mark: str) -> None:
    assert ("unpaired", WARN, mark) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "《关于印发〈方案〉的通知》（国办发〔2018〕123号）",
        "一是（一）项；1）缴费；a) 缴费",
        "他说：“这叫‘一窗通办’（试行）。”",
        "“第一段。\n“第二段。”",
        "《关于印发……",
        "《关于印发…… https://a.gov.cn/x",
        "好的:)",
        "（半角收尾)",
    ],
)
def test_what_is_paired(text: str) -> None:
    assert found(text) == []


def test_pairs_are_not_asked_of_a_piece() -> None:
    assert found("他说“很好。", Context(part=True)) == []


@pytest.mark.parametrize(
    ("table", "right"),
    [
        ("单位 人数\n东镇 12\n西镇 30\n合计 43", "42"),
        ("| 镇 | 户 |\n|---|---|\n| 东 | 1,200 |\n| 西 | 800 |\n| 总计 | 2,100 |", "2000"),
        ("镇\t金额（万元）\n东\t1.5\n西\t2.25\n小计\t4.75", "3.75"),
        ("镇  男  女\n合计  5  9\n东  2  4\n西  3  4", "8"),
    ],
)
def test_a_sum_that_does_not_add_up(table: str, right: str) -> None:
    hit = one(table, "sum")
    assert (hit.severity, hit.suggestion) == (WARN, right)


@pytest.mark.parametrize(
    "table",
    [
        "单位 人数\n东镇 12\n西镇 30\n合计 42",
        "镇  比例\n东  33.3%\n西  66.7%\n合计  99%",
        "镇\t万元\n东\t1.25\n西\t2.34\n南\t1.11\n合计\t4.71",
        "序号 镇 人数\n1 东 5\n2 西 6\n合计 — 11",
        "镇 户\n东 5\n西 6\n小计 11\n南 4\n北 5\n小计 9\n合计 20",
        "类别 人数\n合计 20\n其中：男 12\n女 9",
        "合计 12 人\n计划于本周完成",
    ],
)
def test_a_sum_that_does_or_cannot_be_told(table: str) -> None:
    assert found(table) == []


# ---------------------------------------------------------------- wording


@pytest.mark.parametrize(
    ("text", "rule", "right"),
    [
        ("中央纪律检察委员会", "organ-name", "中央纪律检查委员会"),
        ("人力资源与社会保障局", "organ-name", "人力资源和社会保障局"),
        ("党的二十大三中全会", "organ-name", "二十届三中全会"),
        ("国家教育部发布", "organ-name", "教育部"),
        ("台湾政府", "region-wording", "台湾当局"),
        ("美国、日本和台湾等国家", "region-wording", ""),
        ("国内及港澳台地区", "region-wording", ""),
        ("大陆与香港", "region-wording", "内地与香港"),
        ("维族群众", "region-wording", "维吾尔族"),
        ("残废人", "respectful-wording", "残疾人"),
        ("截止目前", "typo", "截至目前"),
        ("工作布署", "typo", "工作部署"),
        ("如火如茶", "typo", "如火如荼"),
        ("关于关于", "typo", "关于"),
    ],
)
def test_wording_that_offices_fear(text: str, rule: str, right: str) -> None:
    hits = [f for f in screen(text) if f.rule == rule]
    assert hits
    assert hits[0].suggestion in ("", right, right.removeprefix("工作"))


@pytest.mark.parametrize(
    "text",
    [
        "美国、日本、韩国等国家和台湾地区",
        "台湾同胞和港澳居民",
        "香港特别行政区政府",
        "国家教育部门",
        "自己在、通知已、甚至使用",
        "中华全国妇女联合会",
        "哈萨克族、朝鲜族",
        "以预防犯罪为目的的活动",
        "习近平新时代中国特色社会主义思想",
        "党的二十届三中全会",
    ],
)
def test_wording_that_is_right(text: str) -> None:
    assert found(text) == []


# ---------------------------------------------------------------- links, topics, pictures


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("http://t.cn/A6xyz", "short-link"),
        ("https://bit.ly/3xyz", "short-link"),
        ("t.cn/A6xyz", "short-link"),
        ("https://dwz.cn/abc?x=1", "short-link"),
        ("http://10.1.2.3/notice", "private-link"),
        ("http://192.168.1.5:8080/a", "private-link"),
        ("192.168.1.5/a", "private-link"),
        ("http://localhost:8000/a", "private-link"),
        ("http://oa.yunlan.local/a", "private-link"),
        ("http://intranet/a", "private-link"),
        ("file://server/a.doc", "private-link"),
        ("\\\\server\\share\\a.doc", "private-link"),
    ],
)
def test_links_that_hide_or_lead_inside(link: str, rule: str) -> None:
    assert found(f"详见 {link} 。") == [(rule, WARN, link)]


@pytest.mark.parametrize(
    "text",
    ["https://www.gov.cn/t.cn/a", "zhang@t.cn", "版本10.1.2.3", "https://8.8.8.8/", "3.5/10"],
)
def test_links_that_are_in_order(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("rest", ["公告/1.htm", "list?title=公告&id=3", "a/文件.pdf", "公告?id=3"])
def test_an_address_that_a_platform_would_cut_is_told_with_what_to_write(rest: str) -> None:
    link = f"https://www.example.gov.cn/{rest}"
    assert found(f"详见{link} 。") == [("cut-link", WARN, link)]
    [one] = screen(f"详见{link} 。")
    assert one.suggestion.isascii()
    assert unquote(one.suggestion) == link
    assert found(f"详见 {one.suggestion} 。") == []


@pytest.mark.parametrize(
    "rest", ["查询", "，电话12345", "查询，电话12345", "查询？电话", "1.htm。"]
)
def test_words_that_only_follow_an_address_are_left_alone(rest: str) -> None:
    assert found(f"登录https://www.example.gov.cn/{rest}") == []


def test_topics_are_written_as_the_platform_takes_them() -> None:
    assert found("#云澜发布 停水", WEIBO) == [("topic", WARN, "#云澜发布")]
    assert found("#云澜发布# 停水", WEIBO) == []
    assert found("#云澜发布# 停水", TAGS) == [("topic", WARN, "#云澜发布#")]
    assert found("#云澜发布 停水 https://a.gov.cn/#top#x", TAGS) == []
    assert found("3#楼、#1机组", WEIBO) == []


def test_pictures_need_words_and_maps_their_number() -> None:
    picture = Media("a", "image/png", 1, 1, 1)
    map_ = Media("b", "image/png", 1, 1, 1, "云澜县行政区划图")
    able = Capabilities(alt_text=True)
    assert found("停水", Context(capabilities=able, media=[picture])) == [("missing-alt", WARN, "")]
    assert found("停水", Context(media=[picture])) == []
    assert found("停水", Context(capabilities=able, media=[map_])) == [("map-approval", WARN, "")]
    assert found("停水，审图号：苏S（2026）8号", Context(media=[map_])) == []
    assert [h[0] for h in found("附：云澜县旅游地图")] == ["map-approval"]
    assert found("加强地图管理，编制产业地图。") == []


# ---------------------------------------------------------------- what was said before


def test_what_the_account_has_said_before() -> None:
    text = "云澜县水务局通告：因管网检修，东街、西街11月26日8时至18时停水，请提前储水。"
    said = Context(earlier=("无关的内容", text + " https://a.gov.cn/1"))
    assert [(f.rule, f.severity) for f in screen(text, context=said)] == [("repeated-post", WARN)]
    like = text.replace("26日", "27日")
    assert [(f.rule, f.severity) for f in screen(like, context=said)] == [("repeated-post", NOTE)]
    assert screen("云澜县卫生健康局关于冬季流感防治的提示，请广大市民注意。", context=said) == []


@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("内部明电\n关于", "internal-mark", BLOCK),
        ("供领导参阅，请勿外传", "internal-mark", BLOCK),
        ("会后收回\n一、", "internal-mark", BLOCK),
        ("全文（依申请公开）", "not-public", WARN),
        ("【机密】关于", "secrecy-mark", WARN),
        ("星期一（11月24日）", "weekday", WARN),
        ("11/24（周一）", "weekday", WARN),
        ("24日（星期一）", "weekday", WARN),
        ("11月24日9:00（周一）", "weekday", WARN),
        ("截止10月底已完成九成", "typo", WARN),
        ("国办发 [2018] 123 号", "document-number", WARN),
        ("现住东风小区6-2-301", "address", WARN),
    ],
)
def test_rarer_forms(text: str, rule: str, severity: Severity) -> None:
    assert [h[:2] for h in found(text)] == [(rule, severity)]


@pytest.mark.parametrize(
    "text", ["每年九十月份", "24日（星期二）", "报名截止10月底", "11.24%（周）"]
)
def test_what_only_looks_like_rarer_forms(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    ["不合格" + "3" * 20_000, "共拾" + "佰" * 20_000, "a." * 10_000 + "@qq", "满意占3%，" * 4_000],
    ids=["digits", "capitals", "address", "shares"],
)
def test_a_text_made_to_be_slow_is_screened_in_a_moment(text: str) -> None:
    begun = time.process_time()
    screen(text)
    assert time.process_time() - begun < 2
