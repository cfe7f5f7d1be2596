"""How an entry came to be what it is: its revisions, and the posts made of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select

from bot.db import item_revisions, posts


def revisions_of(conn: Connection, item_id: int) -> list[RowMapping]:
    """An entry's revisions, the newest first."""
    query = select(item_revisions).where(item_revisions.c.item_id == item_id)
    return list(conn.execute(query.order_by(item_revisions.c.number.desc())).mappings())


def changes(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """The fields in which two stored entries differ, in the order an entry has them."""
    return [name for name in now if now[name] != before.get(name)]


def posts_of(conn: Connection, item_id: int) -> list[RowMapping]:
    """The posts made of an entry, by itself or with others in a digest; the newest first."""
    query = select(posts).where(or_(posts.c.item_id == item_id, posts.c.from_items.is_not(None)))
    rows = conn.execute(query.order_by(posts.c.id.desc())).mappings()
    return [row for row in rows if row["item_id"] == item_id or item_id in row["from_items"]]
