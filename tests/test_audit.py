"""The trail: written with the act, numbered without gaps, and what each kind of forgery leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from bot import audit
from bot.db import Database, audit_heads, audits
from bot.model import MACHINE, Actor, Role
from tests.builders import NOW

ZHOU = Actor(1, "周文", "10.0.0.8")
number = audits.c.number


def act(database: Database, *verbs: str) -> None:
    with database.write() as conn:
        for verb in verbs:
            audit.write(conn, NOW, ZHOU, verb, "post:12", revision=3, 理由="错字")


def seal(database: Database, limit: int = 1000) -> int:
    with database.write() as conn:
        return audit.seal(conn, limit)


def anchor(database: Database, file: Path) -> bool:
    with database.read() as conn:
        return audit.anchor(conn, file, NOW)


def verify(database: Database, file: Path | None = None) -> audit.Verified:
    with database.read() as conn:
        return audit.verify(conn, audit.anchors(file) if file else ())


def sealed(database: Database, entries: int) -> None:
    act(database, *(f"post.{n}" for n in range(1, entries + 1)))
    assert seal(database) == entries


def faults(database: Database, file: Path | None = None) -> list[str]:
    return [str(fault) for fault in verify(database, file).faults]


# ---------------------------------------------------------------- writing and sealing


def test_an_entry_holds_who_what_which_when_and_from_where(database: Database) -> None:
    act(database, "post.pass")
    with database.read() as conn:
        row = conn.execute(select(audits)).mappings().one()
    assert (row["person_id"], row["actor"], row["origin"]) == (1, "周文", "10.0.0.8")
    assert (row["verb"], row["subject"], row["at"]) == ("post.pass", "post:12", NOW)
    assert row["data"] == {"revision": 3, "理由": "错字"}
    assert row["number"] is None


def test_an_entry_stands_or_falls_with_its_act(database: Database) -> None:
    def fails() -> None:
        with database.write() as conn:
            audit.write(conn, NOW, MACHINE, "post.send", "post:1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert verify(database).unsealed == 0


def test_sealing_numbers_in_order_and_a_little_at_a_time(database: Database) -> None:
    act(database, "a", "b", "c", "d", "e")
    assert [seal(database, 2) for _ in range(4)] == [2, 2, 1, 0]
    with database.read() as conn:
        rows = conn.execute(select(number, audits.c.verb).order_by(number)).all()
        head = conn.execute(select(audit_heads)).mappings().one()
    assert rows == [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]
    assert head["number"] == 5
    assert not faults(database)


def test_what_waits_for_sealing_is_counted(database: Database) -> None:
    sealed(database, 2)
    act(database, "later")
    seen = verify(database)
    assert (seen.sealed, seen.unsealed, seen.faults) == (2, 1, ())
    counted = {"sealed": 2, "unsealed": 1, "anchored": 0, "covered": 0, "restored": 0}
    assert seen.json() == counted | {"anchored_at": None, "faults": []}
    with database.read() as conn:
        assert audit.unsealed(conn)


def test_an_empty_trail_holds(database: Database) -> None:
    assert seal(database) == 0
    assert verify(database) == audit.Verified(0, 0, 0, 0, None, 0, ())


def test_sealers_and_writers_at_once_give_each_number_once(database: Database) -> None:
    def write(n: int) -> None:
        act(database, *[f"w{n}"] * 5)

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, n) for n in range(30)]
        sealing = [pool.submit(seal, database, 7) for _ in range(30)]
        assert all(done.result(60) is None for done in writing)
        assert all(done.result(60) >= 0 for done in sealing)
    while seal(database):
        pass
    seen = verify(database)
    assert (seen.sealed, seen.unsealed, seen.faults) == (150, 0, ())


def test_what_json_makes_of_a_value_is_what_is_chained(database: Database) -> None:
    data = {"role": Role.EDITOR, "多": ["字", 1.5, 10**15, None, True], "嵌": {"b": 1, "a": 2.0}}
    with database.write() as conn:
        audit.write(conn, NOW, MACHINE, "person.add", "person:1", **data)
    seal(database)
    assert not faults(database)


# ---------------------------------------------------------------- forgeries the chain shows


def change(column: str, value: Any) -> Callable[[Connection], None]:
    def forge(conn: Connection) -> None:
        conn.execute(update(audits).where(number == 3).values({column: value}))

    return forge


CHANGES = {
    "at": NOW + timedelta(microseconds=1),
    "person_id": 2,
    "actor": "林岚",
    "origin": "cli",
    "verb": "post.return",
    "subject": "post:13",
    "data": {"revision": 4},
    "digest": "f" * 64,
    "previous": "f" * 64,
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_entry_shows(database: Database, column: str) -> None:
    sealed(database, 5)
    with database.write() as conn:
        change(column, CHANGES[column])(conn)
    found = faults(database)
    assert "第 3 条与链不符：内容或次序被改动" in found
    assert len(found) <= 2  # the entries after it are not blamed too


def gap(conn: Connection) -> None:
    conn.execute(delete(audits).where(number == 3))


def closed_gap(conn: Connection) -> None:
    gap(conn)
    for n in (4, 5):
        conn.execute(update(audits).where(number == n).values(number=n - 1))
    conn.execute(update(audit_heads).values(number=4))


def swapped(conn: Connection) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        conn.execute(update(audits).where(number == old).values(number=new))


def cut(conn: Connection) -> None:
    conn.execute(delete(audits).where(number > 3))


def slipped_in(conn: Connection) -> None:
    head = conn.execute(select(audit_heads)).mappings().one()
    conn.execute(
        insert(audits).values(
            **audit.entry(NOW, ZHOU, "post.pass", "post:1"),
            number=6,
            previous=head["digest"],
            digest="e" * 64,
        )
    )


def unsealed_again(conn: Connection) -> None:
    conn.execute(update(audits).where(number == 3).values(number=None, previous=None, digest=None))


def head_gone(conn: Connection) -> None:
    conn.execute(delete(audit_heads))


def digests_gone(conn: Connection) -> None:
    conn.execute(update(audits).values(digest=None, previous=None))


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (gap, "第 2 条之后缺到第 4 条"),
        (closed_gap, "第 3 条与链不符"),
        (swapped, "第 3 条与链不符"),
        (cut, "链头记到第 5 条，实有 3 条"),
        (slipped_in, "第 6 条与链不符"),
        (unsealed_again, "第 2 条之后缺到第 4 条"),
        (head_gone, "链头不在库里"),
        (digests_gone, "第 1 条与链不符"),
    ],
)
def test_a_forgery_shows(
    database: Database, forge: Callable[[Connection], None], said: str
) -> None:
    sealed(database, 5)
    with database.write() as conn:
        forge(conn)
    assert any(fault.startswith(said) for fault in faults(database)), faults(database)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("forged", ["data = '{broken'", "at = 9e18", "at = 'yesterday'"])
def test_an_entry_that_cannot_be_read_any_more_shows(database: Database, forged: str) -> None:
    sealed(database, 5)
    with database.write() as conn:
        conn.execute(text(f"update audits set {forged} where number = 3"))
    assert "第 2 条之后有一条读不出来：内容被破坏" in faults(database)


# ---------------------------------------------------------------- forgeries only an anchor shows


def rewritten(conn: Connection, start: int) -> None:
    """From `start` on: new content, and a chain made right again, as whoever holds the store can."""
    before = select(audits.c.digest).where(number == start - 1)
    digest = conn.execute(before).scalar() or audit.START
    conn.execute(update(audits).where(number >= start).values(actor="无人"))
    rows = conn.execute(select(audits).where(number >= start).order_by(number)).mappings().all()
    for row in rows:
        previous, digest = digest, audit.chained(digest, row["number"], row)
        mine = update(audits).where(audits.c.id == row["id"])
        conn.execute(mine.values(previous=previous, digest=digest))
    conn.execute(update(audit_heads).values(number=len(rows) + start - 1, digest=digest))


def truncated(conn: Connection, after: int) -> None:
    digest = conn.execute(select(audits.c.digest).where(number == after)).scalar() or audit.START
    conn.execute(delete(audits).where(number > after))
    conn.execute(update(audit_heads).values(number=after, digest=digest))


def test_a_rewritten_chain_is_contradicted_by_its_anchor(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "anchors" / "audit.log"
    sealed(database, 5)
    assert anchor(database, file)
    sealed(database, 2)
    assert verify(database, file).anchored == 1
    with database.write() as conn:
        rewritten(conn, 4)
    assert faults(database) == []
    assert faults(database, file) == ["第 5 条与库外存证不符：留痕被重写或截断"]


def test_a_rewrite_after_the_last_anchor_stays_unseen(database: Database, tmp_path: Path) -> None:
    """What an anchor is for, and its limit: hence daily."""
    file = tmp_path / "audit.log"
    sealed(database, 5)
    anchor(database, file)
    sealed(database, 2)
    with database.write() as conn:
        rewritten(conn, 6)
    assert faults(database, file) == []


def test_a_truncated_chain_is_contradicted_by_its_anchor(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "audit.log"
    sealed(database, 5)
    anchor(database, file)
    with database.write() as conn:
        truncated(conn, 3)
    assert faults(database) == []
    assert faults(database, file) == ["第 5 条与库外存证不符：留痕被重写或截断"]


def test_anchors_of_a_store_before_this_one_are_told_as_that(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "anchors.log"
    sealed(database, 3)
    with database.write() as conn:
        audit.anchor(conn, file, NOW - timedelta(days=1))
        conn.execute(update(audits).where(number == 3).values(digest="0" * 64))
    [said] = [fault for fault in faults(database, file) if "存证" in fault]
    assert "库是后来新建的" in said
    assert f"{NOW - timedelta(days=1):%Y-%m-%d %H:%M}Z" in said


def test_an_anchor_is_not_talked_out_of_by_a_later_one(database: Database, tmp_path: Path) -> None:
    """Truncated, anchored there, grown again to the old length and anchored once more."""
    file = tmp_path / "audit.log"
    sealed(database, 5)
    anchor(database, file)
    with database.write() as conn:
        truncated(conn, 3)
    anchor(database, file)
    act(database, "other", "words")
    seal(database)
    anchor(database, file)
    assert [one["number"] for one in audit.anchors(file)] == [5, 3, 5]
    assert faults(database, file) == ["第 5 条与库外存证不符：留痕被重写或截断"]


# ---------------------------------------------------------------- the anchors' file


def test_a_head_is_anchored_once(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    assert not anchor(database, file)  # nothing is sealed yet
    sealed(database, 2)
    assert [anchor(database, file), anchor(database, file)] == [True, False]
    sealed(database, 1)
    assert anchor(database, file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == [2, 3]
    assert lines[0]["at"] == NOW.isoformat()


def test_a_torn_line_costs_neither_those_before_nor_the_next(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "audit.log"
    sealed(database, 1)
    anchor(database, file)
    with file.open("a") as out:
        out.write('{"at":"2026-11-2')
    assert [one["number"] for one in audit.anchors(file)] == [1]
    sealed(database, 1)
    anchor(database, file)
    assert [one["number"] for one in audit.anchors(file)] == [1, 2]
    assert faults(database, file) == []


def test_the_trail_goes_on_from_where_it_was_put_back_to(
    database: Database, tmp_path: Path
) -> None:
    """A restore is no forgery, but it is written down beside the anchors it takes back."""
    file = tmp_path / "audit.log"
    sealed(database, 5)
    anchor(database, file)
    with database.write() as conn:
        truncated(conn, 3)
    with database.write() as conn:
        audit.write(conn, NOW, ZHOU, "office.restore", "office:1", backup="x", head=3)
    with database.read() as conn:
        assert audit.anchor(conn, file, NOW, restored=True)
    assert faults(database, file) == [], "its entry is not sealed yet"
    seal(database)
    sealed(database, 4)
    anchor(database, file)
    assert faults(database, file) == []
    assert (verify(database, file).anchored, verify(database, file).restored) == (2, 1)
    assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize("back_to", [3, 0])
def test_a_forged_restore_among_the_anchors_is_found(
    database: Database, tmp_path: Path, back_to: int
) -> None:
    """Whoever cut the trail cannot excuse it by a line in the file of anchors."""
    file = tmp_path / "audit.log"
    sealed(database, 5)
    anchor(database, file)
    with database.write() as conn:
        truncated(conn, back_to)
    with database.read() as conn:
        audit.anchor(conn, file, NOW, restored=True)
    (said,) = faults(database, file)
    assert f"一次恢复（到第 {back_to} 条）" in said
    with database.write() as conn:  # nor by an entry about another restore
        audit.write(conn, NOW, ZHOU, "office.restore", "office:1", backup="x", head=1)
    assert len(faults(database, file)) == 1
