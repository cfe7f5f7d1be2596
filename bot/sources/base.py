"""The contract every kind of catalogue keeps.

A source is one class in one file. It is given its options and how to fetch, and returns a
`Reading`: values only, never the database. It raises only `SourceError`: when the catalogue cannot
be read whole, nothing of it is taken. tests/sources/contract.py is the suite that tells an outsider
when a new kind is right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from bot.model import Reading


class Options(BaseModel):
    """Base of a source kind's options: what stands under [sources.KEY.options]."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Origin:
    """Where a catalogue is and what we know of it from last time."""

    url: str  # http(s) address, or a path relative to the office's folder
    zone: tzinfo  # the office's: a date without a zone is read in it
    etag: str = ""
    last_modified: str = ""
    private: bool = False  # config names this private address: it may be fetched
    proxy: str = ""  # by way of this, but for a private host
    fill: tuple[tuple[str, str], ...] = ()  # defaults for fields the catalogue lacks
    memo: Mapping[str, Any] = field(default_factory=dict)  # what the last reading left
    as_they_stand: bool = False  # nothing is stored: relative links of no known site are listed


class Source(ABC):
    """One kind of catalogue."""

    kind: ClassVar[str]
    options_model: ClassVar[type[Options]] = Options

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    async def read(self, origin: Origin) -> Reading:
        """Fetch and read it whole (see fetch.py). Raises SourceError.

        `Reading.memo` is what the kind must know next time, as JSON; the caller keeps it with the
        source and hands it back. An unchanged catalogue gives the old one back.
        """

    @abstractmethod
    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        """Read `body`, already fetched and decompressed or not. Pure. Raises SourceError."""

    @classmethod
    def recognises(cls, body: bytes, content_type: str) -> bool:
        """Is this what the kind reads? Used where nobody said which kind it is."""
        return False


SOURCES = {
    "feed": "bot.sources.feed:Feed",
    "page": "bot.sources.page:WebPage",
    "table": "bot.sources.table:Table",
    "folder": "bot.sources.folder:Folder",
}


def kinds() -> list[str]:
    """Every kind there is: ours first, then what outsiders' packages offer."""
    return [
        *SOURCES,
        *(e.name for e in entry_points(group="gongkai.sources") if e.name not in SOURCES),
    ]


@cache
def source_class(kind: str) -> type[Source]:
    """The class that reads `kind`; raises KeyError. Imported on first use only."""
    if kind in SOURCES:
        module, _, attribute = SOURCES[kind].partition(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    for entry in entry_points(group="gongkai.sources"):
        if entry.name == kind:
            return entry.load()  # type: ignore[no-any-return]
    raise KeyError(kind)
