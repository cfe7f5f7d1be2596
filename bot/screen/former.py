"""Organs that are no more: a name is a slip only where the text means the organ of today.

Each line of words/former-organ.txt: name<TAB>the month of its end<TAB>what is there now. Right, and
never told, are the name with 原 or 时任 before it, in the title of a document 《》, beside the number of
an order or a document, in a sentence of an older year, or in one that tells of the reform.
Source: the State Council's institutional reforms of 2003, 2008, 2013, 2018 and 2023, and those of
the localities that followed (done by March 2019).
"""

from __future__ import annotations

from datetime import date

from bot.screen.base import late

_END = late("[。！？!?\n]")
_WAS = late(
    r"(?:(?<![还中平草高])原(?![则因来料油本创子始理状告产地先定有])|时任|曾任|历任|(?<![日目])前(?=任|国|中|文|环|农|卫|银|保)|撤销|不再保留|前身|旧称|老)"
    r"[^。；;]{0,24}$"
)
_NUMBERED = late(
    r"^[^，。；;]{0,40}?(?:令(?:[（(]?第|[0-9〔])|公告[（(]?第|公告[0-9〔]|〔[0-9]{4}〕|第?[0-9]{1,4}号|[0-9]{4}年第[0-9])"
)
_REFORMED = late(
    "更名|改名|改称|组建|前身|不再保留|改组|并入|合并|划入|划转|转隶|撤销|沿革|机构改革|成立于|挂牌成立"
    "|废止|失效|原名|旧称|现为|现称|现名|[（(]现|[（(]今|[（(]已|职责整合|曾(?:任|在|经|被|获|用)|时任|历任|生平|参加工作|当年|当时"
)
_YEARS = late(r"(?<![0-9])(?:19|20)[0-9]{2}(?= ?年|〕|[-./][0-9]{1,2}[-./]|\]|）)")
LONG = 1000  # what is longer is a document: one older year in it may be its own

# A name as short as 农业部 is one only by itself: no company's, no other country's, no 农业部门.
_SHORT = late("(?:环保|国土|农业|文化|卫生|铁道|监察|交通|建设|人事|劳动|劳动保障|信息产业)部")
_ELSEWHERE = late("宣传部|学生会|团委|社团|公司|集团|协会|[美英法德俄日韩泰]国|日本|外国")
_ALONE = late(
    "(?:^|[^\u4e00-\u9fff]|国家|接|经|由|据|被|向|和|与|及|获|受|从|照|按|同|将|以|至|报|了|到|是)$"
)
_LONGER = frozenset("门分位署件队落类族首品长下级属")


def told(text: str, start: int, end: int, until: date, on: date | None) -> bool:
    """Does `text`, read on a day, mean by the name of an organ that ended in `until` one of today?"""
    if on is None or on < until or not _by_itself(text, start, end):
        return False
    first = max((m.end() for m in _END.finditer(text, max(0, start - 300), start)), default=0)
    stop = _END.search(text, end)
    last = stop.start() if stop else len(text)
    before, after = text[max(first, start - 200) : start], text[end : min(last, end + 200)]
    if before.rfind("《") > before.rfind("》") or before.rfind("〈") > before.rfind("〉"):
        return False
    if _WAS.search(before) or _NUMBERED.search(after) or _REFORMED.search(before + after):
        return False
    if _SHORT.fullmatch(text, start, end) and _ELSEWHERE.search(before + after):
        return False
    return not _of_its_time(before + after, text, until.year)


def _by_itself(text: str, start: int, end: int) -> bool:
    if text[end : end + 1] in _LONGER and text[end - 1] == "部" and text[end : end + 2] != "部长":
        return False
    if not _SHORT.fullmatch(text, start, end):
        return True
    return bool(_ALONE.search(text[max(0, start - 2) : start]))


def _of_its_time(sentence: str, text: str, last: int) -> bool:
    """Is a year of the organ's own time said: in the sentence, or else of the text?"""
    if near := [int(year) for year in _YEARS.findall(sentence)]:
        return min(near) <= last
    years = [int(year) for year in _YEARS.findall(text)]
    if not years:
        return False
    return min(years) <= last if len(text) > LONG else max(years) <= last
