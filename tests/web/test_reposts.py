"""请求转发: asked on the post's page, signed by the unit asked, and seen by who asked."""

from __future__ import annotations

from sqlalchemy import select, update

from bot import db, people
from bot.deliver import plan
from bot.model import Role
from bot.office import Office
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter


def matrix(office: Office) -> int:
    """A post of the county's that is out by hand, and accounts of two units on the same platform."""
    with office.db.write() as conn:
        for n, (key, name) in enumerate((("health", "卫健局"), ("fire", "消防"))):
            unit = builders.unit(conn, key, people.unit_of(conn, "county")["id"])
            conn.execute(update(db.units).where(db.units.c.id == unit).values(name=name))
            more = {"name": f"{name}发布", "options": {"platform": "微博"}, "unit_id": unit}
            scene.account(conn, f"hand{n}", "byhand", **more)
        builders.person(conn, "jian", "简医", Role.SIGNER, "health")
    made = scene.signed(office, title="医保缴费提醒", text="集中缴费期到12月31日。", keys=("hand",))
    scene.delivery(
        office, made, state="sent", url="https://weibo.example/1/A", remote_id="A", sent_at=builders.NOW
    )  # fmt: skip
    return made


def test_asked_signed_reposted_and_seen(staffed: Office, enter: Enter) -> None:
    post = matrix(staffed)
    asker = enter("zhou")
    page = asker.get(f"/posts/{post}")
    assert "请别的账号转发" in page.words()
    page = asker.get(f"/posts/{post}/reposts")
    assert page.all("//input[@name='keys']/@value") == ["hand0", "hand1"], "not its own account"
    page = asker.post(f"/posts/{post}/reposts", act="ask", keys=["hand0"])
    assert (page.status, "最迟" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//input[@name='keys' and @checked]/@value") == ["hand0"]
    form = {"act": "ask", "by": "2026-11-25T18:00"}
    page = asker.post(f"/posts/{post}/reposts", keys=["hand0", "hand1"], **form)
    assert "等候该单位审签" in page.words("//tr[@data-row]")
    signer = enter("jian")
    page = signer.get("/review")
    assert [n.text_content() for n in page.all("//a[@data-row]//b")] == ["转发：医保缴费提醒"]
    repost = int(page.all("//a[@data-row]/@href")[0].rpartition("/")[2])
    assert "集中缴费期到12月31日。" in page.words("//article")
    assert "转发这一条：https://weibo.example/1/A" in page.words("//article")
    with staffed.db.read() as conn:
        digest = scene.digest(conn, repost)
    signer.post(f"/review/{repost}", verdict="pass", digest=digest)
    plan.plan_due(staffed)
    scene.delivery(staffed, repost, state="sent", sent_at=builders.NOW)
    page = asker.get(f"/posts/{post}/reposts")
    assert "已转发 1 / 2" in page.words()
    assert "卫健局发布卫健局 已发出 签发 简医 09:00" in page.words("//tr[@data-row][1]")
    with staffed.db.read() as conn:
        (other,) = conn.execute(
            select(db.posts.c.id).where(db.posts.c.kind == "repost", db.posts.c.id != repost)
        ).scalars()
    page = asker.post(f"/posts/{post}/reposts", act="off", repost=str(other))
    assert "请求已收回" in page.words()
    assert asker.post(f"/posts/{post}/reposts", act="off", repost=str(post)).status == 404
    assert enter("jian").get(f"/posts/{post}/reposts").status == 404, "another unit's post"


def test_who_asked_another_unit_sees_what_became_of_it(staffed: Office, enter: Enter) -> None:
    """Fire asks health, neither above the other: the repost is read there, and nothing done to it."""
    post = matrix(staffed)
    with staffed.db.write() as conn:
        builders.person(conn, "huo", "霍安", Role.EDITOR, "fire")
        fire = people.unit_of(conn, "fire")["id"]
        conn.execute(update(db.posts).values(unit_id=fire))
    asker, signer = enter("huo"), enter("jian")
    asker.post(f"/posts/{post}/reposts", act="ask", by="2026-11-25T18:00", keys=["hand0"])
    repost = int(signer.get("/review").all("//a[@data-row]/@href")[0].rpartition("/")[2])
    with staffed.db.read() as conn:
        digest = scene.digest(conn, repost)
    signer.post(f"/review/{repost}", verdict="return", digest=digest, note="与我局口径不同")
    assert "简医退回：与我局口径不同" in asker.get(f"/posts/{post}/reposts").words()
    page = asker.get(f"/posts/{repost}")
    assert "与我局口径不同" in page.words()
    assert not page.all("//main//button")
    assert asker.post(f"/posts/{repost}", act="close").status == 403
