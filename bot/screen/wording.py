"""Wording that no list of words can hold: what a name stands beside, and in what order names stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from bot.errors import ConfigError
from bot.language import Say
from bot.model import Severity
from bot.screen.base import Context, Hit, late

# ---------------------------------------------------------------- region-wording

# 新华社新闻信息报道中的禁用词和慎用词: 港澳台 never stand as countries, nor beside 中国 or 国内.
_REGION = "(?:台湾|香港|澳门|港澳台?)"
_COUNTRIES = (
    "美国|日本|韩国|朝鲜|俄罗斯|英国|法国|德国|意大利|加拿大|澳大利亚|新西兰|新加坡|马来西亚|泰国|越南|菲律宾"
    "|印度尼西亚|印尼|印度|巴西|南非|西班牙|荷兰|瑞士|瑞典|缅甸|柬埔寨|老挝|蒙古国?|墨西哥|阿根廷"
)
_BESIDE = late(
    rf"(?:{_COUNTRIES})(?:、[\u4e00-\u9fff]{{2,6}}?){{0,3}}?(?:、|和|与|及|以及){_REGION}"
    rf"(?!地区|同胞|居民|特别行政区|特区|当局|问题|海峡|岛|[^，。；\n]{{0,24}}地区)[^，。；\n]{{0,12}}?(?:等国|国家|各国|[0-9一二三四五六七八九十]+国)"
    rf"|{_REGION}(?:、|和|与)(?:{_COUNTRIES})[^，。；\n]{{0,12}}?(?:等国(?!家和地区|家或地区|家（地区)|[0-9一二三四五六七八九十]+国)"
    rf"|(?<![和与及、同])中国(?:、|和|与|及|同|跟)(?:台湾|香港|澳门)(?!当局)"
    rf"|中国(?:、(?:{_COUNTRIES}))+(?:、|和|与|及)(?:台湾|香港|澳门)(?!地区|同胞|居民|特别行政区|当局|等国家和地区)"
    rf"|国内(?:及|和|与|、|或){_REGION}|{_REGION}(?:等国(?!家[和或与（(])|各国)|中国大陆(?:政府|当局)"
    rf"|出国(?:、|和|或|及)?(?:到|去)?{_REGION}(?!、)(?:旅游|探亲|留学)"
    rf"|出国(?:旅游|探亲|留学|务工|考察|劳务)?(?:到|去|前往|飞往){_REGION}|出国(?:旅游|探亲|留学|务工|考察)?赴(?:香港|澳门|台湾)"
    rf"|(?:出国游|国外游|海外游|出国旅游|国外旅游)[^。；\n，、和及或与（(赴]{{0,10}}{_REGION}"
    rf"|{_REGION}(?:的|之间的)?(?:直飞)?国际(?:航线|航班|列车|长途|漫游)"
    rf"|国际(?:航线|航班|列车)[^。；\n，、和及或与（(]{{0,8}}?(?:飞往|直飞|前往|抵达|往返|至|到){_REGION}"
    rf"|国际(?:航线|航班)[^。；\n、和及或与]{{0,12}}?(?:飞往|直飞){_REGION}"
    rf"|(?:海外|国外|外国)[（(，,]?(?:含|包括|包含|如|例如){_REGION}"
    rf"|{_REGION}(?:地区)?等(?:海外|国外|外国)|(?:包括|含|包含){_REGION}(?:地区)?在内的(?:海外|国外|外国|各国)"
    r"|(?:台商|台胞|台企|台资|港商|港胞|港资|澳商|澳胞|台湾|香港|澳门)[^。；\n]{0,30}?(?:来华|赴华|访华|在华)(?=投资|旅游|经商|访问|参访|兴业|创业|发展|企业|[，。、])"
    r"|(?<![“《第])中华民国(?!时期|临时|成立|元年|[初末一二三四五六七八九十0-9]|史|政府[^。]{0,20}(?:19|年)|之|约法|建立|南京|大总统|档案|教育部)"
    rf"|从{_REGION}(?:直接)?(?:回到?|返回|来到?|前往|赴|去|飞往|入境)中国(?!大陆|内地)"
    rf"|{_REGION}(?:与|和|到|同|跟|比)中国(?=两|之间|的?(?:关系|贸易|往来|交流|合作)|签|经贸|[，。；、]|$)"
)
REGION_SIGNS = (
    "台湾",
    "香港",
    "澳门",
    "港澳",
    "中国大陆",
    "中华民国",
    "来华",
    "赴华",
    "访华",
    "在华",
)
_BESIDE_SAID = Say(
    "香港、澳门、台湾不得与国家并列，也不与“中国”“国内”对举。请改用“国家和地区”“内地”“大陆”等"
).text


def regions(text: str, context: Context) -> Iterator[Hit]:
    """香港, 澳门, 台湾 as if they were countries."""
    for match in _BESIDE.finditer(text):
        yield Hit("region-wording", Severity.WARN, *match.span(), _BESIDE_SAID)


_PLACE_SAID = Say("这个市不在这个省。请核对").text


@cache
def _provinces() -> dict[str, str]:
    """City → its province."""
    lines = (Path(__file__).parent / "words" / "places.txt").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {city: row[0] for row in rows for city in row[1:]}


@cache
def _placed() -> re.Pattern[str]:
    cities = _provinces()
    return re.compile(f"({'|'.join(sorted(set(cities.values())))})省({'|'.join(cities)})市")


def places(text: str, context: Context) -> Iterator[Hit]:
    """河南省济南市."""
    for match in _placed().finditer(text):
        if _provinces()[match[2]] != match[1]:
            right = f"{_provinces()[match[2]]}省{match[2]}市"
            yield Hit("region-wording", Severity.WARN, *match.span(), _PLACE_SAID, right)


# ---------------------------------------------------------------- organ-name

_PARTY = late(
    r"政治意识、大局意识、核心意识、(?!看齐意识)[\u4e00-\u9fff]{2}意识|道路自信、理论自信、制度自信、(?!文化自信)[\u4e00-\u9fff]{2}自信"
    r"|形式主义、官僚主义、享乐主义(?:和|、)(?!奢靡之风)[\u4e00-\u9fff]{2}之风|"
    r"党的(?:[一二三四五]?十[一二三四五六七八九]?)大[一二三四五六七]中全会|党的第?[0-9]{1,2}(?:大(?![量型力项])|届)|党的第[二一]?十[一二三四五六七八九]?大(?!精神所)"
    r"|党的[一二]?十[一二三四五六七八九]?届(?![一二三四五六七]中|中央|[一二三四五六七]次|中纪委|全国)"
    r"|(?:党的|中国共产党)第[一二]?十[一二三四五六七八九]?届全国代表大会|党的[一二]?十[一二三四五六七八九]?届[一二三四五六七](?:次全会|中全体会议)"
    r"|[一二]?十[一二三四五六七]次全国人大|全国人大[一二]?十[一二三四五六七]次[一二三四五]次会议|人民代表会(?!议)"
    r"|习近平总书(?!记)|习近平新时代中国特色社会(?!主义)"
    r"|习近平新时代中国特色社会主义(?!思想|经济|外交|法治|生态|文化)"
)
# Another organ's form: 县政府办公厅, 中共云澜县人民政府, 县人大主席.
_FORM = late(
    "中共[\u4e00-\u9fff]{0,3}(?<!委)(?:省|市|县|区|州|镇|乡)(?:人民)?政府"
    "|(?:县|镇|乡|街道|(?<![治特政])区)(?:委|人民政府|政府)办公厅|(?<![驻在])国务院办公室(?!厅)|中共中央办公室|中央办公室厅"
    "|(?:省|市|县|(?<!工)区|州)人大(?:主席|委员长|主任(?!委员|会议))|(?:省|市|县|区|州)政府、(?:省|市|县|区|州)委(?!会|员|办)|政协(?:委员长|主任(?!委员|会议))|(?<!人大)(?:中共|中国共产党)[\u4e00-\u9fff]{1,8}[省市县区]委委员会"
)
_PARTY_SAID = Say("党的会议、理论的固定提法疑有误。请核对全称").text
_NAME_SAID = Say("机构名称疑有误。请核对全称").text


PARTY_SIGNS = ("党", "时代", "人大", "代表会", "总书", "意识", "自信", "主义")
ORGAN_SIGNS = ("办公", "中共", "中国共产党", "人大", "政协", "政府、")


def party(text: str, context: Context) -> Iterator[Hit]:
    """Names of congresses, plenums and theory that are neither the full nor the set short form."""
    for match in _PARTY.finditer(text):
        yield Hit("organ-name", Severity.WARN, *match.span(), _PARTY_SAID)


def organs(text: str, context: Context) -> Iterator[Hit]:
    """Another organ's form of name: 县政府办公厅, 中共云澜县人民政府, 县人大主席."""
    for match in _FORM.finditer(text):
        yield Hit("organ-name", Severity.WARN, *match.span(), _NAME_SAID)


# ---------------------------------------------------------------- leader-order

_ORDER_SAID = Say("领导同志排序与名单不符。请核对").text
_TITLE_SAID = Say("领导同志的职务与名单不符。请核对").text


@dataclass(frozen=True)
class Leaders:
    """Those whose order and titles an office keeps, the first first: name → titles."""

    titles: Mapping[str, tuple[str, ...]]

    @cached_property
    def _names(self) -> re.Pattern[str]:
        names = sorted(self.titles, key=len, reverse=True)
        return re.compile("|".join(" ?".join(map(re.escape, name)) for name in names))

    @cached_property
    def _titled(self) -> re.Pattern[str]:
        known = {title for titles in self.titles.values() for title in titles}
        words = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
        names = self._names.pattern
        return re.compile(
            rf"((?:{words})(?:、(?:{words})){{0,3}})[、，,：: ]?({names})|({names})(?:同志)?({words})(?!办公)"
        )

    def find(self, text: str) -> Iterator[Hit]:
        """Names of one sentence in another order than the list's; a title that is another's."""
        order = list(self.titles)
        for sentence in re.finditer(r"[^。！？!?；;\n]+", text):
            highest = -1
            for name in self._names.finditer(text, *sentence.span()):
                place = order.index(name[0].replace(" ", ""))
                if place < highest:
                    yield Hit("leader-order", Severity.WARN, *name.span(), _ORDER_SAID)
                highest = max(highest, place)
        if any(self.titles.values()):
            yield from self._wrong_titles(text)

    def _wrong_titles(self, text: str) -> Iterator[Hit]:
        for match in self._titled.finditer(text):
            before, name, named, after = match.groups()
            title, name = before or after, (name or named).replace(" ", "")
            held = self.titles[name]
            if held and not all(any(_holds(h, t) for h in held) for t in title.split("、")):
                said = "、".join(held) + name
                yield Hit("leader-order", Severity.WARN, *match.span(), _TITLE_SAID, said)


def _holds(held: str, title: str) -> bool:
    """县委副书记 is 副书记; 副县长 is no 县长."""
    return held.endswith(title) and not held.removesuffix(title).endswith("副")


def read_leaders(source: str, file: str) -> Leaders:
    """One person a line, in order: name<TAB>title、title. Raises ConfigError with file and line."""
    titles: dict[str, tuple[str, ...]] = {}
    for n, line in enumerate(source.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *held = (part.strip() for part in line.split("\t"))
        if not name or len(held) > 1:
            raise ConfigError(
                "{file} 第 {line} 行：写作 姓名、制表符、职务（几个职务用顿号隔开）",
                file=file,
                line=n,
            )
        if name in titles:
            raise ConfigError("{file} 第 {line} 行：{name} 写了两次", file=file, line=n, name=name)
        titles[name] = tuple(filter(None, re.split("[、，,]", held[0]))) if held else ()
    return Leaders(titles)
