"""What stands around every request: headers, the reader's language, a body limit, the last net.

Plain ASGI, so that the language (a context variable) reaches handlers run in threads, and so that
an answer to an unforeseen error carries the same headers as any other.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot import language
from bot.db import disk_full

LANGUAGE_COOKIE = "gongkai_language"
MAX_BODY = 25 * 1024 * 1024  # a picture of 20 MB and its form

HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'self'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

log = logging.getLogger("gongkai.web")


class TooLarge(Exception):
    """The request's body is over MAX_BODY."""


class Shield:
    """Wraps the application. `on_fault` renders the page for an error nobody foresaw."""

    def __init__(
        self, app: ASGIApp, default: str, on_fault: Callable[[Request, int, str], Response]
    ) -> None:
        self.app = app
        self.default = default
        self.on_fault = on_fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        with language.speaking(spoken(request, self.default)):
            await self._guarded(request, receive, send)

    async def _guarded(self, request: Request, receive: Receive, send: Send) -> None:
        begun = False

        async def outward(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                shielded(MutableHeaders(scope=message), request)
            await send(message)

        try:
            await self.app(request.scope, limited(receive), outward)
        except Exception as error:
            if begun:
                raise
            answer = await run_in_threadpool(self._fault, request, error)
            await answer(request.scope, receive, outward)

    def _fault(self, request: Request, error: Exception) -> Response:
        if isinstance(error, TooLarge):
            return self.on_fault(request, 413, "")
        reference = secrets.token_hex(4)
        log.error("fault %s at %s", reference, request.url.path, exc_info=error)
        return self.on_fault(request, fault_status(error), reference)


def fault_status(error: Exception) -> int:
    """503 where the store could not be reached or was busy, 507 where the disk is full."""
    if disk_full(error):
        return 507
    unreached = isinstance(error, OperationalError) and "no such" not in str(error.orig)
    return 503 if unreached else 500


def shielded(headers: MutableHeaders, request: Request) -> None:
    """The headers every answer carries; pages are never kept by a cache."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if not request.url.path.startswith("/static/"):
        headers.setdefault("cache-control", "no-store")
    if request.url.scheme == "https":
        headers.setdefault("strict-transport-security", "max-age=31536000")


def limited(receive: Receive) -> Callable[[], Awaitable[Message]]:
    """`receive` that raises TooLarge once the body has grown past MAX_BODY."""
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise TooLarge
        return message

    return counting


def spoken(request: Request, default: str) -> str:
    """The language of the answer: the address's, else the person's choice, else the office's."""
    for said in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if said in language.LANGUAGES:
            return str(said)
    return default
