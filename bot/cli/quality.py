"""gongkai item quality: the figures of each source, and the rows under each figure."""

from __future__ import annotations

from pathlib import Path

import click

from bot import catalog, export
from bot.catalog.quality import HEADS, QUIET, Report
from bot.cli.base import reading_units, say, show
from bot.errors import NotFound
from bot.language import _
from bot.office import Office


def quality(
    office: Office, unit: str, source: str, rule: str, xlsx: str | None, json_: bool
) -> None:
    """Show the report, or write its rows to a file."""
    if source and source not in office.config.sources and not source.startswith(catalog.HAND):
        known = "、".join(office.config.sources) or "—"
        raise NotFound("没有来源 {key}，有：{known}", key=source, known=known)
    with office.db.read() as conn:
        scope = reading_units(office, None, conn)
        whole = catalog.report(office, conn, office.db.now(conn), scope, unit=unit, source=source)
    found = whole.only(rule)
    if xlsx:
        with Path(xlsx).open("wb") as out:
            export.write(out, "xlsx", HEADS, (found.json_of(row) for row in found.rows))
        click.echo(xlsx)
    if json_:
        say(found.json(), True, "")
    elif not xlsx:
        _print(found, bool(rule))


def _print(found: Report, every: bool) -> None:
    """Figures first; then the rows that somebody should see to, or all of one rule."""
    figures = [
        {**of, "check": check["name"], "rule": check["rule"], "count": check["count"]}
        for of in found.json()["sources"]
        for check in of["checks"]
    ]
    columns = {"unit": "单位", "name": "来源", "items": "条目", "check": "检查"}
    show(figures, False, columns | {"rule": "代号", "count": "条"})
    rows = [found.json_of(row) for row in found.rows if every or row.rule not in QUIET]
    if rows:
        click.echo()
        show(rows, False, {key: str(head) for key, head in HEADS.items()})
    elif figures:
        click.echo(_("没有需要办理的"))
