"""How the board guards its answers, and how it says what it will not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from fastapi.routing import APIRoute

from bot.errors import NotFound
from bot.language import Say
from bot.web import problems
from bot.web.problems import Problem

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


def gone(what: str | Say) -> Problem:
    return Problem(404, "not-found", what)


def described(problem: Problem) -> Response:
    """The problem as application/problem+json."""
    return problems.described(problem, "board")


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
