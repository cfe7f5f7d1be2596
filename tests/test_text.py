"""Counting and fitting. Where a number comes from stands beside it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot import text
from bot.model import Capabilities, Unit
from bot.text import ELLIPSIS, chinese_date, count, fit, links, over, short_title, thread

WEIBO = Capabilities(text_limit=140, unit=Unit.WEIBO)
MASTODON = Capabilities(text_limit=500, unit=Unit.CHARACTERS, link_weight=23)
BLUESKY = Capabilities(text_limit=300, unit=Unit.GRAPHEMES, byte_limit=3000)
LINK = "https://www.gov.cn/zhengce/content/202511/content_7047091.htm"
FAMILY = "👨‍👩‍👧‍👦"
NOTICE = (
    "【关于开展2026年度职称评审工作的通知】市人力资源和社会保障局近日印发《关于开展2026年度全市"
    "工程技术系列中高级职称评审工作的通知》，明确申报时间为2026年9月22日至10月31日，逾期不予受理。"
    "申报人应当登录“职称评审管理信息系统”填报材料；用人单位负责审核并公示5个工作日。各区（县）"
    "人社部门应于11月15日前报送汇总材料。"
)

# ---------------------------------------------------------------- Weibo


# Got by running Sina's composer counter (zythum/new-relationship-list, js/conf/kit/extra/count.js,
# the source of weibo-api.md §4.2) over each text; 5,000 random ones agreed as well.
@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", 0),
        ("a", 1),
        ("ab", 1),
        ("政", 1),
        ("政务a", 3),
        ("é", 1),
        ("😀", 2),
        ("\r\n", 1),
        ("政 务\n", 3),
        ("http://www.gov.cn/", 10),
        ("http://t.cn/Rx1y2z", 9),
        ("http://weibo.com/u/1234567", 13),
        ("http://weibo.com/" + "u" * 24, 21),  # 41 characters: as it stands
        ("http://weibo.com/" + "u" * 25, 10),  # 42: a link like others
        ("http://www.gov.cn/" + "a" * 122, 10),  # 140
        ("http://www.gov.cn/" + "a" * 123, 11),  # 141: the excess is added
        ("http://www.gov.cn/" + "a" * 132, 15),
        ("见http://a.cn/x。", 12),
        ("a http://a.cn/x b", 12),
    ],
)
def test_weibo_counts_as_its_own_composer(text: str, units: int) -> None:
    assert count(text, Unit.WEIBO) == units


def test_weibo_takes_https_for_a_link_too() -> None:
    assert count(LINK, Unit.WEIBO) == 10
    assert count(f"详情：{LINK}", Unit.WEIBO) == 13


def test_weibo_knows_its_hosts_whole() -> None:
    assert count("http://t.cnblogs.com/" + "a" * 60, Unit.WEIBO) == 10
    assert count("http://weibo.com.example.cn/" + "a" * 10, Unit.WEIBO) == 10


@given(st.text(), st.text())
def test_weibo_is_additive_up_to_rounding(a: str, b: str) -> None:
    a, b = (s.replace("://", "").replace("\r", "") for s in (a, b))
    apart = count(a, Unit.WEIBO) + count(b, Unit.WEIBO)
    assert apart - 1 <= count(a + b, Unit.WEIBO) <= apart


# ---------------------------------------------------------------- Mastodon

EXACT = Unit.GRAPHEMES, 23  # what StatusLengthValidator does
BOUND = Unit.CHARACTERS, 23  # never less


# mastodon/mastodon, spec/validators/status_length_validator_spec.rb: its texts and its limits.
@pytest.mark.parametrize("how", [EXACT, BOUND])
@pytest.mark.parametrize(
    ("text", "limit", "fits"),
    [
        ("a" * 520, 500, False),
        ("a" * 476 + " http://" + "b" * 30 + ".com/example", 500, True),  # URLs are 23 flat
        ("a" * 476 + "http://" + "b" * 30 + ".com/example", 500, False),  # not autolinkable
        ("http://example.com/valid?" + "#foo?" * 1000, 500, False),  # overly long
        ("a" * 475 + " @alice@" + "b" * 30 + ".com", 500, True),  # only the front part
        ("@alice@" + "b" * 500 + ".com", 500, False),  # overly long domain
        ("a" * 76 + " http://" + "b" * 30 + ".com/example", 100, True),
        ("a" * 76 + "http://" + "b" * 30 + ".com/example", 100, False),
        ("a" * 75 + " @alice@" + "b" * 30 + ".com", 100, True),
        ("✨" * 100, 100, True),
    ],
)
def test_mastodon_spec(how: tuple[Unit, int], text: str, limit: int, fits: bool) -> None:
    assert (count(text, *how) <= limit) is fits


def test_mastodon_takes_a_joined_emoji_for_one_character() -> None:
    flag = "🏳️‍⚧️"  # of the same spec: 100 of them are within a limit of 100
    assert count(flag * 100, *EXACT) == 100
    assert count(flag * 100, *BOUND) == 500  # as GoToSocial, which counts runes


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (f"详情见{LINK}", 26),  # no space is needed before a link, after a Chinese character
        (f"详情见{LINK}。谢谢", 29),
        (f"{LINK} {LINK}", 47),
        (f"（{LINK}）.", 26),
        ("https://www.gov.cn.", 24),
        ("https://a.cn", 23),  # longer than it is
        ("http://localhost:8080/board/12", 30),  # no named host: no link there
        ("http://127.0.0.1/a-long-enough-path-of-it", 41),
        ("@alice@mastodon.social 您好", 9),
        ("请@alice@mastodon.social", 23),  # a letter before it: no mention
        ("mail@example.com 和 a@b.cn", 25),
        ("@alice", 6),
    ],
)
def test_mastodon_links_and_mentions(text: str, units: int) -> None:
    assert count(text, *EXACT) == count(text, *BOUND) == units


@given(st.text(alphabet="政a :/.@#h\u0301😀👨\u200d\r\n"))
def test_graphemes_are_never_more_than_code_points(text: str) -> None:
    assert count(text, *EXACT) <= count(text, *BOUND)


# ---------------------------------------------------------------- Bluesky


# app.bsky.feed.post: text has maxGraphemes 300 and maxLength 3000 (UTF-8 bytes).
@pytest.mark.parametrize(
    ("text", "excess"),
    [
        ("政" * 300, 0),
        ("政" * 301, 1),
        (FAMILY * 120, 0),  # 120 graphemes, 3,000 bytes
        (FAMILY * 120 + "a", 1),  # 121 graphemes, but a byte too many
        (FAMILY * 121, 9),  # 25 bytes too many
        ("e\u0301" * 300, 0),
        ("🇨🇳" * 300, 0),
        ("\r\n" * 300, 0),
    ],
)
def test_bluesky_limits(text: str, excess: int) -> None:
    assert over(text, BLUESKY) == excess


@pytest.mark.parametrize(
    "text", ["政务公开", "é", "e\u0301", FAMILY, "🇨🇳🇨🇳", "ｶﾞ", "か\u3099", "\r\n", ""]
)
def test_the_fast_path_counts_graphemes_rightly(text: str) -> None:
    import regex

    assert count(text, Unit.GRAPHEMES) == len(regex.findall(r"\X", text))


@given(st.text())
def test_every_text_counts_its_graphemes(text: str) -> None:
    import regex

    assert count(text, Unit.GRAPHEMES) == len(regex.findall(r"\X", text))


def test_bluesky_does_not_shorten_links() -> None:
    assert count(LINK, Unit.GRAPHEMES) == len(LINK)


# ---------------------------------------------------------------- all units


def test_no_unit_counts_nothing_but_bytes_may() -> None:
    assert count("政" * 9999, Unit.NONE) == 0
    assert over("政" * 9999, Capabilities(unit=Unit.NONE)) == 0
    assert over("政" * 10, Capabilities(unit=Unit.NONE, byte_limit=27)) == 1


def test_a_limit_of_nought_is_none() -> None:
    assert over("政" * 9999, Capabilities(text_limit=0, unit=Unit.WEIBO)) == 0


def test_over_says_by_how_much() -> None:
    assert over("政" * 140, WEIBO) == 0
    assert over("政" * 143, WEIBO) == 3
    assert over("a" * 281, WEIBO) == 1
    assert over("政" * 500, MASTODON) == 0
    assert over("政" * 478 + f" {LINK}", MASTODON) == 2


def test_a_broken_surrogate_is_counted_not_raised() -> None:
    for capabilities in (WEIBO, MASTODON, BLUESKY):
        assert over("\ud83d", capabilities) == 0


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"详情见{LINK}，谢谢", [LINK]),
        (f"详情见{LINK}谢谢", [LINK]),
        (f"See {LINK}.", [LINK]),
        (f"See {LINK}?", [LINK]),
        (f"(see {LINK})", [LINK]),
        (f"[通知]({LINK})", [LINK]),
        (f'"{LINK}"', [LINK]),
        ("https://zh.wikipedia.org/wiki/A_(B)", ["https://zh.wikipedia.org/wiki/A_(B)"]),
        ("(https://zh.wikipedia.org/wiki/A_(B)).", ["https://zh.wikipedia.org/wiki/A_(B)"]),
        ("(https://a.cn/x)?!)", ["https://a.cn/x"]),
        ("https://a.cn?x=1&y=%E6%94%BF#z", ["https://a.cn?x=1&y=%E6%94%BF#z"]),
        ("https://a.cn:8443/x/", ["https://a.cn:8443/x/"]),
        ("http://127.0.0.1:8000/p/1", ["http://127.0.0.1:8000/p/1"]),
        ("HTTPS://A.CN/X", ["HTTPS://A.CN/X"]),
        ("https://a.cn。", ["https://a.cn"]),
        ("https://a.cn.", ["https://a.cn"]),
        ("http://a.cn/1 http://b.cn/2", ["http://a.cn/1", "http://b.cn/2"]),
        ("https://", []),
        ("https://政府.中国/", []),
        ("www.gov.cn ftp://a.cn", []),
    ],
)
def test_links_end_where_platforms_end_them(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in links(text)] == found


def test_a_hostile_link_is_read_in_linear_time() -> None:
    assert links("https://a.cn/" + ")" * 200_000) == ((0, 13),)
    assert links("https://" + "a." * 100_000 + "/") == ((0, 200_007),)


# ---------------------------------------------------------------- fitting


def weibo(limit: int) -> Capabilities:
    return Capabilities(text_limit=limit, unit=Unit.WEIBO)


def test_what_fits_is_left_alone() -> None:
    assert fit(NOTICE[:100], WEIBO, LINK) == NOTICE[:100]


def test_it_cuts_at_the_end_of_a_sentence() -> None:
    short = fit(f"{NOTICE}详情见 {LINK}", weibo(130), LINK)
    assert short.endswith((f"逾期不予受理。{ELLIPSIS} {LINK}", f"填报材料{ELLIPSIS} {LINK}"))
    assert NOTICE.startswith(short.removesuffix(f"{ELLIPSIS} {LINK}"))


def test_it_cuts_at_a_clause_where_no_sentence_ends() -> None:
    assert fit("甲" * 30 + "，" + "乙" * 30, weibo(45)) == "甲" * 30 + ELLIPSIS


def test_it_does_not_give_up_half_for_a_sentence() -> None:
    assert fit("通知。" + "甲" * 60, weibo(40)) == "通知。" + "甲" * 35 + ELLIPSIS


def test_a_newline_ends_a_sentence() -> None:
    assert fit("甲" * 30 + "\n\n" + "乙" * 30, weibo(45)) == "甲" * 30 + ELLIPSIS


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        ("《关于印发实施方案的通知》", "a title"),
        ("“放管服”改革", "a quotation"),
        ("2026年9月22日", "a date"),
        ("12345.67万元", "a sum"),
        ("government", "a word"),
        (FAMILY, "a grapheme"),
    ],
)
def test_it_does_not_cut_inside(whole: str, why: str) -> None:
    text = "甲" * 20 + whole + "乙" * 40
    for limit in range(22, 45):
        kept = fit(text, weibo(limit)).removesuffix(ELLIPSIS)
        inside = kept.removeprefix("甲" * 20)
        assert not inside or inside.startswith(whole) or (why == "a quotation" and "”" in inside), (
            kept
        )


def test_a_title_longer_than_half_the_room_is_cut_all_the_same() -> None:
    assert fit("关于《" + "甲" * 60 + "》", weibo(40)) == "关于《" + "甲" * 34 + ELLIPSIS + "》"


def test_a_long_title_is_cut_behind_a_title_within_it_and_closed() -> None:
    title = "《县政府关于转发〈国务院关于就业的通知〉〈财政部关于税收政策的通知〉的通知》"
    short = "《县政府关于转发〈国务院关于就业的通知〉……》"
    assert fit(title + LINK, weibo(45), LINK) == f"{short} {LINK}"


def test_a_paragraph_keeps_its_number() -> None:
    listed = "1. 关于调整公交线路的通告 甲\n2. 关于停水的通知\n3. 关于召开听证会的公告"
    parts = thread(listed, weibo(30))
    assert len(parts) > 1
    assert [part for part in parts if re.search(r"^[0-9]\.（|\n[0-9]\.（", part)] == []


def test_the_link_is_kept_whole_after_a_space() -> None:
    short = fit(f"{NOTICE}详情见{LINK}，请关注。", WEIBO, LINK)
    assert short.endswith(f"{ELLIPSIS} {LINK}")
    assert short.count("http") == 1


def test_only_the_link_itself_is_taken_for_it() -> None:
    longer = LINK + "?page=2"
    short = fit(f"附件{longer} 正文{LINK} " + "甲" * 200, WEIBO, LINK)
    assert short.startswith(f"附件{longer} 正文")
    assert short.endswith(f" {LINK}")
    assert LINK not in fit("甲" * 200 + longer, WEIBO, LINK)


def test_other_links_are_kept_whole_or_dropped() -> None:
    text = f"{'甲' * 20}{LINK}{'乙' * 40}"
    for limit in range(22, 60):
        short = fit(text, Capabilities(text_limit=limit, unit=Unit.CHARACTERS, link_weight=23))
        assert "http" not in short or LINK in short
        assert f"{LINK}…" not in short  # a space parts them: Mastodon reads on to the next blank


def test_the_link_alone_if_there_is_no_room_for_more() -> None:
    assert fit(f"{NOTICE} {LINK}", weibo(11), LINK) == LINK


def test_a_link_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError):
        fit(f"{NOTICE} {LINK}", weibo(9), LINK)


def test_nothing_at_all_is_refused_too() -> None:
    with pytest.raises(ValueError):
        fit(NOTICE, weibo(2))


def test_a_link_that_is_not_in_the_text_is_not_added() -> None:
    assert "http" not in fit(NOTICE * 2, WEIBO, LINK)


PIECES = st.sampled_from(
    [
        "政务公开",
        "，",
        "。",
        "《关于通知》",
        "“引语”",
        " ",
        "\n",
        "word ",
        "2026年",
        FAMILY,
        "e\u0301",
        LINK,
        f" {LINK}/2 ",
        "@alice@mastodon.social",
        "（",
        "……",
        "【",
        "\r\n",
        "#话题#",
        "\u200b",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
PLATFORMS = st.builds(
    Capabilities,
    text_limit=st.integers(30, 150),
    unit=st.sampled_from([Unit.WEIBO, Unit.CHARACTERS, Unit.GRAPHEMES]),
    link_weight=st.sampled_from([0, 23]),
    byte_limit=st.sampled_from([0, 300]),
)


@given(TEXTS, PLATFORMS, st.sampled_from(["", LINK, f"{LINK}/2"]))
@settings(max_examples=300, deadline=None)
@example(LINK * 3, MASTODON, LINK)
def test_fit_always_fits_and_is_idempotent(text: str, platform: Capabilities, link: str) -> None:
    try:
        short = fit(text, platform, link)
    except ValueError:
        # only when the link alone is too long, or what comes first cannot be cut
        assert over(link, platform) or "http" in text or not text.strip(" \r\n，（【…")
        return
    assert over(short, platform) == 0
    assert fit(short, platform, link) == short
    found = {text[start:end] for start, end in links(text)}
    kept = {short[start:end] for start, end in links(short)}
    assert kept <= found
    assert link in kept or link not in found


# ---------------------------------------------------------------- threads


def unnumbered(parts: list[str]) -> str:
    return "".join(re.sub(r" ?（\d+/\d+）\Z", "", part) for part in parts)


def bare(text: str) -> str:
    return "".join(text.split())


def test_a_text_that_fits_is_one_part_without_a_number() -> None:
    assert thread("通知。", WEIBO) == ["通知。"]


def test_parts_are_numbered_and_end_with_sentences() -> None:
    parts = thread(NOTICE * 2, WEIBO)
    n = len(parts)
    assert n > 2
    assert all(part.endswith(f"（{i}/{n}）") for i, part in enumerate(parts, 1))
    assert all(re.search(r"[。；]（\d+/\d+）\Z", part) for part in parts)
    assert unnumbered(parts) == NOTICE * 2


def test_a_number_does_not_stick_to_a_link() -> None:
    parts = thread(f"{'甲' * 100}。{LINK}\n{'乙' * 120}", WEIBO)
    assert parts[0].endswith(f"{LINK} （1/2）")


def test_ten_parts_leave_room_for_two_digits() -> None:
    parts = thread("甲" * 500, weibo(40))
    assert len(parts) > 9
    assert all(over(part, weibo(40)) == 0 for part in parts)
    assert unnumbered(parts) == "甲" * 500


def test_a_link_longer_than_a_part_is_refused() -> None:
    with pytest.raises(ValueError):
        thread(f"{NOTICE} {LINK}", Capabilities(text_limit=40, unit=Unit.CHARACTERS))


@given(TEXTS, PLATFORMS)
@settings(max_examples=200, deadline=None)
def test_the_parts_are_the_text(text: str, platform: Capabilities) -> None:
    try:
        parts = thread(text, platform)
    except ValueError:
        assert "http" in text
        return
    assert all(over(part, platform) == 0 for part in parts)
    assert bare(unnumbered(parts)) == bare(text)


# ---------------------------------------------------------------- template filters


def test_a_short_title_fits() -> None:
    assert short_title("关于\n 印发方案的通知", 20) == "关于 印发方案的通知"
    assert short_title("关于印发方案的通知", 9) == "关于印发方案的通知"
    assert short_title("关于印发方案的通知", 8) == "关于印发方案的…"
    assert short_title("关于印发，方案的通知", 6) == "关于印发…"
    assert short_title(FAMILY * 3, 3) == FAMILY * 3
    assert short_title(FAMILY * 4, 3) == FAMILY * 2 + "…"
    assert short_title("通知通知", 1) == "…"
    assert short_title("关于转发《甲乙丙丁通知》的通知", 10) == "关于转发《甲乙丙…》"
    assert short_title("关于转发《甲乙丙丁通知》的通知", 7) == "关于转发…"
    assert short_title("", 5) == ""


def test_a_date_is_written_without_leading_noughts() -> None:
    assert chinese_date(date(2026, 9, 2)) == "2026年9月2日"
    assert chinese_date(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == "2026年12月31日"


@pytest.mark.parametrize(
    ("words", "link", "expected"),
    [
        ("详见 https://a.cn/x。谢谢", "", "详见 https://a.cn/x?gk=1 。谢谢"),
        ("https://a.cn/x?id=7#top", "", "https://a.cn/x?id=7&gk=1#top"),
        ("https://a.cn/x?gk=0&id=7", "", "https://a.cn/x?id=7&gk=1"),
        ("https://a.cn https://b.cn/y,", "https://b.cn/y", "https://a.cn https://b.cn/y?gk=1 ,"),
    ],
)
def test_a_parameter_is_put_into_the_link_that_matters(
    words: str, link: str, expected: str
) -> None:
    made, marked = text.with_parameter(words, link, "gk", "1")
    assert made == expected
    assert marked in made
    assert text.with_parameter("没有链接", link, "gk", "1") == ("没有链接", link)


@pytest.mark.parametrize(
    ("link", "within"),
    [
        ("https://www.yunlan.example.cn/x", True),
        ("https://yunlan.example.cn", True),
        ("https://evil-yunlan.example.cn/x", False),
        ("https://a.cn/?https://yunlan.example.cn", False),
    ],
)
def test_a_host_is_within_a_domain_only_at_a_dot(link: str, within: bool) -> None:
    assert text.host_within(link, ("yunlan.example.cn",)) is within
    assert text.host_within(link, ())
