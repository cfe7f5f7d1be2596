"""The main text of an article's page, and what hangs on it.

Editors that government sites are made with leave names by which the text is found; where none of
them stands, it is where most words are that are no links.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from bot.model import Attachment
from bot.sources.page_text import begins, ends
from bot.sources.page_tree import (
    Node,
    Page,
    absolute,
    address_of,
    ancestors,
    attribute,
    text_of,
    upwards,
)
from bot.sources.plain import plain

# Editors and site builders, the surest first.
KNOWN = (
    "#UCAP-CONTENT",
    "ucapcontent",
    ".TRS_UEDITOR",
    ".TRS_Editor",
    ".trs_editor_view",
    "#zoom",
    "#Zoom",
    "#zoomcon",
    "#zoomContent",
    "#fontzoom",
    "#ivs_content",
    "#con_con",
    "#xw_box",
    "#js_content",
    "#rwb_zw",
    "#p-detail",
    "[id^=vsb_content]",
    ".v_news_content",
    ".wp_articlecontent",
    "#ContentRegion",
    ".Custom_UnionStyle",
    ".pages_content",
    ".article-content",
    ".article_content",
    ".article-body",
    ".articleContent",
    ".article-con",
    ".news_content",
    ".content_detail",
    ".detail-content",
    ".xxgk_content",
    ".bt_content",
    ".wzcon",
    ".vF_detail_content",
)
# Names that hold the title and more besides: inside them most words are looked for.
WIDE = (".article", "#article", "article", ".content", "#content", "main")
_SEVERAL = 20  # elements of one name that are looked at
LEAST = 20  # characters of a text; less is none, unless it shows a picture or a document
_LEAST_RUN = 8  # characters in a row, outside links, that count when no name tells
_LETTER = re.compile(r"[^\W\d_]")
_SENTENCE = re.compile("[，。；！？]|[,.;!?](?:\\s|$)")
_BLOCKS = {
    "p",
    "div",
    "td",
    "section",
    "article",
    "body",
    "li",
    "center",
    "dd",
    "main",
    "blockquote",
}
_NO_TEXT = {"a", "title", "head", "h1", "h2", "h3"}
_FLOWING = {"p", "blockquote", "center", "li"}
_FILE = re.compile(r"\.(pdf|docx?|xlsx?|pptx?|wps|et|ofd|txt|csv|zip|rar|7z)(?:[?#]|\Z)", re.I)
_ATTACHED = re.compile(r"附件|附表|fujian|attach|annex|appendix|(?:^|[\W_])fj", re.I)
_LATER = ("data-original", "data-src", "data-lazy-src", "data-url", "original", "orisrc")
_EMPTY = re.compile(
    r"^data:|(?:loading|lazy|blank|placeholder|spacer|transparent)[\w-]*\.\w+\Z", re.I
)
_ICON = re.compile(r"^data:|(?:icon|logo|fileTypeImages|ewm|qrcode|/images?/(?:ico|icon))", re.I)


# What stands at a page's foot is no text, however much it is.
_FOOT = re.compile(
    r"版权所有|ICP备|公网安备|网站标识码|Copyright|(?:主办|承办|技术支持)(?:单位)?\s*[:：]|建议使用.*浏览器",
    re.I,
)


@dataclass(frozen=True)
class Body:
    node: Node
    selector: str  # by which name it was found; empty: by its words
    markup: str
    text: str
    above: Sequence[str] = ()  # lines of the element that stand over the text and tell of it


def find_body(page: Page, selector: str = "") -> Body | None:
    """The main text; None where the page has none. Where one name stands often, the longest."""
    for name in (selector,) if selector else (*KNOWN, *WIDE):
        found = max(page.tree.css(name)[:_SEVERAL], key=lambda n: len(text_of(n)), default=None)
        if found is not None and (name in WIDE or (not selector and _FOOT.search(text_of(found)))):
            found = _densest(found)
        if found is not None and (body := _body(found, name)):
            return body
    densest = None if selector else _densest(page.body)
    found_body = _body(densest, "") if densest is not None else None
    return found_body or (None if selector else _documents_alone(page))


def _documents_alone(page: Page) -> Body | None:
    """Where a document takes the place of a text: the block of its link."""
    link = next(iter(_documents(page.body)), None)
    block = next((up for up in ancestors(link) if up.tag in _BLOCKS), None) if link else None
    return Body(block, "", block.html or "", text_of(block)) if block is not None else None


def _body(node: Node, name: str) -> Body | None:
    markup = node.html or ""
    lines = plain(markup).split("\n")
    first = begins(lines)
    text = "\n".join(lines[first : max(ends(lines), first)])
    if len(text) < LEAST and not node.css_first("img,video") and not _documents(node):
        return None
    return Body(node, name, markup, text, lines[:first])


def _densest(root: Node) -> Node | None:
    """Where most of the running words are: each run counts for its block's parent, and half for
    the one above, so that a text in two columns is found whole. What is no sentence, as labels and
    navigation are none, counts a third."""
    weights: dict[int, float] = {}
    nodes: dict[int, Node] = {}
    headings = root.css("h1")
    above = len(headings) == 1  # what stands over the one h1 is seldom the text
    for node in root.traverse(include_text=True):
        if above and node.mem_id == headings[0].mem_id:
            above = False
        if not node.is_text_node:
            continue
        text = (node.text_content or "").strip()
        holder = _holder(node) if _counts(text) else None
        if holder is not None and len(text) < _LEAST_RUN and holder.tag not in ("td", "th"):
            holder = None
        run = len(text) / (1 if _SENTENCE.search(text) else 3) / (3 if above else 1)
        for share in (1.0, 0.95, 0.475) if holder and _is_paragraph(holder) else (1.0, 0.5):
            if holder is None or holder.tag == "html":
                break
            nodes[holder.mem_id] = holder
            weights[holder.mem_id] = weights.get(holder.mem_id, 0) + run * share
            holder = _above(holder)
    if root.mem_id in weights:
        weights[root.mem_id] /= 2  # it holds everything, its text or not
    best = max(weights, key=lambda n: weights[n], default=None)
    return nodes[best] if best is not None else None


def _counts(text: str) -> bool:
    """Words that may be a text's: no figures alone, as dates are, and not a page's foot."""
    return len(text) > 1 and bool(_LETTER.search(text)) and not _FOOT.search(text)


def _holder(node: Node) -> Node | None:
    """The block that a run of words belongs to; None inside a link or a heading."""
    for up in upwards(node):
        if up.tag in _NO_TEXT:
            return None
        if up.tag in _BLOCKS:
            list_ = up.parent if up.tag == "li" else None
            return (list_ or up).parent if up.tag in _FLOWING else up
    return None


def _above(block: Node) -> Node | None:
    """What holds a block; a cell's is what holds the table, for its rows tell one thing together."""
    if block.tag != "td":
        return block.parent
    table = next((up for up in upwards(block) if up.tag == "table"), None)
    if table is None or table.parent is None:
        return block.parent
    return table if table.parent.tag == "body" else table.parent


def _is_paragraph(block: Node) -> bool:
    """A block that holds no other and no line's end is a paragraph whatever its tag."""
    inner = [*islice(block.iter(), _SEVERAL + 1)]
    inner += [deeper for node in inner for deeper in islice(node.iter(), _SEVERAL)]
    return len(inner) <= _SEVERAL and not any(node.tag in _INNER for node in inner)


_INNER = _BLOCKS | {"br"}


# ---------------------------------------------------------------- what hangs on it


def attachments(page: Page, body: Body) -> tuple[Attachment, ...]:
    """Documents in the text, beside it, or where the page says 附件; then the text's pictures."""
    found: dict[str, Attachment] = {}
    near = [body.node, *_around(body.node), *_marked(page)]
    for link in (link for node in near for link in _documents(node)):
        url = absolute(page, address_of(link))
        name = attribute(link, "title") or text_of(link) or attribute(link, "download")
        found.setdefault(url, Attachment(url, name, _kind(url) or _kind(name)))
    for image in body.node.css("img"):
        url = absolute(page, _picture(image))
        if url and not _ICON.search(url):
            found.setdefault(url, Attachment(url, attribute(image, "alt"), "image"))
    return tuple(found.values())


def _picture(image: Node) -> str:
    """Where a picture is; many a page puts an empty one in its place until it is scrolled to."""
    shown = attribute(image, "src")
    if shown and not _EMPTY.search(shown):
        return shown
    return next(filter(None, (attribute(image, name) for name in _LATER)), shown)


def is_document(url: str) -> bool:
    return bool(_FILE.search(url))


def _kind(url: str) -> str:
    found = _FILE.search(url)
    return found[1].lower() if found else ""


def _documents(node: Node) -> list[Node]:
    """Links to files, by their address or their name: a system may hand them out by number."""
    links = ((link, address_of(link)) for link in node.css("a[href]"))
    named = (
        (a, (url, text_of(a), attribute(a, "title"), attribute(a, "download")))
        for a, url in links
        if url
    )
    return [a for a, names in named if any(map(_FILE.search, names))]


def _around(node: Node) -> list[Node]:
    """Its neighbours that follow: attachments often stand below the text. What holds nothing else
    than it counts as it."""
    said = text_of(node)
    for up in ancestors(node):
        if up.tag in ("body", "html") or text_of(up) != said:
            break
        node = up
    found: list[Node] = []
    after = node.next
    while after is not None and len(found) < 5:
        if after.is_element_node:
            found.append(after)
        after = after.next
    return found


def _marked(page: Page) -> list[Node]:
    named = page.body.css("div[class],div[id],ul[class],p[class],table[class],dl[class]")
    marked = (
        node
        for node in named
        if _ATTACHED.search(f"{attribute(node, 'class')} {attribute(node, 'id')}")
    )
    return [*islice(marked, _SEVERAL)]
