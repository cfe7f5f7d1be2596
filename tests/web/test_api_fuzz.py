"""/api/v1 under schemathesis: whatever its description lets through, no answer breaks its promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.model import Role
from bot.office import Office
from bot.web.app import build
from tests import builders
from tests.offices import ROOT
from tests.web import scene, serving
from tests.web.test_api import Program, made

SECONDS = 40  # one after another, by turns: examples, edges, chance, sequences


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_schemathesis_finds_nothing(office: Office, tmp_path: Path) -> None:
    scene.accounts(office)
    with office.db.write() as conn:
        one = builders.person(conn, "all", "全能")
        for role in Role:
            builders.grant(conn, one, role, "county")
    scene.signed(office)
    scene.submitted(office)
    scene.item(office)
    scene.reply(office, "几点来水")
    _, token = made(office, "all")
    with serving.listening() as taken, serving.serving(build(office), taken):
        url = serving.address(taken)
        program = Program(url, token)
        described = program.get("/openapi.json").json()
        (tmp_path / "openapi.json").write_text(json.dumps(described))
        program.client.close()
        ran = _run(tmp_path, url, token)
    assert ran.returncode == 0, ran.stdout
    operations = sum(map(len, described["paths"].values()))
    assert f"Tested: {operations}\n" in ran.stdout, ran.stdout


def _run(folder: Path, url: str, token: str) -> subprocess.CompletedProcess[str]:
    words = ["--config-file", str(ROOT / "schemathesis.toml"), "run", "openapi.json", "--url", url]
    words += ["--header", f"Authorization: Bearer {token}", "--generation-deterministic"]
    words += ["--max-examples", "5", "--max-time", str(SECONDS), "--no-color"]
    code = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
