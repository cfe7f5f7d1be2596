"""The second factor: one-time codes from an authenticator (TOTP, RFC 6238), recovery codes.

A secret is kept sealed (bot.secrets) and counts once its owner has given a code of it. A code is
taken once: the time step it belongs to is remembered, and an earlier or the same one refused. A
recovery code is kept as a digest only and is gone when used. Nothing here says or logs a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b32decode, b32encode
from datetime import datetime
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from bot import audit, people
from bot.config import Config
from bot.db import grants, recoveries, sessions
from bot.db import people as persons
from bot.errors import Conflict, Invalid
from bot.model import Actor, Right, Role
from bot.secrets import Secrets

STEP = 30  # seconds a code stands
DIGITS = 6
DRIFT = 1  # steps a clock may be off, either way (RFC 6238, section 5.2)
RECOVERIES = 10


def code(secret: str, step: int) -> str:
    """The code of a time step (RFC 6238, RFC 4226 section 5.3; HMAC-SHA-1)."""
    mac = hmac.digest(b32decode(secret), step.to_bytes(8), "sha1")
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4]) & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(now: datetime) -> int:
    return int(now.timestamp()) // STEP


def uri(secret: str, issuer: str, login: str) -> str:
    """What an authenticator takes the secret from."""
    label = quote(f"{issuer}:{login}")
    return (
        f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
    )


def wanted(conn: Connection, config: Config, person: int) -> bool:
    """Must this person have one (`[people] totp`)? Signers are who may sign anywhere."""
    if config.people.totp != "signers":
        return config.people.totp == "all"
    signing = [role for role in Role if Right.SIGN in people.RIGHTS[role]]
    held = select(grants.c.role).where(grants.c.person_id == person, grants.c.role.in_(signing))
    return conn.execute(held.limit(1)).first() is not None


# ---------------------------------------------------------------- enrolling


def begin(conn: Connection, vault: Secrets, actor: Actor) -> None:
    """Make a secret for oneself, to be confirmed. One that waits already stays as it is."""
    row = _own(conn, actor)
    if row["totp_at"]:
        raise Conflict("已经登记了动态口令；要换，请先停用")
    if not row["totp"]:
        sealed = vault.seal(b32encode(secrets.token_bytes(20)).decode())
        conn.execute(update(persons).where(persons.c.id == row["id"]).values(totp=sealed))


def waiting(conn: Connection, vault: Secrets, actor: Actor) -> str:
    """The own secret that is not confirmed yet; empty where there is none."""
    row = _own(conn, actor)
    return "" if row["totp_at"] else vault.open(row["totp"])


def confirm(
    conn: Connection, vault: Secrets, now: datetime, actor: Actor, said: str, session: str = ""
) -> list[str]:
    """Prove that the authenticator has it: from now on it is asked. Gives the recovery codes.

    The person's other sessions, opened without it, end. Raises Invalid, Conflict.
    """
    row = _own(conn, actor)
    if row["totp_at"] or not row["totp"]:
        raise Conflict("没有等着确认的动态口令，请重新登记")
    if not _taken(conn, vault, now, row, said):
        raise Invalid("动态口令不对，没有登记。请核对手机时间，填写此刻显示的 6 位数字")
    conn.execute(update(persons).where(persons.c.id == row["id"]).values(totp_at=now))
    others = (sessions.c.person_id == row["id"], sessions.c.id != session)
    conn.execute(delete(sessions).where(*others))
    audit.write(conn, now, actor, "person.totp", f"person:{row['id']}")
    return _recoveries(conn, row["id"])


def renew(conn: Connection, now: datetime, actor: Actor) -> list[str]:
    """New recovery codes for oneself; the old ones hold no more."""
    if not _own(conn, actor)["totp_at"]:
        raise Conflict("还没有登记动态口令")
    audit.write(conn, now, actor, "person.recoveries", f"person:{actor.person}")
    return _recoveries(conn, int(actor.person or 0))


def _recoveries(conn: Connection, person: int) -> list[str]:
    made = [people.words_aloud() for _ in range(RECOVERIES)]
    conn.execute(delete(recoveries).where(recoveries.c.person_id == person))
    rows = [{"person_id": person, "digest": _digest(one)} for one in made]
    conn.execute(insert(recoveries), rows)
    return made


def _digest(said: str) -> str:
    """Of a recovery code as it was typed. 74 random bits need no slow hash."""
    return hashlib.sha256(re.sub(r"[\s-]", "", said).lower().encode()).hexdigest()


# ---------------------------------------------------------------- asking


def redeem(
    conn: Connection, vault: Secrets, now: datetime, row: RowMapping, said: str, origin: str
) -> bool:
    """Is this a code of the person's, or a recovery code? It holds no second time.

    `row` is of people, with a confirmed second factor; `origin`: where it was given.
    """
    if _taken(conn, vault, now, row, said):
        return True
    mine = (recoveries.c.person_id == row["id"], recoveries.c.digest == _digest(said))
    if not conn.execute(delete(recoveries).where(*mine)).rowcount:
        return False
    audit.write(conn, now, people.actor(row, origin), "person.recovery", f"person:{row['id']}")
    return True


def _taken(conn: Connection, vault: Secrets, now: datetime, row: RowMapping, said: str) -> bool:
    """Is it a code of these moments, not taken before? Two at once: one of them wins the row."""
    digits, secret, here = re.sub(r"\s", "", said), vault.open(row["totp"]), step_of(now)
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), digits.encode()):
            mine = update(persons).where(persons.c.id == row["id"], persons.c.totp_step < step)
            return bool(conn.execute(mine.values(totp_step=step)).rowcount)
    return False


# ---------------------------------------------------------------- ending


def drop(conn: Connection, now: datetime, config: Config, actor: Actor) -> None:
    """Do without from now on. Raises Conflict where the office demands one."""
    if wanted(conn, config, int(actor.person or 0)):
        raise Conflict("按本单位规定，您登录须用动态口令，不能停用；换手机请由管理员重设")
    _clear(conn, now, actor, int(actor.person or 0))


def reset(conn: Connection, now: datetime, actor: Actor, login: str) -> None:
    """Take another's away, who has lost it; his sessions and tokens end, he enrols anew.

    Raises NotFound, NotAllowed, Conflict for one without.
    """
    row = people.another(conn, actor, login)
    if not row["totp"]:
        raise Conflict("{login} 没有登记动态口令", login=login)
    people.shut_out(conn, now, row["id"])
    _clear(conn, now, actor, row["id"])


def _clear(conn: Connection, now: datetime, actor: Actor, person: int) -> None:
    mine = update(persons).where(persons.c.id == person)
    conn.execute(mine.values(totp="", totp_at=None, totp_step=0))
    conn.execute(delete(recoveries).where(recoveries.c.person_id == person))
    audit.write(conn, now, actor, "person.totp-reset", f"person:{person}")


def _own(conn: Connection, actor: Actor) -> RowMapping:
    return conn.execute(select(persons).where(persons.c.id == actor.person)).mappings().one()
