"""Posts that somebody made on the platform itself: adopted, so that they are watched and counted.

An adopted post has a revision with the platform's words, no sign-off and no attempt: the system did
not send it, and never says that it did. What may yet turn out to be ours is left alone: whoever
adopts it would hide it from the look-up of an uncertain delivery, which would then be sent again.

A platform that lists only its newest few may have shown more between two looks than it lists: that
something may have gone by unseen is told, with how many where the platform counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, and_, func, or_, select, update

from bot import audit, text
from bot.db import accounts, attempts, deliveries, insert_id, posts, renditions, revisions
from bot.deliver.watching import open_watches, worth_watching
from bot.language import Say
from bot.model import (
    MACHINE,
    Act,
    Capabilities,
    Checked,
    DeliveryState,
    Outgoing,
    Posted,
    PostKind,
    PostState,
    digest_of,
)
from bot.notices import open_notice

S = DeliveryState
MARGIN = timedelta(minutes=10)  # between the platform's clock and ours
RECENT = timedelta(days=2)


def adopt(
    conn: Connection, now: datetime, account: RowMapping, listed: Sequence[Posted], days: int
) -> int:
    """Adopt what is not known yet and not older than `days`; give how many."""
    before = _certain_before(conn, now, account["id"])
    known = _known(conn, account["id"], [one.remote_id for one in listed])
    since = now - timedelta(days=days)
    fresh = [
        one
        for one in listed
        if one.remote_id not in known and since <= one.at and (before is None or one.at < before)
    ]
    for one in sorted(fresh, key=lambda p: p.at):
        _adopt(conn, now, account, one)
    return len(fresh)


def _known(conn: Connection, account_id: int, ids: Sequence[str]) -> set[str]:
    """Those that are a receipt of ours, or were adopted; an edit may have got another id."""
    acts = (Act.PUBLISH, Act.REPOST, Act.EDIT)
    mine = deliveries.c.account_id == account_id, deliveries.c.act.in_(acts)
    query = select(deliveries.c.remote_id).where(*mine, deliveries.c.remote_id.in_(ids))
    return {str(one) for one in conn.execute(query).scalars()}


def _certain_before(conn: Connection, now: datetime, account_id: int) -> datetime | None:
    """What is older was not made by a delivery whose outcome is not known; None: there is none.

    One that was lately refused may stand all the same, as when Weibo calls it a repetition; one that
    was never attempted, such as an edit where there is none, cannot.
    """
    lately = and_(
        deliveries.c.state == S.FAILED,
        deliveries.c.changed_at >= now - RECENT,
        attempts.c.id.is_not(None),
    )
    unclear = or_(deliveries.c.state.in_((S.SENDING, S.UNCERTAIN)), lately)
    first: datetime | None = conn.execute(
        select(func.min(func.coalesce(attempts.c.begun_at, deliveries.c.go_at)))
        .select_from(deliveries)
        .outerjoin(attempts, attempts.c.delivery_id == deliveries.c.id)
        .where(deliveries.c.account_id == account_id, unclear)
    ).scalar()
    return first - MARGIN if first else None


def _adopt(conn: Connection, now: datetime, account: RowMapping, one: Posted) -> None:
    """Rows as of a post that is over: its content, where it stands, and a watch under it."""
    post_id = _post(conn, now, account, one)
    payload = Outgoing(one.text).json()
    part = {"account_id": account["id"], "part": 0}
    act = [account["id"], 0, digest_of(payload), account["identity"], Act.PUBLISH]
    manifest = {"post": post_id, "kind": PostKind.ELSEWHERE, "renditions": [act]}
    revision = {"number": 1, "at": one.at, "manifest": manifest, "digest": digest_of(manifest)}
    revision |= {"post_id": post_id, "body": _body(one), "findings": []}
    made = insert_id(conn, revisions, revision)
    conn.execute(update(posts).where(posts.c.id == post_id).values(revision_id=made))
    rendition = {"revision_id": made, "payload": payload, "digest": digest_of(payload)}
    stands = insert_id(conn, renditions, part | rendition | {"identity": account["identity"]})
    receipt = {"remote_id": one.remote_id, "url": one.url, "sent_at": one.at, "go_at": one.at}
    delivery: dict[str, Any] = {
        **part,
        **receipt,
        "post_id": post_id,
        "post_unit_id": account["unit_id"],
        "revision_id": made,
        "rendition_id": stands,
        "act": Act.PUBLISH,
        "state": S.SENT,
        "key": f"elsewhere:{account['id']}:{one.remote_id}",
        "changed_at": now,
    }
    sent = insert_id(conn, deliveries, delivery)
    if worth_watching(Act.PUBLISH, Capabilities.of(account["capabilities"])):
        row = conn.execute(select(deliveries).where(deliveries.c.id == sent)).mappings().one()
        open_watches(conn, now, [row])
    audit.write(conn, now, MACHINE, "post.adopt", f"post:{post_id}", remote_id=one.remote_id)


def _post(conn: Connection, now: datetime, account: RowMapping, one: Posted) -> int:
    values = {
        "unit_id": account["unit_id"],
        "kind": PostKind.ELSEWHERE,
        "title": text.short_title(one.text, 40),
        "state": PostState.CLOSED,
        "accounts": [account["id"]],
        "created_at": one.at,
        "changed_at": now,
    }
    return insert_id(conn, posts, values)


def _body(one: Posted) -> dict[str, Any]:
    """As an author's (bot.compose.Body), who is not known."""
    plain = {"text": one.text, "title": text.short_title(one.text, 40), "link": "", "media": []}
    usual = {"language": "zh", "visibility": "public", "warning": "", "over_limit": None}
    return {**plain, **usual, "variants": {}, "in_reply_to": {}}


# ---------------------------------------------------------------- what may have gone by


def look_back(
    conn: Connection,
    now: datetime,
    account: RowMapping,
    found: Checked,
    adopted: int,
    zone: ZoneInfo,
) -> None:
    """Tell if something may have gone by since the last listing; this one is the last from now on.

    `account` as it was before, `adopted` how many were now. Put off while an outcome is not known:
    what nobody knows may be ours.
    """
    listed = found.oldest is not None or found.total is not None
    if not listed or _certain_before(conn, now, account["id"]) is not None:
        return
    since = account["listed_at"]
    if since and account["identity"] == found.identity.id and not _joins(account, found):
        missed = _missed(conn, account, found, adopted)
        if missed is None or missed > 0:
            _tell_gap(conn, now, account, found, missed, zone)
    values = {"listed_at": now, "listed_total": found.total}
    conn.execute(update(accounts).where(accounts.c.id == account["id"]).values(**values))


def _joins(account: RowMapping, found: Checked) -> bool:
    """Does this listing reach back to the last one, and to what that may not have shown yet?"""
    lag = timedelta(seconds=found.capabilities.listing_lag_seconds)
    return found.oldest is None or found.oldest <= account["listed_at"] - lag


def _missed(conn: Connection, account: RowMapping, found: Checked, adopted: int) -> int | None:
    """How many more there are than are known of; None where the platform does not count."""
    if found.total is None or account["listed_total"] is None:
        return None
    lately = deliveries.c.sent_at >= account["listed_at"] - MARGIN
    mine = deliveries.c.account_id == account["id"], deliveries.c.state == S.SENT, lately
    ours = select(func.count()).where(
        *mine,
        deliveries.c.act.in_((Act.PUBLISH, Act.REPOST)),
        deliveries.c.part == 0,  # the others hang under it
        ~deliveries.c.key.startswith("elsewhere:"),
    )
    taken_down = select(func.count()).where(*mine, deliveries.c.act == Act.WITHDRAW)
    more = found.total - int(account["listed_total"])
    made, gone = (int(conn.execute(query).scalar_one()) for query in (ours, taken_down))
    return more - made + gone - adopted


def _tell_gap(
    conn: Connection,
    now: datetime,
    account: RowMapping,
    found: Checked,
    missed: int | None,
    zone: ZoneInfo,
) -> None:
    span = account["listed_at"], found.oldest or now
    since, until = (f"{one.astimezone(zone):%m-%d %H:%M}" for one in span)
    values = {"name": account["name"], "since": since, "until": until, "n": missed}
    said = Say(
        "账号 {name} 在 {since} 至 {until} 之间可能有直接在平台上发的没有看到（平台只列最近几条），它们的评论没有采集",
        **values,
    )
    if missed is not None:
        said = Say(
            "账号 {name} 在 {since} 至 {until} 之间约有 {n} 条直接在平台上发的没有看到（平台只列最近几条），它们的评论没有采集",
            **values,
        )
    link = f"/accounts/{quote(account['key'])}"
    open_notice(conn, now, f"gap:{account['id']}", said, account["unit_id"], link)
