"""read, item: the catalogue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, reading_units, show, with_office, writing

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

    from bot.sources import reading

    zone = _zone(context)
    taken = asyncio.run(reading.read(target, zone, kind=kind or "", private=private))
    found = reading.as_json(taken, zone)
    if json_:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    show(found["items"], False, {"published": "发布", "column": "栏目", "title": "标题"})
    for problem in found["problems"]:
        click.echo(f"{problem['where']}: {problem['what']}", err=True)


def _zone(context: click.Context) -> Any:
    """The office's zone where there is an office, else Beijing's."""
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from bot.config import load

    path = Path(context.obj)
    return load(path).tz if path.exists() else ZoneInfo("Asia/Shanghai")


@click.group()
def item() -> None:
    """条目 catalogue entries."""


ITEM_COLUMNS = {
    "id": "编号",
    "state": "状态",
    "published": "发布",
    "column": "栏目",
    "title": "标题",
    "waits": "等待",
}


@item.command("list")
@click.option("--state", default="", help="new, composed, skipped, waiting")
@click.option("--source", default="")
@click.option("--search", "words", default="")
@click.option("--limit", default=50)
@as_json
@with_office
def item_list(office: Office, state: str, source: str, words: str, limit: int, json_: bool) -> None:
    """列出条目."""
    from bot import catalog

    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        rows = catalog.listing(conn, units, state=state, source=source, words=words, limit=limit)
    show(rows, json_, ITEM_COLUMNS)


@item.command("take")
@click.argument("item_id", type=int)
@acting
def item_take(office: Office, actor: Actor, item_id: int) -> None:
    """放行：由系统成稿 let a waiting entry become a draft."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.take(conn, now, actor, item_id)


@item.command("skip")
@click.argument("item_id", type=int)
@acting
def item_skip(office: Office, actor: Actor, item_id: int) -> None:
    """不发 make nothing of it."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.skip(conn, now, actor, item_id)


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

    with writing(office) as (conn, now):
        collect.erase(office, conn, now, actor, reply_id, reason)


COMMANDS = [read, item, replies, erase]
