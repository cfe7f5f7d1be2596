"""What was collected, to be read: the list with its search, a thread, wordings, and how whole it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    func,
    select,
    true,
    tuple_,
)

from bot import search
from bot.db import accounts, aside, deliveries, marked, posts, replies, reply_versions, watches
from bot.errors import NotFound
from bot.language import Say
from bot.model import Act, DeliveryState, ReplyState, WatchState

PRESENT = "present"  # whatever its state, not removed
MARKED = (ReplyState.EDITED, ReplyState.REMOVED)
SILENT = 3  # polls in a row without an answer, before people are told
OWNER = func.coalesce(posts.c.unit_id, accounts.c.unit_id)  # the post's unit, else the account's


def query() -> Select[Any]:
    """Replies with their account and post. Joined outwards: replies lead, in their own order."""
    return (
        select(
            *replies.c,
            accounts.c.key.label("account_key"),
            accounts.c.name.label("account_name"),
            accounts.c.adapter,
            posts.c.title.label("post_title"),
            OWNER.label("unit_id"),
        )
        .select_from(replies)
        .outerjoin(accounts, accounts.c.id == replies.c.account_id)
        .outerjoin(posts, posts.c.id == replies.c.post_id)
    )


def of_units(unit_ids: Collection[int]) -> ColumnElement[bool]:
    """As OWNER says, but asked row by row: so PostgreSQL, too, reads from the newest on and stops.

    Yes or no is what is asked, of which it takes half to be yes: of anything else, one in fifty.
    """
    theirs = select(posts.c.unit_id.in_(unit_ids)).where(posts.c.id == replies.c.post_id)
    at_account = select(accounts.c.unit_id.in_(unit_ids)).where(
        accounts.c.id == replies.c.account_id
    )
    return func.coalesce(
        *(each.correlate(replies).scalar_subquery() for each in (theirs, at_account))
    )


def one(conn: Connection, reply_id: int) -> RowMapping:
    """Raises NotFound."""
    row = conn.execute(query().where(replies.c.id == reply_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的评论", id=reply_id)
    return row


def listing(
    conn: Connection,
    unit_ids: Collection[int],
    *,
    words: str = "",
    limit: int = 50,
    before: int | None = None,
    **filters: Any,
) -> list[RowMapping]:
    """Replies to posts of some units (mentions: at their accounts), the latest taken in first.

    `words`: all must occur, blanks between them. `before`: the id the page before ended with.
    `filters`: those of `chosen`. With `since` or `until` and no words, the latest said first.
    """
    return rows(conn, numbers(conn, unit_ids, words=words, limit=limit, before=before, **filters))


def rows(conn: Connection, ids: Sequence[int]) -> list[RowMapping]:
    """These replies, in this order."""
    place = {one: n for n, one in enumerate(ids)}
    found = conn.execute(query().where(replies.c.id.in_(ids))).mappings()
    return sorted(found, key=lambda row: place[row["id"]])


def numbers(
    conn: Connection,
    unit_ids: Collection[int],
    *,
    words: str = "",
    limit: int,
    before: int | None = None,
    after: int | None = None,
    **filters: Any,
) -> list[int]:
    """The numbers of `listing`'s replies, found without reading these; `after`: only those above it."""
    asked, rare = chosen(unit_ids, **filters), few(**filters)
    dated = filters.get("since") or filters.get("until")
    if words.split() or not dated or after is not None:
        return search.find(conn, asked, words, limit, before, rare, after)
    return _latest_said(conn, asked, limit, before, rare=rare is not None)


def _latest_said(
    conn: Connection, asked: Select[Any], limit: int, before: int | None, *, rare: bool
) -> list[int]:
    if before is not None:
        at = select(replies.c.at).where(replies.c.id == before).scalar_subquery()
        asked = asked.where(tuple_(replies.c.at, replies.c.id) < tuple_(at, before))
    order = aside(replies.c.at) if rare else replies.c.at
    latest = asked.order_by(order.desc(), replies.c.id.desc()).limit(limit)
    return list(conn.execute(latest).scalars())


def few(*, own: bool | None = None, state: str = "", **_: Any) -> Select[Any] | None:
    """The numbers of the replies of a kind that has an index of its own, where such are asked for."""
    mine = _kind(own, state)
    return select(replies.c.id).where(*mine).correlate(None) if own or state in MARKED else None


def _kind(own: bool | None, state: str) -> Iterator[ColumnElement[bool]]:
    if state == PRESENT:
        yield aside(replies.c.state) != ReplyState.REMOVED
    elif state:
        yield replies.c.state == state
    if state in MARKED:
        yield marked
    if own is not None:
        yield replies.c.own.is_(own)


def chosen(
    unit_ids: Collection[int],
    *,
    post: int | None = None,
    account: int | None = None,
    delivery: int | None = None,
    state: str = "",
    own: bool | None = None,
    unanswered: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[Any]:
    """The numbers of the replies some filters let through, in no order.

    `state`: one of theirs, or PRESENT; `own`: the office's, or the public's. `since`, `until`: when they were said, the end left out.
    """
    rare = few(own=own, state=state) is not None
    wanted = select(replies.c.id).select_from(replies).where(of_units(unit_ids), *_kind(own, state))
    if post is not None:
        wanted = wanted.where(replies.c.post_id == post)
    if delivery is not None:
        wanted = wanted.where(replies.c.delivery_id == delivery)
    if account is not None:
        # By the index of times, or of the few, where one of these is asked for.
        led = rare or since or until
        wanted = wanted.where(
            (aside(replies.c.account_id) if led else replies.c.account_id) == account
        )
    if unanswered:
        wanted = wanted.where(_unanswered())
    return wanted.where(*_within(aside(replies.c.at) if rare else replies.c.at, since, until))


def _within(
    at: ColumnElement[Any], since: datetime | None, until: datetime | None
) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield at >= since
    if until is not None:
        yield at < until


def days(first: date | None, last: date | None, zone: tzinfo) -> dict[str, datetime | None]:
    """Whole days of the office's, `last` included, as the filters `since` and `until`."""
    since = datetime.combine(first, time(), zone) if first else None
    ends = last + timedelta(days=1) if last and last < date.max else None
    until = datetime.combine(ends, time(), zone) if ends else None
    return {"since": since, "until": until}


def _unanswered() -> ColumnElement[bool]:
    """The public's, standing, with no answer of ours under it and none published from here."""
    ours = replies.alias("ours")
    under = ours.c.account_id == replies.c.account_id, ours.c.parent == replies.c.remote_id
    said = select(true()).where(*under, aside(ours.c.own).is_(True))
    sent = deliveries.c.act == Act.PUBLISH, aside(deliveries.c.state) == DeliveryState.SENT
    answers = select(true()).select_from(posts).join(deliveries, deliveries.c.post_id == posts.c.id)
    published = answers.where(posts.c.answers_id == replies.c.id, *sent)
    stands = replies.c.own.is_(False), replies.c.state != ReplyState.REMOVED
    return and_(*stands, _none(said), _none(published))


def _none(query: Select[Any]) -> ColumnElement[bool]:
    """Asked of each reply by itself; of an `exists` PostgreSQL makes a join with all replies."""
    return query.correlate(replies).limit(1).scalar_subquery().is_not(True)


def pages(
    conn: Connection, unit_ids: Collection[int], **filters: Any
) -> Iterator[list[RowMapping]]:
    """As `listing`, all of it, a thousand at a time."""
    before = None
    while page := listing(conn, unit_ids, **filters, limit=1000, before=before):
        yield page
        before = page[-1]["id"]


def thread(conn: Connection, post_id: int) -> list[tuple[int, RowMapping]]:
    """All replies of a post with their depth: each under what it answers, in the order of time."""
    mine = query().where(replies.c.post_id == post_id).order_by(replies.c.at, replies.c.id)
    rows = conn.execute(mine).mappings().all()
    here = {(row["account_id"], row["remote_id"]) for row in rows}
    below: Mapping[tuple[int, str], list[RowMapping]] = defaultdict(list)
    roots: list[RowMapping] = []
    walked: list[tuple[int, RowMapping]] = []
    seen: set[int] = set()
    for row in rows:
        above = (row["account_id"], row["parent"])
        (below[above] if above in here else roots).append(row)
    # What is left over by then answers itself in a circle: only a broken platform says so.
    for root in (*roots, *rows):
        stack = [(0, root)]
        while stack:
            depth, row = stack.pop()
            if row["id"] not in seen:
                seen.add(row["id"])
                walked.append((depth, row))
                under = below[row["account_id"], row["remote_id"]]
                stack += [(depth + 1, answer) for answer in reversed(under)]
    return walked


@dataclass(frozen=True)
class Version:
    """One wording, and when it was first seen."""

    number: int
    text: str
    at: datetime


def versions(conn: Connection, reply_id: int) -> list[Version]:
    """Every wording of a reply, the first one first, the one that stands last. Raises NotFound."""
    row = one(conn, reply_id)
    mine = select(reply_versions).where(reply_versions.c.reply_id == reply_id)
    earlier = conn.execute(mine.order_by(reply_versions.c.number)).mappings()
    found = [Version(v["number"], v["text"], v["at"]) for v in earlier]
    at = row["edited_at"] if found else row["seen_at"]
    return [*found, Version(row["version"], row["text"], at)]


# ---------------------------------------------------------------- how whole it is


@dataclass(frozen=True)
class Coverage:
    """Of one delivery: `seen` stand with us, `total` on the platform by its own count, if it has one.

    `why`: everything that may make the two differ. `walked_at`: when all was last listed.
    """

    delivery_id: int
    account: str
    state: WatchState | None  # None: the platform has no replies to read
    seen: int
    removed: int
    own: int
    total: int | None
    why: tuple[Say, ...]
    walked_at: datetime | None
    ok_at: datetime | None
    failures: int


def coverage(conn: Connection, post_id: int) -> list[Coverage]:
    """How much of the replies under each of a post's sent deliveries is here."""
    sent = (
        select(deliveries.c.id.label("delivery"), accounts.c.name, *watches.c)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .outerjoin(watches, watches.c.delivery_id == deliveries.c.id)
        .where(
            deliveries.c.post_id == post_id,
            deliveries.c.act == Act.PUBLISH,
            deliveries.c.state == DeliveryState.SENT,
        )
        .order_by(deliveries.c.id)
    )
    rows = conn.execute(sent).mappings().all()
    counts = _counts(conn, [row["delivery"] for row in rows])
    return [_covered(row, *counts.get(row["delivery"], (0, 0, 0))) for row in rows]


def _counts(conn: Connection, ids: Collection[int]) -> dict[int, tuple[int, int, int]]:
    gone = replies.c.state == ReplyState.REMOVED
    counted = (
        select(
            replies.c.delivery_id,
            func.sum(case((gone, 0), else_=1)),
            func.sum(case((gone, 1), else_=0)),
            func.sum(case((gone, 0), (replies.c.own, 1), else_=0)),
        )
        .where(replies.c.delivery_id.in_(ids))
        .group_by(replies.c.delivery_id)
    )
    return {one: (seen, gone, own) for one, seen, gone, own in conn.execute(counted)}


def _covered(row: RowMapping, seen: int, removed: int, own: int) -> Coverage:
    return Coverage(
        delivery_id=row["delivery"],
        account=row["name"],
        state=WatchState(row["state"]) if row["state"] else None,
        seen=seen,
        removed=removed,
        own=own,
        total=row["total"],
        why=tuple(_reasons(row, seen)),
        walked_at=row["walked_at"],
        ok_at=row["ok_at"],
        failures=row["failures"] or 0,
    )


def _reasons(row: RowMapping, seen: int) -> Iterator[Say]:
    if not row["state"]:
        yield Say("该平台不提供评论，无法采集")
        return
    if row["failures"]:
        yield Say("最近 {n} 次没有采到：{why}", n=row["failures"], why=Say.of(row["error"]))
    if row["partial"]:
        yield Say("{why}", why=row["partial"])
    elif row["walked_at"] is None:
        yield Say("还没有完整采集过一遍")
    elif row["total"] is not None and row["total"] > seen:
        yield Say("平台计数含已屏蔽、已删除或待审的评论，也可能尚未更新")
    elif row["total"] is not None and row["total"] < seen:
        yield Say("平台计数尚未更新，或有评论已删除、待下次完整采集核对")
    if row["state"] == WatchState.CLOSED:
        yield Say("采集期已满，此后的变化不再采集")


def heartbeat(conn: Connection, unit_ids: Collection[int]) -> list[RowMapping]:
    """Per account: open watches, how many of them are silent, the last answer and the last try."""
    silent = case((watches.c.failures >= SILENT, 1), else_=0)
    beat = (
        select(
            accounts.c.id,
            accounts.c.name,
            func.count().label("open"),
            func.sum(silent).label("silent"),
            func.max(watches.c.ok_at).label("ok_at"),
            func.max(watches.c.polled_at).label("polled_at"),
        )
        .join(accounts, accounts.c.id == watches.c.account_id)
        .where(watches.c.state == WatchState.OPEN, accounts.c.unit_id.in_(unit_ids))
        .group_by(accounts.c.id, accounts.c.name)
        .order_by(accounts.c.id)
    )
    return list(conn.execute(beat).mappings())
