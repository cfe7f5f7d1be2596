"""today: what waits, and how the lists stand, as 今日 on the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import acting, as_json, reading_units, say, show
from bot.cli.speech import Spoken
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.command(cls=Spoken)
@as_json
@acting
def today(office: Office, actor: Actor, json_: bool) -> None:
    """今日：等我办的，各列表有多少 | what waits (--as whom), and how many rows each list has."""
    from bot.web import figures

    with office.db.read() as conn:
        scope = reading_units(office, actor, conn)
        found = figures.today(office, conn, office.db.now(conn), actor, scope)
    if json_:
        say(found, True, "")
        return
    heads = {"of": Say("列表"), "name": Say("其中"), "count": Say("条"), "rows": Say("接口")}
    show(found["figures"], False, "of name count rows", heads)


COMMANDS = [today]
