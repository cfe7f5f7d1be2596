"""XML text as the elements of a feed: its head and its items.

A well-formed document is parsed as it is. A damaged one is read item by item, so that damage stays
where it is: each piece is parsed alone and only a broken piece is mended (ampersands, entities,
markup that ought to have been escaped, tags that do not pair). Every damage is a problem, told with
its line. Two things are refused: a document that ends before its catalogue does, because what is
missing cannot be known, and entities that refer to one another (the "billion laughs").

External entities are never fetched: the document type is cut off before the parser sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from typing import Any

from lxml import etree

from bot.errors import SourceError
from bot.language import Say
from bot.model import Problem
from bot.sources.decode import ITEMS, LIMIT

Element = Any  # lxml.etree._Element, which has no types of its own

PROBLEMS = 10  # told one by one; the rest as a number

_NAME = r"(?:[\w.-]+:)?"
_START = re.compile(rf"<(?P<name>{_NAME}[A-Za-z][\w.-]*)[^<>]*>")
_PROLOGUE = re.compile(r"<\?[^<>]*>|<!DOCTYPE.*|\s", re.S)
_ROOTS = ("rss", "rdf", "feed", "channel")
_ENTITY = re.compile(r"<!ENTITY\s+([\w.-]+)\s+(?:\"([^\"]*)\"|'([^']*)')\s*>")
_OWN_REFERENCE = re.compile(r"&([\w.-]+);")
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.S)
_TOKEN = re.compile(
    rf"<!\[CDATA\[.*?\]\]>|<(?P<item>/?{_NAME}(?:item|entry))(?P<rest>(?:\s[^<>]*)?)>"
    rf"|</(?P<end>{_NAME}(?:rss|rdf|feed|channel))\s*(?:>|\Z)",
    re.S | re.I,
)
_SCOPE = re.compile(r"""\bxml(?:ns(?::[\w.-]+)?|:base|:lang)\s*=\s*(?:"[^"<]*"|'[^'<]*')""")
_REFERENCE = re.compile(r"&(?:#(\d{1,8}|[xX][0-9a-fA-F]{1,7});|([A-Za-z][A-Za-z0-9]*);)?")
_TEXT_FIELD = re.compile(
    rf"<(?P<name>{_NAME}(?:title|description|summary|content|encoded|abstract|author|creator|"
    r"category|source|link))(?P<rest>\s[^<>]*)?(?<!/)>(?P<inner>(?:(?!<(?P=name)[\s>]).)*?)</(?P=name)\s*>",
    re.S | re.I,
)
_TAG = re.compile(r"<[A-Za-z][^<>=]*+=[^<>]*+>")
_VALUE = re.compile(r"""("[^"]*"|'[^']*')|=\s*([^\s"'<>/][^\s"'<>]*)""")
_XML_ENTITIES = ("lt", "gt", "amp", "quot", "apos")


@dataclass(frozen=True)
class Tree:
    """`head` is the channel or feed; `items` stand in the catalogue's own order.

    `scoped`: xml:base or xml:lang may stand somewhere; looking for them is not cheap.
    """

    root: Element
    head: Element
    items: tuple[Element, ...]
    problems: tuple[Problem, ...] = ()
    scoped: bool = True


def local(element: Element) -> str:
    """The element's name without its namespace, in lower case."""
    return str(element.tag).rpartition("}")[2].rpartition(":")[2].lower()


def read_tree(text: str) -> Tree:
    """The feed in `text`. Raises SourceError when it is none, is cut short, or is an attack."""
    text = _uncommented(text)
    start, problems = _start(text)
    body = "\n" * text.count("\n", 0, start) + _expand(text[:start], text[start:])
    root, errors = _parse(body)
    if not errors:
        return _whole(root, problems, "xml:" in body)
    return _piecewise(_close_cdata(body), (*problems, *_told(errors)))


# ---------------------------------------------------------------- where it begins


def _uncommented(text: str) -> str:
    """Comments as the lines they took. One that runs over a CDATA end is none."""
    first, *parts = text.split("<!--")
    out = [first]
    for part in parts:
        comment, end, rest = part.partition("-->")
        if end and "]]>" not in comment:
            out.append("\n" * comment.count("\n") + rest)
        else:
            out.append(f"<!--{part}")
    return "".join(out)


def _start(text: str) -> tuple[int, tuple[Problem, ...]]:
    """Where the root element begins; what stands before it is cut off."""
    first = None
    for match in _START.finditer(text):
        first = first or match["name"]
        name = match["name"].rpartition(":")[2].lower()
        if name in _ROOTS:
            return match.start(), _junk(text[: match.start()])
        if name == "html" or (match["name"] == first and name in ("head", "body")):
            raise SourceError(_page(text))
    if first:
        raise SourceError("不是订阅源：根元素是 <{name}>，应为 rss、RDF 或 feed", name=first)
    raise SourceError("不是订阅源：开头是“{head}”", head=text.strip()[:40])


def _junk(prologue: str) -> tuple[Problem, ...]:
    if not _PROLOGUE.sub("", prologue):
        return ()
    return (Problem(str(Say("开头")), str(Say("目录之前有多余内容，已略去"))),)


def _page(text: str) -> Say:
    if address := declared_feed(text):
        return Say("这是网页，不是订阅源；页面声明的订阅地址是 {url}", url=address)
    return Say("这是网页，不是订阅源；请填订阅源（RSS、Atom、JSON Feed）的地址")


def declared_feed(page: str) -> str:
    """The address of the feed that a web page names, if it names one."""
    for tag in re.findall(r"<link\b[^<>]*>", page, re.I):
        href = re.search(r"""href\s*=\s*["']?([^"'\s>]+)""", tag, re.I)
        if href and re.search(r"application/(?:rss|atom|feed)\+", tag, re.I):
            return unescape(href[1])
    return ""


def _expand(prologue: str, body: str) -> str:
    """`body` with the document's own entities put in. External ones stand for nothing."""
    declared = {m[1]: unescape(m[2] or m[3] or "") for m in _ENTITY.finditer(prologue)}
    if not declared:
        return body
    if any(n in declared for v in declared.values() for n in _OWN_REFERENCE.findall(v)):
        raise SourceError("目录里的实体互相引用，可能是攻击，不予读取")
    size = sum(len(declared.get(m[1], "")) for m in _OWN_REFERENCE.finditer(body))
    if size > LIMIT:
        raise SourceError("目录里的实体展开后超过 {n} 字，不予读取", n=LIMIT)
    return _OWN_REFERENCE.sub(lambda m: _escape(declared[m[1]]) if m[1] in declared else m[0], body)


# ---------------------------------------------------------------- parsing


def _parse(body: str) -> tuple[Element, list[Any]]:
    """The root and the errors that were recovered from; namespaces out of order are none."""
    parser = etree.XMLParser(
        recover=True,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(body.encode(), parser)
    except etree.XMLSyntaxError:
        root = None
    log = [e for e in parser.error_log if e.level >= 2 and e.domain_name != "NAMESPACE"]
    return root, log if root is not None else log or [None]


def _whole(root: Element, problems: tuple[Problem, ...], scoped: bool) -> Tree:
    items, empty = _items(root)
    if empty:
        said = Say("条目里套有 {n} 个空条目，已略去", n=empty)
        problems = (*problems, Problem(str(Say("全文")), str(said)))
    return Tree(root, _head(root), items, problems, scoped)


def _head(root: Element) -> Element:
    return next((e for e in root.iter() if local(e) == "channel"), root)


def _items(root: Element) -> tuple[tuple[Element, ...], int]:
    """Items anywhere but inside another, and how many empty ones stand there.

    One inside another that holds something is an item: somebody forgot an end tag.
    """
    tag = "entry" if local(root) == "feed" else "item"
    found = list(root.iter(f"{{*}}{tag}", f"{{*}}{tag.title()}", f"{{*}}{tag.upper()}"))
    space = found[0].tag.rpartition("}")[0] if found else ""
    same = [e for e in found if e.tag.rpartition("}")[0] == space]
    kept = [e for e in same if len(e) or not any(local(up) == tag for up in e.iterancestors())]
    return tuple(kept), len(same) - len(kept)


# ---------------------------------------------------------------- damaged documents


def _close_cdata(text: str) -> str:
    """A CDATA section that is never closed would swallow its neighbours: it becomes plain."""
    first, *parts = text.split("<![CDATA[")
    return first + "".join(f"<![CDATA[{part}" if "]]>" in part else part for part in parts)


def _pieces(body: str) -> list[tuple[int, int]]:
    """Where each item begins and ends. Raises SourceError when the document is cut short.

    A catalogue is whole when its channel or root is closed after the last item; only the root's
    own end tag may be missing.
    """
    spans: list[tuple[int, int]] = []
    begun, name, closed = None, "", -1
    for token in _TOKEN.finditer(body):
        if token["end"]:
            closed = token.start()
        elif token["item"] and not token["rest"].endswith("/"):
            opens = not token["item"].startswith("/")
            name = name or token["item"]
            if token["item"].lstrip("/") != name:
                continue
            if begun is not None:
                spans.append((begun, token.start() if opens else token.end()))
            begun = token.start() if opens else None
        if len(spans) > ITEMS:
            raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    last = begun if begun is not None else max((end for _, end in spans), default=0)
    if closed < last or closed < 0:
        raise SourceError(_cut(body, len(spans), begun is not None))
    return [*spans, (begun, closed)] if begun is not None else spans


def _cut(body: str, count: int, inside: bool) -> Say:
    place = {
        "line": body.rstrip().count("\n") + 1,
        "n": count + inside,
        "tail": " ".join(body[-200:].split())[-30:],
    }
    if inside:
        return Say("目录不完整：到第 {line} 行在第 {n} 条中间断开，末尾是“{tail}”", **place)
    return Say("目录不完整：到第 {line} 行在第 {n} 条之后断开，没有结尾，末尾是“{tail}”", **place)


def _piecewise(body: str, problems: tuple[Problem, ...]) -> Tree:
    """Head and items, each parsed alone inside the namespaces declared above them."""
    pieces = _pieces(body)
    top = body[: pieces[0][0]] if pieces else body
    scope = " ".join({s.partition("=")[0]: s for s in reversed(_SCOPE.findall(top))}.values())
    root = _parse(_references(top))[0]
    if root is None:
        raise SourceError("目录开头的标签已损坏，无法读取")
    items = [_piece(body[begin:end].rstrip(), scope) for begin, end in pieces]
    if None in items:
        raise SourceError("第 {n} 条已损坏，无法读取", n=items.index(None) + 1)
    return Tree(root, _head(root), tuple(items), problems)


def _piece(piece: str, scope: str) -> Element:
    """One item's element; None where nothing of it can be read."""
    name = re.match(r"<([\w.:-]+)", piece)
    if name and not piece.endswith(f"</{name[1]}>"):
        piece += f"</{name[1]}>"
    root, errors = _parse(f"<x {scope}>{piece}</x>")
    if errors:
        root, errors = _parse(f"<x {scope}>{_mended(piece, scope)}</x>")
    if any("RESOURCE_LIMIT" in error.type_name for error in errors if error):
        raise SourceError("有条目嵌套过深或字段过长，不予读取（{raw}）", raw=errors[-1].message)
    return root[0] if root is not None and len(root) else None


def _mended(piece: str, scope: str) -> str:
    def field(match: re.Match[str]) -> str:
        inner = match["inner"]
        if "<" not in inner or not _parse(f"<x {scope}>{inner}</x>")[1]:
            return match[0]
        return f"<{match['name']}{match['rest'] or ''}>{_outside_cdata(inner, _escape_tags)}</{match['name']}>"

    return _TEXT_FIELD.sub(field, _references(piece))


def _references(text: str) -> str:
    """With every ampersand one that XML knows, and every attribute's value in quotation marks."""
    return _outside_cdata(text, lambda part: _REFERENCE.sub(_reference, _TAG.sub(_quoted, part)))


def _quoted(tag: re.Match[str]) -> str:
    return _VALUE.sub(lambda value: value[1] or f'="{value[2]}"', tag[0])


def _outside_cdata(text: str, change: Any) -> str:
    return "".join(
        part if part.startswith("<![CDATA[") else change(part) for part in _CDATA.split(text)
    )


def _reference(match: re.Match[str]) -> str:
    """An entity that XML knows, or its character, or a plain ampersand."""
    number, name = match[1], match[2]
    if number:
        code = int(number[1:], 16) if number[0] in "xX" else int(number)
        return f"&#{code};" if _is_character(code) else ""
    if name in _XML_ENTITIES:
        return match[0]
    if name and f"{name};" in html5:
        return _escape(html5[f"{name};"])
    return "&amp;" + match[0][1:]


def _is_character(code: int) -> bool:
    """XML 1.0 §2.2."""
    return (
        code in (9, 10, 13)
        or 32 <= code < 0xD800
        or 0xE000 <= code < 0xFFFE
        or 0xFFFF < code < 0x110000
    )


def _escape_tags(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _escape(text: str) -> str:
    return _escape_tags(text.replace("&", "&amp;"))


# ---------------------------------------------------------------- telling it


def _told(errors: list[Any]) -> tuple[Problem, ...]:
    """The parser's errors, one a line of the document, in words."""
    lines = {e.line: e for e in reversed(errors) if e is not None}
    told = [Problem(str(Say("第 {n} 行", n=n)), _why(lines[n])) for n in sorted(lines)]
    if len(told) > PROBLEMS:
        rest = Say("另有 {n} 行有误", n=len(told) - PROBLEMS)
        told[PROBLEMS:] = [Problem(str(Say("全文")), str(rest))]
    return tuple(told)


def _why(error: Any) -> str:
    kind = error.type_name
    if "ENTITY" in kind or "CHARREF" in kind or kind == "ERR_NAME_REQUIRED":
        return str(Say("有未转义的 & 或未定义的实体"))
    if kind in ("ERR_TAG_NAME_MISMATCH", "ERR_TAG_NOT_FINISHED", "ERR_DOCUMENT_END"):
        return str(Say("标签没有成对"))
    return str(Say("XML 有误：{raw}", raw=error.message.strip()))
