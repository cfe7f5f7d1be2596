"""The office: its configuration and its ground, wired once and handed to every stage function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bot.config import Config, load
from bot.db import Database
from bot.media import Store
from bot.secrets import Secrets
from bot.workdays import Calendar, Clock


@dataclass(frozen=True)
class Office:
    """What a stage function needs besides its own arguments. Holds no state of its own."""

    config: Config
    db: Database

    @cached_property
    def media(self) -> Store:
        return Store(self.config.place(self.config.data) / "media")

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(self.config.place(self.config.secret_key_file))

    @property
    def anchor(self) -> Path:
        """Where the trail's head is anchored, outside the store and its backup."""
        return self.config.place(self.config.audit.anchor)

    @property
    def erasures(self) -> Path:
        """Where it is kept which replies were erased, likewise outside."""
        return self.config.place(self.config.audit.erasures)

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.config.days)


def open_office(path: Path, clock: Clock | None = None, *, migrate: bool = True) -> Office:
    """Read config.toml, open the store, bring its schema up to date.

    Raises ConfigError for a mistake in the file, GongkaiError when the store cannot be opened.
    """
    from bot.migrations import upgrade

    config = load(path)
    database = Database(config.database_url, clock)
    if migrate:
        upgrade(database)
    return Office(config, database)
