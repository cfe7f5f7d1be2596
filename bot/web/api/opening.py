"""The API's own description, OpenAPI 3.1, for holders of a token and for people who are signed in.

What is read has its example in examples.json: real answers, each list cut to its first row
(tests/web/test_api_examples.py holds them to the API and writes them anew).

The one address here that also takes the console's session: it shows nothing of the office.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from bot.web import session
from bot.web.api.door import admitted
from bot.web.api.once import Json
from bot.web.problems import MEDIA_TYPE, Problem

READ: dict[str, Any] = json.loads((Path(__file__).parent / "examples.json").read_text("utf-8"))
WROTE: dict[str, dict[str, Any]] = {
    "/items": {"items": [12]},
    "/items/{item_id}": {"item": 12},
    "/items/{item_id}/post": {"post": 7},
    "/items/{item_id}/take": {"item": 12},
    "/items/{item_id}/skip": {"item": 12},
    "/items/{item_id}/bring-back": {"item": 12},
    "/items/{item_id}/call-back": {"item": 12},
    "/items/{item_id}/return": {"item": 12},
    "/posts": {"post": 7},
    "/posts/{post_id}": {"post": 7, "version": 2},
    "/posts/preview": {
        "parts": [
            {
                "account": "board",
                "part": 0,
                "count": 14,
                "limit": 2000,
                "payload": {"text": "望江路明日 9 时至 12 时停水。"},
                "findings": [],
            }
        ]
    },
    "/posts/{post_id}/submit": {"post": 7, "state": "in_review"},
    "/posts/{post_id}/close": {"post": 7, "state": "closed"},
    "/posts/{post_id}/withdraw": {"post": 8},
    "/posts/{post_id}/correct": {"post": 8},
    "/posts/{post_id}/move": {
        "post": 7,
        "version": 3,
        "deliveries": [5],
        "at": "2026-11-25T15:00:00+08:00",
        "kind": "free",
        "says": ["在签发的时段内，签发继续有效"],
    },
    "/posts/{post_id}/reposts": {"posts": [10, 11]},
    "/posts/{post_id}/reposts/{repost_id}/call-off": {"post": 10, "state": "closed"},
    "/posts/{post_id}/sign": {"post": 7, "state": "approved"},
    "/posts/{post_id}/revoke": {"post": 7, "state": "draft"},
    "/replies/{reply_id}/answer": {"post": 9},
    "/queue/{delivery_id}/cancel": {"delivery": 5, "state": "cancelled"},
    "/queue/{delivery_id}/retry": {"delivery": 5, "state": "ready"},
    "/queue/{delivery_id}/look": {"delivery": 5, "state": "uncertain"},
    "/queue/{delivery_id}/resolve": {"delivery": 5, "state": "sent"},
    "/duty": {"changed": 1},
    "/standings": {"standing": 2},
    "/standings/{standing_id}/end": {"standing": 2},
    "/standings/{standing_id}/wake": {"standing": 2},
    "/delegations": {"delegation": 1},
    "/delegations/{delegation_id}/end": {"delegation": 1},
    "/schedules/{key}/run": {"occurrence": 40},
    "/schedules/{key}/skip": {"schedule": "daily"},
    "/schedules/{key}/unskip": {"schedule": "daily"},
    "/schedules/{key}/pause": {"schedule": "daily"},
    "/schedules/{key}/resume": {"schedule": "daily"},
    "/sources/{key}/poll": {"source": "notices"},
    "/replies": {"reply": 31},
    "/board/replies/{reply_id}/decide": {"reply": 6, "word": "show"},
    "/media": {"sha256": "0" * 64, "kind": "image/png", "size": 90210, "width": 900, "height": 600},
    "/holds": {"hold": 3, "in_flight": 0},
    "/holds/declare": {"hold": 4},
    "/holds/{hold_id}/let": {"hold": 3, "post": 7},
    "/holds/{hold_id}/lift": {"waiting": 2},
    "/queue/{delivery_id}/back": {"delivery": 5, "state": "ready"},
    "/people": {"person": "sun"},
    "/people/{login}/grant": {"person": "sun", "unit": "county", "role": "editor"},
    "/people/{login}/revoke": {"person": "sun", "unit": "county", "role": "editor"},
    "/people/{login}/sign-out": {"ended": 1},
    "/people/{login}/disable": {"person": "sun"},
    "/people/{login}/enable": {"person": "sun"},
    "/notices/{notice_id}/done": {"notice": 4},
    "/posts/{post_id}/offline": {"post": 7, "state": "approved"},
    "/tokens/{token_id}/end": {"token": 3},
    "/accounts/{key}/pause": {"account": "board", "state": "paused"},
    "/accounts/{key}/activate": {"account": "board", "state": "active"},
    "/accounts/{key}/check": {"account": "board", "state": "active"},
    "/sources/{key}/pause": {"source": "notices"},
    "/sources/{key}/activate": {"source": "notices"},
    "/source/try": {
        "kind": "feed",
        "items": [{"title": "关于做好今冬供暖工作的通知", "link": "https://www.yunlan.example/1"}],
        "problems": [],
        "meta": {},
        "key": "yunlan",
        "config": "[sources.yunlan]\n…",
    },
    "/templates/{key}": {"template": "notice", "digest": "0" * 64},
    "/templates/{key}/preview": {
        "title": "停水通知",
        "parts": [
            {
                "account": "board",
                "part": 0,
                "count": 14,
                "limit": 2000,
                "payload": {"text": "望江路明日 9 时至 12 时停水。"},
                "findings": [],
            }
        ],
    },
    "/rules/try": {"findings": [], "block": 0, "warn": 0, "note": 0},
    "/words": {"digest": "0" * 64},
    "/words/drop": {"digest": "0" * 64},
    "/words/import": {"digest": "0" * 64, "added": 2, "known": 1},
    "/leaders": {"digest": "0" * 64},
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:gongkai:api:conflict"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "for people: what happened, what to do"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "why": {"type": "string"}},
            },
        },
    },
}


def router(of: APIRouter) -> APIRouter:
    """The route that gives the description of another router."""
    made = APIRouter()

    @cache
    def described() -> dict[str, Any]:
        return description(of)

    @made.get("/openapi.json", include_in_schema=False)
    def shown(request: Request) -> Response:
        _let_in(request)
        return Json(described())

    return made


def _let_in(request: Request) -> None:
    """Raises Problem."""
    if request.headers.get("authorization"):
        admitted(request)
        return
    office = request.app.state.office
    cookie = request.cookies.get(session.cookie_name(office.config), "")
    found = session.find(office, cookie, by_person=False) if cookie else None
    if found is None or found.half is not None:
        raise Problem(401, "no-token", "请登录控制台，或给出令牌")


def description(of: APIRouter) -> dict[str, Any]:
    """OpenAPI of a router: every answer that is no success is a problem."""
    app = FastAPI(openapi_url=None)
    app.include_router(of)
    made = get_openapi(title="公开 Gongkai", version="1", routes=app.routes)
    made["components"]["schemas"]["Problem"] = PROBLEM
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for path, operations in made["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {
                "description": "Problem (RFC 9457)",
                "content": {MEDIA_TYPE: schema},
            }
        for method, operation in operations.items():
            short = path.removeprefix("/api/v1")
            _exampled(operation, (READ if method == "get" else WROTE).get(short))
    return made


def _exampled(operation: dict[str, Any], example: dict[str, Any] | None) -> None:
    """What a call answers: an object."""
    for code, answer in operation["responses"].items():
        if code.startswith("2") and example is not None:
            said = {"schema": {"type": "object"}, "example": example}
            answer["content"]["application/json"] = said
