"""What Weibo's answers say: codes, odd types, ids, times, texts, listings. No call is made here.

What follows from a code: the table in wire.py.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from bot import text
from bot.adapters.base import Answer
from bot.language import Say
from bot.model import Outgoing, Receipt, RemoteReply, ReplyPage

Json = dict[str, Any]

EPOCH = 515483463  # seconds: an id is (unix time - EPOCH) << 22, and a number within the second
OVERLAP = 600 << 22  # of ids: comments approved late stand below those already read
WINDOW = 200  # how far a walk of the whole account looks back, in each stream
MANY, FEW = 200, 50  # of comments in a page: the most it may hold, and the least of the most
EMPTY = 5  # of them in a row, filtered to nothing, before a walk gives up

# ---------------------------------------------------------------- what the codes mean
# fmt: off

ACCEPTED = frozenset({20032, 20044})
BEFORE = frozenset({10002, 10009, 20014, 21331})
RETRY = frozenset({10001, 10003, 10010, 10011, 10025, 20607})
RATE = frozenset({10022, 10023, 10024, 20016, 20505, 20521, 20524})
AUTH = frozenset({10032, 21301, *range(21314, 21320), 21321, 21325, 21327, 21330, 21332})
BLOCKED = frozenset({10013, 20015, 20022, 20023, 20031, 20033, 20045, 20507, 21334})
APPLICATION = frozenset(
    {*range(21302, 21314), 21320, 21322, 21323, 21324, 21326, 21328, 21329, 21333}
)
NOT_GRANTED = frozenset({10004, 10005, 10014, 10020, 10026, 21337})  # of one call, not of all
CONTENT = frozenset(
    {10018, 20005, 20006, 20008, 20012, 20013, 20018, 20020, 20021, 20049}
    | {20104, 20130, 20202, 20206, 20207, 20302, 21602}
)
DUPLICATE = frozenset({20017, 20019, 20038, 20111, 20306})
NOT_FOUND = frozenset({20003, 20101, 20112, 20132, 20135, 20201, 20305})
THEIRS = frozenset({20130, 20206, 20207})  # their settings: no other words would be taken
NO_TOKEN, BAD_VALUE, PAST_THE_END = 10006, 10017, 21411
BY_ADDRESS, TOO_OFTEN = 10022, 20016

# fmt: on

IN_WORDS = {  # of what officers meet; the platform's own words stand beside them
    10004: Say("这个接口不许从本服务器的 IP 调用，请核对开放平台的“安全 IP”"),
    10005: Say("应用的等级不够，不能用这个接口"),
    10006: Say("应用的 App Key 不被承认"),
    10013: Say("不是有效的微博用户"),
    10014: Say("应用没有这个接口的权限"),
    10016: Say("缺少必需的参数，请核对账号的 rip 等选项"),
    10018: Say("图片太大"),
    10020: Say("没有这个接口，请核对接口地址"),
    10026: Say("这个接口已停用"),
    10032: Say("授权的范围不够"),
    20005: Say("图片格式不收"),
    20006: Say("图片太大"),
    20008: Say("正文是空的"),
    20012: Say("超过 140 字"),
    20013: Say("超过 300 字"),
    20015: Say("账号、IP 或应用暂时受限，请用该账号登录微博查看"),
    20018: Say("含有不许发布的网址"),
    20020: Say("被认作广告"),
    20021: Say("含有不许发布的内容"),
    20022: Say("本服务器的 IP 被认为异常，请联系微博"),
    20023: Say("该功能不可用，请联系微博"),
    20031: Say("要求验证码，请用该账号在网页上登录处理"),
    20033: Say("登录状态异常，请用该账号在网页上登录处理"),
    20045: Say("微博要求先在网页上处理，请用该账号登录"),
    20049: Say("超过长微博的字数"),
    20101: Say("原微博已不在"),
    20102: Say("不是本账号的微博"),
    20103: Say("不能转发自己的微博"),
    20112: Say("原微博不让看"),
    20120: Say("原微博不许转发"),
    20130: Say("对方的设置不允许评论"),
    20135: Say("原微博已不在"),
    20201: Say("原评论已不在"),
    20202: Say("含有不许发布的内容"),
    20206: Say("对方只许关注的人评论"),
    20207: Say("对方只许可信用户评论"),
    21301: Say("授权没有通过"),
    21314: Say("授权已用过"),
    21315: Say("授权已到期"),
    21316: Say("授权已被收回"),
    21317: Say("授权被拒绝"),
    21319: Say("授权已被收回"),
    21321: Say("授权已被解除，或应用未过审核而授权用户已满"),
    21327: Say("授权已到期"),
    21330: Say("授权被拒绝，或范围不够"),
    21332: Say("授权无效，可能改过密码"),
    21334: Say("账号状态异常，请登录处理"),
    21602: Say("含有违禁词"),
}
NOT_BOUND = Say("应用没有登记安全域名，或还没有核准")
NO_DOMAIN = Say("正文里没有安全域名下的链接；有的应用要求域名与登记的完全一致")

# ---------------------------------------------------------------- listings


@dataclass(frozen=True)
class Page:
    """A page of a listing. `total`: the platform's own count, which may exceed what it shows."""

    rows: list[Json]
    total: int | None
    at: datetime


@dataclass(frozen=True)
class Own:
    """What we wrote, newest first; `why` it may not be all since `since`, or ""."""

    rows: list[Json]
    since: datetime
    why: str = ""


@dataclass
class Walk:
    """A walk through the comments under one post; the cursor is what of it must be kept.

    Pages are numbered below the newest comment of the first, so that new ones move none. A page
    may be short or empty in the middle, since Weibo filters after it counts.
    """

    page: int = 1
    top: int = 0
    seen: int = 0
    total: int = -1  # unknown
    size: int = MANY
    since: int = 0  # an incremental walk: only what is newer
    barren: int = 0  # pages in a row that brought nothing

    @classmethod
    def of(cls, cursor: str | None) -> Walk:
        return cls(**{name: int(value) for name, value in parse_qsl(cursor or "")})

    @property
    def over(self) -> bool:
        """By the platform's count; else at a page without news, once as many as it counts went by.

        Where more were seen than it counts, its count is old and proves nothing.
        """
        if self.seen == self.total or self.barren > EMPTY:
            return True
        counted = not self.since and (self.page - 1) * self.size < self.total
        return self.barren > 0 and not counted

    def params(self, status_id: str) -> dict[str, str]:
        params = {"id": status_id, "count": str(MANY), "page": str(self.page)}
        if self.since:
            params["since_id"] = str(with_overlap(self.since))
        if self.page > 1:
            params["max_id"] = str(self.top)
        return params

    def take(self, page: Page, fresh: Mapping[str, Json]) -> None:
        if self.page == 1:
            self.top = max([self.since, *map(int, fresh)])
            self.size = MANY if len(fresh) > FEW else FEW
        self.total = self.total if page.total is None else page.total
        self.seen += len(fresh)
        self.barren = 0 if fresh else self.barren + 1
        self.page += 1

    def page_of(self, replies: tuple[RemoteReply, ...]) -> ReplyPage:
        total = None if self.since or self.total < 0 else self.total
        if not self.over:
            return ReplyPage(replies, cursor=urlencode(asdict(self)), total=total)
        resume = urlencode({"since": self.top}) if self.top else None
        why, whole = "" if self.since else self._why(), self.barren <= EMPTY
        return ReplyPage(replies, resume=resume, total=total, complete=whole, why_partial=why)

    def _why(self) -> str:
        """A few that are not shown are usual; where most are not, absence proves no deletion."""
        if self.seen * 2 >= self.total and self.barren <= EMPTY:
            return ""
        said = Say(
            "平台计 {m} 条，只列出 {n} 条：其余被精选、过滤或已删除", m=self.total, n=self.seen
        )
        return str(said)


def onward(walk: dict[str, str], at: int, page: Page) -> bool:
    """Note what a page of a stream told; is there more to read of it?"""
    ids = [int(id_of(row)) for row in page.rows]
    seen, since = int(walk.get("seen", 0)) + len(ids), int(walk.get(f"since{at}") or 0)
    if ids:
        walk.setdefault(f"top{at}", str(max(ids)))
    if not ids or seen == page.total:
        return False
    if since and min(ids) <= since:  # back at what was known
        return False
    if not since and seen >= WINDOW:
        walk["cut"] = str(Say("每次只回看最近 {n} 条；更早的随各条微博采集", n=WINDOW))
        return False
    walk |= {"max": str(min(ids) - 1), "seen": str(seen)}
    return True


def resting(walk: Mapping[str, str]) -> ReplyPage:
    """The end of a walk of the account: where the next one begins."""
    kept = {name: walk[name] for name in ("uid", "n0", "n1", "n2")}
    newest = {f"since{at}": walk.get(f"top{at}") or walk.get(f"since{at}") for at in range(3)}
    resume = urlencode(kept | {name: one for name, one in newest.items() if one})
    return ReplyPage(resume=resume, complete=not walk["cut"], why_partial=walk["cut"])


def with_overlap(newest: int) -> int:
    return max(0, newest - OVERLAP)


def reaches(rows: Sequence[Json], since: datetime) -> bool:
    """Does a page, newest first, go back beyond `since`? Not if its order is odd."""
    times = [when(row) for row in rows]
    return bool(times) and times[-1] < since and times == sorted(times, reverse=True)


# ---------------------------------------------------------------- codes, types, times


def code_of(answer: Answer) -> int | None:
    """The error code of an answer, a number or its digits; None where there is none."""
    value = answer.json()
    return number(value.get("error_code")) if isinstance(value, dict) else None


def meaning_of(code: int, answer: Answer) -> frozenset[int]:
    """Which of the sets above; an empty one where nothing but a refusal is meant."""
    if code == BAD_VALUE:  # three things in one code: its words tell
        meant = in_words(code, answer)
        if meant is NOT_BOUND:
            return APPLICATION
        return CONTENT if meant is NO_DOMAIN else frozenset()
    sets = ACCEPTED, BEFORE, RETRY, AUTH, BLOCKED, APPLICATION, NOT_GRANTED, CONTENT, DUPLICATE
    for known in sets:
        if code in known:
            return known
    if 10000 <= code < 20000 and answer.status >= 500:
        return RETRY
    return AUTH if 21300 <= code < 21400 and code != 21335 else frozenset()


def in_words(code: int, answer: Answer) -> Say | None:
    """What a code says to an officer, in our own words; None where only the platform's tell."""
    if code != BAD_VALUE:
        return IN_WORDS.get(code)
    words = words_of(answer).lower()
    if "not bind domain" in words:
        return NOT_BOUND
    return NO_DOMAIN if "not find domain" in words else None


def words_of(answer: Answer) -> str:
    """The platform's own reason, as short as it can be had, without our credential."""
    value = answer.json()
    said = None
    if isinstance(value, dict):
        said = value.get("error_description") or value.get("error")
    return answer.blot(str(said or f"HTTP {answer.status}"))[:200]


def number(value: Any) -> int | None:
    """Weibo writes numbers as numbers or as strings, and not always the same ones."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def id_of(value: Any) -> str:
    """As text: `id` alone may have lost digits on its way. "" where there is none."""
    row = value if isinstance(value, dict) else {}
    found = (str(row.get(name) or "") for name in ("mid", "idstr", "id"))
    return next((one for one in found if one.isascii() and one.isdigit()), "")


def is_one(value: Any) -> bool:
    return bool(id_of(value))


def name_of(user: Any) -> str:
    row = user if isinstance(user, dict) else {}
    return str(row.get("screen_name") or row.get("name") or "")


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_TIME = re.compile(r"\w{3} (\w{3}) (\d\d?) (\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d) (\d{4})")


def when(row: Mapping[str, Any]) -> datetime:
    """ "Tue May 31 17:46:55 +0800 2011", in English whatever our locale; else what its id tells."""
    told = _TIME.fullmatch(str(row.get("created_at")))
    if told and told[1] in _MONTHS:
        month, offset = _MONTHS.index(told[1]) + 1, f"{told[6]}:{told[7]}"
        with suppress(ValueError):
            return datetime.fromisoformat(
                f"{told[8]}-{month:02}-{int(told[2]):02}T{told[3]}:{told[4]}:{told[5]}{offset}"
            ).astimezone(UTC)
    return datetime.fromtimestamp((int(id_of(row)) >> 22) + EPOCH, UTC)


def until_reset(quota: Mapping[str, Any]) -> timedelta:
    """Until the quota is reset: seconds to go, an epoch, a Beijing time; else the next full hour."""
    now = datetime.now(UTC)
    seconds = number(quota.get("reset_time_in_seconds")) or 0
    if seconds > 1_000_000_000:
        seconds -= int(now.timestamp())
    if seconds <= 0:
        with suppress(ValueError):
            there = datetime.fromisoformat(f"{quota.get('reset_time')}+08:00")
            seconds = int((there - now).total_seconds())
    if seconds <= 0:
        seconds = 3600 - (now.minute * 60 + now.second)
    return timedelta(seconds=min(max(seconds, 60), 86400))


def ends_at(info: Mapping[str, Any], at: datetime) -> datetime | None:
    """When the token ends. Lifetimes are whole minutes, so that every check gives the same."""
    left, made = number(info.get("expire_in")), number(info.get("create_at"))
    if left is None:
        return None
    if made is None:
        return (at + timedelta(seconds=left)).replace(second=0, microsecond=0)
    lifetime = round((at.timestamp() - made + left) / 60) * 60
    return datetime.fromtimestamp(made + lifetime, UTC)


_BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mid62(mid: str) -> str:
    """A post's id as it stands in its address: seven digits at a time, from the right, as four."""
    groups = [mid[max(0, end - 7) : end] for end in range(len(mid), 0, -7)]
    return "".join(_base62(int(group)).rjust(4, "0") for group in reversed(groups)).lstrip("0")


def mid_of(said: str) -> str:
    """The id that stands in an address; what is none, or is one already, as it is."""
    if not re.fullmatch(r"[0-9a-zA-Z]{5,12}", said):
        return said
    groups = [said[max(0, end - 4) : end] for end in range(len(said), 0, -4)]
    numbers = [sum(62**n * _BASE62.index(c) for n, c in enumerate(g[::-1])) for g in groups]
    return "".join(f"{number:07}" for number in reversed(numbers)).lstrip("0")


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits


# ---------------------------------------------------------------- posts and comments


SHORT_LINK = re.compile(r"https?://t\.cn/[A-Za-z0-9]+")
_PREFIX = re.compile(r"^\s*回复\s*@[^:：\s]+\s*[:：]")
_MORE = re.compile(r"(?:\.{3}|…+)?\s*全文\s*[:：]?\s*(?:https?://[!-~]+)?\s*$")


def is_comment(receipt: Receipt) -> bool:
    return "#" in receipt.url


def is_kind(row: Json, outgoing: Outgoing) -> bool:
    """A post of ours that reposts nothing; a comment of ours that answers what it should."""
    to = outgoing.in_reply_to
    if not to:
        return not row.get("retweeted_status")
    above, top = id_of(row.get("reply_comment")), str(row.get("rootid") or "0")
    return to in (above or top, id_of(row.get("status")) if not above else "")


def text_of(row: Mapping[str, Any]) -> str:
    """The whole of it, where Weibo gives a long one whole."""
    long = row.get("longText")
    if isinstance(long, dict):
        long = long.get("content") or long.get("longTextContent")
    return str(long or row.get("text") or "")


def said_in(row: Json) -> str:
    """All of its own fields: where exactly a link's true address stands is not documented."""
    own = {k: v for k, v in row.items() if k not in ("user", "status", "retweeted_status")}
    return unquote(json.dumps(own, ensure_ascii=False))


def tells_its_links(row: Json) -> bool:
    """Does it say where its links lead, beside its text or in it?"""
    written = (text_of(row)[start:end] for start, end in text.links(text_of(row)))
    return bool(row.get("url_objects")) or any(not SHORT_LINK.match(link) for link in written)


def same_words(row: Json, outgoing: Outgoing) -> bool:
    """Letters and digits, without links and with or without topics: those are what Weibo alters."""
    theirs, ours = text_of(row), outgoing.text
    if row.get("isLongText") and not row.get("longText") and _MORE.search(theirs):
        begins = _essence(_MORE.sub("", theirs))
        return len(begins) >= FEW and _essence(ours).startswith(begins)
    words = _essence(ours)
    if not words:
        return bool(outgoing.link) and outgoing.link in said_in(row)
    return _essence(theirs) in (words, _essence(text.without_topics(ours)))


def _essence(words: str) -> str:
    words = re.sub(r"https?://[!-~]+", "", _PREFIX.sub("", unescape(words)))
    words = unicodedata.normalize("NFKC", words).casefold()
    return re.sub(r"[\W_]+", "", words) or "".join(words.split())


def shortfalls(status: Json, outgoing: Outgoing) -> str:
    """What was asked for and is not there: it is out all the same, and the officer must know."""
    short = []
    listed = status.get("pic_ids") or status.get("pic_urls") or status.get("original_pic")
    there = len(listed) if isinstance(listed, list) else int(bool(listed))
    if there < len(outgoing.media):
        short.append(Say("平台发出了，但 {n} 张图只挂上 {m} 张", n=len(outgoing.media), m=there))
    to = status.get("visible")
    if isinstance(to, dict) and number(to.get("type")):
        short.append(Say("平台收下了，但没有对公众显示"))
    return "；".join(map(str, short))


def picture(kind: str, content: bytes) -> dict[str, tuple[str, bytes, str]]:
    """The field is named `pic`, and Weibo wants a file's name and kind with it."""
    return {"pic": (f"pic.{kind.rpartition('/')[2]}", content, kind)}
