"""read, replies: what a catalogue and the public say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, show, writing

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.command()
@click.argument("target")
@click.option("--kind", default=None, help="来源类别 kind of catalogue")
@click.option("--private", is_flag=True, help="地址在内网 the address is on our own network")
@as_json
@click.pass_context
def read(context: click.Context, target: str, kind: str | None, private: bool, json_: bool) -> None:
    """读一个目录而不入库 read a catalogue, store nothing."""
    import asyncio

    from bot.language import Say
    from bot.sources import reading

    zone = zone_of(context)
    taken = asyncio.run(reading.read(target, zone, kind=kind or "", private=private))
    found = reading.as_json(taken, zone)
    if json_:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    show(found["items"], False, {"published": "发布", "column": "栏目", "title": "标题"})
    if columns := found.get("columns"):
        pairs = "，".join(f"{field}={heading}" for field, heading in columns.items())
        click.echo(str(Say("列的对应：{pairs}", pairs=pairs)), err=True)
    for problem in found["problems"]:
        click.echo(f"{problem['where']}: {problem['what']}", err=True)


def zone_of(context: click.Context) -> Any:
    """The office's zone where there is an office, else Beijing's."""
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from bot.config import load

    path = Path(context.obj)
    return load(path).tz if path.exists() else ZoneInfo("Asia/Shanghai")


@click.command()
@click.option("--post", type=int, default=None, help="某一稿件")
@click.option("--account", default="", help="某一账号")
@click.option("--search", "words", default="")
@click.option("--state", default="")
@click.option("--csv", type=click.Path(dir_okay=False), help="导出 CSV")
@click.option("--xlsx", type=click.Path(dir_okay=False), help="导出 XLSX")
@click.option("--jsonl", type=click.Path(dir_okay=False), help="导出 JSON Lines")
@click.option("--coverage", is_flag=True, help="采集到多少")
@click.option("--limit", default=50)
@as_json
@acting
def replies(office: Office, actor: Actor, **asked: Any) -> None:
    """评论；导出记入留痕 public replies, with their versions and marks; an export is on record."""
    from bot.cli.replying import replies as run

    run(office, actor, **asked)


@click.command()
@click.argument("reply_id", type=int)
@click.option("--reason", required=True, help="抹除的依据")
@acting
def erase(office: Office, actor: Actor, reply_id: int, reason: str) -> None:
    """抹除一条评论的内容，不能恢复 erase a reply's words for good, on our own board too."""
    from bot import collect
    from bot.language import Say

    with writing(office) as (conn, now):
        stands = collect.erase(office, conn, now, actor, reply_id, reason)
    if stands:
        click.echo(str(Say("原文还在平台上，请到那里处理：{url}", url=stands)))


COMMANDS = [read, replies, erase]
