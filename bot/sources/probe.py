"""Whether an address opens, by the rules a catalogue is fetched by (bot.sources.fetch).

HEAD first, GET where its answer is not a plain yes: many servers have no HEAD, or answer it with 404.
Only GET's word counts against an address. No body is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import httpx

from bot.errors import SourceError
from bot.language import Say
from bot.model import LinkLook, LinkState
from bot.sources.fetch import (
    REDIRECTS,
    Limits,
    NoHost,
    NotPublic,
    address_of,
    answer_from,
    client_for,
    explained,
)

GONE = (404, 410)
ACCEPT = {"Accept": "text/html, */*;q=0.8"}


@dataclass(frozen=True)
class Probed(LinkLook):
    """With the words for people; None where it opens."""

    words: Say | None = None


async def probe(
    url: str, *, inner: Collection[str] = (), proxy: str = "", seconds: float = 15
) -> Probed:
    """Ask for `url`. `inner`: hosts of private address that may be asked. Raises nothing of the net's."""
    try:
        async with asyncio.timeout(seconds):
            return await _asked(url, inner, proxy, seconds)
    except TimeoutError:
        said = Say("{n} 秒内没有应答", n=f"{seconds:g}")
    except NoHost as error:
        return Probed(LinkState.DEAD, words=error.say)
    except NotPublic as error:
        said = Say("{host} 不是公网地址，没有去查", host=error.say.values["host"])
    except SourceError as error:
        said = error.say
    return Probed(LinkState.UNREACHABLE, words=said)


async def _asked(url: str, inner: Collection[str], proxy: str, seconds: float) -> Probed:
    try:
        async with asyncio.timeout(seconds / 3):
            status = await _status(url, "HEAD", inner, proxy)
    except (TimeoutError, NoAnswer):
        status = 0
    if not 200 <= status < 300:
        status = await _status(url, "GET", inner, proxy)
    if 200 <= status < 300:
        return Probed(LinkState.ALIVE, status)
    state = LinkState.DEAD if status in GONE else LinkState.UNREACHABLE
    return Probed(state, status, Say("对方答 HTTP {status}", status=status))


class NoAnswer(SourceError):
    """Connected or not, no whole answer came."""


async def _status(url: str, method: str, inner: Collection[str], proxy: str) -> int:
    """What the last of its redirects answers. Raises SourceError."""
    first = at = address_of(url)
    for _ in range(REDIRECTS + 1):
        private = at.host in inner
        by = "" if private else proxy
        try:
            async with client_for(Limits(), at, by) as client:
                answer = await answer_from(client, at, private, ACCEPT, method)
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(explained(error, at.host, proxied=bool(by))) from error
        if not answer.has_redirect_location:
            return answer.status_code
        at = address_of(at.join(answer.headers["location"]))
    raise SourceError("{host} 重定向超过 {n} 次，不再跟随", host=first.host, n=REDIRECTS)
