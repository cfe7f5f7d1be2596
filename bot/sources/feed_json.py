"""JSON Feed 1.x and RSS-in-JSON as drafts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from lxml import etree

from bot.errors import SourceError
from bot.language import Say
from bot.model import Attachment, Problem, canonical
from bot.sources.draft import Channel, Draft, first
from bot.sources.feed_xml import OUR_NAMES, PREFIXES, as_size, rss
from bot.sources.plain import is_address, words
from bot.sources.tree import Element, Tree

_OURS = frozenset(OUR_NAMES.values()) - {"summary"} | {"language"}
_MEMBERS = {"id", "url", "title", "content_html", "content_text", "summary", "external_url"}
_SPACES = {prefix: space for space, prefix in PREFIXES.items()}
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def read_json(text: str) -> Channel:
    """Either format. Raises SourceError with the line where the JSON breaks off."""
    feed = _loaded(text)
    if isinstance(feed, dict) and isinstance(feed.get("rss"), dict):
        return rss(_tree_of(feed["rss"]))
    if isinstance(feed, dict) and _is_json_feed(feed.get("items")):
        return _json_feed(feed)
    raise SourceError("是 JSON，但不是 JSON Feed（没有 items），也不是 RSS-in-JSON（没有 rss）")


def _is_json_feed(items: Any) -> bool:
    """Many an API answers with `items`; those of a JSON Feed say something that it knows."""
    if not isinstance(items, list):
        return False
    named: set[str] = set().union(*(item for item in items if isinstance(item, dict)))
    return not items or bool(named & _MEMBERS)


def _loaded(text: str) -> Any:
    try:
        value = json.loads(text)
        return _printable(value) if "\\u" in text else value
    except json.JSONDecodeError as error:
        raise SourceError(
            "JSON 有误或不完整：第 {line} 行第 {column} 列",
            line=error.lineno,
            column=error.colno,
        ) from error
    except RecursionError as error:
        raise SourceError("JSON 嵌套过深，不予读取") from error
    except ValueError as error:  # Python converts no number of more than 4300 digits
        raise SourceError("JSON 里有过长的数字，不予读取") from error


def _printable(value: Any) -> Any:
    """Without what `\\u0000` and half a surrogate pair bring in."""
    if isinstance(value, str):
        return _NO_TEXT.sub("", value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    return value


# ---------------------------------------------------------------- JSON Feed


def _json_feed(feed: Mapping[str, Any]) -> Channel:
    items = [item for item in feed["items"] if isinstance(item, dict)]
    strays = Say("有 {n} 个成员不是条目，已略去", n=len(feed["items"]) - len(items))
    return Channel(
        tuple(_draft(item) for item in items),
        title=words(_string(feed, "title")),
        link=_string(feed, "home_page_url"),
        own=_string(feed, "feed_url"),
        publisher=_author(feed),
        language=_string(feed, "language"),
        problems=(Problem("items", str(strays)),) if strays.values["n"] else (),
    )


def _draft(item: Mapping[str, Any]) -> Draft:
    more = item.get("_gongkai")
    ours = {n: words(_string(more, n)) for n in _OURS} if isinstance(more, dict) else {}
    published = (ours.pop("published", ""), *_strings(item, "date_published", "date_modified"))
    values: dict[str, Any] = {
        "publisher": _author(item),
        "column": _tag(item),
        "language": _string(item, "language"),
    }
    return Draft(
        title=words(_string(item, "title")),
        ids=_strings(item, "id"),
        links=(*_strings(item, "url", "external_url"), *filter(is_address, _strings(item, "id"))),
        published=published,
        formed=(ours.pop("formed", ""),),
        summary=escape(_string(item, "summary"), quote=False),
        body=_string(item, "content_html") or escape(_string(item, "content_text"), quote=False),
        attachments=tuple(_attachments(item)),
        raw=canonical(item).encode(),
        **{**values, **{name: value for name, value in ours.items() if value}},
    )


def _string(item: Mapping[str, Any], name: str) -> str:
    """A member as a string; numbers are taken, what is neither is nothing."""
    value = item.get(name)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _strings(item: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(filter(None, (_string(item, name) for name in names)))


def _listed(item: Mapping[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def _tag(item: Mapping[str, Any]) -> str:
    return first(words(tag) for tag in _listed(item, "tags") if isinstance(tag, str))


def _author(item: Mapping[str, Any]) -> str:
    """JSON Feed 1.1 has `authors`, 1 has `author`."""
    people = [*_listed(item, "authors"), item.get("author")]
    return first(words(_string(one, "name")) for one in people if isinstance(one, dict))


def _attachments(item: Mapping[str, Any]) -> Iterator[Attachment]:
    for one in _listed(item, "attachments"):
        if isinstance(one, dict) and (url := _string(one, "url")):
            size = as_size(_string(one, "size_in_bytes"))
            yield Attachment(url, _string(one, "title"), _string(one, "mime_type"), size)


# ---------------------------------------------------------------- RSS-in-JSON


def _tree_of(feed: Mapping[str, Any]) -> Tree:
    """RSS-in-JSON as the XML it stands for."""
    root = etree.Element("rss")
    _grow(root, "channel", feed.get("channel"))
    return Tree(root, next(iter(root), root), tuple(root.iter("item")))


def _grow(parent: Element, name: str, value: Any) -> None:
    """A member is an element, a list one for each; in a leaf that is an object, `#value` is the
    text and the rest are attributes."""
    tag = _element_name(name)
    for one in value if isinstance(value, list) else [value]:
        if tag is None or one is None:
            continue
        element = etree.SubElement(parent, tag)
        if not isinstance(one, dict):
            element.text = str(one)
            continue
        for key, inner in one.items():
            if key.lstrip("#$_@") in ("value", "text", "t"):
                element.text = str(inner)
            elif name in ("channel", "item") or isinstance(inner, dict | list):
                _grow(element, key, inner)
            elif attribute := _element_name(key.lstrip("@")):
                element.set(attribute, str(inner))


def _element_name(name: str) -> str | None:
    """A member's name as a tag; None where it cannot be one."""
    prefix, _, own = name.rpartition(":")
    if not re.fullmatch(r"[^\W\d][\w.-]*", own):
        return None
    return f"{{{_SPACES[prefix]}}}{own}" if prefix in _SPACES else own
