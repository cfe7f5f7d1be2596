"""Real servers that a test can start: mastodon_mock (PyPI) and snac 2.75 (from Debian 13's package).

mastodon_mock is a double, but somebody else's. snac is the cheapest real server, and an awkward one:
no DELETE, no idempotency, ids that change with an edit. Its binary runs on Debian 12 as it is; the
package is fetched once, through apt with a source list and state of its own, and nothing is
installed. Everything listens on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot.adapters.base import Client
from bot.adapters.mastodon import Mastodon, MastodonOptions

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gongkai-tests"
SNAC = "2.75"
NOBODY = 65534


class Unavailable(Exception):
    """The server cannot be had here; says why."""


@dataclass(frozen=True)
class Real:
    """A running server with two accounts."""

    name: str
    url: str
    office: str  # tokens
    citizen: str
    deletes: bool = True
    lists_back: bool = True  # the listing has pages, so that an end is known to be one
    patience: float = 5.0  # seconds until a mention arrives
    password: str = ""  # the office's, where its page asks for one


# ---------------------------------------------------------------- mastodon_mock


@contextmanager
def mastodon_mock() -> Iterator[Real]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mock.toml"
        people = "\n".join(
            f'[[seed.accounts]]\nusername = "{name}"\naccess_token = "{name}-token"'
            for name in ("office", "citizen")
        )
        config.write_text(f"[server]\nport = {port}\n{people}\n", "utf-8")
        command = [sys.executable, "-m", "mastodon_mock", "serve", "--config", str(config)]
        command += ["--in-memory", "--host", "127.0.0.1", "--port", str(port)]
        with _running(command, f"http://127.0.0.1:{port}") as url:
            yield Real("mastodon_mock", url, "office-token", "citizen-token")


# ---------------------------------------------------------------- snac


@contextmanager
def snac() -> Iterator[Real]:
    """A fresh one; as root it runs as nobody, as it refuses to run as root."""
    binary, port = snac_binary(), _free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)  # nobody must be let in; it holds nothing
        mine = shutil.copy(binary, folder / "snac")
        as_nobody = [
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
        ]
        run = [*(as_nobody if os.geteuid() == 0 else []), str(mine)]
        data = folder / "data"
        asked = f"127.0.0.1\n{port}\n127.0.0.1:{port}\n\n\n"
        _output([*run, "init", str(data)], asked)
        _plain_http(data / "server.json")
        passwords = {n: _add_user([*run, "adduser", str(data), n]) for n in ("office", "citizen")}
        with _running([*run, "httpd", str(data)], f"http://127.0.0.1:{port}") as url:
            tokens = [_snac_token(url, n, p) for n, p in passwords.items()]
            more = (False, False, 60, passwords["office"])
            yield Real("snac", url, tokens[0], tokens[1], *more)


def snac_binary() -> Path:
    """The binary, fetched once into the user's cache. Raises Unavailable."""
    binary = CACHE / f"snac-{SNAC}"
    if not binary.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            unpacked = _fetch_snac(Path(folder))
            draft = shutil.copy(unpacked, CACHE / f"snac.{os.getpid()}")
            Path(draft).replace(binary)
    return binary


def _fetch_snac(folder: Path) -> Path:
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
        raise Unavailable("no apt here")
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(f"{_debian_source()} trixie main\n", "utf-8")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={folder}/sources.list"]
    for option in (
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={folder}/lists",
        f"Dir::Cache={folder}/cache",
        "APT::Sandbox::User=",
    ):
        apt += ["-o", option]
    for step in (["update"], ["download", "snac2"]):
        _output([*apt, *step], cwd=folder)
    package = next(folder.glob(f"snac2_{SNAC}*.deb"), None)
    if package is None:
        raise Unavailable(f"Debian 13 no longer has snac {SNAC}")
    _output(["dpkg-deb", "-x", str(package), str(folder / "x")])
    return folder / "x/usr/bin/snac"


def _debian_source() -> str:
    """This machine's own Debian mirror, as the start of a one-line source."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(f.read_text("utf-8") for f in files if f.is_file())
    found = re.search(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+/debian)/?(?:\s|$)", text, re.M)
    if not found:
        raise Unavailable("no Debian mirror is configured here")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    return f"deb [signed-by={keyring}] {found[1]}" if keyring.exists() else f"deb {found[1]}"


def _plain_http(settings: Path) -> None:
    values = json.loads(settings.read_text("utf-8"))
    values |= {"protocol": "http", "disable_email_notifications": True}
    draft = settings.with_suffix(".new")
    draft.write_text(json.dumps(values), "utf-8")
    draft.chmod(0o666)
    draft.replace(settings)


def _add_user(command: Sequence[str]) -> str:
    found = re.search(r"password is (\S+)", _output(command))
    assert found
    return found[1]


def _snac_token(url: str, login: str, password: str) -> str:
    """Grants access as a person would: through the adapter's own seam, and the form."""
    with ThreadPoolExecutor(1) as pool:  # a browser's loop may run in a test's own thread
        return pool.submit(lambda: asyncio.run(_granted(url, login, password))).result()


async def _granted(url: str, login: str, password: str) -> str:
    options, client = MastodonOptions(url=url), Client(trust_env=False)
    try:
        begun = await Mastodon.connect_begin(options, client, "state")
        async with httpx.AsyncClient(trust_env=False) as browser:
            form = (await browser.get(begun.url)).text
            hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
            action = re.findall(r'action="([^"]*)"', form)[0]
            given = {**hidden, "login": login, "passwd": password}
            code = (await browser.post(action, data=given)).text
        return await Mastodon.connect_finish(options, client, begun, code)
    finally:
        await client.aclose()


# ---------------------------------------------------------------- processes


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _output(command: Sequence[str], given: str = "", cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, input=given, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise Unavailable(f"{command[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout


@contextmanager
def _running(command: Sequence[str], url: str) -> Iterator[str]:
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_clean_environment()
    ) as process:
        try:
            _wait_for(process, f"{url}/api/v1/instance")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Unavailable(f"it ended at once with {process.returncode}")
        try:
            if httpx.get(url, trust_env=False, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise Unavailable("it did not answer within 30 s")


def _clean_environment() -> dict[str, str]:
    """Without what would let a server reach out, or listen elsewhere."""
    dropped = ("host", "port", "http_proxy", "https_proxy", "all_proxy")
    return {k: v for k, v in os.environ.items() if k.lower() not in dropped}
