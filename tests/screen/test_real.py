"""Real texts: official ones raise next to nothing, and nothing ever blocks."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from bot.model import Severity
from bot.screen import Context, screen

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
READ = Context(on=date(2026, 11, 24), scheduled=False)


def sample_texts(*folders: str) -> Iterator[tuple[str, str]]:
    if not SAMPLES.exists():
        pytest.skip("the shared samples are not here")
    for folder in folders:
        for path in sorted((SAMPLES / folder).glob("*")):
            body = path.read_bytes()
            body = gzip.decompress(body) if path.suffix == ".gz" else body
            yield path.name, next(decodings(body))


def decodings(body: bytes) -> Iterator[str]:
    for encoding in ("utf-8", "gb18030", "big5", "windows-1251"):
        try:
            yield body.decode(encoding)
        except UnicodeDecodeError:
            continue
    yield body.decode("gb18030", "replace")


def test_nothing_real_blocks() -> None:
    everywhere = sample_texts("catalogue", "feeds", "pages", "microblog", "comments")
    found = [(name, f) for name, text in everywhere for f in screen(text, context=READ)]
    assert [(name, f) for name, f in found if f.severity is Severity.BLOCK] == []


def test_documents_of_the_state_council_raise_nothing() -> None:
    for _, text in sample_texts("catalogue"):
        assert screen(text, context=READ) == []


def test_notices_of_a_city_raise_what_is_there() -> None:
    (text,) = [text for name, text in sample_texts("feeds") if name.startswith("sz-policy")]
    # samples/README.md: one mobile number; and four descriptions that were cut within brackets
    found = Counter(f.rule for f in screen(text, context=READ))
    assert found == {"mobile": 1, "unpaired": 4}


@pytest.mark.parametrize(
    ("name", "caught"), [("typos-law.tsv", 20), ("typos-midu-example.tsv", 120)]
)
def test_confusions_are_told_and_right_sentences_are_not(name: str, caught: int) -> None:
    """The lists hold what is wrong anywhere: what a reader must understand they do not catch."""
    (pairs,) = [text for file, text in sample_texts("lexicons") if file == name]
    rows = [line.split("\t") for line in pairs.splitlines() if "\t" in line]
    wrong = [row for row in rows if row[0] != row[-1]]
    assert sum(any(f.rule == "typo" for f in screen(row[0])) for row in wrong) >= caught
    assert [row[-1] for row in rows if any(f.rule == "typo" for f in screen(row[-1]))] == []
