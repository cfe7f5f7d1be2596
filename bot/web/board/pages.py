"""The board as the public reads and answers it: plain pages, no cookie, no script needed.

A visitor's reply is his by a key in an address shown to him once. Nothing of a reader is kept but,
for a day, a salted digest of the address a reply came from (the hourly limit).
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from sqlalchemy import RowMapping

from bot.deliver import holds
from bot.language import current
from bot.office import Office
from bot.web import render
from bot.web.board import feeds, store, views, words
from bot.web.board.content import NAME, REPLY, visitor, visitor_name
from bot.web.board.problems import SAFE, gone, guarded
from bot.web.problems import Problem, body_up_to

IN_FEED = 50
QUERY = 60  # characters of a search
PRIVATE = {"cache-control": "no-store", "x-robots-tag": "noindex"}

Small = Annotated[bytes, Depends(body_up_to(64 * 1024))]


def router(pages: Pages) -> APIRouter:
    """The public routes; HEAD is answered wherever GET is."""
    made = APIRouter(prefix="/board", route_class=guarded(pages.problem), include_in_schema=False)
    for path, page in (
        ("", pages.front),
        ("/search", pages.search),
        ("/screen", pages.screen),
        ("/feed.atom", pages.atom),
        ("/feed.json", pages.json_feed),
        ("/p/{public_id}", pages.thread),
        ("/p/{public_id}/media/{sha256}", pages.media),
        ("/r/{public_id}/{key}", pages.own),
    ):
        made.add_api_route(path, page, methods=["GET", "HEAD"])
    made.add_api_route("/p/{public_id}/replies", pages.reply, methods=["POST"])
    made.add_api_route("/r/{public_id}/{key}", pages.change, methods=["POST"])
    return made


@dataclass(frozen=True)
class Form:
    """The reply form as it was sent, or as it is to be shown."""

    name: str = ""
    text: str = ""
    to: str = ""
    once: str = ""
    trap: str = ""
    act: str = ""
    problem: Problem | None = None

    @classmethod
    def sent(cls, request: Request, body: bytes) -> Form:
        """Raises Problem for a form of another site's, or one that is none."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise Problem(403, "cross-site", "请从本栏页面提交")
        try:
            sent = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
        except ValueError:
            raise Problem(400, "invalid", "表单不完整，请返回后重新提交") from None
        said = {name: values[0] for name, values in sent.items()}
        return cls(
            name=visitor_name(said.get("name", "")),
            text=visitor(said.get("text", "")),
            to=said.get("to", "")[:100],
            once=said.get("once", "")[:100],
            trap=said.get("website", ""),
            act=said.get("act", ""),
        )


class Pages:
    """The pages; FastAPI runs each in a thread."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.config = office.config
        self.base = f"{office.config.public_url}/board"
        self.env = environment(office)

    # ---------------------------------------------------------------- reading

    def front(self, request: Request, before: str = "") -> Response:
        with self.office.db.read() as conn:
            shown = views.front(conn, before)
        return self._html(
            request, "front", "/board", {"before": before}, front=shown, newest=before
        )

    def thread(
        self, request: Request, public_id: str, page: str = "1", at: str = "", to: str = ""
    ) -> Response:
        number = int(page[:6]) if page.isdecimal() else 1
        return self._thread(request, public_id, Form(to=to), page=number, at=at)

    def _thread(
        self, request: Request, public_id: str, form: Form, *, page: int = 1, at: str = ""
    ) -> Response:
        with self.office.db.read() as conn:
            post = store.by_id(conn, public_id)
            shown = views.thread(conn, public_id, page, at or form.to)
        for down in (post, shown.post):
            if down["withdrawn_at"]:
                return self._withdrawn(request, down, shown)
        problem = form.problem
        return self._html(
            request,
            "thread",
            f"/board/p/{public_id}",
            {"page": shown.page if shown.page > 1 else ""},
            status=problem.status if problem else 200,
            headers=problem.headers if problem else {},
            thread=shown,
            form=replace(form, once=secrets.token_urlsafe(16)),
            to_reply=next((r.row for r in shown.replies if r.row["public_id"] == form.to), None),
            named=public_id,
        )

    def _withdrawn(self, request: Request, post: RowMapping, shown: views.Thread) -> Response:
        thread = "" if shown.post["withdrawn_at"] else shown.post["public_id"]
        here = f"/board/p/{post['public_id']}"
        return self._html(request, "withdrawn", here, {}, status=410, post=post, thread=thread)

    def search(self, request: Request, q: str = "") -> Response:
        wanted = visitor(q)[:QUERY]
        with self.office.db.read() as conn:
            found = views.search(conn, wanted)
        return self._html(
            request, "search", "/board/search", {"q": wanted}, found=found, wanted=wanted
        )

    def screen(self, request: Request, n: str = "1", stay: str = "") -> Response:
        """For a lobby's screen: one post in big type, the next one by itself, without scripts."""
        number = int(n[:6]) if n.isdecimal() else 1
        with self.office.db.read() as conn:
            shown = views.screen(conn, number)
        query = {"n": shown.number, "stay": stay[:1]}
        return self._html(request, "screen", "/board/screen", query, shown=shown, stay=bool(stay))

    def media(self, request: Request, public_id: str, sha256: str) -> Response:
        """A picture of a post, as long as the post stands with it."""
        with self.office.db.read() as conn:
            post = store.by_id(conn, public_id)
        shown = {picture["sha256"]: picture for picture in post["payload"]["media"]}
        if post["withdrawn_at"] or sha256 not in shown:
            raise gone("这里没有这张图片")
        if cached := _unchanged(request, sha256):
            return cached
        content = self.office.media.read(sha256)
        return _kept(Response(content, media_type=shown[sha256]["kind"]), sha256)

    def atom(self, request: Request) -> Response:
        board, posts = self._news()
        body = feeds.atom(board, self.config.board.title, self.base, posts)
        return _feed(request, body, "application/atom+xml")

    def json_feed(self, request: Request) -> Response:
        board, posts = self._news()
        body = feeds.json_feed(board, self.config.board.title, self.base, posts)
        return _feed(request, body, "application/feed+json")

    def _news(self) -> tuple[RowMapping, list[RowMapping]]:
        with self.office.db.read() as conn:
            return store.board(conn), list(views.newest(conn, IN_FEED))

    # ---------------------------------------------------------------- answering

    def reply(self, request: Request, public_id: str, body: Small) -> Response:
        form = Form.sent(request, body)
        try:
            row, key = self._take(request, public_id, form)
        except Problem as problem:
            return self._thread(request, public_id, replace(form, problem=problem))
        return _see(request, f"/board/r/{row['public_id']}/{key}")

    def _take(self, request: Request, public_id: str, form: Form) -> tuple[RowMapping, str]:
        if not self.config.board.replies:
            raise Problem(403, "closed", "本栏目前不接收留言")
        self._check(form)
        address = request.client.host if request.client else ""
        draft = store.Draft(form.name, form.text, form.to, form.once, address)
        rules = self.config.board
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            post = views.thread_root(conn, public_id)
            return store.add_reply(
                conn, now, post, draft, moderated=rules.moderate, hourly=rules.replies_per_hour
            )

    def _check(self, form: Form) -> None:
        """Raises Problem for words that cannot be taken."""
        if form.trap:
            raise Problem(422, "trap", "提交中带有不该填写的内容，已清除。请再提交一次")
        if len(form.name) > NAME:
            raise Problem(422, "name", "称呼最多 {n} 字", n=NAME)
        if _folded(form.name) in self._reserved():
            raise Problem(422, "name", "这个称呼留给主办单位，请换一个")
        _check_text(form.text)

    def _reserved(self) -> set[str]:
        named = [unit.name for unit in self.config.units.values()]
        return {_folded(name) for name in (self.config.board.title, *named)}

    def own(self, request: Request, public_id: str, key: str) -> Response:
        return self._own(request, public_id, key)

    def _own(
        self, request: Request, public_id: str, key: str, form: Form | None = None
    ) -> Response:
        with self.office.db.read() as conn:
            row = store.own_reply(conn, public_id, key)
            post = views.post_of(conn, row)
        problem = form.problem if form else None
        standing = row["text"] if row["pending"] is None else row["pending"]
        return self._html(
            request,
            "own",
            f"/board/r/{public_id}/{key}",
            {},
            status=problem.status if problem else 200,
            headers={**PRIVATE, **(problem.headers if problem else {})},
            row=row,
            post=post,
            text=form.text if form else standing,
            problem=problem,
            link=f"{self.base}/r/{public_id}/{key}",
        )

    def change(self, request: Request, public_id: str, key: str, body: Small) -> Response:
        form = Form.sent(request, body)
        try:
            self._changed(public_id, key, form)
        except Problem as problem:
            return self._own(request, public_id, key, replace(form, problem=problem))
        return _see(request, f"/board/r/{public_id}/{key}")

    def _changed(self, public_id: str, key: str, form: Form) -> None:
        if form.act != "delete":
            _check_text(form.text)
        with self.office.db.write() as conn:
            now = self.office.db.now(conn)
            if form.act == "delete":
                store.delete_own(conn, now, public_id, key, erasures=self.office.erasures)
            else:
                moderated = self.config.board.moderate
                store.edit_own(conn, now, public_id, key, form.text, moderated=moderated)

    # ---------------------------------------------------------------- drawing

    def problem(self, request: Request, problem: Problem) -> Response:
        headers, status = {**SAFE, **PRIVATE, **problem.headers}, problem.status
        return self._html(
            request, "problem", "/board", {}, status=status, headers=headers, problem=problem
        )

    def _html(
        self,
        request: Request,
        name: str,
        path: str,
        query: dict[str, Any],
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> Response:
        other = "zh" if current() == "en" else "en"
        body = self.env.get_template(f"board/{name}.html").render(
            to=partial(_address, request),
            here=path,
            other_language=_query(path, {**query, "lang": other}),
            asked=query.get("q", ""),
            grey=self.config.board.grey and self._solemn(),
            **values,
        )
        return HTMLResponse(body, status, headers)

    def _solemn(self) -> bool:
        """Does 肃穆模式 stand for everything?"""
        with self.office.db.read() as conn:
            return any(each.everything for each in holds.standing(conn, solemn=True).groups)


def environment(office: Office) -> Environment:
    """The console's environment with the board's own words."""
    made = render.environment(office)
    config = office.config
    host = next((unit.name for unit in config.units.values() if not unit.parent), "")
    made.globals.update(board=config.board, base=f"{config.public_url}/board", host=host)
    made.globals.update(
        put=words.put,
        zone=partial(words.zone_said, config.zone),
        limits={"text": REPLY, "name": NAME},
    )
    made.filters.update(linked=words.linked, headline=words.headline, clipped=words.clipped)
    made.filters.update(
        instant=datetime.fromisoformat, pubdate=partial(words.pubdate, zone=config.tz)
    )
    made.filters.update(
        as_of=partial(words.as_of, zone=config.tz), offset=partial(words.offset, zone=config.tz)
    )
    made.filters.update(tag=words.language_tag, when=partial(words.when, zone=config.tz))
    return made


def _check_text(text: str) -> None:
    if not text:
        raise Problem(422, "text", "请写下留言内容")
    if len(text) > REPLY:
        raise Problem(422, "text", "留言最多 {n} 字，现超出 {m} 字", n=REPLY, m=len(text) - REPLY)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).replace(" ", "").casefold()


def _query(path: str, params: dict[str, Any]) -> str:
    kept = {name: value for name, value in params.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def _address(request: Request, path: str, **params: Any) -> str:
    """An address of the board's in the language the reader asked for."""
    return _query(path, {**params, "lang": request.query_params.get("lang", "")})


def _see(request: Request, path: str) -> Response:
    return RedirectResponse(_address(request, path), 303, PRIVATE)


def _feed(request: Request, body: bytes, kind: str) -> Response:
    digest = hashlib.sha256(body).hexdigest()
    return _unchanged(request, digest) or _kept(Response(body, media_type=kind), digest)


def _unchanged(request: Request, digest: str) -> Response | None:
    if request.headers.get("if-none-match", "") == f'"{digest}"':
        return _kept(Response(status_code=304), digest)
    return None


def _kept(made: Response, digest: str) -> Response:
    """May be kept by a cache, but asked about each time: a withdrawn post is gone at once."""
    made.headers.update({"etag": f'"{digest}"', "cache-control": "public, no-cache"})
    return made
