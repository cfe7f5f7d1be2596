"""From an approved revision to deliveries: one act for one part of a post on one account.

Publish is unique per (post, account, part) across revisions: a later revision re-points what is
unsent and edits what is sent. The idempotency key belongs to the delivery and never changes. An
account where the outcome of something is not known waits; the others do not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot import lease
from bot.db import accounts, approvals, deliveries, lock, posts, renditions
from bot.deliver.about import plan_repost, plan_withdrawal
from bot.deliver.rhythm import Rhythm, place
from bot.deliver.rows import UNCLEAR, UNSENT, S, drop, insert, pointed, stand
from bot.language import Say
from bot.model import Act, PostKind, PostState
from bot.notices import close_notice, open_notice
from bot.office import Office


def plan_due(office: Office, n: int = 50) -> int:
    """Plan the approved posts whose turn it is; give how many."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        _one_at_a_time(conn, now)
        rows = lease.claim(
            conn, posts, now, n, posts.c.state == PostState.APPROVED, posts.c.slot == ""
        )

        def _planned(row: RowMapping) -> None:
            lease.settle(conn, posts, row, _plan(office, conn, now, row))

        for row in lease.see_to(conn, posts, rows, now, _planned):
            said = Say("排入队列时内部出错，已停下，请管理员查看日志")
            open_notice(conn, now, f"post:{row['id']}", said, row["unit_id"], f"/posts/{row['id']}")
    return len(rows)


def _one_at_a_time(conn: Connection, now: datetime) -> None:
    """No two workers give the same slot away. Accounts before posts, as attempts lock them."""
    if lease.look(conn, now, {posts: now})[1]:
        ids = select(accounts.c.id).where(accounts.c.rhythm.is_not(None))
        lock(conn, accounts, conn.execute(ids).scalars().all())


def _plan(office: Office, conn: Connection, now: datetime, post: RowMapping) -> datetime | None:
    """Give when to plan again: None, or soon while an earlier part's outcome is not known."""
    approved = (
        conn.execute(
            select(approvals).where(
                approvals.c.revision_id == post["revision_id"], approvals.c.voided_at.is_(None)
            )
        )
        .mappings()
        .first()
    )
    if approved is None:
        return None
    times = times_of(office, now, post, approved)
    wanted = (
        conn.execute(
            select(renditions)
            .where(renditions.c.revision_id == post["revision_id"])
            .order_by(renditions.c.account_id, renditions.c.part)
        )
        .mappings()
        .all()
    )
    if post["kind"] == PostKind.WITHDRAWAL:
        return plan_withdrawal(office, conn, now, post, wanted, times)
    if post["kind"] == PostKind.REPOST:
        return plan_repost(office, conn, now, post, wanted, times)
    return _plan_publish(office, conn, now, post, wanted, times)


def times_of(
    office: Office, now: datetime, post: RowMapping | Mapping[str, Any], approved: RowMapping
) -> dict[str, Any]:
    """When it goes and the latest moment it may: the earlier of the post's own and the sign-off's.

    `ends`: the end of what was signed, which nothing that moves it may pass.
    """
    go_at = max(post["go_at"] or now, approved["begins"] or now)
    late = max(go_at, now) + office.config.deliver.lateness  # signed after its hour: from now on
    ends = [at for at in (post["latest_at"], approved["ends"]) if at]
    return {"go_at": go_at, "latest_at": min([late, *ends]), "ends": min(ends, default=None)}


def _plan_publish(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    wanted: Sequence[RowMapping],
    times: dict[str, Any],
) -> datetime | None:
    published, edits = stand(conn, post["id"])
    rhythms = _rhythms(conn, wanted)
    unclear = {r["account_id"] for r in [*published.values(), *edits] if r["state"] in UNCLEAR}
    outdated = [r for r in edits if r["revision_id"] != post["revision_id"]]
    drop(conn, now, outdated, Say("已有更新的版本，这次修改不再做"))
    before: dict[int, int] = {}
    for rendition in wanted:
        account = rendition["account_id"]
        row = published.pop((account, rendition["part"]), None)
        if account not in unclear:
            values = pointed(now, post, rendition, times, before.get(account))
            values |= {"due_at": first_due(office, rendition, times["go_at"])}
            if account in rhythms and _is_new(row, rendition):
                values |= _placed(office, conn, post, rendition, times, rhythms[account])
            before[account] = _publish(conn, now, row, rendition, values)
            if values["due_at"] is None:
                _no_room(conn, now, before[account], Say.of(values["reason"]))
    left = [row for row in published.values() if row["account_id"] not in unclear]
    drop(conn, now, left, Say("新版本不再包含这一条"))
    _still_there(conn, now, post, left)
    return now + office.config.deliver.looks[0] if unclear else None


def _is_new(row: RowMapping | None, rendition: RowMapping) -> bool:
    """It has no time on this account yet, or another revision had."""
    if row is None:
        return True
    return row["state"] in UNSENT and row["revision_id"] != rendition["revision_id"]


def _rhythms(conn: Connection, wanted: Sequence[RowMapping]) -> dict[int, Rhythm]:
    """Of the accounts that have one."""
    ids = {rendition["account_id"] for rendition in wanted}
    query = select(accounts.c.id, accounts.c.rhythm).where(accounts.c.id.in_(ids))
    return {account: Rhythm.of(said) for account, said in conn.execute(query) if said}


def _placed(
    office: Office,
    conn: Connection,
    post: RowMapping,
    rendition: RowMapping,
    times: dict[str, Any],
    rhythm: Rhythm,
) -> dict[str, Any]:
    """Its time on an account that has hours of its own, never past what was signed."""
    go_at, last = times["go_at"], times["ends"]
    at = place(conn, rhythm, rendition["account_id"], post, go_at)
    if at == go_at:
        return {}
    if at is None or (last is not None and at > last):
        said = Say(
            "账号静默、时段已满或在肃穆模式之内，下一个可用时段不在签发的时段内；由人决定何时发"
        )
        return {"due_at": None, "reason": said.json()}
    latest = at + office.config.deliver.lateness
    said = Say("排到账号的发布时段 {at}", at=f"{at.astimezone(rhythm.zone):%m-%d %H:%M}")
    return {
        "go_at": at,
        "latest_at": min(latest, last or latest),
        "due_at": first_due(office, rendition, at),
        "reason": said.json(),
    }


def _no_room(conn: Connection, now: datetime, delivery: int, said: Say) -> None:
    """No unit is named: its row may be locked by a hold that waits for these deliveries."""
    open_notice(conn, now, f"delivery:{delivery}", said, None, f"/queue/{delivery}")


def _still_there(
    conn: Connection, now: datetime, post: RowMapping, left: Sequence[RowMapping]
) -> None:
    """A new revision takes nothing down: whoever left it out is told that it stands."""
    said = Say("新版本不再包含这一条，但它已经发出、仍在平台上；要撤下须另办撤回")
    for row in left:
        if row["state"] == S.SENT and row["revision_id"] != post["revision_id"]:
            link = f"/queue/{row['id']}"
            open_notice(conn, now, f"delivery:{row['id']}", said, post["unit_id"], link)


def first_due(office: Office, rendition: RowMapping, go_at: datetime) -> datetime:
    """Uploads are due ahead of the hour."""
    return go_at - office.config.deliver.stage_ahead if rendition["payload"]["media"] else go_at


def _publish(
    conn: Connection,
    now: datetime,
    row: RowMapping | None,
    rendition: RowMapping,
    values: dict[str, Any],
) -> int:
    """New, re-pointed, or an edit of what is sent; give the publishing delivery's id.

    What was pointed at this revision before, while another account was not clear, is left alone.
    """
    if row is None:
        return insert(conn, Act.PUBLISH, values)
    if row["revision_id"] == rendition["revision_id"]:
        return int(row["id"])
    if row["state"] in UNSENT:
        conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(**values))
        close_notice(conn, now, f"delivery:{row['id']}")
    elif row["state"] == S.SENT:
        _edit(conn, now, row, rendition, values)
    return int(row["id"])


def _edit(
    conn: Connection, now: datetime, row: RowMapping, rendition: RowMapping, values: dict[str, Any]
) -> None:
    """What is sent already is edited, where it differs and the platform can."""
    if _edited_to(conn, row, rendition) or _standing_digest(conn, row) == rendition["digest"]:
        return
    able = conn.execute(
        select(accounts.c.capabilities).where(accounts.c.id == row["account_id"])
    ).scalar_one()
    edit = values | {"target_id": row["id"], "after_id": None}
    if not able["edit"]:
        said = Say("平台不支持修改已发内容；请另发更正，或撤回后重发")
        edit |= {"state": S.FAILED, "due_at": None, "reason": said.json()}
    insert(conn, Act.EDIT, edit)


def _edited_to(conn: Connection, row: RowMapping, rendition: RowMapping) -> bool:
    """An edit to this very revision was asked for already."""
    mine = deliveries.c.target_id == row["id"], deliveries.c.rendition_id == rendition["id"]
    return conn.execute(select(deliveries.c.id).where(*mine)).first() is not None


def _standing_digest(conn: Connection, row: RowMapping) -> str:
    """Of what stands there now: the newest edit that was sent, else what was published."""
    edits = (
        select(deliveries.c.rendition_id)
        .where(
            deliveries.c.target_id == row["id"],
            deliveries.c.act == Act.EDIT,
            deliveries.c.state == S.SENT,
        )
        .order_by(deliveries.c.id.desc())
        .limit(1)
    )
    stands = conn.execute(edits).scalar() or row["rendition_id"]
    query = select(renditions.c.digest).where(renditions.c.id == stands)
    return str(conn.execute(query).scalar_one())
