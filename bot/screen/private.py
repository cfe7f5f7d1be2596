"""What belongs to a person and is known by the words around it: papers, plates, where he lives."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit

# ---------------------------------------------------------------- travel-document

_NO = r"(?<![0-9A-Za-z])"
_ENDS = r"(?![0-9A-Za-z*])"
_BETWEEN = r"(?:证件|字号|[（(](?:中国|普通|因私|因公)[）)]|证件类型|证件号码?|通行证|身份证件?|号码|号|编号|No\.?|NO\.?|为|是|[：:；;（）()\s、，,#/“”\"])*"
# Each paper's cue and the form of its number (exit-entry administration's, and the forces' own).
_PAPERS = (
    (
        "护照|[Pp]assport|PASSPORT",
        r"[A-Za-z]{1,2}[ -]?(?:[0-9]{7,8}|[0-9]{4} [0-9]{4})|1[45][0-9]{7}",
    ),
    ("(?:往来)?港澳(?:居民来往内地)?通行证|回乡证", r"[CWHMcwhm][A-Za-z]?[ -]?[0-9]{7,10}"),
    (
        "台湾(?:居民来往大陆|居民往来大陆)?通行证|往来台湾通行证|台胞证",
        r"[TLtl]?[ -]?[0-9]{8}(?:[0-9]{2})?",
    ),
    ("永久居留(?:身份)?证", r"[A-Za-z]{3}[0-9]{12}|9[0-9]{17}"),
    ("军官证|士官证|士兵证|文职干部证|警官证", r"(?:[\u4e00-\u9fff]{1,3}字?第?)?[ -]?[0-9]{6,8}"),
)
_CUES = (
    "护照",
    "assport",
    "PASSPORT",
    "通行证",
    "回乡证",
    "台胞证",
    "居留",
    "官证",
    "士兵证",
    "干部证",
)
_PAPER = re.compile(
    "|".join(f"(?:{cue}){_BETWEEN}{_NO}({number}){_ENDS}" for cue, number in _PAPERS)
    # the number first: 持E12345678号护照, E12345678（护照）
    + rf"|{_NO}([A-Za-z]{{1,2}}[0-9]{{7,8}}){_ENDS}号?(?:的|[（(])?(?:中国|普通)?(?:护照|港澳通行证|通行证)"
)
_PAPER_SAID = Say("疑似护照、通行证等证件号码，不得公开。请删去，或按建议遮盖").text


def papers(text: str, context: Context) -> Iterator[Hit]:
    """Passports, travel permits, residence cards, officers' papers: only beside their name."""
    if not ("证" in text or "护照" in text or "assport" in text or "PASSPORT" in text):
        return  # the commonest signs first: most texts hold none
    if not any(cue in text for cue in _CUES):
        return
    for match in _PAPER.finditer(text):
        group = match.lastindex or 0
        start, end = match.span(group)
        number = match[group]
        masked = number[:-7] + "*" * 4 + number[-3:] if len(number) > 7 else "****" + number[-3:]
        yield Hit("travel-document", Severity.BLOCK, start, end, _PAPER_SAID, masked)


# ---------------------------------------------------------------- plate

# GA 36-2018: province, office of issue, five signs; six with D or F for new energy.
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_SIGN = "[A-HJ-NP-Za-hj-np-z0-9]"
_PLATE = re.compile(
    rf"([{_PROVINCES}] ?[A-HJ-NP-Za-hj-np-z])[ ·•・‧∙.\-_/—】（(]{{0,2}}"
    rf"((?:[A-HJ-NPa-hj-np]{_SIGN}[0-9]{{4}}|[0-9]{{5}}[A-HJ-NPa-hj-np]"
    rf"|{_SIGN}{{4}}(?:[挂学警港澳试超]|{_SIGN})))(?![A-Za-z0-9*〔\[]|[（(][0-9])"
)
_FIGURES = re.compile("[0-9]")
_PLATE_SAID = Say("疑似机动车号牌。除法定公示外不宜公开，请核对").text


def plates(text: str, context: Context) -> Iterator[Hit]:
    """Number plates of motor vehicles; one without any figure is a word."""
    for match in _PLATE.finditer(text):
        if len(_FIGURES.findall(match[2])) < 2:
            continue
        masked = f"{match[1]}***{match[2][3:]}"
        yield Hit("plate", Severity.WARN, *match.span(), _PLATE_SAID, masked)


# ---------------------------------------------------------------- address

_N = "[0-9A-Za-z一二三四五六七八九十百甲乙丙丁]{1,5}"
# The household: a flat's door, wherever it is said.
_DOOR = re.compile(
    rf"(?:{_N}(?:号楼|栋|幢|座|号院|号|楼|-)[ ,，]?)?{_N}单元[ ,，]?(?:{_N}[层楼])?[ ,，]?"
    r"[0-9]{3,4}(?:室|号|户)?(?![0-9元人年])"
)
_LIVES = re.compile(
    r"家住|现住址?|居住地址|家庭(?:住|地)址|户籍(?:所在地|地址|地)?|住址|常住地址|居住地|居住在|家在|[收寄]件人|某[，,、 ](?!在|到|于|经|驾)(?=[\u4e00-\u9fff]{2,10}(?:[村组路镇乡]|小区))"
    r"|(?:患者|当事人|[原被]告|申请人|救助人|本人|某)(?:的)?住所地?[：:为在]|居住于|租住|暂住(?:地|于|在)?|住在|(?:[，,、；;。]|^|患者|当事人|[原被]告|申请人|救助人|本人|某)(?:地址|住)(?![房宿院户所宅]|建(?!设[路街大]))[：:]?(?=[\u4e00-\u9fff])"
)
_NUMBERED = rf"(?:[0-9]+[-－][0-9]+[-－][0-9]{{3,4}}|{_N}(?:号楼|号|室|栋|幢|单元|组|户|座|弄|楼|层)(?:[0-9]{{3,4}})?)"
_HOUSE = re.compile(
    r"[路街巷道弄里坊村镇乡屯庄组寨湾苑园区城庭府邸居厦楼院舍][^。；;，,！？\n]{0,12}?"
    rf"{_NUMBERED}(?!文|令|公告|线|台风|病例|病房|楼宇|工作日)(?:[ -]?[^。；;，,！？\n]{{0,8}}?{_NUMBERED})*"
)
_ADDRESS_SAID = Say("疑似个人住址，不得公开到门牌、村组。请删去具体部分").text


def addresses(text: str, context: Context) -> Iterator[Hit]:
    """Where somebody lives: after a word that says so, or down to the door of a flat."""
    spans = list(_dwellings(text)) if _may_dwell(text) else []
    if "单元" in text:
        doors = [match.span() for match in _DOOR.finditer(text)]
        spans += [d for d in doors if not any(s < d[1] and d[0] < e for s, e in spans)]
    for start, end in spans:
        yield Hit("address", Severity.WARN, start, end, _ADDRESS_SAID)


def _may_dwell(text: str) -> bool:
    return "住" in text or "户籍" in text or "某" in text or "地址" in text or "件人" in text


def _dwellings(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for cue in _LIVES.finditer(text):
        if cue.end() > end and (house := _HOUSE.search(text, cue.end(), _clause(text, cue.end()))):
            end = house.end()
            yield cue.start(), end


def _clause(text: str, start: int) -> int:
    """Where the sentence that goes on at `start` ends; an address is no longer than 48."""
    stop = re.compile("[。；;！？!?\n]").search(text, start)
    return min(stop.start() if stop else len(text), start + 48)
