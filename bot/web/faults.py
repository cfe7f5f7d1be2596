"""Errors as pages for people: what happened, where, what to do; never a traceback."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.errors import AdapterError, Conflict, GongkaiError, Invalid, NotAllowed, NotFound
from bot.language import Say, _
from bot.web import kept
from bot.web.session import Throttled
from bot.web.visit import BY_ITSELF, Elsewhere, NotDone, bare, local

STATUS: tuple[tuple[type[GongkaiError], int], ...] = (
    (NotAllowed, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (Throttled, 429),
    (AdapterError, 502),
)
TITLES = {
    400: Say("请求有误"),
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
    507: Say("磁盘已满，这一步没有存下。请告诉管理员腾出空间；编号 {reference}"),
    404: Say("没有这个页面，或您看不到它。请从左侧导航进入"),
    405: Say("这个地址不能这样访问。请从页面上的按钮办理"),
    413: Say("提交的内容超过 25 MB，没有办理。请压缩图片后再试"),
    500: Say("系统出错，这一步没有办成，已记录。请把编号 {reference} 告诉管理员"),
}


def install(app: FastAPI) -> None:
    """Teach the application to answer errors."""
    app.add_exception_handler(Elsewhere, elsewhere)
    app.add_exception_handler(NotDone, not_done)
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


async def explained(request: Request, error: Exception) -> Response:
    assert isinstance(error, GongkaiError)
    status = status_of(error)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Throttled) else {}
    raw = error.raw if isinstance(error, AdapterError) else ""
    return await run_in_threadpool(shown, request, status, str(error), raw, headers)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = str(SENTENCES.get(error.status_code, error.detail))
    return await run_in_threadpool(shown, request, error.status_code, sentence)


async def malformed(request: Request, error: Exception) -> Response:
    """An address or form FastAPI itself could not read: the fields by name, never their values."""
    assert isinstance(error, RequestValidationError)
    names = _("、").join(str(e["loc"][-1]) for e in error.errors())
    return await run_in_threadpool(shown, request, 422, str(Say("看不懂：{names}", names=names)))


def fault(request: Request, status: int, reference: str) -> Response:
    """The last net's page (bot.web.shield)."""
    return shown(request, status, str(Say(SENTENCES[status].text, reference=reference)))


def shown(
    request: Request,
    status: int,
    sentence: str,
    raw: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    """The page of an error, or its JSON for a program."""
    title = str(TITLES.get(status, TITLES[400]))
    if wants_json(request):
        body = {"error": {"status": status, "title": title, "message": sentence}}
        return JSONResponse(body, status, headers=headers)
    back = local(request.headers.get("referer", "").removeprefix(str(request.base_url)[:-1])) or "/"
    answer = bare(request, "error.html", status, title=title, sentence=sentence, raw=raw, back=back)
    answer.headers.update(headers or {})
    return answer


def wants_json(request: Request) -> bool:
    if request.url.path.startswith(("/api/", "/health/")):
        return True
    return request.headers.get("accept", "").startswith("application/json")
