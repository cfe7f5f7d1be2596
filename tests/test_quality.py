"""The catalogue's quality: every figure is the number of the rows under it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select, update

from bot import catalog, compose
from bot.catalog import kept
from bot.catalog.intake import insert_item
from bot.cli import main
from bot.db import deliveries, insert_id, items, posts, renditions, sources
from bot.db import quality as rows_kept
from bot.model import Act, DeliveryState, Entry, ItemState
from bot.office import Office
from bot.workdays import FixedClock
from tests import builders, offices
from tests.offices import both, pytest_generate_tests, told, url  # noqa: F401

SOURCE = """
[sources.policy]
unit = "county"
kind = "table"
url = "policy.csv"
columns = ["政策文件", "通知公告"]
"""


def day(text: str) -> datetime:
    """A day of 2026, or one written in full, in the office's zone."""
    whole = text if len(text) > 5 else f"2026-{text}"
    return datetime.fromisoformat(f"{whole}T00:00:00+08:00")


class Catalogue:
    """An office with one source, into which a test puts entries as it likes."""

    def __init__(
        self, office: Office, clock: FixedClock, more: str = "", now: str = "11-24"
    ) -> None:
        clock.set(day(now) + timedelta(hours=9))
        self.clock = clock
        self.office = offices.declared(office, SOURCE + more)
        self.added(day(now))

    def added(self, at: datetime) -> None:
        with self.office.db.write() as conn:
            conn.execute(update(sources).values(baseline_at=at))

    def put(self, title: str, **more: Any) -> int:
        fields = {
            "publisher": "云澜县",
            "index_number": "YL1",
            "summary": "概述",
            "column": "通知公告",
        }
        told = {k: more.pop(k, "") for k in ("formed", "published")}
        dates = {k: day(text) for k, text in told.items() if text}
        entry = Entry(key=f"{title}{more}{dates}", title=title, **{**fields, **more, **dates})
        with self.office.db.write() as conn:
            source = conn.execute(select(sources.c.id)).scalar_one()
            now = self.office.db.now(conn)
            return insert_item(conn, now, source, entry, ItemState.SKIPPED, None)

    def sent(self, item_id: int, at: datetime, withdrawn: bool = False) -> None:
        """A post of the entry stands since `at`, or stood until it was taken down."""
        offices_hand = offices.HAND.format(key="hand")
        self.office = offices.declared(self.office, SOURCE + offices_hand)
        with self.office.db.write() as conn:
            who, now = builders.actor(conn, "zhou"), self.office.db.now(conn)
            post = compose.from_item(self.office, conn, now, who, item_id, keys=["hand"])
        with self.office.db.write() as conn:
            row = conn.execute(select(posts).where(posts.c.id == post)).mappings().one()
            rendition = conn.execute(select(renditions.c.id)).scalars().first()
            values = {
                "post_id": post,
                "post_unit_id": row["unit_id"],
                "revision_id": row["revision_id"],
                "rendition_id": rendition,
                "account_id": row["accounts"][0],
                "part": 0,
                "state": DeliveryState.SENT,
                "go_at": at,
                "sent_at": at,
                "changed_at": at,
            }
            act = {"act": Act.PUBLISH, "key": "p", "remote_id": "1"}
            conn.execute(insert(deliveries).values(**values, **act))
            if withdrawn:
                made = conn.execute(select(deliveries.c.id)).scalar_one()
                act = {"act": Act.WITHDRAW, "key": "w", "target_id": made}
                conn.execute(insert(deliveries).values(**values, **act))

    def found(self) -> dict[str, list[str]]:
        """Rule → what is said of each row, but for the columns' own rule where it is beside the point."""
        return {rule: said for rule, said in self._said().items() if rule != "stale"}

    def stale(self) -> list[str]:
        return self._said().get("stale", [])

    def report(self) -> dict[str, Any]:
        """What stands after a look; a second one changes nothing."""
        catalog.check(self.office)
        with self.office.db.read() as conn:
            once = conn.execute(select(rows_kept)).all()
            found = kept.report(conn, kept.figures(conn, {1}))
        catalog.check(self.office)
        with self.office.db.read() as conn:
            assert conn.execute(select(rows_kept)).all() == once
        return found

    def _said(self) -> dict[str, list[str]]:
        made: dict[str, list[str]] = {}
        for source in self.report()["sources"]:
            for check in source["checks"]:
                assert check["count"] == len(check["rows"])
                made.setdefault(check["rule"], []).extend(row["said"] for row in check["rows"])
        return made


@pytest.fixture
def desk(office: Office, clock: FixedClock) -> Catalogue:
    return Catalogue(office, clock)


# ---------------------------------------------------------------- an entry by itself


@both
def test_what_is_missing_is_named(desk: Catalogue) -> None:
    desk.put("关于供水的通知", formed="11-20", published="11-21")
    desk.put("云澜县供水管理办法", formed="11-20", published="11-21", column="政策文件")
    desk.put("关于节水的通知", publisher="", index_number="", summary="")
    found = desk.found()
    assert found["missing"] == ["缺发文字号", "缺发布机构、索引号、内容概述"]
    assert found["undated"] == ["没有成文日期，也没有发布日期"]
    assert len(found["in_time"]) == 2


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"column": "图片新闻"}, ["没有“图片新闻”这个栏目"]),
        ({"column": ""}, ["没有栏目"]),
        ({"topic": "天文、气象\\观测"}, ["没有“天文、气象”这个主题分类"]),
        ({"topic": "综合政务\\政务公开"}, []),
        ({"title": "《供水办法》解读", "column": "政策文件"}, ["解读放在了政策文件栏目"]),
        (
            {
                "title": "云澜县供水办法",
                "column": "政策解读",
                "document_number": "云政发〔2026〕1号",
            },
            ["政策文件放在了解读栏目"],
        ),
    ],
)
def test_what_stands_in_the_wrong_place(
    office: Office, clock: FixedClock, entry: dict[str, str], said: list[str]
) -> None:
    more = '[quality]\ncolumns = ["通知公告", "政策文件", "政策解读"]\n'
    desk = Catalogue(office, clock, more)
    desk.put(**{"title": "关于供水的通知", **entry})
    assert desk.found().get("column", []) == said


# ---------------------------------------------------------------- the clock


@pytest.mark.parametrize(
    ("formed", "published", "rule", "said"),
    [
        ("09-18", "10-22", "in_time", "第 20 个工作日公开，期限 20 个"),
        ("09-18", "10-23", "late", "第 21 个工作日才公开，期限 20 个"),
        ("11-20", "", "running", "还剩 18 个工作日"),
        ("10-28", "", "due", "还剩 1 个工作日"),
        ("10-27", "", "due", "期限就在今天"),
        ("10-26", "", "overdue", "期限已过 1 个工作日，仍未公开"),
    ],
)
def test_twenty_working_days_from_the_day_it_was_formed(
    desk: Catalogue, formed: str, published: str, rule: str, said: str
) -> None:
    """2026-09-18 + 20 is 10-22: 中秋, 国庆 and a worked Saturday and Sunday lie between."""
    desk.put("关于供水的通知", formed=formed, published=published)
    assert desk.found() == {rule: [said]}


@pytest.mark.parametrize(
    ("title", "column", "rule"),
    [
        ("行政处罚决定书（云市监罚〔2026〕3号）", "通知公告", "late"),
        ("云澜县某餐饮店食品经营", "行政许可", "late"),
        ("行政许可事项目录", "行政许可", "in_time"),
        ("关于规范行政处罚的通知", "通知公告", "in_time"),
    ],
)
def test_licences_and_penalties_have_seven(
    desk: Catalogue, title: str, column: str, rule: str
) -> None:
    desk.put(title, column=column, formed="11-09", published="11-19")
    assert list(desk.found()) == [rule]


def test_history_is_listed_apart(desk: Catalogue) -> None:
    desk.put("甲", formed="1996-06-29", published="2018-12-24")
    desk.put("乙", formed="2024-01-03")
    desk.put("丙", formed="01-05", published="03-20")
    desk.added(day("2025-01-01"))
    desk.put("丁", formed="07-01", published="10-20")
    found = desk.found()
    assert {rule: len(rows) for rule, rows in found.items()} == {"history": 3, "late": 1}


def test_a_year_without_announced_holidays_is_not_guessed(
    office: Office, clock: FixedClock
) -> None:
    desk = Catalogue(office, clock, now="12-30")
    desk.put("甲", formed="12-24", published="12-28")
    desk.put("乙", formed="12-24")
    assert {rule: len(rows) for rule, rows in desk.found().items()} == {"in_time": 1, "unknown": 1}


@both
def test_what_went_out_in_a_post_is_public(desk: Catalogue) -> None:
    item = desk.put("关于供水的通知", formed="10-09")
    assert list(desk.found()) == ["overdue"]
    desk.sent(item, day("10-20"))
    assert desk.found() == {"in_time": ["第 8 个工作日公开，期限 20 个"]}  # 10-10 is worked


def test_dates_that_contradict_each_other_are_told(desk: Catalogue) -> None:
    desk.put("甲", formed="11-20", published="11-10")
    assert list(desk.found()) == ["dates"]


# ---------------------------------------------------------------- entries beside each other


def test_the_same_document_twice(desk: Catalogue) -> None:
    first = desk.put("关于供水的通知", document_number="云水〔2026〕3号", published="11-20")
    second = desk.put("关于供水的通知 ", document_number="云水〔2026〕3号", published="11-21")
    desk.put("关于供水的通知", document_number="云水〔2026〕4号", published="11-21")
    desk.put("六个一", published="2026-03-25")
    desk.put("六个一", published="11-18")
    said = [f"与 #{second} 标题、文号相同", f"与 #{first} 标题、文号相同"]
    assert desk.found()["duplicate"] == said


def test_columns_gone_stale_and_empty_ones(desk: Catalogue) -> None:
    desk.put("甲", column="工作动态", published="11-09")
    desk.put("乙", column="通知公告", published="05-01")
    desk.put("丙", column="会议", published="06-01")
    assert desk.stale() == [
        "“政策文件”是空栏目",
        "“工作动态”已 15 天没有更新",
        "“通知公告”已 207 天没有更新",
    ]


def test_a_column_is_alive_and_a_document_interpreted_wherever_the_unit_does_so(
    desk: Catalogue,
) -> None:
    """An archive taken in beside the living catalogue, and one source looked at by itself."""
    number = {"document_number": "云政发〔2026〕9号", "column": "政策文件", "published": "11-10"}
    archived = [
        desk.put("云澜县供水发展规划", **number),
        desk.put("关于旧事的通知", published="2019-03-01"),
    ]
    desk.put("《云澜县供水发展规划》解读", column="政策解读", published="11-11")
    desk.put("关于停水的通告", published="11-20")
    with desk.office.db.write() as conn:
        of = {"key": "archive", "kind": "table", "unit_id": 1, "state": "active"}
        made = insert_id(conn, sources, {**of, "baseline_at": desk.office.db.now(conn)})
        conn.execute(update(items).where(items.c.id.in_(archived)).values(source_id=made))
    catalog.check(desk.office)
    with desk.office.db.read() as conn:
        (archive,) = kept.figures(conn, {1}, source="archive")
        (living,) = kept.figures(conn, {1}, source="policy")
    assert (archive.items, archive.checks) == (2, {})
    assert (living.unit, living.items) == ("county", 2)


def test_a_document_on_interpreting_is_none(desk: Catalogue) -> None:
    number = {"document_number": "云政办发〔2026〕9号", "column": "政策文件"}
    desk.put("云澜县人民政府办公室关于加强政策解读工作的通知", published="11-20", **number)
    desk.put("《云澜县供热办法》政策解读", published="11-20", column="政策文件")
    assert desk.found()["column"] == ["解读放在了政策文件栏目"]


def test_a_source_without_any_entry_keeps_its_findings(desk: Catalogue) -> None:
    (empty,) = desk.report()["sources"]
    assert (empty["items"], [check["rule"] for check in empty["checks"]]) == (0, ["stale"])


@pytest.mark.parametrize(
    ("published", "interpretation", "missing"),
    [
        ("11-18", "", True),
        ("11-19", "", False),
        ("11-02", "一图读懂《云澜县供水管理办法》", False),
        ("11-02", "《云澜县供热管理办法》政策解读", True),
    ],
)
def test_a_policy_wants_its_interpretation_in_three_working_days(
    desk: Catalogue, published: str, interpretation: str, missing: bool
) -> None:
    number = {"document_number": "云政发〔2026〕9号", "column": "政策文件"}
    desk.put("云澜县人民政府关于印发《云澜县供水管理办法》的通知", published=published, **number)
    if interpretation:
        desk.put(interpretation, published="11-20", column="政策解读")
    assert ("uninterpreted" in desk.found()) is missing


# ---------------------------------------------------------------- 公示


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("公示期：2026年11月10日至11月16日。", True),
        ("公示时间为2026年11月20日至2026年11月26日", False),
        ("公示期为5个工作日。", True),
        ("公示期七天，如有异议请反映。", True),
        ("公示期为15个工作日。", False),
        ("如有异议请反映。", True),
    ],
)
def test_a_list_of_people_is_taken_down_when_its_period_ends(
    desk: Catalogue, text: str, ended: bool
) -> None:
    desk.put("2026年学生资助名单公示", body=text, published="11-10")
    desk.put("建设项目环评公示", body=text, published="11-10")
    assert len(desk.found().get("take_down", [])) == ended


@both
def test_people_are_told_until_it_is_taken_down(desk: Catalogue) -> None:
    item = desk.put("拟录用人员公示", body="公示期：2026年11月10日至11月16日。", published="11-10")
    assert catalog.remind(desk.office) == 1
    assert catalog.remind(desk.office) == 1
    (said,) = told(desk.office)
    assert "拟录用人员公示" in said
    assert "2026-11-16" in said
    with desk.office.db.write() as conn:
        conn.execute(update(items).where(items.c.id == item).values(gone_at=desk.clock.now()))
    assert catalog.remind(desk.office) == 0
    assert told(desk.office) == []


@pytest.mark.parametrize(("withdrawn", "ended"), [(False, 1), (True, 0)])
def test_a_list_that_went_out_in_a_post_must_be_withdrawn(
    desk: Catalogue, withdrawn: bool, ended: int
) -> None:
    item = desk.put("拟录用人员公示", body="公示期：2026年11月10日至11月16日。", published="11-10")
    desk.sent(item, day("11-10"), withdrawn)
    with desk.office.db.write() as conn:
        conn.execute(update(items).values(gone_at=desk.clock.now()))
    assert catalog.remind(desk.office) == ended


# ---------------------------------------------------------------- shown


def test_shown_as_json_as_a_workbook_and_by_rule(desk: Catalogue, tmp_path: Path) -> None:
    desk.put("=关于供水的通知", formed="10-09")
    desk.put("关于节水的通知", formed="11-09", published="11-10")
    with desk.office.db.write() as conn:
        conn.execute(update(sources).values(name="县政府公开目录"))
    config = desk.office.config.path
    there = desk.office.db.url.render_as_string(hide_password=False)
    config.write_text(config.read_text("utf-8") + f'\n[database]\nurl = "{there}"\n', "utf-8")

    def run(*args: str) -> Any:
        return CliRunner().invoke(main, ["--config", str(config), "item", "quality", *args])

    (source,) = json.loads(run("--unit", "county", "--json").output)["sources"]
    counts = {check["rule"]: check["count"] for check in source["checks"]}
    assert (source["items"], counts["in_time"]) == (2, 1)
    assert (source["source"], source["name"]) == ("policy", "县政府公开目录")
    assert {r["source_name"] for c in source["checks"] for r in c["rows"]} == {source["name"]}
    assert "in_time" in run("--rule", "in_time").output
    assert "没有来源 polcy" in run("--source", "polcy").output
    assert "没有检查项" in run("--rule", "none").output
    file = tmp_path / "quality.xlsx"
    assert run("--xlsx", str(file)).exit_code == 0
    sheet = openpyxl.load_workbook(file).active
    assert sheet is not None
    rows = list(sheet.values)
    assert len(rows) == 1 + sum(counts.values())
    assert "'=关于供水的通知" in {row[4] for row in rows}
    assert {row[1] for row in rows[1:]} == {source["name"]}


# ---------------------------------------------------------------- real documents


SAMPLE = Path(__file__).resolve().parents[1] / "../shared/samples/catalogue"
CELL = r"<b>{}：</b></td>\s*<td[^>]*>([^<]*)</td>"


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the samples are not here")
@pytest.mark.parametrize("now", ["2019-02-17", "2026-11-24"])
def test_old_documents_of_the_state_council_do_not_shout(
    office: Office, clock: FixedClock, now: str
) -> None:
    (export,) = SAMPLE.glob("*.sql")
    rows = export.read_text("utf-8").split("INSERT INTO ge_policy_raw")[1:]
    heads = {"formed": "成文日期", "published": "发布日期"}
    records = [
        {
            "标题": re.search(r"'([^']*(?:决定|意见|通知|函|答复))'", row)[1],  # type: ignore[index]
            **{head: re.search(CELL.format(head), row)[1] for head in heads.values()},  # type: ignore[index]
        }
        for row in rows
    ]
    desk = Catalogue(office, clock, now=now)
    for entry in catalog.entries_of(desk.office, records):
        dates = {k: f"{getattr(entry, k).astimezone(desk.office.config.tz):%F}" for k in heads}
        desk.put(entry.title, **dates)
    found = desk.found()
    assert "第 14 个工作日公开，期限 20 个" in found["in_time"]
    assert len(found["in_time"]) == 3
    assert len(found["history"]) == 12
    assert not {"late", "overdue", "due", "unknown"} & found.keys()
