"""值班 on the console: a month filled in, a table pasted, today's person where he is looked for."""

from __future__ import annotations

from bot import db
from bot.office import Office
from tests.offices import rows
from tests.web.conftest import Enter


def test_a_month_is_filled_in_and_today_s_person_is_shown(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    assert "今日没有排值班" in reader.get("/").words("//main")
    form = {"unit": "county", "on": "2026-11-01", "act": "put"}
    page = reader.post("/duty", **form, **{"day-2026-11-24": "林岚", "day-2026-11-25": "zhou"})
    assert "值班表已存" in page.words("//*[@role='status']")
    assert [r["day"] for r in rows(staffed, db.duties)] == ["2026-11-24", "2026-11-25"]
    for path in ("/", "/stop"):
        assert "今日值班：林岚" in reader.get(path).words("//main")


def test_a_pasted_table_is_taken_whole_or_not_at_all(staffed: Office, enter: Enter) -> None:
    reader, form = enter("zhou"), {"unit": "county", "on": "2026-12-01", "act": "paste"}
    page = reader.post("/duty", **form, pasted="2026-12-01 林岚\n2026-12-02 没这人")
    assert page.status == 422
    assert "没这人" in page.words("//textarea")
    assert rows(staffed, db.duties) == []
    reader.post("/duty", **form, pasted="日期,值班人\n2026-12-01,林岚\n2026-12-02,lin")
    assert len(rows(staffed, db.duties)) == 2
    seen = enter("xu").get("/duty?unit=county&on=2026-12-01")
    assert not seen.all("//input[starts-with(@name, 'day-')]")
    assert "林岚" in seen.words("//main")
    assert enter("xu").post("/duty", **form, pasted="2026-12-03 林岚").status == 403
