"""A schedule as its file says it. Files are read again every few seconds; nothing needs a restart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from bot import templates
from bot.config import Part, Period, Span, check, read_text, read_toml, unknown
from bot.errors import ConfigError
from bot.language import Say
from bot.office import Office

CRON = ("minute", "hour", "day", "month", "day_of_week")
MORNING = time(9)  # a date without an hour


class Rule(Part):
    """Calendar fields as cron writes them (0 and 7 are Sunday); or `at`: once, at an office time."""

    minute: str = "0"
    hour: str = "*"
    day: str = "*"
    day_of_week: str = "*"
    month: str = "*"
    at: datetime | None = None


class Picks(Part):
    """Which items an occurrence is made of: those first seen since the one before."""

    sources: tuple[str, ...]
    columns: tuple[str, ...] = ()
    most: int = Field(10, ge=1)
    within: Span | None = None  # and no longer ago than this


def _moment(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, MORNING)
    return value


class Stage(Part):
    """One step of a series, `at` a day (then at nine) or an office time. Without `text` or
    `template` it waits for a post that somebody hands in."""

    at: Annotated[datetime, BeforeValidator(_moment)]
    title: str
    text: str = ""
    template: str = ""


class Schedule(Part):
    """One file of schedules/."""

    key: str = ""
    name: str
    unit: str
    accounts: tuple[str, ...]
    when: tuple[Rule, ...] = ()
    step: tuple[Stage, ...] = Field((), validate_default=True)
    end: date | None = None  # the last day of it
    days: Literal["all", "workdays", "restdays", "holidays"] = "all"
    roll: bool = False  # a time on a day off goes on the next working day instead (遇节假日顺延)
    template: str = "digest"
    items: Picks | None = None  # composes; None: slots for approved posts
    lead: Span = timedelta(hours=2)
    lateness: Period = timedelta(hours=2)  # the latest moment after its time
    remind: Span = timedelta(days=3)  # ahead of a step whose material is missing
    paused: bool = False

    @field_validator("step")
    @classmethod
    def _either(cls, value: tuple[Stage, ...], info: ValidationInfo) -> tuple[Stage, ...]:
        if bool(value) == bool(info.data.get("when", True)):
            raise ValueError(str(Say("写 [[when]] 或 [[step]]，二者取一")))
        if any(b.at.timestamp() <= a.at.timestamp() for a, b in pairwise(value)):
            raise ValueError(str(Say("各步须按时间先后写，不能同时")))
        return value

    @field_validator("end")
    @classmethod
    def _after_the_last(cls, value: date | None, info: ValidationInfo) -> date | None:
        steps = info.data.get("step", ())
        if value and steps and steps[-1].at.date() > value:
            raise ValueError(str(Say("早于最后一步")))
        return value

    def step_at(self, at: datetime) -> Stage | None:
        return next((step for step in self.step if step.at == at), None)

    def composes(self, at: datetime) -> bool:
        """Is a post made for that time, or one that waits given it?"""
        step = self.step_at(at)
        return self.items is not None or bool(step and (step.text or step.template))

    def due(self, at: datetime) -> datetime:
        """When the work of an occurrence begins."""
        return at - self.lead if self.composes(at) else at


def load_all(office: Office) -> list[Schedule]:
    """Every schedule of the folder. Raises ConfigError for the first that is wrong."""
    return [load(office, file) for file in files(office)]


def files(office: Office) -> list[Path]:
    return sorted(office.config.place(office.config.schedules).glob("*.toml"))


def named(office: Office, key: str) -> Schedule:
    """The schedule of that key. Raises ConfigError."""
    file = office.config.place(office.config.schedules) / f"{key}.toml"
    if not key or Path(key).name != key or not file.exists():
        known = "、".join(one.stem for one in files(office)) or "—"
        raise ConfigError("没有日程 {key}；有：{known}", key=key, known=known)
    return load(office, file)


def load(office: Office, file: Path) -> Schedule:
    """One schedule, its steps in UTC. Raises ConfigError naming file, line and key."""
    return _made(office, file, read_text(file))


def read(office: Office, text: str) -> Schedule:
    """A schedule that is no file yet; or a rule alone, as cron writes it ("30 9 * * 1-5").

    Raises ConfigError naming line and key.
    """
    text = text.replace("\r\n", "\n").strip()
    rule = text.split()
    if len(rule) == len(CRON) and "=" not in text:
        text = _of_rule(office, rule)
    elif rule and text.isascii() and not set(text) & set("=[\n#"):
        raise ConfigError(
            "时间规则应有五项：分 时 日 月 星期，如“30 9 * * 1-5”；这里有 {n} 项", n=len(rule)
        )
    return _made(office, Path(str(Say("试排"))), text)


def _of_rule(office: Office, rule: Sequence[str]) -> str:
    """The file a rule alone stands for: slots of the first unit."""
    fields = ", ".join(f"{key} = {json.dumps(said)}" for key, said in zip(CRON, rule, strict=True))
    name, unit = json.dumps(" ".join(rule)), json.dumps(next(iter(office.config.units)))
    return f"when = [{{ {fields} }}]\nname = {name}\nunit = {unit}\naccounts = []\n"


def _made(office: Office, file: Path, source: str) -> Schedule:
    from bot.schedule.calendar import check_rules

    made = check(Schedule, read_toml(source, file), file, source, key=file.stem)
    _references(office, made, file, source)
    check_rules(office, made, file, source)
    steps = tuple(s.model_copy(update={"at": instant(office, s.at)}) for s in made.step)
    return made.model_copy(update={"step": steps})


def instant(office: Office, at: datetime) -> datetime:
    """A time of the office's as UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=office.config.tz)).astimezone(UTC)


def _references(office: Office, made: Schedule, file: Path, source: str) -> None:
    """What it names must be there."""
    config = office.config
    wanted: list[tuple[str, str, Any]] = [("unit", made.unit, config.units)]
    wanted += [("accounts", key, config.accounts) for key in made.accounts]
    folder = config.place(config.templates)
    if made.items:
        wanted += [("sources", key, config.sources) for key in made.items.sources]
        templates.load(folder, made.template)
    for field, key, there in wanted:
        if key not in there:
            raise unknown(file, source, [field], key, there)
    for step in made.step:
        if step.template:
            templates.load(folder, step.template)
