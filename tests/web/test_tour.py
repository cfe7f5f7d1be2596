"""The tour stays true: its addresses, headings and words, without making a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.web.app import build
from tests import tour
from tests.web import scene, serving

MOST = 1.5 * 1024 * 1024


@pytest.fixture
def open_office(migrated: Path, tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with tour.office(tmp_path, migrated) as made:
        named = tour.names(made)
        with serving.listening() as taken, serving.serving(build(made), taken):
            yield serving.address(taken), named


def test_each_step_leads_to_a_page_with_its_heading(open_office: tuple[str, Any]) -> None:
    base, named = open_office
    for step in tour.STEPS:
        with closing(scene.Reader(base, step.who)) as reader:
            page = reader.get(step.path.format_map(named))
            assert page.status == 200, step.path
            assert step.heading in page.words("//h1 | //main//h2"), step.path
            if step.down_to:
                assert page.all(f"//*[contains(@class, '{step.down_to[1:]}')]"), step.down_to


def test_the_text_is_the_steps_and_names_only_pictures_that_are_there() -> None:
    assert (tour.DOCS / "tour.md").read_text("utf-8") == tour.page(), "make tour"
    wanted = {tour.file_of(number, step) for number, step in enumerate(tour.STEPS, 1)}
    there = {file.name: file for file in (tour.DOCS / "tour").iterdir()}
    assert there.keys() == wanted
    assert sum(file.stat().st_size for file in there.values()) < MOST
    for number, step in enumerate(tour.STEPS, 1):
        with Image.open(there[tour.file_of(number, step)]) as picture:
            assert picture.size == step.size


def test_the_readmes_show_one_of_them() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (tour.DOCS.parent / name).read_text("utf-8")
        shown = [line for line in text.splitlines() if line.startswith("![")]
        assert shown, name
        for line in shown:
            assert (tour.DOCS.parent / line.rpartition("(")[2].rstrip(")")).is_file(), line
