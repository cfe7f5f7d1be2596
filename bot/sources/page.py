"""Pages of government sites: lists of dated links, and articles.

A list page is a catalogue, read whole or not at all; its links are followed politely (page_follow)
and what an article's page says fills its entry. An article's page alone is a catalogue of one. What
a page is, it shows itself: by its 网页标签, by a document's table, by a list of dates and links, or
by running text; config may name rows, links, dates and the text by CSS selectors where a site's
layout hides them. Pages of a list beyond the first are not read: what is new stands on the first.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from bot.errors import SourceError
from bot.language import Say
from bot.model import Entry, Problem, Reading, digest_of
from bot.sources.base import Options, Origin, Source
from bot.sources.decode import LIMIT, decode, unpack
from bot.sources.draft import Channel, reading_of
from bot.sources.fetch import Body, Limits, as_it_was, fetch, is_remote
from bot.sources.page_article import Article, read_article
from bot.sources.page_body import KNOWN
from bot.sources.page_follow import Walk
from bot.sources.page_label import bare
from bot.sources.page_list import Listing, read_list, read_undated
from bot.sources.page_meta import ARTICLE, COLUMN, SITE, Tags, read_tags
from bot.sources.page_row import Wanted
from bot.sources.page_script import markup_in, rows_of, strings_of
from bot.sources.page_title import LONG
from bot.sources.page_tree import (
    Node,
    Page,
    ancestors,
    looks_like_html,
    on_site,
    open_page,
    text_of,
    title_of,
)
from bot.sources.plain import plain
from bot.sources.tree import declared_feed

ENOUGH = 50  # characters outside links that make an article where no tag says so
DATED = 15  # the same where it is dated and the page has no list
A_LIST = 3  # rows in a text that are a list and not its references
BESIDE_A_LIST = 200  # the same where the page has a list, too, and names no source


def _selector(value: str) -> str:
    try:
        if value:
            LexborHTMLParser("<p>").css(value)
    except SelectolaxError:
        raise ValueError(str(Say("不是 CSS 选择器：{value}", value=value))) from None
    return value


Selector = Annotated[str, AfterValidator(_selector)]


class PageOptions(Options):
    rows: Selector = ""  # each row of the list; empty: found by itself
    link: Selector = ""  # in a row
    title: Selector = ""
    date: Selector = ""
    body: Selector = ""  # the text on an article's page
    follow: bool = True  # read the articles' pages
    hosts: tuple[str, ...] = ()  # others than the list's own whose pages may be read
    pace: float = Field(1, ge=0, le=60)  # seconds between two requests to a host
    most: int = Field(20, ge=1, le=200)  # articles' pages in one poll
    recheck: int = Field(2, ge=0, le=50)  # of those read before, asked anew in each poll
    max_bytes: int = LIMIT
    timeout: float = 30  # seconds, redirects included


@dataclass(frozen=True)
class _Found:
    """What a page turned out to be: one of the two."""

    page: Page
    tags: Tags
    article: Article | None = None
    listing: Listing | None = None


class WebPage(Source):
    kind: ClassVar[str] = "page"
    options_model: ClassVar[type[Options]] = PageOptions
    options: PageOptions

    async def read(self, origin: Origin) -> Reading:
        origin = self._known(origin)
        body = await self._fetch(origin)
        walk = Walk(origin, body.url, self.options, self.limits, self._article)
        if body.unchanged:
            if not is_remote(origin.url) or not await walk.finds_change():
                return as_it_was(body, origin)
            body = await self._fetch(replace(origin, etag="", last_modified=""))
        at = replace(origin, url=body.url)
        reading = await asyncio.to_thread(self.parse, body.data, body.content_type, at)
        if is_remote(origin.url) and self.options.follow and reading.meta.get("as") == "list":
            reading = await walk.fill(reading)
        return replace(reading, etag=body.etag, last_modified=body.last_modified)

    def _known(self, origin: Origin) -> Origin:
        """What may be relied on of last time: where pages wait to be read, or the options changed,
        the list must come whole; then the pages are read again, too."""
        same = origin.memo.get("options", self._mark) == self._mark
        if same and not origin.memo.get("pending"):
            return origin
        anew = {"listing": "", "etag": "", "last_modified": ""}
        pages = {u: {**kept, **anew} for u, kept in origin.memo.get("pages", {}).items()}
        memo = origin.memo if same else {**origin.memo, "pages": pages}
        return replace(origin, etag="", last_modified="", memo=memo)

    @property
    def _mark(self) -> str:
        """The options that decide what is read, in short."""
        names = {"rows", "link", "title", "date", "body", "follow", "hosts"}
        return digest_of(self.options.model_dump(mode="json", include=names))[:16]

    @property
    def limits(self) -> Limits:
        return Limits(self.options.max_bytes, self.options.timeout)

    async def _fetch(self, origin: Origin) -> Body:
        return await fetch(origin, self.limits)

    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        decoded = decode(unpack(body, self.options.max_bytes), content_type)
        if not decoded.text.strip():
            raise SourceError("网页是空的，没有任何内容")
        found = self._look(decoded.text, origin)
        if found.article:
            reading = _of_article(found, found.article, origin)
        else:
            reading = _of_list(found, found.listing or Listing(), origin)
        memo = {**reading.memo, "options": self._mark}
        return replace(reading, problems=(*decoded.problems, *reading.problems), memo=memo)

    def _look(self, text: str, origin: Origin) -> _Found:
        """Raises SourceError where the page is neither list nor article."""
        text = markup_in(text)
        page = open_page(text, origin.url if is_remote(origin.url) else "")
        tags = read_tags(page.markup)
        page = page if page.start else replace(page, start=tags.address(), site=tags.site())
        options = self.options
        wanted = Wanted(options.rows, options.link, options.title, options.date)
        listing = Listing()
        if wanted.rows or not tags.of_article():
            listing = read_list(page, wanted)
        if not (wanted.rows and listing.drafts):
            article = read_article(page, tags, origin.zone, options.body)
            if _is_article(page, article, tags, listing):
                return _Found(page, tags, article)
        known = origin.memo.get("listed")
        if not (wanted.rows or listing.drafts):
            listing = _of_scripts(page, text)
            if not listing.drafts and (not known or origin.memo.get("undated")):
                listing = read_undated(page)
        empty = tags.of_column() and page.ended and not known
        if listing.drafts or empty:
            return _Found(page, tags, listing=listing)
        raise _neither(text, bool(known))

    def _article(self, body: bytes, content_type: str, origin: Origin) -> Entry | None:
        """The entry that a followed page is; None where it is no article."""
        if not re.search("html|xml|text|^$", content_type):
            return None
        decoded = decode(unpack(body, self.options.max_bytes), content_type)
        page = open_page(decoded.text, origin.url)
        tags = read_tags(page.markup)
        article = read_article(page, tags, origin.zone, self.options.body)
        if not (article.body or article.draft.attachments or article.table):
            return None
        listing = Listing() if tags.of_article() else read_list(page)
        if not _is_article(page, article, tags, listing):
            return None
        return reading_of(Channel((article.draft,)), origin).entries[0]

    @classmethod
    def recognises(cls, body: bytes, content_type: str) -> bool:
        try:
            text = markup_in(decode(unpack(body), content_type).text)
            return looks_like_html(text) and bool(cls(PageOptions())._look(text, Origin("", UTC)))
        except SourceError:
            return False


def _neither(text: str, known: bool) -> SourceError:
    """Why nothing could be read."""
    if known:
        return SourceError("列表里一条也找不到了：网站可能改版，请用 gongkai source try 重新识别")
    if address := declared_feed(text):
        return SourceError(
            "网页里没有找到带日期的列表，也没有文章；页面声明的订阅地址是 {url}", url=address
        )
    return SourceError("网页里没有找到带日期的列表，也没有文章；列表的行可用 rows 选项指明")


def _of_scripts(page: Page, text: str) -> Listing:
    """Rows that a script holds, as JSON or as markup, and would only show in a browser."""
    for rows in filter(None, (told(text) for told in (rows_of, strings_of))):
        shown = open_page(f"<html><body><ul>{rows}</ul></body></html>", page.url)
        listing = read_list(replace(shown, start=page.start, site=page.site))
        if listing.drafts:
            return replace(listing, rows="", nodes=())
    return Listing()


def _is_article(page: Page, article: Article, tags: Tags, listing: Listing) -> bool:
    numbered = sum(bool(draft.index_number) for draft in listing.drafts)
    if tags.of_article() or (article.table and numbered < 2):
        return True
    body = article.body
    if body is None or not article.draft.title:
        return False
    shows = (
        article.draft.attachments or body.selector in KNOWN
    )  # a picture or a document may be all
    if shows and not listing.drafts and article.meta["published"]:
        return True
    linked = sum(len(text_of(a)) for a in body.node.css("a[href]"))
    own = len(body.text) - max(linked, _listed(body.node, listing))
    told = _told_apart(article, listing)
    if told and (shows or own >= max(DATED, linked)):
        return True
    if own < linked or (listing.drafts and (tags.of_column() or body.node.tag == "body")):
        return False
    if listing.drafts and not article.meta["source"] and not _is_titled(page, article):
        return own >= BESIDE_A_LIST
    return own >= (DATED if article.meta["published"] and not listing.drafts else ENOUGH)


def _is_titled(page: Page, article: Article) -> bool:
    """Whether <title> tells the article's title, and no link does, as many do of a column."""
    title = article.draft.title
    return (
        len(title) >= LONG
        and title in title_of(page)
        and all(text_of(link) != title for link in page.body.css("a"))
    )


def _told_apart(article: Article, listing: Listing) -> bool:
    """Whether date or source stand between title and text, and not in one of the list's rows."""
    rows = {bare(text) for node in listing.nodes for text in plain(node.html or "").split("\n")}
    return any(bare(text) not in rows for text in article.told)


def _listed(text: Node, listing: Listing) -> int:
    """How much of a text is a list's rows; a few dated links do not make it a list."""
    within = [n for n in listing.nodes if any(u.mem_id == text.mem_id for u in ancestors(n))]
    return sum(len(text_of(node)) for node in within) if len(within) >= A_LIST else 0


def _of_article(found: _Found, article: Article, origin: Origin) -> Reading:
    problems = tuple(found.tags.problems(SITE, COLUMN, ARTICLE))
    reading = reading_of(Channel((article.draft,)), origin)
    selector = article.body.selector if article.body else ""
    meta = {**article.meta, "as": "article", "body": selector}
    return replace(reading, problems=(*problems, *reading.problems), meta=meta)


def _of_list(found: _Found, listing: Listing, origin: Origin) -> Reading:
    tags, page = found.tags, found.page
    for draft in listing.drafts:
        draft.base = page.start
        draft.links = tuple(on_site(page, link) for link in draft.links)
        draft.column = draft.column or tags.get("column_name")
    channel = Channel(listing.drafts, link=page.url, publisher=tags.get("site_name"))
    reading = reading_of(channel, origin)
    problems = [*tags.problems(SITE, COLUMN), *reading.problems]
    if listing.others:
        said = Say("页面上另有 {n} 处像列表，没有读；可用 rows 选项指明要哪一处", n=listing.others)
        problems.append(Problem(str(Say("全文")), str(said)))
    meta: Mapping[str, Any] = {name: tags.get(name) for name in (*SITE.values(), *COLUMN.values())}
    meta = {**meta, "as": "list", "options": {"rows": listing.rows} if listing.rows else {}}
    undated = not any(entry.published for entry in reading.entries)
    memo = {**reading.memo, "listed": len(reading.entries), "undated": undated}
    done = replace(reading, problems=tuple(problems), meta=meta, memo=memo)
    return replace(done, whole=_newest_first(done.entries))


def _newest_first(entries: Sequence[Entry]) -> bool:
    """Whether an entry that is missing is missing: a list that pins old rows, or dates them not,
    pushes newer ones off its first page that are still there."""
    dates = [entry.published for entry in entries]
    return all(dates) and all(a and b and a >= b for a, b in pairwise(dates))
