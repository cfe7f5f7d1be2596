"""A new key for what is sealed. Cut off anywhere, everything still opens; run again, it is brought to its end."""

from __future__ import annotations

from sqlalchemy import Column, Connection, select, update

from bot import audit, people
from bot.db import accounts, connectings
from bot.db import people as persons
from bot.model import Actor, Right
from bot.office import Office

SEALED: tuple[Column[str], ...] = (accounts.c.credential, persons.c.totp, connectings.c.sealed)


def rekey(office: Office, actor: Actor) -> int:
    """Seal everything anew, forget the old key; how many secrets that were.

    Running processes read the key at every use. Raises NotAllowed; GongkaiError for a secret that
    the present key does not open: then nothing is changed but the file, in which both keys stand.
    """
    if actor.person is not None:  # the machine's own shell reads the key's file anyway
        with office.db.read() as conn:
            people.require_everywhere(conn, actor, Right.ADMIN)
    office.secrets.add_key()
    with office.db.write() as conn:
        count = sum(_sealed_anew(office, conn, column) for column in SEALED)
        audit.write(conn, office.db.now(conn), actor, "office.rekey", "office:1", secrets=count)
    office.secrets.drop_old_keys()
    return count


def _sealed_anew(office: Office, conn: Connection, column: Column[str]) -> int:
    table = column.table
    rows = conn.execute(select(table.c.id, column).where(column != "")).all()
    for number, sealed in rows:
        anew = office.secrets.seal(office.secrets.open(sealed))
        mine = (
            table.c.id == number,
            column == sealed,
        )  # another's word since has the new key already
        conn.execute(update(table).where(*mine).values({column.name: anew}))
    return len(rows)
