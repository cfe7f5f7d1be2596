"""审签单: one post on one sheet of A4, to sign by hand and enter again, or to file once signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy import RowMapping
from starlette.responses import Response

from bot.config import Step
from bot.model import Actor, Verdict
from bot.office import Office
from bot.web.review import data_for_signing
from bot.web.visit import Id, Signed

router = APIRouter()


def data_for_sheet(office: Office, actor: Actor, post_id: int) -> dict[str, Any]:
    """A post as its signature covers it, what is the same on several accounts once; each step
    with the sign-off that passed it, and what went before. Raises NotFound."""
    found = data_for_signing(office, actor, post_id, {})
    here = found["revision"]["id"]
    return {
        **found,
        "texts": texts(found["parts"], found["post"]["title"]),
        "signed": signed(found["trail"], found["steps"], here),
        "before": [row for row in found["trail"] if row["verdict"] != Verdict.PASS],
        "printed_at": office.db.now(),
    }


def texts(parts: Iterable[dict[str, Any]], title: str) -> list[dict[str, Any]]:
    """What is to be read, alike to the word and picture, with all the accounts it stands on."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in parts:
        said = part["payload"]
        pictures = tuple((media["sha256"], media["alt"]) for media in said["media"])
        own = said["title"] if said["title"] != title else ""
        key = (part["number"], said["text"], said["warning"], pictures, own)
        one = found.setdefault(key, {**part, "own_title": own, "accounts": []})
        one["accounts"] = [*one["accounts"], *part["accounts"]]
    return list(found.values())


def signed(
    trail: Sequence[RowMapping], steps: Sequence[Step], revision: int
) -> list[tuple[Step, RowMapping | None]]:
    """Each step with what passed it of this revision since it was last returned."""
    passed: dict[int, RowMapping] = {}
    for row in trail:
        if row["revision_id"] == revision and row["verdict"] == Verdict.RETURN:
            passed.clear()
        elif row["revision_id"] == revision and row["verdict"] == Verdict.PASS:
            passed[row["step"]] = row
    return [(step, passed.get(number)) for number, step in enumerate(steps)]


@router.get("/review/{post_id}/sheet")
def sheet_page(visit: Signed, post_id: Id) -> Response:
    found = data_for_sheet(visit.office, visit.actor, post_id)
    return visit.page("sheet.html", **found)
