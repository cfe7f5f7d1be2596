"""An article's page: its title, dates and source, the table of a document, its text.

What the 网页标签 say comes first, then the table (索引号 · 主题分类 · 发文机关 · 成文日期 · 标题 ·
发文字号 · 发布日期, as on gov.cn), then what a reader sees between the title and the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from html import escape
from itertools import pairwise
from typing import Any

from bot.sources.dates import read_date
from bot.sources.draft import Draft, own_number
from bot.sources.page_body import Body, attachments, find_body
from bot.sources.page_label import OF_A_DOCUMENT, bare, labelled
from bot.sources.page_meta import ARTICLE, COLUMN, OPTIONAL, SITE, Tags
from bot.sources.page_title import LONG, Given, read_title
from bot.sources.page_tree import Page, absolute, title_of
from bot.sources.plain import plain

Fields = dict[str, str]

_TOP = 12  # lines of the text in which a table may stand


@dataclass(frozen=True)
class Article:
    draft: Draft
    meta: Mapping[str, Any]
    body: Body | None
    table: bool  # a document's table stands on the page
    told: Sequence[str] = ()  # lines between title and text that tell date or source


def read_article(page: Page, tags: Tags, zone: tzinfo, selector: str = "") -> Article:
    """The page read as an article, whether or not it is one."""
    body = find_body(page, selector)
    seen = _Seen.of(page, body)
    fields = _fields(page, seen)
    title = read_title(page, tags, _given(fields, seen), seen.before, body.text if body else "")
    near, between, behind = seen.near(title), seen.between(title), _told(seen.behind)
    source = _source(tags, [*near, *_alone(body), *behind])
    dates = _dates(tags, fields, near, between, behind, zone)
    own = {name: _own(tags, name, body) for name in ("keywords", "description", "author")}
    draft = Draft(
        title=title,
        links=_links(page, tags),
        base=page.start,
        published=dates,
        formed=tuple(filter(None, [fields.get("formed", "")])),
        publisher=fields.get("publisher", "") or source,
        column=tags.get("column_name") or _column(seen, tags),
        topic=fields.get("topic", ""),
        index_number=fields.get("index_number", ""),
        document_number=fields.get("document_number", "") or _number(title, between, body),
        summary=fields.get("summary", "") or _summary(page, own),
        body=escape(body.text, quote=False) if body else "",
        attachments=attachments(page, body) if body else (),
        raw=page.markup.encode("utf-8", "replace"),
    )
    said = {"title": title, "source": source, "published": _iso(dates, zone), **own}
    said["keywords"] = said["keywords"] or fields.get("keywords", "")
    table = len(OF_A_DOCUMENT & fields.keys()) >= 2
    return Article(draft, _meta(page, tags, said), body, table, [*filter(_tells, between[1:_TOP])])


def _meta(page: Page, tags: Tags, said: Fields) -> dict[str, str]:
    """The 网页标签 under our names; what the page says elsewhere stands in for what they lack."""
    names = (*SITE.values(), *COLUMN.values(), *ARTICLE.values(), *OPTIONAL.values())
    meta = {name: tags.get(name) for name in names} | said
    return meta | {name: absolute(page, meta[name]) for name in ("image", "url") if meta[name]}


def _links(page: Page, tags: Tags) -> tuple[str, ...]:
    named = tags.get("url") or tags.others.get("og:url", "")
    here = page.url if page.url.rstrip("/").count("/") > 2 else ""  # a bare site is no article
    return tuple(filter(None, (absolute(page, named), here)))


def _number(title: str, between: Sequence[str], body: Body | None) -> str:
    """Of the document itself: beneath the title, or at the top of the text."""
    return own_number(title, "\n".join([*between[:_TOP], body.text if body else ""]))


# ---------------------------------------------------------------- what a reader sees


@dataclass(frozen=True)
class _Seen:
    """The page's lines before its text, after it, and the first of the text itself."""

    before: Sequence[str]
    behind: Sequence[str]
    top: Sequence[str]

    @classmethod
    def of(cls, page: Page, body: Body | None) -> _Seen:
        before, _, behind = (page.body.html or "").partition(body.markup if body else "\0")
        top = body.text.split("\n")[:_TOP] if body else []
        return cls([*_lines(before), *(body.above if body else ())], _lines(behind), top)

    def near(self, title: str) -> list[str]:
        """The lines that may tell date and source, the likeliest first: from the last that is the
        title on, and those just above it."""
        below = self.between(title)
        above = self.before[: len(self.before) - len(below)]
        return _told([*below, *(above[-_ABOVE:] if below else above)])

    def between(self, title: str) -> Sequence[str]:
        """From the last line that is the title, or ends it, to the text; none where no line is.
        Of a line that says more than the title only the rest counts."""
        lines, named = [bare(text) for text in self.before], bare(title)
        for size in (1, 2, 3) if named else ():
            for end in range(len(lines), size - 1, -1):
                if named.endswith(lines[end - 1]) and "".join(lines[end - size : end]) == named:
                    return self.before[end - 1 :]
        for end in range(len(lines), 0, -1) if len(named) >= LONG else ():
            if lines[end - 1].startswith(named):
                return (title, _behind(self.before[end - 1], named), *self.before[end:])
        return ()

    def above_date(self) -> str:
        """The line over the first that tells date or source, where it could be a title."""
        for over, text in pairwise(self.before):
            if any(told.search(text[:_LONGEST]) for told in _LABELS):
                other = _TODAY.search(over) or _A_LABEL.match(over)
                return over if 8 <= len(over) <= 100 and not other else ""
        return ""


def _lines(markup: str) -> list[str]:
    """What a reader sees, line by line; what stands in elements of their own is set apart."""
    return plain(_BESIDE.sub(r"\1 \2", markup)).split("\n")


def _behind(text: str, start: str) -> str:
    """What follows these characters in a text, with its spaces."""
    shown = [n for n, character in enumerate(text) if not character.isspace()]
    return text[shown[len(start)] :] if len(start) < len(shown) else ""


_BESIDE = re.compile(r"(</[a-z][\w-]*>)(<(?!/)[a-z])", re.I)
_A_LABEL = re.compile(r"\S{2,8}\s*[:：]")
_ABOVE = 6  # lines over a title that may tell of it
_TODAY = re.compile(r"位置[:：]|今天是|现在时间|星期[一二三四五六日]|版权所有|ICP备")


def _told(lines: Sequence[str]) -> list[str]:
    return [text for text in lines if not _TODAY.search(text)]


def _given(fields: Fields, seen: _Seen) -> Given:
    return Given(fields.get("title", ""), "" if fields else seen.above_date())


def _fields(page: Page, seen: _Seen) -> Fields:
    """What the page's labels name, where they are a document's."""
    found = labelled(page, [*seen.before, *seen.top])
    return found if OF_A_DOCUMENT & found.keys() else {}


# ---------------------------------------------------------------- date, source, column

_DAY = r"(?:19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}\s?日?"
_WHEN = rf"{_DAY}(?:\s*\d{{1,2}}[:：时点]\d{{2}}(?:[:：分]\d{{2}})?[分秒]?)?"
_DATED = re.compile(
    r"(?:发布时间|发布日期|发表时间|发稿时间|公开日期|公开时间|提交时间|答复时间"
    rf"|(?<!\w)时\s*间|(?<!\w)日\s*期)\s*[:：]?\s*[\[【(（]?\s*({_WHEN})"
)
_UPDATED = re.compile(rf"更新(?:时间|日期)\s*[:：]?\s*[\[【(（]?\s*({_WHEN})")
_OTHER_DAY = r"[\W_]*(?:开始|起始|结束|征集|报名|来信|成文|生成|生效|实施|施行|废止|失效|截止|签署|签发|印发|登记|有效)"
_BARE_DATE = re.compile(rf"\A\W*({_WHEN})\W*\Z")
_AMONG_OTHERS = re.compile(rf"\A(?!{_OTHER_DAY})[^，。；]*?(?<!\d)({_WHEN})[^，。；]*\Z")
_BESIDE_SOURCE = re.compile(rf"({_WHEN}).*来\s*源|来\s*源.*?({_WHEN})")
_CLOCK = re.compile(r"\d[:：时点]\d\d")
_WIDE = str.maketrans("０１２３４５６７８９", "0123456789")
_SOURCE = re.compile(
    r"(?:来\s*源\s*于?\s*[:：]\s*[\[【]?|(?:信息|文章|稿件)来源\s+(?=\S))([^\s【】\[\]（(）)|｜]+)?"
)
_SOURCE_ALONE = re.compile(r"[（(【\[]?\s*(?:信息|文章|稿件)?来\s*源\s*[:：].{2,40}")
_LONGEST = 300  # characters of a line in which date and source are looked for
_LAST = 3  # lines of a text, of which one may tell its source and nothing else
_NO_SOURCE = re.compile(
    r"(?:作者|编辑|责任编辑|发布|发表|时间|日期|浏览|点击|字体|字号|打印|分享|收藏|举报).*"
)
_META_DATES = (
    *("firstpublishedtime", "publishdate", "publishtime", "publish_date", "publish_time"),
    *("pubtime", "article:published_time", "og:published_time", "datepublished", "dc.date"),
)


def _dates(
    tags: Tags,
    fields: Fields,
    near: Sequence[str],
    between: Sequence[str],
    behind: Sequence[str],
    zone: tzinfo,
) -> tuple[str, ...]:
    """Every date of publication the page tells, the best first: one with its hour goes before
    the same day without."""
    formed = fields.get("formed")
    said = [*tags.said.get("published", ()), fields.get("published", "")]
    said += [text for text in _shown(near) if text != formed]
    said += [m[1] for text in between[1:_TOP] if (m := _AMONG_OTHERS.search(text[:80]))]
    said += [tags.others.get(name, "") for name in _META_DATES]
    said += [text for text in _shown(behind) if text != formed]
    dates = [(text, at) for text in said if text and (at := read_date(text, zone, chinese=True))]
    if not dates:
        return tuple(dict.fromkeys(filter(None, said)))
    local = [(text, at.astimezone(zone)) for text, at in dates]
    day = local[0][1].date()
    exact = [(text, at) for text, at in local if at.date() == day and _CLOCK.search(text)]
    return tuple(text for text, _ in dict.fromkeys((*_exactest(exact), *local)))


def _exactest(exact: Sequence[tuple[str, datetime]]) -> Iterator[tuple[str, datetime]]:
    """The same minute with its seconds goes first; of two that lie half a day apart the one that a
    clock of twelve hours cannot show does, for the other has lost its 下午."""
    for _, at in exact[:1]:
        for text, other in exact:
            halved = abs(other - at) == timedelta(hours=12) and not 1 <= other.hour <= 12
            if halved or (at.second == 0 and at < other < at + timedelta(minutes=1)):
                yield text, other
    yield from exact


def _shown(lines: Sequence[str]) -> Iterator[str]:
    for pattern in (_DATED, _BESIDE_SOURCE, _BARE_DATE, _UPDATED):
        for text in lines:
            found = pattern.search(text.translate(_WIDE)) if len(text) < _LONGEST else None
            if found:
                yield next(filter(None, found.groups()))


_LABELS = (_DATED, _BESIDE_SOURCE, _SOURCE, _UPDATED)


def _tells(text: str) -> bool:
    start = text[:80].translate(_WIDE)
    return any(told.search(start) for told in (*_LABELS, _BARE_DATE, _AMONG_OTHERS))


def _iso(dates: Sequence[str], zone: tzinfo) -> str:
    at = next(filter(None, (read_date(text, zone, chinese=True) for text in dates)), None)
    return at.astimezone(zone).isoformat() if at else ""


def _alone(body: Body | None) -> list[str]:
    """Lines at a text's end that tell its source: （来源：…）."""
    last = body.text.split("\n")[-_LAST:] if body else []
    return [text for text in last if _SOURCE_ALONE.fullmatch(text)]


def _source(tags: Tags, lines: Sequence[str]) -> str:
    """ContentSource, else what stands after 来源："""
    if named := tags.get("source"):
        return _SOURCE_WORD.sub("", named)
    for n, text in enumerate(lines):
        for found in _SOURCE.finditer(text):
            value = found[1] or (lines[n + 1] if text.endswith(found[0]) and lines[n + 1 :] else "")
            if value := _NO_SOURCE.sub("", value).strip(" 　：:"):
                return value[:60]
    return _SOURCE_WORD.sub("", tags.others.get("source", "")).partition(" ")[0]


_SOURCE_WORD = re.compile(r"^\s*(?:信息|文章)?来\s*源\s*[:：]\s*")
_PLACE_BEGINS = re.compile(r"(?:位置|所在)\s*(?:是|为)?\s*[:：]")
_PLACE = re.compile(rf"{_PLACE_BEGINS.pattern}\s*(.+)")
_STEPS, _LONGEST_STEP = 12, 40
_MARK = r"(?:>+|»|›|＞|→|/)"
_STEP = re.compile(rf"\s*{_MARK}\s*")
_DASHED = re.compile(r"\s*[-–—－|｜]+\s*")  # steps where no such mark stands
_OPEN = re.compile(rf"(?:{_MARK}|\A|[:：])\s*\Z")
_NO_COLUMN = {"正文", "内容", "详情", "首页", "文章", "信息内容", "浏览", "阅读", ""}


def _column(seen: _Seen, tags: Tags) -> str:
    """The last step of “当前位置：首页 > 政务公开 > 通知公告 > 正文”."""
    for n in range(len(seen.before)):
        if found := _PLACE.search(_joined(seen.before[n : n + _STEPS])):
            steps = _STEP.split(found[1])
            steps = steps if len(steps) > 1 else _DASHED.split(found[1])
            named = [step for step in steps if step.strip() not in _NO_COLUMN]
            return named[-1].strip()[:30] if named else ""
    return tags.others.get("lanmu", "")


def _joined(lines: Sequence[str]) -> str:
    """A line, and those that go on with its steps: each step may have an element of its own."""
    text = lines[0]
    for more in lines[1:] if _PLACE_BEGINS.search(text) else ():
        if not (_OPEN.search(text) or _STEP.match(more)) or len(more) > _LONGEST_STEP:
            break
        text = f"{text} {more}"
    return text


# ---------------------------------------------------------------- whose description it is

_SITE_WIDE = re.compile(r"门户网站|官方网站|本网站|网站是|版权所有")


def _own(tags: Tags, name: str, body: Body | None) -> str:
    """The first value that is the article's: HTML's lower-case tags often tell of the whole site,
    an author is a name and no number."""
    for value in filter(None, tags.said.get(name, ())):
        if name == "author" and value.isdecimal():
            continue
        if name in tags.loose and _is_site_wide(value, tags.get("site_name"), body):
            continue
        return value
    return ""


def _summary(page: Page, own: Fields) -> str:
    """The description, unless it only says again what title, site and keywords say."""
    said = bare(f"{title_of(page)}{own['keywords']}")
    return "" if bare(own["description"]) in said else own["description"]


def _is_site_wide(value: str, site: str, body: Body | None) -> bool:
    if body and bare(value)[:10] in bare(body.text):
        return False
    return bool(_SITE_WIDE.search(value) or (len(site) >= 4 and site in value))
