"""Many signed posts at once, for storms and benchmarks: rows as the stages would have left them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from bot.compose import Body
from bot.db import accounts, approvals, deliveries, posts, renditions, revisions, units
from bot.model import (
    AccountState,
    Act,
    Capabilities,
    DeliveryState,
    Outgoing,
    PostKind,
    PostState,
    digest_of,
)
from bot.office import Office


def add_accounts(
    office: Office,
    conn: Connection,
    n: int,
    adapter: str,
    capabilities: Capabilities,
    options: dict[str, Any],
    token: Callable[[int], str],
) -> list[int]:
    """`n` connected accounts; give their ids."""
    unit = conn.execute(select(units.c.id).limit(1)).scalar_one()
    rows = [
        {
            "key": f"a{i:05}",
            "unit_id": unit,
            "adapter": adapter,
            "name": f"账号{i}",
            "options": options,
            "state": AccountState.ACTIVE,
            "identity": f"identity-{i}",
            "identity_name": f"name-{i}",
            "capabilities": capabilities.json(),
            "credential": office.secrets.seal(token(i)),
            "host": "127.0.0.1",
        }
        for i in range(n)
    ]
    conn.execute(insert(accounts), rows)
    return list(conn.execute(select(accounts.c.id).order_by(accounts.c.id)).scalars())


def add_posts(
    conn: Connection,
    now: datetime,
    to: Sequence[int],
    go_at: Sequence[datetime],
    *,
    lateness: timedelta = timedelta(hours=2),
    text: Callable[[int], str] = lambda i: f"第 {i} 号公告：今日供水正常。",
) -> list[int]:
    """One signed post a time, one account each in turn, with its ready delivery; give the posts' ids."""
    unit = conn.execute(select(units.c.id).limit(1)).scalar_one()
    ids = dict(conn.execute(select(accounts.c.id, accounts.c.identity)).all())
    base = (conn.execute(select(posts.c.id).order_by(posts.c.id.desc()).limit(1)).scalar() or 0) + 1
    numbers = range(base, base + len(go_at))
    made = [
        _rows(n, unit, to[i % len(to)], ids[to[i % len(to)]], now, at, at + lateness, text(n))
        for i, (n, at) in enumerate(zip(numbers, go_at, strict=True))
    ]
    for table in (posts, revisions, renditions, approvals, deliveries):
        conn.execute(insert(table), [row[table.name] for row in made])
    return list(numbers)


def _rows(
    n: int,
    unit: int,
    account: int,
    identity: str,
    now: datetime,
    at: datetime,
    latest: datetime,
    text: str,
) -> dict[str, dict[str, Any]]:
    payload = Outgoing(text).json()
    digest = digest_of(payload)
    manifest = {"post": n, "renditions": [[account, 0, digest, identity, Act.PUBLISH]]}
    signed = digest_of(manifest)
    common = {"post_id": n, "revision_id": n}
    return {
        "posts": {
            "id": n,
            "unit_id": unit,
            "kind": PostKind.NOTICE,
            "title": f"公告 {n}",
            "state": PostState.APPROVED,
            "accounts": [account],
            "revision_id": n,
            "created_at": now,
            "changed_at": now,
        },
        "revisions": {
            "id": n,
            "post_id": n,
            "number": 1,
            "at": now,
            "digest": signed,
            "manifest": manifest,
            "body": Body(text).json(),
        },
        "renditions": {
            "id": n,
            "revision_id": n,
            "account_id": account,
            "part": 0,
            "payload": payload,
            "digest": digest,
            "identity": identity,
        },
        "approvals": {**common, "digest": signed, "ends": latest, "at": now},
        "deliveries": {
            **common,
            "post_unit_id": unit,
            "rendition_id": n,
            "account_id": account,
            "act": Act.PUBLISH,
            "part": 0,
            "state": DeliveryState.READY,
            "key": secrets.token_hex(16),
            "go_at": at,
            "latest_at": latest,
            "due_at": at,
            "changed_at": now,
        },
    }
