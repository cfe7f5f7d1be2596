"""A notice that opened or ended becomes one telling for each address that it concerns.

What comes within a minute goes in one message; at an address's quiet hours what can wait does. What
was over before anybody was told of it is not told at all, and of a turn only that it has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, or_, select, update

from bot import lease, people, review
from bot.config import AddressPart
from bot.db import delegations, insert_missing, notices, posts, tellings
from bot.db import people as persons
from bot.db import units as unit_rows
from bot.language import Say
from bot.model import Actor, NoticeKind
from bot.notices import LATE, kind_of, owner
from bot.office import Office
from bot.people import duty
from bot.workdays import office_day

K = NoticeKind
GATHER = timedelta(minutes=1)
OPENED, CLOSED = "opened", "closed"
WAITING, TOLD, DROPPED = "waiting", "told", "dropped"
URGENT = (K.EMERGENCY, K.DELIVERY, K.ACCOUNT, K.DISK, K.WORKER, K.TELLING)
ENDS = (
    *URGENT[1:],
    K.HOLD,
    K.TAKE_DOWN,
    K.SCHEDULE,
    K.TOKEN,
    K.IDLE,
    K.COLLECT,
    K.SOURCE,
)  # whose end is told too
MOOT = Say("还没有告知，事情已经结束")


def plan(office: Office, conn: Connection, now: datetime, gather: timedelta = GATHER) -> int:
    """Plan the telling of notices that opened or ended since; give how many."""
    rows = lease.claim(conn, notices, now, 200)
    for row in rows:
        if row["closed_at"] is None:
            _opened(office, conn, now, row, gather)
        else:
            _ended(office, conn, now, row, gather)
        lease.settle(conn, notices, row, None)
    return len(rows)


def _opened(
    office: Office, conn: Connection, now: datetime, row: RowMapping, gather: timedelta
) -> None:
    kind = kind_of(row["key"])
    addresses = office.config.notices.items()
    found = [name for name, part in addresses if _concerned(office, conn, name, part, row, kind)]
    for name in [*found, *_of_duty(office, conn, now, row, kind, found)]:
        due = _when(office, conn, now, name, kind, gather)
        _plan_one(conn, now, row, name, OPENED, due)


def _of_duty(
    office: Office, conn: Connection, now: datetime, row: RowMapping, kind: K, told: list[str]
) -> list[str]:
    """The addresses of who is on duty, for what nobody else is told of or cannot wait."""
    if not office.config.alarm.duty or (told and kind is not K.DELIVERY) or kind is K.DELEGATION:
        return []
    today = office_day(now, office.config.tz)
    there = {one["login"] for one in duty.on_duty(conn, _unit(conn, row), today)}
    mine = [name for name, part in office.config.notices.items() if part.person in there]
    return [n for n in mine if n not in told and row["key"] != f"{K.TELLING}:{n}"]


def _ended(
    office: Office, conn: Connection, now: datetime, row: RowMapping, gather: timedelta
) -> None:
    """Whoever was told of it, or is just being told, is told that it is over."""
    mine = tellings.c.notice_id == row["id"], tellings.c.kind == OPENED
    untold = tellings.c.state == WAITING, tellings.c.lease.is_(None)
    moot = {"state": DROPPED, "due_at": None, "error": MOOT.json()}
    conn.execute(update(tellings).where(*mine, *untold).values(**moot))
    if kind_of(row["key"]) not in ENDS or _goes_on(conn, row["key"]):
        return
    told = select(tellings.c.address).where(*mine, tellings.c.state != DROPPED)
    for name in conn.execute(told).scalars().all():
        due = _when(office, conn, now, name, kind_of(row["key"]), gather)
        _plan_one(conn, now, row, name, CLOSED, due)


def _goes_on(conn: Connection, key: str) -> bool:
    """The next of its kind took its place: a nearer end of a credential, a failed check for a warning.
    A credential that did end broke its account."""
    kind, _, number = key.partition(":")
    if kind not in (K.TOKEN, K.IDLE):
        return False
    account = number.partition(":")[0]
    next_one = notices.c.key.startswith(f"{kind}:{account}:")
    if kind == K.TOKEN:
        next_one = or_(next_one, notices.c.key == f"{K.ACCOUNT}:{account}")
    query = select(notices.c.id).where(next_one, notices.c.closed_at.is_(None))
    return conn.execute(query).first() is not None


def _plan_one(
    conn: Connection, now: datetime, row: RowMapping, name: str, kind: str, due: datetime
) -> None:
    values = {"notice_id": row["id"], "address": name, "kind": kind, "state": WAITING}
    insert_missing(conn, tellings, [{**values, "planned_at": now, "due_at": due}])


def _when(
    office: Office, conn: Connection, now: datetime, name: str, kind: NoticeKind, gather: timedelta
) -> datetime:
    """With what is about to go to that address already; after its quiet hours, if it can wait."""
    part = office.config.notices.get(name)
    begins = now
    if part is not None and part.quiet is not None and kind not in URGENT:
        begins = part.quiet.over(now, office.config.tz)
    latest = begins + gather
    gathered = select(func.min(tellings.c.due_at)).where(
        tellings.c.address == name,
        tellings.c.state == WAITING,
        tellings.c.lease.is_(None),
        tellings.c.due_at >= begins,
        tellings.c.due_at <= latest,
    )
    return conn.execute(gathered).scalar() or latest


# ---------------------------------------------------------------- whom it concerns


def strangers(office: Office, conn: Connection) -> list[Say]:
    """For `gongkai check`: addresses of people who are not here."""
    known = set(conn.execute(select(persons.c.login)).scalars())
    named = [(name, part.person) for name, part in office.config.notices.items() if part.person]
    return [
        Say("[notices.{name}] 的 person：没有登录名 {login}", name=name, login=login)
        for name, login in named
        if login not in known
    ]


def _concerned(
    office: Office, conn: Connection, name: str, part: AddressPart, row: RowMapping, kind: K
) -> bool:
    if part.kinds and kind not in part.kinds:
        return False
    if row["key"] == f"{K.TELLING}:{name}":
        return False
    unit = _unit(conn, row)
    if part.units and unit is not None and unit not in _below(conn, part.units):
        return False
    return not part.person or _his(office, conn, part.person, row, kind, unit)


def _below(conn: Connection, keys: tuple[str, ...]) -> set[int]:
    tops = conn.execute(select(unit_rows.c.id).where(unit_rows.c.key.in_(keys))).scalars().all()
    return {unit for top in tops for unit in people.below(conn, top)}


def _his(
    office: Office, conn: Connection, login: str, row: RowMapping, kind: K, unit: int | None
) -> bool:
    """Of turns, returned posts and delegations only his own; of the rest what his units concerns."""
    query = select(persons).where(persons.c.login == login, persons.c.disabled.is_(False))
    person = conn.execute(query).mappings().first()
    if person is None:
        return False
    actor = people.actor(person, "")
    if kind in (K.REVIEW, K.EMERGENCY, K.RETURNED):
        return _his_post(office, conn, actor, row["key"], kind)
    if kind is K.DELEGATION:
        lent = delegations.c.id == _number(row["key"]), delegations.c.taker_id == actor.person
        return conn.execute(select(delegations.c.id).where(*lent)).first() is not None
    mine = people.unit_ids(conn, actor)
    return bool(mine) if unit is None else unit in mine


def _his_post(office: Office, conn: Connection, actor: Actor, key: str, kind: K) -> bool:
    post = conn.execute(select(posts).where(posts.c.id == _number(key))).mappings().first()
    if post is None:
        return False
    own = bool(post["author_id"] == actor.person)
    if kind is K.RETURNED:
        return own
    return (own and key.endswith(f":{LATE}")) or review.may_sign(office, conn, actor, post)


def _number(key: str) -> int:
    """The id a key carries."""
    number = key.split(":")[1] if ":" in key else ""
    return int(number) if number.isdigit() else 0


def _unit(conn: Connection, row: RowMapping) -> int | None:
    """The unit a notice concerns; None: the whole office."""
    return conn.execute(select(owner()).where(notices.c.id == row["id"])).scalar()
