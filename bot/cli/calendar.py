"""calendar: what goes out when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import NUMBER, as_json, instant, opened, reading_units, show, with_office
from bot.cli.speech import Group, keyed, word
from bot.language import Say

if TYPE_CHECKING:
    from bot.office import Office


@click.group(cls=Group, invoke_without_command=True)
@click.option(
    "--from", "begins", default=None, help="自哪天，如 2026-12-01 | from this day on: 2026-12-01"
)
@click.option("--to", "ends", default=None, help="至哪天，如 2026-12-31 | until: 2026-12-31")
@click.option("--account", default="", help="只看一个账号 | of one account")
@click.option(
    "--state",
    default="",
    help="只看一种状态：待发、已发出、审签中 … | in one state: ready, sent, in_review …",
)
@click.option("--limit", type=NUMBER, default=200, help="最多几行 | rows at most")
@as_json
@click.pass_context
def calendar(context: click.Context, /, **asked: Any) -> None:
    """排期：哪天发什么 | what goes out when, a line a post."""
    if context.invoked_subcommand is None:
        _list(opened(context), **asked)


def _list(
    office: Office,
    begins: str | None,
    ends: str | None,
    account: str,
    state: str,
    limit: int,
    json_: bool,
) -> None:
    from bot import shapes
    from bot.db import accounts
    from bot.schedule import agenda

    start = instant(office, begins) or office.db.now()
    until = instant(office, ends) or start + timedelta(days=31)
    with office.db.read() as conn:
        keys = {row.id: row.key for row in conn.execute(accounts.select())}
        one = _account(office, account)["id"] if account else None
        asked = keyed(state, {key: word(kind, key) for key, kind in agenda.STATES.items()})
        view = agenda.View(frozenset(reading_units(office, None, conn)), one, asked)
        found = agenda.lines(conn, view, start, until, limit)
    rows = [shapes.line(line, keys) for line in found]
    show(
        rows,
        json_,
        "at state accounts post title",
        {"post": Say("编号")},
        {"state": lambda row: word(row["kind"], row["state"])},
        empty=Say("这段时间没有要发的；另选日期：gongkai calendar --from 2026-12-01"),
    )


def _account(office: Office, key: str) -> Any:
    """Raises NotFound."""
    from bot.deliver.accounts import by_key

    with office.db.read() as conn:
        return by_key(conn, key)


@calendar.command("days")
@click.option(
    "--from", "begins", default=None, help="自哪天，如 2026-12-01 | from this day on: 2026-12-01"
)
@click.option("--to", "ends", default=None, help="至哪天，如 2026-12-31 | until: 2026-12-31")
@as_json
@with_office
def calendar_days(office: Office, begins: str | None, ends: str | None, json_: bool) -> None:
    """每天多少条、是否放假 | how many a day, and what day it is."""
    from bot import shapes
    from bot.web.words import DAYS
    from bot.workdays import WEEKDAYS, office_day

    start = instant(office, begins) or office.db.now()
    until = instant(office, ends) or start + timedelta(days=31)
    bounds = [office_day(one, office.config.tz) for one in (start, until)]
    with office.db.read() as conn:
        found = shapes.days(office, conn, reading_units(office, None, conn), (bounds[0], bounds[1]))
    show(
        found,
        json_,
        "day weekday name mark posts",
        {"weekday": Say("星期"), "name": Say("放假"), "mark": Say("班休")},
        {"weekday": lambda row: WEEKDAYS[row["day"].weekday()], "mark": DAYS},
    )


@calendar.command("slots")
@click.argument("key")
@as_json
@with_office
def calendar_slots(office: Office, key: str, json_: bool) -> None:
    """一个账号接下来的空时段 | the next free slots of an account."""
    from bot.deliver import rhythm

    row = _account(office, key)
    with office.db.read() as conn:
        found = rhythm.next_slots(conn, row, office.db.now(conn))
    rows = [{"account": key, "at": at} for at in found]
    none = Say("{key} 没有空着的时段：在 config.toml 的 [accounts.{key}] 写 slots", key=key)
    show(rows, json_, "account at", empty=none)


COMMANDS = [calendar]
