"""Reading a 100-item GBK feed into full items, beside feedparser (design: at least 10 times)."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import feedparser

from bot.sources.base import Origin
from bot.sources.feed import Feed, FeedOptions

ITEMS = 100
ROUNDS = 9

# Marked up as the content systems of government sites write it, attachment included.
_LINES = (
    "各乡镇人民政府、街道办事处，县政府各部门：",
    "　　为做好<strong>第{n}项</strong>工作，根据上级要求，结合我县实际，现就有关事项通知如下。",
    "　　一、各单位要对照职责抓好落实，重要情况及时报告县政府办公室。&nbsp;",
    "　　二、本通知自印发之日起施行，由县政府办公室负责解释。",
)
_TEXT = "".join(
    f'<p style="text-indent: 2em; line-height: 1.75em;"><span style="font-family: 宋体;">{text}</span></p>\r\n'
    for text in _LINES
) + (
    '<p style="line-height: 16px;"><img src="/ueditor/icon_pdf.gif"/><a style="font-size: 12px;" '
    'href="/attachment/0/{n}.pdf" title="附件{n}.pdf">附件{n}.pdf</a></p>'
)
_ITEM = """<item>
<title><![CDATA[云澜县人民政府办公室关于做好第{n}项重点工作的通知（云政办发〔2026〕{n}号）]]></title>
<link>http://www.yunlan.example/zwgk/tzgg/content/post_{n}.html?a=1&amp;b=2</link>
<guid isPermaLink="true">http://www.yunlan.example/zwgk/tzgg/content/post_{n}.html</guid>
<pubDate>Tue, 22 Sep 2026 {hour:02}:05:00 +0800</pubDate>
<author>云澜县人民政府办公室</author>
<category>通知公告</category>
<description><![CDATA[{text}]]></description>
</item>
"""


def feed() -> bytes:
    """RSS 2.0 in GBK, declared gb2312 as such feeds are; about 144 KiB as UTF-8."""
    items = "".join(
        _ITEM.format(n=n, hour=n % 24, text=_TEXT.format(n=n)) for n in range(1, ITEMS + 1)
    )
    head = (
        '<?xml version="1.0" encoding="gb2312"?>\n<rss version="2.0"><channel>'
        "<title>云澜县人民政府</title><link>http://www.yunlan.example/</link>"
        "<description>通知公告</description><language>zh-cn</language>\n"
    )
    return f"{head}{items}</channel></rss>\n".encode("gb18030")


def bench() -> dict[str, Any]:
    """Processor milliseconds of each, alternating in one run, and their ratio (medians)."""
    body, source = feed(), Feed(FeedOptions())
    origin = Origin("http://www.yunlan.example/rss.xml", ZoneInfo("Asia/Shanghai"))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours += [_timed(lambda: source.parse(body, "text/xml", origin)) for _ in range(5)]
        theirs.append(_timed(lambda: feedparser.parse(body)))
    return {
        "what": f"read a {ITEMS}-item GBK feed ({len(body) // 1024} KiB)",
        "ms": round(median(ours), 2),
        "feedparser_ms": round(median(theirs), 2),
        "ratio": round(median(theirs) / median(ours), 1),
        "at_least": 10,
    }


def _timed(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


if __name__ == "__main__":
    print(bench())
