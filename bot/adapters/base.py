"""The contract every platform's adapter keeps, and the one HTTP client it is handed.

An adapter is one class, in a file or a folder of its own. It gets its options, its credential, a
client and values; it returns values. It never sleeps, never logs text, never sees the database. Of
its errors it raises only `Later`, `Refused`, `AccountBroken`, `Uncertain` and `Unsupported`
(bot.errors); a table at the top of a file maps the platform's codes to these.
tests/adapters/contract.py is the suite that tells an outsider when a new adapter is right.

What happens when a call is cut is decided here, once: `NotSent` when the request cannot have been
taken (no connection was made), `MaybeSent` when it can. On a write, `NotSent` becomes `Later` and
`MaybeSent` becomes `Uncertain`; on a read both become `Later`.
"""

from __future__ import annotations

import json
import ssl
from abc import ABC
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, cached_property, lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict
from tenacity import retry, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from bot.errors import AdapterError, Later, Uncertain, Unsupported
from bot.language import Say
from bot.model import (
    Capabilities,
    Checked,
    Looked,
    Outgoing,
    Receipt,
    ReplyPage,
    Staged,
    Task,
    Unknown,
    Visible,
)

# ---------------------------------------------------------------- the contract


class Options(BaseModel):
    """Base of an adapter's options: what stands under [accounts.KEY.options] in config.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Connecting:
    """A connection half made. `secret` is what the adapter needs to finish it."""

    url: str
    secret: str = field(repr=False)


class Adapter(ABC):
    """One account on one platform. Construct it with its client; it holds no other state."""

    name: ClassVar[str]
    label: ClassVar[str]  # Chinese name of the platform
    letter: ClassVar[str]  # one character for the console's account squares
    options_model: ClassVar[type[Options]] = Options
    capabilities: ClassVar[Capabilities] = Capabilities()
    client_options: ClassVar[Mapping[str, Any]] = {}  # what its Client is made with besides

    def __init__(self, options: Options, credential: str, client: Client) -> None:
        """`credential` is the secret as stored (often a token); empty where none is needed."""
        self.options = options
        self.credential = credential
        self.client = client
        client.secret = credential

    def __repr__(self) -> str:  # a credential must never be seen by accident
        return f"<{type(self).__name__}>"

    @classmethod
    def capabilities_of(cls, options: Any) -> Capabilities:
        """What is known of an account before `check()` first ran: the class's, or by its options."""
        return cls.capabilities

    @classmethod
    def id_in(cls, link: str) -> str:
        """The remote id of a post, as a person pastes its address; usually its last part."""
        return link.split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]

    @classmethod
    async def connect_begin(cls, options: Any, client: Client) -> Connecting:
        """Where a person goes to let us speak for the account.

        Raises Unsupported, Refused (an option is missing), Later.
        """
        raise Unsupported("{adapter} 没有授权网页，请直接填写凭据", adapter=cls.name)

    @classmethod
    async def connect_finish(
        cls, options: Any, client: Client, connecting: Connecting, code: str
    ) -> str:
        """The credential for the `code` that person brought back. Raises Refused, Later."""
        raise Unsupported("{adapter} 没有授权网页，请直接填写凭据", adapter=cls.name)

    @classmethod
    def task(cls, options: Any, act: str, outgoing: Outgoing, receipt: Receipt) -> Task | None:
        """What a person is told to do for `act`, where the platform is served by hand: the very
        words its call gives, in the language of whoever looks. Changes nothing, asks nobody."""
        return None

    async def check(self) -> Checked:
        """Who are we there, what can it do, how long does the credential live. Changes nothing.

        Raises AccountBroken for a dead credential, Later when the platform cannot be asked.
        """
        raise Unsupported("{adapter} 不支持检查", adapter=self.name)

    async def stage(self, outgoing: Outgoing, files: Mapping[str, bytes]) -> Staged:
        """Upload `outgoing.media` (bytes in `files` by sha256). Invisible to the public, repeatable."""
        return Staged()

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt | Task:
        """Exactly one public change. `key` is the delivery's, the same on every attempt."""
        raise Unsupported("{adapter} 不支持发布", adapter=self.name)

    async def edit(
        self, receipt: Receipt, outgoing: Outgoing, staged: Staged, key: str
    ) -> Receipt | Task:
        """Replace what stands at `receipt` with `outgoing`. One public change."""
        raise Unsupported("{adapter} 不支持修改已发内容", adapter=self.name)

    async def withdraw(self, receipt: Receipt, key: str) -> Receipt | Task:
        """Take `receipt` down. Already gone is success. One public change."""
        raise Unsupported("{adapter} 不支持撤回", adapter=self.name)

    async def repost(self, remote_id: str, key: str) -> Receipt | Task:
        """Repost another account's post. One public change."""
        raise Unsupported("{adapter} 不支持转发", adapter=self.name)

    async def find(
        self, outgoing: Outgoing, key: str, since: datetime, taken: frozenset[str]
    ) -> Looked:
        """Was `outgoing` published at or after `since`? Skips remote ids in `taken`.

        Found(receipt), Absent (the listing reaches back before `since` and it is not there), or
        Unknown. Called no sooner than the declared listing lag after the attempt. Raises Later,
        AccountBroken.
        """
        return Unknown()

    async def applied(self, act: str, receipt: Receipt, outgoing: Outgoing | None) -> Looked:
        """Did an edit or a withdrawal of `receipt`, whose outcome is unknown, take effect?

        Found(receipt): it did. Absent: `receipt` stands unchanged. Unknown: cannot be told.
        """
        return Unknown()

    async def visible(self, receipt: Receipt) -> Visible:
        """Does an outsider without credentials see it?"""
        return Visible.CANNOT_TELL

    async def replies(self, receipt: Receipt | None, cursor: str | None) -> ReplyPage:
        """A page of replies under `receipt`, or (None) of what mentions the account.

        `cursor` None begins a full walk from the start; a page's `cursor` continues it; its
        `resume` begins a later incremental walk. Same cursor, same page or a superset of it.
        """
        raise Unsupported("{adapter} 不支持采集评论", adapter=self.name)


# ---------------------------------------------------------------- the client


class NotSent(Exception):
    """No connection was made: the request cannot have been taken."""


class MaybeSent(Exception):
    """The connection broke, timed out or answered nonsense after the request may have left."""


class Dropped(MaybeSent):
    """The server closed the connection: so looks a lost answer, and so does an idle connection."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer read whole. `json()` is None where the body is none."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    secret: str = field(default="", repr=False)  # blotted out of whatever is shown

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def at(self) -> datetime:
        """The platform's own clock where it told it (Date), else ours; aware, UTC."""
        try:
            told = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return datetime.now(UTC)
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)

    @property
    def text(self) -> str:
        """The body, without our credential: some servers quote what they were sent."""
        return self.blot(self.body.decode("utf-8", "replace"))

    def blot(self, text: str) -> str:
        return text.replace(self.secret, "…") if self.secret else text

    @property
    def raw(self) -> str:
        """The platform's own words, short enough to store and show."""
        return f"HTTP {self.status} {self.text[:300]}".strip()


@cache
def ssl_context() -> ssl.SSLContext:
    """One for the process: making one costs 58 ms and 0.8 MB."""
    return httpx.create_ssl_context()


_parsed = lru_cache(maxsize=512)(httpx.URL)  # an account calls the same few again and again
_until_connected = retry(
    retry=retry_if_exception_type(NotSent),
    stop=stop_after_attempt(2),
    wait=wait_random_exponential(multiplier=0.1, max=1),
    reraise=True,
)


class _NoCookies(httpx.Cookies):
    """Nothing is kept. Reading them out of an answer costs a twelfth of a whole call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _Cookieless(httpx.AsyncClient):
    """A client that carries no cookies from one answer to the next call: an outsider has none."""

    @property  # type: ignore[misc]
    def cookies(self) -> httpx.Cookies:
        return _NONE


_NONE = _NoCookies()


class Client:
    """HTTP for one account. Reads share kept-alive connections; writes open their own.

    A server that closes an idle connection gives the same error as a lost answer, so a write rides
    on a kept-alive connection only where the adapter declares that safe. Retries happen only where
    no connection was made, at most three times; every longer wait is the worker's.
    """

    def __init__(
        self,
        *,
        timeout: float = 30,
        keep_alive_writes: bool = False,
        headers: Mapping[str, str] | None = None,
        trust_env: bool = True,
        limit: int = 16 * 1024 * 1024,
    ) -> None:
        self.limit, self.secret = limit, ""
        self._calls, self._retired = 0, False
        self._timeout, self._trust_env, self._headers = timeout, trust_env, headers or {}
        self._keep_alive_writes = keep_alive_writes

    def _made(self, **more: Any) -> httpx.AsyncClient:
        return _Cookieless(
            timeout=httpx.Timeout(self._timeout, connect=min(10, self._timeout)),
            headers={"User-Agent": "gongkai", **self._headers},
            verify=ssl_context(),
            trust_env=self._trust_env,
            follow_redirects=False,
            **more,
        )

    @cached_property
    def _reads(self) -> httpx.AsyncClient:
        return self._made()

    @cached_property
    def _writes(self) -> httpx.AsyncClient:
        if self._keep_alive_writes:
            return self._reads
        return self._made(limits=httpx.Limits(max_keepalive_connections=0))

    async def read(self, url: str, *, method: str = "GET", **request: Any) -> Answer:
        """A call that changes nothing. Raises Later when no whole answer came.

        Asked once more, on a connection of its own, when the server closed a kept one.
        """
        try:
            try:
                return await self._call(self._reads, method, url, request)
            except Dropped:
                return await self._call(self._writes, method, url, request)
        except (NotSent, MaybeSent) as error:
            raise Later("平台没有回应：{why}", why=str(error)) from error

    async def write(self, url: str, *, method: str = "POST", **request: Any) -> Answer:
        """A call that may change something. Raises Later (not sent) or Uncertain (maybe sent)."""
        try:
            return await self._call(self._writes, method, url, request)
        except NotSent as error:
            raise Later("连接不上平台：{why}", why=str(error)) from error
        except MaybeSent as error:
            raise Uncertain("请求已送出，平台没有回音：{why}", why=str(error)) from error

    async def _call(
        self, client: httpx.AsyncClient, method: str, url: str, request: dict[str, Any]
    ) -> Answer:
        self._calls += 1
        try:
            return await self._once(client, method, url, request)
        except NotSent:
            return await self._again(client, method, url, request)
        finally:
            self._calls -= 1
            if self._retired:
                await self.retire()

    @_until_connected
    async def _again(
        self, client: httpx.AsyncClient, method: str, url: str, request: dict[str, Any]
    ) -> Answer:
        return await self._once(client, method, url, request)

    async def _once(
        self, client: httpx.AsyncClient, method: str, url: str, request: dict[str, Any]
    ) -> Answer:
        with _told_apart():
            async with client.stream(method, _parsed(url), **request) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self.limit:
                        raise MaybeSent(f"answer over {self.limit} bytes")
                url, status = str(response.url), response.status_code
                return Answer(status, response.headers, bytes(body), url, self.secret)

    async def retire(self) -> None:
        """Close it when the calls under way are over."""
        self._retired = True
        if not self._calls:
            await self.aclose()

    async def aclose(self) -> None:
        made: list[Any] = [self.__dict__.get("_reads"), self.__dict__.get("_writes")]
        for client in made:
            if client is not None:
                await client.aclose()


# requests that could not even be written down
_OURS = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError)


@contextmanager
def _told_apart() -> Iterator[None]:
    """httpx's errors as the two that matter."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent(type(error).__name__) from error
    except _OURS as error:
        raise NotSent(type(error).__name__) from None  # its words may quote an address or a header
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise Dropped(type(error).__name__) from error
    except httpx.HTTPError as error:
        raise MaybeSent(type(error).__name__) from error


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The platform's own wait, in every form seen (platform notes in docs/adapters.md):

    Retry-After in seconds or as an HTTP date; ratelimit-reset and x-ratelimit-reset as epoch
    seconds, as seconds to go, or as ISO 8601. None where none is given. From 0 to 24 hours: a
    longer one is a clock or a unit gone wrong, and asking again in a day does no harm.
    """
    for name in ("retry-after", "ratelimit-reset", "x-ratelimit-reset"):
        value = (headers.get(name) or "").strip()
        if value and (wait := _wait(value, now)) is not None:
            return min(max(wait, timedelta(0)), timedelta(days=1))
    return None


def _wait(value: str, now: datetime) -> timedelta | None:
    try:
        seconds = float(value)
        if seconds > 1e9:  # an epoch
            return timedelta(seconds=seconds - now.timestamp())
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        pass
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(value)
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)) - now
    return None


# ---------------------------------------------------------------- finding them

ADAPTERS = {
    "board": "bot.adapters.board:Board",
    "byhand": "bot.adapters.byhand:ByHand",
    "mastodon": "bot.adapters.mastodon:Mastodon",
    "weibo": "bot.adapters.weibo:Weibo",
}


def names() -> list[str]:
    """Every adapter there is: ours first, then what outsiders' packages offer."""
    return [
        *ADAPTERS,
        *(e.name for e in entry_points(group="gongkai.adapters") if e.name not in ADAPTERS),
    ]


@cache
def adapter_class(name: str) -> type[Adapter]:
    """The class called `name`; raises KeyError. Imported on first use only."""
    if name in ADAPTERS:
        module, _, attribute = ADAPTERS[name].partition(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    for entry in entry_points(group="gongkai.adapters"):
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    raise KeyError(name)


__all__ = [
    "Adapter",
    "AdapterError",
    "Answer",
    "Client",
    "Connecting",
    "MaybeSent",
    "NotSent",
    "Options",
    "Say",
    "adapter_class",
    "names",
    "retry_after",
    "ssl_context",
]
