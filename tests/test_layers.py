"""Imports run one way: design, "The house". Read from the source, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import bot

ROOT = Path(bot.__file__).parent
ROOMS = {
    "words": "model errors language text screen workdays",
    "ground": "config db lease audit outside erasures secrets people second roster tokens media office search "
    "notices migrations templates export wordlists linking vocabulary files settings naming trail "
    "rekeying",
    "edge": "adapters sources courier",
    "voice": "speaking",  # makes an account's adapter for those who may call it
    "flow": "catalog compose review deliver collect respond report links",
    "drivers": "schedule worker backup telling",
    "doors": "cli web demo shapes shown finding __main__",
}
SEES = {
    "words": "words",
    "ground": "words ground",
    "edge": "words edge",
    "voice": "words ground edge voice",
    "flow": "words ground edge voice",
    "drivers": "words ground voice flow drivers",
    "doors": "words ground voice flow drivers doors",
}
ALONE = {"adapters": {"speaking", "deliver", "collect"}, "sources": {"catalog", "links"}}
ALLOWED = {
    "cli/reading.py imports sources",  # `gongkai read`: a catalogue without an office, nothing kept
    "cli/sources.py imports sources",  # `gongkai source try`: likewise
    "web/lists.py imports adapters",  # a platform's name and letter, no account
}
DIALECTS = {"db", "search", "migrations"}  # the only ones to name a database


def room(module: str) -> str:
    """The room of bot.module."""
    return next(room for room, names in ROOMS.items() if module in names.split())


@cache
def parsed() -> dict[str, ast.Module]:
    """Every file of the program, by its path under bot/."""
    files = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in files}


def module_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[str]:
    """What a file imports, in full: bot.db.posts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def ours() -> Iterator[tuple[str, str, str]]:
    """(file, its module, a module of ours that it imports)."""
    for path, tree in parsed().items():
        for name in imported(tree):
            if name.startswith("bot."):
                yield path, module_of(path), name.split(".")[1]


def test_every_module_has_a_room() -> None:
    known = " ".join(ROOMS.values()).split()
    assert len(known) == len(set(known))
    assert sorted({module_of(path) for path in parsed()} - set(known)) == []


def wrong(rule: Callable[[str, str], bool]) -> list[str]:
    """The imports of one module of ours by another that a rule forbids."""
    found = {f"{path} imports {b}" for path, a, b in ours() if a != b and rule(a, b)}
    return sorted(found - ALLOWED)


def test_imports_run_one_way() -> None:
    assert wrong(lambda here, there: room(there) not in SEES[room(here)].split()) == []


def test_stages_meet_at_rows_only() -> None:
    assert wrong(lambda here, there: room(here) == room(there) == "flow") == []


@pytest.mark.parametrize("kept", ALONE)
def test_only_some_speak_to_the_outside(kept: str) -> None:
    assert wrong(lambda a, b: b == kept and a not in ALONE[kept] and room(a) != "edge") == []


def test_no_exception_outlives_its_reason() -> None:
    stand = {f"{path} imports {there}" for path, _, there in ours()}
    assert sorted(ALLOWED - stand) == []


def test_words_and_edge_never_see_the_database() -> None:
    found = {
        f"{path} imports {name}"
        for path, tree in parsed().items()
        for name in imported(tree)
        if room(module_of(path)) in ("words", "edge") and name.startswith("sqlalchemy")
    }
    assert sorted(found) == []


def test_only_the_store_the_search_and_the_migrations_name_a_dialect() -> None:
    found = {
        f"{path}:{line} {word}"
        for path, tree in parsed().items()
        if module_of(path) not in DIALECTS
        for line, word in named(tree)
        if word.startswith(("sqlite", "postgres", "psycopg")) or word == "dialect"
    }
    assert sorted(found) == []


def named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names, attributes, keywords and literal strings; prose has capitals or does not begin so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            yield from ((node.lineno, name) for name in module.split("."))
            yield from ((node.lineno, name.name) for name in node.names)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import bot.cli", ["bot.cli"]),
        ("def f():\n    from bot import web", ["bot.web"]),
        (
            "if x:\n    from bot.web.app import make, serve",
            ["bot.web.app.make", "bot.web.app.serve"],
        ),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, found: list[str]) -> None:
    assert list(imported(ast.parse(source))) == found
