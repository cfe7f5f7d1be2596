"""An entry keeps its key whatever happens around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.sources.identity import Claim, keys

PAGE = "http://a.example/list/"
PLACES = {"http://a.example/", "http://a.example/rss.xml"}


def claim(title: str, *ids: str, day: int | None = 1, content: str = "") -> Claim:
    published = datetime(2026, 9, day, tzinfo=UTC) if day else None
    return Claim(ids, title, published, content)


def key_of(claims: Sequence[Claim], memo: dict[str, Any] | None = None) -> list[str]:
    return keys(claims, PLACES, memo or {})[0]


def follow(*readings: Sequence[Claim]) -> list[list[str]]:
    """The keys of readings that come one after another, the memo stored between them."""
    memo: dict[str, Any] = {}
    found = []
    for claims in readings:
        names, memo = keys(claims, PLACES, json.loads(json.dumps(memo)))
        found.append(names)
    return found


def test_an_identifier_of_its_own_is_the_key_and_outlives_every_edit() -> None:
    before = key_of([claim("旧", "post-1")])
    assert before == key_of([claim("新", "post-1", day=2, content="改")]) == ["post-1"]


def test_the_guid_goes_before_the_link() -> None:
    assert key_of([claim("a", "7", PAGE), claim("b", "8", PAGE)]) == ["7", "8"]


def test_a_guid_that_all_share_gives_way_to_the_link() -> None:
    names = key_of([claim("a", "0", "http://a.example/1"), claim("b", "0", "http://a.example/2")])
    assert names == ["a.example/1", "a.example/2"]


def test_a_move_to_https_is_no_new_catalogue() -> None:
    assert key_of([claim("a", "http://a.example/1")]) == key_of([claim("a", "https://a.example/1")])


def test_shared_identifiers_are_told_apart_by_title_and_by_date() -> None:
    claims = [
        claim("a", PAGE),
        claim("b", PAGE),
        claim("a", PAGE, day=2),
        claim("a", PAGE, day=None),
    ]
    assert len(set(key_of(claims))) == 4


def test_under_a_shared_identifier_even_twins_are_two_if_they_say_different_things() -> None:
    others = [claim("b", PAGE)]
    twins = [claim("a", PAGE, content="一"), claim("a", PAGE, content="二")]
    assert len(set(key_of(twins + others))) == 3
    assert len(set(key_of([twins[0], twins[0], *others]))) == 2


def test_one_entry_listed_twice_is_one() -> None:
    assert key_of([claim("a", "1", content="一"), claim("a", "1", content="一…")]) == ["1", "1"]


def test_the_address_of_the_catalogue_or_of_a_bare_site_is_nobodys_key() -> None:
    for place in (*PLACES, "http://b.example", "https://c.example/"):
        before = key_of([claim("a", place)])
        assert before != key_of([claim("b", place)])
        assert place.partition("//")[2] not in before


def test_a_guid_with_a_dot_is_no_site() -> None:
    assert key_of([claim("a", "post.1")]) == key_of([claim("b", "post.1")]) == ["post.1"]


def test_who_bore_an_identifier_alone_keeps_it_when_others_join() -> None:
    (alone,), (new, old), (still,) = follow(
        [claim("旧", PAGE)],
        [claim("新", PAGE, day=2), claim("旧", PAGE)],
        [claim("旧", PAGE)],
    )
    assert alone == old == still != new


def test_the_last_bearer_of_a_shared_identifier_does_not_inherit_it() -> None:
    first, (last,), (later,) = follow(
        [claim("b", PAGE, day=2), claim("a", PAGE)],
        [claim("b", PAGE, day=2)],
        [claim("c", PAGE, day=3)],
    )
    assert last == first[0]
    assert later not in first


def test_who_left_and_comes_back_is_who_he_was() -> None:
    (before,), _, (again, _) = follow(
        [claim("a", PAGE)],
        [claim("b", PAGE), claim("a", PAGE)],
        [claim("a", PAGE), claim("c", PAGE)],
    )
    assert before == again


def test_a_very_long_identifier_stands_as_its_digest() -> None:
    long = "x" * 5000
    (key,) = key_of([claim("a", long)])
    assert len(key) == 64
    assert [key] == key_of([claim("b", long)])


FACES = st.tuples(st.sampled_from("abcdef"), st.integers(1, 3))
IDS = st.sampled_from(["1", "2", PAGE, ""])


@given(
    st.dictionaries(FACES, IDS, min_size=1),
    st.lists(st.sets(FACES, min_size=1), min_size=1, max_size=6),
)
def test_no_entry_ever_takes_anothers_key_once_its_identifier_is_known_as_shared(
    all_ids: dict[tuple[str, int], str], shown: list[set[tuple[str, int]]]
) -> None:
    """Whatever is listed when: after one reading of all, each has one key for ever."""
    everything = [claim(t, *filter(None, [i]), day=d) for (t, d), i in all_ids.items()]
    owner: dict[str, tuple[str, datetime | None]] = {}
    memo: dict[str, Any] = {}
    for faces in ({(c.title, c.published.day) for c in everything if c.published}, *shown):
        listed = [c for c in everything if c.published and (c.title, c.published.day) in faces]
        names, memo = keys(listed, PLACES, memo)
        for name, one in zip(names, listed, strict=True):
            assert owner.setdefault(name, (one.title, one.published)) == (one.title, one.published)
    assert len(owner) == len(everything)
