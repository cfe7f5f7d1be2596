"""A restore: all of it or nothing, and afterwards everything is on hold.

The store is made anew at the revision the backup was taken at, filled, and brought to the head from
there. Rows of an older schema thus pass through the same migrations as a store that was never lost;
putting them straight into the newer tables would skip whatever a migration does to rows. It is all
one transaction, media and files before its end: a restore cut off anywhere is made good by doing it
again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, MetaData, func, insert, select
from sqlalchemy.exc import CompileError, DBAPIError

from bot import audit, erasures, people
from bot.backup import aftermath
from bot.backup.archive import (
    CONFIG,
    MANIFEST,
    Manifest,
    Summary,
    checked,
    damaged,
    read,
    table_of,
    word_files,
)
from bot.collect import replay_erasures
from bot.db import audit_heads, board_posts, disk_full, items, posts, replies, units
from bot.deliver.queue import workers_alive
from bot.errors import Conflict, GongkaiError, Invalid
from bot.language import Say
from bot.migrations import head
from bot.migrations.anew import alone, blank, filled, revisions, storable, stored
from bot.model import MACHINE, Actor, Right
from bot.office import Office

BATCH = 1000
WORK = {"items": items, "posts": posts, "replies": replies, "board_posts": board_posts}


def restore(
    office: Office, path: Path, *, replace: bool = False, actor: Actor = MACHINE
) -> Summary:
    """Put a backup into the office's store, then stop everything.

    An empty store, unless `replace`; never while a worker runs. The backup is read whole first: a
    damaged one changes nothing. Raises Invalid, Conflict, NotAllowed, GongkaiError.
    """
    manifest, digest = checked(path)
    if manifest.revision not in revisions():
        raise Invalid(
            "备份 {file} 的数据版本 {at} 比本程序认识的 {known} 新；请改用较新的程序",
            file=path.name,
            at=manifest.revision,
            known=head(),
        )
    loading = _Loading(office, path, manifest)
    try:
        with alone(office.db) as conn:
            now = office.db.now(conn)
            replaced = _replaced(conn, now, actor, replace)
            tables = blank(conn, manifest.revision)
            loading.load(conn, tables)
            filled(conn, office.db, tables)
            said = aftermath.hold_back(office, conn, now, manifest.taken, actor.name)
            said += _erased(office, conn, now)
            data = {"backup": digest, "head": manifest.head.number, "replaced": replaced}
            shell = Actor(None, actor.name, actor.origin)
            audit.write(conn, now, shell, "office.restore", "office:1", **data)
    except (DBAPIError, OSError) as error:
        raise _undone(error) from error
    _anchor(office, now)
    return Summary(path, manifest, digest, (_told(office, path, manifest), *loading.said, *said))


def _undone(error: DBAPIError | OSError) -> GongkaiError:
    why = Say("磁盘已满") if disk_full(error) else str(getattr(error, "orig", error)).strip()
    return GongkaiError("没有恢复，数据未动：{why}", why=why)


def _told(office: Office, path: Path, manifest: Manifest) -> Say:
    return Say(
        "已恢复 {file}：{taken} 的备份，{rows} 行，素材 {media} 件",
        file=path.name,
        taken=f"{manifest.taken.astimezone(office.config.tz):%Y-%m-%d %H:%M:%S}",
        rows=sum(manifest.rows.values()),
        media=manifest.rows["media"] - len(manifest.missing),
    )


def _anchor(office: Office, now: datetime) -> None:
    """Outside the store it is noted that the trail goes on from here."""
    with office.db.read() as conn:
        audit.anchor(conn, office.anchor, now, restored=True)


def _erased(office: Office, conn: Connection, now: datetime) -> list[Say]:
    said = []
    if n := replay_erasures(office, conn, now):
        said.append(Say("备份之后抹除过的 {n} 条评论，已重新抹除", n=n))
    if n := erasures.replay_board(office.erasures, conn, now):
        said.append(Say("备份之后在公开栏删除或隐藏的 {n} 条留言，已照样处理", n=n))
    return said


# ---------------------------------------------------------------- may it be


def _replaced(conn: Connection, now: datetime, actor: Actor, replace: bool) -> int:
    """How far the trail of the store that goes was sealed. Raises Conflict, NotAllowed."""
    if stored(conn) is None:
        return 0
    if actor.person is not None:
        for root in conn.execute(select(units.c.id).where(units.c.parent_id.is_(None))).scalars():
            people.require(conn, actor, Right.ADMIN, root)
    if workers_alive(conn, now):
        raise Conflict("有工作进程在运行，先停下它再恢复；刚停的请等半分钟")
    held = {name: conn.execute(select(func.count(t.c.id))).scalar_one() for name, t in WORK.items()}
    if not replace and any(held.values()):
        raise Conflict(
            "这里已有数据（稿件 {posts} 篇，条目 {items} 个，评论 {replies} 条），没有恢复；"
            "确要全部换成备份里的，先另存一份现有的（gongkai backup），再加 --replace",
            **held,
        )
    return int(conn.execute(select(audit_heads.c.number)).scalar_one())


# ---------------------------------------------------------------- loading


@dataclass
class _Loading:
    """The second reading of the archive, each member held against the manifest once more."""

    office: Office
    path: Path
    manifest: Manifest
    said: list[Say] = field(default_factory=list)

    def load(self, conn: Connection, tables: MetaData) -> None:
        """Media, rows and files, as they come. Raises Invalid."""

        def use(name: str, content: IO[bytes]) -> None:
            kind, _, rest = name.partition("/")
            if kind == "media":
                self.office.media.write(content.read())
            elif kind == "tables":
                self._rows(conn, tables, name, content)
            elif name != MANIFEST:
                self._file(name, kind, rest, content.read())

        found = read(self.path, use)
        del found[MANIFEST]
        if found != self.manifest.members:
            raise damaged(self.path, Say("全文"), Say("恢复途中文件被改动"))

    def _rows(self, conn: Connection, tables: MetaData, name: str, content: IO[bytes]) -> None:
        table = tables.tables.get(table_of(name))
        if table is None:
            raise damaged(self.path, name, Say("数据库里没有这个表"))
        try:
            for batch in _batches(conn, content):
                conn.execute(insert(table), batch)
        except (ValueError, TypeError, CompileError) as error:
            raise damaged(self.path, name, Say("读不懂：{why}", why=str(error))) from None

    def _file(self, name: str, kind: str, rest: str, content: bytes) -> None:
        """Put where nothing stands; what stands and differs is left, the other laid beside."""
        config = self.office.config
        folders = {"templates": config.templates, "schedules": config.schedules}
        aside = config.root / f"restored-{self.manifest.taken:%Y%m%d-%H%M%S}" / name
        place = config.path if name == CONFIG else word_files(config).get(name, aside)
        if kind in folders:
            place = config.place(folders[kind]) / rest
        if not place.exists():
            _put(place, content)
            self.said.append(Say("已放回 {name}", name=name))
        elif place.read_bytes() != content:
            _put(aside, content)
            beside = str(aside.relative_to(config.root))
            kept = Say(
                "{name} 与备份里的不同，保留现有的；备份里的放在 {beside}，请比较",
                name=name,
                beside=beside,
            )
            self.said.append(kept)


def _put(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def _batches(conn: Connection, lines: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    batch = []
    for line in lines:
        batch.append(_row(conn, line))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(conn: Connection, line: bytes) -> dict[str, Any]:
    """A NUL or half a surrogate pair stands in JSON only as an escape."""
    strange = b"\\u0000" in line or b"\\ud" in line
    row: dict[str, Any] = storable(conn, json.loads(line)) if strange else json.loads(line)
    return row
