"""Starting: the listener first, then the worker; and doing what is due once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import select, update

from bot import catalog, review, schedule, telling, templates
from bot.config import Config, unknown
from bot.db import accounts as account_rows
from bot.db import notices, units
from bot.deliver import accounts, queue
from bot.errors import GongkaiError, reason_of
from bot.language import Say
from bot.notices import no_turn
from bot.office import Office
from bot.speaking import Adapters
from bot.workdays import WEEKDAYS
from bot.worker import Worker

if TYPE_CHECKING:
    import uvicorn


def shipped() -> Path:
    """Where the templates, schedules and config that come with the program stand."""
    wheel = Path(__file__).parent.parent / "office"
    return wheel if wheel.exists() else Path(__file__).parent.parent.parent


# ---------------------------------------------------------------- taking the file in


def take_in(office: Office) -> None:
    """Units, sources and accounts of config.toml into the store; the embedded board gets its token.

    Raises ConfigError.
    """
    from bot.web.board.store import ensure_board

    with office.db.write() as conn:
        now = office.db.now(conn)
        catalog.sync(office, conn, now)
        accounts.sync(office, conn, now)
        if _own_boards(office.config) and (token := ensure_board(conn, now)):
            mine = account_rows.c.key.in_(_own_boards(office.config))
            values = {"credential": office.secrets.seal(token)}
            conn.execute(update(account_rows).where(mine).values(**values))


def _own_boards(config: Config) -> list[str]:
    """The accounts that speak to this very server's board."""
    return [
        key
        for key, part in config.accounts.items()
        if part.adapter == "board" and not part.options.get("url")
    ]


# ---------------------------------------------------------------- checking


def examine(office: Office) -> dict[str, Any]:
    """For `gongkai check`: what was read, each schedule's next five times, and what is wrong.

    Raises ConfigError for the first mistake in a file.
    """
    take_in(office)
    folder = office.config.place(office.config.templates)
    made = [templates.load(folder, key) for key in templates.keys(folder)]
    _named_templates(office, {one.key for one in made})
    schedules = schedule.load_all(office)
    with office.db.read() as conn:
        now = office.db.now(conn)
        faults = [str(say) for say in review.unfillable(conn, office.config)]
        faults += [str(say) for say in telling.strangers(office, conn)]
        noted = [*telling.idle(office, conn, now)]
        for one in schedules:
            noted += schedule.passed_by(office, conn, now, one)
    faults += [str(wrong) for one in made for wrong in one.strangers()]
    found = [schedule.upcoming(office, one, now) for one in schedules]
    unannounced = [(p.key, why.say) for p, (_, why) in zip(schedules, found, strict=True) if why]
    faults += [str(Say("日程 {key}：{why}", key=key, why=why)) for key, why in unannounced]
    planned = [_times(office, one, at) for one, (at, _) in zip(schedules, found, strict=True)]
    counted = Say(
        "单位 {u} 个，来源 {s} 个，账号 {a} 个，模板 {t} 个，日程 {p} 个；时区 {zone}",
        u=len(office.config.units),
        s=len(office.config.sources),
        a=len(office.config.accounts),
        t=len(made),
        p=len(schedules),
        zone=office.config.zone,
    )
    lines = [str(counted)]
    lines += [f"{p['schedule']}: {'，'.join(p['next']) or '—'}" for p in planned]
    lines += [f"* {said}" for said in noted]
    lines += [f"! {fault}" for fault in faults]
    said = [str(one) for one in noted]
    return {"faults": faults, "noted": said, "schedules": planned, "lines": lines}


def _named_templates(office: Office, there: set[str]) -> None:
    """Raises ConfigError for a source, or a rule of one, that names a template which is not there."""
    file, text = office.config.path, office.config.path.read_text("utf-8-sig")
    for key, part in office.config.sources.items():
        rules = [(["rules", str(n)], rule.template) for n, rule in enumerate(part.rules)]
        for under, name in [([], part.template), *rules]:
            if name and name not in there:
                raise unknown(file, text, ["sources", key, *under, "template"], name, there)


def _times(office: Office, one: schedule.Schedule, found: list[datetime]) -> dict[str, Any]:
    zone = office.config.tz
    local = [at.astimezone(zone) for at in found]
    return {
        "schedule": one.key,
        "next": [f"{at:%F} {WEEKDAYS[at.weekday()]} {at:%H:%M}" for at in local],
    }


# ---------------------------------------------------------------- running


@contextlib.asynccontextmanager
async def listening(office: Office) -> AsyncIterator[None]:
    """The web side answers inside the block. Raises GongkaiError when the port is taken."""
    server, bound = _server(office), _bound(office)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        bound.close()


def _server(office: Office) -> uvicorn.Server:
    import uvicorn

    from bot.web.app import build

    class Quiet(uvicorn.Server):
        """Signals are ours: the worker must end before the board it posts to."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    settings = uvicorn.Config(
        build(office),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return Quiet(settings)


def _bound(office: Office) -> socket.socket:
    host, port = office.config.web.host, office.config.web.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise GongkaiError(
            "{host}:{port} 不能监听（{why}）；换一个端口：--port 8001（或 PORT=8001 make run）",
            host=host,
            port=port,
            why=reason_of(error),
        ) from None
    bound.listen(1024)
    return bound


async def run_whole(office: Office, *, web: bool, work: bool) -> None:
    """Serve and work until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await asyncio.to_thread(take_in, office)
    async with contextlib.AsyncExitStack() as stack:
        if web:
            await stack.enter_async_context(listening(office))
            await _know_the_board(office)
        await asyncio.to_thread(_welcome, office, web)
        if work:
            await Worker(office).run(stop)
        else:
            await stop.wait()


async def _know_the_board(office: Office) -> None:
    """The embedded board's identity must be known before anything is composed for it."""
    speaking = Adapters(office)
    try:
        for key in _own_boards(office.config):
            with office.db.read() as conn:
                row = accounts.by_key(conn, key)
            if not row["identity"]:
                await accounts.check(office, await speaking.of(row["id"]), row["id"])
    finally:
        await speaking.aclose()


def _welcome(office: Office, web: bool) -> None:
    """Addresses; at the demo's first start its people and their one-time passwords."""
    if web:
        base = f"http://{office.config.web.host}:{office.config.web.port}"
        click.echo(f"{Say('控制台')} {base}/    {Say('公开栏')} {base}/board")
    if office.config.demo.enabled:
        from bot.demo.start import start

        for line in start(office):
            click.echo(line)


async def run_once(office: Office) -> int:
    """All that is due, once; 1 when something needs a person, else 0."""
    await asyncio.to_thread(take_in, office)
    async with contextlib.AsyncExitStack() as stack:
        if _own_boards(office.config) and not _answers(office):
            await stack.enter_async_context(listening(office))
        await _know_the_board(office)
        if office.config.demo.enabled:
            await asyncio.to_thread(_welcome, office, False)
        await Worker(office).once()
    return await asyncio.to_thread(_needs_person, office)


def _needs_person(office: Office) -> bool:
    """A delivery waits for somebody's decision, or an incident lasts: an account broken, say."""
    with office.db.read() as conn:
        everyone = set(conn.execute(select(units.c.id)).scalars())
        lasts = select(notices.c.id).where(
            notices.c.closed_at.is_(None), notices.c.key.not_like("baseline:%"), no_turn()
        )
        return bool(queue.counts(conn, everyone)["person"] or conn.execute(lasts.limit(1)).first())


def _answers(office: Office) -> bool:
    """Does a server stand at our address already?"""
    where = (office.config.web.host, office.config.web.port)
    with contextlib.suppress(OSError), socket.create_connection(where, timeout=1):
        return True
    return False
