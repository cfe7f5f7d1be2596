"""导入留言: what the public says elsewhere (12345, 县长信箱, letters) comes into the same log."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from bot import collect, people
from bot.collect import importing, tables
from bot.errors import GongkaiError, Invalid
from bot.language import Say
from bot.model import Right
from bot.web import spool
from bot.web.faults import status_of
from bot.web.lists import account, chosen
from bot.web.visit import Signed, Visit, go
from bot.workdays import instant

router = APIRouter()
ENTRY = ("account", "text", "at", "author", "id", "title", "url", "post")


@router.get("/replies/import")
def import_page(visit: Signed) -> Response:
    return _page(visit)


def _page(visit: Visit, status: int = 200, **said: Any) -> Response:
    """The upload, and the form for one message. Raises NotAllowed for who handles no replies."""
    with visit.office.db.read() as conn:
        mine = _accounts(conn, visit)
    values = {"problem": None, "entry": dict.fromkeys(ENTRY, ""), "taken": _taken(visit), **said}
    values["into"] = chosen(visit.params, "account")
    return visit.page("import.html", status, accounts=[account(row) for row in mine], **values)


def _accounts(conn: Connection, visit: Visit) -> list[RowMapping]:
    mine = importing.by_hand(conn, visit.actor)
    if not mine and not people.unit_ids(conn, visit.actor, Right.REPLY):
        people.require(conn, visit.actor, Right.REPLY, 0)
    return mine


def _taken(visit: Visit) -> Say | None:
    """What an import did, out of the address it led to."""
    said = [visit.params.get(name, "") for name in ("rows", "new", "changed")]
    if not all(n.isascii() and n.isdigit() and len(n) < 8 for n in said):
        return None
    rows, new, changed = map(int, said)
    return Say(
        "读到 {rows} 条，新增 {new} 条，内容有变 {changed} 条", rows=rows, new=new, changed=changed
    )


@router.post("/replies/import")
def upload(visit: Signed) -> Response:
    """Put the file away and look at it; nothing is taken in yet."""
    file, key = visit.file("file"), visit.field("account")
    try:
        with visit.office.db.read() as conn:
            importing.account_of(conn, visit.actor, key)
        if file is None:
            raise Invalid("请选择要导入的文件")
        token = spool.keep(visit.office, visit.session.person, file)
        tables.preview(spool.find(visit.office, visit.session.person, token))
    except Invalid as error:
        return _page(visit, status_of(error), problem=error)
    return go(f"/replies/import/{key}/{token}")


@router.get("/replies/import/{key}/{token}")
def columns_page(visit: Signed, key: str, token: str) -> Response:
    return _columns(visit, key, token)


def _columns(
    visit: Visit, key: str, token: str, status: int = 200, problem: GongkaiError | None = None
) -> Response:
    """What each column is taken for; with a `problem`, as it was chosen."""
    file = spool.find(visit.office, visit.session.person, token)
    with visit.office.db.read() as conn:
        row = importing.account_of(conn, visit.actor, key)
    seen = tables.preview(file)
    names = dict(seen.names) if problem is None else _told(visit)
    return visit.page(
        "import_columns.html", status, account=account(row), file=file.name, seen=seen,
        names=names, labels=importing.LABELS, needed=tables.NEEDED, problem=problem, place=f"{key}/{token}",
    )  # fmt: skip


def _told(visit: Visit) -> dict[str, str]:
    return {name: visit.field(f"column-{name}") for name in tables.HEADS}


@router.post("/replies/import/{key}/{token}")
def take_in(visit: Signed, key: str, token: str) -> Response:
    """Take it in, all of it or nothing."""
    office = visit.office
    file = spool.find(office, visit.session.person, token)
    with office.db.read() as conn:
        into = importing.account_of(conn, visit.actor, key)["id"]
    if visit.field("act") == "drop":
        spool.drop(file)
        return go("/replies/import")
    told = _told(visit)
    try:
        for name in tables.NEEDED:
            if not told[name]:
                raise Invalid("请选定哪一列是“{label}”", label=importing.LABELS[name])
        with office.db.write() as conn:
            now = office.db.now(conn)
            made = collect.import_file(office, conn, now, visit.actor, key, file, told)
    except Invalid as error:
        return _columns(visit, key, token, status_of(error), error)
    spool.drop(file)
    return go(
        f"/replies/import?rows={made.rows}&new={made.new}&changed={made.changed}&account={into}"
    )


@router.post("/replies/enter")
def enter(visit: Signed) -> Response:
    """One message, typed in."""
    typed, office = {name: visit.field(name) for name in ENTRY}, visit.office
    try:
        given: dict[str, Any] = {name: value or None for name, value in typed.items()}
        given["at"] = instant(typed["at"], office.config.tz)
        key = given.pop("account") or ""
        with office.db.write() as conn:
            now = office.db.now(conn)
            made = collect.add(office, conn, now, visit.actor, key, **given)
    except Invalid as error:
        return _page(visit, status_of(error), problem=error, entry=typed)
    return go(f"/replies/{made}?done=entered")
