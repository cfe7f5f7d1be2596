"""/api/v1 says what the pages say: each figure with its rows; and administers where its token may."""

# ruff: noqa: F811 - fixtures of a neighbour
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, select, update

from bot import catalog, db, people
from bot.cli import main
from bot.model import Role, Scope
from bot.office import Office
from bot.web import session
from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import url  # noqa: F401
from tests.test_rights import MORE, UNITS, World, world  # noqa: F401
from tests.web import scene, serving, showcase
from tests.web.test_api import Api, Program, api, base, kind, made, staffed  # noqa: F401

A = Scope.ADMIN


def every(program: Program, path: str) -> list[dict[str, Any]]:
    """All the rows of a list, by its pages."""
    rows: list[dict[str, Any]] = []
    cursor, sep = "", "&" if "?" in path else "?"
    while True:
        answer = program.client.get(f"{path}{sep}cursor={cursor}" if cursor else path)
        assert answer.status_code == 200, (path, answer.text)
        page = answer.json()
        rows += page["rows"]
        if not page["next"]:
            return rows
        cursor = page["next"]


# ---------------------------------------------------------------- figures


@pytest.fixture
def furnished(world: World) -> Iterator[tuple[Office, str]]:
    """An office on an ordinary day, and its API."""
    office = showcase.furnished(world.office, UNITS, MORE + showcase.MORE)
    with serving.listening() as taken, serving.serving(build(office), taken):
        yield office, serving.address(taken)


def test_each_figure_of_today_counts_the_rows_it_names(furnished: tuple[Office, str]) -> None:
    office, where = furnished
    told = 0
    for login in (showcase.READER, showcase.EDITOR, showcase.RESPONDER, "editor@fire"):
        with closing((program := Program(where, made(office, login)[1])).client):
            for figure in program.get("/today").json()["figures"]:
                rows = every(program, figure["rows"])
                assert len(rows) == figure["count"], (login, figure)
                told += bool(rows)
    assert told > 20


def test_the_pages_figures_are_the_apis(furnished: tuple[Office, str]) -> None:
    office, where = furnished
    with ExitStack() as stack:
        reader = stack.enter_context(closing(scene.Reader(where, showcase.READER)))
        program = Program(where, made(office, showcase.READER)[1])
        stack.enter_context(closing(program.client))
        found = program.get("/today").json()["figures"]
        n = {(one["of"], one["name"]): one["count"] for one in found}
        page = reader.get("/")
        tiles = {t.get("href"): int(t.xpath("./b")[0].text) for t in page.all("//nav//a[./b]")}
    assert tiles["/review"] == n["sign", "mine"]
    assert tiles["/posts?state=returned&mine=1"] == n["posts", "mine"]
    assert tiles["/queue?state=person"] == n["queue", "person"]
    assert tiles["/replies/board"] == n["replies", "board"]
    assert tiles["/accounts?state=bad"] == n["accounts", "broken"] + n["sources", "failing"]


def test_who_does_not_read_at_the_boards_unit_is_told_of_no_reply_there(
    staffed: Office, api: Api
) -> None:
    figures = api("ma").get("/today").json()["figures"]
    assert {one["count"] for one in figures if one["of"] == "replies"} == {0}


def test_replies_are_narrowed_as_on_the_page(staffed: Office, api: Api) -> None:
    first, second_ = scene.reply(staffed, "几点来水"), scene.reply(staffed, "何时恢复")
    with staffed.db.write() as conn:
        mine = update(db.replies).where(db.replies.c.id == first)
        conn.execute(mine.values(at=builders.NOW.replace(year=2025)))
    he = api("he")

    def found(**asked: Any) -> list[str]:
        return [row["text"] for row in he.get("/replies", **asked).json()["rows"]]

    assert found(since="2026-01-01") == ["何时恢复"]
    assert found(until="2026-01-01") == ["几点来水"]
    assert found(whose="own") == []
    assert len(found(whose="public", unanswered=True)) == 2
    page = he.get("/replies", since="2020-01-01", limit=1).json()
    rest = he.get("/replies", since="2020-01-01", limit=1, cursor=page["next"]).json()
    assert [page["rows"][0]["id"], rest["rows"][0]["id"], rest["next"]] == [second_, first, None]
    file = he.client.post("/replies/export", json={"kind": "jsonl", "until": "2026-01-01"})
    assert [json.loads(line)["text"] for line in file.text.splitlines()] == ["几点来水"]


def test_what_is_wanting_is_paged_and_taken_out(staffed: Office, api: Api) -> None:
    with staffed.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), staffed.db.now(conn)
        typed = catalog.entries_of(staffed, [{"title": f"公告{n}"} for n in range(5)])
        catalog.add(conn, now, zhou, "county", typed)
    catalog.check(staffed)
    gu = api("zhou")
    (source,) = gu.get("/quality").json()["sources"]
    (missing,) = [one for one in source["checks"] if one["rule"] == "missing"]
    asked = f"/quality/rows?source={source['source']}&rule=missing&limit=2"
    assert len(every(gu, asked)) == missing["count"] == 5
    file = gu.get("/quality/export", kind="jsonl", rule="missing")
    titles = {json.loads(line)["title"] for line in file.text.splitlines()}
    assert titles == {f"公告{n}" for n in range(5)}
    page = gu.client.get(asked).json()
    with staffed.db.write() as conn:
        later = staffed.db.now(conn).replace(year=2027)
        conn.execute(update(db.quality_checks).values(at=later))
    assert kind(gu.client.get(f"{asked}&cursor={page['next']}")) == "bad-cursor"
    assert kind(gu.get("/quality/rows", rule="none")) == "not-found"


def test_a_break_in_the_trail_is_told(staffed: Office, api: Api) -> None:
    scene.signed(staffed)
    gu = api("gu")
    assert gu.get("/trail/verify").json()["faults"] == []
    from bot import audit

    with staffed.db.write() as conn:
        while audit.seal(conn):
            pass
        first = select(func.min(db.audits.c.id)).scalar_subquery()
        conn.execute(delete(db.audits).where(db.audits.c.id == first))
    assert gu.get("/trail/verify").json()["faults"]


# ---------------------------------------------------------------- administration


def test_a_person_is_added_let_in_on_the_console_and_barred(
    staffed: Office, api: Api, clock: FixedClock
) -> None:
    gu = api("gu")
    new = {"login": "sun", "name": "孙立", "unit": "fire", "role": "editor"}
    assert kind(gu.send("/people", **new)) == "not-allowed"
    answer = gu.send("/people", **{**new, "unit": "county"})
    assert (answer.status_code, answer.json()) == (201, {"person": "sun"})
    assert gu.send("/people/sun/grant", unit="county", role="reviewer").status_code == 200
    assert {r["role"] for r in gu.get("/people/sun").json()["roles"]} == {"editor", "reviewer"}
    assert gu.send("/people/sun/revoke", unit="county", role="editor").status_code == 200
    with staffed.db.write() as conn:
        person = people.by_login(conn, "sun")["id"]
        session.begin(conn, clock.now(), staffed.config, person, "127.0.0.1")
    (seen,) = gu.get("/people/sun").json()["sessions"]
    assert gu.send("/people/sun/sign-out", session=seen["id"]).json() == {"ended": 1}
    assert gu.send("/people/sun/disable").json() == {"person": "sun"}
    assert kind(gu.send("/people/gu/disable")) == "conflict"
    assert gu.get("/people/sun").json()["state"] == "disabled"
    assert kind(gu.send("/people/ma/disable")) == "not-found"


@pytest.mark.parametrize("scopes", [(s for s in Scope if s is not A)], ids=["all others"])
def test_no_other_scope_administers(staffed: Office, api: Api, scopes: Iterator[Scope]) -> None:
    with staffed.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "gu").person or 0, Role.EDITOR, "county")
    gu = api("gu", *scopes)
    what = {"unit": "county", "role": "editor"}
    for path, said in {
        "/people": {"login": "sun", "name": "孙", **what},
        "/people/zhou/grant": what,
        "/people/zhou/disable": {},
        "/accounts/board/pause": {},
        "/source/try": {"unit": "county", "target": "https://a.example/"},
        "/words": {"words": "旧称", "digest": ""},
    }.items():
        assert kind(gu.send(path, **said)) == "no-scope", path


def test_no_administrators_token_signs_or_writes(staffed: Office, api: Api) -> None:
    gu = api("gu", A)
    assert kind(gu.send("/posts", unit="county", accounts=["board"], text="文")) == "no-scope"
    assert kind(gu.get("/people")) == "no-scope"
    assert kind(api("gu").send("/posts", unit="county", accounts=["board"], text="文")) == (
        "not-allowed"
    )


def test_accounts_are_paused_and_tokens_ended(staffed: Office, api: Api) -> None:
    gu, zhou = api("gu"), api("zhou")
    assert gu.send("/accounts/board/pause").json() == {"account": "board", "state": "paused"}
    (paused,) = gu.get("/accounts", state="paused").json()["rows"]
    assert paused["key"] == "board"
    assert gu.send("/accounts/board/activate").json()["state"] == "active"
    number = zhou.get("/me").json()["token"]["id"]
    assert kind(api("yu").send(f"/tokens/{number}/end")) == "not-found"
    assert gu.send(f"/tokens/{number}/end").json() == {"token": number}
    assert zhou.get("/me").status_code == 401


@pytest.fixture
def words(staffed: Office, api: Api) -> Iterator[tuple[Office, Program]]:
    """An office with a word list, and who administers all of it."""
    folder = staffed.config.path.parent
    (folder / "words.txt").write_text("旧称\twarn\t新称\n", "utf-8")
    (folder / "leaders.txt").write_text("张三\t县长\n", "utf-8")
    more = '[screening]\nlists = ["words.txt"]\nleaders = "leaders.txt"\n'
    office = offices.declared(staffed, more)
    with office.db.write() as conn:
        builders.grant(conn, builders.actor(conn, "gu").person or 0, Role.ADMINISTRATOR, "fire")
    with ExitStack() as stack:
        taken = stack.enter_context(serving.listening())
        stack.enter_context(serving.serving(build(office), taken))
        program = Program(serving.address(taken), made(office, "gu")[1])
        stack.enter_context(closing(program.client))
        with office.db.write() as conn:
            builders.grant(conn, builders.actor(conn, "gu").person or 0, Role.EDITOR, "county")
        yield office, program


def test_words_are_changed_by_who_read_them(words: tuple[Office, Program]) -> None:
    office, gu = words
    there = gu.get("/words").json()
    assert [(row["line"], row["words"]) for row in there["rows"]] == [(1, "旧称")]
    put = gu.send("/words", "w1", words="别称", digest=there["digest"])
    assert kind(gu.send("/words", words="又称", digest=there["digest"])) == "conflict"
    assert gu.send("/words", "w1", words="别称", digest=there["digest"]).json() == put.json()
    digest = put.json()["digest"]
    more = gu.send("/words/import", digest=digest, pasted="旧称\n另称\t阻止\n").json()
    assert (more["added"], more["known"]) == (1, 1)
    assert [row["words"] for row in every(gu, "/words?limit=1")] == ["旧称", "别称", "另称"]
    assert len(gu.get("/words", severity="block").json()["rows"]) == 1
    dropped = gu.send("/words/drop", line=1, digest=more["digest"])
    assert dropped.status_code == 200
    assert "旧称" not in (office.config.path.parent / "words.txt").read_text("utf-8")
    assert len(gu.get("/words").json()["trail"]) == 3
    leaders = gu.get("/leaders").json()
    assert leaders["rows"] == [{"name": "张三", "titles": ["县长"]}]
    said = {"text": "李四\t县长\n", "digest": leaders["digest"]}
    assert gu.send("/leaders", method="PUT", **said).status_code == 200
    assert gu.get("/leaders").json()["text"] == "李四\t县长\n"


def test_a_text_is_held_to_the_rules_as_on_the_command_line(
    words: tuple[Office, Program],
) -> None:
    office, gu = words
    text = "旧称所在地，电话13812345678。"
    said = gu.client.post("/rules/try", json={"text": text}).json()
    assert {one["rule"] for one in said["findings"]} >= {"mobile"}
    config = ["--config", str(office.config.path), "screen", "-", "--json", "--on", "2026-11-24"]
    ran = CliRunner().invoke(main, config, input=text.encode())
    assert said == json.loads(ran.stdout)
    assert kind(gu.client.post("/rules/try", json={"text": "文", "account": "none"})) == "not-found"


def test_a_template_is_tried_and_kept_once_and_its_earlier_text_stands(
    words: tuple[Office, Program],
) -> None:
    _office, gu = words
    old = gu.get("/templates/notice").json()
    text = old["text"].replace("\n+++\n", "\n+++\n【云澜】", 1)
    asked = {"accounts": ["board"], "text": text, "fields": {}}
    tried = gu.client.post("/templates/notice/preview", json=asked)
    assert tried.status_code == 200, tried.text
    assert tried.json()["parts"][0]["payload"]["text"].startswith("【云澜】")
    wrong = {"text": text + "{{ nothing }}", "digest": old["digest"]}
    assert kind(gu.send("/templates/notice", "t1", method="PUT", **wrong)) == "conflict"
    right = {"text": text, "digest": old["digest"]}
    kept = gu.send("/templates/notice", "t1", method="PUT", **right)
    assert kept.status_code == 200, kept.text
    again = gu.send("/templates/notice", "t1", method="PUT", **right)
    assert (again.json(), again.headers["idempotent-replayed"]) == (kept.json(), "true")
    assert kind(gu.send("/templates/notice", method="PUT", **right)) == "conflict"
    now = gu.get("/templates/notice", version=old["digest"]).json()
    assert (now["text"], now["earlier"]) == (text, old["text"])
