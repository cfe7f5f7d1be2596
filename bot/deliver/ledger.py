"""What the transactions of sending share: a delivery with all that is asked of it, and its words.

Promises 1, 2, 4 and 6 of the design are kept in four rooms, none of which calls a platform or spans
a call:

taking     claim what may start, check it under the locks that holds and edits take, begin its attempt
settling   write what the calls brought, only where the lease still stands
sweeping   what no claim finds: too late → missed; worker lost → uncertain; by-hand past its time
looking    claim what must be looked up: unknown outcomes, and whether the public sees what was sent

`outcomes` says what an answer makes of a row; `engine` makes the calls between these.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from bot.db import accounts, among, approvals, attempts, deliveries, posts, renditions, revisions
from bot.language import Say
from bot.model import PREVIOUS_PART, Capabilities, DeliveryState, Outgoing, Receipt, Staged
from bot.notices import open_notices
from bot.speaking import SPOKEN

S = DeliveryState


@dataclass(frozen=True)
class Ready:
    """A delivery that was claimed and found in order: it waits for its uploads or its second."""

    row: RowMapping
    outgoing: Outgoing
    capabilities: Capabilities


@dataclass(frozen=True)
class Begun:
    """A delivery with its attempt committed: it may, and must, be called now."""

    row: RowMapping
    attempt: int
    outgoing: Outgoing
    staged: Staged
    target: Receipt | None  # what is edited or withdrawn
    capabilities: Capabilities
    at: tuple[float, float] = field(default_factory=lambda: (time.monotonic(), time.time()))

    @property
    def waited(self) -> float:
        """Seconds since it was begun, by whichever clock went further (a process may be stopped)."""
        return max(time.monotonic() - self.at[0], time.time() - self.at[1])


def context(conn: Connection, ids: list[int]) -> dict[int, RowMapping]:
    """Everything the checks and the calls ask of a delivery, in one row each, by id."""
    return {row["id"]: row for row in conn.execute(_context(), {"ids": ids}).mappings()}


_UNASKED = {"leased_until", "visible", "visible_at", "changed_at"}


@lru_cache(maxsize=1)
def _context() -> Any:
    target, before = deliveries.alias("target"), deliveries.alias("before")
    return (
        select(
            *(column for column in deliveries.c if column.name not in _UNASKED),
            *SPOKEN,
            accounts.c.unit_id,
            accounts.c.state.label("account_state"),
            accounts.c.identity.label("account_identity"),
            accounts.c.gap_ms,
            accounts.c.rhythm,
            accounts.c.host,
            posts.c.source_id,
            posts.c.item_id,
            posts.c.state.label("post_state"),
            posts.c.revision_id.label("current_revision"),
            revisions.c.digest.label("revision_digest"),
            revisions.c.manifest,
            renditions.c.payload,
            renditions.c.identity,
            approvals.c.digest.label("signed_digest"),
            approvals.c.begins,
            approvals.c.ends,
            approvals.c.voided_at,
            approvals.c.voided,
            target.c.remote_id.label("target_remote_id"),
            target.c.url.label("target_url"),
            before.c.remote_id.label("before_remote_id"),
        )
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .join(posts, posts.c.id == deliveries.c.post_id)
        .join(revisions, revisions.c.id == deliveries.c.revision_id)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .outerjoin(approvals, approvals.c.revision_id == deliveries.c.revision_id)
        .outerjoin(target, target.c.id == deliveries.c.target_id)
        .outerjoin(before, before.c.id == deliveries.c.after_id)
        .where(among(deliveries.c.id, "ids"))
    )


def outgoing_of(row: RowMapping) -> Outgoing:
    """What is sent: the signed payload, a later part of a thread hung under the one before it."""
    outgoing = Outgoing.of(row["payload"])
    if outgoing.in_reply_to == PREVIOUS_PART:
        return replace(outgoing, in_reply_to=row["before_remote_id"] or "", continues=True)
    return outgoing


def able(row: RowMapping) -> Capabilities:
    """What the row's account can do."""
    return Capabilities.parse(row["capabilities"])


def budget(row: RowMapping) -> timedelta:
    """The whole of one call."""
    return timedelta(seconds=able(row).timeout_seconds)


def leave_to_person(conn: Connection, now: datetime, row: RowMapping, why: Say) -> None:
    """The machine gives up on it: the reason stands on the row and in a notice."""
    reason = {"reason": why.json(), "changed_at": now}
    conn.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(**reason))
    tell(conn, now, [(row, why)])


def tell(conn: Connection, now: datetime, said: Sequence[tuple[RowMapping, Say]]) -> None:
    open_notices(
        conn,
        [(now, f"delivery:{row['id']}", why, None, f"/queue/{row['id']}") for row, why in said],
    )


def last_attempt(conn: Connection, delivery_id: int) -> int | None:
    """The id of a delivery's newest attempt."""
    newest = select(func.max(attempts.c.id)).where(attempts.c.delivery_id == delivery_id)
    return conn.execute(newest).scalar()
