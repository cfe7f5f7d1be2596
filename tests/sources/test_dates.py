"""Dates as catalogues write them; an unclear one is none."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sources.dates import read_date

BEIJING = ZoneInfo("Asia/Shanghai")


def local(text: str, zone: tzinfo = BEIJING, chinese: bool = True) -> str | None:
    at = read_date(text, zone, chinese=chinese)
    assert at is None or at.tzinfo is UTC
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at else None


@pytest.mark.parametrize(
    ("text", "beijing"),
    [
        # RFC 822 and what becomes of it
        ("Tue, 22 Sep 2026 08:05:09 +0800", "2026-09-22 08:05:09"),
        ("Tue, 22 Sep 2026 08:05:09 GMT", "2026-09-22 16:05:09"),
        ("Tue, 27 Dec 2005 13:08:54+0900", "2005-12-27 12:08:54"),
        ("Wed, 17 Jan 2018 15:50:00 EST", "2018-01-18 04:50:00"),
        ("1 Sep 26 8:05 Z", "2026-09-01 16:05:00"),
        ("Tuesday, 22-Sep-26 10:00:00 GMT", "2026-09-22 18:00:00"),
        ("Thu, 01 Jan 98 00:00:00 +0800", "1998-01-01 00:00:00"),
        ("Fri, 31 Dec 1999 23:59:60 GMT", "2000-01-01 08:00:00"),
        ("22 Sept 2026 10:00", "2026-09-22 10:00:00"),
        ("Tue, 22 Sep 2026 10:00:00 +0800 (CST)", "2026-09-22 10:00:00"),
        ("Tue, 22 Sep 2026 10:00:00 CST", "2026-09-22 10:00:00"),
        ("Tue, 22 Sep 2026 10:00:00 XYZ", "2026-09-22 18:00:00"),
        ("星期二, 22 九月 2026 10:00:00 +0800", "2026-09-22 10:00:00"),
        ("周二, 22 9月 2026 10:00:00 +0800", "2026-09-22 10:00:00"),
        ("周二, 01 12月 2026 10:00:00 +0800", "2026-12-01 10:00:00"),
        # Chinese figures
        ("二〇二六年九月二十二日", "2026-09-22 00:00:00"),
        ("二○一一年十二月三十一日", "2011-12-31 00:00:00"),
        ("一九九六年 十月 十日", "1996-10-10 00:00:00"),
        ("二零零五年二月二十九日", None),
        # ISO 8601 and its relatives
        ("2026-09-22T08:05:09+08:00", "2026-09-22 08:05:09"),
        ("2026-09-22T00:05:09.123Z", "2026-09-22 08:05:09"),
        ("2026-09-22", "2026-09-22 00:00:00"),
        ("2005-5-28 16:05:36", "2005-05-28 16:05:36"),
        ("2026/9/2 9:05", "2026-09-02 09:05:00"),
        ("2026.9.2", "2026-09-02 00:00:00"),
        ("2026-09-22T24:00:00", "2026-09-23 00:00:00"),
        ("2026-09-22 10:00:00 GMT+8", "2026-09-22 10:00:00"),
        ("20260922T101112Z", "2026-09-22 18:11:12"),
        ("20260922", "2026-09-22 00:00:00"),
        ("202609221011", "2026-09-22 10:11:00"),
        ("2007-08-20-23:59:59", "2007-08-20 23:59:59"),
        ("2017——04——12 21:37", "2017-04-12 21:37:00"),
        # Chinese
        ("2026年9月22日", "2026-09-22 00:00:00"),
        ("2026年09月22日 10:00", "2026-09-22 10:00:00"),
        ("2026年9月22日 下午3:05", "2026-09-22 15:05:00"),
        ("发布时间：2026-09-22 10：00", "2026-09-22 10:00:00"),
        # asctime, Java, .NET
        ("Tue Sep 22 10:00:00 2026", "2026-09-22 10:00:00"),
        ("Tue Sep 22 10:00:00 CST 2026", "2026-09-22 10:00:00"),
        ("September 22, 2026 10:00 PM", "2026-09-22 22:00:00"),
        ("9/22/2026 12:05:00 AM", "2026-09-22 00:05:00"),
        # Unix time
        ("1518478934", "2018-02-13 07:42:14"),
        ("1518478934000", "2018-02-13 07:42:14"),
    ],
)
def test_what_is_clear_is_read(text: str, beijing: str) -> None:
    assert local(text) == beijing


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "近日", "2026", "2026-09", "10:00", "123", "99999999", "1e9"),
        *("2026-02-30", "Thu, 31 Jun 2004 19:48:21 GMT", "2026-13-01 10:00", "2026-09-22 25:00"),
        *("9/2/2026", "08/02/2013 12:00:00"),  # which is the month?
        *("0001-01-01T00:00:00", "Mon, 01 Jan 0001 00:00:00 GMT", "9999-12-31T23:59:59-05:00"),
    ],
)
def test_what_is_unclear_or_impossible_is_no_date(text: str) -> None:
    assert local(text) is None


def test_cst_is_americas_where_nothing_is_chinese() -> None:
    assert local("Tue, 22 Sep 2026 10:00:00 CST", chinese=False) == "2026-09-23 00:00:00"


def test_the_offices_zone_may_have_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert read_date("2026-07-01 12:00", berlin) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert read_date("2026-12-01 12:00", berlin) == datetime(2026, 12, 1, 11, tzinfo=UTC)


@given(st.text(max_size=200))
def test_nothing_raises(text: str) -> None:
    at = read_date(text, BEIJING)
    assert at is None or 1899 <= at.year <= 2201


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)))
def test_iso_comes_back(at: datetime) -> None:
    assert read_date(at.isoformat(), BEIJING) == at
