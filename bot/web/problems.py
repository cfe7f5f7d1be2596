"""What a program is told when something cannot be done: RFC 9457, application/problem+json."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from bot.errors import GongkaiError
from bot.language import Say

MEDIA_TYPE = "application/problem+json"


class Problem(GongkaiError):
    """A refusal. `kind` ends its type's URN, `after` is how many seconds to wait, if that helps.

    `more`: further members of its JSON.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        text: str | Say,
        /,
        *,
        after: int | None = None,
        more: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        super().__init__(text, **values)
        self.status = status
        self.kind = kind
        self.after = after
        self.more = more or {}

    @property
    def headers(self) -> dict[str, str]:
        made = {"retry-after": str(self.after)} if self.after is not None else {}
        return {**made, "www-authenticate": "Bearer"} if self.status == 401 else made


def described(problem: Problem, of: str, title: str = "") -> Response:
    """The problem as JSON; its type is urn:gongkai:OF:KIND."""
    said = str(problem)
    return answer(
        f"{of}:{problem.kind}", problem.status, title or said, said, problem.headers, problem.more
    )


def answer(
    kind: str,
    status: int,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    body = {"type": f"urn:gongkai:{kind}", "title": title, "status": status, "detail": detail}
    return JSONResponse({**body, **(more or {})}, status, headers, media_type=MEDIA_TYPE)


def body_up_to(limit: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency: the request's body, read no further than `limit` bytes."""

    async def body(request: Request) -> bytes:
        return await read_up_to(request, limit)

    return body


async def read_up_to(request: Request, limit: int) -> bytes:
    """Raises Problem 413."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise Problem(413, "too-large", "请求超过 {n} KB", n=limit >> 10)
    return bytes(read)
