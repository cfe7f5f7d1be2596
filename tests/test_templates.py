"""模板: what an office writes in a file becomes a text, and what is wrong is named where it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot import templates
from bot.errors import ConfigError
from bot.model import OverLimit, PostKind, Unit
from tests.offices import ROOT

HEAD = '+++\nname = "通知"\n+++\n'


def made(folder: Path, text: str | bytes) -> templates.Template:
    file = folder / "notice.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return templates.load(folder, "notice")


def rendered(folder: Path, text: str, **fields: Any) -> str:
    return made(folder, HEAD + text).render(fields)


def test_the_front_matter_says_how_it_is_published(tmp_path: Path) -> None:
    head = '+++\nname = "答复"\nkind = "response"\nover_limit = "thread"\nwarning = "讣告"\n+++\n'
    front = made(tmp_path, f"{head}{{{{ text }}}}").front
    assert (front.kind, front.over_limit) == (PostKind.RESPONSE, OverLimit.THREAD)
    assert (front.visibility, front.warning) == ("public", "讣告")


def test_a_template_needs_no_front_matter(tmp_path: Path) -> None:
    one = made(tmp_path, "【{{ column }}】{{ title }}\n")
    assert one.render({"column": "通知", "title": "停水"}) == "【通知】停水"
    assert one.front.kind is PostKind.NOTICE


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param("\ufeff" + HEAD + "{{ title }}", id="a mark of Windows's editors"),
        pytest.param((HEAD + "{{ title }}").replace("\n", "\r\n"), id="carriage returns"),
        pytest.param("\n\n" + HEAD + "{{ title }}", id="blank lines before"),
        pytest.param(HEAD.replace("+++", "+++ ") + "{{ title }}", id="blanks after the marks"),
    ],
)
def test_the_front_matter_is_never_published(tmp_path: Path, whole: str) -> None:
    one = made(tmp_path, whole)
    assert one.render({"title": "停水"}) == "停水"
    assert one.front.name == "通知"


def test_a_front_matter_without_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"notice\.txt.*\+\+\+"):
        made(tmp_path, '+++\nname = "通知"\n{{ title }}\n')


def test_three_plus_signs_in_a_text_are_text(tmp_path: Path) -> None:
    assert rendered(tmp_path, "甲 +++\n乙") == "甲 +++\n乙"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("{{ title }}\n\n{{ naem }}", 6, "naem"),
        ("{{ title }}\n{% if titel %}x{% endif %}", 5, "titel"),
        ("{% for e in title %}\n{{ e.nothing }}{% endfor %}", 5, "nothing"),
        ("{{ title }}\n{{ 1 // 0 }}", 5, "zero"),
        ("{{ title }}\n{{ title[9] }}", 5, "9"),
        ("{{ title | chinese_date }}", 4, "year"),
        ("{{ title }}\n{{ title.__class__.__mro__ }}", 5, "__class__"),
        ("{{ range(10000000) | list }}", 4, "ange"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        rendered(tmp_path, text, title="停水")
    assert f"notice.txt 第 {line} 行" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"), [("甲\n{% if x %}", 5), ("{{ title | nosuch }}", 4), ("甲\n乙 {{ title", 5)]
)
def test_a_text_that_cannot_be_read_is_an_error_before_it_is_used(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(ConfigError, match=f"notice.txt 第 {line} 行"):
        made(tmp_path, HEAD + text)


def test_a_mistake_in_the_title_is_named_on_its_own_line(tmp_path: Path) -> None:
    head = '+++\nname = "通知"\nover_limit = "shorten"\ntitle = "{{ naem }}"\n+++\n'
    one = made(tmp_path, head + "{{ title }}")
    with pytest.raises(ConfigError, match=r"notice\.txt 第 4 行.*naem"):
        one.title({"title": "停水"})


@pytest.mark.parametrize(
    ("head", "line", "what"),
    [
        ('naem = "通知"', 2, "name"),
        ('name = "通知"\nkind = "notise"', 3, "kind"),
        ('name = "通知"\nkind = "elsewhere"', 3, "kind"),
        ('name = "通知"\nover_limit = "cut"', 3, "over_limit"),
        ('name = "通知"\nname = ', 3, "3"),
        ("kind = 'notice'", 1, "name"),
    ],
)
def test_a_mistake_in_the_front_matter_is_named_with_its_line(
    tmp_path: Path, head: str, line: int, what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        made(tmp_path, f"+++\n{head}\n+++\n甲")
    assert "notice.txt" in str(caught.value)
    assert str(line) in str(caught.value)


def test_a_name_that_is_never_given_is_found_before_it_is_used(tmp_path: Path) -> None:
    head = '+++\nname = "通知"\n[fields.closes]\nname = "截止"\n+++\n'
    text = "{{ title }}\n{% if closes %}\n{{ publishr }}{% set a = 1 %}{{ a }}{% endif %}"
    (wrong,) = made(tmp_path, head + text).strangers()
    assert str(wrong) == "模板 notice.txt 第 8 行：没有字段 publishr，是不是 publisher"


@pytest.mark.parametrize("key", templates.keys(ROOT / "templates"))
def test_the_shipped_templates_name_only_what_they_are_given(key: str) -> None:
    assert templates.load(ROOT / "templates", key).strangers() == []


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nosuch\.txt"):
        templates.load(tmp_path, "nosuch")


@pytest.mark.parametrize("key", ["../a", "b/a", "", ".", "..", "/etc/a"])
def test_a_templates_name_leads_nowhere_else(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.txt").write_text("秘密", "utf-8")
    (tmp_path / "templates" / "b").mkdir(parents=True)
    (tmp_path / "templates" / "b" / "a.txt").write_text("秘密", "utf-8")
    with pytest.raises(ConfigError, match="没有模板"):
        templates.load(tmp_path / "templates", key)


def test_a_template_in_another_encoding_is_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        made(tmp_path, "关于停水的通知".encode("gbk"))


def test_nothing_is_escaped_and_fields_are_no_templates(tmp_path: Path) -> None:
    assert rendered(tmp_path, "{{ title }}", title="A&B <3 {{ 7 * 7 }}") == "A&B <3 {{ 7 * 7 }}"


def test_blocks_leave_no_blank_lines(tmp_path: Path) -> None:
    text = "甲\n{% if title %}\n{{ title }}\n{% endif %}\n  {# 说明 #}\n乙\n"
    assert rendered(tmp_path, text, title="停水") == "甲\n停水\n乙"


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{{ title | short_title(6) }}", "关于印发…"),
        ("{{ day | chinese_date }}", "2026年11月25日"),
        ("{{ long | fit(8) }}", "第一句。……"),
        ("{{ '' | fit(8) }}", ""),
        ("{{ day | chinese_time }}", "2026年11月25日0时30分"),
        ("{{ day | short_date }} {{ day | short_time }}", "11月25日 11月25日0时30分"),
        ("{{ title | book_title }}", "《关于印发〈办法〉的通知》"),
        ("{{ '《办法》' | book_title }}", "《办法》"),
        ("{{ '《甲》和《乙》' | book_title }}", "《〈甲〉和〈乙〉》"),
        ("{{ '请绕行' | sentence }}{{ '好。' | sentence }}{{ '' | sentence }}", "请绕行。好。"),
        ("{{ '电话13800001234。' | mask }}", "电话138****1234。"),
        ("{{ '证号11010519491231002X' | mask }}", "证号110105********002X"),
        ("{{ '云澜发布' | topic }}", ""),
        (
            "{{ '来源: 县水务局\\n各镇（街道），县级各单位：\\n　　明日停水。' | gist }}",
            "明日停水。",
        ),
        ("{{ '各地要落实以下措施：一、停水。' | gist }}", "各地要落实以下措施：一、停水。"),
        ("{{ '发布暴雨橙色预警信号' | signal }}", "暴雨橙色预警"),
        ("{{ '解除暴雨橙色预警信号' | signal }}", ""),
        (
            "{{ title | numbered('云政发〔2026〕9号') }}",
            "关于印发《办法》的通知（云政发〔2026〕9号）",
        ),
        (
            "{{ '通知（云政发[2026]第9号）' | numbered('云政发〔2026〕9号') }}",
            "通知（云政发[2026]第9号）",
        ),
        ("{{ '通知' | numbered('') }}", "通知"),
        (
            "{{ '停水' | headed('通知') }} {{ '【转发】停水' | headed('通知') }}",
            "【通知】停水 【转发】停水",
        ),
        ("{{ '首页/政务公开/通知公告' | leaf }}", "通知公告"),
        ("{{ '通知公告' | leaf }}{{ '' | leaf }}{{ '/' | leaf }}", "通知公告"),
        ("{{ '云澜县气象台2026年11月24日发布大风预警' | issuer }}", "云澜县气象台"),
        ("{{ '县财政局 县教育局关于收费的通知' | issuer | bodies }}", "县财政局、县教育局"),
        ("{{ '关于收费的通知' | issuer }}{{ '云澜县养犬管理办法' | issuer }}", ""),
        ("{{ 'Yunlan Water Bureau' | bodies }}", "Yunlan Water Bureau"),
    ],
)
def test_the_office_has_filters_of_its_own(tmp_path: Path, text: str, becomes: str) -> None:
    day = templates.fields_of_day(
        datetime(2026, 11, 24, 16, 30, tzinfo=UTC), ZoneInfo("Asia/Shanghai")
    )
    fields = {"title": "关于印发《办法》的通知", "day": day, "long": "第一句。第二句很长很长。"}
    assert rendered(tmp_path, text, **fields) == becomes


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王明", "王*"),
        ("王小明", "王**"),
        ("欧阳小明", "欧阳**"),
        ("买买提·艾力", "买买提·**"),
        ("水务局", "水务局"),
        ("云澜县鲜美食品有限公司", "云澜县鲜美食品有限公司"),
        ("", ""),
    ],
)
def test_a_person_s_name_is_hidden_but_for_the_surname_and_a_body_s_is_not(
    tmp_path: Path, name: str, shown: str
) -> None:
    assert rendered(tmp_path, "{{ name | mask_name }}", name=name) == shown


@pytest.mark.parametrize(
    ("unit", "becomes"),
    [(Unit.WEIBO, "abcdefgh。甲。……"), (Unit.CHARACTERS, "abcdefgh。……")],
)
def test_a_text_is_fitted_in_the_unit_of_the_account(
    tmp_path: Path, unit: Unit, becomes: str
) -> None:
    words = "abcdefgh。甲。乙丙丁，戊己庚辛壬癸子丑寅卯。"
    account = {"unit": unit, "link_weight": 0}
    assert rendered(tmp_path, "{{ words | fit(12) }}", words=words, account=account) == becomes


def test_what_cannot_be_fitted_is_a_mistake_on_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"第 5 行：2 个字里放不下“第一句。”"):
        rendered(tmp_path, "甲\n{{ long | fit(2) }}", long="第一句。")


def test_an_empty_field_leaves_neither_blanks_nor_blank_lines(tmp_path: Path) -> None:
    text = "甲 {{ a }}\n\n{{ a }}\n\n{{ a }}\n乙{{ a }} "
    assert rendered(tmp_path, text, a="") == "甲\n\n乙"


def test_the_digest_is_of_the_whole_file(tmp_path: Path) -> None:
    one = made(tmp_path, HEAD + "{{ title }}")
    assert made(tmp_path, HEAD + "{{ title }}").digest == one.digest
    assert made(tmp_path, HEAD + "{{ title }}。").digest != one.digest
    assert made(tmp_path, HEAD.replace("通知", "公告") + "{{ title }}").digest != one.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% if title %}", "{% if %} 没有用 {% endif %} 结束"),
        ("{{ title | nofilter }}", "没有过滤器 nofilter"),
        ("{{ title }", "这里不该有 }；双花括号、括号、引号要成对"),
        ("{{ title，}}", "符号要用英文的"),
        ("{% for a in b %}{% endif %}", "前面的 {% for %} 还没有用 {% endfor %} 结束"),
        ("{% elsif %}", "没有 {% elsif %} 这个写法"),
    ],
)
def test_a_slip_in_a_template_is_told_in_the_office_s_language(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as told:
        templates.parse(tmp_path, "bad", f'+++\nname = "坏"\n+++\n{text}\n')
    assert str(told.value).startswith("模板 bad.txt 第 ")
    assert said in str(told.value)
