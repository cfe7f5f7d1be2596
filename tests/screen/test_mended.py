"""What fresh cases taught: numbers in pieces, names and sums of their time, and what is left alone."""

from __future__ import annotations

from datetime import date

import pytest

from bot.model import Severity
from bot.screen import Context, screen

READ = Context(on=date(2026, 11, 24))
ALONE = {"unpaired"}


def told(text: str) -> set[str]:
    hits = screen(text, context=READ)
    assert all(text[hit.start : hit.end] == hit.text for hit in hits)
    return {hit.rule for hit in hits if hit.severity is not Severity.NOTE} - ALONE


# ---------------------------------------------------------------- numbers in pieces


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("mobile", "负责人周某1 3 8 1 2 3 4 5 6 7 8，请联系"),
        ("mobile", "需送水请打1381\n2345678，我们尽快安排。"),
        ("mobile", "手机号１３８\n１２３４\n５６７８"),
        ("identity-number", "证件 110105\t19491231\t002X，"),
        ("identity-number", "证件 110105 - 19491231 - 002X，"),
        ("bank-card", "卡号6222021234\n567890128，"),
        ("travel-document", "護照號碼EB 1234 567"),
        ("travel-document", "Passport No. E 1 2 3 4 5 6 7 8"),
        ("travel-document", "回乡证持有人陈某，证号H1234567800"),
        ("plate", "车牌赣F\n6N285，"),
        ("plate", "請粵B3T91港車主挪車"),
        ("address", "姓名\t住址\n俞某\t石桥村8组23号\n"),
        ("address", "家庭地址：人民路 210 号 后门 3 单元 101 户"),
    ],
)
def test_a_number_is_seen_however_it_is_broken(rule: str, text: str) -> None:
    if rule == "bank-card":
        text = text.replace("567890128", _luhn("6222021234", "56789012"))
    assert rule in told(text)


def _luhn(head: str, body: str) -> str:
    """`body` with its check digit, so that no real card stands here."""
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in (head + body)[::-2])
    return body + str(-(doubled + sum(int(d) for d in (head + body)[-2::-2])) % 10)


@pytest.mark.parametrize(
    "text",
    [
        "年份\t1350\n20260101\t12",
        "一组数字：1 2 3 4 5 6 7 8 9 10 11 12 13",
        "全国共有1385\n1998004个。",
        "护照工本费120元，咨询电话：0551-12345678",
        "听证会在政务服务中心举行，地址文昌路66号，可乘公交。",
        "企业名称\t法定代表人姓名\t地址\n甲公司\t张三\t文昌路66号",
        "公务员应当保守国家秘密和工作秘密，不得泄露。",
        "区人社局公告（2026年第5号）",
        "（仅限本人使用）",
        "因公出国和赴港澳管理；国际及港澳台航线恢复。",
    ],
)
def test_what_is_whole_by_itself_is_left_alone(text: str) -> None:
    assert told(text) == set()


@pytest.mark.parametrize("line", ["内部通报", "供领导参阅", "用后归还", "涉密文件"])
def test_a_heading_that_may_be_a_mark_does_not_block(line: str) -> None:
    assert Severity.BLOCK not in {f.severity for f in screen(f"{line}\n正文。", context=READ)}


# ---------------------------------------------------------------- organs of their time


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("环境保护部今天通报督察情况。", True),
        ("原环境保护部通报督察情况。", False),
        ("根据《环境保护部关于废气的通知》办理。", False),
        ("按环境保护部令第39号执行。", False),
        ("2015年，环境保护部通报督察情况。", False),
        ("2018年环境保护部撤销，组建生态环境部。", False),
        ("市农业部门下乡指导。", False),
    ],
)
def test_a_former_organ_is_told_where_today_s_is_meant(text: str, is_told: bool) -> None:
    assert ("organ-name" in told(text)) is is_told


def test_before_its_end_an_organ_is_right() -> None:
    then = Context(on=date(2017, 1, 5))
    assert screen("环境保护部今天通报督察情况。", context=then) == []


# ---------------------------------------------------------------- sums of a sentence


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (
            "共办理350件，其中A类180件、B类120件、C类90件。",
            "390件，其中A类180件、B类120件、C类90件",
        ),
        ("来了A类180件、B类120件，合计310件。", "来了A类180件、B类120件，合计300件"),
        ("共350人，其中男180人、女160人。", "340人，其中男180人、女160人"),
    ],
)
def test_parts_that_do_not_make_up_the_whole_are_told(text: str, right: str) -> None:
    (hit,) = [f for f in screen(text, context=READ) if f.rule == "sum"]
    assert hit.suggestion == right


@pytest.mark.parametrize(
    "text",
    [
        "共350件，其中A类180件、B类120件、其他50件。",
        "共350人，其中党员180人、本科300人。",
        "约350件，其中A类180件、B类190件。",
        "共350件，其中A类18户、B类900人。",
    ],
)
def test_parts_that_overlap_or_are_not_all_are_left_alone(text: str) -> None:
    assert "sum" not in told(text)
