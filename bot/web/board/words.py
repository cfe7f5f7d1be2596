"""How the public pages put things: times, headlines, links in a text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from sqlalchemy import RowMapping

from bot.language import Say, current
from bot.text import links

LONGEST_HEADLINE = 40


def headline(post: RowMapping) -> str:
    """A post's title; where it has none, the beginning of its text."""
    if post["title"]:
        return str(post["title"])
    first = str(post["text"]).strip().splitlines()[0]
    return first if len(first) <= LONGEST_HEADLINE else first[:LONGEST_HEADLINE] + "……"


def when(at: datetime, zone: ZoneInfo) -> Markup:
    """A <time>: “2026年9月16日 10:00”, in English “16 September 2026, 10:00”."""
    local = at.astimezone(zone)
    if current() == "en":
        shown = f"{local.day} {local:%B %Y, %H:%M}"
    else:
        shown = f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat("T", "seconds"), shown)


def as_of(at: datetime, zone: ZoneInfo) -> Markup:
    """A <time>: the hour; its day is there, hidden, for when it is no longer today's."""
    local, whole = at.astimezone(zone), when(at, zone).striptags()
    day = whole.removesuffix(f"{local:%H:%M}").rstrip(" ,")
    return Markup('<time datetime="{}"><span class="day" hidden>{} </span>{:%H:%M}</time>').format(
        local.isoformat("T", "seconds"), day, local
    )


def offset(at: datetime, zone: ZoneInfo) -> str:
    """How far the office's clock is from UTC: “UTC+8”."""
    minutes = int((at.astimezone(zone).utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def put(text: str, **values: Any) -> Markup:
    """A sentence of ours with values in it, some of them markup; the others are escaped."""
    return Markup(text).format(**values)  # noqa: S704 - `text` is of our own catalogue


def pubdate(at: datetime, zone: ZoneInfo) -> str:
    """A time as 国办发〔2017〕47号 wants it in a page's PubDate tag."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def zone_said(name: str) -> str:
    """The zone all times of a page are in, as its footer names it once."""
    if name == "Asia/Shanghai":
        return str(Say("时间均为北京时间"))
    return str(Say("时间均为 {zone} 当地时间", zone=name))


def linked(text: str) -> Markup:
    """The office's own text with its links to click; everything else is text."""
    made, done = Markup(""), 0
    for start, end in links(text):
        made += escape(text[done:start])
        made += Markup('<a href="{0}" rel="nofollow noopener">{0}</a>').format(text[start:end])
        done = end
    return made + escape(text[done:])


_LEADS = re.compile(r"(?:^|\n)[^\n:：]{0,8}[:：]$")


def clipped(text: str, length: int) -> str:
    """The beginning of a text of the front page; whole if it is short.

    It is never cut within a link, nor ends on what only leads to one (原文：).
    """
    if len(text) <= length:
        return text
    end = next((start for start, end in links(text) if start < length < end), length)
    return _LEADS.sub("", text[:end].rstrip()).rstrip() + "……"


def language_tag(language: str) -> str:
    """A post's language as HTML wants it: Chinese says which script it is in."""
    return "zh-CN" if language == "zh" else language
