"""The door: signing in and out, codes, the own password, the own sessions, the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot import language, review, roster, second
from bot.errors import GongkaiError, Invalid, NotAllowed
from bot.language import Say, _
from bot.web import session
from bot.web.kept import parse
from bot.web.session import Session
from bot.web.shield import LANGUAGE_COOKIE
from bot.web.visit import Signed, Visit, bare, cookie, go, local, origin, plain, same_site

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
    """Who comes with the cookie of a session that stands no longer is told so."""
    office = request.app.state.office
    token = request.cookies.get(session.cookie_name(office.config), "")
    over = bool(token) and session.find(office, token, by_person=False) is None
    page = {"next": local(next) or "/", "login": "", "error": "", "kept": ""}
    return bare(request, "login.html", 200, over=over, **page)


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
    if opened is not None and opened.half is not None:
        return cookie(_ask(request, page), office, token)
    if held is None or opened is None or opened.must_change or opened.must_enrol:
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


def _ask(request: Request, page: dict[str, str], status: int = 200, error: str = "") -> Response:
    where = {"next": page["next"], "kept": page["kept"]}
    return bare(request, "code.html", status, **where, error=error)


def _half(request: Request) -> Session | None:
    """The half session this browser has, its code still owed."""
    office = request.app.state.office
    token = request.cookies.get(session.cookie_name(office.config), "")
    found = session.find(office, token) if token else None
    return found if found is not None and found.half is not None else None


@router.get("/login/code")
def code_page(request: Request) -> Response:
    if _half(request) is None:
        return go("/login")
    return _ask(request, {"next": "/", "kept": ""})


@router.post("/login/code")
def code(
    request: Request,
    code: Annotated[str, Form(max_length=100)],
    next: Annotated[str, Form()] = "/",
    kept: Annotated[str, Form()] = "",
) -> Response:
    """The second factor: a code from the authenticator, or a recovery code."""
    page = {"next": local(next) or "/", "kept": kept}
    if not same_site(request):
        raise NotAllowed("这个请求不是从本系统的页面发出的，没有办理")
    half = _half(request)
    if half is None:
        error = _("登录已过期，请重新登录")
        return bare(request, "login.html", 401, **page, login="", error=error)
    try:
        token = session.complete(request.app.state.office, half, origin(request), plain(code))
    except session.Throttled as error:
        answer = _ask(request, page, 429, str(error))
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    except NotAllowed as error:
        return _ask(request, page, 403, str(error))
    return _entered(request, page, token)


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
        rows = roster.open_sessions(conn, visit.office.db.now(conn), visit.session.person)
        own = roster.factor(conn, visit.session.person)
        named = review.delegations_of(conn, visit.office.db.now(conn), visit.session.person)
    return visit.page("me.html", sessions=rows, factor=own, delegations=named)


@router.post("/me/sessions/end")
def end_session(visit: Signed) -> Response:
    """End one own session, or (`others`) all but this one."""
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        chosen = [visit.field("session")]
        if visit.field("others"):
            rows = roster.open_sessions(conn, now, visit.session.person)
            chosen = [row["id"] for row in rows if row["id"] != visit.session.id]
        for each in chosen:
            session.end(conn, now, visit.actor, each)
    return go("/me")


# ---------------------------------------------------------------- the own second factor


def _factor(visit: Visit, status: int = 200, **more: Any) -> Response:
    office = visit.office
    with office.db.read() as conn:
        secret = second.waiting(conn, office.secrets, visit.actor)
        found = {
            "factor": roster.factor(conn, visit.session.person),
            "demanded": second.wanted(conn, office.config, visit.session.person),
            "secret": secret,
            "uri": second.uri(secret, office.config.board.title, visit.session.login),
        }
    return visit.page("factor.html", status, **found, **{"error": "", "codes": (), **more})


@router.get("/me/code")
def factor_page(visit: Signed) -> Response:
    return _factor(visit)


@router.post("/me/code")
def change_factor(visit: Signed) -> Response:
    """begin, confirm, renew (the recovery codes), drop. Recovery codes are shown on the answer."""
    name = visit.field("act")
    if name not in FACTOR:
        raise Invalid("请从页面上的按钮办理")
    try:
        codes = FACTOR[name](visit)
    except (NotAllowed, Invalid) as error:
        return _factor(visit, 403 if isinstance(error, NotAllowed) else 422, error=str(error))
    return _factor(visit, codes=codes) if codes else go("/me/code")


def _begin(visit: Visit) -> None:
    with visit.office.db.write() as conn:
        second.begin(conn, visit.office.secrets, visit.actor)


def _confirm(visit: Visit) -> list[str]:
    said, office = visit.field("code", need=str(Say("动态口令"))), visit.office
    with office.db.write() as conn:
        now = office.db.now(conn)
        return second.confirm(conn, office.secrets, now, visit.actor, said, visit.session.id)


def _renew(visit: Visit) -> list[str]:
    session.prove(visit.office, visit.session, origin(visit.request), visit.field("code"))
    with visit.office.db.write() as conn:
        return second.renew(conn, visit.office.db.now(conn), visit.actor)


def _drop(visit: Visit) -> None:
    session.prove(visit.office, visit.session, origin(visit.request), visit.field("code"))
    with visit.office.db.write() as conn:
        second.drop(conn, visit.office.db.now(conn), visit.office.config, visit.actor)


FACTOR: dict[str, Callable[[Visit], list[str] | None]] = {
    "begin": _begin,
    "confirm": _confirm,
    "renew": _renew,
    "drop": _drop,
}


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
