"""The storm: thousands of signed posts, a platform that misbehaves, workers killed at every point.

`python -m tests.storm` runs it short on SQLite and on PostgreSQL, `--long` with thousands of posts and
hundreds of kills, and prints a tally; then the rival's measured rows beside ours (tests.rival). What
must hold in the end, whatever happened: each signed post stands on the platform once, nothing unsigned
stands there, ledger and platform agree line by line, each call had its attempt first, and what could
not be known went through a person.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, delete, func, select, update

from bot import audit, compose
from bot.adapters.mastodon import Mastodon as Adapter
from bot.compose import Body
from bot.config import load
from bot.db import (
    Database,
    accounts,
    approvals,
    attempts,
    deliveries,
    posts,
    renditions,
    revisions,
)
from bot.deliver import holds, queue
from bot.errors import Conflict
from bot.migrations import upgrade
from bot.model import (
    AccountState,
    Act,
    DeliveryState,
    HoldScope,
    Outgoing,
    PostState,
    RepliesBy,
    Role,
    digest_of,
)
from bot.office import Office
from tests import builders, loads, postgres
from tests.fakes.mastodon import Manners, Mastodon
from tests.fakes.server import Fault, Faults, Request, Response, Server
from tests.storm_worker import POINTS, Nursery, Order

S = DeliveryState
RATES = {
    "delay:0.2": 0.10,
    "cut_before": 0.03,
    "cut_after": 0.03,
    "half": 0.02,
    "empty": 0.01,
    "html_200": 0.01,
    "html_502": 0.02,
    "html_502_before": 0.01,
    "error_500": 0.02,
    "error_500_before": 0.01,
    "busy_503": 0.01,
    "busy_503_before": 0.01,
    "nonsense": 0.01,
    "limited:seconds:1": 0.02,
}
# These are set when the weather begins, so that most are past by then: a server whose clock is wrong.
PAST = {"limited:date:5": 0.003, "limited:epoch:5": 0.003, "limited:iso:5": 0.003}
DELIVER = """
[deliver]
looks = ["1s", "1s", "2s"]
"""

# ---------------------------------------------------------------- the platform


@dataclass(frozen=True)
class Arrival:
    """One publishing request, whole, as the platform saw it."""

    at: float
    key: str
    token: str
    process: int


class Weather(Faults):
    """The platform's faults and its eye: who sent what when. Kills the sender where told."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: list[Arrival] = []
        self.kill_at_last_byte = 0
        self.kill_after_storing = 0
        self.killed: Counter[str] = Counter()

    def strike(self, request: Request) -> Fault | None:
        if not _publishes(request):
            return super().strike(request)
        process = int(request.headers.get("x-process", 0))
        key = request.headers.get("idempotency-key", "")
        self.arrivals.append(Arrival(time.time(), key, request.token, process))
        if self.kill_at_last_byte > 0:
            self.kill_at_last_byte -= 1
            self.kill(process, "after the request's last byte")
        return super().strike(request)

    def kill(self, process: int, point: str) -> None:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.killed[point] += 1


def _publishes(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/statuses")


class Platform:
    """A fake Mastodon that may store late, long after its client has given up."""

    def __init__(self, fake: Mastodon, weather: Weather, late: float, seed: int) -> None:
        self.fake, self.weather, self.late = fake, weather, late
        self._dice = random.Random(seed)

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        if not _publishes(request):
            return self.fake(request)
        if self._dice.random() < self.late:
            return self._slowly(request)
        response = self.fake(request)
        if self.weather.kill_after_storing > 0:
            self.weather.kill_after_storing -= 1
            self.weather.kill(int(request.headers.get("x-process", 0)), "after it was stored")
        return response

    async def _slowly(self, request: Request) -> Response:
        await asyncio.sleep(1.3)  # beyond the client's patience, before the first look-up
        return self.fake(request)


@contextmanager
def platform(
    n: int, manners: Manners | None = None, late: float = 0.0, seed: int = 0
) -> Iterator[tuple[Mastodon, Weather, Server]]:
    fake, weather = Mastodon(n, manners), Weather()
    server = Server(Platform(fake, weather, late, seed))
    server.faults = weather
    with server:
        fake.url = server.url
        yield fake, weather, server


# ---------------------------------------------------------------- the office


@contextmanager
def office_at(url: str, home: Path, more: str = DELIVER) -> Iterator[Office]:
    """An office on a fresh store, its people, its config.toml in `home`."""
    file = home / "config.toml"
    file.write_text(f'{builders.CONFIG}{more}\n[database]\nurl = "{url}"\n', "utf-8")
    with closing(Database(url)) as database:
        upgrade(database)
        with database.write() as conn:
            builders.unit(conn, "county")
            builders.person(conn, "zhou", "周文", Role.EDITOR)
            builders.person(conn, "lin", "林岚", Role.SIGNER)
        yield Office(load(file), database)


@contextmanager
def store(kind: str, home: Path) -> Iterator[str]:
    """The address of an empty store. Raises postgres.Unavailable."""
    if kind == "sqlite":
        yield f"sqlite:///{home / 'gongkai.db'}"
        return
    with postgres.database() as url:
        yield url


def connect(office: Office, n: int, url: str, **able: Any) -> list[int]:
    """`n` accounts on the fake at `url`: a call may last a second, so a lease lasts three."""
    mild = {"timeout_seconds": 1, "listing_lag_seconds": 1, "replies": RepliesBy.NONE}
    capabilities = replace(Adapter.capabilities, **{**mild, "mentions": False, **able})
    with office.db.write() as conn:
        return loads.add_accounts(
            office, conn, n, "mastodon", capabilities, {"url": url}, lambda i: f"token-{i + 1}"
        )


def add(office: Office, to: Sequence[int], go_at: Sequence[datetime], **more: Any) -> list[int]:
    """Signed posts, one a time, their numbers known to PostgreSQL's own counters."""
    with office.db.write() as conn:
        made = loads.add_posts(conn, office.db.now(conn), to, go_at, **more)
        if not office.db.sqlite:
            for table in (posts, revisions, renditions):
                top = select(func.max(table.c.id)).scalar_subquery()
                conn.execute(select(func.setval(f"{table.name}_id_seq", top)))
        return made


# ---------------------------------------------------------------- what is done to it


@dataclass(frozen=True)
class Spec:
    """How hard it blows."""

    posts: int = 240
    accounts: int = 16
    workers: int = 1
    slow: int = 0  # of them, how many stand still beyond their leases
    kills: int = 12
    apart: bool = False  # workers on machines of their own: their death shows by the lease alone
    spread: float = 6.0  # seconds over which the posts fall due
    latest: int = 0  # the listing shows only so many
    lag: float = 0.3  # seconds until it shows one
    late: float = 0.02  # how often the platform stores after its client has given up
    past: bool = False  # some waits end before they begin: fifteen seconds each
    disturb: bool = True  # edits, forgeries, another identity, the stop switch
    seed: int = 1
    limit: float = 180.0  # seconds; a guard, not a measure


@dataclass
class Tally:
    """What came of it. `faults` empty: every promise held."""

    name: str
    signed: int = 0
    stand: int = 0
    doubled: int = 0
    lost: int = 0
    unsigned: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    attempts: int = 0
    by_hand: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.name}: {self.signed} signed, {self.stand} stand, {self.doubled} doubled, "
            f"{self.lost} lost, {self.unsigned} unsigned; {self.calls} calls under "
            f"{self.attempts} attempts, {self.seconds:.0f} s"
        )
        for point, n in sorted(self.kills.items()):
            yield f"    killed {point}: {n}"
        for act, n in sorted(self.by_hand.items()):
            yield f"    a person: {act}: {n}"
        for fault in self.faults[:20]:
            yield f"    FAULT {fault}"


class Storm:
    """One storm over one store."""

    def __init__(
        self, office: Office, spec: Spec, fake: Mastodon, weather: Weather, name: str
    ) -> None:
        self.office, self.spec, self.fake, self.weather = office, spec, fake, weather
        self.dice = random.Random(spec.seed)
        self.tally = Tally(name, kills=weather.killed)
        self.nursery = Nursery()
        self.forged: set[int] = set()  # posts of which nothing may ever stand
        self.texts: dict[int, str] = {}  # post → the words signed last
        self.edited: dict[int, datetime] = {}  # post → from when on its first words may not begin
        self.stopped: list[
            tuple[datetime, datetime]
        ] = []  # when the switch was pressed, and lifted
        self._started = 0

    # ------------------------------------------------------------ the run

    def run(self, to: Sequence[int]) -> Tally:
        """Blow until all is over, then hold ledger and platform against each other."""
        began = time.monotonic()
        self._prepare(to)
        try:
            self._blow(began)
            self.nursery.end()
        finally:
            self.nursery.close()
        self.tally.seconds = time.monotonic() - began
        Reckoning(self).make()
        return self.tally

    def _prepare(self, to: Sequence[int]) -> None:
        now = self.office.db.now()
        at = [
            now + timedelta(seconds=self.dice.random() * self.spec.spread)
            for _ in range(self.spec.posts)
        ]
        made = add(self.office, to, sorted(at))
        self.texts = {n: f"第 {n} 号公告：今日供水正常。" for n in made}
        if self.spec.disturb:
            self.forged = forge(self.office, made[:: max(1, len(made) // 12)][:10])

    def _blow(self, began: float) -> None:
        scenes = self._scenes() if self.spec.disturb else []
        while time.monotonic() - began < self.spec.limit:
            self._keep_alive()
            self._kill_one()
            if scenes and self._went() > scenes[0][0]:
                scenes.pop(0)[1]()
            time.sleep(0.05 + 0.1 * self.dice.random())
            if not self._settle_by_hand() and not scenes and not self._open():
                return
        self.tally.faults.append(f"not over after {self.spec.limit:.0f} s: {dict(self._states())}")

    def _went(self) -> float:
        """The share of the signed posts that the platform has by now."""
        return len(self.fake.log) / len(self.texts)

    def _keep_alive(self) -> None:
        while len(self.nursery.living()) < self.spec.workers:
            self._started += 1
            dies = self._kills_left() > 0 and self.dice.random() < 0.6
            point = self.dice.choice(list(POINTS)) if dies else ""
            n = self._started
            self.nursery.start(
                Order(
                    str(self.office.config.path),
                    die=point,
                    after=self.dice.randint(1, 4),
                    slow=4.0 if self.spec.slow and n % self.spec.workers < self.spec.slow else 0.0,
                    host=f"machine-{n}" if self.spec.apart else "",
                )
            )
            if point:
                self.weather.killed[point] += 1

    def _kills_left(self) -> int:
        return self.spec.kills - sum(self.weather.killed.values())

    def _kill_one(self) -> None:
        """Now and then, in one of three ways; at once where fewer died than the posts that went."""
        behind = self.spec.kills - self._kills_left() < self.spec.kills * self._went()
        if self._kills_left() <= 0 or (not behind and self.dice.random() > 0.15):
            return
        way = 2 if behind else self.dice.randrange(3)
        if way == 0:
            self.weather.kill_at_last_byte += 1
        elif way == 1:
            self.weather.kill_after_storing += 1
        elif living := self.nursery.living():
            self.weather.kill(self.dice.choice(sorted(living)), "at random")

    def _states(self) -> Counter[str]:
        with self.office.db.read() as conn:
            rows = conn.execute(
                select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            )
            return Counter(dict(rows.all()))

    def _open(self) -> bool:
        """Is there a delivery that is not over, but for those that may never go?"""
        over = (S.SENT, S.CANCELLED)
        alive = select(deliveries.c.post_id).where(deliveries.c.state.not_in(over))
        with self.office.db.read() as conn:
            return bool(set(conn.execute(alive).scalars()) - self.forged)

    # ------------------------------------------------------------ the person

    def _settle_by_hand(self) -> int:
        """Do what a person would with what waits for one, looking at the platform's own page."""
        with self.office.db.read() as conn:
            query = select(deliveries).where(
                queue.needs_person(), deliveries.c.post_id.not_in(self.forged)
            )
            waiting = conn.execute(query).mappings().all()
        return sum(self._decide(row) for row in waiting)

    def _decide(self, row: RowMapping) -> bool:
        office, one, link = self.office, row["id"], self._link(row)
        try:
            with office.db.write() as conn:
                now, lin = office.db.now(conn), builders.actor(conn, "lin")
                if row["state"] != S.UNCERTAIN:
                    queue.retry(office, conn, now, lin, one)
                    said = f"let it go on ({row['state']})"
                elif link:
                    queue.confirm_sent(conn, now, lin, one, link)
                    said = "saw that it stands"
                else:
                    queue.confirm_absent(office, conn, now, lin, one)
                    said = "saw that it is not there"
        except Conflict:
            return False
        self.tally.by_hand[said] += 1
        return True

    def _link(self, row: RowMapping) -> str:
        """Where it stands on the platform, if it does and no other delivery holds it."""
        taken = self._taken()
        for status in self.fake.posts():
            if status["key"] == row["key"] and status["id"] not in taken:
                return f"{self.fake.url}/@x/{status['id']}"
        return ""

    def _taken(self) -> set[str]:
        with self.office.db.read() as conn:
            return {r for r in conn.execute(select(deliveries.c.remote_id)).scalars() if r}

    # ------------------------------------------------------------ what people do in between

    def _scenes(self) -> list[tuple[float, Callable[[], object]]]:
        return [(0.2, self._edit), (0.5, self._stop_a_while)]

    def _unsent(self, n: int) -> list[int]:
        query = select(deliveries.c.post_id).where(
            deliveries.c.state == S.READY,
            deliveries.c.post_id.not_in(self.forged),
        )
        with self.office.db.read() as conn:
            return list(
                conn.execute(query.order_by(deliveries.c.post_id.desc()).limit(n)).scalars()
            )

    def _edit(self) -> None:
        """Between sign-off and sending: new words; of every second one they are signed too."""
        for n, post in enumerate(self._unsent(8)):
            text = f"第 {post} 号公告：改为明日停水。"
            with self.office.db.write() as conn:
                row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
                keys, zhou = compose.account_keys(conn, row), builders.actor(conn, "zhou")
                now = self.office.db.now(conn)
                compose.revise(self.office, conn, now, zhou, post, row["version"], Body(text), keys)
            self.edited[post] = self._now()
            if n % 2:
                self.texts[post] = text
                builders.sign(self.office, post)
            else:
                self.forged.add(post)

    def _stop_a_while(self) -> None:
        with self.office.db.write() as conn:
            lin = builders.actor(conn, "lin")
            pressed = holds.hold(conn, self.office.db.now(conn), lin, HoldScope.ALL, None, "演练")
        since = self._now()
        time.sleep(1.5)
        with self.office.db.write() as conn:
            lifted = self.office.db.now(conn)
            holds.resume(conn, lifted, builders.actor(conn, "lin"), pressed)
        self.stopped.append((since, lifted))

    def _now(self) -> datetime:
        with self.office.db.read() as conn:
            return self.office.db.now(conn)


def forge(office: Office, made: Sequence[int]) -> set[int]:
    """What only the store's owner could do: words altered after signing, drafts made ready."""
    altered, unsigned = set(made[::2]), set(made[1::2])
    with office.db.write() as conn:
        for post in altered:
            forged = Outgoing(f"第 {post} 号公告：伪造的内容。").json()
            mine = renditions.c.revision_id == post
            conn.execute(
                update(renditions).where(mine).values(payload=forged, digest=digest_of(forged))
            )
        for post in unsigned:
            conn.execute(delete(approvals).where(approvals.c.post_id == post))
            if post % 2:
                draft = {"state": PostState.DRAFT}
                conn.execute(update(posts).where(posts.c.id == post).values(**draft))
    return altered | unsigned


# ---------------------------------------------------------------- the reckoning


class Reckoning:
    """Ledger against platform, line by line."""

    def __init__(self, storm: Storm) -> None:
        self.storm, self.tally = storm, storm.tally
        with storm.office.db.read() as conn:
            self.rows = list(conn.execute(select(deliveries)).mappings())
            self.attempts = list(conn.execute(select(attempts)).mappings())
            owners = conn.execute(select(accounts.c.id, accounts.c.key)).all()
        self.office_of = {i: f"office{int(key[1:]) + 1}" for i, key in owners}
        self.stand = [s.row() for s in storm.fake.log if not s.gone]

    def make(self) -> None:
        t = self.tally
        t.signed = len(self.storm.texts) - len(self.storm.forged)
        t.stand, t.calls, t.attempts = (
            len(self.stand),
            len(self.storm.weather.arrivals),
            len(self.attempts),
        )
        self._signed_once()
        self._nothing_unsigned()
        self._line_by_line()
        self._an_attempt_before_each_call()
        self._nothing_began_while_stopped()
        self._the_trail_holds()
        self._no_account_broke()
        self._no_worker_stumbled()

    def _fault(self, words: str) -> None:
        self.tally.faults.append(words)

    def _signed_once(self) -> None:
        count = Counter((s["account"], s["text"]) for s in self.stand)
        for row in self.rows:
            if row["post_id"] in self.storm.forged:
                continue
            n = count[self.office_of[row["account_id"]], self.storm.texts[row["post_id"]]]
            self.tally.lost += n == 0
            self.tally.doubled += n > 1
            if n != 1:
                self._fault(
                    f"post {row['post_id']} stands {n} times; the ledger says {row['state']}"
                )

    def _nothing_unsigned(self) -> None:
        signed = {text for post, text in self.storm.texts.items() if post not in self.storm.forged}
        for status in self.stand:
            if status["text"] in signed or self._may_have_gone_before_its_edit(status):
                continue
            self.tally.unsigned += 1
            self._fault(f"unsigned on the platform: {status['text']}")

    def _may_have_gone_before_its_edit(self, status: Mapping[str, Any]) -> bool:
        """Begun before the edit was committed it was still signed then."""
        row = next((r for r in self.rows if r["key"] == status["key"]), None)
        if row is None or row["post_id"] not in self.storm.edited:
            return False
        first = min(a["begun_at"] for a in self.attempts if a["delivery_id"] == row["id"])
        return bool(first <= self.storm.edited[row["post_id"]])

    def _line_by_line(self) -> None:
        sent = {
            (self.office_of[r["account_id"]], r["remote_id"]): r
            for r in self.rows
            if r["state"] == S.SENT and r["act"] == Act.PUBLISH
        }
        listed = {(s["account"], s["id"]): s for s in self.stand}
        for place in sent.keys() - listed.keys():
            self._fault(f"the ledger holds a receipt the platform does not know: {place}")
        for place in listed.keys() - sent.keys():
            self._fault(
                f"the platform shows what the ledger does not: {place} {listed[place]['text']}"
            )
        for place in sent.keys() & listed.keys():
            if sent[place]["key"] != listed[place]["key"]:
                self._fault(f"receipt {place} is another delivery's")
        for row in self.rows:
            if row["state"] not in (S.SENT, S.READY, S.CANCELLED):
                self._fault(f"delivery {row['id']} ended {row['state']}: {row['reason']}")

    def _an_attempt_before_each_call(self) -> None:
        ids = {row["key"]: row["id"] for row in self.rows}
        begun: dict[int, list[float]] = {}
        for one in self.attempts:
            begun.setdefault(one["delivery_id"], []).append(one["begun_at"].timestamp())
        for key, calls in _by_key(self.storm.weather.arrivals).items():
            before = sorted(begun.get(ids.get(key, 0), []))
            if len(calls) > len(before) or any(b > c for b, c in zip(before, calls, strict=False)):
                self._fault(
                    f"{len(calls)} calls but {len(before)} attempts of delivery {ids.get(key)}"
                )
        if unended := [a["id"] for a in self.attempts if a["ended_at"] is None]:
            self._fault(f"attempts left open: {unended}")

    def _nothing_began_while_stopped(self) -> None:
        for pressed, lifted in self.storm.stopped:
            late = [a["id"] for a in self.attempts if pressed < a["begun_at"] < lifted]
            if late:
                self._fault(f"began under the stop switch: {late}")

    def _the_trail_holds(self) -> None:
        with self.storm.office.db.write() as conn:
            while audit.seal(conn):
                pass
        with self.storm.office.db.read() as conn:
            for fault in audit.verify(conn).faults:
                self._fault(f"trail: {fault}")

    def _no_account_broke(self) -> None:
        with self.storm.office.db.read() as conn:
            query = select(accounts.c.key, accounts.c.state, accounts.c.broken)
            for key, state, broken in conn.execute(query).all():
                if state != AccountState.ACTIVE:
                    self._fault(f"account {key} is {state}: {broken}")

    def _no_worker_stumbled(self) -> None:
        """Faults of ours, as they stand at the end of each trace in the workers' log."""
        log = self.storm.office.config.path.with_name("workers.log").read_text()
        last = [trace.strip().splitlines() for trace in log.split("Traceback (most recent")[1:]]
        errors = Counter(_error(lines) for lines in last)
        for error, n in errors.items():
            self._fault(f"{n} times in a worker: {error}")


def _error(trace: Sequence[str]) -> str:
    """The line of a trace that names its error: the first that is not indented after it began."""
    return next((line for line in trace[1:] if not line.startswith(" ")), "?")[:200]


def _by_key(arrivals: Sequence[Arrival]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in arrivals:
        found.setdefault(one.key, []).append(one.at)
    return found


# ---------------------------------------------------------------- running it


def storm(kind: str, spec: Spec, name: str, home: Path) -> Tally:
    """One storm over a fresh store. Raises postgres.Unavailable."""
    manners = Manners(lag=spec.lag, latest=spec.latest)
    with (
        store(kind, home) as url,
        office_at(url, home) as office,
        platform(spec.accounts, manners, spec.late, spec.seed) as (fake, weather, server),
    ):
        weather.random(RATES | (PAST if spec.past else {}), spec.seed, path="/statuses$")
        to = connect(office, spec.accounts, server.url, listing_depth=spec.latest)
        return Storm(office, spec, fake, weather, name).run(to)


SHORT = {
    "sqlite, 1 worker": ("sqlite", Spec(120, 10, kills=8, spread=4, seed=1)),
    "postgres, 2 workers, 1 slow": (
        "postgres",
        Spec(100, 10, 2, 1, kills=4, apart=True, spread=4, seed=2),
    ),
    "sqlite, shallow listing": ("sqlite", Spec(40, 5, kills=3, latest=5, spread=3, seed=3)),
}
LONG = {
    "sqlite, 1 worker": (
        "sqlite",
        Spec(4000, 80, kills=150, spread=150, past=True, seed=11, limit=900),
    ),
    "postgres, 2 workers, 1 slow": (
        "postgres",
        Spec(3000, 60, 2, 1, kills=120, apart=True, spread=150, past=True, seed=12, limit=900),
    ),
    "postgres, 4 workers, 1 slow": (
        "postgres",
        Spec(3000, 60, 4, 1, kills=120, spread=150, past=True, seed=13, limit=900),
    ),
    "sqlite, shallow listing": (
        "sqlite",
        Spec(400, 20, kills=30, latest=5, spread=60, past=True, seed=14, limit=600),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="thousands of posts, hundreds of kills")
    parser.add_argument("--only", default="", help="only storms whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    failed = 0
    for name, (kind, spec) in (LONG if given.long else SHORT).items():
        if given.only not in name:
            continue
        if given.seed:
            spec = replace(spec, seed=given.seed)
        with tempfile.TemporaryDirectory(prefix="gongkai-storm-") as home:
            try:
                tally = storm(kind, spec, name, Path(home))
            except postgres.Unavailable as why:
                print(f"{name}: not run, {why}")
                continue
            print("\n".join(tally.lines()), flush=True)
            failed += bool(tally.faults)
            if tally.faults:
                print((Path(home) / "workers.log").read_text()[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
