"""One account whole: who it is there, how long its credential lives, what it can do, what stops it,
what is queued on it, and how it was filed (备案)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from bot import naming, people, shapes
from bot.deliver import accounts as stage
from bot.deliver import holds
from bot.language import Say
from bot.model import Actor
from bot.office import Office
from bot.web import shell
from bot.web.accounts import DONE
from bot.web.lists import account
from bot.web.visit import Signed

router = APIRouter()
SAID = {**DONE, "connect": Say("已连接，身份和令牌已保存")}
FILED = {
    "registrar": Say("登记单位"),
    "number": Say("备案编号"),
    "supervisor": Say("主管单位"),
    "contact": Say("联系人"),
}


def readable_account(conn: Connection, actor: Actor, key: str) -> tuple[RowMapping, set[int]]:
    """An account of the units that `actor` reads, and those. Raises NotFound, also for another's."""
    row, scope = stage.by_key(conn, key), people.unit_ids(conn, actor)
    if row["unit_id"] not in scope:
        raise stage.unknown(key)
    return row, scope


def data_for_account(office: Office, actor: Actor, key: str) -> dict[str, Any]:
    """The facts of `gongkai account show`, with what the page shows beside them. Raises NotFound."""
    with office.db.read() as conn:
        row, scope = readable_account(conn, actor, key)
        return {
            "facts": shapes.account(office, conn, row, scope),
            "square": account(row),
            "unit": naming.of_hold(conn, "unit", row["unit_id"])[0],
            "holds": [shell.named_hold(conn, one) for one in holds.on_account(conn, row)],
            "rights": people.rights(conn, actor, row["unit_id"]),
        }


@router.get("/accounts/{key}")
def account_page(visit: Signed, key: str) -> Response:
    found = data_for_account(visit.office, visit.actor, key)
    return visit.page("account.html", **found, filed=FILED, done=visit.done(SAID))
