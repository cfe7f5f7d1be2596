"""Who may do what: every route of the console asked by every role, here and at another unit.

The routes come from the application itself. A new one without a row in ROUTES fails here: say what
is asked of it, whose right it takes, and, of a page that answers everybody, what it hides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from bot import catalog, db, people, tokens
from bot.model import Right, Role, Scope
from bot.office import Office
from bot.web.app import build
from bot.web.board import store
from bot.web.board.content import Content
from bot.web.visit import BY_ITSELF
from bot.workdays import FixedClock
from tests import builders
from tests.offices import url  # noqa: F401
from tests.test_rights import World, _sheet, world  # noqa: F401
from tests.web import scene, serving

R = Right
TITLE = "望江路停气"  # of every post of the unit: who may not read there must never meet it
WORDS = "问望江路"  # of a citizen
HERE = ("health", "county")  # a role holds below its unit, too
# For everybody, or by tokens: tests/web/test_board.py, tests/web/test_api_rights.py.
OTHER_DOORS = tuple(f"bot.web.{door}" for door in ("board", "health", "api"))


PLAN = "望江路日报"
PLANNED = f"""
name = "{PLAN}"
unit = "health"
accounts = ["hand"]
days = "workdays"
[[when]]
hour = "9"
minute = "30"
"""

ANY = frozenset(Role)
NOBODY = frozenset[Role]()  # of one unit alone: what all units share
ERASES = frozenset(r for r in Role if {R.REPLY, R.ADMIN} & people.RIGHTS[r])
TRAIL = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR, Role.SIGNER})


@dataclass(frozen=True)
class Asked:
    """One request: of whom it is taken. `hides`: it answers all, but this only those meant.
    `refuses`: it answers with the form again, and this tells why nothing was done."""

    who: Right | frozenset[Role]
    form: dict[str, Any] = field(default_factory=dict)
    hides: str = ""
    refuses: str = ""
    query: str = ""
    anywhere: bool = False  # a role at any unit opens it

    @property
    def roles(self) -> frozenset[Role]:
        if isinstance(self.who, Right):
            return frozenset(role for role in Role if self.who in people.RIGHTS[role])
        return self.who


def read(hides: str = TITLE, query: str = "") -> tuple[Asked, ...]:
    return (Asked(R.READ, hides=hides, query=query),)


def acts(
    who: Right | frozenset[Role], *forms: dict[str, Any], refuses: str = ""
) -> tuple[Asked, ...]:
    return tuple(Asked(who, form, refuses=refuses) for form in forms)


def act(name: str, **more: Any) -> dict[str, Any]:
    return {"act": name, **more}


LACKS = "的权限；请由"
OWN = (Asked(ANY, anywhere=True),)
ROLE = {"unit": "health", "role": "editor"}
TYPED = {"title": "新稿", "text": "望江路恢复供气。", "keys": "hand", "unit": "{unit}"}
DAILY = {"key": "daily", "at": "2026-11-25T09:30", "reason": "停办"}
NEW_TOKEN = {"name": "日报", "scope": "read", "days": "30", "proof": builders.PASSWORD}
AWAY = {"unit": "health", "taker": "supervisor@county", "steps": "初审", "reason": "开会"}
AWAY |= {"ends": "2026-11-26T18:00"}
LATER = {"at": "2026-11-25T10:00"}
# Left out: /login and /language need no session; /login/code is for half a one (test_codes.py).
OPEN = {"GET /login", "POST /login", "GET /login/code", "POST /login/code", "POST /language"}
ROUTES: dict[str, tuple[Asked, ...]] = {
    "GET /": read(),
    "GET /pulse": OWN,
    "GET /search": read("停气</b>", query="?q=望江路"),
    "GET /posts": read(),
    "GET /posts/{waiting}": read(""),
    "GET /posts/{waiting}/revisions/1": read(""),
    "POST /posts/{draft}": acts(R.WRITE, act("submit"), act("close"))
    + acts(R.SIGN, act("revoke", reason="误")),
    "GET /posts/new": (Asked(R.WRITE, anywhere=True),),
    "GET /posts/{draft}/edit": (Asked(R.WRITE),),
    "POST /posts/new": acts(R.WRITE, act("save", **TYPED), refuses=LACKS),
    "POST /posts/{draft}/edit": acts(R.WRITE, act("save", version="1", **TYPED), refuses=LACKS),
    "POST /posts/new/keep": (Asked(R.WRITE, TYPED, anywhere=True),),
    "POST /posts/{draft}/keep": acts(R.WRITE, TYPED),
    "POST /posts/new/leave": (Asked(R.WRITE, {"key": "none"}, anywhere=True),),
    "POST /posts/{draft}/leave": acts(R.WRITE, {}),
    "GET /writing/beside": (Asked(R.WRITE, query="?post={draft}&number=1"),),
    "GET /posts/{waiting}/reposts": read(""),
    "POST /posts/{waiting}/reposts": acts(
        R.WRITE, act("ask", keys="hand", by="2026-11-26T18:00"), refuses=LACKS
    ),
    "GET /items": read("望江路条目"),
    "POST /items/{item}": acts(R.WRITE, act("compose"), act("take"), act("skip"), act("bring_back"))
    + acts(R.WRITE, act("return", reason="误")),
    "GET /items/{item}": read(""),
    "GET /items/new": (Asked(ANY, anywhere=True),),
    "POST /items/new": acts(
        R.WRITE, {"unit": "health", "title": "望江路义诊", "to": ""}, refuses=LACKS
    ),
    "GET /items/{handed}/amend": (Asked(R.READ),),
    "POST /items/{handed}/amend": acts(R.WRITE, {"title": "望江路复诊"}, refuses=LACKS),
    "GET /quality": read("望江路条目"),
    "GET /quality/export.csv": read("望江路条目"),
    "GET /review": (Asked(R.REVIEW, hides=TITLE),),
    "GET /review/together": (
        Asked(R.REVIEW, query="?one={waiting}:0:{digest}:", hides="审签以上 1 篇"),
    ),
    "POST /review/together": acts(R.REVIEW, {"one": "{waiting}:0:{digest}:"}, refuses="1 篇没有办"),
    "GET /review/{waiting}": read(""),
    "GET /review/{waiting}/sheet": read(""),
    "POST /review/{waiting}": acts(
        R.REVIEW, {"verdict": "pass", "digest": "{digest}"}, refuses=LACKS
    ),
    "POST /review/{waiting}/offline": acts(R.RECORD, {"signed_by": "李明", "digest": "{digest}"}),
    "GET /calendar": read(PLAN),
    "GET /calendar/move/{draft}": read(""),
    "POST /calendar/move/{draft}": acts(R.WRITE, LATER, refuses=LACKS),
    "POST /calendar/move/{waiting}": acts(R.WRITE, LATER, refuses=LACKS),
    "GET /calendar/schedules": read(PLAN),
    "POST /calendar/schedules": (
        *acts(R.SCHEDULE, act("run", **DAILY), act("skip", **DAILY), refuses=LACKS),
        *acts(R.SCHEDULE, act("unskip", **DAILY), act("pause", **DAILY), refuses=LACKS),
        *acts(R.SCHEDULE, act("resume", **DAILY), refuses=LACKS),
        Asked(ANY, act("whatif", text="", begins="", ends=""), anywhere=True),
    ),
    "GET /queue": read(),
    "GET /queue/news": read('href="/queue', "?seen=0"),
    "GET /queue/{failed}": read(""),
    "POST /queue/{failed}": acts(R.SCHEDULE, act("retry"), act("cancel"))
    + acts(R.WRITE, act("back"))
    + acts(R.SCHEDULE, act("look"), act("sent", link="https://a.example/1"), act("absent"))
    + acts(R.SCHEDULE, act("drop")),
    "POST /queue": acts(R.SCHEDULE, act("cancel", ids="{failed}"), refuses="没有办成"),
    "GET /replies/board": read(WORDS),
    "POST /replies/board/{board_reply}": acts(R.REPLY, act("show"), act("hide"), act("keep")),
    "GET /replies": read(WORDS),
    "GET /replies/news": read('href="/replies', "?seen=0"),
    "GET /replies/{reply}": read(""),
    "POST /replies/{reply}/erase": (Asked(ERASES, {"reason": "当事人申请"}),),
    "GET /replies/import": (Asked(R.REPLY, anywhere=True),),
    "POST /replies/import": acts(R.REPLY, {"account": "hand"}),
    "GET /replies/import/hand/{token}": (Asked(R.REPLY),),
    "POST /replies/import/hand/{token}": acts(R.REPLY, act("drop")),
    "POST /replies/enter": acts(R.REPLY, {"account": "hand", "text": "停气几天？"}),
    "POST /replies/{reply}/answer": acts(R.WRITE, {"text": "已恢复。"}),
    "GET /replies/export.csv": read(WORDS),
    "GET /accounts": read("云澜发布"),
    "POST /accounts/hand": acts(R.ADMIN, act("pause"), act("activate"), act("check")),
    "GET /accounts/hand": read(""),
    "GET /accounts/hand/connect": (Asked(R.ADMIN),),
    "POST /accounts/hand/connect": acts(R.ADMIN, act("begin"), act("code"), act("token"))
    + acts(R.ADMIN, act("keep"), act("drop")),
    "GET /account/return": OWN,
    "POST /sources/notices": acts(R.ADMIN, act("pause"), act("activate"))
    + acts(R.WRITE, act("poll")),
    "GET /sources": read("notices"),
    "GET /sources/notices": read(""),
    "GET /source/try": (Asked(R.ADMIN, anywhere=True),),
    "POST /source/try": acts(R.ADMIN, {"unit": "health", "target": "nowhere"}, refuses=LACKS),
    "GET /people": read("卫编", "?unit=health"),
    "POST /people": acts(
        R.ADMIN, {"login": "new", "name": "新人", **ROLE}, act("grant", login="zhou", **ROLE)
    ),
    "GET /people/by-id/{wei}": read(""),
    "GET /people/wei": read(""),
    "POST /people/wei": acts(
        R.ADMIN, act("grant", **ROLE), act("revoke", unit="health", role="signer")
    )
    + acts(R.ADMIN, act("disable"), act("enable"), act("readmit"), act("reissue"))
    + acts(R.ADMIN, act("totp"), act("sign-out")),
    "GET /standings": read("notices"),
    "GET /standings/{standing}": read(""),
    "POST /standings": acts(
        R.SIGN,
        {"source": "notices", "ends": "2026-12-31T18:00", "daily_max": "2", "note": "已审"},
        refuses=LACKS,
    ),
    "POST /standings/{standing}": acts(R.SIGN, act("end"), act("wake")),
    "GET /duty": read("", "?unit=health"),
    "POST /duty": acts(R.SCHEDULE, {"unit": "health", "day-2026-11-25": "wei"}, refuses=LACKS),
    "GET /trail": (Asked(TRAIL, anywhere=True),),
    "POST /trail": (Asked(TRAIL, anywhere=True),),
    "GET /trail/export.csv": (Asked(TRAIL, anywhere=True),),
    "GET /stop": (Asked(R.STOP, hides='value="unit"', anywhere=True),),
    "POST /stop": acts(R.STOP, {"scope": "unit", "unit": "{unit}", "reason": "核实"}),
    "GET /stop/solemn": (Asked(R.STOP, hides='value="unit"', anywhere=True),),
    "POST /stop/solemn": acts(
        R.STOP, {"scope": "unit", "unit": "{unit}", "reason": "哀悼", "until": "2026-11-26T00:00"}
    ),
    "POST /stop/{hold}/let": acts(R.STOP, {"post": "{draft}"}),
    "POST /stop/{hold}/lift": acts(R.STOP, {}),
    "GET /media/{picture}": (Asked(R.READ, anywhere=True),),
    "GET /settings": (
        Asked(R.READ, anywhere=True),
        Asked(R.ADMIN, hides="[sources.notices]"),
    ),
    "GET /settings/docs/operating": (Asked(R.READ, anywhere=True),),
    "GET /settings/templates": (*read("/sources/notices"), Asked(R.READ, anywhere=True)),
    "GET /settings/templates/notice": (*read("望江路条目"), Asked(R.READ, anywhere=True)),
    "POST /settings/templates/notice": (
        Asked(NOBODY, act("save", text="{{{{ title }}}}", digest="")),
        Asked(NOBODY, act("preview", text="{{{{ body }}}}", keys="hand")),
    ),
    "GET /settings/rules": (*read("[sources.notices]"), Asked(R.READ, anywhere=True)),
    "POST /settings/rules": (Asked(R.READ, {"text": "望江路"}, anywhere=True),),
    "GET /settings/words": (Asked(R.READ, anywhere=True),),
    "POST /settings/words": (
        *acts(NOBODY, act("put", words="旧称", line="0"), act("drop", line="1")),
        *acts(NOBODY, act("import", pasted="旧称"), act("whole", text="旧称")),
        *acts(NOBODY, act("leaders", text="张三")),
    ),
    "GET /me": OWN,
    "GET /me/tokens": OWN,
    "POST /me/tokens": (Asked(ANY, NEW_TOKEN, anywhere=True),),
    "POST /me/tokens/{token_of_wei}/end": acts(R.ADMIN, {}),
    "GET /me/delegation": OWN,
    "POST /me/delegation": (
        *acts(R.REVIEW, act("make", **AWAY), refuses=LACKS),
        Asked(frozenset({Role.ADMINISTRATOR}), act("end", delegation="{lent}")),
    ),
    "GET /me/code": OWN,
    "POST /me/code": (Asked(ANY, act("begin"), anywhere=True),),
    "POST /me/sessions/end": (Asked(ANY, {"session": "none"}, anywhere=True),),
    "GET /password": OWN,
    "POST /password": (
        Asked(ANY, {"old": builders.PASSWORD, "new": "short", "again": "short"}, anywhere=True),
    ),
    "POST /logout": OWN,
}

FILES: dict[str, Any] = {
    "POST /review/{waiting}/offline": {"sheet": ("a.png", _sheet(), "image/png")},
    "POST /replies/import": {
        "file": ("a.csv", "编号,时间,内容\n1,2026-11-20 09:00,停气几天".encode())
    },
}


# ---------------------------------------------------------------- what there is, and who asks


def routes(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """Every route of the console: its method, and itself."""
    waiting = list(app.routes)
    while waiting:
        route: Any = waiting.pop(0)
        waiting = [*getattr(getattr(route, "original_router", None), "routes", ()), *waiting]
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD" and not route.endpoint.__module__.startswith(OTHER_DOORS):
                yield method, route


@dataclass
class Scene:
    """The office, its console, and what stands in it, by the names ROUTES uses."""

    world: World
    app: FastAPI
    base: str
    names: dict[str, Any]
    stack: ExitStack
    clock: FixedClock
    seats: dict[str, tuple[httpx.Client, str]] = field(default_factory=dict)

    def seat(self, login: str) -> tuple[httpx.Client, str]:
        """Somebody at the console, and his token."""
        if login not in self.seats:
            reader = self.stack.enter_context(closing(scene.Reader(self.base)))
            reader.enter(login)
            self.seats[login] = reader.client, reader.csrf
        return self.seats[login]

    def ask(self, login: str, route: str, asked: Asked) -> httpx.Response:
        client, csrf = self.seat(login)
        self.clock.move(1)  # no two acts in one instant
        if "{token}" in route:
            self.names["token"] = self.uploaded(login)
        method, path = self.filled(route).split(" ")
        if method == "GET":
            return client.get(path + self.filled(asked.query))
        form = {k: self.filled(str(v)) for k, v in asked.form.items()}
        return client.post(path, data={"csrf": csrf, **form}, files=FILES.get(route))

    def uploaded(self, login: str) -> str:
        """A file put away by whoever asks where he may, else by a responder."""
        for each in (login, f"{Role.RESPONDER}@health"):
            client, csrf = self.seat(each)
            files = FILES["POST /replies/import"]
            form = {"csrf": csrf, "account": "hand"}
            answer = client.post("/replies/import", data=form, files=files)
            if answer.status_code == 200:
                return answer.url.path.rpartition("/")[2]
        raise AssertionError(answer.text)

    def filled(self, text: str) -> str:
        return text.format_map(self.names)


@pytest.fixture
def console(world: World, clock: FixedClock) -> Iterator[Scene]:  # noqa: F811
    office = world.office
    names = _furnished(office, world)
    folder = office.config.place(office.config.schedules)
    folder.mkdir(exist_ok=True)
    (folder / "daily.toml").write_text(PLANNED, "utf-8")
    app = build(office)
    with ExitStack() as stack:
        taken = stack.enter_context(serving.listening())
        stack.enter_context(serving.serving(app, taken))
        yield Scene(world, app, serving.address(taken), names, stack, clock)


def _furnished(office: Office, world: World) -> dict[str, Any]:  # noqa: F811
    """What ROUTES names, each with words nobody else must meet."""
    with office.db.write() as conn:
        unit, now = world.unit, office.db.now(conn)
        builders.person(conn, "bare", "白丁")
        conn.execute(update(db.posts).values(title=TITLE))
        conn.execute(update(db.replies).values(text=WORDS))
        conn.execute(update(db.items).values(title="望江路条目"))
        scene.account(conn, "board", "board", unit_id=unit)
        store.ensure_board(conn, now)
        shown, _ = store.publish(conn, now, "key", Content(text="停气公告"))
        draft = store.Draft("路人", WORDS, "", "once", "127.0.0.1")
        reply, _ = store.add_reply(conn, now, shown, draft, moderated=True, hourly=10)
        names = {name: getattr(world, name) for name in vars(world)}
        typed = catalog.entries_of(office, [{"title": "望江路体检"}])
        handed = catalog.add(conn, now, builders.actor(conn, "editor@health"), "health", typed)
        wei, ends = builders.actor(conn, "wei"), now + timedelta(days=1)
        ids = {
            "token_of_wei": tokens.create(conn, now, wei, "望江", [Scope.READ], ends)[0],
            "handed": handed[0],
            "unit": unit,
            "account": "hand",
            "wei": people.by_login(conn, "wei")["id"],
            "board_reply": reply["id"],
        }
        digest = scene.digest(conn, world.waiting)
        picture = office.media.write(_sheet())
    catalog.check(office)
    return {**names, **ids, "digest": digest, "picture": picture, "token": "0" * 32}


def test_every_route_says_who_may(console: Scene) -> None:
    """And nothing is said of a route that is no more."""
    there = {f"{method} {route.path}" for method, route in routes(console.app)}
    met = {_route_of(console, asked) for asked in (*ROUTES, *OPEN)}
    assert there - met == set(), "say who may: a row in ROUTES"
    assert met - there == set()


def _route_of(console: Scene, asked: str) -> str:
    method, path = console.filled(asked).split(" ")
    return next(
        f"{method} {route.path}"
        for each, route in routes(console.app)
        if each == method and route.path_regex.match(path)
    )


def test_what_a_role_may_not_is_refused_or_hidden(console: Scene) -> None:
    before = _rows(console.world.office)
    faults = []
    for route, several in ROUTES.items():
        for asked in several:
            for login in _barred(asked):
                answer = console.ask(login, route, asked)
                hidden = bool(asked.hides) and asked.hides not in answer.text
                told = bool(asked.refuses) and asked.refuses in answer.text
                if answer.status_code not in (403, 404) and not hidden and not told:
                    faults.append((login, route, asked.form, answer.status_code))
    assert not faults
    assert _rows(console.world.office) == before, "and nothing is done"


def _barred(asked: Asked) -> Iterator[str]:
    """Roles without the right here; those with it elsewhere; a person without any role."""
    for role in Role:
        if role not in asked.roles:
            yield f"{role}@health"
        elif not asked.anywhere:
            yield f"{role}@fire"
    if asked.who is not ANY:
        yield "bare"


def test_what_a_role_may_is_not_refused(console: Scene) -> None:
    faults = []
    for route, several in _pages_first():
        for asked in several:
            for n, role in enumerate(sorted(asked.roles)):
                answer = console.ask(f"{role}@{HERE[n % 2]}", route, asked)
                page, status = route.startswith("GET"), answer.status_code
                seen = asked.hides in answer.text or not page
                over = (404,) if page or not n else ()  # what the first did away with is gone
                if status in (401, 403, *over) or status >= 500 or not seen:
                    faults.append((role, route, asked.form, status))
    assert not faults


def _pages_first() -> list[tuple[str, tuple[Asked, ...]]]:
    """Before acts change what they show; and leaving comes last."""
    return sorted(ROUTES.items(), key=lambda one: (one[0] == "POST /logout", one[0]))


def test_without_a_login_there_is_only_the_door(console: Scene) -> None:
    with closing(scene.Reader(console.base)) as stranger:
        for asked in ROUTES:
            method, path = console.filled(asked).split(" ")
            answer = stranger.client.request(method, path, data={"act": "x"})
            at_door = answer.url.path == "/login" or answer.status_code == 401
            assert at_door or path in BY_ITSELF, (asked, answer.status_code)
            assert TITLE not in answer.text
            assert WORDS not in answer.text


def _rows(office: Office) -> dict[str, list[Any]]:
    """All there is, but for logins, sessions and that something empty was exported."""
    left_out = {"sessions", "logins", "audits"}
    with office.db.read() as conn:
        found = {
            name: sorted(map(str, conn.execute(select(table)).all()))
            for name, table in db.metadata.tables.items()
            if name not in left_out
        }
        verbs = select(db.audits.c.verb, func.count()).group_by(db.audits.c.verb)
        own = ("session.open", "reply.export")
        acts_ = conn.execute(verbs.where(db.audits.c.verb.not_in(own))).all()
    return {**found, "audits": sorted(map(str, acts_))}
