"""Word lists: what a line means, and finding 50,000 terms in one pass.

A list is UTF-8 text, one term a line:

    term<TAB>severity<TAB>suggestion     severity: block, warn or note; warn where it is left out
    !exception                           a longer wording in which no term of the list counts
    # remark

Letters match in either case, figures and letters in either width. Terms that overlap, or lie one in
another, are each told. The automaton is ahocorasick_rs's: 47 MB/s with 50,000 Chinese
terms, where a pattern of `re` reaches a hundredth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bot.errors import ConfigError
from bot.language import Say
from bot.model import Severity
from bot.screen import former
from bot.screen.base import Hit, fold

FIELDS = 3
_SEVERITIES = {severity.value: severity for severity in Severity}


class Term(NamedTuple):
    rule: str
    words: str
    severity: Severity = Severity.WARN
    suggestion: str = ""
    exception: bool = False
    until: date | None = None  # the name of an organ that ended then


def read(source: str, file: str, rule: str = "term") -> list[Term]:
    """The terms of a list. Raises ConfigError naming `file` and line."""
    terms = []
    for n, line in enumerate(source.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        terms.append(_exception(rule, words) if words[0] in "!！" else _term(rule, line, file, n))
        if not terms[-1].words:
            raise ConfigError("{file} 第 {line} 行：没有词语", file=file, line=n)
    return terms


def _exception(rule: str, words: str) -> Term:
    return Term(rule, _folded(words[1:].strip()), exception=True)


def _term(rule: str, line: str, file: str, n: int) -> Term:
    parts = [part.strip() for part in line.split("\t")]
    if len(parts) > FIELDS:
        raise ConfigError(
            "{file} 第 {line} 行：最多三栏，用制表符隔开：词语、级别、建议", file=file, line=n
        )
    words, severity, suggestion = (*parts, "", "")[:FIELDS]
    if severity and severity not in _SEVERITIES:
        raise ConfigError(
            "{file} 第 {line} 行：级别只能是 block、warn 或 note，不是 {value}",
            file=file,
            line=n,
            value=severity,
        )
    return Term(rule, _folded(words), _SEVERITIES[severity or "warn"], suggestion)


def _folded(words: str) -> str:
    return fold(words)[0].lower()


_SAID = {
    "term": Say("单位词表中的词语。请按建议改，或核对").text,
    "organ-name": Say("机构、会议名称或固定提法疑有误。请按建议核对").text,
    "region-wording": Say("涉台涉港澳、民族或领土的用语不合规范。请按建议改").text,
    "respectful-wording": Say("称谓不合规范或含歧视。请按建议改").text,
    "typo": Say("疑似错别字。请按建议改，或核对").text,
}
_FORMER_SAID = Say("该机构已撤并或更名。说现在的，请改用现名；说过去的，请加“原”字").text
RULES = tuple(_SAID)


@dataclass(frozen=True)
class Terms:
    """Terms ready to be looked for. Building 50,000 takes a tenth of a second."""

    terms: tuple[Term, ...]

    @cached_property
    def _automaton(self) -> Any:
        from ahocorasick_rs import AhoCorasick, MatchKind  # 6 ms: only who screens needs it

        words = [term.words for term in self.terms]
        return AhoCorasick(words, MatchKind.Standard, store_patterns=False)

    def find(self, text: str, on: date | None = None) -> Iterable[Hit]:
        """Each term in the folded `text`, read on a day, that no exception covers."""
        lowered = text.lower()
        if len(lowered) != len(text):  # İ becomes two
            lowered = "".join(c.lower() if c.isascii() else c for c in text)
        found = self._automaton.find_matches_as_indexes(lowered, overlapping=True)
        return self._told(found, text, on) if found else ()

    def excepted(self, text: str) -> list[tuple[int, int]]:
        """Where the exceptions of the office's own lists stand in the folded `text`."""
        found = self._automaton.find_matches_as_indexes(text.lower(), overlapping=True)
        own = [(self.terms[n], start, end) for n, start, end in found]
        return [(s, e) for term, s, e in own if term.exception and term.rule == "term"]

    def _told(
        self, found: Sequence[tuple[int, int, int]], text: str, on: date | None
    ) -> Iterator[Hit]:
        hits = [(self.terms[n], start, end) for n, start, end in found]
        for term, start, end in hits:
            covers = [t for t, s, e in hits if s <= start and end <= e and t is not term]
            if term.exception or any(_hides(over, term) for over in covers):
                continue
            if not term.until or former.told(text, start, end, term.until, on):
                said = _FORMER_SAID if term.until else _SAID[term.rule]
                yield Hit(term.rule, term.severity, start, end, said, term.suggestion)


def _hides(over: Term, term: Term) -> bool:
    """An office's exception hides every rule's terms; a built-in one, or a longer term, its own."""
    if over.exception:
        return over.rule in ("term", term.rule)
    return over.rule == term.rule != "term" and len(over.words) > len(term.words)


@cache
def built_in() -> tuple[Term, ...]:
    """The lists that come with the program, one a rule."""
    here = Path(__file__).parent / "words"
    terms = [
        term
        for rule in RULES[1:]
        for term in read((here / f"{rule}.txt").read_text("utf-8"), f"{rule}.txt", rule)
    ]
    return (*terms, *_former((here / "former-organ.txt").read_text("utf-8")))


def _former(source: str) -> Iterator[Term]:
    for line in source.splitlines():
        if not line.startswith("#"):
            words, until, now, severity = (*line.split("\t"), "warn")[:4]
            ended = date.fromisoformat(f"{until}-01")
            yield Term("organ-name", words, Severity(severity), now, until=ended)


@cache
def standard() -> Terms:
    """What a screening without an office's lists looks for."""
    return Terms(built_in())


def of(lists: Sequence[Term]) -> Terms:
    """The office's lists and the built-in ones. The office's word on the same term stands."""
    known: dict[str, Term] = {}
    for term in (*lists, *built_in()):
        known.setdefault(term.words, term)
    return Terms(tuple(known.values()))
