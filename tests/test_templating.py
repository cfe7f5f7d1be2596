"""A template is tried before it is kept; nobody's words are lost, and the trail says whose they are."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot import compose, db, files, people, review, templates
from bot.db import Database, audits
from bot.errors import ConfigError, Conflict, NotAllowed, NotFound
from bot.model import Entry, Role
from bot.office import Office
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, url  # noqa: F401

MORE = """
[sources.catalogue]
unit = "county"
url = "feed.xml"
template = "notice"
accounts = ["hand"]
""" + offices.HAND.format(key="hand")
GOOD = '+++\nname = "通知公告"\n+++\n【{{ column }}】{{ title }}\n{{ link }}\n'


@pytest.fixture
def desk(office: Office) -> Office:
    """A source with two entries whose template is `notice`."""
    made = offices.declared(office, MORE)
    with made.db.write() as conn:
        source = conn.execute(select(db.sources.c.id)).scalar_one()
        for n, title in enumerate(("停水通知", "停电通知")):
            entry = Entry(str(n), title, "https://a.example.cn/1", column="通知", summary="短")
            row = {"source_id": source, "key": str(n), "state": "new", "title": title}
            row |= {"revision": 1, "digest": entry.digest, "seen_at": builders.NOW}
            db.insert_id(conn, db.items, {**row, "entry": entry.json(), "column": "通知"})
    return made


def file_of(office: Office, key: str = "notice") -> Path:
    return office.config.place("templates") / f"{key}.txt"


def digest(office: Office, key: str = "notice") -> str:
    return compose.template_file(office, key).digest


def save(
    office: Office, text: str, read: str | None = None, key: str = "notice", who: str = "gu"
) -> str:
    known = digest(office, key) if read is None else read
    with office.db.read() as conn:
        actor = builders.actor(conn, who)
    return compose.save_template(office, actor, key, text, known)


def test_what_is_saved_is_used_next_and_what_stood_there_before_is_kept(desk: Office) -> None:
    before = file_of(desk).read_text("utf-8")
    made = save(desk, GOOD.replace("\n", "\r\n"))
    assert file_of(desk).read_text("utf-8") == GOOD
    assert templates.load(file_of(desk).parent, "notice").digest == made
    with desk.db.read() as conn:
        (row,) = files.history(conn, "template:notice")
        assert (row["actor"], row["data"]["digest"]) == ("顾明", made)
        assert files.earlier(desk, conn, "template:notice", row["data"]["before"]) == before
        with pytest.raises(NotFound):
            files.earlier(desk, conn, "template:policy", made)
        kept = conn.execute(select(db.media.c.sha256)).scalars().all()
    assert {made, row["data"]["before"]} <= set(kept), "a backup holds them"
    assert not list(file_of(desk).parent.glob(".*")), "nothing half-written is left"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ titel }}", r"notice\.txt 第 1 行：没有字段 titel，是不是 title"),
        ("{{ title }}\n{% if %}", r"notice\.txt 第 2 行"),
        ("一\n{{ document.number }}", r"条目 \d“停电通知”：模板 notice\.txt 第 2 行"),
        ("+++\nnmae = 'x'\n+++\n{{ title }}", r"notice\.txt 第 2 行：不认识的键 nmae，是不是 name"),
    ],
)
def test_what_does_not_render_is_not_saved_and_says_where(
    desk: Office, text: str, said: str
) -> None:
    before = file_of(desk).read_text("utf-8")
    with pytest.raises(ConfigError, match=said):
        save(desk, text)
    assert file_of(desk).read_text("utf-8") == before
    with desk.db.read() as conn:
        assert files.history(conn, "template:notice") == []


def test_a_templates_own_refusal_of_an_entry_is_no_mistake(desk: Office) -> None:
    save(desk, '{% if title == "停电通知" %}{{ fail("缺时间") }}{% endif %}{{ title }}')
    with pytest.raises(ConfigError, match="停水通知"):
        save(
            desk,
            '{% if title == "停电通知" %}{{ fail("缺时间") }}{% endif %}{{ document.number }}',
        )


@pytest.mark.parametrize("key", templates.keys(offices.ROOT / "templates"))
def test_every_shipped_template_may_be_saved(desk: Office, key: str) -> None:
    text = file_of(desk, key).read_text("utf-8")
    made = save(desk, text + "\n{# 本县 #}\n", key=key)
    assert made == digest(desk, key)


def test_a_template_someone_else_changed_meanwhile_is_not_overwritten(desk: Office) -> None:
    read = digest(desk)
    save(desk, GOOD)
    with pytest.raises(files.Changed, match="没有丢"):
        save(desk, "{{ title }}", read)
    with pytest.raises(files.Changed):
        save(desk, "{{ title }}", "")
    assert file_of(desk).read_text("utf-8") == GOOD
    assert save(desk, "{{ title }}\n", "", "fresh") == digest(desk, "fresh")


@both
def test_of_two_at_once_one_is_told_that_he_was_later(desk: Office) -> None:
    read, said = digest(desk), []
    wait = threading.Barrier(2)
    there = desk.db.url.render_as_string(hide_password=False)

    def _save(n: int) -> None:
        with closing(Database(there, desk.db.clock)) as own:
            wait.wait(10)
            try:
                said.append(save(Office(desk.config, own), f"{n}{{{{ title }}}}", read))
            except files.Changed:
                said.append("later")

    threads = [threading.Thread(target=_save, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(said) == sorted(["later", digest(desk)])


def test_it_is_for_who_administers_every_unit_and_nobody_else_runs_his_own_words(
    desk: Office,
) -> None:
    with desk.db.write() as conn:
        builders.unit(conn, "fire")
    for who in ("zhou", "gu"):
        with pytest.raises(NotAllowed, match="各单位共用"):
            save(desk, GOOD, who=who)
    with desk.db.write() as conn:
        builders.grant(conn, people.by_login(conn, "gu")["id"], Role.ADMINISTRATOR, "fire")
        now, zhou = desk.db.now(conn), builders.actor(conn, "zhou")
        stored = file_of(desk).read_text("utf-8")
        body = compose.rehearse(desk, conn, now, zhou, "notice", stored, ["hand"], {}, 1)
        assert "停水通知" in body.text
        with pytest.raises(NotAllowed):
            compose.rehearse(desk, conn, now, zhou, "notice", "{{ title }}", ["hand"], {}, 1)
    save(desk, GOOD)


def test_a_standing_sign_off_is_of_the_words_it_was_given_for(desk: Office) -> None:
    with desk.db.write() as conn:
        now, lin = desk.db.now(conn), builders.actor(conn, "lin")
        ends = now + timedelta(30)
        review.grant_standing(desk, conn, now, lin, "catalogue", ends=ends, daily_max=5)
    with desk.db.read() as conn:
        (row,) = review.bound_to(conn, now, "notice")
        assert (row["source"], row["signer"], row["template_digest"]) == (
            "catalogue",
            "林岚",
            digest(desk),
        )
        assert review.bound_to(conn, now, "policy") == []
        assert review.bound_to(conn, ends, "notice") == []
    save(desk, GOOD)
    compose.compose_due(desk)
    with desk.db.write() as conn:
        conn.execute(update(db.items).values(due_at=now))
    compose.compose_due(desk)
    review.take_drafts(desk)
    with desk.db.read() as conn:
        states = conn.execute(select(db.posts.c.state, db.posts.c.returned)).all()
    assert states
    assert all(state == "in_review" and "模板已改动" in str(why) for state, why in states)


def test_a_sample_stands_where_nobody_has_said_anything(desk: Office) -> None:
    with desk.db.write() as conn:
        now, gu = desk.db.now(conn), builders.actor(conn, "gu")

        def tried(key: str, **said: str) -> str:
            text = file_of(desk, key).read_text("utf-8")
            return compose.rehearse(desk, conn, now, gu, key, text, ["hand"], said).text

        assert "（情况：何处发生何事，伤亡和影响）" in tried("emergency")
        assert "明火已扑灭" in tried("emergency", what="明火已扑灭")
        assert "停电通知" in tried("digest")
        assert "示例标题" in tried("correction")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_cannot_be_written_says_so(desk: Office) -> None:
    file_of(desk).chmod(0o444)
    assert compose.template_file(desk, "notice").locked is not None
    with pytest.raises(Conflict, match="没有写的权限"):
        save(desk, GOOD)


def test_a_template_is_no_way_out_of_its_folder(desk: Office) -> None:
    for key in ("../config", ".hidden", "a/b"):
        with pytest.raises(ConfigError, match="没有模板"):
            save(desk, GOOD, "", key)
    with desk.db.read() as conn:
        assert conn.execute(select(audits.c.id).where(audits.c.verb == "template.save")).all() == []
