"""Taking a page of replies in: one transaction, statements in bulk, the same page twice the same.

A reply is one row, whichever watches see it. A changed text keeps the earlier one as a version;
names are no text. A reply is removed on the platform's word, or when two whole walks in a row went
by without it; seen again, it is visible again. What was erased for its writer stays erased.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    func,
    insert,
    select,
    update,
)

from bot import audit, search
from bot.db import (
    accounts,
    among,
    deliveries,
    insert_missing,
    lock,
    posts,
    replies,
    reply_versions,
)
from bot.model import MACHINE, Act, RemoteReply, ReplyState

S = ReplyState
PLATFORM, ABSENT, ERASED = "platform", "absent", "erased"  # why a reply is removed
_TEXTS = ("text", "author_name", "remote_id", "parent_id", "author_id", "root_id", "handle")
_texts = attrgetter(*_TEXTS)
_UNFIT = re.compile("[\0\ud800-\udfff]")  # what neither database keeps in a text


class Home(NamedTuple):
    """Where a reply belongs: the delivery whose thread it stands in, and that one's post."""

    delivery_id: int | None = None
    post_id: int | None = None


Place = Callable[[RemoteReply], Home]


@dataclass(frozen=True)
class Scope:
    """Whose page it is. `remote_id`: what the watched delivery is called there; "" for mentions."""

    account_id: int
    identity: str
    remote_id: str = ""


def take_in(conn: Connection, now: datetime, scope: Scope, listed: Iterable[RemoteReply]) -> int:
    """Take in what a page listed; give how many replies are new."""
    lock(conn, accounts, [scope.account_id])  # pages that overlap would wait for each other's rows
    page = {reply.remote_id: reply for reply in map(_fit, listed)}
    known = _known(conn, scope, page)
    homes = _homes(conn, scope, page)
    ours = {reply.remote_id for reply in page.values() if scope.identity == reply.author_id != ""}
    ours |= homes.receipts & page.keys()
    fresh = [r for r in page.values() if r.remote_id not in known and not r.removed]
    added = _add(conn, now, scope, sorted(fresh, key=_order), homes.of, ours)
    if late := [r.remote_id for r in fresh if r.remote_id not in added]:
        known |= _known(conn, scope, late)  # another watch's page was a moment quicker
    pairs = [(known[r.remote_id], r) for r in page.values() if r.remote_id in known]
    standing = [(row, reply) for row, reply in pairs if row["removed_why"] != ERASED]
    _see(conn, now, standing)
    _edit(conn, now, standing)
    _remove_named(conn, now, standing)
    _bring_back(conn, now, standing)
    _learn(conn, standing, homes.of, ours)
    return len(added)


def _fit(reply: RemoteReply) -> RemoteReply:
    """Without what a database refuses, or a page may not link to."""
    if _UNFIT.search("".join(_texts(reply))):
        changed: dict[str, Any] = {n: _UNFIT.sub("\ufffd", getattr(reply, n)) for n in _TEXTS}
        reply = replace(reply, **changed)
    if reply.url and (
        _UNFIT.search(reply.url) or not reply.url.startswith(("https://", "http://"))
    ):
        reply = replace(reply, url="")
    return reply


def _order(reply: RemoteReply) -> tuple[datetime, str]:
    """Ids follow the replies' time; and two workers with one page insert in one order."""
    return reply.at, reply.remote_id


# ---------------------------------------------------------------- what stands


def _known(conn: Connection, scope: Scope, ids: Collection[str]) -> dict[str, RowMapping]:
    """The replies of this account that stand, by remote id; locked until the transaction ends."""
    mine = replies.c.account_id == scope.account_id, among(replies.c.remote_id, "ids")
    wanted = select(replies).where(*mine).order_by(replies.c.id).with_for_update()
    return {r["remote_id"]: r for r in conn.execute(wanted, {"ids": list(ids)}).mappings()}


class _Homes:
    """Where the replies of one page belong."""

    def __init__(self, scope: Scope, sent: Mapping[str, Home], threads: Mapping[str, Home]) -> None:
        self.receipts = sent.keys()
        self._at = {**sent, **threads}
        self._watched = self._at.get(scope.remote_id)

    def of(self, reply: RemoteReply) -> Home:
        """By the post it names, else the watched one, else by what it answers."""
        home = (
            self._at.get(reply.root_id) or self._watched or self._at.get(reply.parent_id) or Home()
        )
        if home.delivery_id:
            self._at.setdefault(reply.remote_id, home)
        return home


def _homes(conn: Connection, scope: Scope, page: Mapping[str, RemoteReply]) -> _Homes:
    """An answer of ours that stands in a thread, and what answers it, belong to that thread's post."""
    named = {name for r in page.values() for name in (r.root_id, r.parent_id)} | {scope.remote_id}
    sent = _places(conn, _receipts(scope), (named | page.keys()) - {""})
    return _Homes(scope, sent, _places(conn, _placed(scope), named - {""}))


def _places(conn: Connection, query: Select[Any], ids: Collection[str]) -> dict[str, Home]:
    return {at: Home(one, post) for at, one, post in conn.execute(query, {"ids": list(ids)})}


def _receipts(scope: Scope) -> Select[Any]:
    """What we published, by remote id; a response belongs where the reply it answers does."""
    asked = replies.alias("asked")
    return (
        select(
            deliveries.c.remote_id,
            func.coalesce(asked.c.delivery_id, deliveries.c.id),
            func.coalesce(asked.c.post_id, deliveries.c.post_id),
        )
        .join(posts, posts.c.id == deliveries.c.post_id)
        .outerjoin(asked, asked.c.id == posts.c.answers_id)
        .where(
            deliveries.c.account_id == scope.account_id,
            deliveries.c.act == Act.PUBLISH,
            among(deliveries.c.remote_id, "ids"),
        )
    )


def _placed(scope: Scope) -> Select[Any]:
    return select(replies.c.remote_id, replies.c.delivery_id, replies.c.post_id).where(
        replies.c.account_id == scope.account_id,
        replies.c.delivery_id.is_not(None),
        among(replies.c.remote_id, "ids"),
    )


# ---------------------------------------------------------------- what is new


def _add(
    conn: Connection,
    now: datetime,
    scope: Scope,
    fresh: Sequence[RemoteReply],
    home: Place,
    ours: Collection[str],
) -> set[str]:
    """Insert new replies and index them; give the remote ids that were not there before."""
    if not fresh:
        return set()
    salts = secrets.token_hex(8 * len(fresh))
    rows = [
        {
            **_row(now, reply),
            **home(reply)._asdict(),
            "account_id": scope.account_id,
            "own": reply.remote_id in ours,
            "salt": salts[16 * n : 16 * n + 16],
        }
        for n, reply in enumerate(fresh)
    ]
    insert_missing(conn, replies, rows)
    ids = _made(conn, scope, {str(row["remote_id"]): str(row["salt"]) for row in rows})
    search.add(conn, [(ids[r.remote_id], r.text) for r in fresh if r.remote_id in ids])
    return set(ids)


def _row(now: datetime, reply: RemoteReply) -> dict[str, Any]:
    """What the platform says of a reply that is new here."""
    return {
        "remote_id": reply.remote_id,
        "parent": reply.parent_id,
        "author": reply.author_id,
        "author_name": reply.author_name,
        "handle": reply.handle,
        "text": reply.text,
        "url": reply.url,
        "at": reply.at,
        "state": S.EDITED if reply.edited else S.VISIBLE,
        "edited_at": now if reply.edited else None,
        "version": 1,
        "seen_at": now,
        "last_seen": now,
    }


def _made(conn: Connection, scope: Scope, salts: Mapping[str, str]) -> dict[str, int]:
    """The ids of rows just inserted; by its salt is told who inserted one."""
    mine = replies.c.account_id == scope.account_id, among(replies.c.remote_id, "ids")
    made = select(replies.c.remote_id, replies.c.id, replies.c.salt).where(*mine)
    found = conn.execute(made, {"ids": list(salts)})
    return {at: one for at, one, salt in found if salts[at] == salt}


# ---------------------------------------------------------------- what is seen again

Pair = tuple[RowMapping, RemoteReply]


def _see(conn: Connection, now: datetime, pairs: Sequence[Pair]) -> None:
    seen = [row["id"] for row, reply in pairs if not reply.removed]
    _set(conn, seen, last_seen=now, missed=0)


def _set(conn: Connection, ids: Sequence[int], **values: Any) -> None:
    if ids:
        conn.execute(
            update(replies).where(among(replies.c.id, "ids")).values(**values), {"ids": ids}
        )


def _edit(conn: Connection, now: datetime, pairs: Sequence[Pair]) -> None:
    """The earlier wording becomes a version; of one that is only marked as edited there is none."""
    alive = [(row, reply) for row, reply in pairs if not reply.removed]
    marked = [r["id"] for r, reply in alive if reply.edited and r["edited_at"] is None]
    _set(conn, marked, edited_at=now, state=S.EDITED)
    changed = [(row, reply) for row, reply in alive if row["text"] != reply.text]
    if not changed:
        return
    earlier = [
        {
            "reply_id": row["id"],
            "number": row["version"],
            "text": row["text"],
            "at": row["edited_at"] or row["seen_at"],
        }
        for row, _ in changed
    ]
    conn.execute(insert(reply_versions), earlier)
    words = (
        update(replies)
        .where(replies.c.id == bindparam("reply"))
        .values(text=bindparam("words"), version=bindparam("number"), edited_at=now, state=S.EDITED)
    )
    new = [
        {"reply": row["id"], "words": reply.text, "number": row["version"] + 1}
        for row, reply in changed
    ]
    conn.execute(words, new)
    search.remove(conn, [(row["id"], row["text"]) for row, _ in changed])
    search.add(conn, [(row["id"], reply.text) for row, reply in changed])
    _record(conn, now, "reply.edited", [(row, reply.text, {}) for row, reply in changed])


def _remove_named(conn: Connection, now: datetime, pairs: Sequence[Pair]) -> None:
    """The platform says so; that stands above what we only did not see."""
    named = [row for row, reply in pairs if reply.removed and row["removed_why"] != PLATFORM]
    remove(conn, now, named, PLATFORM)


def remove(conn: Connection, now: datetime, rows: Sequence[RowMapping], why: str) -> None:
    """Mark replies as removed; a first mark keeps its time."""
    gone = [row["id"] for row in rows if row["state"] != S.REMOVED]
    _set(conn, gone, state=S.REMOVED, removed_at=now)
    _set(conn, [row["id"] for row in rows], removed_why=why)
    _record(conn, now, "reply.removed", [(row, row["text"], {"why": why}) for row in rows])


def _bring_back(conn: Connection, now: datetime, pairs: Sequence[Pair]) -> None:
    back = [(row, r) for row, r in pairs if not r.removed and row["state"] == S.REMOVED]
    edited = [r["id"] for r, reply in back if _was_edited(r, reply)]
    _set(conn, [row["id"] for row, _ in back], state=S.VISIBLE, removed_at=None, removed_why="")
    _set(conn, edited, state=S.EDITED)
    _record(conn, now, "reply.returned", [(row, reply.text, {}) for row, reply in back])


def _was_edited(row: RowMapping, reply: RemoteReply) -> bool:
    return bool(row["edited_at"] or reply.edited or reply.text != row["text"])


def _learn(conn: Connection, pairs: Sequence[Pair], home: Place, ours: Collection[str]) -> None:
    """What was not known at first: that it is our own, or where it belongs."""
    _set(
        conn, [r["id"] for r, reply in pairs if not r["own"] and reply.remote_id in ours], own=True
    )
    homeless = [(row["id"], home(reply)) for row, reply in pairs if row["delivery_id"] is None]
    for place in {place for _, place in homeless if place.delivery_id}:
        _set(conn, [i for i, found in homeless if found == place], **place._asdict())


def _record(
    conn: Connection,
    now: datetime,
    verb: str,
    said: Sequence[tuple[RowMapping, str, dict[str, str]]],
) -> None:
    """The trail holds a salted digest of the words, never the words."""
    entries = [
        audit.entry(
            now, MACHINE, verb, f"reply:{row['id']}", digest=digest(row["salt"], text), **more
        )
        for row, text, more in said
    ]
    audit.write_many(conn, entries)


def digest(salt: str, text: str) -> str:
    """What the trail keeps of a wording; without the salt it tells nothing."""
    return hashlib.sha256((salt + text).encode()).hexdigest()


# ---------------------------------------------------------------- what is not seen any more


def miss(conn: Connection, now: datetime, home: ColumnElement[bool], since: datetime) -> None:
    """A whole walk that began at `since` ended: count it against what it did not list.

    `home` says which replies the walk should have listed. Twice in a row is removed.
    """
    unseen = (home, replies.c.state != S.REMOVED, replies.c.last_seen < since)
    conn.execute(update(replies).where(*unseen).values(missed=replies.c.missed + 1))
    twice = select(replies).where(*unseen, replies.c.missed >= 2)
    remove(conn, now, conn.execute(twice).mappings().all(), ABSENT)
