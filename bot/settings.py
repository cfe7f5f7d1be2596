"""What the office is set to, and how it stands: for who answers for it, without a secret.

config.toml rules what stands in it; the console shows that with file, line and key, and says what
it may change itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from sqlalchemy import Connection, func, select

from bot import audit
from bot.config import Config, stands_at
from bot.db import audit_heads, audits, units, workers
from bot.language import Say
from bot.office import Office
from bot.workdays import Hours

STALE = timedelta(seconds=30)  # a worker that has not beaten for this long is not running
TABLES = ("units", "sources", "accounts", "notices")  # one table a key
HIDDEN = "******"
# What may hold a secret by its name; what names a file that holds one is shown.
_SECRET = re.compile(
    r"(?i)(secret|password|passwd|token|credential|private_key|api_?key)(?!.*_file$)"
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True)
class Setting:
    """One key: as it is written in config.toml, and whether it stands there or is the default."""

    key: str
    value: str
    line: int  # 0: not in the file


@dataclass(frozen=True)
class Section:
    """A table of config.toml."""

    name: str  # "deliver", "units.county"; "" for what stands above every table
    line: int
    settings: tuple[Setting, ...]

    @property
    def written(self) -> int:
        """How many of its keys stand in the file."""
        return sum(bool(one.line) for one in self.settings)

    def json(self) -> dict[str, Any]:
        rows = {one.key: {"value": one.value, "line": one.line or None} for one in self.settings}
        return {"section": self.name, "line": self.line or None, "settings": rows}


def sections(config: Config, of_units: Iterable[str]) -> list[Section]:
    """Every table, those of units, sources and accounts only for these units."""
    source = _source(config.path)
    mine, found = set(of_units), [_section(source, [], config)]
    for name in (one for one in type(config).model_fields if one != "path"):
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            found += _nested(source, [name], value)
        elif name in TABLES:
            for key, part in value.items():
                if _unit_of(name, key, part) in (*mine, None):
                    found += _nested(source, [name, key], part)
        elif name == "workdays" and value:
            found.append(_days(source, name, value))
    return found


def _days(source: str, name: str, days: Mapping[date, str]) -> Section:
    rows = [
        Setting(f"{d}", _plain(mark), stands_at(source, [name, f"{d}"])) for d, mark in days.items()
    ]
    return Section(name, stands_at(source, [name]), tuple(rows))


def _unit_of(table: str, key: str, part: Any) -> str | None:
    return key if table == "units" else getattr(part, "unit", None)


def _source(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):  # taken in long ago: its lines are not known any more
        return ""


def _nested(source: str, keys: list[str], part: BaseModel) -> list[Section]:
    below = [name for name in type(part).model_fields if isinstance(getattr(part, name), BaseModel)]
    deeper = [one for name in below for one in _nested(source, [*keys, name], getattr(part, name))]
    return [_section(source, keys, part), *deeper]


def _section(source: str, keys: list[str], part: BaseModel) -> Section:
    rows = [
        Setting(name, written(name, value), stands_at(source, [*keys, name]))
        for name in type(part).model_fields
        if name != "path" and not _apart(name, value := getattr(part, name), keys)
    ]
    return Section(".".join(keys), stands_at(source, keys), tuple(rows))


def _apart(name: str, value: Any, keys: list[str]) -> bool:
    """It is shown as a table of its own."""
    return isinstance(value, BaseModel) or (not keys and (name in TABLES or name == "workdays"))


# ---------------------------------------------------------------- as it is written


def written(name: str, value: Any) -> str:
    """A value as config.toml writes it: 15m, "text", ["a", "b"]; no secret."""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else '""'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k} = {written(str(k), v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if value and isinstance(value, str) and _SECRET.search(name):
        return HIDDEN
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(name, one) for one in value)}]"
    if isinstance(value, BaseModel):
        return written(name, {n: getattr(value, n) for n in value.model_fields_set})
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return period(value)
    if isinstance(value, time):
        return f'"{value:%H:%M}"'
    if isinstance(value, int | float):
        return str(value)
    text = f"{value.begins:%H:%M}-{value.ends:%H:%M}" if isinstance(value, Hours) else str(value)
    return f'"{address(text)}"'


def address(text: str) -> str:
    """As it may be shown: without who signs in there, and with what."""
    return _IN_ADDRESS.sub(f"{HIDDEN}@", text)


def period(value: timedelta) -> str:
    """15m, 6h, 7d."""
    seconds = value.total_seconds()
    if seconds != int(seconds):
        return f"{int(seconds * 1000)}ms"
    sizes = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    unit, size = next(
        each for each in sizes if seconds % each[1] == 0 and (seconds or each[1] == 1)
    )
    return f"{int(seconds) // size}{unit}"


# ---------------------------------------------------------------- how it stands


def state(office: Office, conn: Connection) -> dict[str, Any]:
    """Version, store, room, last backup, anchors, workers."""
    now = office.db.now(conn)
    return {
        "version": program(),
        "config": str(office.config.path),
        "database": _database(office, conn),
        "disk": _disk(office),
        "backup": _backup(conn),
        "trail": _trail(office, conn),
        "workers": beats(conn, now),
    }


def units_of(conn: Connection, ids: Iterable[int]) -> set[str]:
    """The keys of some units."""
    return set(conn.execute(select(units.c.key).where(units.c.id.in_(set(ids)))).scalars())


def documents() -> Path:
    """Where the documents that come with the program stand."""
    wheel = Path(__file__).parent / "office" / "docs"
    return wheel if wheel.exists() else Path(__file__).parent.parent / "docs"


def program() -> str:
    try:
        return version("gongkai")
    except PackageNotFoundError:  # run from its source
        return "—"


def _database(office: Office, conn: Connection) -> dict[str, Any]:
    from bot.migrations import head, stored

    url = office.db.url
    file = Path(url.database or "")
    return {
        "kind": url.get_backend_name(),
        "where": url.database if file.is_file() else url.render_as_string(hide_password=True),
        "size": _size(file) if file.is_file() else None,
        "schema": stored(conn),
        "newest": head(),
    }


def _size(file: Path) -> int:
    """With what SQLite has not put into it yet."""
    ahead = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (ahead.stat().st_size if ahead.exists() else 0)


def _disk(office: Office) -> dict[str, Any]:
    place = office.config.place(office.config.data)
    while not place.exists():
        place = place.parent
    room = shutil.disk_usage(place)
    warn = office.config.alarm.disk << 20
    return {"where": str(place), "free": room.free, "total": room.total, "low": room.free < warn}


def _backup(conn: Connection) -> dict[str, Any] | None:
    query = select(audits.c.at, audits.c.actor).where(audits.c.verb == "office.backup")
    row = conn.execute(query.order_by(audits.c.id.desc()).limit(1)).mappings().first()
    return dict(row) if row else None


def _trail(office: Office, conn: Connection) -> dict[str, Any]:
    anchors = audit.anchors(office.anchor)
    number = conn.execute(select(audit_heads.c.number)).scalar() or 0
    waiting = select(func.count()).select_from(audits).where(audits.c.number.is_(None))
    last = anchors[-1] if anchors else None
    return {
        "file": str(office.anchor),
        "sealed": number,
        "unsealed": conn.execute(waiting).scalar_one(),
        "anchored": last["number"] if last else 0,
        "anchored_at": datetime.fromisoformat(last["at"]) if last else None,
    }


def beats(conn: Connection, now: datetime) -> list[dict[str, Any]]:
    """The workers that beat lately, the newest first."""
    query = select(workers).order_by(workers.c.beat_at.desc()).limit(10)
    return [
        {**row, "alive": row["stopped_at"] is None and row["beat_at"] > now - STALE}
        for row in conn.execute(query).mappings()
    ]


# What the console changes, and what it does not; each with the page or the command.
CHANGED_HERE: tuple[tuple[Say, str, Say], ...] = (
    (Say("人员和角色"), "/people", Say("新增、授予、停用、动态口令")),
    (Say("模板"), "/settings/templates", Say("templates 目录里的文件")),
    (Say("词表和领导名单"), "/settings/words", Say("[screening] 里声明的文件")),
    (Say("停发与解除"), "/stop", Say("全部、单位、账号、来源、条目、稿件")),
    (Say("账号"), "/accounts", Say("连接、检查、暂停；声明在 config.toml")),
    (Say("来源"), "/sources", Say("暂停、恢复、马上读；声明在 config.toml")),
    (Say("日程"), "/calendar/schedules", Say("加办、跳过、暂停；文件在 schedules 目录")),
    (Say("令牌"), "/me/tokens", Say("给程序用的，新建和撤销")),
)
