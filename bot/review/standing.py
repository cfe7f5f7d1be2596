"""常设签发: a named signer's trust in a source, within its bounds; and what the machine composed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from bot import audit, lease, linking, people, templates
from bot.config import SourcePart
from bot.db import accounts, insert_id, items, posts, signoffs, sources, standings, units
from bot.db import people as persons
from bot.errors import Invalid, NotFound
from bot.language import Say
from bot.model import MACHINE, Actor, PostState, Right, Severity, SignOffKind, Verdict, Window
from bot.naming import source_name
from bot.notices import open_notice
from bot.office import Office
from bot.review.deciding import submit
from bot.review.signing import Decision, approve, doubtful, record, revision_of, window_of
from bot.review.steps import steps_of, units_of
from bot.workdays import office_day

SOON = timedelta(seconds=5)
NOT_COVERED = Say("不在常设签发之内：{why}；请按审次办理").text


def grant_standing(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    source_key: str,
    *,
    ends: datetime,
    daily_max: int,
    columns: Sequence[str] = (),
    note: str = "",
) -> int:
    """A named signer's trust in a source: template, accounts, columns, an end and a daily maximum.

    Only where the unit has one step, or the signer's is its last and the others are waived by him
    in `note`: he answers for all of them. Raises NotAllowed, Invalid, NotFound.
    """
    part, source = _source(office, conn, source_key)
    people.require(conn, actor, Right.SIGN, source["unit_id"])
    if ends <= now or daily_max < 1:
        raise Invalid("常设签发须有将来的截止日期和每日上限")
    if len(office.config.units[part.unit].steps) > 1 and not note.strip():
        raise Invalid("该单位审次不止一步：请写明免去其余各步的理由，由签发人一并负责")
    bounds = {"begins": now, "ends": ends, "daily_max": daily_max, "note": note.strip()}
    who = {"unit_id": source["unit_id"], "source_id": source["id"], "signer_id": actor.person}
    made = insert_id(conn, standings, {**who, **bounds, **_bound_to(office, part, columns)})
    audit.write(conn, now, actor, "standing.grant", f"standing:{made}", source=source["id"])
    return made


def _source(office: Office, conn: Connection, key: str) -> tuple[SourcePart, RowMapping]:
    """A source as the file and as the store have it. Raises NotFound."""
    part = office.config.sources.get(key)
    row = conn.execute(select(sources).where(sources.c.key == key)).mappings().first()
    if part is None or row is None:
        raise NotFound("没有来源 {key}", key=key)
    return part, row


def _bound_to(office: Office, part: SourcePart, columns: Sequence[str]) -> dict[str, Any]:
    """What the trust is in: a change of any of these voids it for a post."""
    part = _alike(part, columns)
    template = templates.load(office.config.place(office.config.templates), part.template)
    return {
        "template": template.key,
        "template_digest": template.digest,
        "accounts": sorted(part.accounts),
        "columns": sorted(columns or part.columns),
    }


def _alike(part: SourcePart, columns: Sequence[str]) -> SourcePart:
    """The source as it is for these columns. Raises Invalid where they differ, or are never trusted."""
    kinds = [part.of_column(column) for column in columns] or [part]
    if any((one.template, one.accounts) != (kinds[0].template, kinds[0].accounts) for one in kinds):
        raise Invalid("这些栏目的模板或账号不同，请分别授予")
    if not all(one.trust for one in kinds):
        raise Invalid("config.toml 规定这里须逐篇审签（trust = false），不能常设签发")
    return kinds[0]


def standing_list(conn: Connection, now: datetime, units: set[int]) -> list[dict[str, Any]]:
    """The standing sign-offs of these units, newest first; state: active, asleep, ended."""
    query = _named().where(standings.c.unit_id.in_(units)).order_by(standings.c.id.desc())
    return [{**row, "state": _state(row, now)} for row in conn.execute(query).mappings()]


def standing_one(office: Office, conn: Connection, now: datetime, row_id: int) -> dict[str, Any]:
    """One with its unit, how many it signed today, what it signed, and what it did not cover and why:
    the newest of its source. Raises NotFound."""
    query = _named().add_columns(units.c.key.label("unit"), units.c.name.label("unit_name"))
    query = query.join(units, units.c.id == standings.c.unit_id).where(standings.c.id == row_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的常设签发", id=row_id)
    today = office_day(now, office.config.tz).isoformat()
    return {
        **row,
        "state": _state(row, now),
        "used_today": row["used"] if row["day"] == today else 0,
        "signed": _signed_by(conn, row_id),
        "not_covered": _left_out(conn, row),
    }


def _signed_by(conn: Connection, row_id: int, most: int = 20) -> list[RowMapping]:
    at = func.max(signoffs.c.at).label("at")
    query = select(posts.c.id, posts.c.title, posts.c.state, at).join(
        signoffs, signoffs.c.post_id == posts.c.id
    )
    mine = query.where(signoffs.c.standing_id == row_id).group_by(posts.c.id)
    return list(conn.execute(mine.order_by(posts.c.id.desc()).limit(most)).mappings())


def _left_out(conn: Connection, row: RowMapping, look: int = 200, most: int = 20) -> list[Any]:
    """Of its source's posts since it was granted, those the machine handed to people, with why."""
    columns = (posts.c.id, posts.c.title, posts.c.state, posts.c.returned)
    mine = posts.c.source_id == row["source_id"], posts.c.created_at >= row["begins"]
    told = posts.c.returned.is_not(None), posts.c.author_id.is_(None)
    query = select(*columns).where(*mine, *told).order_by(posts.c.id.desc()).limit(look)
    found = conn.execute(query).mappings()
    why = [(post, Say.of(post["returned"])) for post in found]
    left = [{**post, "why": said.values["why"]} for post, said in why if said.text == NOT_COVERED]
    return left[:most]


def grantable(office: Office, conn: Connection, actor: Actor) -> dict[str, dict[str, Any]]:
    """The sources one may grant a standing sign-off for, each with what it would be bound to."""
    mine = people.unit_ids(conn, actor, Right.SIGN)
    query = select(sources.c.key).where(sources.c.unit_id.in_(mine)).order_by(sources.c.id)
    keys = [key for key in conn.execute(query).scalars() if key in office.config.sources]
    return {key: _offered(office, office.config.sources[key]) for key in keys}


def _offered(office: Office, part: SourcePart) -> dict[str, Any]:
    rules = [rule for rule in part.rules if rule.trust is not False]
    columns = dict.fromkeys([*part.columns, *(c for rule in rules for c in rule.columns)])
    return {
        "template": part.template,
        "accounts": part.accounts,
        "columns": tuple(columns),
        "trust": part.trust,
        "steps": [step.name for step in office.config.units[part.unit].steps],
    }


def _named() -> Select[Any]:
    """Each with its source and its signer's name."""
    signer = persons.c.name.label("signer")
    return (
        select(standings, sources.c.key.label("source"), source_name.label("source_name"), signer)
        .join(sources, sources.c.id == standings.c.source_id)
        .join(persons, persons.c.id == standings.c.signer_id)
    )


def _state(row: RowMapping, now: datetime) -> str:
    if row["ended_at"] or row["ends"] <= now:
        return "ended"
    return "asleep" if row["asleep"] else "active"


def end_standing(conn: Connection, now: datetime, actor: Actor, standing_id: int) -> None:
    """Whoever may sign at its unit ends it. Raises NotFound, NotAllowed."""
    row = _standing(conn, standing_id)
    people.require(conn, actor, Right.SIGN, row["unit_id"])
    conn.execute(update(standings).where(standings.c.id == standing_id).values(ended_at=now))
    audit.write(conn, now, actor, "standing.end", f"standing:{standing_id}")


def wake_standing(conn: Connection, now: datetime, actor: Actor, standing_id: int) -> None:
    """After a restore: its signer has been through the accounts' timelines and says so."""
    row = _standing(conn, standing_id)
    people.require(conn, actor, Right.SIGN, row["unit_id"])
    conn.execute(update(standings).where(standings.c.id == standing_id).values(asleep=False))
    audit.write(conn, now, actor, "standing.wake", f"standing:{standing_id}")


def bound_to(conn: Connection, now: datetime, template: str = "") -> list[RowMapping]:
    """The standing sign-offs in force, all or those bound to a template: a post made of other words
    than they are bound to is not covered. Each with its source and its signer's name."""
    query = _named().where(standings.c.ended_at.is_(None), standings.c.ends > now)
    if template:
        query = query.where(standings.c.template == template)
    return list(conn.execute(query.order_by(standings.c.id)).mappings())


def _standing(conn: Connection, standing_id: int) -> RowMapping:
    query = select(standings).where(standings.c.id == standing_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的常设签发", id=standing_id)
    return row


def take_drafts(office: Office, n: int = 50) -> int:
    """What the machine composed: signed where a standing sign-off covers it, else handed in.

    Gives how many were looked at. A draft with a blocking finding stays one, for a person.
    """
    with office.db.write() as conn:
        now = office.db.now(conn)
        machine_made = posts.c.author_id.is_(None)
        rows = lease.claim(conn, posts, now, n, posts.c.state == PostState.DRAFT, machine_made)

        def _taken(row: RowMapping) -> None:
            if office.config.screening.dead_links and _links_wait(office, conn, now, row):
                lease.settle(conn, posts, row, now + SOON)
                return
            due = now if _take_draft(office, conn, now, row) else None
            lease.settle(conn, posts, row, due)

        for row in lease.see_to(conn, posts, rows, now, _taken):
            said = Say("送审时内部出错，已停下，请管理员查看日志")
            open_notice(conn, now, f"post:{row['id']}", said, row["unit_id"], f"/posts/{row['id']}")
    return len(rows)


def _links_wait(office: Office, conn: Connection, now: datetime, post: RowMapping) -> bool:
    """Is it too early to judge it: is a link of it being looked up? What is known is a finding then."""
    revision = revision_of(conn, post)
    if linking.waits(conn, now, revision["id"], revision["at"]):
        return True
    linking.refresh(office, conn, revision["id"])
    return False


def _take_draft(office: Office, conn: Connection, now: datetime, post: RowMapping) -> bool:
    """True when it was signed."""
    standing, why_not = _covering(office, conn, now, post)
    if standing is not None:
        _sign_standing(office, conn, now, post, standing)
        return True
    key = conn.execute(select(sources.c.key).where(sources.c.id == post["source_id"])).scalar()
    part = office.config.sources.get(key or "")  # none: a schedule's, or of a key that vanished
    part = part and part.of_column(_column(conn, post))
    if (part is None or part.submit) and not _blocked(revision_of(conn, post)):
        submit(office, conn, now, MACHINE, post["id"])
    if why_not is not None:
        said = Say(NOT_COVERED, why=why_not)
        conn.execute(update(posts).where(posts.c.id == post["id"]).values(returned=said.json()))
    return False


def _column(conn: Connection, post: RowMapping) -> str:
    query = select(items.c.column).where(items.c.id == post["item_id"])
    return conn.execute(query).scalar() or ""


def _blocked(revision: RowMapping) -> bool:
    return any(f["severity"] == Severity.BLOCK for f in revision["findings"] or ())


def _covering(
    office: Office, conn: Connection, now: datetime, post: RowMapping
) -> tuple[RowMapping | None, Say | None]:
    """The standing sign-off that covers this post, its row locked; else why none does."""
    rows = (
        conn.execute(
            select(standings)
            .where(
                standings.c.source_id == post["source_id"],
                standings.c.ended_at.is_(None),
                standings.c.asleep.is_(False),
                standings.c.begins <= now,
                standings.c.ends > now,
            )
            .order_by(standings.c.id)
            .with_for_update()
        )
        .mappings()
        .all()
    )
    why_not = None
    for row in rows:
        why = _not_covered(office, conn, now, post, row)
        if why is None:
            return row, None
        why_not = why_not or why
    return None, why_not


def _not_covered(
    office: Office, conn: Connection, now: datetime, post: RowMapping, row: RowMapping
) -> Say | None:
    revision = revision_of(conn, post)
    item = conn.execute(select(items).where(items.c.id == post["item_id"])).mappings().one()
    keys = sorted(
        conn.execute(select(accounts.c.key).where(accounts.c.id.in_(post["accounts"]))).scalars()
    )
    signer = Actor(row["signer_id"], "", "standing")
    day = office_day(now, office.config.tz).isoformat()
    may = all(people.may(conn, signer, Right.SIGN, unit) for unit in units_of(conn, post))
    checks = [
        (may, Say("签发人已无签发权")),
        (revision["template_digest"] == row["template_digest"], Say("模板已改动")),
        (keys == row["accounts"], Say("账号已变动")),
        (_trusted(office, conn, item), Say("该栏目须逐篇审签")),
        (not row["columns"] or item["column"] in row["columns"], Say("栏目不在范围内")),
        (not doubtful(revision), Say("审查有疑点")),
        (row["day"] != day or row["used"] < row["daily_max"], Say("已到当日上限")),
        (revision["item_revision"] == item["revision"], Say("来源已变动")),
    ]
    return next((why for fine, why in checks if not fine), None)


def _trusted(office: Office, conn: Connection, item: RowMapping) -> bool:
    key = conn.execute(select(sources.c.key).where(sources.c.id == item["source_id"])).scalar_one()
    part = office.config.sources.get(key)
    return part is not None and part.of_column(item["column"]).trust


def _sign_standing(
    office: Office, conn: Connection, now: datetime, post: RowMapping, row: RowMapping
) -> None:
    day = office_day(now, office.config.tz).isoformat()
    used = row["used"] + 1 if row["day"] == day else 1
    conn.execute(update(standings).where(standings.c.id == row["id"]).values(day=day, used=used))
    revision = revision_of(conn, post)
    signer = Actor(row["signer_id"], MACHINE.name, f"standing:{row['id']}")
    word = Decision(Verdict.PASS, revision["digest"], str(Say("常设签发")))
    window = window_of(office, conn, now, post, Window(ends=None))
    steps = steps_of(office, conn, post)
    for number, step in enumerate(steps):
        record(
            conn,
            now,
            signer,
            post,
            revision,
            (number, step),
            word,
            SignOffKind.STANDING,
            window,
            standing_id=row["id"],
        )
    approve(conn, now, post, revision)
