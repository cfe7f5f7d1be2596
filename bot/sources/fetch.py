"""A catalogue's bytes, from the network or from a file, within limits.

Only http and https, only public addresses: each hop's host is resolved, every address it has is
checked, and the connection goes to the very address that was checked, so that a name cannot point
elsewhere a moment later. A host that config names as private may be fetched; a redirect to another
private host may not. Proxy variables are ignored, for a proxy would resolve names by itself; the
proxy that config names is given the address that was checked, and a private host is asked directly.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx

from bot.adapters.base import ssl_context
from bot.errors import SourceError
from bot.language import Say
from bot.model import Reading
from bot.sources.base import Origin, Source
from bot.sources.decode import LIMIT, unpack

REDIRECTS = 5
HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; gongkai)",
    "Accept": "application/rss+xml, application/atom+xml, application/feed+json, */*;q=0.8",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(frozen=True)
class Limits:
    size: int = LIMIT  # bytes, unpacked
    seconds: float = 30  # for all hops together


@dataclass(frozen=True)
class Body:
    """What was fetched, unpacked. `url` is where it was in the end; a relative link starts there."""

    data: bytes = b""
    content_type: str = ""
    url: str = ""
    etag: str = ""
    last_modified: str = ""
    unchanged: bool = False


class NoHost(SourceError):
    """Its name does not exist, says the name service."""


class NotPublic(SourceError):
    """An address that nobody named as ours."""


def is_remote(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


async def fetch(origin: Origin, limits: Limits | None = None) -> Body:
    """Fetch whole what `origin` names. Raises SourceError, `gone` where the page is."""
    limits = limits or Limits()
    if "://" not in origin.url:
        return await asyncio.to_thread(_file, origin, limits)
    try:
        async with asyncio.timeout(limits.seconds):
            return await _hops(origin, limits)
    except TimeoutError as error:
        raise SourceError("{n} 秒内没有读完，已放弃", n=f"{limits.seconds:g}") from error


async def read_whole(source: Source, origin: Origin, size: int, seconds: float) -> Reading:
    """A catalogue that is one document: fetched within limits, parsed beside the loop.

    Raises SourceError.
    """
    body = await fetch(origin, Limits(size, seconds))
    if body.unchanged:
        return as_it_was(body, origin)
    found = replace(origin, url=body.url)
    reading = await asyncio.to_thread(source.parse, body.data, body.content_type, found)
    return replace(reading, etag=body.etag, last_modified=body.last_modified)


def as_it_was(body: Body, origin: Origin) -> Reading:
    """The reading of a document that says it has not changed."""
    return Reading(
        unchanged=True,
        etag=body.etag or origin.etag,
        last_modified=body.last_modified or origin.last_modified,
        memo=origin.memo,
    )


def is_public(address: str) -> bool:
    """Whether an IP address is reachable by, and belongs to, the public Internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


# ---------------------------------------------------------------- files


def _file(origin: Origin, limits: Limits) -> Body:
    """A file's time and size stand for its ETag."""
    path = Path(origin.url)
    try:
        stat = path.stat()
        etag = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
        if origin.etag == etag:
            return Body(url=origin.url, etag=etag, unchanged=True)
        if stat.st_size > limits.size:
            raise SourceError("文件超过 {n} 字节，不予读取", n=limits.size)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError("没有文件 {path}", gone=True, path=origin.url) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError("读不了文件 {path}：{why}", path=origin.url, why=why) from error
    return Body(unpack(data, limits.size), "", origin.url, etag)


# ---------------------------------------------------------------- the network


async def _hops(origin: Origin, limits: Limits) -> Body:
    first = url = address_of(origin.url)
    for _ in range(REDIRECTS + 1):
        private = origin.private and url.host == first.host
        proxy = "" if private else origin.proxy
        try:
            async with client_for(limits, url, proxy) as client:
                found = await _hop(client, url, private, origin, limits)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(explained(error, url.host, proxied=bool(proxy))) from error
        if isinstance(found, Body):
            return found
        url = found
    raise SourceError("{host} 重定向超过 {n} 次，不再跟随", host=first.host, n=REDIRECTS)


class _Named:
    """The shared TLS context, asking for one name: through a proxy httpcore would take the address
    it is told for the name, and pass over `sni_hostname`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(ssl_context(), attribute)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return ssl_context().wrap_bio(incoming, outgoing, server_side, self._name, session)


def client_for(limits: Limits, url: httpx.URL, proxy: str) -> httpx.AsyncClient:
    """One hop's client: it speaks to one host."""
    named = _Named(url.raw_host.decode("ascii"))
    return httpx.AsyncClient(
        headers=HEADERS,
        verify=cast(ssl.SSLContext, named) if proxy else ssl_context(),
        trust_env=False,
        timeout=limits.seconds,
        proxy=_proxy(proxy) if proxy else None,
    )


def _proxy(address: str) -> httpx.Proxy:
    secure = address.lower().startswith("https:")
    return httpx.Proxy(address, ssl_context=ssl_context() if secure else None)


async def _hop(
    client: httpx.AsyncClient, url: httpx.URL, private: bool, origin: Origin, limits: Limits
) -> Body | httpx.URL:
    """The body, or where it is to be asked for next."""
    answer = await answer_from(client, url, private, _conditions(origin))
    try:
        if not answer.has_redirect_location:
            return await _body(answer, url, limits)
        return address_of(url.join(answer.headers["location"]))
    finally:
        await answer.aclose()


def address_of(url: str | httpx.URL) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SourceError("地址 {url} 写得不对", url=str(url)[:200]) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SourceError("只读取 http 和 https 地址，不读取 {url}", url=_shown(parsed))
    return parsed


def _conditions(origin: Origin) -> Mapping[str, str]:
    stands = {"If-None-Match": origin.etag, "If-Modified-Since": origin.last_modified}
    return {name: value for name, value in stands.items() if value}


async def answer_from(
    client: httpx.AsyncClient,
    url: httpx.URL,
    private: bool,
    conditions: Mapping[str, str],
    method: str = "GET",
) -> httpx.Response:
    """One hop's answer, its body unread: from the first of the host's addresses that connects."""

    async def send(address: str) -> httpx.Response:
        request = client.build_request(
            method,
            url.copy_with(host=address),
            headers={"Host": url.netloc.decode("ascii"), **conditions},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        return await client.send(request, stream=True)

    *others, last = await _resolve(url, private)
    for address in others:
        with suppress(httpx.ConnectError):
            return await send(address)
    return await send(last)


async def _resolve(url: httpx.URL, private: bool) -> list[str]:
    """The addresses of a host, all of which must be allowed."""
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.raw_host.decode(), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        nameless = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
        kind = NoHost if nameless else SourceError
        raise kind(Say("找不到主机 {host}", host=url.host)) from error
    addresses = [*dict.fromkeys(str(entry[4][0]) for entry in found)]
    for address in addresses:
        if not private and not is_public(address):
            said = Say(
                "{host} 不是公网地址（{address}），不予读取；本单位内网的来源请在 config.toml 写明 private = true，在命令行试读加 --private",
                host=url.host,
                address=address,
            )
            raise NotPublic(said)
    return addresses


def _accept(answer: httpx.Response, url: httpx.URL) -> None:
    status, address = answer.status_code, _shown(url)
    asked = (
        "if-none-match" in answer.request.headers or "if-modified-since" in answer.request.headers
    )
    if status in (404, 410):
        raise SourceError("{url} 已不存在（HTTP {status}）", gone=True, url=address, status=status)
    if not (200 <= status < 300 or (status == 304 and asked)):
        raise SourceError("{url} 没有给出目录（HTTP {status}）", url=address, status=status)


async def _body(answer: httpx.Response, url: httpx.URL, limits: Limits) -> Body:
    """The answer's own bytes, counted while they come and unpacked here, where a bomb is seen."""
    _accept(answer, url)
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    if answer.status_code == 304:
        return Body(url=_shown(url), etag=etag, last_modified=modified, unchanged=True)
    coding = answer.headers.get("content-encoding", "").lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise SourceError("{host} 用了不支持的压缩方式 {coding}", host=url.host, coding=coding)
    data = bytearray()
    async for chunk in answer.aiter_raw():
        data += chunk
        if len(data) > limits.size:
            raise SourceError("目录超过 {n} 字节，不予读取", n=limits.size)
    body = unpack(bytes(data), limits.size, deflated=coding == "deflate")
    return Body(body, answer.headers.get("content-type", ""), _shown(url), etag, modified)


def explained(error: Exception, host: str, *, proxied: bool) -> Say:
    raw = str(error) or type(error).__name__
    if proxied and isinstance(error, httpx.ProxyError | httpx.ConnectError):
        return Say("经代理连接不上 {host}：{raw}", host=host, raw=raw)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return Say("{host} 中途断开，目录没有收全（{raw}）", host=host, raw=raw)
    if isinstance(error, httpx.TimeoutException):
        return Say("{host} 没有及时回应", host=host)
    if raw == "All connection attempts failed":  # refused, or no way there: httpx says no more
        return Say("连接不上 {host}：对方没有开放这个端口，或网络不通", host=host)
    return Say("连接不上 {host}：{raw}", host=host, raw=raw)


def _shown(url: httpx.URL) -> str:
    """The address without what may be a password or a token."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
