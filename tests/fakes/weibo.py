"""A fake Weibo that behaves as open.weibo.com documents itself, and as people have met it.

`Weibo()` is a handler for tests.fakes.server; `running()` serves one in this process, and
`python -m tests.fakes.weibo` one to try things by hand. All of Weibo's hosts are this one. Account i
(from 1) has the token "token-i". What may differ from one Weibo to the next is in `Manners`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.fakes.server import Request, Response, Server, page, reply

EPOCH = 515483463
CHINA = timezone(timedelta(hours=8))
APP_KEY, APP_SECRET, CALLBACK = "1988000000", "app-secret-1", "https://www.example.gov.cn/weibo"
LINK = re.compile(r"https?://[!-~]+")
GRANTED = ("update", "upload", "upload_url_text", "upload_pic", "repost", "destroy")  # else 10014
BUSINESS = frozenset(  # the calls that c.api.weibo.com documents; another is 10020
    {f"statuses/{one}" for one in GRANTED}
    | {f"statuses/{one}" for one in ("user_timeline", "show_batch", "count", "mentions")}
    | {
        f"comments/{one}"
        for one in ("to_me", "by_me", "mentions", "reply", "destroy", "show_batch")
    }
)


PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")  # what it takes: PNG, JPEG, GIF
COUNTERS = ("cmt", "mention_cmt", "mention_status", "status", "follower", "dm")


@dataclass
class Manners:
    lag: float = 0.0  # seconds until what was written shows in a listing
    latest: int = 5  # of the own timeline, for an ordinary application
    wants_link: bool = True  # `share` without a link to the safe domain is 10017
    domain: str = "www.example.gov.cn"
    bound: bool = True  # False: the domain is not approved yet
    grants: tuple[str, ...] = ()
    business: bool = False
    rewrites: bool = True  # links become t.cn, topics are taken out
    tells_links: bool = True  # url_objects stand beside the text
    expands: bool = True  # short_url/expand may be called
    cap: int = 50  # the most a page of comments holds, whatever `count` says
    user_limit: int = 10_000
    code_as_text: bool = False
    wants_rip: bool = False
    repeats: bool = False  # the same content again is taken
    lives: int = 30 * 86400  # a token, seconds
    counts: bool = True  # a listing says how many there are


@dataclass
class User:
    uid: str
    name: str
    used: int = 0
    unread: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    last: str = ""  # what it wrote last


@dataclass
class Status:
    id: str
    user: User
    sent: str
    text: str
    at: float
    links: dict[str, str] = field(default_factory=dict)  # t.cn → where it leads
    pictures: list[str] = field(default_factory=list)
    reposts: Status | None = None
    long: bool = False
    kind: int = 0  # visible.type


@dataclass
class Comment:
    id: str
    user: User
    status: Status
    text: str
    at: float
    parent: Comment | None = None
    hidden: bool = False


class Refusal(Exception):
    def __init__(self, code: int, words: str = "", status: int = 400) -> None:
        self.code, self.words, self.status = code, words or f"error {code}", status


class Weibo:
    """The handler. Not thread-safe beyond what one server thread and one quiet test need."""

    def __init__(self, accounts: int = 2, manners: Manners | None = None) -> None:
        self.manners = manners or Manners()
        self.callback = CALLBACK
        self.ahead = 0.0  # of the real clock, seconds
        self.users = {
            f"token-{i}": User(str(2000000000 + i), f"云澜发布{i}") for i in range(1, accounts + 1)
        }
        self.citizens: dict[str, User] = {}
        self.dead: dict[str, int] = {}  # token → the code it dies with
        self.born = time.time()
        self.statuses: dict[str, Status] = {}
        self.comments: dict[str, Comment] = {}
        self.pictures: dict[str, bytes] = {}
        self.log: list[Status | Comment] = []  # everything our accounts ever wrote
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # method, path, fields
        self._number = 0

    # ------------------------------------------------------------ for tests

    def post(self, text: str, by: str = "token-1", **more: Any) -> str:
        """Somebody posts in the app on his phone."""
        user = self.users.get(by) or self._citizen(by)
        return self._new(user, text, **more).id

    def answer(self, to: str, text: str, by: str = "网友") -> str:
        """A citizen comments on a post, or answers a comment; gives the comment's id."""
        above = self.comments.get(to)
        status = above.status if above else self.statuses[to]
        words = f"回复@{above.user.name}:{text}" if above else text
        made = self._say(self._citizen(by), status, words, above)
        status.user.unread["cmt"] += 1
        return made.id

    def mention(self, text: str, by: str = "网友", of: str = "") -> str:
        """A citizen names account 1 in a post of his own, or reposts `of` with words."""
        self.users["token-1"].unread["mention_status"] += 1
        reposts = self.statuses[of] if of else None
        return self._new(self._citizen(by), f"{text} @云澜发布1", reposts=reposts).id

    def remove(self, one: str) -> None:
        self.comments.pop(one, None)
        self.statuses.pop(one, None)

    def calls(self, path: str) -> list[dict[str, str]]:
        """The fields of every request whose path ends so."""
        return [fields for _, asked, fields in self.asked if asked.endswith(path)]

    def _citizen(self, name: str) -> User:
        return self.citizens.setdefault(name, User(str(5000000000 + len(self.citizens)), name))

    # ------------------------------------------------------------ the handler

    def __call__(self, request: Request) -> Response:
        if request.path == "/oauth2/authorize":
            return page(self._granting(_fields(request)))
        given = _fields(request)
        self.asked.append((request.method, request.path, {k: _text(v) for k, v in given.items()}))
        try:
            return self._answer(request, given)
        except Refusal as refused:
            code = str(refused.code) if self.manners.code_as_text else refused.code
            body = {"request": request.path, "error_code": code, "error": refused.words}
            return reply(body, refused.status)

    def _granting(self, asked: Mapping[str, str]) -> str:
        """Links back to the one address that is registered: one an account, one that refuses."""
        if asked.get("redirect_uri") != self.callback:
            return "<h1>访问出错 redirect_uri_mismatch</h1>"
        said = [(token, {"code": token}) for token in self.users]
        said += [("拒绝", {"error": "access_denied", "error_code": "21330"})]
        state = {"state": asked.get("state", "")}
        links = (
            f'<a href="{escape(f"{self.callback}?{urlencode(q | state)}")}">{word}</a>'
            for word, q in said
        )
        return "<h1>微博登录</h1>" + " ".join(links)

    def _answer(self, request: Request, given: Mapping[str, Any]) -> Response:
        if request.path.startswith("/oauth2/"):
            return reply(self._oauth(request, given))
        found = re.fullmatch(r"/2/(\w+)/(\w+?)(/biz)?\.json", request.path)
        call = f"{found[1]}/{found[2]}" if found else ""
        if found is None or call not in CALLS or (found[3] and call not in BUSINESS):
            raise Refusal(10020, "request api not found", 404)
        method, act = CALLS[call]
        if request.method != method:
            raise Refusal(10021, "HTTP method is not suported for this request")
        user = self._known(request, given)
        business = bool(found[3])
        if business and not self.manners.business:
            raise Refusal(10014, "Insufficient app permissions!", 403)
        if business and given.get("source") != APP_KEY:
            raise Refusal(10006, "source paramter(appkey) is missing")
        if call not in FREE and not business:
            self._counted(user)
        grants = self.manners.grants
        if (
            not business
            and call.startswith("statuses/")
            and found[2] in GRANTED
            and found[2] not in grants
        ):
            raise Refusal(10014, "Insufficient app permissions!", 403)
        if self.manners.wants_rip and method == "POST" and not given.get("rip"):
            raise Refusal(10016, "miss required parameter (rip)")
        return reply(act(self, user, given, business))

    def _known(self, request: Request, given: Mapping[str, Any]) -> User:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        token = token if kind == "OAuth2" else str(given.get("access_token", ""))
        if not token:
            raise Refusal(10006, "source paramter(appkey) is missing")
        if token in self.dead:
            raise Refusal(self.dead[token], "expired_token", 403)
        if token not in self.users:
            raise Refusal(21332, "invalid_access_token", 403)
        return self.users[token]

    def _counted(self, user: User) -> None:
        user.used += 1
        if user.used > self.manners.user_limit:
            raise Refusal(10023, "User requests out of rate limit!", 403)

    def _oauth(self, request: Request, given: Mapping[str, Any]) -> Any:
        if request.method != "POST":
            raise Refusal(10021, "HTTP method is not suported for this request")
        if request.path.endswith("get_token_info"):
            user = self._known(request, given)
            left = int(self.born + self.manners.lives - time.time() - self.ahead)
            return {
                "uid": int(user.uid),
                "appkey": APP_KEY,
                "scope": None,
                "create_at": int(self.born),
                "expire_in": left,
            }
        if given.get("client_secret") != APP_SECRET or given.get("client_id") != APP_KEY:
            raise Refusal(21324, "invalid_client")
        if given.get("redirect_uri") != self.callback:
            raise Refusal(21322, "redirect_uri_mismatch")
        if given.get("code") not in self.users:
            raise Refusal(21325, "invalid_grant")
        user = self.users[given["code"]]
        token = {"access_token": given["code"], "remind_in": "7200", "expires_in": "7200"}
        return {**token, "uid": user.uid}

    # ------------------------------------------------------------ writing posts

    def share(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        pictures, text = self._ridden(given), self._content(user, given, 140)
        if self.manners.wants_link and not self.manners.bound:
            raise Refusal(10017, "appkey not bind domain!")
        links = [link for link in LINK.findall(text) if self.manners.domain in link]
        if self.manners.wants_link and not links:
            raise Refusal(10017, "text not find domain!")
        return self._status(self._new(user, text, pictures=pictures), user)

    def update(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        long = given.get("is_longtext") == "1"
        text = self._content(user, given, 2000 if long else 140)
        return self._status(self._new(user, text, long=long, free=True), user)

    def upload(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        pictures, text = self._ridden(given), self._content(user, given, 140)
        return self._status(self._new(user, text, pictures=pictures, free=True), user)

    def upload_pic(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        [pic_id] = self._ridden(given) or [""]
        if not pic_id:
            raise Refusal(20007, "does multipart has image?")
        base = f"http://ww1.sinaimg.example/%s/{pic_id}.jpg"
        sizes = {f"{n}_pic": base % n for n in ("thumbnail", "bmiddle", "original")}
        return {"pic_id": pic_id, **sizes}

    def upload_url_text(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        long = given.get("is_longtext") == "1"
        text = self._content(user, given, 2000 if long else 140)
        ids = str(given.get("pic_id", "")).split(",")
        if any(one not in self.pictures for one in ids) or len(ids) > 9:
            raise Refusal(20007, "pic not found")
        return self._status(self._new(user, text, long=long, pictures=ids, free=True), user)

    def repost(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        status = self._there(given)
        made = self._new(user, given.get("status") or "转发微博", reposts=status)
        self.log.append(made)
        return self._status(made, user)

    def destroy(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        status = self._there(given)
        if status.user is not user:
            raise Refusal(20102, "not your own weibo")
        del self.statuses[status.id]
        return self._status(status, user)

    def _content(
        self, user: User, given: Mapping[str, Any], limit: int, name: str = "status"
    ) -> str:
        text = str(given.get(name, ""))
        if not text.strip():
            raise Refusal(20008, "content is null")
        if _length(text) > limit:
            raise Refusal(20049 if limit > 140 else 20012, "Text too long, please input text less")
        if text == user.last and not self.manners.repeats:
            raise Refusal(20019, "repeat content!")
        user.last = text
        return text

    def _ridden(self, given: Mapping[str, Any]) -> list[str]:
        """The picture in a multipart body."""
        if "pic" not in given:
            return []
        if not isinstance(given["pic"], bytes) or not given["pic"].startswith(PICTURES):
            raise Refusal(20005, "unsupported image type")
        pic_id = f"pic{len(self.pictures)}"
        self.pictures[pic_id] = given["pic"]
        return [pic_id]

    def _new(self, user: User, text: str, *, free: bool = False, **more: Any) -> Status:
        shown, links = text, dict[str, str]()
        if self.manners.rewrites:
            shown = text if free else re.sub(r"#[^#]+#", "", text)
            for link in LINK.findall(shown):
                short = f"http://t.cn/A6{len(self.statuses)}x{len(links)}"
                links[short] = link
                shown = shown.replace(link, short, 1)
        status = Status(self._id(), user, text, shown, self._now(), links, **more)
        self.statuses[status.id] = status
        if user in self.users.values() and not status.reposts:
            self.log.append(status)
        return status

    # ------------------------------------------------------------ reading posts

    def user_timeline(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        own = [s for s in self.statuses.values() if s.user is user]
        if not business:
            own = own[-self.manners.latest :] if self.manners.latest else own
        seen = self._listed(list(filter(self._listable, own)), given, 100)
        total = sum(s.user is user for s in self.statuses.values())
        return self._page("statuses", [self._status(s, user) for s in seen], total)

    def show(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        status = self._there(given)
        if not self._listable(status):
            raise Refusal(20101, "target weibo does not exist!")
        return self._status(status, user)

    def count(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        ids = str(given.get("ids", "")).split(",")
        if len(ids) > 100:
            raise Refusal(20009, "too many ids")
        kind: type = str if business else int
        return [
            {
                "id": kind(one),
                "comments": kind(len(self._under(one))),
                "reposts": kind(sum(s.reposts is self.statuses[one] for s in self.log_statuses())),
                "likes" if business else "attitudes": kind(3),
            }
            for one in ids
            if one in self.statuses
        ]

    def log_statuses(self) -> Iterator[Status]:
        yield from self.statuses.values()

    def mentions(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        named = [s for s in self.statuses.values() if f"@{user.name}" in s.text]
        seen = self._listed(named, given, 200)
        return self._page("statuses", [self._status(s, user) for s in seen], len(named))

    # ------------------------------------------------------------ comments

    def comments_show(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        """Filtered after counting and paging: a page in the middle may be short, or empty."""
        below = self._under(self._there(given).id)
        shown = [c for c in self._listed(below, given, self.manners.cap) if not c.hidden]
        return self._page("comments", [self._comment(c, user) for c in shown], len(below))

    def to_me(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        def mine(c: Comment) -> bool:
            to = c.parent.user if c.parent else c.status.user
            return c.user is not user and user in (to, c.status.user) and not c.hidden

        heard = [c for c in self.comments.values() if mine(c)]
        seen = self._listed(heard, given, self.manners.cap)
        return self._page("comments", [self._comment(c, user) for c in seen], len(heard))

    def by_me(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        said = [c for c in self.comments.values() if c.user is user]
        seen = self._listed(list(filter(self._listable, said)), given, self.manners.cap)
        return self._page("comments", [self._comment(c, user) for c in seen], len(said))

    def comments_mentions(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        named = [c for c in self.comments.values() if f"@{user.name}" in c.text and not c.parent]
        seen = self._listed(named, given, self.manners.cap)
        return self._page("comments", [self._comment(c, user) for c in seen], len(named))

    def show_batch(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        ids = str(given.get("cids", "")).split(",")
        known = [self.comments[one] for one in ids if one in self.comments]
        return [self._comment(c, user) for c in known if self._listable(c)]

    def create(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        status = self._there(given)
        words = self._content(user, given, 140, "comment")
        return self._comment(self._logged(self._say(user, status, words, None)), user)

    def answered(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        above, status = self.comments.get(str(given.get("cid"))), self._there(given)
        if above is None:
            raise Refusal(20201, "target comment does not exist")
        words = self._content(user, given, 140, "comment")
        if above.status is not status:
            raise Refusal(10016, "miss required parameter (id)")
        if given.get("without_mention") != "1":
            words = f"回复@{above.user.name}:{words}"
        return self._comment(self._logged(self._say(user, status, words, above)), user)

    def comments_destroy(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        comment = self.comments.get(str(given.get("cid")))
        if comment is None:
            raise Refusal(20201, "target comment does not exist")
        if comment.user is not user:
            raise Refusal(20203, "not your own comment")
        del self.comments[comment.id]
        return self._comment(comment, user)

    def _logged(self, comment: Comment) -> Comment:
        self.log.append(comment)
        return comment

    def _say(self, user: User, status: Status, words: str, above: Comment | None) -> Comment:
        made = Comment(self._id(), user, status, words, self._now(), above)
        self.comments[made.id] = made
        return made

    def _under(self, status_id: str) -> list[Comment]:
        return [c for c in self.comments.values() if c.status.id == status_id]

    # ------------------------------------------------------------ counters

    def unread_count(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        if given.get("uid") != user.uid:
            raise Refusal(21335, "uid must be current user's")
        return dict(user.unread)

    def rate_limit_status(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        limit = self.manners.user_limit
        return {
            "ip_limit": 15000,
            "limit_time_unit": "HOURS",
            "remaining_ip_hits": 15000,
            "remaining_user_hits": max(0, limit - user.used),
            "reset_time": "2026-11-24 18:00:00",
            "reset_time_in_seconds": 1234,
            "user_limit": limit,
            "api_rate_limits": [],
        }

    def expand(self, user: User, given: Mapping[str, Any], business: bool) -> Any:
        if not self.manners.expands:
            raise Refusal(10014, "Insufficient app permissions!", 403)
        known = {short: long for s in self.statuses.values() for short, long in s.links.items()}
        asked = given["url_short"] if isinstance(given["url_short"], list) else [given["url_short"]]
        return {
            "urls": [
                {"result": True, "url_short": one, "url_long": known[one], "type": 0}
                for one in asked
                if one in known
            ]
        }

    # ------------------------------------------------------------ inside

    def _now(self) -> float:
        return time.time() + self.ahead

    def _id(self) -> str:
        self._number += 1
        return str(((int(self._now()) - EPOCH) << 22) + self._number)

    def _listable(self, one: Status | Comment) -> bool:
        return one.at <= self._now() - self.manners.lag

    def _there(self, given: Mapping[str, Any]) -> Status:
        status = self.statuses.get(str(given.get("id")))
        if status is None:
            raise Refusal(20101, "target weibo does not exist!")
        return status

    def _listed(self, rows: list[Any], given: Mapping[str, Any], most: int) -> list[Any]:
        """Newest first; since_id is below the rows, max_id within them."""
        since, last = int(given.get("since_id") or 0), int(given.get("max_id") or 1 << 62)
        kept = sorted((r for r in rows if since < int(r.id) <= last), key=lambda r: -int(r.id))
        size, at = min(most, int(given.get("count") or 50)), int(given.get("page") or 1)
        return kept[(at - 1) * size : at * size]

    def _page(self, name: str, rows: list[Any], total: int) -> Any:
        counted = {"total_number": total} if self.manners.counts else {}
        return {name: rows, "previous_cursor": 0, "next_cursor": 0, **counted}

    def _user(self, user: User) -> Any:
        return {
            "id": int(user.uid),
            "idstr": user.uid,
            "screen_name": user.name,
            "name": user.name,
            "verified_type": 1,
        }

    def _status(self, s: Status, reader: User) -> Any:
        shown = {
            "created_at": _time(s.at),
            "id": _lossy(s.id),
            "mid": s.id,
            "idstr": s.id,
            "text": s.text,
            "source": '<a href="http://app.weibo.example" rel="nofollow">公开</a>',
            "truncated": False,
            "pic_urls": [{"thumbnail_pic": f"http://ww1.example/{p}.jpg"} for p in s.pictures],
            "user": self._user(s.user),
            "comments_count": len(self._under(s.id)),
            "visible": {"type": s.kind, "list_id": 0},
            "isLongText": s.long and len(s.text) > 140,
        }
        if shown["isLongText"]:
            shown["text"] = f"{s.text[:130]}...全文： http://m.weibo.cn/{s.user.uid}/{s.id}"
        if s.links and self.manners.tells_links:
            shown["url_objects"] = [
                {"url_ori": short, "info": {"url_short": short, "url_long": long, "result": True}}
                for short, long in s.links.items()
            ]
        if s.reposts:
            shown["retweeted_status"] = self._status(s.reposts, reader)
        return shown

    def _comment(self, c: Comment, reader: User) -> Any:
        root = c
        while root.parent:
            root = root.parent
        shown = {
            "created_at": _time(c.at),
            "id": _lossy(c.id),
            "idstr": c.id,
            "mid": c.id,
            "rootid": int(root.id),
            "floor_number": 0,
            "text": c.text,
            "source": "",
            "user": self._user(c.user),
            "status": self._status(c.status, reader),
        }
        if c.parent:
            above = {"id": int(c.parent.id), "idstr": c.parent.id, "text": c.parent.text}
            shown["reply_comment"] = {**above, "user": self._user(c.parent.user)}
        return shown


Call = Callable[[Weibo, User, Mapping[str, Any], bool], Any]
CALLS: Mapping[str, tuple[str, Call]] = {
    "statuses/share": ("POST", Weibo.share),
    "statuses/update": ("POST", Weibo.update),
    "statuses/upload": ("POST", Weibo.upload),
    "statuses/upload_pic": ("POST", Weibo.upload_pic),
    "statuses/upload_url_text": ("POST", Weibo.upload_url_text),
    "statuses/repost": ("POST", Weibo.repost),
    "statuses/destroy": ("POST", Weibo.destroy),
    "statuses/user_timeline": ("GET", Weibo.user_timeline),
    "statuses/show": ("GET", Weibo.show),
    "statuses/count": ("GET", Weibo.count),
    "statuses/mentions": ("GET", Weibo.mentions),
    "comments/show": ("GET", Weibo.comments_show),
    "comments/to_me": ("GET", Weibo.to_me),
    "comments/by_me": ("GET", Weibo.by_me),
    "comments/mentions": ("GET", Weibo.comments_mentions),
    "comments/show_batch": ("GET", Weibo.show_batch),
    "comments/create": ("POST", Weibo.create),
    "comments/reply": ("POST", Weibo.answered),
    "comments/destroy": ("POST", Weibo.comments_destroy),
    "remind/unread_count": ("GET", Weibo.unread_count),
    "account/rate_limit_status": ("GET", Weibo.rate_limit_status),
    "short_url/expand": ("GET", Weibo.expand),
}
FREE = ("remind/unread_count", "account/rate_limit_status")


def _lossy(one: str) -> int:
    """As a number an id may lose its last digits: Weibo's own sample did."""
    return int(one) // 10000 * 10000


def _time(at: float) -> str:
    day = datetime.fromtimestamp(at, UTC).astimezone(CHINA)
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day.weekday()]
    return f"{week} {names[day.month - 1]} {day:%d %H:%M:%S} +0800 {day.year}"


def _length(text: str) -> int:
    """As the composer counts: Latin-1 a half, a link ten up to 140 of its characters."""
    halves = sum(20 + max(0, len(link) - 140) for link in LINK.findall(text))
    rest = LINK.sub("", text).replace("\r\n", "\n")
    units = rest.encode("utf-16-le")
    halves += sum(1 if high == 0 else 2 for high in units[1::2])
    return math.ceil(halves / 2)


def _fields(request: Request) -> dict[str, Any]:
    """Query, form or multipart; a field given twice is a list. JSON is not understood."""
    given = {k: v if len(v) > 1 else v[0] for k, v in parse_qs(request.query, True).items()}
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        body = request.body.decode("utf-8")
        given |= {k: v if len(v) > 1 else v[0] for k, v in parse_qs(body, True).items()}
    if kind.startswith("multipart/form-data"):
        given |= _multipart(request.body, kind.partition("boundary=")[2].strip('"'))
    return given


def _multipart(body: bytes, boundary: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for part in body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        content = content.removesuffix(b"\r\n")
        if name and b"filename=" in head and b"Content-Type:" in head:
            given[name[1].decode()] = content
        elif name:
            given[name[1].decode()] = content.decode("utf-8")
    return given


def _text(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


# ---------------------------------------------------------------- running it


@contextmanager
def running(accounts: int = 2, manners: Manners | None = None) -> Iterator[tuple[Weibo, Server]]:
    """In this process, in a thread."""
    fake = Weibo(accounts, manners)
    with Server(fake) as server:
        yield fake, server


def main() -> None:
    with running() as (_, server):
        came_back = f"{CALLBACK}?{urlencode({'code': 'token-1'})}"
        print(f"{server.url}  app_key {APP_KEY}  secret {APP_SECRET}  code token-1  {came_back}")
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
