"""duty: 值班."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.base import (
    DAY,
    acting,
    as_json,
    done,
    handed,
    reading_units,
    say,
    show,
    with_office,
    writing,
)
from bot.cli.speech import Group
from bot.language import Say

if TYPE_CHECKING:
    from datetime import date

    from bot.model import Actor
    from bot.office import Office


@click.group("duty", cls=Group)
def duty() -> None:
    """值班：每单位每天谁值班 | who is on duty, per unit and day."""


@duty.command("list")
@click.option(
    "--from", "first", type=DAY, default=None, help="自哪天，不给即今天 | from this day on; today"
)
@click.option(
    "--until", "last", type=DAY, default=None, help="至哪天，不给即 30 天后 | until; 30 days on"
)
@as_json
@with_office
def duty_list(office: Office, first: date | None, last: date | None, json_: bool) -> None:
    """列出值班表 | who is on duty when."""
    from bot.people import duty as stage
    from bot.workdays import office_day

    with office.db.read() as conn:
        begins = first or office_day(office.db.now(conn), office.config.tz)
        ends = last or begins + timedelta(days=30)
        rows = stage.listing(conn, reading_units(office, None, conn), begins, ends)
    show(
        rows,
        json_,
        "day unit name login",
        {"name": Say("值班人")},
        empty=Say("这些天还没有排值班：gongkai duty put 单位 2026-12-01 登录名"),
    )


@duty.command("put")
@click.argument("unit")
@click.argument("day", type=DAY)
@click.argument("who", default="")
@acting
def duty_put(office: Office, actor: Actor, unit: str, day: date, who: str) -> None:
    """某单位某天由谁值班；不给人即空着 | who is on duty that day; nobody without a name."""
    from bot import people
    from bot.people import duty as stage

    with writing(office) as (conn, now):
        stage.put(conn, now, actor, people.unit_of(conn, unit)["id"], {day: who})
    done(Say("值班表已存，记入留痕"))


@duty.command("import")
@click.argument("unit")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@acting
def duty_import(office: Office, actor: Actor, unit: str, file: Path, json_: bool) -> None:
    """从表格导入：每行一个日期、一个人 | a day and a person a line (CSV or pasted)."""
    from bot import people
    from bot.people import duty as stage

    said = stage.read(handed(str(file)))
    with writing(office) as (conn, now):
        n = stage.put(conn, now, actor, people.unit_of(conn, unit)["id"], said)
    say({"changed": n}, json_, str(Say("已排 {n} 天", n=n)))


COMMANDS: list[click.Command] = [duty]
