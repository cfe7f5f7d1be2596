"""Lists by cursor: by number, the newest first, so that what is added meanwhile moves nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
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
    if not cursor:
        return FIRST
    try:
        name, _, number = base64.b64decode(_padded(cursor), b"-_", True).decode().partition(":")
    except (binascii.Error, ValueError):
        name, number = "", ""
    if name != of or not (number.isascii() and number.isdigit() and len(number) < 16):
        raise Problem(422, "bad-cursor", "cursor 不是这个列表给出的；请从头读起")
    return int(number)


def _padded(cursor: str) -> bytes:
    return cursor.encode() + b"=" * (-len(cursor) % 4)


def page(of: str, rows: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
    """A page, of rows of which one more than `limit` was asked for."""
    shown = rows[:limit]
    more = _cursor(of, shown[-1]["id"]) if len(rows) > limit else None
    return {"rows": shown, "next": more}


def _cursor(of: str, number: int) -> str:
    return base64.urlsafe_b64encode(f"{of}:{number}".encode()).decode().rstrip("=")
