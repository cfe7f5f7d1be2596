"""A revision as it will stand: its renditions account by account, findings, pictures, figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from bot import text
from bot.db import accounts, renditions, revisions
from bot.errors import NotFound
from bot.language import Say
from bot.model import PREVIOUS_PART, Capabilities, Unit
from bot.web import looks
from bot.web.lists import Row, account
from bot.web.marks import differences, marked

UNIT_WORDS = {
    Unit.CHARACTERS: Say("字符"),
    Unit.GRAPHEMES: Say("字符"),
    Unit.WEIBO: Say("字"),
    Unit.NONE: Say("字符"),
}


def parts_of(conn: Connection, revision_id: int) -> list[dict[str, Any]]:
    """The renditions of a revision, those alike to the byte shown once for all their accounts."""
    rows = conn.execute(
        select(renditions, accounts)
        .join(accounts, accounts.c.id == renditions.c.account_id)
        .where(renditions.c.revision_id == revision_id)
        .order_by(renditions.c.account_id, renditions.c.part)
    )
    shown = alike([_part(row) for row in rows])
    body = conn.execute(select(revisions.c.body).where(revisions.c.id == revision_id)).scalar_one()
    from_pictures(shown, body["media"])
    return shown


def _part(row: Any) -> dict[str, Any]:
    known = row._mapping
    able = {c: known[accounts.c[c]] for c in accounts.c.keys()}  # noqa: SIM118 - columns, not a dict
    return part(
        able, known[renditions.c.part], known[renditions.c.payload], known[renditions.c.digest]
    )


def part(row: Row, number: int, payload: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """One part on one account, in its platform's look, from a stored payload (bot.model.Outgoing)."""
    able, shown = Capabilities.of(row["capabilities"]), account(row)
    look, words = looks.look_of(shown), payload["text"]
    size = text.count(words, able.unit, able.link_weight)
    return {
        "accounts": [shown],
        "identities": [row["identity_name"] or ""],
        "number": number,
        "payload": payload,
        "digest": digest,
        "threaded": payload["in_reply_to"] == PREVIOUS_PART,
        "look": look,
        "marked": marked(words, (), looks.drawing(look, words)),
        "links": looks.addresses(look, words),
        "folded": look == looks.WEIBO and size > looks.FOLDED,
        "count": size,
        "limit": (able.of_an_answer if payload["in_reply_to"] else able).text_limit,
        "unit": UNIT_WORDS[able.unit],
    }


def alike(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts with the same number and content, counted alike, become one with several accounts."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in parts:
        key = (each["number"], each["digest"], each["count"], each["limit"], each["look"])
        if key in merged:
            merged[key]["accounts"] += each["accounts"]
            merged[key]["identities"] += each["identities"]
        else:
            merged[key] = each
    return list(merged.values())


def with_findings(
    parts: Sequence[dict[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    where: Callable[[Mapping[str, Any]], Any] | None = None,
) -> list[dict[str, Any]]:
    """Number the findings, mark the texts, give the numbered list.

    The same finding in the same text on several accounts is one, with its accounts; where a form is
    written also in texts that differ, if `where` tells the same `place` of each.
    """
    listed: dict[tuple[Any, ...], dict[str, Any]] = {}
    spots = []
    for each in findings:
        one = _at_home(parts, each)
        place = where(one) if where else None
        names = one["rule"], one["severity"], one["message"], one["text"]
        key = (names, place) if place else (names, one["within"], one["start"], one["end"])
        if where and one["start"] == one["end"]:  # of a card, or of no words: not told twice
            key = next((k for k in listed if k[0] == names), (names, None))
        known = listed.setdefault(
            key, {**one, "place": place, "number": len(listed) + 1, "accounts": []}
        )
        known["accounts"] += one["accounts"]
        spots.append({**one, "number": known["number"]})
    for part in parts:
        words = part["payload"]["text"]
        mine = [spot for spot in spots if spot["within"] == words]
        part["marked"] = marked(words, mine, looks.drawing(part["look"], words))
    for each in listed.values():
        each["accounts"] = list({a.id: a for a in each["accounts"]}.values())
    return list(listed.values())


def _at_home(parts: Sequence[dict[str, Any]], finding: Mapping[str, Any]) -> dict[str, Any]:
    """The finding with the text it is `within`, that text's accounts, and how often its words stand before
    it (`nth`), parts of the thread before it counted."""
    mine = [one for one in parts if finding["account"] in [a.key for a in one["accounts"]]]
    home = next((one for one in mine if one["number"] == finding["part"]), None)
    if home is None:
        return {**finding, "within": "", "accounts": [], "nth": 0}
    within, words = home["payload"]["text"], finding["text"]
    before = [one["payload"]["text"] for one in mine if one["number"] < home["number"]]
    nth = "\0".join([*before, within[: finding["start"]]]).count(words) if words else 0
    return {**finding, "within": within, "accounts": home["accounts"], "nth": nth}


def compared(
    conn: Connection, parts: Sequence[dict[str, Any]], before: RowMapping
) -> list[dict[str, Any]]:
    """The parts with their difference from an earlier revision's; pictures that are new are named."""
    old = {
        (row["account_id"], row["part"]): row["payload"]
        for row in conn.execute(
            select(renditions).where(renditions.c.revision_id == before["id"])
        ).mappings()
    }
    for one in parts:
        was = old.get((one["accounts"][0].id, one["number"]))
        one["marked"] = differences(was["text"] if was else "", one["payload"]["text"])
        known = {m["sha256"] for m in was["media"]} if was else set()
        one["new_media"] = {m["sha256"] for m in one["payload"]["media"]} - known
    return list(parts)


def from_pictures(parts: Sequence[dict[str, Any]], own: Sequence[Mapping[str, Any]]) -> None:
    """Beside each picture the size its author's had, where it was made smaller for the platform."""
    for one in parts:
        pairs = zip(one["payload"]["media"], own, strict=False) if one["number"] == 0 else ()
        one["was"] = {m["sha256"]: o["size"] for m, o in pairs if m["sha256"] != o["sha256"]}


def covers(parts: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What a signature covers, in figures."""
    shown = [(a, p) for p in parts for a in p["accounts"]]
    pictures = {m["sha256"] for p in parts for m in p["payload"]["media"]}
    return {
        "texts": len(shown),
        "pictures": len(pictures),
        "accounts": len({a.id for a, _ in shown}),
    }


def revision_of(conn: Connection, revision_id: int) -> RowMapping:
    """A revision. Raises NotFound."""
    row = conn.execute(select(revisions).where(revisions.c.id == revision_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的版本", id=revision_id)
    return row
