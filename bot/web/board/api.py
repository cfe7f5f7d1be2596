"""The board's API, for the office's own adapter, perhaps from another machine: /board/api/v1.

Every call carries `Authorization: Bearer TOKEN`. Bodies are JSON in UTF-8 unless said otherwise;
instants are ISO 8601 in UTC. Errors are RFC 9457 (application/problem+json) with a `type` of
`urn:gongkai:board:KIND` and Chinese for people in `detail`.

| call | does | answers |
|---|---|---|
| GET /identity | who this board is: `id` never changes, whatever its address | 200 {id, title, url, limits} |
| PUT /media/{sha256} | keeps a picture; the body is its bytes, kept to the bit. Again is the same | 200, 201 {sha256, kind, size, width, height} |
| POST /posts | publishes CONTENT. Needs `Idempotency-Key`, which holds for ever: the same key again gives the same post | 201 made, 200 stood already: POST |
| GET /posts?before=ID&limit=N | own posts, newest first (answers and withdrawn ones too) | {posts, before} |
| GET /posts/{id} · GET /posts/by-key/{key} | one post | POST |
| PUT /posts/{id} | edits: CONTENT stands from now, the former one in the public history | POST |
| DELETE /posts/{id} | withdraws; a tombstone with the time stays. Again is the same | POST |
| GET /posts/{id}/replies?cursor=C&limit=N | public replies in the order they last changed, after C | {replies, cursor, resume, total} |

CONTENT: {text, title, language, link, in_reply_to, media: [{sha256, alt}]}; only `text` is needed.
`in_reply_to` is the id of a reply or of a post; an edit cannot change it.
POST: {id, url, key, at, edited_at, withdrawn_at, versions, content}.
Reply: {id, url, root, parent, name, text, at, edited, removed, why, changed_at}. `root` is the post
it stands under, `parent` what it is to: that post, a reply, an answer. One that was shown and is no
longer stays as a tombstone without words: `removed`, `why` "deleted" (by its writer) or "hidden" (by
a moderator). What was never public is not listed.
`cursor` is null at the end; `resume` is where a later call begins, to see what changed since, and
edits and deletions among it. A cursor from before a restored backup begins anew. `total` counts what
is shown now; under an answer of the office, only what answers that.

Kinds: 400 no-key · 401 no-token · 404 not-found · 410 withdrawn · 413 too-large · 422 invalid,
too-long, too-many, key-reused, media-missing, media-damaged, nothing-to-answer · 503 no-board.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, RowMapping

from bot.language import Say
from bot.media import KINDS, MAX_BYTES, MAX_PIXELS
from bot.office import Office
from bot.web.board import store, views
from bot.web.board.content import ALT, PICTURES, TEXT, TITLE, Content
from bot.web.board.problems import described, guarded
from bot.web.problems import Problem, body_up_to

MOST = 200  # rows of a page

Small = Annotated[bytes, Depends(body_up_to(256 * 1024))]
Large = Annotated[bytes, Depends(body_up_to(MAX_BYTES))]


def router(office: Office) -> APIRouter:
    """The routes, every one behind the token."""
    api = Api(office)
    made = APIRouter(
        prefix="/board/api/v1",
        route_class=guarded(lambda _, problem: described(problem)),
        dependencies=[Depends(api.owner)],
        tags=["board"],
    )
    made.add_api_route("/identity", api.identity, methods=["GET"])
    made.add_api_route("/media/{sha256}", api.upload, methods=["PUT"])
    made.add_api_route("/posts", api.publish, methods=["POST"])
    made.add_api_route("/posts", api.listing, methods=["GET"])
    made.add_api_route("/posts/by-key/{key:path}", api.by_key, methods=["GET"])
    made.add_api_route("/posts/{public_id}", api.post, methods=["GET"])
    made.add_api_route("/posts/{public_id}", api.edit, methods=["PUT"])
    made.add_api_route("/posts/{public_id}", api.withdraw, methods=["DELETE"])
    made.add_api_route("/posts/{public_id}/replies", api.replies, methods=["GET"])
    return made


class Api:
    """The calls; FastAPI runs each in a thread."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.base = f"{office.config.public_url}/board"

    def owner(self, request: Request) -> None:
        """Raises Problem 401 for a call without the board's own token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        with self.office.db.read() as conn:
            known = store.owns(store.board(conn), token.strip())
        if kind.lower() != "bearer" or not known:
            raise Problem(401, "no-token", "令牌不对或已更换")

    def identity(self) -> dict[str, Any]:
        with self.office.db.read() as conn:
            row = store.board(conn)
        limits = {"text": TEXT, "title": TITLE, "alt": ALT, "media": PICTURES}
        more = {"media_bytes": MAX_BYTES, "media_kinds": sorted(KINDS.values())}
        title = self.office.config.board.title
        return {"id": row["identity"], "title": title, "url": self.base, "limits": limits | more}

    def upload(self, sha256: str, body: Large) -> Response:
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Problem(422, "media-damaged", "收到的图片与其摘要不符")
        facts = {**measured(body), "sha256": sha256, "size": len(body)}
        made = not self.office.media.path(sha256).exists()
        self.office.media.write(body)
        with self._write() as (conn, now):
            store.keep_picture(conn, now, facts)
        return JSONResponse(facts, 201 if made else 200)

    def publish(
        self, body: Small, idempotency_key: Annotated[str, Header(max_length=200)] = ""
    ) -> Response:
        if not idempotency_key:
            raise Problem(400, "no-key", "缺少 Idempotency-Key")
        content = Content.taken(body)
        with self._write() as (conn, now):
            row, made = store.publish(conn, now, idempotency_key, content)
        return JSONResponse(self._post(row), 201 if made else 200)

    def listing(self, before: str = "", limit: str = "50") -> dict[str, Any]:
        most = number(limit, 1, MOST)
        with self.office.db.read() as conn:
            rows = store.listing(conn, before, most + 1)
        shown = rows[:most]
        more = shown[-1]["public_id"] if len(rows) > most else None
        return {"posts": [self._post(row) for row in shown], "before": more}

    def post(self, public_id: str) -> dict[str, Any]:
        with self.office.db.read() as conn:
            return self._post(store.by_id(conn, public_id))

    def by_key(self, key: str) -> dict[str, Any]:
        with self.office.db.read() as conn:
            row = store.by_key(conn, key)
        if row is None:
            raise Problem(404, "not-found", "没有以这个 Idempotency-Key 发布的内容")
        return self._post(row)

    def edit(self, public_id: str, body: Small) -> dict[str, Any]:
        content = Content.taken(body)
        with self._write() as (conn, now):
            return self._post(store.edit(conn, now, public_id, content))

    def withdraw(self, public_id: str) -> dict[str, Any]:
        with self._write() as (conn, now):
            return self._post(store.withdraw(conn, now, public_id))

    def replies(self, public_id: str, cursor: str = "", limit: str = "100") -> dict[str, Any]:
        most = number(limit, 1, MOST)
        after = number(cursor or "0", 0, 2**62)
        with self.office.db.read() as conn:
            post = store.by_id(conn, public_id)
            root = views.thread_root(conn, public_id)["public_id"]
            if after > store.board(conn)["changes"]:
                after = 0  # from before a restored backup
            rows = store.replies_after(conn, post, after, most + 1)
            count = store.total(conn, post)
        shown = rows[:most]
        last = str(shown[-1]["change"] if shown else after)
        return {
            "replies": [self._reply(row, root) for row in shown],
            "cursor": last if len(rows) > most else None,
            "resume": last,
            "total": count,
        }

    # ---------------------------------------------------------------- in words

    @contextmanager
    def _write(self) -> Iterator[tuple[Connection, datetime]]:
        with self.office.db.write() as conn:
            yield conn, self.office.db.now(conn)

    def _post(self, row: RowMapping) -> dict[str, Any]:
        return {
            "id": row["public_id"],
            "url": f"{self.base}/p/{row['public_id']}",
            "key": row["key"],
            "at": instant(row["at"]),
            "edited_at": instant(row["edited_at"]),
            "withdrawn_at": instant(row["withdrawn_at"]),
            "versions": len(row["history"] or []) + 1,
            "content": row["payload"],
        }

    def _reply(self, row: RowMapping, root: str) -> dict[str, Any]:
        removed = row["state"] != store.SHOWN
        name = row["public_id"]
        return {
            "id": name,
            "url": f"{self.base}/p/{root}?at={name}#{name}",
            "root": root,
            "parent": row["parent"] or root,
            "name": "" if removed else row["author_name"],
            "text": "" if removed else row["text"],
            "at": instant(row["at"]),
            "edited": row["edited_at"] is not None,
            "removed": removed,
            "why": row["state"] if removed else "",
            "changed_at": instant(row["changed_at"]),
        }


def instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def number(text: str, least: int, most: int) -> int:
    """A number of a query, brought within its bounds. Raises Problem 422 for none."""
    if not text.isdecimal():
        raise Problem(422, "invalid", "{text} 不是数字", text=text[:20])
    return min(max(int(text[:20]), least), most)


def measured(content: bytes) -> dict[str, Any]:
    """Kind and measures of a picture. Raises Problem 422 where it is none that the board shows."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=list(KINDS)) as picture:
            kind, (width, height) = KINDS[str(picture.format)], picture.size
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        raise Problem(422, "invalid", Say("不是能读的图片（JPEG、PNG、GIF、WebP）")) from None
    if width * height > MAX_PIXELS:
        raise Problem(422, "invalid", "图片有 {w}×{h} 像素，太大", w=width, h=height)
    return {"kind": kind, "width": width, "height": height}
