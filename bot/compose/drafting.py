"""Posts and their revisions: made, changed, put away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import audit, linking, people
from bot.compose.body import Body, Card, Rendered
from bot.compose.reading import account_keys, accounts_of, current, locked
from bot.compose.rendering import preview
from bot.compose.sent import reposting, sent_parts, source_for
from bot.db import (
    accounts,
    approvals,
    deliveries,
    insert_id,
    items,
    posts,
    renditions,
    revisions,
    units,
)
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.media import keep_made
from bot.model import (
    MACHINE,
    Act,
    Actor,
    Capabilities,
    DeliveryState,
    Entry,
    Finding,
    Outgoing,
    PostKind,
    PostState,
    Right,
    digest_of,
)
from bot.notices import close_notice
from bot.office import Office
from bot.screen import screen
from bot.text import chinese_date
from bot.wordlists import rules_of

MADE_OF = ("template_digest", "item_revision")  # what a revision remembers beside its template
NO_CARD = Card("", "")  # said on purpose
FREE = {"due_at": None, "lease": None, "leased_until": None}


def create(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    *,
    unit_id: int,
    keys: Sequence[str],
    body: Body,
    kind: PostKind = PostKind.NOTICE,
    go_at: datetime | None = None,
    latest_at: datetime | None = None,
    emergency: bool = False,
    asking: int | None = None,
    **links: Any,
) -> int:
    """A draft with its first revision; give the post's id.

    `asking`: the unit whose writer asks for it, where that is another, as of a repost. `links`:
    item_id, source_id, template, answers_id, about_id, template_digest, item_revision; `assisted`:
    a model helped. Raises NotAllowed, Invalid, NotFound.
    """
    if actor != MACHINE:
        people.require(conn, actor, Right.WRITE, asking or unit_id)
    _sensible(keys, now, go_at, latest_at)
    body = replace(body, assisted=links.pop("assisted", False) or body.assisted)
    made_of = _made_of(links)
    links |= {"kind": PostKind.EMERGENCY if emergency else kind, "emergency": emergency}
    times = {"go_at": go_at, "latest_at": latest_at, "created_at": now, "changed_at": now}
    post_id = _row(conn, actor, unit_id, body, {**times, **links})
    _revision(office, conn, now, actor, post_id, body, keys, 1, **made_of)
    audit.write(conn, now, actor, "post.create", f"post:{post_id}")
    return post_id


def _made_of(links: dict[str, Any]) -> dict[str, Any]:
    """Taken out of `links`: the revision's, not the post's. The template is both's."""
    own = {name: links.pop(name) for name in MADE_OF if name in links}
    return {"template": links.get("template", ""), **own}


def _row(
    conn: Connection, actor: Actor, unit_id: int, body: Body, values: Mapping[str, Any]
) -> int:
    by = {"unit_id": unit_id, "author_id": actor.person}
    row = {**by, "title": body.title, "state": PostState.DRAFT, **values}
    return insert_id(conn, posts, row)


def _sensible(
    keys: Sequence[str], now: datetime, go_at: datetime | None, latest_at: datetime | None
) -> None:
    if not keys:
        raise Invalid("请至少选一个账号")
    if latest_at is not None and latest_at <= max(now, go_at or now):
        raise Invalid("最迟时限须晚于计划时间和现在")


def revise(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    version: int,
    body: Body,
    keys: Sequence[str],
    *,
    go_at: datetime | None = None,
    latest_at: datetime | None = None,
    emergency: bool | None = None,
) -> int:
    """A new revision of a post; give its version. The sign-off of the one before is void.

    `version` is the one its author had in front of him: Conflict if another was quicker.
    """
    post = _open(conn, actor, post_id, version)
    if post["kind"] == PostKind.REPOST:
        raise Conflict("转发没有自己的文字，不改稿；要改时限或账号，请收回请求后另提")
    before = current(conn, post)
    _sensible(keys, now, go_at, latest_at)
    body = kept(Body.of(before["body"]), body)
    number = before["number"] + 1
    urgent = {} if emergency is None else {"emergency": emergency}
    values = {"go_at": go_at, "latest_at": latest_at, "title": body.title, **urgent}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    _void(conn, now, post_id, Say("稿件改到第 {n} 版", n=number))
    close_notice(conn, now, f"link:{post_id}", f"post:{post_id}")
    made_of = {name: before[name] for name in ("template", *MADE_OF)}
    _revision(office, conn, now, actor, post_id, body, keys, number, **made_of)
    audit.write(conn, now, actor, "post.revise", f"post:{post_id}", number=number)
    return version + 1


def _open(conn: Connection, actor: Actor, post_id: int, version: int) -> RowMapping:
    """The post, locked, when it may still be revised. Raises NotFound, NotAllowed, Conflict."""
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    if post["version"] != version:
        raise Conflict("这篇稿件刚被别人改过；您的修改没有保存，请比较两版后再存")
    if post["state"] == PostState.CLOSED:
        raise Conflict("这篇稿件已结束，请另起一篇")
    return post


def kept(before: Body, body: Body) -> Body:
    """What a revision has of the one before, also where its author did not say it again.

    That a model helped: nobody takes it off (《人工智能生成合成内容标识办法》). A card, as long as the words
    are the same: other words on the picture than beside it would be two statements.
    """
    card = before.card if same_words(before, body) else None
    if body.card not in (None, before.card):
        card = body.card if body.card != NO_CARD else None
    return replace(body, card=card, assisted=body.assisted or before.assisted, reason=before.reason)


def same_words(before: Body, body: Body) -> bool:
    """Do both say the same, so that one card serves both?"""
    return (before.title, before.text, before.variants) == (body.title, body.text, body.variants)


def draw_card(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, words: str = ""
) -> int:
    """A revision with a picture of the post's whole text, or of `words`; give its version."""
    post = locked(conn, post_id)
    before = Body.of(current(conn, post)["body"])
    of = post["unit_id"], post["item_id"]
    card = card_for(office, conn, now, of, before, words)
    return _with_card(office, conn, now, actor, post, card)


def card_for(
    office: Office,
    conn: Connection,
    now: datetime,
    of: tuple[int, int | None],
    body: Body,
    words: str = "",
) -> Card:
    """What stands on a card: a body's whole text, or `words`; who published it (`of`: a post's unit
    and entry), and the entry's day, else today."""
    whole = words or max((body.text, *body.variants.values()), key=len)
    publisher, at = _published(conn, *of)
    day = chinese_date((at or now).astimezone(office.config.tz))
    return Card(body.title, _without_link(whole, body.link), publisher, day, body.link)


def _published(conn: Connection, unit_id: int, item_id: int | None) -> tuple[str, datetime | None]:
    """Who published what a post tells of, and when: its entry's word, else the post's unit."""
    unit = conn.execute(select(units.c.name).where(units.c.id == unit_id)).scalar() or ""
    stored = conn.execute(select(items.c.entry).where(items.c.id == item_id)).scalar()
    entry = Entry.of(stored) if stored else None
    return (entry.publisher or unit, entry.published) if entry else (unit, None)


def _without_link(whole: str, link: str) -> str:
    """The link stands under a card by itself; so does not what only leads to it (原文：)."""
    if not link:
        return whole
    alone = re.compile(rf"^[^\n:：]{{0,8}}[:：]?[ \u3000]*{re.escape(link)}\s*$", re.M)
    return alone.sub("", whole).replace(link, "").strip()


def drop_card(office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int) -> int:
    """A revision without the picture; give its version."""
    return _with_card(office, conn, now, actor, locked(conn, post_id), NO_CARD)


def _with_card(
    office: Office, conn: Connection, now: datetime, actor: Actor, post: RowMapping, card: Card
) -> int:
    body = replace(Body.of(current(conn, post)["body"]), card=card)
    times = {"go_at": post["go_at"], "latest_at": post["latest_at"]}
    of = (post["id"], post["version"], body, account_keys(conn, post))
    return revise(office, conn, now, actor, *of, **times)


def _void(conn: Connection, now: datetime, post_id: int, why: Say) -> None:
    standing = approvals.c.post_id == post_id, approvals.c.voided_at.is_(None)
    conn.execute(update(approvals).where(*standing).values(voided_at=now, voided=why.json()))


def _revision(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    body: Body,
    keys: Sequence[str],
    number: int,
    **made_of: Any,
) -> None:
    """Render, screen, bind by a digest, keep; the post goes back to draft.

    What the machine made is looked at by review next.
    """
    post = locked(conn, post_id)
    at = {"go_at": post["go_at"], "post": post}
    parts = _of_another(office, conn, post, keys) or preview(office, conn, body, keys, **at)
    by = {"number": number, "author_id": actor.person, "at": now, "body": body.json()}
    row = {"post_id": post_id, **by, **_bound(post, body, parts), **made_of}
    revision_id = insert_id(conn, revisions, row)
    keep_made(office.media, conn, now, [m for part in parts for m in part.outgoing.media])
    conn.execute(insert(renditions), [_rendition(revision_id, part) for part in parts])
    if office.config.screening.dead_links and post["kind"] != PostKind.WITHDRAWAL:
        linking.note(conn, now, revision_id, [_linked(part) for part in parts])
    anew = {"revision_id": revision_id, "state": PostState.DRAFT, "step": 0, "changed_at": now}
    to = {"accounts": sorted({p.account["id"] for p in parts}), "version": posts.c.version + 1}
    free = {**FREE, "due_at": now if actor == MACHINE else None}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**anew, **to, **free))


def _bound(post: RowMapping, body: Body, parts: Sequence[Rendered]) -> dict[str, Any]:
    manifest = manifest_of(post, parts)
    findings = [_finding(body, part, found) for part in parts for found in part.findings]
    return {"manifest": manifest, "digest": digest_of(manifest), "findings": findings}


def _of_another(
    office: Office, conn: Connection, post: RowMapping, keys: Sequence[str]
) -> list[Rendered]:
    """What is not written here but stands already: to be taken down, or to be reposted.

    Words of another unit are screened as they stand, by the rules of today.
    """
    if post["kind"] != PostKind.REPOST:
        return _taken_down(conn, post)
    rules, sent = rules_of(office.config), sent_parts(conn, post["about_id"])
    found = [(row, of) for row in accounts_of(conn, keys) if (of := source_for(sent, row))]
    shown = [(row, reposting(of, row)) for row, of in found]
    return [Rendered(row, 0, out, tuple(screen(out.text, rules=rules)), 0, 0) for row, out in shown]


def _taken_down(conn: Connection, post: RowMapping) -> list[Rendered]:
    """What a withdrawal takes down: the parts as they were sent, wherever they were."""
    if post["kind"] != PostKind.WITHDRAWAL:
        return []
    sent = (
        select(deliveries.c.part, renditions.c.payload, *accounts.c)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(deliveries.c.post_id == post["about_id"], deliveries.c.act == Act.PUBLISH)
        .order_by(accounts.c.id, deliveries.c.part)
    )
    rows = conn.execute(sent).mappings().all()
    return [Rendered(row, row["part"], Outgoing.of(row["payload"]), (), 0, 0) for row in rows]


def manifest_of(post: RowMapping, parts: Sequence[Rendered]) -> dict[str, Any]:
    """What is signed: everything that would be sent, to whom, as whom, and as what act."""
    acts = {PostKind.WITHDRAWAL: Act.WITHDRAW, PostKind.REPOST: Act.REPOST}
    act = acts.get(PostKind(post["kind"]), Act.PUBLISH)
    return {
        "post": post["id"],
        "kind": post["kind"],
        "emergency": post["emergency"],
        "about": post["about_id"],
        "renditions": [
            [p.account["id"], p.part, p.digest, p.account["identity"], act] for p in parts
        ],
    }


def _finding(body: Body, part: Rendered, finding: Finding) -> dict[str, Any]:
    return body.told(finding) | {"account": part.account["key"], "part": part.part}


def _linked(part: Rendered) -> tuple[Outgoing, str]:
    return part.outgoing, Capabilities.of(part.account["capabilities"]).link_parameter


def _rendition(revision_id: int, part: Rendered) -> dict[str, Any]:
    return {
        "revision_id": revision_id,
        "account_id": part.account["id"],
        "part": part.part,
        "payload": part.outgoing.json(),
        "digest": part.digest,
        "identity": part.account["identity"],
    }


def close(conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """Put a post away; what of an earlier revision has not gone is called off.

    Raises Conflict for one that is signed.
    """
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    put_away(conn, now, actor, post)


def put_away(conn: Connection, now: datetime, actor: Actor, post: RowMapping) -> None:
    """The same for who was asked whether he may before."""
    post_id = post["id"]
    if post["state"] == PostState.APPROVED:
        raise Conflict("已签发的稿件不能直接结束；请先在队列里取消投递")
    values = {"state": PostState.CLOSED, "changed_at": now, "version": posts.c.version + 1}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    _call_off(conn, now, post_id)
    keys = (f"{kind}:{post_id}" for kind in ("returned", "refer", "post", "link"))
    close_notice(conn, now, *keys)
    audit.write(conn, now, actor, "post.close", f"post:{post_id}")


def _call_off(conn: Connection, now: datetime, post_id: int) -> None:
    unsent = (DeliveryState.READY, DeliveryState.FAILED, DeliveryState.MISSED)
    off = {"state": DeliveryState.CANCELLED, "reason": Say("稿件已结束").json(), "changed_at": now}
    mine = deliveries.c.post_id == post_id, deliveries.c.state.in_(unsent)
    rows = conn.execute(
        update(deliveries).where(*mine).values(**off, **FREE).returning(deliveries.c.id)
    )
    close_notice(conn, now, *(f"delivery:{row}" for row in rows.scalars()))
