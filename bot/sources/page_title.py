"""An article's title: by its tag, its document's label, or what both <title> and the page show.

In <title> the names of site and column stand beside it, in any order and behind many marks, some of
which a title has itself; so what counts is what a reader sees on the page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.sources.page_label import bare
from bot.sources.page_meta import Tags
from bot.sources.page_tree import Page, text_of, title_of
from bot.sources.plain import plain, words

_DASHES = "-_–—－|｜"
LONG = 8  # characters of a title that is not taken for something else


@dataclass(frozen=True)
class Given:
    """What else may tell the title."""

    labelled: str  # by a document's table
    above: str  # the line over the article's date


_SITE_END = r"(?:网|网站|政府|门户|委员会|委|局|厅|部|办公室|平台|中心|公报|频道)"
_PARTS = re.compile(
    rf"\s*(?:_+|-{{2,}}|\s[-–—－]+\s|[|｜]|[-–－](?=[^-–－_]{{2,30}}{_SITE_END}\s*\Z))\s*"
)
_HEADINGS = (
    "ucaptitle,h1,h2,h3,.title,.tit,.bt,.h-title,.article-title,.article_title,.arti_title,.xl-title,"
    ".detail-title,.content-title,.news_title,.con_title,#title,#activity-name"
)


def read_title(page: Page, tags: Tags, given: Given, before: Sequence[str], text: str) -> str:
    """The article's title; `before` are the lines over its `text`. Empty where nothing is one."""
    headings = [said for node in page.body.css(_HEADINGS) if (said := text_of(node))]
    named = _without_end(tags.get("title"), tags.get("site_name")) or given.labelled
    if named:
        start = named.rstrip(".…")
        whole = [h for h in headings if h.startswith(start)] if named != start else []
        return whole[0] if whole else named
    shown = {bare(line) for line in (*headings, *before, *text.split("\n")[:3])}
    own = _own_parts(page, tags)
    full = next((said for said in headings if _begins(title_of(page), said)), "")
    best = full or next((part for part in own if bare(part) in shown), "")
    best = best or _last_words(title_of(page), [*headings, given.above], shown)
    if not best:
        guess = _without_site(own[0], shown, before) if own else ""
        best = _not_shown(page, guess, given.above) if bare(guess) not in shown else guess
        best = best if own else _heading_with(best, headings)
    return _as_shown(best, page, text) if best else next(iter(headings), "")


def _own_parts(page: Page, tags: Tags) -> list[str]:
    """The parts of <title> that do not name the site."""
    parts = [part for part in _PARTS.split(title_of(page)) if part]
    return [part for part in parts if bare(part) != bare(tags.get("site_name"))] or parts


def _not_shown(page: Page, guess: str, above: str) -> str:
    """Of a title that the page does not show as it stands in <title>: the page's one heading, or the
    line over its date; unless they only say more than the title, as a date or a mark beside it."""
    other = _only_heading(page) or above
    within = bare(guess) in bare(other)
    if not other or (within and len(guess) >= LONG):
        return guess
    return (
        guess if bare(other) in bare(guess) and not bare(guess).startswith(bare(other)) else other
    )


def _last_words(whole: str, lines: Sequence[str], shown: Collection[str]) -> str:
    """The line that ends a <title> whose other words, the site's name and the column's, stand before
    it with nothing but spaces between; unless they are shown, too, as a title of two lines is."""
    for said in lines:
        if len(said) >= LONG and whole.endswith(said):
            before = whole.removesuffix(said)
            if before[-1:].isspace() and bare(before) not in shown:
                return said
    return ""


def _heading_with(line: str, headings: Sequence[str]) -> str:
    """The heading of which this line is the end, where there is one: a title of two lines."""
    ends = (said for said in headings if line and bare(said).endswith(bare(line)))
    return next(ends, line)


def _only_heading(page: Page) -> str:
    """What the page's one heading says, unless it names the site."""
    found = page.body.css("h1") or page.body.css("h2")
    said = text_of(found[0]) if len(found) == 1 else ""
    return said if len(said) >= LONG and not _SITE_NAME.search(said) else ""


_SITE_NAME = re.compile(rf"(?:网站|首页|{_SITE_END})\s*\Z")


def _without_end(title: str, site: str) -> str:
    """A title tag without the site's name, which some sites put behind it."""
    end = re.search(rf"\s*[-_|｜–—]+\s*{re.escape(site)}\s*\Z", title) if site else None
    return title[: end.start()] or title if end else title


def _begins(whole: str, heading: str) -> bool:
    """A heading that <title> begins with is the title, though marks that part others stand in it."""
    start, mark = bare(heading), bare(whole)[len(bare(heading)) :][:1]
    return len(start) >= LONG and bare(whole).startswith(start) and not mark.isalnum()


def _without_site(title: str, shown: Collection[str], before: Sequence[str]) -> str:
    """The longest line of the page that begins the title and is followed by a mark: what comes
    after it is the site's name or the column's; unless that is the page's next line, a subtitle."""
    whole = bare(title)
    heads = [
        text
        for text in shown
        if len(text) >= 3 and whole.startswith(text) and whole[len(text) :][:1] in tuple(_DASHES)
    ]
    head = max(heads, key=len, default=title)
    rest = whole.removeprefix(head).strip(_DASHES)
    lines = [bare(line).strip(_DASHES) for line in before]
    return title if (head, rest) in pairwise(lines) else head


def _as_shown(title: str, page: Page, text: str) -> str:
    """`title` with the spaces it has where the page shows it: in <title> it may be broken up."""
    if not re.search(r"\s", title):
        return title
    shown = re.compile(r"\s*".join(re.escape(c) for c in bare(title)[:200]))
    found = shown.search(text[:1000]) or shown.search(plain(page.body.html or ""))
    if found is None:
        return title
    return words(found[0].replace("\n", ""))
