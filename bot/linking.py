"""Which addresses a revision has, and what is known of them: rows that compose feeds, bot.links works
and review reads.

Findings are no part of what is signed. Those of links are put into a revision's as long as nobody has
signed it whole; from then on they stand as they were known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, select, update

from bot.db import accounts, insert_missing, link_uses, links, renditions, revisions
from bot.model import Capabilities, LinkLook, LinkState, Outgoing
from bot.office import Office
from bot.screen import LOOKED_UP, Context, about_links
from bot.text import asked_as
from bot.text import links as spans
from bot.wordlists import rules_of

FRESH = timedelta(days=1)  # so long what was found is believed
PATIENCE = timedelta(minutes=1)  # so long what the machine composed waits for the first look


def addresses(texts: Iterable[str], parameters: Collection[str] = ("",)) -> set[str]:
    """What opens the links in some texts; `parameters`: that platforms mark them with."""
    found = {text[start:end] for text in texts for start, end in spans(text)}
    return {asked_as(link, parameter) for link in found for parameter in {"", *parameters}}


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def known(conn: Connection, now: datetime, wanted: Collection[str]) -> dict[str, LinkLook]:
    """Those of some addresses that were looked up of late."""
    query = select(links.c.address, links.c.state, links.c.status).where(
        links.c.digest.in_([_digest(one) for one in wanted]), links.c.looked_at > now - FRESH
    )
    return _looked(conn.execute(query)) if wanted else {}


def _looked(rows: Iterable[Any]) -> dict[str, LinkLook]:
    return {address: LinkLook(LinkState(state), status) for address, state, status in rows}


def note(
    conn: Connection, now: datetime, revision_id: int, parts: Sequence[tuple[Outgoing, str]]
) -> None:
    """A revision's links are to be looked up; of each part what is sent, and its account's parameter.

    Rows are only added, none is changed: whoever holds a post waits for nobody who looks.
    """
    wanted = {
        asked_as(text[start:end], parameter)
        for out, parameter in parts
        for text in (out.text, out.link)
        for start, end in spans(text)
    }
    rows = [_row(address, now) for address in wanted]
    insert_missing(conn, links, sorted(rows, key=lambda row: row["digest"]))
    ids = select(links.c.id).where(links.c.digest.in_([row["digest"] for row in rows]))
    uses = [{"revision_id": revision_id, "link_id": one} for one in conn.execute(ids).scalars()]
    if uses:
        conn.execute(insert(link_uses), uses)


def _row(address: str, now: datetime) -> dict[str, Any]:
    named = {"address": address, "host": urlsplit(address).netloc.rpartition("@")[2].lower()}
    return {"digest": _digest(address), "state": LinkState.UNKNOWN, "due_at": now, **named}


def states(conn: Connection, revision_id: int) -> dict[str, LinkLook]:
    """What is known of all of a revision's links."""
    query = select(links.c.address, links.c.state, links.c.status).join(
        link_uses, link_uses.c.link_id == links.c.id
    )
    return _looked(conn.execute(query.where(link_uses.c.revision_id == revision_id)))


def refresh(office: Office, conn: Connection, revision_id: int) -> None:
    """Put what is known of its links into a revision's findings; its post is locked."""
    looked = states(conn, revision_id)
    if not looked:
        return
    query = select(revisions.c.findings).where(revisions.c.id == revision_id)
    stand = conn.execute(query).scalar() or []
    found = [f for f in stand if f["rule"] not in LOOKED_UP]
    found += _found(office, conn, revision_id, looked)
    if found != stand:
        conn.execute(update(revisions).where(revisions.c.id == revision_id).values(findings=found))


def _found(
    office: Office, conn: Connection, revision_id: int, looked: Mapping[str, LinkLook]
) -> list[dict[str, Any]]:
    query = (
        select(renditions.c.payload, renditions.c.part, accounts.c.key, accounts.c.capabilities)
        .join(accounts, accounts.c.id == renditions.c.account_id)
        .where(renditions.c.revision_id == revision_id)
        .order_by(renditions.c.account_id, renditions.c.part)
    )
    rules, said = rules_of(office.config), []
    for payload, part, key, able in conn.execute(query):
        context = Context(capabilities=Capabilities.of(able), links=looked)
        one = about_links(payload["text"], payload["link"], rules=rules, context=context)
        said += [finding.json() | {"account": key, "part": part} for finding in one]
    return said


def waits(conn: Connection, now: datetime, revision_id: int, made: datetime) -> bool:
    """Is a link of a young revision still to be looked at for the first time?"""
    first = link_uses.c.revision_id == revision_id, links.c.looked_at.is_(None)
    query = select(links.c.id).join(link_uses, link_uses.c.link_id == links.c.id).where(*first)
    return made > now - PATIENCE and conn.execute(query).first() is not None
