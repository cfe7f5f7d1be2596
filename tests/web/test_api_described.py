"""What the API says of itself: examples of real answers, and the table of docs/api.md.

REMAKE=1 pytest tests/web/test_api_described.py writes both anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest

from bot import compose
from bot.cli import main
from bot.compose.writings import NEW, Place
from bot.language import Say
from bot.model import Right, Scope
from bot.notices import open_notice
from bot.people import duty
from bot.web import api
from bot.web.api import content, door, opening
from tests import builders
from tests.offices import ROOT, url  # noqa: F401
from tests.test_rights import world  # noqa: F401
from tests.web.test_api_rights import ANY, ROUTES, Ask, _may, _shape, desk  # noqa: F401
from tests.web.test_routes import HERE, Scene, console  # noqa: F401
from tests.web.test_routes import routes as pages

FILE = Path(opening.__file__).parent / "examples.json"
DOC = ROOT / "docs" / "api.md"
HEAD = "| route | scope | right | |\n|---|---|---|---|\n"
SCOPES: tuple[tuple[Any, Scope], ...] = (
    (door.Reads, Scope.READ),
    (door.Writes, Scope.WRITE),
    (door.Sends, Scope.WRITE),
    (door.Signs, Scope.SIGN),
    (door.Stops, Scope.HOLD),
    (door.Administers, Scope.ADMIN),
    (door.Tries, Scope.ADMIN),
)
DAY = date(2026, 11, 26)
LONG = 80  # characters of an example's text


def endpoints() -> Iterator[tuple[str, Any]]:
    """`GET /me` and its function, in the order of the description."""
    for router in (*(module.router for module in api.MODULES), content.uploads):
        for route in router.routes:
            method = "".join(getattr(route, "methods", ()))
            path = re.sub(r":\w+}", "}", getattr(route, "path", ""))
            yield f"{method} {path}", getattr(route, "endpoint", None)


def asked_as(route: str) -> str:
    """The row of ROUTES that asks it."""
    return next(each for each in ROUTES if _shape(each) == _shape(route))


@pytest.fixture
def answers(console: Scene, desk: Ask) -> dict[str, Any]:  # noqa: F811
    """What each reading route answers to whoever is told most."""
    office = console.world.office
    with office.db.write() as conn:
        who, now = builders.actor(conn, "editor@health"), office.db.now(conn)
        typed = [("title", "停水通知"), ("text", "望江路明日")]
        compose.keep_writing(conn, now, who, NEW, typed, Place("a", "b"))
        duty.put(conn, now, who, console.world.unit, {DAY: "wei"})
        open_notice(conn, now, "late:1", Say("有稿件误点"), console.world.unit)
    found: dict[str, Any] = {}
    for route, _ in endpoints():
        if route.startswith("GET "):
            asked = asked_as(route)
            seats = [f"{role}@{unit}" for role in sorted(_may(asked)) for unit in HERE]
            every = [desk(login, asked) for login in seats]
            best = max((one for one in every if one.status_code == 200), key=lambda r: len(r.text))
            folder = str(office.config.path.parent)
            if best.headers["content-type"] == "application/json":  # else a file
                said = json.loads(best.text.replace(folder, "/srv/gongkai"))
                found[route.removeprefix("GET ")] = said
    return found


def brief(value: Any) -> Any:
    """Lists by their first row, long texts by their beginning."""
    if isinstance(value, dict):
        return {name: brief(one) for name, one in value.items()}
    if isinstance(value, list):
        return [brief(one) for one in value[:1]]
    long = isinstance(value, str) and len(value) > LONG
    return f"{value[:LONG]}…" if long else value


def members(value: Any) -> Any:
    """The names in an answer and in the first row of each of its lists."""
    if isinstance(value, list):
        return members(value[0]) if value and isinstance(value[0], dict) else None
    if isinstance(value, dict):
        below = {name: members(one) for name, one in value.items() if isinstance(one, list)}
        return sorted(value), {name: one for name, one in below.items() if one}
    return None


def test_examples_are_what_is_answered(answers: dict[str, Any]) -> None:
    if os.environ.get("REMAKE"):
        text = json.dumps(
            {k: brief(v) for k, v in sorted(answers.items())}, ensure_ascii=False, indent=1
        )
        FILE.write_text(text + "\n", "utf-8")
    said = json.loads(FILE.read_text("utf-8"))
    assert sorted(said) == sorted(answers)
    for route, answer in answers.items():
        assert members(said[route]) == members(brief(answer)), route


OTHER_WORDS = {  # of docs/glossary.md's things: one word each
    *("article", "channel", "comment", "comments", "event", "job", "message"),
    *("platform", "provider", "publication", "transport", "user", "users"),
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
ZONED = re.compile(r"[+-]\d\d:\d\d$|Z$")


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every name with what stands under it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key, None
            yield from leaves(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, name)
    else:
        yield name, value


def test_names_are_the_glossarys_and_times_have_their_zone(answers: dict[str, Any]) -> None:
    faults: list[tuple[str, ...]] = []
    for route, answer in answers.items():
        for name, value in leaves(answer):
            if name in OTHER_WORDS:
                faults.append((route, name))
            if isinstance(value, str) and INSTANT.match(value) and not ZONED.search(value):
                faults.append((route, name, value))
    assert not faults


def test_every_operation_has_examples_of_what_is_sent_and_answered() -> None:
    described, wanting = opening.description(api.behind()), []
    bodies = described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            (answer,) = (a for code, a in operation["responses"].items() if code.startswith("2"))
            told = all("example" in one for one in answer["content"].values())
            sent = operation.get("requestBody", {}).get("content", {}).get("application/json")
            name = sent["schema"]["$ref"].rpartition("/")[2] if sent else ""
            if not told or (name and not bodies[name].get("examples")):
                wanting.append(f"{method} {path}")
    assert not wanting


def test_the_table_in_the_document_is_the_routes() -> None:
    routes = list(endpoints())
    things = list(dict.fromkeys(_thing(route) for route, _ in routes))
    together = sorted(routes, key=lambda one: things.index(_thing(one[0])))
    lines = [line(*one) for one in together]
    table, text = "".join(lines), DOC.read_text("utf-8")
    if os.environ.get("REMAKE"):
        text = re.sub(re.escape(HEAD) + r"(\|.*\n)*", lambda _: HEAD + table, text)
        DOC.write_text(text, "utf-8")
    assert HEAD + table + "\n" in text + "\n"


def _thing(route: str) -> str:
    """`/posts` of `POST /posts/{post_id}/sign`: what is done to one kind stands together."""
    return route.partition("/")[2].partition("/")[0]


def line(route: str, endpoint: Any) -> str:
    asked = get_type_hints(endpoint, include_extras=True)["call"]
    scope = next(scope for kind, scope in SCOPES if kind == asked)
    says = re.split(r"(?<=\w)[.;:](?:\s|$)", " ".join(endpoint.__doc__.split()))[0].rstrip(".")
    return f"| `{route}` | {scope} | {who(route)} | {says} |\n"


def who(route: str) -> str:
    said = ROUTES[asked_as(route)][0]
    if isinstance(said, Right):
        return str(said)
    return "—" if said == ANY else ", ".join(sorted(said)) or "admin, everywhere"


# ---------------------------------------------------------------- what each page says


def table() -> list[tuple[list[str], list[str], list[str]]]:
    """Pages, addresses of the API, commands: a row each."""
    part = DOC.read_text("utf-8").partition("## What each page says")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    return [tuple(re.findall(r"`([^`]+)`", cell) for cell in row) for row in rows]  # type: ignore[misc]


def _shaped(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "*", path)


def test_every_page_says_where_a_program_finds_what_it_says(console: Scene) -> None:  # noqa: F811
    """By the application's own pages: a new one needs a row of the table, a lost one must leave it."""
    there = {
        _shaped(route.path)
        for method, route in pages(console.app)
        if method == "GET" and route.path not in ("/login", "/login/code", "/password")
    }
    told = {_shaped(page) for row in table() for page in row[0]} - {"/password"}
    assert (there - told, told - there) == (set(), set())


def test_what_the_table_names_there_is() -> None:
    paths = {route.partition(" ")[2] for route, _ in endpoints()}
    assert {path for _, api_, _ in table() for path in api_} - paths == set()
    commands = {name for name, json_ in _commands(main) if json_}
    named = {words for *_, cli in table() for words in cli if "--" not in words}
    assert named - commands == set()


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, bool]]:
    """Every command, and whether it takes --json."""
    for name, command in group.commands.items():
        yield f"{before}{name}", any("--json" in one.opts for one in command.params)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")


def test_the_document_names_what_needs_no_key() -> None:
    paths = opening.description(api.behind())["paths"]
    keyless = {
        path.removeprefix("/api/v1")
        for path, operations in paths.items()
        if "post" in operations
        and "idempotency-key"
        not in {p["name"].lower() for p in operations["post"].get("parameters", ())}
    }
    (said,) = re.findall(r"These need no key:(.*?)\n\n", DOC.read_text("utf-8"), re.S)
    assert set(re.findall(r"`POST ([^`]+)`", said)) == keyless
