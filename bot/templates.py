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
import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from bot import text
from bot.config import Part, check
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

    def render(self, fields: Mapping[str, Any]) -> str:
        """The text for one account. Raises ConfigError naming file, line and what is wrong."""
        return self._put(self.source, fields).strip()

    def title(self, fields: Mapping[str, Any]) -> str:
        return self._put(self.front.title, fields).strip()

    def _put(self, source: str, fields: Mapping[str, Any]) -> str:
        try:
            return _environment().from_string(source).render(**fields)
        except TemplateSyntaxError as error:
            raise self._wrong(error.lineno, str(error.message)) from None
        except (TemplateError, TypeError, ValueError, AttributeError) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno or 1 for f in frames if f.filename == "<template>"]
            raise self._wrong(lines[-1] if lines else 1, str(error)) from None

    def _wrong(self, line: int, why: str) -> ConfigError:
        line += self.offset
        return ConfigError(
            "模板 {file} 第 {line} 行：{why}", file=self.file.name, line=line, why=why
        )


def load(folder: Path, key: str) -> Template:
    """Read `folder/key.txt`. Raises ConfigError."""
    file = folder / f"{key}.txt"
    try:
        whole = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("没有模板 {file}", file=f"{folder.name}/{file.name}") from None
    head, source, offset = _split(whole)
    try:
        values = tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("模板 {file} 的头部有误：{why}", file=file.name, why=str(error)) from None
    front = check(Front, values, file, whole)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return Template(key, front, source, digest, file, offset)


def keys(folder: Path) -> list[str]:
    """The templates there are."""
    return sorted(file.stem for file in folder.glob("*.txt"))


def _split(whole: str) -> tuple[str, str, int]:
    parts = whole.split("+++\n", 2)
    if len(parts) == 3 and not parts[0].strip():
        return parts[1], parts[2], parts[1].count("\n") + 2
    return 'name = ""', whole, 0


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
