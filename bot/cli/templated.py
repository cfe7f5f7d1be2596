"""template, and posts that are written by one: tried out, written, followed up, corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import (
    NUMBER,
    acting,
    as_json,
    drafted,
    handed,
    instant,
    say,
    show,
    text_of,
    with_office,
    writing,
)
from bot.cli.content import assisted, post, setting
from bot.cli.speech import Group, word
from bot.language import Say, _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from bot.model import Actor
    from bot.office import Office


@click.group(cls=Group)
def template() -> None:
    """模板 | templates."""


LIST_COLUMNS = "key name kind over_limit fields uses"


@template.command("list")
@as_json
@with_office
def template_list(office: Office, json_: bool) -> None:
    """列出模板：要填的字段、用在哪里、有什么错 | templates, their fields, uses and mistakes."""
    from bot import shapes
    from bot.web.words import KINDS, OVER

    found = shapes.templates(office, set(office.config.units))
    show(
        found,
        json_,
        LIST_COLUMNS,
        {"key": Say("模板")},
        {"kind": KINDS, "over_limit": OVER, "fields": _fields, "uses": _uses},
    )
    for wrong in (error for one in found for error in one["errors"] if not json_):
        click.echo(f"! {wrong}")


def _fields(made: Mapping[Any, Any]) -> list[str]:
    return [f"{name}*" if one["required"] else name for name, one in made["fields"].items()]


def _uses(made: Mapping[Any, Any]) -> list[str]:
    """What makes posts of it; a source and a schedule by their keys."""
    from bot.web.words import USES

    told = []
    for use in made["uses"]:
        key, of = use["key"], use["of"]
        one = Say("来源 {key}", key=key) if of == "source" else Say("日程 {key}", key=key)
        told.append(str(USES[key] if of == "program" else one))
    return told


@template.command("show")
@click.argument("name")
@as_json
@with_office
def template_show(office: Office, name: str, json_: bool) -> None:
    """一个模板：全文、摘要、改动记录、认它的常设签发 | its text, digest, trail, and sign-offs."""
    from bot import shapes

    with office.db.read() as conn:
        found = shapes.template_whole(office, conn, name, set(office.config.units))
    say(found, json_, f"{found['text']}\n# {found['digest']}")


@template.command("save")
@click.argument("name")
@click.argument("file", default="-")
@click.option(
    "--digest",
    default=None,
    help="改之前的摘要；不写就以现在的为准 | of what was read; else of what is there",
)
@as_json
@acting
def template_save(
    office: Office, actor: Actor, name: str, file: str, digest: str | None, json_: bool
) -> None:
    """用最近的条目试过再存；有误不存 | keep a template if it renders, on record."""
    from bot import compose, review

    text = handed(file)
    read = compose.template_file(office, name).digest if digest is None else digest
    made = compose.save_template(office, actor, name, text, read)
    with office.db.read() as conn:
        bound = review.bound_to(conn, office.db.now(conn), name)
    voided = [row for row in bound if row["template_digest"] != made]
    found = {"template": name, "digest": made, "voided": [row["id"] for row in voided]}
    told = Say("已存 {name}，不再适用的常设签发 {n} 份", name=name, n=len(voided))
    say(found, json_, str(told))


timing = [
    click.option(
        "--at",
        default=None,
        help="计划时间，如 2026-11-25 09:30 | planned for, as 2026-11-25 09:30",
    ),
    click.option(
        "--latest", default=None, help="最迟时间，过了不再发 | the latest moment it may go"
    ),
    assisted,
]


def timed(command: Callable[..., Any]) -> Callable[..., Any]:
    """When it goes, and whether a model helped."""
    for option in timing:
        command = option(command)
    return command


def _times(office: Office, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "go_at": instant(office, asked["at"]),
        "latest_at": instant(office, asked["latest"]),
        "assisted": asked["assisted"],
    }


@template.command("preview")
@click.argument("name")
@click.option(
    "--item", "item_id", type=NUMBER, default=None, help="用哪个条目试 | an entry to try it on"
)
@click.option(
    "--account", "keys", multiple=True, required=True, help="账号，可多次 | an account; may repeat"
)
@setting
@as_json
@with_office
def template_preview(
    office: Office,
    name: str,
    item_id: int | None,
    keys: tuple[str, ...],
    said: dict[str, str],
    json_: bool,
) -> None:
    """按条目和账号试排，不成稿 | what it would say there; nothing is kept."""
    from bot import compose, shapes

    with office.db.read() as conn:
        body = compose.tried(office, conn, office.db.now(conn), name, keys, said, item_id)
        parts = compose.preview(office, conn, body, keys)
    if json_:
        say({"title": body.title, "parts": [shapes.part(one) for one in parts]}, True, "")
        return
    for one in parts:
        click.echo(f"— {one.account['key']} ({one.part + 1}) {one.count}/{one.limit or '∞'}")
        click.echo(f"{one.outgoing.text}\n")
        for finding in one.findings:
            grave, what = word("finding", finding.severity), _(finding.message)
            click.echo(f"! {grave} {finding.rule}{Say('：')}{what}")


# ---------------------------------------------------------------- posts


@post.command("write")
@click.argument("template")
@click.option("--unit", required=True, help="哪个单位的稿件 | whose post")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    required=True,
    help="发到哪个账号，可多次 | which accounts; may repeat",
)
@setting
@timed
@as_json
@acting
def post_write(office: Office, actor: Actor, **asked: Any) -> None:
    """按模板拟稿，不用条目 | draft by a template, without an entry."""
    from bot import compose, people

    with writing(office) as (conn, now):
        made = compose.from_template(
            office,
            conn,
            now,
            actor,
            unit_id=people.unit_of(conn, asked["unit"])["id"],
            template=asked["template"],
            keys=asked["accounts"],
            said=asked["said"],
            **_times(office, asked),
        )
    drafted(made, asked["json_"])


@post.command("update")
@click.argument("post_id", type=NUMBER)
@setting
@timed
@as_json
@acting
def post_update(office: Office, actor: Actor, post_id: int, **asked: Any) -> None:
    """应急续报：编号，写明并链接前一报 | the next update of an emergency."""
    from bot import compose

    def _made(conn: Connection, now: Any) -> int:
        more = _times(office, asked)
        return compose.follow_up(office, conn, now, actor, post_id, asked["said"], **more)

    _written(office, _made, asked["json_"])


@post.command("correct")
@click.argument("post_id", type=NUMBER)
@click.option("--wrong", required=True, help="原来写的 | what was wrong")
@click.option("--right", required=True, help="应当是 | what is right")
@click.option("--reason", default="", help="为什么有误 | why it was")
@timed
@as_json
@acting
def post_correct(office: Office, actor: Actor, post_id: int, **asked: Any) -> None:
    """更正已发的稿件：另成一稿，须审签 | correct a sent post by a post of its own."""
    from bot import compose

    def _made(conn: Connection, now: Any) -> int:
        words = asked["wrong"], asked["right"], asked["reason"]
        more = _times(office, asked)
        return compose.correction(office, conn, now, actor, post_id, *words, **more)

    _written(office, _made, asked["json_"])


@post.command("card")
@click.argument("post_id", type=NUMBER)
@click.option(
    "--text",
    default="",
    help="图上的文字；不写用全文，- 读标准输入 | the words on it; else the whole text; - reads standard input",
)
@click.option("--off", is_flag=True, help="不用长图 | without the picture")
@as_json
@acting
def post_card(
    office: Office, actor: Actor, post_id: int, text: str, off: bool, json_: bool
) -> None:
    """全文配成长图：成新版本 | a picture of the whole text, as a new revision."""
    from bot import compose

    words = text_of(text)
    with writing(office) as (conn, now):
        if off:
            made = compose.drop_card(office, conn, now, actor, post_id)
        else:
            made = compose.draw_card(office, conn, now, actor, post_id, words.strip())
    say({"post": post_id, "version": made}, json_, f"#{post_id}")


def _written(office: Office, make: Callable[[Connection, Any], int], json_: bool) -> None:
    with writing(office) as (conn, now):
        made = make(conn, now)
    drafted(made, json_)


COMMANDS = [template]
