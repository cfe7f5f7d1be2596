"""A source tried before it is declared: what a reader gets there. Nothing is stored but the trail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bot import audit, people
from bot.catalog.declaring import block, key_for
from bot.errors import Invalid
from bot.model import Actor, Reading, Right
from bot.office import Office
from bot.sources import reading
from bot.sources.base import kinds
from bot.sources.fetch import is_remote

__all__ = ["Tried", "attempt", "kinds"]


@dataclass(frozen=True)
class Tried:
    """What was read, and the text that declares it in config.toml."""

    kind: str
    reading: Reading
    key: str
    config: str

    def json(self, office: Office) -> dict[str, Any]:
        """As `gongkai source try --json` prints it."""
        found = reading.as_json(self.reading, office.config.tz)
        return {"kind": self.kind, **found, "key": self.key, "config": self.config}


async def attempt(
    office: Office, actor: Actor, unit: str, target: str, *, kind: str = "", file: str = ""
) -> Tried:
    """Read an address, or the uploaded `file` that is called `target`, for a unit's administrator.

    A person at the console is no file of this machine's reader, and an address on our own network
    is asked only where config.toml names its host as private already. Raises NotAllowed, NotFound,
    Invalid, SourceError.
    """
    with office.db.write() as conn:
        home = people.unit_of(conn, unit)
        people.require(conn, actor, Right.ADMIN, home["id"])
        audit.write(conn, office.db.now(conn), actor, "source.try", f"unit:{home['id']}")
    if not file and not is_remote(target):
        raise Invalid("请写完整的网址，以 http:// 或 https:// 开头；文件请上传")
    private = not file and _named_private(office, target)
    zone = office.config.tz
    found, taken = await reading.attempt(file or target, zone, kind=kind, private=private)
    key, options = key_for(target), taken.meta.get("options", {})
    return Tried(found, taken, key, block(key, found, target, unit, options, private=private))


def _named_private(office: Office, target: str) -> bool:
    """Does config.toml let this very host and port of our own network be asked?"""
    named = {_host(part.url) for part in office.config.sources.values() if part.private}
    return _host(target) in named


def _host(url: str) -> tuple[str, int | None]:
    """Raises Invalid for what is no address."""
    try:
        at = urlsplit(url)
        return at.hostname or "", at.port or {"http": 80, "https": 443}.get(at.scheme)
    except ValueError:
        raise Invalid("看不懂网址“{url}”", url=url[:80]) from None
