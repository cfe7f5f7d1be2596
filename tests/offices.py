"""An office as its own files make it: more in config.toml, the shipped templates, a small feed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import RowMapping, Table, select

from bot import catalog
from bot.config import load
from bot.db import notices
from bot.deliver import accounts
from bot.language import Say
from bot.office import Office
from tests import builders, postgres

ROOT = Path(__file__).parents[1]
HAND = """
[accounts.{key}]
unit = "county"
adapter = "byhand"
name = "云澜发布"
[accounts.{key}.options]
platform = "微博"
text_limit = 140
over_limit = "shorten"
"""


T = TypeVar("T", bound=Callable[..., Any])


def both(test: T) -> T:
    """A test whose SQL, locks or order of rows matter: on PostgreSQL too."""
    test.both = True  # type: ignore[attr-defined]
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """For modules that import this and `url`: on SQLite alone, but for the tests marked `both`."""
    if "url" in metafunc.fixturenames and hasattr(metafunc.function, "both"):
        other = pytest.param("postgres", marks=pytest.mark.postgres)
        metafunc.parametrize("url", ["sqlite", other], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new, migrated store."""
    yield from store(request, getattr(request, "param", "sqlite"))


def store(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    """The address of a new, migrated store of one kind; skips where it cannot be had."""
    if kind == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres.database())
        except postgres.Unavailable as why:
            pytest.skip(f"no PostgreSQL: {why}")
        yield address


def declared(office: Office, more: str, units: str = builders.CONFIG) -> Office:
    """The same office with `more` in its config.toml, taken in, and the shipped templates."""
    file = office.config.path
    there = office.db.url.render_as_string(hide_password=False)
    store = "" if office.db.sqlite else f'[database]\nurl = "{there}"\n'
    file.write_text(units + store + more, "utf-8")
    shutil.copytree(ROOT / "templates", file.parent / "templates", dirs_exist_ok=True)
    made = Office(load(file), office.db)
    with made.db.write() as conn:
        now = made.db.now(conn)
        catalog.sync(made, conn, now)
        accounts.sync(made, conn, now)
    return made


@dataclass(frozen=True)
class Notice:
    """An entry of a feed."""

    title: str
    at: datetime | None = None
    text: str = ""
    link: str = ""
    guid: str = ""
    column: str = ""


def rss(entries: Iterable[Notice]) -> str:
    """A feed of them, in this order."""
    items = "".join(map(_item, entries))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<rss version="2.0" xmlns:gk="https://gongkai.example/ns/1"><channel>'
        "<title>云澜县政务公开</title><link>https://yunlan.example.cn/</link>"
        f"<description>通知公告</description>{items}</channel></rss>"
    )


def _item(entry: Notice) -> str:
    link = entry.link or f"https://yunlan.example.cn/{entry.title}.html"
    fields = {
        "title": entry.title,
        "link": link,
        "guid": entry.guid or link,
        "pubDate": format_datetime(entry.at) if entry.at else "",
        "gk:column": entry.column,
        "description": entry.text or f"{entry.title}，请遵照执行。",
    }
    body = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in fields.items() if v)
    return f"<item>{body}</item>"


def rows(office: Office, table: Table) -> list[RowMapping]:
    """A whole table, oldest first."""
    with office.db.read() as conn:
        return list(conn.execute(select(table).order_by(table.c.id)).mappings())


def told(office: Office) -> list[str]:
    """The notices that stand."""
    return [str(Say.of(row["say"])) for row in rows(office, notices) if row["closed_at"] is None]
