"""gongkai: a door. What it shows, what it refuses, and how it ends (0, 1 or 2)."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sqlalchemy import insert, update

from bot import audit, people, search, second
from bot.cli import main
from bot.compose import Body, cards
from bot.db import deliveries, insert_id, renditions, replies, revisions, sessions
from bot.deliver import plan
from bot.language import use
from bot.model import DeliveryState
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.fakes import mastodon
from tests.fakes.server import Server
from tests.offices import both, pytest_generate_tests, url  # noqa: F401

S = DeliveryState
Run = Callable[..., Result]
AS = ("--as", "zhou")


@pytest.fixture
def desk(office: Office) -> Office:
    return offices.declared(office, offices.HAND.format(key="hand"))


@pytest.fixture
def run(desk: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A command on the office, with the people's password in the environment."""
    monkeypatch.setenv("GONGKAI_PASSWORD", builders.PASSWORD)
    path = str(desk.config.path)

    def _run(*words: object, code: int = 0, given: str | None = None) -> Result:
        found = CliRunner().invoke(main, ["--config", path, *map(str, words)], input=given)
        assert found.exit_code == code, found.output
        return found

    yield _run
    use("zh")


def said(result: Result) -> Any:
    return json.loads(result.stdout)


# ---------------------------------------------------------------- how it ends


def test_help_and_version_need_no_office(tmp_path: Path) -> None:
    for words in (["--help"], ["queue", "--help"], ["--version"]):
        assert CliRunner().invoke(main, words).exit_code == 0


@pytest.mark.parametrize(
    "name",
    [
        "init",
        "check",
        "run",
        "worker",
        "web",
        "read",
        "source",
        "item",
        "post",
        "template",
        "words",
        "rules",
        "leaders",
        "settings",
        "sign",
        "queue",
        "hold",
        "solemn",
        "let",
        "resume",
        "duty",
        "schedule",
        "notices",
        "replies",
        "erase",
        "account",
        "user",
        "audit",
        "backup",
        "restore",
    ],
)
def test_every_command_explains_itself(name: str) -> None:
    found = CliRunner().invoke(main, [name, "--help"])
    assert found.exit_code == 0
    assert len(found.output.splitlines()) > 3


def test_an_error_is_one_sentence_and_exit_2(run: Run) -> None:
    found = run("post", "show", 99, code=2)
    assert found.stdout == ""
    assert found.stderr == "没有编号 99 的稿件\n"
    assert "没有选项 '--nonsense'" in run("post", "list", "--nonsense", code=2).stderr


def test_a_fault_of_ours_is_told_without_a_traceback(run: Run, desk: Office) -> None:
    with desk.db.write() as conn:
        conn.exec_driver_sql("drop table holds")
    found = run("resume", code=2)
    assert found.stderr.startswith("内部错误 OperationalError")
    assert "Traceback" not in found.output


def test_a_full_disk_is_said_in_words(run: Run, desk: Office) -> None:
    with desk.db.write() as conn:
        full = "begin select raise(fail, 'database or disk is full'); end"
        conn.exec_driver_sql(f"create trigger full before insert on holds {full}")
    found = run("hold", "all", "--reason", "演练", code=2)
    assert found.stderr == "磁盘已满，这一步没有办成；腾出空间后再办\n"


def test_without_an_office_it_says_how_to_make_one(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["--config", str(tmp_path / "config.toml"), "queue"])
    assert found.exit_code == 2
    assert "gongkai init" in found.stderr


def test_an_error_that_repeats_a_file_commands_no_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "news.xml").write_bytes(b"news \x1b[2J\x07 no feed")
    refused = run("read", tmp_path / "news.xml", code=2)
    assert refused.stdout == ""
    assert "不是订阅源" in refused.stderr
    assert not {"\x1b", "\x07"} & set(refused.stderr)


def test_only_web_addresses_are_read(run: Run) -> None:
    assert "只读取 http 和 https" in run("read", "ftp://x.example/news.xml", code=2).stderr


def test_it_speaks_english_when_asked(run: Run) -> None:
    assert "没有编号" not in run("--lang", "en", "post", "show", 99, code=2).stderr


# ---------------------------------------------------------------- who acts


def test_who_acts_gives_his_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    new = ("post", "new", "--unit", "county", "--account", "hand", "--text", "停水。")
    file = tmp_path / "password"
    file.write_text("wrong-password\n", "utf-8")
    assert "密码不对" in run(*new, *AS, "--password-file", file, code=2).stderr
    assert run(*new, *AS).stdout == "#1\n"
    monkeypatch.delenv("GONGKAI_PASSWORD")
    assert run(*new, *AS, given=builders.PASSWORD + "\n").stdout.endswith("#2\n")
    file.write_text(builders.PASSWORD + "\n", "utf-8")
    assert run(*new, *AS, "--password-file", file).stdout == "#3\n"
    assert "没有“拟稿”的权限" in run(*new, code=2).stderr


def test_who_is_barred_does_not_act(run: Run) -> None:
    run("user", "disable", "zhou", "--as", "gu")
    assert "密码不对" in run("post", "submit", 1, *AS, code=2).stderr


def test_a_password_is_never_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("user", "list", "--json")
    assert builders.PASSWORD not in found.output
    assert "argon2" not in found.output


# ---------------------------------------------------------------- from draft to delivery


def drafted(run: Run, *more: str) -> int:
    words = ("post", "new", "--unit", "county", "--account", "hand", "--text", "停水通知。")
    return int(said(run(*words, "--title", "停水", *more, "--json", *AS))["post"])


def signed(run: Run, *more: str) -> int:
    post = drafted(run, *more)
    run("post", "submit", post, *AS)
    assert run("sign", "pass", post, "--as", "lin").stdout == "已签发\n"
    return post


def test_a_text_is_screened_before_it_is_a_post(run: Run, tmp_path: Path) -> None:
    assert run("screen", given="今日供水正常。").stdout == "没有发现疑点\n"
    found = said(run("screen", "-", "--json", given="机密★10年，今日供水正常。", code=1))
    assert (found["block"], found["findings"][0]["rule"]) == (1, "secrecy-mark")
    text = tmp_path / "notice.txt"
    text.write_text("今日停水，11月24日（星期一）恢复。", "utf-8-sig")
    more = ("--scheduled", "--on", "2026-11-24", "--account", "hand")
    shown = run("screen", text, *more).stdout
    assert "relative-time 0-2 “今日”" in shown
    assert "→ 星期二" in shown
    text.write_bytes("机密★10年，招聘公告".encode("gb18030"))  # as an office's Notepad saves it
    assert "secrecy-mark" in run("screen", text, code=1).stdout
    text.write_bytes(b"\x89PNG\0\0")
    assert "UTF-8" in run("screen", text, code=2).stderr
    assert "nosuch" in run("screen", "--account", "nosuch", given="", code=2).stderr
    assert "2026-11-24" in run("screen", "--on", "明天", given="", code=2).stderr


def test_a_text_is_screened_without_an_office(tmp_path: Path) -> None:
    command = ["--config", str(tmp_path / "config.toml"), "screen"]
    assert CliRunner().invoke(main, command, input="秘密★\n").exit_code == 1
    assert not (tmp_path / "data").exists()


@both
def test_a_post_is_written_shown_handed_in_and_signed(run: Run) -> None:
    post = drafted(run, "--at", "2099-11-25 09:30", "--latest", "2099-11-25T12:00")
    shown = said(run("post", "show", post, "--json"))
    assert shown["go_at"] == "2099-11-25T01:30:00+00:00", "written on the office's clock"
    assert shown["latest_at"] == "2099-11-25T04:00:00+00:00"
    assert shown["renditions"][0]["payload"]["text"] == "停水通知。"
    assert (shown["state"], shown["why"]) == ("draft", "草稿，还没有送审")
    run("post", "submit", post, *AS)
    assert said(run("post", "show", post, "--json"))["why"] == "等待审次：签发"
    assert [row["id"] for row in said(run("sign", "list", "--json", "--as", "lin"))] == [post]
    assert said(run("sign", "list", "--json", *AS)) == [], "zhou signs nothing"
    (whoever,) = said(run("sign", "list", "--json"))
    assert (whoever["id"], whoever["step_name"]) == (post, "签发")
    assert "签发" in run("sign", "list").stdout
    old = shown["digest"]
    run("post", "edit", post, "--text", "-", *AS, given="改过的通知。\n")
    run("post", "submit", post, *AS)
    assert "新版本" in run("sign", "pass", post, "--digest", old, "--as", "lin", code=2).stderr
    passed = said(run("sign", "pass", post, "--json", "--as", "lin"))
    assert passed == {"post": post, "state": "approved"}
    text = run("post", "show", post).stdout
    assert "改过的通知。" in text
    assert "正在排入队列" in text


def test_who_is_away_is_signed_for_by_who_he_named(run: Run) -> None:
    first, second_ = drafted(run), drafted(run)
    for post in (first, second_):
        run("post", "submit", post, *AS)
    away = ("--unit", "county", "--step", "签发", "--until", "2099-11-28 18:00", "--reason", "开会")
    make = ("user", "delegate", "make", "gu", *away, "--as", "lin")
    assert "最长" in run(*make, code=2).stderr
    until = ["2026-12-28 18:00" if word.startswith("2099") else word for word in make]
    one = said(run(*until, "--json"))["delegation"]
    (row,) = said(run("user", "delegate", "list", "gu", "--json"))
    assert (row["giver"], row["taker"], row["steps"]) == ("lin", "gu", ["签发"])
    listed = said(run("sign", "list", "--json", "--as", "gu"))
    assert [(row["id"], row["behalf"]) for row in listed] == [(first, ["lin"]), (second_, ["lin"])]
    assert "写明代谁" in run("sign", "pass", first, "--as", "gu", code=2).stderr
    assert run("sign", "pass", first, "--behalf", "lin", "--as", "gu").stdout == "已签发\n"
    together = ("sign", "together", first, second_, "--behalf", "lin", "--json", "--as", "gu")
    rows = said(run(*together))
    assert [(row["state"], bool(row["why"])) for row in rows] == [("", True), ("approved", False)]
    run("user", "delegate", "end", one, "--as", "lin")
    assert "已终止" in run("user", "delegate", "list").stdout
    asked = ("post", "repost", first, "--account", "hand", "--by", "2026-12-01 18:00", *AS)
    assert "转不了" in run(*asked, code=2).stderr
    assert said(run("post", "reposts", first, "--json")) == []


def test_a_time_that_is_none_is_refused_with_an_example(run: Run) -> None:
    words = ("post", "new", "--unit", "county", "--account", "hand", "--text", "x", *AS)
    assert "2026-09-22T15:00" in run(*words, "--at", "明天", code=2).stderr
    assert "2000 年到 2200 年" in run(*words, "--at", "0001-01-01 00:00", code=2).stderr


def test_returned_and_referred_need_their_note(run: Run) -> None:
    post = drafted(run)
    run("post", "submit", post, *AS)
    run("sign", "refer", post, "--note", "报保密局", "--as", "lin")
    assert "报请确定" in run("sign", "pass", post, "--as", "lin", code=2).stderr
    assert run("sign", "return", post, "--note", "请核时间", "--as", "lin").stdout == "已退回\n"
    assert "请核时间" in said(run("post", "show", post, "--json"))["why"]
    assert run("post", "close", post, *AS)
    assert said(run("post", "list", "--state", "closed", "--json"))[0]["id"] == post


def test_a_picture_goes_with_its_words(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    post = drafted(run, "--image", str(tmp_path / "a.png"), "停水范围图")
    (media,) = said(run("post", "show", post, "--json"))["renditions"][0]["payload"]["media"]
    assert (media["alt"], media["kind"]) == ("停水范围图", "image/png")


def test_a_sheet_signed_on_paper_is_recorded(run: Run, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.pdf"
    sheet.write_bytes(b"%PDF-1.4\n%%EOF")
    post = drafted(run)
    run("post", "submit", post, *AS)
    words = ("sign", "offline", post, "--signed-by", "李明", "--sheet", sheet)
    run(*words, *AS, code=2)
    run(*words, "--as", "gu")
    shown = said(run("post", "show", post, "--json"))
    assert (shown["state"], shown["signoffs"][0]["kind"]) == ("approved", "offline")


def test_a_post_may_wait_for_a_slot_that_is_there(run: Run, desk: Office) -> None:
    words = ("post", "new", "--unit", "county", "--account", "hand", "--text", "x", *AS)
    assert "没有叫 morning" in run(*words, "--slot", "morning", code=2).stderr
    folder = desk.config.path.parent / "schedules"
    folder.mkdir()
    schedule = 'name = "晨间"\nunit = "county"\naccounts = ["hand"]\n[[when]]\nhour = "8"\n'
    (folder / "morning.toml").write_text(schedule, "utf-8")
    post = signed(run, "--slot", "morning")
    assert "晨间" in said(run("post", "show", post, "--json"))["why"]


# ---------------------------------------------------------------- by a template

SAID = ("--set", "at=2026-11-24 09:30", "--set", "what=明火已扑灭", "--set", "advice=绕行")


def test_templates_are_listed_and_tried_out_before_anything_is_written(run: Run) -> None:
    listed = {row["key"]: row for row in said(run("template", "list", "--json"))}
    assert listed["emergency"]["kind"] == "emergency"
    assert listed["emergency"]["fields"]["at"]["required"] is True
    assert "at*" in run("template", "list").stdout.replace("\n", "")
    words = ("template", "preview", "emergency", "--account", "hand", "--set", "title=火情")
    tried = said(run(*words, *SAID, "--json"))
    (part,) = tried["parts"]
    assert tried["title"] == "火情"
    assert part["payload"]["text"].startswith("【火情·第1报】截至11月24日9时30分：明火已扑灭。")
    assert (part["account"], part["limit"], part["findings"]) == ("hand", 140, [])
    assert "第1报" in run(*words, *SAID).stdout
    assert said(run("post", "list", "--json")) == []


def test_a_template_is_shown_and_saved_by_who_may_with_what_was_read(
    run: Run, desk: Office
) -> None:
    known = said(run("template", "show", "notice", "--json"))
    file = desk.config.place("templates") / "notice.txt"
    assert known["text"] == file.read_text("utf-8")
    gu = ("--as", "gu", "--json")
    refused = run("template", "save", "notice", "-", *gu, code=2, given="甲\n{{ titel }}")
    assert "notice.txt 第 2 行：没有字段 titel" in refused.stderr
    late = ("--digest", "0" * 64)
    assert (
        "刚被别人改过" in run("template", "save", "notice", *late, *gu, code=2, given="一").stderr
    )
    made = said(run("template", "save", "notice", *gu, given="{{ title }}"))
    (entry,) = said(run("template", "show", "notice", "--json"))["trail"]
    assert entry["data"] == {"before": known["digest"], "digest": made["digest"]}
    run("template", "save", "notice", "--as", "zhou", code=2, given="{{ title }}")
    run("template", "save", "notice", code=2, given="{{ title }}")
    assert "notice" in run("template", "list").stdout


def test_words_are_added_found_and_taken_out(run: Run, desk: Office) -> None:
    assert "[screening] lists" in run("words", "list", code=2).stderr
    with desk.config.path.open("a", encoding="utf-8") as out:
        out.write('[screening]\nlists = ["words.txt"]\nleaders = "leaders.txt"\n')
    for name, text in (("words.txt", ""), ("leaders.txt", "张三\t县长、县委副书记\n")):
        desk.config.place(name).write_text(text, "utf-8")
    gu = ("--as", "gu", "--json")
    run("words", "add", "老县名", "--severity", "block", "--suggestion", "新县名", *gu)
    run("words", "add", "老县名", "--severity", "note", *gu)
    made = said(run("words", "import", "-", *gu, given="老县名\n旧称\t阻止\n!旧称呼"))
    assert (made["added"], made["known"]) == (2, 1)
    rows = said(run("words", "list", "--search", "称", "--json"))["rows"]
    assert [(r["words"], r["severity"]) for r in rows] == [("旧称", "block"), ("旧称呼", None)]
    run("words", "remove", "老县名", *gu)
    assert "没有“老县名”" in run("words", "remove", "老县名", *gu, code=2).stderr
    assert desk.config.place("words.txt").read_text("utf-8") == "旧称\tblock\n!旧称呼\n"
    run("words", "add", "甲", "--as", "zhou", code=2)
    assert said(run("leaders", "--json"))["rows"] == [
        {"name": "张三", "titles": ["县长", "县委副书记"]}
    ]
    assert "老县名" not in run("words", "list").stdout


def test_what_is_set_and_how_it_stands_are_had_as_json(run: Run) -> None:
    found = said(run("settings", "--json"))
    assert found["state"]["database"]["schema"]
    (units,) = [t for t in found["config"] if t["section"] == "units.county"]
    assert units["line"] == 2
    assert set(said(run("settings", "--state", "--json"))) == {"state"}
    rules = {row["rule"]: row for row in said(run("rules", "--json"))}
    assert rules["mobile"]["severities"] == ["warn"]
    assert "secrecy-mark" in run("rules").stdout


def test_a_field_that_is_not_said_well_is_told_with_what_to_write(run: Run) -> None:
    words = ("template", "preview", "emergency", "--account", "hand", "--set", "title=火情")
    assert "字段 at（截至时间）须填写" in run(*words, code=2).stderr
    assert "字段=内容" in run(*words, "--set", "at", code=2).stderr


def test_an_emergency_is_written_updated_and_corrected(run: Run, desk: Office) -> None:
    where = ("--unit", "county", "--account", "hand", "--set", "title=火情", "--json")
    first = said(run("post", "write", "emergency", *where, *SAID, "--assisted", *AS))["post"]
    shown = run("post", "show", first).stdout
    assert "有模型参与起草" in shown
    assert "（含人工智能生成内容）" in shown
    assert "还没有发出" in run("post", "update", first, *SAID, *AS, code=2).stderr
    run("post", "submit", first, *AS)
    plan.plan_due(desk)
    with desk.db.write() as conn:
        revision = shown_revision(conn, first)
        row = {"post_id": first, "revision_id": revision["id"], "account_id": 1, "act": "publish"}
        row["post_unit_id"] = 1
        rendition = conn.execute(renditions.select()).mappings().one()["id"]
        out = {"state": S.SENT, "sent_at": desk.db.now(conn), "url": "https://weibo.example/1"}
        times = {"go_at": desk.db.now(conn), "changed_at": desk.db.now(conn)}
        more = {"rendition_id": rendition, "part": 0, "key": "k", **out, **times}
        insert_id(conn, deliveries, {**row, **more})
    second = said(run("post", "update", first, *SAID, "--json", *AS))["post"]
    assert "前一报" in run("post", "show", second).stdout
    assert "https://weibo.example/1" in run("post", "show", second).stdout
    words = ("--wrong", "已扑灭", "--right", "基本扑灭", "--json", *AS)
    third = said(run("post", "correct", first, *words))["post"]
    assert "“已扑灭”有误，应为“基本扑灭”" in run("post", "show", third).stdout


@pytest.mark.skipif(
    not cards._system_font()[0], reason="no Chinese font: apt-get install fonts-noto-cjk"
)
def test_a_post_is_given_a_picture_of_its_text_and_loses_it_again(run: Run, desk: Office) -> None:
    post = drafted(run)
    assert said(run("post", "card", post, "--json", *AS)) == {"post": post, "version": 2}
    (picture,) = said(run("post", "show", post, "--json"))["renditions"][0]["payload"]["media"]
    assert picture["alt"] == "停水\n停水通知。"
    assert desk.media.read(picture["sha256"]).startswith(b"\x89PNG")
    run("post", "card", post, "--off", *AS)
    assert said(run("post", "show", post, "--json"))["renditions"][0]["payload"]["media"] == []


def shown_revision(conn: Any, post: int) -> Any:
    return conn.execute(revisions.select().where(revisions.c.post_id == post)).mappings().one()


# ---------------------------------------------------------------- queue, stop


def queued(run: Run, desk: Office) -> int:
    """A delivery of a signed post."""
    post = signed(run)
    clock = desk.db.clock
    assert isinstance(clock, FixedClock)
    clock.set(datetime.now(UTC))  # a command looks at the machine's
    plan.plan_due(desk)
    return int(builders.only(desk, post)["id"])


@both
def test_the_queue_says_why(run: Run, desk: Office) -> None:
    delivery = queued(run, desk)
    (row,) = said(run("queue", "--json"))
    assert (row["id"], row["account"], row["state"]) == (delivery, "hand", "ready")
    assert "gongkai run" in row["why"], "no worker runs"
    run("queue", "cancel", delivery, *AS)
    assert said(run("queue", "--state", "ready", "--json")) == []
    at = (desk.db.now() + timedelta(minutes=30)).replace(second=0, microsecond=0)
    here = f"{at.astimezone(desk.config.tz):%F %H:%M}"
    run("queue", "retry", delivery, "--at", here, *AS)
    (row,) = said(run("queue", "--post", 1, "--json"))
    assert (row["state"], row["go_at"]) == ("ready", at.isoformat())
    assert "时段" in run("queue", "retry", delivery, "--at", "2099-01-01", *AS, code=2).stderr


def test_what_is_unclear_is_resolved_in_one_way(run: Run, desk: Office) -> None:
    delivery = queued(run, desk)
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(state=S.UNCERTAIN, due_at=None))
    for words in ((), ("--drop", "--absent"), ("--sent", "https://x.example/1", "--drop")):
        assert "选一个" in run("queue", "resolve", delivery, *words, *AS, code=2).stderr
    run("queue", "look", delivery, *AS)
    run("queue", "resolve", delivery, "--sent", "https://x.example/1", *AS)
    (row,) = said(run("queue", "--json"))
    assert (row["state"], row["url"]) == ("sent", "https://x.example/1")
    assert said(run("queue", "attempts", delivery, "--json")) == []


def test_stop_and_lift(run: Run, desk: Office) -> None:
    queued(run, desk)
    made = said(run("hold", "all", "--reason", "核实", "--json", "--as", "lin"))
    assert made == {"hold": 1, "in_flight": 0, "deliveries": []}
    (row,) = said(run("queue", "--state", "held", "--json"))
    assert "已停发" in row["why"]
    (held,) = said(run("resume", "--json"))
    assert (held["reason"], held["stops"]) == ("核实", 1)
    assert said(run("resume", 1, "--json", "--as", "lin")) == {"waiting": 1}
    assert "已解除" in run("resume", 1, "--as", "lin", code=2).stderr


def test_a_period_of_mourning_is_looked_at_declared_named_into_and_gone_through(
    run: Run, desk: Office
) -> None:
    delivery, now = queued(run, desk), datetime.now(UTC)
    due = {name: now + timedelta(hours=30) for name in ("go_at", "due_at")}
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(**due, latest_at=now + timedelta(days=9)))
    begins, until = (f"{now + timedelta(days=n):%Y-%m-%dT%H:%M}+00:00" for n in (1, 2))
    period = ("all", "--from", begins, "--until", until, "--as", "lin")
    kept = said(run("solemn", *period, "--what-if", "--json"))
    assert [one["id"] for one in kept["deliveries"]] == [delivery]
    assert "投递" in run("solemn", *period, "--what-if").stdout
    assert said(run("resume", "--json")) == []
    assert said(run("solemn", *period, "--reason", "哀悼", "--json")) == {"hold": 1}
    (ahead,) = said(run("resume", "--json"))
    assert (ahead["ahead"], ahead["stops"]) == (True, 0)
    assert "还没有停住什么" in run("resume", 1, "--as", "lin").stdout
    assert "没有状态 nope" in run("queue", "--state", "nope", code=2).stderr
    assert "到何时为止" in run("solemn", "all", "--reason", "x", "--as", "lin", code=2).stderr
    run("solemn", "unit", "county", "--until", until, "--reason", "哀悼", "--as", "lin")
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(go_at=now))
    (row,) = said(run("queue", "--hold", 2, "--json"))
    assert (row["id"], row["why"][:4]) == (delivery, "肃穆模式")
    run("queue", "back", delivery, *AS)
    assert said(run("queue", "--hold", 2, "--json")) == []
    run("let", 2, 1, "--as", "lin")
    assert said(run("resume", "--json"))[0]["passes"] == [1]


def test_a_standing_sign_off_is_shown_whole(run: Run, office: Office) -> None:
    source = '[sources.notices]\nunit = "county"\nurl = "feed.xml"\naccounts = ["hand"]\n'
    offices.declared(office, source + offices.HAND.format(key="hand"))
    given = ("notices", "--until", "2099-01-01", "--daily-max", 3, "--json", "--as", "lin")
    made = said(run("sign", "standing", *given))["standing"]
    one = said(run("sign", "standings", made, "--json"))
    assert (one["state"], one["used_today"], one["daily_max"]) == ("active", 0, 3)
    assert (one["accounts"], one["signed"], one["not_covered"]) == (["hand"], [], [])
    assert "notices" in run("sign", "standings", made).stdout
    assert run("sign", "standings", 99, code=2).stderr


def test_who_is_on_duty_is_put_imported_and_listed(run: Run, desk: Office, tmp_path: Path) -> None:
    run("duty", "put", "county", "2026-11-24", "lin", *AS)
    file = tmp_path / "roster.csv"
    file.write_text("日期,值班人\n2026-11-25,林岚\n2026-11-26,周文\n", "utf-8-sig")
    assert said(run("duty", "import", "county", file, "--json", *AS)) == {"changed": 2}
    span = ("--from", "2026-11-24", "--until", "2026-11-25")
    rows = said(run("duty", "list", *span, "--json"))
    assert [(row["day"], row["login"]) for row in rows] == [
        ("2026-11-24", "lin"),
        ("2026-11-25", "lin"),
    ]
    run("duty", "put", "county", "2026-11-24", *AS)
    assert len(said(run("duty", "list", *span, "--json"))) == 1


def test_a_stop_lists_what_is_under_way_and_cannot_be_called_back(run: Run, desk: Office) -> None:
    flying = queued(run, desk)
    with desk.db.write() as conn:
        conn.execute(update(deliveries).values(state=S.SENDING))
    made = said(run("hold", "all", "--reason", "核实", "--json", "--as", "lin"))
    assert (made["in_flight"], [one["id"] for one in made["deliveries"]]) == (1, [flying])
    shown = run("hold", "all", "--reason", "核实", "--as", "lin").stdout
    assert "已在途 1 条" in shown
    assert "待人工发布" in shown
    refused = run("queue", "cancel", flying, *AS, code=2).stderr
    assert refused == "这条投递已变成“发送中”，请刷新后再办\n"


@pytest.mark.parametrize(
    ("scope", "target"),
    [("unit", "county"), ("account", "hand"), ("post", "1")],
)
def test_a_stop_names_its_target_by_key_or_number(
    run: Run, desk: Office, scope: str, target: str
) -> None:
    queued(run, desk)
    run("hold", scope, target, "--reason", "核实")
    assert len(said(run("queue", "--state", "held", "--json"))) == 1
    assert run("hold", scope, "nosuch", "--reason", "核实", code=2).stderr


# ---------------------------------------------------------------- people, accounts, the trail


def test_the_first_person_is_made_by_the_shell_and_gets_a_one_time_password(run: Run) -> None:
    words = ("user", "add", "wang", "--name", "王", "--unit", "county", "--role", "editor")
    password = said(run(*words, "--json"))["password"]
    assert len(password) >= 10
    assert "已经有人用" in run(*words, code=2).stderr
    run("user", "grant", "wang", "--unit", "county", "--role", "signer", "--as", "gu")
    run("user", "revoke", "wang", "--unit", "county", "--role", "editor", "--as", "gu")
    mine = [row for row in said(run("user", "list", "--json")) if row["login"] == "wang"]
    assert [(row["role"], row["unit"]) for row in mine] == [("signer", "county")]
    assert "权限" in run("user", "disable", "wang", *AS, code=2).stderr


def test_a_password_is_set_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new"
    file.write_text("a-better-password\n", "utf-8")
    run("user", "password", "zhou", "--password-file", file)
    words = ("post", "new", "--unit", "county", "--account", "hand", "--text", "x", *AS)
    run(*words, code=2)
    run(*words, "--password-file", file)


def test_people_are_looked_after_from_the_shell(desk: Office, run: Run) -> None:
    made = said(run("user", "reissue", "zhou", "--as", "gu", "--json"))
    with desk.db.read() as conn:
        assert people.matches(people.by_login(conn, "zhou"), made["password"])
    assert "权限" in run("user", "reissue", "gu", "--as", "lin", code=2).stderr
    assert said(run("user", "sessions", "zhou", "--json")) == []
    now = datetime.now(UTC)
    row = {"id": "s", "created_at": now, "seen_at": now, "ends_at": now + timedelta(hours=1)}
    with desk.db.write() as conn:
        zhou = people.by_login(conn, "zhou")["id"]
        conn.execute(insert(sessions).values(person_id=zhou, origin="10.0.0.1", **row))
    assert [one["origin"] for one in said(run("user", "sessions", "zhou", "--json"))] == [
        "10.0.0.1"
    ]
    assert "结束 1 个" in run("user", "sign-out", "zhou", "--as", "gu").output
    found = said(run("user", "units", "--json"))
    assert [(u["key"], u["enough"], u["steps"][0]["able"]) for u in found] == [
        ("county", True, ["lin"])
    ]
    assert "签发 lin" in run("user", "units").output


def test_the_shell_is_no_way_round_the_second_factor(
    desk: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    with desk.db.write() as conn:
        gu = builders.actor(conn, "gu")
        second.begin(conn, desk.secrets, gu)
        secret = second.waiting(conn, desk.secrets, gu)
        code = second.code(secret, second.step_of(now))
        codes = second.confirm(conn, desk.secrets, now, gu, code)
    grant = ("user", "grant", "zhou", "--unit", "county", "--role", "signer", "--as", "gu")
    assert "动态口令不对" in run(*grant, given=f"{code}\n", code=2).output
    monkeypatch.setenv("GONGKAI_CODE", codes[0])
    run(*grant)
    assert "已经用过" in run(*grant, code=2).stderr
    assert "totp" in run("user", "list", "--json").output
    monkeypatch.setenv("GONGKAI_CODE", codes[1])
    assert "另一名管理员" in run("user", "totp-reset", "gu", "--as", "gu", code=2).stderr
    run("user", "totp-reset", "gu")
    run(*grant)
    config = desk.config.path
    config.write_text(config.read_text("utf-8") + '\n[people]\ntotp = "all"\n', "utf-8")
    assert "先登录控制台登记" in run(*grant, code=2).stderr


def test_an_account_is_connected_checked_paused_and_never_tells_its_secret(
    run: Run, desk: Office, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("token-1\n", "utf-8")
    with mastodon.running() as (_, server):
        desk = offices.declared(desk, _microblog(server))
        found = run("account", "connect", "m", "--token-file", token, "--as", "gu")
        assert "已连接" in found.stdout
        run("account", "check", "m")
        token.write_text("token-2", "utf-8")
        assert "office2" in run("account", "connect", "m", "--token-file", token, code=2).stderr
        token.write_text("nonsense", "utf-8")
        run("account", "connect", "m", "--token-file", token, code=2)
        run("account", "check", "m")
        (row,) = (r for r in said(run("account", "list", "--json")) if r["key"] == "m")
        assert row["state"] == "active"
        assert "credential" not in row
        assert "token" not in json.dumps({k: v for k, v in row.items() if k != "token_ends"})
        shown = said(run("account", "show", "m", "--json"))
        assert (shown["unit"], shown["state"], shown["queue"]["held"]) == ("county", "active", 0)
        assert shown["filing"]["number"] == ""
        assert "一个账号的全部情况" in run("account", "show", "--help").output
        assert "credential" not in shown
    run("account", "pause", "m", "--as", "gu")
    assert {r["state"] for r in said(run("account", "list", "--json"))} == {"paused"}
    run("account", "activate", "m", "--as", "gu")
    run("account", "pause", "m", *AS, code=2)


def _microblog(server: Server) -> str:
    head = '[accounts.m]\nunit = "county"\nadapter = "mastodon"\n'
    return f'{head}[accounts.m.options]\nurl = "{server.url}"\n'


@both
def test_the_trail_is_shown_and_verified(run: Run, desk: Office) -> None:
    post = signed(run)
    verbs = [
        row["verb"] for row in said(run("audit", "list", "--subject", f"post:{post}", "--json"))
    ]
    assert verbs == ["post.pass", "post.submit", "post.create"]
    found = said(run("audit", "verify", "--json"))
    assert (found["faults"], found["unsealed"]) == ([], 0)
    with desk.db.write() as conn:
        conn.exec_driver_sql("update audits set actor = '他人' where verb = 'post.pass'")
    assert "与链不符" in run("audit", "verify", code=1).stdout


@both
def test_the_trail_is_read_in_words_and_taken_out(run: Run, desk: Office) -> None:
    post = signed(run)
    told = run("audit", "list", "--subject", f"post:{post}").output
    assert "审次：" in told
    assert "revision" not in told
    folder = desk.config.path.parent
    files = {kind: folder / f"trail.{kind}" for kind in ("csv", "xlsx", "jsonl")}
    wanted = [word for kind, file in files.items() for word in (f"--{kind}", str(file))]
    run("audit", "export", "--verb", "post.", *wanted)
    table = files["csv"].read_text("utf-8-sig")
    assert "版本：第 1 版" in table
    assert [json.loads(one)["verb"] for one in files["jsonl"].read_text().splitlines()] == [
        "post.pass",
        "post.submit",
        "post.create",
    ]
    assert files["xlsx"].read_bytes()[:2] == b"PK"
    taken = said(run("audit", "list", "--verb", "trail.", "--json"))
    assert {(one["data"]["kind"], one["data"]["rows"]) for one in taken} == {
        *(("csv", 3), ("xlsx", 3), ("jsonl", 3))
    }
    assert "--csv" in run("audit", "export", code=2).output


def test_verify_says_how_much_of_it_could_be_checked(run: Run, desk: Office) -> None:
    signed(run)
    assert "没有相符的库外存证" in run("audit", "verify").output
    with desk.db.write() as conn:
        audit.anchor(conn, desk.anchor, desk.db.now(conn))
    told = run("audit", "verify").output
    assert "全链完好" in told
    assert said(run("audit", "verify", "--json"))["whole"] is True


# ---------------------------------------------------------------- shown as it stands


@pytest.mark.parametrize(
    "words", ["[doge]哈哈[/doge]", "[bold]粗[/]", "[红头]文件", "a\x1b[2Jb\x07"]
)
def test_what_the_public_wrote_is_shown_as_it_stands_and_commands_no_terminal(
    run: Run, desk: Office, words: str
) -> None:
    account = builders.account(desk, "a1", "http://x.example")
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        row = {"account_id": account, "remote_id": "1", "author_name": "路人", "text": words}
        times = {"at": now, "seen_at": now, "last_seen": now, "state": "visible"}
        insert_id(conn, replies, {**row, **times})
    shown = run("replies").stdout
    assert words.translate({0x1B: "\ufffd", 0x07: "\ufffd"}) in shown
    assert "\x1b[2J" not in shown


def test_a_table_is_never_cut(run: Run, desk: Office) -> None:
    title = "城东片区计划停水" * 20
    builders.draft(desk, ["hand"], body=Body("停水通知。", title=title))
    (row,) = (line for line in run("post", "list").stdout.splitlines() if "城东" in line)
    assert row.endswith(title)


def test_a_finding_names_its_account(run: Run) -> None:
    made = ("post", "new", "--unit", "county", "--account", "hand", "--json", *AS)
    post = said(run(*made, "--text", "身份证号11010519491231002X。"))["post"]
    assert "! hand 阻止 identity" in run("post", "show", post).stdout


def test_what_is_handed_in_wrongly_is_told_with_its_place(run: Run) -> None:
    add = ("item", "add", "--unit", "county", "--stdin", *AS)
    told = run(*add, given='{"标题": "停水"', code=2).stderr
    assert told.strip() == "标准输入不是 JSON：第 1 行第 12 列有误"


def test_a_rule_with_too_few_fields_is_told_as_one(run: Run) -> None:
    told = run("schedule", "whatif", "30 9 * *", code=2).stderr
    assert "时间规则应有五项：分 时 日 月 星期" in told
    assert "4 项" in told


def test_a_one_time_password_opens_nothing_but_its_change(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = said(
        run(
            "user", "add", "han", "--name", "韩梅", "--unit", "county", "--role", "editor", "--json"
        )
    )
    monkeypatch.setenv("GONGKAI_PASSWORD", made["password"])
    new = (
        "post",
        "new",
        "--unit",
        "county",
        "--account",
        "hand",
        "--text",
        "停水。",
        "--as",
        "han",
    )
    assert "gongkai user password han" in run(*new, code=2).stderr
    assert said(run("post", "list", "--json")) == []
    (tmp_path / "own").write_text("han-mei-2026\n", "utf-8")
    run("user", "password", "han", "--password-file", tmp_path / "own")
    monkeypatch.setenv("GONGKAI_PASSWORD", "han-mei-2026")
    assert run(*new).stdout == "#1\n"


def test_an_export_is_on_record_with_who_took_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "replies.csv"
    assert run("replies", "--csv", file, "--as", "gu").stdout == f"{file}\n"
    assert file.stat().st_size > 0
    entry = said(run("audit", "list", "--json"))[0]
    assert (entry["verb"], entry["actor"], entry["origin"]) == ("reply.export", "顾明", "cli")
    assert entry["data"] == {"kind": "csv", "rows": 0, "filters": {}}


def test_a_citizens_words_are_erased_with_a_reason_by_who_may(run: Run, desk: Office) -> None:
    account = builders.account(desk, "a1", "http://x.example")
    with desk.db.write() as conn:
        now = desk.db.now(conn)
        row = {"account_id": account, "remote_id": "1", "text": "我叫张三丰", "state": "visible"}
        one = insert_id(conn, replies, {**row, "at": now, "seen_at": now, "last_seen": now})
        search.add(conn, [(one, "我叫张三丰")])
    assert "没有“处理评论”的权限" in run("erase", one, "--reason", "申请", *AS, code=2).stderr
    run("erase", one, code=2)
    run("erase", one, "--reason", "本人申请", "--as", "gu")
    assert "张三丰" not in run("replies").stdout
    assert said(run("audit", "list", "--json"))[0]["verb"] == "reply.erase"


def test_times_are_shown_on_the_office_s_clock(run: Run) -> None:
    drafted(run, "--at", "2099-11-25 09:30")
    assert "11-25 09:30" in run("post", "list").stdout


def test_nothing_is_said_to_be_nothing(run: Run) -> None:
    assert run("queue").stdout == "队列里没有这样的投递；签发后的稿件列在这里\n"
    assert said(run("queue", "--json")) == []


# ---------------------------------------------------------------- reading, checking


def test_a_catalogue_is_read_without_being_stored(run: Run, tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_text(offices.rss([offices.Notice("停水", builders.NOW)]), "utf-8")
    (item,) = said(run("read", feed, "--json"))["items"]
    assert (item["title"], item["published"][:10]) == ("停水", "2026-11-24")
    assert said(run("item", "list", "--json")) == []
    feed.write_text("<html>404</html>", "utf-8")
    found = run("read", feed, "--json", code=2)
    assert found.stdout == ""
    assert found.stderr


LIST = (
    "<html><head><title>通知公告</title></head><body><ul class=news>"
    '<li><a href="http://a.example/1">关于第一项工作的通知</a><i>2026-09-01</i></li>'
    '<li><a href="http://a.example/2">关于第二项工作的通知</a><i>2026-09-02</i></li></ul></body></html>'
)


def test_a_source_is_tried_and_its_config_written(run: Run, desk: Office) -> None:
    config = desk.config.path
    page = config.parent / "notices.html"
    page.write_text(LIST, "utf-8")
    shown = run("source", "try", page)
    assert "关于第一项工作的通知" in shown.stdout
    assert 'rows = "ul.news > li"' in shown.stdout
    before = config.read_bytes()
    found = said(run("source", "try", page, "--key", "gg", "--write", "--json"))
    assert (found["kind"], len(found["items"]), found["written"]) == ("page", 2, True)
    assert config.read_bytes() == before + f"\n{found['config']}".encode()
    declared = tomllib.loads(config.read_text("utf-8"))["sources"]["gg"]
    assert (declared["url"], declared["unit"]) == ("notices.html", "county")
    run("check", "--json")


def test_what_cannot_be_declared_leaves_the_file_alone(run: Run, desk: Office) -> None:
    config = desk.config.path
    page = config.parent / "notices.html"
    page.write_text(LIST, "utf-8")
    run("source", "try", page, "--write")
    before = config.read_bytes()
    assert "已有来源 notices" in run("source", "try", page, "--write", code=2).stderr
    unknown = run("source", "try", page, "--key", "x", "--unit", "nobody", "--write", code=2)
    assert "nobody" in unknown.stderr
    assert "a b" in run("source", "try", page, "--key", "a b", "--write", code=2).stderr
    page.write_text("<html><body>404</body></html>", "utf-8")
    run("source", "try", page, "--key", "x", "--write", code=2)
    assert config.read_bytes() == before
    assert not [file for file in config.parent.iterdir() if file.name.startswith(".")]


def test_check_lists_what_was_read_and_ends_1_where_people_are_lacking(
    run: Run, desk: Office
) -> None:
    folder = desk.config.path.parent / "schedules"
    folder.mkdir()
    file = folder / "morning.toml"
    file.write_text(
        'name = "晨"\nunit = "county"\naccounts = ["hand"]\n[[when]]\nhour = "8"\n', "utf-8"
    )
    found = said(run("check", "--json"))
    assert found["faults"] == []
    assert found["schedules"][0]["schedule"] == "morning"
    days = [words.split()[1] for words in found["schedules"][0]["next"]]
    assert (len(days), set(days) <= {"周一", "周二", "周三", "周四", "周五", "周六", "周日"}) == (
        5,
        True,
    )
    with desk.db.write() as conn:
        conn.exec_driver_sql("delete from grants")
    assert "配不齐人" in run("check", code=1).stdout
    file.write_text("hour = 8", "utf-8")
    assert "morning.toml" in run("check", code=2).stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('[sources.s]\nunit = "county"\nurl = "x.xml"\ntemplate = "notce"', "是不是 notice"),
        (
            '[sources.s]\nunit = "county"\nurl = "x.xml"\nkind = "xyz"',
            "有：feed、folder、page、table",
        ),
        ('[sources.s]\nunit = "county"\nurl = "x.xml"\nmax_new = -1', "不能小于 0"),
        ('[deliver]\nlanguage = "en"', "language 要写在第一个方括号之前"),
        ('[database]\nurl = "mysql://db/gongkai"', "只能是 postgresql://"),
        ('[database]\nurl = "postgres://db/gongkai"', "只能是 postgresql://"),
        ('[database]\nurl = "postgresql://db:port/gongkai"', "只能是 postgresql://"),
    ],
)
def test_check_says_of_a_mistake_what_might_stand_there(
    run: Run, desk: Office, line: str, told: str
) -> None:
    file = desk.config.path
    shutil.copytree(offices.ROOT / "templates", file.parent / "templates", dirs_exist_ok=True)
    file.write_text(f"{file.read_text('utf-8')}\n{line}\n", "utf-8")
    refused = run("check", code=2)
    assert (told in refused.stderr, refused.stdout) == (True, ""), refused.stderr
    assert "内部错误" not in refused.stderr


def test_an_office_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "office"
    assert CliRunner().invoke(main, ["init", str(folder)]).exit_code == 0
    assert (folder / "config.toml").exists()
    assert list((folder / "templates").glob("*.txt"))
    again = CliRunner().invoke(main, ["init", str(folder)])
    assert again.exit_code == 2
    assert "已有" in again.stderr


def test_a_backup_is_made(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    run("backup", target, "--json")
    assert target.stat().st_size > 0


# ---------------------------------------------------------------- the calendar


def test_the_calendar_and_what_a_move_would_mean_are_had_as_json(desk: Office, run: Run) -> None:
    ten = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    post = builders.signed(desk, ["hand"], "甲。", go_at=ten)
    days = ("--from", "2026-11-24", "--to", "2026-11-25", "--json")
    (line,) = said(run("calendar", *days))
    assert (line["post"], line["state"], line["accounts"]) == (post, "ready", ["hand"])
    assert said(run("calendar", "days", *days))[0]["posts"] == 1
    assert said(run("calendar", "slots", "hand", "--json")) == []
    move = ("post", "move", post, "2026-11-28 10:00", *AS, "--json")
    told = said(run(*move, "--dry-run"))
    assert (told["kind"], told["says"][-1]) == ("again", "这天是休息日")
    assert "没有改期" in run(*move, code=2).output
    assert builders.only(desk, post)["go_at"] == ten
    run(*move, "--again")
    assert said(run("calendar", *days)) == []
    rule = ("schedule", "whatif", "30 9 * * 1", "--from", "2026-12-01", "--json")
    assert [row["day"] for row in said(run(*rule))] == ["工作日"] * 4


# ---------------------------------------------------------------- what it says of a slip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nosuch"], "没有命令 'nosuch'"),
        (["pots"], "是不是 'post'"),
        (["post", "show"], "缺少参数 'POST_ID'"),
        (["post", "show", "abc"], "应是数字，不是 'abc'"),
        (["post", "show", "1", "2"], "多出的参数：2"),
        (["post", "show", "--foo"], "没有选项 '--foo'"),
        (["post", "new", "--unit"], "选项 '--unit' 后面要写 1 个值"),
        (["replies", "import", "没有.csv", "--account", "x"], "'没有.csv' 不存在"),
        (["replies", "--since", "昨天"], "日期写作 2026-11-24，不是 昨天"),
        (["read", ""], "请给出网址或文件"),
        (["source", "try", " "], "请给出网址或文件"),
        (["source", "try", "http://127.0.0.1:1/"], "在命令行试读加 --private"),
    ],
)
def test_a_slip_is_told_in_the_office_s_language(run: Run, words: list[str], told: str) -> None:
    assert told in run(*words, code=2).output


def test_an_english_office_is_told_in_english(run: Run, desk: Office) -> None:
    file = desk.config.path
    file.write_text('language = "en"\n' + file.read_text("utf-8"), "utf-8")
    assert "Missing argument 'POST_ID'" in run("post", "show", code=2).output
    assert "缺少参数 'POST_ID'" in run("--lang", "zh", "post", "show", code=2).output


def test_an_account_is_shown_in_words(run: Run) -> None:
    told = run("account", "show", "hand").output
    assert "{" not in told
    assert "None" not in told
    assert "不采集" in told
    assert "备案编号" in told


def test_an_entry_is_shown_with_what_it_says(run: Run) -> None:
    fields = ("--title", "关于停水的通告", "--index-number", "A1", "--body", "明日停水。")
    (made,) = said(run("item", "add", "--unit", "county", *fields, "--json", *AS))["items"]
    told = run("item", "show", made).output
    assert "A1" in told
    assert "明日停水。" in told
