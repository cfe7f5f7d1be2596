"""What every test may ask for: a clock that stands, a migrated store on either database, an office."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.config import load
from bot.db import Database
from bot.migrations import upgrade
from bot.model import Role
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices, postgres
from tests.fakes import mastodon
from tests.fakes.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-real", action="store_true", help="run the tests that talk to a real server"
    )


def pytest_configure() -> None:
    os.environ.setdefault(postgres.OWNER, str(os.getpid()))  # before xdist's workers start


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-real"):
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(pytest.mark.skip(reason="talks to a real server: --run-real"))


@pytest.fixture
def clock() -> FixedClock:
    """Tuesday 24 November 2026, 09:00 in Shanghai; a working day."""
    return FixedClock(builders.NOW)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "gongkai.db"
    with closing(Database(file.as_posix(), FixedClock(builders.NOW))) as made:
        upgrade(made)
    return file


@pytest.fixture
def sqlite(migrated: Path, tmp_path: Path) -> str:
    """The address of a new, migrated SQLite file."""
    file = tmp_path / "data" / "gongkai.db"
    file.parent.mkdir()
    shutil.copy(migrated, file)
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new, migrated store. One database only:
    `@pytest.mark.parametrize("url", ["sqlite"], indirect=True)`.
    """
    yield from offices.store(request, request.param)


@pytest.fixture
def database(url: str, clock: FixedClock) -> Iterator[Database]:
    """A migrated store, its clock standing; on SQLite and on PostgreSQL."""
    with closing(Database(url, clock)) as made:
        yield made


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    """One unit, `county`, with one step, 签发; editor `zhou`, signer `lin`, administrator `gu`."""
    file = tmp_path / "config.toml"
    file.write_text(builders.CONFIG, "utf-8")
    with database.write() as conn:
        builders.unit(conn, "county")
        builders.person(conn, "zhou", "周文", Role.EDITOR)
        builders.person(conn, "lin", "林岚", Role.SIGNER)
        builders.person(conn, "gu", "顾明", Role.ADMINISTRATOR)
    return Office(load(file), database)


@pytest.fixture
def platform(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[mastodon.Mastodon, Server]]:
    """A fake Mastodon of three accounts whose clock is the test's, standing at the present."""
    clock.set(datetime.now(UTC))
    monkeypatch.setattr(mastodon, "_now", clock.now)
    with mastodon.running(accounts=3) as pair:
        yield pair
