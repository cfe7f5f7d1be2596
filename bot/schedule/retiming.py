"""改期: a post at another time, and what that would mean, said before it is done.

Inside what was signed it just moves. Outside it, and while it is being signed, its sign-offs are
void: a new revision is handed in with the new time, and everybody signs anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, update

from bot import audit, compose, people, review
from bot.compose import Body
from bot.db import posts
from bot.deliver import holds, moving, queue
from bot.deliver.rhythm import within
from bot.errors import Conflict, Invalid
from bot.language import Say
from bot.model import Actor, PostKind, PostState, Right
from bot.office import Office
from bot.workdays import UnknownYear, office_day

FREE, AGAIN = "free", "again"


@dataclass(frozen=True)
class Foreseen:
    """What moving a post to `at` would do. `kind` again: it is signed anew."""

    post: RowMapping
    at: datetime
    kind: str
    says: tuple[Say, ...]
    seen: tuple[int, ...]  # the deliveries that move

    def json(self) -> dict[str, Any]:
        said = [str(one) for one in self.says]
        of = {"post": self.post["id"], "version": self.post["version"], "deliveries": self.seen}
        return {**of, "at": self.at, "kind": self.kind, "says": said}


def foresee(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, at: datetime
) -> Foreseen:
    """What moving a post would do; nothing is done. Raises what `move` raises."""
    return _foreseen(office, conn, now, actor, compose.one(conn, post_id), at)


def _foreseen(
    office: Office, conn: Connection, now: datetime, actor: Actor, post: RowMapping, at: datetime
) -> Foreseen:
    _movable(post, now, at)
    rows = moving.to_move(conn, post["id"])
    kind, says = _verdict(office, conn, now, post, rows, at)
    right = Right.WRITE if kind == AGAIN or post["state"] == PostState.DRAFT else Right.SCHEDULE
    people.require(conn, actor, right, post["unit_id"])
    says = (*says, *_quiet(office, post, rows, at), *_solemn(office, conn, post, at))
    says = (*says, *_day(office, at))
    return Foreseen(post, at, kind, says, tuple(row["id"] for row in rows))


def _movable(post: RowMapping, now: datetime, at: datetime | None) -> None:
    if post["state"] == PostState.CLOSED:
        raise Conflict("这篇稿件已结束，请另起一篇")
    if post["kind"] == PostKind.WITHDRAWAL:
        raise Conflict("撤回稿签发后即办，不改期")
    if post["kind"] == PostKind.REPOST:
        raise Conflict("转发签发后即办，不改期")
    if at is not None and at <= now:
        raise Invalid("发布时间已过，请改到现在以后")


def _verdict(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    rows: list[RowMapping],
    at: datetime,
) -> tuple[str, tuple[Say, ...]]:
    if post["state"] == PostState.DRAFT:
        return FREE, (Say("还是草稿，只改计划时间"),)
    if post["state"] == PostState.IN_REVIEW:
        return AGAIN, (Say("正在审签：改期后成新版本，从第一步重新审签"),)
    signed = moving.signed_for(conn, post)
    if signed is None:
        return AGAIN, (Say("签发已失效：改期后成新版本，重新审签"),)
    window = _window(office, signed)
    if moving.times_at(office, now, post, signed, rows, at) is None:
        said = Say("超出签发的时段：改期将使签发失效，成新版本退回审签，由签发人重新签发")
        return AGAIN, (said, window)
    return FREE, (Say("在签发的时段内，签发继续有效"), window)


def _window(office: Office, signed: RowMapping) -> Say:
    shown = {
        name: f"{signed[name].astimezone(office.config.tz):%Y-%m-%d %H:%M}" if signed[name] else "—"
        for name in ("begins", "ends")
    }
    return Say("签发的时段：{begins} 至 {ends}", **shown)


def _quiet(office: Office, post: RowMapping, rows: list[RowMapping], at: datetime) -> Iterator[Say]:
    """Accounts that are silent then."""
    spoken = {row["name"]: moving.spoken_from(post, row, at) for row in rows}
    for name, over in spoken.items():
        if over > at:
            until = f"{over.astimezone(office.config.tz):%m-%d %H:%M}"
            yield Say("账号 {name} 那时静默，{until} 才发", name=name, until=until)


def _solemn(office: Office, conn: Connection, post: RowMapping, at: datetime) -> Iterator[Say]:
    """That it would be stopped then."""
    for row in holds.silences(conn, [post["unit_id"]]):
        if within(at, [row]) and post["id"] not in (row["passes"] or ()):
            until = f"{row['until'].astimezone(office.config.tz):%m-%d %H:%M}"
            yield Say("那时在肃穆模式之内（至 {until}），到点停住", until=until)


def _day(office: Office, at: datetime) -> Iterator[Say]:
    """That nobody may be at work then."""
    day = office_day(at, office.config.tz)
    try:
        worked, name = office.calendar.is_workday(day), office.calendar.name_of(day)
    except UnknownYear:
        yield Say("{year} 年的放假安排未录入，不知道这天是否上班", year=day.year)
        return
    if not worked:
        yield Say("这天放假：{name}", name=name) if name else Say("这天是休息日")


def move(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    at: datetime,
    *,
    version: int | None = None,
    seen: Collection[int] | None = None,
    agreed: bool = False,
) -> Foreseen:
    """Move a post to `at`. `version` and `seen`: as its mover had it in front of him.

    Raises NotAllowed, NotFound, Invalid for a time that is past, Conflict: somebody was quicker, it has
    gone or is going, or it would be signed anew and nobody `agreed`.
    """
    post = compose.locked(conn, post_id)
    if version is not None and post["version"] != version:
        raise Conflict("这篇稿件刚被别人改过，没有改期；请看过现在的情形再办")
    found = _foreseen(office, conn, now, actor, post, at)
    if found.kind == AGAIN and not agreed:
        raise Conflict("没有改期：{why}", why=found.says[0])
    if post["state"] == PostState.APPROVED and found.kind == FREE:
        moving.move(office, conn, now, actor, post, at, seen)
        return found
    waiting = [row for row in moving.to_move(conn, post_id) if row["due_at"] is None]
    _revised(office, conn, now, actor, post, at)
    moving.set_aside(conn, now, waiting)
    before = post["go_at"].isoformat() if post["go_at"] else ""
    audit.write(conn, now, actor, "post.move", f"post:{post_id}", before=before, to=at.isoformat())
    if post["state"] != PostState.DRAFT:
        review.submit(office, conn, now, actor, post_id)
    return found


def _revised(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    at: datetime | None,
) -> None:
    """The same words at another time, or as soon as they are signed; the latest moment keeps its
    distance."""
    body, keys = Body.of(compose.current(conn, post)["body"]), compose.account_keys(conn, post)
    latest = post["latest_at"] if at is not None else None
    if at is not None and latest is not None and (latest <= at or post["go_at"]):
        latest = at + (latest - post["go_at"] if post["go_at"] else office.config.deliver.lateness)
    of = (post["id"], post["version"], body, keys)
    compose.revise(office, conn, now, actor, *of, go_at=at, latest_at=latest)
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(slot=""))


def send_back(
    office: Office, conn: Connection, now: datetime, actor: Actor, delivery_id: int
) -> None:
    """The post of a delivery that has not gone is signed anew, in the same words, to go when that is done.

    All its accounts that have not got it wait for the new sign-off. Raises NotFound, NotAllowed,
    Conflict: it has gone, or its outcome is open.
    """
    post = compose.locked(conn, queue.one(conn, delivery_id)["post_id"])
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    _movable(post, now, None)
    if post["state"] != PostState.APPROVED:
        raise Conflict("这篇稿件已不在已签发状态，请到稿件页办理")
    rows = moving.to_move(conn, post["id"])
    _revised(office, conn, now, actor, post, None)
    moving.set_aside(conn, now, rows)
    audit.write(conn, now, actor, "post.send_back", f"post:{post['id']}")
    review.submit(office, conn, now, actor, post["id"])
