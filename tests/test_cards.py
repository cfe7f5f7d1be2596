"""长图: Chinese lines as they are set, the same bytes for the same words, and never a stale picture."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot import catalog, compose, people
from bot.compose import Body, Card, cards
from bot.compose.lines import lines
from bot.config import load
from bot.db import media as pictures
from bot.db import renditions, revisions
from bot.deliver import plan
from bot.errors import ConfigError, Invalid
from bot.office import Office
from tests import builders, offices
from tests.fakes.mastodon import Mastodon
from tests.fakes.server import Server
from tests.offices import rows, url  # noqa: F401

LINK = "https://yunlan.example.cn/zwgk/2026/11/24/content_10086.html"
CARD = Card(
    "关于望江路停水的通告",
    "各用户：\n\n　　望江路明日停水，请提前储水（含二次供水）。\n　　电话：0571-87650000。",
    "云澜县水务局",
    "2026年11月24日",
    LINK,
)
needs_font = pytest.mark.skipif(
    not cards._system_font()[0], reason="no Chinese font: apt-get install fonts-noto-cjk"
)


@pytest.fixture
def furnished(office: Office) -> Office:
    """A microblog and a board, and the shipped templates."""
    made = offices.declared(office, "")
    builders.account(made, "toots", "http://x.example")
    builders.account(made, "board", "http://x.example", 2, title=True, text_limit=5000)
    return made


def previewed(office: Office, body: Body, *keys: str) -> list[compose.Rendered]:
    with office.db.read() as conn:
        return compose.preview(office, conn, body, keys)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize(
    ("text", "width", "becomes"),
    [
        ("一二三四，五六", 4, ["一二三", "四，五六"]),
        ("一二三四……五六", 5, ["一二三", "四……五六"]),
        ("一二三（四五）六", 4, ["一二三", "（四五）", "六"]),
        ("一二《三》，四五", 4, ["一二", "《三》，", "四五"]),
        ("一二三——四", 4, ["一二", "三——四"]),
        ("见 abcd 页", 4, ["见", "abcd", "页"]),
        ("共1234元整", 5, ["共1234", "元整"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("　　一二三四", 4, ["　　一二", "三四"]),
        ("", 4, [""]),
        ("，，，，，，", 4, ["，，，，", "，，"]),
    ],
)
def test_lines_break_as_chinese_is_set(text: str, width: int, becomes: list[str]) -> None:
    assert lines(text, width, len) == becomes


def test_nothing_is_lost_and_no_line_is_too_wide_or_begins_with_a_closing_mark() -> None:
    text = CARD.text.replace("\n", "") * 9
    for width in range(6, 30):
        found = lines(text, width, len)
        assert "".join(found).replace("　", "") == text.replace("　", "")
        assert all(len(line) <= width for line in found)
        if width > 12:
            assert not [line for line in found if line[0] in "，。：）、"]
            assert not [line for line in found if line[-1] in "（"]


# ---------------------------------------------------------------- the picture


@needs_font
def test_the_same_card_is_the_same_bytes(furnished: Office) -> None:
    first = cards.drawn(furnished, CARD)
    cards._drawn.cache_clear()
    assert cards.drawn(furnished, CARD) == first
    content, width, height = first
    assert opened(content).size == (width, height) == (1080, height)
    assert cards.drawn(furnished, replace(CARD, day="2026年11月25日"))[0] != content
    assert content.startswith(b"\x89PNG")
    assert b"tIME" not in content


@needs_font
def test_a_card_has_the_office_s_colour_logo_and_width(furnished: Office) -> None:
    file = furnished.config.path
    Image.new("RGB", (90, 90), "#00ff00").save(file.parent / "logo.png")
    part = '[compose.card]\ncolour = "#0000ff"\nlogo = "logo.png"\nwidth = 600\n'
    file.write_text(file.read_text("utf-8") + part, "utf-8")
    made = Office(load(file), furnished.db)
    picture = opened(cards.drawn(made, CARD)[0])
    assert picture.width == 600
    assert picture.getpixel((5, 2)) == (0, 0, 255)
    assert picture.getpixel((50, 50)) == (0, 255, 0)
    assert picture.getpixel((599, picture.height - 1)) == (255, 255, 255)


@needs_font
def test_the_label_of_a_model_s_help_is_a_twentieth_of_the_width(furnished: Office) -> None:
    """GB 45438-2025: on a picture, at least 5 % of its shortest side."""
    label = furnished.config.compose.assisted_label
    placed, _, _ = cards._laid_out(cards._look(furnished), CARD, label)
    (line,) = (line for line in placed if line.text == label)
    assert line.font.size >= 1080 * 0.05
    assert cards.drawn(furnished, CARD, label)[0] != cards.drawn(furnished, CARD)[0]


@needs_font
@pytest.mark.parametrize("key", ["font", "logo"])
def test_a_font_or_logo_that_is_none_is_told(furnished: Office, key: str) -> None:
    file = furnished.config.path
    file.write_text(f'{file.read_text("utf-8")}[compose.card]\n{key} = "config.toml"\n', "utf-8")
    with pytest.raises(ConfigError, match=rf"{key}.*config\.toml"):
        cards.drawn(Office(load(file), furnished.db), CARD)


def test_without_a_chinese_font_it_says_what_to_do(
    furnished: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cards, "FOLDERS", (str(tmp_path),))
    cards._system_font.cache_clear()
    with pytest.raises(ConfigError, match="fonts-noto-cjk"):
        cards.drawn(furnished, CARD)
    cards._system_font.cache_clear()


@needs_font
def test_what_no_picture_can_hold_is_refused(furnished: Office) -> None:
    with pytest.raises(Invalid, match="放不下"):
        cards.drawn(furnished, replace(CARD, text="停水。\n" * 400))


# ---------------------------------------------------------------- on a post


@needs_font
def test_a_card_goes_where_the_whole_text_has_no_room(furnished: Office) -> None:
    parts = previewed(furnished, Body("停水。", "停水", card=CARD), "toots", "board")
    by_key = {part.account["key"]: part.outgoing.media for part in parts}
    assert by_key["board"] == ()
    (picture,) = by_key["toots"]
    assert (picture.kind, picture.width) == ("image/png", 1080)
    assert picture.alt.startswith("关于望江路停水的通告\n各用户：")
    assert opened(furnished.media.read(picture.sha256)).width == 1080


@needs_font
def test_what_stands_on_a_card_is_screened(furnished: Office) -> None:
    card = replace(CARD, text=CARD.text + "\n联系人 11010519491231002X")
    (part,) = previewed(furnished, Body("停水。", card=card), "toots")
    assert "identity-number" in {f.rule for f in part.findings}
    (part,) = previewed(furnished, Body("停水。", card=card), "board")
    assert part.findings == ()


@needs_font
def test_a_character_the_font_lacks_is_told_before_it_is_a_box(furnished: Office) -> None:
    lacking = replace(CARD, text=CARD.text + "\ue123，瀾\ue123")
    (part,) = previewed(furnished, Body("停水。", card=lacking), "toots")
    found = [(f.rule, f.text) for f in part.findings]
    assert found == [("card-glyphs", "\ue123")]
    (part,) = previewed(furnished, Body("停水。", card=CARD), "toots")
    assert part.findings == ()


@needs_font
def test_a_card_is_sent_as_it_was_signed(office: Office, platform: tuple[Mastodon, Server]) -> None:
    fake, server = platform
    builders.account(office, "toots", server.url)
    post = builders.draft(office, ["toots"], body=Body("停水。", "停水", card=CARD))
    builders.sign(office, post)
    plan.plan_due(office)
    builders.work(office)
    (sent,) = fake.posts()
    assert [alt.split("\n")[0] for alt in sent["media"]] == ["关于望江路停水的通告"]


@needs_font
def test_a_template_with_a_card_draws_its_long_form(furnished: Office) -> None:
    file = furnished.config.path.parent / "templates" / "notice.txt"
    file.write_text(file.read_text("utf-8").replace("kind =", "card = true\nkind =", 1), "utf-8")
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        unit = people.unit_of(conn, "county")["id"]
        said = {"title": "停水", "body": "望江路\n\n明日停水。", "link": LINK}
        compose.from_template(
            furnished, conn, now, zhou, unit_id=unit, template="notice", keys=["toots"], said=said
        )
    (revision,) = rows(furnished, revisions)
    card = revision["body"]["card"]
    assert (card["title"], card["text"], card["source"]) == ("停水", "望江路\n\n明日停水。", LINK)
    assert card["publisher"] == "云澜县人民政府办公室"
    (row,) = rows(furnished, renditions)
    (stored,) = rows_of(furnished)
    assert row["payload"]["media"][0]["sha256"] == stored["sha256"], (
        "named, so that it is backed up"
    )


def rows_of(office: Office) -> list[Any]:
    with office.db.read() as conn:
        return list(conn.execute(pictures.select()).mappings())


@needs_font
def test_a_card_never_says_other_words_than_the_text_beside_it(furnished: Office) -> None:
    post = builders.draft(furnished, ["toots"], body=Body("停水。", "停水", link=LINK))

    def _revised(act: Any) -> Any:
        with furnished.db.write() as conn:
            zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
            act(conn, now, zhou)
            row = compose.one(conn, post)
            return Body.of(compose.current(conn, row)["body"]).card

    def _again(text: str) -> Any:
        def act(conn: Any, now: Any, zhou: Any) -> None:
            version = compose.one(conn, post)["version"]
            body = Body(text, "停水", link=LINK)
            compose.revise(furnished, conn, now, zhou, post, version, body, ["toots"])

        return _revised(act)

    def _draw(words: str = "") -> Any:
        return _revised(
            lambda conn, now, zhou: compose.draw_card(furnished, conn, now, zhou, post, words)
        )

    drawn = _draw()
    assert (drawn.text, drawn.source, drawn.day) == ("停水。", LINK, "2026年11月24日")
    assert _again("停水。") == drawn, "the same words keep it"
    assert _again("停水两天。") is None, "other words do not"
    assert _draw("停水两天，望周知。").text == "停水两天，望周知。"
    assert (
        _revised(lambda conn, now, zhou: compose.drop_card(furnished, conn, now, zhou, post))
        is None
    )


@needs_font
def test_a_card_of_an_entry_s_post_has_its_publisher_and_day_and_no_label_without_a_link(
    furnished: Office,
) -> None:
    said = {"title": "停水", "publisher": "县水务局", "published": "2026-11-20", "link": LINK}
    entries = catalog.entries_of(furnished, [said])
    with furnished.db.write() as conn:
        zhou, now = builders.actor(conn, "zhou"), furnished.db.now(conn)
        (item,) = catalog.add(conn, now, zhou, "county", entries)
        post = compose.from_item(furnished, conn, now, zhou, item, "notice", ["toots"])
    words = f"明日停水。\n\n原文：{LINK}"
    with furnished.db.write() as conn:
        compose.draw_card(furnished, conn, furnished.db.now(conn), zhou, post, words)
    card = rows(furnished, revisions)[-1]["body"]["card"]
    assert (card["text"], card["source"]) == ("明日停水。", LINK)
    assert (card["publisher"], card["day"]) == ("县水务局", "2026年11月20日")
