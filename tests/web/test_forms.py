"""No form loses what was typed: with something wrong in it, it comes back as it was, and says why.

Every form of the console that takes words is found on its page, filled with what cannot be right, and
sent; what was typed must stand in the answer again. Secrets alone are never sent back.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from bot.office import Office
from bot.web.app import build
from bot.workdays import FixedClock
from tests.test_rights import MORE, UNITS, World, world  # noqa: F401
from tests.web import scene, serving, showcase
from tests.web.scene import Page, Reader
from tests.web.test_numbers import LEAVES, _links, _shape
from tests.web.test_routes import ROUTES, _furnished

WRONG = {"url": "不是网址", "datetime-local": "2026-13-45T99:99", "date": "2026-13-45"}
NOT_TYPED = ("hidden", "checkbox", "radio", "file", "submit")
ENDS = ("/logout", "/login", "/language")  # leave the session, or have no form of this kind


@dataclass
class Form:
    """One way to send a form: by one of its buttons."""

    action: str
    sent: dict[str, Any]
    typed: dict[str, str]
    key: tuple[Any, ...]


def _forms(page: Page) -> Iterator[Form]:
    for form in page.all("//form[@method='post']"):
        far = page.all(f"//*[@form='{form.get('id')}']") if form.get("id") else []
        fields = [e for e in (*form.xpath(".//*[@name]"), *far) if e.tag != "button"]
        buttons = form.xpath(".//button") or [None]
        radios = [e.get("value") for e in fields if e.get("name") == "act"] or [""]
        for pressed in buttons:
            own = pressed.get("value") if pressed is not None and pressed.get("name") else ""
            for act in [own] if own else radios:
                yield _filled(urljoin(page.place, form.get("action")), fields, act or "")


def _filled(action: str, fields: list[Any], act: str) -> Form:
    sent: dict[str, Any] = {}
    typed: dict[str, str] = {}
    for field in fields:
        name, kind = field.get("name"), field.get("type", "text")
        if field.tag == "select":
            chosen = field.xpath(".//option[@selected]") or field.xpath(".//option")
            sent[name] = chosen[0].get("value", "") if chosen else ""
        elif kind == "hidden" or {"readonly", "hidden"} & set(field.keys()):
            sent[name] = field.get("value") or (field.text or "").removeprefix("\n")
        elif kind in ("checkbox", "radio") and field.get("checked"):
            sent[name] = field.get("value", "on")
        elif kind not in NOT_TYPED:
            sent[name] = WRONG.get(kind, f"〈{name}里写的〉")
            # A reason is of a finding in these very words; others have none.
            if kind != "password" and not name.startswith("because-"):
                typed[name] = sent[name]
    if act:
        sent["act"] = act
    key = (re.sub(r"\d+", "0", urlsplit(action).path), re.sub(r"\d+", "0", act), *sorted(typed))
    return Form(action, sent, typed, key)


def _lost(answer: Page, typed: dict[str, str]) -> list[str]:
    """What stands neither in a field of its name nor in the words of the page."""
    words = answer.words()
    return [
        name
        for name, value in typed.items()
        if value not in words
        and value not in [f.get("value") or f.text for f in answer.all(f"//*[@name='{name}']")]
    ]


def _walk(reader: Reader, pages: list[str]) -> tuple[int, list[str]]:
    """How many forms were refused, and which of these lost what."""
    seen, tried, todo = set[tuple[str, ...]](), set[tuple[Any, ...]](), deque(pages)
    refused, wrong = 0, []
    while todo:
        place = todo.popleft()
        if _shape(place) in seen:
            continue
        seen.add(_shape(place))
        page = reader.get(place)
        if page.status != 200 or "html" not in page.answer.headers["content-type"]:
            continue
        todo += [to for to, _ in _links(page)]
        for form in _forms(page):
            if form.key in tried or not form.typed or form.action in ENDS:
                continue
            tried.add(form.key)
            sent = {**form.sent, "csrf": reader.csrf}
            answer = Page(reader.client.post(form.action, data=sent))
            if answer.status < 400:
                continue  # whatever was typed is right there
            refused += 1
            if lost := _lost(answer, form.typed):
                wrong.append(f"{place}: {form.key[:2]} {answer.status} lost {lost}")
            elif not answer.all("//*[@role='alert']"):
                wrong.append(f"{place}: {form.key[:2]} {answer.status} does not say why")
    return refused, wrong


@pytest.fixture
def office(world: World, clock: FixedClock) -> tuple[Office, dict[str, Any]]:  # noqa: F811
    """One of everything and an ordinary day besides, with the names ROUTES uses."""
    names = _furnished(world.office, world)
    return showcase.furnished(world.office, UNITS, MORE + showcase.MORE), names


def test_no_form_loses_what_was_typed(office: tuple[Office, dict[str, Any]]) -> None:
    made, names = office
    asked = [each.removeprefix("GET ").format_map(names) for each in ROUTES if each[:3] == "GET"]
    pages = [place for place in asked if not LEAVES.search(place)]
    with (
        serving.listening() as taken,
        serving.serving(build(made), taken),
        closing(scene.Reader(serving.address(taken), showcase.READER)) as reader,
    ):
        refused, wrong = _walk(reader, pages)
    assert wrong == [], "\n".join(wrong)
    assert refused > 25
