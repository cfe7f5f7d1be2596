"""What screening knows beside a text: the day it is read, and what its account has said before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, RowMapping, select

from bot import linking
from bot.compose.body import Body
from bot.db import deliveries, renditions
from bot.model import Act, Capabilities, DeliveryState, LinkLook, Media
from bot.office import Office
from bot.screen import Context


@dataclass(frozen=True)
class Occasion:
    """The same for all accounts of a post, but for what each has sent."""

    on: date
    scheduled: bool  # it goes out on another day than it is written
    earlier: Mapping[int, Sequence[str]]  # account → the texts it has sent
    alt_required: frozenset[int]  # the accounts that let no picture through without words
    links: Mapping[str, LinkLook]  # of its addresses, those that were looked up

    def context(
        self, account: RowMapping, able: Capabilities, media: Sequence[Media], part: bool
    ) -> Context:
        """For one part on one account; `part`: it is a piece of a longer text."""
        return Context(
            on=self.on,
            scheduled=self.scheduled,
            capabilities=able,
            media=media,
            earlier=self.earlier.get(account["id"], ()),
            part=part,
            alt_required=account["id"] in self.alt_required,
            links=self.links,
        )


def occasion_of(
    office: Office,
    conn: Connection,
    body: Body,
    rows: Sequence[RowMapping],
    go_at: datetime | None,
    post: RowMapping | None,
) -> Occasion:
    """`rows` are the accounts; what `post` itself has sent is left out."""
    now = office.db.now(conn)
    today = now.astimezone(office.config.tz).date()
    on = go_at.astimezone(office.config.tz).date() if go_at else today
    own = [id for id in (post["id"], post["about_id"]) if id] if post else []
    asked = [row for row in rows if row["key"] not in body.in_reply_to]  # answers may be alike
    earlier = {row["id"]: _sent_texts(office, conn, row["id"], own) for row in asked}
    parts = office.config.accounts
    strict = (r["id"] for r in rows if r["key"] in parts and parts[r["key"]].alt_required)
    looked = _looked(conn, now, body, rows) if office.config.screening.dead_links else {}
    return Occasion(on, on != today, earlier, frozenset(strict), looked)


def _looked(
    conn: Connection, now: datetime, body: Body, rows: Sequence[RowMapping]
) -> Mapping[str, LinkLook]:
    marks = {Capabilities.of(row["capabilities"]).link_parameter for row in rows}
    texts = (body.text, body.link, *body.variants.values())
    return linking.known(conn, now, linking.addresses(texts, marks))


def _sent_texts(
    office: Office, conn: Connection, account_id: int, own: Sequence[int]
) -> Sequence[str]:
    """What the account has sent of other posts, the newest first."""
    query = (
        select(renditions.c.payload["text"].as_string())
        .join(deliveries, deliveries.c.rendition_id == renditions.c.id)
        .where(
            deliveries.c.account_id == account_id,
            deliveries.c.state == DeliveryState.SENT,
            deliveries.c.act == Act.PUBLISH,
            deliveries.c.post_id.not_in(own),
        )
        .order_by(deliveries.c.id.desc())
        .limit(office.config.screening.earlier)
    )
    return conn.execute(query).scalars().all()
