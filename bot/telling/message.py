"""The words of a message: what, where to look, since when. No secrets, and nobody's replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from bot.config import AddressPart
from bot.db import among, deliveries
from bot.language import Say, speaking
from bot.model import DeliveryState, NoticeKind
from bot.notices import kind_of, sentence
from bot.office import Office
from bot.telling.planning import CLOSED

MOST = 40  # sentences of one message; the console shows the others
K, S = NoticeKind, DeliveryState
ADVICE: Mapping[str, Say] = {  # what to do, where the sentence alone does not say so
    "given-back": Say("改好再次报送，或者收回"),
    "secret": Say("把文件移到涉密载体上，查清谁能打开这个文件夹，向保密工作机构报告"),
    K.RETURNED: Say("请拟稿人按意见修改，重新送审"),
    K.REFER: Say("等主管部门或保密行政管理部门答复；有了答复由审签人写明依据，通过或退回"),
    K.SOURCE: Say("会接着再读；网站改版了就在来源页试读，按结果改 config.toml"),
    K.FLOOD: Say("到目录逐条或整批决定成稿还是不发"),
    K.ITEM: Say("到条目页成稿、退回或不发"),
    K.HOLD: Say("核对以后到停发页解除，或改稿、撤稿"),
    K.COLLECT: Say("会接着再采；一直不行就核对账号的授权和平台的限制"),
    K.GAP: Say("到账号上看那段时间发了什么；要紧的评论在那里看，看过以后结束这条提醒"),
    K.TAKE_DOWN: Say("撤下目录里的条目，已发的另办撤回"),
    K.TELLING: Say("核对 config.toml 的这个通知地址，再用 gongkai notices test 试发"),
}
OF_DELIVERIES = {
    S.UNCERTAIN: Say(
        "先到账号上看这一条在不在，再在投递页说明已发出、没有发出还是不发了；不要另发一遍"
    ),
    S.FAILED: Say("按平台所说改稿重新送审，或在投递页再发一次"),
    S.MISSED: Say("仍要发的，在签发时段内可在投递页补发，过了时段就改期、重新审签；不发的就取消"),
    S.READY: Say("在投递页决定现在发还是不发"),
}


def words(
    office: Office,
    part: AddressPart,
    rows: Sequence[RowMapping],
    about: Mapping[str, Say],
    advice: Mapping[str, Say],
) -> tuple[str, str]:
    """Title and text of a message that tells these; in the address's language.

    `about`: what a notice is of, by its key, where its sentence does not say so. `advice`: what
    to do, by its key.
    """
    with speaking(part.language or office.config.language):
        said = [_sentence(row, about) for row in rows]
        first = Say("【公开提醒】{said}", said=said[0])
        many = Say("【公开提醒】{n} 件：{said} …", n=len(said), said=said[0])
        title = first if len(said) == 1 else many
        blocks = [
            _block(office, row, one, advice.get(row["key"]))
            for row, one in zip(rows, said, strict=True)
        ]
        if len(blocks) > MOST:
            left = len(blocks) - MOST
            blocks[MOST:] = [str(Say("另有 {n} 件，请到控制台查看", n=left))]
        return _one_line(str(title)), "\n\n".join(blocks)


def advice_of(conn: Connection, rows: Sequence[RowMapping]) -> dict[str, Say]:
    """What to do about each, by its key; of a delivery by how it stands now."""
    keys = {row["key"] for row in rows}
    words = {key: (key.partition(":")[0], kind_of(key)) for key in keys}
    found = {k: ADVICE[w] for k, two in words.items() if (w := next(filter(ADVICE.get, two), ""))}
    of = {int(k.partition(":")[2]): k for k, (word, _) in words.items() if word == K.DELIVERY}
    if of:
        query = select(deliveries.c.id, deliveries.c.state).where(among(deliveries.c.id, "ids"))
        states = conn.execute(query, {"ids": list(of)}).all()
        found |= {of[n]: OF_DELIVERIES[S(state)] for n, state in states if state in OF_DELIVERIES}
    return found


def at_once(office: Office, part: AddressPart, said: Say, now: datetime) -> tuple[str, str]:
    """Title and text of what is told past the store."""
    with speaking(part.language or office.config.language):
        title = Say("【公开提醒】{said}", said=said)
        text = f"{said}\n{_time(office, now)}\n{office.config.console_url}/"
        return _one_line(str(title)), text


def trial(office: Office, name: str, part: AddressPart, now: datetime) -> tuple[str, str]:
    """Title and text of a message that only shows that messages arrive."""
    with speaking(part.language or office.config.language):
        title = Say("【公开提醒】试发")
        text = Say("这是一条试发的提醒；收到即说明“{name}”配置无误。", name=name)
        return str(title), f"{text}\n{_time(office, now)}\n{office.config.console_url}/"


def _sentence(row: RowMapping, about: Mapping[str, Say]) -> Say:
    said = sentence(row, about)
    return Say("已结束：{said}", said=said) if row["kind"] == CLOSED else said


def _block(office: Office, row: RowMapping, said: Say, advice: Say | None) -> str:
    over = row["kind"] == CLOSED
    lines = [str(said)]
    if advice is not None and not over:
        lines.append(str(Say("怎么办：{advice}", advice=advice)))
    lines.append(_time(office, row["closed_at"] if over else row["opened_at"]))
    if row["link"]:
        lines.append(f"{office.config.console_url}{row['link']}")
    return "\n".join(lines)


def _time(office: Office, at: datetime) -> str:
    return f"{at.astimezone(office.config.tz):%Y-%m-%d %H:%M} ({office.config.zone})"


def _one_line(title: str) -> str:
    """A subject has no line breaks and is short."""
    flat = " ".join(title.split())
    return flat if len(flat) <= 80 else flat[:79] + "…"
