"""A backup is a picture of one instant, taken while the office runs.

Every row is read inside one transaction that sees that instant only, so that each delivery's post
is there and the trail's head fits its entries. Rows pass through; never are all held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Table, select, type_coerce

from bot import audit
from bot.backup.archive import (
    CONFIG,
    FORMAT,
    MANIFEST,
    Head,
    Manifest,
    Summary,
    Writer,
    nameable,
    word_files,
    writing,
)
from bot.db import Instant, audit_heads, disk_full, media, metadata
from bot.errors import Conflict, GongkaiError, Invalid, NotFound, reason_of
from bot.language import Say
from bot.migrations import head, stored
from bot.model import MACHINE, Actor, canonical
from bot.office import Office

# They end with the process they belong to; which tokens were revoked since is not known afterwards.
LEFT_OUT = frozenset({"sessions", "workers", "tokens", "connectings"})
BATCH = 1000


def backup(office: Office, target: Path, *, actor: Actor = MACHINE) -> Summary:
    """Save the office at `target`, which is replaced only by a whole file.

    Not in it: the secrets' key, the anchors, the log of erasures, logins and
    tokens that stand. The trail
    keeps the digest. Raises Invalid, Conflict (the schema is not up to date), GongkaiError.
    """
    try:
        with writing(target) as out, office.db.read() as conn:
            manifest = _save(office, conn, out)
            digest = out.add(MANIFEST, manifest.model_dump_json(indent=1).encode())
    except OSError as error:
        why = Say("磁盘已满") if disk_full(error) else reason_of(error)
        raise GongkaiError("备份没有写成 {file}：{why}", file=target.name, why=why) from None
    with office.db.write() as conn:
        now = office.db.now(conn)
        audit.write(conn, now, actor, "office.backup", "office:1", backup=digest)
    return Summary(target, manifest, digest, tuple(_said(office, target, manifest, digest)))


def _save(office: Office, conn: Connection, out: Writer) -> Manifest:
    at = stored(conn)
    if at != head():
        raise Conflict("数据库还在版本 {at}，请先升级到 {head} 再备份", at=str(at), head=head())
    taken = office.db.now(conn)
    sealed = conn.execute(select(audit_heads)).mappings().one()
    missing = _save_media(office, conn, out)
    rows = {
        name: out.add_lines(f"tables/{name}.jsonl", _lines(conn, table))
        for name, table in sorted(metadata.tables.items())
        if name not in LEFT_OUT
    }
    _save_files(office, out)
    return Manifest(
        format=FORMAT,
        revision=head(),
        taken=taken,
        head=Head(number=sealed["number"], digest=sealed["digest"]),
        rows=rows,
        missing=tuple(missing),
        members=out.members,
    )


def _save_media(office: Office, conn: Connection, out: Writer) -> list[str]:
    """Give those whose file is not there or damaged: the rest is worth keeping all the same."""
    missing = []
    for sha256 in conn.execute(select(media.c.sha256).order_by(media.c.sha256)).scalars().all():
        try:
            out.add(f"media/{sha256}", office.media.read(sha256))
        except (NotFound, Invalid):
            missing.append(sha256)
    return missing


def _lines(conn: Connection, table: Table) -> Iterator[bytes]:
    columns = [
        type_coerce(c, BigInteger).label(c.name) if isinstance(c.type, Instant) else c
        for c in table.c
    ]
    query = select(*columns).order_by(*table.primary_key)
    names = list(table.c.keys())
    for row in conn.execute(query, execution_options={"yield_per": BATCH}):
        yield _line(dict(zip(names, row, strict=True)))


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return canonical(row).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, inside a JSON column
        return json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _save_files(office: Office, out: Writer) -> None:
    for name, file in _files(office):
        if nameable(name):
            out.add(name, file.read_bytes())
    out.add(CONFIG, office.config.path.read_bytes())


def _files(office: Office) -> Iterator[tuple[str, Path]]:
    """The templates, schedules and words that the office edits, under their names as members."""
    config = office.config
    yield from ((n, file) for n, file in word_files(config).items() if file.is_file())
    for name, folder in (("templates", config.templates), ("schedules", config.schedules)):
        for file in sorted(config.place(folder).glob("[!.]*")):
            if file.is_file():
                yield f"{name}/{file.name}", file


# ---------------------------------------------------------------- telling


def _said(office: Office, target: Path, manifest: Manifest, digest: str) -> Iterator[Say]:
    config = office.config
    yield Say(
        "备份已写到 {file}：{rows} 行，素材 {media} 件，{size} MB，校验码 {digest}",
        file=str(target),
        rows=sum(manifest.rows.values()),
        media=manifest.rows["media"] - len(manifest.missing),
        size=round(target.stat().st_size / 1e6, 1),
        digest=digest[:16],
    )
    yield Say(
        "备份里没有密钥 {key}、库外存证 {anchor}、删除记录和登录会话。"
        "密钥请另行保管：没有它，恢复后须重新连接各账号",
        key=config.secret_key_file,
        anchor=config.audit.anchor,
    )
    outside = [part.token_file for part in config.accounts.values() if part.token_file]
    outside += [config.database.url_file] if config.database.url_file else []
    if outside:
        yield Say("这些文件也不在备份里，请另行保管：{files}", files="、".join(outside))
    if office.db.url.password and not config.database.url_file:
        yield Say("config.toml 里写着数据库口令，备份含有这个文件，请按口令保管")
    if odd := [name for name, _ in _files(office) if not nameable(name)]:
        names = "、".join(name.encode("utf-8", "replace").decode() for name in odd)
        yield Say("这些文件名不能存进备份，请改名后再备份一次：{names}", names=names)
    if manifest.missing:
        names = "、".join(name[:12] for name in manifest.missing)
        yield Say("素材 {names} 的文件缺失或损坏，没有存进备份", names=names)
