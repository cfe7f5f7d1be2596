"""What stands, and nobody opened a notice of by an act of his: seen by looking.

Each look says which notices of some kinds should stand; those that do not are opened, those that
should not any more are closed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, func, or_, select

from bot import review
from bot.db import accounts, deliveries, notices, posts
from bot.deliver import holds
from bot.language import Say
from bot.model import AccountState, Act, DeliveryState, NoticeKind, PostKind, PostState
from bot.notices import LATE, close_notice, open_notices
from bot.office import Office

K = NoticeKind
MB = 1024 * 1024
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Seen:
    """A notice that should stand."""

    say: Say
    unit: int | None
    link: str


def look_at_turns(office: Office) -> None:
    """Which steps wait for somebody's sign-off. Only where there is somebody to tell."""
    if office.config.notices:
        with office.db.read() as conn:
            now, stand = office.db.now(conn), _standing(conn, K.REVIEW, K.EMERGENCY)
            wanted = dict(_turns(office, conn, now, stand))
        _reconcile(office, now, stand, wanted)


def look_around(office: Office) -> None:
    """Credentials that end, accounts that are idle, the disk; what waits since 肃穆模式 ended; 代签."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        wanted: dict[str, Seen | None] = {}
        wanted |= dict([*_tokens(office, conn, now), *_idle(office, conn, now)])
        stand = _standing(conn, K.TOKEN, K.IDLE, K.DISK, K.HELD, K.DELEGATION)
        wanted |= dict([*_held(conn, stand), *_lent(office, conn, now)])
    wanted |= dict(_disk(office, stands=K.DISK in stand))
    _reconcile(office, now, stand, wanted)


def _standing(conn: Connection, *kinds: NoticeKind) -> set[str]:
    mine = or_(*(notices.c.key.startswith(f"{kind}:") for kind in kinds), notices.c.key.in_(kinds))
    return set(
        conn.execute(select(notices.c.key).where(mine, notices.c.closed_at.is_(None))).scalars()
    )


def _reconcile(
    office: Office, now: datetime, stand: set[str], wanted: Mapping[str, Seen | None]
) -> None:
    """Writes only where something differs."""
    opening, over = wanted.keys() - stand, stand - wanted.keys()
    if not opening and not over:
        return
    with office.db.write() as conn:
        seen = [(key, one) for key in sorted(opening) if (one := wanted[key]) is not None]
        open_notices(conn, [(now, key, one.say, one.unit, one.link) for key, one in seen])
        close_notice(conn, now, *sorted(over))


# ---------------------------------------------------------------- turns


def _turns(
    office: Office, conn: Connection, now: datetime, stand: set[str]
) -> Iterator[tuple[str, Seen | None]]:
    """One for each step of a revision: the next one is another person's turn; and one when its time
    has passed unsigned. None: told already."""
    query = select(posts).where(posts.c.state == PostState.IN_REVIEW)
    for post in conn.execute(query).mappings():
        kind = K.EMERGENCY if post["emergency"] else K.REVIEW
        of, link = f"{kind}:{post['id']}:{post['revision_id']}", f"/review/{post['id']}"
        told = [(f"{of}:{post['step']}", _turn)]
        if (last := post["latest_at"] or post["go_at"]) and last < now:
            told.append((f"{of}:{LATE}", _late))
        for key, say in told:
            seen = None if key in stand else Seen(say(office, conn, post), post["unit_id"], link)
            yield key, seen


def _what(post: RowMapping) -> Say:
    """A response's title holds the words it answers: it is told by its number."""
    if post["kind"] == PostKind.RESPONSE:
        return Say("答复稿 {id}", id=post["id"])
    return Say("“{title}”", title=post["title"])


def _late(office: Office, conn: Connection, post: RowMapping) -> Say:
    at = (post["latest_at"] or post["go_at"]).astimezone(office.config.tz)
    return Say(
        "{what}应在 {at} 前发布，至今没有签发，没有发出；请改期后审签，或退回",
        what=_what(post),
        at=f"{at:%m-%d %H:%M}",
    )


def _turn(office: Office, conn: Connection, post: RowMapping) -> Say:
    steps = review.steps_of(office, conn, post)
    step = steps[min(post["step"], len(steps) - 1)].name
    what = _what(post)
    if post["go_at"] is None:
        return Say("{what}等待审签：{step}", what=what, step=step)
    at = f"{post['go_at'].astimezone(office.config.tz):%m-%d %H:%M}"
    return Say("{what}等待审签：{step}；计划 {at} 发布", what=what, step=step, at=at)


# ---------------------------------------------------------------- delegations


def _lent(office: Office, conn: Connection, now: datetime) -> Iterator[tuple[str, Seen | None]]:
    """Who was named is told of it, a day before its end, and when it was taken back."""
    for row in review.delegations_of(conn, now) if office.config.notices else ():
        at = {n: f"{row[n].astimezone(office.config.tz):%m-%d %H:%M}" for n in ("begins", "ends")}
        names = {"giver": row["giver_name"], "taker": row["taker_name"]}
        for what, text in _said_of(row, now).items():
            said = Say(text, **names, **at, steps="、".join(row["steps"]), why=row["reason"])
            yield f"{K.DELEGATION}:{row['id']}:{what}", Seen(said, row["unit_id"], "/me/delegation")


NAMED = Say("{giver}委托{taker}代签（{steps}），{begins} 至 {ends}；事由：{why}").text
ENDING = Say("{taker}代{giver}的代签（{steps}）{ends} 到期，此后不能再代签").text
TAKEN_BACK = Say("{taker}代{giver}的代签（{steps}）已提前终止，已签的不受影响").text


def _said_of(row: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """What is to be told of a delegation now, by what it is."""
    if row["state"] == "ended":
        fresh = now - row["ended_at"] < DAY and row["ended_by"] != row["taker_id"]
        return {"ended": TAKEN_BACK} if fresh else {}
    if row["state"] == "over":
        return {}
    ends_soon = row["ends"] - now <= DAY < row["ends"] - row["begins"]
    return {"named": NAMED} | ({"ending": ENDING} if ends_soon else {})


# ---------------------------------------------------------------- accounts


def _tokens(office: Office, conn: Connection, now: datetime) -> Iterator[tuple[str, Seen]]:
    """Told at each of the days that config names, once."""
    query = select(accounts).where(
        accounts.c.token_ends.is_not(None), accounts.c.state == AccountState.ACTIVE
    )
    for row in conn.execute(query).mappings():
        left = row["token_ends"] - now
        if passed := [n for n in office.config.alarm.token if left <= timedelta(days=n)]:
            at = f"{row['token_ends'].astimezone(office.config.tz):%Y-%m-%d %H:%M}"
            said = Say("账号 {name} 的授权 {at} 到期，请在此前重新连接", name=row["name"], at=at)
            yield f"{K.TOKEN}:{row['id']}:{min(passed)}", Seen(said, row["unit_id"], _page(row))


def _page(row: RowMapping) -> str:
    return f"/accounts/{quote(row['key'])}"


def _idle(office: Office, conn: Connection, now: datetime) -> Iterator[tuple[str, Seen]]:
    """An account that is not kept up fails the State Council Office's check (国办秘函〔2019〕19号)."""
    alarm = office.config.alarm
    for row in idle_accounts(office, conn):
        days = (now - row["since"]).days
        day = f"{row['since'].astimezone(office.config.tz):%Y-%m-%d}"
        name, unit = row["name"], row["unit_id"]
        if alarm.idle_fail and days >= alarm.idle_fail:
            said = Say("账号 {name} 自 {day} 起没有更新，已满 {n} 天，按政务新媒体检查指标为不合格",
                       name=name, day=day, n=alarm.idle_fail)  # fmt: skip
            yield f"{K.IDLE}:{row['id']}:fail", Seen(said, unit, _page(row))
        elif alarm.idle_warn and days >= alarm.idle_warn:
            said = Say("账号 {name} 自 {day} 起没有更新，已满 {n} 天；满 {most} 天即不合格",
                       name=name, day=day, n=alarm.idle_warn, most=alarm.idle_fail)  # fmt: skip
            yield f"{K.IDLE}:{row['id']}:warn", Seen(said, unit, _page(row))


def idle(office: Office, conn: Connection, now: datetime) -> list[Say]:
    """For `gongkai check`: the accounts that nothing was published on for too long."""
    return [seen.say for _, seen in _idle(office, conn, now)]


def idle_accounts(office: Office, conn: Connection) -> list[RowMapping]:
    """The accounts that have the duty to publish, each with `since` when nothing was published."""
    on_duty = [key for key, part in office.config.accounts.items() if part.duty]
    published = (
        select(deliveries.c.account_id, func.max(deliveries.c.sent_at).label("at"))
        .where(deliveries.c.state == DeliveryState.SENT, deliveries.c.act == Act.PUBLISH)
        .group_by(deliveries.c.account_id)
        .subquery()
    )
    since = func.coalesce(published.c.at, accounts.c.created_at)
    query = (
        select(
            accounts.c.id, accounts.c.key, accounts.c.name, accounts.c.unit_id, since.label("since")
        )
        .outerjoin(published, published.c.account_id == accounts.c.id)
        .where(accounts.c.key.in_(on_duty), since.is_not(None))
    )
    return list(conn.execute(query.order_by(accounts.c.id)).mappings())


def _held(conn: Connection, stand: set[str]) -> Iterator[tuple[str, None]]:
    """Opened as the hold was lifted, over when the last of them is decided."""
    for key in stand:
        kind, _, number = key.partition(":")
        if kind == K.HELD and holds.left(conn, int(number)):
            yield key, None


# ---------------------------------------------------------------- the disk


def _disk(office: Office, *, stands: bool) -> Iterator[tuple[str, Seen]]:
    """Once told, it is over when there is a fifth more."""
    least = office.config.alarm.disk * (1.2 if stands else 1)
    free = free_at(office.config.place(office.config.data))
    if free < least * MB:
        said = Say("数据盘只剩 {n} MB，请清理或扩容；写满后暂停工作，不丢数据", n=free // MB)
        yield K.DISK, Seen(said, None, "/")


def free_at(place: Path) -> int:
    """Bytes free where a path lies, or will."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
