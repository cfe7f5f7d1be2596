"""A list page: rows that each have a link and a date.

Nothing is told beforehand: every date on the page looks for the link it belongs to, in the smallest
element that holds both; rows of one kind under one roof are a list, and the list that says most is
the page's. Navigation has no dates and is passed over by itself; so are pages' numbers. Read so are
`<li><a>…</a><span>2026-09-22</span></li>`, table rows, `<dl>`, blocks with a day and a month apart,
and links one after the other. Config may name the rows and what stands in them instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from selectolax.lexbor import SelectolaxError

from bot.errors import SourceError
from bot.sources.decode import ITEMS
from bot.sources.draft import Draft
from bot.sources.page_row import (
    A_TITLE,
    IN_LINK,
    Row,
    Wanted,
    chosen,
    drafts_of,
    in_order,
    is_link,
    label_of,
    main_first,
    tokens,
    told_by,
)
from bot.sources.page_tree import Node, Page, address_of, ancestors, attribute, text_of, upwards

ROWS = {"li", "tr", "dl", "article"}  # elements that are one row however much they hold
LONG_ENOUGH = 4  # characters of a title
FEW = 3  # rows without a date that are a list


@dataclass(frozen=True)
class Listing:
    drafts: tuple[Draft, ...] = ()
    rows: str = ""  # a selector by which exactly these rows are found; empty where none does
    others: int = 0  # further lists on the page that were not taken
    nodes: tuple[Node, ...] = ()  # the rows' elements, of those that have one each


def read_list(page: Page, wanted: Wanted | None = None) -> Listing:
    """The page's list; one without drafts where it has none."""
    wanted = wanted or Wanted()
    if wanted.rows:
        rows = [chosen(node, wanted) for node in page.tree.css(wanted.rows)]
        return Listing(drafts_of(page, [row for row in rows if row.links], wanted), wanted.rows)
    found = [*_groups(page).values()]
    paged = _paged(page, found) if len(found) > 1 else set()
    worth = {id(rows): _weight(rows) * (_PAGED if id(rows) in paged else 1) for rows in found}
    groups = sorted(found, key=lambda rows: worth[id(rows)], reverse=True)
    if not groups or not _is_list(groups[0]):
        return Listing()
    rows = _with_undated(groups[0])
    several = sum(len(group) > 1 for group in groups[1:])
    nodes = tuple(row.node for row in rows if not row.flat)
    return Listing(drafts_of(page, rows, wanted), _selector(page, rows), several, nodes)


def read_undated(page: Page) -> Listing:
    """Where no dates stand on a page: links whose titles tell them, or that say in their addresses
    when they were made, the most that are of one kind. The addresses' days are not the entries'."""
    links = tokens(page.body)[0]
    holds = _counted(links)
    groups: dict[tuple[object, ...], list[Row]] = {}
    for link in links:
        told = told_by(link)
        if (told or IN_LINK.search(address_of(link))) and len(label_of(link)) >= A_TITLE:
            row = Row(_roof(link, holds), [link], told)
            groups.setdefault(_kind(row, holds), []).append(row)
    rows = max(groups.values(), key=_weight, default=[])
    return (
        Listing(drafts_of(page, rows, Wanted()), _selector(page, rows))
        if len(rows) >= FEW
        else Listing()
    )


def _weight(rows: Sequence[Row]) -> int:
    """How much a list says: long titles count, not long ones over and over."""
    return sum(min(len(label_of(row.links[0])), 30) for row in rows)


_NEXT = re.compile(r"\W*(?:下一?页|后一?页|尾页|末页|next)\W*\Z", re.I)
_PAGED = 4  # as much does a list count that goes on on other pages: beside it others are a menu's


def _paged(page: Page, groups: Sequence[Sequence[Row]]) -> set[int]:
    """Which of these go on on other pages: those that stand nearest to a link to the next."""
    within: dict[int, set[int]] = {}
    for rows in groups:
        for up in ancestors(rows[0].node):
            within.setdefault(up.mem_id, set()).add(id(rows))
    paging = (node for node in page.body.css("a,span") if _NEXT.match(text_of(node)))
    return {rows for node in paging for rows in _nearest(node, within)}


def _nearest(node: Node, within: Mapping[int, set[int]]) -> set[int]:
    inner = takewhile(lambda up: up.tag not in ("body", "html", "form"), upwards(node))
    return next((within[up.mem_id] for up in inner if up.mem_id in within), set())


def _is_list(rows: Sequence[Row]) -> bool:
    """A single row must at least look like one."""
    return _weight(rows) >= 2 * LONG_ENOUGH and (len(rows) > 1 or rows[0].node.tag in ROWS)


# ---------------------------------------------------------------- finding rows


def _groups(page: Page) -> dict[tuple[object, ...], list[Row]]:
    """Rows by what they are and whose they are: tag, parent's kind, and the element above."""
    links, dates = tokens(page.body)
    if len(dates) > 2 * ITEMS:
        raise SourceError("目录超过 {n} 条，不予读取", n=ITEMS)
    holds = _counted(links)
    dated: dict[int, list[str]] = {}
    place: dict[int, Node] = {}
    for node, text in dates:
        row = _row_of(node, holds)
        if row is not None:
            dated.setdefault(row.mem_id, []).append(text)
            place[row.mem_id] = row
    groups: dict[tuple[object, ...], list[Row]] = {}
    for key, texts in dated.items():
        for made in _as_rows(place[key], texts):
            groups.setdefault(_kind(made, holds), []).append(made)
    return groups


def _counted(links: Sequence[Node]) -> dict[int, int]:
    """How many links each element holds."""
    holds: dict[int, int] = {}
    for link in links:
        for up in (link, *ancestors(link)):
            holds[up.mem_id] = holds.get(up.mem_id, 0) + 1
    return holds


def _row_of(node: Node, holds: Mapping[int, int]) -> Node | None:
    """From the smallest element that holds this date and a link, up as long as it is only theirs."""
    above = ancestors(node)
    at = next((n for n, up in enumerate(above) if holds.get(up.mem_id)), None)
    if at is None or above[at].tag in ("body", "html"):
        return None
    while above[at].tag not in ROWS and at + 1 < len(above):
        if holds[above[at + 1].mem_id] != holds[above[at].mem_id]:
            break
        if above[at + 1].tag in ("body", "html"):
            break
        at += 1
    return above[at]


def _as_rows(node: Node, dates: list[str]) -> Iterator[Row]:
    """One row; or as many as it has dates, where links and dates follow one another in it."""
    links = [link for link in ([node] if node.tag == "a" else node.css("a")) if is_link(link)]
    few = len(dates) < 3 and node.tag in ROWS - {"dl"}  # formed and published, say
    if (few and not _pairs(node)) or len(dates) == 1 or len(links) < len(dates):
        yield Row(node, main_first(links), dates)
        return
    yield from _side_by_side(node)


def _pairs(node: Node) -> bool:
    """Whether a row has an entry in each half: two titles, each with its date behind it."""
    order = [*in_order(node)]
    titles = [part for part, date in order if not date and len(label_of(part)) >= A_TITLE]
    dated = [bool(date) for _, date in order] == [False, True, False, True]
    return dated and len({address_of(title) for title in titles}) == 2


def _side_by_side(node: Node) -> Iterator[Row]:
    """Rows of links and dates that follow one another; which comes first, the first one tells."""
    order = [*in_order(node)]
    if order and order[0][1]:
        yield from _under_days(node, order)
        return
    waiting: list[Node] = []
    for part, date in order:
        if not date:
            waiting.append(part)
        elif waiting:
            yield Row(node, [max(waiting, key=lambda a: len(label_of(a)))], [date], True)
            waiting = []


def _under_days(node: Node, order: Sequence[tuple[Node, str]]) -> Iterator[Row]:
    """A day and the link behind it, and what else stands under that day and could be a title."""
    day, taken = "", {""}
    for part, date in order:
        if date:
            day, taken = date, {""}
        elif day and (len(taken) == 1 or len(label_of(part)) >= A_TITLE):
            if address_of(part) not in taken:
                yield Row(node, [part], [day], True)
            taken.add(address_of(part))


def _kind(row: Row, holds: Mapping[int, int]) -> tuple[object, ...]:
    if row.flat:
        parent = row.node.parent
        return ("flat", _step(row.node), parent.mem_id if parent is not None else 0)
    node = _roof(row.node, holds)
    parent = node.parent
    above = parent.parent if parent is not None else None
    return (
        node.tag,
        _step(parent) if parent is not None else "",
        above.mem_id if above is not None else 0,
    )


def _roof(node: Node, holds: Mapping[int, int]) -> Node:
    """The largest element that holds no other link: a row may have a table of its own."""
    size = holds.get(node.mem_id, 1)
    for up in ancestors(node):
        if up.tag in ("body", "html") or holds.get(up.mem_id, 0) > size:
            break
        node = up
    return node


def _with_undated(rows: list[Row]) -> list[Row]:
    """The list's rows in the page's order, those without a date (pinned ones) among them."""
    if rows[0].flat:
        return rows
    known = {row.node.mem_id: row for row in rows}
    seen: dict[int, Row] = {}
    for parent in {
        row.node.parent.mem_id: row.node.parent for row in rows if row.node.parent
    }.values():
        for node in parent.iter():
            if node.mem_id in known:
                seen[node.mem_id] = known[node.mem_id]
            elif node.tag == rows[0].node.tag and (row := _undated(node)):
                seen[node.mem_id] = row
    return [*seen.values()]


def _undated(node: Node) -> Row | None:
    links = [a for a in node.css("a") if is_link(a) and len(label_of(a)) > LONG_ENOUGH]
    return Row(node, links) if len(links) == 1 else None


# ---------------------------------------------------------------- how to find them again


def _selector(page: Page, rows: Sequence[Row]) -> str:
    """A selector that finds these rows and no others; one with a name in it, if there is one.

    Empty where nothing tells them from the rest of the page.
    """
    if not rows or rows[0].flat:
        return ""
    wanted = {row.node.mem_id for row in rows}
    path, short = rows[0].node.tag or "", ""
    for up in ancestors(rows[0].node):
        if up.tag in ("body", "html"):
            break
        path = f"{_step(up)} > {path}"
        if _finds(page, path, wanted):
            if "." in path or "#" in path:
                return path
            short = short or path
    return short


def _finds(page: Page, path: str, wanted: set[int]) -> bool:
    """Whether these are found, and besides only elements without a link."""
    try:
        found = page.tree.css(path)
    except SelectolaxError:  # an element whose name no selector can say
        return False
    others = [node for node in found if node.mem_id not in wanted]
    linked = any(is_link(link) for node in others for link in node.css("a"))
    return len(found) - len(others) == len(wanted) and not linked


def _step(node: Node) -> str:
    """An element as a selector names it: tag, id, the classes that are plain names."""
    name = attribute(node, "id")
    if re.fullmatch(r"[A-Za-z_][\w-]*", name):
        return f"{node.tag}#{name}"
    classes = [c for c in attribute(node, "class").split() if re.fullmatch(r"[A-Za-z_][\w-]*", c)]
    return "".join([node.tag or "", *(f".{c}" for c in classes[:2])])
