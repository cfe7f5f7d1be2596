"""请求转发: one unit asks accounts of others to repost what it has sent, by a time.

Each account gets a post of its own unit's, to be signed there like any other; its author is who
asked, so he signs none of it. It holds the words and where they stand. Once they are taken down
it comes to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import audit, people
from bot.compose.body import Body
from bot.compose.drafting import create, put_away
from bot.compose.reading import accounts_of, locked, one
from bot.compose.sent import sent_parts, source_for
from bot.db import accounts, deliveries, posts, signoffs, units
from bot.db import people as persons
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.model import Act, Actor, PostKind, PostState, Right, Verdict
from bot.office import Office


def ask_reposts(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    keys: Sequence[str],
    by: datetime | None,
) -> list[int]:
    """For each account a post that reposts, as a draft; give their ids. All of them or none.

    Raises NotAllowed, NotFound, Invalid (no account, no time, another platform), Conflict.
    """
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    if not keys:
        raise Invalid("请至少选一个账号")
    if by is None or by <= now:
        raise Invalid("请写明最迟何时转发，须在现在以后")
    asked, sent, wanted = _asked(conn, post_id), sent_parts(conn, post_id), accounts_of(conn, keys)
    for account in wanted:
        if source_for(sent, account) is None:
            said = Say(
                "{name}转不了：原文没有发在它的平台上，已撤下，或平台不支持转发",
                name=account["name"],
            )
            raise Invalid(said)
        if account["id"] in asked:
            raise Conflict("已请{name}转发，那一次还没有了结", name=account["name"])
    made = [_made(office, conn, now, actor, post, account, by) for account in wanted]
    data = {"accounts": list(keys), "posts": made, "by": by.isoformat()}
    audit.write(conn, now, actor, "post.ask_repost", f"post:{post_id}", **data)
    return made


def _made(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    account: RowMapping,
    by: datetime,
) -> int:
    body = Body(text="", title=str(Say("转发：{title}", title=post["title"])))
    links = {"kind": PostKind.REPOST, "about_id": post["id"], "latest_at": by}
    links |= {name: post[name] for name in ("item_id", "source_id")}  # a hold on these holds it
    where = {"unit_id": account["unit_id"], "keys": [account["key"]], "asking": post["unit_id"]}
    return create(office, conn, now, actor, body=body, **where, **links)


def _asked(conn: Connection, post_id: int) -> set[int]:
    """The accounts that were asked, where it came to nothing yet or was done."""
    return {row["account_id"] for row in reposts_of(conn, post_id) if not row["over"]}


def call_off_repost(conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """Take a request back while it is not signed: who may ask may. Raises NotAllowed, Conflict."""
    post = locked(conn, post_id)
    if post["kind"] != PostKind.REPOST:
        raise Conflict("这不是转发请求")
    people.require(conn, actor, Right.WRITE, one(conn, post["about_id"])["unit_id"])
    put_away(conn, now, actor, post)


def candidates(conn: Connection, post_id: int) -> list[dict[str, Any]]:
    """The connected accounts that could repost what was sent and are not asked, with their units."""
    sent, asked = sent_parts(conn, post_id), _asked(conn, post_id)
    own = {row["account_id"] for row in sent}
    query = select(accounts, units.c.name.label("unit")).join(units).order_by(units.c.id)
    query = query.where(accounts.c.identity != "")
    rows = conn.execute(query.order_by(accounts.c.id)).mappings()
    return [
        {name: row[name] for name in ("id", "key", "name", "unit")}
        for row in rows
        if row["id"] not in asked | own and source_for(sent, row) is not None
    ]


def reposts_of(conn: Connection, post_id: int) -> list[dict[str, Any]]:
    """What was asked of whom: the account, how far it is, by when, who signed, when it went out.

    `over`: put away, nothing comes of it.
    """
    shown = ("id", "state", "returned", "accounts", "unit_id", "created_at", "latest_at")
    sent = ("state", "sent_at", "url")
    query = (
        select(*(posts.c[name] for name in (*shown, "revision_id")), units.c.name.label("unit"))
        .add_columns(deliveries.c.id.label("delivery_id"))
        .add_columns(*(deliveries.c[name].label(f"delivery_{name}") for name in sent))
        .join(units, units.c.id == posts.c.unit_id)
        .outerjoin(
            deliveries, (deliveries.c.post_id == posts.c.id) & (deliveries.c.act == Act.REPOST)
        )
        .where(posts.c.kind == PostKind.REPOST, posts.c.about_id == post_id)
    )
    rows = conn.execute(query.order_by(posts.c.id)).mappings().all()
    names = {
        row.id: row for row in conn.execute(select(accounts.c.id, accounts.c.key, accounts.c.name))
    }
    signed = _signed(conn, [row["revision_id"] for row in rows])
    return [
        {
            **{name: value for name, value in row.items() if name != "accounts"},
            "account_id": row["accounts"][0],
            "account": names[row["accounts"][0]].key,
            "account_name": names[row["accounts"][0]].name,
            "signed": signed.get(row["revision_id"], []),
            "over": row["state"] == PostState.CLOSED,
        }
        for row in rows
    ]


def _signed(conn: Connection, revisions: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Who passed which step of these revisions, and for whom."""
    giver = persons.alias("giver")
    query = (
        select(signoffs.c.revision_id, signoffs.c.step_name, signoffs.c.at)
        .add_columns(persons.c.name, giver.c.name.label("behalf"))
        .outerjoin(persons, persons.c.id == signoffs.c.person_id)
        .outerjoin(giver, giver.c.id == signoffs.c.behalf_id)
        .where(signoffs.c.revision_id.in_(revisions), signoffs.c.verdict == Verdict.PASS)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in conn.execute(query.order_by(signoffs.c.id)).mappings():
        kept = {name: value for name, value in row.items() if name != "revision_id"}
        found.setdefault(row["revision_id"], []).append(kept)
    return found
