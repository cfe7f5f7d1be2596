"""Breaches that somebody else planted than he who wrote the rules, and what only looks like one.

planted.txt holds both, of our own making; the sentences around them are real (the shared samples).
Each rule family must catch nine in ten of its breaches, all together 97 in 100, and of the near
misses next to none may be told of, none blocked.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.model import Capabilities, Media, Severity, Topics, Unit
from bot.screen import Context, Rules, screen
from bot.screen.terms import of, read
from bot.screen.wording import read_leaders
from tests.screen.test_real import SAMPLES, sample_texts

READ = Context(on=date(2026, 11, 24))
RULES = Rules(
    leaders=read_leaders("张三\t县委书记\n李四\t县长、县委副书记\n王五\t副县长\n", "leaders.txt")
)
FAMILIES = {
    "secrecy-mark": {"secrecy-mark"},
    "inner": {"work-secret", "internal-mark", "not-public"},
    "identity-number": {"identity-number"},
    "mobile": {"mobile"},
    "bank-card": {"bank-card"},
    "travel-document": {"travel-document", "identity-number"},
    "plate": {"plate"},
    "address": {"address"},
    "document-number": {"document-number"},
    "weekday": {"weekday"},
    "impossible-date": {"impossible-date"},
    "relative-time": {"relative-time"},
    "unpaired": {"unpaired"},
    "sum": {"sum"},
    "organ-name": {"organ-name", "typo"},
    "region-wording": {"region-wording"},
    "typo": {"typo"},
    "leader-order": {"leader-order"},
    "link": {"short-link", "private-link"},
    "map-approval": {"map-approval"},
}
REAL = ("sz-policy", "govcn", "cctvnews")
EACH = 16  # of the writings that one line stands for


class Case(NamedTuple):
    family: str
    breach: bool
    words: str


# ---------------------------------------------------------------- made numbers


def _digits(dice: random.Random, n: int) -> str:
    return "".join(dice.choices("0123456789", k=n))


def _identity(dice: random.Random, last: str = "0123456789") -> str:
    while True:
        day = f"{dice.randint(1950, 2015)}{dice.randint(1, 12):02}{dice.randint(1, 28):02}"
        number = dice.choice(("320102", "110105", "440305", "510104")) + day + _digits(dice, 3)
        weights = [2**i % 11 for i in range(17, 0, -1)]
        check = "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11]
        if check in last:
            return number + check


def _card(dice: random.Random, length: int = 19, head: str = "621700") -> str:
    body = head + _digits(dice, length - 1 - len(head))
    doubled = sum(sum(divmod(int(d) * 2, 10)) for d in body[::-2])
    return body + str(-(doubled + sum(int(d) for d in body[-2::-2])) % 10)


def _credit_code(dice: random.Random, letters: str = "0123456789") -> str:
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    while True:
        body = "91320102" + "".join(dice.choices(letters, k=9))
        total = sum(signs.index(c) * pow(3, i, 31) for i, c in enumerate(body))
        if len(letters) > 10 or signs[-total % 31].isdigit():
            return body + signs[-total % 31]


def _wide(words: str) -> str:
    return words.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789X"})


def _cut(number: str, by: str, *places: int) -> str:
    return by.join(number[a:b] for a, b in zip((0, *places), (*places, None), strict=True))


def _numbers(d: random.Random) -> dict[str, str]:
    i, m, c, c16 = _identity(d), "138" + _digits(d, 8), _card(d), _card(d, 16)
    spoken = m.translate(
        {ord(f): w for f, w in zip("0123456789", "〇一二三四五六七八九", strict=True)}
    )
    four = (4, 8, 12, 16)
    return {
        "id": i, "id_": _cut(i, " ", 6, 14), "id-": _cut(i, "-", 6, 14), "idf": _wide(i),
        "idz": _cut(i, "\u200b", 5, 11), "idx": _identity(d, "X").lower(), "id4": _cut(i, " ", *four),
        "id.": _cut(i, ".", 6, 14), "idn": _cut(i, "\n", 6),
        "bad": i[:17] + str((int(i[16]) + 1) % 10) if i[17] == "X" else i[:17] + str((int(i[17]) + 1) % 10),
        "id15": i[:6] + "6" + _digits(d, 1) + "0812" + _digits(d, 3),
        "idm": i[:6] + "********" + i[14:], "idm2": i[:3] + "***********" + i[14:], "idm3": i[:14] + "****",
        "uscc": _credit_code(d, "0123456789ABCDEFGHJKLMNPQRTUWXY"), "usccn": _credit_code(d),
        "no18": "9" + _digits(d, 17), "no20": "8" + _digits(d, 19), "no12": "0" + _digits(d, 11),
        "no8": _digits(d, 8), "land": "0516-8" + _digits(d, 7), "land_": "（0516）8" + _digits(d, 7),
        "m": m, "m_": _cut(m, " ", 3, 7), "m-": _cut(m, "-", 3, 7), "mf": _wide(m), "m+": "+86 " + m,
        "mz": _cut(m, "\u200b", 3, 7), "m3": _cut(m, " ", 3, 6, 9), "m(": f"(86){m}", "mcn": spoken,
        "m.": _cut(m, ".", 3, 7), "mn": _cut(m, "\n", 7),
        "mm": m[:3] + "****" + m[7:], "mm2": m[:7] + "xxxx", "mm3": m[:3] + "＊＊＊＊" + m[7:],
        "c": c, "c_": _cut(c, " ", *four), "c-": _cut(c, "-", *four), "cf": _wide(c),
        "cz": _cut(c, "\u200b", 4, 9), "c16": c16, "c16_": _cut(c16, " ", 4, 8, 12),
        "cn": _cut(c, "\n", 8), "c4": _card(d, 16, "4367"), "cm": c[:4] + "***********" + c[-4:],
        "acct": "1106" + _digits(d, 9), "acct2": "32050171" + _digits(d, 4),
    }  # fmt: skip


# ---------------------------------------------------------------- cases


def _written(line: str, dice: random.Random) -> list[str]:
    """The writings that a line of planted.txt stands for, at most EACH of them."""
    plain = (
        line.replace("⏎", "\n").replace("⇥", "\t").replace("¬", "\u200b").replace("{2018}", "\0")
    )
    parts = [part.split("|") if n % 2 else [part] for n, part in enumerate(re.split("[{}]", plain))]
    ways = ["".join(way).replace("\0", "{2018}") for way in product(*parts)]
    longest = max(map(len, parts))  # each alternative stands at least once
    chosen = {"".join(p[n % len(p)] for p in parts).replace("\0", "{2018}") for n in range(longest)}
    more = dice.sample(ways, min(EACH, len(ways)))
    return [_filled(way, dice) for way in sorted(chosen.union(more[: max(0, EACH - len(chosen))]))]


def _filled(words: str, dice: random.Random) -> str:
    made = _numbers(dice)
    return re.sub("<([a-z0-9_./+(-]+)>", lambda m: made.get(m[1], m[0]), words)


@cache
def planted() -> tuple[Case, ...]:
    dice, family, cases = random.Random(20261124), "", []
    for line in Path(__file__).with_name("planted.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            family = line.strip("[]")
        elif line[:2] in ("+ ", "- "):
            cases += [Case(family, line[0] == "+", w) for w in _written(line[2:], dice)]
    return tuple(cases)


@cache
def carriers() -> tuple[str, ...]:
    """Sentences of real notices that say nothing of days, and of which screening has nothing to say."""
    if not SAMPLES.exists():
        return ()
    texts = [t for n, t in sample_texts("feeds", "catalogue", "microblog") if n.startswith(REAL)]
    found = {
        s for t in texts for s in re.findall(r"(?<=。)[\u4e00-\u9fff，、《》“”：]{16,80}。", t)
    }
    plain = (s for s in sorted(found) if not re.search("[周月日天图]", s))
    return tuple(s for s in plain if not screen(s, context=READ))


def hidden(case: Case, n: int) -> str:
    """The words of a case between two real sentences."""
    real = carriers()
    before, after = real[n * 7 % len(real)], real[(n * 13 + 5) % len(real)]
    stop = "" if case.words[-1] in "\n。" else "。"
    return before + case.words + stop + after


def context(family: str) -> Context:
    return replace(READ, scheduled=family == "relative-time")


class Score(NamedTuple):
    breaches: int
    missed: list[str]
    misses: int
    alarms: list[tuple[str, str, str]]
    blocks: list[tuple[str, str]]


def scores() -> dict[str, Score]:
    found: dict[str, Score] = defaultdict(lambda: Score(0, [], 0, [], []))
    for n, case in enumerate(planted()):
        said = screen(hidden(case, n), rules=RULES, context=context(case.family))
        old = found[case.family]
        if case.breach:
            missed = [] if any(f.rule in FAMILIES[case.family] for f in said) else [case.words]
            found[case.family] = old._replace(breaches=old.breaches + 1, missed=old.missed + missed)
        else:
            alarms = [(f.rule, f.text, case.words) for f in said if f.severity is not Severity.NOTE]
            blocks = [(f.rule, case.words) for f in said if f.severity is Severity.BLOCK]
            found[case.family] = old._replace(
                misses=old.misses + 1, alarms=old.alarms + alarms, blocks=old.blocks + blocks
            )
    return found


@pytest.fixture(scope="module")
def scored() -> dict[str, Score]:
    if not carriers():
        pytest.skip("the shared samples, whose sentences carry the planted ones, are not here")
    return scores()


@pytest.mark.parametrize("family", FAMILIES)
def test_of_each_family_nine_in_ten_are_caught(scored: dict[str, Score], family: str) -> None:
    score = scored[family]
    assert score.breaches >= 40
    assert len(score.missed) <= 0.1 * score.breaches, score.missed


def test_of_all_that_was_planted_97_in_100_are_caught(scored: dict[str, Score]) -> None:
    missed = [words for score in scored.values() for words in score.missed]
    assert len(missed) <= 0.03 * sum(score.breaches for score in scored.values()), missed


def test_what_only_looks_like_a_breach_is_left_alone(scored: dict[str, Score]) -> None:
    alarms = [alarm for score in scored.values() for alarm in score.alarms]
    assert len(alarms) <= 0.01 * sum(score.misses for score in scored.values()), alarms
    assert [block for score in scored.values() for block in score.blocks] == []


# ---------------------------------------------------------------- what words alone do not hold


def _rules(text: str, **known: object) -> set[str]:
    return {f.rule for f in screen(text, context=replace(READ, **known))}  # type: ignore[arg-type]


NEAR: tuple[Callable[[str], str], ...] = (
    lambda s: s,
    lambda s: s + " https://www.yunlan.gov.cn/art/1.html",
    lambda s: s.replace("，", " ， "),
    lambda s: "【通知】" + s,
    lambda s: s.replace("。", "！"),
    lambda s: s.replace("的", "之", 1),
    lambda s: s[:20] + "\u200b" + s[20:],
)


def _pairs() -> Iterator[tuple[str, str]]:
    """Real texts of two sentences, each with another real one."""
    real = carriers() or pytest.skip("the shared samples are not here")
    texts = ["".join(real[i : i + 2]) for i in range(0, len(real) - 1, 2)]
    yield from zip(texts[::2], texts[1::2], strict=False)


def test_what_was_sent_before_is_told_however_it_is_dressed() -> None:
    pairs = list(_pairs())
    told = [
        "repeated-post" in _rules(change(old), earlier=[other, old])
        for old, other in pairs
        for change in NEAR
    ]
    assert len(told) >= 40
    assert sum(told) >= 0.97 * len(told)
    assert [old for old, new in pairs if "repeated-post" in _rules(new, earlier=[old])] == []


@pytest.mark.parametrize("blank", ["", " ", "\n", "\u3000"])
def test_each_picture_needs_words_where_the_platform_shows_them(blank: str) -> None:
    shows = Capabilities(unit=Unit.CHARACTERS, alt_text=True)
    named = Media("a" * 64, "image/jpeg", 1, 4, 3, alt="云澜河大桥通车")
    for n, (old, _) in enumerate(_pairs()):
        bare = [*[named] * (n % 3), replace(named, alt=blank)]
        assert "missing-alt" in _rules(old, capabilities=shows, media=bare)
        assert "missing-alt" not in _rules(old, capabilities=shows, media=[named] * (n % 4))


TOPICS = {
    Topics.AROUND: ({"#云澜发布", "＃云澜发布"}, {"#云澜发布#", "第1#楼", "#云澜发布##天气#"}),
    Topics.BEFORE: ({"#云澜发布#", "＃云澜发布＃"}, {"#云澜发布 ", "第1#楼", "#云澜 #天气 "}),
}


@pytest.mark.parametrize("form", TOPICS)
def test_topics_are_asked_by_the_form_that_the_account_takes(form: Topics) -> None:
    able = Capabilities(unit=Unit.CHARACTERS, topic_form=form)
    wrong, right = TOPICS[form]
    for old, _ in _pairs():
        for tag in wrong:
            assert "topic" in _rules(f"{old}{tag}", capabilities=able)
        for tag in right:
            assert "topic" not in _rules(f"{old}{tag}", capabilities=able)


def test_an_offices_words_are_found_however_they_are_written() -> None:
    rules = Rules(terms=of(read("云澜老县\tblock\n!云澜老县志\nＡBC公司\n", "own.txt")))
    ways = (
        "云澜老县",
        "云 澜 老 县",
        "云\u200b澜老县",
        "abc公司",
        "ＡＢＣ公司",
        "aBc公司",
        "a\u200bbc公司",
    )
    for n, (old, _) in enumerate(_pairs()):
        said = screen(f"{old}{ways[n % len(ways)]}。", rules=rules, context=READ)
        assert [f.rule for f in said] == ["term"]
        assert screen(f"{old}云澜老县志。", rules=rules, context=READ) == []


@pytest.mark.parametrize("form", [Topics.NONE, Topics.TAKEN_OUT])
def test_where_a_platform_has_no_topics_none_is_advised(form: Topics) -> None:
    """What is taken out blocks already (rendering): advice to write it otherwise would go against it."""
    able = Capabilities(unit=Unit.WEIBO, topic_form=form)
    for tag in ("#云澜发布", "#云澜发布#", "＃云澜发布＃"):
        assert "topic" not in _rules(f"停水通知{tag}", capabilities=able)
