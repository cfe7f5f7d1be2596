"""Posts that a person writes by a template: a first one, an update of an emergency, a correction.

Updates and corrections name and link what they are about as it stands on each account; they are
posts of their own, so that who read the first reads them too, also where nothing can be edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import people
from bot.compose.body import Body
from bot.compose.drafting import create
from bot.compose.filling import Facts, body_of, load, of_template, setting
from bot.compose.reading import account_keys, current, locked, one
from bot.db import deliveries, posts
from bot.errors import Conflict, Invalid
from bot.model import Act, Actor, DeliveryState, Entry, PostKind, PostState, Right
from bot.office import Office
from bot.templates import Template


def from_template(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    *,
    unit_id: int,
    template: str,
    keys: Sequence[str],
    said: Mapping[str, str],
    **links: Any,
) -> int:
    """A draft of a template and what a person says for its fields; give the post's id.

    `links` as `create` takes them. Raises ConfigError, Invalid, NotFound, NotAllowed.
    """
    made = load(office, template)
    more = setting(office, conn, now, unit_id)
    body = body_of(office, conn, made, Entry("", said.get("title", "")), keys, said, more)
    where: dict[str, Any] = {"unit_id": unit_id, "keys": keys}
    return create(office, conn, now, actor, body=body, **where, **of_template(made, actor), **links)


def follow_up(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    said: Mapping[str, str],
    **links: Any,
) -> int:
    """The next update of an emergency, for the same accounts; give its id.

    Raises Invalid, Conflict (nothing is out yet, or it has an update already), NotAllowed.
    """
    before = _mine(conn, actor, post_id)
    series = _series(conn, before)
    if before["kind"] != PostKind.EMERGENCY:
        raise Invalid("只有应急稿件有续报；这篇请改稿或更正")
    if (later := _update_of(conn, post_id)) is not None:
        raise Conflict("这篇已有续报 #{id}，请接着它续报", id=later)
    made = load(office, current(conn, before)["template"] or "emergency")
    more = {"title": series[-1]["title"], "update": len(series) + 1}
    return _about(office, conn, now, actor, before, made, said, more, links)


def _mine(conn: Connection, actor: Actor, post_id: int) -> RowMapping:
    """The post, locked, for who may write about it. Raises NotFound, NotAllowed."""
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    return post


def _series(conn: Connection, post: RowMapping) -> list[RowMapping]:
    """This post and those it updates, the first one last."""
    found = [post]
    while found[-1]["about_id"] is not None:
        found.append(one(conn, found[-1]["about_id"]))
    return found


def _update_of(conn: Connection, post_id: int) -> int | None:
    query = select(posts.c.id).where(
        posts.c.about_id == post_id,
        posts.c.kind == PostKind.EMERGENCY,
        posts.c.state != PostState.CLOSED,
    )
    return conn.execute(query.limit(1)).scalar()


def correction(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    wrong: str,
    right: str,
    reason: str = "",
    **links: Any,
) -> int:
    """A post that says what was wrong in another and what is right; give its id.

    Raises Invalid, Conflict (nothing is out yet: revise it), NotFound, NotAllowed.
    """
    before = _mine(conn, actor, post_id)
    made = load(office, "correction")
    said = {"wrong": wrong, "right": right, "reason": reason}
    more = {"title": before["title"]}
    return _about(office, conn, now, actor, before, made, said, more, links)


def _about(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    before: RowMapping,
    made: Template,
    said: Mapping[str, str],
    more: Mapping[str, Any],
    links: Mapping[str, Any],
) -> int:
    """A post about an earlier one, on the accounts that one is for."""
    differing = _earlier(office, conn, before)
    keys = account_keys(conn, before)
    link = Body.of(current(conn, before)["body"]).link
    setting_ = setting(office, conn, now, before["unit_id"]) | {"link": link} | dict(more)
    body = body_of(office, conn, made, Entry("", ""), keys, said, setting_, differing)
    where: dict[str, Any] = {"unit_id": before["unit_id"], "keys": keys, "about_id": before["id"]}
    return create(office, conn, now, actor, body=body, **where, **of_template(made, actor), **links)


def _earlier(office: Office, conn: Connection, post: RowMapping) -> Facts:
    """For each account: the earlier post's title, when it went out there, and its address."""
    query = select(deliveries.c.account_id, deliveries.c.sent_at, deliveries.c.url).where(
        deliveries.c.post_id == post["id"],
        deliveries.c.act == Act.PUBLISH,
        deliveries.c.state == DeliveryState.SENT,
        deliveries.c.part == 0,
    )
    stands = {row["account_id"]: row for row in conn.execute(query).mappings()}
    if not stands:
        raise Conflict("稿件 #{id} 还没有发出，请直接改稿", id=post["id"])
    first = min(row["sent_at"] for row in stands.values())

    def _there(account: RowMapping) -> Mapping[str, Any]:
        row = stands.get(account["id"])
        at = (row["sent_at"] if row else first).astimezone(office.config.tz)
        return {"earlier": {"title": post["title"], "at": at, "url": row["url"] if row else ""}}

    return _there
