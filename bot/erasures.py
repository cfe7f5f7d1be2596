"""What was taken from sight stays away, a restore notwithstanding: the log of it, and its replay.

An append-only file outside the store and its backup (bot.outside); each line is written before the
store is changed. Two kinds of line: a collected reply that was erased (`account`, `reply`), which
bot.collect.erasing replays; and a reply of a board in this very store that its writer deleted or a
moderator hid or showed again (`board`: its identity, `reply`, `state`). No line holds a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot import outside
from bot.db import board_replies, boards, lock, write_over

SHOWN, HIDDEN, DELETED = "shown", "hidden", "deleted"
BLANK: Mapping[str, Any] = {"state": DELETED, "text": "", "author_name": "", "pending": None}


def note(file: Path, now: datetime, **what: str) -> None:
    """Add a line: account and reply, or board, reply and state."""
    outside.append(file, {"at": now.isoformat(), **what})


def note_of_board(file: Path, conn: Connection, now: datetime, row: RowMapping, state: str) -> None:
    """Add the line that a reply of the board is in `state` from now on."""
    identity = conn.execute(select(boards.c.identity)).scalar_one()
    note(file, now, board=identity, reply=row["public_id"], state=state)


def blank(conn: Connection, now: datetime, row: RowMapping) -> None:
    """A board's reply without words or name; where the public saw it a mark remains."""
    write_over(conn)
    set_board_reply(conn, now, row, public=row["change"] is not None, **BLANK)


def set_board_reply(
    conn: Connection, now: datetime, row: RowMapping, *, public: bool, **values: Any
) -> None:
    """Change a board's reply; a `public` change takes the next number."""
    if public:
        counted = update(boards).values(changes=boards.c.changes + 1).returning(boards.c.changes)
        values["change"] = int(conn.execute(counted).scalar_one())
    mine = board_replies.c.id == row["id"]
    conn.execute(update(board_replies).where(mine).values(changed_at=now, **values))


def on_board(conn: Connection, identity: str, public_id: str) -> RowMapping | None:
    """A reply of a board by the board's identity, locked; None where that board is elsewhere."""
    if conn.execute(select(boards.c.id).where(boards.c.identity == identity)).first() is None:
        return None
    mine = select(board_replies).where(board_replies.c.public_id == public_id)
    if (row := conn.execute(mine).mappings().first()) is None:
        return None
    lock(conn, board_replies, [row["id"]])
    return conn.execute(mine).mappings().one()


def replay_board(file: Path, conn: Connection, now: datetime) -> int:
    """Delete and hide again on the board what a restore brought back; give how many."""
    last: dict[tuple[str, str], str] = {}
    for line in outside.lines(file):
        if "board" in line and last.get(key := (line["board"], line["reply"])) != DELETED:
            last[key] = line["state"]
    back = 0
    for (identity, public_id), state in last.items():
        row = on_board(conn, identity, public_id)
        if row is None or state == SHOWN or row["state"] in (state, DELETED):
            continue
        if state == DELETED:
            blank(conn, now, row)
        else:
            hidden = {"state": HIDDEN, "pending": None}
            set_board_reply(conn, now, row, public=row["change"] is not None, **hidden)
        back += 1
    return back
