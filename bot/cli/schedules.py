"""schedule: what happens by the calendar."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, cell, instant, opened, say, show, with_office, writing

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office

KINDS = {"slots": "时段", "items": "汇总", "steps": "逐段"}


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def schedule(context: click.Context, json_: bool) -> None:
    """日程：下几次、上一次 schedules: their next times, and the last."""
    if context.invoked_subcommand is None:
        _list(opened(context), json_)


def _list(office: Office, json_: bool) -> None:
    from bot import schedule as stage

    with office.db.read() as conn:
        rows = stage.listing(office, conn, office.db.now(conn))
    if json_:
        show(rows, True, {})
        return
    columns = {"key": "日程", "name": "名称", "kind": "类别", "next": "下几次", "last": "上一次"}
    show([_brief(row) for row in rows], False, columns)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    from bot.language import _

    if "next" not in row:
        return {"key": row["key"], "next": row["error"]}
    coming = "，".join(cell(at) for at in row["next"]) or row["error"]
    state = _("已暂停") if row["paused"] else _("已结束") if row["ended"] else coming
    kind = KINDS[row["kind"]]
    last = f"{cell(row['last']['at'])} {row['last']['state']}" if row["last"] else ""
    return {**row, "kind": _(kind), "next": state, "last": last}


@schedule.command("whatif")
@click.argument("target")
@click.option("--from", "begins", default=None, help="自 2026-12-01")
@click.option("--to", "ends", default=None, help="至 2026-12-31")
@as_json
@with_office
def schedule_whatif(
    office: Office, target: str, begins: str | None, ends: str | None, json_: bool
) -> None:
    """推演：日程名、文件、规则（"30 9 * * 1-5"）或 - 读标准输入，会在哪些时间，有什么妨碍 when a schedule or a file would fire; changes nothing."""
    from bot import schedule as stage
    from bot.schedule.files import named

    file = Path(target)
    if target == "-" or len(target.split()) > 1:
        one = stage.read(office, sys.stdin.read() if target == "-" else target)
    else:
        one = stage.load(office, file) if file.suffix == ".toml" else named(office, target)
    start = instant(office, begins) or office.db.now()
    until = instant(office, ends) or start + timedelta(days=31)
    rows, unknown = stage.what_if(office, one, start, until)
    shown = rows if json_ else [{**row, "remarks": "；".join(row["remarks"])} for row in rows]
    columns = {"at": "时间", "day": "日子", "title": "标题", "remarks": "说明"}
    show(shown, json_, columns)
    if unknown is not None:
        click.echo(str(unknown), err=True)
        click.get_current_context().exit(1)


@schedule.command("run")
@click.argument("key")
@as_json
@acting
def schedule_run(office: Office, actor: Actor, key: str, json_: bool) -> None:
    """现在加办一期（照样审签）one more, now; signed as ever."""
    from bot import schedule as stage

    with writing(office) as (conn, now):
        made = stage.run(office, conn, now, actor, key)
    say({"occurrence": made}, json_, f"#{made}")


@schedule.command("skip")
@click.argument("key")
@click.argument("at")
@click.option("--undo", is_flag=True, help="恢复")
@acting
def schedule_skip(office: Office, actor: Actor, key: str, at: str, undo: bool) -> None:
    """跳过一期，时间写作 "2026-11-25 17:30" call off one time."""
    from bot import schedule as stage

    when = instant(office, at)
    assert when is not None
    with writing(office) as (conn, now):
        stage.skip(office, conn, now, actor, key, when, undo=undo)


@schedule.command("pause")
@click.argument("key")
@click.option("--reason", default="")
@click.option("--undo", is_flag=True, help="恢复")
@acting
def schedule_pause(office: Office, actor: Actor, key: str, reason: str, undo: bool) -> None:
    """暂停一个日程（--undo 恢复）stop a schedule until it is let go on."""
    from bot import schedule as stage

    with writing(office) as (conn, now):
        stage.pause(office, conn, now, actor, key, reason, undo=undo)


COMMANDS = [schedule]
