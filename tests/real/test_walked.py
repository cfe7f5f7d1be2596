"""An account of a real server, connected at the console in a real browser, and a post that stands there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from bot import db
from bot.office import Office
from bot.web.app import build
from tests import offices
from tests.real.servers import Real
from tests.real.test_real import real  # noqa: F401
from tests.web import serving
from tests.web.test_browser import DESK, PHONE, chromium  # noqa: F401
from tests.web.test_walked import Desks, passed, written

# ruff: noqa: F811
pytestmark = [pytest.mark.real, pytest.mark.browser]
ACCOUNT = """
[accounts.m]
unit = "county"
adapter = "mastodon"
name = "云澜发布"
[accounts.m.options]
url = "{url}"
"""


def agreed(page: Any, real: Real, base: str) -> None:
    """On the server's own page; where it cannot send one back, the code is carried by hand."""
    if real.password:
        page.fill("input[name=login]", "office")
        page.fill("input[name=passwd]", real.password)
        page.click("input[type=submit], button[type=submit]")
    else:
        page.click("button[value=office]")
    page.wait_for_url(f"{base}/accounts/m/connect")


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_account_is_connected_and_a_post_stands(
    office: Office, chromium: Any, real: Real, size: tuple[int, int]
) -> None:
    made = offices.declared(office, ACCOUNT.format(url=real.url))
    with ExitStack() as stack:
        taken = stack.enter_context(serving.listening())
        stack.enter_context(serving.serving(build(made), taken))
        people = Desks(chromium, serving.address(taken), made, stack)
        admin, editor, signer = (people.sit(who, size) for who in ("gu", "zhou", "lin"))
        admin.goto("/accounts")
        admin.click("a[href='/accounts/m/connect']")
        admin.click("button[value=begin]")
        admin.click("main a.primary")
        agreed(admin, real, people.base)
        admin.click("button[value=keep]")
        admin.wait_for_url("**?done=connect")
        written(editor, "m")
        passed(signer, "停水公告")
        people.work()
        editor.goto("/queue")
        assert "已发出" in editor.inner_text("[data-row]")
        [sent] = [row["remote_id"] for row in offices.rows(made, db.deliveries)]
        bearer = {"Authorization": f"Bearer {real.citizen}"}
        there = httpx.get(f"{real.url}/api/v1/statuses/{sent}", headers=bearer, trust_env=False)
        assert "望江路明日停水" in there.json()["content"]
