"""新浪微博, by its open platform: ordinary applications, those with grants, and the business API.

What comes back differs from what was sent: links become t.cn, topics are taken out. So a post is
found again by the parameter compose put into one of its links, and by its words where it has none.
An ordinary application is shown its five latest posts, minutes late: Absent is said only where
those reach back before the attempt. It holds no refresh token and has some hundred calls a day, so
replies are asked for the whole account, and only when the unread counter, which is free, has risen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from bot import text
from bot.adapters.base import Answer, Client, Connecting
from bot.adapters.weibo.answers import (
    BEFORE,
    DUPLICATE,
    FEW,
    RETRY,
    SHORT_LINK,
    Json,
    Own,
    code_of,
    ends_at,
    id_of,
    is_comment,
    is_kind,
    is_one,
    mid_of,
    name_of,
    number,
    picture,
    reaches,
    said_in,
    same_words,
    shortfalls,
    tells_its_links,
    text_of,
    when,
    words_of,
)
from bot.adapters.weibo.comments import Comments
from bot.adapters.weibo.options import WeiboOptions, app_secret
from bot.adapters.weibo.wire import HOUR, OF_SIGHT
from bot.errors import AccountBroken, Later, Refused, Uncertain, Unsupported
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
    RepliesBy,
    Staged,
    Topics,
    Unit,
    Unknown,
    Visible,
)

MARGIN = timedelta(minutes=10)  # before an attempt: what has its words and is no older may be it
YOUNG = timedelta(minutes=10)  # what was written so lately may not be listed yet
SKEW = timedelta(minutes=2)  # between our clock and theirs, beyond what their Date tells
PAGES = 20  # of a listing of our own, where it has pages


class Weibo(Comments):
    name = "weibo"
    label = "新浪微博"
    letter = "微"
    grant = "page"
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
        answer_limit=140,
        answer_media=False,
        writes_per_hour=30,
    )

    @classmethod
    def capabilities_of(cls, options: WeiboOptions) -> Capabilities:
        """What any post may be: one with pictures may go by another call than one without."""
        several = options.may("upload_url_text")
        freely = options.may("update") and (several or options.may("upload"))
        long = freely and several and options.may("long_text")
        able = cls.capabilities.json() | {
            "text_limit": (2000 if long else 140) - options.reserve,
            "answer_limit": 140 - options.reserve,
            "media_count": 9 if several else 1,
            "media_inline": not several,
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
        posted = tuple(map(self._posted, self._elsewhere(latest.rows)))
        whole = latest.total is not None and len(latest.rows) >= latest.total
        oldest = None if whole else min(map(when, latest.rows), default=None)
        return Checked(identity, able, ends, posted, oldest, latest.total)

    def _elsewhere(self, rows: Sequence[Json]) -> list[Json]:
        """Those without our parameter in a link: made on a phone, or in a browser."""
        ours = re.compile(rf"[?&]{self.options.link_parameter}=[0-9a-f]{{10}}(?![0-9a-f])")
        return [r for r in rows if not (self.options.link_parameter and ours.search(said_in(r)))]

    def _posted(self, row: Json) -> Posted:
        return Posted(id_of(row), self._link(row), text_of(row), when(row))

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
            raise self._not_there(outgoing)
        return self._comment_receipt(await self._made(answer, outgoing))

    def _not_there(self, outgoing: Outgoing) -> Later | Refused:
        """The part of a thread before this one, written a moment ago, may not be listed yet."""
        row = {"mid": outgoing.in_reply_to}
        if outgoing.continues and is_one(row) and datetime.now(UTC) - when(row) < YOUNG:
            said = Say("要答复的内容微博还没有列出，稍后再发")
            return Later(said, after=timedelta(minutes=1), scope="delivery")
        return Refused("要答复的内容在微博上已不在")

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
        found, _ = await self._match(own, outgoing, frozenset())
        if found:
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
        found, unclear = await self._match(own, outgoing, taken)
        if found:
            if outgoing.in_reply_to:
                return Found(self._comment_receipt(found))
            return Found(self._receipt(found, shortfalls(found, outgoing)))
        why = own.why or (str(Say("有一条新微博的链接读不出指向何处")) if unclear else "")
        return Unknown(why) if why else Absent()

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

    async def _match(
        self, own: Own, outgoing: Outgoing, taken: frozenset[str]
    ) -> tuple[Json | None, bool]:
        """By the parameter in a link; by the words where there is none, or no link can be read.

        Also whether a new one stands that cannot be told: Weibo may have changed its words, too.
        """
        standing = [r for r in reversed(own.rows) if id_of(r) not in taken and is_kind(r, outgoing)]
        new = [r for r in standing if when(r) >= own.since - MARGIN]
        alike = [r for r in new if same_words(r, outgoing)]
        if not (mark := self._mark(outgoing)):
            return next(iter(alike), None), False
        if found := next((r for r in standing if mark in said_in(r)), None):
            return found, False
        unread = [r for r in standing if not tells_its_links(r)]
        short = sorted({link for r in unread for link in SHORT_LINK.findall(text_of(r))})
        known = await self._expanded(short) if short else {}
        unclear = False
        for row in unread:
            named = SHORT_LINK.findall(text_of(row))
            links = [known[li] for li in named if li in known]
            if any(mark in link for link in links) or (not links and row in alike):
                return row, False
            unclear |= len(links) < len(named) and row in new
        return None, unclear

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

    # ------------------------------------------------------------ granting access

    @classmethod
    async def connect_begin(
        cls, options: WeiboOptions, client: Client, state: str, back: str = ""
    ) -> Connecting:
        """`forcelogin`: the browser's own account must not be connected by mistake.

        People are sent to the address registered with the application, and to no other.
        """
        app_secret(options)
        query = {
            "client_id": options.app_key,
            "redirect_uri": options.redirect_uri,
            "response_type": "code",
            "scope": "all",
            "state": state,
            "forcelogin": "true",
        }
        url = f"{options.url}/oauth2/authorize?{urlencode(query)}"
        return Connecting(url, "", returns=options.redirect_uri == back)

    @classmethod
    async def connect_finish(
        cls, options: WeiboOptions, client: Client, connecting: Connecting, code: str
    ) -> str:
        secret = app_secret(options)
        form = {
            "client_id": options.app_key,
            "client_secret": secret,
            "grant_type": "authorization_code",
            "code": code.strip(),
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
