"""RSS, RDF and Atom elements as drafts."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from html import escape

from lxml import etree

from bot.language import Say
from bot.model import Attachment
from bot.sources.draft import Channel, Draft, first
from bot.sources.plain import is_address, joined, line, looks_marked_up, words
from bot.sources.tree import Element, Tree, local

NAMESPACE = "https://gongkai.example/ns/1"
PREFIXES = {
    NAMESPACE: "gk",
    "http://purl.org/dc/elements/1.0": "dc",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/terms": "dcterms",
    "http://purl.org/rss/1.0/modules/content": "content",
    "http://www.w3.org/2005/atom": "atom",
    "http://purl.org/atom/ns": "atom",
    "http://search.yahoo.com/mrss": "media",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://news.yandex.ru": "yandex",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns": "rdf",
}
OUR_NAMES = {
    "索引号": "index_number",
    "发文字号": "document_number",
    "文号": "document_number",
    "成文日期": "formed",
    "生成日期": "formed",
    "发布日期": "published",
    "发布机构": "publisher",
    "发文机关": "publisher",
    "发文单位": "publisher",
    "栏目": "column",
    "主题分类": "topic",
    "内容概述": "summary",
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_LONGEST_NAME = 120  # characters of a publisher
_PREFIX = re.compile(r"(</?)[\w.-]+:")
_MEDIA = "{http://search.yahoo.com/mrss/}content"

# Which elements say what, best first. The table is all that tells one format from another.
_BOTH = {
    "index_number": ("gk:index_number",),
    "document_number": ("gk:document_number",),
    "topic": ("gk:topic",),
    "formed": ("gk:formed", "dcterms:created"),
    "origin": ("feedburner:origlink",),
    "media": ("media:content", "media:group"),
}
_RSS = {
    **_BOTH,
    "title": ("title", "dc:title", "media:title", "atom:title"),
    "id": ("guid", "atom:id", "dc:identifier"),
    "address": ("link",),
    "link": ("atom:link",),
    "published": (
        *("gk:published", "pubdate", "atom:published", "published", "dcterms:issued", "dc:date"),
        *("date", "atom:updated", "updated", "dcterms:modified"),
    ),
    "publisher": (
        *("gk:publisher", "dc:publisher", "source", "author", "dc:creator", "itunes:author"),
    ),
    "author": ("atom:author",),
    "column": ("gk:column", "category", "dc:subject", "media:category"),
    "term": ("atom:category",),
    "language": ("gk:language", "language", "dc:language"),
    "summary": (
        *("gk:summary", "description", "dcterms:abstract", "dc:description", "itunes:summary"),
        *("media:description", "atom:summary", "summary"),
    ),
    "body": (
        *("content:encoded", "xhtml:body", "xhtml:div", "yandex:full-text", "atom:content"),
        *("content", "fulltext", "fullitem", "body"),
    ),
    "enclosure": ("enclosure",),
}
_ATOM = {
    **_BOTH,
    "title": ("title",),
    "id": ("id",),
    "link": ("link",),
    "published": (
        *("gk:published", "published", "issued", "dcterms:issued", "dc:date", "created"),
        *("updated", "modified"),
    ),
    "publisher": ("gk:publisher", "dc:publisher"),
    "author": ("author",),
    "creator": ("dc:creator",),
    "source": ("source",),
    "column": ("gk:column", "dc:subject"),
    "term": ("category",),
    "language": ("gk:language", "dc:language"),
    "summary": ("gk:summary", "summary"),
    "body": ("content",),
    "encoded": ("content:encoded",),
}


class Roles(dict[str, str]):
    """For each tag, what it says, "" for nothing. A tag's name is prefix and local name in lower case.

    What shares the item's own namespace, whichever it is, is the feed's own word; an undeclared
    prefix counts as the usual one; a stranger's element says nothing.
    """

    def __init__(self, table: Mapping[str, tuple[str, ...]], tree: Tree) -> None:
        super().__init__()
        self._ranks = {name: n for names in table.values() for n, name in enumerate(names)}
        self._roles = {name: role for role, names in table.items() for name in names}
        self._own = _space((tree.items[0] if tree.items else tree.head).tag)

    def __missing__(self, tag: str) -> str:
        self[tag] = self._roles.get(self._name(tag), "") if isinstance(tag, str) else ""
        return self[tag]

    def rank(self, element: Element) -> int:
        return self._ranks[self._name(element.tag)]

    def _name(self, tag: str) -> str:
        name, space = tag.rpartition("}")[2], _space(tag)
        if name in OUR_NAMES:
            return f"gk:{OUR_NAMES[name]}"
        if space in ("", self._own):
            return name.lower()
        return f"{PREFIXES.get(space.lower().rstrip('/#'), '?')}:{name.lower()}"


class Fields(dict[str, list[Element]]):
    """An element's children by what they say, best first."""

    def __init__(self, element: Element, roles: Roles) -> None:
        super().__init__()
        self.element = element
        self.roles = roles
        several = False
        for child in element:
            if role := roles[child.tag]:
                if role in self:
                    self[role].append(child)
                    several = True
                else:
                    self[role] = [child]
        if several:
            for found in self.values():
                found.sort(key=roles.rank)

    def all(self, role: str) -> list[Element]:
        return self.get(role, _NONE)

    def markup(self, role: str) -> str:
        """The first that is not empty, as markup."""
        for element in self.get(role, _NONE):
            if (markup := _inner(element)) and not markup.isspace():
                return markup
        return ""

    def text(self, role: str) -> str:
        """The first that is not empty, as one line."""
        for element in self.get(role, _NONE):
            if (text := element.text) and (line := words(text)):
                return line
        return ""

    def texts(self, role: str) -> tuple[str, ...]:
        """What is not empty, each as one line."""
        found = self.get(role)
        if found is None:
            return ()
        return tuple([line for e in found if (text := e.text) and (line := words(text))])


_NONE: list[Element] = []

# ---------------------------------------------------------------- RSS and RDF


def rss(tree: Tree) -> Channel:
    """RSS of any version. An item's names may stand in any namespace or in none."""
    roles = Roles(_RSS, tree)
    head = Fields(tree.head, roles)
    return Channel(
        tuple(_rss_draft(Fields(item, roles), tree.scoped) for item in tree.items),
        title=line(head.markup("title")),
        link=first((*head.texts("address"), *_hrefs(head))),
        own=_own_address(head),
        publisher=_publisher(head),
        language=head.text("language") or _language(tree.head),
        problems=tree.problems,
    )


def _rss_draft(fields: Fields, scoped: bool) -> Draft:
    item, ids = fields.element, fields.texts("id")
    about = item.get(_ABOUT)
    return Draft(
        title=line(fields.markup("title")),
        ids=(*ids, about) if about else ids,
        links=_rss_links(fields, about or ""),
        base=(scoped and item.base) or "",
        published=fields.texts("published"),
        publisher=_publisher(fields),
        column=_column(fields),
        language=fields.text("language") or (_language(item) if scoped else ""),
        summary=fields.markup("summary"),
        body=fields.markup("body"),
        attachments=_attachments(fields),
        raw=etree.tostring(item, encoding="utf-8", with_tail=False),
        notes=_twice(ids) if len(ids) > 1 else (),
        topic=fields.text("topic"),
        index_number=fields.text("index_number"),
        document_number=fields.text("document_number"),
        formed=fields.texts("formed"),
    )


def _twice(ids: tuple[str, ...]) -> tuple[Say, ...]:
    return tuple(Say("guid 写了 {n} 次", n=n) for n in Counter(ids).values() if n > 1)


def _rss_links(fields: Fields, about: str) -> tuple[str, ...]:
    """FeedBurner's own addresses come after those that they stand for, identifiers last."""
    links = fields.texts("origin") or fields.texts("address")
    if links and is_address(links[0]):
        return links
    named = [
        e.text or "" for e in fields.all("id") if e.get("isPermaLink") not in ("false", "False")
    ]
    return (
        *links,
        *[href for e in fields.all("address") if (href := e.get("href"))],
        *_hrefs(fields),
        *[name for name in (*named, about) if is_address(name.strip())],
    )


# ---------------------------------------------------------------- Atom


def atom(tree: Tree) -> Channel:
    """Atom 1.0 (RFC 4287) and 0.3. An entry without a date of publication has that of its update."""
    roles = Roles(_ATOM, tree)
    head = Fields(tree.head, roles)
    hrefs = _hrefs(head)
    return Channel(
        tuple(_atom_draft(Fields(entry, roles), tree.scoped) for entry in tree.items),
        title=line(_construct(head.all("title"))),
        link=joined(tree.head.base or "", hrefs[0]) if hrefs else "",
        own=_own_address(head),
        publisher=head.text("publisher") or _author(head),
        language=head.text("language") or _language(tree.head),
        problems=tree.problems,
    )


def _atom_draft(fields: Fields, scoped: bool) -> Draft:
    entry, ids = fields.element, fields.texts("id")
    return Draft(
        title=line(_construct(fields.all("title"))),
        ids=ids,
        links=(
            *fields.texts("origin"),
            *_hrefs(fields),
            *[e.get("src", "") for e in fields.all("body")],
            *filter(is_address, ids),
        ),
        base=(scoped and entry.base) or "",
        published=fields.texts("published"),
        publisher=_atom_publisher(fields),
        column=_column(fields),
        language=fields.text("language") or (_language(entry) if scoped else ""),
        summary=_construct(fields.all("summary")),
        body=_construct(fields.all("body")) or fields.markup("encoded"),
        attachments=_attachments(fields),
        raw=etree.tostring(entry, encoding="utf-8", with_tail=False),
        topic=fields.text("topic"),
        index_number=fields.text("index_number"),
        document_number=fields.text("document_number"),
        formed=fields.texts("formed"),
    )


def _publisher(fields: Fields) -> str:
    for text in fields.texts("publisher"):
        if name := _person(text):
            return name
    return _author(fields) if "author" in fields else ""


def _atom_publisher(fields: Fields) -> str:
    """Whose it is: the author, else the feed it was taken from."""
    sources = [Fields(element, fields.roles) for element in fields.all("source")]
    return first(
        (
            fields.text("publisher"),
            _author(fields),
            *(_author(source) or source.text("title") for source in sources),
            _person(fields.text("creator")),
        )
    )


def _construct(elements: list[Element]) -> str:
    """The first Atom text construct (RFC 4287 §3.1; 0.3 has `mode` besides) as markup.

    Where no type is given and the text is evidently HTML, it is read as HTML.
    """
    if not elements:
        return ""
    element = elements[0]
    if len(element):
        return _inner(element)
    text, kind = element.text or "", element.get("type", "").lower()
    if element.get("mode") == "base64":
        text = _from_base64(text)
    if "html" in kind or (not kind and looks_marked_up(text)):
        return text
    return escape(text, quote=False) if kind in ("", "text") or kind.startswith("text/") else ""


def _from_base64(text: str) -> str:
    try:
        return b64decode(text).decode()
    except ValueError:
        return ""


# ---------------------------------------------------------------- what both have


def _space(tag: str) -> str:
    return tag.lstrip("{").rpartition("}")[0]


def _inner(element: Element) -> str:
    """What stands between an element's tags, as markup without namespaces."""
    text = element.text or ""
    if not len(element):
        return str(text)
    children = "".join(etree.tostring(child, encoding="unicode") for child in element)
    return escape(text, quote=False) + _PREFIX.sub(r"\1", children)


def _language(element: Element) -> str:
    """The nearest xml:lang."""
    while element is not None:
        if said := element.get(_LANG):
            return str(said)
        element = element.getparent()
    return ""


def _column(fields: Fields) -> str:
    """The first category; an address is a scheme, not a name."""
    for category in fields.texts("column"):
        if not is_address(category):
            return category
    for element in fields.all("term"):
        term = words(element.get("label") or element.get("term") or "")
        if term and not is_address(term):
            return term
    return ""


def _person(text: str) -> str:
    """A name out of `a@b.cn (Name)` or `Name <a@b.cn>`; an address alone is nobody's name."""
    if "@" not in text or len(text) > _LONGEST_NAME:
        return text[:_LONGEST_NAME]
    named = re.fullmatch(r"\S+@\S+\s*\((.+)\)", text)
    name = named[1] if named else re.sub(r"\s*<\S+@\S+>", "", text)
    return "" if re.fullmatch(r"\S*@\S*", name) else name.strip()


def _author(fields: Fields) -> str:
    names = (child for author in fields.all("author") for child in author if local(child) == "name")
    return first(_person(words(child.text or "")) for child in names)


def _hrefs(fields: Fields) -> list[str]:
    """Addresses of the alternates, pages before other kinds of file."""
    if "link" not in fields:
        return []
    found = [e for e in fields.all("link") if e.get("rel", "alternate") == "alternate"]
    found.sort(key=lambda e: not re.match(r"text/|application/xhtml|$", e.get("type", "")))
    return [href for e in found if (href := e.get("href"))]


def _own_address(head: Fields) -> str:
    """The feed's own, as it says."""
    return first(e.get("href", "") for e in head.all("link") if e.get("rel") == "self")


def _attachments(fields: Fields) -> tuple[Attachment, ...]:
    if not ("enclosure" in fields or "link" in fields or "media" in fields):
        return ()
    media = fields.element.iter(_MEDIA) if "media" in fields else ()
    named = [(e, e.get("url")) for e in (*fields.all("enclosure"), *media)]
    named += [(e, e.get("href")) for e in fields.all("link") if e.get("rel") == "enclosure"]
    return tuple([_attachment(e, url) for e, url in named if url])


def _attachment(element: Element, url: str) -> Attachment:
    size = element.get("length") or element.get("fileSize") or ""
    return Attachment(url, element.get("title", ""), element.get("type", ""), as_size(size))


def as_size(text: str) -> int | None:
    """A length in bytes; 0 is written by those who do not know it."""
    return int(text) or None if text.isdecimal() else None
