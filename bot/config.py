"""config.toml as one frozen value.

What the file declares (units, sources, accounts, steps) is taken into the store at start by key;
credentials, people, holds and times live in the store only. An unknown key is an error that names
the near one; every error says file, line and key. Paths are relative to the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from bot.errors import ConfigError
from bot.language import Say
from bot.model import Right

T = TypeVar("T", bound=BaseModel)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: Any) -> timedelta:
    """ "15m", "2h", "1d", "90s" → timedelta. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    if not match:
        raise ValueError(str(Say("时长写作 30s、15m、2h 或 1d，不是 {value}", value=value)))
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


Span = Annotated[timedelta, BeforeValidator(duration)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Step(Part):
    name: str
    right: Right = Right.REVIEW

    @field_validator("right")
    @classmethod
    def _reviewing(cls, value: Right) -> Right:
        if value not in (Right.REVIEW, Right.SIGN):
            raise ValueError(str(Say("审次的权限只能是 review 或 sign")))
        return value


class UnitPart(Part):
    name: str
    parent: str = ""
    steps: tuple[Step, ...] = (Step(name="签发", right=Right.SIGN),)

    @field_validator("steps")
    @classmethod
    def _signed_last(cls, value: tuple[Step, ...]) -> tuple[Step, ...]:
        if not value or value[-1].right is not Right.SIGN:
            raise ValueError(str(Say('最后一个审次须由签发人办理：right = "sign"')))
        return value


class SourcePart(Part):
    unit: str
    kind: str = "feed"
    url: str
    every: Span = timedelta(minutes=15)
    first_poll: str = "seen"  # seen | latest:N | all
    max_new: int = 20  # more new entries than this in one poll wait for a person
    max_age: Span = timedelta(days=7)  # older ones wait for a person
    private: bool = False  # the address is on our own network and may be fetched
    template: str = "notice"
    accounts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # only these become drafts; empty is all
    draft: bool = True  # new entries become drafts by themselves
    submit: bool = True  # drafts without a blocking finding go to review by themselves
    fill: Mapping[str, str] = Field(default_factory=dict)
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("first_poll")
    @classmethod
    def _first(cls, value: str) -> str:
        if not re.fullmatch(r"seen|all|latest:\d+", value):
            raise ValueError(str(Say("first_poll 写作 seen、latest:N 或 all")))
        return value


class AccountPart(Part):
    unit: str
    adapter: str
    name: str = ""
    gap: Span = timedelta(0)  # least time between two writes
    options: Mapping[str, Any] = Field(default_factory=dict)
    token_file: str = ""  # a credential kept outside the store


class WebPart(Part):
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""  # as the public reaches the board; empty: http://host:port
    secure_cookies: bool | None = None  # None: where public_url is https
    session: Span = timedelta(hours=12)


class BoardPart(Part):
    title: str = "公开栏"
    moderate: bool = True  # replies wait for a person
    replies: bool = True
    replies_per_hour: int = 10  # from one address


class DeliverPart(Part):
    lateness: Span = timedelta(hours=2)  # latest moment after the planned time, where none is set
    stage_ahead: Span = timedelta(minutes=5)
    concurrency: int = Field(100, ge=1, le=1000)
    tries: int = 5  # handlers that raised, before a person is asked
    looks: tuple[Span, ...] = (
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
    )  # waits between look-ups of an uncertain outcome


class CollectPart(Part):
    days: int = 30  # a post is watched this long
    every: Span = timedelta(minutes=10)
    fresh: Span = timedelta(minutes=1)  # during the first hours
    fresh_for: Span = timedelta(hours=6)
    full_every: Span = timedelta(hours=6)  # a walk from the start


class ReviewPart(Part):
    severities: Mapping[str, Literal["block", "warn", "note", "off"]] = Field(default_factory=dict)


class DatabasePart(Part):
    url: str = ""  # empty: data/gongkai.db
    url_file: str = ""  # a file that holds it, where it holds a password


class AuditPart(Part):
    anchor: str = "anchors/audit.log"  # append-only, outside data/
    erasures: str = "anchors/erasures.log"  # likewise: what a restore must erase again


class DemoPart(Part):
    enabled: bool = False


class Config(Part):
    """The office as its file declares it."""

    path: Path = Path("config.toml")
    language: Literal["zh", "en"] = "zh"
    zone: str = "Asia/Shanghai"
    data: str = "data"
    templates: str = "templates"
    schedules: str = "schedules"
    secret_key_file: str = "keys/secret.key"  # noqa: S105 - a path
    web: WebPart = WebPart()
    board: BoardPart = BoardPart()
    database: DatabasePart = DatabasePart()
    deliver: DeliverPart = DeliverPart()
    collect: CollectPart = CollectPart()
    review: ReviewPart = ReviewPart()
    audit: AuditPart = AuditPart()
    demo: DemoPart = DemoPart()
    workdays: Mapping[date, str] = Field(default_factory=dict)  # 2027-01-01 = "休 元旦" or "班"
    units: Mapping[str, UnitPart] = Field(default_factory=dict)
    sources: Mapping[str, SourcePart] = Field(default_factory=dict)
    accounts: Mapping[str, AccountPart] = Field(default_factory=dict)

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(str(Say("没有这个时区，例：Asia/Shanghai"))) from None
        return value

    @cached_property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @field_validator("workdays")
    @classmethod
    def _day_marks(cls, value: Mapping[date, str]) -> Mapping[date, str]:
        for day, mark in value.items():
            if not mark.startswith(("休", "班")):
                raise ValueError(str(Say("{day} 写作“休 节名”或“班”", day=day)))
        return value

    @cached_property
    def days(self) -> dict[date, tuple[bool, str]]:
        """The office's own calendar: day → (works, name)."""
        return {d: (mark[0] == "班", mark[1:].strip()) for d, mark in self.workdays.items()}

    @property
    def root(self) -> Path:
        return self.path.parent

    def place(self, relative: str) -> Path:
        """A path of the file's, made absolute."""
        return (self.root / relative).resolve()

    @property
    def database_url(self) -> str:
        if self.database.url_file:
            return self.place(self.database.url_file).read_text().strip()
        return self.database.url or f"sqlite:///{self.place(self.data) / 'gongkai.db'}"

    @property
    def public_url(self) -> str:
        return (self.web.public_url or f"http://{self.web.host}:{self.web.port}").rstrip("/")


def load(path: Path) -> Config:
    """Read and check the file. Raises ConfigError naming file, line and key."""
    path = path.resolve()
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("读不到 {file}；用 gongkai init 新建一个", file=str(path)) from None
    try:
        values = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("{file} 写法有误：{why}", file=path.name, why=str(error)) from None
    return check(Config, values, path, source, path=path)


def check(kind: type[T], values: Mapping[str, Any], file: Path, source: str, **extra: Any) -> T:
    """`values` as a `kind`; the first mistake as a ConfigError with its line and the near key."""
    try:
        made = kind.model_validate({**values, **extra})
    except ValidationError as error:
        raise _explained(kind, error, file, source) from None
    if isinstance(made, Config):
        _references(made, file, source)
    return made


def _explained(
    kind: type[BaseModel], error: ValidationError, file: Path, source: str
) -> ConfigError:
    first = error.errors()[0]
    keys = [str(k) for k in first["loc"]]
    where = {"file": file.name, "line": line_of(source, keys), "key": ".".join(keys)}
    if first["type"] == "extra_forbidden":
        near = get_close_matches(keys[-1], _known(kind, first["loc"][:-1]), 1, 0.5)
        if near:
            return ConfigError(
                "{file} 第 {line} 行：不认识的键 {key}，是不是 {near}", near=near[0], **where
            )
        return ConfigError("{file} 第 {line} 行：不认识的键 {key}", **where)
    if first["type"] == "missing":
        return ConfigError("{file} 第 {line} 行：缺少 {key}", **where)
    why = first["msg"].removeprefix("Value error, ")
    return ConfigError("{file} 第 {line} 行：{key} 有误：{why}", why=why, **where)


def _known(kind: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """The keys that may stand where a mistaken one was written."""
    model: Any = kind
    for key in loc:
        fields = getattr(model, "model_fields", {})
        model = fields[key].annotation if key in fields else model
        for inner in getattr(model, "__args__", ()):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return [k for k in getattr(model, "model_fields", {}) if k != "path"]


def line_of(source: str, keys: list[str]) -> int:
    """The line a key stands on: its own, else its table's, else 1."""
    lines = source.splitlines()
    table = 0
    for depth in range(len(keys), 0, -1):
        head = r"^\s*\[+\s*" + r"\s*\.\s*".join(f'"?{re.escape(k)}"?' for k in keys[:depth])
        found = [n for n, line in enumerate(lines) if re.match(head + r"\s*\]", line)]
        if found:
            table = found[0]
            break
    for n in range(table, len(lines)):
        if n > table and lines[n].lstrip().startswith("["):
            break
        if re.match(rf'^\s*"?{re.escape(keys[-1])}"?\s*=', lines[n]):
            return n + 1
    return table + 1


def _references(config: Config, file: Path, source: str) -> None:
    """Keys that name other keys must find them."""
    for kind, key, field, wanted, there in _named(config):
        if wanted not in there:
            raise unknown(file, source, [kind, key, field], wanted, there)


def unknown(
    file: Path, source: str, keys: list[str], wanted: str, there: Iterable[str]
) -> ConfigError:
    """The error for a value that names something which is not there."""
    near = get_close_matches(wanted, list(there), 1, 0.4)
    return ConfigError(
        "{file} 第 {line} 行：{key} 指的 {wanted} 没有声明{hint}",
        file=file.name,
        line=line_of(source, keys),
        key=".".join(keys),
        wanted=wanted,
        hint=Say("，是不是 {near}", near=near[0]) if near else "",
    )


def _named(config: Config) -> Iterable[tuple[str, str, str, str, Iterable[str]]]:
    for key, unit in config.units.items():
        if unit.parent:
            yield "units", key, "parent", unit.parent, config.units
    for key, source in config.sources.items():
        yield "sources", key, "unit", source.unit, config.units
        for account in source.accounts:
            yield "sources", key, "accounts", account, config.accounts
    for key, part in config.accounts.items():
        yield "accounts", key, "unit", part.unit, config.units
