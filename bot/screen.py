"""Findings in a text: a pure function of text and rules.

A rule is one small function in CHECKS, `(text) -> Iterator[Finding]`, that yields its own default
severity; an office's `Rules` change it or switch the rule off. Spans are code points of the text as
it was handed in: a rule normalises only what it has already found. A message is a Chinese source
sentence without values, so that whoever shows a stored finding can put it into another language.

Standing sign-offs rely on identity-number, mobile and over-limit being here.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from unicodedata import normalize

from bot.language import Say
from bot.model import Capabilities, Finding, Severity
from bot.text import over

Check = Callable[[str], Iterator[Finding]]


@dataclass(frozen=True)
class Rules:
    """An office's own choices: the severity of all findings of a rule; None switches it off."""

    severities: Mapping[str, Severity | None] = field(default_factory=dict)


def screen(
    text: str, *, rules: Rules | None = None, capabilities: Capabilities | None = None
) -> list[Finding]:
    """All findings in `text`, in the order of the text.

    `text` is what would stand on the account whose `capabilities` are given; without them
    over-limit is not asked.
    """
    chosen = rules.severities if rules else {}
    off = {rule for rule, severity in chosen.items() if severity is None}
    found = [f for rule, check in CHECKS.items() if rule not in off for f in check(text)]
    if capabilities and OVER_LIMIT not in off:
        found += _over_limit(text, capabilities)
    found = [replace(f, severity=s) if (s := chosen.get(f.rule)) else f for f in found]
    return sorted(found, key=lambda f: (f.start, f.end))


# ---------------------------------------------------------------- long numbers

_D = "[0-9０-９]"
_X = "[0-9０-９XxＸｘⅩⅹ]"
_GAP = "[ \u00a0\u2002-\u200b\u3000\\-‐-—－]"  # what people put inside long numbers
# Every rule below looks only inside such runs: most texts hold none, and this one pattern says so.
_RUN = re.compile(f"{_D}(?:{_X}|{_GAP}){{10,}}")


def _numbers(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int, str]]:
    """What group 1 of `pattern` finds in the long numbers of `text`: start, end, digits in ASCII."""
    for run in _RUN.finditer(text):
        for match in pattern.finditer(text, run.start(), run.end()):
            kept = re.sub("[^0-9X]", "", normalize("NFKC", match[1]).upper())
            yield *match.span(1), kept


# ---------------------------------------------------------------- identity-number

# GB 11643-1999. A lookahead, because a wrong start must not swallow the right one.
_IDENTITY = re.compile(f"(?<!{_D})(?=((?:{_D}{_GAP}{{0,2}}){{17}}{_X})(?!{_D}))")
# Without a check digit to prove it, only as it is written: in one piece, or parted at the birth date.
_IDENTITY_PLAIN = re.compile(
    f"(?<!{_D})(?=({_D}{{6}}{_GAP}?(?:{_D}{{6}}{_GAP}?{_D}{{3}}|{_D}{{8}}{_GAP}?{_D}{{3}}{_X}))(?!{_D}))"
)
_PROVINCE = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_IDENTITY_SAID = Say("疑似公民身份号码，不得公开。请删去，或按建议遮盖").text
_IDENTITY_DOUBTED = Say("形似公民身份号码，但校验码不符。请核对；确是号码的，不得公开").text


def _identity_number(text: str) -> Iterator[Finding]:
    """Identity numbers: 18 digits that check, or the old 15 (block); 18 that do not check (warn)."""
    proven = set()
    for start, end, number in _numbers(_IDENTITY, text):
        if _born(number) and _checks(number):
            proven.add(start)
            yield _identity(Severity.BLOCK, start, end, text, _IDENTITY_SAID, number)
    for start, end, number in _numbers(_IDENTITY_PLAIN, text):
        if start in proven or not _born(number) or _is_credit_code(number):
            continue
        if len(number) == 15:
            yield _identity(Severity.BLOCK, start, end, text, _IDENTITY_SAID, number)
        else:
            yield _identity(Severity.WARN, start, end, text, _IDENTITY_DOUBTED, number)


def _identity(
    severity: Severity, start: int, end: int, text: str, message: str, number: str
) -> Finding:
    tail = -4 if len(number) == 18 else -3
    masked = number[:6] + "*" * (len(number) - 6 + tail) + number[tail:]
    return Finding("identity-number", severity, start, end, text[start:end], message, masked)


def _born(number: str) -> bool:
    """Does it begin with a province, and then a date of birth?"""
    birth = number[6:14] if len(number) == 18 else "19" + number[6:12]
    if not _PROVINCE.match(number) or not "1900" <= birth[:4] < "2100":
        return False
    try:
        date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
    except ValueError:
        return False
    return True


_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _checks(number: str) -> bool:
    total = sum(int(d) * w for d, w in zip(number, _WEIGHTS, strict=False))
    return number[17] == "10X98765432"[total % 11]


_CODE = {c: i for i, c in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}


def _is_credit_code(number: str) -> bool:
    """Is it a 统一社会信用代码 (GB 32100-2015, check modulo 31)? Those are public."""
    if len(number) != 18 or not _CODE.keys() >= set(number):
        return False
    total = sum(_CODE[c] * pow(3, i, 31) for i, c in enumerate(number[:17]))
    return _CODE[number[17]] == -total % 31


# ---------------------------------------------------------------- mobile

# An amount of 11 figures (150亿元 written out) is not one, nor a part of a longer number.
_MOBILE = re.compile(
    f"(?<!{_D})(?<!{_D}[.．])(?:(?:00|００)?(?:86|８６){_GAP}{{0,2}})?"
    f"([1１][3-9３-９]{_D}{_GAP}?{_D}{{4}}{_GAP}?{_D}{{4}})(?!-?{_D})"
)
_MOBILE_SAID = Say("疑似手机号码。公务联系请用固定电话，确需公开的请核对").text


def _mobile(text: str) -> Iterator[Finding]:
    """Mainland mobile numbers, +86 or not, grouped or not; not the tail of an identity number."""
    for start, end, number in _numbers(_MOBILE, text):
        within = any(f.start <= start and end <= f.end for f in _identity_number(text))
        if not within and text[end : end + 1] != "元":
            masked = f"{number[:3]}****{number[7:]}"
            yield Finding(
                "mobile", Severity.WARN, start, end, text[start:end], _MOBILE_SAID, masked
            )


# ---------------------------------------------------------------- over-limit

OVER_LIMIT = "over-limit"
_OVER_SAID = Say("超出平台字数上限，标出的部分放不下。请删改").text


def _over_limit(text: str, capabilities: Capabilities) -> Iterator[Finding]:
    """What of `text` lies beyond the platform's limit."""
    if over(text, capabilities):
        lengths = range(len(text) + 1)
        start = bisect_left(lengths, True, key=lambda n: over(text[:n], capabilities) > 0) - 1
        yield Finding(OVER_LIMIT, Severity.BLOCK, start, len(text), text[start:], _OVER_SAID)


# ---------------------------------------------------------------- the table

CHECKS: Mapping[str, Check] = {"identity-number": _identity_number, "mobile": _mobile}
RULES = (*CHECKS, OVER_LIMIT)
