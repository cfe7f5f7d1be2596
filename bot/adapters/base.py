"""The contract every platform's adapter keeps, and the one HTTP client it is handed.

An adapter is one class, in a file or a folder of its own. It gets its options, its credential, a
client and values; it returns values. It never sleeps, never logs text, never sees the database. Of
its errors it raises only `Later`, `Refused`, `AccountBroken`, `Uncertain` and `Unsupported`
(bot.errors); a table at the top of a file maps the platform's codes to these.
tests/adapters/contract.py is the suite that tells an outsider when a new adapter is right.

The client (bot.adapters.client) decides, once, what a cut call means.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from bot.adapters.client import Answer, Client, MaybeSent, NotSent, retry_after, ssl_context
from bot.errors import AdapterError, Unsupported
from bot.language import Say
from bot.model import (
    Capabilities,
    Checked,
    Looked,
    Outgoing,
    Receipt,
    ReplyPage,
    Staged,
    Task,
    Unknown,
    Visible,
)

# ---------------------------------------------------------------- the contract


class Options(BaseModel):
    """Base of an adapter's options: what stands under [accounts.KEY.options] in config.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# How an account is granted: on a page of the platform's, by a token handed over, or not at all.
Grant = Literal["page", "token", "none"]


@dataclass(frozen=True)
class Connecting:
    """A connection half made. `secret` is what the adapter needs to finish it.

    `returns`: the platform sends the browser back to us by itself; else a person brings the code.
    """

    url: str
    secret: str = field(repr=False)
    returns: bool = False


class Adapter(ABC):
    """One account on one platform. Construct it with its client; it holds no other state."""

    name: ClassVar[str]
    label: ClassVar[str]  # Chinese name of the platform
    letter: ClassVar[str]  # one character for the console's account squares
    grant: ClassVar[Grant] = "token"
    options_model: ClassVar[type[Options]] = Options
    capabilities: ClassVar[Capabilities] = Capabilities()
    client_options: ClassVar[Mapping[str, Any]] = {}  # what its Client is made with besides

    def __init__(self, options: Options, credential: str, client: Client) -> None:
        """`credential` is the secret as stored (often a token); empty where none is needed."""
        self.options = options
        self.credential = credential
        self.client = client
        client.secret = credential

    def __repr__(self) -> str:  # a credential must never be seen by accident
        return f"<{type(self).__name__}>"

    @classmethod
    def capabilities_of(cls, options: Any) -> Capabilities:
        """What is known of an account before `check()` first ran: the class's, or by its options."""
        return cls.capabilities

    @classmethod
    def id_in(cls, link: str) -> str:
        """The remote id of a post, as a person pastes its address; usually its last part."""
        return link.split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]

    @classmethod
    async def connect_begin(
        cls, options: Any, client: Client, state: str, back: str = ""
    ) -> Connecting:
        """Where a person goes to let us speak for the account (`grant` is "page").

        The platform sends `state` back with its code; to `back`, an address of ours, where it can.
        Raises Unsupported, Refused (an option is missing), Later.
        """
        raise Unsupported("{adapter} 没有授权网页，请直接填写凭据", adapter=cls.name)

    @classmethod
    async def connect_finish(
        cls, options: Any, client: Client, connecting: Connecting, code: str
    ) -> str:
        """The credential for the `code` that came back. Raises Refused, Later."""
        raise Unsupported("{adapter} 没有授权网页，请直接填写凭据", adapter=cls.name)

    @classmethod
    def task(cls, options: Any, act: str, outgoing: Outgoing, receipt: Receipt) -> Task | None:
        """What a person is told to do for `act`, where the platform is served by hand: the very
        words its call gives, in the language of whoever looks. Changes nothing, asks nobody."""
        return None

    async def check(self) -> Checked:
        """Who are we there, what can it do, how long does the credential live. Changes nothing.

        Raises AccountBroken for a dead credential, Later when the platform cannot be asked.
        """
        raise Unsupported("{adapter} 不支持检查", adapter=self.name)

    async def stage(self, outgoing: Outgoing, files: Mapping[str, bytes]) -> Staged:
        """Upload `outgoing.media` (bytes in `files` by sha256). Invisible to the public, repeatable."""
        return Staged()

    async def publish(self, outgoing: Outgoing, staged: Staged, key: str) -> Receipt | Task:
        """Exactly one public change. `key` is the delivery's, the same on every attempt."""
        raise Unsupported("{adapter} 不支持发布", adapter=self.name)

    async def edit(
        self, receipt: Receipt, outgoing: Outgoing, staged: Staged, key: str
    ) -> Receipt | Task:
        """Replace what stands at `receipt` with `outgoing`. One public change."""
        raise Unsupported("{adapter} 不支持修改已发内容", adapter=self.name)

    async def withdraw(self, receipt: Receipt, key: str) -> Receipt | Task:
        """Take `receipt` down. Already gone is success. One public change."""
        raise Unsupported("{adapter} 不支持撤回", adapter=self.name)

    async def repost(self, remote_id: str, key: str) -> Receipt | Task:
        """Repost another account's post. One public change."""
        raise Unsupported("{adapter} 不支持转发", adapter=self.name)

    async def find(
        self, outgoing: Outgoing, key: str, since: datetime, taken: frozenset[str]
    ) -> Looked:
        """Was `outgoing` published at or after `since`? Skips remote ids in `taken`.

        Found(receipt), Absent (the listing reaches back before `since` and it is not there), or
        Unknown. Called no sooner than the declared listing lag after the attempt. Raises Later,
        AccountBroken.
        """
        return Unknown()

    async def applied(self, act: str, receipt: Receipt, outgoing: Outgoing | None) -> Looked:
        """Did an edit or a withdrawal of `receipt`, whose outcome is unknown, take effect?

        Found(receipt): it did. Absent: `receipt` stands unchanged. Unknown: cannot be told.
        """
        return Unknown()

    async def visible(self, receipt: Receipt) -> Visible:
        """Does an outsider without credentials see it?"""
        return Visible.CANNOT_TELL

    async def replies(self, receipt: Receipt | None, cursor: str | None) -> ReplyPage:
        """A page of replies under `receipt`, or (None) of what mentions the account.

        `cursor` None begins a full walk from the start; a page's `cursor` continues it; its
        `resume` begins a later incremental walk. Same cursor, same page or a superset of it.
        """
        raise Unsupported("{adapter} 不支持采集评论", adapter=self.name)


# ---------------------------------------------------------------- finding them

ADAPTERS = {
    "board": "bot.adapters.board:Board",
    "byhand": "bot.adapters.byhand:ByHand",
    "mastodon": "bot.adapters.mastodon:Mastodon",
    "weibo": "bot.adapters.weibo:Weibo",
}


def names() -> list[str]:
    """Every adapter there is: ours first, then what outsiders' packages offer."""
    return [
        *ADAPTERS,
        *(e.name for e in entry_points(group="gongkai.adapters") if e.name not in ADAPTERS),
    ]


@cache
def adapter_class(name: str) -> type[Adapter]:
    """The class called `name`; raises KeyError. Imported on first use only."""
    if name in ADAPTERS:
        module, _, attribute = ADAPTERS[name].partition(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    for entry in entry_points(group="gongkai.adapters"):
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    raise KeyError(name)


__all__ = [
    "Adapter",
    "AdapterError",
    "Answer",
    "Client",
    "Connecting",
    "MaybeSent",
    "NotSent",
    "Options",
    "Say",
    "adapter_class",
    "names",
    "retry_after",
    "ssl_context",
]
