"""Who may do what by token: every route of /api/v1 asked by every role, here and at another unit.

The routes come from the API's own description: a new one without a row in ROUTES fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from bot import catalog, compose, people
from bot.db import notices
from bot.language import Say
from bot.model import PostKind, Right, Role
from bot.notices import open_notice
from tests import builders
from tests.offices import url  # noqa: F401
from tests.test_rights import world  # noqa: F401
from tests.web.test_api import Program, made
from tests.web.test_routes import HERE, TITLE, TRAIL, WORDS, Scene, _rows, console  # noqa: F401

R = Right
ANY = frozenset(Role)
ABOVE_ALL = frozenset[Role]()  # of one unit alone: what all units share
EDITOR = {"unit": "health", "role": "editor"}
SAID = {"title": "望江路恢复供气", "formed": "2026-11-20"}
POST = {"accounts": ["hand"], "text": "望江路恢复供气。"}

# what is asked; whose right it takes; of a list, what others must not meet in it; of a write, its body
ROUTES: dict[str, tuple[Right | frozenset[Role], Any]] = {
    "GET /me": (ANY, None),
    "GET /units": (R.READ, "health"),
    "GET /accounts": (R.READ, "云澜发布"),
    "GET /accounts/{account}": (R.READ, None),
    "GET /tokens": (ANY, None),
    "GET /sources": (R.READ, "notices"),
    "GET /items": (R.READ, "望江路条目"),
    "GET /items/{item}": (R.READ, None),
    "GET /posts": (R.READ, TITLE),
    "GET /posts/{waiting}": (R.READ, None),
    "GET /posts/{waiting}/coverage": (R.READ, None),
    "GET /posts/{waiting}/counts": (R.READ, None),
    "GET /sign": (R.REVIEW, TITLE),
    "GET /queue": (R.READ, TITLE),
    "GET /queue/{failed}": (R.READ, None),
    "GET /holds": (R.READ, "reason"),
    "GET /holds/foreseen?scope=unit&target=health&until=2026-11-26": (R.STOP, None),
    "GET /replies": (R.READ, WORDS),
    "GET /replies/{reply}": (R.READ, None),
    "GET /trail": (TRAIL, None),
    "GET /trail/verify": (TRAIL, None),
    "GET /notices": (R.READ, ""),
    "GET /quality": (R.READ, "notices"),
    "GET /quality/rows": (R.READ, "望江路条目"),
    "GET /quality/export": (R.READ, "望江路条目"),
    "GET /media/{picture}": (R.READ, None),
    "GET /today": (ANY, None),
    "GET /signed": (ANY, None),
    "GET /schedules": (R.READ, ""),
    "GET /search?q=望江路": (R.READ, TITLE),
    "GET /templates": (R.READ, '"key": "notices"'),
    "GET /templates/{template}": (R.READ, '"key": "notices"'),
    "GET /standings": (R.READ, "notices"),
    "GET /standings/{standing}": (R.READ, None),
    "GET /duty": (R.READ, ""),
    "GET /rules": (R.READ, "mobile"),
    "GET /columns": (R.READ, "notices"),
    "GET /words": (R.READ, "words.txt"),
    "GET /settings": (R.READ, "version"),
    "GET /people?unit=health": (R.READ, '"wei"'),
    "GET /people/{login}": (R.READ, None),
    "GET /units/{key}": (R.READ, None),
    "GET /sources/{source}": (R.READ, None),
    "GET /items/{item}/history": (R.READ, None),
    "GET /posts/{waiting}/revisions": (R.READ, None),
    "GET /posts/{waiting}/revisions/{number}": (R.READ, None),
    "GET /posts/{waiting}/reposts": (R.READ, None),
    "GET /posts/{draft}/move?at=2026-11-25T10:00": (R.WRITE, None),
    "GET /writings": (ANY, None),
    "GET /delegations": (ANY, None),
    "GET /delegations/takers?unit=health": (R.REVIEW, None),
    "GET /calendar?begins=2026-11-01": (R.READ, TITLE),
    "GET /calendar/days": (R.READ, ""),
    "GET /calendar/slots?account=hand": (R.READ, None),
    "GET /schedules/foreseen?schedule=daily": (R.READ, None),
    "GET /board/replies": (R.READ, WORDS),
    "POST /items": (R.WRITE, {"unit": "health", "entries": [SAID]}),
    "PUT /items/{handed}": (R.WRITE, SAID),
    "POST /items/{item}/post": (R.WRITE, {"accounts": ["hand"]}),
    "POST /items/{item}/take": (R.WRITE, {}),
    "POST /items/{item}/skip": (R.WRITE, {}),
    "POST /items/{skipped}/bring-back": (R.WRITE, {}),
    "POST /items/{handed}/return": (R.WRITE, {"reason": "误"}),
    "POST /items/{handed}/call-back": (R.SUBMIT, {}),
    "POST /posts": (R.WRITE, {"unit": "health", **POST}),
    "PUT /posts/{draft}": (R.WRITE, {"version": 1, **POST}),
    "POST /posts/preview": (R.WRITE, POST),
    "POST /posts/{draft}/submit": (R.WRITE, {}),
    "POST /posts/{draft}/close": (R.WRITE, {}),
    "POST /posts/{signed}/withdraw": (R.WRITE, {"reason": "误"}),
    "POST /posts/{signed}/correct": (R.WRITE, {"wrong": "甲", "right": "乙"}),
    "POST /posts/{draft}/move": (R.WRITE, {"at": "2026-11-25T10:00"}),
    "POST /posts/{waiting}/reposts": (
        R.WRITE,
        {"accounts": ["hand"], "by": "2026-11-26T18:00"},
    ),
    "POST /posts/{waiting}/reposts/{repost}/call-off": (R.WRITE, {}),
    "POST /posts/{waiting}/sign": (R.REVIEW, {"verdict": "pass", "digest": "{digest}"}),
    "POST /posts/{signed}/revoke": (R.SIGN, {"reason": "误"}),
    "POST /queue/{failed}/cancel": (R.SCHEDULE, {}),
    "POST /queue/{failed}/retry": (R.SCHEDULE, {}),
    "POST /queue/{failed}/back": (R.WRITE, {}),
    "POST /queue/{unclear}/look": (R.SCHEDULE, {}),
    "POST /queue/{unclear}/resolve": (R.SCHEDULE, {"word": "drop"}),
    "POST /standings": (
        R.SIGN,
        {"source": "notices", "ends": "2026-12-31T18:00", "daily_max": 2, "note": "已审"},
    ),
    "POST /standings/{standing}/end": (R.SIGN, {}),
    "POST /standings/{standing}/wake": (R.SIGN, {}),
    "POST /delegations": (
        R.REVIEW,
        {
            "taker": "supervisor@county",
            "unit": "health",
            "steps": ["初审"],
            "ends": "2026-11-26T18:00",
            "reason": "开会",
        },
    ),
    "POST /delegations/{lent}/end": (frozenset({Role.ADMINISTRATOR}), {}),
    "POST /schedules/{schedule}/run": (R.SCHEDULE, {}),
    "POST /schedules/{schedule}/skip": (R.SCHEDULE, {"at": "2026-11-25T09:30"}),
    "POST /schedules/{schedule}/unskip": (R.SCHEDULE, {"at": "2026-11-25T09:30"}),
    "POST /schedules/{schedule}/pause": (R.SCHEDULE, {"reason": "停办"}),
    "POST /schedules/{schedule}/resume": (R.SCHEDULE, {}),
    "POST /sources/{source}/poll": (R.WRITE, {}),
    "POST /board/replies/{board_reply}/decide": (R.REPLY, {"word": "show"}),
    "POST /replies": (R.REPLY, {"account": "hand", "text": "停气几天？"}),
    "POST /duty": (R.SCHEDULE, {"unit": "health", "days": {"2026-11-26": "wei"}}),
    "POST /holds": (R.STOP, {"scope": "unit", "target": "health", "reason": "核实"}),
    "POST /holds/declare": (
        R.STOP,
        {"scope": "unit", "target": "health", "reason": "哀悼", "until": "2026-11-26T00:00"},
    ),
    "POST /holds/{hold}/let": (R.STOP, {"post": 1}),
    "POST /holds/{hold}/lift": (R.STOP, {}),
    "POST /replies/{reply}/answer": (R.WRITE, {"text": "已恢复。"}),
    "POST /replies/export": (R.READ, {"kind": "jsonl"}),
    "POST /trail/export": (TRAIL, {"kind": "jsonl"}),
    "POST /source/try": (R.ADMIN, {"unit": "health", "target": "nowhere"}),
    "POST /sources/{source}/pause": (R.ADMIN, {}),
    "POST /sources/{source}/activate": (R.ADMIN, {}),
    "POST /accounts/{account}/pause": (R.ADMIN, {}),
    "POST /accounts/{account}/activate": (R.ADMIN, {}),
    "POST /accounts/{account}/check": (R.ADMIN, {}),
    "POST /people": (R.ADMIN, {"login": "new", "name": "新人", **EDITOR}),
    "POST /people/{login}/grant": (R.ADMIN, EDITOR),
    "POST /people/{login}/revoke": (R.ADMIN, {"unit": "health", "role": "signer"}),
    "POST /people/{login}/disable": (R.ADMIN, {}),
    "POST /people/{login}/enable": (R.ADMIN, {}),
    "POST /people/{login}/sign-out": (R.ADMIN, {}),
    "POST /tokens/{token_of_wei}/end": (R.ADMIN, {}),
    "GET /leaders": (R.READ, None),
    "PUT /leaders": (ABOVE_ALL, {"text": "张三", "digest": ""}),
    "POST /words": (ABOVE_ALL, {"words": "旧称", "digest": ""}),
    "POST /words/drop": (ABOVE_ALL, {"line": 1, "digest": ""}),
    "POST /words/import": (ABOVE_ALL, {"pasted": "旧称", "digest": ""}),
    "PUT /templates/{template}": (ABOVE_ALL, {"text": "{{{{ title }}}}", "digest": ""}),
    "POST /templates/{template}/preview": (R.READ, {"accounts": ["hand"]}),
    "POST /rules/try": (R.READ, {"text": "望江路", "account": "hand"}),
    "POST /posts/{waiting}/offline?signed_by=李明&digest={digest}": (R.RECORD, {}),
    "POST /notices/{notice}/done": (R.SCHEDULE, {}),
    "POST /media": (R.WRITE, {}),  # anywhere: bytes only, which no unit's table names yet
}

TRAILS = {"GET /trail", "GET /trail/verify", "POST /trail/export"}
WHOLE = TRAILS | {
    "GET /media/{picture}",
    "GET /rules",
    "GET /words",
    "GET /leaders",
    "GET /settings",
}  # one for the whole office


MINE = {
    "GET /today",
    "GET /signed",
    "GET /me",
    "GET /tokens",
    "GET /delegations",
    "GET /writings",
}  # one's own alone
NAMES = {"login": "wei", "key": "health", "source": "notices", "number": 1, "schedule": "daily"}
Ask = Callable[[str, str], httpx.Response]


@pytest.fixture
def desk(console: Scene) -> Ask:  # noqa: F811
    """Ask as somebody, with a token of every scope."""
    office, seats = console.world.office, dict[str, Program]()
    with office.db.write() as conn:
        who, now = builders.actor(conn, "contributor@health"), office.db.now(conn)
        given = catalog.entries_of(office, [{"title": "报送的材料"}])
        (handed,) = catalog.submit(conn, now, who, "health", "health", given)
        asked: dict[str, Any] = {"kind": PostKind.REPOST, "about_id": console.names["waiting"]}
        asked |= {"unit_id": console.world.unit, "asking": console.world.unit, "keys": ["hand"]}
        editor = builders.actor(conn, "editor@health")
        told = Say("日程 {key} 错过一期", key="daily")
        open_notice(conn, now, "schedule:daily", told, console.world.unit)
        notice = conn.execute(select(func.max(notices.c.id))).scalar_one()
        repost = compose.create(office, conn, now, editor, body=compose.Body(""), **asked)
    console.names |= {
        "handed": handed,
        "template": "notice",
        "repost": repost,
        "notice": notice,
        **NAMES,
    }

    def ask(login: str, route: str) -> httpx.Response:
        if login not in seats:
            seats[login] = Program(console.base, made(office, login)[1])
            console.stack.enter_context(closing(seats[login].client))
        console.clock.move(0.001)  # no two acts in one instant
        method, path = console.filled(route).split(" ")
        said = ROUTES[route][1]
        if not isinstance(said, dict):
            return seats[login].client.get(path)
        body = {k: console.filled(v) if isinstance(v, str) else v for k, v in said.items()}
        headers = {"idempotency-key": f"{login}-{method}-{path.partition('?')[0]}"}
        return seats[login].client.request(method, path, json=body, headers=headers)

    return ask


def _may(route: str) -> frozenset[Role]:
    who = ROUTES[route][0]
    if isinstance(who, Right):
        return frozenset(role for role in Role if who in people.RIGHTS[role])
    return who


def test_every_route_says_who_may(console: Scene) -> None:  # noqa: F811
    program = Program(console.base, made(console.world.office, "reviewer@health")[1])
    with closing(program.client):
        paths = program.get("/openapi.json").json()["paths"]
    there = {f"{m.upper()} {path.removeprefix('/api/v1')}" for path in paths for m in paths[path]}
    assert {_shape(route) for route in there} == {_shape(route) for route in ROUTES}
    assert len(there) == len(ROUTES)


def _shape(route: str) -> str:
    path = route.partition("?")[0]
    return "/".join("*" if part.startswith("{") else part for part in path.split("/"))


def test_what_a_role_may_not_is_refused_or_hidden(console: Scene, desk: Ask) -> None:  # noqa: F811
    logins = {f"{role}@{unit}" for role in Role for unit in ("health", "fire")} | {"bare"}
    for login in sorted(logins):
        desk(login, "GET /me")
    before, faults = _rows(console.world.office), []
    for route, (_, said) in ROUTES.items():
        if route in MINE | {"POST /media"}:
            continue
        barred = {f"{role}@health" for role in Role if role not in _may(route)} | {"bare"}
        if route not in WHOLE:
            barred |= {f"{role}@fire" for role in Role}
        for login in sorted(barred):
            answer = desk(login, route)
            hidden = isinstance(said, str) and (not said or said not in answer.text)
            empty = route == "POST /replies/export" and not answer.text
            if answer.status_code not in (403, 404) and not hidden and not empty:
                faults.append((login, route, answer.status_code, answer.text[:200]))
    assert not faults
    assert _rows(console.world.office) == before, "and nothing is done"


def test_what_a_role_may_is_not_refused(desk: Ask) -> None:
    faults = []
    for route, (_, said) in sorted(ROUTES.items()):  # pages first
        for n, role in enumerate(sorted(_may(route))):
            answer = desk(f"{role}@{HERE[n % 2]}", route)
            seen = not isinstance(said, str) or n or said in answer.text
            gone = (404,) if n and not route.startswith("GET") else ()
            if (
                answer.status_code in (401, 403)
                or answer.status_code >= 500
                or not seen
                or (answer.status_code == 404 and not gone)
            ):
                faults.append((role, route, answer.status_code, answer.text[:200]))
    assert not faults
