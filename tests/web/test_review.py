"""审签: exactly what a signature covers, and giving, refusing, recording it."""

from __future__ import annotations

import io
from datetime import timedelta

from PIL import Image
from sqlalchemy import select, update

from bot import compose, db, media, people, review
from bot.compose import Body
from bot.deliver import plan
from bot.model import DeliveryState, Media, Verdict
from bot.office import Office
from bot.web import counts
from tests import builders
from tests.web import scene
from tests.web.conftest import Enter


def picture(office: Office, colour: int = 90) -> Media:
    out = io.BytesIO()
    Image.new("RGB", (64, 40), (colour, 90, 90)).save(out, "PNG")
    with office.db.write() as conn:
        return media.take_picture(office.media, conn, builders.NOW, out.getvalue(), "a.png", "日历")


def revised(office: Office, post: int, body: Body, keys: tuple[str, ...] = ("board",)) -> None:
    with office.db.write() as conn:
        zhou = builders.actor(conn, "zhou")
        version = conn.execute(select(db.posts.c.version).where(db.posts.c.id == post)).scalar_one()
        compose.revise(office, conn, builders.NOW, zhou, post, version, body, keys)
        review.submit(office, conn, builders.NOW, zhou, post)


def current(office: Office, post: int) -> str:
    with office.db.read() as conn:
        return scene.digest(conn, post)


def test_the_list_is_what_i_may_sign_and_its_figure_counts_it(
    staffed: Office, enter: Enter
) -> None:
    scene.submitted(staffed, title="等签发的")
    reader = enter("lin")
    page = reader.get("/review")
    assert [n.text_content().strip() for n in page.all("//a[@class='it']/b")] == ["等签发的"]
    assert "待我审签 1" in page.words()
    assert page.all("//nav[@class='rail']//a[@class='badge']/text()") == ["1"]
    empty = enter("zhou").get("/review").words()
    assert "没有待您审签的稿件" in empty
    assert "请从列表选一篇" not in empty, "there is no list to choose from"


def test_the_figure_agrees_with_the_stages_own_list_for_everybody(staffed: Office) -> None:
    for n in range(3):
        scene.submitted(staffed, title=f"普通 {n}", go_at=builders.NOW + timedelta(hours=3 - n))
    scene.submitted(staffed, title="紧急", emergency=True)
    returned = scene.submitted(staffed, title="退过的", emergency=True)
    for login, verdict in (("shen", Verdict.PASS), ("lin", Verdict.RETURN)):
        with staffed.db.write() as conn:
            word = review.Decision(verdict, scene.digest(conn, returned), "请核对")
            review.decide(staffed, conn, builders.NOW, builders.actor(conn, login), returned, word)
    with staffed.db.write() as conn:
        review.submit(staffed, conn, builders.NOW, builders.actor(conn, "zhou"), returned)
        other = builders.unit(conn, "health")
        scene.account(conn, "clinic", "mastodon", unit_id=other)
    scene.submitted(staffed, title="借别处账号", keys=("board", "clinic"))
    seen = 0
    with staffed.db.read() as conn:
        for login in ("zhou", "shen", "lin", "gu", "xu", "he"):
            who = builders.actor(conn, login)
            theirs = [row["id"] for row in review.waiting_for(staffed, conn, who)]
            posts = conn.execute(select(db.posts).where(db.posts.c.state == "in_review"))
            may = {p["id"] for p in posts.mappings() if review.may_sign(staffed, conn, who, p)}
            assert set(theirs) == may, login
            figure = counts.badges(conn, staffed, who, people.unit_ids(conn, who))["review"]
            assert figure == len(theirs), login
            seen += len(theirs)
    assert seen > 5


def test_what_is_signed_stands_there_to_the_byte_with_its_figures(
    staffed: Office, enter: Enter
) -> None:
    text = "【停水】望江路 <b>停水</b> & 9月25日\n第二段  两个空格"
    post = scene.post(staffed, title="旧题")
    body = Body(text=text, title="停水", media=(picture(staffed),), variants={"masto": "只给云澜"})
    revised(staffed, post, body, ("board", "masto"))
    page = enter("lin").get(f"/review/{post}")
    texts = [node.text_content() for node in page.all("//article//*[@class='text']")]
    assert texts == [text, "只给云澜"]
    covers = page.words("//*[contains(@class, 'covers')]")
    for said in (
        "签发即对以下内容负责",
        "文本 2 份、图片 1 张、账号 2 个",
        "11:00 以前",
        "公开栏",
        "云澜",
    ):
        assert said in covers
    digest = current(staffed, post)
    assert f"{digest[:4]} {digest[4:8]}" in covers
    assert page.all("//input[@name='digest']/@value")[0] == digest
    assert page.all("//article//img/@alt") == ["日历", "日历"]
    served = enter("lin").get(page.all("//article//img/@src")[0]).answer
    assert (served.headers["content-type"], served.content[:4]) == ("image/png", b"\x89PNG")


def test_texts_alike_to_the_byte_are_shown_once_for_all_their_accounts(
    staffed: Office, enter: Enter
) -> None:
    with staffed.db.write() as conn:
        scene.account(conn, "masto2", "mastodon", name="云澜二号")
    post = scene.submitted(staffed, keys=("masto", "masto2"))
    page = enter("lin").get(f"/review/{post}")
    assert len(page.all("//article")) == 1
    assert "@masto" in page.words("//article/header")
    assert "@masto2" in page.words("//article/header")
    assert "文本 2 份" in page.words("//*[contains(@class, 'covers')]")


def test_findings_are_marked_in_the_text_numbered_and_listed(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed, text="请拨 13800138000 联系。", keys=("board", "masto"))
    page = enter("lin").get(f"/review/{post}")
    marks = page.all("//article//mark[@class='warn']")
    assert [mark.text for mark in marks] == ["13800138000"] * 2
    assert [mark.xpath("./sup/text()") for mark in marks] == [["1"], ["1"]]
    assert "疑似手机号码" in page.words("//*[@id='f1']")


def test_passing_the_last_step_signs_and_the_post_is_approved(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    page = enter("lin").post(
        f"/review/{post}", verdict="pass", digest=current(staffed, post), note=""
    )
    assert "已签发" in page.words()
    assert scene.state_of(staffed, db.posts, post) == "approved"


def test_the_window_the_signer_typed_is_the_one_that_is_signed(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    window = {"begins": "2026-11-24T15:00", "ends": "2026-11-24T16:30"}
    enter("lin").post(f"/review/{post}", verdict="pass", digest=current(staffed, post), **window)
    with staffed.db.read() as conn:
        row = conn.execute(select(db.approvals)).mappings().one()
    begins = builders.NOW + timedelta(hours=6)
    assert (row["begins"], row["ends"]) == (begins, begins + timedelta(minutes=90))


def test_a_post_for_a_slot_is_signed_for_the_slots_the_page_names(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    with staffed.db.write() as conn:
        conn.execute(update(db.posts).where(db.posts.c.id == post).values(slot="morning"))
    page = enter("lin").get(f"/review/{post}")
    assert "在 日程 morning 的时段（不限时间） 发出" in page.words(
        "//*[contains(@class, 'covers')]"
    )
    shown = {name: page.all(f"//input[@name='{name}']/@value")[0] for name in ("begins", "ends")}
    enter("lin").post(f"/review/{post}", verdict="pass", digest=current(staffed, post), **shown)
    with staffed.db.read() as conn:
        row = conn.execute(select(db.approvals)).mappings().one()
    assert (row["begins"], row["ends"]) == (None, None)


def test_a_post_without_deliveries_says_what_it_waits_for(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed, slot="morning")
    reader = enter("lin")
    assert "签后等日程 morning 的时段" in reader.get("/review").words("//a[@data-row]")
    assert "等待审次：签发" in reader.get(f"/posts/{post}").words("//div[@class='note']")
    with staffed.db.read() as conn:
        digest = scene.digest(conn, post)
    reader.post(f"/review/{post}", digest=digest, verdict="pass")
    assert "等日程 morning 的下一个时段" in reader.get(f"/posts/{post}").words(
        "//div[@class='note']"
    )


def test_returning_without_a_note_keeps_everything_on_the_page(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    page = enter("lin").post(f"/review/{post}", verdict="return", digest=current(staffed, post))
    assert page.status == 422
    assert "须写明意见" in page.words("//*[@role='alert']")
    assert page.all("//button[@value='pass']")
    assert scene.state_of(staffed, db.posts, post) == "in_review"


def test_a_returned_post_tells_its_author_why(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    digest = current(staffed, post)
    enter("lin").post(f"/review/{post}", verdict="return", digest=digest, note="写明电话")
    reader = enter("zhou")
    assert "林岚退回：写明电话" in reader.get(f"/posts/{post}").words()
    assert "已退回" in reader.get("/posts?state=returned").words()
    page = reader.get("/")
    assert "1 退回给我" in page.words("//nav[contains(@class, 'wait')]")
    listed = page.all("//nav[contains(@class, 'wait')]//a[contains(., '退回给我')]/@href")[0]
    assert len(reader.get(listed).all("//tr[@data-row]")) == 1
    assert not enter("lin").get(listed).all("//tr[@data-row]"), "his own only"


def test_what_was_typed_stays_when_another_was_quicker(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    seen = current(staffed, post)
    revised(staffed, post, Body(text="新的一版。", title="停水通知"))
    page = enter("lin").post(f"/review/{post}", verdict="return", digest=seen, note="我的意见")
    assert page.status == 422
    assert "不是当前这一版" in page.words("//*[@role='alert']")
    assert page.all("//textarea[@name='note']")[0].text == "我的意见"
    assert page.all("//input[@name='digest']/@value")[0] == current(staffed, post)


def test_the_author_sees_why_he_cannot_sign_and_no_button(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    page = enter("zhou").get(f"/review/{post}")
    assert not page.all("//button[@name='verdict']")
    assert "由签发人办理" in page.words("//*[contains(@class, 'note')]")
    digest = current(staffed, post)
    assert enter("zhou").post(f"/review/{post}", verdict="pass", digest=digest).status == 422
    assert scene.state_of(staffed, db.posts, post) == "in_review"


def test_the_difference_is_from_the_version_i_decided_on(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed, text="9月25日（星期四）停水。")
    digest = current(staffed, post)
    reader = enter("lin")
    reader.post(f"/review/{post}", verdict="return", digest=digest, note="星期有误")
    revised(staffed, post, Body(text="9月25日停水。", title="停水通知"))
    revised(staffed, post, Body(text="9月25日（星期五）停水。", title="停水通知"))
    page = reader.get(f"/review/{post}?diff=1")
    assert "与版本 1 比较" in page.words()
    assert page.all("//article//del")[0].text == "四"
    assert page.all("//article//ins")[0].text == "五"


def test_who_signs_a_withdrawal_reads_that_it_takes_down_and_why(
    staffed: Office, enter: Enter
) -> None:
    """Not a word on the page may let it pass for sending the same text again."""
    post = scene.signed(staffed)
    scene.delivery(staffed, post, state=DeliveryState.SENT, remote_id="1", due_at=None)
    editor = enter("zhou")
    editor.post(f"/posts/{post}", act="withdraw", reason="误发个人信息")
    page = editor.post(f"/posts/{post + 1}", act="submit")
    assert "误发个人信息" in page.words()
    for path in (f"/review/{post + 1}", f"/review/{post + 1}/sheet"):
        assert "误发个人信息" in enter("lin").get(path).words()
    page = enter("lin").get(f"/review/{post + 1}")
    assert "不是再发一遍" in page.words()
    assert "签后即发" not in page.words("//article[contains(@class, 'rendition')]")


def test_a_post_taken_down_and_its_withdrawal_lead_to_each_other_and_neither_reads_published(
    staffed: Office, enter: Enter
) -> None:
    post = scene.signed(staffed)
    scene.delivery(staffed, post, state=DeliveryState.SENT, remote_id="1", due_at=None)
    with staffed.db.write() as conn:
        who = builders.actor(conn, "zhou")
        taken = compose.withdrawal(staffed, conn, builders.NOW, who, post, "误发个人信息")
    builders.sign(staffed, taken)
    plan.plan_due(staffed)
    scene.delivery(staffed, taken, state=DeliveryState.SENT, due_at=None)
    reader = enter("xu")
    for here, there in ((post, taken), (taken, post)):
        page = reader.get(f"/posts/{here}")
        assert page.all(f"//ul[@class='things']//a[@href='/posts/{there}']")
        assert "已撤回" in page.words("//section[1]/header")
        assert "已发布" not in page.words()


def test_a_changed_source_is_told_beside_the_text(staffed: Office, enter: Enter) -> None:
    item = scene.item(staffed)
    post = scene.submitted(staffed, item_id=item, item_revision=1)
    reader = enter("lin")
    assert "成稿后来源未再改动" in reader.get(f"/review/{post}").words()
    with staffed.db.write() as conn:
        entry = conn.execute(select(db.items.c.entry).where(db.items.c.id == item)).scalar_one()
        row = {"item_id": item, "number": 2, "digest": "d", "entry": entry, "at": builders.NOW}
        conn.execute(db.item_revisions.insert().values(**row))
    assert "来源又有改动" in reader.get(f"/review/{post}").words()


def test_an_offline_sign_off_takes_the_signed_sheet_and_says_so_for_ever(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed)
    recorder = enter("gu")
    sheet = recorder.get(f"/review/{post}/sheet")
    assert current(staffed, post) in sheet.words()
    form = {"digest": current(staffed, post), "signed_by": "罗县长"}
    page = recorder.post(f"/review/{post}/offline", **form)
    assert (page.status, "请附上签批单" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//input[@name='signed_by']/@value") == ["罗县长"], "what was typed stays"
    files = {"sheet": ("单.pdf", b"%PDF-1.4 signed", "application/pdf")}
    page = recorder.post(f"/review/{post}/offline", files=files, **form)
    assert "已登记线下签批" in page.words()
    assert scene.state_of(staffed, db.posts, post) == "approved"
    page = enter("xu").get(f"/posts/{post}")
    steps = page.words("//ol[@class='steps']")
    assert "罗县长" in steps
    assert "线下签批" in steps
    printed = enter("xu").get(f"/review/{post}/sheet").words("//table[@class='signs']")
    assert "罗县长" in printed
    assert "纸上签字，顾明登记" in printed
    kept = enter("xu").get(page.all("//ol[@class='steps']//a/@href")[0]).answer
    assert kept.content == b"%PDF-1.4 signed"
    assert kept.headers["content-disposition"].startswith("attachment")


def test_a_sheet_cannot_be_recorded_by_who_may_not(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    files = {"sheet": ("s.pdf", b"%PDF-1.4", "application/pdf")}
    form = {"digest": current(staffed, post), "signed_by": "罗县长"}
    assert enter("shen").post(f"/review/{post}/offline", files=files, **form).status == 403
    assert not enter("shen").get(f"/review/{post}").all("//input[@name='sheet']")


def test_a_verdict_that_is_none_is_refused(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    page = enter("lin").post(f"/review/{post}", verdict="maybe", digest=current(staffed, post))
    assert (page.status, "请选择" in page.words("//*[@role='alert']")) == (422, True)


def test_a_broken_account_is_told_before_signing(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed)
    with staffed.db.write() as conn:
        conn.execute(update(db.accounts).values(state="broken"))
    assert "账号恢复前不会发出" in enter("lin").get(f"/review/{post}").words()


def test_what_i_signed_stays_in_my_list(staffed: Office, enter: Enter) -> None:
    post = scene.submitted(staffed, title="签过的")
    with staffed.db.write() as conn:
        lin = builders.actor(conn, "lin")
        word = review.Decision(Verdict.PASS, scene.digest(conn, post))
        review.decide(staffed, conn, builders.NOW, lin, post, word)
    assert "签过的" in enter("lin").get("/review?view=signed").words()


def test_several_without_findings_are_read_whole_and_signed_together(
    staffed: Office, enter: Enter
) -> None:
    first = scene.submitted(staffed, title="供水", text="望江路供水恢复。")
    second = scene.submitted(staffed, title="供气", text="望江路供气恢复。")
    doubtful = scene.submitted(staffed, title="预约", text="请拨 13800138000 预约。")
    reader = enter("lin")
    ticks = reader.get("/review").all("//input[@name='one']/@value")
    assert [tick.partition(":")[0] for tick in ticks] == [str(first), str(second)]
    page = reader.get("/review/together?" + "&".join(f"one={tick}" for tick in ticks))
    assert [n.text for n in page.all("//article//*[@class='text']")] == [
        "望江路供水恢复。",
        "望江路供气恢复。",
    ]
    assert "供水、供气" in page.words("//*[contains(@class, 'covers')]")
    revised(staffed, second, Body(text="望江路供气明日恢复。", title="供气"))
    forged = [*ticks, f"{doubtful}:0:{current(staffed, doubtful)}:"]
    page = reader.post("/review/together", one=forged)
    assert "已办 1 篇" in page.words()
    assert "在您看过之后有了新版本" in page.words("//*[@role='alert']")
    assert "须单独审签" in page.words("//*[@role='alert']")
    states = [scene.state_of(staffed, db.posts, each) for each in (first, second, doubtful)]
    assert states == ["approved", "in_review", "in_review"]
    for nothing in ("", "?one=x", "?one=99:0:ab:", "?one=1"):
        assert reader.get(f"/review/together{nothing}").status in (404, 422)


# ---------------------------------------------------------------- 代签


AWAY = {"unit": "county", "taker": "shen", "reason": "赴省开会", "ends": "2026-11-27T18:00"}


def test_who_is_away_names_another_who_signs_for_him_and_both_names_stand(
    staffed: Office, enter: Enter
) -> None:
    post = scene.submitted(staffed, title="等签发的", author="zhou")
    giver, taker = enter("lin"), enter("shen")
    page = giver.get("/me/delegation")
    offered = page.all("//select[@name='taker']/option/@value")
    assert "shen" in offered
    assert "lin" not in offered
    page = giver.post("/me/delegation", act="make", **AWAY)
    assert (page.status, "请选代签的审次" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//select[@name='taker']/option[@selected]/@value") == ["shen"]
    page = giver.post("/me/delegation", act="make", steps="签发", **AWAY)
    assert "沈棠 代 林岚" in page.words("//tr[@data-row]")
    assert "代签中" in page.words("//tr[@data-row]")
    for place in ("/me", "/people/shen", "/people/lin"):
        assert "沈棠 代 林岚" in taker.get(place).words(), place
    page = taker.get("/review")
    assert "您代林岚审签（签发）" in page.words()
    assert page.all("//a[@data-row]//span[@class='tag']/text()") == ["签发", "代 林岚"]
    assert page.all("//input[@name='behalf']/@value") == ["lin"]
    digest = current(staffed, post)
    refused = taker.post(f"/review/{post}", verdict="pass", digest=digest)
    assert "只能代林岚办理" in refused.words("//*[@role='alert']")
    page = taker.post(f"/review/{post}", verdict="pass", digest=digest, behalf="lin")
    assert "已签发" in page.words()
    assert "沈棠 代 林岚" in enter("xu").get(f"/posts/{post}").words("//ol[@class='steps']")
    sheet = taker.get(f"/review/{post}/sheet").words("//table[@class='signs']")
    assert "签发通过沈棠 代 林岚2026-11-24 09:00:00" in sheet
    assert "等签发的" in giver.get("/review?view=signed").words()


def test_an_administrator_ends_it_from_the_person_s_page_and_another_cannot(
    staffed: Office, enter: Enter
) -> None:
    enter("lin").post("/me/delegation", act="make", steps="签发", **AWAY)
    form = {"act": "end", "delegation": "1"}
    assert enter("xu").post("/me/delegation", **form).status == 403
    assert not enter("xu").get("/people/lin").all("//button[@value='end']")
    page = enter("gu").post("/me/delegation", back="/people/lin", **form)
    assert page.place == "/people/lin?done=end"
    assert "已终止" in page.words("//tr[@data-row]")
    assert "没有可委托的审次" in enter("xu").get("/me/delegation").words()
