"""What people do with deliveries, and why one has not gone yet.

Each act asks for the right first, then changes only a row that is in the state the person saw.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, func, select, update

from bot import audit, people
from bot.adapters.base import adapter_class
from bot.db import (
    accounts,
    approvals,
    aside,
    attempts,
    deliveries,
    hosts,
    posts,
    renditions,
    workers,
)
from bot.deliver import holds, ledger
from bot.deliver.watching import open_watches, worth_watching
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import (
    AccountState,
    Act,
    Actor,
    Capabilities,
    DeliveryState,
    Outcome,
    PostState,
    Receipt,
    Right,
)
from bot.notices import close_notice
from bot.office import Office

S = DeliveryState
WORKER_SILENT = timedelta(seconds=30)
NEEDS_PERSON = (S.FAILED, S.MISSED)
NEVER_WAITS = (S.SENT, S.CANCELLED)  # for a person; and most are sent
STATES = {
    S.READY: Say("待发"),
    S.SENDING: Say("发送中"),
    S.SENT: Say("已发出"),
    S.UNCERTAIN: Say("结果不明"),
    S.FAILED: Say("失败"),
    S.CANCELLED: Say("已取消"),
    S.MISSED: Say("已错过"),
}


# ---------------------------------------------------------------- reading


def _query() -> Any:
    return holds.joined(
        select(
            *deliveries.c,
            posts.c.title,
            posts.c.kind,
            posts.c.source_id,
            posts.c.item_id,
            posts.c.state.label("post_state"),
            accounts.c.key.label("account_key"),
            accounts.c.name.label("account_name"),
            accounts.c.adapter,
            accounts.c.unit_id,
            accounts.c.state.label("account_state"),
            accounts.c.free_at,
            accounts.c.host,
            accounts.c.identity_url,
            accounts.c.capabilities,
            renditions.c.payload,
        )
    ).join(renditions, renditions.c.id == deliveries.c.rendition_id)


def one(conn: Connection, delivery_id: int) -> RowMapping:
    """A delivery with its post and account. Raises NotFound."""
    row = conn.execute(_query().where(deliveries.c.id == delivery_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的投递", id=delivery_id)
    return row


def listing(
    conn: Connection,
    unit_ids: set[int],
    *,
    limit: int = 50,
    offset: int = 0,
    before: int | None = None,
    **filters: Any,
) -> list[RowMapping]:
    """Deliveries of some units, what needs a person first, then by planned time.

    `before`: by number, from below it on, so that a program can page through what grows meanwhile.
    `filters`: those of `_narrowed`.
    """
    if before is not None:
        mine = _narrowed(conn, deliveries.c.id, unit_ids, **filters)
        numbers = _numbers(conn, mine.where(deliveries.c.id < before), limit)
    else:
        numbers = _in_order(conn, unit_ids, limit, offset, **filters)
    place = {number: n for n, number in enumerate(numbers)}
    rows = conn.execute(_query().where(deliveries.c.id.in_(numbers))).mappings()
    return sorted(rows, key=lambda row: place[row["id"]])


def _in_order(
    conn: Connection, unit_ids: set[int], limit: int, offset: int, **filters: Any
) -> list[int]:
    """The numbers of `listing`'s rows, found in an index: of a hundred thousand only these are read."""
    mine = _narrowed(conn, deliveries.c.id, unit_ids, **filters)
    latest = deliveries.c.go_at.desc()
    if filters.get("state") in NEVER_WAITS:
        return _numbers(conn, mine, limit, offset, latest)
    if filters.get("state") or any(filters.get(n) is not None for n in ("post", "hold")):
        return _numbers(conn, mine, limit, offset, needs_person().desc(), latest)
    first = _in_order(conn, unit_ids, limit, offset, **{**filters, "state": "person"})
    passed = max(0, offset - total(conn, unit_ids, **{**filters, "state": "person"}))
    rest = mine.where(deliveries.c.id.not_in(select(deliveries.c.id).where(needs_person())))
    return first + _numbers(conn, rest, limit - len(first), passed, latest)


def _numbers(conn: Connection, query: Any, limit: int, offset: int = 0, *order: Any) -> list[int]:
    some = query.order_by(*order, deliveries.c.id.desc()).limit(limit).offset(offset)
    return list(conn.execute(some).scalars())


def total(conn: Connection, unit_ids: set[int], **filters: Any) -> int:
    """How many rows `listing` finds with these filters."""
    return int(conn.execute(_narrowed(conn, func.count(), unit_ids, **filters)).scalar_one())


def _narrowed(
    conn: Connection,
    what: Any,
    unit_ids: set[int],
    *,
    state: str = "",
    post: int | None = None,
    account: int | None = None,
    hold: int | None = None,
) -> Any:
    """`state`: one of theirs, or "person" (needs one) or "held"; `hold`: what fell due under it and
    nobody has decided on."""
    held = state == "held"
    query = select(what).select_from(deliveries)
    if held or hold is not None:
        query = holds.joined(select(what))
    query = query.where(deliveries.c.post_unit_id.in_(unit_ids))
    if state == "person":
        query = query.where(needs_person())
    elif held:
        query = query.where(deliveries.c.state == S.READY, holds.standing(conn).clause())
    elif state in NEVER_WAITS or (state and post is not None):
        query = query.where(aside(deliveries.c.state) == state)
    elif state:
        query = query.where(deliveries.c.state == state)
    if post is not None:
        query = query.where(deliveries.c.post_id == post)
    if account is not None:
        query = query.where(aside(deliveries.c.account_id) == account)
    return query if hold is None else query.where(holds.kept(conn, hold))


def needs_person() -> Any:
    """Failed, missed, or alive but with no time at which the machine would look again."""
    alive = deliveries.c.state.in_((S.READY, S.UNCERTAIN))
    by_hand = (deliveries.c.state == S.SENDING) & deliveries.c.lease.is_(None)
    return deliveries.c.state.in_(NEEDS_PERSON) | (alive & deliveries.c.due_at.is_(None)) | by_hand


def counts(conn: Connection, unit_ids: set[int], **filters: Any) -> dict[str, int]:
    """How many in each state; "person" and "held" beside them. `filters`: post, account, hold."""
    every = _narrowed(conn, deliveries.c.state, unit_ids, **filters)
    every = every.add_columns(func.count()).group_by(deliveries.c.state)
    more = {name: total(conn, unit_ids, state=name, **filters) for name in ("person", "held")}
    return dict(conn.execute(every).all()) | more


def attempts_of(conn: Connection, delivery_id: int) -> list[RowMapping]:
    """The attempts of a delivery, oldest first."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id)
    return list(conn.execute(query.order_by(attempts.c.id)).mappings())


def task(conn: Connection, delivery_id: int) -> str:
    """What a person is to do for a delivery that waits for his hand; empty where none does."""
    row = one(conn, delivery_id)
    if row["state"] != S.SENDING or row["lease"] is not None:
        return ""
    kind = adapter_class(row["adapter"])
    stored = select(accounts.c.options).where(accounts.c.id == row["account_id"])
    options = kind.options_model.model_validate(conn.execute(stored).scalar() or {})
    row = ledger.context(conn, [delivery_id])[delivery_id]
    target = Receipt(row["target_remote_id"] or "", row["target_url"] or "")
    told = kind.task(options, row["act"], ledger.outgoing_of(row), target)
    return told.instructions if told else ""


def workers_alive(conn: Connection, now: datetime) -> int:
    """Workers with a heartbeat in the last half minute."""
    alive = workers.c.beat_at >= now - WORKER_SILENT, workers.c.stopped_at.is_(None)
    return int(conn.execute(select(func.count()).select_from(workers).where(*alive)).scalar_one())


# ---------------------------------------------------------------- why not yet


def why(conn: Connection, now: datetime, row: RowMapping) -> Say | None:
    """Why this delivery has not gone yet, and what comes next; None for one that is over and well."""
    return Reasons(conn, now).why(row)


class Reasons:
    """`why` of many deliveries: what they share is asked once."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self._conn, self._now = conn, now

    def why(self, row: RowMapping) -> Say | None:
        stored = Say.of(row["reason"]) if row["reason"] else None
        if row["state"] != S.READY:
            return stored
        if self.standing.stops(row):
            if self._solemn.stops(row):
                return Say("肃穆模式；结束后由人复核，决定改期、照发或不发")
            return Say("已停发；解除后由人决定是否补发")
        if stored is not None and row["due_at"] is None:
            return stored
        if row["post_state"] != PostState.APPROVED:
            return Say("稿件改过或撤了签，重新签发后才发")
        return self._account_waits(row) or self._row_waits(row) or stored

    def shown(self, row: RowMapping) -> str:
        """The state as people are told it: held, by hand and after a hold are computed."""
        if row["state"] == S.READY:
            if self.standing.stops(row):
                return "held"
            return "after_hold" if row["was_held"] else "ready"
        if row["state"] == S.SENDING and row["lease"] is None:
            return "by_hand"
        return str(row["state"])

    @cached_property
    def standing(self) -> holds.Standing:
        return holds.standing(self._conn)

    @cached_property
    def _solemn(self) -> holds.Standing:
        return holds.standing(self._conn, solemn=True)

    @cached_property
    def _works(self) -> bool:
        return workers_alive(self._conn, self._now) > 0

    @cached_property
    def _slow(self) -> set[str]:
        """The hosts that asked for a pause."""
        later = select(hosts.c.host).where(hosts.c.free_at > self._now)
        return set(self._conn.execute(later).scalars())

    @cached_property
    def _unclear(self) -> set[int]:
        """The accounts of which an outcome is not known."""
        query = select(deliveries.c.account_id).where(deliveries.c.state == S.UNCERTAIN)
        return set(self._conn.execute(query).scalars())

    def _account_waits(self, row: RowMapping) -> Say | None:
        if row["account_state"] == AccountState.BROKEN:
            return Say("账号已断开，重新连接后继续；队列保留")
        if row["account_state"] == AccountState.PAUSED:
            return Say("账号已暂停")
        if not self._works:
            return Say("没有运行中的工作进程：请启动 gongkai run；已启动的，看数据盘是否已满")
        return None

    def _row_waits(self, row: RowMapping) -> Say | None:
        now = self._now
        if row["after_id"] is not None:
            before = select(deliveries.c.state).where(deliveries.c.id == row["after_id"])
            if self._conn.execute(before).scalar() != S.SENT:
                return Say("等前一条发出")
        if row["go_at"] > now:
            return Say.of(row["reason"]) if row["reason"] else Say("等到计划时间")
        if row["due_at"] and row["due_at"] > now:
            return Say.of(row["reason"]) if row["reason"] else Say("稍后再发")
        if row["free_at"] and row["free_at"] > now:
            return Say("账号发送间隔未到")
        shallow = not row["emergency"] and row["capabilities"]["listing_depth"]
        if shallow and row["account_id"] in self._unclear:
            return Say("该账号有一条结果不明，查清前只放行紧急信息")
        if row["host"] in self._slow:
            return Say("平台要求全站稍候")
        return Say("即将发送")


# ---------------------------------------------------------------- people's acts


def _for(conn: Connection, actor: Actor, delivery_id: int, *states: DeliveryState) -> RowMapping:
    row = one(conn, delivery_id)
    people.require(conn, actor, Right.SCHEDULE, row["post_unit_id"])
    if row["state"] not in states:
        raise Conflict("这条投递已变成“{state}”，请刷新后再办", state=STATES[S(row["state"])])
    return row


def _set(
    conn: Connection, now: datetime, actor: Actor, row: RowMapping, verb: str, **values: Any
) -> None:
    """Write a person's decision; the lease goes with it, so a worker's late result is refused."""
    done = conn.execute(
        update(deliveries)
        .where(deliveries.c.id == row["id"], deliveries.c.state == row["state"])
        .values(lease=None, leased_until=None, changed_at=now, **values)
    )
    if done.rowcount != 1:
        raise Conflict("这条投递刚被改动，请刷新后再办")
    close_notice(conn, now, f"delivery:{row['id']}")
    audit.write(conn, now, actor, verb, f"delivery:{row['id']}")


def cancel(conn: Connection, now: datetime, actor: Actor, delivery_id: int) -> None:
    """Call off what has not gone. Raises NotAllowed, Conflict."""
    row = _for(conn, actor, delivery_id, S.READY, S.FAILED, S.MISSED)
    said = Say("{who}取消", who=actor.name).json()
    _set(conn, now, actor, row, "delivery.cancel", state=S.CANCELLED, due_at=None, reason=said)


def retry(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    delivery_id: int,
    at: datetime | None = None,
) -> None:
    """Let a failed, missed, held or waiting one go, now or at `at`, within the signed window.

    Only this account's; its neighbours are not touched. Raises Conflict outside the window.
    """
    row = _for(conn, actor, delivery_id, S.READY, S.FAILED, S.MISSED, S.CANCELLED)
    times = within_window(office, conn, now, row, at)
    _set(conn, now, actor, row, "delivery.retry", **_again(times), insists=True)


def within_window(
    office: Office, conn: Connection, now: datetime, row: RowMapping, at: datetime | None
) -> dict[str, datetime]:
    """A new time for a delivery, inside what was signed. Raises Conflict."""
    go_at = max(at or now, now)
    signed = (
        conn.execute(select(approvals).where(approvals.c.revision_id == row["revision_id"]))
        .mappings()
        .first()
    )
    if signed is None or signed["voided_at"] is not None:
        raise Conflict("签发已失效，须重新审签")
    if (signed["begins"] and go_at < signed["begins"]) or (
        signed["ends"] and go_at > signed["ends"]
    ):
        raise Conflict("所选时间不在签发的时段内，须重新审签")
    latest = go_at + office.config.deliver.lateness
    return {"go_at": go_at, "latest_at": min(latest, signed["ends"] or latest)}


def _again(times: dict[str, datetime]) -> dict[str, Any]:
    fresh = {"state": S.READY, "reason": None, "was_held": False, "staged": None, "tries": 0}
    return {**fresh, **times, "due_at": times["go_at"], "waits": 0, "looks": 0, "absents": 0}


def look_again(conn: Connection, now: datetime, actor: Actor, delivery_id: int) -> None:
    """Look an uncertain one up once more, now."""
    row = _for(conn, actor, delivery_id, S.UNCERTAIN)
    _set(conn, now, actor, row, "delivery.look", state=S.UNCERTAIN, due_at=now, looks=0)


def confirm_sent(
    conn: Connection, now: datetime, actor: Actor, delivery_id: int, link: str
) -> None:
    """A person vouches that it stands, at `link`: an uncertain one, or a by-hand task's receipt.

    One that failed, too: a platform may refuse as a repetition what it took before.
    Raises Invalid for a link that is none or that another delivery of the account holds.
    """
    row = _for(conn, actor, delivery_id, S.UNCERTAIN, S.SENDING, S.FAILED)
    if row["state"] == S.SENDING and row["lease"] is not None:
        raise Conflict("正在发送，请等它有结果")
    link = link.strip()
    if not link.startswith(("http://", "https://")):
        raise Invalid("请粘贴这条内容的完整网址（http 或 https 开头）")
    _refuse_elsewhere(link, row)
    remote = remote_id_in(link, row)
    _refuse_taken(conn, row, remote)
    values = {"state": S.SENT, "remote_id": remote, "url": link, "sent_at": now, "due_at": now}
    said = Say("{who}核对确认已发出", who=actor.name)
    _set(conn, now, actor, row, "delivery.confirm", reason=said.json(), **values)
    _end_open(conn, now, row, Outcome.SENT, said, remote)
    if worth_watching(row["act"], Capabilities.of(row["capabilities"])):
        open_watches(conn, now, [row])


def remote_id_in(link: str, row: RowMapping) -> str:
    """The platform's id of a post, as its address tells it; by hand: the address."""
    return link if row["capabilities"]["by_hand"] else adapter_class(row["adapter"]).id_in(link)


def _refuse_elsewhere(link: str, row: RowMapping) -> None:
    """Proof lies where the account's own page does: on m.weibo.cn for weibo.com, on no other's host."""
    home = _name(row["identity_url"] or "")
    if home and not row["capabilities"]["by_hand"] and _name(link) != home:
        raise Invalid("这个网址不在该账号的平台上；请粘贴这条内容在平台上的网址")


def _name(link: str) -> str:
    """weibo, of https://m.weibo.cn/1; nothing of a host that is a number or has no name."""
    host = urlsplit(link).hostname or ""
    return "" if host[-1:].isdigit() or "." not in host else host.split(".")[-2]


def _refuse_taken(conn: Connection, row: RowMapping, remote: str) -> None:
    """An edit or a withdrawal happens where the post stands; each post stands at its own place."""
    if row["act"] != Act.PUBLISH:
        return
    taken = select(deliveries.c.post_id).where(
        deliveries.c.account_id == row["account_id"],
        deliveries.c.remote_id == remote,
        deliveries.c.act == Act.PUBLISH,
        deliveries.c.id != row["id"],
    )
    if (post := conn.execute(taken).scalar()) is not None:
        raise Invalid("这个链接已登记在稿件 {id} 名下", id=post)


def confirm_absent(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    delivery_id: int,
    at: datetime | None = None,
) -> None:
    """A person vouches that it never arrived: it goes again, now or at `at`, ordinary checks kept."""
    row = _for(conn, actor, delivery_id, S.UNCERTAIN)
    times = within_window(office, conn, now, row, at)
    _set(conn, now, actor, row, "delivery.absent", **_again(times), insists=True)
    _end_open(conn, now, row, Outcome.ABSENT, Say("{who}核对确认未发出", who=actor.name), None)


def drop(conn: Connection, now: datetime, actor: Actor, delivery_id: int) -> None:
    """Leave it: an uncertain one, or a by-hand task nobody will do."""
    row = _for(conn, actor, delivery_id, S.UNCERTAIN, S.SENDING)
    if row["state"] == S.SENDING and row["lease"] is not None:
        raise Conflict("正在发送，请等它有结果")
    said = Say("{who}决定不再发布", who=actor.name)
    _set(conn, now, actor, row, "delivery.drop", state=S.CANCELLED, due_at=None, reason=said.json())
    _end_open(conn, now, row, Outcome.DROPPED, said, None)


def _end_open(
    conn: Connection,
    now: datetime,
    row: RowMapping,
    outcome: Outcome,
    said: Say,
    remote: str | None,
) -> None:
    """End the newest attempt with the person's word on it."""
    newest = conn.execute(
        select(func.max(attempts.c.id)).where(attempts.c.delivery_id == row["id"])
    ).scalar()
    values = {"ended_at": now, "outcome": outcome, "said": said.json(), "remote_id": remote}
    conn.execute(update(attempts).where(attempts.c.id == newest).values(**values))
