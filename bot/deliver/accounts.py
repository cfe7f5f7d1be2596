"""Accounts as config.toml declares them: taken in, connected, checked.

The file rules key, unit, adapter, options and pace; identity, credential and capabilities live in
the store. A key that vanished from the file pauses its account. Reconnecting keeps the old
credential until the new one has worked, and refuses another identity unless that was said.

A broken account works again by a person's deed only: reconnected, given another token's file or
other options in config.toml, or checked at his word. A check that the clock asked for and that
passes is noted and changes nothing: why the platform let go of us is for a person to know before
its queue goes out. A platform that cannot be reached breaks no account.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot import audit, config, lease, people
from bot.adapters.base import Adapter, adapter_class, names
from bot.config import AccountPart
from bot.db import accounts, insert_missing, standings, store_away, units, watches
from bot.deliver import rhythm
from bot.deliver.adopting import adopt, look_back
from bot.errors import AccountBroken, AdapterError, ConfigError, Conflict, GongkaiError, NotFound
from bot.language import Say
from bot.model import (
    AccountState,
    Actor,
    Checked,
    Right,
    WatchState,
)
from bot.notices import close_notice
from bot.office import Office
from bot.speaking import Adapters, build, by_id, mark_broken

CHECK_EVERY = timedelta(hours=6)
ADOPT_EVERY = timedelta(hours=2)  # an account people post to by other ways: its listing is shallow
SOON = timedelta(minutes=10)  # after one that failed
log = logging.getLogger("gongkai.accounts")


def by_key(conn: Connection, key: str) -> RowMapping:
    row = conn.execute(select(accounts).where(accounts.c.key == key)).mappings().first()
    if row is None:
        raise unknown(key)
    return row


def unknown(key: str) -> NotFound:
    """There is none; of another unit's the same is said."""
    return NotFound(
        "没有账号 {key}；账号在 config.toml 的 [accounts] 里声明，再运行 gongkai check 收入",
        key=key,
    )


# ---------------------------------------------------------------- taking the file in


def sync(office: Office, conn: Connection, now: datetime) -> None:
    """Take the accounts the file declares.

    Raises ConfigError for an option that is wrong or a token's file that cannot be read.
    """
    unit_ids = dict(conn.execute(select(units.c.key, units.c.id)).all())
    stand = {r["key"]: r for r in conn.execute(select(accounts)).mappings()}
    for key, part in office.config.accounts.items():
        values = declared(office, key, part) | {"unit_id": unit_ids[part.unit]}
        if key not in stand:
            fresh = {"key": key, "state": AccountState.ACTIVE, "due_at": now, "created_at": now}
            conn.execute(insert(accounts).values(**fresh, **values))
        elif changed := {k: v for k, v in values.items() if stand[key][k] != v}:
            if changed.keys() & {"options", "adapter"}:
                changed |= {"due_at": now, "checked_at": None}  # a person's deed
            else:
                changed.pop("capabilities", None)
            if changed:
                conn.execute(update(accounts).where(accounts.c.key == key).values(**changed))
            _moved(conn, now, stand[key], part, changed)
    gone = set(stand) - set(office.config.accounts)
    conn.execute(
        update(accounts)
        .where(accounts.c.key.in_(gone), accounts.c.state == AccountState.ACTIVE)
        .values(state=AccountState.PAUSED)
    )

    for key, part in office.config.accounts.items():
        if part.token_file:
            _take_token(office, conn, now, key, part)


def _take_token(
    office: Office, conn: Connection, now: datetime, key: str, part: AccountPart
) -> None:
    """What stands in its file is the account's credential; a new one is checked at once."""
    try:
        token = office.config.place(part.token_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        line = config.line_of(
            office.config.path.read_text("utf-8"), ["accounts", key, "token_file"]
        )
        where = {"file": office.config.path.name, "line": line, "token": part.token_file}
        raise ConfigError("{file} 第 {line} 行：读不到凭据文件 {token}", **where) from None
    row = by_key(conn, key)
    if not row["credential"] or office.secrets.open(row["credential"]) != token:
        sealed = office.secrets.seal(token)
        values = {"credential": sealed, "due_at": now, "checked_at": None}  # a person's deed
        conn.execute(update(accounts).where(accounts.c.id == row["id"]).values(**values))


def _moved(
    conn: Connection, now: datetime, row: RowMapping, part: AccountPart, changed: dict[str, Any]
) -> None:
    """Elsewhere it is another account: nothing signed for the old one goes there, nor its secret."""
    elsewhere = changed.keys() & {"adapter", "host"} and (part.adapter, "") != (
        "board",
        part.options.get("url", ""),  # our own board moves with our own address
    )
    if elsewhere and row["credential"]:
        forgotten = update(accounts).where(accounts.c.id == row["id"])
        conn.execute(forgotten.values(credential=""))
        mark_broken(conn, now, row["id"], Say("config.toml 里换了平台或主机，须重新连接"))


def declared(office: Office, key: str, part: AccountPart) -> dict[str, Any]:
    """The columns an account's part of the file rules. Raises ConfigError."""
    file, source = office.config.path, office.config.path.read_text("utf-8")
    if part.adapter not in names():
        raise config.unknown(file, source, ["accounts", key, "adapter"], part.adapter, names())
    kind = adapter_class(part.adapter)
    raw = dict(part.options)
    if part.adapter == "board":
        raw.setdefault("url", f"http://{office.config.web.host}:{office.config.web.port}")
    options = config.check(kind.options_model, raw, file, source, ["accounts", key, "options"])
    files = {n: path for n, path in options if n.endswith("_file") and path}  # beside config.toml
    options = options.model_copy(
        update={name: str(office.config.place(path)) for name, path in files.items()}
    )
    return {
        "adapter": part.adapter,
        "name": part.name or kind.label,
        "options": options.model_dump(mode="json"),
        "rhythm": rhythm.stored(part, office.config.zone),
        "gap_ms": int(part.gap.total_seconds() * 1000),
        "host": urlsplit(str(raw.get("url", ""))).hostname or part.adapter,
        "capabilities": kind.capabilities_of(options).json(),
    }


# ---------------------------------------------------------------- connecting and checking


async def connect(
    office: Office,
    actor: Actor,
    key: str,
    credential: str,
    *,
    another: bool = False,
    shown: str = "",
) -> Checked:
    """Prove a credential, then keep it. `another`: a different identity is meant; `shown`: the id
    of the identity that a person has seen and agreed to.

    Raises NotAllowed, AccountBroken or Later (the old credential stays), Conflict for another
    identity than the account had or than was shown.
    """
    with office.db.read() as conn:
        row = by_key(conn, key)
        if actor.person is not None:
            people.require(conn, actor, Right.ADMIN, row["unit_id"])
    adapter = build(office, row, credential)
    try:
        checked = await adapter.check()
    finally:
        await adapter.client.aclose()
    if shown not in ("", checked.identity.id):
        raise Conflict(
            "凭据现在属于 {name}，与刚才显示的不同。请重新授权", name=checked.identity.name
        )
    await asyncio.to_thread(_connected, office, actor, key, credential, checked, another)
    return checked


def _connected(
    office: Office, actor: Actor, key: str, credential: str, checked: Checked, another: bool
) -> None:
    with office.db.write() as conn:
        now, row = office.db.now(conn), by_key(conn, key)
        if row["identity"] not in ("", checked.identity.id):
            if not another:
                raise Conflict(
                    "凭据属于 {new}，账号原是 {old}；确要更换请注明，已签发未发的稿件须重新审签",
                    new=checked.identity.name,
                    old=row["identity_name"],
                )
            _end_trust(conn, now, actor, key)
        _keep(office, conn, now, row, checked, credential=office.secrets.seal(credential))
        proven = {"identity": checked.identity.id}
        if row["identity"] not in ("", checked.identity.id):
            proven["instead_of"] = row["identity"]
        audit.write(conn, now, actor, "account.connect", f"account:{row['id']}", **proven)


def _end_trust(conn: Connection, now: datetime, actor: Actor, key: str) -> None:
    """Standing sign-offs name the account as it was: as another identity it needs a new one."""
    stand = select(standings.c.id, standings.c.accounts).where(standings.c.ended_at.is_(None))
    for standing, keys in conn.execute(stand).all():
        if key in keys:
            mine = standings.c.id == standing
            conn.execute(update(standings).where(mine).values(ended_at=now))
            audit.write(conn, now, actor, "standing.end", f"standing:{standing}", account=key)


def _keep(
    office: Office,
    conn: Connection,
    now: datetime,
    row: RowMapping,
    checked: Checked,
    **more: Any,
) -> None:
    """Store what a check found that a person asked for; a broken account works again."""
    state = AccountState.ACTIVE if row["state"] == AccountState.BROKEN else row["state"]
    conn.execute(
        update(accounts)
        .where(accounts.c.id == row["id"])
        .values(
            state=state,
            broken=None,
            identity=checked.identity.id,
            identity_name=checked.identity.name,
            identity_url=checked.identity.url,
            capabilities=checked.capabilities.json(),
            token_ends=checked.token_ends,
            checked_at=now,
            due_at=now + (ADOPT_EVERY if checked.posted else CHECK_EVERY),
            **more,
        )
    )
    close_notice(conn, now, f"account:{row['id']}")
    new = adopt(conn, now, by_id(conn, row["id"]), checked.posted, office.config.collect.days)
    look_back(conn, now, row, checked, new, office.config.tz)
    if checked.capabilities.mentions:
        _watch(conn, now, row["id"])


def _watch(conn: Connection, now: datetime, account_id: int) -> None:
    """What speaks to the account is collected from now on, if it was not already."""
    mine = watches.c.account_id == account_id, watches.c.delivery_id.is_(None)
    if not conn.execute(select(watches.c.id).where(*mine)).first():
        values = {"account_id": account_id, "state": WatchState.OPEN, "opened_at": now}
        insert_missing(conn, watches, [{**values, "due_at": now}])


def ask_check(conn: Connection, now: datetime, actor: Actor, key: str) -> RowMapping:
    """A person has the account checked: at the worker's next turn, and a pass mends a broken one.

    Gives its row. Raises NotFound, NotAllowed.
    """
    row = by_key(conn, key)
    if actor.person is not None:
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
    values = {"due_at": now, "checked_at": None}  # not checked since: what then passes is his doing
    conn.execute(update(accounts).where(accounts.c.id == row["id"]).values(**values))
    audit.write(conn, now, actor, "account.check", f"account:{row['id']}")
    return row


async def check(office: Office, adapter: Adapter, account_id: int) -> Say | None:
    """Ask the platform who we are there; give what is wrong, or None.

    An identity that changed by itself (a token of another account) breaks the account. A broken
    one stays so unless a person asked for this check.
    """
    try:
        found: Checked | AdapterError = await adapter.check()
    except AdapterError as error:
        found = error
    return await asyncio.to_thread(_checked, office, adapter, account_id, found)


def _checked(
    office: Office, adapter: Adapter, account_id: int, found: Checked | AdapterError
) -> Say | None:
    with office.db.write() as conn:
        now, row = office.db.now(conn), by_id(conn, account_id)
        if office.secrets.open(row["credential"]) != adapter.credential:
            return None  # connected anew meanwhile: what was found is of the old credential
        if isinstance(found, AdapterError):
            return _check_failed(conn, now, row, found)
        if row["identity"] and row["identity"] != found.identity.id:
            said = Say("凭据属于另一身份 {name}", name=found.identity.name)
            mark_broken(conn, now, account_id, said)
            return said
        if row["state"] == AccountState.BROKEN and row["checked_at"] is not None:
            _note_passed(conn, now, row)
        else:
            _keep(office, conn, now, row, found)
    return None


def _note_passed(conn: Connection, now: datetime, row: RowMapping) -> None:
    """It would work again; that it does is a person's to say."""
    passed = Say(
        "平台现在又认这个账号；请核对原因，再点“检查”或运行 gongkai account check 恢复使用"
    )
    values = {"broken": passed.json(), "due_at": now + CHECK_EVERY}
    conn.execute(update(accounts).where(accounts.c.id == row["id"]).values(**values))


def _check_failed(conn: Connection, now: datetime, row: RowMapping, error: AdapterError) -> Say:
    """What nobody has connected yet is not broken: there is nothing to check until somebody does."""
    awaits = isinstance(error, AccountBroken) and not (row["credential"] or row["identity"])
    if isinstance(error, AccountBroken) and not awaits:
        mark_broken(conn, now, row["id"], error.say)
    later = None if awaits else now + SOON
    conn.execute(update(accounts).where(accounts.c.id == row["id"]).values(due_at=later))
    return error.say


async def check_due(office: Office, adapters: Adapters) -> int:
    """Check the accounts whose time has come, side by side; give how many."""
    rows = await asyncio.to_thread(_claim, office)
    await asyncio.gather(*(_check_claimed(office, adapters, row) for row in rows))
    return len(rows)


def _claim(office: Office) -> list[RowMapping]:
    with office.db.write() as conn:
        now = office.db.now(conn)
        return lease.claim(conn, accounts, now, 5, accounts.c.state != AccountState.PAUSED)


async def _check_claimed(office: Office, adapters: Adapters, row: RowMapping) -> None:
    """One that cannot be asked, for whatever cause, keeps no other waiting."""
    wrong = None
    try:
        await check(office, await adapters.of(row["id"]), row["id"])
    except GongkaiError as error:
        wrong = error.say
    except Exception as error:
        if store_away(error):
            raise
        log.exception("account %s", row["key"])
        wrong = Say("检查时内部出错（{kind}），请管理员查看日志", kind=type(error).__name__)
    await asyncio.to_thread(_let_go, office, row, wrong)


def _let_go(office: Office, row: RowMapping, wrong: Say | None) -> None:
    with office.db.write() as conn:
        later = office.db.now(conn) + SOON
        noted = {} if wrong is None else {"broken": wrong.json(), "due_at": later}
        mine = accounts.c.id == row["id"], accounts.c.lease == row["lease"]
        conn.execute(update(accounts).where(*mine).values(lease=None, leased_until=None, **noted))


def pause(conn: Connection, now: datetime, actor: Actor, key: str, paused: bool) -> None:
    """Pause an account or let it go on. Its queue is kept. Raises NotAllowed, Conflict."""
    row = by_key(conn, key)
    if actor.person is not None:
        people.require(conn, actor, Right.ADMIN, row["unit_id"])
    if row["state"] == AccountState.BROKEN:
        raise Conflict("账号已断开，请先重新连接")
    state = AccountState.PAUSED if paused else AccountState.ACTIVE
    conn.execute(update(accounts).where(accounts.c.id == row["id"]).values(state=state))
    verb = "account.pause" if paused else "account.activate"
    audit.write(conn, now, actor, verb, f"account:{row['id']}")
