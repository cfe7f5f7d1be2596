"""One box for everything: posts, entries, replies, accounts, people, sources, by words or by number.

Of each kind the newest few of the units that are read, and how many there are, counted up to CAP. What
is named exactly (a document number, the number of a post or a delivery) is gone straight to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, Select, Table, select

from bot import catalog, naming, roster
from bot.collect import log
from bot.db import accounts, deliveries, items, posts, sources, units
from bot.language import Say
from bot.text import document_key

CAP = 1000  # beyond so many the exact figure helps nobody and costs a scan
NAMES: Mapping[str, Say] = {
    "numbers": Say("编号"),
    "deliveries": Say("投递"),
    "posts": Say("稿件"),
    "items": Say("目录条目"),
    "replies": Say("评论"),
    "accounts": Say("账号"),
    "people": Say("人员"),
    "sources": Say("来源"),
}


@dataclass(frozen=True)
class Hit:
    """One thing found. `id` as its page and the command line name it; `state` as its table has it."""

    of: str
    id: int | str
    title: str
    place: str
    state: str = ""
    note: str = ""
    at: Any = None


@dataclass(frozen=True)
class Group:
    """Of one kind: the first hits, how many there are, and the page that lists them all."""

    of: str
    hits: tuple[Hit, ...]
    count: int
    place: str

    @property
    def capped(self) -> bool:
        return self.count >= CAP


def find(
    conn: Connection, scope: set[int], words: str, *, most: int = 5, of: str = ""
) -> list[Group]:
    """What there is of it in the units that are read, kind by kind; kinds without a hit left out."""
    words = " ".join(words.split())[:100]
    if not words or not scope:
        return []
    asked = [(name, look) for name, look in LOOKS.items() if of in ("", name)]
    found = (look(conn, scope, words, most) for _, look in asked)
    return [group for group in found if group.hits]


def straight(conn: Connection, scope: set[int], words: str) -> str:
    """The page of the one thing that `words` name exactly; empty where none or several are."""
    words = " ".join(words.split())[:100]
    if not words or not scope:
        return ""
    hits = _numbered(conn, scope, words) or _documents(conn, scope, words)
    return hits[0].place if len(hits) == 1 else ""


# ---------------------------------------------------------------- by number

_NUMBER = re.compile(
    r"(?:(稿件|post|投递|delivery)\s*)?(?:编号\s*)?[#＃]?\s*(\d{1,15})", re.I | re.A
)
_KINDS = {"稿件": "posts", "post": "posts", "投递": "queue", "delivery": "queue"}


def _numbered(conn: Connection, scope: set[int], words: str) -> list[Hit]:
    """The post and the delivery of a number: both, where it does not say which."""
    asked = _NUMBER.fullmatch(words)
    if asked is None:
        return []
    kind = _KINDS.get((asked[1] or ("post" if "#" in words else "")).lower(), "")
    made = [
        _post(conn, scope, int(asked[2])) if kind in ("", "posts") else None,
        _delivery(conn, scope, int(asked[2])) if kind in ("", "queue") else None,
    ]
    return [hit for hit in made if hit]


def _post(conn: Connection, scope: set[int], number: int) -> Hit | None:
    row = conn.execute(_posts(scope).where(posts.c.id == number)).mappings().first()
    return _post_hit(row) if row else None


def _delivery(conn: Connection, scope: set[int], number: int) -> Hit | None:
    named = accounts.c.name.label("account")
    query = select(deliveries.c.id, deliveries.c.state, posts.c.title, named, deliveries.c.go_at)
    query = query.join(posts, posts.c.id == deliveries.c.post_id)
    query = query.join(accounts, accounts.c.id == deliveries.c.account_id)
    mine = deliveries.c.id == number, posts.c.unit_id.in_(scope)
    row = conn.execute(query.where(*mine)).mappings().first()
    if row is None:
        return None
    more = (row["state"], row["account"], row["go_at"])
    return Hit("deliveries", row["id"], row["title"], f"/queue/{row['id']}", *more)


def _documents(conn: Connection, scope: set[int], words: str) -> list[Hit]:
    """The entries of a document number."""
    exact = items.c.document_number == document_key(words)
    rows = conn.execute(_items(scope).where(exact).limit(2)).mappings()
    return [_item_hit(row) for row in rows]


def _numbers(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    hits = tuple(_numbered(conn, scope, words))
    return Group("numbers", hits, len(hits), "")


# ---------------------------------------------------------------- by words


def _posts(scope: set[int]) -> Select[Any]:
    columns = (posts.c[name] for name in ("id", "title", "state", "changed_at"))
    named = select(*columns, units.c.name.label("unit")).join(units, units.c.id == posts.c.unit_id)
    return named.where(posts.c.unit_id.in_(scope))


def _post_hit(row: Mapping[Any, Any]) -> Hit:
    more = (row["state"], row["unit"], row["changed_at"])
    return Hit("posts", row["id"], row["title"], f"/posts/{row['id']}", *more)


def _in_posts(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    mine = posts.c.unit_id.in_(scope), posts.c.title.contains(words, autoescape=True)
    ids = _newest(conn, posts, select(posts.c.id).where(*mine))
    rows = conn.execute(_posts(scope).where(posts.c.id.in_(ids[:most]))).mappings()
    return _listed("posts", map(_post_hit, _in_order(rows)), len(ids), words)


def _items(scope: set[int]) -> Select[Any]:
    columns = (items.c[name] for name in ("id", "title", "state", "column", "published"))
    named = select(*columns, naming.source_name.label("source")).join(sources)
    return named.where(sources.c.unit_id.in_(scope))


def _item_hit(row: Mapping[Any, Any]) -> Hit:
    note = " · ".join(filter(None, (row["source"], row["column"])))
    more = (row["state"], note, row["published"])
    return Hit("items", row["id"], row["title"], f"/items/{row['id']}", *more)


def _in_items(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    wanted = catalog.narrowed(select(items.c.id), scope, words=words)
    ids = _newest(conn, items, wanted)
    rows = conn.execute(_items(scope).where(items.c.id.in_(ids[:most]))).mappings()
    return _listed("items", map(_item_hit, _in_order(rows)), len(ids), words)


def _in_replies(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    ids = log.numbers(conn, scope, words=words, limit=CAP)
    return _listed("replies", map(_reply_hit, log.rows(conn, ids[:most])), len(ids), words)


def _reply_hit(row: Mapping[Any, Any]) -> Hit:
    note = " · ".join(filter(None, (row["author_name"], row["account_name"])))
    return Hit(
        "replies", row["id"], row["text"], f"/replies/{row['id']}", row["state"], note, row["at"]
    )


def _newest(conn: Connection, of: Table, wanted: Select[Any]) -> list[int]:
    """Their numbers, the newest first, CAP at most: one walk for both the rows and the figure.

    The sum keeps SQLite on the index of titles: a word that is rare costs no walk of whole rows.
    """
    return list(conn.execute(wanted.order_by((of.c.id + 0).desc()).limit(CAP)).scalars())


def _in_order(rows: Iterable[Mapping[Any, Any]]) -> list[Mapping[Any, Any]]:
    return sorted(rows, key=lambda row: -int(row["id"]))


# ---------------------------------------------------------------- what an office has few of


def _in_accounts(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    query = select(accounts).where(accounts.c.unit_id.in_(scope)).order_by(accounts.c.id)
    hits = [
        Hit(
            *("accounts", row["key"], row["name"] or row["key"]),
            *(f"/accounts/{quote(row['key'], '')}", row["state"], row["identity_name"]),
        )
        for row in conn.execute(query).mappings()
        if _holds(words, row["name"], row["key"], row["identity_name"])
    ]
    return _few("accounts", hits, words, most)


def _in_people(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    """Those with a role at one of the units."""
    hits = [
        Hit(
            *("people", one["login"], one["name"], f"/people/{quote(one['login'], '')}"),
            *(one["state"], one["login"]),
        )
        for one in roster.persons(conn)
        if _holds(words, one["name"], one["login"]) and roster.within(one, scope)
    ]
    return _few("people", hits, words, most)


def _in_sources(conn: Connection, scope: set[int], words: str, most: int) -> Group:
    mine = sources.c.unit_id.in_(scope), sources.c.kind != catalog.HAND
    rows = conn.execute(select(sources).where(*mine).order_by(sources.c.id)).mappings()
    hits = [
        Hit(
            *("sources", row["key"], naming.called(row), f"/sources/{quote(row['key'], '')}"),
            *(row["state"], row["url"]),
        )
        for row in rows
        if _holds(words, naming.called(row), row["key"], row["url"])
    ]
    return _few("sources", hits, words, most)


def _holds(words: str, *texts: str) -> bool:
    """Does each word stand in one of the texts, whatever its case?"""
    folded = " ".join(texts).casefold()
    return all(word in folded for word in words.casefold().split())


def _few(of: str, hits: list[Hit], words: str, most: int) -> Group:
    place = f"/search?{urlencode({'q': words, 'of': of})}"
    return Group(of, tuple(hits[:most]), len(hits), place)


def _listed(of: str, hits: Iterable[Hit], count: int, words: str) -> Group:
    return Group(of, tuple(hits), count, f"/{of}?{urlencode({'q': words})}")


LOOKS: Mapping[str, Callable[[Connection, set[int], str, int], Group]] = {
    "numbers": _numbers,
    "posts": _in_posts,
    "items": _in_items,
    "replies": _in_replies,
    "accounts": _in_accounts,
    "people": _in_people,
    "sources": _in_sources,
}
