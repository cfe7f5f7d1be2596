"""成稿: posts and their revisions. Everything is rendered here; delivering never renders.

A revision is immutable: what its author wrote, and for each account the exact parts that would be
sent, bound by a digest. Screening is part of making one. Changing anything makes a new revision and
voids the sign-off of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from bot import audit, lease, people, templates, text
from bot.db import (
    accounts,
    approvals,
    deliveries,
    insert_id,
    item_revisions,
    items,
    lock,
    posts,
    renditions,
    replies,
    revisions,
    sources,
)
from bot.errors import ConfigError, Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import (
    MACHINE,
    PREVIOUS_PART,
    Act,
    Actor,
    Capabilities,
    DeliveryState,
    Entry,
    Finding,
    ItemState,
    Media,
    Outgoing,
    OverLimit,
    PostKind,
    PostState,
    Right,
    Severity,
    digest_of,
)
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.screen import Rules, screen


@dataclass(frozen=True)
class Body:
    """What an author writes, before it is rendered for each account."""

    text: str
    title: str = ""
    link: str = ""
    media: tuple[Media, ...] = ()
    language: str = "zh"
    visibility: str = "public"
    warning: str = ""
    over_limit: OverLimit | None = None  # None: the account's own rule
    variants: Mapping[str, str] = field(default_factory=dict)  # account key → its own text
    in_reply_to: Mapping[str, str] = field(default_factory=dict)  # account key → remote id

    def json(self) -> dict[str, Any]:
        return asdict(self) | {"variants": dict(self.variants)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Body:
        media = tuple(Media(**m) for m in stored["media"])
        over = OverLimit(stored["over_limit"]) if stored["over_limit"] else None
        return cls(**{**stored, "media": media, "over_limit": over})


@dataclass(frozen=True)
class Rendered:
    """One part for one account, as it would be sent, and what screening says of it."""

    account: RowMapping
    part: int
    outgoing: Outgoing
    findings: tuple[Finding, ...]
    count: int
    limit: int

    @property
    def digest(self) -> str:
        return digest_of(self.outgoing.json())


# ---------------------------------------------------------------- rendering


def preview(office: Office, conn: Connection, body: Body, keys: Sequence[str]) -> list[Rendered]:
    """For each account, exactly what would be sent. Raises NotFound for an unknown account."""
    return [part for row in _accounts(conn, keys) for part in render(office, body, row)]


def _accounts(conn: Connection, keys: Sequence[str]) -> list[RowMapping]:
    found = conn.execute(
        select(accounts).where(accounts.c.key.in_(keys)).order_by(accounts.c.id)
    ).mappings()
    rows = list(found)
    if missing := set(keys) - {row["key"] for row in rows}:
        raise NotFound("没有账号 {keys}", keys="、".join(sorted(missing)))
    return rows


def render(office: Office, body: Body, account: RowMapping) -> list[Rendered]:
    """The parts of a body on one account, in order."""
    able = Capabilities.of(account["capabilities"])
    whole = body.variants.get(account["key"], body.text)
    rule = body.over_limit or able.over_limit
    texts = _fitted(whole, able, rule, body.link)
    return [_part(office, body, account, able, n, words) for n, words in enumerate(texts)]


def _fitted(whole: str, able: Capabilities, rule: OverLimit, link: str) -> list[str]:
    """Never cut silently: what cannot be fitted stays whole and is a finding."""
    try:
        if rule is OverLimit.SHORTEN:
            return [text.fit(whole, able, link)]
        if rule is OverLimit.THREAD:
            return text.thread(whole, able)
    except ValueError:
        pass
    return [whole]


def _part(
    office: Office, body: Body, account: RowMapping, able: Capabilities, n: int, words: str
) -> Rendered:
    answers = body.in_reply_to.get(account["key"], "")
    outgoing = Outgoing(
        text=words,
        media=body.media if n == 0 else (),
        language=body.language,
        visibility=body.visibility,
        warning=body.warning if able.warning else "",
        link=body.link,
        in_reply_to=answers if n == 0 else PREVIOUS_PART,
        title=body.title if able.title and n == 0 else "",
    )
    found = tuple(_screened(office, outgoing, account, able))
    size = text.count(words, able.unit, able.link_weight)
    return Rendered(account, n, outgoing, found, size, able.text_limit)


def _screened(
    office: Office, outgoing: Outgoing, account: RowMapping, able: Capabilities
) -> list[Finding]:
    found = screen(outgoing.text, rules=_rules(office), capabilities=able)
    if outgoing.warning and text.over(outgoing.warning + outgoing.text, able):
        said = "内容提示与正文合计超出该平台的字数"  # platforms count both in one limit
        found.append(Finding("over-limit", Severity.BLOCK, 0, 0, "", said))
    for more in (outgoing.title, outgoing.warning, *(m.alt for m in outgoing.media)):
        # A span in another field than the text would mark the wrong place: keep the words only.
        found += [replace(f, start=0, end=0) for f in screen(more, rules=_rules(office))]
    return found + list(_platform_findings(outgoing, account, able))


def _rules(office: Office) -> Rules:
    stated = office.config.review.severities
    return Rules({rule: None if s == "off" else Severity(s) for rule, s in stated.items()})


def _platform_findings(
    outgoing: Outgoing, account: RowMapping, able: Capabilities
) -> list[Finding]:
    """What the account itself cannot take."""
    said = []
    if not account["identity"] and not able.by_hand:
        said.append(("unconnected", "账号尚未连接，签发前须先连接"))
    if len(outgoing.media) > able.media_count:
        said.append(("media-count", "图片多于该平台允许的张数"))
    if any(m.kind not in able.media_kinds for m in outgoing.media):
        said.append(("media-kind", "该平台不收这种图片格式"))
    if able.media_bytes and any(m.size > able.media_bytes for m in outgoing.media):
        said.append(("media-bytes", "图片超过该平台允许的大小"))
    if outgoing.visibility not in able.visibilities:
        said.append(("visibility", "该平台没有这种可见范围"))
    if outgoing.in_reply_to not in ("", PREVIOUS_PART) and not able.answer:
        said.append(("answer", "该平台不能在评论下答复"))
    if not (outgoing.text.strip() or outgoing.media):
        said.append(("empty", "正文是空的"))
    return [Finding(rule, Severity.BLOCK, 0, 0, "", message) for rule, message in said]


# ---------------------------------------------------------------- posts

MADE_OF = ("template_digest", "item_revision")  # what a revision remembers beside its template


def create(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    *,
    unit_id: int,
    keys: Sequence[str],
    body: Body,
    kind: PostKind = PostKind.NOTICE,
    go_at: datetime | None = None,
    latest_at: datetime | None = None,
    emergency: bool = False,
    **links: Any,
) -> int:
    """A draft with its first revision; give the post's id.

    `links`: item_id, source_id, template, answers_id, about_id, template_digest, item_revision.
    Raises NotAllowed, Invalid, NotFound.
    """
    if actor != MACHINE:
        people.require(conn, actor, Right.WRITE, unit_id)
    if not keys:
        raise Invalid("请至少选一个账号")
    _sensible_times(now, go_at, latest_at)
    made_of: dict[str, Any] = {name: links.pop(name) for name in MADE_OF if name in links}
    made_of["template"] = links.get("template", "")
    row = {
        "unit_id": unit_id,
        "kind": PostKind.EMERGENCY if emergency else kind,
        "title": body.title,
        "state": PostState.DRAFT,
        "author_id": actor.person,
        "emergency": emergency,
    }
    times = {"go_at": go_at, "latest_at": latest_at, "created_at": now, "changed_at": now}
    post_id = insert_id(conn, posts, {**row, **times, **links})
    _revision(office, conn, now, actor, post_id, body, keys, 1, **made_of)
    if actor == MACHINE:  # review looks at it next
        conn.execute(update(posts).where(posts.c.id == post_id).values(due_at=now))
    audit.write(conn, now, actor, "post.create", f"post:{post_id}")
    return post_id


def _sensible_times(now: datetime, go_at: datetime | None, latest_at: datetime | None) -> None:
    if latest_at is not None and latest_at <= max(now, go_at or now):
        raise Invalid("最迟时限须晚于计划时间和现在")


def revise(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    version: int,
    body: Body,
    keys: Sequence[str],
    *,
    go_at: datetime | None = None,
    latest_at: datetime | None = None,
    emergency: bool | None = None,
) -> int:
    """A new revision of a post; give its version. The sign-off of the one before is void.

    `version` is the one its author had in front of him: Conflict if another was quicker.
    """
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    if post["version"] != version:
        raise Conflict("这篇稿件刚被别人改过；您的修改没有保存，请比较两版后再存")
    if post["state"] == PostState.CLOSED:
        raise Conflict("这篇稿件已结束，请另起一篇")
    _sensible_times(now, go_at, latest_at)
    before = current(conn, post)
    number = before["number"] + 1
    values: dict[str, Any] = {"go_at": go_at, "latest_at": latest_at, "title": body.title}
    if emergency is not None:
        values["emergency"] = emergency
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    _void(conn, now, post_id, Say("稿件改到第 {n} 版", n=number))
    made_of = {name: before[name] for name in ("template", *MADE_OF)}
    _revision(office, conn, now, actor, post_id, body, keys, number, **made_of)
    audit.write(conn, now, actor, "post.revise", f"post:{post_id}", number=number)
    return version + 1


def _void(conn: Connection, now: datetime, post_id: int, why: Say) -> None:
    standing = approvals.c.post_id == post_id, approvals.c.voided_at.is_(None)
    conn.execute(update(approvals).where(*standing).values(voided_at=now, voided=why.json()))


def _revision(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    body: Body,
    keys: Sequence[str],
    number: int,
    **made_of: Any,
) -> None:
    """Render, screen, bind by a digest, keep; the post goes back to draft."""
    if not keys:
        raise Invalid("请至少选一个账号")
    post = locked(conn, post_id)
    parts = _taken_down(conn, post) or preview(office, conn, body, keys)
    manifest = manifest_of(post, parts)
    row = {
        "post_id": post_id,
        "number": number,
        "author_id": actor.person,
        "at": now,
        "manifest": manifest,
        "digest": digest_of(manifest),
        "body": body.json(),
        "findings": [_finding(p, f) for p in parts for f in p.findings],
    }
    revision_id = insert_id(conn, revisions, {**row, **made_of})
    conn.execute(insert(renditions), [_rendition(revision_id, part) for part in parts])
    anew = {"revision_id": revision_id, "state": PostState.DRAFT, "step": 0, "changed_at": now}
    to = {"accounts": sorted({p.account["id"] for p in parts}), "version": posts.c.version + 1}
    free = {"due_at": None, "lease": None, "leased_until": None}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**anew, **to, **free))


def _taken_down(conn: Connection, post: RowMapping) -> list[Rendered]:
    """What a withdrawal takes down: the parts as they were sent, wherever they were."""
    if post["kind"] != PostKind.WITHDRAWAL:
        return []
    sent = (
        select(deliveries.c.part, renditions.c.payload, *accounts.c)
        .join(renditions, renditions.c.id == deliveries.c.rendition_id)
        .join(accounts, accounts.c.id == deliveries.c.account_id)
        .where(deliveries.c.post_id == post["about_id"], deliveries.c.act == Act.PUBLISH)
        .order_by(accounts.c.id, deliveries.c.part)
    )
    rows = conn.execute(sent).mappings().all()
    return [Rendered(row, row["part"], Outgoing.of(row["payload"]), (), 0, 0) for row in rows]


def manifest_of(post: RowMapping, parts: Sequence[Rendered]) -> dict[str, Any]:
    """What is signed: everything that would be sent, to whom, as whom, and as what act."""
    act = Act.WITHDRAW if post["kind"] == PostKind.WITHDRAWAL else Act.PUBLISH
    return {
        "post": post["id"],
        "kind": post["kind"],
        "emergency": post["emergency"],
        "about": post["about_id"],
        "renditions": [
            [p.account["id"], p.part, p.digest, p.account["identity"], act] for p in parts
        ],
    }


def _finding(part: Rendered, finding: Finding) -> dict[str, Any]:
    return finding.json() | {"account": part.account["key"], "part": part.part}


def _rendition(revision_id: int, part: Rendered) -> dict[str, Any]:
    return {
        "revision_id": revision_id,
        "account_id": part.account["id"],
        "part": part.part,
        "payload": part.outgoing.json(),
        "digest": part.digest,
        "identity": part.account["identity"],
    }


def locked(conn: Connection, post_id: int) -> RowMapping:
    """The post, locked against sign-offs, edits and attempts. Raises NotFound."""
    lock(conn, posts, [post_id])
    return one(conn, post_id)


def one(conn: Connection, post_id: int) -> RowMapping:
    """The post, as it is read. Raises NotFound."""
    row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的稿件", id=post_id)
    return row


def current(conn: Connection, post: RowMapping) -> RowMapping:
    """The current revision of a post."""
    query = select(revisions).where(revisions.c.id == post["revision_id"])
    return conn.execute(query).mappings().one()


def account_keys(conn: Connection, post: RowMapping) -> list[str]:
    """The keys of the accounts a post goes to."""
    query = select(accounts.c.key).where(accounts.c.id.in_(post["accounts"] or []))
    return list(conn.execute(query.order_by(accounts.c.id)).scalars())


def close(conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """Put a post away; what of an earlier revision has not gone is called off.

    Raises Conflict for one that is signed.
    """
    post = locked(conn, post_id)
    people.require(conn, actor, Right.WRITE, post["unit_id"])
    if post["state"] == PostState.APPROVED:
        raise Conflict("已签发的稿件不能直接结束；请先在队列里取消投递")
    values = {"state": PostState.CLOSED, "changed_at": now, "version": posts.c.version + 1}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    _call_off(conn, now, post_id)
    close_notice(conn, now, f"returned:{post_id}", f"refer:{post_id}", f"post:{post_id}")
    audit.write(conn, now, actor, "post.close", f"post:{post_id}")


def _call_off(conn: Connection, now: datetime, post_id: int) -> None:
    unsent = (DeliveryState.READY, DeliveryState.FAILED, DeliveryState.MISSED)
    off = {"state": DeliveryState.CANCELLED, "reason": Say("稿件已结束").json(), "changed_at": now}
    free = {"due_at": None, "lease": None, "leased_until": None}
    mine = deliveries.c.post_id == post_id, deliveries.c.state.in_(unsent)
    rows = conn.execute(
        update(deliveries).where(*mine).values(**off, **free).returning(deliveries.c.id)
    )
    close_notice(conn, now, *(f"delivery:{row}" for row in rows.scalars()))


# ---------------------------------------------------------------- from the catalogue

# An account that is not connected yet may be soon; the longer that lasts, the rarer it is asked.
AGAIN, SELDOM = timedelta(seconds=10), timedelta(minutes=10)


def compose_due(office: Office, n: int = 50) -> int:
    """Make drafts of the new items whose turn it is; give how many were looked at."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows = lease.claim(conn, items, now, n, items.c.state == ItemState.NEW)
    for row in rows:
        with office.db.write() as conn:
            now = office.db.now(conn)
            act = partial(_compose_claimed, office, conn, now)
            for left in lease.see_to(conn, items, [row], now, act):
                said = Say("成稿时内部出错，已停下，请管理员查看日志")
                open_notice(conn, now, f"item:{left['id']}", said, None, "/items")
    return len(rows)


def _compose_claimed(office: Office, conn: Connection, now: datetime, row: RowMapping) -> None:
    if strangers := _unconnected(office, conn, row):
        said = Say("等账号 {names} 连接后成稿", names="、".join(strangers))
        again = min(max(AGAIN, (now - row["seen_at"]) / 10), SELDOM)
        lease.settle(conn, items, row, now + again, waits=said.json())
        return
    try:
        with conn.begin_nested():  # half a post is none
            post_id = from_item(office, conn, now, MACHINE, row["id"])
    except (ConfigError, NotFound, Invalid) as error:
        said = Say("没能成稿：{why}", why=error.say)
        lease.settle(conn, items, row, None, waits=said.json())
        open_notice(conn, now, f"item:{row['id']}", said, None, "/items")
        return
    close_notice(conn, now, f"item:{row['id']}")
    done = {"state": ItemState.COMPOSED, "post_id": post_id, "waits": None}
    if not lease.settle(conn, items, row, None, **done):
        raise Conflict("条目 {id} 已由别处处理", id=row["id"])


def _unconnected(office: Office, conn: Connection, item: RowMapping) -> list[str]:
    """An entry's accounts whose identity is not known yet: nothing can be signed for them."""
    key = conn.execute(select(sources.c.key).where(sources.c.id == item["source_id"])).scalar_one()
    part = office.config.sources.get(key)
    wanted = part.of_column(item["column"]).accounts if part else ()
    unknown = accounts.c.key.in_(wanted), accounts.c.identity == ""
    by_hand = accounts.c.capabilities["by_hand"].as_boolean()
    query = select(accounts.c.name).where(*unknown, by_hand.is_not(True))
    return list(conn.execute(query.order_by(accounts.c.id)).scalars())


def from_item(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    item_id: int,
    template: str = "",
    keys: Sequence[str] = (),
) -> int:
    """A draft made of a catalogue entry; give the post's id.

    Template and accounts are the source's unless given. Raises ConfigError, NotFound, NotAllowed.
    """
    item = item_of(conn, item_id)
    part = office.config.sources.get(item["source_key"])
    part = part and part.of_column(item["column"])
    name = template or (part.template if part else "notice")
    chosen = list(keys) or list(part.accounts if part else ())
    made = templates.load(office.config.place(office.config.templates), name)
    body = body_of(office, conn, made, Entry.of(item["entry"]), chosen)
    post_id = create(
        office,
        conn,
        now,
        actor,
        unit_id=item["unit_id"],
        keys=chosen,
        body=body,
        kind=made.front.kind,
        item_id=item_id,
        source_id=item["source_id"],
        template=name,
        template_digest=made.digest,
        item_revision=item["revision"],
    )
    if actor != MACHINE:
        close_notice(conn, now, f"item:{item_id}")
        done = {"state": ItemState.COMPOSED, "post_id": post_id, "due_at": None, "waits": None}
        conn.execute(update(items).where(items.c.id == item_id).values(**done))
    return post_id


def item_of(conn: Connection, item_id: int) -> RowMapping:
    """An item with its source's key and unit. Raises NotFound."""
    query = select(*items.c, sources.c.key.label("source_key"), sources.c.unit_id).join(sources)
    row = conn.execute(query.where(items.c.id == item_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    return row


def body_of(
    office: Office,
    conn: Connection,
    template: templates.Template,
    entry: Entry,
    keys: Sequence[str],
) -> Body:
    """The template rendered for each account; the first one's text stands for all that agree."""
    body = body_from(office, conn, template, fields_of(office, entry), keys)
    return replace(body, link=entry.link, language=entry.language[:2] or "zh")


def body_from(
    office: Office,
    conn: Connection,
    template: templates.Template,
    fields: Mapping[str, Any],
    keys: Sequence[str],
) -> Body:
    """A template rendered with `fields` for each account. Raises ConfigError, NotFound."""
    rows = _accounts(conn, keys)
    texts = {row["key"]: template.render({**fields, "account": _facts(row)}) for row in rows}
    common = next(iter(texts.values()), "")
    return Body(
        text=common,
        title=template.title(fields),
        visibility=template.front.visibility,
        warning=template.front.warning,
        over_limit=template.front.over_limit,
        variants={key: words for key, words in texts.items() if words != common},
    )


def fields_of(office: Office, entry: Entry) -> dict[str, Any]:
    """What a template may name: the entry's fields, dates on the office's clock."""
    fields = entry.json() | {"attachments": entry.attachments}
    for name in ("published", "formed"):
        fields[name] = templates.fields_of_day(getattr(entry, name), office.config.tz)
    return fields


def _facts(account: RowMapping) -> dict[str, Any]:
    able = account["capabilities"]
    known = {"key": account["key"], "adapter": account["adapter"], "name": account["name"]}
    return known | {"limit": able["text_limit"], "title": able["title"]}


# ---------------------------------------------------------------- answers, corrections, withdrawals


def answer(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    reply_id: int,
    words: str,
    **times: Any,
) -> int:
    """A response to a public reply, as a draft to be signed like any other; give the post's id."""
    reply = conn.execute(select(replies).where(replies.c.id == reply_id)).mappings().first()
    if reply is None:
        raise NotFound("没有编号 {id} 的评论", id=reply_id)
    account = (
        conn.execute(select(accounts).where(accounts.c.id == reply["account_id"])).mappings().one()
    )
    template = templates.load(office.config.place(office.config.templates), "response")
    fields = {
        "text": words,
        "title": "",
        "author": reply["author_name"],
        "mention": reply["handle"],
    }
    body = Body(
        text=template.render(fields | {"account": _facts(account)}),
        title=str(Say("答复：{text}", text=text.short_title(reply["text"], 24))),
        visibility=template.front.visibility,
        warning=template.front.warning,
        over_limit=template.front.over_limit,
        in_reply_to={account["key"]: reply["remote_id"]},
    )
    return create(
        office,
        conn,
        now,
        actor,
        unit_id=account["unit_id"],
        keys=[account["key"]],
        body=body,
        kind=PostKind.RESPONSE,
        answers_id=reply_id,
        template="response",
        template_digest=template.digest,
        **times,
    )


def withdrawal(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, reason: str
) -> int:
    """A decision, itself to be signed, to take a post down wherever it stands; give its id."""
    if not reason.strip():
        raise Invalid("请写明撤回的理由")
    post = locked(conn, post_id)
    revision = current(conn, post)
    body = replace(Body.of(revision["body"]), title=str(Say("撤回：{title}", title=post["title"])))
    made = create(
        office,
        conn,
        now,
        actor,
        unit_id=post["unit_id"],
        keys=account_keys(conn, post),
        body=body,
        kind=PostKind.WITHDRAWAL,
        about_id=post_id,
    )
    audit.write(conn, now, actor, "post.withdraw", f"post:{post_id}", by=made)
    return made


def source_moved(conn: Connection, post: RowMapping) -> int | None:
    """The newer number of the entry this post was made of, if it changed since."""
    if post["item_id"] is None:
        return None
    newest = conn.execute(
        select(func.max(item_revisions.c.number)).where(item_revisions.c.item_id == post["item_id"])
    ).scalar()
    made_of = current(conn, post)["item_revision"]
    return newest if newest and made_of and newest > made_of else None
