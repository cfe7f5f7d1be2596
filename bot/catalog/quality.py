"""The catalogue's quality: what is missing, misplaced, late, due, twice or out of date.

What is older than its source by more than `history`, or was published longer ago than that, is listed
apart: importing old documents is no omission. Where the holidays of a year are not known, a term is
not guessed. What is found is kept and shown by kept.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from bot.catalog import nature
from bot.catalog.standing import Item, load
from bot.catalog.terms import clock
from bot.config import QualityPart
from bot.db import sources, units
from bot.language import Say
from bot.model import Entry
from bot.notices import close_notices_but, open_notices
from bot.office import Office
from bot.workdays import UnknownYear, office_day

RULES: Mapping[str, Say] = {
    "missing": Say("缺少必备要素"),
    "undated": Say("没有日期"),
    "dates": Say("日期矛盾"),
    "column": Say("栏目或分类不对"),
    "duplicate": Say("重复"),
    "stale": Say("栏目久未更新"),
    "overdue": Say("到期未公开"),
    "late": Say("超过时限才公开"),
    "due": Say("时限将到"),
    "uninterpreted": Say("缺少政策解读"),
    "take_down": Say("公示期满未撤下"),
    "unknown": Say("无法推算时限"),
    "history": Say("历史条目，另列"),
    "running": Say("在时限内，尚未公开"),
    "in_time": Say("按时公开"),
}
QUIET = ("history", "running", "in_time")  # told, and nobody need act
NAMED = 5  # of the entries one is alike
FIELDS: Mapping[str, Say] = {
    "title": Say("标题"),
    "publisher": Say("发布机构"),
    "index_number": Say("索引号"),
    "document_number": Say("发文字号"),
    "summary": Say("内容概述"),
    "link": Say("网址"),
}
HEADS: Mapping[str, Say] = {
    "unit": Say("单位"),
    "source_name": Say("来源"),
    "check": Say("检查"),
    "item": Say("编号"),
    "title": Say("标题"),
    "column": Say("栏目"),
    "formed": Say("成文"),
    "published": Say("公开"),
    "deadline": Say("期限"),
    "said": Say("说明"),
}


@dataclass(frozen=True)
class Row:
    """One thing found. `item` 0: a column without any entry."""

    rule: str
    unit: str
    source: str
    said: Say
    item: int = 0
    title: str = ""
    column: str = ""
    formed: date | None = None
    public: date | None = None
    deadline: date | None = None
    source_name: str = ""  # of what is read; what is looked at is kept without it

    def json(self) -> dict[str, Any]:
        """Keyed as HEADS, the rule's code beside its name."""
        return {
            "rule": self.rule,
            "unit": self.unit,
            "source": self.source,
            "source_name": self.source_name,
            "check": str(RULES[self.rule]),
            "item": self.item or None,
            "title": self.title,
            "column": self.column,
            "formed": self.formed.isoformat() if self.formed else None,
            "published": self.public.isoformat() if self.public else None,
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "said": str(self.said),
        }


# ---------------------------------------------------------------- looking


def look(
    office: Office, conn: Connection, now: datetime
) -> tuple[Mapping[str, Sequence[Row]], Counter[str]]:
    """What there is to say of each source, and how many entries stand in it."""
    every = set(conn.execute(select(units.c.id)).scalars())
    everything = load(office, conn, every)
    listed = [item for item in everything if item.listed]
    today, rules = office_day(now, office.config.tz), office.config.quality
    found = [row for item in listed for row in _of_one(office, item, today)]
    found += [row for item in everything if (row := _to_take_down(office, item, today))]
    found += _twins(listed)
    found += _stale(office, conn, every, listed, today)
    found += _uninterpreted(office, rules, listed, today)
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        by_source[row.source].append(row)
    return by_source, Counter(item.source for item in listed)


# ---------------------------------------------------------------- one entry by itself


def _of_one(office: Office, item: Item, today: date) -> Iterator[Row]:
    rules = office.config.quality
    if lacking := list(_lacking(item.entry, rules)):
        names = "、".join(str(FIELDS[name]) for name in lacking)
        yield _row("missing", item, Say("缺{names}", names=names))
    if item.formed is None and item.entry.published is None and "date" in rules.required:
        yield _row("undated", item, Say("没有成文日期，也没有发布日期"))
    if item.formed and item.public and item.formed > item.public:
        yield _row("dates", item, Say("成文日期晚于公开日期"))
    if wrong := _misplaced(item.entry, rules):
        yield _row("column", item, wrong)
    if found := clock(office.calendar, rules, item, today):
        yield _row(found.rule, item, found.said, found.deadline)


def _row(rule: str, item: Item, said: Say, deadline: date | None = None, column: str = "") -> Row:
    title, column = item.entry.title, column or item.entry.column
    whose = (rule, item.unit, item.source, said, item.id)
    return Row(*whose, title, column, item.formed, item.public, deadline)


def _lacking(entry: Entry, rules: QualityPart) -> Iterator[str]:
    for name in rules.required:
        if name == "document_number" and not nature.wants_number(entry, rules.policies):
            continue
        if name != "date" and not getattr(entry, name):
            yield name


def _misplaced(entry: Entry, rules: QualityPart) -> Say | None:
    if rules.columns and entry.column not in rules.columns:
        return (
            Say("没有“{column}”这个栏目", column=entry.column) if entry.column else Say("没有栏目")
        )
    top = entry.topic.replace("/", "\\").partition("\\")[0].strip()
    if top and rules.topics and top not in rules.topics:
        return Say("没有“{topic}”这个主题分类", topic=top)
    in_policies = any(word in entry.column for word in rules.policies)
    if in_policies and nature.tells(entry.title):
        return Say("解读放在了政策文件栏目")
    alone = replace(entry, column="")
    numbered = entry.document_number and nature.is_policy(alone, ())
    return Say("政策文件放在了解读栏目") if numbered and "解读" in entry.column else None


# ---------------------------------------------------------------- entries beside each other


def _twins(found: Iterable[Item]) -> Iterator[Row]:
    """Same title and document number at one unit; without a number, of the same day."""
    alike: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in found:
        number = nature.normal(item.entry.document_number)
        mark = number or str(item.formed or item.public or "")
        alike[item.unit, nature.normal(item.entry.title), mark].append(item)
    for same in alike.values():
        for item in same if len(same) > 1 else ():
            yield _row("duplicate", item, _alike(item, same))


def _alike(item: Item, same: Sequence[Item]) -> Say:
    """A few are named: of a thousand alike each would else name all the others."""
    few = [other for other in same[: NAMED + 1] if other is not item][:NAMED]
    others = "、".join(f"#{other.id}" for other in few)
    what = Say("标题、文号相同") if item.entry.document_number else Say("标题、日期相同")
    if len(same) <= NAMED + 1:
        return Say("与 {others} {what}", others=others, what=what)
    return Say("与 {others} 等 {n} 条{what}", others=others, n=len(same) - 1, what=what)


def _stale(
    office: Office,
    conn: Connection,
    unit_ids: Collection[int],
    found: Iterable[Item],
    today: date,
) -> Iterator[Row]:
    """Columns without a new entry for too long, and declared ones without any.

    Of a unit's sources any keeps a column alive: an archive beside the living catalogue is no fault.
    """
    newest: dict[tuple[str, str], Item] = {}
    for item in found:
        place = item.unit, item.entry.column
        if item.entry.column and (place not in newest or _day(item) > _day(newest[place])):
            newest[place] = item
    for (_unit, column), item in newest.items():
        span = _span(office.config.quality, column)
        if (idle := today - _day(item)) > span:
            said = Say("“{column}”已 {n} 天没有更新", column=column, n=idle.days)
            yield _row("stale", item, said, _day(item) + span, column)
    for unit, key in _declared(conn, unit_ids):
        part = office.config.sources.get(key)
        for column in part.columns if part else ():
            if (unit, column) not in newest:
                said = Say("“{column}”是空栏目", column=column)
                yield Row("stale", unit, key, said, column=column)


def _day(item: Item) -> date:
    return item.public or item.formed or item.seen


def _span(rules: QualityPart, column: str) -> Any:
    return next((span for word, span in rules.stale_columns.items() if word in column), rules.stale)


def _declared(conn: Connection, unit_ids: Collection[int]) -> list[tuple[str, str]]:
    query = select(units.c.key, sources.c.key.label("source")).join(
        units, units.c.id == sources.c.unit_id
    )
    query = query.where(sources.c.unit_id.in_(unit_ids), sources.c.baseline_at.is_not(None))
    return [(unit, key) for unit, key in conn.execute(query)]


def _uninterpreted(
    office: Office, rules: QualityPart, found: Sequence[Item], today: date
) -> Iterator[Row]:
    if not rules.interpretation:
        return
    told = nature.Interpretations(item.entry for item in found)
    for item in found:
        if item.public is None or not nature.is_policy(item.entry, rules.policies):
            continue
        if item.public < item.added - rules.history:
            continue
        try:
            last = office.calendar.add(item.public, rules.interpretation)
        except UnknownYear:
            continue
        if today > last and not told.speak_of(item.entry):
            said = Say("公开 {n} 个工作日后仍没有解读", n=rules.interpretation)
            yield _row("uninterpreted", item, said, last)


# ---------------------------------------------------------------- 公示


def _to_take_down(office: Office, item: Item, today: date) -> Row | None:
    rules = office.config.quality
    begins = item.public or item.formed
    if begins is None or not (item.listed or item.posted):
        return None
    if not nature.is_list_of_people(item.entry, rules.lists):
        return None
    try:
        last = nature.stands_until(item.entry, begins, office.calendar.add, rules.take_down)
    except UnknownYear as error:
        return _row("unknown", item, error.say)
    if today <= last:
        return None
    old = last < item.added - rules.history
    said = Say("公示期 {day} 届满，名单应当撤下", day=last.isoformat())
    return _row("history" if old else "take_down", item, said, last)


def remind(office: Office) -> int:
    """Tell people of the 公示 that must be taken down, and of no other any more; give how many."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        everyone = dict(conn.execute(select(units.c.key, units.c.id)).all())
        found = load(office, conn, set(everyone.values()), only="公示")
        today = office_day(now, office.config.tz)
        ended = [row for item in found if (row := _to_take_down(office, item, today))]
        told = [
            (
                now,
                f"take-down:{row.item}",
                _reminder(row),
                everyone[row.unit],
                "/quality?rule=take_down",
            )
            for row in ended
            if row.rule == "take_down"
        ]
        open_notices(conn, told)
        close_notices_but(conn, now, "take-down:", {key for _, key, *_ in told})
    return len(told)


def _reminder(row: Row) -> Say:
    return Say("“{title}”：{why}", title=row.title, why=row.said)
