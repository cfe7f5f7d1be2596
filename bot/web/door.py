"""The door: signing in and out, the own password, the own sessions, the language."""

from __future__ import annotations

from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot import language
from bot.errors import GongkaiError, NotAllowed
from bot.language import _
from bot.web import session
from bot.web.kept import parse
from bot.web.shield import LANGUAGE_COOKIE
from bot.web.visit import Signed, bare, cookie, go, local, origin, plain, same_site

router = APIRouter()
CHECKS = 2  # password checks at once: each takes 64 MB


def limiter(request: Request) -> CapacityLimiter:
    """One for the application, made on its own loop."""
    state = request.app.state
    if not hasattr(state, "password_checks"):
        state.password_checks = CapacityLimiter(CHECKS)
    return state.password_checks  # type: ignore[no-any-return]


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:
    return bare(request, "login.html", next=local(next) or "/", login="", error="", kept="")


@router.post("/login")
async def login(
    request: Request,
    login: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/",
    kept: Annotated[str, Form()] = "",
) -> Response:
    """A wrong name and a wrong password get one answer, in one time.

    `kept`: a form that came after its session had ended, to be offered again.
    """
    page = {"next": local(next) or "/", "login": plain(login).strip(), "kept": kept}
    if not same_site(request):
        raise NotAllowed("这个请求不是从本系统的页面发出的，没有办理")
    try:
        token = await to_thread.run_sync(
            _enter, request, page["login"], password, limiter=limiter(request)
        )
    except session.Throttled as error:
        answer = bare(request, "login.html", 429, **page, error=str(error))
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    if not token:
        return bare(request, "login.html", 403, **page, error=_("登录名或密码不对"))
    return await to_thread.run_sync(_entered, request, page, token)


def _entered(request: Request, page: dict[str, str], token: str) -> Response:
    """On to the page asked for, or to the form that was kept."""
    office, held = request.app.state.office, parse(page["kept"])
    opened = session.find(office, token)
    if held is None or opened is None or opened.must_change:
        return cookie(go(page["next"]), office, token)
    return cookie(bare(request, "again.html", kept=held, csrf=opened.csrf), office, token)


def _enter(request: Request, login: str, password: str) -> str:
    """The new session's token; empty where the name or the password is wrong."""
    office, address = request.app.state.office, origin(request)
    booked, person = session.attempt(office, login, address)
    if not session.proven(person, password) or person is None:
        return ""
    before = request.cookies.get(session.cookie_name(office.config), "")
    return session.admit(office, booked, person, address, before)


@router.post("/logout")
def logout(visit: Signed) -> Response:
    with visit.office.db.write() as conn:
        session.end(conn, visit.office.db.now(conn), visit.actor, visit.session.id)
    return cookie(go("/login"), visit.office, "")


@router.get("/password")
def password_page(visit: Signed) -> Response:
    return visit.page("password.html", error="")


@router.post("/password")
async def password(visit: Signed) -> Response:
    """A new password; every other session of this person ends."""
    old, new, again = (visit.form.get(name, "") for name in ("old", "new", "again"))
    arguments = (visit.office, visit.session, origin(visit.request), str(old), str(new), str(again))
    try:
        token = await to_thread.run_sync(
            session.change_password, *arguments, limiter=limiter(visit.request)
        )
    except GongkaiError as error:
        said = str(error)
        return await to_thread.run_sync(lambda: visit.page("password.html", 422, error=said))
    return cookie(go("/"), visit.office, token)


@router.get("/me")
def me(visit: Signed) -> Response:
    with visit.office.db.read() as conn:
        rows = session.own(conn, visit.office.db.now(conn), visit.session.person)
    return visit.page("me.html", sessions=rows)


@router.post("/me/sessions/end")
def end_session(visit: Signed) -> Response:
    """End one own session, or (`others`) all but this one."""
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        chosen = [visit.field("session")]
        if visit.field("others"):
            rows = session.own(conn, now, visit.session.person)
            chosen = [row["id"] for row in rows if row["id"] != visit.session.id]
        for each in chosen:
            session.end(conn, now, visit.actor, each)
    return go("/me")


@router.post("/language")
def choose(
    request: Request,
    language_: Annotated[str, Form(alias="language")],
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Remember the language this browser reads; no session is needed, nothing else changes."""
    answer = go(local(back) or "/")
    if language_ in language.LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE, language_, max_age=365 * 86400, httponly=True, samesite="lax"
        )
    return answer
