"""The demo's catalogue: an invented county's, dated relative to the first start."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

NAMESPACE = "https://gongkai.example/ns/1"  # bot.sources.feed's own extension
_GK = f"{{{NAMESPACE}}}"
_SITE = "https://www.yunlan.example"


def write(path: Path, now: datetime, zone: ZoneInfo) -> None:
    """Write the catalogue as an RSS 2.0 file with the fields of bot.sources.feed's extension."""
    source = (Path(__file__).parent / "catalogue.toml").read_text("utf-8")
    rss = etree.Element("rss", {"version": "2.0"}, nsmap={"gk": NAMESPACE})
    channel = etree.SubElement(rss, "channel")
    _add(channel, "title", "云澜县政府信息公开目录")
    _add(channel, "link", _SITE)
    _add(channel, "description", "演示用，内容均为虚构")
    _add(channel, "language", "zh-CN")
    entries = tomllib.loads(source)["entry"]
    for number, entry in enumerate(reversed(entries), 1):
        _item(channel, 300 + number, entry, now.astimezone(zone))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(etree.tostring(rss, encoding="utf-8", xml_declaration=True, pretty_print=True))


def _item(channel: Any, number: int, entry: dict[str, Any], now: datetime) -> None:
    published = now - timedelta(hours=entry["hours"])
    formed = published - timedelta(days=entry.get("formed", 1))
    item = etree.Element("item")
    channel.insert(4, item)  # the newest first
    body = _dated(entry["body"].strip(), now)
    _add(item, "title", entry["title"])
    _add(item, "link", f"{_SITE}/xxgk/{published:%Y%m}/t{number}.html")
    _add(item, "guid", f"yunlan-{number}", isPermaLink="false")
    _add(item, "category", entry["column"])
    _add(item, "pubDate", format_datetime(published))
    _add(item, "description", "".join(f"<p>{line}</p>" for line in body.splitlines()))
    _add(item, f"{_GK}publisher", entry["publisher"])
    _add(item, f"{_GK}formed", f"{formed:%Y-%m-%d}")
    _add(item, f"{_GK}index_number", f"000614{number}/{published:%Y}-{number:05}")
    for name, key in (("document_number", "number"), ("topic", "topic")):
        if key in entry:
            _add(item, f"{_GK}{name}", entry[key])


def _add(parent: Any, name: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, name, attributes).text = text


def _dated(text: str, now: datetime) -> str:
    """{d+3} as the day it is: 11月27日."""

    def day(match: re.Match[str]) -> str:
        at = now + timedelta(days=int(match[1]))
        return f"{at.month}月{at.day}日"

    return re.sub(r"\{d\+(\d+)\}", day, text)
