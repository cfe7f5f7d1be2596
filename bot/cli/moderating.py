"""board: replies on the office's own board that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import NUMBER, acting, as_json, say, show, with_office, writing
from bot.cli.speech import Group
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office

COLUMNS = "id at author_name post_title text pending"


@click.group(cls=Group)
def board() -> None:
    """公开栏留言审核 | the board's replies that wait."""


@board.command("list")
@click.option("--limit", type=NUMBER, default=100, help="最多几行 | rows at most")
@as_json
@with_office
def board_list(office: Office, limit: int, json_: bool) -> None:
    """待审的留言，先来的在前 | what waits, the oldest first."""
    from bot import shapes
    from bot.web.board.store import waiting

    with office.db.read() as conn:
        rows = [shapes.picked(row, shapes.BOARD_REPLY) for row in waiting(conn, limit)]
    show(rows, json_, COLUMNS, empty=Say("没有待审核的留言"))


@board.command("decide")
@click.argument("reply_id", type=NUMBER)
@click.argument("word", type=click.Choice(["show", "hide", "keep"]))
@as_json
@acting
def board_decide(office: Office, actor: Actor, reply_id: int, word: str, json_: bool) -> None:
    """公开、不公开，或保留原文 | show it, hide it, or keep the earlier text and drop the edit."""
    from bot.web import moderation

    with writing(office) as (conn, now):
        moderation.decide(office, conn, now, actor, reply_id, word)
    say({"reply": reply_id, "word": word}, json_, str(moderation.DONE[word]))


COMMANDS = [board]
