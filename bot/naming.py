"""What people call what config.toml and the office's folders declare by key.

A key is for files and commands. People read the name beside it: the one the file gives, a source's
own title where it said one, else the key.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from sqlalchemy import Connection, RowMapping, func, select

from bot.config import Config
from bot.db import accounts, items, posts, sources, units
from bot.language import Say
from bot.model import HoldScope

source_name = func.coalesce(
    func.nullif(sources.c.name, ""), func.nullif(sources.c.title, ""), sources.c.key
)


def called(source: RowMapping) -> str:
    """`source_name` of a row at hand."""
    return str(source["name"] or source["title"] or source["key"])


def of_sources(conn: Connection) -> dict[str, str]:
    """The name of every source by its key."""
    return dict(conn.execute(select(sources.c.key, source_name)).all())


def of_account(config: Config, key: str) -> str:
    """As config.toml names it; the key where it gives none."""
    part = config.accounts.get(key)
    return part.name or key if part else key


def of_schedule(config: Config, key: str) -> str:
    """As its file names it; the key where that cannot be read."""
    return _named(config.place(config.schedules) / f"{key}.toml") or key


def of_template(config: Config, key: str) -> str:
    """As its front matter names it; the key where it has none."""
    return _named(config.place(config.templates) / f"{key}.txt", "+++") or key


def of_templates(config: Config) -> dict[str, str]:
    """The name of every template by its key."""
    files = sorted(config.place(config.templates).glob("*.txt"))
    return {file.stem: of_template(config, file.stem) for file in files}


def of_hold(conn: Connection, scope: str, target_id: int | None) -> tuple[str, int | None]:
    """The name and unit of what a hold stops; no unit: it concerns everybody."""
    if scope == HoldScope.ALL:
        return str(Say("全部账号")), None
    if scope == HoldScope.ITEM:
        query = (
            select(items.c.title, sources.c.unit_id).join(sources).where(items.c.id == target_id)
        )
    else:
        table, name, unit = {
            "unit": (units, units.c.name, units.c.id),
            "account": (accounts, accounts.c.name, accounts.c.unit_id),
            "source": (sources, source_name, sources.c.unit_id),
            "post": (posts, posts.c.title, posts.c.unit_id),
        }[scope]
        query = select(name, unit).where(table.c.id == target_id)
    row = conn.execute(query).first()
    return (row[0], row[1]) if row else ("", None)


def _named(file: Path, fence: str = "") -> str:
    """What `name` says in a file, or in the part of it between two fences."""
    try:
        text = file.read_text("utf-8-sig")
        said = tomllib.loads(text.split(fence, 2)[1] if fence else text).get("name", "")
    except (OSError, ValueError, IndexError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""
