"""Replies as pages show them: each with what it answers, its marks, its answers, and its thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, select

from bot.collect import exporting, log
from bot.db import deliveries, posts, replies, reply_versions, revisions
from bot.model import Act, DeliveryState
from bot.web.lists import Account
from bot.web.marks import hits

THREAD = 100  # answers shown in place
MOST = 5000  # of a level of a page's threads
ABOVE = 20  # replies a reply stands under

Line = dict[str, Any]


def lines(
    conn: Connection, shown: Mapping[int, Account], rows: Sequence[RowMapping], wanted: str = ""
) -> list[Line]:
    """Rows as pages show them; the words of `wanted` are marked."""
    ids = [row["id"] for row in rows]
    quoted, under = _quoted(conn, rows), _under(conn, rows)
    versions, answered = _versions(conn, ids), _answered(conn, ids)
    return [
        {
            **row,
            "account": shown[row["account_id"]],
            "marked": hits(row["text"], wanted),
            "title": row["post_title"] or "",
            "why": exporting.WHY.get(row["removed_why"], row["removed_why"]),
            "quoted": quoted.get((row["account_id"], row["parent"])),
            "under": under.get((row["account_id"], row["remote_id"]), 0),
            "versions": versions.get(row["id"], []),
            "answer": answered.get(row["id"]),
        }
        for row in rows
    ]


def _quoted(conn: Connection, rows: Sequence[RowMapping]) -> dict[tuple[int, str], RowMapping]:
    """The replies these answer, by account and remote id."""
    keys = {(row["account_id"], row["parent"]) for row in rows if row["parent"]}
    if not keys:
        return {}
    at, named = {account for account, _ in keys}, {parent for _, parent in keys}
    mine = replies.c.account_id.in_(at), replies.c.remote_id.in_(named)
    found = conn.execute(select(replies).where(*mine)).mappings()
    return {(row["account_id"], row["remote_id"]): row for row in found}


Key = tuple[int, str]  # an account, and what a reply is called there


def _under(conn: Connection, rows: Sequence[RowMapping]) -> dict[Key, int]:
    """How many replies stand under each of these, their answers' answers too: up to THREAD."""
    tops = {(row["account_id"], row["remote_id"]) for row in rows}
    found = _answers(conn, tops)
    full = {key for key, n in found.items() if n >= THREAD}
    below: dict[Key, set[Key]] = defaultdict(set)
    level = found.keys() - full
    while level:
        at, named = {account for account, _ in level}, {remote for _, remote in level}
        key = replies.c.account_id, replies.c.parent, replies.c.remote_id
        mine = replies.c.account_id.in_(at), replies.c.parent.in_(named)
        known = set(below)
        for account, parent, remote in conn.execute(select(*key).where(*mine).limit(MOST)):
            below[account, parent].add((account, remote))
        level = {one for above in below.keys() - known for one in below[above]} - below.keys()
    return {key: THREAD if key in full else min(_reached(below, key), THREAD) for key in found}


def _answers(conn: Connection, tops: Collection[Key]) -> dict[Key, int]:
    """How many answer each of these itself; counted in an index."""
    key = (replies.c.account_id, replies.c.parent)
    query = select(*key, func.count()).where(
        replies.c.account_id.in_({account for account, _ in tops}),
        replies.c.parent.in_([remote for _, remote in tops]),
    )
    rows = conn.execute(query.group_by(*key))
    return {(account, parent): n for account, parent, n in rows if (account, parent) in tops}


def _reached(below: Mapping[Key, set[Key]], top: Key) -> int:
    seen, todo = {top}, [top]
    while todo:
        fresh = below.get(todo.pop(), set()) - seen
        seen |= fresh
        todo += fresh
    return len(seen) - 1


def _versions(conn: Connection, ids: list[int]) -> dict[int, list[RowMapping]]:
    """Earlier wordings, oldest first; the one that stands is the reply's own."""
    query = select(reply_versions).where(reply_versions.c.reply_id.in_(ids))
    found: dict[int, list[RowMapping]] = {}
    for row in conn.execute(query.order_by(reply_versions.c.number)).mappings():
        found.setdefault(row["reply_id"], []).append(row)
    return found


def _answered(conn: Connection, ids: list[int]) -> dict[int, RowMapping]:
    """Our responses by the reply they answer, with their words and when they went out, if they did."""
    went = (
        select(func.min(deliveries.c.sent_at))
        .where(deliveries.c.post_id == posts.c.id, deliveries.c.act == Act.PUBLISH)
        .where(deliveries.c.state == DeliveryState.SENT)
        .scalar_subquery()
    )
    words = revisions.c.body["text"].as_string().label("text")
    query = (
        select(posts.c.id, posts.c.answers_id, words, went.label("sent_at"))
        .outerjoin(revisions, revisions.c.id == posts.c.revision_id)
        .where(posts.c.answers_id.in_(ids))
        .order_by(posts.c.id)
    )
    return {row["answers_id"]: row for row in conn.execute(query).mappings()}


# ---------------------------------------------------------------- threads


def below(conn: Connection, top: RowMapping) -> list[RowMapping]:
    """What answers a reply, its answers' answers too, in time's order."""
    found: dict[int, RowMapping] = {}
    level = [top["remote_id"]]
    while level and len(found) < THREAD:
        mine = and_(replies.c.account_id == top["account_id"], replies.c.parent.in_(level))
        rows = conn.execute(log.query().where(mine).limit(THREAD)).mappings().all()
        fresh = [row for row in rows if row["id"] not in found and row["id"] != top["id"]]
        found |= {row["id"]: row for row in fresh}
        level = [row["remote_id"] for row in fresh]
    return sorted(found.values(), key=lambda row: (row["at"], row["id"]))[:THREAD]


def above(conn: Connection, reply: RowMapping) -> list[RowMapping]:
    """What a reply answers, and what that answers, the first one first."""
    found: list[RowMapping] = []
    row, seen = reply, {reply["id"]}
    while row["parent"] and len(found) < ABOVE:
        mine = replies.c.account_id == row["account_id"], replies.c.remote_id == row["parent"]
        up = conn.execute(log.query().where(*mine)).mappings().first()
        if up is None or up["id"] in seen:
            break
        seen.add(up["id"])
        found.insert(0, up)
        row = up
    return found
