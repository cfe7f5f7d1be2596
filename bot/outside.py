"""Append-only files of JSON lines that stand outside the store and its backup."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.model import canonical


def append(file: Path, value: Mapping[str, Any]) -> None:
    """Add a line, and be sure it is on the disk. A line torn before it stays torn by itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("a", encoding="utf-8") as out:
        out.write("\n" * torn + canonical(value) + "\n")
        out.flush()
        os.fsync(out.fileno())


def lines(file: Path) -> list[dict[str, Any]]:
    """What stands in it, oldest first; torn lines left out, none where there is no file."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text("utf-8", "replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
