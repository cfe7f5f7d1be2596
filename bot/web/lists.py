"""What every list shares: pages of 50, accounts as squares, times out of forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot.adapters.base import adapter_class
from bot.db import accounts
from bot.model import AccountState

SIZE = 50
Row = RowMapping | Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Which rows of a list are shown. `total` is of all that match the filters."""

    number: int
    total: int = 0

    @property
    def offset(self) -> int:
        return (self.number - 1) * SIZE

    @property
    def first(self) -> int:
        return self.offset + 1

    @property
    def last(self) -> int:
        return min(self.offset + SIZE, self.total)

    @property
    def more(self) -> bool:
        return self.last < self.total


def page_of(params: Mapping[str, str], total: int = 0) -> Page:
    """The page an address asks for; what is no number, or beyond the end, is made sensible."""
    said = params.get("page", "")
    number = int(said) if said.isascii() and said.isdigit() and len(said) < 7 else 1
    last = max(1, -(-total // SIZE))
    return Page(min(max(number, 1), last), total)


def chosen(params: Mapping[str, str], name: str) -> int | None:
    """An id a filter names; None where it names none."""
    said = params.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def dated(params: Mapping[str, str], name: str) -> date | None:
    """A day a filter names (2026-09-22); None where it names none, or one no calendar can be asked."""
    try:
        on = date.fromisoformat(params.get(name, ""))
    except ValueError:
        return None
    return on if 1990 < on.year < 2200 else None


@dataclass(frozen=True)
class Account:
    """An account as lists show it."""

    id: int
    key: str
    name: str
    label: str  # the platform's Chinese name
    letter: str
    state: str  # “unconnected” where it is active and nobody has connected it
    unit_id: int
    url: str

    @property
    def full(self) -> str:
        """Platform and name; a name that says the platform stands alone."""
        return self.name if self.name.startswith(self.label) else f"{self.label} {self.name}"


def account(row: Row) -> Account:
    """From a row of accounts; one whose adapter is not installed keeps its own name.

    Where the options name a platform that is served by hand, its name and first letter stand.
    """
    try:
        kind: Any = adapter_class(row["adapter"])
        label, letter = kind.label, kind.letter
    except (KeyError, ImportError):
        label, letter = row["adapter"], row["adapter"][:1].upper()
    if platform := (row["options"] or {}).get("platform"):
        label, letter = platform, platform[:1]
    named = (row["id"], row["key"], row["name"] or row["key"], label, letter)
    awaits = row["state"] == AccountState.ACTIVE and not row["identity"]
    state = "unconnected" if awaits else row["state"]
    return Account(*named, state, row["unit_id"], row["identity_url"])


def squares(conn: Connection, scope: Iterable[int] | None = None) -> dict[int, Account]:
    """Every account by id, or those of some units."""
    query = select(accounts).order_by(accounts.c.id)
    if scope is not None:
        query = query.where(accounts.c.unit_id.in_(set(scope)))
    return {row["id"]: account(row) for row in conn.execute(query).mappings()}
