"""schedule: what happens by the calendar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import (
    acting,
    as_json,
    cell,
    done,
    instant,
    opened,
    say,
    show,
    text_of,
    with_office,
    writing,
)
from bot.cli.speech import Group, word
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.group(cls=Group, invoke_without_command=True)
@as_json
@click.pass_context
def schedule(context: click.Context, json_: bool) -> None:
    """日程：下几次、上一次 | schedules: their next times, and the last."""
    if context.invoked_subcommand is None:
        _list(opened(context), json_)


def _list(office: Office, json_: bool) -> None:
    from bot import schedule as stage

    with office.db.read() as conn:
        rows = stage.listing(office, conn, office.db.now(conn))
    if json_:
        show(rows, True, "")
        return
    empty = Say("还没有日程：在 schedules/ 放一个文件，写法见 docs/operating.md")
    show(map(_brief, rows), False, "key name kind next last", {"key": Say("日程")}, empty=empty)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    from bot.web.words import SCHEDULES

    if "next" not in row:
        return {"key": row["key"], "next": row["error"]}
    state = Say("已暂停") if row["paused"] else Say("已结束") if row["ended"] else None
    coming = [*row["next"]] or row["error"]
    last = row["last"]
    done = f"{cell(last['at'])} {word('occurrence', last['state'])}" if last else ""
    return {**row, "kind": SCHEDULES[row["kind"]], "next": state or coming, "last": done}


@schedule.command("whatif")
@click.argument("target")
@click.option(
    "--from", "begins", default=None, help="自哪天，如 2026-12-01 | from this day on: 2026-12-01"
)
@click.option("--to", "ends", default=None, help="至哪天，如 2026-12-31 | until: 2026-12-31")
@as_json
@with_office
def schedule_whatif(
    office: Office, target: str, begins: str | None, ends: str | None, json_: bool
) -> None:
    """推演会在哪些时间、有什么妨碍，什么都不改：日程名、文件、规则（"30 9 * * 1-5"），或 - 读标准输入 | when a schedule, a file, a rule ("30 9 * * 1-5") or standard input (-) would fire; changes nothing."""
    from bot import schedule as stage
    from bot.schedule.files import named

    file = Path(target)
    if target == "-" or len(target.split()) > 1:
        one = stage.read(office, text_of(target))
    else:
        one = stage.load(office, file) if file.exists() else named(office, file.stem)
    start = instant(office, begins) or office.db.now()
    until = instant(office, ends) or start + timedelta(days=31)
    rows, unknown = stage.what_if(office, one, start, until)
    none = Say("这段时间没有期次")
    show(rows, json_, "at day title remarks", {"day": Say("日子")}, empty=none)
    if unknown is not None:
        click.echo(str(unknown), err=True)
        click.get_current_context().exit(1)


@schedule.command("run")
@click.argument("key")
@as_json
@acting
def schedule_run(office: Office, actor: Actor, key: str, json_: bool) -> None:
    """现在加办一期（照样审签） | one more, now; signed as ever."""
    from bot import schedule as stage

    with writing(office) as (conn, now):
        made = stage.run(office, conn, now, actor, key)
    say({"occurrence": made}, json_, f"#{made}")


@schedule.command("skip")
@click.argument("key")
@click.argument("at")
@click.option("--undo", is_flag=True, help="恢复 | let it be again")
@acting
def schedule_skip(office: Office, actor: Actor, key: str, at: str, undo: bool) -> None:
    """跳过一期，时间写作 "2026-11-25 17:30" | call off one time, written "2026-11-25 17:30"."""
    from bot import schedule as stage

    when = instant(office, at)
    assert when is not None
    with writing(office) as (conn, now):
        stage.skip(office, conn, now, actor, key, when, undo=undo)
    done(Say("已恢复这一期") if undo else Say("已跳过这一期"))


@schedule.command("pause")
@click.argument("key")
@click.option("--reason", default="", help="事由 | why")
@click.option("--undo", is_flag=True, help="恢复 | let it go on")
@acting
def schedule_pause(office: Office, actor: Actor, key: str, reason: str, undo: bool) -> None:
    """暂停一个日程（--undo 恢复） | stop a schedule until it is let go on."""
    from bot import schedule as stage

    with writing(office) as (conn, now):
        stage.pause(office, conn, now, actor, key, reason, undo=undo)
    done(Say("已恢复") if undo else Say("已暂停，已成的稿件不受影响"))


COMMANDS = [schedule]
