"""What every command shares: opening the office, who acts, and how things are shown."""

from __future__ import annotations

import functools
import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.speech import HEADS, Wording, listed, worded
from bot.language import Say
from bot.shapes import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.model import Actor
    from bot.office import Office

_HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal obeys some of these

_WIDE = 1000  # for a file or a pipe: a row is a line
NOTHING: Mapping[str, Any] = {}
NUMBER = click.IntRange(1, 2**63 - 1)  # of a row, and of rows at most
PORT = click.IntRange(0, 65535)
EMPTY = Say("没有可显示的内容")

as_json = click.option("--json", "json_", is_flag=True, help="以 JSON 输出 | as JSON")


def opened(context: click.Context) -> Office:
    """The office of --config."""
    from bot.office import open_office

    office = open_office(Path(context.obj))
    context.meta["zone"] = office.config.tz
    context.call_on_close(office.db.close)
    _take_in_first(office)
    return office


def _take_in_first(office: Office) -> None:
    """The first command of an office takes its file in, whichever it is."""
    from sqlalchemy import select

    from bot.db import units

    with office.db.read() as conn:
        known = conn.execute(select(units.c.id).limit(1)).first()
    if known is None:
        from bot.cli.running import take_in

        take_in(office)


def with_office(command: Callable[..., Any]) -> Callable[..., Any]:
    """Passes the office as the first argument."""

    @click.pass_context
    @functools.wraps(command)
    def run(context: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        return command(opened(context), *args, **kwargs)

    return run


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Passes the office and who acts; without --as the machine's own shell does."""

    @click.option(
        "--as", "acting_as", default="", help="以何人身份办理（登录名） | who acts (login)"
    )
    @click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False),
        help="密码所在文件 | the file that holds the password",
    )
    @click.pass_context
    @functools.wraps(command)
    def run(context: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        office = opened(context)
        login, password_file = kwargs.pop("acting_as"), kwargs.pop("password_file")
        return command(office, _actor(office, login, password_file), *args, **kwargs)

    return run


def alone(command: Callable[..., Any]) -> Callable[..., Any]:
    """Of a group: runs only where no sub-command follows."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        if click.get_current_context().invoked_subcommand is None:
            return command(*args, **kwargs)
        return None

    return run


def _actor(office: Office, login: str, password_file: str | None) -> Actor:
    from bot import people
    from bot.errors import NotAllowed
    from bot.model import Actor

    if not login:
        return Actor(None, f"shell:{getpass.getuser()}", "cli")
    password = _password(login, password_file)
    with office.db.read() as conn:
        row = people.by_login(conn, login)
    if row["disabled"] or not people.matches(row, password):
        raise NotAllowed("登录名或密码不对")
    if row["must_change"]:
        raise NotAllowed(
            "{login} 的密码是一次性的，先换成自己的再办理：登录控制台，或在本机运行 "
            "gongkai user password {login}",
            login=login,
        )
    _second(office, row)
    return people.actor(row, "cli")


def _second(office: Office, row: Any) -> None:
    """The second factor, of who has one or must: the shell is no way round it.

    Raises NotAllowed.
    """
    from bot import second
    from bot.errors import NotAllowed

    login = row["login"]
    if row["totp_at"] is None:
        with office.db.read() as conn:
            wanted = second.wanted(conn, office.config, row["id"])
        if wanted:
            raise NotAllowed("{login} 须先登录控制台登记动态口令，再办理", login=login)
        return
    asked = str(Say("{login} 的动态口令", login=login))
    said = os.environ.get("GONGKAI_CODE") or str(click.prompt(asked))
    with office.db.write() as conn:
        now = office.db.now(conn)
        if not second.redeem(conn, office.secrets, now, row, said, "cli"):
            raise NotAllowed("动态口令不对，或已经用过")


def _password(login: str, password_file: str | None) -> str:
    if password_file:
        return handed(password_file).strip()
    if "GONGKAI_PASSWORD" in os.environ:
        return os.environ["GONGKAI_PASSWORD"]
    return str(click.prompt(str(Say("{login} 的密码", login=login)), hide_input=True))


@contextmanager
def writing(office: Office) -> Iterator[tuple[Any, datetime]]:
    """A transaction and its now."""
    with office.db.write() as conn:
        yield conn, office.db.now(conn)


# ---------------------------------------------------------------- showing


def show(
    rows: Iterable[Mapping[Any, Any]],
    json_: bool,
    columns: str,
    heads: Mapping[str, Say] = NOTHING,
    words: Mapping[str, Wording] = NOTHING,
    empty: Say = EMPTY,
) -> None:
    """Rows as a table of some columns, or as a JSON list.

    `heads`: headings that are not those of HEADS; `words`: how keys are said (speech.worded);
    `empty`: what is said where there is no row.
    """
    rows = [dict(row) for row in rows]
    if json_:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=plain))
        return
    if not rows:
        click.echo(str(empty))
        return
    names = columns.split()
    told = [[worded(row, name, words.get(name)) for name in names] for row in rows]
    _table([str(heads.get(name) or HEADS[name]) for name in names], told)
    if any(_timed(value) for row in told for value in row):
        click.echo(str(Say("时间均为{zone}", zone=_zone())))


def _table(heads: list[str], rows: list[list[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # as it stands: what people write is no markup

    table = Table(box=None, pad_edge=False)
    for heading in heads:
        table.add_column(heading, overflow="fold")  # narrow, never cut
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    with console.capture() as held:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in held.get().splitlines()))


def _timed(value: Any) -> bool:
    """Does it say an instant?"""
    return isinstance(value, datetime) or (isinstance(value, list) and any(map(_timed, value)))


def _zone() -> Say:
    """What the clock of the office is called, on which times are shown."""
    from bot.workdays import zone_name

    return zone_name(str(click.get_current_context().meta.get("zone") or "Asia/Shanghai"))


def facts(rows: Iterable[tuple[Say | str, Any]]) -> None:
    """One thing, a line a fact: what it is, and how it stands. Facts without a value are left out."""
    told = [{"name": str(name), "value": value} for name, value in rows if value not in (None, "")]
    show(told, False, "name value", {"name": Say("项")})


def say(value: Mapping[Any, Any], json_: bool, sentence: str | Say) -> None:
    """One result: as JSON, or as a sentence."""
    click.echo(json.dumps(value, ensure_ascii=False, default=plain) if json_ else str(sentence))


def done(sentence: Say) -> None:
    """What an act did, that has nothing else to show."""
    click.echo(str(sentence))


def drafted(post: int, json_: bool) -> None:
    """A new draft's number; and, beside what a program reads, what comes next."""
    say({"post": post}, json_, f"#{post}")
    click.echo(str(Say("草稿；送审：gongkai post submit {id} --as …", id=post)), err=True)


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(click.get_current_context().meta.get('zone')):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "✓" if value else ""
    if isinstance(value, dict) and "text" in value and "values" in value:
        return str(Say.of(value))
    if isinstance(value, list | tuple):
        return listed(map(cell, value))
    return harmless(" ".join(str(value).split()))  # a row is a line


def harmless(text: str) -> str:
    """Without what a terminal would obey; lines stay."""
    return _HARMFUL.sub("\ufffd", text)


def instant(office: Office, value: str | None) -> datetime | None:
    """A time as people write it ("2026-11-25 09:30"), on the office's clock. Raises Invalid."""
    from bot import workdays

    return workdays.instant(value or "", office.config.tz)


def handed(file: str) -> str:
    """The text of a file, or of standard input (-), in whatever an office's computer writes it.

    Raises Invalid.
    """
    from bot.errors import Invalid, reason_of
    from bot.text import decoded

    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return decoded(raw).replace("\r\n", "\n")
    except OSError as error:
        raise Invalid("读不到 {file}：{why}", file=file, why=reason_of(error)) from None
    except ValueError:
        raise Invalid("{file} 不是文字文件；请另存为 UTF-8 的文本", file=file) from None


def text_of(text: str) -> str:
    """What an option says; - reads standard input."""
    return handed("-") if text == "-" else text


class Day(click.ParamType[date]):
    """A day of the calendar, as 2026-11-24."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            said = Say("日期写作 2026-11-24，不是 {value}", value=value)
            return self.fail(str(said), param, ctx)


DAY = Day()


def reading_units(office: Office, actor: Actor | None, conn: Any) -> set[int]:
    """The units whose rows may be shown: all of them to the machine's own shell."""
    from sqlalchemy import select

    from bot import people
    from bot.db import units

    if actor is None or actor.person is None:
        return set(conn.execute(select(units.c.id)).scalars())
    return people.unit_ids(conn, actor)
