"""改期: a post moved to another time; what that means is said before it is done. Free slots to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from bot.db import accounts
from bot.deliver import moving, rhythm
from bot.errors import Conflict, GongkaiError, Invalid
from bot.language import Say
from bot.office import Office
from bot.schedule import retiming
from bot.web.lists import Account, account
from bot.web.review import post_for
from bot.web.visit import Id, Signed, Visit, go, whole
from bot.workdays import instant

router = APIRouter()


@router.get("/calendar/move/{post_id:int}")
def move_page(visit: Signed, post_id: Id) -> Response:
    """A form that asks for the time; with `at`, what that would mean."""
    said = visit.params.get("at", "")
    return _asking(visit, post_id, said, errors=[])


def _asking(
    visit: Visit, post_id: int, said: str, errors: list[tuple[str, str]], status: int = 200
) -> Response:
    office = visit.office
    with office.db.read() as conn:
        now = office.db.now(conn)
        post = post_for(conn, visit.actor, post_id)
        foreseen = None
        if said and not errors:
            try:
                at = _when(visit, said)
                foreseen = retiming.foresee(office, conn, now, visit.actor, post_id, at)
            except GongkaiError as error:
                errors, status = [("at", str(error))], 422
        return visit.page(
            "move.html", status, post=post, said=said, foreseen=foreseen, errors=errors,
            signed=moving.signed_for(conn, post), kinds=retiming,
            slots=slots_for(conn, now, post["accounts"] or (), post_id),
        )  # fmt: skip


def slots_for(
    conn: Connection, now: datetime, ids: Sequence[int], post_id: int = 0
) -> list[tuple[Account, list[datetime]]]:
    """The next free slots of each of some accounts that has slots."""
    rows = conn.execute(select(accounts).where(accounts.c.id.in_(ids)).order_by(accounts.c.id))
    found = [(account(r), rhythm.next_slots(conn, r, now, 6, post_id)) for r in rows.mappings()]
    return [(one, times) for one, times in found if times]


def picked(visit: Visit, conn: Connection, now: datetime, post_id: int) -> datetime | None:
    """The slot a form chose (`pick`: account and time), if it is still free. Raises Conflict."""
    said = visit.field("pick")
    if not said:
        return None
    key, _, when = said.partition("|")
    at = _when(visit, when)
    row = conn.execute(select(accounts).where(accounts.c.key == key)).mappings().first()
    if row is None or at not in rhythm.next_slots(conn, row, now, 60, post_id):
        raise Conflict("这个时段刚被占用或已过，请另选一个")
    return at


def _when(visit: Visit, said: str) -> datetime:
    at = instant(said, visit.office.config.tz)
    if at is None:
        raise Invalid("请填写“{label}”", label=Say("新的时间"))
    return at


@router.post("/calendar/move/{post_id:int}")
def move(visit: Signed, post_id: Id) -> Response:
    """`at` or `pick`, with `version` and `seen` as shown. Outside of what was signed it is first said
    what that means; `agreed` comes from there."""
    office, said = visit.office, visit.field("at")
    try:
        with office.db.write() as conn:
            now = office.db.now(conn)
            post = post_for(conn, visit.actor, post_id)
            at = picked(visit, conn, now, post_id) or _when(visit, said)
            foreseen = retiming.foresee(office, conn, now, visit.actor, post_id, at)
            if foreseen.kind == retiming.FREE or visit.field("agreed"):
                _moved(visit, conn, now, post_id, at)
                return go(_place(office, at, post, foreseen))
            said = f"{at.astimezone(office.config.tz):%Y-%m-%dT%H:%M}"
    except GongkaiError as error:
        status = 409 if isinstance(error, Conflict) else 422
        return _asking(visit, post_id, said, [("at", str(error))], status)
    return _asking(visit, post_id, said, [])


def _moved(visit: Visit, conn: Connection, now: datetime, post_id: int, at: datetime) -> None:
    """As its mover had it in front of him."""
    version = visit.field("version")
    seen = [whole(one) for one in visit.field("seen").split(",") if one] if version else None
    retiming.move(
        visit.office, conn, now, visit.actor, post_id, at,
        version=whole(version) if version else None, seen=seen, agreed=bool(visit.field("agreed")),
    )  # fmt: skip


def _place(office: Office, at: datetime, post: RowMapping, foreseen: retiming.Foreseen) -> str:
    """The day it went to."""
    done = "draft" if post["state"] == "draft" else foreseen.kind
    return f"/calendar?view=day&on={at.astimezone(office.config.tz):%Y-%m-%d}&done={done}"
