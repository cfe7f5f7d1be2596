"""A citizen's words are erased: text, earlier wordings, name, salt, index. The row and trail stay.

Each erasure also goes to an append-only file outside the store and its backup, before the store is
changed (bot.erasures): a restore brings the words back, and `replay` erases them again. The file and
the row hold the reply's remote id, so that collecting never brings the words back either. Where the
reply stands on a board of this very store, its words go from there in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from bot import audit, erasures, outside, people, search
from bot.collect import log
from bot.collect.intake import ERASED, Scope
from bot.db import accounts, insert_missing, lock, replies, reply_versions, write_over
from bot.errors import Invalid
from bot.model import MACHINE, Actor, RemoteReply, ReplyState, Right
from bot.office import Office

BLANK: Mapping[str, Any] = {
    "text": "",
    "author": "",
    "author_name": "",
    "handle": "",
    "url": "",
    "salt": "",
}


def erase(
    office: Office, conn: Connection, now: datetime, actor: Actor, reply_id: int, reason: str
) -> str:
    """Erase a reply's words for good; twice is once. `reason` is the office's own words.

    Gives the address where the words still stand, on a platform that is not ours; "" where they don't.
    Raises NotFound, NotAllowed, Invalid without a reason.
    """
    lock(conn, replies, [reply_id])
    row = log.one(conn, reply_id)
    if actor.person is not None and not people.may(conn, actor, Right.ADMIN, row["unit_id"]):
        people.require(conn, actor, Right.REPLY, row["unit_id"])
    if not reason.strip():
        raise Invalid("请写明抹除的依据")
    if row["removed_why"] == ERASED:
        return ""
    erasures.note(office.erasures, now, account=row["account_key"], reply=row["remote_id"])
    ours = _blank(conn, now, row)
    audit.write(conn, now, actor, "reply.erase", f"reply:{reply_id}", reason=reason.strip())
    return "" if ours or row["state"] == ReplyState.REMOVED else str(row["url"])


def erase_taken_back(
    office: Office, conn: Connection, now: datetime, scope: Scope, listed: Iterable[RemoteReply]
) -> None:
    """Erase our copy of what its writer took back where he was promised that nothing is kept."""
    back = [reply.remote_id for reply in listed if reply.taken_back]
    if not back:
        return
    mine = (
        select(replies, accounts.c.key.label("account_key"))
        .join(accounts, accounts.c.id == replies.c.account_id)
        .where(replies.c.account_id == scope.account_id, replies.c.remote_id.in_(back))
    )
    for row in conn.execute(mine.where(replies.c.removed_why != ERASED)).mappings().all():
        erasures.note(office.erasures, now, account=row["account_key"], reply=row["remote_id"])
        _blank(conn, now, row)
        audit.write(conn, now, MACHINE, "reply.erase", f"reply:{row['id']}", reason="writer")


def _blank(conn: Connection, now: datetime, row: RowMapping) -> bool:
    """Our copy, and what stands on the board where that is ours too: then True."""
    ours = _blank_on_board(conn, now, row["account_id"], row["remote_id"])
    write_over(conn)
    search.remove(conn, [(row["id"], row["text"])])
    conn.execute(delete(reply_versions).where(reply_versions.c.reply_id == row["id"]))
    mark = {"state": ReplyState.REMOVED, "removed_why": ERASED}
    values = {**BLANK, **mark, "removed_at": row["removed_at"] or now}
    conn.execute(update(replies).where(replies.c.id == row["id"]).values(**values))
    return ours


def _blank_on_board(conn: Connection, now: datetime, account: int, remote_id: str) -> bool:
    of_board = accounts.c.id == account, accounts.c.adapter == "board"
    identity = conn.execute(select(accounts.c.identity).where(*of_board)).scalar()
    there = erasures.on_board(conn, identity, remote_id) if identity else None
    if there is not None and there["state"] != erasures.DELETED:
        erasures.blank(conn, now, there)
    return there is not None


# ---------------------------------------------------------------- after a restore


def replay_erasures(office: Office, conn: Connection, now: datetime) -> int:
    """Erase again what the file lists; give how many replies had come back.

    What the restored store does not know is put there erased, lest it is collected once more. On the
    board what was erased goes as well, whether our own copy had come back or not.
    """
    keys = dict(conn.execute(select(accounts.c.key, accounts.c.id)).all())
    back = 0
    for line in outside.lines(office.erasures):
        account = keys.get(line.get("account"))
        if account is None:
            continue
        tomb = {"account_id": account, "remote_id": line["reply"], "at": now, "seen_at": now}
        tomb |= {"last_seen": now, "state": ReplyState.REMOVED, "removed_at": now}
        insert_missing(conn, replies, [{**tomb, "text": "", "removed_why": ERASED}])
        mine = replies.c.account_id == account, replies.c.remote_id == line["reply"]
        row = conn.execute(select(replies).where(*mine)).mappings().one()
        _blank_on_board(conn, now, account, line["reply"])
        if row["removed_why"] != ERASED:
            _blank(conn, now, row)
            audit.write(conn, now, MACHINE, "reply.erase", f"reply:{row['id']}", reason="restore")
            back += 1
    return back
