"""词表与领导名单: searched, changed line by line, pasted, or written anew as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from bot import files, people, vocabulary
from bot.collect import tables
from bot.errors import ConfigError, Conflict, GongkaiError, Invalid, NotFound
from bot.language import Say
from bot.model import Right, Severity
from bot.office import Office
from bot.vocabulary import Line
from bot.web import spool
from bot.web.faults import status_of
from bot.web.lists import page_of
from bot.web.marks import differences
from bot.web.templating import readable_units
from bot.web.visit import Signed, Visit, go, plain

router = APIRouter()
PLACE = "/settings/words"
DONE = {
    "put": Say("已保存，下一次审查即用"),
    "drop": Say("已删去"),
    "import": Say("已导入，下一次审查即用"),
    "whole": Say("已保存，下一次审查即用"),
    "leaders": Say("已保存，下一次审查即用"),
}
HEADS, EXCEPTION = ("词语", "词", "words"), "例外"  # as tables have them
WHOLE = 200_000  # characters of a list that may be edited as one text


@router.get(PLACE)
def words_page(visit: Signed) -> Response:
    return _shown(visit, done=_done(visit))


def _done(visit: Visit) -> Say | None:
    added = visit.params.get("added", "")
    if visit.params.get("done") == "import" and added.isdigit():
        return Say("已导入 {n} 个词语，下一次审查即用", n=added)
    return visit.done(DONE)


@router.post(PLACE)
def change_words(visit: Signed) -> Response:
    """`act`: put (a term; `line` 0: a new one), drop, import (`pasted`, or a `table`), whole or
    leaders (`text`).

    `list` names the file, `digest` what was read of it.
    """
    name = visit.field("act")
    if name not in ACTS:
        raise Invalid("请从页面上的按钮办理")
    office = visit.office
    try:
        with office.db.write() as conn:
            more = ACTS[name](visit, conn, office.db.now(conn))
    except (ConfigError, Invalid, Conflict, NotFound) as error:
        return _shown(visit, status_of(error), error=error, act=name)
    back = {"list": visit.field("list"), "q": visit.field("q"), "done": name, **more}
    return go(f"{PLACE}?{urlencode({k: v for k, v in back.items() if v})}")


def _raw(visit: Visit, name: str) -> str:
    value = visit.form.get(name, "")
    return plain(value).replace("\r\n", "\n") if isinstance(value, str) else ""


def _of(visit: Visit) -> tuple[str, str]:
    return vocabulary.word_list(visit.office.config, visit.field("list")).name, visit.field(
        "digest"
    )


def _line(visit: Visit) -> Line:
    """The term as it was typed. Raises Invalid."""
    severity = visit.field("severity") or Severity.WARN
    if severity not in (*Severity, "exception"):
        raise Invalid("请选级别")
    number, exception = int(visit.number("line")), severity == "exception"
    grave = Severity.WARN if exception else Severity(severity)
    return Line(number, visit.field("words"), grave, visit.field("suggestion"), exception)


def _put(visit: Visit, conn: Connection, now: datetime) -> dict[str, Any]:
    vocabulary.put(visit.office, conn, now, visit.actor, *_of(visit), _line(visit))
    return {}


def _drop(visit: Visit, conn: Connection, now: datetime) -> dict[str, Any]:
    vocabulary.drop(visit.office, conn, now, visit.actor, *_of(visit), visit.number("line"))
    return {}


def _import(visit: Visit, conn: Connection, now: datetime) -> dict[str, Any]:
    pasted = "\n".join(filter(None, (_raw(visit, "pasted"), _table(visit))))
    made = vocabulary.take_in(visit.office, conn, now, visit.actor, *_of(visit), pasted)
    return {"added": str(made.added)}


def _table(visit: Visit) -> str:
    """What an uploaded table would be if it were pasted. Raises Invalid for one that cannot be read."""
    upload = visit.file("table")
    if upload is None:
        return ""
    office, person = visit.office, visit.session.person
    file = spool.find(office, person, spool.keep(office, person, upload))
    try:
        return "\n".join(map(_pasted, tables.texts(file)))
    finally:
        spool.drop(file)


def _pasted(cells: list[str]) -> str:
    """A row of a table; its headings are a remark, so that the lines keep their numbers."""
    words, severity, *more = (*cells, "", "")
    if words in HEADS:
        return f"# {words}"
    return f"!{words}" if severity == EXCEPTION else "\t".join((words, severity, more[0])).rstrip()


def _whole(visit: Visit, conn: Connection, now: datetime) -> dict[str, Any]:
    text = _raw(visit, "text")
    vocabulary.rewrite(visit.office, conn, now, visit.actor, *_of(visit), text)
    return {}


def _leaders(visit: Visit, conn: Connection, now: datetime) -> dict[str, Any]:
    words = visit.field("digest"), _raw(visit, "text")
    vocabulary.save_leaders(visit.office, conn, now, visit.actor, *words)
    return {}


ACTS: dict[str, Callable[[Visit, Connection, datetime], dict[str, Any]]] = {
    "put": _put,
    "drop": _drop,
    "import": _import,
    "whole": _whole,
    "leaders": _leaders,
}


# ---------------------------------------------------------------- showing it


def _shown(
    visit: Visit,
    status: int = 200,
    *,
    error: GongkaiError | None = None,
    act: str = "",
    done: Say | None = None,
) -> Response:
    """With what was typed still in its fields, where it could not be taken."""
    office, asked = visit.office, _asked(visit)
    with office.db.read() as conn:
        readable_units(conn, visit.actor)
        may = people.everywhere(conn, visit.actor, Right.ADMIN)
        chosen, found = _list(office, conn, asked)
        leaders, order, wrong = vocabulary.leaders_file(office.config)
        of_leaders = files.history(conn, f"leaders:{office.config.screening.leaders}")
    page = page_of(visit.params, len(found))
    typed = {name: _raw(visit, name) for name in ("words", "suggestion", "severity", "line")}
    typed |= {name: _raw(visit, name) for name in ("pasted", "text")}
    now = leaders if act == "leaders" else chosen["list"] and chosen["list"].file
    changed = now if isinstance(error, files.Changed) else None
    return visit.page(
        "settings_words.html", status, lists=office.config.screening.lists, **chosen, may=may,
        lines=found[page.offset : page.last], page=page, asked=asked, error=error, act=act,
        typed=typed, done=done, leaders=leaders, order=order, leaders_wrong=wrong,
        leaders_name=office.config.screening.leaders, leaders_history=of_leaders,
        file=office.config.path.name, limit=WHOLE, changed=changed,
        difference=differences(changed.text, typed["text"]) if changed and typed["text"] else None,
    )  # fmt: skip


def _asked(visit: Visit) -> dict[str, str]:
    """What the list is narrowed to; after a refused form, what that form was on."""
    names = ("list", "q", "severity", "version")
    return {
        n: visit.params.get(n, "") or (visit.field(n) if n in ("list", "q") else "") for n in names
    }


def _list(
    office: Office, conn: Connection, asked: dict[str, str]
) -> tuple[dict[str, Any], list[Line]]:
    """The chosen list with its trail, and the lines that were asked for."""
    if not office.config.screening.lists:
        return {"list": None, "history": [], "earlier": None}, []
    there = vocabulary.word_list(office.config, asked["list"])
    subject, version = f"words:{there.name}", asked["version"]
    known = {
        "list": there,
        "history": files.history(conn, subject),
        "earlier": files.earlier(office, conn, subject, version) if version else None,
    }
    return known, vocabulary.found(there.lines, asked["q"], asked["severity"])
