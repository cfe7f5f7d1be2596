"""Search among replies, exact for two characters and more, on either database.

Every text is kept as its bigrams, in order, and a term of the query is the phrase of its own: 路灯不亮
is found as 路灯 灯不 不亮 side by side. No dictionary cuts words, so nothing is lost to a wrong cut.
Capitals, full-width letters and zero-width characters make no difference. SQLite: FTS5 without
content; PostgreSQL: a tsvector with its positions. One character is looked for in the texts
themselves, newest first. The index is written in the transaction that writes the text.

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
    RowMapping,
    Select,
    cast,
    column,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from bot.db import replies

DEPTH = 16_000
NEWEST = 5_000
_INDEX = table("reply_words", column("id"), column("words"))
_FTS = table("reply_words", column("rowid"), column("words"))

# Only what FTS5's "ascii" tokenizer and a tsvector's quotes leave whole may stand in a bigram.
_FOLD: dict[int, int | None] = {
    **{code: ord("＿") for code in (*range(0x21), 0x7F, 0xA0, 0x3000)},
    **{ord(mark): ord(mark) + 0xFEE0 for mark in string.punctuation},
    **{
        ord(letter) + 0xFEE0: ord(letter.lower()) for letter in string.digits + string.ascii_letters
    },
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFE0F, 0xFEFF)),
}


def prepare(conn: Connection) -> None:
    """Make the index where none stands."""
    for statement in _SQLITE if conn.dialect.name == "sqlite" else _POSTGRES:
        conn.exec_driver_sql(statement)


# columnsize=0: no ranking is asked for. hashsize: a bulk is sorted in memory, not in segments.
_SQLITE = (
    "create virtual table if not exists reply_words using "
    "fts5(words, content='', columnsize=0, tokenize='ascii')",
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
    conn.exec_driver_sql(statement, [(i, " ".join(bigrams(text))) for i, text in texts])


def bigrams(text: str) -> list[str]:
    """Two characters at a time, in order; blanks count as one kind of character."""
    folded = text[:DEPTH].casefold().translate(_FOLD)[:DEPTH]
    return [a + b for a, b in pairwise(folded)]


def _positions(text: str) -> str:
    return " ".join(f"'{pair}':{n}" for n, pair in enumerate(bigrams(text), 1))


# ---------------------------------------------------------------- asking


def find(
    conn: Connection, query: Select[Any], words: str, limit: int, before: int | None = None
) -> list[RowMapping]:
    """Of a select over replies, those with every one of `words`: newest first, older than `before`.

    PostgreSQL's index knows no order, so a common word would fetch thousands of rows to show fifty:
    there the newest are looked through first, and nearly always hold enough of a common word.
    """
    if conn.dialect.name != "sqlite" and (asked := _tsquery(words.split())):
        newest = _from(select(_INDEX.c.id, _INDEX.c.words), _INDEX.c.id, before).limit(NEWEST)
        some = newest.subquery()
        quick = query.join(some, some.c.id == replies.c.id).where(_holds(some.c.words, asked))
        rows = _rows(conn, _one_by_one(quick, words).order_by(some.c.id.desc()).limit(limit))
        if len(rows) == limit:
            return rows
    return _rows(conn, narrowed(conn, query, words, before).limit(limit))


def narrowed(
    conn: Connection, query: Select[Any], words: str, before: int | None = None
) -> Select[Any]:
    """Of a select over replies, those with every one of `words`, newest first, older than `before`."""
    query = _one_by_one(query, words)
    phrases = [pairs for term in words.split() if (pairs := bigrams(term))]
    if not phrases:
        return _from(query, replies.c.id, before)
    if conn.dialect.name == "sqlite":
        return _by_fts(query, phrases, before)
    return _by_tsvector(query, _tsquery(words.split()), before)


def _one_by_one(query: Select[Any], words: str) -> Select[Any]:
    """A single character is in no bigram of its own."""
    short = (term for term in words.split() if not bigrams(term))
    return query.where(*(replies.c.text.icontains(term, autoescape=True) for term in short))


def _rows(conn: Connection, query: Select[Any]) -> list[RowMapping]:
    return list(conn.execute(query).mappings())


def _from(query: Select[Any], number: ColumnElement[int], before: int | None) -> Select[Any]:
    older = query if before is None else query.where(number < before)
    return older.order_by(number.desc())


def _by_fts(query: Select[Any], phrases: list[list[str]], before: int | None) -> Select[Any]:
    asked = " AND ".join(f'"{" ".join(pairs)}"' for pairs in phrases)
    found: ColumnElement[bool] = literal_column("reply_words").op("match")(asked)
    # The sum keeps SQLite from asking the index for one reply after another.
    met = replies.c.id == _FTS.c.rowid + literal_column("0")
    return _from(query.join(_FTS, met).where(found), _FTS.c.rowid, before)


def _by_tsvector(query: Select[Any], asked: str, before: int | None) -> Select[Any]:
    """Materialised: else PostgreSQL walks all replies backwards until enough of them match."""
    hits = select(_INDEX.c.id).where(_holds(_INDEX.c.words, asked))
    found = hits.cte("hits").prefix_with("materialized")
    return _from(query.join(found, found.c.id == replies.c.id), found.c.id, before)


def _tsquery(terms: Sequence[str]) -> str:
    """Empty where no term has two characters."""
    phrases = (" <-> ".join(f"'{pair}'" for pair in bigrams(term)) for term in terms)
    return " & ".join(f"({phrase})" for phrase in phrases if phrase)


def _holds(words: ColumnElement[Any], asked: str) -> ColumnElement[bool]:
    return words.op("@@")(cast(asked, TSQUERY))
