"""Promise 1: nothing unsigned goes out. Each test tries to get something past the signature."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bot import compose, media, review
from bot.compose import Body
from bot.db import accounts, approvals, deliveries, posts, renditions, revisions
from bot.deliver import plan, taking
from bot.deliver.engine import Engine
from bot.errors import Conflict, Invalid, NotAllowed
from bot.language import Say
from bot.model import (
    Act,
    DeliveryState,
    Outgoing,
    PostState,
    Role,
    Staged,
    Verdict,
    Window,
    digest_of,
)
from bot.office import Office
from bot.review import Decision
from bot.workdays import FixedClock
from tests import builders
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server

S = DeliveryState
Platform = tuple[Mastodon, Server]
both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
here = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def fake(office: Office, platform: Platform) -> Mastodon:
    """Three accounts, a1 to a3, on the platform."""
    fake, server = platform
    for n in (1, 2, 3):
        builders.account(office, f"a{n}", server.url, n)
    return fake


def why(office: Office, post_id: int) -> str:
    row = builders.only(office, post_id)
    return str(Say.of(row["reason"])) if row["reason"] else ""


def refused(office: Office, post_id: int, because: str) -> None:
    """It waits for a person, with the reason in front of him, and no attempt was begun."""
    row = builders.only(office, post_id)
    assert (row["state"], row["due_at"]) == (S.READY, None)
    assert because in why(office, post_id)
    assert not builders.attempts_at(office, row["id"])


@both
def test_a_signed_post_goes_out_as_it_was_signed(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1", "a2"], "明日停水通知。")
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["明日停水通知。"] * 2
    assert {row["state"] for row in builders.sent_to(office, post)} == {S.SENT}


# ---------------------------------------------------------------- the store is altered


def altered(office: Office, table: Any, post_id: int, **values: Any) -> None:
    with office.db.write() as conn:
        of_post = table.c.post_id == post_id if "post_id" in table.c else None
        if of_post is None:
            mine = select(revisions.c.id).where(revisions.c.post_id == post_id)
            of_post = table.c.revision_id.in_(mine)
        conn.execute(update(table).where(of_post).values(**values))


@both
def test_a_text_altered_in_the_store_is_refused(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "补贴每户 100 元。")
    altered(office, renditions, post, payload=Outgoing("补贴每户 900 元。").json())
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "与签发时不符")


@here
def test_a_text_altered_with_its_own_digest_is_refused(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "补贴每户 100 元。")
    forged = Outgoing("补贴每户 900 元。").json()
    altered(office, renditions, post, payload=forged, digest=digest_of(forged))
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "与签发时不符")


@here
def test_a_manifest_forged_to_fit_is_refused(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "补贴每户 100 元。")
    forged = Outgoing("补贴每户 900 元。").json()
    with office.db.read() as conn:
        manifest = conn.execute(select(revisions.c.manifest)).scalar_one()
    manifest["renditions"][0][2] = digest_of(forged)
    altered(office, renditions, post, payload=forged, digest=digest_of(forged))
    altered(office, revisions, post, manifest=manifest, digest=digest_of(manifest))
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "与签发时不符")


@both
@pytest.mark.parametrize(
    "payload", [None, {}, {"text": "无"}, {"text": "无", "media": [{"sha256": 1}]}]
)
def test_a_mangled_rendition_stops_nothing_but_itself(
    office: Office, fake: Mastodon, payload: Any
) -> None:
    bad = builders.signed(office, ["a1"], "将被损坏。")
    good = builders.signed(office, ["a1"], "照常发布。")
    altered(office, renditions, bad, payload=payload)
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["照常发布。"]
    refused(office, bad, "与签发时不符")
    assert builders.only(office, good)["state"] == S.SENT


@here
@pytest.mark.parametrize("state", [PostState.DRAFT, PostState.IN_REVIEW, PostState.APPROVED])
def test_a_forged_ready_delivery_of_an_unsigned_post_is_refused(
    office: Office, fake: Mastodon, state: PostState
) -> None:
    post = builders.draft(office, ["a1"], "没有签过。")
    _forge(office, post, state)
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "签发")


def _forge(office: Office, post: int, state: PostState, **more: Any) -> None:
    """A ready delivery of the post's first revision, as nobody but the store's owner could make."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        revision = conn.execute(
            select(revisions.c.id).where(revisions.c.post_id == post).order_by(revisions.c.id)
        ).scalars()
        first = revision.first()
        part = conn.execute(select(renditions).where(renditions.c.revision_id == first)).mappings()
        rendition = part.one()
        conn.execute(update(posts).where(posts.c.id == post).values(state=state))
        values = {
            "post_id": post,
            "post_unit_id": 1,
            "revision_id": first,
            "rendition_id": rendition["id"],
            "account_id": rendition["account_id"],
            "act": Act.PUBLISH,
            "part": 0,
            "state": S.READY,
            "key": "forged",
            "go_at": now,
            "due_at": now,
            "changed_at": now,
        }
        conn.execute(insert(deliveries).values(**{**values, **more}))


@here
def test_signed_words_do_not_go_out_again_under_another_post(
    office: Office, fake: Mastodon
) -> None:
    first = builders.signed(office, ["a1"], "只发一次。")
    builders.work(office)
    other = builders.signed(office, ["a2"], "另一篇。")
    builders.work(office)
    with office.db.read() as conn:
        row = conn.execute(select(deliveries).where(deliveries.c.post_id == first)).mappings().one()
    _forge(
        office,
        other,
        PostState.APPROVED,
        revision_id=row["revision_id"],
        rendition_id=row["rendition_id"],
        account_id=row["account_id"],
    )
    builders.work(office)
    assert [p["text"] for p in fake.posts("office1")] == ["只发一次。"]


@here
def test_signed_words_do_not_go_out_on_another_account(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "只给一号。")
    with office.db.write() as conn:
        other = conn.execute(select(accounts.c.id).where(accounts.c.key == "a2")).scalar_one()
        conn.execute(update(deliveries).values(account_id=other))
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "签发时")


# ---------------------------------------------------------------- it is edited


def _revise(office: Office, post_id: int, text: str, keys: list[str] | None = None) -> None:
    with office.db.write() as conn:
        row = conn.execute(select(posts).where(posts.c.id == post_id)).mappings().one()
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        compose.revise(office, conn, now, zhou, post_id, row["version"], Body(text), keys or ["a1"])


@here
def test_an_edit_after_the_signature_stops_what_is_queued(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "一稿。")
    _revise(office, post, "二稿。")
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "签发")


@both
def test_an_edit_between_the_claim_and_the_attempt_stops_it(office: Office, fake: Mastodon) -> None:
    """A staged delivery is claimed twice: for the upload and for the attempt."""
    post = builders.signed(office, ["a1"], "一稿。")
    row = _claimed_for_staging(office)
    _revise(office, post, "二稿。")
    assert _begun_after_staging(office, row) == []


def _claimed_for_staging(office: Office) -> Any:
    """As a worker claims a delivery whose pictures must be uploaded first."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        rows = taking._claim(conn, now, 10, now, taking.STAGING)
        (ready,) = taking._checked(conn, now, rows)
        return ready.row


def _begun_after_staging(office: Office, row: Any) -> list[Any]:
    with office.db.write() as conn:
        return taking.begin_staged(conn, office.db.now(conn), [(row, Staged())], "test")


@both
def test_a_revision_signed_while_the_old_pictures_upload_is_not_sent_with_them(
    office: Office, fake: Mastodon
) -> None:
    post = builders.signed(office, ["a1"], "一稿。")
    row = _claimed_for_staging(office)
    _revise(office, post, "二稿。")
    builders.sign(office, post)
    plan.plan_due(office)
    assert _begun_after_staging(office, row) == []
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["二稿。"]


@here
def test_the_newly_signed_revision_goes_out_instead(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "一稿。")
    _revise(office, post, "二稿。")
    builders.work(office)
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["二稿。"]
    assert builders.only(office, post)["state"] == S.SENT


@here
def test_an_old_revision_is_not_sent_even_if_its_voiding_is_undone(
    office: Office, fake: Mastodon
) -> None:
    post = builders.signed(office, ["a1"], "一稿。")
    _revise(office, post, "二稿。")
    builders.sign(office, post)
    altered(office, approvals, post, voided_at=None, voided=None)
    builders.work(office)
    assert fake.posts() == []


@here
def test_a_revoked_signature_stops_what_is_queued(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "将撤销。")
    with office.db.write() as conn:
        lin = builders.actor(conn, "lin")
        review.revoke(office, conn, office.db.now(conn), lin, post, "口径有变")
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "签发")


@here
def test_a_revoked_revision_is_not_signed_again_as_it_is(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "将撤销。")
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
        lin = builders.actor(conn, "lin")
        review.revoke(office, conn, office.db.now(conn), lin, post, "口径有变")
    with pytest.raises(Conflict, match="撤销"):
        builders.sign(office, post, by="he")
    _revise(office, post, "改后。")
    builders.sign(office, post, by="he")
    plan.plan_due(office)
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["改后。"]


# ---------------------------------------------------------------- who signs


@here
def test_the_author_of_a_revision_cannot_sign_it(office: Office, fake: Mastodon) -> None:
    with office.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "zhou").person or 0, Role.SIGNER, "county")
    post = builders.draft(office, ["a1"])
    with pytest.raises(NotAllowed, match="拟稿人"):
        builders.sign(office, post, by="zhou")


@here
def test_whoever_edited_last_cannot_sign_it(office: Office, fake: Mastodon) -> None:
    """A signer who mends a comma is its author from then on."""
    with office.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "lin").person or 0, Role.EDITOR, "county")
        builders.person(conn, "he", "何平", Role.SIGNER)
    post = builders.draft(office, ["a1"])
    with office.db.write() as conn:
        now, lin = office.db.now(conn), builders.actor(conn, "lin")
        compose.revise(office, conn, now, lin, post, 1, Body("改一个逗号，"), ["a1"])
    with pytest.raises(NotAllowed, match="拟稿人"):
        builders.sign(office, post, by="lin")
    assert builders.sign(office, post, by="he") is PostState.APPROVED


@here
def test_nobody_signs_two_steps_of_one_revision(office: Office, fake: Mastodon) -> None:
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    post = builders.draft(office, ["a1"], "汛情预警。", emergency=True)
    assert builders.sign(office, post, by="lin") is PostState.IN_REVIEW
    with pytest.raises(NotAllowed, match="前一步"):
        builders.sign(office, post, by="lin")
    assert builders.sign(office, post, by="he") is PostState.APPROVED


@both
def test_after_a_return_the_steps_begin_anew(office: Office, fake: Mastodon) -> None:
    """What was returned and handed in again unchanged can be passed by the same two people."""
    with office.db.write() as conn:
        builders.person(conn, "he", "何平", Role.SIGNER)
    post = builders.draft(office, ["a1"], "汛情预警。", emergency=True)
    builders.sign(office, post, by="lin")
    _decide(office, post, "he", Verdict.RETURN, note="请核时间")
    assert builders.sign(office, post, by="lin") is PostState.IN_REVIEW
    assert builders.sign(office, post, by="he") is PostState.APPROVED


def _decide(office: Office, post: int, by: str, verdict: Verdict, **more: Any) -> PostState:
    with office.db.write() as conn:
        digest = conn.execute(
            select(revisions.c.digest).where(revisions.c.post_id == post)
        ).scalar_one()
        word = Decision(verdict, digest, **more)
        return review.decide(
            office, conn, office.db.now(conn), builders.actor(conn, by), post, word
        )


@here
def test_a_signature_on_what_was_not_in_front_of_him_is_refused(
    office: Office, fake: Mastodon
) -> None:
    post = builders.draft(office, ["a1"], "一稿。")
    with office.db.read() as conn:
        seen = conn.execute(select(revisions.c.digest)).scalar_one()
    _revise(office, post, "二稿。")
    with office.db.write() as conn:
        now, zhou, lin = office.db.now(conn), *(builders.actor(conn, w) for w in ("zhou", "lin"))
        review.submit(office, conn, now, zhou, post)
        with pytest.raises(Conflict, match="新版本"):
            review.decide(office, conn, now, lin, post, Decision(Verdict.PASS, seen))


@here
def test_two_editors_do_not_overwrite_one_another(office: Office, fake: Mastodon) -> None:
    post = builders.draft(office, ["a1"], "一稿。")
    with office.db.write() as conn:
        builders.person(conn, "wu", "吴敏", Role.EDITOR)
        now, zhou, wu = office.db.now(conn), *(builders.actor(conn, w) for w in ("zhou", "wu"))
        compose.revise(office, conn, now, zhou, post, 1, Body("周的二稿。"), ["a1"])
        with pytest.raises(Conflict, match="别人改过"):
            compose.revise(office, conn, now, wu, post, 1, Body("吴的二稿。"), ["a1"])


@here
def test_a_post_with_a_blocking_finding_is_not_handed_in(office: Office, fake: Mastodon) -> None:
    post = builders.draft(office, ["a1"], "联系人身份证 11010519491231002X。")
    with pytest.raises(Conflict, match="须先改"):
        builders.sign(office, post)


# ---------------------------------------------------------------- as whom, and when


@both
def test_an_account_reconnected_as_another_identity_sends_nothing_signed_before(
    office: Office, fake: Mastodon
) -> None:
    post = builders.signed(office, ["a1"], "以云澜发布之名。")
    with office.db.write() as conn:
        conn.execute(update(accounts).where(accounts.c.key == "a1").values(identity="fake/other"))
    builders.work(office)
    assert fake.posts() == []
    refused(office, post, "身份")


@both
def test_a_credential_changed_after_the_attempt_began_is_not_used(
    office: Office, fake: Mastodon
) -> None:
    """Between the attempt's commit and the call an administrator connects another identity."""
    builders.signed(office, ["a1"], "以云澜发布之名。")

    async def scene() -> None:
        engine = Engine(office, "test")
        jobs = engine._jobs(await engine._in_store(engine._turn, (), 10))
        with office.db.write() as conn:
            values = {"identity": "fake/100003", "credential": office.secrets.seal("token-3")}
            conn.execute(update(accounts).where(accounts.c.key == "a1").values(**values))
        await asyncio.gather(*jobs)
        await engine.aclose()

    asyncio.run(scene())
    assert [p["account"] for p in fake.posts()] == ["office1"]


@here
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_nothing_goes_outside_the_signed_window(
    office: Office, fake: Mastodon, clock: FixedClock, before: bool
) -> None:
    now = clock.now()
    window = Window(now + timedelta(minutes=10), now + timedelta(minutes=20))
    post = builders.signed(office, ["a1"], "定时。", window=window)
    # A forged time must not help: the window stands on the sign-off.
    with office.db.write() as conn:
        far = now + timedelta(days=9)
        conn.execute(update(deliveries).values(due_at=now, go_at=now, latest_at=far))
    clock.move(0 if before else 21 * 60)
    builders.work(office)
    assert fake.posts() == []
    assert builders.only(office, post)["state"] == (S.READY if before else S.MISSED)
    clock.move(11 * 60)
    builders.work(office)
    assert len(fake.posts()) == (1 if before else 0)


@here
def test_a_window_that_can_never_open_is_refused(office: Office, fake: Mastodon) -> None:
    """Signed for after its own end: it would be approved and never go."""
    now = office.db.now()
    post = builders.draft(office, ["a1"], go_at=now + timedelta(hours=3))
    with pytest.raises(Invalid, match="时段"):
        builders.sign(office, post, window=Window(None, now + timedelta(hours=1)))


# ---------------------------------------------------------------- acts of their own


@here
def test_an_edit_of_what_is_sent_needs_its_own_signature(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "原文。")
    builders.work(office)
    _revise(office, post, "更正后。")
    plan.plan_due(office)
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["原文。"]
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    assert [p["text"] for p in fake.posts()] == ["更正后。"]


@both
def test_going_back_to_the_first_wording_is_an_edit_too(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "原文。")
    builders.work(office)
    for text in ("更正后。", "原文。"):
        _revise(office, post, text)
        builders.sign(office, post)
        plan.plan_due(office)
        builders.work(office)
        assert [p["text"] for p in fake.posts()] == [text]


@here
def test_a_withdrawal_needs_its_own_signature(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "将撤回。")
    builders.work(office)
    with office.db.write() as conn:
        now, zhou = office.db.now(conn), builders.actor(conn, "zhou")
        taken_down = compose.withdrawal(office, conn, now, zhou, post, "有误")
    plan.plan_due(office)
    builders.work(office)
    assert len(fake.posts()) == 1
    builders.sign(office, taken_down)
    plan.plan_due(office)
    builders.work(office)
    assert fake.posts() == []


@here
def test_a_signature_to_publish_does_not_withdraw(office: Office, fake: Mastodon) -> None:
    post = builders.signed(office, ["a1"], "照常。")
    builders.work(office)
    row = builders.only(office, post)
    _forge(
        office, post, PostState.APPROVED, act=Act.WITHDRAW, target_id=row["id"], key="forged-down"
    )
    builders.work(office)
    assert len(fake.posts()) == 1


@here
def test_a_picture_changed_on_disk_is_not_sent(office: Office, fake: Mastodon) -> None:
    with office.db.write() as conn:
        picture = media.take_picture(
            office.media, conn, office.db.now(conn), _png("red"), "a.png", "图一"
        )
    post = builders.signed(office, ["a1"], body=Body("看图。", media=(picture,)))
    office.media.path(picture.sha256).write_bytes(_png("blue"))
    builders.work(office)
    assert fake.posts() == []
    assert builders.only(office, post)["state"] == S.FAILED
    assert "损坏" in why(office, post)


def _png(colour: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(out, "PNG")
    return out.getvalue()
