"""Every page's first byte in an office that has run for years (budget: 100 ms on loopback).

    python -m tests.bench_pages [--posts 100000] [--replies 1000000] [--only sqlite|postgres] [--keep FOLDER]

On SQLite, then on PostgreSQL. A store of so many posts and replies, with all that goes with them, behind the console's own server;
each page asked nine times after one that warms up, by a person who reads everything. `--keep` leaves
the SQLite store in a folder and measures it again there the next time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from sqlalchemy import Connection, insert, select, text, update

from bot import catalog, db
from bot.config import load
from bot.db import Database
from bot.language import Say
from bot.migrations import upgrade
from bot.model import Entry, Role
from bot.office import Office
from bot.web.app import build
from bot.web.board import store
from bot.web.board.content import Content
from bot.workdays import FixedClock
from tests import bench_replies, builders, loads, postgres
from tests.web import scene, serving

BUDGET = 100  # milliseconds
ROUNDS = 9
SLOW = 3_000  # not asked again: it is bad enough
CHUNK = 10_000
UNITS = ("county", "health", "water", "traffic")
ACCOUNTS = 8
DAYS = 1000
TITLES = ("供水管网检修公告", "医保缴费提醒", "公交绕行通知", "招聘会专场预告", "食品抽检结果公告")
NOW = builders.NOW
CONFIG = "".join(
    f'[units.{key}]\nname = "云澜县{key}"\nsteps = [{{ name = "初审", right = "review" }}, {{ name = "签发", right = "sign" }}]\n'
    for key in UNITS
)

# ---------------------------------------------------------------- what stands in the store


def fill(office: Office, count: int, replies: int) -> None:
    """An office that has run for years: all of it made by few statements."""
    with office.db.write() as conn:
        _people(conn)
        units = list(conn.execute(select(db.units.c.id)).scalars())
        for n in range(ACCOUNTS):
            kind = ("board", "mastodon", "byhand")[min(n, 2)]
            more = {"unit_id": units[n % len(units)], "name": f"云澜发布{n}"}
            scene.account(conn, f"a{n}", kind, **more)
    _said("accounts")
    for start in range(0, count, CHUNK):
        with office.db.write() as conn:
            _posts(conn, min(CHUNK, count - start), count)
    _said("posts")
    bench_replies.fill(office.db, replies, CHUNK)
    for part in (_history, _spread, _catalogue, _trail, _board):
        with office.db.write() as conn:
            part(conn, count)
        _said(part.__name__)


def _said(what: str) -> None:
    print(f"{time.perf_counter():9.1f} s: {what}", flush=True)


def _people(conn: Connection) -> None:
    top = builders.unit(conn, UNITS[0])
    for key in UNITS[1:]:
        builders.unit(conn, key, top)
    for login, role in (("chief", Role.ADMINISTRATOR), ("zhou", Role.EDITOR)):
        builders.person(conn, login, login, role, UNITS[0])
    chief = builders.actor(conn, "chief").person or 0
    for role in set(Role) - {Role.ADMINISTRATOR}:
        builders.grant(conn, chief, role, UNITS[0])


def _posts(conn: Connection, some: int, count: int) -> None:
    """Spread over the past years and the coming month, the latest last."""
    last = conn.execute(select(db.posts.c.id).order_by(db.posts.c.id.desc())).scalar() or 0
    ends = NOW + timedelta(days=30)
    step = timedelta(days=DAYS) / count
    times = [ends - step * (count - last - n) for n in range(some)]
    to = [last + n for n in range(ACCOUNTS)]
    to = [1 + (one % ACCOUNTS) for one in to]
    loads.add_posts(conn, NOW, to, times)


def _history(conn: Connection, count: int) -> None:
    """What is past was sent, with few exceptions; each was handed in, passed twice and attempted."""
    now = db.micros(NOW)
    run(
        conn,
        f"update posts set unit_id = 1 + id % 4, author_id = 2, changed_at = {now} - ({count} - id) * 1000,"
        " title = case id % 5 " + " ".join(f"when {n} then '{t}'" for n, t in enumerate(TITLES)),
        " end || id",
        ", go_at = (select go_at from deliveries where deliveries.post_id = posts.id)",
    )
    run(
        conn,
        "update deliveries set state = 'sent', sent_at = go_at, due_at = null,"
        " remote_id = 'r' || id, url = 'https://a.example/' || id",
        f" where go_at < {now}",
    )
    for state, part in (("failed", 997), ("missed", 1499), ("uncertain", 9973), ("cancelled", 89)):
        run(
            conn,
            f"update deliveries set state = '{state}' where id % {part} = 5 and state = 'sent'",
        )
    for state, part, rest in (("draft", 500, 7), ("in_review", 1000, 8), ("closed", 50, 9)):
        run(conn, f"update posts set state = '{state}' where id % {part} = {rest}")
    run(
        conn,
        "delete from deliveries where post_id in"
        " (select id from posts where state in ('draft', 'in_review'))",
    )
    run(
        conn,
        "insert into attempts (delivery_id, begun_at, ended_at, outcome)"
        " select id, sent_at, sent_at, 'sent' from deliveries where sent_at is not null",
    )
    for step, person in ((0, 1), (1, 2)):
        run(
            conn,
            "insert into signoffs (post_id, revision_id, step, step_name, person_id, verdict, kind, digest, at)"
            f" select id, revision_id, {step}, '签发', {person}, 'pass', 'person', '', created_at"
            " from posts where state <> 'draft'",
        )
    run(
        conn,
        "insert into watches (account_id, delivery_id, state, opened_at, due_at, seen, total)"
        f" select account_id, id, case when sent_at > {now} - 2592000000000 then 'open' else 'closed' end,"
        f" sent_at, case when sent_at > {now} - 2592000000000 then {now} end, 10, 12"
        " from deliveries where state = 'sent'",
    )
    run(
        conn,
        "insert into counts (delivery_id, at, likes, reposts, replies)"
        " select id, sent_at + 3600000000, 3, 1, 10 from deliveries where state = 'sent'",
    )


def _spread(conn: Connection, count: int) -> None:
    """Replies under many posts, a few answering others, few our own, edited or removed."""
    run(
        conn,
        f"update replies set post_id = 1 + (id * 7919) % {count}, own = (id % 40 = 3),"
        " at = coalesce((select coalesce(sent_at, go_at) + 60000000 from deliveries"
        f"   where post_id = 1 + (replies.id * 7919) % {count}), at),"
        " state = case when id % 300 = 1 then 'removed' when id % 200 = 1 then 'edited' else state end",
    )
    run(conn, f"update replies set at = {db.micros(NOW)} - id where at > {db.micros(NOW)}")
    run(
        conn,
        "update replies set delivery_id = (select id from deliveries d where d.post_id = replies.post_id),"
        " account_id = coalesce((select account_id from deliveries d where d.post_id = replies.post_id), 1)",
    )
    run(
        conn,
        "update replies set parent = (select above.remote_id from replies above"
        f" where above.id = replies.id - {count}) where id % 6 = 1 and id > {count}",
    )
    run(conn, "update posts set answers_id = id * 9, kind = 'response' where id % 50 = 3")


def _catalogue(conn: Connection, count: int) -> None:
    entry = Entry(key="k", title="关于放假的通知", link="https://a.example/1", column="通知公告")
    for n in range(6):
        row = {"key": f"s{n}", "unit_id": 1 + n % 4, "kind": "feed", "url": "x", "state": "active"}
        source = db.insert_id(conn, db.sources, row)
        common = {"source_id": source, "revision": 1, "entry": entry.json(), "column": "通知公告"}
        times = [NOW - timedelta(minutes=3 * one) for one in range(count // 10)]
        conn.execute(
            insert(db.items),
            [
                {
                    **common,
                    "key": f"{n}-{one}",
                    "title": f"{TITLES[one % 5]}{one}",
                    "digest": str(one),
                    "state": "skipped" if one % 3 else "composed",
                    "published": at,
                    "seen_at": at,
                }
                for one, at in enumerate(times)
            ],
        )
    run(conn, "update items set state = 'new' where id % 200 = 0")
    waits = update(db.items).where(db.items.c.id % 400 == 0)
    conn.execute(waits.values(waits=Say("发布日期较早").json()))
    run(
        conn,
        "insert into item_revisions (item_id, number, digest, entry, at)"
        " select id, 1, digest, entry, seen_at from items",
    )


def _trail(conn: Connection, count: int) -> None:
    """Six entries a post, and what people were told of in all those years."""
    for n, verb in enumerate(("create", "revise", "submit", "pass", "sign", "plan")):
        run(
            conn,
            "insert into audits (at, person_id, actor, origin, verb, subject, number, digest, previous)"
            f" select created_at, 1 + id % 2, case id % 2 when 0 then 'chief' else 'zhou' end, '127.0.0.1',"
            f" 'post.{verb}', 'post:' || id, id + {n * count}, '', '' from posts",
        )
    say = Say("未送达").json()
    row = {"say": say, "link": "/queue", "opened_at": NOW, "closed_at": NOW}
    told = [{**row, "key": f"delivery:{n}", "unit_id": 1 + n % 4} for n in range(count // 3)]
    conn.execute(insert(db.notices), told)
    conn.execute(update(db.notices).where(db.notices.c.id % 997 == 0).values(closed_at=None))
    run(
        conn,
        "insert into occurrences (schedule, at, state) select 'daily', go_at, 'made'"
        " from posts where id % 20 = 0",
    )


def _board(conn: Connection, count: int) -> None:
    store.ensure_board(conn, NOW)
    few = count // 5
    payload = {**Content(text="今日供水正常。").model_dump(), "media": []}
    made = [NOW - timedelta(days=DAYS) * (1 - n / few) for n in range(few)]
    posts = [
        {
            "id": n + 1,
            "public_id": f"p{n:010}",
            "key": f"k{n}",
            "title": f"{TITLES[n % 5]}{n}",
            "text": f"第 {n} 号公告：今日供水正常。",
            "payload": {**payload, "title": f"{TITLES[n % 5]}{n}"},
            "at": at,
        }
        for n, at in enumerate(made)
    ]
    conn.execute(insert(db.board_posts), posts)
    run(
        conn,
        "insert into board_replies (public_id, board_post_id, author_name, text, state, secret, at,"
        " changed_at, change)"
        f" select 'q' || id, 1 + (id * 7919) % {few}, author_name, text,"
        "  case when id % 9000 = 4 then 'waiting' else 'shown' end, 's' || id, at, at, id"
        " from replies where id % 5 = 4",
    )


def run(conn: Connection, *parts: str) -> None:
    conn.execute(text("".join(parts).replace(":", r"\:")))


# ---------------------------------------------------------------- asking


PATHS = (
    *("/", "/pulse", "/posts", "/posts?page=1500", "/posts?q=供水", "/posts?q=无此标题"),
    *("/posts?state=draft", "/posts?state=approved&q=公交", "/posts?mine=1", "/posts/{post}"),
    *("/posts/{post}/revisions/1", "/posts/new", "/posts/{draft}/edit", "/items", "/items?q=公交"),
    *("/items?q=无此标题", "/items?state=waiting", "/items?source=s2", "/items?page=400"),
    *("/items/{item}", "/items/new", "/quality", "/sources", "/sources/s1", "/source/try"),
    *("/review", "/review/{waiting}", "/review/{waiting}/sheet", "/calendar"),
    *(
        "/calendar?view=week",
        "/calendar?view=day",
        "/calendar?on=2025-06-01",
        "/calendar?account=2",
    ),
    *("/calendar/move/{draft}", "/calendar/schedules", "/queue", "/queue?state=person"),
    *(
        "/queue?state=sent",
        "/queue?state=sent&page=1500",
        "/queue?state=uncertain",
        "/queue?state=held",
    ),
    *("/queue?account=3", "/queue?account=3&state=failed", "/queue?post={post}", "/queue/{failed}"),
    *("/queue/news?seen=0", "/replies", "/replies?q=供水", "/replies?q=的", "/replies?q=龘"),
    *("/replies?q=龘龘", "/replies?q=北京 上海", "/replies?q=你", "/replies?state=removed"),
    *("/replies?state=removed&whose=own", "/replies?state=edited&account=3&unanswered=1"),
    *("/replies?unanswered=1", "/replies?whose=own&account=8", "/replies?post={post}"),
    *("/replies?state=removed&account=2&q=我们", "/replies?since=2025-01-01&until=2025-02-01"),
    *("/replies?since=2025-01-01&until=2025-12-01&state=removed&whose=own", "/replies?account=2"),
    *("/replies?since=2024-03-01&q=的", "/replies?whose=own&q=龘", "/replies?unanswered=1&q=了吗"),
    *("/replies?whose=own&q=的", "/replies?state=removed&q=的", "/replies?unanswered=1&account=3"),
    *(
        "/queue?page=1500",
        "/queue?state=ready",
        "/quality?rule=duplicate&page=400",
        "/replies?account=99",
    ),
    *("/replies/{reply}", "/replies/board", "/replies/import", "/replies/news?seen=0", "/accounts"),
    *("/people", "/people/zhou", "/trail", "/trail?who=zhou", "/trail?verb=post.sign"),
    *(
        "/trail?verb=reply",
        "/trail?who=nobody",
        "/trail?subject=post:77",
        "/trail?page=9000",
        "/stop",
    ),
    *("/me", "/me/code", "/password", "/login", "/board", "/board/search?q=供水"),
    *("/board/search?q=龘", "/board/screen", "/board/p/{board}", "/board/feed.atom"),
    *("/board?page=300", "/board/feed.json", "/health/ready"),
)


def ask(base: str, names: dict[str, Any]) -> list[tuple[float, float, str, int]]:
    """Each page's first byte in milliseconds, the median and the processor's part; its status and address.

    The processor's part tells more where others use the machine too.
    """
    found = []
    with closing(scene.Reader(base, "chief")) as reader:
        reader.client.follow_redirects, reader.client.timeout = False, httpx.Timeout(300)
        for path in PATHS:
            address = path.format_map(names)
            once, _, status = first_byte(reader.client, address)
            if once > SLOW:
                print(f"{once:8.1f} ms, asked once: {address}", flush=True)
                found.append((once, once, address, status))
                continue
            walls, busy = zip(
                *(first_byte(reader.client, address)[:2] for _ in range(ROUNDS)), strict=True
            )
            found.append((median(walls), median(busy), address, status))
    return sorted(found, reverse=True)


def first_byte(client: httpx.Client, path: str) -> tuple[float, float, int]:
    """Milliseconds until it comes, those the processor was at it (asker and server), and the status."""
    began, at_work = time.perf_counter(), time.process_time()
    with client.stream("GET", path) as answer:
        next(answer.iter_raw(), b"")
        took = time.perf_counter() - began, time.process_time() - at_work
    return took[0] * 1000, took[1] * 1000, answer.status_code


def names_of(office: Office) -> dict[str, Any]:
    """Rows to ask for, from the middle of each table."""
    with office.db.read() as conn:

        def one(table: Any, *where: Any) -> int:
            rows = select(table.c.id).where(*where).order_by(table.c.id)
            ids = list(conn.execute(rows).scalars())
            return int(ids[len(ids) // 2])

        board = select(db.board_posts.c.public_id).order_by(db.board_posts.c.id.desc())
        return {
            "post": one(db.posts, db.posts.c.state == "approved"),
            "draft": one(db.posts, db.posts.c.state == "draft"),
            "waiting": one(db.posts, db.posts.c.state == "in_review"),
            "item": one(db.items),
            "failed": one(db.deliveries, db.deliveries.c.state == "failed"),
            "reply": one(db.replies),
            "board": conn.execute(board.limit(1)).scalar_one(),
        }


@contextmanager
def stored(on_postgres: bool, keep: str) -> Iterator[Database]:
    """A migrated store: on PostgreSQL, in a folder that is kept, or in one that is not."""
    with ExitStack() as stack:
        if on_postgres:
            url = stack.enter_context(postgres.cluster(fsync=True)).url()
        else:
            folder = keep or stack.enter_context(tempfile.TemporaryDirectory())
            url = f"{folder}/gongkai.db"
        database = stack.enter_context(closing(Database(url, FixedClock(NOW))))
        upgrade(database)
        yield database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--replies", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--keep", default="", metavar="FOLDER")
    given = parser.parse_args()
    for kind in (given.only,) if given.only else ("sqlite", "postgres"):
        with stored(kind == "postgres", given.keep) as database:
            told(kind, measured(database, given.posts, given.replies))


def measured(database: Database, posts: int, replies: int) -> list[tuple[float, float, str, int]]:
    """Every page's figures, in a store that is filled where it is empty."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(CONFIG, "utf-8")
        office = Office(load(file), database)
        with database.read() as conn:
            there = conn.execute(select(db.posts.c.id).limit(1)).first()
        if not there:
            fill(office, posts, replies)
            catalog.check(office)
        if not database.sqlite:
            bench_replies.tidied(database)
        with serving.listening() as taken, serving.serving(build(office), taken):
            return ask(serving.address(taken), names_of(office))


def told(kind: str, found: list[tuple[float, float, str, int]]) -> None:
    """The worst first."""
    for p50, busy, path, status in found:
        print(f"{kind}: {p50:8.1f} ms, processor {busy:7.1f}: {status} {path}")
    over = [one for one in found if one[0] > BUDGET]
    print(f"{kind}: {len(found)} pages, {len(over)} above {BUDGET} ms", flush=True)


if __name__ == "__main__":
    main()
