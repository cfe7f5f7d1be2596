"""Long numbers of people: identity number, mobile, bank card.

A number already masked (320102********1234) is not one run of figures, so no rule here sees it; nor
do service numbers (12345, 110, 400, 95598) and landlines, which offices publish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

_GAP = r"[ \t\-‐-—－_·]"  # what people put inside long numbers
# Where a line ends within one: only what a check digit, or a prefix and a length, proves.
_BREAK = rf"(?:{_GAP}{{0,3}}|[.．]|[ \t]?\n[ \t]?)"
# Every rule below looks only inside such runs: most texts hold none, and this one pattern says so.
_RUN = late(r"[0-9][0-9Xx. \t\-‐-—－_·．\n]{10,}")


def _found(
    pattern: re.Pattern[str], text: str, run: re.Match[str]
) -> Iterator[tuple[int, int, str]]:
    """What group 1 of `pattern` finds in a long number of `text`: start, end, its figures."""
    for match in pattern.finditer(text, run.start(), run.end()):
        yield *match.span(1), re.sub("[^0-9X]", "", match[1].upper())


def check(text: str, context: Context) -> Iterator[Hit]:
    """identity-number, mobile and bank-card: a place is told once, as the first of them."""
    for said in _MOBILE_SPOKEN.finditer(text) if "一" in text else ():
        yield _mobile(*said.span(), said[0])
    for run in _RUN.finditer(text):
        figures = sum(map(str.isdigit, run[0]))
        taken: list[tuple[int, int]] = []
        for least, rule in ((15, _identity_numbers), (11, _mobiles), (15, _bank_cards)):
            for hit in rule(text, run) if figures >= least else ():
                if not any(start < hit.end and hit.start < end for start, end in taken):
                    taken.append((hit.start, hit.end))
                    yield hit


# ---------------------------------------------------------------- identity-number

# GB 11643-1999. A lookahead, because a wrong start must not swallow the right one.
_IDENTITY = late(rf"(?<![0-9])(?=((?:[0-9]{_BREAK}){{17}}[0-9Xx])(?![0-9]))")
# Without a check digit to prove it, only as it is written: in one piece, or parted at the birth date.
_IDENTITY_PLAIN = late(
    f"(?<![0-9])(?<![0-9][.．])(?=([0-9]{{6}}{_GAP}?"
    f"(?:[0-9]{{6}}{_GAP}?[0-9]{{3}}|[0-9]{{8}}{_GAP}?[0-9]{{3}}[0-9Xx]))(?![0-9]))"
)
_PROVINCE = late("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_IDENTITY_SAID = Say("疑似公民身份号码，不得公开。请删去，或按建议遮盖").text
_IDENTITY_DOUBTED = Say("形似公民身份号码，但校验码不符。请核对；确是号码的，不得公开").text


def _identity_numbers(text: str, run: re.Match[str]) -> Iterator[Hit]:
    """Identity numbers: 18 digits that check, or the old 15 (block); 18 that do not check (warn)."""
    proven = set()
    for start, end, number in _found(_IDENTITY, text, run):
        if _born(number) and _checks(number) and not _column(text[start:end]):
            proven.add(start)
            severity = Severity.WARN if _of_a_thing(text, start) else Severity.BLOCK
            yield _identity(severity, start, end, _IDENTITY_SAID, number)
    for start, end, number in _found(_IDENTITY_PLAIN, text, run):
        if start in proven or not _born(number) or _is_credit_code(number):
            continue
        if _of_a_thing(text, start):
            continue
        if len(number) == 15:
            yield _identity(Severity.BLOCK, start, end, _IDENTITY_SAID, number)
        else:
            yield _identity(Severity.WARN, start, end, _IDENTITY_DOUBTED, number)


# What numbers things: an order, a case, a licence. A word for a person's number beside it wins.
_THING = late(
    r"(?:编[号码]|单[号据]|工单|订单|项目|标[号段]|招标|投标|采购|合同|代码|[条编]码|流水|批[号次]|许可|证书|执照|受理|备案|办件|事项|登记号|注册号"
    r"|案号|文号|档[号案]|凭证|回执|票[号据]|发票|序列号|设备|资产|运单|快递|物流|包裹|缴[费款]|业务|任务|流程|地块|宗地|房源|产品|商品|货号|追溯|标识码"
    r"|单元号|图号|书号|试卷|样品|报告|批准|准考|文件号|卷宗|信访件|诉求|热线)[\u4e00-\u9fffA-Za-z]{0,6}(?:号码?)?[（(]?[：:为是#\- 　“]*$"
)
_PERSONS = late(r"身份|公民|姓名|证件|本人|[某先][某生，,]|女士|户主|申请人|当事人|考生|ID")


def _of_a_thing(text: str, start: int) -> bool:
    before = text[max(0, start - 16) : start]
    return bool(_THING.search(before)) and not _PERSONS.search(before)


def _column(written: str) -> bool:
    """Are they many figures one under or beside another: a table's, or a list's?"""
    return written.count("\n") > 2 or written.count("\t") > 3


def _identity(severity: Severity, start: int, end: int, message: str, number: str) -> Hit:
    tail = -4 if len(number) == 18 else -3
    masked = number[:6] + "*" * (len(number) - 6 + tail) + number[tail:]
    return Hit("identity-number", severity, start, end, message, masked)


def _born(number: str) -> bool:
    """Does it begin with a province, or a foreigner's 9 (GA/T 1012), and then a date of birth?"""
    birth = number[6:14] if len(number) == 18 else "19" + number[6:12]
    foreign = number[0] == "9" and len(number) == 18 and not _is_credit_code(number)
    if not (foreign or _PROVINCE.match(number)) or not "1900" <= birth[:4] < "2100":
        return False
    try:
        date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
    except ValueError:
        return False
    return True


_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _checks(number: str) -> bool:
    total = sum(int(d) * w for d, w in zip(number, _WEIGHTS, strict=False))
    return number[17] == "10X98765432"[total % 11]


_CODE = {c: i for i, c in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}


def _is_credit_code(number: str) -> bool:
    """Is it a 统一社会信用代码 (GB 32100-2015, check modulo 31)? Those are public."""
    if len(number) != 18 or not _CODE.keys() >= set(number):
        return False
    total = sum(_CODE[c] * pow(3, i, 31) for i, c in enumerate(number[:17]))
    return _CODE[number[17]] == -total % 31


# ---------------------------------------------------------------- mobile

_APART = rf"(?:{_GAP}| ?[\-‐-—－·] ?)?"
# An amount of 11 figures (150亿元 written out) is not one, nor a part of a longer number.
_MOBILE = late(
    rf"(?<![0-9])(?<![0-9][.])(?:(?:00)?86{_GAP}{{0,2}}|0)?"
    rf"(1[3-9][0-9](?:{_APART}[0-9]{{4}}{_APART}|[.．][0-9]{{4}}[.．])[0-9]{{4}}"
    r"|1 [3-9](?: [0-9]){9}(?! [0-9])|1[3-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{4})(?!-?[0-9])"
)
# Grouped otherwise, the figures of a table would be taken for one: only after a word that says so.
_MOBILE_GROUPED = late(
    rf"(?<![0-9])(?:(?:00)?86{_GAP}{{0,2}})?(1(?:{_GAP}?[0-9]){{10}})(?!{_GAP}?[0-9])"
)
# Split by a line's end, or written out in words.
_MOBILE_BROKEN = late(
    r"(?<![0-9.])(1(?=[0-9 \t-]*\n)(?:(?:[ \t-]|[ \t]?\n[ \t]?)?[0-9]){10})(?![ \t]?[0-9])"
)
# The words go on before and after what a line's end has cut: neither half is a figure by itself.
_GOES_ON = late("[，,。；;、！!）)\u4e00-\u9fff]|$")
_MOBILE_SPOKEN = late("一[三-九][〇○零一二三四五六七八九]{9}(?![〇○零一二三四五六七八九])")
_CALLED = late(r"(?:手机|电话|热线|联系方式|联系人|联系|微信|致电|拨打|号码)[^。；\n]{0,8}$")
_MOBILE_SAID = Say("疑似手机号码。公务联系请用固定电话，确需公开的请核对").text


def _mobiles(text: str, run: re.Match[str]) -> Iterator[Hit]:
    """Mainland mobile numbers, +86 or not, grouped or not."""
    for start, end, number in _found(_MOBILE, text, run):
        if text[end : end + 1] != "元" and not _orders(text, start):
            yield _mobile(start, end, number)
    for start, end, number in _found(_MOBILE_GROUPED, text, run):
        if number[1] > "2" and _CALLED.search(text, max(0, run.start() - 16), start):
            yield _mobile(start, end, number)
    for start, end, number in _found(_MOBILE_BROKEN, text, run) if "\n" in run[0] else ():
        if number[1] > "2" and (
            _CALLED.search(text, max(0, start - 16), start) or _cut_short(text, start, end)
        ):
            yield _mobile(start, end, number)


def _cut_short(text: str, start: int, end: int) -> bool:
    before = text[start - 1 : start] if start else ""
    within = re.fullmatch("[\u4e00-\u9fff：:（(]", before) and "年" not in text[end : end + 1]
    once = text.count("\n", start, end) == 1
    return bool(within and once and _GOES_ON.match(text, end) and not _COUNTED.match(text, end))


_COUNTED = late("[万亿元人件个项户吨亩次家名台份条起处年月日时号]")
_ORDER = late(
    r"(?:编号|单号|订单|工单|流水|条码|批号|许可证|证书|文号|序列号|考号|学号|QQ|qq)[号码]?[：:为是 ]{0,2}$"
)


def _orders(text: str, start: int) -> bool:
    return bool(_ORDER.search(text, max(0, start - 10), start))


def _mobile(start: int, end: int, number: str) -> Hit:
    masked = f"{number[:3]}****{number[7:]}"
    return Hit("mobile", Severity.WARN, start, end, _MOBILE_SAID, masked)


# ---------------------------------------------------------------- bank-card

_CARD = late(
    f"(?<![0-9])(?<![0-9][.-])(?=([0-9](?:(?:{_GAP}|[.．]|[ \t]?\n[ \t]?)?[0-9]){{14,18}})(?!-?[0-9]))"
)
# Prefix and length as issued in China (GB/T 14694; UnionPay's 62, the banks' older own).
_ISSUED_AS = (
    r"62\d{14,17}|60\d{17}|4\d{15}|5[1-5]\d{14}|35\d{14}|3[47]\d{13}|9558\d{15}|95599\d{14}"
)
_ISSUED = late(_ISSUED_AS)
_CUED = late(_ISSUED_AS + r"|[4-69]\d{15,18}")  # the banks' older own, of other lengths
_CARD_CUE = late(r"(?:卡|账号|帐号|账户|帐户|存折|收款|打款|转账|汇款)[^。；\n]{0,16}$")
_CARD_SAID = Say("疑似个人银行卡号，不得公开。请删去，或按建议遮盖").text


def _bank_cards(text: str, run: re.Match[str]) -> Iterator[Hit]:
    """Card numbers whose Luhn digit is right: block after a word for a card, else warn if 62."""
    for start, end, number in _found(_CARD, text, run):
        cued = _CARD_CUE.search(text, max(0, start - 24), start)
        issued = _ISSUED if not cued else _CUED
        if not (issued.fullmatch(number) and _luhn(number)):
            continue
        if cued or (number.startswith("62") and not _of_a_thing(text, start)):
            broken = _column(text[start:end])
            severity = Severity.BLOCK if cued and not broken else Severity.WARN
            masked = "*" * (len(number) - 4) + number[-4:]
            yield Hit("bank-card", severity, start, end, _CARD_SAID, masked)


def _luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in number[-2::-2])
    return (doubled + sum(int(d) for d in number[::-2])) % 10 == 0
