"""The office's API, /api/v1: what the console and the command line do, for programs.

A door like the other two: it calls the stages' functions, where permission is checked, and answers
in the JSON of `gongkai … --json` (bot.shapes). docs/api.md tells how it is used.

door      whose token it is, what it is for, how often a wrong one may be tried
once      a write and its Idempotency-Key: done once, the same answer again
paging    lists by cursor
bodies    what is sent in, with examples
reading   who asks, and what he has
underway  entries, posts, what waits, the queue, holds
heard     replies, the trail, notices
house     what the office writes itself and is set to
staff     people, units, sources
catalogue  what is wanting in the catalogues
history   earlier revisions, and what is not saved yet
acting    what is done to one thing and needs no word more
administering  people and their roles, a source tried
wording   templates, word lists, leaders: tried and changed
content   entries and posts
deciding  review, the queue, the stop switch, taking replies out
delegating  代签
planning  the calendar, posts moved, schedules
spreading reposts, the board's moderation, messages from elsewhere
opening   the description (OpenAPI), with examples of real answers
"""

from __future__ import annotations

from fastapi import APIRouter

from bot.web.api import (
    acting,
    administering,
    catalogue,
    content,
    deciding,
    delegating,
    heard,
    history,
    house,
    opening,
    planning,
    reading,
    spreading,
    staff,
    underway,
    wording,
)
from bot.web.api.door import BEARER, Route

MODULES = (
    reading,
    underway,
    heard,
    catalogue,
    staff,
    history,
    house,
    wording,
    planning,
    content,
    deciding,
    acting,
    delegating,
    spreading,
    administering,
)


def router() -> APIRouter:
    """Everything under /api/v1."""
    made = APIRouter()
    made.include_router(behind())
    made.include_router(opening.router(behind()), prefix="/api/v1")
    return made


def behind() -> APIRouter:
    """What stands behind tokens."""
    made = APIRouter(prefix="/api/v1", dependencies=[BEARER])
    for part in (*(module.router for module in MODULES), content.uploads):
        assert issubclass(part.route_class, Route)  # what stands behind no token stands nowhere
        made.include_router(part)
    return made
