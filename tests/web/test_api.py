"""/api/v1: whose token, what for, once, in pages; and what does not get in."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from bot import db, people, tokens
from bot.cli import main
from bot.config.parts import PeoplePart
from bot.language import Say
from bot.model import Actor, Role, Scope
from bot.notices import open_notice
from bot.office import Office
from bot.web import session
from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders
from tests.offices import ROOT, both, pytest_generate_tests, url  # noqa: F401
from tests.web import scene, serving

ALL = tuple(Scope)
Api = Callable[..., "Program"]


class Program:
    """A program with a token of somebody's; keys of its writes are its own."""

    def __init__(self, base: str, token: str = "", **headers: str) -> None:
        shown = {"authorization": f"Bearer {token}"} if token else {}
        self.token, self.count = token, 0
        self.client = httpx.Client(
            base_url=f"{base}/api/v1", headers={**shown, **headers}, trust_env=False, timeout=30
        )

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params or None)

    def send(self, path: str, key: str = "", method: str = "POST", **body: Any) -> httpx.Response:
        self.count += 1
        headers = {"idempotency-key": key or f"k{self.count}"}
        return self.client.request(method, path, headers=headers, json=body or None)


def made(office: Office, login: str, *scopes: Scope, days: float = 30) -> tuple[int, str]:
    with office.db.write() as conn:
        now = office.db.now(conn)
        who = builders.actor(conn, login)
        return tokens.create(conn, now, who, "测试", scopes or ALL, now + timedelta(days=days))


@pytest.fixture
def staffed(office: Office) -> Office:
    shutil.copytree(ROOT / "templates", office.config.path.parent / "templates")
    scene.accounts(office)
    with office.db.write() as conn:
        builders.unit(conn, "fire")
        builders.person(conn, "ma", "马越", Role.EDITOR, "fire")
        builders.person(conn, "yu", "余材", Role.CONTRIBUTOR, "fire")
        builders.person(conn, "he", "何答", Role.RESPONDER)
    return office


@pytest.fixture
def base(staffed: Office) -> Iterator[str]:
    with serving.listening() as taken, serving.serving(build(staffed), taken):
        yield serving.address(taken)


@pytest.fixture
def api(staffed: Office, base: str) -> Iterator[Api]:
    """A program for somebody; `api()` has no token."""
    with ExitStack() as stack:

        def sit(login: str = "", *scopes: Scope, token: str = "") -> Program:
            token = made(staffed, login, *scopes)[1] if login else token
            program = Program(base, token)
            stack.callback(program.client.close)
            return program

        yield sit


NEW: dict[str, Any] = {
    "unit": "county",
    "accounts": ["board"],
    "title": "停水通知",
    "text": "望江路明日停水。",
}


def kind(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["detail"]
    return str(said["type"]).removeprefix("urn:gongkai:api:")


def count(office: Office, table: Any) -> int:
    with office.db.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


# ---------------------------------------------------------------- the whole way


def test_a_post_goes_from_draft_to_signed_by_tokens_and_the_trail_says_from_where(
    staffed: Office, api: Api
) -> None:
    zhou, lin = api("zhou"), api("lin")
    post = zhou.send("/posts", **NEW).json()["post"]
    assert zhou.send(f"/posts/{post}/submit").json() == {"post": post, "state": "in_review"}
    assert [row["id"] for row in lin.get("/sign").json()["rows"]] == [post]
    digest = lin.get(f"/posts/{post}").json()["digest"]
    signed = lin.send(f"/posts/{post}/sign", verdict="pass", digest=digest)
    assert signed.json() == {"post": post, "state": "approved"}
    with staffed.db.read() as conn:
        rows = conn.execute(select(db.audits.c.verb, db.audits.c.origin)).all()
    acts = {(verb, origin) for verb, origin in rows if verb.startswith("post.")}
    verbs = ("post.create", "post.submit", "post.pass")
    assert acts == {(verb, "api:127.0.0.1") for verb in verbs}


def test_the_json_is_the_command_lines(staffed: Office, api: Api) -> None:
    post, item = scene.signed(staffed), scene.item(staffed)
    config = str(staffed.config.path)

    def cli(*words: object) -> Any:
        found = CliRunner().invoke(main, ["--config", config, *map(str, words), "--json"])
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    staffed.config.path.write_text(
        builders.CONFIG + f'\n[database]\nurl = "{staffed.db.url}"\n', "utf-8"
    )
    lin = api("lin")
    assert lin.get("/posts").json()["rows"] == cli("post", "list")
    assert lin.get(f"/posts/{post}").json() == cli("post", "show", post)
    assert lin.get("/items").json()["rows"] == cli("item", "list")
    assert lin.get("/queue").json()["rows"] == cli("queue")
    assert lin.get(f"/items/{item}").json()["title"] == "关于放假的通知"


def test_entries_are_handed_in_amended_taken_back(staffed: Office, api: Api) -> None:
    yu, zhou = api("yu"), api("zhou")
    body: dict[str, Any] = {"unit": "fire", "to": "county", "entries": [{"title": "冬季防火提示"}]}
    (item,) = yu.send("/items", **body).json()["items"]
    assert yu.get(f"/items/{item}").json()["from_unit_id"]
    assert yu.get("/items").json()["rows"] == []
    assert [r["id"] for r in yu.get("/items", handed_in="fire").json()["rows"]] == [item]
    assert zhou.send(f"/items/{item}/return", reason="请补充时间").json() == {"item": item}
    again = yu.send(f"/items/{item}", method="PUT", title="冬季防火提示", formed="2026-11-20")
    assert again.json() == {"item": item}
    made_of = zhou.send(f"/items/{item}/post", accounts=["board"])
    assert made_of.status_code == 201, made_of.text
    assert kind(yu.send(f"/items/{item}/call-back")) == "conflict"


def test_stop_and_lift(staffed: Office, api: Api) -> None:
    zhou = api("zhou")
    hold = zhou.send("/holds", scope="account", target="board", reason="待核实").json()["hold"]
    assert [row["id"] for row in zhou.get("/holds").json()["rows"]] == [hold]
    assert zhou.send(f"/holds/{hold}/lift").json() == {"waiting": 0}
    assert zhou.get("/holds").json()["rows"] == []


def test_a_person_decides_on_a_delivery_and_is_told_what_needs_him(
    staffed: Office, api: Api
) -> None:
    one = scene.unclear(staffed, scene.signed(staffed))
    zhou = api("zhou")
    assert [row["id"] for row in zhou.get("/queue", state="person").json()["rows"]] == [one]
    assert zhou.get(f"/queue/{one}").json()["attempts"][0]["outcome"] == "unknown"
    assert kind(zhou.send(f"/queue/{one}/cancel")) == "conflict"
    assert kind(zhou.send(f"/queue/{one}/resolve", word="sent", link="无")) == "invalid"
    link = "https://yunlan.example.cn/p/77"
    assert zhou.send(f"/queue/{one}/resolve", word="sent", link=link).json()["state"] == "sent"
    with staffed.db.write() as conn:
        told = Say("数据盘只剩 {n} MB", n=3)
        open_notice(conn, staffed.db.now(conn), "disk", told, None, "/health")
    assert zhou.get("/notices").json()["rows"][0]["say"] == "数据盘只剩 3 MB"
    assert api("yu").get("/notices").json()["rows"] == []
    assert zhou.get("/quality").json() == {"sources": []}


def test_replies_are_read_answered_and_taken_out_on_record(staffed: Office, api: Api) -> None:
    said = scene.reply(staffed, "几点来水")
    he = api("he")
    assert he.get("/replies", q="来水").json()["rows"][0]["text"] == "几点来水"
    assert he.get(f"/replies/{said}").json()["versions"][0]["text"] == "几点来水"
    file = he.client.post("/replies/export", json={"kind": "csv"})
    assert file.status_code == 200
    assert "几点来水" in file.content.decode("utf-8-sig")
    assert scene.trail(staffed)[-1] == "reply.export"


def test_a_picture_is_sent_in_once_and_named_by_its_digest(staffed: Office, api: Api) -> None:
    from tests.test_rights import _sheet

    zhou = api("zhou")
    sent = [zhou.client.post("/media", content=_sheet()).json() for _ in range(2)]
    assert sent[0] == sent[1]
    picture = [{"sha256": sent[0]["sha256"], "alt": "停水范围"}]
    post = zhou.send("/posts", **NEW, media=picture).json()["post"]
    assert zhou.get(f"/posts/{post}").json()["body"]["media"][0]["alt"] == "停水范围"
    unknown = zhou.send("/posts", **NEW, media=[{"sha256": "0" * 64}])
    assert kind(unknown) == "not-found"


def test_who_writes_nowhere_fills_no_disk_with_pictures(staffed: Office, api: Api) -> None:
    from tests.test_rights import _sheet

    assert kind(api("yu").client.post("/media", content=_sheet())) == "not-allowed"
    assert count(staffed, db.media) == 0


def test_a_revision_needs_the_version_that_was_read(staffed: Office, api: Api) -> None:
    zhou = api("zhou")
    post = zhou.send("/posts", **NEW).json()["post"]
    words: dict[str, Any] = {"accounts": ["board"], "text": "望江路后日停水。"}
    revised = zhou.send(f"/posts/{post}", method="PUT", version=1, **words)
    assert revised.json() == {"post": post, "version": 2}
    assert kind(zhou.send(f"/posts/{post}", method="PUT", version=1, **words)) == "conflict"


# ---------------------------------------------------------------- whose token


def test_no_token_a_wrong_an_ended_and_a_revoked_one(
    staffed: Office, api: Api, clock: FixedClock
) -> None:
    assert kind(api().get("/posts")) == "no-token"
    assert api().get("/posts").headers["www-authenticate"] == "Bearer"
    assert kind(api(token="gk_guess").get("/posts")) == "no-token"
    number, token = made(staffed, "zhou", days=1)
    zhou = api(token=token)
    assert zhou.get("/posts").status_code == 200
    clock.move(86400)
    assert kind(zhou.get("/posts")) == "no-token"
    number, token = made(staffed, "zhou")
    with staffed.db.write() as conn:
        tokens.revoke(conn, clock.now(), Actor(None, "shell", "cli"), number)
    assert kind(api(token=token).get("/posts")) == "no-token"


@pytest.mark.parametrize("how", ["disabled", "password", "one-time"])
def test_a_token_ends_with_its_persons_access(
    staffed: Office, api: Api, how: str, clock: FixedClock
) -> None:
    zhou = api("zhou")
    assert zhou.get("/posts").status_code == 200
    with staffed.db.write() as conn:
        shell = Actor(None, "shell", "cli")
        if how == "disabled":
            people.disable(conn, clock.now(), shell, "zhou")
            people.disable(conn, clock.now(), shell, "zhou", False)
        elif how == "password":
            people.set_password(conn, clock.now(), shell, "zhou", "another-2026")
        else:
            conn.execute(update(db.people).values(must_change=True))
    expected = (403, "one-time-password") if how == "one-time" else (401, "no-token")
    answer = zhou.get("/posts")
    assert (answer.status_code, kind(answer)) == expected


def test_who_owes_a_second_factor_owes_it_by_token_too(staffed: Office, api: Api) -> None:
    token = api("lin").token
    demanding = staffed.config.model_copy(update={"people": PeoplePart(totp="signers")})
    app = build(Office(demanding, staffed.db))
    with ExitStack() as stack:
        taken = stack.enter_context(serving.listening())
        stack.enter_context(serving.serving(app, taken))
        client = stack.enter_context(Program(serving.address(taken), token).client)
        assert kind(client.get("/me")) == "second-factor"
        with staffed.db.write() as conn:
            conn.execute(update(db.people).values(totp_at=builders.NOW))
        assert client.get("/me").status_code == 200


def test_a_token_does_what_its_scopes_say_and_its_person_may(staffed: Office, api: Api) -> None:
    post = scene.submitted(staffed)
    with staffed.db.read() as conn:
        digest = scene.digest(conn, post)
    word = {"verdict": "pass", "digest": digest}
    assert kind(api("lin", Scope.READ).send(f"/posts/{post}/sign", **word)) == "no-scope"
    assert kind(api("zhou").send(f"/posts/{post}/sign", **word)) == "not-allowed"
    assert kind(api("lin", Scope.SIGN).get("/posts")) == "no-scope"
    assert kind(api("lin").send("/posts", **NEW)) == "not-allowed"
    assert kind(api("zhou", Scope.WRITE).send("/holds", scope="all", reason="测试")) == "no-scope"
    assert kind(api("ma").send("/holds", scope="all", reason="测试")) == "not-allowed"
    assert api("lin", Scope.SIGN).send(f"/posts/{post}/sign", **word).status_code == 200


def test_how_a_post_fares_is_told_over_time(staffed: Office, api: Api) -> None:
    post = scene.signed(staffed)
    one, hour = scene.delivery(staffed, post), timedelta(hours=1)
    rows = [
        {
            "delivery_id": one,
            "at": builders.NOW + n * hour,
            "likes": n,
            "reposts": 0,
            "replies": 2 * n,
        }
        for n in range(3)
    ]
    with staffed.db.write() as conn:
        conn.execute(db.counts.insert(), rows)
    found = api("zhou").get(f"/posts/{post}/counts").json()["rows"]
    told = [(row["likes"], row["reposts"], row["replies"]) for row in found]
    assert told == [(0, 0, 0), (1, 0, 2), (2, 0, 4)]
    assert kind(api("ma").get(f"/posts/{post}/counts")) == "not-found"


def test_rows_of_another_unit_are_as_if_they_were_not(staffed: Office, api: Api) -> None:
    post, item, said = scene.signed(staffed), scene.item(staffed), scene.reply(staffed, "几点来水")
    one = scene.delivery(staffed, post)
    ma = api("ma")
    for name in ("posts", "items", "queue", "replies", "accounts", "sources"):
        assert ma.get(f"/{name}").json()["rows"] == []
    for path in (f"/posts/{post}", f"/items/{item}", f"/queue/{one}", f"/replies/{said}"):
        assert kind(ma.get(path)) == "not-found"
    assert kind(ma.get(f"/posts/{post}/coverage")) == "not-found"
    for act in ("submit", "close"):
        assert kind(ma.send(f"/posts/{post}/{act}")) == "not-found"
    assert kind(ma.send(f"/replies/{said}/answer", text="答")) == "not-found"
    assert kind(ma.send(f"/items/{item}/skip")) == "not-found"
    assert kind(ma.send(f"/items/{item}/post", accounts=["board"])) == "not-found"
    assert kind(ma.send(f"/posts/{post}/revoke", reason="误")) == "not-found"
    assert kind(ma.get("/trail")) == "not-allowed"
    assert ma.client.post("/replies/export", json={"kind": "jsonl"}).text == ""


def test_a_cookie_opens_nothing_but_the_description(staffed: Office, base: str, api: Api) -> None:
    reader = scene.Reader(base, "zhou")
    assert kind(reader.client.get("/api/v1/posts")) == "no-token"
    form = {"csrf": reader.csrf, **NEW}
    headers = {"idempotency-key": "k", "x-csrf": reader.csrf}
    assert kind(reader.client.post("/api/v1/posts", json=form, headers=headers)) == "no-token"
    assert reader.client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")
    reader.close()
    assert kind(api().get("/openapi.json")) == "no-token"
    paths = api("zhou", Scope.READ).get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation["security"], (method, path)


def test_half_a_session_does_not_open_even_the_description(
    staffed: Office, base: str, clock: FixedClock
) -> None:
    with staffed.db.write() as conn:
        who = people.by_login(conn, "zhou")["id"]
        tried = {"login": "zhou", "origin": "127.0.0.1", "at": clock.now(), "ok": False}
        booked = db.insert_id(conn, db.logins, tried)
        half = session.begin(conn, clock.now(), staffed.config, who, "127.0.0.1", half=booked)
        whole = session.begin(conn, clock.now(), staffed.config, who, "127.0.0.1")
    place, statuses = f"{base}/api/v1/openapi.json", []
    for cookie in (half, whole):
        headers = {"cookie": f"gongkai={cookie}"}
        statuses.append(httpx.get(place, headers=headers, trust_env=False).status_code)
    assert statuses == [401, 200]


def test_no_token_opens_the_console(staffed: Office, base: str) -> None:
    _, token = made(staffed, "zhou")
    shown = {"authorization": f"Bearer {token}", "cookie": f"gongkai={token}"}
    answer = httpx.get(f"{base}/posts", headers=shown, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/posts")


def test_an_address_that_guesses_waits_and_keeps_nobody_out(
    staffed: Office, api: Api, base: str, clock: FixedClock
) -> None:
    guess = api(token="gk_guess")
    assert [guess.get("/me").status_code for _ in range(21)] == [401] * 20 + [429]
    assert guess.get("/me").headers["retry-after"] == "5"
    assert api("zhou").get("/me").json()["login"] == "zhou"
    with closing(scene.Reader(base)) as reader:
        assert reader.enter("zhou").place == "/"
    clock.move(5)
    assert guess.get("/me").status_code == 401


def test_the_store_holds_no_token_and_remembers_its_last_use(
    staffed: Office, api: Api, clock: FixedClock
) -> None:
    number, token = made(staffed, "zhou")
    api(token=token).get("/me")
    with staffed.db.read() as conn:
        row = conn.execute(select(db.tokens)).mappings().one()
    assert (row["id"], row["used_at"]) == (number, clock.now())
    assert token not in str(dict(row))


# ---------------------------------------------------------------- once


@both
def test_the_same_key_at_once_is_done_once_and_answered_alike(staffed: Office, api: Api) -> None:
    zhou = api("zhou")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: zhou.send("/posts", "one", **NEW), range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 15
    assert count(staffed, db.posts) == 1


@both
def test_a_key_for_another_request_is_refused_and_is_its_persons_own(
    staffed: Office, api: Api, clock: FixedClock
) -> None:
    zhou = api("zhou")
    post = zhou.send("/posts", "one", **NEW).json()["post"]
    assert kind(zhou.send("/posts", "one", **{**NEW, "text": "另文"})) == "key-reused"
    assert kind(zhou.send(f"/posts/{post}/submit", "one")) == "key-reused"
    assert api("zhou").send("/posts", "one", **NEW).json() == {"post": post}
    hold = {"scope": "unit", "target": "county", "reason": "测试"}
    assert api("lin").send("/holds", "one", **hold).status_code == 201
    clock.move(86400)
    assert zhou.send("/posts", "one", **NEW).json() != {"post": post}


def test_what_was_refused_may_be_tried_again_under_its_key(staffed: Office, api: Api) -> None:
    zhou = api("zhou")
    assert kind(zhou.send("/posts", "one", **{**NEW, "accounts": ["later"]})) == "not-found"
    assert count(staffed, db.api_writes) == 0
    with staffed.db.write() as conn:
        scene.account(conn, "later", "byhand", name="新号")
    assert zhou.send("/posts", "one", **{**NEW, "accounts": ["later"]}).status_code == 201


KILLED = """
import os, signal, sys
from pathlib import Path
from bot.notices import open_notice
from bot.office import Office
from bot.config import load
from bot.db import Database, tokens
from bot.language import Say
from bot.model import Actor
from bot import compose
from bot.web.api.door import Call
from bot.web.api.once import once
office = Office(load(Path(sys.argv[1])), Database(sys.argv[2]))
def act(conn, now):
    made = compose.create(office, conn, now, call.actor, unit_id=1, keys=["board"], body=compose.Body("文"))
    print(made, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
call = Call(office, Actor(int(sys.argv[3]), "周文", "api"), None, "one", "digest")
once(call, act)
"""


@both
def test_a_write_killed_midway_leaves_neither_row_nor_key(staffed: Office, api: Api) -> None:
    with staffed.db.read() as conn:
        who = people.by_login(conn, "zhou")["id"]
    store = staffed.db.url.render_as_string(hide_password=False)
    words = [sys.executable, "-c", KILLED, str(staffed.config.path), store, str(who)]
    ran = subprocess.run(words, capture_output=True, text=True)
    assert (ran.returncode, bool(ran.stdout)) == (-signal.SIGKILL, True), ran.stderr
    assert (count(staffed, db.posts), count(staffed, db.api_writes)) == (0, 0)
    assert api("zhou").send("/posts", "one", **NEW).status_code == 201


# ---------------------------------------------------------------- pages


@both
def test_pages_stand_still_while_the_list_grows(staffed: Office, api: Api) -> None:
    first = [scene.post(staffed, title=f"甲{n}") for n in range(5)]
    zhou = api("zhou")
    page = zhou.get("/posts", limit=2).json()
    seen = [row["id"] for row in page["rows"]]
    while page["next"]:
        scene.post(staffed, title="后来的")
        page = zhou.get("/posts", limit=2, cursor=page["next"]).json()
        seen += [row["id"] for row in page["rows"]]
    assert seen == first[::-1]


@pytest.mark.parametrize("list_", ["items", "posts", "queue", "replies", "trail"])
def test_a_cursor_that_is_none_of_the_lists_is_refused(api: Api, list_: str) -> None:
    lin = api("lin")
    for cursor in ("x", "é", "=", "aXRlbXM6", "b3RoZXI6MQ", "aXRlbXM6LTE", "cG9zdHM6" + "OTk5" * 9):
        assert kind(lin.get(f"/{list_}", cursor=cursor)) == "bad-cursor"
    assert kind(lin.get(f"/{list_}", limit=0)) == "invalid"


# ---------------------------------------------------------------- what does not get in


def test_unknown_fields_are_named_and_nothing_is_done(staffed: Office, api: Api) -> None:
    zhou = api("zhou")
    answer = zhou.send("/posts", **NEW, go="2026-11-25")
    assert kind(answer) == "invalid"
    assert answer.json()["errors"] == [{"where": "body/go", "why": "extra_forbidden"}]
    assert kind(zhou.get("/posts", page=2)) == "invalid"
    assert kind(zhou.send("/posts", **{**NEW, "text": "空\0"})) == "invalid"
    assert kind(zhou.send("/posts", **NEW, go_at="0001-01-01T00:00:00+08:00")) == "invalid"
    assert count(staffed, db.posts) == 0


def test_a_write_without_a_key_is_refused(api: Api) -> None:
    zhou = api("zhou")
    assert kind(zhou.client.post("/posts", json=NEW)) == "no-key"
    assert kind(zhou.send("/posts", "x" * 201, **NEW)) == "no-key"


def test_a_huge_body_is_not_read_and_a_strangers_not_at_all(api: Api) -> None:
    whole = b'{"text": "' + b"x" * (2 << 20) + b'"}'
    headers = {"idempotency-key": "k", "content-type": "application/json"}
    assert kind(api("zhou").client.post("/posts", content=whole, headers=headers)) == "too-large"
    assert kind(api().client.post("/posts", content=whole, headers=headers)) == "no-token"


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'"\\ud800"', b"null"])
def test_what_is_no_json_is_refused_in_json(api: Api, body: bytes) -> None:
    headers = {"idempotency-key": "k", "content-type": "application/json"}
    answer = api("zhou").client.post("/posts", content=body, headers=headers)
    assert kind(answer) in ("invalid", "bad-request")


def test_no_such_address_or_method_is_a_problem_too(api: Api) -> None:
    zhou = api("zhou")
    assert kind(zhou.get("/nothing")) == "not-found"
    assert kind(zhou.send("/nothing")) == "not-found"
    for whole in ("/api/v1", "/api/v2/posts", "/api/v1/posts/x"):
        bare = httpx.get(zhou.client.base_url.copy_with(path=whole), trust_env=False)
        assert kind(bare) == "not-found"
    answer = zhou.client.delete("/posts")
    assert (kind(answer), "GET" in answer.headers["allow"]) == ("no-such-method", True)


def test_a_fault_of_ours_is_a_problem_with_a_number_and_says_no_more(
    staffed: Office, api: Api
) -> None:
    lin = api("lin")
    with staffed.db.write() as conn:
        conn.exec_driver_sql("alter table audits rename to lost")
    answer = lin.get("/trail")
    assert (answer.status_code, kind(answer)) == (500, "fault")
    assert re.search(r"编号 [0-9a-f]{8}", answer.json()["detail"])
    assert "audits" not in answer.text


def test_sentences_are_in_the_language_asked_for(api: Api) -> None:
    assert (
        api("zhou").get("/posts/99", lang="en").json()["detail"]
        != api("zhou").get("/posts/99").json()["detail"]
    )


# ---------------------------------------------------------------- gongkai token


def test_tokens_are_made_listed_and_revoked_on_the_command_line(
    staffed: Office, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed.config.path.write_text(
        builders.CONFIG + f'\n[database]\nurl = "{staffed.db.url}"\n', "utf-8"
    )
    monkeypatch.setenv("GONGKAI_PASSWORD", builders.PASSWORD)

    def cli(*words: str, code: int = 0) -> str:
        found = CliRunner().invoke(main, ["--config", str(staffed.config.path), "token", *words])
        assert found.exit_code == code, found.output
        return found.stdout

    what = ("--name", "日报", "--scope", "read")
    said = json.loads(cli("create", *what, "--as", "zhou", "--json", "--until", "2026-12-31 18:00"))
    assert api(token=said["token"]).get("/me").json()["token"]["scopes"] == ["read"]
    cli("create", *what, code=2)
    (row,) = json.loads(cli("list", "--as", "zhou", "--json"))
    assert (row["login"], row["stands"], "digest" in row) == ("zhou", True, False)
    assert json.loads(cli("list", "--as", "lin", "--json")) == []
    assert json.loads(cli("list", "--everyone", "--as", "lin", "--json")) == []
    (row,) = json.loads(cli("list", "--everyone", "--as", "gu", "--json"))
    assert (row["login"], row["state"]) == ("zhou", "active")
    (seen,) = api("gu").get("/tokens", everyone=True).json()["rows"][1:]
    assert {name: seen[name] for name in row} == row
    cli("revoke", str(said["id"]), "--as", "lin", code=2)
    cli("revoke", str(said["id"]), "--as", "gu")
    assert api(token=said["token"]).get("/me").status_code == 401
