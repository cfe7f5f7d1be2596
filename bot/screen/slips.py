"""Slips of the pen in ordinary words and set phrases, that no list of words can hold.

A pair of characters (以经, 判绝) is a slip by what stands beside it: 以经 is one in 项目以经建成, and none in
以经济建设为中心, where 经济 is a word; 建全 none in 建全国一流, nor in the name 李建全. A phrase (茅塞盾开) is
one character off, for one that sounds or looks alike. A word or a measure stands twice (120名名).
words/confusions.txt: what sounds or looks like a common word, is none, and in clean text never stood but
where a neighbour explained it. words/neighbours.txt: the words of two characters that may explain.
words/mistaken.txt: what is mistaken for the words of offices; told where the text reads so much likelier with the
right one, counted by words/lexicon.txt: 计术 in 开展计术推广, and 嫌疑入 in 犯罪嫌疑入.
words/phrases.txt, words/alike.txt: the phrases, the characters. How they were made: docs/decisions.md.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bot.language import Say
from bot.model import Severity
from bot.screen.base import Check, Context, Hit, finder, found, late

_WORDS = Path(__file__).parent / "words"
_SAID = Say("疑似错别字。请按建议改，或核对").text
_TWICE_SAID = Say("字词重复。请删去一个，或核对").text


def _lines(file: str) -> Iterator[list[str]]:
    for line in (_WORDS / file).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


# ---------------------------------------------------------------- a pair of characters

# Characters that begin a person's name and little else in a text of an office.
_SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱郭何罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蔡蒋余杜叶程苏魏吕丁沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔汤庞樊邢俞翁颜殷施温霍聂柯伍牛"
)
_CODE = late(
    "[\u4e00-\u9fff]{0,5} ?[〔\\[［【(（] ?(?:19|20)[0-9]{2}"
)  # 清政办发〔2026〕: no words


def _written_wrong(word: str, mistaken: list[str]) -> list[str]:
    """The slips in a word, of what is mistaken for its first character, its second…"""
    parts = ((word[:at], letters, word[at + 1 :]) for at, letters in enumerate(mistaken))
    return [head + letter + tail for head, letters, tail in parts for letter in letters]


def _confusions() -> dict[str, str]:
    """Each slip, and the word it is made for."""
    made: dict[str, str] = {}
    for word, *mistaken in _lines("confusions.txt"):
        made.update(dict.fromkeys(_written_wrong(word, mistaken), word))
    return made


def _mistaken() -> dict[str, tuple[str, int]]:
    """Each slip, the word it is made for, and what that must save."""
    made: dict[str, tuple[str, int]] = {}
    for saved, word, *mistaken in _lines("mistaken.txt"):
        made.update(dict.fromkeys(_written_wrong(word, mistaken), (word, int(saved))))
    return made


class _Slips(NamedTuple):
    """Of each slip, by its number: the word where it stands alone, the one that may read likelier, and
    what that must save. Lists, for 160,000 in two dicts took 40 MB."""

    alone: list[str]
    likelier: list[str]
    saved: bytes


def _word_slip(
    text: str, start: int, end: int, alone: str, likelier: str, saved: int
) -> Hit | None:
    """What is no word, where it stands alone (以经 in 项目以经建成), or where the right one reads likelier."""
    explained = _explained(text, start, end)
    if explained > 1 or text[start - 1 : start] in _SURNAMES or _CODE.match(text, end):
        return None
    named = text[start] in _SURNAMES and "\u4e00" <= text[end : end + 1] <= "\u9fff"
    right = "" if explained or named else alone
    if not right:
        if not likelier or _gain(text, start, end, likelier) < saved + named * _A_NAME:
            return None
        right = likelier
    return Hit("typo", Severity.WARN, start, end, _SAID, right)


def _explained(text: str, start: int, end: int) -> int:
    """On how many sides does the character beside text[start:end] make a word with one of its own?"""
    before, after = text[start - 1 : start + 1], text[end - 1 : end + 1]
    return _word(before) + _word(after)


def _word(pair: str) -> bool:
    return len(pair) == 2 and pair[1] in _neighbours().get(pair[0], "")


@cache
def _neighbours() -> dict[str, str]:
    return {first: seconds for first, seconds in _lines("neighbours.txt")}


# ---------------------------------------------------------------- how likely a text reads

# A text costs what the cheapest words it may be cut into cost: the logarithm of how rare each is. A slip is
# told where the right word saves enough: 5 is a reading a hundred and fifty times likelier.
_A_NAME = 4  # more, where it may begin a person's name
_AROUND = 4  # letters on each side that are read with it
_UNKNOWN = 20
_LONGEST = 6
_NO_WORDS = late("[^\u4e00-\u9fff]")


@cache
def _costs() -> dict[str, int]:
    listed = ((words.split(" "), int(cost)) for cost, words in _lines("lexicon.txt"))
    return {word: cost for words, cost in listed for word in words}


def _gain(text: str, start: int, end: int, right: str) -> int:
    """What `right` saves where text[start:end] stands, with the words beside it; without any it may be a name."""
    before = _NO_WORDS.split(text[max(0, start - _AROUND) : start])[-1]
    after = _NO_WORDS.split(text[end : end + _AROUND])[0]
    if len(before + after) < 2:
        return 0
    return _cost(before + text[start:end] + after) - _cost(before + right + after)


def _cost(text: str) -> int:
    costs = _costs()
    least = [0]
    for end in range(1, len(text) + 1):
        cuts = range(max(0, end - _LONGEST), end - 1)
        letter = least[-1] + costs.get(text[end - 1], _UNKNOWN)
        known = [least[at] + costs[text[at:end]] for at in cuts if text[at:end] in costs]
        least.append(min(letter, *known) if known else letter)
    return least[-1]


# ---------------------------------------------------------------- a set phrase


@dataclass(frozen=True)
class _Phrases:
    """`ends`: what follows a first half, two letters each in one string; `starts`: what comes before
    a last one. Strings, for 50,000 lists would be looked through with every garbage collection."""

    whole: frozenset[str]
    ends: dict[str, str]
    starts: dict[str, str]

    def meant(self, said: str) -> str:
        """The phrase that `said`, four characters, is one slip off; nothing where it is none."""
        first, last = said[:2], said[2:]
        if len(said) < 4 or said in self.whole:
            return ""
        for end in _halves(self.ends.get(first, "")):
            if _off_by_one(last, end):
                return first + end
        for start in _halves(self.starts.get(last, "")):
            if _off_by_one(first, start):
                return start + last
        return ""


def _halves(joined: str) -> Iterator[str]:
    return (joined[at : at + 2] for at in range(0, len(joined), 2))


def _off_by_one(said: str, right: str) -> bool:
    alike = _alike()
    if said[0] == right[0]:
        return said[1] != right[1] and said[1] in alike.get(right[1], "")
    return said[1] == right[1] and said[0] in alike.get(right[0], "")


@cache
def _alike() -> dict[str, frozenset[str]]:
    groups = defaultdict(list)
    for (group,) in _lines("alike.txt"):
        for character in group:
            groups[character].append(group)
    return {character: frozenset("".join(found)) for character, found in groups.items()}


@cache
def _phrases() -> _Phrases:
    whole = frozenset(phrase for (phrase,) in _lines("phrases.txt"))
    ends: dict[str, str] = defaultdict(str)
    starts: dict[str, str] = defaultdict(str)
    for phrase in sorted(whole):
        ends[phrase[:2]] += phrase[2:]
        starts[phrase[2:]] += phrase[:2]
    return _Phrases(whole, ends, starts)


@cache
def _beside() -> dict[str, tuple[str, str, str, str]]:
    """Of each half: the first, second, third and fourth letters of the phrases that have it."""
    known = _phrases()
    ends, starts = known.ends, known.starts
    both = ((half, starts.get(half, ""), ends.get(half, "")) for half in {*ends, *starts})
    return {half: (s[::2], s[1::2], e[::2], e[1::2]) for half, s, e in both}


def _phrase(text: str, start: int, end: int) -> Hit | None:
    """A set phrase with a character that sounds or looks like the right one.

    Half of one stands here; most stand alone, and one letter of the other half beside it says more.
    """
    firsts, seconds, thirds, fourths = _beside()[text[start:end]]
    if thirds and (text[end : end + 1] in thirds or text[end + 1 : end + 2] in fourths):
        at = start
    elif start > 1 and firsts and (text[start - 2] in firsts or text[start - 1] in seconds):
        at = start - 2
    else:
        return None
    right = _phrases().meant(text[at : at + 4])
    if not right or (_word(text[at - 1 : at + 1]) and _stands(text, at, right)):
        return None
    return Hit("typo", Severity.WARN, at, at + 4, _SAID, right)


def _stands(text: str, at: int, right: str) -> bool:
    """Does the letter that is off make a word with one beside it? 冒用 in 嫌疑人冒用, which is no 疑人勿用."""
    off = next(at + n for n in range(4) if text[at + n] != right[n])
    return _word(text[off - 1 : off + 1]) or _word(text[off : off + 2])


# ---------------------------------------------------------------- a word in another's place


def _in_place(sign: str, pattern: re.Pattern[str], right: str) -> Check:
    """截止10月底 for 截至10月底, 到县委组织部报道 for 报到: where the words around tell."""

    def find(text: str, context: Context) -> Iterator[Hit]:
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            yield Hit("typo", Severity.WARN, start, end, _SAID, right)

    return Check(("typo",), find, (sign,))


# Words that are right, but not there. 报名截止10月底 is right: what ends stands before it.
_PEOPLE = (
    "(?:群众|市民|居民|村民|业主|来信人|来电人|投诉人|举报人|信访人|网友|企业|家长|职工|师生|您|你)"
)
_SITE = "(?:网站|平台|系统|官网|账号|帐号|APP|App|客户端|小程序|网址|邮箱|https?:|www)"
IN_PLACE = tuple(
    _in_place(sign, late(pattern), right)
    for sign, pattern, right in (
        (
            "截止",
            r"(?<![名报请稿标间题款收期受时投缴费售票日])截止(?=[0-9]{1,4} ?[年月日])",
            "截至",
        ),
        (
            "报道",
            r"(?<=[到往时前])[^，。；\n]{0,16}?(报道)(?=[，。；）]|$)(?<=[局部校处站室厅院司委办心队]报道)",
            "报到",
        ),
        (
            "反应",
            rf"(?:{_PEOPLE}|所)(反应)(?=的|，|了?[^，。；]{{0,20}}(?:问题|情况|诉求|意见))(?!热烈|良好|迅速)",
            "反映",
        ),
        ("登陆", rf"登陆(?![后前时点地])(?=[^，。；\n]{{0,16}}{_SITE})", "登录"),
        ("启示", "(?<=招聘|寻人|招领|征集|征稿|招租|征婚|寻物)启示", "启事"),
        (
            "必需",
            "必需(?=在[0-9]|于|按|由|经|提前|持|携带|认真|严格|坚持|加强|做到|遵守|符合)",
            "必须",
        ),
        ("渡过", "渡过(?=[^，。；]{0,8}(?:节|假|周末|童年|晚年|时光|一生|生活|夏天|寒冬))", "度过"),
        ("过度期", "过度期", "过渡期"),
        (
            "权力",
            "(?:合法|公民的?|消费者的?|劳动者的?|当事人的?|业主的?|知情|参与|人身|财产|受教育)(权力)",
            "权利",
        ),
        ("界", "第[一二三四五六七八九十百0-9]+(界)(?!限|面|别|点|碑|河|外|内)", "届"),
        ("付", "[一两二三四五六七八九十0-9]付(?=对联|春联|手套|眼镜|口罩|担子|耳机|拐杖)", "副"),
        ("以", "(?<=[目程作务划])以(?=完成|建成|竣工|启动|开工|结束|通过|投入)", "已"),
        (
            "在",
            "(?<=[上下年度])在(?=创新高|上新台阶|添新|传捷报|获佳绩)|一在(?=强调|要求|提醒)",
            "再",
        ),
        (
            "建全",
            "(?<![李张王刘陈杨赵黄周吴徐孙朱])建全(?!国|省|市|县|区|球|面|民|校|村|镇|新|天候|过程|域|链|系列|程|州)",
            "健全",
        ),
        ("公理", "(?<=[0-9万余多])公理", "公里"),
        ("公厘", r"[长距程][^，。；\n]{0,4}?[0-9.]+(公厘)", "公里"),
        ("方米", r"(?<=容积)[^，。；\n]{0,6}?[0-9.]+万?(平方米)", "立方米"),
        ("平方", "(?<=[0-9])平方(?=[，。；、]|$)", "平方米"),
        ("厘米", r"(?:雨|降水)量[^，。；\n]{0,8}?[0-9—–~～-]+(厘米)", "毫米"),
        ("毫升", r"[深厚高长宽]度[^，。；\n]{0,8}?[0-9—–~～-]+(毫升)", "厘米"),
        ("顿", "(?<=[0-9])顿(?=粮|煤|货|钢|油|水|垃圾|级|以|，|。)", "吨"),
        ("母", "(?<=[0-9])母(?=，|。|地|农|耕|水|林|均)", "亩"),
    )
)


# ---------------------------------------------------------------- written twice

_MEASURES = frozenset("名件项条家户元座辆份吨亩台所批处")
_COUNTED = frozenset("0123456789万亿余多")
_DOUBLED = late(r"(..)\1")
# What is said twice on purpose: 一步一步, 很多很多, 一批批.
_OFTEN_ALONE = frozenset("作会以要年月日通到就有在是不也都上下中大小去说看好多被把将向为从")
_ON_PURPOSE = late(r"[一很多大极最几每半两]|(.)\1")


# Verbs that are said twice for doing a little of it: 讨论讨论.
_VERBS = frozenset(
    [
        "讨论",
        "商量",
        "研究",
        "学习",
        "考虑",
        "了解",
        "比较",
        "介绍",
        "总结",
        "活动",
        "休息",
        "锻炼",
        "体验",
        "打听",
        "打扫",
        "收拾",
        "整理",
        "商议",
        "见识",
        "鼓励",
        "照顾",
        "检查",
        "观察",
        "感受",
    ]
)
_SOUNDS = frozenset("哔哩哈啦啪哗噼嘻呵嘿咚叮当轰隆咕噜")


def _by_mistake(said: str) -> bool:
    han = all("\u4e00" <= letter <= "\u9fff" for letter in said)
    on_purpose = _ON_PURPOSE.match(said) or said in _VERBS or set(said) & _SOUNDS
    return han and not on_purpose and said[-1] not in "了着过"


def twice(text: str, context: Context) -> Iterator[Hit]:
    """市民市民."""
    for match in _DOUBLED.finditer(text):
        if _by_mistake(match[1]):
            yield Hit("typo", Severity.WARN, *match.span(), _TWICE_SAID, match[1])


def _double(text: str, start: int, end: int) -> Hit | None:
    """120名名, 前来来: where the second makes no word with what follows."""
    if not _one_too_many(text, start, end):
        return None
    return Hit("typo", Severity.WARN, start, end, _TWICE_SAID, text[start])


def _one_too_many(text: str, start: int, end: int) -> bool:
    letter, before, after = text[start], text[start - 1 : start], text[end : end + 1]
    if after == letter or _word(letter + after):
        return False
    if letter in _MEASURES and before in _COUNTED:
        return True
    joined = letter not in _OFTEN_ALONE and before != "一" and _word(before + letter)
    return joined and not _word(letter * 2) and (before, letter) != ("目", "的")


# ---------------------------------------------------------------- pairs, halves and doubles, in one pass


@cache
def _all_pairs() -> tuple[Any, _Slips, int]:
    """What finds slips, halves of phrases and doubles; the slips; where doubles begin in it."""
    alone, likelier = _confusions(), _mistaken()
    written, halves = [*{**alone, **likelier}], [*_beside()]
    doubles = [2 * letter for letter in _alike()]
    other = [likelier.get(slip, ("", 0)) for slip in written]
    slips = _Slips(
        [alone.get(slip, "") for slip in written],
        [word for word, _ in other],
        bytes(saved for _, saved in other),
    )
    return finder([*written, *halves, *doubles]), slips, len(written) + len(halves)


def words(text: str, context: Context) -> Iterator[Hit]:
    """Slips of two characters, in set phrases, and characters written twice."""
    signs, slips, doubles = _all_pairs()
    told = set()
    for n, start, end in found(signs, text):
        if n < len(slips.saved):
            hit = _word_slip(text, start, end, slips.alone[n], slips.likelier[n], slips.saved[n])
        else:
            hit = _phrase(text, start, end) if n < doubles else _double(text, start, end)
        if hit and hit.start not in told:
            told.add(hit.start)
            yield hit
