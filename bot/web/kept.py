"""What was typed is not lost when a session ends meanwhile.

A form that comes without a session, or with another session's token, is not done. Its fields go
with the login page, or are shown at once, and wait there for the person to send them again. Files
are not kept, nor anything of a page where passwords are typed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData

from bot.web.visit import local

LIMIT = 200_000  # characters
SECRET = ("/password", "/me/code")


@dataclass(frozen=True)
class Kept:
    """A form that was not done: where it was sent, and its fields in order."""

    path: str
    fields: tuple[tuple[str, str], ...]

    def json(self) -> str:
        return json.dumps([self.path, self.fields], ensure_ascii=False)

    @property
    def shown(self) -> list[str]:
        """What a person wrote, as far as he would know it again."""
        return [value for _, value in self.fields if len(value) > 20 and not value.isalnum()]


def of(request: Request, form: FormData) -> Kept:
    """The form of a request, its token left out; none of a page of secrets."""
    if request.url.path in SECRET:
        return Kept("/", ())
    texts = [(k, v) for k, v in form.multi_items() if isinstance(v, str) and k != "csrf"]
    whole = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return Kept(whole, tuple(texts) if sum(len(v) for _, v in texts) < LIMIT else ())


def parse(text: str) -> Kept | None:
    """What `json` wrote; None for anything else, or for a path that is not ours."""
    try:
        path, fields = json.loads(text)
        pairs = tuple((str(k), str(v)) for k, v in fields)
    except (ValueError, TypeError):
        return None
    return (
        Kept(path, pairs)
        if isinstance(path, str) and local(path) and len(text) < 2 * LIMIT
        else None
    )
