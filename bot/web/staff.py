"""人员与单位: the tree of units with their steps, who is there, and what may be changed of them.

Units, their order and their steps are config.toml's; people and their roles are changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.responses import Response

from bot import people, review, roster, second, tokens
from bot.errors import Conflict, Invalid, NotFound
from bot.language import Say
from bot.model import Actor, Right, Role
from bot.office import Office
from bot.web.visit import Id, Signed, Visit, go

router = APIRouter()
DONE = {
    "grant": Say("角色已授予，立即生效"),
    "revoke": Say("角色已收回，立即生效"),
    "disable": Say("已停用，他的登录全部结束"),
    "enable": Say("已恢复"),
    "totp": Say("动态口令已重设，下次登录后须重新登记"),
    "sign-out": Say("登录已结束"),
    "end": Say("代签已终止，已签的不受影响"),
}


# ---------------------------------------------------------------- the units


def data_for_people(office: Office, actor: Actor, params: Mapping[str, str]) -> dict[str, Any]:
    """The reader's units as a tree, and of the chosen one (`unit`) steps and people."""
    with office.db.read() as conn:
        scope = people.unit_ids(conn, actor)
        admin = people.unit_ids(conn, actor, Right.ADMIN)
        staffed = review.staffing(conn, office.config)
        tree = [unit for unit in roster.tree(conn) if unit["id"] in scope]
        everybody = roster.persons(conn)
        chosen = _chosen(tree, params.get("unit", ""))
        rows = _there(conn, everybody, chosen["id"]) if chosen else {"here": [], "above": []}
        return {
            "tree": [_leaf(unit, everybody, staffed) for unit in tree],
            "unit": chosen,
            "staffed": staffed.get(chosen["key"]) if chosen else None,
            "names": {one["id"]: one["name"] for one in everybody},
            "open": {one["id"] for one in everybody if roster.within(one, scope)},
            **rows,
            "rootless": [p for p in everybody if not p["roles"]] if _all(conn, admin) else [],
            "admin": admin,
            "declared": office.config.units,
            "asleep": any(one["asleep"] for one in everybody),
        }


def _all(conn: Connection, admin: set[int]) -> bool:
    return {unit["id"] for unit in roster.tree(conn)} <= admin


def _chosen(tree: list[dict[str, Any]], key: str) -> dict[str, Any] | None:
    found = next((unit for unit in tree if unit["key"] == key), None)
    if key and found is None:
        raise NotFound("没有单位 {key}", key=key)
    return found or (tree[0] if tree else None)


def _leaf(
    unit: dict[str, Any], everybody: list[dict[str, Any]], staffed: dict[str, review.Staffed]
) -> dict[str, Any]:
    there = {p["id"] for p in everybody for r in p["roles"] if r["unit_id"] == unit["id"]}
    enough = staffed[unit["key"]].enough if unit["key"] in staffed else None
    return {**unit, "people": len(there), "enough": enough}


def _there(
    conn: Connection, everybody: list[dict[str, Any]], unit_id: int
) -> dict[str, list[dict[str, Any]]]:
    """Those with a role at the unit itself, and those whose role above holds here too."""
    above = people.ancestry(conn, unit_id)[1:]
    found: dict[str, list[dict[str, Any]]] = {"here": [], "above": []}
    for one in everybody:
        for place, there in (("here", {unit_id}), ("above", set(above))):
            held = [role for role in one["roles"] if role["unit_id"] in there]
            if held:
                found[place].append({**one, "held": held})
    return found


def _units(visit: Visit, status: int = 200, **more: Any) -> Response:
    params = {"unit": visit.field("unit") or visit.params.get("unit", "")}
    found = data_for_people(visit.office, visit.actor, params)
    typed = {name: visit.field(name) for name in ("login", "name", "role")}
    values = {"error": "", "done": None, **more}
    return visit.page(
        "people.html", status, **found, typed=typed, role_words=people.ROLE_WORDS, **values
    )


@router.get("/people")
def people_page(visit: Signed) -> Response:
    return _units(visit, done=visit.done(DONE))


@router.post("/people")
def add(visit: Signed) -> Response:
    """A new person; his one-time password is shown on this answer and never again.

    With `act` “grant”: a role here for who is known already, of whatever unit.
    """
    try:
        unit = visit.field("unit", need=str(Say("单位")))
        login = visit.field("login", need=str(Say("登录名")))
        if visit.field("act") == "grant":
            with visit.office.db.write() as conn:
                _grant(visit, conn, login)
            return go(f"/people?{urlencode({'unit': unit, 'done': 'grant'})}")
        name = visit.field("name", need=str(Say("姓名")))
        with visit.office.db.write() as conn:
            now = visit.office.db.now(conn)
            password = people.add(conn, now, visit.actor, login, name, unit, _role(visit))
    except (Invalid, Conflict, NotFound) as error:
        return _units(visit, 422, error=str(error))
    return _one(visit, login, password=password)


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.field("role"))
    except ValueError:
        raise Invalid("请选角色") from None


# ---------------------------------------------------------------- one person


def data_for_person(office: Office, actor: Actor, login: str) -> dict[str, Any]:
    """One person with his roles; for who may change him, his sessions too. Raises NotFound."""
    with office.db.read() as conn:
        now = office.db.now(conn)
        admin = people.unit_ids(conn, actor, Right.ADMIN)
        one, may = person_for(conn, actor, login)
        return {
            "one": one,
            "may": may,
            "admin": admin,
            "units": [unit for unit in roster.tree(conn) if unit["id"] in admin],
            "sessions": roster.open_sessions(conn, now, one["id"]) if may else [],
            "tokens": _standing(conn, now, actor, one["id"]) if may else 0,
            "last": roster.last_login(conn, login) if may else None,
            "delegations": review.delegations_of(conn, now, one["id"]),
            "owes": not one["totp_at"] and second.wanted(conn, office.config, one["id"]),
        }


def person_for(conn: Connection, actor: Actor, login: str) -> tuple[dict[str, Any], bool]:
    """Somebody of the reader's units, and whether the reader may change him. Raises NotFound."""
    row = people.by_login(conn, login)
    one = next(p for p in roster.persons(conn) if p["id"] == row["id"])
    may = people.administers(conn, actor, one["id"])
    if not may and not roster.within(one, people.unit_ids(conn, actor)):
        raise NotFound("没有登录名 {login}", login=login)
    return one, may


def _standing(conn: Connection, now: datetime, actor: Actor, person: int) -> int:
    """How many tokens of his stand."""
    rows = tokens.listing(conn, actor, everyone=True)
    return sum(tokens.stands(row, now) for row in rows if row["person_id"] == person)


def _one(visit: Visit, login: str, status: int = 200, **more: Any) -> Response:
    found = data_for_person(visit.office, visit.actor, login)
    values = {"error": "", "done": None, "password": "", **more}
    return visit.page("person.html", status, **found, role_words=people.ROLE_WORDS, **values)


def _grant(visit: Visit, conn: Connection, login: str) -> None:
    unit = visit.field("unit", need=str(Say("单位")))
    people.grant(conn, visit.office.db.now(conn), visit.actor, login, unit, _role(visit))


def _revoke(visit: Visit, conn: Connection, login: str) -> None:
    unit = visit.field("unit", need=str(Say("单位")))
    people.revoke(conn, visit.office.db.now(conn), visit.actor, login, unit, _role(visit))


def _disable(visit: Visit, conn: Connection, login: str) -> None:
    people.disable(conn, visit.office.db.now(conn), visit.actor, login)


def _enable(visit: Visit, conn: Connection, login: str) -> None:
    people.disable(conn, visit.office.db.now(conn), visit.actor, login, disabled=False)


def _readmit(visit: Visit, conn: Connection, login: str) -> str:
    return people.readmit(conn, visit.office.db.now(conn), visit.actor, login)


def _reissue(visit: Visit, conn: Connection, login: str) -> str:
    return people.reissue(conn, visit.office.db.now(conn), visit.actor, login)


def _reset(visit: Visit, conn: Connection, login: str) -> None:
    second.reset(conn, visit.office.db.now(conn), visit.actor, login)


def _sign_out(visit: Visit, conn: Connection, login: str) -> None:
    people.sign_out(conn, visit.office.db.now(conn), visit.actor, login, visit.field("session"))


ACTS: dict[str, Callable[[Visit, Connection, str], str | None]] = {
    "grant": _grant,
    "revoke": _revoke,
    "disable": _disable,
    "enable": _enable,
    "readmit": _readmit,
    "reissue": _reissue,
    "totp": _reset,
    "sign-out": _sign_out,
}


@router.get("/people/by-id/{person}")
def person_by_id(visit: Signed, person: Id) -> Response:
    """From the trail, which holds ids, to the person's page."""
    with visit.office.db.read() as conn:
        login = next((one["login"] for one in roster.persons(conn) if one["id"] == person), "")
    data_for_person(visit.office, visit.actor, login)  # not even the login to who may not see him
    return go(f"/people/{quote(login)}")


@router.get("/people/{login}")
def person_page(visit: Signed, login: str) -> Response:
    return _one(visit, login, done=visit.done(DONE))


@router.post("/people/{login}")
def act(visit: Signed, login: str) -> Response:
    """One act on a person. A one-time password is shown on the answer and never again."""
    name = visit.field("act")
    if name not in ACTS:
        raise Invalid("请从页面上的按钮办理")
    with visit.office.db.write() as conn:
        password = ACTS[name](visit, conn, login)
    if password:
        return _one(visit, login, password=password)
    if name == "revoke":  # the reader may see no more of him than this role
        return go(f"/people?{urlencode({'unit': visit.field('unit'), 'done': name})}")
    return go(f"/people/{quote(login)}?done={name}")
