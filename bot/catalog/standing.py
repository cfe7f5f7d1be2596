"""What stands in the catalogues now, and since when it is public."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection, RowMapping, select

from bot.catalog import nature
from bot.catalog.hand import HAND
from bot.db import deliveries, items, posts, sources, units
from bot.model import Act, DeliveryState, Entry
from bot.office import Office
from bot.workdays import office_day


@dataclass(frozen=True)
class Item:
    """An entry that stands, and when it became public: days of the office's calendar."""

    id: int
    source: str
    unit: str
    entry: Entry
    seen: date
    added: date  # when its source was
    formed: date | None
    public: date | None
    listed: bool = True  # where it came from
    posted: bool = False  # a post of it stands that was not taken down


def load(
    office: Office,
    conn: Connection,
    unit_ids: Collection[int],
    only: str = "",
) -> list[Item]:
    """The entries that stand; what was given back or called back is none of the catalogue's."""
    query = (
        select(
            *(items.c[name] for name in ("id", "entry", "seen_at", "gone_at")),
            *(sources.c[name] for name in ("kind", "url", "baseline_at")),
            sources.c.key.label("source"),
            units.c.key.label("unit"),
        )
        .join(sources, sources.c.id == items.c.source_id)
        .join(units, units.c.id == sources.c.unit_id)
        .where(sources.c.unit_id.in_(unit_ids), items.c.returned == "")
        .order_by(items.c.id)
    )
    if only:
        query = query.where(items.c.title.contains(only))
    sent, standing = _sent(conn)
    rows = conn.execute(query.execution_options(yield_per=500)).mappings()
    return [_item(office, row, sent.get(row["id"]), row["id"] in standing) for row in rows]


def _item(office: Office, row: RowMapping, sent: datetime | None, posted: bool) -> Item:
    entry, zone = _as_read(Entry.of(row["entry"])), office.config.tz
    on_the_web = row["kind"] != HAND and row["url"].startswith(("http://", "https://"))
    public = entry.published or sent or (row["seen_at"] if on_the_web else None)
    added = row["baseline_at"] or row["seen_at"]
    return Item(
        id=row["id"],
        source=row["source"],
        unit=row["unit"],
        entry=entry,
        seen=office_day(row["seen_at"], zone),
        added=office_day(added, zone),
        formed=office_day(entry.formed, zone) if entry.formed else None,
        public=office_day(public, zone) if public else None,
        listed=row["gone_at"] is None,
        posted=posted,
    )


def _as_read(entry: Entry) -> Entry:
    """Without a text nobody reads here: there may be very many entries."""
    read = nature.interprets(entry) or "公示" in entry.title
    return entry if read else replace(entry, body="", attachments=())


def _sent(conn: Connection) -> tuple[dict[int, datetime], set[int]]:
    """When each entry first went out in a post, and those of which something stands there still."""
    done = deliveries.c.state == DeliveryState.SENT
    targets = select(deliveries.c.target_id).where(deliveries.c.act == Act.WITHDRAW, done)
    withdrawn = set(conn.execute(targets).scalars())
    query = (
        select(posts.c.item_id, posts.c.from_items, deliveries.c.id, deliveries.c.sent_at)
        .join(deliveries, deliveries.c.post_id == posts.c.id)
        .where(deliveries.c.act == Act.PUBLISH, done, deliveries.c.sent_at.is_not(None))
    )
    first: dict[int, datetime] = {}
    standing: set[int] = set()
    for item_id, made_of, delivery, at in conn.execute(query):
        for one in made_of or ([item_id] if item_id else []):
            first[one] = min(at, first.get(one, at))
            standing |= {one} if delivery not in withdrawn else set()
    return first, standing
