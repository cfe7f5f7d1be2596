"""How a text is written: pairs that do not close, document numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

# ---------------------------------------------------------------- unpaired

# GB/T 15834-2011: marks that come in pairs. A half bracket closes a full one: no fault of sense.
_CLOSES = {
    "》": "《",
    "”": "“",
    "）": "(",
    ")": "(",
    "】": "【",
    "〕": "〔",
    "」": "「",
    "』": "『",
    "］": "[",
    "]": "[",
    "〗": "〖",
    "〉": "〈",
    "’": "‘",
}
_OPENS = {"《", "“", "（", "(", "【", "〔", "「", "『", "［", "[", "〖", "〈", "‘"}
_HALF = str.maketrans("（）［］", "()[]")
_MARK = late(r"[《》“”（）()【】〔〕「」『』［］\[\]〖〗〈〉‘’]")
_APOSTROPHE = late("(?<=[0-9])’|(?<=[A-Za-z])’(?=[a-z])|’(?=[0-9]{2})")
# 1） and （一） at the head of an item, and smileys: brackets that open nothing.
_ITEM = late(
    r"(?:^|[\n。；;：，、？！?! \t>]|(?<![0-9])[:,])[ \t]*(?:[0-9]{1,3}|[一二三四五六七八九十]{1,3}|[A-Za-z]|[①-⑳])$"
)
_IN_A_WORD = late("[A-Za-z>]$")  # an apostrophe: shootin’
_SMILEY = late(r"(?:[:;=^：；]|(?<![0-9A-Za-z])[8xX])[-~oO']?$")
_CUT = late(r"(?:…+|\.{3,})[ \n]*(?:https?://\S+|展开全文|全文)?\s*$")
_UNPAIRED_SAID = Say("标点没有成对。请补上另一半，或删去").text


def unpaired(text: str, context: Context) -> Iterator[Hit]:
    """《》“”（）【】〔〕「」 that open and do not close, or the reverse; nested is right.

    A paragraph may begin with the “ of a quotation that goes on; a text cut short (……) may end open.
    """
    if "’" in text:
        text = _APOSTROPHE.sub("'", text)
    if context.part or _paired(text):
        return
    open_: list[tuple[str, int]] = []
    for match in _MARK.finditer(text):
        mark, at = match[0], match.start()
        if mark in _OPENS:
            open_.append((mark.translate(_HALF), at))
        elif any(mark_ == _CLOSES[mark] for mark_, _ in open_):
            while open_[-1][0] != _CLOSES[mark]:
                yield from _left(text, *open_.pop())
            open_.pop()
        elif mark not in "）)’" or not _opens_nothing(text, at):
            yield Hit("unpaired", Severity.WARN, at, at + 1, _UNPAIRED_SAID)
    if not _CUT.search(text):
        for mark, at in open_:
            yield from _left(text, mark, at)


def _paired(text: str) -> bool:
    """Are all marks plainly paired? Most texts' are, and that is told at once."""
    marks = "".join(_MARK.findall(text)).translate(_HALF)
    before = ""
    while marks and marks != before:
        before = marks
        for pair in (
            "《》",
            "“”",
            "()",
            "【】",
            "〔〕",
            "「」",
            "『』",
            "[]",
            "〖〗",
            "〈〉",
            "‘’",
        ):
            if pair in marks:
                marks = marks.replace(pair, "")
    return not marks


def _left(text: str, mark: str, at: int) -> Iterator[Hit]:
    goes_on = mark in "“「" and (
        ((at == 0 or text[at - 1] in "\n 　") and "\n" in text[at:])
        or re.search(rf"\n[ 　]*{mark}", text[at:])
    )
    if not goes_on:
        yield Hit("unpaired", Severity.WARN, at, at + 1, _UNPAIRED_SAID)


def _opens_nothing(text: str, at: int) -> bool:
    before = text[max(0, at - 6) : at]
    if text[at] == "’":
        return bool(_IN_A_WORD.search(before))
    return bool(_ITEM.search(before) or _SMILEY.search(before))


# ---------------------------------------------------------------- document-number

# 党政机关公文格式 GB/T 9704-2012, 7.2.5: 机关代字〔年份〕序号, the year in four figures, in 〔〕, the
# number without 第 and without a leading zero.
_OPENING, _CLOSING = "[〔\\[【（(［〈<{﹝「〖《]", "[〕\\]】）)］〉>}﹞」〗》]"
_ORDER = r"[ ]?(第)?[ ]?(0*)([1-9][0-9]{0,4})[ ]?号(?!楼|线|院|台风|馆|门|机|房|会议|厅|展)"
_NUMBERED = late(
    rf"({_OPENING})(?!(?<=〔)(?:19|20)[0-9]{{2}}〕[1-9][0-9]{{0,4}}号)"  # which is right
    rf"[ ]?((?:19|20)?[0-9]{{2}})(年?)[ ]?({_CLOSING}?){_ORDER}"
)
_BARE = late(rf"[发函]()((?:19|20)[0-9]{{2}})(年?)((?:{_CLOSING}|[-—－])?){_ORDER}")
# Before a 号: 发2025〔19〕, 审2026-45, [二〇二六]4.
_TURNED = late(
    rf"((?:19|20)[0-9]{{2}}){_OPENING}0*([0-9]{{1,4}}){_CLOSING} ?$"
    r"|(?<=[审批评验许函发办字])((?:19|20)[0-9]{2})[-—－]0*([0-9]{1,4}) ?$"
    rf"|{_OPENING}([二一][〇○零九一二三四五六七八]{{3}}){_CLOSING}0*([0-9]{{1,4}}) ?$"
)
_FIGURES = str.maketrans("〇○零一二三四五六七八九", "000123456789")
_SIGN = late(r"(?<![A-Za-z0-9])[\u4e00-\u9fff]{2,12}$")
# Numbers of permits, filings, judgments and maps have forms of their own.
_NO_DOCUMENT = late(r"(?:准|证|许|许可|备|备案|注|登|登记|验|检|鉴|初|终|执|审|判|裁|仲|案|号)字?$")
_BY_AN_OFFICE = late(
    r"(?:发|函|办|令|政|字|规|通|告|电|批|复|呈|报|税|财|委|金|明电|公告|建|教|科|工|公|民|司|人|社|资|环|住|交|水|农|商|文|卫|应|审|国|市|统|医|体|林|能|粮|税|法|改|运)$"
)
_VERB = late(r"(?:印|下|转|制|签|颁|开|核|发)发$")
_LEADS = late(
    r".*(?:根据|按照|依据|依照|印发|贯彻|落实|通知|意见|办法|决定|规定|关于|参照|执行|[见和与及即以由的])"
    r"(?=[\u4e00-\u9fff]{2})"
)
_DOC_SAID = Say("发文字号写法不合 GB/T 9704：年份四位、用六角括号〔〕，序号不加“第”、不编虚位").text


def document_numbers(text: str, context: Context) -> Iterator[Hit]:
    """国办发[2018]123号, 国办发〔18〕123号, 国办发〔2018〕第123号, 国办发〔2018〕012号."""
    yield from _turned(text)
    for match in (*_NUMBERED.finditer(text), *_BARE.finditer(text)):
        opens, year, named, closes, ordinal, zeros, number = match.groups()
        at = match.start() if opens else match.start() + 1
        at -= text[at - 1 : at] == " "
        signed = _SIGN.search(text[max(0, at - 13) : at])
        if not signed or _NO_DOCUMENT.search(signed[0]):
            continue
        right = (opens, closes, len(year)) == ("〔", "〕", 4) and not (named or ordinal or zeros)
        if not right and _surely(signed[0], year, opens, closes, ordinal, named):
            sign = _sign(signed[0])
            full = year if len(year) == 4 else f"{'20' if year < '50' else '19'}{year}"
            said = f"{sign}〔{full}〕{number}号"
            yield Hit(
                "document-number", Severity.WARN, at - len(sign), match.end(), _DOC_SAID, said
            )


def _turned(text: str) -> Iterator[Hit]:
    """国办发2025〔19〕号, 宁环审2026-45号: the year and the number the wrong way about, or dashed."""
    at = text.find("号")
    while at >= 0:
        match = (
            _TURNED.search(text, max(0, at - 16), at)
            if text[at - 1].isdigit() or text[at - 1] in "〕］])） "
            else None
        )
        signed = _SIGN.search(text[max(0, match.start() - 13) : match.start()]) if match else None
        if (
            match
            and signed
            and not _VERB.search(signed[0])
            and not _NO_DOCUMENT.search(signed[0][:-1])
        ):
            sign = _sign(signed[0])
            year, number = (group for group in match.groups() if group)
            said = f"{sign}〔{year.translate(_FIGURES)}〕{number}号"
            start = match.start() - len(sign)
            yield Hit("document-number", Severity.WARN, start, at + 1, _DOC_SAID, said)
        at = text.find("号", at + 1)


def _sign(before: str) -> str:
    """The issuer's sign, without the words that lead to it."""
    sign = _LEADS.sub("", before)
    return sign[1:] if len(sign) > 2 and sign[0] in "把将按据依从对在经以见" else sign


def _surely(
    sign: str, year: str, opens: str | None, closes: str | None, ordinal: str, named: str
) -> bool:
    """Is what is written so a document's number at all?"""
    if named and ordinal and opens and not sign.endswith(("发", "函", "办")):
        return False  # 公告（2026年第5号）
    if not opens and (not closes or _VERB.search(sign)):  # 国办发2018年123号
        return bool(not closes and not _VERB.search(sign) and not ordinal)
    if len(year) == 2 and opens == "〔" and closes == "〕":
        return True
    if len(year) == 2 or not closes:
        return bool(_BY_AN_OFFICE.search(sign))
    return not (ordinal and (sign.endswith("字") or (opens == "〔" and sign.endswith("公告"))))
