"""Lists by cursor: by number, the newest first, so that what is added meanwhile moves nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.web.problems import Problem

FIRST = 2**62  # above every number
Words = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Field(ge=0, le=10**15)]


class Paged(BaseModel):
    """What every list is asked."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(max_length=100, description="`next` of the page before")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    lang: Literal["zh", "en"] | None = None


def before(of: str, cursor: str) -> int:
    """The number below which the page begins. Raises Problem for a cursor that is none of this list's."""
    return place(of, cursor)[0] if cursor else FIRST


def after(of: str, cursor: str) -> int:
    """The number above which it begins, of a list whose oldest come first. Raises Problem."""
    return place(of, cursor)[0] if cursor else 0


def place(of: str, cursor: str, n: int = 1) -> tuple[int, ...]:
    """The `n` numbers a cursor holds. Raises Problem."""
    try:
        name, *said = base64.b64decode(_padded(cursor), b"-_", True).decode().split(":")
    except (binascii.Error, ValueError):
        name, said = "", []
    numbers = [int(each) for each in said if each.isascii() and each.isdigit() and len(each) < 18]
    if name != of or not len(said) == len(numbers) == n:
        raise stale()
    return tuple(numbers)


def stale() -> Problem:
    return Problem(422, "bad-cursor", "cursor 不是这个列表给出的；请从头读起")


def _padded(cursor: str) -> bytes:
    return cursor.encode() + b"=" * (-len(cursor) % 4)


def page(of: str, rows: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
    """A page, of rows of which one more than `limit` was asked for."""
    shown = rows[:limit]
    more = cursor_at(of, shown[-1]["id"]) if len(rows) > limit else None
    return {"rows": shown, "next": more}


def cut(of: str, rows: Iterable[Mapping[str, Any]], asked: Paged) -> dict[str, Any]:
    """The page that was asked for, of rows that are all at hand."""
    below = before(of, asked.cursor)
    newest = sorted((row for row in rows if row["id"] < below), key=lambda row: -row["id"])
    return page(of, newest[: asked.limit + 1], asked.limit)


def cursor_at(of: str, *numbers: int) -> str:
    said = ":".join((of, *map(str, numbers)))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")
