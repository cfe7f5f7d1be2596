"""令牌: what programs show at the API in a person's place. One's own are made and ended here; whoever
administers people sees and ends theirs. What is made is shown on the answer, and never again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.responses import Response

from bot import people, roster, shapes, tokens
from bot.errors import Conflict, Invalid, NotAllowed
from bot.language import Say
from bot.model import Actor, Right, Scope
from bot.office import Office
from bot.web import session
from bot.web.door import limiter
from bot.web.faults import status_of
from bot.web.session import Throttled
from bot.web.visit import Id, Signed, Visit, origin

router = APIRouter()
DONE = {"end": Say("已撤销，立即失效")}
DAYS = (7, 30, 90, 180, 366)


def data_for_tokens(
    office: Office, actor: Actor, login: str, params: Mapping[str, str]
) -> dict[str, Any]:
    """One's own tokens; for administrators also those of their people, or (`who`) of one of them."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        rows = [shapes.token(r, now) for r in tokens.listing(conn, actor, everyone=True)]
        administers = bool(people.unit_ids(conn, actor, Right.ADMIN))
        factor = roster.factor(conn, int(actor.person or 0))
    who = params.get("who", "")
    return {
        "mine": _live_first(row for row in rows if row["login"] == login),
        "others": _live_first(r for r in rows if r["login"] != login and who in ("", r["login"])),
        "administers": administers,
        "who": who,
        "factor": factor,
    }


def _live_first(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: not row["stands"])


def _listed(visit: Visit, status: int = 200, **more: Any) -> Response:
    found = data_for_tokens(visit.office, visit.actor, visit.session.login, visit.params)
    said = {"name": visit.field("name"), "days": visit.field("days") or "90"}
    typed = {**said, "scopes": visit.fields("scope") or [Scope.READ]}
    values = {"error": "", "done": None, "made": "", "typed": typed, **more}
    words = {"scopes": tokens.SCOPE_WORDS, "choices": DAYS}
    return visit.page("tokens.html", status, **found, **words, **values)


@router.get("/me/tokens")
def tokens_page(visit: Signed) -> Response:
    return _listed(visit, done=visit.done(DONE))


@router.post("/me/tokens")
async def make(visit: Signed) -> Response:
    """A new one of one's own, on a code or the password: an open console alone makes none."""
    return await to_thread.run_sync(_made, visit, limiter=limiter(visit.request))


def _made(visit: Visit) -> Response:
    try:
        name, scopes, days = _asked(visit)
        _prove(visit)
        with visit.office.db.write() as conn:
            now = visit.office.db.now(conn)
            ends = now + timedelta(days=days)
            _, shown = tokens.create(conn, now, visit.actor, name, scopes, ends)
    except (Invalid, Conflict, NotAllowed, Throttled) as error:
        return _listed(visit, status_of(error), error=str(error))
    return _listed(visit, made=shown, typed={"name": "", "days": "90", "scopes": [Scope.READ]})


def _asked(visit: Visit) -> tuple[str, list[Scope], int]:
    """What the form says. Raises Invalid."""
    name, days = visit.field("name", need=str(Say("用途"))), visit.number("days")
    said = visit.fields("scope")
    if not said or not set(said) <= set(Scope):
        raise Invalid("请选令牌可以办的事，至少一项")
    if not 0 < days <= tokens.LONGEST.days:
        raise Invalid("令牌的截止时间须在现在之后，最长 {n} 天", n=tokens.LONGEST.days)
    return name, [Scope(one) for one in said], days


def _prove(visit: Visit) -> None:
    """It is himself: a code of his second factor, or where he has none his password."""
    with visit.office.db.read() as conn:
        enrolled = roster.factor(conn, visit.session.person)["since"]
    proof = session.prove if enrolled else session.prove_password
    where = origin(visit.request)
    proof(visit.office, visit.session, where, visit.field("proof"))


@router.post("/me/tokens/{token_id}/end")
def end(visit: Signed, token_id: Id) -> Response:
    """One's own, or of somebody one administers."""
    with visit.office.db.write() as conn:
        tokens.revoke(conn, visit.office.db.now(conn), visit.actor, token_id)
    return visit.back("/me/tokens?done=end")
