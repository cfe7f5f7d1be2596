"""Figures of one sentence that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

from bot.language import Say
from bot.model import Severity
from bot.screen.base import FIGURE, Check, Context, Hit, late

_N = f"({FIGURE})"
_FIGURE = {c: i for i, c in enumerate("零一二三四五六七八九十")} | {"两": 2}


def _number(written: str) -> Decimal:
    return Decimal(written.replace(",", ""))


# ---------------------------------------------------------------- shares

_SHARE = rf"([\u4e00-\u9fffA-Za-z“”]{{1,12}}?)(?:的?(?:占比|占|为|比例为|比例))?{_N} ?[%％]"
_SHARES = late(rf"{_SHARE}(?:[、，,；;]{_SHARE}){{2,}}")
_ONE_SHARE = late(_SHARE)
_NO_SHARES = late(
    "多选|同比|环比|增|降|率|其中|率达|以上|至少|超|近|约|不低于|提高|利率|提升|完成|涨|跌"
)
_SHARES_SAID = Say("各部分合起来超过 100%。请核对").text
_RATIO_SAID = Say("各部分合起来不是 100%。请核对").text
MOST = 115  # parts of two kinds beside each other (by sex, by age) make far more


def shares(text: str, context: Context) -> Iterator[Hit]:
    """非常满意占62%，满意占31%，基本满意占8%，不满意占3%."""
    for match in _SHARES.finditer(text):
        parts = [_number(one[2]) for one in _ONE_SHARE.finditer(match[0])]
        slack = Decimal(len(parts)) / 2
        if not _NO_SHARES.search(match[0]) and 100 + slack < sum(parts) <= MOST:
            yield Hit("sum", Severity.WARN, *match.span(), _SHARES_SAID)


_RATIO = late(
    rf"(?:三次产业|结构|比重|占比|构成)[^。，；\n0-9]{{0,14}}{_N} ?[:：∶] ?{_N} ?[:：∶] ?{_N}(?![0-9:：])"
)
NEAR = 5  # what is farther from 100 is no ratio of shares


def ratio(text: str, context: Context) -> Iterator[Hit]:
    """三次产业比重为8.2:41.6:51.2."""
    for match in _RATIO.finditer(text):
        off = abs(sum(_figures(match, 1, 2, 3), Decimal(-100)))
        if Decimal("0.15") < off <= NEAR:
            yield Hit("sum", Severity.WARN, *match.span(), _RATIO_SAID)


# ---------------------------------------------------------------- what is listed

_COUNT = r"([二两三四五六七八九十]|[2-9])(?:大|个|项|条|点|类|种|方面|个方面|项重点)"
_ORDINALS = late(rf"{_COUNT}[^。；;：:\n0-9]{{0,12}}[：:，,]?(?=一是)")
_NAMED = late(
    rf"{_COUNT}(?:行动|措施|举措|任务|工程|工作|内容|要求|原则|制度|机制|活动|服务|议题|议案|事项|条例|法规|主题|板块|环节|领域|课程|奖项|专题)”?[：:]([^。：:；;\n]+)"
)
_REPEATED = late(
    r"([二两三四五六七八九十])个([\u4e00-\u9fff]{2})”?：((?:“?\2[\u4e00-\u9fff]{2,10}”?、?)+)"
)
_ITEM_SAID = Say("说的项数与列出的不符。请核对").text
_NTH = "一二三四五六七八九十"
SHORTEST = 4  # what is listed as an item; shorter words may be parts of one


def ordinals(text: str, context: Context) -> Iterator[Hit]:
    """三项措施：一是…，二是…。"""
    for match in _ORDINALS.finditer(text):
        paragraph = text[match.end() : text.find("\n", match.end()) % (len(text) + 1)]
        last = max(n for n in range(1, 11) if n == 1 or f"{_NTH[n - 1]}是" in paragraph)
        if last != _count(match[1]) and last > 1:
            yield Hit("sum", Severity.WARN, *match.span(), _ITEM_SAID)


def listed(text: str, context: Context) -> Iterator[Hit]:
    """“四项行动”：整治环境卫生、规范停车秩序、治理飞线充电."""
    for match in _REPEATED.finditer(text) if "个" in text else ():
        if match[3].count(match[2]) != _count(match[1]):
            yield Hit("sum", Severity.WARN, *match.span(), _ITEM_SAID)
    for match in _NAMED.finditer(text) if "、" in text else ():
        clause = match[2].split("，")[0]
        items = clause.split("、")
        whole = not re.search("等|一是|以及|及其", match[2])
        if whole and 1 < len(items) < _count(match[1]) and min(map(len, items)) >= SHORTEST:
            yield Hit("sum", Severity.WARN, *match.span(), _ITEM_SAID)


def _count(written: str) -> int:
    return int(written) if written.isdigit() else _FIGURE[written]


# ---------------------------------------------------------------- an amount written twice

_DIGITS = {c: i for i, c in enumerate("零壹贰叁肆伍陆柒捌玖")} | {"〇": 0, "两": 2, "参": 3}
_TENS = {"拾": 10, "佰": 100, "仟": 1000}
_CAPITALS = late(
    r"(?<![零壹贰叁肆伍陆柒捌玖拾佰仟万亿])([零壹贰叁肆伍陆柒捌玖拾佰仟万亿]{2,}+) ?(?:元|圆)(?:整|正|([零壹贰叁肆伍陆柒捌玖])角)?"
    rf"[整正]?[）)]?[^。\n0-9]{{0,8}}?[¥￥]?{_N} ?(万?)元?"
    rf"|[¥￥]{_N} ?(万?)元?[^。\n0-9]{{0,10}}?([零壹贰叁肆伍陆柒捌玖拾佰仟万亿]{{2,}}) ?(?:元|圆)(?:整|正|$|[）)。，,])"
)
_TWICE_SAID = Say("大写与小写的金额不符。请核对").text


def amounts(text: str, context: Context) -> Iterator[Hit]:
    """人民币叁拾捌万伍仟元整（¥358000.00）."""
    for match in _CAPITALS.finditer(text):
        words, tenth = match[1] or match[7], match[2]
        figures = _number(match[3] or match[5]) * (10000 if match[4] or match[6] else 1)
        if not tenth and int(figures) != _of_capitals(words):
            yield Hit("sum", Severity.WARN, *match.span(), _TWICE_SAID)


def _of_capitals(words: str) -> int:
    """叁拾捌万伍仟 → 385000."""
    total = section = digit = 0
    for character in words:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _TENS:
            section, digit = section + (digit or 1) * _TENS[character], 0
        else:
            times = 10**4 if character == "万" else 10**8
            total, section, digit = (total + section + digit) * times, 0, 0
    return total + section + digit


# ---------------------------------------------------------------- parts and wholes

_UNIT = "批次|人次|元|人|件|个|项|户|吨|亩|公里|平方米|米|次|家|所|名|例|台|辆|份|条|起|处|宗|批|座|场|间|张|棵|栋|票|村"
_BETWEEN = r"[^。；;\n0-9]{0,14}?"
# Both halves of a whole, said one after the other.
_HALVES = late(
    rf"{_N} ?(万?(?:{_UNIT}))(?![余多以])，?{_BETWEEN}"
    rf"(合格|同意|赞成|通过|已[\u4e00-\u9fff]{{1,4}}){_N} ?\2，{_BETWEEN}"
    rf"(不合格|不同意|反对|未通过|仍有|尚有|还有|剩余){_N} ?\2"
)
_RISE = late(
    rf"由{_BETWEEN}(?:[0-9]{{4}}年[^。；;，\n0-9]{{0,6}})?{_N} ?(万?亿?(?:{_UNIT}|个百分点|%))[^。；;\n0-9]{{0,8}}?(增|减|降|提|升|扩|下|上|缩|调)"
    rf"[\u4e00-\u9fff]{{0,3}}?[至到为](?:[0-9]{{4}}年[^。；;，\n0-9]{{0,6}})?[^。；;，\n0-9]{{0,4}}{_N} ?\2，(?:净增|净减|增加|减少|增长|提高|降低|上升|下降)了?{_N} ?\2"
)
_ALREADY = late(
    rf"共有?{_N} ?((?:个|家|所|座|户|名|条)[\u4e00-\u9fff]{{1,4}}?)，[^。；;\n0-9]{{0,6}}?(?:已有|其中有?|现已有){_N} ?\2(?=[\u4e00-\u9fff])"
)
_CUT = late(
    rf"(?:送审|申报|概算|预算|原价|控制价)[^。；;\n0-9]{{0,8}}?{_N} ?(万?亿?元)，(?:审定|核定|实际|成交|中标)[^。；;，\n0-9]{{0,8}}?{_N} ?\2，(?:核减|审减|节约|节省|下浮)[^。；;，\n0-9]{{0,4}}?{_N} ?\2"
)
_TURNED = late(
    rf"(?:由|从){_BETWEEN}(?:[0-9]{{4}}年[^。；;，\n0-9]{{0,6}})?{_N} ?(万?亿?(?:{_UNIT}|个百分点|%))(增|升|提|扩|减|降|缩|压)[\u4e00-\u9fff]{{0,3}}?[到至为]{_BETWEEN}{_N} ?\2"
)
_OWED = late(rf"应([\u4e00-\u9fff]{{2,4}}){_N} ?(万?(?:{_UNIT}))，[^。；;\n0-9]{{0,4}}已\1{_N} ?\3")
_RATE = late(
    rf"{_N} ?((?:{_UNIT}))[^。；;\n0-9]{{0,6}}，?(合格|完成|达标|办结|满意){_N} ?\2[^。；;%％\n]{{0,20}}?\3率(?:为|达)?{_N} ?[%％]"
)
_LEFT = late(
    rf"(?:计划|共有?|总计)[^。；;\n0-9]{{0,8}}{_N} ?({_UNIT}|部)，(?:已|完成)[^。；;，\n0-9]{{0,6}}{_N} ?\2，(?:在建|正在[\u4e00-\u9fff]{{2}}){_N} ?\2，(?:尚余|剩余|还剩|其余)[^。；;，\n0-9]{{0,2}}{_N} ?\2"
)
_AGAINST = late(
    rf"{_N} ?(天|万?(?:{_UNIT}))[^。；;\n0-9]{{0,4}}，[较比][^。；;\n0-9]{{0,10}}?(?:[0-9]{{4}}年)?[^。；;\n0-9]{{0,4}}?的{_N} ?\2(增|减|提|下|上)"
)
_SPENT = late(
    rf"总投资(?:额|约)?{_N} ?([万亿]元)，[^。；;\n0-9]{{0,12}}(?:[0-9]{{4}}年)?[^。；;\n0-9]{{0,6}}完成(?:投资)?{_N} ?\2，(?:占总投资的?|完成率|投资完成率)(?:为|达)?{_N} ?[%％]"
)
_BEYOND = late(
    rf"(?:共|总|为|达|计)[^。；;，\n0-9]{{0,6}}{_N} ?(万?亿?(?:{_UNIT}))(?![余多以])[^。；;\n其]{{0,16}}，其中[^。；;，\n0-9]{{2,16}}{_N} ?\2(?=[，。；])"
)
_LET = late(
    rf"(?:{_N} ?({_UNIT})(?:申请|申报|报名|参加|参赛|应聘)|(?:申请|申报|报名|应聘)[的有]?{_N} ?({_UNIT}))[、，,][^。；;\n0-9]{{0,6}}?"
    rf"(?:核准|批准|录取|录用|审核通过|通过审核|获批){_N} ?(?:\2|\4)"
)
_BOTH_WAYS = late(
    r"同比(增长|增加|上升|下降|减少)[0-9.]+[%％]，比(?:上年|去年)同期(增加|增长|上升|减少|下降)"
)
_PARTS_SAID = Say("几个数对不上：部分与总数、前后之差不符。请核对").text


def _figures(match: re.Match[str], *groups: int) -> list[Decimal]:
    return [_number(match[n]) for n in groups]


def _halves(match: re.Match[str]) -> bool:
    whole, one, other = _figures(match, 1, 4, 6)
    return whole != one + other


def _risen(match: re.Match[str]) -> bool:
    before, after, by = _figures(match, 1, 4, 5)
    off = abs(abs(after - before) - by)
    return off > Decimal("0.11") and off > by / 100


def _left(match: re.Match[str]) -> bool:
    whole, *rest = _figures(match, 1, 3, 4, 5)
    return whole != sum(rest)


def _more(match: re.Match[str], part: int, whole: int) -> bool:
    return _number(match[part]) > _number(match[whole])


def _let_more(match: re.Match[str]) -> bool:
    return _number(match[5]) > _number(match[1] or match[3])


def _other_rate(match: re.Match[str], part: int, whole: int, rate: int) -> bool:
    some, of, said = _figures(match, part, whole, rate)
    return not of or abs(100 * some / of - said) >= Decimal("0.6")


_UP = ("增长", "增加", "上升")


def _claim(
    signs: tuple[str, ...], pattern: re.Pattern[str], wrong: Callable[[re.Match[str]], bool]
) -> Check:
    """Parts and wholes, befores and afters: told where `wrong` says so of a match."""

    def find(text: str, context: Context) -> Iterator[Hit]:
        for match in pattern.finditer(text):
            if wrong(match):
                yield Hit("sum", Severity.WARN, *match.span(), _PARTS_SAID)

    return Check(("sum",), find, signs)


# What a sentence says of several figures that contradict each other.
CLAIMS = (
    # 抽检60批次，合格57批次，不合格5批次
    _claim(
        ("不合格", "不同意", "反对", "未通过", "仍有", "尚有", "还有", "剩余"), _HALVES, _halves
    ),
    _claim(("已有", "其中"), _ALREADY, partial(_more, part=3, whole=1)),  # 共18个，已有21个
    _claim(
        ("核减", "审减", "节约", "节省", "下浮"),
        _CUT,
        lambda m: _number(m[1]) - _number(m[3]) != _number(m[4]),
    ),
    # 由41.2万亩增至43.6万亩，净增3.4万亩
    _claim(
        ("，净", "，增", "，减", "，提高", "，降低", "，上升", "，下降"),
        _RISE,
        _risen,
    ),
    # 由3860增加到3610
    _claim(("由", "从"), _TURNED, lambda m: _more(m, 1, 4) == (m[3] in "增升提扩")),
    _claim(("，已",), _OWED, partial(_more, part=4, whole=2)),  # 应参保28.6万人，已参保29.1万人
    # 500批次，合格487批次，合格率98.6%
    _claim(("率",), _RATE, partial(_other_rate, part=4, whole=1, rate=5)),
    _claim(("尚余", "剩余", "还剩", "其余"), _LEFT, _left),
    _claim(("其中",), _BEYOND, partial(_more, part=3, whole=1)),
    # 380户申请、核准390户
    _claim(("核准", "批准", "录取", "录用", "审核", "获批"), _LET, _let_more),
    _claim(("总投资",), _SPENT, partial(_other_rate, part=3, whole=1, rate=4)),
    _claim(("较", "比"), _AGAINST, lambda m: _more(m, 1, 3) != (m[4] in "增提上")),
    _claim(("同比",), _BOTH_WAYS, lambda m: (m[1] in _UP) != (m[2] in _UP)),  # a rise that falls
)
