"""init, check, run, worker, web, backup, restore, settings: the office as a whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, opened, say, with_office

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.command()
@click.argument("folder", type=click.Path(file_okay=False), default=".")
def init(folder: str) -> None:
    """新建一个办公室 a new office's folder: config.toml, templates/, schedules/."""
    from bot.cli.running import shipped
    from bot.errors import Conflict

    target = Path(folder)
    if (target / "config.toml").exists():
        raise Conflict("{folder} 里已有 config.toml", folder=folder)
    target.mkdir(parents=True, exist_ok=True)
    source = shipped()
    shutil.copy(source / "config.toml", target / "config.toml")
    for name in ("templates", "schedules"):
        shutil.copytree(source / name, target / name, dirs_exist_ok=True)
    click.echo(f"{target / 'config.toml'}")


@click.command()
@as_json
@click.pass_context
def check(context: click.Context, json_: bool) -> None:
    """检查配置、模板、日程和审次 config, templates, schedules, steps; takes config.toml in."""
    from bot.cli.running import examine

    office = opened(context)
    found = examine(office)
    if json_:
        say(found, True, "")
    else:
        for line in found["lines"]:
            click.echo(line)
    if found["faults"]:
        context.exit(1)


@click.command()
@click.option("--once", is_flag=True, help="办完到点的事就结束 do all that is due, then end")
@click.option("--port", type=int, default=None, help="控制台端口")
@click.option("--host", default=None, help="控制台地址")
@click.pass_context
def run(context: click.Context, once: bool, port: int | None, host: str | None) -> None:
    """控制台、公开栏和工作进程，同一进程 web, board and worker in one process."""
    from bot.cli.running import run_once, run_whole

    office = _listening(context, host, port)
    if once:
        context.exit(asyncio.run(run_once(office)))
    asyncio.run(run_whole(office, web=True, work=True))


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """只运行工作进程 a worker only (PostgreSQL: any number of them)."""
    from bot.cli.running import run_whole

    asyncio.run(run_whole(opened(context), web=False, work=True))


@click.command()
@click.option("--port", type=int, default=None)
@click.option("--host", default=None)
@click.pass_context
def web(context: click.Context, host: str | None, port: int | None) -> None:
    """只运行控制台与公开栏 console and board only."""
    from bot.cli.running import run_whole

    asyncio.run(run_whole(_listening(context, host, port), web=True, work=False))


def _listening(context: click.Context, host: str | None, port: int | None) -> Office:
    """The office, listening where the command line says."""
    from bot.office import Office

    office = opened(context)
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    part = office.config.web.model_copy(update=given)
    return Office(office.config.model_copy(update={"web": part}), office.db)


@click.command()
@click.argument("target", type=click.Path(dir_okay=False))
@click.option("--verify", is_flag=True, help="只核对已有的备份 check one that stands")
@as_json
@with_office
def backup(office: Office, target: str, verify: bool, json_: bool) -> None:
    """备份（运行中也可）a consistent backup while running; not the secrets' key."""
    from bot.backup import backup as save
    from bot.backup import verify_backup

    made = verify_backup(Path(target)) if verify else save(office, Path(target))
    say(made.json(), json_, str(made))


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="覆盖现有数据")
@as_json
@acting
def restore(office: Office, actor: Actor, source: str, replace: bool, json_: bool) -> None:
    """从备份恢复；恢复后一切停发 restore; everything is on hold afterwards."""
    from bot.backup import restore as load

    made: Any = load(office, Path(source), replace=replace, actor=actor)
    say(made.json(), json_, str(made))


@click.command()
@click.option("--state", is_flag=True, help="只看现在怎么样 only how it stands")
@as_json
@with_office
def settings(office: Office, state: bool, json_: bool) -> None:
    """设置与现状：config.toml 各节、数据库、磁盘、备份、存证 what is set, and how it stands."""
    from bot.settings import sections
    from bot.settings import state as standing

    with office.db.read() as conn:
        found: dict[str, Any] = {"state": standing(office, conn)}
    tables = [] if state else sections(office.config, office.config.units)
    if json_:
        say(found | ({} if state else {"config": [one.json() for one in tables]}), True, "")
        return
    for name, value in found["state"].items():
        click.echo(f"{name}: {value}")
    for table in tables:
        click.echo(f"\n[{table.name}]" if table.name else "")
        for one in table.settings:
            click.echo(f"{one.key} = {one.value}{f'  # {one.line}' if one.line else ''}")


COMMANDS = [init, check, run, worker, web, backup, restore, settings]
