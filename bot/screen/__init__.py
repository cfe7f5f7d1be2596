"""审查: findings in a text, a pure function of text, rules and context.

A rule is a small function in CHECKS, `(folded text, context) → hits`, that yields its own default
severity; it is asked where one of its signs stands. An office's `Rules` change it or switch the rule off. Spans of a finding are code points of
the text as it was handed in. A message is a Chinese source sentence without values, so that whoever
shows a stored finding can put it into another language. Every rule, its source and its severity are
in docs/screening.md; standing sign-offs rely on identity-number, mobile and over-limit being here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

from bot.model import Finding, Severity
from bot.screen import (
    counts,
    dates,
    earlier,
    form,
    laws,
    links,
    marks,
    numbers,
    organs,
    periods,
    private,
    slips,
    sums,
    terms,
    wording,
)
from bot.screen.base import Check, Context, Hit, finder, fold, found
from bot.screen.links import LOOKED_UP

__all__ = ["CHECKS", "LOOKED_UP", "RULES", "Context", "Rules", "about_links", "screen"]

CHECKS = (
    Check(("secrecy-mark",), marks.secrecy, ("密",)),
    Check(("work-secret",), marks.work, ("工作秘密",)),
    Check(("internal-mark",), marks.inner, marks.INNER_SIGNS),
    Check(("not-public",), marks.closed, ("公开", "此件内部")),
    Check(("identity-number", "mobile", "bank-card"), numbers.check),
    Check(("travel-document",), private.papers, private.PAPER_SIGNS),
    Check(("plate",), private.plates),
    Check(("address",), private.addresses, private.ADDRESS_SIGNS),
    Check(("weekday", "impossible-date"), dates.days, dates.DAY_SIGNS),
    Check(("weekday",), dates.english, ("day",)),
    Check(("impossible-date",), dates.times, (":", "：", "时", "点")),
    Check(("period",), periods.reversed_, periods.SIGNS),
    Check(("relative-time",), dates.relative),
    Check(("document-number",), form.document_numbers, ("号",)),
    Check(("unpaired",), form.unpaired),
    Check(("sum",), sums.tables, ("\n",)),
    Check(("sum",), sums.listed, sums.SIGNS),
    Check(("sum",), counts.shares, ("%", "％")),
    Check(("sum",), counts.ratio, ("产业", "结构", "比重", "占比", "构成")),
    Check(("sum",), counts.ordinals, ("一是",)),
    Check(("sum",), counts.listed, ("：",)),
    Check(("sum",), counts.amounts, ("拾", "佰", "仟", "万元整")),
    *counts.CLAIMS,
    Check(("region-wording",), wording.regions, wording.REGION_SIGNS),
    Check(("region-wording",), wording.places, ("省",)),
    Check(("respectful-wording",), wording.unjudged, ("罪犯", "犯人", "人犯")),
    Check(("organ-name",), wording.party, wording.PARTY_SIGNS),
    Check(("organ-name",), wording.organs, wording.ORGAN_SIGNS),
    Check(("organ-name",), organs.nearly, organs.SIGNS),
    Check(("organ-name",), organs.of_state, ("国家", "国务院", "中国")),
    Check(("organ-name",), organs.lengthened, organs.MINISTRY_SIGNS),
    Check(("organ-name",), organs.ranks, organs.RANK_SIGNS),
    *slips.IN_PLACE,
    Check(("typo",), slips.words),
    Check(("typo",), slips.twice),
    Check(("law-name",), laws.names, ("《",)),
    Check(("repeated-post",), earlier.repeated),
    Check(("short-link", "private-link"), links.addresses, (".", "://", "\\", "localhost")),
    Check(("cut-link",), links.cut, ("://",)),
    Check(("broken-link",), links.ill_written, ("tp", "ww")),
    Check(("net-disk",), links.disks, links.DISK_SIGNS),
    Check(("personal-mail",), links.mail, ("@",)),
    Check(LOOKED_UP, links.dead),
    Check(("topic",), links.topics, ("#", "＃")),
    Check(("missing-alt",), links.alts),
    Check(("map-approval",), links.maps),
)
RULES = tuple(
    dict.fromkeys(
        [rule for check in CHECKS for rule in check.rules]
        + [*terms.RULES, "leader-order", "over-limit"]
    )
)


@dataclass(frozen=True)
class Rules:
    """An office's own choices: the severity of all findings of a rule, None switching it off; its
    word lists (None: those that come with the program), and its leaders in order."""

    severities: Mapping[str, Severity | None] = field(default_factory=dict)
    terms: terms.Terms | None = None
    leaders: wording.Leaders | None = None


_STANDARD, _NOTHING = Rules(), Context()


def screen(text: str, *, rules: Rules = _STANDARD, context: Context = _NOTHING) -> list[Finding]:
    """All findings in `text`, in the order of the text.

    `text` is what would stand on the account whose capabilities the context gives; without them
    over-limit is not asked.
    """
    chosen = rules.severities
    off = {rule for rule, severity in chosen.items() if severity is None}
    folded, places = fold(text)
    found = [_finding(text, hit, places) for hit in _hits(folded, rules, context, off)]
    if context.capabilities:
        whole = links.over_limit(text, context.capabilities)
        found += [_finding(text, hit, None) for hit in whole if hit.rule not in off]
    if chosen:
        found = [_as_chosen(f, chosen) for f in found if f.rule not in off]
    return sorted(found, key=lambda f: (f.start, f.end)) if len(found) > 1 else found


def about_links(
    text: str, link: str, *, rules: Rules = _STANDARD, context: Context = _NOTHING
) -> list[Finding]:
    """Of a text and a link that stands beside it, only what looking up addresses says.

    A link that the text has too is told once.
    """
    found = [_finding(text, hit, None) for hit in links.dead(text, context)]
    if link not in text:
        beside = [_finding(link, hit, None) for hit in links.dead(link, context)]
        found += [replace(one, start=0, end=0) for one in beside]
    return [_as_chosen(f, rules.severities) for f in found if rules.severities.get(f.rule, f)]


def _hits(text: str, rules: Rules, context: Context, off: set[str]) -> Iterator[Hit]:
    listed = rules.terms or terms.standard()
    guessed: list[Hit] = []
    for check in _asked(text):
        if not off or not off.issuperset(check.rules):
            hits = check.find(text, context)
            if check.rules in _LISTED_TOO:
                guessed += hits
            else:
                yield from hits
    known = list(listed.find(text, context.on))
    yield from known
    if guessed:
        told = [(h.start, h.end) for h in known if (h.rule,) in _LISTED_TOO]
        told += listed.excepted(text)
        yield from (h for h in guessed if not any(s < h.end and h.start < e for s, e in told))
    if rules.leaders:
        yield from rules.leaders.find(text)


# Where a list tells a slip, or an office's exception takes it for right, no check tells it again.
_LISTED_TOO = (("typo",), ("organ-name",))


@cache
def _signs() -> tuple[Any, tuple[str, ...]]:
    """What finds the signs of all checks, and the signs."""
    signs = tuple(dict.fromkeys(sign for check in CHECKS for sign in check.signs))
    return finder(signs), signs


def _asked(text: str) -> list[Check]:
    """The checks that may find something in `text`, by one pass for all their signs."""
    return _asked_by(frozenset([n for n, _, _ in found(_signs()[0], text)]))


@lru_cache(maxsize=4096)  # an office's texts are alike
def _asked_by(stand: frozenset[int]) -> list[Check]:
    signs = {_signs()[1][n] for n in stand}
    return [check for check in CHECKS if not check.signs or not signs.isdisjoint(check.signs)]


def _finding(text: str, hit: Hit, places: list[int] | None) -> Finding:
    start, end = hit.start, hit.end
    if places and end > start:
        start, end = places[start], places[end - 1] + 1
    return Finding(hit.rule, hit.severity, start, end, text[start:end], hit.message, hit.suggestion)


def _as_chosen(finding: Finding, chosen: Mapping[str, Severity | None]) -> Finding:
    severity = chosen.get(finding.rule)
    if severity is None:
        return finding
    return Finding(**{**finding.json(), "severity": severity})
