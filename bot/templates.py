"""The office's templates: Jinja2 files with a short front matter, rendered once per account.

    +++
    name = "通知公告"
    over_limit = "shorten"
    +++
    【{{ column }}】{{ title }}
    {{ summary }} {{ link }}

Sandboxed; an unknown field is an error that names file, line and field.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from bot import text
from bot.config import Part, check, line_of
from bot.errors import ConfigError
from bot.model import Capabilities, OverLimit, PostKind


class Front(Part):
    """The front matter of a template."""

    name: str
    kind: PostKind = PostKind.NOTICE
    over_limit: OverLimit | None = None  # None: the account's own rule
    title: str = "{{ title }}"
    visibility: str = "public"
    warning: str = ""


@dataclass(frozen=True)
class Template:
    """A template as read from its file; `digest` is of the file's bytes."""

    key: str
    front: Front
    source: str
    digest: str
    file: Path
    offset: int  # lines before the source begins
    title_line: int = 1  # where the front matter says the title

    def render(self, fields: Mapping[str, Any]) -> str:
        """The text for one account. Raises ConfigError naming file, line and what is wrong."""
        return self._put(self.source, self.offset, fields).strip()

    def title(self, fields: Mapping[str, Any]) -> str:
        return self._put(self.front.title, self.title_line - 1, fields).strip()

    def _put(self, source: str, before: int, fields: Mapping[str, Any]) -> str:
        try:
            return _environment().from_string(source).render(**fields)
        except Exception as error:  # whatever an office writes into a template is its mistake
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno or 1 for f in frames if f.filename == "<template>"]
            why = str(error) or type(error).__name__
            raise self._wrong(before + (lines[-1] if lines else 1), why) from None

    def parsed(self) -> Template:
        """Itself, when it can be read at all. Raises ConfigError."""
        self._parsed(self.source, self.offset)
        self._parsed(self.front.title, self.title_line - 1)
        return self

    def _parsed(self, source: str, before: int) -> None:
        try:
            _environment().compile(source)
        except TemplateSyntaxError as error:
            raise self._wrong(before + error.lineno, str(error.message)) from None

    def _wrong(self, line: int, why: str) -> ConfigError:
        return ConfigError(
            "模板 {file} 第 {line} 行：{why}", file=self.file.name, line=line, why=why
        )


def load(folder: Path, key: str) -> Template:
    """Read `folder/key.txt`. Raises ConfigError."""
    file = folder / f"{key}.txt"
    try:
        whole = file.read_text("utf-8-sig")  # Windows's editors begin with a mark
    except OSError:
        raise ConfigError("没有模板 {file}", file=f"{folder.name}/{file.name}") from None
    except UnicodeDecodeError:
        raise ConfigError("模板 {file} 不是 UTF-8 编码", file=file.name) from None
    head, source, offset = _split(whole, file)
    try:
        values = tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("模板 {file} 的头部有误：{why}", file=file.name, why=str(error)) from None
    front = check(Front, values, file, whole)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    title_line = line_of(head, ["title"])
    return Template(key, front, source, digest, file, offset, title_line).parsed()


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
    env.filters["short_title"] = text.short_title
    env.filters["chinese_date"] = text.chinese_date
    env.filters["fit"] = _fit
    return env


def _fit(value: str, n: int) -> str:
    """`value` in at most n characters, cut at the end of a sentence."""
    return text.fit(value, Capabilities(text_limit=n)) if value else ""


def fields_of_day(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    """An instant as the office's clock shows it: what a template's dates are made of."""
    return at.astimezone(zone) if at else None
