"""提醒: one incident, one notice, and its end.

A notice is opened under a key, whose first word is its kind; while it stands the same key opens no
second one, but its sentence is the newest. Opening and closing make the row due: bot.telling tells
people of it by mail and the like. What no machine ends, a person ends (`finish`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
    update,
)

from bot import audit, people
from bot.db import (
    Instant,
    accounts,
    among,
    deliveries,
    holds,
    insert_missing,
    items,
    notices,
    posts,
    sources,
    tellings,
)
from bot.errors import Conflict, NotFound
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, NoticeKind, PostKind, Right

K = NoticeKind
ALIASES = {
    "secret": K.SOURCE,
    "schedules": K.SCHEDULE,
    "watch": K.COLLECT,
    "given-back": K.ITEM,
    "link": K.POST,
}
LATE = "late"  # ends the key of a turn whose post's time has passed: its author is told too
TURNS = (K.REVIEW, K.EMERGENCY, K.DELEGATION)  # kept only so that somebody is told: no incidents
BY_HAND = (
    K.BASELINE,
    K.POST,
    K.ITEM,
    K.FLOOD,
    K.SCHEDULE,
    K.DELIVERY,
    K.GAP,
)  # may outlive its cause


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
    query = select(notices, told.scalar_subquery().label("told")).where(concerns(unit_ids))
    if not ended:
        query = query.where(notices.c.closed_at.is_(None))
    if before is not None:
        query = query.where(notices.c.id < before)
    return list(conn.execute(query.order_by(notices.c.id.desc()).limit(limit)).mappings())


def owner() -> ColumnElement[int | None]:
    """The unit a notice concerns; NULL: the whole office. Of a delivery, an item, an account it is
    looked up: none is written down with it, for its row may be locked by a hold that waits."""
    owned: dict[K, tuple[Select[Any], Any]] = {
        K.DELIVERY: (select(posts.c.unit_id).join(deliveries), deliveries.c.id),
        K.ITEM: (select(sources.c.unit_id).join(items), items.c.id),
        K.ACCOUNT: (select(accounts.c.unit_id), accounts.c.id),
    }
    looked_up = [
        (notices.c.key.startswith(f"{kind}:"), query.where(number == _number_in(kind)))
        for kind, (query, number) in owned.items()
    ]
    of = [(mine, query.scalar_subquery()) for mine, query in looked_up]
    return func.coalesce(notices.c.unit_id, case(*of))


def _number_in(kind: NoticeKind) -> ColumnElement[int]:
    """The id that the keys of a kind carry."""
    return cast(func.substr(notices.c.key, len(kind) + 2), BigInteger)


def concerns(unit_ids: Collection[int]) -> ColumnElement[bool]:
    """Notices of these units, and of the whole office."""
    unit = owner()
    return or_(unit.is_(None), unit.in_(unit_ids))


def no_turn() -> ColumnElement[bool]:
    """An incident, not somebody's turn or task."""
    return ~or_(*(notices.c.key.startswith(f"{kind}:") for kind in TURNS))


# ---------------------------------------------------------------- its words


def sentence(row: RowMapping, subjects: Mapping[str, Say]) -> Say:
    """What a notice says, and of which post, account or entry; `subjects` as of `subjects_of`."""
    said, of = Say.of(row["say"]), subjects.get(row["key"])
    if of is None or "title" in said.values:
        return said
    return Say("{what}：{said}", what=of, said=said)


def subjects_of(conn: Connection, rows: Sequence[RowMapping]) -> dict[str, Say]:
    """By their keys, what those notices are of whose sentence may not say so."""
    numbers: dict[str, int] = {}
    for key in {row["key"] for row in rows}:
        number = key.partition(":")[2]
        if number.isdecimal():
            numbers[key] = int(number)
    found: dict[str, Say] = {}
    for words, subjects in _SUBJECTS.items():
        mine = {key: n for key, n in numbers.items() if key.partition(":")[0] in words}
        said = subjects(conn, sorted({*mine.values()})) if mine else {}
        found |= {key: said[n] for key, n in mine.items() if n in said}
    return found


STANDS = {  # how a delivery stands; of one that is ready a person decides, one that is sent is looked at
    DeliveryState.READY: Say("等人决定"),
    DeliveryState.SENDING: Say("等人办理"),
    DeliveryState.SENT: Say("已发出"),
    DeliveryState.UNCERTAIN: Say("结果不明"),
    DeliveryState.FAILED: Say("没有发出"),
    DeliveryState.CANCELLED: Say("已取消"),
    DeliveryState.MISSED: Say("已错过"),
}


def _of_deliveries(conn: Connection, ids: list[int]) -> dict[int, Say]:
    query = (
        select(deliveries.c.id, deliveries.c.state, posts.c.id.label("post_id"))
        .add_columns(posts.c.title, posts.c.kind)
        .add_columns(func.coalesce(func.nullif(accounts.c.name, ""), accounts.c.key).label("name"))
        .join_from(deliveries, posts, deliveries.c.post_id == posts.c.id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(among(deliveries.c.id, "ids"))
    )
    rows = conn.execute(query, {"ids": ids}).mappings()
    return {row["id"]: _on_account(row) for row in rows}


def _on_account(row: RowMapping) -> Say:
    values = {"what": named(row), "account": row["name"], "state": STANDS[row["state"]]}
    return Say("{what}在{account}，{state}", **values)


def _of_posts(conn: Connection, ids: list[int]) -> dict[int, Say]:
    query = select(posts.c.id, posts.c.id.label("post_id"), posts.c.title, posts.c.kind)
    rows = conn.execute(query.where(among(posts.c.id, "ids")), {"ids": ids}).mappings()
    return {row["id"]: named(row) for row in rows}


def _of_items(conn: Connection, ids: list[int]) -> dict[int, Say]:
    query = select(items.c.id, items.c.title).where(among(items.c.id, "ids"))
    rows = conn.execute(query, {"ids": ids}).mappings()
    return {row["id"]: Say("“{title}”", title=row["title"]) for row in rows}


def _of_holds(conn: Connection, ids: list[int]) -> dict[int, Say]:
    """What a hold of the machine's own stops; one on an account or all says so by its reason."""
    query = select(holds.c.id, holds.c.scope, holds.c.target_id)
    rows = conn.execute(query.where(among(holds.c.id, "ids")), {"ids": ids}).mappings().all()
    found: dict[int, Say] = {}
    for scope, subjects in ((HoldScope.ITEM, _of_items), (HoldScope.POST, _of_posts)):
        mine = {row["id"]: row["target_id"] for row in rows if row["scope"] == scope}
        named_by = subjects(conn, list(mine.values())) if mine else {}
        found |= {hold: named_by[target] for hold, target in mine.items() if target in named_by}
    return found


_SUBJECTS = {
    (K.DELIVERY,): _of_deliveries,
    (K.HOLD,): _of_holds,
    (K.RETURNED, K.REFER, K.POST): _of_posts,
    (K.ITEM,): _of_items,
}


def named(row: RowMapping) -> Say:
    """A post in a sentence. A response's title holds the words it answers: it is told by its number."""
    if row["kind"] == PostKind.RESPONSE:
        return Say("答复稿 {id}", id=row["post_id"])
    return Say("“{title}”", title=row["title"] or row["post_id"])


# ---------------------------------------------------------------- a person's word


def finish(conn: Connection, now: datetime, actor: Actor, notice_id: int) -> None:
    """End a notice that no machine ends. Raises NotFound, NotAllowed, Conflict for any other."""
    query = select(notices, owner().label("owner_id")).where(notices.c.id == notice_id)
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
    if row["owner_id"] is not None:
        people.require(conn, actor, Right.SCHEDULE, row["owner_id"])
    else:
        people.require_anywhere(conn, actor, Right.SCHEDULE)


def _alive(conn: Connection, key: str) -> bool:
    """A delivery that still waits for somebody is decided in the queue, not waved away."""
    kind, _, number = key.partition(":")
    if kind != K.DELIVERY or not number.isdigit():
        return False
    state = select(deliveries.c.state).where(deliveries.c.id == int(number))
    over = (DeliveryState.SENT, DeliveryState.CANCELLED)
    return conn.execute(state).scalar() not in (*over, None)
