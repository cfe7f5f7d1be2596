"""Pages of government sites: the contract, lists of every layout, articles, and how links are
followed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.sources.contract import Kind, Notice, SourceContract

HEAD = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>通知公告_云澜县人民政府</title>'
    '<meta name="SiteName" content="云澜县人民政府"><meta name="SiteDomain" content="www.yunlan.example">'
    '<meta name="SiteIDCode" content="5399990001"><meta name="ColumnName" content="通知公告">'
    '<meta name="ColumnDescription" content="县政府发布的通知公告">'
    '<meta name="ColumnKeywords" content="通知,公告"><meta name="ColumnType" content="通知公告"></head>'
    '<body><ul class="nav"><li><a href="/">首页</a></li><li><a href="/zwgk/">政务公开</a></li></ul>'
)
FOOT = '<div class="footer"><p>主办：云澜县人民政府办公室</p></div></body></html>\n'


def page(body: str, head: str = HEAD) -> bytes:
    return f"{head}{body}{FOOT}".encode()


def write(notices: Sequence[Notice]) -> bytes:
    return page(f'<ul class="list">{"".join(map(_row, notices))}</ul>')


def _row(notice: Notice) -> str:
    date = f'<span class="date">{notice.published}</span>' if notice.published is not None else ""
    title = escape(notice.title)
    text = f"<p>{escape(notice.text)}</p>" if notice.text else ""
    return f'<li><a href="{escape(notice.link)}" title="{title}">{title}</a>{date}{text}</li>\n'


class TestPage(SourceContract):
    kind = Kind("page", write, "text/html; charset=utf-8", {"rows": "ul.list > li"})
