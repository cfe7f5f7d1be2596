"""An office on SQLite with accounts, and people in front of its console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bot.model import Role
from bot.office import Office
from bot.web.app import build
from tests import builders
from tests.web import scene, serving

Enter = Callable[..., scene.Reader]  # a login, or nobody's


@pytest.fixture
def url(migrated: Path, tmp_path: Path) -> str:
    """Pages ask the same of either database; the stages' own tests run on both."""
    file = tmp_path / "data" / "gongkai.db"
    file.parent.mkdir()
    file.write_bytes(migrated.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
def staffed(office: Office) -> Office:
    """The office with accounts, a reviewer `shen`, a responder `he`, a supervisor `xu`."""
    scene.accounts(office)
    with office.db.write() as conn:
        builders.person(conn, "shen", "沈棠", Role.REVIEWER)
        builders.person(conn, "he", "何答", Role.RESPONDER)
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    return office


@pytest.fixture
def base(office: Office) -> Iterator[str]:
    """The address of the office's console, served on a port nobody has."""
    with serving.listening() as taken, serving.serving(build(office), taken):
        yield serving.address(taken)


@pytest.fixture
def enter(base: str) -> Iterator[Enter]:
    """Sit somebody down at the console; nobody in particular without a login."""
    with ExitStack() as stack:
        yield lambda login="": stack.enter_context(closing(scene.Reader(base, login)))
