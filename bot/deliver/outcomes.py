"""What an answer, an error or a look-up makes of a delivery: values only, no store and no call.

In one place, so that what is tried again, looked up or left to a person can be read at a glance.
`now` is the store's clock; `looks` the waits between look-ups, of the office's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from bot.deliver import ledger
from bot.deliver.ledger import Begun
from bot.deliver.settling import Settled
from bot.errors import (
    AccountBroken,
    AdapterError,
    GongkaiError,
    Invalid,
    Later,
    NotFound,
    Refused,
    Uncertain,
    Unsupported,
)
from bot.language import Say
from bot.model import (
    Absent,
    DeliveryState,
    Found,
    Idempotency,
    Looked,
    Outcome,
    Receipt,
    Task,
)

S = DeliveryState
WAITS = [timedelta(seconds=s) for s in (15, 60, 300, 900, 1800)]
AGAIN = {"looks": 0, "absents": 0}


def backoff(waits: int) -> timedelta:
    """How long to wait after the platform said "later" so often in a row."""
    return WAITS[min(waits, len(WAITS) - 1)]


# ---------------------------------------------------------------- of a call


def sent(begun: Begun, brought: Receipt | Task, now: datetime) -> Settled:
    """The platform took it; or a person has to."""
    row = begun.row
    if isinstance(brought, Receipt):
        return found(row, begun.attempt, brought, None, now)
    return Settled(
        row,
        begun.attempt,
        Outcome.SENT,
        S.SENDING,
        row["latest_at"],
        Say("请在平台上人工发布，再登记链接"),
        keep_attempt_open=True,
        tell=True,
    )


def found(
    row: RowMapping, attempt: int | None, receipt: Receipt, said: Say | None, now: datetime
) -> Settled:
    """It stands. Read back a while later; the account's pace begins now."""
    lag = ledger.able(row).listing_lag_seconds
    return Settled(
        row,
        attempt,
        Outcome.SENT,
        S.SENT,
        now + timedelta(seconds=max(lag, 5)),
        said,
        receipt,
        account_free=now + timedelta(milliseconds=row["gap_ms"]) if row["gap_ms"] else None,
        watch=True,
    )


def failed(begun: Begun, error: AdapterError, now: datetime, first_look: timedelta) -> Settled:
    """What each of the adapter's errors makes of the row."""
    row = begun.row
    if isinstance(error, Uncertain):
        return uncertain(begun, error.say, now, first_look, error.raw)
    if isinstance(error, Refused | Unsupported):
        refused = (Outcome.REFUSED, S.FAILED, None, error.say)
        return Settled(row, begun.attempt, *refused, raw=error.raw)
    if isinstance(error, AccountBroken):
        return broken(row, begun.attempt, error)
    after = error.after if isinstance(error, Later) else None
    return later(begun, error, now + (after or backoff(row["waits"])))


def later(begun: Begun, error: AdapterError, at: datetime) -> Settled:
    """Nothing was taken; again at `at`."""
    return Settled(
        begun.row,
        begun.attempt,
        Outcome.LATER,
        S.READY,
        at,
        error.say,
        raw=error.raw,
        extra={"waits": begun.row["waits"] + 1},
        **_wait(error, at),
    )


def uncertain(
    begun: Begun, said: Say, now: datetime, first_look: timedelta, raw: str = ""
) -> Settled:
    """It may have been taken: looked up once the platform is sure to show it."""
    lag = timedelta(seconds=begun.capabilities.listing_lag_seconds)
    unknown = (Outcome.UNKNOWN, S.UNCERTAIN, now + max(lag, first_look), said)
    return Settled(begun.row, begun.attempt, *unknown, raw=raw, extra=AGAIN)


def broken(row: RowMapping, attempt: int | None, error: Exception) -> Settled:
    """The account cannot be used: nothing was taken, its queue waits for a person."""
    fault = Say("账号的设置或凭据打不开（{kind}）", kind=type(error).__name__)
    said = error.say if isinstance(error, GongkaiError) else fault
    raw = error.raw if isinstance(error, AdapterError) else ""
    due = row["go_at"]
    return Settled(row, attempt, Outcome.BROKEN, S.READY, due, said, raw=raw, broken=True)


def _wait(error: Exception, at: datetime) -> dict[str, Any]:
    """Who else than the delivery itself waits until `at`."""
    scope = error.scope if isinstance(error, Later) else "account"
    return {f"{scope}_free": at} if scope in ("account", "host") else {}


# ---------------------------------------------------------------- of uploads


def not_staged(row: RowMapping, error: Exception, now: datetime) -> Settled:
    """Nothing public happened: a refusal fails, a dead account breaks, all else waits."""
    said = error.say if isinstance(error, GongkaiError) else Say("上传素材超时")
    if isinstance(error, Refused | Unsupported | NotFound | Invalid):  # the platform's, or ours
        return Settled(row, None, Outcome.REFUSED, S.FAILED, None, said)
    if isinstance(error, Later | TimeoutError | Uncertain):
        after = error.after if isinstance(error, Later) else None
        at = now + (after or backoff(row["waits"]))
        waits = _wait(error, at) if after else {}
        extra = {"waits": row["waits"] + 1}
        return Settled(row, None, Outcome.LATER, S.READY, at, said, extra=extra, **waits)
    return broken(row, None, error)


# ---------------------------------------------------------------- of look-ups


def looked(
    row: RowMapping,
    attempt: int | None,
    seen: Looked,
    now: datetime,
    looks: Sequence[timedelta],
) -> Settled:
    """What looking it up proved."""
    if isinstance(seen, Found):
        return found(row, attempt, seen.receipt, Say("平台没有回音，回查确认已发出"), now)
    if isinstance(seen, Absent):
        return _absent(row, attempt, now, looks)
    return _unknown(row, seen.why, now, looks)


def _absent(
    row: RowMapping, attempt: int | None, now: datetime, looks: Sequence[timedelta]
) -> Settled:
    """Twice not there, a while apart, is not there; where we chose the id once is enough."""
    enough = 1 if ledger.able(row).idempotency == Idempotency.CLIENT_ID else 2
    count = row["absents"] + 1
    if count >= enough:
        said = Say("回查确认平台没有收到，再发")
        return Settled(row, attempt, Outcome.ABSENT, S.READY, now, said, extra=AGAIN)
    extra = {"looks": row["looks"] + 1, "absents": count}
    said = Say("回查未见，稍后再查一次才作数")
    due = _next_look(row["looks"], now, looks)
    return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, due, said, extra=extra)


def _unknown(row: RowMapping, why: str, now: datetime, looks: Sequence[timedelta]) -> Settled:
    """Look a few times; then a person decides, with what is known in front of him."""
    n = row["looks"] + 1
    extra = {"looks": n, "absents": 0}
    if n >= len(looks):
        said = Say("回查 {n} 次仍不能断定，请人工核对；不会自动重发。{why}", n=n, why=why)
        return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, None, said, extra=extra)
    said = Say("回查不能断定，稍后再查。{why}", why=why)
    due = _next_look(n, now, looks)
    return Settled(row, None, Outcome.UNKNOWN, S.UNCERTAIN, due, said, extra=extra)


def _next_look(n: int, now: datetime, looks: Sequence[timedelta]) -> datetime:
    return now + looks[min(n, len(looks) - 1)]


def not_looked(
    row: RowMapping, error: Exception, now: datetime, looks: Sequence[timedelta]
) -> Settled:
    """The platform could not be asked: that proves nothing, and is asked again."""
    said = error.say if isinstance(error, AdapterError) else Say("回查超时，稍后再查")
    after = error.after if isinstance(error, Later) else None
    due = now + after if after else _next_look(row["looks"], now, looks)
    n = row["looks"] + 1
    return Settled(
        row,
        None,
        Outcome.UNKNOWN,
        S.UNCERTAIN,
        due,
        said,
        broken=isinstance(error, AccountBroken),
        tell=n >= len(looks),  # and go on looking
        extra={"looks": n},
        **(_wait(error, due) if after else {}),
    )
