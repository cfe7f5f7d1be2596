"""What an entry is, told by its title, number, column and text: a pure reading of words.

政策文件 (to be interpreted, bears a number) · 解读 · a decision with a shorter term · a 公示 of people
that must be taken down.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from bot.model import Entry

_INTERPRETS = re.compile("解读|图解|一图读懂|政策问答|答记者问")
_ON_INTERPRETING = re.compile("解读(?:工作|机制|制度|任务)[^》]*(?:通知|意见|办法|方案|制度|规定)")
_NORMATIVE = re.compile(
    "(?:意见|办法|规定|细则|规则|方案|条例|规划|计划|措施|预案|决定|规范)"
    "(?:[(（][^()（）]{1,20}[)）])?》?(?:的通知)?(?:[(（][^()（）]{1,30}号[)）])?$"
)
_NOT_YET = re.compile("征求意见|草案|公示|听证|采纳情况")
_GUIDES = re.compile("目录|指南|清单|流程|须知|办法|规定|统计|年报|年度报告")
_DECIDES = re.compile("决定|公示|结果|信息")
_QUOTED = re.compile("《([^《》]{4,80})》")
_NUMBERED = re.compile(r"[\u4e00-\u9fff]{1,15}[〔\[(（]\d{4}[〕\])）]\d{1,5}号")
_ABOUT = re.compile("关于.{4,}")


def normal(text: str) -> str:
    """A title as it is compared: width, spaces and marks apart."""
    kept = (c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())
    return "".join(kept)


def interprets(entry: Entry) -> bool:
    return tells(entry.title) or "解读" in entry.column


def tells(title: str) -> bool:
    """Is a title that of an interpretation? “关于加强政策解读工作的通知” is a document's."""
    return bool(_INTERPRETS.search(title)) and not _ON_INTERPRETING.search(title)


def is_policy(entry: Entry, columns: Iterable[str]) -> bool:
    """A document of policy: it stands in such a column, or bears a number and is of such a kind."""
    if interprets(entry) or _NOT_YET.search(entry.title):
        return False
    in_column = any(word in entry.column for word in columns)
    return in_column or bool(entry.document_number and _NORMATIVE.search(entry.title))


def wants_number(entry: Entry, columns: Iterable[str]) -> bool:
    """Must it bear a 发文字号?"""
    normative = _NORMATIVE.search(entry.title) and not _NOT_YET.search(entry.title)
    return is_policy(entry, columns) or bool(normative and not interprets(entry))


def names(entry: Entry) -> list[str]:
    """What an interpretation may call a document: its number, its own name, the one it issues."""
    title = entry.title.rpartition("(")[0] if entry.title.endswith("号)") else entry.title
    found = [title, *_QUOTED.findall(title), *_ABOUT.findall(title), entry.document_number]
    return [name for name in map(normal, found) if len(name) >= 6] or [normal(title)]


class Interpretations:
    """What a catalogue's interpretations speak of: their titles, and the names they quote."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._quoted: set[str] = set()
        titles: list[str] = []
        for entry in filter(interprets, entries):
            text = f"{entry.summary[:500]}\n{entry.body[:3000]}"
            self._quoted.update(map(normal, _QUOTED.findall(f"{entry.title}\n{text}")))
            titles += (normal(entry.title), *map(normal, _NUMBERED.findall(text)))
        self._titles = "\n".join(titles)

    def speak_of(self, entry: Entry) -> bool:
        called = names(entry)
        return not self._quoted.isdisjoint(called) or any(one in self._titles for one in called)


def kind_of_decision(entry: Entry, kinds: Iterable[str]) -> str:
    """The kind (行政许可, 行政处罚) an entry is a decision of; empty for any other entry."""
    if _GUIDES.search(entry.title):
        return ""
    for kind in kinds:
        here = kind in entry.column or kind in entry.topic
        if here or (kind in entry.title and _DECIDES.search(entry.title.partition(kind)[2])):
            return kind
    return ""


def is_list_of_people(entry: Entry, words: Sequence[str]) -> bool:
    return "公示" in entry.title and any(word in entry.title for word in words)


# ---------------------------------------------------------------- how long a 公示 stands

_DAY = r"(?:(?P<y{0}>\d{{4}})年)?(?:(?P<m{0}>\d{{1,2}})月)?(?P<d{0}>\d{{1,2}})日"
_PERIOD = re.compile(
    "公示(?:期|时间|日期)[^。\n]{0,12}?"
    + _DAY.format(1)
    + r"[^。\n]{0,6}?[至到—–~-]+\s*"
    + _DAY.format(2)
)
_LENGTH = re.compile(
    r"公示(?:期|时间)[^。\n]{0,8}?(?P<n>\d{1,3}|[一二三五七十]{1,2})个?(?P<unit>工作日|自然日|日|天)(?!至)"
)
_WORDS = {"一": 1, "二": 2, "三": 3, "五": 5, "七": 7, "十": 10, "十五": 15, "二十": 20}


def stands_until(
    entry: Entry, begins: date, add: Callable[[date, int], date], default: int
) -> date:
    """The last day of a 公示: the one it names, else so many days after it began.

    `add` adds working days. Raises what `add` raises.
    """
    text = "".join((entry.body or entry.summary).split(" "))
    if found := _PERIOD.search(text):
        year = int(found["y2"] or found["y1"] or begins.year)
        try:
            return date(year, int(found["m2"] or found["m1"] or begins.month), int(found["d2"]))
        except ValueError:
            pass
    length = _LENGTH.search(text)
    if length is None:
        return add(begins, default)
    n = int(length["n"]) if length["n"].isdecimal() else _WORDS.get(length["n"], default)
    return add(begins, n) if length["unit"] == "工作日" else begins + timedelta(days=n)
