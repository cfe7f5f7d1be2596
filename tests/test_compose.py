"""成稿: what is seen is what is sent, to the byte; a revision never changes."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select, update

from bot import catalog, compose, lease, media, people
from bot.compose import Body, catalogue
from bot.db import (
    accounts,
    approvals,
    deliveries,
    insert_id,
    items,
    posts,
    renditions,
    replies,
    revisions,
    sources,
)
from bot.db import media as pictures
from bot.deliver import plan
from bot.errors import ConfigError, Conflict, Invalid, NotAllowed, NotFound
from bot.model import (
    Act,
    DeliveryState,
    Entry,
    ItemState,
    Media,
    Outgoing,
    OverLimit,
    PostKind,
    PostState,
    Severity,
    Unit,
    digest_of,
)
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.offices import Notice, both, pytest_generate_tests, rows, told, url  # noqa: F401

S = DeliveryState
LINK = "https://yunlan.example.cn/zwgk/2026/11/25/content_10086.html"
LONG = "云澜县自来水公司将对望江路主管道进行检修。" * 30


@pytest.fixture
def furnished(office: Office) -> Office:
    """With the shipped templates and an account that people serve by hand."""
    return offices.declared(office, offices.HAND.format(key="hand"))


def previewed(office: Office, body: Body, *keys: str) -> list[compose.Rendered]:
    with office.db.read() as conn:
        return compose.preview(office, conn, body, keys)


def rules(office: Office, body: Body, *keys: str) -> set[str]:
    return {f.rule for part in previewed(office, body, *keys) for f in part.findings}


def picture(office: Office, alt: str = "停水范围图") -> Media:
    out = io.BytesIO()
    Image.new("RGB", (3, 2), "teal").save(out, "PNG")
    with office.db.write() as conn:
        return media.take_picture(
            office.media, conn, office.db.now(conn), out.getvalue(), "a.png", alt
        )


# ---------------------------------------------------------------- preview


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("明日停水。", {}),
        ("　　各镇（街道）：\n\n　　一、停水\t范围  👨‍👩‍👧‍👦 ①②③ \u200b“引号”\n\n\n末行", {}),
        (f"详见 {LINK}?a=1&b=<2>", {"link": LINK}),
        (LONG, {"over_limit": OverLimit.SHORTEN}),
        (f"{LONG}{LINK}", {"over_limit": OverLimit.SHORTEN, "link": LINK}),
        (LONG, {"over_limit": OverLimit.THREAD}),
        ("讣告。", {"warning": "讣告", "visibility": "unlisted", "language": "en"}),
    ],
)
def test_the_preview_is_what_is_sent_to_the_byte(
    office: Office, platform: tuple[Mastodon, Server], text: str, more: dict[str, Any]
) -> None:
    fake, server = platform
    builders.account(office, "a1", server.url)
    body = Body(text, title="标题", **more)
    seen = previewed(office, body, "a1")
    post = builders.draft(office, ["a1"], body=body)
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    sent = fake.posts()
    assert [p["text"] for p in sent] == [part.outgoing.text for part in seen]
    assert {(p["warning"], p["visibility"], p["language"]) for p in sent} == {
        (body.warning, body.visibility, body.language)
    }
    assert [p["reply_to"] for p in sent] == ["", *(p["id"] for p in sent[:-1])]


def test_pictures_go_with_the_first_part_and_their_words_with_them(
    office: Office, platform: tuple[Mastodon, Server]
) -> None:
    fake, server = platform
    builders.account(office, "a1", server.url)
    body = Body(LONG, over_limit=OverLimit.THREAD, media=(picture(office),))
    post = builders.draft(office, ["a1"], body=body)
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    assert [p["media"] for p in fake.posts()] == [["停水范围图"], []]


# ---------------------------------------------------------------- limits


def test_what_is_over_the_limit_and_may_not_be_cut_is_refused(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example")
    body = Body(LONG, over_limit=OverLimit.REFUSE)
    (part,) = previewed(furnished, body, "a1")
    assert part.outgoing.text == LONG
    (finding,) = part.findings
    assert (finding.rule, finding.severity) == ("over-limit", Severity.BLOCK)
    post = builders.draft(furnished, ["a1"], body=body)
    with pytest.raises(Conflict, match="字数"):
        builders.sign(furnished, post)


def test_what_is_shortened_keeps_its_link(furnished: Office) -> None:
    text = f"{LONG}\n{LINK}"
    (part,) = previewed(furnished, Body(text, link=LINK, over_limit=OverLimit.SHORTEN), "hand")
    assert part.outgoing.text.endswith(f"…… {LINK}")
    assert part.count <= part.limit == 140
    assert part.findings == ()


def test_each_part_of_a_thread_fits_and_nothing_is_lost(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", text_limit=100)
    parts = previewed(furnished, Body(LONG, over_limit=OverLimit.THREAD), "a1")
    assert all(part.count <= 100 for part in parts)
    assert [part.part for part in parts] == list(range(len(parts)))
    words = [part.outgoing.text for part in parts]
    assert [w[-len(f"（{n}/{len(parts)}）") :] for n, w in enumerate(words, 1)] == [
        f"（{n}/{len(parts)}）" for n in range(1, len(parts) + 1)
    ]
    assert "".join(w.rpartition("（")[0] for w in words) == LONG


def test_what_cannot_be_fitted_stays_whole_and_is_a_finding(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", text_limit=20, link_weight=0)
    for rule in (OverLimit.SHORTEN, OverLimit.THREAD):
        body = Body(f"见{LINK}", link=LINK, over_limit=rule)
        (part,) = previewed(furnished, body, "a1")
        assert part.outgoing.text == body.text
        assert {f.rule for f in part.findings} == {"over-limit"}


def test_each_account_has_its_own_rule_its_own_unit_and_its_own_words(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", over_limit=OverLimit.THREAD)
    builders.account(furnished, "w", "http://x.example", text_limit=140, unit=Unit.WEIBO)
    body = Body(LONG, variants={"w": "微博专用。"})
    parts = previewed(furnished, body, "hand", "a1", "w")
    texts: dict[str, list[str]] = {}
    for part in parts:
        texts.setdefault(part.account["key"], []).append(part.outgoing.text)
    assert {key: len(t) for key, t in texts.items()} == {"hand": 1, "a1": 2, "w": 1}
    assert texts["w"] == ["微博专用。"]
    assert [p.count for p in parts if p.account["key"] == "w"] == [5]


def test_a_warning_counts_with_the_text(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", text_limit=10)
    assert rules(furnished, Body("一二三四五六七八", warning="讣告"), "a1") == set()
    assert rules(furnished, Body("一二三四五六七八九", warning="讣告"), "a1") == {"over-limit"}


@pytest.mark.parametrize(
    ("rule", "body", "able"),
    [
        (
            "media-count",
            Body("图", media=(Media("a", "image/png", 1, 1, 1, "图"),) * 2),
            {"media_count": 1},
        ),
        ("media-kind", Body("图", media=(Media("a", "image/tiff", 1, 1, 1, "图"),)), {}),
        (
            "media-bytes",
            Body("图", media=(Media("a", "image/png", 9, 1, 1, "图"),)),
            {"media_bytes": 8},
        ),
        (
            "media-measures",
            Body("图", media=(Media("a", "image/png", 1, 9, 9, "图"),)),
            {"media_side": 8},
        ),
        ("visibility", Body("仅粉丝", visibility="private"), {"visibilities": ("public",)}),
        ("answer", Body("答", in_reply_to={"a1": "1"}), {"answer": False}),
        ("empty", Body(" \n"), {}),
    ],
)
def test_what_a_platform_cannot_take_is_a_finding_that_blocks(
    furnished: Office, rule: str, body: Body, able: dict[str, Any]
) -> None:
    builders.account(furnished, "a1", "http://x.example")
    if able:
        assert rules(furnished, body, "a1") == set()
    with furnished.db.write() as conn:
        stored = conn.execute(
            select(accounts.c.capabilities).where(accounts.c.key == "a1")
        ).scalar()
        changed = {**(stored or {}), **able}
        conn.execute(update(accounts).where(accounts.c.key == "a1").values(capabilities=changed))
    assert rules(furnished, body, "a1") == {rule}


def test_an_account_that_was_never_connected_blocks_unless_people_serve_it(
    furnished: Office,
) -> None:
    builders.account(furnished, "a1", "http://x.example")
    with furnished.db.write() as conn:
        conn.execute(update(accounts).values(identity=""))
    assert rules(furnished, Body("通知"), "a1") == {"unconnected"}
    assert rules(furnished, Body("通知"), "hand") == set()


@pytest.mark.parametrize("where", ["title", "warning", "alt"])
def test_every_field_that_is_published_is_screened(furnished: Office, where: str) -> None:
    number = "11010519491231002X"
    builders.account(furnished, "a1", "http://x.example", title=True)
    body = Body("通知", title=number if where == "title" else "", media=(picture(furnished, "图"),))
    if where == "warning":
        body = replace(body, warning=number)
    if where == "alt":
        body = replace(body, media=(picture(furnished, number),))
    found = [f for part in previewed(furnished, body, "a1") for f in part.findings]
    assert [(f.rule, f.start, f.end) for f in found] == [("identity-number", 0, 0)]


def test_a_post_that_waits_for_another_day_is_screened_for_that_day(
    furnished: Office, clock: FixedClock
) -> None:
    text = "今天8时停水。"
    with furnished.db.read() as conn:
        for later, found in (
            (timedelta(0), set()),
            (timedelta(minutes=1), set()),
            (timedelta(2), {"relative-time"}),
        ):
            at = clock.now() + later
            shown = compose.preview(furnished, conn, Body(text), ["hand"], go_at=at)
            assert {f.rule for part in shown for f in part.findings} == found
    post = builders.draft(furnished, ["hand"], text, go_at=clock.now() + timedelta(2))
    (revision,) = rows(furnished, revisions)
    assert [(f["rule"], f["part"]) for f in revision["findings"]] == [("relative-time", 0)]
    assert revision["post_id"] == post


@both
def test_what_the_account_has_sent_is_known_and_a_post_is_no_repetition_of_itself(
    furnished: Office,
) -> None:
    text = "云澜县水务局通告：因管网检修，东街、西街11月26日8时至18时停水，请提前储水。"
    builders.account(furnished, "a1", "http://x.example")
    post = builders.signed(furnished, ["hand"], text)
    assert rules(furnished, Body(text), "hand") == set()  # not sent yet
    with furnished.db.write() as conn:
        conn.execute(update(deliveries).values(state=S.SENT, remote_id="1"))
    assert rules(furnished, Body(text), "hand") == {"repeated-post"}
    assert rules(furnished, Body(text.replace("26", "27")), "hand") == {"repeated-post"}
    assert rules(furnished, Body(text), "a1") == set()  # another account
    with furnished.db.read() as conn:
        mine = compose.one(conn, post)
        shown = compose.preview(furnished, conn, Body(text), ["hand"], post=mine)
    assert [f for part in shown for f in part.findings] == []


def test_a_pair_that_closes_in_the_next_part_is_paired(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", text_limit=60)
    right = "（" + "城区停水。" * 20 + "）"
    for rule in (OverLimit.THREAD, OverLimit.SHORTEN):
        assert rules(furnished, Body(right, over_limit=rule), "a1") == set()
        assert rules(furnished, Body(right[:-1], over_limit=rule), "a1") == {"unpaired"}


def test_a_message_with_braces_in_the_text_is_told_as_it_is(furnished: Office) -> None:
    post = builders.draft(furnished, ["hand"], "证号 {11010519491231002X} {0} {}")
    with pytest.raises(Conflict, match="公民身份号码"):
        builders.sign(furnished, post)


def test_each_account_gets_a_picture_as_its_platform_takes_it(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example")
    builders.account(
        furnished, "a2", "http://x.example", 2, media_side=2, media_kinds=["image/jpeg"]
    )
    body = Body("图", media=(picture(furnished),))
    by_key = {p.account["key"]: p.outgoing.media[0] for p in previewed(furnished, body, "a1", "a2")}
    assert by_key["a1"] == body.media[0]
    small = by_key["a2"]
    assert (small.kind, small.width, small.alt) == ("image/jpeg", 2, "停水范围图")
    builders.draft(furnished, ["a1", "a2"], body=body)
    with furnished.db.read() as conn:
        named = set(conn.execute(select(pictures.c.sha256)).scalars())
    assert named == {body.media[0].sha256, small.sha256}, "so that a backup has both"


def test_whoever_signs_is_told_that_a_picture_was_cropped(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example", media_ratio=1)
    (part,) = previewed(furnished, Body("图", media=(picture(furnished),)), "a1")
    assert [(f.rule, f.severity) for f in part.findings] == [("media-cropped", Severity.WARN)]
    assert (part.outgoing.media[0].width, part.outgoing.media[0].height) == (2, 2)


def test_alternative_text_is_as_long_as_the_platform_takes_and_there_where_it_must_be(
    furnished: Office,
) -> None:
    builders.account(furnished, "a1", "http://x.example", alt_limit=5)
    assert rules(furnished, Body("图", media=(picture(furnished, ""),)), "a1") == {"missing-alt"}
    assert rules(furnished, Body("图", media=(picture(furnished, "停水范围图"),)), "a1") == set()
    assert rules(furnished, Body("图", media=(picture(furnished, "停水范围图示"),)), "a1") == {
        "alt-limit"
    }
    more = offices.HAND.format(key="hand").replace(
        "[accounts.hand.options]", "alt_required = true\n[accounts.hand.options]"
    )
    strict = offices.declared(furnished, more)
    blocked = {("missing-alt", Severity.BLOCK)}
    for alt, found in (("", blocked), (" ", blocked), ("停水范围图", set())):
        (part,) = previewed(strict, Body("图", media=(picture(strict, alt),)), "hand")
        assert {(f.rule, f.severity) for f in part.findings} == found


# ---------------------------------------------------------------- posts


def test_a_post_that_cannot_be_made_leaves_nothing(furnished: Office, clock: FixedClock) -> None:
    with furnished.db.write() as conn:
        zhou = builders.actor(conn, "zhou")
        late = {"go_at": clock.now(), "latest_at": clock.now() - timedelta(hours=1)}
        for keys, more, error in (
            ((), {}, Invalid),
            (("nosuch",), {}, NotFound),
            (("hand",), late, Invalid),
            (("hand",), {"go_at": clock.now() + timedelta(1), "latest_at": clock.now()}, Invalid),
        ):
            with pytest.raises(error), conn.begin_nested():
                _create(furnished, conn, zhou, keys, **more)
        with pytest.raises(NotAllowed):
            _create(furnished, conn, builders.actor(conn, "lin"), ("hand",))
    assert rows(furnished, posts) == []


def _create(office: Office, conn: Any, who: Any, keys: Any, **more: Any) -> int:
    unit = people.unit_of(conn, "county")["id"]
    now = office.db.now(conn)
    return compose.create(
        office, conn, now, who, unit_id=unit, keys=keys, body=Body("通知"), **more
    )


def test_a_revision_never_changes_and_its_digest_binds_all_of_it(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example")
    post = builders.draft(furnished, ["a1", "hand"], "一稿。")
    first = rows(furnished, revisions), rows(furnished, renditions)
    _revise(furnished, post, "二稿。", keys=["a1"])
    assert (rows(furnished, revisions)[:1], rows(furnished, renditions)[:2]) == first
    (one, two) = rows(furnished, revisions)
    assert (one["number"], two["number"]) == (1, 2)
    assert digest_of(one["manifest"]) == one["digest"] != two["digest"]
    for row in rows(furnished, renditions):
        assert digest_of(row["payload"]) == row["digest"]


def _revise(office: Office, post: int, text: str, **more: Any) -> int:
    keys = more.pop("keys", ["hand"])
    with office.db.write() as conn:
        row = compose.locked(conn, post)
        version = more.pop("version", row["version"])
        zhou, now = builders.actor(conn, "zhou"), office.db.now(conn)
        return compose.revise(office, conn, now, zhou, post, version, Body(text), keys, **more)


@pytest.mark.parametrize(
    "change",
    [
        {"identity": "fake/other"},
        {"text": "通知！"},
        {"emergency": True},
        {"kind": PostKind.CORRECTION},
        {"title": "别的"},
    ],
)
def test_the_digest_changes_with_whatever_is_signed(
    furnished: Office, change: dict[str, Any]
) -> None:
    builders.account(furnished, "a1", "http://x.example", title=True)

    def _manifest(text: str = "通知", title: str = "", **more: Any) -> dict[str, Any]:
        post = builders.draft(furnished, ["a1"], body=Body(text, title=title), **more)
        (row,) = (r for r in rows(furnished, revisions) if r["post_id"] == post)
        return {**row["manifest"], "post": 0}

    plain = _manifest()
    if identity := change.pop("identity", None):
        with furnished.db.write() as conn:
            conn.execute(update(accounts).values(identity=identity))
    assert _manifest(**change) != plain


def test_an_edit_voids_the_sign_off_and_begins_anew(furnished: Office) -> None:
    post = builders.signed(furnished, ["hand"], "一稿。")
    assert _revise(furnished, post, "二稿。") == 2
    (row,) = rows(furnished, posts)
    assert (row["state"], row["step"], row["version"]) == (PostState.DRAFT, 0, 2)
    with furnished.db.read() as conn:
        assert conn.execute(select(approvals.c.voided_at)).scalar_one() is not None


def test_of_two_editors_the_slower_is_told(furnished: Office) -> None:
    post = builders.draft(furnished, ["hand"])
    _revise(furnished, post, "周的。", version=1)
    with pytest.raises(Conflict, match="比较"):
        _revise(furnished, post, "吴的。", version=1)


@both
def test_a_post_that_is_put_away_calls_off_what_has_not_gone(furnished: Office) -> None:
    post = builders.signed(furnished, ["hand"], "一稿。")
    with furnished.db.write() as conn, pytest.raises(Conflict, match="队列"):
        compose.close(conn, furnished.db.now(conn), builders.actor(conn, "zhou"), post)
    _revise(furnished, post, "二稿。")
    with furnished.db.write() as conn:
        compose.close(conn, furnished.db.now(conn), builders.actor(conn, "zhou"), post)
    assert builders.only(furnished, post)["state"] == S.CANCELLED
    with pytest.raises(Conflict, match="另起一篇"):
        _revise(furnished, post, "三稿。")


# ---------------------------------------------------------------- from the catalogue


def entered(office: Office, entry: Entry, **more: Any) -> int:
    """An item of the source `notices`."""
    with office.db.write() as conn:
        now = office.db.now(conn)
        source = conn.execute(select(sources.c.id)).scalar_one()
        row = {"source_id": source, "key": entry.key, "state": ItemState.NEW, "title": entry.title}
        stored = {"digest": entry.digest, "entry": entry.json(), "revision": 1, "seen_at": now}
        return insert_id(conn, items, {**row, **stored, "due_at": now, **more})


SOURCE = """
[sources.notices]
unit = "county"
url = "feed.xml"
template = "{template}"
accounts = {accounts}
"""
ENTRY = Entry(
    key="1",
    title="关于望江路停水的通告",
    link=LINK,
    published=datetime(2026, 11, 23, 16, 30, tzinfo=UTC),
    document_number="云政办〔2026〕8号",
    publisher="云澜县水务局",
    column="通知公告",
    summary="望江路明日停水。",
    body="各用户：\n望江路明日停水。",
    language="zh-CN",
)


def sourced(office: Office, template: str = "notice", accounts: str = '["hand"]') -> Office:
    part = SOURCE.format(template=template, accounts=accounts)
    return offices.declared(office, part + offices.HAND.format(key="hand"))


def test_an_entry_becomes_a_draft_by_the_office_s_template(office: Office) -> None:
    made = sourced(office)
    item = entered(made, ENTRY)
    assert compose.compose_due(made) == 1
    (post,) = rows(made, posts)
    (text,) = (row["payload"]["text"] for row in rows(made, renditions))
    assert text == (
        "【通知公告】关于望江路停水的通告（云政办〔2026〕8号）\n望江路明日停水。\n" + LINK
    )
    assert (post["title"], post["author_id"], post["item_id"]) == (ENTRY.title, None, item)
    (row,) = rows(made, items)
    assert (row["state"], row["post_id"], row["due_at"]) == (ItemState.COMPOSED, post["id"], None)
    (revision,) = rows(made, revisions)
    assert (revision["template"], revision["item_revision"]) == ("notice", 1)
    assert compose.compose_due(made) == 0


def test_a_board_with_titles_gets_the_whole_text(office: Office) -> None:
    made = sourced(office)
    builders.account(made, "a1", "http://x.example", title=True, text_limit=5000)
    item = entered(made, ENTRY)
    with made.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), made.db.now(conn)
        compose.from_item(made, conn, now, zhou, item, keys=["hand", "a1"])
    texts = {row["payload"]["title"]: row["payload"]["text"] for row in rows(made, renditions)}
    assert texts[ENTRY.title].startswith("云澜县水务局　云政办〔2026〕8号\n\n各用户：")
    assert texts[""].startswith("【通知公告】")


def test_dates_are_on_the_office_s_clock_and_missing_ones_stay_missing(office: Office) -> None:
    made = sourced(office, template="dated")
    folder = made.config.path.parent / "templates"
    (folder / "dated.txt").write_text("{{ published | chinese_date }}，成文 {{ formed }}", "utf-8")
    entered(made, ENTRY)
    compose.compose_due(made)
    (row,) = rows(made, renditions)
    assert row["payload"]["text"] == "2026年11月24日，成文 None"


def test_a_mistake_in_a_template_waits_with_its_line_and_stops_no_other(
    office: Office, clock: FixedClock
) -> None:
    made = sourced(office, template="wrong")
    file = made.config.path.parent / "templates" / "wrong.txt"
    file.write_text(
        '+++\nname = "错"\n+++\n{% if topic %}{{ naem }}{% endif %}{{ title }}', "utf-8"
    )
    bad = entered(made, replace(ENTRY, topic="水务"))
    entered(made, replace(ENTRY, key="2"))
    assert compose.compose_due(made) == 2
    by_id = {row["id"]: row for row in rows(made, items)}
    assert [row["state"] for row in by_id.values()] == [ItemState.NEW, ItemState.COMPOSED]
    (said,) = told(made)
    assert "wrong.txt 第 4 行" in said
    assert "naem" in said
    assert by_id[bad]["due_at"] is None
    file.write_text("{{ title }}", "utf-8")
    with made.db.write() as conn:
        catalog.take(conn, clock.now(), builders.actor(conn, "zhou"), bad)
    assert told(made) == []
    compose.compose_due(made)
    assert {row["state"] for row in rows(made, items)} == {ItemState.COMPOSED}


@both
def test_a_source_without_accounts_leaves_no_half_post(office: Office) -> None:
    made = sourced(office, accounts="[]")
    entered(made, ENTRY)
    compose.compose_due(made)
    assert rows(made, posts) == []
    assert "账号" in told(made)[0]


@both
def test_an_entry_waits_until_its_accounts_are_connected(office: Office, clock: FixedClock) -> None:
    more = '[accounts.m]\nunit = "county"\nadapter = "mastodon"\noptions.url = "http://x.example"\n'
    part = SOURCE.format(template="notice", accounts='["m"]')
    made = offices.declared(office, part + more)
    entered(made, ENTRY)
    assert compose.compose_due(made) == 1
    assert rows(made, posts) == []
    clock.move(3600)
    compose.compose_due(made)
    (item,) = rows(made, items)
    assert item["due_at"] - clock.now() == timedelta(minutes=6)
    with made.db.write() as conn:
        conn.execute(update(accounts).values(identity="x/1"))
    clock.move(3600)
    compose.compose_due(made)
    assert len(rows(made, posts)) == 1
    assert rows(made, items)[0]["waits"] is None


@both
def test_what_a_person_takes_while_the_machine_composes_becomes_one_post(
    office: Office, clock: FixedClock
) -> None:
    """The machine claimed it, was slow, and a person was quicker: what it made is undone."""
    made = sourced(office)
    item = entered(made, ENTRY)
    with made.db.write() as conn:
        now = clock.now()
        (claimed,) = lease.claim(conn, items, now, 1)
        zhou = builders.actor(conn, "zhou")
        compose.from_item(made, conn, now, zhou, item)
        with pytest.raises(Conflict), conn.begin_nested():
            catalogue._compose_claimed(made, conn, now, claimed)
    assert len(rows(made, posts)) == 1


def test_it_is_told_when_the_entry_has_moved_on(office: Office, clock: FixedClock) -> None:
    made = sourced(office)
    entered(made, ENTRY)
    file = made.config.path.parent / "feed.xml"
    file.write_text(offices.rss([Notice("停水", clock.now(), text="一")]), "utf-8")
    asyncio.run(catalog.poll_due(made))
    (item,) = (row for row in rows(made, items) if row["title"] == "停水")
    with made.db.write() as conn:
        zhou = builders.actor(conn, "zhou")
        post = compose.from_item(made, conn, clock.now(), zhou, item["id"])
        assert compose.source_moved(conn, compose.locked(conn, post)) is None
    clock.move(3600)
    file.write_text(offices.rss([Notice("停水", item["published"], text="二")]), "utf-8")
    asyncio.run(catalog.poll_due(made))
    with made.db.read() as conn:
        row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
        assert compose.source_moved(conn, row) == 2


@both
def test_asked_twice_at_once_one_draft_is_made_of_an_entry(office: Office) -> None:
    made = sourced(office)
    item = entered(made, ENTRY)
    together = threading.Barrier(2)

    def ask(**more: Any) -> int:
        with made.db.write() as conn:
            now, zhou = made.db.now(conn), builders.actor(conn, "zhou")
            return compose.from_item(made, conn, now, zhou, item, keys=["hand"], **more)

    def press() -> int:
        together.wait()
        return ask()

    with ThreadPoolExecutor(2) as pool:
        first, second = (pressed.result() for pressed in [pool.submit(press), pool.submit(press)])
    assert first == second
    assert len(rows(made, posts)) == 1
    assert ask(assisted=True) != first, "another text is another draft"


def test_a_person_may_choose_another_template_and_other_accounts(office: Office) -> None:
    made = sourced(office)
    item = entered(made, ENTRY)
    with made.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), made.db.now(conn)
        with pytest.raises(ConfigError, match="nosuch"), conn.begin_nested():
            compose.from_item(made, conn, now, zhou, item, "nosuch")
        with pytest.raises(NotFound), conn.begin_nested():
            compose.from_item(made, conn, now, zhou, item, keys=["nosuch"])
        compose.from_item(made, conn, now, zhou, item, keys=["hand"])
    assert rows(made, items)[0]["state"] == ItemState.COMPOSED


# ---------------------------------------------------------------- answers, withdrawals


def heard(office: Office, account: int, text: str = "几点来水？", **more: Any) -> int:
    with office.db.write() as conn:
        now = office.db.now(conn)
        row = {"account_id": account, "remote_id": "r1", "author_name": "路人", "text": text}
        times = {"at": now, "seen_at": now, "last_seen": now, "state": "visible"}
        return insert_id(conn, replies, {**row, **times, **more})


def test_an_answer_hangs_under_the_reply_and_is_signed_like_any_post(furnished: Office) -> None:
    account = builders.account(furnished, "a1", "http://x.example")
    reply = heard(furnished, account)
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        made = compose.answer(furnished, conn, now, zhou, reply, "18 时来水。")
        with pytest.raises(NotFound):
            compose.answer(furnished, conn, now, zhou, 99, "无")
    (post,) = rows(furnished, posts)
    (row,) = rows(furnished, renditions)
    assert (post["id"], post["kind"], post["answers_id"]) == (made, PostKind.RESPONSE, reply)
    assert post["state"] == PostState.DRAFT
    assert (row["payload"]["in_reply_to"], row["payload"]["text"]) == ("r1", "18 时来水。")
    assert "几点来水" in post["title"]


@pytest.mark.parametrize(
    ("handle", "text"), [("wang@m.example", "@wang@m.example 18 时来水。"), ("", "18 时来水。")]
)
def test_an_answer_addresses_its_asker_by_his_handle_and_never_by_a_number(
    furnished: Office, handle: str, text: str
) -> None:
    account = builders.account(furnished, "a1", "http://x.example")
    reply = heard(furnished, account, author="x.example/900001", handle=handle)
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        compose.answer(furnished, conn, now, zhou, reply, "18 时来水。")
    assert rows(furnished, renditions)[0]["payload"]["text"] == text


def test_an_answer_has_a_comments_room_however_long_a_post_may_be(furnished: Office) -> None:
    """What a comment cannot hold is told before anybody signs it, not by the platform."""
    room = {"text_limit": 2000, "answer_limit": 140, "answer_media": False}
    account = builders.account(furnished, "a1", "http://x.example", **room)
    heard(furnished, account)
    post = Body("好" * 150, over_limit=OverLimit.REFUSE)
    answer = replace(post, in_reply_to={"a1": "r1"})
    assert rules(furnished, post, "a1") == set()
    assert rules(furnished, answer, "a1") == {"over-limit"}
    pictured = replace(answer, text="见图", media=(picture(furnished),))
    assert rules(furnished, pictured, "a1") == {"media-count"}
    thread = Body("一二三四五六七八九。" * 250, over_limit=OverLimit.THREAD)
    parts = previewed(furnished, thread, "a1")
    assert all(part.count <= 140 for part in parts[1:])


def test_an_answer_is_as_visible_as_its_template_says(furnished: Office) -> None:
    file = furnished.config.path.parent / "templates" / "response.txt"
    file.write_text('+++\nname = "答复"\nvisibility = "unlisted"\n+++\n{{ text }}', "utf-8")
    reply = heard(furnished, builders.account(furnished, "a1", "http://x.example"))
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        compose.answer(furnished, conn, now, zhou, reply, "18 时来水。")
    assert rows(furnished, renditions)[0]["payload"]["visibility"] == "unlisted"


def test_a_citizen_s_words_are_never_a_template(furnished: Office) -> None:
    account = builders.account(furnished, "a1", "http://x.example")
    reply = heard(furnished, account, "{{ 7*7 }} {x} {0}", author_name="{{ config }}")
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        compose.answer(furnished, conn, now, zhou, reply, "{{ text }} {n}")
    assert rows(furnished, renditions)[0]["payload"]["text"] == "{{ text }} {n}"
    assert "{{ 7*7 }} {x} {0}" in rows(furnished, posts)[0]["title"]


def test_a_withdrawal_takes_down_what_was_sent_whatever_screening_says_of_it_now(
    furnished: Office,
) -> None:
    """The very post that must come down is the one with a number in it."""
    post = builders.signed(furnished, ["hand"], "联系人张三。")
    number = "联系人 11010519491231002X。"
    with furnished.db.write() as conn:
        payload = conn.execute(select(renditions.c.payload)).scalar_one()
        conn.execute(update(renditions).values(payload={**payload, "text": number}))
        conn.execute(update(deliveries).values(state=S.SENT, remote_id="1"))
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        with pytest.raises(Invalid, match="理由"):
            compose.withdrawal(furnished, conn, now, zhou, post, " ")
        made = compose.withdrawal(furnished, conn, now, zhou, post, "误发个人信息")
    assert builders.sign(furnished, made) is PostState.APPROVED
    (_, row) = rows(furnished, posts)
    assert (row["kind"], row["about_id"]) == (PostKind.WITHDRAWAL, post)
    (_, revision) = rows(furnished, revisions)
    assert [part[-1] for part in revision["manifest"]["renditions"]] == [Act.WITHDRAW]


@both
def test_a_withdrawal_reaches_the_account_a_later_revision_left_out(furnished: Office) -> None:
    builders.account(furnished, "a1", "http://x.example")
    post = builders.signed(furnished, ["hand", "a1"], "一稿。")
    with furnished.db.write() as conn:
        conn.execute(update(deliveries).values(state=S.SENT, due_at=None))
    _revise(furnished, post, "二稿。", keys=["hand"])
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        made = compose.withdrawal(furnished, conn, now, zhou, post, "有误")
    builders.sign(furnished, made)
    plan.plan_due(furnished)
    taken_down = [r for r in builders.sent_to(furnished, made) if r["act"] == Act.WITHDRAW]
    assert len(taken_down) == 2


# ---------------------------------------------------------------- links that make a post findable


def demanding(office: Office) -> None:
    """The account takes a post only with a link to the office's site, and marks it."""
    able = {"link_parameter": "gk", "link_required": True, "link_domains": ["yunlan.example.cn"]}
    with office.db.write() as conn:
        stored = conn.execute(select(accounts.c.capabilities)).scalar_one()
        changed = {**stored, **able, "topic_form": "taken_out"}
        conn.execute(update(accounts).values(capabilities=changed))


def test_a_revision_binds_the_parameter_that_finds_its_post_again(furnished: Office) -> None:
    demanding(furnished)
    first, second = (
        builders.draft(furnished, ["hand"], body=Body(f"停水通知 {LINK}，请知悉。", link=LINK))
        for _ in range(2)
    )
    made = [Outgoing.of(row["payload"]) for row in rows(furnished, renditions)]
    assert all(re.search(rf"{LINK}\?gk=[0-9a-f]{{10}} ，", part.text) for part in made)
    assert all(part.link in part.text for part in made)
    assert made[0].link != made[1].link
    [seen] = previewed(furnished, Body("停水", link=LINK), "hand")
    assert (first, second, seen.outgoing.link) == (1, 2, LINK)


def test_a_text_is_fitted_with_the_parameter_in_it(furnished: Office) -> None:
    demanding(furnished)
    long = f"{LINK}?{'x' * 40}"
    body = Body(f"{LONG}{long}", link=long, over_limit=OverLimit.SHORTEN)
    builders.draft(furnished, ["hand"], body=body)
    [row] = rows(furnished, renditions)
    assert "gk=" in row["payload"]["text"]
    assert not [f for f in rows(furnished, revisions)[0]["findings"] if f["rule"] == "over-limit"]


@pytest.mark.parametrize("over", [OverLimit.SHORTEN, OverLimit.THREAD])
def test_each_part_has_its_own_parameter_and_the_label_under_it(
    furnished: Office, over: OverLimit
) -> None:
    demanding(furnished)
    words = f"{LINK} 第一段。{LONG}另见 {LINK} 。"
    body = Body(words, link=LINK, over_limit=over, assisted=True)
    builders.draft(furnished, ["hand"], body=body)
    made = [Outgoing.of(row["payload"]) for row in rows(furnished, renditions)]
    marks = [part.link for part in made if "gk=" in part.text]
    assert len(marks) == len(set(marks)) == (1 if over is OverLimit.SHORTEN else 2)
    assert all(part.link in part.text for part in made if "gk=" in part.text)
    label = furnished.config.compose.assisted_label
    assert [part.text.endswith(f"\n{label}") for part in made] == [True] * len(made)


@pytest.mark.parametrize("title", ["任免通知\n", ""])
def test_a_thread_begins_with_the_link_where_the_platform_wants_one(
    furnished: Office, title: str
) -> None:
    demanding(furnished)
    body = Body(f"{title}{LONG * 2}\n{LINK}", link=LINK, over_limit=OverLimit.THREAD)
    assert "link-domain" not in rules(furnished, body, "hand")
    parts = [part.outgoing.text for part in previewed(furnished, body, "hand")]
    assert [LINK in part for part in parts] == [True] + [False] * (len(parts) - 1)
    assert parts[0].startswith(title or LINK)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (f"停水通知 {LINK}", set()),
        ("停水通知", {"link-domain"}),
        ("停水通知 https://elsewhere.example/x", {"link-domain"}),
        (f"#停水# 通知 {LINK}", {"topic"}),
        (f"通知 {LINK}#a ，另见 {LINK}#b ", set()),
    ],
)
def test_what_a_platform_wants_of_a_text_is_found_before_anybody_signs(
    furnished: Office, words: str, found: set[str]
) -> None:
    demanding(furnished)
    assert rules(furnished, Body(words), "hand") == found
    assert not rules(furnished, Body("答复", in_reply_to={"hand": "1"}), "hand") - {"answer"}
