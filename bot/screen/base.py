"""What the rules share: the text as they read it, what they know beside it, what they say of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, cast

from bot.model import Capabilities, LinkLook, Media, Severity

# A number as it is written, in a pattern: read whole and begun nowhere but at its beginning, so that a
# run of digits without end costs no more than it is long.
FIGURE = r"(?=[0-9])(?<![0-9])(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]++(?:\.[0-9]++)?)"


class Hit(NamedTuple):
    """One finding in a folded text: `start` and `end` are places in what the rule was given."""

    rule: str
    severity: Severity
    start: int
    end: int
    message: str
    suggestion: str = ""


@dataclass(frozen=True)
class Context:
    """What is known beside the text. Each default means: not known, so nothing is said of it."""

    on: date | None = None  # the day it will be read; a date without a year is near to it
    scheduled: bool = False  # it is read on another day than it is written
    capabilities: Capabilities | None = None  # of the account it would stand on
    media: Sequence[Media] | None = None  # that stand under the text; () is none
    earlier: Sequence[str] = ()  # what the account has sent
    alt_required: bool = False  # the account lets no picture through without words
    part: bool = False  # a piece of a longer text: what opens here may close elsewhere
    links: Mapping[str, LinkLook] = field(default_factory=dict)  # addresses that were looked up


class Check(NamedTuple):
    """`find` tells what it finds in a folded text, each under one of `rules`. It is asked where one of
    `signs` stands in the text; () asks it always."""

    rules: tuple[str, ...]
    find: Callable[[str, Context], Iterator[Hit]]
    signs: tuple[str, ...] = ()


# Figures and letters in full width, the blanks, and the roman ten that stands in for X.
_FOLD = {0xFF01 + i: 0x21 + i for i in range(0x5E) if chr(0x21 + i).isalnum()}
_FOLD |= dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], 0x20)
_FOLD |= {0x2169: ord("X"), 0x2179: ord("x")}
# The traditional forms of the letters in the words that rules look for: a mark is one in either
# hand. One for one, and none that is written in simplified texts too (乾, 著, 瞭).
_TRADITIONAL = (
    "並亞佈佔併來侷係俬倆個偉偽備傢傳僅僑價億優儲兒內兩冊別刪則剋創劃動務勞勢匯區協參員問啞喨單噸"
    "噹嚮嚴國圍園圖團埰執報場塊壯夢奧婦孃學宮實寧審寫寶將專對導屆層屬島峽崗嶼帳帶幹幾廈廢廣廳張強"
    "彆彙從復徹愛態慶憑應懞戰戲戶捨捲掃掛採換揮搆撥撾擊據擴攝敗數斷時晉暫曆曏曬書會東條棟業構樂樓"
    "標樣橋機檔檢檯櫃欄權歲歷歸殘毀毬氣決沒況洩減測準滬滿漢澤濟瀾灣災為無煙熱燬爐爾狀獨獲獻現環瓊"
    "產畝異當瘋療癒癡癥癱發盞監眾睏砲碩確碼礙礦祕禮稅種稱穩穫箇節範簡簽籌籤粵糧糰紀約紅納級終組結"
    "絕絡給統經綜維網綴線編緬緻縣總織繪繫繳纍纔罣罰羅義習聞聯職聽聾脫臺與興舉舊莊華萊萬葯蓆蓋薩藝"
    "藥蘇蘭處虛號虧蠻術衛補裝裡製複覈見規視親覺覽觀訂計訊討託記訪設許訴註証評詞試話該詳誌認語誡誤"
    "說課調談請論諸謂講證識議護讀負財貧貨貫責貴費貼貿資賓賣質賬賸購贛跼踰車軍軟較載輔輛輪輸轉辦農"
    "迴這連週進運過達遞適選遼還邊郵鄉鄧醫釣銀銷鋒錄錯錶鍾鎮鏈鐘鐵鑑鑒長門閉開間閣閩閱關陝陸陽隊階"
    "際險隸隻離難雲電韓頁頃項須預頒頓領頭題額類風颱餘館馬駐駕驗體髮鬚魚魯鮮麵點黨鼕齡齣龍裏爲衆羣"
    "啓綫後"
)
_SIMPLIFIED = (
    "并亚布占并来局系私俩个伟伪备家传仅侨价亿优储儿内两册别删则克创划动务劳势汇区协参员问哑亮单吨"
    "当向严国围园图团采执报场块壮梦奥妇娘学宫实宁审写宝将专对导届层属岛峡岗屿帐带干几厦废广厅张强"
    "别汇从复彻爱态庆凭应蒙战戏户舍卷扫挂采换挥构拨挝击据扩摄败数断时晋暂历向晒书会东条栋业构乐楼"
    "标样桥机档检台柜栏权岁历归残毁球气决没况泄减测准沪满汉泽济澜湾灾为无烟热毁炉尔状独获献现环琼"
    "产亩异当疯疗愈痴症瘫发盏监众困炮硕确码碍矿秘礼税种称稳获个节范简签筹签粤粮团纪约红纳级终组结"
    "绝络给统经综维网缀线编缅致县总织绘系缴累才挂罚罗义习闻联职听聋脱台与兴举旧庄华莱万药席盖萨艺"
    "药苏兰处虚号亏蛮术卫补装里制复核见规视亲觉览观订计讯讨托记访设许诉注证评词试话该详志认语诫误"
    "说课调谈请论诸谓讲证识议护读负财贫货贯责贵费贴贸资宾卖质账剩购赣局逾车军软较载辅辆轮输转办农"
    "回这连周进运过达递适选辽还边邮乡邓医钓银销锋录错表钟镇链钟铁鉴鉴长门闭开间阁闽阅关陕陆阳队阶"
    "际险隶只离难云电韩页顷项须预颁顿领头题额类风台余馆马驻驾验体发须鱼鲁鲜面点党冬龄出龙里为众群"
    "启线后"
)
_FOLD |= str.maketrans(_TRADITIONAL, _SIMPLIFIED)
_FOLDABLE = re.compile(f"[０-９Ａ-Ｚａ-ｚⅩⅹ\u00a0\u2000-\u200a\u202f\u205f\u3000{_TRADITIONAL}]")
_UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0f\ufeff]")
_ANY = re.compile(f"[{_FOLDABLE.pattern[1:-1]}{_UNSEEN.pattern[1:-1]}]")
_SPACED = re.compile(" [\u4e00-\u9fff] ")
_SPREAD = re.compile(
    "(?<![\u4e00-\u9fff])[\u4e00-\u9fff](?: [\u4e00-\u9fff](?![\u4e00-\u9fff])){2,}"
)


class _Late:
    """A pattern that is compiled when it is first asked; then its methods are the pattern's own."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._written = pattern, flags

    def __getattr__(self, name: str) -> object:
        compiled = re.compile(*self._written)
        for method in ("search", "match", "fullmatch", "finditer", "findall", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def late(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """re.compile, at first use: most texts ask few of the long patterns, and 50 ms is a start's."""
    return cast("re.Pattern[str]", _Late(pattern, flags))


def fold(text: str) -> tuple[str, list[int] | None]:
    """`text` with half-width figures and letters, without invisible characters, and with the
    blanks taken out of words that are spread (内 部 资 料, three letters or more).

    With it, where any was left out, the place in `text` of each character that stayed.
    """
    if not _ANY.search(text) and not _SPACED.search(text):  # most texts
        return text, None
    if _FOLDABLE.search(text):
        text = text.translate(_FOLD)
    spaced = _SPACED.search(text)
    if text.isascii() or not (spaced or _UNSEEN.search(text)):
        return text, None
    out = {m.start() + 1 + 2 * i for m in _SPREAD.finditer(text) for i in range(len(m[0]) // 2)}
    places = [i for i, c in enumerate(text) if i not in out and not _UNSEEN.match(c)]
    return "".join([text[i] for i in places]), places


def finder(signs: Collection[str]) -> Any:
    """What finds all of some words in one pass; the first use of any costs 6 ms."""
    from ahocorasick_rs import AhoCorasick, MatchKind

    return AhoCorasick(signs, MatchKind.Standard, store_patterns=False)


def found(signs: Any, text: str) -> list[tuple[int, int, int]]:
    """Which of a finder's words stand where: their number, start and end."""
    return cast("list[tuple[int, int, int]]", signs.find_matches_as_indexes(text, overlapping=True))
