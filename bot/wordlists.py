"""The office's own choices for screening, as its files have them now.

The files are looked at each time by their time and size, so a list that was edited counts for the
next text without a restart; building 50,000 terms takes a tenth of a second and happens once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from bot.config import Config
from bot.errors import ConfigError, reason_of
from bot.model import Severity
from bot.screen import Rules
from bot.screen.terms import Term, Terms, of, read
from bot.screen.wording import Leaders, read_leaders

T = TypeVar("T")
Stamp = tuple[str, int, int]  # path, time of change, size


def rules_of(config: Config) -> Rules:
    """Severities, word lists and leaders. Raises ConfigError naming file and line."""
    part = config.screening
    severities = {r: None if s == "off" else Severity(s) for r, s in part.severities.items()}
    lists = tuple(_stamp(config.place(name)) for name in part.lists)
    leaders = _leaders(_stamp(config.place(part.leaders))) if part.leaders else None
    return Rules(severities, _terms(lists) if lists else None, leaders)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError("读不到 {file}：{why}", file=str(path), why=reason_of(error)) from None
    return str(path), found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _terms(stamps: tuple[Stamp, ...]) -> Terms:
    lists: list[Term] = []
    for stamp in stamps:
        lists += _parsed(stamp, read)
    return of(lists)


@lru_cache(maxsize=4)
def _leaders(stamp: Stamp) -> Leaders:
    return _parsed(stamp, read_leaders)


def _parsed(stamp: Stamp, parse: Callable[[str, str], T]) -> T:
    path = Path(stamp[0])
    try:
        return parse(path.read_text("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise ConfigError("{file} 不是 UTF-8 编码；请另存为 UTF-8", file=path.name) from None
    except OSError as error:
        raise ConfigError("读不到 {file}：{why}", file=str(path), why=reason_of(error)) from None
