"""New items become drafts when their turn comes, or at a person's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select, update

from bot import lease
from bot.compose.body import Body
from bot.compose.drafting import create
from bot.compose.filling import body_of, load, of_template, setting
from bot.compose.reading import account_keys, current, item_of
from bot.db import accounts, items, lock, posts, sources
from bot.errors import ConfigError, Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import MACHINE, AccountState, Actor, Entry, ItemState, PostState
from bot.notices import close_notice, open_notice
from bot.office import Office

# An account that is not connected yet may be soon; the longer that lasts, the rarer it is asked.
AGAIN, SELDOM = timedelta(seconds=10), timedelta(minutes=10)


def compose_due(office: Office, n: int = 50) -> int:
    """Make drafts of the new items whose turn it is; give how many were looked at."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows = lease.claim(conn, items, now, n, items.c.state == ItemState.NEW)
    for row in rows:
        with office.db.write() as conn:
            now = office.db.now(conn)
            act = partial(_compose_claimed, office, conn, now)
            for left in lease.see_to(conn, items, [row], now, act):
                said = Say("成稿时内部出错，已停下，请管理员查看日志")
                _tell(conn, now, left["id"], said)
    return len(rows)


def _tell(conn: Connection, now: datetime, item_id: int, said: Say) -> None:
    open_notice(conn, now, f"item:{item_id}", said, None, f"/items/{item_id}")


def _compose_claimed(office: Office, conn: Connection, now: datetime, row: RowMapping) -> None:
    if strangers := _unconnected(office, conn, row):
        said = Say("等账号 {names} 连接后成稿", names="、".join(strangers))
        again = min(max(AGAIN, (now - row["seen_at"]) / 10), SELDOM)
        lease.settle(conn, items, row, now + again, waits=said.json())
        return
    try:
        with conn.begin_nested():  # half a post is none
            post_id = from_item(office, conn, now, MACHINE, row["id"])
    except (ConfigError, NotFound, Invalid) as error:
        said = Say("没能成稿：{why}", why=error.say)
        lease.settle(conn, items, row, None, waits=said.json())
        _tell(conn, now, row["id"], said)
        return
    close_notice(conn, now, f"item:{row['id']}")
    done = {"state": ItemState.COMPOSED, "post_id": post_id, "waits": None}
    if not lease.settle(conn, items, row, None, **done):
        raise Conflict("条目 {id} 已由别处处理", id=row["id"])


def _unconnected(office: Office, conn: Connection, item: RowMapping) -> list[str]:
    """An entry's accounts whose identity is not known yet: nothing can be signed for them."""
    key = conn.execute(select(sources.c.key).where(sources.c.id == item["source_id"])).scalar_one()
    part = office.config.sources.get(key)
    wanted = part.of_column(item["column"]).accounts if part else ()
    unknown = accounts.c.key.in_(wanted), accounts.c.identity == ""
    by_hand = accounts.c.capabilities["by_hand"].as_boolean()
    query = select(accounts.c.name).where(*unknown, by_hand.is_not(True))
    return list(conn.execute(query.order_by(accounts.c.id)).scalars())


def from_item(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    item_id: int,
    template: str = "",
    keys: Sequence[str] = (),
    said: Mapping[str, str] | None = None,
    **links: Any,
) -> int:
    """A draft made of a catalogue entry; give the post's id.

    Template and accounts are the source's unless given; where it names no accounts, as a catalogue
    kept by hand does, a person's draft takes the unit's. `said` are fields a person fills in. Asked
    twice for the same draft, a person is given the one that stands.
    Raises ConfigError naming the entry too, Invalid, NotFound, NotAllowed.
    """
    lock(conn, items, [item_id])
    item = item_of(conn, item_id)
    part = office.config.sources.get(item["source_key"])
    part = part and part.of_column(item["column"])
    made = load(office, template or (part.template if part else "notice"))
    chosen = list(keys) or list(part.accounts if part else ())
    if not chosen and (actor != MACHINE or part is None):
        chosen = _of_unit(conn, item["unit_id"])
    more = setting(office, conn, now, item["unit_id"])
    entry = Entry.of(item["entry"])
    with named(item_id, entry.title):
        body = body_of(office, conn, made, entry, chosen, said, more)
    if actor != MACHINE and (stands := _same(conn, item_id, made.key, chosen, body, links)):
        return stands
    links |= {"item_id": item_id, "source_id": item["source_id"], "unit_id": item["unit_id"]}
    links |= {"item_revision": item["revision"], **of_template(made, actor)}
    post_id = create(office, conn, now, actor, keys=chosen, body=body, **links)
    if actor != MACHINE:
        _taken(conn, now, item_id, post_id)
    return post_id


def _same(
    conn: Connection,
    item_id: int,
    template: str,
    keys: Sequence[str],
    body: Body,
    links: Mapping[str, Any],
) -> int | None:
    """The entry's draft that says the same on the same accounts, if one stands."""
    wanted = replace(body, assisted=links.get("assisted", False) or body.assisted)
    query = select(posts).where(
        posts.c.item_id == item_id,
        posts.c.state == PostState.DRAFT,
        posts.c.template == template,
    )
    for post in conn.execute(query.order_by(posts.c.id)).mappings():
        alike = Body.of(current(conn, post)["body"]) == wanted
        if alike and set(account_keys(conn, post)) == set(keys):
            return int(post["id"])
    return None


def _of_unit(conn: Connection, unit_id: int) -> list[str]:
    """The unit's own accounts that something can be signed for now."""
    by_hand = accounts.c.capabilities["by_hand"].as_boolean()
    query = select(accounts.c.key).where(
        accounts.c.unit_id == unit_id,
        accounts.c.state == AccountState.ACTIVE,
        or_(accounts.c.identity != "", by_hand.is_(True)),
    )
    return list(conn.execute(query.order_by(accounts.c.id)).scalars())


@contextmanager
def named(item_id: int, title: str) -> Iterator[None]:
    """What is wrong inside is told of this entry."""
    try:
        yield
    except (ConfigError, Invalid) as error:
        said = Say("条目 {id}“{title}”：{why}", id=item_id, title=title, why=error.say)
        raise type(error)(said) from None


def _taken(conn: Connection, now: datetime, item_id: int, post_id: int) -> None:
    """A person made the post; the machine need not, and what it is just making it undoes."""
    close_notice(conn, now, f"item:{item_id}")
    done = {"state": ItemState.COMPOSED, "post_id": post_id, "due_at": None, "waits": None}
    done |= {"lease": None, "leased_until": None}
    conn.execute(update(items).where(items.c.id == item_id).values(**done))
