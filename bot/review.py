"""审签: named people let a revision out, step by step. 先审查后公开.

A sign-off is one person's word on one step of one revision, bound to its digest and to a window of
time. The author of a revision signs none of its steps, and nobody signs two. When the last step
passes, an approval row stands: the one thing deliver believes. Steps come from config.toml; the
rules in norms.md §6 (谁公开谁审查、一事一审) and §9 (one person holds no two steps).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from bot import audit, lease, media, people, templates
from bot.config import Config, SourcePart, Step
from bot.db import (
    accounts,
    approvals,
    insert_id,
    items,
    lock,
    posts,
    renditions,
    revisions,
    signoffs,
    sources,
    standings,
    units,
)
from bot.errors import Conflict, Invalid, NotAllowed, NotFound
from bot.language import Say
from bot.model import (
    MACHINE,
    Actor,
    PostState,
    Right,
    Severity,
    SignOffKind,
    Verdict,
    Window,
    digest_of,
)
from bot.notices import close_notice, open_notice
from bot.office import Office
from bot.workdays import office_day

# Two people beside the author, whoever they are on duty: one looks, one signs.
EMERGENCY_STEPS = (
    Step(name="紧急复核", right=Right.REVIEW),
    Step(name="紧急签发", right=Right.SIGN),
)


# ---------------------------------------------------------------- steps


def steps_of(office: Office, conn: Connection, post: RowMapping) -> tuple[Step, ...]:
    """The steps a post goes through, in order."""
    if post["emergency"]:
        return EMERGENCY_STEPS
    key = conn.execute(select(units.c.key).where(units.c.id == post["unit_id"])).scalar_one()
    part = office.config.units.get(key)
    return part.steps if part else (Step(name="签发", right=Right.SIGN),)


def unfillable(conn: Connection, config: Config) -> list[Say]:
    """For `gongkai check`: units whose steps their people cannot fill, each person once."""
    found = []
    for key, part in config.units.items():
        unit = conn.execute(select(units.c.id).where(units.c.key == key)).scalar()
        if unit is None:
            continue
        able = [people.able(conn, step.right, unit) for step in part.steps]
        if not _each_another([*able, people.able(conn, Right.WRITE, unit)]):
            names = "、".join(step.name for step in part.steps)
            found.append(
                Say(
                    "单位 {unit} 的审次（{steps}）配不齐人：每步须不同的人，且不是拟稿人",
                    unit=part.name,
                    steps=names,
                )
            )
    return found


def _each_another(able: Sequence[Sequence[int]]) -> bool:
    """Is there somebody for each task, all different? (A matching, by augmenting paths.)"""
    has: dict[int, int] = {}

    def _placed(task: int, asked: set[int]) -> bool:
        for person in able[task]:
            if person not in asked:
                asked.add(person)
                if person not in has or _placed(has[person], asked):
                    has[person] = task
                    return True
        return False

    return all(_placed(task, set()) for task in range(len(able)))


# ---------------------------------------------------------------- reading


def waiting_for(office: Office, conn: Connection, actor: Actor) -> list[RowMapping]:
    """The posts whose next step this person may sign now, those due soonest first."""
    query = (
        select(posts, revisions.c.number, revisions.c.digest, revisions.c.findings)
        .join(revisions, revisions.c.id == posts.c.revision_id)
        .where(posts.c.state == PostState.IN_REVIEW)
        .order_by(posts.c.emergency.desc(), func.coalesce(posts.c.go_at, posts.c.changed_at))
    )
    return [r for r in conn.execute(query).mappings() if may_sign(office, conn, actor, r)]


def may_sign(office: Office, conn: Connection, actor: Actor, post: RowMapping) -> bool:
    """May this person pass the step that waits?"""
    try:
        _require_signer(office, conn, actor, post)
    except NotAllowed:
        return False
    return True


def trail(conn: Connection, post_id: int) -> list[RowMapping]:
    """Every sign-off of a post, oldest first, with the revision's number and the signer's name."""
    from bot.db import people as persons

    query = (
        select(signoffs, revisions.c.number, persons.c.name)
        .join(revisions, revisions.c.id == signoffs.c.revision_id)
        .outerjoin(persons, persons.c.id == signoffs.c.person_id)
        .where(signoffs.c.post_id == post_id)
    )
    return list(conn.execute(query.order_by(signoffs.c.id)).mappings())


def why(office: Office, conn: Connection, post: RowMapping) -> Say | None:
    """Why a post of which no delivery stands has not gone yet; None for one that is put away."""
    if post["state"] == PostState.DRAFT:
        return Say.of(post["returned"]) if post["returned"] else Say("草稿，还没有送审")
    if post["state"] == PostState.IN_REVIEW:
        steps = steps_of(office, conn, post)
        return Say("等待审次：{step}", step=steps[min(post["step"], len(steps) - 1)].name)
    if post["state"] == PostState.APPROVED and post["slot"]:
        return Say("已签发，等日程 {key} 的下一个时段", key=post["slot"])
    if post["state"] == PostState.APPROVED:
        return (
            Say("已签发，正在排入队列") if post["due_at"] else Say("没能排入队列，请管理员查看日志")
        )
    return None


# ---------------------------------------------------------------- submitting


def submit(office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int) -> None:
    """Hand a draft in for review.

    Raises Conflict for one with a blocking finding, or whose sign-off was taken back as it stands.
    """
    post = _locked(conn, post_id)
    if actor != MACHINE:
        people.require(conn, actor, Right.WRITE, post["unit_id"])
    if post["state"] != PostState.DRAFT:
        raise Conflict("只有草稿可以送审")
    _refuse_blocked(_revision(conn, post))
    signed = select(approvals.c.revision_id).where(approvals.c.revision_id == post["revision_id"])
    if conn.execute(signed).first():
        raise Conflict("这一版的签发已撤销；请改出新版本再送审")
    values = {"state": PostState.IN_REVIEW, "step": 0, "returned": None, "changed_at": now}
    conn.execute(update(posts).where(posts.c.id == post_id).values(**values))
    close_notice(conn, now, f"returned:{post_id}")
    audit.write(conn, now, actor, "post.submit", f"post:{post_id}")


def _refuse_blocked(revision: RowMapping) -> None:
    blocks = [f for f in revision["findings"] or () if f["severity"] == Severity.BLOCK]
    if blocks:
        raise Conflict("有 {n} 处须先改：{first}", n=len(blocks), first=Say(blocks[0]["message"]))


def _locked(conn: Connection, post_id: int) -> RowMapping:
    lock(conn, posts, [post_id])
    row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().first()
    if row is None:
        raise NotFound("没有编号 {id} 的稿件", id=post_id)
    return row


def _revision(conn: Connection, post: RowMapping) -> RowMapping:
    query = select(revisions).where(revisions.c.id == post["revision_id"])
    return conn.execute(query).mappings().one()


# ---------------------------------------------------------------- deciding


@dataclass(frozen=True)
class Decision:
    """One person's word. `digest` is of the revision he had in front of him."""

    verdict: Verdict
    digest: str
    note: str = ""
    window: Window = field(default_factory=Window)


def decide(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, word: Decision
) -> PostState:
    """Pass, return or refer the step that waits; give the state the post is in then.

    Raises NotAllowed (no right, the author, a second step), Conflict (another revision by now, not
    in review), Invalid (return and refer need a note; a window that is past).
    """
    post = _locked(conn, post_id)
    revision = _revision(conn, post)
    if post["state"] != PostState.IN_REVIEW:
        raise Conflict("这篇稿件不在审签中")
    if revision["digest"] != word.digest or digest_of(revision["manifest"]) != word.digest:
        raise Conflict("稿件已有新版本，您看到的不是当前这一版，请重新打开")
    step = _require_signer(office, conn, actor, post)
    if word.verdict is not Verdict.PASS:
        return _not_passed(conn, now, actor, post, revision, step, word)
    _refuse_blocked(revision)
    _refuse_after_refer(conn, revision, word)
    last = step[0] == len(steps_of(office, conn, post)) - 1
    window = _window(office, conn, now, post, word.window, last=last)
    kind = SignOffKind.EMERGENCY if post["emergency"] else SignOffKind.PERSON
    _record(conn, now, actor, post, revision, step, word, kind, window)
    return _onward(office, conn, now, post, revision)


def _require_signer(
    office: Office, conn: Connection, actor: Actor, post: RowMapping
) -> tuple[int, Step]:
    """The step that waits, if this person may pass it."""
    steps = steps_of(office, conn, post)
    number = min(post["step"], len(steps) - 1)
    for unit in _units_of(conn, post):
        people.require(conn, actor, steps[number].right, unit)
    author = conn.execute(
        select(revisions.c.author_id).where(revisions.c.id == post["revision_id"])
    ).scalar()
    if author is not None and author == actor.person:
        raise NotAllowed("拟稿人不能审签自己的稿件，请由他人办理")
    signed = _passes(post["revision_id"]).where(signoffs.c.person_id == actor.person)
    if conn.execute(signed).first():
        raise NotAllowed("您已审过这一版的前一步，下一步须由他人办理")
    return number, steps[number]


def _units_of(conn: Connection, post: RowMapping) -> set[int]:
    """The post's unit and those whose accounts would speak: nobody signs for another unit's account."""
    owners = select(accounts.c.unit_id).where(accounts.c.id.in_(post["accounts"] or []))
    return {post["unit_id"], *conn.execute(owners).scalars()}


def _passes(revision_id: int) -> Any:
    """The sign-offs that passed a revision since it was last returned: a return begins anew."""
    returned = select(func.coalesce(func.max(signoffs.c.id), 0)).where(
        signoffs.c.revision_id == revision_id, signoffs.c.verdict == Verdict.RETURN
    )
    return select(signoffs).where(
        signoffs.c.revision_id == revision_id,
        signoffs.c.verdict == Verdict.PASS,
        signoffs.c.id > returned.scalar_subquery(),
    )


def _not_passed(
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    revision: RowMapping,
    step: tuple[int, Step],
    word: Decision,
) -> PostState:
    """Returned to its author, or referred to the competent authority (条例 art. 17) and waiting."""
    if not word.note.strip():
        raise Invalid("退回和报请确定须写明意见")
    _record(conn, now, actor, post, revision, step, word, SignOffKind.PERSON, Window())
    if word.verdict is Verdict.REFER:
        said = Say("{who}报请确定：{note}", who=actor.name, note=word.note)
        open_notice(
            conn, now, f"refer:{post['id']}", said, post["unit_id"], f"/review/{post['id']}"
        )
        return PostState.IN_REVIEW
    said = Say("{who}退回：{note}", who=actor.name, note=word.note)
    values = {"state": PostState.DRAFT, "step": 0, "returned": said.json(), "changed_at": now}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    close_notice(conn, now, f"refer:{post['id']}")
    open_notice(conn, now, f"returned:{post['id']}", said, post["unit_id"], f"/posts/{post['id']}")
    return PostState.DRAFT


def _refuse_after_refer(conn: Connection, revision: RowMapping, word: Decision) -> None:
    """Once referred, a pass says on whose answer it rests."""
    referred = select(signoffs.c.id).where(
        signoffs.c.post_id == revision["post_id"], signoffs.c.verdict == Verdict.REFER
    )
    if conn.execute(referred).first() and not word.note.strip():
        raise Invalid("这篇稿件已报请确定；通过时请写明答复的单位和意见")


def _window(
    office: Office,
    conn: Connection,
    now: datetime,
    post: RowMapping,
    asked: Window,
    *,
    last: bool = True,
) -> Window:
    """The span this sign-off lets it go out in; by default its planned time and its lateness.

    Lateness runs from the last sign-off: an earlier one sets no end unless its signer did, and one
    of a post that waits for a slot of a schedule leaves that to the slot.
    """
    begins = asked.begins or post["go_at"]
    start = max(begins or now, now)
    lateness = start + patience(office, conn, post) if last and not post["slot"] else None
    ends = asked.ends or post["latest_at"] or lateness
    if ends is not None and ends <= start:
        raise Invalid("签发时段已过或没有长度；请改时间后再签")
    return Window(begins, ends)


def patience(office: Office, conn: Connection, post: RowMapping) -> timedelta:
    """How long after its hour a post may go, by default: longer where an account has hours of its own."""
    hours = accounts.c.id.in_(post["accounts"] or []), accounts.c.rhythm.is_not(None)
    waits = conn.execute(select(accounts.c.id).where(*hours).limit(1)).first()
    return office.config.deliver.spread if waits else office.config.deliver.lateness


def _record(
    conn: Connection,
    now: datetime,
    actor: Actor,
    post: RowMapping,
    revision: RowMapping,
    step: tuple[int, Step],
    word: Decision,
    kind: SignOffKind,
    window: Window,
    **more: Any,
) -> None:
    number, stated = step
    conn.execute(
        insert(signoffs).values(
            post_id=post["id"],
            revision_id=revision["id"],
            step=number,
            step_name=stated.name,
            person_id=actor.person,
            verdict=word.verdict,
            kind=kind,
            note=word.note.strip(),
            digest=revision["digest"],
            begins=window.begins,
            ends=window.ends,
            at=now,
            **more,
        )
    )
    data = {"revision": revision["id"], "digest": revision["digest"], "step": stated.name}
    audit.write(conn, now, actor, f"post.{word.verdict}", f"post:{post['id']}", kind=kind, **data)


def _onward(
    office: Office, conn: Connection, now: datetime, post: RowMapping, revision: RowMapping
) -> PostState:
    """To the next step, or, after the last, approved: deliver plans it from here on."""
    step = post["step"] + 1
    if step < len(steps_of(office, conn, post)):
        conn.execute(
            update(posts).where(posts.c.id == post["id"]).values(step=step, changed_at=now)
        )
        return PostState.IN_REVIEW
    return _approve(conn, now, post, revision)


def _approve(conn: Connection, now: datetime, post: RowMapping, revision: RowMapping) -> PostState:
    window = Window()
    for passed in conn.execute(_passes(revision["id"])).mappings():
        window = window.meet(Window(passed["begins"], passed["ends"]))
    if window.ends is not None and window.ends <= max(window.begins or now, now):
        raise Conflict("各审次签的时段没有共同的部分，或已过；请退回，改时间后重新送审")
    conn.execute(
        insert(approvals).values(
            revision_id=revision["id"],
            post_id=post["id"],
            digest=revision["digest"],
            begins=window.begins,
            ends=window.ends,
            at=now,
        )
    )
    values = {"state": PostState.APPROVED, "changed_at": now, "due_at": now, "tries": 0}
    conn.execute(update(posts).where(posts.c.id == post["id"]).values(**values))
    close_notice(conn, now, f"refer:{post['id']}", f"returned:{post['id']}")
    return PostState.APPROVED


def revoke(
    office: Office, conn: Connection, now: datetime, actor: Actor, post_id: int, reason: str
) -> None:
    """Take a sign-off back before it has gone: whoever may sign may do this. The post is a draft."""
    post = _locked(conn, post_id)
    people.require(conn, actor, Right.SIGN, post["unit_id"])
    if post["state"] not in (PostState.APPROVED, PostState.IN_REVIEW):
        raise Conflict("这篇稿件没有可撤销的审签")
    if not reason.strip():
        raise Invalid("请写明撤销审签的理由")
    said = Say("{who}撤销签发：{note}", who=actor.name, note=reason)
    standing = approvals.c.post_id == post_id, approvals.c.voided_at.is_(None)
    conn.execute(update(approvals).where(*standing).values(voided_at=now, voided=said.json()))
    _returned(office, conn, now, actor, post, said)
    values = {"state": PostState.DRAFT, "step": 0, "returned": said.json(), "due_at": None}
    conn.execute(update(posts).where(posts.c.id == post_id).values(changed_at=now, **values))
    close_notice(conn, now, f"refer:{post_id}")
    open_notice(conn, now, f"returned:{post_id}", said, post["unit_id"], f"/posts/{post_id}")
    audit.write(conn, now, actor, "post.revoke", f"post:{post_id}")


def _returned(
    office: Office, conn: Connection, now: datetime, actor: Actor, post: RowMapping, said: Say
) -> None:
    """A return on record: the steps begin anew, and the same people may pass them again."""
    revision = _revision(conn, post)
    steps = steps_of(office, conn, post)
    number = min(post["step"], len(steps) - 1)
    word = Decision(Verdict.RETURN, revision["digest"], str(said))
    step = (number, steps[number])
    _record(conn, now, actor, post, revision, step, word, SignOffKind.PERSON, Window())


# ---------------------------------------------------------------- offline


def record_offline(
    office: Office,
    conn: Connection,
    now: datetime,
    actor: Actor,
    post_id: int,
    digest: str,
    signed_by: str,
    sheet: bytes,
    sheet_name: str,
) -> PostState:
    """登记线下签批: a recorder enters the signed sheet for all the steps that wait.

    Marked as such wherever the sign-off is shown. The recorder is not the author. Raises NotAllowed,
    Conflict, Invalid.
    """
    post = _locked(conn, post_id)
    revision = _revision(conn, post)
    for unit in _units_of(conn, post):
        people.require(conn, actor, Right.RECORD, unit)
    if post["state"] != PostState.IN_REVIEW or revision["digest"] != digest:
        raise Conflict("签批单对应的不是当前送审的版本")
    if revision["author_id"] == actor.person:
        raise NotAllowed("拟稿人不能登记自己稿件的线下签批")
    if not signed_by.strip():
        raise Invalid("请写明签批单上签字的人")
    _refuse_blocked(revision)
    stored = media.take_sheet(office.media, conn, now, sheet, sheet_name)
    window = _window(office, conn, now, post, Window())
    word = Decision(Verdict.PASS, digest, str(Say("线下签批，{who}登记", who=actor.name)))
    more = {"signed_by": signed_by.strip(), "sheet": stored}
    steps = steps_of(office, conn, post)
    for number in range(post["step"], len(steps)):
        step = (number, steps[number])
        _record(conn, now, actor, post, revision, step, word, SignOffKind.OFFLINE, window, **more)
    return _approve(conn, now, post, revision)


# ---------------------------------------------------------------- standing


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
    part = office.config.sources.get(source_key)
    source = conn.execute(select(sources).where(sources.c.key == source_key)).mappings().first()
    if part is None or source is None:
        raise NotFound("没有来源 {key}", key=source_key)
    people.require(conn, actor, Right.SIGN, source["unit_id"])
    if ends <= now or daily_max < 1:
        raise Invalid("常设签发须有将来的截止日期和每日上限")
    if len(office.config.units[part.unit].steps) > 1 and not note.strip():
        raise Invalid("该单位审次不止一步：请写明免去其余各步的理由，由签发人一并负责")
    part = _alike(part, columns)
    template = templates.load(office.config.place(office.config.templates), part.template)
    values = {
        "unit_id": source["unit_id"],
        "source_id": source["id"],
        "template": template.key,
        "template_digest": template.digest,
        "accounts": sorted(part.accounts),
        "columns": sorted(columns or part.columns),
        "signer_id": actor.person,
        "begins": now,
        "ends": ends,
        "daily_max": daily_max,
        "note": note.strip(),
    }
    made = insert_id(conn, standings, values)
    audit.write(conn, now, actor, "standing.grant", f"standing:{made}", source=source["id"])
    return made


def _alike(part: SourcePart, columns: Sequence[str]) -> SourcePart:
    """The source as it is for these columns. Raises Invalid where they differ, or are never trusted."""
    kinds = [part.of_column(column) for column in columns] or [part]
    if any((one.template, one.accounts) != (kinds[0].template, kinds[0].accounts) for one in kinds):
        raise Invalid("这些栏目的模板或账号不同，请分别授予")
    if not all(one.trust for one in kinds):
        raise Invalid("config.toml 规定这里须逐篇审签（trust = false），不能常设签发")
    return kinds[0]


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
            due = now if _take_draft(office, conn, now, row) else None
            lease.settle(conn, posts, row, due)

        for row in lease.see_to(conn, posts, rows, now, _taken):
            said = Say("送审时内部出错，已停下，请管理员查看日志")
            open_notice(conn, now, f"post:{row['id']}", said, row["unit_id"], f"/posts/{row['id']}")
    return len(rows)


def _take_draft(office: Office, conn: Connection, now: datetime, post: RowMapping) -> bool:
    """True when it was signed."""
    standing, why_not = _covering(office, conn, now, post)
    if standing is not None:
        _sign_standing(office, conn, now, post, standing)
        return True
    key = conn.execute(select(sources.c.key).where(sources.c.id == post["source_id"])).scalar()
    part = office.config.sources.get(key or "")  # none: a schedule's, or of a key that vanished
    part = part and part.of_column(_column(conn, post))
    if (part is None or part.submit) and not _blocked(_revision(conn, post)):
        submit(office, conn, now, MACHINE, post["id"])
    if why_not is not None:
        said = Say("不在常设签发之内：{why}；请按审次办理", why=why_not)
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
    revision = _revision(conn, post)
    item = conn.execute(select(items).where(items.c.id == post["item_id"])).mappings().one()
    keys = sorted(
        conn.execute(select(accounts.c.key).where(accounts.c.id.in_(post["accounts"]))).scalars()
    )
    signer = Actor(row["signer_id"], "", "standing")
    day = office_day(now, office.config.tz).isoformat()
    may = all(people.may(conn, signer, Right.SIGN, unit) for unit in _units_of(conn, post))
    checks = [
        (may, Say("签发人已无签发权")),
        (revision["template_digest"] == row["template_digest"], Say("模板已改动")),
        (keys == row["accounts"], Say("账号已变动")),
        (_trusted(office, conn, item), Say("该栏目须逐篇审签")),
        (not row["columns"] or item["column"] in row["columns"], Say("栏目不在范围内")),
        (not _findings_over_note(revision), Say("审查有疑点")),
        (row["day"] != day or row["used"] < row["daily_max"], Say("已到当日上限")),
        (revision["item_revision"] == item["revision"], Say("来源已变动")),
    ]
    return next((why for fine, why in checks if not fine), None)


def _trusted(office: Office, conn: Connection, item: RowMapping) -> bool:
    key = conn.execute(select(sources.c.key).where(sources.c.id == item["source_id"])).scalar_one()
    part = office.config.sources.get(key)
    return part is not None and part.of_column(item["column"]).trust


def _findings_over_note(revision: RowMapping) -> bool:
    return any(f["severity"] != Severity.NOTE for f in revision["findings"] or ())


def _sign_standing(
    office: Office, conn: Connection, now: datetime, post: RowMapping, row: RowMapping
) -> None:
    day = office_day(now, office.config.tz).isoformat()
    used = row["used"] + 1 if row["day"] == day else 1
    conn.execute(update(standings).where(standings.c.id == row["id"]).values(day=day, used=used))
    revision = _revision(conn, post)
    signer = Actor(row["signer_id"], MACHINE.name, f"standing:{row['id']}")
    word = Decision(Verdict.PASS, revision["digest"], str(Say("常设签发")))
    window = _window(office, conn, now, post, Window(ends=None))
    steps = steps_of(office, conn, post)
    for number, step in enumerate(steps):
        _record(
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
    _approve(conn, now, post, revision)


# ---------------------------------------------------------------- what the pages ask


def shown(conn: Connection, post: RowMapping) -> Iterable[RowMapping]:
    """The renditions of a post's current revision: what a signature covers."""
    query = (
        select(renditions)
        .where(renditions.c.revision_id == post["revision_id"])
        .order_by(renditions.c.account_id, renditions.c.part)
    )
    return conn.execute(query).mappings().all()
