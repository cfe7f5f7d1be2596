"""Whose turn a step is, and in whose name he may pass it: his own, or that of who named him.

The rules hold of both persons: neither the one who signs nor the one he signs for wrote the
revision or passed an earlier step of it, in person or through another (norms.md §9: one person
holds no two steps). Whom somebody acts for is looked at when he signs, not when he was named: who
lost the right since, has it no more to lend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, select

from bot import people
from bot.config import Step
from bot.db import accounts, delegations, lock, posts, revisions, signoffs, units
from bot.db import people as persons
from bot.errors import NotAllowed
from bot.language import Say
from bot.model import Actor, PostState, Right, Verdict
from bot.office import Office
from bot.review.steps import EMERGENCY_STEPS, LAST


@dataclass(frozen=True)
class Turn:
    """A step that waits: which, at whose units, and who cannot pass it any more."""

    post_id: int
    number: int
    step: Step
    units: frozenset[int]  # the post's, and those whose accounts would speak
    authors: frozenset[int]
    passed: frozenset[int]  # since it was last returned; who acted and for whom


@dataclass(frozen=True)
class Behalf:
    """Somebody who named the one who signs to act in his place, by a delegation that stands."""

    delegation: int
    giver: int
    login: str
    name: str
    steps: frozenset[str]
    units: frozenset[int]
    ends: datetime
    reason: str


Names = tuple[Behalf | None, ...]  # None: one's own


def in_name(actor: Actor, behalf: Behalf | None) -> str | Say:
    """Who signs, in words: “沈棠 代 林岚”."""
    if behalf is None:
        return actor.name
    return Say("{who} 代 {giver}", who=actor.name, giver=behalf.name)


# ---------------------------------------------------------------- the steps that wait


def turns(office: Office, conn: Connection, *where: Any) -> list[Turn]:
    """The waiting steps of posts, the most urgent first: a few statements, however many there are."""
    names = ("id", "unit_id", "step", "emergency", "revision_id", "accounts")
    query = select(*(posts.c[name] for name in names), units.c.key).join(units)
    order = (posts.c.emergency.desc(), func.coalesce(posts.c.go_at, posts.c.changed_at))
    rows = conn.execute(query.where(*where).order_by(*order)).mappings().all()
    if not rows:
        return []
    owners: dict[int, int] = dict(conn.execute(select(accounts.c.id, accounts.c.unit_id)).all())
    ids = [row["revision_id"] for row in rows]
    wrote, passed = authors(conn, ids), _passed(conn, ids)
    return [
        Turn(
            row["id"],
            *_step(office, row),
            frozenset({row["unit_id"], *(owners[a] for a in row["accounts"] or () if a in owners)}),
            frozenset(wrote.get(row["revision_id"], ())),
            frozenset(passed.get(row["revision_id"], ())),
        )
        for row in rows
    ]


def _step(office: Office, row: RowMapping) -> tuple[int, Step]:
    """The step that waits (steps_of, for a row that carries its unit's key)."""
    part = office.config.units.get(row["key"])
    steps = EMERGENCY_STEPS if row["emergency"] else part.steps if part else LAST
    number = min(row["step"], len(steps) - 1)
    return number, steps[number]


def authors(conn: Connection, ids: Sequence[int]) -> dict[int, set[int]]:
    """Who wrote what would be sent: a revision that changes nothing of it, another time say, has
    its maker and the author of the one before."""
    here, alike = revisions.alias("here"), revisions.alias("alike")
    same = and_(alike.c.post_id == here.c.post_id, alike.c.digest == here.c.digest)
    query = select(here.c.id, alike.c.author_id).join(alike, same).where(here.c.id.in_(ids))
    return _gathered(conn.execute(query.where(alike.c.author_id.is_not(None))).all())


def _passed(conn: Connection, ids: Sequence[int]) -> dict[int, set[int]]:
    returned = signoffs.alias("returned")
    since = select(func.coalesce(func.max(returned.c.id), 0)).where(
        returned.c.revision_id == signoffs.c.revision_id, returned.c.verdict == Verdict.RETURN
    )
    query = select(signoffs.c.revision_id, signoffs.c.person_id, signoffs.c.behalf_id).where(
        signoffs.c.revision_id.in_(ids),
        signoffs.c.verdict == Verdict.PASS,
        signoffs.c.id > since.scalar_subquery(),
    )
    rows = conn.execute(query).all()
    return _gathered([(r, who) for r, *both in rows for who in both if who is not None])


def _gathered(pairs: Sequence[Any]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return found


# ---------------------------------------------------------------- who stands before them


class Signer:
    """One person before the steps that wait: in whose names he may pass which."""

    def __init__(self, office: Office, conn: Connection, now: datetime, actor: Actor) -> None:
        self.actor = actor
        self.able = people.everyone(conn)
        self.behalves = behalves(conn, now, actor)
        self.bare = office.config.people.totp == "signers" and _without_code(conn, actor)

    def names(self, turn: Turn) -> Names:
        """In whose names he may pass it, his own first."""
        return tuple(n for n in (None, *self.behalves) if self.refusal(turn, n) is None)

    def refusal(self, turn: Turn, behalf: Behalf | None) -> Say | None:
        """Why he may not pass it in this name; None where he may."""
        own = self.actor.person
        if behalf is None and not self._holds(own, turn):
            return people.lacking(self.actor.name, turn.step.right)
        if behalf is not None and (why := self._unlent(turn, behalf)):
            return why
        if own in turn.authors:
            return Say("拟稿人不能审签自己的稿件，请由他人办理")
        if own in turn.passed:
            return Say("您已审过这一版的前一步，下一步须由他人办理")
        return None

    def _unlent(self, turn: Turn, behalf: Behalf) -> Say | None:
        """Why who named him cannot lend what this step takes."""
        if turn.step.name not in behalf.steps or not turn.units <= behalf.units:
            return Say("“{step}”不在{who}委托您代签的范围内", step=turn.step.name, who=behalf.name)
        if not all(self.actor.person in self.able(Right.READ, unit) for unit in turn.units):
            return people.lacking(self.actor.name, Right.READ)
        if not self._holds(behalf.giver, turn):
            right = people.WORDS[turn.step.right]
            return Say("{who}已没有“{what}”的权限，不能再由人代签", who=behalf.name, what=right)
        if behalf.giver in turn.authors:
            return Say("{who}是拟稿人，他的稿件也不能由人代签", who=behalf.name)
        if behalf.giver in turn.passed:
            return Say("{who}已审过这一版的前一步，不能再由人代签下一步", who=behalf.name)
        if self.bare and turn.step.right is Right.SIGN:
            return Say("签发须先登记动态口令，代签也一样：请到“我的”页登记")
        return None

    def _holds(self, person: int | None, turn: Turn) -> bool:
        return all(person in self.able(turn.step.right, unit) for unit in turn.units)


def behalves(conn: Connection, now: datetime, actor: Actor) -> list[Behalf]:
    """Who named this person to act in his place, now."""
    query = select(delegations, persons.c.login, persons.c.name).join(
        persons, persons.c.id == delegations.c.giver_id
    )
    mine = query.where(delegations.c.taker_id == actor.person, *in_force(now))
    return [
        Behalf(
            row["id"],
            row["giver_id"],
            row["login"],
            row["name"],
            frozenset(row["steps"]),
            frozenset(people.below(conn, row["unit_id"])),
            row["ends"],
            row["reason"],
        )
        for row in conn.execute(mine.order_by(delegations.c.id)).mappings()
    ]


def in_force(now: datetime) -> tuple[Any, ...]:
    """Which delegations are in force."""
    begun = delegations.c.begins <= now
    return begun, delegations.c.ends > now, delegations.c.ended_at.is_(None)


def _without_code(conn: Connection, actor: Actor) -> bool:
    query = select(persons.c.totp_at).where(persons.c.id == actor.person)
    return conn.execute(query).scalar() is None


# ---------------------------------------------------------------- asked of one post, or of all


def waiting(office: Office, conn: Connection, actor: Actor) -> dict[int, Names]:
    """The posts whose next step this person may pass now, the most urgent first, each with the
    names he may pass it in."""
    found = turns(office, conn, posts.c.state == PostState.IN_REVIEW)
    if not found or actor.person is None:
        return {}
    signer = Signer(office, conn, office.db.now(conn), actor)
    return {turn.post_id: names for turn in found if (names := signer.names(turn))}


def names_for(office: Office, conn: Connection, actor: Actor, post: RowMapping) -> Names:
    """The names in which this person may pass the step that waits; empty: he may not."""
    turn = _turn(office, conn, post)
    return Signer(office, conn, office.db.now(conn), actor).names(turn)


def why_not(office: Office, conn: Connection, actor: Actor, post: RowMapping) -> Say | None:
    """Why this person may not pass the step that waits; None where he may, in whatever name."""
    turn = _turn(office, conn, post)
    signer = Signer(office, conn, office.db.now(conn), actor)
    if signer.names(turn):
        return None
    told = [signer.refusal(turn, name) for name in signer.behalves if turn.step.name in name.steps]
    return told[0] if told else signer.refusal(turn, None)


def may_sign(office: Office, conn: Connection, actor: Actor, post: RowMapping) -> bool:
    """May this person pass the step that waits?"""
    return bool(names_for(office, conn, actor, post))


def require_signer(
    office: Office, conn: Connection, actor: Actor, post: RowMapping, behalf: str = ""
) -> tuple[Turn, Behalf | None]:
    """The step that waits, if this person may pass it in his own name or in that of login `behalf`.

    Another's is never taken by itself: to act in his place is said. Raises NotAllowed.
    """
    if behalf:  # whoever ends it waits, or was first
        named = select(delegations.c.id).where(delegations.c.taker_id == actor.person)
        lock(conn, delegations, list(conn.execute(named).scalars()), share=True)
    turn = _turn(office, conn, post)
    signer = Signer(office, conn, office.db.now(conn), actor)
    asked = [b for b in signer.behalves if b.login == behalf] if behalf else [None]
    if not asked:
        raise NotAllowed("{who}没有委托您代签，或已到期、已终止", who=behalf)
    whys = {name: signer.refusal(turn, name) for name in asked}
    for name, why in whys.items():
        if why is None:
            return turn, name
    others = [name.name for name in signer.names(turn) if name is not None]
    if not behalf and others:
        raise NotAllowed("这一步您只能代{who}办理：请写明代谁审签", who="、".join(others))
    raise NotAllowed(next(why for why in whys.values() if why))


def _turn(office: Office, conn: Connection, post: RowMapping) -> Turn:
    (turn,) = turns(office, conn, posts.c.id == post["id"])
    return turn
