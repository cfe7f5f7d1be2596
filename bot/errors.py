"""What can go wrong, as people are told it.

GongkaiError                 a sentence for a person: what happened, where, what to do
├── ConfigError              config.toml, a template, a schedule: file, line, key
├── NotAllowed               this person may not do this here
├── NotFound                 no such row
├── Conflict                 somebody else was quicker, or the row is no longer in that state
├── Invalid                  what was handed in cannot be taken
├── SourceError              a catalogue could not be read whole; nothing of it was taken
└── AdapterError             raised by adapters, and by nothing else
    ├── Later                nothing was taken; try again, perhaps after a stated time
    ├── Refused              read and refused for good: an officer must see why
    ├── AccountBroken        the account cannot be used until a person mends it
    ├── Uncertain            it may have been taken; it must be looked up, never sent again blindly
    └── Unsupported          the adapter declared that it cannot do this
"""

from __future__ import annotations

import errno
from datetime import timedelta
from typing import Any

from bot.language import Say
from bot.model import Right


class GongkaiError(Exception):
    """The root. `say` is the sentence; `str()` puts it into the current language."""

    def __init__(self, text: str | Say, /, **values: Any) -> None:
        self.say = text if isinstance(text, Say) else Say(text, **values)
        super().__init__(self.say.text)

    def __str__(self) -> str:
        return str(self.say)


_REASONS = {
    errno.ENOENT: Say("没有这个文件或文件夹"),
    errno.EISDIR: Say("是文件夹，不是文件"),
    errno.ENOTDIR: Say("不是文件夹"),
    errno.EACCES: Say("没有权限"),
    errno.EPERM: Say("没有权限"),
    errno.EROFS: Say("磁盘是只读的"),
    errno.ENOSPC: Say("磁盘已满"),
    errno.EDQUOT: Say("磁盘配额已满"),
    errno.ENAMETOOLONG: Say("文件名太长"),
    errno.EADDRINUSE: Say("端口已被占用"),
    errno.EADDRNOTAVAIL: Say("本机没有这个地址"),
}


def reason_of(error: OSError) -> Say:
    """Why the machine refused, in words; its own where we have none."""
    own = error.strerror or str(error)
    return _REASONS.get(error.errno or 0) or Say("{why}", why=own)


class ConfigError(GongkaiError):
    """A file of the office's own is wrong: says which, on which line, and what to write."""


class NotAllowed(GongkaiError):
    """The acting person lacks the right, here. `right` at `unit` is what it takes, where that is known."""

    def __init__(
        self,
        text: str | Say,
        /,
        *,
        right: Right | None = None,
        unit: int | None = None,
        **values: Any,
    ) -> None:
        super().__init__(text, **values)
        self.right = right
        self.unit = unit


class NotFound(GongkaiError):
    """No such row."""


class Conflict(GongkaiError):
    """The row has moved on since it was read."""


class Invalid(GongkaiError):
    """The input cannot be taken; nothing was changed."""


class SourceError(GongkaiError):
    """The catalogue could not be read whole. `gone` when its page says 404 or 410; `secret` when a
    document bears a mark of secrecy."""

    def __init__(
        self, text: str | Say, /, *, gone: bool = False, secret: bool = False, **values: Any
    ) -> None:
        super().__init__(text, **values)
        self.gone, self.secret = gone, secret


class AdapterError(GongkaiError):
    """`raw` is the platform's own words, free of secrets, at most a few hundred characters."""

    def __init__(self, text: str | Say, /, *, raw: str = "", **values: Any) -> None:
        super().__init__(text, **values)
        self.raw = raw


class Later(AdapterError):
    """Nothing was taken. `after` is the platform's own wait where it gave one, else None.

    `scope` says what must wait: this "delivery", the whole "account", or the "host".
    """

    def __init__(
        self,
        text: str | Say,
        /,
        *,
        after: timedelta | None = None,
        scope: str = "account",
        raw: str = "",
        **values: Any,
    ) -> None:
        super().__init__(text, raw=raw, **values)
        self.after = after
        self.scope = scope


class Refused(AdapterError):
    """The platform read it and said no; sending the same again is useless."""


class AccountBroken(AdapterError):
    """The credential or the account itself is dead: its queue is kept, nothing is sent."""


class Uncertain(AdapterError):
    """The outcome of a write is not known."""


class Unsupported(AdapterError):
    """The adapter declares that the platform has no such act."""
