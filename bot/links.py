"""Links that do not open: the addresses in posts are looked up when their time has come.

An address is asked for when a revision has it for the first time, again while it is not found, and
anew before its post's hour. What was found becomes a finding of the posts that nobody has signed
whole; of those that are signed a person is told, and nothing stops. Of one host one address is asked
at a time, with a pause after each.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    exists,
    or_,
    select,
    type_coerce,
    union,
    update,
)

from bot import lease, linking
from bot.config import Config
from bot.db import deliveries, link_uses, links, lock, posts, revisions, store_away
from bot.language import Say
from bot.model import DeliveryState, LinkLook, LinkState, PostState
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.sources.probe import Probed, probe

log = logging.getLogger("gongkai.links")
SECONDS = 15.0  # for one address, redirects included
PAUSE = 1.0  # between two questions to one host
TURN = 30.0  # seconds; what was not asked by then waits for the next turn
HOLD = timedelta(minutes=3)
AGAIN = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))  # while it is not found
BEFORE = timedelta(hours=1)  # its hour: looked up once more
S = PostState


async def look_up(
    config: Config, wanted: Collection[str], pause: float = PAUSE
) -> dict[str, LinkLook]:
    """What some addresses answer now; nothing is kept."""
    of_host = defaultdict(list)
    for address in sorted(wanted):
        of_host[_host(address)].append(address)

    async def _walk(mine: Sequence[str]) -> list[tuple[str, LinkLook]]:
        found: list[tuple[str, LinkLook]] = []
        for n, address in enumerate(mine):
            await asyncio.sleep(pause if n else 0)
            found.append((address, await _ask(config, address, SECONDS)))
        return found

    walked = await asyncio.gather(*map(_walk, of_host.values()))
    return {address: looked for one in walked for address, looked in one}


def _host(address: str) -> str:
    return urlsplit(address).netloc.rpartition("@")[2].lower()


async def _ask(config: Config, address: str, seconds: float) -> Probed:
    """Hosts of our own net may be asked where config.toml names them, or a source there."""
    private = (part.url for part in config.sources.values() if part.private)
    inner = {*config.screening.inner_hosts, *(urlsplit(url).hostname or "" for url in private)}
    return await probe(address, inner=inner, proxy=config.fetch.proxy, seconds=seconds)


# ---------------------------------------------------------------- a turn


async def look_up_due(
    office: Office, n: int = 20, *, seconds: float = SECONDS, pause: float = PAUSE
) -> int:
    """Look up the addresses whose time has come, hosts side by side; give how many."""
    rows = await asyncio.to_thread(_claim, office, n)
    of_host = defaultdict(list)
    for row in rows:
        of_host[row["host"]].append(row)
    ends = time.monotonic() + TURN

    async def _walk(mine: Sequence[RowMapping]) -> None:
        for done, row in enumerate(mine):
            await asyncio.sleep(pause if done else 0)
            if time.monotonic() > ends:
                await asyncio.to_thread(_let_go, office, mine[done:])
                return
            await asyncio.to_thread(_take, office, row, await _asked(office, row, seconds))

    for end in await asyncio.gather(*map(_walk, of_host.values()), return_exceptions=True):
        if isinstance(end, BaseException):
            raise end
    return len(rows)


async def _asked(office: Office, row: RowMapping, seconds: float) -> Probed:
    """An address that makes us stumble blocks no other."""
    try:
        return await _ask(office.config, row["address"], seconds)
    except Exception as error:
        if store_away(error):
            raise
        log.exception("link %s", row["id"])
        said = Say("查这个链接时内部出错（{kind}）", kind=type(error).__name__)
        return Probed(LinkState.UNREACHABLE, words=said)


def _claim(office: Office, n: int) -> list[RowMapping]:
    """Due addresses of hosts that nobody else is asking."""
    other = links.alias("other")
    with office.db.write() as conn:
        now = office.db.now(conn)
        _due_again(conn, now)
        asked = exists().where(other.c.host == links.c.host, other.c.leased_until > now)
        return lease.claim(conn, links, now, n, ~asked, hold=HOLD)


def _let_go(office: Office, rows: Sequence[RowMapping]) -> None:
    with office.db.write() as conn:
        for row in rows:
            lease.settle(conn, links, row, row["due_at"])


def _due_again(conn: Connection, now: datetime) -> None:
    """Known long ago, or before the last hour of a post that is about to go: asked anew.

    Told from the rows as they stand, so that whatever moves a post need not know of it.
    """
    of = select(link_uses.c.link_id).join(links, links.c.id == link_uses.c.link_id)
    writing = and_(posts.c.state == S.DRAFT, posts.c.changed_at > now - linking.FRESH)
    old = links.c.looked_at < now - linking.FRESH, or_(posts.c.state == S.IN_REVIEW, writing)
    unsigned = of.join(posts, posts.c.revision_id == link_uses.c.revision_id).where(
        posts.c.state.in_((S.DRAFT, S.IN_REVIEW)),
        or_(and_(*old), _last_hour(posts.c.go_at, now)),
    )
    going = of.join(deliveries, deliveries.c.revision_id == link_uses.c.revision_id).where(
        deliveries.c.state == DeliveryState.READY, _last_hour(deliveries.c.go_at, now)
    )
    ids = [*conn.execute(union(unsigned, going)).scalars()]
    asleep = or_(links.c.due_at.is_(None), links.c.due_at > now)
    again = links.c.id.in_(ids), links.c.lease.is_(None), asleep
    if ids:
        conn.execute(update(links).where(*again).values(due_at=now))


def _last_hour(go_at: Any, now: datetime) -> ColumnElement[bool]:
    """It goes within the hour, and the address was looked at before that."""
    begins = type_coerce(go_at, BigInteger) - BEFORE // timedelta(microseconds=1)
    seen = type_coerce(links.c.looked_at, BigInteger)
    return and_(go_at > now, go_at <= now + BEFORE, seen < begins)


# ---------------------------------------------------------------- what was found


def _take(office: Office, row: RowMapping, found: Probed) -> None:
    """Nothing where the lease was lost: whoever has the row now asks for himself."""
    looks = 0 if found.state is LinkState.ALIVE else row["looks"] + 1
    with office.db.write() as conn:
        now = office.db.now(conn)
        due = now + AGAIN[looks - 1] if 0 < looks <= len(AGAIN) else None
        said = found.words.json() if found.words else None
        values = {"state": found.state, "status": found.status, "words": said}
        if lease.settle(conn, links, row, due, looked_at=now, looks=looks, **values):
            _spread(office, conn, now, row["id"])


def _spread(office: Office, conn: Connection, now: datetime, link_id: int) -> None:
    """To the posts that have it."""
    for post in _with(conn, link_id):
        if post["state"] == S.APPROVED:
            _tell(conn, now, post)
            continue
        linking.refresh(office, conn, post["revision_id"])
        if post["state"] == S.DRAFT and post["due_at"] is not None:  # it waited for this
            conn.execute(update(posts).where(posts.c.id == post["id"]).values(due_at=now))


def _with(conn: Connection, link_id: int) -> Sequence[RowMapping]:
    """Posts whose current revision has the link, locked, those that are over left out."""
    query = (
        select(posts)
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .join(link_uses, link_uses.c.revision_id == revisions.c.id)
        .where(link_uses.c.link_id == link_id)
        .where(posts.c.state.in_((S.DRAFT, S.IN_REVIEW, S.APPROVED)))
        .order_by(posts.c.id)
    )
    lock(conn, posts, [row["id"] for row in conn.execute(query).mappings()])
    return conn.execute(query).mappings().all()


def _tell(conn: Connection, now: datetime, post: RowMapping) -> None:
    """A signed post is not stopped by a link; whoever runs the queue may hold it."""
    known = linking.states(conn, post["revision_id"])
    dead = [address for address, looked in known.items() if looked.state is LinkState.DEAD]
    key = f"link:{post['id']}"
    if not dead:
        close_notice(conn, now, key)
    elif _still_to_go(conn, post["id"]):
        said = Say(
            "已签发的“{title}”里有链接打不开：{link}；仍会按时发出，要改请撤销签发或停发",
            title=post["title"],
            link=dead[0],
        )
        open_notice(conn, now, key, said, post["unit_id"], f"/posts/{post['id']}")


def _still_to_go(conn: Connection, post_id: int) -> bool:
    """Has anything of it not gone, or is it not planned yet?"""
    query = select(deliveries.c.state).where(deliveries.c.post_id == post_id)
    found = set(conn.execute(query).scalars())
    return not found or bool(found - {DeliveryState.SENT, DeliveryState.CANCELLED})
