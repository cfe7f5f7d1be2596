"""The pictures of 写稿: taken in, cut, put in order; each beside what it was cut from.

A picture's fields say what it shall be (`aspect-`, `left-`, … under its sha256), whatever button was
pressed: the same holds without scripts, and of what was kept unsaved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from bot import media, people
from bot.compose import Cut
from bot.db import accounts
from bot.db import media as kept
from bot.language import Say, _
from bot.media import Box
from bot.model import Capabilities, Media, Right
from bot.office import Office
from bot.web.lists import Account, account
from bot.web.render import size
from bot.web.visit import Visit

ASPECTS: Mapping[str, Say] = {
    "whole": Say("原图"),
    "1:1": Say("1:1"),
    "4:3": Say("4:3"),
    "16:9": Say("16:9"),
    "free": Say("自由"),
}
RATIOS = {"1:1": 1.0, "4:3": 4 / 3, "16:9": 16 / 9}
SIDES = ("left", "top", "width", "height")
_CUT = re.compile(r"([0-9a-f]{64}):(\d{1,5}):(\d{1,5}):(\d{1,5}):(\d{1,5})")
Cuts = dict[str, Cut]


@dataclass(frozen=True)
class Picture:
    """A picture as the form shows it: itself, what it was cut from, and where."""

    media: Media
    original: Media
    box: Box

    @property
    def aspect(self) -> str:
        """The choice that gives this box."""
        if self.box == media.whole(self.original):
            return "whole"
        return next((name for name in RATIOS if _has(self.box, name)), "free")

    @property
    def field(self) -> str:
        """What of it was cut away, as the form carries it; empty where nothing was."""
        if self.aspect == "whole":
            return ""
        places = (getattr(self.box, side) for side in SIDES)
        return ":".join(map(str, (self.original.sha256, *places)))


def _has(box: Box, name: str) -> bool:
    """Is it of that ratio, as far as whole pixels can be?"""
    ratio = RATIOS[name]
    return abs(box.width - box.height * ratio) <= max(1.0, ratio)


def known(conn: Connection, sha256: str, alt: str = "") -> Media | None:
    """A picture taken in before; the form carries only its digest."""
    row = conn.execute(select(kept).where(kept.c.sha256 == sha256)).mappings().first()
    if row is None or not row["kind"].startswith("image/"):
        return None
    return Media(sha256, row["kind"], row["size"], row["width"], row["height"], alt)


def typed(
    conn: Connection, visit: Visit, base: Sequence[Media], cuts: Cuts
) -> tuple[tuple[Media, ...], Cuts]:
    """The pictures and cuts of a form, in its order; one without a field stays, at the end."""
    stood = {m.sha256: m for m in base}
    named = list(dict.fromkeys([*visit.fields("media"), *stood]))
    dropped = set(visit.fields("drop"))
    found = [stood.get(sha) or known(conn, sha) for sha in named if sha not in dropped]
    said = {sha: _cut_in(visit.field(f"cut-{sha}")) for sha in named}
    alts = {sha: visit.field(f"alt-{sha}") for sha in named}
    pictures = tuple(replace(m, alt=alts[m.sha256]) for m in found if m)
    return pictures, {m.sha256: c for m in pictures if (c := said[m.sha256] or cuts.get(m.sha256))}


def _cut_in(said: str) -> Cut | None:
    match = _CUT.fullmatch(said)
    return Cut(match[1], *(int(each) for each in match.groups()[1:])) if match else None


def shown(conn: Connection, pictures: Sequence[Media], cuts: Mapping[str, Cut]) -> list[Picture]:
    """Each picture beside its original, itself where that is not known."""
    return [_beside(conn, one, cuts.get(one.sha256)) for one in pictures]


def _beside(conn: Connection, one: Media, cut: Cut | None) -> Picture:
    original = known(conn, cut.of, one.alt) if cut else None
    if cut is None or original is None:
        return Picture(one, one, media.whole(one))
    return Picture(one, original, Box(cut.left, cut.top, cut.width, cut.height).within(original))


# ---------------------------------------------------------------- what the form asks for


def take_in(visit: Visit, content: bytes, name: str) -> Media:
    """An uploaded picture, kept. Raises Invalid, NotAllowed."""
    office = visit.office
    with office.db.write() as conn:
        people.require_anywhere(conn, visit.actor, Right.WRITE)
        alt = visit.field("picture_alt")
        return media.take_picture(office.media, conn, office.db.now(conn), content, name, alt)


def arranged(visit: Visit, pictures: Sequence[Media], cuts: Cuts) -> tuple[tuple[Media, ...], Cuts]:
    """The pictures cut and ordered as the fields and the button say. Raises Invalid."""
    office, made, of = visit.office, list[Media](), Cuts()
    with office.db.read() as conn:
        found = shown(conn, pictures, cuts)
    for one in found:
        box = _wanted(visit, one)
        done = one.media if box == one.box else _done(office, one.original, box)
        made.append(done)
        if done.sha256 != one.original.sha256:
            of[done.sha256] = Cut(one.original.sha256, *(getattr(box, side) for side in SIDES))
    return _moved(tuple(made), [m.sha256 for m in pictures], visit.field("act")), of


def _done(office: Office, original: Media, box: Box) -> Media:
    with office.db.write() as conn:
        return media.cut(office.media, conn, office.db.now(conn), original, box)


def _wanted(visit: Visit, one: Picture) -> Box:
    """A preset's own numbers where they have its ratio, else its middle."""
    sha256, original = one.media.sha256, one.original
    aspect = visit.field(f"aspect-{sha256}")
    if aspect not in ASPECTS:
        return one.box
    if aspect == "whole":
        return media.whole(original)
    said = [visit.field(f"{side}-{sha256}") for side in SIDES]
    numbers = [int(each) if each.isascii() and each.isdigit() else 0 for each in said]
    box = Box(*(min(each, 100_000) for each in numbers)).within(original)
    if aspect == "free" or _has(box, aspect):
        return box
    return media.middle(original, RATIOS[aspect])


def _moved(made: tuple[Media, ...], before: Sequence[str], act: str) -> tuple[Media, ...]:
    """`act` “up:” or “down:” and a digest: that picture one place on."""
    way, _, sha256 = act.partition(":")
    if way not in ("up", "down") or sha256 not in before:
        return made
    at = before.index(sha256)
    to = min(max(at + (1 if way == "down" else -1), 0), len(made) - 1)
    order = list(made)
    order.insert(to, order.pop(at))
    return tuple(order)


# ---------------------------------------------------------------- what platforms take


def limits(conn: Connection, keys: Sequence[str]) -> list[tuple[Account, Say]]:
    """Of each account what it takes of pictures."""
    rows = conn.execute(select(accounts).where(accounts.c.key.in_(keys)).order_by(accounts.c.id))
    return [(account(row), _said(Capabilities.of(row["capabilities"]))) for row in rows.mappings()]


def _said(able: Capabilities) -> Say:
    if not able.media_count:
        return Say("不收图片")
    kinds = _("、").join(kind.rpartition("/")[2].upper() for kind in able.media_kinds)
    most = {"n": able.media_count, "kinds": kinds}
    if able.media_bytes:
        return Say("至多 {n} 张，每张 {size}；{kinds}", size=size(able.media_bytes), **most)
    return Say("至多 {n} 张；{kinds}", **most)
