"""Which entry is which: a key that stays the same from poll to poll.

An entry's own identifier (guid, atom:id, else its link) is its key only while it is its own. Real
catalogues give the address of a column page to ten notices at once, so:

- An identifier that two different entries of a reading bear (by title or date; by what they say where
  they have no title) is nobody's key, nor is the address of the catalogue or a bare site. The next
  candidate is the link; where that is shared too, the key is a digest of identifier, title and date.
  Title alone would not do (the same title comes again months later), nor would the date (ten notices
  of one day).
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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from bot.model import digest_of
from bot.sources.plain import is_address

LONGEST = 200  # characters of a key; a longer identifier stands as its digest
REMEMBERED = 2000  # shared identifiers kept, newest last

_BARE_SITE = re.compile(r"\s*https?://[^/?#]+/?\s*", re.I)


class Claim(NamedTuple):
    """What an entry calls itself: identifiers, best first, and what tells it from its likes."""

    ids: tuple[str, ...]
    title: str
    published: datetime | None
    content: str  # what it says


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
    bearers = [(_ids(claim), _face(claim), claim) for claim in claims]
    _note_shared(bearers, {_bare(place) for place in places}, memo)
    owners = {name: face for name, face in memo.owners.items() if name in memo.shared}
    taken: dict[str, str] = {}
    # The newest usually stand first: from the last on, so that an old entry keeps its key.
    found = [_key(bearer, memo, owners, taken) for bearer in reversed(bearers)]
    memo.owners = owners
    return found[::-1], memo.json()


Bearer = tuple[tuple[str, ...], str, Claim]  # bare identifiers, face, claim


def _note_shared(bearers: Sequence[Bearer], places: Collection[str], memo: Memo) -> None:
    said: dict[str, str] = {}
    shared = set()
    for ids, face, claim in bearers:
        for name in ids:
            if said.setdefault(name, face) != face:
                shared.add(name)
        shared |= {_bare(name) for name in claim.ids if _is_bare_site(name)}
    shared |= said.keys() & places
    memo.shared |= dict.fromkeys(map(_short, sorted(shared)))


def _is_bare_site(name: str) -> bool:
    return name.count("/") in (2, 3) and bool(_BARE_SITE.fullmatch(name))


def _key(bearer: Bearer, memo: Memo, owners: dict[str, str], taken: dict[str, str]) -> str:
    """`taken` is who has which digest: where nobody's identifier is his own, two entries may have
    one title and date and be two all the same."""
    ids, face, claim = bearer
    for name in ids:
        short = _short(name)
        if short not in memo.shared or memo.owners.get(short) == face:
            owners[short] = face
            return name if len(name) <= LONGEST else digest_of([name])
    key = digest_of([*ids[:1], face])
    if taken.setdefault(key, claim.content) == claim.content:
        return key
    return digest_of([key, claim.content])


def _ids(claim: Claim) -> tuple[str, ...]:
    return tuple({_bare(name): None for name in claim.ids if name})


def _face(claim: Claim) -> str:
    """What an entry is recognised by beside its identifiers; without a title, by what it says."""
    at = claim.published.timestamp() if claim.published else ""
    return _short(f"{claim.title or claim.content}\n{at}")


def _bare(name: str) -> str:
    name = name.strip()
    return name.partition("//")[2] if is_address(name) else name


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
