"""The console in tests: people in front of it, and rows behind it made by the stages themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
from lxml import html
from sqlalchemy import Connection, insert, select, update

from bot import compose, db, people, review
from bot.adapters.base import adapter_class, ssl_context
from bot.compose import Body
from bot.deliver import plan
from bot.language import Say
from bot.model import DeliveryState, Entry, Verdict
from bot.office import Office
from tests import builders


class Page:
    """An answer, read as a page."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.text = answer.text
        self.place = answer.url.raw_path.decode()

    @property
    def tree(self) -> Any:
        return html.fromstring(self.text)

    def all(self, path: str) -> list[Any]:
        """What an XPath finds."""
        found: list[Any] = self.tree.xpath(path)
        return found

    def words(self, path: str = "//main") -> str:
        """The text within, blanks made one."""
        return " ".join(" ".join(node.text_content() for node in self.all(path)).split())


class Reader:
    """Somebody at the console with a cookie jar of his own."""

    def __init__(self, base: str, login: str = "") -> None:
        self.base = base
        self.client = httpx.Client(
            base_url=base, follow_redirects=True, trust_env=False, verify=ssl_context()
        )
        if login:
            assert self.enter(login).place == "/"

    def enter(self, login: str, password: str = builders.PASSWORD, **form: str) -> Page:
        form = {"login": login, "password": password, **form}
        return Page(self.client.post("/login", data=form))

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.client.get(path, headers=headers))

    @property
    def csrf(self) -> str:
        return str(self.get("/me").all("//input[@name='csrf']/@value")[0])

    def post(self, path: str, files: Any = None, **form: Any) -> Page:
        """A form of this session's, redirects followed."""
        return Page(self.client.post(path, data={"csrf": self.csrf, **form}, files=files))

    def close(self) -> None:
        self.client.close()


# ---------------------------------------------------------------- rows


def account(conn: Connection, key: str, adapter: str, **values: Any) -> int:
    """A connected account of the county's."""
    kind = adapter_class(adapter)
    row = {
        "key": key,
        "unit_id": people.unit_of(conn, "county")["id"],
        "adapter": adapter,
        "name": key,
        "options": {},
        "state": "active",
        "identity": f"id-{key}",
        "identity_name": f"@{key}",
        "capabilities": kind.capabilities.json(),
        "host": key,
    }
    return db.insert_id(conn, db.accounts, {**row, **values})


def accounts(office: Office) -> None:
    """A board, a microblog, and one that is served by hand."""
    with office.db.write() as conn:
        account(conn, "board", "board", name="公开栏")
        account(conn, "masto", "mastodon", name="云澜")
        account(conn, "hand", "byhand", name="云澜发布", options={"platform": "微博"})


def item(office: Office, title: str = "关于放假的通知", **values: Any) -> int:
    """An entry of a source of the county's; the source is made on first use."""
    with office.db.write() as conn:
        source = conn.execute(select(db.sources.c.id)).scalar() or db.insert_id(
            conn,
            db.sources,
            {
                "key": "catalogue",
                "unit_id": people.unit_of(conn, "county")["id"],
                "kind": "feed",
                "url": "https://example.cn/feed.xml",
                "state": "active",
                "due_at": builders.NOW,
            },
        )
        entry = Entry(key=title, title=title, link="https://example.cn/1", column="通知公告")
        row = {"source_id": source, "key": title, "state": "new", "title": title, "revision": 1}
        stored = {"digest": entry.digest, "entry": entry.json(), "seen_at": builders.NOW}
        return db.insert_id(conn, db.items, {**row, **stored, **values})


def post(
    office: Office,
    title: str = "停水通知",
    text: str = "望江路明日停水。",
    keys: Sequence[str] = ("board",),
    author: str = "zhou",
    **more: Any,
) -> int:
    """A draft."""
    with office.db.write() as conn:
        who = builders.actor(conn, author)
        unit = people.unit_of(conn, "county")["id"]
        body = Body(text=text, title=title)
        now = office.db.now(conn)
        return compose.create(office, conn, now, who, unit_id=unit, keys=keys, body=body, **more)


def submitted(office: Office, **more: Any) -> int:
    """A post in review."""
    made = post(office, **more)
    with office.db.write() as conn:
        review.submit(office, conn, office.db.now(conn), builders.actor(conn, "zhou"), made)
    return made


def signed(office: Office, **more: Any) -> int:
    """A post that is signed and planned: its deliveries stand."""
    made = submitted(office, **more)
    with office.db.write() as conn:
        word = review.Decision(Verdict.PASS, digest(conn, made))
        lin = builders.actor(conn, "lin")
        review.decide(office, conn, office.db.now(conn), lin, made, word)
    plan.plan_due(office)
    return made


def digest(conn: Connection, post_id: int) -> str:
    """Of the current revision."""
    query = select(db.revisions.c.digest).join(
        db.posts, db.posts.c.revision_id == db.revisions.c.id
    )
    return str(conn.execute(query.where(db.posts.c.id == post_id)).scalar_one())


def delivery(office: Office, post_id: int, **values: Any) -> int:
    """The first delivery of a post, put into a state."""
    with office.db.write() as conn:
        found = conn.execute(
            select(db.deliveries.c.id).where(db.deliveries.c.post_id == post_id)
        ).scalars()
        one = int(sorted(found)[0])
        if values:
            mine = update(db.deliveries).where(db.deliveries.c.id == one)
            conn.execute(mine.values(**values))
        return one


def unclear(office: Office, post_id: int) -> int:
    """A delivery whose outcome nobody knows, with its attempt."""
    why = Say("请求已送出，平台没有回音：{why}", why="ReadTimeout").json()
    one = delivery(office, post_id, state=DeliveryState.UNCERTAIN, due_at=None, reason=why)
    attempt(office, one, outcome="unknown", said=why, ended_at=builders.NOW)
    return one


def attempt(office: Office, delivery_id: int, **values: Any) -> None:
    with office.db.write() as conn:
        row = {"delivery_id": delivery_id, "begun_at": builders.NOW, "worker": "w", "outcome": ""}
        conn.execute(insert(db.attempts).values(**{**row, **values}))


def worker(office: Office, at: datetime = builders.NOW) -> None:
    """A worker whose heart beat at `at`."""
    with office.db.write() as conn:
        row = {"id": "w", "host": "gk-1", "pid": 1, "started_at": at, "beat_at": at}
        conn.execute(insert(db.workers).values(**row))


def reply(office: Office, text: str, **values: Any) -> int:
    """A reply on the board's account, indexed as a collected one is."""
    from bot import search

    with office.db.write() as conn:
        owner = conn.execute(
            select(db.accounts.c.id).where(db.accounts.c.key == "board")
        ).scalar_one()
        row = {
            "account_id": owner,
            "remote_id": f"r-{text}",
            "author_name": "路人",
            "text": text,
            "at": builders.NOW,
            "seen_at": builders.NOW,
            "last_seen": builders.NOW,
            "state": "visible",
            "version": 1,
        }
        made = db.insert_id(conn, db.replies, {**row, **values})
        search.add(conn, [(made, text)])
        return made


def state_of(office: Office, table: Any, row_id: int) -> str:
    with office.db.read() as conn:
        return str(conn.execute(select(table.c.state).where(table.c.id == row_id)).scalar_one())


def trail(office: Office) -> list[str]:
    """The verbs on record, oldest first."""
    with office.db.read() as conn:
        return list(conn.execute(select(db.audits.c.verb).order_by(db.audits.c.id)).scalars())
