"""source: a source of the catalogue, tried before it is declared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.base import acting, as_json, facts, harmless, say, show, with_office, writing
from bot.cli.speech import Group, listed, word
from bot.language import Say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.model import Actor
    from bot.office import Office

SHOWN = 5


@click.group(cls=Group)
def source() -> None:
    """来源 | sources of the catalogue."""


@source.command("list")
@as_json
@with_office
def source_list(office: Office, json_: bool) -> None:
    """列出来源 | the sources, and how each reads."""
    from sqlalchemy import select

    from bot import shapes
    from bot.db import sources
    from bot.web.words import SOURCES

    with office.db.read() as conn:
        rows = conn.execute(select(sources).order_by(sources.c.id)).mappings().all()
    found = [shapes.source_row(row) for row in rows]
    show(
        found,
        json_,
        "key name kind state ok_at error",
        words={"kind": SOURCES, "state": lambda row: word("source", _stands(row))},
        empty=Say("还没有来源：gongkai source try 网址，看看读得到什么"),
    )


def _stands(of: Mapping[Any, Any]) -> str:
    """The state as the console's chip has it: one that cannot be read is broken."""
    return "broken" if of["error"] and of["state"] == "active" else str(of["state"])


@source.command("show")
@click.argument("key")
@as_json
@with_office
def source_show(office: Office, key: str, json_: bool) -> None:
    """一个来源的全部情况 | one source whole: how it reads, its entries, its settings."""
    from sqlalchemy import select

    from bot import naming, shapes
    from bot.db import sources
    from bot.errors import NotFound

    with office.db.read() as conn:
        row = conn.execute(select(sources).where(sources.c.key == key)).mappings().first()
        if row is None:
            known = listed(naming.of_sources(conn)) or "—"
            raise NotFound("没有来源 {key}，有：{known}", key=key, known=known)
        found = shapes.source(office, conn, row)
    if json_:
        say(found, True, "")
        return
    facts([*_told(found), *_settings(office, key)])


def _told(of: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """A source as `shapes.source` gives it, in words."""
    from bot.web.words import SOURCES

    yield Say("来源"), Say("{name}（{key}，{unit}）", **{k: of[k] for k in ("name", "key", "unit")})
    yield Say("类别"), SOURCES.get(of["kind"], of["kind"])
    yield Say("网址"), of["url"]
    yield Say("状态"), word("source", _stands(of))
    yield Say("原因"), of["error"]
    yield Say("上次读取"), of["polled_at"] or Say("从未")
    yield Say("上次读成"), of["ok_at"]
    yield Say("下次"), of["due_at"]
    counts = (f"{word('item', state)} {n}" for state, n in of["items"].items())
    yield Say("条目"), str(Say("，")).join(counts) or Say("无")
    for problem in of["problems"]:
        yield Say("跳过的"), Say("{where}：{what}", where=problem["where"], what=problem["what"])


def _settings(office: Office, key: str) -> Iterator[tuple[Any, Any]]:
    """What config.toml says of a source, as it is written there; what is empty is left out."""
    from bot.settings import written

    part = office.config.sources.get(key)
    if part is None:
        yield Say("设置"), Say("config.toml 里已没有这个来源")
        return
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name not in ("name", "unit", "kind", "url") and value not in ("", (), {}, None):
            yield name, written(name, value)


@source.command("try")
@click.argument("target")
@click.option("--kind", default="", help="来源类别 | kind of catalogue")
@click.option("--private", is_flag=True, help="地址在内网 | the address is on our own network")
@click.option("--key", default="", help="来源的名 | its name in config.toml")
@click.option("--unit", default="", help="所属单位 | the unit that owns it")
@click.option("--write", is_flag=True, help="写入 config.toml | append it to config.toml")
@as_json
@click.pass_context
def source_try(context: click.Context, /, target: str, json_: bool, **asked: Any) -> None:
    """试读网址或文件，给出来源配置 | read an address or file, show the config for it."""
    import asyncio

    from bot.catalog.declaring import append, key_for
    from bot.cli.reading import zone_of
    from bot.errors import Invalid
    from bot.sources import reading

    zone, file = zone_of(context), Path(context.obj)
    trying = reading.attempt(target, zone, kind=asked["kind"], private=asked["private"])
    kind, taken = asyncio.run(trying)
    key = asked["key"] or key_for(target)
    if not re.fullmatch(r"[\w-]+", key, re.A):
        raise Invalid("来源的名只用字母、数字和连字符，不是 {key}", key=key)
    block = _block(key, kind, taken.meta.get("options", {}), target, file, asked)
    if asked["write"]:
        if not taken.entries:
            raise Invalid("一条也没有读到，没有写入")
        append(file, key, block)
    found = {"kind": kind, **reading.as_json(taken, zone), "key": key, "config": block}
    if json_:
        found["written"] = asked["write"]
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _tell(found, str(file) if asked["write"] else "", zone)


def _block(key: str, kind: str, options: Any, target: str, file: Path, asked: Any) -> str:
    from bot.catalog.declaring import block

    unit, url = asked["unit"] or _unit(file), _url(target, file)
    return block(key, kind, url, unit, options, private=asked["private"])


def _unit(file: Path) -> str:
    """The unit that stands above the others, where there is an office."""
    from bot.config import load

    units = load(file).units if file.exists() else {}
    return next((key for key, part in units.items() if not part.parent), "unit")


def _url(target: str, file: Path) -> str:
    """As config.toml would name it: a file's path from there."""
    if "://" in target:
        return target
    path, here = Path(target).resolve(), file.resolve().parent
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _tell(found: dict[str, Any], written: str, zone: Any) -> None:
    from bot.cli.reading import dated
    from bot.web.words import SOURCES

    items, options = found["items"], found["meta"].get("options", {})
    kind = word(SOURCES, found["kind"])
    click.echo(str(Say("类别 {kind}，读到 {n} 条", kind=kind, n=len(items))))
    if "rows" in options:
        click.echo(str(Say("列表的行：{rows}", rows=options["rows"])))
    if items and (body := " ".join(items[0]["body"].split())):
        click.echo(str(Say("第一条的正文 {n} 字：{start}…", n=len(body), start=body[:40])))
    shown = dated(items[:SHOWN], zone)
    show(shown, False, "published column title", empty=Say("一条也没有读到"))
    for problem in found["problems"]:
        told = Say("{where}：{what}", where=problem["where"], what=problem["what"])
        click.echo(harmless(str(told)), err=True)
    click.echo(f"\n{found['config']}", nl=False)
    if written:
        click.echo(str(Say("已写入 {file}；gongkai check 核对并生效", file=written)))


@source.command("pause")
@click.argument("key")
@click.option("--undo", is_flag=True, help="恢复 | go on")
@acting
def source_pause(office: Office, actor: Actor, key: str, undo: bool) -> None:
    """暂停读取 | read it no more."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.pause(conn, now, actor, key, not undo)


@source.command("poll")
@click.argument("key")
@acting
def source_poll(office: Office, actor: Actor, key: str) -> None:
    """让工作进程马上读一次 | let the worker read it at once."""
    from bot import catalog

    with writing(office) as (conn, now):
        catalog.poll_now(conn, now, actor, key)


COMMANDS = [source]
