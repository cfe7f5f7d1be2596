"""What an author writes, and one part of it as it would be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import RowMapping

from bot.model import Finding, Media, Outgoing, OverLimit, Severity, digest_of


@dataclass(frozen=True)
class Card:
    """A text that goes as a picture beside the short form: what stands on it."""

    title: str
    text: str
    publisher: str = ""
    day: str = ""
    source: str = ""


@dataclass(frozen=True)
class Cut:
    """What a picture was cut from: the original's sha256, and the piece of it in its pixels."""

    of: str
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Body:
    """What an author writes, before it is rendered for each account."""

    text: str
    title: str = ""
    link: str = ""
    media: tuple[Media, ...] = ()
    language: str = "zh"
    visibility: str = "public"
    warning: str = ""
    over_limit: OverLimit | None = None  # None: the account's own rule
    variants: Mapping[str, str] = field(default_factory=dict)  # account key → its own text
    in_reply_to: Mapping[str, str] = field(default_factory=dict)  # account key → remote id
    card: Card | None = None
    cuts: Mapping[str, Cut] = field(
        default_factory=dict
    )  # a picture's sha256 → what it is cut from
    explained: Mapping[str, str] = field(default_factory=dict)  # a finding's name → why it may stay
    assisted: bool = False  # a model helped to draft it: labelled, in this and every later revision
    reason: str = ""  # why a withdrawal is asked: read by those who sign it, sent nowhere

    def json(self) -> dict[str, Any]:
        return asdict(self) | {"variants": dict(self.variants)}

    def told(self, finding: Finding) -> dict[str, Any]:
        """A finding as it is stored, with why its author lets it stand; a block is never let."""
        because = self.explained.get(name_of(finding), "")
        return finding.json() | {
            "because": because if finding.severity is not Severity.BLOCK else ""
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Body:
        media = tuple(Media(**m) for m in stored["media"])
        over = OverLimit(stored["over_limit"]) if stored["over_limit"] else None
        card = Card(**stored["card"]) if stored.get("card") else None
        cuts = {sha256: Cut(**cut) for sha256, cut in stored.get("cuts", {}).items()}
        return cls(**{**stored, "media": media, "over_limit": over, "card": card, "cuts": cuts})


def name_of(finding: Finding) -> str:
    """By its rule and words: the same in whatever place it stands."""
    return f"{finding.rule}:{finding.text}"


@dataclass(frozen=True)
class Rendered:
    """One part for one account, as it would be sent, and what screening says of it."""

    account: RowMapping
    part: int
    outgoing: Outgoing
    findings: tuple[Finding, ...]
    count: int
    limit: int

    @property
    def digest(self) -> str:
        return digest_of(self.outgoing.json())
