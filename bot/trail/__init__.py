"""留痕 read: by filters, in words, as a file. Who may is asked here, for every door.

words      the codes in words
sayings    an entry in words, with the names of what it is about
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from bot import audit, export, people
from bot.db import audits
from bot.errors import NotAllowed
from bot.language import Say
from bot.model import Actor
from bot.office import Office
from bot.trail.sayings import Entry, entries

__all__ = [
    "FILTERS",
    "HEADS",
    "Entry",
    "count",
    "in_words",
    "listing",
    "numbers",
    "require",
    "taken_out",
]

FILTERS = ("subject", "verb", "who")
BATCH = 1000
HEADS: Mapping[str, Say] = {
    "number": Say("编号"),
    "at": Say("时间"),
    "actor": Say("谁"),
    "origin": Say("从何处"),
    "act": Say("动作"),
    "verb": Say("动作代号"),
    "about": Say("对象"),
    "subject": Say("对象代号"),
    "details": Say("详情"),
    "previous": Say("前一条摘要"),
    "digest": Say("摘要"),
}


def require(conn: Connection, actor: Actor) -> None:
    """The machine's own shell may read the trail; a person who answers for an office. Raises NotAllowed."""
    if actor.person is not None and not people.reads_trail(conn, actor):
        raise NotAllowed("留痕由签发人、监督员和管理员查看")


# ---------------------------------------------------------------- listing


def _chosen(filters: Mapping[str, str]) -> list[ColumnElement[bool]]:
    subject, verb, who = (filters.get(name, "") for name in FILTERS)
    where = [
        audits.c.subject == subject if subject else None,
        audits.c.verb.startswith(verb, autoescape=True) if verb else None,
        audits.c.actor == who if who else None,
    ]
    return [clause for clause in where if clause is not None]


def count(conn: Connection, filters: Mapping[str, str]) -> int:
    query = select(func.count()).select_from(audits).where(*_chosen(filters))
    return int(conn.execute(query).scalar_one())


def numbers(conn: Connection, filters: Mapping[str, str], limit: int) -> list[int]:
    """The ids of the newest `limit`, read from indexes alone."""
    some = select(audits.c.id).where(*_chosen(filters)).order_by(audits.c.id.desc()).limit(limit)
    return list(conn.execute(some).scalars())


def listing(
    conn: Connection,
    filters: Mapping[str, str],
    limit: int,
    *,
    offset: int = 0,
    before: int | None = None,
) -> list[RowMapping]:
    """Entries, the newest first: `subject` ("post:12"), `verb` (its beginning), `who` (a name).
    `before`: from below this id on."""
    query = select(audits).where(*_chosen(filters))
    if before is not None:
        query = query.where(audits.c.id < before)
    found = query.order_by(audits.c.id.desc()).limit(limit).offset(offset)
    return list(conn.execute(found).mappings())


def in_words(office: Office, conn: Connection, actor: Actor, rows: list[RowMapping]) -> list[Entry]:
    """These rows as people read them: titles of the units that `actor` reads, numbers of others'."""
    scope = None if actor.person is None else people.unit_ids(conn, actor)
    return entries(office, conn, rows, scope)


# ---------------------------------------------------------------- taking it out


def taken_out(office: Office, actor: Actor, kind: str, filters: Mapping[str, str]) -> IO[bytes]:
    """All the entries that `filters` find, the newest first, as one of bot.export.KINDS: an open file
    at its beginning, to be closed by whoever asked.

    JSON lines hold an entry as it was sealed, so that its digest can be worked out again; tables have
    it in words. Before it leaves, the trail has who took it out. Raises NotAllowed.
    """
    out = SpooledTemporaryFile(max_size=8 * 1024 * 1024)  # noqa: SIM115 - handed on open
    try:
        with office.db.read() as conn:
            require(conn, actor)
            rows = count(conn, filters)
            export.write(
                cast(BinaryIO, out), kind, HEADS, _rows(office, conn, actor, kind, filters)
            )
        with office.db.write() as conn:
            asked = {name: filters[name] for name in FILTERS if filters.get(name)}
            said = {"kind": kind, "rows": rows, "filters": asked}
            audit.write(conn, office.db.now(conn), actor, "trail.export", "trail", **said)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return cast(IO[bytes], out)


def _rows(
    office: Office, conn: Connection, actor: Actor, kind: str, filters: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    before = None
    while rows := listing(conn, filters, BATCH, before=before):
        if kind == "jsonl":
            yield from ({**row, "at": row["at"].isoformat()} for row in rows)
        else:
            yield from (_worded(office, one) for one in in_words(office, conn, actor, rows))
        before = rows[-1]["id"]


def _worded(office: Office, one: Entry) -> dict[str, Any]:
    details = str(Say("；")).join(map(str, one.details))
    at = one.row["at"].astimezone(office.config.tz)
    return {**one.row, "at": at, "act": one.act, "about": str(one.about), "details": details}
