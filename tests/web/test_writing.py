"""写稿 and 稿件: the form, what would be sent, and nothing typed is ever lost."""

from __future__ import annotations

import io
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import Engine, event, select

from bot import db
from bot.model import DeliveryState
from bot.office import Office
from tests import builders
from tests.test_cards import needs_font
from tests.web import scene
from tests.web.conftest import Enter


def body(office: Office, post: int) -> dict[str, Any]:
    with office.db.read() as conn:
        query = select(db.revisions.c.body).join(
            db.posts, db.posts.c.revision_id == db.revisions.c.id
        )
        found: dict[str, Any] = conn.execute(query.where(db.posts.c.id == post)).scalar_one()
        return found


def row(office: Office, post: int) -> Any:
    with office.db.read() as conn:
        return conn.execute(select(db.posts).where(db.posts.c.id == post)).mappings().one()


def revisions(office: Office) -> int:
    with office.db.read() as conn:
        return len(conn.execute(select(db.revisions.c.id)).all())


FORM: dict[str, Any] = {
    "title": "停水通知",
    "text": "望江路明日停水。",
    "keys": ["board", "masto"],
    "act": "save",
}


def test_a_post_is_written_saved_and_handed_in(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    page = reader.post("/posts/new", **FORM, link="https://example.cn/1", go_at="2026-11-24T15:00")
    assert page.place == "/posts/1/edit?done=saved"
    assert "已保存" in page.words()
    made = row(staffed, 1)
    assert (made["state"], made["go_at"]) == ("draft", builders.NOW + timedelta(hours=6))
    assert page.all("//input[@name='go_at']/@value") == ["2026-11-24T15:00"]
    page = reader.post("/posts/1/edit", **{**FORM, "act": "submit"}, version="1")
    assert page.place == "/posts/1?done=submit"
    assert row(staffed, 1)["state"] == "in_review"


def test_saving_what_was_not_changed_makes_no_new_version(staffed: Office, enter: Enter) -> None:
    post = scene.post(staffed, title=FORM["title"], text=FORM["text"], keys=("board", "masto"))
    enter("zhou").post(f"/posts/{post}/edit", **FORM, version="1")
    assert revisions(staffed) == 1
    enter("zhou").post(f"/posts/{post}/edit", **{**FORM, "text": "改了。"}, version="1")
    assert revisions(staffed) == 2


def test_the_preview_is_what_would_be_sent_and_keeps_nothing(staffed: Office, enter: Enter) -> None:
    form = {**FORM, "act": "preview", "text": "请拨 13800138000。", "variant-masto": "给云澜的"}
    page = enter("zhou").post("/posts/new", **form)
    texts = [node.text_content() for node in page.all("//article//*[@class='text']")]
    assert texts == ["请拨 138001380001。", "给云澜的"], "the raised 1 is the finding's number"
    assert "疑似手机号码" in page.words("//*[@id='f1']")
    assert "4 / 500 字符" in page.words("//article")
    assert revisions(staffed) == 0
    assert page.all("//textarea[@name='text']")[0].text == "请拨 13800138000。"


def test_a_preview_for_a_script_is_the_page_s_own_piece_and_loads_nothing_else(
    staffed: Office, enter: Enter
) -> None:
    """The same words as on the whole page, without the frame and without what he typed elsewhere."""
    form = {**FORM, "act": "preview", "text": "请拨 13800138000。"}
    reader = enter("zhou")
    whole = reader.post("/posts/new", **form)
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        sent = {"csrf": reader.csrf, **form}
        asked.clear()
        answer = reader.client.post("/posts/new", data=sent, headers={"hx-request": "true"})
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    piece = scene.Page(answer)
    for part in ("preview", "mirror", "findings", "limits"):
        assert piece.words(f"//*[@id='{part}']") == whole.words(f"//*[@id='{part}']"), part
    assert not piece.all("//nav")
    assert not [one for one in asked if "FROM writings" in one or "FROM holds" in one]
    assert len(asked) <= 15


def test_what_cannot_be_saved_stays_in_the_form_with_the_reason_on_top(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    for change, reason in (
        ({"keys": []}, "请至少选一个账号"),
        ({"text": ""}, "正文还是空的"),
        ({"go_at": "2026-11-24T15:00", "latest_at": "2026-11-24T14:00"}, "最迟时限须晚于计划时间"),
        ({"go_at": "soon"}, "看不懂时间"),
        ({"act": "submit", "go_at": "2026-11-24T08:00"}, "计划时间已过"),
    ):
        page = reader.post("/posts/new", **{**FORM, **change})
        assert page.status == 422, reason
        assert reason in page.words()
        assert page.all("//input[@name='title']/@value") == ["停水通知"]
    assert revisions(staffed) == 0, "nothing half-saved"


def test_a_post_with_a_blocking_finding_is_not_handed_in_and_says_why(
    staffed: Office, enter: Enter
) -> None:
    form = {**FORM, "act": "submit", "text": "身份证 11010519491231002X 已登记"}
    page = enter("zhou").post("/posts/new", **form)
    assert page.status == 409
    assert "须先改" in page.words()
    assert page.all("//mark[@class='block']")
    assert revisions(staffed) == 0


def test_that_a_model_helped_is_asked_labelled_and_never_taken_back(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    box = "//input[@name='assisted']"
    assert not reader.get("/posts/new").all(f"{box}[@checked]")
    reader.post("/posts/new", **{**FORM, "assisted": "1"})
    page = reader.get("/posts/1/edit")
    assert page.all(f"{box}[@checked]")
    assert "含人工智能生成内容" in page.words("//*[@id='preview']")
    page = reader.post(
        "/posts/1/edit", **{**FORM, "text": "人改过的。", "act": "preview"}, version="1"
    )
    assert "含人工智能生成内容" in page.words("//*[@id='preview']")
    reader.post("/posts/1/edit", **{**FORM, "text": "人改过的。"}, version="1")
    assert body(staffed, 1)["text"] == "人改过的。"
    assert body(staffed, 1)["assisted"] is True


def test_two_who_save_at_once_lose_nothing_and_the_second_decides(
    staffed: Office, enter: Enter
) -> None:
    post = scene.post(staffed)
    enter("zhou").post(f"/posts/{post}/edit", **{**FORM, "text": "先存的一版。"}, version="1")
    mine = {**FORM, "text": "我的一版。"}
    page = enter("zhou").post(f"/posts/{post}/edit", **mine, version="1")
    assert page.status == 409
    assert "先存的一版。" in page.words("//*[contains(@class, 'note')]")
    assert page.all("//textarea[@name='text']")[0].text == "我的一版。"
    assert page.words("//details//del") == "先存", "word by word"
    assert body(staffed, post)["text"] == "先存的一版。"
    version = page.all("//input[@name='version']/@value")[0]
    enter("zhou").post(f"/posts/{post}/edit", **mine, version=version)
    assert body(staffed, post)["text"] == "我的一版。"


def test_a_picture_is_taken_in_described_and_left_out_again(staffed: Office, enter: Enter) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 40), (9, 90, 90)).save(out, "PNG")
    files = {"picture": ("map.png", out.getvalue(), "image/png")}
    reader = enter("zhou")
    reader.post("/posts/new", files=files, **FORM, picture_alt="停水范围图")
    media = body(staffed, 1)["media"]
    assert [m["alt"] for m in media] == ["停水范围图"]
    sha256 = media[0]["sha256"]
    again = {**FORM, "media": sha256, f"alt-{sha256}": "改过的说明", "version": "1"}
    reader.post("/posts/1/edit", **again)
    assert body(staffed, 1)["media"][0]["alt"] == "改过的说明"
    reader.post("/posts/1/edit", **{**again, "drop": sha256, "version": "2"})
    assert body(staffed, 1)["media"] == []


def test_several_pictures_are_taken_in_at_once_and_the_same_one_once(
    staffed: Office, enter: Enter
) -> None:
    files = []
    for colour in ("white", "teal", "white"):
        out = io.BytesIO()
        Image.new("RGB", (64, 40), colour).save(out, "PNG")
        files.append(("picture", ("map.png", out.getvalue(), "image/png")))
    enter("zhou").post("/posts/new", files=files, **FORM)
    assert len(body(staffed, 1)["media"]) == 2


def test_who_writes_nowhere_leaves_no_picture_either(staffed: Office, enter: Enter) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "PNG")
    files = {"picture": ("map.png", out.getvalue(), "image/png")}
    page = enter("xu").post("/posts/new", files=files, **{**FORM, "act": "preview"})
    assert "没有“拟稿”的权限" in page.words()
    with staffed.db.read() as conn:
        assert conn.execute(select(db.media.c.sha256)).first() is None


def test_a_file_that_is_no_picture_is_refused_and_the_text_stays(
    staffed: Office, enter: Enter
) -> None:
    files = {"picture": ("a.exe", b"MZ not a picture", "image/png")}
    page = enter("zhou").post("/posts/new", files=files, **FORM)
    assert (page.status, "不是能读的图片" in page.words("//*[@role='alert']")) == (422, True)
    assert page.all("//textarea[@name='text']")[0].text == FORM["text"]


def test_an_accounts_own_text_is_kept_and_emptied_again(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    reader.post("/posts/new", **FORM, **{"variant-masto": "给云澜的"})
    assert body(staffed, 1)["variants"] == {"masto": "给云澜的"}
    reader.post("/posts/1/edit", **FORM, **{"variant-masto": ""}, version="1")
    assert body(staffed, 1)["variants"] == {}


def test_line_ends_and_quotes_reach_the_post_as_they_were_typed(
    staffed: Office, enter: Enter
) -> None:
    text = "“引号” <script>alert(1)</script>\r\n\r\n第二段 & 其他"
    page = enter("zhou").post("/posts/new", **{**FORM, "text": text})
    assert body(staffed, 1)["text"] == text.replace("\r\n", "\n")
    assert page.all("//textarea[@name='text']")[0].text == text.replace("\r\n", "\n")
    assert not page.all("//main//script")


def test_only_who_writes_reaches_the_form(staffed: Office, enter: Enter) -> None:
    post = scene.post(staffed)
    reader = enter("lin")
    assert reader.get("/posts/new").status == 403
    assert reader.get(f"/posts/{post}/edit").status == 403
    page = reader.post("/posts/new", **FORM)
    assert page.status == 422
    assert "没有“拟稿”的权限" in page.words()
    assert not reader.get("/posts").all("//a[@href='/posts/new']")


# ---------------------------------------------------------------- the list and one post


def test_the_list_shows_the_worst_delivery_and_how_many(staffed: Office, enter: Enter) -> None:
    post = scene.signed(staffed, keys=("board", "masto", "hand"))
    scene.unclear(staffed, post)
    page = enter("zhou").get("/posts")
    assert "结果不明 1/3" in page.words("//tr[@data-row]")
    assert page.all("//tr[@data-row]//span[contains(@class, 'unknown')]")


def test_posts_are_found_by_their_title_and_counted_by_state(staffed: Office, enter: Enter) -> None:
    scene.post(staffed, title="停水 100% 通知")
    scene.submitted(staffed, title="招聘会")
    reader = enter("zhou")
    page = reader.get("/posts?q=100%25")
    assert len(page.all("//tr[@data-row]")) == 1
    assert "没有找到“不存在”" in reader.get("/posts?q=不存在").words()
    for pill in reader.get("/posts").all("//a[@class='pill']"):
        count = int(pill.xpath("./b")[0].text_content())
        assert len(reader.get(str(pill.get("href"))).all("//tr[@data-row]")) == count


def test_one_post_tells_all_that_came_of_it(staffed: Office, enter: Enter) -> None:
    post = scene.signed(staffed)
    scene.unclear(staffed, post)
    scene.reply(staffed, "几点来水", post_id=post)
    page = enter("zhou").get(f"/posts/{post}")
    shown = page.words()
    for said in ("望江路明日停水", "林岚", "签发", "结果不明", "ReadTimeout", "几点来水", "版本 1"):
        assert said in shown


def test_a_version_is_read_as_it_stood_and_as_it_was_changed(staffed: Office, enter: Enter) -> None:
    post = scene.post(staffed, text="周四停水。")
    reader = enter("zhou")
    reader.post(f"/posts/{post}/edit", **{**FORM, "text": "周五停水。"}, version="1")
    assert "周四停水" in reader.get(f"/posts/{post}/revisions/1").words("//article")
    page = reader.get(f"/posts/{post}/revisions/2?diff=1")
    assert (page.all("//del")[0].text, page.all("//ins")[0].text) == ("四", "五")
    assert reader.get(f"/posts/{post}/revisions/9").status == 404


def test_a_sign_off_is_taken_back_with_a_reason(staffed: Office, enter: Enter) -> None:
    post = scene.signed(staffed)
    reader = enter("lin")
    page = reader.post(f"/posts/{post}", act="revoke", reason=" ")
    assert page.status == 422
    page = reader.post(f"/posts/{post}", act="revoke", reason="数字有误")
    assert "林岚撤销签发：数字有误" in page.words()
    assert row(staffed, post)["state"] == "draft"
    assert enter("zhou").post(f"/posts/{post}", act="revoke", reason="我也要").status == 403


def test_a_sent_post_is_taken_down_by_a_post_that_is_signed_too(
    staffed: Office, enter: Enter
) -> None:
    post = scene.signed(staffed)
    scene.delivery(staffed, post, state=DeliveryState.SENT, remote_id="x", sent_at=builders.NOW)
    page = enter("zhou").post(f"/posts/{post}", act="withdraw", reason="内容有误")
    assert page.place == f"/posts/{post + 1}?done=withdraw"
    made = row(staffed, post + 1)
    assert (made["kind"], made["about_id"], made["state"]) == ("withdrawal", post, "draft")


def test_a_draft_is_handed_in_or_put_away_from_its_page(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    one, two = scene.post(staffed), scene.post(staffed)
    assert "已送审" in reader.post(f"/posts/{one}", act="submit").words()
    assert "不再发布" in reader.post(f"/posts/{two}", act="close").words()
    assert [row(staffed, p)["state"] for p in (one, two)] == ["in_review", "closed"]
    assert reader.post(f"/posts/{one}", act="dance").status == 422


# ---------------------------------------------------------------- from the catalogue


def test_an_entry_that_waits_says_why_and_can_be_left_out(staffed: Office, enter: Enter) -> None:
    waits = {"text": "发布日期较早", "values": {}}
    item = scene.item(staffed, "旧通知", waits=waits)
    reader = enter("zhou")
    page = reader.get("/items?state=waiting")
    assert "发布日期较早" in page.words("//tr[@data-row]")
    page = reader.post(f"/items/{item}", act="skip", back="/items?state=skipped")
    assert page.place == "/items?state=skipped"
    assert "旧通知" in page.words("//tr[@data-row]")
    assert enter("xu").post(f"/items/{item}", act="skip").status == 403


def test_an_entry_with_a_post_leads_to_it_instead_of_making_another(
    staffed: Office, enter: Enter
) -> None:
    post = scene.post(staffed)
    item = scene.item(staffed, post_id=post, state="composed")
    page = enter("zhou").post(f"/items/{item}", act="compose")
    assert page.place == f"/posts/{post}/edit"
    assert revisions(staffed) == 1


def test_a_link_that_is_no_web_address_is_not_followed(staffed: Office, enter: Enter) -> None:
    entry: dict[str, Any] = {
        "key": "k", "title": "坏链接", "link": "javascript:alert(1)", "published": None,
        "formed": None, "index_number": "", "document_number": "", "publisher": "", "column": "",
        "topic": "", "summary": "", "body": "", "language": "", "attachments": [], "raw_digest": "",
    }  # fmt: skip
    scene.item(staffed, "坏链接", entry=entry)
    page = enter("zhou").get("/items")
    assert "坏链接" in page.words("//tr[@data-row]")
    assert not page.all("//a[starts-with(@href, 'javascript')]")


def test_a_sent_post_is_corrected_by_a_post_of_its_own(staffed: Office, enter: Enter) -> None:
    place = staffed.config.path.parent / "templates"
    shutil.copytree(Path(__file__).parents[2] / "templates", place, dirs_exist_ok=True)
    post = scene.signed(staffed)
    reader, form = enter("zhou"), "//button[@value='correct']"
    assert not reader.get(f"/posts/{post}").all(form), "nothing is out yet: it is revised"
    scene.delivery(staffed, post, state=DeliveryState.SENT, remote_id="x", sent_at=builders.NOW)
    assert reader.get(f"/posts/{post}").all(form)
    page = reader.post(f"/posts/{post}", act="correct", wrong="明日", right="后日")
    assert page.place == f"/posts/{post + 1}?done=correct"
    made = row(staffed, post + 1)
    assert (made["kind"], made["about_id"], made["state"]) == ("correction", post, "draft")
    assert "“明日”有误，应为“后日”" in body(staffed, post + 1)["text"]


# ---------------------------------------------------------------- pictures cut and put in order


def drawn(width: int = 80, height: int = 60, colour: str = "teal") -> tuple[str, bytes, str]:
    """A picture whose left half is white."""
    picture = Image.new("RGB", (width, height), colour)
    picture.paste("white", (0, 0, width // 2, height))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return "map.png", out.getvalue(), "image/png"


def test_a_picture_is_cut_by_numbers_or_a_ratio_and_always_from_its_original(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    reader.post("/posts/new", files={"picture": drawn()}, **FORM)
    whole = body(staffed, 1)["media"][0]["sha256"]
    form = {**FORM, "media": whole, f"alt-{whole}": "图"}
    numbers = dict.fromkeys((f"left-{whole}", f"top-{whole}"), "0")
    numbers |= {f"width-{whole}": "80", f"height-{whole}": "60"}
    page = reader.post(
        "/posts/1/edit", **form, **numbers, **{f"aspect-{whole}": "1:1"}, version="1"
    )
    stored = body(staffed, 1)
    square = stored["media"][0]
    assert (square["width"], square["height"], square["alt"]) == (60, 60, "图"), "the middle"
    of = {"of": whole, "left": 10, "top": 0, "width": 60, "height": 60}
    assert stored["cuts"] == {square["sha256"]: of}
    assert "裁自 80×60" in page.words("//*[@id='pictures']")
    again = {"media": square["sha256"], f"aspect-{square['sha256']}": "free"}
    places = {f"{side}-{square['sha256']}": n for side, n in (("left", "40"), ("top", "0"))}
    places |= {f"{side}-{square['sha256']}": "40" for side in ("width", "height")}
    reader.post("/posts/1/edit", **FORM, **again, **places, version="2")
    piece = body(staffed, 1)["media"][0]
    with Image.open(io.BytesIO(staffed.media.read(piece["sha256"]))) as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((40, 40), (0, 128, 128)), "no white"
    back = {"media": piece["sha256"], f"aspect-{piece['sha256']}": "whole"}
    reader.post("/posts/1/edit", **FORM, **back, version="3")
    assert body(staffed, 1)["media"][0]["sha256"] == whole
    assert body(staffed, 1)["cuts"] == {}


def test_a_cut_beyond_the_edges_is_moved_in_and_what_moves_is_left_whole(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    reader.post("/posts/new", files={"picture": drawn()}, **FORM)
    one = body(staffed, 1)["media"][0]["sha256"]
    far = {f"{side}-{one}": "9999999999" for side in ("left", "top", "width")}
    form = {**FORM, "media": one, f"aspect-{one}": "free", **far, f"height-{one}": "-3"}
    reader.post("/posts/1/edit", **form, version="1")
    cut = next(iter(body(staffed, 1)["cuts"].values()))
    assert (cut["left"], cut["top"], cut["width"], cut["height"]) == (0, 44, 80, 16)
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    gif = {"picture": ("a.gif", out.getvalue(), "image/gif")}
    page = reader.post("/posts/new", files=gif, **{**FORM, "act": "preview"})
    moves = page.all("//input[@name='media']/@value")[0]
    page = reader.post("/posts/new", **FORM, media=moves, **{f"aspect-{moves}": "1:1"})
    assert page.status == 422
    assert "会动的图不能裁剪" in page.words("//*[@id='pictures']")
    assert page.all("//textarea[@name='text']")[0].text == FORM["text"]


def test_pictures_stand_in_the_order_of_the_form_and_buttons_move_them(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    files = [("picture", drawn(colour=colour)) for colour in ("teal", "navy", "olive")]
    reader.post("/posts/new", files=files, **FORM)
    a, b, c = [m["sha256"] for m in body(staffed, 1)["media"]]
    form = {**FORM, "media": [a, b, c], "version": "1"}
    page = reader.post("/posts/1/edit", **{**form, "act": f"down:{a}"})
    assert page.all("//input[@name='media']/@value") == [b, a, c]
    page = reader.post("/posts/1/edit", **{**form, "act": f"up:{a}"})
    assert page.all("//input[@name='media']/@value") == [a, b, c]
    reader.post("/posts/1/edit", **{**form, "media": [c, a, b]})
    assert [m["sha256"] for m in body(staffed, 1)["media"]] == [c, a, b]


def test_a_cut_that_was_not_saved_comes_back_with_the_rest(staffed: Office, enter: Enter) -> None:
    reader = enter("zhou")
    reader.post("/posts/new", files={"picture": drawn()}, **FORM)
    one = body(staffed, 1)["media"][0]["sha256"]
    reader.post("/posts/1/keep", **FORM, media=one, **{f"aspect-{one}": "1:1"}, version="1")
    page = reader.get("/posts/1/edit")
    assert "裁自 80×60" in page.words("//*[@id='pictures']")
    assert page.all("//input[@value='1:1']/@checked")


def test_what_each_account_takes_stands_beside_the_pictures(staffed: Office, enter: Enter) -> None:
    page = enter("zhou").post("/posts/new", **{**FORM, "act": "preview"})
    assert "至多 4 张，每张" in page.words("//*[@id='limits']")


def test_a_picture_too_heavy_for_an_account_says_how_much_it_was_compressed(
    staffed: Office, enter: Enter
) -> None:
    with staffed.db.write() as conn:
        able = {"media_count": 4, "media_kinds": ["image/jpeg"], "media_bytes": 60_000}
        masto = db.accounts.c.key == "masto"
        stored = conn.execute(select(db.accounts.c.capabilities).where(masto)).scalar_one()
        conn.execute(db.accounts.update().where(masto).values(capabilities={**stored, **able}))
    noise = Image.effect_noise((400, 300), 90)
    out = io.BytesIO()
    noise.save(out, "PNG")
    files = {"picture": ("a.png", out.getvalue(), "image/png")}
    page = enter("zhou").post("/posts/new", files=files, **{**FORM, "act": "preview"})
    assert "为该平台压缩 " in page.words("//article[2]")
    assert "为该平台压缩" not in page.words("//article[1]")


# ---------------------------------------------------------------- the card

LONG = "望江路明日停水，请提前储水。" * 60  # longer than a microblog takes


@needs_font
def test_a_card_is_looked_at_while_it_is_written_and_has_the_words_of_its_version(
    staffed: Office, enter: Enter
) -> None:
    reader = enter("zhou")
    form = {**FORM, "text": LONG, "card_asked": "1", "card": "1", "over_limit": "shorten"}
    page = reader.post("/posts/new", **{**form, "act": "preview"})
    shown = page.all("//a[starts-with(@class, 'card-shown')]/img")[0]
    assert shown.get("width") == "1080"
    assert shown.get("alt").startswith("停水通知")
    assert reader.get(shown.get("src")).answer.headers["content-type"] == "image/png"
    reader.post("/posts/new", **form)
    assert body(staffed, 1)["card"]["text"] == LONG
    drawn = dict(body(staffed, 1)["card"])
    reader.post("/posts/1/edit", **{**form, "keys": ["masto"]}, version="1")
    assert body(staffed, 1)["card"] == drawn, "the same words: the same card"
    reader.post("/posts/1/edit", **{**form, "text": f"改了。{LONG}"}, version="2")
    assert body(staffed, 1)["card"]["text"].startswith("改了。"), "never other words"
    reader.post("/posts/1/edit", **{**form, "card": ""}, version="3")
    assert body(staffed, 1)["card"] is None


@needs_font
def test_where_the_whole_text_has_room_no_card_goes_and_one_too_long_keeps_the_text(
    staffed: Office, enter: Enter
) -> None:
    form = {**FORM, "keys": ["board"], "act": "preview", "card_asked": "1", "card": "1"}
    page = enter("zhou").post("/posts/new", **form)
    assert "不配长图" in page.words("//*[@id='preview']")
    form |= {"keys": ["masto"], "text": LONG * 9, "over_limit": "shorten"}
    page = enter("zhou").post("/posts/new", **form)
    assert "长图放不下" in page.words("//*[@id='preview']")
    assert page.all("//textarea[@name='text']")[0].text == LONG * 9
