"""Write bot/migrations/versions/0001_first.py anew from bot.db's tables.

Only while no release carries that revision: `python -m tests.remake_first` after a change of
bot/db.py. Once released, a change is a revision of its own.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, BigInteger, create_engine

from bot.db import Instant, metadata
from bot.migrations import HERE

FILE = HERE / "versions" / "0001_first.py"
HEAD = '''"""The first schema. Written by tests/remake_first.py from bot.db; not by hand."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    '''


def render(kind: str, made: Any, _: Any) -> str | Literal[False]:
    """A revision stands by itself: our column types by what they are stored as."""
    if kind != "type":
        return False
    if isinstance(made, JSON):
        return "JSON"
    if isinstance(made, BigInteger) and "sqlite" in made._variant_mapping:
        return "ID"
    return "sa.BigInteger()" if isinstance(made, Instant) else False


def made() -> str:
    """The file as it should be."""
    engine = create_engine("sqlite://")
    with engine.connect() as conn:
        context = MigrationContext.configure(conn, opts={"render_item": render})
        operations = produce_migrations(context, metadata).upgrade_ops
        assert operations is not None
        body = render_python_code(operations, render_item=render, migration_context=context)
    engine.dispose()
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("#")]
    command = [sys.executable, "-m", "ruff", "format", "-q", "--stdin-filename", FILE.name, "-"]
    source = HEAD + "\n".join(lines).strip() + "\n"
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8")
