"""审签 several at once: what was ticked shown whole once more, then signed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping
from starlette.responses import Response

from bot import review
from bot.errors import Invalid
from bot.language import Say
from bot.model import Actor, PostState
from bot.office import Office
from bot.review import Ticked
from bot.web import content
from bot.web.review import author_name, post_for
from bot.web.visit import Signed, Visit, plain, whole

router = APIRouter()
MOST = 20  # read whole before they are signed


def data_for_together(office: Office, actor: Actor, asked: Sequence[str]) -> dict[str, Any]:
    """What was ticked ("12:step:digest:login"): `posts` to be signed, each whole; `left` and why."""
    found: dict[str, Any] = {"posts": [], "left": []}
    with office.db.read() as conn:
        for one in map(ticked, asked[:MOST]):
            post = post_for(conn, actor, one.post)
            why = review.refusal(office, conn, actor, one)
            if why is None:
                found["posts"].append(_whole(office, conn, actor, post, one))
            else:
                found["left"].append({"id": one.post, "title": post["title"], "why": why})
    return found


def ticked(value: str) -> Ticked:
    """Raises Invalid."""
    post, step, digest, behalf = [*value.split(":"), "", "", ""][:4]
    return Ticked(whole(post), digest, behalf, whole(step))


def _whole(
    office: Office, conn: Connection, actor: Actor, post: RowMapping, one: Ticked
) -> dict[str, Any]:
    revision = content.revision_of(conn, post["revision_id"])
    parts = content.parts_of(conn, revision["id"])
    names = {n.login: n.name for n in review.names_for(office, conn, actor, post) if n}
    steps = review.steps_of(office, conn, post)
    last = post["step"] >= len(steps) - 1
    return {
        **post,
        "ticked": f"{one.post}:{one.step}:{one.digest}:{one.behalf}",
        "revision": revision,
        "parts": parts,
        "author": author_name(conn, revision["author_id"], post["kind"]),
        "step_name": steps[min(post["step"], len(steps) - 1)].name,
        "behalf": names.get(one.behalf, ""),
        "window": review.usual_window(office, conn, office.db.now(conn), post, last=last),
    }


@router.get("/review/together")
def confirm(visit: Signed) -> Response:
    """Each of those ticked once more, whole, before they are signed."""
    asked = [plain(value) for value in visit.request.query_params.getlist("one")]
    if not asked:
        raise Invalid("请先在列表中勾选要一并审签的稿件")
    return _page(visit, asked, over=len(asked) > MOST)


def _page(visit: Visit, asked: Sequence[str], **more: Any) -> Response:
    found = data_for_together(visit.office, visit.actor, asked)
    return visit.page("together.html", **{**found, "signed": None, "over": False, **more})


@router.post("/review/together")
def sign(visit: Signed) -> Response:
    """Sign them, each as it was seen; what was signed and what was left out is told of each."""
    several = [ticked(value) for value in visit.fields("one")[:MOST]]
    with visit.office.db.read() as conn:
        titles = {one.post: post_for(conn, visit.actor, one.post)["title"] for one in several}
    found = review.sign_together(visit.office, visit.actor, several)
    told = [{"id": post, "title": titles[post], "got": got} for post, got in found.items()]
    signed = [{**each, "state": each["got"]} for each in told if isinstance(each["got"], PostState)]
    left = [{**each, "why": each["got"]} for each in told if isinstance(each["got"], Say)]
    return visit.page("together.html", posts=[], left=left, signed=signed, over=False)
