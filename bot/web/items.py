"""目录条目: what the sources brought, what was made of it, and what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection, RowMapping, func, or_, select
from starlette.responses import Response

from bot import catalog, compose, naming, people
from bot.db import accounts, items, lock, sources, units
from bot.errors import Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Entry, ItemState, Right
from bot.naming import source_name
from bot.office import Office
from bot.shown import delivered, shown_state
from bot.web.lists import SIZE, account, page_of
from bot.web.marks import differences
from bot.web.visit import Id, Signed, Visit, go

router = APIRouter()
FILTERS = ("waiting", *ItemState)
FIELDS = {
    "title": Say("标题"),
    "document_number": Say("发文字号"),
    "index_number": Say("索引号"),
    "publisher": Say("发布机构"),
    "column": Say("栏目"),
    "topic": Say("主题分类"),
    "formed": Say("成文日期"),
    "published": Say("发布日期"),
    "link": Say("网址"),
    "summary": Say("内容概述"),
    "body": Say("正文"),
    "attachments": Say("附件"),
    "language": Say("语言"),
}
DONE = {
    "take": Say("已交系统成稿，稍后到“稿件”看"),
    "skip": Say("已记为不发"),
    "bring_back": Say("已取回，待成稿"),
    "return": Say("已退回，报送单位会收到提醒"),
    "call_back": Say("已收回"),
    "amended": Say("已保存"),
    "added": Say("已录入"),
    "submitted": Say("已报送，对方成稿或退回后这里看得到"),
}


def data_for_items(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """Items of the reader's units, newest first; filters: state, source, q, from, page.

    `from`: what a unit handed in to others, for those who hand in there, too; they who read no unit
    meet theirs without asking.
    """
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        giver = params.get("from", "") or ("" if scope else _first_given(conn, actor))
        filters: dict[str, Any] = {
            "state": params.get("state", "") if params.get("state") in FILTERS else "",
            "source": params.get("source", ""),
            "words": params.get("q", "").strip(),
            "handed_in": giver,
        }
        seen = scope_of(conn, actor, giver)
        counts = counted(conn, seen, filters)
        page = page_of(params, counts[filters["state"] or "all"])
        return {
            "items": catalog.listing(conn, seen, **filters, limit=SIZE, offset=page.offset)
            if page.total
            else [],
            "filters": filters,
            "counts": counts,
            "page": page,
            "sources": _named(conn, scope),
            "givers": _givers(conn, actor, scope),
            "write": people.unit_ids(conn, actor, Right.WRITE),
            "submits": bool(giving(conn, actor)),
        }


def scope_of(conn: Connection, actor: Actor, giver: str) -> set[int]:
    """The units that are read; with `giver`, that unit too where the reader hands in for it."""
    mine = people.unit_ids(conn, actor)
    key = select(units.c.id).where(units.c.key == giver)
    return mine | (set(conn.execute(key).scalars()) & giving(conn, actor)) if giver else mine


def giving(conn: Connection, actor: Actor) -> set[int]:
    """The units for which this person hands material in."""
    return people.unit_ids(conn, actor, Right.SUBMIT)


def _first_given(conn: Connection, actor: Actor) -> str:
    """The first unit this person hands material in for."""
    mine = select(units.c.key).where(units.c.id.in_(giving(conn, actor)))
    return conn.execute(mine.order_by(units.c.id).limit(1)).scalar() or ""


def item_for(conn: Connection, actor: Actor, item_id: int) -> RowMapping:
    """An entry of the reader's units, or one that his handed in. Raises NotFound."""
    row = compose.item_of(conn, item_id)
    if row["unit_id"] in people.unit_ids(conn, actor):
        return row
    if row["from_unit_id"] is not None and row["from_unit_id"] in giving(conn, actor):
        return row
    raise NotFound("没有编号 {id} 的条目", id=item_id)


def _named(conn: Connection, scope: set[int]) -> list[tuple[str, str]]:
    """Key and name of the sources of some units."""
    query = select(sources.c.key, source_name).where(sources.c.unit_id.in_(scope))
    return [(key, name) for key, name in conn.execute(query.order_by(sources.c.id))]


def _givers(conn: Connection, actor: Actor, scope: set[int]) -> list[RowMapping]:
    """The units that handed something in to the reader's, and those he hands in for."""
    given = items.c.from_unit_id.is_not(None), sources.c.unit_id.in_(scope)
    gave = select(items.c.from_unit_id).join(sources).where(*given)
    mine = or_(units.c.id.in_(gave), units.c.id.in_(giving(conn, actor)))
    return list(conn.execute(select(units).where(mine).order_by(units.c.id)).mappings())


def counted(conn: Connection, scope: set[int], filters: Mapping[str, str]) -> dict[str, int]:
    """How many stand in each state under the other filters."""
    every = catalog.narrowed(
        select(items.c.source_id, items.c.state, func.count()), scope, **{**filters, "state": ""}
    ).group_by(items.c.source_id, items.c.state)
    counts = dict.fromkeys(("all", *FILTERS), 0)
    for _, name, n in conn.execute(every):
        counts["all"] += n
        counts[name] += n
    waiting = catalog.narrowed(select(func.count()), scope, **{**filters, "state": "waiting"})
    return counts | {"waiting": int(conn.execute(waiting).scalar_one())}


# ---------------------------------------------------------------- one entry


def data_for_item(office: Office, actor: Actor, item_id: int) -> dict[str, Any]:
    """One entry: its fields, its revisions with their differences, the posts made of it."""
    with office.db.read() as conn:
        item = item_for(conn, actor, item_id)
        unit_id, giver = item["unit_id"], item["from_unit_id"]
        rights = people.rights(conn, actor, unit_id)
        part = office.config.sources.get(item["source_key"])
        names = dict(conn.execute(select(units.c.id, units.c.name)).all())
        return {
            "item": item,
            "entry": Entry.of(item["entry"]),
            "unit": names[unit_id],
            "giver": names.get(giver, ""),
            "revisions": _revisions(conn, item_id),
            "posts": _posts(conn, item_id) if Right.READ in rights else [],
            "rights": rights,
            "gives": giver is not None and giver in giving(conn, actor),
            "by_hand": item["source_key"].startswith(f"{catalog.HAND}:"),
            "usual": part.template if part else "notice",
            "templates": naming.of_templates(office.config),
            "accounts": _accounts(conn, unit_id, part.accounts if part else ()),
            "fields": FIELDS,
        }


def _revisions(conn: Connection, item_id: int) -> list[dict[str, Any]]:
    """The newest first, each with what it changed."""
    rows = catalog.revisions_of(conn, item_id)
    shown = [{**row, "changed": []} for row in rows]
    for new, old in zip(shown, rows[1:], strict=False):
        names = [n for n in catalog.changes(new["entry"], old["entry"]) if n in FIELDS]
        new["changed"] = [(FIELDS[n], _difference(old["entry"], new["entry"], n)) for n in names]
    return shown


def _difference(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> Any:
    return differences(_plain(old.get(name)), _plain(new.get(name)))


def _plain(value: Any) -> str:
    """A stored field as text; attachments one a line."""
    if isinstance(value, list):
        return "\n".join(f"{one['name']} {one['url']}" for one in value)
    return str(value or "")


def _posts(conn: Connection, item_id: int) -> list[dict[str, Any]]:
    rows = catalog.posts_of(conn, item_id)
    states = delivered(conn, [row["id"] for row in rows])
    return [{**row, "shown": shown_state(row, states.get(row["id"], {}))} for row in rows]


def _accounts(conn: Connection, unit_id: int, usual: Any) -> list[tuple[Any, bool]]:
    """The unit's accounts and those its source names, each with whether it is usual here."""
    mine = or_(accounts.c.unit_id == unit_id, accounts.c.key.in_(list(usual)))
    rows = conn.execute(select(accounts).where(mine).order_by(accounts.c.id)).mappings()
    return [(account(row), row["key"] in usual if usual else True) for row in rows]


# ---------------------------------------------------------------- pages and acts


@router.get("/items")
def items_page(visit: Signed) -> Response:
    found = data_for_items(visit.office, visit.actor, visit.params)
    return visit.page("items.html", **found, done=visit.done(DONE))


@router.get("/items/{item_id:int}")
def item_page(visit: Signed, item_id: Id) -> Response:
    found = data_for_item(visit.office, visit.actor, item_id)
    return visit.page("item.html", **found, done=visit.done(DONE))


@router.post("/items/{item_id:int}")
def act(visit: Signed, item_id: Id) -> Response:
    """compose (to the form), take (let the machine draft it), skip, bring_back, return, call_back."""
    name = visit.field("act")
    with visit.office.db.write() as conn:
        now = visit.office.db.now(conn)
        if name == "compose":
            return go(f"/posts/{_composed(visit, conn, item_id)}/edit")
        if name == "return":
            catalog.give_back(conn, now, visit.actor, item_id, visit.field("reason"))
        elif name in ACTS:
            ACTS[name](conn, now, visit.actor, item_id)
        else:
            raise Invalid("请从页面上的按钮办理")
    return visit.back(f"/items/{item_id}?done={name}")


ACTS = {
    "take": catalog.take,
    "skip": catalog.skip,
    "bring_back": catalog.bring_back,
    "call_back": catalog.call_back,
}


def _composed(visit: Visit, conn: Connection, item_id: int) -> int:
    """The draft made of an item; the one that stands where there is one, pressed twice at once too."""
    lock(conn, items, [item_id])
    row = compose.item_of(conn, item_id)
    if row["unit_id"] not in people.unit_ids(conn, visit.actor):
        raise NotFound("没有编号 {id} 的条目", id=item_id)
    if row["post_id"]:
        return int(row["post_id"])
    now = visit.office.db.now(conn)
    chosen = visit.field("template"), visit.fields("keys")
    if visit.field("chosen") and not chosen[1]:
        raise Invalid("请至少选一个账号")
    return compose.from_item(visit.office, conn, now, visit.actor, item_id, *chosen)
