"""The one HTTP client that adapters are handed, and what a cut call means.

Decided here, once: `NotSent` when the request cannot have been taken (no connection was made),
`MaybeSent` when it can. On a write, `NotSent` becomes `Later` and `MaybeSent` becomes `Uncertain`;
on a read both become `Later`.

httpx's transport and requests without its client: of what that adds (cookies, redirects, hooks,
passwords out of addresses) an office's call uses nothing, and it took a twelfth of the time.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from bot.errors import Later, Uncertain

# ---------------------------------------------------------------- what comes back


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


HEADERS = {"User-Agent": "gongkai", "Accept-Encoding": "gzip, deflate"}
_parsed = lru_cache(maxsize=512)(httpx.URL)  # an account calls the same few again and again
_until_connected = retry(
    retry=retry_if_exception_type(NotSent),
    stop=stop_after_attempt(2),
    wait=wait_random_exponential(multiplier=0.1, max=1),
    reraise=True,
)


# ---------------------------------------------------------------- the client


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
        connecting = min(10, timeout)
        waits = {"connect": connecting, "read": timeout, "write": timeout, "pool": timeout}
        self._extensions = {"timeout": waits}
        self._proxies = getproxies() if trust_env else {}
        self._headers, self._keep_alive_writes = {**HEADERS, **(headers or {})}, keep_alive_writes
        self._ways: dict[tuple[str | None, bool], httpx.AsyncHTTPTransport] = {}

    def _way(self, url: httpx.URL, keep: bool) -> httpx.AsyncHTTPTransport:
        proxy = self._proxy(url) if self._proxies else None
        if (way := self._ways.get((proxy, keep))) is None:
            limits = httpx.Limits(max_keepalive_connections=20 if keep else 0)
            way = httpx.AsyncHTTPTransport(verify=ssl_context(), limits=limits, proxy=proxy)
            self._ways[proxy, keep] = way
        return way

    def _proxy(self, url: httpx.URL) -> str | None:
        """The one that the environment names for `url` (HTTPS_PROXY, ALL_PROXY, NO_PROXY)."""
        if proxy_bypass(url.netloc.decode("ascii")):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")

    async def read(self, url: str, *, method: str = "GET", **request: Any) -> Answer:
        """A call that changes nothing. Raises Later when no whole answer came.

        Asked once more, on a connection of its own, when the server closed a kept one.
        """
        try:
            try:
                return await self._call(True, method, url, request)
            except Dropped:
                return await self._call(False, method, url, request)
        except (NotSent, MaybeSent) as error:
            raise Later("平台没有回应：{why}", why=str(error)) from error

    async def write(self, url: str, *, method: str = "POST", **request: Any) -> Answer:
        """A call that may change something. Raises Later (not sent) or Uncertain (maybe sent)."""
        try:
            return await self._call(self._keep_alive_writes, method, url, request)
        except NotSent as error:
            raise Later("连接不上平台：{why}", why=str(error)) from error
        except MaybeSent as error:
            raise Uncertain("请求已送出，平台没有回音：{why}", why=str(error)) from error

    async def _call(self, keep: bool, method: str, url: str, request: dict[str, Any]) -> Answer:
        self._calls += 1
        try:
            return await self._once(keep, method, url, request)
        except NotSent:
            return await self._again(keep, method, url, request)
        finally:
            self._calls -= 1
            if self._retired:
                await self.retire()

    @_until_connected
    async def _again(self, keep: bool, method: str, url: str, request: dict[str, Any]) -> Answer:
        return await self._once(keep, method, url, request)

    async def _once(self, keep: bool, method: str, url: str, request: dict[str, Any]) -> Answer:
        with _told_apart():
            asked = self._asked(method, _parsed(url), **request)
            response = await self._way(asked.url, keep).handle_async_request(asked)
            try:
                body = await self._whole(response)
            finally:
                await response.aclose()
        return Answer(response.status_code, response.headers, body, str(asked.url), self.secret)

    def _asked(
        self, method: str, url: httpx.URL, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Request:
        both = {**self._headers, **(headers or {})}
        return httpx.Request(method, url, headers=both, extensions=self._extensions, **request)

    async def _whole(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.limit:
                raise MaybeSent(f"answer over {self.limit} bytes")
        return bytes(body)

    async def retire(self) -> None:
        """Close it when the calls under way are over."""
        self._retired = True
        if not self._calls:
            await self.aclose()

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


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
