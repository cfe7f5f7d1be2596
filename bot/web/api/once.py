"""A write and its Idempotency-Key: done once, and answered the same for a day.

The key's row is written in the transaction of the act itself. So there is no write that is begun
and not ended: one that was killed has left neither row nor act, and the key is free. Two at once:
the second waits for the row of the first, and answers as that did. What was refused changed
nothing and is not kept: it may be tried again under the same key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.responses import JSONResponse, Response

from bot.db import api_writes
from bot.shapes import plain
from bot.web.api.door import KEPT, Call
from bot.web.problems import Problem

Done = Mapping[str, Any]  # what a write answers
Act = Callable[[Connection, datetime], Done]


class Json(JSONResponse):
    """An answer as `gongkai … --json` writes it."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, default=plain).encode()


def once(
    call: Call, act: Act, status: int = 200, first: Callable[[], Any] | None = None
) -> Response:
    """Do it, unless it was done under this key; give the answer. Raises Problem, and as `act`.

    `first`: what takes its time and must keep nobody waiting, before anything is locked.
    """
    if first is not None and not _done(call):
        first()
    with call.office.db.write() as conn:
        now = call.office.db.now(conn)
        mine = _mine(call)
        conn.execute(delete(api_writes).where(*mine, api_writes.c.at <= now - KEPT))
        if not _begun(conn, now, call):
            row = conn.execute(select(api_writes).where(*mine)).mappings().one()
            return _again(row, call)
        answer = json.loads(json.dumps(act(conn, now), default=plain))
        conn.execute(update(api_writes).where(*mine).values(status=status, answer=answer))
    return Json(answer, status)


def _mine(call: Call) -> tuple[ColumnElement[bool], ...]:
    return api_writes.c.person_id == call.actor.person, api_writes.c.key == call.key


def _done(call: Call) -> bool:
    with call.office.db.read() as conn:
        return conn.execute(select(api_writes.c.id).where(*_mine(call))).first() is not None


def _begun(conn: Connection, now: datetime, call: Call) -> bool:
    """Take the key; waits while another has it in hand."""
    row = {"person_id": call.actor.person, "key": call.key, "digest": call.digest, "at": now}
    try:
        with conn.begin_nested():
            conn.execute(insert(api_writes).values(**row))
    except IntegrityError:
        return False
    return True


def _again(row: RowMapping, call: Call) -> Response:
    if row["digest"] != call.digest:
        raise Problem(409, "key-reused", "这个 Idempotency-Key 已用于另一个请求，请换一个")
    return Json(row["answer"], row["status"], {"idempotent-replayed": "true"})
