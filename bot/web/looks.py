"""How a text stands on its platform: links and topics as they are shown there, what is folded away.

The words are those that would be sent; only their dress is the platform's, in colours and shapes of
our own: no mark of a platform is copied. What a look hides (an address behind “网页链接”) is listed
beside it, since whoever signs must see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from markupsafe import Markup, escape

from bot import text as measured
from bot.web.lists import Account
from bot.web.render import icon

WEIBO, MASTODON, BOARD, PLAIN = "weibo", "mastodon", "board", "plain"
LOOKS = {
    "新浪微博": WEIBO,
    "微博": WEIBO,
    "Mastodon": MASTODON,
    "公开栏": BOARD,
}  # by a platform's name
FOLDED = 140  # of Weibo's units: the rest is behind 展开
SHOWN = 30  # characters of an address on Mastodon
_TAG = r"(?<![\w#/])#[\w·]+|(?<![\w/])@\w+(?:@[\w.-]+\w)?"
_TAGS = {
    WEIBO: re.compile(r"#[^#\n]{1,140}#|(?<![\w/])@[\w·-]{2,30}"),
    MASTODON: re.compile(_TAG),
    PLAIN: re.compile(_TAG),
}
Draw = Callable[[int, int], Markup]  # from, to: that piece of a text, ready for a page


class Span(NamedTuple):
    """A link or a tag (topic, mention) in a text."""

    start: int
    end: int
    link: bool


def look_of(account: Account) -> str:
    """The look of an account's platform; PLAIN where we know none."""
    return LOOKS.get(account.label, PLAIN)


def spans(look: str, text: str) -> list[Span]:
    """What stands out in a text there, in order and apart from each other."""
    found = [Span(start, end, True) for start, end in measured.links(text)]
    pattern = _TAGS.get(look)
    for match in pattern.finditer(text) if pattern else ():
        if all(match.end() <= each.start or each.end <= match.start() for each in found):
            found.append(Span(*match.span(), False))
    return sorted(found)


def addresses(look: str, text: str) -> list[str]:
    """The links a look does not show whole."""
    if look not in (WEIBO, MASTODON):
        return []
    return [text[start:end] for start, end in measured.links(text)]


def drawing(look: str, text: str) -> Draw:
    """Draws pieces of `text` as they look there; a link cut by a piece's edge is drawn as it is."""
    found = spans(look, text)

    def draw(start: int, end: int) -> Markup:
        return Markup("").join(_pieces(look, text, found, start, end))

    return draw


def _pieces(look: str, text: str, found: list[Span], start: int, end: int) -> Iterator[Markup]:
    at = start
    for each in found:
        begins, ends = max(each.start, start), min(each.end, end)
        if begins >= ends:
            continue
        yield escape(text[at:begins])
        whole = each.link and (begins, ends) == (each.start, each.end)
        yield _address(look, text[begins:ends]) if whole else _plainly(text[begins:ends])
        at = ends
    yield escape(text[at:end])


def _plainly(words: str) -> Markup:
    return Markup('<span class="web">{}</span>').format(words)


def _address(look: str, link: str) -> Markup:
    """A whole link: Weibo says only that it is one, Mastodon shows its beginning."""
    if look == WEIBO:
        drawn = Markup('<span class="web" title="{}">{}网页链接</span>')
        return drawn.format(link, icon("link"))
    bare = link.partition("://")[2].removeprefix("www.")
    if look != MASTODON:
        return _plainly(link)
    return _plainly(bare if len(bare) <= SHOWN else f"{bare[:SHOWN]}…")
