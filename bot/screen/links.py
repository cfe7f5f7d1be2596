"""Links, topics, pictures: what the account's platform and the public's own net make of a post."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

from bot.language import Say
from bot.model import Capabilities, LinkState, Severity, Topics
from bot.screen.base import Context, Hit, late
from bot.text import Spans, asked_as, encoded, links, over

# ---------------------------------------------------------------- short-link, private-link

# Services that hide where a link leads; a platform's own shortener hides it from reviewers too.
SHORTENERS = frozenset(
    [
        "t.cn",
        "url.cn",
        "w.url.cn",
        "dwz.cn",
        "dwz.win",
        "dwz.lc",
        "dwz.mk",
        "dwz.date",
        "suo.im",
        "suo.nz",
        "suo.yt",
        "mrw.so",
        "985.so",
        "sourl.cn",
        "sourl.co",
        "urlc.cn",
        "kurl.cn",
        "kurl.cc",
        "kurl01.cn",
        "u6.gg",
        "c7.gg",
        "m6z.cn",
        "x0.nz",
        "r6d.cn",
        "t.hk.uy",
        "t.im",
        "sina.lt",
        "ft12.com",
        "0x9.me",
        "3.cn",
        "u.jd.com",
        "tb.cn",
        "m.tb.cn",
        "b23.tv",
        "v.douyin.com",
        "v.kuaishou.com",
        "xhslink.com",
        "reurl.cc",
        "pse.is",
        "lihi.cc",
        "lihi1.com",
        "bit.ly",
        "bitly.com",
        "j.mp",
        "goo.gl",
        "tinyurl.com",
        "tiny.cc",
        "is.gd",
        "v.gd",
        "x.gd",
        "ow.ly",
        "buff.ly",
        "t.co",
        "rb.gy",
        "cutt.ly",
        "s.id",
        "shorturl.at",
        "surl.li",
        "tny.im",
        "rebrand.ly",
        "lnkd.in",
        "fb.me",
        "t.ly",
        "u.nu",
        "qr.ae",
        "adf.ly",
        "bl.ink",
        "short.gy",
        "shorturl.asia",
        "dlvr.it",
        "trib.al",
        "db.tt",
        "aka.ms",
        "clck.ru",
        "vk.cc",
        "xurl.es",
        "t2m.io",
        "soo.gd",
        "2.gy",
        "1url.com",
        "6du.in",
        "z8.cx",
        "yiu.cc",
        "q.cn",
    ]
)
_HOST = late(r"https?://(?:[^/?#@\s]*@)?(\[[0-9a-f:.]+\]|[^/?#:\s]+)", re.I)
_BARE = late(r"[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(:[0-9]{2,5})?(/[!#-;=?-~]*)?")
_LOCAL = late(r"localhost(:[0-9]{2,5})?(/[!#-;=?-~]*)?", re.I)
_INNER_NAME = late(
    r"(?:^|\.)(?:localhost|local|lan|intranet|internal|corp|home|localdomain|private|intra)$"
    r"|(?:^|\.)intranet\.|^[a-z0-9_-]+$",
    re.I,
)
_OTHER = late(
    r"(?:s?ftp|smb|wss?)://([^/?#:\s]+)[!#-;=?-~]*|https?://(\[[0-9a-f:.]+\])[!#-;=?-~]*", re.I
)
_FILE = late(
    r"file://\S+|(?<![\\A-Za-z0-9])\\\\[A-Za-z0-9._-]+\\[^\s，。；）]+|(?<![A-Za-z])[A-Z]:\\[^\s，。；）]+",
    re.I,
)
_SHORT_SAID = Say("短链接看不出去向。请改用原网址").text
_PRIVATE_SAID = Say("内部网络的地址，公众打不开。请改用公开的网址").text


def addresses(text: str, context: Context) -> Iterator[Hit]:
    """Links that hide where they lead, and links that only the office's own net can open."""
    spans = links(text)
    for start, end in spans:
        found = _HOST.match(text, start, end)
        if found:
            yield from _judged(found[1].lower().rstrip("."), start, end)
    for match in _bare(text, spans):
        if any(match.groups()) and not _within(text, match.start(), spans):
            host = re.split("[:/]", match[0].lower(), maxsplit=1)[0]
            yield from _judged(host, *match.span())
    if "://" in text and len(spans) < text.count("://"):
        for match in _OTHER.finditer(text):
            yield from _judged((match[1] or match[2]).lower(), *match.span())
    if "file:" in text or "\\" in text:
        for match in _FILE.finditer(text):
            yield Hit("private-link", Severity.WARN, *match.span(), _PRIVATE_SAID)


# ---------------------------------------------------------------- net-disk, broken-link, personal-mail

_DISK = late(
    r"(?:pan\.(?:baidu|quark|xunlei)|yun\.baidu|alipan|aliyundrive|123pan|weiyun|lanzou[a-z]|cloud\.189|caiyun\.139)"
    r"\.(?:com|cn)/[!#-;=?-~]+(?:[\s，,（(]{0,2}(?:提取码|访问码|密码)[：: ]{0,2}[A-Za-z0-9]{4})?"
)
_DISKS = ("pan.", "yun.", "yundrive", "lanzou", "cloud.189")
DISK_SIGNS = (*_DISKS, "访问码", "提取码")
_BROKEN = late(
    r"h(?<![A-Za-z]h)(?:h+ttps?|t{3,}ps?|tps?|ptts?|ttps{2,}|ttpps?)[:：]?//[!#-;=?-~]+"
    r"|h(?<![A-Za-z]h)ttps?(?:[:：]/(?!/)|(?!:)//|[；;]//|:///|：//|:\\\\|:// )(?:www\.)?[!#-;=?-~]+"
    r"|w(?<![A-Za-z/.]w)(?:www|w)\.[a-z0-9-]+\.[a-z.]+[!#-;=?-~]*|w(?<![A-Za-z/.]w)ww[,。][a-z0-9-]+\.[a-z.]+[!#-;=?-~]*"
)
_SHARED = late(r"https?://[!#-;=?-~]+[^。\n]{0,6}?(?:提取码|访问码)")
_MAIL = late(
    r"(?<![A-Za-z0-9._-])[A-Za-z0-9._-]++@(?:qq|163|126|139|189|sina|sohu|gmail|hotmail|outlook|foxmail|yeah|21cn|aliyun)\.(?:com|cn|net)",
    re.I,
)
_DISK_SAID = Say("网盘链接，随时会失效，内容也不归本单位管。请放到本单位网站").text
_BROKEN_SAID = Say("网址写错了，点不开。请核对").text
_MAIL_SAID = Say("公众邮箱，不是政务邮箱。请核对能否用于公务").text


def ill_written(text: str, context: Context) -> Iterator[Hit]:
    """An address that is written wrongly: htttp://, http//, wwww."""
    for match in _BROKEN.finditer(text) if _ill_written(text) else ():
        yield Hit("broken-link", Severity.WARN, *match.span(), _BROKEN_SAID)


def disks(text: str, context: Context) -> Iterator[Hit]:
    """A net disk's link."""
    shared = "访问码" in text or "提取码" in text
    for match in _DISK.finditer(text) if any(map(text.__contains__, _DISKS)) else ():
        shared = False
        yield Hit("net-disk", Severity.WARN, *match.span(), _DISK_SAID)
    for match in _SHARED.finditer(text) if shared else ():
        yield Hit("net-disk", Severity.WARN, *match.span(), _DISK_SAID)


def mail(text: str, context: Context) -> Iterator[Hit]:
    """A mailbox of a public provider."""
    for match in _MAIL.finditer(text):
        yield Hit("personal-mail", Severity.NOTE, *match.span(), _MAIL_SAID)


def _ill_written(text: str) -> bool:
    """May an address be written wrongly: is there a sign of one outside the right ones, or two in one?"""
    rest, at = "", 0
    for start, end in links(text):
        tied = start > 0 and text[start - 1].isascii() and text[start - 1].isalpha()
        if tied or text.find("http", start + 1, end) > 0:
            return True
        rest, at = rest + text[at:start], end
    rest += text[at:]
    return ("p" in rest and "tp" in rest) or ("w" in rest and "ww" in rest)


def _bare(text: str, spans: Spans) -> Iterator[re.Match[str]]:
    """Hosts without https://; none is looked for where all points stand in links."""
    if text.count(".") > sum(text.count(".", start, end) for start, end in spans):
        yield from _BARE.finditer(text)
    if "localhost" in text:
        yield from _LOCAL.finditer(text)


_JOINED = frozenset("@/:._-")


def _within(text: str, at: int, spans: Spans) -> bool:
    """Is it a piece of a link, of a path or of an address of mail?"""
    return text[at - 1 : at] in _JOINED or any(s <= at < e for s, e in spans)


def _judged(host: str, start: int, end: int) -> Iterator[Hit]:
    if host in SHORTENERS or host.removeprefix("www.") in SHORTENERS:
        yield Hit("short-link", Severity.WARN, start, end, _SHORT_SAID)
    elif _inner(host):
        yield Hit("private-link", Severity.WARN, start, end, _PRIVATE_SAID)


@lru_cache(maxsize=4096)  # an office links to few hosts
def _inner(host: str) -> bool:
    """Is it a name or an address of the office's own net? A number alone is an address in disguise."""
    if not (host[-1:].isdigit() or host.endswith("]")):
        return bool(_INNER_NAME.search(host))
    try:
        return not ip_address(int(host) if host.isdigit() else host.strip("[]")).is_global
    except ValueError:
        return bool(_INNER_NAME.search(host))


# ---------------------------------------------------------------- cut-link

_CUT = late(
    r"https?://[!-~]+[/=?&_-](?=[㐀-鿿])[㐀-鿿]+"
    r"(?:[/.=&_-][A-Za-z0-9㐀-鿿]|[?][A-Za-z0-9]+=)[㐀-鿿!#-;=?-~]*",
    re.I,
)
_CUT_SAID = Say("平台把链接断在汉字之前，只会通到前一段。请换成建议的写法").text


def cut(text: str, context: Context) -> Iterator[Hit]:
    """An address with Chinese letters within: platforms end a link before the first of them."""
    ends = [text[end : end + 1] for _, end in links(text)]
    if any("㐀" <= letter <= "鿿" or letter == "?" for letter in ends):
        for match in _CUT.finditer(text):
            yield Hit("cut-link", Severity.WARN, *match.span(), _CUT_SAID, encoded(match[0]))


# ---------------------------------------------------------------- dead-link, unclear-link

LOOKED_UP = (_DEAD, _UNCLEAR) = ("dead-link", "unclear-link")
_GONE_SAID = Say("链接打不开：对方说没有这一页。请核对网址").text
_NO_HOST_SAID = Say("链接打不开：没有这个域名。请核对网址").text
_REFUSED_SAID = Say("链接能否打开，从这里查不清：对方拒绝了或出了错。请自己点开看看").text
_SILENT_SAID = Say("链接能否打开，从这里查不清：没有连上，或没有应答。请自己点开看看").text


def dead(text: str, context: Context) -> Iterator[Hit]:
    """Links that do not open, as those who looked them up say (bot.links); none is asked here.

    What only our own net opens is told as such, and is not asked for.
    """
    if not context.links:
        return
    parameter = context.capabilities.link_parameter if context.capabilities else ""
    for start, end in links(text):
        looked = context.links.get(asked_as(text[start:end], parameter))
        host = _HOST.match(text, start, end)
        if looked is None or not host or _inner(host[1].lower().rstrip(".")):
            continue
        if looked.state is LinkState.DEAD:
            said = _GONE_SAID if looked.status else _NO_HOST_SAID
            yield Hit(_DEAD, Severity.WARN, start, end, said)
        elif looked.state is LinkState.UNREACHABLE:
            said = _REFUSED_SAID if looked.status else _SILENT_SAID
            yield Hit(_UNCLEAR, Severity.NOTE, start, end, said)


# ---------------------------------------------------------------- topic

_TOPIC = late(r"#([^#\n]{1,40})#")
_TAG = late(r"#(?<![\w&#]#)(?![0-9#])[^#\s，。！？；：、（）()【】《》“”]{1,40}")
_LONE = late(r"(?<![\w&#])#[\u4e00-\u9fff]{3,20}(?![\u4e00-\u9fff#])(?=[\s【\W])(?![^\n]*#)")
_PAIRED_SAID = Say("该平台的话题只有前面一个 #，到空格为止").text
_OPEN_SAID = Say("该平台的话题前后各一个 #：#话题#").text
_HALF_SAID = Say("话题的 # 不成对，或里面是空的。请核对").text


def topics(text: str, context: Context) -> Iterator[Hit]:
    """#话题# where the platform takes #话题, and the reverse.

    Nothing is advised where the platform has no topics, or takes #话题# out: that blocks (rendering).
    """
    form = context.capabilities.topic_form if context.capabilities else Topics.NONE
    text = text.replace("＃", "#")
    paired = list(_TOPIC.finditer(text))
    if form is not Topics.BEFORE and _well(text, paired):
        return
    if context.capabilities is None or form is Topics.AROUND:
        yield from _half(text, odd=context.capabilities is None)
    if context.capabilities is None and not paired:
        for tag in _LONE.finditer(text):
            yield Hit("topic", Severity.WARN, *tag.span(), _HALF_SAID)
    if form not in (Topics.BEFORE, Topics.AROUND):
        return
    known = [m.span() for m in paired]
    if form is Topics.BEFORE:
        wrong = [(m, _PAIRED_SAID, f"#{m[1]} ") for m in paired if not re.search(r"\s", m[1])]
    else:
        tags = [m for m in _TAG.finditer(text) if not any(s <= m.start() < e for s, e in known)]
        wrong = [(m, _OPEN_SAID, f"{m[0]}#") for m in tags]
    spans = links(text) if wrong else []
    for match, said, suggestion in wrong:
        if not any(s <= match.start() < e for s, e in spans):
            yield Hit("topic", Severity.WARN, *match.span(), said, suggestion)


def _well(text: str, paired: list[re.Match[str]]) -> bool:
    """Is each # one of a #话题# with a word in it? Most texts' are, and that is told at once."""
    return text.count("#") == 2 * len(paired) and not any(_ill(topic[1]) for topic in paired)


def _half(text: str, odd: bool) -> Iterator[Hit]:
    """A #话题# without a word in it; in a line of such topics (`odd`: told there) one # left over."""
    at = 0
    for line in text.split("\n"):
        if line.count("#") > 1:
            for start, end in _wrong_in(text, at, at + len(line), odd):
                yield Hit("topic", Severity.WARN, start, end + 1, _HALF_SAID)
        at += len(line) + 1


def _wrong_in(text: str, start: int, end: int, odd: bool) -> list[tuple[int, int]]:
    in_links = links(text)
    marks = [m.start() for m in _MARK.finditer(text, start, end)]
    marks = [at for at in marks if not any(s < at < e for s, e in in_links)]
    pairs = [*zip(marks[::2], marks[1::2], strict=False)]
    wrong = [(begins, ends) for begins, ends in pairs if _ill(text[begins + 1 : ends])]
    if odd and len(marks) % 2 and len(wrong) < len(pairs):
        wrong.append((marks[-1], marks[-1]))
    return wrong


def _ill(name: str) -> bool:
    return not name or (len(name) < LONGEST and name.strip() != name)


LONGEST = 30
# Not of C#, #12, &#38;, #ff0000;
_MARK = late(
    r"#(?<!&#)(?<![^A-Za-z0-9#][A-Za-z]#)(?![0-9]{1,3}(?![0-9])|[0-9A-Fa-f]{3,8}[;\"')]|[\"'><])"
)

# ---------------------------------------------------------------- missing-alt, map-approval

_ALT_SAID = Say("图片没有替代文字，视障读者读不到。请补上").text


def alts(text: str, context: Context) -> Iterator[Hit]:
    """A picture without words, on a platform that shows them or an account that requires them."""
    able = context.capabilities
    asked = context.alt_required or (able is not None and able.alt_text)
    if asked and not all(m.alt.strip() for m in context.media or ()):
        yield Hit("missing-alt", Severity.WARN, 0, 0, _ALT_SAID)


_DRAWN = (
    "(?:(?:行政区划|政区|交通|旅游|水系|地形|影像|卫星|疫情|风险区?|分布|规划|区位|导览)?"
    "(?:地图|区划(?:示意|调整)?图|(?:边界|界线|行政|区划|区位|位置)(?:示意|分布)图|(?<=[省市县国区州境])版图(?!书)"
    "|政区图|区位图|水系(?:分布)?图|界线图|地形图|影像图|线网(?:规划)?图|(?<=[县市省区国])交通图))"
)
_SKETCHED = (
    r"(?:示意|分布|分区|路线|绕行|规划)图(?=[^。；\n]{0,8}(?:见附|附后|附下|如下|见下|见配图|见图))"
)
_IN_BRACKETS = r"(?<=见附图)[（(][^（）()\n]{0,16}(?:示意|分布|交通|路线|区位|规划)图"
_OF_ALL = r"(?:全国|全省|全市|中国|世界)[\u4e00-\u9fff]{0,12}(?:地图(?:挂图|册)?|海域图|分布图)"
_MAP = f"(?:{_DRAWN}|{_SKETCHED}|{_IN_BRACKETS}|{_OF_ALL})"
_MAPS = late(_MAP)
# What says, before a map and after it, that it is shown: words, and how far they may be apart.
_SHOWS = (
    ("(?:配图|张)为", 30),
    ("展板[上的]{0,2}", 12),
    ("图 ?[0-9]{1,2}为", 24),
    ("赠送", 16),
    ("采用", 8),
    (r"[【\[（(](?:组?图|图片|配图|地图|附图)[】\]）)]", 16),
    (
        "配发|刊发|登载|刊登|印发|下方|见下|上线|晒出|如图|下图|上图|附图|见图|图为|附件?|附上|扫码查看|点击查看",
        16,
    ),
    (
        "收藏|转存|高清|发布|公布|一图|请看|看懂|配图|推出|点开|图示|请见|见附件[0-9]?|图 ?[0-9]{1,2} ",
        16,
    ),
)
_SHOWN_BY = (
    "[一1-9][张幅份组]",
    "(?:正式|全新|重磅|现已|已|今日|近日|新鲜|隆重|首次|同步)(?:发布|公布|出炉|上线|推出|亮相)",
    r"上线|亮相|[^。；\n]{0,24}(?:见下图|附图见下|见附图|如图所示|见图|见配图)",
    "如下|如图|见下|见附|见图|见配图|请?见附件|见文末|点击查看|附后|来[了啦]|下载|发布|公布|出炉|[：:]|[（(]详?见[附下]?图|[】]",
)
_SHOWN = late(
    "|".join(rf"(?:{words})[^。；\n]{{0,{apart}}}{_MAP}" for words, apart in _SHOWS)
    + rf"|{_MAP}(?:[（(][^（）()\n]{{1,12}}[）)])?(?:{'|'.join(_SHOWN_BY)})"
)
_MAP_APPROVED = late(r"审图号|[\u4e00-\u9fffA-Z]{0,3}S ?[（(〔\[]?[0-9]{4}[）)〕\]]? ?[0-9]+ ?号")
_NO_MAP = late(
    r"(?:负面清单|作战|施工|产业|招商|创新|权力|服务|知识|就业|教育|学习|工作|活|藏宝|任务|手机|导航|电子|高德|百度|腾讯)地图"
)
_MAP_SAID = Say(
    "地图应在适当位置标明审图号（地图管理条例第十五条起）。请补上，或换为不需审核的示意图"
).text


def maps(text: str, context: Context) -> Iterator[Hit]:
    """A map that is shown, in a picture or as the text says, and no 审图号 beside it."""
    alts = " ".join(m.alt for m in context.media or ())
    if ("图" not in text and "图" not in alts) or _MAP_APPROVED.search(text + " " + alts):
        return
    plain = _NO_MAP.sub(lambda m: "　" * len(m[0]), text)
    shown = _SHOWN.search(plain) or (context.media and _MAPS.search(plain))
    if shown:
        yield Hit("map-approval", Severity.WARN, *shown.span(), _MAP_SAID)
    elif _MAPS.search(_NO_MAP.sub("", alts)):
        yield Hit("map-approval", Severity.WARN, 0, 0, _MAP_SAID)


# ---------------------------------------------------------------- over-limit

MOST = 3  # units that a character may count: 23 for a link of eight
_OVER_SAID = Say("超出平台字数上限，标出的部分放不下。请删改").text


def over_limit(text: str, capabilities: Capabilities) -> Iterator[Hit]:
    """What of `text`, as it was handed in, lies beyond the platform's limit."""
    limit, bytes_ = capabilities.text_limit, capabilities.byte_limit
    if MOST * len(text) <= limit and (not bytes_ or 4 * len(text) <= bytes_):
        return  # fits whatever it holds
    if over(text, capabilities):
        lengths = range(len(text) + 1)
        start = bisect_left(lengths, True, key=lambda n: over(text[:n], capabilities) > 0) - 1
        yield Hit("over-limit", Severity.BLOCK, start, len(text), _OVER_SAID)
