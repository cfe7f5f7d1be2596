"""The vocabulary: every word of the office's work, once. Read this file first.

Standard library only; nothing here touches a database, a clock or the network. Values are frozen.
All instants are aware datetimes in UTC; where a day or an hour of the office is meant the name
says so. The Chinese of each word is in docs/glossary.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

# ---------------------------------------------------------------- states


class PostState(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    CLOSED = "closed"


class PostKind(StrEnum):
    NOTICE = "notice"
    EMERGENCY = "emergency"
    RESPONSE = "response"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    REPOST = "repost"  # asked for by another unit
    ELSEWHERE = "elsewhere"  # made on the platform itself, and adopted


class ItemState(StrEnum):
    NEW = "new"
    COMPOSED = "composed"
    SKIPPED = "skipped"


class SourceState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


class AccountState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    BROKEN = "broken"


class Act(StrEnum):
    """What a delivery does on the platform. Each act is one outward change."""

    PUBLISH = "publish"
    EDIT = "edit"
    WITHDRAW = "withdraw"
    REPOST = "repost"


class DeliveryState(StrEnum):
    """`held` is not here: it is computed from the holds that stand."""

    READY = "ready"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"


class Outcome(StrEnum):
    """How an attempt ended; an open attempt has none."""

    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    ABSENT = "absent"  # looked up: it never arrived
    DROPPED = "dropped"  # a person decided


class Severity(StrEnum):
    BLOCK = "block"
    WARN = "warn"
    NOTE = "note"


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    RETURN = "return"
    REFER = "refer"


class SignOffKind(StrEnum):
    PERSON = "person"
    STANDING = "standing"
    OFFLINE = "offline"  # 登记线下签批
    EMERGENCY = "emergency"


class WatchState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class ReplyState(StrEnum):
    VISIBLE = "visible"
    EDITED = "edited"
    REMOVED = "removed"


class HoldScope(StrEnum):
    ALL = "all"
    UNIT = "unit"
    ACCOUNT = "account"
    SOURCE = "source"
    ITEM = "item"
    POST = "post"


class NoticeKind(StrEnum):
    """What an incident is about: the first word of its notice's key."""

    REVIEW = "review"  # a step of a post waits for somebody's sign-off
    EMERGENCY = "emergency"  # the same, and it cannot wait for the morning
    RETURNED = "returned"
    DELEGATION = "delegation"  # somebody is named to act for another; that ends, or was taken back
    REFER = "refer"
    DELIVERY = "delivery"  # failed, missed, uncertain, waits for a person
    POST = "post"
    ITEM = "item"
    SCHEDULE = "schedule"
    ACCOUNT = "account"  # broken
    TOKEN = "token"  # noqa: S105 - ends soon
    IDLE = "idle"  # an account has published nothing for days
    COLLECT = "collect"  # replies are not heard
    GAP = "gap"  # posts made on the platform itself may have gone by unseen
    SOURCE = "source"
    FLOOD = "flood"
    BASELINE = "baseline"
    HOLD = "hold"
    HELD = "held"  # what fell due under 肃穆模式 waits for somebody
    TAKE_DOWN = "take-down"  # a 公示 whose time is over
    DISK = "disk"
    WORKER = "worker"
    TELLING = "telling"  # an address that does not answer
    OTHER = "other"


class Role(StrEnum):
    CONTRIBUTOR = "contributor"  # 信息员
    EDITOR = "editor"
    REVIEWER = "reviewer"
    SIGNER = "signer"
    RESPONDER = "responder"
    SUPERVISOR = "supervisor"  # reads all, changes nothing
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    READ = "read"
    SUBMIT = "submit"  # hand in material
    WRITE = "write"  # make and change posts
    REVIEW = "review"  # pass a step that is not the last
    SIGN = "sign"  # pass the last step
    RECORD = "record"  # enter an offline sign-off
    SCHEDULE = "schedule"  # queue: cancel, retry, resolve, receipts
    STOP = "stop"  # the stop switch and its lifting
    REPLY = "reply"  # read and handle replies, moderate the board
    ADMIN = "admin"  # accounts, sources, people


class Scope(StrEnum):
    """What a token may be used for; its person's rights bound it besides."""

    READ = "read"
    WRITE = "write"  # entries, drafts, handing in, answers, the queue
    SIGN = "sign"  # every step of review, and taking a sign-off back
    HOLD = "hold"  # the stop switch and its lifting
    ADMIN = "admin"  # people, accounts, sources, and what the office writes itself


# ---------------------------------------------------------------- content


@dataclass(frozen=True)
class Media:
    """One picture as it will be uploaded. `sha256` names the bytes in the media store."""

    sha256: str
    kind: str  # "image/png"
    size: int
    width: int
    height: int
    alt: str = ""


PREVIOUS_PART = "@previous"  # stands for the remote id of the part before, known only when sent


@dataclass(frozen=True)
class Outgoing:
    """One part of a post as it will stand on one account: what is signed is what is sent."""

    text: str
    media: tuple[Media, ...] = ()
    language: str = "zh"
    visibility: str = "public"  # public | unlisted | private
    warning: str = ""  # content warning; empty is none
    link: str = ""  # the link to the source, as it stands in the text
    in_reply_to: str = ""  # remote id of what this answers
    title: str = ""  # only platforms with titles (the board) show it
    continues: bool = False  # a later part of a thread: what it hangs under was just published

    def json(self) -> dict[str, Any]:
        """As signed: whether it continues a thread is told by PREVIOUS_PART, as long as it waits."""
        return {name: value for name, value in asdict(self).items() if name != "continues"}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Outgoing:
        media = tuple(Media(**m) for m in stored["media"])
        return cls(**{**stored, "media": media})


@dataclass(frozen=True)
class Identity:
    """Who an account is on its platform. `id` never changes; `name` may."""

    id: str
    name: str
    url: str = ""


@dataclass(frozen=True)
class Receipt:
    """Proof of one outward change."""

    remote_id: str
    url: str = ""
    at: datetime | None = None  # the platform's own time, where it gives one
    raw: str = ""


@dataclass(frozen=True)
class Task:
    """A person must do it by hand; `instructions` tell how."""

    instructions: str


@dataclass(frozen=True)
class Staged:
    """What staging left on the platform, invisible to the public: upload ids in order.

    `files`: the pictures themselves, by sha256, where they ride in the publishing request
    (Capabilities.media_inline); handed over at the call, never stored with the rest.
    """

    media: tuple[str, ...] = ()
    until: datetime | None = None  # when the platform forgets it
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def json(self) -> dict[str, Any]:
        return {"media": list(self.media), "until": self.until.isoformat() if self.until else None}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Staged:
        until = datetime.fromisoformat(stored["until"]) if stored["until"] else None
        return cls(tuple(stored["media"]), until)


# ---------------------------------------------------------------- looking up


@dataclass(frozen=True)
class Found:
    receipt: Receipt


@dataclass(frozen=True)
class Absent:
    """The listing reaches back before the attempt began and it is not there."""


@dataclass(frozen=True)
class Unknown:
    """Cannot be told; `why` in the platform's or our own words."""

    why: str = ""


Looked = Found | Absent | Unknown


class Visible(StrEnum):
    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"


# ---------------------------------------------------------------- what an adapter can do


class Unit(StrEnum):
    """What a text limit counts; bot.text does the counting."""

    CHARACTERS = "characters"  # Unicode code points (Mastodon), links at link_weight
    GRAPHEMES = "graphemes"  # Bluesky
    WEIBO = "weibo"  # half-width units, two make one
    NONE = "none"


class OverLimit(StrEnum):
    REFUSE = "refuse"
    SHORTEN = "shorten"  # with the link kept
    THREAD = "thread"


class Topics(StrEnum):
    """How a platform writes a topic tag."""

    NONE = "none"
    BEFORE = "before"  # #话题, up to the next blank
    AROUND = "around"  # #话题#
    TAKEN_OUT = "taken_out"  # none: where #话题# stands in a text it is taken out


class Idempotency(StrEnum):
    KEY = "key"  # the platform keeps our key for `idempotency_ttl`
    CLIENT_ID = "client_id"  # we choose the id; the second write is refused
    FINDABLE = "findable"  # no key, but the own listing can be read
    NONE = "none"


class RepliesBy(StrEnum):
    NONE = "none"
    POLL = "poll"
    PUSH = "push"


@dataclass(frozen=True)
class Capabilities:
    """What a platform can do. Class default, refined by `check()` against the live instance."""

    text_limit: int = 0  # in `unit`s; 0 is none
    unit: Unit = Unit.CHARACTERS
    byte_limit: int = 0  # UTF-8 bytes; 0 is none
    link_weight: int = 0  # what a link counts whatever its length; 0 is its own length
    over_limit: OverLimit = OverLimit.REFUSE
    media_count: int = 0
    media_kinds: tuple[str, ...] = ()
    media_bytes: int = 0  # per file
    media_pixels: int = 0  # width × height; 0 is none
    media_side: int = 0  # the longer side; 0 is none
    media_ratio: float = 0  # the longer side to the shorter, at most; 0 is none
    media_inline: bool = False  # pictures ride in the publishing request: see Staged.files
    alt_text: bool = False
    alt_limit: int = 0
    warning: bool = False
    visibilities: tuple[str, ...] = ("public",)
    language: bool = False
    title: bool = False  # shows Outgoing.title
    topic_form: Topics = Topics.NONE
    link_required: bool = False  # a post must hold a link (an answer need not)
    link_domains: tuple[str, ...] = ()  # one on these hosts or below them; empty: on any
    link_parameter: str = ""  # a query parameter that makes one link, so the post, findable
    idempotency: Idempotency = Idempotency.NONE
    idempotency_seconds: int = 0
    listing_depth: int = 0  # how many own posts the listing shows; 0 is all
    listing_lag_seconds: int = 0  # how long until a write is sure to show there
    keep_alive_writes: bool = False  # a write may ride on an idle connection
    replies: RepliesBy = RepliesBy.NONE
    deletions_visible: bool = False  # the platform says when a reply was deleted
    mentions: bool = False  # replies(None, …) lists what mentions the account
    calls_per_day: int = 0  # a small quota for all calls: polled sparingly; 0 is none
    edit: bool = False
    withdraw: bool = False
    repost: bool = False
    answer: bool = False  # may publish with in_reply_to
    answer_limit: int = 0  # of the text of such a one; 0 is text_limit
    answer_media: bool = True
    by_hand: bool = False
    writes_per_hour: int = 0  # 0 is unknown: the account's own pace rules
    timeout_seconds: int = 30  # the whole of one call

    @property
    def of_an_answer(self) -> Capabilities:
        """The same, for what is said under a post: an answer, a further part of a thread."""
        limit = self.answer_limit or self.text_limit
        return replace(self, text_limit=limit, media_count=self.media_count * self.answer_media)

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    @lru_cache(maxsize=1000)
    def parse(cls, stored: str) -> Capabilities:
        """Of JSON as text: the same for all rows of an account, and asked for with each."""
        return cls.of(json.loads(stored))

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Capabilities:
        values = dict(stored)
        for name in {"media_kinds", "visibilities", "link_domains"} & values.keys():
            values[name] = tuple(values[name])
        values["unit"] = Unit(values["unit"])
        values["over_limit"] = OverLimit(values["over_limit"])
        values["idempotency"] = Idempotency(values["idempotency"])
        values["replies"] = RepliesBy(values["replies"])
        values["topic_form"] = Topics(
            values.get("topic_form", Topics.NONE)
        )  # stored before it was known
        return cls(**values)


@dataclass(frozen=True)
class Posted:
    """A post of the account's own that this system did not make: from a phone, another program."""

    remote_id: str
    url: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Checked:
    """What `check()` found: who we are there, what it can do, how long the credential lives.

    `posted`: the newest posts made elsewhere, where the platform lists them; they are adopted.
    `oldest`: where that listing ends, if there may be older ones; `total`: the platform's own count
    of all posts of the account.
    """

    identity: Identity
    capabilities: Capabilities
    token_ends: datetime | None = None
    posted: tuple[Posted, ...] = ()
    oldest: datetime | None = None
    total: int | None = None


# ---------------------------------------------------------------- replies


@dataclass(frozen=True)
class RemoteReply:
    """A public reply as the platform gives it now. `text` is plain, paragraphs as newlines."""

    remote_id: str
    author_id: str
    author_name: str
    text: str
    at: datetime
    parent_id: str = ""  # what it answers: a reply's or the post's remote id
    root_id: str = ""  # the post it stands under, where the platform says; needed for mentions
    url: str = ""
    handle: str = ""  # what its author is addressed by there, without the @; empty: by nothing
    edited: bool = False
    removed: bool = False  # the platform's own word
    taken_back: bool = False  # by its writer, where he was promised that nothing of it is kept
    raw: str = ""


@dataclass(frozen=True)
class ReplyPage:
    """One page of replies. `cursor` None: the end. `complete`: the walk saw all there is.

    `cursor` is opaque; `resume` is where a later, incremental poll may begin (None: from the
    start). `total` is the platform's own count, where it gives one.
    """

    replies: tuple[RemoteReply, ...] = ()
    cursor: str | None = None
    resume: str | None = None
    total: int | None = None
    complete: bool = False
    why_partial: str = ""
    likes: int | None = None  # of the post itself, where the platform says
    reposts: int | None = None


# ---------------------------------------------------------------- catalogue


@dataclass(frozen=True)
class Attachment:
    url: str
    name: str = ""
    kind: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """A catalogue entry as a source gives it. A missing date stays None, never today's.

    `key` is the identity within the source: the entry's own where it is one, else a digest.
    `digest` is of the normalised fields, so that a change of markup or spacing alone is no change.
    """

    key: str
    title: str
    link: str = ""
    published: datetime | None = None
    formed: datetime | None = None  # 生成日期, 成文日期
    index_number: str = ""  # 索引号
    document_number: str = ""  # 发文字号
    publisher: str = ""  # 发布机构
    column: str = ""  # 栏目
    topic: str = ""  # 主题分类
    summary: str = ""  # 内容概述, plain text
    body: str = ""  # plain text, paragraphs as newlines
    language: str = ""
    attachments: tuple[Attachment, ...] = ()
    raw_digest: str = ""

    @property
    def digest(self) -> str:
        said = {k: v for k, v in self.json().items() if k not in ("key", "raw_digest")}
        return digest_of(
            {k: "".join(v.split()) if isinstance(v, str) else v for k, v in said.items()}
        )

    def json(self) -> dict[str, Any]:
        values = asdict(self)
        for name in ("published", "formed"):
            values[name] = values[name].isoformat() if values[name] else None
        return {**values, "attachments": list(values["attachments"])}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Entry:
        values = dict(stored)
        for name in ("published", "formed"):
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        values["attachments"] = tuple(Attachment(**a) for a in values["attachments"])
        return cls(**values)


@dataclass(frozen=True)
class Reading:
    """What one poll of a source gave.

    `whole`: the catalogue was read to its end, so an absent entry is truly missing.
    `unchanged`: the server said nothing is new (304); `entries` is then empty.
    `gone`: keys that are surely gone: their own page says 404 or 410, their file was taken away;
    they are not among the entries.
    """

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    unchanged: bool = False
    etag: str = ""
    last_modified: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    memo: Mapping[str, Any] = field(default_factory=dict)  # for the next reading: Origin.memo
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something a reader noticed and survived: where, and what; `secret`: somebody must be told."""

    where: str
    what: str
    secret: bool = False


# ---------------------------------------------------------------- screening


@dataclass(frozen=True)
class Finding:
    """What screening says of a text; `start` and `end` are code points in it."""

    rule: str
    severity: Severity
    start: int
    end: int
    text: str
    message: str
    suggestion: str = ""

    def json(self) -> dict[str, Any]:
        return asdict(self)


class LinkState(StrEnum):
    """What a look at an address said."""

    UNKNOWN = "unknown"  # not looked at yet
    ALIVE = "alive"
    DEAD = "dead"  # its page says 404 or 410, or its host's name does not exist
    UNREACHABLE = "unreachable"  # whether it is there cannot be told from here


@dataclass(frozen=True)
class LinkLook:
    """An address as it was found; `status` 0: no answer came."""

    state: LinkState
    status: int = 0


# ---------------------------------------------------------------- people


@dataclass(frozen=True)
class Actor:
    """Who acts. `person` is None for the machine itself. `origin`: address, "cli" or "worker"."""

    person: int | None
    name: str
    origin: str = ""


MACHINE = Actor(None, "gongkai", "worker")


@dataclass(frozen=True)
class Window:
    """The span of time a sign-off lets something go out in; None is open on that side."""

    begins: datetime | None = None
    ends: datetime | None = None

    def meet(self, other: Window) -> Window:
        """The intersection."""
        begins = [t for t in (self.begins, other.begins) if t]
        ends = [t for t in (self.ends, other.ends) if t]
        return Window(max(begins, default=None), min(ends, default=None))

    def holds(self, at: datetime) -> bool:
        return (not self.begins or at >= self.begins) and (not self.ends or at <= self.ends)


# ---------------------------------------------------------------- digests


def canonical(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON with sorted keys and nothing to spare: the form every digest is taken of."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest_of(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """SHA-256, in hexadecimal, of the canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def later(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)
