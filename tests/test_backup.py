"""Backup and restore: one picture, whole or not at all, and nothing moves by itself afterwards."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import insert, select, text, update

from bot import audit, catalog, collect, media, migrations, people, search
from bot.backup import backup, restore, verify_backup
from bot.config import load
from bot.config.parts import ScreeningPart
from bot.db import (
    Database,
    accounts,
    approvals,
    attempts,
    audit_heads,
    audits,
    deliveries,
    hosts,
    insert_id,
    items,
    metadata,
    notices,
    occurrences,
    offices,
    posts,
    renditions,
    replies,
    reply_versions,
    revisions,
    sessions,
    sources,
    standings,
    workers,
)
from bot.db import (
    holds as hold_rows,
)
from bot.db import people as persons
from bot.deliver import holds, plan, queue
from bot.errors import Conflict, GongkaiError, Invalid, NotAllowed
from bot.language import Say
from bot.model import (
    MACHINE,
    AccountState,
    DeliveryState,
    ItemState,
    Outcome,
    PostState,
    ReplyState,
    Right,
    Role,
)
from bot.office import Office
from bot.schedule import MISSED, PLANNED
from bot.workdays import FixedClock
from tests import builders, postgres
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server

S = DeliveryState
NOWHERE = "http://127.0.0.1:9"
CONFIG = (
    builders.CONFIG
    + """
[sources.gov]
unit = "county"
url = "feed.xml"
template = "notice"
accounts = ["m1"]
first_poll = "all"

[accounts.m1]
unit = "county"
adapter = "mastodon"
options = { url = "http://127.0.0.1:9" }
"""
)
Make = Callable[..., Office]


class Ground:
    """Where offices are made: in a folder each, on either database, all with one clock."""

    def __init__(self, folder: Path, migrated: Path, clock: FixedClock, stack: ExitStack) -> None:
        self.folder, self.migrated, self.clock, self.stack = folder, migrated, clock, stack
        self.made = 0

    def office(self, kind: str, keys: Path) -> Office:
        """A new, empty one, with the key of another where there is one."""
        self.made += 1
        folder = self.folder / f"office-{self.made}"
        (folder / "data").mkdir(parents=True)
        (folder / "config.toml").write_text(CONFIG, "utf-8")
        if keys.exists():
            shutil.copytree(keys, folder / "keys")
        database = Database(self._address(kind, folder / "data" / "gongkai.db"), self.clock)
        self.stack.callback(database.close)
        return Office(load(folder / "config.toml"), database)

    def _address(self, kind: str, file: Path) -> str:
        if kind == "sqlite":
            return f"sqlite:///{shutil.copy(self.migrated, file)}"
        try:
            return self.stack.enter_context(postgres.database())
        except postgres.Unavailable as why:
            pytest.skip(f"no PostgreSQL: {why}")


@pytest.fixture
def another(tmp_path: Path, clock: FixedClock, migrated: Path, office: Office) -> Iterator[Make]:
    """Makes a new, empty office beside `office`, with the same key unless said otherwise."""
    own = office.db.url.get_backend_name()
    with ExitStack() as stack:
        ground = Ground(tmp_path, migrated, clock, stack)
        yield lambda kind=own, key=True: ground.office(kind, tmp_path / ("keys" if key else "-"))


def rows(office: Office, query: Any) -> list[Any]:
    with office.db.read() as conn:
        return list(conn.execute(query).mappings())


def one(office: Office, query: Any) -> Any:
    (row,) = rows(office, query)
    return row


def picture(office: Office) -> dict[str, list[str]]:
    """Every row there is, to be held against another picture."""
    with office.db.read() as conn:
        return {
            name: sorted(map(repr, conn.execute(select(table))))
            for name, table in metadata.tables.items()
        }


def busy(office: Office) -> dict[str, int]:
    """An office in the middle of its day; give posts by what they are in the midst of."""
    builders.account(office, "m1", NOWHERE)
    builders.account(office, "m2", NOWHERE, 2)
    hour = timedelta(hours=1)
    now = builders.NOW
    office.db.clock.set(now)  # type: ignore[attr-defined]
    made = {
        name: builders.signed(office, ["m1"], f"云澜县通知：{name} 🏞️", go_at=now + after)
        for name, after in {
            "sent": hour,
            "sending": hour,
            "due": hour,
            "waiting": 30 * hour,
            "unclear": hour,
        }.items()
    }
    made["draft"] = builders.draft(office, ["m1", "m2"])
    made["fresh"] = builders.draft(office, ["m1"], "刚签发，还没有排入队列。", go_at=now + hour)
    builders.sign(office, made["fresh"])
    made["slot"] = builders.draft(office, ["m1"], "等候时段。")
    builders.sign(office, made["slot"])
    with office.db.write() as conn:
        conn.execute(update(posts).where(posts.c.id == made["slot"]).values(slot="daily"))
        ids = {name: _delivery(conn, post) for name, post in made.items()}
        values: dict[str, dict[str, Any]] = {
            "sent": {"state": S.SENT, "remote_id": "101", "sent_at": now, "due_at": None},
            "sending": {"state": S.SENDING, "lease": "held", "leased_until": now + hour},
            "unclear": {"state": S.UNCERTAIN, "due_at": now + hour},
            "waiting": {"staged": {"media": ["upload-1"], "until": None}},
        }
        for name, changes in values.items():
            conn.execute(update(deliveries).where(deliveries.c.id == ids[name]).values(**changes))
        begun = {"begun_at": now, "worker": "here:1:a"}
        conn.execute(insert(attempts).values(delivery_id=ids["sending"], **begun))
        _public(conn, now, ids["sent"], made["sent"])
        _catalogue(conn, now)
        _passing(conn, now)
        image = io.BytesIO()
        Image.new("RGB", (8, 6), "#1d5166").save(image, "PNG")
        media.take_picture(office.media, conn, now, image.getvalue(), "县城.png", "县城一角")
    with office.db.write() as conn:
        audit.seal(conn)
    with office.db.read() as conn:
        audit.anchor(conn, office.anchor, now)
    return made


def _delivery(conn: Any, post: int) -> int | None:
    return conn.execute(select(deliveries.c.id).where(deliveries.c.post_id == post)).scalar()  # type: ignore[no-any-return]


def _public(conn: Any, now: datetime, delivery: int | None, post: int) -> None:
    account = conn.execute(select(accounts.c.id).where(accounts.c.key == "m1")).scalar_one()
    seen = {"account_id": account, "post_id": post, "delivery_id": delivery, "at": now}
    seen |= {"seen_at": now, "last_seen": now, "state": ReplyState.VISIBLE, "salt": "s"}
    for n, words in enumerate(("停水到几点？", "路灯不亮，13800000000", "𠮷家村呢👨‍👩‍👧")):
        made = insert_id(conn, replies, {**seen, "remote_id": f"r{n}", "text": words})
        search.add(conn, [(made, words)])
    conn.execute(insert(reply_versions).values(reply_id=made, number=1, text="旧话", at=now))
    conn.execute(insert(hosts).values(host="m1", free_at=now))


def _catalogue(conn: Any, now: datetime) -> None:
    unit = conn.execute(select(accounts.c.unit_id).limit(1)).scalar_one()
    source = {"key": "gov", "unit_id": unit, "kind": "feed", "url": "feed.xml", "state": "active"}
    known = {"baseline_at": now, "etag": '"1"', "due_at": now, "lease": "x", "leased_until": now}
    made = insert_id(conn, sources, {**source, **known})
    signer = conn.execute(select(persons.c.id).where(persons.c.login == "lin")).scalar_one()
    trust = {"unit_id": unit, "source_id": made, "signer_id": signer, "daily_max": 5}
    conn.execute(insert(standings).values(begins=now, ends=now + timedelta(days=90), **trust))
    for days in (0, 1):
        at = now + timedelta(days=days, hours=1)
        row = {"schedule": "daily", "at": at, "state": PLANNED, "due_at": at}
        conn.execute(insert(occurrences).values(**row))


def _passing(conn: Any, now: datetime) -> None:
    """What belongs to a process or a browser, and ends with it."""
    person = conn.execute(select(persons.c.id).limit(1)).scalar_one()
    times = {"created_at": now, "seen_at": now, "ends_at": now}
    conn.execute(insert(sessions).values(id="cookie", person_id=person, **times))
    conn.execute(insert(workers).values(id="w", pid=1, host="h", started_at=now, beat_at=now))


def lines(path: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in members(path)[f"tables/{table}.jsonl"].splitlines()]


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


def manifest(path: Path) -> dict[str, Any]:
    return json.loads(members(path)["manifest.json"])  # type: ignore[no-any-return]


def packed(path: Path, content: Mapping[str, bytes], *more: tarfile.TarInfo) -> Path:
    """An archive of any members, in any order."""
    with tarfile.open(path, "w:gz") as tar:
        for name, value in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(value)
            tar.addfile(info, io.BytesIO(value))
        for info in more:
            tar.addfile(info)
    return path


def listed(content: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Members with a manifest that agrees with them, but for `changes`."""
    content = dict(content)
    stated = json.loads(content.pop("manifest.json"))
    stated["members"] = {
        name: {"sha256": hashlib.sha256(value).hexdigest(), "size": len(value)}
        for name, value in content.items()
    }
    content["manifest.json"] = json.dumps(stated | changes).encode()
    return content


# ---------------------------------------------------------------- what is in it


def test_it_holds_every_row_file_and_picture_but_no_secret_and_no_session(
    office: Office, tmp_path: Path
) -> None:
    busy(office)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "通知.txt").write_text("{{ title }}", "utf-8")
    office.erasures.write_text("{}\n")
    made = backup(office, tmp_path / "to" / "a.tar.gz")
    names = set(members(made.path))
    left = {"sessions", "workers", "tokens", "connectings"}
    kept = {f"tables/{t}.jsonl" for t in metadata.tables.keys() - left}
    picture_name = f"media/{one(office, select(metadata.tables['media']))['sha256']}"
    assert names == kept | {picture_name, "templates/通知.txt", "config.toml", "manifest.json"}
    whole = b"".join(members(made.path).values())
    assert (tmp_path / "keys" / "secret.key").read_bytes().strip() not in whole
    assert b"token-1" not in whole
    stated = manifest(made.path)
    assert stated["rows"]["posts"] == len(rows(office, select(posts)))
    assert stated["head"]["number"] == one(office, select(audit_heads))["number"] > 0
    assert made.path.stat().st_mode & 0o077 == 0
    assert "密钥" in str(made)
    assert "keys/secret.key" in str(made)
    entry = rows(office, select(audits).where(audits.c.verb == "office.backup"))
    assert (
        [e["data"]["backup"] for e in entry] == [made.digest] == [verify_backup(made.path).digest]
    )


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_picture_whose_file_is_gone_is_named_and_the_rest_is_saved(
    office: Office, tmp_path: Path
) -> None:
    busy(office)
    sha256 = one(office, select(metadata.tables["media"]))["sha256"]
    office.media.path(sha256).unlink()
    made = backup(office, tmp_path / "a.tar")
    assert made.manifest.missing == (sha256,)
    assert sha256[:12] in str(made)
    assert verify_backup(made.path).digest == made.digest


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_whose_name_no_archive_keeps_is_named_and_the_rest_is_saved(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "通知　一.txt").write_text("x", "utf-8")
    (tmp_path / "templates" / "two\nlines.txt").write_text("x", "utf-8")
    Path(os.fsdecode(bytes(tmp_path) + b"/templates/\xcd\xa8\xd0\xc5.txt")).write_text("x", "utf-8")
    made = backup(office, tmp_path / "a.tar.gz")
    assert [n for n in members(made.path) if n.startswith("temp")] == ["templates/通知　一.txt"]
    assert "改名" in str(made)
    assert verify_backup(made.path).digest == made.digest


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_only_an_archive_is_written_over(office: Office, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"\.tar"):
        backup(office, tmp_path / "config.toml")
    assert load(tmp_path / "config.toml").units
    target = tmp_path / "a.tar.gz"
    with pytest.raises(GongkaiError, match="没有写成"):
        backup(office, tmp_path / "config.toml" / "a.tar.gz")
    first = backup(office, target)
    assert backup(office, target).digest != first.digest
    assert verify_backup(target).digest != first.digest


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_store_of_another_schema_is_not_saved_as_this_one(office: Office, tmp_path: Path) -> None:
    with office.db.write() as conn:
        conn.execute(text("update alembic_version set version_num = '0000'"))
    with pytest.raises(Conflict, match="升级"):
        backup(office, tmp_path / "a.tar.gz")
    assert not list(tmp_path.glob("*a.tar*"))


# ---------------------------------------------------------------- one picture


def test_it_is_one_picture_while_others_write(office: Office, tmp_path: Path) -> None:
    builders.account(office, "m1", NOWHERE)
    _entry(office, 100)
    stop, written = threading.Event(), threading.Semaphore(0)

    def keep_writing() -> None:
        while not stop.is_set():
            _entry(office, 1)
            written.release()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    made = []
    try:
        for n in range(3):
            assert written.acquire(timeout=20)
            made.append(backup(office, tmp_path / f"{n}.tar.gz"))
    finally:
        stop.set()
        writer.join()
    for saved in made:
        rows_of = saved.manifest.rows
        assert rows_of["posts"] == rows_of["revisions"] == rows_of["deliveries"]
        there = {row["id"] for row in lines(saved.path, "posts")}
        assert {row["post_id"] for row in lines(saved.path, "deliveries")} == there
        sealed = [row for row in lines(saved.path, "audits") if row["number"]]
        head = max(sealed, key=lambda row: row["number"])
        assert (head["number"], head["digest"]) == (
            saved.manifest.head.number,
            saved.manifest.head.digest,
        )
    assert 100 < made[0].manifest.rows["posts"] <= made[1].manifest.rows["posts"]


def _entry(office: Office, n: int) -> None:
    """Posts with their deliveries and entries of the trail, in one transaction."""
    now = office.db.clock.now()
    with office.db.write() as conn:
        unit, account = conn.execute(select(accounts.c.unit_id, accounts.c.id)).one()
        for _ in range(n):
            values = {"unit_id": unit, "created_at": now, "changed_at": now, "title": "短讯" * 20}
            post = insert_id(conn, posts, values)
            revision = insert_id(conn, revisions, {"post_id": post, "number": 1, "at": now})
            part = {"account_id": account, "part": 0}
            rendition = insert_id(conn, renditions, {"revision_id": revision, **part})
            told = {"post_id": post, "revision_id": revision, "rendition_id": rendition, **part}
            told |= {"act": "publish", "state": S.SENT, "key": f"k{post}", "post_unit_id": unit}
            conn.execute(insert(deliveries).values(go_at=now, changed_at=now, **told))
            audit.write(conn, now, MACHINE, "post.create", f"post:{post}")
        audit.seal(conn)


# ---------------------------------------------------------------- from one database to another


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.postgres
def test_the_same_content_goes_from_sqlite_to_postgresql_and_back(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    digests = []
    for n, kind in enumerate(("sqlite", "postgresql", "sqlite", "postgresql")):
        file = backup(office, tmp_path / f"{n}.tar").path
        digests.append(
            {name: m["sha256"] for name, m in manifest(file)["members"].items() if "/" in name}
        )
        office = another(kind)
        restore(office, file)
    restored = digests[1:]  # the first restore made the changes that every restore makes
    changing = {f"tables/{t}.jsonl" for t in ("offices", "holds", "notices", "audits")}
    for before, after in pairwise(restored):
        assert {name for name in before if before[name] != after[name]} <= changing
        assert before.keys() == after.keys()
    assert digests[0]["tables/replies.jsonl"] == digests[-1]["tables/replies.jsonl"]
    assert digests[0]["tables/revisions.jsonl"] == digests[-1]["tables/revisions.jsonl"]


def test_new_rows_follow_the_restored_ones_and_the_replies_are_found(
    office: Office, another: Make, tmp_path: Path
) -> None:
    made = busy(office)
    other = another()
    restore(other, backup(office, tmp_path / "a.tar.gz").path)
    with other.db.write() as conn:
        people.readmit(conn, other.db.clock.now(), MACHINE, "zhou")
    assert builders.draft(other, ["m1"]) > max(made.values())
    with other.db.read() as conn:
        found = search.find(conn, select(replies.c.id), "路灯", 50)
        texts = select(replies.c.text).where(replies.c.id.in_(found))
        assert conn.execute(texts).scalars().all() == ["路灯不亮，13800000000"]
        picture_row = conn.execute(select(metadata.tables["media"])).mappings().one()
    assert len(other.media.read(picture_row["sha256"])) == picture_row["size"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.postgres
def test_what_postgresql_cannot_keep_becomes_a_mark_there_and_stays_in_sqlite(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    odd = {"nul": "a\0b", "half": "c\ud83dd", "\0": [1, None, {"x": "\ud83d\ude00"}]}
    with office.db.write() as conn:
        conn.execute(update(replies).where(replies.c.remote_id == "r0").values(text="零\0字节"))
        conn.execute(update(sources).values(error=odd))
    file = backup(office, tmp_path / "a.tar.gz").path
    stays, moved = another("sqlite"), another("postgresql")
    restore(stays, file)
    restore(moved, file)
    query = select(replies.c.text).where(replies.c.remote_id == "r0")
    assert one(stays, query)["text"] == "零\0字节"
    assert one(moved, query)["text"] == "零�字节"
    plain = {"nul": "a�b", "half": "c�d", "�": [1, None, {"x": "😀"}]}
    assert one(moved, select(sources.c.error))["error"] == plain


# ---------------------------------------------------------------- whole, or not at all

CHILD = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from bot.backup import backup, restore
from bot.config import load
from bot.db import Database
from bot.office import Office

what, config, url, file, words = sys.argv[1:]
office = Office(load(Path(config)), Database(url))

@event.listens_for(office.db.engine, "before_cursor_execute")
def die(conn, cursor, statement, *_):
    if statement.lower().startswith(words):
        os.kill(os.getpid(), signal.SIGKILL)

{"backup": backup, "restore": restore}[what](office, Path(file))
"""


def killed(what: str, office: Office, file: Path, words: str) -> None:
    """Do it in a process that is killed when it comes to a statement beginning with `words`."""
    url = office.db.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", CHILD, what, str(office.config.path), url, str(file), words]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_backup_killed_midway_leaves_the_one_before_and_is_swept_away(
    office: Office, tmp_path: Path
) -> None:
    busy(office)
    target = tmp_path / "to" / "a[1].tar.gz"
    before = backup(office, target)
    killed("backup", office, target, "select posts.id")
    assert verify_backup(target).digest == before.digest
    assert len(list(target.parent.iterdir())) == 2
    backup(office, target)
    assert list(target.parent.iterdir()) == [target]


def test_a_restore_killed_midway_leaves_the_store_as_it_was(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    other = another()
    before = picture(other)
    killed("restore", other, file, "update offices")
    assert picture(other) == before
    restore(other, file)
    assert rows(other, select(posts))


def test_it_is_refused_where_work_stands_and_while_a_worker_runs(
    office: Office, another: Make, clock: FixedClock, tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    other = another()
    restore(other, file)
    before = picture(other)
    with pytest.raises(Conflict, match="--replace"):
        restore(other, file)
    beat = {"id": "w", "host": "h", "pid": 1, "started_at": clock.now(), "beat_at": clock.now()}
    with other.db.write() as conn:
        conn.execute(insert(workers).values(**beat))
    with pytest.raises(Conflict, match="工作进程"):
        restore(other, file, replace=True)
    assert {t: r for t, r in picture(other).items() if t != "workers"} == {
        t: r for t, r in before.items() if t != "workers"
    }
    clock.move(60)
    restore(other, file, replace=True)
    assert not rows(other, select(workers))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_only_an_administrator_of_all_replaces_an_office(office: Office, tmp_path: Path) -> None:
    file = backup(office, tmp_path / "a.tar.gz").path
    with office.db.read() as conn:
        zhou, gu = builders.actor(conn, "zhou"), builders.actor(conn, "gu")
    with pytest.raises(NotAllowed):
        restore(office, file, replace=True, actor=zhou)
    restore(office, file, replace=True, actor=gu)
    entry = one(office, select(audits).where(audits.c.verb == "office.restore"))
    assert (entry["actor"], entry["person_id"]) == ("顾明", None)


def test_a_row_the_store_refuses_undoes_it_all(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    content = members(backup(office, tmp_path / "a.tar.gz").path)
    twice = content["tables/posts.jsonl"].splitlines(keepends=True)
    content["tables/posts.jsonl"] = b"".join([*twice, twice[0]])
    stated = json.loads(content["manifest.json"])["rows"] | {"posts": len(twice) + 1}
    other = another()
    before = picture(other)
    with pytest.raises(GongkaiError, match="数据未动"):
        restore(other, packed(tmp_path / "b.tar.gz", listed(content, rows=stated)))
    assert picture(other) == before


# ---------------------------------------------------------------- damage

Damage = Callable[[Path], str]


def _cut(share: float) -> Damage:
    def damage(file: Path) -> str:
        with file.open("r+b") as out:
            out.truncate(int(file.stat().st_size * share))
        return "读不下去|没有清单|没有备份"

    return damage


def _flip(share: float) -> Damage:
    def damage(file: Path) -> str:
        good = file.read_bytes()
        at = next(n for n in range(int(len(good) * share), len(good)) if _tells(good, n))
        file.write_bytes(_flipped(good, at))
        return "读不下去|校验码|不该有|清单"

    return damage


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def _tells(good: bytes, at: int) -> bool:
    """Among a tar's last zeros a byte may be flipped and all be unpacked as it was: no damage."""
    try:
        return gzip.decompress(_flipped(good, at)) != gzip.decompress(good)
    except (EOFError, OSError, zlib.error):
        return True


def _rewritten(change: Callable[[dict[str, bytes]], dict[str, bytes]], said: str) -> Damage:
    def damage(file: Path) -> str:
        packed(file, change(members(file)))
        return said

    return damage


def _without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda m: {k: v for k, v in m.items() if k != name}


def _with(**values: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    named = {k.replace("__", "/"): v for k, v in values.items()}
    return lambda m: (
        {k: v for k, v in m.items() if k != "manifest.json"}
        | named
        | {"manifest.json": m["manifest.json"]}
    )


def _fewer(m: dict[str, bytes]) -> dict[str, bytes]:
    short = m | {"tables/posts.jsonl": m["tables/posts.jsonl"].split(b"\n", 1)[1]}
    return listed(short)


def _reordered(m: dict[str, bytes]) -> dict[str, bytes]:
    return {"manifest.json": m["manifest.json"], **m}


def _appended(file: Path) -> str:
    with gzip.open(file, "ab") as out:
        out.write(b"more")
    return "结尾"


def _emptied(file: Path) -> str:
    file.write_bytes(b"")
    return "开头"


def _no_tar(file: Path) -> str:
    file.write_bytes(b"SQLite format 3\0" * 1000)
    return "开头"


DAMAGES: dict[str, Damage] = {
    **{f"cut at {share}": _cut(share) for share in (0.01, 0.4, 0.9, 0.999)},
    **{f"flipped at {share}": _flip(share) for share in (0.01, 0.2, 0.5, 0.8, 0.995)},
    "a changed member": _rewritten(_with(tables__people__jsonl=b""), "不该有"),
    "changed rows": _rewritten(
        lambda m: m | {"tables/people.jsonl": m["tables/people.jsonl"].replace(b"zhou", b"zhuo")},
        r"tables/people\.jsonl.*校验码",
    ),
    "a missing table": _rewritten(_without("tables/people.jsonl"), r"people\.jsonl.*文件里没有"),
    "a missing manifest": _rewritten(_without("manifest.json"), "没有清单"),
    "a file too many": _rewritten(_with(templates__extra=b"x"), "清单里没有"),
    "rows too few": _rewritten(_fewer, r"posts\.jsonl.*清单记"),
    "the manifest first": _rewritten(_reordered, "没有清单"),
    "a manifest that is none": _rewritten(lambda m: m | {"manifest.json": b"{}"}, "读不懂"),
    "more after its end": _appended,
    "an empty file": _emptied,
    "another file": _no_tar,
}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_damaged_backup_is_refused_and_nothing_is_changed(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    good = backup(office, tmp_path / "good.tar.gz").path
    other = another()
    before, files = picture(other), sorted(other.config.root.rglob("*"))
    for name, damage in DAMAGES.items():
        bad = Path(shutil.copy(good, tmp_path / "bad.tar.gz"))
        said = damage(bad)
        for act in (verify_backup, lambda path: restore(other, path, replace=True)):
            with pytest.raises(Invalid, match=said) as error:
                act(bad)
            assert "bad.tar.gz" in str(error.value), name
        assert picture(other) == before, name
    assert sorted(other.config.root.rglob("*")) == files


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/tmp/evil",
        "templates/../../evil",
        "templates/..",
        "templates/a/b",
        "schedules/.hidden",
        "templates\\..\\evil",
        "media/../evil",
        "tables/../evil.jsonl",
        "tables/posts.jsonl/../x",
        "data/gongkai.db",
    ],
)
def test_no_name_in_a_backup_leads_elsewhere(
    office: Office, another: Make, tmp_path: Path, name: str
) -> None:
    content = listed(members(backup(office, tmp_path / "a.tar.gz").path) | {name: b"evil"})
    bad = packed(tmp_path / "b.tar.gz", content)
    other = another()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Invalid, match="不该有"):
        restore(other, bad)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_links_and_doubles_in_a_backup_are_refused(office: Office, tmp_path: Path) -> None:
    content = members(backup(office, tmp_path / "a.tar.gz").path)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
        link = tarfile.TarInfo("templates/link")
        link.type, link.linkname = kind, "/etc/passwd"
        with pytest.raises(Invalid, match="不该有"):
            verify_backup(packed(tmp_path / "b.tar.gz", content, link))
    with pytest.raises(Invalid, match="重复"):
        verify_backup(packed(tmp_path / "b.tar.gz", content, tarfile.TarInfo("config.toml")))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_backup_that_is_not_there_is_told_so(office: Office, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="没有备份文件"):
        restore(office, tmp_path / "nowhere.tar.gz")


# ---------------------------------------------------------------- the schema moves on

SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.add_column("posts", sa.Column("words", sa.Integer))
    op.execute("update posts set words = length(title)")
"""


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, the program knows one revision more."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    second = f"{int(migrations.head()) + 1:04}"
    file = folder / "versions" / f"{second}_next.py"
    file.write_text(SECOND.replace("0002", second).replace("0001", migrations.head()))
    return lambda: monkeypatch.setattr(migrations, "HERE", folder)


def test_a_backup_of_an_older_schema_passes_through_the_migrations(
    office: Office, another: Make, newer: Callable[[], None], tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    other = another()
    newer()
    migrations.upgrade(other.db)
    restore(other, file)
    with other.db.read() as conn:
        assert migrations.stored(conn) == migrations.head()
        told = conn.execute(text("select title, words from posts")).all()
    assert told
    assert all(len(title) == words for title, words in told)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_backup_of_a_newer_schema_is_refused(
    office: Office,
    another: Make,
    newer: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    known, other = migrations.HERE, another()
    newer()
    migrations.upgrade(office.db)
    file = backup(office, tmp_path / "a.tar.gz").path
    monkeypatch.setattr(migrations, "HERE", known)
    before = picture(other)
    with pytest.raises(Invalid, match="较新的程序"):
        restore(other, file)
    assert picture(other) == before
    content = listed(members(file), format=2)
    with pytest.raises(Invalid, match="格式"):
        restore(other, packed(tmp_path / "b.tar.gz", content))


# ---------------------------------------------------------------- afterwards all is on hold


Restored = tuple[Office, dict[str, int], str]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def restored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Restored]:
    """A busy office's backup, restored two hours later; its posts by name, what was said.

    One for all the tests below, which look and do not touch.
    """
    folder, clock = tmp_path_factory.mktemp("restored"), FixedClock(builders.NOW)
    with ExitStack() as stack:
        ground = Ground(folder, migrated, clock, stack)
        office = ground.office(request.param, folder / "-")
        with office.db.write() as conn:
            builders.unit(conn, "county")
            builders.person(conn, "zhou", "周文", Role.EDITOR)
            builders.person(conn, "lin", "林岚", Role.SIGNER)
        made = busy(office)
        file = backup(office, folder / "a.tar.gz").path
        clock.move(7200)
        other = ground.office(request.param, office.config.root / "keys")
        yield other, made, str(restore(other, file))


def test_everything_is_on_hold_with_the_reason(restored: Restored) -> None:
    other, _, said = restored
    hold = one(other, select(hold_rows))
    assert hold["scope"] == "all"
    assert hold["reason"] == "恢复自 2026-11-24 09:00 的备份，核对各账号的时间线后再解除"
    assert hold["reason"] in said
    assert one(other, select(offices.c.restored_at))["restored_at"] == other.db.clock.now()
    told = [r["key"] for r in rows(other, select(notices).where(notices.c.closed_at.is_(None)))]
    assert f"hold:{hold['id']}" in told


def test_what_may_have_gone_since_is_uncertain_and_a_persons(restored: Restored) -> None:
    other, made, said = restored
    states = {
        name: (row["state"], row["due_at"])
        for name, post in made.items()
        for row in builders.sent_to(other, post)
    }
    assert states["sent"] == (S.SENT, None)
    for name in ("sending", "due", "unclear"):
        assert states[name] == (S.UNCERTAIN, None), name
    assert states["waiting"][0] == S.READY
    assert states["waiting"][1] is not None
    assert builders.only(other, made["waiting"])["staged"] is None
    (attempt,) = builders.attempts_at(other, builders.only(other, made["sending"])["id"])
    assert (attempt["outcome"], attempt["ended_at"]) == (Outcome.UNKNOWN, other.db.clock.now())
    assert "2 条投递" in said
    reason = builders.only(other, made["due"])["reason"]
    assert "可能已发" in str(Say.of(reason))
    with other.db.read() as conn:
        units = set(conn.execute(select(accounts.c.unit_id)).scalars())
        waiting = queue.listing(conn, units, state="person")
    assert {row["post_id"] for row in waiting} == {made[n] for n in ("sending", "due", "unclear")}


def test_what_was_signed_and_not_planned_must_be_signed_again(restored: Restored) -> None:
    other, made, said = restored
    for name in ("fresh", "slot"):
        post = one(other, select(posts).where(posts.c.id == made[name]))
        assert (post["state"], post["due_at"]) == (PostState.DRAFT, None), name
        assert "可能已发" in str(Say.of(post["returned"]))
        approval = one(other, select(approvals).where(approvals.c.post_id == made[name]))
        assert approval["voided_at"] == other.db.clock.now()
    assert plan.plan_due(other) == 0
    assert "2 篇" in said


def test_nobody_is_let_in_before_he_is_readmitted(
    office: Office, another: Make, clock: FixedClock, tmp_path: Path
) -> None:
    with office.db.write() as conn:
        builders.person(conn, "gone", "旧员", Role.SIGNER)
        gu = builders.actor(conn, "gu")
        people.disable(conn, clock.now(), gu, "gone")
    file = backup(office, tmp_path / "a.tar.gz").path
    with office.db.write() as conn:
        people.disable(conn, clock.now(), gu, "lin")
    other = another()
    told = str(restore(other, file))
    assert "3 人暂不能登录" in told
    with other.db.write() as conn:
        unit = people.unit_of(conn, "county")["id"]
        assert not any(people.able(conn, right, unit) for right in Right)
        for login in ("gu", "lin", "gone"):
            assert not people.matches(people.by_login(conn, login), builders.PASSWORD)
        with pytest.raises(Conflict, match="gongkai user readmit lin"):
            people.disable(conn, clock.now(), MACHINE, "lin", disabled=False)
        with pytest.raises(Conflict, match="待核准"):
            people.readmit(conn, clock.now(), MACHINE, "gone")
        password = people.readmit(conn, clock.now(), MACHINE, "gu")
        back = people.by_login(conn, "gu")
        assert people.matches(back, password)
        assert back["must_change"]
        assert people.may(conn, gu, Right.ADMIN, unit)
        people.disable(conn, clock.now(), gu, "lin")
        with pytest.raises(Conflict, match="待核准"):
            people.readmit(conn, clock.now(), gu, "lin")


def test_occurrences_since_are_missed_and_standing_sign_offs_sleep(restored: Restored) -> None:
    other, _, said = restored
    found = rows(other, select(occurrences).order_by(occurrences.c.at))
    assert [row["state"] for row in found] == [MISSED, PLANNED]
    assert found[0]["due_at"] is None
    assert one(other, select(standings.c.asleep))["asleep"] is True
    assert "1 个期次" in said
    assert "1 个常设签发" in said


def test_nobody_holds_a_row_and_nobody_is_logged_in(restored: Restored) -> None:
    other, _, _ = restored
    assert not rows(other, select(sessions))
    assert not rows(other, select(workers))
    for table in metadata.tables.values():
        if "lease" in table.c:
            held = select(table).where(table.c.lease.is_not(None))
            assert not rows(other, held), table.name


def test_the_trail_holds_after_a_restore_and_says_so(restored: Restored) -> None:
    other, _, _ = restored
    with other.db.write() as conn:
        audit.seal(conn)
    with other.db.read() as conn:
        verified = audit.verify(conn, audit.anchors(other.anchor))
        verbs = set(conn.execute(select(audits.c.verb)).scalars())
    assert verified.faults == ()
    assert (verified.unsealed, verified.anchored, verified.restored) == (0, 1, 1)
    assert {"office.restore", "hold"} <= verbs


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_anchors_of_the_trail_a_restore_replaced_are_over(
    office: Office, clock: FixedClock, tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    builders.draft(office, ["m1"])
    with office.db.write() as conn:
        audit.seal(conn)
        conn.execute(update(workers).values(stopped_at=clock.now()))
    with office.db.read() as conn:
        audit.anchor(conn, office.anchor, clock.now())
    restore(office, file, replace=True)
    with office.db.write() as conn:
        audit.seal(conn)
    with office.db.read() as conn:
        assert audit.verify(conn, audit.anchors(office.anchor)).faults == ()
        replaced = select(audits.c.data).where(audits.c.verb == "office.restore")
        told = conn.execute(replaced).scalar_one()
    assert told["replaced"] > told["head"]
    with office.db.write() as conn:  # a rewrite of what stands is found all the same
        conn.execute(update(audits).where(audits.c.number == 1).values(actor="别人"))
    with office.db.read() as conn:
        assert audit.verify(conn, audit.anchors(office.anchor)).faults


FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>公开</title><link>http://www.example.gov.cn/</link>{}</channel></rss>"""
ITEM = (
    "<item><title>关于{0}的通知</title><link>http://www.example.gov.cn/{0}.html</link>"
    "<guid>http://www.example.gov.cn/{0}.html</guid></item>"
)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_first_reading_of_a_source_is_a_baseline_and_the_next_is_not(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    other = another()
    assert "1 个来源" in str(restore(other, backup(office, tmp_path / "a.tar.gz").path))
    feed = other.config.root / "feed.xml"
    feed.write_text(FEED.format("".join(ITEM.format(n) for n in (2, 1))), "utf-8")
    assert asyncio.run(catalog.poll_due(other)) == 1
    assert {r["state"] for r in rows(other, select(items))} == {ItemState.SKIPPED}
    told = select(notices).where(notices.c.key.startswith("baseline:"))
    assert "2 条" in str(Say.of(one(other, told)["say"]))
    source = one(other, select(sources))
    assert (source["baseline_at"], source["baseline_only"]) == (other.db.clock.now(), False)
    feed.write_text(FEED.format("".join(ITEM.format(n) for n in (3, 2, 1))), "utf-8")
    with other.db.write() as conn:
        conn.execute(update(sources).values(due_at=other.db.clock.now()))
    assert asyncio.run(catalog.poll_due(other)) == 1
    new = select(items).where(items.c.state == ItemState.NEW)
    assert one(other, new)["title"] == "关于3的通知"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_account_whose_credential_cannot_be_opened_here_is_broken(
    office: Office, another: Make, tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    bare, mixed = another(key=False), another(key=False)
    mixed.secrets.seal("makes a key of its own")
    for other in (bare, mixed):
        assert "m1、m2" in str(restore(other, file))
        assert {r["state"] for r in rows(other, select(accounts))} == {AccountState.BROKEN}
    assert not (bare.config.root / "keys").exists()
    whole = another()
    restore(whole, file)
    assert {r["state"] for r in rows(whole, select(accounts))} == {AccountState.ACTIVE}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_files_of_the_office_are_put_back_and_never_written_over(
    office: Office, another: Make, tmp_path: Path
) -> None:
    for name, words in {"templates/通知.txt": "旧", "schedules/daily.toml": "x"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(words, "utf-8")
    file = backup(office, tmp_path / "a.tar.gz").path
    other = another()
    root = other.config.root
    (root / "templates").mkdir()
    (root / "templates" / "通知.txt").write_text("新", "utf-8")
    said = str(restore(other, file))
    assert (root / "templates" / "通知.txt").read_text("utf-8") == "新"
    assert (root / "schedules" / "daily.toml").read_text("utf-8") == "x"
    (aside,) = root.glob("restored-*")
    assert (aside / "templates" / "通知.txt").read_text("utf-8") == "旧"
    assert (aside / "config.toml").read_text("utf-8") == builders.CONFIG
    assert not (aside / "schedules").exists()
    assert "templates/通知.txt" in said


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_word_lists_and_leaders_come_back_where_they_are_declared(
    office: Office, another: Make, tmp_path: Path
) -> None:
    part = ScreeningPart(lists=("words/own.txt",), leaders="leaders.txt")

    def worded(of: Office) -> Office:
        return Office(of.config.model_copy(update={"screening": part}), of.db)

    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "own.txt").write_text("旧称\n", "utf-8")
    (tmp_path / "leaders.txt").write_text("张三\n", "utf-8")
    file = backup(worded(office), tmp_path / "a.tar.gz").path
    other = worded(another())
    root = other.config.root
    (root / "leaders.txt").write_text("李四\n", "utf-8")
    restore(other, file)
    assert (root / "words" / "own.txt").read_text("utf-8") == "旧称\n"
    assert (root / "leaders.txt").read_text("utf-8") == "李四\n", "what stands is left"
    (aside,) = root.glob("restored-*/words/*")
    assert aside.read_text("utf-8") == "张三\n"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_was_erased_since_is_erased_again(
    office: Office, another: Make, clock: FixedClock, tmp_path: Path
) -> None:
    busy(office)
    file = backup(office, tmp_path / "a.tar.gz").path
    with office.db.write() as conn:
        reply = select(replies.c.id).where(replies.c.remote_id == "r1")
        row = conn.execute(reply).scalar_one()
        collect.erase(office, conn, clock.now(), MACHINE, row, "本人申请")
    other = another()
    other.erasures.parent.mkdir()
    shutil.copy(office.erasures, other.erasures)
    assert "备份之后抹除过的 1 条评论，已重新抹除" in str(restore(other, file))
    assert one(other, select(replies).where(replies.c.remote_id == "r1"))["text"] == ""
    with other.db.read() as conn:
        assert not conn.execute(search.narrowed(conn, select(replies.c.id), "路灯")).all()


# ---------------------------------------------------------------- and nothing bursts


def test_nothing_is_sent_after_a_restore_until_a_person_says_so(
    office: Office,
    another: Make,
    platform: tuple[Mastodon, Server],
    clock: FixedClock,
    tmp_path: Path,
) -> None:
    fake, server = platform
    builders.account(office, "m1", server.url)
    soon, tomorrow = clock.now() + timedelta(minutes=10), clock.now() + timedelta(hours=20)
    before = builders.signed(office, ["m1"], "备份之前已发。")
    builders.work(office)
    lost = builders.signed(office, ["m1"], "备份之后发出。", go_at=soon)
    unsent = builders.signed(office, ["m1"], "备份之后取消。", go_at=soon)
    later = builders.signed(office, ["m1"], "明天再发。", go_at=tomorrow)
    file = backup(office, tmp_path / "a.tar.gz").path
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        queue.cancel(conn, clock.now(), lin, _delivery(conn, unsent) or 0)
    clock.move(900)
    builders.work(office)
    stand = ["备份之前已发。", "备份之后发出。"]
    assert [p["text"] for p in fake.posts()] == stand

    other = another()
    restore(other, file)
    builders.work(other)
    assert [p["text"] for p in fake.posts()] == stand
    with other.db.write() as conn:
        people.readmit(conn, clock.now(), MACHINE, "lin")
        holds.resume(conn, clock.now(), lin, one(other, select(hold_rows))["id"])
    builders.work(other)
    clock.move(60)
    builders.work(other)
    assert [p["text"] for p in fake.posts()] == stand

    with (
        other.db.write() as conn
    ):  # the platform is asked about the one, a person knows of the other
        queue.look_again(conn, clock.now(), lin, builders.only(other, lost)["id"])
        queue.confirm_absent(other, conn, clock.now(), lin, builders.only(other, unsent)["id"])
    builders.work(other)
    assert builders.only(other, lost)["state"] == S.SENT
    assert builders.only(other, lost)["remote_id"] == builders.only(office, lost)["remote_id"]
    clock.set(tomorrow + timedelta(seconds=1))
    builders.work(other)
    builders.work(other)
    assert [p["text"] for p in fake.posts()] == [*stand, "备份之后取消。", "明天再发。"]
    assert builders.only(other, before)["state"] == builders.only(other, later)["state"] == S.SENT
