"""sign: review and sign-off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.base import (
    NUMBER,
    acting,
    as_json,
    done,
    instant,
    reading_units,
    say,
    show,
    with_office,
    writing,
)
from bot.cli.speech import Group, word
from bot.language import Say

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office


@click.group(cls=Group)
def sign() -> None:
    """审签 | review and sign-off."""


@sign.command("list")
@click.option("--signed", is_flag=True, help="--as 签过的 | what he signed, with --as")
@as_json
@acting
def sign_list(office: Office, actor: Actor, signed: bool, json_: bool) -> None:
    """等审签的；--as 只列轮到他的 | what waits for a sign-off, or with --as for him."""
    from bot import review, shapes

    with office.db.read() as conn:
        if signed:
            done = shapes.posts(conn, review.signed(conn, actor, limit=200))
            show(done, json_, "id state go_at title")
            return
        if actor.person is None:
            every = review.all_waiting(conn, reading_units(office, actor, conn))
            found = [{**row, "behalf": []} for row in every]
        else:
            found = review.waiting_for(office, conn, actor)
        rows = shapes.waiting(office, conn, found)
    show(
        rows,
        json_,
        "id step_name number go_at behalf title",
        empty=Say("没有等审签的稿件；拟稿人送审以后列在这里：gongkai post submit"),
    )


def _decide(
    office: Office, actor: Actor, post_id: int, verdict: str, json_: bool, **said: str
) -> None:
    from bot import compose, review
    from bot.model import Verdict

    with writing(office) as (conn, now):
        row = compose.locked(conn, post_id)
        seen = said["digest"] or compose.current(conn, row)["digest"]
        decided = review.Decision(Verdict(verdict), seen, said["note"], behalf=said["behalf"])
        state = review.decide(office, conn, now, actor, post_id, decided)
    stands = "returned" if verdict == "return" else state
    say({"post": post_id, "state": state}, json_, word("post", stands))


_behalf = click.option("--behalf", default="", help="代何人审签（登录名） | in whose place (login)")
_digest = click.option(
    "--digest",
    default="",
    help="所见版本的摘要；不给则指当前版本 | of the version seen; else the current one",
)


@sign.command("pass")
@click.argument("post_id", type=NUMBER)
@click.option("--note", default="", help="意见 | a note")
@_digest
@_behalf
@as_json
@acting
def sign_pass(office: Office, actor: Actor, post_id: int, json_: bool, **said: str) -> None:
    """通过当前审次 | pass the step that waits."""
    _decide(office, actor, post_id, "pass", json_, **said)


@sign.command("return")
@click.argument("post_id", type=NUMBER)
@click.option("--note", required=True, help="退回的意见 | what is to be mended")
@_digest
@_behalf
@as_json
@acting
def sign_return(office: Office, actor: Actor, post_id: int, json_: bool, **said: str) -> None:
    """退回 | return it to its author."""
    _decide(office, actor, post_id, "return", json_, **said)


@sign.command("refer")
@click.argument("post_id", type=NUMBER)
@click.option("--note", required=True, help="报请确定什么 | what is to be decided")
@_digest
@_behalf
@as_json
@acting
def sign_refer(office: Office, actor: Actor, post_id: int, json_: bool, **said: str) -> None:
    """报请确定 | refer it to whoever must decide."""
    _decide(office, actor, post_id, "refer", json_, **said)


@sign.command("together")
@click.argument("posts", nargs=-1, required=True)
@click.option("--behalf", default="", help="代何人审签（登录名） | in whose place (login)")
@as_json
@acting
def sign_together(
    office: Office, actor: Actor, posts: tuple[str, ...], behalf: str, json_: bool
) -> None:
    """一并通过几篇无疑点的，写 编号 或 编号:摘要 | several without findings: ID or ID:DIGEST."""
    from bot import compose, review
    from bot.errors import Invalid
    from bot.model import PostState

    several = []
    for each in posts:
        number, _, digest = each.partition(":")
        if not number.isascii() or not number.isdigit():
            raise Invalid("“{value}”不是编号", value=each[:20])
        with office.db.read() as conn:
            seen = digest or compose.current(conn, compose.one(conn, int(number)))["digest"]
        several.append(review.Ticked(int(number), seen, behalf))
    found = review.sign_together(office, actor, several).items()
    rows = [
        {"id": post, "state": got, "why": ""}
        if isinstance(got, PostState)
        else {"id": post, "state": "", "why": str(got)}
        for post, got in found
    ]
    show(rows, json_, "id state why", {"why": Say("没有办的原因")}, {"state": "post"})


@sign.command("offline")
@click.argument("post_id", type=NUMBER)
@click.option("--signed-by", required=True, help="签批单上签字的人 | who signed it")
@click.option(
    "--sheet",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="签批单的照片或扫描件 | its picture",
)
@acting
def sign_offline(office: Office, actor: Actor, post_id: int, signed_by: str, sheet: str) -> None:
    """登记线下签批 | record a sheet signed on paper."""
    from bot import compose, review

    with writing(office) as (conn, now):
        digest = compose.current(conn, compose.locked(conn, post_id))["digest"]
        content, name = Path(sheet).read_bytes(), Path(sheet).name
        review.record_offline(office, conn, now, actor, post_id, digest, signed_by, content, name)
    done(Say("已登记线下签批"))


@sign.command("standing")
@click.argument("source")
@click.option(
    "--until", required=True, help="截止，如 2026-12-31 18:00 | its end: 2026-12-31 18:00"
)
@click.option("--daily-max", type=NUMBER, required=True, help="每天最多几篇 | posts a day at most")
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="只限这些栏目，可多次 | these columns only; may repeat",
)
@click.option("--note", default="", help="事由 | why")
@as_json
@acting
def sign_standing(
    office: Office,
    actor: Actor,
    source: str,
    until: str,
    daily_max: int,
    columns: tuple[str, ...],
    note: str,
    json_: bool,
) -> None:
    """常设签发：对可信来源 | a standing sign-off for a trusted source."""
    from bot import review
    from bot.errors import Invalid

    ends = instant(office, until)
    if ends is None:
        raise Invalid("请写明截止时间")
    with writing(office) as (conn, now):
        made = review.grant_standing(
            office,
            conn,
            now,
            actor,
            source,
            ends=ends,
            daily_max=daily_max,
            columns=columns,
            note=note,
        )
    say({"standing": made}, json_, f"#{made}")


@sign.command("standings")
@click.argument("standing_id", type=NUMBER, required=False)
@as_json
@with_office
def sign_standings(office: Office, standing_id: int | None, json_: bool) -> None:
    """列出常设签发，或一个的全部情况 | which stand, sleep, have ended; or one whole."""
    from bot import review

    if standing_id is not None:
        _one_standing(office, standing_id, json_)
        return
    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        rows = review.standing_list(conn, office.db.now(conn), units)
    show(
        rows,
        json_,
        "id state source_name signer ends daily_max note",
        {"ends": Say("截止")},
        {"state": "standing"},
        empty=Say("没有常设签发：签发人用 gongkai sign standing 对可信来源授予"),
    )


def _one_standing(office: Office, standing_id: int, json_: bool) -> None:
    """What it is bound to, today's use, and what it did not cover with why."""
    from bot import review, shapes

    with office.db.read() as conn:
        found = review.standing_one(office, conn, office.db.now(conn), standing_id)
    one = shapes.standing(found)
    if json_:
        say(one, json_, "")
        return
    names = "state source_name signer template accounts columns ends daily_max used_today"
    show([one], json_, names, {"ends": Say("截止")}, {"state": "standing"})
    left = {"title": Say("稿件"), "why": Say("没有适用")}
    show(one["not_covered"], json_, "id title why", left, empty=Say("没有不适用的稿件"))
    say({}, json_, str(Say("由它签发的最近 {n} 篇", n=len(one["signed"]))))


@sign.command("wake")
@click.argument("standing_id", type=NUMBER)
@acting
def sign_wake(office: Office, actor: Actor, standing_id: int) -> None:
    """恢复备份后唤醒常设签发 | let one hold again after a restore."""
    from bot import review

    with writing(office) as (conn, now):
        review.wake_standing(conn, now, actor, standing_id)
    done(Say("常设签发已恢复"))


@sign.command("end")
@click.argument("standing_id", type=NUMBER)
@acting
def sign_end(office: Office, actor: Actor, standing_id: int) -> None:
    """终止常设签发 | end a standing sign-off."""
    from bot import review

    with writing(office) as (conn, now):
        review.end_standing(conn, now, actor, standing_id)
    done(Say("常设签发已终止，已签的不受影响"))


@sign.command("revoke")
@click.argument("post_id", type=NUMBER)
@click.option("--reason", required=True, help="撤销的原因 | why")
@acting
def sign_revoke(office: Office, actor: Actor, post_id: int, reason: str) -> None:
    """撤销签发（未发的不再发） | take a sign-off back."""
    from bot import review

    with writing(office) as (conn, now):
        review.revoke(office, conn, now, actor, post_id, reason)
    done(Say("已撤销签发，稿件退回草稿"))


COMMANDS = [sign]
