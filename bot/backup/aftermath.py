"""After a restore nothing moves until a person has looked: what happened since is not known here.

What was due since the backup may have gone: it is uncertain, and a person decides. What was signed
and had no deliveries yet may have got them and gone: it is a draft again. Nothing that a machine
would do by itself later may repeat what it did before: sources begin from a baseline, occurrences
since are missed, standing sign-offs sleep, and a hold stands on all. Nobody is let in before an
administrator has readmitted him: who lost his rights since is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from bot import people, review
from bot.db import (
    accounts,
    approvals,
    attempts,
    board_replies,
    deliveries,
    metadata,
    occurrences,
    offices,
    posts,
    sources,
    standings,
)
from bot.deliver import holds
from bot.errors import GongkaiError
from bot.language import Say
from bot.model import Actor, DeliveryState, HoldScope, Outcome, PostState
from bot.notices import open_notice
from bot.office import Office
from bot.schedule import MISSED, PLANNED
from bot.speaking import mark_broken

S = DeliveryState


def hold_back(
    office: Office, conn: Connection, now: datetime, taken: datetime, who: str
) -> list[Say]:
    """Stop everything; give what was changed, for people."""
    _let_go(conn)
    said = [
        _hold(office, conn, now, taken, who),
        *_deliveries(conn, now),
        *_unplanned(conn, now),
        *_occurrences(conn, now),
        *_standings(conn),
        *_sources(conn),
        *_credentials(office, conn, now),
        *_people(conn),
        *_delegations(conn, now),
        *_as_it_was(office, conn),
    ]
    conn.execute(update(offices).values(restored_at=now))
    return said


def _let_go(conn: Connection) -> None:
    """Whoever held a row is gone."""
    for table in metadata.tables.values():
        if "lease" in table.c:
            held = or_(table.c.lease.is_not(None), table.c.leased_until.is_not(None))
            conn.execute(update(table).where(held).values(lease=None, leased_until=None))
    conn.execute(update(accounts).values(free_at=None))


def _hold(office: Office, conn: Connection, now: datetime, taken: datetime, who: str) -> Say:
    at = f"{taken.astimezone(office.config.tz):%Y-%m-%d %H:%M}"
    reason = Say("恢复自 {at} 的备份，核对各账号的时间线后再解除", at=at)
    actor = Actor(None, who, "restore")
    made = holds.hold(conn, now, actor, HoldScope.ALL, None, str(reason))
    open_notice(conn, now, f"hold:{made}", reason, None, f"/stop#hold-{made}")
    return Say("已全部停发：{reason}", reason=reason)


def _deliveries(conn: Connection, now: datetime) -> Iterator[Say]:
    """In flight, due since, or not known before: all three are a person's to decide."""
    lost = Say("恢复备份：当时正在发送，结果不明，请人工核对")
    may = Say("恢复备份：备份之后到点，可能已发，请人工核对")
    sending = _uncertain(conn, now, deliveries.c.state == S.SENDING, lost)
    due = _uncertain(conn, now, (deliveries.c.state == S.READY) & (deliveries.c.go_at <= now), may)
    ended = {"ended_at": now, "outcome": Outcome.UNKNOWN, "said": lost.json()}
    conn.execute(update(attempts).where(attempts.c.ended_at.is_(None)).values(**ended))
    unclear = deliveries.c.state == S.UNCERTAIN
    conn.execute(update(deliveries).where(unclear).values(due_at=None))
    # The platform may have forgotten the uploads: they are made again.
    conn.execute(update(deliveries).where(deliveries.c.state == S.READY).values(staged=None))
    if sending + due:
        yield Say("{n} 条投递在备份之后可能已发，记为结果不明，由人逐条核对决定", n=sending + due)


def _uncertain(conn: Connection, now: datetime, where: Any, why: Say) -> int:
    values = {"state": S.UNCERTAIN, "due_at": None, "reason": why.json(), "changed_at": now}
    fresh = {"looks": 0, "absents": 0, "was_held": False}
    return conn.execute(update(deliveries).where(where).values(**values, **fresh)).rowcount


def _unplanned(conn: Connection, now: datetime) -> Iterator[Say]:
    """Signed, but deliveries of it not made yet, or waiting for a slot."""
    said = Say("恢复备份：签发后还没有排入队列，备份之后可能已发；请核对后重新送审")
    waits = or_(posts.c.due_at.is_not(None), posts.c.slot != "")
    ids = select(posts.c.id).where(posts.c.state == PostState.APPROVED, waits)
    found = list(conn.execute(ids).scalars())
    if not found:
        return
    signed = approvals.c.post_id.in_(found), approvals.c.voided_at.is_(None)
    conn.execute(update(approvals).where(*signed).values(voided_at=now, voided=said.json()))
    values = {"state": PostState.DRAFT, "step": 0, "returned": said.json(), "due_at": None}
    draft = update(posts).where(posts.c.id.in_(found))
    conn.execute(draft.values(changed_at=now, version=posts.c.version + 1, **values))
    yield Say("{n} 篇已签发、尚未排入队列的稿件退回草稿，核对后重新送审", n=len(found))


def _occurrences(conn: Connection, now: datetime) -> Iterator[Say]:
    said = Say("恢复备份：在备份之后到点")
    since = occurrences.c.state == PLANNED, occurrences.c.at <= now
    values = {"state": MISSED, "due_at": None, "reason": said.json()}
    if n := conn.execute(update(occurrences).where(*since).values(**values)).rowcount:
        yield Say("{n} 个期次在备份之后到点，记为错过", n=n)


def _standings(conn: Connection) -> Iterator[Say]:
    stand = standings.c.ended_at.is_(None), standings.c.asleep.is_(False)
    if n := conn.execute(update(standings).where(*stand).values(asleep=True)).rowcount:
        yield Say("{n} 个常设签发暂停，签发人核对各账号的时间线后自行唤醒", n=n)


def _sources(conn: Connection) -> Iterator[Say]:
    """Read whole and at once: an answer of "unchanged" would put the baseline off to a later day."""
    anew = {"baseline_at": None, "baseline_only": True, "etag": "", "last_modified": ""}
    if n := conn.execute(update(sources).values(**anew)).rowcount:
        yield Say("{n} 个来源的首次读取只作基线，新条目不会自动成稿", n=n)


def _credentials(office: Office, conn: Connection, now: datetime) -> Iterator[Say]:
    """An account whose credential cannot be opened here is broken now, not at its first delivery."""
    there = office.config.place(office.config.secret_key_file).exists()
    why = Say("密钥文件不是备份时的那一个，凭据打不开；放回原密钥后检查账号，或重新连接")
    sealed = select(accounts.c.id, accounts.c.key, accounts.c.credential).where(
        accounts.c.credential != ""
    )
    closed = []
    for account, key, credential in conn.execute(sealed).all():
        try:
            if not there:
                raise GongkaiError(why)
            office.secrets.open(credential)
        except GongkaiError:
            closed.append(key)
            mark_broken(conn, now, account, why)
    if closed:
        yield Say(
            "这些账号的凭据打不开，已断开，请放回原密钥后检查账号，或重新连接：{keys}",
            keys="、".join(closed),
        )


def _people(conn: Connection) -> Iterator[Say]:
    if n := people.put_to_sleep(conn):
        yield Say(
            "{n} 人暂不能登录，角色和密码可能在备份之后收回或改过：先核对各人的角色"
            "（gongkai user list），收回不该再有的，再逐人核准（gongkai user readmit 登录名）",
            n=n,
        )


def _delegations(conn: Connection, now: datetime) -> Iterator[Say]:
    if n := review.end_all(conn, now):
        yield Say("{n} 次代签已终止，备份之后可能已由本人收回；仍要的，请本人重新委托", n=n)


def _as_it_was(office: Office, conn: Connection) -> Iterator[Say]:
    """What came back with the rest, and only a person can take away again."""
    shown = select(board_replies.c.id).where(board_replies.c.state == "shown")
    if not office.erasures.exists() and conn.execute(shown).first():
        yield Say(
            "没有删除记录 {file}：备份之后在公开栏隐藏或删除的留言又会显示，请核对",
            file=office.config.audit.erasures,
        )
