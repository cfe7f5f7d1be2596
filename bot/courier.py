"""Hands one message to apprise, in a process of its own: `python -m bot.courier`.

Apart, because apprise takes 50 MB that a worker would keep for ever, and because a process that hangs
can be ended. The message comes on standard input as JSON {address, title, text}; what became of it goes
to standard output as JSON {sent, known, why}. The address is a secret: it is in no argument, and no
`why` holds any of it but the host of a mail server.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any
from urllib.parse import unquote, urlsplit


def deliver(address: str, title: str, text: str) -> dict[str, Any]:
    """`known`: apprise knows such an address. `why`: in its words, where it was not sent."""
    import apprise

    heard = _Heard()
    logging.getLogger("apprise").addHandler(heard)
    logging.getLogger("apprise").propagate = False
    asset = apprise.AppriseAsset(
        app_id="Gongkai", app_desc="公开", storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    server = apprise.Apprise.instantiate(address, asset=asset)
    if server is None:
        return {"sent": False, "known": False, "why": ""}
    sent = bool(server.notify(body=text, title=title))
    return {
        "sent": sent,
        "known": True,
        "why": "" if sent else without_secrets(heard.last, address),
    }


class _Heard(logging.Handler):
    """The last thing it said of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()[:300]


def without_secrets(words: str, address: str) -> str:
    """Whatever stands in the address but a mail server's host is blanked."""
    parts = urlsplit(address)
    secret = {address, parts.password or "", parts.query, *parts.path.split("/")}
    secret |= {value for pair in parts.query.split("&") for value in pair.split("=")[1:]}
    if parts.scheme not in ("mailto", "mailtos"):
        secret |= {parts.netloc}
    secret |= {unquote(one) for one in secret}
    for one in sorted(secret, key=len, reverse=True):
        if len(one) > 3:
            words = words.replace(one, "…")
    return words


if __name__ == "__main__":
    json.dump(deliver(**json.load(sys.stdin)), sys.stdout)
