"""A store made anew at a revision, for rows to be put in, then brought to the head.

All of it inside the one transaction of `alone`: either database undoes even its tables when the
block raises, so that a store is never half restored.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Connection, MetaData, func, select, text
from sqlalchemy.schema import AddConstraint, DropConstraint

from bot import search
from bot.db import Database, metadata
from bot.migrations import _alone as alone
from bot.migrations import _found, _run, revisions, stored

__all__ = ["alone", "blank", "filled", "revisions", "storable", "stored"]


def blank(conn: Connection, revision: str) -> MetaData:
    """Drop every table, make those of `revision`; give them as they are: instants as integers.

    Until `filled` no foreign key is checked, so that rows may come in any order.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(text("set local lock_timeout = '20s'"))
    metadata.drop_all(conn)
    conn.execute(text("drop table if exists alembic_version"))
    _run(conn, revision)
    tables = MetaData()
    tables.reflect(conn, only=lambda name, _: not search.owns(name))
    for column in (c for table in tables.tables.values() for c in table.c):
        if isinstance(column.type, JSON):
            column.type.none_as_null = True
    if conn.dialect.name != "sqlite":
        _each_key(conn, tables, DropConstraint)
    return tables


def filled(conn: Connection, database: Database, tables: MetaData) -> None:
    """Foreign keys are checked, new ids follow the old ones, the schema is brought to the head and
    the index made of what is there."""
    if conn.dialect.name != "sqlite":
        _each_key(conn, tables, AddConstraint)
        _follow_on(conn, tables)
    _run(conn, "head")
    search.rebuild(conn)
    _found(conn, database)


def _each_key(conn: Connection, tables: MetaData, act: Any) -> None:
    for table in tables.tables.values():
        for key in table.foreign_key_constraints:
            conn.execute(act(key))


def _follow_on(conn: Connection, tables: MetaData) -> None:
    """PostgreSQL counts ids apart from the rows."""
    for table in tables.tables.values():
        if "id" in table.c and table.c.id.server_default is not None:
            last = select(func.max(table.c.id)).scalar_subquery()
            conn.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))


def storable(conn: Connection, value: Any) -> Any:
    """`value` as this database can keep it: PostgreSQL takes neither NUL nor half a surrogate pair,
    anywhere in JSON either; such a character becomes U+FFFD there."""
    return value if conn.dialect.name == "sqlite" else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return whole.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
