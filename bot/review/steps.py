"""Which steps a post goes through, and whether a unit's people can fill them.

Steps come from config.toml; the rules in norms.md §6 (谁公开谁审查、一事一审).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from bot import people
from bot.config import Config, Step
from bot.db import accounts, signoffs, units
from bot.language import Say
from bot.model import Right, Verdict
from bot.office import Office

LAST = (Step(name="签发", right=Right.SIGN),)  # where config.toml has the unit no more
EMERGENCY_STEPS = (
    Step(name="紧急复核", right=Right.REVIEW),
    Step(name="紧急签发", right=Right.SIGN),
)


def steps_of(office: Office, conn: Connection, post: Mapping[Any, Any]) -> tuple[Step, ...]:
    """The steps a post goes through, in order."""
    if post["emergency"]:
        return EMERGENCY_STEPS
    key = conn.execute(select(units.c.key).where(units.c.id == post["unit_id"])).scalar_one()
    part = office.config.units.get(key)
    return part.steps if part else LAST


def waits_at(office: Office, conn: Connection, post: Mapping[Any, Any]) -> Step:
    """The step that a post in review waits for."""
    steps = steps_of(office, conn, post)
    at: int = post["step"]
    return steps[min(at, len(steps) - 1)]


def unfillable(conn: Connection, config: Config) -> list[Say]:
    """For `gongkai check`: units whose steps their people cannot fill, each person once."""
    return [
        Say(
            "单位 {unit} 的审次（{steps}）配不齐人：每步须不同的人，且不是拟稿人",
            unit=config.units[key].name,
            steps="、".join(step.name for step in config.units[key].steps),
        )
        for key, staffed in staffing(conn, config).items()
        if not staffed.enough
    ]


@dataclass(frozen=True)
class Staffed:
    """A unit's steps in order, each with the people who may pass it, and who may write."""

    steps: tuple[tuple[Step, tuple[int, ...]], ...]
    writers: tuple[int, ...]

    @property
    def enough(self) -> bool:
        """Is there another person for each step, and one more who writes?"""
        return _each_another([*(able for _, able in self.steps), self.writers])


def staffing(conn: Connection, config: Config) -> dict[str, Staffed]:
    """Every declared unit of the store by key."""
    able = people.everyone(conn)
    known: dict[str, int] = dict(conn.execute(select(units.c.key, units.c.id)).all())
    return {
        key: Staffed(
            tuple((step, tuple(able(step.right, known[key]))) for step in part.steps),
            tuple(able(Right.WRITE, known[key])),
        )
        for key, part in config.units.items()
        if key in known
    }


def _each_another(able: Sequence[Sequence[int]]) -> bool:
    """Is there somebody for each task, all different? (A matching, by augmenting paths.)"""
    has: dict[int, int] = {}

    def _placed(task: int, asked: set[int]) -> bool:
        for person in able[task]:
            if person not in asked:
                asked.add(person)
                if person not in has or _placed(has[person], asked):
                    has[person] = task
                    return True
        return False

    return all(_placed(task, set()) for task in range(len(able)))


def units_of(conn: Connection, post: RowMapping) -> set[int]:
    """The post's unit and those whose accounts would speak: nobody signs for another unit's account."""
    owners = select(accounts.c.unit_id).where(accounts.c.id.in_(post["accounts"] or []))
    return {post["unit_id"], *conn.execute(owners).scalars()}


def passes(revision_id: int) -> Any:
    """The sign-offs that passed a revision since it was last returned: a return begins anew."""
    returned = select(func.coalesce(func.max(signoffs.c.id), 0)).where(
        signoffs.c.revision_id == revision_id, signoffs.c.verdict == Verdict.RETURN
    )
    return select(signoffs).where(
        signoffs.c.revision_id == revision_id,
        signoffs.c.verdict == Verdict.PASS,
        signoffs.c.id > returned.scalar_subquery(),
    )
