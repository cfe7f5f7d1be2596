"""What belongs to a person and is known by the words around it: papers, plates, where he lives."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

# ---------------------------------------------------------------- travel-document

_NO = r"(?<![0-9A-Za-z])"
_ENDS = r"(?![0-9A-Za-z*])"
_BETWEEN = r"(?:证件|字号|[（(](?:中国|普通|因私|因公)[）)]|证件类型|证件号码?|通行证|身份证件?|号码|号|编号|No\.?|NO\.?|为|是|[：:；;（）()\s、，,#/“”\"])*"
# What an office's text puts inside a number; a line may end there once the form is a paper's.
_GAP = r"(?:[ \t\-–—·.]|[ \t]?\n[ \t]?)?"
# In the same sentence, the number's own word: 通行证（回乡证）持有人陈某，证号H…
_NAMED = r"[^。；;\n]{0,20}?(?:证件?号码?|号码|编号|结果|No\.?|NO\.?|[Nn]umber)[ ：:为是（(]*"
_DIGITS = rf"(?:{_GAP}[0-9])"  # times how many
# Each paper's cue and the form of its number (exit-entry administration's, and the forces' own).
_PAPERS = (
    (
        "护照|[Pp]assport|PASSPORT|[Tt]ravel [Dd]ocument|旅行证|海员证|出入境通行证",
        rf"[A-Za-z]{_GAP}[A-Za-z]?{_DIGITS}{{7,8}}|1[45]{_DIGITS}{{7}}|[0-9]{{2}}[A-Z]{{2}}[0-9]{{5}}"
        r"|(?=[A-Z0-9]*[A-Z][A-Z0-9]*[0-9])(?=[A-Z]*[0-9])[A-Z][A-Z0-9]{8}|[0-9]{2} [0-9]{7}",
    ),
    (
        r"(?:护照|[Pp]assport|PASSPORT) ?(?:编?号码?|N[oO]\.?|Number|[（(：:])",
        r"[A-Z]{0,3}[0-9]{8,9}|[A-Z]{2}[0-9]{6}",
    ),
    ("边境(?:管理区)?通行证", "[0-9]{8,16}"),
    (
        "(?:往来)?港澳(?:居民来往内地)?通行证|回乡证",
        rf"[CWHMcwhm]{_GAP}[A-Za-z]?{_DIGITS}{{7,10}}",
    ),
    (
        "台湾(?:居民来往大陆|居民往来大陆)?通行证|往来台湾通行证|台胞证",
        rf"[TLtl]?{_GAP}[0-9]{_DIGITS}{{7}}(?:[0-9]{{2}})?(?:[（(][A-Z0-9]{{1,2}}[）)])?",
    ),
    ("永久居留(?:身份)?证|绿卡", rf"[A-Za-z]{{3}}{_DIGITS}{{12}}|9{_DIGITS}{{17}}"),
    ("(?:居留|工作)许可证?", r"[A-Z]{0,3}[0-9]{9,15}"),
    (
        "(?:香港|澳门)(?:永久性)?(?:居民)?身份证",
        r"[A-Z]{1,2}[0-9]{6} ?[（(][0-9A][）)]|[1578][0-9]{6} ?[（(][0-9][）)]",
    ),
    ("台湾(?:地区)?(?:居民)?身份证|国民身份证", r"[A-Z][12][0-9]{8}"),
    ("残疾人?证", r"[0-9]{17}[0-9Xx][1-7][1-4](?:[BbCc][0-9])?"),
    (
        "[军士警]官证|士兵证|文职干部证|军人证|警察证|退伍证|退役证|转业证|复员证|优待证|离休证",
        r"(?:[\u4e00-\u9fff]{1,3}字?第?)?[ -]?[0-9]{6,8}",
    ),
    ("优待证|残疾军人证", "[0-9]{10,18}"),
    ("(?:驾驶证|驾照)[^。；，\n0-9]{0,4}档案(?:编号|号)?", "[0-9]{12}"),
)
PAPER_SIGNS = (
    *("护照", "assport", "PASSPORT", "ocument", "通行证", "回乡证", "台胞证", "旅行证", "海员证"),
    *(
        "居留",
        "绿卡",
        "工作许可",
        "居民身份证",
        "香港身份证",
        "澳门身份证",
        "台湾身份证",
        "国民身份证",
    ),
    *("官证", "士兵证", "干部证", "军人证", "警察证", "退伍证", "退役证", "转业证", "复员证"),
    *("优待证", "离休证", "残疾证", "残疾人证", "驾驶证", "驾照"),
)
_PAPER = late(
    "|".join(f"(?:{cue})(?:{_BETWEEN}|{_NAMED}){_NO}({number}){_ENDS}" for cue, number in _PAPERS)
    # a form that hardly anything else has, a few words after its name: 护照备案：G47382916
    + rf"|(?:护照|通行证)[^。；;\n0-9A-Za-z受]{{0,14}}{_NO}([EGDSPHMLC][A-Z]?[0-9]{{7,8}}){_ENDS}"
    # the number first: 持E12345678号护照, E12345678（护照）
    + rf"|{_NO}([A-Za-z]{{1,2}}[0-9]{{7,8}}){_ENDS}号?(?:的|[（(])?(?:中国|普通)?(?:护照|港澳通行证|通行证)"
)
_PAPER_SAID = Say("疑似护照、通行证等证件号码，不得公开。请删去，或按建议遮盖").text


def papers(text: str, context: Context) -> Iterator[Hit]:
    """Passports, travel permits, residence cards, officers' papers: only beside their name."""
    for match in _PAPER.finditer(text):
        group = match.lastindex or 0
        start, end = match.span(group)
        number = match[group]
        masked = number[:-7] + "*" * 4 + number[-3:] if len(number) > 7 else "****" + number[-3:]
        yield Hit("travel-document", Severity.BLOCK, start, end, _PAPER_SAID, masked)


# ---------------------------------------------------------------- plate

# GA 36-2018: province, office of issue, five signs; six with D or F for new energy.
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_LETTER, _SIGN = "[A-HJ-NP-Za-hj-np-z]", "[A-HJ-NP-Za-hj-np-z0-9]"
_SPLIT = r"(?:[ \t]?\n[ \t]?|[ \t])?"  # signs spaced out, or the line's end between them
_PLATE = late(
    rf"([{_PROVINCES}]{_SPLIT}{_LETTER})(?:[ ·•・‧∙.\-_/—】（(]{{0,2}}|{_SPLIT})"
    rf"((?:{_LETTER}{_SPLIT}{_SIGN}(?:{_SPLIT}[0-9]){{4}}|[0-9](?:{_SPLIT}[0-9]){{4}}{_SPLIT}{_LETTER}"
    rf"|{_SIGN}(?:{_SPLIT}{_SIGN}){{3}}{_SPLIT}(?:[挂学警港澳试超领使]|{_SIGN})))"
    r"(?![A-Za-z0-9*〔\[]|[（(][0-9])"
)
# An embassy's, and the armed police's, only after a word for plates.
_PLATE_OF = late(
    r"((?:车牌|号牌|牌照|牌号|车号|车辆)[号码]{0,2}[：:为是“ ]{0,2})"
    rf"(使 ?[0-9]{{3}}[·\- ]?[0-9]{{3}}|WJ ?[{_PROVINCES}]?[·\- ]?[0-9]{{4}}[0-9A-Z]|[VKHBSLJNCEG][A-Z][·\- ][0-9]{{5}})"
)
_FIGURES = late("[0-9]")
_PLATE_SAID = Say("疑似机动车号牌。除法定公示外不宜公开，请核对").text


def plates(text: str, context: Context) -> Iterator[Hit]:
    """Number plates of motor vehicles; one without any figure is a word."""
    for match in _PLATE.finditer(text):
        signs = re.sub(r"\s", "", match[2])
        if len(_FIGURES.findall(signs)) < 2:
            continue
        masked = re.sub(r"\s", "", match[1]) + "***" + signs[3:]
        yield Hit("plate", Severity.WARN, *match.span(), _PLATE_SAID, masked)
    for match in _PLATE_OF.finditer(text) if "牌" in text or "车" in text else ():
        masked = match[2][:2] + "***" + match[2][-2:]
        yield Hit("plate", Severity.WARN, *match.span(2), _PLATE_SAID, masked)


# ---------------------------------------------------------------- address

_N = "[0-9A-Za-z一二三四五六七八九十百甲乙丙丁]{1,5}"
# The household: a flat's door, wherever it is said.
_DOOR = late(
    rf"(?:(?:{_N} ?(?:号楼|栋|幢|座|号院|号|楼|-)[ ,，]?)?(?:{_N}|[东西南北中]) ?单元"
    rf"|{_N} ?(?:号楼|栋|幢)[ ,，]?[0-9一二三四]{{1,2}}门)[ ,，]?(?:{_N}[层楼]|[顶底]层)?[ ,，]?"
    r"[0-9]{3,4} ?(?:室|号|户)?(?![0-9元人年])"
)
_LIVES = late(
    r"家住|家[（(]|[0-9]岁[，,、](?=[\u4e00-\u9fff]{2,12}[0-9])|现[住居]址?|居住地址|家庭(?:住|地)址|户籍(?:所在地|地址|地)?|住址|常住地址?|联系地址|居住地|居住在|家在|[收寄]件人|某[，,、 ](?!在|到|于|经|驾)(?=[\u4e00-\u9fff]{2,10}(?:[村组路镇乡]|小区))"
    r"|(?:患者|当事人|[原被]告|申请人|救助人|本人|某[，,]?|(?:[男女族生]|[0-9Xx*]{4})[，,、；;）)])(?:的)?住所地?[：:为在]?(?=[\u4e00-\u9fff])|居住于|租住|暂住(?:地|于|在)?|住在|(?:[，,、；;。（(]|^|患者|当事人|[原被]告|申请人|救助人|本人|某)(?:地址|住)(?![房宿院户所宅]|建(?!设[路街大]))[：:]?(?=[\u4e00-\u9fff])"
)
_NUMBERED = rf"(?:[0-9]+[-－][0-9]+[-－][0-9]{{3,4}}|{_N} ?(?:号楼|号|室|栋|幢|单元|组|户|座|弄|楼|层)(?:[0-9]{{3,4}})?)"
_HOUSE = late(
    r"[路街巷道弄里坊村镇乡屯庄组寨湾苑园区城庭府邸居厦楼院舍场期][^。；;，,！？\n]{0,12}?"
    rf"{_NUMBERED}(?!文|令|公告|线|台风|病例|病房|楼宇|工作日)(?:[ -]?[^。；;，,！？\n]{{0,8}}?{_NUMBERED})*"
    r"|村[\u4e00-\u9fff]{1,4}组(?![织长成建合团委])"
    rf"|(?<=[\u4e00-\u9fff]{{3}}){_N} ?(?:号楼|栋|幢|座)[ -]?(?:[0-9]{{3,4}}|{_NUMBERED})"
)
# An address of an office, of a firm, of a meeting: 听证会在…举行，地址文昌路66号.
_OFFICE = late(
    "中心|会议|听证|[会局委院馆站校园厅店场所部社]在|办[事公理]|报名|报到|地点|窗口|大厅|公司|学校|医院|银行|网点|门店|超市|酒店"
    "|办公|现场|考[点场]|举行|举办|召开|咨询|受理|邮编|邮寄|有限|企业|单位|服务|接种|采样|领取|集合|[局厅委院馆站厂店]$|[局厅委院馆站厂店][，,（(]"
)
_SOMEONE = late(
    "某|先生|女士|奶奶|爷爷|大[爷妈娘伯叔]|阿姨|老人|婆婆|独居|同学|师傅|姓名|[，,]?[男女][，,]|村民|户主|业主|患者|[原被]告|当事人|失主|家长"
)
# A table of persons: names, and where they live. Its rows follow, parted as it is.
_TABLE = late(
    r"^(?=[^\n]*(?:姓名|户主|学生|老人|申请人|监护人|联系人|对象|当事人|业主|村民))(?![^\n]*(?:法人|法定|企业|单位名|公司|机构))"
    r"[^\n]*?(?:家庭|居住|户籍|详细|联系|现)?(?:住址|地址|住所)[^\n]*$",
    re.M,
)
_ROW = late(r"[\t|｜,，、]| {1,}")
# A house in a village: 石门村2组41号.
_HAMLET = late(
    r"村(?<=[\u4e00-\u9fff]{3})(?:第?[0-9一二三四五六七八九十]{1,3}(?:组|社|队))[0-9]{1,4}号(?!楼|线|文|地块|宗地|厂|机|库|仓|泵|井)"
)
_PUBLIC = late("中心|大厦|大楼|广场|写字楼|科技园|产业园|办公|政府|机关|档案馆|地点|窗口")
_ADDRESS_SAID = Say("疑似个人住址，不得公开到门牌、村组。请删去具体部分").text


_DWELLING = ("址", "住", "户籍", "某", "件人", "家（", "家(", "岁，", "岁、")
ADDRESS_SIGNS = (*_DWELLING, "单元", "号楼", "幢", "栋", "村")


def addresses(text: str, context: Context) -> Iterator[Hit]:
    """Where somebody lives: after a word that says so, or down to the door of a flat."""
    spans = list(_dwellings(text)) if any(map(text.__contains__, _DWELLING)) else []
    if "村" in text and "号" in text:
        spans += [
            m.span()
            for m in _HAMLET.finditer(text)
            if not any(s < m.end() and m.start() < e for s, e in spans)
        ]
    if "单元" in text or "门" in text:
        doors = [
            m.span()
            for m in _DOOR.finditer(text)
            if not _PUBLIC.search(text[max(0, m.start() - 14) : m.start()])
        ]
        spans += [d for d in doors if not any(s < d[1] and d[0] < e for s, e in spans)]
    for start, end in spans:
        yield Hit("address", Severity.WARN, start, end, _ADDRESS_SAID)


def _dwellings(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    if "\n" in text and "址" in text:
        yield from _listed(text)
    for cue in _LIVES.finditer(text):
        if cue[0].startswith(("（地址", "(地址", "联系地址")) and not _SOMEONE.search(
            text, max(0, cue.start() - 40), cue.start()
        ):
            continue
        if cue[0].endswith(("，地址", "地址：", "地址")) and _an_offices(text, cue):
            continue
        at = cue.end() + (text[cue.end() : cue.end() + 1] == "\n")
        if at > end and (house := _HOUSE.search(text, at, _clause(text, at))):
            end = house.end()
            yield cue.start(), end


def _an_offices(text: str, cue: re.Match[str]) -> bool:
    """Is the bare 地址 an office's, as the words before it say?"""
    if any(word in cue[0] for word in ("家庭", "居住", "户籍", "常住", "现住")):
        return False
    before = text[max(0, cue.start() - 40) : cue.end()].rstrip("地址：:，,、；;。")
    return bool(_OFFICE.search(before)) and not _SOMEONE.search(before)


def _listed(text: str) -> Iterator[tuple[int, int]]:
    """The houses in the rows under a head that names persons and where they live."""
    for head in _TABLE.finditer(text):
        at = head.end() + 1
        while _ROW.search(head[0]) and at < len(text):
            stop = text.find("\n", at) % (len(text) + 1)
            if "。" in text[at:stop] or not _ROW.search(text, at, stop):
                break
            if house := _HOUSE.search(text, at, stop):
                yield house.span()
            at = stop + 1


def _clause(text: str, start: int) -> int:
    """Where the sentence that goes on at `start` ends; an address is no longer than 48."""
    stop = re.compile("[。；;！？!?\n]").search(text, start)
    return min(stop.start() if stop else len(text), start + 48)
