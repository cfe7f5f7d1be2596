"""What the public says on Weibo: comments under a post, and whatever speaks to the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from bot.adapters.weibo.answers import (
    AUTH,
    MANY,
    Json,
    Page,
    Walk,
    code_of,
    id_of,
    is_comment,
    is_one,
    name_of,
    number,
    onward,
    resting,
    text_of,
    when,
    with_overlap,
)
from bot.adapters.weibo.wire import OF_ALL, OF_ONE, Wire
from bot.errors import AccountBroken, Later, Refused, Unsupported
from bot.language import Say
from bot.model import Receipt, RemoteReply, ReplyPage, canonical

STREAMS = (  # what speaks to the account, and the unread counter of each
    ("comments/to_me", "cmt"),
    ("comments/mentions", "mention_cmt"),
    ("statuses/mentions", "mention_status"),
)
AT_ONCE = 4  # such pages in one call


class Comments(Wire):
    """Under one post, and for the account as a whole."""

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
        walk = Walk.of(cursor)
        counted = await self._counted(receipt.remote_id) if walk.page == 1 else {}
        likes = number(counted.get("attitudes", counted.get("likes")))
        reposts = number(counted.get("reposts"))
        if number(counted.get("comments")) == 0:  # as under most posts
            return ReplyPage(total=0, complete=True, likes=likes, reposts=reposts)
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
        """Which streams are worth a call: all on a whole walk, else those whose counter rose.

        What sets a counter back is not documented: one that fell, but not to nothing, may have
        been set back and risen since.
        """
        uid = walk.get("uid") or str((await self._token())[0]["uid"])
        unread = await self._unread(uid)
        ask = [
            str(at)
            for at, (_, counter) in enumerate(STREAMS)
            if whole or not unread or unread[counter] not in (0, int(walk.get(f"n{at}") or 0))
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
