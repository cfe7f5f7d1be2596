"""What a template may do with a value. Several ask the account that is written for.

`account` is what bot.compose tells a template of it; where there is none (a title) the plain form
is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from bot import text
from bot.language import Say
from bot.model import Capabilities, Topics, Unit
from bot.screen import screen

# 《通用规范汉字表》's compound surnames that are met; a name of one of these keeps both characters.
_COMPOUND = (
    "欧阳|太史|上官|端木|司马|东方|独孤|南宫|万俟|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|"
    "太叔|申屠|公孙|慕容|仲孙|钟离|长孙|宇文|司徒|鲜于|司空|闾丘|子车|亓官|司寇|令狐|百里|呼延|东郭|南门"
)
_PERSON = re.compile(rf"(?P<surname>(?:{_COMPOUND})(?=[㐀-鿿]{{1,2}}$)|[㐀-鿿](?=[㐀-鿿]{{1,2}}$))")
_BODIES = tuple("局院店厂部社所馆会行队校园司站场")


@pass_context
def fit(context: Context, value: str, n: int) -> str:
    """`value` in at most n of the account's units, cut at the end of a sentence."""
    account: Mapping[str, Any] = context.get("account") or {}
    unit = Unit(account.get("unit") or Unit.CHARACTERS)
    room = Capabilities(
        text_limit=n,
        unit=Unit.CHARACTERS if unit is Unit.NONE else unit,
        link_weight=account.get("link_weight") or 0,
    )
    try:
        return text.fit(value, room) if value else ""
    except ValueError:
        raise ValueError(str(Say("{n} 个字里放不下“{text}”", n=n, text=value[:12]))) from None


@pass_context
def topic(context: Context, value: str) -> str:
    """A topic tag in the platform's form; nothing where the platform has none."""
    account: Mapping[str, Any] = context.get("account") or {}
    return text.topic(value, Topics(account.get("topic_form") or Topics.NONE))


def chinese_time(at: datetime) -> str:
    """2026年11月24日9时30分, as official texts write an hour; the full hour without minutes."""
    minutes = f"{at.minute}分" if at.minute else ""
    return f"{text.chinese_date(at)}{at.hour}时{minutes}"


def short_time(at: datetime) -> str:
    """11月24日9时30分: within the year."""
    return chinese_time(at).partition("年")[2]


def short_date(day: date) -> str:
    """11月24日."""
    return text.chinese_date(day).partition("年")[2]


def book_title(title: str) -> str:
    """《title》; marks inside become 〈〉 (GB/T 15834-2011, 4.15). One that is whole already stays."""
    title = title.strip()
    if not title or (title[0] == "《" and title.find("》") == len(title) - 1):
        return title
    return f"《{title.replace('《', '〈').replace('》', '〉')}》"


def numbered(title: str, number: str) -> str:
    """`title` with its document number after it, unless it says that itself."""
    if not number or text.document_key(number) in text.document_key(title):
        return title
    return f"{title}（{number}）"


def headed(title: str, label: str) -> str:
    """【label】 and `title`; one that begins so already stays."""
    return title if title.startswith("【") else f"【{label}】{title}"


def leaf(column: str) -> str:
    """The last of a column's path: 通知公告 of 首页/政务公开/通知公告."""
    return next((one.strip() for one in reversed(_STEPS.split(column)) if one.strip()), "")


_STEPS = re.compile(r"[/\\>＞»]")
_ISSUER = re.compile(
    r"(?P<bodies>[㐀-鿿（）、 \u3000]{1,60}?[府室会部委厅局院处台站队所心组])"
    r"(?=关于|发布|变更|升级|继续|解除|公告|通告|[0-9]{4}年)"
)


def issuer(title: str) -> str:
    """The bodies that a title says it is from (云澜县气象台发布…, 县政府关于…); "" for none."""
    found = _ISSUER.match(title)
    return found["bodies"] if found else ""


def bodies(value: str) -> str:
    """Names of several bodies, which catalogues part by blanks, as a sentence lists them: with 、."""
    return re.sub(r"(?<=[㐀-鿿])[ \u3000]+(?=[㐀-鿿])", "、", value)


def sentence(value: str) -> str:
    """`value` with a full stop, where it ends without a mark."""
    value = value.rstrip(" \u3000\n，、；,;")
    return value if not value or value[-1] in "。！？…!?”’」』）》】." else f"{value}。"


def mask(value: str) -> str:
    """`value` with personal data hidden as screening suggests it."""
    for finding in reversed(screen(value)):
        if "*" in finding.suggestion:
            value = value[: finding.start] + finding.suggestion + value[finding.end :]
    return value


def mask_name(value: str) -> str:
    """A person's name with all but the surname hidden (张*、欧阳**); an organisation's as it is.

    A name of two or three characters, or four after a compound surname, or with a “·”, is a person's,
    unless it ends as bodies do (水务局).
    """
    if "·" in value:
        first = value.partition("·")[0]
        return first + "·" + "*" * (len(value) - len(first) - 1)
    found = None if value.endswith(_BODIES) else _PERSON.match(value)
    return found[0] + "*" * (len(value) - found.end()) if found else value


def mask_names(value: str, party: str) -> str:
    """`value` with the natural persons that `party` names (张三、李四) hidden as mask_name does."""
    for name in re.split(r"[、，,；;和\s]+", re.sub(r"[（(][^）)]*[）)]?", "", party)):
        value = value.replace(name, mask_name(name)) if name else value
    return value


_SURNAME = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧肖程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟"
    "汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦"
    "季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左涂谷祁时舒耿牟卜路詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈"
)
_NAME = rf"(?:(?:{_COMPOUND})|[{_SURNAME}])[㐀-鿿]{{1,2}}"
_FULL_NAME = _NAME.replace("{1,2}", "{2}")  # of two characters many a word is (石油, 方案)
_PARTY = re.compile(
    r"(?:当事人|被处罚人|违法行为人|被执行人)(?:姓名|名称)?(?:\s*[:：]\s*|(?![于向时成任][㐀-鿿]{1,2}(?:[^（(㐀-鿿]|$)))"
    rf"(?P<called>{_NAME}(?:、{_NAME})*)(?=[（(，,。；;：:\s]|$)"
    rf"|(?:对|关于)(?P<about>{_FULL_NAME}(?:、{_FULL_NAME})*)(?=(?:等人)?(?:无证|无照|未|非法|擅自|违反"
    r"|违法|涉嫌|销售|生产|经营|驾驶|的行政处罚|作出|案))"
)
_PLACES = tuple("区县镇乡村市街路业类品")


def parties(value: str) -> str:
    """The natural persons that a penalty's own words name as its party: 张三、李四; "" for none.

    Whom it calls 当事人, and whom it is about (对张三丰无证经营…), where that reads as a name.
    """
    found = "、".join(m["called"] or m["about"] for m in _PARTY.finditer(value)).split("、")
    return "、".join(name for name in dict.fromkeys(found) if not name.endswith(_BODIES + _PLACES))


# Whom a document addresses (GB/T 9704: 主送机关), and labels that catalogues put before a text.
_ADDRESSED = re.compile(
    r"\s*(?:(?:信息)?来源[:：][^\n]*(?:\n|$)"
    r"|各[^。；！？\n:：]{0,80}(?:单位|部门|企业|机构|政府|委员会|管委会|街道|办事处|局|公司|学校|协会|商会|用户|居民|市民"
    r"|村民|人员|考生)[:：])\s*"
)


def gist(value: str) -> str:
    """`value` from where it says something: without “来源：…” and “各有关单位：” before it."""
    while found := _ADDRESSED.match(value):
        value = value[found.end() :]
    return value


# Kinds of 《气象灾害预警信号》 and of the other departments' warnings that carry a colour.
_SIGNAL = re.compile(
    "(?:台风|暴雨|暴雪|寒潮|大风|沙尘暴|高温|干旱|雷电|冰雹|霜冻|大雾|霾|道路结冰|强对流(?:天气)?|洪水|山洪(?:灾害)?"
    "|地质灾害|森林火险|重污染天气|低温|渍涝|城市内涝)(?:气象风险)?[蓝黄橙红]色预警"
)


def signal(title: str) -> str:
    """A warning's kind and colour (暴雨橙色预警) as its title says; "" for one that is lifted."""
    found = _SIGNAL.search(title)
    return found[0] if found and "解除" not in title else ""


class Lacking(ValueError):
    """What a template's own fail("…") raises."""


def fail(words: str) -> str:
    """Nothing can be made as long as this is so: `words` say what is missing."""
    raise Lacking(words)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "bodies": bodies,
    "book_title": book_title,
    "chinese_date": text.chinese_date,
    "chinese_time": chinese_time,
    "fit": fit,
    "gist": gist,
    "headed": headed,
    "issuer": issuer,
    "leaf": leaf,
    "mask": mask,
    "mask_name": mask_name,
    "mask_names": mask_names,
    "numbered": numbered,
    "parties": parties,
    "sentence": sentence,
    "short_date": short_date,
    "short_time": short_time,
    "short_title": text.short_title,
    "signal": signal,
    "topic": topic,
}
