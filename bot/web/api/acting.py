"""Acts that need no word more: POST to the address of one thing and the name of the act.

Each is one stage function, which asks for the right; a thing of another unit is none (404).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.responses import Response

from bot import catalog, compose, notices, people, review, tokens
from bot.deliver import accounts, queue
from bot.errors import NotFound
from bot.model import Actor
from bot.office import Office
from bot.schedule import retiming
from bot.web.account import readable_account
from bot.web.api.door import Administers, Call, Route, Signs, Writes
from bot.web.api.once import Done, Json, once
from bot.web.items import item_for
from bot.web.queue import delivery_for
from bot.web.review import post_for
from bot.web.sources import source_for
from bot.web.staff import person_for
from bot.web.standings import standing_for

router = APIRouter(route_class=Route, default_response_class=Json)
Stage = Callable[[Office, Connection, datetime, Actor, Any], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its address, how a reader finds one (raises NotFound), what is answered of it."""

    path: str
    find: Callable[[Office, Connection, Actor, Any], Any]
    name: str
    state: Callable[[Connection, Any], Any] | None = None

    @property
    def number_or_key(self) -> Any:
        """The parameter of its path."""
        name, _, of = self.path.partition("{")[2].rstrip("}").partition(":")
        if of == "int":
            return Annotated[int, Path(alias=name, ge=0, le=10**15)]
        return Annotated[str, Path(alias=name, max_length=100)]

    def answer(self, conn: Connection, which: Any) -> Done:
        return {self.name: which} | (
            {"state": self.state(conn, which)["state"]} if self.state else {}
        )


def _here(find: Callable[..., Any]) -> Callable[..., Any]:
    """Of what is found, or done, without the office's files."""
    return lambda _office, *given: find(*given)


def notice_for(conn: Connection, actor: Actor, notice_id: int) -> None:
    """One of the reader's units. Raises NotFound."""
    scope = people.unit_ids(conn, actor)
    upto = notices.listing(conn, scope, ended=True, limit=1, before=notice_id + 1)
    if not upto or upto[0]["id"] != notice_id:
        raise NotFound("没有编号 {id} 的提醒", id=notice_id)


ITEM = Kind("/items/{item_id:int}", _here(item_for), "item")
POST = Kind("/posts/{post_id:int}", _here(post_for), "post", compose.one)
DELIVERY = Kind("/queue/{delivery_id:int}", _here(delivery_for), "delivery", queue.one)
STANDING = Kind("/standings/{standing_id:int}", standing_for, "standing")
TOKEN = Kind(
    "/tokens/{token_id:int}", _here(lambda *_: None), "token"
)  # its stage tells who sees it
ACCOUNT = Kind("/accounts/{key}", _here(readable_account), "account", accounts.by_key)
SOURCE = Kind("/sources/{key}", _here(source_for), "source")
NOTICE = Kind("/notices/{notice_id:int}", _here(notice_for), "notice")
PERSON = Kind("/people/{login}", _here(person_for), "person")

ACTS: tuple[tuple[Kind, str, Any, Stage, str], ...] = (
    (ITEM, "take", Writes, _here(catalog.take), "Let a waiting entry become a draft."),
    (ITEM, "skip", Writes, _here(catalog.skip), "Make nothing of it."),
    (ITEM, "bring-back", Writes, _here(catalog.bring_back), "Let a skipped one wait again."),
    (ITEM, "call-back", Writes, _here(catalog.call_back), "Take back what was handed in."),
    (POST, "submit", Writes, review.submit, "Hand a draft in for review."),
    (POST, "close", Writes, _here(compose.close), "Put a post away."),
    (DELIVERY, "cancel", Writes, _here(queue.cancel), "Call off what has not gone."),
    (DELIVERY, "back", Writes, retiming.send_back, "Its post is signed anew, in the same words."),
    (DELIVERY, "look", Writes, _here(queue.look_again), "Look an uncertain one up once more."),
    (STANDING, "end", Signs, _here(review.end_standing), "It signs nothing more."),
    (STANDING, "wake", Signs, _here(review.wake_standing), "It signs again, after a restore."),
    (SOURCE, "poll", Writes, _here(catalog.poll_now), "Read it at once."),
    (SOURCE, "pause", Administers, _here(partial(catalog.pause, paused=True)), "Read it no more."),
    (SOURCE, "activate", Administers, _here(partial(catalog.pause, paused=False)), "Read it again."),
    (ACCOUNT, "pause", Administers, _here(partial(accounts.pause, paused=True)), "Its queue is kept."),
    (ACCOUNT, "activate", Administers, _here(partial(accounts.pause, paused=False)), "Let it go on."),
    (
        ACCOUNT, "check", Administers, _here(accounts.ask_check),
        "Ask the platform at the worker's next turn; a pass mends a broken one.",
    ),
    (NOTICE, "done", Writes, _here(notices.finish), "End one that no machine ends."),
    (PERSON, "disable", Administers, _here(people.disable), "He gets in nowhere; sessions and tokens end."),
    (PERSON, "enable", Administers, _here(partial(people.disable, disabled=False)), "Let him in again."),
    (TOKEN, "end", Administers, _here(tokens.revoke), "One's own, or of somebody one administers."),
)  # fmt: skip


def _endpoint(kind: Kind, scope: Any, stage: Stage, says: str) -> Callable[..., Response]:
    """The function of a route, as one written out would be."""

    def endpoint(call: Call, which: Any) -> Response:
        def act(conn: Connection, now: datetime) -> Done:
            kind.find(call.office, conn, call.actor, which)
            stage(call.office, conn, now, call.actor, which)
            return kind.answer(conn, which)

        return once(call, act)

    endpoint.__annotations__ = {"call": scope, "which": kind.number_or_key, "return": Response}
    endpoint.__doc__ = says
    return endpoint


for _kind, _name, _scope, _stage, _says in ACTS:
    _made = _endpoint(_kind, _scope, _stage, _says)
    router.add_api_route(f"{_kind.path}/{_name}", _made, methods=["POST"], name=_name)
