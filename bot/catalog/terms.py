"""The clock of 主动公开: from the day a document was formed to the day it is public.

20 working days (政府信息公开条例 art. 26), 7 for decisions on licences and penalties
(国办发〔2018〕118号), the day itself not counted. A term that runs into a year whose holidays are not
known is not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bot.catalog.nature import kind_of_decision
from bot.catalog.standing import Item
from bot.config import QualityPart
from bot.language import Say
from bot.workdays import Calendar, UnknownYear

LONG = timedelta(days=400)  # beyond it working days are not worth counting


@dataclass(frozen=True)
class Clock:
    """What a rule of quality.RULES says of an entry's term."""

    rule: str
    said: Say
    deadline: date | None = None


def clock(calendar: Calendar, rules: QualityPart, item: Item, today: date) -> Clock | None:
    """In time, late, running, due, overdue, history or unknown; None without a day it was formed."""
    if item.formed is None or (item.public and item.public < item.formed):
        return None
    kind = kind_of_decision(item.entry, rules.terms)
    term = rules.terms.get(kind, rules.days)
    ends = item.public or today
    taken = _count(calendar, item.formed, ends)
    if item.public and taken is not None and taken <= term:
        said = Say("第 {n} 个工作日公开，期限 {term} 个", n=taken, term=term)
        return Clock("in_time", said, _add(calendar, item.formed, term))
    if _is_history(rules, item, today):
        return Clock("history", _old(item))
    last = _add(calendar, item.formed, term)
    if last is None:
        said = Say("{year} 年前后的放假安排没有录入，推算不出期限", year=item.formed.year)
        return Clock("unknown", said)
    if item.public:
        return Clock("late", _after(taken, term), last)
    return _open(calendar, rules, last, today)


def _open(calendar: Calendar, rules: QualityPart, last: date, today: date) -> Clock:
    """Not public yet."""
    left = _count(calendar, today, last)
    if today > last:
        over = -left if left is not None else (today - last).days
        return Clock("overdue", Say("期限已过 {n} 个工作日，仍未公开", n=over), last)
    if left is None:
        return Clock("running", Say("尚在期限内"), last)
    said = Say("还剩 {n} 个工作日", n=left) if left else Say("期限就在今天")
    return Clock("due" if left <= rules.warn else "running", said, last)


def _is_history(rules: QualityPart, item: Item, today: date) -> bool:
    """Formed well before the source was added, or published long ago: nobody can mend that now."""
    before = item.formed is not None and item.formed < item.added - rules.history
    return before or (item.public is not None and item.public < today - rules.history)


def _old(item: Item) -> Say:
    if item.public is None:
        return Say("成文于接入来源之前很久，不计时限")
    return Say(
        "成文后 {n} 天公开，均在很久以前，不计时限",
        n=(item.public - (item.formed or item.public)).days,
    )


def _after(taken: int | None, term: int) -> Say:
    if taken is None:
        return Say("超过期限才公开，期限 {term} 个工作日", term=term)
    return Say("第 {n} 个工作日才公开，期限 {term} 个", n=taken, term=term)


def _count(calendar: Calendar, start: date, end: date) -> int | None:
    """Working days from one day to another; None where they are not known, or too many."""
    if abs(end - start) > LONG:
        return None
    try:
        return calendar.count(start, end)
    except UnknownYear:
        return None


def _add(calendar: Calendar, day: date, n: int) -> date | None:
    try:
        return calendar.add(day, n)
    except UnknownYear:
        return None
