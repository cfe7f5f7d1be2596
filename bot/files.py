"""Files of the office's own that are changed at the console too: templates, word lists, leaders.

Whoever changes one sends back the digest of what he read: where the file is another by now, nothing
is written and nothing of his is lost. What stood there before is kept in the media store under its
digest, and the trail says who put what in its place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, RowMapping, func, select

from bot import audit, people
from bot.config import read_text
from bot.db import audits, insert_missing, lock, media, units
from bot.errors import ConfigError, Conflict, Invalid, NotFound, reason_of
from bot.language import Say
from bot.model import Actor, Right
from bot.office import Office

LARGEST = 4 * 1024 * 1024  # bytes


class Changed(Conflict):
    """Somebody else wrote the file since it was read."""


@dataclass(frozen=True)
class File:
    """A file as it stands. `digest` is of its text; "" where there is no such file yet."""

    path: Path
    text: str
    digest: str
    locked: Say | None  # why it cannot be changed here

    def expect(self, digest: str) -> None:
        """Raises Changed where it is another than was read as `digest`."""
        if self.digest != digest:
            raise Changed(
                Say(
                    "{file} 刚被别人改过；您的改动没有存，也没有丢，请比较后再存",
                    file=self.path.name,
                )
            )


def read(path: Path) -> File:
    """Raises ConfigError where it is there and cannot be read."""
    if not path.exists():
        return File(path, "", "", _locked(path))
    text = read_text(path)
    return File(path, text, digest_of(text), _locked(path))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tidied(text: str) -> str:
    """A text as a file keeps it: line ends as one character, one at the end."""
    text = text.removeprefix("\ufeff").replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.rstrip("\n") + "\n"


def _locked(path: Path) -> Say | None:
    real = path.resolve()
    if not real.parent.is_dir():
        return Say("没有文件夹 {folder}", folder=str(real.parent))
    if not os.access(real.parent, os.W_OK) or (real.exists() and not os.access(real, os.W_OK)):
        return Say("程序对 {file} 没有写的权限，只能在服务器上改", file=str(path))
    return None


def change(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    subject: str,
    path: Path,
    text: str,
    digest: str,
) -> str:
    """Put `text` in the place of what was read as `digest`; give its own digest.

    `subject`: the trail's name for the file ("template:notice"). The file is whole, the one or the
    other, at every moment. Raises NotAllowed, Changed, Conflict (not to be written), Invalid.
    """
    people.require_everywhere(conn, actor, Right.ADMIN)
    text = tidied(text)
    if len(text.encode()) > LARGEST:
        raise Invalid("{file} 超过 {n} MB", file=path.name, n=LARGEST >> 20)
    _alone(conn)
    before = read(path)
    before.expect(digest)
    if text == before.text:
        return digest
    if before.locked:
        raise Conflict(before.locked)
    made = digest_of(text)
    keep(office, conn, now, [before.text] * bool(before.digest) + [text], path.name)
    kind = subject.partition(":")[0]
    audit.write(conn, now, actor, f"{kind}.save", subject, before=before.digest, digest=made)
    _replace(path.resolve(), text)
    return made


def _alone(conn: Connection) -> None:
    """Of those that would change a file the others wait: reading and replacing is one step."""
    first = conn.execute(select(func.min(units.c.id))).scalar()
    lock(conn, units, [first] if first is not None else [])


def keep(office: Office, conn: Connection, now: datetime, texts: list[str], name: str) -> None:
    """Into the store, under their digests; a backup holds them."""
    for text in texts:
        content = text.encode()
        row = {"sha256": office.media.write(content), "kind": "text/plain", "size": len(content)}
        insert_missing(conn, media, [{**row, "width": 0, "height": 0, "name": name, "at": now}])


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Conflict("没能写 {file}：{why}", file=path.name, why=reason_of(error)) from None


# ---------------------------------------------------------------- what stood there before


def history(conn: Connection, subject: str, limit: int = 50) -> list[RowMapping]:
    """Who changed it when, the newest first: `at`, `actor`, `data` with `before` and `digest`."""
    query = select(audits.c.id, audits.c.at, audits.c.actor, audits.c.data).where(
        audits.c.subject == subject, audits.c.verb.endswith(".save")
    )
    return list(conn.execute(query.order_by(audits.c.id.desc()).limit(limit)).mappings())


def earlier(office: Office, conn: Connection, subject: str, digest: str) -> str:
    """What the file said at some time, by its digest. Raises NotFound."""
    known = history(conn, subject, 10_000)
    if digest not in {one["data"].get(name) for one in known for name in ("before", "digest")}:
        raise NotFound("没有这一版")
    return office.media.read(digest).decode()


def read_or_say(path: Path) -> tuple[File | None, Say | None]:
    """The file, or why it cannot be read."""
    try:
        return read(path), None
    except ConfigError as error:
        return None, error.say
