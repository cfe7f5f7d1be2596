"""Mastodon, and the servers that speak its API: GoToSocial, snac, Takahe, Hollo, Pleroma and others.

What an answer means (docs/adapters.md tells which server answers how):

| answer                               | to a write       | to a read, an upload |
|--------------------------------------|------------------|----------------------|
| no connection was made               | Later            | Later                |
| cut, timed out, half a body          | Uncertain        | Later                |
| 2xx with what was asked for          | Receipt          | the value            |
| 2xx with anything else, 5xx, 408, 409| Uncertain        | Later                |
| 429                                  | Later(its wait)  | Later(its wait)      |
| 3xx                                  | AccountBroken: the address in config.toml has moved |
| 400, 401, 403, 422 without words     | is the credential dead? AccountBroken, else Refused |
| 403 insufficient_scope (RFC 6750)    | AccountBroken    | AccountBroken        |
| any other 4xx                        | Refused          | Refused              |

Three of four real servers store a second post for the same Idempotency-Key, and the fourth loses
races, so the key is sent but not relied on: `find` reads the account's own listing. There, what a
server may have altered (marks, spaces, how links and mentions are shown, a dropped picture or
thread) is no difference: taking a post for absent that stands would publish it twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import field_validator

from bot.adapters.base import Adapter, Answer, Client, Connecting, Options, retry_after
from bot.adapters.mastodon import answers
from bot.adapters.mastodon.answers import GONE, Json
from bot.adapters.mastodon.texts import plain
from bot.errors import AccountBroken, AdapterError, Later, Refused, Uncertain
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
    OverLimit,
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

ME = "v1/accounts/verify_credentials"
PENDING = "pending:"  # before the id of an upload that was not yet processed
SUSPECT = (400, 401, 403)  # a dead token, or a request refused: servers differ
SKEW = timedelta(minutes=5)  # between our clock and the dates a server gives
PAGES = 50  # of 40 posts: how far `find` reads back
THREAD = 4096  # Mastodon gives so many answers under a post, and no page beyond
AT_ONCE = 20  # posts of a flat listing asked in one page
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
SCOPES = "read:accounts read:statuses read:notifications write:statuses write:media"


class MastodonOptions(Options):
    url: str  # the instance, "https://…"
    language: str = "zh"  # where a post names none
    visibility: Literal["public", "unlisted", "private"] = "public"  # where a post names none

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError(str(Say("要写实例的地址，例如 https://m.example.gov.cn")))
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


class Mastodon(Adapter):
    name = "mastodon"
    label = "Mastodon"
    letter = "M"
    grant = "page"
    options: MastodonOptions
    options_model = MastodonOptions
    capabilities = Capabilities(
        text_limit=500,
        unit=Unit.CHARACTERS,
        link_weight=23,
        over_limit=OverLimit.THREAD,
        media_count=4,
        media_kinds=("image/png", "image/jpeg", "image/gif", "image/webp"),
        media_bytes=8 * 1024 * 1024,
        alt_text=True,
        alt_limit=1500,
        topic_form=Topics.BEFORE,
        warning=True,
        visibilities=("public", "unlisted", "private"),
        language=True,
        idempotency=Idempotency.FINDABLE,
        listing_lag_seconds=5,
        replies=RepliesBy.POLL,
        mentions=True,
        edit=True,
        withdraw=True,
        repost=True,
        answer=True,
    )

    # ------------------------------------------------------------ who are we

    async def check(self) -> Checked:
        me = await self._me()
        name = str(me.get("acct") or me.get("username") or me["id"])
        identity = Identity(self._identity(me), name, str(me.get("url") or ""))
        return Checked(identity, answers.refined(self.capabilities, await self._instance()))

    async def _me(self) -> Json:
        """The account the token speaks for. Raises AccountBroken, Later."""
        answer = await self._ask(ME)
        me = answer.json()
        if answer.status == 200 and isinstance(me, dict) and me.get("id"):
            return me
        if answer.status in (*SUSPECT, *GONE, 422):
            raise AccountBroken(
                "{host} 不接受这份凭据：{words}。请重新连接账号",
                host=self._host,
                words=answers.words_of(answer),
                raw=answer.raw,
            )
        raise await self._trouble(answer)

    async def _instance(self) -> Json:
        """What the instance says of itself; {} where it says nothing (404, 500, HTML, all seen)."""
        for path in ("v2/instance", "v1/instance"):
            answer = await self._ask(path)
            value = answer.json()
            if answer.status == 200 and isinstance(value, dict):
                return value
        return {}

    @property
    def _host(self) -> str:
        return urlsplit(self.options.url).netloc

    def _identity(self, account: Mapping[str, Any]) -> str:
        """The same number on another instance is another identity."""
        return f"{self._host}/{account.get('id')}"

    # ------------------------------------------------------------ publishing

    async def stage(self, outgoing: Outgoing, files: Mapping[str, bytes]) -> Staged:
        """Uploads in order. One still being processed is staged as pending: `publish` asks again."""
        ids, until = [], None
        for media in outgoing.media:
            name = f"{media.sha256[:12]}.{media.kind.rpartition('/')[2]}"
            answer = await self._upload(
                files={"file": (name, files[media.sha256], media.kind)},
                data={"description": media.alt} if media.alt else {},
            )
            ids.append(await self._uploaded(answer))
            until = until or answer.at + timedelta(hours=20)  # Mastodon forgets after a day
        return Staged(tuple(ids), until)

    async def _upload(self, **form: Any) -> Answer:
        for path in ("v2/media", "v1/media"):
            answer = await self._ask(path, method="POST", **form)
            if answer.status != 404:
                break
        return answer

    async def _uploaded(self, answer: Answer) -> str:
        """The upload's id. "0x0" is how GoToSocial says that it could not read a picture."""
        media = await self._value(answer)
        if not isinstance(media, dict) or not media.get("id"):
            raise Later("{host} 没有收好素材，稍后再传", host=self._host, raw=answer.raw)
        if ((media.get("meta") or {}).get("original") or {}).get("size") == "0x0":
            raise Refused("{host} 读不懂这张图片", host=self._host, raw=answer.raw)
        return f"{PENDING if answer.status == 202 else ''}{media['id']}"

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        await self._parent_stands(outgoing.in_reply_to)
        await self._processed(staged)
        form = {
            **self._form(outgoing, staged),
            "visibility": outgoing.visibility or self.options.visibility,
        }
        if outgoing.in_reply_to:
            form["in_reply_to_id"] = outgoing.in_reply_to
        answer = await self._write("v1/statuses", headers={"Idempotency-Key": key}, json=form)
        status = await self._made(answer)
        return answers.receipt_of(status, answers.shortfalls(status, outgoing))

    def _form(self, outgoing: Outgoing, staged: Staged) -> Json:
        form: Json = {
            "status": outgoing.text,
            "language": outgoing.language or self.options.language,
            "media_ids": [media_id.removeprefix(PENDING) for media_id in staged.media],
        }
        if outgoing.warning:
            form |= {"spoiler_text": outgoing.warning, "sensitive": True}
        return form

    async def _parent_stands(self, remote_id: str) -> None:
        """Some servers turn an answer to what is gone into a post of its own: ask first."""
        if remote_id and (await self._ask(answers.path_of(remote_id))).status in GONE:
            raise Refused("要答复的内容在 {host} 上已被删除", host=self._host)

    async def _processed(self, staged: Staged) -> None:
        """Nothing was taken while an upload is being processed; no sleeping here."""
        for media_id in staged.media:
            if media_id.startswith(PENDING):
                path = f"v1/media/{quote(media_id.removeprefix(PENDING), safe='')}"
                if (await self._ask(path)).status in (202, 206):
                    wait = timedelta(seconds=2)
                    said = Say("{host} 还在处理素材", host=self._host)
                    raise Later(said, after=wait, scope="delivery")

    async def edit(self, receipt: Receipt, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        """The receipt may carry another id: snac's ids hold the time of the last change."""
        await self._processed(staged)
        form = {"spoiler_text": "", "sensitive": False, **self._form(outgoing, staged)}
        answer = await self._write(answers.path_of(receipt.remote_id), method="PUT", json=form)
        status = await self._made(answer)
        return answers.receipt_of(status, answers.shortfalls(status, outgoing))

    async def withdraw(self, receipt: Receipt, key: str) -> Receipt:
        answer = await self._write(answers.path_of(receipt.remote_id), method="DELETE")
        if answer.status == 204 or (answer.status < 300 and isinstance(answer.json(), dict)):
            return receipt
        if answer.status >= 300 and answer.status not in GONE:
            raise await self._trouble(answer, written=True)
        if await self._gone_after(receipt, answer):
            return receipt
        if answer.status in GONE:  # snac 2.75 has no DELETE, and says 404
            raise Refused(
                "{host} 不支持通过接口删除，内容仍在：请到平台上手工删除",
                host=self._host,
                raw=answer.raw,
            )
        raise self._unclear(answer)

    async def _gone_after(self, receipt: Receipt, answer: Answer) -> bool:
        try:
            return answers.is_gone(await self._ask(answers.path_of(receipt.remote_id)))
        except Later as error:
            raise self._unclear(answer) from error

    async def repost(self, remote_id: str, key: str) -> Receipt:
        answer = await self._write(f"{answers.path_of(remote_id)}/reblog")
        return answers.receipt_of(await self._made(answer))

    async def _made(self, answer: Answer) -> Json:
        """The status a write made. A ScheduledStatus has no address: it is not out."""
        value = answer.json()
        if (
            answer.status < 300
            and answers.is_status(value)
            and (value.get("uri") or value.get("url"))
        ):
            return dict(value)
        raise await self._trouble(answer, written=True)

    # ------------------------------------------------------------ looking up

    async def find(
        self, outgoing: Outgoing, key: str, since: datetime, taken: frozenset[str]
    ) -> Looked:
        own, why_partial = await self._own(since - SKEW)
        if status := answers.match(own, outgoing, taken):
            return Found(answers.receipt_of(status, answers.shortfalls(status, outgoing)))
        if outgoing.visibility == "private" and not why_partial:
            why_partial = str(Say("有的平台不在列表里给出不公开的内容"))
        return Unknown(why_partial) if why_partial else Absent()

    async def _own(self, back_to: datetime) -> tuple[list[Json], str]:
        """Our posts since `back_to`, newest first; and why that may not be all of them, or ""."""
        me = await self._me()
        path = f"v1/accounts/{quote(str(me['id']), safe='')}/statuses"
        seen: dict[str, Json] = {}
        since, older, why = back_to, {"limit": "40"}, str(Say("列表太长，没有读到头"))
        for _ in range(PAGES):
            answer = await self._ask(path, params=older)
            listed = answers.listed(await self._value(answer))
            since = min(since, back_to - (datetime.now(UTC) - answer.at))  # its clock is behind
            fresh = {str(s["id"]): s for s in listed if str(s["id"]) not in seen}
            seen |= fresh
            if not fresh:
                why = (
                    str(Say("列表翻不了页")) if len(listed) > 1 else answers.missing(me, len(seen))
                )
            elif answers.reaches(fresh.values(), since):
                why = ""
            else:
                older["max_id"] = str(listed[-1]["id"])
                continue
            break
        return [s for s in seen.values() if answers.is_since(s, since)], why

    async def applied(self, act: str, receipt: Receipt, outgoing: Outgoing | None) -> Looked:
        if act == Act.REPOST:
            return await self._reposted(outgoing.in_reply_to if outgoing else "")
        answer = await self._ask(answers.path_of(receipt.remote_id))
        gone = answers.is_gone(answer)
        if act == Act.WITHDRAW and (gone or answer.status == 200):
            return Found(receipt) if gone else Absent()
        if gone or outgoing is None:
            return Unknown("原文已不在平台上")
        status = await self._value(answer)
        return (
            Found(answers.receipt_of(status)) if answers.stands_as(status, outgoing) else Absent()
        )

    async def _reposted(self, remote_id: str) -> Looked:
        """By the listing; some servers say it only in the status itself, and give no id of its own."""
        own, why_partial = await self._own(datetime.now(UTC) - timedelta(days=2))
        for status in own:
            if str((status.get("reblog") or {}).get("id", "")) == remote_id:
                return Found(answers.receipt_of(status))
        reposted = (await self._ask(answers.path_of(remote_id))).json()
        if answers.is_status(reposted) and reposted.get("reblogged"):
            return Found(answers.receipt_of(reposted))
        return Unknown(why_partial) if why_partial else Absent()

    async def visible(self, receipt: Receipt) -> Visible:
        """By the API; where that wants a token even for what is public, by the post's own page."""
        answer = await self.client.read(self._url(answers.path_of(receipt.remote_id)))
        if answers.is_gone(answer):
            return Visible.NO
        if answer.status == 200 and answers.is_status(answer.json()):
            return Visible.YES
        if not receipt.url.startswith(("http://", "https://")):
            return Visible.CANNOT_TELL
        answer = await self.client.read(receipt.url)
        if answer.status in GONE:
            return Visible.NO
        return Visible.YES if answer.status == 200 else Visible.CANNOT_TELL

    # ------------------------------------------------------------ replies

    async def replies(self, receipt: Receipt | None, cursor: str | None) -> ReplyPage:
        """A thread comes in one page, from servers that list it flat in more; mentions newest first.

        `author_id` has the form of our own Identity.id, so that our own answers can be told.
        `total` sums what the platform counts under each post of the thread: it counts direct ones.
        """
        if receipt is None:
            return await self._mentions(cursor)
        return await self._thread(receipt.remote_id, dict(parse_qsl(cursor or "")))

    async def _thread(self, root_id: str, walk: Mapping[str, str]) -> ReplyPage:
        """`walk`: ids still to be asked, and the count so far; empty at the start."""
        ask = walk["ask"].split(",") if walk else [root_id]
        root: Json = {} if walk else await self._root(root_id)
        counted = [int(walk["total"]) if walk else answers.direct(root)]
        rest, found, whole = ask[AT_ONCE:], [], True
        for remote_id in ask[:AT_ONCE]:
            below, now = await self._below(remote_id)
            whole = whole and len(below) < THREAD
            counted += map(answers.direct, below)
            rest += answers.unlisted(below, remote_id)
            found += [self._reply(s, root_id, now) for s in below]
        more = urlencode({"ask": ",".join(rest), "total": sum(counted)}) if rest else None
        return ReplyPage(
            tuple(sorted(found, key=lambda r: (r.at, r.remote_id))),
            cursor=more,
            total=sum(counted),
            complete=whole and more is None,
            why_partial="" if whole else str(Say("平台一次最多给 {n} 条", n=THREAD)),
            likes=answers.counted(root, "favourites_count"),
            reposts=answers.counted(root, "reblogs_count"),
        )

    async def _root(self, root_id: str) -> Json:
        answer = await self._ask(answers.path_of(root_id))
        if answers.is_gone(answer):
            raise Refused("原文在 {host} 上已不在", host=self._host)
        found = await self._value(answer)
        return found if isinstance(found, dict) else {}

    async def _below(self, remote_id: str) -> tuple[list[Json], datetime]:
        """What the server lists under a post; nothing where that has just gone."""
        answer = await self._ask(f"{answers.path_of(remote_id)}/context")
        if answer.status in GONE:
            return [], answer.at
        context = await self._value(answer)
        return answers.listed(
            context.get("descendants") if isinstance(context, dict) else None
        ), answer.at

    async def _mentions(self, cursor: str | None) -> ReplyPage:
        """Newest to oldest, down to where an earlier walk began (`since`)."""
        walk = dict(parse_qsl(cursor or ""))
        params = {"types[]": "mention", "limit": "40"}
        params |= {k: walk[k] for k in ("since_id", "max_id") if k in walk}
        answer = await self._ask("v1/notifications", params=params)
        listed = answers.listed(await self._value(answer))
        ids = [str(n["id"]) for n in listed]
        stuck = "max_id" in walk and ids[:1] == [walk["top"]]
        if walk.get("since_id") in ids:  # a server that takes no since_id
            listed = listed[: ids.index(walk["since_id"])]
        found = tuple(
            self._mention(n, answer.at) for n in listed if answers.is_status(n.get("status"))
        )
        top = walk.get("top") or next(iter(ids), walk.get("since_id", ""))
        if len(ids) == len(listed) > 0 and not stuck:
            older = {**walk, "top": top, "max_id": answers.next_id(answer) or ids[-1]}
            return ReplyPage(found, cursor=urlencode(older))
        why = "平台的提及列表翻不了页" if stuck else ""
        resume = urlencode({"since_id": top}) if top else None
        return ReplyPage(found, resume=resume, complete=not stuck, why_partial=why)

    def _mention(self, notification: Json, now: datetime) -> RemoteReply:
        """What answers a post of ours names it as its root; else the platform does not say."""
        status = notification["status"]
        return self._reply(status, str(status.get("in_reply_to_id") or ""), now)

    def _reply(self, status: Json, root_id: str, now: datetime) -> RemoteReply:
        author = status.get("account") or {}
        about = {k: author.get(k) for k in ("id", "acct", "display_name")}
        return RemoteReply(
            remote_id=str(status["id"]),
            author_id=self._identity(author),
            author_name=str(author.get("display_name") or author.get("acct") or ""),
            text=plain(str(status.get("content") or "")),
            at=answers.when(status.get("created_at")) or now,
            parent_id=str(status.get("in_reply_to_id") or ""),
            root_id=root_id,
            url=str(status.get("url") or status.get("uri") or ""),
            handle=str(author.get("acct") or ""),
            edited=bool(status.get("edited_at")),
            raw=canonical({**status, "account": about}),
        )

    # ------------------------------------------------------------ granting access

    @classmethod
    async def connect_begin(
        cls, options: MastodonOptions, client: Client, state: str, back: str = ""
    ) -> Connecting:
        """A server that does not take our address shows the person a code instead."""
        try:
            app = await cls._registered(options, client, back or OUT_OF_BAND)
        except Refused:
            if not back:
                raise
            back, app = "", await cls._registered(options, client, OUT_OF_BAND)
        query = {
            "client_id": app["client_id"],
            "redirect_uri": app["redirect_uri"],
            "response_type": "code",
            "scope": SCOPES,
        }
        url = (
            f"{options.url}/oauth/authorize?{urlencode(query | ({'state': state} if back else {}))}"
        )
        return Connecting(url, json.dumps(app), returns=bool(back))

    @classmethod
    async def _registered(cls, options: MastodonOptions, client: Client, back: str) -> Json:
        """A new application of ours at the server, which sends people to `back`."""
        form = {"client_name": "公开 gongkai", "redirect_uris": back, "scopes": SCOPES}
        answer = await client.read(f"{options.url}/api/v1/apps", method="POST", data=form)
        app = answers.granted(answer, "client_id", options.url)
        made = {k: app.get(k, "") for k in ("client_id", "client_secret")}
        return made | {"redirect_uri": back}

    @classmethod
    async def connect_finish(
        cls, options: MastodonOptions, client: Client, connecting: Connecting, code: str
    ) -> str:
        form = {
            **json.loads(connecting.secret),
            "grant_type": "authorization_code",
            "code": code.strip(),
            "scope": SCOPES,
        }
        answer = await client.read(f"{options.url}/oauth/token", method="POST", data=form)
        return str(answers.granted(answer, "access_token", options.url)["access_token"])

    # ------------------------------------------------------------ the wire

    def _url(self, path: str) -> str:
        return f"{self.options.url}/api/{path}"

    @cached_property
    def _headers(self) -> dict[str, str]:
        if not re.fullmatch(r"[!-~]+", self.credential):
            raise AccountBroken("{host} 的凭据不能用，请重新连接账号", host=self._host)
        return {
            "Authorization": f"Bearer {self.credential}",
            "Accept": "application/json",
            "Accept-Language": "zh-CN, zh;q=0.9, en;q=0.5",
        }

    async def _ask(self, path: str, **request: Any) -> Answer:
        """A call the public cannot see. Raises Later."""
        return await self.client.read(self._url(path), headers=self._headers, **request)

    async def _write(
        self, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> Answer:
        headers = {**self._headers, **(headers or {})}
        return await self.client.write(self._url(path), headers=headers, **request)

    async def _value(self, answer: Answer) -> Any:
        """The JSON of an answer to a read. Raises Later, Refused, AccountBroken."""
        if answer.status < 300 and (value := answer.json()) is not None:
            return value
        raise await self._trouble(answer)

    async def _trouble(self, answer: Answer, written: bool = False) -> AdapterError:
        """The table above, for whatever is no success."""
        status = answer.status
        about: dict[str, Any] = {"host": self._host, "raw": answer.raw}
        if status == 429:
            wait = retry_after(answer.headers, answer.at)
            return Later("{host} 限制了频率", after=wait, **about)
        if status < 300 or status >= 500 or status in (408, 409):
            return self._unclear(answer) if written else Later("{host} 一时不能应答", **about)
        if status < 400:
            return AccountBroken(
                "{host} 转到了 {to}，请改 config.toml 里的地址",
                to=answers.target_of(answer),
                **about,
            )
        if "insufficient_scope" in answer.headers.get("www-authenticate", ""):
            return AccountBroken("{host} 没有给这份凭据足够的权限，请重新授权", **about)
        if status in SUSPECT or (status == 422 and not answer.body.strip()):
            try:
                await self._me()
            except AccountBroken as error:
                return error
        return Refused("{host} 拒绝：{words}", words=answers.words_of(answer), **about)

    def _unclear(self, answer: Answer) -> Uncertain:
        return Uncertain(
            "{host} 的回答不能说明是否收下（HTTP {status}），正在回查",
            host=self._host,
            status=answer.status,
            raw=answer.raw,
        )
