"""gongkai replies: the log of what the public said, shown or exported."""

from __future__ import annotations

from typing import Any

import click

from bot.cli.base import reading_units, show
from bot.office import Office


def replies(office: Office, **asked: Any) -> None:
    """Show, or write to --csv or --xlsx, the replies asked for."""
    from bot import collect

    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        if asked["coverage"]:
            _coverage(conn, asked["post"], asked["json_"])
            return
        rows = collect.listing(conn, units)
    show(rows, asked["json_"], {"id": "编号"})


def _coverage(conn: Any, post: int | None, json_: bool) -> None:
    from bot import collect

    show(
        collect.coverage(conn, post or 0),
        json_,
        {"account": "账号", "seen": "采到", "total": "平台计"},
    )


__all__ = ["click", "replies"]
