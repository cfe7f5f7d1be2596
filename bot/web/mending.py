"""Where a finding stands in what was typed, and what may be put in its place with one press."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.errors import Conflict
from bot.model import digest_of

TEXT = "text"
_NOTE = re.compile(r"（[^（）]*）$")  # what a suggestion says beside the words
_ONE_OF = "former-organ"  # of these the list may name several successors


@dataclass(frozen=True)
class Place:
    """A span of a field: code points."""

    field: str
    start: int
    end: int

    def units(self, text: str) -> tuple[int, int]:
        """The same as scripts count it, in UTF-16."""
        start = len(text[: self.start].encode("utf-16-le")) // 2
        return start, start + len(text[self.start : self.end].encode("utf-16-le")) // 2


def choices(rule: str, suggestion: str) -> list[str]:
    """What may stand instead: the suggestion without its note, one of several where it names such."""
    bare = _NOTE.sub("", suggestion)
    found = bare.split("、") if rule == _ONE_OF else [bare]
    return [each for each in found if each]


def placed(fields: Mapping[str, str], finding: Mapping[str, Any]) -> Place | None:
    """Where a finding stands in the field its account's text came of; None where it is not there.

    What an account gets may be cut or framed: the same words are looked for, the same time over.
    """
    words = finding["text"]
    if not words or finding["end"] <= finding["start"]:
        return None
    own = next((name for a in finding["accounts"] if fields.get(name := f"variant-{a.key}")), TEXT)
    start = _nth(fields.get(own, ""), words, finding["nth"])
    return Place(own, start, start + len(words)) if start >= 0 else None


def _nth(text: str, words: str, n: int) -> int:
    at = text.find(words)
    while n and at >= 0:
        at, n = text.find(words, at + len(words)), n - 1
    return at


def with_fixes(fields: Mapping[str, str], findings: Sequence[dict[str, Any]]) -> None:
    """Beside each finding that has a place in the form what may stand there instead: its buttons."""
    told, rules = set[str](), set[str]()
    for each in findings:
        place = each["place"]
        each["units"] = place.units(fields[place.field]) if place else ()
        each["choices"] = choices(each["rule"], each["suggestion"]) if place else []
        named = [each["rule"], each["text"], place.field, place.start] if place else []
        each["name"], each["why"] = (
            digest_of(named)[:12],
            digest_of([each["rule"], each["text"]])[:12],
        )
        each["asks"] = each["severity"] != "block" and each["why"] not in told
        told.add(each["why"])
    sure = [each["rule"] for each in findings if len(each["choices"]) == 1]
    for each in findings:  # beside the first of a rule: how many there are
        first = len(each["choices"]) == 1 and each["rule"] not in rules
        each["alike"] = sure.count(each["rule"]) if first else 0
        rules |= {each["rule"]} if first else set()


def mended(
    fields: Mapping[str, str], findings: Sequence[Mapping[str, Any]], act: str
) -> dict[str, str]:
    """The fields with what a button chose: “mend:”, a finding's name and which of its choices; or
    “mend-all:” and a rule, of which all are taken that leave no choice. Raises Conflict where the
    text is another by now."""
    chosen = {
        each["place"]: words
        for each in findings
        for n, words in enumerate(each["choices"])
        if act == f"mend:{each['name']}:{n}"
        or (act == f"mend-all:{each['rule']}" and len(each["choices"]) == 1)
    }
    if not chosen:
        raise Conflict("这一处已经不在正文里了，请看现在的疑点")
    out, ends = dict(fields), dict[str, int]()
    for place in sorted(chosen, key=lambda place: -place.start):
        text = out[place.field]
        if place.end <= ends.get(place.field, len(text)):  # one within another waits for its turn
            out[place.field] = text[: place.start] + chosen[place] + text[place.end :]
            ends[place.field] = place.start
    return out
