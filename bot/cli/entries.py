"""item: catalogue entries, those typed in or handed in by hand, and the catalogue's quality."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, cell, reading_units, say, show, with_office, writing

if TYPE_CHECKING:
    from bot.model import Actor, Entry
    from bot.office import Office


@click.group()
def item() -> None:
    """条目 catalogue entries."""


ITEM_COLUMNS = {
    "id": "编号",
    "state": "状态",
    "published": "发布",
    "source_name": "来源",
    "column": "栏目",
    "title": "标题",
    "from_unit": "报送",
    "waits": "等待",
    "returned": "退回",
}


@item.command("list")
@click.option("--state", default="", help="new, composed, skipped, waiting")
@click.option("--source", default="")
@click.option("--search", "words", default="")
@click.option("--from", "handed_in", default="", help="某单位报送的")
@click.option("--limit", default=50)
@as_json
@with_office
def item_list(office: Office, json_: bool, **filters: Any) -> None:
    """列出条目."""
    from bot import catalog, shapes

    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        rows = catalog.listing(conn, units, **filters)
    show(map(shapes.row, rows), json_, ITEM_COLUMNS)


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


@item.command("bring-back")
@click.argument("item_id", type=int)
@acting
def item_bring_back(office: Office, actor: Actor, item_id: int) -> None:
    """取回不发的条目，待成稿 let what was skipped wait for a person again."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.bring_back(conn, now, actor, item_id)


@item.command("show")
@click.argument("item_id", type=int)
@as_json
@with_office
def item_show(office: Office, item_id: int, json_: bool) -> None:
    """看一个条目：要素、历次版本、成稿 one entry, its revisions and the posts made of it."""
    from bot import compose, shapes
    from bot.errors import NotFound

    with office.db.read() as conn:
        row = compose.item_of(conn, item_id)
        if row["unit_id"] not in reading_units(office, None, conn):
            raise NotFound("没有编号 {id} 的条目", id=item_id)
        history = shapes.entry_history(conn, item_id)
    if json_:
        say({**row, **history}, True, "")
        return
    show([row], False, ITEM_COLUMNS)
    click.echo()
    show(_elements(row["entry"]), False, {"name": "要素", "value": "内容"})
    click.echo()
    show(history["revisions"], False, {"number": "版本", "at": "时间", "digest": "校验值"})
    if made := history["posts"]:
        click.echo()
        show(made, False, {"id": "稿件", "title": "标题"})


LONGEST = 300  # characters of an element that are shown; --json has the whole


def _elements(stored: dict[str, Any]) -> list[dict[str, str]]:
    """What an entry says, element by element; what it does not say is left out."""
    from bot.language import _
    from bot.model import Entry

    entry = Entry.of(stored)
    said = {name: getattr(entry, name.replace("-", "_")) for name in FIELDS}
    found = {name: cell(value) for name, value in said.items() if value}
    if entry.attachments:
        found["attachments"] = "；".join(one.name or one.url for one in entry.attachments)
    heads = {**FIELDS, "formed": "成文日期", "body": "正文", "attachments": "附件"}
    return [
        {"name": _(heads[name]), "value": value if len(value) <= LONGEST else f"{value[:LONGEST]}…"}
        for name, value in found.items()
    ]


# ---------------------------------------------------------------- by hand

FIELDS = {
    "title": "标题",
    "index-number": "索引号",
    "document-number": "发文字号",
    "publisher": "发布机构",
    "formed": "成文日期，如 2026-09-18",
    "published": "发布日期",
    "column": "栏目",
    "topic": "主题分类",
    "summary": "内容概述",
    "body": "正文；- 读标准输入",
    "link": "网址",
}


def typed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The fields of an entry as options, or entries as JSON on standard input."""
    stdin = click.option("--stdin", is_flag=True, help="从标准输入读 JSON entries as JSON")
    for name, text in reversed(FIELDS.items()):
        command = click.option(f"--{name}", default="", help=text)(command)
    return stdin(command)


def _entries(office: Office, stdin: bool, fields: dict[str, str]) -> list[Entry]:
    from bot import catalog
    from bot.errors import Invalid

    if not stdin:
        if fields["body"] == "-":
            fields["body"] = sys.stdin.read()
        return catalog.entries_of(office, [fields])
    try:
        found = json.load(sys.stdin)
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        raise Invalid(
            "标准输入不是 JSON：第 {line} 行第 {column} 列有误", line=line, column=column
        ) from None
    except (ValueError, RecursionError):
        raise Invalid("标准输入不是 JSON") from None
    listed = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise Invalid("标准输入应是一个 JSON 对象，或一列对象")
    return catalog.entries_of(office, listed)


def _made(made: list[int], json_: bool) -> None:
    say({"items": made}, json_, " ".join(f"#{n}" for n in made))


@item.command("add")
@click.option("--unit", required=True, help="哪个单位的目录")
@typed
@as_json
@acting
def item_add(
    office: Office, actor: Actor, unit: str, stdin: bool, json_: bool, **fields: str
) -> None:
    """手工录入条目 type entries in."""
    from bot import catalog

    entries = _entries(office, stdin, fields)
    with writing(office) as (conn, now):
        made = catalog.add(conn, now, actor, unit, entries)
    _made(made, json_)


@item.command("submit")
@click.option("--unit", required=True, help="报送单位")
@click.option("--to", required=True, help="报给哪个单位")
@typed
@as_json
@acting
def item_submit(
    office: Office, actor: Actor, unit: str, to: str, stdin: bool, json_: bool, **fields: str
) -> None:
    """上报：把材料报给另一单位成稿 hand material in to another unit."""
    from bot import catalog

    entries = _entries(office, stdin, fields)
    with writing(office) as (conn, now):
        made = catalog.submit(conn, now, actor, unit, to, entries)
    _made(made, json_)


@item.command("return")
@click.argument("item_id", type=int)
@click.option("--reason", required=True)
@acting
def item_return(office: Office, actor: Actor, item_id: int, reason: str) -> None:
    """把报送的材料退回 give material back to the unit it came from."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.give_back(conn, now, actor, item_id, reason)


@item.command("amend")
@click.argument("item_id", type=int)
@typed
@acting
def item_amend(office: Office, actor: Actor, item_id: int, stdin: bool, **fields: str) -> None:
    """改手工条目，所写即全文；退回的即再次报送 replace it; what was returned is handed in again."""
    from bot import catalog
    from bot.errors import Invalid

    entries = _entries(office, stdin, fields)
    if len(entries) != 1:
        raise Invalid("一次只能改一条")
    with writing(office) as (conn, now):
        catalog.amend(conn, now, actor, item_id, entries[0])


@item.command("call-back")
@click.argument("item_id", type=int)
@acting
def item_call_back(office: Office, actor: Actor, item_id: int) -> None:
    """报送单位收回材料 take material back."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.call_back(conn, now, actor, item_id)


# ---------------------------------------------------------------- quality


@item.command("quality")
@click.option("--unit", default="", help="某单位及其下级")
@click.option("--source", default="")
@click.option("--rule", default="", help="只看一项，如 overdue")
@click.option("--xlsx", type=click.Path(dir_okay=False), help="导出 XLSX")
@as_json
@with_office
def item_quality(office: Office, **asked: Any) -> None:
    """目录质量：缺项、错栏、重复、逾期、缺解读等 what is wanting in the catalogues."""
    from bot.cli.quality import quality as run

    run(office, **asked)


COMMANDS = [item]
