"""Posts, revisions and items as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, not_, select

from bot.db import accounts, aside, item_revisions, items, lock, posts, revisions, sources
from bot.db import people as persons
from bot.errors import NotFound
from bot.model import PostState
from bot.naming import source_name


def locked(conn: Connection, post_id: int) -> RowMapping:
    """The post, locked against sign-offs, edits and attempts. Raises NotFound."""
    lock(conn, posts, [post_id])
    return one(conn, post_id)


def one(conn: Connection, post_id: int) -> RowMapping:
    """The post, as it is read. Raises NotFound."""
    row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的稿件", id=post_id)
    return row


def current(conn: Connection, post: RowMapping) -> RowMapping:
    """The current revision of a post."""
    query = select(revisions).where(revisions.c.id == post["revision_id"])
    return conn.execute(query).mappings().one()


def numbered(conn: Connection, post_id: int, number: int) -> RowMapping:
    """A revision of a post by its number. Raises NotFound."""
    where = revisions.c.post_id == post_id, revisions.c.number == number
    row = conn.execute(select(revisions).where(*where)).mappings().first()
    if row is None:
        raise NotFound("这篇稿件没有第 {n} 版", n=number)
    return row


def revisions_of(conn: Connection, post_id: int) -> list[RowMapping]:
    """The revisions of a post with their authors' names, the newest first."""
    names = ("id", "number", "at", "digest")
    query = (
        select(*(revisions.c[name] for name in names), persons.c.name)
        .outerjoin(persons, persons.c.id == revisions.c.author_id)
        .where(revisions.c.post_id == post_id)
    )
    return list(conn.execute(query.order_by(revisions.c.number.desc())).mappings())


def listing(
    conn: Connection,
    unit_ids: set[int],
    *,
    state: str = "",
    returned: bool | None = None,
    author: int | None = None,
    words: str = "",
    limit: int = 50,
    before: int | None = None,
) -> list[RowMapping]:
    """Posts of some units, the newest first; `before`: the number the page before ended with.

    `returned`: those that came back from review, or all others; `words`: in the title.
    """
    query = select(posts).where(aside(posts.c.unit_id).in_(unit_ids))
    if state:
        query = query.where(posts.c.state == state)
    if returned is not None:
        query = query.where(came_back() if returned else not_(came_back()))
    if author is not None:
        query = query.where(posts.c.author_id == author)
    if words:
        query = query.where(posts.c.title.contains(words, autoescape=True))
    if before is not None:
        query = query.where(posts.c.id < before)
    return list(conn.execute(query.order_by(posts.c.id.desc()).limit(limit)).mappings())


def came_back() -> ColumnElement[bool]:
    """A draft that review gave back."""
    return and_(posts.c.state == PostState.DRAFT, posts.c.returned.is_not(None))


def account_keys(conn: Connection, post: RowMapping) -> list[str]:
    """The keys of the accounts a post goes to."""
    query = select(accounts.c.key).where(accounts.c.id.in_(post["accounts"] or []))
    return list(conn.execute(query.order_by(accounts.c.id)).scalars())


def item_of(conn: Connection, item_id: int) -> RowMapping:
    """An item with its source's key and unit. Raises NotFound."""
    named = sources.c.key.label("source_key"), source_name.label("source_name"), sources.c.unit_id
    query = select(*items.c, *named).join(sources)
    row = conn.execute(query.where(items.c.id == item_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    return row


def source_moved(conn: Connection, post: RowMapping) -> int | None:
    """The newer number of the entry this post was made of, if it changed since."""
    if post["item_id"] is None:
        return None
    newest = conn.execute(
        select(func.max(item_revisions.c.number)).where(item_revisions.c.item_id == post["item_id"])
    ).scalar()
    made_of = current(conn, post)["item_revision"]
    return newest if newest and made_of and newest > made_of else None


def accounts_of(conn: Connection, keys: Sequence[str]) -> list[RowMapping]:
    """The accounts of these keys. Raises NotFound for an unknown one."""
    found = conn.execute(
        select(accounts).where(accounts.c.key.in_(keys)).order_by(accounts.c.id)
    ).mappings()
    rows = list(found)
    if missing := set(keys) - {row["key"] for row in rows}:
        raise NotFound("没有账号 {keys}", keys="、".join(sorted(missing)))
    return rows
