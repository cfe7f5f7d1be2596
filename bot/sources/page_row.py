"""One row of a list page: which links and dates stand in it, and what it says of its entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bot.sources.draft import Draft
from bot.sources.page_body import is_document
from bot.sources.page_label import LABELS, bare
from bot.sources.page_tree import Node, Page, address_of, ancestors, attribute, text_of, upwards
from bot.sources.plain import plain, words

A_TITLE = 8  # characters of a link that could be a title
LONGEST = 100  # characters of a text in which a row's date is looked for

_MORE = r"(?:查看|阅读|点击|了解)?(?:详情|详细|全文|更多)(?:内容|信息)?"
_PAGING = re.compile(
    r"\W*(?:\d+|[上下前后]一?页|首页|末页|尾页|最后一?页|第一页|更多|more|返回.*|GO|跳转|"
    rf"{_MORE})\W*\Z",
    re.I,
)
_MORE_BELOW = re.compile(rf"[\[【(（<]*{_MORE}[\]】)）>»\s]*\Z")
_YEAR = r"(?:19|20)\d\d"
_HOUR = r"(?:(?:T|\s+)\d{1,2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?"
_FULL = rf"{_YEAR}\s?[-/.年]\s?\d{{1,2}}\s?[-/.月]\s?\d{{1,2}}\s?日?{_HOUR}"
_MONTH = rf"{_YEAR}\s?[-/.年]\s?\d{{1,2}}\s?月?"
_DAY = r"(?:1[0-2]|0?[1-9])\s?[-/.月]\s?(?:[12]\d|3[01]|0?[1-9])\s?日?"
_TIGHT = rf"{_YEAR}(?:0[1-9]|1[0-2])(?:[0-2][1-9]|[1-3]0|31)"
_SHORT = r"[0-3]\d(?:-\d\d?-|\.\d\d?\.|/\d\d?/)\d\d?"  # the year's last two figures come first
_ENGLISH = rf"[A-Z][a-z]{{2,8}}\.? \d{{1,2}}, {_YEAR}|\d{{1,2}} [A-Z][a-z]{{2,8}}\.? {_YEAR}"
_LABEL = r"(?:(?:发布|更新|发表|公开|添加|成文)?(?:日期|时间)\s*[:：]?)?"
_ALONE = re.compile(
    rf"[\W_]*{_LABEL}[\W_]*(?:({_FULL}|{_TIGHT}|{_SHORT}|{_ENGLISH})|({_MONTH})|({_DAY}))[\W_]*\Z"
)
_INSIDE = re.compile(
    rf"(?<!\d)({_FULL})(?!\d|日|\s*[，、至起前后])"
)  # not where a sentence goes on
_TITLED = re.compile(rf"(?:时间|日期)\s*[:：]\s*({_FULL})")
_WHOLE = re.compile(rf"(?:{_TIGHT}|{_SHORT}|{_ENGLISH})\Z")
_YEAR_CUT = re.compile(_SHORT)
_FIGURE = re.compile(r"\d")
_NEXT_DAY = re.compile(rf"\A\W*(\d{{1,2}})\W+({_MONTH})\W*\Z|\A\W*({_MONTH})\W+(\d{{1,2}})\W*\Z")
IN_LINK = re.compile(rf"({_YEAR})(?:[-/]?(0[1-9]|1[0-2])|[-/]([1-9])(?!\d))")
_YEAR_ALONE = re.compile(rf"\W*({_YEAR})\s?年?\W*")


@dataclass(frozen=True)
class Wanted:
    """Selectors from config; empty: found by itself. All but `rows` are looked for in a row."""

    rows: str = ""
    link: str = ""
    title: str = ""
    date: str = ""


@dataclass
class Row:
    node: Node
    links: list[Node]
    dates: list[str] = field(default_factory=list)
    flat: bool = False  # a link and a date beside others, in no element of their own


# ---------------------------------------------------------------- links and dates


def tokens(body: Node) -> tuple[list[Node], list[tuple[Node, str]]]:
    """The links that could be entries', and the texts that are dates."""
    links: list[Node] = []
    dates: list[tuple[Node, str]] = []
    for node, date in in_order(body):
        if date:
            dates.append((node, date))
        else:
            links.append(node)
    return links, dates


def in_order(node: Node) -> Iterator[tuple[Node, str]]:
    """Links and dates as they stand; a link comes with an empty date."""
    for part in node.traverse(include_text=True):
        if part.tag == "a" and is_link(part):
            yield part, ""
        elif part.is_text_node and (date := _date_of(part)):
            yield part, date


def _date_of(part: Node) -> str:
    text = part.text_content or ""
    return date_in(text, in_link(part)) if _FIGURE.search(text) else ""


def date_in(text: str, linked: bool) -> str:
    """A date that a text is; or holds, where the text is no link's and so no title."""
    text = text.strip()
    if len(text) >= LONGEST:
        return ""
    if alone := _ALONE.match(text):
        return str(next(filter(None, alone.groups())))
    inside = None if linked else _INSIDE.search(text)
    return inside[1] if inside else ""


def told_by(link: Node) -> list[str]:
    """The date that a link's title tells beside its words: 发布时间：2026-09-22."""
    found = _TITLED.search(attribute(link, "title"))
    return [found[1]] if found else []


def in_link(node: Node) -> bool:
    return any(up.tag == "a" for up in upwards(node))


def is_link(node: Node) -> bool:
    if not address_of(node):
        return False
    label = label_of(node)
    return len(label) > 1 and not _PAGING.match(label)


def main_first(links: Sequence[Node]) -> list[Node]:
    """A row's links, the entry's own first: the first that could be a title; what stands before it
    names a column, what follows is about it."""
    labels = [len(label_of(link)) for link in links]
    main = next((n for n, size in enumerate(labels) if size >= A_TITLE), None)
    if main is None:
        main = labels.index(max(labels)) if labels else 0
    return [*links[main : main + 1], *links[:main], *links[main + 1 :]]


def label_of(node: Node) -> str:
    """What a link says: its text, or the title it bears where the text is cut or a picture."""
    text = text_of(node)
    full = attribute(node, "title")
    return full if full and (not text or (_is_cut(text) and len(full) > len(text))) else text


def _is_cut(text: str) -> bool:
    return text.rstrip(" 　").endswith(("…", "...", ".."))


# ---------------------------------------------------------------- what a row says


def chosen(node: Node, wanted: Wanted) -> Row:
    """A row that config's selector found."""
    found = node.css(wanted.link) if wanted.link else [node] if node.tag == "a" else node.css("a")
    links = [a for a in found if wanted.link or is_link(a)]
    if wanted.date:
        dates = [text_of(one) for one in node.css(wanted.date)]
    else:
        dates = [date for _, date in tokens(node)[1]] or _odd_date(node)
    return Row(node, main_first(links), dates)


def _odd_date(node: Node) -> list[str]:
    """What calls itself a date and is none: it is told, and not taken."""
    found = node.css_first("time,[class*=date],[class*=time]")
    return [text_of(found)] if found is not None else []


def drafts_of(page: Page, rows: Iterable[Row], wanted: Wanted) -> tuple[Draft, ...]:
    heads = _heads(page)
    return tuple(_draft(row, wanted, heads.get(_table(row.node), [])) for row in rows)


def _draft(row: Row, wanted: Wanted, heads: Sequence[str]) -> Draft:
    link = row.links[0]
    address = address_of(link)
    title, said = _title(link, row, wanted)
    others = [text_of(a) for a in row.links[1:]]
    rest = [] if row.flat else [*_rest(row, title, said)]
    runs = _runs(row)
    told = _told(rest) | _told(runs) | _columns(row.node, heads)
    column = next((text.strip("[]【】［］ ") for text in others if 1 < len(text) <= 12), "")
    summary = "\n".join(filter(_is_said, (words(_TOLD.sub("", text)) for text in rest)))
    return Draft(
        title=title,
        links=(address,),
        published=_published(row, address, told),
        formed=tuple(filter(None, (told.get("formed", ""),))),
        publisher=told.get("publisher", ""),
        column=told.get("column", "") or (column if column != title else ""),
        topic=told.get("topic", ""),
        index_number=told.get("index_number", ""),
        document_number=told.get("document_number", "") or _number(runs),
        summary=summary if not is_document(address) else "",
        raw=((link if row.flat else row.node).html or "").encode("utf-8", "replace"),
    )


def _number(runs: Sequence[str]) -> str:
    """A document's number that stands by itself in the row."""
    return next((run for run in runs if run.endswith("号") and _NUMBER.fullmatch(run)), "")


def _is_said(text: str) -> bool:
    """A sentence, and no label, mark or name."""
    return len(text) > 8 and bool(re.search(r"[，。；！？…]", text))


_NUMBER = re.compile(r"[^\s，。；]{2,20}[〔\[【（(]\d{4}[〕\]】）)]\s?第?\d{1,5}号")
_BULLET = re.compile(
    r"^\s*[\[【［(（]?置顶[\]】］)）:：]?|^[\s·•●■▪◆◇►▶>»\-—*]+|^\d{1,3}\s*[、.．]\s*(?=\D)"
)
_BESIDE_TITLE = re.compile(r"\s*(?:发布|发表|更新)(?:时间|日期)\s*[:：]")
_BRACKETED = re.compile(r"^[\[【［][^\]】］]{1,8}[\]】］]\s*(?=\S)")


def _title(link: Node, row: Row, wanted: Wanted) -> tuple[str, list[str]]:
    """The title, and what else stands inside the link."""
    if wanted.title and (found := row.node.css_first(wanted.title)):
        return label_of(found), []
    lines = [text for text in plain(link.html or "").split("\n") if not _ALONE.match(text)]
    text, said = (lines[0], lines[1:]) if lines else ("", [])
    heading = link.css_first("h1,h2,h3,h4,h5,h6,[class*=tit]")
    if heading is not None and text_of(heading):
        text = text_of(heading)
        said = [one for one in lines if one != text]
    for date in row.dates:
        text = text.removesuffix(date).strip(" 　[]()（）") if text.endswith(date) else text
        text = text.removeprefix(date).strip() if _in_link(link, date) else text
    return _whole(_BULLET.sub("", text), link), said


def _in_link(link: Node, date: str) -> bool:
    """Whether this date stands in the link by itself, beside the title."""
    parts = (part for part in link.traverse(include_text=True) if part.is_text_node)
    return any(
        _ALONE.match(text) and date in text for text in (p.text_content or "" for p in parts)
    )


def _whole(text: str, link: Node) -> str:
    """`text`, or the title the link bears, where that is the same and not cut off."""
    full = words(attribute(link, "title"))
    found = re.search(r"(?:标题|名称)\s*[:：]\s*(.+?)\s*(?:\n|发布|点击|时间|作者|\Z)", full)
    full = found[1] if found else _BESIDE_TITLE.split(full)[0]
    start = _BRACKETED.sub("", text).rstrip(" 　.…")
    if full and (not text or (len(full) > len(text.rstrip(".… ")) and full.startswith(start))):
        return full
    return text


def _rest(row: Row, title: str, said: Sequence[str]) -> Iterator[str]:
    """The row's other lines, without title and dates."""
    bare = "".join(title.split())
    label = "".join(text_of(row.links[0]).split())
    for text in plain(row.node.html or "").split("\n"):
        squeezed = "".join(text.split())
        if squeezed and squeezed in (bare, label):
            continue
        left = text
        for whole in (text_of(row.links[0]), title, *row.dates):
            left = left.replace(whole, " ") if whole else left
        left = _MORE_BELOW.sub("", words(left)).strip("[]()（）【】|｜ 　·•-")
        if left and not _ALONE.match(left) and not re.fullmatch(rf"[\W_]*{_LABEL}[\W_]*", left):
            yield left
    yield from (one for one in said if one not in title and one not in plain(row.node.html or ""))


_FIELDS = {"index_number", "document_number", "publisher", "formed", "published", "topic"}
_NAMES = {
    **{label: name for label, name in LABELS.items() if name in _FIELDS},
    **dict.fromkeys(("来源", "单位"), "publisher"),
    **dict.fromkeys(("栏目", "类别"), "column"),
    **dict.fromkeys(("日期", "时间", "答复时间", "回复时间"), "published"),
}
_ANY = "|".join(r"\s*".join(label) for label in sorted(_NAMES, key=len, reverse=True))
_TOLD = re.compile(rf"(?<!\w)({_ANY})\s*[:：]\s*([^\s|｜]+)")


def _told(lines: Sequence[str]) -> dict[str, str]:
    found = [(m[1], m[2]) for text in lines for m in _TOLD.finditer(text)]
    return {_NAMES[bare(label)]: value for label, value in reversed(found)}


def _table(node: Node) -> int:
    return (
        next((up.mem_id for up in ancestors(node) if up.tag == "table"), 0)
        if node.tag == "tr"
        else 0
    )


def _heads(page: Page) -> dict[int, list[str]]:
    """The headings of each table that has them, without their spaces."""
    found: dict[int, list[str]] = {}
    for table in page.tree.css("table"):
        first = table.css_first("tr")
        cells = [c for c in first.iter() if c.tag in ("th", "td")] if first is not None else []
        names = ["".join(text_of(cell).split()) for cell in cells]
        if sum(name in _NAMES or name in ("标题", "名称", "信息名称") for name in names) >= 2:
            found[table.mem_id] = names
    return found


def _columns(row: Node, heads: Sequence[str]) -> dict[str, str]:
    """A table row's fields by the headings over them."""
    cells = [text_of(cell) for cell in row.iter() if cell.tag in ("th", "td")] if heads else []
    pairs = zip(heads, cells, strict=False)
    return {_NAMES[head]: text for head, text in pairs if head in _NAMES and text}


def _published(row: Row, link: str, told: Mapping[str, str]) -> tuple[str, ...]:
    """The row's date as text; a day without its year takes the year that stands alone in the row, or
    the link's where that has its month."""
    named, formed = told.get("published", ""), told.get("formed")
    texts = [
        words(text) for text in (named, *row.dates) if text and (text != formed or text == named)
    ]
    if whole := next((text for text in texts if _INSIDE.search(text) or _WHOLE.match(text)), ""):
        return (f"20{whole}" if _YEAR_CUT.fullmatch(whole) else whole,)
    if apart := _apart(row, texts):
        return (apart,)
    for text in texts:
        day = re.fullmatch(r"\W*(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?日?\W*", text)
        if day and (year := _year(row, link, int(day[1]))):
            return (f"{year}-{day[1]}-{day[2]}",)
    return tuple(texts[:1])


def _year(row: Row, link: str, month: int) -> str:
    alone = {m[1] for text in _small(row) if (m := _YEAR_ALONE.fullmatch(text))}
    if len(alone) == 1:
        return alone.pop()
    return next((m[1] for m in IN_LINK.finditer(link) if int(m[2] or m[3]) == month), "")


def _small(row: Row) -> list[str]:
    """The row's runs of text that are short enough to be part of a date."""
    return [text for text in _runs(row) if 0 < len(text) <= 10]


def _runs(row: Row) -> list[str]:
    """A row's texts, each by itself: labels may stand side by side without a space between them."""
    parts = () if row.flat else row.node.traverse(include_text=True)
    return [words(part.text_content or "") for part in parts if part.is_text_node]


def _apart(row: Row, texts: Sequence[str]) -> str:
    """Day and month that stand in elements of their own, in either order."""
    if row.flat or not any(re.fullmatch(rf"\W*{_MONTH}\W*", text) for text in texts):
        return ""
    small = _small(row)
    pairs = [*small, *(f"{a} {b}" for a, b in pairwise(small))]
    for text in pairs:
        if found := _NEXT_DAY.match(text):
            month, day = (found[2], found[1]) if found[2] else (found[3], found[4])
            return f"{re.sub(r'[年月/.]', '-', month).rstrip('- ')}-{day}"
    return ""
