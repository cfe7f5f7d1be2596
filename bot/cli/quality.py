"""gongkai item quality: the figures of each source, and the rows under each figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bot import catalog, export
from bot.catalog.kept import figures, report
from bot.catalog.quality import HEADS, QUIET
from bot.cli.base import reading_units, say, show
from bot.errors import NotFound
from bot.language import Say, _
from bot.office import Office


def quality(
    office: Office, unit: str, source: str, rule: str, xlsx: str | None, json_: bool
) -> None:
    """Look now; show the report, or write its rows to a file."""
    if source and source not in office.config.sources and not source.startswith(catalog.HAND):
        known = "、".join(office.config.sources) or "—"
        raise NotFound("没有来源 {key}，有：{known}", key=source, known=known)
    catalog.check(office)
    with office.db.read() as conn:
        scope = reading_units(office, None, conn)
        found = report(conn, figures(conn, scope, unit=unit, source=source), rule)
    if xlsx:
        with Path(xlsx).open("wb") as out:
            export.write(out, "xlsx", HEADS, (row for _rule, row in _rows(found)))
        click.echo(xlsx, err=json_)  # beside what a program reads
    if json_:
        say(found, True, "")
    elif not xlsx:
        _print(found, bool(rule))


def _rows(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (check["rule"], row)
        for of in found["sources"]
        for check in of["checks"]
        for row in check["rows"]
    ]


def _print(found: dict[str, Any], every: bool) -> None:
    """Figures first; then the rows that somebody should see to, or all of one rule."""
    told = [
        {**of, "check": check["name"], "rule": check["rule"], "count": check["count"]}
        for of in found["sources"]
        for check in of["checks"]
    ]
    heads = {"name": Say("来源"), "rule": Say("代号")}
    show(told, False, "unit name items check rule count", heads, empty=Say("还没有可检查的目录"))
    shown = [row for rule, row in _rows(found) if every or rule not in QUIET]
    if shown:
        click.echo()
        show(shown, False, " ".join(HEADS), HEADS)
    elif told:
        click.echo(_("没有需要办理的"))
