"""The words of a message: what, where to look, since when. No secrets, and nobody's replies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping

from bot.config import AddressPart
from bot.language import Say, speaking
from bot.office import Office
from bot.telling.planning import CLOSED

MOST = 40  # sentences of one message; the console shows the others


def words(office: Office, part: AddressPart, rows: Sequence[RowMapping]) -> tuple[str, str]:
    """Title and text of a message that tells these; in the address's language."""
    with speaking(part.language or office.config.language):
        said = [_sentence(row) for row in rows]
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


def _sentence(row: RowMapping) -> Say:
    said = Say.of(row["say"])
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
