"""A template's file: front matter, the fields it asks for, and what is wrong, said where it stands."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import (
    StrictUndefined,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    nodes,
)
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field as Default
from pydantic import field_validator

from bot.config import Part, check, line_of, read_toml
from bot.errors import ConfigError, Invalid
from bot.language import Say
from bot.model import OverLimit, PostKind
from bot.templates.filters import FILTERS, Lacking, fail


class Field(Part):
    """A field the template asks a person for, beside those of the entry."""

    name: str  # as people are asked for it
    kind: Literal["text", "date", "time"] = "text"
    required: bool = False

    def read(self, value: str, zone: ZoneInfo) -> Any:
        """What was typed, as the template sees it; "" where nothing was. Raises ValueError."""
        if not value.strip():
            return ""
        if self.kind == "text":
            return value.strip()
        if self.kind == "date":
            return date.fromisoformat(value.strip())
        at = datetime.fromisoformat(value.strip())
        return at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)


# What a catalogue entry gives; a person may say it anew for one post.
ENTRY = {
    "title": Field(name="标题"),
    "summary": Field(name="概述"),
    "body": Field(name="正文"),
    "link": Field(name="链接"),
    "publisher": Field(name="发布机构"),
    "document_number": Field(name="发文字号"),
    "index_number": Field(name="索引号"),
    "column": Field(name="栏目"),
    "topic": Field(name="主题"),
    "published": Field(name="发布时间", kind="time"),
    "formed": Field(name="成文日期", kind="time"),
}


# What the stages add, each in its place (bot.compose.filling, answering; bot.schedule).
ADDED = frozenset(
    {"account", "attachments", "language", "key", "unit", "day", "update", "earlier", "document"}
    | {"entries", "text", "author", "mention", "name", "number", "of"}
)


class Withheld(ConfigError):
    """The template is right and makes nothing of this: its own fail("…") says what is missing."""


class Front(Part):
    """The front matter of a template."""

    name: str
    kind: PostKind = PostKind.NOTICE
    over_limit: OverLimit | None = None  # None: the account's own rule
    title: str = "{{ title }}"
    visibility: str = "public"
    warning: str = ""
    card: bool = False  # a picture of the whole text goes with the short form
    fields: Mapping[str, Field] = Default(default_factory=dict)

    @field_validator("kind")
    @classmethod
    def _written(cls, kind: PostKind) -> PostKind:
        if kind is PostKind.ELSEWHERE:
            raise ValueError(str(Say("平台上直接发的内容不由模板成稿")))
        if kind is PostKind.REPOST:
            raise ValueError(str(Say("转发不由模板成稿")))
        return kind


@dataclass(frozen=True)
class Template:
    """A template as read from its file; `digest` is of the file's bytes."""

    key: str
    front: Front
    source: str
    digest: str
    file: Path
    head: str  # the lines before the source, marks left out
    offset: int  # how many they are

    def render(self, fields: Mapping[str, Any]) -> str:
        """The text for one account. Raises ConfigError naming file, line and what is wrong."""
        return _tidy(self._put(self.source, self.offset, fields))

    def title(self, fields: Mapping[str, Any]) -> str:
        return " ".join(self._put(self.front.title, self._title_line - 1, fields).split())

    @property
    def _title_line(self) -> int:
        return line_of(self.head, ["title"])

    @cached_property
    def names(self) -> frozenset[str]:
        """Every field that the text or the title names."""
        trees = [_environment().parse(part) for part in (self.source, self.front.title)]
        set_here = {n.name for t in trees for n in t.find_all(nodes.Name) if n.ctx != "load"}
        named = {name for tree in trees for name in meta.find_undeclared_variables(tree)}
        return frozenset(named - set_here)

    def strangers(self) -> list[ConfigError]:
        """Names that nothing is ever given under: a slip, also in a branch that is seldom taken."""
        known = {*ENTRY, *self.front.fields, *ADDED, *_environment().globals}
        return [
            self._wrong(self._line_of(name), _unknown(name, known))
            for name in sorted(self.names - known)
        ]

    def _line_of(self, name: str) -> int:
        before = f"{self.head}\n" if self.offset else ""
        whole = (before + self.source).split("\n")
        found = (n for n, line in enumerate(whole) if re.search(rf"\b{name}\b", line))
        return next(found, 0) + 1

    def given(
        self, said: Mapping[str, str], zone: ZoneInfo, have: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What people said for this one post, read by kind, over what it has by itself.

        The template's own fields that nobody said are "". Raises Invalid for a field that is unknown, is missing or cannot be read.
        """
        known = {**ENTRY, **self.front.fields}
        for name in said:
            if name not in known:
                raise Invalid(
                    "模板 {file} 没有字段 {field}{hint}", file=self.file.name, field=name,
                    hint=_near(name, known),
                )  # fmt: skip
        asked = {*self.front.fields} - {*have} | {*said}
        for name, field in self.front.fields.items():
            if field.required and not (said.get(name, "").strip() or have.get(name)):
                raise self._unread(name, field, Say("须填写"))
        return {name: self._read(name, known[name], said.get(name, ""), zone) for name in asked}

    def _read(self, name: str, field: Field, value: str, zone: ZoneInfo) -> Any:
        try:
            return field.read(value, zone)
        except ValueError:
            why = Say("写作 2026-11-25") if field.kind == "date" else Say("写作 2026-11-25 09:30")
            raise self._unread(name, field, why) from None

    def _unread(self, name: str, field: Field, why: Say) -> Invalid:
        line = line_of(self.head, ["fields", name]) if name in self.front.fields else 1
        return Invalid(
            "模板 {file} 第 {line} 行：字段 {field}（{name}）{why}", file=self.file.name, line=line,
            field=name, name=field.name, why=why,
        )  # fmt: skip

    def _put(self, source: str, before: int, fields: Mapping[str, Any]) -> str:
        try:
            return _environment().from_string(source).render(**fields)
        except Exception as error:  # whatever an office writes into a template is its mistake
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno or 1 for f in frames if f.filename == "<template>"]
            kind = Withheld if isinstance(error, Lacking) else ConfigError
            line = before + (lines[-1] if lines else 1)
            raise self._wrong(line, _why(error, fields), kind) from None

    def parsed(self) -> Template:
        """Itself, when it can be read at all. Raises ConfigError."""
        self._parsed(self.source, self.offset)
        self._parsed(self.front.title, self._title_line - 1)
        return self

    def _parsed(self, source: str, before: int) -> None:
        try:
            _environment().compile(source)
        except TemplateSyntaxError as error:
            raise self._wrong(before + error.lineno, mistake(error.message or "")) from None

    def _wrong(self, line: int, why: Say, kind: type[ConfigError] = ConfigError) -> ConfigError:
        return kind(Say("模板 {file} 第 {line} 行：{why}", file=self.file.name, line=line, why=why))

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """The shapes it gives: "long" and "short" where it asks `account.long`, a "card"."""
        trees = [_environment().parse(self.source)]
        asked = (n for t in trees for n in t.find_all(nodes.Getattr) if n.attr == "long")
        two = any(isinstance(n.node, nodes.Name) and n.node.name == "account" for n in asked)
        return (*(("long", "short") if two else ("one",)), *(["card"] if self.front.card else []))


_UNDEFINED = re.compile(r"'(\w+)' is undefined|has no attribute '(\w+)'")


def _why(error: Exception, fields: Mapping[str, Any]) -> Say:
    """What is wrong, in the office's words where it is met often: a field that is not there."""
    if isinstance(error, UndefinedError) and (found := _UNDEFINED.search(str(error))):
        return _unknown(found[1] or found[2], fields)
    if isinstance(error, TemplateSyntaxError | TemplateRuntimeError):
        return mistake(str(error))
    if isinstance(error, ValueError) and str(error):
        return Say("{why}", why=str(error))
    return Say("这里算不出来：{why}", why=str(error) or type(error).__name__)


_SLIPS = {  # by how the template language says it; the first that matches
    r"(?:No filter named|Could not find a filter).*?'(.+?)'": Say(
        "没有过滤器 {what}，写法见 docs/templates.md"
    ),
    r"[Uu]nknown tag '(.+?)'.*closed is '(.+?)'": Say(
        "{{% {what} %}} 在这里不对：前面的 {{% {open} %}} 还没有用 {{% end{open} %}} 结束"
    ),
    r"[Uu]nknown tag '(.+?)'": Say("没有 {{% {what} %}} 这个写法"),
    r"Unexpected end of template.*closed is '(.+?)'": Say(
        "{{% {what} %}} 没有用 {{% end{what} %}} 结束"
    ),
    r"unexpected '(.+?)'": Say("这里不该有 {what}；双花括号、括号、引号要成对"),
    r"expected token '(.+?)', got '(.+?)'": Say("这里应是 {what}，写的是 {open}"),
    r"unexpected end of": Say("没有写完：双花括号、括号、引号要成对"),
    r"unexpected char (.+?) at": Say("这里不该有 {what}；符号要用英文的"),
}


def mistake(said: str) -> Say:
    """What the template language says of a slip, in the office's words."""
    for pattern, why in _SLIPS.items():
        if found := re.search(pattern, said):
            what, *more = [*found.groups(), "", ""]
            return Say(why.text, what=what, open=more[0])
    return Say("写法有误：{why}", why=said)


def _unknown(name: str, known: Iterable[str]) -> Say:
    return Say("没有字段 {field}{hint}", field=name, hint=_near(name, known))


def _near(name: str, known: Iterable[str]) -> Say | str:
    near = get_close_matches(name, list(known), 1, 0.5)
    return Say("，是不是 {near}", near=near[0]) if near else ""


def _tidy(text: str) -> str:
    """No blanks at the ends of lines, no two blank lines together: what an empty field leaves."""
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def load(folder: Path, key: str) -> Template:
    """Read `folder/key.txt`. Raises ConfigError."""
    file = path_of(folder, key)
    try:
        whole = file.read_text("utf-8-sig")  # Windows's editors begin with a mark
    except OSError:
        raise ConfigError("没有模板 {file}", file=f"{folder.name}/{file.name}") from None
    except UnicodeDecodeError:
        raise ConfigError("模板 {file} 不是 UTF-8 编码", file=file.name) from None
    return parse(folder, key, whole)


def path_of(folder: Path, key: str) -> Path:
    """Where a template stands, or would. Raises ConfigError for a name that leads elsewhere."""
    file = folder / f"{Path(key).name}.txt"
    if Path(key).name != key or key.startswith(".") or "\0" in key:
        raise ConfigError("没有模板 {file}", file=f"{folder.name}/{file.name}")
    return file


def parse(folder: Path, key: str, whole: str) -> Template:
    """The template that `whole` would be as `folder/key.txt`. Raises ConfigError."""
    file = path_of(folder, key)
    head, source, offset = _split(whole, file)
    front = check(Front, read_toml(head, file), file, whole)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return Template(key, front, source, digest, file, head, offset).parsed()


def keys(folder: Path) -> list[str]:
    """The templates there are."""
    return sorted(file.stem for file in folder.glob("*.txt"))


def _split(whole: str, file: Path) -> tuple[str, str, int]:
    """The front matter, with a line for the mark above it; the rest; how many lines stand before it."""
    if not whole.lstrip().startswith("+++"):
        return 'name = ""', whole, 0
    before, *parts = re.split(r"^\+\+\+[ \t]*\n", whole, maxsplit=2, flags=re.M)
    if len(parts) != 2:
        raise ConfigError("模板 {file} 的头部须以单独一行 +++ 结束", file=file.name)
    head = before + "\n" + parts[0]
    return head, parts[1], head.count("\n") + 1


@lru_cache
def _environment() -> SandboxedEnvironment:
    env = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    env.filters.update(FILTERS)
    env.globals["fail"] = fail
    return env


def fields_of_day(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    """An instant as the office's clock shows it: what a template's dates are made of."""
    return at.astimezone(zone) if at else None
