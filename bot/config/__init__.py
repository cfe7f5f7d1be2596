"""config.toml as one frozen value.

What the file declares (units, sources, accounts, steps) is taken into the store at start by key;
credentials, people, holds and times live in the store only. An unknown key is an error that names
the near one; every error says file, line and key. Paths are relative to the file.

parts     what may stand in it
syntax    TOML, its mistakes explained
reading   the file, checked; its mistakes explained
"""

from bot.config.parts import (
    AccountPart,
    AddressPart,
    BoardPart,
    CollectPart,
    Config,
    Part,
    Period,
    QualityPart,
    SourcePart,
    Span,
    Step,
    UnitPart,
    WebPart,
    duration,
    read_text,
)
from bot.config.reading import check, line_of, load, stands_at, unknown
from bot.config.syntax import read_toml

__all__ = [
    "AccountPart",
    "AddressPart",
    "BoardPart",
    "CollectPart",
    "Config",
    "Part",
    "Period",
    "QualityPart",
    "SourcePart",
    "Span",
    "Step",
    "UnitPart",
    "WebPart",
    "check",
    "duration",
    "line_of",
    "load",
    "read_text",
    "read_toml",
    "stands_at",
    "unknown",
]
