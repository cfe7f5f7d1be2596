"""The demo's first start: people with one-time passwords, a catalogue, one trusted source.

Everything enters through the stages' own functions, as a real office's would.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, select

from bot import demo, people, review
from bot.db import people as persons
from bot.language import Say
from bot.model import MACHINE, Role
from bot.office import Office

PEOPLE = [
    ("zhou", "周禾", Role.EDITOR),
    ("gu", "顾言", Role.REVIEWER),
    ("lin", "林岚", Role.SIGNER),
    ("he", "何晴", Role.RESPONDER),
    ("shen", "沈棠", Role.ADMINISTRATOR),
]
SOURCE, COLUMN, DAILY = "catalogue", "通知公告", 2


def start(office: Office) -> list[str]:
    """Make the demo where nobody is yet; give the lines to print. Nothing on a later start."""
    with office.db.write() as conn:
        if conn.execute(select(persons.c.id).limit(1)).first():
            return []
        now = office.db.now(conn)
        path = office.config.place(office.config.sources[SOURCE].url)
        demo.write(path, now, office.config.tz)
        lines = [_person(office, conn, *who) for who in PEOPLE]
        lin = people.actor(people.by_login(conn, "lin"), "demo")
        review.grant_standing(
            office,
            conn,
            now,
            lin,
            SOURCE,
            ends=now + timedelta(days=90),
            daily_max=DAILY,
            columns=[COLUMN],
            note=str(Say("演示：通知公告照发，每日至多 {n} 条", n=DAILY)),
        )
    return [str(Say("演示人员与一次性密码（首次登录后须更改）：")), *lines]


def _person(office: Office, conn: Connection, login: str, name: str, role: Role) -> str:
    now, unit = office.db.now(conn), next(iter(office.config.units))
    password = people.add(conn, now, MACHINE, login, name, unit, role)
    return f"  {login:<6} {password}  {name} {people.ROLE_WORDS[role]}"
