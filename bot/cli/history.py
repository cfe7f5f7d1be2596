"""post revisions, post writings: what was before, and what is typed and not saved yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import NUMBER, acting, as_json, say, show, with_office
from bot.cli.content import post
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@post.command("revisions")
@click.argument("post_id", type=NUMBER)
@click.argument("number", type=NUMBER, required=False)
@as_json
@with_office
def post_revisions(office: Office, post_id: int, number: int | None, json_: bool) -> None:
    """历次版本；给出版本号则看那一版全文 | the revisions of a post, or one as it stood."""
    from bot import compose, shapes

    with office.db.read() as conn:
        row = compose.one(conn, post_id)
        if number is None:
            rows = compose.revisions_of(conn, post_id)
            show(rows, json_, "number at name digest", {"name": Say("何人")})
            return
        found = shapes.revision(conn, row, number)
    if json_:
        say(found, True, "")
        return
    for part in found["renditions"]:
        click.echo(f"— {part['account']} ({part['part'] + 1})\n{part['payload']['text']}\n")


@post.command("writings")
@as_json
@acting
def post_writings(office: Office, actor: Actor, json_: bool) -> None:
    """本人写了还没存的（--as） | what one typed on the console and did not save."""
    from bot import compose, shapes

    with office.db.read() as conn:
        rows = [shapes.writing(row) for row in compose.writings_of(conn, actor)]
    if not json_:
        rows = [{**row, "text": _text(row["fields"])} for row in rows]
    show(rows, json_, "post key at text", empty=Say("没有写了还没存的"))


def _text(fields: list[dict[str, str]]) -> str:
    return next((one["value"] for one in fields if one["name"] == "text"), "")[:60]


COMMANDS: list[click.Command] = []  # within post
