"""Names of organs that are nearly right: 国家金融监管管理总局, 退伍军人事务局, 国家教育局, 省公安局.

The right names are those that words/organ-name.txt advises; one letter off any of them is told. What
is put together like a name of the state's (国家, its field, 局) and neither in words/state-organ.txt nor in
another list is no name; and each
rank has its own kind of organ: a province a 厅, a city and a county a 局.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from bot.language import Say
from bot.model import Severity
from bot.screen import terms
from bot.screen.base import Context, Hit, finder, found, late

_SAID = Say("机构、会议名称或固定提法疑有误。请按建议核对").text
_PART = 4  # letters that stand as they should, at the head or the end of a name
_FULL = re.compile("[\u4e00-\u9fff]{6,}")  # a shorter name is one letter off too many others
# 市政府常务会议 and 区政府常务会议, 主席 and 副主席, 中级 and 高级人民法院 are as right as each other.
_MANY = re.compile(
    "^[省市县区州镇乡]|[一二三四五六七八九十]"
    "|级人民法院|特色社会主义|伟大复兴|机关工委|监管分局|^工商业"
    "|(?:主席|总理|委员长|主任|书记|行长|院长|检察长|代表|委员|秘书|部厅|部局|部部|委厅|委局|委部)$"
)
_NATIONAL = re.compile("国家|全国|中国|中央|最高|国务院|中华")


@cache
def _names() -> frozenset[str]:
    advised = {t.suggestion for t in terms.built_in() if t.rule == "organ-name"}
    return frozenset(name for name in advised if _FULL.fullmatch(name) and not _MANY.search(name))


@cache
def _parts() -> tuple[Any, list[tuple[list[str], list[str]]]]:
    """What finds four letters of a name; of each four the names that begin, that end with them."""
    parts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in sorted(_names()):
        parts[name[:_PART]][0].append(name)
        parts[name[-_PART:]][1].append(name)
    return finder([*parts]), [*parts.values()]


SIGNS = (
    *(
        "国家",
        "全国",
        "国务院",
        "最高",
        "中华",
        "中国",
        "中央",
        "人大",
        "人民",
        "委员会",
        "联合会",
        "协会",
    ),
    *("局", "厅", "部", "会议", "主义", "共同体", "部队"),
)


def nearly(text: str, context: Context) -> Iterator[Hit]:
    """A name that is one letter off a right one."""
    finder_, names = _parts()
    told = 0
    for n, start, end in found(finder_, text):
        begin_with, end_with = names[n]
        if any(text.startswith(name, start) for name in begin_with):
            continue
        if any(text.endswith(name, 0, end) for name in end_with):
            continue
        may = [(start, start + length, name) for name in begin_with for length in _lengths(name)]
        may += [(end - length, end, name) for name in end_with for length in _lengths(name)]
        for at, stop, name in may:
            if at >= told and _one_off(text[at:stop], name):
                told = stop
                yield Hit("organ-name", Severity.WARN, at, stop, _SAID, name)


def _lengths(name: str) -> tuple[int, ...]:
    """How long a slip of it may be: 监督管理分局 is right beside 局, but no organ of the state has one."""
    many = len(name)
    return (many, many + 1, many - 1) if _NATIONAL.match(name) else (many,)


def _one_off(said: str, name: str) -> bool:
    """Is `said` the name with one letter changed, added or left out, and its last one right?"""
    if said[-1:] != name[-1] or any(right in said for right in _names()):
        return False
    alike = len([*takewhile(lambda pair: pair[0] == pair[1], zip(said, name, strict=False))])
    rest, right = said[alike:], name[alike:]
    by = len(said) - len(name)
    return rest[1 if by >= 0 else 0 :] == right[1 if by <= 0 else 0 :]


# ---------------------------------------------------------------- the state's organs

_FIELDS = (
    "发展|改革|发改|卫生|健康|卫健|教育|科学|科技|技术|工业|信息化|信息|民族|宗教|事务|公安|安全|民政|司法|财政"
    "|人力|资源|社会|保障|人社|自然|生态|环境|环保|保护|住房|住建|城乡|城市|建设|交通|运输|水利|农业|农村|商务"
    "|文化|旅游|文旅|退役|退伍|军人|应急|救援|管理|审计|税务|税收|市场|监督|监管|金融|证券|广播|电视|广电|体育"
    "|统计|知识|产权|医疗|医保|保险|药品|食品|移民|林业|草原|林草|粮食|物资|储备|能源|烟草|专卖|铁路|邮政|民航"
    "|民用|航空|文物|中医药|疾病|疾控|预防|控制|矿山|监察|检察|消防|外汇|信访|数据|版权|新闻|出版|电影|气象|地震"
    "|计划|生育|行政|委员|公积金|养老|运动|国有|资产|防控|质量|检验|检疫|标准化|认证|乡村|振兴|公务员|档案|密码|保密|海洋|测绘|煤矿|煤炭|侨务|公路|港口|海关|禁毒|大数据"
    "|互联网|网络|和|与|及"
)
_TAIL = "(?:委员会|总局|总署|局(?![势面限域促])|署(?![长名])|委(?![员托派婉内])|厅|部(?![门分署位队委属下级件长就]))"
_OF_STATE = late(
    rf"(?:(?<![国斯坦兰])国家|国务院)(?:{_FIELDS}){{1,7}}?{_TAIL}"
    rf"|中国(?:{_FIELDS}){{1,5}}?(?:委员会|总局|局(?![势面限域促]))"
)
# A ministry of one field bears no second one.
_MINISTRIES = (
    *("水利", "民政", "交通运输", "自然资源", "生态环境", "农业农村", "应急管理", "退役军人"),
    *("工业和信息化", "人力资源和社会保障", "住房和城乡建设", "文化和旅游"),
)
_LENGTHENED = late(
    rf"(?:{'|'.join(_MINISTRIES)})(?:{_FIELDS}){{1,2}}部(?![门分署位队委属下级件长就])"
)
MINISTRY_SIGNS = _MINISTRIES


@cache
def _known() -> frozenset[str]:
    """The names that are right, or that a list tells."""
    lines = (Path(__file__).parent / "words" / "state-organ.txt").read_text("utf-8").splitlines()
    listed = [t for t in terms.built_in() if t.rule == "organ-name"]
    right = [line for line in lines if not line.startswith("#")]
    return frozenset(right).union(*((t.words, t.suggestion) for t in listed))


def of_state(text: str, context: Context) -> Iterator[Hit]:
    """国家教育局, 国家卫生健康委员局."""
    for match in _OF_STATE.finditer(text):
        name = match[0].removeprefix("国务院") if match[0].endswith("部") else match[0]
        if name not in _known():
            yield Hit("organ-name", Severity.WARN, *match.span(), _SAID)


def lengthened(text: str, context: Context) -> Iterator[Hit]:
    """水利资源部."""
    for match in _LENGTHENED.finditer(text):
        if match[0] not in _known():
            yield Hit("organ-name", Severity.WARN, *match.span(), _SAID)


# ---------------------------------------------------------------- ranks

_BRANCHES = [
    "教育",
    "科学技术",
    "科技",
    "工业和信息化",
    "公安",
    "民政",
    "司法",
    "财政",
    "人力资源和社会保障",
    "人力资源社会保障",
    "自然资源",
    "生态环境",
    "住房和城乡建设",
    "住房城乡建设",
    "交通运输",
    "水利",
    "农业农村",
    "商务",
    "文化和旅游",
    "应急管理",
    "退役军人事务",
    "审计",
    "人社",
    "住建",
    "文旅",
]
_BUREAUS = [
    "市场监督管理",
    "市场监管",
    "医疗保障",
    "医保",
    "统计",
    "体育",
    "广播电视",
    "信访",
    "药品监督管理",
]
# The rank, the kind of organ that it has not, the one that it has.
_KINDS = (
    *(("省", kind, "厅", _BRANCHES) for kind in "局部"),
    *((rank, kind, "局", _BRANCHES) for rank in "市县区州" for kind in "厅部"),
    *(("省", kind, "局", _BUREAUS) for kind in "厅部"),
    ("省", "局", "委", ("卫生健康", "卫健", "发展改革", "发展和改革", "发改")),
)
_WRONG_RANK = {
    f"{rank}{branch}{kind}": f"{rank}{branch}{right}"
    for rank, kind, right, branches in _KINDS
    for branch in branches
}
RANK_SIGNS = (*_WRONG_RANK,)
_RANKED = late("|".join(_WRONG_RANK))
# 全省公安局长会议, 各省、自治区、直辖市教育厅（局）, 省市公安厅 speak of several.
_SEVERAL = late("(?:[全各我本外跨两多邻省自直辖治区）)]|[省区市县州][、和及])$")
_GOES_ON = frozenset("长局级干门分位署队属委（(、")


def ranks(text: str, context: Context) -> Iterator[Hit]:
    """省公安局, 市教育厅."""
    for match in _RANKED.finditer(text):
        before, after = text[max(0, match.start() - 2) : match.start()], text[match.end() :][:1]
        if not _SEVERAL.search(before) and after not in _GOES_ON:
            right = _WRONG_RANK[match[0]]
            yield Hit("organ-name", Severity.WARN, *match.span(), _SAID, right)
