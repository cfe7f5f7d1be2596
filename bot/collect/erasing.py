"""A citizen's words are erased: text, earlier wordings, name, salt, index. The row and trail stay.

Each erasure also goes to an append-only file outside the store and its backup, before the store is
changed: a restore brings the words back, and `replay` erases them again. The file and the row hold
the reply's remote id, so that collecting never brings the words back either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from bot import audit, outside, people, search
from bot.collect import log
from bot.collect.intake import ERASED
from bot.db import accounts, insert_missing, lock, replies, reply_versions, write_over
from bot.errors import Invalid
from bot.model import MACHINE, Actor, ReplyState, Right
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
) -> None:
    """Erase a reply's words for good; twice is once. `reason` is the office's own words.

    Raises NotFound, NotAllowed, Invalid without a reason.
    """
    lock(conn, replies, [reply_id])
    row = log.one(conn, reply_id)
    if actor.person is not None and not people.may(conn, actor, Right.ADMIN, row["unit_id"]):
        people.require(conn, actor, Right.REPLY, row["unit_id"])
    if not reason.strip():
        raise Invalid("请写明抹除的依据")
    if row["removed_why"] == ERASED:
        return
    outside.append(
        office.erasures,
        {"at": now.isoformat(), "account": row["account_key"], "reply": row["remote_id"]},
    )
    _blank(conn, now, row)
    audit.write(conn, now, actor, "reply.erase", f"reply:{reply_id}", reason=reason.strip())


def _blank(conn: Connection, now: datetime, row: RowMapping) -> None:
    write_over(conn)
    search.remove(conn, [(row["id"], row["text"])])
    conn.execute(delete(reply_versions).where(reply_versions.c.reply_id == row["id"]))
    mark = {"state": ReplyState.REMOVED, "removed_why": ERASED}
    values = {**BLANK, **mark, "removed_at": row["removed_at"] or now}
    conn.execute(update(replies).where(replies.c.id == row["id"]).values(**values))


# ---------------------------------------------------------------- after a restore


def replay_erasures(office: Office, conn: Connection, now: datetime) -> int:
    """Erase again what the file lists; give how many replies had come back.

    What the restored store does not know is put there erased, lest it is collected once more.
    """
    keys = dict(conn.execute(select(accounts.c.key, accounts.c.id)).all())
    back = 0
    for line in outside.lines(office.erasures):
        account = keys.get(line["account"])
        if account is None:
            continue
        tomb = {"account_id": account, "remote_id": line["reply"], "at": now, "seen_at": now}
        tomb |= {"last_seen": now, "state": ReplyState.REMOVED, "removed_at": now}
        insert_missing(conn, replies, [{**tomb, "text": "", "removed_why": ERASED}])
        mine = replies.c.account_id == account, replies.c.remote_id == line["reply"]
        row = conn.execute(select(replies).where(*mine)).mappings().one()
        if row["removed_why"] != ERASED:
            _blank(conn, now, row)
            audit.write(conn, now, MACHINE, "reply.erase", f"reply:{row['id']}", reason="restore")
            back += 1
    return back
