"""The adapters that speak for accounts. No stage: deliver and collect both speak through it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, Text, cast, select, update

from bot import audit
from bot.adapters.base import Adapter, Client, adapter_class
from bot.db import accounts
from bot.errors import GongkaiError, NotFound
from bot.language import Say
from bot.model import MACHINE, AccountState, Capabilities
from bot.notices import open_notices
from bot.office import Office

# What an adapter is made of. JSON as text: it is compared often and read once.
SPOKEN = (
    accounts.c.adapter,
    accounts.c.credential,
    cast(accounts.c.options, Text).label("options"),
    cast(accounts.c.capabilities, Text).label("capabilities"),
)


class Adapters:
    """One adapter and client an account, made on first use, made anew when its row changed."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._made: dict[int, tuple[Any, Adapter]] = {}

    async def of(self, account_id: int) -> Adapter:
        """The account's adapter. Raises NotFound, ConfigError."""
        with self.office.db.read() as conn:
            found = conn.execute(select(*SPOKEN).where(accounts.c.id == account_id))
            row = found.mappings().first()
        if row is None:
            raise NotFound("没有编号 {id} 的账号", id=account_id)
        return await self.speaking(account_id, row)

    async def speaking(self, account_id: int, row: RowMapping) -> Adapter:
        """The same, of a row that carries SPOKEN."""
        mark = (row["adapter"], row["credential"], row["options"])
        made = self._made.get(account_id)
        if made is None or made[0] != mark:
            if made is not None:
                await made[1].client.retire()
            self._made[account_id] = made = (mark, build(self.office, row))
        return made[1]

    def prepare(self, rows: Iterable[RowMapping]) -> None:
        """Make those not made yet, ahead of their use; one that cannot be made says so when used."""
        for row in rows:
            if row["account_id"] not in self._made:
                with suppress(GongkaiError, ValueError, KeyError):
                    mark = (row["adapter"], row["credential"], row["options"])
                    self._made[row["account_id"]] = (mark, build(self.office, row))

    async def aclose(self) -> None:
        for _, adapter in self._made.values():
            await adapter.client.aclose()
        self._made.clear()


def build(office: Office, row: RowMapping, credential: str | None = None) -> Adapter:
    """The adapter of an account's row; `credential` overrides the stored one."""
    kind = adapter_class(row["adapter"])
    options = kind.options_model.model_validate(_read(row["options"]) or {})
    secret = office.secrets.open(row["credential"]) if credential is None else credential
    stored = _capabilities(row["capabilities"]) or kind.capabilities
    client = Client(
        timeout=stored.timeout_seconds,
        keep_alive_writes=stored.keep_alive_writes,
        **kind.client_options,
    )
    return kind(options, secret, client)


def _read(stored: Any) -> Any:
    """JSON, or the text of it."""
    return json.loads(stored) if isinstance(stored, str) else stored


def _capabilities(stored: Any) -> Capabilities | None:
    if isinstance(stored, str):
        return Capabilities.parse(stored)
    return Capabilities.of(stored) if stored else None


def by_id(conn: Connection, account_id: int) -> RowMapping:
    row = conn.execute(select(accounts).where(accounts.c.id == account_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的账号", id=account_id)
    return row


def mark_broken(conn: Connection, now: datetime, account_id: int, why: Say) -> None:
    """The account cannot be used until a person mends it; its queue stays as it is. Told once."""
    row = by_id(conn, account_id)
    values = {"state": AccountState.BROKEN, "broken": why.json()}
    conn.execute(update(accounts).where(accounts.c.id == account_id).values(**values))
    if row["state"] == AccountState.BROKEN:
        return
    audit.write(conn, now, MACHINE, "account.broken", f"account:{account_id}")
    name = row["name"] or row["key"]
    said = Say("账号 {name} 已断开：{why}。队列保留，重新连接后继续", name=name, why=why)
    link = f"/accounts/{quote(row['key'])}"
    open_notices(conn, [(now, f"account:{account_id}", said, None, link)])
