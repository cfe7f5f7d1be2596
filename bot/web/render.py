"""Templates and what they may say: times in the office's zone, chips, icons, sentences.

One Jinja environment an office: autoescape, StrictUndefined, no loader but the package's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from bot import naming
from bot.language import Say, _, current
from bot.office import Office
from bot.web import words
from bot.web.marks import around, hits
from bot.workdays import WEEKDAYS, zone_name

HERE = Path(__file__).parent
ICONS = "vendor/tabler-icons/sprite.svg"


@cache
def static(path: str) -> str:
    """The address of a static file, with its digest, so that a browser may keep it for good."""
    content = (HERE / "static" / path).read_bytes()
    return f"/static/{path}?v={hashlib.sha256(content).hexdigest()[:10]}"


def icon(name: str, extra: str = "") -> Markup:
    """An icon of the sprite; what it means stands beside it in words."""
    return Markup(
        '<svg class="i {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
    ).format(extra, static(ICONS), name)


def chip(kind: str, state: str, more: str = "") -> Markup:
    """A state as word, icon and colour; `more` stands after the word (“1/3”)."""
    drawn = words.chip(kind, state)
    return Markup('<span class="chip {}">{}{}{}</span>').format(
        drawn.tone, icon(drawn.icon), drawn.word, f" {more}" if more else ""
    )


def said(stored: Mapping[str, Any] | Say | str | None) -> str:
    """A stored Say in the reader's language; empty where there is none."""
    if not stored:
        return ""
    return str(Say.of(stored)) if isinstance(stored, Mapping) else str(stored)


def outside(address: str) -> str:
    """An address somebody else gave, where it is one of the web; else nothing to follow."""
    return address if address.startswith(("http://", "https://")) else ""


def qr(text: str) -> Markup:
    """What a phone reads, as SVG within the page: no address serves it. A name is given around it."""
    import segno

    drawn = segno.make(text, micro=False)
    return Markup(drawn.svg_inline(omitsize=True, light="#fff", svgclass=None, lineclass=None))  # noqa: S704


def size(count: int) -> str:
    """Bytes for people: 1.2 MB."""
    if count < 1024 * 100:
        return f"{max(count / 1024, 0.1):.1f} KB"
    if count < 1024**3:
        return f"{count / 1024**2:.1f} MB"
    return f"{count / 1024**3:.1f} GB"


def query(params: Mapping[str, Any], **changes: Any) -> str:
    """The address's query with some filters changed; empty ones left out, the page begun anew."""
    kept = {k: v for k, v in {**params, "page": "", **changes}.items() if v not in ("", None)}
    return "?" + urlencode(kept)


def short(digest: str) -> str:
    """A digest as people read it aloud: 8f3a 61c0."""
    return f"{digest[:4]} {digest[4:8]}".strip()


def all_but(counts: Mapping[str, int], *names: str) -> int:
    """The sum of figures, some left out that count the same rows again."""
    return sum(n for name, n in counts.items() if name not in names)


class Times:
    """Instants in words, in the office's zone."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.zone = office.config.tz

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def day(self, at: datetime | date) -> str:
        """9月22日, with the year where it is not this one."""
        on = self.local(at).date() if isinstance(at, datetime) else at
        values = {"m": on.month, "d": on.day, "y": on.year, "mon": f"{on:%b}"}
        if on.year == self.local(self.office.db.now()).year:
            return str(Say("{m}月{d}日", **values))
        return str(Say("{y}年{m}月{d}日", **values))

    def clock(self, at: datetime) -> str:
        return f"{self.local(at):%H:%M}"

    def exact(self, at: datetime) -> str:
        return f"{self.local(at):%Y-%m-%d %H:%M:%S}"

    def moment(self, at: datetime | None) -> Markup:
        """A <time>: the hour alone today, else the day too."""
        if at is None:
            return Markup("")
        local, now = self.local(at), self.local(self.office.db.now())
        shown = self.clock(at) if local.date() == now.date() else f"{self.day(at)} {self.clock(at)}"
        return self.element(at, shown)

    def seconds(self, at: datetime | None) -> Markup:
        """A <time> to the second."""
        if at is None:
            return Markup("")
        local, now = self.local(at), self.local(self.office.db.now())
        shown = f"{local:%H:%M:%S}"
        return self.element(at, shown if local.date() == now.date() else f"{self.day(at)} {shown}")

    def element(self, at: datetime, shown: str) -> Markup:
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", self.exact(at), shown
        )

    def ago(self, at: datetime | None) -> Markup:
        """A <time>: how long since."""
        if at is None:
            return Markup("{}").format(_("从未"))
        return self.element(at, str(lapse(self.office.db.now() - at)))

    def span(self, begins: datetime | None, ends: datetime | None) -> str:
        """A window in words: “9月22日 17:00 至 19:00”."""
        if begins and ends:
            same = self.local(begins).date() == self.local(ends).date()
            end = self.clock(ends) if same else f"{self.day(ends)} {self.clock(ends)}"
            return str(Say("{a} 至 {b}", a=f"{self.day(begins)} {self.clock(begins)}", b=end))
        if begins:
            return str(Say("{a} 以后", a=f"{self.day(begins)} {self.clock(begins)}"))
        if ends:
            return str(Say("{b} 以前", b=f"{self.day(ends)} {self.clock(ends)}"))
        return _("不限时间")

    def entry(self, at: datetime | None) -> str:
        """As an <input type=datetime-local> takes it."""
        return f"{self.local(at):%Y-%m-%dT%H:%M}" if at else ""


def lapse(passed: timedelta) -> Say:
    """A while in words."""
    seconds = int(passed.total_seconds())
    if seconds < 5:
        return Say("刚刚")
    if seconds < 60:
        return Say("{n} 秒前", n=seconds)
    if seconds < 3600:
        return Say("{n} 分前", n=seconds // 60)
    if seconds < 86400:
        return Say("{n} 小时前", n=seconds // 3600)
    return Say("{n} 天前", n=seconds // 86400)


class _Compiled(BytecodeCache):
    """Templates are compiled once in a process, however many environments there are."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._kept.get(bucket.key + bucket.checksum):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def environment(office: Office) -> Environment:
    """The console's own environment."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
    )
    times = Times(office)
    made.globals.update(_=_, Say=Say, icon=icon, chip=chip, static=static, query=query)
    zone = zone_name(office.config.zone)
    made.globals.update(amiss=None)  # a page whose form could not be taken is given one
    made.globals.update(words=words, current_language=current, now=office.db.now, zone=zone)
    made.filters.update(hits=hits, around=around, qr=qr)
    made.filters.update(outside=outside, said=said, size=size, short=short, all_but=all_but)
    for name in ("day", "clock", "exact", "moment", "seconds", "ago", "entry"):
        made.filters[name] = getattr(times, name)
    for one in (naming.of_account, naming.of_schedule, naming.of_template):
        made.filters[one.__name__.removeprefix("of_")] = partial(one, office.config)
    made.globals.update(span=times.span, weekday=lambda at: WEEKDAYS[times.local(at).weekday()])
    return made
