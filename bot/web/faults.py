"""Errors as pages for people: what happened, where, what to do; never a traceback."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from bot.errors import (
    AdapterError,
    ConfigError,
    Conflict,
    GongkaiError,
    Invalid,
    NotAllowed,
    NotFound,
)
from bot.language import Say, _
from bot.web import kept, problems, refusals
from bot.web.problems import Problem
from bot.web.session import Throttled
from bot.web.visit import BY_ITSELF, Elsewhere, NotDone, bare

STATUS: tuple[tuple[type[GongkaiError], int], ...] = (
    (NotAllowed, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (ConfigError, 409),
    (Throttled, 429),
    (AdapterError, 502),
)
KINDS = {  # the ends of the API's problem types
    400: "bad-request",
    401: "no-token",
    403: "not-allowed",
    404: "not-found",
    405: "no-such-method",
    409: "conflict",
    413: "too-large",
    422: "invalid",
    429: "too-often",
    502: "platform",
    503: "busy",
    507: "disk-full",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
TITLES = {
    400: Say("请求有误"),
    401: Say("没有登录"),
    403: Say("不能办理"),
    404: Say("没有找到"),
    405: Say("不能这样办理"),
    409: Say("内容已有变动"),
    413: Say("文件太大"),
    422: Say("填写有误"),
    429: Say("请稍候再试"),
    500: Say("系统出错"),
    502: Say("平台没有办成"),
    503: Say("请稍候再试"),
    507: Say("磁盘已满"),
}
SENTENCES = {
    400: Say("提交的内容看不懂，没有办理。请返回后重新提交"),
    503: Say("数据库暂时没有应答，这一步没有办成。请稍候再试；编号 {reference}"),
    507: Say("系统暂时存不下，这一步没有办成。请管理员给磁盘腾出空间；编号 {reference}"),
    404: Say("没有这个页面，或您看不到它"),
    405: Say("这个地址不能这样访问。请从页面上的按钮办理"),
    413: Say("提交的内容超过 25 MB，没有办理。请压缩图片后再试"),
    500: Say("系统出错，这一步没有办成，已记录，编号 {reference}"),
}
TO_PROGRAMS = {
    404: Say("没有这个地址；有哪些见 /api/v1/openapi.json"),
    405: Say("这个地址没有这个方法；有哪些见 Allow 头"),
}


def install(app: FastAPI) -> None:
    """Teach the application to answer errors."""
    app.add_exception_handler(Elsewhere, elsewhere)
    app.add_exception_handler(NotDone, not_done)
    app.add_exception_handler(Problem, told)
    app.add_exception_handler(GongkaiError, explained)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, malformed)


def status_of(error: GongkaiError) -> int:
    return next((code for kind, code in STATUS if isinstance(error, kind)), 400)


async def elsewhere(request: Request, error: Exception) -> Response:
    """To the login, or another page; the top bar's own question is answered where it stands."""
    assert isinstance(error, Elsewhere)
    if request.url.path in BY_ITSELF:
        return bare(request, "expired.html", 200 if request.url.path == BY_ITSELF[0] else 204)
    return RedirectResponse(error.place, 303)


async def not_done(request: Request, error: Exception) -> Response:
    """What was typed goes with the login, or waits to be sent again."""
    assert isinstance(error, NotDone)
    held = kept.of(request, error.form)
    if error.session is None:
        said = _("登录已过期，没有办理。填写的内容都在，登录后可再提交")
        return bare(request, "login.html", 401, next="/", login="", error=said, kept=held.json())
    return bare(request, "again.html", 403, kept=held, csrf=error.session.csrf)


async def told(request: Request, error: Exception) -> Response:
    """What the API itself refuses."""
    assert isinstance(error, Problem)
    return problems.described(error, "api", str(TITLES.get(error.status, TITLES[400])))


async def explained(request: Request, error: Exception) -> Response:
    assert isinstance(error, GongkaiError)
    status = status_of(error)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Throttled) else {}
    return await run_in_threadpool(shown, request, status, str(error), headers, error)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences, status = SENTENCES | (TO_PROGRAMS if of_api(request) else {}), error.status_code
    sentence, headers = str(sentences.get(status, error.detail)), dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(allowed(request))
    return await run_in_threadpool(shown, request, status, sentence, headers)


def allowed(request: Request) -> list[str]:
    """The methods of an address, whichever routes they stand in; the framework names one route's."""
    return [method for method in METHODS if _reached(request, method)]


def _reached(request: Request, method: str) -> bool:
    asked = {**request.scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


async def malformed(request: Request, error: Exception) -> Response:
    """An address or form FastAPI itself could not read: the fields by name, never their values."""
    assert isinstance(error, RequestValidationError)
    if of_api(request):
        return await told(request, unread(error))
    if all(each["loc"][0] == "path" for each in error.errors()):  # a number that is none
        return await run_in_threadpool(shown, request, 404, str(SENTENCES[404]))
    names = _("、").join(str(e["loc"][-1]) for e in error.errors())
    return await run_in_threadpool(shown, request, 422, str(Say("看不懂：{names}", names=names)))


def unread(error: RequestValidationError) -> Problem:
    """What of a call could not be taken: where, and why by pydantic's own word for it."""
    found = [
        {"where": "/".join(map(str, each["loc"])), "why": each["type"]} for each in error.errors()
    ]
    if any(each["where"].lower() == "header/idempotency-key" for each in found):
        return Problem(400, "no-key", "缺少 Idempotency-Key，或它不是 1 至 200 个 ASCII 字符")
    names = _("、").join(each["where"] for each in found)
    return Problem(422, "invalid", "看不懂：{names}", names=names, more={"errors": found})


def fault(request: Request, status: int, reference: str) -> Response:
    """The last net's page (bot.web.shield)."""
    return shown(request, status, str(Say(SENTENCES[status].text, reference=reference)))


def shown(
    request: Request,
    status: int,
    sentence: str,
    headers: dict[str, str] | None = None,
    error: GongkaiError | None = None,
) -> Response:
    """The page of an error, or its JSON for a program."""
    title = str(TITLES.get(status, TITLES[400]))
    if of_api(request):
        kind = f"{'board' if refusals.of_board(request) else 'api'}:{KINDS.get(status, 'fault')}"
        return problems.answer(kind, status, title, sentence, headers)
    if wants_json(request):
        body = {"error": {"status": status, "title": title, "message": sentence}}
        return JSONResponse(body, status, headers=headers)
    draw = refusals.for_public if refusals.of_board(request) else refusals.page
    answer = draw(request, status, title, sentence, error)
    answer.headers.update(headers or {})
    return answer


def of_api(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/board/api/"))


def wants_json(request: Request) -> bool:
    if request.url.path.startswith("/health/"):
        return True
    return request.headers.get("accept", "").startswith("application/json")
