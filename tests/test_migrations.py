"""The schema's history: from nothing and from every revision to the head, on both databases."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, inspect, select, text, update

from bot import audit, migrations, search
from bot.db import Database, audit_heads, metadata, offices, units
from bot.errors import GongkaiError
from bot.workdays import FixedClock
from tests import builders, postgres, remake_first
from tests.processes import together


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> Iterator[Database]:
    """A store without a single table."""
    with ExitStack() as stack:
        address = (tmp_path / "empty.db").as_posix()
        if request.param == "postgres":
            try:
                address = stack.enter_context(postgres.database("template0"))
            except postgres.Unavailable as why:
                pytest.skip(f"no PostgreSQL: {why}")
        yield stack.enter_context(closing(Database(address, clock)))


def differences(database: Database) -> list[object]:
    """What Alembic would change to make the store as bot.db describes it."""
    with database.read() as conn:
        options = {
            "compare_type": True,
            "compare_server_default": False,
            "include_name": lambda name, kind, _: not search.owns(name),
        }
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))


# ---------------------------------------------------------------- where it ends


def test_the_history_ends_in_what_the_store_describes(database: Database) -> None:
    assert differences(database) == [], "run python -m tests.remake_first, or write a revision"


def test_the_first_revision_is_the_one_its_maker_writes() -> None:
    assert remake_first.FILE.read_text("utf-8") == remake_first.made()


def test_a_new_store_has_its_office_and_the_start_of_its_trail(empty: Database) -> None:
    migrations.upgrade(empty)
    with empty.read() as conn:
        office = conn.execute(select(offices)).mappings().one()
        head = conn.execute(select(audit_heads)).mappings().one()
    assert (office["id"], office["created_at"]) == (1, builders.NOW)
    assert re.fullmatch("[0-9a-f]{32}", office["salt"])
    assert (head["number"], head["digest"]) == (0, audit.START)


def test_every_office_has_a_salt_of_its_own(tmp_path: Path) -> None:
    salts = set()
    for name in ("a.db", "b.db"):
        with closing(Database((tmp_path / name).as_posix())) as made:
            migrations.upgrade(made)
            with made.read() as conn:
                salts.add(conn.execute(select(offices.c.salt)).scalar_one())
    assert len(salts) == 2


# ---------------------------------------------------------------- the way there


def test_the_history_is_one_line() -> None:
    """Named by number, each after the one before: `head` and `upgrade` rely on it."""
    files = sorted((migrations.HERE / "versions").glob("*.py"))
    text_of = {file.name: file.read_text("utf-8") for file in files}
    found = [re.findall(r"^(?:down_)?revision = (.+)$", text, re.M) for text in text_of.values()]
    names = [f'"{name[:4]}"' for name in text_of]
    assert found == [[name, before] for before, name in pairwise(["None", *names])]
    assert migrations.revisions() == [name.strip('"') for name in names]


@pytest.mark.parametrize("before", migrations.revisions())
def test_a_store_with_rows_comes_from_any_revision_to_the_head(
    empty: Database, before: str
) -> None:
    migrations.upgrade(empty, before)
    with empty.write() as conn:
        conn.execute(text("insert into units (key, name) values ('county', '县')"))
        conn.execute(text("insert into units (key, parent_id) select 'bureau', id from units"))
    migrations.upgrade(empty)
    assert differences(empty) == []
    with empty.read() as conn:
        assert conn.execute(select(units.c.key).order_by(units.c.id)).scalars().all() == [
            "county",
            "bureau",
        ]


def test_doing_it_again_changes_nothing(database: Database) -> None:
    with database.write() as conn:
        salt = conn.execute(select(offices.c.salt)).scalar_one()
        conn.execute(update(audit_heads).values(number=7))
    migrations.upgrade(database)
    with database.read() as conn:
        assert conn.execute(select(offices.c.salt)).scalars().all() == [salt]
        assert conn.execute(select(audit_heads.c.number)).scalars().all() == [7]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_store_at_the_head_costs_no_import_of_alembic(url: str) -> None:
    code = (
        "import sys\nfrom bot.db import Database\nfrom bot.migrations import upgrade\n"
        "database = Database(sys.argv[1])\nupgrade(database)\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, url], check=True, timeout=30)


UPGRADER = """
import sys
from bot.db import Database
from bot.migrations import upgrade
import alembic.command
BEGIN
upgrade(Database(sys.argv[1]))
"""


def test_programs_that_start_at_once_make_one_schema(empty: Database) -> None:
    address = empty.url.render_as_string(hide_password=False)
    with together(UPGRADER, (address,), (address,)) as programs:
        pass
    assert [program.returncode for program in programs] == [0, 0]
    with empty.read() as conn:
        assert conn.execute(select(offices.c.id)).scalars().all() == [1]
    assert differences(empty) == []


def test_a_migration_that_fails_leaves_nothing(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(migrations, "_found", fails)
    with pytest.raises(RuntimeError):
        migrations.upgrade(empty)
    with empty.read() as conn:
        assert inspect(conn).get_table_names() == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_foreign_keys_are_on_again_and_orphans_stop_a_migration(database: Database) -> None:
    def orphan() -> None:
        with migrations._alone(database) as conn:
            conn.execute(insert(units).values(key="lost", parent_id=404))

    with pytest.raises(RuntimeError, match="orphans"):
        orphan()
    with database.read() as conn:
        assert conn.execute(text("pragma foreign_keys")).scalar_one() == 1
        assert conn.execute(select(units)).first() is None


# ---------------------------------------------------------------- refusals


def test_a_store_made_by_a_newer_program_is_left_alone(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(GongkaiError, match="9999") as refused:
        migrations.upgrade(database)
    assert "较新的程序" in str(refused.value)


def test_a_store_that_cannot_be_opened_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    for address in (
        (tmp_path / "folder.db").as_posix(),
        f"postgresql://office:hunter2@/x?host={tmp_path}",
    ):
        with closing(Database(address)) as database, pytest.raises(GongkaiError) as refused:
            migrations.upgrade(database)
        assert "打不开数据库" in str(refused.value)
        assert "hunter2" not in f"{refused.value!r} {refused.value}"
