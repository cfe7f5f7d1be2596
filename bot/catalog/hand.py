"""By hand: entries typed in, and material that a department hands in (上报) to another unit.

Each unit has a catalogue of its own kept by hand, a source that is never polled, made when first
needed. What is handed in stands in the receiving unit's, with the unit it came from; the receiver
makes a post of it, or gives it back with a reason, and the department may mend it and hand it in
again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, select, update

from bot import audit, people
from bot.catalog.intake import insert_item, revised
from bot.db import insert_id, items, lock, sources, units
from bot.errors import Conflict, Invalid, NotFound, SourceError
from bot.language import Say
from bot.model import Actor, Entry, ItemState, Right, SourceState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.sources.base import Origin, source_class

HAND = "hand"  # the kind of such a source; no reader has this name
TYPED = Say("手工录入，待成稿")


def entries_of(office: Office, records: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Entries from fields as people name them (title or 标题, formed or 成文日期, …).

    Raises Invalid for the first thing that cannot be read: a date, a link, a missing title.
    """
    table = source_class("table")
    body = json.dumps([dict(one) for one in records], ensure_ascii=False).encode()
    try:
        made = table(table.options_model())
        reading = made.parse(body, "", Origin("", office.config.tz))
    except SourceError as error:
        raise Invalid(error.say) from error
    if wrong := [p for p in reading.problems if p.where != str(Say("全文"))]:
        raise Invalid("{where}：{what}", where=wrong[0].where, what=wrong[0].what)
    if len(reading.entries) < len(records) or not all(e.title for e in reading.entries):
        raise Invalid("每条都要有标题，且不能重复")
    return list(reading.entries)


def add(
    conn: Connection, now: datetime, actor: Actor, unit: str, entries: Sequence[Entry]
) -> list[int]:
    """Type entries into a unit's own catalogue; their ids. All or none.

    Raises NotAllowed, NotFound, Conflict.
    """
    home = people.unit_of(conn, unit)
    people.require(conn, actor, Right.WRITE, home["id"])
    return _kept(conn, now, actor, home, entries, "item.add", TYPED, None)


def submit(
    conn: Connection, now: datetime, actor: Actor, unit: str, to: str, entries: Sequence[Entry]
) -> list[int]:
    """Hand material of `unit` in to another's catalogue; the items' ids. All or none.

    Raises NotAllowed, NotFound, Conflict.
    """
    giver, home = people.unit_of(conn, unit), people.unit_of(conn, to)
    people.require(conn, actor, Right.SUBMIT, giver["id"])
    waits = Say("{unit}报送", unit=giver["name"])
    made = _kept(conn, now, actor, home, entries, "item.submit", waits, giver)
    for item_id, entry in zip(made, entries, strict=True):
        _tell(conn, now, item_id, giver, home["id"], entry.title)
    return made


def _kept(
    conn: Connection,
    now: datetime,
    actor: Actor,
    home: RowMapping,
    entries: Sequence[Entry],
    verb: str,
    waits: Say,
    giver: RowMapping | None,
) -> list[int]:
    source_id = _catalogue(conn, now, home)
    made = []
    by = {"by_id": actor.person, "from_unit_id": giver["id"] if giver else None}
    for entry in entries:
        _refuse_twin(conn, source_id, entry)
        keyed = _by(giver or home, entry, uuid4().hex)
        item_id = insert_item(conn, now, source_id, keyed, ItemState.NEW, waits, **by)
        audit.write(conn, now, actor, verb, f"item:{item_id}")
        made.append(item_id)
    return made


def _by(unit: RowMapping, entry: Entry, key: str) -> Entry:
    """Where no other publisher is named it is whose material it is."""
    own = {"key": key, "publisher": entry.publisher or unit["name"]}
    return Entry.of(entry.json() | own)


def _unit(conn: Connection, row: RowMapping) -> RowMapping:
    """Whose material an entry is: of who handed it in, else of who keeps the catalogue."""
    query = select(units).where(units.c.id == (row["from_unit_id"] or row["unit_id"]))
    return conn.execute(query).mappings().one()


def _catalogue(conn: Connection, now: datetime, home: RowMapping) -> int:
    """The source a unit keeps by hand."""
    lock(conn, units, [home["id"]])
    key = f"{HAND}:{home['key']}"
    found = conn.execute(select(sources.c.id).where(sources.c.key == key)).scalar()
    values = {
        "key": key,
        "unit_id": home["id"],
        "title": _title(home["name"]),
        "kind": HAND,
        "state": SourceState.ACTIVE,
    }
    return int(found) if found else insert_id(conn, sources, {**values, "baseline_at": now})


def _title(unit: str) -> str:
    return Say("{unit}手工目录").text.format(unit=unit)


def retitle(conn: Connection, unit_key: str, name: str) -> None:
    """The catalogue a unit keeps by hand is called by the unit's name of today."""
    mine = update(sources).where(sources.c.key == f"{HAND}:{unit_key}")
    conn.execute(mine.values(title=_title(name)))


def _refuse_twin(conn: Connection, source_id: int, entry: Entry) -> None:
    alike = select(items.c.id, items.c.entry).where(
        items.c.source_id == source_id,
        items.c.title == entry.title,
        items.c.state != ItemState.SKIPPED,
    )
    for item_id, stored in conn.execute(alike):
        if stored["document_number"] == entry.document_number:
            raise Conflict("已有同名同文号的条目 #{id}“{title}”", id=item_id, title=entry.title)


def _tell(
    conn: Connection, now: datetime, item_id: int, giver: RowMapping, to: int, title: str
) -> None:
    said = Say("{unit}报送“{title}”，请成稿或退回", unit=giver["name"], title=title)
    open_notice(conn, now, f"item:{item_id}", said, to, f"/items/{item_id}")


# ---------------------------------------------------------------- back and forth


def give_back(conn: Connection, now: datetime, actor: Actor, item_id: int, reason: str) -> None:
    """Give material back to the unit it came from. Raises NotAllowed, NotFound, Invalid, Conflict."""
    row = _locked(conn, item_id)
    people.require(conn, actor, Right.WRITE, row["unit_id"])
    if row["from_unit_id"] is None:
        raise Invalid("这个条目不是报送来的，没有可退回的单位；不发请用“不发”")
    if row["state"] == ItemState.COMPOSED:
        raise Conflict("这个条目已经成稿")
    if not reason.strip():
        raise Invalid("请写明退回的理由")
    values = {"state": ItemState.SKIPPED, "returned": reason.strip(), "waits": None}
    free = {"due_at": None, "lease": None, "leased_until": None}
    conn.execute(update(items).where(items.c.id == item_id).values(**values, **free))
    audit.write(conn, now, actor, "item.return", f"item:{item_id}")
    close_notice(conn, now, f"item:{item_id}")
    said = Say("报送的“{title}”被退回：{why}", title=row["title"], why=reason.strip())
    key, link = f"given-back:{item_id}", f"/items/{item_id}"
    open_notice(conn, now, key, said, row["from_unit_id"], link)


def amend(conn: Connection, now: datetime, actor: Actor, item_id: int, entry: Entry) -> None:
    """Change an entry kept by hand; one that was given back is handed in again by this.

    What was made of it and has not gone is held. Raises NotAllowed, NotFound, Invalid.
    """
    row = _locked(conn, item_id)
    if row["kind"] != HAND:
        raise Invalid("只有手工录入的条目能在这里改；其他条目请在来源处改")
    _require_either(conn, actor, row)
    revised(conn, now, row, _by(_unit(conn, row), entry, row["key"]))
    audit.write(conn, now, actor, "item.amend", f"item:{item_id}")
    if row["returned"]:
        giver = _unit(conn, row)
        again: dict[str, Any] = {"state": ItemState.NEW, "returned": ""}
        again |= {"waits": Say("{unit}报送", unit=giver["name"]).json()}
        conn.execute(update(items).where(items.c.id == item_id).values(**again))
        close_notice(conn, now, f"given-back:{item_id}")
        _tell(conn, now, item_id, giver, row["unit_id"], entry.title)


def call_back(conn: Connection, now: datetime, actor: Actor, item_id: int) -> None:
    """The giver takes its material back, or lets what was given back rest.

    Raises NotAllowed, NotFound, Invalid, Conflict.
    """
    row = _locked(conn, item_id)
    if row["from_unit_id"] is None:
        raise Invalid("这个条目不是报送来的")
    people.require(conn, actor, Right.SUBMIT, row["from_unit_id"])
    if row["state"] == ItemState.COMPOSED:
        raise Conflict("这个条目已经成稿，请联系{unit}", unit=row["unit"])
    values = {"state": ItemState.SKIPPED, "waits": None, "gone_at": now}
    free = {"due_at": None, "lease": None, "leased_until": None}
    conn.execute(update(items).where(items.c.id == item_id).values(**values, **free))
    audit.write(conn, now, actor, "item.call_back", f"item:{item_id}")
    close_notice(conn, now, f"item:{item_id}", f"given-back:{item_id}")


def _require_either(conn: Connection, actor: Actor, row: RowMapping) -> None:
    """The catalogue's own editors may; the giver only while it lies with him."""
    if row["returned"] and people.may(conn, actor, Right.SUBMIT, row["from_unit_id"]):
        return
    people.require(conn, actor, Right.WRITE, row["unit_id"])


def _locked(conn: Connection, item_id: int) -> RowMapping:
    lock(conn, items, [item_id])
    query = (
        select(*items.c, sources.c.unit_id, sources.c.kind, units.c.name.label("unit"))
        .join(sources, sources.c.id == items.c.source_id)
        .join(units, units.c.id == sources.c.unit_id)
        .where(items.c.id == item_id)
    )
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    return row
