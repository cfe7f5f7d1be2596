"""Words for people: Chinese first, English beside it.

Every sentence a person may read is a `Say`: a Chinese template and its values. It is stored as it
is (JSON) and put into words only where it is shown, so a reason written down by a worker reads in
the language of whoever looks at it. Chinese is the source text; `locale/en` translates it.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "en")
_language: ContextVar[str] = ContextVar("language", default="zh")


def current() -> str:
    """The language of this request or command: one of LANGUAGES."""
    return _language.get()


def use(language: str) -> None:
    """Speak `language` from here on in this context; an unknown one is Chinese."""
    _language.set(language if language in LANGUAGES else "zh")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak `language` inside the block only."""
    token = _language.set(language if language in LANGUAGES else "zh")
    try:
        yield
    finally:
        _language.reset(token)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    here = Path(__file__).parent / "locale"
    return gettext.translation("gongkai", here, [language], fallback=True)


def _(text: str) -> str:
    """`text` in the current language; the Chinese itself where no translation stands."""
    language = current()
    return text if language == "zh" else _catalogue(language).gettext(text)


@dataclass(frozen=True)
class Say:
    """A sentence: a Chinese template with {names}, and what stands in for them.

    >>> str(Say("还差 {n} 步", n=2))
    '还差 2 步'
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, text: str, /, **values: Any) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)

    def __str__(self) -> str:
        values = {k: str(v) if isinstance(v, Say) else v for k, v in self.values.items()}
        return _(self.text).format(**values)

    def json(self) -> dict[str, Any]:
        """As stored: {"text": …, "values": {…}}, values as plain JSON."""
        values = {
            k: v.json() if isinstance(v, Say) else v if isinstance(v, int | float) else str(v)
            for k, v in self.values.items()
        }
        return {"text": self.text, "values": values}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Say:
        """The sentence that `json()` stored."""
        values = {k: cls.of(v) if isinstance(v, dict) else v for k, v in stored["values"].items()}
        return cls(stored["text"], **values)
