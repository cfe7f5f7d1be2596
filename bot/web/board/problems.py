"""What the board will not do, and how it says so: RFC 9457 to machines, a page to people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from bot.errors import GongkaiError, NotFound
from bot.language import Say

SAFE = {
    "content-security-policy": "; ".join(
        (
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # a visitor's own link holds his key
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Problem(GongkaiError):
    """A refusal. `kind` ends its type's URN, `after` is how many seconds to wait, if that helps."""

    def __init__(
        self, status: int, kind: str, text: str | Say, /, *, after: int | None = None, **values: Any
    ) -> None:
        super().__init__(text, **values)
        self.status = status
        self.kind = kind
        self.after = after

    @property
    def headers(self) -> dict[str, str]:
        made = {"retry-after": str(self.after)} if self.after is not None else {}
        return {**made, "www-authenticate": "Bearer"} if self.status == 401 else made


def gone(what: str | Say) -> Problem:
    return Problem(404, "not-found", what)


def described(problem: Problem) -> Response:
    """The problem as application/problem+json."""
    body = {
        "type": f"urn:gongkai:board:{problem.kind}",
        "title": str(problem),
        "status": problem.status,
        "detail": str(problem),
    }
    return JSONResponse(
        body, problem.status, problem.headers, media_type="application/problem+json"
    )


def guarded(answer: Callable[[Request, Problem], Response]) -> type[APIRoute]:
    """A route whose every answer carries SAFE, and whose problems are put as `answer` does."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    made = await handle(request)
                except Problem as problem:
                    made = answer(request, problem)
                except NotFound as error:
                    made = answer(request, gone(error.say))
                _complete(made, SAFE)
                return made

            return handler

    return Guarded


def _complete(made: Response, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        made.headers.setdefault(name, value)


def body_up_to(limit: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency: the request's body, read no further than `limit` bytes."""

    async def body(request: Request) -> bytes:
        read = bytearray()
        async for chunk in request.stream():
            read += chunk
            if len(read) > limit:
                raise Problem(413, "too-large", "请求超过 {n} KB", n=limit >> 10)
        return bytes(read)

    return body
