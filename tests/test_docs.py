"""The documents are true: their links lead somewhere, what they name is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

import bot
from bot.cli import main
from bot.config import Config
from bot.db import metadata

ROOT = Path(bot.__file__).parent.parent
DOCS = [
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMES = [str(one.relative_to(ROOT)) for one in DOCS]
# The words of the design, each that stands in the program.
WORDS = [
    "unit",
    "source",
    "item",
    "template",
    "post",
    "revision",
    "finding",
    "sign-off",
    "step",
    "account",
    "adapter",
    "delivery",
    "attempt",
    "hold",
    "occurrence",
    "watch",
    "reply",
    "notice",
]


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def slug(heading: str) -> str:
    """As the places that show Markdown make an address of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(file: Path) -> set[str]:
    bare = re.sub(r"(?s)^```.*?^```", "", file.read_text("utf-8"), flags=re.M)
    return {slug(found[1]) for found in re.finditer(r"(?m)^#+ (.*)$", bare)}


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_dead(name: str) -> None:
    here = ROOT / name
    for address in re.findall(r"\]\(([^)\s]+)\)", text(name)):
        path, _, part = address.partition("#")
        if "://" in address:
            continue
        target = (here.parent / path).resolve() if path else here
        assert target.exists(), address
        assert not part or part in headings(target), address


@pytest.mark.parametrize("name", NAMES)
def test_every_file_named_is_there(name: str) -> None:
    for path in re.findall(r"`((?:bot|docs|tests|templates)/[\w./-]+)`", text(name)):
        assert "NAME" in path or (ROOT / path).exists(), path


def commands(name: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Every `gongkai …` of a document: its line, its words, its options."""
    for found in re.finditer(r"(?<![\w/.-])gongkai ((?:[a-z][a-z-]*)[^`\n]*)", text(name)):
        said = re.split(r"\s#|[|;，；。（]", found[1])[0]
        line = text(name)[: found.start()].count("\n") + 1
        yield line, said.split(), re.findall(r"(?<![\w-])--[a-z][a-z-]*", said)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_named_is_one_with_the_options_it_is_given(name: str) -> None:
    for line, words, options in commands(name):
        command: click.Command = main
        for word in words:
            if not isinstance(command, click.Group) or word not in command.commands:
                break
            command = command.commands[word]
        assert command is not main, (name, line, words)
        known = {
            one for p in (*command.params, *main.params) for one in (*p.opts, *p.secondary_opts)
        }
        assert set(options) <= known | {"--help"}, (name, line, words)


def table(names: list[str]) -> Any:
    """What may stand in a table of config.toml; None where anything may."""
    here: Any = Config
    for name in names:
        if name.isupper():  # KEY, URL: a name of the office's own
            continue
        assert name in here.model_fields, names
        kind = here.model_fields[name].annotation
        parts = [one for one in (kind, *get_args(kind)) if isinstance(one, type)]
        here = next((one for one in parts if issubclass(one, BaseModel)), None)
        if here is None:
            return None
    return here


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_config_named_in_its_table_is_one(name: str) -> None:
    for names, keys in re.findall(r"`\[([A-Za-z.]+)\] ([a-z_]+(?:, [a-z_]+)*)", text(name)):
        fields = table(names.split("."))
        for key in keys.split(", ") if fields else ():
            assert key in fields.model_fields, (name, names, key)


@pytest.mark.parametrize("name", NAMES)
def test_every_toml_shown_can_be_read(name: str) -> None:
    for block in re.findall(r"(?s)```toml\n(.*?)```", text(name)):
        tomllib.loads(block.replace("…", ""))


@pytest.mark.parametrize("word", WORDS)
def test_the_glossary_has_the_word(word: str) -> None:
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \| ", text("docs/glossary.md"))
    assert any(english.split(",")[0].strip() == word for english, _ in rows)
    assert all(
        re.search("[\u4e00-\u9fff]", chinese) for _, chinese in rows[1:] if chinese != "中文"
    )


def test_flow_names_tables_that_there_are() -> None:
    rows = re.findall(r"(?m)^\| `bot/[^|]+\| ([^|]+) \| ([^|]+) \|", text("docs/flow.md"))
    named = {one.strip() for row in rows for cell in row for one in cell.split(",")}
    kept = {"templates", "findings of unsigned revisions"}  # files; columns
    assert named - kept <= set(metadata.tables)
