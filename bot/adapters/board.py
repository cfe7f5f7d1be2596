"""公开栏: the office's own board, spoken to over its API (bot.web.board.api) wherever it stands.

| the board says | means |
|---|---|
| 200, 201 | done |
| 401, 403 | AccountBroken: the token is wrong or was renewed |
| 3xx, and what is no board's answer below 500 | AccountBroken: the address is not a board's |
| 400, 404, 410, 422 of the board's own; 413, a proxy's too | Refused, with its words |
| 422 key-reused | Uncertain: under this key other content stands, so it is looked up |
| 429 | Later, after its Retry-After |
| 503 no-board | Later: nothing was taken, it was never set up |
| other 5xx, no answer, a torn one | on a write Uncertain, on a read Later |

The board keeps the delivery's key for ever, so a look-up by key is exact at once: there is no lag,
and a second request with the key, however late, gives the same post.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import field_validator

from bot.adapters.base import Adapter, Answer, Options, retry_after
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
    Receipt,
    RemoteReply,
    RepliesBy,
    ReplyPage,
    Staged,
    Unknown,
    Visible,
)

POST = frozenset({"id", "url", "at", "edited_at", "withdrawn_at", "content"})
IDENTITY = frozenset({"id", "title", "url", "limits"})
MEDIA = frozenset({"sha256"})
PAGE = frozenset({"replies", "cursor", "resume", "total"})
KIND = "urn:gongkai:board:"
FOR_EVER = 100 * 365 * 86400  # seconds


class BoardOptions(Options):
    """`url`: where the board's server is reached, without /board; the office's own by default."""

    url: str = ""

    @field_validator("url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError(str(Say("公开栏地址写作 https://主机名")))
        return value.rstrip("/").removesuffix("/board")


class Board(Adapter):
    """The board of this server or of another one."""

    name = "board"
    label = "公开栏"
    letter = "栏"
    options_model = BoardOptions
    options: BoardOptions
    client_options: ClassVar[Mapping[str, Any]] = {"trust_env": False}  # no proxy stands between
    capabilities = Capabilities(
        text_limit=5000,
        media_count=9,
        media_kinds=("image/gif", "image/jpeg", "image/png", "image/webp"),
        media_bytes=20 * 1024 * 1024,
        alt_text=True,
        alt_limit=1500,
        language=True,
        title=True,
        idempotency=Idempotency.KEY,
        idempotency_seconds=FOR_EVER,
        replies=RepliesBy.POLL,
        deletions_visible=True,
        edit=True,
        withdraw=True,
        answer=True,
    )

    async def check(self) -> Checked:
        body = _taken(await self._read("/identity"), IDENTITY)
        limits = body["limits"]
        able = {
            "text_limit": limits["text"],
            "media_count": limits["media"],
            "media_bytes": limits["media_bytes"],
            "media_kinds": tuple(limits["media_kinds"]),
            "alt_limit": limits["alt"],
        }
        stored = self.capabilities.json() | able
        return Checked(Identity(body["id"], body["title"], body["url"]), Capabilities.of(stored))

    async def stage(self, outgoing: Outgoing, files: Mapping[str, bytes]) -> Staged:
        for media in outgoing.media:
            # A read in the sense of the contract: again is the same, and the public sees nothing.
            answer = await self._read(
                f"/media/{media.sha256}", method="PUT", content=files[media.sha256]
            )
            _taken(answer, MEDIA)
        return Staged(tuple(media.sha256 for media in outgoing.media))

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        answer = await self._write("/posts", {"Idempotency-Key": key}, json=_content(outgoing))
        return _receipt(_taken(answer, POST, writing=True), answer)

    async def edit(self, receipt: Receipt, outgoing: Outgoing, staged: Staged, key: str) -> Receipt:
        answer = await self._write(_at(receipt), method="PUT", json=_content(outgoing))
        return _receipt(_taken(answer, POST, writing=True), answer, "edited_at")

    async def withdraw(self, receipt: Receipt, key: str) -> Receipt:
        answer = await self._write(_at(receipt), method="DELETE")
        return _receipt(_taken(answer, POST, writing=True), answer, "withdrawn_at")

    async def find(
        self, outgoing: Outgoing, key: str, since: datetime, taken: frozenset[str]
    ) -> Looked:
        answer = await self._read(f"/posts/by-key/{quote(key, safe='')}")
        if _kind(answer) == "not-found":
            return Absent()
        receipt = _receipt(_taken(answer, POST), answer)
        return Unknown(receipt.url) if receipt.remote_id in taken else Found(receipt)

    async def applied(self, act: str, receipt: Receipt, outgoing: Outgoing | None) -> Looked:
        answer = await self._read(_at(receipt))
        if _kind(answer) == "not-found":
            return Unknown(answer.raw)
        post = _taken(answer, POST)
        if act == Act.WITHDRAW:
            return (
                Found(_receipt(post, answer, "withdrawn_at")) if post["withdrawn_at"] else Absent()
            )
        if act == Act.EDIT and outgoing is not None:
            same = _plain(post["content"]) == _content(outgoing)
            return Found(_receipt(post, answer, "edited_at")) if same else Absent()
        return Unknown()

    async def visible(self, receipt: Receipt) -> Visible:
        url = receipt.url or f"{self.options.url}/board/p/{quote(receipt.remote_id)}"
        try:
            answer = await self.client.read(url)
        except Later:
            return Visible.CANNOT_TELL
        if answer.status in (404, 410):
            return Visible.NO
        stands = answer.status == 200 and f'id="{receipt.remote_id}"' in answer.text
        return Visible.YES if stands else Visible.CANNOT_TELL

    async def replies(self, receipt: Receipt | None, cursor: str | None) -> ReplyPage:
        if receipt is None:
            raise Unsupported("公开栏没有提及，只能按内容采集留言")
        answer = await self._read(f"{_at(receipt)}/replies", params={"cursor": cursor or ""})
        page = _taken(answer, PAGE)
        return ReplyPage(
            replies=tuple(_reply(said) for said in page["replies"]),
            cursor=page["cursor"],
            resume=page["resume"],
            total=page["total"],
            complete=page["cursor"] is None,
        )

    # ---------------------------------------------------------------- the wire

    async def _read(self, path: str, **request: Any) -> Answer:
        return await self.client.read(self._url(path), headers=self._token(), **request)

    async def _write(
        self, path: str, headers: Mapping[str, str] | None = None, **request: Any
    ) -> Answer:
        both = self._token() | dict(headers or {})
        return await self.client.write(self._url(path), headers=both, **request)

    def _url(self, path: str) -> str:
        if not self.options.url:
            raise AccountBroken("公开栏账号没有填写地址，请在 options.url 中写明")
        return f"{self.options.url}/board/api/v1{path}"

    def _token(self) -> dict[str, str]:
        if not re.fullmatch(r"[!-~]+", self.credential):
            raise AccountBroken("公开栏账号没有令牌，或令牌含有不该有的字符，请重新连接账号")
        return {"Authorization": f"Bearer {self.credential}"}


# ---------------------------------------------------------------- words to values and back


def _at(receipt: Receipt) -> str:
    return f"/posts/{quote(receipt.remote_id, safe='')}"


def _content(outgoing: Outgoing) -> dict[str, Any]:
    """What the board is to show. Raises Unsupported for what it has no place for."""
    if outgoing.warning or outgoing.visibility != "public":
        raise Unsupported("公开栏的内容一律公开，也没有内容提示")
    return {
        "text": outgoing.text,
        "title": outgoing.title,
        "language": outgoing.language,
        "link": outgoing.link,
        "in_reply_to": outgoing.in_reply_to,
        "media": [{"sha256": media.sha256, "alt": media.alt} for media in outgoing.media],
    }


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """The board's content as it was given, without what the board knows of each picture."""
    media = [{"sha256": m["sha256"], "alt": m["alt"]} for m in content["media"]]
    return {**content, "media": media}


def _kind(answer: Answer) -> str:
    """The kind of a problem of the board's own; empty for any other answer."""
    body = answer.json()
    named = body.get("type") if isinstance(body, dict) else None
    return str(named).removeprefix(KIND) if str(named).startswith(KIND) else ""


def _taken(answer: Answer, needed: frozenset[str], *, writing: bool = False) -> dict[str, Any]:
    """The answer's JSON where the board did what it was asked, else the error (table above)."""
    body = answer.json()
    if answer.status in (200, 201) and isinstance(body, dict) and needed <= body.keys():
        return body
    raise _error(answer, writing)


def _error(answer: Answer, writing: bool) -> AdapterError:
    kind, raw = _kind(answer), answer.raw
    if answer.status == 429 or kind == "no-board":
        wait = retry_after(answer.headers, answer.at)
        return Later("公开栏要求稍后再试", after=wait, raw=raw)
    if answer.status >= 500 or answer.status in (200, 201):
        said = Say("公开栏的回答不完整（HTTP {status}）", status=answer.status)
        return Uncertain(said, raw=raw) if writing else Later(said, raw=raw)
    if answer.status == 413:
        return Refused("内容超过公开栏（或它前面的代理）一次能收的大小", raw=raw)
    if answer.status in (401, 403):
        return AccountBroken("公开栏不认这个令牌，请重新连接账号", raw=raw)
    if kind == "key-reused":
        return Uncertain("公开栏上这次投递已有另一份内容，正在回查", raw=raw)
    if kind:
        return Refused("公开栏拒绝：{why}", why=str(answer.json()["detail"]), raw=raw)
    return AccountBroken("{url} 不是公开栏的地址，请核对账号设置", url=answer.url, raw=raw)


def _receipt(post: Mapping[str, Any], answer: Answer, at: str = "at") -> Receipt:
    return Receipt(post["id"], post["url"], _instant(post[at] or post["at"]), answer.raw)


def _reply(said: Mapping[str, Any]) -> RemoteReply:
    return RemoteReply(
        remote_id=said["id"],
        author_id="",  # visitors need no account, so none is known
        author_name=said["name"] or str(Say("匿名")),
        text=said["text"],
        at=_instant(said["at"]),
        parent_id=said["parent"],
        root_id=said["root"],
        url=said["url"],
        edited=said["edited"],
        removed=said["removed"],
        taken_back=said["why"] == "deleted",
        raw=said["why"],
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
