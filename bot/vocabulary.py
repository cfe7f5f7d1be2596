"""The office's word lists and its leaders as people edit them: line by line, pasted, or whole.

What is written here must be readable as a whole, or nothing is; bot.wordlists reads it for screening.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from bot import files, people
from bot.config import Config
from bot.errors import ConfigError, Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Right, Severity
from bot.office import Office
from bot.screen.terms import read
from bot.screen.wording import Leaders, read_leaders


class Line(NamedTuple):
    """One term as it is written, and where."""

    number: int
    words: str
    severity: Severity = Severity.WARN
    suggestion: str = ""
    exception: bool = False

    @property
    def written(self) -> str:
        """As the file has it. Raises Invalid for what no line can hold."""
        words, suggestion = self.words.strip(), self.suggestion.strip()
        if (
            not words
            or words[0] in "#!！"
            or re.search(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", words + suggestion)
        ):
            raise Invalid("词语不能是空的，不能以 # 或 ! 开头，也不能换行或有制表符")
        if self.exception:
            return f"!{words}"
        return "\t".join([words, self.severity, suggestion]).rstrip("\t")


@dataclass(frozen=True)
class WordList:
    """One of the files of `[screening] lists`. `wrong`: why its lines cannot be read."""

    name: str  # as config.toml has it
    file: files.File | None
    lines: tuple[Line, ...]
    wrong: Say | None

    @property
    def digest(self) -> str:
        return self.file.digest if self.file else ""


def word_lists(config: Config) -> list[WordList]:
    """All of them, those with mistakes too."""
    return [_word_list(config, name) for name in config.screening.lists]


def word_list(config: Config, name: str = "") -> WordList:
    """One by name; without, the first. Raises NotFound."""
    declared = config.screening.lists
    if not declared:
        raise NotFound("还没有词表：请在 config.toml 的 [screening] lists 里声明一个文件")
    if name and name not in declared:
        raise NotFound("没有词表 {name}；有：{known}", name=name, known="、".join(declared))
    return _word_list(config, name or declared[0])


def _word_list(config: Config, name: str) -> WordList:
    file, wrong = files.read_or_say(config.place(name))
    lines: tuple[Line, ...] = ()
    if file is not None:
        try:
            lines = _lines(file.text, file.path.name)
        except ConfigError as error:
            wrong = error.say
    return WordList(name, file, lines, wrong)


@lru_cache(maxsize=8)
def _lines(text: str, name: str) -> tuple[Line, ...]:
    """Raises ConfigError naming the line."""
    read(text, name)
    return tuple(
        _line(n, line.strip()) if line.strip()[0] in "!！" else _line(n, line)
        for n, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#")
    )


def _line(number: int, line: str) -> Line:
    if line[0] in "!！":
        return Line(number, line[1:].strip(), exception=True)
    words, severity, suggestion = (*(one.strip() for one in line.split("\t")), "", "")[:3]
    return Line(number, words, Severity(severity or "warn"), suggestion)


# ---------------------------------------------------------------- changing one

SEVERITIES: Mapping[str, Severity] = {  # as people write them in a table
    "阻止": Severity.BLOCK,
    "提醒": Severity.WARN,
    "提示": Severity.NOTE,
}


def put(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    name: str,
    digest: str,
    line: Line,
) -> str:
    """Write a term where its line stands, or at the end (line 0). Raises as files.change, Conflict
    for words that the list has already, NotFound for a line that is none."""
    there = _as_read(office, conn, actor, name, digest)
    text = line.written
    if any(_key(one) == _key(line) for one in there.lines if one.number != line.number):
        raise Conflict("“{words}”已在词表里", words=line.words)
    rows = _text(there).splitlines()
    if not line.number:
        rows.append(text)
    else:
        rows[_at(there, line.number)] = text
    return rewrite(office, conn, now, actor, name, digest, "\n".join(rows))


def drop(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    name: str,
    digest: str,
    number: int,
) -> str:
    """Take a line out. Raises as `put`."""
    there = _as_read(office, conn, actor, name, digest)
    rows = _text(there).splitlines()
    del rows[_at(there, number)]
    return rewrite(office, conn, now, actor, name, digest, "\n".join(rows))


def _as_read(office: Office, conn: Connection, actor: Actor, name: str, digest: str) -> WordList:
    """The list, as whoever changes it had it in front of him. Raises NotAllowed, files.Changed."""
    people.require_everywhere(conn, actor, Right.ADMIN)
    there = word_list(office.config, name)
    if there.file:
        there.file.expect(digest)
    return there


def number_of(there: WordList, line: Line) -> int:
    """The line on which these words stand already; 0: nowhere."""
    return next((one.number for one in there.lines if _key(one) == _key(line)), 0)


def _at(there: WordList, number: int) -> int:
    if number not in {one.number for one in there.lines}:
        raise NotFound("词表第 {n} 行没有词语", n=number)
    return number - 1


def _text(there: WordList) -> str:
    """Raises ConfigError where it cannot be read."""
    if there.wrong is not None:
        raise ConfigError(there.wrong)
    return there.file.text if there.file else ""


def _key(line: Line) -> tuple[str, bool]:
    return " ".join(line.words.split()).lower(), line.exception


class Imported(NamedTuple):
    digest: str
    added: int
    known: int  # stood there already, and stand as they stood


def take_in(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    name: str,
    digest: str,
    pasted: str,
) -> Imported:
    """Add the lines of a paste: as in the file, or from a spreadsheet with 阻止, 提醒, 提示.

    All or none; words that are there already are left. Raises as `put`, and Invalid naming the line.
    """
    there = _as_read(office, conn, actor, name, digest)
    rows = _text(there).splitlines()
    known = {_key(one) for one in there.lines}
    lines = _pasted(pasted)
    if not lines:
        raise Invalid("没有可导入的词语：一行一个")
    fresh = {_key(one): one for one in reversed(lines) if _key(one) not in known}
    rows += [one.written for one in lines if fresh.get(_key(one)) is one]
    made = rewrite(office, conn, now, actor, name, digest, "\n".join(rows))
    return Imported(made, len(fresh), len(lines) - len(fresh))


def _pasted(text: str) -> list[Line]:
    words = re.compile("|".join(rf"(?<=\t){one}(?=\t|$)" for one in SEVERITIES))
    rows = [words.sub(lambda m: SEVERITIES[m[0]], row) for row in text.strip("\n").splitlines()]
    try:
        return list(_lines("\n".join(rows), str(Say("粘贴的内容"))))
    except ConfigError as error:
        raise Invalid(error.say) from None


def rewrite(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    name: str,
    digest: str,
    text: str,
) -> str:
    """The whole of a list anew. Raises ConfigError naming the line, and as files.change."""
    people.require_everywhere(conn, actor, Right.ADMIN)
    name = word_list(office.config, name).name  # the first, where none was named
    path = office.config.place(name)
    read(files.tidied(text), path.name)
    return files.change(office, conn, now, actor, f"words:{name}", path, text, digest)


# ---------------------------------------------------------------- leaders


def leaders_file(config: Config) -> tuple[files.File | None, Leaders | None, Say | None]:
    """The file, what it says, and why it cannot be read; all None where none is declared."""
    if not config.screening.leaders:
        return None, None, None
    file, wrong = files.read_or_say(config.place(config.screening.leaders))
    if file is None:
        return None, None, wrong
    try:
        return file, read_leaders(file.text, file.path.name), wrong
    except ConfigError as error:
        return file, None, error.say


def save_leaders(
    office: Office, conn: Connection, now: datetime, actor: Actor, digest: str, text: str
) -> str:
    """The leaders anew, in order. Raises ConfigError naming the line, NotFound, as files.change."""
    people.require_everywhere(conn, actor, Right.ADMIN)
    name = office.config.screening.leaders
    if not name:
        raise NotFound("还没有领导名单：请在 config.toml 的 [screening] leaders 里声明一个文件")
    path = office.config.place(name)
    read_leaders(files.tidied(text), path.name)
    return files.change(office, conn, now, actor, f"leaders:{name}", path, text, digest)


def leaders_shown(config: Config) -> dict[str, Any]:
    """As JSON, with the file's text for whoever changes it."""
    file, order, wrong = leaders_file(config)
    rows = [
        {"name": name, "titles": [*titles]}
        for name, titles in (order.titles if order else {}).items()
    ]
    return {
        "rows": rows,
        "list": config.screening.leaders,
        "text": file.text if file else "",
        "digest": file.digest if file else "",
        **_state(file, wrong),
    }


def _state(file: files.File | None, wrong: Say | None) -> dict[str, Any]:
    """Why a file cannot be read, and why it cannot be changed here."""
    locked = file.locked if file else None
    return {"wrong": str(wrong) if wrong else None, "locked": str(locked) if locked else None}


# ---------------------------------------------------------------- shown


def found(lines: Iterable[Line], words: str = "", severity: str = "") -> list[Line]:
    """Those that hold `words` in term or suggestion; of a severity, or `exception`."""
    words = words.strip().lower()
    return [
        one
        for one in lines
        if words in one.words.lower() + "\n" + one.suggestion.lower()
        and severity in ("", "exception" if one.exception else one.severity)
    ]


def shown(there: WordList, lines: Sequence[Line] | None = None) -> dict[str, Any]:
    """As JSON."""
    rows = there.lines if lines is None else lines
    return {
        "list": there.name,
        "digest": there.digest,
        **_state(there.file, there.wrong),
        "rows": [
            {
                "line": one.number,
                "words": one.words,
                "severity": None if one.exception else one.severity,
                "suggestion": one.suggestion,
                "exception": one.exception,
            }
            for one in rows
        ],
    }
