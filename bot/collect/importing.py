"""What the public says elsewhere comes into the same log: 12345, 县长信箱, letters, by file or by hand.

Messages become replies of a by-hand account. A file is taken whole or not at all; taken twice it adds
nothing; one whose words changed since keeps both wordings. Only what a message needs is taken in:
telephone numbers and addresses in other columns stay where they are (个人信息保护法 art. 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from bot import audit, people
from bot.collect.intake import ERASED, Scope, take_in
from bot.collect.tables import Row, moment, read
from bot.db import accounts, among, posts, replies
from bot.errors import Invalid, NotFound
from bot.language import Say
from bot.model import Actor, RemoteReply, Right
from bot.office import Office

TOLD = 20  # mistakes of one file
LONGEST = 200  # characters of a message's own number: an index must take it
AHEAD = timedelta(days=1)  # a clock elsewhere may be wrong by as much
LABELS = {  # what each column is to people
    "text": Say("内容"),
    "at": Say("时间"),
    "id": Say("对方的编号"),
    "title": Say("标题"),
    "author": Say("何人"),
    "url": Say("链接"),
    "post": Say("稿件编号"),
}


@dataclass(frozen=True)
class Imported:
    """What an import did. `unused`: headings of the file that were left aside."""

    rows: int
    new: int
    changed: int
    names: Mapping[str, str]
    unused: tuple[str, ...]


def by_hand(conn: Connection, actor: Actor) -> list[RowMapping]:
    """The accounts that take messages from elsewhere and whose replies this person handles."""
    mine = accounts.c.unit_id.in_(people.unit_ids(conn, actor, Right.REPLY))
    rows = conn.execute(select(accounts).where(mine).order_by(accounts.c.id)).mappings()
    return [row for row in rows if (row["capabilities"] or {}).get("by_hand")]


@dataclass(frozen=True)
class Message:
    """One, ready to be taken in; `post`: the number of the post it is about, if it says so."""

    reply: RemoteReply
    post: int | None


def import_file(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    account_key: str,
    file: Path,
    told: Mapping[str, str],
) -> Imported:
    """Take a table of messages in. Raises Invalid naming rows and columns; then nothing was taken."""
    account = account_of(conn, actor, account_key)
    table = read(file, told)
    wrong: list[Say] = []
    reader = _Reader(office, conn, now, actor, table.names, wrong)
    made = [message for row in table.rows if (message := reader.message(row)) is not None]
    _refuse_doubled(made, table.rows, wrong)
    if wrong:
        raise Invalid(
            "{file} 有 {n} 处不对，什么都没有导入：{first}",
            file=file.name,
            n=len(wrong),
            first="；".join(map(str, wrong[:TOLD])),
        )
    new, changed = _take(conn, now, account, made)
    data = {"rows": len(made), "new": new, "changed": changed}
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    audit.write(conn, now, actor, "reply.import", f"account:{account['id']}", file=sha256, **data)
    return Imported(len(made), new, changed, table.names, table.unused)


def add(
    office: Office, conn: Connection, now: datetime, actor: Actor, account_key: str, **values: Any
) -> int:
    """Enter one message by hand: text, at (default now), and id, title, author, url, post.

    Gives the reply's id; the same once more is the same reply. Raises Invalid, NotFound, NotAllowed.
    """
    account = account_of(conn, actor, account_key)
    wrong: list[Say] = []
    row = Row(0, {"at": now, **{k: v for k, v in values.items() if v is not None}})
    made = _Reader(office, conn, now, actor, LABELS, wrong).message(row)
    if made is None:
        raise Invalid(wrong[0])
    new, changed = _take(conn, now, account, [made])
    mine = replies.c.account_id == account["id"], replies.c.remote_id == made.reply.remote_id
    reply: int = conn.execute(select(replies.c.id).where(*mine)).scalar_one()
    if new or changed:
        audit.write(conn, now, actor, "reply.enter", f"reply:{reply}")
    return reply


def account_of(conn: Connection, actor: Actor, key: str) -> RowMapping:
    """A by-hand account whose replies this person may handle; the machine's own shell may."""
    row = conn.execute(select(accounts).where(accounts.c.key == key)).mappings().first()
    if row is None:
        raise NotFound(
            "没有账号 {key}；账号在 config.toml 的 [accounts] 里声明，再运行 gongkai check 收入",
            key=key,
        )
    if actor.person is not None:
        people.require(conn, actor, Right.REPLY, row["unit_id"])
    if not (row["capabilities"] or {}).get("by_hand"):
        raise Invalid('账号 {key} 的评论由系统采集；导入请用 adapter = "byhand" 的账号', key=key)
    return row


# ---------------------------------------------------------------- a row


@dataclass(frozen=True)
class _Reader:
    """Rows into messages; each mistake is added to `wrong`."""

    office: Office
    conn: Connection
    now: datetime
    actor: Actor
    names: Mapping[str, str | Say]
    wrong: list[Say]

    def message(self, row: Row) -> Message | None:
        """None for a row with a mistake."""
        before = len(self.wrong)
        text = _words(row)
        if not text:
            self._wrong(row, "text", Say("是空的"))
        at = moment(row.values.get("at"), self.office.config.tz)
        if at is None:
            self._wrong(row, "at", Say("不是时间：{value}", value=row.text("at")[:30] or "—"))
        elif at > self.now + AHEAD:
            self._wrong(row, "at", Say("晚于现在：{value}", value=row.text("at")[:30]))
        if len(row.text("id")) > LONGEST:
            self._wrong(row, "id", Say("超过 {n} 字", n=LONGEST))
        post = row.text("post")
        if post and not self._may_file_under(post):
            self._wrong(row, "post", Say("没有这篇稿件：{value}", value=post[:30]))
        if len(self.wrong) > before or at is None:
            return None
        return Message(_reply(row, text, at), int(post) if post else None)

    def _wrong(self, row: Row, name: str, why: Say) -> None:
        """A message typed in stands in no row."""
        where = self.names.get(name, name)
        said = Say("第 {row} 行“{column}”{why}", row=row.number, column=where, why=why)
        self.wrong.append(said if row.number else Say("“{column}”{why}", column=where, why=why))

    def _may_file_under(self, number: str) -> bool:
        """Is it a post whose replies this person handles?"""
        if not number.isdecimal() or len(number) > 15:
            return False
        query = select(posts.c.unit_id).where(posts.c.id == int(number))
        unit = self.conn.execute(query).scalar()
        if unit is None or self.actor.person is None:
            return unit is not None
        return people.may(self.conn, self.actor, Right.REPLY, unit)


def _words(row: Row) -> str:
    title, text = row.text("title"), row.text("text")
    return f"{title}\n{text}" if title and text and title not in text else text


def _reply(row: Row, text: str, at: datetime) -> RemoteReply:
    """Without a number of its own it is known by who said what when."""
    author = row.text("author")
    said = "\n".join((at.isoformat(), author, text))
    own = row.text("id") or f"sha256:{hashlib.sha256(said.encode()).hexdigest()[:32]}"
    return RemoteReply(
        remote_id=own, author_id="", author_name=author, text=text, at=at, url=row.text("url")
    )


def _refuse_doubled(made: Sequence[Message], rows: Sequence[Row], wrong: list[Say]) -> None:
    """One number, two texts: one of them would be taken for an edit of the other."""
    first: dict[str, str] = {}
    for one in made:
        if first.setdefault(one.reply.remote_id, one.reply.text) != one.reply.text:
            number = next(
                (row.number for row in reversed(rows) if row.text("id") == one.reply.remote_id), 0
            )
            wrong.append(
                Say(
                    "第 {row} 行的编号 {id} 与前面重复，内容不同",
                    row=number,
                    id=one.reply.remote_id,
                )
            )


# ---------------------------------------------------------------- taking in


def _take(
    conn: Connection, now: datetime, account: RowMapping, made: Sequence[Message]
) -> tuple[int, int]:
    """How many are new, and of how many the words changed."""
    scope = Scope(account["id"], account["identity"])
    changed = _changed(conn, account["id"], {m.reply.remote_id: m.reply.text for m in made})
    new = take_in(conn, now, scope, [one.reply for one in made])
    for one in made:
        if one.post is not None:
            mine = replies.c.account_id == account["id"], replies.c.remote_id == one.reply.remote_id
            conn.execute(update(replies).where(*mine).values(post_id=one.post))
    return new, changed


def _changed(conn: Connection, account_id: int, texts: Mapping[str, str]) -> int:
    """Of how many that stand the words differ."""
    query = select(replies.c.remote_id, replies.c.text).where(
        replies.c.account_id == account_id,
        replies.c.removed_why != ERASED,
        among(replies.c.remote_id, "ids"),
    )
    found = conn.execute(query, {"ids": list(texts)})
    return sum(texts[remote] != said for remote, said in found)
