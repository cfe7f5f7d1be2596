"""An office with one account on a platform, replies there, and what collecting left in its store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import collect
from bot.adapters.base import adapter_class
from bot.collect.intake import Scope, take_in
from bot.db import accounts, audits, deliveries, notices, replies, watches
from bot.language import Say
from bot.model import DeliveryState, RemoteReply, WatchState
from bot.office import Office
from bot.speaking import Adapters
from bot.workdays import FixedClock
from tests import loads
from tests.fakes import mastodon
from tests.fakes.server import Server
from tests.fakes.thread import Thread


@dataclass
class Scene:
    """An office with one account, and what collecting left in its store."""

    office: Office
    clock: FixedClock
    account: int

    def post(self, remote_id: str) -> int:
        """A post that was sent as `remote_id` and is watched; gives its id."""
        with self.office.db.write() as conn:
            now = self.clock.now()
            (post,) = loads.add_posts(conn, now, [self.account], [now])
            delivery = self._sent(conn, post, remote_id)
            self.watch(conn, delivery_id=delivery)
        return post

    def _sent(self, conn: Connection, post: int, remote_id: str) -> int:
        mine = update(deliveries).where(deliveries.c.post_id == post)
        values = {"state": DeliveryState.SENT, "remote_id": remote_id, "due_at": None}
        sent = conn.execute(mine.values(**values).returning(deliveries.c.id))
        return int(sent.scalar_one())

    def watch(self, conn: Connection, delivery_id: int | None = None) -> None:
        now = self.clock.now()
        row = {"account_id": self.account, "delivery_id": delivery_id, "state": WatchState.OPEN}
        conn.execute(insert(watches).values(**row, opened_at=now, due_at=now))

    def mentions(self) -> None:
        with self.office.db.write() as conn:
            self.watch(conn)

    def poll(self, later: float = 0) -> int:
        """One turn, `later` seconds from now."""
        self.clock.move(later)
        return asyncio.run(_collect(self.office))

    def scan(self) -> None:
        """A full walk of everything, now."""
        with self.office.db.write() as conn:
            conn.execute(update(watches).values(resume=None, cursor=None, due_at=self.clock.now()))
        self.poll()

    def take(self, *texts: str) -> None:
        """Replies r0, r1, … say `texts`, for the first time or anew."""
        page = [said(f"r{n}", text, self.clock.now()) for n, text in enumerate(texts)]
        with self.office.db.write() as conn:
            take_in(conn, self.clock.now(), Scope(self.account, ""), page)

    def said(self) -> dict[str, RowMapping]:
        """The replies by remote id."""
        with self.office.db.read() as conn:
            return {r["remote_id"]: r for r in conn.execute(select(replies)).mappings()}

    def texts(self, post: int) -> dict[str, str]:
        """What stands under a post."""
        standing = [r for r in self.said().values() if r["post_id"] == post]
        return {r["remote_id"]: r["text"] for r in standing if r["state"] != "removed"}

    def watched(self) -> RowMapping:
        """The one watch."""
        with self.office.db.read() as conn:
            return conn.execute(select(watches)).mappings().one()

    def wordings(self, remote_id: str) -> list[str]:
        with self.office.db.read() as conn:
            found = collect.versions(conn, self.said()[remote_id]["id"])
        assert [v.number for v in found] == list(range(1, len(found) + 1))
        return [v.text for v in found]

    def found(self, words: str) -> set[str]:
        with self.office.db.read() as conn:
            return {r["remote_id"] for r in collect.listing(conn, {1}, words=words)}

    def trail(self, verb: str) -> list[RowMapping]:
        with self.office.db.read() as conn:
            query = select(audits).where(audits.c.verb == verb)
            return list(conn.execute(query).mappings())

    def notices(self) -> list[str]:
        """The sentences of those that stand."""
        with self.office.db.read() as conn:
            query = select(notices.c.say).where(notices.c.closed_at.is_(None))
            return [str(Say.of(said)) for said in conn.execute(query).scalars()]


async def _collect(office: Office) -> int:
    adapters = Adapters(office)
    try:
        return await collect.collect_due(office, adapters)
    finally:
        await adapters.aclose()


def scene(
    office: Office,
    clock: FixedClock,
    adapter: str,
    url: str,
    identity: str = "x",
    token: str = "token-1",
) -> Scene:
    with office.db.write() as conn:
        able = replace(adapter_class(adapter).capabilities, timeout_seconds=5)
        options = {"url": url}
        (account,) = loads.add_accounts(office, conn, 1, adapter, able, options, lambda _: token)
        named = update(accounts).values(identity=identity, name="微博", host="127.0.0.1")
        conn.execute(named)
    return Scene(office, clock, account)


@dataclass
class Village(Scene):
    """On a fake Mastodon, where account 1 is ours."""

    fake: mastodon.Mastodon
    server: Server

    def publish(self, text: str = "通知", to: str = "", by: str = "token-1") -> str:
        """We post there, or answer `to`; gives the remote id."""
        answer = httpx.post(
            f"{self.server.url}/api/v1/statuses",
            json={"status": text, "in_reply_to_id": to or None},
            headers={"authorization": f"Bearer {by}"},
            trust_env=False,
        )
        return str(answer.json()["id"])


@dataclass
class Square(Scene):
    """On a scripted board."""

    thread: Thread
    server: Server


def said(name: str, text: str, at: datetime, **more: Any) -> RemoteReply:
    return RemoteReply(name, "visitor", "网友", text, at, **more)
