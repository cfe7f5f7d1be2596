"""What of a post stands on platforms now, and which account could repost it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, select

from bot.db import accounts, deliveries, renditions
from bot.model import Act, DeliveryState, Outgoing

Row = RowMapping | Mapping[str, Any]


def sent_parts(conn: Connection, post_id: int) -> list[dict[str, Any]]:
    """The first part on each account where it stands, with the words that stand there now."""
    query = (
        select(deliveries, accounts.c.adapter, accounts.c.host, accounts.c.options)
        .add_columns(renditions.c.payload)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .where(deliveries.c.post_id == post_id, deliveries.c.part == 0)
        .order_by(deliveries.c.id)
    )
    rows = conn.execute(query).mappings().all()
    sent = [row for row in rows if row["state"] == DeliveryState.SENT]
    edited = {row["target_id"]: row["payload"] for row in sent if row["act"] == Act.EDIT}
    gone = _taken_down(conn, [row["id"] for row in sent])
    return [
        {**row, "payload": edited.get(row["id"], row["payload"])}
        for row in sent
        if row["act"] == Act.PUBLISH and row["id"] not in gone
    ]


def _taken_down(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those taken down, or about to be."""
    over = DeliveryState.CANCELLED, DeliveryState.FAILED
    mine = deliveries.c.act == Act.WITHDRAW, deliveries.c.state.not_in(over)
    query = select(deliveries.c.target_id).where(*mine, deliveries.c.target_id.in_(ids))
    return set(conn.execute(query).scalars())


def source_for(sent: Sequence[Row], account: Row) -> Row | None:
    """What of it this account can repost: what stands on its own platform."""
    if not account["capabilities"]["repost"]:
        return None
    return next((row for row in sent if _where(row, account)), None)


def reposting(source: Row, account: Row) -> Outgoing:
    """The repost as it is signed: the words reposted, and where they stand."""
    payload = Outgoing.of(source["payload"])
    return Outgoing(
        text=payload.text,
        media=payload.media,
        language=payload.language,
        link=source["url"],
        in_reply_to=_where(source, account),
    )


def _where(source: Row, account: Row) -> str:
    """How the platform knows it; a person who reposts by hand goes by its address. Empty: not there."""
    own = account["options"] or {}
    if not account["capabilities"]["by_hand"]:
        same = (source["adapter"], source["host"]) == (account["adapter"], account["host"])
        return str(source["remote_id"] or "") if same else ""
    theirs = source["options"] or {}
    hosts = {account["host"], *own.get("hosts", ())}
    there = source["adapter"] == account["adapter"] and own["platform"] == theirs.get("platform")
    return source["url"] if there or urlsplit(source["url"]).hostname in hosts else ""
