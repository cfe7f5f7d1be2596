"""screen: what screening says of a text, before it is a post."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.base import DAY, as_json, handed
from bot.cli.speech import Spoken, word

if TYPE_CHECKING:
    from datetime import date

    from bot.config import Config
    from bot.model import Capabilities, Finding, LinkLook


@click.command(cls=Spoken)
@click.argument("file", default="-")
@click.option("--account", default="", help="按某账号的规则（键） | by an account's rules (key)")
@click.option("--scheduled", is_flag=True, help="定时发布 | it goes out on another day")
@click.option("--links", is_flag=True, help="查链接是否打得开 | ask whether its links open")
@click.option(
    "--on",
    "day",
    type=DAY,
    default=None,
    help="发布日期，如 2026-11-24 | the day it is read: 2026-11-24",
)
@as_json
@click.pass_context
def screen(
    context: click.Context,
    file: str,
    account: str,
    scheduled: bool,
    links: bool,
    day: date | None,
    json_: bool,
) -> None:
    """审查一段文字，不入库：0 没有阻止的，1 有，2 读不了 | screen a text: 0 nothing blocks, 1 something does, 2 cannot be read."""
    from datetime import datetime

    from bot import screen as screening
    from bot.model import Severity
    from bot.wordlists import rules_of

    config, text = _config(context), handed(file)
    known = screening.Context(
        on=day or datetime.now(config.tz).date(),
        scheduled=scheduled,
        capabilities=_capabilities(context, account) if account else None,
        links=_looked_up(config, text) if links else {},
    )
    found = screening.screen(text, rules=rules_of(config), context=known)
    _show(found, json_)
    context.exit(int(any(f.severity is Severity.BLOCK for f in found)))


def _config(context: click.Context) -> Config:
    """The office's file where there is one, else what comes with the program."""
    from bot.config import Config, load

    path = Path(context.obj)
    return load(path) if path.exists() else Config()


def _capabilities(context: click.Context, key: str) -> Capabilities:
    from sqlalchemy import select

    from bot.cli.base import opened
    from bot.db import accounts
    from bot.errors import NotFound
    from bot.model import Capabilities

    with opened(context).db.read() as conn:
        query = select(accounts.c.capabilities).where(accounts.c.key == key)
        stored = conn.execute(query).scalar()
    if stored is None:
        raise NotFound("没有账号 {keys}", keys=key)
    return Capabilities.of(stored)


def _looked_up(config: Config, text: str) -> dict[str, LinkLook]:
    import asyncio

    from bot.linking import addresses
    from bot.links import look_up

    return asyncio.run(look_up(config, addresses([text])))


def _show(found: list[Finding], json_: bool) -> None:
    from bot.language import _

    if json_:
        from bot import shapes

        click.echo(json.dumps(shapes.findings(found), ensure_ascii=False, indent=1))
        return
    for finding in found:
        hint = f"（→ {_(finding.suggestion)}）" if finding.suggestion else ""
        place = f"{finding.start}-{finding.end} “{finding.text}”"
        grave = word("finding", finding.severity)
        click.echo(f"{grave} {finding.rule} {place} {_(finding.message)}{hint}")
    if not found:
        click.echo(_("没有发现疑点"))


COMMANDS = [screen]
