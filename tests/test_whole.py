"""The whole path, as a stranger walks it: commands and a browser's requests, nothing of ours imported.

An office is made, its people named; an entry of a feed becomes a draft, is signed, stands on the
public board; a visitor answers; the answer is in the log and leaves as files.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from tests import offices
from tests.offices import ROOT
from tests.web.serving import listening

GONGKAI = [sys.executable, "-m", "bot"]


class Stranger:
    """Somebody at a shell in an office's folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.passwords: dict[str, str] = {}

    def run(self, *words: object, by: str = "", code: int = 0) -> str:
        """A command; what it printed."""
        acting = ["--as", by] if by else []
        env = os.environ | {"GONGKAI_PASSWORD": self.passwords.get(by, "")}
        done = subprocess.run(
            [*GONGKAI, *map(str, words), *acting],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words: object, by: str = "") -> Any:
        return json.loads(self.run(*words, "--json", by=by))

    def once(self, code: int = 0) -> None:
        self.run("run", "--once", "--port", self.port, code=code)

    def store(self) -> closing[sqlite3.Connection]:
        """The office's store, to look into."""
        return closing(sqlite3.connect(self.folder / "data" / "gongkai.db"))

    @contextmanager
    def web(self, command: str = "web") -> Iterator[httpx.Client]:
        """The board as a visitor's browser sees it, while `gongkai web`, or `run`, serves it."""
        words = [*GONGKAI, command, "--port", str(self.port)]
        server = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL)
        base = f"http://127.0.0.1:{self.port}"
        try:
            with httpx.Client(base_url=base, follow_redirects=True, trust_env=False) as client:
                _until_it_answers(client)
                yield client
        finally:
            server.terminate()
            assert server.wait(20) == 0


def _until_it_answers(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/health/live")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("nothing answers")


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    with listening() as taken:
        port = taken.getsockname()[1]
    folder = tmp_path / "office"
    folder.mkdir()
    one = Stranger(folder, port)
    one.run("init")
    config = folder / "config.toml"
    text = config.read_text("utf-8")
    for before, after in (
        ("enabled = true ", "enabled = false "),
        ("port = 8000", f"port = {port}"),
        ('  { name = "初审", right = "review" },\n', ""),
        ('url = "data/demo/catalogue.xml"', 'url = "feed.xml"'),
    ):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    config.write_text(text + '\n[collect]\nfresh = "1s"\n', "utf-8")
    now = datetime.now(UTC)
    entries = [
        offices.Notice("关于望江路停水的公告", now - timedelta(hours=1), column="通知公告"),
        offices.Notice("关于滨江路停电的公告", now - timedelta(hours=2), column="通知公告"),
    ]
    (folder / "feed.xml").write_text(offices.rss(entries), "utf-8")
    return one


def test_an_entry_becomes_a_signed_post_and_its_reply_comes_back(stranger: Stranger) -> None:
    s = stranger
    for login, role in (("zhou", "editor"), ("lin", "signer")):
        made = s.json("user", "add", login, "--name", login, "--unit", "county", "--role", role)
        s.passwords[login] = made["password"] + "-own"
        (s.folder / "own").write_text(s.passwords[login], "utf-8")
        s.run("user", "password", login, "--password-file", "own")
    checked = s.json("check")
    assert (checked["faults"], len(checked["schedules"][0]["next"])) == ([], 5)

    s.once()
    drafts = {row["id"]: row["title"] for row in s.json("post", "list", "--state", "in_review")}
    assert set(drafts.values()) == {"关于望江路停水的公告", "关于滨江路停电的公告"}
    goes, stopped = drafts
    for post in drafts:
        assert s.run("sign", "pass", post, by="lin") == "已签发\n"
    s.run("hold", "post", stopped, "--reason", "核实", by="lin")

    s.once()
    queue = {row["post_id"]: row for row in s.json("queue")}
    assert {post: row["state"] for post, row in queue.items()} == {goes: "sent", stopped: "ready"}
    assert "已停发" in queue[stopped]["why"]
    assert s.json("resume", 1, by="lin") == {"waiting": 1}

    with s.web() as visitor:
        front = visitor.get("/board").text
        assert drafts[goes] in front
        assert drafts[stopped] not in front
        page = httpx.URL(queue[goes]["url"]).path
        answer = visitor.post(f"{page}/replies", data={"text": "=几点来水？", "name": "路人"})
        assert answer.status_code == 200
        assert "几点来水？" in visitor.get(page).text
        time.sleep(1.1)
        s.once(code=1)  # what fell due under the hold waits for a person
    (waiting,) = s.json("queue", "--state", "person")
    assert waiting["post_id"] == stopped

    (reply,) = s.json("replies", "--post", goes)
    assert "=几点来水？" in reply.values()
    _exported(s, goes)
    assert s.json("audit", "verify")["faults"] == []


def test_a_visitors_reply_reaches_the_log_within_fifteen_seconds(tmp_path: Path) -> None:
    """README, step 3, in the demo's own office with its worker running."""
    with listening() as taken:
        port = taken.getsockname()[1]
    s = Stranger(tmp_path / "office", port)
    s.folder.mkdir()
    s.run("init")
    config = s.folder / "config.toml"
    config.write_text(config.read_text("utf-8").replace("port = 8000", f"port = {port}"), "utf-8")
    with s.web("run") as visitor:
        page = httpx.URL(_until(lambda: _sent(s))[0]["url"]).path
        began = time.monotonic()
        visitor.post(f"{page}/replies", data={"text": "几点来水？"})
        _until(lambda: s.json("replies", "--search", "几点来水"))
        assert time.monotonic() - began < 15


def test_a_program_goes_the_whole_way_by_the_document_alone(stranger: Stranger) -> None:
    """docs/api.md, its script, as it stands there; run again, it does nothing twice."""
    s = stranger
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.S)
    (s.folder / "outage.py").write_text(script, "utf-8")
    env = {"API": f"http://127.0.0.1:{s.port}/api/v1"}
    for name, login, role, scope in (
        ("WRITER", "zhou", "editor", "write"),
        ("SIGNER", "lin", "signer", "sign"),
    ):
        made = s.json("user", "add", login, "--name", login, "--unit", "county", "--role", role)
        s.passwords[login] = made["password"] + "-own"
        (s.folder / "own").write_text(s.passwords[login], "utf-8")
        s.run("user", "password", login, "--password-file", "own")
        scopes = ("--scope", "read", "--scope", scope)
        env[name] = s.json("token", "create", "--name", "停水", *scopes, by=login)["token"]

    def told() -> str:
        words = [sys.executable, "outage.py"]
        plain = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        done = subprocess.run(
            words, cwd=s.folder, env=plain | env, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with s.web("run") as visitor:
        place = httpx.URL(told().split()[1]).path
        assert "望江路明日 9 时至 12 时停水" in visitor.get(place).text
        visitor.post(f"{place}/replies", data={"text": "几点来水？"})
        file = s.folder / "replies.csv"
        _until(lambda: told() and "几点来水？" in file.read_text("utf-8-sig"))
        assert "望江路停水公告" in visitor.get("/board").text
    titles = [row["title"] for row in s.json("post", "list")]
    assert sum("望江路停水公告" in title for title in titles) == 1


def _sent(s: Stranger) -> Any:
    rows = [row for row in s.json("queue") if row["state"] == "sent" and "/board/p/" in row["url"]]
    with s.store() as conn:
        (polled,) = conn.execute("select count(polled_at) from watches").fetchone()
    return rows if polled else []


def _until(ask: Callable[[], Any]) -> Any:
    for _ in range(120):
        if found := ask():
            return found
        time.sleep(0.5)
    raise AssertionError("it never came")


def _exported(s: Stranger, post: int) -> None:
    """As files a spreadsheet opens without running anything."""
    s.run("replies", "--post", post, "--csv", "out.csv", "--xlsx", "out.xlsx")
    with (s.folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert any("几点来水？" in cell for cell in row.values())
    assert not any(cell.startswith("=") for cell in row.values())
    sheet = load_workbook(s.folder / "out.xlsx").worksheets[0]
    cells = [cell for line in sheet.iter_rows() for cell in line]
    assert any("几点来水？" in str(cell.value) for cell in cells)
    assert not any(cell.data_type == "f" for cell in cells)
