"""What a person is typing, kept before it is a revision: his alone, until he saves it or lets it go.

One for each post a person writes on, and any number of new ones. A page takes part under the name
of its window, so that a forgotten window never writes over what was typed since in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from bot import people
from bot.compose.reading import one
from bot.db import insert_missing, micros, writings
from bot.db import people as persons
from bot.errors import Conflict, Invalid
from bot.model import Actor, Right

NEW = 0  # the post of what is none yet
LIMIT = 100_000  # characters
FIELDS = 500
MOST = 50  # new ones of a person
KEPT = timedelta(days=90)
OPEN = timedelta(seconds=60)  # a page says every 20 seconds that it is open
RECENT = timedelta(days=1)
Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """Where a page's writing lies: its key (of a new one), the page's window, the mark it was opened
    on, and how many times it has sent what stands there."""

    key: str = ""
    window: str = ""
    seen: int = 0
    turn: int = 0


def keep_writing(
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    fields: Fields,
    place: Place,
) -> None:
    """Keep what stands in a form. `post_id` NEW: of a new one.

    Raises NotAllowed, Invalid (too long), Conflict (typed on in another window since, or too many).
    """
    _allowed(conn, actor, post_id)
    if len(fields) > FIELDS or sum(len(k) + len(v) for k, v in fields) > LIMIT:
        raise Invalid("内容太长，没有自动保存；请删减")
    _forget_old(conn, now)
    row, ours = writing(conn, actor, post_id, place.key), place.window
    if row is None and post_id == NEW and len(new_writings(conn, actor)) >= MOST:
        raise Conflict("没有存成稿件的已有 {n} 份，请先存下或清掉一些", n=MOST)
    if row is not None and row["window"] != ours and mark(row) > place.seen:
        raise Conflict("您在另一个窗口或另一台电脑上改过这篇，那边的更新；这里的没有自动保存")
    if row is not None and row["window"] == ours and row["turn"] > place.turn:
        return  # it was long on its way: what the window sent after it stands
    stored = {"fields": list(map(list, fields)), "window": ours, "turn": place.turn, "at": now}
    _write(conn, actor, post_id, place.key, **stored)


def _allowed(conn: Connection, actor: Actor, post_id: int) -> None:
    if post_id == NEW:
        people.require_anywhere(conn, actor, Right.WRITE)
    else:
        people.require(conn, actor, Right.WRITE, one(conn, post_id)["unit_id"])


def _mine(actor: Actor, post_id: int, key: str = "") -> ColumnElement[bool]:
    whose = writings.c.person_id == actor.person
    return and_(whose, writings.c.post_id == post_id, writings.c.key == key)


def _write(conn: Connection, actor: Actor, post_id: int, key: str, **values: object) -> None:
    """Two windows may begin at once: one row, whoever is first."""
    insert_missing(conn, writings, [{"person_id": actor.person, "post_id": post_id, "key": key}])
    conn.execute(update(writings).where(_mine(actor, post_id, key)).values(**values))


def _forget_old(conn: Connection, now: datetime) -> None:
    """What nobody came back to, also of people who left."""
    last = func.coalesce(writings.c.at, writings.c.seen_at)
    conn.execute(delete(writings).where(last < now - KEPT))


def writing(conn: Connection, actor: Actor, post_id: int, key: str = "") -> RowMapping | None:
    """What he was typing there."""
    typed = _mine(actor, post_id, key), writings.c.fields.is_not(None)
    return conn.execute(select(writings).where(*typed)).mappings().first()


def mark(row: RowMapping) -> int:
    """When it was typed, as pages carry it: milliseconds."""
    return micros(row["at"]) // 1000


def new_writings(conn: Connection, actor: Actor) -> list[RowMapping]:
    """What he began and never saved as a post, the newest first."""
    whose = writings.c.person_id == actor.person, writings.c.post_id == NEW
    query = select(writings).where(*whose, writings.c.fields.is_not(None))
    return list(conn.execute(query.order_by(writings.c.at.desc())).mappings())


def writings_of(conn: Connection, actor: Actor) -> list[RowMapping]:
    """All he typed and did not save, of posts and new ones, the newest row first: his own alone."""
    mine = writings.c.person_id == actor.person, writings.c.fields.is_not(None)
    query = select(writings).where(*mine).order_by(writings.c.id.desc())
    return list(conn.execute(query).mappings())


def drop_writing(conn: Connection, actor: Actor, post_id: int, key: str = "") -> None:
    """It became a revision, or he lets it go. Raises NotAllowed."""
    _allowed(conn, actor, post_id)
    conn.execute(delete(writings).where(_mine(actor, post_id, key)))


def open_writing(conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """He has the post's form open. Raises NotAllowed."""
    _allowed(conn, actor, post_id)
    _write(conn, actor, post_id, "", seen_at=now)


def others_writing(conn: Connection, now: datetime, actor: Actor, post_id: int) -> list[RowMapping]:
    """Who else has the post's form open, or typed there within a day and did not save: name, `at`
    where he typed, `seen_at`. Never what he typed."""
    here = or_(writings.c.seen_at > now - OPEN, writings.c.at > now - RECENT)
    query = (
        select(persons.c.name, writings.c.at, writings.c.seen_at)
        .join(persons, persons.c.id == writings.c.person_id)
        .where(writings.c.post_id == post_id, writings.c.person_id != actor.person, here)
    )
    return list(conn.execute(query.order_by(writings.c.id)).mappings())
