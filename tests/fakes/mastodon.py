"""A fake Mastodon-API server: enough of it for the adapter, with the manners of the real ones.

`Mastodon()` is a handler for tests.fakes.server; `running()` serves one in this process, and
`python -m tests.fakes.mastodon --port 0 --accounts 100` in a process of its own, so that killing a
bot never kills the platform (it prints its address on one line, and ends with its parent).
Account i (from 1) has the token "token-i". `GET /_posts` gives everything ever stored, in order;
`POST /_manners`, `/_reply`, `/_rewrite`, `/_remove` and `/_faults` drive it from outside.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import httpx

from tests.fakes.server import Request, Response, Server, page, reply


@dataclass
class Manners:
    """How this server differs from the book; each is how a real one behaves."""

    honour_key: bool = False  # three of four real servers do not
    limit: int = 500
    lag: float = 0.0  # seconds until a new post shows in its account's listing
    latest: int = 0  # the listing shows only so many; 0 is all
    instance: str = "v2"  # v2 | v1 | none | broken
    bad_token: str = "401"  # 401 | plain (400, text) | empty (422)
    reading_needs_token: bool = False
    takes_backs: bool = True  # False: no application with an address of its own
    threads: bool = True  # False: an answer becomes a post of its own
    checks_parent: bool = True  # False: an answer to what is gone becomes a post of its own
    keeps_media: bool = True  # False: attachments are dropped without a word
    processing: int = 0  # how many times a new upload says "not yet"
    deletes: bool = True  # False: DELETE is 404 and the post stays
    media_v2: bool = True
    pages: bool = True  # False: max_id is ignored
    nests: bool = True  # False: a thread lists direct answers only


@dataclass
class Account:
    id: str
    name: str
    statuses: list[Status] = field(default_factory=list)
    notifications: list[tuple[str, Status]] = field(default_factory=list)
    keys: dict[str, Status] = field(default_factory=dict)


@dataclass
class Status:
    id: str
    account: Account
    text: str
    at: datetime
    parent: Status | None = None
    visibility: str = "public"
    warning: str = ""
    sensitive: bool = False
    language: str = ""
    media: list[dict[str, Any]] = field(default_factory=list)
    edited_at: datetime | None = None
    reblog: Status | None = None
    children: list[Status] = field(default_factory=list)
    key: str = ""
    token: str = ""
    gone: bool = False
    likes: int = 0
    reposts: int = 0
    stored: float = field(default_factory=time.time)

    def row(self) -> dict[str, Any]:
        """As `GET /_posts` tells it."""
        plain = ("id", "text", "visibility", "warning", "sensitive", "language", "key", "token")
        return {k: getattr(self, k) for k in plain} | {
            "gone": self.gone,
            "account": self.account.name,
            "at": self.stored,
            "reply_to": self.parent.id if self.parent else "",
            "media": [m["description"] or "" for m in self.media],
            "reblog": self.reblog.id if self.reblog else "",
        }


class Mastodon:
    """The handler. Not thread-safe beyond what one server thread and one quiet test need."""

    def __init__(self, accounts: int = 2, manners: Manners | None = None) -> None:
        self.manners = manners or Manners()
        self.url = "http://fake.invalid"
        self.statuses: dict[str, Status] = {}
        self.log: list[Status] = []
        self.media: dict[str, dict[str, Any]] = {}
        self.waiting: dict[str, int] = {}
        self.dead: set[str] = set()
        self.backs: set[str] = set()  # where applications may send people
        self.tokens = {
            f"token-{i}": Account(str(100000 + i), f"office{i}") for i in range(1, accounts + 1)
        }
        self.citizens: dict[str, Account] = {}
        self._last = 112_000_000_000_000_000

    # ------------------------------------------------------------ for tests

    def posts(self, account: str = "") -> list[dict[str, Any]]:
        """What stands now, oldest first; of one account's name, where given."""
        return [
            s.row() for s in self.log if not s.gone and (not account or s.account.name == account)
        ]

    def answer(self, to: str, text: str, by: str = "citizen") -> str:
        """A second visitor answers status `to`; gives the id."""
        parent = self.statuses[to]
        visitor = self.citizens.setdefault(by, Account(str(900000 + len(self.citizens)), by))
        status = self._store(Status(self._id(), visitor, text, _now(), parent))
        parent.account.notifications.append((self._id(), status))
        return status.id

    def rewrite(self, status_id: str, text: str) -> None:
        status = self.statuses[status_id]
        status.text, status.edited_at = text, _now()

    def remove(self, status_id: str) -> None:
        """Gone from every listing; as on Mastodon, what answered it hangs in the air."""
        status = self.statuses.pop(status_id)
        status.gone = True
        status.account.statuses.remove(status)
        if status.parent:
            status.parent.children.remove(status)

    # ------------------------------------------------------------ the handler

    def __call__(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[0].startswith("_"):
            return self._control(parts[0], request)
        if parts[0] == "oauth":
            return self._oauth(parts[1:], request)
        if parts[0] != "api":
            return self._public(parts)
        area = ROUTES.get((request.method, parts[2]))
        account = self.tokens.get(request.token)
        if account is None or request.token in self.dead:
            account = None
            if request.token or not self._open(request, parts):
                return self._bad_token()
        return area(self, account, parts[1:], request) if area else reply(ERROR_404, 404)

    def _open(self, request: Request, parts: list[str]) -> bool:
        if parts[2] in ("instance", "apps"):
            return True
        reading = request.method == "GET" and parts[2] == "statuses"
        return reading and not self.manners.reading_needs_token

    def _bad_token(self) -> Response:
        if self.manners.bad_token == "plain":
            return Response(400, b"Invalid token", {"content-type": "text/plain"})
        if self.manners.bad_token == "empty":
            return Response(422)
        return reply({"error": "The access token is invalid"}, 401)

    def _control(self, act: str, request: Request) -> Response:
        order = request.json
        if act == "_posts":
            return reply([s.row() for s in self.log])
        if act == "_manners":
            self.manners = replace(self.manners, **order)
        elif act == "_reply":
            return reply({"id": self.answer(**order)})
        elif act == "_rewrite":
            self.rewrite(order["id"], order["text"])
        elif act == "_remove":
            self.remove(order["id"])
        elif act == "_dead":
            self.dead.add(order["token"])
        return reply({})

    def _public(self, parts: list[str]) -> Response:
        """The page anybody sees: /@name/id."""
        status = self.statuses.get(parts[-1])
        if status is None or status.visibility == "private":
            return page("<h1>Not found</h1>", 404)
        return page(content(status.text))

    def _oauth(self, parts: list[str], request: Request) -> Response:
        """The code is the token it stands for; the app is app/secret."""
        given = request.json
        if parts == ["authorize"]:
            return self._granting(dict(parse_qsl(request.query)))
        if parts != ["token"] or given.get("client_secret") != "app-secret":
            return reply({"error": "invalid_client", "error_description": "unknown app"}, 401)
        if given.get("code") not in self.tokens or given.get("redirect_uri") not in self.backs:
            return reply({"error": "invalid_grant", "error_description": "bad code"}, 400)
        return reply({"access_token": given["code"], "token_type": "Bearer"})

    def _granting(self, asked: Mapping[str, str]) -> Response:
        """Links to where the application was registered: one an account, one that refuses; or the
        bare codes."""
        back = asked.get("redirect_uri", "")
        if back not in self.backs or asked.get("client_id") != "app":
            return page("<h1>invalid redirect uri</h1>", 400)
        if back.startswith("urn:"):
            return page("".join(f"<code>{token}</code>" for token in self.tokens))
        said = [(token, {"code": token}) for token in self.tokens]
        said += [("拒绝", {"error": "access_denied", "error_description": "用户没有同意"})]
        state = {"state": asked.get("state", "")}
        links = (
            f'<a href="{html.escape(f"{back}?{urlencode(q | state)}")}">{word}</a>'
            for word, q in said
        )
        return page("<h1>授权</h1>" + " ".join(links))

    # ------------------------------------------------------------ areas of the API

    def instance(self, account: Account | None, parts: list[str], request: Request) -> Response:
        kind = self.manners.instance
        if kind == "broken":
            return page("<h1>Server Error (500)</h1>", 500)
        if parts[0] not in ("v1", "v2") or (kind, parts[0]) not in (
            ("v2", "v2"),
            ("v2", "v1"),
            ("v1", "v1"),
        ):
            return reply(ERROR_404, 404)
        return reply(
            {
                "domain": "fake.invalid",
                "uri": "fake.invalid",
                "version": "4.3.1",
                "configuration": {
                    "statuses": {
                        "max_characters": self.manners.limit,
                        "max_media_attachments": 4,
                        "characters_reserved_per_url": 23,
                    },
                    "media_attachments": {
                        "supported_mime_types": ["image/png", "image/jpeg", "video/mp4"],
                        "image_size_limit": 1_000_000,
                        "description_limit": 1500,
                    },
                },
            }
        )

    def apps(self, account: Account | None, parts: list[str], request: Request) -> Response:
        back = request.json.get("redirect_uris", "")
        if not self.manners.takes_backs and not back.startswith("urn:"):
            return reply({"error": "Redirect URI is not allowed"}, 422)
        self.backs.add(back)
        return reply({"id": "1", "client_id": "app", "client_secret": "app-secret"})

    def accounts(self, account: Account | None, parts: list[str], request: Request) -> Response:
        assert account is not None
        if parts[2] == "verify_credentials":
            return reply(self._account(account))
        if parts[2] != account.id:
            return reply(ERROR_404, 404)
        seen = account.statuses
        if self.manners.lag:
            freshest = time.time() - self.manners.lag
            seen = [s for s in seen if s.stored <= freshest]
        if self.manners.latest:
            seen = seen[-self.manners.latest :]
        return reply([self._json(s) for _, s in self._page([(s.id, s) for s in seen], request)])

    def upload(self, account: Account | None, parts: list[str], request: Request) -> Response:
        """POST /api/v2/media (or v1), PUT /api/v1/media/:id"""
        if parts[0] == "v2" and not self.manners.media_v2:
            return reply(ERROR_404, 404)
        given = _multipart(request)
        if not given.get("file", b"").startswith((b"\x89PNG", b"\xff\xd8")):
            return reply({"error": "Validation failed: File content type is invalid"}, 422)
        media_id = self._id()
        self.media[media_id] = {
            "id": media_id,
            "type": "image",
            "url": f"{self.url}/media/{media_id}.png",
            "description": given.get("description", b"").decode() or None,
            "meta": {"original": {"width": 1, "height": 1, "size": "1x1"}},
        }
        self.waiting[media_id] = self.manners.processing
        return reply(self.media[media_id], 202 if self.manners.processing else 200)

    def medium(self, account: Account | None, parts: list[str], request: Request) -> Response:
        media = self.media.get(parts[2])
        if media is None:
            return reply(ERROR_404, 404)
        self.waiting[parts[2]] = max(0, self.waiting[parts[2]] - 1)
        return reply(media, 206 if self.waiting[parts[2]] else 200)

    def get(self, account: Account | None, parts: list[str], request: Request) -> Response:
        status = self.statuses.get(parts[2])
        if status is None or (account is None and status.visibility == "private"):
            return reply(ERROR_404, 404)
        if parts[3:] == ["context"]:
            listed = _below(status) if self.manners.nests else status.children
            below = [self._json(s) for s in listed]
            return reply({"ancestors": [], "descendants": below})
        mine = account and any(s.reblog is status for s in account.statuses)
        return reply(self._json(status) | {"reblogged": bool(mine)})

    def post(self, account: Account | None, parts: list[str], request: Request) -> Response:
        assert account is not None
        if parts[3:] == ["reblog"]:
            return self._reblog(account, parts[2], request)
        key = request.headers.get("idempotency-key", "")
        if self.manners.honour_key and key and key in account.keys:
            return reply(self._json(account.keys[key]))
        given = request.json
        if refusal := self._refusal(given):
            return refusal
        parent = self.statuses.get(given.get("in_reply_to_id") or "")
        if given.get("in_reply_to_id") and parent is None and self.manners.checks_parent:
            return reply({"error": "The post you are trying to reply to does not exist."}, 404)
        status = self._fill(Status(self._id(), account, "", _now(), key=key), given)
        status.parent = parent if self.manners.threads else None
        status.visibility = given.get("visibility") or "public"
        status.token = request.token
        account.keys[key] = self._store(status)
        return reply(self._json(status))

    def put(self, account: Account | None, parts: list[str], request: Request) -> Response:
        status = self._own(account, parts[2])
        if status is None:
            return reply(ERROR_404, 404)
        if refusal := self._refusal(request.json):
            return refusal
        self._fill(status, request.json).edited_at = _now()
        return reply(self._json(status))

    def delete(self, account: Account | None, parts: list[str], request: Request) -> Response:
        status = self._own(account, parts[2])
        if status is None or not self.manners.deletes:
            return reply(ERROR_404, 404)
        self.remove(status.id)
        return reply(self._json(status) | {"text": status.text})

    def notifications(
        self, account: Account | None, parts: list[str], request: Request
    ) -> Response:
        assert account is not None
        wanted = parse_qs(request.query).get("types[]", ["mention"])
        standing = [(i, s) for i, s in account.notifications if not s.gone]
        shown = self._page(standing if "mention" in wanted else [], request)
        rows = [
            {
                "id": i,
                "type": "mention",
                "created_at": _time(s.at),
                "account": self._account(s.account),
                "status": self._json(s),
            }
            for i, s in shown
        ]
        if not rows:
            return reply(rows)
        to = f"{self.url}/api/v1/notifications?max_id={rows[-1]['id']}"
        return reply(rows, headers={"link": f'<{to}>; rel="next"'})

    # ------------------------------------------------------------ inside

    def _id(self) -> str:
        self._last += 1
        return str(self._last)

    def _store(self, status: Status) -> Status:
        self.statuses[status.id] = status
        self.log.append(status)
        status.account.statuses.append(status)
        if status.parent:
            status.parent.children.append(status)
        return status

    def _own(self, account: Account | None, status_id: str) -> Status | None:
        status = self.statuses.get(status_id)
        return status if status and status.account is account else None

    def _refusal(self, given: Mapping[str, Any]) -> Response | None:
        text, media = given.get("status") or "", given.get("media_ids") or []
        if not text and not media:
            return reply({"error": "Validation failed: Text can't be blank"}, 422)
        if _length(text + (given.get("spoiler_text") or "")) > self.manners.limit:
            limit = self.manners.limit
            said = f"Validation failed: Text character limit of {limit} exceeded"
            return reply({"error": said}, 422)
        if any(m not in self.media or self.waiting[m] for m in media):
            return reply({"error": "Cannot attach files that have not finished processing"}, 422)
        return None

    def _fill(self, status: Status, given: Mapping[str, Any]) -> Status:
        media = given.get("media_ids") or []
        status.text = given.get("status") or ""
        status.warning = given.get("spoiler_text") or ""
        status.sensitive = bool(given.get("sensitive"))
        status.language = given.get("language") or ""
        status.media = [self.media[m] for m in media] if self.manners.keeps_media else []
        return status

    def _reblog(self, account: Account, status_id: str, request: Request) -> Response:
        target = self.statuses.get(status_id)
        if target is None:
            return reply(ERROR_404, 404)
        stand = [s for s in account.statuses if s.reblog is target]
        status = stand[0] if stand else Status(self._id(), account, "", _now(), reblog=target)
        if not stand:
            status.token = request.token
            self._store(status)
        return reply(self._json(status))

    def _page(self, rows: list[tuple[str, Status]], request: Request) -> list[tuple[str, Status]]:
        """Newest first; ids are of one length, so they sort as they are."""
        params = request.params
        if "max_id" in params and self.manners.pages:
            rows = [row for row in rows if row[0] < params["max_id"]]
        if "since_id" in params:
            rows = [row for row in rows if row[0] > params["since_id"]]
        return rows[::-1][: min(40, int(params.get("limit", 20)))]

    def _account(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.id,
            "username": account.name,
            "acct": account.name,
            "display_name": account.name.title(),
            "url": f"{self.url}/@{account.name}",
            "statuses_count": len(account.statuses),
        }

    def _json(self, s: Status) -> dict[str, Any]:
        url = f"{self.url}/@{s.account.name}/{s.id}"
        return {
            "id": s.id,
            "created_at": _time(s.at),
            "edited_at": _time(s.edited_at) if s.edited_at else None,
            "in_reply_to_id": s.parent.id if s.parent else None,
            "in_reply_to_account_id": s.parent.account.id if s.parent else None,
            "sensitive": s.sensitive,
            "spoiler_text": s.warning,
            "visibility": s.visibility,
            "language": s.language or None,
            "uri": url,
            "url": url,
            "replies_count": len(s.children),
            "favourites_count": s.likes,
            "reblogs_count": s.reposts,
            "content": content(s.text),
            "reblog": self._json(s.reblog) if s.reblog else None,
            "account": self._account(s.account),
            "media_attachments": s.media,
        }


Area = Callable[[Mastodon, Account | None, list[str], Request], Response]
ROUTES: Mapping[tuple[str, str], Area] = {
    ("GET", "instance"): Mastodon.instance,
    ("POST", "apps"): Mastodon.apps,
    ("GET", "accounts"): Mastodon.accounts,
    ("POST", "media"): Mastodon.upload,
    ("GET", "media"): Mastodon.medium,
    ("GET", "statuses"): Mastodon.get,
    ("POST", "statuses"): Mastodon.post,
    ("PUT", "statuses"): Mastodon.put,
    ("DELETE", "statuses"): Mastodon.delete,
    ("GET", "notifications"): Mastodon.notifications,
}
ERROR_404 = {"error": "Record not found"}


def _now() -> datetime:
    return datetime.now(UTC)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _below(status: Status) -> Iterator[Status]:
    """Depth first, as Mastodon lists a thread."""
    for child in status.children:
        yield child
        yield from _below(child)


def _length(text: str) -> int:
    """Mastodon's count: a link is 23, of a mention only the name."""
    text = re.sub(r"https?://[^\s\u3000-\uffef]+", "x" * 23, text)
    return len(re.sub(r"(@\w+)@[\w.]+", r"\1", text))


_MARKED = re.compile(r"(https?://[^\s\u3000-\uffef<]+)|@(\w+)(?:@([\w.]+))?|#(\w+)")


def content(text: str) -> str:
    """As Mastodon renders: paragraphs, links cut for the eye, mentions without their host."""
    paragraphs = html.escape(text, quote=False).split("\n\n")
    marked = (_MARKED.sub(_mark, p).replace("\n", "<br />") for p in paragraphs)
    return "".join(f"<p>{p}</p>" for p in marked)


def _mark(match: re.Match[str]) -> str:
    link, name, host, tag = match.groups()
    if link:
        scheme, _, rest = link.partition("://")
        shown = (
            f'<span class="ellipsis">{rest[:30]}</span><span class="invisible">{rest[30:]}</span>'
        )
        return (
            f'<a href="{link}" rel="nofollow"><span class="invisible">{scheme}://</span>{shown}</a>'
        )
    if name:
        return (
            f'<span class="h-card"><a href="https://{host or "fake.invalid"}/@{name}" '
            f'class="u-url mention">@<span>{name}</span></a></span>'
        )
    return f'<a href="/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'


def _multipart(request: Request) -> dict[str, bytes]:
    """Field → content of a multipart body."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].strip('"')
    out = {}
    for part in request.body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name:
            out[name[1].decode()] = content.removesuffix(b"\r\n")
    return out


# ---------------------------------------------------------------- running it


@contextmanager
def running(
    accounts: int = 2, manners: Manners | None = None, keep_alive: bool = True
) -> Iterator[tuple[Mastodon, Server]]:
    """In this process, in a thread."""
    fake = Mastodon(accounts, manners)
    with Server(fake, keep_alive=keep_alive) as server:
        fake.url = server.url
        yield fake, server


@dataclass
class Spawned:
    """One in a process of its own: its address, and its control port."""

    url: str
    process: subprocess.Popen[str]

    def posts(self) -> list[dict[str, Any]]:
        """Everything ever stored, in order; "gone" marks what was deleted."""
        rows = httpx.get(f"{self.url}/_posts", trust_env=False, timeout=60).json()
        assert isinstance(rows, list)
        return rows

    def order(self, act: str, **values: Any) -> dict[str, Any]:
        """`act`: manners, faults, reply, rewrite, remove or dead."""
        answer = httpx.post(f"{self.url}/_{act}", json=values, trust_env=False)
        answer.raise_for_status()
        value = answer.json()
        assert isinstance(value, dict)
        return value


@contextmanager
def spawned(accounts: int = 2, **manners: Any) -> Iterator[Spawned]:
    """In a process of its own, ended with the block or with this process."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.fakes.mastodon", "--accounts", str(accounts)]
    command += ["--manners", json.dumps(manners)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Spawned(process.stdout.readline().strip(), process)
        finally:
            process.terminate()
            process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=2)
    parser.add_argument("--manners", type=json.loads, default={}, help="JSON of Manners' fields")
    parser.add_argument("--no-keep-alive", action="store_true", help="close after every answer")
    given = parser.parse_args()
    assert set(given.manners) <= {f.name for f in fields(Manners)}, given.manners
    fake, parent = Mastodon(given.accounts, Manners(**given.manners)), os.getppid()
    with Server(fake, given.port, not given.no_keep_alive) as server:
        fake.url = server.url
        print(server.url, flush=True)
        while os.getppid() == parent:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
