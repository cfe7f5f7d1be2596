"""token: what programs show at the office's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import NUMBER, acting, as_json, done, instant, say, show, writing
from bot.cli.speech import Group
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.group(cls=Group)
def token() -> None:
    """令牌：程序经接口代本人办事 | tokens for the API (docs/api.md)."""


@token.command("create")
@click.option("--name", required=True, help="用途 | what it is for")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "write", "sign", "hold", "admin"]),
    help="范围，可多次 | what it may be used for; may repeat",
)
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=90,
    show_default=True,
    help="有效几天 | days it lives",
)
@click.option(
    "--until",
    default="",
    help="截止，如 2027-03-31 18:00（代替 --days） | its end: 2027-03-31 18:00 (instead of --days)",
)
@as_json
@acting
def token_create(
    office: Office,
    actor: Actor,
    name: str,
    scopes: tuple[str, ...],
    days: int,
    until: str,
    json_: bool,
) -> None:
    """建立本人的令牌，只显示这一次（--as） | a token of one's own, shown once."""
    from datetime import timedelta

    from bot import tokens
    from bot.model import Scope

    with writing(office) as (conn, now):
        ends = instant(office, until) or now + timedelta(days=days)
        made, shown = tokens.create(conn, now, actor, name, [Scope(one) for one in scopes], ends)
    say({"id": made, "token": shown, "ends_at": ends.isoformat()}, json_, shown)


@token.command("list")
@click.option(
    "--everyone", is_flag=True, help="连同本人管理的人员的令牌 | also of those one administers"
)
@as_json
@acting
def token_list(office: Office, actor: Actor, everyone: bool, json_: bool) -> None:
    """本人的令牌；在本机不加 --as 则列出全部 | one's own; all of them to the machine's shell."""
    from bot import shapes, tokens
    from bot.tokens import SCOPE_WORDS

    with office.db.read() as conn:
        now = office.db.now(conn)
        found = tokens.listing(conn, actor, everyone=everyone)
    rows = [shapes.token(row, now) for row in found]
    show(
        rows,
        json_,
        "id login name scopes ends_at used_at state",
        {"name": Say("用途")},
        {"scopes": lambda row: [SCOPE_WORDS[one] for one in row["scopes"]], "state": "token"},
        empty=Say("没有令牌：gongkai token create 建一个"),
    )


@token.command("revoke")
@click.argument("token_id", type=NUMBER)
@acting
def token_revoke(office: Office, actor: Actor, token_id: int) -> None:
    """撤销令牌，立即生效 | end a token, at once."""
    from bot import tokens

    with writing(office) as (conn, now):
        tokens.revoke(conn, now, actor, token_id)
    done(Say("已撤销，立即失效"))


COMMANDS = [token]
