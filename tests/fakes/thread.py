"""A board's replies under its posts, scripted: a page at a time, in the order of their changes.

Speaks the one route of the board's API that collecting reads, so that the real adapter reads it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.server import Request, Response

BEGAN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


class Thread:
    """`asked` lists the cursors that were asked for, "" for a walk from the start."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.asked: list[str] = []
        self.stuck = False  # a page that leads to itself
        self.failing: set[str] = set()  # cursors that are answered with an error
        self._posts: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._change = 0

    def say(
        self, post: str, one: str, text: str, *, change: int | None = None, **more: Any
    ) -> None:
        """Reply `one` says `text`, for the first time or anew; `change`: an older number."""
        self._change += 1
        was = self._posts[post].get(one, {})
        at = was.get("at") or (BEGAN + timedelta(seconds=self._change)).isoformat()
        said = {"id": one, "text": text, "at": at, "change": change or self._change}
        usual = {
            "parent": post,
            "root": post,
            "name": "网友",
            "url": f"https://board.example/{one}",
        }
        state = {"edited": bool(was), "removed": False, "why": "", "changed_at": at}
        self._posts[post][one] = {**usual, **state, **said, **more}

    def remove(self, post: str, name: str) -> None:
        """Hidden, on the board's word, as it gives it: without text or name."""
        self.say(post, name, "", removed=True, why="hidden")

    def lose(self, post: str, name: str) -> None:
        """Gone without a word."""
        del self._posts[post][name]

    def texts(self, post: str) -> dict[str, str]:
        """What stands now."""
        return {n: r["text"] for n, r in self._posts[post].items() if not r["removed"]}

    def __call__(self, request: Request) -> Response:
        post, cursor = request.path.split("/")[-2], request.params.get("cursor", "")
        self.asked.append(cursor)
        if cursor in self.failing:
            return Response(500)
        after = int(cursor or 0)
        changed = sorted(self._posts[post].values(), key=lambda r: int(r["change"]))
        left = [r for r in changed if r["change"] > after]
        shown, more = left[: self.size], len(left) > self.size
        last = cursor if self.stuck and cursor else str(shown[-1]["change"] if shown else after)
        standing = sum(not r["removed"] for r in changed)
        page = {"replies": shown, "cursor": last if more else None, "resume": last}
        return Response(200, json.dumps({**page, "total": standing}).encode())
