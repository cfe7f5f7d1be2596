"""From the file to a Config; a mistake is told with its file, its line and its key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.config.parts import Config, read_text
from bot.config.syntax import read_toml
from bot.errors import ConfigError
from bot.language import Say

T = TypeVar("T", bound=BaseModel)


def load(path: Path) -> Config:
    """Read and check the file. Raises ConfigError naming file, line and key."""
    path = path.resolve()
    if not path.exists():
        raise ConfigError("没有 {file}；用 gongkai init 新建一个", file=str(path))
    source = read_text(path)
    return check(Config, read_toml(source, path), path, source, path=path)


def check(
    kind: type[T],
    values: Mapping[str, Any],
    file: Path,
    source: str,
    under: Sequence[str] = (),
    **extra: Any,
) -> T:
    """`values`, which stand in the file `under` these keys, as a `kind`.

    The first mistake is a ConfigError with its line and the near key.
    """
    try:
        made = kind.model_validate({**values, **extra})
    except ValidationError as error:
        raise _explained(kind, error, file, source, under) from None
    if isinstance(made, Config):
        _references(made, file, source)
    return made


def _explained(
    kind: type[BaseModel], error: ValidationError, file: Path, source: str, under: Sequence[str]
) -> ConfigError:
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    keys = [*under, *(str(k) for k in first["loc"] if k != "[key]")]
    where = {"file": file.name, "line": line_of(source, keys), "key": ".".join(keys)}
    if first["type"] == "extra_forbidden":
        return _unknown_key(kind, first["loc"], where, below=bool(under))
    if first["type"] == "missing":
        return ConfigError("{file} 第 {line} 行：缺少 {key}", **where)
    return ConfigError("{file} 第 {line} 行：{key} 有误：{why}", why=_why(first), **where)


def _unknown_key(
    kind: type[BaseModel], loc: Sequence[int | str], where: Mapping[str, Any], *, below: bool
) -> ConfigError:
    """The near key of that table, else where the key belongs, else the key alone."""
    key, here = str(loc[-1]), _known(kind, loc[:-1])
    close = get_close_matches(key, here, 1, 0.8)
    if not close and not below and len(loc) > 1 and key in _known(kind, ()):
        return ConfigError(
            "{file} 第 {line} 行：{key} 不在这里；{last} 要写在第一个方括号之前", last=key, **where
        )
    if near := close or get_close_matches(key, here, 1, 0.5):
        return ConfigError(
            "{file} 第 {line} 行：不认识的键 {key}，是不是 {near}", near=near[0], **where
        )
    return ConfigError("{file} 第 {line} 行：不认识的键 {key}", **where)


_WHY = {  # by how pydantic names the mistake
    "int_": Say("应是整数"),
    "float_": Say("应是数"),
    "finite_number": Say("应是数"),
    "string_type": Say("应是文字，写在引号里"),
    "bool_": Say("应是 true 或 false"),
    "literal_error": Say("只能是 {expected}"),
    "enum": Say("只能是 {expected}"),
    "greater_than_equal": Say("不能小于 {ge}"),
    "less_than_equal": Say("不能大于 {le}"),
    "tuple_type": Say("应是列表，写在方括号里"),
    "date_": Say("应是日期，写作 2027-01-01"),
    "model_type": Say("应是一张表"),
    "mapping_type": Say("应是一张表"),
    "dict_type": Say("应是一张表"),
    "string_pattern": Say("写法不合 {pattern}"),
    "string_too_short": Say("不能是空的"),
    "too_short": Say("至少写一项"),
}


def _why(mistake: ErrorDetails) -> Say:
    for kind, words in _WHY.items():
        if mistake["type"].startswith(kind):
            values = {
                k: str(v).replace(" or ", "、").replace(", ", "、")
                for k, v in mistake.get("ctx", {}).items()
            }
            return Say(words.text, **values)
    return Say("{why}", why=mistake["msg"].removeprefix("Value error, "))


def _known(kind: type[BaseModel], loc: Iterable[int | str]) -> list[str]:
    """The keys that may stand where a mistaken one was written."""
    here: Any = kind
    for key in loc:
        fields = getattr(here, "model_fields", None)
        here = fields[key].annotation if fields else next(_models(get_args(here)))
        if isinstance(here, UnionType):  # a table that may be left out
            here = next(_models(get_args(here)))
    return [k for k in here.model_fields if k != "path"]


def _models(types: Iterable[Any]) -> Iterator[type[BaseModel]]:
    return (one for one in types if isinstance(one, type) and issubclass(one, BaseModel))


_NAME = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_NAMES = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TABLE = re.compile(rf"\s*(\[\[?)\s*({_NAMES})\s*\]")
_KEY = re.compile(rf"\s*({_NAMES})\s*=")


def line_of(source: str, keys: Sequence[str]) -> int:
    """The line a key stands on, else that of the table it stands in or should, else 1."""
    best, line = 0, 1
    for n, place in _places(source):
        same = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(place, keys, strict=False))
        )
        if same > best:
            best, line = same, n
    return line


def stands_at(source: str, keys: Sequence[str]) -> int:
    """The line on which exactly this key or table is written; 0 where it is not."""
    return next((n for n, place in _places(source) if place == [*keys]), 0)


def _places(source: str) -> Iterator[tuple[int, list[str]]]:
    """Every line that opens a table or gives a key: its number and its path."""
    table: list[str] = []
    met: Counter[str] = Counter()
    for n, line in enumerate(source.splitlines(), 1):
        if opens := _TABLE.match(line):
            table = _split(opens[2])
            if opens[1] == "[[":
                met[opens[2]] += 1
                table.append(str(met[opens[2]] - 1))
            yield n, table
        elif gives := _KEY.match(line):
            yield n, table + _split(gives[1])


def _split(names: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_NAME, names)]


def _references(config: Config, file: Path, source: str) -> None:
    """Keys that name other keys must find them; no unit stands above itself."""
    for kind, key, field, wanted, there in _named(config):
        if wanted not in there:
            raise unknown(file, source, [kind, key, field], wanted, there)
    for key in config.units:
        above, seen = key, set[str]()
        while above and above not in seen:
            seen.add(above)
            above = config.units[above].parent
        if above:
            keys = ["units", above, "parent"]
            raise ConfigError(
                "{file} 第 {line} 行：单位 {key} 成了自己的上级",
                file=file.name,
                line=line_of(source, keys),
                key=above,
            )


def unknown(
    file: Path, source: str, keys: list[str], wanted: str, there: Iterable[str]
) -> ConfigError:
    """The error for a value that names something which is not there."""
    known = sorted(there)
    near = get_close_matches(wanted, known, 1, 0.4)
    if near:
        hint: Say | str = Say("，是不是 {near}", near=near[0])
    else:
        hint = Say("，有：{known}", known="、".join(known[:20])) if known else ""
    return ConfigError(
        "{file} 第 {line} 行：{key} 指的 {wanted} 没有声明{hint}",
        file=file.name,
        line=line_of(source, keys),
        key=".".join(keys),
        wanted=wanted,
        hint=hint,
    )


def _named(config: Config) -> Iterable[tuple[str, str, str, str, Iterable[str]]]:
    for key, unit in config.units.items():
        if unit.parent:
            yield "units", key, "parent", unit.parent, config.units
    for key, source in config.sources.items():
        yield "sources", key, "unit", source.unit, config.units
        named = (source.accounts, *(rule.accounts for rule in source.rules))
        for account in (account for some in named for account in some):
            yield "sources", key, "accounts", account, config.accounts
    for key, part in config.accounts.items():
        yield "accounts", key, "unit", part.unit, config.units
    for key, address in config.notices.items():
        for unit_key in address.units:
            yield "notices", key, "units", unit_key, config.units
