"""目录: sources are polled, entries become items.

Identity is the source's key (see sources); a changed digest is a new revision of the item and holds
what was made of it and has not gone. The first successful poll is the baseline. More than `max_new`
new entries in one poll, or one older than `max_age`, wait for a person: a site's redesign floods
nobody. Gone is missing from two whole reads while an older entry is still listed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update

from bot import audit, config, lease, people
from bot.config import SourcePart
from bot.db import (
    deliveries,
    holds,
    insert_id,
    item_revisions,
    items,
    lock,
    posts,
    sources,
    store_away,
    units,
)
from bot.errors import Conflict, GongkaiError, NotFound, SourceError
from bot.language import Say
from bot.model import (
    MACHINE,
    Actor,
    DeliveryState,
    Entry,
    HoldScope,
    ItemState,
    PostState,
    Reading,
    Right,
    SourceState,
)
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.sources.base import Origin, Source, kinds, source_class

MISSING_BEFORE_GONE = 2
TELL_AFTER_FAILURES = 3
NOT_DRAFTED = Say("该来源不自动成稿")  # a digest or a person may still pick it
log = logging.getLogger("gongkai.catalog")


# ---------------------------------------------------------------- taking the file in


def sync(office: Office, conn: Connection, now: datetime) -> None:
    """Take the units and sources the file declares; a key that vanished pauses.

    Raises ConfigError for an unknown kind or option.
    """
    _sync_units(office, conn)
    unit_ids = dict(conn.execute(select(units.c.key, units.c.id)).all())
    stand = {r["key"]: r for r in conn.execute(select(sources)).mappings()}
    for key, part in office.config.sources.items():
        reader(office, key, part)
        values = {"unit_id": unit_ids[part.unit], "kind": part.kind, "url": part.url}
        if key not in stand:
            fresh = {"key": key, "state": SourceState.ACTIVE, "due_at": now}
            conn.execute(insert(sources).values(**fresh, **values))
        elif any(stand[key][k] != v for k, v in values.items()):
            # Another address: what it said last is no longer a base for a conditional request.
            again = {"etag": "", "last_modified": "", "due_at": now}
            conn.execute(update(sources).where(sources.c.key == key).values(**values, **again))
    gone = set(stand) - set(office.config.sources)
    paused = {"state": SourceState.PAUSED}
    conn.execute(update(sources).where(sources.c.key.in_(gone)).values(**paused))


def _sync_units(office: Office, conn: Connection) -> None:
    for key, part in office.config.units.items():
        steps = [step.model_dump(mode="json") for step in part.steps]
        values = {"name": part.name, "steps": steps}
        if conn.execute(select(units.c.id).where(units.c.key == key)).first():
            conn.execute(update(units).where(units.c.key == key).values(**values))
        else:
            conn.execute(insert(units).values(key=key, **values))
    ids = dict(conn.execute(select(units.c.key, units.c.id)).all())
    for key, part in office.config.units.items():
        parent = ids.get(part.parent) if part.parent else None
        conn.execute(update(units).where(units.c.key == key).values(parent_id=parent))


def reader(office: Office, key: str, part: SourcePart) -> Source:
    """The source's reader. Raises ConfigError naming what is wrong in the file."""
    file, source = office.config.path, office.config.path.read_text("utf-8")
    if part.kind not in kinds():
        raise config.unknown(file, source, ["sources", key, "kind"], part.kind, kinds())
    kind = source_class(part.kind)
    under = ["sources", key, "options"]
    return kind(config.check(kind.options_model, part.options, file, source, under))


# ---------------------------------------------------------------- polling


async def poll_due(office: Office, n: int = 4) -> int:
    """Poll the sources whose time has come, side by side; give how many."""
    rows = await asyncio.to_thread(_claim, office, n)
    await asyncio.gather(*(_poll(office, row, office.config.sources[row["key"]]) for row in rows))
    return len(rows)


def _claim(office: Office, n: int) -> list[RowMapping]:
    declared = sources.c.key.in_(list(office.config.sources))
    with office.db.write() as conn:
        now = office.db.now(conn)
        active = sources.c.state == SourceState.ACTIVE
        return lease.claim(conn, sources, now, n, active, declared)


async def _poll(office: Office, row: RowMapping, part: SourcePart) -> None:
    """A source that cannot be read, for whatever cause, blocks no other."""
    try:
        reading = await reader(office, row["key"], part).read(_origin(office, row, part))
        await asyncio.to_thread(_take, office, row, part, reading)
    except GongkaiError as error:
        await asyncio.to_thread(_failed, office, row, part, error)
    except Exception as error:
        if store_away(error):
            raise
        log.exception("source %s", row["key"])
        said = Say("读取时内部出错（{kind}），请管理员查看日志", kind=type(error).__name__)
        await asyncio.to_thread(_failed, office, row, part, SourceError(said))


def _take(office: Office, row: RowMapping, part: SourcePart, reading: Reading) -> None:
    """Nothing of a reading whose lease was lost: whoever has it now reads for himself."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        if _polled(conn, now, row, part, reading) and not reading.unchanged:
            take_in(office, conn, now, row, part, reading)


def _origin(office: Office, row: RowMapping, part: SourcePart) -> Origin:
    remote = urlsplit(part.url).scheme in ("http", "https")
    url = part.url if remote else str(office.config.place(part.url))
    fill = tuple(part.fill.items())
    known = row["etag"], row["last_modified"]
    return Origin(url, office.config.tz, *known, part.private, fill, row["memo"] or {})


def _polled(
    conn: Connection, now: datetime, row: RowMapping, part: SourcePart, reading: Reading
) -> bool:
    values: dict[str, Any] = {"polled_at": now, "ok_at": now, "failures": 0, "error": None}
    if not reading.unchanged:
        values |= {"etag": reading.etag, "last_modified": reading.last_modified}
        values |= {"memo": dict(reading.memo)}
        values["problems"] = [{"where": p.where, "what": p.what} for p in reading.problems[:50]]
        values |= {"baseline_at": row["baseline_at"] or now, "baseline_only": False}
    mine = lease.settle(conn, sources, row, now + part.every, **values)
    if mine:
        close_notice(conn, now, f"source:{row['id']}")
    return mine


def _failed(office: Office, row: RowMapping, part: SourcePart, error: GongkaiError) -> None:
    """Nothing was taken. Looked at again after the usual while, growing to six hours."""
    failures = row["failures"] + 1
    wait = min(part.every * 2 ** min(failures, 6), max(part.every, timedelta(hours=6)))
    with office.db.write() as conn:
        now = office.db.now(conn)
        values = {"polled_at": now, "failures": failures, "error": error.say.json()}
        lease.settle(conn, sources, row, now + wait, **values)
        if failures >= TELL_AFTER_FAILURES or (isinstance(error, SourceError) and error.gone):
            said = Say(
                "来源 {key} 连续 {n} 次读不到：{why}", key=row["key"], n=failures, why=error.say
            )
            open_notice(conn, now, f"source:{row['id']}", said, row["unit_id"], "/accounts")


# ---------------------------------------------------------------- taking entries in


def take_in(
    office: Office,
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
        _seen_again(conn, now, known[key], listed[key])
    fresh = [entry for key, entry in listed.items() if key not in known]
    _add(conn, now, source, part, fresh[::-1])
    if reading.whole:
        _missing(conn, now, known, listed.keys())


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
        _insert(conn, now, source["id"], entry, state, waits)
    if flood:
        said = Say(
            "来源 {key} 一次多出 {n} 条，已全部留待人工确认", key=source["key"], n=len(fresh)
        )
        open_notice(conn, now, f"flood:{source['id']}", said, source["unit_id"], "/items")
    if source["baseline_only"] and fresh:
        said = Say(
            "恢复备份后首次读取来源 {key}：备份里没有的 {n} 条记为不发，请核对是否已发",
            key=source["key"],
            n=len(fresh),
        )
        open_notice(conn, now, f"baseline:{source['id']}", said, source["unit_id"], "/items")


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
    return ItemState.NEW, None


def _insert(
    conn: Connection,
    now: datetime,
    source_id: int,
    entry: Entry,
    state: ItemState,
    waits: Say | None,
) -> int:
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
            "digest": entry.digest,
            "revision": 1,
            "entry": stored,
            "waits": waits.json() if waits else None,
            "published": entry.published,
            "seen_at": now,
            "due_at": now if state is ItemState.NEW and waits is None else None,
        },
    )
    values = {"item_id": item_id, "number": 1, "digest": entry.digest, "entry": stored}
    conn.execute(insert(item_revisions).values(at=now, **values))
    return item_id


def _seen_again(conn: Connection, now: datetime, item: RowMapping, entry: Entry) -> None:
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
            published=entry.published,
            changed_at=now,
        )
    )
    _hold(conn, now, item["id"], Say("来源条目改到第 {n} 版", n=number))


def _missing(
    conn: Connection, now: datetime, known: Mapping[str, RowMapping], listed: Collection[str]
) -> None:
    """Missing while an older entry is still listed: a feed that merely moved on proves nothing."""
    standing = [known[key] for key in listed if key in known]
    unlisted = known.keys() - set(listed)
    for row in _not_below(standing, [known[key] for key in unlisted]):
        if row["gone_at"]:
            continue
        missing = row["missing"] + 1
        gone = missing >= MISSING_BEFORE_GONE
        values = {"missing": missing, "gone_at": now if gone else None}
        conn.execute(update(items).where(items.c.id == row["id"]).values(**values))
        if gone:
            _hold(conn, now, row["id"], Say("来源条目已撤下"))


def _not_below(standing: Sequence[RowMapping], rows: Sequence[RowMapping]) -> list[RowMapping]:
    """The rows that something standing is older than.

    By date of publication; where one of the two has none, only what an earlier reading brought is
    older.
    """
    published = min((r["published"] for r in standing if r["published"]), default=None)
    undated = min((r["seen_at"] for r in standing if not r["published"]), default=None)
    seen = min((r["seen_at"] for r in standing), default=None)

    def _older(row: RowMapping) -> bool:
        if row["published"] is None:
            return seen is not None and seen < row["seen_at"]
        by_date = published is not None and published < row["published"]
        return by_date or (undated is not None and undated < row["seen_at"])

    return [row for row in rows if _older(row)]


def _hold(conn: Connection, now: datetime, item_id: int, why: Say) -> None:
    """Hold what came of this entry and has not gone, until a person has looked."""
    lock(conn, items, [item_id])
    if _unsent(conn, posts.c.item_id == item_id):
        _stop(conn, now, HoldScope.ITEM, item_id, why)
    digests = select(posts.c.id, posts.c.from_items).where(
        posts.c.from_items.is_not(None), posts.c.state != PostState.CLOSED
    )
    mine = [post for post, made_of in conn.execute(digests) if item_id in made_of]
    for post in _unsent(conn, posts.c.id.in_(mine)):
        _stop(conn, now, HoldScope.POST, post, why)


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


def _stop(conn: Connection, now: datetime, scope: HoldScope, target: int, why: Say) -> None:
    """One hold stands until it is lifted, however often the entry changes meanwhile."""
    mine = holds.c.scope == scope, holds.c.target_id == target, holds.c.person_id.is_(None)
    if conn.execute(select(holds.c.id).where(*mine, holds.c.lifted_at.is_(None))).first():
        return
    values = {"scope": scope, "target_id": target, "reason": str(why), "since": now}
    made = insert_id(conn, holds, {**values, "passes": []})
    audit.write(conn, now, MACHINE, "hold", f"{scope}:{target}", hold=made)
    open_notice(conn, now, f"hold:{made}", why, None, f"/stop#hold-{made}")


# ---------------------------------------------------------------- people's acts


def take(conn: Connection, now: datetime, actor: Actor, item_id: int) -> None:
    """Let a waiting or skipped item become a draft. Raises NotAllowed, Conflict."""
    row = _for(conn, actor, item_id)
    if row["state"] == ItemState.COMPOSED:
        raise Conflict("这个条目已经成稿")
    values = {"state": ItemState.NEW, "waits": None, "due_at": now}
    _decided(conn, now, actor, row, "item.take", values)


def skip(conn: Connection, now: datetime, actor: Actor, item_id: int) -> None:
    """Make nothing of it. Raises NotAllowed, Conflict."""
    row = _for(conn, actor, item_id)
    if row["state"] == ItemState.COMPOSED:
        raise Conflict("这个条目已经成稿")
    values = {"state": ItemState.SKIPPED, "waits": None, "due_at": None}
    _decided(conn, now, actor, row, "item.skip", values)


def _decided(
    conn: Connection,
    now: datetime,
    actor: Actor,
    row: RowMapping,
    verb: str,
    values: dict[str, Any],
) -> None:
    """A person's word on an item. A flood is over when none of its source waits any more."""
    lost = {"lease": None, "leased_until": None, "tries": 0}  # what was at work on it ends unheard
    conn.execute(update(items).where(items.c.id == row["id"]).values(**values, **lost))
    audit.write(conn, now, actor, verb, f"item:{row['id']}")
    close_notice(conn, now, f"item:{row['id']}")
    waiting = items.c.source_id == row["source_id"], items.c.waits.is_not(None)
    if not conn.execute(select(items.c.id).where(*waiting).limit(1)).first():
        close_notice(conn, now, f"flood:{row['source_id']}")


def _for(conn: Connection, actor: Actor, item_id: int) -> RowMapping:
    lock(conn, items, [item_id])
    query = select(*items.c, sources.c.unit_id).join(sources).where(items.c.id == item_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    people.require(conn, actor, Right.WRITE, row["unit_id"])
    return row


def pause(conn: Connection, now: datetime, actor: Actor, key: str, paused: bool) -> None:
    """Stop polling a source or go on. Raises NotFound, NotAllowed."""
    row = conn.execute(select(sources).where(sources.c.key == key)).mappings().first()
    if row is None:
        raise NotFound("没有来源 {key}", key=key)
    if actor.person is not None:
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
    state = SourceState.PAUSED if paused else SourceState.ACTIVE
    values = {"state": state, "due_at": now}
    conn.execute(update(sources).where(sources.c.key == key).values(**values))
    audit.write(
        conn, now, actor, "source.pause" if paused else "source.activate", f"source:{row['id']}"
    )


def poll_now(conn: Connection, now: datetime, actor: Actor, key: str) -> None:
    """Let the next turn poll it. Raises NotFound, NotAllowed."""
    row = conn.execute(select(sources).where(sources.c.key == key)).mappings().first()
    if row is None:
        raise NotFound("没有来源 {key}", key=key)
    if actor.person is not None:
        people.require(conn, actor, Right.WRITE, row["unit_id"])
    conn.execute(update(sources).where(sources.c.key == key).values(due_at=now))


def listing(
    conn: Connection,
    unit_ids: set[int],
    *,
    state: str = "",
    source: str = "",
    words: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[RowMapping]:
    """Items of some units, newest first; `words` are looked for in the title."""
    query = (
        select(*items.c, sources.c.key.label("source_key"), sources.c.unit_id)
        .join(sources)
        .where(sources.c.unit_id.in_(unit_ids))
    )
    if state == "waiting":
        query = query.where(items.c.state == ItemState.NEW, items.c.waits.is_not(None))
    elif state:
        query = query.where(items.c.state == state)
    if source:
        query = query.where(sources.c.key == source)
    if words:
        query = query.where(items.c.title.contains(words, autoescape=True))
    order = (items.c.published.desc().nulls_last(), items.c.id.desc())
    return list(conn.execute(query.order_by(*order).limit(limit).offset(offset)).mappings())
