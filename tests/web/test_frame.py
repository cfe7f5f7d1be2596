"""What holds for every page: headers, landmarks, weight, language, and answers to mistakes."""

from __future__ import annotations

import gzip
import re
from contextlib import ExitStack, closing
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import OperationalError

from bot import catalog, db
from bot.config import load
from bot.db import Database
from bot.deliver import holds
from bot.model import HoldScope, Role
from bot.office import Office
from bot.web import render, words
from bot.web.app import build
from bot.web.render import HERE
from bot.web.shield import fault_status
from bot.workdays import FixedClock
from tests import builders, postgres
from tests.web import scene, serving
from tests.web.conftest import Enter

ROLES = ("zhou", "shen", "lin", "he", "xu", "gu")


@pytest.fixture
def full(staffed: Office) -> Office:
    """An office with a row for every page."""
    return filled(staffed)


def filled(staffed: Office) -> Office:
    scene.worker(staffed)
    entry = scene.item(staffed)
    unclear = scene.signed(staffed, title="城区停水", keys=("masto", "board"), item_id=entry)
    scene.unclear(staffed, unclear)
    scene.submitted(staffed, title="医保缴费", text="请拨 13800138000 缴费。", go_at=in_hours(3))
    scene.post(staffed, title="草稿一篇")
    scene.reply(staffed, "望江桥修到几号", post_id=unclear)
    return staffed


def in_hours(hours: float) -> Any:
    return builders.NOW + timedelta(hours=hours)


PAGES = (
    "/",
    "/posts",
    "/posts/1",
    "/posts/1/revisions/1",
    "/posts/new",
    "/posts/3/edit",
    "/items",
    "/review",
    "/review/2",
    "/review/2/sheet",
    "/queue",
    "/queue?open=1",
    "/queue/1",
    "/replies",
    "/replies/board",
    "/accounts",
    "/people",
    "/people/zhou",
    "/me/code",
    "/trail",
    "/stop",
    "/me",
    "/password",
)


@pytest.mark.parametrize("login", ROLES)
def test_every_page_answers_every_role_or_says_who_may(
    full: Office, enter: Enter, login: str
) -> None:
    reader = enter(login)
    for path in PAGES:
        page = reader.get(path)
        assert page.status in (200, 403), (path, page.text[-300:])
        if page.status == 403:
            assert "由" in page.words(), path


@pytest.mark.postgres
def test_every_page_reads_from_postgresql_too(tmp_path: Path, clock: FixedClock) -> None:
    file = tmp_path / "config.toml"
    file.write_text(builders.CONFIG, "utf-8")
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres.database())
        except postgres.Unavailable as why:
            pytest.skip(f"no PostgreSQL: {why}")
        database = stack.enter_context(closing(Database(address, clock)))
        office = Office(load(file), database)
        with database.write() as conn:
            builders.unit(conn, "county")
            for login, role in (("zhou", "editor"), ("lin", "signer"), ("he", "responder")):
                builders.person(conn, login, login, Role(role))
        scene.accounts(office)
        filled(office)
        taken = stack.enter_context(serving.listening())
        stack.enter_context(serving.serving(build(office), taken))
        reader = stack.enter_context(closing(scene.Reader(serving.address(taken), "lin")))
        for path in (*PAGES, "/replies?q=望江", "/replies?thread=1", "/queue?account=1&state=held"):
            assert reader.get(path).status in (200, 403), path
        assert "望江桥" in reader.get("/replies/export.csv").text
        page = reader.post("/stop", scope="account", account="1", reason="核实")
        assert "公开栏" in page.words("//section[starts-with(@id, 'hold-')]")


def test_every_page_is_whole_without_scripts_and_says_where_it_is(
    full: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    for path in (*PAGES[:-2], "/me"):
        page = reader.get(path)
        assert page.all("//html/@lang") == ["zh-CN"], path
        assert len(page.all("//h1")) == 1, path
        assert len(page.all("//main[@id='main']")) == 1, path
        assert page.all("//a[@class='skip']/@href") == ["#main"], path
        assert not page.all("//@style | //style | //*[@onclick or @onload]"), path
        assert not page.all("//script[not(@src)]"), path
        assert not page.all("//a[starts-with(@href, 'javascript:')]"), path
        ids = page.all("//@id")
        assert len(ids) == len(set(ids)), (path, [i for i in ids if ids.count(i) > 1])


def test_every_field_has_a_name_people_and_machines_can_read(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path in PAGES:
        page = reader.get(path)
        if page.status != 200:
            continue
        labelled = set(page.all("//label/@for"))
        for field in page.all("//main//*[self::input or self::select or self::textarea]"):
            unseen = field.get("hidden") is not None or field.get("aria-hidden") == "true"
            if field.get("type") == "hidden" or unseen:
                continue
            named = field.get("aria-label") or field.get("id") in labelled
            assert named or field.xpath("ancestor::label"), (path, field.attrib)
        for button in page.all("//button | //a"):
            said = button.text_content().strip() or button.get("aria-label")
            assert said or button.xpath(".//img[@alt]"), (path, button.attrib)


def test_no_page_shows_its_own_marks_as_words(full: Office, enter: Enter) -> None:
    catalog.check(full)
    reader = enter("zhou")
    for path in (*PAGES, "/quality"):
        page = reader.get(path)
        assert page.status != HTTPStatus.OK or "<time" not in page.words(), path
    assert "截至" in page.words()


def test_every_form_carries_the_sessions_token_and_no_address_does(
    full: Office, enter: Enter
) -> None:
    reader = enter("lin")
    token = reader.csrf
    for path in PAGES:
        page = reader.get(path)
        for form in page.all("//form[@method='post' and @action!='/language']"):
            assert form.xpath(".//input[@name='csrf']/@value") == [token], path
        assert not [place for place in page.all("//@href | //@action") if token in place]
        assert not page.all("//form[not(@method)]//input[@name='csrf']"), path


def test_every_icon_a_page_shows_is_in_the_sprite(full: Office, enter: Enter) -> None:
    sprite = (HERE / "static" / render.ICONS).read_text("utf-8")
    drawn = set(re.findall(r'<symbol id="([a-z0-9-]+)"', sprite))
    reader, used = enter("gu"), set()
    for path in PAGES:
        used |= {u.rpartition("#")[2] for u in reader.get(path).all("//use/@href")}
    for chips in words.CHIPS.values():
        used |= {chip.icon for chip in chips.values()}
    assert used <= drawn
    named = set()
    for file in (HERE / "templates").glob("*.html"):
        named |= set(re.findall(r'icon\("([a-z0-9-]+)"', file.read_text("utf-8")))
    assert named <= drawn


def test_security_headers_stand_on_pages_files_and_errors(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path in ("/", "/login", render.static("console.css"), "/nowhere", "/health/live"):
        headers = reader.get(path).answer.headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert reader.get("/").answer.headers["cache-control"] == "no-store"
    kept = reader.get(render.static("console.css")).answer.headers["cache-control"]
    assert "immutable" in kept


def test_a_page_with_all_it_loads_stays_under_300_kilobytes(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path in ("/", "/queue", "/review/2", "/posts/3/edit"):
        page = reader.get(path)
        loaded = page.all("//link/@href | //script/@src")
        sprite = page.all("//use/@href")[0].partition("#")[0]
        weight = len(gzip.compress(page.answer.content))
        for place in {*loaded, sprite}:
            answer = reader.get(place).answer
            assert answer.status_code == 200, place
            weight += len(gzip.compress(answer.content))
        assert weight < 100_000, (path, weight)


def test_pages_travel_compressed(full: Office, enter: Enter) -> None:
    assert enter("zhou").get("/").answer.headers["content-encoding"] == "gzip"


# ---------------------------------------------------------------- mistakes


def test_an_unforeseen_error_gives_a_number_and_no_traceback(
    full: Office, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    reader = enter("zhou")
    with full.db.write() as conn:
        conn.exec_driver_sql("drop table notices")
    page = reader.get("/")
    assert page.status == 500
    assert "Traceback" not in page.text
    assert "notices" not in page.text
    number = re.search(r"编号 ([0-9a-f]{8})", page.words())
    assert number is not None
    assert f"fault {number[1]} at /" in caplog.text
    assert "content-security-policy" in page.answer.headers


def test_mistakes_in_addresses_are_pages_for_people(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path, status in (
        ("/nowhere", 404),
        ("/posts/999", 404),
        ("/queue/999", 404),
        ("/queue/abc", 404),
        ("/review/abc", 404),
        ("/media/abc", 404),
        ("/replies/export.exe", 404),
    ):
        page = reader.get(path)
        assert (page.status, len(page.all("//h1"))) == (status, 1), path
        assert page.all("//a[@href='/']"), path


def test_strange_filters_and_pages_show_a_list_all_the_same(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    for path in (
        "/queue?state=x&account=abc&post=-1&page=-5&open=x",
        "/queue?page=99999999999",
        "/posts?state=%00&q=%25_%27&page=0",
        "/replies?q=%22)%20OR%20*&state=gone&post=9999999999999999999",
        "/replies?thread=1&page=7",
        "/items?state=zzz&source=none&q='",
        "/review?view=zzz",
        "/replies?post=999999999999999999",
    ):
        assert reader.get(path).status == 200, path


def test_numbers_no_store_holds_and_characters_no_store_keeps_break_nothing(
    full: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    for path in ("/posts", "/queue", "/review", "/posts/1/revisions"):
        assert reader.get(f"{path}/{10**19}").status == 404, path
    assert reader.get("/replies?q=%00a").status == 200
    assert reader.enter("zh\0ou", "\0").status == 403
    form = {"title": "停\0水", "text": "停\0水了", "keys": "board", "act": "save"}
    page = reader.post("/posts/new", **form)
    assert page.all("//textarea[@name='text']")[0].text == "停水了"


def test_a_store_that_cannot_be_reached_or_has_no_room_is_told_apart_from_our_own_mistakes(
    tmp_path: Path,
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/gongkai.db")
    with pytest.raises(OperationalError) as unreached:
        engine.connect()
    full = OSError(28, "No space left on device")
    assert fault_status(unreached.value) == 503
    assert (fault_status(full), fault_status(KeyError())) == (507, 500)


def test_a_body_too_large_is_refused_before_it_is_kept(full: Office, enter: Enter) -> None:
    reader = enter("zhou")
    big = b"x" * (26 * 1024 * 1024)
    files = {"picture": ("a.png", big, "image/png")}
    page = reader.post("/posts/new", files=files, text="字", keys="board", act="save")
    assert (page.status, "25 MB" in page.text) == (413, True)


def test_another_units_rows_are_as_if_they_were_not_there(full: Office, enter: Enter) -> None:
    with full.db.write() as conn:
        unit = builders.unit(conn, "health")
        builders.person(conn, "wei", "卫生", None)
        wei = builders.actor(conn, "wei")
        row = {"person_id": wei.person, "unit_id": unit, "role": "editor"}
        conn.execute(insert(db.grants).values(**row))
    reader = enter("wei")
    for path in ("/posts/1", "/posts/1/edit", "/review/2", "/queue/1", "/posts/1/revisions/1"):
        assert reader.get(path).status == 404, path
    for path in ("/", "/posts", "/queue", "/review?view=all", "/replies", "/items", "/accounts"):
        shown = reader.get(path).words()
        for title in ("城区停水", "医保缴费", "望江桥", "关于放假"):
            assert title not in shown, (path, title)
    assert reader.post("/posts/1", act="close").status == 404
    assert reader.post("/replies/1/answer", text="答").status == 404


# ---------------------------------------------------------------- the bands


def test_a_red_band_says_that_no_worker_runs(full: Office, enter: Enter, clock: FixedClock) -> None:
    reader = enter("zhou")
    assert not reader.get("/queue").all("//div[@class='band']")
    clock.move(31)
    page = reader.get("/queue")
    assert "没有工作进程在运行" in page.words("//div[@class='band']")
    assert "未运行" in page.words("//header[@class='top']")


def test_a_red_band_says_that_everything_is_stopped_and_the_button_counts(
    full: Office, enter: Enter
) -> None:
    with full.db.write() as conn:
        lin = builders.actor(conn, "lin")
        holds.hold(conn, full.db.now(conn), lin, HoldScope.ALL, None, "核实停水信息")
    page = enter("zhou").get("/posts")
    band = page.words("//div[@class='band']")
    assert "全部账号停发中" in band
    assert "林岚" in band
    assert "核实停水信息" in band
    assert "停发中 1" in page.words("//header[@class='top']")


def test_the_pulse_is_silent_until_something_changes(
    full: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    asked = reader.get("/").all("//*[@id='pulse']/@hx-get")[0]
    assert reader.get(asked).status == 204
    clock.move(31)
    assert "未运行" in reader.get(asked).text


def test_the_clock_shows_the_offices_hour_and_whether_it_is_a_working_day(
    full: Office, enter: Enter, clock: FixedClock
) -> None:
    reader = enter("zhou")
    said = reader.get("/me").words("//span[@class='clock']")
    assert said == "11月24日 周二 09:00 北京时间 · 工作日"
    clock.move(4 * 86400)
    reader.enter("zhou")
    assert "周末" in reader.get("/me").words("//span[@class='clock']")


# ---------------------------------------------------------------- health


def test_ready_says_every_reason_why_not(full: Office, enter: Enter, clock: FixedClock) -> None:
    reader = enter()
    assert reader.get("/health/live").answer.json() == {"live": True}
    page = reader.get("/health/ready")
    assert (page.status, page.answer.json()) == (200, {"ready": True, "reasons": []})
    clock.move(31)
    page = reader.get("/health/ready")
    assert (page.status, page.answer.json()["reasons"]) == (
        503,
        ["没有工作进程在运行，到时的稿件不会发出"],
    )
    with full.db.write() as conn:
        conn.exec_driver_sql("drop table notices")
    said = reader.get("/health/ready").answer.json()["reasons"]
    assert said == ["数据库结构不全：缺 notices"]


# ---------------------------------------------------------------- colours


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *(
            (name, f"{name}-tint")
            for name in ("accent", "done", "attention", "stop", "unknown", "rest")
        ),
        *(
            ("ink", "page"),
            ("ink-2", "page"),
            ("ink-3", "page"),
            ("ink-3", "sunk"),
            ("accent", "page"),
        ),
        *(
            ("card", "stop"),
            ("card", "accent"),
            ("gold", "rail"),
            ("stop", "card"),
            ("done", "card"),
        ),
    ],
)
def test_every_text_stands_out_from_its_ground(text: str, ground: str) -> None:
    css = (HERE / "static" / "console.css").read_text("utf-8")
    tokens = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6})", css))
    full = {k: "#" + "".join(c * 2 for c in v[1:]) if len(v) == 4 else v for k, v in tokens.items()}
    light, dark = sorted((luminance(full[text]), luminance(full[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
