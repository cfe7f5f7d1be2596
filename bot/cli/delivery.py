"""queue, hold, solemn, let, resume: what goes out, and what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, instant, reading_units, say, show, with_office, writing
from bot.errors import NotFound

if TYPE_CHECKING:
    from bot.model import Actor
    from bot.office import Office
    from bot.schedule.solemn import Kept

COLUMNS = {
    "id": "编号",
    "state": "状态",
    "account": "账号",
    "go_at": "计划",
    "title": "稿件",
    "why": "为什么",
}


@click.group(invoke_without_command=True)
@click.option(
    "--state", default="", help="ready, sending, sent, uncertain, failed, missed, person, held"
)
@click.option("--post", type=int, default=None)
@click.option("--hold", type=int, default=None, help="停发期间到点、还没定的 fell due under a hold")
@click.option("--limit", default=50)
@as_json
@click.pass_context
def queue(context: click.Context, /, **asked: Any) -> None:
    """队列：每条为什么还没发 deliveries, and why each has not gone yet."""
    if context.invoked_subcommand is None:
        from bot.cli.base import opened

        _list(opened(context), **asked)


def _list(
    office: Office, state: str, post: int | None, hold: int | None, limit: int, json_: bool
) -> None:
    from bot import shapes
    from bot.deliver import queue as stage
    from bot.model import DeliveryState

    known = [*DeliveryState, "person", "held"]
    if state and state not in known:
        raise NotFound("没有状态 {state}，有：{known}", state=state, known="、".join(known))
    with office.db.read() as conn:
        reasons = stage.Reasons(conn, office.db.now(conn))
        units = reading_units(office, None, conn)
        rows = stage.listing(conn, units, state=state, post=post, hold=hold, limit=limit)
        found = [shapes.delivery(r, reasons) for r in rows]
    show(found, json_, COLUMNS)


@queue.command("attempts")
@click.argument("delivery_id", type=int)
@as_json
@with_office
def queue_attempts(office: Office, delivery_id: int, json_: bool) -> None:
    """每次尝试与平台原话 every attempt, with the platform's own words."""
    from bot.deliver import queue as stage

    with office.db.read() as conn:
        rows = stage.attempts_of(conn, delivery_id)
    show(
        rows,
        json_,
        {"begun_at": "开始", "ended_at": "结束", "outcome": "结果", "said": "说明", "raw": "原话"},
    )


@queue.command("task")
@click.argument("delivery_id", type=int)
@as_json
@with_office
def queue_task(office: Office, delivery_id: int, json_: bool) -> None:
    """须人工发布的这一条怎么做 what to do for one that is published by hand."""
    from bot.deliver import queue as stage
    from bot.language import _

    with office.db.read() as conn:
        told = stage.task(conn, delivery_id)
    say({"task": told}, json_, told or _("这一条不等人工发布"))


@queue.command("cancel")
@click.argument("delivery_id", type=int)
@acting
def queue_cancel(office: Office, actor: Actor, delivery_id: int) -> None:
    """取消未发的投递."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.cancel(conn, now, actor, delivery_id)


@queue.command("retry")
@click.argument("delivery_id", type=int)
@click.option("--at", default=None)
@acting
def queue_retry(office: Office, actor: Actor, delivery_id: int, at: str | None) -> None:
    """再发（仅这一条，须在签发时段内） only this one, within the signed window."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.retry(office, conn, now, actor, delivery_id, instant(office, at))


@queue.command("back")
@click.argument("delivery_ids", type=int, nargs=-1, required=True)
@acting
def queue_back(office: Office, actor: Actor, delivery_ids: tuple[int, ...]) -> None:
    """把稿件送回审签，重新签发 its post is signed anew, in the same words."""
    from bot.schedule import retiming

    for delivery_id in delivery_ids:
        with writing(office) as (conn, now):
            retiming.send_back(office, conn, now, actor, delivery_id)


@queue.command("look")
@click.argument("delivery_id", type=int)
@acting
def queue_look(office: Office, actor: Actor, delivery_id: int) -> None:
    """结果不明的再查一次."""
    from bot.deliver import queue as stage

    with writing(office) as (conn, now):
        stage.look_again(conn, now, actor, delivery_id)


@queue.command("resolve")
@click.argument("delivery_id", type=int)
@click.option("--sent", "link", default="", help="确已发出，链接")
@click.option("--absent", is_flag=True, help="确未发出，再发")
@click.option("--drop", is_flag=True, help="不再发布")
@click.option("--at", default=None)
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
    """核定结果不明的投递，或登记人工发布的链接 a person's word on an uncertain one, or a receipt."""
    from bot.deliver import queue as stage
    from bot.errors import Invalid

    if sum((bool(link), absent, drop)) != 1:
        raise Invalid("请在 --sent、--absent、--drop 中选一个")
    with writing(office) as (conn, now):
        if link:
            stage.confirm_sent(conn, now, actor, delivery_id, link)
        elif absent:
            stage.confirm_absent(office, conn, now, actor, delivery_id, instant(office, at))
        else:
            stage.drop(conn, now, actor, delivery_id)


@click.command()
@click.argument("scope", type=click.Choice(["all", "unit", "account", "source", "item", "post"]))
@click.argument("target", default="")
@click.option("--reason", required=True)
@click.option("--let", "passes", multiple=True, type=int, help="指名放行的稿件")
@click.option("--until", default=None)
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
    """停发：立即生效 stop: all, or a unit, account, source (by key), item or post (by number)."""
    from bot import shapes
    from bot.deliver import holds
    from bot.deliver import queue as stage
    from bot.language import Say
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
    say({"hold": made, "in_flight": len(flying), "deliveries": flying}, json_, str(told))
    if flying and not json_:
        show(flying, False, COLUMNS)


@click.command()
@click.argument("scope", type=click.Choice(["all", "unit"]))
@click.argument("target", default="")
@click.option("--reason", default="", help="事由 why")
@click.option("--from", "begins", default=None, help="自 2026-12-13 00:00；不给即从现在")
@click.option("--until", default=None, help="至 2026-12-14 00:00")
@click.option("--let", "passes", multiple=True, type=int, help="点名放行的稿件")
@click.option("--what-if", is_flag=True, help="只列出会停住什么 only list what it would keep")
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
    """肃穆模式：预先宣布起止，期间只发点名放行的 a hold declared ahead, with a start and an end."""
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
    show(rows, json_, {"at": "时间", "what": "会停住", "title": "标题", "where": "账号"})


@click.command("let")
@click.argument("hold_id", type=int)
@click.argument("post_id", type=int)
@acting
def let(office: Office, actor: Actor, hold_id: int, post_id: int) -> None:
    """点名放行一篇稿件 let one more post pass a hold by its name."""
    from bot.deliver import holds

    with writing(office) as (conn, now):
        holds.let_through(conn, now, actor, hold_id, post_id)


@click.command()
@click.argument("hold_id", type=int, required=False)
@as_json
@acting
def resume(office: Office, actor: Actor, hold_id: int | None, json_: bool) -> None:
    """解除停发；不给编号则列出现有停发 lift a hold; without a number, list them."""
    from bot.deliver import holds
    from bot.language import Say

    if hold_id is None:
        with office.db.read() as conn:
            rows = holds.listing(conn, office.db.now(conn))
        show(
            rows,
            json_,
            {
                "id": "编号",
                "scope": "范围",
                "target_id": "对象",
                "since": "自",
                "until": "至",
                "ahead": "未开始",
                "stops": "停住",
                "reason": "事由",
            },
        )
        return
    with writing(office) as (conn, now):
        ahead = any(row["id"] == hold_id and row["ahead"] for row in holds.listing(conn, now))
        waiting = holds.resume(conn, now, actor, hold_id)
    lifted = Say("已解除；{n} 条已过点，由人逐条决定（gongkai queue --state person）", n=waiting)
    said = Say("已收回，还没有停住什么") if ahead else lifted
    say({"waiting": waiting}, json_, str(said))


COMMANDS = [queue, hold, solemn, let, resume]
