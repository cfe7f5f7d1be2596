"""read, replies: what a catalogue and the public say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import (
    DAY,
    NUMBER,
    acting,
    alone,
    as_json,
    done,
    harmless,
    say,
    show,
    text_of,
    writing,
)
from bot.cli.speech import Group, Spoken
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.model import Actor
    from bot.office import Office


@click.command(cls=Spoken)
@click.argument("target")
@click.option("--kind", default=None, help="来源类别 | kind of catalogue")
@click.option("--private", is_flag=True, help="地址在内网 | the address is on our own network")
@as_json
@click.pass_context
def read(context: click.Context, target: str, kind: str | None, private: bool, json_: bool) -> None:
    """读一个目录而不入库 | read a catalogue, store nothing."""
    import asyncio

    from bot.sources import reading

    zone = zone_of(context)
    taken = asyncio.run(reading.read(target, zone, kind=kind or "", private=private))
    found = reading.as_json(taken, zone)
    if json_:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    show(dated(found["items"], zone), False, "published column title", empty=Say("一条也没有读到"))
    if columns := found.get("columns"):
        pairs = str(Say("，")).join(f"{field}={heading}" for field, heading in columns.items())
        click.echo(str(Say("列的对应：{pairs}", pairs=pairs)), err=True)
    for problem in found["problems"]:
        told = Say("{where}：{what}", where=problem["where"], what=problem["what"])
        click.echo(harmless(str(told)), err=True)


def dated(items: Iterable[dict[str, Any]], zone: Any) -> list[dict[str, Any]]:
    """Entries as JSON has them, their time as an instant again, to be shown on the office's clock."""
    from datetime import datetime

    click.get_current_context().meta["zone"] = zone
    return [
        {**one, "published": datetime.fromisoformat(one["published"]) if one["published"] else None}
        for one in items
    ]


def zone_of(context: click.Context) -> Any:
    """The office's zone where there is an office, else Beijing's."""
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from bot.config import load

    path = Path(context.obj)
    return load(path).tz if path.exists() else ZoneInfo("Asia/Shanghai")


@click.group(cls=Group, invoke_without_command=True)
@click.option("--post", type=NUMBER, default=None, help="某一稿件的 | of one post")
@click.option("--account", default="", help="某一账号的 | of one account")
@click.option("--search", "words", default="", help="内容里的词语 | words of it")
@click.option(
    "--state", default="", help="只看：可见、已修改、已删除 | only visible, edited, removed"
)
@click.option("--since", type=DAY, default=None, help="从哪天起 | said on this day or later")
@click.option("--until", type=DAY, default=None, help="到哪天为止，含当天 | until this day's end")
@click.option(
    "--own/--public", default=None, help="本单位的，或公众的 | the office's or the public's"
)
@click.option("--unanswered", flag_value=True, default=None, help="还没有答复的 | not answered yet")
@click.option("--csv", type=click.Path(dir_okay=False), help="导出 CSV | write a CSV")
@click.option("--xlsx", type=click.Path(dir_okay=False), help="导出 XLSX | write an XLSX")
@click.option("--jsonl", type=click.Path(dir_okay=False), help="导出 JSON Lines | write JSON Lines")
@click.option("--coverage", is_flag=True, help="采集到多少 | how much of it was collected")
@click.option("--counts", is_flag=True, help="赞、转、评随时间 | likes, reposts, replies over time")
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@as_json
@alone
@acting
def replies(office: Office, actor: Actor, **asked: Any) -> None:
    """评论；导出记入留痕 | public replies, with their versions and marks; an export is on record."""
    from bot.cli.replying import replies as run

    run(office, actor, **asked)


@replies.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--account", "key", required=True, help="人工登记的账号 | the by-hand account it came to"
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="指明哪一列是什么：text=诉求详情 | which column is what: text=诉求详情",
)
@as_json
@acting
def replies_import(
    office: Office, actor: Actor, file: str, key: str, columns: tuple[str, ...], json_: bool
) -> None:
    """导入别处来的留言（12345、县长信箱、来信），CSV 或 XLSX | messages that came elsewhere, CSV or XLSX."""
    from pathlib import Path

    from bot import collect
    from bot.cli.replying import taken, told

    with writing(office) as (conn, now):
        made = collect.import_file(office, conn, now, actor, key, Path(file), told(columns))
    taken(made, json_)


@replies.command("add")
@click.option(
    "--account", "key", required=True, help="人工登记的账号 | the by-hand account it came to"
)
@click.option(
    "--text", required=True, help="内容；- 读标准输入 | its words; - reads standard input"
)
@click.option("--at", default=None, help="何时；不给即现在 | when; else now")
@click.option("--author", default=None, help="何人 | who said it")
@click.option("--id", "id_", default=None, help="对方的编号 | its number there")
@click.option("--title", default=None, help="标题 | its title")
@click.option("--url", default=None, help="网址 | its address")
@click.option("--post", type=NUMBER, default=None, help="所说的稿件 | the post it is about")
@as_json
@acting
def replies_add(
    office: Office, actor: Actor, key: str, text: str, id_: str | None, json_: bool, **more: Any
) -> None:
    """登记一条别处来的留言 | enter one message by hand."""
    from bot import collect

    words = text_of(text)
    with writing(office) as (conn, now):
        made = collect.add(office, conn, now, actor, key, text=words, id=id_, **more)
    say({"reply": made}, json_, f"#{made}")


@click.command(cls=Spoken)
@click.argument("reply_id", type=NUMBER)
@click.option("--reason", required=True, help="抹除的依据 | why it may be erased")
@acting
def erase(office: Office, actor: Actor, reply_id: int, reason: str) -> None:
    """抹除一条评论的内容，不能恢复 | erase a reply's words for good, on our own board too."""
    from bot import collect

    with writing(office) as (conn, now):
        stands = collect.erase(office, conn, now, actor, reply_id, reason)
    done(Say("已抹除"))
    if stands:
        done(Say("原文还在平台上，请到那里处理：{url}", url=stands))


COMMANDS = [read, replies, erase]
