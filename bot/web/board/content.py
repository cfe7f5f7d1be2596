"""What may stand on the board: the office's content as its API takes it, and visitors' words."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.language import Say
from bot.model import digest_of
from bot.web.problems import Problem

TEXT, TITLE, ALT, PICTURES = 5000, 200, 1500, 9  # characters, characters, characters, count
REPLY, NAME = 2000, 30  # characters of a visitor's text and name

_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]"
)  # no XML, so no feed, takes it
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")  # turns text around
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n+")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError(str(Say("含有控制字符")))
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError(str(Say("不能为空")))
    return _printable(text)


Plain = Annotated[str, AfterValidator(_printable)]


class Picture(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    alt: Plain = Field("", max_length=ALT)


class Content(BaseModel):
    """One post as it is to stand: exactly what was signed, kept and shown as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, AfterValidator(_said)] = Field(max_length=TEXT)
    title: Plain = Field("", max_length=TITLE)
    language: str = Field("zh", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    link: Plain = Field("", pattern=r"^(https?://\S+)?$", max_length=2000)
    in_reply_to: str = Field("", max_length=100)
    media: tuple[Picture, ...] = Field((), max_length=PICTURES)

    @property
    def digest(self) -> str:
        return digest_of(self.model_dump())

    @classmethod
    def taken(cls, body: bytes) -> Content:
        """The content in a JSON body. Raises Problem 422, naming the field and what is wrong."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise _explained(error.errors()[0]) from None


def _explained(error: Any) -> Problem:
    field = ".".join(str(part) for part in error["loc"]) or "JSON"
    limit = error.get("ctx", {}).get("max_length")
    if error["type"] == "string_too_long":
        why = Say("{n} 字，超出 {over} 字", n=len(error["input"]), over=len(error["input"]) - limit)
        return Problem(
            422,
            "too-long",
            "{field} 最多 {limit} 字，现有 {why}",
            field=field,
            limit=limit,
            why=why,
        )
    if error["type"] == "too_long":
        return Problem(422, "too-many", "{field} 最多 {limit} 个", field=field, limit=limit)
    why = error["msg"].removeprefix("Value error, ")
    return Problem(422, "invalid", "{field} 有误：{why}", field=field, why=why)


def visitor(text: str) -> str:
    """A visitor's words without what would disturb the page: one newline form, no controls."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _TURNING.sub("", _CONTROL.sub("", text))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def visitor_name(name: str) -> str:
    """A visitor's name on one line."""
    return " ".join(visitor(name).split())
