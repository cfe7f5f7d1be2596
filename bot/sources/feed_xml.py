"""RSS, RDF and Atom elements as drafts."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from bot.language import Say
from bot.model import Attachment
from bot.sources.draft import Channel, Draft, first, is_address
from bot.sources.plain import line, looks_marked_up, words
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
_MEDIA = "{http://search.yahoo.com/mrss/}content"


class Names(dict[str, str]):
    """Tags as prefix and local name in lower case: "title", "dc:date", "gk:topic".

    What shares the item's own namespace, whichever it is, is the feed's own word; an undeclared
    prefix counts as the usual one; an element of a stranger is "?:name".
    """

    def __init__(self, tree: Tree) -> None:
        super().__init__()
        element = tree.items[0] if tree.items else tree.head
        self._own = _space(element.tag)

    def __missing__(self, tag: str) -> str:
        name, space = tag.rpartition("}")[2], _space(tag)
        prefix = PREFIXES.get(space.lower().rstrip("/#"), "?")
        if name in OUR_NAMES:
            called = f"gk:{OUR_NAMES[name]}"
        elif space in ("", self._own):
            called = name.lower()
        else:
            called = f"{prefix}:{name.lower()}"
        self[tag] = called
        return called


class Fields(dict[str, list[Element]]):
    """An element's children by name."""

    def __init__(self, element: Element, names: Names) -> None:
        super().__init__()
        for child in element:
            if isinstance(child.tag, str):
                self.setdefault(names[child.tag], []).append(child)

    def all(self, *wanted: str) -> Iterator[Element]:
        for name in wanted:
            if name in self:
                yield from self[name]

    def markup(self, *wanted: str) -> str:
        """The first that is not empty, as markup."""
        return next((m for e in self.all(*wanted) if (m := _inner(e)).strip()), "")

    def texts(self, *wanted: str) -> tuple[str, ...]:
        """What is not empty, each as one line."""
        found = [words(e.text) for e in self.all(*wanted) if e.text]
        return tuple(filter(None, found))

    def text(self, *wanted: str) -> str:
        return first(self.texts(*wanted))


# ---------------------------------------------------------------- RSS and RDF

_RSS_PUBLISHED = (
    *("gk:published", "pubdate", "atom:published", "published", "dcterms:issued", "dc:date"),
    *("date", "atom:updated", "updated", "dcterms:modified"),
)
_RSS_PUBLISHER = ("gk:publisher", "dc:publisher", "source", "author", "dc:creator", "itunes:author")
_RSS_SUMMARY = (
    *("gk:summary", "description", "dcterms:abstract", "dc:description", "itunes:summary"),
    *("media:description", "atom:summary", "summary"),
)
_RSS_BODY = (
    *("content:encoded", "xhtml:body", "xhtml:div", "yandex:full-text", "atom:content"),
    *("content", "fulltext"),
)


def rss(tree: Tree) -> Channel:
    """RSS of any version. An item's names may stand in any namespace or in none."""
    names = Names(tree)
    head = Fields(tree.head, names)
    return Channel(
        tuple(_rss_draft(item, names) for item in tree.items),
        title=line(head.markup("title", "dc:title")),
        link=first((*head.texts("link"), *_hrefs(head, "atom:link"))),
        publisher=_person(head.text("gk:publisher", "dc:publisher", "itunes:author")),
        language=head.text("language", "dc:language") or _language(tree.head),
        problems=tree.problems,
    )


def _rss_draft(item: Element, names: Names) -> Draft:
    fields = Fields(item, names)
    guids = fields.get("guid", [])
    twice = (Say("guid 写了 {n} 次", n=len(guids)),) if len(guids) > 1 else ()
    return Draft(
        title=line(fields.markup("title", "dc:title", "media:title", "atom:title")),
        ids=(
            *fields.texts("guid", "atom:id"),
            item.get(_ABOUT, ""),
            *fields.texts("dc:identifier"),
        ),
        links=_rss_links(item, fields),
        base=item.base or "",
        published=fields.texts(*_RSS_PUBLISHED),
        publisher=first(map(_person, fields.texts(*_RSS_PUBLISHER)))
        or _author(fields, "atom:author"),
        column=_column(fields, "atom:category"),
        language=fields.text("gk:language", "dc:language") or _language(item),
        summary=fields.markup(*_RSS_SUMMARY),
        body=fields.markup(*_RSS_BODY),
        attachments=(
            *_attachments(fields.all("enclosure"), "url"),
            *_attachments(item.iter(_MEDIA), "url"),
            *_attachments(_related(fields, "atom:link", "enclosure"), "href"),
        ),
        raw=etree.tostring(item, with_tail=False),
        notes=twice,
        **_ours(fields),
    )


def _rss_links(item: Element, fields: Fields) -> tuple[str, ...]:
    """FeedBurner's own addresses come after those that they stand for."""
    permalinks = [
        *(e.text or "" for e in fields.all("guid") if e.get("isPermaLink", "").lower() != "false"),
        item.get(_ABOUT, ""),
    ]
    return (
        *fields.texts("feedburner:origlink", "link"),
        *(e.get("href", "") for e in fields.all("link")),
        *_hrefs(fields, "atom:link"),
        *filter(is_address, map(str.strip, permalinks)),
    )


# ---------------------------------------------------------------- Atom

_ATOM_PUBLISHED = (
    *("gk:published", "published", "issued", "dcterms:issued", "dc:date", "created"),
    *("updated", "modified"),
)


def atom(tree: Tree) -> Channel:
    """Atom 1.0 (RFC 4287) and 0.3. An entry without a date of publication has that of its update."""
    names = Names(tree)
    head = Fields(tree.head, names)
    hrefs = _hrefs(head, "link")
    return Channel(
        tuple(_atom_draft(entry, names) for entry in tree.items),
        title=line(_construct(head.get("title"))),
        link=urljoin(tree.head.base or "", hrefs[0]) if hrefs else "",
        publisher=head.text("gk:publisher", "dc:publisher") or _author(head, "author"),
        language=head.text("dc:language") or _language(tree.head),
        problems=tree.problems,
    )


def _atom_draft(entry: Element, names: Names) -> Draft:
    fields = Fields(entry, names)
    return Draft(
        title=line(_construct(fields.get("title"))),
        ids=fields.texts("id"),
        links=(
            *fields.texts("feedburner:origlink"),
            *_hrefs(fields, "link"),
            *(e.get("src", "") for e in fields.all("content")),
            *filter(is_address, fields.texts("id")),
        ),
        base=entry.base or "",
        published=fields.texts(*_ATOM_PUBLISHED),
        publisher=_atom_publisher(fields, names),
        column=_column(fields, "category"),
        language=fields.text("gk:language", "dc:language") or _language(entry),
        summary=_construct(fields.get("summary")),
        body=_construct(fields.get("content")) or fields.markup("content:encoded"),
        attachments=(
            *_attachments(_related(fields, "link", "enclosure"), "href"),
            *_attachments(entry.iter(_MEDIA), "url"),
        ),
        raw=etree.tostring(entry, with_tail=False),
        **_ours(fields),
    )


def _atom_publisher(fields: Fields, names: Names) -> str:
    """Whose it is: the author, else the feed it was taken from."""
    sources = [Fields(element, names) for element in fields.all("source")]
    return first(
        (
            fields.text("gk:publisher", "dc:publisher"),
            _author(fields, "author"),
            *(_author(source, "author") or source.text("title") for source in sources),
            _person(fields.text("dc:creator")),
        )
    )


def _construct(elements: list[Element] | None) -> str:
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
    """What stands between an element's tags, as markup."""
    text = element.text or ""
    if not len(element):
        return str(text)
    children = (etree.tostring(child, encoding="unicode") for child in element)
    return escape(text, quote=False) + "".join(children)


def _ours(fields: Fields) -> dict[str, Any]:
    """The fields that only our namespace and Dublin Core's terms have, in every format."""
    values: dict[str, Any] = {
        name: fields.text(f"gk:{name}") for name in ("index_number", "document_number", "topic")
    }
    return {**values, "formed": fields.texts("gk:formed", "dcterms:created")}


def _language(element: Element) -> str:
    """The nearest xml:lang."""
    while element is not None:
        if said := element.get(_LANG):
            return str(said)
        element = element.getparent()
    return ""


def _column(fields: Fields, name: str) -> str:
    """The first category; an address is a scheme, not a name."""
    named = fields.texts("gk:column", "category", "dc:subject", "media:category")
    terms = (e.get("label") or e.get("term") or "" for e in fields.all(name))
    return first(term for term in (*named, *map(words, terms)) if not is_address(term))


def _person(text: str) -> str:
    """A name out of `a@b.cn (Name)` or `Name <a@b.cn>`; an address alone is nobody's name."""
    named = re.fullmatch(r"\S+@\S+\s*\((.+)\)", text)
    name = named[1] if named else re.sub(r"\s*<\S+@\S+>", "", text)
    return "" if re.fullmatch(r"\S*@\S*", name) else name.strip()


def _author(fields: Fields, name: str) -> str:
    names = (child for author in fields.all(name) for child in author if local(child) == "name")
    return first(_person(words(child.text or "")) for child in names)


def _hrefs(fields: Fields, name: str) -> list[str]:
    """Addresses of the alternates, pages before other kinds of file."""
    found = [e for e in _related(fields, name, "alternate") if e.get("href")]
    found.sort(key=lambda e: not re.match(r"text/|application/xhtml|$", e.get("type", "")))
    return [e.get("href") for e in found]


def _related(fields: Fields, name: str, rel: str) -> Iterator[Element]:
    return (e for e in fields.all(name) if e.get("rel", "alternate") == rel)


def _attachments(elements: Iterator[Element], address: str) -> Iterator[Attachment]:
    for element in elements:
        if url := element.get(address):
            size = element.get("length") or element.get("fileSize") or ""
            yield Attachment(url, element.get("title", ""), element.get("type", ""), as_size(size))


def as_size(text: str) -> int | None:
    """A length in bytes; 0 is written by those who do not know it."""
    return int(text) or None if text.isdecimal() else None
