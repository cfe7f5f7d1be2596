"""What a page's handler is given: the office, who asks, what was asked, and how to answer.

`Signed` is the dependency of every page of the console. It finds the session, sends those without
one to the login page, keeps a one-time password to the page that changes it, asks for a second
factor, and lets a form in only from our own pages with this session's token.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from bot.errors import Conflict, GongkaiError, Invalid, NotAllowed
from bot.export import KINDS
from bot.language import Say
from bot.model import Actor
from bot.office import Office
from bot.web import session, shell
from bot.web.session import Session

SAFE = ("GET", "HEAD", "OPTIONS")
OPEN_TO_NEW = ("/password", "/logout", "/language")  # while the one-time password stands
OPEN_TO_BARE = ("/me/code", "/logout", "/language")  # while the second factor is missing
# A page asks: keeps no session alive.
BY_ITSELF = ("/pulse", "/queue/news", "/replies/news", "/writing/beside")


class Elsewhere(Exception):
    """Not here: the reader is sent to `place`."""

    def __init__(self, place: str) -> None:
        self.place = place


class NotDone(Exception):
    """A form of ours without a session, or with another session's token; nothing was done."""

    def __init__(self, form: FormData, session: Session | None) -> None:
        self.form, self.session = form, session


@dataclass(frozen=True)
class Amiss:
    """A form that could not be taken: its button, why, and what was typed. `stale`: because of what
    changed meanwhile."""

    act: str
    say: str
    stale: bool
    typed: Mapping[str, str]


@dataclass(frozen=True)
class Visit:
    """One request of a person who is signed in."""

    office: Office
    request: Request
    session: Session
    form: FormData

    @property
    def actor(self) -> Actor:
        return self.session.actor(origin(self.request))

    @property
    def params(self) -> dict[str, str]:
        """What the address asks for; the last of a name wins."""
        return {name: plain(value) for name, value in self.request.query_params.items()}

    def field(self, name: str, *, need: str = "") -> str:
        """A field of the form, trimmed. Raises Invalid naming it where `need` says its label."""
        value = self.form.get(name, "")
        value = plain(value).strip() if isinstance(value, str) else ""
        if need and not value:
            raise Invalid("请填写“{label}”", label=need)
        return value

    def fields(self, name: str) -> list[str]:
        return [plain(v) for v in self.form.getlist(name) if isinstance(v, str)]

    def number(self, name: str) -> int:
        return whole(self.field(name))

    def file(self, name: str) -> UploadFile | None:
        """An uploaded file; None where none was chosen."""
        value = self.form.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def files(self, name: str) -> list[UploadFile]:
        """All files uploaded under one name."""
        values = self.form.getlist(name)
        return [each for each in values if isinstance(each, UploadFile) and each.filename]

    def amiss(self, error: GongkaiError) -> Amiss:
        """For the page of a form that could not be taken, which draws it again."""
        typed = {name: self.field(name) for name in self.form if name != "csrf"}
        return Amiss(self.field("act"), str(error), isinstance(error, Conflict), typed)

    def done(self, said: Mapping[str, Say]) -> Say | None:
        """What is said of the act that led here (`done` in the address); None for any other word."""
        return said.get(self.params.get("done", ""))

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of the console in its frame."""
        env = self.request.app.state.templates
        frame = shell.frame(self.office, self.actor, self.request.url.path)
        body = env.get_template(template).render(
            frame=frame, me=self.session, csrf=self.session.csrf, params=self.params,
            path=self.request.url.path, **values,
        )  # fmt: skip
        return HTMLResponse(body, status)

    @property
    def swaps(self) -> bool:
        """Did a script ask, which takes pieces of the answer into the page that stands?"""
        return self.request.headers.get("hx-request") == "true"

    def pieces(self, template: str, status: int = 200, **values: Any) -> Response:
        """What `page` draws, without its frame: for a script that takes pieces of it."""
        env = self.request.app.state.templates
        body = env.get_template(template).render(
            around="pieces.html", me=self.session, csrf=self.session.csrf, params=self.params,
            path=self.request.url.path, **values,
        )  # fmt: skip
        return HTMLResponse(body, status)

    def news(self, count: int, place: str) -> Response:
        """“有 3 条新的，显示”, or nothing to say: a list never moves under the reader's eyes."""
        return bare(self.request, "news.html", 200 if count else 204, count=count, place=place)

    def back(self, default: str) -> Response:
        """After an act: the page the form names in `back`, else `default`."""
        return go(local(self.field("back")) or default)


def go(place: str) -> Response:
    """To another page, by GET."""
    return RedirectResponse(place, 303)


AS_FILE = {kind: {"schema": {"type": "string"}, "example": "…"} for kind in KINDS.values()}


def download(file: IO[bytes], name: str, kind: str) -> Response:
    """One of bot.export.KINDS to be saved as `name`; the file is closed when it is through."""
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"'}
    return StreamingResponse(_chunks(file), media_type=KINDS[kind], headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(64 * 1024):
            yield chunk


def plain(value: str) -> str:
    """Text without what no database keeps."""
    return value.replace("\0", "")


def whole(value: str) -> int:
    """A whole number from an address or a form. Raises Invalid."""
    if not value.isascii() or not value.isdigit() or len(value) > 15:
        raise Invalid("“{value}”不是编号", value=value[:20])
    return int(value)


def local(place: str) -> str:
    """`place` where it is a path of this console, else empty: an open door leads nowhere else."""
    parts = urlsplit(place) if place.isprintable() else None
    inside = place.startswith("/") and not place.startswith("//") and "\\" not in place
    return place if parts and inside and not (parts.scheme or parts.netloc) else ""


def origin(request: Request) -> str:
    """The address the request came from."""
    return request.client.host if request.client else ""


def same_site(request: Request) -> bool:
    """Did one of our own pages send this? Browsers say so by themselves, forms cannot forge it."""
    if site := request.headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    said = request.headers.get("origin") or request.headers.get("referer")
    return said is None or urlsplit(said).netloc in own_hosts(request)


def own_hosts(request: Request) -> tuple[str, str]:
    return request.url.netloc, urlsplit(request.app.state.office.config.public_url).netloc


async def signed(request: Request) -> AsyncIterator[Visit]:
    """The dependency. Raises Elsewhere (login, one-time password), NotAllowed (a foreign form),
    NotDone (one of ours, but of no session or another one)."""
    office: Office = request.app.state.office
    if request.method not in SAFE and not same_site(request):
        raise NotAllowed("这个请求不是从本系统的页面发出的，没有办理")
    by_person = request.url.path not in BY_ITSELF
    found = await run_in_threadpool(_found, request, by_person)
    if found is None and (request.method in SAFE or too_large(request)):
        raise Elsewhere(f"/login?next={quote(wanted(request))}")
    if found is not None:
        first_things_first(found, request.url.path)
    async with request.form(max_files=10, max_fields=2000) as form:
        if found is None or not (request.method in SAFE or tokens_match(request, form, found.csrf)):
            raise NotDone(form, found)
        yield Visit(office, request, found, form)


def _found(request: Request, by_person: bool) -> Session | None:
    """The session whose cookie came with the request."""
    office: Office = request.app.state.office
    token = request.cookies.get(session.cookie_name(office.config), "")
    return session.find(office, token, by_person) if token else None


def opened(request: Request) -> Session | None:
    """The session of who is wholly signed in, for an error's page; nothing of it is remembered."""
    found = _found(request, by_person=False)
    owes = found is None or found.half is not None or found.must_change or found.must_enrol
    return None if owes else found


def first_things_first(found: Session, path: str) -> None:
    """A code that is owed, a one-time password, a missing second factor: nothing comes before it.

    Raises Elsewhere.
    """
    if found.half is not None:
        raise Elsewhere("/login/code")
    if found.must_change and path not in OPEN_TO_NEW:
        raise Elsewhere("/password")
    if found.must_enrol and not found.must_change and path not in OPEN_TO_BARE:
        raise Elsewhere("/me/code")


def too_large(request: Request) -> bool:
    """A stranger's form is read only where it is small."""
    said = request.headers.get("content-length", "")
    return not said.isdigit() or int(said) > 1024 * 1024


def wanted(request: Request) -> str:
    """Where to go after the login: the page asked for, or the one its form stood on."""
    if request.method in SAFE:
        return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return local(urlsplit(request.headers.get("referer", "")).path) or "/"


def tokens_match(request: Request, form: FormData, csrf: str) -> bool:
    """Does the form carry this session's token?"""
    sent = form.get("csrf") or request.headers.get("x-csrf", "")
    return isinstance(sent, str) and secrets.compare_digest(sent.encode(), csrf.encode())


Signed = Annotated[Visit, Depends(signed)]
Id = Annotated[int, Path(ge=0, le=10**15)]


def bare(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page outside the frame: login, and errors met before one."""
    env = request.app.state.templates
    body = env.get_template(template).render(path=request.url.path, **values)
    return HTMLResponse("" if status == 204 else body, status)


def cookie(response: Response, office: Office, value: str) -> Response:
    """The session's cookie: for this site, out of scripts' reach, until the browser closes."""
    name, safe = session.cookie_name(office.config), session.secure(office.config)
    if value:
        response.set_cookie(name, value, httponly=True, samesite="lax", secure=safe, path="/")
    else:
        response.delete_cookie(name, httponly=True, samesite="lax", secure=safe, path="/")
    return response
