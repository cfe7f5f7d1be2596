"""Every key of every file an office writes, mistyped and given what it cannot be."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from bot.adapters.base import adapter_class, names
from bot.config import Config, check, load
from bot.errors import ConfigError
from bot.schedule.files import Schedule
from bot.sources.base import kinds, source_class
from bot.templates.reading import Front

OFFICE = """\
[units.county]
name = "县"
[sources.news]
unit = "county"
url = "news.xml"
[accounts.lan]
unit = "county"
adapter = "board"
[notices.mail]
url = "mailto://x"
"""
KEYED = {"units": "county", "sources": "news", "accounts": "lan", "notices": "mail"}
VALUES = (
    *("1", "-1", '"x"', '""', "true", "[]", '["x"]', "[1]", "{}", "{ x = 1 }", '{ x = "y" }'),
    *("2026-01-01", "1.5", "nan", "-inf", "99999999999999999999", "[[]]", "09:30:00", '"云"'),
)
ENGLISH = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}|[Ii]nput|pydantic")


def tables(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of config.toml as its heading is written, and what may stand in it."""
    yield f"[{above}]" if above else "", model
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        here = f"{above}.{name}".strip(".")
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from tables(kind, here)
        for part in get_args(kind):
            if isinstance(part, type) and issubclass(part, BaseModel):
                if get_origin(kind) is tuple:
                    yield f"[[{here}]]", part
                elif not isinstance(kind, UnionType):
                    yield from tables(part, f"{here}.{KEYED[name]}")


TABLES = list(tables(Config))


def slips(key: str, known: set[str]) -> Iterator[str]:
    """One letter gone, one wrong, one too many, two changed about."""
    half = len(key) // 2
    made = {key[:half] + "x" + key[half + 1 :], key + "s", key[1:] if len(key) > 3 else key}
    if len(key) > 3:
        made |= {key[:-1], key[0] + key[2] + key[1] + key[3:]}
    yield from sorted(made - known)


def with_line(heading: str, line: str) -> str:
    """The office with one line more, in its table."""
    if not heading:
        return f"{line}\n{OFFICE}"
    if heading in OFFICE:
        table, key = heading + "\n", line.split(" ")[0]
        before, after = OFFICE.split(table)
        own, rest = re.match(r"((?:[a-z].*\n)*)([\s\S]*)", after).groups()  # type: ignore[union-attr]
        return before + table + line + "\n" + re.sub(rf"(?m)^{key} = .*\n", "", own) + rest
    return f"{OFFICE}{heading}\n{line}\n"


def told(file: Path, text: str) -> str:
    """What is said of the file; empty where it can be read."""
    file.write_text(text, "utf-8")
    try:
        load(file)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("heading", "model"), TABLES, ids=[one or "top" for one, _ in TABLES])
def test_a_key_a_letter_off_is_told_with_its_line_and_the_key(
    tmp_path: Path, heading: str, model: type[BaseModel]
) -> None:
    known = {name for name in model.model_fields if name != "path"}
    for key in known:
        for slip in slips(key, known):
            text = with_line(heading, f"{slip} = 1")
            line = text.splitlines().index(f"{slip} = 1") + 1
            said = told(tmp_path / "config.toml", text)
            assert said.startswith(f"config.toml 第 {line} 行：不认识的键 "), said
            assert said.endswith(f"，是不是 {key}"), said


@pytest.mark.parametrize(("heading", "model"), TABLES, ids=[one or "top" for one, _ in TABLES])
def test_a_value_that_cannot_be_is_told_in_the_office_s_language(
    tmp_path: Path, heading: str, model: type[BaseModel]
) -> None:
    for key in (name for name in model.model_fields if name != "path"):
        for value in VALUES:
            said = told(tmp_path / "config.toml", with_line(heading, f"{key} = {value}"))
            assert not ENGLISH.search(said), said
            assert not said or re.match(r"config\.toml 第 \d+ 行", said), said


@cache
def others() -> dict[str, type[BaseModel]]:
    """What else an office writes: options, schedules, the heads of templates."""
    made: dict[str, type[BaseModel]] = {
        f"adapter {name}": adapter_class(name).options_model for name in names()
    }
    made |= {f"source {kind}": source_class(kind).options_model for kind in kinds()}
    return {**made, "schedule": Schedule, "template": Front}


NEEDED: dict[str, dict[str, Any]] = {
    "schedule": {"name": "n", "unit": "u", "accounts": ["a"], "when": [{"hour": "9"}]},
    "template": {"name": "n"},
}


@pytest.mark.parametrize("of", others())
def test_so_are_options_schedules_and_templates(of: str) -> None:
    model = others()[of]
    needed = NEEDED.get(of, {"url": "https://x.example"} if "url" in model.model_fields else {})
    for key in model.model_fields:
        for slip in slips(key, set(model.model_fields)):
            with pytest.raises(ConfigError, match="是不是"):
                check(model, {**needed, slip: 1}, Path("f.toml"), f"{slip} = 1\n")
        for value in VALUES:
            read = tomllib.loads(f"a = {value}")["a"]
            assert not ENGLISH.search(refusal(model, {**needed, key: read})), (key, value)


def refusal(model: type[BaseModel], values: dict[str, Any]) -> str:
    """Empty where they can be taken."""
    try:
        check(model, values, Path("f.toml"), "")
    except ConfigError as error:
        return str(error)
    return ""


def test_a_table_that_may_be_left_out_names_its_near_key_too() -> None:
    with pytest.raises(ConfigError, match=r"不认识的键 items\.sorces，是不是 sources"):
        check(
            Schedule,
            {**NEEDED["schedule"], "items": {"sorces": ["x"]}},
            Path("f.toml"),
            "[items]\nsorces = ['x']\n",
        )


@pytest.mark.parametrize(
    ("heading", "line", "why"),
    [
        ("[web]", "port = true", "应是整数"),
        ("[web]", 'port = "8000"', "应是整数"),
        ("[web]", 'host = ""', "不能是空的"),
        ("[web]", 'public_url = "www.example.gov.cn"', "写成完整地址"),
        ("[web]", 'console_url = "http://[x"', "写成完整地址"),
        ("[board]", "moderate = 1", "应是 true 或 false"),
        ("[board]", 'moderate = "false"', "应是 true 或 false"),
        ("[board]", "replies_per_hour = -1", "不能小于 0"),
        ("[compose.card]", 'colour = "red"', "颜色写作 #a61b1b，不是 red"),
        ("[deliver]", "tries = 99999999999999999999", "不能大于 1000000000"),
        ("[collect]", "days = 10000", "不能大于 3650"),
        ("[sources.news]", 'url = ""', "不能是空的"),
    ],
)
def test_what_would_have_gone_wrong_later_is_refused_at_once(
    tmp_path: Path, heading: str, line: str, why: str
) -> None:
    said = told(tmp_path / "config.toml", with_line(heading, line))
    assert why in said
