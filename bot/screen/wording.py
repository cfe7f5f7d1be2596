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
_HAN = "[\u4e00-\u9fff]"
_ONE = "(?:台湾|香港|澳门)"
_REGION = "(?:台湾|香港|澳门|港、?澳(?:、?台)?|台、?港、?澳|台、?澳、?港|港、?台|台、?港)"
_MORE = "(?:地区|同胞|居民|特别行政区|特区|当局|问题|海峡|岛)"
_COUNTRIES = (
    "美国|日本|韩国|朝鲜|俄罗斯|英国|法国|德国|意大利|加拿大|澳大利亚|新西兰|新加坡|马来西亚|泰国|越南|菲律宾"
    "|印度尼西亚|印尼|印度|巴西|南非|西班牙|荷兰|瑞士|瑞典|缅甸|柬埔寨|老挝|蒙古国?|墨西哥|阿根廷"
)
_AND = "(?:、|和|与|及|以及)"
_AS_STATES = r"(?:等(?:主要|周边|多个|众多|亚洲|东亚|有关)?国(?!家?(?:和|或|与|及|（|\(|、)(?:其他)?地区)(?:家)?|国家(?!(?:和|或|与|及|、)地区)|各国|[0-9一二三四五六七八九十]+个?国(?:家(?!(?:和|或|与|及|、)地区))?)"
_ABROAD = "(?:海外|国外|外国)"
_GO = "(?:赴|去|到|前往|飞往|往返)"
_WHO = "(?:学者|专家|代表|选手|企业|企业家|运动员|游客|学生|青年|作家|演员|居民|民众|人)"
_ORGAN_OF_TAIWAN = (
    "总统府?|副总统|行政院|立法院|监察院|司法院|考试院|(?:外交|国防|教育|内政|经济|财政|交通|法务|卫福|文化|劳动|农业|环境|卫生福利|数位发展)部(?![门分])"
    "|国防部长|移民署|海巡署|警政署|环保署|观光局|国安局|气象署|央行|国会|中央政府|政府(?!间|采购|部门)"
)
_BESIDE_KINDS = {
    "among countries": (
        rf"(?:{_COUNTRIES})(?:、{_HAN}{{2,6}}?){{0,3}}?{_AND}{_REGION}"
        rf"(?!{_MORE}|[^，。；\n]{{0,24}}地区)[^，。；\n]{{0,12}}?{_AS_STATES}"
        rf"|{_REGION}省?(?:、|和|与)(?:{_COUNTRIES})[^，。；\n]{{0,16}}?(?:等国(?!家和地区|家或地区|家（地区)|[0-9一二三四五六七八九十]+个?国(?:家(?!(?:和|或|与|及|、)地区))?)"
        rf"|(?<=[、：与和及往自销于到]){_ONE}(?:、{_HAN}{{2,8}}?){{0,5}}(?:{_AND}{_HAN}{{2,8}}?)?等?(?:[0-9]+|[一二三四五六七八九十]+|多|数)个?国家(?!(?:和|或|与|及|、|（)地区)"
        rf"|{_REGION}(?:等国(?!家[和或与及、（(])|各国)|{_REGION}等(?:主要|周边|多个|其他|有关)国家(?![和或与及、（(])"
        rf"|{_REGION}(?:地区)?(?:及|和|与|、|以及)(?:国外|海外)?其[他它]国家(?!和地区|或地区)"
    ),
    "beside China": (
        rf"(?<![和与及、同])中国(?:、|和|与|及|同|跟){_ONE}(?!当局)"
        rf"|中国(?:、(?:{_COUNTRIES}))+(?:、|和|与|及){_ONE}(?!地区|同胞|居民|特别行政区|当局|等国家和地区)"
        rf"|国内(?:游客|市场|企业|客商|消费者)?(?:及|和|与|、|或){_REGION}|{_REGION}(?:地区)?(?:、|以及|及|和|与)国内(?!外)|中国大陆(?:政府|当局)"
        rf"|国内(?:居民|公民|游客|旅客|人员)?(?:赴|前往|去往?|到){_REGION}|按国别[^。；\n]{{0,12}}{_REGION}"
        r"|中[港澳台](?:两国|两地|关系)"
        rf"|从{_REGION}(?:地区)?(?:直接)?(?:(?:回到?|返回|来到?|前往|赴|去|飞往|入境)中国(?!大陆|内地)|回国|归国|返国)"
        rf"|{_REGION}(?:与|和|到|同|跟|比|及)中国(?=两|之间|的?(?:关系|贸易|往来|交流|合作)|签|经贸|设|[，。；、]|$)"
        rf"|从中国(?:回到?|返回?|去|到|飞往){_ONE}"
        rf"|中国{_WHO}(?:和|与|、|及|同){_ONE}{_WHO}|(?:{_ONE}|大陆|内地)(?:和|与|、|及)(?:祖国)?(?:大陆|内地|{_ONE})(?:两国|之间的两国)"
        rf"|在{_ONE}的中国(?:人|公民)|{_ONE}(?:回|返)国(?!民|际)"
        r"|中国(?:代表)?队[^。；\n]{0,12}?[、和与]台湾(?:代表)?队(?!员)|台湾(?:代表)?队[、和与][^。；\n]{0,8}?中国(?:代表)?队"
        rf"|中、港、[台澳]|中、台、|两岸、港|(?<![其])中[港台](?:两|三|四)地"
    ),
    "as abroad": (
        rf"出国(?:、|和|或|及)?(?:到|去)?{_REGION}(?!、)(?:旅游|探亲|留学)"
        rf"|出国(?:旅游|探亲|留学|务工|考察|劳务)?(?:到|去|前往|飞往){_REGION}|出国(?:旅游|探亲|留学|务工|考察)?赴{_ONE}"
        rf"|{_REGION}(?:、{_ONE}){{0,4}}(?:地区)?出国(?!留)|出国[（(](?:含|包括){_REGION}"
        rf"|(?:出国游|国外游|海外游|出国旅游|国外旅游)[^。；\n，、和及或与（(赴]{{0,10}}{_REGION}"
        rf"|(?:{_REGION}|台北|高雄)(?:的|之间的)?(?:直飞)?国际(?:航线|航班|列车|长途|漫游)"
        rf"|国际(?:航线|航班|列车)(?:(?!地区)[^。；\n，、和及或与（(]){{0,8}}?(?:飞往|直飞|前往|抵达|往返|至|到){_REGION}"
        rf"|国际(?:航线|航班)(?:(?!地区|港澳)[^。；\n]){{0,14}}?(?:飞往|直飞|通达|开往)(?:(?!地区|国内)[^。；，\n]){{0,14}}?{_REGION}"
        rf"|{_REGION}(?:地区)?的{_ABROAD}(?:游客|客商|朋友|友人|嘉宾|学生|企业)"
        rf"|{_ABROAD}(?:游客|客商|市场)?[（(，,]?(?:含|包括|包含|如|例如){_REGION}|{_ABROAD}[（(]{_REGION}[^）)]{{0,4}}[）)]"
        rf"|(?:国外|外国|境外国家){_AND}{_REGION}等?国"
        rf"|{_REGION}(?:地区)?等{_ABROAD}|(?:包括|含|包含){_REGION}(?:地区)?(?:在内的|等)(?:海外|国外|外国|各国)"
        rf"|(?:台湾|台胞|台商|港澳台?)(?:地区)?(?:等|籍)?(?:的)?(?:外资企业|外企|外籍(?!人士?[和及、]|家)|外国人|外商独资|外宾|外籍学生)"
        rf"|{_ONE}(?:、{_ONE}){{1,4}}(?:地区)?等?(?:外籍|外国(?!友|嘉|和)|外企|外资企业)|{_REGION}(?:地区)?等(?:外籍|外企|外资企业)"
        r"|(?:台湾|香港|澳门|港澳台?)(?:籍|地区)?(?:委员|同胞|乡亲|青年|学生|居民|代表|企业家|人士)[^，。；\n和与及、]{0,4}(?:回国|归国)"
        rf"|台湾(?:籍)?(?:侨胞|侨民|华侨)|(?:台湾|香港|澳门)(?:籍)?外(?:国)?(?:留学生|专家)"
        r"|(?:来华|赴华|访华|在华)(?:投资|旅游|经商|访问|参访|创业|发展|兴业|工作|学习|就业)[^。，；\n、和及与]{0,6}"
        r"(?:台商|台胞|台企|台湾|港商|港胞|港澳|香港|澳门)"
        r"|(?:台商|台胞|台企|台资|港商|港胞|港资|澳商|澳胞|台湾|香港|澳门)[^。；\n]{0,30}?(?:来华|赴华|访华|在华)(?=投资|旅游|经商|访问|参访|兴业|创业|发展|企业|[，。、])"
    ),
    "mainland": (  # 大陆 goes with 台湾, 内地 with 香港 and 澳门
        rf"大陆(?:居民|游客|旅客|企业|学生|市民|人员|民众)?(?:{_GO}|和|与|及|、)(?:香港|澳门|港澳(?!台))"
        rf"|内地(?:的)?台(?:商|胞|企|资|青)|大陆(?:的)?港(?:商|资|企)|内地(?:居民|游客|旅客|企业|学生|市民|人员|民众)?{_GO}台湾?|内地(?:居民|游客|企业|学生|青年|高校){_AND}台湾"
        r"|港澳(?:居民|同胞)(?:来往|往来)大陆|台湾(?:居民|同胞)(?:来往|往来)内地"
        r"|(?:香港|澳门|港澳)(?:居民|同胞|青年|学生|企业|企业家)?(?:来|到|赴|在|返回?|回到?|北上)大陆"
        r"|(?:台湾|台胞|台商|台企|台青)(?:居民|同胞|青年|学生|企业|企业家)?(?:来|到|赴|在|返回?|回到?)内地"
        r"|(?:港|澳|港澳)(?:资|商|胞)[^。，；\n]{0,6}(?:来|到|赴|在)大陆"
    ),
    "organs of Taiwan": (
        rf"台(?:湾)?(?:地区|当局|方面)(?:的|现任|前)?(?:{_ORGAN_OF_TAIWAN})|台湾(?:现任|前|的)(?:{_ORGAN_OF_TAIWAN})"
        r"|台湾[^。，；、\n]{0,8}(?:首都|首府|国都)|首都台北|民进党政府|(?<!“)(?:总统|行政院长)(?:赖清德|蔡英文|马英九)"
    ),
    "Republic of China": (
        r"(?<![“《第])中华民国(?!时期|临时|成立|元年|[初末一二三四五六七八九十0-9]|史|政府[^。]{0,20}(?:19|年)|之|约法|建立|南京|大总统|档案|教育部)"
    ),
    "heads": r"(?:香港|澳门)(?:特区|特别行政区)政府(?:的)?(?:首脑|首长(?!级)|总统|主席|区长|总督)",
    "peoples": (
        r"(?<![一二三两几这那每多梦0-9])回回(?=群众|人|民族|同胞|老乡|百姓|兄弟|村民|居民|商户|饭馆|饭店|餐馆|餐厅)"
        r"|维民(?=群众|[同结和、，。])|(?<![“‘\"华])东突(?=恐怖|分子|分裂|势力|组织)"
    ),
}
_BESIDE = late("|".join(_BESIDE_KINDS.values()))
REGION_SIGNS = (
    *("台湾", "香港", "澳门", "港澳", "港台", "台港", "港、澳", "港、台", "中国大陆", "中华民国"),
    *(
        "来华",
        "赴华",
        "访华",
        "在华",
        "中、",
        "两岸、",
        "中港",
        "中台",
        "台北",
        "高雄",
        "回回",
        "维民",
        "东突",
    ),
    *(
        "台胞",
        "台商",
        "台企",
        "港资",
        "港商",
        "港胞",
        "台当局",
        "台地区",
        "台方面",
        "内地台",
        "大陆港",
    ),
    *("民进党", "赖清德", "蔡英文", "马英九"),
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


# ---------------------------------------------------------------- respectful-wording

# Who is not yet judged is no 罪犯 (刑事诉讼法 art. 12).
_UNJUDGED = late(
    "(?:抓获|抓捕|刑拘|刑事拘留|批捕|批准逮捕|逮捕|传唤|讯问|审讯|提起公诉|起诉)(?:了)?"
    r"[^。；，、\n的]{0,8}?(?:罪犯|犯人|人犯)(?![罪嫌]|脱逃|子女|家属)"
)
_UNJUDGED_SAID = Say("未经法院判决，不称罪犯。请改为犯罪嫌疑人（已起诉的称被告人）").text


def unjudged(text: str, context: Context) -> Iterator[Hit]:
    """抓获盗窃罪犯3名."""
    for match in _UNJUDGED.finditer(text):
        yield Hit("respectful-wording", Severity.WARN, *match.span(), _UNJUDGED_SAID)


# ---------------------------------------------------------------- organ-name

_NTH = "[一二三四五六七八九]"
_TENTH = f"[一二]?十{_NTH}?"  # 十四, 二十
_SET_PHRASES = {
    "four of a kind": (
        rf"政治意识、大局意识、核心意识、(?!看齐意识){_HAN}{{2}}意识|道路自信、理论自信、制度自信、(?!文化自信){_HAN}{{2}}自信"
        rf"|形式主义、官僚主义、享乐主义(?:和|、)(?!奢靡之风){_HAN}{{2}}之风"
    ),
    "congress and plenum": (
        r"党的(?:[一二三四五]?十[一二三四五六七八九]?)大[一二三四五六七]中全会|党的第?[0-9]{1,2}(?:大(?![量型力项])|届)"
        rf"|党的第[二一]?十{_NTH}?大(?!精神所)|党的{_TENTH}届(?![一二三四五六七]中|中央|[一二三四五六七]次|中纪委|全国)"
        rf"|(?:党的|中国共产党)第{_TENTH}届全国代表大会|党的{_TENTH}届[一二三四五六七](?:次全会|中全体会议)"
        "|中共(?:二十|十[八九])届[一二三四五六七]次全"
    ),
    "people's congress": (
        "[一二]?十[一二三四五六七]次全国人大|全国人大[一二]?十[一二三四五六七]次[一二三四五]次会议|人民代表会(?!议)"
    ),
    "the theory": (
        "习近平总书(?!记)|习近平新时代中国特色社会(?!主义)"
        "|习近平新时代中国特色社会主义(?!思想|经济|外交|法治|生态|文化)"
    ),
}
_PARTY = late("|".join(_SET_PHRASES.values()))
_PLACE = "[省市县区州]"
# Another organ's form: 县政府办公厅, 中共云澜县人民政府, 县人大主席.
_FORMS = {
    "the Party's government": (
        rf"中共{_HAN}{{0,3}}(?<!委)(?:省|市|县|区|州|镇|乡)(?:人民)?政府|(?<!人大)(?:中共|中国共产党){_HAN}{{1,8}}[省市县区]委委员会"
        rf"|{_PLACE}委(?:人大常委会|人民政府|人民代表大会)|{_PLACE}政府、{_PLACE}委(?!会|员|办)"
    ),
    "office": (
        "(?:县|镇|乡|街道|(?<![治特政])区)(?:委|人民政府|政府)办公厅|(?<![驻在])国务院办公室(?!厅)|中共中央办公室|中央办公室厅"
        rf"|{_PLACE}委(?:(?:组织|宣传|统战|社会工作)(?:厅|局|委)|政法(?:部|局|厅))"
    ),
    "head": "(?:省|市|县|(?<!工)区|州)人大(?:主席|委员长|主任(?!委员|会议))|政协(?:委员长|主任(?!委员|会议))",
    "committee": (
        rf"{_PLACE}政协委员会(?![见议谈场长员同上])|(?<!院){_PLACE}纪检委(?!员)|届[一二三四五六七八九十]{{1,3}}次全体大会"
        "|[康革]委会(?![议见上同商客后前场员])|[康革督]委员会?(?:局|部(?!分|门)|厅)|厅部(?![门分署队位级长委属])|代表大会常务委(?!员)"
    ),
    "rank": (
        "(?<![京津海庆古西藏夏疆治])省人民法院|[省市县](?:税务|市场监督管理|市场监管|广播电视)总局"
    ),
}
_FORM = late("|".join(_FORMS.values()))
_PARTY_SAID = Say("党的会议、理论的固定提法疑有误。请核对全称").text
_NAME_SAID = Say("机构名称疑有误。请核对全称").text


PARTY_SIGNS = ("党", "次全", "时代", "人大", "代表会", "总书", "意识", "自信", "主义")
ORGAN_SIGNS = (
    *("办公", "中共", "中国共产党", "人大", "政协", "政府、", "纪检委", "省人民法院", "总局"),
    *("委人民", "委组织", "委宣传", "委统战", "委政法", "委社会", "全体大会"),
    *("健康委", "改革委", "监督委", "厅部", "大会常务委"),
)


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
