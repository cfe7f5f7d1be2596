"""Search among replies, exact, on either database.

Every text is kept as its bigrams, in order, and a term of the query is the phrase of its own: 路灯不亮
is found as 路灯 灯不 不亮 side by side. No dictionary cuts words, so nothing is lost to a wrong cut. One
character is the beginning of a bigram: the last of a text has one with nothing after it.
Capitals, full-width letters and zero-width characters make no difference. SQLite: FTS5 without
content; PostgreSQL: a tsvector with its positions. The index is written in the transaction that
writes the text.

A text is searched to its 16,000th character: PostgreSQL counts positions to 16,383.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    cast,
    column,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from bot.db import replies

DEPTH = 16_000
NEWEST = 50_000
END = "\uffff"  # after the last character; no text has it
BLANK = "\ufffe"  # any blank; nor this
_INDEX = table("reply_words", column("id"), column("words"))
_FTS = table("reply_words", column("rowid"), column("words"))

# Only what FTS5's "ascii" tokenizer and a tsvector's quotes leave whole may stand in a bigram.
_FOLD: dict[int, int | None] = {
    **{code: ord(BLANK) for code in (*range(0x21), 0x7F, 0xA0, 0x3000)},
    **{ord(mark): ord(mark) + 0xFEE0 for mark in string.punctuation},
    **{
        ord(letter) + 0xFEE0: ord(letter.lower()) for letter in string.digits + string.ascii_letters
    },
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFE0F, 0xFEFF, 0xFFFE, 0xFFFF)),
}


def prepare(conn: Connection) -> None:
    """Make the index where none stands."""
    for statement in _SQLITE if conn.dialect.name == "sqlite" else _POSTGRES:
        conn.exec_driver_sql(statement)


# columnsize=0: no ranking is asked for. prefix: one character's replies are found in their order, however
# many. hashsize: a bulk is sorted in memory, not in segments.
_SQLITE = (
    "create virtual table if not exists reply_words using "
    "fts5(words, content='', columnsize=0, prefix='1', tokenize='ascii')",
    "insert into reply_words(reply_words, rank) values('hashsize', 8388608)",
)
# A bulk is sorted into the index when it is over: half as long to take in, 10 ms more to search till then.
_POSTGRES = (
    "create table if not exists reply_words (id bigint primary key, words tsvector not null)",
    "create index if not exists ix_reply_words on reply_words using gin (words) "
    "with (gin_pending_list_limit = 32768)",
)


def rebuild(conn: Connection) -> None:
    """Make the index anew from the replies that stand: after a restore, which brings rows only."""
    conn.exec_driver_sql("drop table if exists reply_words")
    prepare(conn)
    last = 0
    texts = select(replies.c.id, replies.c.text).order_by(replies.c.id).limit(5000)
    while some := conn.execute(texts.where(replies.c.id > last)).all():
        add(conn, [(reply, text) for reply, text in some])
        last = some[-1][0]


def owns(name: str | None) -> bool:
    """Is this table or index the index's own? Migrations leave it alone."""
    return str(name).removeprefix("ix_").startswith("reply_words")


# ---------------------------------------------------------------- writing


def add(conn: Connection, texts: Sequence[tuple[int, str]]) -> None:
    """Index texts under their replies' ids, none of which is indexed yet."""
    if not texts:
        return
    if conn.dialect.name == "sqlite":
        _each(conn, "insert into reply_words(rowid, words) values(?, ?)", texts)
        return
    words = [_positions(text) for _, text in texts]
    many = (
        "insert into reply_words select id, words::tsvector from unnest(%s::bigint[], %s::text[])"
    )
    conn.exec_driver_sql(many + " as new(id, words)", ([i for i, _ in texts], words))


def remove(conn: Connection, texts: Sequence[tuple[int, str]]) -> None:
    """Forget texts: each must be what was indexed under its id."""
    if not texts:
        return
    if conn.dialect.name == "sqlite":
        forget = "insert into reply_words(reply_words, rowid, words) values('delete', ?, ?)"
        _each(conn, forget, texts)
        return
    conn.exec_driver_sql("delete from reply_words where id = any(%s)", ([i for i, _ in texts],))


def _each(conn: Connection, statement: str, texts: Sequence[tuple[int, str]]) -> None:
    conn.exec_driver_sql(statement, [(i, " ".join(_indexed(text))) for i, text in texts])


def folded(text: str) -> str:
    """A text as it is searched; blanks count as one kind of character."""
    return text[:DEPTH].casefold().translate(_FOLD)[:DEPTH]


def _indexed(text: str) -> list[str]:
    """Two characters at a time, in order."""
    said = folded(text)
    return [a + b for a, b in pairwise(f"{said}{END}")] if said else []


def _positions(text: str) -> str:
    return " ".join(f"'{pair}':{n}" for n, pair in enumerate(_indexed(text), 1))


# ---------------------------------------------------------------- asking


def find(
    conn: Connection,
    numbers: Select[Any],
    words: str,
    limit: int,
    before: int | None = None,
    few: Select[Any] | None = None,
    after: int | None = None,
) -> list[int]:
    """Of a select of replies' numbers, those with every one of `words`, newest first; older than
    `before`, newer than `after`.

    `few`: the numbers of not too many replies, among which all of these are.
    """
    if (
        few is None
        and after is None
        and (quick := _among_newest(conn, numbers, words, before)) is not None
    ):
        found = list(conn.execute(quick.limit(limit)).scalars())
        if len(found) == limit:
            return found
    query = narrowed(conn, numbers, words, before, few, after)
    return list(conn.execute(query.limit(limit)).scalars())


def narrowed(
    conn: Connection,
    numbers: Select[Any],
    words: str,
    before: int | None = None,
    few: Select[Any] | None = None,
    after: int | None = None,
) -> Select[Any]:
    """What `find` looks for, as a select."""
    phrases = _phrases(words)
    if not phrases:
        return _from(numbers, replies.c.id, before, after)
    if conn.dialect.name == "sqlite":
        return _from(_by_fts(numbers, phrases, few), _FTS.c.rowid, before, after)
    asked = _tsquery(phrases)
    if few is not None or after is not None:
        found = numbers.join(_INDEX, _INDEX.c.id == replies.c.id).where(
            _holds(_INDEX.c.words, asked)
        )
        return _from(found, replies.c.id, before, after)
    return _by_tsvector(numbers, asked, before)


def _from(
    query: Select[Any], number: ColumnElement[int], before: int | None, after: int | None = None
) -> Select[Any]:
    older = query if before is None else query.where(number < before)
    newer = older if after is None else older.where(number > after)
    return newer.order_by(number.desc())


def _phrases(words: str) -> list[list[str]]:
    """Each term as its bigrams; one character as itself."""
    terms = filter(None, map(folded, words.split()))
    return [[a + b for a, b in pairwise(term)] or [term] for term in terms]


def _by_fts(numbers: Select[Any], phrases: list[list[str]], few: Select[Any] | None) -> Select[Any]:
    asked = " AND ".join(f'"{" ".join(pairs)}"{_begins(pairs)}' for pairs in phrases)
    found: ColumnElement[bool] = literal_column("reply_words").op("match")(asked)
    # The sum keeps SQLite from asking the index for one reply after another.
    number = _FTS.c.rowid + literal_column("0")
    query = numbers.join(_FTS, replies.c.id == number).where(found)
    return query if few is None else query.where(number.in_(few))


def _begins(pairs: list[str]) -> str:
    return "*" if len(pairs[0]) == 1 else ""


def _among_newest(
    conn: Connection, numbers: Select[Any], words: str, before: int | None
) -> Select[Any] | None:
    """PostgreSQL's index knows no order, so a common word would fetch thousands of rows to show fifty:
    there the newest are looked through first, and nearly always hold enough of a common word."""
    phrases = _phrases(words)
    if conn.dialect.name == "sqlite" or not phrases:
        return None
    newest = _from(select(_INDEX.c.id, _INDEX.c.words), _INDEX.c.id, before).limit(NEWEST)
    some = newest.subquery()
    query = numbers.join(some, some.c.id == replies.c.id)
    return query.where(_holds(some.c.words, _tsquery(phrases))).order_by(some.c.id.desc())


def _by_tsvector(numbers: Select[Any], asked: str, before: int | None) -> Select[Any]:
    """Found first, then asked for one by one, the newest first: left to itself PostgreSQL would walk
    all replies, in either way."""
    hits = select(_INDEX.c.id).where(_holds(_INDEX.c.words, asked))
    held = hits.cte("hits").prefix_with("materialized")
    found = _from(select(held.c.id), held.c.id, before).subquery()
    mine = numbers.where(replies.c.id == found.c.id).correlate(found).offset(0).lateral()
    return select(found.c.id).join(mine, true()).order_by(found.c.id.desc())


def _tsquery(phrases: list[list[str]]) -> str:
    return " & ".join(
        "(" + " <-> ".join(f"'{pair}'{':*' * (len(pair) == 1)}" for pair in pairs) + ")"
        for pairs in phrases
    )


def _holds(words: ColumnElement[Any], asked: str) -> ColumnElement[bool]:
    return words.op("@@")(cast(asked, TSQUERY))
