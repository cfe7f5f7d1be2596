"""Chinese is the source text; English stands beside every sentence of it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import bot
from bot.language import Say, _, speaking
from tests.web.conftest import Enter

FOLDER = Path(bot.__file__).parent / "locale" / "en" / "LC_MESSAGES"
HOLES = re.compile(r"\{([a-z_]+)\}")
DATES = ("{m}月{d}日", "{y}年{m}月{d}日")  # English names the month


@pytest.fixture(scope="module")
def english() -> Catalog:
    with (FOLDER / "gongkai.po").open("rb") as file:
        return read_po(file, locale="en")


def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_every_sentence_has_its_english_and_none_is_in_doubt(english: Catalog) -> None:
    assert len(messages(english)) > 1000
    assert [m.id for m in messages(english) if not m.string or m.fuzzy] == []


def test_the_english_has_the_same_holes_as_the_chinese(english: Catalog) -> None:
    for message in messages(english):
        if not message.string:
            continue
        chinese, said = (set(HOLES.findall(str(text))) for text in (message.id, message.string))
        assert chinese == said or message.id in DATES, message.id


def test_no_chinese_is_left_in_the_english_but_names_and_keys(english: Catalog) -> None:
    left = [str(m.string) for m in messages(english) if re.search("[\u4e00-\u9fff]", str(m.string))]
    kept = {
        "{day}": "休班",
        "{number}": "第",
        "GB/T 9704": "第",
        "审图号": "审图号地图管理条例",
        "#话题#": "话题",
        "Filing": "备案",
        "for the past": "原",
        "Hong Kong": "中国内国家和地区内地大陆",
        "or 合成": "人工智能生成合成",
        "as severity": "例外",
        "convict": "犯罪嫌疑人被告",
    }  # words of the matter itself
    for sentence in left:
        spoken = next(words for mark, words in kept.items() if mark in sentence)
        assert set(re.findall("[\u4e00-\u9fff]", sentence)) <= set(spoken), sentence


def test_the_compiled_catalogue_is_the_written_one(english: Catalog) -> None:
    out = io.BytesIO()
    write_mo(out, english)
    assert out.getvalue() == (FOLDER / "gongkai.mo").read_bytes(), "run: make messages"


def test_what_the_command_line_s_library_says_is_compiled_too() -> None:
    folder, out = FOLDER.parents[1] / "zh" / "LC_MESSAGES", io.BytesIO()
    with (folder / "click.po").open("rb") as file:
        write_mo(out, read_po(file, locale="zh"))
    assert out.getvalue() == (folder / "click.mo").read_bytes(), "run: make messages"


def test_a_sentence_is_said_in_the_readers_language() -> None:
    said = Say("自 {at}，{who}，事由：{why}", at="09:00", who="林岚", why=Say("已过最迟时限"))
    assert str(said) == "自 09:00，林岚，事由：已过最迟时限"
    with speaking("en"):
        assert str(said) == "Since 09:00, by 林岚; reason: Past its latest time"
        assert _("没有译文的一句") == "没有译文的一句"


def test_the_console_reads_in_english_throughout(staffed: object, enter: Enter) -> None:
    reader = enter("zhou")
    reader.post("/language", language="en")
    for path in ("/", "/posts", "/review", "/queue", "/replies", "/accounts", "/stop"):
        page = reader.get(path)
        for part in ("//nav[@class='rail']", "//main//h1", "//main//th", "//main//button"):
            said = page.words(part).replace("公开", "").replace("中文", "")
            assert not re.search("[\u4e00-\u9fff]", said), (path, part, said)
    assert "24 Nov Tue 09:00 Beijing time" in reader.get("/me").words("//span[@class='clock']")
