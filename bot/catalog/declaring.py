"""Declaring a source that was tried: its name, its tables, and config.toml with them."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot import config
from bot.errors import ConfigError, Conflict, reason_of


def key_for(target: str) -> str:
    """A name for the source: its host without the common parts, and the end of its path."""
    at = urlsplit(target) if "://" in target else None
    host = re.sub(r"^www\.|\.(?:gov|com|org|net|cn)(?=\.|$)", "", (at.hostname or "") if at else "")
    steps = [step for step in (at.path if at else target).split("/") if step]
    if len(steps) > 1 and steps[-1].startswith("index"):
        steps.pop()
    last = re.sub(r"\.\w{1,5}$", "", steps[-1]) if steps else ""
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{host}-{last}").strip("-").lower()
    return name[:40] or "source"


def block(
    key: str, kind: str, url: str, unit: str, options: Mapping[str, Any], *, private: bool = False
) -> str:
    """The tables of a source that was tried, to be pasted into config.toml."""
    values: dict[str, Any] = {"unit": unit, "kind": kind, "url": url}
    if private:
        values["private"] = True
    values |= {"every": "30m", "first_poll": "seen", "template": "notice", "accounts": []}
    return tables(key, values, options)


def tables(key: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """The source as config.toml declares it. JSON's strings are TOML's basic strings."""
    lines = [f"[sources.{key}]", *map(_line, values.items())]
    if options:
        lines += ["", f"[sources.{key}.options]", *map(_line, options.items())]
    return "\n".join(lines) + "\n"


def _line(pair: tuple[str, Any]) -> str:
    return f"{pair[0]} = {json.dumps(pair[1], ensure_ascii=False)}"


def append(file: Path, key: str, block: str) -> None:
    """Write the tables below what stands in config.toml, whole or not at all; nothing that stands
    there is touched.

    Raises Conflict where the key is taken, ConfigError where the file is wrong or would be.
    """
    file = file.resolve()
    if key in config.load(file).sources:
        raise Conflict("{file} 里已有来源 {key}，请用 --key 另取一个名", file=file.name, key=key)
    try:
        old = file.read_bytes()
        gap = "" if old.endswith(b"\n") else "\n"
        added = f"{gap}\n{block}".replace("\n", "\r\n" if b"\r\n" in old else "\n")
        _check(file, (old + added.encode()).decode("utf-8-sig"))
        _replace(file, old + added.encode())
    except OSError as error:
        raise ConfigError("写不了 {file}：{why}", file=str(file), why=reason_of(error)) from error


def _check(file: Path, text: str) -> None:
    """Raises ConfigError where the file as it would be cannot be taken."""
    try:
        values = config.read_toml(text, file)
    except ConfigError as error:
        raise ConfigError("来源写不进 {file}：{why}", file=file.name, why=error.say) from None
    config.check(config.Config, values, file, text, path=file)


def _replace(file: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        shutil.copymode(file, name)
        os.replace(name, file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
