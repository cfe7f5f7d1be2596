"""Real feeds, read as their description says; and feedparser as a second opinion."""

from __future__ import annotations

import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.errors import SourceError
from bot.model import Entry, Reading
from bot.sources.base import Origin
from bot.sources.decode import unpack
from bot.sources.feed import Feed, FeedOptions
from tests.sources.contract import ZONE

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/feeds"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")

COUNTS = {
    "acnnewswire.rss2.gb2312.xml": 8,
    "broken-guid-dupes.rss2.xml": 1,
    "broken-illegally-nested.rss2.xml": 10,
    "broken-invalid-date.rss2.xml": 2,
    "broken-saxerror.rss2.xml": 3,
    "digitalwall.rss2.big5.xml": 1,
    "google-alerts.atom.xml": 20,
    "jsonfeed-org.jsonfeed1.json": 20,
    "miniflux-rdf.rss1.utf8.xml": 60,
    "oren.rss2.windows-1251.xml.gz": 10,
    "sz-policy.rss2.utf8.xml": 166,
    "w3cn.rss2.gb2312.xml": 20,
}


def parse(body: bytes, memo: dict[str, object] | None = None) -> Reading:
    return Feed(FeedOptions()).parse(body, "", Origin("feed", ZONE, memo=memo or {}))


def sample(name: str) -> tuple[Entry, ...]:
    return parse((SAMPLES / name).read_bytes()).entries


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("name", COUNTS)
def test_every_item_is_read_under_a_key_of_its_own(name: str) -> None:
    entries = sample(name)
    assert len(entries) == len({e.key for e in entries}) == COUNTS[name]
    assert all(e.title and e.link.startswith("http") for e in entries)


@pytest.mark.parametrize("name", COUNTS)
def test_twice_read_is_the_same(name: str) -> None:
    body = (SAMPLES / name).read_bytes()
    first = parse(body)
    assert parse(body, dict(first.memo)).entries == first.entries


@pytest.mark.parametrize("name", [n for n in COUNTS if n.startswith("broken")])
def test_damage_that_is_survived_is_told(name: str) -> None:
    assert parse((SAMPLES / name).read_bytes()).problems


@pytest.mark.parametrize("name", COUNTS)
def test_a_part_is_never_taken_for_the_whole(name: str) -> None:
    body = unpack((SAMPLES / name).read_bytes())
    whole = [e.key for e in parse(body).entries]
    for size in (*range(1, len(body), len(body) // 12), *range(len(body) - 40, len(body))):
        try:
            keys = [e.key for e in parse(body[:size]).entries]
        except SourceError:
            continue
        assert keys == whole


def test_shenzhen_ten_notices_under_one_link_and_one_title_twice() -> None:
    entries = sample("sz-policy.rss2.utf8.xml")
    assert len({e.link for e in entries}) == 157
    assert sum(e.link.endswith("/ztfw/zcfw/zchj") for e in entries) == 10
    assert Counter(e.title for e in entries).most_common(1)[0][1] == 2
    assert entries[0].title.startswith("深圳市中小企业服务局关于组织开展2026年专精特新")
    assert entries[0].published == at(2026, 4, 13, 16)
    assert entries[0].publisher == "深圳市中小企业服务局"
    assert entries[-1].title == "《深圳市深化职务科技成果管理改革实施方案》政策解读"
    assert not any(e.document_number.startswith("工信") for e in entries)
    assert Counter(e.publisher for e in entries)["南山区企业服务"] == 10


def test_gb2312_that_is_more_and_dates_without_a_space() -> None:
    entries = sample("acnnewswire.rss2.gb2312.xml")
    assert entries[0].title.startswith("JCB 与中国银联（China UnionPay）完成ATM网关协议的签订；")
    assert entries[0].link.endswith("lang=_c&Art_ID=29698")
    assert entries[0].published == at(2005, 12, 27, 4, 8, 54)
    assert entries[-1].published == at(2005, 11, 22, 5, 59, 44)


def test_local_dates_without_zone_or_padding() -> None:
    entries = sample("w3cn.rss2.gb2312.xml")
    assert entries[0].title == "如何以及何时使用sIFR"
    assert entries[0].published == datetime(2005, 5, 28, 16, 5, 36, tzinfo=ZONE)
    assert (entries[-1].title, entries[-1].summary) == ("表格对决CSS--一场生死之战", "")


def test_big5_and_windows_1251() -> None:
    (taiwan,) = sample("digitalwall.rss2.big5.xml")
    assert (taiwan.title, taiwan.published) == (
        "再談軟體與媒體的典範轉移",
        at(2005, 12, 17, 15, 21, 36),
    )
    oren = sample("oren.rss2.windows-1251.xml.gz")[0]
    assert oren.title == "В Бузулуке главные стройплощадки – детсад и Ледовый дворец"
    assert oren.published == at(2014, 1, 22, 14, 31, 31)


def test_the_broken_ones() -> None:
    assert sample("broken-saxerror.rss2.xml")[1].link == "http://example.com/bad?foo=1&bar=2"
    assert sample("broken-illegally-nested.rss2.xml")[0].published == at(2018, 1, 17, 20, 50)
    (huh,) = sample("broken-guid-dupes.rss2.xml")
    assert (huh.link, huh.published) == ("http://www.braingle.com/50366.html", at(2014, 6, 19, 6))
    dates = [e.published for e in sample("broken-invalid-date.rss2.xml")]
    assert dates == [at(2017, 10, 16, 15, 10), at(2017, 10, 17, 12, 17)]


def test_atom_with_html_titles_and_relayed_links() -> None:
    entries = sample("google-alerts.atom.xml")
    assert entries[0].title.startswith("Report offers Prediction of Automotive Slack Market by")
    assert entries[0].link.startswith("https://www.aglobalmarketresearch.com/report-offers-")
    assert entries[1].published == at(2019, 7, 10, 11, 46, 48)


def test_json_feed_and_rdf_without_dates() -> None:
    first = sample("jsonfeed-org.jsonfeed1.json")[0]
    assert first.title == "James Dempsey and the Breakpoints Benefit App Camp for Girls"
    assert first.published == at(2017, 6, 3, 5, 5, 47)
    heise = sample("miniflux-rdf.rss1.utf8.xml")
    assert heise[0].title == "OLED-TVs: Vorsichtsmaßnahmen gegen Einbrennen"
    assert all(e.published is None for e in heise)


@pytest.mark.parametrize(
    "name", ["sz-policy.rss2.utf8.xml", "google-alerts.atom.xml", "miniflux-rdf.rss1.utf8.xml"]
)
def test_feedparser_reads_the_same(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import feedparser

        theirs = feedparser.parse((SAMPLES / name).read_bytes()).entries
    ours = sample(name)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        parsed = b.get("published_parsed")
        assert a.published == (at(*parsed[:6]) if parsed else None)
        assert a.title.replace(" ", "") in b.title.replace("<b>", "").replace("</b>", "").replace(
            " ", ""
        )
        assert a.link in b.link
