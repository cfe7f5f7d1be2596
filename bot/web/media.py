"""Pictures and signed sheets, for those who may read somewhere."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select
from starlette.responses import Response

from bot import people
from bot.db import media
from bot.errors import NotAllowed, NotFound
from bot.media import kind_of
from bot.model import Actor
from bot.office import Office
from bot.web.visit import Signed

router = APIRouter()


@router.get("/media/{sha256}")
def picture(visit: Signed, sha256: str) -> Response:
    return shown(visit.office, visit.actor, sha256)


def shown(office: Office, actor: Actor, sha256: str) -> Response:
    """The bytes that were signed; a sheet in PDF is saved, never opened in the page's name.

    A picture of a preview, which no table names yet, is shown too. Raises NotAllowed, NotFound.
    """
    with office.db.read() as conn:
        if not people.unit_ids(conn, actor):
            raise NotAllowed("素材由编辑、审核人和签发人查看")
        kind = conn.execute(select(media.c.kind).where(media.c.sha256 == sha256)).scalar()
    content = office.media.read(sha256)
    kind = kind or kind_of(content)
    if kind is None:
        raise NotFound("没有这份素材")
    where = "inline" if kind.startswith("image/") else "attachment"
    headers = {
        "content-disposition": f'{where}; filename="{sha256[:12]}.{kind.rpartition("/")[2]}"',
        "cache-control": "private, max-age=86400, immutable",
    }
    return Response(content, media_type=kind, headers=headers)
