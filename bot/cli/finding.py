"""search: everything that holds some words, or bears a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.base import as_json, reading_units, say, show, with_office
from bot.cli.content import standing
from bot.cli.speech import Spoken, word
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.finding import Hit
    from bot.office import Office


KINDS = {  # what is looked for, and the chip of its states
    "posts": "post",
    "items": "item",
    "replies": "reply",
    "accounts": "account",
    "people": "person",
    "sources": "source",
    "deliveries": "delivery",
}


@click.command(cls=Spoken)
@click.argument("words")
@click.option("--of", default=None, type=click.Choice([*KINDS][:6]), help="只找这一类 | only these")
@click.option("--limit", default=5, type=click.IntRange(1, 50), help="每类几条 | of each kind")
@as_json
@with_office
def search(office: Office, words: str, of: str | None, limit: int, json_: bool) -> None:
    """搜索：稿件、条目、评论、账号、人员、来源，词语、文号或编号 | find anything by words or number."""
    from bot import finding, shapes, shown
    from bot.errors import Invalid

    if not words.strip():
        raise Invalid("请写要找的词语或编号")
    with office.db.read() as conn:
        scope = reading_units(office, None, conn)
        place = finding.straight(conn, scope, words)
        groups = finding.find(conn, scope, words, most=limit, of=of or "")
        hits = [hit for group in groups for hit in group.hits]
        chips = shown.of_posts(conn, [int(hit.id) for hit in hits if hit.of == "posts"])
    if json_:
        say(shapes.found(place, groups), True, "")
        return
    rows = [
        {"of": finding.NAMES[hit.of], "id": hit.id, "title": hit.title, "state": _state(hit, chips)}
        for hit in hits
    ]
    show(rows, False, "of id state title", empty=Say("没有找到“{words}”", words=words))


def _state(hit: Hit, chips: Mapping[int, tuple[str, str, str]]) -> str:
    if hit.of == "posts":
        return standing(chips[int(hit.id)])
    return str(word(KINDS[hit.of], hit.state)) if hit.state else ""


COMMANDS = [search]
