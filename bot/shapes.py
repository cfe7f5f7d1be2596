"""What the command line (--json) and the API show of a row: one JSON for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from bot.compose import Rendered
    from bot.config import SourcePart
    from bot.deliver.queue import Reasons
    from bot.finding import Group
    from bot.model import Finding
    from bot.office import Office
    from bot.schedule import Schedule
    from bot.schedule.agenda import Line

    Span = tuple[date, date]

OWN = ("lease", "leased_until", "tries")  # the machine's own
DELIVERY = "id post_id title act part state go_at due_at latest_at sent_at remote_id url visible"
OF_POST = "id account_key act part state go_at latest_at sent_at remote_id url visible"
ACCOUNT = (
    "id key unit_id adapter name state broken identity identity_name identity_url capabilities "
    "token_ends checked_at"
)
DUTY = "day unit login name"
HOLD = "id scope reason since until"
SOURCE = (
    "id key name unit_id kind url state baseline_at polled_at ok_at failures error problems due_at"
)


def plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set | tuple):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def row(of: Mapping[Any, Any]) -> dict[str, Any]:
    """A row as it stands, without what only the machine needs."""
    return {name: value for name, value in of.items() if name not in OWN}


def picked(of: Mapping[Any, Any], names: str) -> dict[str, Any]:
    return {name: of[name] for name in names.split()}


def delivery(of: RowMapping, reasons: Reasons) -> dict[str, Any]:
    """A delivery in a list, with its state as people are told it, and why it has not gone yet."""
    return picked(of, DELIVERY) | {"account": of["account_key"]} | _stands(of, reasons)


def _stands(of: RowMapping, reasons: Reasons) -> dict[str, str]:
    return {"shown": reasons.shown(of), "why": str(reasons.why(of) or "")}


def found(place: str, groups: Sequence[Group]) -> dict[str, Any]:
    """What a search found; `count` stops at finding.CAP, `place` is empty where no one thing is meant."""
    rows = (
        {
            **picked(vars(group), "of count"),
            "capped": group.capped,
            "hits": [dict(vars(hit)) for hit in group.hits],
        }
        for group in groups
    )
    return {"place": place, "groups": list(rows)}


def posts(conn: Connection, rows: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Posts in a list: whose each is, and how many of its deliveries are in each state."""
    from sqlalchemy import select

    from bot.db import people, units
    from bot.shown import delivered

    states = delivered(conn, [one["id"] for one in rows])
    names = dict(conn.execute(select(units.c.id, units.c.key)).all())
    writers = {one["author_id"] for one in rows}
    logins = select(people.c.id, people.c.login).where(people.c.id.in_(writers))
    authors = dict(conn.execute(logins).all())
    return [
        row(one)
        | {"unit": names[one["unit_id"]], "author": authors.get(one["author_id"], "")}
        | {"deliveries": states.get(one["id"], {})}
        for one in rows
    ]


def waiting(
    office: Office, conn: Connection, rows: Sequence[Mapping[Any, Any]]
) -> list[dict[str, Any]]:
    """Posts that wait for a sign-off, and at which step."""
    from bot import review

    steps = [{"step_name": review.waits_at(office, conn, one).name} for one in rows]
    return [one | step for one, step in zip(posts(conn, rows), steps, strict=True)]


def post(office: Office, conn: Connection, post_id: int) -> dict[str, Any]:
    """A post whole: what would be sent, its findings, sign-offs and deliveries. Raises NotFound."""
    from bot import compose, review
    from bot.deliver import queue

    found = compose.one(conn, post_id)
    revision = compose.current(conn, found)
    names = dict(zip(sorted(found["accounts"]), compose.account_keys(conn, found), strict=False))
    parts = [dict(r) | {"account": names.get(r["account_id"])} for r in review.shown(conn, found)]
    reasons = queue.Reasons(conn, office.db.now(conn))
    deliveries = queue.listing(conn, {found["unit_id"]}, post=post_id, limit=500)
    return {
        **posts(conn, [found])[0],
        "why": "" if deliveries else str(review.why(office, conn, found) or ""),
        "steps": [step.name for step in review.steps_of(office, conn, found)],
        "digest": revision["digest"],
        "number": revision["number"],
        "body": revision["body"],
        "findings": revision["findings"],
        "renditions": parts,
        "signoffs": [dict(r) for r in review.trail(conn, post_id)],
        "deliveries": [picked(r, OF_POST) | _stands(r, reasons) for r in deliveries],
    }


def part(of: Rendered) -> dict[str, Any]:
    """One part on one account, as it would be sent, with what screening says of it."""
    found = [finding.json() for finding in of.findings]
    where = {"account": of.account["key"], "part": of.part, "count": of.count, "limit": of.limit}
    return {**where, "payload": of.outgoing.json(), "findings": found}


def findings(found: Sequence[Finding]) -> dict[str, Any]:
    """What screening says of a text, and how many of each severity."""
    from bot.language import _
    from bot.model import Severity

    said = [f.json() | {"message": _(f.message), "suggestion": _(f.suggestion)} for f in found]
    return {"findings": said} | {s: sum(f.severity == s for f in found) for s in Severity}


REVISION = "id number at author_id digest"


def revision(conn: Connection, post: RowMapping, number: int) -> dict[str, Any]:
    """A revision of a post as it stood: what would have been sent, and its findings. Raises NotFound."""
    from sqlalchemy import select

    from bot import compose
    from bot.db import accounts, renditions

    found = compose.numbered(conn, post["id"], number)
    query = select(renditions.c.part, renditions.c.payload, renditions.c.digest)
    mine = query.add_columns(accounts.c.key.label("account")).join(accounts)
    rows = mine.where(renditions.c.revision_id == found["id"])
    parts = conn.execute(rows.order_by(renditions.c.account_id, renditions.c.part)).mappings()
    whole = picked(found, f"{REVISION} post_id body findings")
    return whole | {"renditions": [dict(part) for part in parts]}


def entry_history(conn: Connection, item_id: int) -> dict[str, Any]:
    """What an entry said before, and the posts made of it."""
    from bot import catalog

    made = [picked(one, "id title state") for one in catalog.posts_of(conn, item_id)]
    return {"revisions": [row(one) for one in catalog.revisions_of(conn, item_id)], "posts": made}


def line(of: Line, keys: Mapping[int, str]) -> dict[str, Any]:
    """A post in the calendar: where its earliest delivery of the span stands."""
    names = "title at sent_at kind state states begins ends movable version"
    accounts = [keys[one] for one in of.accounts]
    return {"post": of.post_id, **picked(vars(of), names), "accounts": accounts}


def days(office: Office, conn: Connection, units: set[int], span: Span) -> list[dict[str, Any]]:
    """Each day from the first to the last: how many posts, in which states, and what day it is."""
    from bot.schedule import agenda

    view = agenda.View(frozenset(units))
    return [
        {"day": day.on, "name": day.name, "mark": day.mark, "posts": sum(by.values()), "by": by}
        for day in agenda.days_of(office, *span)
        for by in (agenda.counts(conn, view, day.begins, day.ends),)
    ]


def source(office: Office, conn: Connection, of: RowMapping) -> dict[str, Any]:
    """A source whole: how it reads, how many entries in each state, and what config.toml says of it."""
    from sqlalchemy import func, select

    from bot import settings
    from bot.db import items, units

    mine = select(items.c.state, func.count()).where(items.c.source_id == of["id"])
    counts: dict[str, int] = dict(conn.execute(mine.group_by(items.c.state)).all())
    part = office.config.sources.get(of["key"])
    unit = conn.execute(select(units.c.key).where(units.c.id == of["unit_id"])).scalar_one()
    said = part.model_dump(mode="json") | {"url": settings.address(part.url)} if part else None
    return source_row(of) | {"unit": unit, "items": counts, "settings": said}


def source_row(of: RowMapping) -> dict[str, Any]:
    """A source in a list."""
    from bot import naming, settings

    told = {"name": naming.called(of), "url": settings.address(of["url"])}
    return picked(of, SOURCE) | told


def staffed(office: Office, conn: Connection) -> list[dict[str, Any]]:
    """Every unit of config.toml: its steps, who can pass each, and whether that is enough."""
    from bot import review, roster

    there = review.staffing(conn, office.config)
    names, tree = {one["id"]: one["login"] for one in roster.persons(conn)}, roster.tree(conn)
    keys = {unit["id"]: unit["key"] for unit in tree}
    return [
        {
            **picked(unit, "id key name"),
            "parent": keys.get(unit["parent_id"], ""),
            "steps": [
                {"name": step.name, "right": step.right, "able": [names[one] for one in able]}
                for step, able in there[unit["key"]].steps
            ],
            "enough": there[unit["key"]].enough,
        }
        for unit in tree
        if unit["key"] in there
    ]


def person(of: Mapping[str, Any]) -> dict[str, Any]:
    """Somebody with his roles."""
    return picked(of, "id login name state roles") | {"totp": bool(of["totp_at"])}


def writing(of: Mapping[Any, Any]) -> dict[str, Any]:
    """What somebody typed and did not save; a field may stand more than once."""
    fields = [{"name": name, "value": value} for name, value in of["fields"]]
    return {**picked(of, "id key at"), "post": of["post_id"], "fields": fields}


BOARD_REPLY = "id public_id post_title post_public_id author_name text pending at edited_at state"
DELEGATION = (
    "id state giver giver_name taker taker_name unit unit_name steps begins ends reason "
    "created_at ended_at"
)


def account(office: Office, conn: Connection, of: RowMapping, scope: set[int]) -> dict[str, Any]:
    """An account whole: who it is there, how long its credential lives, what it can do, when it
    speaks, what stops it, what is queued (of the units of `scope`), and how it was filed."""
    from sqlalchemy import select

    from bot.db import units
    from bot.deliver import connecting, holds, queue

    part = office.config.accounts.get(of["key"])
    return {
        **picked(of, ACCOUNT),
        "unit": conn.execute(select(units.c.key).where(units.c.id == of["unit_id"])).scalar_one(),
        "token_days": days_left(of["token_ends"], office.db.now(conn)),
        "next_check": of["due_at"],
        "connecting": connecting.need(office, of),
        "hours": _hours(office, conn, of),
        "holds": [picked(row, HOLD) for row in holds.on_account(conn, of)],
        "queue": queue.counts(conn, scope, account=of["id"]),
        "filing": part.filing.model_dump() if part else None,
    }


def _hours(office: Office, conn: Connection, of: RowMapping) -> dict[str, Any]:
    """When of the day an account speaks, and its next free slots."""
    from bot.deliver import rhythm

    said = of["rhythm"] or {"slots": [], "daily_most": 0, "quiet": "", "zone": office.config.zone}
    free = rhythm.next_slots(conn, of, office.db.now(conn), 3)
    return {**said, "gap_seconds": of["gap_ms"] / 1000, "next_slots": free}


def days_left(ends: datetime | None, now: datetime) -> int | None:
    """Whole days a credential still lives; 0 on its last day, negative once it is over."""
    return None if ends is None else (ends - now).days


def token(of: RowMapping, now: datetime) -> dict[str, Any]:
    """What a program shows at the API, without itself."""
    from bot.tokens import state

    return {**of, "state": state(of, now), "stands": state(of, now) == "active"}


STANDING = "id state source source_name signer template accounts columns begins ends daily_max used_today note ended_at"


def standing(of: Mapping[str, Any]) -> dict[str, Any]:
    """A standing sign-off whole: its bounds, what it signed, what it did not cover and why."""
    left = [picked(row, "id title state") | {"why": str(row["why"])} for row in of["not_covered"]]
    signed = [picked(row, "id title state at") for row in of["signed"]]
    return {**picked(of, STANDING), "signed": signed, "not_covered": left}


def notices(conn: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Incidents that people were told of; `say` names what they are of."""
    from bot import notices as ground

    of = ground.subjects_of(conn, rows)
    return [
        picked(row, "id key opened_at closed_at told link")
        | {"kind": ground.kind_of(row["key"]), "say": str(ground.sentence(row, of))}
        for row in rows
    ]


# ---------------------------------------------------------------- what the office writes itself


def templates(office: Office, units: set[str]) -> list[dict[str, Any]]:
    """Every template: what it is, what is wrong with it, and what of these units uses it."""
    from bot import templates as made

    folder, uses = office.config.place(office.config.templates), template_uses(office, units)
    return [template(folder, key, uses.get(key, [])) for key in made.keys(folder)]


def template(folder: Path, key: str, uses: list[dict[str, Any]]) -> dict[str, Any]:
    """One, whether it can be read or not."""
    from bot import templates as made
    from bot.errors import ConfigError

    try:
        one = made.load(folder, key)
    except ConfigError as error:
        bare: dict[str, Any] = {
            "kind": "",
            "over_limit": None,
            "fields": {},
            "forms": (),
            "digest": "",
        }
        return {"key": key, "name": "", **bare, "errors": [str(error)], "uses": uses}
    wrong = [str(error) for error in one.strangers()]
    told = {"forms": one.forms, "digest": one.digest, "errors": wrong, "uses": uses}
    return {"key": key, **one.front.model_dump(mode="json"), **told}


def template_whole(office: Office, conn: Connection, key: str, units: set[str]) -> dict[str, Any]:
    """One with its text, its trail, and the standing sign-offs bound to it. Raises ConfigError."""
    from bot import compose, files, review
    from bot.errors import NotFound

    file = compose.template_file(office, key)
    if not file.digest:
        raise NotFound("没有模板 {file}", file=f"{office.config.templates}/{key}.txt")
    folder, uses = file.path.parent, template_uses(office, units).get(key, [])
    bound = review.bound_to(conn, office.db.now(conn), key)
    trail = files.history(conn, compose.subject_of(key))
    return {
        **template(folder, key, uses),
        "text": file.text,
        "digest": file.digest,
        "locked": str(file.locked) if file.locked else None,
        "standing": [
            picked(row, "id source source_name signer columns ends template_digest")
            for row in bound
        ],
        "trail": [dict(row) for row in trail],
    }


BUILT_IN = {"response": "answers", "correction": "corrections", "emergency": "updates"}


def template_uses(office: Office, units: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Template → what makes posts of it: sources with their columns, schedules, the program."""
    from bot import schedule
    from bot.errors import ConfigError
    from bot.schedule.files import files

    found: dict[str, list[dict[str, Any]]] = {}
    for key, part in office.config.sources.items():
        if part.unit in units:
            for name, columns in _by_template(part):
                row = {"of": "source", "key": key, "columns": columns}
                found.setdefault(name, []).append(row)
    for file in files(office):
        with suppress(ConfigError):  # told on the page of schedules
            one = schedule.load(office, file)
            if one.unit in units:
                for name in {step.template for step in one.step if step.template} | _digest(one):
                    found.setdefault(name, []).append({"of": "schedule", "key": one.key})
    for name, act in BUILT_IN.items():
        found.setdefault(name, []).append({"of": "program", "key": act})
    return found


def _by_template(part: SourcePart) -> list[tuple[str, tuple[str, ...]]]:
    apart = [(rule.template, rule.columns) for rule in part.rules if rule.template]
    return [(part.template, part.columns), *apart]


def _digest(one: Schedule) -> set[str]:
    """The template of a schedule that makes its posts of items."""
    return {one.template} if one.items is not None else set()


def rules(office: Office) -> list[dict[str, Any]]:
    """The rules of screening: what each says, its own severities and the office's choice."""
    from bot.screen.about import ABOUT

    chosen = office.config.screening.severities
    return [
        {
            "rule": rule,
            "name": str(about.name),
            "says": str(about.says),
            "severities": [str(one) for one in about.severities],
            "chosen": chosen.get(rule),
            "source": str(about.source),
        }
        for rule, about in ABOUT.items()
    ]


def columns(office: Office, conn: Connection, units: set[str]) -> list[dict[str, Any]]:
    """What is done with the entries of each source and column, and who signs: as config.toml says,
    with its line; and the standing sign-offs that hold."""
    from bot import naming, review
    from bot.config import stands_at
    from bot.files import read_or_say

    file, _ = read_or_say(office.config.path)
    standing = review.bound_to(conn, office.db.now(conn))
    found, named = [], naming.of_sources(conn)
    for source, part in office.config.sources.items():
        for n, rule in enumerate((None, *part.rules)) if part.unit in units else ():
            key = ["sources", source] if rule is None else ["sources", source, "rules", f"{n - 1}"]
            names = part.columns if rule is None else rule.columns
            of = part if rule is None else part.of_column(rule.columns[0])
            mine = [row for row in standing if row["source"] == source and _covers(row, names)]
            where = {"key": ".".join(key[:3]), "line": stands_at(file.text if file else "", key)}
            steps = [step.name for step in office.config.units[part.unit].steps]
            signed = {"steps": steps, "standing": [row["id"] for row in mine] if of.trust else []}
            done = picked(vars(of), "template accounts draft submit trust")
            called = {"name": named.get(source, source), "rule": rule.name if rule else ""}
            found.append({"source": source, **called, "columns": names, **done, **signed, **where})
    return found


def _covers(row: RowMapping, names: tuple[str, ...]) -> bool:
    """Does a standing sign-off hold for any of these columns? Empty is all."""
    return not row["columns"] or not names or bool({*row["columns"]} & {*names})
