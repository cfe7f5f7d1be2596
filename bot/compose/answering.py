"""Answers to the public, and taking down: posts that are about something published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import audit, text
from bot.compose.body import Body
from bot.compose.drafting import create
from bot.compose.filling import facts, load
from bot.compose.reading import account_keys, current, locked
from bot.db import accounts, replies
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, PostKind
from bot.office import Office
from bot.templates import Template


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
    query = select(accounts).where(accounts.c.id == reply["account_id"])
    account = conn.execute(query).mappings().one()
    template = load(office, "response")
    links = {"answers_id": reply_id, "kind": PostKind.RESPONSE, **times}
    links |= {"template": "response", "template_digest": template.digest}
    body = _answering(template, reply, account, words)
    where = {"unit_id": account["unit_id"], "keys": [account["key"]]}
    return create(office, conn, now, actor, body=body, **where, **links)


def _answering(template: Template, reply: RowMapping, account: RowMapping, words: str) -> Body:
    asker = {"author": reply["author_name"], "mention": reply["handle"]}
    fields = {"text": words, "title": "", **asker, "account": facts(account)}
    return Body(
        text=template.render(fields),
        title=str(Say("答复：{text}", text=text.short_title(reply["text"], 24))),
        visibility=template.front.visibility,
        warning=template.front.warning,
        over_limit=template.front.over_limit,
        in_reply_to={account["key"]: reply["remote_id"]},
    )


def withdrawal(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, reason: str
) -> int:
    """A decision, itself to be signed, to take a post down wherever it stands; give its id."""
    if not reason.strip():
        raise Invalid("请写明撤回的理由")
    post = locked(conn, post_id)
    if post["kind"] == PostKind.REPOST:
        raise Conflict("转发不在这里撤回；请到平台上取消转发")
    revision = current(conn, post)
    named = str(Say("撤回：{title}", title=post["title"]))
    body = replace(Body.of(revision["body"]), title=named, reason=reason.strip())
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
