"""The log of replies as a file, every row with its state and both marks: edited, removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from sqlalchemy import Connection, RowMapping, select

from bot import audit, export
from bot.collect import log
from bot.collect.intake import ABSENT, ERASED, PLATFORM, digest
from bot.db import offices, reply_versions
from bot.language import Say
from bot.model import Actor, ReplyState
from bot.office import Office

HEADS: Mapping[str, Say] = {
    "id": Say("编号"),
    "account": Say("账号"),
    "post_id": Say("稿件编号"),
    "post": Say("稿件"),
    "reply": Say("平台编号"),
    "parent": Say("回复对象"),
    "author": Say("评论人"),
    "text": Say("内容"),
    "url": Say("链接"),
    "at": Say("评论时间"),
    "seen_at": Say("首次采到"),
    "last_seen": Say("最近采到"),
    "state": Say("状态"),
    "edited": Say("已修改"),
    "edited_at": Say("发现修改"),
    "earlier": Say("修改前内容"),
    "removed": Say("已删除"),
    "removed_at": Say("发现删除"),
    "removed_why": Say("删除依据"),
    "own": Say("本账号"),
}
STATES = {
    ReplyState.VISIBLE: Say("可见"),
    ReplyState.EDITED: Say("已修改"),
    ReplyState.REMOVED: Say("已删除"),
}
WHY = {
    "": Say(""),
    PLATFORM: Say("平台标明"),
    ABSENT: Say("连续两次完整采集未见"),
    ERASED: Say("依申请抹除"),
}


def taken_out(
    office: Office, actor: Actor, kind: str, unit_ids: Collection[int], **filters: Any
) -> IO[bytes]:
    """What `write` writes, as an open file at its beginning; to be closed by whoever asked.

    Before it leaves, the trail has who took it out, as what, by which filters, how many rows.
    """
    out = SpooledTemporaryFile(max_size=8 * 1024 * 1024)  # noqa: SIM115 - handed on open
    try:
        with office.db.read() as conn:
            count = write(office, conn, cast(BinaryIO, out), kind, unit_ids, **filters)
        with office.db.write() as conn:
            asked = _asked(conn, filters)
            now = office.db.now(conn)
            audit.write(
                conn, now, actor, "reply.export", "replies", kind=kind, rows=count, filters=asked
            )
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return cast(IO[bytes], out)


def _asked(conn: Connection, filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that were set. Words searched for may name a citizen: a salted digest of them."""
    asked = {key: _plain(value) for key, value in filters.items() if value not in (None, "")}
    if "words" in asked:
        salt = conn.execute(select(offices.c.salt)).scalar_one()
        asked["words"] = digest(salt, asked["words"])
    return asked


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def write(
    office: Office,
    conn: Connection,
    out: BinaryIO,
    kind: str,
    unit_ids: Collection[int],
    **filters: Any,
) -> int:
    """Write what `log.listing` finds with these filters, all of it, as one of bot.export.KINDS;
    give how many rows.

    JSON lines keep the codes of states; tables have them in words.
    """
    found = _Counted(rows(office, conn, unit_ids, **filters))
    export.write(out, kind, HEADS, found if kind == "jsonl" else map(_worded, found))
    return found.count


class _Counted:
    """Rows as they pass, and how many did."""

    def __init__(self, found: Iterator[dict[str, Any]]) -> None:
        self._found, self.count = found, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self._found:
            self.count += 1
            yield row


def rows(
    office: Office, conn: Connection, unit_ids: Collection[int], **filters: Any
) -> Iterator[dict[str, Any]]:
    """The rows of an export, keyed as HEADS; instants in the office's zone."""
    for page in log.pages(conn, unit_ids, **filters):
        yield from shaped(office, conn, page)


def shaped(
    office: Office, conn: Connection, page: Collection[RowMapping]
) -> Iterator[dict[str, Any]]:
    """Rows of the log as an export has them."""
    earlier = _earlier(conn, [row["id"] for row in page if row["version"] > 1])
    for row in page:
        yield _row(office, row, earlier[row["id"]])


def _earlier(conn: Connection, ids: Collection[int]) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    mine = select(reply_versions.c.reply_id, reply_versions.c.text).where(
        reply_versions.c.reply_id.in_(ids)
    )
    for reply, text in conn.execute(mine.order_by(reply_versions.c.number)):
        found[reply].append(text)
    return found


def _row(office: Office, row: RowMapping, earlier: list[str]) -> dict[str, Any]:
    values = {
        **row,
        "account": row["account_name"],
        "post": row["post_title"] or "",
        "reply": row["remote_id"],
        "author": row["author_name"],
        "earlier": earlier,
        "edited": row["edited_at"] is not None,
        "removed": row["state"] == ReplyState.REMOVED,
    }
    return {key: _here(office, values[key]) for key in HEADS}


def _here(office: Office, value: Any) -> Any:
    return value.astimezone(office.config.tz) if isinstance(value, datetime) else value


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "state": STATES[row["state"]], "removed_why": WHY[row["removed_why"]]}
