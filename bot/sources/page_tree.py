"""A web page as a tree of what a reader of it sees.

Comments, scripts and whatever is hidden are gone: half of what stands in a government page's source
is an older page's. A page that was cut off is refused, for half a list is no list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from itertools import islice
from urllib.parse import unquote, urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bot.errors import SourceError
from bot.sources.plain import joined, line, words

Node = LexborNode

_TOP = 20_000  # characters in which a document shows what it is
DEEPEST = 100  # elements in one another

_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style|noscript|template|textarea)\b[^<>]*(?<!/)>.*?(?:</\1\s*>|\Z)",
    re.S | re.I,
)
# 大汉's sites keep a list's rows as XML in a script, and answer with that alone when asked for more.
_DATASTORE = re.compile(
    r"(?:<script\b[^<>]*text/xml[^<>]*>|<datastore>)(.*?)</(?:script|datastore)\s*>", re.S | re.I
)
RECORD = re.compile(r"<record>\s*<!\[CDATA\[((?:(?!<record>).)*?)\]\]>\s*</record>", re.S | re.I)
# What a script merely writes out stands there as if no script were; what it first makes up does not.
_SCRIPT = re.compile(
    r"<script\b[^<>]*(?<!/)>([^<]*document\.write.*?)(?:</script\s*>|\Z)", re.S | re.I
)
_WRITE = re.compile(
    r"""document\.write(?:ln)?\(\s*(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)')\s*\)\s*;?"""
)
# A document that the page shows in a frame of its own, or by a viewer (…/viewer.html?file=/a.pdf).
_SHOWN = re.compile(
    r"""<(?:iframe|embed|object|div|span|p)\b[^<>]*?\s(?:src|data|pdfsrc)\s*=\s*["']?"""
    r"""([^"'\s<>]*\.(?:pdf|ofd|docx?|xlsx?)(?:[?&#][^"'\s<>]*)?)["'\s>]""",
    re.I,
)
_VIEWED = re.compile(r"[?&](?:file|src|url)=([^&]+)", re.I)
_DROPPED = ["script", "style", "select", "iframe", "object", "svg", "canvas", "button", "input"]
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_HTML = re.compile(r"<(?:!DOCTYPE\s+html|html|head|body|div|table|ul|p|meta|datastore)\b", re.I)
_LEAD = re.compile(r"[^\w<]*<")  # nothing but marks and blanks stands before the first tag
_ROOT = re.compile(r"<(?:html|head|body|(?:[\w.-]+:)?(rss|rdf|feed))\b", re.I)
_DOCUMENT = re.compile(r"<(?:html|head|body)\b", re.I)
_END = re.compile(r"</(?:html|body)\s*>\s*", re.I)
_NESTED = re.compile(r"<(/?)(?:div|table|ul|ol|dl|section|tbody)\b", re.I)
_CLOSED = re.compile(r"<(/?)(?:h[1-6]|a|span|strong|em|title)\b", re.I)
_DEEP = 3_000  # elements in one another
_OPEN_OR_CLOSE = re.compile(
    r"<(/?)(?!(?:br|img|input|hr|meta|link|p|li|t[drh]|d[td]|option|col|area|base|wbr|embed|param)\b)[A-Za-z]",
    re.I,
)
_CUT_TAG = re.compile(r"<[A-Za-z/][^<>]*\Z")
_SAVED = re.compile(r"<!--[^<>]{0,60}?(https?://[^\s<>]+?)\s*-->", re.I)  # as browsers save pages
_NO_LINK = re.compile(r"\s*(?:javascript:|#|mailto:|tel:|void|\Z)", re.I)
_OPENED = re.compile(
    r"""["'](https?://[^"'\s]+|[\w./-]+\.(?:s?html?|jspx?|aspx?|php|do|action|pdf|ofd|docx?|xlsx?|zip|rar)"""
    r"""(?:\?[^"'\s]*)?)["']""",
    re.I,
)
_NAMED = (
    ("link[rel=canonical]", "href"),
    ("meta[property='og:url']", "content"),
)


@dataclass(frozen=True)
class Page:
    """`markup` is the source without comments and scripts; `url` is where it came from, empty
    where that is not known; relative links begin at `start`. `ended`: its end tag stands there."""

    markup: str
    tree: LexborHTMLParser
    url: str = ""
    start: str = ""
    ended: bool = True
    site: str = ""  # http://host of a page that tells its site and not where it came from itself

    @property
    def body(self) -> Node:
        found = self.tree.body or self.tree.root
        assert found is not None, "an HTML parser always makes a body"
        return found


def looks_like_html(text: str) -> bool:
    """Markup of a page, and not that inside a feed or in a value of something else."""
    if not _LEAD.match(text):
        return False
    root = _ROOT.search(text, 0, _TOP)
    return bool(_HTML.search(text, 0, _TOP)) and not (root and root[1])


def open_page(text: str, url: str) -> Page:
    """The page in `text`, which came from `url` (empty where that is not known).

    Raises SourceError when it is no web page or ends before its end.
    """
    if not looks_like_html(text):
        raise SourceError("不是网页：开头是“{head}”", head=text.strip()[:40])
    markup = _UNSEEN.sub("", _SCRIPT.sub(_written, _DATASTORE.sub(_records, text)))
    if _is_cut(markup):
        raise SourceError("网页不完整：没有结尾，末尾是“{tail}”", tail=_tail(text))
    if _is_deep(markup):
        raise SourceError("网页嵌套过深，不予读取")
    tree = LexborHTMLParser(_SHOWN.sub(_linked, markup))
    tree.strip_tags(_DROPPED)
    _hide(tree)
    url = url or _own_address(text, tree)
    base = tree.css_first("base[href]")
    start = joined(url, attribute(base, "href")) if base else url
    return Page(markup, tree, url, start, bool(_END.search(markup)))


def _records(script: re.Match[str]) -> str:
    rows = "".join(RECORD.findall(script[1]))
    return f'<div class="datastore">{rows}</div>' if rows else ""


def _linked(shown: re.Match[str]) -> str:
    viewed = _VIEWED.search(shown[1])
    address = unquote(viewed[1]) if viewed else shown[1]
    return f'<a href="{escape(address)}"></a>{shown[0]}'


def _written(script: re.Match[str]) -> str:
    if _WRITE.sub("", script[1]).strip():
        return script[0]
    parts = (double or single for double, single in _WRITE.findall(script[1]))
    return re.sub(r"\\(.)", r"\1", "".join(parts))


def is_web(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def text_of(node: Node) -> str:
    """What a node says, on one line."""
    return words(node.text(deep=True, separator=""))


def title_of(page: Page) -> str:
    found = page.tree.css_first("title")
    return line(found.html or "") if found else ""


def attribute(node: Node, name: str) -> str:
    return (node.attributes.get(name) or "").strip()


def address_of(link: Node) -> str:
    """Where a link leads; of one that only runs a script, the page or document the script names."""
    href = attribute(link, "href")
    if not _NO_LINK.match(href):
        return href
    opened = _OPENED.search(href) or _OPENED.search(attribute(link, "onclick"))
    return opened[1] if opened else ""


def ancestors(node: Node) -> list[Node]:
    """From its parent up; in a page that is nested without end, not to the end."""
    return [*islice(upwards(node), DEEPEST)]


def upwards(node: Node) -> Iterator[Node]:
    """The same, one after the other, for who does not go to the top."""
    up = node.parent
    while up is not None and up.is_element_node:
        yield up
        up = up.parent


def absolute(page: Page, link: str) -> str:
    """`link` from the page's own address on, or its site's; as it stands where neither is known."""
    try:
        return urljoin(page.start, link.strip()) if page.start else on_site(page, link.strip())
    except ValueError:
        return ""


def on_site(page: Page, link: str) -> str:
    """`link` with the page's site before it, where the site is all that is known of it."""
    rooted = link[:1] == "/" and link[1:2] != "/"
    return page.site + link if page.site and rooted else link


def _is_cut(markup: str) -> bool:
    """A whole document may lack its end tags, but then all it opened is closed.

    Some pages have an end in their middle, where a header was put in: what follows counts alone.
    """
    ends = [m.end() for m in _END.finditer(markup)]
    rest = markup[ends[-1] :] if ends else markup
    if _CUT_TAG.search(rest):
        return True
    nested = [not m[1] for m in _NESTED.finditer(rest)]
    if sum(1 if opens else -1 for opens in nested) > 0:
        return True
    if ends or not _DOCUMENT.search(rest):
        return False
    opened = [not m[1] for m in _CLOSED.finditer(rest)]
    return not nested or not rest.rstrip().endswith(">") or sum(opened) * 2 > len(opened)


def _is_deep(markup: str) -> bool:
    """Nested deeper than any page; what is open and may be so without an end counts, too."""
    if markup.count("<") < _DEEP:
        return False
    depth = 0
    for closes in _OPEN_OR_CLOSE.findall(markup):
        depth = depth + 1 if not closes else max(depth - 1, 0)
        if depth > _DEEP:
            return True
    return False


def _tail(text: str) -> str:
    return " ".join(text[-200:].split())[-30:]


def _hide(tree: LexborHTMLParser) -> None:
    """Take out what a style or attribute hides; what stands inside another first, for a node that
    went with its parent may not be touched again."""
    for node in reversed(tree.css("[style],[hidden]")):
        styled = _HIDDEN.search(node.attributes.get("style") or "")
        if (styled or "hidden" in node.attributes) and node.tag not in ("html", "body"):
            node.decompose()


def _own_address(text: str, tree: LexborHTMLParser) -> str:
    """Where a page that lies in a file says it came from."""
    for selector, name in _NAMED:
        found = tree.css_first(selector)
        if found and is_web(attribute(found, name)):
            return attribute(found, name)
    saved = _SAVED.search(text, 0, 2000)
    return unescape(saved[1]) if saved else ""
