"""Entries become items: what is new, what changed, what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update

from bot import audit
from bot.config import SourcePart
from bot.db import (
    deliveries,
    holds,
    insert_id,
    item_revisions,
    items,
    lock,
    posts,
)
from bot.language import Say
from bot.model import (
    MACHINE,
    DeliveryState,
    Entry,
    HoldScope,
    ItemState,
    PostState,
    Reading,
)
from bot.naming import called
from bot.notices import open_notice
from bot.text import document_key

MISSING_BEFORE_GONE = 2
NOT_DRAFTED = Say("该来源不自动成稿")  # a digest or a person may still pick it


def take_in(
    conn: Connection,
    now: datetime,
    source: RowMapping,
    part: SourcePart,
    reading: Reading,
) -> None:
    """Entries become items; changes and disappearances are noted and hold what was made of them."""
    known = {row["key"]: row for row in conn.execute(_known(source["id"])).mappings()}
    listed = {entry.key: entry for entry in reversed(reading.entries)}  # the same one twice is one
    for key in known.keys() & listed.keys():
        revised(conn, now, known[key], listed[key])
    fresh = [entry for key, entry in listed.items() if key not in known]
    _add(conn, now, source, part, fresh[::-1])
    for key in known.keys() & set(reading.gone):
        _gone(conn, now, known.pop(key))
    if reading.whole:
        _missing(conn, now, known, listed)


def _known(source_id: int) -> Any:
    """Of every item of a source, what a reading is held against."""
    names = ["id", "key", "digest", "revision", "missing", "gone_at", "published", "seen_at"]
    return select(*(items.c[name] for name in names)).where(items.c.source_id == source_id)


def _add(
    conn: Connection,
    now: datetime,
    source: RowMapping,
    part: SourcePart,
    fresh: Sequence[Entry],
) -> None:
    first = source["baseline_at"] is None
    chosen = _chosen_at_first(source, part, fresh) if first else {entry.key for entry in fresh}
    flood = not first and len(fresh) > part.max_new
    for entry in fresh:
        state, waits = _begins_as(now, part, entry, chosen, flood, first)
        insert_item(conn, now, source["id"], entry, state, waits)
    if flood:
        said = Say(
            "来源 {key} 一次多出 {n} 条，已全部留待人工确认", key=called(source), n=len(fresh)
        )
        link = f"/items?state=waiting&source={quote(source['key'])}"
        open_notice(conn, now, f"flood:{source['id']}", said, source["unit_id"], link)
    if source["baseline_only"] and fresh:
        said = Say(
            "恢复备份后首次读取来源 {key}：备份里没有的 {n} 条记为不发，请核对是否已发",
            key=called(source),
            n=len(fresh),
        )
        link = f"/items?source={quote(source['key'])}"
        open_notice(conn, now, f"baseline:{source['id']}", said, source["unit_id"], link)


def _chosen_at_first(source: RowMapping, part: SourcePart, fresh: Sequence[Entry]) -> set[str]:
    """Of the first reading: none, the newest N that this source drafts at all, or all.

    None after a restore: they may have gone out since the backup was taken.
    """
    if part.first_poll == "seen" or source["baseline_only"]:
        return set()
    mine = [e for e in fresh if not part.columns or e.column in part.columns]
    if part.first_poll == "all":
        return {entry.key for entry in mine}
    n = int(part.first_poll.partition(":")[2])
    oldest = datetime.min.replace(tzinfo=UTC)
    newest = sorted(mine, key=lambda e: e.published or oldest, reverse=True)
    return {entry.key for entry in newest[:n]}


def _begins_as(
    now: datetime, part: SourcePart, entry: Entry, chosen: set[str], flood: bool, first: bool
) -> tuple[ItemState, Say | None]:
    """The state of a new item, and why a person must decide first, if one must."""
    if entry.key not in chosen or (part.columns and entry.column not in part.columns):
        return ItemState.SKIPPED, None
    if flood:
        return ItemState.NEW, Say("一次多出的条目过多")
    if not first and entry.published and now - entry.published > part.max_age:
        return ItemState.NEW, Say("发布日期较早")
    if not part.of_column(entry.column).draft:
        return ItemState.NEW, NOT_DRAFTED
    if not (entry.body or entry.summary or entry.link):  # as of a file that is not opened
        return ItemState.NEW, Say("只有标题，没有摘要、正文和链接")
    return ItemState.NEW, None


def insert_item(
    conn: Connection,
    now: datetime,
    source_id: int,
    entry: Entry,
    state: ItemState,
    waits: Say | None,
    **more: Any,
) -> int:
    """A new item and its first revision; due at once unless a person must decide first."""
    stored = entry.json()
    item_id = insert_id(
        conn,
        items,
        {
            "source_id": source_id,
            "key": entry.key,
            "state": state,
            "title": entry.title,
            "column": entry.column,
            "document_number": document_key(entry.document_number),
            "digest": entry.digest,
            "revision": 1,
            "entry": stored,
            "waits": waits.json() if waits else None,
            "published": entry.published,
            "seen_at": now,
            "due_at": now if state is ItemState.NEW and waits is None else None,
            **more,
        },
    )
    values = {"item_id": item_id, "number": 1, "digest": entry.digest, "entry": stored}
    conn.execute(insert(item_revisions).values(at=now, **values))
    return item_id


def revised(conn: Connection, now: datetime, item: RowMapping, entry: Entry) -> None:
    """The entry as it stands now; if it changed, a new revision, and what came of it is held."""
    if item["missing"] or item["gone_at"]:
        back = {"missing": 0, "gone_at": None}
        conn.execute(update(items).where(items.c.id == item["id"]).values(**back))
    if item["digest"] == entry.digest:
        return
    number, stored = item["revision"] + 1, entry.json()
    revision = {"item_id": item["id"], "number": number, "digest": entry.digest}
    conn.execute(insert(item_revisions).values(at=now, entry=stored, **revision))
    conn.execute(
        update(items)
        .where(items.c.id == item["id"])
        .values(
            digest=entry.digest,
            revision=number,
            entry=stored,
            title=entry.title,
            column=entry.column,
            document_number=document_key(entry.document_number),
            published=entry.published,
            changed_at=now,
        )
    )
    _hold(conn, now, item["id"], Say("来源条目改到第 {n} 版", n=number))


def _missing(
    conn: Connection, now: datetime, known: Mapping[str, RowMapping], listed: Mapping[str, Entry]
) -> None:
    """Missing while an older entry is still listed: a feed that merely moved on proves nothing.

    `listed` is in the order of the listing backwards.
    """
    standing = [(e.published, known[key]["seen_at"]) for key, e in listed.items() if key in known]
    unlisted = known.keys() - set(listed)
    for row in _not_below(standing[::-1], [known[key] for key in unlisted]):
        if row["gone_at"]:
            continue
        missing = row["missing"] + 1
        gone = missing >= MISSING_BEFORE_GONE
        conn.execute(update(items).where(items.c.id == row["id"]).values(missing=missing))
        if gone:
            _gone(conn, now, row)


def _gone(conn: Connection, now: datetime, row: RowMapping) -> None:
    """Taken down at its source: its time, once, and a hold on what came of it."""
    if row["gone_at"]:
        return
    conn.execute(update(items).where(items.c.id == row["id"]).values(gone_at=now))
    _hold(conn, now, row["id"], Say("来源条目已撤下"))


def _not_below(
    standing: Sequence[tuple[datetime | None, datetime]], rows: Sequence[RowMapping]
) -> list[RowMapping]:
    """The rows that something standing (published, first seen; as listed) is older than.

    By date of publication; where one of the two has none, only what an earlier reading brought is
    older. What stands above newer ones is pinned there and tells nothing of how far the list goes.
    """
    published = _at_old_end([published for published, _ in standing if published])
    undated = _at_old_end([seen for published, seen in standing if not published])
    seen = _at_old_end([seen for _, seen in standing])

    def _older(row: RowMapping) -> bool:
        if row["published"] is None:
            return seen is not None and seen < row["seen_at"]
        by_date = published is not None and published < row["published"]
        return by_date or (undated is not None and undated < row["seen_at"])

    return [row for row in rows if _older(row)]


def _at_old_end(times: Sequence[datetime]) -> datetime | None:
    """The time at the old end of a listing: its last one, unless it plainly lists the oldest first.

    A list that goes up once has one pinned above it; one that only goes up, twice or more, is
    listed that way.
    """
    steps = list(pairwise(times))
    upward = sum(a < b for a, b in steps) > 1 and all(a <= b for a, b in steps)
    return (times[0] if upward else times[-1]) if times else None


def _hold(conn: Connection, now: datetime, item_id: int, why: Say) -> None:
    """Hold what came of this entry and has not gone, until a person has looked."""
    lock(conn, items, [item_id])
    if _unsent(conn, posts.c.item_id == item_id):
        stop(conn, now, HoldScope.ITEM, item_id, why)
    digests = select(posts.c.id, posts.c.from_items).where(
        posts.c.from_items.is_not(None), posts.c.state != PostState.CLOSED
    )
    mine = [post for post, made_of in conn.execute(digests) if item_id in made_of]
    for post in _unsent(conn, posts.c.id.in_(mine)):
        stop(conn, now, HoldScope.POST, post, why)


def _unsent(conn: Connection, which: Any) -> list[int]:
    """Of some posts, those handed in or signed of which something may still go; locked."""
    over = (DeliveryState.SENT, DeliveryState.CANCELLED)
    planned = select(deliveries.c.id).where(deliveries.c.post_id == posts.c.id)
    query = select(posts.c.id).where(
        which,
        posts.c.state != PostState.CLOSED,
        or_(
            posts.c.state == PostState.IN_REVIEW,
            and_(posts.c.state == PostState.APPROVED, ~planned.exists()),
            planned.where(deliveries.c.state.not_in(over)).exists(),
        ),
    )
    lock(conn, posts, list(conn.execute(select(posts.c.id).where(which)).scalars()))
    return list(conn.execute(query.order_by(posts.c.id)).scalars())


def stop(conn: Connection, now: datetime, scope: HoldScope, target: int, why: Say) -> None:
    """One hold stands until it is lifted, however often the entry changes meanwhile; it says the latest."""
    mine = holds.c.scope == scope, holds.c.target_id == target, holds.c.person_id.is_(None)
    query = select(holds.c.id, holds.c.reason).where(*mine, holds.c.lifted_at.is_(None))
    if stands := conn.execute(query).first():
        made = stands.id
        if stands.reason == str(why):
            return
        conn.execute(update(holds).where(holds.c.id == made).values(reason=str(why)))
    else:
        values = {"scope": scope, "target_id": target, "reason": str(why)}
        made = insert_id(conn, holds, {**values, "since": now, "begun_at": now, "passes": []})
        audit.write(conn, now, MACHINE, "hold", f"{scope}:{target}", hold=made)
    open_notice(conn, now, f"hold:{made}", why, None, f"/stop#hold-{made}")
