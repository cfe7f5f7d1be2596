"""queue, hold, solemn, let, resume: what goes out, and what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from bot.cli.speech import Group, Spoken, keyed, names_of, word
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import RowMapping

    from bot.deliver.queue import Reasons
    from bot.model import Actor
    from bot.office import Office
    from bot.schedule.solemn import Kept


@click.group(cls=Group, invoke_without_command=True)
@click.option(
    "--state",
    default="",
    help="只看：待发、发送中、已发出、结果不明、失败、已取消、已错过，或 person（等人定）、held（已停发） | only ready, sending, sent, uncertain, failed, cancelled, missed, person (waits for one), held",
)
@click.option("--post", type=NUMBER, default=None, help="某一稿件的 | of one post")
@click.option(
    "--hold",
    type=NUMBER,
    default=None,
    help="停发期间到点、还没定的 | fell due under a hold and nobody decided",
)
@click.option("--limit", type=NUMBER, default=50, help="最多几行 | rows at most")
@as_json
@click.pass_context
def queue(context: click.Context, /, **asked: Any) -> None:
    """队列：每条为什么还没发 | deliveries, and why each has not gone yet."""
    if context.invoked_subcommand is None:
        from bot.cli.base import opened

        _list(opened(context), **asked)


def _list(
    office: Office, state: str, post: int | None, hold: int | None, limit: int, json_: bool
) -> None:
    from bot.deliver import queue as stage
    from bot.model import DeliveryState

    names = names_of("delivery", *DeliveryState, "held") | {"person": Say("需要人定")}
    asked = keyed(state, names)
    with office.db.read() as conn:
        units = reading_units(office, None, conn)
        rows = stage.listing(conn, units, state=asked, post=post, hold=hold, limit=limit)
        _show(stage.Reasons(conn, office.db.now(conn)), rows, json_)


def _show(reasons: Reasons, rows: Sequence[RowMapping], json_: bool) -> None:
    """Deliveries with what each waits for; a held one and one that waits by hand say so."""
    from bot import shapes

    states = {row["id"]: word("delivery", reasons.shown(row)) for row in rows}
    found = [shapes.delivery(row, reasons) for row in rows]
    show(
        found,
        json_,
        "id state account go_at title why",
        {"title": Say("稿件")},
        {"state": lambda row: states[row["id"]]},
        empty=Say("队列里没有这样的投递；签发后的稿件列在这里"),
    )


@queue.command("attempts")
@click.argument("delivery_id", type=NUMBER)
@as_json
@with_office
def queue_attempts(office: Office, delivery_id: int, json_: bool) -> None:
    """每次尝试与平台原话 | every attempt, with the platform's own words."""
    from bot.deliver import queue as stage
    from bot.web.words import OUTCOMES

    with office.db.read() as conn:
        stage.one(conn, delivery_id)
        rows = stage.attempts_of(conn, delivery_id)
    show(
        rows,
        json_,
        "begun_at ended_at outcome said raw",
        words={"outcome": OUTCOMES},
        empty=Say("还没有尝试过"),
    )


@queue.command("task")
@click.argument("delivery_id", type=NUMBER)
@as_json
@with_office
def queue_task(office: Office, delivery_id: int, json_: bool) -> None:
    """须人工发布的这一条怎么做 | what to do for one that is published by hand."""
    from bot.deliver import queue as stage
    from bot.language import _

    with office.db.read() as conn:
        told = stage.task(conn, delivery_id)
    say({"task": told}, json_, told or _("这一条不等人工发布"))


@queue.command("cancel")
@click.argument("delivery_id", type=NUMBER)
@acting
def queue_cancel(office: Office, actor: Actor, delivery_id: int) -> None:
    """取消未发的投递 | call one off that has not gone."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.cancel(conn, now, actor, delivery_id)
    done(Say("已取消，不会发出"))


@queue.command("retry")
@click.argument("delivery_id", type=NUMBER)
@click.option("--at", default=None, help="何时再发；不给即现在 | when again; else now")
@acting
def queue_retry(office: Office, actor: Actor, delivery_id: int, at: str | None) -> None:
    """再发（仅这一条，须在签发时段内） | send again: only this one, within the signed window."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.retry(office, conn, now, actor, delivery_id, instant(office, at))
    done(Say("已放回队列，按计划时间发出"))


@queue.command("back")
@click.argument("delivery_ids", type=NUMBER, nargs=-1, required=True)
@acting
def queue_back(office: Office, actor: Actor, delivery_ids: tuple[int, ...]) -> None:
    """把稿件送回审签，重新签发 | its post is signed anew, in the same words."""
    from bot.schedule import retiming

    for delivery_id in delivery_ids:
        with writing(office) as (conn, now):
            retiming.send_back(office, conn, now, actor, delivery_id)
    done(Say("已送回审签，重新签发后才发"))


@queue.command("look")
@click.argument("delivery_id", type=NUMBER)
@acting
def queue_look(office: Office, actor: Actor, delivery_id: int) -> None:
    """结果不明的再查一次 | look an uncertain one up again."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.look_again(conn, now, actor, delivery_id)
    done(Say("已安排再查一次：gongkai queue attempts {id}", id=delivery_id))


@queue.command("resolve")
@click.argument("delivery_id", type=NUMBER)
@click.option("--sent", "link", default="", help="确已发出，链接 | it did go out: its address")
@click.option("--absent", is_flag=True, help="确未发出，再发 | it did not; send it again")
@click.option("--drop", is_flag=True, help="不再发布 | leave it")
@click.option("--at", default=None, help="何时再发；不给即现在 | when again; else now")
@acting
def queue_resolve(
    office: Office,
    actor: Actor,
    delivery_id: int,
    link: str,
    absent: bool,
    drop: bool,
    at: str | None,
) -> None:
    """核定结果不明的投递，或登记人工发布的链接 | a person's word on an uncertain one, or a receipt."""
    from bot.deliver import queue as stage
    from bot.errors import Invalid

    if sum((bool(link), absent, drop)) != 1:
        raise Invalid("请在 --sent、--absent、--drop 中选一个")
    with writing(office) as (conn, now):
        if link:
            stage.confirm_sent(conn, now, actor, delivery_id, link)
            said = Say("已记录：确已发出")
        elif absent:
            stage.confirm_absent(office, conn, now, actor, delivery_id, instant(office, at))
            said = Say("已记录：确未发出，已放回队列")
        else:
            stage.drop(conn, now, actor, delivery_id)
            said = Say("已记录：不再发布")
    done(said)


@click.command(cls=Spoken)
@click.argument("scope", type=click.Choice(["all", "unit", "account", "source", "item", "post"]))
@click.argument("target", default="")
@click.option("--reason", required=True, help="事由 | why")
@click.option(
    "--let",
    "passes",
    multiple=True,
    type=NUMBER,
    help="点名放行的稿件，可多次 | a post that may pass, by number; may repeat",
)
@click.option(
    "--until",
    default=None,
    help="到何时，如 2026-11-25 18:00；不给即到解除 | until when; else until it is lifted",
)
@as_json
@acting
def hold(
    office: Office,
    actor: Actor,
    scope: str,
    target: str,
    reason: str,
    passes: tuple[int, ...],
    until: str | None,
    json_: bool,
) -> None:
    """停发，立即生效：全部，或单位、账号、来源（写键）、条目、稿件（写编号） | stop: all, or a unit, account, source (by key), item or post (by number)."""
    from bot import shapes
    from bot.deliver import holds
    from bot.deliver import queue as stage
    from bot.model import HoldScope

    with writing(office) as (conn, now):
        where = HoldScope(scope)
        made = holds.hold(
            conn,
            now,
            actor,
            where,
            holds.target_of(conn, where, target),
            reason,
            passes,
            instant(office, until),
        )
        rows = stage.listing(conn, reading_units(office, actor, conn), state="sending", limit=1000)
        reasons = stage.Reasons(conn, now)
        flying = [shapes.delivery(r, reasons) for r in rows]
        told = Say("#{made} 停发；已在途 {n} 条", made=made, n=len(flying))
        say({"hold": made, "in_flight": len(flying), "deliveries": flying}, json_, told)
        if flying and not json_:
            _show(reasons, rows, False)


@click.command(cls=Spoken)
@click.argument("scope", type=click.Choice(["all", "unit"]))
@click.argument("target", default="")
@click.option("--reason", default="", help="事由 | why")
@click.option(
    "--from",
    "begins",
    default=None,
    help="自 2026-12-13 00:00；不给即从现在 | from 2026-12-13 00:00; else from now",
)
@click.option("--until", default=None, help="至 2026-12-14 00:00 | until 2026-12-14 00:00")
@click.option(
    "--let",
    "passes",
    multiple=True,
    type=NUMBER,
    help="点名放行的稿件，可多次 | a post that may pass, by number; may repeat",
)
@click.option("--what-if", is_flag=True, help="只列出会停住什么 | only list what it would keep")
@as_json
@acting
def solemn(
    office: Office,
    actor: Actor,
    scope: str,
    target: str,
    reason: str,
    begins: str | None,
    until: str | None,
    passes: tuple[int, ...],
    what_if: bool,
    json_: bool,
) -> None:
    """肃穆模式：预先宣布起止，期间只发点名放行的 | a hold declared ahead, with a start and an end."""
    from bot.deliver import holds
    from bot.model import HoldScope
    from bot.schedule.solemn import foresee

    where, span = HoldScope(scope), (instant(office, begins), instant(office, until))
    if what_if:
        with office.db.read() as conn:
            named, now = holds.target_of(conn, where, target), office.db.now(conn)
            kept = foresee(office, conn, now, actor, where, named, *span, passes)
        _show_kept(kept, json_)
        return
    with writing(office) as (conn, now):
        named = holds.target_of(conn, where, target)
        made = holds.declare(conn, now, actor, where, named, reason, *span, passes)
    say({"hold": made}, json_, f"#{made}")


def _show_kept(kept: Kept, json_: bool) -> None:
    from bot.language import _

    if json_:
        say(kept.json(), json_, "")
        return
    rows = [
        *({"at": r["go_at"], "what": _("投递"), "title": r["title"], "where": r["account"]}
          for r in kept.deliveries),
        *({"at": r["go_at"], "what": _("未签发的稿件"), "title": r["title"], "where": ""}
          for r in kept.posts),
        *({"at": at, "what": _("期次"), "title": one.name, "where": one.key}
          for at, one in kept.occurrences),
        *({"at": at, "what": _("空时段"), "title": "", "where": account["key"]}
          for at, account in kept.slots),
    ]  # fmt: skip
    show(rows, json_, "at what title where", empty=Say("什么都不会停住"))


@click.command("let", cls=Spoken)
@click.argument("hold_id", type=NUMBER)
@click.argument("post_id", type=NUMBER)
@acting
def let(office: Office, actor: Actor, hold_id: int, post_id: int) -> None:
    """点名放行一篇稿件 | let one more post pass a hold by its name."""
    from bot.deliver import holds

    with writing(office) as (conn, now):
        holds.let_through(conn, now, actor, hold_id, post_id)
    done(Say("已点名放行，记入留痕"))


def _target(row: Mapping[Any, Any], name: str) -> str:
    """What a hold stops, by name; entries and posts by their number too, as commands take it."""
    return f"#{row['target_id']} {name}" if row["scope"] in ("item", "post") else name


@click.command(cls=Spoken)
@click.argument("hold_id", type=NUMBER, required=False)
@as_json
@acting
def resume(office: Office, actor: Actor, hold_id: int | None, json_: bool) -> None:
    """解除停发；不给编号则列出现有停发 | lift a hold; without a number, list them."""
    from bot import naming
    from bot.deliver import holds
    from bot.deliver.holds import SCOPES

    if hold_id is None:
        with office.db.read() as conn:
            rows = holds.listing(conn, office.db.now(conn))
            names = {r["id"]: naming.of_hold(conn, r["scope"], r["target_id"])[0] for r in rows}
        show(
            rows,
            json_,
            "id scope target since until ahead stops reason",
            words={"scope": SCOPES, "target": lambda row: _target(row, names[row["id"]])},
            empty=Say("现在没有停发"),
        )
        return
    with writing(office) as (conn, now):
        ahead = any(row["id"] == hold_id and row["ahead"] for row in holds.listing(conn, now))
        waiting = holds.resume(conn, now, actor, hold_id)
    lifted = Say("已解除；{n} 条已过点，由人逐条决定（gongkai queue --state person）", n=waiting)
    said = Say("已收回，还没有停住什么") if ahead else lifted
    say({"waiting": waiting}, json_, str(said))


COMMANDS = [queue, hold, solemn, let, resume]
