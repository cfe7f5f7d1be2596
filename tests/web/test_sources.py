"""来源: health, one source's page, what a person may do, and a new one tried before it is declared."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot import db
from bot.language import Say
from bot.model import Role
from bot.notices import open_notice
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, url  # noqa: F401
from tests.web.conftest import Enter

RSS = offices.rss([])
SOURCE = """
[sources.notices]
unit = "county"
kind = "feed"
url = "http://127.0.0.1:{port}/feed.xml"
private = true
fill = {{ publisher = "云澜县政府办" }}
"""
TABLE = "标题,发布日期,栏目\n云澜县义诊通知,2026-11-20,通知公告\n".encode()


class _Feed(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/csv; charset=utf-8")
        self.end_headers()
        self.wfile.write(TABLE)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def _served() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Feed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(5)


@pytest.fixture
def port() -> Iterator[int]:
    with _served() as port:
        yield port


@pytest.fixture
def office(office: Office, port: int) -> Office:
    made = offices.declared(office, SOURCE.format(port=port))
    with made.db.write() as conn:
        builders.person(conn, "xu", "许衡", Role.SUPERVISOR)
    return made


@both
def test_a_source_tells_its_health_its_settings_and_what_may_be_done(
    office: Office, enter: Enter
) -> None:
    now = builders.NOW
    with office.db.write() as conn:
        flood = Say("来源 {key} 一次多出 {n} 条，已全部留待人工确认", key="notices", n=40)
        open_notice(conn, now, "flood:1", flood, 1, "/items")
        failing = {"failures": 3, "error": Say("来源连接超时").json(), "baseline_at": now}
        conn.execute(update(db.sources).values(**failing, ok_at=now - timedelta(hours=3)))
    zhou, gu = enter("zhou"), enter("gu")
    row = zhou.get("/sources").words("//tr[@id='source-1']")
    for said in ("连续 3 次读不到：来源连接超时", "上次读成 3 小时前", "一次多出 40 条"):
        assert said in row
    page = zhou.get("/sources/notices")
    assert "publisher = 云澜县政府办" in page.words()
    assert "every15m" in page.words()
    values = "//form[@action='/sources/notices']//button/@value"
    assert (page.all(values), gu.get("/sources/notices").all(values)) == (["poll"], ["pause"])
    gu.post("/sources/notices", act="pause")
    assert zhou.post("/sources/notices", act="poll").status == 409
    assert enter("xu").get("/sources/none").status == 404


def test_an_address_or_a_file_is_tried_and_nothing_is_kept(
    office: Office, enter: Enter, port: int
) -> None:
    gu = enter("gu")
    page = gu.post("/source/try", unit="county", target=f"http://127.0.0.1:{port}/list.csv")
    assert "云澜县义诊通知" in page.words("//tr[@data-row]")
    assert "[sources." in page.words("//pre")
    files = {"file": ("list.csv", TABLE, "text/csv")}
    assert "读到 1 条" in gu.post("/source/try", files, unit="county").words()
    assert not offices.rows(office, db.items)
    assert not list((office.config.place(office.config.data) / "uploads").iterdir())


def test_only_administrators_try_and_only_where_it_is_allowed(
    office: Office, enter: Enter, port: int
) -> None:
    gu = enter("gu")
    with _served() as other:
        page = gu.post("/source/try", unit="county", target=f"http://127.0.0.1:{other}/")
    assert (page.status >= 400, bool(page.all("//*[@role='alert']"))) == (True, True)
    for target in ("/etc/hostname", "file:///etc/hostname", "http://[", "http://a:99999/", ""):
        page = gu.post("/source/try", unit="county", target=target)
        assert 400 <= page.status < 500 or page.status == 502, (target, page.status)
        assert not page.all("//tr[@data-row]")
    for login in ("zhou", "xu"):
        assert enter(login).get("/source/try").status == 403
        body = {"unit": "county", "target": f"http://127.0.0.1:{port}/"}
        assert enter(login).post("/source/try", **body).status == 403
