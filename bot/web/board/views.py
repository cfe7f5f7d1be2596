"""What the public pages show, each gathered in a handful of queries however much stands there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from bot.db import board_posts, board_replies
from bot.web.board import store

POSTS = 20  # on the front page
REPLIES = 50  # on a page of a thread
LATEST = 2  # replies under each post of the front page
LATER = 10  # posts that lead to one
DEEPEST = 10  # answers to answers that are followed
FOUND = 30  # of a search
SEARCHED = 200_000  # the newest replies; a search is a scan, and anybody may ask for one
SCREENS = 12  # posts a lobby's screen turns through


@dataclass(frozen=True)
class Reply:
    """A visitor's reply, the office's answers to it, and the name of the reply it is to."""

    row: RowMapping
    answers: tuple[RowMapping, ...]
    to: RowMapping | None = None


@dataclass(frozen=True)
class Post:
    """A post of the front page with what was said under it."""

    row: RowMapping
    replies: int
    answered: int
    latest: tuple[Reply, ...]


@dataclass(frozen=True)
class Front:
    posts: tuple[Post, ...]
    older: str  # where the next page begins; empty at the end


@dataclass(frozen=True)
class Thread:
    """A post, one page of its replies, and the office's own additions under it. `later`: what was
    published after it and leads to it, as a correction does."""

    post: RowMapping
    later: tuple[RowMapping, ...]
    additions: tuple[RowMapping, ...]
    replies: tuple[Reply, ...]
    shown: int
    page: int
    pages: int


@dataclass(frozen=True)
class Found:
    """What a search found, the newest first. `more`: there is more; `recent`: of late replies only."""

    posts: tuple[RowMapping, ...]
    replies: tuple[RowMapping, ...]
    more: bool
    recent: bool


@dataclass(frozen=True)
class Screen:
    """One post on a lobby's screen: the `number`th of `count`, with a question and its answer."""

    post: RowMapping | None
    number: int
    count: int
    exchange: Reply | None

    @property
    def room(self) -> int:
        """How many characters of the post there is room for."""
        picture = self.post is not None and bool(self.post["payload"]["media"])
        return 240 - (90 if picture else 0) - (50 if self.exchange else 0)

    @property
    def seconds(self) -> int:
        """How long it stands, for those who read eight characters a second."""
        return 15 + (min(self.room, len(self.post["text"])) // 8 if self.post else 0)


def front(conn: Connection, before: str) -> Front:
    """The posts older than `before` (empty: the newest). Raises Problem 404."""
    rows = _posts(conn, before, POSTS + 1)
    more = rows[POSTS - 1]["public_id"] if len(rows) > POSTS else ""
    rows = rows[:POSTS]
    ids = [row["id"] for row in rows]
    counts, answered = _counts(conn, ids), _answered(conn, ids)
    latest = _latest(conn, ids)
    posts = (
        Post(row, counts.get(row["id"], 0), answered.get(row["id"], 0), tuple(latest[row["id"]]))
        for row in rows
    )
    return Front(tuple(posts), more)


def newest(conn: Connection, limit: int) -> Sequence[RowMapping]:
    """Posts for the feeds, withdrawn ones too, the newest first."""
    return _posts(conn, "", limit)


def _posts(conn: Connection, before: str, limit: int) -> Sequence[RowMapping]:
    rows = select(board_posts).where(board_posts.c.root_id.is_(None))
    if before:
        rows = rows.where(board_posts.c.id < store.by_id(conn, before)["id"])
    return conn.execute(rows.order_by(board_posts.c.id.desc()).limit(limit)).mappings().all()


def _counts(conn: Connection, posts: Sequence[int]) -> dict[int, int]:
    mine = board_replies.c.board_post_id.in_(posts), board_replies.c.state == store.SHOWN
    counted = select(board_replies.c.board_post_id, func.count()).where(*mine)
    return {post: n for post, n in conn.execute(counted.group_by(board_replies.c.board_post_id))}


def _answered(conn: Connection, posts: Sequence[int]) -> dict[int, int]:
    """How many of each post's shown replies have an answer that stands."""
    counted = (
        select(board_posts.c.root_id, func.count(board_replies.c.id.distinct()))
        .join(board_replies, board_replies.c.public_id == board_posts.c.in_reply_to)
        .where(board_posts.c.root_id.in_(posts), board_posts.c.withdrawn_at.is_(None))
        .where(board_replies.c.state == store.SHOWN)
        .group_by(board_posts.c.root_id)
    )
    return {post: n for post, n in conn.execute(counted)}


def _latest(conn: Connection, posts: Sequence[int]) -> Mapping[int, list[Reply]]:
    """The newest shown replies of each post, in the order they were said."""
    rank = (
        func.row_number()
        .over(partition_by=board_replies.c.board_post_id, order_by=board_replies.c.id.desc())
        .label("rank")
    )
    mine = board_replies.c.board_post_id.in_(posts), board_replies.c.state == store.SHOWN
    ranked = select(board_replies, rank).where(*mine).subquery()
    newest = select(ranked).where(ranked.c.rank <= LATEST).order_by(ranked.c.id)
    found: dict[int, list[Reply]] = defaultdict(list)
    for reply in _dressed(conn, conn.execute(newest).mappings().all()):
        found[reply.row["board_post_id"]].append(reply)
    return found


def thread(conn: Connection, public_id: str, page: int, at: str) -> Thread:
    """The thread `public_id` (a post, or an answer in it) stands in; the page that holds reply `at`.

    Raises Problem 404.
    """
    post = thread_root(conn, public_id)
    if post["public_id"] != public_id:
        at = store.by_id(conn, public_id)["in_reply_to"]
    public = board_replies.c.board_post_id == post["id"], board_replies.c.change.is_not(None)
    count = conn.execute(
        select(func.count()).select_from(board_replies).where(*public)
    ).scalar_one()
    pages = max(1, -(-count // REPLIES))
    page = min(max(1, _page_of(conn, post, at) or page), pages)
    rows = select(board_replies).where(*public).order_by(board_replies.c.id)
    shown = conn.execute(rows.offset((page - 1) * REPLIES).limit(REPLIES)).mappings().all()
    additions = _answers(conn, [post["public_id"]]).get(post["public_id"], ())
    replies = tuple(_dressed(conn, shown))
    later = tuple(_later(conn, post))
    return Thread(post, later, tuple(additions), replies, _shown(conn, post), page, pages)


def _later(conn: Connection, post: RowMapping) -> Sequence[RowMapping]:
    mine = board_posts.c.about_id == post["id"], board_posts.c.id > post["id"]
    standing = board_posts.c.withdrawn_at.is_(None), board_posts.c.in_reply_to == ""
    query = select(board_posts).where(*mine, *standing).order_by(board_posts.c.id).limit(LATER)
    return conn.execute(query).mappings().all()


# ---------------------------------------------------------------- found, and on a wall


def search(conn: Connection, words: str) -> Found:
    """What holds every one of `words`: posts and answers in title or text, replies in text."""
    terms = words.split()
    if not terms:
        return Found((), (), False, False)
    standing = select(board_posts).where(board_posts.c.withdrawn_at.is_(None))
    said = board_posts.c.title + "\n" + board_posts.c.text
    posts = standing.where(*_holding(said, terms)).order_by(board_posts.c.id.desc())
    last = conn.execute(select(func.max(board_replies.c.id))).scalar() or 0
    recent = board_replies.c.id > last - SEARCHED, board_replies.c.state == store.SHOWN
    replies = select(board_replies, board_posts.c.public_id.label("under"), board_posts.c.payload)
    replies = replies.join(board_posts, board_posts.c.id == board_replies.c.board_post_id)
    replies = replies.where(board_posts.c.withdrawn_at.is_(None), *recent)
    replies = replies.where(*_holding(board_replies.c.text, terms))
    newest = replies.order_by(board_replies.c.id.desc())
    one, two = (conn.execute(q.limit(FOUND + 1)).mappings().all() for q in (posts, newest))
    more = len(one) > FOUND or len(two) > FOUND
    return Found(tuple(one[:FOUND]), tuple(two[:FOUND]), more, last > SEARCHED)


def _holding(text: Any, terms: Sequence[str]) -> Iterable[ColumnElement[bool]]:
    return [text.icontains(term, autoescape=True) for term in terms]


def screen(conn: Connection, number: int) -> Screen:
    """The `number`th of the newest standing posts, beginning anew after the last."""
    mine = board_posts.c.root_id.is_(None), board_posts.c.withdrawn_at.is_(None)
    newest = select(board_posts).where(*mine).order_by(board_posts.c.id.desc()).limit(SCREENS)
    posts = conn.execute(newest).mappings().all()
    if not posts:
        return Screen(None, 0, 0, None)
    at = (max(number, 1) - 1) % len(posts)
    return Screen(posts[at], at + 1, len(posts), _exchange(conn, posts[at]))


def _exchange(conn: Connection, post: RowMapping) -> Reply | None:
    """The reply under a post that was answered last, with its answer."""
    answered = (
        select(board_replies)
        .join(board_posts, board_posts.c.in_reply_to == board_replies.c.public_id)
        .where(board_replies.c.board_post_id == post["id"], board_replies.c.state == store.SHOWN)
        .where(board_posts.c.withdrawn_at.is_(None))
        .order_by(board_posts.c.id.desc())
        .limit(1)
    )
    rows = conn.execute(answered).mappings().all()
    return next(iter(_dressed(conn, rows)), None)


def thread_root(conn: Connection, public_id: str) -> RowMapping:
    """The post whose thread `public_id` stands in: itself, or of an answer its root.

    Raises Problem 404.
    """
    post = store.by_id(conn, public_id)
    return post if post["root_id"] is None else _by_number(conn, post["root_id"])


def post_of(conn: Connection, reply: RowMapping) -> RowMapping:
    """The post a reply stands under."""
    return _by_number(conn, reply["board_post_id"])


def _by_number(conn: Connection, number: int) -> RowMapping:
    mine = select(board_posts).where(board_posts.c.id == number)
    return conn.execute(mine).mappings().one()


def _shown(conn: Connection, post: RowMapping) -> int:
    return _counts(conn, [post["id"]]).get(post["id"], 0)


def _page_of(conn: Connection, post: RowMapping, reply: str) -> int:
    """The page of the thread that `reply` stands on; 0 where it does not stand there."""
    if not reply:
        return 0
    mine = select(board_replies.c.id).where(board_replies.c.public_id == reply).scalar_subquery()
    upto = (
        board_replies.c.board_post_id == post["id"],
        board_replies.c.change.is_not(None),
        board_replies.c.id <= mine,
    )
    count = conn.execute(select(func.count()).select_from(board_replies).where(*upto)).scalar_one()
    return -(-int(count) // REPLIES)


def _dressed(conn: Connection, rows: Sequence[RowMapping]) -> Iterable[Reply]:
    """Replies with the office's answers, and with what they are to."""
    answers = _answers(conn, [row["public_id"] for row in rows])
    named = _spoken_to(conn, [row["parent"] for row in rows if row["parent"]])
    for row in rows:
        mine = tuple(answers.get(row["public_id"], ()))
        yield Reply(row, mine, named.get(row["parent"]))


def _spoken_to(conn: Connection, parents: Sequence[str]) -> dict[str, RowMapping]:
    named = select(board_replies.c.public_id, board_replies.c.author_name, board_replies.c.state)
    rows = conn.execute(named.where(board_replies.c.public_id.in_(parents))).mappings()
    return {row["public_id"]: row for row in rows}


def _answers(conn: Connection, to: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The office's answers by what they are to; an answer to an answer stands after it."""
    found: dict[str, list[RowMapping]] = defaultdict(list)
    under = {public_id: public_id for public_id in to}
    for _ in range(DEEPEST):
        if not to:
            break
        mine = board_posts.c.in_reply_to.in_(to)
        rows = conn.execute(select(board_posts).where(mine).order_by(board_posts.c.id)).mappings()
        to = []
        for row in rows:
            first = under[row["in_reply_to"]]
            found[first].append(row)
            under[row["public_id"]] = first
            to.append(row["public_id"])
    return found
