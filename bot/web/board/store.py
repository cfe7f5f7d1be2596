"""The board's rows: who may write there, what stands, and the order in which replies changed.

Every public change of a reply (shown, edited, hidden, deleted) takes the next number of one
counter, whose row stays locked until the change is committed. So the numbers become visible in
their order, whatever the clock does, and a reader who asks for all after number n misses none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, select, update

from bot import collect
from bot import erasures as away
from bot.db import (
    board_posts,
    board_replies,
    boards,
    insert_id,
    insert_missing,
    lock,
    moderators_turn,
)
from bot.db import media as pictures
from bot.erasures import blank, note_of_board, set_board_reply
from bot.errors import Conflict, NotFound
from bot.media import KINDS
from bot.web.board.content import Content
from bot.web.board.problems import gone
from bot.web.problems import Problem

WAITING = "waiting"
SHOWN, HIDDEN, DELETED = away.SHOWN, away.HIDDEN, away.DELETED
ORIGINS_KEPT = timedelta(days=1)
EDITS_APART = timedelta(seconds=5)
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is mistaken for another when read aloud
_PERMALINK = re.compile(rf"/board/p/(g[{_LETTERS}]{{10}})")


def _name(prefix: str) -> str:
    """A new public id; the letter before it lets it serve as an anchor in a page."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(10))


def _sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# ---------------------------------------------------------------- the board and its token


def ensure_board(conn: Connection, now: datetime) -> str | None:
    """Make the board where none stands and give its token, once; None where one stands.

    Only the token's digest is kept, so the caller seals the token into the account in this very
    transaction: a crash in between leaves neither.
    """
    token = secrets.token_urlsafe(32)
    row = {"id": 1, "identity": str(uuid.uuid4()), "token": _sha(token), "created_at": now}
    insert_missing(conn, boards, [{**row, "salt": secrets.token_hex(32)}])
    stands = conn.execute(select(boards.c.token).where(boards.c.id == 1)).scalar_one()
    return token if stands == row["token"] else None


def renew_token(conn: Connection) -> str:
    """A new token in place of the one that was lost or seen; its identity stays."""
    token = secrets.token_urlsafe(32)
    conn.execute(update(boards).values(token=_sha(token)))
    return token


def board(conn: Connection) -> RowMapping:
    """The board's own row. Raises Problem 503 where it was never made."""
    row = conn.execute(select(boards)).mappings().first()
    if row is None:
        raise Problem(503, "no-board", "公开栏尚未启用", after=60)
    return row


def owns(row: RowMapping, token: str) -> bool:
    return hmac.compare_digest(row["token"], _sha(token))


# ---------------------------------------------------------------- the office's posts


def by_id(conn: Connection, public_id: str) -> RowMapping:
    """Raises Problem 404."""
    return _one_post(conn, board_posts.c.public_id == public_id)


def by_key(conn: Connection, key: str) -> RowMapping | None:
    return conn.execute(select(board_posts).where(board_posts.c.key == key)).mappings().first()


def _one_post(conn: Connection, which: Any) -> RowMapping:
    row = conn.execute(select(board_posts).where(which)).mappings().first()
    if row is None:
        raise gone("公开栏上没有这条内容")
    return row


def publish(conn: Connection, now: datetime, key: str, content: Content) -> tuple[RowMapping, bool]:
    """The post under `key`, and whether this call made it. The key decides, race or none.

    Raises Problem 422 when the key stands for other content, or `content` cannot be shown.
    """
    row = by_key(conn, key)
    made = row is None
    if row is None:
        values = _placed(conn, now, content)
        insert_missing(conn, board_posts, [{**values, "key": key}])
        row = _one_post(conn, board_posts.c.key == key)
        made = row["public_id"] == values["public_id"]
    if row["digest"] != content.digest:
        raise Problem(422, "key-reused", "这个 Idempotency-Key 已用于另一份内容")
    return row, made


def _placed(conn: Connection, now: datetime, content: Content) -> dict[str, Any]:
    return {
        "public_id": _name("g"),
        "digest": content.digest,
        "root_id": _root(conn, content.in_reply_to),
        "in_reply_to": content.in_reply_to,
        "at": now,
        "history": [],
        **_standing(conn, content),
    }


def _standing(conn: Connection, content: Content) -> dict[str, Any]:
    """The columns that say what is shown now, each picture with its kind and measures."""
    shas = [picture.sha256 for picture in content.media]
    mine = pictures.c.sha256.in_(shas), pictures.c.kind.in_(KINDS.values())
    known = {
        row["sha256"]: {k: row[k] for k in ("kind", "size", "width", "height")}
        for row in conn.execute(select(pictures).where(*mine)).mappings()
    }
    if missing := [sha for sha in shas if sha not in known]:
        raise Problem(422, "media-missing", "图片 {sha} 尚未上传", sha=missing[0][:12])
    shown = [{**p.model_dump(), **known[p.sha256]} for p in content.media]
    payload = {**content.model_dump(), "media": shown}
    about = _about(conn, content)
    return {"title": content.title, "text": content.text, "payload": payload, "about_id": about}


def _about(conn: Connection, content: Content) -> int | None:
    """The post of this board that a text leads to first: what it corrects, or goes on with."""
    found = _PERMALINK.search(f"{content.text} {content.link}")
    query = select(board_posts.c.id).where(board_posts.c.public_id == found[1]) if found else None
    return None if query is None else conn.execute(query).scalar()


def _root(conn: Connection, answers: str) -> int | None:
    """The post whose thread an answer to `answers` stands in."""
    if not answers:
        return None
    mine = board_replies.c.public_id == answers, board_replies.c.state == SHOWN
    reply = conn.execute(select(board_replies.c.board_post_id).where(*mine)).scalar()
    if reply is not None:
        return int(reply)
    standing = board_posts.c.public_id == answers, board_posts.c.withdrawn_at.is_(None)
    found = conn.execute(select(board_posts.c.id, board_posts.c.root_id).where(*standing)).first()
    if found is None:
        raise Problem(422, "nothing-to-answer", "所答复的内容不在公开栏上，或已撤下")
    return int(found.root_id or found.id)


def edit(conn: Connection, now: datetime, public_id: str, content: Content) -> RowMapping:
    """Let `content` stand; what stood goes to the history. The same content changes nothing.

    Raises Problem 404, 410 for a withdrawn post, 422.
    """
    row = _locked_post(conn, public_id)
    if row["withdrawn_at"]:
        raise Problem(410, "withdrawn", "这条内容已撤回，不能再修改")
    if row["in_reply_to"] != content.in_reply_to:
        raise Problem(422, "invalid", "修改不能换答复对象")
    standing = _standing(conn, content)
    if standing["payload"] != row["payload"]:
        past = {"until": now.isoformat(), "content": row["payload"]}
        history = [*(row["history"] or []), past]
        _set_post(conn, row, edited_at=now, history=history, **standing)
    return by_id(conn, public_id)


def withdraw(conn: Connection, now: datetime, public_id: str) -> RowMapping:
    """Take it down; its tombstone stays. Again is the same. Raises Problem 404."""
    row = _locked_post(conn, public_id)
    if not row["withdrawn_at"]:
        _set_post(conn, row, withdrawn_at=now)
    return by_id(conn, public_id)


def _locked_post(conn: Connection, public_id: str) -> RowMapping:
    lock(conn, board_posts, [by_id(conn, public_id)["id"]])
    return by_id(conn, public_id)


def _set_post(conn: Connection, row: RowMapping, **values: Any) -> None:
    conn.execute(update(board_posts).where(board_posts.c.id == row["id"]).values(**values))


def listing(conn: Connection, before: str, limit: int) -> Sequence[RowMapping]:
    """All posts, answers and withdrawn ones too, newest first. Raises Problem 404 for `before`."""
    rows = select(board_posts).order_by(board_posts.c.id.desc()).limit(limit)
    if before:
        rows = rows.where(board_posts.c.id < by_id(conn, before)["id"])
    return conn.execute(rows).mappings().all()


# ---------------------------------------------------------------- replies, for the office


def replies_after(
    conn: Connection, post: RowMapping, number: int, limit: int
) -> Sequence[RowMapping]:
    """The replies of `post` that changed publicly after change `number`, in that order."""
    changed = board_replies.c.change > number
    rows = select(board_replies).where(_under(post), changed).order_by(board_replies.c.change)
    return conn.execute(rows.limit(limit)).mappings().all()


def total(conn: Connection, post: RowMapping) -> int:
    """How many replies of `post` are shown now."""
    shown = board_replies.c.state == SHOWN
    return int(
        conn.execute(
            select(func.count()).select_from(board_replies).where(_under(post), shown)
        ).scalar_one()
    )


def _under(post: RowMapping) -> Any:
    """A post's whole thread; of an answer, only what answers it."""
    if post["root_id"] is None:
        return board_replies.c.board_post_id == post["id"]
    thread = board_replies.c.board_post_id == post["root_id"]
    return and_(thread, board_replies.c.parent == post["public_id"])


def waiting(
    conn: Connection, limit: int = 100, after: int = 0, offset: int = 0
) -> Sequence[RowMapping]:
    """Replies, and edits of replies (`pending`), that wait for a person; the oldest first, of those
    numbered above `after`."""
    rows = (
        select(
            board_replies,
            board_posts.c.title.label("post_title"),
            board_posts.c.public_id.label("post_public_id"),
        )
        .join(board_posts, board_posts.c.id == board_replies.c.board_post_id)
        .where(moderators_turn, board_replies.c.id > after)
    )
    found = rows.order_by(board_replies.c.id).limit(limit).offset(offset)
    return conn.execute(found).mappings().all()


def moderate(
    conn: Connection,
    now: datetime,
    reply_id: int,
    state: str,
    *,
    erasures: Path,
    with_edit: bool = True,
) -> None:
    """Show or hide a reply (`state` is "shown" or "hidden"); an edit that waits is decided with it.

    What is hidden, or shown again, is noted in `erasures`, so that a restore leaves it hidden.
    `with_edit` False drops the edit and lets the earlier text stand. Who may is the caller's to
    ask, and the trail the caller's to write. Raises NotFound, Conflict when its writer deleted it.
    """
    if state not in (SHOWN, HIDDEN):
        raise ValueError(state)
    row = _locked_reply(conn, now, board_replies.c.id == reply_id)
    if row["state"] == DELETED:
        raise Conflict("留言者已删除这条留言")
    if HIDDEN in (state, row["state"]) and state != row["state"]:
        note_of_board(erasures, conn, now, row, state)
    values: dict[str, Any] = {"state": state, "pending": None}
    edited = state == SHOWN and with_edit and row["pending"] is not None
    if edited:
        values |= {"text": row["pending"], "edited_at": now}
    public = state == SHOWN or row["change"] is not None
    set_board_reply(conn, now, row, public=public and (edited or state != row["state"]), **values)


# ---------------------------------------------------------------- replies, for visitors


@dataclass(frozen=True)
class Draft:
    """What a visitor handed in, cleaned. `once` is the form's own number, `address` where from."""

    name: str
    text: str
    parent: str
    once: str
    address: str


def add_reply(
    conn: Connection, now: datetime, post: RowMapping, draft: Draft, *, moderated: bool, hourly: int
) -> tuple[RowMapping, str]:
    """Take a reply in; give its row and the visitor's key. The same form again is the same reply.

    Raises Problem 429 past `hourly` from one address, 422 for a parent that is not to be seen, 410
    under a withdrawn post.
    """
    if post["withdrawn_at"]:
        raise Problem(410, "withdrawn", "这条内容已撤回，不再接收留言")
    own = board(conn)
    if not moderated:
        collect.hear(conn, now, post["public_id"])
    lock(conn, boards, [own["id"]])
    origin = _origin(own["salt"], draft.address)
    key = _key(own["salt"], origin, post, draft)
    twin = board_replies.c.secret == _sha(key)
    if row := conn.execute(select(board_replies).where(twin)).mappings().first():
        return row, key
    _forget_origins(conn, now)
    _within(conn, now, origin, hourly)
    row_id = insert_id(conn, board_replies, _fresh(conn, now, post, draft, origin, key))
    row = reply_of(conn, board_replies.c.id == row_id)
    if not moderated:
        set_board_reply(conn, now, row, public=True, state=SHOWN)
        row = reply_of(conn, board_replies.c.id == row_id)
    return row, key


def _fresh(
    conn: Connection, now: datetime, post: RowMapping, draft: Draft, origin: str, key: str
) -> dict[str, Any]:
    return {
        "public_id": _name("r"),
        "board_post_id": post["id"],
        "parent": _parent(conn, post, draft.parent),
        "author_name": draft.name,
        "text": draft.text,
        "state": WAITING,
        "secret": _sha(key),
        "origin": origin,
        "at": now,
        "changed_at": now,
    }


def _key(salt: str, origin: str, post: RowMapping, draft: Draft) -> str:
    """The visitor's key: the same for the same form sent twice, not to be guessed without salt."""
    said = (draft.once or secrets.token_hex(), origin, post["public_id"], draft.parent)
    words = "\0".join((*said, draft.name, draft.text))
    mac = hmac.new(salt.encode(), words.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(mac[:24]).decode()


def _origin(salt: str, address: str) -> str:
    """A salted digest of the address; of IPv6, of the /64 that one household holds."""
    try:
        if ip_address(address).version == 6:
            address = str(ip_network((address, 64), strict=False))
    except ValueError:
        pass
    return hmac.new(salt.encode(), b"origin\0" + address.encode(), hashlib.sha256).hexdigest()


def _within(conn: Connection, now: datetime, origin: str, hourly: int) -> None:
    since = now - timedelta(hours=1)
    mine = board_replies.c.origin == origin, board_replies.c.at > since
    said = select(board_replies.c.at).where(*mine).order_by(board_replies.c.at.desc()).limit(hourly)
    times = conn.execute(said).scalars().all()
    if len(times) >= hourly:
        oldest = times[-1] if times else now
        wait = max(1, int((oldest - since).total_seconds()) + 1)
        raise Problem(
            429,
            "too-many-replies",
            "同一网络一小时最多留言 {n} 条，请 {m} 分钟后再提交",
            after=wait,
            n=hourly,
            m=-(-wait // 60),
        )


def _forget_origins(conn: Connection, now: datetime) -> None:
    old = board_replies.c.origin > "", board_replies.c.at < now - ORIGINS_KEPT
    conn.execute(update(board_replies).where(*old).values(origin=""))


def _parent(conn: Connection, post: RowMapping, parent: str) -> str:
    if not parent or parent == post["public_id"]:
        return ""
    reply = select(board_replies.c.id).where(
        board_replies.c.public_id == parent,
        board_replies.c.board_post_id == post["id"],
        board_replies.c.state == SHOWN,
    )
    answer = select(board_posts.c.id).where(
        board_posts.c.public_id == parent,
        board_posts.c.root_id == post["id"],
        board_posts.c.withdrawn_at.is_(None),
    )
    if conn.execute(reply).first() is None and conn.execute(answer).first() is None:
        raise Problem(422, "parent-gone", "您要回应的留言已不在，请直接在文末留言")
    return parent


def own_reply(conn: Connection, public_id: str, key: str) -> RowMapping:
    """The reply this key opens. Raises NotFound, alike for a wrong key and for no such reply."""
    return reply_of(
        conn, and_(board_replies.c.public_id == public_id, board_replies.c.secret == _sha(key))
    )


def edit_own(
    conn: Connection, now: datetime, public_id: str, key: str, text: str, *, moderated: bool
) -> None:
    """The writer changes his reply; what is shown stays until a person has let the change through.

    Raises NotFound, Problem 410 when it is deleted, 429 when the last change was a moment ago.
    """
    row = _locked_reply(conn, now, board_replies.c.id == own_reply(conn, public_id, key)["id"])
    if row["state"] == DELETED:
        raise Problem(410, "deleted", "这条留言已删除")
    if text == (row["text"] if row["pending"] is None else row["pending"]):
        return
    if now - row["changed_at"] < EDITS_APART:
        seconds = EDITS_APART.seconds
        raise Problem(429, "too-fast", "修改太频繁，请 {n} 秒后再提交", after=seconds, n=seconds)
    if row["state"] == WAITING:
        set_board_reply(conn, now, row, public=False, text=text)
    elif moderated or row["state"] == HIDDEN:
        set_board_reply(conn, now, row, public=False, pending=text)
    else:
        set_board_reply(conn, now, row, public=True, text=text, edited_at=now)


def delete_own(
    conn: Connection, now: datetime, public_id: str, key: str, *, erasures: Path
) -> None:
    """The writer deletes his reply: words and name are erased, where it stood a mark remains.

    It is noted in `erasures`, so that a restore does not bring it back.
    """
    row = _locked_reply(conn, now, board_replies.c.id == own_reply(conn, public_id, key)["id"])
    if row["state"] != DELETED:
        note_of_board(erasures, conn, now, row, DELETED)
        blank(conn, now, row)


def reply_of(conn: Connection, which: Any) -> RowMapping:
    """The one reply `which` names. Raises NotFound."""
    row = conn.execute(select(board_replies).where(which)).mappings().first()
    if row is None:
        raise NotFound("没有这条留言，或链接不完整")
    return row


def _locked_reply(conn: Connection, now: datetime, which: Any) -> RowMapping:
    """A reply that is about to change, of which the office's collecting hears at once."""
    row = reply_of(conn, which)
    post = select(board_posts.c.public_id).where(board_posts.c.id == row["board_post_id"])
    collect.hear(conn, now, conn.execute(post).scalar_one())
    lock(conn, board_replies, [row["id"]])
    return reply_of(conn, which)


def keep_picture(conn: Connection, now: datetime, row: Mapping[str, Any]) -> None:
    insert_missing(conn, pictures, [{**row, "at": now}])
