"""Every page of the console and of the public board, looked at in a real browser.

The pages come from the application's own routes (the rows of tests/web/test_routes.py say how each is
asked) and from the links on them, so that a new page is looked at without a word here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from bot.web.app import build
from bot.workdays import FixedClock
from tests import builders
from tests.test_rights import MORE, UNITS, World, world  # noqa: F401
from tests.web import scene, serving, showcase
from tests.web.test_browser import CHROMIUM, DESK, PHONE, chromium, context  # noqa: F401
from tests.web.test_routes import ROUTES, _furnished

axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]
FAULTS = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  const grave = found.violations.filter(v => v.impact === 'serious' || v.impact === 'critical');
  return grave.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 200)}`));
}"""
SPILLS = """() => {
  const {scrollWidth, clientWidth} = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const wide = [...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > clientWidth + 1).slice(0, 8);
  return wide.map(e => `spills over: ${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`);
}"""
KNOWN = "meta-refresh: <meta"  # a lobby's screen turns by itself and may be stopped (decision 59)
OWN = "Failed to load resource"  # the browser's own word for a page that answers 4xx
LEAVES = {"/pulse", "/logout"}  # a piece of a page; and what ends the session
SAME = {
    "lang",
    "page",
    "seen",
    "stay",
    "at",
    "to",
    "on",
    "open",
}  # of these no page is another page


@pytest.fixture
def base(world: World, clock: FixedClock) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: F811
    """A console in front of one of everything, and of an ordinary day besides; and ROUTES' names."""
    names = _furnished(world.office, world)
    office = showcase.furnished(world.office, UNITS, MORE + showcase.MORE)
    with serving.listening() as taken, serving.serving(build(office), taken):
        yield serving.address(taken), names


def test_no_page_has_a_grave_fault(chromium: Any, base: tuple[str, Any]) -> None:  # noqa: F811
    """axe-core finds nothing serious, no policy is broken, nothing spills over a phone's screen."""
    pages = _pages(*base)
    faults: list[str] = []
    for language in ("zh", "en"):
        with context(chromium, base[0], DESK) as made:
            page = _entered(made, base[0], language)
            said: list[str] = []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            for path in pages if language == "zh" else [p for p in pages if "?" not in p]:
                refused = page.goto(path).status >= 400  # some pages say what is lacking
                faults += [f"{path}: {one}" for one in _faults(page, language)]
                faults += [f"{path}: {one}" for one in said if not refused or OWN not in one]
                said.clear()
    assert faults == [], "\n".join(faults)


def _entered(made: Any, base: str, language: str) -> Any:
    """A page of somebody who may do everything, in a language."""
    page = made.new_page()
    page.goto("/login")
    page.fill("#login", showcase.READER)
    page.fill("#password", builders.PASSWORD)
    page.click("button.primary")
    page.wait_for_url(f"{base}/")
    made.add_cookies([{"name": "gongkai_language", "value": language, "url": base}])
    return page


def _faults(page: Any, language: str) -> Iterator[str]:
    """On a desk and on a phone; on a phone alone in the second language."""
    if len(page.query_selector_all("h1")) != 1:
        yield "not one h1"
    if not page.title().strip(" ·公开"):
        yield "no title"
    page.evaluate(axe.AXE_SCRIPT)
    for size in (DESK, PHONE) if language == "zh" else (PHONE,):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for asked in (SPILLS, FAULTS):
            found = [f"at {size[0]}: {one}" for one in page.evaluate(asked)]
            lobby = "/board/screen" in page.url
            yield from (one for one in found if not (lobby and KNOWN in one))


# ---------------------------------------------------------------- which pages there are


def _pages(base: str, names: dict[str, Any]) -> list[str]:
    """Every address that answers a reader with a page: those of the routes, and what they link to."""
    asked = [(path + one[0].query).format_map(names) for path, one in _gets()]
    waiting, seen, found = deque([*asked, "/board", "/login"]), set(), []
    with closing(scene.Reader(base, showcase.READER)) as reader:
        while waiting:
            path = waiting.popleft()
            shape = _shape(path)
            if shape in seen or urlsplit(path).path in LEAVES:
                continue
            answer = reader.client.get(path)
            if answer.text.lstrip().startswith("<!doctype html"):
                seen.add(shape)
                found.append(path)
                waiting.extend(_links(answer.text, path))
    return found


def _gets() -> Iterator[tuple[str, Any]]:
    for route, asked in ROUTES.items():
        if route.startswith("GET ") and "{token}" not in route:
            yield route.removeprefix("GET "), asked


def _shape(path: str) -> tuple[str, frozenset[str]]:
    """What kind of page an address is: without its numbers and names."""
    parts = urlsplit(path)
    named = re.sub(r"/(\d+|[0-9a-f]{32,})(?=/|$)", "/#", parts.path)
    named = re.sub(r"^/(people|sources|board/p)/[^/]+$", r"/\1/#", named)
    return named, frozenset(name for name, _ in parse_qsl(parts.query)) - SAME


def _links(text: str, path: str) -> Iterator[str]:
    for href in re.findall(r'<a [^>]*href="([^"#]*)', text):
        address = urljoin(path, href.replace("&amp;", "&"))
        if address.startswith("/") and not address.startswith("//"):
            yield address
