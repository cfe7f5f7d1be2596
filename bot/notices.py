"""提醒: one incident, one notice, and its end.

A notice is opened under a key, whose first word is its kind; while it stands the same key opens no
second one, but its sentence is the newest. Opening and closing make the row due: bot.telling tells
people of it by mail and the like. What no machine ends, a person ends (`finish`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    func,
    or_,
    select,
    update,
)

from bot import audit, people
from bot.db import Instant, among, deliveries, insert_missing, notices, tellings
from bot.errors import Conflict, NotAllowed, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, NoticeKind, Right

K = NoticeKind
ALIASES = {"schedules": K.SCHEDULE, "watch": K.COLLECT, "given-back": K.ITEM, "link": K.POST}
TURNS = (
    K.REVIEW,
    K.EMERGENCY,
    K.DELEGATION,
)  # somebody's: kept only so that he is told; no incident
BY_HAND = (K.BASELINE, K.POST, K.ITEM, K.FLOOD, K.SCHEDULE, K.DELIVERY)  # may outlive its cause


def kind_of(key: str) -> NoticeKind:
    """What a notice is about."""
    word = key.partition(":")[0]
    if word in ALIASES:
        return ALIASES[word]
    return K(word) if word in set(K) else K.OTHER


def open_notice(
    conn: Connection, now: datetime, key: str, say: Say, unit: int | None = None, link: str = ""
) -> None:
    """Tell people once of an incident; `link` is the console's path to it.

    While it stands another sentence takes the place of the first, and nobody is told twice.
    """
    open_notices(conn, [(now, key, say, unit, link)])


def open_notices(
    conn: Connection, many: Iterable[tuple[datetime, str, Say, int | None, str]]
) -> None:
    rows = [  # in one order, lest two workers wait for each other
        {"opened_at": at, "due_at": at, "key": key, "say": say.json(), "unit_id": unit}
        | {"link": link}
        for at, key, say, unit, link in sorted(many, key=lambda one: one[1])
    ]
    if rows:
        stands = notices.c.key == bindparam("of_key"), notices.c.closed_at.is_(None)
        newest = update(notices).where(*stands).values(say=bindparam("newest"))
        conn.execute(newest, [{"of_key": row["key"], "newest": row["say"]} for row in rows])
        insert_missing(conn, notices, rows)


def close_notice(conn: Connection, now: datetime, *keys: str) -> None:
    """The incidents are over."""
    conn.execute(_closing(), {"keys": list(keys), "now": now})


def close_kind(conn: Connection, now: datetime, kind: NoticeKind) -> None:
    """All of a kind are over, or will be told anew."""
    _close(conn, now, notices.c.key.startswith(f"{kind}:"))


def _close(conn: Connection, now: datetime, which: ColumnElement[bool]) -> None:
    conn.execute(_ending(which), {"now": now})


@lru_cache(maxsize=1)  # asked with every batch of settlements
def _closing() -> Any:
    return _ending(among(notices.c.key, "keys"))


def _ending(which: ColumnElement[bool]) -> Any:
    now = bindparam("now", type_=Instant())
    over = {"closed_at": now, "due_at": now, "lease": None, "leased_until": None}
    return update(notices).where(which, notices.c.closed_at.is_(None)).values(**over)


def close_notices_but(
    conn: Connection, now: datetime, prefix: str, lasting: Collection[str]
) -> None:
    """Of the incidents whose keys begin so, all are over but these."""
    query = select(notices.c.key).where(
        notices.c.key.startswith(prefix, autoescape=True), notices.c.closed_at.is_(None)
    )
    close_notice(conn, now, *(set(conn.execute(query).scalars()) - set(lasting)))


# ---------------------------------------------------------------- reading


def listing(
    conn: Connection,
    unit_ids: Collection[int],
    *,
    ended: bool = False,
    limit: int = 50,
    before: int | None = None,
) -> list[RowMapping]:
    """Incidents that stand, or ended ones too, the newest first; with how many were told of each.

    `before`: from below this number on.
    """
    told = (
        select(func.count())
        .select_from(tellings)
        .where(
            tellings.c.notice_id == notices.c.id,
            tellings.c.kind == "opened",
            tellings.c.state == "told",
        )
    )
    concern = or_(notices.c.unit_id.is_(None), notices.c.unit_id.in_(unit_ids))
    query = select(notices, told.scalar_subquery().label("told")).where(concern)
    if not ended:
        query = query.where(notices.c.closed_at.is_(None))
    if before is not None:
        query = query.where(notices.c.id < before)
    return list(conn.execute(query.order_by(notices.c.id.desc()).limit(limit)).mappings())


def no_turn() -> ColumnElement[bool]:
    """An incident, not somebody's turn or task."""
    return ~or_(*(notices.c.key.startswith(f"{kind}:") for kind in TURNS))


# ---------------------------------------------------------------- a person's word


def finish(conn: Connection, now: datetime, actor: Actor, notice_id: int) -> None:
    """End a notice that no machine ends. Raises NotFound, NotAllowed, Conflict for any other."""
    query = select(notices).where(notices.c.id == notice_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的提醒", id=notice_id)
    _require(conn, actor, row)
    if row["closed_at"] is not None:
        raise Conflict("这条提醒已经结束")
    if kind_of(row["key"]) not in BY_HAND or _alive(conn, row["key"]):
        said = Say.of(row["say"])
        raise Conflict("这条提醒所说的事还在，办好后自动结束：{said}", said=said)
    _close(conn, now, notices.c.id == notice_id)
    audit.write(conn, now, actor, "notice.done", f"notice:{notice_id}", key=row["key"])


def _require(conn: Connection, actor: Actor, row: RowMapping) -> None:
    """Whoever runs the queue of its unit; of the whole office's, of any unit. The own shell may."""
    if actor.person is None:
        return
    if row["unit_id"] is not None:
        people.require(conn, actor, Right.SCHEDULE, row["unit_id"])
    elif not people.unit_ids(conn, actor, Right.SCHEDULE):
        raise NotAllowed("{who}没有办结提醒的权限；请由编辑或管理员办理", who=actor.name)


def _alive(conn: Connection, key: str) -> bool:
    """A delivery that still waits for somebody is decided in the queue, not waved away."""
    kind, _, number = key.partition(":")
    if kind != K.DELIVERY or not number.isdigit():
        return False
    state = select(deliveries.c.state).where(deliveries.c.id == int(number))
    over = (DeliveryState.SENT, DeliveryState.CANCELLED)
    return conn.execute(state).scalar() not in (*over, None)
