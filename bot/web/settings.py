"""设置: what config.toml rules, what is changed here, how the office stands; the documents at hand."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from bot import people, settings
from bot.errors import NotFound
from bot.language import Say
from bot.model import Right
from bot.web import documents
from bot.web.templating import readable_units
from bot.web.visit import Signed

router = APIRouter()
DOCS = {
    "operating": Say("运行、配置、备份与排障"),
    "templates": Say("模板"),
    "screening": Say("审查规则与词表"),
    "sources": Say("来源"),
    "adapters": Say("平台"),
    "flow": Say("一篇稿件的全程"),
    "api": Say("接口"),
    "glossary": Say("用语"),
    "decisions": Say("为什么这样做"),
}


@router.get("/settings")
def settings_page(visit: Signed) -> Response:
    """How it stands for every reader; config.toml for administrators, of their units."""
    office = visit.office
    with office.db.read() as conn:
        readable_units(conn, visit.actor)
        found = settings.state(office, conn)
        ids = people.unit_ids(conn, visit.actor, Right.ADMIN)
        mine = settings.units_of(conn, ids)
    tables = settings.sections(office.config, mine) if ids else []
    return visit.page(
        "settings.html", state=found, tables=tables, may=bool(ids), here=settings.CHANGED_HERE, docs=DOCS,
        file=office.config.path.name,
    )  # fmt: skip


@router.get("/settings/docs/{name}")
def document(visit: Signed, name: str) -> Response:
    """One of the documents that come with the program. Raises NotFound."""
    with visit.office.db.read() as conn:
        readable_units(conn, visit.actor)
    file = settings.documents() / f"{name}.md"
    if name not in DOCS or not file.is_file():
        raise NotFound("没有文档 {name}", name=name[:40])
    return visit.page(
        "settings_doc.html",
        name=name,
        word=DOCS[name],
        parts=documents.parts(file.read_text("utf-8"), DOCS),
    )
