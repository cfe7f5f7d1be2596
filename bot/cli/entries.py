"""item: catalogue entries, those typed in or handed in by hand, and the catalogue's quality."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import (
    NUMBER,
    acting,
    as_json,
    cell,
    done,
    handed,
    reading_units,
    say,
    show,
    text_of,
    with_office,
    writing,
)
from bot.cli.speech import Group, half, keyed, listed, names_of
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor, Entry
    from bot.office import Office


@click.group(cls=Group)
def item() -> None:
    """条目 | catalogue entries."""


COLUMNS = "id state published source_name column title from_unit waits returned"


@item.command("list")
@click.option(
    "--state",
    default="",
    help="只看：新到、已成稿、不发，或 waiting（等人定） | only new, composed, skipped, or waiting (for a person)",
)
@click.option("--source", default="", help="只看一个来源（键） | of one source (key)")
@click.option("--search", "words", default="", help="标题里的词语 | words of its title")
@click.option("--from", "handed_in", default="", help="某单位报送的 | handed in by a unit")
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@as_json
@with_office
def item_list(office: Office, json_: bool, **filters: Any) -> None:
    """列出条目 | the entries."""
    from bot import catalog, naming, shapes
    from bot.errors import NotFound
    from bot.model import ItemState

    names = names_of("item", *ItemState) | {"waiting": Say("等人定")}
    filters["state"] = keyed(filters["state"], names)
    with office.db.read() as conn:
        if (key := filters["source"]) and key not in (known := naming.of_sources(conn)):
            raise NotFound("没有来源 {key}，有：{known}", key=key, known=listed(known) or "—")
        units = reading_units(office, None, conn)
        rows = catalog.listing(conn, units, **filters)
    empty = Say("还没有条目：来源读到以后列在这里，或 gongkai item add 手工录入")
    show(map(shapes.row, rows), json_, COLUMNS, words={"state": "item"}, empty=empty)


@item.command("take")
@click.argument("item_id", type=NUMBER)
@acting
def item_take(office: Office, actor: Actor, item_id: int) -> None:
    """放行：由系统成稿 | let a waiting entry become a draft."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.take(conn, now, actor, item_id)
    done(Say("已交系统成稿，稍后到“稿件”看"))


@item.command("skip")
@click.argument("item_id", type=NUMBER)
@acting
def item_skip(office: Office, actor: Actor, item_id: int) -> None:
    """不发 | make nothing of it."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.skip(conn, now, actor, item_id)
    done(Say("已记为不发"))


@item.command("bring-back")
@click.argument("item_id", type=NUMBER)
@acting
def item_bring_back(office: Office, actor: Actor, item_id: int) -> None:
    """取回不发的条目，待成稿 | let what was skipped wait for a person again."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.bring_back(conn, now, actor, item_id)
    done(Say("已取回，待成稿"))


@item.command("show")
@click.argument("item_id", type=NUMBER)
@as_json
@with_office
def item_show(office: Office, item_id: int, json_: bool) -> None:
    """看一个条目：要素、历次版本、成稿 | one entry, its revisions and the posts made of it."""
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
    show([row], False, COLUMNS, words={"state": "item"})
    click.echo()
    heads = {"name": Say("要素"), "value": Say("内容")}
    show(_elements(row["entry"]), False, "name value", heads)
    click.echo()
    show(history["revisions"], False, "number at digest")
    if made := history["posts"]:
        click.echo()
        show(made, False, "id state title", {"id": Say("稿件")}, {"state": "post"})


LONGEST = 300  # characters of an element that are shown; --json has the whole


def _elements(stored: dict[str, Any]) -> list[dict[str, str]]:
    """What an entry says, element by element; what it does not say is left out."""
    from bot.model import Entry

    entry = Entry.of(stored)
    said = {name: getattr(entry, name.replace("-", "_")) for name in FIELDS}
    found = {name: cell(value) for name, value in said.items() if value}
    if entry.formed:
        found["formed"] = found["formed"].split(" ")[0]  # a day, kept as its beginning
    if entry.attachments:
        found["attachments"] = listed(one.name or one.url for one in entry.attachments)
    return [
        {
            "name": half(ELEMENTS[name]),
            "value": value if len(value) <= LONGEST else f"{value[:LONGEST]}…",
        }
        for name, value in found.items()
    ]


# ---------------------------------------------------------------- by hand

FIELDS = {  # as options say them
    "title": "标题 | its title",
    "index-number": "索引号 | index number",
    "document-number": "发文字号 | document number",
    "publisher": "发布机构 | publisher",
    "formed": "成文日期，如 2026-09-18 | the day it was formed: 2026-09-18",
    "published": "发布日期 | when it was published",
    "column": "栏目 | column",
    "topic": "主题分类 | topic",
    "summary": "内容概述 | summary",
    "body": "正文；- 读标准输入 | its words; - reads standard input",
    "link": "网址 | its address",
}
ELEMENTS = {  # as an entry shows them
    **FIELDS,
    "title": "标题 | Title",
    "index-number": "索引号 | Index number",
    "document-number": "发文字号 | Document number",
    "publisher": "发布机构 | Publisher",
    "formed": "成文日期 | Formed on",
    "published": "发布日期 | Published",
    "column": "栏目 | Column",
    "topic": "主题分类 | Topic",
    "summary": "内容概述 | Summary",
    "body": "正文 | Text",
    "link": "网址 | Address",
    "attachments": "附件 | Attachments",
}


def typed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The fields of an entry as options, or entries as JSON on standard input."""
    stdin = click.option(
        "--stdin", is_flag=True, help="从标准输入读 JSON | entries as JSON on standard input"
    )
    for name, text in reversed(FIELDS.items()):
        command = click.option(f"--{name}", default="", help=text)(command)
    return stdin(command)


def _entries(office: Office, stdin: bool, fields: dict[str, str]) -> list[Entry]:
    from bot import catalog
    from bot.errors import Invalid

    if not stdin:
        fields["body"] = text_of(fields["body"])
        return catalog.entries_of(office, [fields])
    try:
        found = json.loads(handed("-"))
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
@click.option("--unit", required=True, help="哪个单位的目录 | whose catalogue")
@typed
@as_json
@acting
def item_add(
    office: Office, actor: Actor, unit: str, stdin: bool, json_: bool, **fields: str
) -> None:
    """手工录入条目 | type entries in."""
    from bot import catalog

    entries = _entries(office, stdin, fields)
    with writing(office) as (conn, now):
        made = catalog.add(conn, now, actor, unit, entries)
    _made(made, json_)


@item.command("submit")
@click.option("--unit", required=True, help="报送单位 | the unit that hands it in")
@click.option("--to", required=True, help="报给哪个单位 | the unit it is for")
@typed
@as_json
@acting
def item_submit(
    office: Office, actor: Actor, unit: str, to: str, stdin: bool, json_: bool, **fields: str
) -> None:
    """上报：把材料报给另一单位成稿 | hand material in to another unit."""
    from bot import catalog

    entries = _entries(office, stdin, fields)
    with writing(office) as (conn, now):
        made = catalog.submit(conn, now, actor, unit, to, entries)
    _made(made, json_)


@item.command("return")
@click.argument("item_id", type=NUMBER)
@click.option("--reason", required=True, help="退回的原因 | why")
@acting
def item_return(office: Office, actor: Actor, item_id: int, reason: str) -> None:
    """把报送的材料退回 | give material back to the unit it came from."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.give_back(conn, now, actor, item_id, reason)
    done(Say("已退回，报送单位会收到提醒"))


@item.command("amend")
@click.argument("item_id", type=NUMBER)
@typed
@acting
def item_amend(office: Office, actor: Actor, item_id: int, stdin: bool, **fields: str) -> None:
    """改手工条目，所写即全文；退回的即再次报送 | replace it; what was returned is handed in again."""
    from bot import catalog
    from bot.errors import Invalid

    entries = _entries(office, stdin, fields)
    if len(entries) != 1:
        raise Invalid("一次只能改一条")
    with writing(office) as (conn, now):
        catalog.amend(conn, now, actor, item_id, entries[0])
    done(Say("已保存"))


@item.command("call-back")
@click.argument("item_id", type=NUMBER)
@acting
def item_call_back(office: Office, actor: Actor, item_id: int) -> None:
    """报送单位收回材料 | take material back."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.call_back(conn, now, actor, item_id)
    done(Say("已收回"))


# ---------------------------------------------------------------- quality


@item.command("quality")
@click.option("--unit", default="", help="某单位及其下级 | of a unit and those below")
@click.option("--source", default="", help="只看一个来源（键） | of one source (key)")
@click.option("--rule", default="", help="只看一项（代号，如 overdue） | one check (overdue, …)")
@click.option("--xlsx", type=click.Path(dir_okay=False), help="导出 XLSX | write an XLSX")
@as_json
@with_office
def item_quality(office: Office, **asked: Any) -> None:
    """目录质量：缺项、错栏、重复、逾期、缺解读等 | what is wanting in the catalogues."""
    from bot.cli.quality import quality as run

    run(office, **asked)


COMMANDS = [item]
