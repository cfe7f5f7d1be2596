"""The words of a message: what, where to look, since when. No secrets, and nobody's replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from bot.config import AddressPart
from bot.db import accounts, deliveries, posts
from bot.language import Say, speaking
from bot.model import NoticeKind, PostKind
from bot.office import Office
from bot.telling.planning import CLOSED

MOST = 40  # sentences of one message; the console shows the others


def words(
    office: Office, part: AddressPart, rows: Sequence[RowMapping], about: Mapping[str, Say]
) -> tuple[str, str]:
    """Title and text of a message that tells these; in the address's language.

    `about`: the post and account a notice is of, by its key, where its sentence does not say so.
    """
    with speaking(part.language or office.config.language):
        said = [_sentence(row, about.get(row["key"])) for row in rows]
        first = Say("【公开提醒】{said}", said=said[0])
        title = first if len(said) == 1 else Say("【公开提醒】{n} 件事", n=len(said))
        blocks = [_block(office, row, one) for row, one in zip(rows, said, strict=True)]
        if len(blocks) > MOST:
            left = len(blocks) - MOST
            blocks[MOST:] = [str(Say("另有 {n} 件，请到控制台查看", n=left))]
        return _one_line(str(title)), "\n\n".join(blocks)


def trial(office: Office, name: str, part: AddressPart, now: datetime) -> tuple[str, str]:
    """Title and text of a message that only shows that messages arrive."""
    with speaking(part.language or office.config.language):
        title = Say("【公开提醒】试发")
        text = Say("这是一条试发的提醒；收到即说明“{name}”配置无误。", name=name)
        return str(title), f"{text}\n{_time(office, now)}\n{office.config.console_url}/"


def about(conn: Connection, rows: Sequence[RowMapping]) -> dict[str, Say]:
    """What notices of deliveries and of returned or referred posts are of, by their keys."""
    found: dict[str, Say] = {}
    for key in {row["key"] for row in rows}:
        kind, _, number = key.partition(":")
        if not number.isdecimal():
            continue
        asked = select(posts.c.id, posts.c.title, posts.c.kind)
        if kind == NoticeKind.DELIVERY:
            of = asked.add_columns(accounts.c.name, accounts.c.key).join(
                deliveries, deliveries.c.post_id == posts.c.id
            )
            of = of.join(accounts, accounts.c.id == deliveries.c.account_id)
            row = conn.execute(of.where(deliveries.c.id == int(number))).mappings().first()
            if row is not None:
                account = row["name"] or row["key"]
                found[key] = Say("{what}在{account}", what=_post(row), account=account)
        elif kind in (NoticeKind.RETURNED, NoticeKind.REFER):
            row = conn.execute(asked.where(posts.c.id == int(number))).mappings().first()
            if row is not None:
                found[key] = _post(row)
    return found


def _post(row: RowMapping) -> Say:
    """A response's title holds the words it answers: it is told by its number."""
    if row["kind"] == PostKind.RESPONSE:
        return Say("答复稿 {id}", id=row["id"])
    return Say("“{title}”", title=row["title"] or row["id"])


def _sentence(row: RowMapping, of: Say | None) -> Say:
    said = Say.of(row["say"])
    if of is not None:
        said = Say("{what}：{said}", what=of, said=said)
    return Say("已结束：{said}", said=said) if row["kind"] == CLOSED else said


def _block(office: Office, row: RowMapping, said: Say) -> str:
    at = row["closed_at"] if row["kind"] == CLOSED else row["opened_at"]
    link = f"\n{office.config.console_url}{row['link']}" if row["link"] else ""
    return f"{said}\n{_time(office, at)}{link}"


def _time(office: Office, at: datetime) -> str:
    return f"{at.astimezone(office.config.tz):%Y-%m-%d %H:%M} ({office.config.zone})"


def _one_line(title: str) -> str:
    """A subject has no line breaks and is short."""
    flat = " ".join(title.split())
    return flat if len(flat) <= 80 else flat[:79] + "…"
