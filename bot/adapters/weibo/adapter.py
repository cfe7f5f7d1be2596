"""新浪微博, by its open platform: ordinary applications, those with grants, and the business API.

What an answer means. The code in the body decides, whatever the HTTP status (docs/adapters.md):

| answer                                         | to a write             | to a read       |
|------------------------------------------------|------------------------|-----------------|
| no connection was made                         | Later                  | Later           |
| cut, timed out, half a body                    | Uncertain              | Later           |
| 2xx with what was asked for                    | Receipt                | the value       |
| 2xx with anything else, 5xx, 408, 409, no code | Uncertain              | Later           |
| ACCEPTED 20032, 20044: out, but slowly         | Uncertain              | Later           |
| BEFORE: refused before anything was done       | Later                  | Later           |
| RETRY: broke down somewhere within             | Uncertain              | Later           |
| RATE 10022, 10023, 10024, 20016; 429           | Later(until the reset) | the same        |
| DUPLICATE                                      | looked up: Receipt, else Refused | Refused |
| CONTENT, NOT_FOUND; 413                        | Refused                | Refused         |
| AUTH, BLOCKED (captcha, frozen), APPLICATION; 3xx | AccountBroken       | AccountBroken   |
| 10014: a call this application may not make    | a post: AccountBroken, else Refused | Refused |
| 10006, and 401, 403 without a code             | is the token dead? AccountBroken, else Refused |
| any other code, any other 4xx                  | Refused                | Refused         |
| a code not listed: 1xxxx with a 5xx; 213xx     | as RETRY; as AUTH      | the same        |

What comes back differs from what was sent: links become t.cn, topics are taken out. So a post is
found again by the parameter compose put into one of its links, and by its words where it has none.
An ordinary application is shown its five latest posts, minutes late: Absent is said only where
those reach back before the attempt. It holds no refresh token and has some hundred calls a day, so
replies are asked for the whole account, and only when the unread counter, which is free, has risen.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field, field_validator

from bot import text
from bot.adapters.base import Adapter, Answer, Client, Connecting, Options, retry_after
from bot.adapters.weibo_answers import (
    ACCEPTED,
    APPLICATION,
    AUTH,
    BEFORE,
    BLOCKED,
    BY_ADDRESS,
    DUPLICATE,
    FEW,
    IN_WORDS,
    MANY,
    NO_TOKEN,
    NOT_FOUND,
    NOT_GRANTED,
    PAST_THE_END,
    RATE,
    RETRY,
    SHORT_LINK,
    TOO_OFTEN,
    Json,
    Own,
    Page,
    Walk,
    code_of,
    ends_at,
    id_of,
    is_comment,
    is_kind,
    is_one,
    meaning_of,
    mid62,
    mid_of,
    name_of,
    number,
    onward,
    picture,
    reaches,
    resting,
    said_in,
    same_words,
    shortfalls,
    tells_its_links,
    text_of,
    until_reset,
    when,
    with_overlap,
    words_of,
)
from bot.errors import AccountBroken, AdapterError, Later, Refused, Uncertain, Unsupported
from bot.language import Say
from bot.model import (
    Absent,
    Act,
    Capabilities,
    Checked,
    Found,
    Idempotency,
    Identity,
    Looked,
    Outgoing,
    Posted,
    Receipt,
    RemoteReply,
    RepliesBy,
    ReplyPage,
    Staged,
    Topics,
    Unit,
    Unknown,
    Visible,
    canonical,
)

# ---------------------------------------------------------------- figures

OFFICIAL = "https://api.weibo.com"
HOSTS = {  # of which option → host beside the official one
    "business_url": "https://c.api.weibo.com",
    "remind_url": "https://rm.api.weibo.com",
    "upload_url": "https://upload.api.weibo.com",
}
BUSINESS = frozenset(  # what c.api.weibo.com has a twin of
    {f"comments/{c}" for c in ("to_me", "by_me", "mentions", "reply", "destroy", "show_batch")}
    | {f"statuses/{c}" for c in ("update", "upload_pic", "upload_url_text", "repost", "destroy")}
    | {"statuses/user_timeline", "statuses/mentions", "statuses/count"}
)
STREAMS = (  # what speaks to the account, and the unread counter of each
    ("comments/to_me", "cmt"),
    ("comments/mentions", "mention_cmt"),
    ("statuses/mentions", "mention_status"),
)
MARGIN = timedelta(minutes=10)  # before an attempt: what has its words and is no older may be it
SKEW = timedelta(minutes=2)  # between our clock and theirs, beyond what their Date tells
AT_ONCE = 4  # such pages in one call
PAGES = 20  # of a listing of our own, where it has pages
# Of the quota, what is left for whatever matters more: one post's comments and counts come last,
# then what is said to the account, then looking whether a post is seen; publishing takes the rest.
OF_ONE, OF_ALL, OF_SIGHT = 0.5, 0.25, 0.1
HOUR = timedelta(hours=1)

Grant = Literal["update", "upload", "upload_url_text", "repost", "destroy", "long_text"]


class WeiboOptions(Options):
    """An application's own page in Weibo's console tells all of these."""

    app_key: str = ""
    app_secret_file: str = ""  # the path of a file that holds the App Secret
    redirect_uri: str = ""  # 授权回调页, exactly as registered
    access: Literal["ordinary", "business"] = "ordinary"
    grants: tuple[Grant, ...] = ()  # calls an ordinary application was granted besides
    safe_domains: tuple[str, ...] = ()  # 安全域名: `share` wants a link to one of them
    rip: str = ""  # the address this server is seen under from outside
    link_parameter: str = Field("gk", pattern=r"^[A-Za-z0-9_]*$")  # empty: links are left alone
    reserve: int = Field(0, ge=0, le=100)  # characters of the limit left unused
    calls_per_day: int = Field(100, ge=0)  # the console's figure; 0 is no quota
    url: str = OFFICIAL
    business_url: str = ""
    remind_url: str = ""
    upload_url: str = ""
    web_url: str = "https://weibo.com"  # where people read posts

    @field_validator("url", "business_url", "remind_url", "upload_url", "web_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        secure = parts.scheme == "https" or _is_here(parts.hostname or "")
        if value and not (secure and parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError(str(Say("要写 https:// 开头的地址")))
        return value.strip().rstrip("/")

    @field_validator("rip")
    @classmethod
    def _outside(cls, value: str) -> str:
        try:
            return str(ipaddress.IPv4Address(value)) if value else ""
        except ValueError:
            raise ValueError(str(Say("写本服务器的公网 IPv4 地址，如 211.156.0.1"))) from None

    @field_validator("safe_domains")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", domain) for domain in value):
            raise ValueError(str(Say("只写域名，如 www.example.gov.cn")))
        return tuple(domain.lower() for domain in value)

    def may(self, grant: Grant) -> bool:
        """Has the application this call? The business API has all; long text is a grant there too."""
        return grant in self.grants or (self.access == "business" and grant != "long_text")

    def host(self, name: str) -> str:
        """Another host than the main one: a stand-in for Weibo stands in for all of its hosts."""
        given: str = getattr(self, name)
        return given or (HOSTS[name] if self.url == OFFICIAL else self.url)


def _is_here(host: str) -> bool:
    return host in ("127.0.0.1", "::1", "localhost")


class Weibo(Adapter):
    name = "weibo"
    label = "新浪微博"
    letter = "微"
    options: WeiboOptions
    options_model = WeiboOptions
    capabilities = Capabilities(
        text_limit=140,
        unit=Unit.WEIBO,
        media_count=1,
        media_kinds=("image/jpeg", "image/png", "image/gif"),
        media_bytes=5 * 1024 * 1024 - 1,
        media_inline=True,
        topic_form=Topics.TAKEN_OUT,
        link_required=True,
        link_parameter="gk",
        idempotency=Idempotency.FINDABLE,
        listing_depth=5,
        listing_lag_seconds=120,  # 20032 speaks of one or two minutes
        replies=RepliesBy.POLL,
        mentions=True,
        calls_per_day=100,
        answer=True,
        writes_per_hour=30,
    )

    @classmethod
    def capabilities_of(cls, options: WeiboOptions) -> Capabilities:
        freely = options.may("update")
        able = cls.capabilities.json() | {
            "text_limit": (2000 if options.may("long_text") else 140) - options.reserve,
            "media_count": 9 if options.may("upload_url_text") else 1,
            "media_inline": not options.may("upload_url_text"),
            "topic_form": Topics.AROUND if freely else Topics.TAKEN_OUT,
            "link_required": not freely,
            "link_domains": () if freely else options.safe_domains,
            "link_parameter": options.link_parameter,
            "listing_depth": 0 if options.access == "business" else 5,
            "calls_per_day": options.calls_per_day,
            "withdraw": options.may("destroy"),
            "repost": options.may("repost"),
        }
        return Capabilities.of(able)

    @classmethod
    def id_in(cls, link: str) -> str:
        """An address has the id in letters, that of the phone's page in digits."""
        return mid_of(super().id_in(link))

    # ------------------------------------------------------------ who are we

    async def check(self) -> Checked:
        """The name is read off our newest post: no call tells it alone."""
        info, at = await self._token()
        uid, app = str(info["uid"]), str(info.get("appkey") or "")
        if self.options.app_key and app and app != self.options.app_key:
            raise AccountBroken("这份凭据是发给另一个应用（{app}）的，请重新连接账号", app=app)
        await self._afford(0, "statuses/user_timeline")
        latest = await self._page("statuses/user_timeline", {"count": "20"})
        name = next((name_of(s["user"]) for s in latest.rows if is_one(s.get("user"))), "") or uid
        identity = Identity(uid, name, f"{self.options.web_url}/{uid}")
        able, ends = self.capabilities_of(self.options), ends_at(info, at)
        return Checked(identity, able, ends, tuple(map(self._posted, self._elsewhere(latest.rows))))

    def _elsewhere(self, rows: Sequence[Json]) -> list[Json]:
        """Those without our parameter in a link: made on a phone, or in a browser."""
        ours = re.compile(rf"[?&]{self.options.link_parameter}=[0-9a-f]{{10}}(?![0-9a-f])")
        return [r for r in rows if not (self.options.link_parameter and ours.search(said_in(r)))]

    def _posted(self, row: Json) -> Posted:
        return Posted(id_of(row), self._link(row), text_of(row), when(row))

    async def _token(self) -> tuple[Json, datetime]:
        """What Weibo says of our token, and when. Raises AccountBroken, Later."""
        form = {"access_token": self._credential}
        answer = await self.client.read(
            f"{self.options.url}/oauth2/get_token_info", method="POST", data=form
        )
        info, code = answer.json(), code_of(answer)
        if code is None and answer.status < 300 and isinstance(info, dict) and info.get("uid"):
            if (number(info.get("expire_in")) or 1) > 0:
                return info, answer.at
            code = 21327
        if code is None:
            raise Later("微博一时不能核对授权", scope="host", raw=answer.raw)
        if code in RATE:
            raise await self._limited(answer, code)
        raise self._by_code(answer, 21301 if code == NO_TOKEN else code)

    # ------------------------------------------------------------ publishing

    async def stage(self, outgoing: Outgoing, files: Mapping[str, bytes]) -> Staged:
        """Pictures are uploaded one by one where several are allowed; else they ride in `share`."""
        if not self.options.may("upload_url_text"):
            return Staged(tuple(m.sha256 for m in outgoing.media), files=files)
        ids, until = [], None
        for media in outgoing.media:
            pic = picture(media.kind, files[media.sha256])
            answer = await self._upload("statuses/upload_pic", **pic)
            value = await self._value(answer)
            if not (isinstance(value, dict) and value.get("pic_id")):
                raise Later("微博没有收好图片，稍后再传", raw=answer.raw)
            ids.append(str(value["pic_id"]))
            until = until or answer.at + timedelta(hours=20)  # how long it keeps them is not told
        return Staged(tuple(ids), until)

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        if outgoing.in_reply_to:
            return await self._comment(outgoing)
        answer = await self._publish(outgoing, staged)
        status = await self._made(answer, outgoing)
        return self._receipt(status, shortfalls(status, outgoing))

    async def _publish(self, outgoing: Outgoing, staged: Staged) -> Answer:
        """By the freest call this application has."""
        form = {"status": outgoing.text, **self._rip}
        if outgoing.media and self.options.may("upload_url_text"):
            form |= {"pic_id": ",".join(staged.media), **self._long(outgoing)}
            return await self._write("statuses/upload_url_text", form)
        if outgoing.media:
            [media] = outgoing.media
            pic = picture(media.kind, staged.files[media.sha256])
            call = "statuses/upload" if self.options.may("upload") else "statuses/share"
            return await self._write(call, form, files=pic)
        if self.options.may("update"):
            form |= {"visible": "0", **self._long(outgoing)}
            return await self._write("statuses/update", form)
        return await self._write("statuses/share", form)

    def _long(self, outgoing: Outgoing) -> dict[str, str]:
        long = text.count(outgoing.text, Unit.WEIBO) > 140
        return {"is_longtext": "1"} if long and self.options.may("long_text") else {}

    @property
    def _rip(self) -> dict[str, str]:
        return {"rip": self.options.rip} if self.options.rip else {}

    async def _comment(self, outgoing: Outgoing) -> Receipt:
        """Under a comment, or under a post that named us; ids do not tell which of the two."""
        to = outgoing.in_reply_to
        form = {"comment": outgoing.text, "comment_ori": "0", **self._rip}
        if asked := await self._one_comment(to):
            under = id_of(asked.get("status") or {})
            form |= {"cid": to, "id": under, "without_mention": "1"}  # the signed words, no more
            answer = await self._write("comments/reply", form)
        elif await self._status(to):
            answer = await self._write("comments/create", {**form, "id": to})
        else:
            raise Refused("要答复的内容在微博上已不在")
        return self._comment_receipt(await self._made(answer, outgoing))

    async def _made(self, answer: Answer, outgoing: Outgoing) -> Json:
        """What a write made; what Weibo calls a repetition is looked for, since it may be ours."""
        value = answer.json()
        if answer.status < 300 and code_of(answer) is None and is_one(value):
            return dict(value)
        if code_of(answer) not in DUPLICATE:
            raise await self._trouble(answer, written=True, post=not outgoing.in_reply_to)
        try:
            own = await self._own(outgoing, answer.at - timedelta(days=1))
        except Later as error:
            said = Say("微博称与已发的内容重复，正在回查是不是这一条")
            raise Uncertain(said, raw=answer.raw) from error
        if found := await self._match(own, outgoing, frozenset()):
            return found
        said = Say("微博称与已发的内容重复（{code}），可能已经发出：请核对", code=code_of(answer))
        raise Refused(said, raw=answer.raw)

    async def withdraw(self, receipt: Receipt, key: str) -> Receipt:
        if is_comment(receipt):
            form = {"cid": receipt.remote_id, **self._rip}
            return await self._destroyed(receipt, "comments/destroy", form)
        if not self.options.may("destroy"):
            raise Unsupported("微博不许这个应用删除微博，请用该账号在手机或网页上删除")
        return await self._destroyed(receipt, "statuses/destroy", {"id": receipt.remote_id})

    async def _destroyed(self, receipt: Receipt, call: str, form: Mapping[str, str]) -> Receipt:
        answer = await self._write(call, form)
        taken = answer.status < 300 and code_of(answer) is None and is_one(answer.json())
        if taken or code_of(answer) in (20101, 20135, 20201):
            return receipt
        raise await self._trouble(answer, written=True)

    async def repost(self, remote_id: str, key: str) -> Receipt:
        if not self.options.may("repost"):
            raise Unsupported("微博不许这个应用转发，请用该账号在手机或网页上转发")
        form = {"id": remote_id, "is_comment": "0", **self._rip}
        answer = await self._write("statuses/repost", form)
        value = answer.json()
        if answer.status < 300 and code_of(answer) is None and is_one(value):
            return self._receipt(value)
        raise await self._trouble(answer, written=True)

    # ------------------------------------------------------------ looking up

    async def find(
        self, outgoing: Outgoing, key: str, since: datetime, taken: frozenset[str]
    ) -> Looked:
        own = await self._own(outgoing, since)
        if found := await self._match(own, outgoing, taken):
            if outgoing.in_reply_to:
                return Found(self._comment_receipt(found))
            return Found(self._receipt(found, shortfalls(found, outgoing)))
        return Unknown(own.why) if own.why else Absent()

    async def _own(self, outgoing: Outgoing, since: datetime) -> Own:
        """What we wrote of that kind since then, as far as Weibo lists it."""
        if outgoing.in_reply_to:
            return await self._back_to(since, "comments/by_me", FEW)
        return await self._back_to(since, "statuses/user_timeline", self._most)

    @property
    def _most(self) -> int:
        return 100 if self.options.access == "business" else 20  # and five are shown

    async def _back_to(self, since: datetime, call: str, count: int) -> Own:
        """A listing, newest first, until it provably reaches back before `since`."""
        seen: dict[str, Json] = {}
        ours = since = since - SKEW
        params = {"count": str(count)}
        for _ in range(PAGES):
            page = await self._page(call, params)
            since = min(since, ours - (datetime.now(UTC) - page.at))  # their clock is behind
            fresh = {id_of(row): row for row in page.rows if id_of(row) not in seen}
            seen |= fresh
            if reaches(list(fresh.values()), since) or len(seen) == page.total:
                return Own(list(seen.values()), since)
            if not fresh or not self._pages(call):
                break
            params["max_id"] = str(int(min(fresh, key=int)) - 1)
        said = Say("微博只列出最近 {n} 条，没有回到发送之前", n=len(seen))
        return Own(list(seen.values()), since, str(said))

    def _pages(self, call: str) -> bool:
        """An ordinary application is shown the newest posts and no further page."""
        return self.options.access == "business" or call != "statuses/user_timeline"

    async def _match(self, own: Own, outgoing: Outgoing, taken: frozenset[str]) -> Json | None:
        """By the parameter in a link; by the words where there is none, or no link can be read."""
        standing = [r for r in reversed(own.rows) if id_of(r) not in taken and is_kind(r, outgoing)]
        alike = [r for r in standing if same_words(r, outgoing) and when(r) >= own.since - MARGIN]
        if not (mark := self._mark(outgoing)):
            return next(iter(alike), None)
        if found := next((r for r in standing if mark in said_in(r)), None):
            return found
        unread = [r for r in standing if not tells_its_links(r)]
        short = sorted({link for r in unread for link in SHORT_LINK.findall(text_of(r))})
        known = await self._expanded(short) if short else {}
        for row in unread:
            links = [known[li] for li in SHORT_LINK.findall(text_of(row)) if li in known]
            if any(mark in link for link in links) or (not links and row in alike):
                return row
        return None

    def _mark(self, outgoing: Outgoing) -> str:
        """The name=value that compose put into a link; "" where there is none."""
        if not self.options.link_parameter:
            return ""
        found = re.search(rf"[?&]({self.options.link_parameter}=[0-9a-f]+)", outgoing.text)
        return found[1] if found else ""

    async def _expanded(self, short: Sequence[str]) -> dict[str, str]:
        """Where t.cn links lead, as far as Weibo tells this application."""
        try:
            query = [("url_short", link) for link in short[:20]]
            value = await self._value(await self._get("short_url/expand", query))
        except (Refused, AccountBroken):  # this call alone; the listing before it was given
            return {}
        rows = value.get("urls") if isinstance(value, dict) else value
        rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return {str(r.get("url_short")): str(r["url_long"]) for r in rows if r.get("url_long")}

    async def applied(self, act: str, receipt: Receipt, outgoing: Outgoing | None) -> Looked:
        if act == Act.REPOST and outgoing:
            return await self._reposted(outgoing.in_reply_to)
        if act != Act.WITHDRAW:
            return Unknown()
        return Absent() if await self._standing(receipt) else Found(receipt)

    async def _reposted(self, remote_id: str) -> Looked:
        now = datetime.now(UTC)
        own = await self._back_to(now - 48 * HOUR, "statuses/user_timeline", self._most)
        for row in own.rows:
            if id_of(row.get("retweeted_status") or {}) == remote_id and when(row) >= own.since:
                return Found(self._receipt(row))
        return Unknown(own.why) if own.why else Absent()

    async def visible(self, receipt: Receipt) -> Visible:
        """As Weibo says whom it shows it to: outsiders get a login page, whatever stands there."""
        await self._afford(OF_SIGHT)
        there = await self._standing(receipt)
        if not there:
            return Visible.NO
        if is_comment(receipt):
            return Visible.YES
        to = there.get("visible")
        return Visible.NO if isinstance(to, dict) and number(to.get("type")) else Visible.YES

    async def _standing(self, receipt: Receipt) -> Json | None:
        one = self._one_comment if is_comment(receipt) else self._status
        return await one(receipt.remote_id)

    async def _status(self, status_id: str) -> Json | None:
        """A post as it stands; None where it is gone."""
        answer = await self._get("statuses/show", {"id": status_id})
        if code_of(answer) in NOT_FOUND:
            return None
        value = await self._value(answer)
        if not is_one(value):
            raise Later("微博的回答不成样子，稍后再读", raw=answer.raw)
        return None if number(value.get("deleted")) else dict(value)

    async def _one_comment(self, comment_id: str) -> Json | None:
        answer = await self._get("comments/show_batch", {"cids": comment_id})
        if code_of(answer) in NOT_FOUND:
            return None
        value = await self._value(answer)
        rows = value.get("comments") if isinstance(value, dict) else value
        if not isinstance(rows, list):
            raise Later("微博的回答不成样子，稍后再读", raw=answer.raw)
        return next((r for r in rows if is_one(r) and id_of(r) == comment_id), None)

    # ------------------------------------------------------------ replies

    async def replies(self, receipt: Receipt | None, cursor: str | None) -> ReplyPage:
        """Under one post, all of them, oldest first within a page; or what speaks to the account.

        Answers to a comment of ours are told to the account, not under the comment.
        """
        if receipt is None:
            return await self._to_us(cursor)
        if is_comment(receipt):
            raise Unsupported("评论下的答复随账号一起采集")
        await self._afford(OF_ONE)
        counted = {} if cursor else await self._counted(receipt.remote_id)
        likes = number(counted.get("attitudes", counted.get("likes")))
        reposts = number(counted.get("reposts"))
        if number(counted.get("comments")) == 0:  # as under most posts
            return ReplyPage(total=0, complete=True, likes=likes, reposts=reposts)
        walk = Walk.of(cursor)
        found: dict[str, Json] = {}
        for _ in range(AT_ONCE):
            page = await self._page("comments/show", walk.params(receipt.remote_id))
            fresh = {id_of(row): row for row in page.rows if id_of(row) not in found}
            found |= fresh
            walk.take(page, fresh)
            if walk.over:
                break
        replies = [self._reply(row, receipt) for row in found.values()]
        ordered = tuple(sorted(replies, key=lambda r: (r.at, int(r.remote_id))))
        return replace(walk.page_of(ordered), likes=likes, reposts=reposts)

    async def _to_us(self, cursor: str | None) -> ReplyPage:
        """Streams one after another, each a page a call, each back to where it was read before.

        The cursor keeps what the next walk must know: the newest of each stream, and the counters.
        """
        walk = dict(parse_qsl(cursor or "", keep_blank_values=True))
        if "ask" not in walk:
            walk |= await self._wanted(walk, whole=cursor is None)
        if not walk["ask"]:
            return resting(walk)
        at = int(walk["ask"][0])
        await self._afford(OF_ALL, STREAMS[at][0])
        page = await self._stream(at, walk)
        replies = tuple(self._said_to_us(row, at, walk["uid"]) for row in page.rows)
        if onward(walk, at, page):
            return ReplyPage(replies, cursor=urlencode(walk))
        walk["ask"] = walk["ask"][1:]
        for name in ("max", "seen"):
            walk.pop(name, None)
        rest = resting(walk) if not walk["ask"] else ReplyPage(cursor=urlencode(walk))
        return ReplyPage(replies, rest.cursor, rest.resume, None, rest.complete, rest.why_partial)

    async def _wanted(self, walk: Mapping[str, str], whole: bool) -> dict[str, str]:
        """Which streams are worth a call: all on a whole walk, else those whose counter rose."""
        uid = walk.get("uid") or str((await self._token())[0]["uid"])
        unread = await self._unread(uid)
        ask = [
            str(at)
            for at, (_, counter) in enumerate(STREAMS)
            if whole or not unread or unread[counter] > int(walk.get(f"n{at}") or 0)
        ]
        counts = {f"n{at}": str(unread.get(name, 0)) for at, (_, name) in enumerate(STREAMS)}
        return {"uid": uid, "ask": "".join(ask), **counts, "cut": ""}

    async def _unread(self, uid: str) -> dict[str, int]:
        """The counters, which cost nothing; {} where they cannot be had: then all is asked."""
        url = f"{self.options.host('remind_url')}/2/remind/unread_count.json"
        try:
            answer = await self.client.read(url, params={"uid": uid}, headers=self._headers)
        except Later:
            return {}
        if code_of(answer) in AUTH:
            raise await self._trouble(answer)
        value = answer.json()
        counts = {n: number(value.get(n)) for _, n in STREAMS} if isinstance(value, dict) else {}
        known = {name: count for name, count in counts.items() if count is not None}
        return known if len(known) == len(STREAMS) else {}

    async def _stream(self, at: int, walk: dict[str, str]) -> Page:
        """A page of a stream. One that the application may not read is told, and left out."""
        params = {"count": str(MANY)}
        if walk.get(f"since{at}"):
            params["since_id"] = str(with_overlap(int(walk[f"since{at}"])))
        if "max" in walk:
            params["max_id"] = walk["max"]
        try:
            return await self._page(STREAMS[at][0], params)
        except (Refused, AccountBroken):
            if at == 0:
                raise
            walk["cut"] = str(Say("应用没有读取“@我的”的权限"))
            return Page([], 0, datetime.now(UTC))

    def _said_to_us(self, row: Json, at: int, uid: str) -> RemoteReply:
        """A comment names its post; a post that names us may repost one of ours."""
        if STREAMS[at][0] != "statuses/mentions":
            return self._reply(row, None)
        reposted = row.get("retweeted_status") or {}
        ours = id_of(reposted) if id_of(reposted.get("user") or {}) == uid else ""
        return self._remote(row, parent_id=ours, root_id=ours, url=self._link(row))

    def _reply(self, row: Json, under: Receipt | None) -> RemoteReply:
        status = row.get("status") or {}
        root = under.remote_id if under else id_of(status)
        above = row.get("reply_comment") or {}
        top = str(row.get("rootid") or "0")
        parent = id_of(above) or (top if top not in ("0", id_of(row)) else root)
        link = (under.url if under else "") or self._link(status)
        return self._remote(row, parent_id=parent, root_id=root, url=f"{link}#{id_of(row)}")

    def _remote(self, row: Json, parent_id: str, root_id: str, url: str) -> RemoteReply:
        user = row.get("user") or {}
        about = {name: user.get(name) for name in ("id", "idstr", "screen_name", "verified_type")}
        lean = {k: v for k, v in row.items() if k not in ("status", "reply_comment")}
        return RemoteReply(
            remote_id=id_of(row),
            author_id=id_of(user),
            author_name=name_of(user),
            text=text_of(row),
            at=when(row),
            handle=name_of(user),
            raw=canonical({**lean, "user": about}),
            parent_id=parent_id,
            root_id=root_id,
            url=url,
        )

    async def _counted(self, status_id: str) -> Json:
        """How a post fares, by one cheap call; {} where that is not told to this application."""
        try:
            value = await self._value(await self._get("statuses/count", {"ids": status_id}))
        except (Refused, AccountBroken):
            return {}
        rows = [row for row in value if is_one(row)] if isinstance(value, list) else []
        return next((row for row in rows if id_of(row) == status_id), {})

    # ------------------------------------------------------------ granting access

    @classmethod
    async def connect_begin(cls, options: WeiboOptions, client: Client) -> Connecting:
        """`forcelogin`: the browser's own account must not be connected by mistake."""
        _app_secret(options)
        state = secrets.token_urlsafe(24)
        query = {
            "client_id": options.app_key,
            "redirect_uri": options.redirect_uri,
            "response_type": "code",
            "scope": "all",
            "state": state,
            "forcelogin": "true",
        }
        return Connecting(f"{options.url}/oauth2/authorize?{urlencode(query)}", state)

    @classmethod
    async def connect_finish(
        cls, options: WeiboOptions, client: Client, connecting: Connecting, code: str
    ) -> str:
        """`code` may be the whole address the browser was sent to: then its state is checked."""
        secret = _app_secret(options)
        form = {
            "client_id": options.app_key,
            "client_secret": secret,
            "grant_type": "authorization_code",
            "code": _brought(code.strip(), connecting.secret),
            "redirect_uri": options.redirect_uri,
        }
        client.secret = secret
        url = f"{options.url}/oauth2/access_token"
        answer = await client.read(url, method="POST", data=form)
        value = answer.json()
        if answer.status < 300 and isinstance(value, dict) and value.get("access_token"):
            return str(value["access_token"])
        busy = answer.status == 429 or answer.status >= 500 or code_of(answer) in BEFORE | RETRY
        kind = Later if busy else Refused
        said = Say("微博没有给授权：{words}。请重新来过", words=words_of(answer))
        raise kind(said, raw=answer.raw)

    # ------------------------------------------------------------ the wire

    @property
    def _credential(self) -> str:
        if not re.fullmatch(r"[!-~]+", self.credential):
            raise AccountBroken("微博的凭据不能用，请重新连接账号")
        return self.credential

    @property
    def _headers(self) -> dict[str, str]:
        """The token rides in a header: an address ends up in logs."""
        return {"Authorization": f"OAuth2 {self._credential}"}

    def _url(self, call: str) -> str:
        if self.options.access == "business" and call in BUSINESS:
            return f"{self.options.host('business_url')}/2/{call}/biz.json"
        base = self.options.host("upload_url") if call == "statuses/upload" else self.options.url
        return f"{base}/2/{call}.json"

    def _fields(self, call: str, fields: Any) -> Any:
        """The business API wants to know the application beside the token."""
        business = self.options.access == "business" and call in BUSINESS
        return {**fields, "source": self.options.app_key} if business else fields

    async def _get(self, call: str, params: Any) -> Answer:
        params = self._fields(call, params)
        return await self.client.read(self._url(call), params=params, headers=self._headers)

    async def _upload(self, call: str, **files: Any) -> Answer:
        """The public cannot see it, so it may be tried again."""
        form = {"data": self._fields(call, {}), "files": files}
        return await self.client.read(self._url(call), method="POST", headers=self._headers, **form)

    async def _write(self, call: str, form: Mapping[str, str], **more: Any) -> Answer:
        form = self._fields(call, form)
        return await self.client.write(self._url(call), headers=self._headers, data=form, **more)

    async def _page(self, call: str, params: Mapping[str, str]) -> Page:
        """A page of a listing. Raises Later, Refused, AccountBroken."""
        answer = await self._get(call, params)
        if code_of(answer) == PAST_THE_END:
            return Page([], None, answer.at)
        value = await self._value(answer)
        kind = "comments" if call.startswith("comments/") else "statuses"
        rows = value.get(kind) if isinstance(value, dict) else None
        if not isinstance(rows, list) or not all(map(is_one, rows)):
            raise Later("微博给的列表不成样子，稍后再读", raw=answer.raw)
        return Page(rows, number(value.get("total_number")), answer.at)

    async def _value(self, answer: Answer) -> Any:
        """The JSON of an answer to a read. Raises Later, Refused, AccountBroken."""
        value = answer.json()
        if answer.status < 300 and code_of(answer) is None and value is not None:
            return value
        raise await self._trouble(answer)

    # ------------------------------------------------------------ the quota

    async def _afford(self, kept: float, call: str = "") -> None:
        """Leave the rest of the quota to publishing. Raises Later until it is reset."""
        business = self.options.access == "business" and call in BUSINESS  # has a quota of its own
        if business or not self.options.calls_per_day:
            return
        quota = await self._quota()
        left, limit = number(quota.get("remaining_user_hits")), number(quota.get("user_limit"))
        if left is not None and limit and left <= limit * kept:
            said = Say("微博接口额度只剩 {n} 次，留给发布；额度恢复后继续", n=left)
            scope = "delivery" if kept == OF_ONE else "account"  # the account may be worth it yet
            raise Later(said, after=until_reset(quota), scope=scope)

    async def _quota(self) -> Json:
        """account/rate_limit_status, which does not count; {} where it is not told."""
        try:
            answer = await self._get("account/rate_limit_status", {})
        except Later:
            return {}
        if code_of(answer) in AUTH:
            raise await self._trouble(answer)
        value = answer.json()
        return value if isinstance(value, dict) and answer.status < 300 else {}

    # ------------------------------------------------------------ what went wrong

    async def _trouble(
        self, answer: Answer, written: bool = False, post: bool = False
    ) -> AdapterError:
        """The table above, for whatever is no success. `post`: it was to publish one."""
        code, status = code_of(answer), answer.status
        if code in RATE:
            return await self._limited(answer, code)
        if code is not None and code != NO_TOKEN:
            return self._by_code(answer, code, written, post)
        if status == 429:
            wait = retry_after(answer.headers, answer.at)
            return Later("微博限制了频率", after=wait, raw=answer.raw)
        if code is None and (status < 300 or status >= 500 or status in (408, 409)):
            return self._unclear(answer, written)
        if status < 400 and code is None:
            return AccountBroken("微博接口的地址已变，请改 config.toml", raw=answer.raw)
        if status in (401, 403) or code == NO_TOKEN:
            try:
                await self._token()
            except (AccountBroken, Later) as error:
                return error
        return self._refused(answer)

    def _by_code(
        self, answer: Answer, code: int, written: bool = False, post: bool = False
    ) -> AdapterError:
        meaning, raw = meaning_of(code, answer), answer.raw
        words = Say("{words}", words=words_of(answer))
        if known := IN_WORDS.get(code):
            words = Say("{known}（{words}）", known=known, words=words)
        if meaning is BEFORE:
            return Later("微博一时不能办理：{words}", words=words, raw=raw)
        if meaning in (RETRY, ACCEPTED):
            return self._unclear(answer, written)
        said = None
        if meaning is AUTH:
            said = Say("微博的授权不能用了：{words}。请重新连接账号", words=words)
        elif meaning is BLOCKED:
            said = Say("微博要求人工处理这个账号（{code}）：{words}", code=code, words=words)
        elif meaning is APPLICATION or (code == NOT_GRANTED and post):
            said = Say("微博不许这个应用调用：{words}。请在开放平台核对应用的设置", words=words)
        return AccountBroken(said, raw=raw) if said else self._refused(answer, words)

    def _refused(self, answer: Answer, words: Say | None = None) -> Refused:
        words = words or Say("{words}", words=words_of(answer))
        if (code := code_of(answer)) is None:
            return Refused("微博拒绝：{words}", words=words, raw=answer.raw)
        return Refused("微博拒绝（{code}）：{words}", code=code, words=words, raw=answer.raw)

    def _unclear(self, answer: Answer, written: bool) -> Uncertain | Later:
        if not written:
            return Later("微博一时不能应答（{words}）", words=words_of(answer), raw=answer.raw)
        words, raw = words_of(answer), answer.raw
        return Uncertain("微博的回答不能说明是否收下（{words}），正在回查", words=words, raw=raw)

    async def _limited(self, answer: Answer, code: int) -> Later:
        """Nothing was done. The reset is asked for: no answer of Weibo's says when to come again."""
        wait = retry_after(answer.headers, answer.at) or until_reset(await self._quota())
        wait = max(wait, HOUR) if code == TOO_OFTEN else wait
        scope = "host" if code == BY_ADDRESS else "account"
        minutes = -(-int(wait.total_seconds()) // 60)
        said = Say("微博限制了频率（{code}），{n} 分钟后继续", code=code, n=minutes)
        return Later(said, after=wait, scope=scope, raw=answer.raw)

    # ------------------------------------------------------------ receipts

    def _link(self, status: Mapping[str, Any]) -> str:
        """Where people read a post."""
        author = id_of(status.get("user") or {}) or str(status.get("uid") or "")
        mid = id_of(status)
        return f"{self.options.web_url}/{author}/{mid62(mid)}" if mid and author else ""

    def _receipt(self, status: Json, raw: str = "") -> Receipt:
        return Receipt(id_of(status), self._link(status), when(status), raw)

    def _comment_receipt(self, comment: Json) -> Receipt:
        """A comment has no page of its own; the mark in its post's address says that it is one."""
        link = self._link(comment.get("status") or {}) or self.options.web_url
        return Receipt(id_of(comment), f"{link}#{id_of(comment)}", when(comment))


# ---------------------------------------------------------------- granting access


def _app_secret(options: WeiboOptions) -> str:
    """Raises Refused, saying what is missing in config.toml."""
    if not (options.app_key and options.redirect_uri and options.app_secret_file):
        raise Refused("请先在账号的 options 里写明 app_key、redirect_uri、app_secret_file")
    try:
        secret = Path(options.app_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Refused("读不到应用密钥文件 {file}", file=options.app_secret_file) from None
    if not re.fullmatch(r"[!-~]+", secret):
        raise Refused("应用密钥文件 {file} 里不是一个 App Secret", file=options.app_secret_file)
    return secret


def _brought(said: str, state: str) -> str:
    """The code in what a person brought back: the code alone, or the address he was sent to."""
    if "=" not in said:
        return said
    query = dict(parse_qsl(urlsplit(said).query or said))
    if words := query.get("error_description") or query.get("error"):
        raise Refused("授权页没有给授权：{words}", words=words[:200])
    if not compare_digest(query.get("state", "").encode(), state.encode()):
        raise Refused("这个地址不属于刚才打开的授权页，请从头再来")
    return query.get("code", "")
