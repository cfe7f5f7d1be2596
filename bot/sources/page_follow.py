"""Following a list's links, politely: what robots.txt forbids is left, requests to one host keep a
pace, a page is fetched when its entry is new or its row changed, a few others are asked whether they
changed, and no poll takes longer than it may hold its lease.

What an article's page said is kept in the memo, so that an entry says the same from poll to poll. A
page that fails leaves its entry what the list says, with a problem, and is tried again. A page that
says 404 or 410 makes its entry gone. Only pages of the list's own host are read, or of hosts that
config names; a document or another site's page is a link and nothing more.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from bot.errors import SourceError
from bot.language import Say
from bot.model import Entry, Problem, Reading
from bot.sources.base import Origin
from bot.sources.decode import decode
from bot.sources.fetch import Body, Limits, fetch, is_remote
from bot.sources.page_body import is_document

AGENT = "gongkai"  # as robots.txt would name us
SECONDS = 45  # of one poll's following; a source is held for two minutes
LONGEST_PACE = 30.0  # seconds; a Crawl-delay beyond is not waited for
_ROBOTS = Limits(500_000, 10)  # RFC 9309 §2.5

_free_at: dict[str, float] = {}  # host → when it may be asked next, for all sources of this process


class Manners(Protocol):
    """The options a walk needs."""

    @property
    def hosts(self) -> tuple[str, ...]: ...
    @property
    def pace(self) -> float: ...
    @property
    def most(self) -> int: ...
    @property
    def recheck(self) -> int: ...


ReadPage = Callable[[bytes, str, Origin], Entry | None]


@dataclass(frozen=True)
class _Visit:
    """What came of one page: its `kept` record, gone, or why it is to be tried again."""

    kept: Mapping[str, Any] | None = None
    gone: bool = False
    changed: bool = False
    problem: Say | None = None


@dataclass
class Walk:
    """The following of one poll. `read_page` makes an entry of a page, or none."""

    origin: Origin
    url: str  # where the list was found in the end
    manners: Manners
    limits: Limits
    read_page: ReadPage
    visits: dict[str, _Visit] = field(default_factory=dict)
    rules: dict[str, RobotFileParser | SourceError] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    @property
    def known(self) -> Mapping[str, Any]:
        """What earlier polls kept: link → {listing, etag, last_modified, entry}."""
        pages: Mapping[str, Any] = self.origin.memo.get("pages", {})
        return pages

    async def finds_change(self) -> bool:
        """Ask a few pages again where the list says it is unchanged."""
        for link in self._some([link for link, kept in self.known.items() if kept["entry"]]):
            await self._visit_once(link, Entry.of(self.known[link]["entry"]))
        return any(visit.changed or visit.gone for visit in self.visits.values())

    async def fill(self, reading: Reading) -> Reading:
        """The list's reading, its entries filled from their pages."""
        rows = self._rows(reading.entries)
        fresh = [link for link, entry in rows.items() if self._is_fresh(link, entry)]
        seen = [link for link in rows if link not in fresh and self.known[link]["entry"]]
        for link in (*fresh[: self.manners.most], *self._some(seen)):
            await self._visit_once(link, rows[link])
        return self._filled(reading, rows)

    def _some(self, links: Sequence[str]) -> list[str]:
        """Any few of those not asked yet: in time each has its turn, and nothing is to be kept."""
        unasked = [link for link in links if link not in self.visits]
        return random.sample(unasked, min(self.manners.recheck, len(unasked)))

    def _rows(self, entries: Sequence[Entry]) -> dict[str, Entry]:
        """The entries whose pages may be read, by link; a link that two share is no article's."""
        times = Counter(entry.link for entry in entries)
        here = {self.url, self.origin.url}
        return {
            entry.link: entry
            for entry in entries
            if times[entry.link] == 1 and entry.link not in here and self._is_ours(entry.link)
        }

    def _is_ours(self, link: str) -> bool:
        if not is_remote(link) or is_document(link):
            return False
        own = {urlsplit(url).netloc.lower() for url in (self.url, self.origin.url)}
        at = urlsplit(link)
        return at.netloc.lower() in own or (at.hostname or "") in self.manners.hosts

    def _is_fresh(self, link: str, entry: Entry) -> bool:
        return link not in self.known or self.known[link]["listing"] != _mark(entry)

    # ------------------------------------------------------------ visiting

    async def _visit_once(self, link: str, row: Entry) -> None:
        if link not in self.visits and time.monotonic() - self.begun < SECONDS:
            self.visits[link] = await self._visit(link, row)

    async def _visit(self, link: str, row: Entry) -> _Visit:
        """One page, if robots.txt allows it. `row` is what it should be about."""
        kept = self.known.get(link, {})
        marks = {name: kept.get(name, "") for name in ("etag", "last_modified")}
        try:
            rules = await self._allowed(link)
            if rules is None:
                said = Say("robots.txt 不允许读这一页，只用列表上的内容")
                return _Visit({"entry": None}, problem=said)
            await self._turn(link, rules)
            body = await fetch(replace(self._origin(link), **marks), self.limits)
            if body.unchanged:
                return _Visit({**kept})
            entry = await asyncio.to_thread(self._read, body)
        except SourceError as error:
            return _Visit(gone=error.gone, problem=None if error.gone else error.say)
        if entry and not _is_of(entry, row):
            return _Visit(problem=Say("网页说的不是这一条，下次再读"))
        made = {"etag": body.etag, "last_modified": body.last_modified}
        stored = entry.json() if entry else None
        return _Visit({**made, "entry": stored}, changed=stored != kept.get("entry"))

    def _read(self, body: Body) -> Entry | None:
        if not self._is_ours(body.url):
            raise SourceError("网页转到了别处")
        return self.read_page(body.data, body.content_type, self._origin(body.url))

    def _origin(self, url: str) -> Origin:
        """Only the list's own host may be a private address."""
        own = urlsplit(url).hostname == urlsplit(self.origin.url).hostname
        return Origin(url, self.origin.zone, private=self.origin.private and own)

    async def _allowed(self, link: str) -> RobotFileParser | None:
        """The rules of the link's host, where they allow it. Raises SourceError without rules."""
        at = urlsplit(link)
        host = f"{at.scheme}://{at.netloc}"
        if host not in self.rules:
            self.rules[host] = await self._robots(host)
        rules = self.rules[host]
        if isinstance(rules, SourceError):
            raise rules
        return rules if rules.can_fetch(AGENT, link) else None

    async def _robots(self, host: str) -> RobotFileParser | SourceError:
        """RFC 9309: no robots.txt allows all; one that cannot be read now allows nothing now."""
        rules, lines = RobotFileParser(), []
        try:
            body = await fetch(self._origin(f"{host}/robots.txt"), _ROBOTS)
            lines = decode(body.data, body.content_type).text.splitlines()
        except SourceError as error:
            if not 400 <= error.say.values.get("status", 0) < 500:
                return SourceError("读不到 robots.txt：{why}", why=error.say)
        rules.parse(lines)
        return rules

    async def _turn(self, link: str, rules: RobotFileParser) -> None:
        """Wait until this host may be asked again."""
        host, asked = urlsplit(link).netloc, float(rules.crawl_delay(AGENT) or 0)
        pace = max(self.manners.pace, min(asked, LONGEST_PACE))
        now = time.monotonic()
        start = max(now, _free_at.get(host, now + pace))
        _free_at[host] = start + pace
        await asyncio.sleep(start - now)

    # ------------------------------------------------------------ what came of it

    def _filled(self, reading: Reading, rows: Mapping[str, Entry]) -> Reading:
        """Every entry of the list, read or not: more at once than usual must be seen at once."""
        pages: dict[str, Any] = {}
        entries: list[Entry] = []
        gone: list[str] = []
        problems = [*reading.problems]
        for entry in reading.entries:
            visit = self.visits.get(entry.link)
            if rows.get(entry.link) is not entry:
                entries.append(entry)
            elif visit and visit.gone:
                gone.append(entry.key)
            else:
                pages[entry.link] = self._kept(entry, visit)
                entries.append(_merged(entry, pages[entry.link]["entry"]))
            if visit and visit.problem:
                problems.append(Problem(entry.title[:40] or entry.link, str(visit.problem)))
        memo = {**reading.memo, "pages": pages, "pending": _waiting(pages, rows)}
        done = replace(reading, entries=tuple(entries), problems=tuple(problems))
        return replace(done, memo=memo, gone=tuple(gone))

    def _kept(self, entry: Entry, visit: _Visit | None) -> dict[str, Any]:
        """The record for the next poll; `listing` is another's where the page is still to be read."""
        if visit and visit.kept is not None:
            return {**visit.kept, "listing": _mark(entry)}
        return dict(self.known.get(entry.link, {"entry": None, "listing": ""}))


def _mark(entry: Entry) -> str:
    """What the list says of an entry, in short."""
    return entry.digest[:16]


def _waiting(pages: Mapping[str, Any], rows: Mapping[str, Entry]) -> int:
    """How many pages are still to be read."""
    return sum(kept["listing"] != _mark(rows[link]) for link, kept in pages.items())


def _is_of(page: Entry, row: Entry) -> bool:
    """Whether a page tells of what the list announced: a site in trouble answers anything with
    its own excuses."""
    return _likeness(row.title, f"{page.title}{page.body[:2000]}") >= 1 / 3


def _likeness(title: str, text: str) -> float:
    """How many of a title's pairs of characters stand in a text, as a share of them."""
    bare = "".join(title.rstrip(".… ").split())
    pairs = {bare[n : n + 2] for n in range(len(bare) - 1)}
    told = "".join(text.split())
    return sum(pair in told for pair in pairs) / len(pairs) if pairs else 1.0


def _merged(entry: Entry, stored: Mapping[str, Any] | None) -> Entry:
    """The list's entry with what its page says; key and link stay.

    So do a title of which the page's is no longer form, and a summary where the page has none.
    """
    if not stored:
        return entry
    page = Entry.of(stored)
    names = ("published", "formed", "index_number", "document_number", "publisher", "topic")
    more = ("body", "language", "attachments", "raw_digest")
    values = {name: getattr(page, name) or getattr(entry, name) for name in (*names, *more)}
    own = page.summary if page.summary != page.body else ""
    return replace(
        entry,
        **values,
        title=page.title if _likeness(entry.title, page.title) >= 1 / 2 else entry.title,
        summary=own or entry.summary or page.summary,
        column=page.column or entry.column,
    )
