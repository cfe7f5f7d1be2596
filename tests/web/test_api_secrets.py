"""Promise 8 at the API and on the pages: no answer holds a secret, whoever asks, whatever is asked.

The secrets are all there are in the store of an office that has one of everything, and those of its
config.toml; a new column that sounds like one must be named here.
"""

# ruff: noqa: F811 - fixtures of a neighbour
from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, insert, select, update

from bot import db, tokens
from bot.model import Scope
from bot.office import Office
from tests import builders, test_rights
from tests.offices import url  # noqa: F401
from tests.test_rights import world  # noqa: F401
from tests.web.test_api_rights import ROUTES, Ask, desk  # noqa: F401
from tests.web.test_routes import ROUTES as PAGES
from tests.web.test_routes import Scene, console  # noqa: F401

SECRET = {
    "people.password",
    "people.totp",
    "recoveries.digest",
    "sessions.csrf",
    "tokens.digest",
    "accounts.credential",
    "connectings.sealed",
    "boards.token",
    "boards.salt",
    "board_replies.secret",
    "replies.salt",
    "offices.salt",
}
OPEN = {"accounts.token_ends", "people.totp_at", "people.totp_step"}  # times, and that there is one
SOUNDS = re.compile("secret|password|totp|token|credential|sealed|csrf|salt")
CREDENTIAL, FACTOR = "yl-credential-7f3a9c5e", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WRITTEN = {
    "address": "yl-reader-5e1b2d4f",
    "option": "yl-header-60aa41cc",
    "told": "yl-told-9d0e17",
}
TABLES = f"""
[notices.duty]
url = "mailto://office:{WRITTEN["told"]}@mail.yunlan.example"
"""


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """An office whose config.toml holds what nobody must read."""
    address = f'url = "https://reader:{WRITTEN["address"]}@www.yunlan.example/feed.xml"'
    source = test_rights.MORE.replace('url = "feed.xml"', address)
    monkeypatch.setattr(test_rights, "MORE", source + TABLES)


@pytest.fixture
def secrets(console: Scene, desk: Ask) -> dict[str, str]:
    """Every secret there is, by what it is of."""
    office = console.world.office
    with office.db.write() as conn:
        _planted(office, conn)
    desk("administrator@county", "GET /me")
    console.seat("administrator@county")
    with office.db.read() as conn:
        stored = {f"{name} {n}": said for name in sorted(SECRET) for n, said in _stored(conn, name)}
    key = office.config.place(office.config.secret_key_file).read_bytes()
    found = {**stored, **WRITTEN, "credential": CREDENTIAL, "factor": FACTOR, "key": key.hex()}
    return (
        found
        | {"key as kept": key.decode("latin-1").strip()}
        | {
            f"cookie of {login}": value
            for login, (client, csrf) in console.seats.items()
            for value in (*client.cookies.values(), csrf)
            if len(value) > 15
        }
    )


def _planted(office: Office, conn: Connection) -> None:
    """What the furnished office lacks."""
    now, sealed = office.db.now(conn), office.secrets.seal
    conn.execute(update(db.accounts).values(credential=sealed(CREDENTIAL)))
    conn.execute(update(db.people).values(totp=sealed(FACTOR)))
    who = builders.actor(conn, "wei")
    digest = "d" * 64
    conn.execute(insert(db.recoveries).values(person_id=who.person, digest=digest))
    tokens.create(conn, now, who, "日报", [Scope.READ], now + timedelta(days=1))
    values = {"state": "s" * 64, "session": "", "sealed": sealed("code-verifier-1")}
    account = conn.execute(select(db.accounts.c.id)).scalars().first()
    conn.execute(insert(db.connectings).values(**values, account_id=account, ends_at=now))
    conn.execute(update(db.replies).values(salt="reply-salt-5512a0"))
    conn.execute(update(db.boards).values(token="7" * 64, salt="board-salt-91c2"))
    conn.execute(update(db.board_replies).values(secret="6" * 64))


def _stored(conn: Connection, name: str) -> Iterator[tuple[int, str]]:
    table, column = name.split(".")
    of = db.metadata.tables[table]
    for n, value in enumerate(conn.execute(select(of.c[column])).scalars()):
        text = value.hex() if isinstance(value, bytes) else str(value or "")
        if len(text) > 7:
            yield n, text


def test_a_column_that_sounds_like_a_secret_is_named_here() -> None:
    sounding = {
        f"{table.name}.{column.name}"
        for table in db.metadata.tables.values()
        for column in table.c
        if SOUNDS.search(column.name)
    }
    assert sounding - SECRET - OPEN == set()


def test_no_answer_of_the_api_holds_a_secret(desk: Ask, secrets: dict[str, str]) -> None:
    assert len({name.split()[0] for name in secrets} & SECRET) >= len(SECRET) - 1
    faults = []
    for route in sorted(ROUTES):  # what is read first
        for login in ("administrator@county", "administrator@health", "signer@health"):
            answer = desk(login, route)
            said = answer.text + str(answer.headers)
            faults += [(login, route, name) for name in _in(said, secrets)]
    assert not faults


def test_no_page_holds_a_secret_but_the_readers_own_proof(
    console: Scene, secrets: dict[str, str]
) -> None:
    """A page holds its reader's own token against forged forms, and nobody else's."""
    login, faults = "administrator@county", []
    own = console.seat(login)[1]
    others = {name: said for name, said in secrets.items() if said != own}
    for route, several in PAGES.items():
        if route.startswith("GET ") and route != "GET /me/code":  # his own, as he sets it up
            answer = console.ask(login, route, several[0])
            faults += [(route, name) for name in _in(answer.text, others)]
    assert not faults


def _in(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, said in secrets.items() if said in text or quote(said) in text]
