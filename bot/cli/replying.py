"""gongkai replies: the log of what the public said, shown or exported."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click

from bot import collect, compose
from bot.cli.base import reading_units, say, show
from bot.cli.speech import keyed, listed, names_of
from bot.collect import exporting, log
from bot.collect.importing import Imported
from bot.deliver.accounts import by_key
from bot.errors import Invalid
from bot.language import Say
from bot.model import Actor, ReplyState
from bot.office import Office

COLUMNS = "id at account_key author_name state text"


def replies(office: Office, actor: Actor, **asked: Any) -> None:
    """Show, or write to --csv, --xlsx or --jsonl, the replies asked for."""
    with office.db.read() as conn:
        units = reading_units(office, actor, conn)
        if asked["coverage"]:
            _coverage(conn, asked["post"], asked["json_"])
            return
        if asked["counts"]:
            _counts(conn, asked["post"], units, asked["json_"])
            return
        asked["state"] = keyed(asked["state"], names_of("reply", *ReplyState))
        account = by_key(conn, asked["account"])["id"] if asked["account"] else None
        named = ("post", "words", "state", "own", "unanswered")
        filters = {k: asked[k] for k in named} | {"account": account} | _days(office, asked)
        files = [(kind, asked[kind]) for kind in ("csv", "xlsx", "jsonl") if asked[kind]]
        if asked["json_"]:
            rows = exporting.rows(office, conn, units, **filters)
            show(islice(rows, asked["limit"]), True, COLUMNS)
        elif not files:
            found = collect.listing(conn, units, **filters, limit=asked["limit"])
            show(found, False, COLUMNS, words={"state": "reply"}, empty=Say("没有这样的评论"))
    for kind, file in files:
        _export(office, actor, kind, Path(file), units, filters, json_=asked["json_"])


def _days(office: Office, asked: Mapping[str, Any]) -> dict[str, Any]:
    first, last = (day.date() if (day := asked[k]) else None for k in ("since", "until"))
    return log.days(first, last, office.config.tz)


def _export(
    office: Office,
    actor: Actor,
    kind: str,
    file: Path,
    units: set[int],
    filters: Mapping[str, Any],
    *,
    json_: bool,
) -> None:
    with (
        file.open("wb") as out,
        exporting.taken_out(office, actor, kind, units, **filters) as found,
    ):
        shutil.copyfileobj(found, out)
    click.echo(file, err=json_)  # beside what a program reads


def _counts(conn: Any, post: int | None, units: set[int], json_: bool) -> None:
    if post is None:
        raise Invalid("看赞、转、评请指明稿件：--post 12 --counts")
    compose.one(conn, post)
    rows = collect.over_time(conn, post, units)
    show(rows, json_, "account at likes reposts replies", empty=Say("还没有数到赞、转、评"))


def told(columns: Sequence[str]) -> dict[str, str]:
    """--column text=诉求详情 …"""
    pairs = [one.partition("=") for one in columns]
    if any(not (name and mark and head) for name, mark, head in pairs):
        raise Invalid("--column 写作 text=诉求详情")
    return {name.strip(): head.strip() for name, _, head in pairs}


def taken(made: Imported, json_: bool) -> None:
    """What an import did, and by which columns."""
    used = str(Say("，")).join(f"{name}={head}" for name, head in made.names.items())
    lines = [
        Say(
            "读到 {rows} 条，新增 {new} 条，内容有变 {changed} 条",
            rows=made.rows,
            new=made.new,
            changed=made.changed,
        ),
        Say("用到的列：{used}", used=used),
    ]
    if made.unused:
        lines.append(Say("没有用的列：{unused}", unused=listed(made.unused)))
    say(asdict(made), json_, "\n".join(map(str, lines)))


def _coverage(conn: Any, post: int | None, json_: bool) -> None:
    if post is None:
        raise Invalid("看采集情况请指明稿件：--post 12 --coverage")
    compose.one(conn, post)
    rows = [
        asdict(c) | {"why": str(Say("；")).join(map(str, c.why))}
        for c in collect.coverage(conn, post)
    ]
    show(
        rows, json_, "account seen total removed why", {"why": Say("说明")}, empty=Say("还没有采集")
    )
