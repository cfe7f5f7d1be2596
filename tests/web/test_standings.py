"""常设签发 on the console: granted by a signer, seen whole, ended; why a post was not covered."""

from __future__ import annotations

import pytest

from bot import db, review
from bot.office import Office
from tests import offices
from tests.offices import rows
from tests.test_review import HAND, SOURCE, composed
from tests.web.conftest import Enter

GRANT = {"source": "notices", "ends": "2026-12-31T18:00", "daily_max": "2", "note": ""}


@pytest.fixture
def office(office: Office) -> Office:
    return offices.declared(office, SOURCE + HAND)


def test_a_signer_grants_one_sees_it_whole_and_ends_it(office: Office, enter: Enter) -> None:
    reader = enter("lin")
    page = reader.post("/standings", **GRANT)
    assert page.place.startswith("/standings/1")
    assert "以您的名义签发" in page.words("//*[@role='status']")
    signed, other = composed(office), composed(office, "2", summary="联系人手机 13800138000。")
    review.take_drafts(office)
    page = reader.get("/standings/1")
    assert "1 篇，上限 2 篇" in page.words("//main")
    assert page.all(f"//a[@href='/posts/{signed}']")
    assert "审查有疑点" in page.words(f"//tr[.//a[@href='/posts/{other}']]")
    assert "不在常设签发之内：审查有疑点" in reader.get(f"/review/{other}").words("//main")
    assert "notices" in reader.get("/standings").words("//main//table")
    page = reader.post("/standings/1", act="end")
    assert "已终止" in page.words("//*[@role='status']")
    assert rows(office, db.standings)[0]["ended_at"] is not None


def test_what_is_wrong_is_said_and_stays_and_who_does_not_sign_grants_nothing(
    office: Office, enter: Enter
) -> None:
    reader = enter("lin")
    for change in ({"ends": "2020-01-01T00:00"}, {"daily_max": "0"}, {"daily_max": "许多"}):
        page = reader.post("/standings", **{**GRANT, "note": "已审", **change})
        assert page.status == 422
        assert "将来的截止日期和每日上限" in page.words("//*[@role='alert']")
        assert page.all("//input[@name='note' and @value='已审']")
    assert "您没有可授予的来源" in enter("zhou").get("/standings").words("//main")
    assert enter("zhou").post("/standings", **GRANT).status == 403
    assert rows(office, db.standings) == []
