"""留痕: every act, written with the act, then numbered and chained.

`write` adds an entry inside the transaction of the act itself. A sealer numbers the committed
entries and chains each to the one before (it locks the chain's head, so numbers are unique and
without gaps). The head is anchored outside the store. `verify` finds a change, a gap, a reordering,
or a rewrite that an anchor contradicts. Entries hold ids and digests, never a citizen's words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    func,
    insert,
    select,
    update,
)

from bot import outside
from bot.db import audit_heads, audits, micros
from bot.language import Say
from bot.model import Actor, canonical

START = "0" * 64
_HEAD = select(audit_heads).where(audit_heads.c.id == 1)


def write(
    conn: Connection, now: datetime, actor: Actor, verb: str, subject: str, **data: Any
) -> None:
    """Record that `actor` did `verb` ("post.pass") to `subject` ("post:12"), with ids in `data`."""
    write_many(conn, [entry(now, actor, verb, subject, **data)])


def entry(now: datetime, actor: Actor, verb: str, subject: str, **data: Any) -> dict[str, Any]:
    """The row `write_many` takes."""
    return {
        "at": now,
        "person_id": actor.person,
        "actor": actor.name,
        "origin": actor.origin,
        "verb": verb,
        "subject": subject,
        "data": data,
    }


def write_many(conn: Connection, entries: list[dict[str, Any]]) -> None:
    if entries:
        conn.execute(insert(audits), entries)


# ---------------------------------------------------------------- sealing


def seal(conn: Connection, limit: int = 1000) -> int:
    """Number and chain up to `limit` committed entries; give how many were sealed."""
    head = conn.execute(_HEAD.with_for_update()).mappings().one()
    rows = conn.execute(
        select(audits).where(audits.c.number.is_(None)).order_by(audits.c.id).limit(limit)
    ).mappings()
    number, digest, sealed = head["number"], head["digest"], []
    for row in rows:
        number, previous = number + 1, digest
        digest = chained(previous, number, row)
        sealed.append({"row": row["id"], "n": number, "before": previous, "hash": digest})
    if sealed:
        mine = update(audits).where(audits.c.id == bindparam("row"))
        conn.execute(
            mine.values(
                number=bindparam("n"), previous=bindparam("before"), digest=bindparam("hash")
            ),
            sealed,
        )
        conn.execute(update(audit_heads).values(number=number, digest=digest))
    return len(sealed)


def unsealed(conn: Connection) -> bool:
    """Is there an entry to seal?"""
    return conn.execute(_UNSEALED).first() is not None


_UNSEALED = select(audits.c.id).where(audits.c.number.is_(None)).limit(1)


def chained(previous: str, number: int, row: RowMapping) -> str:
    """The digest of an entry: of its number, its content and the digest before it."""
    content = {
        "number": number,
        "at": micros(row["at"]),
        "person": row["person_id"],
        "actor": row["actor"],
        "origin": row["origin"],
        "verb": row["verb"],
        "subject": row["subject"],
        "data": row["data"],
    }
    return hashlib.sha256((previous + canonical(content)).encode()).hexdigest()


def anchor(conn: Connection, file: Path, now: datetime, *, restored: bool = False) -> bool:
    """Append the head to an append-only file outside the store. False: nothing new to anchor.

    `restored`: the trail has just been put back to here; what was anchored beyond is over.
    """
    head = conn.execute(_HEAD).mappings().one()
    last = anchors(file)[-1:]
    known = not head["number"] or (last and last[0]["number"] == head["number"])
    if known and not restored:
        return False
    values = {"at": now.isoformat(), "number": head["number"], "digest": head["digest"]}
    outside.append(file, values | ({"restored": True} if restored else {}))
    return True


def anchors(file: Path) -> list[dict[str, Any]]:
    """What was anchored of the trail that stands, oldest first; a torn last line is left out.

    A line of a restore puts what was anchored beyond it out of force; `verify` asks the trail
    whether there was one.
    """
    found: list[dict[str, Any]] = []
    for one in outside.lines(file):
        if one.get("restored"):
            found = [before for before in found if before["number"] < one["number"]]
        found.append(one)
    return [one for one in found if one["number"] or one.get("restored")]


# ---------------------------------------------------------------- verifying


@dataclass(frozen=True)
class Verified:
    """What `verify` saw; `faults` empty means that nothing speaks against what could be checked."""

    sealed: int
    unsealed: int  # not numbered yet: nothing to hold these against
    anchored: int
    covered: int  # the last entry that an anchor vouches for
    anchored_at: datetime | None  # when that was anchored
    restored: int  # restores of a backup that the trail itself tells of
    faults: tuple[Say, ...]

    @property
    def whole(self) -> bool:
        """Was every entry there is held against the chain, and the chain against an anchor?"""
        return not self.faults and 0 < self.sealed == self.covered and not self.unsealed

    def verdict(self) -> Say:
        """In one sentence: whether it holds, and for how much of it that can be said."""
        if self.faults:
            return Say("发现 {n} 处不符", n=len(self.faults))
        if not self.sealed:
            return Say("没有可核验的：还没有一条编号成链")
        if self.whole:
            return Say("全链完好：{n} 条都在链上，也都有库外存证", n=self.sealed)
        return Say("能核验的部分完好；有的还不能核验，见下")

    def says(self, zone: tzinfo) -> tuple[Say, ...]:
        """What was checked, and what could not be."""
        checked = Say(
            "共 {all} 条：{n} 条已编号，逐条与链相对；{m} 条待编号，没有核验",
            all=self.sealed + self.unsealed,
            n=self.sealed,
            m=self.unsealed,
        )
        restored = Say("其间恢复备份 {n} 次", n=self.restored)
        return (checked, self._outside(zone), *([restored] if self.restored else []))

    def _outside(self, zone: tzinfo) -> Say:
        """What the anchors vouch for."""
        if self.anchored_at is None:
            return Say("没有相符的库外存证：若整条链被重写，这里看不出来")
        return Say(
            "与库外存证相符 {n} 处，最新一处存于 {at}，证到第 {m} 条；其后 {k} 条只与链相对",
            n=self.anchored,
            at=f"{self.anchored_at.astimezone(zone):%Y-%m-%d %H:%M}",
            m=self.covered,
            k=max(self.sealed - self.covered, 0),
        )

    def json(self) -> dict[str, Any]:
        return {
            "sealed": self.sealed,
            "unsealed": self.unsealed,
            "anchored": self.anchored,
            "covered": self.covered,
            "anchored_at": self.anchored_at.isoformat() if self.anchored_at else None,
            "restored": self.restored,
            "faults": [str(f) for f in self.faults],
        }


def verify(conn: Connection, anchored: Iterable[Mapping[str, Any]] = ()) -> Verified:
    """Walk the whole chain and hold it against the anchors."""
    anchored = list(anchored)
    wanted: dict[int, set[str]] = {}
    for one in anchored:
        if one["number"]:
            wanted.setdefault(one["number"], set()).add(one["digest"])
    restored, faults = _restores(conn, anchored)
    number, digest, met, begun = 0, START, list[int](), None
    try:
        for row in conn.execute(_SEALED).mappings():
            faults += _against_chain(row, number, digest)
            begun = begun or row["at"].isoformat()
            number, digest = row["number"], row["digest"] or ""
            if number in wanted and wanted[number] == {digest}:
                del wanted[number]
                met.append(number)
    except (ValueError, TypeError, OverflowError):  # what stands there is no entry any more
        faults.append(Say("第 {n} 条之后有一条读不出来：内容被破坏", n=number))
    ends = {one["number"]: str(one["at"]) for one in anchored}
    covered = max(met, default=0)
    faults += [_unanchored(n, ends[n], begun) for n in sorted(wanted)]
    faults += _against_head(conn, number, digest)
    unsealed = select(func.count()).select_from(audits).where(audits.c.number.is_(None))
    waiting = conn.execute(unsealed).scalar_one()
    seen = number, waiting, len(met), covered, _instant(ends.get(covered)), restored
    return Verified(*seen, tuple(faults))


def _instant(said: str | None) -> datetime | None:
    """As an anchor has it; None where nobody can read it."""
    try:
        return datetime.fromisoformat(said or "")
    except ValueError:
        return None


def _unanchored(number: int, at: str, begun: str | None) -> Say:
    """Why the anchor of `at` is not met, in a trail that began at `begun`."""
    if begun and at < begun:
        return Say(
            "第 {n} 条的库外存证（{at}）早于本库的第一条留痕：库是后来新建的。"
            "若确是重新开始，请把存证文件移走保存；否则请恢复备份",
            n=number,
            at=at[:16].replace("T", " ") + "Z",
        )
    return Say("第 {n} 条与库外存证不符：留痕被重写或截断", n=number)


def _restores(conn: Connection, anchored: Iterable[Mapping[str, Any]]) -> tuple[int, list[Say]]:
    """How many restores the trail tells of; and those that only the anchors tell of, which put
    earlier anchors out of force for nothing."""
    told = select(audits.c.number, audits.c.data).where(audits.c.verb == "office.restore")
    entries, faults = [], []
    with suppress(ValueError, TypeError, AttributeError):  # unreadable: the walk says so
        entries = [(number, data.get("head")) for number, data in conn.execute(told)]
    for one in anchored:
        at = one["number"]
        known = any(head == at and (n is None or n > at) for n, head in entries)
        if one.get("restored") and not known:
            forged = Say(
                "库外存证记有一次恢复（到第 {n} 条），留痕里没有：存证是伪造的，或留痕被改写", n=at
            )
            faults.append(forged)
    return len(entries), faults


_SEALED = (
    select(audits)
    .where(audits.c.number.is_not(None))
    .order_by(audits.c.number)
    .execution_options(yield_per=1000)
)


def _against_chain(row: RowMapping, number: int, digest: str) -> list[Say]:
    faults = []
    if row["number"] != number + 1:
        faults.append(Say("第 {a} 条之后缺到第 {b} 条", a=number, b=row["number"]))
    if row["previous"] != digest or row["digest"] != chained(digest, row["number"], row):
        faults.append(Say("第 {n} 条与链不符：内容或次序被改动", n=row["number"]))
    return faults


def _against_head(conn: Connection, number: int, digest: str) -> list[Say]:
    head = conn.execute(_HEAD).mappings().first()
    if head is None:
        return [Say("链头不在库里：留痕被破坏")]
    if (head["number"], head["digest"]) == (number, digest):
        return []
    return [Say("链头记到第 {a} 条，实有 {b} 条", a=head["number"], b=number)]
