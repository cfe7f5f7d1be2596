"""公文: the elements of an official document, from its lines (GB/T 9704-2012).

    版头  份号 · 密级 · 紧急程度 · 发文机关标志 · 发文字号 · 签发人
    主体  标题 · 主送机关 · 正文 · 附件说明 · 发文机关署名 · 成文日期 · 附注 · 附件
    版记  抄送机关 · 印发机关和印发日期

Left out of the text are the 版头, the 版记, and the 署名 with its date; what an attachment says is
kept below the text. A document that bears a mark of secrecy is refused: nothing may publish it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import SourceError
from bot.language import Say
from bot.sources.draft import bracketed

HEAD = 25  # lines in which the 版头 and the title are looked for
TITLE_LINES = 6
_A_NAME = 4  # characters of an organ's name
_BY = r"[^\s，。；：:]"
_SECRET = re.compile(r"^\s*(绝密|机密|秘密)\s*[★☆*＊].{0,12}$")
_COPY = re.compile(r"^(?:№|No\.?)?\s*\d{6}$")
_URGENT = re.compile(r"^(特提|特急|加急|平急)$")
_SIGNER = re.compile(r"\s*签发人\s*[:：].*$")
_NUMBER = re.compile(
    r"^(?P<organ>[\u4e00-\u9fff]{1,15}) ?(?P<open>[〔\[［(（【﹝〈《]) ?(?P<year>\d{4}|[〇零○一二三四五六七八九]{4}) ?"
    r"(?P<close>[〕\]］)）】﹞〉》]) ?(?P<th>第?)(?P<zeros>0*)(?P<n>\d{1,5}) ?号$"
    r"|^(?:第|[\u4e00-\u9fff]{2,15}令第)\d{1,4}号$"
)
_MARK = re.compile(r"^(?P<organ>[\u4e00-\u9fff（）()、]{2,60}?)(?:文\s*件|令)$")
# 公告 2024年第7号, 会议纪要 〔2024〕5号: marks of an organ only where a serial number follows.
_TITLED = re.compile(
    r"^(?P<organ>[\u4e00-\u9fff（）()、]{0,60}?)(?P<kind>公告|通告|(?:会议)?纪要)$"
)
_SERIAL = re.compile(
    r"^[(（]?((?:\d{4}年)?第\d{1,4}[号期次]|[〔\[(（]\d{4}[〕\])）]第?\d{1,4}[号期]?)[)）]?$"
)
_SPREAD = re.compile(r"(?<=[\u4e00-\u9fff])[ \u3000]+(?=[\u4e00-\u9fff])")
# 公文种类 (条例 art. 8), and what titles of published documents end in beside them.
_KINDS = (
    "决议|决定|命令|令|公报|公告|通告|意见|通知|通报|报告|请示|批复|议案|函|纪要|"
    "条例|办法|规定|细则|规则|方案|规划|计划|预案|要点|清单|目录|指南|标准|规程|章程|解读|公示|名单|说明"
)
_TITLE_ENDS = re.compile(rf"(?:{_KINDS})》?(?:[(（][^()（）]{{1,20}}[)）])*$")
_ORGAN_ENDS = re.compile(
    "(?:政府|办公室|办公厅|委员会|委|局|厅|部|处|院|署|办|会|中心|公司|站|所|队|大学|学校|银行|指挥部|领导小组)$"
)
_DAY = (
    r"(?:\d{4}|[一二][〇零○ＯOo一二三四五六七八九]{3})\s*年\s*[\d一二三四五六七八九十]{1,2}\s*月\s*"
    r"[\d一二三四五六七八九十]{1,3}\s*日"
)
_FIGURES = r"\d{4}[-./]\d{1,2}[-./]\d{1,2}"
_DATED = re.compile(rf"^(?P<by>(?:{_BY}{{2,40}}\s+)*)[(（]?(?P<day>{_DAY}|{_FIGURES})[)）]?$")
_PRINTED = re.compile(rf"^\s*(?:抄\s*送|主\s*送\s*[:：]|分\s*送)\s*[:：]?|{_DAY}\s*印发\s*$")
_ATTACHED = re.compile(r"^附\s*件\s*(?:\d{1,2}|[一二三四五六七八九十]{1,2})?\s*[:：]?$")
_NAMES = re.compile(r"^附\s*件\s*[:：]\s*(?P<first>.+)$")
_NEXT = re.compile(r"^\s*\d{1,2}\s*[.．、]\s*(?P<name>.{2,80})$")
_PUBLIC = re.compile(r"^[(（]?此件(?:主动)?公开(?:发布)?[)）]?$")
_CLOSED = re.compile("此件不公开|不予公开|依申请公开|内部资料|不得外传|注意保管")


@dataclass(frozen=True)
class Line:
    """A paragraph; `centred` and `right` as it is set, where its format tells."""

    text: str
    centred: bool = False
    right: bool = False


@dataclass(frozen=True)
class Document:
    title: str
    number: str = ""
    publisher: str = ""
    formed: str = ""
    body: str = ""
    attachments: tuple[str, ...] = ()
    notes: tuple[Say, ...] = ()


def elements(lines: Sequence[Line], name: str) -> Document:
    """The elements; `name` is the title of a document that has none. Raises SourceError."""
    lines = [line for line in lines if line.text.strip()]
    for line in lines[:HEAD]:
        if found := _SECRET.match(line.text):
            said = Say("文件标有密级（{mark}），不予读取；请立即移出公开目录", mark=found[0])
            raise SourceError(said, secret=True)
    head = _head(lines)
    title, start = _title(lines, head.end, head.named or name)
    number, start = (head.number, start) if head.number else _number_below(lines, start)
    text, signed, formed, after = _signature(lines, start)
    notes: list[Say] = []
    tail, rest = _tail(lines[after:])
    body = "\n".join(line.text.strip() for line in (*text, *tail, *rest))
    if closed := _CLOSED.search("".join(line.text for line in tail)):
        notes.append(Say("附注写明“{words}”，请先确认能否公开", words=closed[0]))
    return Document(
        title=title,
        number=_standard(number, notes),
        publisher=head.publisher or signed,
        formed=formed or head.formed,
        body=body,
        attachments=tuple(_attached(text)),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- 版头


@dataclass(frozen=True)
class _Head:
    """What stands above the title: `end` is the line after it; `named` is what it calls a document
    that may have no title of its own, as an order has none."""

    end: int = 0
    number: str = ""
    publisher: str = ""
    named: str = ""
    formed: str = ""


def _head(lines: Sequence[Line]) -> _Head:
    """The 版头; an organ's name alone is none, for a title may begin with it."""
    organs: list[str] = []
    marked, first = "", 0
    for n, line in enumerate(lines[:HEAD]):
        text = _SIGNER.sub("", line.text).strip()
        bare, tight = _SPREAD.sub("", text), "".join(text.split())
        if _NUMBER.match(tight) or (marked and _SERIAL.match(tight)):
            return _numbered(lines, n + 1, tight, organs, marked)
        following = "".join(lines[n + 1].text.split()) if n + 1 < len(lines) else ""
        if bare == "文件" and organs:
            marked = bare
        elif (mark := _TITLED.match(bare)) and _SERIAL.match(following):
            organs = [*organs, mark["organ"]] if mark["organ"] else organs
            marked = bare if mark["organ"] else "".join([*organs[-1:], bare])
        elif mark := _MARK.match(bare):
            organs, marked = [*organs, *_several(text, mark["organ"])], bare
        elif n < 6 and len(bare) <= 40 and _ORGAN_ENDS.search(bare):
            organs.append(bare)
        elif text and not _COPY.match(text) and not _URGENT.match(text):
            return _Head(n, "", "、".join(organs)) if marked else _Head(first)
        elif not organs:
            first = n + 1
    return _Head(len(lines[:HEAD]), "", "、".join(organs)) if marked else _Head(first)


def _several(text: str, organ: str) -> list[str]:
    """The organs of a mark that stand side by side; most often it is one."""
    names = _SPREAD.sub(_between, text).removesuffix("文件").split()
    return names if len(names) > 1 and all(map(_ORGAN_ENDS.search, names)) else [organ]


def _numbered(
    lines: Sequence[Line], end: int, number: str, organs: Sequence[str], marked: str
) -> _Head:
    """A 版头 with its number; that of minutes has organ and date below it."""
    own = marked if marked.endswith(("令", "公告", "通告", "纪要")) else ""
    if own and (serial := _SERIAL.match(number)):
        number = f"{own}{serial[1]}"
    dated = _DATED.match(lines[end].text.strip()) if own and end < len(lines) else None
    if dated and dated["by"]:
        by = "、".join(dated["by"].split())
        return _Head(end + 1, number, by, own, _tight(dated["day"]))
    return _Head(end, number, "、".join(organs), own)


def _number_below(lines: Sequence[Line], start: int) -> tuple[str, int]:
    """As published texts have it: beneath the title."""
    if start < len(lines):
        text = lines[start].text.strip().strip("()（）").replace(" ", "")
        if _NUMBER.match(text):
            return text, start + 1
    return "", start


def _standard(number: str, notes: list[Say]) -> str:
    """A number as the standard writes it; what was wrong with it is noted."""
    found = _NUMBER.match(number)
    if not found or not found["organ"]:
        return number
    if found["open"] + found["close"] != "〔〕":
        notes.append(Say("发文字号“{number}”的年份括号应为六角括号〔〕", number=number))
    if found["th"] or found["zeros"]:
        notes.append(Say("发文字号“{number}”的序号不加“第”、不编虚位", number=number))
    return bracketed(f"{found['organ']}〔{found['year']}〕{found['n']}号")


# ---------------------------------------------------------------- 标题


def _title(lines: Sequence[Line], start: int, name: str) -> tuple[str, int]:
    """The title's lines joined, and where the text begins."""
    taken: list[str] = []
    for line in lines[start : start + TITLE_LINES]:
        text = line.text.strip()
        if not _may_be_title(text, line, taken):
            break
        taken.append(text)
        if _TITLE_ENDS.search("".join(taken)) and not _goes_on(lines, start + len(taken)):
            break
    joined = _joined(taken)
    return (joined, start + len(taken)) if joined else (name, start)


def _may_be_title(text: str, line: Line, taken: Sequence[str]) -> bool:
    if text.endswith(("：", ":", "。", "；", "，")) or len(text) > 80 or _DATED.match(text):
        return False
    if _NUMBER.match(text.strip("()（）").replace(" ", "")):
        return False
    whole = bool(taken) and bool(_TITLE_ENDS.search("".join(taken)))
    return not taken or line.centred or (not whole and len(text) <= 40)


def _goes_on(lines: Sequence[Line], n: int) -> bool:
    """Is the title set over one more line, as “（试行）” or the rest of a long one is?"""
    if n >= len(lines) or not lines[n].centred:
        return False
    text = lines[n].text.strip()
    return (
        not text.endswith(("：", ":"))
        and bool(_TITLE_ENDS.search(text) or re.fullmatch(r"[(（][^()（）]{1,20}[)）]", text))
        and not _DATED.match(text)
    )


def _joined(parts: Sequence[str]) -> str:
    whole = ""
    for part in parts:
        gap = " " if whole[-1:].isascii() and whole[-1:].isalnum() and part[:1].isascii() else ""
        whole += gap + _SPREAD.sub(_between, part)
    return whole


def _between(gap: re.Match[str]) -> str:
    """Nothing; but one space between organs that issue a document together."""
    name = re.split(r"\s", gap.string[: gap.start()])[-1]
    return " " if len(name) >= _A_NAME and _ORGAN_ENDS.search(name) else ""


# ---------------------------------------------------------------- 署名、成文日期、附注、版记


def _signature(lines: Sequence[Line], start: int) -> tuple[list[Line], str, str, int]:
    """The text, the 署名, the 成文日期 and the line after: by the first line that is a date alone.

    A date beneath the title, in brackets, is the day a published text was formed.
    """
    for n in range(start, len(lines)):
        found = _DATED.match(lines[n].text.strip())
        if not found:
            continue
        if n == start and n + 1 < len(lines):  # beneath the title
            text, signed, _, after = _signature(lines, n + 1)
            return text, signed, _tight(found["day"]), after
        by, begins = _signers(lines, start, n)
        signed = "、".join((*by, *found["by"].split()))
        return list(lines[start:begins]), signed, _tight(found["day"]), n + 1
    end = next((n for n in range(start, len(lines)) if _PRINTED.search(lines[n].text)), len(lines))
    return list(lines[start:end]), "", "", end


def _signers(lines: Sequence[Line], start: int, n: int) -> tuple[list[str], int]:
    """The organs named just above the date, and the line they begin on."""
    names: list[str] = []
    while n - 1 > start and len(names) < 6:
        parts = lines[n - 1].text.split()
        if any(len(part) < 3 for part in parts):  # one name, spread over the line
            parts = ["".join(parts)]
        if len(parts) > 4 or not all(len(p) <= 40 and _ORGAN_ENDS.search(p) for p in parts):
            break
        names[:0] = parts
        n -= 1
    return names, n


def _tail(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """附注, and what the attachments say; the 版记 is left out."""
    texts = ((line, line.text.strip()) for line in lines)
    kept = [line for line, text in texts if not _PRINTED.search(text) and not _PUBLIC.match(text)]
    begins = next((n for n, line in enumerate(kept) if _ATTACHED.match(line.text.strip())), None)
    begins = len(kept) if begins is None else begins
    return kept[:begins], kept[begins:]


def _attached(text: Sequence[Line]) -> list[str]:
    """The names under 附件说明, numbered or not."""
    for n, line in enumerate(text):
        if found := _NAMES.match(line.text.strip()):
            names = [found["first"]]
            for more in text[n + 1 :]:
                if not _NEXT.match(more.text):
                    break
                names.append(more.text)
            return [_NEXT.sub(r"\g<name>", name.strip()).strip(" 　。；;，、") for name in names]
    return []


def _tight(text: str) -> str:
    return "".join(text.split())
