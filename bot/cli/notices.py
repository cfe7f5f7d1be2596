"""notices: what people are told, and that it reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import (
    NUMBER,
    acting,
    as_json,
    done,
    opened,
    reading_units,
    say,
    show,
    with_office,
    writing,
)
from bot.cli.speech import Group
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office

COLUMNS = "id opened_at closed_at told say link"


@click.group(cls=Group, invoke_without_command=True)
@click.option("--all", "ended", is_flag=True, help="连同已结束的 | ended ones too")
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@as_json
@click.pass_context
def notices(context: click.Context, ended: bool, limit: int, json_: bool) -> None:
    """提醒：现在有哪些事 | what needs attention, and who was told."""
    if context.invoked_subcommand is None:
        _list(opened(context), ended, limit, json_)


def _list(office: Office, ended: bool, limit: int, json_: bool) -> None:
    from bot import notices as ground
    from bot import shapes

    with office.db.read() as conn:
        rows = ground.listing(conn, reading_units(office, None, conn), ended=ended, limit=limit)
        found = shapes.notices(conn, rows)
    if not json_:
        found = [row | {"link": f"{office.config.console_url}{row['link']}"} for row in found]
    show(found, json_, COLUMNS, empty=Say("现在没有要提醒的事"))


@notices.command("done")
@click.argument("notice_id", type=NUMBER)
@acting
def notices_done(office: Office, actor: Actor, notice_id: int) -> None:
    """办结一条系统不会自动结束的提醒 | end one that no machine ends."""
    from bot import notices as ground

    with writing(office) as (conn, now):
        ground.finish(conn, now, actor, notice_id)
    done(Say("已办结"))


@notices.command("test")
@click.argument("name")
@as_json
@with_office
def notices_test(office: Office, name: str, json_: bool) -> None:
    """向一个通知地址试发 | send a trial message."""
    from bot.telling import try_out

    try_out(office, name)
    say({"sent": name}, json_, f"{name} ✓")


COMMANDS = [notices]
