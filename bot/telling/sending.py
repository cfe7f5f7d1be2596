"""Tellings whose time has come go as one message to their address; what does not go is tried again.

A message that arrived, but whose arrival could not be written down, comes a second time: with mail
there is no asking. Nothing is given up: after a few tries in vain the console says so, and the
tries go on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, RowMapping, select

from bot import lease
from bot.config import AddressPart
from bot.db import notices, tellings
from bot.errors import ConfigError, GongkaiError, Invalid
from bot.language import Say
from bot.model import NoticeKind
from bot.notices import close_notice, open_notice, subjects_of
from bot.office import Office
from bot.telling import message
from bot.telling.planning import CLOSED, DROPPED, GATHER, MOOT, OPENED, TOLD, WAITING, plan

HOLD = timedelta(minutes=20)  # AT_ONCE couriers see to a hundred addresses within it
AT_ONCE = 5
SOON = timedelta(minutes=1)
BUDGET = 60  # seconds, the whole of one message
IN_VAIN = 3  # tries, before the console says so
log = logging.getLogger("gongkai.telling")


@dataclass(frozen=True)
class Message:
    """One message to one address, and the tellings it tells."""

    name: str
    part: AddressPart
    title: str
    text: str
    rows: Sequence[RowMapping]


async def tell_due(office: Office, gather: timedelta = GATHER, n: int = 200) -> int:
    """Plan what opened or ended, send what is due, side by side; give how many rows were seen to."""
    planned, claimed, ready = await asyncio.to_thread(_claim, office, gather, n)
    room = asyncio.Semaphore(AT_ONCE)

    async def _one(message: Message) -> None:
        async with room:
            wrong = await asyncio.to_thread(_send, office, message)
        await asyncio.to_thread(_settle, office, message, wrong)

    await asyncio.gather(*map(_one, ready))
    return planned + claimed


def _claim(office: Office, gather: timedelta, n: int) -> tuple[int, int, list[Message]]:
    with office.db.read() as conn:
        now = office.db.now(conn)
        if not lease.look(conn, now, {notices: now, tellings: now})[1]:
            return 0, 0, []
    with office.db.write() as conn:
        now = office.db.now(conn)
        planned = plan(office, conn, now, gather)
        rows = lease.claim(conn, tellings, now, n, hold=HOLD)
        of_address = defaultdict(list)
        for row in _told_of(conn, rows):
            if _stands(office, conn, now, row):
                of_address[row["address"]].append(row)
        every = [row for mine in of_address.values() for row in mine]
        about, advice = subjects_of(conn, every), message.advice_of(conn, every)
    parts = office.config.notices
    ready = [
        Message(name, parts[name], *message.words(office, parts[name], mine, about, advice), mine)
        for name, mine in of_address.items()
    ]
    return planned, len(rows), ready


def _told_of(conn: Connection, rows: Sequence[RowMapping]) -> list[RowMapping]:
    """Claimed tellings with their notices, the oldest first."""
    query = (
        select(
            *tellings.c,
            notices.c.key,
            notices.c.say,
            notices.c.link,
            notices.c.opened_at,
            notices.c.closed_at,
        )
        .join(notices, notices.c.id == tellings.c.notice_id)
        .where(tellings.c.id.in_([row["id"] for row in rows]))
    )
    return list(conn.execute(query.order_by(tellings.c.id)).mappings())


def _stands(office: Office, conn: Connection, now: datetime, row: RowMapping) -> bool:
    """Is it still to be told? What is not is dropped, or put off while its opening is under way."""
    if row["address"] not in office.config.notices:
        gone = Say("config.toml 里已没有这个通知地址")
        lease.settle(conn, tellings, row, None, state=DROPPED, error=gone.json())
        return False
    if row["kind"] == OPENED and row["closed_at"] is None:
        return True
    if row["kind"] == CLOSED:
        opening = select(tellings.c.state).where(
            tellings.c.notice_id == row["notice_id"],
            tellings.c.address == row["address"],
            tellings.c.kind == OPENED,
        )
        state = conn.execute(opening).scalar()
        if state == TOLD:
            return True
        if state == WAITING:
            lease.settle(conn, tellings, row, now + SOON)
            return False
    lease.settle(conn, tellings, row, None, state=DROPPED, error=MOOT.json())
    return False


def _settle(office: Office, one: Message, wrong: Say | None) -> None:
    key = f"{NoticeKind.TELLING}:{one.name}"
    with office.db.write() as conn:
        now = office.db.now(conn)
        for row in one.rows:
            if wrong is None:
                lease.settle(conn, tellings, row, None, state=TOLD, told_at=now, error=None)
            else:
                again = now + lease.BACKOFF[min(row["tries"] + 1, len(lease.BACKOFF) - 1)]
                values = {"tries": row["tries"] + 1, "error": wrong.json()}
                lease.settle(conn, tellings, row, again, **values)
        tries = max(row["tries"] for row in one.rows) + 1
        if wrong is None:
            close_notice(conn, now, key)
        elif tries >= IN_VAIN:
            said = Say(
                "提醒发不到“{name}”，已试 {n} 次，还会再试：{why}",
                name=one.name,
                n=tries,
                why=wrong,
            )
            open_notice(conn, now, key, said, None, "/")


# ---------------------------------------------------------------- the outside


def tell_now(office: Office, said: Say) -> None:
    """Straight to the addresses that are told of a worker's trouble, where it cannot be written down.

    Nobody's own address is looked up; what does not arrive is in the log.
    """
    for name, part in office.config.notices.items():
        if not part.person and (not part.kinds or NoticeKind.WORKER in part.kinds):
            title, text = message.at_once(office, part, said, datetime.now(UTC))
            if wrong := _send(office, Message(name, part, title, text, ())):
                log.warning("telling %s: %s", name, wrong)


def try_out(office: Office, name: str) -> None:
    """Send a message that only shows that messages arrive. Raises Invalid, ConfigError."""
    part = office.config.notices.get(name)
    if part is None:
        known = "、".join(office.config.notices) or "—"
        raise Invalid("config.toml 的 [notices] 里没有 {name}；有：{known}", name=name, known=known)
    now: datetime = office.db.now()
    title, text = message.trial(office, name, part, now)
    wrong = _send(office, Message(name, part, title, text, ()))
    if wrong is not None:
        raise Invalid("试发没有成功：{why}", why=wrong)


def _send(office: Office, one: Message) -> Say | None:
    """Give what went wrong, if anything did; never with the secrets of the address in it."""
    try:
        given = {"address": address_of(office, one.part), "title": one.title, "text": one.text}
        courier = subprocess.run(  # its memory goes with it, and it can be ended
            [sys.executable, "-m", "bot.courier"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=BUDGET,
            check=True,
        )
        found = json.loads(courier.stdout)
    except GongkaiError as error:
        return error.say
    except subprocess.TimeoutExpired:
        return Say("对方 {n} 秒没有回音", n=BUDGET)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        log.warning("telling %s: %s", one.name, type(error).__name__)
        return Say("发送时出错（{kind}）", kind=type(error).__name__)
    if found["sent"]:
        return None
    if not found["known"]:
        return Say("地址写法不对，通知程序不认识；写法见 docs/operating.md")
    return Say("{why}", why=found["why"]) if found["why"] else Say("对方没有收下")


def address_of(office: Office, part: AddressPart) -> str:
    """The address as apprise takes it. Raises ConfigError for a file that cannot be read."""
    if part.url_file:
        return _read(office, part.url_file)
    return part.url.get_secret_value() or _mail(office, part)


def _read(office: Office, name: str) -> str:
    try:
        return office.config.place(name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError("读不到 {file}", file=name) from None


def _mail(office: Office, part: AddressPart) -> str:
    """Port 465 speaks TLS from the start, 587 after a greeting, any other in the clear."""
    host, _, port = part.server.partition(":")
    port = port or "465"
    mode = {"465": "ssl", "587": "starttls"}.get(port, "insecure")
    sender = part.login or part.mail_to[0]
    who = ""
    if part.password_file:
        who = f"{quote(sender, safe='')}:{quote(_read(office, part.password_file), safe='')}@"
    asked = {"smtp": host, "mode": mode, "from": sender, "to": ",".join(part.mail_to)}
    kind = "mailto" if mode == "insecure" else "mailtos"
    return f"{kind}://{who}{host}:{port}?{urlencode({**asked, 'format': 'text'})}"
