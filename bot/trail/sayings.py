"""An entry of the trail in words: what it is about and its details, with the names of today.

An entry holds codes and numbers. What they are called is looked up where it is shown, for a page of
entries in one statement a kind; of a unit that is not read there it is the number alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, Select, func, literal, null, select

from bot import naming
from bot.db import (
    accounts,
    deliveries,
    items,
    people,
    posts,
    replies,
    revisions,
    sources,
    standings,
    units,
)
from bot.language import Say
from bot.office import Office
from bot.people import ROLE_WORDS
from bot.tokens import SCOPE_WORDS
from bot.trail.words import ABOUT, ERASED, OUTCOMES, SIGNED, VERBS

LONGEST = 200  # characters of one detail


class Ref(NamedTuple):
    """Something an entry names by its number or key."""

    kind: str
    id: int | str


Piece = Ref | str | Say
Pieces = Sequence[Piece]


@dataclass(frozen=True)
class Part:
    """Words, and the page they lead to; empty where they lead nowhere."""

    words: str
    place: str = ""


@dataclass(frozen=True)
class Detail:
    """“时间：10:00 → 11:00”: `was` is empty where nothing is said of before."""

    label: Say
    now: tuple[Part, ...]
    was: tuple[Part, ...] = ()

    def __str__(self) -> str:
        said = [str(Say("、")).join(part.words for part in side) for side in (self.was, self.now)]
        return f"{self.label}{' → '.join(each for each in said if each)}"


@dataclass(frozen=True)
class Entry:
    """A row of the trail, and what it says."""

    row: RowMapping
    act: str
    about: Detail
    details: tuple[Detail, ...]


def entries(
    office: Office, conn: Connection, rows: Iterable[RowMapping], scope: Collection[int] | None
) -> list[Entry]:
    """These rows in words. `scope`: the units whose titles are read; None: all."""
    drawn = [(row, _about(row["subject"]), _drawn(row["data"], office.config.tz)) for row in rows]
    refs = {ref for _, about, said in drawn for ref in _refs([about, *said])}
    known = _known(office, conn, refs, scope)
    return [
        Entry(row, _act(row["verb"]), _told(about, known), tuple(_told(one, known) for one in said))
        for row, about, said in drawn
    ]


def _act(verb: str) -> str:
    return str(VERBS.get(verb, verb))


# ---------------------------------------------------------------- reading an entry


class Drawn(NamedTuple):
    label: Say
    now: Pieces
    was: Pieces = ()


Reading = Callable[[Any, tzinfo], Pieces]


def _about(subject: str) -> Drawn:
    kind, _, of = subject.partition(":")
    label = ABOUT.get(kind, Say("{name}：", name=kind))
    return Drawn(label, [Ref(kind, int(of) if _whole(of) else of)] if of else [])


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _plain(value: Any, zone: tzinfo) -> Pieces:
    if isinstance(value, list):
        return [str(each)[:LONGEST] for each in value]
    return [str(value)[:LONGEST]]


def _short(value: Any, zone: tzinfo) -> Pieces:
    """A digest: enough of it to tell it from another."""
    return [str(value)[:12]]


def _time(value: Any, zone: tzinfo) -> Pieces:
    if not value:
        return [Say("未定")]
    try:
        return [f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%d %H:%M}"]
    except (TypeError, ValueError, OverflowError):
        return _plain(value, zone)


def _ref(kind: str) -> Reading:
    """By number; a key of the same kind of thing is one too."""
    return lambda value, zone: [
        Ref(kind, each) if isinstance(each, int | str) else str(each)
        for each in (value if isinstance(value, list) else [value])
    ]


def _word(words: Mapping[Any, Say]) -> Reading:
    return lambda value, zone: [
        words.get(each, str(each)) if isinstance(each, str) else str(each)
        for each in (value if isinstance(value, list) else [value])
    ]


def _count(sentence: Say) -> Reading:
    return lambda value, zone: [Say(sentence.text, n=value)]


def _by(value: Any, zone: tzinfo) -> Pieces:
    """By which post, or by when."""
    return [Ref("post", value)] if isinstance(value, int) else _time(value, zone)


def _person(value: Any, zone: tzinfo) -> Pieces:
    return [Say("无人")] if value is None else _ref("person")(value, zone)


def _subject(value: Any, zone: tzinfo) -> Pieces:
    """Of a notice: “account:3”."""
    return _about(str(value)).now or [str(value)]


FIELDS: Mapping[str, tuple[Say, Reading]] = {
    "account": (Say("账号："), _ref("account")),
    "accounts": (Say("账号："), _ref("account")),
    "at": (Say("期次："), _time),
    "attempt": (Say("尝试："), _plain),
    "backup": (Say("备份摘要："), _short),
    "before": (Say("原为："), _time),
    "begins": (Say("起："), _time),
    "behalf": (Say("代谁："), _ref("person")),
    "by": (Say("由此："), _by),
    "changed": (Say("内容有变："), _count(Say("{n} 条"))),
    "days": (Say("值班："), _person),
    "delegation": (Say("代签："), _ref("delegation")),
    "digest": (Say("摘要："), _short),
    "ended": (Say("结束登录："), _count(Say("{n} 处"))),
    "ends": (Say("止："), _time),
    "file": (Say("文件摘要："), _short),
    "filters": (Say("筛选："), _plain),
    "giver": (Say("代谁："), _ref("person")),
    "head": (Say("留痕恢复到："), _count(Say("第 {n} 条"))),
    "hold": (Say("停发："), _ref("hold")),
    "identity": (Say("平台身份："), _plain),
    "instead_of": (Say("原身份："), _plain),
    "key": (Say("关于："), _subject),
    "kind": (Say("方式："), _word(SIGNED)),
    "new": (Say("新增："), _count(Say("{n} 条"))),
    "number": (Say("版本："), _count(Say("第 {n} 版"))),
    "occurrence": (Say("期次："), _plain),
    "outcome": (Say("结果："), _word(OUTCOMES)),
    "post": (Say("稿件："), _ref("post")),
    "own": (Say("本账号："), _plain),
    "posts": (Say("转发稿："), _ref("post")),
    "reason": (Say("事由："), _word(ERASED)),
    "remote_id": (Say("平台编号："), _plain),
    "replaced": (Say("换下的留痕到："), _count(Say("第 {n} 条"))),
    "revision": (Say("版本："), _ref("revision")),
    "role": (Say("角色："), _word(ROLE_WORDS)),
    "rows": (Say("共："), _count(Say("{n} 条"))),
    "scopes": (Say("范围："), _word(SCOPE_WORDS)),
    "secrets": (Say("重新加密："), _count(Say("{n} 条"))),
    "since": (Say("起："), _plain),
    "source": (Say("来源："), _ref("source")),
    "state": (Say("状态："), _plain),
    "step": (Say("审次："), _plain),
    "steps": (Say("审次："), _plain),
    "subject": (Say("对象："), _plain),
    "taker": (Say("代签人："), _ref("person")),
    "to": (Say("改为："), _time),
    "token": (Say("令牌："), _plain),
    "unit": (Say("单位："), _ref("unit")),
    "unanswered": (Say("未答复："), _plain),
    "until": (Say("止："), _time),
    "verb": (Say("动作："), _word(VERBS)),
    "verdict": (Say("结论："), _word({v: VERBS[f"post.{v}"] for v in ("pass", "return", "refer")})),
    "waiting": (Say("待复核："), _count(Say("{n} 条"))),
    "who": (Say("谁："), _plain),
    "words": (Say("词语摘要："), _short),
}
CHANGES: Mapping[tuple[str, str], tuple[Say, Reading]] = {  # before → after
    ("before", "to"): (Say("时间："), _time),
    ("before", "digest"): (Say("内容摘要："), _short),
    ("instead_of", "identity"): (Say("平台身份："), _plain),
}


def _pairs(data: Any) -> list[tuple[str, Any]]:
    """What an entry holds; whatever else stands there was not written by us, and is left out."""
    return [(str(k), v) for k, v in data.items()] if isinstance(data, Mapping) else []


def _drawn(data: Any, zone: tzinfo) -> list[Drawn]:
    left, found = dict(_pairs(data)), []
    for (was, now), (label, read) in CHANGES.items():
        if was in left and now in left:
            before, after = left.pop(was), left.pop(now)
            found.append(Drawn(label, read(after, zone), read(before, zone)))
    return found + [one for key, value in left.items() for one in _field(key, value, zone)]


def _field(key: str, value: Any, zone: tzinfo) -> list[Drawn]:
    """A value in words; of several by name (days, filters) each by its own."""
    label, read = FIELDS.get(key, (Say("{name}：", name=key), _plain))
    if not isinstance(value, Mapping):
        return [Drawn(label, read(value, zone))]
    of = [
        (FIELDS.get(name, (Say("{name}：", name=name), read)), each)
        for name, each in sorted(_pairs(value))
    ]
    return [Drawn(Say("{a}{b}", a=label, b=name), how(each, zone)) for (name, how), each in of]


def _refs(drawn: Iterable[Drawn]) -> Iterable[Ref]:
    return (piece for one in drawn for piece in (*one.was, *one.now) if isinstance(piece, Ref))


def _told(drawn: Drawn, known: Mapping[Ref, Part]) -> Detail:
    def parts(pieces: Pieces) -> tuple[Part, ...]:
        return tuple(known[p] if isinstance(p, Ref) else Part(str(p)) for p in pieces)

    return Detail(drawn.label, parts(drawn.now), parts(drawn.was))


# ---------------------------------------------------------------- what things are called


class Named(NamedTuple):
    """How a kind is looked up: rows of id, key, name, unit; NULL as unit: no unit's secret."""

    query: Select[Any]
    place: str = ""
    numbered: bool = False  # people know it by its number, too


def _of(table: Any, name: Any, unit: Any, key: Any = None) -> Select[Any]:
    return select(table.c.id, (literal("") if key is None else key), name, unit)


_ACCOUNT = func.coalesce(func.nullif(accounts.c.name, ""), accounts.c.key)
NAMED: Mapping[str, Named] = {
    "account": Named(
        _of(accounts, _ACCOUNT, accounts.c.unit_id, accounts.c.key), "/accounts#account-{id}"
    ),
    "delivery": Named(
        _of(deliveries, posts.c.title + " · " + _ACCOUNT, posts.c.unit_id).select_from(
            deliveries.join(posts, posts.c.id == deliveries.c.post_id).join(accounts)
        ),
        "/queue/{id}",
        numbered=True,
    ),
    "item": Named(
        _of(items, items.c.title, sources.c.unit_id).select_from(items.join(sources)),
        "/items/{id}",
        numbered=True,
    ),
    "person": Named(_of(people, people.c.name, null(), people.c.login), "/people/by-id/{id}"),
    "post": Named(_of(posts, posts.c.title, posts.c.unit_id), "/posts/{id}", numbered=True),
    "reply": Named(
        _of(replies, literal(""), accounts.c.unit_id).select_from(replies.join(accounts)),
        "/replies/{id}",
        numbered=True,
    ),
    "source": Named(
        _of(sources, naming.source_name, sources.c.unit_id, sources.c.key), "/sources#source-{id}"
    ),
    "standing": Named(
        _of(standings, naming.source_name, standings.c.unit_id).select_from(
            standings.join(sources)
        ),
        "/standings/{id}",
        numbered=True,
    ),
    "unit": Named(_of(units, units.c.name, null(), units.c.key)),
}
OPEN = {"account", "source", "unit", "person"}  # named to whoever reads the trail


def _known(
    office: Office, conn: Connection, refs: Collection[Ref], scope: Collection[int] | None
) -> dict[Ref, Part]:
    """What each is called, and where it is shown."""
    known = {ref: _by_key(office, ref) for ref in refs}
    wanted: dict[str, list[Ref]] = defaultdict(list)
    for ref in refs:
        wanted[ref.kind].append(ref)
    for kind in wanted.keys() & NAMED.keys():
        known |= _looked_up(conn, kind, wanted[kind], scope)
    return known | _versions(conn, wanted["revision"], scope)


def _looked_up(
    conn: Connection, kind: str, refs: Sequence[Ref], scope: Collection[int] | None
) -> dict[Ref, Part]:
    how = NAMED[kind]
    found: dict[Ref, Part] = {}
    number, key, *_ = how.query.selected_columns
    ids, keys = ([r.id for r in refs if isinstance(r.id, t)] for t in (int, str))
    for id_, key_, name, unit in conn.execute(how.query.where(number.in_(ids) | key.in_(keys))):
        reads = scope is None or unit is None or unit in scope
        name = name if reads or kind in OPEN else ""
        words = " ".join(filter(None, (str(id_) if how.numbered else "", name))) or str(id_)
        part = Part(words, how.place.format(id=id_) if reads else "")
        found |= {ref: part for ref in (Ref(kind, id_), Ref(kind, key_)) if ref in refs}
    return found


def _versions(
    conn: Connection, refs: Sequence[Ref], scope: Collection[int] | None
) -> dict[Ref, Part]:
    query = select(revisions.c.id, revisions.c.post_id, revisions.c.number, posts.c.unit_id)
    mine = query.join(posts, posts.c.id == revisions.c.post_id)
    found: dict[Ref, Part] = {}
    for id_, post, number, unit in conn.execute(
        mine.where(revisions.c.id.in_([ref.id for ref in refs]))
    ):
        place = f"/posts/{post}/revisions/{number}" if scope is None or unit in scope else ""
        found[Ref("revision", id_)] = Part(str(Say("第 {n} 版", n=number)), place)
    return found


def _by_key(office: Office, ref: Ref) -> Part:
    """What has no row, or whose row is gone: by its key or number."""
    key = str(ref.id)
    if ref.kind == "schedule":
        return Part(naming.of_schedule(office.config, key), "/schedules")
    if ref.kind == "template":
        name = naming.of_template(office.config, key)
        return Part(name, f"/settings/templates/{quote(key, safe='')}")
    place = PLACES.get(ref.kind, "").format(id=quote(key, safe=""))
    return Part("" if ref.kind == "office" else key, place)


PLACES = {
    "delegation": "/me/delegation",
    "hold": "/stop#hold-{id}",
    "leaders": "/settings/words#leaders",
    "words": "/settings/words?list={id}",
}
