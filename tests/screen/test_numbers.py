"""Long numbers of people, the limit, and the whole of a screening."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import speaking
from bot.model import Capabilities, Finding, Severity, Unit
from bot.screen import RULES, Context, Rules
from bot.screen import screen as whole

NUMBERED = ("identity-number", "mobile", "bank-card", "over-limit")
ALONE = Rules(
    {rule: None for rule in RULES if rule not in NUMBERED}
)  # brackets in a test are no fault
EXAMPLE = "11010519491231002X"  # GB 11643-1999's own


def screen(
    text: str,
    *,
    rules: Rules = ALONE,
    context: Context = Context(),  # noqa: B008 - frozen
) -> list[Finding]:
    return whole(text, rules=rules, context=context)


def only(text: str) -> Finding:
    (finding,) = screen(text)
    assert text[finding.start : finding.end] == finding.text
    return finding


def blocks(text: str) -> list[Finding]:
    return [f for f in screen(text) if f.severity is Severity.BLOCK]


# ---------------------------------------------------------------- identity numbers


@pytest.mark.parametrize(
    "written",
    [
        EXAMPLE,
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105 19491231 002X",
        "110105-19491231-002X",
        "110105　19491231　002X",
        "1101 0519 4912 3100 2X",
        "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X",
        "110105－19491231—002Ⅹ",
        "110105\u200b19491231002X",
    ],
)
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("身份证号：", "，住址"), ("张三", "李四"), ("(", ")")]
)
def test_an_identity_number_is_blocked_however_it_is_written(
    written: str, before: str, after: str
) -> None:
    finding = only(before + written + after)
    assert finding.rule == "identity-number"
    assert finding.severity is Severity.BLOCK
    assert (finding.start, finding.text) == (len(before), written)
    assert finding.suggestion == "110105********002X"


@pytest.mark.parametrize(
    "written", ["110105491231002", "110105 491231 002", "１１０１０５４９１２３１００２"]
)
def test_the_old_form_is_blocked(written: str) -> None:
    finding = only(f"号码{written}。")
    assert finding.severity is Severity.BLOCK
    assert finding.suggestion == "110105******002"


@pytest.mark.parametrize("area", ["71", "81", "82", "83"])
def test_residence_permits_of_taiwan_hong_kong_and_macao(area: str) -> None:
    assert only(with_check(f"{area}000019900101001")).severity is Severity.BLOCK


def test_two_in_a_row_are_two() -> None:
    found = screen(f"{EXAMPLE} {EXAMPLE}、{EXAMPLE}")
    assert [f.start for f in found] == [0, 19, 38]


def test_a_number_before_it_does_not_hide_it() -> None:
    finding = only(f"12345678 {EXAMPLE[:10]} {EXAMPLE[10:]}")
    assert finding.start == 9


def test_a_wrong_check_digit_is_a_doubt() -> None:
    finding = only("110105194912310021")
    assert finding.severity is Severity.WARN
    assert "校验码不符" in finding.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("110105********002X", "masked"),
        ("1****************X", "masked"),
        ("1101051949****002X", "masked"),
        ("110105194913310022", "no 13th month"),
        ("110105194902300022", "no 30 February"),
        ("110105294912310022", "not born yet"),
        ("180105194912310022", "no province 18"),
        ("110105491331002", "no 13th month, old form"),
        ("9110105194912310021", "19 digits"),
        ("110105194912310021110105", "24 digits"),
        ("20190918110105194912", "20 digits"),
        ("1101051949123100", "16 digits"),
        ("914403001922038216", "a credit code of digits only"),
        ("91330100799655058B", "a credit code"),
        ("9144030071526726XG", "a credit code with an X"),
        ("000014349/2018-00222", "索引号"),
        ("6222021234567890123", "a bank card"),
        ("二〇二六年九月二十二日", "Chinese figures"),
        ("2026-09-22 09:45:00 2026-09-23 10:00:00", "times"),
        ("2019 2020 2021 2022 2023 2024 2025 2026", "years of a table"),
    ],
)
def test_what_is_no_identity_number(text: str, why: str) -> None:
    assert screen(f"内容{text}，") == [], why


@pytest.mark.parametrize("code", ["12110105194912316A", "12110120001231121Q"])
def test_a_number_with_letters_is_none(code: str) -> None:
    assert screen(code) == []


def test_a_credit_code_that_begins_like_an_identity_number() -> None:
    # a public institution (12) of a county whose code ends in 19: a province and a date, but no
    # identity number's check digit
    code = with_credit_check("12330119890101008")
    assert code.isdigit()
    assert screen(code) == []
    assert only(code[:-1] + str((int(code[-1]) + 1) % 10)).severity is Severity.WARN


def with_check(seventeen: str) -> str:
    """GB 11643's check digit by its defining congruence: Σ aᵢ·2^(18-i) ≡ 1 (mod 11)."""
    total = sum(int(d) * 2 ** (17 - i) for i, d in enumerate(seventeen))
    (check,) = [c for c in range(11) if (total + c) % 11 == 1]
    return seventeen + "0123456789X"[check]


def with_credit_check(seventeen: str) -> str:
    """GB 32100's, by its defining congruence: Σ cᵢ·3^(i-1) ≡ 0 (mod 31)."""
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(signs.index(c) * 3**i for i, c in enumerate(seventeen))
    (check,) = [c for i, c in enumerate(signs) if (total + i) % 31 == 0]
    return seventeen + check


def test_the_tests_own_check_digits() -> None:
    assert with_check(EXAMPLE[:17]) == EXAMPLE
    assert with_credit_check("91440300192203821") == "914403001922038216"
    assert with_credit_check("91330100799655058") == "91330100799655058B"


PROVINCES = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47)]
PROVINCES += [*range(50, 55), *range(61, 66), 71, 81, 82, 83]
NUMBERS = st.builds(
    lambda area, place, born, serial: f"{area}{place:04}{born:%Y%m%d}{serial:03}",
    st.sampled_from(PROVINCES),
    st.integers(0, 9999),
    st.dates(date(1900, 1, 1), date(2030, 12, 31)),
    st.integers(0, 999),
)
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
GAPS = st.lists(st.sampled_from(["", "", "", " ", "-", "　", "－", "  "]), min_size=18, max_size=18)
AROUND = st.text(alphabet="政务公开，。：:（abX\n@#", max_size=12)


@given(NUMBERS, GAPS, st.booleans(), AROUND, AROUND)
def test_every_valid_number_is_found(
    number: str, gaps: list[str], wide: bool, before: str, after: str
) -> None:
    number = with_check(number)
    written = "".join(d + gap for d, gap in zip(number, gaps, strict=True)).rstrip(" -　－")
    written = written.translate(WIDE) if wide else written
    found = blocks(before + written + after)
    assert [(f.start, f.text) for f in found] == [(len(before), written)]
    assert found[0].suggestion == f"{number[:6]}********{number[14:]}"


@given(NUMBERS.map(lambda n: n[:6] + n[8:]), st.sampled_from(["", " ", "-"]), AROUND, AROUND)
def test_every_old_number_is_found(number: str, gap: str, before: str, after: str) -> None:
    try:
        date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    except ValueError:  # 29 February of another century
        return
    written = gap.join([number[:6], number[6:12], number[12:]])
    assert [f.text for f in blocks(before + written + after)] == [written]


@given(NUMBERS, st.integers(1, 10), st.sampled_from(["", " ", "-"]), AROUND, AROUND)
def test_a_wrong_check_digit_never_blocks(
    number: str, shift: int, gap: str, before: str, after: str
) -> None:
    right = with_check(number)
    wrong = "0123456789X"[("0123456789X".index(right[17]) + shift) % 11]
    written = gap.join([number[:6], number[6:14], number[14:] + wrong])
    assert blocks(before + written + after) == []


@given(
    st.text(alphabet="9123YN", min_size=1, max_size=1),
    st.text(alphabet="0123456789", min_size=16, max_size=16),
)
def test_no_credit_code_is_blocked(first: str, rest: str) -> None:
    assert blocks(f"统一社会信用代码9{with_credit_check(first + rest)[1:]}") == []


# ---------------------------------------------------------------- mobiles


@pytest.mark.parametrize(
    "written",
    [
        "13812341234",
        "138 1234 1234",
        "138-1234-1234",
        "138－1234－1234",
        "１３８１２３４１２３４",
        "138 12341234",
        "1381234 1234",
    ],
)
@pytest.mark.parametrize(
    "before", ["", "+86", "+86 ", "86-", "0086", "＋８６", "手机", "电话：", "(", "张三 "]
)
@pytest.mark.parametrize("after", ["", "。", "（微信同号）", " 李四", "转"])
def test_a_mobile_number_is_warned_of(before: str, written: str, after: str) -> None:
    finding = only(before + written + after)
    assert (finding.rule, finding.severity) == ("mobile", Severity.WARN)
    assert (finding.start, finding.text) == (len(before), written)
    assert finding.suggestion == "138****1234"


def test_mobiles_in_a_row() -> None:
    assert len(screen("13812341234 15912341234、18612341234/17712341234")) == 4


@pytest.mark.parametrize(
    "text",
    [
        "138****1234",
        "138 **** 1234",
        "12345",
        "12345678901",
        "010-12345678",
        "0755-83132145",
        "0755-83132145转8001",
        "075583132145",
        "（0551）62601234",
        "400-812-3456",
        "4008123456",
        "800-810-1234",
        "95598",
        "1381234123",
        "138123412345",
        "9138123412349",
        "138-1234-1234-5",
        "13812341234-5678901",
        "总投资15000000000元",
        "3.13812341234",
        "https://a.gov.cn/post_12735605.html",
        "粤府〔2019〕138号",
        "1380年1234人1234次",
    ],
)
def test_what_is_no_mobile_number(text: str) -> None:
    assert screen(text) == []


# ---------------------------------------------------------------- over the limit

WEIBO = Capabilities(text_limit=140, unit=Unit.WEIBO)


def test_a_text_over_the_limit_is_blocked_from_where_it_overflows() -> None:
    (finding,) = screen("政" * 143, context=Context(capabilities=WEIBO))
    assert (finding.rule, finding.severity) == ("over-limit", Severity.BLOCK)
    assert (finding.start, finding.end, finding.text) == (140, 143, "政政政")


def test_a_text_within_the_limit_is_not() -> None:
    assert screen("政" * 140, context=Context(capabilities=WEIBO)) == []
    assert screen("政" * 9999, context=Context(capabilities=Capabilities(unit=Unit.NONE))) == []


def test_without_capabilities_no_limit_is_asked() -> None:
    assert screen("政" * 9999) == []


def test_the_byte_limit_counts_too() -> None:
    bluesky = Capabilities(text_limit=300, unit=Unit.GRAPHEMES, byte_limit=3000)
    (finding,) = screen("👨‍👩‍👧‍👦" * 121, context=Context(capabilities=bluesky))
    assert finding.rule == "over-limit"


# ---------------------------------------------------------------- the whole


def test_findings_come_in_the_order_of_the_text() -> None:
    text = f"13812341234，{EXAMPLE}，15912341234" + "政" * 140
    found = screen(text, context=Context(capabilities=WEIBO))
    assert [f.rule for f in found] == ["mobile", "identity-number", "mobile", "over-limit"]


def test_an_office_changes_severities_and_switches_rules_off() -> None:
    text = f"13812341234 {EXAMPLE}" + "政" * 140
    rules = Rules({"mobile": Severity.BLOCK, "identity-number": None, "over-limit": Severity.NOTE})
    found = screen(text, rules=rules, context=Context(capabilities=WEIBO))
    assert [(f.rule, f.severity) for f in found] == [
        ("mobile", Severity.BLOCK),
        ("over-limit", Severity.NOTE),
    ]
    assert (
        screen(
            text, rules=Rules({rule: None for rule in RULES}), context=Context(capabilities=WEIBO)
        )
        == []
    )


def test_the_rules_standing_sign_offs_rely_on_are_there() -> None:
    assert {"identity-number", "mobile", "over-limit"} <= set(RULES)


def test_a_stored_finding_is_in_chinese_whoever_screens() -> None:
    with speaking("en"):
        assert only(EXAMPLE).message.startswith("疑似公民身份号码")


@given(st.text(alphabet="0123456789Xx -　０９１政，元+", max_size=80))
def test_any_text_can_be_screened(text: str) -> None:
    for finding in screen(text):
        assert text[finding.start : finding.end] == finding.text
        assert finding.suggestion
        assert "*" in finding.suggestion
        assert not blocks(text.replace(finding.text, finding.suggestion)) or len(screen(text)) > 1
