"""What every kind of source must do. An outsider's suite is one class:

    class TestMine(SourceContract):
        kind = Kind("mine", write=my_catalogue, content_type="text/csv")

where `write` gives a catalogue of `Notice`s in the kind's own format, links and dates included.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bot.errors import SourceError
from bot.model import Entry, Reading
from bot.sources.base import Origin, Source, kinds, source_class
from tests.sources.serving import Answer, serving

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Notice:
    """An entry as a catalogue's owner thinks of it; `id` is its own identifier."""

    title: str
    link: str = ""
    text: str = ""
    published: str | None = "2026-09-22T08:30:00+08:00"
    id: str = ""


@dataclass(frozen=True)
class Kind:
    name: str
    write: Callable[[Sequence[Notice]], bytes]
    content_type: str
    options: dict[str, Any] = field(default_factory=dict)

    def source(self) -> Source:
        kind = source_class(self.name)
        return kind(kind.options_model(**self.options))


def notice(n: int, **values: Any) -> Notice:
    page = f"http://www.yunlan.example/zwgk/post_{n}.html"
    fields: dict[str, Any] = {
        "title": f"关于第{n}项工作的通知",
        "link": page,
        "id": page,
        "text": f"第{n}项工作的有关事项。",
        "published": f"2026-09-{n:02}T08:30:00+08:00",
    }
    return Notice(**{**fields, **values})


FIVE = tuple(notice(n) for n in range(5, 0, -1))
PAGE = "http://www.yunlan.example/zwgk/tzgg/"
SHARED = tuple(notice(n, link=PAGE, id=PAGE) for n in range(5, 0, -1))


class SourceContract:
    kind: ClassVar[Kind]

    def read(self, notices: Sequence[Notice], memo: dict[str, Any] | None = None) -> Reading:
        return self.parse(self.kind.write(notices), memo)

    def parse(self, body: bytes, memo: dict[str, Any] | None = None) -> Reading:
        origin = Origin("http://www.yunlan.example/catalogue", ZONE, memo=memo or {})
        return self.kind.source().parse(body, self.kind.content_type, origin)

    def keys(self, notices: Sequence[Notice]) -> list[str]:
        return [entry.key for entry in self.read(notices).entries]

    # -------------------------------------------------------------- what is read

    def test_every_entry_is_read_in_order(self) -> None:
        entries = self.read(FIVE).entries
        assert [e.title for e in entries] == [n.title for n in FIVE]
        assert [e.link for e in entries] == [n.link for n in FIVE]
        assert [e.summary for e in entries] == [n.text for n in FIVE]
        assert entries[0].published == datetime(2026, 9, 5, 0, 30, tzinfo=UTC)

    def test_a_date_without_a_zone_is_the_offices(self) -> None:
        (entry,) = self.read([notice(1, published="2026-09-22T08:30:00")]).entries
        assert entry.published == datetime(2026, 9, 22, 0, 30, tzinfo=UTC)

    @pytest.mark.parametrize("published", [None, "近日"])
    def test_a_missing_or_unreadable_date_stays_missing_and_is_told(
        self, published: str | None
    ) -> None:
        reading = self.read([notice(1, published=published)])
        assert reading.entries[0].published is None
        assert reading.problems

    def test_an_entry_survives_being_stored(self) -> None:
        for entry in self.read(FIVE).entries:
            assert Entry.of(json.loads(json.dumps(entry.json()))) == entry

    def test_a_catalogue_without_entries_is_read_and_told(self) -> None:
        reading = self.read([])
        assert not reading.entries
        assert reading.problems

    # -------------------------------------------------------------- identity

    def test_the_same_catalogue_twice_is_the_same(self) -> None:
        first = self.read(FIVE)
        again = self.read(FIVE, json.loads(json.dumps(dict(first.memo))))
        assert again.entries == first.entries

    def test_an_edited_entry_keeps_its_key_and_changes_its_digest(self) -> None:
        first = self.read(FIVE)
        edited = [replace(FIVE[0], title="关于第5项工作的补充通知"), *FIVE[1:]]
        again = self.read(edited, dict(first.memo))
        assert [e.key for e in again.entries] == [e.key for e in first.entries]
        changed = [a.digest != b.digest for a, b in zip(again.entries, first.entries, strict=True)]
        assert changed == [True, False, False, False, False]

    def test_spacing_alone_is_no_change(self) -> None:
        spaced = [replace(n, text=f"  {n.text}\n ") for n in FIVE]
        assert [e.digest for e in self.read(spaced).entries] == [
            e.digest for e in self.read(FIVE).entries
        ]

    def test_notices_that_share_their_link_are_as_many_entries(self) -> None:
        assert len(set(self.keys(SHARED))) == len(SHARED)

    def test_one_title_on_two_dates_is_two_entries(self) -> None:
        twice = [replace(n, title="六个一") for n in SHARED]
        assert len(set(self.keys(twice))) == len(twice)

    def test_keys_do_not_change_when_others_come_and_go(self) -> None:
        names: dict[str, str] = {}
        memo: dict[str, Any] = {}
        for shown in (SHARED[4:], SHARED[3:], SHARED[1:4], SHARED[1:2], SHARED):
            reading = self.read(shown, memo)
            memo = json.loads(json.dumps(dict(reading.memo)))
            for entry in reading.entries:
                assert names.setdefault(entry.title, entry.key) == entry.key
        assert len(set(names.values())) == len(SHARED)

    # -------------------------------------------------------------- what is refused

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_a_catalogue_cut_short_is_refused(self, share: float) -> None:
        body = self.kind.write(FIVE)
        with pytest.raises(SourceError):
            self.parse(body[: int(len(body) * share)])

    @pytest.mark.parametrize(
        "body",
        [b"", b" \n", b"<!DOCTYPE html><html><body><p>404</p></body></html>", b"\x00\x01\x02"],
    )
    def test_what_is_no_catalogue_is_refused(self, body: bytes) -> None:
        with pytest.raises(SourceError):
            self.parse(body)
        assert not source_class(self.kind.name).recognises(body, "")

    def test_its_own_catalogue_is_recognised(self) -> None:
        kind = source_class(self.kind.name)
        assert kind.recognises(self.kind.write(FIVE), self.kind.content_type)
        assert self.kind.name in kinds()

    def test_an_unknown_option_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            source_class(self.kind.name).options_model(**{"no such option": 1})

    # -------------------------------------------------------------- fetching

    def test_an_unchanged_catalogue_is_not_read_again(self) -> None:
        body, marks = self.kind.write(FIVE), {"ETag": '"5"', "Content-Type": self.kind.content_type}

        def answer(_: str, headers: Any) -> Answer:
            same = headers.get("if-none-match") == '"5"'
            return Answer(status=304) if same else Answer(body, headers=marks)

        with serving(answer) as served:
            origin = Origin(served.url(), ZONE, private=True)
            first = asyncio.run(self.kind.source().read(origin))
            again = replace(origin, etag=first.etag, memo=first.memo)
            second = asyncio.run(self.kind.source().read(again))
        assert (len(first.entries), first.unchanged) == (5, False)
        assert (second.entries, second.unchanged) == ((), True)
        assert (second.etag, second.memo) == (first.etag, first.memo)

    def test_a_catalogue_that_is_no_more_is_gone(self) -> None:
        with (
            serving(lambda *_: Answer(status=410)) as served,
            pytest.raises(SourceError) as caught,
        ):
            asyncio.run(self.kind.source().read(Origin(served.url(), ZONE, private=True)))
        assert caught.value.gone

    def test_a_private_address_is_refused_unless_config_names_it(self) -> None:
        with (
            serving(lambda *_: Answer(self.kind.write(FIVE))) as served,
            pytest.raises(SourceError),
        ):
            asyncio.run(self.kind.source().read(Origin(served.url(), ZONE)))
        assert not served.asked

    def test_a_file_is_read_like_any_other(self, tmp_path: Path) -> None:
        file = tmp_path / "catalogue"
        file.write_bytes(self.kind.write(FIVE))
        first = asyncio.run(self.kind.source().read(Origin(str(file), ZONE)))
        again = Origin(str(file), ZONE, etag=first.etag)
        assert len(first.entries) == 5
        assert asyncio.run(self.kind.source().read(again)).unchanged
