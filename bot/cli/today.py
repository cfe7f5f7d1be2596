"""today: what waits, and how the lists stand, as 今日 on the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import acting, as_json, reading_units, say, show

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.command()
@as_json
@acting
def today(office: Office, actor: Actor, json_: bool) -> None:
    """今日：等我办的，各列表有多少 what waits (--as whom), and how many rows each list has."""
    from bot.web import figures

    with office.db.read() as conn:
        scope = reading_units(office, actor, conn)
        found = figures.today(office, conn, office.db.now(conn), actor, scope)
    columns = {"of": "列表", "name": "其中", "count": "条", "rows": "接口"}
    if json_:
        say(found, True, "")
    else:
        show(found["figures"], False, columns)


COMMANDS = [today]
