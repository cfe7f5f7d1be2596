"""Which entry is which: a key that stays the same from poll to poll.

An entry's own identifier (guid, atom:id, else its link) is its key only while it is its own. Real
catalogues give the address of a column page to ten notices at once, so:

- An identifier that two different entries of a reading bear (different by title, date or text) is nobody's
  key, nor is the address of the catalogue or a bare site. The next candidate is the link; where that
  is shared too, the key is a digest of identifier, title and date. Title alone would not do (the same
  title comes again months later), nor would the date (ten notices of one day).
- A key must not change when *other* entries come or go: an entry whose guid is its own today and
  shared tomorrow would be posted twice. So a reading leaves a `memo` (which identifiers are shared,
  who bore one alone), the next reading gets it back: what was once shared stays shared, even when one
  bearer is left; who bore an identifier alone keeps it as key when others join. Without a memo (a
  first poll, `gongkai read`) the reading itself decides.

What this costs: where an identifier is shared, an edited title is a new entry, because nothing else
tells them apart; an entry that takes over the unshared identifier of another is a revision of it.

The scheme is no part of a key: a site's move to https is not a new catalogue.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.model import digest_of

LONGEST = 200  # characters of a key; a longer identifier stands as its digest
REMEMBERED = 2000  # shared identifiers kept, newest last

_SCHEME = re.compile(r"^https?://", re.I)
_BARE_SITE = re.compile(r"[^/?#]+\.[^/?#]+/?$")


@dataclass(frozen=True)
class Claim:
    """What an entry calls itself: identifiers, best first, and what tells it from its likes."""

    ids: tuple[str, ...]
    title: str
    published: str
    content: str  # a digest of what it says

    @property
    def face(self) -> str:
        """What an entry is recognised by where its identifier is not enough."""
        return _short(f"{self.title}\n{self.published}")


@dataclass
class Memo:
    """What must be known of earlier readings. JSON in `Reading.memo` and `Origin.memo`."""

    shared: dict[str, None] = field(default_factory=dict)  # short digests of identifiers, ordered
    owners: dict[str, str] = field(default_factory=dict)  # identifier → who bears it as key

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Memo:
        return cls(dict.fromkeys(stored.get("shared", ())), dict(stored.get("owners", {})))

    def json(self) -> dict[str, Any]:
        return {"shared": list(self.shared)[-REMEMBERED:], "owners": self.owners}


def keys(
    claims: Sequence[Claim], places: Collection[str], stored: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    """A key for each claim, in order, and the memo for the next reading.

    `places` are addresses that name no entry (the channel's, the catalogue's). The same entry
    twice has the same key twice.
    """
    memo = Memo.of(stored)
    claims = [_unschemed(claim) for claim in claims]
    _note_shared(claims, {_bare(place) for place in places}, memo)
    owners = {name: face for name, face in memo.owners.items() if name in memo.shared}
    taken: dict[str, str] = {}
    # The newest usually stand first: from the last on, so that an old entry keeps its key.
    found = [_key(claim, memo, owners, taken) for claim in reversed(claims)]
    memo.owners = owners
    return found[::-1], memo.json()


def _note_shared(claims: Iterable[Claim], places: Collection[str], memo: Memo) -> None:
    bearers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for claim in claims:
        for name in claim.ids:
            bearers[name].add((claim.face, claim.content))
    for name, who in bearers.items():
        if len(who) > 1 or name in places or _BARE_SITE.fullmatch(name):
            memo.shared.setdefault(_short(name))


def _key(claim: Claim, memo: Memo, owners: dict[str, str], taken: dict[str, str]) -> str:
    """`taken` is who has which key already: two entries may be alike but for what they say."""
    for name in claim.ids:
        short = _short(name)
        own = short not in memo.shared or memo.owners.get(short) == claim.face
        if own and taken.setdefault(short, claim.content) == claim.content:
            owners[short] = claim.face
            return name if len(name) <= LONGEST else digest_of([name])
    key = digest_of([*claim.ids[:1], claim.title, claim.published])
    if taken.setdefault(key, claim.content) == claim.content:
        return key
    return digest_of([key, claim.content])


def _unschemed(claim: Claim) -> Claim:
    ids = tuple(dict.fromkeys(_bare(name) for name in claim.ids if name))
    return Claim(ids, claim.title, claim.published, claim.content)


def _bare(name: str) -> str:
    return _SCHEME.sub("", name.strip())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
