"""user delegate: 代签."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import NUMBER, acting, as_json, done, instant, say, show, with_office, writing
from bot.cli.persons import user
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@user.group("delegate")
def delegate() -> None:
    """代签：不在时由人代为审签 | who acts in one's place."""


@delegate.command("make")
@click.argument("taker")
@click.option("--unit", required=True, help="哪个单位的稿件，含下级 | whose posts, those below too")
@click.option(
    "--step", "steps", multiple=True, required=True, help="审次，可多次 | a step; may repeat"
)
@click.option(
    "--from",
    "begins",
    default="",
    help="自 2026-11-25 09:00；不给即从现在 | from 2026-11-25 09:00; else from now",
)
@click.option("--until", "ends", required=True, help="至 2026-11-28 18:00 | until 2026-11-28 18:00")
@click.option("--reason", required=True, help="事由 | why")
@as_json
@acting
def delegate_make(
    office: Office,
    actor: Actor,
    taker: str,
    unit: str,
    steps: tuple[str, ...],
    begins: str,
    ends: str,
    reason: str,
    json_: bool,
) -> None:
    """委托他人代签，须 --as 本人 | name somebody to act in your place."""
    from bot import review

    more: dict[str, Any] = {"unit": unit, "steps": steps, "reason": reason}
    more |= {"begins": instant(office, begins), "ends": instant(office, ends)}
    with writing(office) as (conn, now):
        made = review.delegate(office, conn, now, actor, taker, **more)
    say({"delegation": made}, json_, f"#{made}")


@delegate.command("list")
@click.argument("login", default="")
@as_json
@with_office
def delegate_list(office: Office, login: str, json_: bool) -> None:
    """列出代签，或一人的 | all of them, or one person's."""
    from bot import people, review

    with office.db.read() as conn:
        person = people.by_login(conn, login)["id"] if login else None
        rows = review.delegations_of(conn, office.db.now(conn), person)
    show(
        rows,
        json_,
        "id giver taker unit steps begins ends state reason",
        words={"state": "delegation"},
        empty=Say("没有代签：gongkai user delegate make 委托一次"),
    )


@delegate.command("end")
@click.argument("delegation", type=NUMBER)
@acting
def delegate_end(office: Office, actor: Actor, delegation: int) -> None:
    """提前终止一次代签 | end one before its time."""
    from bot import review

    with writing(office) as (conn, now):
        review.end_delegation(conn, now, actor, delegation)
    done(Say("代签已终止，已签的不受影响"))


COMMANDS: list[click.Command] = []  # within user
