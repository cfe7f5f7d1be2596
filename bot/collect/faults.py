"""A poll that failed: how long to wait, what to say of it and to whom, and who else must wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, select, update

from bot import lease
from bot.db import accounts, watches
from bot.errors import AccountBroken, GongkaiError, Later
from bot.language import Say
from bot.model import PostKind, WatchState
from bot.notices import open_notice


def wait(error: Exception, failures: int) -> timedelta:
    """The platform's own wait, else a growing one."""
    if isinstance(error, AccountBroken):
        return timedelta(0)  # at once when it is mended
    after = error.after if isinstance(error, Later) else None
    if after is not None:
        return max(after, lease.BACKOFF[0])
    return lease.BACKOFF[min(failures, len(lease.BACKOFF) - 1)]


def said(error: Exception, row: RowMapping) -> Say:
    if isinstance(error, GongkaiError):
        return error.say
    if isinstance(error, TimeoutError):
        return Say("平台 {n} 秒没有回音", n=row["timeout"] or 30)
    return Say("采集出错（{kind}）", kind=type(error).__name__)


def tell(conn: Connection, now: datetime, row: RowMapping, failures: int, why: Say) -> None:
    """One notice an account while none of its watches hears anything; else one for this watch."""
    since = row["ok_at"] or row["opened_at"]
    heard = watches.c.account_id == row["account_id"], watches.c.ok_at > since
    values = {"account": row["name"], "n": failures, "why": why}
    if row["delivery_id"] is None or not conn.execute(select(watches.c.id).where(*heard)).first():
        said = Say("{account}的评论连续 {n} 次没有采到：{why}", **values)
        key = f"collect:{row['account_id']}"
        open_notice(conn, now, key, said, row["unit_id"], f"/accounts/{quote(row['account_key'])}")
        return
    title = "" if row["kind"] == PostKind.RESPONSE else row["title"]  # it holds a citizen's words
    what = Say("“{title}”", title=title) if title else Say("稿件 {id}", id=row["post_id"])
    said = Say("{what}在{account}的评论连续 {n} 次没有采到：{why}", what=what, **values)
    open_notice(conn, now, f"watch:{row['id']}", said, row["unit_id"], f"/posts/{row['post_id']}")


def spread(conn: Connection, row: RowMapping, error: Exception, at: datetime) -> datetime | None:
    """Where the account or its host must wait, so must what else would be read there."""
    if isinstance(error, TimeoutError):
        return at
    if not isinstance(error, Later) or error.scope == "delivery":
        return None
    whose = accounts.c.id == row["account_id"]
    if error.scope == "host" and row["host"]:
        whose = accounts.c.host == row["host"]
    others = (
        watches.c.account_id.in_(select(accounts.c.id).where(whose)),
        watches.c.state == WatchState.OPEN,
        watches.c.lease.is_(None),
        watches.c.due_at < at,
    )
    conn.execute(update(watches).where(*others).values(due_at=at))
    return at
