"""The schema's history, and bringing a store up to date.

One file a revision under versions/, named by its number: the highest is the head, each follows the
one before. Alembic is slow to import, so it is not even loaded where the store is at the head.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from bot import search
from bot.audit import START
from bot.db import Database, audit_heads, insert_missing, offices, trouble
from bot.errors import GongkaiError

HERE = Path(__file__).parent
_LOCK = 6_180_339  # any number of our own, for PostgreSQL's advisory lock


def revisions() -> list[str]:
    """Every revision this program knows, oldest first."""
    return sorted(file.name.split("_")[0] for file in (HERE / "versions").glob("[0-9]*.py"))


def head() -> str:
    """The revision the program wants."""
    return revisions()[-1]


def stored(conn: Connection) -> str | None:
    """The revision a store is at; None: it is empty."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("select version_num from alembic_version")).scalar_one_or_none()


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the store to a revision, in one transaction; several programs may start at once.

    Raises GongkaiError when the store cannot be opened, or was made by a newer program.
    """
    try:
        with database.read() as conn:
            at = stored(conn)
    except DatabaseError as error:
        why = trouble(error) or str(error.orig)
        url = database.url.render_as_string()
        raise GongkaiError("打不开数据库 {url}：{why}", url=url, why=why) from None
    if at is not None and at not in revisions():
        raise GongkaiError(
            "数据库的版本 {at} 比本程序认识的 {known} 新；请改用较新的程序", at=at, known=head()
        )
    if at != (head() if to == "head" else to):
        with _alone(database) as conn:
            _run(conn, to)
            search.prepare(conn)
            _found(conn, database)


def _run(conn: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    command.upgrade(config, to)


def _found(conn: Connection, database: Database) -> None:
    """The rows there is exactly one of."""
    office = {"id": 1, "created_at": database.now(conn), "salt": secrets.token_hex(16)}
    insert_missing(conn, offices, [office])
    insert_missing(conn, audit_heads, [{"id": 1, "number": 0, "digest": START}])


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A transaction no other upgrade runs beside."""
    if database.sqlite:
        with _sqlite_alone(database) as conn:
            yield conn
    else:
        with database.write() as conn:
            conn.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield conn


@contextmanager
def _sqlite_alone(database: Database) -> Iterator[Connection]:
    """Without foreign keys: SQLite alters a table by dropping it for a new one, which they would
    take for a deletion of its rows. They are checked before the end instead."""
    with database.engine.connect() as conn:
        cursor = conn.connection.cursor()
        cursor.execute("pragma foreign_keys=off")
        try:
            with conn.execution_options(gongkai_write=True).begin():
                yield conn
                orphans = conn.exec_driver_sql("pragma foreign_key_check").all()
                if orphans:
                    raise RuntimeError(f"the migration left orphans: {orphans[:3]}")
        finally:
            cursor.execute("pragma foreign_keys=on")
            cursor.close()
