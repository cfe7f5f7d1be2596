"""提醒: one incident, one notice, and its end.

A notice is opened under a key; while it stands the same key opens no second one. Telling people of
it by mail and the like reads these rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from bot.db import Instant, among, insert_missing, notices
from bot.language import Say


def open_notice(
    conn: Connection, now: datetime, key: str, say: Say, unit: int | None = None, link: str = ""
) -> None:
    """Tell people once of an incident; `link` is the console's path to it."""
    open_notices(conn, [(now, key, say, unit, link)])


def open_notices(
    conn: Connection, many: Iterable[tuple[datetime, str, Say, int | None, str]]
) -> None:
    rows = [
        {"opened_at": at, "key": key, "say": say.json(), "unit_id": unit, "link": link}
        for at, key, say, unit, link in many
    ]
    insert_missing(conn, notices, rows)


def close_notice(conn: Connection, now: datetime, *keys: str) -> None:
    """The incidents are over."""
    conn.execute(_closing(), {"keys": list(keys), "now": now})


@lru_cache(maxsize=1)
def _closing() -> Any:
    standing = among(notices.c.key, "keys"), notices.c.closed_at.is_(None)
    return update(notices).where(*standing).values(closed_at=bindparam("now", type_=Instant()))


def close_notices_but(
    conn: Connection, now: datetime, prefix: str, lasting: Collection[str]
) -> None:
    """Of the incidents whose keys begin so, all are over but these."""
    query = select(notices.c.key).where(
        notices.c.key.startswith(prefix, autoescape=True), notices.c.closed_at.is_(None)
    )
    close_notice(conn, now, *(set(conn.execute(query).scalars()) - set(lasting)))
