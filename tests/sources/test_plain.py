"""Markup as a person would read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sources.plain import line, looks_marked_up, plain, words


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>一</p><p>二</p>", "一\n二"),
        ("一<br>二<BR/>三", "一\n二\n三"),
        ("<DIV class='x'>　　一</DIV>\r\n<p>二", "一\n二"),
        ("a &amp; b &lt;c&gt; &nbsp; d &hellip;", "a & b <c> d …"),
        ("a&nbsp;<b>b</b>", "a b"),
        ("<script>alert('<p>')</script>一<style>p{}</style>", "一"),
        ("一<!-- <p>x</p> -->二", "一二"),
        ("一<!--[if gte mso 9]><xml>x</xml><![endif]-->二<o:p></o:p>", "一二"),
        ("<ul><li>一</li><li>二</li></ul>", "一\n二"),
        ("<table><tr><td>一</td><td>二</td></tr><tr><td>三</td></tr></table>", "一 二\n三"),
        ('<img alt="a>b" src=x>一', "一"),
        ("<p title='it's'>一</p>", "一"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("关于<某某办法>的<b>通知</b>", "关于<某某办法>的通知"),
        ("一段<a href='http://x.example/", "一段"),
        ("<p>第一行\n第二行 a\nb</p>", "第一行第二行 a b"),
        ("第一行\n\n第二行", "第一行\n第二行"),
        ("一\u200b二\ufeff三\u00ad", "一二三"),
        ("don\x92t", "don’t"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("通\u200d知", "通知"),
        ("", ""),
    ],
)
def test_paragraphs_stay_and_markup_goes(markup: str, text: str) -> None:
    assert plain(markup) == text


def test_a_title_is_one_line() -> None:
    assert line("关于<b>印发</b>\n《办法》<br/>的&quot;通知&quot;") == '关于印发《办法》的"通知"'
    assert line("关于<CRS>和<b>的") == "关于<CRS>和的"


def test_a_full_width_space_inside_stays() -> None:
    assert words("　全国人大　关于  x 的决议 ") == "全国人大　关于 x 的决议"


@pytest.mark.parametrize(
    ("text", "is_markup"),
    [
        ("a <b>b</b>", True),
        ("a<br>", True),
        ("a&nbsp;b", True),
        ("1 < 2", False),
        ("<CRS>", False),
        ("AT&T", False),
    ],
)
def test_text_that_is_evidently_markup_is_told_from_text(text: str, is_markup: bool) -> None:
    assert looks_marked_up(text) is is_markup


@given(st.text(st.sampled_from("<>&;/'\"!-=pbr \n\t中。\u3000"), max_size=60))
def test_nothing_raises_and_nothing_blank_is_left(markup: str) -> None:
    for part in plain(markup).split("\n"):
        assert part == part.strip()
        assert "  " not in part
    assert "\n" not in line(markup)
