"""Where a text begins and ends in its element.

Title, date and source may stand in the same element as the text, and so may what follows it: the
links to the next article, the buttons to print and to share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.sources.page_label import OF_A_DOCUMENT, begins_with

_TOP = 12  # lines in which what stands above a text is looked for
_END = 12  # lines in which what stands below it is
_LONG = 150  # characters of a line that is no part of a text
_ABOUT = re.compile(
    r"(?<![^\W\d])(?:信息|文章|稿件|内容|首次|最后)?(?:发布|发表|发稿|公开|更新|提交)(?:时间|日期)\s*[:：]"
    r"|(?:^|[\s\d|｜:：])(?:(?:信息|文章|稿件)?来\s*源|作\s*者)\s*[:：]|字体\s*[:：【\[大]|字号\s*[:：【\[]"
    r"|(?:浏览|阅读|点击|访问)(?:次数|量|数)?\s*[:：]|[【\[]\s*(?:打印|关闭|收藏|字体)|^分享到?\s*[:：]?$"
    r"|^[\W_]*(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}(?:\s+\d{1,2}:\d\d(?::\d\d)?[^，。；]{0,30})?[\W_]*$"
)
_BELOW = re.compile(
    r"^[\W_]*(?:上|下|前|后)一?(?:篇|条|页|则)\s*[:：]?.{0,120}$"
    r"|^[\W_]*(?:打印(?:本页|此页)?|关闭(?:窗口|本页)?|返回(?:顶部|列表|上一页)?|分享到?|收藏|纠错|扫一扫.{0,20}|TOP)[\W_]*$"
    r"|^(?:[\W_]*(?:打印(?:本页)?|关闭(?:窗口)?|返回\w{0,2}|分享|收藏))+[\W_]*$"
    r"|^(?=.*页)(?:[\W_]*(?:\d+|[上下]一?页|首页|[尾末]页|[共第]\s*\d+\s*页))+[\W_]*$"
    r"|^[\W_]*分享(?:到|至)\s*[:：]?[^，。；]{0,50}$"
    r"|^[\W_]*(?:浏览|阅读|点击|访问)(?:次数|量|数)?\s*[:：][\W_]*\d*\s*次?[\W_]*$"
    r"|^(?:责任编辑|责\s*编|编\s*辑|编\s*审|审\s*核|[初复终]审|校\s*对)\s*[:：][^，。；]{0,60}$",
    re.I,
)
_RELATED = re.compile(r"^[\W_]*相关(?:链接|阅读|新闻|文章|文档|解读|稿件|信息|报道|推荐)[\W_]*$")


def begins(lines: Sequence[str]) -> int:
    """The line with which the text begins: behind the last of those above that tells of it, or is a
    document's label, as long as nothing before it is a sentence or addresses somebody."""
    first, known = 0, False
    for n, text in enumerate(lines[:_TOP]):
        about = len(text) < _LONG and bool(_ABOUT.search(text))
        field = begins_with(text) if len(text) < _LONG else None
        if about or field is not None:
            first, known = n + 1, known or about or field in OF_A_DOCUMENT
        elif "。" in text or text.endswith(("：", ":", "；", "，")) or len(text) >= _LONG:
            break
    return first if known else 0


def ends(lines: Sequence[str]) -> int:
    """The line behind the text's last."""
    last = len(lines)
    for n in range(max(last - _END, 0), last):
        if _RELATED.match(lines[n]) and not any("。" in text for text in lines[n:last]):
            last = n
            break
    while last and _BELOW.match(lines[last - 1]):
        last -= 1
    return last
