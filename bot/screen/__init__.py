"""审查: findings in a text, a pure function of text, rules and context.

A rule is a small function in CHECKS, `(folded text, context) → hits`, that yields its own default
severity; an office's `Rules` change it or switch the rule off. Spans of a finding are code points of
the text as it was handed in. A message is a Chinese source sentence without values, so that whoever
shows a stored finding can put it into another language. Every rule, its source and its severity are
in docs/screening.md; standing sign-offs rely on identity-number, mobile and over-limit being here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

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
    periods,
    private,
    slips,
    sums,
    terms,
    wording,
)
from bot.screen.base import Check, Context, Hit, fold
from bot.screen.links import LOOKED_UP

__all__ = ["CHECKS", "LOOKED_UP", "RULES", "Context", "Rules", "about_links", "screen"]

# What a check may say, and the check. Most look first for a sign that costs nothing to miss.
CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("secrecy-mark",), marks.secrecy),
    (("work-secret", "internal-mark", "not-public"), marks.inner),
    (("identity-number", "mobile", "bank-card"), numbers.check),
    (("travel-document",), private.papers),
    (("plate",), private.plates),
    (("address",), private.addresses),
    (("weekday", "impossible-date"), dates.days),
    (("weekday",), dates.english),
    (("impossible-date",), dates.times),
    (("period",), periods.reversed_),
    (("relative-time",), dates.relative),
    (("document-number",), form.document_numbers),
    (("unpaired",), form.unpaired),
    (("sum",), sums.tables),
    (("sum",), sums.listed),
    (("sum",), counts.shares),
    (("sum",), counts.listed),
    (("sum",), counts.amounts),
    (("sum",), counts.parts),
    (("region-wording",), wording.regions),
    (("region-wording",), wording.places),
    (("organ-name",), wording.organs),
    (("typo",), slips.in_place),
    (("typo",), slips.words),
    (("typo",), slips.twice),
    (("law-name",), laws.names),
    (("repeated-post",), earlier.repeated),
    (("short-link", "private-link"), links.addresses),
    (("cut-link",), links.cut),
    (("net-disk", "broken-link", "personal-mail"), links.doubtful),
    (LOOKED_UP, links.dead),
    (("topic",), links.topics),
    (("missing-alt",), links.alts),
    (("map-approval",), links.maps),
)
RULES = tuple(
    dict.fromkeys(
        [rule for names, _ in CHECKS for rule in names]
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
    words: list[Hit] = []
    for names, check in CHECKS:
        if not off or not off.issuperset(names):
            hits = check(text, context)
            if names == _TYPO:
                words += hits
            else:
                yield from hits
    known = list(listed.find(text, context.on))
    yield from known
    if words:
        told = [(h.start, h.end) for h in known if h.rule == "typo"] + listed.excepted(text)
        yield from (h for h in words if not any(s <= h.start and h.end <= e for s, e in told))
    if rules.leaders:
        yield from rules.leaders.find(text)


_TYPO = ("typo",)


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
