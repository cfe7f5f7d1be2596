"""Sources: what config.toml declares is taken in, and each is polled when its time has come."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import config, lease
from bot.catalog.hand import HAND, retitle
from bot.catalog.intake import stop, take_in
from bot.config import SourcePart
from bot.db import (
    lock,
    sources,
    store_away,
    units,
)
from bot.errors import GongkaiError, SourceError
from bot.language import Say
from bot.model import (
    HoldScope,
    Reading,
    SourceState,
)
from bot.naming import called
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.sources.base import Origin, Source, kinds, source_class

TELL_AFTER_FAILURES = 3
log = logging.getLogger("gongkai.catalog")


# ---------------------------------------------------------------- taking the file in


def sync(office: Office, conn: Connection, now: datetime) -> None:
    """Take the units and sources the file declares; a key that vanished pauses, a unit's by a hold.

    Raises ConfigError for an unknown kind or option.
    """
    _sync_units(office, conn, now)
    unit_ids = dict(conn.execute(select(units.c.key, units.c.id)).all())
    stand = {r["key"]: r for r in conn.execute(select(sources)).mappings()}
    for key, part in office.config.sources.items():
        reader(office, key, part)
        values = {"unit_id": unit_ids[part.unit], "kind": part.kind, "url": part.url}
        if key not in stand:
            fresh = {"key": key, "name": part.name, "state": SourceState.ACTIVE, "due_at": now}
            conn.execute(insert(sources).values(**fresh, **values))
        elif any(stand[key][k] != v for k, v in values.items()):
            # Another address: what it said last is no longer a base for a conditional request.
            again = {"etag": "", "last_modified": "", "name": part.name, "due_at": now}
            conn.execute(update(sources).where(sources.c.key == key).values(**values, **again))
        elif stand[key]["name"] != part.name:
            conn.execute(update(sources).where(sources.c.key == key).values(name=part.name))
    gone = {k for k, row in stand.items() if row["kind"] != HAND} - set(office.config.sources)
    paused = {"state": SourceState.PAUSED}
    conn.execute(update(sources).where(sources.c.key.in_(gone)).values(**paused))


def _sync_units(office: Office, conn: Connection, now: datetime) -> None:
    for key, part in office.config.units.items():
        steps = [step.model_dump(mode="json") for step in part.steps]
        values = {"name": part.name, "steps": steps}
        if conn.execute(select(units.c.id).where(units.c.key == key)).first():
            conn.execute(update(units).where(units.c.key == key).values(**values))
            retitle(conn, key, part.name)
        else:
            conn.execute(insert(units).values(key=key, **values))
    ids = dict(conn.execute(select(units.c.key, units.c.id)).all())
    for key, part in office.config.units.items():
        parent = ids.get(part.parent) if part.parent else None
        conn.execute(update(units).where(units.c.key == key).values(parent_id=parent))
    for key in ids.keys() - office.config.units.keys():
        lock(conn, units, [ids[key]])
        stop(conn, now, HoldScope.UNIT, ids[key], Say("config.toml 里不再有单位 {key}", key=key))


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
            take_in(conn, now, row, part, reading)


def _origin(office: Office, row: RowMapping, part: SourcePart) -> Origin:
    remote = urlsplit(part.url).scheme in ("http", "https")
    url = part.url if remote else str(office.config.place(part.url))
    fill = tuple(part.fill.items())
    known = row["etag"], row["last_modified"]
    proxy, memo = office.config.fetch.proxy, row["memo"] or {}
    return Origin(url, office.config.tz, *known, part.private, proxy, fill, memo)


def _polled(
    conn: Connection, now: datetime, row: RowMapping, part: SourcePart, reading: Reading
) -> bool:
    values: dict[str, Any] = {"polled_at": now, "ok_at": now, "failures": 0, "error": None}
    if not reading.unchanged:
        values |= {"etag": reading.etag, "last_modified": reading.last_modified}
        values |= {"memo": dict(reading.memo), "title": str(reading.meta.get("title") or "")[:200]}
        values["problems"] = [{"where": p.where, "what": p.what} for p in reading.problems[:50]]
        values |= {"baseline_at": row["baseline_at"] or now, "baseline_only": False}
    mine = lease.settle(conn, sources, row, now + part.every, **values)
    if mine:
        close_notice(conn, now, f"source:{row['id']}")
        if not reading.unchanged:
            _tell_of_secrets(conn, now, row, reading)
    return mine


def _tell_of_secrets(conn: Connection, now: datetime, row: RowMapping, reading: Reading) -> None:
    """A document with a mark of secrecy lies where the public's do: told until it is gone."""
    key, found = f"secret:{row['id']}", [p for p in reading.problems if p.secret]
    if not found:
        close_notice(conn, now, key)
        return
    named = "、".join(problem.where for problem in found[:5])
    values = {"key": called(row), "n": len(found), "names": named}
    said = Say("来源 {key} 里有 {n} 个文件标有密级，没有读：{names}；请立即移出", **values)
    open_notice(conn, now, key, said, row["unit_id"], f"/sources/{quote(row['key'])}")


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
                "来源 {key} 连续 {n} 次读不到：{why}", key=called(row), n=failures, why=error.say
            )
            link = f"/sources/{quote(row['key'])}"
            open_notice(conn, now, f"source:{row['id']}", said, row["unit_id"], link)
