"""Sentences for people: kept as they are, put into words where they are shown."""

from __future__ import annotations

import ast
import asyncio
import json
import string
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bot
from bot import language
from bot.errors import ConfigError, GongkaiError, Later, Refused, SourceError
from bot.language import Say, speaking

ROOT = Path(bot.__file__).parent
VALUES = st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans())


# ---------------------------------------------------------------- a sentence


def test_a_sentence_is_its_template_and_its_values() -> None:
    assert str(Say("还差 {n} 步，由{who}办理", n=2, who=Say("签发人"))) == "还差 2 步，由签发人办理"


@given(VALUES, VALUES)
def test_a_stored_sentence_reads_the_same(first: Any, second: Any) -> None:
    say = Say("甲 {a}，乙 {b}", a=first, b=Say("内 {x}", x=second))
    stored = json.loads(json.dumps(say.json()))
    assert str(Say.of(stored)) == str(say)
    assert Say.of(stored).json() == say.json()


@given(st.text())
def test_nothing_in_a_value_is_taken_for_a_template(value: str) -> None:
    assert str(Say("微博拒绝：{raw}", raw=value)) == f"微博拒绝：{value}"
    assert str(Say("{raw}", raw="{n}")) == "{n}"


def test_a_value_of_any_kind_is_stored_as_what_it_reads_as() -> None:
    stored = Say("{file}", file=Path("a/b")).json()
    assert stored == {"text": "{file}", "values": {"file": "a/b"}}


# ---------------------------------------------------------------- languages


def test_where_no_translation_stands_it_is_chinese() -> None:
    with speaking("en"):
        assert str(Say("此句从无译文 {n}", n=1)) == "此句从无译文 1"
        assert language._("此句从无译文") == "此句从无译文"


def test_a_language_holds_for_its_block_and_an_unknown_one_is_chinese() -> None:
    assert language.current() == "zh"
    with speaking("en"):
        assert language.current() == "en"
        with speaking("tlh"):
            assert language.current() == "zh"
        assert language.current() == "en"
    with pytest.raises(RuntimeError), speaking("en"):
        raise RuntimeError
    assert language.current() == "zh"


def test_each_request_speaks_its_own() -> None:
    async def request(wanted: str) -> str:
        language.use(wanted)
        await asyncio.sleep(0)
        return language.current()

    async def both() -> list[str]:
        return list(await asyncio.gather(request("en"), request("zh"), request("en")))

    assert asyncio.run(both()) == ["en", "zh", "en"]
    assert language.current() == "zh"


# ---------------------------------------------------------------- errors carry one


def test_an_error_is_its_sentence_in_the_readers_language() -> None:
    error = GongkaiError("没有单位 {key}", key="county")
    assert str(error) == "没有单位 county"
    assert error.say.json() == {"text": "没有单位 {key}", "values": {"key": "county"}}
    assert str(ConfigError(Say("{why}", why=error.say))) == "没有单位 county"


def test_errors_keep_what_the_flow_needs_of_them() -> None:
    assert SourceError("页面没有了", gone=True).gone
    later = Later("请稍后", scope="host", raw="429")
    assert (later.scope, later.after, later.raw) == ("host", None, "429")
    assert Refused("微博拒绝：{raw}", raw="含敏感词").raw == "含敏感词"


# ---------------------------------------------------------------- every sentence in the program


def sentences() -> Iterator[tuple[str, str, set[str] | None]]:
    """(where, template, the names it is given) of every Say and error; None: it cannot be told,
    the template being filled elsewhere."""
    errors = {name for name in vars(bot.errors) if isinstance(getattr(bot.errors, name), type)}
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            first = node.args[0] if node.args else None
            if node.func.id in {*errors, "Say"} and isinstance(first, ast.Constant):
                names = [keyword.arg for keyword in node.keywords]
                later = None in names or (not names and node.func.id == "Say")
                given_names = None if later else {name for name in names if name}
                yield f"{file.relative_to(ROOT)}:{node.lineno}", str(first.value), given_names


def test_every_sentence_stands_where_it_is_said() -> None:
    """A template carried there by a name is extracted by no tool, so it is never translated."""
    speaks = {n for n in vars(bot.errors) if isinstance(getattr(bot.errors, n), type)} | {"Say"}
    wrong = []
    for file in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                carried = set(_literals(function))
                wrong += [
                    f"{file.relative_to(ROOT)}:{call.lineno}"
                    for call in ast.walk(function)
                    if isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in speaks
                    and any(isinstance(a, ast.Name) and a.id in carried for a in call.args[:1])
                ]
    assert wrong == []


def _literals(function: ast.AST) -> Iterator[str]:
    """The names that a function binds to a string."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield from (t.id for t in node.targets if isinstance(t, ast.Name))


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_sentence_is_given_all_it_names() -> None:
    found = list(sentences())
    assert len(found) > 100
    wrong = [
        f"{where} {template}: {sorted(fields(template) - given_names)}"
        for where, template, given_names in found
        if given_names is not None and fields(template) - given_names
    ]
    assert wrong == []


def test_every_sentence_is_chinese_with_full_width_marks() -> None:
    """Half-width commas and the like never follow a Chinese character."""
    wrong = []
    for where, template, _ in sentences():
        for before, mark in pairwise(template):
            if "\u4e00" <= before <= "\u9fff" and mark in ",;:!?()":
                wrong.append(f"{where} {template}")
    assert wrong == []
