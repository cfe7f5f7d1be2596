"""Bytes as text, whatever they call themselves; packed bytes, whole or not at all."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SourceError
from bot.sources.decode import decode, unpack

TEXT = "<a>关于印发《办法》的通知：㈠镕囧</a>"


def declared(name: str, text: str = TEXT) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>{text}'


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *(("gb2312", "gb18030"), ("GBK", "gb18030"), ("x-gbk", "gb18030"), ("gb18030", "gb18030")),
        *(("utf-8", "utf-8"), ("gb2312", "utf-8"), ("utf-8", "gb18030"), ("nonsense", "gb18030")),
        *(("utf-16", "utf-8"), ("rot13", "utf-8"), ("utf-7", "gb18030")),
        *(
            ("utf-16", "utf-16"),
            ("utf-16", "utf-16-le"),
            ("utf-8", "utf-16-be"),
            ("x", "utf-32-be"),
        ),
        *(("utf-8", "utf-8-sig"), ("gb2312", "utf-8-sig")),
    ],
)
def test_a_declaration_is_believed_only_as_far_as_the_bytes_bear_it_out(
    name: str, codec: str
) -> None:
    assert decode(declared(name).encode(codec)).text.endswith(TEXT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("big5", "再談軟體與媒體"),
        ("windows-1251", "Новости"),
        ("iso-8859-1", "Café “crème”"),
        ("shift_jis", "通知についてのお知らせ①"),
        ("euc-kr", "대한민국 정부"),
        ("koi8-r", "Новости"),
    ],
)
def test_other_encodings_are_read_by_declaration(name: str, text: str) -> None:
    codec = {"iso-8859-1": "cp1252", "shift_jis": "cp932"}.get(name, name)
    assert decode(declared(name, text).encode(codec)).text.endswith(text)


@pytest.mark.parametrize(
    "declaration",
    [
        "<meta charset=big5>",
        '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=Big5">',
        "<meta content='text/html;charset=BIG5' http-equiv=content-type />",
    ],
)
def test_a_web_page_declares_its_encoding_in_its_own_way(declaration: str) -> None:
    page = f"<html><head>{declaration}<title>再談軟體與媒體</title></head></html>"
    assert "再談軟體與媒體" in decode(page.encode("big5")).text


def test_http_names_the_encoding_where_the_document_does_not() -> None:
    assert (
        decode("<a>再談軟體</a>".encode("big5"), "text/xml; charset=big5").text == "<a>再談軟體</a>"
    )


def test_utf8_goes_before_a_single_byte_name_that_fits_everything() -> None:
    assert decode(TEXT.encode(), "text/xml; charset=ISO-8859-1").text == TEXT


def test_undeclared_chinese_is_gb18030_and_that_is_told() -> None:
    found = decode(TEXT.encode("gb18030"))
    assert (found.text, found.encoding) == (TEXT, "gb18030")
    assert found.problems


@pytest.mark.parametrize("mark", [",", "<p>通告</p>"])
def test_undeclared_traditional_chinese_is_big5_and_that_is_told(mark: str) -> None:
    text = f"<a>雲瀾縣政府關於做好汛期值班工作的通知，請各鄉鎮認真執行。{mark}</a>".replace(
        "告", "知"
    )
    found = decode(text.encode("cp950", "replace"))
    assert "雲瀾縣政府關於做好汛期值班工作的通知，請各鄉鎮" in found.text
    assert (found.encoding, bool(found.problems)) == ("cp950", True)


def test_undeclared_accents_are_western() -> None:
    assert decode("<a>Réunion à l’hôtel</a>".encode("cp1252")).text == "<a>Réunion à l’hôtel</a>"


def test_two_characters_that_happen_to_be_valid_utf8_are_what_they_are_declared() -> None:
    assert decode(declared("gb2312", "<a>联通</a>").encode("gbk")).text.endswith("<a>联通</a>")


def test_a_character_cut_in_half_costs_one_character() -> None:
    broken = TEXT.encode()[:20] + b"</a>" + TEXT.encode()
    found = decode(broken)
    assert (found.text.count("\ufffd"), found.encoding) == (1, "utf-8")
    assert found.text.endswith(TEXT)
    assert found.problems


def test_a_character_cut_in_half_does_not_swallow_the_end_of_cdata() -> None:
    half = declared("gb2312", "<a><![CDATA[通知").encode("gbk")[:-1] + b"]]></a>"
    assert decode(half).text.endswith("]]></a>")


def test_control_characters_are_taken_out() -> None:
    assert decode(b"<a>\x00x\x0b\x1f\x7f\ty\n</a>").text == "<a>x\ty\n</a>"


@given(st.binary(max_size=300), st.sampled_from(["", "text/xml; charset=gbk", "x; charset=utf-16"]))
def test_nothing_raises(body: bytes, content_type: str) -> None:
    decode(body, content_type)


# ---------------------------------------------------------------- packed


def packed(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


@pytest.mark.parametrize(
    "body",
    [
        packed(b"<a/>"),
        packed(packed(b"<a/>")),
        packed(b"<a") + packed(b"/>"),
        packed(b"<a/>") + b"\0\0\0",
        zlib.compress(b"<a/>"),
        b"<a/>",
    ],
    ids=["gzip", "twice", "two members", "a tail", "zlib", "plain"],
)
def test_every_layer_is_unpacked(body: bytes) -> None:
    assert unpack(body) == b"<a/>"


def test_deflate_without_a_header_is_unpacked_where_http_says_so() -> None:
    stream = zlib.compressobj(wbits=-15)
    raw = stream.compress(b"<a/>" * 9) + stream.flush()
    assert unpack(raw, deflated=True) == b"<a/>" * 9
    assert unpack(b"<a/>", deflated=True) == b"<a/>"


@pytest.mark.parametrize("lost", [1, 8, 20])
def test_a_cut_stream_is_refused_with_its_place(lost: int) -> None:
    whole = packed(bytes(range(256)) * 9)
    with pytest.raises(SourceError, match="字节处"):
        unpack(whole[:-lost])


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    bomb = packed(packed(bytes(50_000_000)))
    with pytest.raises(SourceError, match="超过"):
        unpack(bomb, 1_000_000)


def test_a_large_body_is_refused() -> None:
    with pytest.raises(SourceError, match="超过"):
        unpack(bytes(1001), 1000)
