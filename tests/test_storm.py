"""The storm, short: see tests.storm for what is done and what must hold in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres, storm

pytestmark = [pytest.mark.storm, pytest.mark.xdist_group("storm")]


@pytest.mark.parametrize("name", storm.SHORT)
def test_every_signed_post_stands_once_and_nothing_else(name: str, tmp_path: Path) -> None:
    kind, spec = storm.SHORT[name]
    try:
        tally = storm.storm(kind, spec, name, tmp_path)
    except postgres.Unavailable as why:
        pytest.skip(f"no PostgreSQL: {why}")
    assert tally.faults == [], "\n".join(tally.lines())
    assert (tally.doubled, tally.lost, tally.unsigned) == (0, 0, 0)
    assert sum(tally.kills.values()) >= spec.kills
