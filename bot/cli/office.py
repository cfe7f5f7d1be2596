"""init, check, run, worker, web, backup, restore, settings: the office as a whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import PORT, acting, as_json, cell, facts, opened, say, with_office
from bot.cli.speech import Spoken
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.model import Actor
    from bot.office import Office


@click.command(cls=Spoken)
@click.argument("folder", type=click.Path(file_okay=False), default=".")
def init(folder: str) -> None:
    """新建一个办公室：config.toml、templates/、schedules/ | a new office's folder: config.toml, templates/, schedules/."""
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


@click.command(cls=Spoken)
@as_json
@click.pass_context
def check(context: click.Context, json_: bool) -> None:
    """检查配置、模板、日程和审次，并使 config.toml 生效 | config, templates, schedules, steps; takes config.toml in."""
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


@click.command(cls=Spoken)
@click.option(
    "--once",
    is_flag=True,
    help="办完到点的事就结束；有事要人办以 1 结束 | do all that is due, then end; 1 where something needs a person",
)
@click.option("--port", type=PORT, default=None, help="控制台端口 | its port")
@click.option("--host", default=None, help="控制台地址 | its address")
@click.pass_context
def run(context: click.Context, once: bool, port: int | None, host: str | None) -> None:
    """控制台、公开栏和工作进程，同一进程 | web, board and worker in one process."""
    from bot.cli.running import run_once, run_whole

    office = _listening(context, host, port)
    if once:
        waits = asyncio.run(run_once(office))
        if waits:
            where = Say("有事要人办：看 gongkai notices 和 gongkai queue --state person")
            click.echo(str(where), err=True)
        context.exit(waits)
    asyncio.run(run_whole(office, web=True, work=True))


@click.command(cls=Spoken)
@click.pass_context
def worker(context: click.Context) -> None:
    """只运行工作进程（PostgreSQL 下可有多个） | a worker only (PostgreSQL: any number of them)."""
    from bot.cli.running import run_whole

    asyncio.run(run_whole(opened(context), web=False, work=True))


@click.command(cls=Spoken)
@click.option("--port", type=PORT, default=None, help="控制台端口 | its port")
@click.option("--host", default=None, help="控制台地址 | its address")
@click.pass_context
def web(context: click.Context, host: str | None, port: int | None) -> None:
    """只运行控制台与公开栏 | console and board only."""
    from bot.cli.running import run_whole

    asyncio.run(run_whole(_listening(context, host, port), web=True, work=False))


def _listening(context: click.Context, host: str | None, port: int | None) -> Office:
    """The office, listening where the command line says."""
    from bot.office import Office

    office = opened(context)
    given = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    part = office.config.web.model_copy(update=given)
    return Office(office.config.model_copy(update={"web": part}), office.db)


@click.command(cls=Spoken)
@click.argument("target", type=click.Path(dir_okay=False))
@click.option("--verify", is_flag=True, help="只核对已有的备份 | check one that stands")
@as_json
@with_office
def backup(office: Office, target: str, verify: bool, json_: bool) -> None:
    """备份（运行中也可），不含密钥 | a consistent backup while running; not the secrets' key."""
    from bot.backup import backup as save
    from bot.backup import verify_backup

    made = verify_backup(Path(target)) if verify else save(office, Path(target))
    say(made.json(), json_, str(made))


@click.command(cls=Spoken)
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="覆盖现有数据 | overwrite what is here")
@as_json
@acting
def restore(office: Office, actor: Actor, source: str, replace: bool, json_: bool) -> None:
    """从备份恢复；恢复后一切停发 | restore; everything is on hold afterwards."""
    from bot.backup import restore as load

    made: Any = load(office, Path(source), replace=replace, actor=actor)
    say(made.json(), json_, str(made))


@click.command(cls=Spoken)
@as_json
@acting
def rekey(office: Office, actor: Actor, json_: bool) -> None:
    """换密钥：凭据和动态口令都用新密钥重新加密 | a new key: credentials and second factors are sealed anew."""
    from bot import rekeying

    n = rekeying.rekey(office, actor)
    told = Say(
        "已换密钥，重新加密 {n} 项；请另存一份 {file}", n=n, file=office.config.secret_key_file
    )
    say({"secrets": n}, json_, told)


@click.command(cls=Spoken)
@click.option("--state", is_flag=True, help="只看现在怎么样 | only how it stands")
@as_json
@with_office
def settings(office: Office, state: bool, json_: bool) -> None:
    """设置与现状：config.toml 各节、数据库、磁盘、备份、存证 | what is set, and how it stands."""
    from bot.settings import sections
    from bot.settings import state as standing

    with office.db.read() as conn:
        found: dict[str, Any] = {"state": standing(office, conn)}
    tables = [] if state else sections(office.config, office.config.units)
    if json_:
        say(found | ({} if state else {"config": [one.json() for one in tables]}), True, "")
        return
    facts(_state(found["state"]))
    for table in tables:
        click.echo(f"\n[{table.name}]" if table.name else "")
        for one in table.settings:
            line = Say("第 {n} 行", n=one.line) if one.line else ""
            click.echo(f"{one.key} = {one.value}{f'  # {line}' if line else ''}")


def _state(of: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """How the office stands, as the console says it."""
    from bot.web.render import size

    store, disk, trail = of["database"], of["disk"], of["trail"]
    yield Say("版本"), of["version"]
    yield "config.toml", of["config"]
    yield Say("数据库"), f"{store['kind']} {store['where']}"
    if store["size"] is not None:
        yield Say("大小"), size(store["size"])
    if store["schema"] != store["newest"]:
        yield Say("结构"), Say("{n}，程序要 {newest}", n=store["schema"], newest=store["newest"])
    room = {"free": size(disk["free"]), "total": size(disk["total"])}
    yield Say("磁盘"), Say("还有 {free}，共 {total}", **room)
    yield (
        Say("上次备份"),
        of["backup"]["at"] if of["backup"] else Say("还没有备份过：gongkai backup"),
    )
    counts = {"a": trail["sealed"], "b": trail["unsealed"]}
    yield Say("留痕"), Say("已编号 {a} 条，待编号 {b} 条", **counts)
    yield Say("库外存证"), trail["file"]
    yield Say("存证时间"), trail["anchored_at"] or Say("还没有")
    for worker in (one for one in of["workers"] if not one["stopped_at"]):
        beats = Say("运行正常") if worker["alive"] else Say("没有心跳")
        yield Say("工作进程"), f"{worker['host']} {worker['pid']} {beats} {cell(worker['beat_at'])}"
    if not any(one["alive"] for one in of["workers"]):
        yield Say("工作进程"), Say("没有运行中的工作进程：请启动 gongkai run")


COMMANDS = [init, check, run, worker, web, backup, restore, rekey, settings]
