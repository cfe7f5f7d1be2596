"""Weibo's open platform: its hosts and calls, one account's quota, what each answer means.

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
| NOT_GRANTED: no such call for us; 404, 405     | a post: AccountBroken, else Refused | Refused |
| 10006, 401, 403: is the token dead?            | AccountBroken          | AccountBroken   |
| it lives, and it was 10006                     | as NOT_GRANTED         | Refused         |
| it lives, and there is no code                 | Refused                | Refused         |
| any other code, any other 4xx                  | Refused                | Refused         |
| a code not listed: 1xxxx with a 5xx; 213xx     | as RETRY; as AUTH      | the same        |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.adapters.base import Adapter, Answer, retry_after
from bot.adapters.weibo.answers import (
    ACCEPTED,
    APPLICATION,
    AUTH,
    BEFORE,
    BLOCKED,
    BY_ADDRESS,
    CONTENT,
    NO_TOKEN,
    NOT_FOUND,
    NOT_GRANTED,
    PAST_THE_END,
    RATE,
    RETRY,
    THEIRS,
    TOO_OFTEN,
    Json,
    Page,
    code_of,
    id_of,
    in_words,
    is_one,
    meaning_of,
    mid62,
    number,
    until_reset,
    when,
    words_of,
)
from bot.adapters.weibo.options import WeiboOptions
from bot.errors import AccountBroken, AdapterError, Later, Refused, Uncertain
from bot.language import Say
from bot.model import Receipt

BUSINESS = frozenset(  # what c.api.weibo.com has a twin of
    {f"comments/{c}" for c in ("to_me", "by_me", "mentions", "reply", "destroy", "show_batch")}
    | {f"statuses/{c}" for c in ("update", "upload_pic", "upload_url_text", "repost", "destroy")}
    | {"statuses/user_timeline", "statuses/mentions", "statuses/count"}
)
# Of the quota, what is left for whatever matters more: one post's comments and counts come last,
# then what is said to the account, then looking whether a post is seen; publishing takes the rest.
OF_ONE, OF_ALL, OF_SIGHT = 0.5, 0.25, 0.1
HOUR = timedelta(hours=1)


class Wire(Adapter):
    """The calls of one account, and what each answer means; the acts are made of these."""

    options: WeiboOptions

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
        if code == NO_TOKEN:
            return self._by_code(answer, code, written, post)
        if status in (404, 405):
            said = Say("微博没有这个接口（HTTP {status}），请核对接口地址", status=status)
            return (AccountBroken if post else Refused)(said, raw=answer.raw)
        return self._refused(answer)

    def _by_code(
        self, answer: Answer, code: int, written: bool = False, post: bool = False
    ) -> AdapterError:
        meaning, raw = meaning_of(code, answer), answer.raw
        words = Say("{words}", words=words_of(answer))
        if known := in_words(code, answer):
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
        elif meaning is APPLICATION or (post and (meaning is NOT_GRANTED or code == NO_TOKEN)):
            said = Say("微博不许这个应用调用：{words}。请在开放平台核对应用的设置", words=words)
        return AccountBroken(said, raw=raw) if said else self._refused(answer, words)

    def _refused(self, answer: Answer, words: Say | None = None) -> Refused:
        """With what is to be done: another text, or somebody who sees to the settings."""
        words, raw = words or Say("{words}", words=words_of(answer)), answer.raw
        code = code_of(answer)
        if code is None and answer.status == 413:
            return Refused("图片太大，微博不收。请换小一些的图片", raw=raw)
        if code is None:
            return Refused("微博拒绝：{words}。请管理员查看平台原话", words=words, raw=raw)
        if code in NOT_FOUND | THEIRS:
            return Refused("微博拒绝（{code}）：{words}", code=code, words=words, raw=raw)
        if meaning_of(code, answer) is CONTENT:
            return Refused("微博不收（{code}）：{words}。请改稿", code=code, words=words, raw=raw)
        said = Say("微博拒绝（{code}）：{words}。请管理员核对账号的设置", code=code, words=words)
        return Refused(said, raw=raw)

    def _unclear(self, answer: Answer, written: bool) -> Uncertain | Later:
        words, raw = words_of(answer), answer.raw
        if not written and answer.status < 300 and not answer.body.strip():
            said = Say("微博的回答是空的；若一直如此，应用或 IP 可能已被列入黑名单，请联系微博")
            return Later(said, raw=raw)
        if not written:
            return Later("微博一时不能应答（{words}）", words=words, raw=raw)
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
