"""Feeds: RSS 0.9x to 2.0, RDF (RSS 0.90, 1.0), Atom 0.3 and 1.0, JSON Feed 1.x, RSS-in-JSON.

What a feed cannot say in its own words it may say in ours, as child elements of an item in the
namespace `https://gongkai.example/ns/1` (prefix gk; in a JSON Feed as members of `_gongkai`):

    gk:index_number 索引号 · gk:document_number 发文字号 · gk:formed 成文日期 · gk:published 发布日期
    gk:publisher 发布机构 · gk:column 栏目 · gk:topic 主题分类 · gk:language

Elements that bear the Chinese names themselves are read too, in any namespace, and so are labelled
lines at the top of a text (“索引号：…”).

What is read whole or not at all is decided in tree.py, what an entry's key is in identity.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from bot.errors import SourceError
from bot.model import Reading
from bot.sources.base import Options, Origin, Source
from bot.sources.decode import LIMIT, decode, unpack
from bot.sources.draft import Channel, reading_of
from bot.sources.feed_json import read_json
from bot.sources.feed_xml import atom, rss
from bot.sources.fetch import read_whole
from bot.sources.tree import local, read_tree

_HEAD = 100_000  # characters in which a feed shows what it is
_XML = re.compile(r"<(?:[\w.-]+:)?(?:rss|RDF|feed|channel)[\s>]")


class FeedOptions(Options):
    max_bytes: int = LIMIT  # unpacked
    timeout: float = 30  # seconds, redirects included


class Feed(Source):
    """Reads every format of the module's; which one it is, the document itself says."""

    kind: ClassVar[str] = "feed"
    options_model: ClassVar[type[Options]] = FeedOptions
    options: FeedOptions

    async def read(self, origin: Origin) -> Reading:
        return await read_whole(self, origin, self.options.max_bytes, self.options.timeout)

    def parse(self, body: bytes, content_type: str, origin: Origin) -> Reading:
        decoded = decode(unpack(body, self.options.max_bytes), content_type)
        if not decoded.text.strip():
            raise SourceError("目录是空的，没有任何内容")
        reading = reading_of(_channel(decoded.text), origin)
        return replace(reading, problems=(*decoded.problems, *reading.problems))

    @classmethod
    def recognises(cls, body: bytes, content_type: str) -> bool:
        try:
            text = decode(unpack(body), content_type).text[:_HEAD].lstrip()
        except SourceError:
            return False
        if text.startswith("{"):
            return '"items"' in text or '"rss"' in text
        return bool(_XML.search(text))


def _channel(text: str) -> Channel:
    if text.lstrip()[:1] in ("{", "["):
        return read_json(text)
    tree = read_tree(text)
    return atom(tree) if local(tree.root) == "feed" else rss(tree)
