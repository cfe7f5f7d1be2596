"""What people decide about items and sources, and the list they decide by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, or_, select, update

from bot import audit, people
from bot.db import aside, items, lock, sources, units
from bot.errors import Conflict, NotFound
from bot.language import Say
from bot.model import Actor, ItemState, Right, SourceState
from bot.naming import source_name
from bot.notices import close_notice
from bot.text import document_key

BROUGHT_BACK = Say("由人取回，待成稿")


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


def bring_back(conn: Connection, now: datetime, actor: Actor, item_id: int) -> None:
    """What was skipped waits for a person again. Raises NotAllowed, Conflict."""
    row = _for(conn, actor, item_id)
    if row["state"] != ItemState.SKIPPED:
        raise Conflict("这个条目不在“不发”里，无须取回")
    if row["returned"] or (row["from_unit_id"] is not None and row["gone_at"]):
        raise Conflict("这份材料已退回或由报送单位收回，请对方再次报送")
    values = {"state": ItemState.NEW, "waits": BROUGHT_BACK.json(), "due_at": None}
    _decided(conn, now, actor, row, "item.bring_back", values)


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
    row = _source(conn, actor, key, Right.ADMIN)
    state = SourceState.PAUSED if paused else SourceState.ACTIVE
    values = {"state": state, "due_at": now}
    conn.execute(update(sources).where(sources.c.key == key).values(**values))
    verb = "source.pause" if paused else "source.activate"
    audit.write(conn, now, actor, verb, f"source:{row['id']}")


def poll_now(conn: Connection, now: datetime, actor: Actor, key: str) -> None:
    """Let the next turn poll it. Raises NotFound, NotAllowed, Conflict where it is paused."""
    row = _source(conn, actor, key, Right.WRITE)
    if row["state"] != SourceState.ACTIVE:
        raise Conflict("来源 {key} 已暂停，请先恢复再读", key=key)
    conn.execute(update(sources).where(sources.c.key == key).values(due_at=now))
    audit.write(conn, now, actor, "source.poll", f"source:{row['id']}")


def _source(conn: Connection, actor: Actor, key: str, right: Right) -> RowMapping:
    """The source, where this person may, or the machine's own shell asks."""
    row = conn.execute(select(sources).where(sources.c.key == key)).mappings().first()
    if row is None:
        raise NotFound("没有来源 {key}", key=key)
    if actor.person is not None:
        people.require(conn, actor, right, row["unit_id"])
    return row


def listing(
    conn: Connection,
    unit_ids: set[int],
    *,
    limit: int = 50,
    offset: int = 0,
    before: int | None = None,
    **filters: str,
) -> list[RowMapping]:
    """Items of some units, newest first; `filters`: those of `narrowed`.

    `before`: by number, from below it on, so that a program can page through what grows meanwhile.
    """
    numbers = narrowed(select(items.c.id), unit_ids, **filters)
    order: tuple[Any, ...] = (items.c.published.desc().nulls_last(), items.c.id.desc())
    if before is not None:
        numbers, order = numbers.where(items.c.id < before), (items.c.id.desc(),)
    # Found in an index first: of many thousands only these are read.
    some = list(conn.execute(numbers.order_by(*order).limit(limit).offset(offset)).scalars())
    giver = units.alias()
    named = sources.c.key.label("source_key"), source_name.label("source_name"), sources.c.unit_id
    query = select(*items.c, *named, giver.c.name.label("from_unit")).select_from(items)
    query = query.join(sources).outerjoin(giver, giver.c.id == items.c.from_unit_id)
    return list(conn.execute(query.where(items.c.id.in_(some)).order_by(*order)).mappings())


def narrowed(
    query: Select[Any],
    unit_ids: set[int],
    *,
    state: str = "",
    source: str = "",
    words: str = "",
    handed_in: str = "",
) -> Select[Any]:
    """Of a select over items, those of some units that filters let through.

    `words` are looked for in the title, or are a document number. `handed_in`: what the unit of that key handed in to others,
    whatever became of it; then these must be among `unit_ids`, or that unit.
    """
    theirs = select(sources.c.id).where(sources.c.unit_id.in_(unit_ids))
    # Aside: by the states or the order asked for, not source by source.
    mine: ColumnElement[bool] = aside(items.c.source_id).in_(theirs)
    if handed_in:
        giver = select(units.c.id).where(units.c.key == handed_in)
        query = query.where(items.c.from_unit_id.in_(giver))
        mine = or_(mine, items.c.from_unit_id.in_(unit_ids))
    if state == "waiting":
        query = query.where(items.c.state == ItemState.NEW, items.c.waits.is_not(None))
    elif state:
        query = query.where(items.c.state == state)
    if source:
        named = select(sources.c.id).where(sources.c.key == source).scalar_subquery()
        query = query.where(aside(items.c.source_id) == named)
    if words:
        titled = items.c.title.contains(words, autoescape=True)
        query = query.where(or_(titled, items.c.document_number == document_key(words)))
    return query.where(mine)
